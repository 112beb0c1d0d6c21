"""Pack a lab to hand it in: one file with the notebook and a receipt."""

import getpass
import glob
import hashlib
import json
import platform
import re
import zipfile
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from ...validation import bad
from .check import SECONDS, Report, check, read
from .folders import existing

EARLIER = "earlier"  # the folder beside the notebook for what was packed before
PACKAGES = ("lrcourse", "numpy", "torch", "keras", "tensorflow")


def submit(lab: str, student: str | None = None, seconds: int = SECONDS) -> tuple[Path, str, Report | None]:
    """Pack the lab that is named by its number or its path into NN-name-STUDENT.zip beside it.

    It is checked once more; a notebook that its checks cannot run to the end is packed all the same. What was packed
    before is kept, in earlier/NN-name-STUDENT-CODE.zip, so that the receipt of each hand-in has its file. Returns the
    file, the receipt's code and what the checks said. The code is the start of the SHA-256 of receipt.json, which
    holds that of the notebook: whoever has both files can compute it again.

    Raises: `ValueError` for a file that is no notebook or holds another lab, and for a `student` that is no name.
    """
    student = getpass.getuser() if student is None else student
    if not re.fullmatch(r"\w[\w.@+-]*", student):
        raise bad("student", student, "a name of letters, digits and . _ - @ +", "for example --student ada.lovelace")
    given, mine = existing(lab)
    notebook = mine.read_bytes()
    read(given, mine)
    try:
        report = check(lab, seconds)
    except RuntimeError:
        report = None
    receipt = json.dumps(_receipt(given.stem, student, notebook, report), indent=2, ensure_ascii=False) + "\n"
    packed = mine.with_name(f"{given.stem}-{student}.zip")
    _keep(packed)
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(given.name, notebook)
        file.writestr("receipt.json", receipt)
    return packed, code(receipt.encode()), report


def earlier(packed: Path) -> list[Path]:
    """What was packed before `packed`, under the same name, the latest first."""
    files = (packed.parent / EARLIER).glob(f"{glob.escape(packed.stem)}-????-????-????.zip")
    return sorted(files, key=lambda path: path.stat().st_mtime, reverse=True)


def _keep(packed: Path) -> None:
    """Move a pack aside that is about to be written anew, under the code of its receipt."""
    if not packed.exists():
        return
    try:
        with zipfile.ZipFile(packed) as file:
            receipt = file.read("receipt.json")
    except (zipfile.BadZipFile, KeyError):  # somebody else's file, which is kept all the same
        receipt = packed.read_bytes()
    kept = packed.parent / EARLIER / f"{packed.stem}-{code(receipt)}.zip"
    kept.parent.mkdir(exist_ok=True)
    packed.replace(kept)


def code(receipt: bytes) -> str:
    """The code of a receipt: twelve digits of its hash, in groups of four.

    >>> code(b"{}")
    '4413-6fa3-55b3'
    """
    digits = hashlib.sha256(receipt).hexdigest()
    return "-".join(digits[i : i + 4] for i in (0, 4, 8))


def _receipt(lab: str, student: str, notebook: bytes, report: Report | None) -> dict[str, object]:
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "lab": lab,
        "student": student,
        "sha256": hashlib.sha256(notebook).hexdigest(),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "visible points": {task.cell: task.points for task in report.tasks} if report else None,
        "versions": versions,
    }
