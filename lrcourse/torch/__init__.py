"""PyTorch: schedules on an optimizer, models, a device, a loop that records what was applied, and what one measures."""

from ..extras import extra

with extra("torch"):
    from .coordinate_check import CoordinateCheck, coordinate_check
    from .device import device
    from .gpt import GPT
    from .models import MLP, LogicNet
    from .noise_scale import NoiseScale, noise_scale, two_batch_noise_scale
    from .range_test import range_test
    from .schedule_lr import ScheduleLR
    from .sharpness import adam_preconditioner, sharpness, top_curvatures
    from .training import Evaluations, Run, train
    from .vgg import VGG

__all__ = [
    "GPT",
    "MLP",
    "VGG",
    "CoordinateCheck",
    "Evaluations",
    "LogicNet",
    "NoiseScale",
    "Run",
    "ScheduleLR",
    "adam_preconditioner",
    "coordinate_check",
    "device",
    "noise_scale",
    "range_test",
    "sharpness",
    "top_curvatures",
    "train",
    "two_batch_noise_scale",
]
