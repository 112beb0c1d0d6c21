"""The labs' self-checks: they say what is wrong, never the answer, and they never stop a notebook."""

import contextlib
import io
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .schedules.checks import bad

UNSOLVED = "not solved yet"


class Task:
    """One graded task of a lab: parts that are checked one by one, and the points they earn.

    The parts share the task's points evenly. A part may be checked several times, with other inputs, and counts
    only if every one of its checks passes. A check calls the student's function inside, so that an unsolved or
    failing one costs its part and nothing else; whatever it prints or warns stays out of the report.

    Raises: `ValueError` if `points` is not positive.

    >>> double = Task("Double a number", points=2)
    >>> double.check("small numbers", lambda: 2 * 3, 6)
    >>> double.check("large numbers", lambda: [1e9, 3e9], [2e9, 6e9], hint="Is it 2 x for every x?")
    >>> double.report()
    Double a number: 1 of 2 parts right
      right  small numbers
      WRONG  large numbers: entry 0 is 1e+09, which is too low. Is it 2 x for every x?
    1
    """

    def __init__(self, name: str, points: float) -> None:
        if not points > 0:
            raise bad("points", points, "positive", "a task without points needs no check")
        self.name, self.points = name, points
        self.faults: dict[str, str] = {}  # the first fault of each part, "" for none

    def check(self, part: str, got: Callable[[], Any], want: ArrayLike, hint: str = "", share: float = 1.0,
              rtol: float = 1e-5) -> None:  # fmt: skip
        """Compare what `got()` returns, a number or nested numbers, with `want`, to five digits: float32 passes.

        `share`: the part of the entries that must agree, for predictions that need not all be right.
        `rtol`: how far an entry may be off, as a part of what it should be (near 0: as a number, at most 1e-9).
        """
        if not self.faults.get(part):
            self.faults[part] = _fault(got, np.asarray(want, dtype=float), hint, share, rtol)

    @property
    def solved(self) -> bool:
        """Whether every check so far has passed, and there was one."""
        return bool(self.faults) and not any(self.faults.values())

    def report(self) -> float:
        """Print every part with its fault and return the points earned, as the last line of a graded cell."""
        faults = self.faults.values()
        right = sum(not fault for fault in faults)
        if all(fault == UNSOLVED for fault in faults):
            print(f"{self.name}: {UNSOLVED}")
        else:
            print(f"{self.name}: {right} of {len(faults)} parts right")
            for part, fault in self.faults.items():
                print(f"  WRONG  {part}: {fault}" if fault else f"  right  {part}")
        earned = self.points * right / max(len(faults), 1)
        return int(earned) if earned == int(earned) else earned


def _fault(got: Callable[[], Any], want: np.ndarray, hint: str, share: float, rtol: float) -> str:
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            value = got()
    except NotImplementedError:  # what nbgrader puts in the place of a solution: the task has not been tried
        return UNSOLVED
    except Exception as error:
        return f"it raises {type(error).__name__}: {error}"
    if value is None or value is ...:
        return "there is no result. Does the function end with `return`?"
    try:
        given = np.array(value, dtype=float)
    except (TypeError, ValueError, RuntimeError):
        return f"the result must be numbers, in a list or an array, and is a {type(value).__name__}"
    if given.shape != want.shape:
        return _sentences(f"the result has the shape {given.shape}, it must be {want.shape}", hint)
    agrees = np.isclose(given, want, rtol=rtol, atol=min(rtol, 1e-9))
    if agrees.size and agrees.mean() < share:
        return _sentences(_first(given, want, agrees) if share == 1 else _missed(agrees, share), hint)
    return ""


def _first(given: np.ndarray, want: np.ndarray, agrees: np.ndarray) -> str:
    at = np.unravel_index(np.argmin(agrees), agrees.shape)
    where = "the result" if not at else f"entry {at[0] if len(at) == 1 else tuple(int(i) for i in at)}"
    side = "too high" if given[at] > want[at] else "too low" if given[at] < want[at] else "not a number"
    return f"{where} is {given[at]:.6g}, which is {side}"


def _missed(agrees: np.ndarray, share: float) -> str:
    return f"{agrees.mean():.0%} are right, at least {share:.0%} must be"


def _sentences(fault: str, hint: str) -> str:
    return f"{fault}. {hint}".removesuffix(". ")
