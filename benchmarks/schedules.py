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

Rates = list[float]

# Each group has its factor of the schedule, as torch's own take it: from the group's lr, or as a list.
TORCH: dict[str, Callable[[torch.optim.Optimizer, Rates], LRScheduler]] = {
    "Step": lambda optimizer, of_one: torch.optim.lr_scheduler.StepLR(optimizer, 100, 0.99),
    "Cosine": lambda optimizer, of_one: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, N),
    "Cyclic": lambda optimizer, of_one: torch.optim.lr_scheduler.CyclicLR(
        optimizer, [0.001 * each for each in of_one], [0.006 * each for each in of_one], 100, cycle_momentum=False
    ),
    "OneCycle": lambda optimizer, of_one: torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [0.1 * each for each in of_one], N + 1, cycle_momentum=False
    ),
}
OURS = {
    "Step": Step(0.1, every=100, gamma=0.99),
    "Cosine": Cosine(0.1, 0.0, N),
    "Cyclic": Cyclic(0.001, 0.006, 100),
    "OneCycle": OneCycle(0.1, N + 1),
}


def factors(groups: int) -> Rates:
    """One, and for further groups a little less each."""
    return [0.9**i for i in range(groups)]


def optimizer(of_one: Rates) -> torch.optim.Optimizer:
    return torch.optim.SGD([{"params": [torch.zeros(1)], "lr": 0.1 * each} for each in of_one], lr=0.1)


def stepping(make: Callable[[torch.optim.Optimizer], LRScheduler], of_one: Rates) -> Callable[[], None]:
    def run() -> None:
        scheduler = make(optimizer(of_one))
        for _ in range(N):
            scheduler.step()

    return run


def torchs(name: str, of_one: Rates) -> Callable[[], None]:
    return stepping(lambda given: TORCH[name](given, of_one), of_one)


def ours(name: str, of_one: Rates, relative: bool = False) -> Callable[[], None]:
    return stepping(lambda given: ScheduleLR(given, OURS[name], relative=relative), of_one)


def plainly(name: str, groups: int) -> Callable[[], None]:
    """What no scheduler can do without: the next rate of a table, written into each group."""

    def run() -> None:
        param_groups = optimizer([1.0] * groups).param_groups
        for lr in OURS[name].table(N + 1).tolist():
            for group in param_groups:
                group["lr"] = lr

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
    heads = f"{'ScheduleLR.step(), 1 group':>28} {'10 groups':>10} {'with factors, 1':>16} {'10':>7}"
    print(f"{'':<10} {'table(10,000)':>14} {heads}   against torch")
    for name in OURS:
        table = ratio(torchs(name, [1.0]), partial(OURS[name].table, N))
        step = [ratio(torchs(name, [1.0] * g), ours(name, [1.0] * g)) for g in (1, 10)]
        step += [ratio(torchs(name, factors(g)), ours(name, factors(g), relative=True)) for g in (1, 10)]
        missed += table < 50 or min(step) < 1
        print(f"{name:<10} {table:>13.0f}x {step[0]:>27.2f}x {step[1]:>9.2f}x {step[2]:>15.2f}x {step[3]:>6.2f}x")
    print("goals: table at least 50 times faster; ScheduleLR.step not slower than torch (at least 1.00x)\n")

    print("ScheduleLR.step() of a cosine, without factors: against writing the rates of a table, and with factors")
    for groups in (1, 10):
        bare = ours("Cosine", [1.0] * groups)
        written = ratio(bare, plainly("Cosine", groups))
        unused = ratio(bare, ours("Cosine", factors(groups), relative=True))
        missed += unused > 1.2
        print(f"{groups:>2} groups: {written:.1f}x what writing takes, {unused:.2f}x what it takes with factors")
    print("goal: without factors not slower than with them (at most 1.20x, for the noise of a clock)")
    return int(missed > 0)


if __name__ == "__main__":
    raise SystemExit(main())
