"""A sweep is many plain PyTorch runs: each member equals its own, whatever the others do."""

import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from lrcourse import (
    SGDR,
    WSD,
    Constant,
    Cosine,
    Cyclic,
    Exponential,
    Lambda,
    Linear,
    OneCycle,
    Plateau,
    Schedule,
    Step,
    warmup,
)
from lrcourse.data import Dataset, linear_regression, moons
from lrcourse.sweep import Setting, grid, loop, stacked, sweep
from lrcourse.torch import MLP, LogicNet, PlateauLR, ScheduleLR

DATA = moons(n=50, n_test=30)
LINE = linear_regression(n=50, n_test=30)
STEPS = 25
OPTIMIZERS = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


def net():
    return LogicNet().double()


def wide():
    return torch.nn.Sequential(MLP([2, 20, 20, 2]), torch.nn.Sigmoid(), torch.nn.Linear(2, 2, bias=False)).double()


def line():
    return torch.nn.Linear(1, 1).double()


def deep_line():
    return MLP([1, 50, 1]).double()


def plain(model_fn, data, setting, optimizer="sgd", loss="cross_entropy", batch_size=None, nesterov=False, steps=STEPS):
    """One member by hand: `torch.optim`, a real scheduler, nothing of the package but `ScheduleLR`."""
    torch.manual_seed(setting.seed)
    model = model_fn()
    momentum = setting.momentum
    first = momentum(0) if callable(momentum) else momentum
    kwargs = {"lr": setting.lr, "weight_decay": setting.weight_decay}
    if optimizer == "sgd":
        kwargs |= {"momentum": first or 0.0, "nesterov": nesterov and bool(first)}
    elif first is not None:
        kwargs["betas"] = (first, 0.999)
    optimizer = OPTIMIZERS[optimizer](model.parameters(), **kwargs)
    schedule = Constant(1.0) if setting.schedule is None else setting.schedule
    if isinstance(schedule, Schedule):
        scheduler = ScheduleLR(optimizer, setting.lr * schedule, momentum if callable(momentum) else None)
    else:
        scheduler = schedule(optimizer)
    x, y = torch.as_tensor(data.x_train), torch.as_tensor(data.y_train)
    loss_of = F.cross_entropy if loss == "cross_entropy" else F.mse_loss
    rng, order, losses = np.random.default_rng(setting.seed), [], []
    for _ in range(steps):
        if batch_size is None:
            at = slice(None)
        else:
            if not order:
                order = list(torch.as_tensor(rng.permutation(len(x))).split(batch_size))
            at = order.pop(0)
        optimizer.zero_grad()
        value = loss_of(model(x[at]), y[at])
        value.backward()
        optimizer.step()
        scheduler.step()
        losses.append(value.item())
    with torch.no_grad():
        return np.array(losses), loss_of(model(x), y).item()


def difference(model_fn, data, settings, engine="stacked", loss="cross_entropy", **options):
    options = {"steps": STEPS, **options}
    result = sweep(model_fn, data, settings=settings, engine=engine, loss=loss, progress=False, **options)
    assert result.engine == engine
    runs = [plain(model_fn, data, setting, loss=loss, **options) for setting in settings]
    losses, ends = np.array([run[0] for run in runs]), np.array([run[1] for run in runs])
    assert np.isfinite(losses).all(), "a stable member is meant to be compared"
    assert len(np.unique(ends)) > 1 or len(settings) == 1, "the members must differ"
    return max(np.abs(result.curves - losses).max(), np.abs(result.train_loss - ends).max())


MEMBERS = grid(lr=[0.02, 0.1], momentum=[0.0, 0.9], weight_decay=[0.0, 0.01], seed=[0, 3])
ENGINES = ["loop", "stacked"]
COMPILED = pytest.param("compiled", marks=pytest.mark.slow)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("batch_size", [None, 16])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_each_member_equals_its_plain_run(engine, optimizer, batch_size):
    assert difference(net, DATA, MEMBERS, engine, optimizer=optimizer, batch_size=batch_size) < 1e-10


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("batch_size", [None, 16])
def test_nesterov(engine, batch_size):
    assert difference(net, DATA, MEMBERS, engine, nesterov=True, batch_size=batch_size) < 1e-10


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("batch_size", [None, 16, 500])
def test_other_layers_and_the_squared_error(engine, batch_size):
    assert difference(wide, DATA, MEMBERS, engine, batch_size=batch_size) < 1e-10
    assert difference(line, LINE, grid(lr=[0.01, 0.1], seed=[0, 1]), engine, loss="mse", batch_size=batch_size) < 1e-10


