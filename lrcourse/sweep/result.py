"""What a sweep found."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..extras import extra
from ..schedules.base import Array
from ..validation import bad, whole
from . import loop
from .outcome import Outcome
from .plan import Plan
from .settings import NAMES
from .traces import Trace, kept_weights, trace

if TYPE_CHECKING:
    import pandas as pd
    import torch


class Heatmap(NamedTuple):
    """`values`, shape `(len(y), len(x))`, NaN where a member diverged or none was: `plots.heatmap(ax, *heatmap, …)`."""

    values: Array
    x: list[Any]
    y: list[Any]


@dataclass(frozen=True, eq=False)
class Result:
    """The members of a sweep after training, in the order of the settings.

    `curves`, shape `(members, steps)`: the loss of the batch before each update. `train_loss`, `test_loss`,
    `test_accuracy`, shape `(members,)`: after the last update (NaN without test data). `diverged`: the step of the
    first loss that was not finite, -1 for none. `engine` and `reason`: what trained them, and why that.
    """

    plan: Plan
    outcome: Outcome
    engine: str
    reason: str
    has_test: bool

    @property
    def trace(self) -> Trace:
        """What the members could do on the way; without `evaluate_every`, at the end."""
        return trace(self.plan, self.outcome.traces, self.has_test)

    @property
    def weights(self) -> dict[int, dict[str, "torch.Tensor"]]:
        """The parameters before the updates that `keep_weights` names: by step and name, the members' one after the
        other."""
        return kept_weights(self.outcome.traces)

    @property
    def curves(self) -> Array:
        return self.outcome.losses

    @property
    def train_loss(self) -> Array:
        return self.outcome.train_loss

    @property
    def test_loss(self) -> Array:
        return self._of_test(self.outcome.test_loss)

    @property
    def test_accuracy(self) -> Array:
        return self._of_test(self.outcome.test_accuracy)

    def _of_test(self, column: Array) -> Array:
        return column if self.has_test else np.full_like(column, np.nan)

    @property
    def diverged(self) -> np.ndarray:
        return self.outcome.diverged

    def frame(self) -> "pd.DataFrame":
        """A row per member: its setting, what it reached, and the step at which it diverged, if it did.

        `momentum` is what the optimizer used, also where a setting leaves it out.
        """
        with extra("sweep"):
            import pandas as pd

        columns: dict[str, Any] = {name: [getattr(each, name) for each in self.plan.settings] for name in NAMES}
        columns["momentum"] = [self.plan.momentum(each) for each in self.plan.settings]
        columns["train_loss"] = self.train_loss
        if self.has_test:
            columns |= {"test_loss": self.test_loss, "test_accuracy": self.test_accuracy}
        steps = pd.array(self.diverged, dtype="Int64")
        steps[self.diverged < 0] = pd.NA
        return pd.DataFrame(columns | {"diverged": steps})

    def heatmap(self, x: str, y: str, value: str = "train_loss") -> Heatmap:
        """The mean of `value` (a column of `frame`) over the members of each pair of `x` and `y`.

        Raises: `ValueError` for a name that `frame` does not have.
        """
        frame = self._frame_with(x, y, value)
        across, down = (list(dict.fromkeys(frame[name])) for name in (x, y))
        total, count = np.zeros((2, len(down), len(across)))
        column = frame[value].to_numpy(dtype=float, na_value=np.nan)
        if value != "diverged":
            column = np.where(self.diverged < 0, column, np.nan)
        for i, j, number in zip(frame[y].map(down.index), frame[x].map(across.index), column):
            total[i, j] += number
            count[i, j] += 1
        with np.errstate(invalid="ignore"):
            return Heatmap(total / count, across, down)

    def best(self, value: str = "train_loss") -> dict[str, Any]:
        """The row of `frame` with the lowest `value` (for `"test_accuracy"` the highest) of those that stayed finite.

        Raises: `ValueError` if all members diverged, and for a name that `frame` does not have or without numbers.
        """
        frame = self._frame_with(value)
        finite = frame[(self.diverged < 0) & frame[value].notna()]
        if finite.empty and (self.diverged < 0).any():
            raise bad("value", value, "a column with numbers", "mean squared error has no accuracy: use a loss")
        if finite.empty:
            raise bad("settings", f"{len(frame)} diverged members", "at least one that stays finite", "lower the rates")
        row = finite[value].idxmax() if value == "test_accuracy" else finite[value].idxmin()
        best: dict[str, Any] = frame.loc[row].to_dict()
        return best

    def _frame_with(self, *names: str) -> "pd.DataFrame":
        frame = self.frame()
        for name in names:
            if name not in frame:
                raise bad("column", name, f"one of {list(frame)}", "see frame()")
        return frame

    def verify(self, n: int = 4) -> float:
        """Train `n` members, evenly chosen, again one by one in plain PyTorch; the largest difference of a loss.

        Relative to the loss where that is above 1; up to the divergence of a member that diverges; infinite if it
        diverges in one way only. About 1e-15 in float64 and 1e-6 in float32, and more for members at the edge of
        stability, where rounding errors grow.
        """
        n = whole(1, "use for example 4")("n", n)
        chosen = np.unique(np.linspace(0, len(self.plan.settings) - 1, n).round().astype(int))
        largest = 0.0
        for i in chosen:
            again = loop.run(self.plan.part(i, i + 1)).losses[0]
            ours = self.curves[i]
            if np.isfinite(ours).all() != np.isfinite(again).all():
                return float("inf")
            finite = np.logical_and.accumulate(np.isfinite(ours) & np.isfinite(again))
            difference = np.abs(ours - again)[finite] / np.maximum(1, np.abs(again[finite]))
            largest = max(largest, *difference, 0.0)
        return float(largest)
