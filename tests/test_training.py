"""The training loop: what it records is what the optimizer used, and looking at the model does not change the run."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from lrcourse import Constant, Cosine, Linear, OneCycle, Step
from lrcourse.data import Dataset, linear_regression, moons
from lrcourse.torch import MLP, LogicNet, ScheduleLR, train

DATA = moons(n=30, n_test=50)


def net(seed=0):
    torch.manual_seed(seed)
    return LogicNet().double()


def sgd(model, lr=0.1, **settings):
    return torch.optim.SGD(model.parameters(), lr=lr, **settings)


def weights(model):
    return [weight.tolist() for weight in model.parameters()]


def two_groups(model, kind=torch.optim.SGD):
    return kind([{"params": model[0].parameters()}, {"params": model[2].parameters()}], lr=0.1)


def test_applied_rates_are_the_schedule():
    schedule = OneCycle(1.0, 20)
    model = net()
    run = train(model, sgd(model), DATA, steps=25, schedule=schedule, momentum=schedule.momentum(), batch_size=8)
    np.testing.assert_array_equal(run.lrs, schedule.table(25))
    np.testing.assert_array_equal(run.momenta, schedule.momentum().table(25))


MOMENTA = [(torch.optim.SGD, 0.0), (torch.optim.AdamW, 0.9), (torch.optim.Adagrad, np.nan)]


@pytest.mark.parametrize("kind, momentum", MOMENTA)
def test_several_groups_give_columns(kind, momentum):
    model = net()
    schedules = [Linear(0.1, 0.0, 5), Step(0.1, 2, 0.5)]
    run = train(model, two_groups(model, kind), DATA, steps=6, schedule=schedules)
    np.testing.assert_array_equal(run.lrs, np.stack([schedule.table(6) for schedule in schedules], axis=1))
    np.testing.assert_array_equal(run.momenta, np.full((6, 2), momentum))


def test_a_torch_scheduler_is_stepped_after_each_update():
    model = net()
    optimizer = sgd(model)
    run = train(model, optimizer, DATA, steps=5, schedule=torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.5))
    assert run.lrs.tolist() == [0.1, 0.1, 0.05, 0.05, 0.025]


def test_without_a_schedule_the_rate_is_the_optimizers():
    model = net()
    assert train(model, sgd(model, 0.3), DATA, steps=3).lrs.tolist() == [0.3] * 3


def test_rates_are_read_at_the_moment_of_the_update():
    model = net()
    optimizer = sgd(model)
    used, calls = [], []
    optimizer.register_step_pre_hook(lambda optimizer, *_: used.append(optimizer.param_groups[0]["lr"]))

    def loss_that_edits_the_rate(outputs, targets):
        calls.append(1)
        if len(calls) == 3:
            optimizer.param_groups[0]["lr"] = 0.77
        return F.cross_entropy(outputs, targets)

    run = train(model, optimizer, DATA, steps=5, schedule=Constant(0.1), loss=loss_that_edits_the_rate)
    assert run.lrs.tolist() == used == [0.1, 0.1, 0.77, 0.1, 0.1]


def test_losses_and_weights_are_those_of_the_plain_loop():
    trained, plain = net(), net()
    run = train(trained, sgd(trained, momentum=0.9), DATA, steps=12, schedule=Cosine(0.5, 0.0, 10))
    optimizer = sgd(plain, momentum=0.9)
    losses = []
    for rate in Cosine(0.5, 0.0, 10).table(12):
        optimizer.param_groups[0]["lr"] = float(rate)
        optimizer.zero_grad()
        loss = F.cross_entropy(plain(torch.tensor(DATA.x_train)), torch.tensor(DATA.y_train))
        loss.backward()
        losses.append(loss.item())
        optimizer.step()
    assert run.losses.tolist() == losses
    assert weights(trained) == weights(plain)


def batches(seed, steps=8, batch_size=4, n=10):
    """The rows each batch holds: the targets are the rows' numbers."""
    rows = np.arange(n, dtype=float)[:, None]
    seen = []

    def remember(outputs, targets):
        if torch.is_grad_enabled():
            seen.append(targets.flatten().int().tolist())
        return outputs.mean()

    model = MLP([1, 1])
    train(model, sgd(model), Dataset("rows", "none", rows, rows, rows, rows), steps=steps, batch_size=batch_size,
          loss=remember, seed=seed)  # fmt: skip
    return seen


