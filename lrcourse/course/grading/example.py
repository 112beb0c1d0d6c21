"""An example of what a hidden test finds, fit for the student's eyes: drawn from a seed that is no secret."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ...selfcheck import UNSOLVED, Task
from ...selfcheck.plain import numbers
from .texts import sanitized

SEED = "an example"  # in the place of a grading's secret
ENTRIES, TEXT = 8, 300  # of a list, and characters of a call
NO_ANSWER = ("there is no ", "the check ends with ")  # what may be for want of something in the check itself


@dataclass
class Example:
    """What one check makes of an answer. `calls`: the student's functions that it calls, with their arguments.

    `size`: how large the arguments are, whole numbers and lengths of lists together.
    """

    part: str
    got: Callable[[], Any]
    want: ArrayLike
    share: float = 1.0
    rtol: float = 1e-5
    atol: float = 1e-9
    calls: list[str] = field(default_factory=list)
    size: int = 0
    value: Any = None

    def __post_init__(self) -> None:
        self.__code__ = getattr(self.got, "__code__", None)  # by which a fault knows the lines of the check

    def __call__(self) -> Any:
        self.value = self.got()
        return self.value

    def called(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Note a call of the student's."""
        self.calls.append(call(name, args, kwargs))
        self.size += _size([*args, *kwargs.values()])

    def text(self) -> str:
        """The calls, the fault and what would be right; "" if the answer is right, or was not given."""
        task = Task(self.part, 1)
        task.seconds = np.inf  # as at judging, the student's code is stopped elsewhere
        task.check(self.part, self, self.want, share=self.share, rtol=self.rtol, atol=self.atol)
        fault = task.faults[self.part]
        if not fault or fault == UNSOLVED or fault.startswith(NO_ANSWER) or not self.calls:
            return ""
        at, right = self._wrong()
        # A check that makes a list of calls: the one of the entry that is wrong.
        shown = self.calls[at] if at is not None and len(self.calls) == len(self.value) else self.calls[0]
        return sanitized(f"{shown}: {fault}{f', and should be {right}' if right else ''}", 3 * TEXT)

    def _wrong(self) -> tuple[int | None, str]:
        """Where along the first axis the first wrong entry is, and what should stand there.

        None and "" where there is no such entry, since a shape or an exception is the fault.
        """
        try:
            given, want = numbers(self.value), np.asarray(self.want, dtype=float)
        except (ValueError, TypeError):
            return None, ""
        if given.shape != want.shape or self.share < 1:
            return None, ""
        agrees = np.isclose(given, want, rtol=self.rtol, atol=min(self.rtol, self.atol))
        first = np.unravel_index(np.argmin(agrees), agrees.shape)
        return int(first[0]) if first and isinstance(self.value, list | tuple) else None, f"{want[first]:.6g}"


def call(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """A call as it could be typed, with long lists abridged.

    >>> call("cosine", (3,), {"first": 0.123456789, "losses": [1.0] * 20})
    'cosine(3, first=0.123457, losses=[1, 1, 1, … 20 entries])'
    """
    given = [*map(_shown, args), *(f"{key}={_shown(value)}" for key, value in kwargs.items())]
    text = f"{name}({', '.join(given)})"
    return text if len(text) <= TEXT else text[:TEXT] + "…)"


def _shown(value: Any) -> str:
    if isinstance(value, bool | str | type(None)):
        return repr(value)
    if isinstance(value, float | np.floating):
        return f"{value:.6g}"
    if isinstance(value, np.ndarray):
        return _shown(value.tolist()) if value.ndim < 2 else f"<array of shape {value.shape}>"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key!r}: {_shown(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        ends = value if len(value) <= ENTRIES else value[:3]
        more = f", … {len(value)} entries" * (len(value) > ENTRIES)
        return f"[{', '.join(map(_shown, ends))}{more}]"
    return repr(value)


def _size(value: Any) -> int:
    """Whole numbers and lengths together, and 1 for each other number in a list.

    >>> _size([3, 0.5, [1.0] * 20, {"seed": 4}])
    28
    """
    if isinstance(value, np.ndarray):
        return int(value.size)
    if isinstance(value, Mapping):
        return _size(list(value.values()))
    if isinstance(value, list | tuple):
        return sum(_size(each) or 1 for each in value)
    return abs(value) if isinstance(value, int) and not isinstance(value, bool) else 0
