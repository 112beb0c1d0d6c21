"""Half a cosine wave, from the peak to the end."""

from dataclasses import dataclass

import numpy as np

from ..validation import Rate, Steps
from .base import Array, Schedule, mix, wave


@dataclass(frozen=True)
class Cosine(Schedule):
    r"""Half a cosine wave from `peak` down to `end`, which then holds.

    $$s(t) = \mathrm{end} + \tfrac12 (\mathrm{peak} - \mathrm{end}) \, (1 + \cos(\pi \min(t / \mathrm{steps}, 1)))$$

    `peak`: the rate of update 0. `end`: the rate from update `steps` on (an absolute rate, not a fraction).
    Unlike `torch.optim.lr_scheduler.CosineAnnealingLR` it does not rise again after `steps`.

    Raises: `ValueError` if `steps` is not a whole number ≥ 1 or a rate is negative.
    Source: Loshchilov & Hutter, "SGDR", 2017, equation 5 without restarts.

    >>> Cosine(peak=1.0, end=0.0, steps=2).table(4).round(12)
    array([1. , 0.5, 0. , 0. ])
    """

    peak: Rate
    end: Rate
    steps: Steps

    def rates(self, t: Array) -> Array:
        return mix(self.peak, self.end, wave(np.minimum(t / self.steps, 1)))
