"""What the chapter says of a hand-written decay; here the same loop, without the network, is held to it."""

from typing import Any

import numpy as np
import pytest
import torch

from lrcourse import Constant, Cosine, Step
from lrcourse.data import moons
from lrcourse.torch import LogicNet, ScheduleLR, train

STEPS, EVERY, GAMMA, LR = 1000, 50, 0.99, 0.01


def optimizer_without_a_model() -> torch.optim.Optimizer:
    return torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=LR)


def by_hand(decay_now) -> tuple[np.ndarray, np.ndarray]:
    """The rate each update used, and the rate noted at the end of the loop's body."""
    optimizer = optimizer_without_a_model()
    used, noted = [], []
    for i in range(STEPS):
        used.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if decay_now(i):
            optimizer.param_groups[0]["lr"] *= GAMMA
        noted.append(optimizer.param_groups[0]["lr"])
    return np.array(used), np.array(noted)


def by_step_lr() -> tuple[np.ndarray, np.ndarray]:
    optimizer = optimizer_without_a_model()
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=EVERY, gamma=GAMMA)
    used, noted = [], []
    for _ in range(STEPS):
        used.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
        noted.append(optimizer.param_groups[0]["lr"])
    return np.array(used), np.array(noted)


def decays(rates: np.ndarray) -> np.ndarray:
    return np.log(rates / LR) / np.log(GAMMA)


def article(i: int) -> bool:
    return i % EVERY == 0


def test_the_loop_by_hand_is_one_decay_ahead_except_where_step_lr_has_just_caught_up():
    ahead = decays(by_hand(article)[0]) - decays(by_step_lr()[0])
    expected = (np.arange(STEPS) % EVERY != 0).astype(float)
    np.testing.assert_allclose(ahead, expected, atol=1e-9)
    assert expected.sum() == 980


def test_decays_before_each_update_are_rounded_up_by_hand_and_down_by_step_lr():
    t = np.arange(STEPS)
    np.testing.assert_allclose(decays(by_hand(article)[0]), np.ceil(t / EVERY), atol=1e-9)
    np.testing.assert_allclose(decays(by_step_lr()[0]), np.floor(t / EVERY), atol=1e-9)


def test_the_last_update_has_twenty_decays_behind_it_by_hand_and_nineteen_with_step_lr():
    assert by_hand(article)[0][-1] == pytest.approx(LR * GAMMA**20, rel=1e-12)
    assert by_step_lr()[0][-1] == pytest.approx(LR * GAMMA**19, rel=1e-12)


@pytest.mark.parametrize("used, noted", [by_hand(article), by_step_lr()], ids=["by hand", "StepLR"])
def test_a_list_filled_at_the_end_of_the_body_holds_the_rate_of_the_next_update(used, noted):
    np.testing.assert_array_equal(noted[:-1], used[1:])
    assert not np.array_equal(noted, used)


def test_the_mended_loop_equals_step_lr_and_the_pure_function():
    used, _ = by_hand(lambda i: (i + 1) % EVERY == 0)
    np.testing.assert_allclose(used, by_step_lr()[0], rtol=1e-12)
    np.testing.assert_allclose(used, Step(LR, EVERY, GAMMA).table(STEPS), rtol=1e-12)


def test_training_applies_what_the_chapter_plots():
    model = LogicNet().double()
    optimizer = torch.optim.Adam(model.parameters(), lr=LR)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=EVERY, gamma=GAMMA)
    applied = train(model, optimizer, moons(20, noise=0.2), steps=120, schedule=scheduler).lrs
    np.testing.assert_array_equal(applied, by_step_lr()[0][:120])


def resumed_rate(build, stop: int) -> float:
    """The rate right after a restart with the scheduler's state and without the optimizer's."""
    first, second = optimizer_without_a_model(), optimizer_without_a_model()
    scheduler, resumed = build(first), build(second)
    for _ in range(stop):
        first.step()
        scheduler.step()
    resumed.load_state_dict(scheduler.state_dict())
    return second.param_groups[0]["lr"]


def test_only_the_pure_schedule_survives_the_loss_of_the_optimizer():
    plan = Step(LR, EVERY, 0.5)
    assert resumed_rate(lambda o: ScheduleLR(o, plan), stop=120) == plan(120) == LR / 4
    assert resumed_rate(lambda o: torch.optim.lr_scheduler.StepLR(o, EVERY, 0.5), stop=120) == LR


def test_a_list_gives_each_parameter_group_its_own_rates():
    model: Any = LogicNet().double()
    groups = [{"params": model[0].parameters()}, {"params": model[2].parameters()}]
    body = Constant(0.0).then(Cosine(0.005, 0.0, steps=20), at=5)
    head = Cosine(0.05, 0.0, steps=25)
    frozen = model[0].weight.detach().clone()
    run = train(model, torch.optim.Adam(groups), moons(20), steps=5, schedule=[body, head])
    assert torch.equal(model[0].weight, frozen)
    np.testing.assert_array_equal(run.lrs, np.stack([body.table(5), head.table(5)], axis=1))
