"""Averages of weights: the formulas, PyTorch's own where they agree, batch norm, and runs that go on."""

import copy
from collections import deque
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn

import lrcourse.torch
from lrcourse.torch import GPT, VGG, average_state_dicts, averaged_weights

EMA: Any = lrcourse.torch.EMA  # the parts of its module have no types
untyped_mean: Any = average_state_dicts
untyped: Any = averaged_weights  # takes what a type checker refuses


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.5), nn.Linear(6, 3))


def batch(step):
    generator = torch.Generator().manual_seed(step)
    return torch.randn(16, 4, generator=generator), torch.randint(3, (16,), generator=generator)


def train(model, optimizer, steps, *averages):
    """Train, and return the state after each update."""
    states = []
    for step in steps:
        x, y = batch(step)
        torch.manual_seed(step)
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
        for average in averages:
            average.update_parameters(model)
        states.append(copy.deepcopy(model.state_dict()))
    return states


def sgd(model):
    return torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)


def weighted(states, weights, name):
    return sum(w * state[name].double() for w, state in zip(weights, states, strict=True)) / sum(weights)


# The moving average


def test_corrected_each_weight_counts_by_its_age_alone():
    model = network()
    ema = EMA(model, 0.9)
    states = train(model, sgd(model), range(30), ema)
    ages = [0.9**i for i in reversed(range(30))]
    for name, parameter in ema.module.named_parameters():
        torch.testing.assert_close(parameter.double(), weighted(states, ages, name), rtol=1e-5, atol=1e-7)


def test_from_the_first_it_is_pytorchs():
    model = network()
    ema = EMA(model, 0.95, start="first")
    theirs = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.95))
    train(model, sgd(model), range(20), ema, theirs)
    assert ema.state_dict().keys() == theirs.state_dict().keys()
    assert all(torch.equal(each, theirs.state_dict()[name]) for name, each in ema.state_dict().items())


def test_rising_it_is_the_formula():
    model = network()
    ema = EMA(model, 0.5, start="rising")
    states = train(model, sgd(model), range(20), ema)
    mean = states[0]["0.weight"].double()
    for n, state in enumerate(states[1:], 2):
        decay = min(0.5, (1 + n) / (10 + n))
        mean = decay * mean + (1 - decay) * state["0.weight"].double()
    torch.testing.assert_close(ema.module[0].weight.double(), mean, rtol=1e-5, atol=1e-7)


def test_with_a_decay_of_zero_it_is_the_latest():
    model = network()
    ema = EMA(model, 0.0)
    (*_, last) = train(model, sgd(model), range(5), ema)
    assert all(torch.equal(each, last[name]) for name, each in ema.module.state_dict().items())


def test_buffers_are_copied_or_averaged_but_counters_are_copied():
    model = network()
    copied, averaged = EMA(model, 0.9), EMA(model, 0.9, buffers="average")
    states = train(model, sgd(model), range(12), copied, averaged)
    assert torch.equal(copied.module[1].running_mean, model[1].running_mean)
    expected = weighted(states, [0.9**i for i in reversed(range(12))], "1.running_var")
    torch.testing.assert_close(averaged.module[1].running_var.double(), expected, rtol=1e-5, atol=1e-7)
    assert copied.module[1].num_batches_tracked == averaged.module[1].num_batches_tracked == 12


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_weights_of_16_bits_are_averaged_in_32(dtype):
    model = nn.Linear(1, 1, bias=False).to(dtype)
    nn.init.constant_(model.weight, 1.0)
    ema = EMA(model, 0.999)
    theirs: Any = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.999))
    ema.update_parameters(model)
    theirs.update_parameters(model)
    nn.init.constant_(model.weight, 2.0)
    for _ in range(999):
        ema.update_parameters(model)
        theirs.update_parameters(model)
    expected = 2 - 0.999**999 * 0.001 / (1 - 0.999**1000)
    assert ema.module.weight.dtype == torch.float32
    assert ema.module.weight.item() == pytest.approx(expected, abs=1e-4)
    assert theirs.module.weight.item() < expected - 0.1  # what rounding does
    with averaged_weights(model, ema):
        assert model.weight.dtype == dtype and model.weight.item() == pytest.approx(expected, rel=1e-2)


