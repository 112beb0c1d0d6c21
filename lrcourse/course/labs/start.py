"""Start a lab: a copy to work on, which a second start leaves as it is."""

import shutil
from pathlib import Path

from .folders import find


def start(lab: str, folder: Path | None = None) -> tuple[Path, bool]:
    """Copy a lab ("1", "01" or "01-decay") into `folder`, by default my-labs/; returns the copy and whether it is new.

    Raises: `ValueError` if there is no such lab.
    """
    given, mine = find(lab)
    if folder is not None:
        mine = folder / given.name
    new = not mine.exists()
    if new:
        mine.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(given, mine)
    return mine, new
