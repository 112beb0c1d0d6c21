"""Take in what students handed in: hash and keep the originals, and find each student's notebook in them.

Nothing here trusts a file: links are not followed, archives are never unpacked to disk, everything read is capped,
and whatever cannot be read becomes a reason that a person can act on.
"""

import codecs
import csv
import hashlib
import io
import json
import os
import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from io import BufferedReader
from pathlib import Path, PurePosixPath
from typing import Any

import nbformat

from ...validation import bad
from .lab import Lab

# Sizes in bytes. A lab's notebook with its pictures has some 100 kB.
NOTEBOOK, ARCHIVE, FILE, TOTAL, RECEIPT = 20 << 20, 50 << 20, 100 << 20, 200 << 20, 64 << 10
FILES, CELLS, REMARKS = 1000, 1000, 20
RATIO = 200  # how much larger than its archive a file may become, from a megabyte on

IGNORED = re.compile(r"(^|/)(\..*|__MACOSX|Thumbs\.db|desktop\.ini)(/|$)")
ZIP = b"PK\x03\x04"
BOMS = [(codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")]  # fmt: skip
DAMAGE = (OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError)  # what opening one raises
ENDINGS = (".zip", ".ipynb", ".tar", ".tgz", ".gz", ".7z", ".rar")


class Unreadable(ValueError):
    """Why no notebook can be had from what was handed in."""


@dataclass(frozen=True)
class Cell:
    """A cell of a student's notebook, reduced to what grading looks at. `marks`: nbgrader's metadata."""

    kind: str
    source: str
    id: str = ""
    marks: dict[str, Any] = field(default_factory=dict)

    @property
    def grade_id(self) -> str:
        grade_id = self.marks.get("grade_id")
        return grade_id if isinstance(grade_id, str) else ""


@dataclass(frozen=True)
class Entry:
    """What lies there of one student, unopened. `doubts`: what a person must look at."""

    student: str
    paths: tuple[Path, ...]
    doubts: tuple[str, ...] = ()


@dataclass
class HandIn:
    """What was found in an entry.

    `files`: the SHA-256 of every file, by its path; `digest`: of all of them together. `cells`: the notebook's, None
    if there is none to be had. `notes`: harmless oddities; `doubts`: what a person must look at. `timestamp`: when it
    was handed in, if nbgrader's exchange says so.
    """

    student: str
    files: dict[str, str] = field(default_factory=dict)
    notebook: str = ""
    cells: list[Cell] | None = None
    notes: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    timestamp: str = ""
    other_lab: bool = False

    @property
    def digest(self) -> str:
        return hashlib.sha256(json.dumps(self.files, sort_keys=True).encode()).hexdigest()


# ---- who handed in ----


def find(folder: Path, lab: Lab, others: Sequence[Lab] = (), roster: Path | None = None) -> list[Entry]:
    """One entry per student, in order: those found in `folder`, and those of the roster who handed in nothing.

    `folder` holds a folder, a zip or a notebook per student, named after the student; the lab's name before or after
    the student's is ignored, and so are the marks that nbgrader's exchange and Moodle add. Of a student's folder that
    has a folder per lab, as nbgrader's `submitted/STUDENT/LAB`, only this lab's counts. `roster`: a CSV file, whose
    first column holds the students' names as grades are to be stored; the other columns hold further names (an
    account, an address) under which they may hand in.

    Raises: `ValueError` if `folder` is no folder, or the roster no such table.
    """
    if not folder.is_dir():
        raise bad("submissions", str(folder), "a folder", "give the folder that holds a folder or a file per student")
    known = {} if roster is None else _roster(roster)
    paths: dict[str, list[Path]] = {name: [] for name in dict.fromkeys(known.values())}
    for path in sorted(folder.iterdir()):
        if not IGNORED.search(path.name) and not (roster and roster.exists() and path.samefile(roster)):
            name = student_of(path.name, lab.name)
            found = paths.setdefault(known.get(name.lower(), name), [])
            if not any((path / other.name).is_dir() for other in others) or (path / lab.name).is_dir():
                found.append(path)
    strangers = paths.keys() - set(known.values()) if roster else set()
    return [
        Entry(student, tuple(found), _doubts(student, lab, student in strangers))
        for student, found in sorted(paths.items())
    ]


def _doubts(student: str, lab: Lab, stranger: bool) -> tuple[str, ...]:
    doubts = []
    if stranger:
        doubts.append("not on the roster")
    if student == lab.name:
        doubts.append("nothing says whose it is: name it after the student")
    return tuple(doubts)


def student_of(name: str, lab: str) -> str:
    """The student that a file or folder is named after.

    >>> [student_of(name, "01-decay") for name in ("01-decay-ada.zip", "ada_01-decay.ipynb", "ada", "ada (1).zip")]
    ['ada', 'ada', 'ada', 'ada']
    >>> student_of("ada+01-decay+2026-11-25 10:00:00 UTC+x7", "01-decay")
    'ada'
    >>> student_of("Ada Byron_4711_assignsubmission_file_", "01-decay")
    'Ada Byron_4711'
    """
    name = os.fsencode(name).decode(errors="backslashreplace")
    while name.lower().endswith(ENDINGS):
        name = name[: name.rindex(".")]
    name = name.split("+")[0]
    name = re.sub(r"_assignsubmission_.*$", "", name)
    name = re.sub(r" ?\(\d+\)$", "", name).strip()
    name = re.sub(rf"^{re.escape(lab)}[-_ .]+|[-_ .]+{re.escape(lab)}$", "", name)
    return re.sub(r"[^\w.@ -]|^[.@ -]+", "_", name).strip() or "_"


def _roster(path: Path) -> dict[str, str]:
    try:
        text = _text(path.read_bytes(), [])
    except OSError as error:
        raise bad("roster", str(path), "a CSV file", str(error)) from None
    rows = [[each.strip() for each in row] for row in csv.reader(io.StringIO(text)) if any(row)]
    if rows and rows[0][0].lower() in ("student", "id", "student_id", "name", "username"):
        rows = rows[1:]
    names = {name.lower(): row[0] for row in reversed(rows) for name in reversed(row) if name}
    if not rows or any(not row[0] for row in rows):
        raise bad("roster", str(path), "a table with a student's name first in every row", "see the book's page")
    return names


# ---- what was handed in ----


def read(entry: Entry, lab: Lab, others: Sequence[Lab] = (), keep: Path | None = None) -> HandIn:
    """Hash an entry's files, keep the originals below `keep`, and find the notebook of `lab` in them.

    Originals lie in `keep`/DIGEST, named as they were handed in. Never raises for what a student handed in.
    """
    found = HandIn(entry.student, doubts=list(entry.doubts))
    plain = list(_plain_files(entry, lab, found))
    found.files = {_shown(name): _sha256(path, found) for name, path in plain}
    if keep is not None and plain:
        _keep(plain, keep / found.digest[:16], found)
    names = {entry.student.lower(), *(student_of(path.name, lab.name).lower() for path in entry.paths)}
    candidates = list(_notebooks(plain, names, found))
    try:
        found.notebook, found.cells = _choose(candidates, lab, others, found)
    except Unreadable as error:
        found.doubts.append(str(error))
    for remarks in (found.notes, found.doubts):
        remarks[REMARKS:] = [f"… and {len(remarks) - REMARKS} more"] * (len(remarks) > REMARKS)
    return found


def _plain_files(entry: Entry, lab: Lab, found: HandIn) -> Iterator[tuple[str, Path]]:
    count = 0
    for top in entry.paths:
        of_lab = top / lab.name
        for path in _walk(of_lab if not top.is_symlink() and of_lab.is_dir() else top):
            name = str(path.relative_to(top.parent))
            try:
                kind = path.lstat().st_mode
            except OSError as error:
                found.doubts.append(f"{_shown(name)} cannot be read: {error.strerror}")
                continue
            if stat.S_ISLNK(kind):
                found.doubts.append(f"{_shown(name)} is a link, which is not followed")
            elif not stat.S_ISREG(kind):
                found.doubts.append(f"{_shown(name)} is not a plain file")
            elif not os.access(path, os.R_OK):
                found.doubts.append(f"{_shown(name)} cannot be read: no permission")
            elif not IGNORED.search(str(path.relative_to(top.parent))):
                count += 1
                if count > FILES:
                    found.doubts.append(f"more than {FILES} files: only these were looked at")
                    return
                yield name, path


def _walk(top: Path) -> Iterator[Path]:
    if top.is_symlink() or not top.is_dir():
        yield top
        return
    for folder, folders, files in os.walk(top):
        folders.sort()
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        yield from (Path(folder) / name for name in sorted(files + links))


def _sha256(path: Path, found: HandIn) -> str:
    try:
        with _open(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        found.doubts.append(f"{_shown(path.name)} cannot be read: {error.strerror}")
        return ""


def _keep(files: Sequence[tuple[str, Path]], folder: Path, found: HandIn) -> None:
    for name, path in files:
        target = folder / name
        if target.exists():
            continue
        if path.stat().st_size > FILE:
            found.doubts.append(f"{_shown(name)} has more than {FILE >> 20} MB and was not copied")
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = folder / ".part"
        shutil.copyfile(path, unfinished, follow_symlinks=False)
        unfinished.replace(target)


# ---- the notebook among the files ----

Content = tuple[str, int, Callable[[], bytes]]  # name, size, and how to load it


def _contents(files: Sequence[tuple[str, Path]], found: HandIn) -> Iterator[Content]:
    """The plain files, and the members of those that are archives, whatever their names say."""
    for name, path in files:
        try:
            with _open(path) as file:
                start = file.read(4)
            size = path.stat().st_size
            if start == ZIP or (path.suffix.lower() == ".zip" and start[:1] != b"{"):
                if size > ARCHIVE:  # its table of contents alone could fill the memory
                    raise ValueError(f"an archive of more than {ARCHIVE >> 20} MB is not opened")
                with zipfile.ZipFile(path) as archive:
                    yield from _members(name, archive, found)
            else:
                yield name, size, path.read_bytes
        except DAMAGE as error:
            found.doubts.append(f"{_shown(name)} cannot be read: {error}")


def _members(top: str, archive: zipfile.ZipFile, found: HandIn) -> Iterator[Content]:
    infos = archive.infolist()
    if len(infos) > FILES or sum(info.file_size for info in infos) > TOTAL:
        found.doubts.append(f"{_shown(top)} unpacks to more than {FILES} files or {TOTAL >> 20} MB: not opened")
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
            found.doubts.append(f"{_shown(f'{top}/{info.filename}')} {fault}: not opened")
        elif not info.is_dir() and not IGNORED.search(str(path)):
            yield f"{top}/{path}", info.file_size, partial(_unpacked, archive, info)


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    with archive.open(info) as file:
        data = file.read(NOTEBOOK + 1)  # it may hold more than it says
    if len(data) > NOTEBOOK:
        raise ValueError(f"it unpacks to more than {NOTEBOOK >> 20} MB")
    return data


def _notebooks(files: Sequence[tuple[str, Path]], names: Collection[str], found: HandIn) -> Iterator[tuple[str, bytes]]:
    receipts: list[bytes] = []
    digests = set()
    total = 0
    for name, size, load in _contents(files, found):
        path = PurePosixPath(name)
        try:
            if path.name == "receipt.json" and size < RECEIPT:
                receipts.append(load())
            elif path.name == "timestamp.txt" and size < RECEIPT:
                found.timestamp = load().decode(errors="replace").strip()
            elif path.suffix.lower() not in (".ipynb", ".zip"):
                found.notes.append(f"{_shown(name)} is not used")
            elif size > NOTEBOOK:
                found.doubts.append(f"{_shown(name)} has more than {NOTEBOOK >> 20} MB: not opened")
            elif (total := total + size) > TOTAL:
                found.doubts.append(f"{_shown(name)} and what comes after it: more than {TOTAL >> 20} MB, not opened")
                break
            elif (data := load())[:4] == ZIP:
                found.doubts.append(f"{_shown(name)} is an archive in an archive: not opened")
            else:
                digests.add(hashlib.sha256(data).hexdigest())
                yield _shown(name), data
        except DAMAGE as error:
            found.doubts.append(f"{_shown(name)} cannot be read: {error}")
    for receipt in receipts:
        found.doubts += _receipt_doubts(receipt, digests, names)


def _receipt_doubts(text: bytes, digests: set[str], names: Collection[str]) -> Iterator[str]:
    try:
        receipt = json.loads(text)
        whose, digest = receipt["student"], receipt["sha256"]
        if not isinstance(whose, str) or not isinstance(digest, str):
            raise TypeError("no receipt of ours")
    except (ValueError, KeyError, TypeError, RecursionError):
        yield "its receipt cannot be read"
        return
    if whose.lower() not in names:
        yield f"its receipt is made out to {_shown(whose)[:100]}"
    if digest not in digests:
        yield "its receipt is of another notebook: it was changed after it was packed"


def _choose(
    candidates: Iterable[tuple[str, bytes]], lab: Lab, others: Sequence[Lab], found: HandIn
) -> tuple[str, list[Cell]]:
    """The notebook of `lab` among those handed in.

    Raises: `Unreadable` if none can be read.
    """
    read: dict[str, list[Cell]] = {}
    faults = []
    for name, data in candidates:
        try:
            cells = cells_of(data, found.notes)
            if cells not in read.values():
                read[name if name not in read else f"{name} (again)"] = cells
        except Unreadable as error:
            faults.append(f"{name}: {error}")
    if not read:
        raise Unreadable("; ".join(faults) or "there is no notebook in it")
    found.doubts += faults
    of_lab = {name: len(_grade_ids(cells) & lab.answer_ids) for name, cells in read.items()}
    best = [name for name in read if of_lab[name] == max(of_lab.values())]
    exact = [name for name in best if PurePosixPath(name).name == f"{lab.name}.ipynb"] or best
    chosen = exact[-1]
    if len(best) > 1:
        rest = ", ".join(name for name in best if name != chosen)
        found.doubts.append(f"several notebooks of this lab, all different: {chosen} was graded, not {rest}")
    for other in others:  # labs share some names of tasks
        if len(_grade_ids(read[chosen]) & other.answer_ids) > of_lab[chosen]:
            found.doubts.append(f"{chosen} is of another lab, {other.name}")
            found.other_lab = True
    return chosen, read[chosen]


def _grade_ids(cells: Sequence[Cell]) -> set[str]:
    return {cell.grade_id or cell.id for cell in cells}


# ---- what a notebook holds ----


def cells_of(data: bytes, notes: list[str]) -> list[Cell]:
    """The cells of a notebook file of any encoding and version. Oddities are added to `notes`.

    Raises: `Unreadable` if it holds no notebook.
    """
    if not data.strip(b"\0 \t\r\n"):
        raise Unreadable("the file is empty")
    try:
        notebook = json.loads(_text(data, notes))
    except ValueError as error:
        raise Unreadable(f"no notebook, or not all of it: {error}") from None
    except RecursionError:
        raise Unreadable("no notebook: nested too deeply") from None
    if not isinstance(notebook, dict):
        raise Unreadable("no notebook: it has no cells")
    if notebook.get("nbformat") in (1, 2, 3) or "worksheets" in notebook:
        notes.append("written in an old notebook format")
        try:
            notebook = nbformat.convert(nbformat.from_dict(notebook), 4)
        except Exception as error:  # the converter trusts its input
            raise Unreadable(f"the old notebook format cannot be read: {error!r:.200}") from None
    cells = notebook.get("cells")
    if not isinstance(cells, list) or not cells:
        raise Unreadable("no notebook: it has no cells")
    if len(cells) > CELLS:
        raise Unreadable(f"more than {CELLS} cells")
    found = [cell for cell in map(_cell, cells) if cell]
    if len(found) < len(cells):
        notes.append(f"{len(cells) - len(found)} damaged cells are not used")
    return found


def _cell(cell: Any) -> Cell | None:
    if not isinstance(cell, dict) or cell.get("cell_type") not in ("code", "markdown", "raw"):
        return None
    source, metadata, name = cell.get("source"), cell.get("metadata"), cell.get("id")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        return None
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    marks = nbgrader if isinstance(nbgrader, dict) else {}
    text = source.replace("\r\n", "\n").encode(errors="replace").decode()  # half a surrogate pair cannot be stored
    plain = {mark: value for mark, value in marks.items() if isinstance(value, str | int | float)}
    return Cell(cell["cell_type"], text, name if isinstance(name, str) else "", plain)


def _text(data: bytes, notes: list[str]) -> str:
    for mark, encoding in BOMS:
        if data.startswith(mark):
            notes.append(f"encoded as {encoding}")
            return data.decode(encoding, errors="replace")
    if b"\0" in data[:2]:
        encoding = "utf-16-le" if data[1:2] == b"\0" else "utf-16-be"
        notes.append(f"encoded as {encoding}")
        return data.decode(encoding, errors="replace")
    try:
        return data.decode()
    except UnicodeDecodeError:
        notes.append("encoded as windows-1252")
        return data.decode("windows-1252", errors="replace")


def _open(path: Path) -> BufferedReader:
    """A plain file for reading; a link fails, and a pipe does not wait for a writer."""
    return open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")


def _shown(name: str) -> str:
    """A file's name as text that can be printed and stored, whatever its bytes are; other names give other texts."""
    return "".join(c if c.isprintable() and c != "\\" else c.encode("unicode_escape").decode() for c in name)
