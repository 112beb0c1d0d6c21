"""The judge: points come from the instructor's own checks, and what a student reads gives no hidden test away."""

import hashlib
import json
import re
import time
from dataclasses import asdict

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from lrcourse.course.grading.bubblewrap import Bubblewrap
from lrcourse.course.grading.judge import judge, judged, shown
from lrcourse.course.grading.limits import Limits
from lrcourse.course.grading.outcome import Shown
from lrcourse.course.grading.session import Session
from lrcourse.course.grading.texts import sanitized

pytestmark = pytest.mark.sandbox
SETUP = "import numpy as np\nfrom lrcourse.selfcheck import Task\nSCALE = 10"
CHECK = """
double = Task("Double", points=4)
double.check("small", lambda: double_it(2), 4, hint="Is it 2 x?")
double.check("array", lambda: double_it(np.array([1, 2])), [2, 4])
### BEGIN HIDDEN TESTS
double.check("small", lambda: double_it(41), 82)
### END HIDDEN TESTS
double.report()
"""
RIGHT = "def double_it(x):\n    return 2 * np.asarray(x)"


def cell(name, source, kind="code", **grading):
    defaults = {"grade": False, "solution": False, "locked": True, "schema_version": 3, "task": False}
    make = new_code_cell if kind == "code" else new_markdown_cell
    return make(source, id=name, metadata={"nbgrader": defaults | {"grade_id": name} | grading})


def answer(name, source):
    return cell(name, source, solution=True, locked=False)


def check(name, source, points=4):
    return cell(name, source, grade=True, points=points)


def notebook(*cells, setup=SETUP):
    return nbformat.from_dict(new_notebook(cells=[cell("setup", setup), *cells]))


def points_of(*cells, **options):
    return judge(notebook(*cells, **options), Bubblewrap(), Limits(cell_seconds=30, call_seconds=30))


def test_a_right_answer_earns_every_point():
    judgement = points_of(answer("double", RIGHT), check("check", CHECK))
    [task] = judgement.tasks
    assert (task.grade_id, task.name, task.points, task.max_points, task.status) == ("check", "Double", 4, 4, "judged")
    assert [(part.name, part.right, part.fault) for part in task.parts] == [("small", True, ""), ("array", True, "")]
    assert judgement.texts == {} and judgement.events == []
    assert json.loads(json.dumps(asdict(judgement)))["tasks"][0]["points"] == 4


@pytest.mark.parametrize(("source", "fault", "points"), [
    ("def double_it(x): raise NotImplementedError()", "not solved yet", 0),
    ("raise NotImplementedError()", "not solved yet", 0),
    ("pass", "there is no double_it", 0),
    ("def double_it(x:\n    return 2 * x", "there is no double_it: its cell ended with SyntaxError", 0),
    ("import nothing_there\n" + RIGHT, "there is no double_it: its cell ended with ModuleNotFoundError", 0),
    ("def double_it(x): return 3 * np.asarray(x)", "the result is 6, which is too high. Is it 2 x?", 0),
    ("def double_it(x): return", "there is no result. Does the function end with `return`?", 0),
    ("def double_it(x):\n    return [1] + x",
     "it raises TypeError: can only concatenate list (not \"int\") to list (line 2: `return [1] + x`)", 0),
    ("def double_it(x): return {1}", "the result must be numbers, in a list or an array, and is a set", 0),
    ("def double_it(x): return 4 if np.ndim(x) == 0 else 2 * x",
     "the hidden tests, which repeat this check with other inputs, find a fault. Is it 2 x?", 2),
    ("def double_it(x):\n    if np.ndim(x) or x == 2: return 2 * x\n    raise ValueError(f'got {x}')",
     "the hidden tests, which repeat this check with other inputs, find a fault. Is it 2 x?", 2),
])  # fmt: skip
def test_what_a_wrong_answer_reads(source, fault, points):
    [task] = points_of(answer("double", source), check("check", CHECK)).tasks
    assert (task.points, task.parts[0].fault) == (points, fault)
    assert "41" not in task.parts[0].fault


