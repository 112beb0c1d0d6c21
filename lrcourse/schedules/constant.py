"""The same rate for every update."""

from dataclasses import dataclass

import numpy as np

from ..validation import Rate
from .base import Array, Schedule


@dataclass(frozen=True)
class Constant(Schedule):
    r"""The same rate for every update: $s(t) = \mathrm{lr}$.

    `lr`: the rate, zero or positive.

    Raises: `ValueError` if `lr` is negative or not finite.

    >>> Constant(0.1)(1000)
    0.1
    """

    lr: Rate

    def rates(self, t: Array) -> Array:
        return np.full_like(t, self.lr)
