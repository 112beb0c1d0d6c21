"""Experiments too long for a page: one module each, run by `lrcourse records run`, shown by the pages from the record.

A module defines `SIZES` (their names), `plan(size)` (the runs, as pairs of a name and a seed) and
`run(name, seed, size, device)` (one run's results, a dictionary of numbers, lists of numbers or text). What it imports
decides its results; if it executes notebooks or scripts, it names them as `NOTEBOOKS` or `SCRIPTS`.
"""

import importlib
import pkgutil
from collections.abc import Mapping
from typing import Any, Protocol, cast

from ...validation import choice


class Experiment(Protocol):
    """What an experiment's module defines."""

    SIZES: Mapping[str, Any]
    __name__: str

    def plan(self, size: str) -> list[tuple[str, int]]: ...
    def run(self, name: str, seed: int, size: str, device: str) -> dict[str, Any]: ...


def names() -> list[str]:
    """The experiments there are.

    >>> "comparison" in names()
    True
    """
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def find(name: str) -> Experiment:
    """The experiment called `name`.

    Raises: `ValueError` for a name that no experiment has.

    >>> sorted(find("comparison").SIZES)
    ['full', 'live', 'small']
    """
    module = importlib.import_module(f"{__name__}.{choice(*names())('name', name)}")
    return cast(Experiment, module)
