"""What a piece of code depends on: the modules of the package that its imports reach, as files and their hashes.

The graph of imports is grimp's. One thing is added: `from lrcourse.torch import VGG` depends on the file that defines
`VGG`, not on all that `lrcourse/torch/__init__.py` offers. Of that file itself, which Python runs on the way, the code
counts, and what it only hands on does not. A module that is named by a text (`importlib`) is not seen.
"""

import ast
import hashlib
import json
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import grimp

from ..records import PACKAGE

NAME = "lrcourse"


def reached(modules: Iterable[str]) -> set[str]:
    """The modules and everything that they import, themselves or through others.

    >>> sorted(reached({"lrcourse.sweep.graphs"}))
    ['lrcourse.sweep.graphs']
    """
    found = set(modules)
    return found.union(*(_graph().find_upstream_modules(each) for each in found))


def training() -> set[str]:
    """The modules that one imports to train networks: all but the course's machinery.

    >>> "lrcourse.torch" in training(), "lrcourse.course.pdf" in training()
    (True, False)
    """
    return {module for module in _graph().modules if not f"{module}.".startswith(f"{NAME}.course.")}


def loaded(modules: Iterable[str]) -> set[str]:
    """All that Python loads with the modules: what they reach, and the packages around each of these.

    >>> {"lrcourse", "lrcourse.torch", "lrcourse.torch.range_test"} <= loaded({"lrcourse.torch.vgg"})
    True
    """
    found, before = set(modules), set[str]()
    while found != before:
        before = found
        around = {module.rsplit(".", levels)[0] for module in found for levels in range(module.count(".") + 1)}
        found = reached(found | around)
    return found


def imports(code: str) -> set[str]:
    """The modules of the package that a script imports, each name traced to the module that defines it.

    >>> sorted(imports("import numpy\\nfrom lrcourse import Cosine, records\\nfrom lrcourse.torch import train"))
    ['lrcourse.records', 'lrcourse.schedules.cosine', 'lrcourse.torch.training']
    >>> sorted(imports("import lrcourse.data\\nlrcourse.torch.train"))
    ['lrcourse.data', 'lrcourse.torch.training']
    """
    nodes = list(ast.walk(ast.parse(code)))
    named = {module for node in nodes for module in _imported(node, NAME)}
    if any(isinstance(node, ast.Import) for node in nodes) and named:
        within = {id(node.value) for node in nodes if isinstance(node, ast.Attribute)}
        named |= {module for node in nodes if id(node) not in within for module in _reached_by_dots(node)}
    return named & _graph().modules


def files(modules: Iterable[str], package: Path = PACKAGE) -> dict[str, Path]:
    """The files of the modules in the folder `package`, and of the packages around them, by their names below it."""
    around = {module.rsplit(".", levels)[0] for module in modules for levels in range(module.count(".") + 1)}
    found = (path for module in around if (path := _file(module, package)).exists())
    return {path.relative_to(package).as_posix(): path for path in sorted(found)}


def notebook_code(path: Path) -> str:
    """The code cells of a notebook as one script, as IPython reads them, without those that are wrong on purpose."""
    from IPython.core.inputtransformer2 import TransformerManager

    cells = [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    return "\n".join(filter(_parses, (TransformerManager().transform_cell("".join(cell["source"])) for cell in cells)))


def code(path: Path) -> str:
    """The code of a notebook or of a script."""
    return notebook_code(path) if path.suffix == ".ipynb" else path.read_text(encoding="utf-8")


def code_hash(path: Path) -> str:
    """A hash of a file's code, or of that in a notebook's cells, without comments, docstrings and layout.

    `with extra(…)` around imports does not count either: it decides nothing but an error. Nor does what an
    `__init__.py` hands on of its own modules, or says of the version: who uses a name depends on where it is defined.

    >>> len(code_hash(PACKAGE / "intervals.py"))
    64
    """
    return _code_hash(path, path.stat().st_mtime_ns)


@cache
def _code_hash(path: Path, _changed: int) -> str:
    tree = ast.parse(code(path))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr) and _is_text(body[0].value):
            del body[0]
        if isinstance(body, list):
            body[:] = [inner for statement in body for inner in _without_extra(statement)]
        if getattr(node, "type_params", None) == []:
            del node.type_params  # type: ignore[attr-defined]  # of Python 3.12: the hash is the same on 3.11
    if path.name == "__init__.py":
        tree.body = [statement for statement in tree.body if not _hands_on(statement)]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


