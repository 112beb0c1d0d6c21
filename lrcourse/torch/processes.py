"""Processes that train one model together."""

from collections.abc import Callable
from typing import Any

import torch
from torch import distributed


def mean_over_processes(model: torch.nn.Module, device: torch.device) -> Callable[[float], float]:
    """What makes one number of those of all processes that train `model`, so that they all decide alike.

    Processes that each have a model of their own are left alone: one of them may be at work while the others wait.
    """
    if not (distributed.is_available() and distributed.is_initialized()):
        return lambda number: number
    from torch.distributed.fsdp import FSDPModule, FullyShardedDataParallel

    together = torch.nn.parallel.DistributedDataParallel, FullyShardedDataParallel, FSDPModule
    wrapper: Any = next((module for module in model.modules() if isinstance(module, together)), None)
    if wrapper is None:
        return lambda number: number
    processes = getattr(wrapper, "process_group", None)

    def mean(number: float) -> float:
        total = torch.tensor(number, dtype=torch.float64, device=device)
        distributed.all_reduce(total, group=processes)
        return total.item() / distributed.get_world_size(processes)

    return mean
