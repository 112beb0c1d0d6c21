"""Networks, trained by a sweep, many at a time."""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from ..data import Dataset
from ..schedules import Schedule
from ..sweep import Result, Setting, sweep
from ..validation import bad, check_fields, choice, whole_steps
from .guess import best_constant

Run = tuple[Any, int]
BETTER = {"test_loss": "lower", "train_loss": "lower", "test_accuracy": "higher"}


@dataclass(frozen=True, eq=False)
class Task:
    """Networks that are trained for `steps` updates and then judged by a metric.

    An arm makes a `Schedule`, or a mapping of what a `lrcourse.sweep.Setting` holds, without the seed, and of options
    of `sweep`, such as `{"lr": 0.1, "optimizer": "adam"}`. What all arms share stands in `options`:
    `options={"batch_size": 32}`.

    `model_fn`, `data`: as in `sweep`; a function of the seed as `data` draws them anew for each seed, so that a seed is
    a draw of the data, the first weights and the order. `metric`: `"test_loss"`, `"train_loss"`, `"test_accuracy"`, or
    a function of a sweep's `Result` that returns one number per member; then `better` says what is good.
    A run has failed that ends no better than the best constant prediction (with a function: that is not finite).

    Raises: `ValueError` for an unknown metric, and a function without `better`.

    >>> from lrcourse import Constant, Cosine
    >>> from lrcourse.data import moons
    >>> from lrcourse.torch import LogicNet
    >>> task = Task(LogicNet, moons(), steps=20, metric="test_accuracy")
    >>> [score] = task.scores([(Constant(1.0), 0)])
    >>> task.better, 0.7 < score[1] < 1
    ('higher', True)
    """

    model_fn: Callable[[], Any]
    data: Any
    steps: Annotated[int, whole_steps]
    metric: str | Callable[[Result], Any] = "test_loss"
    better: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_fields(self)
        if isinstance(self.metric, str):
            choice(*BETTER)("metric", self.metric)
            if self.better not in ("", BETTER[self.metric]):
                raise bad("better", self.better, f"{BETTER[self.metric]!r} for {self.metric}", "leave it out")
            object.__setattr__(self, "better", BETTER[self.metric])
        choice("lower", "higher")("better", self.better)

    def identity(self) -> Any:
        """All that decides a score, besides what an arm made and the seed."""
        data = self.data if callable(self.data) else vars(self.data)
        return [self.model_fn, data, self.steps, self.metric, dict(self.options)]

    def guesses(self, seed: int) -> float | None:
        """What the best constant prediction scores on the data of a seed."""
        if not isinstance(self.metric, str):
            return None
        if seed not in self._known:
            self._known[seed] = self._guess(self.metric, seed)
        return self._known[seed]

    @cached_property
    def _known(self) -> dict[int, float | None]:
        return {}  # reading the data again for every arm would take longer than some runs

    def _guess(self, metric: str, seed: int) -> float | None:
        data: Dataset = self.data(seed) if callable(self.data) else self.data
        targets = data.y_train if metric == "train_loss" else data.y_test
        return best_constant(targets, metric, self.options.get("loss", "cross_entropy"))

    def scores(
        self, runs: Sequence[Run], jobs: int | None = None, folder: Path | None = None
    ) -> Iterator[tuple[int, float]]:
        """The number of each run and its score. Runs with the same options are one sweep, kept in `folder`."""
        groups: dict[str, tuple[dict[str, Any], list[int], list[Setting]]] = {}
        for i, (made, seed) in enumerate(runs):
            setting, options = _split(made, seed)
            _, numbers, settings = groups.setdefault(repr(options), (options, [], []))
            numbers.append(i)
            settings.append(setting)
        for which, (options, numbers, settings) in enumerate(groups.values()):
            place = None if folder is None else folder / str(which)
            result = sweep(self.model_fn, self.data, settings=settings, steps=self.steps, folder=place, jobs=jobs,
                           progress=False, **{**self.options, **options})  # fmt: skip
            yield from zip(numbers, self._metric(result))
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def _metric(self, result: Result) -> list[float]:
        values = getattr(result, self.metric) if isinstance(self.metric, str) else self.metric(result)
        found = np.asarray(values, dtype=float)
        members = len(result.plan.settings)
        if found.shape != (members,):
            raise bad("metric", found.shape, f"a function that returns {members} numbers, one per member", "see Task")
        column: list[float] = found.tolist()
        return column


def _split(made: Any, seed: int) -> tuple[Setting, dict[str, Any]]:
    if isinstance(made, Schedule):
        made = {"schedule": made}
    if not isinstance(made, Mapping):
        raise bad("what an arm makes", made, "a Schedule or a mapping", 'return for example {"lr": 0.1}')
    names = set(Setting.__dataclass_fields__) - {"seed"}
    if kept := {"loss", "steps", "folder", "jobs"} & set(made):
        raise bad("what an arm makes", sorted(kept), "what may differ between arms", "give it to the Task")
    return (
        Setting(**{name: value for name, value in made.items() if name in names}, seed=seed),
        {name: value for name, value in made.items() if name not in names},
    )
