"""Adaptive methods with schedules: late bursts come where the stability limit says; decay, not warm-up, tames them."""

import math

import numpy as np
import pytest
import torch

from lrcourse import Constant, Cosine, Exponential, Plateau, warmup
from lrcourse.optimizers import Adagrad, Adam, AMSGrad, RMSprop
from lrcourse.surfaces import Ravine

RATE, RHO, STEEP = 0.05, 0.99, 20.0
RAVINE = Ravine(steep=STEEP, gentle=0.1)


def distances(optimizer, steps, start=(-4.0, 0.8)):
    """How far from the floor before each update, and sigma across after it."""
    theta, rows = np.array(start), []
    for _ in range(steps):
        before = abs(theta[1])
        theta = optimizer.step(theta, RAVINE.gradient(*theta))
        memory = optimizer.state["params"]
        rows.append((before, math.sqrt((memory.total if hasattr(memory, "total") else memory.v)[1])))
    return np.array(rows).T


def test_the_distance_grows_from_the_step_at_which_the_effective_rate_passes_two_over_the_curvature():
    distance, sigma = distances(RMSprop(RATE, rho=RHO), 600)
    over = np.flatnonzero(RATE / sigma > 2 / STEEP)
    first = over[0]
    assert distance[first] < 1e-100  # it had arrived
    assert np.all(np.diff(distance[100:first]) <= 0)
    assert np.all(np.diff(distance[first : first + 100]) > 0)
    assert distance[first:].max() > 0.2


def test_the_crossing_is_where_forgetting_alone_puts_it():
    _, sigma = distances(RMSprop(RATE, rho=RHO), 600)
    crossing = np.argmax(RATE / sigma > 2 / STEEP)
    predicted = 99 + 2 * math.log(sigma[99] * (2 / STEEP) / RATE) / -math.log(RHO)
    assert abs(crossing - predicted) <= 1


@pytest.mark.parametrize("optimizer", [Adagrad(0.5), AMSGrad(RATE)], ids=["Adagrad", "AMSGrad"])
def test_what_does_not_forget_does_not_burst(optimizer):
    distance, _ = distances(optimizer, 2000)
    assert distance[200:].max() < 1e-4


def worst_late_loss(plan, steps=2000):
    rng = np.random.default_rng(3)
    theta = np.stack([rng.uniform(-6, -2, 8), rng.uniform(0.3, 1, 8)])
    optimizer, worst = RMSprop(plan, rho=RHO), np.zeros(8)
    for t in range(steps):
        theta = optimizer.step(theta, RAVINE.gradient(*theta))
        worst = np.maximum(worst, RAVINE(*theta)) if t >= 1500 else worst
    return worst


def test_decay_calms_the_end_and_warm_up_does_not():
    constant = worst_late_loss(Constant(RATE))
    assert np.all(worst_late_loss(Cosine(RATE, 0.0, 2000)) < constant / 10)
    assert np.all(worst_late_loss(warmup(Constant(RATE), steps=200)) > constant / 2)


def test_a_decay_as_fast_as_the_forgetting_prevents_bursts_and_a_cosine_does_not():
    fast, _ = distances(RMSprop(Exponential(RATE, RHO**0.5), rho=RHO), 2000)
    cosine, _ = distances(RMSprop(Cosine(RATE, 0.0, 2000), rho=RHO), 2000)
    assert fast[200:].max() < 1e-50
    assert cosine[200:].max() > 0.1


def test_momentum_of_nine_tenths_raises_the_limit_nineteenfold():
    """Without forgetting of v Adam on a parabola is heavy-ball descent at the effective rate."""
    for factor, stable in ((0.98, True), (1.02, False)):
        x, m = 1.0, 0.0
        for _ in range(4000):
            m = 0.9 * m + 0.1 * STEEP * x
            x -= factor * (2 / STEEP) * 19 * m
        assert (abs(x) < 1) == stable


@pytest.mark.parametrize("steps_per_cut", [2, 4])
def test_the_plateau_of_the_course_is_torchs_with_one_more_patience(steps_per_cut):
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.Adam([weight], lr=0.1)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.3, patience=steps_per_cut - 1)
    ours = Plateau(0.1, factor=0.3, patience=steps_per_cut)
    for loss in np.random.default_rng(0).normal(1, 0.1, 30):
        theirs.step(loss)
        assert optimizer.param_groups[0]["lr"] == pytest.approx(ours.update(loss), rel=1e-12)
    assert ours.lr < 0.1


def test_the_expected_best_of_k_random_rates_is_the_mean_over_all_subsets():
    """The closed form of the chapter against drawing every subset."""
    from itertools import combinations

    loss, accuracy, total = np.array([0.5, 0.2, 0.9, 0.4]), np.array([0.6, 0.9, 0.3, 0.7]), 4
    for k in range(1, total + 1):
        chance = [math.comb(total - 1 - j, k - 1) / math.comb(total, k) for j in range(total)]
        subsets = [accuracy[min(chosen, key=lambda i: loss[i])] for chosen in combinations(range(total), k)]
        assert accuracy[loss.argsort()] @ chance == pytest.approx(np.mean(subsets))


def test_adam_keeps_two_numbers_per_weight():
    optimizer = Adam()
    optimizer.step(np.zeros((4, 3)), np.ones((4, 3)))
    assert sum(np.size(each) for each in vars(optimizer.state["params"]).values()) == 2 * 12
