"""The answers: rows from `answers.toml`, each with the verdicts that it rests on.

    ```{answer} images-from-scratch
    ```

shows what to take, the code, and the evidence; `{answer-index}` all answers in one table; `{answer-schedules}` both
schedules; `{answer-despite}` the verdicts that speak against an answer; `{answer-newcomer}` how far somebody came who
followed one. Verdicts stand in the words that chapters glued and records hold, so that a page cannot say more than was
found. A chapter that is not there is not linked.
"""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from claims import VERDICTS
from claims import rows as claims
from docutils import nodes
from myst_parser.mdit_to_docutils.base import default_slugify
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from lrcourse import records
from lrcourse.course.notebooks import glued

TABS = {"lrcourse": "lrcourse and PyTorch", "torch": "PyTorch alone", "keras": "Keras"}
WORDS = {"ahead", "behind", "level", "undecided"}
Row = dict[str, Any]


def load(book: Path) -> Row:
    table: Row = tomllib.loads((book / "answers.toml").read_text(encoding="utf-8"))
    return table


def answer_of(book: Path, name: str) -> Row:
    found: dict[str, Row] = {each["id"]: each for each in load(book)["answer"]}
    if name not in found:
        raise KeyError(f"answers.toml has no answer {name!r}: choose among {', '.join(found)}")
    return found[name]


def evidence(book: Path) -> Iterator[Row]:
    """All that any answer or schedule rests on."""
    table = load(book)
    for each in (*table["answer"], *table["schedule"].values()):
        yield from each["evidence"]


def found(item: Row, book: Path) -> tuple[str, str]:
    """The verdict that a chapter, a claim or a record holds now, and the sentence in which its study says it.

    Raises: `KeyError` for a name that is not there.
    """
    if "claim" in item:
        word = next(row["verdict"] for row in claims(book) if row["id"] == item["claim"])
        return word, VERDICTS[word][0]
    values = glued(book / f"{item['chapter']}.ipynb") if "chapter" in item else results(item)
    return str(values[item["key"]]), str(values.get(f"{item['key']}-says", values[item["key"]]))


def results(item: Row) -> Row:
    """What a record holds of a run."""
    record = records.read(item["record"], "small")
    return next(run["results"] for run in record.runs if run["name"] == item["run"])


def margin(item: Row) -> str:
    values = results(item)
    answer = json.loads(values["answer"])
    return f"{answer['metric']}, {len(answer['report'])} seeds, margin {answer['margin']:g}"


def line(item: Row, book: Path) -> str:
    """An item of the evidence as text: what follows, the verdict in its study's words, and where it stands."""
    place = "[](claims.md)"
    if "key" in item:
        place = f"[]({item['chapter']}.ipynb)" if "chapter" in item else f"{margin(item)}; [](records.md)"
    return f"{item['for']} *{found(item, book)[1]}* ({place})"


def number(value: float) -> str:
    """As a reader would write it.

    >>> number(0.003), number(3e-05), number(1.0)
    ('0.003', '0.00003', '1')
    """
    return f"{value:.10f}".rstrip("0").rstrip(".")


def link(row: Row, book: Path) -> str:
    """A sentence about the chapter that measures it, if there is one."""
    there = row.get("chapter") and (book / f"{row['chapter']}.ipynb").exists()
    return f"The chapter for it: []({row['chapter']}.ipynb)." if there else ""


def bullets(lines: list[str]) -> str:
    return "\n".join(f"- {each}" for each in lines)


def code(parts: dict[str, str], more: dict[str, str] | None = None) -> str:
    """Tabs of code, one for each way. `more`: what comes later, to be copied by itself.

    >>> print(code({"torch": "x = 1", "keras": ""}, {"torch": "x = 0"}))
    `````{tab-set}
    ````{tab-item} PyTorch alone
    ```python
    x = 1
    ```
    <BLANKLINE>
    ```python
    x = 0
    ```
    ````
    `````
    """
    blocks = {
        kind: [each.strip() for each in (text, (more or {}).get(kind, "")) if each] for kind, text in parts.items()
    }
    tabs = [
        f"````{{tab-item}} {TABS[kind]}\n" + "\n\n".join(f"```python\n{each}\n```" for each in texts) + "\n````"
        for kind, texts in blocks.items() if texts
    ]  # fmt: skip
    return "\n".join(["`````{tab-set}", *tabs, "`````"])


def markdown(row: Row, book: Path) -> str:
    rate, decay, search = row["rate"], row["decay"], row["search"]
    table = {
        "Rate": f"{number(rate['start'])}, {rate['how']}",
        "Search": f"between {number(rate['low'])} and {number(rate['high'])}, {search['runs']} runs: {search['over']}",
        "Schedule": "[warm-up, then a line to zero](#schedules); with an open length, a constant rate and a cooldown",
        "Betas or momentum": row["betas"],
        "Weight decay": f"{number(decay['value'])}; exempt: {decay['exempt']}",
        "Clipping": row["clip"],
        "Parameter groups": row["groups"],
        "Average of weights": row["average"],
    }
    lines = [f"**{row['optimizer']}.** {link(row, book)}", "", "| | Take |", "|---|---|"]
    lines += [f"| {name} | {text} |" for name, text in table.items()]
    lines += ["", code(parts(row), later(row, "then"))]
    lines += ["", "**Look at**", "", bullets(row["look"])]
    lines += ["", "**What it rests on**", "", bullets([line(each, book) for each in row["evidence"]])]
    return "\n".join(lines)


