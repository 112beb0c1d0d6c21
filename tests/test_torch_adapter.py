"""ScheduleLR on real optimizers: what is applied, what a resumed run applies, and how torch's schedulers compare."""

import copy
import functools
import io
import os
import subprocess
import sys
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler

from lrcourse import (
    SGDR,
    Constant,
    Cosine,
    Cyclic,
    Exponential,
    Lambda,
    Linear,
    MultiStep,
    OneCycle,
    Polynomial,
    Schedule,
    Step,
    warmup,
)
from lrcourse.audit import Audit
from lrcourse.torch import LogicNet, ScheduleLR
from tests.every_schedule import every_fourth, every_schedule, halve

untyped: Any = ScheduleLR  # takes what a type checker refuses

STEPS = 20
SCHEDULES = every_schedule(15)
MOMENTUM = OneCycle(0.1, STEPS).momentum()


def test_no_schedule_is_forgotten():
    def kinds(value):
        if isinstance(value, Schedule):
            yield type(value)
            for part in vars(value).values():
                yield from kinds(part)

    tried = {kind for schedule in SCHEDULES.values() for kind in kinds(schedule)}
    assert tried == {kind for kind in Schedule.kinds.values() if kind.__module__.startswith("lrcourse.")}


@dataclass
class Training:
    """A small network on two groups; SGD for even names, AdamW for odd ones, so both kinds of momentum occur."""

    model: torch.nn.Module
    optimizer: torch.optim.Optimizer
    scheduler: ScheduleLR

    @classmethod
    def build(cls, name, lr=0.1):
        torch.manual_seed(0)
        model = LogicNet().double()
        groups = [{"params": list(model[0].parameters())}, {"params": list(model[2].parameters())}]
        kind = torch.optim.SGD if list(SCHEDULES).index(name) % 2 == 0 else torch.optim.AdamW
        optimizer = kind(groups, lr=lr)
        return cls(model, optimizer, ScheduleLR(optimizer, [SCHEDULES[name], Constant(0.01)], momentum=MOMENTUM))

    def update(self, step):
        """One update on data that only depends on the step; returns the rates and momenta it used."""
        rng = np.random.default_rng(step)
        x, y = torch.tensor(rng.normal(size=(4, 2))), torch.tensor(rng.integers(2, size=4))
        self.optimizer.zero_grad()
        torch.nn.functional.cross_entropy(self.model(x), y).backward()
        used = [[group["lr"], momentum_of(group)] for group in self.optimizer.param_groups]
        self.optimizer.step()
        self.scheduler.step()
        return used

    def finish(self, start=0):
        """The trace of the updates from `start` on, and the weights after the last."""
        trace = [self.update(step) for step in range(start, STEPS)]
        return trace, [weight.tolist() for weight in self.model.parameters()]

    def state(self):
        return {part: getattr(self, part).state_dict() for part in ("model", "optimizer", "scheduler")}

    def load(self, state, order=("model", "optimizer", "scheduler")):
        for part in order:
            getattr(self, part).load_state_dict(state[part])
        return self


def momentum_of(group):
    return group["betas"][0] if "betas" in group else group["momentum"]


def saved(state):
    file = io.BytesIO()
    torch.save(state, file)
    return file.getvalue()


def loaded(data):
    return torch.load(io.BytesIO(data), weights_only=True)


@functools.cache
def checkpoints(name):
    """The uninterrupted run: what it saved before each update, its trace and its last weights."""
    training = Training.build(name)
    states, trace = [], []
    for step in range(STEPS):
        states.append(saved(training.state()))
        trace.append(training.update(step))
    states.append(saved(training.state()))
    return states, trace, [weight.tolist() for weight in training.model.parameters()]


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int64])
def test_an_optimizer_may_have_its_rate_from_numpy(kind):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=kind(1))
    scheduler = ScheduleLR(optimizer, Linear(0.5, 0.0, 2))
    assert optimizer.param_groups[0]["lr"] == 0.5
    optimizer.step()
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] == 0.25


