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

    A failed run counts as a guess: `scores` holds what guessing scores in its place.
    """

    trials: Sequence[Mapping[str, Any]]
    scores: Array
    best: int

    @classmethod
    def of(cls, trials: Sequence[Mapping[str, Any]], scores: Array, better: str) -> "Tuned":
        """Choose the trial with the best mean score; of equal ones, as where nobody can do better, the middle one."""
        if len(trials) == 1:
            return cls(trials, scores, 0)
        means = scores.mean(0)
        equal = np.flatnonzero(means == (means.min() if better == "lower" else means.max()))
        return cls(trials, scores, int(equal[len(equal) // 2]))

    def curve(self, name: str, better: str) -> tuple[list[Any], list[float]]:
        """The best mean score for each value that the trials have for `name`, in rising order."""
        means: dict[Any, list[float]] = {}
        for trial, mean in zip(self.trials, self.scores.mean(0) if self.scores.size else np.full(1, np.nan)):
            means.setdefault(trial[name], []).append(float(mean))
        best = min if better == "lower" else max
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
    found = [tuned.scores.mean(0)[_best(draws @ tuned.scores, better)] for tuned in (a, b)]
    chosen = [tuned.scores[:, tuned.best].mean() for tuned in (a, b)]
    return float(n / (n - 1) * np.mean((found[0] - found[1] - (chosen[0] - chosen[1])) ** 2))


def _best(means: Array, better: str) -> NDArray[np.intp]:
    found: NDArray[np.intp] = means.argmin(1) if better == "lower" else means.argmax(1)
    return found
