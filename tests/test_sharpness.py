"""The largest curvature of the training loss: that of the whole Hessian, and no trace of its measuring."""

import copy

import numpy as np
import pytest
import torch
from torch.func import functional_call, hessian
from torch.nn import functional as F

from lrcourse.data import Dataset, digits, moons
from lrcourse.torch import MLP, LogicNet, adam_preconditioner, sharpness, top_curvatures, train

# torch's own, the first time that it differentiates forwards, as torch.func.hessian does
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")

DATA = moons(n=60, n_test=10)
RNG = np.random.default_rng(0)


def dense(model, x, y, loss=F.cross_entropy):
    """All eigenvalues, from the largest, of the whole matrix of second derivatives."""
    named = dict(model.named_parameters())
    flat = torch.cat([each.detach().flatten() for each in named.values()])

    def of_vector(theta):
        parts = theta.split([each.numel() for each in named.values()])
        weights = {name: part.view(each.shape) for (name, each), part in zip(named.items(), parts)}
        return loss(functional_call(model, weights, (x,)), y)

    return torch.linalg.eigvalsh(hessian(of_vector)(flat)).flip(0).numpy()


def mlp(seed=0, sizes=(2, 8, 8, 2), activation="tanh"):
    torch.manual_seed(seed)
    return MLP(list(sizes), activation).double()


def tensors(data=DATA):
    return torch.tensor(data.x_train), torch.tensor(data.y_train)


@pytest.mark.parametrize("features", [1, 3, 30])  # by the whole matrix and by Lanczos
def test_of_linear_regression_it_is_known(features):
    x, y = RNG.normal(size=(50, features)), RNG.normal(size=(50, 1))
    model = torch.nn.Linear(features, 1, bias=False).double()
    known = np.linalg.eigvalsh(2 / 50 * x.T @ x)[::-1]
    assert sharpness(model, (x, y), "mse") == pytest.approx(known[0], rel=1e-8)
    np.testing.assert_allclose(top_curvatures(model, (x, y), min(features, 3), "mse"), known[:3], rtol=1e-8)


def test_all_curvatures_can_be_asked_for():
    x = RNG.normal(size=(50, 30))
    model = torch.nn.Linear(30, 1, bias=False).double()
    known = np.linalg.eigvalsh(2 / 50 * x.T @ x)[::-1]
    for n in (28, 29, 30):
        np.testing.assert_allclose(top_curvatures(model, (x, np.zeros(50)), n, "mse"), known[:n], rtol=1e-8)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_of_a_network_it_is_that_of_the_whole_matrix(activation):
    model = mlp(activation=activation)
    for _ in range(2):  # as drawn, and trained
        known = dense(model, *tensors())
        assert known[-1] < 0, "no bowl"
        np.testing.assert_allclose(top_curvatures(model, DATA, 4), known[:4], rtol=1e-6)
        assert sharpness(model, DATA) == pytest.approx(known[0], rel=1e-6)
        train(model, torch.optim.SGD(model.parameters(), lr=0.5), DATA, steps=50)


@pytest.mark.parametrize("sizes", [(2, 3, 2), (2, 8, 8, 2)])
def test_the_largest_is_not_the_strongest(sizes):
    """On the negative loss the strongest curvature is negative, and does not count."""
    model = mlp(sizes=sizes)

    def negative(outputs, targets):
        return -F.cross_entropy(outputs, targets)

    x, y = tensors()
    known = dense(model, x, y, negative)
    assert -known[-1] > 2 * known[0] > 0
    assert sharpness(model, DATA, negative) == pytest.approx(known[0], rel=1e-6)


def test_where_all_curvatures_are_negative_it_is_the_least_negative():
    x = RNG.normal(size=(50, 30))
    found = sharpness(torch.nn.Linear(30, 1, bias=False).double(), (x, x), lambda outputs, _: -outputs.square().mean())
    assert found == pytest.approx(-np.linalg.eigvalsh(2 / 50 * x.T @ x)[0], rel=1e-4)


def test_a_loss_that_is_linear_in_the_weights_has_none():
    for size in (3, 30):
        x = RNG.normal(size=(50, size))
        assert sharpness(torch.nn.Linear(size, 1).double(), (x, x), lambda outputs, _: outputs.mean()) == 0.0


