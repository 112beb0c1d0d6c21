"""One student of twelve makes a step of the grader raise, hang, die or fill the memory; eleven are graded as if alone.

The fault is planted in the processes that work for a student, by a module that Python loads when it starts.
"""

import os
import shutil

import pytest

from lrcourse.course.grading import run
from tests.small_lab import DOUBLE, filled, grade, hand_in, hashes, table

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]
VICTIM = "student07"
PLANTED = """
import os, signal, time
from lrcourse.course.grading import feedback, gradebook, intake, judge, steps

def planted(function):
    def faulty(*given, **named):
        if VICTIM in repr((given, named)):
            if KIND == "raises":
                raise RuntimeError("planted")
            if KIND == "hangs":
                while True:
                    pass
            if KIND == "dies":
                os.kill(os.getpid(), signal.SIGKILL)
            if KIND == "allocates":
                hoard = bytearray(16 << 30)
        return function(*given, **named)
    return faulty

place, name = {
    "intake": (intake, "read"), "rebuild": (steps, "rebuild"), "shown": (judge, "shown"), "judged": (judge, "judged"),
    "gradebook": (gradebook.Book, "save"), "feedback": (feedback, "page"),
}[STEP]
setattr(place, name, planted(getattr(place, name)))
"""
REASONS = {
    "raises": "RuntimeError: planted", "hangs": "it came to no end within 12 s", "dies": "its process died: SIGKILL",
    "allocates": "it took more than 2048 MB of memory",
}  # fmt: skip
STEPS = {
    "intake": "it could not be taken in", "rebuild": "it could not be taken in", "judged": "it could not be judged",
    "gradebook": "its points are not in the gradebook", "feedback": "its page could not be made",
}  # fmt: skip


@pytest.fixture(scope="module")
def handed_in(course, tmp_path_factory):
    folder = tmp_path_factory.mktemp("twelve")
    answers = [DOUBLE, "def double(x):\n    return x", "def double(x):\n    import os; os._exit(1)"]
    hand_in(folder, **{f"student{i:02}": filled(course, f"{answers[i % 3]}\n# student{i:02}") for i in range(12)})
    return folder


@pytest.fixture(scope="module")
def whole(course, handed_in, tmp_path_factory):
    """What a grading without any fault leaves."""
    output = tmp_path_factory.mktemp("whole")
    grade(course, handed_in, output, jobs=2)
    return output


@pytest.fixture
def graded(course, handed_in, whole, tmp_path, monkeypatch):
    """Grades the class, with a fault planted in a step; returns what that leaves.

    All are taken in, stored and shown; only some are judged again, to save time.
    """

    def graded(step, kind, output=tmp_path / "out"):
        shutil.copytree(whole, output)
        for student in (VICTIM, "student00", "student05"):
            (output / "01-small" / "records" / f"{student}.json").unlink()
        (tmp_path / "planted").mkdir()
        constants = f"STEP, KIND, VICTIM = {step!r}, {kind!r}, {VICTIM!r}\n"
        (tmp_path / "planted" / "sitecustomize.py").write_text(constants + PLANTED)
        with monkeypatch.context() as patch:
            patch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "planted"), os.environ.get("PYTHONPATH", "")]))
            if kind == "hangs":
                patch.setattr(run, "SECONDS", 12.0)
                patch.setattr(run, "PATIENCE", 0)
            grade(course, handed_in, output, jobs=2)
        return output

    return graded


def without_victim(output):
    """The bytes of every file that belongs to one of the others, and their rows of the table."""
    common = ("grades.csv", "stored.json")
    files = {name: digest for name, digest in hashes(output).items()
             if VICTIM not in name and "originals" not in name and not name.endswith(common)}  # fmt: skip
    return files, {student: row for student, row in table(output).items() if student != VICTIM}


@pytest.mark.parametrize("kind", REASONS)
@pytest.mark.parametrize("step", STEPS)
def test_a_fault_of_one_costs_the_others_nothing(graded, whole, step, kind):
    output = graded(step, kind)
    assert without_victim(output) == without_victim(whole)
    row = table(output)[VICTIM]
    assert row["status"] == "needs review"
    assert STEPS[step] in row["flags"] and REASONS[kind] in row["flags"]
    assert (row["score"] == "") == (step != "feedback")


def test_without_the_fault_the_next_grading_makes_it_good(course, handed_in, graded, whole):
    output = graded("judged", "dies")
    grade(course, handed_in, output)
    assert hashes(output) == hashes(whole)


def test_what_could_not_be_shown_is_judged_all_the_same(graded, whole):
    row, right = (table(output)[VICTIM] for output in (graded("shown", "dies"), whole))
    assert row["score"] == right["score"]
