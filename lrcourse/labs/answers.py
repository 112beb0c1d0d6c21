"""The answers that a lab is tried with: solutions/NN-name.toml holds right ones written differently, and wrong ones."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode


@dataclass(frozen=True)
class Wrong:
    """A wrong answer to one task.

    `source`: the whole of the solution cell `cell`; `keeps`: the points it keeps in the check cell `check`. Every
    other task keeps all of its points.
    """

    name: str
    cell: str
    source: str
    check: str
    keeps: float


@dataclass(frozen=True)
class Answers:
    """What a lab is tried with: another right source for every solution cell, by its grade_id, and wrong answers."""

    otherwise: Mapping[str, str]
    wrong: Sequence[Wrong]

    def dealt(self) -> list[list[Wrong]]:
        """The wrong answers in as few hands as possible: those of one hand lie in different tasks.

        One notebook can try a whole hand at once, for each of its answers leaves the others' tasks alone.
        """
        hands: list[list[Wrong]] = []
        for wrong in self.wrong:
            ours = {wrong.cell, wrong.check}
            free = (hand for hand in hands if not any(ours & {other.cell, other.check} for other in hand))
            hand = next(free, None)
            if hand is None:
                hands.append(hand := [])
            hand.append(wrong)
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
    solutions = {cell.metadata.nbgrader.grade_id: cell.source for cell in cells if cell.metadata.nbgrader.solution}
    graded = {cell.metadata.nbgrader.grade_id: cell.metadata.nbgrader.points for cell in cells
              if cell.metadata.nbgrader.grade}  # fmt: skip
    try:
        read = tomllib.loads(file.read_text(encoding="utf-8"))
        otherwise = dict(read.get("otherwise", {}))
        if otherwise.keys() != solutions.keys():
            raise ValueError(f"[otherwise] must answer {sorted(solutions)}, answers {sorted(otherwise)}")
        wrong = [_wrong(entry, solutions, graded) for entry in read.get("wrong", [])]
        names = [each.name for each in wrong]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two wrong answers share a name: {twice}")
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None
    return Answers(otherwise, wrong)


def answered(source: NotebookNode, given: Mapping[str, str]) -> NotebookNode:
    """A copy of a lab, hidden tests and all, with `given`, by grade_id, in the place of the solutions."""
    notebook: NotebookNode = nbformat.from_dict(source)  # a deep copy
    cells = {cell.metadata.nbgrader.grade_id: cell for cell in notebook.cells
             if cell.metadata.get("nbgrader", {}).get("solution")}  # fmt: skip
    for grade_id, text in given.items():
        cells[grade_id].source = text
    return notebook


def _wrong(entry: Mapping[str, Any], solutions: Mapping[str, str], graded: Mapping[str, float]) -> Wrong:
    name = entry.get("name", "")
    fields = {"name", "cell", "check", "keeps"} | ({"source"} if "source" in entry else {"old", "new"})
    if set(entry) != fields:
        raise ValueError(f"wrong answer {name!r} must have {sorted(fields)}, has {sorted(entry)}")
    cell, check, keeps = entry["cell"], entry["check"], entry["keeps"]
    if cell not in solutions:
        raise ValueError(f"wrong answer {name!r}: there is no solution cell {cell!r}; there are {sorted(solutions)}")
    if check not in graded:
        raise ValueError(f"wrong answer {name!r}: there is no check cell {check!r}; there are {sorted(graded)}")
    if not 0 <= keeps < graded[check]:
        raise ValueError(f"wrong answer {name!r} keeps {keeps} points of {graded[check]}: it must lose some")
    if "old" in entry and (not entry["old"] or entry["old"] not in solutions[cell]):
        raise ValueError(f"wrong answer {name!r}: {entry['old']!r} does not occur in the solution cell {cell!r}")
    source = entry["source"] if "source" in entry else solutions[cell].replace(entry["old"], entry["new"])
    return Wrong(name, cell, source, check, keeps)
