"""Plain data over a wire: numbers, strings, lists, tuples, dictionaries and arrays, as JSON and raw bytes.

Nothing that arrives is evaluated or unpickled: an array is its bytes, a shape and one of a few number types. What is
not plain arrives as an `Opaque` object that carries the name of its type and nothing else.
"""

import base64
import json
import math
import re
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from .limits import Limits

DTYPE = re.compile(r"[<>|](?:b1|[iu][1248]|f[248]|c8|c16)")
INTEGER = 10**300  # every whole number below it is a float too
HEADER = struct.Struct(">I")


class NotPlain(ValueError):
    """Data that must not cross: of another type, too large, too deep, or malformed."""


class Opaque:
    """What stands for a value that is not plain data: its class bears the name of the value's type."""


def encode(value: Any, limits: Limits, opaque: bool = True) -> Any:
    """`value` as JSON data. What is not plain becomes its type's name, or raises if not `opaque`.

    Raises: `NotPlain` for a value that is too large, too deep or, if not `opaque`, not plain.
    """
    return _Encoder(limits, opaque).encode(value, 0)


class _Encoder:
    def __init__(self, limits: Limits, opaque: bool) -> None:
        self.limits, self.opaque, self.items = limits, opaque, 0

    def encode(self, value: Any, depth: int) -> Any:
        self.items += 1
        if self.items > self.limits.items or depth > self.limits.depth:
            raise NotPlain("too many values or too deep a structure")
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, np.generic) or hasattr(value, "__array__"):
            return self._array(value, depth)
        if isinstance(value, str):
            return str.__str__(value)
        if isinstance(value, float):
            return float(value)
        if isinstance(value, int):
            if abs(value) > INTEGER:
                raise NotPlain("too large a whole number")
            return int(value)
        if isinstance(value, tuple):
            return {"tuple": [self.encode(each, depth + 1) for each in value]}
        if isinstance(value, dict):
            return {"dict": [[self._key(key), self.encode(each, depth + 1)] for key, each in value.items()]}
        if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
            return [self.encode(each, depth + 1) for each in value]
        if hasattr(type(value), "__float__"):  # such as a fraction
            return float(value)
        return self._not_plain(value)

    def _array(self, value: Any, depth: int) -> Any:
        if hasattr(value, "detach"):  # a tensor that wants its gradient, or lies elsewhere
            value = value.detach().cpu()
        try:
            array = np.asarray(value)
        except (TypeError, RuntimeError):  # of a type that NumPy lacks
            return self.encode(value.tolist(), depth + 1) if hasattr(value, "tolist") else self._not_plain(value)
        if array.dtype.kind in "UO":
            return self.encode(array.tolist(), depth + 1)
        if not DTYPE.fullmatch(array.dtype.str):
            return self._not_plain(value)
        if array.nbytes > self.limits.answer:
            raise NotPlain("too large an array")
        return {"array": [array.dtype.str, list(array.shape), base64.b64encode(array.tobytes()).decode()]}

    def _key(self, key: Any) -> Any:
        if type(key) not in (str, int):
            raise NotPlain(f"a dictionary's keys must be strings or whole numbers, not {type(key).__name__}")
        return key

    def _not_plain(self, value: Any) -> Any:
        if not self.opaque:
            raise NotPlain(f"a {type(value).__name__} is not plain data")
        return {"opaque": type(value).__name__}


def decode(data: Any) -> Any:
    """The value that `encode` made into `data`.

    Raises: `NotPlain` if `data` is malformed.
    """
    try:
        return _decode(data)
    except NotPlain:
        raise
    except (ValueError, TypeError, OverflowError, RecursionError, MemoryError) as error:
        raise NotPlain(f"malformed: {type(error).__name__}") from None


def _decode(data: Any) -> Any:
    if isinstance(data, list):
        return [_decode(each) for each in data]
    if isinstance(data, int) and abs(data) > INTEGER:
        raise NotPlain("too large a whole number")
    if not isinstance(data, dict):
        return data
    [(kind, content)] = data.items()
    if kind == "tuple" and isinstance(content, list):
        return tuple(_decode(each) for each in content)
    if kind == "dict":
        pairs = {key: _decode(each) for key, each in content if type(key) in (str, int)}
        if len(pairs) == len(content):
            return pairs
    if kind == "array":
        return _decode_array(*content)
    if kind == "opaque":
        return type(identifier(content), (Opaque,), {})()
    raise NotPlain("malformed")


def _decode_array(dtype: str, shape: list[int], content: str) -> Any:
    if not DTYPE.fullmatch(dtype) or len(shape) > 32 or not all(type(n) is int and n >= 0 for n in shape):
        raise NotPlain("malformed array")
    raw = base64.b64decode(content, validate=True)
    if math.prod(shape) * np.dtype(dtype).itemsize != len(raw):
        raise NotPlain("malformed array")
    array = np.frombuffer(raw, dtype).reshape(shape).copy()[()]
    return array != 0 if dtype == "|b1" else array


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
