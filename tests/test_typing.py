"""The package is typed for those who use it: `mypy --strict` passes on a script of theirs, and finds its mistakes."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import lrcourse

ROOT = Path(lrcourse.__file__).parents[1]
# An ignore that strict mode finds unused is an error: each marks a mistake that has to be found.
SCRIPT = """
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, assert_type

import numpy as np
import torch
from numpy.typing import NDArray

from lrcourse import (
    REX, SGDR, WSD, BatchSchedule, Constant, Cosine, CyclePlan, Cyclic, Exponential, Geometric, InverseSqrt,
    InverseTime, Lambda, Linear, MultiStep, OneCycle, Piecewise, Plateau, Polynomial, Schedule, Step, batch_schedule,
    epochs, get_schedule, maximum, minimum, parse_schedule, plan_cycles, steps_per_epoch, warmup,
)
from lrcourse.audit import Audit, Finding, Report, read_log
from lrcourse.range_test import RangeTest
from lrcourse.validation import Rate, Steps
from lrcourse.torch import (
    EMA, MLP, PlateauLR, Run, ScheduleLR, applied_rates, average_state_dicts, averaged_weights, muon_groups,
    parameter_groups, range_test, train,
)

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Halving(Schedule):
    lr: Rate
    every: Steps

    def rates(self, t: Array) -> Array:
        return self.lr * 0.5 ** (t // self.every)


def table(schedule: Schedule, steps: int) -> Array:
    return schedule(np.arange(steps))


def halved(schedule: Schedule, step: int) -> float:
    return 0.5 * schedule(step)


per_epoch = steps_per_epoch(1000, 32)
pieces = Piecewise([2, 4], [1.0, 0.5, 0.1])
schedules: list[Schedule] = [
    pieces, MultiStep(0.1, (1, 2), 0.5), MultiStep(0.1, range(3), 0.5), Constant(1), Cosine(0.1, 0, per_epoch),
    Exponential(0.1, 0.9, every=2.5, staircase=True), InverseSqrt(0.1, 5), Lambda(lambda t: 0.1 / (1 + t)),
    Linear(0.0, 0.1, 10), Polynomial(0.1, 0.0, 10, power=2), SGDR(0.1, 0.0, 5, t_mult=2), Step(0.1, 2, 0.5),
    WSD(0.1, 2, 3, 4, start=0.01), Cyclic(0.1, 1, 2.5, step_size_down=3, scale_fn=lambda c: 0.5 / c), Halving(0.1, 5),
    warmup(pieces, epochs(0.5, per_epoch), start=0.01).then(2 * pieces + 0.5 * pieces + 1, at=9).clip(0, 1),
    Piecewise((2, 4), np.array([1.0, 0.5, 0.1])), Piecewise(np.array([2, 4]), (1.0, 0.5, 0.1)), 1 - pieces / 2 - pieces,
    MultiStep(0.1, np.arange(3), 0.5), REX(0.1, 0, 10, bend=0.9), Geometric(1e-5, 1, 10), InverseTime(0.1, 5, every=2),
    SGDR(0.1, 0, 2.5, cycles=3), SGDR.over(10, 3, 0.1), Cyclic.over(10, 2.5, 0.1, 1, mode="triangular2"),
    minimum(pieces, 1), maximum(0, pieces).shift(-3).stretch(1.5), Cyclic(0.1, 1, 5).momentum(max=0.95),
    get_schedule("one-cycle", peak=0.1, steps=100, pct_start=0.4), parse_schedule("Cosine(0.1, 0, 10)"),
]
assert_type(pieces(3), float)
assert_type(pieces(np.int64(3)), float)
assert_type(pieces([1, 2]), Array)
assert_type(pieces.table(3), Array)
assert_type(batch_schedule(pieces, 32, 64), BatchSchedule)
assert_type(plan_cycles(10, 2, per_epoch), CyclePlan)
assert_type(Plateau(0.1).update(0.5), float)
assert_type(Schedule.from_dict(pieces.to_dict()), Schedule)

model = MLP([2, 3, 2])
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
cycle = OneCycle(0.1, 100)
scheduler = ScheduleLR(optimizer, cycle, momentum=cycle.momentum(), relative=True)
scheduler.step()
scheduler.step(0.5)
scheduler.continue_with(pieces)
assert_type(scheduler.get_last_lr(), list[float | torch.Tensor])
scheduler.load_state_dict(scheduler.state_dict())
listed = ScheduleLR(optimizer, [pieces], [Constant(0.9)])
listed.append(Constant(0.1), momentum=Constant(0.8))
chain: torch.optim.lr_scheduler.LRScheduler = listed

grouped = parameter_groups(model, 0.1, 0.01, factors={"^2": 2}, decays={"bias": 0}, layers=[model[0]], layer_decay=0.5)
by_metric = PlateauLR(torch.optim.SGD(grouped), Plateau(0.1), warmup=10, momentum=Constant(0.9), relative=True)
by_metric.update(torch.tensor(0.5))
by_metric.update(0.5)
assert_type(applied_rates(by_metric.optimizer), dict[str, float])
hidden, others = muon_groups(MLP([2, 3, 3, 2]), 0.02, 0.001, outside="^[04]")
assert_type(hidden, list[dict[str, Any]])
ema = EMA(model, decay=0.99, buffers="average")
ema.update_parameters(model)
with averaged_weights(model, ema), averaged_weights(MLP([2, 3, 2]), average_state_dicts([model.state_dict()], [1])):
    model(torch.zeros(3, 2))

x, y = torch.zeros(3, 2), torch.zeros(3, dtype=torch.long)
cross_entropy = torch.nn.functional.cross_entropy
found = range_test(model, optimizer, cross_entropy, [(x, y)], scaler=None)
assert_type(found, RangeTest)
assert_type(found.suggest(), float | None)
assert_type(found.lrs, Array)


audit = Audit([pieces, 0.5 * pieces], 10, momentum=0.9, factors=(1, 0), tolerance=1e-3)
audit.attach(optimizer, scheduler, scaler=None, step=3)
audit.loss(torch.tensor(0.5))
audit.detach()
by_hand = Audit(pieces, momentum=cycle.momentum())
by_hand.record(0.1, momentum=0.9, loss=0.5)
by_hand.record([0.1, 0.2], step=4)
assert_type(audit.report(finished=False), Report)
assert_type(audit.report().faults, tuple[Finding, ...])
assert_type([finding.fix for finding in audit.report()], list[str])
assert_type([finding.step for finding in audit.report()], list[int | None])


def logged_rates(path: str) -> list[tuple[float, ...]]:
    return read_log(path, rate="lr").rate


def batch_loss(model: MLP, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    return cross_entropy(model(batch["x"]), batch["y"])


range_test(model, optimizer, None, [{"x": x, "y": y}], batch_loss=batch_loss)
range_test(model, optimizer, None, iter([x]), batch_loss=lambda model, batch: model(batch).mean())

Cosine("0.1", 0.0, 10)  # type: ignore[arg-type]
Audit("cosine")  # type: ignore[arg-type]
by_hand.record("0.1")  # type: ignore[arg-type]
Cosine(0.1, 0.0)  # type: ignore[call-arg]
minimum(pieces, "a")  # type: ignore[arg-type]
pieces.shift(2.5)  # type: ignore[arg-type]
Piecewise([2.5], [0.1, 0.2])  # type: ignore[list-item]
pieces("soon") + pieces(None)  # type: ignore[call-overload]
ScheduleLR(optimizer, 0.1)  # type: ignore[arg-type]
ScheduleLR(optimizer, pieces, relativ=True)  # type: ignore[call-arg]
scheduler.continue_with("cosine")  # type: ignore[arg-type]
PlateauLR(optimizer, cycle)  # type: ignore[arg-type]
parameter_groups(model, 0.1, factors={"^2": "fast"})  # type: ignore[dict-item]
range_test(model, optimizer, 0.1, [(x, y)])  # type: ignore[arg-type]
found.suggest(3)  # type: ignore[arg-type]
"""


@pytest.mark.slow
def test_mypy_strict_passes_on_a_script_that_uses_the_package(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={ROOT / '.mypy_cache/users'}"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}  # as an installed package: found by Python, with its py.typed
    ran = subprocess.run([*command, str(script)], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.filterwarnings("ignore:The epoch parameter", "ignore:Detected call")
def test_the_script_runs_as_far_as_it_is_right(tmp_path):
    right, _, wrong = SCRIPT.partition('Cosine("0.1"')
    assert wrong
    (tmp_path / "script.py").write_text(right)
    runpy.run_path(str(tmp_path / "script.py"), run_name="script")
