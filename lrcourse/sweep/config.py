"""A sweep written down: a TOML file for the command line."""

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .. import data
from ..schedules import Schedule
from ..torch import MLP
from ..validation import bad, choice
from .run import sweep
from .settings import grid

DATA: dict[str, Callable[..., data.Dataset]] = {
    "moons": data.moons, "digits": data.digits, "linear_regression": data.linear_regression,
}  # fmt: skip
OPTIONS = ["steps", "loss", "optimizer", "nesterov", "batch_size", "engine", "jobs"]


def read(path: Path) -> dict[str, Any]:
    """The arguments of `sweep` in a TOML file: its options, and the tables `data`, `model` and `grid`.

    `[data]` names a data set (`name = "moons"`) and its arguments; `[model]` gives the `sizes` of an `MLP`, its
    `activation` and a `dtype`; `[grid]` lists values, or spaces them: `lr = {geomspace = [0.001, 1.0, 64]}`,
    `linspace` and `range` likewise. Schedules stand as `Schedule.to_dict` writes them: `{kind = "Cosine", …}`.

    Raises: `ValueError` for a file that is not TOML, and for what the tables do not know.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise bad("config", str(path), "a readable TOML file", str(error)) from None
    if missing := {"data", "model", "grid", "steps"} - set(table):
        raise bad("config", sorted(table), f"complete, with {sorted(missing)}", "see lrcourse.sweep.config.read")
    chosen, model, values = (dict(_table(name, table.pop(name))) for name in ("data", "model", "grid"))
    if unknown := set(table) - set(OPTIONS):
        raise bad("option", sorted(unknown), f"one of {OPTIONS}", "see lrcourse.sweep.sweep")
    if (name := chosen.pop("name", None)) not in DATA:
        raise bad("data.name", name, f"one of {sorted(DATA)}", "use Python for data of your own")
    dtype = choice("float32", "float64")("dtype", model.pop("dtype", "float32"))
    settings = grid(**{key: _listed(key, value) for key, value in values.items()})
    _called("model", MLP, model)
    return {
        "model_fn": lambda: MLP(**model).to(getattr(torch, dtype)),
        "data": _called("data", DATA[name], chosen),
        "settings": settings,
        **table,
    }


def run(path: Path, folder: Path | None, cluster: str | None = None) -> Any:
    """Train the sweep in the file `path`, and return its result. `folder`, `cluster`: see `lrcourse.sweep.sweep`."""
    return sweep(**read(path), folder=folder, cluster=cluster)


def _table(name: str, value: Any) -> Any:
    if not isinstance(value, dict):
        raise bad(name, value, "a table", f"write [{name}] and its values below it")
    return value


def _called(name: str, build: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    try:
        return build(**arguments)
    except TypeError as error:
        raise bad(name, arguments, f"a table of arguments of {build.__name__}", str(error)) from None


def _listed(name: str, values: Any) -> Any:
    if not isinstance(values, dict):
        return [_parsed(value) for value in values] if isinstance(values, list) else values
    spaced: dict[str, Any] = {"geomspace": np.geomspace, "linspace": np.linspace, "range": range}
    if len(values) != 1 or not set(values) <= set(spaced):
        raise bad(name, values, f"a list of values, or one of {sorted(spaced)}", f"write {name} = [...]")
    ((kind, arguments),) = values.items()
    try:
        return list(spaced[kind](*arguments))
    except (TypeError, ValueError) as error:
        raise bad(name, values, "spaced as [first, last, number]", str(error)) from None


def _parsed(value: Any) -> Any:
    return Schedule.from_dict(value) if isinstance(value, dict) else value
