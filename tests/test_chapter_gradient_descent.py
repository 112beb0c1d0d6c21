"""Gradient descent: the limits of the rate and what momentum has in two forms, held against `SGD` and torch."""

import numpy as np
import pytest
import torch

from lrcourse.optimizers import SGD
from lrcourse.surfaces import Bowl, Bumpy, descend

CURVATURE = 4.0


def end(rate: float, steps: int = 2000, **settings) -> float:
    """Distance from the minimum of a bowl, from a start at distance 1."""
    return abs(descend(Bowl(CURVATURE, CURVATURE), SGD(lr=rate, **settings), (1.0, 0.0), steps)[-1, 0])


LIMITS = {
    (0.0, False): 2.0,
    (0.5, False): 2 * 1.5,
    (0.9, False): 2 * 1.9,
    (0.5, True): 2 * 1.5 / 2.0,
    (0.9, True): 2 * 1.9 / 2.8,
}


@pytest.mark.parametrize("settings, product", LIMITS.items())
def test_descent_converges_just_below_its_limit_and_diverges_just_above(settings, product):
    momentum, nesterov = settings
    limit = product / CURVATURE
    assert end(0.99 * limit, momentum=momentum, nesterov=nesterov) < 1e-3
    assert not end(1.01 * limit, momentum=momentum, nesterov=nesterov) < 1e3


@pytest.mark.parametrize("rate", [0.05, 0.25, 0.45, 0.55])
def test_each_step_multiplies_the_distance_by_one_minus_rate_times_curvature(rate):
    path = descend(Bowl(CURVATURE, CURVATURE), SGD(lr=rate), (1.0, 0.0), 20)[:, 0]
    np.testing.assert_allclose(path, (1 - rate * CURVATURE) ** np.arange(21), atol=1e-12)


def average(rate: float, beta: float, steps: int) -> np.ndarray:
    """Momentum as the article writes it, an exponentially weighted average of the gradients."""
    theta, velocity, path = 1.0, 0.0, [1.0]
    for _ in range(steps):
        velocity = beta * velocity + (1 - beta) * CURVATURE * theta
        theta -= rate * velocity
        path.append(theta)
    return np.array(path)


def by_torch(steps: int, **settings) -> np.ndarray:
    theta = torch.ones(1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([theta], **settings)
    path = [1.0]
    for _ in range(steps):
        theta.grad = CURVATURE * theta.detach()
        optimizer.step()
        path.append(theta.item())
    return np.array(path)


def test_the_average_at_ten_times_the_rate_is_the_sum():
    summed = by_torch(50, lr=0.02, momentum=0.9)
    np.testing.assert_allclose(average(0.02 / (1 - 0.9), 0.9, 50), summed, rtol=1e-9, atol=1e-12)
    assert not np.allclose(average(0.02, 0.9, 50), summed)


def test_dampening_is_the_average_but_for_the_first_gradient():
    dampened = by_torch(50, lr=0.2, momentum=0.9, dampening=0.9)
    averaged = average(0.2, 0.9, 50)
    assert 1 - dampened[1] == pytest.approx(10 * (1 - averaged[1]))  # enters whole, not as a tenth
    assert not np.allclose(dampened, averaged)


@pytest.mark.parametrize("momentum", [0.5, 0.9])
def test_steep_and_flat_directions_shrink_at_the_same_pace(momentum):
    """On the flat stretch every direction shrinks by the square root of the momentum per step."""
    path = descend(Bowl(1.0, 10.0), SGD(lr=0.25, momentum=momentum), (1.0, 1.0), 120)
    late, later = (np.abs(path[t : t + 20]).max(axis=0) for t in (40, 100))
    np.testing.assert_allclose((later / late) ** (1 / 60), np.sqrt(momentum), rtol=0.02)


def ends(rates: np.ndarray) -> np.ndarray:
    """Where 200 random starts on the bumpy bowl end, rounded to the nearest minimum."""
    surface, points = Bumpy(), np.random.default_rng(0).uniform(-3, 3, size=(2, 200))
    for rate in rates:
        points = points - rate * surface.gradient(*points)
    return np.rint(points)


def test_below_the_limit_of_the_bumps_the_start_decides_and_a_large_falling_rate_finds_the_lowest():
    small, large = ends(np.full(1500, 0.01)), ends(np.full(400, 0.15))
    np.testing.assert_array_equal(small, large)
    assert 0.005 < (small == 0).all(axis=0).mean() < 0.08
    falling = ends(np.linspace(0.6, 0.01, 400))
    assert (falling == 0).all(axis=0).mean() > 0.95
