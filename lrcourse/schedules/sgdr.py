"""Warm restarts: cosine decays, one after another, each longer than the last."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from ..validation import Length, Rate, at_least_one, bad, optional, positive, whole, whole_steps
from .base import Array, Schedule, mix, power, ratio, wave

growth = at_least_one("use 1 for equal cycles or 2 to double each")
count = whole(1, "use for example 3")


@dataclass(frozen=True)
class SGDR(Schedule):
    r"""Cosine decay from `peak` to `end`, restarted again and again.

    Cycle $i = 0, 1, \dots$ lasts $T_i = \mathrm{first} \cdot \mathrm{t\_mult}^i$ steps and starts from
    $p_i = \max(\mathrm{end}, \mathrm{peak} \cdot \mathrm{peak\_mult}^i)$. At $u$ steps into it

    $$s = \mathrm{end} + \tfrac12 (p_i - \mathrm{end}) (1 + \cos(\pi u / T_i)).$$

    `peak`: the rate of update 0. `end`: the rate each cycle approaches; the restart comes instead of it.
    `first`: steps of the first cycle, of which it may be a fraction. `t_mult` ≥ 1: growth of the cycles.
    `peak_mult`: factor on each new peak. `cycles`: after so many of them the rate stays at `end`; by default they go on
    for ever. `SGDR.over(steps, cycles, …)` fits a number of cycles into a run.

    Raises: `ValueError` if `first` ≤ 0, `t_mult` < 1, `peak_mult` ≤ 0, `cycles` is not a whole number ≥ 1,
    `end > peak` or a rate is negative.
    Source: Loshchilov & Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017.

    >>> SGDR(peak=1.0, end=0.0, first=2, t_mult=2).table(8).round(3)
    array([1.   , 0.5  , 1.   , 0.854, 0.5  , 0.146, 1.   , 0.962])
    """

    peak: Rate
    end: Rate
    first: Length
    t_mult: Annotated[float, growth] = 1.0
    peak_mult: Annotated[float, positive("use 1 for equal peaks, or for example 0.5 to halve each")] = 1.0
    cycles: Annotated[int | None, optional(count)] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.end > self.peak:
            raise bad("end", self.end, f"at most peak = {self.peak}", "swap the two")

    @classmethod
    def over(cls, steps: int, cycles: int, peak: float, end: float = 0.0, t_mult: float = 1.0,
             peak_mult: float = 1.0) -> "SGDR":  # fmt: skip
        """As many cycles as `cycles` says in a run of `steps` updates, after which the rate stays at `end`.

        Raises: `ValueError` if `steps` or `cycles` is not a whole number ≥ 1, if the first cycle would be shorter than
        a step, or as `SGDR` does.

        >>> SGDR.over(steps=6, cycles=2, peak=1.0, t_mult=2).table(8).round(3)
        array([1.   , 0.5  , 1.   , 0.854, 0.5  , 0.146, 0.   , 0.   ])
        """
        many, more = count("cycles", cycles), growth("t_mult", t_mult) - 1
        with np.errstate(over="ignore"):
            firsts = np.expm1(many * np.log1p(more)) / more if more else many  # the run's length in first cycles
        if (first := whole_steps("steps", steps) / float(firsts)) < 1 - 1e-9:
            must = f"few enough that the first has one of the {steps} steps, with t_mult = {t_mult}"
            raise bad("cycles", cycles, must, "use fewer, such as 3")
        return cls(peak, end, first, t_mult, peak_mult, many)

    def rates(self, t: Array) -> Array:
        cycle = self._cycle(t)
        if self.cycles is not None:
            cycle = np.minimum(cycle, self.cycles - 1)
        into = np.clip((t - self._starts_at(cycle)) / (self.first * self.t_mult**cycle), 0, 1)
        peak = np.maximum(self.end, self.peak * power(self.peak_mult, cycle))
        return mix(peak, self.end, wave(into))

    def _starts_at(self, cycle: Array) -> Array:
        if self.t_mult == 1:
            return self.first * cycle
        return self.first * (self.t_mult**cycle - 1) / (self.t_mult - 1)

    def _cycle(self, t: Array) -> Array:
        if self.t_mult == 1:
            cycle: Array = np.floor(ratio(t, self.first))
            return cycle
        cycle = np.floor(np.log1p(t * (self.t_mult - 1) / self.first) / np.log(self.t_mult))
        cycle += self._has_begun(cycle + 1, t)  # the logarithm may round to the wrong side of a restart
        cycle -= ~self._has_begun(cycle, t)
        return cycle

    def _has_begun(self, cycle: Array, t: Array) -> NDArray[np.bool_]:
        """Whether a cycle has begun at step `t`, but for rounding: a restart comes at its own step."""
        begun: NDArray[np.bool_] = t >= self._starts_at(cycle) * (1 - 1e-12)
        return begun
