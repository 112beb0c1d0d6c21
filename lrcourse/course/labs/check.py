"""Check a lab as its student sees it: every visible check, in a fresh kernel."""

import os
import re
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from ...validation import bad
from .folders import existing, released

SECONDS = 600  # for one cell
PARTS = 20  # more than any check has: each may take this share of a cell's time
GRACE = 10  # seconds in which a cell must heed an interrupt
CELL, ANSI = re.compile(r"\bIn\[(\d+)\]"), re.compile(r"\x1b\[[0-9;]*m")
HEADING = re.compile(r"^## (\d+\. .+?) \(\d+ points\)$", re.MULTILINE)


@dataclass(frozen=True)
class Task:
    """What a check says about a task. `points`: None if it is graded by hand."""

    cell: str
    name: str
    said: str
    points: float | None
    most: float


@dataclass(frozen=True)
class Report:
    """A lab's tasks, and what its student should know about the notebook besides."""

    lab: str
    tasks: list[Task]
    notes: list[str]

    @property
    def points(self) -> float:
        return sum(task.points or 0 for task in self.tasks)

    @property
    def most(self) -> float:
        """The points that visible checks can give."""
        return sum(task.most for task in self.tasks if task.points is not None)

    @property
    def solved(self) -> bool:
        return self.points == self.most

    def __str__(self) -> str:
        lines = [line for task in self.tasks for line in (*task.said.splitlines(), f"  {_score(task)}")]
        by_hand = sum(task.most for task in self.tasks if task.points is None)
        written = f", and {by_hand:g} more points are given by hand" if by_hand else ""
        return "\n".join([
            *lines, *(f"note: {note}" for note in self.notes), "",
            f"{self.lab}: {self.points:g} of {self.most:g} points by the visible checks{written}.",
            "At grading, the same parts are checked again with other numbers.",
        ])  # fmt: skip


def check(lab: str, seconds: int = SECONDS) -> Report:
    """Run a lab that is named by its number or its path in a fresh kernel, and report every task.

    A check that was changed runs as it was given out, as it will at grading. The file is not changed. A cell may
    take `seconds`, one part of a check a twentieth of them: what takes longer is stopped, and the rest goes on.

    Raises: `ValueError` if there is no such file, or it does not hold that lab, or `seconds` is not positive;
    `RuntimeError` if its kernel dies, or a cell that is stopped does not end.
    """
    if seconds < 1:
        raise bad("seconds", seconds, "at least 1", f"leave it out for {SECONDS}")
    path, mine = existing(lab)
    notebook, given = read(path, mine), nbformat.read(path, as_version=4)
    notes = _put_back(notebook, given)
    notes += _run(notebook, mine, seconds)
    return Report(path.stem, _tasks(notebook, given, seconds), notes)


def read(given: Path, mine: Path) -> NotebookNode:
    """The student's notebook.

    Raises: `ValueError` if the file is no notebook, or is not the lab `given`.
    """
    try:
        notebook: NotebookNode = nbformat.read(mine, as_version=4)
        own = _marked(notebook).keys()
    except Exception as error:  # nbformat raises whatever the broken part raises
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise ValueError(f"{mine} cannot be read as a notebook: {reason}") from None
    shared = {
        path: len(own & _marked(nbformat.read(path, as_version=4)).keys())
        for path in released(given.parents[2]).values()
    }
    best = max(shared, key=lambda path: shared[path])
    if shared[given] < shared[best]:
        raise ValueError(f"{mine} holds lab {best.stem}, not {given.stem}: rename it, or name the other file")
    if not shared[given]:
        raise ValueError(f"{mine} holds no cell of lab {given.stem}: was it saved by another program?")
    return notebook


def _marked(notebook: NotebookNode) -> dict[str, NotebookNode]:
    """The cells that nbgrader knows, by grade_id; of copies the first."""
    marked: dict[str, NotebookNode] = {}
    for cell in notebook.cells:
        if name := cell.metadata.get("nbgrader", {}).get("grade_id"):
            marked.setdefault(name, cell)
    return marked


def _put_back(notebook: NotebookNode, given: NotebookNode) -> list[str]:
    own, notes = _marked(notebook), []
    for name, cell in _marked(given).items():
        if name not in own:
            notes.append(f"the cell {name} is missing: copy it from the lab as it was given out")
        elif not cell.metadata.nbgrader.solution and own[name].source != cell.source:
            own[name].source = cell.source
            notes.append(f"the cell {name} was changed: here and at grading, it runs as it was given out")
    return notes


