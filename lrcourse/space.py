"""Search spaces: which settings to try, on a grid, at random, or spread evenly (quasi-random)."""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from .extras import extra
from .validation import bad, number, positive, random_seed, whole

some = whole(0, "use for example 20")
several = whole(1, "use for example 5")


def octaves(lo: float, hi: float, per_octave: int = 1) -> list[float]:
    r"""Rates from `lo` up to `hi`, each $2^{1 / k}$ times the one before, with $k$ = `per_octave`: a grid for a rate.

    Raises: `ValueError` unless both are positive and `lo < hi`, and for fewer than one per octave.

    >>> octaves(0.25, 4.0)
    [0.25, 0.5, 1.0, 2.0, 4.0]
    """
    per_octave = several("per_octave", per_octave)
    positive("a rate that is multiplied can only start above zero")("lo", lo)
    _rising(lo, hi)
    count = int(np.floor(np.log2(hi / lo) * per_octave + 1e-9)) + 1
    return [float(lo * 2 ** (i / per_octave)) for i in range(count)]


class Axis(Protocol):
    """One setting's values. All three kinds of search choose numbers in [0, 1]; an axis says what they stand for."""

    def at(self, u: float) -> Any:
        """The value at the fraction `u` of the axis, 0 its lower end and 1 its upper."""
        ...

    def points(self, n: int) -> list[Any]:
        """The values that a grid with `n` points on this axis takes."""
        ...


def _evenly(axis: Axis, n: int) -> list[Any]:
    return [axis.at(u) for u in (np.linspace(0, 1, n) if n > 1 else [0.5])]


@dataclass(frozen=True)
class Uniform:
    """Numbers from `lo` to `hi`, all equally likely; on a grid both ends and equal distances (one point: the middle).

    Raises: `ValueError` unless both are finite and `lo < hi`.

    >>> Uniform(0.8, 1.0).points(3)
    [0.8, 0.9, 1.0]
    """

    lo: float
    hi: float

    def __post_init__(self) -> None:
        _rising(self.lo, self.hi)

    def at(self, u: float) -> float:
        return float(np.clip((1 - u) * self.lo + u * self.hi, self.lo, self.hi))

    def points(self, n: int) -> list[float]:
        return _evenly(self, n)


@dataclass(frozen=True)
class LogUniform:
    """Positive numbers from `lo` to `hi`, every factor of ten equally likely: the axis for rates and weight decay.

    On a grid both ends and equal ratios (one point: the geometric mean).

    Raises: `ValueError` unless both are positive, finite and `lo < hi`.

    >>> [round(value, 6) for value in LogUniform(1e-4, 1e-2).points(3)]
    [0.0001, 0.001, 0.01]
    """

    lo: float
    hi: float

    def __post_init__(self) -> None:
        positive("use Uniform for numbers that reach zero")("lo", self.lo)
        _rising(self.lo, self.hi)

    def at(self, u: float) -> float:
        return float(np.clip(self.lo ** (1 - u) * self.hi**u, self.lo, self.hi))

    def points(self, n: int) -> list[float]:
        return _evenly(self, n)


@dataclass(frozen=True)
class Choice:
    """One of the `values` given, all equally likely; a grid takes every one of them.

    Raises: `ValueError` without values or with a value given twice.

    >>> Choice([16, 32, 64]).at(0.5)
    32
    """

    values: Iterable[Any]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", tuple(self.values))
        if not self.values or any(a == b for a, b in itertools.combinations(self.values, 2)):
            raise bad("values", self.values, "one or more different values", "list every value once")

    def at(self, u: float) -> Any:
        values = tuple(self.values)
        return values[min(int(u * len(values)), len(values) - 1)]

    def points(self, n: int) -> list[Any]:
        return list(self.values)


