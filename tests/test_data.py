"""Data sets: shapes, types, splits, and the same arrays for the same arguments."""

import numpy as np
import pytest
import torch

from lrcourse import data

MAKERS = [data.moons, data.linear_regression, data.digits, data.health]


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


def test_health_has_standard_features_and_both_targets():
    visits, some = data.health(seed=3), data.health("any", seed=3)
    assert len(visits.x_train) + len(visits.x_test) == 20_190 and visits.x_train.shape[1] == 9
    assert 0.25 < len(visits.x_test) / 20_190 < 0.35
    np.testing.assert_allclose(visits.x_train.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(visits.x_train.std(0), 1)
    assert 0.9 < visits.x_test.std() < 1.1
    np.testing.assert_array_equal(visits.x_train, some.x_train)
    assert visits.y_train.shape == (len(visits.x_train), 1) and visits.y_train.dtype == np.float64
    assert some.y_train.shape == (len(visits.x_train),) and some.y_train.dtype == np.int64
    np.testing.assert_array_equal(some.y_train == 1, visits.y_train[:, 0] > 0)
    assert np.expm1(visits.y_train).max() == pytest.approx(77) or np.expm1(visits.y_test).max() == pytest.approx(77)


def test_a_person_is_in_one_part_only_and_a_straight_line_beats_guessing():
    visits = data.health()
    train, test = ({row.tobytes() for row in part} for part in (visits.x_train, visits.x_test))
    assert not train & test and len(train | test) < 3000
    rows = np.hstack([visits.x_train, np.ones((len(visits.x_train), 1))], dtype=np.float64)
    line = np.linalg.lstsq(rows, visits.y_train, rcond=None)[0]
    error = np.mean((visits.x_test @ line[:-1] + line[-1] - visits.y_test) ** 2)
    guessing = np.mean((visits.y_train.mean() - visits.y_test) ** 2)
    assert error < 0.97 * guessing


def test_handwriting_has_few_pictures_of_each_digit_to_train_on_and_tests_on_all_others():
    few, other = data.handwriting(labels=100), data.handwriting(labels=100, seed=1)
    np.testing.assert_array_equal(np.bincount(few.y_train), [10] * 10)
    assert few.x_train.shape == (100, 8, 8) and few.x_test.shape == (1697, 8, 8) and few.x_train.dtype == np.float32
    assert not np.array_equal(few.x_train, other.x_train)
    pictures = [x.tobytes() for part in (few.x_train, few.x_test) for x in part]
    loaded = data.digits()
    rows = [x.astype(np.float32).tobytes() for part in (loaded.x_train, loaded.x_test) for x in part]
    assert sorted(pictures) == sorted(rows)


def test_handwriting_is_resized_by_linear_interpolation():
    small, large = data.handwriting(), data.handwriting(size=28)
    assert large.x_train.shape == (100, 28, 28)
    x, y = torch.from_numpy(small.x_train)[:, None], torch.from_numpy(large.x_train)
    expected = torch.nn.functional.interpolate(x, size=28, mode="bilinear", align_corners=False)[:, 0]
    torch.testing.assert_close(y, expected)
    np.testing.assert_array_equal(small.y_test, large.y_test)


BAD = [
    (lambda: data.moons(n=0), "n"),
    (lambda: data.moons(noise=-1), "noise"),
    (lambda: data.moons(seed=-1), "seed"),
    (lambda: data.linear_regression(n=0), "n"),
    (lambda: data.digits(test_size=1), "test_size"),
    (lambda: data.health(test_size=0), "test_size"),
    (lambda: data.health(target="cost"), "target"),
    (lambda: data.handwriting(labels=105), "labels"),
    (lambda: data.handwriting(labels=1010), "labels"),
    (lambda: data.handwriting(size=7), "size"),
]


@pytest.mark.parametrize(("call", "named"), BAD)
def test_bad_input_is_named(call, named):
    with pytest.raises(ValueError, match=rf"^{named} must be .*: \w+"):
        call()
