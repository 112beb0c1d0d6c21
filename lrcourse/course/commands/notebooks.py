"""`lrcourse notebooks`: open one as it is built; run them and store their outputs; normalize what an editor has changed
in their files; or check that they are as they should be."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..jupyterlab import open_jupyterlab
from ..repository import repository


def add(commands: Any) -> None:
    notebooks = commands.add_parser("notebooks", help="open, run, normalize or check the notebooks")
    notebooks.add_argument(
        "action", choices=["open", "run", "normalize", "check"],
        help="open: one in JupyterLab, where it prints what its page shows",
    )  # fmt: skip
    notebooks.add_argument("paths", nargs="*", type=Path, help="default: all of book/ and solutions/")
    notebooks.add_argument("--jobs", type=int, default=-1, help="notebooks at a time (default: one per core)")
    notebooks.set_defaults(run=run, extra="notebooks")


def run(options: argparse.Namespace) -> int:
    if options.action == "open":
        return _open_as_built(options.paths)
    root = None if options.paths else repository()
    import nbformat

    from .. import notebooks

    paths = notebooks.find(root) if root else notebooks.existing(options.paths)
    executed = [path for path in paths if "labs" not in path.parts]
    if options.action == "check":
        found = notebooks.problems(paths)
        print("\n".join(found) or f"{len(paths)} notebooks are clean")
        return int(bool(found))
    if options.action == "normalize":
        for path in paths:
            path.write_text(
                nbformat.writes(notebooks.normalize(nbformat.read(path, as_version=4))) + "\n", encoding="utf-8"
            )
        return 0
    changed = notebooks.run(executed, options.jobs)
    print("\n".join(f"changed: {path}" for path in changed) or "nothing changed")
    return 0


def _open_as_built(paths: Sequence[Path]) -> int:
    """Open JupyterLab in the environment that the build gives to kernels."""
    from ...determinism import ENVIRONMENT
    from ...validation import bad

    if len(paths) != 1 or not paths[0].exists():
        raise bad("paths", [*map(str, paths)], "one notebook that exists", "name it: book/cyclical.ipynb")
    return open_jupyterlab(paths[0], ENVIRONMENT)