@pytest.mark.parametrize("name", SCHEDULES)
def test_applied_rates_and_momenta_are_the_tables(name):
    trace = np.array(Training.build(name).finish()[0])
    np.testing.assert_array_equal(trace[:, 0, 0], SCHEDULES[name].table(STEPS))
    np.testing.assert_array_equal(trace[:, 1, 0], np.full(STEPS, 0.01))
    np.testing.assert_array_equal(trace[:, :, 1], np.stack([MOMENTUM.table(STEPS)] * 2, axis=1))


@pytest.mark.parametrize("name", SCHEDULES)
def test_resuming_at_every_step_changes_nothing(name):
    states, trace, weights = checkpoints(name)
    orders = [("model", "optimizer", "scheduler"), ("scheduler", "optimizer", "model")]
    for step, state in enumerate(states):
        resumed = Training.build(name, lr=99.0).load(loaded(state), orders[step % 2])
        assert resumed.finish(step) == (trace[step:], weights), f"resumed before update {step}"


def resume_in_this_process(source, target):
    """What the new process of the next test does: every schedule at every saved step, all from one file."""
    states = torch.load(source, weights_only=True)
    finished = {
        name: [Training.build(name, lr=99.0).load(loaded(state)).finish(step) for step, state in of_name.items()]
        for name, of_name in states.items()
    }
    torch.save(finished, target)


@pytest.mark.slow
def test_resuming_in_a_new_process_changes_nothing(tmp_path):
    runs = {name: checkpoints(name) for name in SCHEDULES}
    steps = range(STEPS + 1)
    torch.save({name: {step: states[step] for step in steps} for name, (states, *_) in runs.items()}, tmp_path / "in")
    code = f"import sys; from {__name__} import *; resume_in_this_process(*sys.argv[1:])"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code, str(tmp_path / "in"), str(tmp_path / "out")]
    subprocess.run(command, env=environment, check=True)
    finished = torch.load(tmp_path / "out", weights_only=True)
    for name, (_, trace, weights) in runs.items():
        assert finished[name] == [(trace[step:], weights) for step in steps], name


def optimizer_of(groups=1, kind=torch.optim.SGD, **settings):
    return kind([{"params": [torch.nn.Parameter(torch.zeros(1))]} for _ in range(groups)], **{"lr": 0.1, **settings})


def applied(optimizer, scheduler, steps):
    """The rate that each of the next updates uses (first group)."""
    rates = []
    for _ in range(steps):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step()
    return np.array(rates)


def test_resuming_across_the_table_of_rates_changes_nothing():
    schedule = warmup(Cosine(0.1, 0.0, 3000), 10)
    for start in range(1020, 1030):
        optimizer = optimizer_of(lr=99.0)
        scheduler = ScheduleLR(optimizer, schedule)
        scheduler.load_state_dict({**scheduler.state_dict(), "last_epoch": start})
        np.testing.assert_array_equal(applied(optimizer, scheduler, 1100), schedule.table(start + 1100)[start:])


def test_a_loaded_state_reaches_the_optimizer_at_once():
    optimizer = optimizer_of(momentum=0.5)
    scheduler = ScheduleLR(optimizer, Linear(1.0, 0.0, 4), momentum=Linear(0.0, 0.8, 4))
    scheduler.load_state_dict({**scheduler.state_dict(), "last_epoch": 3})
    assert optimizer.param_groups[0]["lr"] == 0.25 == scheduler.get_last_lr()[0]
    assert optimizer.param_groups[0]["momentum"] == pytest.approx(0.6)


