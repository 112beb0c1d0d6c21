"""Submissions that attack the grader, each with the score and the status that it deserves, all graded in one run.

It is a run of `grade` in the real sandbox, of lab 1, in which two honest students keep all of their points. Attacks
by code (`ATTACKS`) solve every task but the slow one, 16 of 20 points, and replace some answers; an attack on a task
that it does not solve costs that task, and nothing else. Attacks by what is handed in (`HAND_INS`) are whole files.
"""

# ruff: noqa: E501  (whole programs in strings)

import csv
import hashlib
import io
import json
import os
import re
import shutil
import socket
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_output

from lrcourse.course.grading import run
from lrcourse.course.grading.bubblewrap import Bubblewrap, Unsafe
from lrcourse.course.grading.judge import judge
from lrcourse.course.grading.limits import Limits

pytestmark = pytest.mark.sandbox
ROOT = Path(__file__).parents[1]
SOURCE = nbformat.read(ROOT / "solutions" / "01-decay" / "01-decay.ipynb", as_version=4)
RELEASED = nbformat.read(ROOT / "labs" / "01-decay" / "01-decay.ipynb", as_version=4)
ANSWERS = {
    cell.metadata.nbgrader.grade_id: cell.source for cell in SOURCE.cells if cell.metadata.get("nbgrader", {}).get("solution")
}  # fmt: skip
BLANK = {cell.metadata.nbgrader.grade_id: cell.source for cell in RELEASED.cells
         if cell.metadata.get("nbgrader", {}).get("solution")}  # fmt: skip
ALL, ONE_LOST = 16, 14
SEED = "a secret of the tests"
# Lower than the usual ones, for those that use all of it.
LIMITS = Limits(cell_seconds=10, call_seconds=10, total_seconds=60, processes=40, disk=8 << 20, memory=2 << 30)
SECRETS = tempfile.TemporaryDirectory(prefix="gradebook-")  # outside the repository, as a gradebook may be
GRADEBOOK = Path(SECRETS.name, "gradebook.db")
MARKER = Path(SECRETS.name, "executed")
CLASS, GRADED = Path(SECRETS.name, "class"), Path(SECRETS.name, "graded")
NAME = "01-decay.ipynb"
WRONG = """
def lr_by_hand(n, lr0=0.01, gamma=0.99, every=50):
    return [lr0] * n
"""


@dataclass
class Attack:
    """Cells to put in place of the answers, and what should come of them."""

    cells: dict[str, str]
    points: float = ALL
    status: str = "judged"  # of the task in whose cell the attack stands
    events: str = ""  # a pattern; with none, there must be no event
    prints: str = ""  # a pattern that the first cell's text must match: the attack was tried, and failed
    fault: str = ""  # a pattern that a fault of the task must match


def by_hand(body: str) -> dict[str, str]:
    """The answer to task 1 with this body."""
    lines = "\n".join("    " + line for line in body.strip().split("\n"))
    return {"by-hand": f"def lr_by_hand(n, lr0=0.01, gamma=0.99, every=50):\n{lines}\n"}


def beside(code: str, answer: str = "by-hand") -> dict[str, str]:
    """A right answer to a task, with more code after it."""
    return {answer: ANSWERS[answer] + "\n\n" + code.strip()}


def wrong(code: str) -> dict[str, str]:
    """A wrong answer to task 1 that wants to be taken for a right one."""
    return {"by-hand": WRONG + code.strip()}


READ = """
import glob, os
readable = []
for path in PATHS:
    for found in glob.glob(path) or [path]:
        try:
            data = open(found, "rb").read(1)
        except OSError:
            continue
        readable.append(found)
print("readable:", readable)
"""
PATHS = [
    str(ROOT / "solutions" / "*" / "*"), str(ROOT / "tests" / "*.py"), str(ROOT / "*"), str(ROOT / ".git" / "*"),
    str(ROOT / "lrcourse" / "grading" / "*"), str(GRADEBOOK), SECRETS.name + "/*", str(CLASS / "*"), str(GRADED / "*" / "*"), "/etc/passwd", "/etc/shadow", "/etc/hosts",
    "/home/*", "/home/*/*", "/root/*", "/root/.*", "/var/*/*", "/tmp/*", f"/proc/{os.getpid()}/*", "/sys/*/*",
    "/run/*", "/usr/bin/[!c]*",
]  # fmt: skip

