"""Warm restarts: cosine decays, one after another, each longer than the last."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..validation import Rate, Steps, at_least_one, bad, positive
from .base import Array, Schedule, mix, power


@dataclass(frozen=True)
class SGDR(Schedule):
    r"""Cosine decay from `peak` to `end`, restarted again and again.

    Cycle $i = 0, 1, \dots$ lasts $T_i = \mathrm{first} \cdot \mathrm{t\_mult}^i$ steps and starts from
    $p_i = \max(\mathrm{end}, \mathrm{peak} \cdot \mathrm{peak\_mult}^i)$. At $u$ steps into it

    $$s = \mathrm{end} + \tfrac12 (p_i - \mathrm{end}) (1 + \cos(\pi u / T_i)).$$

    `peak`: the rate of update 0. `end`: the rate each cycle approaches; the restart comes instead of it.
    `first`: steps of the first cycle. `t_mult` ≥ 1: growth of the cycles. `peak_mult`: factor on each new peak.

    Raises: `ValueError` if `first` is not a whole number ≥ 1, `t_mult` < 1, `peak_mult` ≤ 0, `end > peak`
    or a rate is negative.
    Source: Loshchilov & Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017.

    >>> SGDR(peak=1.0, end=0.0, first=2, t_mult=2).table(8).round(3)
    array([1.   , 0.5  , 1.   , 0.854, 0.5  , 0.146, 1.   , 0.962])
    """

    peak: Rate
    end: Rate
    first: Steps
    t_mult: Annotated[float, at_least_one("use 1 for equal cycles or 2 to double each")] = 1.0
    peak_mult: Annotated[float, positive("use 1 for equal peaks, or for example 0.5 to halve each")] = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.end > self.peak:
            raise bad("end", self.end, f"at most peak = {self.peak}", "swap the two")

    def rates(self, t: Array) -> Array:
        cycle = self._cycle(t)
        into = (t - self._starts_at(cycle)) / (self.first * self.t_mult**cycle)
        peak = np.maximum(self.end, self.peak * power(self.peak_mult, cycle))
        return mix(peak, self.end, (1 - np.cos(np.pi * into)) / 2)

    def _starts_at(self, cycle: Array) -> Array:
        if self.t_mult == 1:
            return self.first * cycle
        return self.first * (self.t_mult**cycle - 1) / (self.t_mult - 1)

    def _cycle(self, t: Array) -> Array:
        if self.t_mult == 1:
            cycle: Array = np.floor(t / self.first)
            return cycle
        cycle = np.floor(np.log1p(t * (self.t_mult - 1) / self.first) / np.log(self.t_mult))
        cycle += t >= self._starts_at(cycle + 1)  # the logarithm may round to the wrong side of a restart
        cycle -= t < self._starts_at(cycle)
        return cycle
