"""The learning-rate range test for a compiled Keras model."""

import math
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import keras
import numpy as np

from .. import range_test as core
from ..range_test import RangeTest
from ..validation import bad, batch_length, random_seed
from . import floats
from .optimizer import check_settable, count, holder

Undo = Callable[[], None]
ATTEMPTS = 32  # a loss-scaling optimizer halves its scale at every skipped update: after so many it never recovers


def range_test(
    model: keras.Model,
    x: Any,
    y: Any,
    *,
    batch_size: int = 32,
    seed: int = 0,
    start: float = 1e-7,
    end: float = 10.0,
    steps: int = 100,
    mode: str = "exp",
    smooth: float = 0.98,
    stop: float = 4.0,
) -> RangeTest:
    """The range test (`lrcourse.range_test.range_test`) on a compiled model, which is the same afterwards, bit by bit.

    Put back, also after an exception: weights, the seeds of dropout and the like, the optimizer's variables and
    rate, metrics, on the PyTorch backend the training mode, and the random numbers of Python, NumPy and PyTorch
    (TensorFlow's own global generator, which Keras layers do not use, moves on).

    `x`, `y`: arrays of one length. Mini-batches of `batch_size` come in an order drawn from `seed`, shuffled anew each
    epoch. The loss is that of the batch before its update (what a callback sees in `logs["loss"]` is the mean since
    the epoch began, which lags), penalties included. With `gradient_accumulation_steps` or loss scaling, a step is
    a successful update, and its loss the mean over the batches that it took. Under a `tf.distribute` strategy every
    device takes the whole batch. `steps`: better about 70 for each power of ten; the default is a first look.

    Raises: `ValueError` for arguments out of range, a model that is not compiled or not built, or an optimizer with
    a schedule in it or without a rate of its own (`MultiOptimizer`).

    >>> keras.utils.set_random_seed(0)
    >>> model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(0.125), loss="mse")
    >>> x = np.random.default_rng(0).standard_normal((64, 2))
    >>> result = range_test(model, x, x.sum(1, keepdims=True), smooth=0.5)
    >>> 0.01 < result.suggest("steepest") < 1, float(model.optimizer.learning_rate)
    (True, 0.125)
    """
    optimizer = _checked(model)
    end = floats.highest("end", end, optimizer.learning_rate.dtype)
    size, seed = batch_length("batch_size", batch_size), random_seed("seed", seed)
    batches = _batches(np.asarray(x), np.asarray(y), size, seed)
    attempts = ATTEMPTS * (optimizer.gradient_accumulation_steps or 1)

    def step_fn(lr: float) -> float:
        optimizer.learning_rate = lr
        before = count(optimizer)
        losses: list[float] = []
        while count(optimizer) == before:
            loss = float(model.train_on_batch(*next(batches), return_dict=True)["loss"])
            losses.append(loss if len(losses) < attempts else math.nan)
            if not math.isfinite(losses[-1]):
                break
        return sum(losses) / len(losses)

    def snapshot() -> list[Undo]:
        if not model.optimizer.built:  # or its moments could not be put back to their zeros
            model.optimizer.build(model.trainable_variables)
        kept = [core.keep_random(), _keep_variables(model)]
        if keras.backend.backend() == "torch":
            kept.append(_keep_modes(model))
            model.train()
        return kept

    def restore(kept: list[Undo]) -> None:
        for undo in kept:
            undo()

    with model.distribute_strategy.scope() if keras.backend.backend() == "tensorflow" else nullcontext():
        return core.range_test(step_fn, snapshot, restore, start, end, steps, mode, smooth, stop)


def _checked(model: keras.Model) -> Any:
    """The optimizer that holds the rate."""
    if not model.compiled:
        raise bad("model", model.name, "compiled", "call model.compile(optimizer, loss) first")
    if not model.built:
        raise bad("model", model.name, "built", "add a keras.layers.Input, or call model(x[:1]) first")
    check_settable(model.optimizer, "a range test",
                   single="compile with a single optimizer, or give lrcourse.range_test.range_test an update",
                   plain="compile with learning_rate=0.01, and put the schedule in afterwards")  # fmt: skip
    return holder(model.optimizer)


def _batches(x: Any, y: Any, size: int, seed: int) -> Iterator[tuple[Any, Any]]:
    if len(x) != len(y) or len(x) == 0:
        raise bad("x, y", (x.shape, y.shape), "of one length, at least 1", "pass one target per input")
    return _forever(x, y, size, np.random.default_rng(seed))


def _forever(x: Any, y: Any, size: int, rng: np.random.Generator) -> Iterator[tuple[Any, Any]]:
    while True:
        order = rng.permutation(len(x))
        for first in range(0, len(x), size):
            chosen = order[first : first + size]
            yield x[chosen], y[chosen]


def _keep_variables(model: keras.Model) -> Undo:
    variables = _copies(model, [*model.variables, *model.metrics_variables, *model.optimizer.variables])
    values = [np.array(variable.numpy()) for variable in variables]  # np.array copies

    def put_back() -> None:
        model.reset_metrics()  # for those that the first batch created
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)

    return put_back


def _copies(model: Any, variables: list[Any]) -> list[Any]:
    """The copies on every device: those of a moving mean, for one, differ."""
    if keras.backend.backend() != "tensorflow":
        return variables
    local = model.distribute_strategy.experimental_local_results
    return [copy for variable in variables for copy in local(variable.value)]


def _keep_modes(model: Any) -> Undo:
    modes = {name: module.training for name, module in model.named_modules()}

    def put_back() -> None:
        for name, module in model.named_modules():  # by name: Keras builds some of these containers anew
            module.training = modes.get(name, module.training)

    return put_back
