"""The decision guide does no harm: its code applies what it states, and it repeats no advice that was withdrawn."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lrcourse.torch import MLP

GUIDE = (Path(__file__).parents[1] / "book" / "decide.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^##+ (.+?)\n(.*?)(?=^##|\Z)", GUIDE, re.MULTILINE | re.DOTALL))
CODE = re.compile(r"```python\n(.*?)```", re.DOTALL)


def applied(section: str, steps: int = 40, **names) -> np.ndarray:
    """The rates that the optimizer of a section's code has at each update, a column per parameter group."""
    names |= {"torch": torch, "steps": steps}
    exec(CODE.findall(SECTIONS[section])[0], names)
    rates = []
    for _ in range(steps):
        rates.append([group["lr"] for group in names["optimizer"].param_groups])
        names["optimizer"].step()
        names["scheduler"].step()
    return np.array(rates)


def test_the_recipe_warms_up_and_comes_down_to_zero():
    model = MLP([2, 2])
    rates = applied("If you decide nothing else", lr=0.1, optimizer=torch.optim.AdamW(model.parameters()))[:, 0]
    assert rates[0] < rates[2] == rates.max() == 0.1
    assert rates[-1] == pytest.approx(0.1 / (len(rates) - 2))  # an update later it would be zero


def test_fine_tuning_keeps_the_ratio_of_the_groups():
    body, head = MLP([2, 3]), MLP([3, 2])
    names: dict[str, Any] = {"body": body, "head": head}
    rates = applied("Fine-tuning", **names)
    np.testing.assert_allclose(rates[1:, 0] / rates[1:, 1], 0.1)
    assert "from_scratch = 1e-3" in SECTIONS["Fine-tuning"]
    assert rates[:, 0].max() == pytest.approx(1e-3 / 100)  # as the table says


@pytest.mark.parametrize("steps", [2, 9, 19])
def test_the_code_also_serves_a_run_that_is_short(steps):
    model = MLP([2, 2])
    assert applied("If you decide nothing else", steps, lr=0.1, optimizer=torch.optim.AdamW(model.parameters())).max()
    assert applied("Fine-tuning", steps, body=MLP([2, 3]), head=MLP([3, 2])).max()


@pytest.mark.parametrize("withdrawn", ["edge of stability", "below 2 over", "cycled momentum"])
def test_advice_that_was_withdrawn_stays_away(withdrawn):
    assert withdrawn not in GUIDE


def test_fine_tuning_and_the_limits_of_a_range_test_are_linked_from_where_a_reader_starts():
    for target in ("#fine-tuning", "#when-a-range-test-does-not-apply"):
        assert target in SECTIONS["If you decide nothing else"]
    assert "a hundredth of the rate" in SECTIONS["Fine-tuning"] and "hundredth" in SECTIONS["Which rate?"]
