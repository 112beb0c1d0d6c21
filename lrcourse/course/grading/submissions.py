"""Whose is it: what lies in the folder of submissions, matched with the students of the roster."""

import csv
import io
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...validation import bad
from .files import ignored
from .lab import Lab
from .texts import decoded

ENDINGS = (".zip", ".ipynb", ".tar", ".tgz", ".gz", ".7z", ".rar")


@dataclass(frozen=True)
class Submission:
    """What lies there of one student, unopened. `doubts`: what a person must look at."""

    student: str
    paths: tuple[Path, ...]
    doubts: tuple[str, ...] = ()


def find(folder: Path, lab: Lab, others: Sequence[Lab] = (), roster: Path | None = None) -> list[Submission]:
    """One submission per student, in order: those found in `folder`, and those of the roster who handed in nothing.

    `folder` holds a folder, a zip or a notebook per student, named after the student; the lab's name before or after
    the student's is ignored, and so are the marks that nbgrader's exchange and Moodle add. Of a student's folder that
    has a folder per lab, as nbgrader's `submitted/STUDENT/LAB`, only this lab's counts. `roster`: a CSV file, whose
    first column holds the students' names as grades are to be stored; the other columns hold further names (an
    account, an address) under which they may hand in.

    Raises: `ValueError` if `folder` is no folder, or the roster no such table.
    """
    if not folder.is_dir():
        raise bad("submissions", str(folder), "a folder", "give the folder that holds a folder or a file per student")
    known = {} if roster is None else _roster(roster)
    paths: dict[str, list[Path]] = {name: [] for name in dict.fromkeys(known.values())}
    for path in sorted(folder.iterdir()):
        if not ignored(path.name) and not (roster and roster.exists() and path.samefile(roster)):
            name = student_of(path.name, lab.name)
            found = paths.setdefault(known.get(name.lower(), name), [])
            if not any((path / other.name).is_dir() for other in others) or (path / lab.name).is_dir():
                found.append(path)
    strangers = paths.keys() - set(known.values()) if roster else set()
    return [
        Submission(student, tuple(found), _doubts(student, lab, student in strangers))
        for student, found in sorted(paths.items())
    ]


def _doubts(student: str, lab: Lab, stranger: bool) -> tuple[str, ...]:
    doubts = []
    if stranger:
        doubts.append("not on the roster")
    if student == lab.name:
        doubts.append("nothing says whose it is: name it after the student")
    return tuple(doubts)


def student_of(name: str, lab: str) -> str:
    """The student that a file or folder is named after.

    >>> [student_of(name, "01-decay") for name in ("01-decay-ada.zip", "ada_01-decay.ipynb", "ada", "ada (1).zip")]
    ['ada', 'ada', 'ada', 'ada']
    >>> student_of("ada+01-decay+2026-11-25 10:00:00 UTC+x7", "01-decay")
    'ada'
    >>> student_of("Ada Byron_4711_assignsubmission_file_", "01-decay")
    'Ada Byron_4711'
    """
    name = os.fsencode(name).decode(errors="backslashreplace")
    while name.lower().endswith(ENDINGS):
        name = name[: name.rindex(".")]
    name = name.split("+")[0]
    name = re.sub(r"_assignsubmission_.*$", "", name)
    name = re.sub(r" ?\(\d+\)$", "", name).strip()
    name = re.sub(rf"^{re.escape(lab)}[-_ .]+|[-_ .]+{re.escape(lab)}$", "", name)
    return re.sub(r"[^\w.@ -]|^[.@ -]+", "_", name).strip() or "_"


def _roster(path: Path) -> dict[str, str]:
    try:
        text = decoded(path.read_bytes(), [])
    except OSError as error:
        raise bad("roster", str(path), "a CSV file", str(error)) from None
    rows = [[each.strip() for each in row] for row in csv.reader(io.StringIO(text)) if any(row)]
    if rows and rows[0][0].lower() in ("student", "id", "student_id", "name", "username"):
        rows = rows[1:]
    names = {name.lower(): row[0] for row in reversed(rows) for name in reversed(row) if name}
    if not rows or any(not row[0] for row in rows):
        raise bad("roster", str(path), "a table with a student's name first in every row", "see the book's page")
    return names
