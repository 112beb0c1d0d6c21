"""Any module in one program: each member equals its own run in plain PyTorch, whatever the sweep asks for."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lrcourse import Constant, Cosine, OneCycle, Schedule
from lrcourse.data import Dataset, linear_regression, moons
from lrcourse.sweep import Setting, engines, functional, grid, members, stacked, sweep, watch
from lrcourse.torch import MLP, LogicNet, ScheduleLR
from lrcourse.torch.rules import AdamW, Rule, RuleOptimizer, ScheduleFreeSGD

STEPS, VOCABULARY, CONTEXT = 7, 11, 6
RNG = np.random.default_rng(0)


def tokens(seed=0, n=18, n_test=6):
    drawn = np.random.default_rng(seed).integers(0, VOCABULARY, (n + n_test, CONTEXT + 1))
    x, y = drawn[:, :-1], drawn[:, 1:]
    return Dataset("tokens", "", x[:n], y[:n], x[n:], y[n:])


TEXT = tokens()
IMAGES = Dataset("images", "", RNG.random((18, 1, 6, 6)), RNG.integers(0, 3, 18), RNG.random((6, 1, 6, 6)),
                 RNG.integers(0, 3, 6))  # fmt: skip
MOONS = moons(n=20, n_test=10)


class Block(nn.Module):
    """Attention with a mask, two heads, and a perceptron, each beside an open way, behind a norm."""

    def __init__(self, width):
        super().__init__()
        self.norm, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention, self.out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width)
        self.hidden, self.back = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.register_buffer("mask", torch.full((CONTEXT, CONTEXT), -torch.inf).triu(1))

    def forward(self, x):
        query, key, value = self.attention(self.norm(x)).unflatten(-1, (3, 2, -1)).permute(2, 0, 3, 1, 4)
        scores = query @ key.transpose(-1, -2) / key.shape[-1] ** 0.5 + self.mask
        x = x + self.out((scores.softmax(-1) @ value).transpose(1, 2).flatten(2))
        return x + self.back(F.gelu(self.hidden(self.norm2(x))))


class Language(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.tokens, self.places = nn.Embedding(VOCABULARY, width), nn.Parameter(torch.zeros(CONTEXT, width))
        self.block, self.norm = Block(width), nn.LayerNorm(width)

    def forward(self, x):
        return self.norm(self.block(self.tokens(x) + self.places)) @ self.tokens.weight.T


def gpt():
    return Language().double()


def cnn():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.GroupNorm(2, 4), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3), nn.Flatten(),
        nn.Linear(4, 3),
    ).double()  # fmt: skip


class Sums(Rule):
    """A rule that has all parameters at once: momentum, at a length that is the same for all of them together."""

    def init(self, params):
        return {name: torch.zeros_like(each) for name, each in params.items()}

    def update(self, grads, state, params, lr, momentum, weight_decay):
        state = {name: momentum * state[name] + grads[name] + weight_decay * each for name, each in params.items()}
        length = 1 + sum(each.square().sum() for each in state.values())
        return {name: each - lr * state[name] / length for name, each in params.items()}, state


SUMS = Sums(momentum=0.5)


@dataclass
class Plain:
    """What a run of one member has to show."""

    losses: list[float]
    evaluations: list[tuple[float, float, float]]
    averaged: list[tuple[float, float, float]]
    norms: list[float]
    model: nn.Module


def plain(model_fn, data, setting, optimizer="sgd", batch_size=None, clip=None, accumulate=1, ema=None, every=None,
          steps=STEPS):  # fmt: skip
    """One member by hand: `torch.optim`, a real scheduler and PyTorch's own means."""
    torch.manual_seed(setting.seed)
    model = model_fn()
    momentum = setting.momentum
    first = momentum(0) if callable(momentum) else momentum
    options: dict[str, Any] = {"lr": setting.lr, "weight_decay": setting.weight_decay}
    if isinstance(optimizer, Rule):
        optimizer = RuleOptimizer(model.named_parameters(), optimizer, momentum=first, **options)
    elif optimizer == "sgd":
        optimizer = torch.optim.SGD(model.parameters(), momentum=first or 0.0, **options)
    else:
        kinds = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
        optimizer = kinds[optimizer](model.parameters(), betas=(0.9 if first is None else first, 0.999), **options)
    schedule = Constant(1.0) if setting.schedule is None else setting.schedule
    cycled = momentum if callable(momentum) else None
    scheduler = (ScheduleLR(optimizer, setting.lr * schedule, cycled) if isinstance(schedule, Schedule)
                 else schedule(optimizer))  # fmt: skip
    average = ema and torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(ema)
    )
    x, y, x_test, y_test = map(torch.as_tensor, (data.x_train, data.y_train, data.x_test, data.y_test))
    loss_of = F.mse_loss if y.is_floating_point() else lambda outputs, y: F.cross_entropy(
        outputs.flatten(0, -2), y.flatten())  # fmt: skip
    run = Plain([], [], [], [], model)

    @torch.no_grad()
    def evaluate():
        for kind, found in [(model, run.evaluations), (average, run.averaged)]:
            if kind:
                right = (kind(x_test).argmax(-1) == y_test).double().mean().item()
                right = np.nan if y.is_floating_point() else right
                found.append((loss_of(kind(x), y).item(), loss_of(kind(x_test), y_test).item(), right))

    rng, order = np.random.default_rng(setting.seed), []
    for step in range(steps):
        if every and step % every == 0:
            evaluate()
        optimizer.zero_grad()
        losses = []
        for _ in range(accumulate):
            if not order:
                shuffled = torch.as_tensor(rng.permutation(len(x)))
                order = list(shuffled.split(batch_size)) if batch_size else [slice(None)]
            at = order.pop(0)
            loss = loss_of(model(x[at]), y[at])
            (loss / accumulate).backward()
            losses.append(loss.item())
        run.losses.append(float(np.mean(losses)))
        run.norms.append(nn.utils.clip_grad_norm_(model.parameters(), clip or 1e300).item())
        optimizer.step()
        scheduler.step()
        if average:
            average.update_parameters(model)
    evaluate()
    return run


