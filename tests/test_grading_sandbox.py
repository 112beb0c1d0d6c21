"""The sandbox and the wire: it fails closed, and nothing that comes back can do more than be wrong."""

import contextlib
import itertools
import json
import math
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from lrcourse.course.grading import bubblewrap
from lrcourse.course.grading.bubblewrap import Bubblewrap, Unsafe
from lrcourse.course.grading.clock import Budget, Clock, Usage
from lrcourse.course.grading.codec import HEADER, NotPlain, Opaque, decode, encode, pack, unpack
from lrcourse.course.grading.container import Container
from lrcourse.course.grading.limits import Limits
from lrcourse.course.grading.machine import find_sandbox
from lrcourse.course.grading.sandbox import NoSandbox
from lrcourse.course.grading.session import Lost, Session

pytestmark = pytest.mark.sandbox
LIMITS = Limits(items=1000, depth=8, answer=10_000, text=100)
SETUP = "import numpy as np"


def through(value):
    """A value after a trip over the wire."""
    message = pack({"value": encode(value, LIMITS)})
    return decode(unpack(message[HEADER.size :], LIMITS)["value"])


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        3,
        -(2**80),
        0.1,
        math.inf,
        "text",
        [],
        [1, [2.5, "x"]],
        (1, (2,)),
        {"a": [1], "b": {3: None}},
        range(3),
    ],
)
def test_plain_data_arrives_as_it_was(value):
    assert through(value) == (list(value) if isinstance(value, range) else value)
    assert type(through(value)) in (type(value), list)


@pytest.mark.parametrize("dtype", ["?", "i1", "<i8", ">f4", "f2", "u2"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3)])
def test_arrays_arrive_as_they_were(dtype, shape):
    array = np.arange(math.prod(shape)).reshape(shape).astype(dtype)
    arrived = through(array)
    np.testing.assert_array_equal(arrived, array)
    assert arrived.dtype.newbyteorder("=") == array.dtype.newbyteorder("=") and (not shape or arrived.flags.writeable)


def test_arrays_of_objects_and_strings_arrive_as_lists():
    assert through(np.array([1, None, "a"], dtype=object)) == [1, None, "a"]
    assert through(np.array(["a", "bc"])) == ["a", "bc"]


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", lambda: 0, type, iter([])])
def test_other_things_arrive_as_the_name_of_their_type(value):
    arrived = through(value)
    assert isinstance(arrived, Opaque) and type(arrived).__name__ in (type(value).__name__, "object")
    with pytest.raises(TypeError):
        np.array(arrived, dtype=float)
    with pytest.raises(NotPlain, match="not plain data"):
        encode(value, LIMITS, opaque=False)


@pytest.mark.parametrize("value", [[0] * 2000, itertools.count(), np.zeros(2000), 10**400, {math.nan: 1}, {(): 1}])
def test_too_much_is_refused_where_it_starts(value):
    with pytest.raises(NotPlain):
        encode(value, LIMITS)
    nested = []
    for _ in range(20):
        nested = [nested]
    with pytest.raises(NotPlain, match="deep"):
        encode(nested, LIMITS)


@pytest.mark.parametrize("data", [
    {}, {"a": 1}, {"array": 1, "tuple": 2}, {"tuple": 3}, {"dict": 3}, {"dict": [[math.nan, 1]]}, {"dict": [[[], 1]]},
    {"dict": [["a", 1], ["a", 2]]}, {"dict": [1]}, {"array": 3}, {"array": []}, {"array": ["|O", [1], "AAAAAAAAAAA="]},
    {"array": ["<f8", [2], "AAAAAAAAAAA="]}, {"array": ["<f8", [-1], ""]}, {"array": ["<f8", [10**30, 10**30], ""]},
    {"array": ["f8,O", [0], ""]}, {"array": ["<M8[s]", [0], ""]}, {"array": ["<f8", [0] * 40, ""]},
    {"array": ["<f8", [1.0], ""]},
    {"array": ["<f8", [0], "not base64!"]}, {"array": [["<f8"], [0], ""]}, {"eval": "1"}, 10**400, [{"tuple": None}],
])  # fmt: skip
def test_malformed_data_is_refused(data):
    with pytest.raises(NotPlain):
        decode(data)


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[1]", b"3", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 900, b"9" * 5000, b"[" + b"[]," * 5000]
)
def test_malformed_frames_are_refused(text):
    with pytest.raises(NotPlain):
        unpack(text, LIMITS)


