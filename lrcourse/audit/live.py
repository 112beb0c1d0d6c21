"""An audit of a run: it notes what each update uses, and says what is wrong with it."""

import math
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..schedules import Schedule
from ..schedules.base import as_schedule
from ..validation import bad, below_one, not_negative, optional, rates, steps_or_zero, whole_steps
from .finding import Report
from .optimizer_hooks import attached, length, unwrapped
from .rows import Formula, Meant, Rows
from .rules import findings
from .schedule_length import schedule_length

check_momentum = below_one("use for example 0.9")
check_factor = not_negative("use for example 0.1 for a tenth of the schedule's rate, 0 for a frozen group")
check_tolerance = not_negative("use for example 1e-6, or 1e-3 for rounded logs")


class Audit:
    r"""Notes the rate, the momentum and the loss of every update, and names what is wrong with the wiring.

    `schedule`: what the rates were meant to be: a schedule, or a list with one for each parameter group. Without it
    only tell-tale signs are left. `steps`: the updates of the whole run. `momentum`: the momentum that was meant, a
    number or a schedule. `factors`: the share of the schedule that each group was meant to have, 0 for a frozen one:
    group $i$ is compared with $f_i \, s(t)$; without a schedule, the ratio alone is looked at. Under
    `ScheduleLR(relative=True)` the fastest group has the schedule itself: divide the factors of `parameter_groups` by
    the largest. `tolerance`: how far a rate may lie from the schedule's, as a share of the highest.

    If the schedule says how long it is, as `Cosine(0.1, 0.0, 900)` does, a run that ends far before it is named.

    Each update takes about 300 bytes.

    Raises: `ValueError` for a bad argument.

    >>> import torch
    >>> from lrcourse import Cosine
    >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    >>> scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=40)
    >>> audit = Audit(Cosine(0.1, 0.0, steps=40), steps=40)
    >>> audit.attach(optimizer)
    >>> for batch in range(40):
    ...     optimizer.step()
    ...     if batch % 10 == 9:
    ...         scheduler.step()
    >>> for finding in audit.report():
    ...     print(finding.kind, finding.name, finding.seen, sep=": ")
    fault: stepped per epoch: the schedule moved on once in 10 updates; update 1 used rate 0.1 where the schedule has
    0.0998459
    """

    def __init__(
        self,
        schedule: Schedule | Sequence[Schedule] | None = None,
        steps: int | None = None,
        *,
        momentum: Schedule | float | None = None,
        factors: Sequence[float] | None = None,
        tolerance: float = 1e-6,
    ) -> None:
        self.rows = Rows()
        self._optimizer: Any = None
        self._handle: Any = None
        self.meant = Meant(
            rate=None if schedule is None else [formula(each) for each in _listed(schedule)],
            momentum=None if momentum is None else formula(as_schedule("momentum", momentum, check_momentum)),
            steps=optional(whole_steps)("steps", steps),
            length=None if schedule is None else _length(_listed(schedule)),
            factors=None if factors is None else tuple(check_factor("factors", each) for each in factors),
            tolerance=check_tolerance("tolerance", tolerance),
        )

    def attach(self, optimizer: Any, scheduler: Any = None, scaler: Any = None, step: int | None = None) -> None:
        """Note every update that a PyTorch optimizer makes from now on, also in Lightning, a Trainer or accelerate.

        `scheduler`: with it, a scheduler that counts wrongly is seen without a schedule, and so is a rate that
        something else has set. `scaler`: the `GradScaler`, which tells of skipped updates; accelerate's is found.
        `step`: the updates that were made before, in a run that is resumed; by default those that the optimizer's own
        state has counted, as Adam's does, else 0. The rates that groups came with are known if this is called before
        the scheduler is built; most schedulers keep them too, but OneCycleLR and CyclicLR of torch do not.

        Raises: `ValueError` for what is no such optimizer, for a second one, for a step that was noted already, or if
        schedules or factors were given for fewer groups than there are.
        """
        step, inner = optional(steps_or_zero)("step", step), unwrapped(optimizer)
        if self._optimizer is not None and self._optimizer() is not inner:
            raise bad(
                "optimizer", type(inner).__name__, "the one that the audit has", "make an Audit for each optimizer"
            )
        if len(self.rows) and step is None:
            step = self.rows.step[-1] + 1
        if len(self.rows) and step is not None and step <= self.rows.step[-1]:
            raise bad("step", step, f"after {self.rows.step[-1]}, the last one noted", "make an Audit for each run")
        _enough(self.meant, len(inner.param_groups))
        if self._handle is None:
            came = tuple(float(group.get("initial_lr", group["lr"])) for group in inner.param_groups)
            self.meant.came_with = came if len(came) > 1 else None
        else:
            self._handle.remove()  # each update is noted once
        self._optimizer, self._handle = weakref.ref(inner), attached(self.rows, optimizer, scheduler, scaler, step)
        self.meant.total = length(scheduler)

    def detach(self) -> None:
        """Note no more updates of the optimizer, and leave it as it was; what was noted stays.

        >>> import torch
        >>> optimizer, audit = torch.optim.SGD([torch.zeros(1)], lr=0.1), Audit()
        >>> audit.attach(optimizer)
        >>> optimizer.step()
        >>> audit.detach()
        >>> optimizer.step()
        >>> len(audit.rows)
        1
        """
        if self._handle is not None:
            self._handle.remove()

    def record(
        self,
        rate: float | Sequence[float],
        momentum: float | None = None,
        loss: float | None = None,
        step: int | None = None,
    ) -> None:
        """Note one update of a loop of your own. `rate`: one, or one for each group. `step`: by default the next.

        Raises: `ValueError` for a rate that is none, for a step that is no later than the last one, or if schedules or
        factors were given for fewer groups.

        >>> audit = Audit()
        >>> for rate in (0.0, 0.5, 1.0):
        ...     audit.record(rate)
        >>> [finding.name for finding in audit.report()]
        ['first update at rate 0']
        """
        used = tuple(rates("rate", [rate] if np.ndim(rate) == 0 else rate))
        _enough(self.meant, len(used))
        after = self.rows.step[-1] + 1 if len(self.rows) else 0
        at = after if step is None else steps_or_zero("step", step)
        if at < after:
            raise bad("step", at, f"at least {after}, after the last one", "leave it out to count by one")
        held = () if momentum is None else (check_momentum("momentum", momentum),)
        self.rows.add(at, used, held, None if loss is None else loss_of("loss", loss))

    def loss(self, value: Any) -> None:
        """Note the loss of the update just made, or of the first: a number, or a tensor with one; NaN is welcome.

        Raises: `ValueError` if it is not one number.
        """
        found = loss_of("value", value)
        if len(self.rows):
            self.rows.loss[-1] = found
        else:
            self.rows.early = found

    def report(self, finished: bool = True) -> Report:
        """What was found so far. `finished=False` while the run goes on: then its end is not judged.

        `print(audit.report())` shows all; `.faults` are what is wrong, the rest are notes on what may be meant. Pass
        `finished=False` as well where a run was stopped on purpose.
        """
        self.meant.finished = finished
        return report(self.rows, self.meant)


