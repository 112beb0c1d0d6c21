"""How many steps a schedule is made for, where its own arguments say so."""

from ..schedules import REX, WSD, Constant, Cosine, Geometric, Linear, OneCycle, Polynomial, Schedule
from ..schedules.base import Clip, Product, Then


def schedule_length(schedule: Schedule) -> int | None:
    """The steps after which the rate stays; None for a schedule that does not say, or never ends.

    >>> from lrcourse import Exponential, warmup
    >>> schedule_length(0.5 * warmup(Cosine(0.1, 0.0, steps=90), 10)), schedule_length(Exponential(0.1, 0.9))
    (100, None)
    """
    match schedule:
        case Cosine() | Linear() | Polynomial() | Geometric() | REX() | OneCycle():
            return schedule.steps
        case WSD():
            return schedule.warmup + schedule.stable + schedule.decay
        case Then():
            rest = schedule_length(schedule.second)
            return None if rest is None else schedule.at + rest
        case Product(Constant(), other) | Product(other, Constant()) | Clip(other):
            return schedule_length(other)
    return None
