"""PyTorch: schedules on an optimizer, models, a device, a loop that records what was applied, a range test."""

from ..extras import extra

with extra("torch"):
    from .device import device
    from .gpt import GPT
    from .models import MLP, LogicNet
    from .range_test import range_test
    from .schedule_lr import ScheduleLR
    from .training import Evaluations, Run, train
    from .vgg import VGG

__all__ = ["GPT", "MLP", "VGG", "Evaluations", "LogicNet", "Run", "ScheduleLR", "device", "range_test", "train"]
