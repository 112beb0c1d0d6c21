"""Adam that looks ahead as Nesterov's momentum does."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from ..schedules.base import Array
from ..validation import not_negative
from .base import PER_CONVENTION, Decay, Epsilon, Optimizer, State


@dataclass(kw_only=True)
class NAdam(Optimizer):
    r"""Adam whose direction is the average that the next update would see, with a momentum that warms up.

    $$\mu_t = \beta_1 (1 - \tfrac12 \, 0.96^{\psi t}), \qquad
      \hat m = \frac{\mu_{t+1} m}{1 - \prod_{i \le t+1} \mu_i} + \frac{(1 - \mu_t) g}{1 - \prod_{i \le t} \mu_i}, \qquad
      \theta \leftarrow \theta - \eta \, \frac{\hat m}{\sqrt{\hat v} + \epsilon}$$

    $m$, $v$ and $\hat v$ are Adam's, $t = 1, 2, \dots$; all conventions put $\epsilon$ where torch's Adam has it.
    "torch" ($\psi = 0.004$) and "keras" ($\psi = 1$: warmed up after 100 steps, not 25,000) average with the constant
    $\beta_1$ although they correct for the changing $\mu_t$. "paper" averages with it, $m \leftarrow \mu_t m + (1 -
    \mu_t) g$.

    `psi`: $\psi \ge 0$, torch's `momentum_decay`. Defaults (lr, eps): torch and paper 0.002, 1e-8; Keras 0.001, 1e-7.

    Source: Dozat, "Incorporating Nesterov momentum into Adam", 2016, algorithm 2.

    >>> NAdam(lr=0.1).step([0.0, 0.0], [100.0, -0.001]).round(3)
    array([-0.106,  0.106])
    """

    beta1: Decay = 0.9
    beta2: Decay = 0.999
    eps: Epsilon = PER_CONVENTION
    psi: Annotated[float, not_negative("use 0 for a momentum that is not warmed up")] = PER_CONVENTION

    conventions: ClassVar = {
        "torch": {"lr": 0.002, "eps": 1e-8, "psi": 0.004},
        "keras": {"lr": 0.001, "eps": 1e-7, "psi": 1.0},
        "paper": {"lr": 0.002, "eps": 1e-8, "psi": 0.004},
    }

    def start(self, x: Array) -> State:
        return State(m=0 * x, v=0 * x, product=1.0)

    def update(self, x: Array, g: Array, s: State, lr: float) -> Array:
        mu, mu_next = (self.beta1 * (1 - 0.5 * 0.96 ** (self.psi * t)) for t in (self.t, self.t + 1))
        kept = mu if self.convention == "paper" else self.beta1
        s.m = kept * s.m + (1 - kept) * g
        s.v = self.beta2 * s.v + (1 - self.beta2) * g**2
        s.product *= mu
        m_hat = mu_next * s.m / (1 - s.product * mu_next) + (1 - mu) * g / (1 - s.product)
        return x - lr * m_hat / (np.sqrt(s.v / (1 - self.beta2**self.t)) + self.eps)
