"""`lrcourse labs`: start, check, hand in and release labs."""

import argparse
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..jupyterlab import open_jupyterlab
from ..repository import repository


def add(commands: Any) -> None:
    labs = commands.add_parser("labs", help="start, check and hand in a lab; release the labs")
    labs.set_defaults(run=run, extra="labs")
    actions = labs.add_subparsers(dest="action", required=True, metavar="ACTION")
    start = actions.add_parser("start", help="copy a lab to work on into my-labs/ and open JupyterLab on it")
    start.add_argument("lab", help="1, 01 or 01-decay")
    start.add_argument("--folder", type=Path, help="copy it into this folder")
    start.add_argument("--no-open", action="store_true", help="only copy it")
    for action, what in {
        "check": "run every visible check of your lab in a fresh kernel",
        "submit": "pack your lab into one file with a receipt",
    }.items():
        yours = actions.add_parser(action, help=what)
        yours.add_argument("lab", help="1, 01, 01-decay or the path of your notebook")
        yours.add_argument("--seconds", type=int, default=600, help="limit of a cell (default: 600), of a part a tenth")
    yours.add_argument("--student", metavar="NAME", help="who hands it in (default: the name you are logged in with)")
    if find_spec(f"{__package__}.grade"):  # the student edition neither grades nor releases
        _add_release(actions)


def _add_release(actions: Any) -> None:
    build = actions.add_parser("build", help="instructors: generate labs/ from solutions/")
    build.add_argument("--check", action="store_true", help="only say whether labs/ is what solutions/ generate")
    bundle = actions.add_parser("bundle", help="instructors: write the student edition, one file without solutions")
    bundle.add_argument("--output", type=Path, default=Path("lrcourse-labs.zip"), help="default: lrcourse-labs.zip")


def run(options: argparse.Namespace) -> int:
    return {
        "start": _start_lab, "check": _check_lab, "submit": _submit_lab, "build": _build_labs, "bundle": _bundle_labs,
    }[options.action](options)  # fmt: skip


def _start_lab(options: argparse.Namespace) -> int:
    from .. import labs

    mine, new = labs.start(options.lab, options.folder)
    print(f"your lab: {mine}" if new else f"your lab, as you left it: {mine}", flush=True)
    return 0 if options.no_open else open_jupyterlab(mine, {})


def _check_lab(options: argparse.Namespace) -> int:
    from .. import labs

    report = labs.check(options.lab, options.seconds)
    print(report)
    return int(not report.solved)


def _submit_lab(options: argparse.Namespace) -> int:
    from .. import labs

    packed, code, report = labs.submit(options.lab, options.student, options.seconds)
    print(report or "note: the notebook does not run to its end; it is packed as it is")
    print(f"\nhand in this file: {packed}\nreceipt, to keep:  {code}")
    if before := labs.earlier(packed):
        print(f"what you packed before is kept: {before[0]}")
    return 0


def _build_labs(options: argparse.Namespace) -> int:
    root = repository()
    from .. import labs

    if options.check:
        differences = labs.differences(root)
        print("\n".join(differences) or "labs/ is what solutions/ generate")
        return int(bool(differences))
    print("\n".join(str(path) for path in labs.build(root)))
    return 0


def _bundle_labs(options: argparse.Namespace) -> int:
    root = repository()
    from .. import labs

    files = labs.bundle(root, options.output)
    print(f"{options.output}: {len(files)} files, {options.output.stat().st_size / 2**20:.1f} MiB")
    return 0
