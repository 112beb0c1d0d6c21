"""The recipe's heatmaps with more settings than a page has time for: digits, some of them with wrong labels."""

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from ...data import Dataset, digits
from ...sweep import grid, sweep
from ...torch import MLP

# The engines of the sweep are not named: their tests show that each equals plain runs of torch.optim.
SEEDS = range(5)
MAPS = ("momentum", "weight decay", "batch size")
RATES, MOMENTA, DECAYS = (0.001, 3.0), (0.0, 0.99), (1e-5, 0.1)
MOMENTUM, BATCH, EPOCHS = 0.9, 30, 20
WORST = 10.0  # what a run that diverged counts as


@dataclass(frozen=True)
class Size:
    """The number of rates, of momenta and of decays, and the batch sizes."""

    settings: int
    batches: tuple[int, ...]


SIZES = {
    "live": Size(3, (100, 300)),
    "small": Size(13, (10, 30, 100, 300)),
    "full": Size(49, (5, 10, 20, 30, 50, 100, 150, 300)),
}


@cache
def data() -> Dataset:
    """300 digits, a tenth of them with a label drawn at random, and 540 to validate on.

    >>> data().x_train.shape, data().x_test.shape
    ((300, 64), (540, 64))
    """
    clean, noise = digits(seed=0), np.random.default_rng(0)
    labels = clean.y_train[:300].copy()
    labels[noise.choice(300, 30, replace=False)] = noise.integers(0, 10, 30)
    return replace(clean, x_train=clean.x_train[:300], y_train=labels)


def axes(name: str, size: str) -> tuple[list[float], list[float]]:
    """The map's rows, from the bottom, and its rates.

    >>> axes("batch size", "live")[0]
    [100, 300]
    """
    settings = SIZES[size].settings
    rows = {
        "momentum": 1 - np.geomspace(1 - MOMENTA[0], 1 - MOMENTA[1], settings),
        "weight decay": np.geomspace(*DECAYS, settings),
        "batch size": np.array(SIZES[size].batches),
    }[name]
    return rows.tolist(), np.geomspace(*RATES, settings).tolist()


def plan(size: str) -> list[tuple[str, int]]:
    """Every map with every seed."""
    return [(name, seed) for seed in SEEDS for name in MAPS]


def run(name: str, seed: int, size: str, device: str) -> dict[str, Any]:
    """The validation losses, row by row from the bottom, in each from the lowest rate; at most `WORST`."""
    rows, rates = axes(name, size)
    at = {"lr": rates, "seed": [seed]}
    if name == "momentum":
        losses = trained(device, BATCH, momentum=rows, **at)
    elif name == "weight decay":
        losses = trained(device, BATCH, momentum=[MOMENTUM], weight_decay=rows, **at)
    else:
        losses = np.concatenate([trained(device, int(batch), momentum=[MOMENTUM], **at) for batch in rows])
    return {"losses": np.minimum(np.nan_to_num(losses, nan=WORST), WORST).round(4).tolist()}


def trained(device: str, batch: int, **axes: Any) -> np.ndarray:
    """The validation loss of every setting after `EPOCHS`; the last axis but the seed's is the fastest."""
    points = len(data().x_train)
    return sweep(
        lambda: MLP([64, 16, 10]).double().to(device), data(), batch_size=batch, steps=EPOCHS * -(-points // batch),
        settings=grid(**axes), engine="stacked", progress=False,
    ).frame()["test_loss"].to_numpy()  # fmt: skip
