"""An audit of what `model.fit` does."""

import math
from typing import Any

import keras

from ..audit import Audit
from ..validation import bad
from .optimizer import count, holder, number, used_rate


class AuditCallback(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Hands what every update of `model.fit` uses to `audit`: the rate, the momentum and the loss of its batch.

    Updates are counted by the optimizer, so a second `fit`, and a run that goes on from a checkpoint, go on. Batches
    that accumulate a gradient, or that mixed precision skips, make no update. Put it last in the list of callbacks.

    Raises: `ValueError` when training begins, for an optimizer without one rate of its own (`MultiOptimizer`), and for
    an audit that has noted another run.

    >>> import keras, numpy as np
    >>> from lrcourse import Linear
    >>> from lrcourse.audit import Audit
    >>> model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(0.1), loss="mse")
    >>> audit = Audit(Linear(0.1, 0.0, steps=12), steps=12)
    >>> per_epoch = keras.callbacks.LearningRateScheduler(lambda epoch: Linear(0.1, 0.0, steps=12)(epoch))
    >>> x = np.ones((8, 1))
    >>> _ = model.fit(x, x, batch_size=2, epochs=3, verbose=0, callbacks=[per_epoch, AuditCallback(audit)])
    >>> [finding.name for finding in audit.report().faults]
    ['stepped per epoch']
    """

    def __init__(self, audit: Audit) -> None:
        super().__init__()
        if not isinstance(audit, Audit):
            raise bad("audit", audit, "an Audit", "write AuditCallback(Audit(schedule, steps))")
        self.audit = audit

    def on_train_begin(self, logs: Any = None) -> None:
        if getattr(holder(self.model.optimizer), "learning_rate", None) is None:
            kind = type(self.model.optimizer).__name__
            raise bad(
                "optimizer", kind, "one with a learning_rate", "audit each of its optimizers in a loop of your own"
            )
        self._updates, self._sum = count(self.model.optimizer), 0.0
        noted = self.audit.rows.step
        if noted and self._updates <= noted[-1]:
            must = f"for a run that goes on after update {noted[-1]}"
            raise bad("audit", f"an Audit of {len(noted)} updates", must, "make an Audit for each run")

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._sum, self._batch = 0.0, -1

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        optimizer = self.model.optimizer
        before, self._updates = self._updates, count(optimizer)
        if self._updates < before:  # an older checkpoint was loaded in the middle of a run
            before = self._updates - 1
        loss = self._loss(batch, (logs or {}).get("loss"))
        for update in range(before, self._updates):
            self.audit.rows.add(update, (used_rate(optimizer, update),), (_momentum(holder(optimizer)),), loss)

    def _loss(self, batch: int, mean: Any) -> float | None:
        """The loss of the last batches: Keras hands out the mean of the epoch so far."""
        if mean is None:
            return None
        total, made = number(mean) * (batch + 1), batch - self._batch
        loss, self._sum, self._batch = (total - self._sum) / max(made, 1), total, batch
        return loss


def _momentum(optimizer: Any) -> float:
    name = next((name for name in ("momentum", "beta_1") if hasattr(optimizer, name)), None)
    return math.nan if name is None else float(getattr(optimizer, name))
