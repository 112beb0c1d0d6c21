"""Handwritten digits, small."""

from functools import cache
from typing import Any

import numpy as np

from ..extras import extra
from ..validation import fraction, random_seed
from .dataset import Dataset


def digits(seed: int = 0, test_size: float = 0.3) -> Dataset:
    """Handwritten digits, 8 × 8 pixels, ten classes, 1,797 images: scikit-learn's copy of the UCI set.

    `x_*`: shape `(n, 64)`, pixels scaled to 0 … 1. `test_size`: share of the images kept for the test,
    with every class in the same proportion. `seed` decides which.

    Raises: `ValueError` for a share outside (0, 1).

    >>> digits().x_train.shape
    (1257, 64)
    """
    with extra("data"):
        from sklearn.model_selection import train_test_split

    seed, test_size = random_seed("seed", seed), fraction("use for example 0.3 for 30 %")("test_size", test_size)
    x, y = _images()
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=test_size, random_state=seed, stratify=y)
    return Dataset("digits", "CC BY 4.0 (UCI, Alpaydin & Kaynak 1998)", x_train, y_train, x_test, y_test)


@cache  # reading the file takes longer than to split what is in it
def _images() -> tuple[Any, Any]:
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return x / 16, y.astype(np.int64)
