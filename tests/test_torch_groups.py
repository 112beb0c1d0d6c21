"""ScheduleLR and the parameter groups: different rates, groups that come later, tensors, other schedulers around it."""

import copy
import io
import pickle
import warnings
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler

from lrcourse import Constant, Cosine, Exponential, Lambda, Linear, OneCycle, Schedule, Step, warmup
from lrcourse.torch import LogicNet, ScheduleLR, train
from lrcourse.torch.fast import Choices, train_fast

STEPS = 12
UNEQUAL = r"schedule must be one per parameter group.*different rates, got \[1e-05, 0.001\]: .*relative=True.*list"


def weights(n=1):
    return [torch.nn.Parameter(torch.zeros(2)) for _ in range(n)]


def optimizer_of(rates=(0.1,), kind=torch.optim.SGD, **settings):
    return kind([{"params": weights(), "lr": lr} for lr in rates], **settings)


def rates_of(optimizer):
    return [float(group["lr"]) for group in optimizer.param_groups]


def momenta_of(optimizer):
    return [group["betas"][0] if "betas" in group else group["momentum"] for group in optimizer.param_groups]


def applied(optimizer, scheduler, steps):
    """The rates that each of the next updates uses, one row per update."""
    rows = []
    handle = optimizer.register_step_pre_hook(lambda *_: rows.append(rates_of(optimizer)))
    for _ in range(steps):
        optimizer.step()
        scheduler.step()
    handle.remove()
    return np.array(rows)


def through_a_file(state):
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


# Only rates are applied


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), -0.1, "0.1", 1j, [0.1, 0.2]], ids=repr)
@pytest.mark.parametrize("last", [0, 1, 5])
def test_an_update_for_which_there_is_no_rate_is_refused(last, value):
    weight = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    with pytest.raises(ValueError, match=rf"Lambda\(fn=<function.* at step {last} must be .*number.*, got "):
        scheduler = ScheduleLR(optimizer, Lambda(lambda t: 0.01 if t < last else value))
        for _ in range(last + 1):
            weight.grad = torch.ones(1)
            optimizer.step()
            scheduler.step()
    assert weight.item() == pytest.approx(1 - 0.01 * last)


@pytest.mark.parametrize("chunk", [0, 1])
@pytest.mark.parametrize("n", [1, 7])
def test_what_a_function_does_beyond_the_last_update_does_not_matter(n, chunk):
    start = 1024 * chunk
    rates = {start + t: 0.1 / (t + 1) for t in range(n)}
    optimizer = optimizer_of()
    scheduler = ScheduleLR(optimizer, Constant(0.1).then(Lambda(lambda t: rates[int(t) + start]), at=start))
    scheduler.load_state_dict({**scheduler.state_dict(), "last_epoch": start})
    assert applied(optimizer, scheduler, n)[:, 0].tolist() == list(rates.values())
    state = through_a_file(scheduler.state_dict())
    for _ in range(2):
        with pytest.raises(KeyError, match=str(start + n)) as caught:
            optimizer.step()
    assert f"at step {n}" in caught.value.__notes__[0]
    resumed = ScheduleLR(optimizer_of(), scheduler.rates.schedules[0])
    resumed.load_state_dict(state)
    with pytest.raises(KeyError, match=str(start + n)):
        resumed.optimizer.step()


def test_an_update_whose_rate_is_set_otherwise_is_not_refused():
    def finished():
        optimizer = optimizer_of()
        scheduler = ScheduleLR(optimizer, Lambda(lambda t: [0.1, 0.1][int(t)]))
        applied(optimizer, scheduler, 2)
        with pytest.raises(IndexError):
            optimizer.step()
        return optimizer, scheduler

    optimizer, _ = finished()
    optimizer.param_groups[0]["lr"] = 0.5  # by hand
    optimizer.step()
    optimizer, _ = finished()
    assert applied(optimizer, ScheduleLR(optimizer, Constant(0.1)), 2).tolist() == [[0.1], [0.1]]
    optimizer, scheduler = finished()
    scheduler.continue_with(Constant(0.1))
    assert applied(optimizer, scheduler, 2).tolist() == [[0.1], [0.1]]


def test_a_function_of_single_steps_is_the_same_however_far_it_reaches():
    def table(t):
        return [0.1, 0.2, 0.3, 0.4][int(t)]

    def noam(t):
        return 512**-0.5 * np.min([(t + 1) ** -0.5, (t + 1) * 3**-1.5])

    for schedule in (2 * Lambda(table) + Lambda(np.sqrt), Lambda(noam)):
        optimizer = optimizer_of()
        rates = applied(optimizer, ScheduleLR(optimizer, schedule), 4)[:, 0].tolist()
        assert rates == schedule.table(4).tolist() == [schedule(t) for t in range(4)]
        assert len(set(rates)) > 1


@pytest.mark.parametrize("last", [0, 3])
def test_a_momentum_stays_below_one(last):
    optimizer = optimizer_of(momentum=0.9)
    with pytest.raises(
        ValueError, match=rf"Lambda.* at step {last} must be a momentum, at least 0 and below 1, got 1.0"
    ):
        applied(optimizer, ScheduleLR(optimizer, Constant(0.1), Lambda(lambda t: 0.9 if t < last else 1.0)), last + 1)
    assert momenta_of(optimizer) == [0.9]


