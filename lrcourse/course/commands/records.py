"""`lrcourse records`: run the long experiments (again where they were stopped), list what is stored, show where each
record comes from, or check that its runs are complete and its sources unchanged."""

import argparse
from typing import Any

from ..repository import repository


def add(commands: Any) -> None:
    records = commands.add_parser("records", help="run the long experiments, or show and check what they gave")
    records.add_argument("action", choices=["run", "list", "show", "check"])
    records.add_argument("--only", metavar="NAME", help="this experiment (default: all)")
    records.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    records.add_argument("--size", default="small", help="full, small (default) or another that the experiment has")
    records.set_defaults(run=run, extra="records")


def run(options: argparse.Namespace) -> int:
    from ... import records
    from ...validation import choice
    from .. import experiments, recording

    root = repository()
    folder = recording.folder(root)
    if options.only is not None:
        choice(*experiments.names())("--only", options.only)
    if options.action == "run":
        from ..progress import bar

        for name in [options.only] if options.only else experiments.names():
            growing = recording.run(root, name, options.size, options.device)
            with bar(name, len(experiments.find(name).plan(options.size)), "runs") as done:
                for record in growing:
                    done.update(len(record.runs) - done.n)
            print(recording.provenance(records.read(name, options.size, folder)))
        return 0
    stored = [each for each in records.every(folder) if options.only in (None, each.experiment)]
    if options.action == "check":
        found = [f"{each.experiment}-{each.size}: {what}" for each in stored for what in recording.problems(each)]
        print("\n".join(found) or f"{len(stored)} records are up to date")
        return int(bool(found))
    for each in stored:
        line = f"{each.experiment}-{each.size}: {each.recorded}"
        known = options.action == "show" and each.experiment in experiments.names()
        print(recording.provenance(each) if known else line)
    return 0
