"""Which engine trains a sweep, and why."""

import hashlib
import math
import statistics
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from ..validation import bad
from . import functional, loop, stacked
from .members import padded
from .outcome import Outcome
from .plan import Plan
from .watch import Watch

COMPILE = 25.0  # seconds that the first compilation of a program takes
COMPILE_AGAIN = 4.0  # and when Inductor finds it on the disk
LITTLE = 0.2  # seconds of work for which nothing is stacked
LITTLE_FOR_VMAP = 5.0  # and for which vmap is not tried, as it gains little without the compiler
SAMPLE = 8  # updates of the loop that are timed at most: a fiftieth of the sweep, and a third of one run
STACKED_SAMPLE = 5  # stacked steps that are timed at most: a fiftieth of the steps
SHORT = 5.0  # seconds: for a program that trains a sweep within them, and twice as fast as the loop, one step is enough

BUILT: set[Path] = set()  # programs that this process has


@dataclass(frozen=True)
class Choice:
    """An engine, the reason for it, and the seconds that the sweep will take in one process (0 if that is unknown)."""

    engine: str
    reason: str
    seconds: float


def _compiled(run: Callable[..., Outcome]) -> Callable[[Plan, int, Watch], Outcome]:
    def trained(plan: Plan, size: int, watch: Watch) -> Outcome:
        outcome = run(plan, compiled=True, size=size, watch=watch)
        remember(plan, size)
        return outcome

    return trained


# What trains a part of a sweep whose parts have `size` members; only the last may be smaller.
ENGINES: dict[str, Callable[[Plan, int, Watch], Outcome]] = {
    "loop": lambda plan, size, watch: loop.run(plan, watch),
    "stacked": lambda plan, size, watch: stacked.run(plan, compiled=False, watch=watch),
    "compiled": _compiled(stacked.run),
    "vmap": lambda plan, size, watch: functional.run(plan, compiled=False, watch=watch),
    "vmap-compiled": _compiled(functional.run),
}
TOGETHER = {"stacked": stacked, "compiled": stacked, "vmap": functional, "vmap-compiled": functional}
MEMBERS = 8  # of any module: more of them leave the cache, fewer have less to share


