"""The student labs from their one source: solutions/NN-name/NN-name.ipynb becomes labs/NN-name/NN-name.ipynb.

The preprocessors are nbgrader's own, in the order in which `nbgrader generate_assignment` runs them, without
those that need its database: the result is the same, byte for byte.
"""

import re
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

SOURCES, LABS = "solutions", "labs"
REGIONS = [(f"BEGIN {region}", f"END {region}") for region in ("SOLUTION", "HIDDEN TESTS", "MARK SCHEME")]
# Misspelled ones too ("BEGIN HIDDEN TEST"): nbgrader leaves those, and what they should have hidden.
MARKER = re.compile(r"\b(?:BEGIN|END)[ _](?:SOLUTION|HIDDEN|MARK[ _]SCHEME)\w*", re.IGNORECASE)


def generate(source: NotebookNode) -> NotebookNode:
    """The student version of a lab: stubs for solutions, no hidden test, no output, cells locked.

    Raises: `nbgrader`'s errors for a region without an end, or outside a cell that is marked for it.
    """
    from nbgrader import preprocessors as nbgrader

    student: NotebookNode = nbformat.from_dict(source)  # a deep copy
    resources: dict[str, Any] = {}
    for step in (
        nbgrader.LockCells, nbgrader.ClearSolutions, nbgrader.ClearOutput, nbgrader.CheckCellMetadata,
        nbgrader.ClearHiddenTests, nbgrader.ClearMarkScheme, nbgrader.ComputeChecksums, nbgrader.CheckCellMetadata,
    ):  # fmt: skip
        student, resources = step().preprocess(student, resources)
    return student


def leaks(source: NotebookNode, student: NotebookNode) -> list[str]:
    """What the student version must not hold, one line each: solutions, hidden tests, markers, outputs.

    A line of a solution or of a hidden test is secret if it stands nowhere in the visible part of the source.
    It is looked for everywhere in the student version, metadata included.
    """
    hidden = [line for cell in source.cells for line in _secret_lines(cell)]
    visible = "\n".join(line for cell in source.cells for line in _visible_lines(cell))
    text = "\n".join(_strings(student))
    secrets = dict.fromkeys(line.strip() for line in hidden if line.strip() not in visible)
    found = [f"secret line: {line}" for line in secrets if line in text]
    found += [f"marker: {marker}" for marker in MARKER.findall(text)]
    return found + [
        f"output in cell {cell.id}"
        for cell in student.cells
        if cell.cell_type == "code" and (cell.outputs or cell.execution_count is not None)
    ]


def build(root: Path) -> list[Path]:
    """Write the student version of every source below `root`, and return their paths.

    Raises: `ValueError` if one would leak.
    """
    written = []
    for path, text in students(root).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
        written.append(path)
    return written


def differences(root: Path) -> list[str]:
    """How labs/ differs from what `build` would write, one line each; nothing if it is up to date."""
    wanted = students(root)
    present = set((root / LABS).glob("*/*.ipynb"))
    problems = [f"{path.relative_to(root)}: missing" for path in wanted if path not in present]
    problems += [
        f"{path.relative_to(root)}: differs from its source"
        for path, text in wanted.items()
        if path in present and path.read_bytes() != text.encode()
    ]
    return problems + [f"{path.relative_to(root)}: has no source" for path in sorted(present - set(wanted))]


def sources(root: Path) -> list[Path]:
    """The labs' sources below `root`, in order."""
    return sorted((root / SOURCES).glob("*/*.ipynb"))


def students(root: Path) -> dict[Path, str]:
    """The text of every student version, by the path that `build` writes it to.

    Raises: `ValueError` if one would leak.
    """
    texts = {}
    for path in sources(root):
        source = nbformat.read(path, as_version=4)
        student = generate(source)
        if found := leaks(source, student):
            raise ValueError(f"{path.relative_to(root)} would give away: " + "; ".join(found))
        texts[root / LABS / path.relative_to(root / SOURCES)] = nbformat.writes(student) + "\n"
    return texts


def secrets(cell: NotebookNode) -> list[str]:
    """What a cell hides from students: each of its regions, or the whole of an answer without regions."""
    runs = groupby(marked_lines(cell), key=itemgetter(1))
    regions = ["\n".join(line for line, _ in run) for secret, run in runs if secret]
    whole = cell.metadata.get("nbgrader", {}).get("solution") and not regions
    return [cell.source] if whole else regions


def _secret_lines(cell: NotebookNode) -> list[str]:
    return [line for region in secrets(cell) for line in region.split("\n")]


def _visible_lines(cell: NotebookNode) -> list[str]:
    whole = secrets(cell) == [cell.source]
    return [] if whole else [line for line, hidden in marked_lines(cell) if not hidden]


def marked_lines(cell: NotebookNode) -> Iterator[tuple[str, bool]]:
    """The lines of a cell without its markers, each with whether it lies in a region."""
    depth = 0  # a mark scheme lies within a solution
    for line in cell.source.split("\n"):
        starts, ends = (any(region[i] in line for region in REGIONS) for i in (0, 1))
        if not starts and not ends:
            yield line, depth > 0
        depth += starts - ends


def _strings(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        yield from (text for pair in node.items() for item in pair for text in _strings(item))
    elif isinstance(node, list):
        yield from (text for item in node for text in _strings(item))
