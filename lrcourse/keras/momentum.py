"""Change the momentum of a Keras optimizer while it trains.

On PyTorch Keras runs line by line and a new `optimizer.momentum` is used by the next update. On TensorFlow the update
is traced into a graph once, with the momentum of that moment as a constant: assigning `optimizer.momentum` later is
silently ignored. So for the length of a run `optimizer.apply` is traced with a look-up in its place.
"""

import sys
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from ..schedules import Schedule
from ..schedules.base import Array
from ..validation import bad
from . import floats
from .optimizer import alone, holder


class Momentum:
    """The momentum (or Adam's first beta) of `model.optimizer`, set for the updates of the next execution.

    A window of `steps_per_execution` values is enough: Keras calls back in between. Update $t$ reads place
    $t$ modulo the window's size.
    """

    _plain: float

    def __init__(self, model: Any, schedule: Schedule, user: str) -> None:
        self.model, self.optimizer, self.schedule, self.user = model, holder(model.optimizer), schedule, user
        self.name = _name(self.optimizer)
        self.note()
        self.window = np.full(model.steps_per_execution, self._plain, dtype=np.float64)
        if keras.backend.backend() == "tensorflow":
            with model.distribute_strategy.scope():  # a copy on every device
                self._variable = keras.Variable(self.window, trainable=False, dtype=keras.config.floatx())
            vars(self.optimizer).pop("apply", None)  # what a run that died has left behind
            self._apply = self.optimizer.apply
            self.optimizer.apply = self._traced_apply
            model.make_train_function(force=True)

    def set(self, step: int, t: Array) -> None:
        """The momenta of the updates from `step` on, at most as many as the window is long: the schedule's at `t`."""
        values = floats.momenta(self.schedule, t, keras.config.floatx())
        self.window[(step + np.arange(len(values))) % len(self.window)] = values
        if keras.backend.backend() == "tensorflow":
            self._variable.assign(self.window)
        # At exactly 0 Keras would not even keep the velocity up to date.
        self._plain = float(values[0]) or sys.float_info.min
        setattr(self.optimizer, self.name, self._plain)

    def note(self) -> None:
        """Take the momentum as it is for the one to be left alone."""
        self._plain = getattr(self.optimizer, self.name)

    def check(self, step: int) -> None:
        """Raise if the momentum is not what it was set to."""
        alone(f"optimizer.{self.name}", getattr(self.optimizer, self.name), self._plain, step, self.user)

    def applied(self, step: int) -> float:
        """What update `step` of the execution just finished has used."""
        return float(self.window[step % len(self.window)])

    def release(self, last: int) -> None:
        """Make the optimizer a plain one again, which keeps the momentum of update `last`."""
        setattr(self.optimizer, self.name, self.applied(last))
        if keras.backend.backend() == "tensorflow":
            vars(self.optimizer).pop("apply", None)
            self.model.make_train_function(force=True)

    def _traced_apply(self, grads: Any, trainable_variables: Any = None) -> None:
        found = getattr(self.optimizer, self.name)
        if not isinstance(found, _Traced):  # the traces of several devices overlap
            self._found = found
        setattr(self.optimizer, self.name, _Traced(self._now))
        try:
            self._apply(grads, trainable_variables)
        finally:
            setattr(self.optimizer, self.name, self._found)

    def _now(self) -> Any:
        return keras.ops.take(self._variable, keras.ops.mod(self.optimizer.iterations, len(self.window)))


class _Traced:
    """A tensor that answers the optimizers' plain `if momentum != 0` and `if momentum > 0` with yes.

    It is read where it is used: `tf.distribute` makes the update of each device apart from the trace of `apply`.
    """

    def __init__(self, read: Callable[[], Any]) -> None:
        self._read = read

    @property
    def dtype(self) -> Any:
        return self._read().dtype

    def __tf_tensor__(self, dtype: Any = None, name: str | None = None) -> Any:
        return self._read() if dtype is None else keras.ops.cast(self._read(), dtype)

    def __ne__(self, other: object) -> bool:
        return True

    def __gt__(self, other: object) -> bool:
        return True

    def __sub__(self, other: Any) -> Any:
        return self._read() - other

    def __rsub__(self, other: Any) -> Any:
        return other - self._read()

    def __mul__(self, other: Any) -> Any:
        return self._read() * other

    def __rmul__(self, other: Any) -> Any:
        return other * self._read()


def _name(optimizer: Any) -> str:
    """The attribute that holds the momentum."""
    name = next((name for name in ("momentum", "beta_1") if hasattr(optimizer, name)), None)
    kind = type(optimizer).__name__
    if name is None:
        raise bad("optimizer", kind, "one with a momentum or beta_1", "use SGD(momentum=0.9) or Adam, or momentum=None")
    if getattr(optimizer, name) == 0:
        raise bad("optimizer.momentum", 0, "positive to be scheduled", f"create it as {kind}(..., momentum=0.9)")
    return name
