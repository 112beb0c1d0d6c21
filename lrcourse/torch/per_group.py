"""What schedules say for each parameter group, read from a table."""

import functools
import sys
import types
from collections.abc import Sequence
from dataclasses import fields
from numbers import Integral, Real
from typing import Any

import numpy as np

from ..schedules import Schedule
from ..schedules.base import kind_of
from ..schedules.values import Array, momenta, rates
from ..validation import bad

Schedules = Schedule | Sequence[Schedule]
CHUNK = 1024


class PerGroup:
    """One schedule for all parameter groups, each with its share of it, or one schedule for each group.

    A NumPy call for one number costs more than a small update, so 1,024 steps are computed at a time. A table starts
    at a multiple of 1,024, so a resumed run reads the same one. A step that cannot be told ahead (a function may know
    none beyond the end of the run, or the step is a fraction) is computed when it is asked for.
    """

    def __init__(self, name: str, schedules: Schedules) -> None:
        listed = [schedules] if isinstance(schedules, Schedule) else schedules
        if not isinstance(listed, list | tuple) or not all(isinstance(each, Schedule) for each in listed):
            raise bad(name, schedules, "a Schedule or a list of them", "pass for example Constant(0.1)")
        self.name = name
        self.schedules = list(listed)
        self.shared = isinstance(schedules, Schedule)
        self.fit([1.0] * len(self.schedules))

    def fit(self, shares: list[float], highest: float = sys.float_info.max) -> None:
        """Answer for as many groups as there are `shares`; in a list, schedules may wait for groups to come.

        `highest`: what the groups can hold.

        Raises: `ValueError` if there are more groups than schedules in a list.
        """
        if not self.shared and len(self.schedules) < len(shares):
            raise self.unfit(len(shares))
        self.shares, self.highest = shares, highest
        self.chunk: int | None = None
        self.table: dict[float, list[float]] = {}

    def unfit(self, groups: int) -> ValueError:
        fix = "pass a single schedule to share it, or append one before a group is added"
        return bad(self.name, self.schedules, f"one schedule per parameter group, {groups} in all", fix)

    def used(self) -> list[Schedule]:
        """The schedules of the groups that are there."""
        return self.schedules[: 1 if self.shared else len(self.shares)]

    def described(self) -> Any:
        """The schedules in use as plain data, with functions by name and numbers: only to be compared."""
        return _described(self.used())

    def at(self, step: float) -> list[float]:
        """What each group has at `step`; the list is the table's own."""
        row = self.table.get(step)
        return self._beyond(step) if row is None else row

    def _beyond(self, step: float) -> list[float]:
        chunk = int(step // CHUNK)
        if chunk != self.chunk:
            self.chunk, self.table = chunk, self._ahead(chunk * CHUNK)
        row = self.table.get(step)
        return self._values(step) if row is None else row

    def _ahead(self, first: int) -> dict[float, list[float]]:
        steps = np.arange(first, first + CHUNK)
        try:
            return dict(zip(steps.tolist(), self._values(steps)))
        except Exception:  # whatever a function may raise; the step that has no value will tell
            return {}

    def _values(self, steps: Any) -> Any:
        told = [self._told(each, np.asarray(steps, dtype=np.float64)) for each in self.used()]
        with np.errstate(over="ignore"):
            values = np.stack(told, axis=-1) * self.shares
        if (values > self.highest).any():
            *at, group = np.argwhere(values > self.highest)[0]
            step, value = np.asarray(steps)[tuple(at)], float(values[(*at, group)])
            raise bad(f"the rate of group {group} at step {step}", value, f"at most {self.highest:.5g}",
                      "lower the schedule, or that group's share in it")  # fmt: skip
        return values.tolist()

    def _told(self, schedule: Schedule, steps: Array) -> Array:
        """What `schedule` says for `steps`, made sure of once more: a class of one's own may override the call."""
        return momenta(schedule, steps) if self.name == "momentum" else rates(schedule, schedule(steps), steps)


def _described(value: Any) -> Any:
    if isinstance(value, Schedule):
        parameters = {field.name: _described(getattr(value, field.name)) for field in fields(value)}
        return {"kind": kind_of(type(value)), **parameters}
    if isinstance(value, list | tuple):
        return [_described(item) for item in value]
    if isinstance(value, functools.partial):
        held = [*value.args, *sorted(value.keywords.items())]
        return {"partial": _described(value.func), "held": _held(held)}
    if callable(value):
        return _function(value)
    return value


def _function(value: Any) -> Any:
    """A function by its name, and by the plain numbers that it encloses or has as defaults, if there are any."""
    cells = getattr(value, "__closure__", None) or ()
    held = [cell.cell_contents for cell in cells if cell != types.CellType()]  # one may be empty
    name = f"{value.__module__}.{getattr(value, '__qualname__', type(value).__qualname__)}"
    held += getattr(value, "__defaults__", None) or ()
    return {"function": name, "held": _held(held)} if held else name


def _held(value: Any) -> Any:
    """What a function holds, as plain data that a file takes; None for what is neither a number nor a word."""
    if isinstance(value, list | tuple):
        return [_held(item) for item in value]
    if isinstance(value, Schedule | functools.partial):
        return _described(value)
    if isinstance(value, bool | str):
        return value
    if isinstance(value, Real):
        return int(value) if isinstance(value, Integral) else float(value)
    return None
