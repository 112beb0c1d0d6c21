"""What a run used, update by update, and what was meant: the table that the rules read."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

Formula = Callable[[Sequence[float]], list[float]]  # the rates at many steps


@dataclass
class Rows:
    """One entry per update: columns of plain numbers, whatever wrote them.

    `step`: the number of the update, from 0. `rate`, `momentum`: one for each parameter group; NaN without a
    momentum. `loss`: None where none was given. `skipped`: updates that were skipped right before this one.
    `position`: the scheduler's own step, `told`: the rates that it believes to have set; None without a scheduler.
    """

    step: list[int] = field(default_factory=list)
    rate: list[tuple[float, ...]] = field(default_factory=list)
    momentum: list[tuple[float, ...]] = field(default_factory=list)
    loss: list[float | None] = field(default_factory=list)
    skipped: list[int] = field(default_factory=list)
    position: list[float | None] = field(default_factory=list)
    told: list[tuple[float, ...] | None] = field(default_factory=list)
    unit: str = "update"  # what the steps count; a log may count epochs
    replaced: int = 0  # steps at which a log holds another rate, too, as where it holds several runs
    early: float | None = None  # a loss from before the first update, as of batches that only accumulate

    def add(
        self,
        step: int,
        rate: tuple[float, ...],
        momentum: tuple[float, ...] = (),
        loss: float | None = None,
        skipped: int = 0,
        position: float | None = None,
        told: tuple[float, ...] | None = None,
    ) -> None:
        self.step.append(step)
        self.rate.append(rate)
        self.momentum.append(momentum)
        self.loss.append(self.early if loss is None else loss)
        self.early = None
        self.skipped.append(skipped)
        self.position.append(position)
        self.told.append(told)

    def __len__(self) -> int:
        return len(self.step)


@dataclass
class Meant:
    """What the run was meant to use; None where nobody said.

    `rate`, `momentum`: the schedules as functions of a list of steps, one, or one for each parameter group. `steps`:
    the updates of the whole run. `length`: the steps that the schedule itself is made for. `factors`: the share of the
    schedule that each group has. `came_with`: the rates that the groups had before a scheduler set them. `total`: the
    steps that the scheduler is built for, in its own count. `finished`: whether the run is over. `tolerance`: how much
    of a rate may be rounding. `counts`: whether the steps are known to count updates from 0, as those of a log are not.
    """

    rate: list[Formula] | None = None
    momentum: Formula | None = None
    steps: int | None = None
    length: int | None = None
    factors: tuple[float, ...] | None = None
    came_with: tuple[float, ...] | None = None
    total: int | None = None
    finished: bool = True
    tolerance: float = 1e-6
    counts: bool = True


def leading(rows: Rows) -> list[float]:
    """The rates of the group that has the largest: a scheduler that keeps ratios gives it the schedule's own."""
    groups = min(map(len, rows.rate))
    peaks = [max(rate[i] for rate in rows.rate) for i in range(groups)]
    return column(rows, peaks.index(max(peaks)))


def column(rows: Rows, group: int) -> list[float]:
    """The rates of one group; NaN before it was added."""
    return [rate[group] if group < len(rate) else math.nan for rate in rows.rate]
