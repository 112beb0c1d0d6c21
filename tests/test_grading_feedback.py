"""Feedback: a student reads every reason, nothing hidden, and nothing that a submission holds runs in the page."""

import re
from pathlib import Path
from typing import Any

import pytest

from lrcourse.course.grading.feedback import page
from lrcourse.course.grading.gradebook import Entry
from lrcourse.course.grading.lab import Lab
from lrcourse.course.grading.outcome import Judgement, Part, TaskScore, TaskStatus
from lrcourse.course.grading.student_record import StudentRecord

ROOT = Path(__file__).parents[1]
LAB = Lab(ROOT / "solutions" / "01-decay" / "01-decay.ipynb")
PAYLOADS = """
</pre></title><script>document.title = "run"; fetch("https://evil.example/a")</script>
<img src=https://evil.example/b onerror="document.title = 'run'">
<iframe src="https://evil.example/c"></iframe><iframe srcdoc="<script>parent.document.title = 'run'</script>"></iframe>
<svg onload="document.title = 'run'"><a href="javascript:document.title = 'run'">x</a></svg>
<link rel=stylesheet href=https://evil.example/d><meta http-equiv=refresh content="0;url=https://evil.example/e">
{{ 7 * 191 }} {% raw %} [x](javascript:alert(1)) ![x](https://evil.example/f) $\\href{javascript:alert(1)}{x}$
"""


def record(parts, points=0, status=TaskStatus.JUDGED, text="", answer="", **options):
    task = TaskScore(
        "check-by-hand", options.pop("name", "1. By hand"), points, 2, parts, status, options.pop("reason", "")
    )
    fields: dict[str, Any] = {"student": "ada", "handed_in": True, "readable": True, "answers": {"by-hand": answer}}
    return StudentRecord(lab="01-decay", judgement=Judgement([task], {"by-hand": text} if text else {}, ["an event"]),
                  **(fields | options))  # fmt: skip


def test_each_point_has_its_reason():
    parts = [Part("the rates", True), Part("the first", False, "entry 0 is 3, which is too high", "secret input 41")]
    html = page(record(parts, 1, answer="x < 3", text="hello"), LAB)
    assert "1 of 2 points: 1 of 2 parts right" in html
    assert "right: the rates" in html and "wrong: the first. entry 0 is 3, which is too high" in html
    assert "x &lt; 3" in html and "hello" in html
    assert "secret" not in html and "an event" not in html


@pytest.mark.parametrize(("options", "says"), [
    ({"status": TaskStatus.TIMED_OUT, "reason": "it took too long"}, "0 of 2 points: timed out (it took too long)"),
    ({"status": TaskStatus.NOT_SOLVED}, "0 of 2 points: not solved"),
    ({"status": TaskStatus.MANUAL}, "Up to 2 points, which your instructor gives"),
    ({"status": TaskStatus.MANUAL}, "0 of 2 points so far"),
    ({"readable": False, "doubts": ["the file is empty"]}, "the file is empty"),
    ({"handed_in": False}, "Nothing was handed in."),
    ({"twins": ["bob"]}, "points may change"),
])  # fmt: skip
def test_every_status_says_what_it_means(options, says):
    html = page(record([], **options), LAB)
    assert says in html
    assert "bob" not in html


def test_points_that_a_person_gave_count():
    graded = {"check-by-hand": Entry(1.5, manual=True), "by-hand": Entry(comment="see <chapter> 3")}
    html = page(record([], status=TaskStatus.MANUAL, answer="x"), LAB, graded)
    assert "1.5 of 2 points, given by your instructor" in html and "so far" not in html
    assert "see &lt;chapter&gt; 3" in html


def test_nothing_of_a_submission_runs(chromium, tmp_path):
    hostile = record([Part(PAYLOADS, False, PAYLOADS)], text=PAYLOADS, answer=PAYLOADS, name=PAYLOADS, reason=PAYLOADS,
                     student=PAYLOADS, notes=[PAYLOADS], doubts=[PAYLOADS])  # fmt: skip
    html = page(hostile, LAB)
    assert "1337" not in html
    open_to_all = re.sub(r"<meta http-equiv=\"Content-Security-Policy\"[^>]*>", "", html, count=1)
    assert open_to_all != html
    for text in (html, open_to_all):  # the escaping must hold without the second wall
        (tmp_path / "page.html").write_text(text, encoding="utf-8")
        tab, asked = chromium.new_page(), []
        tab.on("request", lambda request, asked=asked: asked.append(request.url))
        tab.goto((tmp_path / "page.html").as_uri())
        tab.wait_for_timeout(300)
        assert asked == [tab.url]
        assert tab.title().startswith("01-decay: ")
        assert tab.locator("script, img, iframe, svg, a, link, object, embed, [onload], [onerror]").count() == 0
        assert tab.locator("meta").count() <= 3
        assert '<iframe srcdoc="<script>' in tab.locator("pre").first.text_content()
        tab.close()
