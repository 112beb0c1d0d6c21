"""Grade what a class handed in: intake, preflight, shown runs, judged runs, then gradebook, pages and table.

Whatever is done for one student is done in a process of its own (`steps`), and what goes wrong there is that student's
status. Everything that is written for persons is made at the end, from the records and the gradebook as they stand.
"""

import hashlib
import json
import pkgutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from ...validation import bad
from .. import dependencies, progress
from ..labs.submit import PACKAGES
from . import child, gradebook, lab, leaderboard, pool, preflight, seeds, steps, student_name, student_record
from .course_folder import CourseFolder
from .files import write
from .lab import Lab
from .leaderboard import Leaderboard
from .limits import Limits
from .machine import find_sandbox
from .outcome import Judgement, Shown, TaskScore, TaskStatus
from .preflight import BrokenLab
from .race import Race
from .sandbox import Sandbox
from .student_record import StudentRecord
from .submissions import Submission
from .submissions import find as find_submissions
from .table import table

Grades = dict[str, gradebook.Entry]
SECONDS = 60.0  # for a step that runs no code of a student's; it takes a tenth of one
PATIENCE = 5  # a run of a student's code may take so many times its limit of processor time, on a busy machine
OLD = "its record was written by another version: grade what was handed in once more"
REQUEST = 1 << 20  # bytes that a raced answer may say at a time: reading them takes less than what it is charged
SEEDS = 2  # secrets to try before a lab is called broken: one may be unlucky


def grade(root: Path, lab_name: str, submissions: Path, output: Path, jobs: int = -1, cluster: str | None = None,
          database: str | None = None, roster: Path | None = None, sandbox: Sandbox | None = None,
          limits: Limits | None = None, seed: str | None = None,
          leaderboard: bool = False) -> list[StudentRecord]:  # fmt: skip
    """Grade the `submissions` to a lab of the repository `root`; everything goes into the folder `output`.

    Started again after whatever ended it, it goes on where it was and comes to the same. Who was graded there before
    stays in the table. Returns the record of everyone in it.

    `jobs`: students at a time, -1 for one per core. `cluster`: the address of a Dask cluster. `database`: any URL that
    SQLAlchemy takes; default: gradebook.db in `output`. `seed`: the secret of which hidden inputs are drawn, as a
    record holds it; default: a new one. `leaderboard`: race the answers too, as the lab declares it.

    Raises: `NoSandbox` if there is none, `BrokenLab` if the lab fails its preflight, `ValueError` for a bad argument
    and if another grader is at work in `output`.
    """
    the_lab, others = lab.find(root, lab_name)
    if leaderboard and not the_lab.race:
        raced = ", ".join(each.name for each in others if each.race) or "none"
        raise bad("leaderboard", the_lab.name, "asked for with a lab that declares one", f"there is {raced}")
    handed_in = find_submissions(submissions, the_lab, others, roster)
    sandbox, limits = sandbox or find_sandbox(), limits or Limits()
    made_with = {"lab": the_lab.digest, "lrcourse": package_digest(), "versions": _versions(),
                 "sandbox": sandbox.name, "limits": asdict(limits)}  # fmt: skip
    folder = CourseFolder(output.absolute(), the_lab.name)
    if roster is None:
        handed_in = _called_as_before(handed_in, folder)
    url = database or f"sqlite:///{folder.output / 'gradebook.db'}"
    with folder.locked():
        folder.configure(root)
        with gradebook.opened(url, the_lab):  # what is wrong with it shows before an hour's work
            pass
        try:
            judging = _Judging(sandbox, limits, jobs, cluster)
            grading = _Grading(the_lab, others, folder, url, made_with, judging, seed)
            records = grading.records(handed_in)
            if leaderboard:
                grading.race(records)
            return records
        finally:
            child.close_all()


def plan(
    root: Path, lab_name: str, submissions: Path, roster: Path | None = None, output: Path | None = None
) -> list[StudentRecord]:
    """What `grade` would find; what has been graded in `output` as it stands has its judgement.

    No student's code is run and nothing is written.
    """
    the_lab, others = lab.find(root, lab_name)
    handed_in = find_submissions(submissions, the_lab, others, roster)
    if roster is None and output is not None:
        handed_in = _called_as_before(handed_in, CourseFolder(output, the_lab.name))
    try:
        found = [taken[0] for _, taken in sorted(_taken_in(handed_in, the_lab, others, {}, None))]
    finally:
        child.close_all()
    if output is None:
        return found
    folder = CourseFolder(output, the_lab.name)
    kept = {each.student: student_record.read(folder.record(each.student)) for each in found}
    return [before if (before := kept[each.student]) and before.files == each.files else each for each in found]


