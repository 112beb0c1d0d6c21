"""One formatter and one width for notebooks, another for the package, and a linter for scripts: each can turn red."""

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from lrcourse.course import notebooks

ROOT = Path(__file__).parents[1]
WIDTHS = {
    "book/a.ipynb": 88, "solutions/01-decay/a.ipynb": 88, "labs/01-decay/a.ipynb": 88,
    "book/_ext/a.py": 120, "lrcourse/a.py": 120, "tests/a.py": 120,
}  # fmt: skip


def program(name: str, *arguments: str | Path, given: str | None = None) -> subprocess.CompletedProcess:
    command = [Path(sys.executable).with_name(name), *arguments]
    return subprocess.run(command, cwd=ROOT, input=given, capture_output=True, text=True)


def ruff(action: str, name: str, code: str) -> subprocess.CompletedProcess:
    """What ruff says of a file of the course that holds this code, by the settings of its place."""
    text = nbformat.writes(new_notebook(cells=[new_code_cell(code, id="a")])) if name.endswith(".ipynb") else code
    return program("ruff", *action.split(), "--no-cache", "--stdin-filename", name, "-", given=text)


@pytest.mark.parametrize("name", WIDTHS)
def test_a_line_may_be_as_wide_as_its_place_allows_and_no_wider(name):
    def call(width: int) -> str:
        return f"print(1, {'1' * (width - 10)})" + "\n" * name.endswith(".py")

    assert ruff("format --check", name, call(WIDTHS[name])).returncode == 0
    assert ruff("format --check", name, call(WIDTHS[name] + 1)).returncode == 1
    assert "E501" in ruff("check", name, f"# {'long ' * 30}\n").stdout


@pytest.mark.parametrize("name", [name for name in WIDTHS if name.endswith(".ipynb")])
@pytest.mark.parametrize(("cell", "problem"), [("print(nobody)", "F821"), ("import sys\nimport os", "I001")])
def test_a_cell_is_checked_like_any_code(name, cell, problem):
    assert problem in ruff("check", name, cell).stdout


def test_ruff_and_normalize_agree_on_the_file_around_the_code(tmp_path):
    outputs = [new_output("stream", text="é\n"), new_output("execute_result", data={"text/plain": ["1"]})]
    cells = [
        new_markdown_cell("# Größe\n\ntext", id="a"),
        new_code_cell("x = [1,2]\nprint('é')", id="b", outputs=outputs, execution_count=1),
        new_code_cell("", id="c", metadata={"tags": ["hide-input"]}),
    ]
    path = tmp_path / "a.ipynb"
    path.write_text(nbformat.writes(notebooks.normalize(new_notebook(cells=cells))) + "\n", encoding="utf-8")
    before = path.read_text(encoding="utf-8")
    assert program("ruff", "format", "--isolated", "--no-cache", path).returncode == 0
    after = path.read_text(encoding="utf-8")
    code = json.loads(after)["cells"][1]["source"]
    assert code == ["x = [1, 2]\n", 'print("é")'] and after != before
    assert nbformat.writes(notebooks.normalize(nbformat.read(path, as_version=4))) + "\n" == after
    program("ruff", "format", "--isolated", "--no-cache", path)
    assert path.read_text(encoding="utf-8") == after


SCRIPT = '(() => {\n  const shown = document.title;\n  if (shown === "") document.title = "a";\n})();\n'


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [("", "", None), ("document", "documnet", "no-undef"), ("===", "==", "eqeqeq"), ("const", "var", "no-var"),
     ("shown ===", "1 ===", "no-unused-vars"), ("= document", "= = document", "Unexpected token")],
)  # fmt: skip
def test_a_fault_in_a_script_of_the_pages_is_found(tmp_path, old, new, problem):
    path = tmp_path / "a.js"
    path.write_text(SCRIPT.replace(old, new) if old else SCRIPT)
    said = program("oxlint", "--config", ROOT / ".oxlintrc.json", path)
    assert said.returncode == (problem is not None) and (problem or "") in said.stdout