def test_the_instructor_reads_what_the_hidden_test_found():
    [task] = points_of(
        answer("double", "def double_it(x): return 4 if np.ndim(x) == 0 else 2 * x"), check("check", CHECK)
    ).tasks
    assert task.parts[0].detail == "the result is 4, which is too low"


def test_a_task_that_is_not_solved_says_so():
    [task] = points_of(answer("double", "raise NotImplementedError"), check("check", CHECK)).tasks
    assert task.status == "not solved"


def test_the_instructors_names_are_the_instructors():
    source = RIGHT + "\nclass Task:\n    pass\nnp = None\nSCALE = 0\ndef double_it(x): return SCALE"
    scaled = CHECK.replace('"small", lambda: double_it(2), 4', '"scale", lambda: SCALE, 10')
    [task] = points_of(answer("double", source), check("check", scaled)).tasks
    assert [part.right for part in task.parts] == [True, False, False]


def test_cells_run_in_order_so_each_check_sees_what_came_before_it():
    later = RIGHT.replace("2 *", "3 *")
    assert points_of(answer("double", RIGHT), check("check", CHECK), answer("more", later)).points == 4


def test_a_crash_costs_its_task_and_the_others_are_judged_with_everything_replayed():
    crash = "import os\ndef crash(x): os._exit(1)"
    second = CHECK.replace("double_it", "crash").replace("Double", "Crash").replace("double", "crash_task")
    third = CHECK.replace("Double", "Again")
    judgement = points_of(
        answer("a", RIGHT + "\nstate = 1"), answer("b", crash), check("second", second), check("third", third)
    )
    assert [(task.points, task.status) for task in judgement.tasks] == [(0, "crashed"), (4, "judged")]
    assert judgement.events == ["second: crashed: it exited with code 1"]
    assert judgement.tasks[0].parts == [] and judgement.tasks[0].reason


def test_a_check_that_an_answer_breaks_is_worth_nothing():
    fragile = 'task = Task("T", points=4)\nfor each in items(): task.check("x", lambda: each, 1)\ntask.report()'
    judgement = points_of(answer("a", "def items(): return 7"), check("check", fragile))
    assert (judgement.tasks[0].points, judgement.tasks[0].status) == (0, "crashed")
    assert judgement.events == ["check: the check could not go on: TypeError: 'int' object is not iterable"]


def test_written_answers_wait_for_a_person():
    written = cell("essay", "Because.", kind="markdown", grade=True, solution=True, locked=False, points=3)
    [task] = points_of(written).tasks
    assert (task.grade_id, task.points, task.max_points, task.status) == ("essay", 0, 3, "manual")


@pytest.mark.parametrize(("vectors", "points"), [(2, 4), (3, 2)])
def test_texts_come_from_a_run_that_saw_no_hidden_input(vectors, points):
    body = f"    seen.append(x)\n    return 2 * x if np.ndim(x) == 0 else {vectors} * np.asarray(x)"
    judgement = points_of(
        answer("a", "seen = []\ndef double_it(x):\n" + body), check("check", CHECK),
        answer("b", "print(len(seen), 41 in map(np.max, seen))"),
    )  # fmt: skip
    assert judgement.texts == {"b": "2 False"} and judgement.points == points


def test_a_fault_is_explained_with_what_earlier_checks_define():
    needs = CHECK.replace("Double", "Again").replace("double_it(2), 4", "twice(2), want")
    defines = CHECK.replace("double.report()", "want = 4\ndouble.report()")
    judgement = points_of(answer("a", RIGHT), check("first", defines), answer("b", "def twice(x): return x"),
                       check("second", needs))  # fmt: skip
    assert judgement.tasks[-1].parts[0].fault == "the result is 2, which is too low. Is it 2 x?"


