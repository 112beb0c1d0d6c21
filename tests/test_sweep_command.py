"""`lrcourse sweep`: the file says what the call would, and a second call goes on from the first."""

import numpy as np
import pandas as pd
import pytest
import torch

from lrcourse import Cosine
from lrcourse.course.cli import main
from lrcourse.data import moons
from lrcourse.sweep import grid, sweep
from lrcourse.torch import LogicNet

CONFIG = """
steps = 6
batch_size = 8
engine = "stacked"
data = {name = "moons", n = 20, n_test = 10}
model = {sizes = [2, 3, 2], activation = "tanh", dtype = "float64"}

[grid]
lr = {geomspace = [0.01, 1.0, 3]}
momentum = [0.0, 0.9]
schedule = [{kind = "Cosine", peak = 1.0, end = 0.0, steps = 6}]
seed = {range = [2]}
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "sweep.toml"
    path.write_text(CONFIG)
    return path


def test_the_file_is_the_call(config, tmp_path, capsys):
    assert (
        main(["sweep", str(config), "--output", str(tmp_path / "table.csv"), "--folder", str(tmp_path / "kept")]) == 0
    )
    settings = grid(lr=np.geomspace(0.01, 1, 3), momentum=[0.0, 0.9], schedule=[Cosine(1.0, 0.0, 6)], seed=range(2))
    expected = sweep(lambda: LogicNet().to(torch.float64), moons(n=20, n_test=10), settings=settings, steps=6,
                     batch_size=8, engine="stacked", progress=False)  # fmt: skip
    table = pd.read_csv(tmp_path / "table.csv")
    np.testing.assert_allclose(table["train_loss"], expected.train_loss, rtol=1e-12)
    assert table["lr"].tolist() == [setting.lr for setting in settings]
    printed = capsys.readouterr().out
    assert "12 settings, 0 diverged; engine: stacked (asked for)" in printed and "lowest loss: lr = 1.0" in printed
    assert list((tmp_path / "kept").glob("chunk-*.npz"))


@pytest.mark.parametrize("old, new, message", [
    ("steps = 6\nbatch", "batch", "config must be complete, with ['steps']"),
    ("batch_size", "batchsize", "option must be one of"), ('"moons"', '"mnist"', "data.name must be one of"),
    ("geomspace", "logspace", "lr must be a list of values"), ("momentum =", "beta =", "name must be one of"),
    ("[grid]", "[grid", "config must be a readable TOML file"), ('"Cosine"', '"Sine"', "kind must be the name"),
    ("[2, 3, 2]", "[2]", "sizes must be"), ("{range = [2]}", "2", "seed must be a list of values"),
    ('[{kind = "Cosine", peak = 1.0, end = 0.0, steps = 6}]', '{kind = "Cosine"}', "schedule must be a list of values"),
    ("{range = [2]}", "{}", "seed must be a list of values"),
    ("[0.01, 1.0, 3]", "0.1", "lr must be spaced as"), ("[0.01, 1.0, 3]", "[0, 1.0, 3]", "lr must be spaced as"),
    ("n = 20", "m = 20", "data must be a table of arguments of moons"),
    ("activation", "active", "model must be a table of arguments of MLP"),
    ('{name = "moons", n = 20, n_test = 10}', '"moons"', "data must be a table"),
    ('"float64"', '"long double"', "dtype must be"),
])  # fmt: skip
def test_mistakes_in_the_file_are_named(config, capsys, old, new, message):
    assert old in CONFIG
    config.write_text(CONFIG.replace(old, new, 1))
    assert main(["sweep", str(config)]) == 1
    assert message in capsys.readouterr().err


def test_a_file_that_is_not_utf_8_is_named(config, capsys):
    config.write_bytes(CONFIG.encode("utf-16"))
    assert main(["sweep", str(config)]) == 1
    assert f"config must be a readable TOML file, got '{config}'" in capsys.readouterr().err


def test_the_table_has_a_place_before_anything_is_trained(config, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("lrcourse.sweep.config.run", None)
    assert main(["sweep", str(config), "--output", str(tmp_path / "none" / "table.csv")]) == 1
    assert "--output must be in a folder that exists" in capsys.readouterr().err


def test_the_cluster_is_the_sweeps(config, capsys):
    assert main(["sweep", str(config), "--cluster", "127.0.0.1"]) == 1
    assert "cluster must be the address of a Dask scheduler, got '127.0.0.1'" in capsys.readouterr().err
