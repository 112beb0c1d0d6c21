"""A page as plain Markdown, which JupyterLab and Colab show as the page does: with its numbers, names and links.

It is written from the resolved document, where roles and directives have become what they stand for. A kind of node
that has no function here stops the build, so that nothing is lost unsaid.
"""

import html
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urljoin

from docutils import nodes

COUNTED = re.compile(r"id\d+")
CELL = 10_000  # MyST-NB counts the lines of a notebook's first cell from here, of its second from twice that


class Unknown(NotImplementedError):
    """A node that has no counterpart in Markdown yet."""


class Plain:
    """Writes the nodes of one page.

    `address`: where it is published, which relative links start from; `numbers`: of its figures ("Fig. 7") and of the
    chapter ("7."), by id; `pictures`: the addresses of its pictures, by their files.
    """

    def __init__(
        self, page: nodes.document, address: str, numbers: Mapping[str, str], pictures: Mapping[str, str]
    ) -> None:
        self.page, self.address, self.numbers, self.pictures = page, address, numbers, pictures
        # An id that was counted names something else in the next edition. The name of a section stays.
        self.lasting = {
            each: next((name for name in section["ids"] if not COUNTED.fullmatch(name)), "")
            for section in page.findall(nodes.section)
            for node in section.findall(nodes.Element)
            for each in node["ids"]
            if COUNTED.fullmatch(each)
        }

    def cells(self) -> dict[int, str]:
        """The text of each Markdown cell, and what stands below the output of a code cell, by the cell's index."""
        found: dict[int, list[str]] = defaultdict(list)
        index = 0
        for level, node in _parts(self.page, 0):
            index = node["cell_index"] if "cell_index" in node else (node.line or 0) // CELL - 1 if node.line else index
            if "cell_index" in node:
                found[index] += map(self.caption, node.findall(nodes.figure))
            elif isinstance(node, nodes.title):
                number = [self.numbers[each] for each in node.parent["ids"] if each in self.numbers]
                found[index].append(" ".join(["#" * level, *number, self.inlines(node)]))
            else:
                found[index].append(self.block(node))
        return {index: text for index, blocks in found.items() if (text := _paragraphs(blocks))}

    def caption(self, figure: nodes.figure) -> str:
        """The number and the caption of a figure, and what its picture shows in words."""
        alternative = next(iter(figure.findall(nodes.image))).get("alt", "")
        return _paragraphs([self.numbered(figure), _folded("The figure in words", _escape(alternative))])

    def numbered(self, figure: nodes.figure) -> str:
        number = [f"**{self.numbers[each]}**" for each in figure["ids"] if each in self.numbers]
        return " ".join([*number, *map(self.inlines, figure.findall(nodes.caption))])

    # ---- blocks ----

    def blocks(self, parent: nodes.Element) -> str:
        return _paragraphs(self.block(each) for each in parent.children)

    def block(self, node: nodes.Node) -> str:
        return self._written("block", node)

    def block_paragraph(self, node: nodes.paragraph) -> str:
        return _line_start(self.inlines(node))

    def block_rubric(self, node: nodes.TextElement) -> str:
        return f"**{self.inlines(node)}**"

    block_sd_tab_label = block_rubric

    def block_container(self, node: nodes.container) -> str:
        if "sd-card-title" in node["classes"]:
            return f"**{self.inlines(node)}**"
        return self.blocks(node)

    def block_literal_block(self, node: nodes.literal_block) -> str:
        fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", node.astext())), default=0))
        return f"{fence}{node.get('language', '')}\n{node.astext().rstrip()}\n{fence}"

    def block_math_block(self, node: nodes.math_block) -> str:
        return node.astext() if node.get("nowrap") else f"$$\n{node.astext().strip()}\n$$"

    def block_bullet_list(self, node: nodes.bullet_list) -> str:
        return "\n".join(_item("- ", self.blocks(each)) for each in node.children)

    def block_enumerated_list(self, node: nodes.enumerated_list) -> str:
        return "\n".join(_item(f"{n}. ", self.blocks(each))
                         for n, each in enumerate(node.children, start=node.get("start", 1)))  # fmt: skip

    def block_admonition(self, node: nodes.admonition) -> str:
        title, *rest = node.children
        return _quoted(_paragraphs([f"**{self.inlines(title)}**", *map(self.block, rest)]))

    def block_note(self, node: nodes.Admonition) -> str:
        return _quoted(_paragraphs([f"**{type(node).__name__.title()}**", self.blocks(node)]))

    block_tip = block_hint = block_important = block_warning = block_caution = block_danger = block_error = block_note
    block_attention = block_note

    def block_block_quote(self, node: nodes.block_quote) -> str:
        return _quoted(self.blocks(node))

    def block_definition_list(self, node: nodes.definition_list) -> str:
        return "\n".join(_item("- ", _paragraphs([f"**{self.inlines(term)}**", *map(self.blocks, meanings)]))
                         for term, *meanings in node.children)  # fmt: skip

    def block_transition(self, node: nodes.transition) -> str:
        return "---"

    def block_figure(self, node: nodes.figure) -> str:
        return _paragraphs([*map(self.inline, node.findall(nodes.image)), self.numbered(node)])

    def block_image(self, node: nodes.image) -> str:
        return self.inline(node)

    def block_table(self, node: nodes.table) -> str:
        rows = [[self.entry(entry) for entry in row.children] for row in node.findall(nodes.row)]
        return "\n".join(f"| {' | '.join(row)} |" for row in [rows[0], ["---"] * len(rows[0]), *rows[1:]])

    def entry(self, node: nodes.entry) -> str:
        return self.blocks(node).replace("\n", " ").replace("|", r"\|")

    def block_citation(self, node: nodes.citation) -> str:
        return _item("- ", _paragraphs(map(self.block, node.children[1:])))  # without the label

    def block_dropdown_main(self, node: nodes.Element) -> str:
        title, *rest = node.children
        words = (each.astext() for each in title.findall(nodes.Text) if not isinstance(each.parent, nodes.raw))
        return _folded("".join(words), _paragraphs(map(self.block, rest)))

    def block_tag(self, node: nodes.Element) -> str:
        """A quiz: the question with its answers, and below them, folded, what is said about each."""
        question, *choices = node.children
        answers, reasons = [], []
        for choice in choices:
            (_, letter, answer), live = choice.children[0].children, choice.children[1]
            reason = live.children[0].children[1]
            answers.append(_item("- ", f"**{letter.astext()}** {self.inlines(answer)}"))
            reasons.append(_item("- ", f"**{letter.astext()}**: {self.inlines(reason)}"))
        return _paragraphs(
            [f"**{self.inlines(question)}**", "\n".join(answers), _folded("Answers", "\n".join(reasons))]
        )

    def block_live(self, node: nodes.Element) -> str:
        return self.blocks(node)

    def nothing(self, node: nodes.Node) -> str:
        return ""

    block_compound = nothing  # the list of pages, which the builder put there
    block_comment = block_target = block_sd_tab_input = nothing

    # ---- inline ----

    def inlines(self, parent: nodes.Element) -> str:
        return "".join(map(self.inline, parent.children))

    def inline(self, node: nodes.Node) -> str:
        return self._written("inline", node)

    def inline_Text(self, node: nodes.Text) -> str:
        return _escape(str(node))

    def inline_strong(self, node: nodes.strong) -> str:
        return _between("**", self.inlines(node))

    def inline_emphasis(self, node: nodes.emphasis) -> str:
        return _between("*", self.inlines(node))

    def inline_literal(self, node: nodes.literal) -> str:
        ticks = "`" * (1 + max((len(run) for run in re.findall("`+", node.astext())), default=0))
        space = " " * node.astext().startswith("`")
        return f"{ticks}{space}{node.astext()}{space}{ticks}"

    def inline_math(self, node: nodes.math) -> str:
        return f"${node.astext().strip()}$"

    def inline_reference(self, node: nodes.reference) -> str:
        target = node["refuri"] if "refuri" in node else f"#{node['refid']}"
        page, _, anchor = urljoin(self.address, target).partition("#")
        anchor = self.lasting.get(anchor, anchor) if page == self.address else anchor
        return f"[{self.inlines(node)}]({page}{'#' * bool(anchor)}{anchor})"

    def inline_image(self, node: nodes.image) -> str:
        address = self.pictures.get(node["uri"], node["uri"])
        return f"![{_escape(node.get('alt', ''))}]({urljoin(self.address, address)})"

    inline_inline = inline_paragraph = inline_target = inline_PassthroughTextElement = inline_setting = inlines
    inline_raw = nothing

    def _written(self, kind: str, node: nodes.Node) -> str:
        write: Any = getattr(self, f"{kind}_{type(node).__name__}", None)
        if write is None:
            raise Unknown(
                f"{node.source}:{node.line}: no plain Markdown for {type(node).__name__}: {node.astext()[:80]}"
            )
        return str(write(node))