ENDLESS = "    while True:\n        try: pass\n        except BaseException: pass"


def stopped(source, *cells, first=CHECK):
    """The judgement of answers of which one does not end, and the seconds that it took."""
    start = time.monotonic()
    sandbox, limits = Bubblewrap(), Limits(cell_seconds=4, call_seconds=4)
    judgement = judge(notebook(answer("a", source), check("check", first), *cells), sandbox, limits)
    return judgement, time.monotonic() - start


def test_an_endless_part_costs_its_part_and_is_waited_for_once():
    again = CHECK.replace("Double", "Again").replace("double_it", "again").replace('"array"', '"list"')
    source = RIGHT.replace("double_it", "again") + f"\ndef double_it(x):\n    if np.ndim(x): return 2 * x\n{ENDLESS}"
    judgement, seconds = stopped(source, check("later", again))
    task, later = judgement.tasks
    assert (task.points, task.status, later.points, later.status) == (2, "timed out", 4, "judged")
    fault = "it was stopped: no answer within 4 s of processor time. Is there a loop that does not end?"
    assert [(part.right, part.fault) for part in task.parts] == [(False, fault), (True, "")]
    assert judgement.events == ["check: small: timed out: no answer within 4 s of processor time"] and seconds < 25


def test_the_other_parts_of_a_task_then_have_less_time():
    judgement, _ = stopped(f"def double_it(x):\n{ENDLESS}")
    assert judgement.events == [
        "check: small: timed out: no answer within 4 s of processor time",
        "check: array: timed out: no answer within 0.5 s of processor time",
    ]
    assert (judgement.points, judgement.tasks[0].status) == (0, "timed out")


def test_a_part_that_is_endless_for_hidden_inputs_alone_does_not_say_more():
    judgement, _ = stopped(f"def double_it(x):\n    if np.all(x != 41): return 2 * np.asarray(x)\n{ENDLESS}")
    [small, array] = judgement.tasks[0].parts
    assert small.fault.startswith("the hidden tests") and "no answer within" in small.detail and array.right


def test_a_cell_that_does_not_end_costs_the_parts_that_need_it():
    needs = CHECK.replace("double_it(np", "other(np")
    judgement = judge(
        notebook(answer("a", "def other(x): return 2 * np.asarray(x)"), answer("b", RIGHT + "\nwhile True: pass"),
                 check("check", needs)), Bubblewrap(), Limits(cell_seconds=3),
    )  # fmt: skip
    [small, array] = judgement.tasks[0].parts
    assert (small.right, array.right, judgement.points) == (False, True, 2)


@pytest.mark.parametrize("source", [
    "from fractions import Fraction\ndef double_it(x): return (Fraction if np.ndim(x) == 0 else np.array)(2 * x)",
    "import torch\ndef double_it(x): return torch.tensor(x, dtype=torch.float, requires_grad=True) * 2",
    "import torch\ndef double_it(x):\n    w = torch.tensor(x, dtype=torch.bfloat16, requires_grad=True) * 2\n"
    "    return list(w) if np.ndim(x) else w",
])  # fmt: skip
def test_numbers_of_any_kind_are_numbers(source):
    assert points_of(answer("a", source), check("check", CHECK)).points == 4


def test_locked_cells_of_ours_are_no_answers():
    picture = cell("picture", "if double.solved:\n    print('never')")
    judgement = points_of(answer("a", RIGHT), check("check", CHECK), picture)
    assert judgement.texts == {} and judgement.events == [] and judgement.points == 4


def test_texts_are_plain():
    assert sanitized("a\x07\x1b[31mb\x1b[0m\n<object at 0x7f00aa11>\u202e", 100) == "ab\n<object at 0x…>"


DRAWN = CHECK.replace("double.check(\"small\", lambda: double_it(41), 82)", "x = double.rng(1).random()\n"
                      "double.check('small', lambda: double_it(x), 2 * x)")  # fmt: skip


