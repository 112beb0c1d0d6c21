"""The labs' self-checks: what they say of an answer, what they count, and what they stop."""

import linecache
import signal
import textwrap
import threading
import time
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
import torch
from IPython.core.formatters import DisplayFormatter
from nbformat.v4 import new_code_cell, new_output
from nbgrader.utils import determine_grade

from lrcourse.selfcheck import UNSOLVED, Points, Task, numbers, ready


class AlwaysEqual:
    def __eq__(self, other: object) -> bool:
        return True


def student(source: str):
    """The function f of a student's cell."""
    linecache.cache["student.py"] = len(source), None, source.splitlines(True), "student.py"
    names: dict = {}
    exec(compile(source, "student.py", "exec"), names)
    return names["f"]


def fault(got, want=(1.0, 2.0), **options) -> str:
    task = Task("a task", points=3)
    task.check("a part", got, want, hint="A hint.", **options)
    assert task.report() == (0 if task.faults["a part"] else 3)
    return task.faults["a part"]


# ---- what is said ----


@pytest.mark.parametrize(
    ("got", "message"),
    [
        (lambda: None, "Does the function end with `return`?"),
        (lambda: ..., "Does the function end with `return`?"),
        (lambda: "a rate", "must be numbers, in a list or an array, and is a str"),
        (lambda: AlwaysEqual(), "must be numbers, in a list or an array, and is a AlwaysEqual"),
        (lambda: [AlwaysEqual(), AlwaysEqual()], "must be numbers, and entry 0 is a AlwaysEqual"),
        (lambda: [1, None], "must be numbers, and entry 1 is None"),
        (lambda: [[1, 2], [3, "4"]], "must be numbers, and entry (1, 1) is a str"),
        (lambda: [1j, 2], "must be real numbers, and entry 0 is complex"),
        (lambda: map(float, [1, 2]), "must be numbers, in a list or an array, and is a map"),
        (lambda: [1, [2, 3]], "in rows of one length: entry 0 is one number, entry 1 has 2"),
        (lambda: [[1, 2], [3]], "in rows of one length: entry 0 has 2, entry 1 has 1"),
        (lambda: [[[1], [2]], [[1], [2, 3]]], "in rows of one length: entry (1, 0) has 1, entry (1, 1) has 2"),
        (lambda: [1, 2, 3], "has the shape (3,), it must be (2,)"),
        (lambda: [1, 3], "entry 1 is 3, which is too high. A hint."),
        (lambda: [1, 1.99], "entry 1 is 1.99, which is too low. A hint."),
        (lambda: [1, 2.00003], "entry 1 is 2.00003, which is too high. A hint."),
        (lambda: [float("nan"), 2], "entry 0 is nan, which is not a number. A hint."),
        (lambda: not_there(1), "there is no not_there: its cell was not run, or it ended with an error"),  # type: ignore[name-defined]  # noqa: F821
        (lambda: [1, 2][2], "the check ends with IndexError: list index out of range. Does the function"),
    ],
)
def test_a_fault_is_named_without_the_answer(got, message):
    assert message in fault(got)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("rates = {}\nreturn rates['lr']", "raises KeyError: 'lr' (line 3 of student.py: `return rates['lr']`)"),
        ("def g():\n    return 1 / 0\nreturn g()", "ZeroDivisionError: division by zero (line 3 of student.py"),
        ("import numpy as np\nreturn np.stack([[1], [1, 2]])", "(line 3 of student.py: `return np.stack("),
        ("return x", "it raises NameError: name 'x' is not defined (line 2 of student.py: `return x`)"),
        ("compile('f(', 'other.py', 'exec')", "it raises SyntaxError: '(' was never closed (line 1 of other.py"),
        ("raise ValueError(1000 * 'long ')", "it raises ValueError: long long"),
        ("class E(Exception):\n    def __str__(self): return 1 / 0\nraise E", "it raises E: (line 4 of student.py"),
        ("raise NotImplementedError", UNSOLVED),
    ],
)
def test_an_exception_is_named_with_its_line(source, message):
    f = student("def f():\n" + textwrap.indent(source, "    "))
    said = fault(lambda: f())
    assert message in said and len(said) < 500


def test_too_few_digits_are_named_as_such():
    third = np.array([1 / 3, 2 / 3])
    assert "right to about seven digits, and 10 are asked for" in fault(lambda: np.float32(third), third, rtol=1e-10)
    assert "A hint." in fault(lambda: third + [0, 1e-4], third, rtol=1e-10)


@pytest.mark.filterwarnings("ignore:slow")  # the student's
def test_what_is_printed_is_shown_in_a_few_lines(capsys):
    f = student(
        "import sys, warnings\ndef f(x):\n    print('x is', x)\n    warnings.warn('slow')\n"
        "    print('error', file=sys.stderr)\n    for i in range(10**5): print(i * 'long')\n    return x"
    )
    task = Task("a task", points=2)
    task.check("a part", lambda: f(1), 1)
    task.check("another", lambda: f(2), 1)
    task.report()
    said, errors = capsys.readouterr()
    assert "  right  a part\n         it printed: x is 1\n" in said and "it printed: x is 2" in said
    assert said.count("it printed: … and more") == 2 and max(map(len, said.splitlines())) < 130 > len(said.splitlines())
    assert "slow" not in said and "error" not in said + errors


