"""Which device to train on: one answer for every lab."""

import os

import torch

from ..validation import choice


def device() -> torch.device:
    """The GPU if PyTorch can use one, else the processor; the environment variable `LRCOURSE_DEVICE` decides otherwise.

    Put a model on it, `model.to(device())`: `train` and `range_test` follow the model with the data.

    Raises: `ValueError` if `LRCOURSE_DEVICE` is neither `"cpu"` nor `"cuda"`; `RuntimeError` for a GPU that is not
    there.

    >>> model = torch.nn.Linear(2, 1).to(device())
    >>> next(model.parameters()).device.type == device().type
    True
    """
    there = torch.cuda.is_available()
    asked = choice("cpu", "cuda")("LRCOURSE_DEVICE", os.environ.get("LRCOURSE_DEVICE", "cuda" if there else "cpu"))
    if asked == "cuda" and not there:
        raise RuntimeError("no GPU that PyTorch can use: set LRCOURSE_DEVICE=cpu, or see lrcourse doctor --gpu")
    return torch.device(asked)
