"""Keras callbacks: what is said of them, held to Keras's own; and the sums of rates behind the article's ranking."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from itertools import pairwise  # noqa: E402
from types import SimpleNamespace  # noqa: E402

import keras  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402
from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from keras.callbacks import EarlyStopping, LearningRateScheduler, ReduceLROnPlateau  # noqa: E402

from lrcourse import Cosine, Plateau  # noqa: E402
from lrcourse.keras import ScheduleCallback  # noqa: E402

FIRST, GAMMA = 0.5, 0.8
METRICS = st.lists(st.sampled_from([0.5, 1.0, 1.5, 2.0, 3.0]), min_size=1, max_size=30)
PATIENCE = st.integers(1, 4)


def drive(callback, metrics, rate=FIRST):
    """The rate of each epoch under `callback`, with `metrics` in the place of training; shorter if it stops."""
    model = SimpleNamespace(optimizer=SimpleNamespace(learning_rate=rate), stop_training=False)
    callback.set_model(model)
    callback.on_train_begin()
    rates = []
    for epoch, metric in enumerate(metrics):
        callback.on_epoch_begin(epoch)
        rates.append(model.optimizer.learning_rate)
        callback.on_epoch_end(epoch, {"loss": metric})
        if model.stop_training:
            break
    return rates


def keras_plateau(patience, **options):
    return ReduceLROnPlateau("loss", 0.5, patience, mode="min", min_delta=0, **options)


def model_with(rate):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(rate), "mse", jit_compile=False)
    return model


@given(METRICS)
def test_the_active_rate_does_not_listen_to_the_metric(metrics):
    rates = drive(LearningRateScheduler(lambda epoch: FIRST * GAMMA**epoch), metrics)
    np.testing.assert_allclose(rates, FIRST * GAMMA ** np.arange(len(metrics)), rtol=1e-12)


@given(METRICS, PATIENCE)
def test_the_passive_rate_falls_after_as_many_bad_epochs_as_its_patience(metrics, patience):
    rates, best, waited = [FIRST], np.inf, 0
    for metric in metrics[:-1]:
        best, waited = (metric, 0) if metric < best else (best, waited + 1)
        rates.append(rates[-1] * (0.5 if waited == patience else 1))
        waited %= patience
    assert drive(keras_plateau(patience), metrics) == rates


def ours(metrics, **options):
    plateau = Plateau(FIRST, 0.5, threshold=0.0, **options)
    return [FIRST, *(plateau.update(metric) for metric in metrics[:-1])]


@given(METRICS, PATIENCE, st.integers(1, 6))
def test_a_cooldown_of_n_in_keras_is_one_of_n_minus_1_here(metrics, patience, n):
    theirs = drive(keras_plateau(patience, cooldown=n), metrics)
    assert theirs == ours(metrics, patience=patience, cooldown=n - 1)


def test_the_same_number_in_both_is_not_the_same_cooldown():
    assert drive(keras_plateau(1, cooldown=2), [1.0] * 9) != ours([1.0] * 9, patience=1, cooldown=2)
    assert drive(keras_plateau(1, cooldown=0), [1.0] * 9) == drive(keras_plateau(1, cooldown=1), [1.0] * 9)


def test_a_second_parameter_with_a_default_is_given_the_present_rate():
    def meant(epoch, first=FIRST):
        return first * GAMMA**epoch

    rates = drive(LearningRateScheduler(meant), range(8))
    np.testing.assert_allclose(rates, FIRST * GAMMA ** np.cumsum(np.arange(8)), rtol=1e-12)
    fixed = drive(LearningRateScheduler(lambda epoch: meant(epoch)), range(8))
    np.testing.assert_allclose(fixed, [meant(epoch) for epoch in range(8)], rtol=1e-12)


def test_a_type_error_in_the_schedule_is_reported_as_a_missing_argument():
    def with_a_typo(epoch, rate):
        return rate * "0.8"

    with pytest.raises(TypeError, match="missing 1 required positional argument: 'rate'"):
        drive(LearningRateScheduler(with_a_typo), [1.0])


def test_a_schedule_must_return_a_float():
    with pytest.raises(ValueError, match="should be a float"):
        drive(LearningRateScheduler(lambda epoch: 1), [1.0])


@pytest.mark.parametrize(
    "callback, error",
    [
        (LearningRateScheduler(lambda epoch: 0.1), TypeError),
        (ReduceLROnPlateau("loss", patience=1, min_delta=1e9, mode="min"), TypeError),
        (ScheduleCallback(Cosine(0.1, 0.0, steps=8)), ValueError),
    ],
    ids=["active", "passive", "lrcourse"],
)
def test_no_callback_can_steer_an_optimizer_with_a_schedule(callback, error):
    model = model_with(keras.optimizers.schedules.CosineDecay(0.1, 8))
    with pytest.raises(error, match="LearningRateSchedule|plain number"):
        model.fit(np.ones((4, 1)), np.ones((4, 1)), epochs=4, verbose=0, callbacks=[callback])
    epochs_done = {TypeError: [0, 2], ValueError: [0]}[error]
    assert int(model.optimizer.iterations) in epochs_done


def test_the_passive_callback_fails_only_when_it_first_wants_to_cut():
    model = model_with(keras.optimizers.schedules.CosineDecay(0.1, 8))
    callback = ReduceLROnPlateau("loss", patience=3, min_delta=1e9, mode="min")
    with pytest.raises(TypeError):
        model.fit(np.ones((4, 1)), np.ones((4, 1)), epochs=9, verbose=0, callbacks=[callback])
    assert int(model.optimizer.iterations) == 4  # the first epoch sets the best, three more are bad


@given(METRICS, PATIENCE)
def test_a_stop_as_patient_as_the_plateau_never_lets_a_lower_rate_train(metrics, patience):
    stopped_after = len(drive(EarlyStopping("loss", patience=patience, mode="min"), metrics))
    cut_rates = drive(keras_plateau(patience), metrics)[:stopped_after]
    assert all(rate == FIRST for rate in cut_rates)


def test_a_stop_twice_as_patient_does():
    metrics = [1.0] * 12
    stopped_after = len(drive(EarlyStopping("loss", patience=6, mode="min"), metrics))
    assert drive(keras_plateau(3), metrics)[stopped_after - 1] < FIRST


def orders(seeded):
    """The order of eight examples in four epochs of `fit`."""
    seen = []

    class Spy(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(1)

        def call(self, inputs):
            seen.extend(np.asarray(inputs).ravel().astype(int).tolist())
            return self.dense(inputs)

    if seeded:
        keras.utils.set_random_seed(0)
    model, eight = Spy(), np.arange(8.0)[:, None]
    model.compile("sgd", "mse", run_eagerly=True)
    model(eight)
    seen.clear()
    model.fit(eight, eight, batch_size=4, epochs=4, shuffle=True, verbose=0)
    return np.array(seen).reshape(4, 8)


def test_with_a_seed_keras_on_tensorflow_repeats_one_order():
    repeated = orders(seeded=True)
    assert sorted(repeated[0]) == list(range(8))
    assert all(np.array_equal(a, b) for a, b in pairwise(repeated))


def sums(epochs):
    e = np.arange(epochs)
    return {
        "line": np.sum(1 - e / epochs),
        "stairs": np.sum(1 - 2 * np.floor(e / 2 * 10 / epochs) / 10),
        "exponential": np.sum(GAMMA ** (e * 10 / epochs)),
        "cosine": np.sum((1 + np.cos(np.pi * e / epochs)) / 2),
    }


@pytest.mark.parametrize("epochs", [10, 20, 40, 100])
def test_line_and_cosine_spend_the_same_and_the_exponential_less(epochs):
    spent = sums(epochs)
    assert spent["cosine"] == pytest.approx(spent["line"], rel=1e-12)
    assert spent["exponential"] < spent["line"] < spent["stairs"]
