"""Only the sign of the averaged gradient counts."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..schedules.base import Array
from .base import Decay, Optimizer, State


@dataclass(kw_only=True)
class Lion(Optimizer):
    r"""Move every parameter by exactly the rate, in the direction of an average gradient.

    $$\theta \leftarrow \theta - \eta\lambda\theta - \eta \, \mathrm{sign}(\beta_1 m + (1 - \beta_1) g), \qquad
      m \leftarrow \beta_2 m + (1 - \beta_2) g$$

    One average instead of Adam's two: half the memory. A step is as long as Adam's longest, so the rate wants to be 3
    to 10 times smaller than Adam's. "paper" and "keras" share the formula; the default rate is 0.0001 and 0.001. Torch
    has no Lion.

    `beta1`: the weight of the average in the step. `beta2`: how slowly the average moves. Both in $[0, 1)$.

    Source: Chen et al., "Symbolic discovery of optimization algorithms", 2023, algorithm 2.

    >>> Lion(lr=0.1).step([0.0, 0.0, 0.0], [100.0, -0.001, 0.0])
    array([-0.1,  0.1,  0. ])
    """

    beta1: Decay = 0.9
    beta2: Decay = 0.99
    convention: str = "paper"

    decoupled: ClassVar = True
    conventions: ClassVar = {"keras": {"lr": 0.001}, "paper": {"lr": 0.0001}}

    def start(self, x: Array) -> State:
        return State(m=0 * x)

    def update(self, x: Array, g: Array, s: State, lr: float) -> Array:
        direction = np.sign(self.beta1 * s.m + (1 - self.beta1) * g)
        s.m = self.beta2 * s.m + (1 - self.beta2) * g
        return x - lr * direction
