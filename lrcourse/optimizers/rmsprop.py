"""Adagrad that forgets."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..schedules.base import Array
from .base import PER_CONVENTION, Decay, Epsilon, Optimizer, State


@dataclass(kw_only=True)
class RMSprop(Optimizer):
    r"""Divide each parameter's rate by the size of its recent gradients.

    $$v \leftarrow \rho v + (1 - \rho) g^2, \qquad \theta \leftarrow \theta - \eta \, \frac{g}{\sigma}$$

    "torch", "paper": $\sigma = \sqrt{v} + \epsilon$. "keras": $\sigma = \sqrt{v + \epsilon}$, so the same
    $\epsilon$ bounds the step at $\eta g/\sqrt{\epsilon}$ instead of $\eta g/\epsilon$.

    `rho`: $\rho$ in $[0, 1)$, an average over about $1/(1-\rho)$ steps. `eps`: $\epsilon \ge 0$.
    Defaults (lr, rho, eps): torch 0.01, 0.99, 1e-8; Keras 0.001, 0.9, 1e-7; the lecture has 0.9 and no $\epsilon$
    ("paper" takes 0.001 and 1e-8).
    $v$ starts at 0 and is not corrected for it: the first step is $1/\sqrt{1-\rho}$ times as long as the rate.

    Source: Tieleman & Hinton, lecture 6.5 of "Neural networks for machine learning", 2012 (there is no paper).

    >>> RMSprop(lr=0.1).step([0.0, 0.0], [100.0, -0.001]).round(3)
    array([-1.,  1.])
    """

    rho: Decay = PER_CONVENTION
    eps: Epsilon = PER_CONVENTION

    conventions: ClassVar = {
        "torch": {"lr": 0.01, "rho": 0.99, "eps": 1e-8},
        "keras": {"lr": 0.001, "rho": 0.9, "eps": 1e-7},
        "paper": {"lr": 0.001, "rho": 0.9, "eps": 1e-8},
    }

    def start(self, x: Array) -> State:
        return State(v=0 * x)

    def update(self, x: Array, g: Array, s: State, lr: float) -> Array:
        s.v = self.rho * s.v + (1 - self.rho) * g**2
        if self.convention == "keras":
            return x - lr * g / np.sqrt(s.v + self.eps)
        return x - lr * g / (np.sqrt(s.v) + self.eps)
