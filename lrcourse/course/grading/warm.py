"""A warm process, from which the sandboxed ones are forked: importing a framework takes seconds, a fork takes none.

It is started once per lab with a clean environment, imports what the lab's setup cell imports, and never runs a
student's code. For each session it lets bubblewrap build an empty sandbox, forks, and the fork walks in: it joins
the sandbox's namespaces, gives up every privilege, checks that it has, and only then serves.
"""

import contextlib
import ctypes
import fcntl
import gc
import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import time
import traceback
from dataclasses import asdict
from typing import Any

from . import driver
from .clock import Usage
from .limits import Limits
from .syscalls import refuse

libc = ctypes.CDLL(None, use_errno=True)
NS_GET_USERNS = 0xB701  # the user namespace that owns another one (ioctl_ns(2))
PR_SET_NO_NEW_PRIVS, PR_CAPBSET_DROP, PR_SET_PDEATHSIG, PR_CAP_AMBIENT = 38, 24, 1, 47
SYS_CAPSET = {"x86_64": 126, "aarch64": 91}
F_SETSIG = 10
WATCH = 0.25  # seconds between two looks at how much memory the sandboxes hold
NAMESPACES = ["mnt", "net", "ipc", "uts", "cgroup", "pid"]


def main() -> None:
    """Read the setup from the control socket on standard input, then start and end forks until it closes."""
    _die_with(int(sys.argv[1]))
    for kind in (resource.RLIMIT_DATA, resource.RLIMIT_CPU):  # who started it has limits of its own
        resource.setrlimit(kind, 2 * resource.getrlimit(kind)[1:])
    control = socket.socket(fileno=os.dup(0))
    order = json.loads(control.recv(1 << 20))
    os.chdir("/")
    try:
        shell = driver.notebook(order["setup"])
    except BaseException:
        control.send(json.dumps({"error": traceback.format_exc()[-3000:]}).encode())
        return
    gc.collect()
    gc.freeze()  # or the first collection of each fork would copy every page
    control.send(b"{}")
    forks: dict[int, Fork] = {}
    look = 0.0
    while True:
        if (now := time.monotonic()) >= look:
            for fork in forks.values():
                fork.watch()
            look = now + WATCH
        if not select.select([control], [], [], WATCH)[0]:
            continue
        text, channels, *_ = socket.recv_fds(control, 1 << 20, 1)
        if not text:
            break
        request = json.loads(text)
        if request["do"] == "start":
            channel = socket.socket(fileno=channels[0])
            try:
                fork = Fork(shell, channel, Limits(**request["limits"]), request["bubblewrap"])
                forks[fork.pid] = fork
                reply: dict[str, Any] = {"pid": fork.pid}
            except (OSError, RuntimeError, ValueError) as error:
                reply = {"error": str(error)}
            channel.close()
        elif request["do"] == "usage":
            asked = forks.get(request["pid"])
            reply = asdict(asked.room.usage()) if asked and asked.room else {}
        else:
            ended = forks.pop(request["pid"], None)  # None: a predecessor's, which died with it
            reply = {"end": ended.end(request["grace"]) if ended else ""}
        control.send(json.dumps(reply).encode())
    for fork in forks.values():
        fork.end(0)


