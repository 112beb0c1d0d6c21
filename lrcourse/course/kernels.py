"""Kernels that run notebooks, reached through files in a folder of their own: nobody else can listen or take a port."""

import os
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any

from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbformat import NotebookNode

LONGEST = 90  # characters of the address, as systems differ in what they take: 107 on Linux, 103 on macOS
_running: weakref.WeakSet["_Manager"] = weakref.WeakSet()


class _Manager(AsyncKernelManager):
    def __init__(self, **options: Any) -> None:
        folder = tempfile.mkdtemp(prefix="kernel-")
        self.remove = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        file = str(Path(folder) / "connection.json")
        transport = "ipc" if os.name == "posix" and len(file) <= LONGEST else "tcp"
        super().__init__(transport=transport, connection_file=file, **options)
        _running.add(self)

    async def cleanup_resources(self, restart: bool = False) -> None:  # type: ignore[override]
        await self._async_cleanup_resources(restart)
        self.remove()


def client(notebook: NotebookNode, folder: Path, **options: Any) -> NotebookClient:
    """Runs `notebook`, in place, in a fresh kernel in `folder`; `options` are those of nbclient's `NotebookClient`."""
    return NotebookClient(
        notebook, kernel_name="python3", kernel_manager_class=_Manager, resources={"metadata": {"path": str(folder)}},
        extra_arguments=["--log-level=ERROR"],  # where the address had to be a port, the kernel would warn of it
        record_timing=False,  # the time of day in each cell would make every run differ
        **options,
    )  # fmt: skip


def stop() -> None:
    """Kill every kernel that runs: whoever waits for one finds it dead."""
    for manager in list(_running):
        if process := getattr(manager.provisioner, "process", None):
            process.kill()
