"""PyTorch: schedules on an optimizer, two small models, and a training loop that records what was applied."""

from .models import MLP, LogicNet
from .schedule_lr import ScheduleLR
from .training import Evaluations, Run, train

__all__ = ["MLP", "Evaluations", "LogicNet", "Run", "ScheduleLR", "train"]