@pytest.mark.parametrize("saved_with, loaded_into", [
    (Cosine(0.1, 0.0, 10), Cosine(0.1, 0.0, 11)),
    (Cosine(0.1, 0.0, 10), Linear(0.1, 0.0, 10)),
    (Cyclic(0.1, 1.0, 5, scale_fn=halve), Cyclic(0.1, 1.0, 5)),
    (Cyclic(0.1, 1.0, 5, scale_fn=halve), Cyclic(0.1, 1.0, 5, scale_fn=every_fourth)),
    (warmup(Cosine(0.1, 0.0, 10), 2), warmup(Cosine(0.1, 0.0, 10), 3)),
    (Constant(0.1) + Constant(0.5), Constant(0.1) * Constant(0.5)),
    ([Constant(0.1)], [Constant(0.2)]),
])  # fmt: skip
def test_the_state_of_another_schedule_is_refused(saved_with, loaded_into):
    state = ScheduleLR(optimizer_of(), saved_with).state_dict()
    optimizer = optimizer_of()
    other = ScheduleLR(optimizer, loaded_into)
    before = optimizer.param_groups[0]["lr"]
    with pytest.raises(ValueError, match="schedule must be the one this scheduler has.*build it with the saved"):
        other.load_state_dict(state)
    assert (other.last_epoch, optimizer.param_groups[0]["lr"]) == (0, before)


def power(k, t, base=0.9):
    return 0.1 * base ** (k * t)


def enclosing(k):
    return lambda t: float(np.sum(k)) / (1 + t)


def with_default(k):
    return lambda t, k=k: k / (1 + t)


def calling_itself(k):
    def fn(t):
        return k if t == 0 else 0.9 * fn(t - 1)

    return fn


@pytest.mark.parametrize("make", [
    enclosing, with_default, calling_itself,
    lambda k: functools.partial(power, k), lambda k: functools.partial(power, 1.0, base=k),
    lambda k: functools.partial(functools.partial(power, k), base=np.float32(0.5)),
    lambda k: enclosing(np.float64(k)), lambda k: enclosing(np.int64(10 * k)), lambda k: enclosing([[k, 2.0], (k, 1)]),
])  # fmt: skip
def test_functions_of_one_name_are_told_apart_by_the_numbers_that_they_hold(make):
    def scheduler(k):
        return ScheduleLR(torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1), Lambda(make(k)))

    file = io.BytesIO()
    torch.save(scheduler(0.1).state_dict(), file)
    file.seek(0)
    state = torch.load(file, weights_only=True)
    scheduler(0.1).load_state_dict(state)
    with pytest.raises(ValueError, match="schedule must be the one this scheduler has"):
        scheduler(0.2).load_state_dict(state)


def test_a_function_that_holds_no_numbers_is_known_by_its_name():
    for held in (np.ones(3), torch.ones(3), {"run": 3}, np.sqrt, torch.nn.Linear(1, 1), object()):
        first, again = (
            ScheduleLR(torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1), Lambda(holding(each)))
            for each in (held, copy.copy(held))
        )
        again.load_state_dict(first.state_dict())


def holding(value):
    return lambda t: 0.1 if value is not None else 0.2


def test_the_state_of_another_momentum_is_refused():
    state = ScheduleLR(optimizer_of(), Constant(0.1), momentum=Constant(0.9)).state_dict()
    with pytest.raises(ValueError, match="momentum must be the one this scheduler has"):
        ScheduleLR(optimizer_of(), Constant(0.1)).load_state_dict(state)


def test_the_state_of_a_torch_scheduler_is_refused():
    state = lr_scheduler.ExponentialLR(optimizer_of(), 0.9).state_dict()
    with pytest.raises(ValueError, match="schedule must be the one"):
        ScheduleLR(optimizer_of(), Exponential(0.1, 0.9)).load_state_dict(state)


def test_a_rate_edited_by_hand_lasts_until_the_next_step():
    schedule = Exponential(0.1, 0.9)
    builds = {"ours": lambda o: ScheduleLR(o, schedule), "torch": lambda o: lr_scheduler.ExponentialLR(o, 0.9)}
    after = {}
    for name, build in builds.items():
        optimizer = optimizer_of()
        scheduler = build(optimizer)
        applied(optimizer, scheduler, 3)
        optimizer.param_groups[0]["lr"] = 7.0
        after[name] = applied(optimizer, scheduler, 5)
    assert after["ours"].tolist() == [7.0, *schedule.table(8)[4:]]
    assert after["torch"] == pytest.approx(7.0 * 0.9 ** np.arange(5))  # torch's curve starts again from the edit


