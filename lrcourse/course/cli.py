"""The `lrcourse` command."""

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Sequence
from typing import NoReturn

from .. import __version__
from ..extras import install
from . import commands


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong, and where to read on."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the `lrcourse` command; returns its exit status."""
    options = parser().parse_args(arguments)
    try:
        return options.run(options)
    except ModuleNotFoundError as error:
        if not (advice := install(error, options.extra)):
            raise
        problem = f"lrcourse {options.command} needs {error.name}: {advice}"
    except (RuntimeError, ValueError) as error:
        problem = str(error)
    except KeyboardInterrupt:
        problem = "stopped"
    print(f"lrcourse: {problem}", file=sys.stderr)
    return 1


def parser() -> Parser:
    """What the command takes: each sub-command that is here adds its own."""
    command = Parser(prog="lrcourse", description="Learning rates in deep learning: the course's tools.")
    command.add_argument("--version", action="version", version=f"lrcourse {__version__}")
    added = command.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in sorted(module.name for module in pkgutil.iter_modules(commands.__path__)):
        module = importlib.import_module(f"{commands.__name__}.{name}")
        module.add(added)
        added.choices[name].description = (module.__doc__ or "").partition(": ")[2]
    return command
