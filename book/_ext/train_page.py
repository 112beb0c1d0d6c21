"""What `{explorer} train` loads besides its figure: a network that trains in the page, with its data from Python."""

import inspect
import json
from pathlib import Path
from typing import Any

from docutils import nodes
from explorer import slimmed
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from train_data import tasks

from lrcourse import range_test

SCRIPTS = ("data.js", "examples.js", "range-test.js", "engine.js", "pictures.js", "train.js")
# What trains, in a worker. A page that was opened from the file system may start none from a file, but from a text.
TRAINER = ("explorers/schedules.js", "live/rules.js", "train/network.js", "train/examples.js", "train/training.js",
           "train/worker.js")  # fmt: skip
METHODS = ("SGD", "momentum", "RMSprop", "Adam", "AdamW", "Lion")
LIMITS = {
    "fewest": "FEWEST_POINTS",
    "edge": "EDGE",
    "decades": "DECADES",
    "noise_levels": "NOISE_LEVELS",
    "steep": "STEEP",
}


def limits() -> dict[str, float]:
    """The numbers by which a range test stops and suggests."""
    defaults = inspect.signature(range_test.range_test).parameters
    return {name: getattr(range_test, limit) for name, limit in LIMITS.items()} | {
        name: defaults[name].default for name in ("smooth", "stop")
    }


def trainer(static: Path) -> str:
    """The scripts that train, as one."""
    return "".join(slimmed((static / name).read_text(encoding="utf-8")) for name in TRAINER)


def write_data(app: Sphinx, env: BuildEnvironment) -> None:
    file = Path(app.outdir) / "_static" / "train" / "data.js"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(data(Path(app.srcdir) / "book" / "_static"), encoding="utf-8")


def data(static: Path) -> str:
    """The script that holds all that the page is given."""
    given = {"tasks": tasks(), "limits": limits(), "methods": METHODS, "trainer": trainer(static)}
    plain = json.dumps(given, separators=(",", ":"), ensure_ascii=False)
    return f"(window.lrcourse ??= {{}}).train = {plain};\n"


def load(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    if "train" in app.env.metadata.get(page, {}).get("explorers", []):
        app.add_css_file("live/live.css")  # the looks of words that set the figure
        app.add_css_file("train/train.css")
        for script in SCRIPTS:
            app.add_js_file(f"train/{script}", loading_method="defer")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("env-updated", write_data)
    app.connect("html-page-context", load)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
