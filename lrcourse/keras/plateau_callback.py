"""A rate that falls when a metric of Keras stops improving, after a warm-up."""

from dataclasses import replace
from typing import Any

from ..schedules import Constant, Plateau, Schedule, warmup
from ..validation import bad, rate, steps_or_zero
from .schedule_callback import ScheduleCallback


class PlateauCallback(ScheduleCallback):
    r"""A warm-up, and then a rate that `plateau` cuts when the metric `monitor` has stopped improving over epochs.

    What Keras's `ReduceLROnPlateau` has not: a warm-up, a threshold relative to the best value (an absolute one as
    there, by `threshold_mode="absolute"`), and a record of what was applied, `.history`.

    `plateau`: its `lr` is the rate after the warm-up; see `Plateau` for what it does with the metric. `monitor`: a name
    in Keras's logs of an epoch. `warmup`: updates of a line from `start` up to there; an epoch that ends in it counts
    for nothing. `momentum`: as for `ScheduleCallback`, of which this is one.

    The memory is `callback.plateau`. To go on in a new process, save `callback.plateau.state_dict()` beside the model,
    load it into a `Plateau`, and pass that one.

    Raises: `ValueError` for a plateau of the wrong type and a number out of range; at the end of an epoch whose logs
    lack `monitor`, of which Keras only warns; what `ScheduleCallback` raises.

    >>> import keras, numpy as np
    >>> model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(0.1), loss=lambda y, p: 0.0 * keras.ops.mean(p))  # never improves
    >>> callback = PlateauCallback(Plateau(0.5, factor=0.5, patience=1), monitor="loss", warmup=2)
    >>> x = np.ones((4, 1))
    >>> _ = model.fit(x, x, batch_size=2, epochs=4, verbose=0, callbacks=[callback])
    >>> callback.history["lr"]
    [0.0, 0.25, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125]
    """

    def __init__(
        self,
        plateau: Plateau,
        monitor: str = "val_loss",
        *,
        warmup: int = 0,
        start: float = 0.0,
        momentum: Schedule | None = None,
    ) -> None:
        if not isinstance(plateau, Plateau):
            raise bad("plateau", plateau, "a Plateau", "write for example Plateau(0.1, factor=0.5, patience=3)")
        self.plateau = replace(plateau)  # one may be given to several callbacks
        self.plateau.load_state_dict(plateau.state_dict())
        self.monitor, self.warmup, self.start = monitor, steps_or_zero("warmup", warmup), rate("start", start)
        super().__init__(self._now(), momentum=momentum)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        super().on_epoch_end(epoch, logs)
        if self.monitor not in (logs or {}):
            raise bad(
                "monitor", self.monitor, f"one of {sorted(logs or {})}", "pass validation_data, or monitor='loss'"
            )
        if self._updates >= self.warmup:
            self.plateau.update(float(logs[self.monitor]))
            self._replace(self._now())

    def _now(self) -> Schedule:
        """The warm-up and then the rate of now: what is past is not read again."""
        return warmup(Constant(self.plateau.lr), self.warmup, self.start)
