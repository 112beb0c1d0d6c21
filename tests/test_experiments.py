"""What the long experiments train, on which device, and what their clocks count."""

from types import SimpleNamespace

import pytest
import torch
from torch.utils._pytree import tree_leaves

from lrcourse.course.experiments import range_tests, sweep_speed, trainability


class Stop(Exception):
    pass


def caught(monkeypatch, module, name):
    """What `module` hands to its function `name`, which then stops."""
    given = []

    def stop(*arguments, **options):
        given.append((arguments, options))
        raise Stop

    monkeypatch.setattr(module, name, stop)
    return given


def where(model):
    return {each.device.type for each in model.parameters()}


@pytest.mark.parametrize("device", ["cpu", "meta"])  # meta: a device that every machine has
def test_networks_and_data_are_on_the_device_of_the_record(monkeypatch, device):
    given = caught(monkeypatch, trainability, "sweep")
    with pytest.raises(Stop):
        trainability.run("whole", 0, "live", device)
    (model_fn, _), _ = given[0]
    assert where(model_fn()) == {device}

    given = caught(monkeypatch, range_tests, "range_test")
    with pytest.raises(Stop):
        range_tests.run("SGD", 0, "live", device)
    model, _, _, batches = given[0][0]
    assert where(model) == {each.device.type for each in next(batches)} == {device}

    case = sweep_speed.cases(device)["digits 64-128-10"]
    assert where(case.model()) == where(case.plan(4).model(0)) == {device}
    assert {each.device.type for each in next(case.batches())} == {device}


def test_a_sweep_is_set_against_plain_runs_and_against_the_loop_alone(monkeypatch):
    clock, seconds, called, members = [0.0], iter([0.31, 0.31, 0.31, 0.25, 0.25, 0.1, 0.3, 0.5]), [], []

    def takes_time(name):
        def side(*given):
            clock[0] += next(seconds)
            called.append(name)

        return side

    monkeypatch.setattr(sweep_speed, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    monkeypatch.setattr(sweep_speed, "ENOUGH", 1.0)
    monkeypatch.setattr(sweep_speed, "warm", lambda *_: None)
    monkeypatch.setattr(sweep_speed.Case, "plain", takes_time("plain"))
    monkeypatch.setattr(sweep_speed.Case, "sweep", takes_time("sweep"))
    monkeypatch.setattr(sweep_speed.loop, "run", lambda plan: takes_time("loop")(members.append(len(plan.settings))))
    results = sweep_speed.run("2-3-2, 16 settings, auto", 0, "small", "cpu")
    # In turns, for at least so long in all; what takes less than a turn is repeated, and the mean counts.
    assert called == ["sweep", "plain", "loop", "sweep", "sweep", "plain", "plain", "loop"]
    assert members == [1, 1]
    assert results == pytest.approx(
        {"cost": 0.25 / 0.2, "faster": 16 * 0.2 / 0.25, "against the loop": 16 * 0.31 / 0.25}
    )


@pytest.mark.parametrize("engine", ["compiled", "vmap", "auto"])
def test_nothing_is_compiled_while_the_clock_runs(monkeypatch, engine):
    """Counted, not timed: every shape that the measured sweep brings has been there before."""
    seen = []

    def compile_(step, **options):
        def called(*arguments):
            seen.append((step, tuple(each.shape for each in tree_leaves(arguments))))
            return step(*arguments)

        return called

    monkeypatch.setattr(torch, "compile", compile_)
    for each in (sweep_speed.vmapped, sweep_speed.stacked.compiled_step):
        each.cache_clear()
    case = sweep_speed.cases()["digits 64-128-10"]
    case.build(4, engine)
    built = len(set(seen))
    sweep_speed.replace(case, steps=40).sweep(4, "compiled" if engine == "auto" else engine)
    assert built == 1 and len(seen) > 20 and len(set(seen)) == 1
    for each in (sweep_speed.vmapped, sweep_speed.stacked.compiled_step):
        each.cache_clear()


@pytest.mark.parametrize("size, members, left_out", [
    ("small", sweep_speed.MEMBERS, {"small CNN, 256 settings, vmap"}),
    ("full", sweep_speed.MANY, {"small CNN, 1024 settings, vmap", "small CNN, 1024 settings, auto"}),
])  # fmt: skip
def test_every_number_of_members_is_measured_against_vmap_but_of_the_largest_cnn(size, members, left_out):
    rows = dict(sweep_speed.plan(size))
    missing = {
        f"{case}, {each} settings, {engine}"
        for case in sweep_speed.cases() for each in members for engine in sweep_speed.ENGINES
    } - rows.keys()  # fmt: skip
    assert missing - {f"small CNN, {each} settings, compiled" for each in members} == left_out
