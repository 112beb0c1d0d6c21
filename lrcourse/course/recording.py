"""Run long experiments and write what they gave as records, with their provenance.

A record knows the sources that made it. When one of them changes (comments and docstrings aside), the record is stale:
the tests fail until the experiment is run again or the page that shows it says so.
"""

import ast
import hashlib
import importlib.metadata
import json
import math
import os
import platform
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..records import PACKAGE, Record, path, read
from ..validation import choice
from . import experiments

VERSIONS = ("torch", "numpy", "matplotlib")


def stale(record: Record) -> bool | None:
    """Whether a source has changed since; `None` where one of them is not at hand, as a wheel has no labs."""
    try:
        return record.sources != sources_hash(experiments.find(record.experiment).SOURCES)
    except FileNotFoundError:
        return None


def missing(record: Record) -> list[tuple[str, int]]:
    """The runs of the plan that are not there."""
    done = {(run["name"], run["seed"]) for run in record.runs}
    return [each for each in experiments.find(record.experiment).plan(record.size) if each not in done]


def provenance(record: Record) -> str:
    """One paragraph for the terminal: when, on what, from which sources, and how to repeat it."""
    versions = ", ".join(f"{name} {version}" for name, version in record.versions.items())
    source = {None: "not here to compare", True: "changed since: STALE", False: "unchanged"}[stale(record)]
    lacking = len(missing(record))
    return "\n".join([
        f"{record.experiment}, size {record.size}: recorded on {record.recorded}",
        f"{len(record.runs)} runs, {len(record.seeds)} seeds, {record.wall / 60:.0f} minutes of wall time",
        f"device: {record.device}",
        f"versions: {versions}",
        f"commit {record.commit}, source {source}",
        *([f"{lacking} runs missing"] if lacking else []),
        f"repeat with: {record.command}",
    ])  # fmt: skip


def sources_hash(sources: Sequence[str]) -> str:
    """A hash of the code in the named files, as seen from the package, without its comments and docstrings.

    Of a notebook, the code cells count. `with extra(…)` around imports does not: it decides nothing but an error.

    >>> len(sources_hash(["intervals.py"]))
    64
    """
    digest = hashlib.sha256()
    for name in sources:
        tree = ast.parse(_code(PACKAGE / name))
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            if isinstance(body, list) and body and isinstance(body[0], ast.Expr) and _is_text(body[0].value):
                del body[0]
            if isinstance(body, list):
                body[:] = [inner for statement in body for inner in _without_extra(statement)]
            if getattr(node, "type_params", None) == []:
                del node.type_params  # type: ignore[attr-defined]  # of Python 3.12: the hash is the same on 3.11
        digest.update(f"{name}\0{ast.dump(tree)}\0".encode())
    return digest.hexdigest()


def _without_extra(statement: ast.stmt) -> list[ast.stmt]:
    """What is left of a statement without the context manager of `lrcourse.extras`."""
    match statement:
        case ast.ImportFrom(module="extras"):
            return []
        case ast.With(items=[ast.withitem(context_expr=ast.Call(func=ast.Name(id="extra")))]):
            return statement.body
    return [statement]


