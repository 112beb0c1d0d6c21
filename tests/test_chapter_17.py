"""Chapter 17: its update rule, its readings of a table of losses, and the verdicts that its text draws."""

import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch

from lrcourse import notebooks

CHAPTER = Path(__file__).parents[1] / "book" / "17-recipe.ipynb"
RATES = np.array([0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0])
MOMENTA = np.array([0.0, 0.9, 0.95, 0.97, 0.99])
STILL = {"gradient": lambda t, theta: 0 * theta, "theta": np.ones(1), "steps": 200}


def functions(source: str, *names: str) -> str:
    """The definitions of the named functions in a cell."""
    found = [re.search(rf"^def {name}\(.*?(?=^\S|\Z)", source, re.MULTILINE | re.DOTALL) for name in names]
    return "\n".join(each[0] for each in found if each)


@pytest.fixture(scope="module")
def cells():
    return {cell.id: cell for cell in nbformat.read(CHAPTER, 4).cells}


@pytest.fixture(scope="module")
def chapter(cells):
    names = {"np": np, "torch": torch, "rates": RATES, "momenta": MOMENTA}
    exec(functions(cells["scratch-code"].source, "sgd", "by_hand", "in_torch"), names)
    exec(functions(cells["early-run"].source, "best_log_rate"), names)
    exec(functions(cells["momentum-run"].source, "at_best_rate"), names)
    exec(functions(cells["recipe-run"].source, "follow_recipe"), names)
    return names


@pytest.fixture(scope="module")
def glued():
    """The numbers that the executed notebook puts into the text: a mean and the ends of its interval."""
    return {name: notebooks.numbers(text) for name, text in notebooks.glued(CHAPTER).items()}


@pytest.mark.parametrize("lr, momentum, decay", [(0.1, 0.0, 0.0), (0.1, 0.9, 0.0), (0.05, 0.97, 0.01)])
def test_the_update_equals_pytorch(chapter, lr, momentum, decay):
    noise = np.random.default_rng(0).normal(size=(60, 3))
    run = {"gradient": lambda t, theta: theta + noise[t], "theta": np.ones(3), "steps": 60}
    setting = {"lr": lr, "momentum": momentum, "decay": decay}
    ours, theirs = chapter["by_hand"](**run, **setting), chapter["in_torch"](**run, **setting)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_a_steady_gradient_moves_the_weights_by_the_effective_rate(chapter, momentum):
    steady = {"gradient": lambda t, theta: np.ones(1), "theta": np.zeros(1), "steps": 400}
    path = chapter["by_hand"](**steady, lr=0.05, momentum=momentum, decay=0.0)
    assert path[-2, 0] - path[-1, 0] == pytest.approx(0.05 / (1 - momentum), rel=1e-9)


def test_momentum_speeds_up_the_decay_of_pytorch_and_not_of_keras(chapter):
    import keras

    shrunk = {}
    for momentum in (0.0, 0.9):
        weight = keras.Variable(np.ones(1))
        optimizer = keras.optimizers.SGD(0.1, momentum=momentum, weight_decay=1e-2)
        for _ in range(200):
            optimizer.apply([keras.ops.zeros(1)], [weight])
        shrunk["keras", momentum] = float(weight.numpy()[0])
        path = chapter["by_hand"](**STILL, lr=0.1, momentum=momentum, decay=1e-2)
        shrunk["torch", momentum] = path[-1, 0]
    assert shrunk["keras", 0.9] == pytest.approx(shrunk["keras", 0.0], rel=1e-6)
    assert shrunk["keras", 0.0] == pytest.approx((1 - 1e-3) ** 200, rel=1e-4)
    assert np.log(shrunk["torch", 0.9]) / np.log(shrunk["torch", 0.0]) == pytest.approx(10, rel=0.1)


@pytest.mark.parametrize("center", [-2.3, -1.0, -0.4])
def test_the_parabola_finds_the_bottom_of_a_valley(chapter, center):
    losses = np.exp(0.3 * (np.log10(RATES) - center) ** 2 - 1)
    assert chapter["best_log_rate"](losses) == pytest.approx(center, abs=1e-9)


def test_the_best_rate_is_chosen_on_the_mean_and_not_seed_by_seed(chapter):
    losses = np.array([[1.0, 3.0], [1.9, 1.9], [3.0, 1.2]])
    np.testing.assert_array_equal(chapter["at_best_rate"](losses), [1.9, 1.9])


def test_the_recipe_finds_the_best_where_the_effective_rate_decides(chapter):
    effective = np.log10(RATES[:, None] / (1 - MOMENTA))
    losses = ((effective + 0.5) ** 2 + 0.1 * np.abs(MOMENTA - 0.97))[:, :, None] + np.array([0.02, 0.01, 0.0, 0.05])
    i, j, k = chapter["follow_recipe"](losses)
    assert (RATES[i], MOMENTA[j], k) == (0.01, 0.97, 2)


def test_the_verdicts_follow_from_the_numbers(glued):
    _, low, high = glued["recipe-tradeoff-slope"]
    assert 0.75 < low < high < 1  # the best rate goes with 1 - momentum, nearly
    assert glued["recipe-tradeoff-high"][0] < 2 * glued["recipe-tradeoff-low"][0]
    assert glued["recipe-early-shift"][1] > 0  # the short run prefers a larger rate
    assert glued["recipe-early-cost"][1] > 0
    assert glued["recipe-momentum-0.99"][1] > 0 > glued["recipe-momentum-0.95"][2]
    assert glued["recipe-momentum-0"][1] < 0 < glued["recipe-momentum-0"][2]
    assert glued["recipe-cyclical-fixed"][2] < 0  # at one peak, cycled momentum is ahead
    for key in ("recipe-cyclical-085", "recipe-cyclical-08"):  # but not with a peak for each
        assert glued[key][2] > 0
    assert glued["recipe-wd-best-large"][0] > glued["recipe-wd-best-middle"][0]
    assert glued["recipe-wd-0.01"][1] > 0 and glued["recipe-wd-deep-0.01"][1] > 0
    assert glued["recipe-batch-rate-300"][0] > glued["recipe-batch-rate-10"][0]
    assert glued["recipe-batch-large"][1] > 0
    assert glued["recipe-gap-0.3"][1] > 0 and glued["recipe-gap-0.003"][2] < 0.1
    assert glued["recipe-gain"][1] < 0 < glued["recipe-gain"][2]  # whole runs: the order is worth nothing
    assert glued["recipe-gain-fast"][1] > 0  # short runs: it is
    assert glued["recipe-regret-recipe-fast"][1] > glued["recipe-regret-recipe"][2]
