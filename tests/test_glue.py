"""`lrcourse.glue` stores what MyST-NB's own `glue` stores, which the pages are built from."""

import subprocess
import sys

import nbformat
import pytest

from lrcourse.course import notebooks

VALUES = ["'0.91 [0.89, 0.93]'", "42", "{'a': [1, 2]}", "np.float64(0.1)", "HTML('<b>x</b>')"]


def outputs(module, tmp_path):
    cells = [f"import numpy as np\nfrom IPython.display import HTML\nfrom {module} import glue"]
    cells += [f"glue('name', {value}, display={shown})" for value in VALUES for shown in (True, False)]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    return [cell.outputs for cell in notebooks.execute(notebook, tmp_path / "glue.ipynb").cells]


@pytest.mark.notebooks
def test_the_outputs_are_those_of_myst_nb(tmp_path):
    ours = outputs("lrcourse.glue", tmp_path)
    assert ours == outputs("myst_nb", tmp_path)
    assert len(ours) == 1 + 2 * len(VALUES) and all(ours[1:])


@pytest.mark.parametrize("display", [True, False])
@pytest.mark.parametrize("first", ["", "import IPython.display", "import sys; sys.modules['IPython'] = None"])
def test_without_a_notebook_nothing_happens(display, first):
    code = f"{first}\nfrom lrcourse.glue import glue\nglue('name', 1, display={display})"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b""
