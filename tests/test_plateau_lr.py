"""PlateauLR: PyTorch's numbers where the settings agree, after a warm-up, on groups, and in a run that goes on."""

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from lrcourse import Constant, OneCycle, Plateau
from lrcourse.data import moons
from lrcourse.torch import LogicNet, PlateauLR, ScheduleLR, train

untyped: Any = PlateauLR  # takes what a type checker refuses
PER_EPOCH = 3


def optimizer_of(*rates):
    return torch.optim.SGD([{"params": [nn.Parameter(torch.ones(1))], "lr": lr} for lr in rates], momentum=0.9)


def metrics(seed, mode="min", n=60):
    """A noisy fall, or rise, that stalls; now and then not finite."""
    rng = np.random.default_rng(seed)
    values = 1 + np.exp(-np.arange(n) / 6) + 0.05 * rng.normal(size=n)
    values[rng.random(n) < 0.05] = math.nan
    return (values if mode == "min" else 3 - values).tolist()


def rates(scheduler, values, per_epoch=PER_EPOCH):
    """The rates of each update; an evaluation comes after every `per_epoch` of them."""
    used, optimizer = [], scheduler.optimizer
    for value in values:
        for _ in range(per_epoch):
            used.append([group["lr"] for group in optimizer.param_groups])
            optimizer.step()
            if isinstance(scheduler, PlateauLR):
                scheduler.step()
        scheduler.update(value) if isinstance(scheduler, PlateauLR) else scheduler.step(value)
    return used


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("threshold_mode", ["relative", "absolute"])
@pytest.mark.parametrize(("patience", "cooldown", "min_lr"), [(0, 0, 0.0), (2, 0, 0.01), (1, 3, 0.0)])
def test_the_rates_are_pytorchs(seed, mode, threshold_mode, patience, cooldown, min_lr):
    ours = PlateauLR(optimizer_of(1.0), Plateau(0.4, 0.5, patience + 1, 0.02, mode, cooldown, min_lr, threshold_mode))
    theirs = ReduceLROnPlateau(
        optimizer_of(0.4), "max" if mode == "max" else "min", factor=0.5, patience=patience, threshold=0.02, eps=0,
        threshold_mode="abs" if threshold_mode == "absolute" else "rel", cooldown=cooldown, min_lr=min_lr,
    )  # fmt: skip
    values = metrics(seed, mode)
    found = rates(ours, values)
    assert found == rates(theirs, values)
    assert len({rate for (rate,) in found}) > 3, "nothing was cut"


def test_a_threshold_is_relative_or_absolute():
    def cuts(mode):
        plateau = Plateau(1.0, 0.5, patience=1, threshold=0.1, threshold_mode=mode)
        return [plateau.update(value) for value in [10.0, 9.5, 8.9]]

    assert cuts("relative") == [1.0, 0.5, 0.5] and cuts("absolute") == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("start", [0.0, 0.1])
def test_after_a_warm_up_come_the_rates_that_would_have_come_without_it(start):
    values = metrics(0)
    plateau: dict[str, Any] = {"lr": 0.4, "factor": 0.5, "patience": 2, "threshold": 0.02}
    warmed = rates(
        PlateauLR(optimizer_of(1.0), Plateau(**plateau), warmup=4 * PER_EPOCH, start=start), [9.9] * 4 + values
    )
    rise = [[start + (0.4 - start) * t / 12] for t in range(12)]
    assert np.array(warmed[:12]) == pytest.approx(np.array(rise))
    # The evaluation at the end of the warm-up is the first that counts.
    assert warmed[12:] == rates(PlateauLR(optimizer_of(1.0), Plateau(**plateau)), [9.9, *values])[PER_EPOCH:]


def test_what_comes_during_the_warm_up_counts_for_nothing():
    scheduler = PlateauLR(optimizer_of(1.0), Plateau(0.4, 0.5, patience=1), warmup=10)
    assert np.ravel(rates(scheduler, [0.0, 5.0, 5.0])) == pytest.approx(np.arange(9) * 0.04)
    assert scheduler.plateau == Plateau(0.4, 0.5, patience=1)
    used = rates(scheduler, [5.0, 5.0, 5.0], 1)  # of which the first is the best so far
    assert used[1:] == [[0.4], [0.2]]


def test_groups_keep_their_ratio_as_do_those_that_are_added():
    scheduler = PlateauLR(optimizer_of(0.1, 0.001), Plateau(0.4, 0.5, patience=1), relative=True, warmup=2)
    optimizer = scheduler.optimizer
    assert rates(scheduler, [1.0, 1.0], 2)[2:] == [[0.4, 0.004]] * 2
    assert [group["lr"] for group in optimizer.param_groups] == [0.2, 0.002]
    optimizer.add_param_group({"params": [nn.Parameter(torch.ones(1))], "lr": 0.05})
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.2, 0.002, 0.1])
    scheduler.update(1.0)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.1, 0.001, 0.05])
    with pytest.raises(ValueError, match="^schedule must be one per parameter group"):
        PlateauLR(optimizer_of(0.1, 0.001), Plateau(0.4))


def test_a_momentum_is_that_of_a_schedule():
    cycle = OneCycle(0.1, 20).momentum()
    scheduler = PlateauLR(optimizer_of(0.1), Plateau(0.4), momentum=cycle)
    rates(scheduler, [1.0] * 3)
    assert scheduler.optimizer.param_groups[0]["momentum"] == cycle(9)


