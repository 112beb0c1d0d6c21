"""Measured numbers are never typed: every decimal in a chapter's prose is glued, a setting of its code, or given.

Two nets: a decimal that no code cell sets must be on the list below; and beside a word for a result even a number that
happens to be a setting must be. Captions are prose, too. Pictures are described, and each line of code fits the page.
"""

import json
import re
from pathlib import Path

import pytest

from lrcourse.course.book import chapters_in_toc

ROOT = Path(__file__).parents[1]
BOOK = ROOT / "book"
PAGES = sorted(BOOK.glob("*.ipynb"))
NUMBER = r"(?<![\w.])\d*\.\d+(?!\.?\w)"
RESULT = r"(?:accurac\w+|loss(?:es)?|points|gain\w*|reach\w*|end(?:s|ed) at|lower by|higher by|percent)"
BESIDE = re.compile(
    rf"\b{RESULT}(?: (?:of|is|was|were|at|about|only|than|to|by))* ({NUMBER})\b|({NUMBER}) (?:in )?{RESULT}"
)
BLOCK = re.compile(r"^([ ]*)(`{3,}|~{3,})(?:python|bash|shell|text|toml|pycon)\n(.*?)^\1\2$", re.MULTILINE | re.DOTALL)
FENCE = re.compile(r"^[ ]*[`:~]{3,}(?:\{[\w-]+\})?", re.MULTILINE)
NOT_PROSE = re.compile(r"\{[\w:]+\}`[^`]*`|`[^`\n]*`|\$\$.*?\$\$|\$[^$]*\$|\]\([^)]*\)", re.DOTALL)
COLUMNS = 88  # what fits the page at 1280 pixels, see custom.css and the ruff.toml of book/

# Numbers that no run of ours gave, by page: read before you add one.
GIVEN = {
    "keras-callbacks": ["0.70", "0.50", "0.75", "0.52", "0.61", "0.60"],  # the article's accuracies and losses
    "cyclical": ["81.4"],  # the paper's accuracy
    "warm-restarts": ["0.76"],  # the article's accuracy
    "one-cycle": ["92.4", "91.2"],  # the paper's accuracies
    "adaptive": ["0.004"],  # a default of Keras
    # the article's accuracies; rates of arms and defaults, which the package sets
    "comparison": ["0.61", "0.76", "0.94", "0.99"],
    "after-adam": ["2.13"],  # a version
    # betas, which the record sets; what papers say of sizes and of Muon
    "language-models": ["0.9", "0.95", "0.999", "1.7", "1.4", "1.1", "1.2"],
    "search": ["0.002"],  # an example of a factor
    "recipe": ["0.00001"],  # the article's list
    "fine-tuning": ["2.6"],  # a factor of ULMFiT
}  # fmt: skip


def plain(text: str) -> str:
    """The prose of a Markdown cell: without code, formulas, glued results and the addresses of links.

    >>> plain("At `0.1` the loss, {glue:text}`a`, is 0.31 where $0.5$ stood ([here](0.9.html)).").split("is ")[1]
    '0.31 where   stood ([here ).'
    """
    return NOT_PROSE.sub(" ", FENCE.sub("", BLOCK.sub(" ", text)))


def beside(text: str) -> set[str]:
    """The decimals beside a result's name.

    >>> sorted(beside("It ends at 0.31, an accuracy of {glue:text}`a` at `0.1` where $0.5$ gives 0.92 accuracy."))
    ['0.31', '0.92']
    """
    return {first or second for first, second in BESIDE.findall(plain(text))}


def unset(text: str, code: str) -> set[str]:
    """The decimals that the code does not set, as a number or as a percentage.

    >>> sorted(unset("A decay of 0.99 at 0.010 ends at 0.31, after 2.5 % of the steps.", "lr = 0.01 * 0.99; w = 0.025"))
    ['0.31']
    """
    settings = {float(each) for each in re.findall(r"(?<![\w.])\d*\.?\d+(?:e-?\d+)?", code)}
    settings |= {round(100 * each, 9) for each in settings}
    return {each for each in re.findall(NUMBER, plain(text)) if float(each) not in settings}


def cells(page: Path, kind: str) -> list[dict]:
    return [each for each in json.loads(page.read_text(encoding="utf-8"))["cells"] if each["cell_type"] == kind]


def picture(cell: dict) -> tuple[str, str]:
    """The caption and the description of a cell's picture."""
    page = cell["metadata"].get("mystnb", {})
    return page.get("figure", {}).get("caption", ""), page.get("image", {}).get("alt", "")


