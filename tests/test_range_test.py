"""The range test: the ladder, the stop, what is read off the curve, and that nothing is left changed."""

import copy
import json
import math
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

import lrcourse.torch
from lrcourse import Constant, warmup
from lrcourse.range_test import RangeTest, range_test
from tests.two_processes import run_together

F = torch.nn.functional


def scripted(losses: list[float], **options: Any) -> RangeTest:
    """A range test of a model whose losses are given."""
    remaining = iter(losses)
    return range_test(lambda lr: next(remaining), lambda: None, lambda state: None, **options)


# The core


@pytest.mark.parametrize("steps", [2, 7, 100])
def test_the_ladder_is_exact_and_has_both_ends(steps: int) -> None:
    applied: list[float] = []

    def step_fn(lr: float) -> float:
        applied.append(lr)
        return 1.0

    result = range_test(step_fn, lambda: None, lambda state: None, 1e-5, 2.0, steps)
    assert applied == np.geomspace(1e-5, 2.0, steps).tolist() == result.lrs.tolist()
    assert (applied[0], applied[-1], result.stopped) == (1e-5, 2.0, None)
    applied.clear()
    range_test(step_fn, lambda: None, lambda state: None, 1e-5, 2.0, steps, mode="linear")
    assert applied == np.linspace(1e-5, 2.0, steps).tolist()


def test_the_moving_average_is_the_one_computed_by_hand() -> None:
    result = scripted([4.0, 2.0, 3.0], steps=3, smooth=0.5)
    # weights 1; 1/3 2/3; 1/7 2/7 4/7
    np.testing.assert_allclose(result.smoothed, [4.0, (4 + 2 * 2) / 3, (4 + 2 * 2 + 4 * 3) / 7], rtol=1e-15)
    assert scripted([4.0, 2.0, 3.0], steps=3, smooth=0.0).smoothed.tolist() == [4.0, 2.0, 3.0]


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_stops_and_is_dropped(broken: float) -> None:
    result = scripted([3.0, 2.0, broken, 1.0], steps=4)
    assert result.stopped == "not finite"
    assert result.losses.tolist() == [3.0, 2.0]
    assert len(result.lrs) == len(result.smoothed) == 2 and np.isfinite(result.smoothed).all()
    nothing = scripted([broken], steps=4)
    assert nothing.losses.shape == (0,) and nothing.suggest() is None and nothing.bounds() is None


def test_divergence_is_measured_from_the_best_on_its_own_size() -> None:
    assert scripted([1.0, 3.9, 4.1, 9.0], steps=4, smooth=0.0).losses.tolist() == [1.0, 3.9, 4.1]
    assert scripted([1.0, 3.9, 4.1, 9.0], steps=4, smooth=0.0).stopped == "diverged"
    negative = scripted([-1.0, -2.0, -1.5, 3.9, 4.1, 5.0], steps=6, smooth=0.0)  # -2 + 3 * 2 = 4
    assert negative.losses.tolist() == [-1.0, -2.0, -1.5, 3.9, 4.1]
    assert scripted([1.0, 1.4, 1.6, 9.0], steps=4, smooth=0.0, stop=1.5).losses.tolist() == [1.0, 1.4, 1.6]
    assert scripted([1.0, 1e6, 1e9], steps=3, stop=math.inf).stopped is None


def test_the_state_is_restored_also_after_an_exception() -> None:
    restored = []

    def fail(lr: float) -> float:
        if lr > 1e-3:
            raise ZeroDivisionError
        return 1.0

    with pytest.raises(ZeroDivisionError):
        range_test(fail, lambda: "state", restored.append)
    range_test(lambda lr: math.nan, lambda: "state", restored.append)
    assert restored == ["state", "state"]


