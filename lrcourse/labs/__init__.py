"""The labs: released from one source, tried with right and wrong answers, worked on, checked and handed in.

Instructors release a lab (`build`), and try it (`answers`); students `start` a lab, `check` it and `submit` it.
"""

from .answers import Answers, Wrong, answered, answers
from .release import build, differences, generate, leaks, sources

__all__ = ["Answers", "Wrong", "answered", "answers", "build", "differences", "generate", "leaks", "sources"]
