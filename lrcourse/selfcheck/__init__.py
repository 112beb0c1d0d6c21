"""The labs' self-checks: they say what is wrong, never the answer, and they never stop a notebook."""

from .plain import numbers
from .task import UNSOLVED, Points, Task, ready

__all__ = ["UNSOLVED", "Points", "Task", "numbers", "ready"]