@pytest.mark.parametrize("start", ["corrected", "rising", "first"])
@pytest.mark.parametrize("at", [0, 1, 2, 7])
def test_a_run_that_goes_on_has_the_averages_of_one_that_was_never_stopped(tmp_path, start, at):
    def begin():
        model = network()
        return model, sgd(model), EMA(model, 0.9, start=start, buffers="average")

    model, optimizer, ema = begin()
    train(model, optimizer, range(10), ema)
    first, its_optimizer, its_ema = begin()
    train(first, its_optimizer, range(at), its_ema)
    saved = {"model": first.state_dict(), "optimizer": its_optimizer.state_dict(), "ema": its_ema.state_dict()}
    torch.save(saved, tmp_path / "run.pt")
    resumed, its_optimizer, its_ema = begin()
    for each, state in zip((resumed, its_optimizer, its_ema), torch.load(tmp_path / "run.pt").values(), strict=True):
        each.load_state_dict(state)
    train(resumed, its_optimizer, range(at, 10), its_ema)
    for name, each in ema.state_dict().items():
        assert torch.equal(each, its_ema.state_dict()[name]), name


def test_it_evaluates_without_dropout_and_needs_no_gradients():
    model = network()
    ema = EMA(model)
    train(model, sgd(model), range(3), ema)
    x, _ = batch(99)
    assert torch.equal(ema(x), ema(x)) and not ema(x).requires_grad and model.training


def test_tied_weights_stay_tied():
    model = GPT(20)
    model.head = nn.Linear(32, 20, bias=False)
    model.head.weight = model.tokens.weight
    ema = EMA(model, 0.5)
    ema.update_parameters(model)
    nn.init.ones_(model.tokens.weight)
    ema.update_parameters(model)
    assert ema.module.head.weight is ema.module.tokens.weight
    assert not torch.equal(ema.module.tokens.weight, model.tokens.weight)


def test_a_compiled_model_has_the_same_average():
    model = network()
    compiled: Any = torch.compile(model)
    ema, other = EMA(compiled, 0.9), EMA(model, 0.9)
    ema.update_parameters(compiled)
    other.update_parameters(model)
    assert all(torch.equal(each, other.state_dict()[name]) for name, each in ema.state_dict().items())


def test_it_is_copied_with_its_count():
    model = network()
    ema = EMA(model, 0.9)
    train(model, sgd(model), range(3), ema)
    other = copy.deepcopy(ema)
    train(model, sgd(model), range(3, 6), ema, other)
    assert all(torch.equal(each, other.state_dict()[name]) for name, each in ema.state_dict().items())


def test_another_model_is_refused_and_nothing_is_averaged():
    model = network()
    ema = EMA(model)
    ema.update_parameters(model)
    before = copy.deepcopy(ema.state_dict())
    model[4] = nn.Linear(6, 1)  # which PyTorch would spread over all three outputs
    with pytest.raises(ValueError, match=r"^model must be like the one that is averaged, with '4\.bias' \(3,\), got"):
        ema.update_parameters(model)
    assert all(torch.equal(each, before[name]) for name, each in ema.state_dict().items())
    with pytest.raises(ValueError, match="'4.bias'.* 'missing'"):
        ema.update_parameters(model[:4])


# Batch norm


def test_pytorchs_update_bn_gives_the_statistics_of_the_average():
    model = network()
    ema = EMA(model, 0.9)
    train(model, sgd(model), range(20), ema)
    batches = [batch(step) for step in range(100, 108)]
    update_bn(batches, ema)
    hidden = [F.linear(x, ema.module[0].weight, ema.module[0].bias) for x, _ in batches]
    torch.testing.assert_close(ema.module[1].running_mean, torch.stack([each.mean(0) for each in hidden]).mean(0))
    torch.testing.assert_close(ema.module[1].running_var, torch.stack([each.var(0) for each in hidden]).mean(0))
    assert not ema.training and not ema.module[3].training and ema.module[1].momentum == 0.1


