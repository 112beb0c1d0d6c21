"""A sweep that is killed continues where it stopped, and ends as if nothing had happened."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from lrcourse.data import moons
from lrcourse.sweep import grid, sweep
from lrcourse.torch import LogicNet

DATA = moons(n=20, n_test=10)

FEW = """
import sys
import numpy as np
from lrcourse.data import moons
from lrcourse.sweep import engines, grid, sweep
from lrcourse.torch import LogicNet

engines.chunk_size = lambda plan, engine: 4
settings = grid(lr=np.linspace(0.01, 0.5, 8), momentum=[0.0, 0.5, 0.9], seed=[0, 1])
folder, engine, steps, jobs = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
result = sweep(lambda: LogicNet().double(), moons(n=20, n_test=10), settings=settings, steps=steps, batch_size=8,
               engine=engine, folder=folder, jobs=jobs, progress=False)
np.save(f"{folder}/result.npy", np.column_stack([result.curves, result.train_loss]))
"""

MAP = """
import sys
import numpy as np
from lrcourse.data import moons
from lrcourse.sweep import grid, sweep
from lrcourse.torch import LogicNet

ten = moons(10, noise=0.2, seed=0)
settings = grid(momentum=np.linspace(0, 0.98, 256), lr=np.geomspace(0.3, 3, 256))
folder, engine, steps = sys.argv[1], sys.argv[2], int(sys.argv[3])
result = sweep(lambda: LogicNet().double(), (ten.x_train, np.eye(2)[ten.y_train]), loss="mse", settings=settings,
               steps=steps, engine=engine, folder=folder, progress=False)
values, *_ = result.heatmap("lr", "momentum")
assert values.shape == (256, 256)
np.save(f"{folder}/result.npy", np.column_stack([values, result.diverged.reshape(256, 256)]))
"""


def start(code, folder, *arguments):
    command = [sys.executable, "-c", code, str(folder), *map(str, arguments)]
    return subprocess.Popen(command, start_new_session=True)


def finish(code, folder, *arguments):
    assert start(code, folder, *arguments).wait() == 0
    return np.load(folder / "result.npy")


@pytest.mark.parametrize("code, chunks, arguments", [
    (FEW, 12, ("stacked", 300, 1)), (FEW, 12, ("loop", 60, 2)), (MAP, 16, ("stacked", 20)),
], ids=["few", "processes", "map of 256 x 256"])  # fmt: skip
def test_killed_in_the_middle_it_continues_and_gives_the_same(tmp_path, code, chunks, arguments):
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    process, uninterrupted = start(code, killed, *arguments), start(code, whole, *arguments)
    while len(list(killed.glob("chunk-*.npz"))) < 3:
        assert process.poll() is None, "it finished before it could be killed"
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    done = {path: path.stat().st_mtime_ns for path in killed.glob("chunk-*.npz")}
    assert 3 <= len(done) < chunks and not (killed / "result.npy").exists()
    continued = finish(code, killed, *arguments)
    assert len(list(killed.glob("chunk-*.npz"))) == chunks
    assert all(path.stat().st_mtime_ns == written for path, written in done.items()), "trained a second time"
    assert uninterrupted.wait() == 0
    np.testing.assert_array_equal(continued, np.load(whole / "result.npy"))


def run(folder, **changes):
    arguments = {"settings": grid(lr=[0.1, 0.2]), "steps": 4, "progress": False, "folder": folder, **changes}
    return sweep(lambda: LogicNet().double(), arguments.pop("data", DATA), **arguments)


def test_a_finished_sweep_is_read_from_its_folder(tmp_path):
    first = run(tmp_path)
    chunk = next(tmp_path.glob("chunk-*.npz"))
    arrays = dict(np.load(chunk))
    arrays["train_loss"] += 1
    np.savez(chunk, **arrays)
    again = run(tmp_path)
    changed = again.train_loss - first.train_loss
    assert (changed > 0.5).any()
    assert (again.engine, again.reason) == (first.engine, first.reason)


@pytest.mark.parametrize("change", [
    {"steps": 5}, {"settings": grid(lr=[0.1, 0.3])}, {"batch_size": 4}, {"loss": "mse"}, {"optimizer": "adam"},
    {"nesterov": True}, {"data": moons(n=20, n_test=10, seed=1)},
])  # fmt: skip
def test_a_folder_belongs_to_one_sweep(tmp_path, change):
    run(tmp_path)
    with pytest.raises(ValueError, match="folder must be empty or begun by this very sweep"):
        run(tmp_path, **change)


def test_the_manifest_says_how_the_sweep_was_cut(tmp_path):
    run(tmp_path, engine="stacked")
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["choice"]["engine"] == "stacked" and len(manifest["plan"]) == 64
