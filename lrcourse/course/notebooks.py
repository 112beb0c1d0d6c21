"""Run notebooks and write them back so that a re-run changes nothing that did not change."""

import base64
import io
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
from nbformat import NotebookNode

from ..determinism import ENVIRONMENT
from ..validation import bad

# Two renderings of one figure differ by rounding at the edges of lines (about 1e-4); a moved line differs by more.
SAME_PICTURE = 0.004
COLOR = re.compile(r"\x1b\[[\d;]*m")  # of a terminal
KEPT_CELL_METADATA = ("tags", "mystnb", "nbgrader", "editable", "deletable", "slideshow")
# What JupyterLab folds when it opens a notebook, by the tags of what the page folds or leaves out.
FOLDED_BY = {
    "source_hidden": {"hide-input", "hide-cell", "remove-input", "remove-cell"},
    "outputs_hidden": {"hide-output", "hide-cell", "remove-output", "remove-cell"},
}


class NotebookError(RuntimeError):
    """A notebook that did not run to its end: the message holds its path and the traceback."""


def find(root: Path) -> list[Path]:
    """Every notebook of the course below `root`: those of book/, solutions/ and labs/."""
    found = (path for folder in ("book", "solutions", "labs") for path in (root / folder).rglob("*.ipynb"))
    return sorted(path for path in found if ".ipynb_checkpoints" not in path.parts)


def existing(paths: Sequence[Path]) -> list[Path]:
    """The paths, if each is a notebook.

    Raises: `ValueError` for a path that is none.
    """
    for path in paths:
        if path.suffix != ".ipynb" or not path.exists():
            raise bad("path", str(path), "an existing .ipynb file", "check its spelling")
    return list(paths)


def run(paths: Sequence[Path], jobs: int = -1) -> list[Path]:
    """Execute each notebook in a fresh kernel, in parallel, and write it back; returns those that changed.

    Raises: `NotebookError` if a cell fails, after the others have run; `ValueError` for a path that is no notebook.
    """
    changed = []
    for path, notebook, _ in executed(existing(paths), jobs):
        before = path.read_text(encoding="utf-8")
        stored = nbformat.reads(before, as_version=4)
        after = nbformat.writes(keep_same_pictures(normalize(notebook), stored)) + "\n"
        if after != before:
            path.write_text(after, encoding="utf-8")
            changed.append(path)
    return sorted(changed)


def executed(paths: Sequence[Path], jobs: int = -1) -> Iterator[tuple[Path, NotebookNode, float]]:
    """Execute `jobs` notebooks at a time (-1: one per core), with a bar; yields path, notebook and seconds of each.

    Raises: `NotebookError` if a cell fails, after the others have run.
    """
    import joblib

    from . import kernels, progress

    running: list[str] = []
    failed: dict[Path, NotebookError] = {}

    def run_one(path: Path) -> tuple[Path, NotebookNode | NotebookError, float]:
        started = time.monotonic()
        running.append(path.name)
        bar.set_postfix_str(", ".join(running))
        try:
            return path, execute(nbformat.read(path, as_version=4), path), time.monotonic() - started
        except NotebookError as error:
            return path, error, 0.0
        finally:
            running.remove(path.name)

    threads = ThreadPool(joblib.cpu_count() if jobs == -1 else jobs)  # each waits for a kernel, which is a process
    try:
        with progress.bar("executing", len(paths), "notebooks") as bar, threads:
            for path, result, seconds in threads.imap_unordered(run_one, paths):
                bar.update()
                if isinstance(result, NotebookError):
                    failed[path] = result
                else:
                    yield path, result, seconds
    except BaseException:  # Ctrl-C too
        kernels.stop()
        threads.join()
        raise
    if failed:
        names = ", ".join(sorted(path.name for path in failed))
        raise NotebookError("\n".join([*map(str, failed.values()), f"{len(failed)} of {len(paths)} failed: {names}"]))


def execute(notebook: NotebookNode, path: Path, environment: Mapping[str, str] | None = None) -> NotebookNode:
    """A copy of `notebook` with fresh outputs, run in the folder of `path` with the deterministic environment.

    `environment`: more variables for the kernel.

    Raises: `NotebookError` if a cell fails or takes ten minutes, or the kernel dies.
    """
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    from . import kernels

    fresh = nbformat.from_dict(notebook)
    client = kernels.client(fresh, path.parent, timeout=600, coalesce_streams=True)
    try:
        client.execute(env={**os.environ, **ENVIRONMENT, **(environment or {})})
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        raise NotebookError(f"{path}: a cell failed\n{COLOR.sub('', str(error))}") from None
    return fresh


