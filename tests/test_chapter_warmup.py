"""Warm-up: the schedules typed again from the papers, one trunk for many lengths, and Adam's first update."""

import copy
import os
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402
from torch.optim import lr_scheduler  # noqa: E402

from lrcourse import WSD, Constant, Cosine, InverseSqrt, Linear, Schedule, warmup  # noqa: E402
from lrcourse.torch import MLP  # noqa: E402

PEAK, WARM, TOTAL = 0.1, 100, 1000
T = np.arange(1200)


def branch(total):
    """The chapter's plan: four fifths warm-up and trunk, one fifth cooldown."""
    return WSD(PEAK, WARM, total * 4 // 5 - WARM, total // 5, shape="1-sqrt")


def transformer(step, width=512, w=4000):
    return width**-0.5 * np.minimum(step**-0.5, step * w**-1.5)


def test_a_warm_up_is_a_line_in_front_of_a_whole_schedule():
    rest = Cosine(PEAK, 0.0, TOTAL - WARM)
    plan = warmup(rest, WARM, start=0.01)
    rising = 0.01 + (PEAK - 0.01) * T[:WARM] / WARM
    np.testing.assert_allclose(plan(T[:WARM]), rising, rtol=1e-12)
    np.testing.assert_array_equal(plan(T[WARM:]), rest(T[WARM:] - WARM))


def test_the_decay_behind_a_warm_up_must_be_shortened_to_end_with_the_run():
    assert warmup(Cosine(PEAK, 0.0, TOTAL - WARM), WARM)(TOTAL) == 0
    assert warmup(Cosine(PEAK, 0.0, TOTAL), WARM)(TOTAL) > 0.02 * PEAK


def test_the_cooldown_falls_as_one_minus_the_root():
    plan, done = branch(TOTAL), np.linspace(0, 1, 201)
    np.testing.assert_allclose(plan(800 + 200 * done), PEAK * (1 - np.sqrt(done)), atol=1e-15)
    assert np.all(plan(T[WARM:801]) == PEAK)


def test_the_transformers_formula_is_a_warm_up_and_an_inverse_root_one_step_on():
    ours = warmup(InverseSqrt((512 * 4000) ** -0.5, 4000), 4000)
    steps = np.arange(1, 20_001)
    np.testing.assert_allclose(transformer(steps.astype(float)), ours(steps), rtol=1e-12)
    assert transformer(steps.astype(float)).argmax() == 3999


@pytest.mark.parametrize("total", [200, 500, 900])
def test_branches_share_their_trunk_and_cosines_do_not(total):
    trunk = branch(TOTAL).table(TOTAL)
    np.testing.assert_array_equal(branch(total).table(total)[: total * 4 // 5], trunk[: total * 4 // 5])
    cosines = [warmup(Cosine(PEAK, 0.0, n - WARM), WARM).table(total) for n in (total, TOTAL)]
    assert np.all(cosines[0][WARM + 1 :] < cosines[1][WARM + 1 :])


def updates(model: MLP, optimizer: torch.optim.Optimizer, plan: Schedule, first: int, last: int):
    for t in range(first, last):
        rng = torch.Generator().manual_seed(t)
        x = torch.randn(8, 4, generator=rng, dtype=torch.float64)
        optimizer.zero_grad()
        (model(x) - x.sum(1, keepdim=True)).square().mean().backward()
        optimizer.param_groups[0]["lr"] = plan(t)
        optimizer.step()


def fresh() -> tuple[Any, Any]:
    torch.manual_seed(0)
    model = MLP([4, 8, 1]).double()
    return model, torch.optim.Adam(model.parameters(), lr=1.0)


def test_a_branch_from_a_checkpoint_is_the_run_of_that_length():
    plan, stable = WSD(0.01, 5, 35, 10, shape="1-sqrt"), warmup(Constant(0.01), 5)
    whole, trunk, branched = fresh(), fresh(), fresh()
    updates(*whole, plan, 0, 50)

    updates(*trunk, stable, 0, 40)
    saved = copy.deepcopy([part.state_dict() for part in trunk])
    updates(*trunk, stable, 40, 60)  # the trunk goes on: the checkpoint must not

    for kept, state in zip(branched, saved, strict=True):
        kept.load_state_dict(state)
    updates(*branched, plan, 40, 50)
    for ours, theirs in zip(branched[0].parameters(), whole[0].parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


def test_a_checkpoint_of_references_moves_on_with_the_trunk():
    trunk = fresh()
    saved = trunk[0].state_dict()
    before = {name: value.clone() for name, value in saved.items()}
    updates(*trunk, Constant(0.01), 0, 1)
    assert not torch.equal(saved["0.weight"], before["0.weight"])


def test_three_lengths_cost_less_by_branching():
    lengths = (150, 300, 600)
    by_branching = max(lengths) * 4 // 5 + sum(length // 5 for length in lengths)
    assert (by_branching, sum(lengths)) == (690, 1050)


@pytest.mark.parametrize("gradient", [1e-4, -5.0])
def test_adams_first_update_is_the_rate_whatever_the_gradient(gradient):
    theta = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = torch.optim.Adam([theta], lr=0.01)
    theta.grad = torch.full_like(theta, gradient)
    optimizer.step()
    assert theta.item() == pytest.approx(-0.01 * np.sign(gradient), rel=1e-3)


def test_adams_updates_shrink_when_gradients_disagree():
    theta = torch.nn.Parameter(torch.zeros(500, dtype=torch.float64))
    optimizer = torch.optim.Adam([theta], lr=1.0)
    rng, sizes = torch.Generator().manual_seed(0), []
    for _ in range(100):
        before = theta.detach().clone()
        theta.grad = torch.randn(500, generator=rng, dtype=torch.float64)
        optimizer.step()
        sizes.append((theta.detach() - before).square().mean().sqrt().item())
    assert sizes[0] == pytest.approx(1, rel=1e-6)
    assert np.mean(sizes[50:]) == pytest.approx(np.sqrt(0.1 / 1.9), rel=0.1)  # the noise that (1 - beta1) leaves


def test_without_bias_correction_the_first_updates_are_larger_still():
    k = np.array([1, 10, 100])
    factor = (1 - 0.9**k) / np.sqrt(1 - 0.999**k)
    assert factor[0] == pytest.approx(0.1 / np.sqrt(0.001))
    assert np.all(factor > 3)


def test_chained_torch_schedulers_are_not_the_product_of_their_curves():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    parts = [
        lr_scheduler.LinearLR(optimizer, 0.1, total_iters=10),
        lr_scheduler.CosineAnnealingLR(optimizer, 50, eta_min=0.2),
    ]
    for _ in range(20):
        optimizer.step()
        for part in parts:
            part.step()
    product = Linear(0.1, 1.0, 10) * Cosine(1.0, 0.2, 50)
    assert abs(optimizer.param_groups[0]["lr"] - product(20)) > 1e-3


def test_keras_counts_the_decay_from_the_end_of_the_warm_up():
    theirs = keras.optimizers.schedules.CosineDecay(
        0.0, warmup_target=PEAK, warmup_steps=WARM, decay_steps=TOTAL - WARM
    )
    ours = warmup(Cosine(PEAK, 0.0, TOTAL - WARM), WARM)
    for t in (0, 50, 100, 550, 999, 1000):
        assert float(theirs(t)) == pytest.approx(ours(t), abs=1e-7)
