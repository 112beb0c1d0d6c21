"""Scores by all that decides them, on the disk, so that no run is trained twice."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from ..fingerprint import described
from ..validation import bad


class Kept:
    """`folder/scores.jsonl`: a line per run, written when it is done. With None, nothing outlasts the process."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.scores: dict[str, float] = {}
        if folder is None:
            return
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "scores.jsonl"
        lines = self.file.read_bytes().split(b"\n") if self.file.exists() else [b""]
        for number, line in enumerate(lines[:-1], start=1):
            try:
                entry = json.loads(line)
                self.scores[entry["run"]] = float(entry["score"])
            except (ValueError, KeyError, TypeError):
                raise bad("folder", f"{self.file}, line {number}", "whole", "delete that line") from None
        if lines[-1]:  # the process was killed while it wrote
            os.truncate(self.file, self.file.stat().st_size - len(lines[-1]))

    def __contains__(self, key: str) -> bool:
        return key in self.scores

    def __getitem__(self, key: str) -> float:
        return self.scores[key]

    def key(self, *parts: Any) -> str:
        """Of all that decides a run, whatever process asks."""
        return hashlib.sha256(repr([described(each) for each in parts]).encode()).hexdigest()[:32]

    def add(self, key: str, score: float) -> None:
        self.scores[key] = score
        if self.folder is not None:
            line = json.dumps({"run": key, "score": score}) + "\n"
            with self.file.open("ab") as file:
                file.write(line.encode())

    def place(self, keys: list[str]) -> Path | None:
        """A folder for the work on these very runs while it lasts, None if nothing is kept."""
        if self.folder is None:
            return None
        return self.folder / f"at-work-{hashlib.sha256(repr(keys).encode()).hexdigest()[:16]}"
