"""The search spaces: bounds, how many values of each axis a search shows, and what a grid costs."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrcourse.space import Choice, LogUniform, Space, Uniform

untyped: Any = Space  # takes what a type checker refuses

PLANE = Space({"lr": LogUniform(1e-4, 1.0), "momentum": Uniform(0.5, 0.99)})
positive = st.floats(1e-8, 1e8)
searches = st.sampled_from([Space.grid, lambda s, n: s.random(n, seed=n), lambda s, n: s.quasi_random(n, seed=n)])


@settings(deadline=None)
@given(positive, positive, st.integers(1, 20), searches)
def test_every_value_is_within_its_bounds(a, b, n, search):
    lo, hi = sorted((a, b))
    if lo == hi:
        hi *= 2
    space = Space({"log": LogUniform(lo, hi), "line": Uniform(-hi, lo), "choice": Choice("xyz")})
    for setting in search(space, n):
        assert lo <= setting["log"] <= hi and -hi <= setting["line"] <= lo and setting["choice"] in "xyz"
        assert list(setting) == ["log", "line", "choice"] and type(setting["log"]) is type(setting["line"]) is float


@settings(deadline=None)
@given(st.integers(1, 5), st.integers(1, 4))
def test_a_grid_costs_k_to_the_d_and_shows_k_values_of_each_axis(k, d):
    grid = Space({f"axis {i}": Uniform(0.0, 1.0) for i in range(d)}).grid(k)
    assert len(grid) == k**d == len({tuple(setting.values()) for setting in grid})
    for i in range(d):
        assert len({setting[f"axis {i}"] for setting in grid}) == k


@pytest.mark.parametrize("search, distinct", [
    (PLANE.grid(3), 3), (PLANE.random(9, seed=0), 9), (PLANE.quasi_random(9, seed=0), 9),
])  # fmt: skip
def test_nine_trials_show_three_values_of_each_axis_on_a_grid_and_nine_off_it(search, distinct):
    assert len(search) == 9
    for name in PLANE.axes:
        assert len({setting[name] for setting in search}) == distinct


def test_a_four_by_three_grid():
    grid = Space({"batch": Choice([16, 32, 64, 128]), "lr": Choice([0.1, 0.01, 0.001])}).grid()
    assert len(grid) == 12
    assert grid[:2] == [{"batch": 16, "lr": 0.1}, {"batch": 16, "lr": 0.01}]


@settings(deadline=None)
@given(positive, st.floats(1.001, 1e6), st.integers(2, 30))
def test_a_log_grid_has_both_ends_and_equal_ratios(lo, ratio, n):
    values = np.array(LogUniform(lo, lo * ratio).points(n))
    assert values[0] == lo and values[-1] == lo * ratio
    np.testing.assert_allclose(values[1:] / values[:-1], ratio ** (1 / (n - 1)))


def test_points_per_axis_and_the_middle_for_one():
    grid = PLANE.grid({"lr": 1, "momentum": 2})
    assert [setting["momentum"] for setting in grid] == [0.5, 0.99]
    assert grid[0]["lr"] == pytest.approx(0.01)
    assert Uniform(0.0, 1.0).points(1) == [0.5]


def test_random_decades_and_choices_are_equally_likely():
    space = Space({"lr": LogUniform(1e-4, 1.0), "batch": Choice([8, 16, 32])})
    trials = space.random(6000, seed=1)
    decades = np.bincount([int(4 + np.log10(t["lr"])) for t in trials])
    batches = [sum(t["batch"] == b for t in trials) for b in (8, 16, 32)]
    np.testing.assert_allclose(decades, 1500, rtol=0.1)
    np.testing.assert_allclose(batches, 2000, rtol=0.1)


@pytest.mark.parametrize("search", [PLANE.random, PLANE.quasi_random])
def test_the_seed_decides_and_a_longer_search_begins_with_the_shorter(search):
    assert search(8, seed=3) == search(8, seed=3) != search(8, seed=4)
    assert search(16, seed=3)[:8] == search(8, seed=3)
    assert search(0, seed=3) == []


def test_quasi_random_leaves_smaller_gaps_than_random():
    def widest_gap(trials):
        return np.diff(np.sort([0.5, *(t["momentum"] for t in trials), 0.99])).max()

    wins = [widest_gap(PLANE.quasi_random(32, s)) < widest_gap(PLANE.random(32, s)) for s in range(20)]
    assert all(wins)


@pytest.mark.parametrize("make, message", [
    (lambda: Uniform(1.0, 1.0), "lo must be below hi = 1.0, got 1.0: "),
    (lambda: Uniform(0.0, float("inf")), "hi must be a finite number, got inf: "),
    (lambda: LogUniform(0.0, 1.0), "lo must be positive, got 0.0: "),
    (lambda: LogUniform(1.0, 0.1), "lo must be below hi = 0.1, got 1.0: "),
    (lambda: Choice([]), r"values must be one or more different values, got \(\): "),
    (lambda: Choice([1, 2, 1]), r"values must be one or more different values, got \(1, 2, 1\): "),
    (lambda: Space({}), "axes must be a dict of at least one axis, got {}: "),
    (lambda: untyped({"lr": [0.1, 1.0]}), r"axes\['lr'\] must be Uniform, LogUniform or Choice, got \[0.1, 1.0\]: "),
    (lambda: PLANE.grid(0), "points must be a whole number, at least 1, got 0: "),
    (lambda: PLANE.grid({"lr": 3}), "points must be a dict with 'momentum', got {'lr': 3}: "),
    (lambda: PLANE.random(-1, seed=0), "n must be a whole number, at least 0, got -1: "),
])  # fmt: skip
def test_bad_input_names_the_argument_the_value_and_the_fix(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_only_quasi_random_needs_scipy():
    search = "import sys, lrcourse.space as s; s.Space({'x': s.Choice([1])}).random(2, 0)"
    code = f"{search}; assert 'scipy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
