"""A part of a sweep while it trains: how far it is, for a progress bar, and where it stands, on the disk."""

import pickle
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from .chunks import damaged, write

EVERY = 30.0  # seconds of work that are lost at most
SHORT = 0.1  # seconds: steps are watched in pieces that take about so long, as watching has its price


class Watch:
    """`file`: where the state of the part is kept, None for nowhere. `report`: is told every member's updates."""

    def __init__(self, file: Path | None = None, report: Callable[[int], object] | None = None) -> None:
        self.file = file
        self.report = report
        self.saved = time.monotonic()

    def state(self) -> Any:
        """What `done` kept of the same part when it was interrupted, None if there is nothing."""
        if self.file is None or not self.file.exists():
            return None
        try:
            return torch.load(self.file, weights_only=True)
        except (RuntimeError, EOFError, pickle.UnpicklingError):
            raise damaged(self.file) from None

    def done(self, updates: int, state: Callable[[], Any]) -> None:
        """`updates` more are done; `state()`, tensors in lists or mappings, is kept if it is time for that."""
        if self.report is not None:
            self.report(updates)
        if self.file is not None and time.monotonic() - self.saved >= EVERY:
            write(self.file, lambda file: torch.save(state(), file))
            self.saved = time.monotonic()
