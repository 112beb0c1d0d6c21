"""Warm-up, a long stable phase, and a short decay that can start whenever the run should end."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..validation import Rate, Steps, StepsOrZero, bad, choice
from .base import Array, Schedule, mix, wave


@dataclass(frozen=True)
class WSD(Schedule):
    r"""Warm-up from `start` to `peak`, a stable phase at `peak`, then a decay to `end` ("warmup-stable-decay").

    With $f$ the share of the decay that is done, from 0 to 1, the decay is

    - `"linear"`: $\mathrm{peak} + (\mathrm{end} - \mathrm{peak}) f$;
    - `"cosine"`: $\mathrm{peak} + (\mathrm{end} - \mathrm{peak}) \, (1 - \cos \pi f) / 2$;
    - `"1-sqrt"`: $\mathrm{peak} + (\mathrm{end} - \mathrm{peak}) \sqrt{f}$;
    - `"exp"`: $\mathrm{peak} \, (\mathrm{end} / \mathrm{peak})^f$, which needs `end > 0`.

    `warmup`, `stable`, `decay`: steps of the phases; `warmup` and `stable` may be 0. `start`: the rate of update 0,
    as in `lrcourse.warmup`: at the default 0 that update changes nothing.

    Raises: `ValueError` for lengths that are not whole numbers, negative rates, or `shape="exp"` with `end=0`.
    Source: Hu et al., "MiniCPM", 2024; 1-sqrt: Hägele et al., "Scaling laws beyond fixed training durations", 2024.

    >>> WSD(peak=1.0, warmup=2, stable=2, decay=4).table(9)
    array([0.  , 0.5 , 1.  , 1.  , 1.  , 0.75, 0.5 , 0.25, 0.  ])
    >>> WSD(peak=1.0, warmup=2, stable=0, decay=1, start=0.5).table(3)
    array([0.5 , 0.75, 1.  ])
    """

    peak: Rate
    warmup: StepsOrZero
    stable: StepsOrZero
    decay: Steps
    end: Rate = 0.0
    shape: Annotated[str, choice("linear", "cosine", "1-sqrt", "exp")] = "linear"
    start: Rate = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.shape == "exp" and not (self.end > 0 and self.peak > 0):
            raise bad("end", self.end, "positive (and peak too) for shape='exp'", "an exponential never reaches 0")

    def rates(self, t: Array) -> Array:
        rising = mix(self.start, self.peak, np.minimum(t / max(self.warmup, 1), 1))
        done = np.clip((t - self.warmup - self.stable) / self.decay, 0, 1)
        return np.where(t < self.warmup, rising, self._decayed(done))

    def _decayed(self, done: Array) -> Array:
        if self.shape == "exp":
            return self.peak ** (1 - done) * self.end**done
        share = {"linear": done, "cosine": wave(done), "1-sqrt": np.sqrt(done)}[self.shape]
        return mix(self.peak, self.end, share)
