"""Sandboxes by podman or docker, for machines without bubblewrap. Each one imports the lab's frameworks anew.

The image must hold Python and this package with the `labs` extra: `podman build` from the repository's environment.
"""

import functools
import json
import shutil
import signal
import socket
import subprocess
import time
import uuid
from dataclasses import asdict, dataclass

from ...determinism import ENVIRONMENT
from .limits import Limits
from .sandbox import Ended, NoSandbox, Process, until

IMAGE = "lrcourse"
NOBODY = "65534:65534"
START_SECONDS = 120


@dataclass(frozen=True)
class Container:
    """Containers without network or privileges. `engine`: "podman" or "docker"; by default whichever there is."""

    image: str = IMAGE
    engine: str = ""

    @property
    def name(self) -> str:
        """What it is, for the record."""
        return f"{self.program() or 'podman'}, image {self.image}"

    def available(self) -> str | None:
        """Why it cannot be used here; None if it can."""
        return hindrance(self)

    def start(self, setup: str, limits: Limits) -> Process:
        """A new container. Raises: `NoSandbox` if there is no engine."""
        name = f"lrcourse-{uuid.uuid4().hex}"
        ours, theirs = socket.socketpair()
        try:
            process = subprocess.Popen(
                self.command(name, setup, limits),
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.DEVNULL,
            )
        except OSError as error:
            ours.close()
            raise NoSandbox(f"{self.program() or 'podman'}: {error}") from None
        finally:
            theirs.close()
        container = Process(ours, functools.partial(self._end, name, process))
        try:  # the first frame comes before any of the student's code: what fails until then is not the student's fault
            container.receive(1000, until(time.monotonic() + START_SECONDS))
        except (Ended, TimeoutError):
            raise NoSandbox(f"{self.name}: the container did not start; {container.end(grace=1.0)}") from None
        return container

    def command(self, name: str, setup: str, limits: Limits) -> list[str]:
        """The command that runs the driver in a container, on standard input and output."""
        environment = ENVIRONMENT | {"HOME": "/tmp", "MPLBACKEND": "agg", "MPLCONFIGDIR": "/tmp", "IPYTHONDIR": "/tmp"}
        order = json.dumps({"setup": setup, "limits": asdict(limits)})
        return [
            self.program() or "podman", "run", "--rm", "--interactive", "--name", name, "--pull", "never",
            "--network", "none", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
            "--user", NOBODY, "--pids-limit", str(limits.processes), "--memory", str(limits.memory),
            "--memory-swap", str(limits.memory), "--shm-size", str(limits.disk),
            "--tmpfs", f"/tmp:rw,nosuid,nodev,size={limits.disk},mode=1777", "--workdir", "/tmp",
            "--ulimit", f"nofile={limits.open_files}", "--ulimit", f"fsize={limits.file_size}", "--ulimit", "core=0",
            "--ulimit", f"cpu={int(limits.total_seconds) + 1}",
            *(part for name, value in environment.items() for part in ("--env", f"{name}={value}")),
            self.image, "python", "-s", "-P", "-m", f"{__package__}.driver", order,
        ]  # fmt: skip

    def _end(self, name: str, process: subprocess.Popen[bytes], grace: float) -> str:
        ended = True
        try:
            process.wait(grace)
        except subprocess.TimeoutExpired:
            ended = False
            subprocess.run([self.program(), "kill", name], capture_output=True, timeout=30)
            process.kill()
        code = process.wait()
        if not ended:
            return ""
        code = 128 - code if code < 0 else code
        return f"it was ended by {signal.Signals(code - 128).name}" if code > 128 else f"it exited with code {code}"

    def program(self) -> str:
        return self.engine or next((each for each in ("podman", "docker") if shutil.which(each)), "")


@functools.lru_cache
def hindrance(container: Container) -> str | None:
    if not (program := container.program()):
        return "neither podman nor docker is installed"
    try:
        subprocess.run([program, "image", "inspect", container.image], check=True, capture_output=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return f"there is no image {container.image}, or {program} does not answer; `lrcourse` must be installed in it"
    return None
