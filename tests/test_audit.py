"""An audit names the fault in a real wiring, and is silent about a healthy one."""

import copy
import math
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch.distributed.checkpoint.state_dict import get_state_dict

from lrcourse import WSD, Constant, Cosine, Exponential, InverseSqrt, Linear, OneCycle, Step, warmup
from lrcourse.audit import Audit, Finding
from lrcourse.audit.faults import FAULTS
from lrcourse.torch import PlateauLR, ScheduleLR, parameter_groups
from tests.every_schedule import every_schedule

WORD: Any = "0.1"
lr_scheduler = torch.optim.lr_scheduler
N = 60

HEALTHY = every_schedule(N) | {
    "zero": Constant(0.0),
    "from 0": Linear(0.0, 0.1, N),
    "line after a constant": Constant(0.1).then(Linear(0.1, 0.0, 20), at=40),
}


def sgd(lr=0.1, **options):
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(2))], lr=lr, **options)


def adam(lr=0.1):
    weight = torch.nn.Parameter(torch.zeros(2))
    weight.grad = torch.ones(2)
    return torch.optim.Adam([weight], lr=lr)


def names(audit, **given):
    return [(each.kind, each.name) for each in audit.report(**given)]


def only(audit):
    """The one fault that is found."""
    (fault,) = audit.report().faults
    assert fault.seen and fault.why and fault.fix and fault.name in FAULTS
    return fault


def healthy(audit):
    assert audit.report().faults == ()
    return [each.name for each in audit.report()]


def loop(optimizer, scheduler, steps=N, per_step=1):
    for _ in range(steps):
        optimizer.step()
        for _ in range(per_step):
            scheduler.step()


@pytest.mark.parametrize("told", [True, False], ids=["schedule", "tell-tale"])
@pytest.mark.parametrize("name", HEALTHY)
def test_no_fault_is_found_where_every_update_used_its_rate(name, told):
    optimizer, schedule = sgd(), HEALTHY[name]
    scheduler = ScheduleLR(optimizer, schedule)
    audit = Audit(schedule, N) if told else Audit()
    audit.attach(optimizer, None if told else scheduler)
    for i in range(N):
        optimizer.step()
        scheduler.step()
        assert audit.report(finished=False).faults == (), i
    notes = healthy(audit)
    assert ("first update at rate 0" in notes) == (schedule(0) == 0 < schedule.table(N).max())
    assert set(notes) <= {"first update at rate 0", "ends high"} and (not told or "ends high" not in notes)


# Wirings of torch, each wrong in one way


def test_stepped_per_epoch_with_the_schedule_and_without():
    schedule = Cosine(0.1, 0.0, N)
    for audit, scheduled in ((Audit(schedule, N), False), (Audit(), True)):
        optimizer = sgd()
        scheduler = lr_scheduler.CosineAnnealingLR(optimizer, T_max=N)
        audit.attach(optimizer, scheduler if scheduled else None)
        for batch in range(N):
            optimizer.step()
            if batch % 12 == 11:
                scheduler.step()
        fault = next(each for each in audit.report().faults if each.name == "stepped per epoch")
        assert fault.step in (1, 12) and "once in 12 updates" in fault.seen
        assert {each.name for each in audit.report().faults} <= {"stepped per epoch", "ends high"}


def test_a_scheduler_that_counts_epochs_on_purpose_is_no_fault():
    optimizer, audit = sgd(), Audit()
    scheduler = lr_scheduler.CosineAnnealingLR(optimizer, T_max=5)
    audit.attach(optimizer, scheduler)
    for batch in range(N):
        optimizer.step()
        if batch % 12 == 11:
            scheduler.step()
    assert healthy(audit) == ["stepped per epoch"]


@pytest.mark.parametrize("epochs", [20, 10], ids=["all", "stopped early"])
def test_a_scheduler_that_counts_epochs_is_no_fault_where_the_run_stopped_early(epochs):
    optimizer, audit = sgd(), Audit()
    scheduler = lr_scheduler.CosineAnnealingLR(optimizer, T_max=20)
    audit.attach(optimizer, scheduler)
    for _ in range(epochs):
        for _ in range(12):
            optimizer.step()
        scheduler.step()
    assert healthy(audit) == ["stepped per epoch"] + ["ends high"] * (epochs < 20)


@pytest.mark.parametrize("kind", [torch.optim.AdamW, torch.optim.SGD])
def test_a_checkpoint_of_several_processes_makes_no_update(kind):
    """`get_state_dict` has the optimizer make one at rate 0 where it has no moments, as before its first update."""
    model = torch.nn.Linear(2, 1)
    optimizer, audit = kind(model.parameters(), lr=0.1), Audit(Cosine(0.1, 0.0, N), N)
    scheduler = ScheduleLR(optimizer, Cosine(0.1, 0.0, N))
    audit.attach(optimizer)
    for t in range(N):
        if t % 20 == 0:
            get_state_dict(model, optimizer)
        model(torch.ones(1, 2)).sum().backward()
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
    assert audit.rows.step == list(range(N)) and healthy(audit) == []


