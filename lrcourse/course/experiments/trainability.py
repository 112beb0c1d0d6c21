"""The map of what trains, at five magnifications: two moons, a 2-3-2 network, a rate and a momentum a pixel.

A tile's `codes` are zlib-compressed 16-bit numbers in base64, momentum by momentum from the lowest, in each the rates
from the lowest: below `DIVERGED` it is 1000 (12 + log10 of the mean of the last 20 losses), from there on
`DIVERGED` + the first step whose loss is not finite or above 1000 times the first loss.
"""

import base64
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data import moons
from ...sweep import grid, sweep
from ...torch import LogicNet

# The engines of the sweep are not named: their tests show that each equals plain runs of torch.optim.
SIZES = {"live": 16, "small": 160, "full": 480}
STEPS, LAST, DIVERGED = 200, 20, 40_000


@dataclass(frozen=True)
class Tile:
    """A rectangle of the map: rates on a logarithmic axis, momenta on a linear one."""

    lr: tuple[float, float]
    momentum: tuple[float, float]

    def settings(self, n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """`n` rates and `n` momenta, the corners of the rectangle among them."""
        return np.geomspace(*self.lr, n), np.linspace(*self.momentum, n)


TILES = {
    "whole": Tile((0.3, 3.0), (0.0, 0.98)),
    "zoom 1": Tile((1.12, 1.41), (0.2, 0.45)),
    "zoom 2": Tile((1.2, 1.3), (0.28, 0.34)),
    "zoom 3": Tile((1.235, 1.265), (0.3, 0.318)),
    "zoom 4": Tile((1.245, 1.254), (0.306, 0.3114)),
}


def plan(size: str) -> list[tuple[str, int]]:
    """One run a tile; the first weights are the same everywhere."""
    return [(name, 0) for name in TILES]


def run(name: str, seed: int, size: str, device: str) -> dict[str, Any]:
    """The corners of a tile, its size in pixels, the first loss and the code of every pixel."""
    tile, n = TILES[name], SIZES[size]
    rates, momenta = tile.settings(n)
    parts = [curves(rates, part, seed, device) for part in np.array_split(momenta, max(n // 32, 1))]
    codes = np.concatenate([encoded(part) for part in parts]).astype("<u2")
    low, high = tile.lr
    down, up = tile.momentum
    return {
        "lr from": low, "lr to": high, "momentum from": down, "momentum to": up, "pixels": n,
        "first loss": float(parts[0][0, 0]), "codes": base64.b64encode(zlib.compress(codes.tobytes(), 9)).decode(),
    }  # fmt: skip


def curves(
    rates: NDArray[np.float64], momenta: NDArray[np.float64], seed: int, device: str = "cpu"
) -> NDArray[np.float64]:
    """The losses of every setting, momentum by momentum: an array of shape (settings, steps)."""
    ten = moons(10, noise=0.2, seed=0)
    return sweep(
        lambda: LogicNet().double().to(device), (ten.x_train, np.eye(2)[ten.y_train]), loss="mse",
        settings=grid(momentum=momenta, lr=rates, seed=[seed]), steps=STEPS, engine="stacked", progress=False,
    ).curves  # fmt: skip


def encoded(losses: NDArray[np.float64]) -> NDArray[np.int64]:
    """The code of each curve."""
    far = ~(losses <= 1000 * losses[:, :1])
    with np.errstate(all="ignore"):
        level = np.log10(np.maximum(losses[:, -LAST:].mean(axis=1), 1e-12))
    level = np.clip(np.nan_to_num(1000 * (12 + level)), 0, DIVERGED - 1).round().astype(int)
    return np.where(far.any(axis=1), DIVERGED + far.argmax(axis=1), level)
