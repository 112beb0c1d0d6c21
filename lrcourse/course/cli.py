"""The `lrcourse` command."""

import argparse
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .. import __version__
from ..extras import install


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the `lrcourse` command; returns its exit status."""
    options = _parser().parse_args(arguments)
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lrcourse", description="Learning rates in deep learning: the course's tools."
    )
    parser.add_argument("--version", action="version", version=f"lrcourse {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    doctor = commands.add_parser("doctor", help="say what this machine has and lacks")
    doctor.add_argument("--gpu", action="store_true", help="what experiments and labs need on a GPU")
    doctor.set_defaults(run=_doctor, extra="all")

    book = commands.add_parser("book", help="execute what changed and build the book")
    book.add_argument("--pdf", action="store_true", help="print the built book as one PDF as well (needs Chromium)")
    book.add_argument("--zip", action="store_true", help="pack the built pages into one file as well, to read offline")
    book.set_defaults(run=_book, extra="book")

    notebooks = commands.add_parser("notebooks", help="open, run, normalize or check the notebooks")
    notebooks.add_argument(
        "action", choices=["open", "run", "normalize", "check"],
        help="open: one in JupyterLab, where it prints what its page shows",
    )  # fmt: skip
    notebooks.add_argument("paths", nargs="*", type=Path, help="default: all of book/ and solutions/")
    notebooks.add_argument("--jobs", type=int, default=-1, help="notebooks at a time (default: one per core)")
    notebooks.set_defaults(run=_notebooks, extra="notebooks")

    figures = commands.add_parser("figures", help="draw every figure of the book as a file")
    figures.add_argument("--list", action="store_true", help="name the figures and stop")
    figures.add_argument("--only", metavar="NAME", nargs="+", default=(), help="these figures (default: all)")
    figures.add_argument("--format", default="svg", help="svg (default), pdf or png")
    figures.add_argument("--theme", default="light", help="light (default), dark or transparent")
    figures.add_argument("--folder", type=Path, default=Path("figures"), help="default: figures/")
    figures.set_defaults(run=_figures, extra="notebooks")

    labs = commands.add_parser("labs", help="start, check and hand in a lab; release the labs")
    labs.set_defaults(run=_labs, extra="labs")
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
    build = actions.add_parser("build", help="instructors: generate labs/ from solutions/")
    build.add_argument("--check", action="store_true", help="only say whether labs/ is what solutions/ generate")
    bundle = actions.add_parser("bundle", help="instructors: write the student edition, one file without solutions")
    bundle.add_argument("--output", type=Path, default=Path("lrcourse-labs.zip"), help="default: lrcourse-labs.zip")

    records = commands.add_parser("records", help="run the long experiments, or show and check what they gave")
    records.add_argument("action", choices=["run", "list", "show", "check"])
    records.add_argument("--only", metavar="NAME", help="this experiment (default: all)")
    records.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    records.add_argument("--size", default="small", help="full, small (default) or another that the experiment has")
    records.set_defaults(run=_records, extra="sweep")

    wheels = commands.add_parser("wheelhouse", help="collect wheels for a GPU machine without a network")
    wheels.add_argument("--folder", type=Path, default=Path("wheelhouse"), help="default: wheelhouse")
    wheels.set_defaults(run=_wheelhouse, extra="dev")

    sweep = commands.add_parser("sweep", help="train every setting of a grid, many at once")
    sweep.add_argument("config", type=Path, help="TOML file: data, model, grid, steps")
    sweep.add_argument("--folder", type=Path, help="keep the work here, and continue from it")
    sweep.add_argument("--cluster", metavar="ADDRESS", help="train on the Dask cluster at tcp://host:port")
    sweep.add_argument("--output", type=Path, help="write a row per setting to this CSV file")
    sweep.set_defaults(run=_sweep, extra="sweep")

    if (Path(__file__).parent / "grading").exists():  # not in the student edition
        _add_grade(commands)
    return parser


def _add_grade(commands: Any) -> None:
    grade = commands.add_parser("grade", help="grade what students handed in, in a sandbox")
    grade.add_argument("submissions", type=Path, help="folder with a folder, zip or notebook per student")
    grade.add_argument("--lab", required=True, metavar="NN", help="the lab's number or name")
    grade.add_argument("--roster", type=Path, help="CSV file with a student per row: who hands in nothing is named")
    grade.add_argument("--jobs", type=int, default=-1, help="students at a time (default: one per core)")
    grade.add_argument("--cluster", metavar="ADDRESS", help="judge on the Dask cluster at tcp://host:port")
    grade.add_argument(
        "--output", type=Path, default=Path("grading"), help="default: grading/; go on there if it exists"
    )
    grade.add_argument("--db", metavar="URL", help="gradebook (default: sqlite, gradebook.db in the output folder)")
    grade.add_argument("--dry-run", action="store_true", help="say what would be done and stop")
    grade.add_argument("--unsafe-no-sandbox", action="store_true", help="let submissions do whatever you can do here")
    grade.set_defaults(run=_grade, extra="labs")


def _doctor(options: argparse.Namespace) -> int:
    from . import doctor

    findings = doctor.examine(gpu=options.gpu)
    print(doctor.report(findings))
    return int(any(each.needed and not each.ok for each in findings))


def _book(options: argparse.Namespace) -> int:
    root = _repository()
    from . import book

    book.build(root)
    site = root / book.OUTPUT / "html"
    if options.zip:
        from . import offline

        print(offline.pack(site, root / offline.ZIP))
    if options.pdf:
        from . import pdf

        pages = [page.with_suffix(".html").as_posix() for page in book.pages_in_toc(root)]
        print(pdf.print_book(site, pages, root / pdf.PDF, title="Learning Rates"))
    return 0


def _notebooks(options: argparse.Namespace) -> int:
    if options.action == "open":
        return _open_as_built(options.paths)
    root = None if options.paths else _repository()
    import nbformat

    from . import notebooks

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
    from ..determinism import ENVIRONMENT
    from ..schedules.checks import bad

    if len(paths) != 1 or not paths[0].exists():
        raise bad("paths", [*map(str, paths)], "one notebook that exists", "name it: book/cyclical.ipynb")
    return _jupyterlab(paths[0], ENVIRONMENT)


def _jupyterlab(path: Path, environment: Mapping[str, str]) -> int:
    if find_spec("jupyterlab") is None:
        raise ModuleNotFoundError(name="jupyterlab")
    command = [sys.executable, "-m", "jupyterlab", str(path)]
    return subprocess.run(command, env={**os.environ, **environment}).returncode


def _figures(options: argparse.Namespace) -> int:
    root = _repository()
    from . import figures

    if options.list:
        for figure in figures.find(root):
            print(f"{figure.name:<32} {figure.page}")
        return 0
    written = figures.export(root, options.folder, options.only, options.format, options.theme)
    print(f"{len(written)} figures in {options.folder}")
    return 0


def _labs(options: argparse.Namespace) -> int:
    return {
        "start": _start_lab, "check": _check_lab, "submit": _submit_lab, "build": _build_labs, "bundle": _bundle_labs,
    }[options.action](options)  # fmt: skip


def _start_lab(options: argparse.Namespace) -> int:
    from . import labs

    mine, new = labs.start(options.lab, options.folder)
    print(f"your lab: {mine}" if new else f"your lab, as you left it: {mine}", flush=True)
    return 0 if options.no_open else _jupyterlab(mine, {})


def _check_lab(options: argparse.Namespace) -> int:
    from . import labs

    report = labs.check(options.lab, options.seconds)
    print(report)
    return int(not report.solved)


def _submit_lab(options: argparse.Namespace) -> int:
    from . import labs

    packed, code, report = labs.submit(options.lab, options.student, options.seconds)
    print(report or "note: the notebook does not run to its end; it is packed as it is")
    print(f"\nhand in this file: {packed}\nreceipt, to keep:  {code}")
    return 0


def _build_labs(options: argparse.Namespace) -> int:
    root = _repository()
    from . import labs

    if options.check:
        differences = labs.differences(root)
        print("\n".join(differences) or "labs/ is what solutions/ generate")
        return int(bool(differences))
    print("\n".join(str(path) for path in labs.build(root)))
    return 0


def _bundle_labs(options: argparse.Namespace) -> int:
    root = _repository()
    from . import labs

    files = labs.bundle(root, options.output)
    print(f"{options.output}: {len(files)} files, {options.output.stat().st_size / 2**20:.1f} MiB")
    return 0


def _sweep(options: argparse.Namespace) -> int:
    from ..schedules.checks import bad
    from ..sweep import config

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


def _grade(options: argparse.Namespace) -> int:
    root = _repository()
    from .grading import run, sandbox

    if options.dry_run:
        for each in run.plan(root, options.lab, options.submissions, options.roster, options.output):
            print(f"{each.student}: {each.outlook}")
        return 0
    records = run.grade(
        root, options.lab, options.submissions, options.output, options.jobs, options.cluster, options.db,
        options.roster, sandbox.find(options.unsafe_no_sandbox),
    )  # fmt: skip
    for each in records:
        if each.flags or not each.readable:
            print(f"{each.student}: {each.status}" + "".join(f"; {flag}" for flag in each.flags))
    count = Counter(each.status for each in records)
    print(", ".join(f"{count[status]} {status}" for status in count) or "there is nothing to grade")
    print(f"{options.output / records[0].lab / 'grades.csv'}" if records else "")
    return 0


def _records(options: argparse.Namespace) -> int:
    from .. import records
    from . import experiments, recording

    root = _repository()
    folder = recording.folder(root)
    if options.action == "run":
        from .progress import bar

        for name in [options.only] if options.only else experiments.names():
            growing = recording.run(root, name, options.size, options.device)
            with bar(name, len(experiments.find(name).plan(options.size)), "runs") as done:
                for record in growing:
                    done.update(len(record.runs) - done.n)
            print(recording.provenance(records.read(name, options.size, folder)))
        return 0
    stored = [each for each in records.every(folder) if options.only in (None, each.experiment)]
    if options.action == "check":
        found = [f"{each.experiment}-{each.size}: {what}" for each in stored for what in recording.problems(root, each)]
        print("\n".join(found) or f"{len(stored)} records are up to date")
        return int(bool(found))
    for each in stored:
        line = f"{each.experiment}-{each.size}: {each.recorded}"
        print(recording.provenance(each) if options.action == "show" else line)
    return 0


def _wheelhouse(options: argparse.Namespace) -> int:
    from . import wheelhouse

    wheels = wheelhouse.collect(_repository() / "constraints.txt", options.folder)
    size = sum(wheel.stat().st_size for wheel in wheels) / 1e6
    print(f"{len(wheels)} wheels, {size:.0f} MB, in {options.folder}; on the other machine: {wheelhouse.INSTALL}")
    return 0


def _repository() -> Path:
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / "_toc.yml").exists() and (folder / "solutions").exists():
            return folder
    raise RuntimeError("not inside the course's repository: change into your clone and try again")
