"""Which engine is chosen, from times that are given here instead of measured."""

import pytest

from lrcourse.data import moons
from lrcourse.sweep import engines, grid, sweep
from lrcourse.sweep.plan import Plan
from lrcourse.torch import LogicNet

MEMBERS, STEPS = 100, 1000


@pytest.fixture
def choose(monkeypatch):
    """The choice for 100 members and 1,000 steps, given the seconds of a step of each kind."""

    def chosen(loop, stacked, compiled, compilation=10.0, members=MEMBERS):
        def stacked_step(plan, is_compiled):
            if isinstance(compiled, Exception) and is_compiled:
                raise compiled
            tried.append(is_compiled)
            return compiled if is_compiled else stacked

        monkeypatch.setattr(engines, "_loop_step", lambda plan: loop)
        monkeypatch.setattr(engines, "_stacked_step", lambda plan, compiled: stacked_step(plan, compiled))
        monkeypatch.setattr(engines, "_compile_time", lambda plan: compilation)
        monkeypatch.setattr(engines, "_remember", lambda plan: None)
        tried = []
        plan = Plan(LogicNet, moons(n=20), "cross_entropy", "sgd", False, STEPS, None, grid(seed=range(members)))
        return engines.choose(plan), tried

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
    assert choose(loop, stacked, compiled, compilation=0.0)[0].engine == fastest


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
    plan = Plan(LogicNet, moons(n=20), "cross_entropy", "sgd", False, STEPS, None, grid(seed=range(8)))
    monkeypatch.setattr(engines, "_memory", lambda plan: tmp_path / "cache" / "program")
    monkeypatch.setattr(engines, "_BUILT", set())
    assert engines._compile_time(plan) == engines.COMPILE
    engines._remember(plan)
    assert engines._compile_time(plan) == 0
    engines._BUILT.clear()  # as in another process
    assert engines._compile_time(plan) == engines.COMPILE_AGAIN


def test_chunks_shrink_with_the_steps_and_the_width():
    def plan(model_fn, steps, members=100_000):
        return Plan(model_fn, moons(n=200), "cross_entropy", "sgd", False, steps, None, grid(seed=range(members)))

    assert engines.chunk_size(plan(LogicNet, 1000), "compiled") == 4000  # 25 chunks
    assert engines.chunk_size(plan(LogicNet, 1000, members=4096), "compiled") == 4096
    assert engines.chunk_size(plan(LogicNet, 100_000), "compiled") == 55
    assert engines.chunk_size(plan(LogicNet, 1000, members=32), "loop") == 2
