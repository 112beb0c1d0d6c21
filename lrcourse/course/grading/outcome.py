"""What grading finds out about one submission, as plain data that `dataclasses.asdict` turns into JSON."""

from dataclasses import dataclass, field
from enum import StrEnum


class Status(StrEnum):
    """What became of a student. Everyone ends in exactly one of these, and never in a bare 0."""

    GRADED = "graded"
    NEEDS_REVIEW = "needs review"
    UNREADABLE = "unreadable"
    MISSING = "missing"


class TaskStatus(StrEnum):
    """What became of one task."""

    JUDGED = "judged"
    NOT_SOLVED = "not solved"
    CRASHED = "crashed"
    TIMED_OUT = "timed out"
    MANUAL = "manual"


@dataclass(frozen=True)
class Part:
    """One named part of a task: whether it earned its share of the points, and what was wrong with it.

    `fault` is what the student may read: it comes from a run that never saw a hidden input. `detail` is for the
    instructor alone: the fault that cost the points, which may repeat inputs of a hidden test.
    """

    name: str
    right: bool
    fault: str = ""
    detail: str = ""


@dataclass(frozen=True)
class TaskScore:
    """The points of one check cell. `grade_id` is the check cell's, `name` the title of its `Task`.

    `parts` is empty where the task was lost as a whole, and `reason` says why; a student may read both.
    """

    grade_id: str
    name: str
    points: float
    max_points: float
    parts: list[Part]
    status: TaskStatus
    reason: str = ""


@dataclass(frozen=True)
class Shown:
    """What visible checks alone find in one notebook: all that a student may read, as plain data.

    `texts`: see `Judgement`. `faults`: by grade_id, then by part; "" is right, and a part that the run did not come to
    is not there. `points`: by grade_id, of visible checks alone. `examples`: by grade_id, then by part, what hidden
    tests find with inputs that everybody may know. `stopped`: [name of the task, part] of those that took too long, and
    [name, ""] of such cells. `events`: for the instructor. `call_seconds`, `seconds`: what a check of a part was given,
    and what all of it took. `broken`: the student's cells that an exception ended, perhaps for want of something here.
    """

    texts: dict[str, str] = field(default_factory=dict)
    faults: dict[str, dict[str, str]] = field(default_factory=dict)
    points: dict[str, float] = field(default_factory=dict)
    examples: dict[str, dict[str, str]] = field(default_factory=dict)
    stopped: list[list[str]] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    call_seconds: float = 0
    seconds: float = 0
    broken: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Judgement:
    """What the judge found in one notebook.

    `texts` holds what each of the student's cells printed and the exception that ended it, by cell id; a student may
    read it. `events` is for the instructor: each crash and time-out, and each check that an answer broke.
    """

    tasks: list[TaskScore] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)

    @property
    def points(self) -> float:
        """The points of all judged tasks together."""
        return sum(task.points for task in self.tasks)
