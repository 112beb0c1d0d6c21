"""Decay in stairs: at regular intervals, or at given milestones."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..validation import Milestones, Rate, Steps, positive
from .base import Array, Schedule, power

Factor = Annotated[float, positive("use for example 0.1 to divide the rate by ten")]


@dataclass(frozen=True)
class Step(Schedule):
    r"""Multiply the rate by `gamma` every `every` steps.

    $$s(t) = \mathrm{lr} \cdot \gamma^{\lfloor t / \mathrm{every} \rfloor}$$

    `lr`: the first rate. `every`: steps between two decays. `gamma`: the factor of one decay.
    Update `every` is the first with the lower rate, as in `torch.optim.lr_scheduler.StepLR`.

    Raises: `ValueError` if `every` is not a whole number ≥ 1, `gamma` ≤ 0 or `lr` < 0.

    >>> Step(lr=1.0, every=2, gamma=0.5).table(6)
    array([1.  , 1.  , 0.5 , 0.5 , 0.25, 0.25])
    """

    lr: Rate
    every: Steps
    gamma: Factor

    def rates(self, t: Array) -> Array:
        return self.lr * power(self.gamma, np.floor(t / self.every))


@dataclass(frozen=True)
class MultiStep(Schedule):
    r"""Multiply the rate by `gamma` at each of the `milestones`.

    $$s(t) = \mathrm{lr} \cdot \gamma^{\#\{m \in \mathrm{milestones} : m \le t\}}$$

    `lr`: the first rate. `milestones`: steps in rising order; update $m$ is the first with the lower rate, as in
    `torch.optim.lr_scheduler.MultiStepLR` (a milestone given twice decays twice). `gamma`: the factor of one decay.

    Raises: `ValueError` for negative, fractional or unsorted milestones, `gamma` ≤ 0 or `lr` < 0.

    >>> MultiStep(lr=1.0, milestones=[2, 3], gamma=0.5).table(5)
    array([1.  , 1.  , 0.5 , 0.25, 0.25])
    """

    lr: Rate
    milestones: Milestones
    gamma: Factor

    def rates(self, t: Array) -> Array:
        return self.lr * power(self.gamma, np.searchsorted(self.milestones, t, side="right").astype(float))
