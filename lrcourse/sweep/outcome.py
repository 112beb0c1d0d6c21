"""What training some members gave, as arrays that can be joined and stored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

import numpy as np

from ..schedules.base import Array

TRACE = "traces/"  # what the names of traces start with beside the others


@dataclass(frozen=True, eq=False)
class Outcome:
    """One row per member. `losses`: of the batch, before each update. The next three: after the last update.

    `traces`: whatever else was recorded, by the names that `traces.py` gives.
    """

    losses: Array
    train_loss: Array
    test_loss: Array
    test_accuracy: Array
    traces: dict[str, Array] = field(default_factory=dict)

    def arrays(self) -> dict[str, Array]:
        own = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "traces"}
        return own | {TRACE + name: each for name, each in self.traces.items()}

    @staticmethod
    def of(arrays: "Mapping[str, Array]") -> "Outcome":
        """The inverse of `arrays`."""
        own = {name: each for name, each in arrays.items() if not name.startswith(TRACE)}
        traces = {name.removeprefix(TRACE): each for name, each in arrays.items() if name.startswith(TRACE)}
        return Outcome(**own, traces=traces)

    @staticmethod
    def join(parts: "Sequence[Outcome]") -> "Outcome":
        rows = [part.arrays() for part in parts]
        return Outcome.of({name: np.concatenate([row[name] for row in rows]) for name in rows[0]})

    @property
    def diverged(self) -> np.ndarray:
        """The step whose loss was the first not to be finite (`steps` is the loss after the last), -1 if none."""
        finite = np.isfinite(np.column_stack([self.losses, self.train_loss]))
        return np.where(finite.all(axis=1), -1, finite.argmin(axis=1))
