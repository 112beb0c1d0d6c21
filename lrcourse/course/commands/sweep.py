"""`lrcourse sweep`: train every setting of a grid."""

import argparse
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    sweep = commands.add_parser("sweep", help="train every setting of a grid, many at once")
    sweep.add_argument("config", type=Path, help="TOML file: data, model, grid, steps")
    sweep.add_argument("--folder", type=Path, help="keep the work here, and continue from it")
    sweep.add_argument("--cluster", metavar="ADDRESS", help="train on the Dask cluster at tcp://host:port")
    sweep.add_argument("--output", type=Path, help="write a row per setting to this CSV file")
    sweep.set_defaults(run=run, extra="sweep")


def run(options: argparse.Namespace) -> int:
    from ...sweep import config
    from ...validation import bad

    if options.output is not None and not options.output.parent.is_dir():  # before hours of training, not after
        raise bad("--output", str(options.output), "in a folder that exists", f"make {options.output.parent} first")
    result = config.run(options.config, options.folder, options.cluster)
    frame = result.frame()
    print(f"{len(frame)} settings, {(result.diverged >= 0).sum()} diverged; engine: {result.engine} ({result.reason})")
    if options.output is not None:
        frame.to_csv(options.output, index=False)
    if (result.diverged < 0).any():
        print("lowest loss:", ", ".join(f"{name} = {value}" for name, value in result.best().items()))
    return 0
