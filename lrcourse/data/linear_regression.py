"""A line with noise."""

import numpy as np

from ..validation import random_seed, whole
from .dataset import Dataset


def linear_regression(n: int = 100, seed: int = 0, n_test: int = 1000) -> Dataset:
    """A line with noise: $y = 4 + 3x + \\varepsilon$, $x$ uniform on $[0, 2)$, $\\varepsilon$ standard normal.

    `x_*` and `y_*` have the shape `(n, 1)`. The same arguments give the same arrays.

    Raises: `ValueError` for a number of points below 1.

    >>> linear_regression(n=100, seed=0).y_train.shape
    (100, 1)
    """
    points = whole(1, "use for example 100 points")
    rng = np.random.default_rng(random_seed("seed", seed))
    x = rng.uniform(0, 2, size=(points("n", n) + points("n_test", n_test), 1))
    y = 4 + 3 * x + rng.normal(size=x.shape)
    return Dataset("linear regression", "generated", x[:n], y[:n], x[n:], y[n:])