def drawn(seed):
    """What the hidden test asks of a function that says what it is asked."""
    wrong = "def double_it(x):\n    if np.ndim(x) or x == 2: return 2 * np.asarray(x)\n    return 0 * x + 3 * x"
    [task] = judge(notebook(answer("a", wrong), check("check", DRAWN)), Bubblewrap(), seed=seed).tasks
    return float(task.parts[0].detail.split()[3].strip(","))


def test_many_talkative_cells_are_cut_short():
    talk = [answer(f"talk-{i}", "print('x' * 19_000)") for i in range(30)]
    texts = judge(notebook(*talk, answer("a", RIGHT), check("check", CHECK)), Bubblewrap()).texts
    assert [len(texts[f"talk-{i}"]) for i in (9, 10, 29)] == [19_000, 10_001, 1]


def test_hidden_inputs_are_drawn_from_a_secret_seed():
    """Without one they are those that a notebook draws; with the same one they are the same."""
    assert drawn("") == pytest.approx(3 * np.random.default_rng(1).random(), rel=1e-5)
    assert len({drawn(""), drawn("a secret"), drawn("another")}) == 3 and drawn("a secret") == drawn("a secret")


def test_what_is_shown_has_seen_visible_checks_alone():
    fault = "def double_it(x):\n    print('secret', x)\n    return x if np.ndim(x) else 2 * x"
    seen = shown(notebook(answer("a", fault), check("check", CHECK), answer("b", "print(1)")), Bubblewrap(), Limits())
    assert seen.faults == {"check": {"small": "", "array": "entry 0 is 1, which is too low"}}
    assert (seen.texts, seen.points, seen.stopped, seen.events) == ({"b": "1"}, {"check": 2}, [], [])
    assert Shown(**json.loads(json.dumps(asdict(seen)))) == seen and seen.seconds > 0


def test_a_moody_function_is_reported():
    """It is right when it is judged and wrong when it is shown, or the other way round."""
    book = notebook(answer("a", RIGHT), check("check", CHECK))
    for small, array in (("", "it is 1"), ("it is 1", "")):
        seen = Shown(faults={"check": {"small": small, "array": array}})
        judgement = judged(book, seen, "", Bubblewrap(), Limits())
        part = "array" if array else "small"
        assert judgement.events == [f"check: {part}: the function does not give the same answers each time"]
        assert judgement.points == 4
    wrong = notebook(answer("a", "def double_it(x): return x"), check("check", CHECK))
    seen = Shown(faults={"check": {"small": "", "array": "wrong"}})
    judgement = judged(wrong, seen, "", Bubblewrap(), Limits())
    assert [part.fault for part in judgement.tasks[0].parts] == [
        "the function does not give the same answers each time", "wrong"
    ]  # fmt: skip


def test_an_impatient_run_ends_at_the_first_stop():
    again = CHECK.replace("Double", "Again").replace("double_it", "again")
    book = notebook(answer("a", f"def double_it(x):\n{ENDLESS}\nagain = double_it"), check("check", CHECK),
                    answer("b", "print('late')"), check("later", again))  # fmt: skip
    limits = Limits(call_seconds=2).quick()
    seen = shown(book, Bubblewrap(), limits)
    assert seen.events == ["check: timed out: no answer within 2 s of processor time"] and seen.texts == {}
    assert seen.faults == {"check": {}, "later": {}}
    judgement = judged(book, seen, "", Bubblewrap(), limits)
    assert judgement.events == seen.events and [task.status for task in judgement.tasks] == ["timed out"] * 2


