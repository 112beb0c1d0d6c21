"""Cyclical learning rates: up and down between two bounds."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np

from ..validation import Length, OptionalLength, Rate, bad, choice, positive, whole_steps
from .base import Array, Difference, Schedule, power
from .momentum import bounds
from .values import apply


@dataclass(frozen=True)
class Cyclic(Schedule):
    r"""Up from `base_lr` to `max_lr` in `step_size_up` steps, down in `step_size_down`, and again.

    $$s(t) = \mathrm{base} + (\mathrm{max} - \mathrm{base}) \cdot \mathrm{height}(t) \cdot \mathrm{scale},
    \qquad \mathrm{cycle} = \lfloor 1 + t / (\mathrm{up} + \mathrm{down}) \rfloor$$

    where height rises from 0 to 1 and falls back to 0 within a cycle (for equal halves of $n$ steps:
    $\max(0, 1 - |t/n - 2\,\mathrm{cycle} + 1|)$), and the scale is

    - `"triangular"`: 1;
    - `"triangular2"`: $1 / 2^{\mathrm{cycle} - 1}$, half the height in each cycle;
    - `"exp_range"`: $\gamma^t$;
    - `scale_fn(cycle)` with the cycle counted from 1, or `scale_fn(t)` for `scale_mode="iterations"`; it
      replaces `mode`.

    `base_lr`, `max_lr`: the bounds. `step_size_up`, `step_size_down`: steps (the second defaults to the first), of
    which they may be fractions: `Cyclic.over(steps, cycles, …)` fits a number of cycles into a run of any length.
    `.momentum()` is the mirrored cycle for the momentum.

    Raises: `ValueError` if `max_lr < base_lr`, a step size or `gamma` ≤ 0, or a mode is unknown.
    Source: Smith, "Cyclical learning rates for training neural networks", 2017.

    >>> Cyclic(base_lr=1.0, max_lr=3.0, step_size_up=2, mode="triangular2").table(9)
    array([1. , 2. , 3. , 2. , 1. , 1.5, 2. , 1.5, 1. ])
    """

    base_lr: Rate
    max_lr: Rate
    step_size_up: Length
    step_size_down: OptionalLength = None
    mode: Annotated[str, choice("triangular", "triangular2", "exp_range")] = "triangular"
    gamma: Annotated[float, positive("use 1 to keep the height, or for example 0.9999")] = 1.0
    scale_fn: Callable[[Any], Any] | None = None
    scale_mode: Annotated[str, choice("cycle", "iterations")] = "cycle"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_lr < self.base_lr:
            raise bad("max_lr", self.max_lr, f"at least base_lr = {self.base_lr}", "swap the two")
        if self.scale_fn is not None and not callable(self.scale_fn):
            raise bad("scale_fn", self.scale_fn, "a function of cycle or step", "pass for example lambda c: 1 / c")

    @classmethod
    def over(cls, steps: int, cycles: float, base_lr: float, max_lr: float, **others: Any) -> "Cyclic":
        """As many equal cycles as `cycles` says, which need not be a whole number, in a run of `steps` updates.

        `others`: what else `Cyclic` takes, such as `mode`.

        Raises: `ValueError` if `steps` is not a whole number ≥ 1, `cycles` ≤ 0, or as `Cyclic` does.

        >>> Cyclic.over(steps=10, cycles=2.5, base_lr=0.0, max_lr=1.0).table(10)
        array([0. , 0.5, 1. , 0.5, 0. , 0.5, 1. , 0.5, 0. , 0.5])
        """
        many = positive("use for example 3, or 2.5 to end at the top")("cycles", cycles)
        return cls(base_lr, max_lr, whole_steps("steps", steps) / many / 2, **others)

    def rates(self, t: Array) -> Array:
        up = self.step_size_up
        down = up if self.step_size_down is None else self.step_size_down
        cycle = np.floor(1 + t / (up + down))
        into = t - (cycle - 1) * (up + down)
        height = np.clip(np.where(into <= up, into / up, (up + down - into) / down), 0, 1)
        return self.base_lr + (self.max_lr - self.base_lr) * height * self._scale(t, cycle)

    def _scale(self, t: Array, cycle: Array) -> Array | float:
        if self.scale_fn is not None:
            return apply(self, "scale_fn", *((cycle, "cycle") if self.scale_mode == "cycle" else (t, "step")))
        if self.mode == "triangular2":
            return 0.5 ** (cycle - 1)
        return power(self.gamma, t) if self.mode == "exp_range" else 1.0

    def momentum(self, base: float = 0.8, max: float = 0.9) -> Difference:
        """The momentum that goes with these cycles: from `max` down to `base` while the rate rises, and back.

        It swings as far as the rate does: half as far in each cycle with `mode="triangular2"`. The bounds default
        to those of `torch.optim.lr_scheduler.CyclicLR`.

        Raises: `ValueError` unless 0 ≤ `base` ≤ `max` < 1.

        >>> Cyclic(0.1, 1.0, step_size_up=2, mode="triangular2").momentum().table(7).round(3)
        array([0.9  , 0.85 , 0.8  , 0.85 , 0.9  , 0.875, 0.85 ])
        """
        base, max = bounds(base, max)
        return max - replace(self, base_lr=0.0, max_lr=max - base)