def test_an_initial_lr_left_by_another_scheduler_is_not_read():
    ours, theirs = optimizer_of(), optimizer_of()
    for optimizer in (ours, theirs):
        optimizer.param_groups[0]["initial_lr"] = 123.0
    assert applied(ours, ScheduleLR(ours, Step(0.1, 2, 0.5)), 4).tolist() == [0.1, 0.1, 0.05, 0.05]
    assert applied(theirs, lr_scheduler.LambdaLR(theirs, lambda t: 1.0), 1) == [123.0]


def test_each_group_gets_its_schedule_and_get_last_lr_tells():
    optimizer = optimizer_of(groups=3)
    schedules = [Constant(0.3), Linear(1.0, 0.0, 4), Step(0.1, 1, 0.5)]
    scheduler = ScheduleLR(optimizer, schedules)
    for step in range(6):
        expected = [schedule(step) for schedule in schedules]
        assert [group["lr"] for group in optimizer.param_groups] == expected
        assert scheduler.get_last_lr() == scheduler.get_lr() == expected
        optimizer.step()
        scheduler.step()


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW])
def test_momentum_is_left_alone_unless_asked_for(kind):
    optimizer = optimizer_of(kind=kind)
    before = momentum_of(optimizer.param_groups[0])
    applied(optimizer, ScheduleLR(optimizer, Cyclic(0.01, 0.1, 3)), 10)
    assert momentum_of(optimizer.param_groups[0]) == before


def test_momentum_keeps_the_other_betas():
    optimizer = optimizer_of(kind=torch.optim.AdamW, betas=(0.9, 0.98))
    ScheduleLR(optimizer, Constant(0.1), momentum=[Constant(0.7)])
    assert optimizer.param_groups[0]["betas"] == (0.7, 0.98)


@pytest.mark.parametrize("build, message", [
    (lambda: ScheduleLR(optimizer_of(2), [Constant(0.1)]), r"schedule must be one schedule per parameter group, 2 in "),
    (lambda: ScheduleLR(optimizer_of(2), Constant(0.1), [Constant(0.9)] * 3), r"momentum must be one schedule per par"),
    (lambda: ScheduleLR(optimizer_of(), []), r"schedule must be one schedule per parameter group, 1 in all, got \[\]"),
    (lambda: untyped(optimizer_of(), 0.1), r"schedule must be a Schedule or a list of them, got 0.1"),
    (lambda: untyped(optimizer_of(), [0.1]), r"schedule must be a Schedule or a list of them, got \[0.1\]"),
    (lambda: untyped(optimizer_of(), Constant(0.1), 0.9), r"momentum must be a Schedule or a list of them, got 0.9"),
    (lambda: ScheduleLR(optimizer_of(kind=torch.optim.Adagrad), Constant(0.1), Constant(0.9)),
     r"momentum must be left out for an optimizer without momentum, got 'Adagrad'"),
])  # fmt: skip
def test_bad_arguments_are_named_with_the_fix(build, message):
    with pytest.raises(ValueError, match=f"{message}.*: "):
        build()


def test_a_tensor_rate_is_filled_in_place():
    rate = torch.tensor(0.5, dtype=torch.float64)
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.AdamW([weight], lr=rate, capturable=True, foreach=False)
    schedule = Cosine(0.1, 0.0, 5)
    scheduler = ScheduleLR(optimizer, schedule)
    held = optimizer.param_groups[0]["lr"]
    np.testing.assert_array_equal(applied(optimizer, scheduler, 8), schedule.table(8))
    scheduler.load_state_dict({**scheduler.state_dict(), "last_epoch": 2})
    assert optimizer.param_groups[0]["lr"] is held and held.item() == schedule.table(3)[2]


