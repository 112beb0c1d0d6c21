"""Measured numbers are never typed: beside a word for a result stands what the chapter's code glued."""

import json
import re
from pathlib import Path

import pytest

BOOK = Path(__file__).parents[1] / "book"
NUMBER = r"\d*\.\d+"
RESULT = r"(?:accurac\w+|loss(?:es)?|points|gain\w*|reach\w*|end(?:s|ed) at|lower by|higher by|percent)"
BESIDE = re.compile(
    rf"\b{RESULT}(?: (?:of|is|was|were|at|about|only|than|to|by))* ({NUMBER})\b|({NUMBER}) (?:in )?{RESULT}"
)
NOT_PROSE = re.compile(
    r"```(?:python|bash|text|toml|pycon)?\n.*?```|\{[\w:]+\}`[^`]*`|`[^`]*`|\$\$.*?\$\$|\$[^$]*\$|\]\([^)]*\)",
    re.DOTALL,
)
# Numbers that no run of ours gave.
GIVEN = {  # by page and cell: these are an article's own
    ("04", "experiment", "0.70"), ("04", "experiment", "0.50"), ("04", "quiz", "0.70"), ("14", "quiz", "0.76"),
}  # fmt: skip


def typed(text: str) -> list[str]:
    """The decimals beside a result's name that are neither glued, nor code, nor part of a formula.

    >>> typed("It ends at 0.31, an accuracy of {glue:text}`a` at the rate `0.1` where $0.5$ gives 0.92 accuracy.")
    ['0.31', '0.92']
    """
    return [first or second for first, second in BESIDE.findall(NOT_PROSE.sub(" ", text))]


def prose(page: Path) -> list[tuple[str, str]]:
    """The Markdown cells of a notebook, with their ids; its exercises are the reader's to run."""
    cells = json.loads(page.read_text(encoding="utf-8"))["cells"]
    marked = [(cell["id"], "".join(cell["source"])) for cell in cells if cell["cell_type"] == "markdown"]
    return [(name, text) for name, text in marked if name != "exercises"]


@pytest.mark.parametrize("page", sorted(BOOK.glob("*.ipynb")), ids=lambda page: page.stem)
def test_no_result_is_typed(page):
    found = {(page.stem[:2], name, number) for name, text in prose(page) for number in typed(text)}
    assert found <= GIVEN


def test_a_typed_result_is_found():
    assert typed("The test accuracy is 0.93, and the loss ends at 0.2.") == ["0.93", "0.2"]
    assert typed("With a rate of 0.1 the accuracy is {glue:text}`x-accuracy`.") == []
