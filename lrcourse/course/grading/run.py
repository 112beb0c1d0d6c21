"""Grade what a class handed in: preflight, then every student in parallel, then the gradebook and the table."""

import csv
import hashlib
import io
import json
import os
import pkgutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from ...determinism import ENVIRONMENT
from .. import dependencies
from ..labs.submit import PACKAGES
from . import autograded, feedback, gradebook, intake, lab, pool, preflight, student_record
from .course_folder import CourseFolder
from .files import write
from .lab import Lab
from .limits import Limits
from .machine import find_sandbox
from .outcome import Judgement, TaskScore, TaskStatus
from .rebuild import Rebuilt, rebuild
from .sandbox import Sandbox
from .student_record import StudentRecord
from .submissions import Submission
from .submissions import find as find_submissions

Grades = dict[str, gradebook.Entry]


def grade(root: Path, lab_name: str, submissions: Path, output: Path, jobs: int = -1, cluster: str | None = None,
          database: str | None = None, roster: Path | None = None, sandbox: Sandbox | None = None,
          limits: Limits | None = None) -> list[StudentRecord]:  # fmt: skip
    """Grade the `submissions` to a lab of the repository `root`; everything goes into the folder `output`.

    Started again after whatever ended it, it goes on where it was and comes to the same. `jobs`: students at a time,
    -1 for one per core. `cluster`: the address of a Dask cluster. `database`: any URL that SQLAlchemy takes;
    default: gradebook.db in `output`.

    Raises: `NoSandbox` if there is none, `BrokenLab` if the lab fails its preflight, `ValueError` for a bad argument.
    """
    os.environ.update(ENVIRONMENT)  # before a setup cell imports a framework; workers inherit it
    the_lab, others = lab.find(root, lab_name)
    handed_in = find_submissions(submissions, the_lab, others, roster)
    sandbox, limits = sandbox or find_sandbox(), limits or Limits()
    made_with = {"lab": the_lab.digest, "lrcourse": package_digest(), "versions": _versions(),
                 "sandbox": sandbox.name, "limits": asdict(limits)}  # fmt: skip
    folder = CourseFolder(output.absolute(), the_lab.name)
    folder.configure(root)

    def judge_all(notebooks: Any) -> Any:
        return pool.judged(list(notebooks), notebooks.__getitem__, sandbox, limits, jobs, cluster)

    preflight.check(the_lab, judge_all, _digest(made_with), folder.own / "preflight.json")
    records = _Class(the_lab, others, handed_in, folder, made_with).graded(sandbox, limits, jobs, cluster)
    _name_twins(records)
    points = _store(database or f"sqlite:///{folder.output / 'gradebook.db'}", the_lab, records, folder)
    for each in records:
        if each.handed_in:
            write(folder.feedback(each.student), feedback.page(each, the_lab, points.get(each.student)))
    write(folder.own / "grades.csv", _table(the_lab, records, points))
    return records


def plan(
    root: Path, lab_name: str, submissions: Path, roster: Path | None = None, output: Path | None = None
) -> list[StudentRecord]:
    """What `grade` would find; what has been graded in `output` as it stands has its judgement.

    Nothing is run and nothing is written.
    """
    the_lab, others = lab.find(root, lab_name)
    handed_in = find_submissions(submissions, the_lab, others, roster)
    found = [_taken_in(each, the_lab, others)[0] for each in handed_in]
    if output is None:
        return found
    folder = CourseFolder(output, the_lab.name)
    kept = {each.student: student_record.read(folder.record(each.student)) for each in found}
    return [before if (before := kept[each.student]) and before.files == each.files else each for each in found]


def package_digest() -> str:
    """A hash of the files that a grade depends on: the grader, and the package that labs and answers import."""
    grader = [f"{__package__}.{module.name}" for module in pkgutil.iter_modules([str(Path(__file__).parent)])]
    sources = dependencies.files(dependencies.training() | dependencies.loaded(grader))
    return _digest({name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in sources.items()})


def _taken_in(
    submission: Submission, the_lab: Lab, others: Sequence[Lab], originals: Path | None = None
) -> tuple[StudentRecord, Rebuilt | None]:
    """A student's record before the judgement, and what is to be judged: None if there is nothing."""
    result = StudentRecord(submission.student, the_lab.name)
    if not submission.paths:
        return result, None
    found = intake.read(submission, the_lab, others, originals)
    result.files, result.notebook = found.files, found.notebook
    result.notes, result.doubts, result.handed_in = found.notes, found.doubts, True
    result.original = f"{the_lab.name}/originals/{found.digest[:16]}"
    result.readable = found.cells is not None
    if found.cells is None or found.other_lab:
        return result, None
    rebuilt = rebuild(found.cells, the_lab)
    result.answers, result.fingerprint = rebuilt.answers, rebuilt.fingerprint
    result.notes, result.doubts = result.notes + rebuilt.notes, result.doubts + rebuilt.doubts
    return result, rebuilt


