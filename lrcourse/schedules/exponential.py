"""Decay by the same factor per step."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..validation import Flag, Length, Rate, positive
from .base import Array, Schedule, power


@dataclass(frozen=True)
class Exponential(Schedule):
    r"""Multiply the rate by `gamma` per `every` steps, smoothly or in stairs.

    $$s(t) = \mathrm{lr} \cdot \gamma^{t / \mathrm{every}}$$

    `lr`: the first rate. `gamma`: the factor per `every` steps; above 1 the rate grows. `every`: steps.
    `staircase=True` rounds $t / \mathrm{every}$ down, which is `Step`. Counterparts:
    `torch.optim.lr_scheduler.ExponentialLR` (`every=1`), `keras.optimizers.schedules.ExponentialDecay`.

    Raises: `ValueError` if `gamma` ≤ 0, `every` ≤ 0 or `lr` < 0.

    >>> Exponential(lr=1.0, gamma=0.25, every=2).table(5)
    array([1.    , 0.5   , 0.25  , 0.125 , 0.0625])
    """

    lr: Rate
    gamma: Annotated[float, positive("use for example 0.9 to lose a tenth each time")]
    every: Length = 1
    staircase: Flag = False

    def rates(self, t: Array) -> Array:
        decays = t / self.every
        return self.lr * power(self.gamma, np.floor(decays) if self.staircase else decays)
