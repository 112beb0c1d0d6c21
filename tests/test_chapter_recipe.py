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


def test_the_best_cells_and_the_good_regions_of_the_full_maps(maps, glued):
    assert glued["recipe-full-runs"] == [25_970] == [sum(losses.size for *_, losses in maps.values())]
    for key, (rows, rates, losses) in maps.items():
        mean = losses.mean(axis=0)
        row, rate = np.argwhere(mean == mean.min())[0]
        near = np.argwhere(mean / mean.min() < 1.05)
        for name, value in {
            "row": rows[row], "rate": rates[rate], "from": rows[near[:, 0].min()], "to": rows[near[:, 0].max()],
        }.items():  # fmt: skip
            assert glued[f"recipe-full-{key}-{name}"] == [float(f"{value:.2g}")], (key, name)
        assert glued[f"recipe-full-{key}-share"] == [pytest.approx(100 * len(near) / mean.size, abs=0.051)]
        assert len(near) / mean.size < 0.05  # small
    rows, _, losses = maps["momentum"]
    nine, best = losses[:, np.abs(rows - 0.9).argmin()], losses.reshape(5, -1)
    minus = paired_difference(best[:, best.mean(0).argmin()], nine[:, nine.mean(0).argmin()])
    assert glued["recipe-full-momentum-minus"] == shown(minus, 3)
    assert minus.low < 0 < minus.high  # level
    good = (losses.mean(0) < 1.05 * losses.mean(0).min()).any(axis=1)
    assert np.diff(good.astype(int)).tolist().count(1) == 1 and good[0]  # from 0 on, a gap, and again


def test_the_trade_off_holds_on_the_full_map_and_few_rates_make_it_look_flatter(cells, maps, glued):
    rows, rates, losses = maps["momentum"]
    fine = steepness(1 - rows, rates[losses.argmin(axis=2)])
    names, coarse = {"np": np, "rates": rates}, []
    exec(functions(cells["early-run"].source, "best_log_rate"), names)
    for first in range(7):
        few = [[names["best_log_rate"](row, rates[first::7]) for row in seed] for seed in losses[:, :, first::7]]
        coarse.append(steepness(1 - rows, 10 ** np.array(few)))
    coarse = np.mean(coarse, axis=0)
    assert glued["recipe-full-slope"] == shown(mean_interval(fine))
    assert glued["recipe-full-slope-few"] == shown(mean_interval(coarse))
    assert glued["recipe-full-slope-gap"] == shown(paired_difference(fine, coarse))
    _, low, high = glued["recipe-full-slope"]
    assert low < 1 < high  # nothing is left to explain
    assert glued["recipe-full-slope-few"][2] < 1 and glued["recipe-full-slope-gap"][1] > 0
    assert abs(glued["recipe-full-slope-few"][0] - glued["recipe-tradeoff-slope"][0]) < 0.05


def test_the_best_rate_follows_the_batch_to_its_end(maps, glued):
    rows, rates, losses = maps["size"]
    favorites = rates[losses.argmin(axis=2)]
    assert glued["recipe-full-size-slope"] == shown(mean_interval(steepness(rows, favorites)))
    assert glued["recipe-full-size-slope"][1] < 1 < glued["recipe-full-size-slope"][2]
    assert rows[-2:].tolist() == [150, 300]
    assert glued["recipe-full-size-last"] == shown(mean_interval(np.log10(favorites[:, -1] / favorites[:, -2])))
    assert glued["recipe-full-size-last"][1] > 0 and favorites.max() < rates[-1]  # the list of rates is long enough
    whole, thirty = (losses[:, row, losses[:, row].mean(0).argmin()] for row in (-1, rows.tolist().index(30)))
    assert glued["recipe-full-size-large"] == shown(paired_difference(whole, thirty))
    assert glued["recipe-full-size-large"][1] > 0 and (
        glued["recipe-full-size-large"][0] < glued["recipe-batch-large"][0]
    )


def test_above_the_best_rate_the_best_decay_grows_and_saves_nothing(maps, glued):
    rows, rates, losses = maps["decay"]
    start = losses.mean(0).min(axis=0).argmin()
    hot = np.flatnonzero((rates >= rates[start]) & (rates <= 10 * rates[start]))
    slope = mean_interval(steepness(rates[hot], rows[losses[:, :, hot].argmin(axis=1)]))
    assert glued["recipe-full-decay-slope"] == shown(slope) and slope.low > 0
    assert glued["recipe-full-decay-hot-rate"] == [pytest.approx(rates[hot[-1]], rel=0.05)]
    assert glued["recipe-full-decay-hot-loss"] == [pytest.approx(losses.mean(0)[:, hot[-1]].min(), abs=0.0051)]
    assert glued["recipe-full-decay-loss"] == [pytest.approx(losses.mean(0).min(), abs=0.0051)]
    assert glued["recipe-full-decay-hot-loss"][0] > 2 * glued["recipe-full-decay-loss"][0]
