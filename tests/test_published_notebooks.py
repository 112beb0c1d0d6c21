"""A notebook that is taken along says what its page says, in Markdown that every program shows."""

import doctest
import importlib.util
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urldefrag

import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup
from docutils.core import publish_doctree
from IPython.core.inputtransformer2 import TransformerManager
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from myst_parser.parsers.docutils_ import Parser

import lrcourse
from lrcourse.course.grading.lab import Lab
from lrcourse.course.grading.notebook_file import Cell
from lrcourse.course.grading.rebuild import rebuild

ROOT = Path(__file__).parents[1]
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
SITE, REPOSITORY = CONFIG["html"]["baseurl"], CONFIG["repository"]["url"]
PAGES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "book").glob("*.ipynb"))
LABS = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "labs").glob("*/*.ipynb"))
BLOCKS = "p, h1, h2, h3, h4, td, th, pre, li, figcaption, label, legend"
MARKDOWN = MarkdownIt("commonmark").enable("table").use(dollarmath_plugin, double_inline=True)
sys.path.insert(0, str(ROOT / "book" / "_ext"))
import install_cell  # noqa: E402
import plain_markdown  # noqa: E402
import publish  # noqa: E402


def published(book, name):
    notebook = nbformat.read(book / "_sources" / name, as_version=4)
    nbformat.validate(notebook)
    return notebook


def markdown(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]


def code(notebook):
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")


def words(soup):
    """Text without what only a page or only Markdown has: spaces, the marks of formulas, the letters of answers."""
    return re.sub(r"\s|\\[()\[\]]", "", soup.get_text())


def blocks(soup):
    """The texts of the innermost blocks."""
    return [words(each) for each in soup.select(BLOCKS) if not each.select(BLOCKS) and words(each)]


def page_of(book, name):
    """The article of a chapter's page, without code cells, but for the captions of their figures."""
    page = BeautifulSoup((book / name).with_suffix(".html").read_text(encoding="utf-8"), "html.parser")
    article = page.select_one("article.bd-article")
    assert article
    for each in article.select(
        ".headerlink, script, svg, input, .toctree-wrapper, .cell_input, details.hide, .cell_output > :not(figure)"
    ):
        each.decompose()
    return article


@pytest.mark.parametrize("name", PAGES)
def test_a_notebook_says_what_its_page_says(book, name):
    article = page_of(book, name)
    notebook = BeautifulSoup("\n".join(map(MARKDOWN.render, markdown(published(book, name)))), "html.parser")
    on_page = words(article) + "".join(re.sub(r"\s", "", image.get("alt", "")) for image in article.select("img"))
    in_notebook = words(notebook)
    assert [each for each in blocks(article) if each not in in_notebook] == []
    assert [each for each in blocks(notebook) if re.sub("^[A-Z]:", "", each) not in on_page] == []
    assert article.select("h1, h2, h3") and len(notebook.select("h1, h2, h3")) == len(article.select("h1, h2, h3"))


@pytest.mark.parametrize("name", [*PAGES, *LABS])
def test_a_notebook_holds_nothing_that_only_a_page_can_show(book, name):
    for text in markdown(published(book, name)):
        tokens = MARKDOWN.parse(text)
        assert not [each.info for each in tokens if each.type == "fence" and each.info.startswith("{")]
        inline = "\n".join(each.content for each in tokens if each.type == "inline")
        assert not re.findall(r"\{[a-z][\w:-]*\}`.*|\{\{.*|^:::.*", inline, re.MULTILINE)


@pytest.mark.parametrize("name", PAGES)
def test_a_notebooks_links_lead_somewhere_from_anywhere(book, name):
    for address in re.findall(r"\]\(([^)\s]+)\)", "\n".join(markdown(published(book, name)))):
        assert re.match("https?://", address), address
        page, anchor = urldefrag(address)
        if page.startswith(SITE):
            text = (book / page.removeprefix(f"{SITE}/")).read_text(encoding="utf-8")
            assert not anchor or f'id="{anchor}"' in text, address
            assert not re.fullmatch(r"id\d+", anchor), "another place in the next edition"


