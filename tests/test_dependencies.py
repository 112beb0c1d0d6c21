"""What code depends on is read from its imports: a changed file is noticed by what uses it, and by nothing else."""

import ast

import nbformat
import pytest

from lrcourse.course import dependencies
from lrcourse.course.dependencies import code_hash, files, imports, notebook_code, reached


@pytest.mark.parametrize(("code", "modules"), [
    ("from lrcourse.torch import VGG", {"lrcourse.torch.vgg"}),
    ("from lrcourse import Cosine", {"lrcourse.schedules.cosine"}),
    ("from lrcourse import records", {"lrcourse.records"}),
    ("from lrcourse.schedules import cosine as shape", {"lrcourse.schedules.cosine"}),
    ("from lrcourse.torch.vgg import VGG16", {"lrcourse.torch.vgg"}),
    ("import lrcourse.keras", {"lrcourse.keras"}),
    ("import numpy, math\nfrom pathlib import Path", set()),
    ("def later():\n    from lrcourse.sweep import grid", {"lrcourse.sweep.settings"}),
])  # fmt: skip
def test_a_name_leads_to_the_module_that_defines_it(code, modules):
    assert imports(code) == modules


def test_a_module_reaches_what_it_imports_and_what_that_imports_and_no_more():
    found = reached({"lrcourse.torch.models"})
    assert "lrcourse.torch.models" in found and "lrcourse.torch.range_test" not in found
    assert {"lrcourse.torch.training", "lrcourse.schedules.base"} <= reached({"lrcourse.sweep.run"})
    assert not any(name.startswith("lrcourse.course") for name in reached({"lrcourse.sweep", "lrcourse.keras"}))


def test_modules_are_files_also_of_another_copy_of_the_package(tmp_path):
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "vgg.py").touch()
    assert files({"lrcourse.torch.vgg", "lrcourse.intervals"}, tmp_path) == {"torch/vgg.py": tmp_path / "torch/vgg.py"}


@pytest.mark.parametrize(("before", "after", "same"), [
    ("x = 1", "x = 1  # one\n", True),
    ("def f():\n    return 1", 'def f():\n    """One."""\n    return 1', True),
    ("import torch", "from .extras import extra\nwith extra('torch'):\n    import torch", True),
    ("x = 1", "x = 2", False),
])  # fmt: skip
def test_only_code_counts(tmp_path, before, after, same):
    (tmp_path / "before.py").write_text(before)
    (tmp_path / "after.py").write_text(after)
    assert (code_hash(tmp_path / "before.py") == code_hash(tmp_path / "after.py")) == same


def test_of_a_notebook_the_code_counts_and_its_prose_and_magics_do_not(tmp_path):
    cells = [nbformat.v4.new_markdown_cell("a"), nbformat.v4.new_code_cell("%matplotlib inline\nx = 1")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    hashes = []
    for cell, source in ((0, "a"), (0, "b"), (1, "!ls\nx = 1  # one"), (1, "x = 2")):
        notebook.cells[cell].source = source
        nbformat.write(notebook, tmp_path / "lab.ipynb")
        hashes.append(code_hash(tmp_path / "lab.ipynb"))
    assert len(set(hashes[:3])) == 1 and hashes[3] != hashes[0]
    assert notebook_code(tmp_path / "lab.ipynb") == "x = 2"


def test_the_hash_is_the_same_with_the_syntax_tree_of_python_3_12(monkeypatch):
    paths = [path for path in files({"lrcourse.records", "lrcourse.course.recording"}).values()]
    before, parse = [code_hash(path) for path in paths], ast.parse

    def parsed(*given):
        tree = parse(*given)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                vars(node)["type_params"] = []
        return tree

    for kind in (ast.FunctionDef, ast.ClassDef):
        monkeypatch.setattr(kind, "_fields", tuple(dict.fromkeys([*kind._fields, "type_params"])))
    monkeypatch.setattr(dependencies.ast, "parse", parsed)
    assert [code_hash(path) for path in paths] == before