def prose(page: Path) -> str:
    """The Markdown and the captions of a notebook; its exercises and its quiz have numbers of their own."""
    kept = ["".join(each["source"]) for each in cells(page, "markdown") if each["id"] not in ("exercises", "quiz")]
    return "\n\n".join(kept + [picture(each)[0] for each in cells(page, "code")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_result_is_typed(page):
    given = set(GIVEN.get(page.stem, []))
    code = "\n".join("".join(each["source"]) for each in cells(page, "code"))
    assert unset(prose(page), code) | beside(prose(page)) <= given


@pytest.mark.parametrize("page", [page for page in PAGES if page.stem in GIVEN], ids=lambda page: page.stem)
def test_no_given_number_has_left_the_page(page):
    assert set(GIVEN[page.stem]) <= set(re.findall(NUMBER, plain(prose(page))))


@pytest.mark.parametrize("page", sorted(BOOK.glob("*.md")), ids=lambda page: page.stem)
def test_no_result_is_typed_on_a_page_without_code(page):
    assert beside(page.read_text(encoding="utf-8")) == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_picture_has_a_caption_and_a_description_of_its_own(page):
    drawn = [each for each in cells(page, "code") if any("image/png" in out.get("data", {}) for out in each["outputs"])]
    assert drawn, "a page without a picture"
    short = [each["id"] for each in drawn if min(len(words.split()) for words in picture(each)) < 8]
    assert short == [], "caption or alternative text is missing or says too little"
    assert [each["id"] for each in drawn if picture(each)[0] == picture(each)[1]] == []
    assert [each["id"] for each in drawn if "/" in picture(each)[1]] == [], "read aloud, a slash is no word"


def test_a_typed_result_is_found_in_text_and_in_boxes():
    box = (
        "```{admonition} Claim check: it falls\n:class: claim-check\n**Result.** It is {glue:text}`a`, minus 0.37.\n```"
    )
    assert unset(box, "lr = 0.1") == {"0.37"}
    assert beside("The test accuracy is 0.93, and the loss ends at 0.2.") == {"0.93", "0.2"}
    assert beside("With a rate of 0.1 the accuracy is {glue:text}`x-accuracy`.") == set()


@pytest.mark.parametrize("page", [*PAGES, *sorted(BOOK.glob("*.md"))], ids=lambda page: page.name)
def test_a_line_of_a_formula_ends_with_two_backslashes(page):
    text = page.read_text(encoding="utf-8")
    if page.suffix == ".ipynb":
        text = "\n".join("".join(each["source"]) for each in cells(page, "markdown"))
    formulas = re.findall(r"\$\$.*?\$\$", text, re.DOTALL)
    assert [each for each in formulas if re.search(r"(?<!\\)\\[ ]*\n", each)] == [], (
        "the next line would be set beside it"
    )


def test_no_chapter_is_called_by_its_number():
    files = [path for folder in ("book", "labs", "lrcourse", "solutions") for path in (ROOT / folder).rglob("*.*")]
    sources = [path for path in files if path.suffix in (".ipynb", ".md", ".py", ".toml")]
    numbered = re.compile(r"\bchapters? \[?\d|\"# \d+\. ", re.IGNORECASE)  # in a sentence, or in a title
    called = {path: numbered.findall(path.read_text(encoding="utf-8"))
              for path in [*sources, ROOT / "README.md", ROOT / "CONTRIBUTING.md"]}  # fmt: skip
    assert {path.name: found for path, found in called.items() if found} == {}


def test_a_link_to_the_chapter_beside_leads_there():
    order = [page.stem for page in chapters_in_toc(ROOT)]
    link = re.compile(r"\[the (next chapter|chapter before|last chapter)\]\(([\w-]+)\.ipynb\)", re.IGNORECASE)
    links = [
        (page, *each) for page in order for each in link.findall((BOOK / f"{page}.ipynb").read_text(encoding="utf-8"))
    ]
    assert len(links) > len(order) / 2
    for page, words, target in links:
        place = order.index(page) + (1 if words == "next chapter" else -1)
        assert target == order[-1 if words == "last chapter" else place], f"{page}: the {words}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_line_of_code_fits_the_page_and_no_cell_is_hidden_from_the_reader(page):
    shown = ["".join(each["source"]) for each in cells(page, "code")]
    shown += [block[2] for each in cells(page, "markdown") for block in BLOCK.findall("".join(each["source"]))]
    assert [line for block in shown for line in block.splitlines() if len(line) > COLUMNS] == []
    tags = {tag for each in cells(page, "code") for tag in each["metadata"].get("tags", [])}
    assert tags <= {"hide-input", "raises-exception", "nbval-ignore-output"}, "a reader could not paste this chapter"
    assert not re.search(r"Path\(\"\.|(?<![.\w])open\(|read_text|\.\./", "\n".join(shown)), (
        "it needs a file, so a working directory"
    )
