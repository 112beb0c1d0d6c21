"""Data sets: shapes, types, splits, and the same arrays for the same arguments."""

import numpy as np
import pytest

from lrcourse import data

MAKERS = [data.moons, data.linear_regression, data.digits]


@pytest.mark.parametrize("make", MAKERS)
def test_the_same_seed_gives_the_same_arrays_and_another_seed_others(make):
    first, again, other = make(seed=1), make(seed=1), make(seed=2)
    for name in ["x_train", "y_train", "x_test", "y_test"]:
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert not np.array_equal(first.x_train, other.x_train)


@pytest.mark.parametrize("make", MAKERS)
def test_types_and_a_split_without_overlap(make):
    dataset = make()
    assert dataset.x_train.dtype == dataset.x_test.dtype == np.float64
    assert len(dataset.x_train) == len(dataset.y_train) and len(dataset.x_test) == len(dataset.y_test)
    train = {row.tobytes() for row in np.hstack([dataset.x_train, dataset.y_train.reshape(len(dataset.y_train), -1)])}
    test = {row.tobytes() for row in np.hstack([dataset.x_test, dataset.y_test.reshape(len(dataset.y_test), -1)])}
    assert not train & test
    assert dataset.name and dataset.license


def test_the_line_is_the_one_that_is_stated():
    line = data.linear_regression(n=20_000)
    design = np.hstack([np.ones_like(line.x_train), line.x_train], dtype=np.float64)
    intercept, slope = np.linalg.lstsq(design, line.y_train, rcond=None)[0].ravel()
    assert (intercept, slope) == (pytest.approx(4, abs=0.05), pytest.approx(3, abs=0.05))
    assert np.std(line.y_train - 4 - 3 * line.x_train) == pytest.approx(1, abs=0.02)


BAD = [
    (lambda: data.moons(n=0), "n"),
    (lambda: data.moons(noise=-1), "noise"),
    (lambda: data.moons(seed=-1), "seed"),
    (lambda: data.linear_regression(n=0), "n"),
    (lambda: data.digits(test_size=1), "test_size"),
]


@pytest.mark.parametrize(("call", "named"), BAD)
def test_bad_input_is_named(call, named):
    with pytest.raises(ValueError, match=rf"^{named} must be .*: \w+"):
        call()
