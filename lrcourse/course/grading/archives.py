"""Archives, opened without trust: never unpacked to disk, and without what leaves them or would fill the memory."""

import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath

from .files import ignored, open_plain
from .notebook_file import NOTEBOOK
from .texts import printable

ARCHIVE, TOTAL = 50 << 20, 200 << 20  # bytes
FILES = 1000
RATIO = 200  # how much larger than its archive a file may become, from a megabyte on

ZIP = b"PK\x03\x04"
DAMAGE = (OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError)  # what opening one raises

Content = tuple[str, int, Callable[[], bytes]]  # name, size, and how to load it


def contents(files: Sequence[tuple[str, Path]], doubts: list[str]) -> Iterator[Content]:
    """The plain files, and the members of those that are archives, whatever their names say; `doubts` grows."""
    for name, path in files:
        try:
            with open_plain(path) as file:
                start = file.read(4)
            size = path.stat().st_size
            if start == ZIP or (path.suffix.lower() == ".zip" and start[:1] != b"{"):
                if size > ARCHIVE:  # its table of contents alone could fill the memory
                    raise ValueError(f"an archive of more than {ARCHIVE >> 20} MB is not opened")
                with zipfile.ZipFile(path) as archive:
                    yield from _members(name, archive, doubts)
            else:
                yield name, size, path.read_bytes
        except DAMAGE as error:
            doubts.append(f"{printable(name)} cannot be read: {error}")


def _members(top: str, archive: zipfile.ZipFile, doubts: list[str]) -> Iterator[Content]:
    infos = archive.infolist()
    if len(infos) > FILES or sum(info.file_size for info in infos) > TOTAL:
        doubts.append(f"{printable(top)} unpacks to more than {FILES} files or {TOTAL >> 20} MB: not opened")
        return
    for info in infos:
        path = PurePosixPath(info.filename.replace("\\", "/"))
        fault = ""
        if path.is_absolute() or ".." in path.parts or re.match("[A-Za-z]:", info.filename):
            fault = "points outside its archive"
        elif stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
            fault = "is a link, or no plain file"
        elif info.file_size > max(1 << 20, RATIO * info.compress_size):
            fault = f"becomes more than {RATIO} times as large"
        elif info.flag_bits & 1:
            fault = "is encrypted"
        if fault:
            doubts.append(f"{printable(f'{top}/{info.filename}')} {fault}: not opened")
        elif not info.is_dir() and not ignored(str(path)):
            yield f"{top}/{path}", info.file_size, partial(_unpacked, archive, info)


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    with archive.open(info) as file:
        data = file.read(NOTEBOOK + 1)  # it may hold more than it says
    if len(data) > NOTEBOOK:
        raise ValueError(f"it unpacks to more than {NOTEBOOK >> 20} MB")
    return data
