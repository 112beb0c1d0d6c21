"""Other weights in a model for as long as it is evaluated: their average, most often."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from ..validation import bad
from .ema import check_shapes
from .unwrapping import unwrapped


@contextmanager
def averaged_weights(model: nn.Module, averaged: AveragedModel | Mapping[str, Any]) -> Iterator[nn.Module]:
    """Lend `model` the weights and buffers of `averaged`, in evaluation mode, for as long as the block lasts.

    `averaged`: an `EMA`, any `AveragedModel` of PyTorch, or a `state_dict`. They are copied in place, so the model may
    be compiled or wrapped, and what holds its parameters, such as an optimizer, is not disturbed. Afterwards weights,
    buffers and the mode of each module are exactly as before, also after an error.

    Raises: `ValueError` for weights that are not named and shaped like the model's; `RuntimeError` if the weights were
    changed in the block, by training or by another such block inside of it, or the average was updated with itself.

    >>> from lrcourse.torch import EMA
    >>> model = nn.Linear(1, 1, bias=False)
    >>> ema = EMA(model)
    >>> _ = nn.init.constant_(ema.module.weight, 3.0)
    >>> with averaged_weights(model, ema):
    ...     model(torch.ones(1)).item()
    3.0
    """
    plain = unwrapped(model)
    ours = _tensors(plain)
    theirs = _fitting(averaged, plain)
    modes = {module: module.training for module in model.modules()}
    kept = {name: each.detach().clone() for name, each in ours.items()}
    watched = [*plain.parameters(), *([averaged.n_averaged] if isinstance(averaged, AveragedModel) else [])]
    try:
        model.eval()
        _copy(theirs, ours)
        before = [each._version for each in watched]
        yield model
        is_changed = before != [each._version for each in watched]
    finally:
        _copy(kept, ours)
        for module, mode in modes.items():
            module.training = mode
    if is_changed:
        raise RuntimeError(
            "the weights were changed or averaged inside of averaged_weights: train and average outside of it, as what "
            "was trained there is lost"
        )


def _tensors(model: nn.Module) -> dict[str, torch.Tensor]:
    return dict(chain(model.named_parameters(), model.named_buffers()))


def _fitting(averaged: Any, model: nn.Module) -> dict[str, torch.Tensor]:
    """What `averaged` has in the place of each weight and buffer of `model`."""
    if isinstance(averaged, AveragedModel):
        ours, theirs = _tensors(model), _tensors(unwrapped(averaged.module))
    elif isinstance(averaged, Mapping):  # in which a buffer that is not kept is missing
        ours, theirs = _only_tensors(model.state_dict()), _only_tensors(averaged)
    else:
        raise bad("averaged", type(averaged).__name__, "an AveragedModel or a state_dict", "pass for example an EMA")
    check_shapes("averaged", ours, theirs)
    return theirs


def _only_tensors(state: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    return {name: each for name, each in state.items() if isinstance(each, torch.Tensor)}


@torch.no_grad()
def _copy(theirs: Mapping[str, torch.Tensor], ours: Mapping[str, torch.Tensor]) -> None:
    for name in ours.keys() & theirs.keys():
        ours[name].copy_(theirs[name])