@pytest.mark.parametrize("run", [
    lambda model, optimizer, data, **k: train(model, optimizer, data, batch_size=10, **k),
    lambda model, optimizer, data, **k: train_fast(
        model, optimizer, data, batch_size=10, choices=Choices(compiled=False, bf16=False, channels_last=False), **k),
])  # fmt: skip
def test_training_refuses_what_is_no_rate_and_needs_none_beyond_its_end(run):
    from lrcourse.data import moons

    def build():
        torch.manual_seed(0)
        model = LogicNet()
        return model, torch.optim.SGD(model.parameters(), lr=0.1), moons(20, n_test=10)

    assert run(*build(), steps=3, schedule=Lambda(lambda t: [0.1, 0.2, 0.3][int(t)])).lrs.tolist() == [0.1, 0.2, 0.3]
    model, optimizer, data = build()
    with pytest.raises(ValueError, match="Lambda.* at step 2 must be a finite number, zero or more, got nan"):
        run(model, optimizer, data, steps=5, schedule=Lambda(lambda t: 0.1 if t < 2 else float("nan")))
    assert all(weight.isfinite().all() for weight in model.parameters())
    halves = [{"params": model[0].parameters(), "lr": 1e-5}, {"params": model[2].parameters(), "lr": 1e-3}]
    with pytest.raises(ValueError, match=UNEQUAL):
        run(model, torch.optim.SGD(halves), data, steps=1, schedule=Constant(0.1))
    halves = [{"params": model[0].parameters(), "lr": 1e-5}, {"params": model[2].parameters(), "lr": 1e-3}]
    optimizer = torch.optim.SGD(halves)
    together = ScheduleLR(optimizer, Linear(0.1, 0.0, 2), relative=True)
    np.testing.assert_allclose(run(model, optimizer, data, steps=2, schedule=together).lrs, [[1e-3, 0.1], [5e-4, 0.05]])
    with pytest.raises(ValueError, match=r"optimizer must be one whose step\(\) needs no closure, got 'LBFGS'"):
        run(model, torch.optim.LBFGS(model.parameters()), data, steps=1)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.1])
@pytest.mark.parametrize("relative", [False, True])
def test_a_schedule_that_is_called_otherwise_is_held_to_rates_too(relative, value):
    class Overriding(Schedule):
        def __call__(self, t):
            return np.where(np.asarray(t) < 2, 0.1, value)

    optimizer = optimizer_of(momentum=0.9)
    with pytest.raises(ValueError, match=r"Overriding\(\) at step 2 must be a finite number, zero or more, got"):
        applied(optimizer, ScheduleLR(optimizer, Overriding(), relative=relative), 3)
    assert rates_of(optimizer) == [0.1]
    if value < 0:
        with pytest.raises(ValueError, match=r"Overriding\(\) at step 2 must be a momentum, at least 0 and below 1"):
            applied(optimizer, ScheduleLR(optimizer, Constant(0.1), Overriding()), 3)
        assert momenta_of(optimizer) == [0.1]


def test_a_schedule_that_is_called_otherwise_has_one_rate_at_a_step():
    class Overriding(Schedule):
        def __call__(self, t):
            return 0.1 if np.all(np.asarray(t) < 2) else 0.01

    optimizer = optimizer_of()
    assert applied(optimizer, ScheduleLR(optimizer, Overriding()), 4)[:, 0].tolist() == [0.1, 0.1, 0.01, 0.01]


# Groups with different rates


def test_one_schedule_for_groups_with_different_rates_is_refused_with_both_fixes():
    for schedule in (Constant(0.1), warmup(Constant(0.1), 3)):
        optimizer = optimizer_of([1e-5, 1e-3])
        with pytest.raises(ValueError, match=UNEQUAL):
            ScheduleLR(optimizer, schedule)
        assert rates_of(optimizer) == [1e-5, 1e-3]
    ScheduleLR(optimizer_of([1e-5, 1e-3]), [Constant(0.1)] * 2)
    with pytest.raises(ValueError, match="relative must be False beside a list of schedules.*each its rate"):
        ScheduleLR(optimizer_of([1e-5, 1e-3]), [Constant(0.1)] * 2, relative=True)
    with pytest.raises(ValueError, match="relative must be True or False, got 'yes'"):
        ScheduleLR(optimizer_of(), Constant(0.1), relative=cast(Any, "yes"))


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW])
@pytest.mark.parametrize("own", [(1e-5, 1e-3), (1e-3, 1e-5), (1e-3, 0.0, 1e-4), (0.3, 0.3), (7.0,)])
def test_relative_groups_keep_their_ratio_and_the_largest_has_the_schedule(own, kind):
    schedule = warmup(Cosine(0.5, 0.01, 8), 3)
    optimizer = optimizer_of(own, kind)
    rows = applied(optimizer, ScheduleLR(optimizer, schedule, relative=True), STEPS)
    np.testing.assert_array_equal(rows[:, np.argmax(own)], schedule.table(STEPS))
    np.testing.assert_array_equal(rows, np.outer(schedule.table(STEPS), np.array(own) / max(own)))


def resumes(build, steps=STEPS, change=lambda optimizer, scheduler: None):
    """Whether a run that is saved before any of its updates and loaded into a new one goes on as if it had not been.

    `build(scale)`: an optimizer whose rates are scaled, as they are another time, and a scheduler on it.
    """
    optimizer, scheduler = build(1.0)
    states, rows = [], []
    for _ in range(steps + 1):
        states.append(through_a_file([optimizer.state_dict(), scheduler.state_dict()]))
        rows.append([*rates_of(optimizer), *momenta_of(optimizer)])
        optimizer.step()
        scheduler.step()
    for at, (of_optimizer, of_scheduler) in enumerate(states):
        for optimizer_first in (True, False):
            optimizer, scheduler = build(3.0)
            if optimizer_first:
                optimizer.load_state_dict(of_optimizer)
            scheduler.load_state_dict(of_scheduler)
            if not optimizer_first:
                optimizer.load_state_dict(of_optimizer)
            again = []
            for _ in range(at, steps + 1):
                again.append([*rates_of(optimizer), *momenta_of(optimizer)])
                optimizer.step()
                scheduler.step()
            assert again == rows[at:], f"resumed before update {at}"


def test_a_relative_run_resumes_exactly():
    schedule = warmup(Cosine(0.5, 0.0, 6), 3)

    def build(scale):
        optimizer = optimizer_of([scale * 1e-5, scale * 7e-4, scale * 1e-3], momentum=0.9)
        return optimizer, ScheduleLR(optimizer, schedule, OneCycle(0.1, STEPS).momentum(), relative=True)

    resumes(build)


def test_a_relative_run_resumes_on_an_optimizer_that_is_loaded_first():
    schedule = Linear(0.5, 0.1, 10)
    optimizer = optimizer_of([3e-5, 7e-3])
    scheduler = ScheduleLR(optimizer, schedule, relative=True)
    applied(optimizer, scheduler, 4)
    state = through_a_file([optimizer.state_dict(), scheduler.state_dict()])
    rest = applied(optimizer, scheduler, 5)
    fresh = optimizer_of([9.0, 9.0])
    fresh.load_state_dict(state[0])
    resumed = ScheduleLR(fresh, schedule, relative=True)
    resumed.load_state_dict(state[1])
    np.testing.assert_array_equal(applied(fresh, resumed, 5), rest)