def test_torch_takes_it_for_a_scheduler_and_warns_only_of_the_wrong_order():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer = optimizer_of()
        scheduler = ScheduleLR(optimizer, Step(0.1, 2, 0.5))
        assert isinstance(scheduler, lr_scheduler.LRScheduler)
        applied(optimizer, scheduler, 5)
        resumed = ScheduleLR(optimizer_of(), Step(0.1, 2, 0.5))
        resumed.load_state_dict(scheduler.state_dict())
        resumed.optimizer.step()
        resumed.step()
    with pytest.warns(UserWarning, match=r"`lr_scheduler.step\(\)` before `optimizer.step\(\)`"):
        ScheduleLR(optimizer_of(), Constant(0.1)).step()


@pytest.mark.parametrize("fused", [False, True])
def test_an_update_that_amp_skips_uses_no_rate(fused):
    schedule = Linear(1.0, 0.0, 8)
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=0.1, fused=fused)
    scheduler = ScheduleLR(optimizer, schedule)
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0, growth_interval=2)
    used = []
    for gradient in [1.0, 1.0, float("inf"), 1.0, float("nan"), float("inf"), 1.0, 1.0]:
        before = weight.item()
        weight.grad = torch.tensor([gradient]) * scaler.get_scale()
        scaler.scale(torch.zeros(1))
        scale = scaler.get_scale()
        scaler.step(optimizer)
        scaler.update()
        if scaler.get_scale() >= scale:
            scheduler.step()
        if weight.item() != before:
            used.append(before - weight.item())
    assert used == pytest.approx(schedule.table(5))


@pytest.mark.parametrize("groups", [1, 10])
@pytest.mark.parametrize("factors", [False, True])
def test_a_step_takes_four_calls_and_an_optimizer_has_no_hook_that_nobody_asked_for(factors, groups):
    lrs = [0.1 * 0.9**i if factors else 0.1 for i in range(groups)]
    optimizer = torch.optim.SGD([{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr} for lr in lrs])
    audit = Audit()
    audit.attach(optimizer)
    audit.detach()
    scheduler = ScheduleLR(optimizer, Cosine(0.1, 0.0, 9), relative=factors)
    for _ in range(2):  # torch looks at the order of the first calls
        optimizer.step()
        scheduler.step()
    assert not optimizer._optimizer_step_pre_hooks and not optimizer._optimizer_step_post_hooks
    called = []
    sys.setprofile(lambda frame, event, _: called.append(frame.f_code.co_name) if event == "call" else None)
    scheduler.step()
    sys.setprofile(None)
    assert called == ["step", "_apply", "at", "set_rates"]
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([Cosine(lr, 0.0, 9)(3) for lr in lrs])


def test_accumulated_gradients_are_one_step():
    schedule = Exponential(0.5, 0.5)
    weight = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    scheduler = ScheduleLR(optimizer, schedule)
    for micro_batch in range(1, 13):
        (weight.sum() / 4).backward()
        if micro_batch % 4 == 0:
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad()
    assert weight.item() == pytest.approx(-schedule.table(3).sum())


# Against torch's own schedulers: same settings, every step of 1,000.


def trace(build, steps=1000, closed_form=False, **settings):
    """The rates and the momenta that a scheduler applies.

    torch's chainable schedulers multiply the rate they find, which adds a rounding error per step. With a step
    number, they use their closed form instead.
    """
    optimizer = optimizer_of(**settings)
    scheduler = build(optimizer)
    rates, momenta = [], []
    for step in range(1, steps + 1):
        rates.append(optimizer.param_groups[0]["lr"])
        momenta.append(momentum_of(optimizer.param_groups[0]))
        optimizer.step()
        if step < steps:  # OneCycleLR refuses the step after its last
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "The epoch parameter", UserWarning)
                scheduler.step(*[step] * closed_form)
    return np.array(rates), np.array(momenta)


def theirs(build, steps=1000, **how):
    return trace(build, steps, **how)[0]


def ours(schedule, steps=1000):
    return trace(lambda optimizer: ScheduleLR(optimizer, schedule), steps)[0]


