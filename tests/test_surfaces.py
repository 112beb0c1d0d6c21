"""The surfaces: gradients against finite differences, minima, the divergence threshold, and descent."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrcourse.optimizers import SGD, Adam, ScheduleFreeSGD
from lrcourse.surfaces import Bowl, Bumpy, Ravine, RegressionLoss, Rosenbrock, Saddle, descend

untyped: Any = descend  # takes what a type checker refuses

rng = np.random.default_rng(0)
X = rng.uniform(0, 2, size=(100, 1))
LINE = RegressionLoss(X, 4 + 3 * X + rng.normal(size=(100, 1)))
SURFACES = [Bowl(2.0, 7.0), Ravine(), Saddle(), Bumpy(), Rosenbrock(), LINE]
each_surface = pytest.mark.parametrize("surface", SURFACES, ids=lambda surface: type(surface).__name__)


@each_surface
def test_gradient_equals_finite_differences(surface):
    x, y = rng.uniform(-2, 2, size=(2, 4, 5))
    h = 1e-5
    expected = [(surface(x + h, y) - surface(x - h, y)) / (2 * h), (surface(x, y + h) - surface(x, y - h)) / (2 * h)]
    np.testing.assert_allclose(surface.gradient(x, y), expected, rtol=1e-6, atol=1e-6)


@each_surface
def test_shapes_numbers_and_arrays(surface):
    x, y = rng.uniform(-2, 2, size=(2, 3, 4))
    values, gradients = surface(x, y), surface.gradient(x, y)
    assert values.shape == (3, 4) and gradients.shape == (2, 3, 4)
    assert surface(x[1, 2], y[1, 2]) == pytest.approx(values[1, 2])
    np.testing.assert_allclose(surface.gradient(x[1, 2], y[1, 2]), gradients[:, 1, 2])


@each_surface
def test_no_point_of_a_fine_grid_is_lower_than_the_minimum(surface):
    x, y = np.meshgrid(np.linspace(-5, 5, 401), np.linspace(-5, 5, 401))
    lowest = surface(*surface.minimum)
    assert np.all(surface(x, y) >= lowest - 1e-12)
    np.testing.assert_allclose(surface.gradient(*surface.minimum), 0, atol=1e-10)


@settings(deadline=None)
@given(st.floats(0.1, 10), st.floats(0.1, 10))
def test_a_bowl_converges_below_its_threshold_and_diverges_above(a, b):
    bowl = Bowl(a, b)
    below, above = (descend(bowl, SGD(k * bowl.threshold), (1.0, 1.0), 100) for k in (0.95, 1.05))
    assert bowl(*below[-1]) < bowl(*below[0]) < bowl(*above[-1])


def test_at_the_threshold_the_steep_axis_jumps_to_and_fro():
    path = descend(Bowl(1.0, 4.0), SGD(Bowl(1.0, 4.0).threshold), (1.0, 1.0), 4)
    np.testing.assert_array_equal(path[:, 1], [1, -1, 1, -1, 1])


def test_divergence_ends_in_inf_without_a_warning(recwarn):
    assert not np.isfinite(descend(Rosenbrock(), SGD(1.0), (2.0, 2.0), 50)[-1]).any()
    assert not recwarn.list


def test_the_ravine_crawls_along_its_floor_at_the_rate_its_walls_allow():
    ravine = Ravine()
    path = descend(ravine, SGD(1.9 / ravine.steep), (-5.0, 1.0), 200)
    assert abs(path[-1, 1]) < 1e-8 and path[-1, 0] < -2.0  # the walls are settled, the floor is hardly begun
    adaptive = descend(ravine, Adam(0.1), (-5.0, 1.0), 200)
    assert np.abs(adaptive[-1]).max() < 0.1


def test_the_saddle_holds_a_start_on_its_line_and_no_other():
    on_the_line, beside = (descend(Saddle(), SGD(0.1), (1.0, y), 400)[-1] for y in (0.0, -1e-6))
    np.testing.assert_allclose(on_the_line, [0, 0], atol=1e-10)
    np.testing.assert_allclose(beside, [0, -1], atol=1e-6)


def test_the_start_decides_which_of_the_bumps_minima_is_reached():
    ends = {tuple(descend(Bumpy(), SGD(0.05), (x, 0.0), 500)[-1].round(1)) for x in (0.2, 1.2, -1.8)}
    assert ends == {(0.0, 0.0), (1.0, 0.0), (-1.9, 0.0)}


def test_the_regressions_minimum_is_the_least_squares_line():
    design = np.hstack([np.ones_like(X), X])
    np.testing.assert_allclose(LINE.minimum, np.linalg.lstsq(design, LINE.y, rcond=None)[0])
    np.testing.assert_allclose(descend(LINE, SGD(0.3), (0.0, 0.0), 500)[-1], LINE.minimum, rtol=1e-6)


def test_a_path_has_the_start_and_one_point_per_step_and_leaves_the_optimizer_alone():
    optimizer = SGD(0.01, momentum=0.9)
    first, second = (descend(Rosenbrock(), optimizer, (-1.0, 1.0), 30) for _ in range(2))
    assert first.shape == (31, 2) and optimizer.t == 0
    np.testing.assert_array_equal(first[0], [-1.0, 1.0])
    np.testing.assert_array_equal(first, second)
    assert descend(Bowl(), ScheduleFreeSGD(0.1), (1.0, 1.0), 0).shape == (1, 2)


@pytest.mark.parametrize("make, message", [
    (lambda: Bowl(a=0.0), "a must be positive, got 0.0: "),
    (lambda: Ravine(gentle=-1.0), "gentle must be positive, got -1.0: "),
    (lambda: Bumpy(height=float("nan")), "height must be a finite number, got nan: "),
    (lambda: Rosenbrock(b=-1), "b must be positive, got -1: "),
    (lambda: RegressionLoss([1, 2], [1]), r"y must be as many numbers as x has \(2\), got 1: "),
    (lambda: RegressionLoss([1, 1], [1, 2]), r"x must be at least two different numbers, got array\(\[1., 1.\]\): "),
    (lambda: untyped(Bowl(), SGD(0.1), (1.0, 1.0, 1.0), 3), r"start must be a point \(x, y\), got \(1.0, 1.0, 1.0\): "),
    (lambda: descend(Bowl(), SGD(0.1), (1.0, 1.0), -3), "steps must be a whole number, at least 0, got -3: "),
])  # fmt: skip
def test_bad_input_names_the_argument_the_value_and_the_fix(make, message):
    with pytest.raises(ValueError, match=message):
        make()
