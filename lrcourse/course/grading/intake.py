"""Take in what a student handed in: hash and keep the originals, and find the notebook of the lab in them.

Nothing here trusts a file: links are not followed, archives are never unpacked to disk, everything read is capped,
and whatever cannot be read becomes a reason that a person can act on.
"""

import hashlib
import json
import os
import shutil
import stat
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from .archives import DAMAGE, FILES, TOTAL, ZIP, contents
from .files import ignored, open_plain
from .lab import Lab
from .notebook_file import NOTEBOOK, Cell, Unreadable, cells_of
from .submissions import Submission, student_of
from .texts import printable

FILE, RECEIPT = 100 << 20, 64 << 10  # bytes
REMARKS = 20


@dataclass
class HandIn:
    """What was found in a submission.

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


def read(submission: Submission, lab: Lab, others: Sequence[Lab] = (), keep: Path | None = None) -> HandIn:
    """Hash a submission's files, keep the originals below `keep`, and find the notebook of `lab` in them.

    Originals lie in `keep`/DIGEST, named as they were handed in. Never raises for what a student handed in.
    """
    found = HandIn(submission.student, doubts=list(submission.doubts))
    plain = list(_plain_files(submission, lab, found))
    found.files = {printable(name): _sha256(path, found) for name, path in plain}
    if keep is not None and plain:
        _keep(plain, keep / found.digest[:16], found)
    names = {submission.student.lower(), *(student_of(path.name, lab.name).lower() for path in submission.paths)}
    candidates = list(_notebooks(plain, names, found))
    try:
        found.notebook, found.cells = _choose(candidates, lab, others, found)
    except Unreadable as error:
        found.doubts.append(str(error))
    for remarks in (found.notes, found.doubts):
        remarks[REMARKS:] = [f"… and {len(remarks) - REMARKS} more"] * (len(remarks) > REMARKS)
    return found


def _plain_files(submission: Submission, lab: Lab, found: HandIn) -> Iterator[tuple[str, Path]]:
    count = 0
    for top in submission.paths:
        of_lab = top / lab.name
        for path in _walk(of_lab if not top.is_symlink() and of_lab.is_dir() else top):
            name = str(path.relative_to(top.parent))
            try:
                kind = path.lstat().st_mode
            except OSError as error:
                found.doubts.append(f"{printable(name)} cannot be read: {error.strerror}")
                continue
            if stat.S_ISLNK(kind):
                found.doubts.append(f"{printable(name)} is a link, which is not followed")
            elif not stat.S_ISREG(kind):
                found.doubts.append(f"{printable(name)} is not a plain file")
            elif not os.access(path, os.R_OK):
                found.doubts.append(f"{printable(name)} cannot be read: no permission")
            elif not ignored(str(path.relative_to(top.parent))):
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
        with open_plain(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        found.doubts.append(f"{printable(path.name)} cannot be read: {error.strerror}")
        return ""


def _keep(files: Sequence[tuple[str, Path]], folder: Path, found: HandIn) -> None:
    for name, path in files:
        target = folder / name
        if target.exists():
            continue
        if path.stat().st_size > FILE:
            found.doubts.append(f"{printable(name)} has more than {FILE >> 20} MB and was not copied")
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = folder / ".part"
        shutil.copyfile(path, unfinished, follow_symlinks=False)
        unfinished.replace(target)


def _notebooks(files: Sequence[tuple[str, Path]], names: Collection[str], found: HandIn) -> Iterator[tuple[str, bytes]]:
    receipts: list[bytes] = []
    digests = set()
    total = 0
    for name, size, load in contents(files, found.doubts):
        path = PurePosixPath(name)
        try:
            if path.name == "receipt.json" and size < RECEIPT:
                receipts.append(load())
            elif path.name == "timestamp.txt" and size < RECEIPT:
                found.timestamp = load().decode(errors="replace").strip()
            elif path.suffix.lower() not in (".ipynb", ".zip"):
                found.notes.append(f"{printable(name)} is not used")
            elif size > NOTEBOOK:
                found.doubts.append(f"{printable(name)} has more than {NOTEBOOK >> 20} MB: not opened")
            elif (total := total + size) > TOTAL:
                found.doubts.append(
                    f"{printable(name)} and what comes after it: more than {TOTAL >> 20} MB, not opened"
                )
                break
            elif (data := load())[:4] == ZIP:
                found.doubts.append(f"{printable(name)} is an archive in an archive: not opened")
            else:
                digests.add(hashlib.sha256(data).hexdigest())
                yield printable(name), data
        except DAMAGE as error:
            found.doubts.append(f"{printable(name)} cannot be read: {error}")
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
        yield f"its receipt is made out to {printable(whose)[:100]}"
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
