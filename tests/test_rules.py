"""Every rule equals its counterpart in NumPy over many steps, and that of PyTorch where there is one."""

from typing import Any

import numpy as np
import pytest
import torch

from lrcourse import Cosine, OneCycle, optimizers
from lrcourse.torch import ScheduleLR, rules

STEPS = 60
RNG = np.random.default_rng(0)
START = {"w": RNG.normal(size=(4, 3)), "v": RNG.normal(size=(2, 5)), "b": RNG.normal(size=3), "s": np.array(0.7)}
MATRICES = {name: START[name] for name in "wv"}
GRADS = [{name: RNG.normal(size=x.shape) for name, x in START.items()} for _ in range(STEPS)]
LR = Cosine(0.1, 0.001, STEPS)

# Each rule, the same in NumPy and in PyTorch, and the name of its momentum in NumPy
PAIRS: list[tuple[rules.Rule, Any, Any, str]] = [
    (rules.SGD(), optimizers.SGD, torch.optim.SGD, "momentum"),
    (rules.SGD(nesterov=True), optimizers.SGD, torch.optim.SGD, "momentum"),
    (rules.Adagrad(), optimizers.Adagrad, torch.optim.Adagrad, ""),
    (rules.Adagrad(initial=0.1), optimizers.Adagrad, torch.optim.Adagrad, ""),
    (rules.RMSprop(), optimizers.RMSprop, torch.optim.RMSprop, ""),
    (rules.Adadelta(), optimizers.Adadelta, torch.optim.Adadelta, ""),
    (rules.Adam(), optimizers.Adam, torch.optim.Adam, "beta1"),
    (rules.AdamW(), optimizers.AdamW, torch.optim.AdamW, "beta1"),
    (rules.AMSGrad(), optimizers.AMSGrad, lambda params, **given: torch.optim.Adam(params, amsgrad=True, **given),
     "beta1"),
    (rules.NAdam(), optimizers.NAdam, torch.optim.NAdam, "beta1"),
    (rules.Lion(), optimizers.Lion, None, "beta1"),
    (rules.Muon(), optimizers.Muon, None, "momentum"),  # PyTorch's rounds to bfloat16
    (rules.Muon(nesterov=False), optimizers.Muon, None, "momentum"),
    (rules.ScheduleFreeSGD(), optimizers.ScheduleFreeSGD, None, "beta"),
]  # fmt: skip
IDS = [f"{type(pair[0]).__name__}-{i}" for i, pair in enumerate(PAIRS)]


def tensors(arrays):
    return {name: torch.tensor(x, dtype=torch.float64) for name, x in arrays.items()}


def start(rule):
    return MATRICES if isinstance(rule, rules.Muon) else START


def by_rule(rule, params, momentum, decay, steps=STEPS, state=None):
    params = tensors(params)
    state = rule.init(params)
    for t in range(steps):
        numbers = (torch.tensor(float(each), dtype=torch.float64) for each in (LR(t), momentum, decay))
        params, state = rule.update(tensors(GRADS[t]), state, params, *numbers)
    return params, state


def options(rule):
    given = {name: getattr(rule, name) for name in ("nesterov", "initial") if hasattr(rule, name)}
    return {key: value for key, value in given.items() if value is not None}


