"""Stability: the chapter's own code is right, and what it answers is held to smaller versions with other seeds."""

import nbformat
import numpy as np
import pytest
import torch

from lrcourse import Constant, warmup
from lrcourse.data import Dataset
from lrcourse.sweep import sweep
from lrcourse.torch import MLP, sharpness
from lrcourse.torch.rules import Adam

CHAPTER = "book/stability.ipynb"


@pytest.fixture(scope="module")
def cells(request):
    return {cell.id: cell.source for cell in nbformat.read(request.config.rootpath / CHAPTER, 4).cells}


@pytest.fixture(scope="module")
def chapter(cells):
    """The functions that the chapter defines: its own code, not a copy of it."""
    names: dict = {"torch": torch, "np": np, "Dataset": Dataset, "MLP": MLP, "sharpness": sharpness, "said": print}
    exec(cells["idea-figure"].split("def sharp(")[0], names)
    exec(cells["scratch-code"], names)
    exec(cells["cure-push"].split("rows =")[0], names)
    return names


@pytest.mark.parametrize("beta2", [0.9, 0.95, 0.999])
def test_a_huge_gradient_pushes_by_the_formula(chapter, beta2):
    formula = (1 - 0.9) / (1 - beta2) ** 0.5 / (1 - 0.9 / beta2**0.5)
    assert chapter["push"](beta2, 1e7) == pytest.approx(formula, rel=1e-3)
    assert chapter["push"](beta2, 1.0) == pytest.approx(1, rel=1e-6)


def test_adam_of_pytorch_is_pushed_as_far(chapter):
    weight = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = torch.optim.Adam([weight], lr=1.0, betas=(0.9, 0.95))
    for t in range(2000):  # so long that no correction of the start is left
        weight.grad = torch.tensor([(-1.0) ** t], dtype=torch.float64)
        optimizer.step()
    start = weight.item()
    weight.grad = torch.tensor([1e6], dtype=torch.float64)
    optimizer.step()
    for t in range(300):
        weight.grad = torch.tensor([(-1.0) ** t], dtype=torch.float64)
        optimizer.step()
    assert start - weight.item() == pytest.approx(chapter["push"](0.95, 1e6), abs=0.5)


def test_power_iteration_finds_the_sharpness_of_other_weights(chapter):
    torch.manual_seed(3)
    model, data = chapter["network"](), chapter["points"](3)
    x, y = torch.as_tensor(data.x_train), torch.as_tensor(data.y_train)
    ours = chapter["sharpest"](model, lambda model: ((model(x) - y) ** 2).mean())
    assert ours == pytest.approx(sharpness(model, data, "mse"), rel=0.01)


def test_a_long_warm_up_saves_runs_that_start_below_the_limit_and_die(chapter):
    network, points = chapter["network"], chapter["points"]
    plans = {"none": Constant(0.17), "long": warmup(Constant(0.17), 250)}
    lost = {}
    for name, plan in plans.items():
        settings = [{"schedule": plan, "seed": seed} for seed in range(40, 46)]
        run = sweep(network, points, settings=settings, steps=300, loss="mse", engine="stacked", progress=False)
        lost[name] = int((~(run.train_loss < 2)).sum())
    torch.manual_seed(40)
    assert 2 / sharpness(network(), points(40), "mse") > 0.17
    assert lost["none"] >= 4 and lost["long"] <= 2


def test_clipping_helps_against_faulty_examples_with_each_rate(cells):
    names: dict = {"np": np, "Dataset": Dataset}
    exec(cells["idea-figure"].split("def points(")[0], names)
    exec(cells["near-limits"].split("def wide(")[0], names)
    stream = names["stream"]
    losses = {}
    for clip in (None, 1.0):
        settings = [{"lr": lr, "seed": seed} for lr in (0.002, 0.004, 0.008) for seed in range(60, 64)]
        run = sweep(
            lambda: MLP([4, 32, 32, 1]).double(), lambda seed: stream(seed, glitch=0.002), settings=settings,
            steps=300, loss="mse", batch_size=16, optimizer=Adam(), clip=clip, engine="vmap", progress=False,
        )  # fmt: skip
        losses[clip] = run.test_loss.reshape(3, 4).mean(1)
    assert losses[1.0].min() < losses[None].min() - 0.1
