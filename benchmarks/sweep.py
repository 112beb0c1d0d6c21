"""What a sweep costs: how many plain PyTorch runs take as long as the whole sweep, and how often faster that is.

Ratios within one run: the two sides alternate, so a busy machine slows both. Run by `make bench`. Exits with
status 1 if a goal is missed. `--map` measures the 256 × 256 map of 1,000 steps as well, about a minute and a half.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from lrcourse.data import Dataset, digits, moons
from lrcourse.sweep import grid, sweep
from lrcourse.torch import MLP, LogicNet

SIZES = (1, 4, 16, 64, 256)


@dataclass(frozen=True)
class Case:
    model_fn: Callable[[], nn.Module]
    data: Dataset
    steps: int
    batch_size: int | None = None

    def settings(self, members: int) -> list:
        return grid(lr=np.geomspace(0.001, 0.1, members), momentum=[0.9])

    def plain(self) -> None:
        """One run as anyone would write it."""
        torch.manual_seed(0)
        model = self.model_fn()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
        x, y = torch.as_tensor(self.data.x_train, dtype=torch.float32), torch.as_tensor(self.data.y_train)
        batches: list = []
        for _ in range(self.steps):
            batches = batches or list(torch.randperm(len(x)).split(self.batch_size or len(x)))
            chosen = batches.pop() if self.batch_size else slice(None)
            optimizer.zero_grad()
            F.cross_entropy(model(x[chosen]), y[chosen]).backward()
            optimizer.step()

    def sweep(self, members: int, engine: str = "auto") -> str:
        result = sweep(self.model_fn, self.data, settings=self.settings(members), steps=self.steps,
                       batch_size=self.batch_size, engine=engine, progress=False)  # fmt: skip
        return result.engine


CASES = {
    "2-3-2": Case(LogicNet, moons(), steps=1000),
    "2-64-64-2": Case(lambda: MLP([2, 64, 64, 2]), moons(), steps=200),
    "digits 64-128-10": Case(lambda: MLP([64, 128, 10]), digits(), steps=200, batch_size=64),
}


def seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def runs(case: Case, members: int, engine: str, rounds: int = 5) -> float:
    """The sweep's time in plain runs: the median over alternating rounds."""
    case.sweep(members, engine)  # compiled before the clock starts
    return statistics.median(seconds(lambda: case.sweep(members, engine)) / seconds(case.plain) for _ in range(rounds))


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--map", action="store_true")
    parser.add_argument("--case", choices=CASES)
    parser.add_argument("--members", type=int, nargs="*", default=SIZES)
    parser.add_argument("--engines", nargs="*", default=["stacked", "compiled", "auto"])
    options = parser.parse_args()
    missed = []
    for name, case in CASES.items():
        for members in options.members if options.case in (None, name) else []:
            costs = {engine: runs(case, members, engine) for engine in options.engines}
            print(f"{name:<18} {members:>4} settings  " + "  ".join(
                f"{engine}: {cost:7.2f} runs, {members / cost:5.1f} times faster" for engine, cost in costs.items()
            ), flush=True)  # fmt: skip
            if (name, members) == ("2-3-2", 64) and costs["compiled"] >= 1:
                missed.append("64 settings of 2-3-2 for less than one run")
            if (name, members) == ("digits 64-128-10", 64) and min(costs.values()) > 5:
                missed.append("64 settings of digits for at most 5 runs")
    if options.map:
        took = seconds(lambda: CASES["2-3-2"].sweep(256 * 256))
        print(f"a map of 256 x 256 settings, 1,000 steps of 2-3-2: {took:.0f} s")
        missed += ["the map in 90 s"] * (took > 90)
    print("goals missed: " + "; ".join(missed) if missed else "goals met")
    return int(bool(missed))


if __name__ == "__main__":
    raise SystemExit(main())
