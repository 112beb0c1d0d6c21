"""Mini-batches in a new order in every epoch, whatever the seed."""

from typing import Any

import keras
import numpy as np

from ..validation import bad, batch_length, random_seed


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    r"""The examples `x` with their targets `y` in mini-batches of `size`, shuffled anew before every epoch.

    For `model.fit`, in place of the arrays: after `keras.utils.set_random_seed`, Keras on TensorFlow goes through
    arrays in one order, drawn once and repeated in every epoch. Here `seed` decides the order of each epoch, so that a
    run can be repeated, and no epoch is like the one before.

    Shapes: `x` is `(n, ...)` and `y` is `(n, ...)`; a batch has `size` of them, the last of an epoch what is left, so
    an epoch has $\lceil n / \mathrm{size} \rceil$ updates, `len(batches)`.

    Raises: `ValueError` if `size` is not a whole number ≥ 1 or `seed` not one ≥ 0, and if `x` and `y` are empty or
    not of one length.

    >>> batches = Batches([[0.0], [1.0], [2.0]], [0, 1, 2], size=2)
    >>> len(batches), [len(y) for x, y in (batches[0], batches[1])]
    (2, [2, 1])
    """

    def __init__(self, x: Any, y: Any, size: int, seed: int = 0) -> None:
        super().__init__()
        self.x, self.y, self.size = np.asarray(x), np.asarray(y), batch_length("size", size)
        if not 0 < len(self.x) == len(self.y):
            raise bad(
                "y", f"{len(self.y)} targets", f"one for each of the {len(self.x)} examples", "pass equal lengths"
            )
        self.rng = np.random.default_rng(random_seed("seed", seed))
        self.on_epoch_end()

    def __len__(self) -> int:
        return -(-len(self.x) // self.size)

    def __getitem__(self, i: int) -> tuple[Any, Any]:
        rows = self.order[i * self.size : (i + 1) * self.size]
        return self.x[rows], self.y[rows]

    def on_epoch_end(self) -> None:
        self.order = self.rng.permutation(len(self.x))
