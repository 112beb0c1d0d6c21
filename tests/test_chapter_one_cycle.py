"""One cycle: it is the package's and PyTorch's, the article's variant has its shape, the prose fits its verdicts."""

from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch

from lrcourse import Constant, Cosine, Exponential, Lambda, Linear, OneCycle, records
from lrcourse.course import notebooks
from lrcourse.course.experiments import superconvergence

CHAPTER = Path(__file__).parents[1] / "book" / "one-cycle.ipynb"
CELLS = {cell.id: cell.source for cell in nbformat.read(CHAPTER, 4).cells}
PER_EPOCH = 25


def from_chapter(cell, name, **names):
    """A function as the chapter prints it: the part of its cell from `def` to the next two blank lines."""
    source = CELLS[cell][CELLS[cell].index(f"def {name}(") :].split("\n\n\n")[0]
    namespace = {"np": np, "torch": torch, **names}
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


def test_the_study_trains_the_shape_of_the_articles_variant(article):
    variant = from_chapter("variant-shapes", "variant", Linear=Linear, Cosine=Cosine, Exponential=Exponential)
    steps = 40 * PER_EPOCH
    np.testing.assert_allclose(variant(0.1, steps).table(steps), article[0].table(steps), rtol=1e-9)


def test_one_rate_per_epoch_is_a_staircase_that_meets_the_curve_at_each_epochs_first_step(article):
    by_epoch = from_chapter("variant-stairs", "by_epoch", Lambda=Lambda, per_epoch=PER_EPOCH)
    curve, stairs = (each.table(40 * PER_EPOCH) for each in (article[0], by_epoch(article[0])))
    np.testing.assert_array_equal(stairs[::PER_EPOCH], curve[::PER_EPOCH])
    assert all(len(set(stair)) == 1 for stair in stairs.reshape(40, PER_EPOCH))


def test_the_test_loss_at_a_training_loss_is_read_between_two_epochs():
    at_one = from_chapter("equal", "at_one")
    train, test = np.array([2.0, 1.2, 0.8]), np.array([3.0, 2.0, 2.4])
    assert at_one(train, test) == pytest.approx(2.2)
    assert np.isnan(at_one(train + 1, test))


def test_the_prose_fits_the_verdicts_that_its_sentences_are_built_around():
    shown = {name.removeprefix("onecycle-"): text for name, text in notebooks.glued(CHAPTER).items()}
    assert shown["twelve-half-the-updates-constant"] == "level"  # "it needs about half the updates"
    assert shown["six-one-cycle-constant"] == shown["twelve-one-cycle-constant"] == "ahead"
    assert shown["norm-one-cycle-cosine"] == "ahead" and shown["six-one-cycle-cosine"] == "level"
    for study in ("norm", "six", "twelve"):  # "the two differ by less than the margin"
        _, *ends = notebooks.numbers(shown[f"{study}-one-cycle-long-rise-difference"])
        assert max(map(abs, ends)) < float(shown[f"{study}-margin"])
    assert shown["edge-cycled-same-peak"] == "ahead" and shown["edge-cycled-same-effective-peak"] == "behind"
    assert shown["tuned-cycled-fixed"] == "level"
    assert {shown[f"shape-by-iteration-{other}"] for other in ("by-epoch", "without-its-end", "two-phases")} == {
        "level"
    }
    assert shown["equal-middle-small"] == "ahead" and shown["equal-large-middle"] == "behind"
    assert shown["small-short-cycle-long-constant"] == "behind"


def test_at_the_size_of_cifar_everything_ties_with_batch_norm_and_much_fails_without():
    full = records.read("superconvergence", "full")

    def accuracies(kind, norm, length):
        return np.array(full.values(str(superconvergence.Arm(kind, 0.1, norm, length)), "test_accuracy"))

    kinds = [("one-cycle", "few"), ("cosine", "few"), ("constant", "many")]
    assert min(accuracies(kind, "batch norm", length).min() for kind, length in kinds) > 0.99
    for kind, length in (("one-cycle", "few"), ("constant", "many")):
        assert (accuracies(kind, "no norm", length) < 0.15).sum() >= 2