def _die_with(pipe: int) -> None:
    """Whatever this process is at: kill it, and so its sandboxes, once nobody holds the other end of the pipe.

    (A parent's death signal would not do: it comes when the thread ends that started us, and not at all from a parent
    without privileges and of another user, as bubblewrap is.)
    """
    fcntl.fcntl(pipe, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(pipe, F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(pipe, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
    if select.select([pipe], [], [], 0)[0]:  # it was too late for a signal
        os._exit(1)


class Fork:
    """One fork that serves one notebook, in a sandbox of its own."""

    def __init__(self, shell: driver.Notebook, channel: socket.socket, limits: Limits, command: list[str]) -> None:
        self.room = Room(command) if command else None
        self.fault, self.memory = "", limits.memory
        ready, signal_ready = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            _child(shell, channel, limits, self.room, signal_ready)
        os.close(signal_ready)
        with open(ready, "rb") as stream:
            fault = stream.read()
        if fault != b"ready":
            self.end(0)
            raise RuntimeError(f"could not enter the sandbox: {fault.decode(errors='replace') or 'it died'}")

    def watch(self) -> None:
        """Kill everything in the sandbox if all of it together holds more memory than one process may."""
        if self.room and not self.fault and self.room.memory(self.memory) > self.memory:
            self.fault = f"it used more than {self.memory >> 20} MB"
            self.room.kill()

    def end(self, grace: float) -> str:
        """Kill everything in the sandbox and say how the fork ended, if it did by itself within `grace` seconds."""
        pidfd = os.pidfd_open(self.pid)
        ended, _, _ = select.select([pidfd], [], [], grace)
        os.close(pidfd)
        if self.room:
            self.room.close()
        else:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        _, status = os.waitpid(self.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        code = 128 - code if code < 0 else code
        if self.fault or not ended:
            return self.fault
        return f"it was ended by {signal.Signals(code - 128).name}" if code > 128 else f"it exited with code {code}"


class Room:
    """An empty sandbox, built by bubblewrap around a `cat` that keeps it alive."""

    def __init__(self, command: list[str]) -> None:
        info, write_info = os.pipe()
        self.holder = subprocess.Popen(
            [part.replace("INFO_FD", str(write_info)) for part in command],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=[write_info],
        )  # fmt: skip
        os.close(write_info)
        with open(info, "rb") as stream:
            text = stream.read()
        assert self.holder.stdin and self.holder.stdout and self.holder.stderr
        try:
            self.holder.stdin.write(b"\n")
            self.holder.stdin.flush()
        except BrokenPipeError:
            pass
        if self.holder.stdout.read(1) != b"\n":  # cat echoes once the sandbox stands
            self.holder.wait()
            raise RuntimeError(self.holder.stderr.read().decode(errors="replace").strip())
        self.pid = json.loads(text)["child-pid"]
        self.init = os.pidfd_open(self.pid)
        self.process_space = os.stat(f"/proc/{self.pid}/ns/pid").st_ino
        _first_victim(self.pid)
        _first_victim(self.holder.pid)

    def join(self) -> None:
        """Move this process into the room's namespaces; its next fork lives there."""
        spaces = {name: os.open(f"/proc/{self.pid}/ns/{name}", os.O_RDONLY) for name in ["user", *NAMESPACES]}
        owner = fcntl.ioctl(spaces["mnt"], NS_GET_USERNS)
        _check(libc.setns(owner, 0), "join the user namespace")
        for name in NAMESPACES:
            _check(libc.setns(spaces[name], 0), f"join the {name} namespace")
        if not os.path.sameopenfile(owner, spaces["user"]):
            _check(libc.setns(spaces["user"], 0), "join the inner user namespace")

    def processes(self) -> list[str]:
        return [name for name in os.listdir("/proc") if name.isdigit() and _process_space(name) == self.process_space]

    def usage(self) -> Usage:
        """The time of the processors that the room has used, and whether nothing in it is able to run."""
        pids = self.processes()
        return Usage(sum(map(_processor, pids)), not any(map(_runs, pids)))

    def memory(self, limit: int) -> int:
        """The bytes that the room's processes hold together, a shared page counted once; 0 if clearly below `limit`."""
        pids = self.processes()
        if sum(_resident(pid) for pid in pids) < limit:
            return 0  # the exact number costs milliseconds
        return sum(_proportional(pid) for pid in pids)

    def kill(self) -> None:
        """Kill the room's first process: the kernel ends all others with it."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.init, signal.SIGKILL)

    def close(self) -> None:
        """Kill the room and what is left of it."""
        self.kill()
        os.close(self.init)
        self.holder.kill()
        self.holder.communicate()


def _process_space(pid: str) -> int:
    try:
        return os.stat(f"/proc/{pid}/ns/pid").st_ino
    except OSError:  # gone, or another user's
        return 0


def _stat(place: str) -> list[str]:
    """The fields of a process or thread from its state on; the name before it may hold anything."""
    return _read(f"{place}/stat", ") X" + 14 * " 0").rpartition(")")[2].split()


def _processor(pid: str) -> float:
    """The seconds of a process and of its children that are no more, in user mode and in the kernel."""
    return sum(map(int, _stat(f"/proc/{pid}")[11:15])) / os.sysconf("SC_CLK_TCK")


def _runs(pid: str) -> bool:
    """Whether one of its threads runs or waits for a processor.

    (One that waits for a disk looks like one that waits, as long as it likes, for a child that has its memory.)
    """
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return False
    return any(_stat(f"/proc/{pid}/task/{thread}")[0] == "R" for thread in threads)


def _resident(pid: str) -> int:
    return int(_read(f"/proc/{pid}/statm", "0 0").split()[1]) * resource.getpagesize()


def _proportional(pid: str) -> int:
    return int(_read(f"/proc/{pid}/smaps_rollup", "Pss: 0").partition("Pss:")[2].split()[0]) << 10


def _read(path: str, otherwise: str) -> str:
    try:
        with open(path) as file:
            return file.read() or otherwise
    except OSError:
        return otherwise


def _first_victim(pid: int) -> None:
    """Short of memory, the kernel ends this process before any other."""
    try:
        with open(f"/proc/{pid}/oom_score_adj", "w") as file:
            file.write("1000")
    except OSError:
        pass


def _child(shell: driver.Notebook, channel: socket.socket, limits: Limits, room: Room | None, ready: int) -> None:
    """In the fork: enter the room, fork once more to live in its process namespace, give up privileges, serve."""
    try:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        os.setsid()
        outside = {name: os.readlink(f"/proc/self/ns/{name}") for name in ["user", *NAMESPACES]}
        _first_victim(os.getpid())
        if room:
            room.join()
        if pid := os.fork():
            os.close(ready)
            channel.close()
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            os._exit(128 - code if code < 0 else code)
        channel_fd, ready = _keep([channel.fileno(), ready])
        channel.detach()
        if not room:
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        else:  # the room's first process ends it
            _drop_privileges()
            refuse()
            _prove(outside)
        os.chdir("/tmp")
        _limit(limits)
        os.write(ready, b"ready")
        os.close(ready)
    except BaseException as error:
        os.write(ready, f"{type(error).__name__}: {error}".encode())
        os._exit(1)
    try:
        with os.fdopen(channel_fd, "rb") as requests, os.fdopen(channel_fd, "wb", closefd=False) as answers:
            driver.serve(shell, requests, answers, limits)
    finally:
        os._exit(0)


def _keep(wanted: list[int]) -> list[int]:
    """Close every file but `wanted`, which move to 3, 4, …, and let standard input and output lead nowhere."""
    high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 100) for fd in wanted]
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    kept = [os.dup2(fd, 3 + i) for i, fd in enumerate(high)]
    os.closerange(3 + len(wanted), resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    return kept


def _drop_privileges() -> None:
    """No capability, and none to be had."""
    _check(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "refuse new privileges")
    for capability in range(64):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    libc.prctl(PR_CAP_AMBIENT, 4, 0, 0, 0)
    header, nothing = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    _check(libc.syscall(SYS_CAPSET[os.uname().machine], header, nothing), "drop capabilities")


def _prove(outside: dict[str, str]) -> None:
    """Fail unless every namespace is another one and nothing is left of any privilege."""
    shared = [name for name, before in outside.items() if os.readlink(f"/proc/self/ns/{name}") == before]
    with open("/proc/self/status") as file:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    powers = [name for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb") if int(status[name], 16)]
    if shared or powers or status["NoNewPrivs"] != "1" or os.getuid() == 0:
        raise RuntimeError(f"the sandbox leaks: shared namespaces {shared}, capabilities {powers}, user {os.getuid()}")


def _limit(limits: Limits) -> None:
    for name, value in {
        "AS": limits.memory, "CPU": 2 * int(limits.total_seconds) + 1, "FSIZE": limits.file_size, "CORE": 0,
        "NOFILE": limits.open_files, "NPROC": limits.processes, "MSGQUEUE": 0, "MEMLOCK": 0,
    }.items():  # fmt: skip
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))


def _check(code: int, purpose: str) -> None:
    if code:
        raise OSError(ctypes.get_errno(), f"cannot {purpose}: {os.strerror(ctypes.get_errno())}")


if __name__ == "__main__":
    main()
    sys.exit(0)