@pytest.mark.parametrize("at", range(0, 12))
@pytest.mark.parametrize("relative", [False, True])
def test_a_run_that_goes_on_has_the_rates_of_one_that_was_never_stopped(tmp_path, at, relative):
    def begin():
        groups = optimizer_of(0.1, 0.05) if relative else optimizer_of(0.1)
        return PlateauLR(groups, Plateau(0.4, 0.5, patience=1, cooldown=1), warmup=5, relative=relative)

    values = metrics(1, n=12)
    whole = rates(begin(), values)
    first = begin()
    before = rates(first, values[:at])
    torch.save([first.state_dict(), first.optimizer.state_dict()], tmp_path / "run.pt")
    state, of_optimizer = torch.load(tmp_path / "run.pt", weights_only=True)
    for order in ("optimizer first", "scheduler first"):
        resumed = begin()
        if order == "optimizer first":
            resumed.optimizer.load_state_dict(of_optimizer)
        resumed.load_state_dict(copy.deepcopy(state))
        if order == "scheduler first":
            resumed.optimizer.load_state_dict(of_optimizer)
        assert before + rates(resumed, values[at:]) == whole


def test_other_settings_are_refused_and_nothing_changes():
    saved = PlateauLR(optimizer_of(0.1), Plateau(0.4, patience=3), warmup=5)
    rates(saved, [1.0] * 9)
    state = saved.state_dict()
    assert state["plateau"]["lr"] < 0.4
    for plateau, options, told in [
        (Plateau(0.4, patience=4), {"warmup": 5}, "plateau['patience'] must be the one of this scheduler, 4, got 3"),
        (Plateau(0.5, patience=3), {"warmup": 5}, "plateau['first'] must be"),
        (Plateau(0.4, patience=3), {"warmup": 6}, "plateau['warmup'] must be"),
    ]:
        other = untyped(optimizer_of(0.1), plateau, **options)
        before = other.state_dict()
        with pytest.raises(ValueError) as raised:
            other.load_state_dict(state)
        assert str(raised.value).startswith(told)
        assert other.state_dict() == before
    other = PlateauLR(optimizer_of(0.1), Plateau(0.4, patience=3), warmup=5)
    before = other.state_dict()
    with pytest.raises(ValueError, match="^last_epoch"):
        other.load_state_dict({**state, "last_epoch": "soon"})
    with pytest.raises(ValueError, match="^plateau must be what a PlateauLR has saved, got None"):
        other.load_state_dict(ScheduleLR(optimizer_of(0.1), Constant(0.1)).state_dict())
    assert other.state_dict() == before
    other.load_state_dict(state)
    assert other.state_dict() == state and other.get_last_lr() == saved.get_last_lr()


def test_a_setting_may_be_changed_on_the_way():
    scheduler = PlateauLR(optimizer_of(0.1), Plateau(0.4, 0.5, patience=9))
    rates(scheduler, [1.0] * 3)
    scheduler.plateau.patience = 3
    scheduler.update(1.0)
    assert scheduler.get_last_lr() == [0.2]


def test_two_optimizers_may_share_what_a_plateau_is_but_not_its_memory():
    plateau = Plateau(0.4, 0.5, patience=2)
    schedulers = [PlateauLR(optimizer_of(0.1), plateau) for _ in range(2)]
    for _ in range(2):
        for scheduler in schedulers:
            scheduler.update(1.0)
    assert [scheduler.get_last_lr() for scheduler in schedulers] == [[0.4], [0.4]]


def test_in_a_sequence_it_begins_when_its_turn_comes():
    optimizer = optimizer_of(0.1)
    last = PlateauLR(optimizer, Plateau(0.4, 0.5, patience=1), warmup=2)
    sequence = torch.optim.lr_scheduler.SequentialLR(optimizer, [ScheduleLR(optimizer, Constant(0.01)), last], [3])
    applied = []
    for _ in range(8):
        applied.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        sequence.step()
        last.update(1.0)
    assert applied == [0.01, 0.01, 0.01, 0.0, 0.2, 0.4, 0.2, 0.1]


def test_a_metric_may_be_a_tensor():
    scheduler = untyped(optimizer_of(0.1), Plateau(0.4, 0.5, patience=1))
    for value in (torch.tensor(1.0, requires_grad=True), np.float32(1.0)):
        scheduler.update(value)
    assert scheduler.get_last_lr() == [0.2] and type(scheduler.plateau.best) is float


def test_an_old_state_of_plateau_is_relative():
    state = Plateau(0.1, patience=4).state_dict()
    del state["threshold_mode"]
    plateau = Plateau(1.0)
    plateau.load_state_dict(state)
    assert plateau == Plateau(0.1, patience=4)


def test_the_loop_that_has_no_metric_refuses_it():
    model = LogicNet()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(ValueError, match="^schedule must be a function of the step"):
        train(model, optimizer, moons(n=20), steps=2, schedule=PlateauLR(optimizer, Plateau(0.1)))


def used():
    plateau = Plateau(0.4)
    plateau.update(1.0)
    return plateau


BAD = {
    "plateau": (lambda: untyped(optimizer_of(0.1), 0.1), "plateau must be a Plateau"),
    "used": (lambda: PlateauLR(optimizer_of(0.1), used()), "plateau must be a new one"),
    "metric": (lambda: PlateauLR(optimizer_of(0.1), Plateau(0.1)).update(torch.ones(2)), "metric must be a number"),
    "nothing": (lambda: untyped(optimizer_of(0.1), Plateau(0.1)).update(None), "metric must be a number, got None"),
    "another": (lambda: untyped(optimizer_of(0.1), Plateau(0.1)).continue_with(Constant(0.1)), "schedule must be left"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named_with_a_fix(name):
    call, told = BAD[name]
    with pytest.raises(ValueError, match=rf"^{told}.*: \w+"):
        call()
