"""One cycle: up, down, and far below the start."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

import numpy as np

from ..validation import OptionalRate, Rate, Steps, bad, choice, fraction
from .base import Array, Schedule, mix
from .momentum import bounds


@dataclass(frozen=True)
class OneCycle(Schedule):
    r"""One rise from `initial_lr` to `max_lr`, then one fall to `final_lr`, over a whole run of `steps` updates.

    The rates at the corners are joined by half a cosine wave (`anneal="cos"`) or a line (`"linear"`):

    - `phases=2` (fastai, PyTorch): initial at $t=0$, max at $t = p N - 1$, final at $t = N - 1$;
    - `phases=3` (the paper): initial, max at $p N - 1$, initial again at $2 p N - 2$, final at $N - 1$

    with $N$ = `steps` and $p$ = `pct_start`. Update $N - 1$, the last of the run, uses `final_lr`.

    `initial_lr` defaults to `max_lr / 25`, `final_lr` to `initial_lr / 10_000` (PyTorch's defaults).
    `.momentum()` is the mirrored cycle for the momentum.

    Raises: `ValueError` if `steps` is not a whole number ≥ 1, `pct_start` leaves a phase no step, or a rate < 0.
    Source: Smith & Topin, "Super-convergence", 2018; Smith, "A disciplined approach", 2018.

    >>> OneCycle(max_lr=1.0, steps=5, pct_start=0.6, initial_lr=0.2, final_lr=0.0, anneal="linear").table(6)
    array([0.2, 0.6, 1. , 0.5, 0. , 0. ])
    """

    max_lr: Rate
    steps: Steps
    pct_start: Annotated[float, fraction("use for example 0.3 for 30 % of the steps")] = 0.3
    initial_lr: OptionalRate = None
    final_lr: OptionalRate = None
    phases: Annotated[int, choice(2, 3)] = 2
    anneal: Annotated[str, choice("cos", "linear")] = "cos"

    def __post_init__(self) -> None:
        super().__post_init__()
        corners = self._corners()
        if any(a >= b for a, b in pairwise(corners)):
            raise bad("pct_start", self.pct_start, f"large enough for a rise and small enough for {self.phases} phases "
                      f"in {self.steps} steps", "use more steps, or a pct_start near 0.3")  # fmt: skip

    def _corners(self) -> list[float]:
        top = self.pct_start * self.steps - 1
        return [0, top, self.steps - 1] if self.phases == 2 else [0, top, 2 * top, self.steps - 1]

    def _rates(self) -> list[float]:
        initial = self.max_lr / 25 if self.initial_lr is None else self.initial_lr
        final = initial / 10_000 if self.final_lr is None else self.final_lr
        return [initial, self.max_lr, final] if self.phases == 2 else [initial, self.max_lr, initial, final]

    def rates(self, t: Array) -> Array:
        corners, rates = self._corners(), np.array(self._rates())
        weight = np.interp(t, corners, range(len(corners)))  # 1.25 is a quarter of the way from corner 1 to 2
        phase = np.minimum(weight.astype(np.int8), len(corners) - 2)  # eight bits, since memory costs more than sums
        weight -= phase
        if self.anneal == "cos":
            weight = np.sin(np.pi / 2 * weight) ** 2  # this is (1 - cos) / 2
        return mix(rates[phase], rates[phase + 1], weight)

    def momentum(self, base: float = 0.85, max: float = 0.95) -> "OneCycle":
        """The momentum that goes with this cycle: from `max` down to `base` while the rate rises, and back.

        >>> OneCycle(max_lr=1.0, steps=5, pct_start=0.6, anneal="linear").momentum().table(5)
        array([0.95, 0.9 , 0.85, 0.9 , 0.95])
        """
        base, max = bounds(base, max)
        return OneCycle(base, self.steps, self.pct_start, max, max, self.phases, self.anneal)
