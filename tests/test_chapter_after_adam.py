"""After Adam: what is said of schedule-free, Lion, Muon and Prodigy is held to smaller versions of its experiments."""

import nbformat
import numpy as np
import pytest
import torch

from lrcourse import Cosine
from lrcourse.optimizers import Lion, Muon, ScheduleFreeSGD, orthogonalize
from lrcourse.torch import GPT, rules

CHAPTER = "book/after-adam.ipynb"


@pytest.fixture(scope="module")
def chapter(request):
    """The functions that the chapter defines from scratch: its own code, not a copy of it."""
    cells = {cell.id: cell.source for cell in nbformat.read(request.config.rootpath / CHAPTER, 4).cells}
    names: dict = {"torch": torch, "rules": rules}
    for each in ("scratch-orthogonalize", "scratch-free", "scratch-lion", "scratch-muon", "prodigy", "gpt-rule"):
        exec(cells[each], names)
    return names


def follow(rule, start, gradients, lr):
    theta, memory = torch.tensor(start), {}
    for g in gradients:
        theta = rule(theta, torch.tensor(g), memory, lr)
    return theta.numpy()


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (5, 5)])
@pytest.mark.parametrize(
    "name, optimizer",
    [
        ("schedule_free", lambda: ScheduleFreeSGD(0.1)),
        ("lion", lambda: Lion(0.1)),
        ("muon", lambda: Muon(0.1, weight_decay=0.0, convention="keras")),
    ],
)
def test_the_rules_from_scratch_are_the_packages(chapter, name, optimizer, shape):
    rng = np.random.default_rng(0)
    start, gradients, ours = rng.normal(size=shape), rng.normal(size=(20, *shape)), optimizer()
    theta = start
    for g in gradients:
        theta = ours.step(theta, g)
    np.testing.assert_allclose(follow(chapter[name], start, gradients, 0.1), theta, atol=1e-10)


def test_a_stack_of_matrices_is_each_of_them(chapter):
    stack = np.random.default_rng(0).normal(size=(3, 2, 7, 4))
    together = chapter["orthogonalize"](torch.tensor(stack)).numpy()
    for index in np.ndindex(3, 2):
        np.testing.assert_allclose(together[index], orthogonalize(stack[index]), atol=1e-12)


def test_muon_is_torchs_up_to_the_digits_of_bfloat16(chapter):
    rng = np.random.default_rng(0)
    start, gradients = rng.normal(size=(8, 5)), rng.normal(size=(20, 8, 5))
    weight = torch.nn.Parameter(torch.tensor(start))
    theirs = torch.optim.Muon([weight], lr=0.1, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
    for g in gradients:
        weight.grad = torch.tensor(g)
        theirs.step()
    ours = follow(chapter["muon"], start, gradients, 0.1)
    gap, way = np.linalg.norm(ours - weight.detach().numpy()), np.linalg.norm(ours - start)
    assert 0 < gap < 0.02 * way


def test_newton_schulz_leaves_behind_what_is_a_thousand_times_weaker():
    values = np.linalg.svd(orthogonalize(np.diag([1.0, 0.1, 0.001])), compute_uv=False)
    assert np.all((values[:2] > 0.6) & (values[:2] < 1.3))
    assert values[2] < 0.5


def last_loss(point, rate, steps):
    """Mean loss of 500 noisy descents in the bowl, at schedule-free's `average` or at the last `z`."""
    rng, y = np.random.default_rng(0), np.full(500, 10.0)
    optimizer = ScheduleFreeSGD(rate, beta=0.9 if point == "average" else 0.0)
    for _ in range(steps):
        y = optimizer.step(y, y + rng.normal(size=500))
    result = optimizer.average(y) if point == "average" else optimizer.state["params"].z
    return np.mean(result**2) / 2


def test_the_average_goes_on_after_the_cosine_has_stopped():
    cosine_200, cosine_400 = (last_loss("z", Cosine(0.5, 0.0, 200), steps) for steps in (200, 400))
    assert cosine_400 == pytest.approx(cosine_200)
    averages = [last_loss("average", 0.5, steps) for steps in (100, 200, 400)]
    assert averages[0] > 1.5 * averages[1] > 2 * averages[2]
    assert averages[2] < last_loss("z", 0.5, 400) / 10


def prodigy_path(rule, distance, steps=300):
    c = torch.tensor(distance * np.random.default_rng(1).uniform(-1, 1, 8))
    c[0] = distance
    x, path = {"w": torch.zeros(8).double()}, []
    state = rule.init(x)
    for _ in range(steps):
        x, state = rule.update({"w": torch.tanh(x["w"] - c)}, state, x, 1.0, 0.0, 0.0)
        path.append(state["d"].item())
    return np.array(path), x["w"] - c


@pytest.mark.parametrize("distance", [0.01, 1.0, 100.0])
def test_prodigys_estimate_rises_towards_the_distance_and_never_passes_it(chapter, distance):
    d, _ = prodigy_path(chapter["Prodigy"](), distance)
    assert np.all(np.diff(d) >= 0)
    assert 0.1 * distance < d[-1] <= distance * (1 + 1e-9)


def test_prodigy_arrives_at_a_rate_of_one(chapter):
    _, off = prodigy_path(chapter["Prodigy"](), 1.0)
    assert off.abs().max() < 1e-3


def test_prodigy_counts_all_tensors_as_one(chapter):
    """A parameter split into two tensors takes the same path."""
    rng = np.random.default_rng(0)
    rule, whole = chapter["Prodigy"](), {"w": torch.tensor(rng.normal(size=6))}
    halves = {"a": whole["w"][:2], "b": whole["w"][2:]}
    one, two = rule.init(whole), rule.init(halves)
    for _ in range(50):
        whole, one = rule.update({"w": torch.tanh(whole["w"] - 3)}, one, whole, 1.0, 0.0, 0.0)
        gradients = {name: torch.tanh(each - 3) for name, each in halves.items()}
        halves, two = rule.update(gradients, two, halves, 1.0, 0.0, 0.0)
    torch.testing.assert_close(torch.cat([halves["a"], halves["b"]]), whole["w"])


def test_muon_has_the_matrices_of_the_blocks_and_adamw_the_rest(chapter):
    rule, x = chapter["MuonInside"](), {n: each.detach() for n, each in GPT(8, 4, 4).named_parameters()}
    gradients = {n: torch.ones_like(each) for n, each in x.items()}
    new, _ = rule.update(gradients, rule.init(x), x, 0.1, 0.0, 0.0)
    assert list(new) == list(x)
    inside = {n for n in x if not torch.allclose(x[n] - new[n], torch.tensor(0.03), atol=1e-5)}
    assert inside == {n for n in x if "blocks" in n and x[n].ndim == 2} and len(inside) >= 4


def test_lions_steps_are_as_long_as_the_rate(chapter):
    gradients = np.random.default_rng(0).normal(size=(5, 4, 3)) * 10.0 ** np.arange(-2, 1)
    start = np.zeros((4, 3))
    first = follow(chapter["lion"], start, gradients[:4], 0.1)
    second = follow(chapter["lion"], start, gradients, 0.1)
    np.testing.assert_allclose(np.abs(second - first), 0.1)
