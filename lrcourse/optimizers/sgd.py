"""Gradient descent, with momentum."""

from dataclasses import dataclass
from typing import ClassVar

from ..schedules.base import Array
from .base import Decay, Optimizer, State


@dataclass(kw_only=True)
class SGD(Optimizer):
    r"""Step against the gradient $g$; with momentum $\mu$, against a decaying sum of all gradients so far.

    "torch": $v \leftarrow \mu v + g$, then $\theta \leftarrow \theta - \eta v$ (the rate stands outside the sum).
    "keras" and "paper": $v \leftarrow \mu v - \eta g$, then $\theta \leftarrow \theta + v$ (inside: every gradient
    keeps the rate of its own step).

    Nesterov's momentum looks one step of the sum ahead: $g + \mu v$ in the place of $v$, or $\mu v - \eta g$.

    At a constant rate both are the same. After the rate drops, "torch" slows down at once, while "keras" coasts on
    with its old velocity for about $1/(1-\mu)$ steps. "paper" keeps Keras's velocity and torch's weight decay.

    `momentum`: $\mu$ in $[0, 1)$. `nesterov`: whether to look ahead. Default rate: torch 0.001, Keras 0.01; the papers
    set none (0.01 here).

    Source: Polyak, "Some methods of speeding up the convergence of iteration methods", 1964; Sutskever et al., "On the
    importance of initialization and momentum in deep learning", 2013, with parameters counted at the look-ahead.

    >>> from lrcourse import Step
    >>> for convention in "torch", "keras":
    ...     optimizer = SGD(Step(lr=1.0, every=1, gamma=0.1), momentum=0.5, convention=convention)
    ...     first = optimizer.step([0.0], [1.0])
    ...     print(convention, first, optimizer.step(first, [1.0]).round(3))
    torch [-1.] [-1.15]
    keras [-1.] [-1.6]
    """

    momentum: Decay = 0.0
    nesterov: bool = False

    conventions: ClassVar = {"torch": {"lr": 0.001}, "keras": {"lr": 0.01}, "paper": {"lr": 0.01}}

    def start(self, x: Array) -> State:
        return State(v=0 * x)

    def update(self, x: Array, g: Array, s: State, lr: float) -> Array:
        if self.convention == "torch":
            s.v = self.momentum * s.v + g
            return x - lr * (g + self.momentum * s.v if self.nesterov else s.v)
        s.v = self.momentum * s.v - lr * g
        return x + (self.momentum * s.v - lr * g if self.nesterov else s.v)
