"""Runs that were made before, compared by the rules of a study."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from ..validation import bad
from .answer import Answer
from .arm import Arm
from .function_task import FunctionTask
from .study import FEWEST, Study, different_seeds


def compare_scores(
    scores: Mapping[str, Sequence[float] | NDArray[Any]],
    *,
    margin: float,
    better: str = "lower",
    metric: str = "score",
    guess: float | None = None,
    compare: Sequence[tuple[str, str]] | None = None,
    seeds: Iterable[int] | None = None,
) -> Answer:
    """The answer of runs that are there already: by name, the scores on the same seeds. Nothing is trained or chosen.

    A run that failed is NaN, or no better than `guess`. `seeds`: None counts them. For the rest see `Study`.

    Raises: `ValueError` for names with unequally many scores or fewer than five, and what `Study` raises.

    >>> compare_scores({"a": [1.0, 1.1, 0.9, 1.0, 1.2], "b": [2.0, 2.2, 1.8, 2.1, 2.1]}, margin=0.1)
    a is ahead of b: difference -1.00 [-1.12, -0.88], lower is better
    """
    counts = {name: len(each) for name, each in scores.items()}
    known = list(range(max(counts.values(), default=0))) if seeds is None else different_seeds("seeds", seeds)
    if set(counts.values()) != {len(known)}:
        raise bad("scores", counts, f"{len(known)} for each name", "pair the runs by their seeds")
    if len(known) < FEWEST:
        raise bad("scores", counts, f"at least {FEWEST} for each name", "train with more seeds")
    place = {seed: i for i, seed in enumerate(known)}
    task = FunctionTask(lambda arm, seed: float(scores[arm][place[seed]]), better, guess, metric)
    arms = {name: Arm(lambda arm: arm, [{"arm": name}]) for name in scores}
    return Study(task, arms, margin=margin, report=known, compare=compare).run(progress=False, jobs=1)
