"""What training some members gave, as arrays that can be joined and stored."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from ..schedules.base import Array


@dataclass(frozen=True, eq=False)
class Outcome:
    """One row per member. `losses`: of the batch, before each update. The rest: after the last update."""

    losses: Array
    train_loss: Array
    test_loss: Array
    test_accuracy: Array

    def arrays(self) -> dict[str, Array]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @staticmethod
    def join(parts: "Sequence[Outcome]") -> "Outcome":
        return Outcome(*(np.concatenate(arrays) for arrays in zip(*(part.arrays().values() for part in parts))))

    @property
    def diverged(self) -> np.ndarray:
        """The step whose loss was the first not to be finite (`steps` is the loss after the last), -1 if none."""
        finite = np.isfinite(np.column_stack([self.losses, self.train_loss]))
        return np.where(finite.all(axis=1), -1, finite.argmin(axis=1))