def test_a_part_that_was_not_shown_says_its_hint_and_nothing_of_the_judged_run():
    """It was stopped when it had little time; given more, it is wrong."""
    slow = "import time\ndef double_it(x):\n    time.sleep(1.5)\n    return x"
    book = notebook(answer("a", slow), check("check", CHECK))
    seen = shown(book, Bubblewrap(), Limits(call_seconds=1))
    assert seen.stopped == [["Double", "array"], ["Double", "small"]]
    judgement = judged(book, seen, "", Bubblewrap(), Limits(call_seconds=10))
    [small, array] = judgement.tasks[0].parts
    assert small.fault == "the check finds a fault. Is it 2 x?" and array.fault == "the check finds a fault"
    assert small.detail == "the result is 2, which is too low. Is it 2 x?"
    assert len(seen.events) == 2 and judgement.events == []  # more time has made them untrue


def test_what_took_too_long_when_it_was_shown_is_not_tried_again():
    book = notebook(answer("a", RIGHT), answer("b", "while True: pass"), check("check", CHECK))
    seen = Shown(faults={"check": {"small": "it was stopped", "array": ""}}, call_seconds=60,
                 stopped=[["Double", "small"], ["b", ""]])  # fmt: skip
    start = time.monotonic()
    judgement = judged(book, seen, "", Bubblewrap(), Limits())
    assert time.monotonic() - start < 10 and judgement.points == 2 and judgement.tasks[0].status == "timed out"
    assert judgement.tasks[0].parts[0].fault == "it was stopped"


LENDS = CHECK.replace("double.report()", "data = [1, 2]\ndouble.report()").replace(
    "double_it(41)", "double_it(41 + SECRET)"
)
READS = "def again(x):\n    return 2 * np.asarray(x) + len(data) - len(rates)"
AGAIN = CHECK.replace("Double", "Again").replace("double_it", "again")


def test_a_later_cell_reads_what_our_cells_define(monkeypatch):
    """As in the student's notebook; but what is hidden in them is never sent into a sandbox."""
    sources = []
    run = Session.run
    monkeypatch.setattr(Session, "run", lambda self, source: [sources.append(source), run(self, source)][1])
    judgement = judge(notebook(
        answer("a", RIGHT), check("check", LENDS.replace("SECRET", "0")),
        cell("picture", "if ready(double):\n    rates = data"),
        answer("b", READS), check("later", AGAIN), setup=SETUP + "\nfrom lrcourse.selfcheck import ready",
    ), Bubblewrap())  # fmt: skip
    assert judgement.points == 8 and judgement.events == [] and judgement.texts == {}
    lent = [source for source in sources if "data = [1, 2]" in source]
    assert len(lent) == 2 and not [source for source in sources if "41" in source or "HIDDEN" in source]


def test_check_cells_run_in_the_sandbox_only_where_something_reads_what_they_define(monkeypatch):
    sources = []
    run = Session.run
    monkeypatch.setattr(Session, "run", lambda self, source: [sources.append(source), run(self, source)][1])
    own = "data = [3]\n" + READS.replace("len(rates)", "1")
    assert points_of(answer("a", RIGHT), check("check", LENDS), answer("b", own)).points == 4 - 2
    assert not [source for source in sources if "double.report" in source]


def test_a_stopped_part_does_not_take_its_time_again_for_what_later_cells_read():
    lends = LENDS.replace("SECRET", "0")
    judgement, _ = stopped(f"def double_it(x):\n{ENDLESS}", answer("b", READS), check("later", AGAIN), first=lends)
    assert judgement.points == 0 and not [event for event in judgement.events if event.startswith("cell ")]


@pytest.mark.parametrize("magic", ["%matplotlib inline", "%%time"])
def test_lines_that_are_no_python_hide_no_name(magic):
    """A cell that does not end costs the parts that need what it would define, and says why."""
    source = f"{magic}\ndef double_it(x): return x\nwhile True: pass"
    judgement = judge(notebook(answer("a", source), check("check", CHECK)), Bubblewrap(), Limits(cell_seconds=1))
    assert judgement.tasks[0].status == "timed out" and len(judgement.events) == 3, judgement.events