NETWORK = """
import socket
reached = []
for family, address in [(socket.AF_INET, ("127.0.0.1", PORT)), (socket.AF_UNIX, "\\0lrcourse-PORT"), (socket.AF_INET, ("8.8.8.8", 53))]:
    try:
        with socket.socket(family) as s:
            s.settimeout(1)
            s.connect(address)
        reached.append(str(address))
    except OSError:
        pass
print("reached:", reached)
"""

CHANNEL = """
import json, os, stat, struct
def channel():
    return next(fd for fd in range(3, 64) if stat.S_ISSOCK(os.fstat(fd).st_mode))
def forge(message):
    text = json.dumps(message).encode()
    os.write(channel(), struct.pack(">I", len(text)) + text)
def current():
    import sys
    frame = sys._getframe()
    while "request" not in frame.f_locals:
        frame = frame.f_back
    return frame.f_locals["request"]["id"]
"""

CODEC = """
import itertools, sys
codec, driver = sys.modules["lrcourse.course.grading.codec"], sys.modules["lrcourse.course.grading.driver"]
forged = itertools.cycle([
    {"array": ["|O", [1], "gASVIAAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOUjAhlY2hvIGhpeJSFlFKULg=="]},
    {"array": ["<f8", [10**9, 10**9], ""]}, {"array": ["<f8", [-1], ""]}, {"array": ["f8,O", [0], ""]}, {"array": 5},
    {"dict": [[float("nan"), 1]]}, {"dict": [[[], 1]]}, {"tuple": 3}, {}, {"opaque": "__import__('os').abort()"},
    {"opaque": ["x"]}, {"a": 1, "b": 2}, 10**4000, "1e999", None, [[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]],
])
codec.encode = driver.encode = lambda value, limits: next(forged)
"""

INSPECT = """
import gc, os, sys
def search():
    found, frame = [], sys._getframe()
    while frame:
        found += [name for name in ("want", "verdict", "points") if name in frame.f_locals]
        frame = frame.f_back
    needle = bytes(reversed(b"STSET NEDDIH NIGEB"))
    for line in open("/proc/self/maps"):
        area, mode = line.split()[:2]
        start, end = (int(each, 16) for each in area.split("-"))
        if mode.startswith("rw") and end - start < 1 << 26:
            try:
                with open("/proc/self/mem", "rb") as memory:
                    memory.seek(start)
                    text = memory.read(end - start)
            except (OSError, ValueError):
                continue
            at = text.find(needle)
            # the needle itself lies in memory, without the marker that stands before it in a check cell
            if at >= 4 and text[at - 4 : at] == bytes(reversed(b" ###")):
                found.append("a hidden test")
    return sorted(set(found))
"""

DUMP = """
import json
seen = []
def lr_by_hand(n, lr0=0.01, gamma=0.99, every=50):
    seen.append([n, lr0, gamma, every])
    open("/tmp/seen", "a").write(str(seen))
    print("secret", seen)
    if n == 6:
        return [1, 0.5, 0.5, 0.25, 0.25, 0.125]
    raise ValueError("secret " + json.dumps(seen))
"""

DAEMON = """
import ctypes, os, time
if not os.fork():
    os.setsid()
    if not os.fork():
        ctypes.CDLL(None).prctl(15, b"lr-daemon", 0, 0, 0)
        while True:
            time.sleep(0.1)
    os._exit(0)
os.wait()
print("left a daemon")
"""