def chunk_size(plan: Plan, engine: str) -> int:
    """How many members train together: as many as keep what they need at a time in 256 MiB, on a GPU in 4 GiB."""
    members = len(plan.settings)
    if engine == "loop":
        return max(1, min(64, members // 16))
    if TOGETHER[engine] is functional:
        return _even(members, MEMBERS * (16 if next(plan.model(0).parameters()).is_cuda else 1))
    widest = max(each.shape[0] for each in plan.model(plan.settings[0].seed).parameters())
    points = max(len(plan.dataset.x_train), len(plan.dataset.x_test))
    scale = 16 if next(plan.model(0).parameters()).is_cuda else 1
    limit = scale * (4096 if stacked.is_tiny(plan) else 256)
    limit = max(1, min(limit, scale * 2**25 // (widest * points), scale * 2**25 // (6 * plan.steps)))
    return _even(members, limit)


def _even(members: int, limit: int) -> int:
    """At most `limit` members in each chunk: chunks of one size share one compiled program."""
    return math.ceil(members / math.ceil(members / limit))


def choose(plan: Plan) -> Choice:
    """Time a few steps of the loop and of the stacked step, as a program if there is one or building it can pay.

    What is timed is thrown away, so it is a small share of the sweep, and nothing where there is nothing to choose.
    """
    members, steps = len(plan.settings), plan.steps
    why_not, plain, compiled = stacked.unsupported(plan), "stacked", "compiled"
    if members == 1:
        return Choice("loop", why_not or "a single member", 0.0)
    with functional.one_thread() if why_not else nullcontext():
        by_loop = _loop_seconds(plan)
    if by_loop < (LITTLE_FOR_VMAP if why_not else LITTLE):
        return Choice("loop", "; ".join([*([why_not] if why_not else []), "too little work to stack"]), by_loop)
    if why_not:
        plain, compiled = "vmap", "vmap-compiled"
        if nor := functional.unsupported(plan):
            return Choice("loop", why_not if nor == why_not else f"{why_not}; {nor}", by_loop)
    part = plan.part(0, min(members, chunk_size(plan, plain)))
    parts = members / len(part.settings)
    times, note, building = {"loop": by_loop}, "", compile_time(part)
    if building:  # a program that is there is faster than the same step without one
        times[plain] = steps * parts * stacked_step(part, compiled=False)
    if min(times.values()) < 2 * building:  # it often no more than halves the time
        note = ", too short for the compiler"
    else:
        try:
            clear = 0.0 if building else min(SHORT, by_loop / 2) / (steps * parts)
            times[compiled] = steps * parts * stacked_step(part, compiled=True, clear=clear)
            remember(part)
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
    if engine not in list(ENGINES):
        raise bad("engine", engine, f"one of {['auto', *ENGINES]}", "leave it out to have it chosen")
    if engine != "loop" and (why_not := TOGETHER[engine].unsupported(plan)):
        raise bad("engine", engine, "another one for this model", why_not)
    return Choice(engine, "asked for", _loop_seconds(plan) if engine == "loop" else 0.0)


def _loop_seconds(plan: Plan) -> float:
    """The seconds of the whole sweep by the loop, 0 if it is too small for a sample of it to be cheap."""
    updates = len(plan.settings) * plan.steps
    sample = min(SAMPLE, plan.steps // 3, updates // 50)
    return updates * loop_step(plan, sample) if sample > 1 else 0.0


def loop_step(plan: Plan, updates: int) -> float:
    """Seconds from one update to the next in a run of so many; without the first, which warms up."""
    at: list[float] = []

    def stamp(*_: Any) -> None:
        at.append(time.perf_counter())

    hook = register_optimizer_step_post_hook(stamp)
    try:
        loop.run(replace(plan.part(0, 1), steps=updates))
    finally:
        hook.remove()
    return statistics.median(after - before for before, after in pairwise(at))


def stacked_step(plan: Plan, compiled: bool, clear: float = 0.0) -> float:
    """Seconds of a stacked step, after one that warms up or compiles; one faster than `clear` is the last."""
    kind = functional if stacked.unsupported(plan) else stacked
    training = kind.Training(replace(plan, steps=STACKED_SAMPLE + 1), compiled)

    def seconds() -> float:
        started = time.perf_counter()
        training.train(1)[-1].cpu()  # a GPU is asked for a loss, or it would still be at work
        return time.perf_counter() - started

    seconds()
    times = [seconds()]
    while times[-1] >= clear and len(times) < min(STACKED_SAMPLE, plan.steps // 50):
        times.append(seconds())
    return statistics.median(times)


def memory_of(plan: Plan, size: int = 1) -> Path:
    """Inductor keeps its programs on the disk; an empty file beside them says which sweeps they are for."""
    from torch._inductor.runtime.cache_dir_utils import cache_dir

    settings, model, points = plan.settings, plan.model(0), len(plan.dataset.x_train)
    by_hand = stacked.unsupported(plan) is None
    program = "" if by_hand else functional.programmed(plan, model).key, plan.accumulate, len(plan.traces.ema)
    batch, first = min(plan.batch_size or points, points), next(model.parameters())
    key = repr((str(model), str(first.dtype), first.device.type, plan.loss, plan.optimizer, plan.nesterov, batch,
                padded(max(size, len(settings))), any(each.weight_decay for each in settings),
                any(plan.momentum(each) != 0 for each in settings), len({each.seed for each in settings}) > 1,
                torch.get_num_threads() if by_hand else 1, torch.__version__, program))  # fmt: skip
    return Path(cache_dir()) / f"lrcourse-{hashlib.sha256(key.encode()).hexdigest()[:16]}"


def compile_time(plan: Plan) -> float:
    memory = memory_of(plan)
    if memory in BUILT:
        return 0.0
    return COMPILE_AGAIN if memory.exists() else COMPILE


def remember(plan: Plan, size: int = 1) -> None:
    memory = memory_of(plan, size)
    memory.parent.mkdir(parents=True, exist_ok=True)
    memory.touch()
    BUILT.add(memory)