@pytest.mark.parametrize(
    ("options", "name", "value"),
    [
        ({"start": 0}, "start", "0"), ({"start": 20}, "end", "10.0"), ({"end": math.inf}, "end", "inf"),
        ({"steps": 1}, "steps", "1"), ({"steps": 2.5}, "steps", "2.5"), ({"mode": "log"}, "mode", "'log'"),
        ({"smooth": 1.0}, "smooth", "1.0"), ({"smooth": -0.1}, "smooth", "-0.1"), ({"stop": 1.0}, "stop", "1.0"),
        ({"stop": math.nan}, "stop", "nan"), ({"stop": "4"}, "stop", "'4'"),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused_before_anything_happens(options: dict[str, Any], name: str, value: str) -> None:
    def never(*args: Any) -> Any:
        raise AssertionError("touched")

    with pytest.raises(ValueError, match=f"{name} must be .*got {value}: "):
        range_test(never, never, never, **options)
    with pytest.raises(ValueError, match="method must be"):
        scripted([1.0] * 20, steps=20).suggest("best")


# Suggestions


def curve(seed: int, mode: str = "exp") -> tuple[float, float, RangeTest]:
    """A noisy flat-falling-rising curve with its steepest point and its lowest one.

    Offsets from -3 to 3 falls, noise up to a tenth of the fall, and cut where a real test would stop.
    """
    rng = np.random.default_rng(seed)
    n = int(rng.integers(60, 201))
    lrs = np.geomspace(1e-7, 10, n) if mode == "exp" else np.linspace(1e-7, 10, n)
    lowest_start, highest_start = (-5, -1) if mode == "exp" else (-0.5, 0.2)
    steepest, width = rng.uniform(lowest_start, highest_start), rng.uniform(0.15, 0.5 if mode == "exp" else 0.2)
    rise = steepest + rng.uniform(4 * width, 4 * width + 1)
    fall, offset = rng.uniform(0.5, 3), rng.uniform(-3, 3)

    def clean(x: np.ndarray) -> np.ndarray:
        return offset * fall - fall / (1 + np.exp(-(x - steepest) / width)) + fall * 10 ** (2 * (x - rise))

    losses = clean(np.log10(lrs)) + rng.uniform(0, 0.1) * fall * rng.standard_normal(n)
    diverged = np.flatnonzero(losses > offset * fall + 4 * fall)
    stop = diverged[0] + 1 if len(diverged) else n
    fine = np.linspace(-7, 2, 10_000)
    lowest = fine[np.argmin(clean(fine))]
    return steepest, min(lowest, 1), RangeTest(lrs[:stop], losses[:stop], losses[:stop])


def test_suggestions_are_within_a_decade_of_the_truth_on_200_noisy_curves() -> None:
    errors: dict[str, list[float]] = {"steepest": [], "valley": [], "minimum": []}
    for seed in range(200):
        steepest, lowest, result = curve(seed)
        for method, truth in (("steepest", steepest), ("valley", steepest), ("minimum", lowest)):
            errors[method].append(math.log10(result.suggest(method) or math.nan) - truth)
    for method, found in errors.items():
        assert np.max(np.abs(found)) < 1, method
        assert np.mean(np.abs(found)) < 0.3, method


def test_suggestions_on_a_linear_ladder() -> None:
    for seed in range(50):
        steepest, _, result = curve(seed, mode="linear")
        for method in ("steepest", "valley"):
            assert abs(math.log10(result.suggest(method) or math.nan) - steepest) < 1


def test_steepest_is_a_derivative_with_respect_to_the_logarithm() -> None:
    lrs = np.geomspace(1e-7, 10, 100)
    losses = np.where(lrs < 1e-5, 2.0 - 0.05 * (np.log10(lrs) + 7), 1.9)  # by raw rate, steepest at 1e-7
    losses = losses - 1 / (1 + np.exp(-(np.log10(lrs) + 2) / 0.3))  # by log rate, steepest at 1e-2
    assert np.argmin(np.gradient(losses, lrs)) < 30
    suggested = RangeTest(lrs, losses, losses).suggest("steepest")
    assert suggested is not None and 0.5e-2 < suggested < 2e-2


def test_nothing_is_suggested_where_there_is_nothing_to_say() -> None:
    lrs = np.geomspace(1e-7, 10, 100)
    falling = 2 - 1 / (1 + (1e-3 / lrs) ** 2)
    for n in range(10):
        for method in ("steepest", "valley", "minimum"):
            assert RangeTest(lrs[40 : 40 + n], falling[40 : 40 + n], falling[:n]).suggest(method) is None
    for never_falls in (np.ones(100), lrs, 1 + np.arange(100) / 100):
        result = RangeTest(lrs, never_falls, never_falls)
        assert result.suggest("steepest") is result.suggest("valley") is result.suggest("minimum") is None
        assert result.bounds() is None


def test_pure_noise_is_hardly_ever_taken_for_a_fall() -> None:
    lrs = np.geomspace(1e-7, 10, 100)
    noise = np.random.default_rng(0).standard_normal((500, 100))
    assert sum(RangeTest(lrs, row, row).suggest() is not None for row in noise) <= 25  # 5 %


@pytest.mark.parametrize("n", range(10, 40))
def test_short_curves_never_index_outside(n: int) -> None:
    for seed in range(20):
        losses = np.random.default_rng(seed).standard_normal(n).cumsum()
        result = RangeTest(np.geomspace(1e-4, 1, n), losses, losses)
        for method in ("steepest", "valley", "minimum"):
            suggested = result.suggest(method)
            assert suggested is None or 1e-4 <= suggested <= 1


def test_bounds_end_at_the_lowest_loss_and_begin_at_a_tenth_of_it() -> None:
    result = curve(0)[2]
    lowest = result.suggest("minimum")
    assert lowest and result.bounds() == (lowest / 10, lowest)


def test_plot_draws_the_losses_and_the_suggestions() -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    result = curve(0)[2]
    ax = result.plot()
    assert ax.get_xscale() == "log"
    assert ax.lines[0].get_ydata().tolist() == result.losses.tolist()
    assert ax.lines[2].get_xdata() == [result.suggest("steepest")] * 2
    plt.close("all")
    own = plt.subplots()[1]
    assert scripted([1.0] * 5, steps=5).plot(own) is own and len(own.lines) == 2
    plt.close("all")


# PyTorch


class Net(torch.nn.Module):
    """Everything that a test could leave changed: BatchNorm, Dropout, a frozen layer, a buffer that is replaced."""

    calls: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.body: Any = torch.nn.Sequential(
            torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.Dropout(0.3), torch.nn.Linear(8, 3)
        )
        self.register_buffer("calls", torch.zeros(()), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls = self.calls + 1
        random.random()
        np.random.rand()
        return self.body(x)


def two_groups(*parameters: torch.Tensor) -> list[dict[str, Any]]:
    return [{"params": parameters[:2], "lr": 0.01}, {"params": parameters[2:]}]


OPTIMIZERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01, amsgrad=True),
    "tensor rate": lambda p: torch.optim.AdamW(p, lr=torch.tensor(0.01), foreach=False),
    "groups": lambda p: torch.optim.SGD(two_groups(*p), lr=0.1),
}


def data(n: int = 6) -> list[tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(0)
    return [(torch.randn(8, 4, generator=generator), torch.arange(8) % 3) for _ in range(n)]


def trained(make: Callable[[Any], torch.optim.Optimizer], updates: int) -> tuple[Net, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = Net()
    parameters = model.parameters() if make is not OPTIMIZERS["groups"] else list(model.parameters())
    optimizer = make(parameters)
    for x, y in data()[:updates]:
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
    model.body[1].eval()  # a frozen BatchNorm in a model that trains
    return model, optimizer


def everything(model: Net, optimizer: torch.optim.Optimizer) -> list[Any]:
    """All that must not change, as plain bytes and values."""

    def plain(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return value.dtype, value.detach().clone().numpy().tobytes()
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        return [plain(item) for item in value] if isinstance(value, list | tuple) else value

    numpy: Any = np.random.get_state()
    return [
        plain(dict(model.named_parameters())),
        plain(dict(model.named_buffers())),
        [plain(p.grad) for p in model.parameters()],
        plain(optimizer.state_dict()),
        [module.training for module in model.modules()],
        plain(torch.get_rng_state()), numpy[1].tobytes(), numpy[2], random.getstate(),
    ]  # fmt: skip


class Stop(Exception):
    pass


def failing_batches() -> Iterator[Any]:
    yield from data(5)
    raise Stop


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("updates", [0, 3])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_torch_leaves_everything_as_it_was(name: str, updates: int, training: bool) -> None:
    model, optimizer = trained(OPTIMIZERS[name], updates)
    if not training:
        model.eval()
    tensors = [id(t) for t in (*model.parameters(), *model.buffers())]
    before = everything(model, optimizer)
    results = [lrcourse.torch.range_test(model, optimizer, F.cross_entropy, data(), steps=40) for _ in range(3)]
    assert everything(model, optimizer) == before
    assert [id(t) for t in (*model.parameters(), *model.buffers())] == tensors
    assert results[0].losses.tolist() == results[1].losses.tolist() == results[2].losses.tolist()
    assert len(set(results[0].losses)) > 10
    with pytest.raises(Stop):
        lrcourse.torch.range_test(model, optimizer, F.cross_entropy, failing_batches(), start=0.1, steps=40)
    assert everything(model, optimizer) == before


def test_torch_restores_what_a_failing_forward_left_in_between() -> None:
    model, optimizer = trained(OPTIMIZERS["adam"], 3)
    before = everything(model, optimizer)
    calls = []

    def loss_fn(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        if len(calls) == 5:
            raise Stop
        return F.cross_entropy(outputs, targets)

    with pytest.raises(Stop):
        lrcourse.torch.range_test(model, optimizer, loss_fn, data(), start=0.1, accumulate=2)
    assert everything(model, optimizer) == before


def test_torch_training_goes_on_as_if_nothing_had_happened() -> None:
    def finish(interrupted: bool) -> list[float]:
        model, optimizer = trained(OPTIMIZERS["adam"], 3)
        if interrupted:
            lrcourse.torch.range_test(model, optimizer, F.cross_entropy, data())
        losses = []
        for x, y in data():
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    assert finish(True) == finish(False)


def test_torch_applies_the_ladder_and_keeps_the_ratio_of_the_groups() -> None:
    model, optimizer = trained(OPTIMIZERS["groups"], 0)
    applied = []
    handle = optimizer.register_step_pre_hook(
        lambda opt, args, kwargs: applied.append([g["lr"] for g in opt.param_groups])
    )
    result = lrcourse.torch.range_test(model, optimizer, F.cross_entropy, data(), steps=30, stop=math.inf)
    handle.remove()
    small, large = np.array(applied).T
    assert large.tolist() == result.lrs.tolist() == np.geomspace(1e-7, 10, 30).tolist()
    np.testing.assert_allclose(small, large / 10, rtol=1e-12)


def linear_model() -> tuple[torch.nn.Module, torch.optim.Optimizer, list[tuple[torch.Tensor, torch.Tensor]]]:
    torch.manual_seed(0)
    model = torch.nn.Linear(4, 1).double()
    batches = [(x.double(), x.double().sum(1, keepdim=True)) for x, _ in data(4)]
    return model, torch.optim.SGD(model.parameters(), lr=0.1), batches


def test_torch_accumulation_equals_the_larger_batch() -> None:
    model, optimizer, batches = linear_model()
    large = [tuple(map(torch.cat, zip(*batches[i : i + 2], strict=True))) for i in (0, 2)]
    options: dict[str, Any] = {"steps": 50, "smooth": 0.5}
    accumulated = lrcourse.torch.range_test(model, optimizer, F.mse_loss, batches, accumulate=2, **options)
    whole = lrcourse.torch.range_test(model, optimizer, F.mse_loss, large, **options)
    np.testing.assert_allclose(accumulated.losses, whole.losses, rtol=1e-9)
    assert accumulated.stopped == whole.stopped == "diverged"


@pytest.mark.parametrize("scaled", [False, True])
def test_torch_clips_the_gradient_of_the_loss(scaled: bool) -> None:
    norms: list[float] = []

    def note(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        norms.append(float(torch.linalg.vector_norm(torch.cat([p.grad.flatten() for p in parameters(optimizer)]))))

    model, optimizer, batches = linear_model()
    optimizer.register_step_pre_hook(note)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10) if scaled else None
    options: dict[str, Any] = {"steps": 50, "accumulate": 2, "scaler": scaler}
    lrcourse.torch.range_test(model, optimizer, F.mse_loss, batches, clip=0.5, **options)
    assert len(norms) == 50 and max(norms) == pytest.approx(0.5, 1e-4) and norms[0] > 0.4999
    free = lrcourse.torch.range_test(model, optimizer, F.mse_loss, batches, **options)
    assert max(norms[50:]) > 1 and free.stopped == "diverged"


def parameters(optimizer: torch.optim.Optimizer) -> list[Any]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def test_torch_measures_on_validation_batches_after_each_update() -> None:
    model, optimizer, batches = linear_model()
    options: dict[str, Any] = {"steps": 50, "smooth": 0.5, "stop": np.inf}
    before = lrcourse.torch.range_test(model, optimizer, F.mse_loss, batches[:1], **options)
    for validation in (batches[:1], iter(batches[:1])):
        after = lrcourse.torch.range_test(model, optimizer, F.mse_loss, batches[:1], validation=validation, **options)
        assert after.lrs.tolist() == before.lrs.tolist()
        np.testing.assert_allclose(after.losses[:-1], before.losses[1:], rtol=1e-12)
    two = lrcourse.torch.range_test(model, optimizer, F.mse_loss, batches[:1], validation=batches[1:3], **options)
    with torch.no_grad():
        expected = sum(float(F.mse_loss(model(x), y)) for x, y in batches[1:3]) / 2
    assert two.losses[0] == pytest.approx(expected, 1e-5)  # the first update is one at rate 1e-7


def test_torch_validates_without_dropout_and_leaves_everything_as_it_was() -> None:
    model, optimizer = trained(OPTIMIZERS["adam"], 3)
    generator = torch.Generator().manual_seed(3)
    examples: Any = data(1)[0][0]
    loader = torch.utils.data.DataLoader(examples, batch_size=4, shuffle=True, generator=generator)
    modes: set[tuple[bool, ...]] = set()

    def loss(model: Any, batch: torch.Tensor) -> torch.Tensor:
        modes.add((torch.is_grad_enabled(), *(each.training for each in model.body)))
        return model(batch).square().mean()

    before, state, told = everything(model, optimizer), generator.get_state(), []
    result = lrcourse.torch.range_test(
        model, optimizer, None, loader, batch_loss=loss, validation=loader, steps=9, end=0.01,
        progress=lambda lr, loss: told.append((lr, loss)),
    )  # fmt: skip
    assert modes == {(True, True, False, True, True), (False, False, False, False, False)}
    assert everything(model, optimizer) == before and torch.equal(generator.get_state(), state)
    assert told == list(zip(result.lrs, result.losses)) and len(told) == 9


@pytest.mark.parametrize(("options", "message"), [
    ({"clip": 0.0}, "clip must be .*, got 0.0: use for example 1.0, or None"),
    ({"validation": []}, "validation must be one batch or more, got .*: pass a DataLoader"),
])  # fmt: skip
def test_torch_bad_options_are_refused_and_change_nothing(options: dict[str, Any], message: str) -> None:
    model, optimizer = trained(OPTIMIZERS["adam"], 3)
    before = everything(model, optimizer)
    with pytest.raises(ValueError, match=message):
        lrcourse.torch.range_test(model, optimizer, F.cross_entropy, data(), **options)
    assert everything(model, optimizer) == before


def test_torch_takes_any_batches() -> None:
    model, optimizer, batches = linear_model()
    dataset = torch.utils.data.TensorDataset(*map(torch.cat, zip(*batches, strict=True)))
    expected = lrcourse.torch.range_test(model, optimizer, F.mse_loss, batches)
    from_generator = lrcourse.torch.range_test(model, optimizer, F.mse_loss, (batch for batch in batches))
    from_loader = lrcourse.torch.range_test(
        model, optimizer, F.mse_loss, torch.utils.data.DataLoader(dataset, batch_size=8)
    )
    assert expected.losses.tolist() == from_generator.losses.tolist() == from_loader.losses.tolist()
    generator = torch.Generator().manual_seed(3)
    shuffled = torch.utils.data.DataLoader(dataset, batch_size=8, shuffle=True, generator=generator)
    state, rng = generator.get_state(), torch.get_rng_state()
    first = lrcourse.torch.range_test(model, optimizer, F.mse_loss, shuffled)
    assert torch.equal(generator.get_state(), state) and torch.equal(torch.get_rng_state(), rng)
    assert first.losses.tolist() == lrcourse.torch.range_test(model, optimizer, F.mse_loss, shuffled).losses.tolist()
    with pytest.raises(ValueError, match="batches must be one batch or more"):
        lrcourse.torch.range_test(model, optimizer, F.mse_loss, [])


def test_torch_autocast_in_bfloat16() -> None:
    model, optimizer = trained(OPTIMIZERS["adam"], 3)
    before, seen = everything(model, optimizer), set()

    def loss_fn(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        seen.add(outputs.dtype)
        return F.cross_entropy(outputs.float(), targets)

    result = lrcourse.torch.range_test(model, optimizer, loss_fn, data(), autocast=torch.bfloat16)
    assert seen == {torch.bfloat16} and len(result.losses) > 50
    assert everything(model, optimizer) == before


def test_torch_an_update_that_the_scaler_skips_is_no_step() -> None:
    model, optimizer = trained(OPTIMIZERS["sgd"], 3)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**20, growth_interval=10**6)
    before, settings, rates = everything(model, optimizer), copy.deepcopy(scaler.state_dict()), []
    model.body[3].weight.register_hook(lambda grad: torch.where(grad.abs() > 2**10, torch.inf, grad))  # like float16
    handle = optimizer.register_step_pre_hook(lambda opt, a, k: rates.append(opt.param_groups[0]["lr"]))
    result = lrcourse.torch.range_test(model, optimizer, F.cross_entropy, data(), end=0.01, steps=30, scaler=scaler)
    handle.remove()
    assert rates == result.lrs.tolist() == np.geomspace(1e-7, 0.01, 30).tolist()
    assert everything(model, optimizer) == before and scaler.state_dict() == settings


def test_torch_a_scaler_that_never_recovers_ends_the_test() -> None:
    model, optimizer = trained(OPTIMIZERS["sgd"], 3)
    model.body[3].weight.register_hook(lambda grad: grad * torch.inf)
    result = lrcourse.torch.range_test(
        model, optimizer, F.cross_entropy, data(), scaler=torch.amp.GradScaler("cpu", init_scale=4.0)
    )
    assert result.stopped == "not finite" and len(result.losses) == 0


def test_torch_brackets_the_largest_stable_rate_of_a_quadratic() -> None:
    model, optimizer, batches = linear_model()
    x = torch.cat([x for x, _ in batches])
    with_bias = torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], 1)
    curvature = torch.linalg.eigvalsh(2 * with_bias.T @ with_bias / len(x)).max().item()
    whole = [(x, x.sum(1, keepdim=True))]
    result = lrcourse.torch.range_test(model, optimizer, F.mse_loss, whole, start=1e-4, steps=200, smooth=0.5)
    bounds, suggested = result.bounds(), result.suggest("valley")
    assert bounds is not None and suggested is not None
    assert 0.2 / curvature < bounds[1] < 2 * 2 / curvature  # a gradient step is stable below 2 / curvature
    assert bounds[0] / 10 < suggested < bounds[1]


def as_dict(x: torch.Tensor, y: torch.Tensor) -> dict[str, Any]:
    return {"x": x, "labels": {"y": y}, "name": "a batch"}


class Moves:
    """A batch of another library, with a method `to`."""

    def __init__(self, x: torch.Tensor, y: torch.Tensor) -> None:
        self.x, self.y = x.half(), y

    def to(self, device: torch.device) -> "Moves":
        moved = copy.copy(self)
        moved.x = self.x.double()
        return moved


class Named(NamedTuple):
    x: torch.Tensor
    y: torch.Tensor
    mask: torch.Tensor


KINDS: dict[str, tuple[Callable[..., Any], Callable[[Any, Any], torch.Tensor]]] = {
    "dicts": (as_dict, lambda model, batch: F.mse_loss(model(batch["x"]), batch["labels"]["y"])),
    "triples": (lambda x, y: [x, torch.ones(8, 1), y], lambda model, b: F.mse_loss(model(b[0]) * b[1], b[2])),
    "named": (lambda x, y: Named(x, y, torch.ones(8, 1)), lambda model, b: F.mse_loss(model(b.x) * b.mask, b.y)),
    "pairs": (lambda x, y: (x, y), lambda model, batch: F.mse_loss(model(batch[0]), batch[1])),
    "tensors": (lambda x, y: torch.cat([x, y], 1), lambda model, b: F.mse_loss(model(b[:, :4]), b[:, 4:])),
}


@pytest.mark.parametrize("kind", KINDS)
def test_torch_takes_batches_of_any_kind_through_their_own_loss(kind: str) -> None:
    make, batch_loss = KINDS[kind]
    model, optimizer, batches = linear_model()
    expected = lrcourse.torch.range_test(model, optimizer, F.mse_loss, batches)
    own = [make(*batch) for batch in batches]
    result = lrcourse.torch.range_test(model, optimizer, None, own, batch_loss=batch_loss)
    assert result.losses.tolist() == expected.losses.tolist() and len(result.losses) > 50
    if kind != "pairs":
        with pytest.raises(
            ValueError, match="batches must be pairs of inputs and targets.*batch_loss=lambda model, ba"
        ):
            lrcourse.torch.range_test(model, optimizer, F.mse_loss, own)


def test_torch_moves_what_a_batch_holds() -> None:
    model, optimizer, batches = linear_model()
    own = [{"pair": (Moves(x, y), [y, None, 3])} for x, y in batches]

    def batch_loss(model: Any, batch: Any) -> torch.Tensor:
        moves, rest = batch["pair"]
        assert moves.x.dtype == torch.float64 and rest[1:] == [None, 3] and isinstance(rest, list)
        return F.mse_loss(model(moves.x), rest[0])

    assert len(lrcourse.torch.range_test(model, optimizer, None, own, batch_loss=batch_loss).losses) > 50


@pytest.mark.parametrize("change, message", [
    ({"loss_fn": None}, "loss_fn must be a function of outputs and targets, got None: or pass batch_loss"),
    ({"batch_loss": F.mse_loss}, "loss_fn must be None beside a batch_loss"),
    ({"loss_fn": lambda a, b: (a - b) ** 2}, r"the loss must be a tensor with one number, got 'shape \(8, 1\)'"),
    ({"loss_fn": lambda a, b: 0.1}, "the loss must be a tensor with one number, got 'float'"),
    ({"loss_fn": lambda a, b: b.mean()}, "the loss must be computed from parameters with requires_grad"),
    ({"model": torch.nn.Identity()}, "model must be one with parameters, got 'Identity'"),
    ({"optimizer": lambda model: torch.optim.LBFGS(model.parameters())},
     r"optimizer must be one whose step\(\) needs no closure, got 'LBFGS': use SGD or AdamW"),
    ({"optimizer": lambda model: torch.optim.AdamW(model.parameters(), lr=torch.tensor(1), foreach=False)},
     "lr must be a number or a tensor of floats"),
    ({"optimizer": lambda model: torch.optim.SGD(model.parameters(), lr=math.inf)}, "lr must be finite in every group"),
])  # fmt: skip
def test_torch_what_it_cannot_test_is_refused_with_the_fix(change: dict[str, Any], message: str) -> None:
    model, optimizer, batches = linear_model()
    given = {"model": model, "optimizer": optimizer, "loss_fn": F.mse_loss, "batches": batches, **change}
    if callable(change.get("optimizer")):
        given["optimizer"] = change["optimizer"](model)
    before = [weight.tolist() for weight in model.parameters()]
    with pytest.raises(ValueError, match=message):
        lrcourse.torch.range_test(**given)
    assert [weight.tolist() for weight in model.parameters()] == before


@pytest.mark.parametrize("relative", [False, True])
def test_torch_under_a_schedule_that_begins_at_0(relative: bool) -> None:
    model, _, batches = linear_model()
    groups = [{"params": [parameter], "lr": lr} for parameter, lr in zip(model.parameters(), (0.1, 0.01))]
    optimizer = torch.optim.SGD(groups if relative else model.parameters(), lr=0.1)
    scheduler = lrcourse.torch.ScheduleLR(optimizer, warmup(Constant(0.1), 5), relative=relative)
    seen = []
    handle = optimizer.register_step_pre_hook(lambda *_: seen.append([group["lr"] for group in optimizer.param_groups]))
    result = lrcourse.torch.range_test(model, optimizer, F.mse_loss, batches)
    handle.remove()
    expected = [[lr, lr / 10] if relative else [lr] for lr in result.lrs.tolist()]
    np.testing.assert_allclose(seen, expected, rtol=1e-12)
    assert scheduler.get_last_lr() == [group["lr"] for group in optimizer.param_groups] == [0.0] * (1 + relative)


def seen_rates(scheduled: Callable[[torch.optim.Optimizer], Any], own: tuple[float, ...] = (0.1, 0.001)) -> Any:
    """The ladder of a range test and the rates that the groups are tested at, after `scheduled` has set them."""
    model, _, batches = linear_model()
    groups = [{"params": [parameter], "lr": lr} for parameter, lr in zip(model.parameters(), own, strict=True)]
    optimizer = torch.optim.SGD(groups, lr=0.1)
    scheduler = scheduled(optimizer)
    before, seen = [dict(group) for group in optimizer.param_groups], []
    optimizer.register_step_pre_hook(lambda *_: seen.append([group["lr"] for group in optimizer.param_groups]))
    try:
        result = lrcourse.torch.range_test(model, optimizer, F.mse_loss, batches, steps=20)
    finally:
        assert [dict(group) for group in optimizer.param_groups] == before
    assert scheduler is None or len(seen) > 5
    return result.lrs, np.array(seen)


WARM = warmup(Constant(1.0), 10)
RATIOS = {
    "no schedule": lambda o: None,
    "relative": lambda o: lrcourse.torch.ScheduleLR(o, WARM, relative=True),
    "a warm-up of torch": lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda t: t / 10),
    "one that does not begin at 0": lambda o: torch.optim.lr_scheduler.LinearLR(o, 0.1),
    "a schedule for each": lambda o: lrcourse.torch.ScheduleLR(o, [Constant(0.2), Constant(0.002)]),
    "a ratio set by hand": lambda o: [
        lrcourse.torch.ScheduleLR(o, [WARM, WARM]),
        *(group.update(lr=lr) for group, lr in zip(o.param_groups, (0.5, 0.005))),
    ],
}


@pytest.mark.parametrize("name", RATIOS)
def test_torch_groups_keep_their_ratio_under_a_schedule(name: str) -> None:
    lrs, seen = seen_rates(RATIOS[name])
    np.testing.assert_allclose(seen, np.outer(lrs, [1, 0.01]))


@pytest.mark.parametrize("scheduled", [
    lambda o: lrcourse.torch.ScheduleLR(o, [0.1 * WARM, 0.001 * WARM]),
    lambda o: lrcourse.torch.ScheduleLR(o, [Constant(0.1), 0.001 * WARM]),
    lambda o: torch.optim.lr_scheduler.LambdaLR(o, [lambda t: 1.0, lambda t: t / 10]),
    lambda o: [group.update(lr=math.nan) for group in o.param_groups],
    lambda o: [group.update(lr=0.0) for group in o.param_groups],
    lambda o: o.param_groups[0].update(lr=math.nan),
    lambda o: o.param_groups[1].update(lr=math.nan),
    lambda o: o.param_groups[1].update(lr=-1.0),
])  # fmt: skip
def test_torch_a_ratio_that_is_not_known_is_refused_with_both_fixes(scheduled: Any) -> None:
    with pytest.raises(
        ValueError, match="lr must be finite in every group.*before a schedule.* or set each group's lr"
    ):
        seen_rates(scheduled)


def test_torch_a_group_that_is_frozen_by_its_rate_stays_so() -> None:
    lrs, seen = seen_rates(lambda o: None, own=(0.1, 0.0))
    np.testing.assert_array_equal(seen, np.outer(lrs, [1, 0]))


def test_torch_a_rate_beyond_a_tensor_of_32_bits_is_refused() -> None:
    model, _, batches = linear_model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=torch.tensor(0.1), foreach=False)
    with pytest.raises(ValueError, match=r"end must be at most 3.4028e\+38.*got 1e\+39"):
        lrcourse.torch.range_test(model, optimizer, F.mse_loss, batches, end=1e39)


class Nested(torch.utils.data.Sampler):
    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __iter__(self) -> Any:
        return iter(self.inner)

    def __len__(self) -> int:
        return len(self.inner)


@pytest.mark.parametrize("place", ["sampler", "batch_sampler", "nested", "loader"])
def test_torch_puts_back_the_generator_wherever_a_loader_keeps_it(place: str) -> None:
    from torch.utils.data import BatchSampler, DataLoader, RandomSampler, TensorDataset

    model, optimizer, batches = linear_model()
    dataset = TensorDataset(*map(torch.cat, zip(*batches)))
    generator = torch.Generator().manual_seed(3)
    random_order = RandomSampler(dataset, generator=generator)
    loader: Any = {
        "sampler": lambda: DataLoader(dataset, 16, sampler=random_order),
        "batch_sampler": lambda: DataLoader(dataset, batch_sampler=BatchSampler(random_order, 16, False)),
        "nested": lambda: DataLoader(dataset, batch_sampler=Nested(BatchSampler(Nested(random_order), 16, False))),
        "loader": lambda: DataLoader(dataset, 16, shuffle=True, generator=generator),
    }[place]()
    before = generator.get_state()
    lrcourse.torch.range_test(model, optimizer, F.mse_loss, loader, steps=20)
    assert torch.equal(generator.get_state(), before)


@pytest.mark.parametrize("lazy", [lambda: torch.nn.LazyLinear(1), lambda: torch.nn.LazyBatchNorm1d(affine=False)])
def test_torch_a_model_without_its_weights_is_refused_with_the_fix(lazy: Callable[[], Any]) -> None:
    _, _, batches = linear_model()
    model = torch.nn.Sequential(lazy(), torch.nn.Linear(4, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(ValueError, match=r"model must be initialized, got 'Sequential': .*model\(inputs\) once"):
        lrcourse.torch.range_test(model, optimizer, F.mse_loss, batches)


TOGETHER = """
from lrcourse.torch import range_test

torch.manual_seed(0)
x = torch.randn(4, 8, 4)
batches = [(x, x.sum(1, keepdim=True) * (1 + 30 * rank)) for x in x]  # the losses of rank 1 are higher
plain = torch.nn.Linear(4, 1)
model = torch.nn.parallel.DistributedDataParallel(plain)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
mse, results = torch.nn.functional.mse_loss, []

def breaks_on_one(outputs, targets):
    broken = rank == 1 and optimizer.param_groups[0]["lr"] > 0.01
    return mse(outputs, targets) * (float("nan") if broken else 1)

by_validation = {"validation": batches, "clip": 100.0}  # each process has a validation loss of its own
for loss_fn, stop, options in ((mse, 2.0, {}), (mse, 4.0, {}), (breaks_on_one, 4.0, {}), (mse, 4.0, by_validation)):
    result = range_test(model, optimizer, loss_fn, batches, smooth=0.9, stop=stop, **options)
    results.append([len(result.lrs), result.stopped, result.losses.tolist()])
if rank == 0:  # the others wait: a model of one process is tested by that process
    alone = torch.nn.Linear(4, 1)
    range_test(alone, torch.optim.SGD(alone.parameters(), lr=0.1), mse, batches)
print(json.dumps(results))
"""


@pytest.mark.slow
def test_torch_processes_that_train_together_stop_together(tmp_path: Path) -> None:
    first, second = map(json.loads, run_together(TOGETHER, tmp_path))
    assert first == second
    assert [stopped for _, stopped, _ in first] == ["diverged", "diverged", "not finite", "diverged"]
    assert 50 < first[2][0] < first[0][0] <= first[1][0] < 100


# Keras, each backend in a process of its own

KERAS = """
import keras, numpy as np, random
from lrcourse import Constant
from lrcourse.keras import KerasSchedule, range_test

def build(optimizer, loss="mse", **options):
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Input((3,)), keras.layers.Dense(8, kernel_regularizer="l2"),
              keras.layers.BatchNormalization(), keras.layers.Dropout(0.3), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    model.compile(optimizer, loss, metrics=["mae"], **options)
    return model

def everything(model):
    arrays = [keras.ops.convert_to_numpy(v) for v in (*model.variables, *model.optimizer.variables)]
    modes = [m.training for m in model.modules()] if keras.backend.backend() == "torch" else []
    return [(a.dtype, a.tobytes()) for a in map(np.array, arrays)], modes, random.getstate(), np.random.get_state()[2]

def metrics(model):
    return [float(v) for v in model.metrics_variables]

x = np.random.default_rng(0).standard_normal((50, 3)).astype("float32")
y = x.sum(1, keepdims=True)
adam = lambda: keras.optimizers.Adam(0.01)

for make in (lambda: keras.optimizers.SGD(0.05, momentum=0.9), adam,
             lambda: keras.optimizers.Adam(0.01, gradient_accumulation_steps=3),
             lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.05), initial_scale=2.0**10)):
    for trained in (False, True):
        model = build(make())
        if trained:
            model.fit(x, y, batch_size=8, verbose=0)
        model.optimizer.build(model.trainable_variables)
        before, measured = everything(model), metrics(model)
        runs = [range_test(model, x, y, batch_size=8, end=0.1, steps=25, stop=1e9) for _ in range(3)]
        assert everything(model) == before
        assert runs[0].losses.tolist() == runs[1].losses.tolist() == runs[2].losses.tolist()
        assert len(set(runs[0].losses)) > 10
        assert metrics(model) == measured if trained else not any(metrics(model))

class Stop(Exception):
    pass

model = build(adam())
model.fit(x, y, verbose=0)
before, train, calls = everything(model), model.train_on_batch, []
def failing(*args, **kwargs):
    calls.append(1)
    if len(calls) == 6:
        raise Stop
    return train(*args, **kwargs)
object.__setattr__(model, "train_on_batch", failing)
try:
    range_test(model, x, y, start=0.01)
    raise AssertionError("no exception")
except Stop:
    assert everything(model) == before

# The loss is that of each batch: without an update worth the name it is the loss of that batch alone.
keras.utils.set_random_seed(0)
model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])
model.compile(keras.optimizers.SGD(0.1), "mse")
result = range_test(model, x, y, batch_size=10, start=1e-12, end=1e-11, steps=5)
order = np.random.default_rng(0).permutation(50).reshape(5, 10)
expected = [model.evaluate(x[chosen], y[chosen], verbose=0) for chosen in order]
np.testing.assert_allclose(result.losses, expected, rtol=1e-5)

# The rate is applied: by hand on a linear model.
w, b = (np.array(keras.ops.convert_to_numpy(v), dtype=float) for v in model.trainable_variables)
result = range_test(model, x, y, batch_size=50, start=0.01, end=1, steps=20)
for lr, loss in zip(result.lrs, result.losses):
    error = x @ w + b - y
    np.testing.assert_allclose(loss, (error**2).mean(), rtol=2e-3)
    w, b = w - lr * 2 * x.T @ error / 50, b - lr * 2 * error.mean(0)

def refused(fix, *args, **options):
    try:
        range_test(*args, **options)
    except ValueError as error:
        assert fix in str(error), error
    else:
        raise AssertionError(fix)

refused("compile with learning_rate=0.01", build(keras.optimizers.SGD(KerasSchedule(Constant(0.1), 10))), x, y)
refused("compile with learning_rate=0.01", build(keras.optimizers.SGD(
    keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5))), x, y)
several = keras.optimizers.MultiOptimizer(keras.optimizers.OptimizerMap(keras.optimizers.SGD(0.1)))
refused("compile with a single optimizer", build(several), x, y)
refused("model.compile", keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)]), x, y)
unbuilt = keras.Sequential([keras.layers.Dense(1)])
unbuilt.compile("sgd", "mse")
refused("keras.layers.Input", unbuilt, x, y)
refused("one target per input", model, x, y[:-1])
refused("batch_size must be a whole number, at least 1", model, x, y, batch_size=0)
refused("end must be finite as float32, got 1e+39", model, x, y, end=1e39)
print("done on", keras.backend.backend())
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "torch"])
def test_keras(backend: str) -> None:
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    ran = subprocess.run([sys.executable, "-c", KERAS], env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[-1] == f"done on {backend}"