def _called_as_before(handed_in: Sequence[Submission], folder: CourseFolder) -> list[Submission]:
    """The hand-ins under the names of earlier gradings, where people take the two for the same."""
    names = {student_name.key(path.stem): path.stem for path in folder.records()}
    return [replace(each, student=names.get(student_name.key(each.student), each.student)) for each in handed_in]


def package_digest() -> str:
    """A hash of the files that a grade depends on: the grader, and the package that labs and answers import."""
    grader = [f"{__package__}.{module.name}" for module in pkgutil.iter_modules([str(Path(__file__).parent)])]
    sources = dependencies.files(dependencies.training() | dependencies.loaded(grader))
    return steps.digest({name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in sources.items()})


def _taken_in(
    handed_in: Iterable[Submission], the_lab: Lab, others: Sequence[Lab], made_with: Any, originals: Path | None,
    jobs: int = -1,
) -> Iterator[tuple[str, tuple[StudentRecord, str]]]:  # fmt: skip
    """Every student's record before the judgement, and the notebook to be judged, "" if there is none."""
    paths = [each.path for each in others]
    work = {each.student: (each, the_lab.path, paths, made_with, originals) for each in handed_in}
    for student, result in _twice(steps.take_in, work, SECONDS, jobs):
        if isinstance(result, child.Failed):
            failed = f"it could not be taken in: {result}"
            yield student, (StudentRecord(student, the_lab.name, handed_in=True, failed=failed), "")
        else:
            yield student, result


def _twice(
    function: Callable[..., Any], work: Mapping[str, tuple[Any, ...]], seconds: float, jobs: int
) -> Iterator[tuple[str, Any]]:
    """As `pool.results`. Who failed is tried once more, with nobody beside: neighbors may have taken the memory."""
    failed = []
    for name, result in pool.results(function, work.items(), seconds, jobs):
        if isinstance(result, child.Failed):
            failed.append(name)
        else:
            yield name, result
    yield from pool.results(function, ((name, work[name]) for name in failed), seconds, jobs=1)


@dataclass(frozen=True)
class _Judging:
    """Where and how long students' code runs."""

    sandbox: Sandbox
    limits: Limits
    jobs: int
    cluster: str | None

    def shown(self, notebooks: Iterable[tuple[str, str]]) -> Iterator[tuple[str, Shown]]:
        """What each student may read; who hangs in it does not hold up the others."""
        quick = self.limits.quick()
        work = ((name, (text, self.sandbox, quick)) for name, text in notebooks)
        for name, result in pool.results(steps.show, work, self._seconds(quick), self.jobs, self.cluster):
            yield name, Shown(events=[str(result)]) if isinstance(result, child.Failed) else result

    def judged(
        self, names: Collection[str], inputs: Callable[[str], tuple[str, Shown, str]]
    ) -> Iterator[tuple[str, Judgement | child.Failed]]:
        """The points of each student, by its notebook, what it was shown, and a seed.

        First those who have come to an end without trouble. Who was stopped, or ended by anything, is judged alone
        afterwards, with all of the time that there is: trouble that a neighbor made costs nobody points.
        """
        alone = []
        quick = self.limits.quick()
        work = ((name, (*given, self.sandbox, quick)) for name in names if not (given := inputs(name))[1].events)
        tried = set()
        for name, result in pool.results(steps.judged, work, self._seconds(quick), self.jobs, self.cluster):
            tried.add(name)
            if isinstance(result, child.Failed) or result.events:
                alone.append(name)
            else:
                yield name, result
        alone += [name for name in names if name not in tried]
        again = ((name, (*inputs(name), self.sandbox, self.limits)) for name in sorted(alone))
        yield from pool.results(steps.judged, again, self._seconds(self.limits), jobs=1)

    def raced(self, races: Mapping[str, tuple[Path, Race, int]]) -> Iterator[tuple[str, Any]]:
        """The outcome of each race, by its name; of each, the notebook, the race and the seed are given.

        What never began is run once more, alone. Whatever else ends a race may be the answer's doing, a killed process
        of the grader's too; and on a second try it could know, by what the kernel keeps, what it found out about the
        network at the first. So that one has not reached the target.
        """

        limits = replace(self.limits, answer=min(self.limits.answer, REQUEST))

        def work(names: Iterable[str]) -> Iterator[tuple[str, tuple[Any, ...]]]:
            for name in names:
                path, race, seed = races[name]
                yield name, (path.read_text(encoding="utf-8"), race, seed, self.sandbox, limits)

        seconds, again = self._seconds(self.limits), []
        for name, result in pool.results(steps.measured, work(races), seconds, self.jobs, self.cluster):
            if isinstance(result, child.NotStarted):
                again.append(name)
            else:
                yield name, _ended(result)
        for name, result in pool.results(steps.measured, work(sorted(again)), seconds, jobs=1):
            yield name, _ended(result)

    def _seconds(self, limits: Limits) -> float:
        return SECONDS + PATIENCE * limits.total_seconds


