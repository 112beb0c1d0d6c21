"""Sandboxes by bubblewrap, entered by forks of a process that has the lab's imports behind it (see `warm`)."""

import atexit
import functools
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...determinism import ENVIRONMENT
from .clock import Usage
from .limits import Limits
from .sandbox import NoSandbox, Process

LIBRARIES = ["/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32", "/usr/lib64"]
DEVICES = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"]
# What the kernel tells there is of the whole machine: its load, its memory, its locks. A sandbox could tell another one
# something by it. Files are empty, folders too.
WHOLE_MACHINE = [
    f"/proc/{name}"
    for name in (
        "buddyinfo", "diskstats", "interrupts", "kallsyms", "kcore", "keys", "key-users", "latency_stats", "loadavg",
        "locks", "meminfo", "pagetypeinfo", "schedstat", "slabinfo", "softirqs", "stat", "swaps", "timer_list",
        "vmallocinfo", "vmstat", "zoneinfo", "fs", "irq", "pressure", "sys/fs", "sys/vm",
    )
]  # fmt: skip
NOBODY = 65534
HOME = "/tmp"
WALLS = [
    "--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session", "--cap-drop", "ALL",
    "--clearenv",
]  # fmt: skip


@dataclass(frozen=True)
class Bubblewrap:
    """Namespaces of Linux, without root. `devices`: what else of /dev the sandbox shows, such as a GPU's files."""

    devices: tuple[str, ...] = ()
    name = "bubblewrap"

    def available(self) -> str | None:
        """Why it cannot be used here; None if it can."""
        return hindrance(self)

    def start(self, setup: str, limits: Limits) -> Process:
        """A new sandbox. Raises: `NoSandbox` if it cannot be built."""
        warm = warm_process(setup, as_nobody())
        try:
            return warm.start(limits, self.command(limits))
        except NoSandbox:  # what it sees of the machine may have been replaced meanwhile, by an update of a library
            warm.close()
            return warm.start(limits, self.command(limits))

    def command(self, limits: Limits) -> list[str]:
        """The command that builds an empty sandbox and keeps it until its standard input closes."""
        cat = _program("cat")
        return [
            _program("bwrap"), *WALLS, *_in_memory(HOME, limits), *_view(cat),
            "--size", "4096", "--tmpfs", str(Path(__file__).parent),
            "--proc", "/proc", *_masks(WHOLE_MACHINE), "--size", "4096", "--tmpfs", "/dev",
            *(part for device in (*DEVICES, *self.devices) for part in ("--dev-bind", device, device)),
            *_in_memory("/dev/shm", limits),
            *(part for place in (str(Path(__file__).parent), "/dev", "/") for part in ("--remount-ro", place)),
            "--chdir", HOME, "--info-fd", "INFO_FD", "--", cat,
        ]  # fmt: skip


@dataclass(frozen=True)
class Unsafe:
    """No sandbox: a submission can read, change and send away whatever the user who grades can."""

    name = "none (unsafe)"

    def available(self) -> str | None:
        """Nothing hinders it."""
        return None

    def start(self, setup: str, limits: Limits) -> Process:
        """A new process without walls."""
        return warm_process(setup, ()).start(limits, [])


class Warm:
    """A process with a lab's setup behind it, from which sessions are forked."""

    def __init__(self, setup: str, prefix: tuple[str, ...]) -> None:
        self.setup, self.prefix = setup, prefix
        self.control: socket.socket | None = None
        self.home: tempfile.TemporaryDirectory[str] | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self.lifeline = -1  # while it is open, the process lives
        os.register_at_fork(after_in_child=self._forget)

    def start(self, limits: Limits, command: list[str]) -> Process:
        """A fork, in a sandbox of its own that `command` builds. Raises: `NoSandbox`."""
        order = json.dumps({"do": "start", "limits": asdict(limits), "bubblewrap": command}).encode()
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                reply = self._ask(order, theirs)
            except ConnectionError:  # it died: a new one
                self.close()
                reply = self._ask(order, theirs)
        if fault := reply.get("error"):
            ours.close()
            raise NoSandbox(fault)
        pid = reply["pid"]
        return Process(ours, functools.partial(self._end, pid), functools.partial(self._usage, pid))

    def _ask(self, order: bytes, channel: socket.socket) -> dict[str, Any]:
        self.open()
        assert self.control
        socket.send_fds(self.control, [order], [channel.fileno()])
        return self._reply()

    def _end(self, pid: int, grace: float) -> str:
        if not self.control:
            return ""
        try:
            self.control.send(json.dumps({"do": "end", "pid": pid, "grace": grace}).encode())
            return str(self._reply()["end"])
        except ConnectionError:  # its sandboxes ended with it
            return ""

    def _usage(self, pid: int) -> Usage | None:
        if not self.control:
            return None
        try:
            self.control.send(json.dumps({"do": "usage", "pid": pid}).encode())
            reply = self._reply()
        except ConnectionError:
            return None
        return Usage(**reply) if reply else None

    def _reply(self) -> dict[str, Any]:
        assert self.control
        text = self.control.recv(1 << 20)
        if not text:
            raise ConnectionError("the process that starts the sandboxes died")
        reply: dict[str, Any] = json.loads(text)
        return reply

    def open(self) -> None:
        """Start the process, if it does not run yet. Raises: `NoSandbox`, `RuntimeError` if the setup cell fails."""
        if self.control:
            return
        self.home = tempfile.TemporaryDirectory(prefix="lrcourse-")
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        end, self.lifeline = os.pipe()
        with tempfile.TemporaryFile() as errors:
            self.process = subprocess.Popen(
                [*self.prefix, sys.executable, "-s", "-P", "-m", f"{__package__}.warm", str(end)],
                stdin=theirs.fileno(), stdout=errors, stderr=errors, start_new_session=True, pass_fds=[end],
                env=_environment(self.home.name, bool(self.prefix)),
            )  # fmt: skip
            theirs.close()
            os.close(end)
            try:
                self.control.send(json.dumps({"setup": self.setup}).encode())
                reply = self._reply()
            except OSError as error:
                reply = {"error": str(error)}
            if fault := reply.get("error"):
                self.close()
                errors.seek(0)
                raise NoSandbox(f"{fault}\n{errors.read()[-2000:].decode(errors='replace')}".strip())
        atexit.register(self.close)

    def close(self) -> None:
        """End the process, its sandboxes with it."""
        if self.control and self.process and self.home:
            self.control.close()
            self.control = None
            os.close(self.lifeline)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.home.cleanup()

    def _forget(self) -> None:
        """In a fork of this process: it is the parent's, and must not live on because the fork does."""
        if self.control and self.home:
            self.control.close()
            self.control = None
            os.close(self.lifeline)
            self.home._finalizer.detach()  # type: ignore[attr-defined]


