"""The graded notebook that nbgrader's formgrader shows: what a student wrote, and what the checks said.

nbgrader can turn it into a page for students too. So it holds no hidden test, and of the checks' faults only those
that a student may read; the record has the others.
"""

import re
from collections.abc import Sequence

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_output

from .lab import Lab, marked
from .outcome import TaskScore, TaskStatus


def text(rebuilt: NotebookNode, lab: Lab, tasks: Sequence[TaskScore]) -> str:
    """The notebook's file, without outputs of the student's and without anything that a browser would run."""
    handed_out = {cell.id: cell for cell in lab.released.cells}
    said = {task.grade_id: report(task) for task in tasks if task.status is not TaskStatus.MANUAL}
    notebook: NotebookNode = nbformat.from_dict(rebuilt)  # a deep copy
    for cell in notebook.cells:
        if ours := handed_out.get(cell.id):
            cell.metadata = nbformat.from_dict(ours.metadata)
        if ours and not marked(cell, "solution"):
            cell.source = ours.source
        elif cell.cell_type != "code":  # nbconvert shows a raw cell as HTML
            cell.cell_type, cell.source = "markdown", as_text(cell.source)
        if cell.cell_type == "code":
            result = said.get(cell.metadata.get("nbgrader", {}).get("grade_id"))
            cell.outputs = [new_output("stream", name="stdout", text=result)] if result else []
            cell.execution_count = None
    return nbformat.writes(notebook) + "\n"


def as_text(markdown: str) -> str:
    r"""A student's Markdown to be read as it was written: no HTML, link, picture or formula in it is carried out.

    >>> print(as_text(r"[see](javascript:x()), $\href{javascript:x()}{a}$ and ```more```"))
    ````text
    [see](javascript:x()), $\href{javascript:x()}{a}$ and ```more```
    ````
    """
    longest = max(map(len, re.findall("`+", markdown)), default=0)
    fence = "`" * max(3, longest + 1)  # which nothing in the text can close
    return f"{fence}text\n{markdown}\n{fence}"


def report(task: TaskScore) -> str:
    """What the checks said about a task, as a student may read it."""
    lines = [f"{task.name}: {task.points:g} of {task.max_points:g} points ({task.status})"]
    lines += [f"  {task.reason}"] * bool(task.reason)
    lines += [f"  right  {part.name}" if part.right else f"  WRONG  {part.name}: {part.fault}" for part in task.parts]
    return "\n".join(lines) + "\n"
