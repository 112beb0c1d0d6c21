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
STEPS = ("step", "global_step", "_step", "iteration", "iter", "update", "num_updates", "batch")
EPOCHS = ("epoch", "epochs")
RATES = ("lr", "learning_rate", "learning rate", "rate", "train_lr")
LOSSES = ("loss", "train_loss", "training_loss", "loss_step", "train_loss_step")
MOMENTA = ("momentum", "beta1", "beta_1")
HELD_OUT = re.compile(r"(^|[/ _-])(val|valid|validation|eval|test)[/ _-]")  # a loss of other data than the updates'
Record = dict[str, Any]


def read_log(
    *paths: str | Path,
    step: str | None = None,
    rate: str | None = None,
    loss: str | None = None,
    momentum: str | None = None,
) -> Rows:
    """The rows of a log of one run, as the rules of an audit read them.

    A file is CSV with a line of names (its fields split by commas, semicolons or tabs), or JSON, one object per line or
    a list of them, or a Trainer's `trainer_state.json`. What TensorBoard exports (Wall time, Step, Value) holds one
    quantity, which the file's name tells: give a file for the rate and, if there is one, another for the loss. Rows of
    one step are joined, where the last one counts; those without a rate are left out.

    `step`, `rate`, `loss`, `momentum`: the names of the columns, unless they are usual ones, such as `step`, `lr` or
    `learning_rate`, `loss` or `train_loss`. Several columns that begin like `lr-` or `lr/` are the rates of groups; a
    Trainer logs that of the first group only. Without a column of steps, rows are counted from 0; in a log with a
    column of epochs, they are epochs.

    Raises: `ValueError` for a file that is none of these, holds no rate or those of several runs, or has no number
    where one should be.

    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp(), "log.csv")
    >>> _ = file.write_text("step,lr,train_loss\\n0,0.1,2.5\\n1,0.05,2.4\\n")
    >>> read_log(file).rate
    [(0.1,), (0.05,)]
    """
    if not paths:
        raise bad("paths", paths, "one file at least", "give the log of a run")
    records = [record for path in map(Path, paths) for record in _records(path)]
    names = list(dict.fromkeys(name for record in records for name in record if name))
    trained = [name for name in names if not HELD_OUT.search(name.lower())]
    columns = {
        "step": _column("step", step, names, STEPS), "loss": _column("loss", loss, names if loss else trained, LOSSES),
        "momentum": _column("momentum", momentum, names, MOMENTA) or _first_that_ends(names, "-momentum"),
    }  # fmt: skip
    groups = _rate_columns(rate, names)
    if not groups:
        raise bad("rate", names, "the name of a column", "say which holds the rates: rate='...' or --rate NAME")
    rows = _rows(_joined(records, columns["step"]), groups, columns)
    rows.replaced = _replaced(records, columns["step"], groups)
    counter = columns["step"] or _column("step", None, names, EPOCHS)
    if counter and _plain(counter) in EPOCHS:
        rows.unit = "epoch"
    return rows


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
        found = _json(text) if text.lstrip()[:1] in ("{", "[") else _csv(text)
    except (json.JSONDecodeError, csv.Error) as error:
        raise bad("path", str(path), "CSV with a line of names, or JSON", f"{error}") from None
    if not found or not all(isinstance(each, dict) for each in found):
        raise bad("path", str(path), "a log with at least one row", "look at its first lines")
    return [_exported(record, path.stem) for record in found]


def _csv(text: str) -> list[Any]:
    """Rows by the names in the first line; its fields are split by what it has most of."""
    lines = text.splitlines() or [""]
    reader = csv.DictReader(lines, delimiter=max(",;\t", key=lines[0].count))
    reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
    return list(reader)


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
    """A name without the parts before it, such as `train/`, or the run's name in an export of Weights & Biases."""
    return re.split(r"/| - ", name.lower())[-1].strip()


def _column(argument: str, given: str | None, names: list[str], usual: Iterable[str]) -> str | None:
    if given is not None:
        if given not in names:
            raise bad(argument, given, f"one of the columns {names}", "give a name as it stands in the file")
        return given
    for wanted in usual:
        if found := [name for name in names if wanted in (name.lower(), _plain(name))]:
            return found[0]
    return None


def _first_that_ends(names: list[str], end: str) -> str | None:
    return next((name for name in names if name.lower().endswith(end)), None)


def _rate_columns(given: str | None, names: list[str]) -> list[str]:
    """The columns of the rate, one for each group; Lightning calls that of a momentum `lr-SGD-momentum`."""
    several = [name for name in names if re.match(r"(lr|learning_rate)[-_/ ]", name.lower())
               and not re.search(r"momentum|weight_decay", name.lower())]  # fmt: skip
    if given is None and len(several) > 1:
        return several
    single = _column("rate", given, names, RATES)
    alike = [name for name in names if single and _plain(name) == _plain(single)]
    if given is None and single and len(alike) > 1 and single.lower() not in RATES:
        raise bad("rate", alike, "the column of one run", "say which: rate='...' or --rate NAME")
    return [single or several[0]] if single or several else []


def _joined(records: list[Record], step: str | None) -> list[tuple[int, Record]]:
    """The rows by step; a step that comes again, as that of the losses does, adds to the first."""
    if step is None:
        return list(enumerate(records))
    joined: dict[int, Record] = {}
    for record in records:
        if (at := _number(step, record.get(step))) is not None:
            if not at.is_integer():  # NaN and infinity neither
                raise bad(step, record[step], "a whole number", "say which column counts: step='...' or --step NAME")
            filled = {name: value for name, value in record.items() if value not in (None, "")}
            joined.setdefault(int(at), {}).update(filled)
    return sorted(joined.items())


def _replaced(records: list[Record], step: str | None, groups: list[str]) -> int:
    """At how many steps another rate came before the one that counts, as in a file with several runs."""
    found: dict[Any, set[Any]] = {}
    for record in records if step else ():
        if all(record.get(name) not in (None, "") for name in groups):
            found.setdefault(record.get(step or ""), set()).add(tuple(record[name] for name in groups))
    return sum(len(rates) > 1 for rates in found.values())


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
