"""What runs inside the sandbox: cells of a notebook, and calls of the functions that they define.

Requests and answers are frames of `codec` on one channel. The student's code shares this process and may do to it
what it likes: the other end trusts nothing of what comes back.
"""

import importlib
import json
import os
import random
import sys
from typing import Any, BinaryIO

import numpy as np
from IPython.core import page
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.text import SList
from traitlets.config import Config

from ...selfcheck.errors import placed
from ...selfcheck.printed import Text
from .codec import HEADER, NotPlain, decode, encode, pack, unpack
from .limits import Limits

NOT_FOUND = 127  # the exit code of a command that is not there
INSTALLERS = ("pip", "conda", "mamba", "micromamba", "uv")
EXTENDS = ("load_ext", "reload_ext", "matplotlib")  # by what may not be installed here
SCRIPTS = ("script", "bash", "sh", "cmd", "perl", "ruby", "python", "python2", "python3", "pypy")


class Notebook(InteractiveShell):
    """A notebook's namespace without a terminal, a stored history or tracebacks.

    There is no shell and nothing to install from. A line that asks for one says so and does nothing, and the cell goes
    on: many notebooks begin with `!pip install`.
    """

    def init_sys_modules(self) -> None:  # __main__ stays the driver
        pass

    def init_hooks(self) -> None:
        super().init_hooks()
        no_pager = page.as_hook(lambda *args, **kwargs: None)
        self.set_hook("show_in_pager", no_pager, 0)  # what a ? shows is not printed

    def enable_gui(self, gui: str | None = None) -> None:  # %matplotlib asks for it
        pass

    def showtraceback(self, *args: Any, **kwargs: Any) -> None:
        pass

    showsyntaxerror = showindentationerror = showtraceback

    def system(self, cmd: str) -> None:
        print(f"not available at grading: !{cmd}")
        self.user_ns["_exit_code"] = NOT_FOUND

    system_piped = system_raw = system

    def getoutput(self, cmd: str, split: bool = True, depth: int = 0) -> SList | str:
        self.system(cmd)
        return SList() if split else ""

    def run_line_magic(self, magic_name: str, line: str, _stack_depth: int = 1) -> Any:
        try:
            if magic_name not in INSTALLERS:
                return super().run_line_magic(magic_name, line, _stack_depth + 1)
        except UsageError as error:  # there is none, or not with such arguments
            print(error)
        except Exception:
            if magic_name not in EXTENDS:
                raise
        print(f"not available at grading: %{magic_name} {line}".rstrip())

    def run_cell_magic(self, magic_name: str, line: str, cell: str) -> Any:
        try:
            if magic_name not in SCRIPTS:
                return super().run_cell_magic(magic_name, line, cell)
        except UsageError as error:
            print(error)
        print(f"not available at grading: %%{magic_name} {line}".rstrip())


def notebook(setup: str) -> Notebook:
    """A notebook in which the cell `setup` has run.

    Raises: what the cell raises.
    """
    shell: Notebook = Notebook.instance(config=Config(HistoryManager={"enabled": False}))
    sys.modules["__main__"] = shell.user_module  # where pickle and `from __main__ import` look for what cells define
    shell.compile.format_code_name = lambda name: None  # type: ignore[method-assign]  # cells have no numbers here
    shell.displayhook.write_output_prompt = lambda: None  # type: ignore[method-assign]  # its own way costs a class
    result = shell.run_cell(setup, store_history=False)
    result.raise_error()
    if "torch" in sys.modules:
        importlib.import_module("torch._dynamo")  # or the first step of every fork's first optimizer would, for seconds
    return shell


def serve(shell: Notebook, requests: BinaryIO, answers: BinaryIO, limits: Limits) -> None:
    """Answer the requests that come in, until there is no more."""
    me = os.getpid()
    sys.path.append("")  # modules that a cell writes; last, so that none takes the name of an installed one
    _seed()
    while head := requests.read(HEADER.size):
        request = unpack(requests.read(*HEADER.unpack(head)), limits)
        answer = _run(shell, request, limits) if request["do"] == "run" else _call(shell, request, limits)
        if os.getpid() != me:  # a fork that the student left behind
            os._exit(0)
        answers.write(pack(answer | {"id": request["id"]}))
        answers.flush()


def _seed() -> None:
    """What a student draws unseeded from the libraries' global generators is the same each time it is judged."""
    random.seed(0)
    np.random.seed(0)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)
    if keras := sys.modules.get("keras"):
        keras.utils.set_random_seed(0)


def _run(shell: Notebook, request: dict[str, Any], limits: Limits) -> dict[str, Any]:
    sys.stdout = sys.stderr = text = Text(limits.text)
    result = shell.run_cell(request["source"], store_history=False)
    error = result.error_before_exec or result.error_in_exec
    return {"text": text.value(), "error": _described(error) if error else None}


def _call(shell: Notebook, request: dict[str, Any], limits: Limits) -> dict[str, Any]:
    sys.stdout = sys.stderr = Text(0)  # it may print the inputs of hidden tests
    try:
        function = shell.user_ns[request["name"]]
    except KeyError:
        return {"missing": True}
    try:
        return {"value": encode(function(*decode(request["args"]), **decode(request["kwargs"])), limits)}
    except NotPlain as error:
        return {"error": ["ValueError", f"the result is not plain data: {error}"]}
    except BaseException as error:
        return {"error": _described(error)}


def _described(error: BaseException) -> list[str]:
    kind = "NotImplementedError" if isinstance(error, NotImplementedError) else type(error).__name__
    try:
        return [kind, placed(error)]
    except BaseException:
        return [kind, ""]


def main() -> None:
    """Serve one notebook over standard input and output, in a container that brings its own walls."""
    order = json.loads(sys.argv[1])
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    shell = notebook(order["setup"])
    answers.write(pack({"ready": True}))
    answers.flush()
    serve(shell, requests, answers, Limits(**order["limits"]))


if __name__ == "__main__":
    main()
