"""The GPT: what it computes, that it cannot see ahead, that many can be trained as one, and what muP promises."""

import copy
import math

import numpy as np
import pytest
import torch
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.nn import functional as F

from lrcourse.torch import GPT


def gpt(seed=0, vocabulary=20, **settings):
    torch.manual_seed(seed)
    return GPT(vocabulary, **settings).double()


def tokens(*shape, vocabulary=20, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).integers(vocabulary, size=shape))


def loss_of(scores, targets):
    return F.cross_entropy(scores.flatten(0, -2), targets.flatten())


def by_hand(weights, x, heads, scale, times_wider, layers):
    """The same network from its weights, one sequence and one head at a time, with PyTorch's own attention."""

    def norm(x, name):
        return F.layer_norm(x, x.shape[-1:], weights[f"{name}.weight"], weights[f"{name}.bias"])

    h = weights["tokens.weight"][x] + weights["positions.weight"][: len(x)]
    for i in range(layers):
        block = f"blocks.{i}"
        q, k, v = (norm(h, f"{block}.norm1") @ weights[f"{block}.attention.{each}.weight"].T
                   for each in ("query", "key", "value"))  # fmt: skip
        size = h.shape[1] // heads
        parts = [slice(size * j, size * (j + 1)) for j in range(heads)]
        mixed = [F.scaled_dot_product_attention(q[None, :, p], k[None, :, p], v[None, :, p], is_causal=True,
                                                scale=scale)[0] for p in parts]  # fmt: skip
        h = h + torch.cat(mixed, 1) @ weights[f"{block}.attention.output.weight"].T
        inner = F.gelu(norm(h, f"{block}.norm2") @ weights[f"{block}.hidden.weight"].T)
        h = h + inner @ weights[f"{block}.output.weight"].T
    return norm(h, "norm") @ weights.get("head.weight", weights["tokens.weight"]).T / times_wider


@pytest.mark.parametrize(
    ("settings", "scale", "times_wider"),
    [
        ({"tied": True}, 1 / math.sqrt(16), 1),
        ({"tied": False, "heads": 4, "layers": 2}, 1 / math.sqrt(8), 1),
        ({"width": 64, "base_width": 32}, math.sqrt(16) / 32, 2),
        ({"width": 64, "base_width": 16, "tied": False}, math.sqrt(8) / 32, 4),
    ],
)
def test_scores_are_those_of_the_formulas(settings, scale, times_wider):
    model, x = gpt(**settings), tokens(3, 9)
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.1 * torch.randn_like(weight)  # so that norms and scores matter
    heads, layers = settings.get("heads", 2), settings.get("layers", 1)
    expected = torch.stack([by_hand(model.state_dict(), row, heads, scale, times_wider, layers) for row in x])
    torch.testing.assert_close(model(x), expected)


def test_no_token_sees_a_later_one_and_every_token_sees_each_before_it():
    model, x = gpt(layers=2), tokens(1, 32)
    derivative = torch.autograd.functional.jacobian(
        lambda at: functional_call(model, {"positions.weight": at}, (x,)).sum((0, 2)), model.positions.weight.detach()
    )
    seen = (derivative != 0).any(2)  # of a token in a row by another in a column
    torch.testing.assert_close(seen, torch.ones(32, 32, dtype=torch.bool).tril())


@pytest.mark.parametrize("tied", [True, False])
def test_many_are_trained_as_one(tied):
    models = [gpt(seed, tied=tied, layers=2) for seed in range(3)]
    structure = copy.deepcopy(models[0]).to("meta")
    weights, buffers = stack_module_state(models)
    x, y = tokens(3, 4, 32), tokens(3, 4, 32, seed=1)

    def objective(weights, buffers, x, y):
        return loss_of(functional_call(structure, (weights, buffers), (x,)), y)

    gradients = vmap(grad(objective))(weights, buffers, x, y)
    for i, model in enumerate(models):
        loss_of(model(x[i]), y[i]).backward()
        for name, weight in model.named_parameters():
            torch.testing.assert_close(gradients[name][i], weight.grad)


