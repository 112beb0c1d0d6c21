"""Momentum for the direction, RMSprop for the size."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..schedules.base import Array
from .base import PER_CONVENTION, Decay, Epsilon, Optimizer, State


@dataclass(kw_only=True)
class Adam(Optimizer):
    r"""Follow the average gradient, divided by the average size of the gradients.

    $$m \leftarrow \beta_1 m + (1 - \beta_1) g, \quad v \leftarrow \beta_2 v + (1 - \beta_2) g^2, \quad
      \theta \leftarrow \theta - \eta \, \frac{\hat m}{\sqrt{\hat v} + \epsilon}$$

    Both averages start at 0 and are too small at first; $\hat m = m / (1 - \beta_1^t)$ and $\hat v = v / (1 -
    \beta_2^t)$ at update $t = 1, 2, \dots$ make up for it, so the first step is as long as the rate.

    "torch", "paper": the formula above, `eps` 1e-8. "keras": $\epsilon$ is added to the uncorrected $\sqrt v$ ("epsilon
    hat" in the paper's section 2), which makes it larger by $1/\sqrt{1 - \beta_2^t}$, 32 times at first; `eps` 1e-7.

    `beta1`, `beta2`: in $[0, 1)$. `eps`: $\epsilon \ge 0$. The default rate is 0.001 everywhere.

    Source: Kingma & Ba, "Adam: a method for stochastic optimization", 2015, algorithm 1.

    >>> Adam(lr=0.1).step([0.0, 0.0], [100.0, -0.001]).round(3)
    array([-0.1,  0.1])
    """

    beta1: Decay = 0.9
    beta2: Decay = 0.999
    eps: Epsilon = PER_CONVENTION

    conventions: ClassVar = {
        "torch": {"lr": 0.001, "eps": 1e-8},
        "keras": {"lr": 0.001, "eps": 1e-7},
        "paper": {"lr": 0.001, "eps": 1e-8},
    }

    def start(self, x: Array) -> State:
        return State(m=0 * x, v=0 * x)

    def update(self, x: Array, g: Array, s: State, lr: float) -> Array:
        s.m = self.beta1 * s.m + (1 - self.beta1) * g
        s.v = self.beta2 * s.v + (1 - self.beta2) * g**2
        return x - lr * self.direction(s.m, s.v)

    def direction(self, m: Array, v: Array) -> Array:
        """The step at rate 1, from the two averages before their correction."""
        c1, c2 = 1 - self.beta1**self.t, 1 - self.beta2**self.t
        if self.convention == "keras":
            return np.sqrt(c2) / c1 * m / (np.sqrt(v) + self.eps)
        return m / c1 / (np.sqrt(v / c2) + self.eps)
