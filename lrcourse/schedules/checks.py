"""Types that check themselves: the fields of schedules and optimizers are annotated with these.

`check_fields` calls the function in each annotation, so a class states what its arguments
mean and nothing else. Every message names the argument, the value and the fix.
"""

import math
import numbers
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from functools import cache
from itertools import pairwise
from typing import Annotated, Any, get_type_hints

from numpy.typing import NDArray


def bad(name: str, value: Any, must: str, fix: str) -> ValueError:
    """The one form every complaint about an argument takes."""
    return ValueError(f"{name} must be {must}, got {value!r}: {fix}")


def check_fields(instance: Any) -> None:
    """Put what its check returns in every field of a dataclass whose type has one, also in a frozen instance.

    Raises: what the check does, and `TypeError` for a type that cannot be read, as its check would be lost.
    """
    for name, check in _checks(instance.__class__):
        object.__setattr__(instance, name, check(name, getattr(instance, name)))


@cache
def _checks(cls: type) -> list[tuple[str, Callable[[str, Any], Any]]]:
    try:  # under `from __future__ import annotations` a type is a string
        types = get_type_hints(cls, include_extras=True)
    except NameError as error:
        raise TypeError(
            f"the types of the fields of {cls.__qualname__} cannot be read, so neither can their checks ({error}): "
            f"import {error.name} at the top of {cls.__module__}, outside of `if TYPE_CHECKING`"
        ) from None
    names = [field.name for field in fields(cls)]
    return [(name, each) for name in names for each in getattr(types[name], "__metadata__", ()) if callable(each)]


def is_number(value: Any) -> bool:
    """Whether `value` is a real number, which True is not, and one that a float can hold, infinity and NaN included."""
    try:
        return not isinstance(value, bool) and isinstance(value, numbers.Real) and isinstance(float(value), float)
    except OverflowError:  # a whole number knows no limit
        return False


def _number(name: str, value: Any) -> float:
    if not is_number(value) or not math.isfinite(value):
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


def not_negative(name: str, value: Any) -> float:
    if _number(name, value) < 0:
        raise bad(name, value, "zero or positive", "use 0 for none")
    return float(value)


def positive(name: str, value: Any) -> float:
    if _number(name, value) <= 0:
        raise bad(name, value, "positive", "use for example 1.0")
    return float(value)


def below_one(name: str, value: Any, fix: str = "use for example 0.9") -> float:
    if not 0 <= _number(name, value) < 1:
        raise bad(name, value, "at least 0 and below 1", fix)
    return float(value)


def count(name: str, value: Any) -> int:
    if _number(name, value) < 0 or value != int(value):
        raise bad(name, value, "a whole number of steps, 0 or more", "convert epochs with epochs(n, steps_per_epoch)")
    return int(value)


def steps(name: str, value: Any) -> int:
    if _number(name, value) < 1 or value != int(value):
        raise bad(name, value, "a whole number of steps, at least 1", "convert epochs with epochs(n, steps_per_epoch)")
    return int(value)


def whole(name: str, value: Any, least: int, fix: str = "") -> int:
    if _number(name, value) < least or value != int(value):
        raise bad(name, value, f"a whole number, at least {least}", fix or f"use for example {max(least, 1)}")
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
Rates = Annotated[Sequence[float] | NDArray[Any], rates]
OptionalRate = Annotated[float | None, optional_rate]
Factor = Annotated[float, factor]
Fraction = Annotated[float, fraction]
Positive = Annotated[float, positive]
Count = Annotated[int, count]
Steps = Annotated[int, steps]
Length = Annotated[float, length]
Milestones = Annotated[Sequence[int] | NDArray[Any], rising_steps]
