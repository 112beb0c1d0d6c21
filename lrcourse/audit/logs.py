"""A log file as rows: CSV, JSON lines, the state of a Trainer, or what TensorBoard exports."""

import csv
import json
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..validation import bad
from .rows import Rows

# What loggers call them, in lower case and without the part before a slash; the first that is there counts.
STEPS = ("step", "global_step", "iteration", "iter", "update", "batch")
RATES = ("lr", "learning_rate", "learning rate", "rate")
LOSSES = ("loss", "train_loss", "training_loss", "loss_step", "train_loss_step")
MOMENTA = ("momentum", "beta1", "beta_1")
Record = dict[str, Any]


def read_log(
    *paths: str | Path,
    step: str | None = None,
    rate: str | None = None,
    loss: str | None = None,
    momentum: str | None = None,
) -> Rows:
    """The rows of a log of one run, as the rules of an audit read them.

    A file is CSV with a line of names, or JSON, one object per line or a list of them, or a Trainer's
    `trainer_state.json`. What TensorBoard exports (Wall time, Step, Value) holds one quantity, which the file's name
    tells: give a file for the rate and, if there is one, another for the loss. Rows of one step are joined; those
    without a rate are left out.

    `step`, `rate`, `loss`, `momentum`: the names of the columns, unless they are usual ones, such as `step`, `lr` or
    `learning_rate`, `loss` or `train_loss`. Several columns that begin like `lr-` or `lr/` are the rates of groups.
    Without a column of steps, rows are counted from 0.

    Raises: `ValueError` for a file that is none of these, holds no rate, or has no number where one should be.

    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp(), "log.csv")
    >>> _ = file.write_text("step,lr,train_loss\\n0,0.1,2.5\\n1,0.05,2.4\\n")
    >>> read_log(file).rate
    [(0.1,), (0.05,)]
    """
    if not paths:
        raise bad("paths", paths, "one file at least", "give the log of a run")
    records = [record for path in map(Path, paths) for record in _records(path)]
    names = list(dict.fromkeys(name for record in records for name in record))
    columns = {
        "step": _column("step", step, names, STEPS), "loss": _column("loss", loss, names, LOSSES),
        "momentum": _column("momentum", momentum, names, MOMENTA),
    }  # fmt: skip
    groups = _rate_columns(rate, names)
    if not groups:
        raise bad("rate", names, "the name of a column", "say which holds the rates: rate='...' or --rate NAME")
    return _rows(_joined(records, columns["step"]), groups, columns)


def precision(rows: Rows) -> float:
    """How far a rate of a log may lie from the true one, as a share of the highest: by the digits it has."""
    digits = max((len(_digits(rate)) for rates in rows.rate for rate in rates), default=1)
    return max(1e-6, 10.0 ** (1 - digits)) if digits > 1 else 1e-6


def _digits(rate: float) -> str:
    return re.sub(r"e.*", "", repr(rate)).replace(".", "").strip("0")


def _records(path: Path) -> list[Record]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise bad("path", str(path), "a text file that can be read", str(error)) from None
    try:
        found = _json(text) if text.lstrip()[:1] in ("{", "[") else list(csv.DictReader(text.splitlines()))
    except (json.JSONDecodeError, csv.Error) as error:
        raise bad("path", str(path), "CSV with a line of names, or JSON", f"{error}") from None
    if not found or not all(isinstance(each, dict) for each in found):
        raise bad("path", str(path), "a log with at least one row", "look at its first lines")
    return [_exported(record, path.stem) for record in found]


def _json(text: str) -> list[Any]:
    try:
        whole = json.loads(text)
    except json.JSONDecodeError:
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    if isinstance(whole, dict):
        return list(whole.get("log_history", [whole]))
    return list(whole) if isinstance(whole, list) else [whole]


def _exported(record: Record, stem: str) -> Record:
    """A row of TensorBoard's export, its value under what the name of the file says."""
    if {name for name in record if name} != {"Wall time", "Step", "Value"}:
        return record
    kind = "loss" if "loss" in stem.lower() else "momentum" if "momentum" in stem.lower() else "lr"
    return {"step": record["Step"], kind: record["Value"]}


def _plain(name: str) -> str:
    return name.lower().rpartition("/")[2].strip()


def _column(argument: str, given: str | None, names: list[str], usual: Iterable[str]) -> str | None:
    if given is not None:
        if given not in names:
            raise bad(argument, given, f"one of the columns {names}", "give a name as it stands in the file")
        return given
    for wanted in usual:
        if found := [name for name in names if name and (name.lower() == wanted or _plain(name) == wanted)]:
            return found[0]
    return None


def _rate_columns(given: str | None, names: list[str]) -> list[str]:
    single = _column("rate", given, names, RATES)
    several = [name for name in names if name and re.match(r"(lr|learning_rate)[-_/ ]", name.lower())]
    return several if given is None and len(several) > 1 else [single or several[0]] if single or several else []


def _joined(records: list[Record], step: str | None) -> list[tuple[int, Record]]:
    """The rows by step; a step that comes again, as that of the losses does, adds to the first."""
    if step is None:
        return list(enumerate(records))
    joined: dict[int, Record] = {}
    for record in records:
        if (at := _number(step, record.get(step))) is not None:
            filled = {name: value for name, value in record.items() if value not in (None, "")}
            joined.setdefault(int(at), {}).update(filled)
    return sorted(joined.items())


def _rows(records: list[tuple[int, Record]], groups: list[str], columns: dict[str, str | None]) -> Rows:
    rows = Rows()
    for at, record in records:
        rates = [_number(name, record.get(name)) for name in groups]
        if any(rate is None for rate in rates):
            continue
        for rate in rates:
            if rate is None or not 0 <= rate < math.inf:
                raise bad("rate", rate, f"a rate, zero or more, at step {at}", "say which column holds the rates")
        loss, momentum = (_number(name, record.get(name)) if (name := columns[kind]) else None
                          for kind in ("loss", "momentum"))  # fmt: skip
        rows.add(at, tuple(rate for rate in rates if rate is not None), () if momentum is None else (momentum,), loss)
    if not len(rows):
        raise bad("rate", groups, "a column with numbers", "say which column holds the rates")
    return rows


def _number(name: str, value: Any) -> float | None:
    if value is None or value == "":
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        raise bad(name, value, "a number or empty", "say which column is meant, or mend the file") from None
