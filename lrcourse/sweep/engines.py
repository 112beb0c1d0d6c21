"""Which engine trains a sweep, and why."""

import hashlib
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

COMPILE = 25.0  # seconds that the first compilation of a program takes
COMPILE_AGAIN = 4.0  # and when Inductor finds it on the disk
SAMPLE = 5  # steps that are timed

_BUILT: set[Path] = set()  # programs that this process has


@dataclass(frozen=True)
class Choice:
    """An engine, the reason for it, and the seconds that the sweep will take in one process (0 if that is unknown)."""

    engine: str
    reason: str
    seconds: float


def _run_compiled(plan: Plan) -> Outcome:
    outcome = stacked.run(plan, compiled=True)
    _remember(plan)
    return outcome


ENGINES: dict[str, Callable[[Plan], Outcome]] = {
    "loop": loop.run,
    "stacked": lambda plan: stacked.run(plan, compiled=False),
    "compiled": _run_compiled,
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
    why_not = stacked.unsupported(plan)
    if members == 1:
        return Choice("loop", why_not or "a single member", 0.0)
    by_loop = members * steps * _loop_step(plan)
    if why_not:
        return Choice("loop", why_not, by_loop)
    if by_loop < 0.2:
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
            per_step = _stacked_step(part, compiled=True)
            _remember(part)
            times["compiled"] = steps * members / len(part.settings) * per_step
        except Exception as error:  # whatever a compiler, or the lack of one, may raise
            first_line = str(error).partition("\n")[0]
            note = f", no compiler ({type(error).__name__}: {first_line})"
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
    """Seconds per step of one member; the first run only warms up."""
    short = replace(plan.part(0, 1), steps=4 * SAMPLE)

    def seconds() -> float:
        started = time.perf_counter()
        loop.run(short)
        return time.perf_counter() - started

    seconds()
    return min(seconds(), seconds()) / short.steps


def _stacked_step(plan: Plan, compiled: bool) -> float:
    training = stacked.Training(replace(plan, steps=2 * SAMPLE), compiled)

    def train() -> None:
        training.train(SAMPLE)[-1].cpu()  # a GPU is asked for a loss, or it would still be at work

    train()
    started = time.perf_counter()
    train()
    return (time.perf_counter() - started) / SAMPLE


def _memory(plan: Plan) -> Path:
    """Inductor keeps its programs on the disk; an empty file beside them says which sweeps they are for."""
    from torch._inductor.runtime.cache_dir_utils import cache_dir

    settings, batch = plan.settings, plan.batch_size or len(plan.dataset.x_train)
    key = repr((str(plan.model(0)), plan.loss, plan.optimizer, plan.nesterov, batch,
                stacked.padded(len(settings)), any(each.weight_decay for each in settings),
                any(plan.momentum(each) != 0 for each in settings), len({each.seed for each in settings}) > 1,
                torch.get_num_threads(), torch.__version__))  # fmt: skip
    return Path(cache_dir()) / f"lrcourse-{hashlib.sha256(key.encode()).hexdigest()[:16]}"


def _compile_time(plan: Plan) -> float:
    memory = _memory(plan)
    if memory in _BUILT:
        return 0.0
    return COMPILE_AGAIN if memory.exists() else COMPILE


def _remember(plan: Plan) -> None:
    memory = _memory(plan)
    memory.parent.mkdir(parents=True, exist_ok=True)
    memory.touch()
    _BUILT.add(memory)
