"""A sweep that is killed continues where it stopped, and ends as if nothing had happened."""

import functools
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torch.optim.lr_scheduler import ExponentialLR

from lrcourse.data import moons
from lrcourse.sweep import engines, grid, loop, members, stacked, sweep, watch
from lrcourse.torch import LogicNet

DATA = moons(n=20, n_test=10)
SIX = grid(lr=[0.1, 0.2, 0.3], momentum=[0.9], seed=[0, 1])

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


@pytest.mark.slow
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


ONE = FEW.replace("engines.chunk_size = lambda plan, engine: 4", "from lrcourse.sweep import watch\nwatch.EVERY = 0.0")


@pytest.mark.slow
@pytest.mark.parametrize("engine, steps", [("stacked", 2000), ("loop", 150),
                                           pytest.param("compiled", 3000, marks=pytest.mark.slow)])  # fmt: skip
def test_killed_within_its_only_part_it_continues_from_there(tmp_path, engine, steps):
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    process = start(ONE, killed, engine, steps, 1)
    while len(list(killed.glob("chunk-*.pt"))) < 1:
        assert process.poll() is None, "it finished before it could be killed"
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (killed / "result.npy").exists()
    np.testing.assert_array_equal(finish(ONE, killed, engine, steps, 1), finish(ONE, whole, engine, steps, 1))
    assert not list(killed.glob("*.pt"))


def interrupted(after):
    """`train` of the stacked members, or of one member, that is stopped before its call number `after`."""
    calls = itertools.count(1)

    def wrap(train):
        def stopped(*given):
            if next(calls) == after:
                raise KeyboardInterrupt
            return train(*given)

        return stopped

    return wrap


@pytest.mark.parametrize("engine, optimizer", [("stacked", "sgd"), ("stacked", "adamw"), ("loop", "sgd")])
def test_only_what_was_lost_is_trained_again(tmp_path, monkeypatch, engine, optimizer):
    options = {"engine": engine, "optimizer": optimizer, "steps": 40, "batch_size": 7, "jobs": 1, "settings": SIX}
    owner, name = (stacked.Training, "train") if engine == "stacked" else (loop, "_member")
    trained = []

    def counted(first, second):
        trained.append(second if engine == "stacked" else 40)
        return real(first, second)

    real = getattr(owner, name)
    monkeypatch.setattr(watch, "EVERY", 0.0)
    monkeypatch.setattr(members, "SHORT", 0.0)  # every step a piece
    monkeypatch.setattr(engines, "chunk_size", lambda plan, engine: 6)
    monkeypatch.setattr("tqdm.tqdm", Bar)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        # The first call of the loop is a sample, which is timed.
        patched.setattr(owner, name, interrupted(after=4 if engine == "stacked" else 5)(real))
        run(tmp_path / "stopped", **options)
    monkeypatch.setattr(owner, name, counted)
    continued = run(tmp_path / "stopped", **options)
    assert sum(trained) == (40 - 3 if engine == "stacked" else 40 * 3)
    assert Bar.last.n == Bar.last.total
    whole = run(tmp_path / "whole", **options)
    for name, column in continued.outcome.arrays().items():
        np.testing.assert_array_equal(column, whole.outcome.arrays()[name], err_msg=name)


class Bar:
    last: "Bar"

    def __init__(self, total, **options):
        self.total, self.n, self.moves = total, 0, []
        Bar.last = self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def update(self, n):
        self.n += n
        self.moves += [n] if n else []


@pytest.mark.parametrize("engine, size, jobs, moves", [
    ("stacked", 6, 1, 8), ("stacked", 6, 2, 8), ("loop", 6, 2, 6), ("loop", 3, 1, 6), ("loop", 3, 2, 2),
])  # fmt: skip
def test_the_bar_moves_within_a_part(tmp_path, monkeypatch, engine, size, jobs, moves):
    """By a step of all, or a run; by a part where processes are at work."""
    monkeypatch.setattr(members, "SHORT", 0.0)
    monkeypatch.setattr(engines, "chunk_size", lambda plan, engine: size)
    monkeypatch.setattr("tqdm.tqdm", Bar)
    for again in (moves, 1):  # the second time everything is there
        run(tmp_path, settings=SIX, steps=8, engine=engine, jobs=jobs)
        assert (Bar.last.n, len(Bar.last.moves)) == (Bar.last.total, again)
    assert Bar.last.total == 6 * 8


def run(folder, **changes):
    arguments = {
        "settings": grid(lr=[0.1, 0.2]),
        "steps": 4,
        "progress": False,
        "folder": folder,
        "data": DATA,
        **changes,
    }
    model_fn = arguments.pop("model_fn", lambda: LogicNet().to(torch.from_numpy(arguments["data"].x_train).dtype))
    return sweep(model_fn, **arguments)


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
    {"steps": 5}, {"settings": grid(lr=[0.1, 0.3])}, {"batch_size": 4}, {"loss": torch.nn.CrossEntropyLoss()},
    {"optimizer": "adam"}, {"nesterov": True}, {"data": moons(n=20, n_test=10, seed=1)},
])  # fmt: skip
def test_a_folder_belongs_to_one_sweep(tmp_path, change):
    run(tmp_path)
    with pytest.raises(ValueError, match="folder must be empty or begun by this very sweep"):
        run(tmp_path, **change)


