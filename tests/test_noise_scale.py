"""The noise scale: exact where it is known in closed form, without bias where it is estimated."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from lrcourse.data import moons
from lrcourse.torch import MLP, LogicNet, NoiseScale, noise_scale, two_batch_noise_scale

DATA = moons(n=40, n_test=10)


def per_example(model, x, y, loss=F.cross_entropy):
    """The gradient of each example, one after the other: shape `(n, weights)`."""
    rows = []
    for i in range(len(x)):
        parts = torch.autograd.grad(loss(model(x[i : i + 1]), y[i : i + 1]), list(model.parameters()))
        rows.append(torch.cat([part.flatten() for part in parts]).numpy())
    return np.array(rows)


def net(seed=0):
    torch.manual_seed(seed)
    return MLP([2, 8, 2], "tanh").double()


def mean_of_normals(n, size, sd, seed=0):
    """Estimate a mean from `n` vectors around 0: ones as inputs, one weight per coordinate."""
    model = torch.nn.Linear(1, size, bias=False).double()
    targets = np.random.default_rng(seed).normal(0, sd, (n, size))
    return model, (np.ones((n, 1)), targets)


def squared_error(outputs, targets):
    return ((outputs - targets) ** 2).sum(1).mean() / 2


def test_of_the_estimate_of_a_mean_it_is_known():
    """With the loss |w - y|² / 2 the gradients are w - y: covariance and noise are those of the targets."""
    model, (x, y) = mean_of_normals(n=500, size=10, sd=3.0)
    w = np.full(10, 2.0)
    found = noise_scale(model, (x, y), squared_error, parameters={"weight": w[:, None]})
    assert found.gradient_squared == pytest.approx(np.sum((w - y.mean(0)) ** 2), rel=1e-12)
    assert found.trace == pytest.approx(y.var(axis=0).sum(), rel=1e-12)
    # and of what the targets were drawn from: 10 · 3² over 10 · 2², within four standard errors
    assert found.trace == pytest.approx(90, abs=4 * 90 * np.sqrt(2 / 5000))
    assert found.simple == pytest.approx(90 / 40, rel=0.2)


def test_of_linear_regression_it_is_known():
    rng = np.random.default_rng(1)
    x, y, w = rng.normal(size=(60, 5)), rng.normal(size=60), rng.normal(size=5)
    gradients = 2 * (x @ w - y)[:, None] * x
    model = torch.nn.Linear(5, 1, bias=False).double()
    found = noise_scale(model, (x, y), "mse", parameters={"weight": w[None]})
    assert found.gradient_squared == pytest.approx(np.sum(gradients.mean(0) ** 2))
    assert found.trace == pytest.approx(np.trace(np.cov(gradients.T, ddof=0)))


def test_of_a_network_it_is_that_of_its_examples_one_by_one():
    model = net()
    gradients = per_example(model, torch.tensor(DATA.x_train), torch.tensor(DATA.y_train))
    found = noise_scale(model, DATA)
    assert found.gradient_squared == pytest.approx(np.sum(gradients.mean(0) ** 2))
    assert found.trace == pytest.approx(gradients.var(0).sum())
    assert found.simple == found.trace / found.gradient_squared


def test_of_attention_it_is_that_of_its_examples_one_by_one():
    torch.manual_seed(0)
    layer = torch.nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
    model = torch.nn.Sequential(torch.nn.Embedding(5, 4), layer, torch.nn.Flatten(), torch.nn.Linear(12, 2)).double()
    x, y = torch.randint(5, (20, 3)), torch.arange(20) % 2
    gradients = per_example(model.eval(), x, y)
    assert noise_scale(model, (x, y)).trace == pytest.approx(gradients.var(0).sum())


@pytest.mark.parametrize("batch_size", [1, 7, 40, 1000])
def test_in_batches_it_is_that_of_the_whole(batch_size):
    whole, parts = noise_scale(net(), DATA), noise_scale(net(), DATA, batch_size=batch_size)
    assert parts.gradient_squared == pytest.approx(whole.gradient_squared)
    assert parts.trace == pytest.approx(whole.trace)


def test_it_is_measured_at_the_weights_that_are_given():
    there = noise_scale(net(0), DATA, parameters=dict(net(1).named_parameters()))
    assert there == noise_scale(net(1), DATA) != noise_scale(net(0), DATA)


def test_what_it_predicts_of_batches_is_what_their_gradients_do():
    """E|G_B|² = |G|² + tr(Σ) / B for batches drawn with replacement: within four standard errors."""
    model = net()
    gradients = per_example(model, torch.tensor(DATA.x_train), torch.tensor(DATA.y_train))
    found, rng = noise_scale(model, DATA), np.random.default_rng(0)
    for batch in (2, 8):
        squares = (gradients[rng.integers(40, size=(4000, batch))].mean(1) ** 2).sum(1)
        error = squares.std() / np.sqrt(len(squares))
        assert squares.mean() == pytest.approx(found.gradient_squared + found.trace / batch, abs=4 * error)


@pytest.mark.parametrize("small, big", [(1, 2), (2, 8), (4, 32)])
def test_two_batches_give_both_parts_without_bias(small, big):
    """G = (1, 1, 1, 1), Σ of trace 4 · 25: means over 4,000 draws, within four standard errors."""
    rng, found = np.random.default_rng(0), []
    for _ in range(4000):
        squares = [np.sum((1 + rng.normal(0, 5 / np.sqrt(size), 4)) ** 2) for size in (small, big)]
        each = two_batch_noise_scale(small, big, *squares)
        found.append((each.gradient_squared, each.trace))
    error = np.std(found, axis=0) / np.sqrt(len(found))
    assert (np.abs(np.mean(found, axis=0) - [4, 100]) < 4 * error).all()
    assert np.min(found) < 0, "without bias means that single ones may be below zero"


def test_two_batches_that_are_one_example_and_all_of_them_give_the_unbiased_covariance():
    gradients = per_example(net(), torch.tensor(DATA.x_train), torch.tensor(DATA.y_train))
    exact, n = noise_scale(net(), DATA), len(gradients)
    each = two_batch_noise_scale(1, n, exact.trace + exact.gradient_squared, exact.gradient_squared)
    assert each.trace == pytest.approx(gradients.var(0, ddof=1).sum())
    assert each.gradient_squared == pytest.approx(exact.gradient_squared - each.trace / n)


def test_without_a_gradient_no_batch_is_large_enough_and_a_negative_estimate_says_nothing():
    assert NoiseScale(0.0, 1.0).simple == math.inf
    assert math.isnan(NoiseScale(-0.1, 1.0).simple) and math.isnan(NoiseScale(0.1, -1.0).simple)


def test_no_trace_is_left():
    model = torch.nn.Sequential(net(), torch.nn.BatchNorm1d(2), torch.nn.Dropout(0.5)).double()
    model[1].eval()
    state = {name: each.clone() for name, each in model.state_dict().items()}
    numbers = torch.get_rng_state()
    assert noise_scale(model, DATA) == noise_scale(model, DATA)
    assert (model.training, model[1].training, model[2].training) == (True, False, True)
    assert all(torch.equal(each, state[name]) for name, each in model.state_dict().items())
    assert all(each.grad is None and each.requires_grad for each in model.parameters())
    assert torch.equal(torch.get_rng_state(), numbers)


@pytest.mark.parametrize("message, arguments", [
    ("loss must be 'cross_entropy' or 'mse'", {"loss": "hinge"}),
    ("batch_size must be .*at least 1", {"batch_size": 0}),
    ("parameters must be keyed by the model's parameters", {"parameters": {"w": torch.zeros(1)}}),
])  # fmt: skip
def test_bad_arguments_are_named(message, arguments):
    with pytest.raises(ValueError, match=message):
        noise_scale(LogicNet(), DATA, **arguments)


@pytest.mark.parametrize("message, arguments", [
    ("big must be larger than small = 8, got 8", {"big": 8}),
    ("small must be .*at least 1", {"small": 0}),
    ("big_square must be zero or positive", {"big_square": -1.0}),
])  # fmt: skip
def test_bad_batches_are_named(message, arguments):
    with pytest.raises(ValueError, match=message):
        two_batch_noise_scale(**{"small": 8, "big": 64, "small_square": 2.0, "big_square": 1.0, **arguments})
