"""Every row of the syllabus stands in the book: `syllabus.toml` says where, and these tests go and look."""

import functools
import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
SYLLABUS = tomllib.loads((ROOT / "tests" / "syllabus.toml").read_text(encoding="utf-8"))
EVERY = SYLLABUS.pop("every chapter")
CHAPTERS = [page for page in SYLLABUS if re.match(r"\d\d-", page)]
ITEMS = [(page, item, places) for page, items in SYLLABUS.items() for item, places in items.items()]
ITEMS += [(page, item, places) for page in CHAPTERS for item, places in EVERY.items()]


@functools.cache
def page_of(name: str) -> tuple[str, set[str]]:
    """The source of a page, and the names of its places: cells, figures and headings."""
    path = ROOT / "book" / f"{name}.md"
    if path.exists():
        text, places = path.read_text(encoding="utf-8"), set()
    else:
        cells = json.loads(path.with_suffix(".ipynb").read_text(encoding="utf-8"))["cells"]
        text = "\n\n".join("".join(cell["source"]) for cell in cells)
        places = {cell["id"] for cell in cells}
        places |= {cell["metadata"].get("mystnb", {}).get("figure", {}).get("name") for cell in cells}
    return text, places | {f"# {heading}" for heading in re.findall(r"(?m)^#+ (.+)$", text)}


@pytest.mark.parametrize(("page", "item", "places"), ITEMS, ids=[f"{page}: {item}" for page, item, _ in ITEMS])
def test_the_book_has(page, item, places):
    text, names = page_of(page)
    assert places, "an item must say where it stands"
    missing = [
        place for place in places if not (re.search(place[1:-1], text) if place.startswith("/") else place in names)
    ]
    assert not missing, f"{page} has lost {missing}"


def test_the_syllabus_has_every_chapter_and_the_reader_meets_each_page():
    assert [int(page[:2]) for page in CHAPTERS] == list(range(1, 19))
    assert {path.stem for path in (ROOT / "book").glob("[0-9][0-9]-*.ipynb")} == set(CHAPTERS)
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    named = {chapter["file"] for part in toc["parts"] for chapter in part["chapters"]}
    assert {f"book/{page}" for page in SYLLABUS} <= named
