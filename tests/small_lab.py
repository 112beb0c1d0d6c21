"""A repository with one small lab, a class that hands it in, and what a grading of it leaves."""

import csv
import hashlib
from functools import cache
from typing import Any

import nbformat
import nbgrader.api
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from lrcourse.course.grading import run
from lrcourse.course.grading.bubblewrap import Bubblewrap
from lrcourse.course.grading.limits import Limits
from lrcourse.course.labs import build

# nbgrader starts a process for each new gradebook, to ask for the one version that it has.
nbgrader.api.get_alembic_version = cache(nbgrader.api.get_alembic_version)
LIMITS = Limits(cell_seconds=20, call_seconds=5, total_seconds=60)
SECRET = "a hidden test of the lab"
SEED = "a secret of the tests"
DOUBLE = "def double(x):\n    return 2 * x"


def marks(grade_id, points=None, **given):
    plain = {"grade": False, "solution": False, "locked": False, "task": False, "schema_version": 3}
    return {"nbgrader": plain | given | {"grade_id": grade_id} | ({"points": points} if points else {})}


def check(name, points, body):
    source = f'{name} = Task("{name}", points={points})\n{body}\n{name}.report()'
    return new_code_cell(source, id=f"check-{name}", metadata=marks(f"check-{name}", points, grade=True, locked=True))


def answer(name, source):
    cell = new_code_cell(source, id=name, metadata=marks(name, solution=True))
    return cell


def hidden(text):
    return f"### BEGIN HIDDEN TESTS\n# {SECRET}\n{text}\n### END HIDDEN TESTS"


def solved(name, argument, line):
    return f"def {name}({argument}):\n    ### BEGIN SOLUTION\n    {line}\n    ### END SOLUTION"


def make(root):
    """A repository with one small lab: two tasks that are checked, and one that a person grades."""
    written = marks("words", 3, grade=True, solution=True)
    cells = [
        new_markdown_cell("# A small lab", id="title"),
        new_code_cell("from lrcourse.selfcheck import Task", id="setup", metadata=marks("setup", locked=True)),
        answer("double", solved("double", "x", "return 2 * x")),
        check("twice", 2, 'twice.check("one", lambda: double(1), 2, hint="Twice.")\n'
              + hidden('twice.check("one", lambda: double(41), 82)')),
        answer("sum", solved("total", "xs", "return sum(xs)")),
        check("whole", 4, 'whole.check("empty", lambda: total([]), 0)\nwhole.check("two", lambda: total([1, 2]), 3)\n'
              + hidden('whole.check("two", lambda: total([43, 2]), 45)')),
        new_markdown_cell("### BEGIN SOLUTION\nBecause.\n### END SOLUTION", id="words", metadata=written),
    ]  # fmt: skip
    path = root / "solutions" / "01-small" / "01-small.ipynb"
    path.parent.mkdir(parents=True)
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
                "language_info": {"name": "python"}}  # fmt: skip
    nbformat.write(new_notebook(cells=cells, metadata=metadata), path)
    path.parent.with_suffix(".toml").write_text(
        f"[otherwise]\ndouble = '''{DOUBLE.replace('2 * x', 'x + x')}'''\n"
        "sum = '''def total(xs):\n    return sum(xs, 0)'''\n"
        "[[wrong]]\nname = 'by heart'\ncell = 'double'\nsource = '''def double(x):\n    return 2'''\n"
        "check = 'check-twice'\nkeeps = 0\n"
    )
    build(root)
    return root


def lab(course):
    return nbformat.read(course / "labs" / "01-small" / "01-small.ipynb", as_version=4)


def filled(course, double=DOUBLE, total="def total(xs):\n    return sum(xs)", words="Because it is."):
    notebook = lab(course)
    for cell in notebook.cells:
        cell.source = {"double": double, "sum": total, "words": words}.get(cell.id) or cell.source
    return notebook


def hand_in(folder, **notebooks):
    folder.mkdir(exist_ok=True, parents=True)
    for student, notebook in notebooks.items():
        (folder / f"{student}.ipynb").write_text(nbformat.writes(notebook))


def grade(course, submissions, output, **given):
    options: dict[str, Any] = {"jobs": 1, "sandbox": Bubblewrap(), "limits": LIMITS, "seed": SEED} | given
    return {each.student: each for each in run.grade(course, "1", submissions, output, **options)}


def table(output):
    return {row["student"]: row for row in csv.DictReader((output / "01-small" / "grades.csv").open())}


def hashes(folder):
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "gradebook.db"}  # fmt: skip


def stored(output):
    """Everything that the gradebook holds of every student."""
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{output / 'gradebook.db'}", "lrcourse") as book:
        return {
            (submission.student_id, each.name): (each.auto_score, each.manual_score, each.needs_manual_grade)
            for submission in book.assignment_submissions("01-small")
            for notebook in submission.notebooks
            for each in notebook.grades
        }
