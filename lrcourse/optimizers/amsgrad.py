"""Adam that never forgets a large gradient."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..schedules.base import Array
from .adam import Adam
from .base import State


@dataclass(kw_only=True)
class AMSGrad(Adam):
    r"""Adam divided by the largest average so far, so that the rate of a parameter never grows.

    $$m, v \text{ as in Adam}, \quad w \leftarrow \max(w, v), \quad
      \theta \leftarrow \theta - \eta \, \frac{\hat m}{\sqrt{\hat w} + \epsilon}$$

    "torch": $\hat m$ and $\hat w$ are corrected as in Adam, after the maximum. "keras": the same with Keras's place of
    epsilon (see `Adam`). "paper": no correction at all, $m / (\sqrt w + \epsilon)$, so the first step is $(1 -
    \beta_1)/\sqrt{1 - \beta_2}$, about 3, times as long; the paper has no $\epsilon$, and `eps` is 1e-8 here.

    Settings, shapes and errors: as `Adam`. Keras and torch call it `Adam(amsgrad=True)`.

    Source: Reddi, Kale & Kumar, "On the convergence of Adam and beyond", 2018, algorithm 2.

    >>> def third_step(optimizer):
    ...     x = np.zeros(1)
    ...     for gradient in 100.0, 1.0, 1.0:
    ...         before, x = x, optimizer.step(x, [gradient])
    ...     return (before - x).round(3)
    >>> third_step(Adam(lr=0.1, beta1=0.0, beta2=0.5)), third_step(AMSGrad(lr=0.1, beta1=0.0, beta2=0.5))
    (array([0.003]), array([0.001]))
    """

    conventions: ClassVar = Adam.conventions

    def start(self, x: Array) -> State:
        return State(m=0 * x, v=0 * x, v_max=0 * x)

    def update(self, x: Array, g: Array, s: State, lr: float) -> Array:
        s.m = self.beta1 * s.m + (1 - self.beta1) * g
        s.v = self.beta2 * s.v + (1 - self.beta2) * g**2
        s.v_max = np.maximum(s.v_max, s.v)
        if self.convention == "paper":
            return x - lr * s.m / (np.sqrt(s.v_max) + self.eps)
        return x - lr * self.direction(s.m, s.v_max)