def test_in_32_bits_it_is_the_same_within_the_tolerance():
    model = mlp(sizes=(2, 32, 32, 2))
    wide = sharpness(model, DATA)
    assert sharpness(copy.deepcopy(model).float(), DATA) == pytest.approx(wide, rel=1e-4)
    assert sharpness(model, DATA, tolerance=1e-2) == pytest.approx(wide, rel=1e-2)


@pytest.mark.parametrize("batch_size", [7, 60, 1000])
def test_in_batches_it_is_that_of_the_whole(batch_size):
    model = mlp()
    np.testing.assert_allclose(
        top_curvatures(model, DATA, 3, batch_size=batch_size), top_curvatures(model, DATA, 3), rtol=1e-8
    )


def test_it_is_measured_at_the_weights_that_are_given():
    model, other = mlp(0), mlp(1)
    before = copy.deepcopy(model.state_dict())
    known = dense(other, *tensors())[0]
    assert sharpness(model, DATA, parameters=dict(other.named_parameters())) == pytest.approx(known, rel=1e-6)
    arrays = {name: each.detach().numpy() for name, each in other.named_parameters()}
    assert sharpness(model, DATA, parameters=arrays) == pytest.approx(known, rel=1e-6)
    assert all(torch.equal(each, before[name]) for name, each in model.state_dict().items())
    # some of them: the others are the model's own
    head = {name: each for name, each in other.named_parameters() if name.startswith("4.")}
    model[4].load_state_dict(other[4].state_dict())
    both = dense(model, *tensors())[0]
    model.load_state_dict(before)
    assert sharpness(model, DATA, parameters=head) == pytest.approx(both, rel=1e-6)


def test_frozen_layers_are_no_direction():
    model = mlp()
    model[0].requires_grad_(False)
    tail = torch.nn.Sequential(*list(model)[1:])
    x, y = tensors()
    assert sharpness(model, DATA) == pytest.approx(dense(tail, model[0](x), y)[0], rel=1e-6)


