"""Ask training runs a question: which way of training is better, each as well tuned as the other, and how sure is that?

    Study(task, arms, …).run()  →  Answer  →  verdict(a, b), table(), plot()

Task            networks, trained by `lrcourse.sweep`, many at a time
FunctionTask    whatever a function trains, one run at a call, in any framework
compare_scores  scores that are there already, by the same rules
Arm             one way of training, with the settings among which its best is chosen
"""

from typing import TYPE_CHECKING, Any

from ..extras import extra

if TYPE_CHECKING:
    from .task import Task

with extra("study"):
    from .answer import Answer
    from .arm import Arm, EdgeError
    from .compare_scores import compare_scores
    from .function_task import FunctionTask
    from .study import Study
    from .verdict import Verdict

__all__ = ["Answer", "Arm", "EdgeError", "FunctionTask", "Study", "Task", "Verdict", "compare_scores"]


def __getattr__(name: str) -> Any:
    """`Task` needs PyTorch, which a study of other runs need not have."""
    if name != "Task":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .task import Task

    return Task
