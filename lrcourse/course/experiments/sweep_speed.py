"""What a sweep costs, in plain runs: the time of the whole sweep over that of one run as anyone would write it.

The sides take turns, so a busy machine slows all of them; every program is built before the clock starts.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any, cast

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from ...data import Dataset, digits, glyphs, language, moons
from ...sweep import grid, loop, stacked, sweep
from ...sweep.functional import one_thread
from ...sweep.plan import Plan
from ...torch import GPT, MLP, LogicNet
from ...torch.compiling import many_programs

MEMBERS = (1, 4, 16, 64, 256)
MANY = (64, 1024)  # of the full size, for a GPU
SIZES = {"small": 3, "full": 3}  # rounds
ENGINES = ("auto", "compiled", "vmap", *(["jax"] if find_spec("jax") else []))
LARGEST_CNN = {"auto": 256, "vmap": 64}  # members: for more, the loop and compiled vmap of convolutions take minutes
TURN = 0.3  # seconds that a side is repeated for, as a shorter time is a matter of luck on a busy machine
ENOUGH = 2.0  # seconds that are measured at least, in as many rounds as that takes


@dataclass(frozen=True)
class Case:
    """A model, its data, and a run's length."""

    model_fn: Callable[[], nn.Module]
    data: Dataset
    steps: int
    batch_size: int | None = None
    device: str = "cpu"
    optimizer: str = "sgd"
    jobs: int | None = None

    def model(self) -> nn.Module:
        return self.model_fn().to(self.device)

    def plain(self, lr: float = 0.01) -> None:
        """One run as anyone would write it, and what it reached; of a small GPT by whoever knows that threads, waiting
        for each other between its many short products, make it several times slower."""
        with one_thread() if self.jobs else nullcontext():
            self._plain(lr)

    def _plain(self, lr: float) -> None:
        torch.manual_seed(0)
        model = self.model()
        optimizer: torch.optim.Optimizer = (
            torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9) if self.optimizer == "sgd"
            else torch.optim.AdamW(model.parameters(), lr=lr)
        )  # fmt: skip
        for x, y in self.batches():
            optimizer.zero_grad()
            _loss(model(x), y).backward()
            optimizer.step()
        data = self.data
        with torch.no_grad():
            for x, y in map(self.tensors, (data.x_train, data.x_test), (data.y_train, data.y_test)):
                outputs = model(x)
                _loss(outputs, y).item(), (outputs.argmax(-1) == y).double().mean().item()

    def tensors(self, x: np.ndarray, y: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        tokens = x.dtype.kind in "iu"
        inputs = torch.as_tensor(x, dtype=torch.int64 if tokens else torch.float32, device=self.device)
        return inputs, torch.as_tensor(y, device=self.device)

    def batches(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """The batch of every step."""
        x, y = self.tensors(self.data.x_train, self.data.y_train)
        left: list[torch.Tensor] = []
        for _ in range(self.steps):
            left = left or list(torch.randperm(len(x)).split(self.batch_size or len(x)))
            chosen = left.pop()
            yield (x[chosen], y[chosen]) if self.batch_size else (x, y)

    def plan(self, members: int) -> Plan:
        settings = grid(lr=np.geomspace(0.001, 0.1, members), momentum=[0.9])
        return Plan(
            self.model, self.data, "cross_entropy", self.optimizer, False, self.steps, self.batch_size, settings
        )

    def sweep(self, members: int, engine: str) -> None:
        """Train `members` settings."""
        if engine in ("vmap", "jax"):
            return self.vmap(members) if engine == "vmap" else self.jax(members)
        sweep(self.model, self.data, settings=self.plan(members).settings, steps=self.steps, optimizer=self.optimizer,
              batch_size=self.batch_size, engine=engine, jobs=self.jobs, progress=False)  # fmt: skip

    def build(self, members: int, engine: str) -> None:
        """Compile the program of a sweep, also where `auto` may take it: a program fits any number of steps."""
        if engine == "auto":
            engine = "loop" if stacked.unsupported(self.plan(1)) else "compiled"
        steps = self.steps if engine == "jax" else 2  # JAX's program holds all of them
        replace(self, steps=steps).sweep(1 if engine == "loop" else members, engine)

    def vmap(self, members: int) -> None:
        """The same with PyTorch's own means, compiled `vmap` over `functional_call`, without schedules and records."""
        torch.manual_seed(0)
        one = dict(self.model().named_parameters())
        weights = {name: each.detach().expand(members, *each.shape).clone() for name, each in one.items()}
        moved = {name: torch.zeros_like(each) for name, each in weights.items()}
        lrs = torch.as_tensor(np.geomspace(0.001, 0.1, members), dtype=torch.float32, device=self.device)
        step = vmapped(self.model_fn)
        with torch.no_grad(), many_programs():
            for x, y in self.batches():
                if len(x) == (self.batch_size or len(x)):  # one shape, one program
                    weights, moved = step(weights, moved, lrs, x, y)
        next(iter(weights.values())).cpu()  # a GPU is waited for

    def jax(self, members: int) -> None:
        """The same with JAX, all steps in one program, without schedules and records."""
        import jax

        torch.manual_seed(0)
        weights = [np.stack([each.detach().cpu().numpy()] * members) for each in self.model().parameters()]
        lrs = np.geomspace(0.001, 0.1, members, dtype=np.float32)
        points = len(self.data.x_train)
        size = self.batch_size or points
        epochs = -(-self.steps // (points // size))
        orders = np.concatenate([torch.randperm(points)[: points // size * size].view(-1, size) for _ in range(epochs)])
        x, y = self.data.x_train.astype(np.float32), self.data.y_train
        train = jaxed(self.model_fn, self.steps)
        jax.block_until_ready(train(weights, lrs, x, y, orders[: self.steps] if self.batch_size else None))


def _loss(outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(outputs.flatten(0, -2), y.flatten())


def _cnn() -> nn.Module:
    return nn.Sequential(
        nn.Unflatten(1, (1, 28)), nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16 * 5 * 5, 10),
    )  # fmt: skip


@cache
def cases(device: str = "cpu") -> dict[str, Case]:
    """The models that are measured, by name."""
    measured = {
        "2-3-2": Case(LogicNet, moons(), steps=1000),
        "2-64-64-2": Case(lambda: MLP([2, 64, 64, 2]), moons(), steps=100),
        "digits 64-128-10": Case(lambda: MLP([64, 128, 10]), digits(), steps=200, batch_size=64),
        "small CNN": Case(_cnn, glyphs(500, size=28, n_test=100), steps=20, batch_size=64),
    }
    return {name: replace(case, device=device) for name, case in measured.items()}


@cache
def modules() -> dict[str, Case]:
    """What only `benchmarks/sweep.py` measures: a model that is more than linear layers, in two processes."""
    text = language(n=256, n_test=64)
    return {"GPT of width 32": Case(lambda: GPT(64), text, steps=200, batch_size=16, optimizer="adamw", jobs=2)}


@cache
def vmapped(model_fn: Callable[[], nn.Module]) -> Callable[..., Any]:
    """A compiled step of all members."""
    model = model_fn()

    def loss(weights: Any, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(torch.func.functional_call(model, weights, (x,)), y)

    def step(weights: Any, moved: Any, lr: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> tuple[Any, Any]:
        gradients = torch.func.grad(loss)(weights, x, y)
        moved = {name: 0.9 * each + gradients[name] for name, each in moved.items()}
        return {name: each - lr * moved[name] for name, each in weights.items()}, moved

    return torch.compile(torch.func.vmap(step, in_dims=(0, 0, 0, None, None)), dynamic=False)


@cache
def jaxed(model_fn: Callable[[], nn.Module], steps: int) -> Callable[..., Any]:
    """All steps of all members in JAX. `orders`: the points of each step's batch, None for the whole set."""
    import jax
    import jax.numpy as jnp

    functions = {nn.Tanh: jnp.tanh, nn.ReLU: jax.nn.relu}
    layers = [functions.get(type(layer)) for layer in cast(nn.Sequential, model_fn())]

    def loss(weights: Any, x: Any, y: Any) -> Any:
        remaining = iter(weights)
        for layer in layers:
            x = layer(x) if layer else x @ next(remaining).T + next(remaining)
        return -jnp.take_along_axis(jax.nn.log_softmax(x), y[:, None], 1).mean()

    def train(weights: Any, lrs: Any, x: Any, y: Any, orders: Any) -> Any:
        def step(state: Any, chosen: Any) -> Any:
            weights, moved = state
            batch = (x, y) if chosen is None else (x[chosen], y[chosen])
            gradients = jax.vmap(jax.grad(loss), (0, None, None))(weights, *batch)
            moved = [0.9 * each + gradient for each, gradient in zip(moved, gradients)]
            lr = [lrs.reshape(-1, *[1] * (each.ndim - 1)) for each in weights]
            return ([w - r * m for w, r, m in zip(weights, lr, moved)], moved), None

        return jax.lax.scan(step, (weights, [jnp.zeros_like(each) for each in weights]), orders, length=steps)[0]

    return jax.jit(train)


def more() -> list[tuple[str, int]]:
    """The rows of `modules`."""
    return [(f"{case}, 64 settings, vmap-compiled", seed) for seed in range(SIZES["small"]) for case in modules()]


def plan(size: str) -> list[tuple[str, int]]:
    """Every case, number of members and engine that can train it, in rounds: a busy minute falls into one of them."""
    rows = [
        f"{case}, {members} settings, {engine}"
        for case in cases() for members in (MANY if size == "full" else MEMBERS) for engine in ENGINES
        if case != "small CNN" or members <= LARGEST_CNN.get(engine, 0)
    ]  # fmt: skip
    return [(row, seed) for seed in range(SIZES[size]) for row in rows]


def run(name: str, seed: int, size: str, device: str) -> dict[str, Any]:
    """The cost of one sweep in plain runs; how many times faster that is than plain runs one after the other, and
    than the same by this package's own loop, which records every update: one member's time for each."""
    case_name, members_name, engine = name.split(", ")
    case, members = (cases(device) | modules())[case_name], int(members_name.split()[0])
    warm(case_name, members, engine, device)
    one = case.plan(members).part(0, 1)
    swept, plain, looped = fastest(lambda: case.sweep(members, engine), case.plain, lambda: loop.run(one))
    costs = {"cost": swept / plain, "faster": members * plain / swept, "against the loop": members * looped / swept}
    return costs | ({"version": version("jax")} if engine == "jax" else {})


@cache
def warm(case: str, members: int, engine: str, device: str) -> None:
    """Build what is measured once in this process, also where a record is continued."""
    measured = (cases(device) | modules())[case]
    measured.build(members, engine)
    measured.plain()


def fastest(*sides: Callable[[], object]) -> list[float]:
    """The seconds of each side, which take turns: the mean of its fastest turn."""
    started, rounds = time.perf_counter(), []
    while time.perf_counter() - started < ENOUGH:
        rounds.append([_seconds(side) for side in sides])
    return [min(each) for each in zip(*rounds)]


def _seconds(call: Callable[[], object]) -> float:
    started, calls = time.perf_counter(), 0
    while time.perf_counter() - started < TURN:
        call()
        calls += 1
    return (time.perf_counter() - started) / calls
