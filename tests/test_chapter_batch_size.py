"""The batch size: a growing batch against a falling rate, the linear rule and its limit, and what a batch costs."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from lrcourse import Cosine, MultiStep, batch_schedule, steps_per_epoch
from lrcourse.data import digits, moons
from lrcourse.intervals import paired_difference
from lrcourse.torch import MLP, LogicNet, train

N, EPOCHS = 256, 8


def growing(parts: Sequence[tuple[float, int]]) -> np.ndarray:
    """(rate, batch size) of every update of a run with `EPOCHS` epochs per part."""
    return np.array([part for part in parts for _ in range(EPOCHS * steps_per_epoch(N, part[1]))])


@pytest.mark.parametrize("max_batch, last", [(64, (1.0, 64)), (16, (0.25, 16))])
def test_the_plan_equals_the_loop_with_a_slice(max_batch, last):
    decay = MultiStep(1.0, milestones=[512, 640], gamma=0.25)
    plan, ours = batch_schedule(decay, batch=4, max_batch=max_batch), growing([(1.0, 4), (1.0, 16), last])
    t = np.arange(len(ours))
    np.testing.assert_array_equal(np.column_stack([plan(t), plan.batch(t)]), ours)
    np.testing.assert_allclose(plan(t) / plan.batch(t), decay(t) / 4)


def test_a_smooth_plan_keeps_the_ratio_and_the_limit():
    decay = Cosine(0.4, 0.0, 1000)
    plan, t = batch_schedule(decay, batch=32, max_batch=512), np.arange(1000)
    np.testing.assert_allclose(plan(t) / plan.batch(t), decay(t) / 32)
    sizes = np.asarray(plan.batch(t))
    assert sizes.max() == 512 and (np.diff(sizes) >= 0).all()


def floor(rate: float, batch: int, draws: int = 40_000) -> float:
    """Mean loss that descent settles at on the noisy bowl, after 200 updates to forget the start."""
    rng, theta, losses = np.random.default_rng(0), np.zeros(200), []
    for t in range(200 + draws // 200):
        theta = theta - rate * (theta + rng.normal(size=200) / np.sqrt(batch))
        if t >= 200:
            losses.append(np.mean(theta**2) / 2)
    return float(np.mean(losses))


@pytest.mark.parametrize("rate, batch", [(0.5, 1), (0.5, 4), (0.5, 16), (0.125, 1), (1 / 32, 1)])
def test_the_floor_of_the_bowl_follows_its_formula(rate, batch):
    assert floor(rate, batch) == pytest.approx(rate / (2 * batch * (2 - rate)), rel=0.15)


def ends(parts: Sequence[tuple[float, int]], seed: int) -> float:
    data = moons(N, noise=0.3, seed=seed)
    torch.manual_seed(seed)
    model = LogicNet(hidden=8).double()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    for part, (rate, batch) in enumerate(parts):
        optimizer.param_groups[0]["lr"] = rate
        steps = 4 * steps_per_epoch(N, batch)
        run = train(model, optimizer, data, steps=steps, batch_size=batch, seed=100 * seed + part)
    return run.evaluations.train_loss[-1]


def test_growth_ends_where_decay_does_and_constant_noise_does_not():
    seeds = range(4)
    decay = [ends([(1, 4), (1 / 4, 4), (1 / 16, 4)], seed) for seed in seeds]
    growth = [ends([(1, 4), (1, 16), (1, 64)], seed) for seed in seeds]
    constant = [ends([(1, 4), (1, 4), (1, 4)], seed) for seed in seeds]
    rest, effect = paired_difference(growth, decay), paired_difference(constant, decay)
    assert abs(rest.mean) < 0.01 < 0.03 < effect.mean


@pytest.mark.parametrize("batch, rate, follows", [(16, 1 / 4, True), (64, 1.0, True), (64, 8.0, False)])
def test_the_linear_rule_holds_below_the_limit_of_the_curvature(batch, rate, follows):
    """The loss after 10 epochs, against the loss with a batch of 2 at the rate that the rule starts from."""

    def loss(batch: int, rate: float, seed: int) -> float:
        torch.manual_seed(seed)
        model, data = LogicNet(hidden=8).double(), moons(N, noise=0.3, seed=seed)
        optimizer = torch.optim.SGD(model.parameters(), lr=rate)
        steps = 10 * steps_per_epoch(N, batch)
        return train(model, optimizer, data, steps=steps, batch_size=batch, seed=seed).evaluations.train_loss[-1]

    ratios = [loss(batch, rate, seed) / loss(2, rate * 2 / batch, seed) for seed in range(2)]
    assert (max(ratios) < 1.1 and min(ratios) > 0.9) == follows


def gradient(model: torch.nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return torch.cat([g.flatten() for g in torch.autograd.grad(F.cross_entropy(model(x), y), list(model.parameters()))])


@pytest.mark.parametrize("cuts, equal", [((24, 24, 24, 24), True), ((40, 40, 16), False)])
def test_the_mean_of_the_parts_is_the_whole_only_for_equal_parts(cuts, equal):
    data = digits()
    x, y = torch.tensor(data.x_train[:96]), torch.tensor(data.y_train[:96])
    torch.manual_seed(0)
    model = MLP([64, 16, 10]).double()
    parts = [gradient(model, *pair) for pair in zip(x.split(cuts), y.split(cuts), strict=True)]
    whole, weights = gradient(model, x, y), torch.tensor(cuts).double() / 96
    assert torch.allclose(torch.stack(parts).mean(0), whole) == equal
    assert torch.allclose(weights @ torch.stack(parts), whole)


def test_batch_normalization_looks_at_the_batch_in_training_mode_only():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8)).double()
    x = torch.randn(64, 4, dtype=torch.float64)
    model(x)
    assert not torch.allclose(model(x[:2])[0], model(x)[0])
    model.eval()
    assert torch.allclose(model(x[:2])[0], model(x)[0])