@dataclass(frozen=True)
class Space:
    """Named axes; every way of searching it gives a list of settings, `[{"lr": 0.01, "momentum": 0.9}, ...]`.

    Raises: `ValueError` without axes, or for an axis that is not `Uniform`, `LogUniform` or `Choice`.

    >>> space = Space({"lr": LogUniform(1e-3, 1e-1), "batch": Choice([32, 64])})
    >>> len(space.grid(3)), len(space.random(9, seed=0))
    (6, 9)
    """

    axes: Mapping[str, Axis]

    def __post_init__(self) -> None:
        if not self.axes:
            raise bad("axes", self.axes, "a dict of at least one axis", 'pass for example {"lr": LogUniform(1e-4, 1)}')
        for name, axis in self.axes.items():
            if not isinstance(axis, Uniform | LogUniform | Choice):
                raise bad(f"axes[{name!r}]", axis, "Uniform, LogUniform or Choice", "wrap a list of values in Choice")

    def grid(self, points: int | Mapping[str, int] = 1) -> list[dict[str, Any]]:
        r"""Every combination of `points` values per axis, the last axis changing fastest.

        `points`: one number for all axes, or one per name; a `Choice` needs none and takes all its values.
        With $k$ points on each of $d$ axes, the grid costs $k^d$ runs and shows $k$ values of each setting.

        Raises: `ValueError` if a number is not whole and ≥ 1, or is missing.

        >>> for setting in Space({"lr": Uniform(0.0, 1.0), "nesterov": Choice([False, True])}).grid({"lr": 2}):
        ...     print(setting)
        {'lr': 0.0, 'nesterov': False}
        {'lr': 0.0, 'nesterov': True}
        {'lr': 1.0, 'nesterov': False}
        {'lr': 1.0, 'nesterov': True}
        """
        values = [axis.points(self._points(name, axis, points)) for name, axis in self.axes.items()]
        return [dict(zip(self.axes, combination, strict=True)) for combination in itertools.product(*values)]

    def random(self, n: int, seed: int) -> list[dict[str, Any]]:
        """`n` settings, each axis drawn on its own: `n` different values of every continuous setting.

        Raises: `ValueError` if `n` is not a whole number ≥ 0.
        Source: Bergstra & Bengio, "Random search for hyper-parameter optimization", 2012.

        >>> [setting["batch"] for setting in Space({"batch": Choice([32, 64])}).random(4, seed=0)]
        [64, 32, 32, 32]
        """
        n, rng = some("n", n), np.random.default_rng(random_seed("seed", seed))
        return self._settings(rng.random((n, len(self.axes))))

    def quasi_random(self, n: int, seed: int) -> list[dict[str, Any]]:
        """`n` settings that fill the space evenly, without the gaps and clusters of `random` (a Halton sequence).

        The first of 2n settings are the n settings themselves, so a search may be prolonged. Needs SciPy.

        Raises: `ValueError` if `n` is not a whole number ≥ 0.
        Source: Halton, "On the efficiency of certain quasi-random sequences", 1960; scrambled as in `scipy.stats.qmc`.

        >>> settings = Space({"x": Uniform(0.0, 1.0)}).quasi_random(4, seed=0)
        >>> sorted(int(4 * setting["x"]) for setting in settings)  # one in every quarter
        [0, 1, 2, 3]
        """
        with extra("tuner"):
            from scipy.stats import qmc

        n, seed = some("n", n), random_seed("seed", seed)
        return self._settings(qmc.Halton(len(self.axes), seed=seed).random(n))

    def _points(self, name: str, axis: Axis, points: int | Mapping[str, int]) -> int:
        if isinstance(axis, Choice):
            return 1
        if not isinstance(points, Mapping):
            return several("points", points)
        if name not in points:
            raise bad("points", dict(points), f"a dict with {name!r}", f"say how many values of {name} to try")
        return several(f"points[{name!r}]", points[name])

    def _settings(self, cube: ArrayLike) -> list[dict[str, Any]]:
        return [
            {name: axis.at(u) for (name, axis), u in zip(self.axes.items(), row, strict=True)}
            for row in np.asarray(cube)
        ]


def _rising(lo: float, hi: float) -> None:
    if not number("lo", lo) < number("hi", hi):
        raise bad("lo", lo, f"below hi = {hi}", "swap the two, or use Choice for a single value")
