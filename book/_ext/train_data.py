"""What the page that trains a network is given: examples, first weights and orders of batches, each from its seed."""

from typing import Any

import numpy as np

from lrcourse.data import Dataset, digits, moons

PASSES = 5  # orders; then they come round again
TRAINED, JUDGED = 400, 200  # images of digits
LAYERS = {"moons": [2, 16, 16, 2], "digits": [64, 24, 10]}


def tasks() -> dict[str, dict[str, Any]]:
    return {"moons": task(moons(200, noise=0.2, seed=0, n_test=200)), "digits": task(few(digits(seed=0)))}


def few(data: Dataset) -> Dataset:
    """The first images; the split has shuffled them."""
    train, test = slice(TRAINED), slice(JUDGED)
    return Dataset(
        data.name, data.license, data.x_train[train], data.y_train[train], data.x_test[test], data.y_test[test]
    )


def task(data: Dataset) -> dict[str, Any]:
    rng, sizes = np.random.default_rng(0), LAYERS[data.name]
    # Rounded, so that the page and Python begin with the same numbers.
    start = [part for inputs, units in zip(sizes, sizes[1:]) for part in
             (*(rng.normal(size=units * inputs) / inputs**0.5).round(4).tolist(), *[0] * units)]  # fmt: skip
    return {
        "sizes": sizes, "start": start,
        "orders": [rng.permutation(len(data.x_train)).tolist() for _ in range(PASSES)],
        "train": {"x": written(data.x_train), "y": data.y_train.tolist()},
        "test": {"x": written(data.x_test), "y": data.y_test.tolist()},
    }  # fmt: skip


def written(x: Any) -> Any:
    """Gray pixels as letters, a = 0 … q = 16; other numbers with four digits behind the point."""
    if x.shape[1] == 64:
        return "".join(chr(ord("a") + gray) for gray in (16 * x).round().astype(int).ravel())
    return x.round(4).ravel().tolist()


def read(x: Any, features: int) -> Any:
    """The numbers that the page reads there."""
    values = [(ord(gray) - ord("a")) / 16 for gray in x] if isinstance(x, str) else x
    return np.array(values).reshape(-1, features)
