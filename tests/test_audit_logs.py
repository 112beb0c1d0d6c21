"""The rules read log files, and `lrcourse audit` says what they found."""

import csv
import json

import pytest

from lrcourse import Cosine
from lrcourse.audit import read_log
from lrcourse.course.cli import main

N = 60
SPEC = f"Cosine(0.1, 0, {N})"
SCHEDULE = Cosine(0.1, 0.0, N)
HEALTHY = [(t, SCHEDULE(t), 2.0 / (t + 1)) for t in range(N)]
PER_EPOCH = [(t, SCHEDULE(t // 12), 2.0 / (t + 1)) for t in range(N)]


def write_csv(path, names, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([names, *rows])
    return path


def audit(*arguments):
    return main(["audit", *map(str, arguments)])


def as_csv(folder, rows):
    return [write_csv(folder / "log.csv", ["step", "lr", "loss"], rows)]


def as_lightning(folder, rows):
    """Its CSVLogger: a row for the rate and one for the loss."""
    lines = [line for t, lr, loss in rows for line in ([0, t, lr, ""], [0, t, "", loss])]
    return [write_csv(folder / "metrics.csv", ["epoch", "step", "lr-SGD", "train_loss_step"], lines)]


def as_jsonl(folder, rows):
    lines = [json.dumps({"iteration": t, "train/learning_rate": lr, "train/loss": loss}) for t, lr, loss in rows]
    (folder / "log.jsonl").write_text("\n".join(lines) + "\n")
    return [folder / "log.jsonl"]


def as_trainer(folder, rows):
    history = [{"epoch": t / 12, "learning_rate": lr, "loss": loss, "step": t} for t, lr, loss in rows]
    state = {"global_step": N, "log_history": [*history, {"epoch": 5.0, "step": N, "train_runtime": 1.0}]}
    (folder / "trainer_state.json").write_text(json.dumps(state))
    return [folder / "trainer_state.json"]


def as_tensorboard(folder, rows):
    names = ["Wall time", "Step", "Value"]
    return [write_csv(folder / f"run-{tag}.csv", names, [(1.7e9 + row[0], row[0], row[i]) for row in rows])
            for i, tag in ((1, "lr"), (2, "loss"))]  # fmt: skip


FORMATS = [as_csv, as_lightning, as_jsonl, as_trainer, as_tensorboard]


@pytest.mark.parametrize("write", FORMATS)
def test_a_log_is_read_as_what_it_holds(write, tmp_path):
    rows = read_log(*write(tmp_path, HEALTHY))
    assert [*zip(rows.step, [rate for (rate,) in rows.rate], rows.loss)] == HEALTHY


@pytest.mark.parametrize("write", FORMATS)
def test_the_command_finds_the_fault_of_a_log_and_none_in_a_healthy_one(write, tmp_path, capsys):
    assert audit(*write(tmp_path, HEALTHY), "--schedule", SPEC, "--steps", N) == 0
    assert "no fault found" in capsys.readouterr().out
    assert audit(*write(tmp_path, PER_EPOCH), "--schedule", SPEC, "--steps", N) == 1
    out, err = capsys.readouterr()
    assert "FAULT: stepped per epoch, step 1" in out and "once in 12 updates" in out and err == ""


def test_without_a_schedule_the_signs_are_noted(tmp_path, capsys):
    assert audit(*as_csv(tmp_path, PER_EPOCH)) == 0
    out = capsys.readouterr().out
    assert "NOTE: stepped per epoch, step 12" in out and "NOTE: ends high" not in out


def test_a_log_that_counts_from_one_is_no_fault(tmp_path, capsys):
    rows = [(t + 1, *others) for t, *others in HEALTHY]
    assert audit(*as_csv(tmp_path, rows), "--schedule", SPEC) == 0
    assert "unless the log counts from 1" in capsys.readouterr().out


@pytest.mark.parametrize("digits", [3, 4, 6])
@pytest.mark.parametrize("form", ["g", "f"])
def test_rates_may_be_rounded(digits, form, tmp_path):
    rounded = [(t, format(lr, f".{digits}{form}"), loss) for t, lr, loss in HEALTHY]
    assert audit(*as_csv(tmp_path, rounded), "--schedule", SPEC, "--steps", N) == 0
    rounded = [(t, format(lr, f".{digits}{form}"), loss) for t, lr, loss in PER_EPOCH]
    assert audit(*as_csv(tmp_path, rounded), "--schedule", SPEC, "--steps", N) == 1


def test_a_log_of_every_tenth_update(tmp_path, capsys):
    assert audit(*as_csv(tmp_path, HEALTHY[::10]), "--schedule", SPEC) == 0
    doubled = [(t, SCHEDULE(2 * t), loss) for t, _, loss in HEALTHY[::3]]
    assert audit(*as_csv(tmp_path, doubled), "--schedule", SPEC) == 1
    assert "several steps per update" in capsys.readouterr().out


def test_rates_of_groups_momentum_and_columns_of_other_names(tmp_path):
    names = ["n", "lr/body", "lr/head", "m", "error"]
    path = write_csv(tmp_path / "a.csv", names, [(t, 0.01, 0.1, 0.9, 3.0) for t in range(5)])
    rows = read_log(path, step="n", momentum="m", loss="error")
    assert rows.rate == [(0.01, 0.1)] * 5 and rows.momentum == [(0.9,)] * 5 and rows.loss == [3.0] * 5
    assert read_log(path, step="n", rate="lr/head").rate == [(0.1,)] * 5
    assert read_log(write_csv(tmp_path / "b.csv", ["lr"], [(0.1,)] * 3)).step == [0, 1, 2]


def test_a_loss_that_is_no_number_is_found(tmp_path, capsys):
    rows = [(t, 0.1, "nan" if t > 3 else 1.0) for t in range(8)]
    assert audit(*as_csv(tmp_path, rows)) == 1
    assert "FAULT: loss diverges, step 4" in capsys.readouterr().out


@pytest.mark.parametrize(("text", "said"), [
    ("", "path must be a log with at least one row"), ("step,lr\n", "path must be a log with at least one row"),
    ("step,loss\n1,2\n", "rate must be the name of a column, got ['step', 'loss']"),
    ("step,lr\n1,fast\n", "lr must be a number or empty, got 'fast'"), ("{broken", "path must be CSV"),
    ("[1, 2]", "path must be a log with at least one row"), ("step,lr\n0,-0.1\n", "rate must be a rate, zero or more"),
    ("step,lr\n0,\n", "rate must be a column with numbers"), ("step,lr\n0,0.1,7\n", ""),
])  # fmt: skip
def test_a_file_that_is_no_log_is_refused_in_one_line(text, said, tmp_path, capsys):
    (tmp_path / "a.csv").write_text(text)
    assert audit(tmp_path / "a.csv") == (1 if said else 0)
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(("arguments", "said"), [
    (["nowhere.csv"], "path must be a text file that can be read"),
    (["a.csv", "--rate", "x"], "rate must be one of the"),
    (["a.csv", "--schedule", "Cosin(1)"], "spec must be a schedule"),
    (["a.csv", "--steps", "0"], "steps must be a whole"),
    (["a.csv", "--tolerance", "-1"], "tolerance must be zero or positive"),
])  # fmt: skip
def test_what_is_wrong_is_said_in_one_line(arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_csv(tmp_path / "a.csv", ["step", "lr"], [(0, 0.1)])
    assert audit(*arguments) == 1
    assert said in (err := capsys.readouterr().err) and err.count("\n") == 1
