"""The labs: released from one source, tried with right and wrong answers, worked on, checked and handed in.

Instructors release the labs (`build`, `bundle`) and try them (`answers`); students `start`, `check` and `submit` them.
"""

from .answers import Answer, Answers, answered, answers
from .bundle import bundle
from .check import check
from .release import build, differences, generate, leaks, sources
from .start import start
from .submit import earlier, submit

__all__ = [
    "Answer", "Answers", "answered", "answers", "build", "bundle", "check", "differences", "earlier", "generate",
    "leaks", "sources", "start", "submit",
]  # fmt: skip