def later(row: Row, ending: str) -> dict[str, str]:
    """What each way's code does later: in a search, `then`; for a run's `end`."""
    return {kind: row.get(f"{kind}_{ending}", "") for kind in TABS}


def parts(row: Row) -> dict[str, str]:
    """An answer's code, with the rate that it starts from."""
    known = {kind: row.get(kind, "").strip() for kind in TABS}
    if known["torch"] == known["lrcourse"]:
        known["torch"] = ""
    start = f"lr = {number(row['rate']['start'])}\n"
    if known["keras"]:
        known["keras"] = (
            f"# `rate` is a KerasSchedule that starts from {start.strip()}: see Schedules\n{known['keras']}"
        )
    return {kind: text if kind == "keras" or not text else place_of_rate(text, start) for kind, text in known.items()}


def place_of_rate(text: str, start: str) -> str:
    """The rate stands below the imports.

    >>> place_of_rate("import torch\\n\\nx = lr", "lr = 1\\n")
    'import torch\\n\\nlr = 1\\nx = lr'
    """
    imports, blank, rest = text.partition("\n\n")
    return f"{imports}\n\n{start}{rest}" if blank and imports.startswith(("from", "import")) else start + text


def index(book: Path) -> str:
    lines = ["| You train | Optimizer | Start at | Search | Weight decay | Clip |", "|---|---|--:|--:|--:|---|"]
    for row in load(book)["answer"]:
        rate = row["rate"]
        lines.append(
            f"| [{row['train']}](#{default_slugify(row['train'])}) | {row['optimizer']} | {number(rate['start'])} | "
            f"{number(rate['low'])} to {number(rate['high'])} | {number(row['decay']['value'])} | {row['clip']} |"
        )
    return "\n".join(lines)


def schedules(book: Path) -> str:
    lines = []
    for row in load(book)["schedule"].values():
        known = {kind: row.get(kind, "").strip() for kind in TABS}
        lines += [f"**{row['title']}**: {row['says']}.", "", code(known, later(row, "end")), ""]
        lines += [bullets([line(each, book) for each in row["evidence"]]), ""]
    return "\n".join(lines)


def despite(book: Path) -> str:
    """Each verdict that speaks against an answer, and what follows from it."""
    lines = []
    for row in load(book)["despite"]:
        said = [found({"chapter": row["chapter"], "key": key}, book)[1] for key in row["keys"]]
        lines.append(f"{row['follows']} *{'; '.join(said)}* ([]({row['chapter']}.ipynb))")
    return bullets(lines)


def newcomer() -> str:
    """What came out for somebody who followed an answer, beside a long search."""
    lines = ["| Task | Runs | Test loss | Runs of the search | Its test loss |", "|---|--:|--:|--:|--:|"]
    said = []
    for run in records.read("newcomer", "small").runs:
        held = run["results"]
        lines.append(
            f"| {run['name']} | {held['runs of the newcomer']:g} | {held['newcomer']} | "
            f"{held['runs of the search']:g} | {held['random search']} |"
        )
        said.append(f"*{held['newcomer-random search-says']}* ({run['name']}, margin {held['margin']})")
    return "\n".join([*lines, "", bullets(said)])


class OfAnswers(SphinxDirective):
    """What all of these directives do: turn the file into text, and be read again when it or a chapter changes."""

    def markdown(self, book: Path) -> str:
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        book = Path(self.env.srcdir, self.env.docname).parent
        read = {book / f"{each['chapter']}.ipynb" for each in evidence(book) if "chapter" in each}
        for path in (book / "answers.toml", book / "claims.toml", *read, *records.FOLDER.glob("*.json")):
            self.env.note_dependency(str(path))
        try:
            return self.parse_text_to_nodes(self.markdown(book))
        except (KeyError, StopIteration, RuntimeError) as error:
            raise self.error(f"answers.toml asks for what is not there: {error}") from None


class Answer(OfAnswers):
    required_arguments = 1

    def markdown(self, book: Path) -> str:
        return markdown(answer_of(book, self.arguments[0]), book)


class Index(OfAnswers):
    """In a box of its own, since on a phone each row becomes a card (custom.css)."""

    def markdown(self, book: Path) -> str:
        return index(book)

    def run(self) -> list[nodes.Node]:
        return [nodes.container("", *super().run(), classes=["answer-index"])]


class Schedules(OfAnswers):
    def markdown(self, book: Path) -> str:
        return schedules(book)


class Despite(OfAnswers):
    def markdown(self, book: Path) -> str:
        return despite(book)


class Newcomer(OfAnswers):
    def markdown(self, book: Path) -> str:
        return newcomer()


def setup(app: Sphinx) -> dict[str, bool]:
    for name, directive in {
        "answer": Answer, "answer-index": Index, "answer-schedules": Schedules, "answer-despite": Despite,
        "answer-newcomer": Newcomer,
    }.items():  # fmt: skip
        app.add_directive(name, directive)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