def _ended(result: Any) -> Any:
    """The outcome of a race: where it broke off once begun, that the target was not reached, and why."""
    broke_off = isinstance(result, child.Failed) and not isinstance(result, child.NotStarted)
    return (None, f"its race broke off: {result}") if broke_off else result


@dataclass
class _Grading:
    """One grading of a lab. `waiting`: records of students who are still to be judged."""

    lab: Lab
    others: Sequence[Lab]
    folder: CourseFolder
    url: str
    made_with: dict[str, Any]
    judging: _Judging
    seed: str | None
    done: dict[str, StudentRecord] = field(default_factory=dict)
    waiting: dict[str, StudentRecord] = field(default_factory=dict)

    def records(self, handed_in: Sequence[Submission]) -> list[StudentRecord]:
        self._take_in(handed_in)
        if self.waiting:
            self._judge()
        everyone = self._everyone()
        _name_twins(everyone)
        graded = self._store(everyone)
        self._show_results(everyone, graded)
        write(self.folder.own / "grades.csv", table(self.lab, everyone, graded))
        self.folder.forget_work()
        return everyone

    # Who is there

    def _take_in(self, handed_in: Sequence[Submission]) -> None:
        by_student = {each.student: each for each in handed_in}
        originals = self.folder.own / "originals"
        with progress.bar(f"{self.lab.name}, taking in", len(handed_in), "students") as bar:
            taken = _taken_in(by_student.values(), self.lab, self.others, self.made_with, originals, self.judging.jobs)
            for student, (result, notebook) in taken:
                bar.update()
                before = student_record.read(self.folder.record(student))
                if before and self._still_holds(before, result):
                    self.done[student] = before
                    if notebook and before.judgement:  # in case the grader was killed between the two
                        self._enter(student, notebook)
                elif notebook:
                    write(self.folder.work(student, "ipynb"), notebook)
                    self.waiting[student] = result
                else:
                    self._keep(result)

    def _still_holds(self, before: StudentRecord, result: StudentRecord) -> bool:
        if not result.handed_in:
            return True  # who is not among these hand-ins may have been among earlier ones
        return before.key == result.key and self.seed in (None, before.seed)

    def _keep(self, result: StudentRecord) -> None:
        self.folder.entry(result.student).unlink(missing_ok=True)  # until it is judged
        result.write(self.folder.record(result.student))
        self.done[result.student] = result

    def _enter(self, student: str, notebook: str) -> None:
        """Keep what was judged for the leaderboard."""
        if self.lab.race:
            write(self.folder.entry(student), notebook)

    def _everyone(self) -> list[StudentRecord]:
        """Who is in this grading, and who was in an earlier one."""
        ours = {self.folder.record(student) for student in self.done}
        for path in self.folder.records():
            if path not in ours:
                unknown = StudentRecord(path.stem, self.lab.name, handed_in=True, failed=OLD)
                before = student_record.read(path) or unknown
                self.done[before.student] = before
        return [self.done[student] for student in sorted(self.done)]

    # The leaderboard

    def race(self, everyone: Sequence[StudentRecord]) -> None:
        """Race those who have all points of the task, also of earlier gradings, and write the table and the page."""
        race = self.lab.race
        assert race
        keys = {each.student: each.key for each in everyone if self._takes_part(each, race)}
        key = steps.digest([self.made_with, keys])
        board = Leaderboard.opened(self.folder.leaderboard, race, key, self.seed)
        races = {f"{student}/{i}": (student, i, seed) for student, i, seed in board.waiting(sorted(keys))}
        work = {name: (self.folder.entry(student), race, seed) for name, (student, _, seed) in races.items()}
        with progress.bar(f"{self.lab.name}, leaderboard", len(races), "races") as bar:
            for name, outcome in self.judging.raced(work):
                student, i, _ = races[name]
                if isinstance(outcome, child.NotStarted):  # our fault: the next run tries again
                    board.failed[student] = f"seed {i + 1} could not be tried: {outcome}"
                else:
                    board.ran(student, i, outcome)
                bar.update()
        rows = board.rows(sorted(keys))
        write(self.folder.leaderboard.with_suffix(".csv"), leaderboard.table(race, rows))
        write(self.folder.leaderboard.with_suffix(".html"), leaderboard.page(self.lab.name, race, rows))

    def _takes_part(self, record: StudentRecord, race: Race) -> bool:
        tasks = record.judgement.tasks if record.judgement else []
        solved = any(task.grade_id == race.task and task.points >= task.max_points for task in tasks)
        # One that was graded with another lab or package would bring its own referee.
        same = steps.digest(record.made_with) == steps.digest(self.made_with)
        return solved and same and self.folder.entry(record.student).exists()

    # Judging

    def _judge(self) -> None:
        kept = self._kept_shown()
        opened = seeds.unused(self.folder.work_folder / "seed.json", self.seed)
        new = sorted(self.waiting.keys() - kept.keys())
        if new:
            opened.save()
            self._preflight(opened)
        for seed in sorted(set(kept.values()) - {opened.seed}):
            self._check(seed)
        with progress.bar(f"{self.lab.name}, visible checks", len(new), "students") as bar:
            for student, shown in self.judging.shown((name, self._notebook(name)) for name in new):
                self._write_shown(student, opened.seed, shown)
                bar.update()
        opened.use()
        with progress.bar(f"{self.lab.name}, all checks", len(self.waiting), "students") as bar:
            for student, judgement in self.judging.judged(sorted(self.waiting), self._inputs):
                self._finish(student, judgement)
                bar.update()

    def _preflight(self, opened: seeds.OpenSeed) -> None:
        """Draw the secret, until the lab scores as it should with it."""
        for left in reversed(range(SEEDS if self.seed is None else 1)):
            try:
                return self._check(opened.seed)
            except BrokenLab:
                if not left:
                    raise
                opened.redraw()

    def _check(self, seed: str) -> None:
        def judge_all(notebooks: Mapping[str, NotebookNode]) -> Iterator[tuple[str, Judgement | str]]:
            texts = {name: nbformat.writes(notebook) for name, notebook in notebooks.items()}
            shown = dict(self.judging.shown(texts.items()))
            with progress.bar(f"{self.lab.name}, trying the lab itself", len(texts), "notebooks") as bar:
                for name, result in self.judging.judged(texts, lambda name: (texts[name], shown[name], seed)):
                    bar.update()
                    yield name, str(result) if isinstance(result, child.Failed) else result

        key = steps.digest([self.made_with, seed])
        preflight.check(self.lab, judge_all, key, self.folder.own / "preflight.json")

    def _notebook(self, student: str) -> str:
        return self.folder.work(student, "ipynb").read_text(encoding="utf-8")

    def _kept_shown(self) -> dict[str, str]:
        """The secret of everyone who was shown the visible checks before this grading was interrupted."""
        found = {}
        for student, record in self.waiting.items():
            kept = self._shown(student)
            if kept.get("key") == record.key and self.seed in (None, kept["seed"]):
                found[student] = str(kept["seed"])
        return found

    def _shown(self, student: str) -> dict[str, Any]:
        path = self.folder.work(student, "json")
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def _write_shown(self, student: str, seed: str, shown: Shown) -> None:
        kept = {"key": self.waiting[student].key, "seed": seed, "shown": asdict(shown)}
        write(self.folder.work(student, "json"), json.dumps(kept) + "\n")

    def _inputs(self, student: str) -> tuple[str, Shown, str]:
        kept = self._shown(student)
        return self._notebook(student), Shown(**kept["shown"]), kept["seed"]

    def _finish(self, student: str, judgement: Judgement | child.Failed) -> None:
        result = self.waiting.pop(student)
        _, shown, result.seed = self._inputs(student)
        if isinstance(judgement, child.Failed):  # our fault, not a 0; the next run tries again
            result.key, result.failed = "", f"it could not be judged: {judgement}"
        else:
            tasks = [_unwritten(task) if result.answers.get(task.grade_id) == "" else task for task in judgement.tasks]
            result.judgement = replace(judgement, tasks=tasks)
            result.doubts = [*result.doubts, *_less_than_seen(result, shown), *_broken(result, shown)]
        self._keep(result)
        if result.judgement:
            self._enter(student, self._notebook(student))

    # Results

    def _store(self, everyone: Sequence[StudentRecord]) -> dict[str, Grades]:
        """Put the points into the gradebook; returns them as they stand there, with what persons gave, by student.

        A manual grade waits for a person again if the answers are others than those that were stored last.
        """
        path = self.folder.own / "stored.json"  # written last: after a kill a person looks twice rather than never
        before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        now = {each.student: steps.digest(each.answers) for each in everyone if each.handed_in}
        work = {each.student: (self.url, self.lab.path, each.student, *_to_store(each),
                               before.get(each.student, now.get(each.student)) != now.get(each.student))
                for each in everyone}  # fmt: skip
        graded: dict[str, Grades] = {}
        for student, result in _twice(steps.store, work, SECONDS, jobs=1):
            if isinstance(result, child.Failed):
                self.done[student].problems.append(f"its points are not in the gradebook: {result}")
                now.pop(student, None)
            else:
                graded[student] = result
        write(path, json.dumps(before | now, indent=1, sort_keys=True) + "\n")
        return graded

    def _show_results(self, everyone: Sequence[StudentRecord], graded: Mapping[str, Grades]) -> None:
        work = {each.student: (each, self.lab.path, graded.get(each.student, {}),
                               self.folder.work(each.student, "ipynb"), self.folder.feedback(each.student),
                               self.folder.autograded(each.student))
                for each in everyone if each.handed_in}  # fmt: skip
        for student, result in _twice(steps.show_results, work, SECONDS, self.judging.jobs):
            if isinstance(result, child.Failed):
                self.done[student].problems.append(f"its page could not be made: {result}")