def test_relative_is_part_of_the_state():
    plain = ScheduleLR(optimizer_of([0.1, 0.1]), Constant(0.1))
    relative = ScheduleLR(optimizer_of([0.1, 0.1]), Constant(0.1), relative=True)
    for one, other in [(plain, relative), (relative, plain)]:
        with pytest.raises(ValueError, match=f"relative must be {other.relative is False}, as it was saved"):
            other.load_state_dict(one.state_dict())
    with pytest.raises(ValueError, match="relative must be saved for 1 groups, .*add the missing group first"):
        ScheduleLR(optimizer_of(), Constant(0.1), relative=True).load_state_dict(relative.state_dict())


def test_a_ratio_that_is_not_known_is_refused_and_a_stale_initial_lr_is_not_read():
    optimizer = optimizer_of([1e-5, 1e-3])
    for group in optimizer.param_groups:
        group["initial_lr"] = 123.0
    assert ScheduleLR(optimizer, Constant(0.1), relative=True).get_last_lr() == [0.1 * (1e-5 / 1e-3), 0.1]
    for rates in [(0.0, 0.0), (0.1, float("inf"))]:
        with pytest.raises(ValueError, match="lr must be finite in every group, and above 0 in one.*build this before"):
            ScheduleLR(optimizer_of(rates), Constant(0.1), relative=True)


@pytest.mark.parametrize("list_of_factors", [False, True])
def test_the_ratio_under_a_warm_up_of_torch_that_begins_at_0_is_the_one_before_it(list_of_factors):
    optimizer = optimizer_of([1e-5, 1e-3])
    factor = [lambda t: t / 4, lambda t: t / 4] if list_of_factors else lambda t: t / 4
    parts = [lr_scheduler.LambdaLR(optimizer, factor), ScheduleLR(optimizer, Constant(0.1), relative=True)]
    scheduler = lr_scheduler.SequentialLR(optimizer, parts, milestones=[4])
    rows = applied(optimizer, scheduler, 6)
    expected = np.outer([0, 2.5e-4, 5e-4, 7.5e-4, 0.1, 0.1], [0.01, 1])
    np.testing.assert_allclose(rows, expected)
    optimizer = optimizer_of([1e-5, 1e-3])
    lr_scheduler.LambdaLR(optimizer, lambda t: 0.0)
    with pytest.raises(ValueError, match=UNEQUAL):
        ScheduleLR(optimizer, Constant(0.1))
    lr_scheduler.LambdaLR(optimizer, [lambda t: 0.0, lambda t: 1.0])
    with pytest.raises(ValueError, match="lr must be finite in every group, and above 0 in one.*build this before"):
        ScheduleLR(optimizer, Constant(0.1), relative=True)


def test_the_ratio_of_a_loaded_optimizer_whose_rates_are_0_is_the_one_before():
    trained = optimizer_of([1e-5, 1e-3])
    scheduler = ScheduleLR(trained, warmup(Constant(0.1), 4), relative=True)
    trained.add_param_group({"params": weights(), "lr": 5e-4})
    optimizer = optimizer_of([7.0, 7.0, 7.0])
    optimizer.load_state_dict(through_a_file(trained.state_dict()))
    assert rates_of(optimizer) == rates_of(trained) == [0.0] * 3
    scheduler = ScheduleLR(optimizer, Constant(0.1), relative=True)
    assert scheduler.get_last_lr() == pytest.approx([0.001, 0.1, 0.05])
    with pytest.raises(ValueError, match="different rates"):
        again = optimizer_of([7.0, 7.0, 7.0])
        again.load_state_dict(through_a_file(trained.state_dict()))
        ScheduleLR(again, Constant(0.1))


@pytest.mark.parametrize("relative", [False, True])
def test_a_checkpoint_of_groups_in_another_ratio_is_refused_before_its_rates_are_overwritten(relative):
    optimizer, other = optimizer_of([0.1, 0.1], momentum=0.9), optimizer_of([1e-5, 1e-3], momentum=0.9)
    scheduler = ScheduleLR(optimizer, Linear(0.1, 0.0, 9), relative=relative)
    optimizer.load_state_dict(through_a_file(other.state_dict()))
    for _ in range(2):
        optimizer.step()
        with pytest.raises(ValueError, match=r"relative=True|build .* after") as caught:
            scheduler.step()
        assert "list of schedules" in str(caught.value) and "[1e-05, 0.001]" in str(caught.value)
        assert rates_of(optimizer) == [1e-5, 1e-3]
    for change in (lambda: scheduler.continue_with(Constant(0.1)),
                   lambda: scheduler.load_state_dict(ScheduleLR(optimizer_of([0.1] * 2), Linear(0.1, 0.0, 9),
                                                                relative=relative).state_dict())):  # fmt: skip
        with pytest.raises(ValueError, match="list of schedules"):
            change()
        assert rates_of(optimizer) == [1e-5, 1e-3] and scheduler.last_epoch == 0
    if relative:  # the ratio counts, not the rates
        optimizer.load_state_dict(optimizer_of([7.0, 7.0], momentum=0.9).state_dict())
        assert applied(optimizer, scheduler, 2)[1].tolist() == [Linear(0.1, 0.0, 9)(1)] * 2


def test_a_checkpoint_of_groups_with_different_momenta_is_refused_too():
    groups = [{"params": weights(), "momentum": 0.5}, {"params": weights(), "momentum": 0.9}]
    optimizer = optimizer_of([0.1, 0.1], momentum=0.9)
    scheduler = ScheduleLR(optimizer, Constant(0.1), Constant(0.8))
    optimizer.load_state_dict(torch.optim.SGD(groups, lr=0.1).state_dict())
    optimizer.step()
    with pytest.raises(ValueError, match=r"momentum must be one per group.*\[0.5, 0.9\]"):
        scheduler.step()
    assert momenta_of(optimizer) == [0.5, 0.9]


def test_one_momentum_for_groups_with_different_momenta_is_refused():
    groups = [{"params": weights(), "momentum": 0.5}, {"params": weights(), "momentum": 0.9}]
    with pytest.raises(ValueError, match=r"momentum must be one per group.*\[0.5, 0.9\]: pass a list of schedules"):
        ScheduleLR(torch.optim.SGD(groups, lr=0.1), Constant(0.1), Constant(0.9))
    groups = [{"params": weights(), "momentum": 0.5}, {"params": weights(), "momentum": 0.9}]
    optimizer = torch.optim.SGD(groups, lr=0.1)
    ScheduleLR(optimizer, Constant(0.1), [Constant(0.6), Constant(0.8)])
    assert momenta_of(optimizer) == [0.6, 0.8]


