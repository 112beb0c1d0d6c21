"""Whose is it: what lies in the folder of submissions, matched with the students of the roster."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...validation import bad
from .files import has_folder, ignored
from .lab import Lab
from .roster import Roster
from .student_name import Label, key, label, stored, unclear
from .texts import printable

SHOWN = 5  # files that a doubt names


@dataclass(frozen=True)
class Submission:
    """What lies there of one student, unopened.

    `doubts`: what a person must look at. `names`: the keys of all names that the student goes by.
    """

    student: str
    paths: tuple[Path, ...]
    doubts: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _HandIn:
    """What was handed in at one time: a file or folder, or the several that Moodle makes of it."""

    label: Label
    paths: tuple[Path, ...]

    @property
    def shown(self) -> str:
        return ", ".join(printable(path.name) for path in self.paths[:SHOWN])


def find(folder: Path, lab: Lab, others: Sequence[Lab] = (), roster: Path | None = None) -> list[Submission]:
    """One submission per student, in order: those found in `folder`, and those of the roster who handed in nothing.

    `folder` holds a folder, a zip or a notebook per student, named after the student; the lab's name before or after
    the student's is ignored, and so are the marks that nbgrader's exchange, Moodle and browsers add. Of a student's
    folder that has a folder per lab, as nbgrader's `submitted/STUDENT/LAB`, only this lab's counts. Of several
    hand-ins of one student the latest counts. `roster`: the file of a `Roster`. A hand-in that may be of two of its
    students is of neither: it stands for itself, with a doubt.

    Raises: `ValueError` if `folder` is no folder, or the roster no such table.
    """
    if not folder.is_dir():
        raise bad("submissions", str(folder), "a folder", "give the folder that holds a folder or a file per student")
    known = None if roster is None else Roster(roster)
    class_ = {} if known is None else {key(name): _Student(name, names) for name, names in known.students.items()}
    for each in _hand_ins(folder, lab, others, roster):
        student, doubts = _whose(each, lab, known)
        class_.setdefault(key(student), _Student(student, set(), doubts)).hand_ins.append(each)
    return sorted((student.submission() for student in class_.values()), key=lambda each: each.student)


def _hand_ins(folder: Path, lab: Lab, others: Sequence[Lab], roster: Path | None) -> list[_HandIn]:
    """What lies in the folder, but what is of other labs alone."""
    names = [other.name for other in others]
    found: dict[str, _HandIn] = {}
    for path in sorted(folder.iterdir()):
        says = label(path.name, lab.name, names)
        if ignored(path.name) or says.lab in names or (roster and _same(path, roster)):
            continue
        if any(has_folder(path, name) for name in names) and not has_folder(path, lab.name):
            continue
        together = key(says.whole) + "\0moodle" if says.moodle else path.name
        before = found[together].paths if together in found else ()
        found[together] = _HandIn(says, (*before, path))
    return list(found.values())


def _same(path: Path, roster: Path) -> bool:
    try:
        return os.path.samestat(path.lstat(), roster.stat())
    except OSError:
        return False


def _whose(hand_in: _HandIn, lab: Lab, roster: Roster | None) -> tuple[str, list[str]]:
    """The student's name, and what is doubtful about it."""
    says = hand_in.label
    if key(says.student) == key(lab.name):
        return unclear(hand_in.paths[0].name), ["nothing says whose it is: name it after the student"]
    fitting = roster.fitting(says) if roster else []
    if len(fitting) > 1:
        students = " or ".join(fitting[:SHOWN])
        own = unclear(says.whole if says.moodle else hand_in.paths[0].name)
        return own, [f"{hand_in.shown} may be of {students}, so it counts for none of them: name it after one of them"]
    return (fitting[0], []) if fitting else (stored(says.whole), ["not on the roster"] * (roster is not None))


class _Student:
    def __init__(self, name: str, names: set[str], doubts: Sequence[str] = ()) -> None:
        self.name, self.names, self.doubts = name, names, list(doubts)
        self.hand_ins: list[_HandIn] = []

    def submission(self) -> Submission:
        if not self.hand_ins:
            return Submission(self.name, (), names=frozenset(self.names))
        counts, by = _latest(self.hand_ins)
        rest = [each.shown for each in self.hand_ins if each is not counts]
        if rest:
            others = ", ".join(rest[:SHOWN]) + f" and {len(rest) - SHOWN} more" * (len(rest) > SHOWN)
            self.doubts.append(f"handed in {len(rest) + 1} times: {counts.shown} counts, {by}, and not {others}. If "
                               "they are of different students, give each file a name of its own")  # fmt: skip
        says = counts.label
        names = {key(name) for name in (self.name, says.student, says.whole, says.moodle) if name}
        return Submission(self.name, counts.paths, tuple(self.doubts), frozenset(self.names | names))


def _latest(hand_ins: Sequence[_HandIn]) -> tuple[_HandIn, str]:
    """The hand-in that counts, and why: the first thing that tells them all apart says which came last."""
    signs: list[tuple[str, Callable[[_HandIn], str | float]]] = [
        ("the latest by nbgrader's time", lambda each: each.label.stamp),
        ("the latest by its number", lambda each: each.label.copy),
        ("the latest by its file's time", lambda each: max(map(_time, each.paths))),
    ]
    for by, sign in signs:
        values = [sign(each) for each in hand_ins]
        if len(set(values)) == len(values):
            return hand_ins[max(range(len(values)), key=values.__getitem__)], by
    return hand_ins[-1], "the last by name, as nothing says which came last"


def _time(path: Path) -> float:
    try:
        return os.stat(path, follow_symlinks=False).st_mtime
    except OSError:
        return 0.0
