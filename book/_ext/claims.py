"""The claims of the articles: rows from `claims.toml`, numbers from the chapters' stored outputs.

    ```{claims} article-decay
    ```

shows the rows of one article, each with an address of its own; `{claim-counts}` how often each verdict occurs;
`{claim-filter}` is where a script puts choices of verdict and topic, if scripts run. A `{key}` in the text of a row
stands for what the chapter glued under that name. The checks of a row compare these values, so that a verdict cannot
survive other numbers:

    >>> chapter = {"a-gain": "0.06 [0.01, 0.11]", "a-count": "20"}
    >>> [check(rule, chapter) for rule in ("a-gain > 0", "a-gain ~ 0", "a-gain < 0.2", "a-count = 20")]
    [True, False, True, True]
"""

import json
import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

from docutils import nodes
from myst_parser.mdit_to_docutils.base import default_slugify
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from lrcourse.course.notebooks import glued, numbers

VERDICTS = {
    "holds": ("Holds", "As stated, in what we ran."),
    "holds when": ("Holds when", "Under a condition that the row names."),
    "does not hold": ("Does not hold", "What we ran shows something else, or no difference."),
    "slip": ("Slip of the text", "A name, a formula or a line of code that its author would correct."),
    "not tested": ("Not tested here", "Too large for this course, or not a question of fact; the row says why."),
}
KEY = re.compile(r"\{([a-z][a-z0-9]*-[^{}]+)\}")


def rows(book: Path) -> list[dict[str, Any]]:
    claims: list[dict[str, Any]] = tomllib.loads((book / "claims.toml").read_text(encoding="utf-8"))["claim"]
    return claims


def group(row: dict[str, Any]) -> str:
    """The article of a row, or "beyond" for papers and common advice."""
    return row["article"] if row["article"].startswith("article-") else "beyond"


def cells(book: Path, chapter: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((book / f"{chapter}.ipynb").read_text(encoding="utf-8"))["cells"]
    return found


def section(book: Path, chapter: str, cell: str) -> str:
    """The heading that the cell of that id stands under."""
    heading = ""
    for each in cells(book, chapter):
        if each["cell_type"] == "markdown":
            prose = re.sub(r"(?ms)^(`{3,}|:{3,}).*?^\1", "", "".join(each["source"]))
            heading = (re.findall(r"(?m)^#{1,3} (.+)$", prose) or [heading])[-1]
        if each["id"] == cell:
            return heading
    raise KeyError(f"{chapter} has no cell {cell!r}")


def bounds(text: str) -> tuple[float, float]:
    """The ends of an interval such as "0.5 [0.4, 0.6]" or "0.5 (0.4 to 0.6)"; of a plain number, twice the number."""
    found = numbers(text)
    if len(found) not in (1, 3):
        raise ValueError(f"neither a number nor an interval: {text!r}")
    return found[-2] if len(found) == 3 else found[0], found[-1]


def check(rule: str, chapter: dict[str, str]) -> bool:
    """`key < x` and `key > x`: the whole interval; `key ~ x`: the interval contains x; `key = x`: the text is x.

    The right side may be a key as well, then the two intervals are compared.
    """
    # Names may hold a sign themselves ("ρ = 0.99"): the left side is the first that the chapter knows.
    splits = ((rule[: sign.start()], sign[1], rule[sign.end() :]) for sign in re.finditer(" ([<>~=]) ", rule))
    key, sign, value = next((split for split in splits if split[0] in chapter), (None, "", ""))
    if key is None:
        raise KeyError(f"no glued value for {rule!r}")
    if sign == "=":
        return chapter[key] == value
    low, high = bounds(chapter[key])
    other_low, other_high = bounds(chapter.get(value, value))
    if sign == "~":
        return low <= other_high and other_low <= high
    return high < other_low if sign == "<" else low > other_high


def fill(text: str, chapter: dict[str, str]) -> str:
    return KEY.sub(lambda match: chapter[match[1]], text)


def markdown(row: dict[str, Any], book: Path) -> str:
    """A row as text: verdict and claim, then what was run, the result and where it stands."""
    chapter = glued(book / f"{row['chapter']}.ipynb")
    heading = section(book, row["chapter"], row["cell"])
    place = f"[]({row['chapter']}.ipynb): [{heading}]({row['chapter']}.ipynb#{default_slugify(heading)})"
    source = f" {{cite}}`{row['article']}`" if row["article"] and group(row) == "beyond" else ""
    because = fill(row.get("because", ""), chapter)
    word = VERDICTS[row["verdict"]][0]
    verdict = f"**{word}**" + (" " if row["verdict"] == "holds when" else ": ") * bool(because) + because
    result = fill(row["result"], chapter) + f" *({place})*"
    return f"{row['claim']}{source}\n\n**Run:** {row['ran']} **Result:** {result}\n\n{verdict}\n"


class Claims(SphinxDirective):
    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        book = Path(self.env.srcdir, self.env.docname).parent
        self.env.note_dependency(str(book / "claims.toml"))
        found = [row for row in rows(book) if group(row) == self.arguments[0]]
        if not found:
            raise self.error(f"claims.toml has no row for {self.arguments[0]!r}")
        counts = Counter(row["verdict"] for row in found)
        parts = [f"{name}: {counts[verdict]}." for verdict, (name, _) in VERDICTS.items() if counts[verdict]]
        cards: list[nodes.Node] = [nodes.paragraph("", " ".join([f"{len(found)} rows.", *parts]))]
        for row in found:
            self.env.note_dependency(str(book / f"{row['chapter']}.ipynb"))
            kind = row["verdict"].replace(" ", "-")
            name = f"claim-{row['id']}"
            card = nodes.container("", classes=["claim", f"claim-{kind}", f"topic-{row['chapter']}"], ids=[name])
            try:
                card += self.parse_text_to_nodes(markdown(row, book))
            except KeyError as missing:
                raise self.error(f"row {row['id']!r} of claims.toml asks for what is not there: {missing}") from None
            link = nodes.reference("", "#", refuri=f"#{name}", classes=["headerlink"], reftitle="Link to this claim")
            card[0] += link
            cards.append(card)
        return cards


class Counts(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        book = Path(self.env.srcdir, self.env.docname).parent
        self.env.note_dependency(str(book / "claims.toml"))
        counts = Counter(row["verdict"] for row in rows(book))
        lines = ["| Verdict | Rows | Meaning |", "|---|--:|---|"]
        lines += [f"| {name} | {counts[verdict]} | {meaning} |" for verdict, (name, meaning) in VERDICTS.items()]
        return self.parse_text_to_nodes("\n".join([*lines, f"| All | {counts.total()} | |"]))


class Filter(SphinxDirective):
    """An empty place; `claims.js` fills it with what the page's claims can be chosen by."""

    def run(self) -> list[nodes.Node]:
        self.env.metadata.setdefault(self.env.docname, {})["claim-filter"] = True
        return [nodes.container("", classes=["claim-filter"])]


def load(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    if app.env.metadata.get(page, {}).get("claim-filter"):
        app.add_js_file("claims.js", loading_method="defer")


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("claims", Claims)
    app.add_directive("claim-counts", Counts)
    app.add_directive("claim-filter", Filter)
    app.connect("html-page-context", load)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
