"""The articles' claims: complete, filled from the chapters' results, with verdicts that agree with the numbers."""

import re
import sys
from collections import Counter
from pathlib import Path

import pytest

from lrcourse.course.book import chapters_in_toc
from lrcourse.course.notebooks import glued

BOOK = Path(__file__).parents[1] / "book"
sys.path.insert(0, str(BOOK / "_ext"))
import claims  # noqa: E402

ROWS = claims.rows(BOOK)
REQUIRED = {"id", "article", "chapter", "cell", "claim", "ran", "result", "verdict"}
ARTICLES = ["article-clr", "article-decay", "article-tuning", "article-adaptive", "article-keras"]
each_row = pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])


def claim_checks():
    """The cells of the chapters that hold a claim check."""
    for path in chapters_in_toc(BOOK.parent):
        for cell in claims.cells(BOOK, path.stem):
            if ":class: claim-check" in "".join(cell["source"]):
                yield path.stem, cell["id"]


def test_there_are_rows_for_every_article():
    assert len(ROWS) >= 60
    assert set(ARTICLES) <= {row["article"] for row in ROWS}
    assert [name for name, count in Counter(row["id"] for row in ROWS).items() if count > 1] == []


def test_every_claim_check_of_the_chapters_has_a_row():
    assert set(claim_checks()) - {(row["chapter"], row["cell"]) for row in ROWS} == set()


@each_row
def test_row_is_whole_and_cites_a_source(row):
    assert REQUIRED <= set(row) <= REQUIRED | {"because", "check"}
    assert row["verdict"] in claims.VERDICTS
    assert row.get("because") or row["verdict"] not in ("holds when", "not tested"), "under which condition, or why?"
    sources = re.findall(r"@\w+\{([^,]+),", (BOOK / "references.bib").read_text(encoding="utf-8"))
    assert row["article"] in [*sources, ""]


@each_row
def test_row_is_filled_from_its_chapter(row):
    text = claims.markdown(row, BOOK)
    assert claims.section(BOOK, row["chapter"], row["cell"])
    assert not claims.KEY.search(text)
    # A row that shows an interval or a number of its chapter must check one.
    assert not claims.KEY.search(row["result"]) or row.get("check")


@each_row
def test_verdict_agrees_with_the_numbers(row):
    chapter = glued(BOOK / f"{row['chapter']}.ipynb")
    failed = [rule for rule in row.get("check", []) if not claims.check(rule, chapter)]
    assert not failed, f"the verdict {row['verdict']!r} no longer agrees with the chapter: think it over"


@each_row
def test_no_interval_is_typed(row):
    text = " ".join(row[part] for part in ("claim", "ran", "result"))
    assert not re.search(r"\d ?[\[(][-+\d]", claims.KEY.sub("", text))


def test_checks_compare_whole_intervals():
    chapter = {"a-gain": "0.06 [0.01, 0.11]", "a-loss": "-1.2 [-2.0, -0.4]", "a-range": "-0.5 (-1 to 0.1)"}
    chapter["a-n"] = "1,350"
    true = ["a-gain > 0", "a-gain ~ 0.05", "a-loss < 0", "a-range ~ 0", "a-n = 1,350", "a-n > 1000", "a-loss < a-gain"]
    false = ["a-gain > 0.05", "a-gain ~ 0", "a-loss > 0", "a-range < 0", "a-n < 1000", "a-range < a-gain"]
    assert all(claims.check(rule, chapter) for rule in true)
    assert not any(claims.check(rule, chapter) for rule in false)


def test_a_verdict_cannot_survive_other_numbers():
    row = next(row for row in ROWS if row["id"] == "decay-speed-accuracy")
    chapter = glued(BOOK / f"{row['chapter']}.ipynb")
    assert not all(claims.check(rule, {**chapter, "decay-late": "0.060 [-0.012, 0.132]"}) for rule in row["check"])


def test_words_are_not_numbers():
    with pytest.raises(ValueError, match="neither a number nor an interval"):
        claims.bounds("no difference")
