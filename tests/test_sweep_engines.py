"""Which engine is chosen, from times that are given here instead of measured, and what the choice may cost."""

import os
import subprocess
import sys
import time
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from lrcourse.data import moons
from lrcourse.sweep import engines, grid, loop, run, stacked, sweep
from lrcourse.sweep.plan import Plan
from lrcourse.torch import MLP, LogicNet

MEMBERS, STEPS = 100, 1000


def dropout():
    return torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.Dropout(), torch.nn.Linear(4, 2))


def planned(members, steps, model_fn=LogicNet, **values):
    settings = grid(seed=range(members), **values)
    return Plan(model_fn, moons(n=20), "cross_entropy", "sgd", False, steps, None, settings)


@pytest.fixture
def choose(monkeypatch):
    """The choice for 100 members and 1,000 steps, given the seconds of a step of each kind."""

    def chosen(loop, stacked, compiled, compilation=10.0, members=MEMBERS):
        def stacked_step(plan, is_compiled):
            if isinstance(compiled, Exception) and is_compiled:
                raise compiled
            tried.append(is_compiled)
            return compiled if is_compiled else stacked

        monkeypatch.setattr(engines, "loop_step", lambda plan, updates: loop)
        monkeypatch.setattr(engines, "stacked_step", lambda plan, compiled, clear=0.0: stacked_step(plan, compiled))
        monkeypatch.setattr(engines, "compile_time", lambda plan: compilation)
        monkeypatch.setattr(engines, "remember", lambda plan: None)
        tried = []
        return engines.choose(planned(members, STEPS)), tried

    return chosen


def test_much_work_is_compiled_and_the_reason_gives_the_times(choose):
    choice, _ = choose(loop=2e-4, stacked=2e-2, compiled=2e-4)
    assert choice.engine == "compiled"
    assert choice.reason == "expected: loop 20.0 s, stacked 20.0 s, compiled 0.2 s"
    assert choice.seconds == pytest.approx(0.2)


def test_nothing_is_compiled_that_is_done_sooner_without(choose):
    choice, tried = choose(loop=2e-4, stacked=5e-3, compiled=1e-4)
    assert choice.engine == "stacked" and "too short for the compiler" in choice.reason and True not in tried
    assert choose(loop=2e-4, stacked=5e-3, compiled=1e-4, compilation=2.0)[0].engine == "compiled"


@pytest.mark.parametrize("loop, stacked, compiled, fastest", [
    (2e-4, 9e-2, 9e-2, "loop"), (9e-4, 2e-2, 9e-2, "stacked"), (9e-4, 9e-2, 2e-2, "compiled"),
])  # fmt: skip
def test_the_fastest_is_taken(choose, loop, stacked, compiled, fastest):
    assert choose(loop, stacked, compiled, compilation=1e-3)[0].engine == fastest


def test_a_program_that_is_there_is_compared_with_the_loop_alone(choose):
    choice, tried = choose(loop=9e-4, stacked=1e-9, compiled=2e-2, compilation=0.0)
    assert (choice.engine, choice.reason, tried) == ("compiled", "expected: loop 90.0 s, compiled 20.0 s", [True])
    assert choose(loop=2e-4, stacked=1e-9, compiled=9e-2, compilation=0.0)[0].engine == "loop"


