"""The range test: what is said of ladders, smoothing, put-back state and fooled tests, on small problems."""

import copy
import itertools
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from lrcourse.course import notebooks
from lrcourse.data import moons
from lrcourse.range_test import RangeTest
from lrcourse.torch import LogicNet, range_test

F = torch.nn.functional
DATA = moons(64, noise=0.2)
X, Y = torch.tensor(DATA.x_train), torch.tensor(DATA.y_train)
START, END, STEPS = 1e-3, 100.0, 120


def batches():
    return itertools.cycle(zip(X.split(16), Y.split(16), strict=True))


def network(head=1.0):
    torch.manual_seed(0)
    model = LogicNet(hidden=8).double()
    model[-1].weight.data *= head
    return model


def by_hand(model, optimizer, steps=STEPS):
    kept = copy.deepcopy((model.state_dict(), optimizer.state_dict()))
    losses = []
    for rate, (inputs, targets) in zip(np.geomspace(START, END, steps), batches(), strict=False):
        optimizer.param_groups[0]["lr"] = rate
        loss = F.cross_entropy(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    model.load_state_dict(kept[0])
    optimizer.load_state_dict(kept[1])
    return np.array(losses)


def average(losses, b):
    a, averages = 0.0, []
    for i, loss in enumerate(losses):
        a = b * a + (1 - b) * loss
        averages.append(a / (1 - b ** (i + 1)))
    return np.array(averages)


def climbed(model, momentum=0.0, steps=STEPS, smooth=0.9):
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0, momentum=momentum)
    return range_test(model, optimizer, F.cross_entropy, batches(), start=START, end=END, steps=steps, smooth=smooth)


def weights(model):
    return [parameter.detach().clone() for parameter in model.parameters()]


def test_the_loop_by_hand_is_the_package_up_to_the_place_where_it_stops():
    model = network()
    before = weights(model)
    losses = by_hand(model, torch.optim.SGD(model.parameters(), lr=1.0))
    assert all(map(torch.equal, before, weights(model)))
    result = climbed(model)
    n = len(result.lrs)
    np.testing.assert_array_equal(losses[:n], result.losses)
    np.testing.assert_allclose(average(losses, 0.9)[:n], result.smoothed, rtol=1e-12)
    assert all(map(torch.equal, before, weights(model)))


def test_by_hand_the_random_numbers_move_and_with_the_package_they_do_not():
    def moved(test):
        torch.manual_seed(0)
        model = torch.nn.Sequential(network(), torch.nn.Dropout())
        optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
        before = torch.get_rng_state()
        test(model, optimizer)
        return not torch.equal(before, torch.get_rng_state())

    assert moved(lambda model, optimizer: by_hand(model, optimizer, 5))
    assert not moved(lambda model, optimizer: range_test(model, optimizer, F.cross_entropy, batches(), steps=5))


def test_epoch_31_of_the_articles_36_has_the_rate_it_names():
    assert np.geomspace(1e-7, 1, 36)[30] == pytest.approx(0.1, rel=1e-12)


def test_a_heavier_average_has_its_minimum_farther_to_the_right():
    rates = np.geomspace(1e-3, 10, 200)
    losses = 2 - 1.5 / (1 + (0.1 / rates) ** 2) + rates**2
    lowest = [rates[average(losses, b).argmin()] for b in (0, 0.5, 0.9, 0.98)]
    assert lowest == sorted(set(lowest))
    assert lowest[-1] > 1.5 * lowest[0]


def test_minimum_is_above_valley_and_steepest():
    result = climbed(network())
    steepest, valley, minimum = (result.suggest(method) for method in ("steepest", "valley", "minimum"))
    assert max(steepest, valley) < minimum
    assert result.bounds() == (minimum / 10, minimum)


def test_the_rule_that_the_chapter_found_best_is_the_default_and_the_docstring_says_by_how_much():
    glued = notebooks.glued(Path(__file__).parents[1] / "book" / "range-test.ipynb")
    worst = {rule: float(glued[f"range-worst-{rule}"]) for rule in ("steepest", "valley", "minimum")}
    best = min(worst, key=worst.__getitem__)
    result = climbed(network())
    assert result.suggest() == result.suggest(best) != result.suggest("valley")

    runs = [("cost", ""), ("decay", " 6"), ("decay", " 18")]
    verdicts = {rule: [glued[f"{key}-{name}-{rule}{n}-{name}-searched{n}".replace(" ", "-")]
                       for key, n in runs for name in ("SGD", "Adam")] for rule in worst}  # fmt: skip
    assert set(verdicts["steepest"] + verdicts["valley"]) == {"behind"}
    says = " ".join(str(RangeTest.suggest.__doc__).split())
    assert re.findall(r"(\d\.\d) times", says) == [f"{max(worst.values())}", f"{worst[best]}"]
    assert verdicts[best].count("level") == 3 and "level with it in three of six" in says


def test_a_large_head_pulls_the_steepest_place_far_to_the_left():
    assert climbed(network(head=100.0)).suggest("steepest") < 0.2 * climbed(network()).suggest("steepest")


def test_momentum_pulls_the_suggestions_to_the_left():
    plain, rolling = climbed(network()), climbed(network(), momentum=0.9)
    assert rolling.suggest("steepest") < 0.7 * plain.suggest("steepest")


def test_a_test_without_a_fall_or_with_too_few_updates_says_nothing():
    rates = np.geomspace(1e-3, 10, 100)
    flat = 2.3 + np.random.default_rng(0).normal(0, 0.05, 100)
    assert RangeTest(rates, flat, flat).suggest() is None
    assert climbed(network(), steps=9).suggest() is None


def test_per_unit_of_rate_the_steepest_place_is_at_the_left_edge():
    rates = np.geomspace(1e-6, 1, 100)
    losses = 2 - 1 / (1 + (1e-2 / rates) ** 2) + np.random.default_rng(0).normal(0, 0.002, 100)
    per_unit = rates[np.gradient(losses, rates).argmin()]
    per_factor = RangeTest(rates, losses, losses).suggest("steepest")
    assert per_unit and per_factor
    assert per_unit < 1e-4 < 3e-3 < per_factor < 3e-2
