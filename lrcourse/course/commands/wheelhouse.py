"""`lrcourse wheelhouse`: collect wheels for a machine without a network."""

import argparse
from pathlib import Path
from typing import Any

from ..repository import repository


def add(commands: Any) -> None:
    wheels = commands.add_parser("wheelhouse", help="collect wheels for a GPU machine without a network")
    wheels.add_argument("--folder", type=Path, default=Path("wheelhouse"), help="default: wheelhouse")
    wheels.set_defaults(run=run, extra="dev")


def run(options: argparse.Namespace) -> int:
    from .. import wheelhouse

    wheels = wheelhouse.collect(repository() / "constraints.txt", options.folder)
    size = sum(wheel.stat().st_size for wheel in wheels) / 1e6
    print(f"{len(wheels)} wheels, {size:.0f} MB, in {options.folder}; on the other machine: {wheelhouse.INSTALL}")
    return 0
