"""A question to training runs, declared before they run."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..extras import extra
from ..validation import bad, positive, random_seed
from ..validation import rates as checked_rates
from .answer import Answer
from .arm import Arm, EdgeError
from .kept import Kept
from .tuning import Tuned

FEWEST = 5  # seeds


class AnyTask(Protocol):
    """What a study asks of a task: `Task` and `FunctionTask` are two."""

    @property
    def better(self) -> str: ...
    @property
    def metric(self) -> Any: ...
    def identity(self) -> Any: ...
    def guesses(self, seed: int) -> float | None: ...
    def scores(
        self, runs: Sequence[tuple[Any, int]], jobs: int | None = None, folder: Path | None = None
    ) -> Iterator[tuple[int, float]]: ...


class Study:
    """Which of the `arms` is better at `task`, each tuned as well as the others?

    Each arm trains all of its trials on the seeds of `select` and takes the one with the best mean score, a failed run
    counting as a guess; where nobody knows what a guess scores, fewer failures come first. That one is trained on the
    seeds of `report`, from which come the verdicts (see `Verdict`).
    A run has failed if its score is not finite or no better than guessing.

    `select`: not used where every arm has a single trial, and nothing is chosen.

    `arms`: by name, an `Arm`, or a function of the rate, to be called with each of `rates` (see `octaves`). `margin`:
    the smallest difference, in the metric's own unit, that would change what anyone does. `compare`: the pairs that
    are asked about, each a against b; None asks about all. Fewer questions are answered more sharply.

    Raises: `ValueError` for arms with unequal numbers of trials, seeds that both choose and report, and fewer than
    five seeds to report on.

    >>> from lrcourse.space import octaves
    >>> from lrcourse.study import FunctionTask
    >>> def train(made, seed):  # a bowl: the best rate is 0.25, and the second arm is 0.3 higher
    ...     lr, height = made
    ...     return height + 0.01 * np.log2(lr / 0.25) ** 2 + 0.05 * np.random.default_rng(seed).normal()
    >>> arms = {"low": lambda lr: (lr, 0.0), "high": lambda lr: (lr, 0.3)}
    >>> task, rates = FunctionTask(train), octaves(1 / 16, 1)
    >>> study = Study(task, arms, rates=rates, margin=0.05, select=range(5), report=range(5, 15))
    >>> answer = study.run(progress=False, jobs=1)
    >>> answer.verdict("low", "high").word, answer.chosen("high")
    ('ahead', {'lr': 0.25})
    """

    def __init__(
        self,
        task: AnyTask,
        arms: Mapping[str, Arm | Callable[[float], Any]],
        *,
        margin: float,
        rates: Sequence[float] | None = None,
        select: Iterable[int] = range(10),
        report: Iterable[int] = range(100, 130),
        compare: Sequence[tuple[str, str]] | None = None,
    ) -> None:
        self.task = task
        self.arms = {name: _arm(name, each, rates) for name, each in arms.items()}
        self.margin = positive("use for example 0.01, if less would change nothing")("margin", margin)
        tuned = any(len(arm.trials) > 1 for arm in self.arms.values())
        self.select, self.report = different_seeds("select", select) if tuned else [], different_seeds("report", report)
        self.compare = list(itertools.combinations(self.arms, 2)) if compare is None else [(a, b) for a, b in compare]
        counts = {name: len(arm.trials) for name, arm in self.arms.items()}
        if len(self.arms) < 2:
            raise bad("arms", list(self.arms), "two or more", "a single arm has nothing to be compared with")
        if len(set(counts.values())) > 1:
            raise bad("arms", counts, "of equally many trials", "whoever tries more settings finds a better one")
        if both := set(self.select) & set(self.report):
            raise bad("report", sorted(both), "other seeds than those of select", "what was chosen on them looks good")
        for name, seeds in (("report", self.report), *([("select", self.select)] if tuned else [])):
            if len(seeds) < FEWEST:
                raise bad(name, seeds, f"at least {FEWEST} seeds", "use for example range(100, 130) and range(10)")
        if not self.compare or len({frozenset(pair) for pair in self.compare}) < len(self.compare):
            raise bad("compare", self.compare, "one pair or more, each once", "leave it out to ask about all")
        for pair in self.compare:
            if not set(pair) <= set(self.arms) or pair[0] == pair[1]:
                raise bad("compare", pair, f"two of {list(self.arms)}", "check the names")

    def run(self, folder: str | Path | None = None, progress: bool = True, jobs: int | None = None) -> Answer:
        """Train what is missing, choose, and report.

        `folder`: where scores are kept, by all that decides them; what is there already is not trained again, so a
        study that was interrupted goes on, and one whose trials were extended trains only the new ones. `jobs`:
        processes; None takes what is worth it.

        Raises: `EdgeError` if an arm's best trial stands at the edge of those that were tried, `ValueError` if all of
        an arm's trials fail on the selection seeds.
        """
        with extra("study"):
            from tqdm import tqdm

        kept = Kept(None if folder is None else Path(folder))
        selections = {name: list(range(len(arm.trials))) if self.select else [] for name, arm in self.arms.items()}
        total = sum(map(len, selections.values())) * len(self.select) + len(self.arms) * len(self.report)
        with tqdm(total=total, unit="run", disable=not progress) as bar:
            train = _Training(self.task, kept, jobs, bar.update)
            scores = train.of(self.arms, selections, self.select)
            found = {name: self._tune(name, scores[name]) for name in self.arms}
            self._check_edges(found)
            reported = train.of(self.arms, {name: [each.best] for name, each in found.items()}, self.report)
        final = {name: each[:, 0] for name, each in reported.items()}
        return Answer(
            metric=self.task.metric if isinstance(self.task.metric, str) else _name_of(self.task.metric),
            better=self.task.better, margin=self.margin, select=self.select, report=self.report, compare=self.compare,
            tuned=found, scores=final, failed={name: self._failed(each, self.report) for name, each in final.items()},
        )  # fmt: skip

    def _tune(self, name: str, scores: np.ndarray) -> Tuned:
        arm = self.arms[name]
        if not scores.size:
            return Tuned(arm.trials, scores, 0)
        failed = self._failed(scores, self.select)
        if failed.all():
            raise bad(f"arms[{name!r}]", arm.trials, "such that a run survives", "try lower rates, or train for longer")
        return Tuned.of(arm.trials, np.where(failed, self._guesses(), scores), self.task.better)

    def _failed(self, scores: np.ndarray, seeds: Sequence[int]) -> np.ndarray:
        """Which of the scores, a row per seed, are not finite or no better than guessing."""
        failed: np.ndarray = ~np.isfinite(scores)
        for row, seed in enumerate(seeds):
            if (guess := self.task.guesses(seed)) is not None:
                failed[row] |= scores[row] >= guess if self.task.better == "lower" else scores[row] <= guess
        return failed

    def _guesses(self) -> np.ndarray:
        """What failed runs count as, a row per seed: the guess, NaN where that is unknown."""
        guesses = [self.task.guesses(seed) for seed in self.select]
        column: np.ndarray = np.array([[np.nan if guess is None else guess] for guess in guesses])
        return column

    def _check_edges(self, tuned: Mapping[str, Tuned]) -> None:
        found = {name: self.arms[name].edges(each.trials[each.best]) for name, each in tuned.items()}
        if at := [f"{name}: {', '.join(each)}" for name, each in found.items() if each]:
            raise EdgeError(
                f"the best trial of an arm must lie within those that were tried, got {'; '.join(at)}: extend the "
                "trials beyond it, for every arm, or name the value in the arm's ends if nothing can lie beyond"
            )


class _Training:
    """Trains what nobody has trained yet."""

    def __init__(self, task: AnyTask, kept: Kept, jobs: int | None, done: Callable[[int], object]) -> None:
        self.task, self.kept, self.jobs, self.done = task, kept, jobs, done
        self.identity = kept.key(task.identity()) if kept.folder else ""  # once: it holds all of the data

    def of(
        self, arms: Mapping[str, Arm], trials: Mapping[str, Sequence[int]], seeds: Sequence[int]
    ) -> dict[str, np.ndarray]:
        """The scores of the numbered trials of each arm, of shape `(seeds, trials)`."""
        runs = [((name, i), seed) for name, numbers in trials.items() for i in numbers for seed in seeds]
        # Made for each run anew: training may change what was made.
        made = [arms[name].make(**arms[name].trials[i]) for (name, i), _ in runs]
        keys = [self._key(run, each) for run, each in zip(runs, made)]
        missing = [i for i, key in enumerate(keys) if key not in self.kept]
        self.done(len(runs) - len(missing))
        if missing:
            todo = [(made[i], runs[i][1]) for i in missing]
            for position, score in self.task.scores(todo, self.jobs, self.kept.place([keys[i] for i in missing])):
                self.kept.add(keys[missing[position]], score)
                self.done(1)
        scores = {run: self.kept[key] for run, key in zip(runs, keys)}
        return {
            name: np.array([[scores[(name, i), seed] for i in numbers] for seed in seeds], dtype=float)
            for name, numbers in trials.items()
        }

    def _key(self, run: tuple[tuple[str, int], int], made: Any) -> str:
        """What is kept for other processes has a name by its content; within this one the run's own is enough."""
        return self.kept.key(self.identity, made, run[1]) if self.kept.folder else repr(run)


def _arm(name: str, arm: Any, rates: Sequence[float] | None) -> Arm:
    if isinstance(arm, Arm):
        return arm
    if not callable(arm) or rates is None:
        raise bad(f"arms[{name!r}]", arm, "an Arm, or a function of the rate beside rates", "pass rates=octaves(…)")
    return Arm(lambda lr: arm(lr), [{"lr": each} for each in checked_rates("rates", rates)])


def _name_of(metric: Any) -> str:
    return str(getattr(metric, "__name__", type(metric).__name__)).replace("_", " ")


def different_seeds(name: str, seeds: Iterable[int]) -> list[int]:
    found = [random_seed(name, seed) for seed in seeds]
    if len(set(found)) < len(found):
        raise bad(name, found, "different seeds", "two runs of one seed are one run")
    return found