@pytest.fixture
def doubles():
    """PyTorch's NAdam keeps its product of momenta in the default type."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@pytest.mark.usefixtures("doubles")
@pytest.mark.parametrize("momentum", [0.0, 0.8])
@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("rule, numpy_class, torch_class, name", PAIRS, ids=IDS)
def test_a_rule_equals_its_counterparts(rule, numpy_class, torch_class, name, momentum, decay):
    params = start(rule)
    own, state = by_rule(rule, params, momentum, decay)
    given = options(rule) | ({name: momentum} if name else {})
    optimizer, expected = numpy_class(lr=LR, weight_decay=decay, **given), params
    for grads in GRADS:
        expected = optimizer.step(expected, {key: grads[key] for key in params})
    for key, each in expected.items():
        np.testing.assert_allclose(own[key], each, rtol=0, atol=1e-12)
    if isinstance(rule, rules.ScheduleFreeSGD):
        for key, each in optimizer.average(expected).items():
            np.testing.assert_allclose(rule.evaluated(own, state)[key], each, rtol=0, atol=1e-12)
    if torch_class is not None:
        for key, each in by_torch(rule, torch_class, params, momentum, decay).items():
            np.testing.assert_allclose(own[key], each, rtol=0, atol=1e-12)


def by_torch(rule, torch_class, params, momentum, decay):
    weights = {name: torch.nn.Parameter(x) for name, x in tensors(params).items()}
    given = {"weight_decay": decay}
    if isinstance(rule, rules.Adam):
        given["betas"] = (momentum, rule.beta2)
    elif isinstance(rule, rules.SGD):
        given |= {"momentum": momentum}
    elif isinstance(rule, rules.Adagrad):
        given |= {"initial_accumulator_value": rule.initial}
    optimizer = torch_class(weights.values(), lr=0.1, **given)
    if getattr(rule, "nesterov", False):  # as an argument it is refused for momentum 0
        optimizer.param_groups[0]["nesterov"] = True
    for t, grads in enumerate(GRADS):
        optimizer.param_groups[0]["lr"] = LR(t)
        for name, each in weights.items():
            each.grad = torch.tensor(grads[name])
        optimizer.step()
    return {name: each.detach() for name, each in weights.items()}


@pytest.mark.parametrize("rule", [pair[0] for pair in PAIRS], ids=IDS)
def test_members_together_equal_each_alone(rule):
    """Also in float32, whose parameter without axes keeps its type."""
    params = start(rule)
    stacked = {name: torch.stack([x, -x, 2 * x]).float() for name, x in tensors(params).items()}
    numbers = [torch.tensor(each, dtype=torch.float64) for each in ([0.1, 0.01, 0.0], [0.9, 0.0, 0.5], [0.0, 0.1, 0.1])]
    state, alone = torch.vmap(rule.init)(stacked), [{name: x[i] for name, x in stacked.items()} for i in range(3)]
    states = [rule.init(each) for each in alone]
    for t in range(5):
        grads = {name: x.float() for name, x in tensors(GRADS[t]).items() if name in params}
        stacked, state = torch.vmap(rule.update, in_dims=(None, 0, 0, 0, 0, 0))(grads, state, stacked, *numbers)
        for i in range(3):
            alone[i], states[i] = rule.update(grads, states[i], alone[i], *(each[i] for each in numbers))
    for name, x in stacked.items():
        assert x.dtype == torch.float32
        np.testing.assert_allclose(x, torch.stack([each[name] for each in alone]), rtol=1e-4, atol=1e-5)


def test_a_rule_in_a_loop_follows_schedules_of_rate_and_momentum():
    weight, cycle = torch.nn.Parameter(torch.tensor([1.0, 2.0], dtype=torch.float64)), OneCycle(1.0, 20)
    other = torch.nn.Parameter(weight.detach().clone())
    pairs = [(weight, rules.RuleOptimizer([("w", weight)], rules.AdamW(), lr=0.1, weight_decay=0.1)),
             (other, torch.optim.AdamW([other], lr=0.1, weight_decay=0.1))]  # fmt: skip
    for each, optimizer in pairs:
        scheduler = ScheduleLR(optimizer, 0.1 * cycle, cycle.momentum())
        for _ in range(20):
            optimizer.zero_grad()
            (each**4).sum().backward()
            optimizer.step()
            scheduler.step()
    np.testing.assert_allclose(weight.detach(), other.detach(), rtol=0, atol=1e-12)


def test_matrices_by_one_rule_and_the_rest_by_another():
    rule = rules.ByShape(matrices=rules.Muon(), others=rules.AdamW(), rate=0.1)
    assert rule.momentum == rules.Muon().momentum
    ours, _ = by_rule(rule, START, 0.95, 0.01, steps=5)
    matrices, _ = by_rule(rules.Muon(), MATRICES, 0.95, 0.01, steps=5)
    assert list(ours) == list(START)
    assert all(torch.equal(ours[name], matrices[name]) for name in MATRICES)
    others = rules.AdamW()
    params = tensors({name: START[name] for name in "bs"})
    state = others.init(params)
    for t in range(5):
        numbers = (torch.tensor(each, dtype=torch.float64) for each in (0.1 * LR(t), 0.9, 0.01))
        params, state = others.update(tensors(GRADS[t]), state, params, *numbers)
    assert all(torch.equal(ours[name], params[name]) for name in "bs")
    only, _ = by_rule(rule, {"b": START["b"]}, 0.95, 0.0, steps=2)
    assert not torch.equal(only["b"], tensors(START)["b"])


def test_what_is_wrong_is_named():
    with pytest.raises(ValueError, match="params must be matrices of shape"):
        rules.Muon().init(tensors(START))
    number: Any = 0.1
    for wrong, name in [(lambda: rules.Adam(beta2=1.0), "beta2"), (lambda: rules.SGD(momentum=1.0), "momentum"),
                        (lambda: rules.ByShape(matrices=rules.Muon(), others=number), "others")]:  # fmt: skip
        with pytest.raises(ValueError, match=f"{name} must be"):
            wrong()
    with pytest.raises(TypeError, match="Rule defines no formula"):
        rules.Rule().update(tensors(START), rules.Rule().init(tensors(START)), tensors(START), 0.1, 0.0, 0.0)