CLOSED_FORM = {
    "StepLR": (Step(0.1, 30, 0.7), lambda o: lr_scheduler.StepLR(o, 30, 0.7)),
    "MultiStepLR": (
        MultiStep(0.1, [10, 10, 500, 999], 0.3),
        lambda o: lr_scheduler.MultiStepLR(o, [10, 10, 500, 999], 0.3),
    ),
    "ExponentialLR": (Exponential(0.1, 0.99), lambda o: lr_scheduler.ExponentialLR(o, 0.99)),
    "LinearLR": (Linear(0.03, 0.08, 700), lambda o: lr_scheduler.LinearLR(o, 0.3, 0.8, 700)),
    "PolynomialLR": (Polynomial(0.1, 0.0, 700, 2.5), lambda o: lr_scheduler.PolynomialLR(o, 700, 2.5)),
    "CosineAnnealingLR": (Cosine(0.1, 0.001, 1000), lambda o: lr_scheduler.CosineAnnealingLR(o, 1000, 0.001)),
}


@pytest.mark.parametrize("name", CLOSED_FORM)
def test_torch_closed_forms_agree(name):
    schedule, build = CLOSED_FORM[name]
    np.testing.assert_allclose(ours(schedule), theirs(build, closed_form=True), rtol=1e-12)
    # 1,000 chained products, each rounded to 1e-16 of a rate of at most 0.1, stay within 1e-13 of the peak in sum.
    np.testing.assert_allclose(ours(schedule), theirs(build), rtol=0, atol=1e-13)


FUNCTIONS_OF_THE_STEP = {
    "CyclicLR, triangular": (
        Cyclic(0.01, 0.1, 37, 63),
        lambda o: lr_scheduler.CyclicLR(o, 0.01, 0.1, 37, 63, cycle_momentum=False),
    ),
    "CyclicLR, triangular2": (
        Cyclic(0.01, 0.1, 37, mode="triangular2"),
        lambda o: lr_scheduler.CyclicLR(o, 0.01, 0.1, 37, mode="triangular2", cycle_momentum=False),
    ),
    "CyclicLR, exp_range": (
        Cyclic(0.01, 0.1, 37, 63, mode="exp_range", gamma=0.999),
        lambda o: lr_scheduler.CyclicLR(o, 0.01, 0.1, 37, 63, "exp_range", 0.999, cycle_momentum=False),
    ),
    "CosineAnnealingWarmRestarts": (
        SGDR(0.1, 0.001, 50, 2),
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 50, 2, 0.001),
    ),
    "CosineAnnealingWarmRestarts, equal cycles": (
        SGDR(0.1, 0.001, 70),
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 70, 1, 0.001),
    ),
    "LambdaLR": (Lambda(lambda t: 0.1 * 0.95**t), lambda o: lr_scheduler.LambdaLR(o, lambda t: 0.95**t)),
}


@pytest.mark.parametrize("name", FUNCTIONS_OF_THE_STEP)
def test_torch_functions_of_the_step_agree(name):
    schedule, build = FUNCTIONS_OF_THE_STEP[name]
    np.testing.assert_allclose(ours(schedule), theirs(build), rtol=1e-12)


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW])
@pytest.mark.parametrize("anneal", ["cos", "linear"])
@pytest.mark.parametrize("phases", [2, 3])
def test_one_cycle_agrees_in_rate_and_momentum(phases, anneal, kind):
    # final_lr = initial_lr / 100: at torch's default, 4e-7 of the peak, the cosine itself has lost four digits.
    schedule = OneCycle(1.0, 1000, 0.3, 0.04, 0.0004, phases, anneal)
    settings = {"kind": kind} | ({"momentum": 0.9} if kind is torch.optim.SGD else {})
    shape = {"pct_start": 0.3, "anneal_strategy": anneal, "final_div_factor": 100, "three_phase": phases == 3}
    np.testing.assert_allclose(
        trace(lambda o: ScheduleLR(o, schedule, schedule.momentum()), **settings),
        trace(lambda o: lr_scheduler.OneCycleLR(o, 1.0, 1000, **shape), **settings),
        rtol=1e-12,
    )


