"""The replayed step of a GPU, here with a recording that calls: its buffers, its state and its losses."""

import numpy as np
import pytest
import torch

from lrcourse.data import moons
from lrcourse.sweep import grid, stacked
from lrcourse.sweep.graphs import WARM_UP, Replayed
from lrcourse.sweep.plan import Plan
from lrcourse.sweep.traces import Looks
from lrcourse.torch import MLP, LogicNet

DATA = moons(n=50, n_test=30)
STEPS = 12


def recording(call):
    """As `cuda_graph`: warms up, then fills one and the same result at every replay."""
    for _ in range(WARM_UP):
        result = call().clone()
    return lambda: result.copy_(call())


@pytest.mark.parametrize("compiled, optimizer, batch_size, seeds", [
    (False, "sgd", None, [0]), (False, "sgd", 16, [0]), (False, "adamw", 16, [0, 3]), (True, "sgd", 16, [0, 3]),
])  # fmt: skip
def test_a_replayed_sweep_equals_a_called_one_bit_by_bit(compiled, optimizer, batch_size, seeds):
    settings = grid(lr=[0.02, 0.1], momentum=[0.5, 0.9], weight_decay=[0.0, 0.01], seed=seeds)
    plan = Plan(LogicNet, DATA, "cross_entropy", optimizer, False, STEPS, batch_size, settings)
    outcomes = []
    for record in (None, recording):
        training = stacked.Training(plan, compiled, record)
        losses, looks = training.train(STEPS), Looks(plan)
        looks.take(STEPS, training.look)
        outcomes.append(looks.outcome(torch.stack(losses, -1).double().numpy(), len(settings)).arrays())
    for name, array in outcomes[0].items():
        np.testing.assert_array_equal(array, outcomes[1][name], err_msg=name)
    assert (np.diff(outcomes[0]["losses"], axis=1) != 0).all(), "a loss that repeats would hide a stale buffer"


def test_the_layout_of_shared_inputs_is_kept():
    plan = Plan(lambda: MLP([2, 20, 2]), DATA, "cross_entropy", "sgd", False, STEPS, 16, grid(lr=[0.1, 0.2]))
    training = stacked.Training(plan, False, recording)
    assert isinstance(training.call, Replayed)
    training.train(1)
    assert training.call.buffers[1].shape == (2, 16), "one batch for both members"
    assert training.call.buffers[1].stride() == (1, 2)


def test_only_a_gpu_replays_by_itself():
    plan = Plan(LogicNet, DATA, "cross_entropy", "sgd", False, STEPS, None, grid(lr=[0.1, 0.2]))
    assert not isinstance(stacked.Training(plan, False).call, Replayed)
    assert torch.device("cpu") == stacked.Training(plan, False).like.device
