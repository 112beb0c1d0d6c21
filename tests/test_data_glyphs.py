"""Glyphs: the same images for the same arguments, a prefix that stays, equal classes, and something to learn."""

import hashlib

import numpy as np
import pytest
import torch
from torch import nn

from lrcourse.data import glyphs
from lrcourse.data.glyphs import CHARACTERS, CHUNK
from lrcourse.torch import train


def test_shapes_types_and_gray_levels():
    data = glyphs(n=300, size=28, n_test=40)
    assert data.x_train.shape == (300, 28, 28) and data.x_test.shape == (40, 28, 28)
    assert data.x_train.dtype == data.x_test.dtype == np.float32 and data.y_train.dtype == np.int64
    np.testing.assert_array_equal(data.x_train, (np.rint(255 * data.x_train) / 255).astype(np.float32))
    assert data.x_train.min() == 0 and data.x_train.max() == 1


def test_the_images_are_those_of_every_machine():
    """A digest of the pixels: it changes with the recipe, a library's rounding must not change it."""
    pixels = np.rint(255 * glyphs(n=500, n_test=1).x_train).astype(np.uint8)
    assert hashlib.sha256(pixels.tobytes()).hexdigest()[:16] == "c9fb45b28f95de42"


@pytest.mark.parametrize("n", [1, CHUNK - 1, CHUNK, 2 * CHUNK + 1])
def test_the_first_images_of_a_larger_set_are_the_smaller_set(n):
    small, large = glyphs(n=n, size=16, n_test=n), glyphs(n=3 * CHUNK, size=16, n_test=3 * CHUNK)
    for name in ["x_train", "y_train", "x_test", "y_test"]:
        np.testing.assert_array_equal(getattr(small, name), getattr(large, name)[:n])


def test_another_seed_gives_other_images_and_no_test_image_is_trained_on():
    data, other = glyphs(n=500, size=16, seed=1, n_test=500), glyphs(n=500, size=16, seed=2, n_test=500)
    images = [image.tobytes() for part in (data.x_train, data.x_test, other.x_train, other.x_test) for image in part]
    assert len(set(images)) == 2000


def test_every_chunk_holds_each_character_equally_often_and_two_classes_are_letter_and_digit():
    ten, two = (glyphs(n=2 * CHUNK, size=16, classes=classes) for classes in (10, 2))
    for part in (ten.y_train[:CHUNK], ten.y_train[CHUNK:], ten.y_test[:CHUNK]):
        np.testing.assert_array_equal(np.bincount(part), [CHUNK // 10] * 10)
    np.testing.assert_array_equal(two.x_train, ten.x_train)
    is_digit = np.array([character.isdigit() for character in CHARACTERS])
    np.testing.assert_array_equal(two.y_train, is_digit[ten.y_train])


def test_a_small_network_learns_what_the_nearest_mean_image_cannot_tell():
    data = glyphs(n=2000, size=16, n_test=1000)
    train_rows, test_rows = data.x_train.reshape(2000, -1), data.x_test.reshape(1000, -1)
    means = np.array([train_rows[data.y_train == k].mean(0) for k in range(10)])
    nearest = ((test_rows[:, None] - means) ** 2).sum(2).argmin(1)
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Unflatten(1, (1, 16)), nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(12, 24, 3),
        nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(216, 10),
    )  # fmt: skip
    run = train(model, torch.optim.Adam(model.parameters(), lr=0.005), data, steps=500, batch_size=32)
    by_network, by_means = run.evaluations.test_accuracy[-1], np.mean(nearest == data.y_test)
    print(by_network, by_means)
    assert by_means < 0.3 and by_network > 0.6


BAD = [({"n": 0}, "n"), ({"n_test": 0}, "n_test"), ({"size": 8}, "size"), ({"classes": 3}, "classes"),
       ({"seed": -1}, "seed")]  # fmt: skip


@pytest.mark.parametrize(("arguments", "named"), BAD)
def test_bad_input_is_named(arguments, named):
    with pytest.raises(ValueError, match=rf"^{named} must be .*: \w+"):
        glyphs(**arguments)
