"""The rules read log files, and `lrcourse audit` says what they found."""

import csv
import json
from typing import Any

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


WRONG = {
    "stepped per epoch": lambda t: SCHEDULE(t // 12), "several steps per update": lambda t: SCHEDULE(2 * t),
    "stretched": lambda t: SCHEDULE(t / 3), "rate scaled": lambda t: SCHEDULE(t) / 10,
    "resumed at the wrong step": lambda t: SCHEDULE(t % 30), "schedule never applied": lambda t: 0.1,
    "another schedule": lambda t: 0.1 / (1 + t),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("every", [1, 5])
def test_a_fault_is_found_whether_the_log_counts_from_zero_or_one_and_logs_all_updates_or_some(
    name, first, every, tmp_path, capsys
):
    """The Trainer of Hugging Face logs the rate of update 49 as that of step 50."""
    rows = [(t + first, WRONG[name](t), 1.0) for t in range(every * first - first, N, every)]
    assert audit(*as_csv(tmp_path, rows), "--schedule", SPEC, "--steps", N) == 1
    assert f"FAULT: {name}, step" in capsys.readouterr().out


def test_the_pace_in_a_log_of_some_updates_is_told_as_near_as_it_can_be(tmp_path, capsys):
    audit(*as_csv(tmp_path, PER_EPOCH[::5]), "--schedule", SPEC, "--steps", N)
    assert "once in about 12 updates" in capsys.readouterr().out


def test_a_log_that_counts_samples_or_words_needs_no_memory_for_them(tmp_path, capsys):
    rows = [(2_000_000_000 * t, lr, loss) for t, lr, loss in PER_EPOCH]
    assert audit(*as_csv(tmp_path, rows), "--schedule", SPEC) == 1
    assert "FAULT: stepped per epoch" in capsys.readouterr().out


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


NAMES: dict[str, Any] = {  # of columns elsewhere; and which are the step, the rates, the momentum and the loss
    "Lightning with the momentum": (["epoch", "step", "lr-SGD", "lr-SGD-momentum", "train_loss"], 1, [2], 3, 4),
    "Lightning with groups": (
        ["step", "lr-SGD/pg1", "lr-SGD/pg2", "lr-SGD/pg1-momentum", "lr-SGD/pg1-weight_decay"], 0, [1, 2], 3, None,
    ),
    "W&B by its interface": (["", "lr", "loss", "_runtime", "_step"], 4, [1], None, 2),
    "W&B by its page": (["Step", "run-1 - train/lr", "run-1 - train/lr__MIN", "run-1 - loss"], 0, [1], None, 3),
    "a loss of other data": (["step", "lr", "val/loss", "eval_loss", "train/loss"], 0, [1], None, 4),
    "Ultralytics": (["     epoch", "  train/box_loss", "   lr/pg0", "  lr/pg1"], None, [2, 3], None, None),
}  # fmt: skip


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("kind", NAMES)
def test_columns_are_known_by_what_loggers_call_them(kind, separator, tmp_path):
    names, step, rates, momentum, loss = NAMES[kind]
    values = [[10 * t if i == step else (i + 1) / 10 for i in range(len(names))] for t in range(3)]
    path = tmp_path / "log.csv"
    path.write_text("\n".join(separator.join(map(str, line)) for line in [names, *values]))
    rows = read_log(path)
    assert rows.step == ([0, 1, 2] if step is None else [0, 10, 20])
    assert rows.rate == [tuple(values[0][i] for i in rates)] * 3
    assert rows.momentum == [() if momentum is None else (values[0][momentum],)] * 3
    assert rows.loss == [None if loss is None else values[0][loss]] * 3
    assert rows.unit == ("epoch" if step is None else "update")


def test_a_log_of_epochs_is_not_compared_with_a_schedule_of_updates(tmp_path, capsys):
    path = write_csv(tmp_path / "log.csv", ["epoch", "learning_rate", "loss"], [(t, *others) for t, *others in HEALTHY])
    assert audit(path) == 0 and "60 epochs, 0 to 59" in capsys.readouterr().out
    assert audit(path, "--schedule", SPEC) == 1
    assert "step must be a column that counts updates, got 'a log of epochs'" in capsys.readouterr().err
    assert audit(path, "--schedule", SPEC, "--step", "epoch") == 0


def test_a_log_of_several_runs_is_told_as_such(tmp_path, capsys):
    other = [(t, lr / 2, loss) for t, lr, loss in HEALTHY]
    assert audit(*as_csv(tmp_path, [*other, *HEALTHY, *HEALTHY[:9]]), "--schedule", SPEC) == 0
    assert "(the last of several at 60 steps, as in a log of several runs)" in capsys.readouterr().out
    audit(*as_csv(tmp_path, HEALTHY * 2))
    assert "several runs" not in capsys.readouterr().out
    two = write_csv(tmp_path / "two.csv", ["Step", "run-1 - lr", "run-2 - lr"], [(t, 0.1, 0.2) for t in range(3)])
    assert audit(two) == 1 and "rate must be the column of one run" in capsys.readouterr().err
    assert audit(two, "--rate", "run-2 - lr") == 0


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
    ("step,lr\nnan,1\n", "step must be a whole number"), ("step,lr\ninf,1\n", "step must be a whole number"),
    ("step,lr\n0.5,1\n", "step must be a whole number"), ('step,lr\n"1,000",1\n', "step must be a number or empty"),
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
