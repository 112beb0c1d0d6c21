"""The names that a notebook's cells bind and read, as far as their text tells."""

import ast
from functools import lru_cache

from .python import plain, tree


def stored(code: ast.AST) -> set[str]:
    """Names that are bound anywhere in a syntax tree."""
    found: set[str] = set()
    for node in ast.walk(code):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.alias):
            found.add((node.asname or node.name).partition(".")[0])
    return found


def defined(source: str) -> set[str]:
    """Names that a cell would bind at its top level.

    >>> sorted(defined("!pip install x\\nfiles = !ls\\ndef double(x):\\n    y = 2 * x\\n    return y"))
    ['double', 'files']
    """
    return {name for statement in _statements(source) for name in _bound(statement)}


def surely_defined(source: str) -> set[str]:
    """Those names that a cell binds whatever happens: not only `if` something holds.

    >>> surely_defined("x = 1\\nif ready(x):\\n    rates = [1]")
    {'x'}
    """
    perhaps = ast.If | ast.For | ast.While | ast.Try
    statements = [each for each in _statements(source) if not isinstance(each, perhaps)]
    return {name for statement in statements for name in _bound(statement)}


def needed(source: str) -> set[str]:
    """Names that a cell reads and that others must have bound before.

    >>> sorted(needed("rates = [lr]\\nrates = rates + more\\ndef f(x):\\n    y = data\\n    return x + y"))
    ['data', 'lr', 'more']
    """
    found: set[str] = set()
    own: set[str] = set()
    for statement in _statements(source):
        read = {
            node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
        }
        if isinstance(statement, ast.AugAssign):
            read |= stored(statement)
        elif not isinstance(statement, ast.Assign | ast.AnnAssign):
            read -= stored(statement)  # such as a loop's variable, and what a function has of its own
        found |= read - own
        own |= _bound(statement)
    return found


def visible(source: str) -> str:
    """A check cell as students have it: without hidden tests.

    >>> visible("a = 1\\n### BEGIN HIDDEN TESTS\\nsecret\\n### END HIDDEN TESTS\\na + 1")
    'a = 1\\na + 1'
    """
    marks, hidden = ("BEGIN HIDDEN TESTS", "END HIDDEN TESTS"), hidden_lines(source)
    lines = enumerate(source.split("\n"), 1)
    return "\n".join(line for number, line in lines if number not in hidden and not any(mark in line for mark in marks))


def hidden_lines(source: str) -> set[int]:
    """The line numbers, from 1, between the markers of hidden tests."""
    hidden, inside = set(), False
    for number, line in enumerate(source.split("\n"), 1):
        if "BEGIN HIDDEN TESTS" in line:
            inside = True
        elif "END HIDDEN TESTS" in line:
            inside = False
        elif inside:
            hidden.add(number)
    return hidden


@lru_cache(maxsize=256)  # every student has ours
def _statements(source: str) -> list[ast.stmt]:
    """None of a cell that is no Python."""
    found = tree(plain(source))
    return found.body if found else []


def _bound(statement: ast.stmt) -> set[str]:
    """What a statement binds in the cell; what a definition binds inside is its own."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    return stored(statement)
