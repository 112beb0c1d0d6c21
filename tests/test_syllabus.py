"""Every row of the syllabus stands in the book: `syllabus.toml` says where, and these tests go and look."""

import functools
import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from lrcourse.course.book import chapters_in_toc

ROOT = Path(__file__).parents[1]
SYLLABUS = tomllib.loads((ROOT / "tests" / "syllabus.toml").read_text(encoding="utf-8"))
COMMON = {kind: SYLLABUS.pop(f"every {kind}") for kind in ("chapter", "lab")}
PAGES = {
    "chapter": [path.stem for path in chapters_in_toc(ROOT)],
    "lab": [page for page in SYLLABUS if page.startswith("lab-")],
}
ITEMS = [(page, item, places) for page, items in SYLLABUS.items() for item, places in items.items()]
ITEMS += [
    (page, item, places) for kind, items in COMMON.items() for page in PAGES[kind] for item, places in items.items()
]


@functools.cache
def page_of(name: str) -> tuple[str, set[str]]:
    """The source of a page, and the names of its places: cells, figures and headings.

    A lab's page offers a notebook for download: its cells and its text belong to the page, its headings do not.
    """
    path = ROOT / "book" / f"{name}.md"
    page, notebooks = "", [path.with_suffix(".ipynb")]
    if path.exists():
        page = path.read_text(encoding="utf-8")
        labs = re.findall(r"\{lab-notebook\}`([\w-]+)`", page)
        notebooks = [ROOT / "labs" / lab / f"{lab}.ipynb" for lab in labs]
    cells = [cell for each in notebooks for cell in json.loads(each.read_text(encoding="utf-8"))["cells"]]
    text = "\n\n".join([page, *("".join(cell["source"]) for cell in cells)])
    places = {cell["id"] for cell in cells}
    places |= {cell["metadata"].get("mystnb", {}).get("figure", {}).get("name") for cell in cells}
    return text, places | {f"# {heading}" for heading in re.findall(r"(?m)^#+ (.+)$", page or text)}


@pytest.mark.parametrize(("page", "item", "places"), ITEMS, ids=[f"{page}: {item}" for page, item, _ in ITEMS])
def test_the_book_has(page, item, places):
    text, names = page_of(page)
    assert places, "an item must say where it stands"
    missing = [
        place for place in places if not (re.search(place[1:-1], text) if place.startswith("/") else place in names)
    ]
    assert not missing, f"{page} has lost {missing}"


def test_the_syllabus_has_every_chapter_lab_and_page_and_the_reader_meets_each():
    assert [page for page in SYLLABUS if page in PAGES["chapter"]] == PAGES["chapter"]
    assert len(PAGES["chapter"]) == 22
    assert sorted(int(page[4]) for page in PAGES["lab"]) == list(range(1, 7))
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    chapters = [chapter for part in toc["parts"] for chapter in part["chapters"]]
    named = {page["file"] for chapter in chapters for page in (chapter, *chapter.get("sections", []))}
    assert {f"book/{page}" for page in SYLLABUS} == named
