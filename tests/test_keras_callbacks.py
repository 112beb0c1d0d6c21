"""Schedules in Keras: the weights follow the NumPy reference. Runs on both backends (see test_keras_on_torch.py)."""

import os
import re

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from collections.abc import Callable, Iterator  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import keras  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402

from lrcourse import Constant, Cosine, Cyclic, Lambda, Linear, OneCycle, Plateau, Step, warmup  # noqa: E402
from lrcourse.keras import CyclicLR, KerasSchedule, PlateauCallback, ScheduleCallback  # noqa: E402

ON_TENSORFLOW = keras.backend.backend() == "tensorflow"
BATCH, EPOCHS = 4, 3
RNG = np.random.default_rng(0)
X, W0 = RNG.normal(size=(23, 3)), RNG.normal(size=(3, 1))
Y = X @ RNG.normal(size=(3, 1)) + RNG.normal(size=(23, 1))
PER_EPOCH = 6  # 23 rows in batches of 4: the last one is smaller, and 4 steps per execution do not divide it
STEPS = EPOCHS * PER_EPOCH

SCHEDULES = {
    "cosine": Cosine(0.1, 0.01, steps=STEPS),
    "one-cycle": OneCycle(0.1, steps=STEPS),
    "cyclic": Cyclic(0.01, 0.1, step_size_up=4, mode="triangular2"),
    "warm-up": warmup(Cosine(0.1, 0.0, steps=12), steps=5, start=0.001),
}
MOMENTUM = OneCycle(0.1, steps=STEPS).momentum(base=0.5, max=0.9)
# On PyTorch Keras itself refuses more than one step per execution.
EXECUTIONS = [(jit, together) for jit in (False, True) for together in (1, 4)] if ON_TENSORFLOW else [(False, 1)]


@pytest.fixture(autouse=True)
def xla() -> Iterator[None]:
    """Keras leaves `jit_compile` out while TensorFlow is asked for deterministic operations."""
    if not ON_TENSORFLOW:
        yield
        return
    from tensorflow.python.framework import config

    asked = config.is_op_determinism_enabled()
    config.disable_op_determinism()
    yield
    if asked:
        config.enable_op_determinism()


def gradient(w: np.ndarray, t: int) -> np.ndarray:
    rows = slice(t % PER_EPOCH * BATCH, t % PER_EPOCH * BATCH + BATCH)
    return 2 * X[rows].T @ (X[rows] @ w - Y[rows]) / len(X[rows])


def sgd(lr: Callable[[int], float], momentum: Callable[[int], float] = lambda t: 0.0, steps: int = STEPS,
        nesterov: bool = False, batches: int = 1) -> np.ndarray:  # fmt: skip
    """The weights after `steps` updates, with the rate inside the velocity as Keras has it."""
    w, velocity = W0.copy(), np.zeros_like(W0)
    for t in range(steps):
        g = np.mean([gradient(w, t * batches + i) for i in range(batches)], axis=0)
        velocity = momentum(t) * velocity - lr(t) * g
        w = w + (momentum(t) * velocity - lr(t) * g if nesterov else velocity)
    return w


def adam(lr: Callable[[int], float], beta_1: Callable[[int], float], epsilon: float) -> np.ndarray:
    """Keras's Adam: epsilon beside the uncorrected root, the corrections with the current beta and in float32."""
    w, m, v = W0.copy(), np.zeros_like(W0), np.zeros_like(W0)
    for t in range(STEPS):
        g, b = gradient(w, t), beta_1(t)
        m, v = b * m + (1 - b) * g, 0.999 * v + 0.001 * g**2
        powers = np.array([b, 0.999], dtype=np.float32) ** np.float32(t + 1)
        alpha = lr(t) * np.sqrt(1 - powers[1]) / (1 - powers[0])
        w = w - alpha * m / (np.sqrt(v) + epsilon)
    return w


def compiled(optimizer: Any, jit: bool = False, together: int = 1, **options: Any) -> Any:
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1, use_bias=False)])
    model.set_weights([W0])
    model.compile(optimizer, loss="mse", jit_compile=jit, steps_per_execution=together, **options)
    assert model.jit_compile is jit
    return model


def fit(model: Any, *callbacks: Any, epochs: int = EPOCHS, **options: Any) -> np.ndarray:
    model.fit(X, Y, BATCH, epochs, shuffle=False, verbose=0, callbacks=list(callbacks), **options)
    return model.get_weights()[0]


def close(weights: np.ndarray, reference: np.ndarray) -> None:
    """Equal but for Keras's float32."""
    np.testing.assert_allclose(weights, reference, rtol=0, atol=2e-6)


