"""The loss of a batch, whatever a batch is made of."""

from collections.abc import Callable, Mapping
from typing import Any

import torch

from ..validation import bad

OWN = "pass None as loss_fn, and batch_loss=lambda model, batch: ... with the loss of such a batch"


def loss_of_batches(loss_fn: Callable[..., Any] | None, batch_loss: Callable[..., Any] | None) -> Callable[..., Any]:
    """The function of a model and a batch that one of the two stands for: `loss_fn` takes outputs and targets."""
    if batch_loss is not None:
        if loss_fn is not None:
            raise bad("loss_fn", loss_fn, "None beside a batch_loss", "pass one of the two")
        return batch_loss
    if loss_fn is None:
        raise bad("loss_fn", loss_fn, "a function of outputs and targets", "or pass batch_loss=... beside None")

    def loss_of_pair(model: Any, batch: Any) -> Any:
        if not (isinstance(batch, list | tuple) and len(batch) == 2):
            raise bad("batches", _described(batch), "pairs of inputs and targets for a loss_fn", OWN)
        inputs, targets = batch
        return loss_fn(model(inputs), targets)

    return loss_of_pair


def moved(batch: Any, device: torch.device) -> Any:
    """`batch` with its tensors on `device`: dicts, lists, tuples, and what moves by a method `to`."""
    if callable(getattr(batch, "to", None)):
        return batch.to(device)
    if isinstance(batch, Mapping):
        return {key: moved(value, device) for key, value in batch.items()}
    if isinstance(batch, list | tuple):
        parts = [moved(part, device) for part in batch]
        return type(batch)(*parts) if hasattr(batch, "_fields") else type(batch)(parts)
    return batch


def one_number(loss: Any) -> torch.Tensor:
    """`loss`, if it can be differentiated.

    Raises: `ValueError` otherwise.
    """
    if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
        given = f"shape {tuple(loss.shape)}" if isinstance(loss, torch.Tensor) else type(loss).__name__
        raise bad("the loss", given, "a tensor with one number", "return for example its mean")
    if not loss.requires_grad:
        raise bad("the loss", loss.item(), "computed from parameters with requires_grad", "unfreeze a layer")
    return loss


def _described(batch: Any) -> str:
    if isinstance(batch, Mapping):
        return f"a {type(batch).__name__} of {list(batch)}"
    return f"a {type(batch).__name__}" + (f" of {len(batch)}" if isinstance(batch, list | tuple) else "")
