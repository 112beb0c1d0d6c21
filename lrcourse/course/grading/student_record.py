"""What is kept of one student: the status, every point with its reason, and how to come to the same again."""

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from .files import write
from .outcome import Judgement, Part, Status, TaskScore, TaskStatus


@dataclass
class StudentRecord:
    """One student's result.

    Its file holds no time, no place and nothing of others, so that two gradings give the same bytes, whoever else
    is graded.

    `student`: a name that can name a folder. `files`: the SHA-256 of what was handed in; `answers`: the student's text
    for every cell to fill in, "" where there is none. `judgement` is None where nothing could be judged. `notes`:
    oddities that were set right; `doubts`: what a person must look at; `twins`: students with the same answers, and
    `problems`: what could not be done with the result; both stand in grades.csv and not in the file. `failed`: what
    kept the grader from coming to a result. `claims`: the points that the student saw of the visible checks, by
    grade_id. `key`: a hash of all that the result depends on but for `seed`, the secret of which hidden inputs were
    drawn. `made_with`: the lab's hash, the sandbox, the limits and the versions of packages. `original`: where in the
    output folder the original is kept.
    """

    student: str
    lab: str
    key: str = ""
    handed_in: bool = False
    files: dict[str, str] = field(default_factory=dict)
    notebook: str = ""
    readable: bool = False
    answers: dict[str, str] = field(default_factory=dict)
    fingerprint: str = ""
    judgement: Judgement | None = None
    notes: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    twins: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    failed: str = ""
    claims: dict[str, float] = field(default_factory=dict)
    seed: str = ""
    made_with: dict[str, Any] = field(default_factory=dict)
    original: str = ""

    @property
    def status(self) -> Status:
        if not self.handed_in:
            return Status.MISSING
        if self.failed:
            return Status.NEEDS_REVIEW
        if not self.readable:
            return Status.UNREADABLE
        return Status.NEEDS_REVIEW if self.flags else Status.GRADED

    @property
    def flags(self) -> list[str]:
        """What a person must look at."""
        twins = [f"the same answers as {', '.join(self.twins)}"] * bool(self.twins)
        return [self.failed] * bool(self.failed) + self.doubts + twins + self.problems

    @property
    def points(self) -> float | None:
        """The points of the checks, None where nothing was judged: that is not a 0."""
        return None if self.judgement is None else self.judgement.points

    @property
    def outlook(self) -> str:
        """What grading would do with it."""
        if self.judgement:
            return f"was graded: {self.points:g} points"
        if self.failed:
            return f"{self.status}; {self.failed}"
        if not self.readable or not self.answers:
            return "; ".join([self.status, *self.doubts])
        given = sum(bool(text) for text in self.answers.values())
        return "; ".join(
            [f"grade {self.notebook}, {given} of {len(self.answers)} cells answered", *self.notes, *self.doubts]
        )

    def text(self) -> str:
        """It as JSON."""
        alone = replace(self, twins=[], problems=[])
        fields = {"student": self.student, "lab": self.lab, "status": alone.status, "points": self.points}
        fields |= asdict(alone)
        del fields["twins"], fields["problems"]
        return json.dumps(fields, indent=1, ensure_ascii=False) + "\n"

    def write(self, path: Path) -> None:
        """Write its text; a reader finds all of it or what was there before."""
        write(path, self.text())


def read(path: Path) -> StudentRecord | None:
    """The record in a file; None if there is none, or another version of this package wrote it."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        del fields["status"], fields["points"]
        if judgement := fields["judgement"]:
            tasks = [_task(each) for each in judgement["tasks"]]
            fields["judgement"] = Judgement(**judgement | {"tasks": tasks})
        return StudentRecord(**fields)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _task(fields: dict[str, Any]) -> TaskScore:
    parts = [Part(**part) for part in fields["parts"]]
    return TaskScore(**fields | {"parts": parts, "status": TaskStatus(fields["status"])})