# Groups that are added


NEW: dict[str, Any] = {
    "shared": Linear(0.001, 0.0, 8),
    "list": [Linear(0.001, 0.0, 8)],
    "relative": Linear(0.001, 0.0, 8),
}


@pytest.mark.parametrize("at", [0, 1, 5])
@pytest.mark.parametrize("how", NEW)
def test_an_added_group_has_its_rate_from_its_first_update(how, at):
    optimizer = torch.optim.SGD(weights(), lr=1.0, momentum=0.9)
    momentum = OneCycle(0.1, 8).momentum()
    scheduler = ScheduleLR(optimizer, NEW[how], momentum, relative=how == "relative")
    applied(optimizer, scheduler, at)
    if how == "list":
        scheduler.append(Constant(0.25))
    before = rates_of(optimizer)
    optimizer.add_param_group({"params": weights()})
    assert rates_of(optimizer)[:1] == before and scheduler.get_last_lr() == rates_of(optimizer)
    assert momenta_of(optimizer) == [momentum(at)] * 2
    first = Linear(0.001, 0.0, 8).table(at + 4)[at:]
    second = np.full(4, 0.25) if how == "list" else first
    np.testing.assert_array_equal(applied(optimizer, scheduler, 4), np.stack([first, second], axis=1))


def test_an_added_group_is_relative_to_the_rates_at_the_beginning():
    optimizer = optimizer_of([1e-5, 1e-3])
    scheduler = ScheduleLR(optimizer, Linear(0.5, 0.0, 5), relative=True)
    applied(optimizer, scheduler, 1)
    optimizer.add_param_group({"params": weights(), "lr": 2e-3})
    assert rates_of(optimizer) == pytest.approx([0.004, 0.4, 0.8])
    state = through_a_file(scheduler.state_dict())
    rest = applied(optimizer, scheduler, 4)
    optimizer = optimizer_of([5.0, 5.0])
    resumed = ScheduleLR(optimizer, Linear(0.5, 0.0, 5), relative=True)
    optimizer.add_param_group({"params": weights()})
    resumed.load_state_dict(state)
    np.testing.assert_array_equal(applied(optimizer, resumed, 4), rest)


def test_an_added_group_with_another_rate_is_refused_as_it_would_be_at_the_beginning():
    optimizer = optimizer_of([0.3])
    scheduler = ScheduleLR(optimizer, Linear(0.1, 0.0, 5))
    applied(optimizer, scheduler, 2)
    with pytest.raises(ValueError, match=r"different rates, got \[0.3, 9.0\]: .*relative=True.*list of schedules"):
        optimizer.add_param_group({"params": weights(), "lr": 9.0})
    assert len(optimizer.param_groups) == 1
    for same in (0.3, optimizer.param_groups[0]["lr"]):  # as the others began, or as they are now
        optimizer.add_param_group({"params": weights(), "lr": same})
    assert rates_of(optimizer) == [Linear(0.1, 0.0, 5)(2)] * 3
    with pytest.raises(ValueError, match="lr must be a number or a tensor of floats"):
        optimizer.add_param_group({"params": weights(), "lr": torch.tensor(1)})
    assert len(optimizer.param_groups) == 3


def test_a_list_needs_a_schedule_for_a_group_before_it_is_added():
    optimizer = optimizer_of()
    scheduler = ScheduleLR(optimizer, [Constant(0.1)])
    with pytest.raises(ValueError, match="schedule must be one schedule per parameter group, 2 in all.*append one"):
        optimizer.add_param_group({"params": weights()})
    assert len(optimizer.param_groups) == 1
    scheduler.append(Constant(0.2))
    state = scheduler.state_dict()
    assert applied(optimizer, scheduler, 2).tolist() == [[0.1], [0.1]]  # it waits for its group
    ScheduleLR(optimizer_of(), [Constant(0.1)]).load_state_dict(state)
    optimizer.add_param_group({"params": weights()})
    assert rates_of(optimizer) == [0.1, 0.2]
    ScheduleLR(optimizer_of([0.1, 0.1]), [Constant(0.1), Constant(0.2)]).load_state_dict(scheduler.state_dict())


@pytest.mark.parametrize("given, message", [
    ({}, "schedule must be a Schedule for the new group, got None"),
    ({"schedule": 0.1, "momentum": Constant(0.9)}, "schedule must be a schedule, got 0.1"),
    ({"schedule": [Constant(0.1)], "momentum": Constant(0.9)}, "schedule must be a schedule, got"),
    ({"schedule": Constant(0.1)}, "momentum must be a Schedule for the new group, got None"),
    ({"schedule": Constant(0.1), "momentum": Constant(0.9)}, ""),
])  # fmt: skip
def test_what_is_appended_is_what_was_given_as_a_list(given, message):
    optimizer = optimizer_of(momentum=0.9)
    scheduler = ScheduleLR(optimizer, [Constant(0.1)], [Constant(0.8)])
    if message:
        with pytest.raises(ValueError, match=message):
            scheduler.append(**given)
    else:
        scheduler.append(**given)
    assert scheduler.rates and scheduler.momenta
    assert len(scheduler.rates.schedules) == len(scheduler.momenta.schedules) == 1 + (not message)
    with pytest.raises(ValueError, match="schedule must be left out"):
        ScheduleLR(optimizer_of(), Constant(0.1)).append(Constant(0.2))
    with pytest.raises(ValueError, match="momentum must be left out"):
        ScheduleLR(optimizer_of(), [Constant(0.1)]).append(Constant(0.2), Constant(0.9))