def test_each_epoch_visits_every_row_once_and_keeps_the_smaller_last_batch():
    seen = batches(seed=0)
    assert [len(batch) for batch in seen] == [4, 4, 2, 4, 4, 2, 4, 4]
    first, second = seen[0] + seen[1] + seen[2], seen[3] + seen[4] + seen[5]
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second


def test_the_seed_alone_decides_the_order():
    torch.manual_seed(1)
    a = batches(seed=5)
    torch.manual_seed(2)
    np.random.seed(2)
    assert a == batches(seed=5) != batches(seed=6)


def test_the_full_batch_is_in_order_and_a_larger_batch_is_one_epoch():
    assert batches(seed=0, steps=2, batch_size=None) == [list(range(10))] * 2
    assert [len(batch) for batch in batches(seed=0, steps=2, batch_size=100)] == [10, 10]


def test_evaluations_are_measured_before_their_update_and_at_the_end():
    model = net()
    run = train(model, sgd(model), DATA, steps=10, evaluate_every=4)
    assert run.evaluations.step.tolist() == [0, 4, 8, 10]
    np.testing.assert_allclose(run.evaluations.train_loss[:3], run.losses[[0, 4, 8]], rtol=1e-12)
    with torch.no_grad():
        outputs = model(torch.tensor(DATA.x_test))
    targets = torch.tensor(DATA.y_test)
    assert run.evaluations.test_loss[-1] == F.cross_entropy(outputs, targets).item()
    assert run.evaluations.test_accuracy[-1] == np.mean(outputs.argmax(1).numpy() == DATA.y_test)
    assert train(model, sgd(model), DATA, steps=3).evaluations.step.tolist() == [3]


class Probe(torch.nn.Module):
    """A net with dropout, noise in both modes and a part kept in evaluation mode; it notes the mode of each call."""

    def __init__(self):
        super().__init__()
        self.net, self.dropout, self.frozen = LogicNet(), torch.nn.Dropout(0.5), torch.nn.BatchNorm1d(2)
        self.modes = []

    def train(self, mode=True):
        super().train(mode)
        self.frozen.eval()
        return self

    def forward(self, x):
        self.modes.append((self.training, self.dropout.training, self.frozen.training))
        return self.dropout(self.frozen(self.net(x))) + 0.01 * torch.randn(1, dtype=x.dtype)


def test_evaluating_moves_neither_the_mode_nor_the_random_numbers():
    ends = []
    for every in (None, 1, 3):
        torch.manual_seed(0)
        model = Probe().double()
        run = train(model, sgd(model), DATA, steps=6, batch_size=7, evaluate_every=every)
        ends.append((run.losses.tolist(), weights(model), torch.get_rng_state().tolist()))
        assert model.modes.count((True, True, False)) == 6
        assert model.modes.count((False, False, False)) == 2 * len(run.evaluations.step)
        assert len(model.modes) == 6 + 2 * len(run.evaluations.step)
        assert (model.training, model.dropout.training, model.frozen.training) == (True, True, False)
    assert ends[0] == ends[1] == ends[2]


def test_a_model_left_in_evaluation_mode_is_trained_in_training_mode():
    model = Probe().double().eval()
    train(model, sgd(model), DATA, steps=1)
    assert model.modes[0] == (True, True, False)


def test_the_mode_is_restored_when_an_evaluation_fails():
    def fails_without_gradient(outputs, targets):
        if not torch.is_grad_enabled():
            raise RuntimeError("no")
        return outputs.mean()

    model = net()
    with pytest.raises(RuntimeError, match="no"):
        train(model, sgd(model), DATA, steps=1, loss=fails_without_gradient)
    assert model.training and model[1].training


def test_a_diverged_run_is_recorded_to_its_end():
    data = linear_regression(n=20)
    model = MLP([1, 1]).double()
    run = train(model, sgd(model), data, steps=300, schedule=Constant(50.0), loss="mse", evaluate_every=100)
    assert np.isfinite(run.losses[:5]).all() and not np.isfinite(run.losses[-1])
    assert run.losses.shape == run.lrs.shape == (300,)
    assert not np.isfinite(run.evaluations.test_loss[-1])


