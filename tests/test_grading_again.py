"""One folder, graded into again and again: late hand-ins, other hand-ins, other graders and another secret."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from tests.small_lab import DOUBLE, filled, grade, hand_in, hashes, stored, table

pytestmark = pytest.mark.sandbox


def record(output, student):
    return json.loads((output / "01-small" / "records" / f"{student}.json").read_text())


def page(output, student):
    return (output / "feedback" / student / "01-small" / "01-small.html").read_text()


def test_late_hand_ins_join_the_others(course, tmp_path):
    hand_in(tmp_path / "in", ada=filled(course, DOUBLE + "  # same"), bob=filled(course))
    roster = tmp_path / "roster.csv"
    roster.write_text("student\nada\nbob\neva\nkim\n")
    grade(course, tmp_path / "in", tmp_path / "out", roster=roster)
    hand_in(tmp_path / "late", eva=filled(course, DOUBLE + "  # same"))
    grade(course, tmp_path / "late", tmp_path / "out", roster=roster)
    rows = table(tmp_path / "out")
    assert {name: (row["status"], row["score"]) for name, row in rows.items()} == {
        "ada": ("needs review", "6"), "bob": ("graded", "6"), "eva": ("needs review", "6"), "kim": ("missing", ""),
    }  # fmt: skip
    assert rows["ada"]["flags"] == "the same answers as eva"


def test_what_replaces_a_hand_in_counts_everywhere(course, tmp_path):
    hand_in(tmp_path / "in", ada=filled(course), bob=filled(course, DOUBLE + "  # own"))
    grade(course, tmp_path / "in", tmp_path / "out")
    (tmp_path / "in" / "ada.ipynb").write_bytes(b"")
    grade(course, tmp_path / "in", tmp_path / "out")
    row = table(tmp_path / "out")["ada"]
    assert (row["status"], row["score"], row["waiting_for_a_person"]) == ("unreadable", "", "")
    assert {score for (student, _), (score, *_) in stored(tmp_path / "out").items() if student == "ada"} == {None}
    assert "points" not in re.sub("<style>.*</style>", "", page(tmp_path / "out", "ada"), flags=re.DOTALL)
    assert table(tmp_path / "out")["bob"]["score"] == "6"


def test_a_name_that_is_spelled_otherwise_is_the_same_students(course, tmp_path):
    hand_in(tmp_path / "in", **{"José Bob": filled(course)})
    grade(course, tmp_path / "in", tmp_path / "out")
    hand_in(tmp_path / "late", **{"JOSE\u0301 bob": filled(course, DOUBLE + "  # later")})
    grade(course, tmp_path / "late", tmp_path / "out")
    assert [*table(tmp_path / "out")] == ["José Bob"]
    assert "# later" in record(tmp_path / "out", "José Bob")["answers"]["double"]


def test_extra_credit_counts_everywhere(course, tmp_path):
    from nbgrader.api import Gradebook

    hand_in(tmp_path / "in", ada=filled(course))
    grade(course, tmp_path / "in", tmp_path / "out")
    with Gradebook(f"sqlite:///{tmp_path / 'out' / 'gradebook.db'}", "lrcourse") as book:
        book.find_grade("check-twice", "01-small", "01-small", "ada").extra_credit = 1
        book.db.commit()
    grade(course, tmp_path / "in", tmp_path / "out")
    assert table(tmp_path / "out")["ada"]["score"] == "7"
    assert "ada: graded, 7 of 9 points" in page(tmp_path / "out", "ada")
    assert "3 of 2 points, given by your instructor" in page(tmp_path / "out", "ada")


def test_each_grading_has_a_secret_of_its_own_and_an_appeal_uses_it_again(course, tmp_path):
    hand_in(tmp_path / "in", ada=filled(course))
    grade(course, tmp_path / "in", tmp_path / "out", seed=None)
    first = record(tmp_path / "out", "ada")["seed"]
    hand_in(tmp_path / "late", bob=filled(course, DOUBLE + "  # own"))
    grade(course, tmp_path / "late", tmp_path / "out", seed=None)
    assert record(tmp_path / "out", "ada")["seed"] == first != record(tmp_path / "out", "bob")["seed"]
    grade(course, tmp_path / "in", tmp_path / "again", seed=first)
    assert record(tmp_path / "again", "ada") == record(tmp_path / "out", "ada")
    assert not (tmp_path / "out" / "01-small" / "at-work").exists()
    for path in (tmp_path / "out").rglob("*.html"):
        assert first not in path.read_text()
    for path in (tmp_path / "out" / "autograded").rglob("*.ipynb"):
        assert first not in path.read_text()


def test_a_secret_that_was_used_is_used_for_nobody_who_has_yet_to_be_shown(course, tmp_path):
    """Killed among the judged runs, it goes on with its secret, and who came meanwhile gets another one."""
    out = tmp_path / "out"
    hand_in(tmp_path / "in", ada=filled(course), hangs=filled(course, "def double(x):\n    while True: pass"))
    program = "import sys; from tests.small_lab import grade; from pathlib import Path as P\n" \
              f"grade(P({str(course)!r}), P({str(tmp_path / 'in')!r}), P({str(out)!r}), seed=None)"  # fmt: skip
    with subprocess.Popen([sys.executable, "-c", program], cwd=Path(__file__).parents[1]) as first:
        while not (out / "01-small" / "records" / "ada.json").exists():
            assert first.poll() is None
            time.sleep(0.02)
        first.kill()
    hand_in(tmp_path / "in", late=filled(course, DOUBLE + "  # late"))
    grade(course, tmp_path / "in", out, seed=None)
    seeds = {student: record(out, student)["seed"] for student in ("ada", "hangs", "late")}
    assert seeds["ada"] == seeds["hangs"] != seeds["late"]
    assert {row["score"] for row in table(out).values()} == {"6", "4"}


def test_one_grader_at_a_time(course, tmp_path):
    hand_in(tmp_path / "in", ada=filled(course))
    (tmp_path / "out").mkdir()
    program = (
        "import fcntl, sys, time; file = open(sys.argv[1], 'w'); fcntl.flock(file, fcntl.LOCK_EX);"
        "file.write('process 17 on elsewhere'); file.flush(); print(flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "out" / ".grader")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
        assert other.stdout
        other.stdout.readline()
        with pytest.raises(ValueError, match="no other grader is at work.*process 17 on elsewhere"):
            grade(course, tmp_path / "in", tmp_path / "out")
        other.kill()
    grade(course, tmp_path / "in", tmp_path / "out")


def test_a_record_that_cannot_be_read_is_named(course, tmp_path):
    hand_in(tmp_path / "in", ada=filled(course), bob=filled(course, DOUBLE + "  # own"))
    grade(course, tmp_path / "in", tmp_path / "out")
    (tmp_path / "out" / "01-small" / "records" / "bob.json").write_text("{}")
    os.remove(tmp_path / "in" / "bob.ipynb")
    grade(course, tmp_path / "in", tmp_path / "out")
    row = table(tmp_path / "out")["bob"]
    assert row["status"] == "needs review" and "written by another version" in row["flags"]


def test_a_gradebook_that_does_not_answer_stops_it_at_once(course, tmp_path):
    hand_in(tmp_path / "in", ada=filled(course))
    with pytest.raises(Exception, match="refused|connect"):
        grade(course, tmp_path / "in", tmp_path / "out", database="postgresql+psycopg://nobody@127.0.0.1:1/none")
    assert not (tmp_path / "out" / "01-small").exists()


def test_nothing_but_secrets_differs_between_two_gradings(course, tmp_path):
    hand_in(tmp_path / "in", ada=filled(course), bob=filled(course, "def double(x):\n    return x"))
    for name in ("one", "two"):
        grade(course, tmp_path / "in", tmp_path / name, seed=None)
    one, two = (hashes(tmp_path / name) for name in ("one", "two"))
    assert {name for name in one if one[name] != two[name]} == {
        "01-small/records/ada.json", "01-small/records/bob.json", "01-small/preflight.json"
    }  # fmt: skip


def test_no_name_of_a_student_is_that_of_a_file_of_ours(course, tmp_path):
    names = ["seed", "grades", "preflight", "stored", "at-work", "records", "originals", "students", "gradebook.db"]
    hand_in(tmp_path / "in", **{name: filled(course, f"{DOUBLE}  # {name}") for name in names})
    grade(course, tmp_path / "in", tmp_path / "out", jobs=2)
    assert {row["score"] for row in table(tmp_path / "out").values()} == {"6"} and len(table(tmp_path / "out")) == 9


def test_a_cell_that_ends_with_an_error_is_for_a_person(course, tmp_path):
    missing = filled(course, f"factor = int(open('factor.txt').read())\n{DOUBLE}".replace("2 *", "factor *"))
    scratch = filled(course)
    scratch.cells.append(nbformat.v4.new_code_cell("1 / 0"))
    hand_in(tmp_path / "in", ada=missing, bob=filled(course, "def double(x) return"), eva=scratch)
    grade(course, tmp_path / "in", tmp_path / "out")
    rows = table(tmp_path / "out")
    assert rows["ada"]["status"] == "needs review" and "ended with FileNotFoundError" in rows["ada"]["flags"]
    assert rows["bob"]["status"] == rows["eva"]["status"] == "graded"


def test_what_a_student_wrote_cannot_write_on_the_terminal_or_flood_the_table(course, tmp_path):
    odd = filled(course)
    odd.cells[2].metadata.nbgrader.points = "\x1b[2J\nbob: graded; 20"
    source = "%%\x1b]52;c;cm0gLXJm\x07" + 3 * "\U000e0001" + "\ndef total(xs): pass"
    odd.cells += [nbformat.v4.new_code_cell(source) for _ in range(300)]
    hand_in(tmp_path / "in", ada=odd)
    (each,) = grade(course, tmp_path / "in", tmp_path / "out").values()
    assert all(remark.isprintable() and len(remark) <= 401 for remark in [*each.notes, *each.doubts])
    assert len(each.notes) <= 21 and len(table(tmp_path / "out")["ada"]["flags"]) < 10_000
