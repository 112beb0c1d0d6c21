"""The training loss as a function of one vector, all weights of a model: what has a gradient and a Hessian."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.parameter import is_lazy

from ..validation import bad, batch_length, optional
from .training import Loss, as_tensor, evaluating, loss_function

if TYPE_CHECKING:
    from ..data import Dataset

Tensor = torch.Tensor
Weights = Mapping[str, Any]


class LossOfWeights:
    """`loss(theta, x, y)`: the loss of the model with the weights `theta`, shape `(n,)`, on a batch.

    `theta`: the weights to measure at, those with `requires_grad` in the order of `model.named_parameters()`.
    `x`, `y`: the training data, on the model's device and in its dtype. `batches()`: the same in pieces, each with its
    share of the rows. The model's own tensors are read, never written.
    """

    def __init__(self, model: torch.nn.Module, data: "Dataset | tuple[Any, Any]", loss: str | Loss,
                 parameters: Weights | None = None, batch_size: int | None = None) -> None:  # fmt: skip
        self.model, self.loss_of = model, loss_function(loss)
        self.batch_size = optional(batch_length)("batch_size", batch_size)
        if any(is_lazy(tensor) for tensor in (*model.parameters(), *model.buffers())):
            raise bad("model", type(model).__name__, "initialized", "call model(inputs) once")
        own = {name: parameter.detach() for name, parameter in model.named_parameters()}
        self.trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
        if not self.trained:
            raise bad("model", type(model).__name__, "one with parameters to train", "unfreeze a layer")
        # A layer may write to a buffer also in evaluation mode: then it writes to these copies.
        self.fixed = {name: buffer.detach().clone() for name, buffer in model.named_buffers()}
        values = own if parameters is None else own | fitting("parameters", parameters, own)
        self.fixed |= {name: value for name, value in values.items() if name not in self.trained}
        self.shapes = [own[name].shape for name in self.trained]
        self.theta = torch.cat([values[name].flatten() for name in self.trained])
        self.x, self.y = (as_tensor(part, self.theta) for part in arrays(data))

    def __call__(self, theta: Tensor, x: Tensor, y: Tensor) -> Tensor:
        parts = theta.split([shape.numel() for shape in self.shapes])
        weights = {name: part.view(shape) for name, part, shape in zip(self.trained, parts, self.shapes, strict=True)}
        return self.loss_of(functional_call(self.model, weights | self.fixed, (x,)), y)

    def batches(self) -> Iterator[tuple[float, Tensor, Tensor]]:
        size = self.batch_size or len(self.x)
        for x, y in zip(self.x.split(size), self.y.split(size), strict=True):
            yield len(x) / len(self.x), x, y

    def vector(self, name: str, values: Weights) -> Tensor:
        """One number for each weight, given by the names of the parameters, in the order of `theta`."""
        own = {each: parameter for each, parameter in self.model.named_parameters() if each in self.trained}
        found = fitting(name, values, own)
        if missing := sorted(own.keys() - found.keys()):
            raise bad(name, list(found), f"given for every parameter, {missing[0]!r} too", "add it")
        return torch.cat([found[each].flatten() for each in self.trained])

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """Evaluation mode without a trace, and attention by plain formulas: only these have second derivatives."""
        with evaluating(self.model, self.theta.device), torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
            yield


def arrays(data: "Dataset | tuple[Any, Any]") -> tuple[Any, Any]:
    """Inputs and targets to train on, of a `Dataset` or as a pair."""
    pair = data if isinstance(data, tuple | list) else (data.x_train, data.y_train)
    if len(pair) != 2:
        raise bad("data", f"{len(pair)} parts", "a Dataset or a pair (x, y)", "pass for example moons()")
    x, y = pair
    if not len(x) == len(y) > 0:
        raise bad("data", (len(x), len(y)), "as many inputs as targets, one or more", "pass a target for each input")
    return x, y


def fitting(name: str, values: Weights, own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`values` as tensors like the model's `own`, if names and shapes are those of its parameters."""
    for key, value in values.items():
        if key not in own:
            raise bad(name, key, "keyed by the model's parameters", f"use names such as {next(iter(own))!r}")
        if tuple(value.shape) != tuple(own[key].shape):
            raise bad(f"{name}[{key!r}]", tuple(value.shape), f"of shape {tuple(own[key].shape)}",
                      "take it from a model with the same sizes")  # fmt: skip
    return {key: torch.as_tensor(value).detach().to(own[key]) for key, value in values.items()}
