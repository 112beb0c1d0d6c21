"""`lrcourse plot`: draw schedules, in the terminal or as a picture."""

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

ASCII = str.maketrans("▁▂▃▄▅▆▇█░┤└┬─", "....####:|++-")  # where the terminal's encoding has no blocks


def add(commands: Any) -> None:
    plot = commands.add_parser("plot", help="draw schedules, in the terminal or as a picture")
    plot.add_argument("specs", nargs="+", metavar="SPEC", help='such as "warmup(Cosine(0.1, 0, 900), 100)"')
    plot.add_argument("--steps", type=int, default=1000, help="updates of the run (1000)")
    plot.add_argument("--log", action="store_true", help="a logarithmic axis of rates")
    plot.add_argument("--out", type=Path, metavar="FILE", help="write a picture to this file: .png, .svg or .pdf")
    plot.set_defaults(run=run, extra="plots")


def run(options: argparse.Namespace) -> int:
    from ... import parse_schedule, plots
    from ...validation import bad, whole

    steps = whole(1, "use the updates of a run, for example 1000")("--steps", options.steps)
    if steps > 10_000_000:
        raise bad("--steps", steps, "at most 10000000", "use fewer, and .stretch(0.1) to see all of the schedule")
    schedules = {spec: parse_schedule(spec) for spec in options.specs}
    if options.out is None:
        width = min(max(shutil.get_terminal_size().columns - 12, 20), 100)  # beside the axis and its numbers
        drawn = plots.text(schedules, steps, width, log=options.log)
        encoding = sys.stdout.encoding or "ascii"
        print(drawn if drawn.encode(encoding, "ignore").decode(encoding) == drawn else drawn.translate(ASCII))
        return 0
    if options.out.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise bad("--out", str(options.out), "a file that ends with .png, .svg or .pdf", "use for example a.svg")
    if not options.out.parent.is_dir():
        raise bad("--out", str(options.out), "in a folder that exists", f"make {options.out.parent} first")
    plots.use_style()
    figure, ax = plots.figure()
    plots.schedule(ax, schedules, steps)
    if len(schedules) == 1:
        ax.set_title(*schedules)
    if options.log:
        ax.set_yscale("log")
    figure.savefig(options.out)
    return 0
