"""Archives, opened without trust: never unpacked to disk, and without what leaves them or would fill the memory."""

import io
import re
import stat
import zipfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import PurePosixPath

from .copies import Copy
from .files import ignored
from .notebook_file import NOTEBOOK
from .texts import printable

ARCHIVE, TOTAL = 50 << 20, 200 << 20  # bytes
FILES, PATH = 1000, 1000  # files, letters
RATIO = 200  # how much larger than its archive a file may become, from a megabyte on
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # of others, 500 bytes fill any memory at the first read

ZIP, ENTRY = b"PK\x03\x04", b"PK\x01\x02"

Content = tuple[str, int, Callable[[], bytes]]  # name, size, and how to load it


class Damaged(ValueError):
    """Why a file or a member of an archive cannot be had."""


def contents(files: Sequence[Copy], doubts: list[str]) -> Iterator[Content]:
    """The plain files, and the members of those that are archives, whatever their names say; `doubts` grows.

    Loading one raises `Damaged` if it cannot be had.
    """
    for file in files:
        with open(file.path, "rb") as copy:
            start = copy.read(4)
        named = file.name.lower().endswith(".zip") and start[:1] != b"{"
        if start != ZIP and not named:
            yield file.name, file.size, file.path.read_bytes
        elif file.size > ARCHIVE:
            doubts.append(f"{printable(file.name)}: an archive of more than {ARCHIVE >> 20} MB is not opened")
        else:
            try:
                yield from _members(file.name, file.path.read_bytes(), doubts)
            except Damaged as error:
                doubts.append(f"{printable(file.name)} cannot be read: {error}")


def _members(top: str, data: bytes, doubts: list[str]) -> Iterator[Content]:
    if data.count(ENTRY) > FILES:  # its table of contents alone could fill the memory
        doubts.append(f"{printable(top)} unpacks to more than {FILES} files: not opened")
        return
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        infos = archive.infolist()
    except Exception as error:  # what zipfile raises for bytes that are no archive is not documented
        raise Damaged(_said(error)) from None
    if sum(info.file_size for info in infos) > TOTAL:
        doubts.append(f"{printable(top)} unpacks to more than {TOTAL >> 20} MB: not opened")
        return
    for info in infos:
        path = PurePosixPath(info.filename.replace("\\", "/"))
        fault = ""
        if path.is_absolute() or ".." in path.parts or re.match("[A-Za-z]:", info.filename):
            fault = "points outside its archive"
        elif not info.filename:
            fault = "has no name"
        elif len(info.filename) > PATH:
            fault = f"has a path of more than {PATH} letters"
        elif stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
            fault = "is a link, or no plain file"
        elif info.file_size > max(1 << 20, RATIO * info.compress_size):
            fault = f"becomes more than {RATIO} times as large"
        elif info.compress_type not in METHODS:
            fault = f"is packed by a rare method (number {info.compress_type})"
        elif info.flag_bits & 1:
            fault = "is encrypted"
        if fault:
            doubts.append(f"{printable(f'{top}/{info.filename}')} {fault}: not opened")
        elif not info.is_dir() and not ignored(str(path)):
            yield f"{top}/{path}", info.file_size, partial(_unpacked, archive, info)


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    try:
        with archive.open(info) as file:
            data = file.read(NOTEBOOK + 1)  # it may hold more than it says
    except Exception as error:
        raise Damaged(_said(error)) from None
    if len(data) > NOTEBOOK:
        raise Damaged(f"it unpacks to more than {NOTEBOOK >> 20} MB")
    return data


def _said(error: Exception) -> str:
    """What an exception says, or its name if it says nothing."""
    return str(error) or type(error).__name__
