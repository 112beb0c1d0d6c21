"""What is done for one student. Each of these runs in a process of its own (see `child`), and returns plain data."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import nbformat

from . import autograded, feedback, gradebook, intake, judge
from .files import write
from .lab import Lab
from .limits import Limits
from .outcome import Judgement, Shown
from .race import Race
from .rebuild import rebuild
from .sandbox import Sandbox
from .student_record import StudentRecord
from .submissions import Submission
from .texts import bounded

RECORD, NOTEBOOK = 2 << 20, 8 << 20  # characters, at most, of what is kept of a student

lab_at = lru_cache(maxsize=16)(Lab)  # read once per process


def take_in(
    submission: Submission, lab: Path, others: Sequence[Path], made_with: dict[str, Any], originals: Path | None = None
) -> tuple[StudentRecord, str]:
    """A student's record before the judgement, and the notebook to be judged: "" if there is nothing.

    The originals are kept below `originals`. The record's `key` is a hash of all that its result depends on.

    Raises: `ValueError` if what would be kept is too large.
    """
    result, notebook = _taken_in(submission, lab_at(lab), [lab_at(path) for path in others], originals)
    result.made_with = made_with
    result.key = digest(asdict(result))
    for what, size, most in (("the record", len(result.text()), RECORD), ("the notebook", len(notebook), NOTEBOOK)):
        if size > most:
            raise ValueError(f"{what} would have {size} characters, more than {most}")
    return result, notebook


def _taken_in(submission: Submission, lab: Lab, others: Sequence[Lab], originals: Path | None) -> Any:
    result = StudentRecord(submission.student, lab.name)
    if not submission.paths:
        result.doubts = list(submission.doubts)
        return result, ""
    found = intake.read(submission, lab, others, originals)
    result.files, result.notebook, result.claims = found.files, found.notebook, found.claims
    result.notes, result.doubts, result.handed_in = found.notes, found.doubts, True
    result.original = f"{lab.name}/originals/{found.digest[:16]}"
    result.readable = found.cells is not None
    if found.cells is None or found.other_lab:
        return result, ""
    rebuilt = rebuild(found.cells, lab)
    result.answers, result.fingerprint = rebuilt.answers, rebuilt.fingerprint
    result.notes, result.doubts = bounded(result.notes + rebuilt.notes), bounded(result.doubts + rebuilt.doubts)
    return result, nbformat.writes(rebuilt.notebook)


def show(notebook: str, sandbox: Sandbox, limits: Limits) -> Shown:
    """What a student may read: a run of the visible checks."""
    return judge.shown(nbformat.reads(notebook, as_version=4), sandbox, limits)


def judged(notebook: str, shown: Shown, seed: str, sandbox: Sandbox, limits: Limits) -> Judgement:
    """The points: a run of all checks, with hidden inputs drawn from `seed`."""
    return judge.judged(nbformat.reads(notebook, as_version=4), shown, seed, sandbox, limits)


def measured(notebook: str, race: Race, seed: int, sandbox: Sandbox, limits: Limits) -> tuple[int | None, str]:
    """The updates that an answer needs on one seed, None if it does not reach the target, and why it came to no end."""
    entry = nbformat.reads(notebook, as_version=4)
    value, why = judge.measured(entry, race.program, race.given(seed), sandbox, limits)
    return race.counted(value), why


def store(
    url: str, lab: Path, student: str, points: dict[str, float | None] | None, unanswered: set[str], changed: bool
) -> dict[str, gradebook.Entry]:
    """Put a student's points into the gradebook, None of who handed in nothing; returns what counts there now."""
    book = _book(url, lab)
    if points is None:
        book.again(book.student, student)
    else:
        book.save(student, points, unanswered, changed)
    return book.grades(student)


@lru_cache(maxsize=1)
def _book(url: str, lab: Path) -> gradebook.Book:
    return gradebook.opened(url, lab_at(lab)).__enter__()  # for as long as the process lives


def show_results(
    record: StudentRecord, lab: Path, graded: dict[str, gradebook.Entry], notebook: Path, page: Path,
    autograded_at: Path,
) -> None:  # fmt: skip
    """Write a student's page and, of a `notebook` that has just been judged, what nbgrader's formgrader shows."""
    if record.judgement and notebook.exists():
        rebuilt = nbformat.read(notebook, as_version=4)
        write(autograded_at, autograded.text(rebuilt, lab_at(lab), record.judgement.tasks))
    write(page, feedback.page(record, lab_at(lab), graded))


def digest(value: Any) -> str:
    """A hash of plain data."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
