"""The answers that a lab is tried with: solutions/NN-name.toml holds right ones written differently, and wrong ones."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode


@dataclass(frozen=True)
class Answer:
    """An answer to one task.

    `source`: the whole of the solution cell `cell`; `keeps`: the points it keeps in the check cell `check`, all if it
    is right. Every other task keeps all of its points.
    """

    name: str
    cell: str
    source: str
    check: str
    keeps: float


@dataclass(frozen=True)
class Answers:
    """What a lab is tried with.

    `otherwise`: another right source for every solution cell, by its grade_id; `right`: more right answers, each to one
    task; `wrong`: wrong ones.
    """

    otherwise: Mapping[str, str]
    right: Sequence[Answer]
    wrong: Sequence[Answer]

    def dealt(self) -> list[list[Answer]]:
        """The right and the wrong answers in as few hands as possible: those of one hand lie in different tasks.

        One notebook can try a whole hand at once, for each of its answers leaves the others' tasks alone.
        """
        hands: list[list[Answer]] = []
        for answer in (*self.right, *self.wrong):
            ours = {answer.cell, answer.check}
            free = (hand for hand in hands if not any(ours & {other.cell, other.check} for other in hand))
            hand = next(free, None)
            if hand is None:
                hands.append(hand := [])
            hand.append(answer)
        return hands


def answers(path: Path) -> Answers:
    """The answers to try with the lab whose source is `path`, solutions/NN-name/NN-name.ipynb.

    Raises: `ValueError` if they do not fit that notebook: a cell that it lacks, a text to replace that does not
    occur, a check without points, a wrong answer that keeps them all, a task without another right answer.
    """
    file = path.parent.with_suffix(".toml")
    if not file.exists():
        raise ValueError(f"{file} is missing: it names the answers that {path.name} is tried with")
    cells = [cell for cell in nbformat.read(path, as_version=4).cells
             if cell.cell_type == "code" and "nbgrader" in cell.metadata]  # fmt: skip
    lab = _Lab(
        {cell.metadata.nbgrader.grade_id: cell.source for cell in cells if cell.metadata.nbgrader.solution},
        {cell.metadata.nbgrader.grade_id: cell.metadata.nbgrader.points for cell in cells
         if cell.metadata.nbgrader.grade},
        [cell.metadata.nbgrader.grade_id for cell in cells],
    )  # fmt: skip
    try:
        read = tomllib.loads(file.read_text(encoding="utf-8"))
        otherwise = dict(read.get("otherwise", {}))
        if otherwise.keys() != lab.solutions.keys():
            raise ValueError(f"[otherwise] must answer {sorted(lab.solutions)}, answers {sorted(otherwise)}")
        right = [_right(entry, lab) for entry in read.get("right", [])]
        wrong = [_wrong(entry, lab) for entry in read.get("wrong", [])]
        names = [each.name for each in (*right, *wrong)]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two answers share a name: {twice}")
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None
    return Answers(otherwise, right, wrong)


def answered(source: NotebookNode, given: Mapping[str, str]) -> NotebookNode:
    """A copy of a lab, hidden tests and all, with `given`, by grade_id, in the place of the solutions."""
    notebook: NotebookNode = nbformat.from_dict(source)  # a deep copy
    cells = {cell.metadata.nbgrader.grade_id: cell for cell in notebook.cells
             if cell.metadata.get("nbgrader", {}).get("solution")}  # fmt: skip
    for grade_id, text in given.items():
        cells[grade_id].source = text
    return notebook


@dataclass(frozen=True)
class _Lab:
    """The sources of a lab's solution cells and the points of its checks, by grade_id, and the order of all cells."""

    solutions: Mapping[str, str]
    points: Mapping[str, float]
    order: Sequence[str]

    def check_of(self, cell: str) -> str:
        """The check of a solution cell: the first one after it."""
        return next(name for name in self.order[self.order.index(cell) :] if name in self.points)


def _right(entry: Mapping[str, Any], lab: _Lab) -> Answer:
    name, cell, source = _read(entry, lab, set(), "right")
    check = lab.check_of(cell)
    return Answer(name, cell, source, check, lab.points[check])


def _wrong(entry: Mapping[str, Any], lab: _Lab) -> Answer:
    name, cell, source = _read(entry, lab, {"check", "keeps"}, "wrong")
    check, keeps = entry["check"], entry["keeps"]
    if check not in lab.points:
        raise ValueError(f"wrong answer {name!r}: there is no check cell {check!r}; there are {sorted(lab.points)}")
    if not 0 <= keeps < lab.points[check]:
        raise ValueError(f"wrong answer {name!r} keeps {keeps} points of {lab.points[check]}: it must lose some")
    return Answer(name, cell, source, check, keeps)


def _read(entry: Mapping[str, Any], lab: _Lab, more: set[str], kind: str) -> tuple[str, str, str]:
    """Name, cell and source of an entry that has these fields and `more`."""
    name = entry.get("name", "")
    fields = {"name", "cell"} | more | ({"source"} if "source" in entry else {"old", "new"})
    if set(entry) != fields:
        raise ValueError(f"{kind} answer {name!r} must have {sorted(fields)}, has {sorted(entry)}")
    cell = entry["cell"]
    if cell not in lab.solutions:
        raise ValueError(
            f"{kind} answer {name!r}: there is no solution cell {cell!r}; there are {sorted(lab.solutions)}"
        )
    if "old" in entry and (not entry["old"] or entry["old"] not in lab.solutions[cell]):
        raise ValueError(f"{kind} answer {name!r}: {entry['old']!r} does not occur in the solution cell {cell!r}")
    source = entry["source"] if "source" in entry else lab.solutions[cell].replace(entry["old"], entry["new"])
    return name, cell, source
