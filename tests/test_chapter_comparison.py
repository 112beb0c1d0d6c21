"""The comparison: the network starts as He meant, the recipes are the article's, each difference changes one thing."""

import math
from itertools import product

import numpy as np
import pytest
import torch
from torch import nn

from lrcourse import Constant, records
from lrcourse.course.experiments import comparison
from lrcourse.course.experiments.comparison import ARMS, ARTICLE, MOMENTA, RATES, SCHEDULES, cell, schedule
from lrcourse.data import glyphs
from lrcourse.study import compare_scores
from lrcourse.torch import VGG
from lrcourse.torch.vgg import VGG16


def spread_of_images(model: nn.Sequential, images: torch.Tensor) -> list[float]:
    """How much the images differ after each convolution or fully connected layer but the last."""
    sizes = []
    with torch.no_grad():
        for layer in model:
            images = layer(images)
            if isinstance(layer, nn.Conv2d | nn.Linear):
                sizes.append(images.std(0).mean().item())
    return sizes[:-1]


def test_he_initialization_keeps_the_signal_through_sixteen_layers_and_the_default_does_not():
    torch.manual_seed(0)
    stages = [[width // 8 for width in stage] for stage in VGG16]
    model = VGG(stages, [64, 64], classes=2, size=32)
    images = torch.tensor(glyphs(n=32, n_test=1).x_train)
    he = spread_of_images(model, images)
    assert len(he) == 15 and he[-1] > 0.1 * he[0]
    for layer in model:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.reset_parameters()
    default = spread_of_images(model, images)
    print(he[-1] / he[0], default[-1] / default[0])
    assert default[-1] < 0.01 * default[0]


@pytest.mark.parametrize("classes", [2, 10])
def test_a_small_head_makes_all_classes_equally_likely_at_first(classes):
    torch.manual_seed(0)
    scores = VGG(classes=classes)(torch.rand(64, 32, 32))
    loss = nn.functional.cross_entropy(scores, torch.arange(64) % classes)
    assert loss.item() == pytest.approx(math.log(classes), abs=0.02)


def test_color_images_come_as_the_data_sets_have_them_and_batch_norm_is_optional():
    assert VGG([[4], [8]], size=12, channels=3)(torch.rand(5, 12, 12, 3)).shape == (5, 10)
    plain, normalized = (VGG([[4], [8]], size=12, batch_norm=batch_norm) for batch_norm in (False, True))
    kinds = [sum(isinstance(layer, nn.BatchNorm2d) for layer in model) for model in (plain, normalized)]
    assert kinds == [0, 2]


BAD = [({"stages": [[8, 0]]}, "stages"), ({"size": 4}, "size"), ({"hidden": [0]}, "hidden"),
       ({"classes": 0}, "classes"), ({"channels": 0}, "channels")]  # fmt: skip


@pytest.mark.parametrize(("arguments", "named"), BAD)
def test_bad_input_is_named(arguments, named):
    with pytest.raises(ValueError, match=rf"^{named} must be .*: \w+"):
        VGG(**arguments)


def test_the_factorial_is_complete_and_its_cells_differ_from_the_recipes_by_nothing_else():
    cells = {cell(*each): ARMS[cell(*each)] for each in product(SCHEDULES, RATES, MOMENTA)}
    assert len(set(cells.values())) == 12
    assert {(arm.optimizer, arm.nesterov) for arm in cells.values()} == {("SGD", False)}
    assert ARMS[ARTICLE["SGDR"]] == comparison.Arm(lr=0.01, momentum=0.0, schedule="SGDR")
    assert ARMS[ARTICLE["one-cycle"]].lr == 0.1 and ARMS[ARTICLE["SGD"]].lr == 0.01


def test_sgdr_falls_four_times_from_its_peak_to_almost_nothing():
    rates = schedule(ARMS[ARTICLE["SGDR"]], steps=400).table(400)
    np.testing.assert_array_equal(np.flatnonzero(np.diff(rates) > 0) + 1, [100, 200, 300])
    np.testing.assert_allclose(rates[[0, 100, 200, 300]], 0.01)
    assert rates[[99, 199, 299, 399]].max() < 1e-5


def test_one_cycle_is_the_articles_of_eighteen_eighteen_and_four_epochs():
    rates = schedule(ARMS[ARTICLE["one-cycle"]], steps=40).table(40)
    assert rates.argmax() == 18 and rates[18] == pytest.approx(0.1) and rates[36] == pytest.approx(0.01)
    np.testing.assert_allclose(np.diff(rates[:19]), 0.005)
    np.testing.assert_allclose(rates[37:] / rates[36:-1], rates[37] / rates[36])
    assert rates[-1] < 0.001


def test_the_old_decay_is_next_to_nothing():
    rates = schedule(ARMS["Nesterov, decay"], steps=22_500)
    assert rates(0) == 0.01 and rates(22_500) / rates(0) == pytest.approx(1 / 1.0225)
    assert schedule(ARMS["Adam"], 10) == Constant(0.001)


def test_each_arm_of_a_seed_starts_from_the_same_weights_and_images_and_another_seed_from_others():
    first, again, other = (comparison.network("live", seed) for seed in (0, 0, 1))
    for a, b, c in zip(first.parameters(), again.parameters(), other.parameters()):
        assert torch.equal(a, b) and (a.ndim == 1 or not torch.equal(a, c))
    assert comparison.data("live", 0) is comparison.data("live", 0)
    assert not np.array_equal(comparison.data("live", 0).x_train, comparison.data("live", 1).x_train)


def test_a_run_repeats_itself_and_needs_the_rate_not_the_schedule():
    names = [cell("SGDR", 0.01, 0.0), cell("SGDR", 0.1, 0.0), cell("SGDR", 0.01, 0.9)]
    weak, by_rate, by_momentum = (comparison.run(name, 0, "live") for name in names)
    assert comparison.run(names[0], 0, "live") == weak
    assert min(by_rate["test_accuracy"], by_momentum["test_accuracy"]) > weak["test_accuracy"] + 0.15
    assert max(by_rate["train_loss"], by_momentum["train_loss"]) < weak["train_loss"] / 2


def test_the_live_plan_leaves_out_the_largest_steps_only():
    names = {name for name, _ in comparison.plan("live")}
    assert set(ARMS) - names == {cell(each, 0.1, 0.9) for each in SCHEDULES}
    assert {name for name, _ in comparison.plan("full")} == set(ARMS)


def test_the_words_about_vgg_16_fit_its_record():
    full = records.read("comparison", "full")
    low, high, momentum = (0.01, 0.0), (0.1, 0.0), (0.01, 0.9)
    words = {
        (("SGDR", low), ("constant", low)): "behind",
        (("SGDR", high), ("constant", high)): "undecided",
        (("SGDR", momentum), ("constant", momentum)): "undecided",
        (("SGDR", momentum), ("SGDR", low)): "undecided",
        (("constant", momentum), ("constant", low)): "ahead",
        (("SGDR", high), ("SGDR", low)): "undecided",
        (("constant", high), ("constant", low)): "ahead",
        (("SGDR", high), ("SGDR", momentum)): "undecided",
        (("one-cycle", high), ("constant", high)): "undecided",
    }
    contrasts = [(cell(after, *to), cell(before, *start)) for (after, to), (before, start) in words]
    scores = {name: full.values(name, "test_accuracy") for name in ARMS}
    answer = compare_scores(scores, margin=0.02, better="higher", guess=0.55, compare=contrasts)
    assert [each.word for each in answer.verdicts] == list(words.values())
    failed = {name: int(each.sum()) for name, each in answer.failed.items()}
    assert failed["Adam"] == 4 and failed["RMSprop"] == 0
    assert all(failed[cell(each, 0.1, 0.9)] > 0 for each in SCHEDULES)
