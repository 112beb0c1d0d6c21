"""The training loop for a GPU: every choice that makes it fast can be left out, to see what it is worth."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..validation import batch_length, optional, random_seed, whole_steps
from . import groups
from .compiling import many_programs
from .per_group import Schedules
from .training import (
    Evaluations,
    LRScheduler,
    Run,
    Tensor,
    accuracy,
    as_tensor,
    columns,
    cross_entropy,
    evaluating,
    mini_batches,
    scheduler_of,
)

if TYPE_CHECKING:
    from ..data import Dataset

CHUNK = 4096  # images evaluated at once: a deep network's activations are large


@dataclass(frozen=True)
class Choices:
    """What makes training fast on a GPU.

    `resident`: the images lie on the device, instead of a copy for each batch. `curves_stay`: losses are collected
    there and fetched once at the end; to fetch each makes the processor wait for every update. `channels_last`: the
    layout that convolutions prefer. `bf16`: convolutions and products in bfloat16, weights in float32. `compiled`:
    the model as one program, replayed as a CUDA graph on a GPU.
    """

    resident: bool = True
    curves_stay: bool = True
    channels_last: bool = True
    bf16: bool = True
    compiled: bool = True


@many_programs()
def train_fast(
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    dataset: "Dataset",
    *,
    steps: int,
    batch_size: int,
    schedule: Schedules | LRScheduler | None = None,
    momentum: Schedules | None = None,
    seed: int = 0,
    evaluate_every: int | None = None,
    choices: Choices = Choices(),  # noqa: B008
    after_update: Callable[[int], None] = lambda step: None,
) -> Run:
    """Classify as `train` does, with the same batches and rates, by the fast way of each of `choices`.

    `after_update` is called with the number of updates that have been started. The first updates compile.

    Raises: `ValueError` for a count below 1 or an unfit schedule.

    >>> from lrcourse import Constant
    >>> from lrcourse.data import glyphs
    >>> from lrcourse.torch import VGG
    >>> model = VGG(stages=[[4]], hidden=[], size=12)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> small, eager = glyphs(n=50, size=12, n_test=50), Choices(compiled=False)
    >>> train_fast(model, optimizer, small, steps=2, batch_size=25, schedule=Constant(0.1), choices=eager).lrs
    array([0.1, 0.1])
    """
    steps = whole_steps("steps", steps)
    every = optional(whole_steps)("evaluate_every", evaluate_every)
    batch_size, seed = batch_length("batch_size", batch_size), random_seed("seed", seed)
    scheduler = scheduler_of(optimizer, schedule, momentum)
    if choices.channels_last:
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # in place
    parameter = next(model.parameters())
    device = parameter.device
    parts = [as_tensor(each, parameter) for each in
             (dataset.x_train, dataset.y_train, dataset.x_test, dataset.y_test)]  # fmt: skip
    x, y = parts[:2] if choices.resident else [each.cpu() for each in parts[:2]]
    # Models of one structure share a program.
    forward = torch.compile(model, mode="reduce-overhead", dynamic=False) if choices.compiled else model
    losses = torch.empty(steps, device=device if choices.curves_stay else "cpu")
    lrs, momenta, evaluations = [], [], []
    batches = mini_batches(x, y, batch_size, seed)
    model.train()
    for step in range(steps):
        if every is not None and step % every == 0:
            evaluations.append((step, *_evaluate(model, parts, choices)))
        x_batch, y_batch = (each.to(device) for each in next(batches))
        optimizer.zero_grad()
        torch.compiler.cudagraph_mark_step_begin()
        with _precision(device, choices):
            loss = cross_entropy(forward(x_batch), y_batch)
        loss.backward()
        losses[step] = loss.detach()
        lrs.append([groups.rate(group) for group in optimizer.param_groups])
        momenta.append([groups.momentum(group) for group in optimizer.param_groups])
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
        after_update(step + 1)
    evaluations.append((steps, *_evaluate(model, parts, choices)))
    at, *measured = map(np.array, zip(*evaluations, strict=True))
    return Run(losses.double().cpu().numpy(), columns(lrs), columns(momenta), Evaluations(at, *measured))


@contextmanager
def _precision(device: torch.device, choices: Choices) -> Iterator[None]:
    with torch.autocast(device.type, torch.bfloat16, enabled=choices.bf16):
        yield


def _evaluate(model: torch.nn.Module, parts: list[Tensor], choices: Choices) -> tuple[float, float, float]:
    x, y, x_test, y_test = parts
    with evaluating(model, x.device), _precision(x.device, choices):
        scores, tested = (torch.cat([model(some).float() for some in each.split(CHUNK)]) for each in (x, x_test))
    return cross_entropy(scores, y).item(), cross_entropy(tested, y_test).item(), accuracy(tested, y_test)
