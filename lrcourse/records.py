"""Results of long experiments with where they come from: written by one command, shown by the pages.

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
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from . import experiments
from .schedules.checks import bad, choice

PACKAGE = Path(__file__).parent
FOLDER = Path("book") / "records"
VERSIONS = ("torch", "numpy", "matplotlib")
SCHEMA = 1  # of the files
RUN = {"name": str, "seed": int, "seconds": float, "results": dict}


@dataclass
class Record:
    """What an experiment gave: `runs` are dictionaries with `name`, `seed`, `seconds` and `results`.

    A run's `seconds` are wall time; its `processor`, where it was taken, is the time of all processors, which other
    programs on the machine do not lengthen.

    `device`: the processor in words; `commit`: the last one, with a `+` if a source had changed since;
    `sources`: the hash of the files that decide the results; `recorded`: the day of the last run, UTC.
    """

    experiment: str
    size: str
    device: str
    versions: dict[str, str]
    commit: str
    sources: str
    recorded: str = ""
    runs: list[dict[str, Any]] = field(default_factory=list)
    schema: int = SCHEMA

    @property
    def seeds(self) -> list[int]:
        """The seeds that were run.

        >>> Record("comparison", "small", "a CPU", {}, "", "", runs=[{"seed": 1}, {"seed": 0}, {"seed": 1}]).seeds
        [0, 1]
        """
        return sorted({run["seed"] for run in self.runs})

    @property
    def stale(self) -> bool:
        """Whether a source has changed since."""
        return self.sources != sources_hash(experiments.find(self.experiment).SOURCES)

    @property
    def missing(self) -> list[tuple[str, int]]:
        """The runs of the plan that are not there."""
        done = {(run["name"], run["seed"]) for run in self.runs}
        return [each for each in experiments.find(self.experiment).plan(self.size) if each not in done]

    @property
    def cuda(self) -> bool:
        """Whether it was made on a GPU."""
        return "cuda" in self.versions

    @property
    def wall(self) -> float:
        """Wall time of all runs, in seconds."""
        return sum(run["seconds"] for run in self.runs)

    def ago(self, today: date | None = None) -> str:
        """How long ago the last run was, in words; `today`: in UTC, from the clock unless `SOURCE_DATE_EPOCH` is set.

        >>> record = Record("comparison", "small", "a CPU", {}, "", "", recorded="2026-11-21")
        >>> record.ago(date(2026, 11, 21)), record.ago(date(2026, 11, 22)), record.ago(date(2027, 2, 21))
        ('today', 'yesterday', '3 months ago')
        """
        now = float(os.environ.get("SOURCE_DATE_EPOCH", time.time()))
        days = ((today or datetime.fromtimestamp(now, UTC).date()) - date.fromisoformat(self.recorded)).days
        if days < 2:
            return "yesterday" if days == 1 else "today"
        if days < 60:
            return f"{days} days ago"
        return f"{days // 30} months ago" if days < 730 else f"{days // 365} years ago"

    @property
    def command(self) -> str:
        """What to type to make the record again."""
        device = "cuda" if self.cuda else "cpu"
        return f"lrcourse records run --only {self.experiment} --size {self.size} --device {device}"

    def values(self, name: str, result: str) -> list[float]:
        """The named result of each run called `name`, in the order of the seeds.

        Raises: `ValueError` for a name that no run has.

        >>> runs = [{"name": "Adam", "seed": seed, "results": {"loss": seed / 2}} for seed in (1, 0)]
        >>> Record("comparison", "small", "a CPU", {}, "", "", runs=runs).values("Adam", "loss")
        [0.0, 0.5]
        """
        chosen = sorted((run for run in self.runs if run["name"] == name), key=lambda run: run["seed"])
        if not chosen:
            raise bad("name", name, "the name of a run", f"choose one of {sorted({run['name'] for run in self.runs})}")
        return [math.nan if run["results"][result] is None else run["results"][result] for run in chosen]

    def provenance(self) -> str:
        """One paragraph for the page: when, on what, from which sources, and how to repeat it."""
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        return "\n".join([
            f"{self.experiment}, size {self.size}: recorded on {self.recorded}",
            f"{len(self.runs)} runs, {len(self.seeds)} seeds, {self.wall / 60:.0f} minutes of wall time",
            f"device: {self.device}",
            f"versions: {versions}",
            f"commit {self.commit}, source {'changed since: STALE' if self.stale else 'unchanged'}",
            *([f"{len(self.missing)} runs missing"] if self.missing else []),
            f"repeat with: {self.command}",
        ])  # fmt: skip


def sources_hash(sources: Sequence[str]) -> str:
    """A hash of the code in the named files, as seen from the package, without its comments and docstrings.

    Of a notebook, the code cells count.

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
            if getattr(node, "type_params", None) == []:
                del node.type_params  # type: ignore[attr-defined]  # of Python 3.12: the hash is the same on 3.11
        digest.update(f"{name}\0{ast.dump(tree)}\0".encode())
    return digest.hexdigest()