def _unwritten(task: TaskScore) -> TaskScore:
    """A task in which there is nothing for a person to grade."""
    return replace(task, status=TaskStatus.NOT_SOLVED) if task.status is TaskStatus.MANUAL else task


def _less_than_seen(record: StudentRecord, shown: Shown) -> Iterator[str]:
    """The tasks for whose visible checks the student saw more points than the same checks give here.

    Where these did not come to their end, what they give is not known.
    """
    for task in record.judgement.tasks if record.judgement and not shown.events else []:
        seen, here = record.claims.get(task.grade_id, 0.0), shown.points.get(task.grade_id, 0.0)
        if max(here, task.points) < seen - 1e-9:
            yield f"{task.grade_id}: the student saw {seen:g} points in the visible checks, which give {here:g} here"


def _broken(record: StudentRecord, shown: Shown) -> Iterator[str]:
    """The cells that ended with an error, if a task that was tried lost visible points: for want of something here?"""
    tasks = record.judgement.tasks if record.judgement else []
    tried = [task for task in tasks if task.status not in (TaskStatus.MANUAL, TaskStatus.NOT_SOLVED)]
    if any(shown.points.get(task.grade_id, 0) < task.max_points for task in tried):
        yield from (f"{each}: see whether the notebook is right where it was written" for each in shown.broken)


def _to_store(record: StudentRecord) -> tuple[dict[str, float | None] | None, set[str]]:
    """The points of a student's record for the gradebook, None for nobody's, and the cells without an answer."""
    if not record.handed_in:
        return None, set()
    tasks = record.judgement.tasks if record.judgement else []
    points = {task.grade_id: None if task.status is TaskStatus.MANUAL else task.points for task in tasks}
    return points, {name for name, text in record.answers.items() if not text}


def _name_twins(records: Sequence[StudentRecord]) -> None:
    alike: dict[str, list[str]] = {}
    for each in records:
        alike.setdefault(each.fingerprint, []).append(each.student)
    for each in records:
        each.twins = [student for student in alike[each.fingerprint] if each.fingerprint and student != each.student]


def _versions() -> dict[str, str]:
    installed = {name: [*metadata.distributions(name=name)] for name in (*PACKAGES, "nbgrader")}
    return {name: found[0].version for name, found in installed.items() if found}
