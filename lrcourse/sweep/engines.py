"""Which engine trains a sweep, and why."""

import hashlib
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from ..schedules.checks import bad
from . import loop, stacked
from .outcome import Outcome
from .plan import Plan

COMPILE = 25.0  # seconds that a first compilation takes at most, until this machine has done one
SAMPLE = 5  # steps that are timed


@dataclass(frozen=True)
class Choice:
    """An engine, the reason for it, and the seconds that the sweep will take in one process (0 if that is unknown)."""

    engine: str
    reason: str
    seconds: float


ENGINES: dict[str, Callable[[Plan], Outcome]] = {
    "loop": loop.run,
    "stacked": lambda plan: stacked.run(plan, compiled=False),
    "compiled": lambda plan: stacked.run(plan, compiled=True),
}


def chunk_size(plan: Plan, engine: str) -> int:
    """How many members train together: as many as keep what they need at a time in 256 MiB."""
    members = len(plan.settings)
    if engine == "loop":
        return max(1, min(64, members // 16))
    widest = max(each.shape[0] for each in plan.model(plan.settings[0].seed).parameters())
    points = max(len(plan.dataset.x_train), len(plan.dataset.x_test))
    limit = 4096 if stacked.is_tiny(plan) else 256
    limit = max(1, min(limit, 2**25 // (widest * points), 2**25 // (6 * plan.steps)))
    return math.ceil(members / math.ceil(members / limit))  # chunks of one size share one compiled program


def choose(plan: Plan) -> Choice:
    """Time a few steps of the loop and of the stacked step; compile if that can pay for itself."""
    members, steps = len(plan.settings), plan.steps
    by_loop = members * steps * _loop_step(plan)
    why_not = stacked.unsupported(plan)
    if why_not:
        return Choice("loop", why_not, by_loop)
    if members == 1 or by_loop < 0.2:
        return Choice("loop", "too little work to stack", by_loop)
    part = plan.part(0, min(members, chunk_size(plan, "stacked")))
    by_stack = steps * members / len(part.settings) * _stacked_step(part, compiled=False)
    rest = min(by_loop, by_stack)
    times = {"loop": by_loop, "stacked": by_stack}
    note = ""
    if rest < _compile_time(part):
        note = ", too short for the compiler"
    else:
        try:
            started = time.perf_counter()
            per_step = _stacked_step(part, compiled=True)
            _remember(part, time.perf_counter() - started)
            times["compiled"] = steps * members / len(part.settings) * per_step
        except Exception as error:  # whatever a compiler, or the lack of one, may raise
            note = f", no compiler ({type(error).__name__})"
    fastest = min(times, key=lambda name: times[name])
    expected = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in times.items())
    return Choice(fastest, f"expected: {expected}{note}", times[fastest])


def check(plan: Plan, engine: str) -> Choice:
    """The engine that was asked for.

    Raises: `ValueError` if it does not exist or cannot train the model.
    """
    if engine not in ENGINES:
        raise bad("engine", engine, f"one of {['auto', *ENGINES]}", "leave it out to have it chosen")
    if engine != "loop" and (why_not := stacked.unsupported(plan)):
        raise bad("engine", engine, "'loop' for this model", why_not)
    seconds = len(plan.settings) * plan.steps * _loop_step(plan) if engine == "loop" else 0.0
    return Choice(engine, "asked for", seconds)


def _loop_step(plan: Plan) -> float:
    """Seconds per step of one member: the difference between a longer and a shorter run."""
    one = plan.part(0, 1)

    def seconds(steps: int) -> float:
        started = time.perf_counter()
        loop.run(replace(one, steps=steps))
        return time.perf_counter() - started

    seconds(1)
    return max(1e-6, (seconds(1 + 4 * SAMPLE) - seconds(1)) / (4 * SAMPLE))


def _stacked_step(plan: Plan, compiled: bool) -> float:
    training = stacked.Training(replace(plan, steps=2 * SAMPLE), compiled)
    training.train(SAMPLE)
    started = time.perf_counter()
    training.train(SAMPLE)
    return (time.perf_counter() - started) / SAMPLE


def _memory(plan: Plan) -> Path:
    """Inductor keeps its programs; beside them stands how long they took the last time."""
    from torch._inductor.runtime.cache_dir_utils import cache_dir

    key = repr((str(plan.model(0)), plan.loss, plan.optimizer, plan.nesterov, plan.batch_size,
                stacked.padded(len(plan.settings)), torch.__version__))  # fmt: skip
    return Path(cache_dir()) / f"lrcourse-{hashlib.sha256(key.encode()).hexdigest()[:16]}.json"


def _compile_time(plan: Plan) -> float:
    try:
        return json.loads(_memory(plan).read_text())
    except (OSError, ValueError):
        return COMPILE


def _remember(plan: Plan, seconds: float) -> None:
    """A first compilation teaches nothing about the second, which finds its programs on the disk."""
    _memory(plan).write_text(json.dumps(min(seconds, 4.0)))
