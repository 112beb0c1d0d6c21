"""Rates and momenta in Keras's float type, in which a finite rate may be infinite and a momentum below 1 may be 1."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..schedules import Schedule, values
from ..schedules.base import Array
from ..validation import bad, positive


def rates(schedule: Schedule, t: Any, dtype: str) -> Array:
    """`schedule(t)`, if these are rates in `dtype` too."""
    rates = np.asarray(schedule(t))
    return _all(in_floats(rates, dtype) < np.inf, rates, t, schedule, f"finite as {dtype}", "lower it")


def momenta(schedule: Schedule, t: Any, dtype: str) -> Array:
    """`schedule(t)`, if these are momenta, in `dtype` too."""
    momenta = values.momenta(schedule, t)
    return _all(in_floats(momenta, dtype) < 1, momenta, t, schedule, f"below 1 as {dtype}", "use for example 0.95")


def highest(name: str, value: Any, dtype: str) -> float:
    """`value`, if it is a positive rate in `dtype`."""
    fix = "use for example 10.0"
    if not in_floats(positive(fix)(name, value), dtype) < np.inf:
        raise bad(name, value, f"finite as {dtype}", fix)
    return float(value)


def in_floats(numbers: ArrayLike, dtype: str) -> Any:
    """`numbers` as Keras keeps them."""
    with np.errstate(over="ignore"):
        return np.asarray(numbers).astype(dtype)


def _all(right: Any, given: Array, t: Any, schedule: Schedule, must: str, fix: str) -> Array:
    if not right.all():
        raise bad(f"{schedule} at step {np.asarray(t)[~right].flat[0]}", float(given[~right].flat[0]), must, fix)
    return given