MEMBERS = [
    *grid(lr=[0.05, 0.2], weight_decay=[0.0, 0.01], seed=[0, 3]),
    Setting(lr=0.2, schedule=Cosine(1.0, 0.1, STEPS), seed=4),
    Setting(lr=0.2, schedule=OneCycle(1.0, STEPS), momentum=OneCycle(1.0, STEPS).momentum(), seed=4),
    Setting(lr=0.1, momentum=0.8, schedule=lambda each: torch.optim.lr_scheduler.ExponentialLR(each, 0.9), seed=5),
]


def compared(model_fn, data, settings=MEMBERS, engine="vmap", atol=1e-9, **options):
    given = {"clip": "clip", "accumulate": "accumulate", "ema": "ema", "evaluate_every": "every"}
    result = sweep(model_fn, data, settings=settings, steps=STEPS, engine=engine, gradient_norms=True, progress=False,
                   keep_weights=True, **options)  # fmt: skip
    assert result.engine == engine
    shared = {given.get(name, name): value for name, value in options.items() if name not in ("loss", "statistics")}
    runs = [plain(model_fn, data, setting, **shared) for setting in settings]

    def equal(ours, theirs):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=atol)

    equal(result.curves, [run.losses for run in runs])
    assert len(np.unique(result.train_loss)) == len(settings), "the members must differ"
    equal(result.trace.gradient_norms, [run.norms for run in runs])
    pairs = [(result.trace, "evaluations")] + [(each, "averaged") for each in result.trace.ema.values()]
    for trace, name in pairs:
        theirs = np.array([getattr(run, name) for run in runs])
        assert trace.train_loss.shape == theirs.shape[:2]
        for i, column in enumerate((trace.train_loss, trace.test_loss, trace.test_accuracy)):
            equal(column, theirs[:, :, i])
    for name, each in result.weights[STEPS].items():
        equal(each, torch.stack([run.model.get_parameter(name).detach() for run in runs]))
    return result