@pytest.mark.parametrize("flat", [False, True])
def test_regression_reaches_least_squares_whatever_the_shape_of_the_targets(flat):
    data = linear_regression(n=50)
    y, y_test = (data.y_train.ravel(), data.y_test.ravel()) if flat else (data.y_train, data.y_test)
    data = Dataset(data.name, data.license, data.x_train, y, data.x_test, y_test)
    model = MLP([1, 1]).double()
    run = train(model, sgd(model), data, steps=2000, loss="mse")
    slope, offset = np.polyfit(data.x_train[:, 0], data.y_train.ravel(), 1)
    assert weights(model) == [[[pytest.approx(slope)]], [pytest.approx(offset)]]
    assert np.isnan(run.evaluations.test_accuracy).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_model_decides_the_dtype(dtype):
    model = net().to(dtype)
    seen = set()
    model.register_forward_hook(lambda module, inputs, outputs: seen.update([inputs[0].dtype, outputs.dtype]))
    train(model, sgd(model), DATA, steps=2)
    assert seen == {dtype}


@pytest.mark.parametrize("message, arguments", [
    ("steps must be .*at least 1", {"steps": 0}),
    ("evaluate_every must be .*at least 1", {"evaluate_every": 0}),
    ("batch_size must be .*at least 1", {"batch_size": 0}),
    ("loss must be 'cross_entropy' or 'mse'", {"loss": "hinge"}),
    ("schedule must be a Schedule or a list of them", {"schedule": 0.1}),
    ("momentum must be given together with a Schedule", {"momentum": Constant(0.9)}),
])  # fmt: skip
def test_bad_arguments_are_named(message, arguments):
    model = net()
    before = weights(model)
    with pytest.raises(ValueError, match=message):
        train(model, sgd(model), DATA, **{"steps": 1, **arguments})
    assert weights(model) == before


def test_schedulers_that_cannot_work_are_refused():
    model = net()
    optimizer = sgd(model)
    with pytest.raises(ValueError, match="schedule must be built on the optimizer that is passed"):
        train(model, optimizer, DATA, steps=1, schedule=ScheduleLR(sgd(model), Constant(0.1)))
    with pytest.raises(ValueError, match="schedule must be a function of the step"):
        train(model, optimizer, DATA, steps=1, schedule=torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer))
    with pytest.raises(ValueError, match="momentum must be given together with a Schedule"):
        train(model, optimizer, DATA, steps=1, schedule=ScheduleLR(optimizer, Constant(0.1)), momentum=Constant(0.9))


def test_models_are_built_from_the_seed():
    first, again, other = (weights(net(seed)) for seed in (3, 3, 4))
    assert first == again != other


def test_mlp_is_its_formula():
    torch.manual_seed(0)
    for name, activation in {"relu": torch.relu, "tanh": torch.tanh}.items():
        model = MLP([2, 5, 4, 3], activation=name)
        x, (a, b, c) = torch.randn(7, 2), [layer for layer in model if isinstance(layer, torch.nn.Linear)]
        torch.testing.assert_close(model(x), c(activation(b(activation(a(x))))))


@pytest.mark.parametrize("message, build", [
    ("sizes must be two or more layer sizes", lambda: MLP([3])),
    (r"sizes\[1\] must be .*at least 1", lambda: MLP([3, 0, 2])),
    ("activation must be 'relu' or 'tanh'", lambda: MLP([3, 2], activation="gelu")),
])  # fmt: skip
def test_bad_models_are_named(message, build):
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize("shape, layer", [((7, 5, 4), torch.nn.Linear(4, 3)), ((7, 4, 5, 5), torch.nn.Conv2d(4, 3, 1))])
def test_a_target_at_each_place_has_its_classes_last_or_second_as_pytorch(shape, layer):
    x, y = np.random.default_rng(0).normal(size=shape), None
    with torch.no_grad():
        outputs = layer.double()(torch.as_tensor(x))
    scores = outputs if outputs.dim() == 3 else outputs.movedim(1, -1)
    y = np.random.default_rng(1).integers(3, size=tuple(scores.shape[:-1]))
    expected = F.cross_entropy(scores.flatten(0, -2), torch.as_tensor(y).flatten())
    run = train(layer, torch.optim.SGD(layer.parameters(), lr=0.0), Dataset("places", "", x, y, x, y), steps=1)
    assert run.losses[0] == pytest.approx(expected.item())
    right = (scores.argmax(-1).numpy() == y).mean()
    assert run.evaluations.test_accuracy[-1] == pytest.approx(right)
