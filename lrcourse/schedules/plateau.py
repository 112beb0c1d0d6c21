"""The one schedule with a memory: it lowers the rate when a metric stops improving."""

import math
from dataclasses import asdict, dataclass, field, fields
from typing import Annotated, Any

from ..validation import Rate, bad, check_fields, choice, fraction, not_negative, number, optional, whole

SAVED = "load what state_dict returned"


@dataclass
class Plateau:
    r"""Multiply the rate by `factor` when `metric` has not improved for `patience` updates in a row.

    A metric $m$ improves on the best $b$ so far if $m < b - \mathrm{threshold} \cdot |b|$ (`mode="min"`) or
    $m > b + \mathrm{threshold} \cdot |b|$ (`mode="max"`); NaN and infinity never improve. With
    `threshold_mode="absolute"` the threshold is not multiplied with $|b|$.
    The rate is cut at the `patience`-th update without an improvement (Keras counts so; PyTorch's `patience=n` is
    this `patience=n + 1`). Then `cooldown` updates pass without counting.

    `lr`: the first rate. `min_lr`: the rate never falls below. One `.update(metric)` per evaluation, usually per epoch.

    Raises: `ValueError` for a factor outside (0, 1), a patience below 1 or a negative threshold, cooldown or rate.

    >>> plateau = Plateau(lr=1.0, factor=0.5, patience=2)
    >>> [plateau.update(metric) for metric in [3.0, 2.0, 2.0, 2.0, 1.0]]
    [1.0, 1.0, 1.0, 0.5, 0.5]
    """

    lr: Rate
    factor: Annotated[float, fraction("use for example 0.1 to divide the rate by ten")] = 0.1
    patience: Annotated[int, whole(1, "use for example 10 evaluations")] = 10
    threshold: Annotated[float, not_negative("use 0 to count every improvement")] = 1e-4
    mode: Annotated[str, choice("min", "max")] = "min"
    cooldown: Annotated[int, whole(0, "use 0 for none")] = 0
    min_lr: Rate = 0.0
    threshold_mode: Annotated[str, choice("relative", "absolute")] = "relative"
    best: Annotated[float | None, optional(number)] = field(default=None, init=False)
    bad_updates: Annotated[int, whole(0, SAVED)] = field(default=0, init=False)
    cooling: Annotated[int, whole(0, SAVED)] = field(default=0, init=False)

    def __post_init__(self) -> None:
        check_fields(self)

    def update(self, metric: float) -> float:
        """Take the newest value of the metric, return the rate to use from now on.

        Raises: `ValueError` if a field was set to what is out of range.
        """
        check_fields(self)
        if self._improves(metric):
            self.best, self.bad_updates = float(metric), 0
        else:
            self.bad_updates += 1
        if self.cooling > 0:
            self.cooling, self.bad_updates = self.cooling - 1, 0
        if self.bad_updates >= self.patience:
            self.lr = max(self.lr * self.factor, min(self.lr, self.min_lr))
            self.cooling, self.bad_updates = self.cooldown, 0
        return self.lr

    def _improves(self, metric: float) -> bool:
        if self.best is None or not math.isfinite(metric):
            return math.isfinite(metric)
        gain = self.best - metric if self.mode == "min" else metric - self.best
        return gain > self.threshold * (abs(self.best) if self.threshold_mode == "relative" else 1)

    def state_dict(self) -> dict[str, Any]:
        """Settings and memory as plain data."""
        return asdict(self)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned.

        Raises: `ValueError` if the fields are not those of a `Plateau`, or one is out of range; then nothing changes.
        """
        state = {"threshold_mode": "relative", **state}  # as it was before there was a choice
        if state.keys() != asdict(self).keys():
            raise bad("state", sorted(state), f"the fields {sorted(asdict(self))}", SAVED)
        loaded = Plateau(**{setting.name: state[setting.name] for setting in fields(self) if setting.init})
        vars(loaded).update(state)
        check_fields(loaded)
        vars(self).update(vars(loaded))
