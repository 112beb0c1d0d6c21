"""Which time of a student's code counts: that of the processors, and that in which everything in its sandbox sleeps.

Waiting for a processor that others keep busy does not count: a full machine must cost nobody points. A sleep or a
deadlock uses no processor; so where nothing in the sandbox is able to run, the clock counts. And behind both stands
the clock: no answer takes more than `WALL` times its time by it, and all together no more than `IN_ALL` times theirs.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf

POLL = 0.25  # seconds between two looks at what a sandbox uses
WALL, IN_ALL = 20, 4  # for one answer, and for all of them together


@dataclass(frozen=True)
class Usage:
    """What a sandbox has used since it was made, in seconds of all processors, and whether all of it sleeps now."""

    processor: float
    asleep: bool


@dataclass
class Budget:
    """Seconds that the student's code is given, and what is left of them. `end`: when it is over by the clock."""

    seconds: float
    end: float = inf
    left: float = field(init=False)

    def __post_init__(self) -> None:
        self.left = self.seconds

    @classmethod
    def in_all(cls, seconds: float) -> "Budget":
        """For all answers, whatever becomes of the sandboxes: what nobody else counts, the clock does."""
        return cls(seconds, time.monotonic() + IN_ALL * seconds)

    @property
    def used(self) -> float:
        return self.seconds - self.left


class Clock:
    """Counts the time of one sandbox. `usage` says what it has used; None where nobody knows, and the clock counts."""

    def __init__(self, usage: Callable[[], Usage | None]) -> None:
        self.usage, self.processor = usage, 0.0

    def wait(self, *budgets: Budget) -> "Waiting":
        """For one answer, on account of the `budgets`."""
        return Waiting(self, budgets)


class Waiting:
    """To be called every `POLL` seconds until the answer is there. Raises: `TimeoutError` when a budget is spent.

    Most answers come before anybody looks: they are charged by the clock, so that asking costs nothing.
    """

    def __init__(self, clock: Clock, budgets: Sequence[Budget]) -> None:
        self.clock, self.budgets = clock, budgets
        self.looked = time.monotonic()
        self.until = self.looked + WALL * min(budget.left for budget in budgets)
        self.until = min(self.until, *(budget.end for budget in budgets))
        self.first = True

    def __call__(self) -> None:
        now = time.monotonic()
        self._charge(self._counted(now - self.looked))
        self.looked, self.first = now, False
        for budget in self.budgets:
            if now > budget.end:
                budget.left = 0.0
        if now > self.until or any(budget.left <= 0 for budget in self.budgets):
            raise TimeoutError

    def over(self) -> None:
        """The answer is there."""
        self._charge(min(time.monotonic() - self.looked, POLL))

    def _counted(self, passed: float) -> float:
        usage = self.clock.usage()
        if usage is None:
            return passed
        used = max(usage.processor - self.clock.processor, 0.0)
        self.clock.processor = usage.processor
        if self.first:  # some of it was used, and charged, before
            used = min(used, passed)
        return max(used, passed) if usage.asleep else used

    def _charge(self, seconds: float) -> None:
        for budget in self.budgets:
            budget.left -= seconds
