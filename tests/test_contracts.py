"""The wall, the floors and the rooms: a planted violation of each turns the check of imports red."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "lrcourse"

PLANTS = {
    "the wall": ("plots.py", "from .course import book", "the door of the command"),
    "an upward arrow": ("schedules/constant.py", "from .. import plots", "stands on its floors"),
    "an upward arrow in the course": ("course/notebooks.py", "from . import book", "machinery stands on its floors"),
    "PyTorch outside of its rooms": ("space.py", "def later():\n    import torch", "PyTorch"),
    "Keras outside of its rooms": ("torch/vgg.py", "import keras", "Keras"),
    "a tool of the course": ("records/__init__.py", "import nbformat", "The course's tools"),
    "a circle": ("torch/groups.py", "from . import schedule_lr", "No circle"),
    "a module without a floor": ("novelty.py", "x = 1", "stands on its floors"),
}


def checked(root: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"]
    return subprocess.run(command, cwd=root, env={"PYTHONPATH": str(root)}, capture_output=True, text=True)


@pytest.mark.parametrize(("name", "line", "told"), PLANTS.values(), ids=PLANTS.keys())
def test_a_planted_violation_turns_the_check_red_and_is_named(tmp_path: Path, name: str, line: str, told: str) -> None:
    shutil.copytree(PACKAGE, tmp_path / "lrcourse", ignore=shutil.ignore_patterns("__pycache__", "*.json"))
    shutil.copy(ROOT / ".importlinter", tmp_path)
    with (tmp_path / "lrcourse" / name).open("a") as file:
        file.write(f"\n{line}\n")
    done = checked(tmp_path)
    assert done.returncode == 1, done.stdout
    assert re.search(rf"(?m)^.*{told}.* BROKEN$", done.stdout), done.stdout


def test_the_contracts_hold() -> None:
    done = checked(ROOT)
    assert done.returncode == 0 and ", 0 broken" in done.stdout, done.stdout


# What else the package imports, and where. TensorFlow comes by Keras, so nothing names it.
ROOMS = {
    "torch": {"torch", "sweep"},
    "keras": {"keras", "data"},
    "transformers": {"audit"},
    "jax": {"jax"},
    "matplotlib": {"plots", "range_test", "data"},
    "scipy": {"intervals", "space", "data", "torch", "study"},
    "sklearn": {"data"},
    "PIL": {"data"},
    "IPython": {"glue", "selfcheck"},
    "joblib": {"sweep", "study", "fingerprint"},
    "pandas": {"sweep", "study"},
    "distributed": {"sweep"},
    "optuna": {"sweep"},
    "tqdm": {"sweep", "data", "study"},
    "statsmodels": {"study", "data"},
}


def test_each_library_is_imported_in_its_rooms_only() -> None:
    graph = grimp.build_graph("lrcourse", include_external_packages=True, cache_dir=None)
    others = {module for module in graph.modules if not module.startswith("lrcourse")} - sys.stdlib_module_names
    for library in others - {"numpy"}:
        importers = graph.find_modules_that_directly_import(library)
        parts = {importer.split(".")[1] for importer in importers} - {"course"}
        assert parts <= ROOMS.get(library, set()), library


def test_every_folder_of_code_is_a_package_which_the_contracts_can_see() -> None:
    folders = {path.parent for path in PACKAGE.rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []


def private(code: str, reached: bool = True) -> list[str]:
    """The private names that a module imports from another and, if asked, takes from one that it imports.

    >>> private("from .a import _b, c\\nfrom ._d import e\\nfrom torch import _dynamo\\nfrom . import __version__")
    ['_b', '_d']
    >>> private("from . import a\\nimport lrcourse.b as b\\na._x() + b._y + b.__doc__ + self._z")
    ['_x', '_y']
    """
    nodes = list(ast.walk(ast.parse(code)))
    ours = [node for node in nodes if isinstance(node, ast.ImportFrom)
            if node.level or (node.module or "").startswith("lrcourse")]  # fmt: skip
    plain = [alias for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    modules = {alias.asname or alias.name for node in ours for alias in node.names if alias.name[0].islower()}
    modules |= {alias.asname for alias in plain if alias.asname and alias.name.startswith("lrcourse")}
    names = [node.attr for node in nodes if isinstance(node, ast.Attribute) and reached
             if isinstance(node.value, ast.Name) and node.value.id in modules]  # fmt: skip
    names += [
        part for node in ours for part in [*(alias.name for alias in node.names), *(node.module or "").split(".")]
    ]
    return sorted(name for name in names if re.match("_(?!_)", name))


# A test may put something else in the place of what is private, to see what happens.
@pytest.mark.parametrize("folder", ["lrcourse", "book/_ext", "benchmarks", "tests"])
def test_no_module_reaches_for_a_private_name_of_another(folder: str) -> None:
    found = {
        path.name: names
        for path in (ROOT / folder).rglob("*.py")
        if (names := private(path.read_text(), folder != "tests"))
    }
    assert found == {}


@pytest.mark.parametrize("package", ["lrcourse", "lrcourse.course"])
def test_the_graph_in_the_guide_for_contributors_is_the_one_that_the_command_draws(package: str) -> None:
    command = [sys.executable, str(ROOT / "scripts" / "import-graph"), package]
    done = subprocess.run(command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True)
    assert f"```mermaid\n{done.stdout}```" in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
