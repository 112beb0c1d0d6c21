"""nbgrader's gradebook: scores go in, and manual grades and comments come out."""

import os
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from .lab import Lab

SQLITE = "sqlite:///"
TRIES = 10  # to store something that another grader stores too
Points = Mapping[str, float | None]


@dataclass(frozen=True)
class Entry:
    """What the gradebook holds of one cell. `score` is None as long as nobody has graded it.

    `manual`: whether a person gave it, or a part of it; `waiting`: whether a person is to look at it; `comment`: what
    one wrote.
    """

    score: float | None = None
    manual: bool = False
    waiting: bool = False
    comment: str = ""


class Book:
    """The gradebook at any URL of SQLAlchemy, with one lab in it."""

    def __init__(self, gradebook: Any, lab: Lab) -> None:
        self.gradebook, self.lab = gradebook, lab

    def student(self, student: str) -> None:
        """Make a student known, who may have handed in nothing."""
        self.gradebook.update_or_create_student(student)

    def save(self, student: str, points: Points, unanswered: set[str], changed: bool) -> None:
        """Store a student's points; None where a person must grade.

        A manual grade stays and counts. If the submission has `changed` since it was given, its cell asks for a
        person again. `unanswered`: the grade_ids of the cells that are as they were handed out. Without any points
        nothing could be judged: then those of an earlier hand-in count no more.
        """
        self.again(self.student, student)
        if points or self._notebook(student):
            self.again(self._save, student, points, unanswered, changed)

    def again(self, store: Callable[..., None], *args: Any) -> None:
        """Store something; another grader may be storing the same."""
        _tried(lambda: store(*args), self.gradebook.db.rollback)

    def _save(self, student: str, points: Points, unanswered: set[str], changed: bool) -> None:
        with self.gradebook.db.no_autoflush:  # nbgrader builds a submission piece by piece
            submission = self.gradebook.update_or_create_submission(self.lab.name, student)
        (notebook,) = [each for each in submission.notebooks if each.name == self.lab.name]
        for grade in notebook.grades:
            grade.auto_score = points.get(grade.name)
            if grade.manual_score is None:
                grade.needs_manual_grade = bool(points) and grade.auto_score is None
            elif changed:
                grade.needs_manual_grade = True
        for comment in notebook.comments:
            comment.auto_comment = "No response." if comment.name in unanswered else None
        self.gradebook.db.commit()

    def _notebook(self, student: str) -> Any:
        """What nbgrader keeps of a student's hand-in; None if nothing was ever stored."""
        from nbgrader.api import MissingEntry

        try:
            return self.gradebook.find_submission_notebook(self.lab.name, self.lab.name, student)
        except MissingEntry:
            return None

    def grades(self, student: str) -> dict[str, Entry]:
        """What counts now of a student's graded cells, and the comments on answers, by grade_id."""
        if (notebook := self._notebook(student)) is None:
            return {}
        comments = {comment.name: comment.comment for comment in notebook.comments if comment.comment}
        found = {name: Entry(comment=text) for name, text in comments.items()}
        for grade in notebook.grades:
            given = grade.auto_score if grade.manual_score is None else grade.manual_score
            found[grade.name] = Entry(
                None if given is None else given + (grade.extra_credit or 0),
                grade.manual_score is not None or bool(grade.extra_credit),
                bool(grade.needs_manual_grade), comments.get(grade.name, ""),
            )  # fmt: skip
        return found


def _tried(act: Callable[[], Any], undo: Callable[[], None] = lambda: None) -> Any:
    """What `act` returns, which may fail a few times because another grader does the same at that moment."""
    from sqlalchemy.exc import SQLAlchemyError

    for left in reversed(range(TRIES)):
        try:
            return act()
        except SQLAlchemyError:
            undo()
            if not left:
                raise
            time.sleep(0.2 * random.random())  # so that two do not meet again


@contextmanager
def opened(url: str, lab: Lab) -> Iterator[Book]:
    """The gradebook at `url`, created if need be, knowing the cells of `lab` as after `generate_assignment`.

    Raises: `RuntimeError` if it holds submissions of a lab with other cells.
    """
    from nbgrader.api import Gradebook

    # nbgrader calls `alembic` by its name, which need not be on the path when `lrcourse` is.
    os.environ["PATH"] = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")])
    if url.startswith(SQLITE):
        create(url.removeprefix(SQLITE))
    with _tried(lambda: Gradebook(url, "lrcourse")) as gradebook:
        book = Book(gradebook, lab)
        book.again(_announce, gradebook, url, lab)
        gradebook.db().expire_on_commit = False  # or each of the many commits would have everything read again
        yield book


def create(name: str) -> None:
    """A new SQLite file with all of nbgrader's tables, or none at all: a killed grader leaves no half of one."""
    from nbgrader.api import Gradebook

    path = Path(name)
    if name in ("", ":memory:") or path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.part")
    unfinished.unlink(missing_ok=True)
    with Gradebook(f"{SQLITE}{unfinished}", "lrcourse"):
        pass
    unfinished.replace(path)


def _announce(gradebook: Any, url: str, lab: Lab) -> None:
    """Store the lab's cells by the steps of `nbgrader generate_assignment`, unless they are there."""
    from nbgrader import preprocessors as nbgrader
    from nbgrader.api import MissingEntry

    try:
        known = {cell.name: cell.max_score for cell in gradebook.find_notebook(lab.name, lab.name).grade_cells}
    except MissingEntry:
        known = None
    if known == lab.points:
        return
    gradebook.update_or_create_assignment(lab.name)
    notebook, resources = (
        nbformat.from_dict(lab.source),
        {"nbgrader": {"notebook": lab.name, "assignment": lab.name, "db_url": url}},
    )
    steps = [nbgrader.LockCells, nbgrader.ClearSolutions, nbgrader.ClearOutput, nbgrader.ComputeChecksums]
    for step in (*steps, nbgrader.SaveCells):
        notebook, resources = step().preprocess(notebook, resources)
    gradebook.db.expire_all()
