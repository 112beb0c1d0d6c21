"""A training loop that records the rate and the momentum each update really used."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional as F

from ..schedules.base import Array
from ..validation import bad, batch_length, choice, optional, random_seed, whole_steps
from . import groups
from .per_group import Schedules
from .plateau_lr import PlateauLR
from .schedule_lr import ScheduleLR

if TYPE_CHECKING:
    from ..data import Dataset

Tensor = torch.Tensor
LRScheduler = torch.optim.lr_scheduler.LRScheduler
Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Evaluations:
    """What the model could do before update `step[i]`: arrays of one length, the last entry after the last update.

    `test_accuracy` is the share of test points whose largest score is the right class, NaN for regression.
    """

    step: np.ndarray
    train_loss: Array
    test_loss: Array
    test_accuracy: Array


@dataclass(frozen=True, eq=False)
class Run:
    """The record of a training run, one row per update.

    `losses`, shape `(steps,)`: the loss of the batch before the update. `lrs` and `momenta`, shape `(steps,)` or,
    for several parameter groups, `(steps, groups)`: read from the optimizer at the moment of the update (the
    momentum is NaN where the optimizer has none).
    """

    losses: Array
    lrs: Array
    momenta: Array
    evaluations: Evaluations


def train(
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    dataset: "Dataset",
    *,
    steps: int,
    schedule: Schedules | LRScheduler | None = None,
    momentum: Schedules | None = None,
    batch_size: int | None = None,
    loss: str | Loss = "cross_entropy",
    seed: int = 0,
    evaluate_every: int | None = None,
) -> Run:
    """Train `model` for `steps` updates and return the record of it.

    `schedule`: a `Schedule`, a list with one per parameter group, a PyTorch scheduler that was built on
    `optimizer`, such as `ScheduleLR(optimizer, schedule, relative=True)` for groups with different rates, or None to
    leave the rate alone. `momentum`: a `Schedule` or list of them for the momentum.
    A model of sequences gives scores of shape `(n, context, classes)` for targets of shape `(n, context)`.
    `batch_size`: None for the full batch; otherwise mini-batches in an order drawn from `seed`, shuffled anew each
    epoch, the smaller last batch included. `loss`: `"cross_entropy"`, `"mse"` or a function of outputs and targets.
    `evaluate_every`: steps between two evaluations on the whole training and test set; None evaluates at the end only.

    The model decides the device and the dtype: call `.double()` on it to train in float64. A loss that is no
    longer finite is recorded and training goes on.

    Raises: `ValueError` for a count below 1, an unknown loss, a scheduler of another optimizer or one that needs
    a metric, a `momentum` without a `Schedule`, an optimizer that needs a closure, what `ScheduleLR` raises, and the
    first update for which a schedule gives no rate.

    >>> from lrcourse import Linear
    >>> from lrcourse.data import moons
    >>> _ = torch.manual_seed(0)
    >>> model = torch.nn.Linear(2, 2).double()
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> train(model, optimizer, moons(), steps=4, schedule=Linear(1.0, 0.0, steps=4)).lrs
    array([1.  , 0.75, 0.5 , 0.25])
    """
    steps = whole_steps("steps", steps)
    every = steps if evaluate_every is None else whole_steps("evaluate_every", evaluate_every)
    batch_size, seed = optional(batch_length)("batch_size", batch_size), random_seed("seed", seed)
    loss_of = loss_function(loss)
    scheduler = scheduler_of(optimizer, schedule, momentum)
    parameter = next(model.parameters())
    x, y, x_test, y_test = (
        as_tensor(part, parameter) for part in (dataset.x_train, dataset.y_train, dataset.x_test, dataset.y_test)
    )

    def evaluate() -> tuple[float, float, float]:
        with evaluating(model, parameter.device):
            test = model(x_test)
            return loss_of(model(x), y).item(), loss_of(test, y_test).item(), accuracy(test, y_test)

    losses, lrs, momenta, evaluations = [], [], [], []
    batches = mini_batches(x, y, batch_size, seed)
    model.train()
    for step in range(steps):
        if evaluate_every is not None and step % every == 0:
            evaluations.append((step, *evaluate()))
        x_batch, y_batch = next(batches)
        optimizer.zero_grad()
        batch_loss = loss_of(model(x_batch), y_batch)
        batch_loss.backward()
        losses.append(batch_loss.detach())  # fetched at the end: a GPU is not waited for
        lrs.append([groups.rate(group) for group in optimizer.param_groups])
        momenta.append([groups.momentum(group) for group in optimizer.param_groups])
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
    evaluations.append((steps, *evaluate()))
    at, *measured = map(np.array, zip(*evaluations, strict=True))
    return Run(torch.stack(losses).double().cpu().numpy(), columns(lrs), columns(momenta), Evaluations(at, *measured))


def scheduler_of(optimizer: Any, schedule: Schedules | LRScheduler | None, momentum: Any) -> LRScheduler | None:
    groups.without_closure(optimizer)
    if schedule is not None and not isinstance(schedule, LRScheduler):
        return ScheduleLR(optimizer, schedule, momentum)
    if momentum is not None:
        raise bad("momentum", momentum, "given together with a Schedule", "pass schedule=Constant(...) as well")
    if isinstance(schedule, torch.optim.lr_scheduler.ReduceLROnPlateau | PlateauLR):
        raise bad("schedule", schedule, "a function of the step", "a metric-driven rate needs a loop of its own")
    if schedule is not None and schedule.optimizer is not optimizer:
        raise bad("schedule", schedule, "built on the optimizer that is passed", "build it on this optimizer")
    return schedule


def loss_function(loss: str | Loss) -> Loss:
    if callable(loss):
        return loss
    return _mse if choice("cross_entropy", "mse")("loss", loss) == "mse" else cross_entropy


def cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """The mean over all targets, of which a sequence has one at each place. See `classes_last`."""
    return F.cross_entropy(classes_last(outputs, targets).movedim(-1, 1), targets)


def classes_last(outputs: Tensor, targets: Tensor) -> Tensor:
    """Scores with the classes as the last axis, as a model of sequences gives them; PyTorch's own have them second."""
    return outputs if outputs.shape[:-1] == targets.shape else outputs.movedim(1, -1)


