"""A sweep in pieces that are written as they finish, so that a killed one continues where it stopped."""

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..validation import bad
from .outcome import Outcome


class Folder:
    """Where the pieces of one sweep are kept: `manifest.json` says which sweep, `chunk-….npz` hold the outcomes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise bad("folder", str(path), "a folder that can be made", str(error)) from None

    def manifest(self, digest: str) -> dict[str, Any] | None:
        """What was decided when the sweep began, None if it has not.

        Raises: `ValueError` if the folder holds another sweep, or pieces of which nothing says whose they are.
        """
        file = self.path / "manifest.json"
        try:
            manifest = json.loads(file.read_text(encoding="utf-8")) if file.exists() else None
        except ValueError:
            raise bad("folder", str(self.path), "one whose manifest.json is whole", "choose another folder") from None
        of_another = any(self.path.glob("chunk-*")) if manifest is None else manifest["plan"] != digest
        if of_another:
            raise bad("folder", str(self.path), "empty or begun by this very sweep", "choose another folder")
        return manifest

    def begin(self, manifest: dict[str, Any]) -> None:
        write(self.path / "manifest.json", lambda file: file.write(json.dumps(manifest, indent=1).encode()))

    def unfinished(self, start: int) -> Path:
        """The file of a piece that is still in training."""
        return self.path / f"chunk-{start:08}.pt"

    def save(self, start: int, outcome: Outcome) -> None:
        write(self._finished(start), lambda file: np.savez(file, allow_pickle=False, **outcome.arrays()))
        self.unfinished(start).unlink(missing_ok=True)

    def load(self, start: int) -> Outcome | None:
        file = self._finished(start)
        if not file.exists():
            return None
        try:
            with np.load(file) as arrays:
                return Outcome.of(dict(arrays))
        except (ValueError, TypeError, OSError, EOFError, zipfile.BadZipFile):
            raise damaged(file) from None

    def _finished(self, start: int) -> Path:
        return self.path / f"chunk-{start:08}.npz"


def damaged(file: Path) -> ValueError:
    return bad("folder", str(file), "a whole file", "delete it, and its settings are trained again")


def write(path: Path, content: Callable[[Any], object]) -> None:
    """Whole or not at all: a file gets its name when it is complete and on the disk."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    with partial.open("wb") as file:
        content(file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