def _code(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    return "\n".join("".join(cell["source"]) for cell in cells)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def folder(root: Path) -> Path:
    """Where the records lie below the repository `root`: with the package, whose data they are."""
    return root / "lrcourse" / "records"


def marked(root: Path, word: str) -> set[str]:
    """The records, as `experiment-size`, that some page announces by a box titled “Stale record: experiment-size”,
    or with another `word`."""
    pages = [each.read_text(encoding="utf-8") for end in ("md", "ipynb") for each in (root / "book").glob(f"*.{end}")]
    return {name for page in pages for name in re.findall(rf"{word} record: ([\w-]+)", page)}


def problems(root: Path, record: Record) -> list[str]:
    """What keeps a record from being shown as it is, and is not announced: missing runs, sources that have changed."""
    name, found, lacking = f"{record.experiment}-{record.size}", [], len(missing(record))
    if lacking and name not in marked(root, "Unfinished"):
        found.append(f"{lacking} runs are missing: {record.command}, or say “Unfinished record” on its page")
    if stale(record) and name not in marked(root, "Stale"):
        found.append(f"its source has changed: {record.command}, or say “Stale record” on its page")
    return found


def run(root: Path, experiment: str, size: str, device: str) -> Iterator[Record]:
    """Run what is missing of an experiment and store the record after each run, so that a crash costs one run.

    A record from other sources or another device is begun anew. Yields the record as it grows.

    Raises: `ValueError` for an unknown experiment, size or device; `RuntimeError` for a GPU that is not there.
    """
    chosen = experiments.find(experiment)
    choice(*chosen.SIZES)("size", size)
    fresh = Record(
        experiment, size, _device(choice("cpu", "cuda")("device", device)), _versions(device), _commit(root, chosen),
        sources_hash(chosen.SOURCES),
    )  # fmt: skip
    stored = path(experiment, size, folder(root))
    record = read(experiment, size, stored.parent) if stored.exists() else fresh
    if (record.sources, record.device, record.versions) != (fresh.sources, fresh.device, fresh.versions):
        record = fresh
    for name, seed in missing(record):
        started, processor = time.perf_counter(), _processor_seconds()
        results = chosen.run(name, seed, size, device)
        seconds = round(time.perf_counter() - started, 2)
        processor = round(_processor_seconds() - processor, 2)
        plain = {key: _plain(value) for key, value in results.items()}
        record.runs.append({"name": name, "seed": seed, "seconds": seconds, "processor": processor, "results": plain})
        record.recorded = f"{datetime.now(UTC):%Y-%m-%d}"
        _write(stored, record)
        yield record


def _processor_seconds() -> float:
    """The time of all processors that this process and its finished children have used."""
    return sum(os.times()[:4])


def _plain(value: Any) -> Any:
    """A number to six places, `None` if it is not finite; lists of them; text as it is."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return round(value, 6) if math.isfinite(value) else None


def _write(target: Path, record: Record) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    plain = asdict(record)
    lines = ",\n".join(f"  {json.dumps(each)}" for each in plain.pop("runs"))  # a run is a line: a diff is readable
    head = json.dumps(plain, indent=1).removesuffix("\n}")
    partial = target.with_suffix(".partial")
    partial.write_text(f'{head},\n "runs": [\n{lines}\n ]\n}}\n', encoding="utf-8")
    partial.replace(target)


def _device(device: str) -> str:
    import torch

    if device == "cuda":
        if not torch.cuda.is_available():
            raise RuntimeError("there is no GPU that PyTorch can use: pass --device cpu, or see lrcourse doctor --gpu")
        return torch.cuda.get_device_name()
    cpuinfo = Path("/proc/cpuinfo")
    models = [line for line in cpuinfo.read_text().splitlines() if "model name" in line] if cpuinfo.exists() else []
    model = models[0].partition(":")[2].strip() if models else platform.processor()
    return f"{model}, {torch.get_num_threads()} thread{'s' * (torch.get_num_threads() > 1)}"


def _versions(device: str) -> dict[str, str]:
    import torch

    versions = {"Python": platform.python_version()}
    versions |= {name: importlib.metadata.version(name) for name in VERSIONS}
    if device == "cuda":
        query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        versions |= {"cuda": str(torch.version.cuda), "driver": _output(query, PACKAGE).partition("\n")[0]}
    return versions


def _commit(root: Path, experiment: experiments.Experiment) -> str:
    """From git or, for a copy of the files without a history, from the environment's `LRCOURSE_COMMIT`."""
    if named := os.environ.get("LRCOURSE_COMMIT"):
        return named
    files = [str(PACKAGE / name) for name in experiment.SOURCES]
    changed = _output(["git", "status", "--porcelain", "--", *files], root)
    return _output(["git", "rev-parse", "--short=12", "HEAD"], root) + ("+" if changed else "")


def _output(command: list[str], folder: Path) -> str:
    """What a command prints, or nothing where it does not exist or fails: provenance must not stop an experiment."""
    try:
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
