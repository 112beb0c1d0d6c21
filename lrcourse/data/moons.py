"""Two interleaved half circles."""

import numpy as np

from ..extras import extra
from ..validation import not_negative, whole
from .dataset import Dataset


def moons(n: int = 200, noise: float = 0.2, seed: int = 0, n_test: int = 1000) -> Dataset:
    """Two interleaved half circles, two classes: scikit-learn's `make_moons`.

    `n`, `n_test`: points to train on and to test on, drawn independently. `noise`: standard deviation per
    coordinate. The same arguments give the same arrays.

    Raises: `ValueError` for a number of points below 1 or negative noise.

    >>> moons(n=20, noise=0.2, seed=0).x_train.shape
    (20, 2)
    """
    with extra("data"):
        from sklearn.datasets import make_moons

    noise, seed = not_negative("noise", noise), whole("seed", seed, 0)
    x_train, y_train = make_moons(whole("n", n, 1), noise=noise, random_state=seed)
    x_test, y_test = make_moons(whole("n_test", n_test, 1), noise=noise, random_state=seed + 1_000_000)
    return Dataset("moons", "generated", x_train, y_train.astype(np.int64), x_test, y_test.astype(np.int64))