def test_the_name_of_a_type_cannot_smuggle_text():
    assert type(decode({"opaque": "<script>"})).__name__ == "object"
    assert type(decode({"opaque": ["x"]})).__name__ == "object"


def test_a_session_runs_and_calls():
    session = Session(Bubblewrap(), SETUP, LIMITS, Budget(60))
    assert session.run("def double(x, plus=0): return 2 * x + plus\nprint('made')\n3").text == "made\n3\n"
    np.testing.assert_array_equal(session.call("double", (np.arange(3),), {"plus": 1}), [1, 3, 5])
    with pytest.raises(NameError):
        session.call("triple", (1,), {})
    with pytest.raises(NotPlain):
        session.call("double", (print,), {})
    assert session.run("1 / 0").error == "ZeroDivisionError: division by zero (line 1: `1 / 0`)"
    session.close()


def test_two_sessions_share_nothing():
    first, second = (Session(Bubblewrap(), SETUP, LIMITS, Budget(60)) for _ in range(2))
    assert not first.run("open('/tmp/note', 'w').write('x')\nopen('/dev/shm/note', 'w').write('x')\nnp.pi = 3").error
    left = "import os; print([os.path.exists(f'{each}/note') for each in ('/tmp', '/dev/shm')], np.pi > 3)"
    assert second.run(left).text == "[False, False] True\n"
    first.close()
    second.close()


def test_what_is_not_seeded_is_the_same_in_every_sandbox():
    drawn = []
    for _ in range(2):
        bubblewrap.warm_process.cache_clear()  # another process to fork from
        session = Session(Bubblewrap(), SETUP + "\nimport torch", LIMITS, Budget(60))
        drawn.append(session.run("import random; print(random.random(), np.random.rand(), torch.rand(1))").text)
        session.close()
    assert drawn[0] == drawn[1] != ""


def test_an_environment_below_tmp_is_seen_and_tmp_is_the_sandboxs_own(monkeypatch):
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        os.chmod(place, 0o755)
        Path(place, "module.py").write_text("x = 1")
        shown = [*bubblewrap.python_paths(), Path(place)]
        monkeypatch.setattr(bubblewrap, "python_paths", lambda: shown)
        bubblewrap.warm_process.cache_clear()
        session = Session(Bubblewrap(), SETUP, LIMITS, Budget(60))
        code = f"open('/tmp/note', 'w').write('y')\nprint(open('{place}/module.py').read())\nopen('{place}/z', 'w')"
        ran = session.run(code)
        session.close()
        bubblewrap.warm_process.cache_clear()
    assert ran.text == "x = 1\n" and "Read-only" in ran.error


def test_the_process_has_no_privileges_and_sees_little():
    session = Session(Bubblewrap(), SETUP, Limits(), Budget(60))
    text = session.run("print(open('/proc/self/status').read())\nimport os; print(os.environ)").text
    for line in ("CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"):
        assert line in text
    assert "Uid:\t0" not in text
    for name in set(os.environ) - {"HOME", "PATH", "LANG", "USER", "TMPDIR", "PWD"}:
        if not name.startswith(("OMP_", "MKL_", "ATEN_", "TF_", "NPY_", "OPENBLAS_", "CUBLAS_", "PYTHON", "MPL")):
            assert f"'{name}'" not in text
    session.close()


