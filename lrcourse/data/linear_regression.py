"""A line with noise."""

import numpy as np

from ..validation import whole
from .dataset import Dataset


def linear_regression(n: int = 100, seed: int = 0, n_test: int = 1000) -> Dataset:
    """A line with noise: $y = 4 + 3x + \\varepsilon$, $x$ uniform on $[0, 2)$, $\\varepsilon$ standard normal.

    `x_*` and `y_*` have the shape `(n, 1)`. The same arguments give the same arrays.

    Raises: `ValueError` for a number of points below 1.

    >>> linear_regression(n=100, seed=0).y_train.shape
    (100, 1)
    """
    rng = np.random.default_rng(whole("seed", seed, 0))
    x = rng.uniform(0, 2, size=(whole("n", n, 1) + whole("n_test", n_test, 1), 1))
    y = 4 + 3 * x + rng.normal(size=x.shape)
    return Dataset("linear regression", "generated", x[:n], y[:n], x[n:], y[n:])
