"""Grade what a class handed in: preflight, then every student in parallel, then the gradebook and the table."""

import csv
import hashlib
import io
import json
import os
import pkgutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from ...determinism import ENVIRONMENT
from .. import dependencies
from ..labs.submit import PACKAGES
from . import autograded, feedback, gradebook, intake, lab, pool, preflight, record
from .files import write
from .lab import Lab
from .limits import Limits
from .outcome import Judgement, TaskScore, TaskStatus
from .rebuild import Rebuilt, rebuild
from .record import Record, file_name
from .sandbox import Sandbox
from .sandbox import find as find_sandbox

CONFIGURATION = '''\
"""Written by `lrcourse grade`: start nbgrader, or JupyterLab for formgrader, in this folder."""

c = get_config()  # noqa: F821  (nbgrader defines it)

c.CourseDirectory.course_id = "lrcourse"
c.CourseDirectory.source_directory = {root!r} + "/solutions"
c.CourseDirectory.release_directory = {root!r} + "/labs"
c.HTMLExporter.sanitize_html = True
'''
Points = dict[str, gradebook.Entry]


@dataclass(frozen=True)
class Folder:
    """Where everything of a grading lies: one folder for all labs, laid out as a course of nbgrader's."""

    output: Path
    lab: str

    @property
    def own(self) -> Path:
        return self.output / self.lab

    def record(self, student: str) -> Path:
        return self.own / "records" / f"{file_name(student)}.json"

    def autograded(self, student: str) -> Path:
        return self.output / "autograded" / student / self.lab / f"{self.lab}.ipynb"

    def configure(self, root: Path) -> None:
        """Make it a folder that nbgrader can be started in."""
        path = self.output / "nbgrader_config.py"
        if not path.exists():
            write(path, CONFIGURATION.format(root=str(root.absolute())))

    def feedback(self, student: str) -> Path:
        return self.output / "feedback" / student / self.lab / f"{self.lab}.html"


def grade(root: Path, lab_name: str, submissions: Path, output: Path, jobs: int = -1, cluster: str | None = None,
          database: str | None = None, roster: Path | None = None, sandbox: Sandbox | None = None,
          limits: Limits | None = None) -> list[Record]:  # fmt: skip
    """Grade the `submissions` to a lab of the repository `root`; everything goes into the folder `output`.

    Started again after whatever ended it, it goes on where it was and comes to the same. `jobs`: students at a time,
    -1 for one per core. `cluster`: the address of a Dask cluster. `database`: any URL that SQLAlchemy takes;
    default: gradebook.db in `output`.

    Raises: `NoSandbox` if there is none, `BrokenLab` if the lab fails its preflight, `ValueError` for a bad argument.
    """
    os.environ.update(ENVIRONMENT)  # before a setup cell imports a framework; workers inherit it
    the_lab, others = lab.find(root, lab_name)
    entries = intake.find(submissions, the_lab, others, roster)
    sandbox, limits = sandbox or find_sandbox(), limits or Limits()
    made_with = {"lab": the_lab.digest, "lrcourse": package_digest(), "versions": _versions(),
                 "sandbox": sandbox.name, "limits": asdict(limits)}  # fmt: skip
    folder = Folder(output.absolute(), the_lab.name)
    folder.configure(root)

    def judge_all(notebooks: Any) -> Any:
        return pool.judged(list(notebooks), notebooks.__getitem__, sandbox, limits, jobs, cluster)

    preflight.check(the_lab, judge_all, _digest(made_with), folder.own / "preflight.json")
    records = _Class(the_lab, others, entries, folder, made_with).graded(sandbox, limits, jobs, cluster)
    _name_twins(records)
    points = _store(database or f"sqlite:///{folder.output / 'gradebook.db'}", the_lab, records, folder)
    for each in records:
        if each.handed_in:
            write(folder.feedback(each.student), feedback.page(each, the_lab, points.get(each.student)))
    write(folder.own / "grades.csv", _table(the_lab, records, points))
    return records


def plan(
    root: Path, lab_name: str, submissions: Path, roster: Path | None = None, output: Path | None = None
) -> list[Record]:
    """What `grade` would find; what has been graded in `output` as it stands has its judgement.

    Nothing is run and nothing is written.
    """
    the_lab, others = lab.find(root, lab_name)
    entries = intake.find(submissions, the_lab, others, roster)
    found = [_taken_in(entry, the_lab, others)[0] for entry in entries]
    if output is None:
        return found
    folder = Folder(output, the_lab.name)
    kept = {each.student: record.read(folder.record(each.student)) for each in found}
    return [before if (before := kept[each.student]) and before.files == each.files else each for each in found]


def package_digest() -> str:
    """A hash of the files that a grade depends on: the grader, and the package that labs and answers import."""
    grader = [f"{__package__}.{module.name}" for module in pkgutil.iter_modules([str(Path(__file__).parent)])]
    sources = dependencies.files(dependencies.training() | dependencies.loaded(grader))
    return _digest({name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in sources.items()})


def _taken_in(
    entry: intake.Entry, the_lab: Lab, others: Sequence[Lab], originals: Path | None = None
) -> tuple[Record, Rebuilt | None]:
    """A student's record before the judgement, and what is to be judged: None if there is nothing."""
    result = Record(entry.student, the_lab.name)
    if not entry.paths:
        return result, None
    found = intake.read(entry, the_lab, others, originals)
    result.files, result.notebook, result.timestamp = found.files, found.notebook, found.timestamp
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
        self, the_lab: Lab, others: Sequence[Lab], entries: Sequence[intake.Entry], folder: Folder, made_with: Any
    ) -> None:
        self.lab, self.others, self.folder, self.made_with = the_lab, others, folder, made_with
        self.entries = {entry.student: entry for entry in entries}
        self.done: dict[str, Record] = {}
        self.at_work: dict[str, tuple[Record, Rebuilt]] = {}

    def graded(self, sandbox: Sandbox, limits: Limits, jobs: int, cluster: str | None) -> list[Record]:
        from .. import progress

        results = pool.judged(list(self.entries), self.notebook, sandbox, limits, jobs, cluster)
        with progress.bar(self.lab.name, len(self.entries), "students") as bar:
            for student, result in results:
                self.finish(student, result)
                bar.update(len(self.done) - bar.n)
            bar.update(len(self.done) - bar.n)
        return [self.done[student] for student in sorted(self.done)]

    def notebook(self, student: str) -> NotebookNode | None:
        """What is to be judged of a student; None if it has been, or if there is nothing to judge."""
        result, rebuilt = _taken_in(self.entries[student], self.lab, self.others, self.folder.own / "originals")
        result.made_with, result.key = self.made_with, _digest([asdict(result), self.made_with])
        before = record.read(self.folder.record(student))
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

    def keep(self, result: Record) -> None:
        result.write(self.folder.record(result.student))
        self.done[result.student] = result


def _unwritten(task: TaskScore) -> TaskScore:
    """A task in which there is nothing for a person to grade."""
    return replace(task, status=TaskStatus.NOT_SOLVED) if task.status is TaskStatus.MANUAL else task


def _name_twins(records: Sequence[Record]) -> None:
    alike: dict[str, list[str]] = {}
    for each in records:
        alike.setdefault(each.fingerprint, []).append(each.student)
    for each in records:
        each.twins = [student for student in alike[each.fingerprint] if each.fingerprint and student != each.student]


def _store(url: str, the_lab: Lab, records: Sequence[Record], folder: Folder) -> dict[str, Points]:
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


def _table(the_lab: Lab, records: Sequence[Record], points: dict[str, Points]) -> str:
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
