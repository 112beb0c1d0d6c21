"""`{explorer} NAME`: a figure that scripts turn into something to play with.

Without scripts, and in print, its picture stands there; the caption serves both. Only pages that hold an explorer load
the scripts and the records, which lie in `_static/explorers`.
"""

import json
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst.directives.images import Figure
from explorer_pictures import PICTURES
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective

from lrcourse import records

SHARED = ("plot.js", "controls.js")
# What each explorer loads besides, in order: scripts, and the record that it shows.
SCRIPTS = {
    "schedule": ("schedules.js", "schedule-code.js", "schedule-explorer.js"),
    "descent": ("surfaces.js", "descent-playground.js"),
    "range-test": ("range-reader.js",),
    "trainability": ("trainability-map.js",),
    "train": ("schedules.js",),  # and what train_page.py loads
}
RECORDS = {"range-test": "range_tests", "trainability": "trainability"}


class Explorer(SphinxDirective, Figure):  # type: ignore[misc]  # docutils has no types
    """A figure, with the explorer's name in the place of the image's address."""

    def run(self) -> list[nodes.Node]:
        name = self.arguments[0]
        if name not in SCRIPTS:
            raise self.error(f"{name!r} is no explorer: choose one of {', '.join(SCRIPTS)}")
        root = Path(self.env.srcdir)
        record = record_of(name)
        if record:
            self.env.note_dependency(str(record))
        picture = drawn(root, name, record)
        self.arguments[0] = f"/{picture.relative_to(root)}"
        held = self.env.metadata.setdefault(self.env.docname, {}).setdefault("explorers", [])
        held.append(name)
        figure, *others = Figure.run(self)
        figure["classes"].append(f"explorer-{name}")
        return [figure, *others]


def record_of(name: str) -> Path | None:
    return records.path(RECORDS[name], "small") if name in RECORDS else None


def drawn(root: Path, name: str, record: Path | None) -> Path:
    """The static picture, below the output folder, from where Sphinx copies it."""
    file = root / "_build" / "explorers" / f"{name}.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    figure = PICTURES[name](*([json.loads(record.read_text(encoding="utf-8"))] if record else []))
    figure.savefig(file)
    return file


def load(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """Add scripts and styles to a page with explorers."""
    names = app.env.metadata.get(page, {}).get("explorers", [])
    if not names:
        return
    app.add_css_file("explorers/explorers.css")
    files = [f"records/{RECORDS[name]}.js" for name in names if name in RECORDS]
    files += [*SHARED, *(script for name in names for script in SCRIPTS[name])]
    for file in dict.fromkeys(files):
        app.add_js_file(f"explorers/{file}", loading_method="defer")


def write_records(app: Sphinx, env: BuildEnvironment) -> None:
    """The records as scripts, since a page that was opened from the file system may not read files."""
    for name, experiment in RECORDS.items():
        record = record_of(name)
        if record and record.exists():
            file = Path(app.outdir) / "_static" / "explorers" / "records" / f"{experiment}.js"
            file.parent.mkdir(parents=True, exist_ok=True)
            plain = json.dumps(json.loads(record.read_text(encoding="utf-8")), separators=(",", ":"))
            script = f"((window.lrcourse ??= {{}}).records ??= {{}}).{experiment} = {plain};\n"
            file.write_text(script, encoding="utf-8")


def slim(app: Sphinx, exception: Exception | None) -> None:
    """Indentation and comments of the scripts stay in the repository."""
    static = Path(app.outdir) / "_static"
    for folder in ("explorers", "live", "own-run", "train"):
        for script in static.glob(f"{folder}/*.js"):
            script.write_text(slimmed(script.read_text(encoding="utf-8")), encoding="utf-8")


def slimmed(script: str) -> str:
    lines = [line.strip() for line in script.splitlines()]
    return "\n".join(line for line in lines if line and not line.startswith("//")) + "\n"


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("explorer", Explorer)
    app.connect("env-updated", write_records)
    app.connect("html-page-context", load)
    app.connect("build-finished", slim)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