@pytest.mark.parametrize("name", PAGES)
def test_code_and_visible_outputs_are_those_of_the_source(book, name):
    taken = [cell for cell in published(book, name).cells[1:] if cell.cell_type == "code"]
    given = [cell for cell in nbformat.read(ROOT / name, as_version=4).cells if cell.cell_type == "code"]
    assert [(cell.id, cell.source) for cell in taken] == [(cell.id, cell.source) for cell in given]
    for cell, source in zip(taken, given, strict=True):
        assert cell.outputs == [each for each in source.outputs if "scrapbook" not in each.get("metadata", {})]
        folded = cell.metadata.get("jupyter", {}).get("source_hidden", False)
        assert folded == ("hide-input" in source.metadata.get("tags", []))


@pytest.mark.parametrize("name", LABS)
def test_a_lab_is_as_it_is_given_out_behind_its_first_cell(book, name):
    taken, given = published(book, name), nbformat.read(ROOT / name, as_version=4)
    assert taken.cells[0].id == "install" and taken.cells[1:] == given.cells


@pytest.mark.parametrize("name", LABS)
def test_a_grader_takes_no_notice_of_a_labs_first_cell(name):
    lab = Lab(ROOT / name.replace("labs", "solutions", 1))
    handed_in = [Cell(each.cell_type, each.source, each.id, dict(each.metadata.get("nbgrader", {})))
                 for each in lab.released.cells]  # fmt: skip
    first = Cell("code", install_cell.source(lab.released, ROOT, REPOSITORY), "install")
    rebuilt = rebuild([first, *handed_in], lab)
    assert (rebuilt.notes, rebuilt.doubts, rebuilt.blank) == ([], [], True)


@pytest.mark.parametrize("name", [*PAGES, *LABS])
def test_the_first_cell_asks_for_the_pinned_course_with_what_the_notebook_imports(book, name):
    first = published(book, name).cells[0]
    assert first.id == "install"
    assert '"https://raw.githubusercontent.com/lrcourse/lrcourse/main/constraints.txt"' in first.source
    extras = re.findall(rf'"lrcourse\[([\w,]+)\] @ git\+{REPOSITORY}"', first.source)[0].split(",")
    brings = install_cell.offered(ROOT)
    brought = set().union(*(brings[each] for each in extras))
    given = nbformat.read(ROOT / name, as_version=4)
    imports = install_cell.needs(given, ROOT)
    # A cluster and JAX are tried where they are, and no notebook needs them.
    lacking = {each for each in imports if install_cell.distribution(each) not in brought}
    assert lacking <= {"distributed", "jax"}
    uses_keras = re.search(r"^ *(import|from) (lrcourse\.)?keras", code(given), re.MULTILINE)
    assert ("tensorflow" in brought) == bool(uses_keras)


PLAIN = r"""
Text with 2 \* 3, a\_b, \<b> and [a link](https://example.org/a.html#b), *emphasis*.

**strong *both***, ``a ` b`` and $a_1 * b_1$. Intervals: 0.1 [0.0, 0.2] (95 %).

1\. is no list, and # no heading.

- One
- Two

  ```
  x = "`"
  ```

  - Three

    Four

3. Three
4. Four

> Said **so**
>
> - and so

| a | $b$ |
| --- | --- |
| `x \| y` | [z](https://example.org/) |

$$
a = \frac12
$$

---

![What it shows](https://example.org/picture.png)
"""


def test_plain_markdown_stays_what_it_was():
    once = plain_markdown.Plain(parsed(PLAIN), f"{SITE}/page.html", {}, {}).blocks(parsed(PLAIN))
    assert once == PLAIN.strip()


