"""The student edition: labs, package and environment in one file, without what only instructors may see."""

import re
import zipfile
from pathlib import Path

import nbformat

from .release import LABS, MARKER, secrets, sources, students

FOLDER = "lrcourse-labs"  # what the file unpacks to
FILES = ("LICENSE", "constraints.txt", "pyproject.toml")
COMMANDS = ("audit", "doctor", "labs", "plot", "sweep")  # what a student may type after `lrcourse`
BLOCK = 30  # characters: a shorter answer, such as `return rows`, stands in the package too, and gives nothing away


def bundle(root: Path, output: Path) -> list[str]:
    """Write the student edition of the repository `root` to the zip file `output`; returns the names of its files.

    The same sources give the same bytes.

    Raises: `ValueError` if a file of it would give away a solution or a hidden test.
    """
    texts = _texts(root)
    if found := leaks(root, texts):
        raise ValueError("the student edition would give away: " + "; ".join(found))
    output.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(output, "w", zipfile.ZIP_STORED) as file:  # compressed bytes depend on the library
        for name, text in sorted(texts.items()):
            entry = zipfile.ZipInfo(f"{FOLDER}/{name}")  # of 1 January 1980
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            file.writestr(entry, text.encode())
    return sorted(texts)


def leaks(root: Path, texts: dict[str, str]) -> list[str]:
    """Which of `texts`, by name, hold a solution or a hidden test of any lab; one line each."""
    blocks = {
        _plain(block): path.stem
        for path in sources(root)
        for cell in nbformat.read(path, as_version=4).cells
        for block in secrets(cell)
    }
    plain = {name: _plain(text.replace("\\n", "\n").replace('\\"', '"')) for name, text in texts.items()}
    found = [
        f"{name}: a secret of lab {lab}"
        for name, text in plain.items()
        for block, lab in blocks.items()
        if len(block) >= BLOCK and block in text
    ]
    return found + [f"{name}: {mark}" for name, text in texts.items() if not name.endswith(".py")
                    for mark in MARKER.findall(text)]  # fmt: skip


def _texts(root: Path) -> dict[str, str]:
    paths = [*_package(root / "lrcourse"), *(root / name for name in FILES)]
    texts = {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in paths}
    texts |= {path.relative_to(root).as_posix(): text for path, text in students(root).items()}
    texts["README.md"] = (root / LABS / "README.md").read_text(encoding="utf-8")
    environment = (root / "environment.yml").read_text(encoding="utf-8")
    return texts | {"environment.yml": environment.replace(".[all]", ".[student]")}


def _package(package: Path) -> list[Path]:
    """What one imports to train, and of the course's machinery what the commands of a student need."""
    from ..dependencies import files, loaded, training  # which students need not install

    commands = {f"lrcourse.course.commands.{name}" for name in COMMANDS}
    return list(files(training() | loaded({"lrcourse.course.cli", *commands}), package).values())


def _plain(text: str) -> str:
    """Code without what a copy may change: white space and the quotes of a string that holds it."""
    return re.sub(r"[\s\"',]+", " ", text).strip()
