"""A graded task of a lab: its parts, what is wrong with each, and the points."""

import contextlib
import io
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..validation import bad
from .errors import said
from .limit import SECONDS, TooLong, limited
from .plain import numbers
from .printed import Text, abridged

UNSOLVED = "not solved yet"
PRINTS = 2_000  # characters that are kept of what a part prints
SINGLE = 1e-6  # what is off by less than this part suffers from float32, not from another formula


class Points(float):
    """The points that a task earned: a plain number for nbgrader, "1 of 2 points" where a notebook shows it.

    >>> Points(1.0, of=2), Points(0.5, of=2), Points(1, of=2)._repr_html_()
    (1, 0.5, '1 of 2 points')
    """

    def __new__(cls, earned: float, of: float) -> "Points":
        points = super().__new__(cls, earned)
        points.of = of
        return points

    of: float

    def __repr__(self) -> str:
        return repr(int(self)) if self.is_integer() else super().__repr__()

    def _repr_html_(self) -> str:
        return f"{self:g} of {self.of:g} points"


class Task:
    """One graded task of a lab: parts that are checked one by one, and the points they earn.

    The parts share the task's points evenly. A part may be checked several times, with other inputs, and counts
    only if every one of its checks passes. A check calls the student's function inside, so that an unsolved, a failing
    or an endless one costs its part and nothing else. What it prints is shown in a few lines; warnings are not.

    `seconds`: how long one check may take, from the environment variable LRCOURSE_PART_SECONDS, or 30. On a slow
    machine, set `Task.seconds` before the check.

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

    seconds = SECONDS

    def __init__(self, name: str, points: float) -> None:
        if not points > 0:
            raise bad("points", points, "positive", "a task without points needs no check")
        self.name, self.points = name, points
        self.faults: dict[str, str] = {}  # the first fault of each part, "" for none
        self.prints: dict[str, str] = {}

    def check(self, part: str, got: Callable[[], Any], want: ArrayLike, hint: str = "", share: float = 1.0,
              rtol: float = 1e-5, atol: float = 1e-9) -> None:  # fmt: skip
        """Compare what `got()` returns, a number or nested numbers, with `want`, to five digits: float32 passes.

        `share`: the part of the entries that must agree, for predictions that need not all be right.
        `rtol`: how far an entry may be off, as a part of what it should be.
        `atol`: how far as a number, where that part is smaller (at most `rtol`). A small difference of numbers of
        size 1 needs 1e-6, or float32 would fail.
        """
        if self.faults.get(part):
            return
        printed = Text(PRINTS)
        try:
            with limited(self.seconds), contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
                value = got()
            fault = _fault(value, np.asarray(want, dtype=float), hint, share, rtol, min(rtol, atol))
        except NotImplementedError:  # what nbgrader puts in the place of a solution: the task has not been tried
            fault = UNSOLVED
        except TooLong:
            fault = f"it was stopped after {self.seconds:g} seconds. Is there a loop that does not end?"
        except Exception as error:
            fault = said(error, got)
        self.faults[part] = fault
        self.prints[part] = self.prints.get(part, "") + printed.value()

    def rng(self, number: int) -> np.random.Generator:
        """A generator of random inputs for a check; `number` tells it from others.

        Hidden tests draw all of their inputs from it. Where a hand-in is graded, a secret of that grading is mixed in,
        so that nobody knows the inputs before; here it is `np.random.default_rng(number)`.

        >>> int(Task("Draw", points=1).rng(3).integers(100))
        81
        """
        return np.random.default_rng(number)

    @property
    def solved(self) -> bool:
        """Whether every check so far has passed, and there was one."""
        return bool(self.faults) and not any(self.faults.values())

    def report(self) -> Points:
        """Print every part with its fault and return the points earned, as the last line of a graded cell."""
        faults = self.faults.values()
        right = sum(not fault for fault in faults)
        if all(fault == UNSOLVED for fault in faults):
            print(f"{self.name}: {UNSOLVED}")
        else:
            print(f"{self.name}: {right} of {len(faults)} parts right")
            for part, fault in self.faults.items():
                print(f"  WRONG  {part}: {fault}" if fault else f"  right  {part}")
                for line in abridged(self.prints.get(part, "")):
                    print(f"         it printed: {line}")
        return Points(self.points * right / max(len(faults), 1), self.points)


def ready(*tasks: Task, **results: Any) -> bool:
    """Whether there is what a picture needs: every task solved, and of every other cell its result, not empty.

    Prints what is missing.

    >>> ready(Task("1. Decay by hand", points=2), Task("4. A formula", points=3))
    No picture yet: solve tasks 1 and 4 first.
    False
    >>> ready(runs=[])
    No picture yet: run the cell of the runs first.
    False
    """
    unsolved = [task.name.partition(".")[0] for task in tasks if not task.solved]
    missing = [name for name, result in results.items() if not result]
    if unsolved:
        print(f"No picture yet: solve task{'s' * (len(unsolved) > 1)} {' and '.join(unsolved)} first.")
    elif missing:
        print(f"No picture yet: run the cell of the {' and '.join(missing)} first.")
    return not (unsolved or missing)


def _fault(value: Any, want: np.ndarray, hint: str, share: float, rtol: float, atol: float) -> str:
    if value is None or value is ...:
        return "there is no result. Does the function end with `return`?"
    try:
        given = numbers(value)
    except ValueError as error:
        return str(error)
    if given.shape != want.shape:
        return _sentences(f"the result has the shape {given.shape}, it must be {want.shape}", hint)
    agrees = np.isclose(given, want, rtol=rtol, atol=atol)
    if not agrees.size or agrees.mean() >= share:
        return ""
    if share < 1:
        return _sentences(f"{agrees.mean():.0%} are right, at least {share:.0%} must be", hint)
    if rtol < SINGLE and np.allclose(given, want, rtol=0, atol=SINGLE * np.abs(want).max()):
        hint = f"It is right to about seven digits, and {-np.log10(rtol):.0f} are asked for. Is it computed in float32?"
    return _sentences(_first(given, want, agrees), hint)


def _first(given: np.ndarray, want: np.ndarray, agrees: np.ndarray) -> str:
    at = np.unravel_index(np.argmin(agrees), agrees.shape)
    where = "the result" if not at else f"entry {at[0] if len(at) == 1 else tuple(int(i) for i in at)}"
    side = "too high" if given[at] > want[at] else "too low" if given[at] < want[at] else "not a number"
    digits = 6 if f"{given[at]:.6g}" != f"{want[at]:.6g}" else 12
    return f"{where} is {given[at]:.{digits}g}, which is {side}"


def _sentences(fault: str, hint: str) -> str:
    return f"{fault}. {hint}".removesuffix(". ")
