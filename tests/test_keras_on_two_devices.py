"""Schedules in Keras under `tf.distribute.MirroredStrategy`: the weights follow the NumPy reference.

A process splits its devices before it uses them, so this file is run once more in one of its own.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

if "TWO_DEVICES" not in os.environ:

    @pytest.mark.slow
    def test_on_two_devices_in_a_process_of_its_own() -> None:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
        environment = {**os.environ, "TWO_DEVICES": "yes", "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
        run = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert run.returncode == 0, run.stdout + run.stderr
        assert "skipped" not in run.stdout

else:
    import keras
    import tensorflow as tf

    from lrcourse import Cyclic, Linear, OneCycle
    from lrcourse.keras import CyclicLR, KerasSchedule, ScheduleCallback, range_test

    DEVICES = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], DEVICES)
    STRATEGY = tf.distribute.MirroredStrategy(["cpu:0", "cpu:1"])
    BATCH, EPOCHS = 4, 3
    RNG = np.random.default_rng(0)
    X, W0 = RNG.normal(size=(24, 3)), RNG.normal(size=(3, 1))
    Y = X @ RNG.normal(size=(3, 1)) + RNG.normal(size=(24, 1))
    PER_EPOCH = len(X) // BATCH
    STEPS = EPOCHS * PER_EPOCH
    RATE = OneCycle(0.1, steps=STEPS)
    MOMENTUM = RATE.momentum(base=0.5, max=0.9)
    INSIDE_AND_OUTSIDE = pytest.mark.parametrize("scope", [STRATEGY.scope, nullcontext], ids=["inside", "outside"])
    Optimizer = Callable[[], Any]

    def sgd(lr: Callable[[int], float], momentum: Callable[[int], float] = lambda t: 0.0, steps: int = STEPS) -> Any:
        """The weights after `steps` updates, with the rate inside the velocity as Keras has it."""
        w, velocity = W0.copy(), np.zeros_like(W0)
        for t in range(steps):
            rows = slice(t % PER_EPOCH * BATCH, t % PER_EPOCH * BATCH + BATCH)
            velocity = momentum(t) * velocity - lr(t) * 2 * X[rows].T @ (X[rows] @ w - Y[rows]) / BATCH
            w = w + velocity
        return w

    def compiled(optimizer: Optimizer, scope: Any = STRATEGY.scope, **options: Any) -> Any:
        with scope():
            model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1, use_bias=False)])
            model.set_weights([W0])
            model.compile(optimizer(), loss="mse", **options)
        return model

    def fit(model: Any, *callbacks: Any, epochs: int = EPOCHS, **options: Any) -> Any:
        model.fit(X, Y, BATCH, epochs, shuffle=False, verbose=0, callbacks=list(callbacks), **options)
        return model.get_weights()[0]

    def close(weights: Any, reference: Any) -> None:
        """Equal but for Keras's float32."""
        np.testing.assert_allclose(weights, reference, rtol=0, atol=2e-6)

    @INSIDE_AND_OUTSIDE
    @pytest.mark.parametrize("cycled", [False, True])
    @pytest.mark.parametrize("eager", [False, True])
    def test_rate_and_momentum_move_the_weights_as_the_reference(scope: Any, cycled: bool, eager: bool) -> None:
        model = compiled(lambda: keras.optimizers.SGD(0.5, momentum=0.3), run_eagerly=eager)
        with scope():
            callback = ScheduleCallback(RATE, momentum=MOMENTUM if cycled else None)
            fit(model, callback, epochs=1)
            weights = fit(model, callback, initial_epoch=1)
        close(weights, sgd(RATE, MOMENTUM if cycled else lambda t: 0.3))
        assert callback.history["iterations"] == list(range(STEPS))
        np.testing.assert_array_equal(callback.history["lr"], RATE.table(STEPS).astype("float32"))
        assert model.optimizer.momentum == (MOMENTUM(STEPS - 1) if cycled else 0.3)
        assert "apply" not in vars(model.optimizer)

    @INSIDE_AND_OUTSIDE
    def test_the_classic_callback_moves_the_weights_as_the_reference(scope: Any) -> None:
        model = compiled(lambda: keras.optimizers.SGD(0.5))
        with scope():
            clr = CyclicLR(0.01, 0.1, step_size=4)
            weights = fit(model, clr)
        close(weights, sgd(Cyclic(0.01, 0.1, step_size_up=4)))
        assert len(clr.history["loss"]) == STEPS

    @INSIDE_AND_OUTSIDE
    def test_a_schedule_in_the_optimizer_beside_one_of_the_momentum(scope: Any) -> None:
        with scope():
            rate = KerasSchedule(RATE, STEPS)
        callback = ScheduleCallback(None, momentum=MOMENTUM)
        close(fit(compiled(lambda: keras.optimizers.SGD(rate, momentum=0.3)), callback), sgd(RATE, MOMENTUM))
        np.testing.assert_allclose(callback.history["lr"], RATE.table(STEPS), rtol=1e-7)

    def test_epochs_as_the_unit() -> None:
        callback = ScheduleCallback(Linear(0.1, 0.02, 2), unit="epoch", momentum=Linear(0.5, 0.9, 2))
        weights = fit(compiled(lambda: keras.optimizers.SGD(0.5, momentum=0.3)), callback)
        close(weights, sgd(lambda t: 0.1 - 0.04 * (t // PER_EPOCH), lambda t: 0.5 + 0.2 * (t // PER_EPOCH)))

    # Those that use the momentum in a way of their own, and one whose update is nested once more.
    OPTIMIZERS: dict[str, Optimizer] = {
        "Adam": lambda: keras.optimizers.Adam(0.5, epsilon=1e-2),
        "Nadam": lambda: keras.optimizers.Nadam(0.5, epsilon=1e-2),
        "Lion": lambda: keras.optimizers.Lion(0.5),
        "RMSprop": lambda: keras.optimizers.RMSprop(0.5, momentum=0.3, epsilon=1e-2),
        "with weight decay": lambda: keras.optimizers.SGD(0.5, momentum=0.3, weight_decay=0.1),
        "with scaled loss": lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.5, momentum=0.3)),
    }

    @pytest.mark.parametrize("name", OPTIMIZERS)
    def test_every_optimizer_does_on_two_devices_what_it_does_on_one(name: str) -> None:
        one, two = (
            fit(compiled(OPTIMIZERS[name], scope), ScheduleCallback(RATE, momentum=MOMENTUM))
            for scope in (nullcontext, STRATEGY.scope)
        )
        close(two, one)

    @INSIDE_AND_OUTSIDE
    def test_the_range_test_reads_the_curve_of_one_device(scope: Any) -> None:
        def curve(at: Any) -> Any:
            model = compiled(lambda: keras.optimizers.Adam(0.01), at)
            with scope() if at is STRATEGY.scope else nullcontext():
                return range_test(model, X, Y, batch_size=BATCH, start=0.01, steps=25).losses

        two, one = curve(STRATEGY.scope), curve(nullcontext)
        assert len(one) > 10
        np.testing.assert_allclose(two, one, rtol=1e-4)

    @INSIDE_AND_OUTSIDE
    @pytest.mark.parametrize("trained", [False, True])
    @pytest.mark.parametrize("name", ["Adam", "with scaled loss"])
    def test_the_range_test_puts_everything_back_on_either_device(scope: Any, name: str, trained: bool) -> None:
        keras.utils.set_random_seed(0)
        with STRATEGY.scope():
            model = keras.Sequential([keras.layers.Input((3,)), keras.layers.BatchNormalization(),
                                      keras.layers.Dropout(0.3), keras.layers.Dense(1)])  # fmt: skip
            model.compile(OPTIMIZERS[name](), loss="mse", metrics=["mae"])
            model.optimizer.build(model.trainable_variables)
        if trained:
            fit(model, ScheduleCallback(RATE))

        def copies() -> list[Any]:
            variables = (*model.variables, *model.optimizer.variables, *model.metrics_variables)
            local = [copy for each in variables for copy in STRATEGY.experimental_local_results(each.value)]
            assert len(local) == 2 * len(variables)
            return [copy.numpy().tolist() for copy in local]

        before = copies()
        with scope():
            first, second = (range_test(model, X, Y, batch_size=BATCH, end=0.1, steps=25) for _ in range(2))
        assert copies()[: len(before)] == before and not any(copies()[len(before) :])
        assert first.losses.tolist() == second.losses.tolist() and len(first.losses) > 10
