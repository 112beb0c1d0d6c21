"""The secret that hidden inputs are drawn from: one for each grading, so that what leaks from one is worth nothing.

A grading that was killed goes on with its secret. As soon as anyone has been judged with it, it is used for no hand-in
that has yet to be shown its visible checks: what a page holds comes from before any hidden input was drawn.
"""

import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from .files import write


@dataclass
class OpenSeed:
    """The secret of the grading that is at work, kept in the file `path` until it is over. `used`: to judge with."""

    path: Path
    seed: str
    used: bool = False

    def use(self) -> None:
        """From now on it is in use."""
        self.used = True
        self.save()

    def redraw(self) -> None:
        """Another one in its place."""
        self.seed = secrets.token_hex(16)
        self.save()

    def save(self) -> None:
        write(self.path, json.dumps({"seed": self.seed, "used": self.used}) + "\n")


def unused(path: Path, given: str | None = None) -> OpenSeed:
    """A secret that nobody has been judged with: `given`, that of a grading which was interrupted, or a new one."""
    if given is None and path.exists():
        kept = json.loads(path.read_text(encoding="utf-8"))
        if not kept["used"]:
            return OpenSeed(path, kept["seed"])
    return OpenSeed(path, given or secrets.token_hex(16))
