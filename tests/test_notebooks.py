"""Notebooks: all of them are compared, re-running changes nothing, and a broken one turns the run red."""

import base64
import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from lrcourse.course import cli, kernels, notebooks
from lrcourse.course.notebooks import NotebookError
from lrcourse.determinism import ENVIRONMENT

ROOT = Path(__file__).parents[1]


def write(path: Path, *cells) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    book = new_notebook(cells=[new_code_cell(cell, id=f"c{i}") if isinstance(cell, str) else cell
                               for i, cell in enumerate(cells)])  # fmt: skip
    path.write_text(nbformat.writes(notebooks.normalize(book)) + "\n", encoding="utf-8")
    return path


def png(pixels) -> str:
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(pixels, dtype=np.uint8)).save(buffer, format="png")
    return base64.b64encode(buffer.getvalue()).decode()


def pytest_nbval(*arguments) -> subprocess.CompletedProcess:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--nbval",
        "-p",
        "no:cacheprovider",
        "-o",
        "addopts=",
        *map(str, arguments),
    ]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_a_notebook_is_opened_in_the_environment_of_the_build(tmp_path, monkeypatch, capsys):
    ran = []
    monkeypatch.setattr(
        subprocess, "run", lambda command, env: ran.append((command, env)) or SimpleNamespace(returncode=3)
    )
    for name in ENVIRONMENT:
        monkeypatch.delenv(name)
    path = write(tmp_path / "book.ipynb", "1")
    assert cli.main(["notebooks", "open", str(path)]) == 3
    (command, env), *more = ran
    assert command[-2:] == ["jupyterlab", str(path)] and ENVIRONMENT.items() <= env.items() and not more
    for paths in ([], [str(path)] * 2, [str(tmp_path / "none.ipynb")]):
        assert cli.main(["notebooks", "open", *paths]) == 1
        assert "paths must be one notebook that exists" in capsys.readouterr().err


