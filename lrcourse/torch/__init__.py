"""PyTorch: schedules on an optimizer, models, a device, a loop that records what was applied, and what one measures."""

from ..extras import extra

with extra("torch"):
    from .applied import applied_rates
    from .average_state_dicts import average_state_dicts
    from .averaged_weights import averaged_weights
    from .coordinate_check import CoordinateCheck, coordinate_check
    from .device import device
    from .ema import EMA
    from .gpt import GPT
    from .lora import LoRA, add_lora, merge_lora
    from .models import MLP, LogicNet
    from .muon_groups import muon_groups
    from .noise_scale import NoiseScale, noise_scale, two_batch_noise_scale
    from .parameter_groups import parameter_groups
    from .plateau_lr import PlateauLR
    from .range_test import range_test
    from .resnet import ResNet
    from .schedule_lr import ScheduleLR
    from .sharpness import adam_preconditioner, sharpness, top_curvatures
    from .training import Evaluations, Run, train
    from .vgg import VGG

__all__ = [
    "EMA",
    "GPT",
    "MLP",
    "VGG",
    "CoordinateCheck",
    "Evaluations",
    "LoRA",
    "LogicNet",
    "NoiseScale",
    "PlateauLR",
    "ResNet",
    "Run",
    "ScheduleLR",
    "adam_preconditioner",
    "add_lora",
    "applied_rates",
    "average_state_dicts",
    "averaged_weights",
    "coordinate_check",
    "device",
    "merge_lora",
    "muon_groups",
    "noise_scale",
    "parameter_groups",
    "range_test",
    "sharpness",
    "top_curvatures",
    "train",
    "two_batch_noise_scale",
]
