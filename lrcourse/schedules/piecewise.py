"""A rate per interval, or a rate from any function."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..validation import Milestones, Rates, bad
from .base import Array, Schedule
from .values import apply


@dataclass(frozen=True)
class Piecewise(Schedule):
    r"""`values[i]` from boundary $i$ up to, but not including, the next.

    $$s(t) = \mathrm{values}_i \quad \text{for} \quad b_i \le t < b_{i+1}, \qquad b_0 = 0$$

    `boundaries`: steps in rising order. `values`: one more than the boundaries. (Keras's `PiecewiseConstantDecay`
    changes one step later, at $t > b$.)

    Raises: `ValueError` for unsorted or negative boundaries, negative rates, or a wrong number of values.

    >>> Piecewise(boundaries=[2, 4], values=[1.0, 0.5, 0.1]).table(6)
    array([1. , 1. , 0.5, 0.5, 0.1, 0.1])
    """

    boundaries: Milestones
    values: Rates

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.values) != len(self.boundaries) + 1:
            raise bad("values", self.values, f"{len(self.boundaries) + 1} rates for {len(self.boundaries)} boundaries",
                      "give one rate before, between and after the boundaries")  # fmt: skip

    def rates(self, t: Array) -> Array:
        return np.asarray(self.values)[np.searchsorted(self.boundaries, t, side="right")]


@dataclass(frozen=True)
class Lambda(Schedule):
    """The rate that the function `fn` returns for step `t`.

    `fn`: takes a step (a number or, faster, an array) and returns the rate itself, not a factor on one.
    A module-level function can be pickled; a `lambda` cannot. Neither can be written by `to_dict`.

    Raises: `ValueError` if `fn` cannot be called, and at a step for which it does not return a rate.

    >>> Lambda(lambda t: 1 / (1 + t)).table(4).round(3)
    array([1.   , 0.5  , 0.333, 0.25 ])
    """

    fn: Callable[[Any], Any]

    def __post_init__(self) -> None:
        if not callable(self.fn):
            raise bad("fn", self.fn, "a function of the step", "pass for example lambda t: 1 / (1 + t)")

    def rates(self, t: Array) -> Array:
        return apply(self, "fn", t)
