"""The device of the labs: the GPU if there is one, unless the environment says otherwise."""

import numpy as np
import pytest
import torch

from lrcourse import Linear
from lrcourse.data import moons
from lrcourse.torch import LogicNet, device, train


@pytest.fixture(params=[True, False], ids=["with a GPU", "without"])
def gpu(request, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: request.param)
    monkeypatch.delenv("LRCOURSE_DEVICE", raising=False)
    return request.param


def test_the_gpu_is_taken_if_there_is_one(gpu):
    assert device() == torch.device("cuda" if gpu else "cpu")


def test_the_environment_decides_otherwise(gpu, monkeypatch):
    monkeypatch.setenv("LRCOURSE_DEVICE", "cpu")
    assert device() == torch.device("cpu")


def test_an_unknown_device_is_named_with_the_choices(gpu, monkeypatch):
    monkeypatch.setenv("LRCOURSE_DEVICE", "gpu")
    with pytest.raises(ValueError, match="LRCOURSE_DEVICE must be 'cpu' or 'cuda', got 'gpu'"):
        device()


def test_a_gpu_that_is_not_there_is_no_silent_cpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("LRCOURSE_DEVICE", "cuda")
    with pytest.raises(RuntimeError, match="no GPU.*LRCOURSE_DEVICE=cpu"):
        device()


def test_train_follows_the_model_to_its_device():
    torch.manual_seed(0)
    model = LogicNet().to(device())
    schedule = Linear(0.1, 0.0, 5)
    run = train(model, torch.optim.SGD(model.parameters(), lr=1.0), moons(), steps=5, schedule=schedule, batch_size=8)
    np.testing.assert_array_equal(run.lrs, schedule.table(5))
    assert {weight.device.type for weight in model.parameters()} == {device().type}
