"""The learning-rate range test for a PyTorch model."""

import copy
import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch

from .. import range_test as core
from ..range_test import RangeTest
from ..schedules.checks import bad, whole

Tensor = torch.Tensor
Undo = Callable[[], None]
ATTEMPTS = 32  # a GradScaler halves its scale at every skipped update: more often than this it never recovers


def range_test(
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    loss_fn: Callable[[Any, Any], Tensor],
    batches: Iterable[tuple[Any, Any]],
    *,
    start: float = 1e-7,
    end: float = 10.0,
    steps: int = 100,
    mode: str = "exp",
    smooth: float = 0.98,
    stop: float = 4.0,
    accumulate: int = 1,
    autocast: torch.dtype | None = None,
    scaler: torch.amp.GradScaler | None = None,
) -> RangeTest:
    """The range test (`lrcourse.range_test.range_test`) on a model, which is the same afterwards, bit by bit.

    Put back, also after an exception: parameters, gradients, buffers, the optimizer's state and parameter groups,
    the training mode of each module, and the random numbers of Python, NumPy, PyTorch and the `DataLoader`'s generator.

    `batches`: pairs of inputs and targets, begun again when they run out (a generator is used up, and remembered).
    `loss_fn(outputs, targets)`: a scalar. `accumulate`: batches per update; the loss is their mean. `autocast`: for
    example `torch.bfloat16`. `scaler`: its settings are used, in a copy; an update that it skips is tried again at
    the same rate. The tested rate goes to the group with the largest `lr`; the others keep their ratio to it.
    A model in evaluation mode is tested in training mode; one in training mode as it is, frozen layers included.

    Raises: `ValueError` for arguments out of range and for `batches` without a batch.

    >>> _ = torch.manual_seed(0)
    >>> x = torch.randn(64, 2)
    >>> model = torch.nn.Linear(2, 1)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> result = range_test(model, optimizer, torch.nn.functional.mse_loss, [(x, x.sum(1, keepdim=True))], smooth=0.5)
    >>> 0.01 < result.suggest("steepest") < 1, optimizer.param_groups[0]["lr"]
    (True, 0.1)
    """
    accumulate = whole("accumulate", accumulate, 1)
    device = next(model.parameters()).device
    source = _cycled(batches)
    scaler = torch.amp.GradScaler(device.type, enabled=False) if scaler is None else copy.deepcopy(scaler)
    rates = [float(group["lr"]) for group in optimizer.param_groups]
    shares = [rate / max(rates) if max(rates) > 0 else 1.0 for rate in rates]

    def loss_and_gradients() -> float:
        inputs, targets = (_to(part, device) for part in next(source))
        with torch.autocast(device.type, dtype=autocast, enabled=autocast is not None):
            loss = loss_fn(model(inputs), targets)
        scaler.scale(loss / accumulate).backward()
        return loss.item() / accumulate

    def step_fn(lr: float) -> float:
        for group, share in zip(optimizer.param_groups, shares, strict=True):
            old = group["lr"]
            group["lr"] = torch.full_like(old, lr * share) if isinstance(old, Tensor) else lr * share
        for _ in range(ATTEMPTS):
            optimizer.zero_grad()
            loss = sum(loss_and_gradients() for _ in range(accumulate))
            if not math.isfinite(loss):
                return loss
            scale = scaler.get_scale()
            scaler.step(optimizer)
            scaler.update()
            if scaler.get_scale() >= scale:  # a skipped update lowers the scale
                return loss
        return math.nan

    def snapshot() -> list[Undo]:
        kept = [core.keep_random(), _keep_generators(batches), _keep_modes(model)]
        kept += [_keep_tensors(model, optimizer), _keep_optimizer(optimizer)]
        if not model.training:
            model.train()
        return kept

    def restore(kept: list[Undo]) -> None:
        for undo in kept:
            undo()

    return core.range_test(step_fn, snapshot, restore, start, end, steps, mode, smooth, stop)


def _cycled(batches: Iterable[Any]) -> Iterator[Any]:
    if isinstance(batches, Iterator):
        batches = itertools.cycle(batches)
    while True:
        batch = None
        for batch in batches:
            yield batch
        if batch is None:
            raise bad("batches", batches, "one batch or more", "pass a DataLoader or a list of (inputs, targets)")


def _to(part: Any, device: torch.device) -> Any:
    return part.to(device) if isinstance(part, Tensor) else part


def _keep_modes(model: torch.nn.Module) -> Undo:
    modes = {module: module.training for module in model.modules()}

    def put_back() -> None:
        for module, mode in modes.items():
            module.training = mode

    return put_back


def _keep_tensors(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> Undo:
    """Parameters, wherever they come from, with their gradients; and buffers, also if a layer replaces the tensor."""
    parameters = {*model.parameters(), *(p for group in optimizer.param_groups for p in group["params"])}
    gradients = {parameter: parameter.grad for parameter in parameters}
    buffers = {module: dict(module._buffers) for module in model.modules()}
    values = {tensor: tensor.detach().clone() for tensor in (*parameters, *model.buffers())}
    for parameter in parameters:
        parameter.grad = None  # or backward would add to the gradient that is kept

    @torch.no_grad()
    def put_back() -> None:
        for tensor, value in values.items():
            tensor.copy_(value)
        for parameter, gradient in gradients.items():
            parameter.grad = gradient
        for module, kept in buffers.items():
            module._buffers.update(kept)

    return put_back


def _keep_optimizer(optimizer: torch.optim.Optimizer) -> Undo:
    """The test works on copies; the optimizer then gets its own state back."""
    state, groups = dict(optimizer.state), [dict(group) for group in optimizer.param_groups]
    optimizer.state.update({parameter: copy.deepcopy(own) for parameter, own in state.items()})
    for group in optimizer.param_groups:
        group.update({key: copy.deepcopy(value) for key, value in group.items() if key != "params"})

    def put_back() -> None:
        optimizer.state.clear()
        optimizer.state.update(state)
        for group, kept in zip(optimizer.param_groups, groups, strict=True):
            group.clear()
            group.update(kept)

    return put_back


def _keep_generators(batches: Any) -> Undo:
    sources = (batches, getattr(batches, "sampler", None))
    states = {g: g.get_state() for s in sources if isinstance(g := getattr(s, "generator", None), torch.Generator)}

    def put_back() -> None:
        for generator, state in states.items():
            generator.set_state(state)

    return put_back