@pytest.mark.slow
@pytest.mark.parametrize("model_fn, loss, data, batch_size", [
    (net, "cross_entropy", DATA, None), (net, "cross_entropy", DATA, 16), (wide, "cross_entropy", DATA, 16),
    (line, "mse", LINE, 16),
])  # fmt: skip
def test_the_compiled_step_equals_the_plain_run(model_fn, loss, data, batch_size):
    settings = grid(lr=[0.02, 0.1], momentum=[0.0, 0.8], weight_decay=[0.0, 0.01], seed=[0])[:5]
    settings += grid(lr=[0.05], momentum=[0.5], seed=[7])
    assert difference(model_fn, data, settings[1:], "compiled", loss=loss, batch_size=batch_size) < 1e-10


@pytest.mark.slow
def test_the_compiled_adam_equals_the_plain_run():
    assert difference(net, DATA, MEMBERS[:5], "compiled", optimizer="adam") < 1e-10


SCHEDULES = [
    None, Step(1.0, 5, 0.5), Exponential(1.0, 0.9), Cosine(1.0, 0.1, 20), Cyclic(0.1, 1.0, 4), SGDR(1.0, 0.0, 5),
    OneCycle(1.0, 20), WSD(1.0, 0, 3, 10, 10), warmup(Cosine(1.0, 0.0, 20), 5),
]  # fmt: skip


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_schedule_and_a_momentum_per_member(engine, optimizer):
    settings = grid(lr=[0.05, 0.2], schedule=SCHEDULES)
    cycle = OneCycle(1.0, 20)
    off_and_on = Linear(0.9, 0.0, 5).then(Constant(0.9), at=9)  # PyTorch's momentum buffer rests while it is 0
    settings += [Setting(lr=0.1, schedule=cycle, momentum=each) for each in (cycle.momentum(), off_and_on)]
    settings += [Setting(lr=0.1, momentum=off_and_on)]
    assert difference(net, DATA, settings, engine, optimizer=optimizer) < 1e-10


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_schedulers_of_torch_are_stepped(engine, optimizer):
    of = torch.optim.lr_scheduler
    settings = [
        Setting(lr=0.1, momentum=0.9, schedule=lambda optimizer: of.OneCycleLR(optimizer, 0.3, STEPS + 1)),
        Setting(lr=0.1, momentum=0.9, schedule=lambda optimizer: of.CyclicLR(optimizer, 0.01, 0.2, 4)),
        Setting(lr=0.1, schedule=lambda optimizer: of.CosineAnnealingLR(optimizer, 10)),
    ]
    assert difference(net, DATA, settings, engine, optimizer=optimizer) < 1e-10


@pytest.mark.parametrize("model_fn", [line, deep_line])
@pytest.mark.parametrize("engine", ["loop", "stacked", COMPILED])
def test_a_member_that_explodes_leaves_the_others_alone(engine, model_fn):
    calm = grid(lr=[0.01, 0.02, 0.03, 0.04, 0.05])
    wild = [*calm[:2], replace(calm[2], lr=1e6), *calm[3:]]
    steps = 60
    results = [
        sweep(model_fn, LINE, settings=each, steps=steps, loss="mse", engine=engine, progress=False)
        for each in (calm, wild)
    ]
    others = [0, 1, 3, 4]
    np.testing.assert_array_equal(results[0].curves[others], results[1].curves[others])
    np.testing.assert_array_equal(results[0].train_loss[others], results[1].train_loss[others])
    assert results[0].diverged.tolist() == [-1] * 5
    losses, _ = plain(model_fn, LINE, wild[2], loss="mse", steps=steps)
    assert results[1].diverged.tolist() == [-1, -1, int(np.argmin(np.isfinite(losses))), -1, -1]
    assert results[1].frame()["diverged"].notna().tolist() == [False, False, True, False, False]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_zeros_and_nan_behave_as_in_torch(engine, optimizer):
    poisoned = Dataset(
        "nan", "", np.where(DATA.x_train > 1.5, np.nan, DATA.x_train), DATA.y_train, DATA.x_test, DATA.y_test
    )
    assert np.isnan(poisoned.x_train).any()
    settings = grid(lr=[0.0, 0.1], momentum=[0.0, 0.9], weight_decay=[0.0, 0.1])
    for data in (DATA, poisoned):
        result = sweep(net, data, settings=settings, steps=5, optimizer=optimizer, engine=engine, progress=False)
        runs = [plain(net, data, setting, optimizer=optimizer, steps=5)[0] for setting in settings]
        np.testing.assert_allclose(result.curves, runs, rtol=0, atol=1e-12)
    assert (result.diverged == 0).all()


