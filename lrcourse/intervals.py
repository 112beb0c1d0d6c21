"""Confidence intervals: what five seeds or more say about a mean, and about a difference."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .extras import extra
from .validation import bad, fraction


@dataclass(frozen=True)
class Interval:
    """A mean with its confidence interval, from `n` values.

    It formats as one piece of text with the digits that you ask for:

    >>> f"{Interval(mean=0.4684, low=0.4312, high=0.5056, n=20):.2f}"
    '0.47 [0.43, 0.51]'
    """

    mean: float
    low: float
    high: float
    n: int

    def __format__(self, digits: str) -> str:
        return f"{self.mean:{digits}} [{self.low:{digits}}, {self.high:{digits}}]"

    @property
    def excludes_zero(self) -> bool:
        """Whether zero lies outside: for a difference, whether its sign is settled at this level."""
        return self.low > 0 or self.high < 0


def mean_interval(values: ArrayLike, level: float = 0.95) -> Interval:
    r"""The mean of `values` (one per seed) with its Student-t interval.

    $$\bar x \pm t_{n-1,\,(1+\mathrm{level})/2} \; s / \sqrt{n}$$

    `values`: shape `(n,)`, $n \ge 2$. `level`: the confidence, between 0 and 1.

    Raises: `ValueError` for fewer than two values, a value that is not finite, or a level outside (0, 1).

    >>> f"{mean_interval([1.0, 2.0, 3.0]):.2f}"
    '2.00 [-0.48, 4.48]'
    """
    with extra("plots"):
        from scipy.stats import t as student

    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or len(sample) < 2:
        raise bad("values", sample.shape, "a list of at least two numbers", "run more seeds")
    if not np.isfinite(sample).all():
        raise bad("values", sample, "finite", "count diverged runs separately and say how many they are")
    level = fraction("use for example 0.95")("level", level)
    half = student.ppf((1 + level) / 2, len(sample) - 1) * sample.std(ddof=1) / np.sqrt(len(sample))
    return Interval(float(sample.mean()), float(sample.mean() - half), float(sample.mean() + half), len(sample))


def paired_difference(a: ArrayLike, b: ArrayLike, level: float = 0.95) -> Interval:
    """The mean of `a - b` with its interval, where `a[i]` and `b[i]` share a seed.

    Pairing removes what the seeds have in common (the data, the initial weights), so fewer seeds settle the sign.

    Raises: `ValueError` if the two differ in length, or as `mean_interval` does.

    >>> paired_difference([1.0, 2.0, 3.0], [0.5, 1.4, 2.6]).excludes_zero
    True
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape:
        raise bad("b", second.shape, f"as long as a, {first.shape}", "give both one value per seed, in the same order")
    return mean_interval(first - second, level)
