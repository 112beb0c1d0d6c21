"""What a schedule costs, as ratios within one run: the two sides alternate, so a busy machine slows both.

Run by `make bench`. Exits with status 1 if a goal is missed.
"""

import statistics
import time
import warnings
from collections.abc import Callable
from functools import partial

import torch
from torch.optim.lr_scheduler import LRScheduler

from lrcourse import Cosine, Cyclic, OneCycle, Step
from lrcourse.torch import ScheduleLR

N = 10_000
warnings.filterwarnings("ignore", message="Detected call of `lr_scheduler.step")

TORCH: dict[str, Callable[[torch.optim.Optimizer], LRScheduler]] = {
    "Step": lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, 100, 0.99),
    "Cosine": lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, N),
    "Cyclic": lambda optimizer: torch.optim.lr_scheduler.CyclicLR(optimizer, 0.001, 0.006, 100, cycle_momentum=False),
    "OneCycle": lambda optimizer: torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, N + 1, cycle_momentum=False),
}
OURS = {
    "Step": Step(0.1, every=100, gamma=0.99),
    "Cosine": Cosine(0.1, 0.0, N),
    "Cyclic": Cyclic(0.001, 0.006, 100),
    "OneCycle": OneCycle(0.1, N + 1),
}


def optimizer(groups: int) -> torch.optim.Optimizer:
    return torch.optim.SGD([{"params": [torch.zeros(1)]} for _ in range(groups)], lr=0.1)


def stepping(make: Callable[..., LRScheduler], groups: int) -> Callable[[], None]:
    def run() -> None:
        scheduler = make(optimizer(groups))
        for _ in range(N):
            scheduler.step()

    return run


def ratio(slow: Callable[[], object], fast: Callable[[], object], rounds: int = 5) -> float:
    """The median over alternating rounds of time(slow) / time(fast)."""

    def seconds(call: Callable[[], object]) -> float:
        started = time.perf_counter()
        call()
        return time.perf_counter() - started

    return statistics.median(seconds(slow) / seconds(fast) for _ in range(rounds))


def main() -> int:
    missed = 0
    print(f"{'':<10} {'table(10,000)':>14} {'ScheduleLR.step(), 1 group':>28} {'10 groups':>10}   against torch")
    for name, ours in OURS.items():
        table = ratio(stepping(TORCH[name], 1), partial(ours.table, N))
        step = [ratio(stepping(TORCH[name], g), stepping(partial(ScheduleLR, schedule=ours), g)) for g in (1, 10)]
        missed += table < 50 or min(step) < 1
        print(f"{name:<10} {table:>13.0f}x {step[0]:>27.2f}x {step[1]:>9.2f}x")
    print("goals: table at least 50 times faster; ScheduleLR.step not slower than torch (at least 1.00x)")
    return int(missed > 0)


if __name__ == "__main__":
    raise SystemExit(main())
