"""The build: parallel, cached, and red for every failing cell, broken reference, warning or forgotten page."""

import re
import shutil
import subprocess
from pathlib import Path

import nbformat
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from lrcourse.course import book
from lrcourse.course.notebooks import NotebookError

pytestmark = pytest.mark.notebooks
ROOT = Path(__file__).parents[1]
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
        work = f"executing {executed} of 2 notebooks: about 1 min\n" if executed else ""
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
    assert not [name for name in names if name.startswith("course/") and not name.startswith("course/experiments/")]
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

    for name in ("constraints.txt", "lrcourse/records/__init__.py", "lrcourse/records/comparison-small.json"):
        assert changes(name), name
    for name in ("lrcourse/course/cli.py", "lrcourse/plots.py", "lrcourse/records/labs-small.json"):
        assert not changes(name), name


def test_stored_outputs_make_pages_and_nothing_is_executed(small_book, capfd):
    notebook = nbformat.read(small_book / "book" / "second.ipynb", as_version=4)
    notebook.cells[1].outputs = [nbformat.v4.new_output("stream", text="what is stored\n")]
    nbformat.write(notebook, small_book / "book" / "second.ipynb")
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


@pytest.mark.usefixtures("book")
def test_no_library_talked_while_the_book_was_built():
    assert re.findall(r"(?m)^(?:WARNING|I\d{4}|# \d{4}-).*", (ROOT / book.LOG).read_text()) == []


def test_a_page_that_the_table_of_contents_forgets_is_an_error(small_book):
    (small_book / "book" / "lost.md").write_text("# Lost")
    with pytest.raises(RuntimeError, match=r"book/lost\.md"):
        book.build(small_book)
