"""RMSprop whose step is measured in the parameter's own unit."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..schedules.base import Array
from .base import PER_CONVENTION, Decay, Epsilon, Optimizer, State


@dataclass(kw_only=True)
class Adadelta(Optimizer):
    r"""Replace the rate by the size of the parameter's own recent steps, so that the units agree.

    $$v \leftarrow \rho v + (1 - \rho) g^2, \quad
      \Delta = \frac{\sqrt{u + \epsilon}}{\sqrt{v + \epsilon}} \, g, \quad
      u \leftarrow \rho u + (1 - \rho) \Delta^2, \quad \theta \leftarrow \theta - \eta \Delta$$

    All conventions share the formula; the paper has no $\eta$, which is 1. Defaults (lr, rho, eps): torch 1.0, 0.9,
    1e-6; Keras 0.001, 0.95, 1e-7; paper 1.0, 0.95, 1e-6. Keras's rate makes it a thousand times slower.

    `rho`: $\rho$ in $[0, 1)$. `eps`: $\epsilon \ge 0$; it also starts the motion, because $u$ starts at 0.

    Source: Zeiler, "ADADELTA: an adaptive learning rate method", 2012, algorithm 1.

    >>> Adadelta(rho=0.0, eps=1.0).step([0.0], [3.0]).round(4)  # -3 / sqrt(9 + 1)
    array([-0.9487])
    """

    rho: Decay = PER_CONVENTION
    eps: Epsilon = PER_CONVENTION

    conventions: ClassVar = {
        "torch": {"lr": 1.0, "rho": 0.9, "eps": 1e-6},
        "keras": {"lr": 0.001, "rho": 0.95, "eps": 1e-7},
        "paper": {"lr": 1.0, "rho": 0.95, "eps": 1e-6},
    }

    def start(self, x: Array) -> State:
        return State(v=0 * x, u=0 * x)

    def update(self, x: Array, g: Array, s: State, lr: float) -> Array:
        s.v = self.rho * s.v + (1 - self.rho) * g**2
        delta = np.sqrt(s.u + self.eps) / np.sqrt(s.v + self.eps) * g
        s.u = self.rho * s.u + (1 - self.rho) * delta**2
        return x - lr * delta
