"""Labs 5 and 6, solved, executed as notebooks: how long they take, the points of their checks and what they print."""

from typing import Any

from ...records import PACKAGE
from ...validation import bad

LABS = ("05-shoot-out", "06-capstone")
NOTEBOOKS = [PACKAGE.parent / "solutions" / lab / f"{lab}.ipynb" for lab in LABS]
SIZES = {"small": "cpu", "full": "cuda"}  # a lab's size follows its device


def plan(size: str) -> list[tuple[str, int]]:
    """Each lab once: the seeds are in the notebooks."""
    return [(lab, 0) for lab in LABS]


def run(name: str, seed: int, size: str, device: str) -> dict[str, Any]:
    """The points that the checks of the solved lab give, of how many, and the text that each other cell shows.

    Raises: `ValueError` for a size that is not the device's; `NotebookError` if a cell fails.
    """
    import nbformat

    from ..notebooks import execute

    if SIZES[size] != device:
        raise bad("device", device, f"{SIZES[size]!r} for labs of size {size!r}", "take small on a CPU, full on a GPU")
    path = NOTEBOOKS[LABS.index(name)]
    done = execute(nbformat.read(path, as_version=4), path, {"LRCOURSE_DEVICE": device})
    checks = [cell for cell in done.cells if _grade(cell).get("grade") and not _grade(cell).get("solution")]
    shown = {f"shows: {cell.id}": _text(cell) for cell in done.cells if cell not in checks and _text(cell)}
    return {"points": sum(map(points, checks)), "of": sum(_grade(cell)["points"] for cell in checks), **shown}


def points(check: Any) -> float:
    """What an executed check gave: the number it ends with, or all of its points.

    >>> points({"outputs": [], "metadata": {"nbgrader": {"points": 2}}})
    2.0
    """
    last = [output["data"]["text/plain"] for output in check["outputs"] if output["output_type"] == "execute_result"]
    return float(last[-1] if last else _grade(check)["points"])


def _grade(cell: Any) -> Any:
    return cell["metadata"].get("nbgrader", {})


def _text(cell: Any) -> str:
    return "".join(each["text"] for each in cell.get("outputs", []) if each["output_type"] == "stream").strip()
