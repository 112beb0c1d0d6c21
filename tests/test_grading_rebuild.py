"""Rebuild: whatever became of a notebook's cells, our checks are in it, the answers are found, and oddities named."""

import copy
from dataclasses import replace
from pathlib import Path

import pytest

from lrcourse.course.grading import autograded
from lrcourse.course.grading.lab import Lab, marked
from lrcourse.course.grading.notebook_file import Cell
from lrcourse.course.grading.rebuild import rebuild

ROOT = Path(__file__).parents[1]
LAB = Lab(ROOT / "solutions" / "01-decay" / "01-decay.ipynb")
ANSWERS = {cell.metadata.nbgrader.grade_id: cell.source for cell in LAB.source.cells if marked(cell, "solution")}
SOLVED = [Cell(cell.cell_type, ANSWERS.get(cell.id, cell.source), cell.id,
               dict(cell.metadata.get("nbgrader", {}))) for cell in LAB.released.cells]  # fmt: skip
BLANK = [Cell(cell.cell_type, cell.source, cell.id, dict(cell.metadata.get("nbgrader", {})))
         for cell in LAB.released.cells]  # fmt: skip
AT = {cell.id: k for k, cell in enumerate(SOLVED)}


def changed(name, cells=None, **fields):
    """The solved notebook with one cell changed."""
    return [replace(cell, **fields) if cell.id == name else cell for cell in cells or SOLVED]


def marks(name, **changes):
    return SOLVED[AT[name]].marks | changes


def without(name):
    return [cell for cell in SOLVED if cell.id != name]


def inserted(after, *cells):
    return SOLVED[: AT[after] + 1] + list(cells) + SOLVED[AT[after] + 1 :]


def split(name, at):
    lines = ANSWERS[name].split("\n")
    halves = [Cell("code", "\n".join(lines[:at]), name, marks(name)), Cell("code", "\n".join(lines[at:]), "new")]
    return SOLVED[: AT[name]] + halves + SOLVED[AT[name] + 1 :]


def stripped():
    return [replace(cell, id="", marks={}) for cell in SOLVED]


def ours_is_ours(rebuilt):
    """Every cell of ours but the answers is in it, once and as we wrote it, in our order."""
    kept = [(cell.id, cell.source) for cell in rebuilt.notebook.cells
            if not marked(cell, "solution") and not cell.id.startswith("own-")]  # fmt: skip
    assert kept == [(cell.id, cell.source) for cell in LAB.source.cells if not marked(cell, "solution")]
    assert all(cell.metadata == ours.metadata for ours in LAB.source.cells for cell in rebuilt.notebook.cells
               if cell.id == ours.id)  # fmt: skip


@pytest.mark.parametrize(("cells", "said"), [
    (SOLVED, ""),
    (without("check-by-hand"), "the cell 'check-by-hand' was deleted"),
    (without("setup"), "the cell 'setup' was deleted"),
    (changed("check-by-hand", source=SOLVED[AT["check-by-hand"]].source.replace("points=2", "points=99")),
     "the cell 'check-by-hand' was edited: ours counts"),
    (changed("check-by-hand", source="pass"), "the cell 'check-by-hand' was edited: ours counts"),
    (changed("check-by-hand", source=""), "the cell 'check-by-hand' was edited: ours counts"),
    (changed("check-by-hand", marks=marks("check-by-hand", points=99)), "'check-by-hand' is marked with points 99"),
    (changed("check-by-hand", marks=marks("check-by-hand", grade=False, solution=True)), "is marked with grade False"),
    (changed("by-hand", marks=marks("by-hand", grade=True)), "'by-hand' is marked with grade True"),
    (changed("by-hand", marks=marks("by-hand", grade_id="formula")), "'by-hand' is marked as 'formula'"),
    (changed("by-hand", marks={}), "the cell 'by-hand' has lost its marks"),
    (changed("by-hand", marks={}, id="x"), "the cell 'by-hand' has lost its marks"),
    (stripped(), "the cell 'groups' has lost its marks"),
    (stripped()[::-1], "the cells are in another order"),
    (SOLVED[::-1], "the cells are in another order"),
    (inserted("by-hand", SOLVED[AT["by-hand"]]), "there are 2 cells 'by-hand'"),
    (inserted("check-by-hand", SOLVED[AT["check-by-hand"]]), "there are 2 cells 'check-by-hand'"),
    (inserted("by-hand", BLANK[AT["by-hand"]]), "there are 2 cells 'by-hand'"),
    (split("by-hand", 2), "there are 2 cells 'by-hand'"),
])  # fmt: skip
def test_the_answers_are_found_and_the_oddity_is_named(cells, said):
    rebuilt = rebuild(cells, LAB)
    assert rebuilt.answers == ANSWERS
    assert said in " / ".join(rebuilt.notes)
    assert bool(rebuilt.notes) == bool(said)
    assert rebuilt.doubts == []
    ours_is_ours(rebuilt)


def test_a_blank_lab_is_blank():
    rebuilt = rebuild(BLANK, LAB)
    assert rebuilt.blank and rebuilt.fingerprint == "" and not rebuilt.notes
    ours_is_ours(rebuilt)


def test_cells_of_the_students_own_stay_in_place():
    own = Cell("code", "def helper(x):\n    return x", "mine", {"grade_id": "forged", "grade": True, "points": 99})
    rebuilt = rebuild(inserted("check-by-hand", own), LAB)
    ids = [cell.id for cell in rebuilt.notebook.cells]
    extra = rebuilt.notebook.cells[ids.index("check-by-hand") + 1]
    assert extra.source == own.source and "nbgrader" not in extra.metadata
    assert rebuilt.notes == ["1 cells of the student's own bear marks, which do not count"]
    ours_is_ours(rebuilt)


def test_what_was_added_to_our_cell_runs_beside_it():
    setup = SOLVED[AT["setup"]].source
    rebuilt = rebuild(changed("setup", source=setup + "\nimport math"), LAB)
    assert [cell.source for cell in rebuilt.notebook.cells if cell.id.startswith("own-")] == ["import math"]
    ours_is_ours(rebuilt)


def test_of_two_answers_a_person_chooses():
    second = Cell("code", ANSWERS["by-hand"].replace("lr0", "first"), "new", marks("by-hand"))
    rebuilt = rebuild(inserted("by-hand", second), LAB)
    assert rebuilt.doubts == ["2 different answers in cells 'by-hand': the last one counts"]


def test_a_notebook_of_something_else_is_doubted():
    rebuilt = rebuild([Cell("code", "x = 1"), Cell("markdown", "Hello")], LAB)
    assert "no cell of this lab is in it" in rebuilt.doubts and rebuilt.blank
    ours_is_ours(rebuilt)


def test_what_is_published_holds_no_hidden_test():
    rebuilt = rebuild(SOLVED, LAB)
    before = copy.deepcopy(rebuilt.notebook)
    text = autograded.text(rebuilt.notebook, LAB, [])
    assert "HIDDEN" in str(before) and "HIDDEN" not in text
    assert rebuilt.notebook == before


def test_copies_have_one_fingerprint():
    spaced = changed("by-hand", source=ANSWERS["by-hand"] + "\n\n")
    other = changed("by-hand", source=ANSWERS["by-hand"] + "\n# mine")
    first, copied, own = (rebuild(cells, LAB).fingerprint for cells in (SOLVED, spaced, other))
    assert first == copied != own
