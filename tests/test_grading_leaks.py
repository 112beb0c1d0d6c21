"""What a student reads carries nothing of a hidden input, and no sandbox can tell another one anything.

Sandboxes share the files that all of them may read, and the kernel keeps such files' pages in memory: that a page is
read fast tells that somebody has read it. Nothing can refuse that. So a class is shown, all of it, before any of it is
judged; what else the kernel shares is refused.
"""

import ctypes
import os
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from lrcourse.course.grading import bubblewrap
from lrcourse.course.grading.bubblewrap import Bubblewrap
from lrcourse.course.grading.clock import Budget
from lrcourse.course.grading.judge import judged, shown
from lrcourse.course.grading.limits import Limits
from lrcourse.course.grading.session import Session

pytestmark = pytest.mark.sandbox
STEP = 4 << 20  # further apart than the kernel reads ahead
BITS = 6
CHECK = """
double = Task("Double", points=4)
double.check("small", lambda: double_it(2), 4)
### BEGIN HIDDEN TESTS
double.check("small", lambda: double_it(41), 82)
### END HIDDEN TESTS
double.report()
"""
HIDDEN = [0, 3, 5]  # the bits of 41, which the hidden test asks; the visible one asks 2


def notebook(source: str) -> nbformat.NotebookNode:
    """A lab of one task, with this answer."""
    cells = {"setup": "import numpy as np\nfrom lrcourse.selfcheck import Task", "a": source, "check": CHECK}
    marks = {name: {"grade_id": name, "grade": name == "check", "points": 4, "solution": name == "a",
                    "locked": name != "a", "schema_version": 3, "task": False} for name in cells}  # fmt: skip
    return nbformat.from_dict(
        new_notebook(cells=[new_code_cell(cells[name], id=name, metadata={"nbgrader": marks[name]}) for name in cells])
    )


@pytest.fixture
def shared(tmp_path_factory, monkeypatch):
    """A large file that every sandbox may read, and of which no page is in memory."""
    place = tmp_path_factory.mktemp("shared")
    for folder in (place, *place.parents):
        folder.chmod(folder.stat().st_mode | 0o055)
    file = place / "library.so"
    file.write_bytes(np.random.default_rng(0).bytes(BITS * STEP))
    with file.open("rb") as opened:
        os.fsync(opened.fileno())
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    paths = [*bubblewrap.python_paths(), place]
    monkeypatch.setattr(bubblewrap, "python_paths", lambda: paths)
    bubblewrap.warm_process.cache_clear()
    yield file
    bubblewrap.warm_process.cache_clear()


def in_memory(file: Path) -> list[int]:
    """The bits whose page is in memory, as the one who grades can ask."""
    pages = np.memmap(file, mode="r")
    answer = (ctypes.c_ubyte * 1)()
    start = pages.ctypes.data
    found = []
    for bit in range(BITS):
        assert ctypes.CDLL(None).mincore(ctypes.c_void_p(start + bit * STEP), ctypes.c_size_t(1), answer) == 0
        found += [bit] * (answer[0] & 1)
    return found


WRITES = """
import os
def double_it(x):
    if np.ndim(x) == 0:
        for bit in range(6):
            if int(x) >> bit & 1:
                os.pread(file, 1, bit << 22)
    return 2 * np.asarray(x)
file = os.open("FILE", os.O_RDONLY)
"""
READS = """
import os, time
file, times = os.open("FILE", os.O_RDONLY), []
for bit in range(6):
    start = time.perf_counter()
    os.pread(file, 1, bit << 22)
    times.append(time.perf_counter() - start)
print([bit for bit in range(6) if times[bit] < 30e-6])
"""


def test_what_is_shown_of_a_class_is_older_than_any_hidden_input(shared):
    """Of two who hand in, the one writes into the page cache what it is asked, and the other reads there."""
    writer = notebook(WRITES.replace("FILE", str(shared)))
    reader = notebook(READS.replace("FILE", str(shared)))
    sandbox, limits = Bubblewrap(), Limits()
    seen = [shown(book, sandbox, limits) for book in (writer, reader)]
    with shared.open("rb") as opened:  # what was shown has read all of it
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    assert not set(HIDDEN) & set(in_memory(shared))
    assert judged(writer, seen[0], "", sandbox, limits).points == 4
    assert set(HIDDEN) <= set(in_memory(shared))  # the attack is real
    read = judged(reader, seen[1], "", sandbox, limits)
    assert read.texts == seen[1].texts and list(read.texts) == ["a"]
    assert not set(HIDDEN) <= set(map(int, read.texts["a"].strip("[]").replace(",", "").split()))