# Weights that are lent


def as_before(model, state):
    return all(torch.equal(each, state[name]) for name, each in model.state_dict().items())


def test_a_model_has_the_averages_in_the_block_and_its_own_afterwards():
    model: Any = network()
    model[3].eval()
    ema, optimizer = EMA(model, 0.9), sgd(model)
    swa: Any = AveragedModel(model)
    *_, last = train(model, optimizer, range(8), ema, swa)
    x, _ = batch(99)
    averages: list[Any] = [ema, swa, ema.module.state_dict(), swa.module.state_dict()]
    for average in averages:
        with averaged_weights(model, average) as lent:
            assert id(lent) == id(model) and not any(module.training for module in model.modules())
            expected = average if isinstance(average, dict) else average.module.state_dict()
            assert as_before(model, expected)
            assert average is not ema or torch.equal(model(x), ema(x))
        assert as_before(model, last)
        assert model.training and model[1].training and not model[3].training


def test_training_goes_on_as_if_nothing_had_been_evaluated():
    def run(evaluates):
        model = network()
        ema, optimizer = EMA(model, 0.9), torch.optim.Adam(model.parameters(), lr=0.01)
        for step in range(6):
            train(model, optimizer, [step], ema)
            if evaluates:
                with averaged_weights(model, ema), torch.no_grad():
                    model(batch(99)[0])
        return model.state_dict()

    assert all(torch.equal(a, b) for a, b in zip(run(True).values(), run(False).values(), strict=True))


def test_after_an_error_the_weights_are_back():
    model = network()
    ema = EMA(model, 0.9)
    *_, last = train(model, sgd(model), range(4), ema)
    with pytest.raises(ZeroDivisionError), averaged_weights(model, ema):
        raise ZeroDivisionError
    assert as_before(model, last) and model.training


def test_training_inside_is_told_and_undone():
    model = network()
    ema, optimizer = EMA(model, 0.9), sgd(model)
    *_, last = train(model, optimizer, range(4), ema)
    with pytest.raises(RuntimeError, match="train and average outside of it"), averaged_weights(model, ema):
        model.train()
        train(model, optimizer, [5])
    assert as_before(model, last)


def test_an_average_of_itself_is_told():
    model = network()
    ema = EMA(model, 0.9)
    train(model, sgd(model), range(4), ema)
    with pytest.raises(RuntimeError, match="averaged inside"), averaged_weights(model, ema):
        ema.update_parameters(model)


def test_weights_that_do_not_fit_are_refused_before_anything_is_changed():
    model = network()
    before = copy.deepcopy(model.state_dict())
    wider = nn.Sequential(nn.Linear(4, 7), *network()[1:])
    for average in (EMA(wider), wider.state_dict(), {"0.weight": torch.zeros(6, 4)}):
        with pytest.raises(ValueError, match="^averaged must be like"), averaged_weights(model, average):
            pass
    with pytest.raises(ValueError, match="^averaged must be an AveragedModel or a state_dict"), untyped(model, None):
        pass
    assert as_before(model, before) and model.training


def test_a_compiled_model_computes_with_the_averages():
    model = nn.Linear(2, 1)
    compiled: Any = torch.compile(model, backend="eager")
    ema = EMA(compiled)
    nn.init.ones_(ema.module.weight)
    nn.init.ones_(ema.module.bias)
    compiled(torch.ones(2))
    with averaged_weights(compiled, ema):
        assert compiled(torch.ones(2)).item() == 3.0
    assert compiled(torch.ones(2)).item() != 3.0


def test_a_buffer_that_is_not_saved_keeps_its_value():
    model = network()
    model.register_buffer("mask", torch.ones(3), persistent=False)
    with averaged_weights(model, network().state_dict()):
        assert torch.equal(model.mask, torch.ones(3))


