"""PyTorch: schedules on an optimizer, models, a device, a loop that records what was applied, a range test."""

from ..extras import extra

with extra("torch"):
    from .device import device
    from .gpt import GPT
    from .lora import LoRA, add_lora, merge_lora
    from .models import MLP, LogicNet
    from .range_test import range_test
    from .resnet import ResNet
    from .schedule_lr import ScheduleLR
    from .training import Evaluations, Run, train
    from .vgg import VGG

__all__ = [
    "GPT", "MLP", "VGG", "Evaluations", "LoRA", "LogicNet", "ResNet", "Run", "ScheduleLR", "add_lora", "device",
    "merge_lora", "range_test", "train",
]  # fmt: skip
