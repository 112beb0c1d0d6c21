"""`{live} NAME`: a figure to play with, right under a chapter's opening paragraph; `{set}` makes words set it.

    With {set}`a rate of 1.9 <rate=1.9&momentum=0>` every step lands on the other side.

`book/live.toml` says what each figure holds. Its scripts are loaded when the reader comes near it
(`_static/live/live.js`); without scripts, in print and in notebooks a sentence stands in its place, and words are
words.
"""

import functools
import json
import re
import tomllib
from pathlib import Path
from typing import Any

from docutils import nodes
from explorer import SHARED
from quiz import close_tag, ignore, open_tag, tag
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective, SphinxRole

FIGURES = "book/live.toml"
# What each module needs besides plots and controls.
SURFACES, SCHEDULES = "explorers/surfaces.js", "explorers/schedules.js"
NOISE, RULES = "live/noise.js", "live/rules.js"
RACE = (NOISE, RULES, "live/race.js")
NEEDS = {
    "descent": (SURFACES,),
    "saddle": (SURFACES, NOISE),
    "schedule": (SCHEDULES, NOISE),
    "warmup": (SCHEDULES, NOISE),
    "batch": (NOISE,),
    "adaptive": (SURFACES, RULES),
    "edge": (SCHEDULES, NOISE),
    "average": (SCHEDULES, NOISE),
    "matrix": (SCHEDULES, RULES),
    "search": (),
    "carry": (),
    "law": (SCHEDULES,),
    "together": (SCHEDULES, *RACE),
    "plateau": (NOISE,),
    "groups": (SCHEDULES, NOISE),
    "sweep": RACE,
}
SETS = re.compile(r"(?s)(?P<words>.+?)\s*<(?P<query>[\w.]+=[^<>=&]+(?:&[\w.]+=[^<>=&]+)*)>")


class live(tag):
    """A part of a live figure: an HTML element around its sentences."""


class setting(nodes.inline):  # type: ignore[misc]  # docutils has no types
    """Words that set the figure of their page."""


class Live(SphinxDirective):
    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        name = self.arguments[0]
        file = Path(self.env.srcdir) / FIGURES
        self.env.note_dependency(str(file))
        figures = described(file.read_text(encoding="utf-8"))
        if name not in figures:
            raise self.error(f"{name!r} is no live figure: choose one of {', '.join(figures)}")
        figure = figures[name]
        self.env.metadata.setdefault(self.env.docname, {})["live"] = name
        lacking = nodes.paragraph("", classes=["live-needs"])
        lacking += [
            nodes.Text("A "), nodes.reference("", "figure to play with", refid="live", internal=True),
            nodes.Text(" stands here on the page, where scripts run."),
        ]  # fmt: skip
        wide, narrow = figure["height"]
        place = live("", lacking, tag="div", html={
            "CLASS": "explorer live-place", "style": f"--wide: {wide}px; --narrow: {narrow}px",
        })  # fmt: skip
        words, messages = self.parse_inline(" ".join(figure["caption"].split()))
        caption = live("", nodes.paragraph("", "", *words), tag="figcaption", html={})
        return [live("", place, caption, tag="figure", ids=["live"], html={
            "CLASS": "live", "data-module": figure["module"], "data-scripts": " ".join(scripts(figure["module"])),
            "data-given": json.dumps(figure.get("given", {}), separators=(",", ":"), ensure_ascii=False),
        }), *messages]  # fmt: skip


class Set(SphinxRole):
    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        match = SETS.fullmatch(self.text)
        if match is None:
            message = self.inliner.reporter.error(f"{self.text!r} is not `words <name=value>`", line=self.lineno)
            return [nodes.problematic(self.rawtext, self.rawtext)], [message]
        return [setting(self.rawtext, match["words"], query=match["query"])], []


@functools.cache
def described(text: str) -> dict[str, Any]:
    return tomllib.loads(text)


def scripts(module: str) -> list[str]:
    """What a figure loads, in order, below the folder of static files."""
    return [*(f"explorers/{name}" for name in SHARED), *NEEDS[module], "live/kit.js", f"live/{module}.js"]


def open_setting(writer: Any, node: nodes.Element) -> None:
    writer.body.append(writer.starttag(node, "span", "", CLASS="set", **{"data-set": node["query"]}))


def close_setting(writer: Any, node: nodes.Element) -> None:
    writer.body.append("</span>")


def load(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """Pages with a live figure load its styles and what waits for the reader to come near."""
    if "live" in app.env.metadata.get(page, {}):
        app.add_css_file("explorers/explorers.css")
        app.add_css_file("live/live.css")
        app.add_js_file("live/live.js", loading_method="defer")


def setup(app: Sphinx) -> dict[str, bool]:
    others: Any = {writer: (ignore, ignore) for writer in ("latex", "text", "man", "texinfo")}
    app.add_node(live, html=(open_tag, close_tag), **others)
    app.add_node(setting, html=(open_setting, close_setting), **others)
    app.add_directive("live", Live)
    app.add_role("set", Set())
    app.connect("html-page-context", load)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
