"""The schedules of Transformers: the same rates by the same names, and where not, as the page of conventions says."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from transformers import optimization as theirs

from lrcourse import WSD, Schedule, get_schedule

N, WARM, PEAK = 40, 5, 0.1
ours = partial(get_schedule, peak=PEAK, steps=N, warmup=WARM)
wsd = partial(theirs.get_wsd_schedule, num_warmup_steps=WARM, num_training_steps=N, num_decay_steps=8)
warm: Any = {"num_warmup_steps": WARM, "num_training_steps": N}

SAME: dict[str, tuple[Callable[..., object], Schedule]] = {
    "constant": (theirs.get_constant_schedule, get_schedule("constant", PEAK, N)),
    "constant_with_warmup": (partial(theirs.get_constant_schedule_with_warmup, num_warmup_steps=WARM),
                             ours("constant_with_warmup")),
    "linear": (partial(theirs.get_linear_schedule_with_warmup, **warm), ours("linear")),
    "cosine": (partial(theirs.get_cosine_schedule_with_warmup, **warm), ours("cosine")),
    "cosine_with_restarts": (
        partial(theirs.get_cosine_with_hard_restarts_schedule_with_warmup, num_cycles=3, **warm),
        ours("cosine_with_restarts", cycles=3),
    ),
    "polynomial": (partial(theirs.get_polynomial_decay_schedule_with_warmup, lr_end=1e-3, power=2.0, **warm),
                   ours("polynomial", end=1e-3, power=2.0)),
    "inverse_sqrt": (partial(theirs.get_inverse_sqrt_schedule, num_warmup_steps=WARM), ours("inverse_sqrt")),
    "cosine_with_min_lr": (partial(theirs.get_cosine_with_min_lr_schedule_with_warmup, min_lr=0.01, **warm),
                           ours("cosine", end=0.01)),
    "cosine_with_restarts, one": (
        partial(theirs.get_cosine_with_hard_restarts_schedule_with_warmup, num_cycles=1, **warm),
        ours("cosine_with_restarts", cycles=1),
    ),
    **{f"wsd above 0, {shape}": (partial(wsd, decay_type=shape, min_lr_ratio=0.1),
                                 WSD(PEAK, WARM, N - WARM - 8, 8, end=0.01, shape=shape, start=0.01))
       for shape in ("linear", "cosine", "1-sqrt")},
    "wsd, a line": (partial(wsd, decay_type="linear"), ours("wsd", decay=8)),
    "wsd, a cosine": (wsd, ours("wsd", decay=8, shape="cosine")),
    "wsd, 1-sqrt": (partial(wsd, decay_type="1-sqrt"), ours("wsd", decay=8, shape="1-sqrt")),
}  # fmt: skip


def rates(schedule: Callable[..., object], steps: int) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=PEAK)
    scheduler, found = schedule(optimizer), []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()  # type: ignore[attr-defined]
    return found


@pytest.mark.parametrize("name", SAME)
def test_the_rates_are_those_of_transformers(name: str) -> None:
    schedule, mine = SAME[name]
    np.testing.assert_allclose(rates(schedule, N + 1), mine.table(N + 1), rtol=1e-12, atol=1e-15)


def test_what_differs_is_what_the_conventions_say() -> None:
    schedule, mine = SAME["cosine"]
    assert rates(schedule, N + 9)[-1] > 0 == mine(N + 8)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(rates(wsd, N), ours("wsd", decay=8).table(N), rtol=1e-2)
