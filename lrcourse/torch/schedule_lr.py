"""A schedule on a PyTorch optimizer."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import torch

from ..schedules import Schedule
from ..schedules.checks import bad

Schedules = Schedule | Sequence[Schedule]
CHUNK = 1024


class ScheduleLR(torch.optim.lr_scheduler.LRScheduler):
    r"""Gives every parameter group of `optimizer` the rate $s(t)$ for update $t$, and optionally the momentum $m(t)$.

    `schedule`: one `Schedule` for all groups (also for groups added later), or a list with one per group.
    `momentum`: the same for the momentum, which is `group["momentum"]` (SGD, RMSprop) or `group["betas"][0]` (the
    Adam family). Without it the momentum is left alone.

    Building it applies $s(0)$; each `.step()` applies the next rate. The rate depends on the step alone: the `lr`
    the optimizer was built with is not used, and a rate edited by hand lasts until the next `.step()`. Rates are
    computed 1,024 steps ahead, so a function in a schedule must answer for steps beyond the end of the run.

    A step is a successful update. Call `.step()` after `optimizer.step()`, and only then: with gradient
    accumulation once per accumulated update, with a `torch.amp.GradScaler` only if it did not skip the update:

        scale = scaler.get_scale()
        scaler.step(optimizer)
        scaler.update()
        if scaler.get_scale() >= scale:  # a skipped update lowers the scale
            scheduler.step()

    `state_dict` holds the step and the parameters of the schedules (of a function, its name).

    Raises: `ValueError` for a schedule of the wrong type, a list that does not fit the parameter groups, or a
    `momentum` for an optimizer that has none.

    >>> from lrcourse import Linear
    >>> weight = torch.nn.Parameter(torch.zeros(1))
    >>> optimizer = torch.optim.SGD([weight], lr=123.0)
    >>> scheduler = ScheduleLR(optimizer, Linear(1.0, 0.0, steps=4))
    >>> for t in range(3):
    ...     print(optimizer.param_groups[0]["lr"])
    ...     optimizer.step()
    ...     scheduler.step()
    1.0
    0.75
    0.5
    """

    def __init__(
        self, optimizer: torch.optim.Optimizer, schedule: Schedules, momentum: Schedules | None = None
    ) -> None:
        self.rates = _PerGroup("schedule", schedule)
        self.momenta = None if momentum is None else _PerGroup("momentum", momentum)
        super().__init__(optimizer)

    def get_lr(self) -> list[Any]:
        """The rate of each parameter group at the current step."""
        return self.rates.at(self.last_epoch, len(self.optimizer.param_groups))

    def step(self, epoch: int | None = None) -> None:
        """Apply the rate of the next update. Call it after each successful `optimizer.step()`."""
        if self._step_count == 1 or epoch is not None:
            super().step(epoch)  # torch checks the order of the calls here
        else:
            self._step_count += 1
            self.last_epoch += 1
        self._apply()

    def state_dict(self) -> dict[str, Any]:
        """The step and the schedules' parameters, as plain data that `torch.load(weights_only=True)` accepts."""
        return {"last_epoch": self.last_epoch, **self._described()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue at the step of `state_dict`, and apply its rate to the optimizer at once.

        Raises: `ValueError` if the state was saved with another schedule than this one.
        """
        for name, ours in self._described().items():
            if (theirs := state_dict.get(name)) != ours:
                raise bad(name, theirs, f"the one this scheduler has, {ours!r}", "build it with the saved schedule")
        self.last_epoch = state_dict["last_epoch"]
        self._apply()

    def _apply(self) -> None:
        self._last_lr = self.get_lr()
        for group, rate in zip(self.optimizer.param_groups, self._last_lr, strict=True):
            if isinstance(group["lr"], torch.Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate
        if self.momenta is not None:
            self._apply_momentum(self.momenta)

    def _apply_momentum(self, momenta: "_PerGroup") -> None:
        groups = self.optimizer.param_groups
        for group, momentum in zip(groups, momenta.at(self.last_epoch, len(groups)), strict=True):
            if "betas" in group:
                group["betas"] = (momentum, *group["betas"][1:])
            elif "momentum" in group:
                group["momentum"] = momentum
            else:
                name = type(self.optimizer).__name__
                raise bad("momentum", name, "left out for an optimizer without momentum", "use SGD or Adam, or drop it")

    def _described(self) -> dict[str, Any]:
        momenta = None if self.momenta is None else _described(self.momenta.schedules)
        return {"schedule": _described(self.rates.schedules), "momentum": momenta}


class _PerGroup:
    """One schedule for all parameter groups, or one for each, read from a table.

    A NumPy call for one number costs more than a small update, so 1,024 rates are computed at a time. A table
    starts at a multiple of 1,024, so a resumed run reads the same one.
    """

    def __init__(self, name: str, schedules: Schedules) -> None:
        self.name = name
        self.schedules = [schedules] if isinstance(schedules, Schedule) else schedules
        if not isinstance(self.schedules, list | tuple) or not all(isinstance(s, Schedule) for s in self.schedules):
            raise bad(name, schedules, "a Schedule or a list of them", "pass for example Constant(0.1)")
        self.shared = isinstance(schedules, Schedule)
        self.chunk = -1
        self.table: list[list[float]] = []

    def at(self, step: int, groups: int) -> list[float]:
        if not self.shared and len(self.schedules) != groups:
            raise bad(self.name, self.schedules, f"one schedule per parameter group, {groups} in all",
                      "pass a single schedule to share it among all groups")  # fmt: skip
        chunk, row = divmod(step, CHUNK)
        if chunk != self.chunk:
            steps = np.arange(chunk * CHUNK, (chunk + 1) * CHUNK)
            self.table = np.stack([schedule(steps) for schedule in self.schedules], axis=1).tolist()
            self.chunk = chunk
        return self.table[row] * (groups if self.shared else 1)


def _described(value: Any) -> Any:
    """A schedule as plain data, with functions by name: like `Schedule.to_dict`, but only to be compared."""
    if isinstance(value, Schedule):
        parameters = {field.name: _described(getattr(value, field.name)) for field in fields(value)}
        return {"kind": type(value).__name__, **parameters}
    if isinstance(value, list | tuple):
        return [_described(item) for item in value]
    if callable(value):
        return f"{value.__module__}.{getattr(value, '__qualname__', type(value).__qualname__)}"
    return value
