"""Results of long experiments, with where they come from. `lrcourse records run` writes them.

>>> read("superconvergence", "small").seeds
[0, 1, 2, 3, 4]
"""

import json
import math
import os
import time
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from ..validation import bad

FOLDER = Path(__file__).parent
PACKAGE = FOLDER.parent
SCHEMA = 2  # of the files
RUN = {"name": str, "seed": int, "seconds": float, "results": dict}


@dataclass
class Record:
    """What an experiment gave: `runs` are dictionaries with `name`, `seed`, `seconds` and `results`.

    A run's `seconds` are wall time; its `processor`, where it was taken, is the time of all processors, which other
    programs on the machine do not lengthen.

    `device`: the processor in words; `commit`: the last one, with a `+` if a source had changed since;
    `sources`: the hash of each file that decides the results, by its name; `recorded`: the day of the last run, UTC.
    """

    experiment: str
    size: str
    device: str
    versions: dict[str, str]
    commit: str
    sources: dict[str, str]
    recorded: str = ""
    runs: list[dict[str, Any]] = field(default_factory=list)
    schema: int = SCHEMA

    @property
    def seeds(self) -> list[int]:
        """The seeds that were run.

        >>> Record("comparison", "small", "a CPU", {}, "", {}, runs=[{"seed": 1}, {"seed": 0}, {"seed": 1}]).seeds
        [0, 1]
        """
        return sorted({run["seed"] for run in self.runs})

    @property
    def cuda(self) -> bool:
        """Whether it was made on a GPU."""
        return "cuda" in self.versions

    @property
    def wall(self) -> float:
        """Wall time of all runs, in seconds."""
        return float(sum(run["seconds"] for run in self.runs))

    def ago(self, today: date | None = None) -> str:
        """How long ago the last run was, in words; `today`: in UTC, from the clock unless `SOURCE_DATE_EPOCH` is set.

        >>> record = Record("comparison", "small", "a CPU", {}, "", {}, recorded="2026-11-21")
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
        >>> Record("comparison", "small", "a CPU", {}, "", {}, runs=runs).values("Adam", "loss")
        [0.0, 0.5]
        """
        chosen = sorted((run for run in self.runs if run["name"] == name), key=lambda run: run["seed"])
        if not chosen:
            raise bad("name", name, "the name of a run", f"choose one of {sorted({run['name'] for run in self.runs})}")
        return [math.nan if run["results"][result] is None else run["results"][result] for run in chosen]


def path(experiment: str, size: str, folder: Path = FOLDER) -> Path:
    """Where the record of an experiment lies."""
    return folder / f"{experiment}-{size}.json"


def read(experiment: str, size: str, folder: Path = FOLDER) -> Record:
    """The stored record.

    Raises: `RuntimeError` if there is none, with the command that makes it; `ValueError` if it is not a record.
    """
    stored = path(experiment, size, folder)
    if not stored.exists():
        raise RuntimeError(f"no record {stored.name}: make it with lrcourse records run --only {experiment} "
                           f"--size {size} --device cpu")  # fmt: skip
    return parse(stored)


def every(folder: Path = FOLDER) -> list[Record]:
    """All records in the folder.

    Raises: `ValueError` if a file is not a record.
    """
    return [parse(each) for each in sorted(folder.glob("*.json"))]


def parse(stored: Path) -> Record:
    """The record in a file.

    Raises: `ValueError` for a file of another version of this package, or one whose keys or values do not fit.
    """
    fix = "run the experiment again: lrcourse records run"
    try:
        plain = json.loads(stored.read_text(encoding="utf-8"))
    except ValueError as error:
        raise bad(stored.name, str(error), "JSON", fix) from None
    if not isinstance(plain, dict):
        raise bad(stored.name, plain, "a record", fix)
    if plain.get("schema") != SCHEMA:
        raise bad(f"{stored.name}: schema", plain.get("schema"), str(SCHEMA), "update lrcourse, or " + fix)
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
