"""Open a notebook in JupyterLab."""

import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path


def open_jupyterlab(path: Path, environment: Mapping[str, str]) -> int:
    """Run JupyterLab on a notebook until it is closed, with more variables in its environment; its exit status.

    Raises: `ModuleNotFoundError` where it is not installed.
    """
    if find_spec("jupyterlab") is None:
        raise ModuleNotFoundError(name="jupyterlab")
    command = [sys.executable, "-m", "jupyterlab", str(path)]
    return subprocess.run(command, env={**os.environ, **environment}).returncode
