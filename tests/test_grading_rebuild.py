"""Rebuild: whatever became of a notebook's cells, our checks are in it, the answers are found, and oddities named."""

import copy
import time
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


# ---- written answers ----

CAPSTONE = Lab(ROOT / "solutions" / "06-capstone" / "06-capstone.ipynb")
OPEN = [Cell(cell.cell_type, cell.source, cell.id, dict(cell.metadata.get("nbgrader", {})))
        for cell in CAPSTONE.released.cells]  # fmt: skip
STANDS = {cell.id: k for k, cell in enumerate(OPEN)}
RECIPE = STANDS["recipe"]
MINE = "I would first test the range, on validation data."
BESIDE = "the written answer 'recipe' was found beside its cell: see whether it is one"


def around(*cells, at=RECIPE, stub=True):
    """The blank capstone with `cells` in front of the one at `at`, and with or without the cell for the answer."""
    stands = OPEN[:RECIPE] + OPEN[RECIPE + 1 :] if not stub else list(OPEN)
    return stands[:at] + list(cells) + stands[at:]


def added(name, text):
    return [replace(cell, source=f"{cell.source}{text}") if cell.id == name else cell for cell in OPEN]


QUESTION = OPEN[RECIPE - 1]
PLACEMENTS = {
    "above": around(Cell("markdown", MINE)),
    "below": around(Cell("markdown", MINE), at=RECIPE + 1),
    "above, the cell deleted": around(Cell("markdown", MINE), stub=False),
    "below what follows, the cell deleted": around(Cell("markdown", MINE), at=RECIPE + 1, stub=False),
    "in the question": added(QUESTION.id, f"\n\n{MINE}"),
    "within the question": [replace(cell, source=cell.source.replace("\n", f"\n{MINE}\n", 1)) if cell is QUESTION
                            else cell for cell in OPEN],
    "quoting the question": around(Cell("markdown", f"{QUESTION.source}\n\n{MINE}"), at=RECIPE + 1),
    "comments": around(Cell("code", f"# {MINE}")),
    "a text in quotes": around(Cell("code", f"'{MINE}'")),
    "words in a code cell": around(Cell("code", MINE)),
    "raw": around(Cell("raw", MINE)),
    "at the end": around(Cell("markdown", MINE), at=len(OPEN)),
    "in the last cell of ours": added(OPEN[-1].id, f"\n\n{MINE}"),
    "in a task far away": around(Cell("markdown", MINE), at=STANDS["check-cycle"]),
    "as a comment in a check": added("check-capstone", f"\n# {MINE}"),
}  # fmt: skip


@pytest.mark.parametrize("name", PLACEMENTS)
def test_a_written_answer_beside_its_cell_waits_for_a_person(name):
    rebuilt = rebuild(PLACEMENTS[name], CAPSTONE)
    assert MINE in rebuilt.answers["recipe"] and "validation" not in rebuilt.answers["recipe"].replace(MINE, "")
    assert rebuilt.doubts == [BESIDE]
    recipe = next(cell for cell in rebuilt.notebook.cells if cell.id == "recipe")
    assert (recipe.cell_type, recipe.source) == ("markdown", rebuilt.answers["recipe"])
    assert recipe.metadata.nbgrader.grade and not [
        cell for cell in rebuilt.notebook.cells if cell.id.startswith("own-")
    ]


@pytest.mark.parametrize("cells", [
    [replace(cell, source=MINE) if cell.id == "recipe" else cell for cell in OPEN],
    [replace(cell, source=MINE, kind="code") if cell.id == "recipe" else cell for cell in OPEN],
    [replace(cell, source=f"# {MINE}", kind="raw") if cell.id == "recipe" else cell for cell in OPEN],
    [replace(cell, source=f"{cell.source}\n{MINE}") if cell.id == "recipe" else cell for cell in OPEN],
])  # fmt: skip
def test_a_written_answer_in_its_cell_is_taken_whatever_else_is_said(cells):
    rebuilt = rebuild([*cells, Cell("markdown", "Thanks!")], CAPSTONE)
    assert MINE in rebuilt.answers["recipe"] and not rebuilt.doubts


@pytest.mark.parametrize("cells", [
    OPEN, around(stub=False), [replace(cell, source=QUESTION.source) if cell.id == "recipe" else cell for cell in OPEN],
    around(QUESTION), added(QUESTION.id, "\n\n---\n"), around(Cell("code", "x = 1"), Cell("code", "%%bash\nls")),
    [replace(cell, source="") if cell.id == "recipe" else cell for cell in OPEN],
    [replace(cell, source=QUESTION.source.split("\n\n")[-1]) if cell.id == "recipe" else cell for cell in OPEN],
    around(Cell("markdown", "\n\n".join(QUESTION.source.split("\n\n")[-2:]))),
])  # fmt: skip
def test_our_own_wording_is_no_answer(cells):
    rebuilt = rebuild(cells, CAPSTONE)
    assert rebuilt.answers["recipe"] == "" and not rebuilt.doubts


@pytest.mark.parametrize("at", [RECIPE, RECIPE + 1])
def test_an_answer_in_several_cells_beside_its_own_is_taken_together(at):
    notes = Cell("markdown", "Of task 1"), Cell("code", "x = 1")
    rebuilt = rebuild([*notes, *around(Cell("markdown", MINE), Cell("markdown", "Then train."), at=at)], CAPSTONE)
    assert rebuilt.answers["recipe"] == f"{MINE}\n\nThen train."
    assert any(cell.source == "Of task 1" for cell in rebuilt.notebook.cells)