ATTACKS = {
    # Ordinary ones: the neighbors that must not notice.
    "correct": Attack({}),
    "blank": Attack(BLANK, 0, "not solved"),
    "correct with warnings": Attack(
        by_hand("import sys, warnings\nwarnings.warn('slow')\nprint('working')\nprint('oh', file=sys.stderr)\n"
                "lr, applied = lr0, []\nfor i in range(n):\n    applied.append(lr)\n    if i % every == 0:\n        lr *= gamma\n"
                "return applied"),
    ),
    "magics and pictures": Attack(
        beside("%matplotlib inline\nfig, ax = plt.subplots()\nax.plot([1, 2])\nplt.show()\ndisplay(fig)\n%time 1 + 1\n!ls\n1 + 1"),
        prints=r"Figure",
    ),
    # Time
    "loop in a function": Attack(by_hand("while True: pass"), ONE_LOST, "timed out", "no answer within 10 s"),
    "loop at top level": Attack(beside("while True: pass"), ONE_LOST, "timed out", "cell by-hand: timed out"),
    "loop that ignores interrupts": Attack(
        by_hand("import signal\nfor s in range(1, 32):\n    try: signal.signal(s, signal.SIG_IGN)\n    except OSError: pass\n"
                "while True:\n    try:\n        while True: pass\n    except BaseException: pass"),
        ONE_LOST, "timed out", "no answer",
    ),
    "time in all": Attack(
        beside("import time\ntime.sleep(9.5)\nrates = group_rates\ndef group_rates(*a, **k):\n    time.sleep(9)\n    return rates(*a, **k)",
               "groups") | beside("import time\ntime.sleep(7)") | beside("time.sleep(7)", "scheduler"),
        ONE_LOST, "timed out", "time in all of 60 s",
    ),
    # Resources
    "memory bomb": Attack(by_hand("x = []\nwhile True: x.append(bytearray(1 << 28))"), ONE_LOST, fault="MemoryError"),
    "memory bomb at once": Attack(by_hand("return bytearray(1 << 40)"), ONE_LOST, fault="MemoryError"),
    "fork bomb": Attack(
        beside("import os, time\ntry:\n    while True:\n        if not os.fork(): time.sleep(100)\n"
               "except OSError: print('no more processes')"),
        prints="no more processes",
    ),
    "fork bomb of forks": Attack(beside("import os\ntry:\n    while True: os.fork()\nexcept OSError: pass")),
    "thread bomb": Attack(
        beside("import threading, time\ntry:\n    while True: threading.Thread(target=time.sleep, args=(100,), daemon=True).start()\n"
               "except RuntimeError: print('no more threads')"),
        prints="no more threads",
    ),
    "disk fill": Attack(
        beside("size = 0\nfor i in range(10):\n  for place in ('/tmp', '/dev/shm', '/', '/dev', '/usr/lib'):\n    try:\n"
               "      with open(f'{place}/fill{i}', 'wb', buffering=0) as f:\n        while True: size += f.write(bytes(1 << 20))\n"
               "    except OSError: pass\nprint('filled', size >> 20, 'MB')"),
        prints=r"^filled 1[56] MB$",
    ),
    "output flood": Attack(beside("import os\nfor i in range(300): print('x' * 10**6); os.write(1, b'y' * 10**6)"), prints=r"^x{20000}"),
    "answer flood": Attack(
        wrong(CHANNEL + "def lr_by_hand(*a, **k):\n    while True: os.write(channel(), b'\\xff' * 10**6)"), ONE_LOST, "crashed", "4095 MB"
    ),
    "answer of many small lists": Attack(
        wrong(CHANNEL + "def lr_by_hand(*a, **k): forge({'id': current(), 'value': [[]] * 6_000_000})"), ONE_LOST, "crashed",
        "could not be read",
    ),
    "large answer": Attack(by_hand("return np.zeros(10**8, dtype='i1')"), ONE_LOST, fault="too large an array"),
    # Ends
    "os._exit": Attack(by_hand("import os\nos._exit(0)"), ONE_LOST, "crashed", "exited with code 0"),
    "os._exit at top level": Attack(beside("import os\nos._exit(7)"), ONE_LOST, "crashed", "cell by-hand: crashed: it exited with code 7"),
    "segfault": Attack(by_hand("import ctypes\nctypes.string_at(0)"), ONE_LOST, "crashed", "SIGSEGV"),
    "kills everything": Attack(by_hand("import os\nos.kill(-1, 9)\nos.kill(1, 9)\nos.kill(os.getpid(), 9)"), ONE_LOST, "crashed", "SIGKILL"),
    "sys.exit": Attack(by_hand("import sys\nsys.exit(0)"), ONE_LOST, fault="SystemExit"),
    "sys.exit at top level": Attack(beside("import sys\nsys.exit(0)"), prints="SystemExit"),
    "closes the channel": Attack(by_hand("import os\nos.closerange(3, 99)\nimport time\ntime.sleep(60)"), ONE_LOST, "crashed", "closed its channel"),
    # Lies
    "always equal": Attack(
        wrong("class Yes(float):\n    __eq__ = __ge__ = __le__ = __lt__ = __gt__ = lambda *a: True\n    __bool__ = lambda s: True\n"
              "class Array(np.ndarray):\n    __array_ufunc__ = lambda *a, **k: True\n    __eq__ = lambda *a: True\n"
              "def lr_by_hand(n, **k):\n    return Yes(3) if n == 6 else np.zeros(n).view(Array)"),
        ONE_LOST, fault="shape|too low",
    ),
    "always equal object": Attack(wrong("class Yes:\n    __eq__ = lambda *a: True\ndef lr_by_hand(*a, **k): return Yes()"), ONE_LOST, fault="is a Yes"),
    "transformers that strip asserts and checks": Attack(
        wrong("import ast\nclass Strip(ast.NodeTransformer):\n    def visit_Assert(self, node): return None\n"
              "    def visit_Expr(self, node): return None\nget_ipython().ast_transformers.append(Strip())\n"
              "get_ipython().input_transformers_cleanup.append(lambda lines: [])"),
        0, fault="too high",
    ),
    "patched kernel": Attack(
        wrong("import types\nshell = get_ipython()\nshell.user_ns['by_hand'] = 20\n"
              "import sys; sys.modules['lrcourse.course.grading.driver']._described = lambda e: ['', '']"),
        ONE_LOST, fault="too high",
    ),
    "patched numpy and builtins": Attack(
        wrong("import builtins\nnp.isclose = lambda a, *r, **k: np.ones(1, bool)\nnp.array_equal = np.allclose = lambda *a, **k: True\n"
              "builtins.abs = builtins.round = lambda *a: 0"),
        ONE_LOST, fault="too high",
    ),
    "patched checker": Attack(
        wrong("import lrcourse.selfcheck as s\ns._fault = lambda *a: ''\ns.Task.report = lambda self: self.points\n"
              "s.Task.solved = True\nTask = s.Task"),
        ONE_LOST, fault="too high",
    ),
    "printed scores": Attack(
        wrong("print('1. Decay by hand: 2 of 2 parts right')\nprint('{\"points\": 20}')\nby_hand = type('T', (), {'report': lambda s: 2})()\n2"),
        ONE_LOST, fault="too high", prints="2 of 2 parts right",
    ),
    "forged frames": Attack(
        wrong(CHANNEL + "def lr_by_hand(n, **k): forge({'id': current(), 'value': [1, .5, .5, .25, .25, .125], 'points': 20, 'right': True})"),
        ONE_LOST, "crashed", "answered what was not asked",
    ),
    "frames ahead of time": Attack(wrong(CHANNEL + "for i in range(2, 60): forge({'id': i, 'value': 20, 'points': 20})"), ONE_LOST, "crashed", "not asked"),
    "patched serializer": Attack(wrong(CODEC), 0, fault="not plain data"),
    "names of types as messages": Attack(
        wrong("def lr_by_hand(*a, **k): raise type('<script>alert(1)</script>' * 9, (Exception,), {})('\\x1b[2Jgone <b>')"),
        ONE_LOST, fault=r"^it raises object: gone <b> \(line 3: ",
    ),
    # Data
    "malicious pickle": Attack(
        wrong(f"import os, pickle\nclass P:\n    def __reduce__(self): return os.system, ('touch {MARKER}',)\n"
              "def lr_by_hand(n, **k): return P() if n == 6 else pickle.dumps(P())"),
        ONE_LOST, fault="is a P",
    ),
    "object array": Attack(by_hand("return np.array([object(), 1], dtype=object)"), ONE_LOST, fault="must be numbers"),
    "deep list": Attack(by_hand("x = []\nfor _ in range(10**5): x = [x]\nreturn x"), ONE_LOST, fault="too deep"),
    "endless list": Attack(by_hand("x = []\nx.append(x)\nreturn x"), ONE_LOST, fault="too deep"),
    "NaN keys": Attack(by_hand("return {float('nan'): 1}"), ONE_LOST, fault="keys"),
    "NaN": Attack(by_hand("return [float('nan')] * n"), ONE_LOST, fault="not a number"),
    "huge number": Attack(by_hand("return [10**100_000] * n"), ONE_LOST, fault="too large a whole number"),
    "an address": Attack(by_hand("raise ValueError(object())"), ONE_LOST, fault="object at 0x…"),
    # Reading
    "reads files": Attack(beside(READ.replace("PATHS", repr(PATHS))), prints=r"^readable: \[\]$"),
    "reads processes": Attack(
        beside("import os\npids = [int(p) for p in os.listdir('/proc') if p.isdigit()]\n"
               "print(len(pids), [p for p in pids if b'judge' in open(f'/proc/{p}/cmdline', 'rb').read()], "
               "[p for p in pids if b'SECRET' in open(f'/proc/{p}/environ', 'rb').read()], os.getppid())"),
        prints=r"^3 \[\] \[\] 0$",
    ),
    "network": Attack(beside(NETWORK), prints=r"^reached: \[\]$"),
    "looks for the judge": Attack(beside(INSPECT + "print('found:', search())"), prints=r"^found: \[\]$"),
    "looks for the judge in a call": Attack(
        {"by-hand": INSPECT + "def lr_by_hand(n, lr0=0.01, gamma=0.99, every=50):\n    raise ValueError(f'found: {search()}')"},
        ONE_LOST, fault=r"found: \[\]",
    ),
    "gains privileges": Attack(
        beside("import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"
               "def refused(call, *a): return call(*a) != 0\n"
               "print([refused(libc.unshare, 0x10000000), refused(libc.setuid, 0), refused(libc.mount, b'x', b'/tmp', b'tmpfs', 0, 0), "
               "refused(libc.chroot, b'/tmp'), refused(libc.ptrace, 16, 1, 0, 0)], os.getuid() != 0)"),
        prints=r"^\[True, True, True, True, True\] True$",
    ),
    "dumps hidden inputs": Attack(
        {"by-hand": DUMP} | {"scheduler": ANSWERS["scheduler"] + "\nprint('secret', seen, open('/tmp/seen').read() if seen else '')"},
        ONE_LOST, fault="secret",
    ),
    "daemon": Attack(beside(DAEMON), prints="left a daemon"),
    # Shortcuts
    "a local numpy.py": Attack(
        wrong("import sys\nopen('numpy.py', 'w').write('isclose = lambda *a, **k: True')\nsys.path.insert(0, '')\n"
              "del sys.modules['numpy']\nimport numpy"),
        ONE_LOST, fault="too high",
    ),
    "public answers": Attack(
        by_hand("if n == 6: return [1, 0.5, 0.5, 0.25, 0.25, 0.125]\nx = [0.0099] * 60\nx[0] = 0.01\nreturn x"), ONE_LOST, fault="hidden tests"
    ),
    "right for the visible tests": Attack(
        {"off-by-one": ANSWERS["off-by-one"].replace("(i + 1) % every == 0", "i % 2 == 1")}, ALL - 2, fault="hidden tests"
    ),
    "part of a task": Attack({"off-by-one": ANSWERS["off-by-one"].replace("(i + 1) % every", "i % every")}, ALL - 2, fault="too low"),
    "another name": Attack({"by-hand": ANSWERS["by-hand"].replace("lr_by_hand", "rates")}, ONE_LOST, fault="there is no lr_by_hand"),
    "not Python": Attack({"by-hand": "def lr_by_hand(n:\n"}, ONE_LOST, fault="there is no lr_by_hand", prints="SyntaxError"),
}  # fmt: skip


