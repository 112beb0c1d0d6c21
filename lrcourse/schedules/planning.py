"""From epochs to steps, and plans that follow from them."""

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike

from ..validation import bad, batch_length, positive, whole
from .base import Array, Child, Schedule

per_epoch = whole(1, "count them with steps_per_epoch(samples, batch_size)")
BatchLength = Annotated[int, batch_length]


def steps_per_epoch(samples: int, batch_size: int) -> int:
    r"""Updates in one epoch: $\lceil N / B \rceil$ for `samples` $N$ and `batch_size` $B$ (the last may be small).

    Raises: `ValueError` unless both are whole numbers ≥ 1.

    >>> steps_per_epoch(samples=1000, batch_size=64)
    16
    """
    samples = whole(1, "use the size of the training set, len(x)")("samples", samples)
    return -(-samples // batch_length("batch_size", batch_size))


def epochs(n: float, steps_per_epoch: int) -> int:
    """The number of steps in `n` epochs, rounded to a whole one: the only way from epochs to steps.

    Raises: `ValueError` if `n` ≤ 0 or too small for a step, or `steps_per_epoch` is not a whole number ≥ 1.

    >>> epochs(2.5, steps_per_epoch=100)
    250
    """
    n = positive("use for example 0.5 for half an epoch")("n", n)
    steps = round(n * per_epoch("steps_per_epoch", steps_per_epoch))
    if steps == 0:
        raise bad("n", n, f"enough for a step, of which an epoch has {steps_per_epoch}", "give the steps themselves: 1")
    return steps


@dataclass(frozen=True)
class CyclePlan:
    """How a cyclical run of a given length comes out.

    `cycles`: cycles in the run. `step_size`: steps of half a cycle. `steps`: updates of the run.
    `ends_at_minimum`: whether the run ends where a cycle does. `nearest`: the epochs below and above
    for which it would.
    """

    cycles: float
    step_size: int
    steps: int
    ends_at_minimum: bool
    nearest: tuple[int, int]


def plan_cycles(epochs: int, step_size_epochs: int, steps_per_epoch: int) -> CyclePlan:
    r"""Plan a run of `epochs` with half cycles of `step_size_epochs`, so that it ends at the lowest rate.

    $$\mathrm{cycles} = \mathrm{epochs} / (2 \cdot \mathrm{step\_size\_epochs})$$

    A whole number of cycles ends at the minimum. (The rate is back at `base_lr` after the last update;
    that update itself uses the rate one step above it.)

    Raises: `ValueError` unless all three are whole numbers ≥ 1.
    Source: Smith, "Cyclical learning rates", 2017, section 3.2: step sizes of 2 to 10 epochs.

    >>> plan_cycles(epochs=96, step_size_epochs=8, steps_per_epoch=100)
    CyclePlan(cycles=6.0, step_size=800, steps=9600, ends_at_minimum=True, nearest=(96, 96))
    >>> plan_cycles(epochs=100, step_size_epochs=8, steps_per_epoch=100).nearest
    (96, 112)
    """
    run = whole(1, "use for example 96 epochs")("epochs", epochs)
    half = whole(1, "use for example 8 epochs, of the usual 2 to 10")("step_size_epochs", step_size_epochs)
    steps = per_epoch("steps_per_epoch", steps_per_epoch)
    cycle = 2 * half
    nearest = (max(run // cycle, 1) * cycle, math.ceil(run / cycle) * cycle)
    return CyclePlan(run / cycle, half * steps, run * steps, run % cycle == 0, nearest)


@dataclass(frozen=True)
class BatchSchedule(Schedule):
    r"""A decay of the rate turned into a growth of the batch: see `batch_schedule`."""

    schedule: Child
    first_batch: BatchLength
    max_batch: BatchLength

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_batch < self.first_batch:
            least = f"at least the first batch, {self.first_batch}"
            raise bad("max_batch", self.max_batch, least, f"use {self.first_batch} or more")
        if self.schedule(0) == 0:
            raise bad("schedule", self.schedule, "positive at step 0", "put a warm-up in front of the result instead")

    def batch(self, t: ArrayLike) -> np.ndarray | int:
        """The batch size of update `t` (an int, or an int array for an array of steps)."""
        rates = np.asarray(self.schedule(np.asarray(t)))
        with np.errstate(divide="ignore", over="ignore"):
            wanted = self.first_batch * (self.schedule(0) / rates)
        sizes = np.clip(np.floor(wanted * (1 + 1e-12)), self.first_batch, self.max_batch).astype(int)
        return int(sizes) if sizes.ndim == 0 else sizes

    def rates(self, t: Array) -> Array:
        return self.schedule.rates(t) * self.batch(t) / self.first_batch


def batch_schedule(schedule: Schedule, batch: int, max_batch: int) -> BatchSchedule:
    r"""Grow the batch instead of lowering the rate, up to `max_batch`; what then is left to decay falls on the rate.

    $$B(t) = \min\!\left(B_{\max}, \left\lfloor B_0 \, \frac{s(0)}{s(t)} \right\rfloor\right), \qquad
    \mathrm{rate}(t) = s(t) \, \frac{B(t)}{B_0}$$

    so that rate / batch, which sets the noise of an update, is $s(t) / B_0$ throughout. The result is a schedule
    (its call gives the rate) with `.batch(t)` for the batch size. Steps are updates: with larger batches
    an epoch has fewer of them.

    Raises: `ValueError` if `max_batch < batch` or either is not a whole number ≥ 1.
    Source: Smith, Kindermans, Ying & Le, "Don't decay the learning rate, increase the batch size", 2018.

    >>> from lrcourse import Step
    >>> plan = batch_schedule(Step(lr=1.0, every=1, gamma=0.5), batch=32, max_batch=100)
    >>> plan.batch([0, 1, 2, 3])
    array([ 32,  64, 100, 100])
    >>> plan.table(4).round(4)
    array([1.    , 1.    , 0.7812, 0.3906])
    """
    return BatchSchedule(schedule, batch_length("batch", batch), max_batch)
