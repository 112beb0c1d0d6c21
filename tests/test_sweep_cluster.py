"""A sweep on a Dask cluster gives what it gives here, also when a worker dies in the middle."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import torch
from distributed import LocalCluster

from lrcourse.data import moons
from lrcourse.sweep import engines, grid, sweep
from lrcourse.torch import LogicNet

DATA = moons(n=20, n_test=10)
SETTINGS = grid(lr=[0.05, 0.5], momentum=[0.0, 0.9], seed=range(8))


@pytest.fixture(autouse=True)
def chunks_of_four(monkeypatch):
    monkeypatch.setattr(engines, "chunk_size", lambda plan, engine: 4)


def train(model=lambda: LogicNet().double(), engine="loop", **where):
    result = sweep(model, DATA, settings=SETTINGS, steps=40, batch_size=8, engine=engine, progress=False, **where)
    return np.column_stack([result.curves, result.train_loss, result.outcome.test_loss, result.outcome.test_accuracy])


def cluster(**options):
    return LocalCluster(processes=False, protocol="tcp", dashboard_address=None, **options)


@contextlib.contextmanager
def two_processes():
    with cluster(n_workers=0) as scheduler:
        address = scheduler.scheduler_address
        command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--no-nanny", "--nthreads", "1"]
        workers = [subprocess.Popen([*command, "--no-dashboard"], stderr=subprocess.DEVNULL) for _ in range(2)]
        try:
            scheduler.wait_for_workers(2)
            yield address, workers
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()


def test_a_worker_killed_in_the_middle_changes_nothing(tmp_path):
    here, killed, parts = os.getpid(), tmp_path / "killed", tmp_path / "parts"

    def model():  # seed 5 is in every other chunk, second of four
        if os.getpid() != here and torch.initial_seed() == 5 and not killed.exists():
            killed.write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)
        return LogicNet().double()

    with two_processes() as (address, workers):
        remote = train(model, cluster=address, folder=parts)
        died = [worker.pid for worker in workers if worker.poll() == -signal.SIGKILL]
    assert died == [int(killed.read_text())]
    assert len(list(parts.glob("chunk-*.npz"))) == len(SETTINGS) // 4
    np.testing.assert_array_equal(remote, train())
    np.testing.assert_array_equal(remote, train(folder=parts))


def test_one_thread_is_a_cluster_too(tmp_path):
    def model():
        if torch.initial_seed() == 5:  # nothing but the training asks for it
            (tmp_path / threading.current_thread().name).touch()
        return LogicNet().double()

    with cluster(n_workers=1, threads_per_worker=1) as one:
        train(model, cluster=one.scheduler_address)
    assert os.listdir(tmp_path) and not (tmp_path / "MainThread").exists()


def test_the_threads_of_a_worker_do_not_share_random_numbers():
    def model():
        time.sleep(0.002)  # the other threads' turn
        return LogicNet().double()

    with cluster(n_workers=1, threads_per_worker=4) as threads:
        np.testing.assert_array_equal(train(model, cluster=threads.scheduler_address), train())


def test_what_fails_on_a_worker_fails_here():
    def model():
        if torch.initial_seed() == 5:
            raise RuntimeError("no such layer")
        return LogicNet().double()

    with (
        cluster(n_workers=1, threads_per_worker=1) as one,
        pytest.raises(RuntimeError, match="no such layer"),
    ):
        train(model, cluster=one.scheduler_address)


class Unknown:
    """A model of a module that the workers do not have."""

    def __call__(self):
        return LogicNet().double()

    def __reduce__(self):
        return __import__, ("a_module_of_mine",)


def test_a_model_that_the_workers_cannot_load_fails_here():
    with (
        cluster(n_workers=1, threads_per_worker=1) as one,
        pytest.raises(RuntimeError, match="deserialization"),
    ):
        train(Unknown(), cluster=one.scheduler_address)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "127.0.0.1", "", "smtp://127.0.0.1:25"])
def test_a_cluster_that_is_not_there(address):
    started = time.monotonic()
    with pytest.raises(ValueError, match=f"cluster must be the address of a Dask scheduler, got '{address}'"):
        train(cluster=address)
    assert time.monotonic() - started < 8


def test_a_cluster_without_workers(monkeypatch):
    monkeypatch.setattr("lrcourse.sweep.cluster.WAIT", 0.2)
    with (
        cluster(n_workers=0) as empty,
        pytest.raises(ValueError, match="cluster must be a cluster with workers, got .*start some with `dask worker"),
    ):
        train(cluster=empty.scheduler_address)
