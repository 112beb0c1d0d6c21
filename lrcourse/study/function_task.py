"""Runs that a function trains, one at a call."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from ..extras import extra
from ..validation import bad, check_fields, choice, is_number, number, optional

Run = tuple[Any, int]  # what an arm made, and a seed


@dataclass(frozen=True)
class FunctionTask:
    """`train(made, seed)` trains one run of what an arm made, in whatever framework, and returns its score.

    `better`: `"lower"` or `"higher"`. `guess`: the score of guessing; a run that ends no better has failed. With None,
    only a score that is not finite says so. `metric`: the score's name, for tables and pictures.

    Raises: `ValueError` for a `train` that cannot be called, another `better`, and a guess that is not finite.

    >>> task = FunctionTask(lambda lr, seed: (lr - 0.1) ** 2, better="lower", guess=1.0)
    >>> list(task.scores([(0.5, 0), (0.1, 0)], jobs=1))
    [(0, 0.16000000000000003), (1, 0.0)]
    """

    train: Callable[[Any, int], float]
    better: Annotated[str, choice("lower", "higher")] = "lower"
    guess: Annotated[float | None, optional(number)] = None
    metric: str = "score"

    def __post_init__(self) -> None:
        check_fields(self)
        if not callable(self.train):
            raise bad("train", self.train, "a function of what an arm made and a seed", "return the run's score")

    def identity(self) -> Any:
        """All that decides a score, besides what an arm made and the seed."""
        return self.train

    def guesses(self, seed: int) -> float | None:
        """What guessing scores on the data of a seed."""
        return self.guess

    def scores(
        self, runs: Sequence[Run], jobs: int | None = None, folder: Path | None = None
    ) -> Iterator[tuple[int, float]]:
        """The number of each run and its score, as they finish. `jobs`: processes; None takes one for each core."""
        with extra("study"):
            from joblib import Parallel, delayed

        jobs = min(jobs or os.cpu_count() or 1, len(runs))
        if jobs <= 1:
            return ((i, _score(self.train, *run)) for i, run in enumerate(runs))
        pool = Parallel(n_jobs=jobs, return_as="generator_unordered")
        finished: Iterator[tuple[int, float]] = pool(
            delayed(_numbered)(self.train, i, *run) for i, run in enumerate(runs)
        )
        return finished


def _numbered(train: Callable[[Any, int], float], i: int, made: Any, seed: int) -> tuple[int, float]:
    return i, _score(train, made, seed)


def _score(train: Callable[[Any, int], float], made: Any, seed: int) -> float:
    value = train(made, seed)
    value = value.item() if isinstance(value, np.generic) or hasattr(value, "item") else value
    if not is_number(value):
        raise bad("the score", value, "a number", "return one number from train; NaN for a run that failed")
    return float(value)
