"""The receipt that `lrcourse labs submit` puts beside a notebook.

It is written where the student can write too. So it only ever raises doubts, and its time is not believed.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from .student_name import key
from .texts import printable

SIZE = 64 << 10  # bytes


@dataclass(frozen=True)
class Receipt:
    """`student`: to whom it is made out; `sha256`: of the notebook; `points`: what the visible checks gave there."""

    student: str
    sha256: str
    points: dict[str, Any] = field(default_factory=dict)

    def doubts(self, names: Collection[str], digests: Collection[str]) -> list[str]:
        """What does not fit a student of these `names` (their keys) who handed in notebooks of these `digests`."""
        doubts = []
        if key(self.student) not in names:
            doubts.append(f"its receipt is made out to {printable(self.student)}")
        if self.sha256 not in digests:
            doubts.append("its receipt is of another notebook: it was changed after it was packed")
        return doubts


def read(data: bytes) -> Receipt | None:
    """The receipt in a file; None if it is none of ours."""
    try:
        receipt = json.loads(data)
        student, digest, points = receipt["student"], receipt["sha256"], receipt.get("visible points")
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if not isinstance(student, str) or not isinstance(digest, str):
        return None
    return Receipt(student, digest, points if isinstance(points, dict) else {})