def glued(path: Path) -> dict[str, str]:
    """What the stored outputs of a notebook hold under each name that it glued into its text."""
    found = {}
    for output in (output for cell in nbformat.read(path, as_version=4).cells for output in cell.get("outputs", [])):
        if name := output.get("metadata", {}).get("scrapbook", {}).get("name"):
            found[name] = output["data"]["application/papermill.record/text/plain"].strip("'\"")
    return found


def numbers(text: str) -> list[float]:
    """The numbers in a result as it is shown: of an interval the mean and the two ends.

    >>> numbers("1,350 [1_000, 2e3]"), numbers("-0.5 (-1 to 0.1)")
    ([1350.0, 1000.0, 2000.0], [-0.5, -1.0, 0.1])
    """
    found = re.findall(r"[+-]?\d[\d,_]*\.?\d*(?:e[+-]?\d+)?", text)
    return [float(each.rstrip(",").replace(",", "")) for each in found]


def normalize(notebook: NotebookNode) -> NotebookNode:
    """Drop what depends on the moment or the machine (timings, kernel names, versions); count executions from 1.

    A cell that the page folds is folded in JupyterLab, too.
    """
    notebook.metadata = nbformat.from_dict({
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    })  # fmt: skip
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    executed = 0
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({k: cell.metadata[k] for k in KEPT_CELL_METADATA if k in cell.metadata})
        if cell.cell_type != "code":
            continue
        if folds := {name: True for name, by in FOLDED_BY.items() if by & set(cell.metadata.get("tags", []))}:
            cell.metadata["jupyter"] = nbformat.from_dict(folds)
        executed += cell.execution_count is not None
        cell.execution_count = executed if cell.execution_count is not None else None
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = cell.execution_count
    return notebook


def keep_same_pictures(fresh: NotebookNode, stored: NotebookNode) -> NotebookNode:
    """Put back the stored bytes of each picture that only differs by rounding, so that repositories stay quiet."""
    old_cells = {cell.id: cell for cell in stored.cells if cell.cell_type == "code"}
    for cell in fresh.cells:
        old = old_cells.get(cell.id)
        if old is None or cell.cell_type != "code" or old.source != cell.source:
            continue
        for new_output, old_output in zip(cell.outputs, old.outputs):
            new_data, old_data = new_output.get("data", {}), old_output.get("data", {})
            if (
                "image/png" in new_data
                and "image/png" in old_data
                and same_picture(new_data["image/png"], old_data["image/png"])
            ):
                new_data["image/png"] = old_data["image/png"]
    return fresh


def same_picture(a: str, b: str) -> bool:
    """Whether two base64 PNGs show the same picture up to the rounding of another CPU."""
    if a == b:
        return True
    first, second = _pixels(a), _pixels(b)
    return first.shape == second.shape and float(np.sqrt(np.mean((first - second) ** 2))) < SAME_PICTURE


def _pixels(png: str) -> Any:
    from PIL import Image

    with Image.open(io.BytesIO(base64.b64decode(png))) as image:
        return np.asarray(image.convert("RGBA"), dtype=float) / 255


def problems(paths: Iterable[Path]) -> list[str]:
    """What would make a comparison of stored outputs pass silently, or a diff noisy; one line each, empty when clean.

    A code cell of book/ or solutions/ without an execution count runs but is not compared; a cell tagged to raise
    without a stored error compares nothing; labs/ keep no outputs at all.
    """
    found = []
    for path in paths:
        notebook = nbformat.read(path, as_version=4)
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        student = "labs" in path.parts
        for cell in code:
            raises = "raises-exception" in cell.metadata.get("tags", [])
            if student and (cell.outputs or cell.execution_count is not None):
                found.append(f"{path}: cell {cell.id} has outputs: run make labs")
            if not student and cell.execution_count is None:
                found.append(f"{path}: cell {cell.id} was not executed: run lrcourse notebooks run {path}")
            if not student and raises != any(output.output_type == "error" for output in cell.outputs):
                found.append(
                    f"{path}: cell {cell.id} has an error without the tag raises-exception, or the tag without one"
                )
        if not code:
            found.append(f"{path}: has no code cell, so nothing checks it: make it a Markdown page")
        if nbformat.writes(normalize(notebook)) + "\n" != path.read_text(encoding="utf-8"):
            found.append(f"{path}: is not normalized: run lrcourse notebooks normalize {path}")
    return found