@pytest.mark.parametrize(
    ("name", "jit", "together"),
    [("one-cycle", *execution) for execution in EXECUTIONS]
    + [(name, *EXECUTIONS[-1]) for name in SCHEDULES if name != "one-cycle"],
)
def test_a_schedule_in_the_optimizer_moves_the_weights_as_the_reference(name: str, jit: bool, together: int) -> None:
    schedule = SCHEDULES[name]
    model = compiled(keras.optimizers.SGD(KerasSchedule(schedule, STEPS), momentum=0.9), jit, together)
    close(fit(model), sgd(schedule, Constant(0.9)))


@pytest.mark.parametrize(("name", "jit"), [*((name, False) for name in SCHEDULES), ("one-cycle", ON_TENSORFLOW)])
def test_the_callback_moves_the_weights_as_the_reference(name: str, jit: bool) -> None:
    schedule, callback = SCHEDULES[name], ScheduleCallback(SCHEDULES[name])
    close(fit(compiled(keras.optimizers.SGD(0.5), jit), callback), sgd(schedule))
    assert callback.history["iterations"] == list(range(STEPS))
    np.testing.assert_array_equal(callback.history["lr"], schedule.table(STEPS).astype("float32"))


@pytest.mark.parametrize(
    ("jit", "together", "nesterov"), [*((*execution, False) for execution in EXECUTIONS), (*EXECUTIONS[-1], True)]
)
def test_cyclical_momentum_acts_on_the_weights(jit: bool, together: int, nesterov: bool) -> None:
    schedule = SCHEDULES["one-cycle"]
    optimizer = keras.optimizers.SGD(KerasSchedule(schedule, STEPS), momentum=0.3, nesterov=nesterov)
    callback = ScheduleCallback(None, momentum=MOMENTUM)
    close(fit(compiled(optimizer, jit, together), callback), sgd(schedule, MOMENTUM, nesterov=nesterov))
    np.testing.assert_array_equal(callback.history["momentum"], MOMENTUM.table(STEPS))
    np.testing.assert_allclose(callback.history["lr"], schedule.table(STEPS), rtol=1e-7)
    assert optimizer.momentum == MOMENTUM(STEPS - 1)


def test_rate_and_momentum_from_one_callback() -> None:
    schedule = SCHEDULES["one-cycle"]
    model = compiled(keras.optimizers.SGD(0.5, momentum=0.3))
    close(fit(model, ScheduleCallback(schedule, momentum=MOMENTUM)), sgd(schedule, MOMENTUM))


@pytest.mark.parametrize(("jit", "together"), EXECUTIONS)
def test_the_first_beta_of_adam_is_its_momentum(jit: bool, together: int) -> None:
    schedule = SCHEDULES["one-cycle"]
    optimizer = keras.optimizers.Adam(KerasSchedule(schedule, STEPS), epsilon=1e-2)
    weights = fit(compiled(optimizer, jit, together), ScheduleCallback(None, momentum=MOMENTUM))
    close(weights, adam(schedule, MOMENTUM, epsilon=1e-2))


class ByHand(keras.callbacks.Callback):
    """What one would write: right only where Keras runs line by line."""

    def __init__(self, attribute: str) -> None:
        super().__init__()
        self.attribute, self.t = attribute, 0

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        setattr(self.model.optimizer, self.attribute, MOMENTUM(self.t))
        self.t += 1


# Those that use the momentum in a way of their own; AdamW, Adamax and LAMB use it as Adam does.
OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "RMSprop": lambda: keras.optimizers.RMSprop(0.01, momentum=0.5),
    "Nadam": lambda: keras.optimizers.Nadam(0.01),
    "Lion": lambda: keras.optimizers.Lion(0.01),
    "Muon": lambda: keras.optimizers.Muon(0.01),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_momentum_of_every_optimizer_acts_as_it_does_line_by_line(name: str) -> None:
    create = OPTIMIZERS[name]
    attribute = "momentum" if hasattr(create(), "momentum") else "beta_1"
    expected = fit(compiled(create(), run_eagerly=True), ByHand(attribute))
    assert abs(expected - fit(compiled(create()))).max() > 1e-4, "the momentum must matter here"
    close(fit(compiled(create()), ScheduleCallback(None, momentum=MOMENTUM)), expected)


def test_editing_the_momentum_by_hand_is_ignored_by_a_graph() -> None:
    """Why `Momentum` exists; if a later Keras reads the attribute, this says so."""
    weights = fit(compiled(keras.optimizers.SGD(0.05, momentum=0.3)), ByHand("momentum"))
    first = Constant(MOMENTUM(0))  # the value at the moment of tracing
    close(weights, sgd(Constant(0.05), first if ON_TENSORFLOW else MOMENTUM))


def test_a_momentum_of_zero_still_keeps_the_velocity() -> None:
    momentum = Lambda(lambda t: 0.9 * (t % 3 > 0))
    weights = fit(compiled(keras.optimizers.SGD(0.05, momentum=0.5)), ScheduleCallback(None, momentum=momentum))
    close(weights, sgd(Constant(0.05), momentum))


