"""A schedule inside a Keras optimizer."""

from typing import Any

import keras
import numpy as np

from ..schedules import Schedule
from ..validation import bad, whole, whole_steps
from . import floats


@keras.saving.register_keras_serializable(package="lrcourse")
class KerasSchedule(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]  # Keras has no types
    r"""The first `steps` rates of `schedule` as a table inside a Keras optimizer.

    $$\mathrm{rate}(k) = s(\min(\lfloor k / a \rfloor, n - 1))$$

    for Keras's counter $k$ = `optimizer.iterations`, $n$ = `steps` and $a$ = `accumulation`. The rate is a look-up, so
    it is right in graph mode, under `jit_compile` and for any `steps_per_execution`, on every Keras backend, for any
    schedule. Past the end it holds the last value of the table. The table is in Keras's float type (float32), so a
    rate is off by at most one part in $10^7$.

    `steps`: the number of updates in the run, `epochs(n, steps_per_epoch)`. `accumulation`: set it to the optimizer's
    `gradient_accumulation_steps`, because Keras then calls a schedule with the number of batches, not of updates.

    `import lrcourse.keras` before `keras.models.load_model`, which finds this class only then.

    Shapes: a number or integer tensor in, a float tensor of that shape out.

    Raises: `ValueError` if `schedule` is no schedule, one of its first `steps` rates is none in this float type, or
    `steps` or `accumulation` is not a whole number ≥ 1; saving raises it for a schedule that holds a function, which
    plain data cannot carry.

    >>> import keras
    >>> from lrcourse import Step
    >>> rate = KerasSchedule(Step(lr=1.0, every=2, gamma=0.5), steps=4)
    >>> optimizer = keras.optimizers.SGD(learning_rate=rate)
    >>> [float(rate(step)) for step in [0, 1, 2, 3, 100]]
    [1.0, 1.0, 0.5, 0.5, 0.5]
    """

    def __init__(self, schedule: Schedule, steps: int, accumulation: int = 1) -> None:
        self.schedule = as_schedule(schedule)
        self.steps = whole_steps("steps", steps)
        self.accumulation = whole(1, "use the optimizer's gradient_accumulation_steps")("accumulation", accumulation)
        dtype = keras.config.floatx()
        table = floats.rates(self.schedule, np.arange(self.steps), dtype)
        self._table = keras.ops.convert_to_tensor(table, dtype=dtype)

    def __call__(self, step: Any) -> Any:
        update = keras.ops.floor_divide(keras.ops.cast(step, "int"), self.accumulation)
        return keras.ops.take(self._table, keras.ops.minimum(update, self.steps - 1))

    def get_config(self) -> dict[str, Any]:
        return {"schedule": self.schedule.to_dict(), "steps": self.steps, "accumulation": self.accumulation}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "KerasSchedule":
        return cls(**{**config, "schedule": Schedule.from_dict(config["schedule"])})


def as_schedule(value: Any, name: str = "schedule") -> Schedule:
    """`value`, if it is a schedule: a pure function of the step."""
    if not isinstance(value, Schedule):
        raise bad(name, value, "an lrcourse schedule", "use for example Cosine(...), or Lambda(fn) around a function")
    return value
