"""Everything a sweep is about to do, and nothing it has done: what is sent to other processes."""

import functools
import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from .. import schedules
from ..data import Dataset
from ..fingerprint import described
from ..schedules import Schedule
from ..schedules.base import Array
from ..schedules.values import momenta
from ..torch import PlateauLR, groups, rules
from ..torch.rules import Rule
from ..validation import bad
from .settings import NAMES, Setting
from .traces import Traces

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW
}  # fmt: skip
BETA2, EPS = 0.999, 1e-8  # PyTorch's defaults
DRAWS = 64  # whose data are kept


@dataclass(frozen=True, eq=False)
class Plan:
    """The members' settings and what all of them share. See `sweep` for the meaning of the fields."""

    model_fn: Callable[[], torch.nn.Module]
    dataset: Dataset
    loss: Any
    optimizer: str | Rule
    nesterov: bool
    steps: int
    batch_size: int | None
    settings: Sequence[Setting]
    draw: "Draws | None" = None  # the data of a seed; `dataset` is then that of the first member
    clip: float | None = None
    accumulate: int = 1
    traces: Traces = field(default_factory=Traces)

    def part(self, start: int, stop: int) -> "Plan":
        """The same plan for the members `start` to `stop - 1`."""
        return replace(self, settings=self.settings[start:stop])

    def model(self, seed: int) -> torch.nn.Module:
        """The untrained model of a seed; the random numbers around it stay as they are."""
        with seeded(seed):
            return self.model_fn()

    def data(self, seed: int) -> Dataset:
        """What the members of a seed learn from; the random numbers around it stay as they are."""
        return self.dataset if self.draw is None else self.draw(seed)

    def labels(self) -> np.ndarray:
        """The classes that occur in the members' data."""
        drawn = [self.data(seed) for seed in {each.seed for each in self.settings}] if self.draw else [self.dataset]
        return np.unique(np.concatenate([y.ravel() for data in drawn for y in (data.y_train, data.y_test)]))

    @property
    def rule(self) -> Rule:
        """The optimizer as a pure function."""
        if isinstance(self.optimizer, Rule):
            return self.optimizer
        return {"sgd": rules.SGD(nesterov=self.nesterov), "adam": rules.Adam(), "adamw": rules.AdamW()}[self.optimizer]

    def momentum(self, setting: Setting) -> float | Schedule:
        """The momentum that the optimizer uses, NaN for a rule that has none."""
        if setting.momentum is None:
            return math.nan if self.rule.momentum is None else self.rule.momentum
        return setting.momentum

    def torch_optimizer(self, parameters: Any, setting: Setting) -> torch.optim.Optimizer:
        """The member's optimizer as PyTorch builds it. `parameters`: with their names."""
        momentum = self.momentum(setting)
        first = momentum(0) if isinstance(momentum, Schedule) else momentum
        if isinstance(self.optimizer, Rule):
            own = None if math.isnan(first) else first
            return rules.RuleOptimizer(parameters, self.optimizer, setting.lr, own, setting.weight_decay)
        options: dict[str, Any] = (
            {"momentum": first} if self.optimizer == "sgd" else {"betas": (first, BETA2), "eps": EPS}
        )
        optimizer = OPTIMIZERS[self.optimizer](parameters, lr=setting.lr, weight_decay=setting.weight_decay, **options)
        if self.nesterov:  # set afterwards: as an argument it is refused for momentum 0, where it changes nothing
            optimizer.param_groups[0]["nesterov"] = True
        return optimizer

    def schedule(self, setting: Setting) -> tuple[Schedule | None, Schedule | None]:
        """The member's rate and momentum as schedules, None for what stays as it is."""
        momentum = setting.momentum if isinstance(setting.momentum, Schedule) else None
        if isinstance(setting.schedule, Schedule):
            return setting.lr * setting.schedule, momentum
        return (None if momentum is None else schedules.Constant(setting.lr)), momentum

    def torch_scheduler(self, setting: Setting, optimizer: torch.optim.Optimizer) -> Any:
        """The member's scheduler where it is one of PyTorch's own."""
        own = setting.schedule
        if own is None or isinstance(own, Schedule):
            return None
        must = "a function that builds a PyTorch scheduler, one without a metric, on an optimizer"
        try:
            scheduler = own(optimizer)
        except Exception as error:
            raise bad("schedule", own, must, str(error)) from error
        by_metric = torch.optim.lr_scheduler.ReduceLROnPlateau | PlateauLR
        if not isinstance(scheduler, torch.optim.lr_scheduler.LRScheduler) or isinstance(scheduler, by_metric):
            raise bad("schedule", own, must, f"it gave {scheduler!r}; a rate by step is a Schedule")
        return scheduler

    def tables(self) -> tuple[Array, Array]:
        """The rate and the momentum of every update of every member, each of shape `(steps, members)`."""
        lr, momentum = np.empty((2, len(self.settings), self.steps))
        known: dict[Schedule, Array] = {}

        def table(schedule: Schedule) -> Array:
            if schedule not in known:
                known[schedule] = schedule.table(self.steps)
            return known[schedule]

        for i, setting in enumerate(self.settings):
            rate, beta = setting.schedule, self.momentum(setting)
            if rate is None or isinstance(rate, Schedule):
                lr[i] = setting.lr if rate is None else setting.lr * table(rate)
                momentum[i] = table(beta) if isinstance(beta, Schedule) else beta
            else:
                lr[i], momentum[i] = self._stepped(setting)
        return np.ascontiguousarray(lr.T), np.ascontiguousarray(momentum.T)

    def check_schedules(self) -> None:
        """Raise a `ValueError` for a schedule that somewhere in the run gives no rate, or no momentum."""
        peaks: dict[int, float] = {}  # of each schedule: many members may share one
        for each in self.settings:
            if isinstance(each.schedule, Schedule):
                if id(each.schedule) not in peaks:
                    peaks[id(each.schedule)] = float(each.schedule.table(self.steps).max())
                if not np.isfinite(each.lr * peaks[id(each.schedule)]):
                    (each.lr * each.schedule).table(self.steps)
        for beta in {id(each.momentum): each.momentum for each in self.settings}.values():
            if isinstance(beta, Schedule):
                momenta(beta, np.arange(self.steps))

    def _stepped(self, setting: Setting) -> tuple[Array, Array]:
        """A PyTorch scheduler has no formula to ask, so it is stepped."""
        optimizer = self.torch_optimizer([("", torch.nn.Parameter(torch.zeros(1, 1)))], setting)
        scheduler = self.torch_scheduler(setting, optimizer)
        group = optimizer.param_groups[0]
        rows = np.empty((self.steps, 2))
        for t in range(self.steps):
            rows[t] = group["lr"], groups.momentum(group)
            optimizer.step()
            scheduler.step()
        return rows[:, 0], rows[:, 1]

    def digest(self) -> str:
        """A fingerprint of all that decides the result; functions count by their code and the values they use."""
        model = self.model(self.settings[0].seed)
        shared = [self.loss, self.optimizer, self.nesterov, self.steps, self.batch_size, self.draw and self.draw.draw,
                  self.clip, self.accumulate, vars(self.traces)]  # fmt: skip
        members = [[getattr(each, name) for name in NAMES] for each in self.settings]
        data = [self.dataset.x_train, self.dataset.y_train, self.dataset.x_test, self.dataset.y_test]
        return hashlib.sha256(repr(described([model, *shared, *data, members])).encode()).hexdigest()


