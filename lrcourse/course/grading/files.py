"""Files: ours are whole or not there, whenever the grader is killed, and theirs are read only if they are plain."""

import os
import re
from io import BufferedReader
from pathlib import Path

IGNORED = re.compile(r"(^|/)(\..*|__MACOSX|Thumbs\.db|desktop\.ini)(/|$)")


def write(path: Path, text: str) -> None:
    """Write a text file at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.part")
    with open(unfinished, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def open_plain(path: Path) -> BufferedReader:
    """A plain file for reading; a link fails, and a pipe does not wait for a writer."""
    return open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")


def ignored(name: str) -> bool:
    """Whether a file or folder was left behind by a system: nobody meant to hand it in."""
    return bool(IGNORED.search(name))
