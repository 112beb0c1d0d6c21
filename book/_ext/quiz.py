"""The `quiz` directive: a question with answers to choose from, each with its explanation.

    :::{quiz} What is $0.1 \\times 0.5$?
    - [ ] $0.5$ :: That is the factor, not the product.
    - [x] $0.05$ :: Half of $0.1$.
    :::

One right answer gives radio buttons, several give checkboxes. Without JavaScript each explanation is a `<details>`
that opens by itself; `_static/quiz.js` shows it when its answer is chosen.
"""

import re
from string import ascii_uppercase
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

ANSWER = re.compile(r"^- \[([ x])\] ", re.MULTILINE)


class tag(nodes.General, nodes.Element):  # type: ignore[misc]  # docutils has no types
    """An HTML element around other nodes."""


class phrase(nodes.TextElement):  # type: ignore[misc]  # docutils has no types
    """An HTML element around text, which a translation may replace."""


def open_tag(writer: Any, node: nodes.Element) -> None:
    writer.body.append(writer.starttag(node, node["tag"], "", **node["html"]))


def close_tag(writer: Any, node: nodes.Element) -> None:
    if node["tag"] != "input":
        writer.body.append(f"</{node['tag']}>")


def ignore(writer: Any, node: nodes.Element) -> None:
    """Formats other than HTML show the text alone."""


class Quiz(SphinxDirective):
    required_arguments = 1
    final_argument_whitespace = True
    has_content = True

    def run(self) -> list[nodes.Node]:
        before, *parts = ANSWER.split("\n".join(self.content))
        answers = [(mark == "x", *text.split("::")) for mark, text in zip(parts[::2], parts[1::2], strict=True)]
        whole = len(answers) > 1 and all(len(answer) == 3 for answer in answers)
        if before.strip() or not whole or not any(right for right, *_ in answers):
            raise self.error(
                "a quiz has two answers or more, `- [ ] answer :: explanation`, with `[x]` at the right ones"
            )
        kind = "radio" if sum(right for right, *_ in answers) == 1 else "checkbox"
        name = f"{self.env.docname}-quiz-{self.env.new_serialno('quiz')}".replace("/", "-")
        legend = self.phrase("legend", self.arguments[0])
        if kind == "checkbox":
            legend += nodes.emphasis("", " (more than one)")
        choices = [
            self.choice(letter, kind, name, *answer) for letter, answer in zip(ascii_uppercase, answers, strict=False)
        ]
        return [tag("", legend, *choices, tag="fieldset", html={"CLASS": "quiz"})]

    def choice(self, letter: str, kind: str, name: str, right: bool, answer: str, why: str) -> nodes.Node:
        box = tag("", tag="input", html={"type": kind, "name": name})
        reason = self.phrase("p", why)
        reason.insert(0, nodes.strong("", "Right. " if right else "No. "))
        explanation = tag(
            "", tag("", nodes.Text("Explanation"), tag="summary", html={}), reason, tag="details", html={}
        )
        # The letter gives every answer a name in plain text, also one that is mathematics alone.
        label = tag("", box, nodes.strong("", letter), self.phrase("span", answer), tag="label", html={})
        live = tag("", explanation, tag="div", html={"aria-live": "polite"})
        return tag("", label, live, tag="div", html={"CLASS": f"quiz-{'right' if right else 'wrong'}"})

    def phrase(self, name: str, text: str) -> nodes.Element:
        parsed, messages = self.parse_inline(" ".join(text.split()))
        node = phrase(text, "", *parsed, *messages, tag=name, html={})
        self.set_source_info(node)
        return node


def setup(app: Sphinx) -> dict[str, bool]:
    others: Any = {writer: (ignore, ignore) for writer in ("latex", "text", "man", "texinfo")}
    for node in (tag, phrase):
        app.add_node(node, html=(open_tag, close_tag), **others)
    app.add_directive("quiz", Quiz)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