def test_a_weight_that_is_used_twice_counts_once():
    class Tied(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.encode, self.decode = torch.nn.Linear(5, 5, bias=False), torch.nn.Linear(5, 5, bias=False)
            self.decode.weight = self.encode.weight

        def forward(self, x):
            return self.decode(self.encode(x))

    model, x = Tied().double(), torch.tensor(RNG.normal(size=(40, 5)))
    assert top_curvatures(model, (x, x), 25, "mse") == pytest.approx(dense(model, x, x, F.mse_loss), rel=1e-6, abs=1e-9)


def test_attention_has_curvature_too():
    torch.manual_seed(0)
    layer = torch.nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
    model = torch.nn.Sequential(layer, torch.nn.Flatten(), torch.nn.Linear(12, 2)).double()
    x, y = torch.randn(20, 3, 4, dtype=torch.double), torch.arange(20) % 2
    theta = torch.nn.utils.parameters_to_vector(model.parameters()).detach()

    def gradient(vector):
        torch.nn.utils.vector_to_parameters(vector, model.parameters())
        return torch.cat([each.flatten() for each in torch.autograd.grad(
            F.cross_entropy(model.eval()(x), y), list(model.parameters()))])  # fmt: skip

    # By differences of gradients: torch.func.hessian is wrong by a part in a thousand here.
    columns = [(gradient(theta + step) - gradient(theta - step)) / 2e-5 for step in 1e-5 * torch.eye(len(theta))]
    gradient(theta)
    known = np.linalg.eigvalsh(torch.stack(columns).numpy())[::-1]
    np.testing.assert_allclose(top_curvatures(model, (x, y), 3), known[:3], rtol=1e-6)


class Noisy(torch.nn.Module):
    """Dropout, batch normalization, noise, a buffer that counts and a part that stays in evaluation mode."""

    calls: torch.Tensor

    def __init__(self):
        super().__init__()
        self.net, self.norm, self.dropout = MLP([2, 8, 2]), torch.nn.BatchNorm1d(2), torch.nn.Dropout(0.5)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls.add_(1)
        return self.dropout(self.norm(self.net(x))) + 1e-9 * torch.randn(1)


def test_no_trace_is_left():
    model = Noisy().double()
    model.norm.eval()
    torch.manual_seed(0)
    F.cross_entropy(model(torch.tensor(DATA.x_train)), torch.tensor(DATA.y_train)).backward()
    state, tensors_before = copy.deepcopy(model.state_dict()), [*model.parameters(), *model.buffers()]
    gradients = copy.deepcopy([each.grad for each in model.parameters()])
    numbers, theirs = torch.get_rng_state(), str(np.random.get_state())
    sharpness(model, DATA, batch_size=20)
    assert (model.training, model.norm.training, model.dropout.training) == (True, False, True)
    assert all(torch.equal(each, state[name]) for name, each in model.state_dict().items())
    assert all(one is other for one, other in zip([*model.parameters(), *model.buffers()], tensors_before, strict=True))
    for each, kept in zip(model.parameters(), gradients):
        torch.testing.assert_close(each.grad, kept, rtol=0, atol=0)
    assert all(each.requires_grad for each in model.parameters())
    assert torch.equal(torch.get_rng_state(), numbers) and str(np.random.get_state()) == theirs
    with torch.no_grad():  # also where nobody wants gradients
        assert sharpness(mlp(), DATA) > 0


def test_it_is_measured_in_evaluation_mode():
    model = torch.nn.Sequential(torch.nn.Linear(2, 30), torch.nn.Dropout(0.5), torch.nn.Linear(30, 2)).double()
    assert sharpness(model, DATA) == sharpness(model, DATA) == sharpness(model.eval(), DATA)


def test_the_numbers_of_a_call_do_not_depend_on_those_drawn_before():
    np.random.seed(1)
    first = sharpness(mlp(), DATA)
    np.random.seed(2)
    assert sharpness(mlp(), DATA) == first


@pytest.mark.parametrize("sizes", [(2, 2), (2, 32, 2)])
def test_a_diverged_network_gives_nan(sizes):
    model = mlp(sizes=sizes)
    with torch.no_grad():
        model[0].weight.fill_(torch.nan)
    assert np.isnan(top_curvatures(model, DATA, 2)).tolist() == [True, True]


def test_a_diagonal_of_the_same_number_divides_by_it():
    model = mlp()
    quarter = {name: torch.full_like(each, 4.0) for name, each in model.named_parameters()}
    assert sharpness(model, DATA, preconditioner=quarter) == pytest.approx(sharpness(model, DATA) / 4, rel=1e-6)


@pytest.mark.parametrize("features", [3, 30])
def test_preconditioned_it_is_that_of_the_matrix_between_the_two_roots(features):
    x, diagonal = RNG.normal(size=(50, features)), RNG.uniform(0.1, 10, features)
    known = np.linalg.eigvals((2 / 50 * x.T @ x) / diagonal[:, None]).real.max()
    model = torch.nn.Linear(features, 1, bias=False).double()
    found = sharpness(model, (x, np.zeros(50)), "mse", preconditioner={"weight": diagonal[None]})
    assert found == pytest.approx(known, rel=1e-6)


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.AdamW])
@pytest.mark.parametrize("amsgrad", [False, True])
def test_what_adam_divides_by_is_what_its_update_shows(kind, amsgrad):
    model = mlp()
    rest = [*model[2].parameters(), *model[4].parameters()]
    groups = [{"params": model[0].parameters()}, {"params": rest, "betas": (0.8, 0.9)}]
    optimizer = kind(groups, lr=0.01, eps=1e-3, amsgrad=amsgrad, weight_decay=0.0)
    for step in range(5):
        before = {name: each.detach().clone() for name, each in model.named_parameters()}
        train(model, optimizer, moons(n=60, seed=step), steps=1)
        diagonal = adam_preconditioner(model, optimizer)
        for name, each in model.named_parameters():
            mean = optimizer.state[each]["exp_avg"]
            torch.testing.assert_close(each.detach(), before[name] - 0.01 * mean / diagonal[name])


