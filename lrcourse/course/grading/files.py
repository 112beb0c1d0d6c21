"""Files: ours are whole or not there, whenever the grader is killed, and theirs are opened without following a link."""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

IGNORED = re.compile(r"(^|/)(\..*|__MACOSX|__pycache__|Thumbs\.db|desktop\.ini)(/|$)")


def write(path: Path, text: str) -> None:
    """Write a text file at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.part")
    with open(unfinished, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


@contextmanager
def opened(name: str | Path, folder: int | None = None, flags: int = 0) -> Iterator[int]:
    """A descriptor of what `name` is in the `folder` of a descriptor: never of what a link points to.

    A pipe does not wait for its other end. Whoever reads from it sees with `os.fstat` what it is.
    """
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | flags, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def has_folder(path: Path, name: str) -> bool:
    """Whether `path` is a folder and has a folder of this name, neither being a link."""
    try:
        with opened(path, flags=os.O_DIRECTORY) as folder:
            return stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return False


def ignored(name: str) -> bool:
    """Whether a file or folder was left behind by a system: nobody meant to hand it in."""
    return bool(IGNORED.search(name))
