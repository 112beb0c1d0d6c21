"""The Python in a notebook's cell, without what only IPython understands: magics, shell lines, help and prompts."""

import ast
import re

SIZE = 100_000  # characters; a syntax tree takes hundreds of bytes for each
MAGICS = 9  # of one cell that are looked at
RUNS = ("time", "capture", "prun", "timeit")  # cell magics that run the rest of the cell as Python
CELL_MAGIC = re.compile(r"\s*%%(\S+)[^\n]*(?:\n|\Z)")
PROMPT = re.compile(r"^([ \t]*)(?:>>> ?|\.\.\. ?|In \[\d+\]: ?)", re.MULTILINE)
TIMED = re.compile(r"^([ \t]*)%(?:time|prun)[ \t]+(?=\S)", re.MULTILINE)
ASSIGNED = re.compile(r"^([^\n=!%#]+=)[ \t]*(?:!|%(?=\w))[^\n]*(?:(?<=\\)\n[^\n]*)*", re.MULTILINE)
SPECIAL = re.compile(
    r"^([ \t]*)(?:(?:!|%(?=\w)|\?)[^\n]*(?:(?<=\\)\n[^\n]*)*|[\w.*]+\?{1,2}[ \t]*)$", re.MULTILINE
)  # fmt: skip


def plain(source: str) -> str:
    """What `ast` can read of a cell: such lines do nothing, and a cell for another program is empty.

    >>> plain("!pip install x\\nfiles = !ls\\n%time y = 1\\nnp.take?")
    'pass\\nfiles = None\\ny = 1\\npass'
    >>> plain("%%time\\nx = 5 % 2"), plain("%%bash\\nls")
    ('x = 5 % 2', '')
    """
    text = body(source)
    if len(text) > SIZE or tree(text) is not None:
        return text
    text = TIMED.sub(r"\1", PROMPT.sub(r"\1", text))
    return SPECIAL.sub(r"\1pass", ASSIGNED.sub(r"\1 None", _dedented(text)))


def body(source: str) -> str:
    """A cell without its cell magics; "" if one of them does not run the rest as Python."""
    for _ in range(MAGICS):
        if not (found := CELL_MAGIC.match(source)):
            break
        if found[1] not in RUNS:
            return ""
        source = source[found.end() :]
    return source


def tree(source: str) -> ast.Module | None:
    """The syntax tree of Python; None if it is not Python, or too long to be looked at."""
    if len(source) > SIZE:
        return None
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _dedented(text: str) -> str:
    """As IPython does it: a cell that starts indented is taken back to the margin."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    indent = first[: len(first) - len(first.lstrip())]
    return re.sub(rf"^{indent}", "", text, flags=re.MULTILINE) if indent else text