@pytest.mark.parametrize(
    ("myst", "plain"),
    [
        ("```{note}\nWell.\n```", "> **Note**\n>\n> Well."),
        ("```{admonition} Why $x$?\n- a\n\nb\n```", "> **Why $x$?**\n>\n> - a\n>\n> b"),
        ("Term\n: Its meaning.", "- **Term**\n\n  Its meaning."),
        ("````{figure} a/b.png\n:alt: A line\nRises.\n````", f"![A line]({SITE}/_images/b1.png)\n\nRises."),
        ("% a comment\n\nText", "Text"),
        ("````\n```{note}\n```\n````", "````\n```{note}\n```\n````"),
        ("[above](./other.html#part)", f"[above]({SITE}/book/other.html#part)"),
        ("**No.** *A* <b>raw</b>", "**No.** *A* raw"),
    ],
)
def test_what_only_myst_knows_becomes_plain(myst, plain):
    page = parsed(myst)
    address, pictures = f"{SITE}/book/page.html", {"a/b.png": f"{SITE}/_images/b1.png"}
    assert plain_markdown.Plain(page, address, {}, pictures).blocks(page) == plain


def test_a_node_that_nobody_has_thought_of_stops_the_build():
    page = parsed("Text\n\n:a: b")
    with pytest.raises(plain_markdown.Unknown, match="no plain Markdown for field_list: a"):
        plain_markdown.Plain(page, SITE, {}, {}).blocks(page)


def parsed(myst):
    """A page, parsed as MyST."""
    settings = {"myst_enable_extensions": ["dollarmath", "deflist", "fieldlist"], "myst_all_links_external": True}
    return publish_doctree(myst, parser=Parser(), settings_overrides={**settings, "report_level": 5})


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "book" / "_ext").glob("*.py")))
def test_the_examples_of_what_builds_the_site_hold(name):
    assert not doctest.testmod(importlib.import_module(name)).failed


@pytest.fixture(scope="module")
def first_cell():
    """Runs the first cell of a chapter where some packages are not, or the course is another version."""
    notebook = nbformat.read(ROOT / "book" / "search.ipynb", as_version=4)
    cell = TransformerManager().transform_cell(install_cell.source(notebook, ROOT, REPOSITORY))

    def run(without=(), version=lrcourse.__version__):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(importlib.util, "find_spec", lambda name: None if name in without else name)
            patch.setattr(lrcourse, "__version__", version)
            magics = []
            exec(cell, {"get_ipython": lambda: SimpleNamespace(run_line_magic=lambda *call: magics.append(call))})
            return magics

    return run


def test_the_first_cell_installs_what_is_not_there_and_nothing_that_is(first_cell, capsys):
    assert first_cell() == [] and capsys.readouterr().out == ""
    ((magic, line),) = first_cell(without=["lrcourse"])
    assert magic == "pip" and line == "install --quiet {wanted}"


@pytest.mark.parametrize(
    ("here", "says"),
    [({"without": ["optuna", "torch"]}, f"here is {lrcourse.__version__} without optuna torch\n"),
     ({"version": "0.0.1"}, "here is 0.0.1\n"), ({"without": ["jax", "distributed"]}, None)],
)  # fmt: skip
def test_of_another_course_the_first_cell_says_what_to_do_and_leaves_it(first_cell, capsys, here, says):
    assert first_cell(**here) == []
    said = capsys.readouterr().out
    if says is None:
        assert said == ""
    else:
        assert says in said and "%pip install --upgrade --constraint https://raw" in said and "lrcourse[" in said


def test_what_lies_in_the_site_is_published_again_only_if_it_was_published_before(tmp_path):
    """A build that is stopped leaves a page's source there, with directives and without the first cell."""
    assert publish.published(tmp_path / "none.ipynb") is None
    raw, ours = ROOT / "book" / "decay.ipynb", tmp_path / "decay.ipynb"
    assert publish.published(raw) is None
    notebook = nbformat.read(raw, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell("", id="install"))
    nbformat.write(notebook, ours)
    assert publish.published(ours) == notebook.cells[1:]
