"""Where a student's labs lie: as released below labs/, as worked on below my-labs/."""

import re
from pathlib import Path

from ...validation import bad
from .release import LABS

MINE = "my-labs"


def home() -> Path:
    """The course's folder: the nearest one from here upward that holds labs, else the one that lrcourse runs from.

    Raises: `RuntimeError` if neither holds labs.
    """
    here = Path.cwd()
    for folder in (here, *here.parents, Path(__file__).parents[3]):
        if released(folder):
            return folder
    raise RuntimeError("no labs here: change into the course's folder, the one that holds labs/, and try again")


def released(root: Path) -> dict[str, Path]:
    """The labs below `root`, as students are given them, by name."""
    return {path.stem: path for path in sorted((root / LABS).glob("[0-9][0-9]-*/*.ipynb"))}


def find(lab: str) -> tuple[Path, Path]:
    """The released notebook and the student's own of a lab that is named "1", "01", "01-decay" or by its path.

    Raises: `ValueError` if there is no such lab or file.
    """
    root = home()
    named = Path(lab)
    stem = named.stem if named.suffix == ".ipynb" else lab
    digits = re.match(r"\d+", stem)
    labs = released(root)
    found = next((name for name in labs if digits and int(name[:2]) == int(digits[0])), None)
    if found is None:
        fix = f"name one of {', '.join(labs)}" + (", as the file's name" if named.suffix else ", or its number")
        raise bad("lab", lab, "a lab of this course", fix)
    mine = named if named.suffix == ".ipynb" else root / MINE / f"{found}.ipynb"
    return labs[found], mine


def existing(lab: str) -> tuple[Path, Path]:
    """As `find`, for a lab that has been started.

    Raises: `ValueError` if the student's file is not there.
    """
    given, mine = find(lab)
    if not mine.exists():
        raise bad(
            "lab", lab, "a lab that you have started", f"there is no {mine}; run lrcourse labs start {given.stem[:2]}"
        )
    return given, mine
