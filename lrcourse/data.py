"""Data sets that need no download: arrays with a name, a license and a split."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .schedules.checks import count, fraction, rate, steps


@dataclass(frozen=True, eq=False)
class Dataset:
    """Arrays to learn from and to be judged on.

    `x_train`, `x_test`: float64, shape `(n, features)`. `y_train`, `y_test`: int64 class labels, shape `(n,)`, or
    float64 targets, shape `(n, 1)`. `name` and `license` say where they come from.
    """

    name: str
    license: str
    x_train: NDArray[np.float64]
    y_train: NDArray
    x_test: NDArray[np.float64]
    y_test: NDArray


def moons(n: int = 200, noise: float = 0.2, seed: int = 0, n_test: int = 1000) -> Dataset:
    """Two interleaved half circles, two classes: scikit-learn's `make_moons`.

    `n`, `n_test`: points to train on and to test on, drawn independently. `noise`: standard deviation per
    coordinate. The same arguments give the same arrays.

    Raises: `ValueError` for a number of points below 1 or negative noise.

    >>> moons(n=20, noise=0.2, seed=0).x_train.shape
    (20, 2)
    """
    from sklearn.datasets import make_moons

    noise, seed = rate("noise", noise), count("seed", seed)
    x_train, y_train = make_moons(steps("n", n), noise=noise, random_state=seed)
    x_test, y_test = make_moons(steps("n_test", n_test), noise=noise, random_state=seed + 1_000_000)
    return Dataset("moons", "generated", x_train, y_train.astype(np.int64), x_test, y_test.astype(np.int64))


def linear_regression(n: int = 100, seed: int = 0, n_test: int = 1000) -> Dataset:
    """A line with noise: $y = 4 + 3x + \\varepsilon$, $x$ uniform on $[0, 2)$, $\\varepsilon$ standard normal.

    `x_*` and `y_*` have the shape `(n, 1)`. The same arguments give the same arrays.

    Raises: `ValueError` for a number of points below 1.

    >>> linear_regression(n=100, seed=0).y_train.shape
    (100, 1)
    """
    rng = np.random.default_rng(count("seed", seed))
    x = rng.uniform(0, 2, size=(steps("n", n) + steps("n_test", n_test), 1))
    y = 4 + 3 * x + rng.normal(size=x.shape)
    return Dataset("linear regression", "generated", x[:n], y[:n], x[n:], y[n:])


def digits(seed: int = 0, test_size: float = 0.3) -> Dataset:
    """Handwritten digits, 8 × 8 pixels, ten classes, 1,797 images: scikit-learn's copy of the UCI set.

    `x_*`: shape `(n, 64)`, pixels scaled to 0 … 1. `test_size`: share of the images kept for the test,
    with every class in the same proportion. `seed` decides which.

    Raises: `ValueError` for a share outside (0, 1).

    >>> digits().x_train.shape
    (1257, 64)
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    x, y = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(
        x / 16, y.astype(np.int64), test_size=fraction("test_size", test_size), random_state=seed, stratify=y
    )
    return Dataset("digits", "CC BY 4.0 (UCI, Alpaydin & Kaynak 1998)", x_train, y_train, x_test, y_test)