warm_process = functools.lru_cache(maxsize=4)(Warm)


@functools.lru_cache
def hindrance(sandbox: Bubblewrap) -> str | None:
    """Try it for real: the answer of a small program from inside is the only proof."""
    if sys.platform != "linux":
        return "it needs Linux"
    if not shutil.which("bwrap"):
        return "not installed"
    try:
        warm = Warm("", as_nobody())
        warm.start(Limits(), sandbox.command(Limits())).end()
        warm.close()
    except NoSandbox as error:
        return str(error)
    return None


def _program(name: str) -> str:
    return os.path.realpath(shutil.which(name) or name)


def _view(*programs: str) -> list[str]:
    """Read-only: the libraries of the system, the interpreter, the environment, this package and some programs."""
    shown = [*LIBRARIES, "/etc/ld.so.cache", *map(str, python_paths()), *programs]
    parents = sorted({str(parent) for path in shown for parent in Path(path).parents} - {"/"})
    view = [part for parent in parents for part in ("--perms", "0755", "--dir", parent)]  # else nobody cannot pass
    for path in dict.fromkeys(shown):
        if os.path.islink(path):
            view += ["--symlink", os.readlink(path), path]
        elif os.path.exists(path):
            view += ["--ro-bind", path, path]
    return view


def _masks(places: Sequence[str]) -> list[str]:
    """Over a file a device that cannot be opened, over a folder an empty one."""
    masks = []
    for place in filter(os.path.exists, places):
        masks += (
            ["--perms", "0555", "--size", "4096", "--tmpfs", place, "--remount-ro", place]
            if os.path.isdir(place)
            else ["--ro-bind", "/dev/null", place]
        )
    return masks


def _in_memory(place: str, limits: Limits) -> tuple[str, ...]:
    """A writable folder. HOME comes before the view: what is shown may lie below it."""
    return ("--size", str(limits.disk), "--tmpfs", place)


def python_paths() -> list[Path]:
    base = Path(sys.base_prefix)
    # A system's interpreter shares /usr with everything else: its library is shown already.
    interpreter = [base] if base != Path("/usr") else [Path(os.path.realpath(sys.executable))]
    environment = [Path(sys.prefix)] if sys.prefix != sys.base_prefix else []
    return [*interpreter, *environment, Path(__file__).parents[2]]


def as_nobody() -> tuple[str, ...]:
    """For root: what turns the warm process into one of nobody's, who sees no more than a sandbox does.

    The kernel does not count the processes of root, and nobody cannot enter root's folders.
    """
    if os.getuid() != 0:
        return ()
    programs = [_program(name) for name in ("bwrap", "setpriv", "cat")]
    return (
        _program("bwrap"), "--die-with-parent", "--perms", "1777", "--tmpfs", HOME, *_view(*programs),
        "--bind", "/proc", "/proc", "--dev", "/dev", "--chdir", "/", "--",
        _program("setpriv"), f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--inh-caps=-all", "--",
    )  # fmt: skip


def _environment(home: str, nobody: bool) -> dict[str, str]:
    """What a notebook's process knows: nothing of the user who grades."""
    places = {"MPLCONFIGDIR": home, "IPYTHONDIR": home} if not nobody else {}
    return ENVIRONMENT | {
        "HOME": HOME, "TMPDIR": HOME, "USER": "student", "LANG": "C.UTF-8", "PATH": "/usr/bin:/bin",
        "MPLBACKEND": "agg", "MPLCONFIGDIR": f"{HOME}/matplotlib", "IPYTHONDIR": f"{HOME}/ipython",
        "PYTHONDONTWRITEBYTECODE": "1",
    } | places  # fmt: skip