def _run(notebook: NotebookNode, mine: Path, seconds: int) -> list[str]:
    """Run the notebook in place; returns what went wrong in the cells that are not checks."""
    from nbclient.exceptions import DeadKernelError

    from .. import kernels, progress

    _place(notebook)
    client = kernels.client(notebook, mine.parent, timeout=seconds, interrupt_on_timeout=True, allow_errors=True)
    watch = _Watch(client, seconds + GRACE)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]

    def begun(cell: NotebookNode, **_: Any) -> None:
        bar.set_postfix_str(_name(cell))
        watch.start(cell)

    def done(**_: Any) -> None:
        watch.stop()
        bar.update()

    client.on_cell_execute, client.on_cell_executed = begun, done
    try:
        with progress.bar(f"checking {mine.name}", len(code), "cells") as bar:
            client.execute(env={**os.environ, "MPLBACKEND": "agg", "LRCOURSE_PART_SECONDS": f"{seconds / PARTS:g}"})
    except DeadKernelError:
        if watch.late:
            raise RuntimeError(f"{watch.cell} does not end, and ignores that it is interrupted") from None
        raise RuntimeError(f"the kernel died in {watch.cell}: did it use too much memory, or leave Python?") from None
    finally:
        watch.stop()
    graded = {name for name, cell in _marked(notebook).items() if cell.metadata.nbgrader.grade}
    faults = ((_name(cell), _fault(cell, notebook, seconds)) for cell in notebook.cells)
    return [f"{name} {fault}" for name, fault in faults if fault and name not in graded]


class _Watch:
    """Ends the kernel when a cell that was interrupted goes on: else it would be interrupted for ever."""

    def __init__(self, client: Any, seconds: float) -> None:
        self.client, self.seconds = client, seconds
        self.cell, self.late, self.timer = "the first cell", False, threading.Timer(seconds, self.end)

    def start(self, cell: NotebookNode) -> None:
        self.cell, self.timer = _name(cell), threading.Timer(self.seconds, self.end)
        self.timer.start()

    def stop(self) -> None:
        self.timer.cancel()

    def end(self) -> None:
        self.late = True
        self.client.km.provisioner.process.kill()


def _place(notebook: NotebookNode) -> None:
    """Note in each cell the task that it stands in: the notebook shows its student no other name of a cell."""
    task = ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (found := HEADING.search(cell.source)):
            task = f"task {found[1].partition('.')[0]}"
        cell.metadata["task"] = task


def _name(cell: NotebookNode) -> str:
    name = cell.metadata.get("nbgrader", {}).get("grade_id") or cell.get("id")  # older files have no ids
    return cell.metadata.get("task") or (f"the cell {name}" if name else "a cell")


def _fault(cell: NotebookNode, notebook: NotebookNode, seconds: int) -> str:
    error = next((output for output in cell.get("outputs", []) if output.output_type == "error"), None)
    if error is None:
        return ""
    if error.ename == "KeyboardInterrupt":
        return f"was stopped: it took more than {seconds} seconds"
    text = re.sub(r" \(\d+\.py, line \d+\)$", "", error.evalue)  # a file that only the kernel knows
    return f"raises {error.ename}: {text}".removesuffix(": ") + _line(error.traceback, notebook)


def _line(traceback: list[str], notebook: NotebookNode) -> str:
    """The innermost line of the notebook's code in a traceback."""
    places = re.findall(r"Cell In\[(\d+)\], line (\d+)", ANSI.sub("", "\n".join(traceback)))
    if not places:
        return ""
    count, number = map(int, places[-1])
    cell = next(cell for cell in notebook.cells if cell.get("execution_count") == count)
    return f" (line {number} of {_name(cell)}: `{cell.source.splitlines()[number - 1].strip()}`)"


def _tasks(notebook: NotebookNode, given: NotebookNode, seconds: int) -> list[Task]:
    from nbgrader.utils import determine_grade

    own, tasks = _marked(notebook), []
    names = HEADING.findall("\n".join(cell.source for cell in given.cells if cell.cell_type == "markdown"))
    checks = [(name, cell) for name, cell in _marked(given).items() if cell.metadata.nbgrader.grade]
    for title, (name, cell) in zip(names, checks, strict=True):
        most = cell.metadata.nbgrader.points
        if cell.metadata.nbgrader.solution:
            answered = name in own and own[name].source != cell.source
            tasks.append(Task(name, title, f"{title}: {'answered' if answered else 'not answered yet'}", None, most))
            continue
        points, said = 0, "its check is missing"
        if name in own:
            points, said = determine_grade(own[name])[0], _said(own[name], notebook, seconds)
        tasks.append(Task(name, title, said if said.startswith(title) else f"{title}: {said}", points, most))
    return tasks


def _said(cell: NotebookNode, notebook: NotebookNode, seconds: int) -> str:
    """What a check printed; cells have the names that they keep, not the numbers of this run."""
    printed = "".join(output.text for output in cell.outputs if output.output_type == "stream").strip()
    names = {str(each.execution_count): _name(each) for each in notebook.cells if each.get("execution_count")}
    return CELL.sub(lambda found: names.get(found[1], found[0]), printed) or _fault(cell, notebook, seconds)


def _score(task: Task) -> str:
    return f"{task.most:g} points, given by hand" if task.points is None else f"{task.points:g} of {task.most:g} points"
