"""The choice of an arm's setting, and what that choice is worth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
DRAWS = 1000  # of the selection seeds, to see which settings other seeds would have chosen


@dataclass(frozen=True, eq=False)
class Tuned:
    """An arm's trials, the scores of its selection runs, shape `(seeds, trials)`, and the number of the best trial.

    A failed run counts as a guess: `scores` holds what guessing scores in its place, or NaN if nobody knows that.
    Then the trials with the fewest failures come first.
    """

    trials: Sequence[Mapping[str, Any]]
    scores: Array
    best: int

    @classmethod
    def of(cls, trials: Sequence[Mapping[str, Any]], scores: Array, better: str) -> "Tuned":
        """Choose the trial with the best mean score; of equal ones, as where nobody can do better, the middle one."""
        if len(trials) == 1:
            return cls(trials, scores, 0)
        ranked = _ranked(np.full((1, len(scores)), 1 / len(scores)), scores, better)[0]
        equal = np.flatnonzero(ranked == ranked.min())
        return cls(trials, scores, int(equal[len(equal) // 2]))

    @property
    def means(self) -> Array:
        """The mean score of each trial's runs that did not fail, NaN for a trial without any."""
        sums, counts = np.nansum(self.scores, 0), np.isfinite(self.scores).sum(0)
        means: Array = np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)
        return means

    def curve(self, name: str, better: str) -> tuple[list[Any], list[float]]:
        """The best mean score for each value that the trials have for `name`, in rising order."""
        means: dict[Any, list[float]] = {}
        for trial, mean in zip(self.trials, self.means if self.scores.size else np.full(1, np.nan)):
            means.setdefault(trial[name], []).append(float(mean))
        best = np.fmin.reduce if better == "lower" else np.fmax.reduce
        return sorted(means), [best(means[value]) for value in sorted(means)]

    def to_dict(self) -> dict[str, Any]:
        return {"trials": [dict(each) for each in self.trials], "scores": self.scores.tolist(), "best": self.best}

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> "Tuned":
        scores = np.array(table["scores"], dtype=float).reshape(-1, len(table["trials"]))
        return cls(table["trials"], scores, table["best"])


def choice_variance(a: Tuned, b: Tuned, better: str) -> float:
    r"""How far the difference of two arms might have come out elsewhere, had other seeds chosen their settings.

    The selection seeds are drawn anew, with replacement, the same for both arms. Each draw chooses a setting for each;
    $d$ is the difference of the two settings' mean scores, and $d_0$ that of the settings that were chosen:
    $\frac{n}{n - 1} \overline{(d - d_0)^2}$ for $n$ seeds. 0 where every draw chooses the same settings.
    """
    n = len(a.scores)
    if n < 2:
        return 0.0
    draws = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=DRAWS) / n
    moved = [
        np.nan_to_num(tuned.means[_ranked(draws, tuned.scores, better).argmin(1)] - tuned.means[tuned.best])
        for tuned in (a, b)
    ]
    return float(n / (n - 1) * np.mean((moved[0] - moved[1]) ** 2))


def _ranked(weights: Array, scores: Array, better: str) -> Array:
    """How good each trial is for each weighting of the seeds, the lowest best: by its failures, then by its mean."""
    finite, values = np.isfinite(scores), np.nan_to_num(scores)
    shares = weights @ finite
    means = np.divide(weights @ values, shares, out=np.zeros_like(shares), where=shares > 1e-9)
    span = 1 + 2 * np.abs(values).max()  # more than any two means differ
    ranked: Array = (means if better == "lower" else -means) + span * len(scores) * np.round(1 - shares, 9)
    return ranked
