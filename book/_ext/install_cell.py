"""The first cell of a published notebook: it brings the course with the extras that this notebook imports, and no more.

What a notebook imports is read from its code and, through that, from the package; which extras bring it, from
pyproject.toml.
"""

import ast
import itertools
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

from nbformat import NotebookNode
from packaging.requirements import Requirement

from lrcourse import __version__

PACKAGE = "lrcourse"
GIVEN = {*sys.stdlib_module_names, PACKAGE, "numpy", "IPython"}  # what comes with Python, the package and any kernel
BACKEND = {"keras": "tensorflow"}  # that Keras imports when it loads
CELL = """\
# Brings the course, and what this notebook imports, where they are missing:
# in the versions that the notebook was tested with. On another processor a result
# may differ in its last digits, and one at the edge may fall the other way; the
# text tells of ours.
from importlib.util import find_spec

pins = "{pins}"
course = "{course}"
wanted = f'--constraint {{pins}} "{{course}}"'
if find_spec("{package}") is None:
    %pip install --quiet {{wanted}}
import {package}

needed = "{needed}".split()
missing = [name for name in needed if find_spec(name) is None]
if missing or {package}.__version__ != "{version}":
    print("Made for {package} {version}; here is", {package}.__version__, *missing and ["without", *missing])
    print("If a cell fails for that, run this and restart the kernel:")
    print("%pip install --upgrade", wanted)"""


def source(notebook: NotebookNode, root: Path, repository: str) -> str:
    """The code of the cell, for a notebook of the course that lies at `root` and is published at `repository`."""
    names = needs(notebook, root)
    known = set().union(*offered(root).values())
    return CELL.format(
        package=PACKAGE, version=__version__, pins=pins(repository), course=course(names, root, repository),
        needed=" ".join(sorted(name for name in names if distribution(name) in known)),
    )  # fmt: skip


def course(names: set[str], root: Path, repository: str) -> str:
    """What pip is asked for: the package with what brings the named modules."""
    return f"{PACKAGE}[{','.join(extras(set(map(distribution, names)), offered(root)))}] @ git+{repository}"


def pins(repository: str) -> str:
    return repository.replace("github.com", "raw.githubusercontent.com") + "/main/constraints.txt"


def needs(notebook: NotebookNode, root: Path) -> set[str]:
    """The modules of others that a notebook of the course imports, itself or by the package."""
    return imported("\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code"), root)


def imported(code: str, root: Path) -> set[str]:
    """The packages of others that a notebook's code imports, itself or by the modules of ours that load with it.

    A module of ours that is only imported within a function is an optional part: who uses it imports it.
    """
    found: set[str] = set()
    seen: set[Path] = set()
    waiting = [(name, False) for name, _ in _imports(ast.parse(code), "")]
    while waiting:
        name, late = waiting.pop()
        top = name.partition(".")[0]
        found |= {top} if late else {top, BACKEND.get(top, top)}
        for path in set() if late else set(_files(root, name)) - seen:
            seen.add(path)
            waiting += _imports_of(path, root)
    return found - GIVEN


def extras(wanted: set[str], brings: dict[str, set[str]]) -> list[str]:
    """The extras that bring the wanted distributions, as far as any does, with the least besides.

    >>> extras({"a", "b", "unheard-of"}, {"plots": {"b"}, "data": {"a", "b"}, "book": {"a", "b", "c"}})
    ['data']
    """
    wanted = wanted & set().union(*brings.values())
    useful = sorted(name for name in brings if brings[name] & wanted)
    some = (each for n in range(len(useful) + 1) for each in itertools.combinations(useful, n))
    unions = {each: set().union(*map(brings.__getitem__, each)) for each in some}
    least = min((each for each in unions if wanted <= unions[each]), key=lambda each: (len(unions[each]), len(each)))
    return list(least)


@cache
def offered(root: Path) -> dict[str, set[str]]:
    """The distributions that each extra of pyproject.toml brings, but for those that are made from others."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {
        name: {Requirement(line).name.lower() for line in lines}
        for name, lines in project["optional-dependencies"].items()
        if not any(line.startswith(PACKAGE) for line in lines)
    }


def distribution(name: str) -> str:
    """What one installs to import `name`, the name itself if that is not installed here.

    >>> distribution("sklearn"), distribution("jax_of_another_machine")
    ('scikit-learn', 'jax_of_another_machine')
    """
    return _distributions().get(name, [name])[0].lower()


@cache
def _distributions() -> dict[str, list[str]]:
    return dict(packages_distributions())


def _files(root: Path, name: str) -> Iterator[Path]:
    """The files that an import of our module `name` runs: the packages that it lies in, and its own."""
    parts = name.split(".")
    for n in range(1, len(parts) + 1) if parts[0] == PACKAGE else ():
        path = root.joinpath(*parts[:n])
        yield from (each for each in (path.with_suffix(".py"), path / "__init__.py") if each.exists())


@cache
def _imports_of(path: Path, root: Path) -> list[tuple[str, bool]]:
    folder = ".".join(path.parent.relative_to(root).parts)
    return list(_imports(ast.parse(path.read_text(encoding="utf-8")), folder))


def _imports(tree: ast.AST, folder: str, late: bool = False) -> Iterator[tuple[str, bool]]:
    """Every name that is imported, in full, and whether that waits for the call of a function."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((each.name, late) for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = folder.split(".")[: -node.level + 1 or None] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((f"{base}.{each.name}", late) for each in node.names)
        elif not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _imports(node, folder, late or function)