class Draws:
    """The data of each seed, as `draw(seed)` gives them: asked for several times, and slower to read than some runs."""

    def __init__(self, draw: Callable[[int], Any], loss: Any) -> None:
        self.draw, self.loss = draw, loss
        self.of_seed = functools.lru_cache(DRAWS)(self._drawn)

    def __call__(self, seed: int) -> Dataset:
        return self.of_seed(seed)

    def _drawn(self, seed: int) -> Dataset:
        with seeded(seed):
            return as_dataset(self.draw(seed), self.loss)

    def __reduce__(self) -> Any:
        return Draws, (self.draw, self.loss)  # other processes draw their own


def as_dataset(data: Any, loss: Any) -> Dataset:
    """`data`, a `Dataset` or a pair, as what a loop takes.

    Raises: `ValueError` for anything else.
    """
    if not isinstance(data, Dataset):
        try:
            x, y = (_array(each) for each in data)
        except (TypeError, ValueError):
            raise bad("data", type(data).__name__, "a Dataset or a pair (X, y)", "pass the training data") from None
        if x.ndim == 0 or y.ndim == 0 or len(x) != len(y) or len(x) == 0:
            raise bad("data", (x.shape, y.shape), "as many targets as inputs, and at least one", "check their shapes")
        data = Dataset("sweep", "", x, y, x, y)
    if loss == "mse":  # whole numbers would pass for classes
        data = replace(data, y_train=data.y_train.astype(float), y_test=data.y_test.astype(float))
    dataset: Dataset = data
    return dataset


def _array(values: Any) -> np.ndarray:
    values = values.detach().cpu() if isinstance(values, torch.Tensor) else values
    return np.ascontiguousarray(values) if np.ndim(values) else np.asarray(values)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """PyTorch's random numbers start from `seed`; those around it stay as they are."""
    with torch.random.fork_rng():
        if torch.accelerator.is_available():
            torch.manual_seed(seed)
        else:  # the same without a millisecond for devices that are not there
            torch.default_generator.manual_seed(seed)
        yield
