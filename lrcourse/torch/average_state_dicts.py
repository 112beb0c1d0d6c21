"""The mean of checkpoints: of the latest of a run, or of several runs that began with the same weights."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch

from ..validation import bad, not_negative
from .ema import check_shapes


def average_state_dicts(states: Iterable[Mapping[str, Any]], weights: Sequence[float] | None = None) -> dict[str, Any]:
    r"""The weighted mean $\sum_i w_i \theta_i / \sum_i w_i$ of `states`, which `model.state_dict()` has given.

    `states`: taken one at a time, so a generator may load each from its file and need not hold them all. `weights`:
    one for each; None for the plain mean. What is no floating-point number, such as the counter of batch norm, is that
    of the last. The sum is in 64 bits, on the CPU; the result has the types and the devices of the first.

    The mean of the latest few of a run, taken at a distance of some hundred updates, is LAWA. Keep copies, as a
    `state_dict` follows the model:

        latest = collections.deque(maxlen=5)
        ...
        latest.append(copy.deepcopy(model.state_dict()))  # every few hundred updates; list(latest) is its state
        with averaged_weights(model, average_state_dicts(latest)):
            evaluate(model)

    A model with batch norm then needs `torch.optim.swa_utils.update_bn(loader, model)`, as its statistics are the means
    of statistics, not those of the mean. Runs that began with different weights have no useful mean.

    Raises: `ValueError` for no state, states of different names or shapes, states that share their memory, weights that
    are negative, all zero or not as many as states.
    Sources: Izmailov et al., "Averaging weights leads to wider optima and better generalization", 2018; Kaddour, "Stop
    wasting my time! Saving days of ImageNet and BERT training with latest weight averaging", 2022.

    >>> states = [{"weight": torch.tensor([1.0, 2.0])}, {"weight": torch.tensor([3.0, 6.0])}]
    >>> average_state_dicts(states)["weight"]
    tensor([2., 4.])
    >>> average_state_dicts(states, weights=[3, 1])["weight"]
    tensor([1.5000, 3.0000])
    """
    if not isinstance(states, Iterable):
        raise bad("states", states, "a list of state_dicts", "pass for example [model.state_dict()]")
    shares = None if weights is None else _shares(weights)
    first: Mapping[str, Any] = {}
    last: Mapping[str, Any] = {}
    sums: dict[str, torch.Tensor] = {}
    total, count = 0.0, 0
    for count, state in enumerate(states, 1):
        _check(state, first, count)
        if count == 1:
            first = state
            sums = {name: torch.zeros_like(each, device="cpu", dtype=_wide(each)) for name, each in _means(state)}
        if shares is not None and count > len(shares):
            raise bad("weights", weights, f"one for each state, {count} or more", "leave it out for the plain mean")
        share = 1.0 if shares is None else shares[count - 1]
        for name, each in _means(state):
            sums[name] += share * each.detach().cpu().to(sums[name].dtype)
        total, last = total + share, state
    if count == 0:
        raise bad("states", [], "at least one state_dict", "pass for example [model.state_dict()]")
    if shares is not None and count < len(shares):
        raise bad("weights", weights, f"one for each state, {count} in all", "leave it out for the plain mean")
    means = {name: (sums[name] / total).to(first[name].device, first[name].dtype) for name in sums}
    return {name: means.get(name, last[name]) for name in last}


def _means(state: Mapping[str, Any]) -> list[tuple[str, torch.Tensor]]:
    return [(name, each) for name, each in state.items()
            if isinstance(each, torch.Tensor) and (each.is_floating_point() or each.is_complex())]  # fmt: skip


def _wide(tensor: torch.Tensor) -> torch.dtype:
    return torch.complex128 if tensor.is_complex() else torch.float64


def _shares(weights: Sequence[float]) -> list[float]:
    check = not_negative("use for example 1")
    shares = [check(f"weights[{i}]", each) for i, each in enumerate(weights)]
    if not sum(shares) > 0:
        raise bad("weights", weights, "above 0 for one of the states at least", "use 1 for each")
    return shares


def _check(state: Any, first: Mapping[str, Any], count: int) -> None:
    argument = f"states[{count - 1}]"
    if not isinstance(state, Mapping) or not state:
        raise bad(argument, type(state).__name__, "a state_dict with something in it", "pass model.state_dict()")
    if not first:
        return
    check_shapes(argument, first, state)
    means = _means(state)
    if means and all(each.data_ptr() == first[name].data_ptr() for name, each in means):
        raise bad(argument, means[0][0], "of weights of its own, not of those of the first",
                  "keep copy.deepcopy(model.state_dict()), as a state_dict follows the model")  # fmt: skip