def test_warm_restarts_that_count_parts_of_epochs_are_healthy():
    optimizer, audit = sgd(), Audit()
    scheduler = lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 4)
    audit.attach(optimizer, scheduler)
    for batch in range(N):
        scheduler.step(batch / 7)
        optimizer.step()
    assert healthy(audit) == []


def test_stepped_per_epoch_where_epochs_are_uneven():
    optimizer, audit = sgd(), Audit(Cosine(0.1, 0.0, N), N)
    scheduler = lr_scheduler.CosineAnnealingLR(optimizer, T_max=N)
    audit.attach(optimizer)
    for batches in (12, 11, 12, 13, 12):
        for _ in range(batches):
            optimizer.step()
        scheduler.step()
    assert only(audit).name == "stepped per epoch" and "once in about 1" in only(audit).seen


def test_several_steps_per_update_where_the_last_update_of_an_epoch_has_fewer_batches():
    optimizer, audit = sgd(), Audit(Cosine(0.1, 0.0, 105), 60)
    scheduler = lr_scheduler.CosineAnnealingLR(optimizer, T_max=105)
    audit.attach(optimizer)
    with warnings.catch_warnings(action="ignore"):  # torch warns of the order
        for _ in range(15):
            for batch in range(7):  # in pairs: four updates
                if batch % 2 or batch == 6:
                    optimizer.step()
                scheduler.step()
    assert only(audit).name == "several steps per update" and "about 1.7" in only(audit).seen


def test_another_schedule_is_not_taken_for_a_pace():
    for used in (Linear(0.1, 0.0, 7 * N), Exponential(0.1, 0.97), Cosine(0.1, 0.0, 47)):
        audit = Audit(Cosine(0.1, 0.0, N), N)
        for rate in used.table(N).tolist():
            audit.record(rate)
        assert only(audit).name == "another schedule"


@pytest.mark.parametrize("times", [2, 3, 8])
def test_several_steps_per_update_as_under_accumulation(times):
    optimizer = sgd()
    scheduler = ScheduleLR(optimizer, Cosine(0.1, 0.0, N))
    told, bare = Audit(Cosine(0.1, 0.0, N), N), Audit()
    told.attach(optimizer)
    bare.attach(optimizer, scheduler)
    with warnings.catch_warnings(action="ignore"):  # torch warns of the order
        for batch in range(1, N + 1):
            if batch % times == 0:
                optimizer.step()
            scheduler.step()
    for audit in (told, bare):
        assert only(audit).name == "several steps per update" and f"by {times} steps" in only(audit).seen


def test_several_steps_per_update_in_two_places_of_the_loop():
    optimizer, audit = sgd(), Audit(OneCycle(0.1, N), N)
    audit.attach(optimizer)
    loop(optimizer, ScheduleLR(optimizer, OneCycle(0.1, N)), per_step=2)
    assert only(audit).name == "several steps per update"


@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.parametrize("scheduled", [True, False])
def test_the_scheduler_before_the_optimizer(scheduled):
    optimizer = sgd()
    scheduler = lr_scheduler.CosineAnnealingLR(optimizer, T_max=N)
    audit = Audit() if scheduled else Audit(Cosine(0.1, 0.0, N), N)
    audit.attach(optimizer, scheduler if scheduled else None)
    for _ in range(N):
        scheduler.step()
        optimizer.step()
    assert only(audit).name == "scheduler before the optimizer" and only(audit).step == 0


@pytest.mark.parametrize("moves", [True, False], ids=["steps", "rests"])
def test_a_scheduler_of_another_optimizer_is_found_by_the_rates_that_it_believes_to_have_set(moves):
    optimizer, other, audit = sgd(), sgd(), Audit()
    scheduler = lr_scheduler.CosineAnnealingLR(other if moves else optimizer, T_max=N)
    audit.attach(optimizer, scheduler)
    for _ in range(N):
        optimizer.step()
        other.step()
        if moves:
            scheduler.step()
    assert only(audit).name == "schedule never applied"


def test_one_update_late():
    optimizer, audit = sgd(), Audit(Cosine(0.1, 0.0, N), N)
    scheduler = ScheduleLR(optimizer, Cosine(0.1, 0.0, N))
    audit.attach(optimizer)
    for batch in range(N):
        optimizer.step()
        if batch:
            scheduler.step()
    assert only(audit).name == "one update late"


