"""Handwriting with few labels: a real task to carry a network over to."""

import numpy as np
from numpy.typing import NDArray

from ..extras import extra
from ..validation import bad, random_seed, whole
from .dataset import Dataset

SIDE, CLASSES = 8, 10


def handwriting(labels: int = 100, size: int = SIDE, seed: int = 0) -> Dataset:
    """Pictures of handwritten digits, few of them to train on: scikit-learn's copy of the UCI set, 1,797 pictures.

    `labels`: pictures to train on, as many of each digit, drawn by `seed`; all others are the test. `size`: pixels a
    side, 8 as they are or more, by linear interpolation: 28 or 32 as a network that was trained on `glyphs` expects.
    `x_*`: float32 from 0 (paper) to 1 (ink), shape `(n, size, size)`; `y_*`: int64, the digit.

    Raises: `ValueError` for a number of labels that is no multiple of 10 or above 1000, a size below 8.

    >>> data = handwriting(labels=100, size=28)
    >>> data.x_train.shape, data.x_test.shape
    ((100, 28, 28), (1697, 28, 28))
    """
    with extra("data"):
        from sklearn.datasets import load_digits

    size = whole(SIDE, "use for example 8 or 28 pixels a side")("size", size)
    labels, seed = whole(CLASSES, "use for example 100")("labels", labels), random_seed("seed", seed)
    if labels % CLASSES or labels > 1000:
        raise bad("labels", labels, "a multiple of 10, at most 1000", "use for example 100 or 300")
    loaded = load_digits()
    x, y = _resized(loaded.images / 16, size), loaded.target.astype(np.int64)
    order = np.random.default_rng(seed).permutation(len(y))
    each = labels // CLASSES
    train = np.sort(np.concatenate([order[y[order] == digit][:each] for digit in range(CLASSES)]))
    test = np.setdiff1d(order, train)
    return Dataset("handwriting", "CC BY 4.0 (UCI, Alpaydin & Kaynak 1998)", x[train], y[train], x[test], y[test])


def _resized(images: NDArray[np.float64], size: int) -> NDArray[np.float32]:
    """Each pixel lies at its middle; rows, then columns, times a matrix of weights."""
    middles = (np.arange(size) + 0.5) * SIDE / size - 0.5
    weights = np.stack([np.interp(middles, np.arange(SIDE), one) for one in np.eye(SIDE)], axis=1)
    return (weights @ images @ weights.T).astype(np.float32)
