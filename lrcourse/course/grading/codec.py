"""Plain data over a wire: real numbers, strings, lists, tuples, dictionaries and arrays, as JSON and raw bytes.

Nothing that arrives is evaluated or unpickled: an array is its bytes, a shape and one of a few number types. What is
not plain arrives as an `Opaque` object that carries the name of its type and nothing else.
"""

import base64
import json
import math
import re
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...selfcheck.plain import DEPTH, DIMENSIONS, ENTRIES, WHOLE, TooMuch, opened, size
from .limits import Limits

DTYPE = re.compile(r"[<>|](?:b1|[iu][1248]|f[248])")
LOOPED = ("__iter__", "__getitem__")
COMPLEX = "it holds complex numbers, and must be real"
HEADER = struct.Struct(">I")


class NotPlain(ValueError):
    """Data that must not cross: of another type, too large, too deep, or malformed."""


class Opaque:
    """What stands for a value that is not plain data: its class bears the name of the value's type."""


class Items(Opaque):
    """What stands for a set, a generator and the like: a check may loop over it, and it is no sequence of numbers."""

    def __init__(self, items: list[Any]) -> None:
        self._items = items

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)


def encode(value: Any, limits: Limits, opaque: bool = True) -> Any:
    """`value` as JSON data. What is not plain becomes its type's name, or raises if not `opaque`.

    Raises: `NotPlain` for a value that is too large, too deep, complex or, if not `opaque`, not plain.
    """
    try:
        return _Encoder(limits, opaque).encode(value, 0)
    except TooMuch as error:
        raise NotPlain(str(error)) from None


class _Encoder:
    def __init__(self, limits: Limits, opaque: bool) -> None:
        self.limits, self.opaque, self.items = limits, opaque, 0

    def encode(self, value: Any, depth: int) -> Any:
        data = opened(value)
        self.items += size(data.shape) if isinstance(data, np.ndarray) else 1
        if self.items > self.limits.items or depth > self.limits.depth:
            raise NotPlain("too many values or too deep a structure")
        if data is None or isinstance(data, bool | float | str):
            return data
        if isinstance(data, np.ndarray):
            return self._array(value, data)
        if isinstance(data, complex):
            raise NotPlain(COMPLEX)
        if isinstance(data, int):
            if abs(data) > WHOLE:
                raise NotPlain("too large a whole number")
            return data
        if isinstance(data, list):
            return [self.encode(each, depth + 1) for each in data]
        if isinstance(data, tuple):
            return {"tuple": [self.encode(each, depth + 1) for each in data]}
        if isinstance(data, dict):
            return {"dict": [[self._key(key), self.encode(each, depth + 1)] for key, each in data.items()]}
        if self.opaque and _looped(data):
            return {"items": [type(data).__name__, [self.encode(each, depth + 1) for each in data]]}
        return self._not_plain(data)

    def _array(self, value: Any, array: np.ndarray) -> Any:
        if array.dtype.kind == "c":
            raise NotPlain(COMPLEX)
        if array.nbytes > self.limits.answer:
            raise NotPlain("too large an array")
        if not DTYPE.fullmatch(array.dtype.str):
            return self._not_plain(value)
        return {"array": [array.dtype.str, list(array.shape), base64.b64encode(array.tobytes()).decode()]}

    def _key(self, key: Any) -> Any:
        if isinstance(key, str):
            return str.__str__(key)
        if not isinstance(key, int | np.integer):
            raise NotPlain(f"a dictionary's keys must be strings or whole numbers, not {type(key).__name__}")
        return int(key)

    def _not_plain(self, value: Any) -> Any:
        if not self.opaque:
            raise NotPlain(f"a {type(value).__name__} is not plain data")
        return {"opaque": type(value).__name__}


def _looped(value: Any) -> bool:
    """Whether a check could loop over it: a set, a generator, or of a class that a student wrote for it."""
    return not isinstance(value, type | np.ndarray) and any(hasattr(type(value), name) for name in LOOPED)


def decode(data: Any) -> Any:
    """The value that `encode` made into `data`.

    Raises: `NotPlain` if `data` is malformed or too large.
    """
    try:
        return _Decoder().decode(data)
    except NotPlain:
        raise
    except (ValueError, TypeError, LookupError, OverflowError, RecursionError, MemoryError) as error:
        raise NotPlain(f"malformed: {type(error).__name__}") from None


class _Decoder:
    """Bounds what a check may have to loop over: an array of shape (10**15, 0) has no bytes, and that many rows."""

    def __init__(self) -> None:
        self.entries = 0

    def decode(self, data: Any, depth: int = 0) -> Any:
        self._count(1)
        if depth > DEPTH:
            raise NotPlain("too deep a structure")
        if isinstance(data, list):
            return self._each(data, depth)
        if isinstance(data, int) and abs(data) > WHOLE:
            raise NotPlain("too large a whole number")
        if not isinstance(data, dict):
            return data
        [(kind, content)] = data.items()
        if kind == "tuple" and isinstance(content, list):
            return tuple(self._each(content, depth))
        if kind == "dict":
            pairs = {key: self.decode(each, depth + 1) for key, each in content if type(key) in (str, int)}
            if len(pairs) == len(content):
                return pairs
        if kind == "array":
            return self._array(*content)
        if kind == "opaque":
            return ... if content == "ellipsis" else type(identifier(content), (Opaque,), {})()
        if kind == "items" and isinstance(content, list) and isinstance(content[-1], list):
            name, items = content
            return type(identifier(name), (Items,), {})(self._each(items, depth))
        raise NotPlain("malformed")

    def _each(self, data: list[Any], depth: int) -> list[Any]:
        return [self.decode(each, depth + 1) for each in data]

    def _array(self, dtype: str, shape: list[int], content: str) -> Any:
        if not DTYPE.fullmatch(dtype) or len(shape) > DIMENSIONS or not all(type(n) is int and n >= 0 for n in shape):
            raise NotPlain("malformed array")
        self._count(size(tuple(shape)))
        raw = base64.b64decode(content, validate=True)
        if math.prod(shape) * np.dtype(dtype).itemsize != len(raw):
            raise NotPlain("malformed array")
        array = np.frombuffer(raw, dtype).reshape(shape).copy()[()]
        return array != 0 if dtype == "|b1" else array

    def _count(self, entries: int) -> None:
        self.entries += entries
        if self.entries > 2 * ENTRIES:  # an array counts once more, as a value
            raise NotPlain("too many values")


def identifier(name: Any) -> str:
    """`name` if it can be a type's name, else "object": what comes back must not smuggle text."""
    return name if isinstance(name, str) and name.isidentifier() and name.isascii() and len(name) <= 60 else "object"


def pack(message: dict[str, Any]) -> bytes:
    """A message as a frame: its length and its JSON text."""
    text = json.dumps(message).encode()
    return HEADER.pack(len(text)) + text


def unpack(text: bytes, limits: Limits) -> dict[str, Any]:
    """The message in a frame's text. Its values are counted before JSON gets to build them.

    Raises: `NotPlain` if it is malformed or too large.
    """
    if sum(map(text.count, (b",", b"[", b"{"))) > 4 * limits.items:
        raise NotPlain("too many values")
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotPlain(f"malformed: {type(error).__name__}") from None
    if not isinstance(message, dict):
        raise NotPlain("malformed")
    return message


def frame_limit(limits: Limits) -> int:
    """The longest frame, in bytes: an array in base64 and what surrounds it."""
    return 2 * limits.answer + 100_000
