"""The numbers in what a student's function returned, whatever they come in, or what in it is no number."""

import warnings
from typing import Any

import numpy as np

MUST = "the result must be numbers"


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
        try:
            plain = np.array(value)
        except (TypeError, ValueError, RuntimeError):  # ragged, or a tensor that wants its gradient
            plain = np.array(None)
    if plain.dtype.kind in "biuf":
        return plain.astype(float)
    nested = _floats(value, ())
    try:
        return np.array(nested, dtype=float)
    except ValueError:
        ones = [_only(each) for each in nested]
        if None not in ones:  # a network's weights: [[[w]], [b]]
            return np.array(ones)
        raise ValueError(_ragged(nested, ())) from None


def _floats(value: Any, at: tuple[int, ...]) -> Any:
    """`value` as a float, or lists of floats."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().tolist()
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_floats(each, (*at, i)) for i, each in enumerate(value)]
    if hasattr(type(value), "__float__"):
        try:
            return float(value)
        except (TypeError, ValueError, RuntimeError):
            pass
    raise ValueError(_odd(value, at))


def _only(value: Any) -> float | None:
    """The number in lists of one entry; None if there are more or fewer."""
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
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


def _entry(at: tuple[int, ...]) -> str:
    return f"entry {at[0] if len(at) == 1 else at}"
