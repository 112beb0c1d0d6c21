"""A small network in NumPy, which the page that trains one in the browser is equal to, update by update."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrcourse.optimizers import Optimizer

Array = NDArray[np.float64]
Weights = dict[str, Array]
SLOPES: dict[str, Callable[[Array], Array]] = {"tanh": lambda a: 1 - a**2, "ReLU": lambda a: (a > 0).astype(float)}
ACTIVATIONS: dict[str, Callable[[Array], Array]] = {"tanh": np.tanh, "ReLU": lambda z: np.maximum(z, 0)}


def unpacked(flat: Sequence[float], sizes: Sequence[int]) -> Weights:
    """The weights `W0`, … of shape (units, inputs) and the biases `b0`, … of a flat list, as the page holds them."""
    weights, rest = {}, np.array(flat, dtype=float)
    for layer, (inputs, units) in enumerate(zip(sizes, sizes[1:])):
        weights[f"W{layer}"] = rest[: units * inputs].reshape(units, inputs)
        weights[f"b{layer}"], rest = rest[units * inputs :][:units], rest[units * (inputs + 1) :]
    return weights


def packed(weights: Weights) -> Array:
    return np.concatenate([each.ravel() for each in weights.values()])


def outputs(weights: Weights, x: Array, activation: str) -> list[Array]:
    """What each layer gives, the input first and the logits last."""
    given = [x]
    for layer in range(len(weights) // 2):
        z = given[-1] @ weights[f"W{layer}"].T + weights[f"b{layer}"]
        given.append(z if 2 * layer + 2 == len(weights) else ACTIVATIONS[activation](z))
    return given


def probabilities(weights: Weights, x: Array, activation: str) -> Array:
    logits = outputs(weights, x, activation)[-1]
    odds: Array = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def gradient(weights: Weights, x: Array, y: NDArray[Any], activation: str) -> tuple[float, Weights]:
    """The mean cross-entropy of a batch and its derivatives."""
    grads: Weights = {}
    given, chances = outputs(weights, x, activation), probabilities(weights, x, activation)
    loss = float(-np.log(chances[np.arange(len(y)), y]).mean())
    error = (chances - np.eye(chances.shape[1])[y]) / len(y)
    for layer in reversed(range(len(weights) // 2)):
        grads |= {f"b{layer}": error.sum(axis=0), f"W{layer}": error.T @ given[layer]}
        error = error @ weights[f"W{layer}"] * SLOPES[activation](given[layer])
    return loss, {name: grads[name] for name in weights}


def batch(orders: Sequence[Sequence[int]], t: int, size: int) -> NDArray[np.int64]:
    """Which examples update `t` sees: pass after pass, each in the next of the orders."""
    at, n = t * size + np.arange(size), len(orders[0])
    return np.array(orders)[at // n % len(orders), at % n]


def train(
    task: dict[str, Any], x: Array, y: NDArray[Any], optimizer: Optimizer, activation: str, size: int, steps: int
) -> Iterator[tuple[float, Weights]]:
    """The loss before each update and the weights after it."""
    weights = unpacked(task["start"], task["sizes"])
    for t in range(steps):
        chosen = batch(task["orders"], t, size)
        loss, grads = gradient(weights, x[chosen], y[chosen], activation)
        weights = optimizer.step(weights, grads)
        yield loss, weights
