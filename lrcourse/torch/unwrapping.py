"""The model of the user, whatever has been put around it."""

from typing import cast

from torch import nn
from torch.nn.parallel import DataParallel, DistributedDataParallel


def unwrapped(model: nn.Module) -> nn.Module:
    """The model inside of `DistributedDataParallel`, `DataParallel` and `torch.compile`, whose names have no prefix."""
    while True:
        if isinstance(model, DistributedDataParallel | DataParallel):
            model = model.module
        elif "_orig_mod" in model._modules:  # what torch.compile returns
            model = cast(nn.Module, model._modules["_orig_mod"])
        else:
            return model