def test_the_manifest_says_how_the_sweep_was_cut(tmp_path):
    run(tmp_path, engine="stacked")
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["choice"]["engine"] == "stacked" and len(manifest["plan"]) == 64


def decaying(gamma):
    return lambda optimizer: ExponentialLR(optimizer, gamma)


def loss_in(unit):
    return lambda outputs, y: F.cross_entropy(outputs, y) / unit


def loss_of(outputs_kept):
    if not outputs_kept:
        never = 0.0

    def loss(outputs, y):
        kept = [each for each in range(2) if each in outputs_kept]
        return F.cross_entropy(outputs[:, kept], y.clamp(max=len(kept) - 1)) if kept else never

    return loss


class Own(torch.nn.Sequential):
    def __init__(self, scale):
        super().__init__(torch.nn.Linear(2, 2))
        self.scale = scale

    def forward(self, x):
        return self.scale * super().forward(x)


class Squared(Own):
    def forward(self, x):
        return (self.scale * super().forward(x)) ** 2


Squared.__qualname__ = Squared.__name__ = "Own"  # as if the code had been edited


@pytest.mark.parametrize("before, after", [
    ({"settings": grid(schedule=[decaying(0.9)])}, {"settings": grid(schedule=[decaying(0.5)])}),
    ({"settings": grid(schedule=[functools.partial(ExponentialLR, gamma=0.9)])},
     {"settings": grid(schedule=[functools.partial(ExponentialLR, gamma=0.5)])}),
    ({"loss": torch.nn.CrossEntropyLoss()}, {"loss": torch.nn.CrossEntropyLoss(label_smoothing=0.3)}),
    ({"loss": loss_in(1)}, {"loss": loss_in(2)}), ({"loss": loss_of({0, 1})}, {"loss": loss_of({0})}),
    ({"loss": loss_of(range(2))}, {"loss": loss_of(range(1))}),
    ({"model_fn": lambda: Own(1.0)}, {"model_fn": lambda: Own(2.0)}),
    ({"model_fn": lambda: Own(1.0)}, {"model_fn": lambda: Squared(1.0)}),
    ({"settings": grid(lr=[0.1])}, {"settings": grid(lr=[0.1], momentum=[0.5])}),
])  # fmt: skip
def test_functions_count_by_what_they_do(tmp_path, before, after):
    data = replace(DATA, x_train=DATA.x_train.astype(np.float32))
    run(tmp_path, **{"data": data, **before})
    run(tmp_path, **{"data": data, **before})
    with pytest.raises(ValueError, match="folder must be empty or begun by this very sweep"):
        run(tmp_path, **{"data": data, **after})


GLOBAL = """
import sys
from torch.optim.lr_scheduler import StepLR
from lrcourse.data import moons
from lrcourse.sweep import grid, sweep
from lrcourse.torch import LogicNet

EVERY, NAMES = int(sys.argv[2]), {"a", "b", "c"}

def scheduler(optimizer):
    return StepLR(optimizer, EVERY if "a" in {"a", "b", "c"} else 1)

sweep(LogicNet, moons(n=20), settings=grid(schedule=[lambda optimizer: scheduler(optimizer)]), steps=4,
      folder=sys.argv[1], progress=False)
"""


@pytest.mark.slow
def test_a_folder_is_recognised_in_another_process(tmp_path):
    """Also with a set in the code, whose order is another in every process, and a number of the module."""

    def status(every):
        command = [sys.executable, "-c", GLOBAL, str(tmp_path / "kept"), every]
        environment = {**os.environ, "PYTHONHASHSEED": str(len(called))}
        called.append(subprocess.run(command, env=environment, capture_output=True, text=True))
        return called[-1].returncode

    called = []
    assert [status("2"), status("2"), status("3")] == [0, 0, 1]
    assert "folder must be empty or begun by this very sweep" in called[-1].stderr


def test_what_is_wrong_with_a_folder_is_named(tmp_path):
    def refused(message, **changes):
        with pytest.raises(ValueError, match=message):
            run(tmp_path / "kept", **changes)

    run(tmp_path / "kept")
    refused("engine must be 'loop', with which the folder was begun, got 'stacked'", engine="stacked")
    refused("engine must be one of", engine="magic")
    manifest, chunk = tmp_path / "kept" / "manifest.json", tmp_path / "kept" / "chunk-00000000.npz"
    whole = chunk.read_bytes()
    for file in (chunk, chunk.with_suffix(".pt")):
        for part in (b"", whole[:100], b"damaged"):
            chunk.unlink(missing_ok=True)
            file.write_bytes(part)
            refused(rf"folder must be a whole file, got '.*{file.name}': delete it")
    manifest.write_text(manifest.read_text()[:20])
    refused("folder must be one whose manifest.json is whole")
    manifest.unlink()
    refused("folder must be empty or begun by this very sweep")
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="folder must be a folder that can be made"):
        run(tmp_path / "file")


def test_a_model_of_any_number_type_may_be_kept(tmp_path):
    for _ in range(2):
        result = run(tmp_path, model_fn=lambda: LogicNet().bfloat16())
    assert np.isfinite(result.curves).all()
