"""KerasSchedule: the same rates as Keras's own schedules, as plain data, and inside an optimizer."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import copy  # noqa: E402

import keras  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402
import tensorflow as tf  # noqa: E402
from keras.optimizers import schedules as theirs  # noqa: E402

from lrcourse import (  # noqa: E402
    SGDR,
    Constant,
    Cosine,
    Exponential,
    InverseTime,
    Lambda,
    OneCycle,
    Piecewise,
    Plateau,
    Polynomial,
    Schedule,
    Step,
    warmup,
)
from lrcourse.keras import KerasSchedule  # noqa: E402

STEPS = 1000


def rates(schedule: theirs.LearningRateSchedule, steps: int = STEPS) -> np.ndarray:
    """The schedule at every step, in a graph and with the integer tensors that an optimizer passes."""
    every = tf.function(lambda t: tf.map_fn(schedule, t, fn_output_signature="float32"))
    return np.asarray(every(tf.range(steps, dtype="int64")))


PAIRS = {
    "exponential": (theirs.ExponentialDecay(0.5, 100, 0.9), Exponential(0.5, gamma=0.9, every=100)),
    "staircase": (
        theirs.ExponentialDecay(0.5, 100, 0.9, staircase=True),
        Exponential(0.5, gamma=0.9, every=100, staircase=True),
    ),
    "staircase is step": (theirs.ExponentialDecay(0.5, 100, 0.9, staircase=True), Step(0.5, every=100, gamma=0.9)),
    "linear": (theirs.PolynomialDecay(0.5, 800, 0.01), Polynomial(0.5, 0.01, steps=800)),
    "polynomial": (theirs.PolynomialDecay(0.5, 800, 0.01, power=2.0), Polynomial(0.5, 0.01, steps=800, power=2.0)),
    "cosine": (theirs.CosineDecay(0.5, 800, alpha=0.1), Cosine(0.5, 0.05, steps=800)),
    # Keras's decay_steps counts from the end of the warm-up, and its alpha is a fraction of the peak.
    "warm-up": (
        theirs.CosineDecay(0.1, 700, alpha=0.1, warmup_target=0.5, warmup_steps=200),
        warmup(Cosine(0.5, 0.05, steps=700), steps=200, start=0.1),
    ),
    "restarts": (theirs.CosineDecayRestarts(0.5, 150, t_mul=1.0), SGDR(0.5, 0.0, first=150)),
    "growing restarts": (
        theirs.CosineDecayRestarts(0.5, 130, t_mul=2.0, m_mul=0.8),
        SGDR(0.5, 0.0, first=130, t_mult=2, peak_mult=0.8),
    ),
    "inverse time": (theirs.InverseTimeDecay(0.5, 100, 0.7), InverseTime(0.5, timescale=100 / 0.7)),
    "inverse time, stairs": (
        theirs.InverseTimeDecay(0.5, 100, 0.7, staircase=True),
        InverseTime(0.5, timescale=100 / 0.7, every=100),
    ),
    # Keras still uses the old value at its boundary, so its boundary b is our b + 1.
    "piecewise": (
        theirs.PiecewiseConstantDecay([100, 400], [0.5, 0.3, 0.1]),
        Piecewise(boundaries=[101, 401], values=[0.5, 0.3, 0.1]),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_every_one_of_1000_steps_equals_keras(name: str) -> None:
    """To 1e-6 absolute for rates up to 0.5: Keras evaluates its formulas in float32, we look float64 values up."""
    keras_schedule, schedule = PAIRS[name]
    ours = rates(KerasSchedule(schedule, STEPS))
    np.testing.assert_allclose(ours, schedule.table(STEPS), rtol=1e-7, atol=0)
    np.testing.assert_allclose(ours, rates(keras_schedule), rtol=0, atol=1e-6)


def test_keras_changes_piecewise_rates_one_step_later() -> None:
    difference = rates(theirs.PiecewiseConstantDecay([100], [0.5, 0.1]), 200) - Piecewise([100], [0.5, 0.1]).table(200)
    np.testing.assert_array_equal(np.flatnonzero(abs(difference) > 1e-6), [100])


def test_a_function_need_not_go_on_behind_the_table() -> None:
    schedule = KerasSchedule(Lambda(lambda t: [0.3, 0.2, 0.1][int(t)]), steps=3)
    np.testing.assert_allclose(rates(schedule, 5), [0.3, 0.2, 0.1, 0.1, 0.1], rtol=1e-7)


def test_a_table_goes_on_with_its_last_value() -> None:
    schedule = KerasSchedule(Exponential(1.0, gamma=0.5), steps=3)
    assert [float(schedule(t)) for t in (0, 2, 3, 10**9)] == [1.0, 0.25, 0.25, 0.25]


def test_arrays_keep_their_shape() -> None:
    steps = keras.ops.convert_to_tensor([[0, 1], [2, 3]])
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(KerasSchedule(Exponential(1.0, gamma=0.5), 4)(steps)), [[1, 0.5], [0.25, 0.125]]
    )


def test_accumulation_counts_updates_not_batches() -> None:
    schedule = KerasSchedule(Exponential(1.0, gamma=0.5), steps=3, accumulation=4)
    assert rates(schedule, 12).tolist() == [1.0] * 4 + [0.5] * 4 + [0.25] * 4


def test_the_configuration_is_plain_data_and_comes_back_through_an_optimizer() -> None:
    schedule = KerasSchedule(warmup(Cosine(0.5, 0.1, steps=80), steps=20) * 0.5, steps=100, accumulation=2)
    again = KerasSchedule.from_config(schedule.get_config())
    assert again.get_config() == schedule.get_config()
    config = keras.optimizers.serialize(keras.optimizers.SGD(schedule))
    loaded = keras.optimizers.deserialize(copy.deepcopy(config))  # Keras changes the dictionary it reads
    assert loaded.get_config() == config["config"]
    np.testing.assert_array_equal(rates(again, 200), rates(schedule, 200))


def test_a_schedule_with_a_function_trains_but_is_not_saved_as_data() -> None:
    schedule = KerasSchedule(Lambda(lambda t: 0.1 / (t + 1)), steps=10)
    with pytest.raises(ValueError, match="plain data.*build it again in code"):
        keras.optimizers.serialize(keras.optimizers.SGD(schedule))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.1])
def test_a_schedule_that_is_called_otherwise_is_held_to_rates_too(value: float) -> None:
    class Overriding(Schedule):
        def __call__(self, t):
            return np.where(np.asarray(t) < 2, 0.1, value)

    with pytest.raises(ValueError, match=r"Overriding\(\) at step 2 must be a finite number, zero or more, got"):
        KerasSchedule(Overriding(), 5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.1, 10), r"schedule must be an lrcourse schedule, got 0.1: use for example Cosine"),
        ((theirs.CosineDecay(0.1, 10), 10), r"schedule must be an lrcourse schedule"),
        ((Plateau(0.1), 10), r"schedule must be an lrcourse schedule"),
        ((Constant(0.1), 0), r"steps must be a whole number of steps, at least 1, got 0"),
        ((Constant(0.1), 2.5), r"steps must be a whole number of steps, at least 1, got 2.5"),
        ((Constant(0.1), 10, 0), r"accumulation must be a whole number, at least 1, got 0"),
        ((OneCycle(0.1, 10), float("inf")), r"steps must be a finite number"),
        ((Lambda(lambda t: 0.2 - 0.1 * t), 10), r"^Lambda.* at step 3 must be a finite number, zero or more, got -0.1"),
        ((Lambda(lambda t: None), 10), r"^fn of Lambda.* at step 0 must be a number, got None"),
        ((Exponential(1.0, gamma=10.0), 50), r"^Exponential.* at step 39 must be finite as float32, got 1e\+39"),
    ],
)
def test_bad_input_names_argument_value_and_fix(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        KerasSchedule(*arguments)


def test_no_type_is_asked_for_that_a_backend_lacks(monkeypatch):
    """JAX has no 64-bit types unless it is told so, and warns where one is asked for."""
    schedule, asked, cast = KerasSchedule(Cosine(0.1, 0.0, 4), steps=4), [], keras.ops.cast
    monkeypatch.setattr(keras.ops, "cast", lambda x, dtype: asked.append(dtype) or cast(x, dtype))
    assert float(schedule(0)) == pytest.approx(0.1)
    assert asked and not [dtype for dtype in asked if "64" in str(dtype)]