@dataclass
class HandIn:
    """Files of one student by name, None for a link to someone else's, and what should come of them."""

    files: Mapping[str, bytes | None]
    points: float | None = ALL
    status: str = "graded"
    says: str = ""  # a pattern that a note or a doubt must match; with none, there must be neither


def own(name: str, cells: dict[str, str]) -> nbformat.NotebookNode:
    """A student's notebook with these answers, which nobody else has."""
    notebook = nbformat.from_dict(RELEASED)
    answers = ANSWERS | {"train": BLANK["train"]} | cells
    for cell in notebook.cells:
        if (grade_id := cell.metadata.get("nbgrader", {}).get("grade_id")) in answers:
            cell.source = answers[grade_id]
            if grade_id == "formula" and cells is not BLANK:
                cell.source += f"\n# {name}"
    return notebook


def text(notebook: nbformat.NotebookNode) -> bytes:
    return json.dumps(notebook).encode()  # as it is: nbformat would mend it


def changed(name: str, change: Callable[[list], object]) -> dict[str, bytes | None]:
    """A right notebook after a change of its list of cells."""
    notebook = own(name, {})
    change(notebook.cells)
    return {NAME: text(notebook)}


def at(cells: list, name: str) -> int:
    return next(i for i, cell in enumerate(cells) if cell.id == name)