def test_root_grades_as_nobody_and_others_as_themselves():
    user = os.getuid() or bubblewrap.NOBODY
    session = Session(Bubblewrap(), SETUP, LIMITS, Budget(60))
    owners = set()
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # another process may end meanwhile
            if b"lrcourse.course.grading.warm" in command.read_bytes():
                owners.add(command.stat().st_uid)
    assert owners - {0} == {user}
    assert session.run("open('/proc/self/uid_map').read().split()[1]").text.strip() == f"'{user}'"
    session.close()


def test_the_watch_ends_what_holds_too_much_memory_together():
    session = Session(Bubblewrap(), SETUP, Limits(memory=600 << 20), Budget(60))
    holder = "    if not os.fork():\n        x = b'1' * (200 << 20)\n        time.sleep(60)\n"
    bomb = f"import os, time\nfor _ in range(4):\n{holder}time.sleep(60)"
    with pytest.raises(Lost, match="more than 600 MB"):
        session.run(bomb)


def test_the_time_ends_whatever_it_does():
    session = Session(Bubblewrap(), SETUP, Limits(cell_seconds=1), Budget(60))
    start = time.monotonic()
    with pytest.raises(Lost, match="no answer within 1 s") as caught:
        session.run("import time\nwhile True:\n    try: time.sleep(9)\n    except BaseException: pass")
    assert caught.value.timed_out and time.monotonic() - start < 4  # a sleep counts by the clock


def test_what_cells_define_is_found_in_main():
    session = Session(Bubblewrap(), SETUP, LIMITS, Budget(60))
    define = "class Own: pass\nimport pickle\nfrom __main__ import Own as Same\n"
    assert session.run(define + "print(type(pickle.loads(pickle.dumps(Own()))) is Same)").text == "True\n"
    session.close()


def test_the_watch_sees_a_process_that_hides():
    session = Session(Bubblewrap(), SETUP, Limits(memory=600 << 20), Budget(60))
    hide = "import ctypes, os, time\nprint(ctypes.CDLL(None, use_errno=True).prctl(4, 0, 0, 0, 0), ctypes.get_errno())"
    assert session.run(hide).text.startswith("-1")
    session.close()


@pytest.mark.parametrize("waits", [
    "import ctypes\nlibc = ctypes.CDLL(None)\nif not libc.syscall(56, 0x4000 | 17, 0, 0, 0, 0):\n"
    "    libc.sleep(20)\n    libc._exit(0)",  # a child that has its memory: it waits as for a disk
    "import signal, os, time\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\nwhile True:\n    if not os.fork():\n"
    "        end = time.monotonic() + .1\n        while time.monotonic() < end: pass\n        os._exit(0)\n"
    "    time.sleep(.1)",  # whose time nobody is told
])  # fmt: skip
def test_what_no_count_finds_the_clock_ends(waits):
    session = Session(Bubblewrap(), SETUP, Limits(cell_seconds=60, total_seconds=2), total := Budget.in_all(2))
    start = time.monotonic()
    with pytest.raises(Lost, match="the time in all of 2 s was over") as caught:
        session.run(waits)
    assert caught.value.over and total.left <= 0 and time.monotonic() - start < 15


COMPUTES = "import time\nend = time.process_time() + 1.5\nwhile time.process_time() < end: pass\nprint('done')"


def test_busy_neighbors_cost_no_time(neighbors):
    """By the clock it may take several times as long as it is given."""
    session = Session(Bubblewrap(), SETUP, Limits(cell_seconds=2.5), Budget(60))
    assert session.run(COMPUTES).text == "done\n"
    assert 1 < session.total.used < 2.5
    session.close()


def test_work_handed_to_children_counts():
    session = Session(Bubblewrap(), SETUP, Limits(cell_seconds=2), Budget(60))
    with pytest.raises(Lost, match="no answer within 2 s of processor time"):
        session.run("import os, time\nwhile True:\n    if not os.fork():\n        end = time.process_time() + 0.1\n"
                    "        while time.process_time() < end: pass\n        os._exit(0)\n    os.wait()")  # fmt: skip
    assert 2 <= session.total.used < 3


