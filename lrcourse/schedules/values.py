"""What a formula or a function gives, made sure of: only numbers in the right range ever reach an optimizer."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..validation import bad, is_number

if TYPE_CHECKING:
    from .base import Schedule

Array = NDArray[np.float64]
OWN = __name__.partition(".")[0]


def rates(schedule: "Schedule", values: Any, t: Array) -> Array:
    """`values`, which `schedule` gave at the steps `t`, if they are rates."""
    array = numbers(values, t, schedule)
    right = (array >= 0) & (array < np.inf)
    return _all(right, array, t, schedule, "a finite number, zero or more", "mend its formula for that step")


def momenta(schedule: "Schedule", t: Any) -> Array:
    """`schedule(t)`, if they are momenta."""
    steps = np.asarray(t, dtype=np.float64)
    array = np.asarray(schedule(steps))
    right = (array >= 0) & (array < 1)
    return _all(right, array, steps, schedule, "a momentum, at least 0 and below 1", "use for example 0.85 to 0.95")


def formula(schedule: "Schedule", t: Array) -> Array:
    """`schedule.rates(t)`, where each step has the rate that it has alone, also if somebody else wrote the formula."""
    if type(schedule).__module__.partition(".")[0] == OWN:
        return schedule.rates(t)
    flat = t.ravel()

    def alone(i: int) -> float:
        step = flat[i : i + 1]
        return float(numbers(schedule.rates(step.copy()), step, schedule)[0])

    given = schedule.rates(flat.copy())
    if np.ndim(given) > 0 and _is_pointwise(found := numbers(given, flat, schedule), alone):
        return found.reshape(t.shape)
    return np.array([alone(i) for i in range(flat.size)]).reshape(t.shape)


def apply(schedule: "Schedule", name: str, t: Array, unit: str = "step") -> Array:
    """The function in the field `name` at every element of `t`, each as if it were alone.

    One call takes all of them if the function makes of an array what it makes of its numbers, which is tried at the
    first, the middle and the last. One number for an array is no sign of that: it may be its sum or its smallest.
    """
    fn, origin, flat = getattr(schedule, name), (schedule, f"{name} of ", unit), t.ravel()

    def alone(i: int) -> float:
        at = float(flat[i])
        try:
            value = fn(at)
        except Exception as error:
            hint = " Steps come as floats: for an index write int(t)." if "integers" in str(error) else ""
            error.add_note(f"It was raised by {_place(at, *origin)}.{hint}")
            raise
        return value if type(value) is float else float(numbers(value, flat[i : i + 1], *origin)[0])

    # Arrays round differently from numbers, so a single step goes the way of many.
    together = _together(fn, flat if flat.size > 1 else np.repeat(flat, 2))
    if together is not None and _is_pointwise(found := together[: flat.size], alone):
        return found.reshape(t.shape)
    if together is None or flat.size == 1:
        return np.array([alone(i) for i in range(flat.size)]).reshape(t.shape)
    return np.concatenate([apply(schedule, name, flat[i : i + 1], unit) for i in range(flat.size)]).reshape(t.shape)


def _together(fn: Callable[[Any], Any], t: Array) -> Array | None:
    """What one call of `fn` gives for all of `t`; None unless that is a number for each, not rounded to 32 bits."""
    try:
        array = np.asarray(fn(t.copy()))
    except Exception:  # whatever an `if`, `math.sin` or a list raises when it meets an array
        return None
    fits = array.shape == t.shape and array.dtype in (np.float64, np.int64)
    return array.astype(np.float64) if fits else None


def _is_pointwise(together: Array, alone: Callable[[int], float]) -> bool:
    """Whether `together` has at the first, the middle and the last place what `alone` gives there, but for rounding."""
    places = {0, together.size // 2, together.size - 1}
    return all(_equal(float(together[i]), alone(i)) for i in sorted(places))


def _equal(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-15) or (math.isnan(a) and math.isnan(b))


def numbers(values: Any, t: Array, schedule: "Schedule", part: str = "", unit: str = "step") -> Array:
    """`values`, which (`part` of) `schedule` gave for `t`, as floats of its shape; one number stands for one step."""
    try:
        array = np.asarray(values)
    except ValueError:  # lists of different lengths
        array = np.asarray(values, dtype=object)
    fits = array.shape == t.shape or (array.shape == () and t.size == 1)
    if not fits and t.size != 1:
        given = f"an array of shape {array.shape}"
        raise bad(f"{part}{schedule}", given, f"an array with one number per {unit}, {t.shape}", "return one for each")
    if not fits or array.dtype.kind not in "iuf":
        each = np.broadcast_to(array, t.shape).ravel().tolist() if fits else [values]
        for at, value in zip(t.ravel().tolist(), each):
            if not is_number(value):
                raise bad(_place(at, schedule, part, unit), value, "a number", "return a plain float")
    array = array.astype(np.float64, copy=False)
    return array if array.shape == t.shape else np.full(t.shape, array)


def _all(right: NDArray[np.bool_], array: Array, t: Array, schedule: "Schedule", must: str, fix: str) -> Array:
    if not right.all():
        first = np.flatnonzero(~right)[0]
        raise bad(_place(t.flat[first], schedule), array.flat[first].item(), must, fix)
    return array


def _place(at: float, schedule: "Schedule", part: str = "", unit: str = "step") -> str:
    return f"{part}{schedule} at {unit} {int(at) if at == int(at) else at}"