@pytest.mark.parametrize("step, building, members, timed", [
    (0.01, 0.0, 100, 1), (1.0, 0.0, 100, engines.STACKED_SAMPLE), (0.01, 1.0, 100, engines.STACKED_SAMPLE),
    (0.1, 0.0, 100, engines.STACKED_SAMPLE), (0.01, 0.0, 5, engines.STACKED_SAMPLE),
])  # fmt: skip
def test_a_program_that_is_clearly_faster_is_timed_once(monkeypatch, step, building, members, timed):
    """Clearly: it is there, and takes less than half of the loop's time, and few seconds."""
    clock, calls = [0.0], []

    def train(training, steps):
        clock[0] += step
        calls.append(steps)
        return [torch.zeros(members)]

    monkeypatch.setattr(engines, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    monkeypatch.setattr(engines, "loop_step", lambda plan, updates: 0.003)
    monkeypatch.setattr(engines, "compile_time", lambda plan: building)
    monkeypatch.setattr(engines, "remember", lambda plan: None)
    monkeypatch.setattr(stacked.Training, "train", train)
    engines.choose(planned(members, steps=300))
    compiled = len(calls) if not building else len(calls) // 2
    assert (compiled, set(calls)) == (1 + timed, {1})  # after one that warms up


def test_without_a_compiler_the_rest_is_compared(choose):
    choice, _ = choose(loop=2e-3, stacked=2e-2, compiled=RuntimeError("no g++"))
    assert choice.engine == "stacked" and "no compiler (RuntimeError: no g++)" in choice.reason


def test_little_work_is_not_measured(choose):
    choice, tried = choose(loop=1e-6, stacked=1e-9, compiled=1e-9)
    assert (choice.engine, choice.reason, tried) == ("loop", "too little work to stack", [])
    assert choose(loop=1.0, stacked=1e-9, compiled=1e-9, members=1)[0].reason == "a single member"


def test_a_real_choice_is_the_engine_that_ran():
    result = sweep(LogicNet, moons(n=20), settings=grid(lr=[0.1] * 100), steps=60, progress=False)
    assert result.engine in ("loop", "stacked") and result.reason.startswith("expected: loop ")
    assert result.verify() < 1e-5


def test_a_program_is_expected_sooner_once_it_was_built(monkeypatch, tmp_path):
    plan = planned(8, STEPS)
    monkeypatch.setattr(engines, "memory_of", lambda plan, size=1: tmp_path / "cache" / "program")
    monkeypatch.setattr(engines, "BUILT", set())
    assert engines.compile_time(plan) == engines.COMPILE
    engines.remember(plan)
    assert engines.compile_time(plan) == 0
    engines.BUILT.clear()  # as in another process
    assert engines.compile_time(plan) == engines.COMPILE_AGAIN


@pytest.fixture
def timed(monkeypatch):
    """The updates of one member and the stacked steps that were made, the compiler having nothing to do."""
    made = {"loop": 0, "stacked": 0}
    run, train = loop.run, stacked.Training.train

    def looped(plan):
        made["loop"] += len(plan.settings) * plan.steps
        return run(plan)

    def stack_trained(training, steps):
        made["stacked"] += steps
        return train(training, steps)

    monkeypatch.setattr(loop, "run", looped)
    monkeypatch.setattr(stacked.Training, "train", stack_trained)
    monkeypatch.setattr(stacked, "compiled_step", lambda program: program.step)
    monkeypatch.setattr(engines, "compile_time", lambda plan: 0.0)
    monkeypatch.setattr(engines, "remember", lambda plan: None)
    monkeypatch.setattr(engines, "LITTLE", 1e-12)
    return made


@pytest.mark.parametrize(
    "members, steps", [(4, 1000), (16, 60), (50, 6), (64, 20), (256, 100), (3, 7), (2, 1), (500, 1)]
)
def test_a_choice_costs_a_small_share_of_the_sweep(timed, members, steps):
    choice = engines.choose(planned(members, steps))
    assert timed["loop"] <= members * steps / 50
    assert timed["stacked"] <= 2 * (1 + max(1, steps / 50))  # with the compiler and without: one warms up
    assert timed["loop"] + timed["stacked"] <= steps
    assert choice.reason.startswith("expected: ") == (timed["stacked"] > 0)


@pytest.mark.parametrize(
    "members, steps, sample", [(2, 20, 0), (4, 20, 0), (10, 20, 4), (64, 20, 6), (64, 1000, engines.SAMPLE)]
)
def test_where_nothing_is_to_choose_only_the_time_is_estimated(timed, members, steps, sample):
    def estimated(choice):
        assert choice.engine == "loop" and timed == {"loop": sample, "stacked": 0}
        assert (choice.seconds > 0) == (sample > 0)
        timed["loop"] = 0

    estimated(engines.choose(planned(members, steps, dropout)))
    estimated(engines.check(planned(members, steps), "loop"))


def test_a_single_member_is_not_timed(timed):
    assert engines.choose(planned(1, 1000)).engine == "loop" and timed == {"loop": 0, "stacked": 0}


def test_the_loop_is_timed_from_update_to_update_after_the_first():
    def model():
        net = LogicNet()
        net.register_forward_hook(lambda *_: time.sleep(0.3 if not slept.append(0) and len(slept) < 2 else 0.01))
        return net

    slept = []
    assert 0.01 <= engines.loop_step(planned(1, 100, model), 2) < 0.1
    assert len(slept) == 2 + 2  # and the loss on the training and on the test points


def test_a_program_fits_what_it_was_compiled_for(monkeypatch):
    net = planned(8, STEPS)
    assert engines.memory_of(net) == engines.memory_of(planned(7, 10))  # padded, and any number of steps
    others = [
        planned(8, STEPS, lambda: LogicNet().double()), planned(9, STEPS), planned(8, STEPS, weight_decay=[0.1]),
        planned(8, STEPS, momentum=[0.9]), planned(8, STEPS, lambda: torch.nn.Linear(2, 2)),
    ]  # fmt: skip
    assert len({engines.memory_of(each) for each in [net, *others]}) == 6


def test_the_last_part_is_trained_by_the_program_of_the_others(monkeypatch):
    shapes, kept = set(), set()

    def compiled(program):
        def step(kept, row, *batch):
            shapes.add(row.shape)
            return program.step(kept, row, *batch)

        return step

    monkeypatch.setattr(stacked, "compiled_step", compiled)
    monkeypatch.setattr(engines, "chunk_size", lambda plan, engine: 4)
    monkeypatch.setattr(engines, "remember", lambda plan, size: kept.add(engines.memory_of(plan, size)))
    settings = grid(lr=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
    options: dict[str, Any] = {"settings": settings, "steps": 3, "progress": False}
    result = sweep(lambda: LogicNet().double(), moons(n=20), engine="compiled", **options)
    assert shapes == {torch.Size((3, 4))} and len(kept) == 1
    assert result.curves.shape == (10, 3) and result.verify(10) < 1e-10


def test_a_last_missing_part_is_trained_by_as_many_processes_as_the_others(monkeypatch, tmp_path):
    def net():
        with (tmp_path / "processes").open("a") as file:
            file.write(f"{os.getpid()}\n")
        return LogicNet()

    def trained():
        sweep(net, moons(n=20), settings=grid(lr=[0.1] * 4), steps=3, engine="loop", folder=tmp_path / "kept", jobs=2,
              progress=False)  # fmt: skip
        return (tmp_path / "processes").read_text().split()

    trained()
    next((tmp_path / "kept").glob("chunk-*2.npz")).unlink()
    (tmp_path / "processes").unlink()
    assert set(trained()) - {str(os.getpid())}


def test_chunks_shrink_with_the_steps_and_the_width():
    def plan(model_fn, steps, members=100_000):
        return Plan(model_fn, moons(n=200), "cross_entropy", "sgd", False, steps, None, grid(seed=range(members)))

    assert engines.chunk_size(plan(LogicNet, 1000), "compiled") == 4000  # 25 chunks
    assert engines.chunk_size(plan(LogicNet, 1000, members=4096), "compiled") == 4096
    assert engines.chunk_size(plan(LogicNet, 100_000), "compiled") == 55
    assert engines.chunk_size(plan(LogicNet, 1000, members=32), "loop") == 2


@pytest.mark.parametrize(("engine", "model_fn", "processes"), [
    ("loop", LogicNet, 8), ("compiled", lambda: MLP([2, 64, 2]), 8), ("compiled", LogicNet, 1),
])  # fmt: skip
def test_only_a_tiny_program_needs_no_processes_beside_its_threads(engine, model_fn, processes, monkeypatch):
    def train(plan, engine, size, jobs, *_):
        asked.append(jobs)
        return loop.run(plan)

    asked = []
    monkeypatch.setattr(run, "train_parts", train)
    monkeypatch.setattr(engines, "choose", lambda plan: engines.Choice(engine, "given", 2 * run.WORTH_PROCESSES))
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    sweep(model_fn, moons(n=20), settings=grid(lr=[0.1] * 2), steps=3, progress=False)
    assert asked == [processes]


def test_memory_that_a_step_frees_is_kept_for_the_next():
    script = """if True:
        import resource, torch
        from lrcourse.data import moons
        from lrcourse.sweep import grid, stacked
        from lrcourse.sweep.plan import Plan
        from lrcourse.torch import LogicNet

        stacked.run(Plan(LogicNet, moons(n=20), "cross_entropy", "sgd", False, 1, None, grid(seed=[0])), compiled=False)
        for _ in range(2):  # the first time the heap grows to what a step needs
            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
            for _ in range(10):
                step = [torch.ones(2**18) for _ in range(40)]
                del step
        print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    """
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(run.stdout) < 10_240  # new pages: as many as one of the ten steps has, 40 MB


FAULTS = """
import ctypes, resource
import lrcourse.sweep as sweeps
from lrcourse.data import moons
from lrcourse.torch import MLP

def faults(steps):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    sweeps.sweep(lambda: MLP([2, 64, 64, 2]), moons(n=200), settings=settings, steps=steps, engine="stacked",
                 progress=False)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

settings = sweeps.grid(seed=range(64), lr=[0.1])
if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):  # elsewhere nobody can set it
    mallopt(-3, 2**17)  # as TensorFlow does
faults(5)
print((faults(105) - faults(5)) / 100)
"""


def test_a_step_clears_no_new_pages_whatever_another_library_has_set():
    ran = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    assert float(ran.stdout) < 1000  # and else about 9,000
