"""What a student's cells need and the grader lacks: a module that is not installed, a program that runs a cell."""

import ast
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib.util import find_spec

from .notebook_file import Cell
from .python import CELL_MAGIC, body, plain, tree

ELSEWHERE = ("google.colab",)  # of a package that may be found here, and its module is not
BINDS = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
NAMES = 50  # of modules that a cell imports: more are not looked for


class Missing:
    """What of the modules that a notebook's cells import cannot be had."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        code = [cell for cell in cells if cell.kind == "code"]
        self.written = {name for cell in code for name in re.findall(r"\b(\w{1,100})\.py\b", cell.source)}
        self.cells_with = Counter(word for cell in code for word in set(re.findall(r"\w+", cell.source)))

    def modules(self, cell: Cell) -> list[str]:
        """Those that `cell` imports and no cell writes. What stands in a `try` does not count: that is prepared."""
        code = tree(plain(cell.source)) if cell.kind == "code" and "import" in cell.source else None
        statements = [each for each in code.body if not isinstance(each, ast.Try)] if code else []
        names = sorted({name for each in statements for name in _imported(each)} - self.written)[:NAMES]
        return [name for name in names if not _found(name)]

    def matters(self, cell: Cell) -> bool:
        """Whether something is lost if `cell` ends at an import: it binds other names, or its modules are used."""
        code = tree(plain(cell.source))
        if code is None or any(isinstance(statement, BINDS) for statement in code.body):
            return True
        names = {(alias.asname or alias.name).partition(".")[0] for node in ast.walk(code)
                 if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names}  # fmt: skip
        return any(name == "*" or self.cells_with[name] > 1 for name in names)


def program(source: str) -> str:
    """The cell magic that takes a cell away from Python; "" if there is none."""
    found = CELL_MAGIC.match(source)
    return "" if not found or body(source) else found[1]


def _imported(statement: ast.stmt) -> Iterator[str]:
    for node in ast.walk(statement):
        if isinstance(node, ast.Import):
            yield from (_package(alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield _package(node.module)


def _package(module: str) -> str:
    elsewhere = [name for name in ELSEWHERE if f"{module}.".startswith(f"{name}.")]
    return elsewhere[0] if elsewhere else module.partition(".")[0]


@lru_cache(maxsize=4096)
def _found(name: str) -> bool:
    try:
        return name not in ELSEWHERE and find_spec(name) is not None
    except (ImportError, ValueError):  # no ordinary module, such as __main__
        return True