ASKS = {
    "mincore": "libc.mincore(ctypes.c_void_p(memory), 1, ctypes.create_string_buffer(1))",
    "RWF_NOWAIT": "libc.preadv2(file, (ctypes.c_void_p * 2)(ctypes.addressof(buffer), 1), 1, ctypes.c_long(0), 8)",
    "readahead": "libc.readahead(file, ctypes.c_long(0), 1)",
    "posix_fadvise": "libc.posix_fadvise(file, ctypes.c_long(0), ctypes.c_long(0), 4)",
    "populate": "libc.madvise(ctypes.c_void_p(memory), 4096, 22)",
    "page out": "libc.madvise(ctypes.c_void_p(memory), 4096, 21)",
    "sysinfo": "libc.sysinfo(buffer)",
    "vmsplice": "libc.vmsplice(os.pipe()[1], (ctypes.c_void_p * 2)(ctypes.addressof(buffer), 1), 1, 0)",
    "splice": "libc.splice(file, None, os.pipe()[1], None, 1, 0)",
    "vsock": "libc.socket(40, 1, 0)",
}
ASKING = """
import ctypes, errno, os
import numpy as np
libc = ctypes.CDLL(None, use_errno=True)
path = np.__file__
file = os.open(path, os.O_RDONLY)
pages = np.memmap(path, mode="r")
memory, buffer = pages.ctypes.data, ctypes.create_string_buffer(4096)
for name, ask in ASKS.items():
    ctypes.set_errno(0)
    result = eval(ask)
    if errno.EPERM != (result if name == "posix_fadvise" else ctypes.get_errno()):
        print(name, result, os.strerror(ctypes.get_errno()))
"""


def test_the_kernel_tells_nothing_of_its_memory_and_pins_none():
    session = Session(Bubblewrap(), "", Limits(), Budget(60))
    ran = session.run(ASKING.replace("ASKS", repr(ASKS)))
    session.close()
    assert (ran.text, ran.error) == ("", "")


LOCK = 'struct.pack("hhqqi4x", {kind}, 0, 7, 1, 0)'
CHANNELS = {  # how one sandbox says something, and another one hears it
    "POSIX lock": (
        f"fcntl.fcntl(file, fcntl.F_SETLK, {LOCK.format(kind=0)})",
        f"struct.unpack('hhqqi4x', fcntl.fcntl(file, fcntl.F_GETLK, {LOCK.format(kind=1)}))[0] != 2",
    ),
    "lock of an open file": (
        f"fcntl.fcntl(file, 37, {LOCK.format(kind=0)})",
        f"struct.unpack('hhqqi4x', fcntl.fcntl(file, 36, {LOCK.format(kind=1)}))[0] != 2",
    ),
    "flock": ("fcntl.flock(file, fcntl.LOCK_SH)", "fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)"),
    "watch": ("os.pread(file, 1, 0)", "bool(os.read(watch, 1000))"),
}
HEAR = """
import ctypes, fcntl, os, struct
import numpy as np
file = os.open(np.__file__, os.O_RDONLY)
libc = ctypes.CDLL(None)
watch = libc.inotify_init1(os.O_NONBLOCK)
libc.inotify_add_watch(watch, np.__file__.encode(), 1)
def heard(how, what_blocks):
    try:
        return how()
    except BlockingIOError:
        return what_blocks
    except OSError:
        return False
"""


@pytest.mark.parametrize("channel", CHANNELS)
def test_two_sandboxes_cannot_tell_each_other_anything_by_a_file_that_both_read(channel):
    says, hears = CHANNELS[channel]
    one, other = (Session(Bubblewrap(), "", Limits(call_seconds=5), Budget(60)) for _ in range(2))
    for session in (one, other):
        assert not session.run(HEAR).error
    one.run(says)
    ran = other.run(f"print(heard(lambda: {hears}, {channel == 'flock'}))")
    one.close()
    other.close()
    assert ran.text == "False\n", ran


def test_the_state_of_the_whole_machine_is_not_there():
    session = Session(Bubblewrap(), "", Limits(), Budget(60))
    ran = session.run("""
import os
for name in ("loadavg", "meminfo", "stat", "locks", "vmstat", "pressure/cpu", "sys/fs/file-nr", "sys/fs/dentry-state"):
    try:
        print(name, open(f"/proc/{name}").read())
    except OSError:
        pass
""")
    session.close()
    assert (ran.text, ran.error) == ("", "")
