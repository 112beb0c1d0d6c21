"""What to say of an exception that a check met: its type, and the line of the student's code that it comes from."""

import ast
import linecache
import re
import sys
import sysconfig
import traceback
from pathlib import Path
from typing import Any

from .printed import WIDTH

TEXT = 300  # characters: some libraries write pages
LIBRARIES = (*(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")), str(Path(__file__).parents[1]))


def said(error: Exception, got: Any) -> str:
    """The fault of a part whose check `got` was ended by `error`."""
    check = getattr(getattr(got, "__code__", None), "co_filename", "")
    named = f"{type(error).__name__}: {placed(error, check)}".removesuffix(": ")
    if getattr(error, "of_student", False) or _line(error, check):
        return f"it raises {named}"
    if isinstance(error, NameError):
        return _missing(error.name) if error.name else str(error)
    # The check's own code: it calls with the arguments of the task, and looks at the result.
    return f"the check ends with {named}. Does the function take and return what the task asks for?"


def placed(error: BaseException, check: str = "") -> str:
    """The exception's text, with the line of the student's code that it comes from, if there is one.

    `check`: the file name of the check's own code, which is not meant.
    """
    try:
        text = error.msg if isinstance(error, SyntaxError) else str(error)
    except Exception:  # an exception of the student's own, that cannot be printed
        text = ""
    text = text if len(text) <= TEXT else text[:TEXT] + "…"
    return (text + _place(*found)).strip() if (found := _line(error, check)) else text


def _line(error: BaseException, check: str) -> tuple[str, int, str] | None:
    """File, number and text of the innermost line that belongs neither to the check nor to a library."""
    if isinstance(error, SyntaxError):
        return (error.filename or "", error.lineno, error.text or "") if error.lineno else None
    found = None
    for frame, number in traceback.walk_tb(error.__traceback__):
        file = frame.f_code.co_filename
        if file != check and not file.startswith(LIBRARIES) and (file[:1] != "<" or file.startswith("<ipython")):
            found = file, number, linecache.getline(file, number)
    return found


def _place(file: str, number: int, text: str) -> str:
    cell, code = _cell(file), text.strip()
    code = code if len(code) <= WIDTH else code[: WIDTH - 1] + "…"
    return f" (line {number}" + f" of {cell}" * bool(cell) + f": `{code}`" * bool(code) + ")"


def _shell() -> Any:
    """The running IPython, which knows the cells; None outside of one."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None


def _cell(file: str) -> str:
    """The name of a cell as a notebook shows it, such as In[3]; of a module its file's name."""
    known = shell.compile.format_code_name(file) if (shell := _shell()) else None
    return known[1] if known else "" if file.startswith("<") else Path(file).name


def _missing(name: str) -> str:
    """Why a name that a check asks for does not exist."""
    cells = shell.user_ns.get("In", []) if (shell := _shell()) else []
    for number, source in reversed(list(enumerate(cells))):
        if re.search(rf"^\s*(?:def|class)\s+{name}\b|^{name}\s*=", source, re.MULTILINE):
            try:
                compile(source, "", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            except SyntaxError as error:
                fault = f"{error.msg}, line {error.lineno}: `{(error.text or '').strip()}`"
                return f"In[{number}] has a {type(error).__name__}, so {name} does not exist ({fault})"
            break
    return f"there is no {name}: its cell was not run, or it ended with an error before that line"