REFUSED: dict[str, Any] = {
    "the schedule of the new group gives none": ([Constant(0.1)], False, Lambda(lambda t: float("nan")), {}),
    "it gives a negative one": ([Constant(0.1)], False, Lambda(lambda t: -0.1), {"lr": 0.1}),
    "no schedule": ([Constant(0.1)], False, None, {}),
    "a ratio of NaN": (Constant(0.1), True, None, {"lr": float("nan")}),
    "a negative ratio": (Constant(0.1), True, None, {"lr": -1.0}),
    "an infinite ratio": (Constant(0.1), True, None, {"lr": float("inf")}),
    "a product beyond the floats": (Constant(1e300), True, None, {"lr": 1e10}),
    "another rate": (Constant(0.1), False, None, {"lr": 9.0}),
    "a rate of NaN": (Constant(0.1), False, None, {"lr": float("nan")}),
    "16 bits": (Constant(0.1), True, None, {"lr": torch.tensor(0.1, dtype=torch.float16)}),
    "whole numbers": (Constant(0.1), True, None, {"lr": torch.tensor(1)}),
    "the weight of another group": (Constant(0.1), False, None, {"params": 0}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_group_that_is_refused_is_not_in_the_optimizer(name):
    schedule, relative, own, group = REFUSED[name]
    optimizer = optimizer_of([0.1])
    scheduler = ScheduleLR(optimizer, schedule, relative=relative)
    applied(optimizer, scheduler, 2)
    before = scheduler.state_dict(), scheduler.get_last_lr(), optimizer.state_dict()
    if own is not None:
        scheduler.append(own)
    params = optimizer.param_groups[0]["params"] if "params" in group else weights()
    with pytest.raises(ValueError):
        optimizer.add_param_group({**group, "params": params})
    assert (scheduler.state_dict(), scheduler.get_last_lr(), optimizer.state_dict()) == before
    if own is not None:
        scheduler.rates.schedules.pop()
    elif isinstance(schedule, list):
        scheduler.append(Constant(0.1))
    if own is None:
        optimizer.add_param_group({"params": weights(), "lr": 0.1})
    rows = applied(optimizer, scheduler, 2)
    assert np.ptp(rows) == 0 and rows.shape[1] == 1 + (own is None)


def test_a_group_put_into_the_list_by_hand_follows_from_the_next_step():
    optimizer = optimizer_of()
    scheduler = ScheduleLR(optimizer, Linear(1.0, 0.0, 4))
    optimizer.param_groups.append({**optimizer.param_groups[0], "params": weights(), "lr": 0.1})
    optimizer.step()
    scheduler.step()
    assert rates_of(optimizer) == [0.75, 0.75]
    optimizer.param_groups.pop()
    with pytest.raises(ValueError, match="optimizer.param_groups must be the 2 that this scheduler has, got 1"):
        scheduler.step()


def test_a_copy_and_a_pickle_go_on_as_the_original_does():
    optimizer = optimizer_of([1e-5, 1e-3], momentum=0.9)
    scheduler = ScheduleLR(optimizer, Linear(0.5, 0.0, 9), OneCycle(0.1, 9).momentum(), relative=True)
    applied(optimizer, scheduler, 3)
    copies = [copy.deepcopy((optimizer, scheduler)), pickle.loads(pickle.dumps((optimizer, scheduler)))]
    expected = [applied(optimizer, scheduler, 2), optimizer.add_param_group({"params": weights(), "lr": 5e-4}),
                applied(optimizer, scheduler, 2)]  # fmt: skip
    for other, follower in copies:
        assert follower.optimizer is other
        np.testing.assert_array_equal(applied(other, follower, 2), expected[0])
        other.add_param_group({"params": weights(), "lr": 5e-4})
        np.testing.assert_array_equal(applied(other, follower, 2), expected[2])


def test_an_optimizer_whose_scheduler_is_gone_is_a_plain_one():
    optimizer = optimizer_of()
    ScheduleLR(optimizer, Constant(0.5))
    optimizer.add_param_group({"params": weights(), "lr": 9.0})
    assert rates_of(optimizer) == [0.5, 9.0]


class Wrapper(torch.optim.Optimizer):
    """An optimizer around another one, as accelerate's is: it has no state and no hooks of its own."""

    def __init__(self, optimizer):
        self.optimizer = optimizer

    @property
    def param_groups(self):  # type: ignore[override]  # an attribute of torch
        return self.optimizer.param_groups

    def add_param_group(self, param_group):
        self.optimizer.add_param_group(param_group)

    def step(self, closure=None):
        self.optimizer.step(closure)


def test_an_optimizer_in_a_wrapper_is_scheduled_alike():
    optimizer = Wrapper(optimizer_of([0.1]))
    scheduler = ScheduleLR(optimizer, Lambda(lambda t: [0.1, 0.2, 0.3][int(t)]))
    for t in range(3):
        assert rates_of(optimizer) == [[0.1, 0.2, 0.3][t]] * (t + 1)
        if t < 2:
            optimizer.add_param_group({"params": weights()})
        optimizer.step()
        scheduler.step()
    with pytest.raises(IndexError):
        optimizer.step()


# Rates as tensors


def test_groups_that_share_a_tensor_get_one_each():
    shared = torch.tensor(0.1)
    optimizer = torch.optim.AdamW([{"params": weights()}, {"params": weights()}], lr=shared, foreach=False)
    schedules = [Linear(1.0, 0.0, 4), Constant(0.25)]
    scheduler = ScheduleLR(optimizer, schedules)
    held = [group["lr"] for group in optimizer.param_groups]
    np.testing.assert_array_equal(applied(optimizer, scheduler, 4), np.stack([s.table(4) for s in schedules], axis=1))
    assert all(a is group["lr"] for a, group in zip(held, optimizer.param_groups))
    scheduler.append(Constant(0.5))
    optimizer.add_param_group({"params": weights()})  # its default is the tensor that the first group has
    scheduler.step()
    assert rates_of(optimizer) == [0.0, 0.25, 0.5]


def test_groups_that_are_loaded_with_one_tensor_get_one_each():
    state = torch.optim.AdamW([{"params": weights()}, {"params": weights()}], lr=torch.tensor(0.1), foreach=False)
    optimizer = torch.optim.AdamW([{"params": weights()}, {"params": weights()}], lr=torch.tensor(0.1), foreach=False)
    scheduler = ScheduleLR(optimizer, [Constant(0.25), Constant(0.5)])
    optimizer.load_state_dict(state.state_dict())
    optimizer.step()
    scheduler.step()
    assert rates_of(optimizer) == [0.25, 0.5]


def test_a_tensor_of_whole_numbers_is_refused():
    optimizer = torch.optim.AdamW(weights(), lr=torch.tensor(1), foreach=False)
    with pytest.raises(ValueError, match=r"lr must be a number or a tensor of floats, .*write torch.tensor\(1.0\)"):
        ScheduleLR(optimizer, Constant(0.1))
    for dtype in (torch.float16, torch.bfloat16):  # 1e5 would be infinite, 1e-8 would be 0, and 0.1 is another number
        optimizer = torch.optim.AdamW(weights(), lr=torch.tensor(1.0, dtype=dtype), foreach=False)
        with pytest.raises(ValueError, match=r"lr must be .* tensor of floats, 32 bits or more.*torch.tensor\(1.0\)"):
            ScheduleLR(optimizer, Constant(1e5))
        assert rates_of(optimizer) == [1.0]
    whole = torch.optim.SGD(weights(), lr=1)
    assert ScheduleLR(whole, Constant(0.1)).get_last_lr() == rates_of(whole) == [0.1]


@pytest.mark.parametrize("last", [0, 3])
def test_a_rate_beyond_a_tensor_of_32_bits_is_refused(last):
    schedule = Lambda(lambda t: 0.5 if t < last else 3.41e38)
    optimizer = torch.optim.AdamW(weights(), lr=torch.tensor(0.5), foreach=False)
    with pytest.raises(ValueError, match=rf"the rate of group 0 at step {last} must be at most 3.40.*got 3.41e\+38: "):
        applied(optimizer, ScheduleLR(optimizer, schedule), last + 1)
    assert rates_of(optimizer) == [0.5]
    optimizer = optimizer_of()
    assert applied(optimizer, ScheduleLR(optimizer, schedule), last + 1)[-1] == [3.41e38]


@pytest.mark.parametrize("lr", [torch.tensor(1e-3), 1e-3])
def test_a_group_may_be_added_at_the_rate_that_a_tensor_rounds(lr):
    optimizer = torch.optim.AdamW(weights(), lr=torch.tensor(1e-3), foreach=False)
    scheduler = ScheduleLR(optimizer, Constant(0.5))
    optimizer.add_param_group({"params": weights(), "lr": lr})
    assert rates_of(optimizer) == [0.5, 0.5]
    ScheduleLR(optimizer_of([torch.tensor(1e-3), 1e-3], torch.optim.AdamW, foreach=False), Constant(0.5))
    with pytest.raises(ValueError, match="different rates"):
        optimizer.add_param_group({"params": weights(), "lr": 1.001e-3})
    assert scheduler.get_last_lr() == [0.5, 0.5]


# Inside of torch's own schedulers


def sequence(scale, milestone=5, relative=False, tensor=False):
    rates = [scale * 1e-5, scale * 1e-3] if relative else [scale * 0.1]
    optimizer = optimizer_of([torch.tensor(lr, dtype=torch.float64) for lr in rates] if tensor else rates, momentum=0.5)
    first = ScheduleLR(optimizer, Linear(0.0, 1.0, 5), OneCycle(0.1, 5).momentum(), relative=relative)
    second = ScheduleLR(optimizer, Cosine(1.0, 0.1, 5), Linear(0.7, 0.6, 4), relative=relative)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return optimizer, lr_scheduler.SequentialLR(optimizer, [first, second], milestones=[milestone])


@pytest.mark.parametrize("tensor", [False, True])
@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("milestone", [0, 1, 5, 20])
def test_a_sequence_applies_rate_and_momentum_at_every_step(milestone, relative, tensor):
    optimizer, scheduler = sequence(1.0, milestone, relative, tensor)
    rate = Linear(0.0, 1.0, 5).then(Cosine(1.0, 0.1, 5), at=milestone)
    momentum = OneCycle(0.1, 5).momentum().then(Linear(0.7, 0.6, 4), at=milestone)
    for t in range(STEPS):
        assert rates_of(optimizer)[-1] == rate(t) == scheduler.get_last_lr()[-1]
        assert set(momenta_of(optimizer)) == {momentum(t)}
        if relative:
            assert rates_of(optimizer)[0] == pytest.approx(rate(t) / 100)
        optimizer.step()
        scheduler.step()


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("milestone", [0, 1, 5, 20])
def test_a_sequence_resumes_at_every_step(milestone, relative):
    resumes(lambda scale: sequence(scale, milestone, relative))


def test_a_sequence_of_torch_and_ours_resumes_at_every_step():
    def build(scale):
        optimizer = optimizer_of([0.1], momentum=0.5)  # torch's own reads the rate that it begins with
        parts = [lr_scheduler.ConstantLR(optimizer, 0.5, 99), ScheduleLR(optimizer, Cosine(1.0, 0.1, 5)),
                 ScheduleLR(optimizer, Step(0.3, 2, 0.5), Constant(0.9))]  # fmt: skip
        return optimizer, lr_scheduler.SequentialLR(optimizer, parts, milestones=[3, 7])

    optimizer, scheduler = build(1.0)
    expected = [*[0.05] * 3, *Cosine(1.0, 0.1, 5).table(4), *Step(0.3, 2, 0.5).table(5)]
    assert applied(optimizer, scheduler, STEPS)[:, 0].tolist() == expected
    resumes(build)


def test_a_sequence_of_ours_and_torch_resumes_at_every_step():
    def build(scale):
        optimizer = optimizer_of([0.1], momentum=0.5)
        parts = [ScheduleLR(optimizer, Linear(0.1, 0.5, 4), Constant(0.8)), lr_scheduler.ExponentialLR(optimizer, 0.5),
                 ScheduleLR(optimizer, Step(0.3, 2, 0.5))]  # fmt: skip
        return optimizer, lr_scheduler.SequentialLR(optimizer, parts, milestones=[3, 7])

    optimizer, scheduler = build(1.0)
    rates = applied(optimizer, scheduler, STEPS)[:, 0]
    assert rates[4:7].tolist() == [rates[3] / 2**n for n in (1, 2, 3)]
    resumes(build)


@pytest.mark.filterwarnings("ignore:Detected call of")  # torch's own steps before the first update
def test_a_sequence_inside_a_sequence_resumes_at_every_step():
    def build(scale):
        optimizer = optimizer_of([scale], momentum=0.5)
        a, b, c = (
            ScheduleLR(optimizer, s, Constant(s(0) / 2)) for s in (Constant(0.1), Cosine(0.5, 0, 4), Constant(1))
        )
        inner = lr_scheduler.SequentialLR(optimizer, [a, b], milestones=[3])
        return optimizer, lr_scheduler.SequentialLR(optimizer, [inner, c], milestones=[6])

    resumes(build)


def test_in_a_chain_the_last_one_decides_and_it_resumes_at_every_step():
    def build(scale):
        optimizer = optimizer_of([scale], momentum=0.5)
        parts = [
            ScheduleLR(optimizer, Linear(1.0, 0.0, 9), Constant(0.9)),
            ScheduleLR(optimizer, Exponential(0.1, 0.5)),
        ]
        return optimizer, lr_scheduler.ChainedScheduler(parts, optimizer)

    optimizer, scheduler = build(1.0)
    assert applied(optimizer, scheduler, STEPS)[:, 0].tolist() == Exponential(0.1, 0.5).table(STEPS).tolist()
    resumes(build)


@pytest.mark.parametrize("at", [0, 4, 5, 8])
def test_a_group_added_in_a_sequence_follows_the_schedule_whose_turn_it_is(at):
    optimizer, scheduler = sequence(1.0)
    for _ in range(at):
        optimizer.step()
        scheduler.step()
    optimizer.add_param_group({"params": weights()})
    for _ in range(6):
        assert rates_of(optimizer)[0] == rates_of(optimizer)[1]
        assert len(set(momenta_of(optimizer))) == 1
        optimizer.step()
        scheduler.step()


def relative_sequence(first, scale, groups=2):
    optimizer = optimizer_of([scale * 0.01, scale * 0.1, scale * 0.05][:groups])
    parts: list[lr_scheduler.LRScheduler] = [
        lr_scheduler.ConstantLR(optimizer, 1.0, 99) if first == "torch" else
        ScheduleLR(optimizer, Linear(0.0, 1.0, 10), relative=True),
        ScheduleLR(optimizer, Cosine(1.0, 0.1, 9), relative=True),
    ]  # fmt: skip
    if first == "chained":
        return optimizer, lr_scheduler.ChainedScheduler(parts, optimizer)
    return optimizer, lr_scheduler.SequentialLR(optimizer, parts, milestones=[6])


@pytest.mark.filterwarnings("ignore:Detected call of")  # torch's own steps before the first update
@pytest.mark.parametrize("at", [0, 2, 5, 6, 8])
@pytest.mark.parametrize("first", ["ours", "torch", "chained"])
def test_a_group_added_in_a_relative_sequence_keeps_its_ratio_also_when_resumed(first, at):
    optimizer, scheduler = relative_sequence(first, 1.0)
    applied(optimizer, scheduler, at)
    optimizer.add_param_group({"params": weights(), "lr": 0.05})
    states, rows = [], []
    for _ in range(at, STEPS):
        states.append(through_a_file([optimizer.state_dict(), scheduler.state_dict()]))
        rows.append(applied(optimizer, scheduler, 1)[0].tolist())
    schedule = Linear(0.0, 1.0, 10).then(Cosine(1.0, 0.1, 9), at=6) if first == "ours" else Cosine(1.0, 0.1, 9)
    for t, row in enumerate(rows, start=at):
        if first == "torch" and t < 6:
            assert row == [0.01, 0.1, 0.05]  # torch leaves a new group alone
        else:
            rate = schedule(t - 6 if first == "torch" else t)
            np.testing.assert_allclose(row, [0.1 * rate, rate, 0.5 * rate])
    for done, (of_optimizer, of_scheduler) in enumerate(states):
        optimizer, scheduler = relative_sequence(first, 3.0, groups=3)
        optimizer.load_state_dict(of_optimizer)
        scheduler.load_state_dict(of_scheduler)
        np.testing.assert_array_equal(applied(optimizer, scheduler, STEPS - at - done), rows[done:])


def test_a_group_that_one_schedule_for_all_cannot_take_over_is_refused():
    optimizer = optimizer_of([0.1, 0.1])
    parts: list[lr_scheduler.LRScheduler] = [
        ScheduleLR(optimizer, Linear(0.1, 0.0, 9), relative=True),
        ScheduleLR(optimizer, Constant(0.1)),
    ]
    scheduler = lr_scheduler.SequentialLR(optimizer, parts, milestones=[2])
    optimizer.add_param_group({"params": weights(), "lr": 0.05})
    applied(optimizer, scheduler, 1)
    before = rates_of(optimizer)
    optimizer.step()
    with pytest.raises(
        ValueError, match=r"different rates, got \[0.1, 0.1, 0.05\]: .*relative=True.*list of schedules"
    ):
        scheduler.step()
    assert rates_of(optimizer) == before == pytest.approx([0.8 / 9, 0.8 / 9, 0.4 / 9])


# Going on with another schedule


def test_a_longer_schedule_goes_on_from_the_same_step():
    short, long = Cosine(0.1, 0.0, 6), Cosine(0.1, 0.0, 12)
    optimizer = optimizer_of(momentum=0.5)
    scheduler = ScheduleLR(optimizer, short, momentum=Linear(0.5, 0.9, 8))
    before = applied(optimizer, scheduler, 4)[:, 0]
    scheduler.continue_with(long)
    after = applied(optimizer, scheduler, 10)[:, 0]
    assert [*before, *after] == [*short.table(4), *long.table(14)[4:]]
    assert momenta_of(optimizer) == [Linear(0.5, 0.9, 8)(14)]


def test_after_a_change_a_run_resumes_as_one_built_with_the_new_schedule():
    new = warmup(Cosine(0.1, 0.0, 9), 2).then(Constant(0.01), at=5)

    def build(scale):
        optimizer = optimizer_of([scale, scale], momentum=0.5)
        return optimizer, ScheduleLR(optimizer, [new, Constant(0.5)], Linear(0.5, 0.9, 8))

    optimizer, scheduler = build(1.0)
    changed = ScheduleLR(optimizer_of([1.0, 1.0], momentum=0.5), [Constant(0.1)] * 2)
    applied(changed.optimizer, changed, 3)
    changed.continue_with([new, Constant(0.5)], Linear(0.5, 0.9, 8))
    applied(optimizer, scheduler, 3)
    for _ in range(6):
        assert changed.state_dict() == scheduler.state_dict()
        assert rates_of(changed.optimizer) == rates_of(optimizer)
        assert momenta_of(changed.optimizer) == momenta_of(optimizer)
        again = build(2.0)
        again[1].load_state_dict(through_a_file(changed.state_dict()))
        assert rates_of(again[0]) == rates_of(optimizer)
        for each in (changed, scheduler):
            each.optimizer.step()
            each.step()


def test_a_new_phase_begins_at_its_own_step_0():
    optimizer = optimizer_of()
    old = Step(0.1, 2, 0.5)
    scheduler = ScheduleLR(optimizer, old)
    applied(optimizer, scheduler, 3)
    scheduler.continue_with(old.then(Linear(1.0, 0.0, 4), at=scheduler.last_epoch))
    assert applied(optimizer, scheduler, 3)[:, 0].tolist() == [1.0, 0.75, 0.5]


def test_a_relative_run_stays_relative():
    optimizer = optimizer_of([1e-5, 1e-3])
    scheduler = ScheduleLR(optimizer, Constant(0.1), relative=True)
    scheduler.continue_with(Constant(0.5))
    assert rates_of(optimizer) == pytest.approx([0.005, 0.5])


@pytest.mark.parametrize("change, message", [
    (lambda s: s.continue_with([Constant(0.1)]), "schedule must be a list of schedules if, and only if, it was one"),
    (lambda s: s.continue_with(0.1), "schedule must be a Schedule or a list of them, got 0.1"),
    (lambda s: s.continue_with(Lambda(lambda t: None)), "at step 2 must be a number, got None"),
    (lambda s: s.continue_with(Constant(0.1), Constant(1.0)), "at step 2 must be a momentum"),
    (lambda s: s.continue_with(Constant(0.1), [Constant(0.1)] * 2), "momentum must be one schedule per para"),
])  # fmt: skip
def test_a_change_that_does_not_fit_changes_nothing(change, message):
    optimizer = optimizer_of(momentum=0.5)
    scheduler = ScheduleLR(optimizer, Linear(1.0, 0.0, 4), Linear(0.5, 0.9, 4))
    applied(optimizer, scheduler, 2)
    state = scheduler.state_dict(), rates_of(optimizer), momenta_of(optimizer)
    with pytest.raises(ValueError, match=message):
        change(scheduler)
    assert (scheduler.state_dict(), rates_of(optimizer), momenta_of(optimizer)) == state
    assert applied(optimizer, scheduler, 2)[:, 0].tolist() == [0.5, 0.25]


def test_a_schedule_that_waits_in_a_sequence_can_be_changed():
    optimizer, scheduler = sequence(1.0)
    scheduler._schedulers[1].continue_with(Constant(0.125))
    assert applied(optimizer, scheduler, 7)[:, 0].tolist() == [*Linear(0.0, 1.0, 5).table(5), 0.125, 0.125]


# Steps that are given


def test_a_step_may_be_given_also_between_two_updates():
    schedule = Cosine(1.0, 0.0, 10)
    optimizer = optimizer_of(momentum=0.5)
    scheduler = ScheduleLR(optimizer, schedule, Linear(0.5, 0.9, 10))
    optimizer.step()
    steps: list[Any] = [0.5, 3, 2.0, np.int64(1), np.float32(7.5), 1023.5, 5000]
    for at in steps:
        with pytest.warns(UserWarning, match="The epoch parameter"):
            scheduler.step(at)
        assert rates_of(optimizer) == scheduler.get_last_lr() == scheduler.get_lr() == [schedule(float(at))]
        assert momenta_of(optimizer) == [Linear(0.5, 0.9, 10)(float(at))]
        again = ScheduleLR(optimizer_of(momentum=0.5), schedule, Linear(0.5, 0.9, 10))
        again.load_state_dict(through_a_file(scheduler.state_dict()))
        assert again.get_last_lr() == [schedule(float(at))]
    with pytest.warns(UserWarning, match="The epoch parameter"):
        scheduler.step(2.5)
    scheduler.step()
    assert rates_of(optimizer) == [schedule(3.5)]


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("change", [
    *({"last_epoch": each} for each in (-3, -0.5, float("nan"), float("inf"), "x", None, True, [1])),
    {"relative": {"largest": float("nan"), "rates": [0.1]}}, {"relative": {"largest": 0.1, "rates": [-0.1]}},
    {"relative": {"rates": [0.1]}}, {"relative": {"largest": 0.1, "rates": None}}, {"relative": "x"},
], ids=str)  # fmt: skip
def test_a_state_that_is_none_is_refused_and_changes_nothing(change, relative):
    scheduler = ScheduleLR(optimizer_of(), Linear(0.1, 0.0, 9), relative=relative)
    applied(scheduler.optimizer, scheduler, 2)
    before, rates = scheduler.state_dict(), rates_of(scheduler.optimizer)
    with pytest.raises(ValueError, match=f"{next(iter(change))} must be"):
        scheduler.load_state_dict({**before, **change})
    assert scheduler.state_dict() == before and rates_of(scheduler.optimizer) == rates
    missing = {name: value for name, value in before.items() if name != "last_epoch"}
    with pytest.raises(ValueError, match="last_epoch must be"):
        scheduler.load_state_dict(missing)
    assert applied(scheduler.optimizer, scheduler, 2)[:, 0].tolist() == Linear(0.1, 0.0, 9).table(4)[2:].tolist()


@pytest.mark.parametrize("epoch", [-1, float("nan"), float("inf"), "3", True, [1]])
def test_what_is_no_step_is_refused(epoch):
    scheduler = ScheduleLR(optimizer_of(), Constant(0.1))
    scheduler.optimizer.step()
    with (
        warnings.catch_warnings(),
        pytest.raises(ValueError, match="epoch must be a finite step, zero or more, got .*: "),
    ):
        warnings.simplefilter("ignore")
        scheduler.step(epoch)
    assert scheduler.last_epoch == 0


def test_the_rates_that_are_told_are_a_copy():
    scheduler = ScheduleLR(optimizer_of(), Step(0.1, 2, 0.5))
    for told in (scheduler.get_last_lr(), scheduler.get_lr()):
        told[0] = 9.0
    assert scheduler.get_last_lr() == scheduler.get_lr() == [0.1]


def test_what_is_no_optimizer_is_refused():
    with pytest.raises(ValueError, match="optimizer must be a torch.optim.Optimizer, got 'LogicNet'"):
        ScheduleLR(cast(Any, LogicNet()), Constant(0.1))
