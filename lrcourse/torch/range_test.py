"""The learning-rate range test for a PyTorch model."""

import copy
import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch.nn.parameter import is_lazy
from torch.utils.data import Dataset, Sampler

from .. import range_test as core
from ..range_test import RangeTest
from ..validation import bad, positive, whole
from . import groups
from .batches import loss_of_batches, moved, one_number
from .joining import followed
from .processes import mean_over_processes
from .ratio import came_with, shares

Tensor = torch.Tensor
Undo = Callable[[], None]
RATIO = "run the test before a schedule sets a rate to 0, or set each group's lr to its share by hand"
ATTEMPTS = 32  # a GradScaler halves its scale at every skipped update: more often than this it never recovers


def range_test(
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    loss_fn: Callable[[Any, Any], Tensor] | None,
    batches: Iterable[Any],
    *,
    batch_loss: Callable[[Any, Any], Tensor] | None = None,
    start: float = 1e-7,
    end: float = 10.0,
    steps: int = 100,
    mode: str = "exp",
    smooth: float = 0.98,
    stop: float = 4.0,
    accumulate: int = 1,
    autocast: torch.dtype | None = None,
    scaler: torch.amp.GradScaler | None = None,
    clip: float | None = None,
    validation: Iterable[Any] | None = None,
    progress: Callable[[float, float], Any] | None = None,
) -> RangeTest:
    """The range test (`lrcourse.range_test.range_test`) on a model, which is the same afterwards, bit by bit.

    Put back, also after an exception: parameters, gradients, buffers, the optimizer's state and parameter groups,
    the training mode of each module, and the random numbers of Python, NumPy, PyTorch and a `DataLoader`'s generators.

    `batches`: pairs of inputs and targets, begun again when they run out (a generator is used up, and remembered).
    `loss_fn(outputs, targets)`: a scalar. For batches of any other kind pass None as `loss_fn` and a function
    `batch_loss(model, batch)`, such as `lambda model, batch: model(**batch).loss` for dicts; a batch's tensors are on
    the model's device by then. `accumulate`: batches per update; the loss is their mean. `autocast`: for example
    `torch.bfloat16`. `scaler`: its settings are used, in a copy; an update that it skips is tried again at the same
    rate. The tested rate goes to the group with the largest `lr`; the others keep their ratio to it, which is the one
    before a warm-up that begins at 0. `steps`: better about 70 for each power of ten; the default is a first look.
    `clip`: the norm of the gradient is cut to it before each update, as `torch.nn.utils.clip_grad_norm_` does.
    `validation`: batches like the others, on which the loss of the result is measured after each update, in evaluation
    mode: their mean. Training batches that repeat may be learned by heart; these are not, but cost their number per
    update. `progress(lr, loss)` is called after each update, such as `lambda lr, loss: bar.update()` for tqdm.
    A model in evaluation mode is tested in training mode; one in training mode as it is, frozen layers included.

    In a `DistributedDataParallel` or FSDP model every process calls this, with as many batches; the loss is the mean
    over the processes, so that all of them stop at the same update and have the same result.

    Raises: `ValueError` for arguments out of range, `batches` or `validation` without a batch or of another kind than
    `loss_fn` takes, a loss that is not one number or depends on no parameter, an optimizer that needs a closure, lazy
    layers without weights, and groups whose ratio is not known, as a list of schedules has set a rate to 0.

    >>> _ = torch.manual_seed(0)
    >>> x = torch.randn(64, 2)
    >>> model = torch.nn.Linear(2, 1)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> result = range_test(model, optimizer, torch.nn.functional.mse_loss, [(x, x.sum(1, keepdim=True))], smooth=0.5)
    >>> 0.01 < result.suggest("steepest") < 1, optimizer.param_groups[0]["lr"]
    (True, 0.1)
    """
    accumulate = whole(1, "use 1 for an update per batch")("accumulate", accumulate)
    clip = math.inf if clip is None else positive("use for example 1.0, or None not to clip")("clip", clip)
    groups.without_closure(optimizer)
    groups.check_rates(optimizer.param_groups)
    if not positive("use for example 10.0")("end", end) <= groups.highest(optimizer.param_groups):
        raise bad("end", end, f"at most {groups.highest(optimizer.param_groups):.5g}, as lr is a tensor", "use 10.0")
    if any(is_lazy(tensor) for tensor in (*model.parameters(), *model.buffers())):
        raise bad(
            "model", type(model).__name__, "initialized", "call model(inputs) once: a lazy layer has no weights before"
        )
    loss_of, source, kept = loss_of_batches(loss_fn, batch_loss), _cycled(batches), _shares(optimizer)
    device = _device(model)
    mean = mean_over_processes(model, device)
    checked = list(validation) if isinstance(validation, Iterator) else validation
    trained = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    scaler = torch.amp.GradScaler(device.type, enabled=False) if scaler is None else copy.deepcopy(scaler)

    def loss_and_gradients() -> float:
        batch = moved(next(source), device)
        with torch.autocast(device.type, dtype=autocast, enabled=autocast is not None):
            loss = one_number(loss_of(model, batch))
        scaler.scale(loss / accumulate).backward()
        return loss.item() / accumulate

    def loss_afterwards() -> float:
        put_back, losses = _keep_modes(model), []
        model.eval()
        with torch.no_grad(), torch.autocast(device.type, dtype=autocast, enabled=autocast is not None):
            for batch in checked or ():
                losses.append(float(loss_of(model, moved(batch, device))))
        put_back()
        if not losses:
            raise _empty("validation", validation)
        return mean(sum(losses) / len(losses))

    def step_fn(lr: float) -> float:
        loss = update(lr)
        if checked is not None and math.isfinite(loss):
            loss = loss_afterwards()
        if progress is not None:
            progress(lr, loss)
        return loss

    def update(lr: float) -> float:
        groups.set_rates(optimizer.param_groups, [lr * share for share in kept])
        for _ in range(ATTEMPTS):
            optimizer.zero_grad()
            loss = mean(sum(loss_and_gradients() for _ in range(accumulate)))
            if not math.isfinite(loss):
                return loss
            if clip < math.inf:
                scaler.unscale_(optimizer)
                torch.nn.utils.clip_grad_norm_(trained, clip)
            scale = scaler.get_scale()
            scaler.step(optimizer)
            scaler.update()
            if scaler.get_scale() >= scale:  # a skipped update lowers the scale
                return loss
        return math.nan

    def snapshot() -> list[Undo]:
        kept = [core.keep_random(), *map(_keep_generators, (batches, validation)), _keep_modes(model)]
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
            raise _empty("batches", batches)