@cache
def _graph() -> grimp.ImportGraph:
    graph = grimp.build_graph(NAME, exclude_type_checking_imports=True, cache_dir=None)
    for package in [module for module in graph.modules if graph.find_children(module)]:
        for importer in graph.find_modules_that_directly_import(package):
            named = _names(importer)
            if package not in named and not importer.startswith(f"{package}."):
                graph.remove_import(importer=importer, imported=package)
            for target in graph.modules.intersection(named):
                graph.add_import(importer=importer, imported=target)
    return graph


@cache
def _names(importer: str) -> set[str]:
    """The modules that a module of the package imports by name, wherever in it."""
    package = importer if _file(importer).name == "__init__.py" else importer.rpartition(".")[0]
    nodes = ast.walk(ast.parse(_file(importer).read_text(encoding="utf-8")))
    return {target for node in nodes for target in _imported(node, package)}


def _imported(node: ast.AST, package: str) -> Iterator[str]:
    """The full names of the modules that one statement imports; `package` is where a leading dot begins."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name.partition(".")[0] == NAME)
    elif isinstance(node, ast.ImportFrom):
        start = package.rsplit(".", node.level - 1)[0] if node.level else ""
        module = ".".join(filter(None, [start, node.module]))
        if module.partition(".")[0] == NAME:
            yield from (_home(module, alias.name) for alias in node.names)


def _reached_by_dots(node: ast.AST) -> Iterator[str]:
    """What `lrcourse.torch.train` means where a script has imported `lrcourse`, or a part of it."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts, node = [node.attr, *parts], node.value
    if isinstance(node, ast.Name) and node.id == NAME:
        module = NAME
        for part in parts:
            module = _home(module, part)
        yield module


def _home(module: str, name: str) -> str:
    """The module that defines what `from module import name` brings; `module` itself where that cannot be seen."""
    if _file(f"{module}.{name}").exists():
        return f"{module}.{name}"
    return _offered(module).get(name, module)


@cache
def _offered(package: str) -> dict[str, str]:
    """The names that a package's `__init__` imports from its own modules: where each is defined."""
    if _file(package).name != "__init__.py":
        return {}
    found: dict[str, str] = {}
    for node in ast.walk(ast.parse(_file(package).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module:
            inner = f"{package}.{node.module}"
            found |= _offered(inner) if node.names[0].name == "*" else {
                alias.asname or alias.name: _home(inner, alias.name) for alias in node.names
            }  # fmt: skip
    return found


def _file(module: str, package: Path = PACKAGE) -> Path:
    path = package.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_name(f"{path.name}.py")


def _without_extra(statement: ast.stmt) -> list[ast.stmt]:
    """What is left of a statement without the context manager of `lrcourse.extras`."""
    match statement:
        case ast.ImportFrom(module="extras"):
            return []
        case ast.With(items=[ast.withitem(context_expr=ast.Call(func=ast.Name(id="extra")))]):
            return statement.body
    return [statement]


def _hands_on(statement: ast.stmt) -> bool:
    match statement:
        case ast.ImportFrom(level=1):
            return True
        case ast.Assign(targets=[ast.Name(id="__all__" | "__version__")]):
            return True
    return False


def _parses(code: str) -> bool:
    try:
        ast.parse(code)
    except SyntaxError:
        return False
    return True


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