@pytest.mark.parametrize("members", [1, 2, 7])
def test_any_number_of_members(members):
    assert difference(net, DATA, grid(lr=np.linspace(0.01, 0.2, members)), "stacked", batch_size=7) < 1e-10


def test_members_in_several_chunks_and_processes_equal_one():
    settings = grid(lr=np.linspace(0.01, 0.2, 40), seed=[0, 1])
    by_value = lambda: LogicNet().double()  # noqa: E731  (the processes cannot import a test module, as `net` asks)
    apart = sweep(by_value, DATA, settings=settings, steps=5, batch_size=16, engine="loop", jobs=2, progress=False)
    together = sweep(net, DATA, settings=settings, steps=5, batch_size=16, engine="stacked", progress=False)
    np.testing.assert_allclose(apart.curves, together.curves, rtol=0, atol=1e-12)


def refused_models():
    frozen = net()
    frozen[0].weight.requires_grad_(False)
    shared = torch.nn.Linear(2, 2).double()
    return {
        "Dropout is not stacked": torch.nn.Sequential(torch.nn.Dropout(0.1), torch.nn.Linear(2, 2)).double(),
        "frozen": frozen,
        "share": torch.nn.Sequential(shared, shared),
        "hooks": torch.nn.utils.spectral_norm(torch.nn.Linear(2, 2)).double(),
    }


@pytest.mark.parametrize("why", refused_models())
def test_what_cannot_be_stacked_is_refused_and_goes_through_the_loop(why):
    settings = grid(lr=[0.1, 0.2])

    def model_fn():
        torch.manual_seed(0)
        return refused_models()[why]

    for engine in ("stacked", "compiled"):
        with pytest.raises(ValueError, match=why):
            sweep(model_fn, DATA, settings=settings, steps=3, engine=engine, progress=False)
    result = sweep(model_fn, DATA, settings=settings, steps=3, progress=False)
    assert result.engine == "loop" and why in result.reason
    assert np.isfinite(result.curves).all()


def test_a_loss_of_ones_own_goes_through_the_loop():
    result = sweep(net, DATA, settings=grid(lr=[0.1]), steps=3, loss=F.cross_entropy, progress=False)
    assert result.engine == "loop" and "loss is a function" in result.reason


def dropout():
    return torch.nn.Sequential(
        torch.nn.Linear(2, 16), torch.nn.ReLU(), torch.nn.Dropout(0.5), torch.nn.Linear(16, 2)
    ).double()


def test_what_a_member_draws_in_training_is_its_own():
    settings = grid(lr=[0.1, 0.1, 0.2], seed=[3, 4])
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    result = sweep(dropout, DATA, settings=settings, steps=STEPS, progress=False)
    assert torch.equal(torch.rand(3), expected)  # the random numbers around the sweep stay
    np.testing.assert_array_equal(result.curves, [plain(dropout, DATA, setting)[0] for setting in settings])
    assert result.engine == "loop" and result.verify() == 0


def clipped(hook):
    model = net()
    hook(model)
    return model


def halved(gradient):
    return gradient / 2


def halve(parameter):
    parameter.grad /= 2


@pytest.mark.filterwarnings("ignore:Full backward hook is firing")  # as the data wants no gradient
@pytest.mark.parametrize("engine", ["loop", "auto"])
@pytest.mark.parametrize("hook", [
    lambda model: [each.register_hook(halved) for each in model.parameters()],
    lambda model: next(model.parameters()).register_post_accumulate_grad_hook(halve),
    lambda model: model[0].register_full_backward_pre_hook(lambda layer, given: (given[0] / 2,)),
    lambda model: model[2].register_full_backward_hook(lambda layer, given, out: (given[0] / 2,)),
    lambda model: model.register_full_backward_pre_hook(lambda layer, given: (given[0] / 2,)),
    lambda model: model.register_forward_hook(lambda layer, given, out: out / 2),
])  # fmt: skip
def test_hooks_are_never_left_out(hook, engine):
    model_fn, settings = (lambda: clipped(hook)), grid(lr=[0.5, 5.0])
    result = sweep(model_fn, DATA, settings=settings, steps=STEPS, engine=engine, progress=False)
    np.testing.assert_array_equal(result.curves, [plain(model_fn, DATA, setting)[0] for setting in settings])
    with pytest.raises(ValueError, match="has hooks"):
        sweep(model_fn, DATA, settings=settings, steps=2, engine="stacked", progress=False)


