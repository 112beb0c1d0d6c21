"""The page that a student reads: every point with its reason, and the student's own answers.

Everything on it passes through Jinja2's escaping; there is no script, and the page may load nothing.
"""

from collections.abc import Mapping

from .gradebook import Entry
from .html_page import page_of
from .lab import Lab, marked
from .outcome import Status, TaskScore, TaskStatus
from .student_record import StudentRecord

SAYS = {
    Status.GRADED: "",
    Status.NEEDS_REVIEW: "Your instructor will look at this hand-in; points may change.",
    Status.UNREADABLE: "No notebook could be read in what you handed in, so nothing was graded. This is not a 0.",
    Status.MISSING: "Nothing was handed in.",
}
PAGE = page_of(
    title="{{ record.lab }}: {{ record.student }}",
    style="""\
h1, h2, li, p { overflow-wrap: anywhere; }
pre { overflow-x: auto; padding: 0.75rem; border: 1px solid; border-radius: 4px; }""",
    body="""\
<h1>{{ record.lab }}</h1>
<p>{{ record.student }}: {{ record.status.value }}{% if total %}, {{ total }}{% endif %}</p>
{% if says %}
<p>{{ says }}</p>
{% endif %}
{% if remarks %}
<ul>
{% for remark in remarks %}
<li>{{ remark }}</li>
{% endfor %}
</ul>
{% endif %}
{% for task in tasks %}
<section>
<h2>{{ task.name }}</h2>
<p>{{ task.points }}</p>
{% if task.parts %}
<ul>
{% for part in task.parts %}
<li>{{ "right" if part.right else "wrong" }}: {{ part.name }}{% if part.fault %}. {{ part.fault }}{% endif %}</li>
{% endfor %}
</ul>
{% endif %}
{% for answer in task.answers %}
{% if answer.comment %}
<p>Your instructor writes:</p>
<pre tabindex="0">{{ answer.comment }}</pre>
{% endif %}
<details><summary>Your answer</summary>
<pre tabindex="0">{{ answer.source }}</pre>
{% if answer.text %}
<p>It printed:</p>
<pre tabindex="0">{{ answer.text }}</pre>
{% endif %}
</details>
{% endfor %}
</section>
{% endfor %}
""",
)


def page(record: StudentRecord, lab: Lab, graded: Mapping[str, Entry] | None = None) -> str:
    """A student's page as HTML. `graded`: what the gradebook holds, with what persons gave and wrote.

    Of a task it shows what a student may read: `Part.detail`, events and what was found in others' hand-ins stay out.
    """
    scores = record.judgement.tasks if record.judgement else []
    graded = graded or {}
    counts = {name: entry.score for name, entry in graded.items() if entry.score is not None}
    given = {name: score for name, score in counts.items() if graded[name].manual}
    tasks = [{"name": score.name, "parts": score.parts, "points": _points(score, given.get(score.grade_id)),
              "answers": _answers(record, lab, score.grade_id, graded)} for score in scores]  # fmt: skip
    judged = {score.grade_id: score.points for score in scores}
    total = sum((judged | counts).values())
    waiting = any(score.status is TaskStatus.MANUAL and score.grade_id not in given for score in scores)
    of = sum(score.max_points for score in scores) or sum(lab.points.values())
    points = f"{total:g} of {of:g} points{' so far' * waiting}" if judged or counts else ""
    remarks = record.notes + (record.doubts if record.status is Status.UNREADABLE else [])
    return PAGE.render(record=record, says=SAYS[record.status], remarks=remarks, tasks=tasks, total=points)


def _points(score: TaskScore, given: float | None) -> str:
    """The points of a task and why they are what they are."""
    points = f"{score.points if given is None else given:g} of {score.max_points:g} points"
    if given is not None:
        return f"{points}, given by your instructor"
    if score.status is TaskStatus.MANUAL:
        return f"Up to {score.max_points:g} points, which your instructor gives"
    right = sum(part.right for part in score.parts)
    if score.parts and right < len(score.parts):
        points += f": {right} of {len(score.parts)} parts right"
    if score.status is not TaskStatus.JUDGED:
        points += f": {score.status.value}"
    return points + f" ({score.reason})" * bool(score.reason)


def _answers(record: StudentRecord, lab: Lab, check: str, graded: Mapping[str, Entry]) -> list[dict[str, str]]:
    """The answers that a check looks at: those between it and the check before it."""
    texts = record.judgement.texts if record.judgement else {}
    found: list[dict[str, str]] = []
    for cell in lab.released.cells:
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id", "")
        if marked(cell, "solution") and (source := record.answers.get(grade_id)):
            comment = graded[grade_id].comment if grade_id in graded else ""
            found.append({"source": source, "text": texts.get(cell.id, ""), "comment": comment})
        if marked(cell, "grade"):
            if grade_id == check:
                return found
            found = []
    return found