def _mse(outputs: Tensor, targets: Tensor) -> Tensor:
    return F.mse_loss(outputs, targets.view_as(outputs).to(outputs.dtype))


def as_tensor(values: np.ndarray, like: Tensor) -> Tensor:
    """Class numbers stay whole, everything else takes the dtype of the model's parameters."""
    tensor = torch.as_tensor(values, device=like.device)
    return tensor.to(like.dtype) if tensor.is_floating_point() else tensor.long()


def mini_batches(x: Tensor, y: Tensor, size: int | None, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    if size is None:
        while True:
            yield x, y
    rng = np.random.default_rng(seed)
    while True:
        for chosen in torch.as_tensor(rng.permutation(len(x)), device=x.device).split(size):
            yield x[chosen], y[chosen]


@contextmanager
def evaluating(model: torch.nn.Module, device: torch.device) -> Iterator[None]:
    """Evaluation leaves no trace: each module's mode and the random numbers are as before."""
    training = {module: module.training for module in model.modules()}
    model.eval()
    with torch.no_grad(), torch.random.fork_rng([device] if device.type == "cuda" else []):
        try:
            yield
        finally:
            for module, mode in training.items():
                module.training = mode


def accuracy(outputs: Tensor, targets: Tensor) -> float:
    if targets.is_floating_point():
        return float("nan")
    return (classes_last(outputs, targets).argmax(-1) == targets).double().mean().item()


def columns(rows: Sequence[Sequence[float]]) -> Array:
    table = np.array(rows)
    return table[:, 0] if table.shape[1] == 1 else table