def _parts(section: nodes.Element, level: int) -> Iterable[tuple[int, nodes.Element]]:
    """Headings, paragraphs and so on in their order, each with the level of its section."""
    for node in section.children:
        if isinstance(node, nodes.section):
            yield from _parts(node, level + 1)
        elif isinstance(node, nodes.Element):
            yield level, node


def _paragraphs(blocks: Iterable[str]) -> str:
    return "\n\n".join(block for block in blocks if block)


def _item(mark: str, text: str) -> str:
    return mark + text.replace("\n", "\n" + " " * len(mark)).replace("\n" + " " * len(mark) + "\n", "\n\n")


def _between(mark: str, text: str) -> str:
    """Marks enclose no spaces at their ends.

    >>> _between("**", "No. ") + "That is more."
    '**No.** That is more.'
    """
    before, inner, after = re.fullmatch(r"(\s*)(.*?)(\s*)", text, re.DOTALL).groups()  # type: ignore[union-attr]
    return f"{before}{mark}{inner}{mark}{after}" if inner else text


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))


def _folded(title: str, text: str) -> str:
    return f"<details>\n<summary>{html.escape(title, quote=False)}</summary>\n\n{text}\n\n</details>"


def _escape(text: str) -> str:
    r"""Text without the signs that Markdown would read as its own.

    >>> print(_escape("2 * 3 <b> a_b_ $5 [0.1, 0.3] (95 %)"))
    2 \* 3 \<b> a\_b\_ \$5 [0.1, 0.3] (95 %)
    """
    text = re.sub(r"\s+", " ", text)
    return re.sub(r"[\\`*_$~]|<(?=[A-Za-z/!?])|\](?=\()", r"\\\g<0>", text)


def _line_start(text: str) -> str:
    r"""A paragraph that is not read as a list, a heading or a quotation.

    >>> print(_line_start("1. of May"), _line_start("# no heading"), _line_start("- 5"), _line_start("10.5"))
    1\. of May \# no heading \- 5 10.5
    """
    text = re.sub(r"^(\d+)([.)])(?=\s)", r"\1\\\2", text)
    return re.sub(r"^([-+]\s|#{1,6}\s|>)", r"\\\1", text)
