"""What every data set is: arrays with a name, a license and a split."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Dataset:
    """Arrays to learn from and to be judged on.

    `x_train`, `x_test`: float64, shape `(n, features)`; images: float32 from 0 to 1, shape `(n, height, width)` or
    `(n, height, width, 3)`; sequences of tokens: int64, shape `(n, context)`. `y_train`, `y_test`: int64 class labels,
    shape `(n,)`; for sequences the token that comes next, at each place, shape `(n, context)`; or float64 targets,
    shape `(n, 1)`. `name` and `license` say where they come from. `floor`: the loss to expect of the best possible
    model, where it is known; on a test set of finite size a loss may lie a little below it.
    """

    name: str
    license: str
    x_train: NDArray[np.float64] | NDArray[np.float32] | NDArray[np.int64]
    y_train: NDArray[Any]
    x_test: NDArray[np.float64] | NDArray[np.float32] | NDArray[np.int64]
    y_test: NDArray[Any]
    floor: float | None = None
