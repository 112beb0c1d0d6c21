"""Which scheduler sets the rates of an optimizer, so that a group that is added has its rate from its first update."""

import functools
import weakref
from collections.abc import Callable
from typing import Any

import torch


def follow(optimizer: torch.optim.Optimizer, join: Callable[[dict[str, Any]], None]) -> None:
    """Have `join`, a method of the scheduler that sets the rates of `optimizer`, add the groups to come."""
    # As torch does with `step`: nothing is spent on an update, a copy forgets it, and no circle keeps memory alive.
    add = functools.partial(_add, weakref.ref(optimizer), weakref.WeakMethod(join))
    optimizer.add_param_group = add  # type: ignore[method-assign]


def followed(optimizer: torch.optim.Optimizer) -> Any:
    """The scheduler that `optimizer` follows, None if there is none."""
    add = vars(optimizer).get("add_param_group")
    join = add.args[1]() if isinstance(add, functools.partial) and add.func is _add else None
    return None if join is None else join.__self__


def _add(optimizer: Callable[[], Any], join: Callable[[], Any], param_group: dict[str, Any]) -> None:
    own, joined = optimizer(), join()
    if joined is None:
        type(own).add_param_group(own, param_group)
    else:
        joined(param_group)
