"""The numbers in what a student's function returned, whatever they come in, or what in it is no number."""

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

MUST = "the result must be numbers"
ENTRIES, DIMENSIONS, DEPTH = 1_000_000, 8, 16
WHOLE = 10**300  # every whole number below it is a float too
SIMPLE = (type(None), bool, int, float, str, bytes, complex)
ARRAYS = ("__array__", "__array_interface__", "__array_struct__")


class TooMuch(ValueError):
    """More entries, dimensions or levels than any task asks for."""


def numbers(value: Any) -> np.ndarray:
    """`value` as an array of floats: numbers of any kind, arrays and tensors, and lists of them.

    Raises: `ValueError` with what is wrong with it.

    >>> numbers(([1, 2], (3, np.float32(4))))
    array([[1., 2.],
           [3., 4.]])
    >>> numbers([1, 2, None])
    Traceback (most recent call last):
    ...
    ValueError: the result must be numbers, and entry 2 is None
    >>> numbers([[1, 2], [3]])
    Traceback (most recent call last):
    ...
    ValueError: the result must be numbers in rows of one length: entry 0 has 2, entry 1 has 1
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nbgrader would take one on the error stream for a failure
        nested = _Reader().floats(value, ())
    try:
        return np.array(nested, dtype=float)
    except ValueError:
        ones = [_only(each) for each in nested]
        if None not in ones:  # a network's weights: [[[w]], [b]]
            return np.array(ones)
        raise ValueError(_ragged(nested, ())) from None


def opened(value: Any) -> Any:
    """The outermost layer of `value` as plain data, or `value` itself where it is nothing of the kind.

    Plain are None, bool, int, float, complex, str, bytes, list, tuple, dict, and arrays of NumPy's numbers of at most
    64 bits (128 if they are complex). Both the check in a notebook and the grader's wire look at values through this
    function, so that they see the same.

    Raises: `TooMuch` for an array of too many entries or dimensions, and a sequence of too many entries.

    >>> from fractions import Fraction
    >>> opened(Fraction(1, 2)), opened(range(3)), opened(np.longdouble(1)), opened({1})
    (0.5, [0, 1, 2], array(1.), {1})
    """
    if type(value) in SIMPLE:
        return value
    if isinstance(value, list | tuple):
        _bounded((len(value),))
        return list.copy(value) if isinstance(value, list) else tuple.__getitem__(value, slice(None))
    if isinstance(value, np.generic) or any(hasattr(type(value), name) for name in ARRAYS):
        return _array(value)
    if isinstance(value, str | int | float | complex):  # of a subclass, only what it is
        return _base(value)
    if isinstance(value, Mapping):
        return dict(value.items())
    if isinstance(value, bytes):
        return bytes.__bytes__(value)
    if _is_buffer(value):
        return _array(value)
    if isinstance(value, Sequence) or (_has(value, "__len__") and _has(value, "__getitem__")):
        _bounded((len(value),))
        return [value[i] for i in range(len(value))]
    return _float(value) if _has(value, "__float__") else value


def _base(value: str | int | float | complex) -> str | int | float | complex:
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int.__int__(value)
    return float.__float__(value) if isinstance(value, float) else complex.__complex__(value)


def size(shape: tuple[int, ...]) -> int:
    """The entries of an array, one without entries counted as if each of its dimensions had one at least.

    So it bounds what a loop over the first dimensions costs.

    >>> size((3, 4)), size((10, 0)), size(())
    (12, 10, 1)
    """
    return math.prod(max(n, 1) for n in shape)


def _bounded(shape: tuple[int, ...]) -> None:
    if len(shape) > DIMENSIONS or size(shape) > ENTRIES:
        raise TooMuch("too large an array")


def _has(value: Any, name: str) -> bool:
    return hasattr(type(value), name) and not isinstance(value, type)


def _is_buffer(value: Any) -> bool:
    try:
        memoryview(value)
    except (TypeError, ValueError):
        return False
    return True


def _float(value: Any) -> Any:
    try:
        return float(value)
    except Exception:  # it may be anything, and is no number then
        return value


def _array(value: Any) -> Any:
    """What NumPy makes of it: an array of numbers, or else lists of what is in it."""
    try:
        array = _as_numpy(value)
    except TooMuch:
        raise
    except Exception:  # whatever the other library raises: it cannot be had
        return value
    _bounded(array.shape)
    kind = array.dtype.kind
    if kind in "fc" and array.dtype.itemsize > (8 if kind == "f" else 16):
        return array.astype(float if kind == "f" else complex)
    if kind in "biufc":
        return array
    return _array_of_numbers(array) if kind in "OV" else _listed(array)


def _as_numpy(value: Any) -> np.ndarray:
    try:
        return np.asarray(value)
    except (TypeError, RuntimeError):  # a tensor that wants its gradient, lies elsewhere, or is of a type of its own
        _bounded(tuple(value.shape))
        return np.asarray(value.tolist()).reshape(value.shape)


def _array_of_numbers(array: np.ndarray) -> Any:
    """An array of numbers, such as fractions, or of a type that another library brings to NumPy, such as bfloat16."""
    if array.dtype.kind == "V":
        try:
            return array.astype(float) if array.dtype.names is None else _listed(array)
        except (TypeError, ValueError):
            return _listed(array)
    if all(map(_is_number, array.flat)):
        try:
            return np.array([float(each) for each in array.flat]).reshape(array.shape)
        except Exception:  # too large a number, or one that says it is none
            pass
    return _listed(array)


def _is_number(value: Any) -> bool:
    if isinstance(value, np.generic):
        return isinstance(value, np.bool_ | np.integer | np.floating)
    return _has(value, "__float__") and not any(hasattr(type(value), name) for name in ARRAYS)


def _listed(array: np.ndarray) -> Any:
    inside = array.tolist()
    return inside if array.ndim or any(hasattr(type(inside), name) for name in ARRAYS) else opened(inside)


class _Reader:
    """Turns nested data into floats, and counts how many."""

    def __init__(self) -> None:
        self.entries = 0

    def floats(self, value: Any, at: tuple[int, ...]) -> Any:
        """`value` as a float, an array of floats, or lists of them."""
        try:
            value = opened(value)
        except TooMuch as error:
            raise TooMuch(f"{_whole(at)} is {error}") from None
        self.entries += size(value.shape) if isinstance(value, np.ndarray) else 1
        if self.entries > ENTRIES or len(at) > DEPTH:
            raise TooMuch("the result has too many values, or is too deep a structure")
        if isinstance(value, list | tuple):
            return [self.floats(each, (*at, i)) for i, each in enumerate(value)]
        if isinstance(value, complex) or isinstance(value, np.ndarray) and value.dtype.kind == "c":
            raise ValueError(f"the result must be real numbers, and{f' {_entry(at)}' if at else ''} is complex")
        if isinstance(value, np.ndarray):
            return value.astype(float)
        if isinstance(value, int) and abs(value) > WHOLE:
            raise TooMuch(f"{_whole(at)} is too large a whole number")
        if isinstance(value, bool | int | float):
            return float(value)
        raise ValueError(_odd(value, at))


def _only(value: Any) -> float | None:
    """The number in lists of one entry; None if there are more or fewer."""
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, np.ndarray):
        return value.item() if value.size == 1 else None
    return None if isinstance(value, list) else value


def _odd(value: Any, at: tuple[int, ...]) -> str:
    kind = type(value).__name__
    if not at:
        return f"{MUST}, in a list or an array, and is a {kind}"
    return f"{MUST}, and {_entry(at)} is " + ("None" if value is None else f"a {kind}")


def _ragged(nested: Any, at: tuple[int, ...]) -> str:
    """Which two entries of the lists are not alike; "" for none."""
    if not isinstance(nested, list):
        return ""
    if inside := next(filter(None, (_ragged(each, (*at, i)) for i, each in enumerate(nested))), ""):
        return inside
    shapes = [np.shape(each) for each in nested]
    other = next((i for i, shape in enumerate(shapes) if shape != shapes[0]), None)
    if other is None:
        return ""
    first, second = (f"{_entry((*at, i))} {_size(shapes[i])}" for i in (0, other))
    return f"{MUST} in rows of one length: {first}, {second}"


def _size(shape: tuple[int, ...]) -> str:
    return f"has {' x '.join(map(str, shape))}" if shape else "is one number"


def _whole(at: tuple[int, ...]) -> str:
    return _entry(at) if at else "the result"


def _entry(at: tuple[int, ...]) -> str:
    return f"entry {at[0] if len(at) == 1 else at}"
