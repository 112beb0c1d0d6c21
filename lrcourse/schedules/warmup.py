"""Warm-up: a rising line in front of any schedule."""

from ..validation import rate, steps_or_zero
from .base import Schedule, child
from .polynomial import Linear


def warmup(schedule: Schedule, steps: int, start: float = 0.0) -> Schedule:
    r"""A line from `start` to the first rate of `schedule` over `steps` updates, then `schedule` from its step 0.

    $$w(t) = \mathrm{start} + (s(0) - \mathrm{start}) \, t / n \quad (t < n), \qquad w(t) = s(t - n) \quad (t \ge n)$$

    `steps` ($n$) is the number of updates below the schedule's first rate; the schedule's own length is not
    shortened by it. With 0 steps it is the schedule itself. `start` is the rate of update 0: with the default 0 that
    update changes nothing.

    Raises: `ValueError` if `steps` is not a whole number, zero or more, or `start` is negative.

    >>> from lrcourse import Constant
    >>> warmup(Constant(1.0), steps=4, start=0.2).table(6).round(3)
    array([0.2, 0.4, 0.6, 0.8, 1. , 1. ])
    """
    schedule, steps, start = child("schedule", schedule), steps_or_zero("steps", steps), rate("start", start)
    return Linear(start, schedule(0), steps).then(schedule, at=steps) if steps else schedule
