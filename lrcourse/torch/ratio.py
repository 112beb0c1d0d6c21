"""The ratio of an optimizer's parameter groups: each keeps it, or is told that it cannot."""

import math
from collections.abc import Sequence

import torch

from ..validation import bad
from . import groups
from .groups import Group
from .joining import followed

BUILD = "build this before a schedule sets the rate to 0, or give each group its own schedule"
LIST = "pass a list of schedules, one per group"


def close(a: float, b: float) -> bool:
    """Whether two rates are one, which a tensor of 32 bits may have rounded."""
    return math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-37)


def came_with(optimizer: torch.optim.Optimizer) -> list[float]:
    """The rate of each group before a schedule set it; NaN where that is not known.

    Another scheduler of ours, as in a `SequentialLR`, knows, unless a rate was set by hand since. One of torch's has
    left its note in the groups, which may be an old one: it counts only where all rates are 0.
    """
    rates, other = [groups.rate(group) for group in optimizer.param_groups], followed(optimizer)
    if other is not None and len(other._last_lr) == len(rates) and all(map(close, rates, other._last_lr)):
        return list(other._came_with)
    noted = [float(group.get("initial_lr", math.nan)) for group in optimizer.param_groups]
    if any(rates):
        return [math.nan if rate == 0 < first else rate for rate, first in zip(rates, noted)]
    return rates if all(map(math.isnan, noted)) else noted


def shares(rates: Sequence[float], largest: float, fix: str = BUILD) -> list[float]:
    """Each of the groups' `rates` as its share in the `largest`."""
    if not (0 < largest < math.inf and all(0 <= each < math.inf for each in rates)):
        raise bad("lr", list(rates), "finite in every group, and above 0 in one, for their ratio to be known", fix)
    return [each / largest for each in rates]


def check_equal(rates: Sequence[float]) -> None:
    if not all(close(rates[0], each) for each in rates):
        raise bad("schedule", list(rates), "one per parameter group, as the groups have different rates",
                  f"build ScheduleLR(optimizer, schedule, relative=True) to keep their ratio, or {LIST}")  # fmt: skip


def check_kept(param_groups: Sequence[Group], shares: Sequence[float]) -> None:
    """Refuse groups, as they come from a checkpoint, whose rates are not in the ratio of `shares`."""
    rates = [groups.rate(group) for group in param_groups]
    whole = max(rates) / max(shares)
    if not all(close(rate, share * whole) for rate, share in zip(rates, shares)):
        raise bad("lr", rates, f"in every group its share {list(shares)}, which this scheduler keeps",
                  f"build it after the optimizer is loaded, with relative=True, or {LIST}")  # fmt: skip