@pytest.mark.parametrize("engine", ["loop", "vmap"])
@pytest.mark.parametrize("model_fn, data", [(gpt, TEXT), (cnn, IMAGES)], ids=["gpt", "cnn"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", SUMS], ids=["sgd", "adam", "adamw", "rule"])
def test_each_member_equals_its_plain_run(model_fn, data, engine, optimizer):
    compared(model_fn, data, engine=engine, optimizer=optimizer, batch_size=8)


@pytest.mark.parametrize("engine", ["loop", "vmap"])
@pytest.mark.parametrize("model_fn, data", [(gpt, TEXT), (cnn, IMAGES)], ids=["gpt", "cnn"])
@pytest.mark.parametrize("optimizer", ["sgd", AdamW()], ids=["sgd", "rule"])
def test_with_all_that_can_be_asked_for(model_fn, data, engine, optimizer):
    settings = grid(lr=[0.05, 0.2], weight_decay=[0.0, 0.01], seed=[0, 3])
    compared(model_fn, data, settings, engine, optimizer=optimizer, batch_size=5, clip=0.3, accumulate=3, ema=0.7,
             evaluate_every=3)  # fmt: skip


@pytest.mark.parametrize("engine", ["loop", "vmap"])
def test_the_full_batch_and_the_squared_error(engine):
    line = linear_regression(n=20, n_test=10)
    compared(lambda: MLP([1, 5, 1]).double(), line, engine=engine, loss="mse", clip=0.5)
    own = lambda outputs, y: F.mse_loss(outputs, y)  # noqa: E731
    compared(lambda: MLP([1, 5, 1]).double(), line, engine=engine, loss=own)


@pytest.mark.slow
def test_the_compiled_program_equals_the_plain_run_and_the_last_part_has_the_same(monkeypatch):
    monkeypatch.setattr(engines, "MEMBERS", 4)
    monkeypatch.setattr(functional, "PROGRAMS", {})
    settings = grid(lr=[0.05, 0.1, 0.2], weight_decay=[0.0, 0.01])  # parts of three, padded or not, one program
    compared(gpt, TEXT, settings, "vmap-compiled", optimizer="adamw", batch_size=8, clip=0.3, ema=0.7, evaluate_every=3)
    assert len(functional.PROGRAMS) == 1


@pytest.mark.parametrize("engine", ["vmap", pytest.param("vmap-compiled", marks=pytest.mark.slow)])
@pytest.mark.parametrize("model_fn, data", [(gpt, TEXT), (cnn, IMAGES)], ids=["gpt", "cnn"])
def test_a_member_that_explodes_leaves_the_others_alone(model_fn, data, engine):
    calm = grid(lr=[0.01, 0.02, 0.03, 0.04])
    wild = [*calm[:2], replace(calm[2], lr=1e300), calm[3]]
    options: dict[str, Any] = {"steps": STEPS, "batch_size": 8, "clip": 0.5, "ema": 0.5, "progress": False}
    results = [sweep(model_fn, data, settings=each, engine=engine, **options) for each in (calm, wild)]
    assert (results[1].diverged >= 0).tolist() == [False, False, True, False]
    for name, column in results[0].outcome.arrays().items():
        np.testing.assert_array_equal(column[[0, 1, 3]], results[1].outcome.arrays()[name][[0, 1, 3]])


class Features(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("features", torch.rand(2, 4))
        self.frozen, self.layer = nn.Parameter(torch.rand(4), requires_grad=False), nn.Linear(4, 2)

    def forward(self, x):
        return self.layer(torch.cos(x @ self.features + self.frozen))


def test_buffers_and_frozen_parameters_are_each_members_own():
    settings = grid(lr=[0.1, 0.5], seed=[0, 1])
    result = compared(lambda: Features().double(), MOONS, settings, batch_size=8, ema=0.9)
    assert list(result.weights[STEPS]) == ["layer.weight", "layer.bias"]


class Switching(nn.Linear):
    def forward(self, x):
        return super().forward(x) if x.sum() > self.weight.sum() else x @ self.weight.T


class Idle(nn.Linear):
    def __init__(self):
        super().__init__(2, 2)
        self.unused = nn.Parameter(torch.ones(1))


def hooked():
    model = nn.Linear(2, 2)
    model.register_forward_hook(lambda layer, given, outputs: outputs / 2)
    return model


@pytest.mark.parametrize("model_fn, why", [
    (lambda: nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)),
     "BatchNorm1d changes its buffer 1.running_mean in training"),
    (lambda: nn.Sequential(nn.Linear(2, 4), nn.Dropout(), nn.Linear(4, 2)), "draws random numbers in training"),
    (hooked, "Linear has hooks"),
    (lambda: Switching(2, 2), r"torch.vmap cannot train it \(RuntimeError: .*control flow"),
    (Idle, "the parameter unused takes no part in the loss"),
])  # fmt: skip
def test_what_is_no_pure_function_is_refused_and_goes_through_the_loop(monkeypatch, model_fn, why):
    monkeypatch.setattr(engines, "LITTLE_FOR_VMAP", 0.0)

    def double():
        return model_fn().double()

    settings = grid(lr=[0.1, 0.2] * 30)
    options: dict[str, Any] = {"settings": settings, "steps": 9, "batch_size": 8, "progress": False}
    with pytest.raises(ValueError, match=why):
        sweep(double, MOONS, engine="vmap", **options)
    result = sweep(double, MOONS, **options)
    assert result.engine == "loop" and np.isfinite(result.curves).all() and result.verify(1) == 0
    assert why.partition(r" \(")[0] in result.reason


def test_labels_without_an_output_are_left_to_pytorch():
    data = replace(TEXT, y_train=np.where(TEXT.y_train == 3, -100, TEXT.y_train))
    with pytest.raises(ValueError, match="label has no output"):
        sweep(gpt, data, settings=grid(lr=[0.1, 0.2]), steps=2, engine="vmap", progress=False)
    assert np.isfinite(sweep(gpt, data, settings=grid(lr=[0.1]), steps=2, progress=False).curves).all()


def drawn(seed):
    return tokens(seed + 100)


def split(seed):
    return moons(n=20, n_test=10, seed=seed)


def net():
    return LogicNet().double()


@pytest.mark.parametrize("batch_size", [None, 8])
@pytest.mark.parametrize("engine, model_fn, data", [
    ("loop", gpt, drawn), ("vmap", gpt, drawn), ("stacked", net, split), ("vmap", net, split),
    pytest.param("compiled", net, split, marks=pytest.mark.slow),
])  # fmt: skip
def test_the_data_may_be_those_of_the_seed(monkeypatch, engine, model_fn, data, batch_size):
    monkeypatch.setattr(stacked, "CACHED", 100)  # so that members are evaluated in several groups
    settings = grid(lr=[0.05, 0.2], seed=[0, 3, 4])
    result = sweep(model_fn, data, settings=settings, steps=STEPS, batch_size=batch_size, engine=engine, progress=False)
    runs = [plain(model_fn, data(setting.seed), setting, batch_size=batch_size) for setting in settings]
    np.testing.assert_allclose(result.curves, [run.losses for run in runs], rtol=0, atol=1e-9)
    ours = np.stack([result.train_loss, result.test_loss, result.test_accuracy], 1)
    np.testing.assert_allclose(ours, [run.evaluations[-1] for run in runs], rtol=0, atol=1e-9)
    assert result.verify() < 1e-9


@pytest.mark.parametrize("engine", ["loop", "vmap", "stacked"])
def test_statistics_and_weights_on_the_way(engine):
    settings = grid(lr=[0.05, 0.2], seed=[0, 3])
    norms = {"norm": lambda weights: weights["0.weight"].norm(), "first": lambda weights: weights["2.bias"][:2]}
    result = sweep(net, MOONS, settings=settings, steps=STEPS, engine=engine, evaluate_every=3,
                   statistics=norms, keep_weights=[0, 2, 3, STEPS], progress=False)  # fmt: skip
    trace, weights = result.trace, result.weights
    assert trace.step.tolist() == [0, 3, 6, 7] and sorted(weights) == [0, 2, 3, 7]
    assert trace.statistics["norm"].shape == (4, 4) and trace.statistics["first"].shape == (4, 4, 2)
    assert trace.gradient_norms is None and trace.ema == {}
    for t, column in [(0, 0), (3, 1), (7, 3)]:
        np.testing.assert_allclose(weights[t]["0.weight"].flatten(1).norm(dim=1), trace.statistics["norm"][:, column])
    np.testing.assert_array_equal(trace.train_loss[:, -1], result.train_loss)
    np.testing.assert_allclose(trace.train_loss[:, :3], result.curves[:, ::3], rtol=0, atol=1e-12)  # the full batch
    short = sweep(net, MOONS, settings=settings, steps=2, engine="loop", keep_weights=True,
                  progress=False)  # fmt: skip
    for name, each in short.weights[2].items():
        np.testing.assert_allclose(each, weights[2][name], rtol=0, atol=1e-12)
    pair = sweep(LogicNet, (MOONS.x_train.astype(np.float32), MOONS.y_train), settings=settings, steps=2, engine=engine,
                 progress=False)  # fmt: skip
    assert np.isfinite(pair.trace.train_loss).all() and np.isnan(pair.trace.test_loss).all()


@pytest.mark.parametrize("engine", ["loop", "vmap"])
def test_a_rule_is_judged_where_it_says(engine):
    settings = grid(lr=[0.5, 1.0])
    options: dict[str, Any] = {"settings": settings, "steps": STEPS, "evaluate_every": 2, "progress": False}
    free = sweep(net, MOONS, optimizer=ScheduleFreeSGD(momentum=0.0), engine=engine, **options)
    sgd = sweep(net, MOONS, engine="loop", keep_weights=range(STEPS + 1), **options)
    np.testing.assert_allclose(free.curves, sgd.curves, rtol=0, atol=1e-12)  # with this momentum it is plain descent
    model = LogicNet().double()
    for member in range(2):
        means = {name: torch.stack([sgd.weights[t + 1][name][member] for t in range(STEPS)]).mean(0)
                 for name in sgd.weights[0]}  # fmt: skip
        model.load_state_dict(means)
        expected = F.cross_entropy(model(torch.as_tensor(MOONS.x_train)), torch.as_tensor(MOONS.y_train)).item()
        assert free.train_loss[member] == pytest.approx(expected, abs=1e-12)


def test_what_cannot_be_stacked_by_hand_is_tried_by_vmap(monkeypatch):
    times = {"loop": 2e-3, "vmap": 1e-1, "compiled": 1e-3}
    monkeypatch.setattr(engines, "loop_step", lambda plan, updates: times["loop"])
    monkeypatch.setattr(engines, "stacked_step",
                        lambda plan, compiled, clear=0.0: times["compiled" if compiled else "vmap"])  # fmt: skip
    monkeypatch.setattr(engines, "compile_time", lambda plan: 0.1)
    monkeypatch.setattr(engines, "remember", lambda plan, size=1: None)

    def chosen(members=200):
        plan = sweep(gpt, TEXT, settings=grid(lr=[0.1]), steps=100, progress=False).plan
        return engines.choose(replace(plan, settings=grid(lr=[0.1] * members)))

    choice = chosen()
    assert choice.engine == "vmap-compiled"
    assert choice.reason == "expected: loop 40.0 s, vmap 250.0 s, vmap-compiled 2.5 s"
    times["compiled"] = 1.0
    assert chosen().engine == "loop"
    times["vmap"] = 1e-3
    assert chosen().engine == "vmap"
    assert engines.chunk_size(replace(sweep(gpt, TEXT, settings=grid(lr=[0.1]), steps=1, progress=False).plan,
                                      settings=grid(lr=[0.1] * 20)), "vmap") == 7  # fmt: skip


SCRIPT = """
import sys
import numpy as np
sys.path.insert(0, sys.argv[1])
from tests.test_sweep_functional import TEXT, gpt, grid, sweep, watch
watch.EVERY = 0.0
settings = grid(lr=np.linspace(0.01, 0.2, 6), seed=[0, 1])
result = sweep(gpt, TEXT, settings=settings, steps=80, batch_size=8, optimizer="adamw", ema=0.9, evaluate_every=20,
               gradient_norms=True, keep_weights=[10, 70], engine="vmap", folder=sys.argv[2], jobs=1, progress=False)
np.savez(sys.argv[2] + "/result.npz", **result.outcome.arrays())
"""


@pytest.mark.slow
def test_killed_in_the_middle_it_continues_and_gives_the_same(tmp_path):
    def start(folder):
        root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        return subprocess.Popen([sys.executable, "-c", SCRIPT, root, str(folder)], cwd=root)

    killed, whole = tmp_path / "killed", tmp_path / "whole"
    process = start(killed)
    while not list(killed.glob("chunk-*6.pt")):  # within the second part
        assert process.poll() is None, "it finished before it could be killed"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (killed / "result.npz").exists()
    assert start(killed).wait() == 0 and start(whole).wait() == 0
    first, second = (np.load(folder / "result.npz") for folder in (killed, whole))
    assert sorted(first) == sorted(second)
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


def test_interrupted_it_continues_from_there(tmp_path, monkeypatch):
    monkeypatch.setattr(watch, "EVERY", 0.0)
    monkeypatch.setattr(members, "SHORT", 0.0)  # every step a piece
    options: dict[str, Any] = {
        "settings": grid(lr=[0.05, 0.2]), "steps": STEPS, "batch_size": 8, "optimizer": SUMS, "evaluate_every": 2,
        "ema": [0.5], "gradient_norms": True, "keep_weights": [1, 6], "engine": "vmap", "progress": False, "jobs": 1,
    }  # fmt: skip
    train, calls = functional.Training.train, []

    def stopped(training, steps):
        calls.append(steps)
        if len(calls) == 6:  # the first is the trial of whether it can be trained so
            raise KeyboardInterrupt
        return train(training, steps)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(functional.Training, "train", stopped)
        sweep(gpt, TEXT, folder=tmp_path / "stopped", **options)
    calls.clear()
    counted = lambda training, steps: calls.append(steps) or train(training, steps)  # noqa: E731
    monkeypatch.setattr(functional.Training, "train", counted)
    continued = sweep(gpt, TEXT, folder=tmp_path / "stopped", **options)
    assert sum(calls) == STEPS - 4
    whole = sweep(gpt, TEXT, folder=tmp_path / "whole", **options)
    for name, column in whole.outcome.arrays().items():
        np.testing.assert_array_equal(column, continued.outcome.arrays()[name], err_msg=name)


class Twice(Sums):
    def update(self, grads, state, params, lr, momentum, weight_decay):
        return super().update(grads, state, params, 2 * lr, momentum, weight_decay)


class Thrice(Sums):
    def update(self, grads, state, params, lr, momentum, weight_decay):
        return super().update(grads, state, params, 3 * lr, momentum, weight_decay)


Thrice.__qualname__ = Thrice.__name__ = "Twice"  # as if the code had been edited


@pytest.mark.parametrize("before, after", [
    ({}, {"clip": 1.0}), ({}, {"accumulate": 2}), ({}, {"evaluate_every": 2}), ({}, {"gradient_norms": True}),
    ({}, {"ema": 0.9}), ({"ema": 0.9}, {"ema": 0.8}), ({}, {"keep_weights": True}), ({}, {"optimizer": AdamW()}),
    ({"optimizer": AdamW()}, {"optimizer": AdamW(beta2=0.9)}), ({"optimizer": Twice()}, {"optimizer": Thrice()}),
    ({"statistics": {"n": lambda weights: 1}}, {"statistics": {"n": lambda weights: 2}}),
    ({"data": drawn}, {"data": lambda seed: tokens(seed + 101)}),
])  # fmt: skip
def test_a_folder_belongs_to_one_sweep(tmp_path, before, after):
    options = {"settings": grid(lr=[0.1]), "steps": 2, "batch_size": 8, "folder": tmp_path, "progress": False}
    for _ in range(2):
        sweep(gpt, **{"data": TEXT, **options, **before})
    with pytest.raises(ValueError, match="folder must be empty or begun by this very sweep"):
        sweep(gpt, **{"data": TEXT, **options, **after})


@pytest.mark.parametrize("bad, message", [
    ({"clip": 0.0}, "clip must be positive"), ({"accumulate": 0}, "accumulate must be a whole number, at least 1"),
    ({"accumulate": 2, "batch_size": None}, "accumulate must be 1 for the full batch"),
    ({"evaluate_every": 0}, "evaluate_every must be a whole number of steps"),
    ({"ema": [0.9, 1.0]}, "ema must be between 0 and 1"), ({"keep_weights": 3}, "keep_weights must be True"),
    ({"keep_weights": [5]}, "keep_weights must be a step up to the end, 4"),
    ({"statistics": [len]}, "statistics must be functions"), ({"gradient_norms": "no"}, "gradient_norms must be True"),
    ({"statistics": {"all": lambda weights: weights}}, "statistics must be numbers .all"),
    ({"optimizer": AdamW}, "optimizer must be one of"), ({"optimizer": AdamW(), "nesterov": True}, "nesterov must be"),
    ({"optimizer": Sums(), "settings": grid(momentum=[0.9])}, "momentum must be left out for Sums"),
    ({"data": lambda seed: tokens(n=18 + seed)}, "data must be of one shape and type for all seeds"),
    ({"data": lambda seed: 3}, "data must be a Dataset or a pair"), ({"engine": "magic"}, "engine must be one of"),
])  # fmt: skip
def test_what_is_wrong_is_named(bad, message):
    options = {"data": TEXT, "settings": grid(lr=[0.1], seed=[0, 1]), "steps": 4, "batch_size": 8, "progress": False}
    with pytest.raises(ValueError, match=message):
        sweep(gpt, **{**options, **bad})
