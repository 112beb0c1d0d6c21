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
    ("import lrcourse.torch.vgg\nlrcourse.torch.train(1)", {"lrcourse.torch.vgg", "lrcourse.torch.training"}),
    ("import lrcourse.torch as t\nt.train", {"lrcourse.torch"}),
    ("from lrcourse.schedules import *", {"lrcourse.schedules"}),
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


def test_the_packages_around_a_module_count_as_python_runs_them_too():
    assert set(files({"lrcourse.torch.vgg"})) == {"__init__.py", "torch/__init__.py", "torch/vgg.py"}


@pytest.mark.parametrize(("line", "counts"), [
    ("train = None", True),
    ("import torch; torch.set_default_dtype(torch.float64)", True),
    ("from .vgg import VGG", False),
    ("__all__ = ['VGG']", False),
    ("__version__ = '9'", False),
])  # fmt: skip
def test_of_a_package_counts_what_it_does_and_not_what_it_hands_on(tmp_path, line, counts):
    (tmp_path / "__init__.py").write_text('"""A package."""\n')
    before = code_hash(tmp_path / "__init__.py")
    (tmp_path / "__init__.py").write_text(f'"""A package."""\n{line}\n')
    assert (code_hash(tmp_path / "__init__.py") != before) == counts


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


@pytest.mark.parametrize(("before", "after", "same"), [
    ("x = 1", "x = 1  # one", True),
    ("x = 1", "x = 2", False),
    ("x = '''\n%d rows'''", "x = '''\n%s columns'''", False),
    ("n = (10\n     % 3)\nfrom lrcourse.torch import train", "n = 1\nfrom lrcourse.torch import train", False),
    ("%matplotlib inline\nx = 1", "%matplotlib inline\n\nx = 1", True),
    ("x = !ls", "x = !pwd", False),
    ("this is no Python", "and so is this", True),
])  # fmt: skip
def test_of_a_notebook_the_code_counts_as_ipython_reads_it_and_the_prose_does_not(tmp_path, before, after, same):
    hashes = []
    for number, cell in enumerate((before, after)):
        cells = [nbformat.v4.new_markdown_cell(str(number)), nbformat.v4.new_code_cell(cell)]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "lab.ipynb")
        hashes.append(code_hash(tmp_path / "lab.ipynb"))
        found = imports(notebook_code(tmp_path / "lab.ipynb"))
        assert found == ({"lrcourse.torch.training"} if "train" in cell else set())
    assert (hashes[0] == hashes[1]) == same


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
