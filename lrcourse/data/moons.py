"""Two interleaved half circles."""

import numpy as np

from ..extras import extra
from ..validation import not_negative, random_seed, whole
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

    points = whole(1, "use for example 200 points")
    noise, seed = not_negative("use 0 for none")("noise", noise), random_seed("seed", seed)
    x_train, y_train = make_moons(points("n", n), noise=noise, random_state=seed)
    x_test, y_test = make_moons(points("n_test", n_test), noise=noise, random_state=seed + 1_000_000)
    return Dataset("moons", "generated", x_train, y_train.astype(np.int64), x_test, y_test.astype(np.int64))
