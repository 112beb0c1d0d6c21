"""What a formula or a function gives, made sure of: only numbers in the right range ever reach an optimizer."""

from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..validation import bad

if TYPE_CHECKING:
    from .base import Schedule

Array = NDArray[np.float64]


def rates(schedule: "Schedule", values: Any, t: Array) -> Array:
    """`values`, which `schedule` gave at the steps `t`, if they are rates."""
    array = numbers(values, t, schedule)
    right = (array >= 0) & (array < np.inf)
    return _all(right, array, t, schedule, "a finite number, zero or more", "mend its formula for that step")


def momenta(schedule: "Schedule", t: Any) -> Array:
    """`schedule(t)`, if they are momenta."""
    steps = np.asarray(t, dtype=np.float64)
    array = np.asarray(schedule(steps))
    return _all(array < 1, array, steps, schedule, "a momentum, at least 0 and below 1", "use for example 0.85 to 0.95")


def apply(schedule: "Schedule", name: str, t: Array, unit: str = "step") -> Array:
    """The function in the field `name` at every element of `t`: in one call if it takes arrays, else one by one."""
    fn, origin = getattr(schedule, name), (schedule, f"{name} of ", unit)

    def one(at: float) -> Any:
        try:
            return fn(at)
        except Exception as error:
            error.add_note(f"It was raised by {_place(at, *origin)}.")
            raise

    if t.size != 1:
        try:
            return numbers(fn(t.copy()), t, *origin).copy()
        except Exception:  # whatever an `if`, `math.sin` or a list raises when it meets an array
            pass
    flat = t.ravel()
    found = [one(at) for at in flat.tolist()]
    if not all(isinstance(value, float | int) for value in found):
        found = [numbers(value, flat[i : i + 1], *origin)[0] for i, value in enumerate(found)]
    return np.array(found, dtype=np.float64).reshape(t.shape)


def numbers(values: Any, t: Array, schedule: "Schedule", part: str = "", unit: str = "step") -> Array:
    """`values`, which (`part` of) `schedule` gave for `t`, as floats of its shape; one number stands for all."""
    try:
        array = np.asarray(values)
    except ValueError:  # lists of different lengths
        array = np.asarray(values, dtype=object)
    fits = array.shape in ((), t.shape)
    if not fits and t.size != 1:
        given = f"an array of shape {array.shape}"
        raise bad(f"{part}{schedule}", given, f"an array with one number per {unit}, {t.shape}", "return one for each")
    if not fits or array.dtype.kind not in "biuf":
        each = np.broadcast_to(array, t.shape).ravel().tolist() if fits else [values]
        for at, value in zip(t.ravel().tolist(), each):
            if not isinstance(value, Real):
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
