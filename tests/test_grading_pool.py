"""Work for many, each in a process of its own: what one does to its process costs the others nothing."""

import operator
import os
import signal
import subprocess
import sys
import time
from typing import Any

import numpy as np
import psutil
import pytest

from lrcourse.course.grading import child, pool
from lrcourse.course.grading.bubblewrap import Bubblewrap
from lrcourse.course.grading.clock import Budget
from lrcourse.course.grading.limits import Limits
from lrcourse.course.grading.session import Session


class Deadly:
    def __reduce__(self):
        return os._exit, (7,)


@pytest.fixture(autouse=True)
def children():
    yield
    child.close_all()


@pytest.mark.parametrize("jobs", [1, 2])
def test_each_has_a_result_or_a_reason(jobs):
    work = {
        "right": (2, 3), "wrong": (2, "3"), "deadly": (2, Deadly()), "last": (4, 5),
    }  # fmt: skip
    results = dict(pool.results(operator.add, work.items(), 20, jobs))
    assert results.keys() == work.keys() and (results["right"], results["last"]) == (5, 9)
    assert "TypeError" in str(results["wrong"]) and str(results["deadly"]) == "its process died: exit code 7"


def test_what_hangs_dies_or_fills_the_memory_ends():
    assert child.call(operator.add, 1, 2, seconds=20) == 3
    faults: list[tuple[Any, tuple[Any, ...], str]] = [
        (time.sleep, (60,), "it came to no end within 0.5 s"), (os.abort, (), "its process died: SIGABRT"),
        (np.ones, (10**9,), "it took more than 2048 MB of memory"),
    ]  # fmt: skip
    for function, args, reason in faults:
        with pytest.raises(child.Failed, match=reason):
            child.call(function, *args, seconds=0.5 if function is time.sleep else 20)
    assert child.call(operator.add, 1, 2, seconds=20) == 3


def test_a_process_that_does_not_start_in_time_is_named_and_ended(monkeypatch):
    monkeypatch.setattr(child, "START", 0.01)
    with pytest.raises(child.NotStarted, match=r"its process did not start within 0\.01 s"):
        child.call(operator.add, 1, 2, seconds=20)
    assert not child._all


def test_who_is_idle_at_the_end_has_time_to_tidy_up(tmp_path):
    left = tmp_path / "left"
    left.touch()
    child.call(exec, f"import atexit, os; atexit.register(os.unlink, {str(left)!r})", seconds=20)
    child.close_all()
    assert not left.exists() and not child._all


def test_a_child_reads_no_grammar_of_addresses_to_start():
    assert child.call(eval, "'nbformat' in __import__('sys').modules", seconds=20)
    assert not child.call(eval, "'lark' in __import__('sys').modules", seconds=20)


def test_what_computes_on_and_on_ends_by_the_processors_time(monkeypatch):
    """Long before its time by the clock, which is generous."""
    monkeypatch.setattr(child, "PROCESSOR", 2)
    with pytest.raises(child.Failed, match="it took more than 2 s of processor time"):
        child.call(sum, range(10**13), seconds=60)


@pytest.mark.sandbox
def test_a_sandbox_has_its_own_limits():
    """Those of the child that starts it are no others'."""
    assert child.call(_limits_in_a_sandbox, seconds=60) == [4 << 30, -1, 1201]


def _limits_in_a_sandbox():
    session = Session(Bubblewrap(), "import resource", Limits(total_seconds=600), Budget(60))
    session.run("def limits():\n    return [resource.getrlimit(k)[0] for k in "
                "(resource.RLIMIT_AS, resource.RLIMIT_DATA, resource.RLIMIT_CPU)]")  # fmt: skip
    return session.call("limits", (), {})


hoard: list[bytes] = []


def _hoarding(size):
    hoard.append(b"x" * size)
    return os.getpid()


def test_a_process_that_remembers_much_is_not_used_again():
    first, second, third = (child.call(_hoarding, size, seconds=60) for size in (1, 3 << 29, 1))
    assert first == second != third


def test_work_is_taken_up_when_its_turn_comes():
    taken = []

    def work():
        for i in range(50):
            taken.append(i)
            yield str(i), (0.1,)

    results = pool.results(time.sleep, work(), 20, 2)
    next(results)
    assert len(taken) < 20
    assert len(list(results)) == 49


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_children_die_with_their_parent(how):
    program = "import time; from lrcourse.course.grading import child; child.call(time.sleep, 300, seconds=300)"
    with subprocess.Popen([sys.executable, "-c", program]) as parent:
        while not (children := psutil.Process(parent.pid).children(recursive=True)):
            time.sleep(0.05)
        time.sleep(0.5)
        parent.send_signal(how)
    _, alive = psutil.wait_procs(children, 5)
    assert not alive
