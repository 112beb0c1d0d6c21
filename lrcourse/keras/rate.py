"""The rate of a Keras optimizer while it trains."""

from typing import Any

from ..schedules import Schedule
from ..schedules.base import Array
from . import floats
from .optimizer import alone, check_settable, number


class Rate:
    """The rate of `optimizer`, which nobody but `user`, a callback of this name, may set."""

    def __init__(self, optimizer: Any, schedule: Schedule, user: str) -> None:
        check_settable(optimizer, user,
                       single="compile with a single one, or pass KerasSchedule(schedule, steps) to each one in it",
                       plain=f"create the optimizer with learning_rate=0.01, or leave {user} out")  # fmt: skip
        self.optimizer, self.schedule, self.user = optimizer, schedule, user
        self.note()

    def set(self, step: int, t: Array) -> None:
        """The rate of update `step`, and of those after it until the next call: the schedule's at the first of `t`."""
        dtype = self.optimizer.learning_rate.dtype
        self._own = float(floats.in_floats(floats.rates(self.schedule, t[0], dtype), dtype))
        self.optimizer.learning_rate = self._own

    def applied(self) -> float:
        """What the update just made has used, if `check` has passed."""
        return self._own

    def note(self) -> None:
        """Take the rate as it is for the one to be left alone."""
        self._own = number(self.optimizer.learning_rate)

    def check(self, step: int) -> None:
        """Raise if the rate is not what it was set to."""
        alone("optimizer.learning_rate", number(self.optimizer.learning_rate), self._own, step, self.user)
