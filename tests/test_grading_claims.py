"""What the page on grading claims has a test, or does not stand there."""

import re
import tomllib
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PAGE = (TESTS.parent / "book" / "grading.md").read_text()
FLAT = " ".join(PAGE.split())
CLAIMS = tomllib.loads((TESTS / "grading_claims.toml").read_text())


def test_every_row_of_a_table_has_a_test():
    first = [line.split(" | ")[0].strip("| ") for line in PAGE.splitlines() if line.startswith("| ")]
    headings = {"Attempt", "Status", "In the folder `grading/`, or the one that `--output` names"}
    assert {row for row in first if row not in headings} == CLAIMS["rows"].keys()


@pytest.mark.parametrize("sentence", CLAIMS["sentences"])
def test_a_sentence_stands_on_the_page(sentence):
    assert sentence in FLAT


@pytest.mark.parametrize(
    "claim", [*CLAIMS["rows"].items(), *CLAIMS["sentences"].items()], ids=lambda claim: claim[0][:40]
)
def test_its_tests_exist(claim):
    _, tests = claim
    for test in tests:
        file, name = test.split("::")
        assert re.search(rf"^def {name}\(", (TESTS / file).read_text(), re.MULTILINE), test
    assert tests
