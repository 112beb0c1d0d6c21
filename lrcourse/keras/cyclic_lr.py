"""The classic callback for cyclical learning rates."""

from collections.abc import Callable
from typing import Any

from ..schedules import Cyclic
from ..validation import length
from .schedule_callback import ScheduleCallback


class CyclicLR(ScheduleCallback):
    r"""`Cyclic` with the signature of the classic Keras callback (Brad Kenstler's CLR, 2017).

    The rate goes from `base_lr` to `max_lr` in `step_size` updates, down in as many, and again; the formula and the
    meaning of `mode`, `gamma`, `scale_fn` and `scale_mode` are those of `lrcourse.Cyclic`.

    One difference: the classic callback changes the rate after a batch. Here update $t$ uses exactly $s(t)$, so
    update 0 uses `base_lr`.

    `.history`: lists with one entry per update: `"lr"`, `"iterations"` (the update, from 0) and every value in Keras's
    logs under its own name. Beware: Keras's `"loss"` is the mean since the epoch began, not the batch's loss.

    Raises: `ValueError` as `lrcourse.Cyclic` and `ScheduleCallback` do.
    Source: Smith, "Cyclical learning rates for training neural networks", 2017.

    >>> import keras, numpy as np
    >>> model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(0.1), loss="mse")
    >>> clr = CyclicLR(base_lr=0.25, max_lr=0.75, step_size=2.0)
    >>> _ = model.fit(np.ones((5, 1)), np.ones((5, 1)), batch_size=1, verbose=0, callbacks=[clr])
    >>> clr.history["lr"]
    [0.25, 0.5, 0.75, 0.5, 0.25]
    """

    def __init__(
        self,
        base_lr: float = 0.001,
        max_lr: float = 0.006,
        step_size: float = 2000.0,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[Any], Any] | None = None,
        scale_mode: str = "cycle",
    ) -> None:
        step_size = length("step_size", step_size)
        super().__init__(Cyclic(base_lr, max_lr, step_size, None, mode, gamma, scale_fn, scale_mode))

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        super().on_train_batch_end(batch, logs)
        for name, value in (logs or {}).items():
            values = self.history.setdefault(name, [])
            values.extend([float(value)] * (len(self.history["lr"]) - len(values)))
