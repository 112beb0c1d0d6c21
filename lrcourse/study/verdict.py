r"""What pairs of runs say about two arms: one is ahead, they are level, or nothing is settled.

The rules, for the scores of two arms on the same seeds:

- *Failed* runs are counted, not averaged; an exact McNemar test compares the counts. Means are of pairs that survived.
- *ahead*, *behind*: the interval of the mean difference excludes 0, or one arm fails more often; the two must agree.
- *level*: the interval of the mean difference lies within ± the margin (two one-sided tests), and so does that of the
  failures within ± `FAILURE_MARGIN`.
- *undecided*: none of these. What could have been seen is then the news.

All verdicts of a study are corrected together (Holm), so that the chance of any false one is 5 %, as far as a
t-interval holds. It is too narrow where the differences are very skewed, or have rare outliers that are no failures:
then look at the scores, and take many seeds.

The arms were tuned before, on other seeds, which might have chosen other settings. How much that matters is estimated
by drawing those seeds anew, and is a part of each interval: without it, two arms of one worth would be told apart in
12 % of all studies, not in 5 %.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from ..intervals import Interval

ALPHA = 0.05
POWER = 0.8
FAILURE_MARGIN = 0.1  # a difference in the share of failed runs that nobody would act on


@dataclass(frozen=True, eq=False)
class Pair:
    """Two arms' runs on the same seeds: their scores and whether they failed, each of shape `(seeds,)`.

    `choice_variance`: of the difference, from the choice of the settings; `choice_seeds`: how many seeds chose.
    """

    a: str
    b: str
    scores_a: NDArray[np.float64]
    scores_b: NDArray[np.float64]
    failed_a: NDArray[np.bool_]
    failed_b: NDArray[np.bool_]
    choice_variance: float = 0.0
    choice_seeds: int = 0


@dataclass(frozen=True)
class Verdict:
    """What is known about `a` against `b`.

    `word`: `"ahead"`, `"behind"`, `"level"` or `"undecided"`. `difference`: the mean of a − b over the pairs that both
    survived, in the unit of the metric, with its interval at the level that Holm's correction leaves to this pair; None
    if fewer than two pairs survived. `within`: the same for the two one-sided tests of `level`. `p`, `p_level`,
    `p_failures`: corrected, of a difference, of a difference as large as the margin, and of unequal failures.
    `failures`: of each arm among `runs`; `failure_shares`: the same as shares with Wilson's intervals. `detectable`:
    the difference that a study of this size sees with a power of 80 %. `note`: what the word does not say.
    """

    a: str
    b: str
    word: str
    better: str
    margin: float
    difference: Interval | None
    within: Interval | None
    p: float
    p_level: float
    p_failures: float
    failures: tuple[int, int]
    failure_shares: tuple[Interval, Interval]
    runs: int
    detectable: float
    family: int
    note: str = ""

    def __str__(self) -> str:
        """The verdict as a sentence."""
        digits = f".{digits_of(self.margin)}f"
        said = f"{self.a} is {self.word} {'with' if self.word == 'level' else 'of' if self.word == 'ahead' else ''}"
        said = said.strip() + f" {self.b}" if self.word != "undecided" else f"{self.a} against {self.b}: undecided"
        found = "no pair survived" if self.difference is None else f"difference {self.difference:{digits}}"
        failed = f", failed {self.failures[0]} and {self.failures[1]} of {self.runs}" if any(self.failures) else ""
        seen = f"; could have seen {self.detectable:{digits}}" if self.word == "undecided" else ""
        return f"{said}: {found}, {self.better} is better{failed}{seen}" + (f"; {self.note}" if self.note else "")


def digits_of(margin: float) -> int:
    """Decimal places that show a tenth of the margin.

    >>> digits_of(0.02), digits_of(0.5), digits_of(20.0)
    (3, 2, 0)
    """
    return max(0, 1 - int(np.floor(np.log10(margin))))


def judge(pairs: Sequence[Pair], margin: float, better: str) -> list[Verdict]:
    """The verdicts of all pairs of a study, corrected together.

    >>> noise = np.random.default_rng(0).normal(size=(2, 20))
    >>> never = np.zeros(20, bool)
    >>> [found] = judge([Pair("a", "b", 1 + 0.01 * noise[0], 1.1 + 0.01 * noise[1], never, never)], 0.02, "lower")
    >>> found.word
    'ahead'
    """
    means = [_Mean.of(pair) for pair in pairs]
    p = [mean.p_zero() for mean in means]
    p_failures = [_p_failures(pair) for pair in pairs]
    # A test that could not reject whatever came out costs the others nothing (Tarone 1990).
    able = [pair_of for pair_of, pair in enumerate(pairs) if _least_p(pair) <= ALPHA]
    corrected, levels = holm([*p, *(p_failures[i] for i in able)])
    for i, value in zip(able, corrected[len(pairs) :]):
        p_failures[i] = value
    p_level, level_levels = holm([mean.p_level(margin) for mean in means])
    return [
        _verdict(pair, mean, margin, better, (corrected[i], p_level[i], p_failures[i]), (levels[i], level_levels[i]),
                 len(levels))
        for i, (pair, mean) in enumerate(zip(pairs, means))
    ]  # fmt: skip


def holm(p: Sequence[float], alpha: float = ALPHA) -> tuple[list[float], list[float]]:
    """Corrected p-values, and the level of each test that agrees with them: its interval excludes what is rejected.

    Source: Holm, "A simple sequentially rejective multiple test procedure", 1979.

    >>> [[round(each, 4) for each in values] for values in holm([0.03, 0.001, 0.2])]
    [[0.06, 0.003, 0.2], [0.025, 0.0167, 0.025]]
    """
    order, left = np.argsort(p, kind="stable"), np.arange(len(p), 0, -1)
    corrected, levels = np.empty(len(p)), np.empty(len(p))
    # Not statsmodels' multipletests: each call of it collects the garbage of the whole process, half a second.
    corrected[order] = np.minimum(1, np.maximum.accumulate(left * np.array(p)[order]))
    levels[order] = alpha / np.maximum(left, max(1, (corrected > alpha).sum()))
    return corrected.tolist(), levels.tolist()


@dataclass(frozen=True)
class _Mean:
    """The mean difference of the pairs that survived, its standard error and the degrees of freedom of that."""

    mean: float
    error: float
    freedom: int
    n: int

    @classmethod
    def of(cls, pair: Pair) -> "_Mean | _NoMean":
        survived = ~(pair.failed_a | pair.failed_b)
        difference = (pair.scores_a - pair.scores_b)[survived]
        if (n := len(difference)) < 2:
            return _NoMean()
        error = float(np.sqrt(difference.var(ddof=1) / n + pair.choice_variance))
        # Where the choice was open, few seeds made it: theirs are the degrees of freedom, if they are fewer.
        freedom = n - 1 if pair.choice_variance == 0 else min(n, pair.choice_seeds) - 1
        return cls(float(difference.mean()), error, freedom, n)

    def p_zero(self) -> float:
        return float(2 * self._beyond(abs(self.mean)))

    def p_level(self, margin: float) -> float:
        return float(max(self._beyond(margin + self.mean), self._beyond(margin - self.mean)))

    def _beyond(self, distance: float) -> Any:
        """The chance of a mean so far from the true one, on one side; a constant difference is certain."""
        if self.error == 0:
            return 0.5 - 0.5 * np.sign(distance)
        return stats.t.sf(distance / self.error, self.freedom)

    def interval(self, level: float) -> Interval:
        half = stats.t.ppf(1 - level / 2, self.freedom) * self.error
        return Interval(self.mean, float(self.mean - half), float(self.mean + half), self.n)

    def detectable(self, level: float) -> float:
        """So far from 0 that the interval excludes it with the chance `POWER`."""
        return float((stats.t.ppf(1 - level / 2, self.freedom) + stats.t.ppf(POWER, self.freedom)) * self.error)


class _NoMean:
    """Fewer than two pairs survived."""

    mean, n = 0.0, 0

    def p_zero(self) -> float:
        return 1.0

    def p_level(self, margin: float) -> float:
        return 1.0

    def interval(self, level: float) -> None:
        return None

    def detectable(self, level: float) -> float:
        return float("inf")


def _p_failures(pair: Pair) -> float:
    only_a, only_b = _discordant(pair)
    return float(mcnemar([[0, only_a], [only_b, 0]], exact=True).pvalue)


def _least_p(pair: Pair) -> float:
    """The smallest p-value that so many pairs, of which one failed, can give."""
    return float(2 * 0.5 ** sum(_discordant(pair)))


def _discordant(pair: Pair) -> tuple[int, int]:
    return int((pair.failed_a & ~pair.failed_b).sum()), int((pair.failed_b & ~pair.failed_a).sum())


def _verdict(
    pair: Pair, mean: "_Mean | _NoMean", margin: float, better: str, p: Sequence[float], levels: Sequence[float],
    family: int,
) -> Verdict:  # fmt: skip
    p_zero, p_level, p_failures = p
    sign = 1 if better == "higher" else -1
    only_a, only_b = _discordant(pair)
    by_score = sign * int(np.sign(mean.mean)) if p_zero <= ALPHA else 0
    by_failures = int(np.sign(only_b - only_a)) if p_failures <= ALPHA else 0
    word, note = "undecided", ""
    if by_score * by_failures < 0:
        note = "the one with better runs fails more often"
    elif by_score or by_failures:
        word = "ahead" if by_score + by_failures > 0 else "behind"
        note = "by its failures" if not by_score else "by less than the margin" if p_level <= ALPHA else ""
    elif p_level <= ALPHA:
        if mean.n and not np.any(pair.scores_a[~pair.failed_a] != pair.scores_b[~pair.failed_a]):
            note = "every pair scored the same: the task cannot tell them apart"
        elif _fail_alike(pair):
            word = "level"
        else:
            note = "level where both survive, but too few runs to compare the failures"
    runs, failures = len(pair.scores_a), (int(pair.failed_a.sum()), int(pair.failed_b.sum()))
    return Verdict(
        a=pair.a, b=pair.b, word=word, better=better, margin=margin, difference=mean.interval(levels[0]),
        within=mean.interval(2 * levels[1]), p=p_zero, p_level=p_level, p_failures=p_failures, failures=failures,
        failure_shares=(share(failures[0], runs), share(failures[1], runs)), runs=runs,
        detectable=mean.detectable(ALPHA / family), family=family, note=note,
    )  # fmt: skip


def _fail_alike(pair: Pair) -> bool:
    """Whether Newcombe's 90 % interval of the difference in failures lies within their margin: from 25 runs on, if none
    failed."""
    a, b, n = int(pair.failed_a.sum()), int(pair.failed_b.sum()), len(pair.failed_a)
    low, high = confint_proportions_2indep(a, n, b, n, method="newcomb", compare="diff", alpha=2 * ALPHA)
    return bool(low > -FAILURE_MARGIN and high < FAILURE_MARGIN)


def share(count: int, n: int) -> Interval:
    """A share of `n` runs with Wilson's interval, which is sensible for 0 of n as well.

    >>> f"{share(0, 30):.2f}"
    '0.00 [0.00, 0.11]'
    """
    low, high = proportion_confint(count, n, method="wilson")
    return Interval(count / n, float(low), float(high), n)
