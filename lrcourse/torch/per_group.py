"""What schedules say for each parameter group, read from a table."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from ..schedules import Schedule
from ..schedules.base import kind_of
from ..schedules.values import momenta
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

    def fit(self, shares: list[float]) -> None:
        """Answer for as many groups as there are `shares`; in a list, schedules may wait for groups to come.

        Raises: `ValueError` if there are more groups than schedules in a list.
        """
        if not self.shared and len(self.schedules) < len(shares):
            raise self.unfit(len(shares))
        self.shares = shares
        self.chunk: int | None = None
        self.table: dict[float, list[float]] = {}

    def unfit(self, groups: int) -> ValueError:
        fix = "pass a single schedule to share it, or append one before a group is added"
        return bad(self.name, self.schedules, f"one schedule per parameter group, {groups} in all", fix)

    def used(self) -> list[Schedule]:
        """The schedules of the groups that are there."""
        return self.schedules[: 1 if self.shared else len(self.shares)]

    def described(self) -> Any:
        """The schedules in use as plain data, with functions by name: only to be compared."""
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
        values = [momenta(each, steps) if self.name == "momentum" else each(steps) for each in self.used()]
        return (np.stack(values, axis=-1) * self.shares).tolist()


def _described(value: Any) -> Any:
    if isinstance(value, Schedule):
        parameters = {field.name: _described(getattr(value, field.name)) for field in fields(value)}
        return {"kind": kind_of(type(value)), **parameters}
    if isinstance(value, list | tuple):
        return [_described(item) for item in value]
    if callable(value):
        return f"{value.__module__}.{getattr(value, '__qualname__', type(value).__qualname__)}"
    return value
