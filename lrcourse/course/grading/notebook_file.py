"""The cells of a notebook's file, whatever its age, its encoding and its state."""

import json
from dataclasses import dataclass, field
from typing import Any

import nbformat

from .texts import decoded

NOTEBOOK = 20 << 20  # bytes; a lab's with its pictures has some 100 kB
CELLS = 1000


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


def cells_of(data: bytes, notes: list[str]) -> list[Cell]:
    """The cells of a notebook file of any encoding and version. Oddities are added to `notes`.

    Raises: `Unreadable` if it holds no notebook.
    """
    if not data.strip(b"\0 \t\r\n"):
        raise Unreadable("the file is empty")
    try:
        notebook = json.loads(decoded(data, notes))
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
