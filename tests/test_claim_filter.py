"""The page of claims in a browser: chosen by verdict, topic and words; each claim and each choice has an address."""

import sys
from pathlib import Path

import pytest

BOOK = Path(__file__).parents[1] / "book"
sys.path.insert(0, str(BOOK / "_ext"))
import claims  # noqa: E402

pytestmark = pytest.mark.browser
ROWS = claims.rows(BOOK)
PAGE = "book/claims.html"


def shown(page):
    return page.locator(".claim:visible").count()


def test_a_verdict_a_topic_and_words_choose(open_page, violations):
    page = open_page(PAGE)
    assert shown(page) == len(ROWS)
    page.get_by_label("Verdict").select_option("slip")
    slips = [row for row in ROWS if row["verdict"] == "slip"]
    assert shown(page) == len(slips)
    assert page.get_by_role("status").inner_text() == f"{len(slips)} of {len(ROWS)} claims"
    topic = slips[0]["chapter"]
    page.get_by_label("Topic").select_option(topic)
    assert shown(page) == sum(row["chapter"] == topic for row in slips)
    assert page.evaluate("location.search") == f"?verdict=slip&topic={topic}"
    assert violations(page) == []
    page.get_by_label("Words").fill("no claim says this")
    assert shown(page) == 0 and page.get_by_role("status").inner_text().startswith("0 of")


def test_an_address_brings_the_choice_or_the_claim(open_page):
    page = open_page(PAGE)
    page.goto(f"{page.url}?verdict=does-not-hold&words=warm-up")
    chosen = [row for row in ROWS if row["verdict"] == "does not hold"]
    assert 0 < shown(page) < len(chosen)
    assert page.get_by_label("Verdict").input_value() == "does-not-hold"
    last = ROWS[-1]["id"]
    page.locator(f"#claim-{last} a.headerlink").first.evaluate("link => link.click()")
    assert page.evaluate("location.hash") == f"#claim-{last}"


def test_without_scripts_every_claim_is_there_and_nothing_to_choose(open_page):
    page = open_page(PAGE, scripts=False)
    assert shown(page) == len(ROWS) and page.locator("select:visible").count() == 0