def loss_of(name: str, value: Any) -> float:
    """The one number in a loss, which may be NaN or infinite."""
    try:
        if isinstance(value, str | bool):
            raise TypeError
        return float(value.detach() if hasattr(value, "detach") else value)
    except (TypeError, ValueError, RuntimeError):
        raise bad(name, value, "a number or a tensor with one", "use for example 0.5, the mean of a batch") from None


def report(rows: Rows, meant: Meant) -> Report:
    """The findings of all rules, under a line about the run."""
    if not len(rows):
        return Report("no update was seen", ())
    used = [rate for group in rows.rate for rate in group]
    about = f"{len(rows)} {rows.unit}s, {rows.step[0]} to {rows.step[-1]}, rates {min(used):.4g} to {max(used):.4g}"
    if rows.replaced:
        about += f" (the last of several at {rows.replaced} steps, as in a log of several runs)"
    return Report(about, tuple(findings(rows, meant)))


def formula(schedule: Schedule) -> Formula:
    """A schedule as the rules read it; NaN where it gives no rate, as a function may do beyond the end of a run."""

    def at(steps: Sequence[float]) -> list[float]:
        try:
            told: list[float] = schedule(np.asarray(steps, dtype=np.float64)).tolist()
            return told
        except Exception:  # whatever a function raises
            return [_one(schedule, step) for step in steps]

    return at


def _one(schedule: Schedule, step: float) -> float:
    try:
        return schedule(step)
    except Exception:
        return math.nan


def _enough(meant: Meant, groups: int) -> None:
    """Refuse schedules or factors for some groups only: the others would not be judged."""
    for name, given in (("schedule", meant.rate), ("factors", meant.factors)):
        if given is not None and len(given) < groups and (name == "factors" or len(given) > 1):
            must = f"one for each of the {groups} parameter groups"
            raise bad(name, f"{len(given)} of them", must, "add those of the other groups")


def _length(schedules: Sequence[Schedule]) -> int | None:
    """The length of all of them, if they have one and the same."""
    lengths = set(map(schedule_length, schedules))
    return lengths.pop() if len(lengths) == 1 else None


def _listed(schedule: Any) -> Sequence[Schedule]:
    listed = [schedule] if isinstance(schedule, Schedule) else schedule
    if not isinstance(listed, list | tuple) or not listed or not all(isinstance(each, Schedule) for each in listed):
        raise bad("schedule", schedule, "a Schedule or a list of them", "pass for example Constant(0.1), or None")
    return listed
