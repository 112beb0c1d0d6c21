"""PyTorch: schedules on an optimizer, two small models, a training loop that records what was applied, a range test."""

from .models import MLP, LogicNet
from .range_test import range_test
from .schedule_lr import ScheduleLR
from .training import Evaluations, Run, train

__all__ = ["MLP", "Evaluations", "LogicNet", "Run", "ScheduleLR", "range_test", "train"]