DRAWS = """
double = Task("Double", points=4)
double.check("small", lambda: double_it(2), 4, hint="Is it 2 x?")
### BEGIN HIDDEN TESTS
rng = double.rng(1)
for n in (30, 5, 12):
    x = rng.integers(1, 1000, n).tolist()
    double.check("small", lambda: double_it(x), np.multiply(x, 2))
    double.check("one of many", lambda: double_it(x, twice=True)[0], 2 * x[0])
### END HIDDEN TESTS
double.report()
"""
PUBLIC = np.random.default_rng(
    [1, int.from_bytes(hashlib.sha256(b"an example").digest()[:16])]
)  # what the example's generator is for a check that asks for number 1


def parts_of(source, seed="a secret"):
    book = notebook(answer("a", source), check("check", DRAWS))
    return judge(book, Bubblewrap(), Limits(), seed).tasks[0].parts


def test_a_part_that_only_hidden_inputs_fail_shows_its_smallest_example_which_is_no_secret():
    source = "def double_it(x, twice=False):\n    return 4 if np.ndim(x) == 0 else [2 * each + 1 for each in x]"
    part = parts_of(source)[0]
    x = [PUBLIC.integers(1, 1000, n).tolist() for n in (30, 5)][1]  # the shortest list of the three
    assert part.fault == (
        "the hidden tests, which repeat this check with other inputs, find a fault. For example, with inputs that you"
        f" may know, double_it({x}): entry 0 is {2 * x[0] + 1}, which is too high, and should be {2 * x[0]}. Is it 2 x?"
    )
    assert parts_of(source, "another secret")[0].fault == part.fault  # and nothing of either secret is in it


@pytest.mark.parametrize(("source", "said"), [
    ("def double_it(x, twice=False):\n    return 4 if np.ndim(x) == 0 else 1 / 0",
     "it raises ZeroDivisionError: division by zero (line 2: `return 4 if np.ndim(x) == 0 else 1 / 0`)"),
    ("def double_it(x, twice=False):\n    return 4 if np.ndim(x) == 0 else 7",
     "the result has the shape (), it must be (5,)"),
])  # fmt: skip
def test_an_example_says_what_goes_wrong(source, said):
    assert said in parts_of(source)[0].fault and "should be" not in parts_of(source)[0].fault


@pytest.mark.parametrize("otherwise", ["while True: pass", "import os; os._exit(1)", "raise NotImplementedError"])
def test_what_goes_wrong_with_an_example_costs_nothing_of_what_is_shown(otherwise):
    source = f"def double_it(x, twice=False):\n    if np.ndim(x) == 0: return 4\n    {otherwise}"
    book = notebook(answer("a", source), check("check", DRAWS), answer("b", "print(double_it(2))"))
    seen = shown(book, Bubblewrap(), Limits(call_seconds=2).quick())
    assert seen.faults == {"check": {"small": ""}} and seen.texts == {"b": "4"}
    assert (seen.examples, seen.stopped, seen.events, seen.broken) == ({}, [], [], [])


def test_a_right_answer_and_one_that_visible_checks_find_wrong_have_no_example():
    for body in ("return 2 * np.asarray(x)", "return 5"):
        book = notebook(answer("a", f"def double_it(x, twice=False): {body}"), check("check", DRAWS))
        assert "small" not in shown(book, Bubblewrap(), Limits()).examples.get("check", {})


def test_of_a_list_of_calls_the_example_is_the_one_whose_entry_is_wrong():
    several = DRAWS.replace("double_it(x), np.multiply(x, 2)", "[double_it(each) for each in x], np.multiply(x, 2)")
    source = "def double_it(x, twice=False):\n    return 2 * x if np.ndim(x) or x < 500 else 0"
    seen = shown(notebook(answer("a", source), check("check", several)), Bubblewrap(), Limits())
    said = re.search(r"^double_it\((\d+)\): entry \d+ is 0, which is too low, and should be (\d+)$",
                     seen.examples["check"]["small"])  # fmt: skip
    assert said and int(said[2]) == 2 * int(said[1]) >= 1000
