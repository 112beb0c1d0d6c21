"""Tuning at scale: the stack of networks, the count of boxes, the widths and the halving, the verdicts of the text."""

import base64
import re
import zlib
from dataclasses import replace
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch

from lrcourse import records
from lrcourse.course import notebooks
from lrcourse.course.cli import main
from lrcourse.course.experiments.trainability import DIVERGED
from lrcourse.data import moons
from lrcourse.sweep import config, watch
from lrcourse.torch import LogicNet, train

CHAPTER = Path(__file__).parents[1] / "book" / "scale.ipynb"
MOONS = moons(10, noise=0.2, seed=0)
TARGETS = np.eye(2)[MOONS.y_train]
TEN = replace(MOONS, y_train=TARGETS, x_test=MOONS.x_train, y_test=TARGETS)
X, Y = torch.tensor(MOONS.x_train), torch.tensor(TARGETS)


@pytest.fixture(scope="module")
def cells():
    return {cell.id: cell for cell in nbformat.read(CHAPTER, 4).cells}


@pytest.fixture(scope="module")
def chapter(cells):
    """The functions of the chapter, without the experiments around them."""
    names = {"np": np, "torch": torch, "nn": torch.nn, "BASE": 16, "RUNGS": [20, 60, 180]}
    for cell in ("scratch-code", "dimension-run", "width-model", "width-layer", "budget-functions", "budget-cost"):
        source = cells[cell].source
        for found in re.findall(r"^(?:def|class) .*?(?=^\S|\Z)", source, re.MULTILINE | re.DOTALL):
            exec(found, names)
    return names


@pytest.fixture(scope="module")
def glued():
    """The numbers that the executed notebook puts into the text: a mean and the ends of its interval."""
    return {name: notebooks.numbers(text) for name, text in notebooks.glued(CHAPTER).items()}


def network(seed=0):
    torch.manual_seed(seed)
    return LogicNet().double()


def test_a_stacked_member_trains_as_it_would_alone(chapter):
    rates = [0.05, 0.3, 1e6]
    stacked = chapter["train_stack"]([network() for _ in rates], rates, X, Y, steps=40)
    for lr, last in zip(rates[:2], stacked, strict=False):
        model = network()
        optimizer = torch.optim.SGD(model.parameters(), lr=lr)
        alone = train(model, optimizer, TEN, steps=40, loss="mse")
        np.testing.assert_allclose(last, alone.losses[-1], rtol=1e-10)


def test_the_mean_over_members_would_divide_every_rate():
    weight = torch.ones(4, requires_grad=True)
    (summed,) = torch.autograd.grad((weight**2).sum(), weight)
    (averaged,) = torch.autograd.grad((weight**2).mean(), weight)
    torch.testing.assert_close(summed, 4 * averaged)


def pixels(n=128):
    return np.meshgrid(np.linspace(-1, 1, n), np.linspace(-1, 1, n))


def test_smooth_borders_have_dimension_one_and_dust_has_two(chapter):
    x, y = pixels()
    borders = {"line": y < 0.3 * x, "disk": x**2 + y**2 < 0.5}
    for border in borders.values():
        *_, dimension = chapter["dimension"](border)
        assert dimension == pytest.approx(1, abs=0.1)
    *_, dimension = chapter["dimension"](np.random.default_rng(0).random((128, 128)) < 0.5)
    assert dimension == pytest.approx(2, abs=0.05)


def test_the_share_counts_the_pixels_beside_another_fate(chapter):
    half = np.zeros((5, 5), bool)
    half[:, :2] = True  # one column of the four that have a right neighbor
    assert chapter["boundary_share"](half) == 1 / 4
    assert chapter["boundary_share"](half.T) == 1 / 4
    assert chapter["boundary_share"](np.ones((5, 5), bool)) == 0


def test_both_parametrizations_are_one_network_at_the_base_width(chapter):
    parametrization = chapter["parametrization"]
    assert parametrization(16, True) == parametrization(16, False)
    (_, first, one), (_, _, hidden), (_, last, output) = parametrization(256, True)
    assert (one, hidden, output) == (1.0, 1 / 16, 1 / 16)
    assert first == parametrization(16, False)[0][1]
    assert last**2 == pytest.approx(16 / 256**2)
    assert [factor for *_, factor in parametrization(256, False)] == [1.0, 1.0, 1.0]


def test_a_factor_in_the_layer_is_a_factor_of_its_rate(chapter):
    """With Adam, up to its epsilon: the same first outputs, and the same updates as with a rate per layer."""
    x, y = torch.randn(20, 64, dtype=torch.float64), torch.arange(20) % 10
    torch.manual_seed(0)
    model = chapter["network"](64, True)
    layers = [each for each in model if isinstance(each, torch.nn.Linear)]
    plain = torch.nn.Sequential(*(torch.nn.Linear(each.in_features, each.out_features, bias=False)
                                  if each in layers else each for each in model)).double()  # fmt: skip
    twins = [each for each in plain if isinstance(each, torch.nn.Linear)]
    factors = [float(vars(layer)["factor"]) for layer in layers]
    for twin, layer, factor in zip(twins, layers, factors, strict=True):
        twin.weight.data = factor * layer.weight.data
    groups = [{"params": [twin.weight], "lr": 0.01 * factor} for twin, factor in zip(twins, factors, strict=True)]
    for network, optimizer in ((model, torch.optim.Adam(model.parameters(), lr=0.01, eps=1e-30)),
                               (plain, torch.optim.Adam(groups, eps=1e-30))):  # fmt: skip
        for _ in range(5):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(x), y).backward()
            optimizer.step()
    torch.testing.assert_close(model(x), plain(x))