class _Class:
    """All students of one grading; each one's record is written as soon as it is known."""

    def __init__(
        self, the_lab: Lab, others: Sequence[Lab], handed_in: Sequence[Submission], folder: CourseFolder, made_with: Any
    ) -> None:
        self.lab, self.others, self.folder, self.made_with = the_lab, others, folder, made_with
        self.submissions = {each.student: each for each in handed_in}
        self.done: dict[str, StudentRecord] = {}
        self.at_work: dict[str, tuple[StudentRecord, Rebuilt]] = {}

    def graded(self, sandbox: Sandbox, limits: Limits, jobs: int, cluster: str | None) -> list[StudentRecord]:
        from .. import progress

        results = pool.judged(list(self.submissions), self.notebook, sandbox, limits, jobs, cluster)
        with progress.bar(self.lab.name, len(self.submissions), "students") as bar:
            for student, result in results:
                self.finish(student, result)
                bar.update(len(self.done) - bar.n)
            bar.update(len(self.done) - bar.n)
        return [self.done[student] for student in sorted(self.done)]

    def notebook(self, student: str) -> NotebookNode | None:
        """What is to be judged of a student; None if it has been, or if there is nothing to judge."""
        result, rebuilt = _taken_in(self.submissions[student], self.lab, self.others, self.folder.own / "originals")
        result.made_with, result.key = self.made_with, _digest([asdict(result), self.made_with])
        before = student_record.read(self.folder.record(student))
        if before and before.key == result.key:
            self.done[student] = before
        elif rebuilt is None:
            self.keep(result)
        else:
            self.at_work[student] = result, rebuilt
            return rebuilt.notebook
        return None

    def finish(self, student: str, judgement: Judgement | str) -> None:
        result, rebuilt = self.at_work.pop(student)
        if isinstance(judgement, str):  # our fault, not a 0; the next run tries again
            result.key = ""
            result.doubts = [*result.doubts, f"the grader failed: {judgement.strip()}"]
        else:
            tasks = [_unwritten(task) if result.answers.get(task.grade_id) == "" else task for task in judgement.tasks]
            result.judgement = replace(judgement, tasks=tasks)
            write(self.folder.autograded(student), autograded.text(rebuilt, self.lab, tasks))
        self.keep(result)

    def keep(self, result: StudentRecord) -> None:
        result.write(self.folder.record(result.student))
        self.done[result.student] = result


def _unwritten(task: TaskScore) -> TaskScore:
    """A task in which there is nothing for a person to grade."""
    return replace(task, status=TaskStatus.NOT_SOLVED) if task.status is TaskStatus.MANUAL else task


def _name_twins(records: Sequence[StudentRecord]) -> None:
    alike: dict[str, list[str]] = {}
    for each in records:
        alike.setdefault(each.fingerprint, []).append(each.student)
    for each in records:
        each.twins = [student for student in alike[each.fingerprint] if each.fingerprint and student != each.student]


def _store(url: str, the_lab: Lab, records: Sequence[StudentRecord], folder: CourseFolder) -> dict[str, Grades]:
    """Put the points into the gradebook; returns them as they stand there, with what persons gave, by student.

    A manual grade waits for a person again if the answers are others than those that were stored last.
    """
    path = folder.own / "stored.json"  # written last: after a kill a person looks twice rather than never
    before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    stored, points = dict(before), {}
    with gradebook.opened(url, the_lab) as book:
        for each in records:
            if each.judgement is None:
                book.student(each.student)
                continue
            stored[each.student] = _digest(each.answers)
            changed = before.get(each.student, stored[each.student]) != stored[each.student]
            given = {task.grade_id: None if task.status is TaskStatus.MANUAL else task.points
                     for task in each.judgement.tasks}  # fmt: skip
            book.save(each.student, given, {name for name, text in each.answers.items() if not text}, changed)
            points[each.student] = book.grades(each.student)
    write(path, json.dumps(stored, indent=1, sort_keys=True) + "\n")
    return points


def _table(the_lab: Lab, records: Sequence[StudentRecord], points: dict[str, Grades]) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["student", "status", "score", "max_score", *the_lab.points, "waiting_for_a_person", "flags"])
    for each in records:
        own = points.get(each.student, {})
        scores = [own[name].score if name in own else None for name in the_lab.points]
        waiting = [name for name in the_lab.points if name in own and own[name].waiting]
        flags = each.flags + (each.judgement.events if each.judgement else [])
        table.writerow([
            _plain(each.student), each.status, _number(sum(score or 0 for score in scores) if own else None),
            _number(sum(the_lab.points.values())), *map(_number, scores), " ".join(waiting), _plain("; ".join(flags)),
        ])  # fmt: skip
    return text.getvalue()


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.10g}"


def _plain(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _versions() -> dict[str, str]:
    installed = {each.name.lower(): each.version for each in metadata.distributions() if each.name}
    return {name: installed[name] for name in (*PACKAGES, "nbgrader") if name in installed}