def test_after_the_run_the_optimizer_is_plain_and_keeps_the_last_rate_and_momentum() -> None:
    schedule, momentum = Linear(0.1, 0.02, steps=5), Linear(0.3, 0.8, steps=5)
    model = compiled(keras.optimizers.SGD(0.5, momentum=0.5))
    fit(model, ScheduleCallback(schedule, momentum=momentum), epochs=1)
    assert "apply" not in vars(model.optimizer) and model.optimizer.get_config()["momentum"] == 0.8
    close(fit(model, epochs=1), sgd(schedule, momentum, steps=2 * PER_EPOCH))


class Failure(keras.callbacks.Callback):
    """Dies in the fourth batch of an epoch."""

    def __init__(self, epoch: int = 0) -> None:
        super().__init__()
        self.left = epoch

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.left -= 1

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if batch == 3 and self.left == 0:
            raise KeyboardInterrupt


def test_a_run_that_died_leaves_nothing_behind() -> None:
    model = compiled(keras.optimizers.SGD(0.05, momentum=0.5))
    with pytest.raises(KeyboardInterrupt):
        fit(model, ScheduleCallback(None, momentum=Constant(0.1)), Failure())
    model.set_weights([W0])
    for variable in model.optimizer.variables[2:]:
        variable.assign(keras.ops.zeros_like(variable))
    model.optimizer.iterations.assign(0)
    close(fit(model, ScheduleCallback(None, momentum=MOMENTUM)), sgd(Constant(0.05), MOMENTUM))


@pytest.mark.parametrize("again", [True, False])
def test_a_momentum_set_by_hand_after_a_run_that_died_acts(again: bool) -> None:
    model = compiled(keras.optimizers.SGD(0.05, momentum=0.5))
    with pytest.raises(KeyboardInterrupt):
        fit(model, ScheduleCallback(None, momentum=Constant(0.1)), Failure())
    assert "apply" not in vars(model.optimizer)
    model.optimizer.momentum = 0.0
    if again:
        model.compile(model.optimizer, loss="mse")
    model.set_weights([W0])
    close(fit(model), sgd(Constant(0.05)))


