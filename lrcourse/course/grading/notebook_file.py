"""The cells of a notebook's file, whatever its age, its encoding and its state."""

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any

import nbformat

from .texts import decoded, sanitized, storable

NOTEBOOK = 20 << 20  # bytes; a lab's with its pictures has some 100 kB
CELLS = 1000
SOURCES, SOURCE = 2_000_000, 200_000  # characters of all cells, and of one, without pictures; a lab has some 30,000
ID, MARK, VALUE = 64, 100, 100  # characters of a cell's id, a mark's text and a value shown
MARKS = ("grade_id", "grade", "solution", "locked", "task", "points", "cell_type", "schema_version", "checksum")
PICTURE = re.compile(r"data:image/[\w.+-]+;base64,([A-Za-z0-9+/=]+)")  # Colab puts pictures into texts


class Unreadable(ValueError):
    """Why no notebook can be had from what was handed in."""


@dataclass(frozen=True)
class Cell:
    """A cell of a student's notebook, reduced to what grading looks at.

    `marks`: nbgrader's metadata. `value`: the value that its last run shows, which is no part of what was written.
    """

    kind: str
    source: str
    id: str = ""
    marks: dict[str, Any] = field(default_factory=dict)
    value: str = field(default="", compare=False)

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
    except (RecursionError, MemoryError):
        raise Unreadable("no notebook: nested too deeply, or too large") from None
    if not isinstance(notebook, dict):
        raise Unreadable("no notebook: it has no cells")
    if notebook.get("nbformat") in (1, 2, 3) or "worksheets" in notebook:
        notes.append("written in an old notebook format")
        try:
            notebook = nbformat.convert(nbformat.from_dict(notebook), 4)
            for cell in notebook.cells:
                cell.pop("id", None)  # the converter's own, and random
        except Exception as error:  # the converter trusts its input
            raise Unreadable(f"the old notebook format cannot be read: {error!r:.200}") from None
    cells = notebook.get("cells")
    if not isinstance(cells, list) or not cells:
        raise Unreadable("no notebook: it has no cells")
    if len(cells) > CELLS:
        raise Unreadable(f"more than {CELLS} cells")
    found = [cell for cell in map(_cell, cells) if cell]
    if not found:
        raise Unreadable("no notebook: all of its cells are damaged")
    if len(found) < len(cells):
        notes.append(f"{len(cells) - len(found)} damaged cells are not used")
    lengths = [len(cell.source) for cell in found]
    if max(lengths) > SOURCE or sum(lengths) > SOURCES:
        raise Unreadable(f"what is written in it is too long: more than {SOURCE:,} characters in a cell, or "
                         f"{SOURCES:,} in all")  # fmt: skip
    return found


def _cell(cell: Any) -> Cell | None:
    if not isinstance(cell, dict) or cell.get("cell_type") not in ("code", "markdown", "raw"):
        return None
    kind, source, metadata, name = cell["cell_type"], _text(cell.get("source")), cell.get("metadata"), cell.get("id")
    if source is None:
        return None
    if kind == "markdown":
        source = PICTURE.sub(_left_out, source)
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    marks = nbgrader if isinstance(nbgrader, dict) else {}
    return Cell(
        kind, storable(source.replace("\r\n", "\n")),
        storable(name) if isinstance(name, str) and len(name) <= ID else "",
        {mark: plain for mark in MARKS if (plain := _plain(marks.get(mark))) is not None}, _value(cell.get("outputs")),
    )  # fmt: skip


def _text(value: Any) -> str | None:
    """Text as nbformat writes it, in one piece or in lines."""
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "".join(value)
    return value if isinstance(value, str) else None


def _left_out(picture: re.Match[str]) -> str:
    return f"picture {hashlib.sha256(picture[1].encode()).hexdigest()[:8]}, which the original file holds"


def _plain(value: Any) -> str | float | None:
    """A mark's value, if it is plain, not longer than marks are, and comparable."""
    if isinstance(value, str):
        return storable(value[:MARK])
    return value if isinstance(value, bool | int | float) and abs(value) < 1e9 else None


def _value(outputs: Any) -> str:
    """The last value among the outputs of a cell, as text; "" if there is none."""
    for output in reversed(outputs if isinstance(outputs, list) else []):
        if isinstance(output, dict) and output.get("output_type") == "execute_result":
            data = output.get("data")
            return sanitized(_text(data.get("text/plain")) or "", VALUE) if isinstance(data, dict) else ""
    return ""
