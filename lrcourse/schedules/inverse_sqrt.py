"""Decay with the inverse square root of the step: no end has to be known."""

from dataclasses import dataclass

import numpy as np

from ..validation import Length, Rate
from .base import Array, Schedule


@dataclass(frozen=True)
class InverseSqrt(Schedule):
    r"""Decay with the inverse square root of the step.

    $$s(t) = \frac{\mathrm{peak}}{\sqrt{1 + t / \mathrm{timescale}}}$$

    `peak`: the rate of update 0. `timescale`: steps; after three of them the rate is half the peak.
    `warmup(InverseSqrt(peak, n), n)` is the Transformer's schedule with $n$ steps of warm-up.

    Raises: `ValueError` if `timescale` ≤ 0 or `peak` < 0.
    Source: Vaswani et al., "Attention is all you need", 2017, section 5.3.

    >>> InverseSqrt(peak=1.0, timescale=100)([0, 300, 1500])
    array([1.  , 0.5 , 0.25])
    """

    peak: Rate
    timescale: Length

    def rates(self, t: Array) -> Array:
        return self.peak / np.sqrt(1 + t / self.timescale)
