"""Warm restarts: they are those of the package, PyTorch and Keras; the measures of ridges and ensembles hold."""

from pathlib import Path

import keras
import nbformat
import numpy as np
import pytest
import torch

from lrcourse import SGDR

CHAPTER = Path(__file__).parents[1] / "book" / "warm-restarts.ipynb"
CELLS = {cell.id: cell.source for cell in nbformat.read(CHAPTER, 4).cells}


def from_chapter(cell, name, **names):
    """A function as the chapter prints it: the part of its cell from `def` to the next blank line at the margin."""
    source = CELLS[cell][CELLS[cell].index(f"def {name}(") :].split("\n\n\n")[0]
    namespace = {"np": np, **names}
    exec(source, namespace)
    return namespace[name]


def torch_rates(peak, end, first, t_mult, steps):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=peak)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, first, t_mult, eta_min=end)
    used = []
    for _ in range(steps):
        used.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return np.array(used)


@pytest.mark.parametrize("t_mult", [1, 2, 3])
def test_the_loop_of_the_chapter_is_sgdr_in_the_package_in_pytorch_and_in_keras(t_mult):
    sgdr = from_chapter("from-scratch", "sgdr")
    ours = np.array([sgdr(t, 0.5, 0.05, 10, t_mult) for t in range(200)])
    np.testing.assert_allclose(SGDR(0.5, 0.05, 10, t_mult=t_mult).table(200), ours, rtol=1e-12)
    np.testing.assert_allclose(torch_rates(0.5, 0.05, 10, t_mult, 200), ours, rtol=1e-9)
    theirs = keras.optimizers.schedules.CosineDecayRestarts(0.5, 10, t_mul=float(t_mult), alpha=0.1)
    within = [t for t in range(200) if not np.isclose(ours[t], 0.5)]  # float32 may miss a restart by one step
    np.testing.assert_allclose([float(theirs(t)) for t in within], ours[within], atol=2e-5)


@pytest.mark.parametrize("t_mult, ends", [(1, [10, 20, 30, 40]), (2, [10, 30, 70, 150]), (3, [10, 40, 130])])
def test_cycles_end_where_the_text_says(t_mult, ends):
    rates = SGDR(0.5, 0.0, 10, t_mult=t_mult).table(ends[-1] + 1)
    restarts = np.flatnonzero(np.diff(rates) > 0) + 1
    np.testing.assert_array_equal(restarts, ends)
    np.testing.assert_allclose(rates[restarts], 0.5)


def test_a_cycle_of_ten_rates_stops_at_two_percent_of_its_peak():
    assert SGDR(1.0, 0.0, 10)(9) == pytest.approx((1 + np.cos(0.9 * np.pi)) / 2)
    assert 0.02 < SGDR(1.0, 0.0, 10)(9) < 0.03


def test_a_ridge_is_what_rises_above_the_straight_line_between_the_ends_losses():
    ridge = from_chapter("escape-runs", "ridge")
    across = np.linspace(0, 1, 11)
    slope = 3 - 2 * across
    bump = slope + 0.5 * np.sin(np.pi * across)
    np.testing.assert_allclose(ridge(np.array([slope, bump, slope - 0.3 * np.sin(np.pi * across)])), [0, 0.5, 0])
    assert ridge(np.array([[1.0, 4.0, 2.0]])) == pytest.approx([2.5])  # however few points a path has


def test_a_bent_path_starts_and_ends_where_the_straight_one_does_and_is_straight_about_the_middle():
    bent = from_chapter("escape-runs", "bent")
    first, second = [torch.tensor([0.0, 1.0])], [torch.tensor([2.0, 5.0])]
    middle = [torch.tensor([1.0, 3.0])]
    for t in (0.0, 0.3, 1.0):
        torch.testing.assert_close(bent(first, middle, second, t)[0], first[0] + t * (second[0] - first[0]))
    aside = bent(first, [torch.tensor([9.0, 9.0])], second, 0.5)[0]
    torch.testing.assert_close(aside, torch.tensor([5.0, 6.0]))  # halfway from the middle of the line to the third


def test_the_mean_of_members_has_at_most_their_mean_loss_and_outvotes_single_mistakes():
    names = {"labels": lambda seeds: np.zeros((1, 3), int)}
    loss, accuracy = (from_chapter("members", name, **names) for name in ("loss", "accuracy"))
    sure, wrong = [0.9, 0.1], [0.2, 0.8]
    members = np.array([[[wrong if i == miss else sure for i in range(3)]] for miss in range(3)])
    assert accuracy(members, [0])[:, 0] == pytest.approx([2 / 3] * 3)
    assert accuracy(members.mean(0), [0]) == [1]
    assert loss(members.mean(0), [0])[0] < np.mean([loss(each, [0])[0] for each in members])
    assert loss(members[0], [0])[0] == pytest.approx(-np.log([0.2, 0.9, 0.9]).mean())
