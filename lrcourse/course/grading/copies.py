"""Copies of what was handed in: whatever happens in its folder meanwhile, only what was copied is read.

Everything is opened by descriptor, from folder to folder, and a link fails at every level: a folder that is swapped
for a link between a look and an opening leads nowhere. What is copied is limited in bytes, in number and in depth.
"""

import errno
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from .files import ignored, opened
from .texts import printable

FILE, TOTAL = 100 << 20, 200 << 20  # bytes
ENTRIES = 1000  # files and folders
DEPTH, PATH = 20, 1000  # folders, bytes
BLOCK = 1 << 20
ODD_NAME = (errno.EEXIST, errno.EILSEQ, errno.EINVAL, errno.ENAMETOOLONG)  # the disk of the copies cannot have it


@dataclass(frozen=True)
class Copy:
    """A file that was copied: its `name` below the folder of submissions, and where the copy lies."""

    name: str
    path: Path
    size: int
    digest: str


class Copies:
    """Copies into the new folder `target` of files and folders, in each of which only the folder `lab` counts if it
    is there. What could not be copied stands in `doubts`.

    Raises: `RuntimeError` if a copy cannot be written: the disk is full, say.
    """

    def __init__(self, target: Path, lab: str) -> None:
        self.target, self.lab = target, lab
        self.files: list[Copy] = []
        self.doubts: list[str] = []
        self.entries = self.bytes = 0

    def take(self, paths: Sequence[Path]) -> None:
        """Copy these. The folder that they lie in is trusted: it was named by who grades."""
        for path in paths:
            try:
                folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
            except OSError as error:
                self.doubts.append(f"{printable(path.name)} cannot be read: {error.strerror}")
                continue
            try:
                self.entry(folder, path.name, path.name, 0)
            finally:
                os.close(folder)

    def entry(self, folder: int, entry: str, name: str, depth: int) -> None:
        """Copy the `entry` of an open folder, known as `name`, and everything in it."""
        if ignored(name):
            return
        self.entries += 1
        if self.entries > ENTRIES:
            self.doubts += [f"more than {ENTRIES} files: only these were looked at"] * (self.entries == ENTRIES + 1)
            return
        fault = ""
        try:
            kind = os.stat(entry, dir_fd=folder, follow_symlinks=False).st_mode
            if stat.S_ISLNK(kind):
                fault = "is a link, which is not followed"
            elif len(os.fsencode(name)) > PATH or depth > DEPTH:
                fault = f"lies too deep: more than {DEPTH} folders or {PATH} letters"
            elif stat.S_ISDIR(kind):
                with opened(entry, folder, os.O_DIRECTORY) as inner:
                    self.folder(inner, name, depth)
            elif stat.S_ISREG(kind):
                with opened(entry, folder) as file:
                    fault = self.file(file, name)
            else:
                fault = "is not a plain file"
        except OSError as error:
            swapped = error.errno in (errno.ELOOP, errno.ENOTDIR)
            fault = "was changed while it was read" if swapped else f"cannot be read: {error.strerror}"
        if fault:
            self.doubts.append(f"{printable(name)} {fault}")

    def folder(self, folder: int, name: str, depth: int) -> None:
        """Copy what is in an open folder."""
        with os.scandir(folder) as entries:
            # Files come before folders: what lies deep may be too much, and no notebook is missed for it.
            listed = sorted((each.is_dir(follow_symlinks=False), each.name) for each in islice(entries, ENTRIES + 1))
        if depth == 0 and (True, self.lab) in listed:
            listed = [(True, self.lab)]
        for _, entry in listed:
            self.entry(folder, entry, f"{name}/{entry}", depth + 1)

    def file(self, file: int, name: str) -> str:
        """Copy an open file, if it is one; returns why not."""
        about = os.fstat(file)
        if not stat.S_ISREG(about.st_mode):
            return "was changed while it was read"
        if about.st_size > FILE:
            return f"has more than {FILE >> 20} MB: not copied"
        target = self.target / name
        digest, size, room = hashlib.sha256(), 0, min(FILE, TOTAL - self.bytes)
        with _ours(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch(exist_ok=False)
        with open(target, "wb") as copy:
            while size <= room and (block := os.read(file, BLOCK)):
                digest.update(block)
                size += len(block)
                with _ours(target):
                    copy.write(block)
                    copy.flush()
        self.bytes += size
        if size > room:
            target.unlink()
            return f"and what comes before it: more than {TOTAL >> 20} MB, not copied"
        self.files.append(Copy(name, target, size, digest.hexdigest()))
        return ""


@contextmanager
def _ours(target: Path) -> Iterator[None]:
    """Tells a disk of ours that takes no more from a file of theirs that it cannot have under its name."""
    try:
        yield
    except OSError as error:
        if error.errno in ODD_NAME:
            raise
        raise RuntimeError(f"{target} cannot be written: {error.strerror}") from error