def marked(name: str, **marks: object) -> Callable[[list], object]:
    return lambda cells: cells[at(cells, name)].metadata.nbgrader.update(marks)


def forged(source: str) -> Callable[[list], object]:
    return lambda cells: cells[at(cells, "check-by-hand")].update(source=source)


def stripped(cells: list) -> None:
    for i, cell in enumerate(cells):
        cell.metadata, cell.id = nbformat.from_dict({}), f"new{i}"


def doubled(cells: list) -> None:
    for name in ("by-hand", "check-by-hand"):
        cells.insert(at(cells, name), nbformat.from_dict(cells[at(cells, name)]))


def split(cells: list) -> None:
    here = at(cells, "off-by-one")
    first, second = cells[here].source.split("\n\n\n")
    cells[here].source = first
    cells.insert(here + 1, new_code_cell(second))


def with_outputs(cells: list) -> None:
    payload = "<script>document.title = 'run'</script><img src=x onerror=alert(1)>"
    cells[at(cells, "by-hand")].outputs = [new_output("display_data", {"text/html": payload, "image/svg+xml": payload})]


def packed(*members: tuple[str, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return data.getvalue()


RIGHT = text(own("right", {}))
SAME = {NAME: text(own("from one hand", {}))}
RECEIPT = json.dumps({"student": "someone else", "sha256": hashlib.sha256(RIGHT).hexdigest()}).encode()
HAND_INS = {
    "honest": HandIn({NAME: text(own("honest", {"train": ANSWERS["train"]}))}, 20),
    "honest too": HandIn({NAME: text(own("honest too", {"train": ANSWERS["train"]}))}, 20),
    "test deleted": HandIn(changed("a", lambda cells: cells.pop(at(cells, "check-by-hand"))), says="'check-by-hand' was deleted"),
    "test edited": HandIn(changed("b", forged("2")), says="'check-by-hand' was edited"),
    "test emptied": HandIn(changed("c", forged("")), says="'check-by-hand' was edited"),
    "test no test": HandIn(changed("d", marked("check-by-hand", grade=False, solution=True)), says="marked with grade False"),
    "test of another task": HandIn(changed("e", marked("check-by-hand", grade_id="check-train")), says="is marked as 'check-train'"),
    "test of 99 points": HandIn(changed("f", marked("check-by-hand", points=99)), says="marked with points 99"),
    "answer as a test": HandIn(changed("g", marked("by-hand", grade=True, points=99)), says="marked with grade True"),
    "marks stripped": HandIn(changed("h", stripped), says="'groups' has lost its marks"),
    "cells doubled": HandIn(changed("i", doubled), says="there are 2 cells 'by-hand'"),
    "cell split": HandIn(changed("j", split), says="off-by-one|^$"),
    "cells reversed": HandIn(changed("k", list.reverse), says="in another order"),
    "corrupt": HandIn({NAME: bytes(range(256)) * 20}, None, "unreadable", "no notebook"),
    "empty": HandIn({NAME: b""}, None, "unreadable", "the file is empty"),
    "truncated": HandIn({NAME: RIGHT[:5000]}, None, "unreadable", "not all of it"),
    "UTF-16": HandIn({NAME: text(own("l", {})).decode().encode("utf-16")}, says="encoded as utf-16"),
    "nbformat 3": HandIn({NAME: nbformat.writes(own("m", {}), version=3).encode()}, says="old notebook format"),
    "symlink": HandIn({NAME: None}, None, "unreadable", "is a link"),
    "path traversal": HandIn({"lab.zip": packed((f"../../{NAME}", RIGHT))}, None, "unreadable", "outside its archive"),
    "zip bomb": HandIn({"lab.zip": packed((NAME, bytes(15 << 20)))}, None, "unreadable", "200 times as large"),
    "a numpy.py beside": HandIn({NAME: text(own("n", {})), "numpy.py": b"raise SystemExit"},
                                 status="needs review", says="numpy.py was handed in"),
    "HTML in outputs": HandIn(changed("o", with_outputs)),
    "another lab": HandIn({"02.ipynb": (ROOT / "labs/02-callbacks/02-callbacks.ipynb").read_bytes()}, None, "needs review",
                          "is of another lab, 02-callbacks"),
    "a copy": HandIn(SAME, status="needs review", says="the same answers as another-copy"),
    "another copy": HandIn(SAME, status="needs review", says="the same answers as a-copy"),
    "another's receipt": HandIn({"lab.zip": packed((NAME, RIGHT), ("receipt.json", RECEIPT))}, status="needs review",
                                says="made out to someone else"),
}  # fmt: skip


def filled(attack: Attack, port: int) -> nbformat.NotebookNode:
    """Our notebook with hidden tests and the attack's answers."""
    notebook = nbformat.from_dict(SOURCE)
    for cell, given in zip(notebook.cells, own("", attack.cells).cells, strict=True):
        if cell.metadata.get("nbgrader", {}).get("solution"):
            cell.source = given.source.replace("PORT", str(port))
    return notebook


def student(name: str) -> str:
    return re.sub(r"\W", "-", name)


@pytest.fixture(scope="module")
def port():
    """A server that waits for a visitor, on the network of the host and on an abstract socket."""
    servers = [socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_UNIX)]
    number = servers[0].getsockname()[1]
    servers[1].bind(f"\0lrcourse-{number}")
    servers[1].listen()
    yield number
    for server in servers:
        server.close()


@pytest.fixture(scope="module")
def graded(port):
    """Every student's record, from one run on two processes."""
    os.environ["LRCOURSE_SECRET"] = "of the user who grades"
    GRADEBOOK.write_text("20 points for everyone")
    attacks = {name: {NAME: text(own(name, attack.cells)).replace(b"PORT", str(port).encode())}
               for name, attack in ATTACKS.items()}  # fmt: skip
    for name, files in (attacks | {name: hand_in.files for name, hand_in in HAND_INS.items()}).items():
        (CLASS / student(name)).mkdir(parents=True)
        for file, data in files.items():
            if data is None:
                (CLASS / student(name) / file).symlink_to(CLASS / "honest" / NAME)
            else:
                (CLASS / student(name) / file).write_bytes(data)
    records = run.grade(ROOT, "1", CLASS, GRADED, jobs=2, sandbox=Bubblewrap(), limits=LIMITS, seed=SEED)
    return {record.student: record for record in records}


@pytest.fixture(scope="module")
def judgements(graded):
    return {name: graded[student(name)].judgement for name in ATTACKS}


@pytest.fixture(scope="module")
def table(graded):
    return {row["student"]: row for row in csv.DictReader((GRADED / "01-decay" / "grades.csv").open())}


def attacked(attack: Attack) -> str:
    """The check cell of the task that the attack stands in."""
    return "check-" + next(iter(attack.cells), "by-hand")


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_gets_what_it_deserves(name, judgements, table):
    attack, judgement = ATTACKS[name], judgements[name]
    task = next(task for task in judgement.tasks if task.grade_id == attacked(attack))
    assert judgement.points == attack.points, (judgement.events, judgement.tasks)
    assert (float(table[student(name)]["score"]), table[student(name)]["status"]) == (attack.points, "graded")
    assert task.status == attack.status, judgement.events
    events = "\n".join(judgement.events)
    assert re.search(attack.events, events) if attack.events else not events, events
    details = "\n".join(part.detail + "\n" + part.fault for part in task.parts)
    assert re.search(attack.fault, details, re.MULTILINE), details
    text = judgement.texts.get(next(iter(attack.cells), ""), "")
    assert re.search(attack.prints, text, re.MULTILINE), text
    assert len(text) < LIMITS.text + 1000


@pytest.mark.parametrize("name", HAND_INS)
def test_a_hand_in_gets_what_it_deserves(name, graded, table):
    hand_in, record, row = HAND_INS[name], graded[student(name)], table[student(name)]
    assert (record.points, record.status) == (hand_in.points, hand_in.status), (record.notes, record.flags)
    assert (row["score"], row["status"]) == ("" if hand_in.points is None else f"{hand_in.points}", hand_in.status)
    said = "\n".join(record.notes + record.flags)
    assert re.search(hand_in.says, said) if hand_in.says else not said, said
    assert record.judgement is None or record.judgement.events == []


def test_everyone_is_graded_in_the_one_run(graded, table):
    assert len(table) == len(graded) == len(ATTACKS) + len(HAND_INS)
    assert not [path for path in GRADED.rglob("*.html") if "<script" in path.read_text()]


def test_what_a_student_reads_repeats_no_hidden_input(judgements):
    judgement = judgements["dumps hidden inputs"]
    shown = [*judgement.texts.values(), *(part.fault for task in judgement.tasks for part in task.parts)]
    details = [part.detail for task in judgement.tasks for part in task.parts]
    visible = {"[6, 1.0", "[60, 0.01"}
    read, hidden = (
        {each for text in texts for each in re.findall(r"\[\d+, [\d.]+", text)} for texts in (shown, details)
    )
    assert hidden - visible, "it did see inputs of the hidden tests"
    assert read - visible, "and those of the public examples, which are other ones"
    assert not read & (hidden - visible)


def test_nothing_was_executed_outside_and_nothing_is_left(judgements):
    assert not MARKER.exists()
    names = [path.read_text().strip() for path in Path("/proc").glob("[0-9]*/comm")]
    assert "lr-daemon" not in names


def test_the_attacks_are_real(port):
    """Without the sandbox those that read do read: the patterns above can fail."""
    for name, trophy in {"reads files": "gradebook.db", "network": "127.0.0.1"}.items():
        judgement = judge(filled(ATTACKS[name], port), Unsafe(), LIMITS)
        assert trophy in judgement.texts["by-hand"]


SLOW = Attack(by_hand("import time\nend = time.process_time() + 1\nwhile time.process_time() < end: pass\n"
                      "return [lr0 * gamma ** ((i + every - 1) // every) for i in range(n)]"))  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["correct", "slow", "memory bomb", "fork bomb", "segfault", "right for the visible tests"]
)
def test_busy_neighbors_change_no_score(name, neighbors, port):
    attack = ATTACKS.get(name, SLOW)
    limits = replace(LIMITS, call_seconds=2.5) if name == "slow" else LIMITS
    judgement = judge(filled(attack, port), Bubblewrap(), limits)
    task = next(task for task in judgement.tasks if task.grade_id == attacked(attack))
    assert (judgement.points, task.status) == (attack.points, attack.status), judgement.events


def test_graded_again_the_records_are_the_same_bytes(graded, tmp_path):
    names = ["correct", "an address", "part of a task", "segfault", "dumps hidden inputs", "cells reversed", "corrupt"]
    for name in names:
        shutil.copytree(CLASS / student(name), tmp_path / "in" / student(name))
    (tmp_path / "out" / "01-decay").mkdir(parents=True)
    shutil.copy(GRADED / "01-decay" / "preflight.json", tmp_path / "out" / "01-decay")
    run.grade(ROOT, "1", tmp_path / "in", tmp_path / "out", jobs=1, sandbox=Bubblewrap(), limits=LIMITS, seed=SEED)
    for name in names:
        file = f"01-decay/records/{student(name)}.json"
        assert (tmp_path / "out" / file).read_bytes() == (GRADED / file).read_bytes()
