"""A sweep in pieces that are written as they finish, so that a killed one continues where it stopped."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from ..schedules.checks import bad
from .outcome import Outcome


class Folder:
    """Where the pieces of one sweep are kept: `manifest.json` says which sweep, `chunk-….npz` hold the outcomes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)

    def manifest(self, digest: str) -> dict[str, Any] | None:
        """What was decided when the sweep began, None if it has not.

        Raises: `ValueError` if the folder holds another sweep.
        """
        file = self.path / "manifest.json"
        if not file.exists():
            return None
        manifest = json.loads(file.read_text(encoding="utf-8"))
        if manifest["plan"] != digest:
            raise bad("folder", str(self.path), "empty or begun by this very sweep", "choose another folder")
        return manifest

    def begin(self, manifest: dict[str, Any]) -> None:
        self._write("manifest.json", lambda file: file.write(json.dumps(manifest, indent=1).encode()))

    def save(self, start: int, outcome: Outcome) -> None:
        self._write(_name(start), lambda file: np.savez(file, allow_pickle=False, **outcome.arrays()))

    def load(self, start: int) -> Outcome | None:
        file = self.path / _name(start)
        if not file.exists():
            return None
        with np.load(file) as arrays:
            return Outcome(**arrays)

    def _write(self, name: str, write: Any) -> None:
        """Whole or not at all: a file gets its name when it is complete and on the disk."""
        partial = self.path / f"{name}.{os.getpid()}.partial"
        with partial.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self.path / name)


def _name(start: int) -> str:
    return f"chunk-{start:08}.npz"
