"""What a parameter group of an optimizer holds, a rate and perhaps a momentum, read and set in one way."""

import inspect
import math
from collections.abc import Sequence
from typing import Any

import torch

from ..validation import bad

Group = dict[str, Any]


def rate(group: Group) -> float:
    return float(group["lr"])


def set_rates(groups: Sequence[Group], rates: Sequence[float]) -> None:
    for group, lr in zip(groups, rates, strict=True):
        old = group["lr"]
        if isinstance(old, float) or not isinstance(old, torch.Tensor):  # the second question is four times slower
            group["lr"] = lr
        else:
            old.fill_(lr)  # in place: a compiled update holds on to the tensor


def check_rates(groups: Sequence[Group]) -> None:
    """Refuse tensors of whole numbers or of 16 bits, which would round a rate to 0, to infinity or to another one."""
    for lr in (group["lr"] for group in groups):
        if isinstance(lr, torch.Tensor) and lr.dtype not in (torch.float32, torch.float64):
            must = "a number or a tensor of floats, 32 bits or more"
            raise bad("lr", lr, must, f"write torch.tensor({float(lr)})")


def highest(groups: Sequence[Group]) -> float:
    """The largest rate that all of the groups can hold."""
    kept = (group["lr"].dtype if isinstance(group["lr"], torch.Tensor) else torch.float64 for group in groups)
    return min(torch.finfo(kind).max for kind in kept)


def own_rates(groups: Sequence[Group]) -> None:
    """Give each group a rate of its own: groups may come with one tensor for all of them."""
    seen = set()
    for group in groups:
        if isinstance(group["lr"], torch.Tensor):
            if id(group["lr"]) in seen:
                group["lr"] = group["lr"].clone()
            seen.add(id(group["lr"]))


def momentum(group: Group) -> float:
    """The momentum, or beta 1 of the Adam family; NaN where there is none."""
    return float(group["betas"][0] if "betas" in group else group.get("momentum", math.nan))


def set_momenta(groups: Sequence[Group], momenta: Sequence[float]) -> None:
    for group, value in zip(groups, momenta, strict=True):
        if "betas" in group:
            group["betas"] = (value, *group["betas"][1:])
        else:
            group["momentum"] = value


def without_closure(optimizer: torch.optim.Optimizer) -> None:
    """See to it that `optimizer.step()` makes an update by itself."""
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    if closure is not None and closure.default is closure.empty:
        raise bad("optimizer", type(optimizer).__name__, "one whose step() needs no closure",
                  "use SGD or AdamW: LBFGS measures the loss many times in one update")  # fmt: skip
