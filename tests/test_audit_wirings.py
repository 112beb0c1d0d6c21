"""Every fault that an audit knows has a wiring in PyTorch that shows it, and the same wiring as its fix has it."""

import copy
import warnings
from collections.abc import Callable

import pytest
import torch

from lrcourse import Constant, Cosine, OneCycle, warmup
from lrcourse.audit import Audit
from lrcourse.audit.faults import FAULTS
from lrcourse.torch import ScheduleLR

N = 48
COSINE = Cosine(0.1, 0.0, N)
torch_schedulers = torch.optim.lr_scheduler
Wiring = Callable[[bool], Audit]


def adam(*rates: float) -> torch.optim.Optimizer:
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in rates or (0.1,)]
    for group in groups:
        group["params"][0].grad = torch.ones(1)  # type: ignore[index]
    return torch.optim.Adam(groups)


def cosine(optimizer: torch.optim.Optimizer, steps: int = N) -> torch.optim.lr_scheduler.LRScheduler:
    return torch_schedulers.CosineAnnealingLR(optimizer, steps)


def train(optimizer, scheduler, batches=N, accumulated=1, every=1, audit=None):
    """A loop of `batches`; the scheduler moves on `every` so many of them."""
    audit = audit or Audit(COSINE, N)
    audit.attach(optimizer)
    for batch in range(1, batches + 1):
        if batch % accumulated == 0:
            optimizer.step()
        if batch % every == 0:
            scheduler.step()
    return audit


def per_epoch(wrong):
    optimizer = adam()
    return train(optimizer, cosine(optimizer), every=8 if wrong else 1)


def per_batch(wrong):
    optimizer = adam()
    return train(optimizer, cosine(optimizer), 4 * N, accumulated=4, every=1 if wrong else 4)


def before_the_optimizer(wrong):
    optimizer = adam()
    scheduler = cosine(optimizer)
    if wrong:
        scheduler.step()
    return train(optimizer, scheduler)


def from_the_second_update_on(wrong):
    optimizer, audit = adam(), Audit(COSINE, N)
    scheduler = cosine(optimizer)
    if wrong:
        train(optimizer, scheduler, 1, every=2, audit=audit)
    return train(optimizer, scheduler, N - 1, audit=audit)


def of_another_optimizer(wrong):
    optimizer = adam()
    return train(optimizer, cosine(adam() if wrong else optimizer))


def beside_a_plateau(wrong):
    optimizer, audit = adam(), Audit(COSINE, N)
    scheduler, plateau = cosine(optimizer), torch_schedulers.ReduceLROnPlateau(optimizer, patience=0)
    for _ in range(6):
        train(optimizer, scheduler, 8, audit=audit)
        if wrong:
            plateau.step(1.0)
    return audit


def another_schedule(wrong):
    optimizer = adam()
    return train(optimizer, torch_schedulers.ExponentialLR(optimizer, 0.95) if wrong else cosine(optimizer))


def rates_as_factors(wrong):
    optimizer = adam(0.1 if wrong else 1.0)
    return train(optimizer, torch_schedulers.LambdaLR(optimizer, COSINE))


def built_for_batches(wrong):
    optimizer = adam()
    return train(optimizer, cosine(optimizer, 4 * N if wrong else N), 4 * N, accumulated=4, every=4)


def resumed(wrong):
    first, second = adam(), adam()
    scheduler, again = cosine(first), cosine(second)
    train(first, scheduler, N // 2)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    if wrong:
        again = cosine(second)
    else:
        again.load_state_dict(scheduler.state_dict())
    return train(second, again, N // 2)


def overflow(wrong):
    optimizer, audit = torch.optim.SGD([weight := torch.nn.Parameter(torch.zeros(1))], lr=0.1), Audit(COSINE, N)
    scheduler, scaler = cosine(optimizer), torch.amp.GradScaler("cpu", init_scale=4.0)
    audit.attach(optimizer, scaler=scaler)
    for batch in range(N + 1):
        optimizer.zero_grad()
        scaler.scale(weight.sum() * (float("inf") if batch == 7 else 1.0)).backward()
        scaler.step(optimizer)
        before = scaler.get_scale()
        scaler.update()
        if wrong or scaler.get_scale() >= before:
            scheduler.step()
    return audit


def warm_up_from_zero(wrong):
    optimizer, schedule = adam(), warmup(COSINE, 8, start=0.0 if wrong else 0.1 / 8)
    return train(optimizer, ScheduleLR(optimizer, schedule), N + 8, audit=Audit(schedule, N + 8))


def stopped_for_accumulation(wrong):
    optimizer = adam()
    batches = 4 if wrong else 1
    return train(optimizer, cosine(optimizer), N, accumulated=batches, every=batches)


def trained_on(wrong):
    optimizer = adam()
    return train(optimizer, cosine(optimizer), 2 * N if wrong else N)


def one_rate_for_all(wrong):
    optimizer, audit = adam(0.001, 0.1), Audit(OneCycle(0.1, N), N)
    audit.attach(optimizer)
    peaks = 0.1 if wrong else [0.001, 0.1]
    scheduler = torch_schedulers.OneCycleLR(optimizer, peaks, N, cycle_momentum=False)
    return train(optimizer, scheduler, N - 1, audit=audit)


def momentum_unasked(wrong):
    optimizer = adam()
    scheduler = torch_schedulers.OneCycleLR(optimizer, 0.1, N, cycle_momentum=wrong)
    return train(optimizer, scheduler, N - 1, audit=Audit(OneCycle(0.1, N), N, momentum=0.9))


def descent(rate):
    """Gradient descent on a parabola."""
    weight, audit = torch.nn.Parameter(torch.ones(1)), Audit(Constant(rate), N)
    optimizer = torch.optim.SGD([weight], lr=rate)
    audit.attach(optimizer)
    for _ in range(N):
        optimizer.zero_grad()
        loss = (weight**2).sum() / 2
        loss.backward()
        optimizer.step()
        audit.loss(loss)
    return audit


WIRINGS: dict[str, Wiring] = {
    "stepped per epoch": per_epoch, "several steps per update": per_batch,
    "scheduler before the optimizer": before_the_optimizer, "one update late": from_the_second_update_on,
    "schedule never applied": of_another_optimizer, "two schedulers": beside_a_plateau,
    "another schedule": another_schedule, "rate scaled": rates_as_factors, "stretched": built_for_batches,
    "resumed at the wrong step": resumed, "skipped update": overflow, "first update at rate 0": warm_up_from_zero,
    "ends high": stopped_for_accumulation, "schedule ended early": trained_on, "groups differ": one_rate_for_all,
    "momentum changed": momentum_unasked, "loss diverges": lambda wrong: descent(2.5 if wrong else 0.1),
    "rate too low": lambda wrong: descent(1e-5 if wrong else 0.1),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_in_its_wiring_and_in_no_healthy_one(name):
    with warnings.catch_warnings(action="ignore"):  # torch warns of the order
        wrong, right = (WIRINGS[name](each).report() for each in (True, False))
    assert [each.name for each in wrong] == [name]
    assert [each.name for each in right] == []