@pytest.mark.parametrize("label, refused", [(-100, None), (2, IndexError)])
def test_labels_without_an_output_are_left_to_pytorch(label, refused):
    y = np.where(np.arange(len(DATA.y_train)) % 5 == 4, label, DATA.y_train)
    data, settings = replace(DATA, y_train=y), grid(lr=[0.1, 0.2])
    with pytest.raises(ValueError, match="label has no output"):
        sweep(net, data, settings=settings, steps=2, engine="compiled", progress=False)
    if refused is not None:
        with pytest.raises(refused):
            sweep(net, data, settings=settings, steps=2, progress=False)
        return
    result = sweep(net, data, settings=settings, steps=STEPS, progress=False)
    np.testing.assert_array_equal(result.curves, [plain(net, data, setting)[0] for setting in settings])


@pytest.mark.parametrize("engine", ENGINES)
def test_whole_numbers_are_no_classes_for_the_squared_error(engine):
    one_hot = np.eye(2, dtype=int)[DATA.y_train]
    for model_fn, y in [(net, one_hot), (lambda: torch.nn.Linear(2, 1).double(), DATA.y_train)]:
        data = replace(DATA, y_train=y, y_test=y[: len(DATA.y_test)])
        result = sweep(model_fn, data, settings=grid(lr=[0.1, 0.2]), steps=3, loss="mse", engine=engine, progress=False)
        floats = replace(data, y_train=y.astype(float).reshape(len(y), -1))
        expected = [plain(model_fn, floats, setting, loss="mse", steps=3)[0] for setting in result.plan.settings]
        np.testing.assert_allclose(result.curves, expected, rtol=0, atol=1e-12)
        assert np.isnan(result.test_accuracy).all()
        with pytest.raises(ValueError, match="value must be a column with numbers, got 'test_accuracy'"):
            result.best("test_accuracy")


ONE = net()


@pytest.mark.parametrize("bad, message", [
    ({"model_fn": lambda: ONE}, "model_fn must be a function that builds a new model at every call"),
    ({"model_fn": ONE}, "model_fn must be a function that builds a model"),
    ({"model_fn": lambda: None}, "model_fn must be a function that builds a model with parameters"),
    ({"model_fn": lambda: torch.nn.Flatten()}, "model_fn must be a function that builds a model with parameters"),
    ({"model_fn": lambda: MLP([3, 2]).double()}, r"data must be inputs that the model takes.*float64 \(50, 2\)"),
    ({"data": ((10 * DATA.x_train).astype(np.uint8), DATA.y_train)}, "data must be inputs .*uint8"),
    ({"data": (DATA.x_train, DATA.y_train.astype(float))}, "targets that the loss takes"),
    ({"data": (DATA.x_train, DATA.y_train[:, None])}, "targets that the loss takes"),
    ({"data": (DATA.x_train, DATA.y_train.astype(str))}, "targets that the loss takes"),
    ({"data": (3, 4)}, "data must be as many targets as inputs"),
    ({"data": {"x": DATA.x_train, "y": DATA.y_train}}, "data must be as many targets as inputs"),
    ({"loss": torch.nn.CrossEntropyLoss(reduction="none")}, "loss must be a function whose result is one number"),
    ({"settings": {"lr": 0.1}}, "settings must be a list of settings"),
    ({"settings": Setting(lr=0.1)}, "settings must be a list of settings"),
    ({"settings": [0.1]}, "settings must be Settings, or mappings of"),
    ({"settings": [{"learning_rate": 0.1}]}, "settings must be Settings, or mappings of"),
    ({"nesterov": "no"}, "nesterov must be True or False"), ({"engine": ["loop"]}, "engine must be one of"),
    ({"batch_size": 0}, "batch_size must be a whole number, at least 1, got 0: use for example 32"),
    ({"settings": grid(schedule=[Lambda(lambda t: 0.1 if t < 49 else None)])}, "Lambda.* at step 49 must be a number"),
    ({"settings": grid(lr=[1e300], schedule=[Constant(1.0), Constant(1e300)])}, "at step 0 must be a finite number.*"),
    ({"settings": grid(momentum=[Linear(0.0, 1.0, 10)])}, "Linear.* at step 10 must be a momentum.*below 1, got 1.0"),
])  # fmt: skip
@pytest.mark.parametrize("engine", ["auto", "stacked"])
def test_what_does_not_fit_is_named_before_anything_is_trained(monkeypatch, bad, message, engine):
    for each in (loop, stacked.Training):
        monkeypatch.setattr(each, "_member" if each is loop else "train", None)
    given = {"model_fn": net, "data": DATA, "settings": grid(lr=[0.1] * 200), "engine": engine, **bad}
    with pytest.raises(ValueError, match=message):
        sweep(**given, steps=50, progress=False)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("schedule", [
    lambda step: 0.1 * 0.9**step, lambda step: 0.1, lambda optimizer: None, Cosine,
    lambda optimizer: torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer),
    lambda optimizer: PlateauLR(optimizer, Plateau(0.1)),
])  # fmt: skip
def test_a_schedule_that_is_none_is_named(schedule, engine):
    with pytest.raises(ValueError, match="schedule must be a function that builds a PyTorch scheduler, one without a"):
        sweep(net, DATA, settings=grid(schedule=[schedule]), steps=3, engine=engine, progress=False)


