"""From one rate to another in a given number of steps: along a line or a power of it."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..validation import Rate, Steps, positive
from .base import Array, Schedule, mix


@dataclass(frozen=True)
class Linear(Schedule):
    r"""A straight line from `start` to `end`, which then holds.

    $$s(t) = \mathrm{start} + (\mathrm{end} - \mathrm{start}) \, \min(t / \mathrm{steps}, 1)$$

    `start`: the rate of update 0. `end`: the rate from update `steps` on. It may rise (warm-up) or fall (decay).

    Raises: `ValueError` if `steps` is not a whole number ≥ 1 or a rate is negative.

    >>> Linear(start=0.0, end=1.0, steps=4).table(6)
    array([0.  , 0.25, 0.5 , 0.75, 1.  , 1.  ])
    """

    start: Rate
    end: Rate
    steps: Steps

    def rates(self, t: Array) -> Array:
        return mix(self.start, self.end, np.minimum(t / self.steps, 1))


@dataclass(frozen=True)
class Polynomial(Schedule):
    r"""From `start` to `end` along a power of the time that is left.

    $$s(t) = \mathrm{end} + (\mathrm{start} - \mathrm{end}) \, (1 - \min(t / \mathrm{steps}, 1))^{\mathrm{power}}$$

    `start`: the rate of update 0. `end`: the rate from update `steps` on. `power`: 1 is `Linear`; above 1 falls
    faster at first. Counterparts: `torch.optim.lr_scheduler.PolynomialLR` (`end=0`),
    `keras.optimizers.schedules.PolynomialDecay`.

    Raises: `ValueError` if `steps` is not a whole number ≥ 1, `power` ≤ 0 or a rate is negative.

    >>> Polynomial(start=1.0, end=0.0, steps=4, power=2).table(5)
    array([1.    , 0.5625, 0.25  , 0.0625, 0.    ])
    """

    start: Rate
    end: Rate
    steps: Steps
    power: Annotated[float, positive("use 1 for a line, or for example 2")] = 1.0

    def rates(self, t: Array) -> Array:
        left = 1 - np.minimum(t / self.steps, 1)
        return mix(self.end, self.start, left**self.power)