def test_an_answer_that_comes_drop_by_drop_is_waited_for_no_longer():
    drops = """
import os, stat, time
channel = next(fd for fd in range(3, 64) if stat.S_ISSOCK(os.fstat(fd).st_mode))
os.write(channel, bytes([0, 1, 0, 0]))
while True:
    os.write(channel, b" ")
    time.sleep(0.01)
"""
    session = Session(Bubblewrap(), SETUP, Limits(cell_seconds=1), Budget(60))
    start = time.monotonic()
    with pytest.raises(Lost, match="no answer within 1 s"):
        session.run(drops)
    assert time.monotonic() - start < 10


def test_what_neither_computes_nor_sleeps_ends_by_the_clock():
    """As long as something is able to run, and gets no processor: twenty times its time."""
    clock = Clock(lambda: Usage(0, asleep=False))
    budget = Budget(0.01)
    waiting = clock.wait(budget)
    waiting()
    time.sleep(0.21)
    with pytest.raises(TimeoutError):
        waiting()
    assert budget.left == 0.01


def test_the_grader_survives_a_dead_starter():
    Session(Bubblewrap(), SETUP, LIMITS, Budget(60)).close()
    warm = bubblewrap.warm_process(SETUP, bubblewrap.as_nobody())
    assert warm.control and warm.process
    warm.control.shutdown(socket.SHUT_RDWR)
    warm.process.wait()
    Session(Bubblewrap(), SETUP, LIMITS, Budget(60)).close()


def test_a_setup_cell_that_fails_is_nobodys_submission():
    with pytest.raises(NoSandbox, match="ZeroDivisionError"):
        Session(Bubblewrap(), "1 / 0", LIMITS, Budget(60))


