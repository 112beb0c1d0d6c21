"""Range tests to be read by eye, and what became of training at fixed rates: the digits of the chapter on them."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from ...data import digits
from ...torch import range_test

SIZES = {"live": 1, "small": 3, "full": 5}  # seeds: curves to read, not methods to compare
RATES, RULES = 13, ("steepest", "valley", "minimum")


@dataclass(frozen=True)
class Case:
    """A network, an optimizer and a range. `head`: the factor on the first weights of the last layer."""

    start: float
    end: float
    hidden: tuple[int, ...] = (32,)
    adam: bool = False
    norm: bool = False
    head: float = 1.0
    batch: int = 16
    updates: int = 204

    def model(self, seed: int) -> nn.Module:
        torch.manual_seed(seed)
        layers: list[nn.Module] = []
        for a, b in pairwise((64, *self.hidden)):
            layers += [nn.Linear(a, b), *([nn.BatchNorm1d(b, track_running_stats=False)] * self.norm), nn.ReLU()]
        last = nn.Linear(self.hidden[-1], 10)
        last.weight.data *= self.head
        return nn.Sequential(*layers, last).double()

    def optimizer(self, model: nn.Module, lr: float = 1.0) -> torch.optim.Optimizer:
        return (torch.optim.Adam if self.adam else torch.optim.SGD)(model.parameters(), lr=lr)


CASES = {
    "SGD": Case(0.01, 10.0),
    "Adam": Case(5e-4, 0.5, adam=True),
    "deep, batch norm": Case(0.001, 10.0, hidden=(32, 32, 32), norm=True),
    "starts too late": Case(0.3, 10.0),
    "head too large": Case(1e-4, 10.0, head=50.0),
    "ends too early": Case(1e-4, 0.02, batch=1, updates=60),
}


def plan(size: str) -> list[tuple[str, int]]:
    """Every case with every seed, in rounds."""
    return [(case, seed) for seed in range(SIZES[size]) for case in CASES]


def run(name: str, seed: int, size: str, device: str) -> dict[str, Any]:
    """The test's rates and losses, what the rules read off it, and the test loss after training at each rate."""
    case, data = CASES[name], digits(test_size=0.7)
    x, y = (torch.tensor(each, device=device) for each in (data.x_train, data.y_train))
    model = case.model(seed).to(device)
    test = range_test(
        model, case.optimizer(model), F.cross_entropy, batches(x, y, case.batch, seed),
        start=case.start, end=case.end, steps=case.updates, smooth=0.9,
    )  # fmt: skip
    rates = np.geomspace(case.start, case.end, RATES)
    return {
        "log10 lr": np.log10(test.lrs).tolist(), "loss": test.losses.tolist(), "smoothed": test.smoothed.tolist(),
        "stopped": test.stopped or "", **{rule: test.suggest(rule) or math.nan for rule in RULES},
        "rates": rates.tolist(), "trained": [trained(case, float(lr), seed, x, y, data) for lr in rates],
    }  # fmt: skip


def trained(case: Case, lr: float, seed: int, x: torch.Tensor, y: torch.Tensor, data: Any) -> float:
    """The test loss after as many updates at the constant rate as the range test makes."""
    model = case.model(seed).to(x.device)
    optimizer = case.optimizer(model, lr)
    for _, (inputs, targets) in zip(range(case.updates), batches(x, y, case.batch, seed), strict=False):
        optimizer.zero_grad()
        F.cross_entropy(model(inputs), targets).backward()
        optimizer.step()
    with torch.no_grad():
        inputs, targets = (torch.tensor(each, device=x.device) for each in (data.x_test, data.y_test))
        return F.cross_entropy(model(inputs), targets).item()


def batches(x: torch.Tensor, y: torch.Tensor, size: int, seed: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Mini-batches without end, shuffled anew each epoch."""
    rng = np.random.default_rng(seed)
    while True:
        for chosen in torch.tensor(rng.permutation(len(y)), device=y.device).split(size):
            yield x[chosen], y[chosen]
