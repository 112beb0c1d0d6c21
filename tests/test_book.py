"""The build: parallel, cached, and red for every failing cell, broken reference, warning or forgotten page."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from lrcourse.course import book
from lrcourse.course.notebooks import NotebookError, normalize

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "book" / "_ext"))
from moved import moves, write_moved  # noqa: E402

pytestmark = pytest.mark.notebooks

SETTINGS = ["_config.yml", "constraints.txt", "pyproject.toml", "environment.yml"]


def chapter(path: Path, code: str, text: str = "# A chapter") -> None:
    cells = [new_markdown_cell(text, id="title"), new_code_cell(code, id="code")]
    path.write_text(nbformat.writes(new_notebook(cells=cells)) + "\n", encoding="utf-8")


FIRST = "import sys; sys.path.insert(0, '..'); from lrcourse.plots import WIDTH; print('first chapter, width', WIDTH)"


@pytest.fixture
def small_book(tmp_path):
    """A book of three pages with the course's own configuration."""
    for name in [*SETTINGS, "lrcourse", "book/_static", "book/_ext", "book/_katex"]:
        source, target = ROOT / name, tmp_path / name
        target.parent.mkdir(exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    (tmp_path / "book" / "references.bib").write_text("")
    (tmp_path / "book" / "intro.md").write_text("# Start\n\nSee [](first.ipynb).\n")
    chapter(tmp_path / "book" / "first.ipynb", FIRST)
    chapter(tmp_path / "book" / "second.ipynb", "print('second chapter')")
    toc = {"format": "jb-book", "root": "book/intro", "chapters": [{"file": "book/first"}, {"file": "book/second"}]}
    (tmp_path / "_toc.yml").write_text(yaml.safe_dump(toc))
    return tmp_path


def test_only_what_changed_is_executed_again_and_few_words_are_made(small_book, capfd):
    def build(executed):
        first_page = book.build(small_book)
        said, progress = capfd.readouterr()
        work = f"executing {executed} of 2 notebooks: about 1 min, and a minute for the pages\n" if executed else ""
        summary = rf"executed {executed} notebooks, built 3 pages in \d+ s\nopen {re.escape(first_page.as_uri())}\n"
        assert re.fullmatch(work + summary, said)
        shown = r"(executing|building pages): \d+ of \d+ (notebooks|%), \d\d:\d\d, (\?|\d\d:\d\d) left(, [\w./, -]+)?"
        assert [line for line in progress.splitlines() if not re.fullmatch(shown, line)] == []
        log = (small_book / book.LOG).read_text()
        assert log.count("Using cached notebook") == executed and "Executing notebook" not in log
        return first_page

    assert build(executed=2).exists()
    assert "first chapter, width 7.2" in (small_book / "_build/html/book/first.html").read_text()
    build(executed=0)

    chapter(small_book / "book" / "second.ipynb", "print('second edition')")
    build(executed=1)
    assert "second edition" in (small_book / "_build/html/book/second.html").read_text()

    with (small_book / "lrcourse" / "plots.py").open("a") as package:
        package.write("WIDTH = 7.3\n")
    build(executed=1)  # the second imports nothing of it
    assert "first chapter, width 7.3" in (small_book / "_build/html/book/first.html").read_text()


CHAPTERS = sorted((ROOT / "book").glob("*.ipynb"))


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_depends_on_what_it_imports_and_reads_and_on_no_tool(path):
    names = set(book.inputs(ROOT, path))
    assert "constraints.txt" in names and len(names) > 1
    tools = {name for name in names if name.startswith("course/") and not name.startswith("course/experiments/")}
    assert tools == {
        f"course/{name}.py" for name in ("__init__", "kernels", "notebooks", "progress")
    }  # what executes it
    assert "determinism.py" in names
    code = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code")
    read = {f"{experiment}-{size}.json" for experiment, size in re.findall(r'records\.read\("(\w+)", "(\w+)"', code)}
    assert read <= names
    assert {name.partition("-")[0] for name in names if name.endswith(".json")} == {
        name.partition("-")[0] for name in read
    }


def test_a_change_of_what_a_chapter_imports_or_reads_changes_its_hash_and_another_does_not(small_book):
    chapter(small_book / "book" / "first.ipynb", 'from lrcourse import records; records.read("comparison", "small")')

    def changes(name):
        before = book.inputs_hash(small_book, small_book / "book" / "first.ipynb")
        with (small_book / name).open("a") as file:
            file.write("\n")
        return book.inputs_hash(small_book, small_book / "book" / "first.ipynb") != before

    read = ("constraints.txt", "lrcourse/records/__init__.py", "lrcourse/records/comparison-small.json")
    for name in (*read, "lrcourse/__init__.py", "lrcourse/determinism.py", "lrcourse/course/notebooks.py"):
        assert changes(name), name
    for name in ("lrcourse/course/cli.py", "lrcourse/plots.py", "lrcourse/records/labs-small.json"):
        assert not changes(name), name


@pytest.mark.parametrize(("code", "names"), [
    ("records.read('comparison', 'small')", {"comparison"}),
    ("which = 'labs'\nrecords.read(which, 'full')", {"labs"}),
    ("records.every()", {path.stem.rpartition("-")[0] for path in (ROOT / "lrcourse" / "records").glob("*.json")}),
])  # fmt: skip
def test_a_record_is_found_however_it_is_read(small_book, code, names):
    chapter(small_book / "book" / "first.ipynb", f"from lrcourse import records\n{code}")
    found = book.inputs(small_book, small_book / "book" / "first.ipynb")
    assert {name.rpartition("-")[0] for name in found if name.endswith(".json")} == names


def test_stored_outputs_make_pages_and_nothing_is_executed(small_book, capfd):
    for name in ("first", "second"):
        notebook = nbformat.read(small_book / "book" / f"{name}.ipynb", as_version=4)
        notebook.cells[1].outputs = [nbformat.v4.new_output("stream", text="what is stored\n")]
        nbformat.write(normalize(notebook), small_book / "book" / f"{name}.ipynb")
    book.build(small_book, stored=True)
    page = small_book / "_build/html/book/second.html"
    assert "what is stored" in page.read_text() and "executed 0 notebooks" in capfd.readouterr().out
    book.build(small_book)
    assert "second chapter" in page.read_text() and "executed 2 notebooks" in capfd.readouterr().out


def test_a_canary_with_a_failing_cell_fails_the_build_and_is_named(small_book):
    chapter(small_book / "book" / "second.ipynb", "print('before')\n1 / 0")
    for tried in (2, 1):  # a second try must not pass because something was remembered
        with pytest.raises(NotebookError) as raised:
            book.build(small_book)
        first, *traceback, last = str(raised.value).splitlines()
        assert first.endswith("book/second.ipynb: a cell failed") and last == f"1 of {tried} failed: second.ipynb"
        assert "----> 2 1 / 0" in traceback and "ZeroDivisionError: division by zero" in traceback


BROKEN = {
    "See [](nowhere.md).": "nowhere.md",
    "See {numref}`fig-nowhere`.": "fig-nowhere",
    "See {cite}`nobody1900`.": "nobody1900",
    "See {term}`no such term`.": "no such term",
    "#### Three levels too deep": "Non-consecutive header level",
}


def test_every_broken_reference_and_warning_is_named_and_fails_the_build_each_time(small_book, capfd):
    chapter(small_book / "book" / "second.ipynb", "print(1)", "# T\n\n" + "\n\n".join(BROKEN))
    for _ in range(2):
        with pytest.raises(RuntimeError, match="errors or warnings"):
            book.build(small_book)
        printed = capfd.readouterr().err.splitlines()
        lines = [line for line in printed if re.search(r"/book/second\.ipynb:\d+: WARNING: ", line)]
        assert [message for message in BROKEN.values() if not any(message in line for line in lines)] == []
        assert len(lines) == len(BROKEN) and "build finished with problems" in (small_book / book.LOG).read_text()


def test_a_notebook_that_the_cache_lacks_is_named_and_fails_the_build(small_book, capfd, monkeypatch):
    monkeypatch.setattr(book, "executed", lambda paths: [])
    with pytest.raises(RuntimeError, match="errors or warnings"):
        book.build(small_book)
    assert re.search(r"/book/second\.ipynb: Executing notebook", capfd.readouterr().err)


def test_every_file_of_the_book_counts_as_a_source_of_the_built_pages(sources):
    tracked = subprocess.run(["git", "ls-files", "book"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {ROOT / name for name in tracked.split()} <= {*sources}
    assert {ROOT / "book" / name for name in ("_ext/quiz.py", "_static/explorers/plot.js")} <= {*sources}
    assert not [path for path in sources if {".ruff_cache", "__pycache__"} & {*path.parts}]  # left by tools


@pytest.mark.usefixtures("book")
def test_no_library_talked_while_the_book_was_built():
    assert re.findall(r"(?m)^(?:WARNING|I\d{4}|# \d{4}-).*", (ROOT / book.LOG).read_text()) == []


def test_another_extension_has_every_page_read_again(tmp_path):
    extension, pages = tmp_path / "book" / "_ext" / "one.py", tmp_path / book.PAGES
    for path in (extension, pages / "a.doctree", tmp_path / book.BUILT):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    os.utime(extension, (1, 1))
    book.forget_pages_of_other_extensions(tmp_path)
    assert pages.exists()
    extension.write_text("changed = True")
    os.utime(tmp_path / book.BUILT, (2, 2))
    book.forget_pages_of_other_extensions(tmp_path)
    assert not pages.exists()


def test_a_page_that_the_table_of_contents_forgets_is_an_error(small_book):
    (small_book / "book" / "lost.md").write_text("# Lost")
    with pytest.raises(RuntimeError, match=r"book/lost\.md"):
        book.build(small_book)


def in_parts(root: Path, *parts: list[str]) -> None:
    """A table of contents with numbered parts, and a part of notes, which is not."""
    named = [("Part", 1, part) for part in parts] + [("Notes", False, ["notes"])]
    toc = [{"caption": caption, "numbered": numbered, "chapters": [{"file": f"book/{page}"} for page in part]}
           for caption, numbered, part in named]  # fmt: skip
    (root / "_toc.yml").write_text(yaml.safe_dump({"format": "jb-book", "root": "book/intro", "parts": toc}))


@pytest.fixture
def book_in_parts(small_book):
    for page in ("first", "second"):
        chapter(small_book / "book" / f"{page}.ipynb", "print(1)", f"# The {page}\n\n## A section\n\nText.")
    (small_book / "book" / "notes.md").write_text("# Notes\n\nAfter [](second.ipynb).\n\n## A note\n\nText.\n")
    in_parts(small_book, ["first"], ["second"])
    return small_book


def pages(root: Path) -> dict[str, Any]:
    found = (root / "_build" / "html" / "book").glob("*.html")
    return {path.stem: BeautifulSoup(path.read_text(), "html.parser") for path in found}


def texts(page: BeautifulSoup, selector: str) -> list[str]:
    return [" ".join(each.get_text().replace("#", " ").split()) for each in page.select(selector)]


def test_chapters_are_counted_through_the_parts_and_a_new_order_reaches_every_page(book_in_parts):
    book.build(book_in_parts)
    html = pages(book_in_parts)
    for page in html.values():
        assert texts(page, "nav.bd-links a") == ["Start", "1. The first", "2. The second", "Notes"]
    headings = {name: texts(page, "article h1, article h2") for name, page in html.items()}
    assert headings["first"] == ["1. The first", "A section"] and headings["second"] == ["2. The second", "A section"]
    assert headings["intro"] == ["Start"] and headings["notes"] == ["Notes", "A note"]

    in_parts(book_in_parts, ["second"], ["first"])
    book.build(book_in_parts)
    for page in pages(book_in_parts).values():
        assert texts(page, "nav.bd-links a") == ["Start", "1. The second", "2. The first", "Notes"]
    assert texts(pages(book_in_parts)["first"], "article h1") == ["2. The first"]
    assert [page.stem for page in book.chapters_in_toc(book_in_parts)] == ["second", "first"]


def test_elsewhere_a_chapter_has_its_name_alone_and_an_old_address_leads_to_it(book_in_parts):
    (book_in_parts / "book" / "moved.toml").write_text('"book/01-first" = "book/first"\n"old" = "book/intro"\n')
    book.build(book_in_parts)
    html, site = pages(book_in_parts), book_in_parts / "_build" / "html"
    first, old = html["first"], html["01-first"]
    assert first.title.get_text().startswith("The first —")
    assert first.select_one('meta[property="og:title"]')["content"] == "The first"
    assert texts(first, ".prev-next-title") == ["Start", "The second"]
    assert texts(html["intro"], "article p a") == ["The first"]
    assert texts(html["notes"], "article p a") == ["The second"]
    search = (site / "searchindex.js").read_text()
    names = json.loads(search.removeprefix("Search.setIndex(").rstrip(");"))["titles"]
    assert sorted(names) == ["Notes", "Start", "The first", "The second"]
    notebook = nbformat.read(site / "_sources" / "book" / "first.ipynb", as_version=4)
    assert notebook.cells[1].source.startswith("# 1. The first\n")

    assert old.select_one("noscript meta")["content"] == "0; url=first.html"
    assert old.select_one('link[rel="canonical"]')["href"] == first.select_one('link[rel="canonical"]')["href"]
    assert [link["href"] for link in old.select("a")] == ["first.html"] and texts(old, "a") == ["The first"]
    assert BeautifulSoup((site / "old.html").read_text(), "html.parser").select("a")[0]["href"] == "book/intro.html"
    assert "01-first" not in search + (site / "sitemap.xml").read_text()


@pytest.mark.parametrize("line", ['"book/a" = "book/nowhere"', '"book/intro" = "book/a"'])
def test_an_address_that_leads_nowhere_or_hides_a_page_fails_the_build(tmp_path, line):
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "moved.toml").write_text(line)
    env = SimpleNamespace(found_docs={"book/intro"})
    app: Any = SimpleNamespace(builder=SimpleNamespace(name="html"), env=env, srcdir=tmp_path, outdir=tmp_path / "html")
    with pytest.raises(Exception, match=r"moved\.toml: from book/"):
        write_moved(app, None)


def test_every_address_that_was_ever_published_leads_to_a_page():
    once = """01-gradient-descent 02-why-training-stalls 03-decay 04-keras-callbacks 05-warmup 06-batch-size 07-cyclical
        08-early-stopping 09-range-test 10-warm-restarts 11-one-cycle 12-adaptive 13-adaptive-and-schedules
        14-comparison 15-after-adam 16-search 17-recipe 18-scale early-stopping"""
    places = {page.with_suffix("").as_posix() for page in book.pages_in_toc(ROOT)}
    assert {f"book/{page}" for page in once.split()} <= moves(ROOT).keys() | places
    assert set(moves(ROOT).values()) <= places and not places & moves(ROOT).keys()
