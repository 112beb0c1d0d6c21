"""Run long experiments and write what they gave as records, with their provenance.

A record knows the sources that made it: what its experiment imports. When the code of one of them changes, the record
is stale, and every page that shows it says so until the experiment is run again.
"""

import importlib.metadata
import json
import math
import os
import platform
import subprocess
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..records import PACKAGE, Record, path, read
from ..validation import choice
from . import dependencies, experiments

VERSIONS = ("torch", "numpy", "matplotlib")


def sources(experiment: str) -> dict[str, Path]:
    """The files that decide what an experiment gives, by name: what its module imports, and what else it executes.

    >>> {"course/experiments/heatmaps.py", "sweep/stacked.py"} <= set(sources("heatmaps"))
    True
    """
    found = experiments.find(experiment)
    modules = {found.__name__}
    executed = {each.name: each for kind in ("NOTEBOOKS", "SCRIPTS") for each in getattr(found, kind, ())}
    for each in executed.values():
        modules |= dependencies.imports(dependencies.code(each))
    return dependencies.files(dependencies.reached(modules)) | executed


def hashes(experiment: str) -> dict[str, str]:
    """The hash of the code in each of an experiment's sources."""
    return {name: dependencies.code_hash(path) for name, path in sources(experiment).items()}


def changed(record: Record) -> list[str] | None:
    """The sources that are not what they were, new and lost ones too; `None` where one is not here, as in a wheel."""
    try:
        now = hashes(record.experiment)
    except FileNotFoundError:
        return None
    return sorted({name for name, _ in record.sources.items() ^ now.items()})


def missing(record: Record) -> list[tuple[str, int]]:
    """The runs of the plan that are not there."""
    done = {(run["name"], run["seed"]) for run in record.runs}
    return [each for each in experiments.find(record.experiment).plan(record.size) if each not in done]


def provenance(record: Record) -> str:
    """One paragraph for the terminal: when, on what, from which sources, and how to repeat it."""
    versions = ", ".join(f"{name} {version}" for name, version in record.versions.items())
    those = changed(record)
    source = "sources not here to compare" if those is None else "sources unchanged"
    if those:
        source = f"STALE: changed since: {', '.join(those)}"
    lacking = len(missing(record))
    return "\n".join([
        f"{record.experiment}, size {record.size}: recorded on {record.recorded}",
        f"{len(record.runs)} runs, {len(record.seeds)} seeds, {record.wall / 60:.0f} minutes of wall time",
        f"device: {record.device}",
        f"versions: {versions}",
        f"commit {record.commit}, {source}",
        *([f"{lacking} runs missing"] if lacking else []),
        f"repeat with: {record.command}",
    ])  # fmt: skip


def folder(root: Path) -> Path:
    """Where the records lie below the repository `root`: with the package, whose data they are."""
    return root / "lrcourse" / "records"


def problems(record: Record) -> list[str]:
    """What a record's page says of it beside its results: missing runs, sources that have changed."""
    if record.experiment not in experiments.names():
        return ["its experiment is gone: delete the file, or bring the experiment back"]
    found, lacking = [], len(missing(record))
    if lacking:
        found.append(f"{lacking} runs are missing")
    if those := changed(record):
        found.append(f"changed since: {', '.join(those)}")
    return [f"{what}: {record.command}" for what in found]


def run(root: Path, experiment: str, size: str, device: str) -> Iterator[Record]:
    """Run what is missing of an experiment and store the record after each run, so that a crash costs one run.

    A record from other sources or another device is begun anew. Yields the record as it grows.

    Raises: `ValueError` for an unknown experiment, size or device; `RuntimeError` for a GPU that is not there.
    """
    chosen = experiments.find(experiment)
    choice(*chosen.SIZES)("size", size)
    fresh = Record(
        experiment, size, _device(choice("cpu", "cuda")("device", device)), _versions(device),
        _commit(root, experiment), hashes(experiment),
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


def _commit(root: Path, experiment: str) -> str:
    """From git or, for a copy of the files without a history, from the environment's `LRCOURSE_COMMIT`."""
    if named := os.environ.get("LRCOURSE_COMMIT"):
        return named
    files = [str(path) for path in sources(experiment).values()]
    edited = _output(["git", "status", "--porcelain", "--", *files], root)
    return _output(["git", "rev-parse", "--short=12", "HEAD"], root) + ("+" if edited else "")


def _output(command: list[str], folder: Path) -> str:
    """What a command prints, or nothing where it does not exist or fails: provenance must not stop an experiment."""
    try:
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
