"""A run for each fault that an audit knows: what was meant, what was used, and which of its columns shows it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrcourse import Constant, Cosine, InverseSqrt, OneCycle, Schedule, Step, warmup
from lrcourse.audit import Audit, Finding
from lrcourse.schedules.values import Array

N, FEW = 48, 14
LONG = warmup(Cosine(1.0, 0.0, N - 8), 8, start=0.125)
SHORT = Cosine(1.0, 0.0, FEW)  # where a shift by one update is seen
ALL, SOME = np.arange(N), np.arange(FEW)
CYCLE = OneCycle(1.0, N)
Line = tuple[NDArray[Any], Array]


@dataclass
class FaultRun:
    """A run of `audit`, with the lines to draw: `meant`, and `used`. `unit`: what the lines are."""

    audit: Audit
    used: list[Line]
    meant: list[Line] = field(default_factory=list)
    unit: str = "rate"

    def finding(self, name: str) -> Finding:
        """What the audit says of it under this name."""
        return next(each for each in self.audit.report() if each.name == name)


def rates(used: Array, schedule: Schedule | None = LONG, steps: int = N, told: bool = True) -> FaultRun:
    audit = Audit(schedule if told else None, steps if told else None)
    for rate in used.tolist():
        audit.record(rate)
    at = np.arange(max(len(used), steps))
    meant = [] if schedule is None else [(at, schedule(at))]
    return FaultRun(audit, [(np.arange(len(used)), used)], meant)


def groups() -> FaultRun:
    audit = Audit(LONG, N, factors=[1.0, 0.3])
    for rate in LONG.table(N).tolist():
        audit.record([rate, rate])
    return FaultRun(audit, [(ALL, LONG.table(N))], [(ALL, LONG.table(N)), (ALL, 0.3 * LONG.table(N))])


def momentum() -> FaultRun:
    audit, used = Audit(CYCLE, N, momentum=0.9), CYCLE.momentum()(ALL)
    for rate, held in zip(CYCLE.table(N).tolist(), used.tolist()):
        audit.record(rate, held)
    return FaultRun(audit, [(ALL, used)], [(ALL, np.full(N, 0.9))], "momentum")


def losses(used: Array) -> FaultRun:
    audit = Audit()
    for loss in used.tolist():
        audit.record(0.1, loss=loss)
    return FaultRun(audit, [(ALL, used)], unit="loss")


RUNS: dict[str, Callable[[], FaultRun]] = {
    "stepped per epoch": lambda: rates(LONG(ALL // 8)),
    "several steps per update": lambda: rates(LONG(2 * ALL)),
    "schedule never applied": lambda: rates(np.full(N, LONG(0))),
    "two schedulers": lambda: rates(LONG(ALL) * Step(1.0, 16, 0.6)(ALL)),
    "another schedule": lambda: rates(InverseSqrt(0.9, 6)(ALL)),
    "rate scaled": lambda: rates(0.4 * LONG(ALL)),
    "stretched": lambda: rates(LONG(ALL / 3)),
    "resumed at the wrong step": lambda: rates(LONG(np.where(ALL < 28, ALL, ALL - 28))),
    "skipped update": lambda: rates(SHORT(SOME + (SOME > 5)), SHORT, FEW),
    "scheduler before the optimizer": lambda: rates(SHORT(SOME + 1), SHORT, FEW),
    "one update late": lambda: rates(SHORT(np.maximum(SOME - 1, 0)), SHORT, FEW),
    "first update at rate 0": lambda: rates(warmup(Constant(1.0), 6).table(FEW), None, FEW, told=False),
    "ends high": lambda: rates(LONG.table(N // 3)),
    "schedule ended early": lambda: rates(LONG.table(2 * N)),
    "groups differ": groups,
    "momentum changed": momentum,
    "loss diverges": lambda: losses(1 / (1 + ALL / 4) + 0.001 * np.exp(ALL / 6)),
    "rate too low": lambda: losses(1 - ALL / 5000 + 0.02 * np.sin(ALL * 2.4)),
}


def drawn(name: str, run: FaultRun) -> str:
    """The lines of a run as a small picture: dashes for what was meant, a line for what was used."""
    lines = [*run.meant, *run.used]
    right, top = (max(float(each.max()) for each in axis) or 1.0 for axis in zip(*lines))
    paths = [
        _path(line, right, top, style) for style, group in (("meant", run.meant), ("used", run.used)) for line in group
    ]
    told = f"The {run.unit} that was used{', and dashed what was meant' if run.meant else ''}: {name}"
    return f'<svg class="fault" viewBox="0 0 204 64" role="img" aria-label="{told}">{"".join(paths)}</svg>'


def _path(line: Line, right: float, top: float, style: str) -> str:
    points: Any = zip(line[0].tolist(), line[1].tolist())
    text = " ".join(f"{2 + 200 * t / right:.0f},{61 - 58 * y / top:.1f}" for t, y in points)
    return f'<polyline class="{style}" points="{text}"/>'
