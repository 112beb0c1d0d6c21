"""One cycle: it is the package's and PyTorch's, the article's variant has its shape, the chapter's measures hold."""

from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch

from lrcourse import Constant, Cosine, Exponential, Linear, OneCycle, records
from lrcourse.course import notebooks
from lrcourse.course.experiments import superconvergence
from lrcourse.intervals import paired_difference

CHAPTER = Path(__file__).parents[1] / "book" / "one-cycle.ipynb"
CELLS = {cell.id: cell.source for cell in nbformat.read(CHAPTER, 4).cells}
PER_EPOCH = 25


def from_chapter(cell, name, **names):
    """A function as the chapter prints it: the part of its cell from `def` to the next two blank lines."""
    source = CELLS[cell][CELLS[cell].index(f"def {name}(") :].split("\n\n\n")[0]
    namespace = {"np": np, "torch": torch, "F": torch.nn.functional, **names}
    exec(source, namespace)
    return namespace[name]


@pytest.fixture(scope="module")
def article():
    """The article's rates and momenta, built by the lines of the figure's cell."""
    source = CELLS["picture-figure"].split("shapes = ")[0]
    namespace = {"Linear": Linear, "Cosine": Cosine, "Exponential": Exponential, "Constant": Constant}
    exec(source, namespace | {"per_epoch": PER_EPOCH}, namespace)
    return namespace["article"], namespace["article_momentum"]


def torch_one_cycle(steps, calls, **options):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=steps, **options)
    used = []
    for _ in range(calls):
        group = optimizer.param_groups[0]
        used.append((group["lr"], group["momentum"]))
        optimizer.step()
        scheduler.step()
    return np.array(used), optimizer, scheduler


@pytest.mark.parametrize("steps, p", [(75, 0.3), (200, 0.3), (200, 0.5), (1000, 0.1)])
def test_the_chapters_cycle_is_that_of_the_package_and_of_pytorch(steps, p):
    one_cycle = from_chapter("from-scratch", "one_cycle")
    ours = np.array([one_cycle(t, steps, 0.1, 0.004, 4e-7, p) for t in range(steps)])
    cycle = OneCycle(0.1, steps, p)
    np.testing.assert_allclose(cycle.table(steps), ours, rtol=1e-9)
    used, *_ = torch_one_cycle(steps, steps, pct_start=p)
    np.testing.assert_allclose(used[:, 0], ours, rtol=1e-9)
    np.testing.assert_allclose(used[:, 1], cycle.momentum().table(steps), rtol=1e-9)


def test_pytorch_rebounds_one_step_past_the_end_and_raises_at_the_next():
    used, optimizer, scheduler = torch_one_cycle(200, 200)
    assert optimizer.param_groups[0]["lr"] > 1.5 * used[-1, 0]
    with pytest.raises(ValueError, match="step"):
        scheduler.step()
    assert OneCycle(0.1, 200)(200) == OneCycle(0.1, 200)(199)


def test_the_articles_variant_goes_up_18_epochs_down_18_and_out_in_4(article):
    rates, momenta = article
    assert rates(0) == pytest.approx(0.01) and rates(18 * PER_EPOCH) == pytest.approx(0.1)
    assert rates(36 * PER_EPOCH) == pytest.approx(0.01) and rates(40 * PER_EPOCH) == pytest.approx(1e-4)
    table = rates.table(40 * PER_EPOCH)
    rise, fall, out = np.split(table, [18 * PER_EPOCH, 36 * PER_EPOCH])
    np.testing.assert_allclose(np.diff(rise), 0.09 / (18 * PER_EPOCH))  # a straight line
    halfway = fall[9 * PER_EPOCH]
    assert halfway == pytest.approx(0.055) and np.all(np.diff(fall) < 0)  # a cosine
    np.testing.assert_allclose(out[1:] / out[:-1], out[1] / out[0])  # exponential
    assert table.argmax() == momenta.table(40 * PER_EPOCH).argmin() == 18 * PER_EPOCH
    assert (momenta(0), momenta(36 * PER_EPOCH)) == pytest.approx((0.95, 0.95))
    assert momenta(18 * PER_EPOCH) == pytest.approx(0.85)


def test_one_rate_per_epoch_is_a_staircase_that_meets_the_curve_at_each_epochs_first_step(article):
    from lrcourse import Lambda

    by_epoch = from_chapter("variant-runs", "by_epoch", Lambda=Lambda, per_epoch=PER_EPOCH)
    curve, stairs = (each.table(40 * PER_EPOCH) for each in (article[0], by_epoch(article[0])))
    np.testing.assert_array_equal(stairs[::PER_EPOCH], curve[::PER_EPOCH])
    assert all(len(set(stair)) == 1 for stair in stairs.reshape(40, PER_EPOCH))


def test_the_test_loss_at_a_training_loss_is_read_between_two_epochs():
    at_level = from_chapter("regular-runs", "at_level")
    each = {"train": np.array([[2.0], [1.0], [0.5]]), "test": np.array([[3.0], [2.0], [2.4]])}
    assert at_level(each, 1.0) == pytest.approx([2.0])
    assert at_level(each, 0.75) == pytest.approx([2.2])


@pytest.mark.parametrize("norm", [True, False])
def test_networks_side_by_side_score_as_torchs_layers_do(norm):
    network, scores = from_chapter("data", "network"), from_chapter("trainer", "scores")
    models = [network(seed, norm) for seed in range(2)]
    weights = [torch.stack(same) for same in zip(*(model.parameters() for model in models))]
    x = torch.randn(30, 144, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    alone = torch.stack([model(x) for model in models])
    torch.testing.assert_close(scores(weights, x, x), alone)
    torch.testing.assert_close(scores(weights, x[:5], x), alone[:, :5])


def test_the_words_about_the_full_size_fit_its_record():
    full = records.read("superconvergence", "full")
    accuracies = {name: 100 * np.array(full.values(name, "test_accuracy")) for name in superconvergence.ARMS}
    quick = accuracies["one-cycle 0.1, batch norm, few"]
    constants = [accuracies[f"constant {rate:g}, batch norm, many"] for rate in superconvergence.RATES]
    difference = paired_difference(quick, max(constants, key=np.mean))
    assert not difference.excludes_zero and difference.low > -0.5, "can hardly be told from the longer run's"
    chance = {name: int((each < 15).sum()) for name, each in accuracies.items()}
    assert chance["one-cycle 0.1, no norm, few"] > 0 == chance["constant 0.01, no norm, many"]
    assert chance["constant 0.03, no norm, many"] == 0
    cycles, cosines = (
        sum(chance[f"{kind} 0.3, batch norm, {length}"] for length in ("few", "half"))
        for kind in ("one-cycle", "cosine")
    )
    assert cycles < cosines
    up, down = (accuracies[f"{kind} 0.3, batch norm, few"] for kind in ("one-cycle", "cosine"))
    assert not paired_difference(up, down).excludes_zero, "too few runs to say that the rise did it"


def test_the_words_about_the_small_record_fit_it():
    shown = {name.removeprefix("onecycle-conv-"): text for name, text in notebooks.glued(CHAPTER).items()}
    ends = {name: notebooks.numbers(text)[1:] for name, text in shown.items() if "[" in text}
    for name in ("batch-few", "no-few", "batch-half"):  # too few; a little behind
        assert ends[name][1] < 0
    for name in ("no-half", "batch-few-cosine", "no-few-cosine", "batch-half-cosine", "no-half-cosine"):
        assert ends[name][0] <= 0 <= ends[name][1]
    assert ends["norm-tall"][0] > 0
