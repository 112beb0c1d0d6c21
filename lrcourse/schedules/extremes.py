"""The lower or the higher of two schedules at each step."""

from dataclasses import dataclass

import numpy as np

from .base import Array, Child, Schedule, operand
from .values import formula


def minimum(a: Schedule | float, b: Schedule | float) -> "Minimum":
    r"""The lower of two schedules at each step, $\min(a(t), b(t))$; either may be a number.

    Raises: `ValueError` for what is neither a schedule nor a number, zero or more.

    >>> from lrcourse import InverseSqrt, Linear
    >>> minimum(Linear(0.0, 1.0, steps=4), InverseSqrt(1.0, timescale=1)).table(5).round(3)
    array([0.   , 0.25 , 0.5  , 0.5  , 0.447])
    """
    return Minimum(operand("a", a), operand("b", b))


def maximum(a: Schedule | float, b: Schedule | float) -> "Maximum":
    r"""The higher of two schedules at each step, $\max(a(t), b(t))$; either may be a number, such as a lowest rate.

    Raises: `ValueError` for what is neither a schedule nor a number, zero or more.

    >>> from lrcourse import Exponential
    >>> maximum(Exponential(lr=1.0, gamma=0.5), 0.2).table(4)
    array([1.  , 0.5 , 0.25, 0.2 ])
    """
    return Maximum(operand("a", a), operand("b", b))


@dataclass(frozen=True)
class Minimum(Schedule):
    """The lower of `a` and `b` at each step: what `minimum(a, b)` gives.

    >>> from lrcourse import Constant, Linear
    >>> Minimum(Linear(1.0, 0.0, steps=2), Constant(0.75)).table(3)
    array([0.75, 0.5 , 0.  ])
    """

    a: Child
    b: Child

    def rates(self, t: Array) -> Array:
        return np.minimum(formula(self.a, t), formula(self.b, t))


@dataclass(frozen=True)
class Maximum(Schedule):
    """The higher of `a` and `b` at each step: what `maximum(a, b)` gives.

    >>> from lrcourse import Constant, Linear
    >>> Maximum(Linear(1.0, 0.0, steps=2), Constant(0.25)).table(3)
    array([1.  , 0.5 , 0.25])
    """

    a: Child
    b: Child

    def rates(self, t: Array) -> Array:
        return np.maximum(formula(self.a, t), formula(self.b, t))
