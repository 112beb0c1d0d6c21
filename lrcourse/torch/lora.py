"""LoRA: to fine-tune a model, train two thin matrices beside each frozen one."""

import math
import re

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..validation import bad, positive, whole


class LoRA(nn.Module):
    r"""A frozen linear layer and what is learned beside it: $y = W x + b + \frac{\alpha}{r} B A x$.

    `linear`: the layer, which is frozen by this. `rank`: $r$, the rows of $A$ and the columns of $B$. `alpha`: scales
    what is learned, so that another rank can keep its learning rate. $A$ starts normal with variance $1 / n$ for $n$
    inputs, $B$ at 0: at first the layer computes what it did.

    Shapes: `(..., inputs)` gives `(..., outputs)`.

    Raises: `ValueError` for a rank below 1 or above a side of the layer, `alpha` that is not positive.
    Source: Hu et al., "LoRA: Low-rank adaptation of large language models", 2021.

    >>> sum(each.numel() for each in LoRA(nn.Linear(64, 32), rank=2).parameters() if each.requires_grad)
    192
    """

    def __init__(self, linear: nn.Linear, rank: int = 4, alpha: float = 8.0) -> None:
        super().__init__()
        rank, alpha = _fitting(rank, linear), positive("use for example 8")("alpha", alpha)
        self.linear, self.scale = linear.requires_grad_(False), alpha / rank
        outputs, inputs = linear.weight.shape
        self.a = nn.Parameter(linear.weight.new_empty(rank, inputs).normal_(std=1 / math.sqrt(inputs)))
        self.b = nn.Parameter(linear.weight.new_zeros(outputs, rank))

    def forward(self, x: Tensor) -> Tensor:
        frozen: Tensor = self.linear(x)
        return frozen + self.scale * F.linear(F.linear(x, self.a), self.b)

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """The linear layer with what was learned added to its weights, free to train again."""
        self.linear.weight += self.scale * self.b @ self.a
        return self.linear.requires_grad_(True)


def _fitting(rank: int, linear: nn.Linear) -> int:
    most = min(linear.weight.shape)
    if whole(1, "use for example 2")("rank", rank) > most:
        raise bad("rank", rank, f"at most {most}, the shorter side of the layer", f"use {most} or less")
    return int(rank)


def add_lora(model: nn.Module, rank: int = 4, alpha: float = 8.0, names: str = "query|value") -> list[nn.Parameter]:
    """Freeze `model`, put a `LoRA` in the place of some of its linear layers, and return the parameters that train.

    `names`: a regular expression; every linear layer in whose full name (as `model.named_modules()` gives it) it is
    found is replaced. The default are the queries and values of attention, as in the paper. What else is to train, such
    as a new head, is set free again by `requires_grad_(True)`. Call `torch.manual_seed` before.

    Raises: `ValueError` for names that no linear layer has, and what `LoRA` raises, before anything is changed.

    >>> from lrcourse.torch import GPT
    >>> model = GPT(vocabulary=50, layers=2)
    >>> [tuple(each.shape) for each in add_lora(model, rank=2)][:2]
    [(2, 32), (32, 2)]
    """
    linear = {name: each for name, each in model.named_modules() if isinstance(each, nn.Linear) and name}
    chosen = {name: each for name, each in linear.items() if re.search(names, name)}
    if not chosen:
        raise bad("names", names, "found in the name of a linear layer", f"choose among {', '.join(linear)}")
    for each in chosen.values():
        _fitting(rank, each)
    added = {name: LoRA(each, rank, alpha) for name, each in chosen.items()}
    model.requires_grad_(False)
    for name, layer in added.items():
        model.set_submodule(name, layer)
    return [each for layer in added.values() for each in (layer.a, layer.b)]


def merge_lora(model: nn.Module) -> None:
    """Put plain linear layers, which have learned the same, in the place of each `LoRA`; all weights can train again.

    >>> from lrcourse.torch import GPT
    >>> model = GPT(vocabulary=50)
    >>> _ = add_lora(model)
    >>> merge_lora(model)
    >>> model.blocks[0].attention.query
    Linear(in_features=32, out_features=32, bias=False)
    """
    for name, layer in list(model.named_modules()):
        if isinstance(layer, LoRA):
            model.set_submodule(name, layer.merged())
    model.requires_grad_(True)
