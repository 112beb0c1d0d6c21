"""What a reader takes along runs where the reader is: in an environment that only its own first cell has filled.

Two chapters, others each week, and the first lab; all of them with `LRCOURSE_RUN=all`.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import nbformat
import pytest

from lrcourse.course import kernels
from lrcourse.determinism import ENVIRONMENT

ROOT = Path(__file__).parents[1]
PACKED = ["lrcourse", "pyproject.toml", "README.md", "LICENSE"]
CHAPTERS = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "book").glob("*.ipynb"))
LABS = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "labs").glob("*/*.ipynb"))
FIRST = "install"  # the id of the first cell


def of_the_week(day: date) -> list[str]:
    """Two chapters and the first lab."""
    week = (day.toordinal() - 1) // 7  # as ISO counts them, from a Monday
    return [CHAPTERS[(2 * week + k) % len(CHAPTERS)] for k in range(2)] + LABS[:1]


RUN = [*CHAPTERS, *LABS] if os.environ.get("LRCOURSE_RUN") == "all" else of_the_week(date.today())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The package of this tree, built as pip builds it."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in PACKED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--wheel-dir", folder, folder], check=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def outside():
    """The variables of a shell that knows nothing of the clone, and what saves time: threads would wait for the cores
    that other tests use, and of the thousands of modules that pip would compile few are imported."""
    kept = {key: value for key, value in os.environ.items() if key not in ENVIRONMENT and "PYTHON" not in key}
    return kept | {"OMP_NUM_THREADS": "1", "PIP_NO_COMPILE": "1"}


@pytest.fixture(scope="module")
def environments(tmp_path_factory, outside):
    """An environment for each list of extras: the name of its kernel and its Python, made when it is first asked for.

    All that it holds is a kernel.
    """
    folder, made = tmp_path_factory.mktemp("environments"), {}

    def environment(extras):
        if extras not in made:
            name = f"reader-{len(made)}"
            subprocess.run([sys.executable, "-m", "venv", folder / name], check=True, env=outside)
            python = folder / name / "bin" / "python"
            pip = [python, "-m", "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt", "ipykernel"]
            subprocess.run(pip, check=True, env=outside)
            spec = {"argv": [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"], "display_name": name}
            file = folder / "kernels" / name / "kernel.json"
            file.parent.mkdir(parents=True)
            file.write_text(json.dumps({**spec, "language": "python"}))
            made[extras] = name, python
        return made[extras]

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(folder))
        yield environment


@pytest.mark.notebooks
@pytest.mark.parametrize("name", RUN)
def test_a_published_notebook_runs_with_what_its_first_cell_installs(
    book, wheel, outside, environments, tmp_path, name
):
    notebook = nbformat.read(book / "_sources" / name, as_version=4)
    first = notebook.cells[0]
    extras, address = re.findall(r"lrcourse\[(.*?)] @ (git\+[^\"]+)", first.source)[0]
    kernel, python = environments(extras)
    first.source = re.sub(r"https://\S+/constraints\.txt", str(ROOT / "constraints.txt"), first.source)
    first.source = first.source.replace(address, wheel.as_uri())
    assert "https://" not in first.source
    client = kernels.client(notebook, tmp_path, timeout=600)
    client.kernel_name = kernel
    started = time.monotonic()
    client.execute(env=outside)
    print(f"{name}: {time.monotonic() - started:.0f} s with [{extras}]")
    assert not [each for each in first.outputs if "Made for" in each.get("text", "")]
    where = [python, "-c", "import lrcourse; print(lrcourse.__file__)"]
    found = subprocess.run(where, cwd=tmp_path, env=outside, capture_output=True, text=True, check=True).stdout
    assert Path(found.strip()).is_relative_to(python.parents[1])


def test_within_weeks_every_chapter_is_run():
    monday, two_a_week = date(2026, 11, 30), (len(CHAPTERS) + 1) // 2
    weeks = [of_the_week(date.fromordinal(monday.toordinal() + 7 * week)) for week in range(two_a_week)]
    assert {name for week in weeks for name in week[:2]} == set(CHAPTERS)
    assert of_the_week(date(2026, 12, 6)) != of_the_week(date(2026, 12, 7)) == of_the_week(date(2026, 12, 8))