@pytest.mark.parametrize("together", sorted({together for _, together in EXECUTIONS}))
def test_epochs_as_the_unit(together: int) -> None:
    schedule, momentum = Step(0.1, every=1, gamma=0.5), Linear(0.5, 0.9, steps=EPOCHS - 1)
    callback = ScheduleCallback(schedule, unit="epoch", momentum=momentum)
    weights = fit(compiled(keras.optimizers.SGD(0.5, momentum=0.3), together=together), callback)
    close(weights, sgd(lambda t: schedule(t // PER_EPOCH), lambda t: momentum(t // PER_EPOCH)))
    assert callback.history["iterations"] == list(range(STEPS))
    np.testing.assert_allclose(callback.history["lr"], np.repeat([0.1, 0.05, 0.025], PER_EPOCH), rtol=1e-7)
    np.testing.assert_array_equal(callback.history["momentum"], np.repeat([0.5, 0.7, 0.9], PER_EPOCH))


@pytest.mark.parametrize("inside", [True, False])
def test_accumulated_batches_are_one_step(inside: bool) -> None:
    schedule = Step(0.1, every=1, gamma=0.7)
    rate = KerasSchedule(schedule, STEPS // 3, accumulation=3) if inside else 0.5
    callback = ScheduleCallback(None if inside else schedule, momentum=MOMENTUM)
    optimizer = keras.optimizers.SGD(rate, momentum=0.3, gradient_accumulation_steps=3)
    close(fit(compiled(optimizer), callback), sgd(schedule, MOMENTUM, steps=STEPS // 3, batches=3))
    assert callback.history["iterations"] == list(range(STEPS // 3))
    np.testing.assert_allclose(callback.history["lr"], schedule.table(STEPS // 3), rtol=1e-6)


@pytest.mark.parametrize("inside", [True, False])
def test_an_update_skipped_by_loss_scaling_is_no_step(inside: bool) -> None:
    schedule = Step(0.1, every=1, gamma=0.9)
    rate = KerasSchedule(schedule, STEPS) if inside else 0.5
    callback = ScheduleCallback(None if inside else schedule, momentum=MOMENTUM)
    inner = keras.optimizers.SGD(rate, momentum=0.3)
    model = compiled(keras.optimizers.LossScaleOptimizer(inner))
    broken = X.copy()
    broken[2 * BATCH] = np.inf  # the third batch of every epoch has no finite gradient
    model.fit(broken, Y, BATCH, EPOCHS, shuffle=False, verbose=0, callbacks=[callback])
    w, velocity = W0.copy(), np.zeros_like(W0)
    good = [batch for batch in range(STEPS) if batch % PER_EPOCH != 2]
    for t, batch in enumerate(good):
        velocity = MOMENTUM(t) * velocity - schedule(t) * gradient(w, batch)
        w = w + velocity
    close(model.get_weights()[0], w)
    assert callback.history["iterations"] == list(range(len(good)))
    np.testing.assert_allclose(callback.history["lr"], schedule.table(len(good)), rtol=1e-6)


@pytest.mark.parametrize("inside", [True, False])
def test_a_saved_run_goes_on_where_it_ended(inside: bool, tmp_path: Path) -> None:
    schedule = SCHEDULES["one-cycle"]

    def callback() -> Any:
        return ScheduleCallback(None if inside else schedule, momentum=MOMENTUM)

    model = compiled(keras.optimizers.SGD(KerasSchedule(schedule, STEPS) if inside else 0.5, momentum=0.3))
    checkpoint = keras.callbacks.ModelCheckpoint(tmp_path / "model.keras", save_freq=4)  # in the middle of an epoch
    fit(model, callback(), checkpoint, epochs=1)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    close(fit(loaded, callback(), epochs=EPOCHS, initial_epoch=1), sgd(schedule, MOMENTUM))


def refused(optimizer: Any, callback: Any, match: str, together: int = 1) -> None:
    """Refused before the first update."""
    model = compiled(optimizer, together=together)
    with pytest.raises(ValueError, match=match):
        fit(model, callback)
    assert int(model.optimizer.iterations) == 0
    np.testing.assert_array_equal(model.get_weights()[0], W0.astype("float32"))


@pytest.mark.parametrize("unit", ["step", "epoch"])
@pytest.mark.parametrize(
    "rate",
    [KerasSchedule(Constant(0.1), 10), keras.optimizers.schedules.CosineDecay(0.1, 10), lambda: 0.1],
    ids=["KerasSchedule", "CosineDecay", "function"],
)
def test_two_schedules_at_once_are_refused(rate: Any, unit: str) -> None:
    fix = "optimizer.learning_rate must be a plain number .*: create the optimizer with learning_rate=0.01, or leave"
    refused(keras.optimizers.SGD(rate), ScheduleCallback(Constant(0.1), unit), fix)


def test_the_classic_callback_beside_a_schedule_is_refused() -> None:
    refused(keras.optimizers.SGD(KerasSchedule(Constant(0.1), 10)), CyclicLR(), "or leave CyclicLR out")


def several(optimizer: Any) -> Any:
    return keras.optimizers.MultiOptimizer(keras.optimizers.OptimizerMap(optimizer))


@pytest.mark.parametrize("wrap", [lambda multi: multi, keras.optimizers.LossScaleOptimizer], ids=["plain", "scaled"])
def test_an_optimizer_of_several_is_refused_and_the_named_fix_works(wrap: Callable[[Any], Any]) -> None:
    multi = wrap(several(keras.optimizers.SGD(0.5)))
    for callback in (ScheduleCallback(Constant(0.1)), CyclicLR()):
        who, fix = type(callback).__name__, "compile with a single one, or pass KerasSchedule.* to each one in it"
        refused(multi, callback, f"must be one whose learning_rate {who} can set, got 'MultiOptimizer': {fix}")
    schedule = SCHEDULES["one-cycle"]
    multi = wrap(several(keras.optimizers.SGD(KerasSchedule(schedule, STEPS))))
    close(fit(compiled(multi)), sgd(schedule))


def test_a_momentum_is_not_scheduled_in_an_optimizer_of_several() -> None:
    multi = several(keras.optimizers.SGD(0.5, momentum=0.3))
    refused(multi, ScheduleCallback(None, momentum=MOMENTUM), "momentum or beta_1, got 'MultiOptimizer'")


if ON_TENSORFLOW:  # on PyTorch Keras refuses it itself

    def test_several_steps_per_execution_are_refused_where_steps_would_be_missed() -> None:
        fix = r"steps_per_execution must be 1 .*, got 4: pass KerasSchedule\(schedule, steps\) to the optimizer"
        refused(keras.optimizers.SGD(0.1), ScheduleCallback(Constant(0.1)), fix, together=4)
        refused(keras.optimizers.SGD(0.1), CyclicLR(), fix, together=4)


def test_an_optimizer_without_momentum_is_refused() -> None:
    callback = ScheduleCallback(Constant(0.1), momentum=MOMENTUM)
    refused(keras.optimizers.SGD(0.1), callback, r"got 0: create it as SGD\(..., momentum=0.9\)")
    refused(keras.optimizers.Adagrad(0.1), callback, "optimizer must be one with a momentum or beta_1, got 'Adagrad'")


NOT_A_RATE = "must be a finite number, zero or more"
NOT_A_MOMENTUM = "must be a momentum, at least 0 and below 1"
NOT_VALUES: dict[str, list[tuple[float | None, str]]] = {
    "rate": [(float("nan"), NOT_A_RATE), (float("inf"), NOT_A_RATE), (-0.1, NOT_A_RATE), (None, "must be a number"),
             (1e39, "must be finite as float32")],
    "momentum": [(float("nan"), NOT_A_RATE), (-0.1, NOT_A_RATE), (1.0, NOT_A_MOMENTUM),
                 (1 - 1e-9, "must be below 1 as float32")],
}  # fmt: skip


@pytest.mark.parametrize(("what", "value", "must"), [(what, *case) for what in NOT_VALUES for case in NOT_VALUES[what]])
def test_what_is_no_rate_or_momentum_never_reaches_the_weights(what: str, value: Any, must: str) -> None:
    fails = Lambda(lambda t: value if t == 5 else 0.1)
    model = compiled(keras.optimizers.SGD(0.1, momentum=0.1))
    callback = ScheduleCallback(fails) if what == "rate" else ScheduleCallback(None, momentum=fails)
    with pytest.raises(ValueError, match=f"Lambda.* at step 5 {must}.*, got {re.escape(str(value))}"):
        fit(model, callback)
    close(model.get_weights()[0], sgd(Constant(0.1), Constant(0.1), steps=5))
    assert callback.history["iterations"] == list(range(5))


def test_nor_do_those_of_the_classic_callback() -> None:
    model = compiled(keras.optimizers.SGD(0.5))
    with pytest.raises(ValueError, match=f"scale_fn.* at step 3 {NOT_A_RATE}, got nan"):
        fit(model, CyclicLR(0.01, 0.1, 2, scale_fn=lambda t: 1.0 if t < 3 else np.nan, scale_mode="iterations"))
    close(model.get_weights()[0], sgd(Cyclic(0.01, 0.1, step_size_up=2), steps=3))


def ends(value: float, steps: int) -> Lambda:
    """A schedule that has a value for so many steps only."""
    return Lambda(lambda t: (value,)[int(t >= steps)])


@pytest.mark.parametrize(("jit", "together"), EXECUTIONS)
def test_a_schedule_need_not_go_on_behind_the_run(jit: bool, together: int) -> None:
    schedule, momentum = ends(0.1, STEPS), ends(0.8, STEPS)
    optimizer = keras.optimizers.SGD(0.1, momentum=0.3)
    callback = ScheduleCallback(schedule if together == 1 else None, momentum=momentum)
    close(fit(compiled(optimizer, jit, together), callback), sgd(Constant(0.1), Constant(0.8)))
    with pytest.raises(IndexError):
        fit(compiled(optimizer), callback, epochs=1)


@pytest.mark.parametrize("batches", [3, 4])
def test_nor_behind_the_last_batches_which_may_not_suffice_for_an_update(batches: int) -> None:
    updates = STEPS // batches
    optimizer = keras.optimizers.SGD(0.5, momentum=0.3, gradient_accumulation_steps=batches)
    callback = ScheduleCallback(ends(0.1, updates), momentum=ends(0.8, updates))
    weights = fit(compiled(optimizer), callback)
    close(weights, sgd(Constant(0.1), Constant(0.8), steps=updates, batches=batches))


class Sets(keras.callbacks.Callback):
    """Sets an attribute of the optimizer to 0.01 by hand in one method, once that has been called `after` times."""

    def __init__(self, attribute: str, method: str, after: int = 0) -> None:
        super().__init__()
        self.attribute, self.calls, self.after = attribute, 0, after
        setattr(self, method, self._set)

    def _set(self, *_: Any, **__: Any) -> None:
        self.calls += 1
        if self.calls > self.after:
            setattr(self.model.optimizer, self.attribute, 0.01)


AT_BEGIN = "by hand when it begins"
RATES_SET_ELSEWHERE: dict[str, tuple[Callable[[], Any], int]] = {  # and the step at which it is noticed
    "plateau": (lambda: keras.callbacks.ReduceLROnPlateau("loss", 0.1, patience=1, min_delta=1e9), 2 * PER_EPOCH),
    "scheduler": (lambda: keras.callbacks.LearningRateScheduler(lambda epoch, lr: 0.01), 0),
    "second schedule": (lambda: ScheduleCallback(Constant(0.01)), 0),
    "classic": (lambda: CyclicLR(0.01, 0.02), 0),
    AT_BEGIN: (lambda: Sets("learning_rate", "on_train_begin"), 0),
    "by hand before an update": (lambda: Sets("learning_rate", "on_train_batch_begin", after=2), 2),
    "by hand after an update": (lambda: Sets("learning_rate", "on_train_batch_end", after=2), 2),
}


@pytest.mark.parametrize("unit", ["step", "epoch"])
@pytest.mark.parametrize(("name", "first"), [(name, True) for name in RATES_SET_ELSEWHERE] + [
    (name, False) for name in RATES_SET_ELSEWHERE if name != AT_BEGIN  # before ours begins everybody may
])  # fmt: skip
def test_a_rate_that_something_else_sets_too_is_refused(name: str, first: bool, unit: str) -> None:
    create, step = RATES_SET_ELSEWHERE[name]
    step += first and name == "by hand after an update"  # then it comes after our own look
    callbacks = [ScheduleCallback(Constant(0.1), unit), create()]
    must = rf"^optimizer.learning_rate must be 0.1\d* at step {step}, as ScheduleCallback has left it, got 0.0\d+"
    with pytest.raises(ValueError, match=f"{must}: something else sets it too, for example ReduceLROnPlateau"):
        fit(compiled(keras.optimizers.SGD(0.1)), *(callbacks if first else callbacks[::-1]))


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("other", [
    lambda: ScheduleCallback(None, momentum=Constant(0.01)),
    lambda: Sets("momentum", "on_epoch_begin"),
    lambda: Sets("momentum", "on_train_batch_begin"),
], ids=["second schedule", "by hand in an epoch", "by hand in an update"])  # fmt: skip
def test_a_momentum_that_something_else_sets_too_is_refused(other: Callable[[], Any], first: bool) -> None:
    callbacks = [ScheduleCallback(None, momentum=Constant(0.1)), other()]
    must = "^optimizer.momentum must be 0.[13] at step 0, as ScheduleCallback has left it, got 0.0?1"
    with pytest.raises(ValueError, match=f"{must}: something else sets it too"):
        fit(compiled(keras.optimizers.SGD(0.1, momentum=0.3)), *(callbacks if first else callbacks[::-1]))


def test_what_sets_neither_goes_beside_a_schedule() -> None:
    schedule = SCHEDULES["one-cycle"]
    model = compiled(keras.optimizers.SGD(0.5, momentum=0.3))
    weights = fit(
        model, ScheduleCallback(schedule), ScheduleCallback(None, momentum=MOMENTUM),
        keras.callbacks.ReduceLROnPlateau("loss", patience=EPOCHS + 1),
        keras.callbacks.EarlyStopping("loss", patience=EPOCHS + 1, restore_best_weights=False),
        keras.callbacks.TerminateOnNaN(),
    )  # fmt: skip
    close(weights, sgd(schedule, MOMENTUM))
    model.optimizer.learning_rate, model.optimizer.momentum = 0.5, 0.3  # between two runs everybody may
    fit(model, ScheduleCallback(schedule, momentum=MOMENTUM))


def test_a_scheduled_momentum_leaves_the_rate_to_others() -> None:
    plateau = keras.callbacks.ReduceLROnPlateau("loss", 0.1, patience=1, min_delta=1e9)
    callback = ScheduleCallback(None, momentum=MOMENTUM)
    weights = fit(compiled(keras.optimizers.SGD(0.1, momentum=0.3)), callback, plateau)
    close(weights, sgd(lambda t: 0.1 if t < 2 * PER_EPOCH else 0.01, MOMENTUM))


class Back(keras.callbacks.Callback):
    """Goes back once, after the second epoch, to the state after the first."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = str(path)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if epoch == 0:
            self.model.save_weights(self.path)
        elif epoch == 1:
            self.model.load_weights(self.path)


@pytest.mark.parametrize("unit", ["step", "epoch"])
def test_a_checkpoint_loaded_in_between_takes_the_schedule_back_with_it(unit: str, tmp_path: Path) -> None:
    schedule = SCHEDULES["one-cycle"] if unit == "step" else Step(0.1, every=1, gamma=0.5)
    model = compiled(keras.optimizers.SGD(0.5, momentum=0.3))
    weights = fit(model, ScheduleCallback(schedule, unit, momentum=schedule), Back(tmp_path / "a.weights.h5"))
    # In epochs, the third is the third, wherever it starts from.
    at = schedule if unit == "step" else Lambda(lambda t: 0.1 if t < PER_EPOCH else 0.025)
    close(weights, sgd(at, at, steps=2 * PER_EPOCH))


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("inside", [True, False])
def test_backup_and_restore_goes_on_where_the_run_has_died(inside: bool, first: bool, tmp_path: Path) -> None:
    schedule = SCHEDULES["one-cycle"]

    def run(*more: Any) -> np.ndarray:
        optimizer = keras.optimizers.SGD(KerasSchedule(schedule, STEPS) if inside else 0.5, momentum=0.3)
        callbacks = [ScheduleCallback(None if inside else schedule, momentum=MOMENTUM),
                     keras.callbacks.BackupAndRestore(tmp_path / "backup")]  # fmt: skip
        return fit(compiled(optimizer), *(callbacks if first else callbacks[::-1]), *more)

    with pytest.raises(KeyboardInterrupt):
        run(Failure(epoch=1))
    close(run(), sgd(schedule, MOMENTUM))


def test_a_backend_that_would_ignore_the_callback_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    model, callback = compiled(keras.optimizers.SGD(0.1)), ScheduleCallback(Constant(0.1))
    callback.set_model(model)
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match="KERAS_BACKEND must be tensorflow or torch.*pass KerasSchedule"):
        callback.on_train_begin()


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"schedule": 0.1}, "schedule must be an lrcourse schedule, got 0.1: use for example"),
        ({"schedule": Constant(0.1), "unit": "batch"}, "unit must be 'step' or 'epoch', got 'batch': choose one of"),
        ({"schedule": None}, "schedule must be given unless momentum is"),
        ({"schedule": None, "momentum": 0.9}, "momentum must be an lrcourse schedule, got 0.9"),
    ],
)
def test_bad_arguments_of_the_callback(arguments: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        ScheduleCallback(**arguments)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"max_lr": 0.0001}, "max_lr must be at least base_lr"),
        ({"step_size": 0}, "step_size.* must be a positive number of steps, got 0"),
        ({"mode": "triangular3"}, "mode must be 'triangular' or"),
        ({"scale_mode": "epochs"}, "scale_mode must be 'cycle' or 'iterations', got 'epochs'"),
    ],
)
def test_bad_arguments_of_the_classic_callback(arguments: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        CyclicLR(**arguments)


def classic(t: int, base_lr: float, max_lr: float, step_size: float, scale_fn: Any, scale_mode: str) -> float:
    """The formula of the classic callback."""
    cycle = np.floor(1 + t / (2 * step_size))
    height = max(0, 1 - abs(t / step_size - 2 * cycle + 1))
    return base_lr + (max_lr - base_lr) * height * scale_fn(cycle if scale_mode == "cycle" else t)


def wave(x: Any) -> Any:
    return 0.5 * (1 + np.sin(x * np.pi / 2.0))


CLASSIC: dict[str, tuple[dict[str, Any], Callable[[Any], Any], str]] = {
    "default": ({}, lambda x: 1.0, "cycle"),
    "exp_range": ({"step_size": 2000.0, "mode": "exp_range", "gamma": 0.99994}, lambda x: 0.99994**x, "iterations"),
    "short": ({"step_size": 4.0, "mode": "triangular2"}, lambda x: 1 / (2.0 ** (x - 1)), "cycle"),
    "wave": ({"step_size": 4.0, "scale_fn": wave, "scale_mode": "cycle"}, wave, "cycle"),
    "power": (
        {"step_size": 4.0, "scale_fn": lambda x: 1 / (5 ** (x * 0.0001)), "scale_mode": "iterations"},
        lambda x: 1 / (5 ** (x * 0.0001)),
        "iterations",
    ),
}


@pytest.mark.parametrize("name", CLASSIC)
def test_the_classic_usage_works_as_it_stands(name: str) -> None:
    arguments, scale_fn, scale_mode = CLASSIC[name]
    clr = CyclicLR(base_lr=0.001, max_lr=0.006, **arguments)
    weights = fit(compiled(keras.optimizers.Adam(), metrics=["mae"]), clr, validation_data=(X, Y))
    step_size = arguments.get("step_size", 2000.0)
    expected = [classic(t, 0.001, 0.006, step_size, scale_fn, scale_mode) for t in range(STEPS)]
    np.testing.assert_allclose(clr.history["lr"], expected, rtol=2e-7)
    assert clr.history["iterations"] == list(range(STEPS))
    assert [len(clr.history[key]) for key in ("loss", "mae")] == [STEPS, STEPS]
    close(weights, adam(lambda t: expected[t], lambda t: 0.9, epsilon=1e-7))


METRICS = [3.0, 2.0, *[2.0] * 12, 1.0, *[1.5] * 6, 0.5, 0.6]


def plateau(patience: int, cooldown: int = 0) -> list[float]:
    ours = Plateau(1.0, factor=0.5, patience=patience, threshold=0.0, cooldown=cooldown)
    return [ours.update(metric) for metric in METRICS]


def keras_plateau(patience: int, cooldown: int = 0) -> list[float]:
    theirs = keras.callbacks.ReduceLROnPlateau("loss", 0.5, patience, min_delta=0.0, cooldown=cooldown)
    theirs.set_model(compiled(keras.optimizers.SGD(1.0)))
    theirs.on_train_begin()
    rates = []
    for epoch, metric in enumerate(METRICS):
        theirs.on_epoch_end(epoch, {"loss": metric})
        rates.append(float(theirs.model.optimizer.learning_rate))
    return rates


def torch_plateau(patience: int, cooldown: int = 0) -> list[float]:
    import torch

    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=0.5, patience=patience, threshold=0.0, cooldown=cooldown
    )
    rates = []
    for metric in METRICS:
        theirs.step(metric)
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


@pytest.mark.parametrize("patience", [1, 2, 3])
def test_plateau_cuts_where_keras_does_and_torch_one_update_later(patience: int) -> None:
    ours = plateau(patience)
    assert ours.index(0.5) == 1 + patience, "update 1 is the best one, then patience bad ones"
    assert keras_plateau(patience) == ours
    assert torch_plateau(patience).index(0.5) == 2 + patience
    assert torch_plateau(patience) == plateau(patience + 1)


@pytest.mark.parametrize("patience", [1, 2])
def test_the_last_update_of_keras_cooldown_counts_again(patience: int) -> None:
    """So Keras's cooldown n is ours and torch's n - 1."""
    assert keras_plateau(patience, cooldown=3) == plateau(patience, cooldown=2) != plateau(patience, cooldown=3)
    assert torch_plateau(patience, cooldown=2) == plateau(patience + 1, cooldown=2)


# What Keras's logs hold


class Seen(keras.callbacks.Callback):
    def __init__(self) -> None:
        super().__init__()
        self.batches: list[Any] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.batches.append([logs["learning_rate"], logs["momentum"]])


def test_the_logs_hold_what_each_update_has_used(tmp_path: Path) -> None:
    schedule, seen, table = SCHEDULES["warm-up"], Seen(), tmp_path / "log.csv"
    model = compiled(keras.optimizers.SGD(0.5, momentum=0.5))
    ours = ScheduleCallback(schedule, momentum=MOMENTUM)
    callbacks = [ours, seen, keras.callbacks.CSVLogger(table)]
    history = model.fit(X, Y, BATCH, EPOCHS, shuffle=False, verbose=0, callbacks=callbacks).history
    assert seen.batches == [list(pair) for pair in zip(ours.history["lr"], ours.history["momentum"], strict=True)]
    last = slice(PER_EPOCH - 1, None, PER_EPOCH)
    assert (
        history["learning_rate"] == ours.history["lr"][last] and history["momentum"] == ours.history["momentum"][last]
    )
    names, *rows = [line.split(",") for line in table.read_text().splitlines()]
    assert [float(row[names.index("learning_rate")]) for row in rows] == history["learning_rate"]
    np.testing.assert_allclose(ours.history["lr"], schedule.table(STEPS), rtol=1e-6)


def test_accumulated_batches_log_the_rate_of_the_last_update() -> None:
    model = compiled(keras.optimizers.SGD(0.5, gradient_accumulation_steps=4))
    logged: list[float] = []
    later = keras.callbacks.LambdaCallback(on_train_batch_end=lambda i, logs: logged.append(logs.get("learning_rate")))
    fit(model, ScheduleCallback(Step(0.5, 1, 0.5)), later, epochs=2)
    assert logged == [None] * 3 + [0.5] * 4 + [0.25] * 4 + [0.125]


# A plateau


def by_metrics(callback: PlateauCallback, metrics: list[float]) -> list[float]:
    """The rate of each epoch, of which each is one update, under the metrics that the epochs come to."""
    told = iter(metrics)
    metric = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(score=next(told)))
    fit(compiled(keras.optimizers.SGD(0.5)), metric, callback, epochs=len(metrics), steps_per_epoch=1)
    return callback.history["lr"]


@pytest.mark.parametrize("settings", [
    {"patience": 2}, {"patience": 1, "cooldown": 2}, {"patience": 1, "threshold": 0.2},
    {"patience": 1, "threshold": 0.2, "threshold_mode": "absolute", "min_lr": 0.3}, {"patience": 2, "mode": "max"},
])  # fmt: skip
@pytest.mark.parametrize("warm", [0, 3])
def test_a_plateau_in_keras_has_the_rates_of_the_plateau(settings: dict[str, Any], warm: int) -> None:
    metrics = [3.0, 2.0, 2.0, 1.9, 1.9, 1.7, 1.7, 1.7, 1.2, 1.2]
    reference, expected = Plateau(1.0, factor=0.5, **settings), [t / warm for t in range(warm)] + [1.0]
    for epoch, value in enumerate(metrics):
        if epoch + 1 >= warm:
            expected[epoch + 1 :] = [reference.update(value)]
    callback = PlateauCallback(Plateau(1.0, factor=0.5, **settings), "score", warmup=warm)
    np.testing.assert_allclose(by_metrics(callback, metrics), expected[:-1], rtol=1e-6)
    assert callback.plateau == reference and min(expected[warm:]) < 1


def test_a_plateau_in_keras_goes_on_from_its_memory() -> None:
    metrics = [3.0, 2.0, 2.0, 1.9, 1.9, 1.7, 1.7, 1.7, 1.2, 1.2]
    whole = by_metrics(PlateauCallback(Plateau(1.0, patience=2), "score"), metrics)
    first = PlateauCallback(Plateau(1.0, patience=2), "score")
    before, saved = by_metrics(first, metrics[:5]), Plateau(1.0, patience=2)
    saved.load_state_dict(first.plateau.state_dict())
    assert before + by_metrics(PlateauCallback(saved, "score"), metrics[5:]) == whole and saved.bad_updates > 0


def test_a_plateau_without_its_metric_or_of_another_kind_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"monitor must be one of \[.*'loss'.*\], got 'val_loss': pass validation_data"
    ):
        fit(compiled(keras.optimizers.SGD(0.5)), PlateauCallback(Plateau(1.0)))
    with pytest.raises(ValueError, match="plateau must be a Plateau, got Constant"):
        PlateauCallback(Constant(1.0))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="warmup must be .*, got -1: "):
        PlateauCallback(Plateau(1.0), warmup=-1)