def _empty(name: str, batches: Any) -> ValueError:
    return bad(name, batches, "one batch or more", "pass a DataLoader or a list of (inputs, targets)")


def _device(model: torch.nn.Module) -> torch.device:
    for parameter in model.parameters():
        return parameter.device
    raise bad("model", type(model).__name__, "one with parameters", "pass the module that the optimizer trains")


def _shares(optimizer: torch.optim.Optimizer) -> list[float]:
    """Each group's share in the largest rate: that of now, or where a warm-up begins at 0, that of before it."""
    scheduler = followed(optimizer)
    if scheduler is None or scheduler.rates.shared:
        rates = came_with(optimizer)
    else:  # each group has a schedule of its own, which may begin at 0 or stay there: of later rates nothing is known
        rates = [groups.rate(group) or math.nan for group in optimizer.param_groups]
    return [1.0] if rates in ([0.0], [math.nan]) else shares(rates, max(rates), RATIO)


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
    states = {generator: generator.get_state() for generator in _generators(batches, set())}

    def put_back() -> None:
        for generator, state in states.items():
            generator.set_state(state)

    return put_back


def _generators(source: Any, seen: set[int]) -> Iterator[torch.Generator]:
    """Those of a `DataLoader`, of its data and of its samplers, one of which may be inside of another."""
    seen.add(id(source))
    for value in getattr(source, "__dict__", {}).values():
        if isinstance(value, torch.Generator):
            yield value
        elif isinstance(value, Sampler | Dataset) and id(value) not in seen:
            yield from _generators(value, seen)