# Checkpoints


def test_the_mean_of_checkpoints_is_that_of_pytorchs_class():
    torch.manual_seed(0)
    model = VGG()
    swa = AveragedModel(model, use_buffers=False)
    states = []
    for _ in range(5):
        for each in model.parameters():
            nn.init.normal_(each)
        swa.update_parameters(model)
        states.append(copy.deepcopy(model.state_dict()))
    mean = average_state_dicts(iter(states))
    for name, parameter in swa.module.named_parameters():
        torch.testing.assert_close(mean[name], parameter.detach(), rtol=1e-5, atol=1e-6)
    VGG().load_state_dict(mean)


def test_counters_are_the_last_and_types_stay():
    states: list[dict[str, Any]] = [
        {"w": torch.full((2,), float(i), dtype=torch.bfloat16), "n": torch.tensor(i), "c": torch.tensor(1j * i),
         "is": torch.tensor(i == 2), "extra": {"i": i}}
        for i in range(3)
    ]  # fmt: skip
    mean = average_state_dicts(states, weights=[1, 1, 2])
    assert torch.equal(mean["w"], torch.full((2,), 1.25, dtype=torch.bfloat16)) and mean["c"].item() == 1.25j
    assert mean["n"] == 2 and mean["is"] and mean["extra"] == {"i": 2}


def test_small_differences_are_not_lost_in_a_long_sum():
    states = ({"w": torch.tensor([1e4 + i % 2 / 100])} for i in range(2000))
    assert average_state_dicts(states)["w"].item() == pytest.approx(torch.tensor(1e4 + 0.005).item(), abs=1e-3)


def test_the_latest_of_a_run_are_lent_to_the_model():
    model = network()
    latest: deque[dict[str, Any]] = deque(maxlen=3)
    optimizer = sgd(model)
    for step in range(8):
        latest.extend(train(model, optimizer, [step]))
    with averaged_weights(model, average_state_dicts(latest)):
        expected = weighted(latest, [1, 1, 1], "0.weight")
        torch.testing.assert_close(model[0].weight.double(), expected, rtol=1e-5, atol=1e-7)


W, LONGER = {"w": torch.ones(2)}, {"w": torch.ones(3)}
BAD = {
    "nothing": (lambda: average_state_dicts([]), r"states must be at least one state_dict"),
    "no list": (lambda: untyped_mean(None), "states must be a list of state_dicts, got None"),
    "a name": (lambda: untyped_mean(W), r"states\[0\] must be a state_dict with something in it, got 'str'"),
    "empty": (lambda: average_state_dicts([{}]), r"states\[0\] must be a state_dict with something"),
    "names": (lambda: average_state_dicts([W, {"v": torch.ones(2)}]), r"states\[1\] must be like .*'v' missing"),
    "shapes": (
        lambda: average_state_dicts([W, LONGER]),
        r"states\[1\] must be like .*\(2,\), got .*\(3,\)",
    ),
    "shared": (lambda: average_state_dicts([W, dict(W)]), r"states\[1\] must be of weights of its own"),
    "few": (
        lambda: average_state_dicts([W, copy.deepcopy(W)], weights=[1]),
        "weights must be one for each state, 2 or",
    ),
    "many": (lambda: average_state_dicts([W], weights=[1, 1]), "weights must be one for each state, 1 in all"),
    "zero": (lambda: average_state_dicts([W], weights=[0]), "weights must be above 0"),
    "negative": (lambda: average_state_dicts([W], weights=[-1]), r"weights\[0\] must be zero or positive, got -1"),
    "start": (lambda: EMA(network(), start="last"), "start must be 'corrected' or"),
    "buffers": (lambda: EMA(network(), buffers="none"), "buffers must be 'copy' or"),
    "decay": (lambda: EMA(network(), decay=1.0), "decay must be at least 0 and below 1, got 1.0"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named_with_a_fix(name):
    call, told = BAD[name]
    with pytest.raises(ValueError, match=rf"^{told}.*: \w+"):
        call()
