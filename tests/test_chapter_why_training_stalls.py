"""Why training stalls: what the gradient does when the loss stalls, and what a run must spend to leave a saddle."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from lrcourse import Constant, Cosine, Cyclic, Exponential, Schedule
from lrcourse.data import moons
from lrcourse.optimizers import SGD
from lrcourse.surfaces import Ravine, Saddle, Surface, descend
from lrcourse.torch import LogicNet, noise_scale, sharpness, train


def second_derivatives(surface: Surface, place: np.ndarray, h: float = 1e-5) -> np.ndarray:
    steps = h * np.eye(2)
    return np.stack([surface.gradient(*(place + s)) - surface.gradient(*(place - s)) for s in steps], axis=1) / (2 * h)


@pytest.mark.parametrize(
    "surface, place, signs",
    [(Saddle(), (0, 0), (-1, 1)), (Saddle(), (0, 1), (1, 1)), (Saddle(), (0, -1), (1, 1)), (Ravine(), (0, 0), (1, 1))],
)
def test_eigenvalues_tell_a_saddle_from_a_minimum(surface, place, signs):
    np.testing.assert_allclose(surface.gradient(*place), 0, atol=1e-12)
    values = np.linalg.eigvalsh(second_derivatives(surface, np.array(place, dtype=float)))
    np.testing.assert_array_equal(np.sign(values), signs)


@pytest.mark.parametrize("rate, share", [(0.05, 0.5), (0.1, 0.0), (0.02, 0.8)])
def test_a_step_keeps_its_promise_less_half_of_rate_times_curvature(rate, share):
    surface, place = Ravine(steep=20.0, gentle=0.1), np.array([-8.0, 0.9])
    g = surface.gradient(*place)
    kept = (surface(*place) - surface(*(place - rate * g))) / (rate * g @ g)
    assert kept == pytest.approx(share, abs=1e-3)


def cosines(points: np.ndarray, surface: Surface) -> np.ndarray:
    g = surface.gradient(*points.T)
    return (g[:, 1:] * g[:, :-1]).sum(axis=0) / np.prod(
        [np.linalg.norm(g[:, s], axis=0) for s in (np.s_[1:], np.s_[:-1])], 0
    )


def test_gradients_reverse_between_walls_and_agree_on_the_floor():
    surface = Ravine(steep=20.0, gentle=0.1)
    walls, floor = (descend(surface, SGD(lr=rate), (-8.0, 0.9), 60) for rate in (0.0999, 0.05))
    assert cosines(walls, surface)[-20:].max() < -0.99
    assert cosines(floor, surface)[-20:].min() > 0.99


SCHEDULES = {
    "short sum": (Exponential(0.5, gamma=0.95), False),
    "low cycles": (Cyclic(0.005, 0.05, 50), False),
    "constant": (Constant(0.5), True),
    "cosine": (Cosine(0.5, 0.0, 200), True),
    "high cycles": (Cyclic(0.05, 0.5, 50), True),
}


@pytest.mark.parametrize("schedule, leaves", SCHEDULES.values(), ids=SCHEDULES.keys())
def test_the_sum_of_the_rates_decides_whether_a_network_leaves_the_saddle(schedule: Schedule, leaves: bool):
    """The saddle of all weights zero has a curvature of about -0.45: a thousandth needs a sum of about 15."""
    data = moons(200, noise=0.3, seed=0)
    torch.manual_seed(0)
    model = LogicNet(hidden=8).double()
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(0.001)
    run = train(model, torch.optim.SGD(model.parameters(), lr=1.0), data, steps=200, schedule=schedule)
    assert (schedule.table(200).sum() > 15) == leaves
    assert (run.evaluations.train_loss[-1] < 0.4) == leaves
    assert leaves or run.evaluations.train_loss[-1] > 0.98 * np.log(2)


def late_gradients(rate: float, batch_size: int | None, steps: int = 300) -> tuple[float, float]:
    """Norm of the whole gradient as a share of its first value, and the mean cosine of consecutive batch gradients."""
    data = moons(200, noise=0.3, seed=0)
    torch.manual_seed(0)
    model = LogicNet(hidden=8).double()
    weights, seen = list(model.parameters()), []

    def loss(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        value = F.cross_entropy(outputs, targets)
        if value.requires_grad:
            parts = torch.autograd.grad(value, weights, retain_graph=True)
            seen.append(torch.cat([part.flatten() for part in parts]))
        return value

    def whole() -> float:
        value = F.cross_entropy(model(torch.tensor(data.x_train)), torch.tensor(data.y_train))
        return torch.cat([g.flatten() for g in torch.autograd.grad(value, weights)]).norm().item()

    first = whole()
    train(model, torch.optim.SGD(weights, lr=rate), data, steps=steps, batch_size=batch_size, loss=loss)
    late = torch.stack(seen)[-50:]
    return whole() / first, F.cosine_similarity(late[1:], late[:-1]).mean().item()


def test_norm_and_cosine_sort_the_three_stalls_of_a_network():
    walls, noise, slow = late_gradients(5.0, None), late_gradients(1.0, 4), late_gradients(0.1, None)
    assert walls[0] > 0.1 and walls[1] < -0.8
    assert noise[0] > 0.1 and abs(noise[1]) < 0.3
    assert slow[0] < 0.1 and slow[1] > 0.99


@pytest.mark.parametrize("rate, batch_size, planted", [(0.3, None, True), (0.1, None, False), (1.0, 4, False)])
def test_the_prospect_finds_the_planted_saddle_and_no_other_stall(rate: float, batch_size: int | None, planted: bool):
    """Units that start equal remain so, and the run ends where one unit would: a saddle of the whole network."""
    data = moons(200, noise=0.3, seed=0)
    torch.manual_seed(0)
    model: Any = LogicNet(hidden=8).double()
    if planted:
        first, last = model[0], model[2]
        with torch.no_grad():
            first.weight.copy_(first.weight[:1].expand(8, 2).clone())
            first.bias.copy_(first.bias[:1].expand(8).clone())
            last.weight.copy_(last.weight[:, :1].expand(2, 8).clone())
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    run = train(model, optimizer, data, steps=1000 if planted else 300, batch_size=batch_size)
    loss = run.evaluations.train_loss[-1]
    prospect = noise_scale(model, data).gradient_squared / (sharpness(model, data) * loss)
    assert (prospect < 1e-4) == planted