def _code(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    return "\n".join("".join(cell["source"]) for cell in cells)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def path(root: Path, experiment: str, size: str) -> Path:
    """Where the record of an experiment lies below the repository `root`."""
    return root / FOLDER / f"{experiment}-{size}.json"


def read(root: Path, experiment: str, size: str) -> Record:
    """The stored record.

    Raises: `RuntimeError` if there is none, with the command that makes it; `ValueError` if it is not a record.
    """
    stored = path(root, experiment, size)
    if not stored.exists():
        raise RuntimeError(f"no record {stored.name}: make it with lrcourse records run --only {experiment} "
                           f"--size {size} --device cpu")  # fmt: skip
    return parse(stored)


def every(root: Path) -> list[Record]:
    """All records below the repository `root`.

    Raises: `ValueError` if a file is not a record.
    """
    return [parse(each) for each in sorted((root / FOLDER).glob("*.json"))]


def parse(stored: Path) -> Record:
    """The record in a file.

    Raises: `ValueError` for a file of a later version of this package, or one whose keys or values do not fit.
    """
    fix = "run the experiment again: lrcourse records run"
    try:
        plain = json.loads(stored.read_text(encoding="utf-8"))
    except ValueError as error:
        raise bad(stored.name, str(error), "JSON", fix) from None
    if not isinstance(plain, dict):
        raise bad(stored.name, plain, "a record", fix)
    if plain.get("schema", SCHEMA) != SCHEMA:
        raise bad(f"{stored.name}: schema", plain["schema"], str(SCHEMA), "update lrcourse, or " + fix)
    plain.setdefault("schema", SCHEMA)
    if wrong := sorted(plain.keys() ^ {each.name for each in fields(Record)}):
        raise bad(f"{stored.name}: keys", wrong, "neither unknown nor missing", fix)
    for run in plain["runs"]:
        _check_run(stored.name, run, fix)
    return Record(**plain)


def _check_run(name: str, run: Any, fix: str) -> None:
    if not isinstance(run, dict) or not RUN.keys() <= run.keys() <= {*RUN, "processor"}:
        raise bad(f"{name}: a run", run, f"an object with the keys {', '.join(RUN)}", fix)
    for key, kind in RUN.items():
        if not isinstance(run[key], (int, float) if kind is float else kind):
            raise bad(f"{name}: a run's {key}", run[key], f"of type {kind.__name__}", fix)


def marked(root: Path, word: str) -> set[str]:
    """The records, as `experiment-size`, that some page announces by a box titled “Stale record: experiment-size”,
    or with another `word`."""
    pages = [each.read_text(encoding="utf-8") for end in ("md", "ipynb") for each in (root / "book").glob(f"*.{end}")]
    return {name for page in pages for name in re.findall(rf"{word} record: ([\w-]+)", page)}


def problems(root: Path, record: Record) -> list[str]:
    """What keeps a record from being shown as it is, and is not announced: missing runs, sources that have changed."""
    name, found = f"{record.experiment}-{record.size}", []
    if record.missing and name not in marked(root, "Unfinished"):
        found.append(
            f"{len(record.missing)} runs are missing: {record.command}, or say “Unfinished record” on its page"
        )
    if record.stale and name not in marked(root, "Stale"):
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
    record = read(root, experiment, size) if path(root, experiment, size).exists() else fresh
    if (record.sources, record.device, record.versions) != (fresh.sources, fresh.device, fresh.versions):
        record = fresh
    for name, seed in record.missing:
        started, processor = time.perf_counter(), _processor_seconds()
        results = chosen.run(name, seed, size, device)
        seconds = round(time.perf_counter() - started, 2)
        processor = round(_processor_seconds() - processor, 2)
        plain = {key: _plain(value) for key, value in results.items()}
        record.runs.append({"name": name, "seed": seed, "seconds": seconds, "processor": processor, "results": plain})
        record.recorded = f"{datetime.now(UTC):%Y-%m-%d}"
        _write(root, record)
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


def _write(root: Path, record: Record) -> None:
    target = path(root, record.experiment, record.size)
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