# ---- what only a notebook understands ----


@pytest.mark.parametrize("line", ["!pip install x", "files = !ls", "%time y = 2", "np.take?", "%matplotlib inline"])
def test_a_split_answer_is_joined_in_spite_of_shell_lines(line):
    halves = ANSWERS["by-hand"].split("\n", 2)
    cells = [
        Cell("code", f"{line}\n{halves[0]}\n{halves[1]}", "by-hand", marks("by-hand")),
        Cell("code", halves[2], "x"),
    ]
    rebuilt = rebuild(SOLVED[: AT["by-hand"]] + cells + SOLVED[AT["by-hand"] + 1 :], LAB)
    assert rebuilt.answers["by-hand"] == f"{line}\n{ANSWERS['by-hand']}" and not rebuilt.doubts


def test_an_import_beside_a_shell_line_in_our_cell_is_kept():
    setup = SOLVED[AT["setup"]].source
    rebuilt = rebuild(changed("setup", source=f"!pip install x\n{setup}\nimport math"), LAB)
    assert [cell.source for cell in rebuilt.notebook.cells if cell.id.startswith("own-")] == ["import math"]


def test_an_answer_as_a_lambda_is_found_without_marks():
    cells = changed(
        "formula", source="step_decay = lambda t, lr0, gamma, every: lr0 * gamma ** (t // every)", id="", marks={}
    )
    assert rebuild(cells, LAB).answers["formula"].startswith("step_decay = lambda")


def test_what_a_cell_writes_to_a_file_is_no_answer():
    written = Cell("code", f"%%writefile helper.py\n{ANSWERS['by-hand']}")
    rebuilt = rebuild([*BLANK, written], LAB)
    assert rebuilt.answers["by-hand"] == "" and rebuilt.notebook.cells[-1].source == written.source


@pytest.mark.parametrize(("source", "doubts", "notes"), [
    ("from google.colab import drive\ndrive.mount('/x')", [], ["google.colab"]),
    ("from google.colab import files\nseed = 3", ["google.colab"], []),
    ("import not_there as elsewhere", [], ["not_there"]),
    ("!pip install not_there\nimport not_there\ndef g(): return 1", ["not_there"], []),
    ("try:\n    import not_there\nexcept ImportError:\n    pass", [], []),
    ("import numpy, torch.nn as nn\nfrom os import path", [], []),
    ("from . import x", [], []),
    ("import __main__", [], []),
])  # fmt: skip
def test_what_cannot_be_imported_is_named(source, doubts, notes):
    """For a person, if anything else depends on it."""
    rebuilt = rebuild(inserted("setup", Cell("code", source)), LAB)
    for remarks, names in ((rebuilt.doubts, doubts), (rebuilt.notes, notes)):
        assert remarks == [f"it imports {name}, which cannot be imported at grading" for name in names]


def test_an_answer_that_needs_what_cannot_be_imported_is_doubted():
    rebuilt = rebuild(changed("by-hand", source=f"import helper\n{ANSWERS['by-hand']}"), LAB)
    assert rebuilt.doubts == ["it imports helper, which cannot be imported at grading"]
    rebuilt = rebuild(
        [Cell("code", "%%writefile helper.py\nx = 1"), Cell("code", "import helper\ny = helper.x"), *SOLVED], LAB
    )
    assert not rebuilt.doubts


def test_an_answer_for_another_program_is_doubted():
    rebuilt = rebuild(changed("by-hand", source=f"%%memit\n{ANSWERS['by-hand']}"), LAB)
    assert rebuilt.doubts == ["the answer 'by-hand' is in a %%memit cell: it is no Python"]
    assert not rebuild(changed("by-hand", source=f"%%time\n{ANSWERS['by-hand']}"), LAB).doubts


LARGE = ["0;" * 3_000_000, "%%time\n" * 100_000, " " * 90_000, "!" * 90_000, "x=" * 45_000, "(" * 90_000,
         "-" * 90_000 + "1", "import a" + ",a" * 45_000, "a\n" * 45_000,
         f"weights = bytes.fromhex('{'0a' * 40_000}')"]  # fmt: skip


@pytest.mark.parametrize("text", LARGE, ids=[repr(text[:10]) for text in LARGE])
@pytest.mark.parametrize("name", ["by-hand", "check-by-hand", "recipe"])
def test_a_large_cell_takes_no_long_time(name, text):
    start = time.monotonic()
    if name == "recipe":
        rebuild([replace(cell, source=text, kind="code") if cell.id == name else cell for cell in OPEN], CAPSTONE)
    else:
        rebuild(changed(name, source=f"{SOLVED[AT[name]].source}\n{text}"), LAB)
    assert time.monotonic() - start < 20


def test_a_cell_before_our_setup_that_undoes_it_is_doubted():
    early = "a cell before our set-up runs after it: see whether it changes what the set-up defines"
    for source, doubts in (("%reset -f", [early]), ("np = 5", [early]), ("import numpy as np\nmine = 5", [])):
        assert [each for each in rebuild([Cell("code", source), *SOLVED], LAB).doubts if each == early] == doubts
