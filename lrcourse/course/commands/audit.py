"""`lrcourse audit`: read the log of a run, and say what is wrong with its learning rates; exits with 1 for a fault."""

import argparse
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    audit = commands.add_parser("audit", help="say what is wrong with the learning rates of a logged run")
    audit.add_argument("logs", nargs="+", type=Path, metavar="LOG", help="CSV, JSON lines, or exported by TensorBoard")
    audit.add_argument("--schedule", metavar="SPEC", help='what was meant, such as "Cosine(0.1, 0, 900)"')
    audit.add_argument("--steps", type=int, help="updates of the whole run")
    for name in ("step", "rate", "loss", "momentum"):
        audit.add_argument(f"--{name}", metavar="COLUMN", help=f"the column of the {name}, if its name is unusual")
    audit.add_argument("--tolerance", type=float, help="how far a rate may be off, as a share of the highest")
    audit.set_defaults(run=run, extra="")


def run(options: argparse.Namespace) -> int:
    from ... import parse_schedule
    from ...audit import Audit
    from ...audit.live import report
    from ...audit.logs import precision, read_log
    from ...validation import bad

    rows = read_log(*options.logs, step=options.step, rate=options.rate, loss=options.loss, momentum=options.momentum)
    if options.schedule is not None and options.step is None and rows.unit == "epoch":
        fix = "write --step NAME; for a schedule of epochs name the column of the epochs"
        raise bad("step", "a log of epochs", "a column that counts updates", fix)
    schedule = None if options.schedule is None else parse_schedule(options.schedule)
    tolerance = precision(rows) if options.tolerance is None else options.tolerance
    meant = Audit(schedule, options.steps, tolerance=tolerance).meant
    meant.counts = False
    found = report(rows, meant)
    print(found)
    return 1 if found.faults else 0
