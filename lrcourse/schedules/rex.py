"""REX: high for long, then down ever more steeply."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..validation import Rate, Steps, below_one
from .base import Array, Schedule, mix


@dataclass(frozen=True)
class REX(Schedule):
    r"""From `peak` to `end` along a "reflected exponential": above the line, and steepest at the end.

    $$s(t) = \mathrm{end} + (\mathrm{peak} - \mathrm{end}) \, \frac{1 - z}{1 - \mathrm{bend} \cdot z}, \qquad
    z = \min(t / \mathrm{steps}, 1)$$

    `peak`: the rate of update 0. `end`: the rate from update `steps` on. `bend`: 0 is `Linear`; towards 1 the rate
    stays high for longer. The paper has 1/2; its published code, and trainers of LoRA that followed it, have 0.9.

    Raises: `ValueError` if `steps` is not a whole number ≥ 1, `bend` is not in [0, 1) or a rate is negative.
    Source: Chen, Wolfe & Kyrillidis, "REX: Revisiting budgeted training with an improved schedule", 2022.

    >>> REX(peak=1.0, end=0.0, steps=4).table(6).round(3)
    array([1.   , 0.857, 0.667, 0.4  , 0.   , 0.   ])
    """

    peak: Rate
    end: Rate
    steps: Steps
    bend: Annotated[float, below_one("use 0.5 as the paper does, or 0 for a line")] = 0.5

    def rates(self, t: Array) -> Array:
        done = np.minimum(t / self.steps, 1)
        return mix(self.end, self.peak, (1 - done) / (1 - self.bend * done))