@pytest.mark.parametrize("scheduled", [True, False])
def test_a_scheduler_that_is_never_stepped_or_belongs_to_another_optimizer(scheduled):
    optimizer, other = sgd(), sgd()
    scheduler = lr_scheduler.CosineAnnealingLR(other, T_max=N)
    audit = Audit() if scheduled else Audit(Cosine(0.1, 0.0, N), N)
    audit.attach(optimizer, scheduler if scheduled else None)
    for _ in range(N):
        optimizer.step()
        if not scheduled:
            scheduler.optimizer.step()
            scheduler.step()
    assert "schedule never applied" in [each.name for each in audit.report().faults]


@pytest.mark.parametrize("scheduled", [True, False])
def test_two_schedulers_at_once(scheduled):
    optimizer = sgd()
    audit = Audit() if scheduled else Audit(Cosine(0.1, 0.0, N), N)
    first, second = lr_scheduler.CosineAnnealingLR(optimizer, T_max=N), lr_scheduler.StepLR(optimizer, 10, 0.5)
    audit.attach(optimizer, first if scheduled else None)
    for _ in range(N):
        optimizer.step()
        first.step()
        second.step()
    assert only(audit).name == "two schedulers" and only(audit).step == 10


@pytest.mark.parametrize("scheduled", [True, False])
def test_a_product_of_schedules_by_torchs_own_chain_is_no_fault(scheduled):
    optimizer = sgd()
    parts = [lr_scheduler.ExponentialLR(optimizer, 0.99), lr_scheduler.StepLR(optimizer, 10, 0.5)]
    scheduler = lr_scheduler.ChainedScheduler(parts, optimizer)
    audit = Audit() if scheduled else Audit(Exponential(0.1, 0.99) * Step(1.0, 10, 0.5), N)
    audit.attach(optimizer, scheduler if scheduled else None)
    loop(optimizer, scheduler)
    assert healthy(audit) == []


@pytest.mark.parametrize("make", [
    lambda o: lr_scheduler.SequentialLR(o, [lr_scheduler.LinearLR(o, 0.1, total_iters=10),
                                            lr_scheduler.CosineAnnealingLR(o, N - 10)], [10]),
    lambda o: lr_scheduler.OneCycleLR(o, 0.1, N, cycle_momentum=False), lambda o: lr_scheduler.CosineAnnealingLR(o, N),
    lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 15), lambda o: lr_scheduler.PolynomialLR(o, N),
    lambda o: lr_scheduler.LambdaLR(o, lambda t: min(1, (t + 1) / 10)), lambda o: lr_scheduler.MultiStepLR(o, [20, 40]),
    lambda o: lr_scheduler.CyclicLR(o, 0.01, 0.1, 5, cycle_momentum=False),
    lambda o: lr_scheduler.ConstantLR(o, 0.5, 10),
])  # fmt: skip
def test_torchs_own_schedulers_are_healthy(make):
    optimizer, audit = sgd(), Audit()
    with warnings.catch_warnings(action="ignore"):
        scheduler = make(optimizer)
        audit.attach(optimizer, scheduler)
        loop(optimizer, scheduler, steps=N - 1)
    assert healthy(audit) == []


def test_another_schedule():
    optimizer, audit = sgd(), Audit(Cosine(0.1, 0.0, N), N)
    audit.attach(optimizer)
    loop(optimizer, ScheduleLR(optimizer, InverseSqrt(0.2, 7)))
    assert only(audit).name == "another schedule"


def test_a_rate_schedule_in_a_lambda_lr_is_scaled():
    schedule = Cosine(0.1, 0.0, N)
    for lr in (0.1, 1.0):
        optimizer, audit = sgd(lr), Audit(schedule, N)
        audit.attach(optimizer)
        loop(optimizer, lr_scheduler.LambdaLR(optimizer, schedule))
        assert (
            lr == 1.0 and healthy(audit) == [] or only(audit).name == "rate scaled" and "0.1 times" in only(audit).seen
        )


def test_stretched_for_batches_where_updates_count():
    optimizer, audit = sgd(), Audit(Cosine(0.1, 0.0, N), N)
    audit.attach(optimizer)
    loop(optimizer, ScheduleLR(optimizer, Cosine(0.1, 0.0, 4 * N)))
    assert only(audit).name == "stretched" and "4 updates" in only(audit).seen


