"""`lrcourse figures`: draw every figure of the book as a file, for slides."""

import argparse
from pathlib import Path
from typing import Any

from ..repository import repository


def add(commands: Any) -> None:
    figures = commands.add_parser("figures", help="draw every figure of the book as a file")
    figures.add_argument("--list", action="store_true", help="name the figures and stop")
    figures.add_argument("--only", metavar="NAME", nargs="+", default=(), help="these figures (default: all)")
    figures.add_argument("--format", default="svg", help="svg (default), pdf or png")
    figures.add_argument("--theme", default="light", help="light (default), dark or transparent")
    figures.add_argument("--folder", type=Path, default=Path("figures"), help="default: figures/")
    figures.set_defaults(run=run, extra="book")


def run(options: argparse.Namespace) -> int:
    root = repository()
    from .. import figures

    if options.list:
        for figure in figures.find(root):
            print(f"{figure.name:<32} {figure.page}")
        return 0
    written = figures.export(root, options.folder, options.only, options.format, options.theme)
    print(f"{len(written)} figures in {options.folder}")
    return 0