def test_one_cycle_defaults_agree():
    rates = theirs(lambda o: lr_scheduler.OneCycleLR(o, 1.0, 1000), momentum=0.9)
    np.testing.assert_allclose(ours(OneCycle(1.0, 1000)), rates, rtol=0, atol=1e-15)


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW])
@pytest.mark.parametrize("mode", ["triangular", "triangular2", "exp_range"])
def test_cycles_agree_in_rate_and_momentum(mode, kind):
    schedule = Cyclic(0.01, 0.1, 37, 63, mode, gamma=0.999)
    settings = {"kind": kind} | ({"momentum": 0.9} if kind is torch.optim.SGD else {})
    np.testing.assert_allclose(
        trace(lambda o: ScheduleLR(o, schedule, schedule.momentum()), **settings),
        trace(lambda o: lr_scheduler.CyclicLR(o, 0.01, 0.1, 37, 63, mode, 0.999), **settings),
        rtol=1e-12,
    )


# Where torch differs, on purpose here.


def test_a_product_is_the_product_of_the_curves_and_torch_chaining_is_not():
    def warm(optimizer):
        return lr_scheduler.LinearLR(optimizer, 0.1, 1.0, 50)

    def decay(optimizer):
        return lr_scheduler.CosineAnnealingLR(optimizer, 100, 0.02)

    exact = theirs(warm, 100) / 0.1 * theirs(decay, 100)
    chained = theirs(lambda o: lr_scheduler.ChainedScheduler([warm(o), decay(o)]), 100)
    np.testing.assert_allclose(ours(Linear(0.1, 1.0, 50) * Cosine(0.1, 0.02, 100), steps=100), exact, rtol=1e-12)
    assert np.abs(chained / exact - 1).max() > 0.01


def test_after_its_end_one_cycle_holds_and_torch_rebounds_then_raises():
    schedule = OneCycle(1.0, 100)
    assert ours(schedule, steps=150)[99:].tolist() == [schedule.table(100)[-1]] * 51
    optimizer = optimizer_of(momentum=0.9)
    scheduler = lr_scheduler.OneCycleLR(optimizer, 1.0, 100)
    applied(optimizer, scheduler, 100)
    assert optimizer.param_groups[0]["lr"] > 100 * schedule(100)
    with pytest.raises(ValueError, match="Tried to step 101 times"):
        scheduler.step()


def test_after_its_end_cosine_holds_and_torch_rises_again():
    assert ours(Cosine(0.1, 0.0, 50), steps=101)[50:].tolist() == [0.0] * 51
    assert theirs(lambda o: lr_scheduler.CosineAnnealingLR(o, 50), 101, closed_form=True)[100] == pytest.approx(0.1)


def test_warm_restarts_never_reach_their_end_in_either():
    rates = ours(SGDR(0.1, 0.001, 50))
    torch_rates = theirs(lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 50, 1, 0.001))
    assert rates.min() == pytest.approx(torch_rates.min()) and rates.min() > 0.001


def test_torch_loads_a_custom_cycle_into_a_triangular_one_without_a_word():
    def cyclic(**scale):
        return lr_scheduler.CyclicLR(optimizer_of(), 0.1, 1.0, 5, cycle_momentum=False, **scale)

    other = cyclic()
    other.load_state_dict(cyclic(scale_fn=lambda cycle: 0.5**cycle).state_dict())  # ours: see "is refused" above
    other.optimizer.step()
    other.step()
    assert other.get_last_lr() == [pytest.approx(Cyclic(0.1, 1.0, 5)(1))]


def test_resuming_one_cycle_by_last_epoch_skips_a_rate_in_torch():
    schedule = OneCycle(1.0, 100)
    optimizer = optimizer_of(momentum=0.9)
    applied(optimizer, lr_scheduler.OneCycleLR(optimizer, 1.0, 100), 10)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(schedule(10))
    lr_scheduler.OneCycleLR(optimizer, 1.0, 100, last_epoch=10)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(schedule(11))
