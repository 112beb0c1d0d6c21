"""A process that works for one student at a time, so that whatever a hand-in does to it costs that student alone.

It has a limit of memory and of time for each call, is killed when it passes one, and dies with the process that
started it.
"""

import contextlib
import ctypes
import importlib
import os
import pickle
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from ...determinism import ENVIRONMENT
from .sandbox import NoSandbox

MEMORY = 2 << 30  # bytes that one call may take, on top of what the process holds already
KEEP = 1 << 30  # bytes by which a process may have grown to be used again: what it remembers of others is no one's
PROCESSOR = 60  # seconds that it may compute, which ends a loop long before a clock that is generous to busy machines
START = 120.0  # seconds for it to load what it works with
LEAVE = 5.0  # seconds for it to end by itself
PR_SET_PDEATHSIG = 1
_idle: list["Child"] = []
_all: set["Child"] = set()
_lock = threading.Lock()
# Children are told when the thread that started them ends, so that is one which lasts.
_starter = ThreadPoolExecutor(1, "starter")


class Failed(RuntimeError):
    """A call that came to no end: it raised, hung, took too much memory, or its process was killed."""


class NotStarted(Failed):
    """A call whose process never came to begin it."""


def call(function: Callable[..., Any], *args: Any, seconds: float) -> Any:
    """What `function(*args)` returns in a child process, which has `seconds` for it.

    Raises: `Failed` with the reason, `NoSandbox` if the function does.
    """
    return call_packed(pickle.dumps((function, args)), seconds)


def call_packed(work: bytes, seconds: float) -> Any:
    """`call` of a pickled function and its arguments, which only the child opens."""
    with _lock:
        child = _idle.pop() if _idle else None
    child = child or _starter.submit(Child).result()
    try:
        result = child.ask(work, seconds)
    except BaseException:
        child.kill()
        raise
    kind, value, grew = result
    if grew > KEEP:
        child.kill()
    with _lock:
        if child in _all:
            _idle.append(child)
    if kind == "value":
        return value
    raise NoSandbox(value) if kind == "no sandbox" else Failed(value)


def close_all() -> None:
    """End every child of this process, those at work as well. Who is idle has time to remove what it made."""
    with _lock:
        idle, children = [*_idle], [*_all]
        _idle.clear()
    for child in idle:
        child.channel.close()
    for child in idle:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.process.wait(LEAVE)
    for child in children:
        child.kill()


class Child:
    """One such process."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        program = f"from {__name__} import main; main({theirs.fileno()}, {os.getpid()}, {PROCESSOR})"
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", program],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()], start_new_session=True, env=_environment(),
            )  # fmt: skip
        self.channel, self.ready = Connection(ours.detach()), False
        with _lock:
            _all.add(self)

    def ask(self, work: bytes, seconds: float) -> tuple[str, Any, int]:
        """The result of a call: its kind, a value, and by how much the process has grown. Raises: `Failed`."""
        try:
            if not self.ready and not self.channel.poll(START):
                raise NotStarted(f"its process did not start within {START:g} s")
            self.ready = self.ready or self.channel.recv()
            self.channel.send_bytes(work)
            if not self.channel.poll(seconds):
                raise Failed(f"it came to no end within {seconds:g} s")
            result: tuple[str, Any, int] = self.channel.recv()
            return result
        except (OSError, EOFError):
            raise (Failed if self.ready else NotStarted)(f"its process died: {self._how()}") from None

    def kill(self) -> None:
        """End it, and with it what it has started: that looks for its parent."""
        with _lock:
            _all.discard(self)
        self.process.kill()
        self.process.wait()
        self.channel.close()

    def _how(self) -> str:
        try:
            code = self.process.wait(5)
        except subprocess.TimeoutExpired:
            return "it closed its channel"
        if code == -signal.SIGXCPU:
            return f"it took more than {PROCESSOR} s of processor time"
        return f"exit code {code}" if code >= 0 else signal.Signals(-code).name


def _environment() -> Mapping[str, str]:
    paths = [str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")]
    return os.environ | ENVIRONMENT | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}


def main(channel: int, parent: int, processor: int) -> None:
    """In the child: answer calls until the channel closes, each within so many seconds of the processor."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before this process could ask to be told
        return
    # jsonschema, which nbformat loads, would read the grammar of addresses that no notebook has: most of the start.
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
    importlib.import_module(f"{__package__}.steps")
    connection = Connection(channel)
    connection.send(True)
    before = _resident()
    while True:
        try:
            work = connection.recv_bytes()
        except EOFError:
            return
        connection.send((*_result(work, processor), _resident() - before))


def _result(work: bytes, processor: int) -> tuple[str, Any]:
    try:
        with _Limited(processor):
            function, args = pickle.loads(work)
            return "value", function(*args)
    except NoSandbox as error:
        return "no sandbox", str(error)
    except MemoryError:
        return "failed", f"it took more than {MEMORY >> 20} MB of memory"
    except RecursionError:
        return "failed", "it is nested too deeply"
    except Exception:
        return "failed", traceback.format_exc(limit=-3).strip()[-3000:]


def _held() -> int:
    """The bytes of addresses that this process has for data, whether it has used them or not."""
    return _memory(5)


def _resident() -> int:
    """The bytes that this process holds in memory."""
    return _memory(1)


def _memory(kind: int) -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[kind]) * resource.getpagesize()


class _Limited:
    """What this process may allocate and compute while a call lasts; libraries that it maps do not count."""

    def __init__(self, processor: int) -> None:
        self.processor = processor

    def __enter__(self) -> None:
        limits = {
            resource.RLIMIT_DATA: _held() + MEMORY,
            resource.RLIMIT_CPU: int(time.process_time()) + self.processor,
        }
        self.before = {kind: resource.getrlimit(kind) for kind in limits}
        for kind, limit in limits.items():
            resource.setrlimit(kind, (limit, self.before[kind][1]))

    def __exit__(self, *_: object) -> None:
        for kind, before in self.before.items():
            resource.setrlimit(kind, before)