def test_at_the_base_width_mup_changes_nothing():
    standard, mup = gpt(tied=False), gpt(tied=False, base_width=32)
    x = tokens(2, 32)
    assert torch.equal(standard(x), mup(x))
    assert [group["lr"] for group in mup.groups(0.1)] == [0.1, 0.1, 0.1]


def test_weights_start_as_stated():
    deviations = {name: weight.std().item() for name, weight in gpt(width=256, layers=2, tied=False).named_parameters()}
    assert deviations["tokens.weight"] == pytest.approx(0.02, rel=0.05)
    assert deviations["head.weight"] == pytest.approx(0.02, rel=0.05)
    assert deviations["blocks.1.attention.query.weight"] == pytest.approx(1 / 16, rel=0.02)
    assert deviations["blocks.1.hidden.weight"] == pytest.approx(1 / 16, rel=0.02)
    assert deviations["blocks.1.attention.output.weight"] == pytest.approx(1 / 32, rel=0.02)
    assert deviations["blocks.1.output.weight"] == pytest.approx(1 / 64, rel=0.02)


@pytest.mark.parametrize("tied", [True, False])
def test_groups_hold_each_weight_once_and_only_matrices_inside_blocks_are_slowed(tied):
    model = gpt(width=128, base_width=32, layers=2, tied=tied)
    inside, outside, norms = model.groups(0.1, weight_decay=0.2)
    held = [id(weight) for group in (inside, outside, norms) for weight in group["params"]]
    assert sorted(held) == sorted(map(id, model.parameters()))
    assert all(min(weight.shape) >= 128 for weight in inside["params"]) and len(inside["params"]) == 12
    assert (inside["lr"], inside["weight_decay"]) == (pytest.approx(0.025), pytest.approx(0.8))
    assert (outside["lr"], outside["weight_decay"]) == (0.1, 0.2)
    assert (norms["lr"], norms["weight_decay"]) == (0.1, 0)


def moved(width, base_width):
    """How far three updates of Adam move the sum of all blocks, and the scores: the mean sizes of their changes."""
    model = gpt(width=width, base_width=base_width)
    x, y = tokens(4, 16), tokens(4, 16, seed=1)
    seen = []
    model.norm.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach()))
    scores = [model(x).detach()]
    optimizer = torch.optim.Adam(model.groups(0.003))
    for _ in range(3):
        optimizer.zero_grad()
        loss_of(model(x), y).backward()
        optimizer.step()
    scores.append(model(x).detach())
    return [(each[-1] - each[0]).abs().mean().item() for each in (seen, scores)]


def test_with_mup_updates_move_the_network_equally_far_at_each_width():
    """The coordinate check of the paper: without muP, the wider network moves further at the same rate."""
    standard, mup = (np.array([moved(width, base) for width in (64, 256)]) for base in (None, 64))
    print(standard, mup)
    (inner, scores), (inner_of_mup, scores_of_mup) = standard[1] / standard[0], mup[1] / mup[0]
    assert inner > 1.5 and scores > 3
    assert 0.7 < inner_of_mup < 1.2 and 0.7 < scores_of_mup < 1.2


BAD = [
    (lambda: GPT(0), "vocabulary"),
    (lambda: GPT(9, context=0), "context"),
    (lambda: GPT(9, width=0), "width"),
    (lambda: GPT(9, layers=0), "layers"),
    (lambda: GPT(9, heads=3), "heads"),
    (lambda: GPT(9, tied=None), "tied"),  # type: ignore[arg-type]
    (lambda: GPT(9, base_width=0), "base_width"),
    (lambda: GPT(9, context=4)(torch.zeros(1, 5, dtype=torch.long)), "tokens"),
    (lambda: GPT(9).groups(-1), "lr"),
    (lambda: GPT(9).groups(0.1, weight_decay=-1), "weight_decay"),
]


@pytest.mark.parametrize(("call", "named"), BAD)
def test_bad_input_is_named(call, named):
    with pytest.raises(ValueError, match=rf"^{named} must be .*: \w+"):
        call()