def test_predictions_need_not_all_be_right(capsys):
    task = Task("a task", points=2)
    task.check("enough", lambda: [0, 1, 1, 1], [1, 1, 1, 1], share=0.75)
    task.check("too few", lambda: [0, 0, 1, 1], [1, 1, 1, 1], share=0.75, hint="Train longer.")
    assert task.report() == 1
    assert "too few: 50% are right, at least 75% must be. Train longer." in capsys.readouterr().out


def test_agreement_can_be_asked_for_to_more_than_five_digits():
    task = Task("a task", points=4)
    for part, given in {"as float32": 3.0000001, "as float64": 3.00000000001}.items():
        task.check(part, partial(float, given), 3.0)
        task.check(f"{part}, strict", partial(float, given), 3.0, rtol=1e-10)
    task.check("near zero", lambda: [5e-10, 3.0], [0.0, 3.0])
    task.check("near zero, strict", lambda: [5e-10, 3.0], [0.0, 3.0], rtol=1e-10)
    task.check(
        "near zero, a difference",
        lambda: np.float32(0.7) - np.array([0.6, 0.69999], np.float32),
        [0.1, 1e-5],
        atol=1e-6,
    )
    assert [part for part, fault in task.faults.items() if fault] == ["as float32, strict", "near zero, strict"]


@pytest.mark.parametrize("value", [
    (1, 2.0), np.array([1, 2], np.float32), [np.float64(1), np.int8(2)], [Fraction(1), Fraction(2)], range(1, 3),
    torch.tensor([1, 2], dtype=torch.bfloat16), torch.tensor([1.0, 2.0], requires_grad=True), memoryview(b"\1\2"),
    [torch.tensor(1.0, requires_grad=True), torch.tensor(2.0)], [True, 2], np.array([1, 2], dtype=object),
], ids=lambda value: type(value).__name__)  # fmt: skip
def test_numbers_of_any_kind_are_numbers(value):
    assert numbers(value).tolist() == [1, 2] and not fault(lambda: value)


# ---- what is counted ----


def test_a_part_counts_only_if_all_of_its_checks_pass():
    task = Task("a task", points=2)
    for value in (1, 2, 1):
        task.check("a part", partial(int, value), 1)
    task.check("another", lambda: 1, 1)
    assert task.report() == 1


def test_a_task_without_checks_earns_nothing():
    task = Task("a task", points=2)
    assert task.report() == 0 and not task.solved


def test_points_must_be_positive():
    with pytest.raises(ValueError, match="points must be positive, got 0"):
        Task("a task", points=0)


@pytest.mark.parametrize(("earned", "text"), [(0, "0"), (1.0, "1"), (4 / 3, "1.3333333333333333")])
def test_points_are_a_number_to_nbgrader_and_a_sentence_to_a_person(earned, text):
    data, _ = DisplayFormatter().format(Points(earned, of=2))
    assert data == {"text/plain": text, "text/html": f"{earned:g} of 2 points"}
    marks = {"grade": True, "solution": False, "points": 2, "grade_id": "a", "locked": True, "schema_version": 3}
    result = new_output("execute_result", data)
    assert determine_grade(new_code_cell(metadata={"nbgrader": marks}, outputs=[result])) == (earned, 2)


def test_a_picture_says_what_it_waits_for(capsys):
    solved, open_, other = (Task(f"{i}. A task", points=1) for i in (1, 2, 3))
    solved.check("a part", lambda: 1, 1)
    assert ready(solved, experiment=[1])
    assert not ready(solved, open_) and not ready(other, solved, open_) and not ready(solved, experiment={})
    assert capsys.readouterr().out == (
        "No picture yet: solve task 2 first.\nNo picture yet: solve tasks 3 and 2 first.\n"
        "No picture yet: run the cell of the experiment first.\n"
    )


# ---- what is stopped ----

ENDLESS = {
    "a loop": "def f():\n    while True: pass",
    "one that catches exceptions": "def f():\n    while True:\n        try: 1 / 0\n        except Exception: pass",
    "one that prints": "def f():\n    while True: print('still here')",
    "a wait": "import time\ndef f(): time.sleep(3)",
}


@pytest.mark.parametrize("name", ENDLESS)
@pytest.mark.parametrize("timer", ["by signal", "by thread"])
def test_an_endless_part_costs_its_part(name, timer, monkeypatch):
    if timer == "by thread":
        monkeypatch.delattr(signal, "SIGALRM")  # as on Windows
    monkeypatch.setattr(Task, "seconds", 0.2)
    f, task, start = student(ENDLESS[name]), Task("a task", points=2), time.monotonic()
    task.check("a part", lambda: f(), 1)
    task.check("another", lambda: 1, 1)
    assert task.report() == 1 and time.monotonic() - start < 10
    assert task.faults["a part"] == "it was stopped after 0.2 seconds. Is there a loop that does not end?"


def test_a_check_leaves_no_timer_behind(monkeypatch):
    monkeypatch.setattr(Task, "seconds", 0.1)
    before = signal.getsignal(signal.SIGALRM)
    Task("a task", points=2).check("a part", lambda: 1, 1)
    assert signal.getsignal(signal.SIGALRM) is before and signal.getitimer(signal.ITIMER_REAL)[0] == 0
    time.sleep(0.2)


def test_whoever_stops_a_cell_stops_the_check_too():
    with pytest.raises(KeyboardInterrupt):
        Task("a task", points=2).check("a part", lambda: signal.raise_signal(signal.SIGINT), 1)


def test_a_check_in_another_thread_has_no_limit():
    task = Task("a task", points=2)
    thread = threading.Thread(target=task.check, args=("a part", lambda: 1, 1))
    thread.start()
    thread.join()
    assert task.report() == 2
