"""What a chapter that asks and answers holds to: short code, studies that speak for themselves, prose one can read.

These are the chapters with the heading "So what do I do?"; the others still wait to be written anew.
"""

import json
import re
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from lrcourse.course.book import chapters_in_toc

ROOT = Path(__file__).parents[1]
WORDS = ("ahead", "behind", "level", "undecided")
ACT = "So what do I do?"
LINES, TYPICAL, NUMBERS, PROSE = 25, 10, 5, 2200
SCREENS = 1.5
APART = ("quiz", "exercises", "references")  # cells whose words are no part of the text
FENCED = re.compile(r"(?ms)^[ ]*(`{3,}|~{3,})(?:python|bash|text|\{code-cell\}|\{bibliography\}).*?^[ ]*\1")
OPTIONS = re.compile(r"(?m)^\s*(?::[\w-]+:.*|[`:~]{3,}.*)$")
GLUED = re.compile(r"\{glue:text\}`([^`]+)`")
FORMULA = re.compile(r"\$\$.*?\$\$|\$[^$]*\$", re.DOTALL)


def cells(path: Path, kind: str) -> list[dict[str, Any]]:
    found = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [each | {"source": "".join(each["source"])} for each in found if each["cell_type"] == kind]


def prose(path: Path) -> list[str]:
    """The paragraphs of a chapter's text, its lists and boxes included, its code and formulas not."""
    text = "\n\n".join(each["source"] for each in cells(path, "markdown") if each["id"] not in APART)
    return [part for part in re.split(r"\n\s*\n", OPTIONS.sub("", FENCED.sub("", text))) if part.strip()]


def visible(path: Path) -> list[str]:
    return [each["source"] for each in cells(path, "code") if "hide-input" not in each["metadata"].get("tags", [])]


def numbers(paragraph: str) -> int:
    """How many numbers a reader meets: a glued one counts once, interval and all; those in code and formulas do not."""
    plain = re.sub(r"`[^`]*`|\]\([^)]*\)", "", FORMULA.sub("", GLUED.sub("§", paragraph)))
    return len(re.findall(r"§|(?<![\w.])\d[\d.,]*", plain))


def asks(path: Path) -> bool:
    return any(f"# {ACT}" in each["source"] for each in cells(path, "markdown"))


CHAPTERS = [path for each in chapters_in_toc(ROOT) if asks(path := ROOT / each)]
each_chapter = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)


@each_chapter
def test_code_is_short_and_keys_for_machines_are_folded(path):
    lines = [len(source.splitlines()) for source in visible(path)]
    assert max(lines) <= LINES and median(lines) <= TYPICAL, sorted(lines)
    assert not [source for source in visible(path) if "glue(" in source]


@each_chapter
def test_prose_is_short_and_has_few_numbers(path):
    text = prose(path)
    assert sum(len(part.split()) for part in text) <= PROSE
    # A table's row is no sentence.
    assert [part for part in text if numbers(part) > NUMBERS and not part.lstrip().startswith("|")] == []


@each_chapter
def test_verdicts_are_the_studies_own(path):
    """A word of a verdict beside a study's result comes out of the study, and a page with "level" names its margin."""
    code = "\n".join(each["source"] for each in cells(path, "code"))
    studies = re.findall(r"\.glue\(\s*\"([\w-]+)\"", code)
    assert studies, "a chapter asks at least one question of real training"
    text = "\n\n".join(prose(path))
    for study in studies:
        assert f"`{study}-margin`" in text and f"`{study}-verdicts`" in text, f"{study}: its margin, how many verdicts"
    for part in prose(path):
        if any(name.startswith(f"{study}-") for study in studies for name in GLUED.findall(part)):
            typed = re.findall(rf"\b(?:{'|'.join(WORDS)})\b", GLUED.sub("", part))
            assert not typed, f"typed instead of glued: {typed} in {part!r}"


@pytest.mark.browser
@each_chapter
def test_a_picture_is_seen_at_once(path, open_page):
    page = open_page(path.relative_to(ROOT).with_suffix(".html").as_posix(), width=1440)
    top = page.locator("article figure, article .explorer, article img").first.bounding_box()["y"]
    assert top <= SCREENS * 900


def test_right_answers_stand_in_no_favourite_place():
    places: Counter[int] = Counter()
    for path in CHAPTERS:
        for each in cells(path, "markdown"):
            for quiz in re.findall(r"(?ms)^:::\{quiz\}.*?^:::$", each["source"]):
                marks = re.findall(r"(?m)^- \[(.)\]", quiz)
                places.update([marks.index("x")] if marks.count("x") == 1 else [])
    assert max(places.values()) <= 0.4 * places.total() + 1, places
