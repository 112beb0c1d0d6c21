"""`{own-run}`: a place to drop the log of a run, which scripts draw and diagnose in the page.

The rules are in `_static/own-run`, restated; what they say and what they go by comes from `lrcourse.audit`, as the
script `own-run/data.js`: the words of each fault, the names of columns, the limits, what the schedules take.
Without scripts a sentence about `lrcourse audit` stands there.
"""

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args, get_type_hints

from docutils import nodes
from explorer import SHARED
from myst_parser.mdit_to_docutils.base import default_slugify
from own_run_examples import EXAMPLES
from quiz import tag
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective

from lrcourse import validation
from lrcourse.audit import logs, placement, rules
from lrcourse.audit.faults import FAULTS
from lrcourse.schedules import base
from lrcourse.schedules.base import Schedule
from lrcourse.schedules.parsing import FUNCTIONS

SCRIPTS = ("numbers.js", "logs.js", "placement.js", "rules.js", "spec.js", "own-run.js")
LIMITS = {placement: ("MOST", "SAMPLE", "LONGEST", "AHEAD"), rules: ("PLACES", "ENDS", "ENOUGH", "HIGH")}
# What the explorers' formulas leave out; a text that uses it is for the command.
UNREAD = {"Lambda", "BatchSchedule"}
UNREAD_FIELDS = {("SGDR", "cycles"), ("InverseTime", "every"), ("Cyclic", "scale_fn"), ("Cyclic", "scale_mode")}
READ_FUNCTIONS = {"warmup", "minimum", "maximum", "epochs", "steps_per_epoch"}
PROBES = (-1, 0, 0.5, 1, 1.5, 2, None)  # one of each sort of number that a check may tell apart
# A browser that obeys sends nothing from this page, whatever a script asks for.
POLICY = "connect-src 'none'; form-action 'none'"


class OwnRun(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        self.env.metadata.setdefault(self.env.docname, {})["own-run"] = True
        lacking = self.parse_text_to_nodes(
            "Where scripts run, a log is drawn and diagnosed here. The same without a page: `lrcourse audit log.csv`."
        )
        return [tag("", *lacking, tag="section", html={"CLASS": "own-run", "aria-label": "Your own run"})]


def data() -> dict[str, Any]:
    """All that the scripts take from the package."""
    functions = {each.__name__: each for each in FUNCTIONS if each.__name__ in READ_FUNCTIONS}
    kinds = {name: fields(cls) for name, cls in Schedule.kinds.items()
             if cls.__module__.startswith("lrcourse.schedules.") and name not in UNREAD}  # fmt: skip
    return {
        "faults": {name: {**fault._asdict(), "card": f"audit.html#fault-{default_slugify(name)}"}
                   for name, fault in FAULTS.items()},
        "columns": {"step": logs.STEPS, "rate": logs.RATES, "loss": logs.LOSSES, "momentum": logs.MOMENTA,
                    "epoch": logs.EPOCHS, "held_out": logs.HELD_OUT.pattern},
        "limits": {name: getattr(module, name) for module, names in LIMITS.items() for name in names},
        "signatures": {"kinds": kinds, "functions": {name: arguments(each) for name, each in functions.items()}},
        "examples": [each() for each in EXAMPLES],
    }  # fmt: skip


def fields(cls: type[Schedule]) -> list[dict[str, Any]]:
    """What a schedule takes: each field's name, its default, and which sorts of values."""
    hints = get_type_hints(cls, include_extras=True)
    return [described(name, default(each), get_args(hints[name])[1]) for name, each in
            inspect.signature(cls).parameters.items() if (cls.__name__, name) not in UNREAD_FIELDS]  # fmt: skip


# What a function's own lines check.
ARGUMENTS: dict[str, Callable[[str, Any], Any]] = {
    "schedule": base.child, "a": base.operand, "b": base.operand, "steps": validation.steps_or_zero,
    "start": validation.rate, "n": validation.positive(""), "steps_per_epoch": validation.whole_steps,
    "samples": validation.whole_steps, "batch_size": validation.batch_length,
}  # fmt: skip


def arguments(function: Callable[..., Any]) -> list[dict[str, Any]]:
    return [described(name, default(each), ARGUMENTS[name]) for name, each in
            inspect.signature(function).parameters.items()]  # fmt: skip


def default(parameter: inspect.Parameter) -> dict[str, Any]:
    return {} if parameter.default is inspect.Parameter.empty else {"default": parameter.default}


def described(name: str, given: dict[str, Any], check: Callable[[str, Any], Any]) -> dict[str, Any]:
    """An argument: a schedule, one of a few, a list, or a number; and how the package's complaint ends."""
    held = inspect.getclosurevars(check).nonlocals
    if check in (base.child, base.operand):
        sort: dict[str, Any] = {"is": check.__name__, "must": "a schedule"}
    elif "allowed" in held:
        sort = {"is": "choice", "choices": held["allowed"], "must": " or ".join(map(repr, held["allowed"]))}
    elif check in (validation.rising_steps, validation.rates):
        sort = {
            "is": "list",
            "takes": accepted(lambda n, v: check(n, [v])),
            "must": "a list of numbers, in rising order if steps",
        }
    else:
        sort = {"is": "number", "takes": accepted(check), "must": must(check)}
    return {"name": name, **given, **sort}


def accepted(check: Callable[[str, Any], Any]) -> list[bool]:
    return [accepts(check, each) for each in PROBES]


def accepts(check: Callable[[str, Any], Any], value: Any) -> bool:
    try:
        check("value", value)
    except ValueError:
        return False
    return True


def must(check: Callable[[str, Any], Any]) -> str:
    """What the check says a value must be."""
    try:
        check("value", -0.5)
    except ValueError as error:
        return str(error).removeprefix("value must be ").partition(", got")[0]
    return "a number"


def write_data(app: Sphinx, env: BuildEnvironment) -> None:
    """A script, since a page that was opened from the file system may not read files."""
    file = Path(app.outdir) / "_static" / "own-run" / "data.js"
    file.parent.mkdir(parents=True, exist_ok=True)
    plain = json.dumps(data(), separators=(",", ":"), ensure_ascii=False)
    file.write_text(f"(window.lrcourse ??= {{}}).audit = {plain};\n", encoding="utf-8")


def load(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """The scripts and styles of the page, and what it forbids itself."""
    if "own-run" not in app.env.metadata.get(page, {}):
        return
    context["metatags"] = (
        context.get("metatags", "") + f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    )
    app.add_css_file("explorers/explorers.css")
    app.add_css_file("own-run/own-run.css")
    for file in (*(f"explorers/{each}" for each in (*SHARED, "schedules.js")), "own-run/data.js",
                 *(f"own-run/{each}" for each in SCRIPTS)):  # fmt: skip
        app.add_js_file(file, loading_method="defer")


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("own-run", OwnRun)
    app.connect("env-updated", write_data)
    app.connect("html-page-context", load)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
