"""The search chapter's grid, its formula and its functions from scratch, held to what it says of them."""

import itertools
import math
from pathlib import Path

import nbformat
import numpy as np
import pytest

from lrcourse.space import Choice, LogUniform, Space, Uniform

CHAPTER = Path(__file__).parents[1] / "book" / "search.ipynb"
ARTICLE: dict[str, list[float]] = {"batch": [4, 8, 16, 32], "lr": [0.1, 0.01, 0.0001]}
BOUNDS = {"lr": (1e-3, 10.0), "weight_decay": (1e-6, 1e-2)}
SQUARE = Space({"x": Uniform(0.0, 1.0), "y": Uniform(0.0, 1.0)})


@pytest.fixture(scope="module")
def chapter():
    """The names that the chapter's own cells define."""
    cells = {cell.id: cell.source for cell in nbformat.read(CHAPTER, 4).cells}
    names = {"glue": lambda *args, **kwargs: None, "np": np, "Space": Space, "Choice": Choice, "LogUniform": LogUniform}
    names |= {"itertools": itertools, "math": math}
    for each in ("chance", "scratch-code", "spaces", "shifted", "searched", "halving"):
        exec(cells[each], names)
    return names


def test_the_article_lists_twelve_settings_and_skips_a_decade(chapter):
    assert chapter["article_values"] == ARTICLE
    grid = chapter["grid_search"](ARTICLE)
    assert len(grid) == 12 == len({tuple(setting.values()) for setting in grid})
    assert {"batch": 4, "lr": 0.1} in grid and {"batch": 32, "lr": 0.0001} in grid
    ratios = np.divide(ARTICLE["lr"][:-1], ARTICLE["lr"][1:])
    np.testing.assert_allclose(ratios, [10, 100])


def test_the_functions_from_scratch_equal_the_package(chapter):
    assert chapter["grid_search"](ARTICLE) == Space({name: Choice(each) for name, each in ARTICLE.items()}).grid()
    space = Space({name: LogUniform(*each) for name, each in BOUNDS.items()})
    for seed in range(3):
        ours, theirs = chapter["random_search"](BOUNDS, 9, seed), space.random(9, seed)
        for name in BOUNDS:
            np.testing.assert_allclose([s[name] for s in ours], [s[name] for s in theirs], rtol=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_nine_trials_try_three_values_of_each_axis_on_a_grid_and_nine_off_it(seed):
    seen = {
        "grid": SQUARE.grid(3), "random": SQUARE.random(9, seed), "quasi-random": SQUARE.quasi_random(9, seed),
    }  # fmt: skip
    for name, expected in {"grid": 3, "random": 9, "quasi-random": 9}.items():
        assert len(seen[name]) == 9
        assert [len({trial[axis] for trial in seen[name]}) for axis in "xy"] == [expected, expected]


def test_nine_draws_from_the_list_of_batch_sizes_show_four_at_most():
    space = Space({"batch": Choice(ARTICLE["batch"])})
    assert max(len({trial["batch"] for trial in space.random(9, seed)}) for seed in range(50)) == 4


def test_fifty_nine_random_trials_reach_the_top_five_percent(chapter):
    needed, chance = chapter["trials_needed"], chapter["chance"]
    assert needed(0.05, 0.95) == 59
    assert chance(59, 0.05) >= 0.95 > chance(58, 0.05)


@pytest.mark.parametrize("p, level", [(0.05, 0.95), (0.10, 0.95), (0.02, 0.90)])
def test_the_formula_agrees_with_simulated_searches_in_any_dimension(chapter, p, level):
    n, searches = chapter["trials_needed"](p, level), 4000
    for d in (1, 3):
        # The best share p of a cube, for a response that grows along the first axis: a slab of thickness p.
        found = (np.random.default_rng(d).random((searches, n, d))[..., 0] < p).any(axis=1).mean()
        spread = np.sqrt(level * (1 - level) / searches)
        assert abs(found - chapter["chance"](n, p)) < 4 * spread


def test_a_linear_search_spends_nine_trials_in_ten_in_the_top_decade():
    linear = np.array([t["lr"] for t in Space({"lr": Uniform(1e-4, 1.0)}).random(5000, seed=0)])
    log = np.array([t["lr"] for t in Space({"lr": LogUniform(1e-4, 1.0)}).random(5000, seed=0)])
    assert np.mean(linear > 0.1) == pytest.approx(0.9, abs=0.02)
    assert np.mean(log > 0.1) == pytest.approx(0.25, abs=0.03)


@pytest.mark.parametrize("sides", [(3, 3), (5, 4), (3, 3, 3)])
def test_a_shifted_grid_has_one_trial_in_each_cell_and_one_value_per_line(chapter, sides):
    space = Space({name: Uniform(0.0, 1.0) for name in "xyz"[: len(sides)]})
    for seed in range(5):
        trials = np.array([[*each.values()] for each in chapter["shifted_grid"](space, sides, seed)])
        cells = {tuple(row) for row in np.floor(trials * sides).astype(int).tolist()}
        assert cells == set(itertools.product(*map(range, sides)))
        assert [len(set(axis.round(9))) for axis in trials.T] == list(sides)


@pytest.mark.parametrize("n, cost", [(27, 63), (81, 189)])
def test_halving_costs_what_the_chapter_says_and_keeps_what_is_best_early(chapter, n, cost):
    looks = []

    def trained(lists, seeds, epochs=9):
        looks.append((len(lists[0]), epochs))
        return np.array([[abs(np.log(trial["lr"])) for trial in trials] for trials in lists])

    chapter["halving"].__globals__["trained"] = trained
    space = chapter["spaces"]["momentum"]
    ends = chapter["halving"](space, n, range(3))
    assert [abs(np.log(each["lr"])) for each in ends] == [
        min(abs(np.log(trial["lr"])) for trial in space.random(n, seed)) for seed in range(3)
    ]
    before = [0, 1, 3]  # epochs that a trial has had when a round begins
    assert sum(left * (epochs - had) for (left, epochs), had in zip(looks, before)) == cost
