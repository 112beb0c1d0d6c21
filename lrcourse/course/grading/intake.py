"""Take in what a student handed in: hash and keep the originals, and find the notebook of the lab in them.

Nothing here trusts a file: it is copied once, without following a link, and only the copy is read; archives are never
unpacked to disk, everything read is capped, and whatever cannot be read becomes a reason that a person can act on.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

from . import receipt
from .archives import TOTAL, ZIP, Damaged, contents
from .copies import Copies, Copy
from .lab import Lab, marked
from .notebook_file import NOTEBOOK, Cell, Unreadable, cells_of
from .receipt import Receipt
from .student_name import key, label
from .submissions import Submission
from .texts import bounded, printable

NOTEBOOKS = 20  # of one student that are read
HARMLESS = (".txt", ".md", ".rst", ".pdf", ".doc", ".docx", ".odt", ".rtf", ".html", ".htm", ".log",
            ".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".heic", ".bmp", ".tif", ".tiff")  # fmt: skip


@dataclass
class HandIn:
    """What was found in a submission. All text in it can be stored, and is limited.

    `files`: the SHA-256 of every file, by its path; `digest`: of all of them together. `cells`: the notebook's, None
    if there is none to be had. `notes`: harmless oddities; `doubts`: what a person must look at. `claims`: the points
    that the student saw of visible checks, by the check's grade_id: by the receipt of this notebook, or by what its
    check cells show. Both are the student's words.
    """

    student: str
    files: dict[str, str] = field(default_factory=dict)
    notebook: str = ""
    cells: list[Cell] | None = None
    notes: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    claims: dict[str, float] = field(default_factory=dict)
    other_lab: bool = False

    @property
    def digest(self) -> str:
        return hashlib.sha256(json.dumps(self.files, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class _Notebook:
    name: str
    digest: str
    cells: list[Cell]
    fault: str = ""  # why it has no cells


def read(submission: Submission, lab: Lab, others: Sequence[Lab] = (), keep: Path | None = None) -> HandIn:
    """Hash a submission's files, keep the originals below `keep`, and find the notebook of `lab` in them.

    Originals lie in `keep`/DIGEST, named as they were handed in.

    Raises: `RuntimeError` if nothing can be written to `keep`, and nothing for what a student handed in.
    """
    found = HandIn(submission.student, doubts=list(submission.doubts))
    with _copied(submission, lab, keep, found) as files:
        notebooks, receipts = _opened(files, found)
    digests = {each.digest for each in notebooks}
    names = submission.names | {key(submission.student)}
    found.doubts += [doubt for each in receipts for doubt in each.doubts(names, digests)]
    if chosen := _chosen(notebooks, lab, others, found):
        found.notebook, found.cells = chosen.name, chosen.cells
        found.claims = _claims([each for each in notebooks if each.cells == chosen.cells], receipts, lab)
    found.notes, found.doubts = bounded(found.notes), bounded(found.doubts)
    return found


@contextmanager
def _copied(submission: Submission, lab: Lab, keep: Path | None, found: HandIn) -> Iterator[list[Copy]]:
    """Copies of all files, below `keep`/DIGEST if they are to be kept."""
    if keep is None:
        unfinished = Path(tempfile.mkdtemp(prefix="lrcourse-"))
    else:
        unfinished = keep / f".{submission.student}.part"
        shutil.rmtree(unfinished, ignore_errors=True)  # what a killed grader left
    try:
        copies = Copies(unfinished, lab.name)
        copies.take(submission.paths)
        found.doubts += copies.doubts
        found.files = {printable(copy.name): copy.digest for copy in copies.files}
        yield _kept(copies.files, keep / found.digest[:16], unfinished) if keep and copies.files else copies.files
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _kept(files: Sequence[Copy], folder: Path, unfinished: Path) -> list[Copy]:
    """Give the copies their place for good, unless the same lie there already: before anything in them is looked at."""
    try:
        unfinished.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise RuntimeError(f"the originals cannot be kept in {folder}") from None
        return list(files)
    return [replace(copy, path=folder / copy.name) for copy in files]


def _opened(files: Sequence[Copy], found: HandIn) -> tuple[list[_Notebook], list[Receipt]]:
    """The notebooks and receipts among the files and in archives."""
    notebooks: list[_Notebook] = []
    receipts: list[Receipt] = []
    total = 0
    for name, size, load in contents(files, found.doubts):
        path, shown = PurePosixPath(name), printable(name)
        try:
            if path.name == "receipt.json" and size < receipt.SIZE:
                if own := receipt.read(load()):
                    receipts.append(own)
                else:
                    found.doubts.append("its receipt cannot be read")
            elif path.suffix.lower() not in (".ipynb", ".zip"):
                _not_used(path, shown, found)
            elif size > NOTEBOOK:
                found.doubts.append(f"{shown} has more than {NOTEBOOK >> 20} MB: not opened")
            elif (total := total + size) > TOTAL:
                found.doubts.append(f"{shown} and what comes after it: more than {TOTAL >> 20} MB, not opened")
                break
            elif (data := load())[:4] == ZIP:
                found.doubts.append(f"{shown} is an archive in an archive: not opened")
            elif len(notebooks) == NOTEBOOKS:
                found.doubts.append(f"{shown} and what comes after it: more than {NOTEBOOKS} notebooks, not opened")
                break
            else:
                notebooks.append(_notebook(shown, data, found))
        except Damaged as error:
            found.doubts.append(f"{shown} cannot be read: {error}")
    return notebooks, receipts


def _not_used(path: PurePosixPath, shown: str, found: HandIn) -> None:
    if path.name == "timestamp.txt":  # of nbgrader's, which the student could write too: a time that nobody believes
        return
    if path.suffix.lower() in HARMLESS or path.stem.lower() == "readme":
        found.notes.append(f"{shown} is not used")
    else:
        found.doubts.append(f"{shown} was handed in with the notebook and is not used: a person must look")


def _notebook(name: str, data: bytes, found: HandIn) -> _Notebook:
    digest = hashlib.sha256(data).hexdigest()
    try:
        return _Notebook(name, digest, cells_of(data, found.notes))
    except Unreadable as error:
        return _Notebook(name, digest, [], str(error))


def _chosen(notebooks: Sequence[_Notebook], lab: Lab, others: Sequence[Lab], found: HandIn) -> _Notebook | None:
    """The notebook of `lab` among those handed in; None if none can be read."""
    faults = [f"{each.name}: {each.fault}" for each in notebooks if each.fault]
    different: list[_Notebook] = []
    for each in notebooks:
        if not each.fault and all(each.cells != other.cells for other in different):
            different.append(each)
    if not different:
        found.doubts += faults or ["there is no notebook in it"]
        return None
    found.doubts += faults
    of_lab = [len(_grade_ids(each.cells) & lab.answer_ids) for each in different]
    best = [each for each, ours in zip(different, of_lab, strict=True) if ours == max(of_lab)]
    says = {each.name: label(PurePosixPath(each.name).name, lab.name) for each in best}
    exact = [each for each in best if says[each.name].student == lab.name] or best
    chosen = max(reversed(exact), key=lambda each: says[each.name].copy)  # a browser's "(1)" came later
    if len(best) > 1:
        rest = ", ".join(each.name for each in best if each is not chosen)
        found.doubts.append(f"several notebooks of this lab, all different: {chosen.name} was graded, not {rest}")
    for other in others:  # labs share some names of tasks
        if len(_grade_ids(chosen.cells) & other.answer_ids) > max(of_lab):
            found.doubts.append(f"{chosen.name} is of another lab, {other.name}")
            found.other_lab = True
    return chosen


def _grade_ids(cells: Sequence[Cell]) -> set[str]:
    return {cell.grade_id or cell.id for cell in cells}


def _claims(copies: Sequence[_Notebook], receipts: Sequence[Receipt], lab: Lab) -> dict[str, float]:
    """The points that the student saw in copies of one notebook, as far as they are points of this lab."""
    checks = {cell.id: cell.metadata.nbgrader.grade_id for cell in lab.released.cells if marked(cell, "grade")}
    shown: dict[str, Any] = {}
    for cell in chain.from_iterable(each.cells for each in copies):
        with suppress(ValueError):
            shown[cell.grade_id or checks.get(cell.id, "")] = float(cell.value)
    packed = [each.points for each in receipts if any(each.sha256 == copy.digest for copy in copies)]
    return {
        name: float(points) for given in (shown, *packed) for name, points in given.items()
        if isinstance(points, int | float) and 0 <= points <= lab.points.get(name, -1)
    }  # fmt: skip
