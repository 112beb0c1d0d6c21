"""A schedule as a Keras callback."""

from typing import Any

import keras
import numpy as np

from ..schedules import Schedule
from ..validation import bad, choice
from .keras_schedule import as_schedule
from .momentum import Momentum
from .optimizer import count, used_rate, waiting
from .rate import Rate


class ScheduleCallback(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    r"""Sets the rate $s(t)$, and with `momentum` the momentum $m(t)$, before update $t$ of `model.fit`.

    `schedule`: the rate; `None` leaves it to the optimizer (a `KerasSchedule` in it, or a fixed number).
    `unit`: `"step"`, where $t$ is `optimizer.iterations`, the successful updates of this optimizer from 0 (a batch that
    only accumulates gradients, or that mixed precision skips, does not count, and a second `fit` goes on where the
    first has ended), or `"epoch"`, where $t$ is the epoch, from 0 (or from `initial_epoch`).
    `momentum`: a schedule for SGD's `momentum` or Adam's `beta_1`. It acts on every update, in graph mode, under
    `jit_compile` and for any `steps_per_execution`; after the run the optimizer keeps the last value.

    `.history`: lists with one entry per update: `"iterations"` ($t$), `"lr"` (the rate, read from the optimizer after
    the update, so in float32) and `"momentum"` if there is one.

    The same goes into Keras's `logs` as `"learning_rate"` and `"momentum"`, after each batch and each epoch, for the
    progress bar, the history that `fit` returns, and callbacks after this one, such as `TensorBoard` and `CSVLogger`.

    Under a `tf.distribute` strategy all devices use the same rate and momentum.

    Raises: `ValueError` for a bad argument; and when training begins, before the first update, if the optimizer has a
    schedule of its own beside this one or no rate of its own (`MultiOptimizer`), if `steps_per_execution > 1` would let
    this callback see only some of the steps, if the optimizer has no momentum to set, or if the Keras backend is
    neither TensorFlow nor PyTorch. While it trains: if a schedule gives no rate or momentum for a step that comes, or
    if something else sets what this callback sets (`ReduceLROnPlateau`, `LearningRateScheduler`, a second schedule),
    since one of the two would be in vain. A checkpoint may be loaded at any time: $t$ follows it.

    >>> import keras, numpy as np
    >>> from lrcourse import Linear
    >>> model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(0.1), loss="mse")
    >>> callback = ScheduleCallback(Linear(0.5, 0.0, steps=4))
    >>> _ = model.fit(np.ones((6, 1)), np.ones((6, 1)), batch_size=2, epochs=2, verbose=0, callbacks=[callback])
    >>> callback.history["lr"]
    [0.5, 0.375, 0.25, 0.125, 0.0, 0.0]
    """

    def __init__(self, schedule: Schedule | None, unit: str = "step", momentum: Schedule | None = None) -> None:
        super().__init__()
        if schedule is None and momentum is None:
            raise bad("schedule", None, "given unless momentum is", "pass a schedule, for example Cosine(...)")
        self.schedule = None if schedule is None else as_schedule(schedule)
        self.unit = choice("step", "epoch")("unit", unit)
        self.momentum = None if momentum is None else as_schedule(momentum, "momentum")
        self.history: dict[str, list[float]] = {"iterations": [], "lr": []}
        if momentum is not None:
            self.history["momentum"] = []

    def on_train_begin(self, logs: Any = None) -> None:
        self._check()
        name = type(self).__name__
        self._rate = None if self.schedule is None else Rate(self.model.optimizer, self.schedule, name)
        self._momentum = None if self.momentum is None else Momentum(self.model, self.momentum, name)
        self._own = [each for each in (self._rate, self._momentum) if each is not None]
        self._updates = count(self.model.optimizer)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._watch()
        if self.unit == "epoch":
            self._set(np.full(self.model.steps_per_execution, epoch))

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._watch()
        if self.unit == "step":
            self._set(self._updates + np.arange(self._ahead(batch)))

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        for each in self._own:
            each.check(self._updates)
        begin, self._updates = self._updates, count(self.model.optimizer)
        for update in range(begin, self._updates):
            self.history["iterations"].append(update)
            lr = self._rate.applied() if self._rate is not None else used_rate(self.model.optimizer, update)
            self.history["lr"].append(lr)
            if self._momentum is not None:
                self.history["momentum"].append(self._momentum.applied(update))
        self._log(logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._log(logs)

    def on_train_end(self, logs: Any = None) -> None:
        if self._momentum is not None:
            self._momentum.release(last=self._updates - 1)

    def _log(self, logs: Any) -> None:
        """Add what the last update has used."""
        if logs is not None and self.history["lr"]:
            names = {"lr": "learning_rate", "momentum": "momentum"}
            logs.update({names[own]: used[-1] for own, used in self.history.items() if own in names})

    def _replace(self, schedule: Schedule) -> None:
        """Go on with another schedule from the next update on."""
        self.schedule = schedule
        if self._rate is not None:
            self._rate.schedule = schedule

    def _set(self, t: Any) -> None:
        """Rate and momentum of the next updates, whose places in the schedules are `t`."""
        if len(t):
            for each in self._own:
                each.set(self._updates, t)

    def _ahead(self, batch: int) -> int:
        """How many updates the next execution makes at most: a schedule need not go on behind the last one."""
        together, left = self.model.steps_per_execution, ((self.params or {}).get("steps") or 0) - batch
        batches, needed = waiting(self.model.optimizer)
        return int(batches + (min(together, left) if left > 0 else together)) // needed

    def _watch(self) -> None:
        """Look whether rate and momentum are as they were, unless a checkpoint has been loaded, which sets them too."""
        before, self._updates = self._updates, count(self.model.optimizer)
        for each in self._own:
            if self._updates == before:
                each.check(before)
            else:
                each.note()

    def _check(self) -> None:
        name, backend, together = type(self).__name__, keras.backend.backend(), self.model.steps_per_execution
        if backend not in ("tensorflow", "torch"):
            raise bad("KERAS_BACKEND", backend, f"tensorflow or torch for {name}",
                      "pass KerasSchedule(schedule, steps) to the optimizer, which works on every backend")  # fmt: skip
        if self.schedule is not None and self.unit == "step" and together > 1:
            raise bad("steps_per_execution", together, f"1 for {name} to see every step",
                      "pass KerasSchedule(schedule, steps) to the optimizer instead, or compile with 1")  # fmt: skip