def test_data_and_values_may_be_tensors_views_and_iterators():
    x, y = torch.tensor(DATA.x_train, requires_grad=True), torch.tensor(DATA.y_train)
    settings = grid(lr=torch.tensor([0.1, 0.2], dtype=torch.float64), seed=iter(range(2)))
    result = sweep(net, (x, y), settings=settings, steps=3, progress=False)
    expected = sweep(net, DATA, settings=grid(lr=[0.1, 0.2], seed=[0, 1]), steps=3, progress=False)
    np.testing.assert_array_equal(result.curves, expected.curves)
    backwards = sweep(net, (DATA.x_train[::-1], DATA.y_train[::-1]), settings=settings, steps=3, progress=False)
    np.testing.assert_allclose(backwards.curves, expected.curves, rtol=0, atol=1e-12)


def test_targets_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="data must be inputs that the model takes, and targets that the loss takes"):
        sweep(net, DATA, settings=grid(lr=[0.1]), steps=3, loss="mse", progress=False)


def test_the_random_numbers_around_a_sweep_stay():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    sweep(net, DATA, settings=grid(seed=[1, 2]), steps=3, engine="stacked", progress=False)
    assert torch.equal(torch.rand(3), expected)


def test_the_frame_has_a_row_per_setting():
    settings = grid(lr=[0.1, 0.2], seed=[0, 1])
    frame = sweep(net, DATA, settings=settings, steps=3, progress=False).frame()
    assert frame["lr"].tolist() == [0.1, 0.1, 0.2, 0.2] and frame["seed"].tolist() == [0, 1, 0, 1]
    assert {"train_loss", "test_loss", "test_accuracy", "diverged"} <= set(frame)
    pair = sweep(net, (DATA.x_train, DATA.y_train), settings=settings, steps=3, progress=False).frame()
    assert "test_loss" not in pair and pair["train_loss"].tolist() == frame["train_loss"].tolist()


def test_the_test_columns_are_measured_on_the_test_data():
    settings = grid(lr=[0.1, 0.5], seed=[0, 1])
    results = [sweep(net, DATA, settings=settings, steps=9, engine=e, progress=False) for e in ENGINES]
    torch.manual_seed(1)
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    for _ in range(9):
        optimizer.zero_grad()
        F.cross_entropy(model(torch.as_tensor(DATA.x_train)), torch.as_tensor(DATA.y_train)).backward()
        optimizer.step()
    right = (model(torch.as_tensor(DATA.x_test)).argmax(1) == torch.as_tensor(DATA.y_test)).double().mean().item()
    for result in results:
        assert result.outcome.test_accuracy[3] == right
    np.testing.assert_allclose(results[0].outcome.test_loss, results[1].outcome.test_loss, rtol=0, atol=1e-12)


def test_the_heatmap_is_the_mean_over_the_rest_and_empty_where_one_diverged():
    settings = grid(lr=[0.01, 0.1, 1e6], momentum=[0.0, 0.9], seed=[0, 1])
    result = sweep(line, LINE, settings=settings, steps=100, loss="mse", engine="stacked", progress=False)
    values, x, y = result.heatmap("lr", "momentum")
    assert x == [0.01, 0.1, 1e6] and y == [0.0, 0.9] and values.shape == (2, 3)
    assert values[1, 0] == np.mean(result.train_loss[2:4])
    assert np.isnan(values[:, 2]).all() and np.isfinite(values[:, :2]).all()
    assert np.isfinite(result.heatmap("lr", "momentum", "diverged").values[:, 2]).all()
    with pytest.raises(ValueError, match="column must be one of"):
        result.heatmap("lr", "colour")


