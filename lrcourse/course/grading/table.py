"""grades.csv: a row per student, of everyone who has a record."""

import csv
import io
from collections.abc import Mapping, Sequence

from .gradebook import Entry
from .lab import Lab
from .student_record import StudentRecord


def table(lab: Lab, records: Sequence[StudentRecord], graded: Mapping[str, Mapping[str, Entry]]) -> str:
    """The table's text. `graded`: what the gradebook holds of each student's cells, by grade_id."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["student", "status", "score", "max_score", *lab.points, "waiting_for_a_person", "flags"])
    for each in records:
        own = graded.get(each.student, {})
        scores = [own[name].score if name in own else None for name in lab.points]
        known = [score for score in scores if score is not None]
        waiting = [name for name in lab.points if name in own and own[name].waiting]
        flags = each.flags + (each.judgement.events if each.judgement else [])
        rows.writerow([
            plain(each.student), each.status, _number(sum(known) if known else None),
            _number(sum(lab.points.values())), *map(_number, scores), " ".join(waiting), plain("; ".join(flags)),
        ])  # fmt: skip
    return text.getvalue()


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.10g}"


def plain(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