def test_adam_diverges_on_a_bowl_beyond_its_edge():
    """With its diagonal held still, on either side of (2 + 2 β) / ((1 − β) λ): Cohen et al., 2022."""
    x = RNG.normal(size=(50, 4))
    model = torch.nn.Linear(4, 1, bias=False).double()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-9)
    train(model, optimizer, Dataset("", "", x, np.zeros((50, 1)), x, np.zeros((50, 1))), steps=200, loss="mse")
    diagonal = adam_preconditioner(model, optimizer)["weight"].numpy()[0]
    edge = 38 / sharpness(model, (x, np.zeros(50)), "mse", preconditioner={"weight": diagonal[None]})
    curvature = 2 / 50 * x.T @ x
    for rate, grows in ((0.98 * edge, False), (1.02 * edge, True)):
        w, mean = np.ones(4), np.zeros(4)
        for _ in range(1000):
            mean = 0.9 * mean + 0.1 * curvature @ w
            w = w - rate * mean / diagonal
        assert (np.linalg.norm(w) > 2) == grows


def of_digits():
    """200 images, the class as a vector of ten: on squared errors the sharpness does not fall again at the end."""
    data = digits(seed=0)
    return Dataset("", "", data.x_train[:200], np.eye(10)[data.y_train[:200]], data.x_test[:9], np.zeros((9, 10)))


def test_gradient_descent_sharpens_up_to_the_edge_of_stability():
    """It settles at about 2/η: Cohen et al., 2021."""
    model, data, rate = mlp(sizes=(64, 32, 10)), of_digits(), 0.7
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    found = [rate * sharpness(model, data, "mse")]
    for _ in range(8):
        train(model, optimizer, data, steps=150, loss="mse")
        found.append(rate * sharpness(model, data, "mse"))
    assert found[0] < 1.5 and min(found[-4:]) > 1.9 and max(found[-4:]) < 2.4, found


def test_adam_sharpens_up_to_its_own_edge():
    """The preconditioned sharpness settles at about 38/η: Cohen et al., 2022."""
    model, data, rate = mlp(sizes=(64, 32, 10)), of_digits(), 0.01
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    found = []
    for _ in range(5):
        train(model, optimizer, data, steps=100, loss="mse")
        diagonal = adam_preconditioner(model, optimizer)
        found.append(rate * sharpness(model, data, "mse", preconditioner=diagonal))
    assert min(found[-3:]) > 35 and max(found[-3:]) < 41, found


@pytest.mark.parametrize("message, arguments", [
    ("loss must be 'cross_entropy' or 'mse'", {"loss": "hinge"}),
    ("batch_size must be .*at least 1", {"batch_size": 0}),
    ("tolerance must be between 0 and 1", {"tolerance": 0}),
    ("data must be a Dataset or a pair", {"data": (DATA.x_train,)}),
    ("data must be as many inputs as targets", {"data": (DATA.x_train, DATA.y_train[:-1])}),
    ("data must be as many inputs as targets, one or more", {"data": ([], [])}),
    ("parameters must be keyed by the model's parameters, got 'w': use names such as '0.weight'",
     {"parameters": {"w": torch.zeros(1)}}),
    (r"parameters\['0.bias'\] must be of shape \(3,\), got \(2,\)", {"parameters": {"0.bias": torch.zeros(2)}}),
    ("preconditioner must be given for every parameter, '0.weight' too",
     {"preconditioner": {"0.bias": torch.ones(3)}}),
    ("preconditioner must be positive and finite", {"preconditioner": {
        name: torch.zeros_like(each) for name, each in LogicNet().named_parameters()}}),
])  # fmt: skip
def test_bad_arguments_are_named(message, arguments):
    with pytest.raises(ValueError, match=message):
        sharpness(LogicNet(), **{"data": DATA, **arguments})


def test_models_that_have_no_curvature_are_refused():
    with pytest.raises(ValueError, match="n must be at most the number of weights, 17"):
        top_curvatures(LogicNet(), DATA, 18)
    with pytest.raises(ValueError, match="model must be one with parameters to train"):
        sharpness(LogicNet().requires_grad_(False), DATA)
    with pytest.raises(ValueError, match="model must be initialized"):
        sharpness(torch.nn.LazyLinear(2), DATA)


def test_optimizers_without_adams_diagonal_are_refused():
    model = mlp()
    with pytest.raises(ValueError, match="optimizer must be Adam or AdamW, got 'SGD'"):
        adam_preconditioner(model, torch.optim.SGD(model.parameters(), lr=0.1))
    with pytest.raises(ValueError, match="optimizer must be one that has updated '0.weight'"):
        adam_preconditioner(model, torch.optim.Adam(model.parameters()))
