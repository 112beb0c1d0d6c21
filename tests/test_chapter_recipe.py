"""The recipe: its update rule, its readings of a table of losses, and the verdicts that its text draws."""

import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch

from lrcourse import records
from lrcourse.course import notebooks
from lrcourse.course.experiments import heatmaps
from lrcourse.intervals import mean_interval, paired_difference

CHAPTER = Path(__file__).parents[1] / "book" / "recipe.ipynb"
RATES = np.array([0.01, 0.03, 0.1, 0.3, 1.0])
MOMENTA = np.array([0.9, 0.95, 0.97, 0.99])
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
    exec(functions(cells["scratch-code"].source, "sgd"), names)
    exec(functions(cells["scratch-check"].source, "by_hand", "in_torch"), names)
    exec(functions(cells["recipe-steps"].source, "follow_recipe"), names)
    exec(functions(cells["full-run"].source, "left_out", "log_slopes"), names)
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


def test_a_weight_without_a_gradient_shrinks_to_37_percent_in_one_tau(chapter):
    lr, momentum, decay = 0.01, 0.9, 0.01
    tau = round((1 - momentum) / (lr * decay))
    path = chapter["by_hand"](**{**STILL, "steps": tau}, lr=lr, momentum=momentum, decay=decay)
    assert path[-1, 0] == pytest.approx(np.exp(-1), rel=0.01)


def test_each_seed_is_judged_at_the_rate_that_the_others_choose(chapter):
    losses = np.array([[1.0, 2.0, 9.0], [3.0, 0.5, 9.0], [2.0, 4.0, 9.0]])  # seed, rate
    np.testing.assert_array_equal(chapter["left_out"](losses), [2.0, 3.0, 4.0])


def test_the_slope_of_a_power_is_its_exponent(chapter):
    rates = np.array([0.1, 0.2, 0.4])
    np.testing.assert_allclose(chapter["log_slopes"](rates, [rates**2, 3 / rates]), [2, -1])


def test_the_recipe_finds_the_best_where_the_effective_rate_decides(chapter):
    effective = np.log10(RATES[:, None] / (1 - MOMENTA))
    losses = ((effective + 0.5) ** 2 + 0.1 * np.abs(MOMENTA - 0.97))[:, :, None] + np.array([0.02, 0.0, 0.05])
    i, j, k = chapter["follow_recipe"](losses)
    assert (RATES[i], MOMENTA[j], k) == (0.01, 0.97, 1)


def test_the_text_follows_from_the_numbers(glued):
    for name in ("full-slope", "full-size-slope"):  # in proportion
        _, low, high = glued[f"recipe-{name}"]
        assert low < 1 < high, name
    assert glued["recipe-momentum-steepness"][2] < 1  # not quite, in so short a run
    tops = [glued[f"recipe-momentum-{name}-effective_rate"][0] for name in ("0", "0.85", "0.9", "0.95", "0.97", "0.99")]
    assert 0.5 <= min(tops) <= max(tops) < 1.5
    below, above = glued["recipe-wd-slope"][1], glued["recipe-wd-slope-top"]
    assert below > 0 and -0.5 < above[1] < 0.5 and above[2] < 1  # neither a fall nor one product of the two
    assert glued["recipe-wd-depth"][2] < 0 < glued["recipe-wd-beyond"][1]
    assert glued["recipe-early-rate-tenth"] == [10 * glued["recipe-early-rate-end"][0]]  # as the quiz says
    assert glued["recipe-early-cost-half"][2] < 0.1 < glued["recipe-early-cost-tenth"][1]
    assert glued["recipe-gap-0.01"][2] < 0.1 < glued["recipe-gap-0.3"][1]
    assert glued["recipe-limit"][0] > glued["recipe-early-rate-end"][0]


def test_a_margin_is_not_reached_where_the_text_says_so(glued):
    assert abs(glued["recipe-ways-recipe-random-difference"][0]) < glued["recipe-ways-margin"][0]
    assert glued["recipe-ways-early-recipe-early-random-difference"][2] < -10 * glued["recipe-ways-margin"][0]


@pytest.fixture(scope="module")
def maps():
    """The recorded maps: rows, rates, and the losses of each seed."""
    stored, found = records.read("heatmaps", "full"), {}
    for name in heatmaps.MAPS:
        rows, rates = (np.array(each) for each in heatmaps.axes(name, "full"))
        losses = [np.reshape(each, (len(rows), len(rates))) for each in stored.values(name, "losses")]
        found[name.split()[-1]] = rows, rates, np.array(losses)
    return found


def shown(interval, digits=2):
    """The numbers of an interval as the page prints them."""
    return [round(each, digits) for each in (interval.mean, interval.low, interval.high)]


def steepness(x, rates_of_seeds):
    return np.array([np.polyfit(np.log10(x), np.log10(each), 1)[0] for each in rates_of_seeds])


def test_the_best_rate_follows_momentum_and_batch_size_on_the_recorded_maps(maps, glued):
    assert glued["recipe-full-runs"] == [25_970] == [sum(losses.size for *_, losses in maps.values())]
    for key, x_of, name in (("momentum", lambda rows: 1 - rows, "slope"), ("size", lambda rows: rows, "size-slope")):
        rows, rates, losses = maps[key]
        found = mean_interval(steepness(x_of(rows), rates[losses.argmin(axis=2)]))
        assert glued[f"recipe-full-{name}"] == shown(found)
        assert rates[losses.argmin(axis=2)].max() < rates[-1]  # the list of rates is long enough


def test_the_whole_data_set_as_one_batch_ends_higher(maps, glued):
    rows, _, losses = maps["size"]
    ends = {}
    for batch in (30, 300):
        of_batch, ends[batch] = losses[:, rows.tolist().index(batch)], []
        for seed, row in enumerate(of_batch):
            others = [each for i, each in enumerate(of_batch) if i != seed]
            ends[batch].append(row[np.mean(others, axis=0).argmin()])
    minus = paired_difference(ends[300], ends[30])
    assert glued["recipe-full-size-large"] == shown(minus) and minus.low > 0