def test_no_notebook_is_left_out_of_the_comparison():
    collected = pytest_nbval("--collect-only", "-q", "book", "solutions", "labs").stdout
    there = {str(path.relative_to(ROOT)) for path in notebooks.find(ROOT)}
    collected = {line.split("::")[0] for line in collected.splitlines() if "::" in line}
    assert there == {name for name in collected if name.endswith(".ipynb")}
    tracked = subprocess.run(
        ["git", "ls-files", "*.ipynb"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert set(tracked.split()) <= there


def test_the_notebooks_of_the_course_are_clean():
    assert notebooks.problems(notebooks.find(ROOT)) == []


@pytest.mark.notebooks
def test_a_run_writes_outputs_and_a_second_run_changes_nothing(tmp_path):
    path = write(tmp_path / "book" / "a.ipynb", "print('one')\nprint('two')", "1 + 1")
    assert notebooks.run([path]) == [path]
    assert [cell.outputs[0].get("text") for cell in nbformat.read(path, 4).cells] == ["one\ntwo\n", None]
    assert notebooks.run([path]) == []


@pytest.mark.notebooks
@pytest.mark.parametrize("cell", ["1 / 0", "raise SystemExit(1)", "assert 1 == 2"])
def test_a_failing_cell_fails_the_run_and_keeps_the_file(tmp_path, cell):
    path = write(tmp_path / "book" / "a.ipynb", "print(1)", cell)
    before = path.read_bytes()
    with pytest.raises(NotebookError, match=r"a\.ipynb"):
        notebooks.run([path])
    assert path.read_bytes() == before


@pytest.mark.notebooks
@pytest.mark.parametrize("changed", ["print('3')", "1 / 0", "print('two', 2)"])
def test_a_canary_whose_cell_no_longer_gives_the_stored_output_turns_nbval_red(tmp_path, changed):
    path = write(tmp_path / "book" / "canary.ipynb", "print('2')")
    notebooks.run([path])
    assert pytest_nbval(path).returncode == 0
    path.write_text(path.read_text().replace("print('2')", changed))
    assert pytest_nbval(path).returncode == 1


@pytest.mark.parametrize("action", ["run", "normalize", "check"])
def test_a_missing_path_is_named(tmp_path, capsys, action):
    assert cli.main(["notebooks", action, str(tmp_path / "nowhere.ipynb")]) == 1
    assert "nowhere.ipynb': check its spelling" in capsys.readouterr().err


@pytest.mark.notebooks
def test_the_others_run_when_one_fails_and_all_that_failed_are_named(tmp_path):
    paths = [write(tmp_path / f"{name}.ipynb", code) for name, code in {"a": "1 / 0", "b": "1", "c": "nobody"}.items()]
    with pytest.raises(NotebookError, match=r"(?s)a cell failed.*2 of 3 failed: a\.ipynb, c\.ipynb") as raised:
        notebooks.run(paths)
    assert [nbformat.read(path, 4).cells[0].execution_count for path in paths] == [None, 1, None]
    assert all(each in str(raised.value) for each in ("ZeroDivisionError", "NameError", str(paths[0]), str(paths[2])))


ENDLESS = "import time; time.sleep(99)"


@pytest.mark.notebooks
@pytest.mark.parametrize("code, said", [("import os; os._exit(1)", "Kernel died"), (ENDLESS, "after 1 seconds")])
def test_a_kernel_that_dies_and_a_cell_that_takes_too_long_are_named(tmp_path, monkeypatch, code, said):
    client = kernels.client
    monkeypatch.setattr(kernels, "client", lambda *given, **options: client(*given, **options | {"timeout": 1}))
    with pytest.raises(NotebookError, match=rf"(?s)a\.ipynb: a cell failed.*{said}"):
        notebooks.run([write(tmp_path / "a.ipynb", code)])


@pytest.mark.notebooks
def test_an_interrupted_run_leaves_no_kernel_behind(tmp_path):
    """The short one comes when the endless one is at work; then the run is given up, as by Ctrl-C."""
    started = tmp_path / "pid"
    endless = f"import os, pathlib; pathlib.Path({str(started)!r}).write_text(str(os.getpid())); {ENDLESS}"
    short = f"import pathlib, time\nwhile not pathlib.Path({str(started)!r}).exists(): time.sleep(0.1)"
    paths = [write(tmp_path / "endless.ipynb", endless), write(tmp_path / "short.ipynb", short)]
    running: Any = notebooks.executed(paths, jobs=2)
    assert next(running)[0] == paths[1]
    running.close()
    with pytest.raises(ProcessLookupError):
        os.kill(int(started.read_text()), 0)


LISTENING = """
import json, sys
print(json.load(open(sys.argv[sys.argv.index("-f") + 1]))["transport"])
"""


@pytest.mark.notebooks
@pytest.mark.parametrize("name, transport", [("short", "ipc"), ("l" * 90, "tcp")])
def test_a_kernel_warns_of_nothing_and_leaves_nothing(tmp_path, monkeypatch, capfd, name, transport):
    folder = Path(tempfile.mkdtemp(suffix=name))
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    path = write(tmp_path / "a.ipynb", LISTENING)
    assert notebooks.run([path]) == [path]
    assert nbformat.read(path, 4).cells[0].outputs[0].text == f"{transport}\n"
    assert capfd.readouterr() == ("", "")
    monkeypatch.undo()
    folder.rmdir()  # would fail if anything were left in it


def test_a_picture_that_only_differs_by_rounding_keeps_its_stored_bytes():
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 250, size=(60, 60, 3))
    rounded = picture + (rng.random(picture.shape) < 0.05)
    moved = np.roll(picture, 1, axis=0)

    def notebook(data, source="plot()"):
        output = new_output("display_data", data={"image/png": data})
        return new_notebook(cells=[new_code_cell(source, id="figure", outputs=[output])])

    def kept(fresh, stored):
        return notebooks.keep_same_pictures(fresh, stored).cells[0].outputs[0].data["image/png"]

    old, close, other = png(picture), png(rounded), png(moved)
    assert kept(notebook(close), notebook(old)) == old
    assert kept(notebook(other), notebook(old)) == other
    assert kept(notebook(close, source="plot(2)"), notebook(old)) == close


PROBLEMS = {
    "was not executed": [new_code_cell("1", id="a")],
    "without the tag": [new_code_cell("1", id="a", execution_count=1,
                                      outputs=[new_output("error", ename="E", evalue="", traceback=[])])],
    "or the tag without one": [new_code_cell("1", id="a", execution_count=1, metadata={"tags": ["raises-exception"]})],
    "no code cell": [new_markdown_cell("text", id="a")],
}  # fmt: skip


@pytest.mark.parametrize("problem", PROBLEMS)
def test_what_nbval_would_pass_silently_is_reported(tmp_path, problem):
    path = write(tmp_path / "book" / "a.ipynb", *PROBLEMS[problem])
    assert [problem in line for line in notebooks.problems([path])] == [True]


def test_student_versions_keep_no_outputs_and_every_notebook_is_normalized(tmp_path):
    student = write(tmp_path / "labs" / "a.ipynb", new_code_cell("1", id="a", execution_count=1))
    assert "has outputs" in notebooks.problems([student])[0]
    messy = write(tmp_path / "labs" / "b.ipynb", "1")
    messy.write_text(messy.read_text().replace('"language": "python"', '"language": "Python"'))
    assert "not normalized" in notebooks.problems([messy])[0]


@pytest.mark.parametrize(
    ("tag", "folded"),
    [
        ("hide-input", {"source_hidden": True}),
        ("remove-input", {"source_hidden": True}),
        ("hide-output", {"outputs_hidden": True}),
        ("hide-cell", {"source_hidden": True, "outputs_hidden": True}),
        ("raises-exception", None),
    ],
)
def test_jupyterlab_folds_what_the_page_folds_and_nothing_else(tmp_path, tag, folded):
    by_hand = {"jupyter": {"source_hidden": True}}
    cells = [new_code_cell("1", id="a", metadata={"tags": [tag]}), new_code_cell("1", id="b", metadata=by_hand)]
    path = write(tmp_path / "labs" / "a.ipynb", *cells)
    tagged, untagged = nbformat.read(path, 4).cells
    assert tagged.metadata.get("jupyter") == folded and "jupyter" not in untagged.metadata
    assert notebooks.problems([path]) == []
    path.write_text(path.read_text().replace(tag, "scroll-output"))
    assert ["not normalized" in line for line in notebooks.problems([path])] == ([True] if folded else [])
