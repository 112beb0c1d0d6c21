"""What arguments may be: checks, and the one form that every complaint takes.

A check takes the name of an argument and its value, and returns the value or raises. It is called, or stands in the
type of a dataclass's field, where `check_fields` finds it: so a class states what its arguments mean and nothing else.

Every message names the argument, the value and the fix. What means the same everywhere, such as a rate or a number
of steps, has its fix here; of all else, such as `positive(fix)`, only who asks for it knows what to use instead.
"""

import math
import numbers
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from functools import cache
from itertools import pairwise
from typing import Annotated, Any, get_type_hints

from numpy.typing import NDArray

Check = Callable[[str, Any], Any]


def bad(name: str, value: Any, must: str, fix: str) -> ValueError:
    """The one form every complaint about an argument takes."""
    return ValueError(f"{name} must be {must}, got {value!r}: {fix}")


def check_fields(instance: Any) -> None:
    """Put what its check returns in every field of a dataclass whose type has one, also in a frozen instance.

    Raises: what the check does, and `TypeError` for a type that cannot be read, as its check would be lost.
    """
    for name, check in checks_of(instance.__class__):
        object.__setattr__(instance, name, check(name, getattr(instance, name)))


@cache
def checks_of(cls: type) -> list[tuple[str, Check]]:
    """The names of a dataclass's fields that have a check in their type, each with it."""
    try:  # under `from __future__ import annotations` a type is a string
        types = get_type_hints(cls, include_extras=True)
    except NameError as error:
        raise TypeError(
            f"the types of the fields of {cls.__qualname__} cannot be read, so neither can their checks ({error}): "
            f"import {error.name} at the top of {cls.__module__}, outside of `if TYPE_CHECKING`"
        ) from None
    names = [field.name for field in fields(cls)]
    return [(name, each) for name in names for each in getattr(types[name], "__metadata__", ()) if callable(each)]


# Any number, and what a fix has to be given for


def is_number(value: Any) -> bool:
    """Whether `value` is a real number, which True is not, and one that a float can hold, infinity and NaN included."""
    try:
        return not isinstance(value, bool) and isinstance(value, numbers.Real) and isinstance(float(value), float)
    except OverflowError:  # a whole number knows no limit
        return False


def number(name: str, value: Any) -> float:
    if not is_number(value) or not math.isfinite(value):
        raise bad(name, value, "a finite number", f"pass a plain int or float as {name}")
    return float(value)


def positive(fix: str) -> Callable[[str, Any], float]:
    return _within(lambda value: value > 0, "positive", fix)


def not_negative(fix: str) -> Callable[[str, Any], float]:
    return _within(lambda value: value >= 0, "zero or positive", fix)


def at_least_one(fix: str) -> Callable[[str, Any], float]:
    return _within(lambda value: value >= 1, "at least 1", fix)


def fraction(fix: str) -> Callable[[str, Any], float]:
    return _within(lambda value: 0 < value < 1, "between 0 and 1, both excluded", fix)


def below_one(fix: str) -> Callable[[str, Any], float]:
    return _within(lambda value: 0 <= value < 1, "at least 0 and below 1", fix)


def _within(right: Callable[[float], bool], must: str, fix: str) -> Callable[[str, Any], float]:
    def check(name: str, value: Any) -> float:
        if not right(number(name, value)):
            raise bad(name, value, must, fix)
        return float(value)

    return check


def whole(least: int, fix: str, of: str = "") -> Callable[[str, Any], int]:
    def check(name: str, value: Any) -> int:
        if number(name, value) < least or value != int(value):
            raise bad(name, value, f"a whole number{of}, at least {least}", fix)
        return int(value)

    return check


def choice(*allowed: Any) -> Check:
    def check(name: str, value: Any) -> Any:
        if value not in allowed:
            raise bad(name, value, " or ".join(map(repr, allowed)), f"choose one of {list(allowed)}")
        return value

    return check


def optional(check: Check) -> Check:
    return lambda name, value: None if value is None else check(name, value)


# What means the same everywhere

CONVERT = "convert epochs with epochs(n, steps_per_epoch)"

rate = not_negative("a learning rate only scales the step; use its absolute value")
whole_steps = whole(1, CONVERT, " of steps")
steps_or_zero = whole(0, CONVERT, " of steps")
batch_length = whole(1, "use for example 32")
random_seed = whole(0, "use for example 0")


def steps_either_way(name: str, value: Any) -> int:
    """A number of steps forwards or, below zero, backwards."""
    if number(name, value) != int(value):
        raise bad(name, value, "a whole number of steps", CONVERT)
    return int(value)


def length(name: str, value: Any) -> float:
    """A time in steps, of which it may be a fraction."""
    if number(name, value) <= 0:
        raise bad(name, value, "a positive number of steps", CONVERT)
    return int(value) if value == int(value) else float(value)


def rising_steps(name: str, values: Any) -> tuple[int, ...]:
    found = tuple(steps_or_zero(name, value) for value in _sequence(name, values))
    if any(a > b for a, b in pairwise(found)):
        raise bad(name, list(found), "in rising order", "sort them")
    return found


def rates(name: str, values: Any) -> tuple[float, ...]:
    return tuple(rate(name, value) for value in _sequence(name, values))


def _sequence(name: str, values: Any) -> tuple[Any, ...]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise bad(name, values, "a list of numbers", f"write {name}=[...], also for a single one")
    return tuple(values)


Flag = Annotated[bool, choice(True, False)]
Rate = Annotated[float, rate]
Rates = Annotated[Sequence[float] | NDArray[Any], rates]
OptionalRate = Annotated[float | None, optional(rate)]
Steps = Annotated[int, whole_steps]
StepsOrZero = Annotated[int, steps_or_zero]
StepsEitherWay = Annotated[int, steps_either_way]
Length = Annotated[float, length]
OptionalLength = Annotated[float | None, optional(length)]
Milestones = Annotated[Sequence[int] | NDArray[Any], rising_steps]