def test_the_best_member_is_finite():
    result = sweep(line, LINE, settings=grid(lr=[0.001, 0.1, 1e6]), steps=100, loss="mse", progress=False)
    assert result.best()["lr"] == 0.1
    lost = sweep(line, LINE, settings=grid(lr=[1e6]), steps=100, loss="mse", progress=False)
    with pytest.raises(ValueError, match="stays finite"):
        lost.best()
    with pytest.raises(ValueError, match="column must be one of"):
        result.best("colour")


def test_a_momentum_that_is_left_out_is_that_of_the_optimizer():
    settings = grid(lr=[0.1], momentum=[None, 0.5])
    for optimizer, default in [("sgd", 0.0), ("adam", 0.9)]:
        result = sweep(net, DATA, settings=settings, steps=3, optimizer=optimizer, progress=False)
        assert result.frame()["momentum"].tolist() == [default, 0.5]
        assert result.heatmap("lr", "momentum").y == [default, 0.5]


def test_a_result_without_test_data_has_no_test_columns():
    settings = grid(lr=[0.1, 0.2])
    result = sweep(net, DATA, settings=settings, steps=3, progress=False)
    assert result.test_loss.tolist() == result.outcome.test_loss.tolist()
    pair = sweep(net, (DATA.x_train, DATA.y_train), settings=settings, steps=3, progress=False)
    assert np.isnan(pair.test_loss).all() and np.isnan(pair.test_accuracy).all()


def test_verify_finds_what_is_wrong():
    result = sweep(net, DATA, settings=MEMBERS, steps=STEPS, engine="stacked", progress=False)
    assert result.verify(n=4) < 1e-10
    with pytest.raises(ValueError, match="n must be a whole number, at least 1"):
        result.verify(n=0)  # would find nothing wrong
    wrong = result.curves.copy()
    wrong[-1, 7] += 0.5
    assert replace(result, outcome=replace(result.outcome, losses=wrong)).verify(n=2) == pytest.approx(0.5)
    wrong[-1, 7] = np.nan
    assert replace(result, outcome=replace(result.outcome, losses=wrong)).verify(n=2) == np.inf


@pytest.mark.parametrize("bad, message", [
    ({"settings": []}, "settings must be one setting or more"), ({"steps": 0}, "steps must be"),
    ({"batch_size": 0}, "batch_size must be"), ({"engine": "magic"}, "engine must be"),
    ({"loss": "hinge"}, "loss must be"), ({"optimizer": "lion"}, "optimizer must be"), ({"jobs": 0}, "jobs must be"),
    ({"optimizer": "adam", "nesterov": True}, "nesterov must be"), ({"settings": [{"lr": -1}]}, "lr must be"),
    ({"settings": [{"momentum": 1.0}]}, "momentum must be"),
])  # fmt: skip
def test_bad_arguments_are_named(bad, message):
    arguments = {"settings": grid(lr=[0.1]), "steps": 2, "progress": False, **bad}
    with pytest.raises(ValueError, match=message):
        sweep(net, DATA, **arguments)


def test_bad_data_and_bad_grids_are_named():
    for data in [(DATA.x_train, DATA.y_train[:3]), 3, (DATA.x_train[:0], DATA.y_train[:0])]:
        with pytest.raises(ValueError, match="data must be"):
            sweep(net, data, settings=grid(lr=[0.1]), steps=1, progress=False)
    with pytest.raises(ValueError, match="name must be one of"):
        grid(rate=[0.1])
    wrong: list[Any] = [0.1, np.array(0.1), "0.1"]
    for lr in wrong:
        with pytest.raises(ValueError, match="lr must be a list"):
            grid(lr=lr)


def test_the_processes_of_a_sweep_may_write_to_their_large_data():
    """PyTorch warns of arrays that it may not write to, which large ones that processes share usually are."""
    script = """if True:
        import numpy as np
        from torch import nn
        from lrcourse.sweep import grid, sweep

        data = np.zeros((2000, 100)), np.zeros(2000, int)  # over 1 MB
        model = lambda: nn.Linear(100, 2)
        sweep(model, data, settings=grid(lr=[0.1] * 32), steps=2, engine="loop", jobs=2, progress=False)
    """
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "not writable" not in run.stderr
