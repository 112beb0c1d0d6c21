"""A lab as the grader sees it: its source with hidden tests, and what students were given."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from ...validation import bad
from ..labs import generate, sources
from .race import Race, declared


@dataclass(frozen=True)
class Lab:
    """The lab whose source is `path`, solutions/NN-name/NN-name.ipynb."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.stem

    @cached_property
    def source(self) -> NotebookNode:
        """Solutions, hidden tests and all."""
        return nbformat.read(self.path, as_version=4)

    @cached_property
    def released(self) -> NotebookNode:
        """What students were given: the same cells, with stubs and without hidden tests."""
        return generate(self.source)

    @cached_property
    def answer_ids(self) -> set[str]:
        """The grade_ids of the cells that students fill in."""
        return {cell.metadata.nbgrader.grade_id for cell in self.released.cells if marked(cell, "solution")}

    @cached_property
    def points(self) -> dict[str, float]:
        """The points of every graded cell, by grade_id, in order."""
        return {cell.metadata.nbgrader.grade_id: cell.metadata.nbgrader.points for cell in self.released.cells
                if marked(cell, "grade")}  # fmt: skip

    @cached_property
    def race(self) -> Race | None:
        """How its answers are raced for a leaderboard; None if it has none."""
        race = declared(self.path)
        if race and race.task not in self.points:
            raise bad("task", race.task, "a check cell with points", f"in [leaderboard] of {self.name}.toml")
        return race

    @cached_property
    def digest(self) -> str:
        """A hash of the source and of the answers that it is tried with."""
        files = [self.path, self.path.parent.with_suffix(".toml")]
        return hashlib.sha256(b"\0".join(file.read_bytes() for file in files if file.exists())).hexdigest()


def marked(cell: NotebookNode, mark: str) -> bool:
    """Whether nbgrader's metadata of a cell sets `mark`: "grade", "solution" or "locked"."""
    return bool(cell.metadata.get("nbgrader", {}).get(mark))


def find(root: Path, lab: str) -> tuple[Lab, list[Lab]]:
    """The lab that `lab` names ("01-decay", "01" or "1"), and all others.

    Raises: `ValueError` if there is none.
    """
    labs = [Lab(path) for path in sources(root)]
    found = [each for each in labs if lab in (each.name, each.name[:2], each.name[:2].lstrip("0"))]
    if len(found) != 1:
        raise bad("lab", lab, "the number or name of a lab", f"there are {', '.join(each.name for each in labs)}")
    return found[0], [each for each in labs if each != found[0]]
