"""Decay with the inverse of the step: no end has to be known."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..validation import Length, OptionalLength, Rate, positive
from .base import Array, Schedule, power, ratio


@dataclass(frozen=True)
class InverseTime(Schedule):
    r"""Decay with the inverse of the step, or a power of it.

    $$s(t) = \frac{\mathrm{peak}}{(1 + t / \mathrm{timescale})^{\mathrm{power}}}$$

    `peak`: the rate of update 0. `timescale`: steps; with `power=1` the rate is half the peak after as many.
    `power`: the conditions of Robbins and Monro, $\sum s = \infty$ and $\sum s^2 < \infty$, hold for 1/2 < `power` ≤ 1;
    with 1/2 it is `InverseSqrt`. `every`: the rate changes only so often, in stairs.

    Counterparts: `keras.optimizers.schedules.InverseTimeDecay` with `timescale = decay_steps / decay_rate`, and
    `every=decay_steps` for its `staircase=True`; scikit-learn's `"invscaling"` with `timescale=1`.

    Raises: `ValueError` if `timescale`, `power` or `every` ≤ 0, or `peak` < 0.
    Source: Robbins & Monro, "A stochastic approximation method", 1951.

    >>> InverseTime(peak=1.0, timescale=100)([0, 100, 300])
    array([1.  , 0.5 , 0.25])
    >>> InverseTime(peak=1.0, timescale=1, every=3).table(6)
    array([1.  , 1.  , 1.  , 0.25, 0.25, 0.25])
    """

    peak: Rate
    timescale: Length
    power: Annotated[float, positive("use 1, or for example 0.75")] = 1.0
    every: OptionalLength = None

    def rates(self, t: Array) -> Array:
        if self.every is not None:
            t = self.every * np.floor(ratio(t, self.every))
        return self.peak / power(1 + t / self.timescale, self.power)