def test_halving_keeps_the_leaders_and_drops_a_slow_starter(chapter):
    halve = chapter["halve"]
    steady = np.arange(27.0)
    assert halve([steady, steady, steady]) == 0
    late = steady.copy()
    late[26] = -1.0
    assert halve([steady, steady, late]) == 0  # 26 would have won
    assert halve([steady, steady, -steady]) == 2  # of the three that are left
    broken = steady.copy()
    broken[:9] = np.inf
    assert halve([broken, broken, broken]) == 9


def test_the_prices_of_halving(chapter):
    assert chapter["cost"](27) == 27 * 20 + 9 * 40 + 3 * 120 == 7 * 180
    assert chapter["cost"](81, [10, 30, 90, 270, 810]) == 2970


def test_what_is_said_of_the_recorded_times_follows_from_them(glued):
    cost = {name.removeprefix("scale-speed-"): numbers[0] for name, numbers in glued.items() if "-speed-" in name}
    assert cost["tiny-compiled"] < 1 < cost["tiny-vmap"] < cost["tiny-jax"]
    timing = records.read("sweep_speed", "small")
    for name, goal in (("2-3-2", 1), ("digits 64-128-10", 5)):  # of a sweep as anyone would call it
        assert np.median(timing.values(f"{name}, 64 settings, auto", "cost")) <= goal
    assert cost["one-jax"] < cost["one-compiled"] / 2
    for engine in ("vmap", "jax"):  # less between them
        assert 0.75 < cost["digits-compiled"] / cost[f"digits-{engine}"] < 1.33
    assert 0.8 < cost["cnn"] / 64 < 1.25


def recorded_fates(tile):
    """Which pixels of a recorded tile trained: their last losses lie below the first."""
    codes = np.frombuffer(zlib.decompress(base64.b64decode(tile["codes"])), "<u2").astype(float)
    trained = (codes < DIVERGED) & (10 ** (codes / 1000 - 12) < tile["first loss"])
    return trained.reshape(tile["pixels"], tile["pixels"])


def beside_the_other(trained):
    """The share of pixels whose right or upper neighbor has the other fate, in percent."""
    right, up = np.diff(trained, axis=1)[:-1], np.diff(trained, axis=0)[:, :-1]
    return 100 * (right | up).mean()


def test_three_times_the_pixels_leave_more_of_the_edge_than_a_smooth_one_would_keep(glued):
    runs = records.read("trainability", "full").runs
    tiles = {run["name"]: recorded_fates(run["results"]) for run in runs}
    assert glued["scale-finer-networks"] == [1_152_000] == [sum(tile.size for tile in tiles.values())]
    shares = {name: [beside_the_other(tile[::k, ::k]) for k in (12, 3, 1)] for name, tile in tiles.items()}
    for name in tiles:
        assert glued[f"scale-finer-{name.replace(' ', '-')}-480"] == [round(shares[name][-1])], name
    kept = [fine / coarse for _, coarse, fine in shares.values()]
    raggedness = [2 + np.polyfit(np.log([40, 160, 480]), np.log(each), 1)[0] for each in shares.values()]
    for end, pick in (("low", min), ("high", max)):
        assert glued[f"scale-finer-kept-{end}"] == [round(pick(kept), 2)]
        assert glued[f"scale-finer-dimension-{end}"] == [round(pick(raggedness), 1)]
    assert kept[0] > min(kept) == kept[1] > 1.5 / 3 and max(kept) == kept[-1]  # a smooth edge keeps a third
    assert min(raggedness) > 1.5
    x, y = np.meshgrid(np.linspace(-1, 1, 480), np.linspace(-1, 1, 480))
    disk = x**2 + y**2 < 0.5
    assert beside_the_other(disk) / beside_the_other(disk[::3, ::3]) == pytest.approx(1 / 3, rel=0.05)
    assert glued["scale-finer-kept-straight"] == [0.33] and glued["scale-dimension-bowl"] == [1.0]


def test_the_text_follows_from_the_numbers(glued):
    assert glued["scale-slope-standard"][2] < 0  # the best rate falls with the width
    assert glued["scale-slope-muP"][1] > 0  # in muP it rises
    assert glued["scale-width-muP-carried-muP-searched-difference"][2] < 0.1  # a cost of a tenth is excluded
    assert glued["scale-width-at-the-edge"] == [0]
    assert 0.5 < glued["scale-ranks-early"][0] < 1 and glued["scale-halving-kept"][0] < 50
    assert glued["scale-deep-times"][0] > 100
    assert glued["scale-price-halving"] == [1260]


def test_the_file_in_the_text_is_a_sweep(cells, tmp_path):
    text = cells["overnight"].source
    path = tmp_path / "sweep.toml"
    path.write_text(re.findall(r"```text\n(.*?)```", text, re.DOTALL)[0])
    sweep = config.read(path)
    assert len(sweep["settings"]) == 160 and "the 160 settings" in text and watch.EVERY == 30  # half a minute
    kept = tmp_path / "kept"
    command = re.findall(r"`lrcourse (sweep .*?)`", text)[0].replace("kept", str(kept)).split()
    path.write_text(path.read_text().replace("steps = 200", "steps = 2").replace("range = [5]", "range = [1]"))
    table = tmp_path / "table.csv"
    assert main([each.replace("sweep.toml", str(path)).replace("table.csv", str(table)) for each in command]) == 0
    assert len(table.read_text().splitlines()) == 1 + 32 and list(kept.glob("chunk-*.npz"))
