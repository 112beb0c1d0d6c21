"""Types that check themselves: a schedule's fields are annotated with these.

`Schedule.__post_init__` calls the function in each annotation, so a class states what its arguments
mean and nothing else. Every message names the argument, the value and the fix.
"""

import math
import numbers
from collections.abc import Iterable
from itertools import pairwise
from typing import Annotated, Any


def bad(name: str, value: Any, must: str, fix: str) -> ValueError:
    """The one form every complaint about an argument takes."""
    return ValueError(f"{name} must be {must}, got {value!r}: {fix}")


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
        raise bad(name, value, "a finite number", f"pass a plain int or float as {name}")
    return float(value)


def rate(name: str, value: Any) -> float:
    if _number(name, value) < 0:
        raise bad(name, value, "zero or positive", "a learning rate only scales the step; use its absolute value")
    return float(value)


def factor(name: str, value: Any) -> float:
    if _number(name, value) <= 0:
        raise bad(name, value, "positive", "use for example 0.1 to divide the rate by ten")
    return float(value)


def fraction(name: str, value: Any) -> float:
    if not 0 < _number(name, value) < 1:
        raise bad(name, value, "between 0 and 1, both excluded", "use for example 0.3 for 30 %")
    return float(value)


def count(name: str, value: Any) -> int:
    if _number(name, value) < 0 or value != int(value):
        raise bad(name, value, "a whole number of steps, 0 or more", "convert epochs with epochs(n, steps_per_epoch)")
    return int(value)


def steps(name: str, value: Any) -> int:
    if _number(name, value) < 1 or value != int(value):
        raise bad(name, value, "a whole number of steps, at least 1", "convert epochs with epochs(n, steps_per_epoch)")
    return int(value)


def whole(name: str, value: Any, least: int) -> int:
    if _number(name, value) < least or value != int(value):
        raise bad(name, value, f"a whole number, {least} or more", f"pass for example {max(least, 1)}")
    return int(value)


def length(name: str, value: Any) -> float:
    if _number(name, value) <= 0:
        raise bad(name, value, "a positive number of steps", "use for example 2 to 8 epochs' worth of steps")
    return int(value) if value == int(value) else float(value)


def _sequence(name: str, values: Any) -> tuple[Any, ...]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise bad(name, values, "a list of numbers", f"write {name}=[...], also for a single one")
    return tuple(values)


def rising_steps(name: str, values: Any) -> tuple[int, ...]:
    values = tuple(count(name, value) for value in _sequence(name, values))
    if any(a > b for a, b in pairwise(values)):
        raise bad(name, list(values), "in rising order", "sort them")
    return values


def rates(name: str, values: Any) -> tuple[float, ...]:
    return tuple(rate(name, value) for value in _sequence(name, values))


def optional_rate(name: str, value: Any) -> float | None:
    return None if value is None else rate(name, value)


def choice(*allowed: Any) -> Any:
    def check(name: str, value: Any) -> Any:
        if value not in allowed:
            raise bad(name, value, " or ".join(map(repr, allowed)), f"choose one of {list(allowed)}")
        return value

    return check


Flag = Annotated[bool, choice(True, False)]
Rate = Annotated[float, rate]
Rates = Annotated[tuple[float, ...], rates]
OptionalRate = Annotated[float | None, optional_rate]
Factor = Annotated[float, factor]
Fraction = Annotated[float, fraction]
Count = Annotated[int, count]
Steps = Annotated[int, steps]
Length = Annotated[float, length]
Milestones = Annotated[tuple[int, ...], rising_steps]
