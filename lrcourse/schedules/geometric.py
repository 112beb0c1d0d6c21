"""From one rate to another by the same factor per step."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..validation import Steps, positive
from .base import Array, Schedule

Above = Annotated[float, positive("use for example 1e-05: by factors, zero is never reached")]


@dataclass(frozen=True)
class Geometric(Schedule):
    r"""From `start` to `end` by the same factor per step: a straight line where the axis of rates is logarithmic.

    $$s(t) = \mathrm{start} \, (\mathrm{end} / \mathrm{start})^{\min(t / \mathrm{steps}, 1)}$$

    `start`: the rate of update 0. `end`: the rate from update `steps` on. It may rise, as in a range test, or fall, as
    `Exponential` does, whose factor is given instead of its end.

    Raises: `ValueError` if `steps` is not a whole number ≥ 1 or a rate is not positive.

    >>> Geometric(start=1.0, end=0.01, steps=4).table(6).round(4)
    array([1.    , 0.3162, 0.1   , 0.0316, 0.01  , 0.01  ])
    """

    start: Above
    end: Above
    steps: Steps

    def rates(self, t: Array) -> Array:
        done = np.minimum(t / self.steps, 1)
        between = self.start ** (1 - done) * self.end**done
        return np.clip(between, min(self.start, self.end), max(self.start, self.end))
