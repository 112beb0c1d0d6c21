"""The fast loop trains as the plain one does, whichever of its choices are left out."""

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch._dynamo.utils import counters

from lrcourse import OneCycle
from lrcourse.data import glyphs
from lrcourse.torch import VGG, train
from lrcourse.torch.fast import Choices, train_fast

DATA = glyphs(n=110, size=12, n_test=50)
CYCLE = OneCycle(0.05, 12)
PLAIN = Choices(**{field.name: False for field in fields(Choices)})


def trained(loop, **options):
    torch.manual_seed(0)
    model = VGG(stages=[[4], [8]], hidden=[16], size=12, batch_norm=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0, momentum=0.9)
    return loop(model, optimizer, DATA, steps=12, schedule=CYCLE, momentum=CYCLE.momentum(), batch_size=25,
                evaluate_every=6, seed=3, **options)  # fmt: skip


@pytest.mark.parametrize("choices", [PLAIN, replace(PLAIN, resident=True), replace(PLAIN, curves_stay=True)])
def test_without_its_choices_it_is_the_plain_loop_to_the_last_bit(choices):
    fast, plain = trained(train_fast, choices=choices), trained(train)
    for name in ("losses", "lrs", "momenta"):
        np.testing.assert_array_equal(getattr(fast, name), getattr(plain, name))
    for name in ("step", "train_loss", "test_loss", "test_accuracy"):
        np.testing.assert_array_equal(getattr(fast.evaluations, name), getattr(plain.evaluations, name))


@pytest.mark.parametrize(("choice", "tolerance"), [("channels_last", 1e-4), ("bf16", 0.02)])
def test_another_order_of_operations_or_precision_changes_the_losses_by_its_rounding_alone(choice, tolerance):
    fast, plain = trained(train_fast, choices=replace(PLAIN, **{choice: True})), trained(train)
    np.testing.assert_allclose(fast.losses, plain.losses, atol=tolerance)
    np.testing.assert_array_equal(fast.lrs, plain.lrs)
    assert (choice == "bf16") == (np.abs(fast.losses - plain.losses).max() > 1e-4)


def test_all_choices_together_and_the_updates_are_counted():
    seen = []
    fast = trained(train_fast, after_update=seen.append)
    np.testing.assert_allclose(fast.losses, trained(train).losses, atol=0.02)
    assert seen == list(range(1, 13))


def test_models_of_one_structure_share_a_program():
    built = counters["stats"]
    trained(train_fast)
    before = built["unique_graphs"]
    trained(train_fast)
    assert built["unique_graphs"] == before > 0


@pytest.mark.parametrize("name", ["steps", "batch_size", "evaluate_every"])
def test_a_count_below_one_is_named(name):
    model = torch.nn.Linear(2, 2)
    options: dict[str, Any] = {"steps": 1, "batch_size": 25, "evaluate_every": None, name: 0}
    with pytest.raises(ValueError, match=f"^{name} must be"):
        train_fast(model, torch.optim.SGD(model.parameters(), lr=1.0), DATA, **options)