def test_without_a_sandbox_nothing_is_graded(monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    bubblewrap.hindrance.cache_clear()
    with pytest.raises(NoSandbox) as caught:
        find_sandbox()
    bubblewrap.hindrance.cache_clear()
    for advice in ("sudo apt-get install bubblewrap", "AppArmor", "WSL", "bubblewrap: not installed", "podman"):
        assert advice in str(caught.value)
    assert isinstance(find_sandbox(unsafe_no_sandbox=True), Unsafe)


def test_a_sandbox_that_leaks_is_not_used(monkeypatch):
    """Walls that are not all there: the process that walks in notices and runs nothing."""
    monkeypatch.setattr(
        bubblewrap, "WALLS", [wall for wall in bubblewrap.WALLS if wall != "--unshare-all"] + ["--unshare-pid"]
    )
    with pytest.raises(NoSandbox, match="cannot join the net namespace"):
        Bubblewrap().start(SETUP, LIMITS)


def test_a_failing_bubblewrap_is_not_used(monkeypatch):
    monkeypatch.setattr(bubblewrap, "WALLS", ["--no-such-option"])
    with pytest.raises(NoSandbox, match="no-such-option"):
        Bubblewrap().start(SETUP, LIMITS)


# An engine that takes a container's command line and runs the program in it, without walls.
ENGINE = f"""#!{sys.executable}
import os, sys
arguments = sys.argv[1:]
with open(os.environ["ENGINE_LOG"], "a") as log:
    print(arguments[0], file=log)
if arguments[0] == "run":
    at = arguments.index("python")
    for flag, value in zip(arguments, arguments[1:]):
        if flag == "--env":
            os.environ.update([value.split("=", 1)])
    os.execv(sys.executable, [sys.executable, *arguments[at + 1 :]])
"""


@pytest.fixture
def podman(tmp_path, monkeypatch):
    program = tmp_path / "podman"
    program.write_text(ENGINE)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("ENGINE_LOG", str(tmp_path / "log"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    return program


def test_a_container_serves_like_bubblewrap(podman):
    container = Container(engine=str(podman))
    assert container.available() is None
    session = Session(container, SETUP, LIMITS, Budget(60))
    assert session.run("def double(x): return 2 * x\nprint('made')").text == "made\n"
    assert session.call("double", (4,), {}) == 8
    with pytest.raises(Lost, match="exited with code 3"):
        session.run("import os; os._exit(3)")


def test_a_container_is_killed_when_the_time_is_over(podman):
    session = Session(Container(engine=str(podman)), SETUP, Limits(cell_seconds=1), Budget(60))
    with pytest.raises(Lost, match="no answer"):
        session.run("while True: pass")
    assert (podman.parent / "log").read_text().split() == ["run", "kill"]


def test_a_container_that_does_not_start_is_no_ones_crash(podman):
    podman.write_text("#!/bin/sh\nexit 125\n")
    with pytest.raises(NoSandbox, match="did not start; it exited with code 125"):
        Container(engine=str(podman)).start(SETUP, LIMITS)


def test_a_container_has_no_network_no_privileges_and_limits():
    command = Container(engine="docker", image="course").command("name", SETUP, LIMITS)
    text = " ".join(command)
    for option in (
        "--network none", "--read-only", "--cap-drop ALL", "no-new-privileges", "--user 65534:65534", "--pids-limit 64",
        f"--memory {LIMITS.memory}", f"size={LIMITS.disk}", "--rm", "--pull never", "course python",
    ):  # fmt: skip
        assert option in text
    assert not {"--privileged", "--volume", "-v", "--mount"} & set(command)
    assert json.loads(command[-1])["setup"] == SETUP


STARTS = """
from lrcourse.course.grading.bubblewrap import Bubblewrap, Unsafe
from lrcourse.course.grading.clock import Budget
from lrcourse.course.grading.limits import Limits
from lrcourse.course.grading.session import Session
session = Session({sandbox}(), {setup!r}, Limits(), Budget(60))
session.run("import ctypes; ctypes.CDLL(None).prctl(15, b'lr-orphan', 0, 0, 0)\\nwhile True: pass")
"""


@pytest.mark.parametrize("sandbox", ["Bubblewrap", "Unsafe"])
@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize(
    ("setup", "busy"), [("", "lr-orphan"), ("import ctypes, time; ctypes.CDLL(None).prctl(15, b'lr-warm', 0, 0, 0)\n"
                                             "time.sleep(60)", "lr-warm")]
)  # fmt: skip
def test_nothing_survives_the_grader(sandbox, ending, setup, busy):
    """Whatever the sandbox, or the process that starts them, is at."""
    end_at_work(STARTS.format(sandbox=sandbox, setup=setup), busy, ending)


def test_a_fork_of_the_grader_does_not_keep_the_sandboxes_alive():
    fork = "import os, time\nif os.fork() == 0: time.sleep(9)\nsession.run"
    end_at_work(STARTS.format(sandbox="Bubblewrap", setup="").replace("session.run", fork), "lr-orphan", signal.SIGKILL)


def end_at_work(code: str, busy: str, ending: signal.Signals) -> None:
    """End a grader while a process of this name is at work: two seconds later no sandbox is left."""
    grader = subprocess.Popen([sys.executable, "-c", code])
    deadline = time.monotonic() + 30
    family: list[psutil.Process] = []
    while busy not in map(named, family):
        assert time.monotonic() < deadline and grader.poll() is None
        time.sleep(0.1)
        family = psutil.Process(grader.pid).children(recursive=True)
    fork_of_the_grader = [process for process in family if process.cmdline() == psutil.Process(grader.pid).cmdline()]
    grader.send_signal(ending)
    grader.wait()
    deadline = time.monotonic() + 2
    while any(named(process) for process in family if process not in fork_of_the_grader):
        assert time.monotonic() < deadline, list(map(named, family))
        time.sleep(0.1)
    for process in fork_of_the_grader:
        process.kill()


def named(process: psutil.Process) -> str:
    """Its name, "" of one that is no more."""
    try:
        return "" if process.status() == psutil.STATUS_ZOMBIE else process.name()
    except psutil.Error:
        return ""
