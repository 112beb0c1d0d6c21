"""A rate of its own for every parameter, from all its gradients so far."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from ..schedules.base import Array
from ..validation import not_negative
from .base import PER_CONVENTION, Epsilon, Optimizer, State


@dataclass(kw_only=True)
class Adagrad(Optimizer):
    r"""Divide each parameter's rate by the size of all its gradients so far: steep directions take small steps.

    $$G \leftarrow G + g^2, \qquad \theta \leftarrow \theta - \eta \, \frac{g}{\sigma}$$

    "torch", "paper": $\sigma = \sqrt{G} + \epsilon$, $G_0 = 0$. "keras": $\sigma = \sqrt{G + \epsilon}$, $G_0 = 0.1$.
    "mean": $\sigma = \sqrt{G/t} + \epsilon$ at update $t = 1, 2, \dots$, as lectures often teach it. The sum makes the
    rate fall as $1/\sqrt{t}$ under a steady gradient; the mean leaves it where it is, so that "sum at rate $\eta$" is
    "mean at the decaying rate $\eta/\sqrt{t}$".

    `eps`: $\epsilon \ge 0$, keeps a parameter without gradients from dividing by zero. `initial`: $G_0 \ge 0$.
    The paper leaves $\eta$ and $\epsilon$ to its reader; "paper" and "mean" take torch's.

    Source: Duchi, Hazan & Singer, "Adaptive subgradient methods", 2011, figure 1 (diagonal case).

    >>> for convention in "torch", "mean":
    ...     optimizer, x = Adagrad(lr=1.0, convention=convention), [0.0]
    ...     for _ in range(4):
    ...         x = optimizer.step(x, [5.0])
    ...     print(convention, x.round(3))
    torch [-2.784]
    mean [-4.]
    """

    eps: Epsilon = PER_CONVENTION
    initial: Annotated[float, not_negative("use 0, or for example Keras's 0.1")] = PER_CONVENTION

    conventions: ClassVar = {
        "torch": {"lr": 0.01, "eps": 1e-10, "initial": 0.0},
        "keras": {"lr": 0.001, "eps": 1e-7, "initial": 0.1},
        "paper": {"lr": 0.01, "eps": 1e-10, "initial": 0.0},
        "mean": {"lr": 0.01, "eps": 1e-10, "initial": 0.0},
    }

    def start(self, x: Array) -> State:
        return State(total=0 * x + self.initial)

    def update(self, x: Array, g: Array, s: State, lr: float) -> Array:
        s.total = s.total + g**2
        if self.convention == "keras":
            return x - lr * g / np.sqrt(s.total + self.eps)
        count = self.t if self.convention == "mean" else 1
        return x - lr * g / (np.sqrt(s.total / count) + self.eps)