@pytest.mark.parametrize("told", [None, N // 4], ids=["no steps", "steps of the run"])
@pytest.mark.parametrize("schedule", [
    warmup(Linear(0.1, 0.0, N - 8), 8, start=0.01), 0.5 * Cosine(0.1, 0.0, N), WSD(0.1, 8, 30, N - 38, start=0.01),
    [Cosine(0.1, 0.0, N), Cosine(0.3, 0.0, N)], OneCycle(0.1, N).clip(0.0, 0.09),
])  # fmt: skip
def test_a_schedule_that_was_built_for_batches_is_known_by_its_own_length(schedule, told):
    both = schedule if isinstance(schedule, list) else [schedule]
    audit = Audit(schedule, told)
    for step in range(N // 4):
        audit.record([each(step) for each in both])
        assert not audit.report(finished=False).faults
    assert only(audit).name == "ends high" and "4 times as long as the run" in only(audit).seen
    for step in range(N // 4, N - 1):
        audit.record([each(step) for each in both])
    assert told or healthy(audit) == []


@pytest.mark.parametrize("name", HEALTHY)
def test_a_run_of_the_length_that_its_schedule_has_is_healthy(name):
    audit = Audit(HEALTHY[name])
    for rate in HEALTHY[name].table(N).tolist():
        audit.record(rate)
    assert "ends high" not in healthy(audit)


@pytest.mark.parametrize("counted", [True, False], ids=["Adam's state", "given"])
def test_resumed_at_the_wrong_step(counted):
    schedule = Cosine(0.1, 0.0, N)
    first = adam() if counted else sgd(momentum=0.9)
    scheduler = ScheduleLR(first, schedule)
    loop(first, scheduler, steps=N // 2)
    for loads in (True, False):
        second, audit = adam() if counted else sgd(momentum=0.9), Audit(schedule, N)
        second.load_state_dict(copy.deepcopy(first.state_dict()))
        again = ScheduleLR(second, schedule)
        if loads:
            again.load_state_dict(scheduler.state_dict())
        audit.attach(second, step=None if counted else N // 2)
        loop(second, again, steps=N // 2)
        assert audit.rows.step[0] == N // 2
        assert loads and healthy(audit) == [] or only(audit).name == "resumed at the wrong step"


def test_a_scheduler_that_is_built_on_a_restored_optimizer_begins_at_the_rate_that_this_had():
    schedule, first, second = Cosine(0.1, 0.0, N), adam(), adam()
    loop(first, lr_scheduler.CosineAnnealingLR(first, N), steps=N // 2)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    audit = Audit(schedule, N)
    audit.attach(second)
    loop(second, lr_scheduler.CosineAnnealingLR(second, N), steps=N // 2)
    assert (
        only(audit).name == "resumed at the wrong step" and "step t - 30 of the schedule, times 0.5" in only(audit).seen
    )


@pytest.mark.parametrize("step", [None, 0])
def test_a_new_schedule_on_an_optimizer_that_has_trained_is_counted_from_the_step_that_is_told(step):
    optimizer, schedule = adam(), Cosine(0.05, 0.0, N)
    loop(optimizer, ScheduleLR(optimizer, schedule))
    audit = Audit(schedule, N)
    audit.attach(optimizer, step=step)
    loop(optimizer, ScheduleLR(optimizer, schedule))
    if step is None:
        assert only(audit).name == "resumed at the wrong step" and "with 0 for a new schedule" in only(audit).fix
    else:
        assert healthy(audit) == []


def test_a_jump_back_in_the_middle_of_a_run():
    optimizer, audit = sgd(), Audit(Cosine(0.1, 0.0, N), N)
    audit.attach(optimizer)
    for _ in range(2):
        loop(optimizer, ScheduleLR(optimizer, Cosine(0.1, 0.0, N)), steps=N // 2)
    fault = only(audit)
    assert (fault.name, fault.step) == ("resumed at the wrong step", N // 2) and "back to its beginning" in fault.seen


class Overflow(torch.nn.Module):
    """A model whose gradient is infinite in some updates."""

    def __init__(self, weight, at):
        super().__init__()
        self.weight, self.at, self.calls = weight, at, 0

    def forward(self):
        self.calls += 1
        return self.weight.sum() * (float("inf") if self.calls in self.at else 1.0)


@pytest.mark.parametrize("waits", [False, True], ids=["goes on", "waits"])
@pytest.mark.parametrize("fused", [False, True], ids=["plain", "fused"])
@pytest.mark.parametrize("given", ["schedule and scaler", "schedule", "position"])
def test_a_skipped_update_of_mixed_precision(waits, fused, given):
    optimizer, schedule = sgd(fused=fused), Cosine(0.1, 0.0, N)
    scheduler, scaler = ScheduleLR(optimizer, schedule), torch.amp.GradScaler("cpu", init_scale=4.0)
    audit = Audit() if given == "position" else Audit(schedule, N)
    audit.attach(optimizer, scheduler if given == "position" else None, scaler if "scaler" in given else None)
    model = Overflow(optimizer.param_groups[0]["params"][0], at=(5, 6, 20))
    for _ in range(N):
        optimizer.zero_grad()
        scaler.scale(model()).backward()
        scale = scaler.get_scale()
        scaler.step(optimizer)
        scaler.update()
        if not waits or scaler.get_scale() >= scale:
            scheduler.step()
    assert len(audit.rows) == N - 3
    if waits:
        assert healthy(audit) == []
        return
    fault = only(audit)
    assert (fault.name, fault.step) == ("skipped update", 4)
    assert ("3 updates were skipped" if "scaler" in given else "2 times") in fault.seen


@pytest.mark.parametrize("accumulated", [4, 1])
def test_the_run_ends_high_where_batches_were_counted(accumulated):
    schedule, batches = Cosine(0.1, 0.0, N), N
    optimizer, audit = sgd(), Audit(schedule, N)
    scheduler = ScheduleLR(optimizer, schedule)
    audit.attach(optimizer)
    for batch in range(1, batches + 1):
        if batch % accumulated == 0:
            optimizer.step()
            scheduler.step()
    assert (
        accumulated == 1 and healthy(audit) == [] or only(audit).name == "ends high" and "4 times" in only(audit).seen
    )
    assert "ends high" not in [each.name for each in audit.report(finished=False)]


def test_a_run_that_was_stopped_is_noted_and_one_that_was_low_by_then_is_not():
    for steps, notes in ((40, ["ends high"]), (58, [])):
        optimizer, audit = sgd(), Audit(Cosine(0.1, 0.0, N), N)
        audit.attach(optimizer)
        loop(optimizer, ScheduleLR(optimizer, Cosine(0.1, 0.0, N)), steps)
        assert healthy(audit) == notes


@pytest.mark.parametrize(("steps", "kind"), [(N // 3, "fault"), (2, "note"), (1, "note")])
def test_a_few_updates_are_a_part_of_any_schedule(steps, kind):
    audit = Audit(Cosine(0.1, 0.0, N), N)
    for rate in Cosine(0.1, 0.0, N).table(steps).tolist():
        audit.record(rate)
    assert names(audit) == [(kind, "ends high")]


@pytest.mark.parametrize(("make", "expected"), [
    (lambda o: lr_scheduler.CosineAnnealingLR(o, N), [("note", "schedule ended early")]),
    (lambda o: lr_scheduler.PolynomialLR(o, N), [("fault", "schedule ended early")]),
    (lambda o: lr_scheduler.LinearLR(o, 0.1, total_iters=N), []),
])  # fmt: skip
def test_what_a_scheduler_of_torch_does_after_its_end(make, expected):
    optimizer, audit = sgd(), Audit()
    scheduler = make(optimizer)
    audit.attach(optimizer, scheduler)
    loop(optimizer, scheduler, steps=2 * N)
    assert names(audit) == expected


@pytest.mark.parametrize("told", [True, False])
def test_the_schedule_ended_early(told):
    optimizer, audit = sgd(), Audit(Cosine(0.1, 0.0, N), N) if told else Audit()
    audit.attach(optimizer)
    loop(optimizer, ScheduleLR(optimizer, Cosine(0.1, 0.0, N)), steps=2 * N)
    assert (only(audit).name, only(audit).step) == ("schedule ended early", N)


def test_the_schedule_ended_early_where_more_steps_were_told_than_it_has():
    optimizer, audit = sgd(), Audit(Cosine(0.1, 0.0, N // 2), N)
    audit.attach(optimizer)
    loop(optimizer, lr_scheduler.CosineAnnealingLR(optimizer, N // 2))  # rises again
    assert only(audit).name == "schedule ended early"


def two_groups(low=1e-3, high=0.1):
    parts = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr} for lr in (low, high)]
    return torch.optim.SGD(parts)


def test_groups_that_were_given_one_rate():
    optimizer, audit = two_groups(), Audit(OneCycle(0.1, N), N)
    audit.attach(optimizer)
    loop(optimizer, lr_scheduler.OneCycleLR(optimizer, 0.1, N, cycle_momentum=False), steps=N - 1)
    faults = {each.name: each for each in audit.report().faults}
    assert faults["groups differ"].step == 0 and "same rate for all" in faults["groups differ"].seen


@pytest.mark.parametrize("factors", [None, [0.01, 1.0]])
def test_groups_that_keep_their_ratio_are_healthy(factors):
    optimizer, audit = two_groups(), Audit(Cosine(0.1, 0.0, N), N, factors=factors)
    audit.attach(optimizer)
    loop(optimizer, ScheduleLR(optimizer, Cosine(0.1, 0.0, N), relative=True))
    assert healthy(audit) == []


@pytest.mark.parametrize("told", [True, False], ids=["schedule", "tell-tale"])
def test_groups_that_warm_up_from_0_are_known_to_an_audit_that_comes_later(told):
    optimizer = two_groups()
    scheduler = lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, step / 10))
    audit = Audit(warmup(Constant(0.1), 10), N) if told else Audit()
    audit.attach(optimizer, scheduler)
    loop(optimizer, scheduler)
    assert healthy(audit) == ["first update at rate 0"]


def test_groups_of_a_log_that_warm_up_from_0_are_healthy():
    audit = Audit()
    for rate in np.linspace(0.0, 0.1, N).tolist():
        audit.record([rate, rate / 10])
    assert healthy(audit) == ["first update at rate 0"]


def test_the_schedule_may_be_that_of_any_group():
    optimizer, audit = two_groups(0.1, 0.2), Audit(Cosine(0.1, 0.0, N), N)
    audit.attach(optimizer)
    loop(optimizer, lr_scheduler.CosineAnnealingLR(optimizer, N))
    assert healthy(audit) == []


@pytest.mark.parametrize("told", [True, False], ids=["schedule", "tell-tale"])
def test_equal_groups_that_drift_apart(told):
    optimizer, audit = two_groups(0.1, 0.1), Audit(Linear(0.1, 0.0, N), N) if told else Audit()
    factors = [lambda step: 1 - step / N, lambda step: (1 - step / N) ** 2]
    audit.attach(optimizer)
    loop(optimizer, lr_scheduler.LambdaLR(optimizer, factors))
    assert [each.kind for each in audit.report() if each.name == "groups differ"] == ["fault" if told else "note"]


def test_a_frozen_group_has_the_factor_0():
    optimizer, audit = two_groups(0.0, 0.1), Audit(Cosine(0.1, 0.0, N), N, factors=[0, 1])
    audit.attach(optimizer)
    loop(optimizer, lr_scheduler.CosineAnnealingLR(optimizer, N))
    assert healthy(audit) == []


def test_groups_that_have_other_shares_than_was_meant():
    optimizer, audit = two_groups(), Audit(Cosine(0.1, 0.0, N), N, factors=[0.1, 1.0])
    audit.attach(optimizer)
    loop(optimizer, ScheduleLR(optimizer, Cosine(0.1, 0.0, N), relative=True))
    assert only(audit).name == "groups differ" and "0.001 for group 0 where its share would be 0.01" in only(audit).seen


@pytest.mark.parametrize(("factors", "used", "times"), [
    ([1, 10], [0.1, 1], 0.1), ([0.25, 1, 3], [0.25 / 3, 1 / 3, 1], 1 / 3), ([0.1, 1], [1, 10], 10), ([0, 1], [0, 2], 2),
    ([0.5], [1], 2), ([1, 10], [1, 10], None), ([0.25, 1, 3], [0.25, 1, 3], None), ([0.1, 1], [0.1, 1], None),
])  # fmt: skip
def test_each_group_is_compared_with_its_share_of_the_schedule(factors, used, times):
    schedule = warmup(Linear(0.1, 0.01, N - 8), 8, start=0.01)
    audit = Audit(schedule, N, factors=factors)
    for rate in schedule.table(N).tolist():
        audit.record([rate * each for each in used])
    if times is None:
        assert healthy(audit) == []
    else:
        assert only(audit).name == "rate scaled" and f" {times:.6g} times its share of the schedule" in only(audit).seen


def test_a_share_of_a_schedule_that_ends_high_is_no_run_that_does():
    audit = Audit(Linear(0.1, 0.06, N), factors=[0.1, 2])
    for rate in Linear(0.1, 0.06, N).table(N - 6).tolist():
        audit.record([0.1 * rate, 2 * rate])
    assert healthy(audit) == []


def test_a_schedule_for_each_group():
    schedules = [Cosine(0.1, 0.0, N), Constant(0.01)]
    for swapped in (False, True):
        optimizer, audit = two_groups(0.1, 0.01), Audit(schedules, N)
        audit.attach(optimizer)
        loop(optimizer, ScheduleLR(optimizer, schedules[::-1] if swapped else schedules))
        assert bool(audit.report().faults) == swapped


@pytest.mark.parametrize("told", [True, False], ids=["schedule", "tell-tale"])
@pytest.mark.parametrize("follows", [True, False])
def test_a_group_that_is_added_later(follows, told):
    optimizer, schedule = sgd(), Cosine(0.1, 0.0, N)
    audit = Audit(schedule, N) if told else Audit()
    scheduler = ScheduleLR(optimizer, schedule) if follows else None
    audit.attach(optimizer)
    for step in range(N):
        if step == 10:
            own = {} if follows else {"lr": 0.3}
            optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))], **own})
        if scheduler is None:
            optimizer.param_groups[0]["lr"] = schedule(step)  # a line that was written for one group
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
    found = [each for each in audit.report().faults if each.name == "groups differ"]
    assert bool(found) != follows
    if found:
        assert found[0].step == 10 and "does not change with the others" in found[0].seen


def test_a_group_that_is_added_later_with_a_share_of_its_own():
    optimizer, audit = sgd(), Audit()
    scheduler = lr_scheduler.CosineAnnealingLR(optimizer, N)
    audit.attach(optimizer, scheduler)
    loop(optimizer, scheduler, 10)
    lower = optimizer.param_groups[0]["lr"] / 10
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lower})
    loop(optimizer, scheduler, N - 10)
    assert names(audit) == []


def test_momentum_that_is_cycled_unasked():
    cycle = OneCycle(0.1, N)
    for asked, given, expected in ((True, None, ["note"]), (True, 0.9, ["fault"]), (False, None, []), (False, 0.9, [])):
        optimizer, audit = sgd(momentum=0.9), Audit(cycle, N, momentum=given)
        audit.attach(optimizer)
        loop(optimizer, lr_scheduler.OneCycleLR(optimizer, 0.1, N, cycle_momentum=asked), steps=N - 1)
        assert [each.kind for each in audit.report() if each.name == "momentum changed"] == expected


def test_momentum_that_follows_the_schedule_that_was_meant():
    cycle = OneCycle(0.1, N)
    optimizer, audit = adam(), Audit(cycle, N, momentum=cycle.momentum())
    audit.attach(optimizer)
    loop(optimizer, ScheduleLR(optimizer, cycle, momentum=cycle.momentum()))
    assert healthy(audit) == []


def descend(lr, steps=N, curvature=1.0):
    """Gradient descent on a parabola, with the losses."""
    weight = torch.nn.Parameter(torch.ones(1))
    optimizer, audit = torch.optim.SGD([weight], lr=lr), Audit(Constant(lr), steps)
    audit.attach(optimizer)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = curvature * (weight**2).sum() / 2
        loss.backward()
        optimizer.step()
        audit.loss(loss)
    return audit


@pytest.mark.parametrize(("lr", "found"), [
    (0.1, []), (1.5, []), (0.01, []), (2.1, ["loss diverges"]), (1e6, ["loss diverges"]), (1e-6, ["rate too low"]),
])  # fmt: skip
def test_what_the_loss_says_of_the_rate(lr, found):
    assert [each.name for each in descend(lr).report()] == found


def test_a_loss_that_is_no_number_is_found_at_its_update():
    fault = only(descend(1e30))
    assert fault.name == "loss diverges" and fault.step < 5 and "inf" in fault.seen


@pytest.mark.parametrize(("losses", "expected"), [
    ([0.69 + 0.5 * i / N for i in range(N)], [("note", "loss diverges")]),  # as that of a generator
    ([math.nan if i % 10 else 1 / (i + 1) for i in range(N)], []),  # logged at every tenth update
    ([math.inf if i in (7, N - 1) else 1 / (i + 1) for i in range(N)], []),  # skipped by mixed precision
    ([math.nan if i > 40 else 1 / (i + 1) for i in range(N)], [("fault", "loss diverges")]),
    ([math.nan if i > 40 or i == 7 else 1 / (i + 1) for i in range(N)], [("fault", "loss diverges")]),
    ([math.nan] * N, [("fault", "loss diverges")]),
])  # fmt: skip
def test_a_loss_that_rises_a_little_or_is_missing_is_no_fault(losses, expected):
    audit = Audit()
    for loss in losses:
        audit.record(0.1, loss=loss)
    assert names(audit) == expected


def test_a_plateau_and_a_resumed_plateau_are_healthy():
    from lrcourse import Plateau

    optimizer, audit = sgd(), Audit()
    scheduler = PlateauLR(optimizer, Plateau(0.1, patience=2), warmup=10)
    audit.attach(optimizer, scheduler)
    for batch in range(N):
        optimizer.step()
        scheduler.step()
        if batch % 5 == 4:
            scheduler.update(1.0)
    assert set(healthy(audit)) <= {"first update at rate 0"}


def test_parameter_groups_are_healthy():
    model = torch.nn.Linear(2, 1)
    optimizer, audit = (
        torch.optim.SGD(parameter_groups(model, 0.1, factors={"bias": 2.0})),
        Audit(Cosine(0.2, 0.0, N), N),
    )
    audit.attach(optimizer)
    loop(optimizer, ScheduleLR(optimizer, Cosine(0.2, 0.0, N), relative=True))
    assert healthy(audit) == []


def test_a_rate_in_a_tensor_is_read():
    optimizer, audit = sgd(torch.tensor(0.1)), Audit(Cosine(0.1, 0.0, N), N)
    scheduler = ScheduleLR(optimizer, Cosine(0.1, 0.0, N))
    audit.attach(optimizer, scheduler)
    loop(optimizer, scheduler)
    assert healthy(audit) == []


# The audit itself


def test_a_report_is_read_by_people_and_by_programs():
    audit = Audit(Cosine(0.1, 0.0, N), N)
    for _ in range(N):
        audit.record(0.1, momentum=0.9, loss=1.0)
    report = audit.report()
    assert [each.name for each in report] == ["schedule never applied", "rate too low"] and len(report) == 2
    text = str(report)
    assert text.startswith(
        "60 updates, 0 to 59, rates 0.1 to 0.1: 1 fault, 1 note\n\nFAULT: schedule never applied, step 1"
    )
    assert "NOTE: rate too low" in text and all(f"{word}:" in text for word in ("seen", "why", "fix"))
    assert str(Audit().report()) == "no update was seen: no fault found"


def test_every_fault_has_its_words():
    for name, (why, fix) in FAULTS.items():
        assert len(why.split()) >= 8 and len(fix.split()) >= 8, name
        assert Finding(name, "note", "x").why == why


@pytest.mark.parametrize(("call", "said"), [
    (lambda: Audit(WORD), "schedule must be a Schedule or a list of them, got '0.1'"),
    (lambda: Audit([]), "schedule must be a Schedule or a list of them"),
    (lambda: Audit([Constant(0.1)] * 2).record([0.1] * 3), "schedule must be one for each of the 3 parameter groups"),
    (lambda: Audit(factors=[1]).attach(two_groups()), "factors must be one for each of the 2 parameter groups"),
    (lambda: Audit(factors=[-1]), "factors must be zero or positive"),
    (lambda: Audit(momentum=1.5), "momentum must be at least 0 and below 1"),
    (lambda: Audit().attach(object()), "optimizer must be a PyTorch optimizer, got 'object'"),
    (lambda: Audit().loss(torch.zeros(2)), "value must be a number or a tensor with one"),
    (lambda: Audit().record(-0.1), "rate must be zero or positive, got -0.1"),
    (lambda: [audit := Audit(), audit.record(0.1, step=3), audit.record(0.1, step=3)], "step must be at least 4"),
    (lambda: [audit := Audit(), audit.record(0.1), audit.loss("low")], "value must be a number"),
])  # fmt: skip
def test_what_is_wrong_is_said(call, said):
    with pytest.raises(ValueError, match=said.replace("(", r"\(")):
        call()


def test_an_audit_is_for_one_optimizer_and_notes_each_update_once():
    optimizer, audit = sgd(), Audit(Cosine(0.1, 0.0, N), N)
    scheduler = ScheduleLR(optimizer, Cosine(0.1, 0.0, N))
    for _ in range(2):  # as a trainer does that is asked to go on
        audit.attach(optimizer)
        audit.attach(optimizer)
        loop(optimizer, scheduler, N // 2)
    assert audit.rows.step == list(range(N)) and healthy(audit) == []
    with pytest.raises(ValueError, match="optimizer must be the one that the audit has"):
        audit.attach(sgd())
    with pytest.raises(ValueError, match="step must be after 59"):
        audit.attach(optimizer, step=3)


def test_an_audit_that_is_detached_notes_no_more_and_may_be_attached_again():
    optimizer, audit = sgd(), Audit()
    audit.detach()
    audit.attach(optimizer)
    optimizer.step()
    audit.detach()
    audit.detach()
    assert not optimizer._optimizer_step_pre_hooks
    optimizer.step()
    assert len(audit.rows) == 1
    audit.attach(optimizer, step=2)
    optimizer.step()
    assert audit.rows.step == [0, 2]


def test_a_rate_that_is_far_too_large_is_found_though_the_loss_falls_back():
    audit = Audit()
    for i in range(N):
        audit.record(30.0, loss=0.7 if i < 2 else 4000.0 / i**2 + 10)
    assert only(audit).name == "loss diverges"


def test_a_long_run_is_judged_in_seconds():
    schedule = Cosine(0.1, 0.0, 100_000)
    steps = np.arange(100_000)
    for used, name in (
        (steps // 250, "stepped per epoch"), (np.minimum(2 * steps, 100_000), "several steps per update"),
        (np.abs(steps - 50_000), "another schedule"), (steps - (steps > 70_000) * 20_000, "resumed at the wrong step"),
        (0.9 * steps + (steps % 1000) ** 0.5, "another schedule"),
    ):  # fmt: skip
        audit = Audit(schedule, 100_000)
        for rate in schedule(used).tolist():
            audit.record(rate)
        assert only(audit).name == name
