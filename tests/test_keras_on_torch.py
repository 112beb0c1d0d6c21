"""Everything in test_keras_callbacks.py once more, with Keras on PyTorch: the backend is chosen before the import."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_the_callbacks_on_the_torch_backend() -> None:
    file = Path(__file__).with_name("test_keras_callbacks.py")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(file)]
    run = subprocess.run(command, env={**os.environ, "KERAS_BACKEND": "torch"}, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "skipped" not in run.stdout
