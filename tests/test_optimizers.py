"""The from-scratch optimizers against torch.optim, keras.optimizers and the papers' recursions."""

import copy
import os
import pickle
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import numpy as np
import pytest
import tensorflow as tf
import torch

from lrcourse import Constant, Cosine, Lambda, MultiStep, Schedule, optimizers
from lrcourse.optimizers import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    AdamW,
    AMSGrad,
    Lion,
    Muon,
    NAdam,
    Optimizer,
    RMSprop,
    ScheduleFreeSGD,
    orthogonalize,
)
from lrcourse.surfaces import Bowl, descend

untyped: Any = optimizers  # takes what a type checker refuses

STEPS = 200
EPS = {"eps": 1e-2}  # large enough that a wrong place for it shows


# ---- three problems: start() and grads(params), both dicts of arrays


def quadratic():
    curvatures = np.array([[0.5, 2.0, 8.0], [0.1, 1.0, 4.0]])
    return {"x": np.array([[1.0, -2.0, 0.5], [3.0, -0.1, 1.5]])}, lambda p: {"x": curvatures * p["x"]}


def logistic():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(40, 3)) * [1.0, 3.0, 0.3]
    labels = (x @ [[1.0], [-0.5], [2.0]] + rng.normal(size=(40, 1)) > 0).astype(float)

    def grads(p):
        error = (1 / (1 + np.exp(-(x @ p["w"] + p["b"]))) - labels) / len(x)
        return {"w": x.T @ error, "b": error.sum(axis=0)}

    return {"w": np.zeros((3, 1)), "b": np.array([0.5])}, grads


def network():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(30, 2))
    target = np.sin(2 * x[:, :1]) + x[:, 1:]

    def grads(p):
        h = np.tanh(x @ p["a"] + p["b"])
        error = 2 * (h @ p["c"] + p["d"] - target) / len(x)
        back = error @ p["c"].T * (1 - h**2)
        return {"a": x.T @ back, "b": back.sum(axis=0), "c": h.T @ error, "d": error.sum(axis=0)}

    return {"a": rng.normal(size=(2, 4)), "b": np.zeros(4), "c": rng.normal(size=(4, 1)), "d": np.zeros(1)}, grads


PROBLEMS = [quadratic, logistic, network]
# Rates at which a rounding error stays one; from 0.03 on, NAdam on the network multiplies it by 1e9 in 200 steps.
SCHEDULES = [Constant(0.01), MultiStep(0.02, [60, 140], 0.1), Cosine(0.02, 0.001, STEPS)]


def trajectory(optimizer, problem, steps=STEPS):
    params, grads = problem()
    path = [params]
    for _ in range(steps):
        params = optimizer.step(params, grads(params))
        path.append(params)
    return path


def furthest(path, reference):
    return max(float(np.abs(p[name] - q[name]).max()) for p, q in zip(path, reference, strict=True) for name in p)


def torch_trajectory(make, schedule, problem):
    start, grads = problem()
    params = {name: torch.tensor(value, requires_grad=True) for name, value in start.items()}
    optimizer = make(list(params.values()), lr=1.0)
    path = [start]
    for t in range(STEPS):
        optimizer.param_groups[0]["lr"] = schedule(t)
        for name, g in grads(path[-1]).items():
            params[name].grad = torch.tensor(g)
        optimizer.step()
        path.append({name: p.detach().numpy().copy() for name, p in params.items()})
    return path


@pytest.fixture(autouse=True)
def float64():
    """Both frameworks keep the rate, and torch NAdam's product of momenta, in their default type."""
    before = keras.config.floatx(), torch.get_default_dtype()
    keras.config.set_floatx("float64")
    torch.set_default_dtype(torch.float64)
    yield
    keras.config.set_floatx(before[0])
    torch.set_default_dtype(before[1])


def keras_trajectory(make, schedule, problem):
    start, grads = problem()
    params = {name: keras.Variable(value, dtype="float64") for name, value in start.items()}
    optimizer = make(learning_rate=1.0)
    optimizer.build(list(params.values()))
    apply = tf.function(lambda grads: optimizer.apply(grads, list(params.values())))  # ten times faster than eager
    path = [start]
    for t in range(STEPS):
        optimizer.learning_rate = schedule(t)
        given = grads(path[-1])
        apply([tf.constant(given[name]) for name in params])
        path.append({name: p.value.numpy().copy() for name, p in params.items()})
    return path


def with_defaults(cls, **settings):
    """A constructor with all settings but the rate."""
    return lambda *args, **rate: cls(*args, **rate, **settings)


TORCH: dict[str, tuple[Any, ...]] = {
    "SGD": (SGD, {}, torch.optim.SGD, {}),
    "momentum": (SGD, {"momentum": 0.9}, torch.optim.SGD, {"momentum": 0.9}),
    "Nesterov": (SGD, {"momentum": 0.9, "nesterov": True}, torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    "SGD, decay": (SGD, {"momentum": 0.9, "weight_decay": 0.1}, torch.optim.SGD,
                   {"momentum": 0.9, "weight_decay": 0.1}),
    "Adagrad": (Adagrad, EPS, torch.optim.Adagrad, EPS),
    "Adagrad, initial": (Adagrad, {"initial": 0.1}, torch.optim.Adagrad, {"initial_accumulator_value": 0.1}),
    "RMSprop": (RMSprop, EPS, torch.optim.RMSprop, EPS),
    "RMSprop, decay": (RMSprop, {"weight_decay": 0.1, **EPS}, torch.optim.RMSprop, {"weight_decay": 0.1, **EPS}),
    "Adadelta": (Adadelta, EPS, torch.optim.Adadelta, EPS),
    "Adam": (Adam, EPS, torch.optim.Adam, EPS),
    "Adam, decay": (Adam, {"weight_decay": 0.1, **EPS}, torch.optim.Adam, {"weight_decay": 0.1, **EPS}),
    "AdamW": (AdamW, EPS, torch.optim.AdamW, EPS),
    "AMSGrad": (AMSGrad, {"beta2": 0.9, **EPS}, torch.optim.Adam, {"amsgrad": True, "betas": (0.9, 0.9), **EPS}),
    "NAdam": (NAdam, EPS, torch.optim.NAdam, EPS),
}  # fmt: skip

# Keras on TensorFlow rounds betas to float32 on their way to float64, so we give ones that are float32 numbers.
BETA1, BETA2 = float(np.float32(0.9)), float(np.float32(0.999))
BETAS, KERAS_BETAS = {"beta1": BETA1, "beta2": BETA2}, {"beta_1": BETA1, "beta_2": BETA2}
KERAS = {
    "SGD": (SGD, {}, keras.optimizers.SGD, {}),
    "momentum": (SGD, {"momentum": 0.9}, keras.optimizers.SGD, {"momentum": 0.9}),
    "Nesterov": (SGD, {"momentum": 0.9, "nesterov": True}, keras.optimizers.SGD, {"momentum": 0.9, "nesterov": True}),
    "SGD, decay": (SGD, {"momentum": 0.9, "weight_decay": 0.1}, keras.optimizers.SGD,
                   {"momentum": 0.9, "weight_decay": 0.1}),
    "Adagrad": (Adagrad, EPS, keras.optimizers.Adagrad, {"epsilon": 1e-2}),
    "RMSprop": (RMSprop, EPS, keras.optimizers.RMSprop, {"epsilon": 1e-2}),
    "RMSprop, decay": (RMSprop, {"weight_decay": 0.1, **EPS}, keras.optimizers.RMSprop,
                       {"weight_decay": 0.1, "epsilon": 1e-2}),
    "Adadelta": (Adadelta, EPS, keras.optimizers.Adadelta, {"epsilon": 1e-2}),
    "Adam": (Adam, {**BETAS, **EPS}, keras.optimizers.Adam, {**KERAS_BETAS, "epsilon": 1e-2}),
    "AdamW": (AdamW, {**BETAS, **EPS}, keras.optimizers.AdamW, {**KERAS_BETAS, "epsilon": 1e-2}),
    "AMSGrad": (AMSGrad, {"beta2": 0.75, **EPS}, keras.optimizers.Adam,
                {"amsgrad": True, "beta_2": 0.75, "epsilon": 1e-2}),
    "NAdam": (NAdam, {**BETAS, **EPS}, keras.optimizers.Nadam, {**KERAS_BETAS, "epsilon": 1e-2}),
    "Lion": (Lion, {"weight_decay": 0.1}, keras.optimizers.Lion, {"weight_decay": 0.1}),
}  # fmt: skip


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("name", TORCH)
def test_200_steps_equal_torch(name, problem):
    ours, settings, theirs, their_settings = TORCH[name]
    for schedule in SCHEDULES:
        path = trajectory(ours(schedule, convention="torch", **settings), problem)
        assert furthest(path, torch_trajectory(with_defaults(theirs, **their_settings), schedule, problem)) < 1e-10


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("name", KERAS)
def test_200_steps_equal_keras(name, problem):
    ours, settings, theirs, their_settings = KERAS[name]
    schedule = SCHEDULES[PROBLEMS.index(problem)]
    path = trajectory(ours(schedule, convention="keras", **settings), problem)
    assert furthest(path, keras_trajectory(with_defaults(theirs, **their_settings), schedule, problem)) < 1e-6


@pytest.mark.parametrize("cls", [Adagrad, RMSprop, Adam, AMSGrad])
def test_the_place_of_epsilon_shows_at_1e_2(cls):
    same = {"eps": 1e-2} | ({"initial": 0.0} if cls is Adagrad else {}) | ({"rho": 0.9} if cls is RMSprop else {})
    a, b = (trajectory(cls(0.03, convention=convention, **same), logistic) for convention in ("torch", "keras"))
    assert furthest(a, b) > 1e-3


@pytest.mark.parametrize("cls, theirs", [
    (SGD, torch.optim.SGD), (Adagrad, torch.optim.Adagrad), (RMSprop, torch.optim.RMSprop),
    (Adadelta, torch.optim.Adadelta), (Adam, torch.optim.Adam), (AdamW, torch.optim.AdamW), (NAdam, torch.optim.NAdam),
    (Muon, torch.optim.Muon),
])  # fmt: skip
def test_defaults_equal_torch(cls, theirs):
    group = theirs([torch.zeros(2, 2)]).param_groups[0]
    names = {"rho": "alpha"} if cls is RMSprop else {"initial": "initial_accumulator_value", "psi": "momentum_decay"}
    for name, value in {"weight_decay": 0.0, **cls.conventions["torch"]}.items():
        assert group[names.get(name, name)] == value, name


@pytest.mark.parametrize("cls, theirs", [
    (SGD, keras.optimizers.SGD), (Adagrad, keras.optimizers.Adagrad), (RMSprop, keras.optimizers.RMSprop),
    (Adadelta, keras.optimizers.Adadelta), (Adam, keras.optimizers.Adam), (AdamW, keras.optimizers.AdamW),
    (NAdam, keras.optimizers.Nadam), (Lion, keras.optimizers.Lion), (Muon, keras.optimizers.Muon),
])  # fmt: skip
def test_defaults_equal_keras(cls, theirs):
    config = theirs().get_config()
    names = {"lr": "learning_rate", "eps": "epsilon", "initial": "initial_accumulator_value"}
    for name, value in cls.conventions["keras"].items():
        if name != "psi":  # Keras has 0.96 ** t in its code, not as a setting; the trajectories compare it
            assert config[names.get(name, name)] == pytest.approx(value, rel=1e-6), name


# ---- momentum: where the rate stands


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_conventions_agree_at_a_constant_rate_and_part_after_a_drop(nesterov):
    def path(convention, rate):
        return trajectory(SGD(rate, momentum=0.9, nesterov=nesterov, convention=convention), quadratic)

    assert furthest(path("torch", 0.02), path("keras", 0.02)) < 1e-12
    drop = MultiStep(0.02, [20], 0.1)
    torch_path, keras_path = path("torch", drop), path("keras", drop)
    assert furthest(torch_path[:21], keras_path[:21]) < 1e-12
    assert furthest(torch_path, keras_path) > 0.05


def test_after_a_drop_torch_slows_at_once_and_keras_coasts():
    moved = {}
    for convention in "torch", "keras":
        optimizer, x = SGD(MultiStep(1.0, [50], 0.1), momentum=0.9, convention=convention), np.zeros(1)
        xs = [x := optimizer.step(x, [1.0]) for _ in range(51)]
        moved[convention] = float((xs[49] - xs[50])[0])
    assert moved["torch"] == pytest.approx(1.0, rel=0.01)  # 0.1 * 1 / (1 - 0.9)
    assert moved["keras"] == pytest.approx(9.05, rel=0.01)  # 0.9 * 10 + 0.1 * 0.5...


def test_paper_momentum_is_polyaks_heavy_ball():
    start, grads = quadratic()
    x, before, path = start["x"], start["x"], [start]
    for t in range(STEPS):
        x, before = x - SCHEDULES[1](t) * grads({"x": x})["x"] + 0.9 * (x - before), x
        path.append({"x": x})
    assert furthest(trajectory(SGD(SCHEDULES[1], momentum=0.9, convention="paper"), quadratic), path) < 1e-12


def test_paper_nesterov_takes_the_gradient_at_the_look_ahead():
    start, grads = quadratic()
    theta, v, path = start["x"], 0 * start["x"], [start]
    for t in range(STEPS):
        v_new = 0.9 * v - SCHEDULES[1](t) * grads({"x": theta + 0.9 * v})["x"]
        theta, v = theta + v_new, v_new
        path.append({"x": theta + 0.9 * v})
    ours = trajectory(SGD(SCHEDULES[1], momentum=0.9, nesterov=True, convention="paper"), quadratic)
    assert furthest(ours, path) < 1e-12


# ---- the papers' recursions, written once more over all gradients so far


def gradients(n=30):
    return np.random.default_rng(3).normal(size=(n, 2)) * [1.0, 0.01]


def last(optimizer):
    x = np.zeros(2)
    for g in gradients():
        x = optimizer.step(x, g)
    return x


def test_adagrad_divides_by_the_root_of_the_sum_or_of_the_mean():
    g = gradients()
    sums = np.cumsum(g**2, axis=0)
    means = sums / np.arange(1, len(g) + 1)[:, None]
    for convention, squares in ("paper", sums), ("mean", means):
        expected = -(0.1 * g / (np.sqrt(squares) + 1e-2)).sum(axis=0)
        np.testing.assert_allclose(last(Adagrad(0.1, convention=convention, **EPS)), expected)


def averages(values, beta):
    """The exponential averages of the rows of `values`, from their definition as weighted sums."""
    return np.array([
        sum((1 - beta) * beta ** (t - i) * values[i] for i in range(t + 1)) for t in range(len(values))
    ])  # fmt: skip


def test_paper_rmsprop_adam_and_amsgrad():
    g, t = gradients(), np.arange(1, 31)[:, None]
    m, v = averages(g, 0.9), averages(g**2, 0.99)
    adam = m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.99**t)) + 1e-2)
    amsgrad = m / (np.sqrt(np.maximum.accumulate(v)) + 1e-2)
    settings: dict[str, Any] = {"convention": "paper", "eps": 1e-2}
    np.testing.assert_allclose(last(RMSprop(0.1, rho=0.99, **settings)), -(0.1 * g / (np.sqrt(v) + 1e-2)).sum(0))
    np.testing.assert_allclose(last(Adam(0.1, beta2=0.99, **settings)), -0.1 * adam.sum(0))
    np.testing.assert_allclose(last(AMSGrad(0.1, beta2=0.99, **settings)), -0.1 * amsgrad.sum(0))


def test_paper_nadam_averages_with_the_changing_momentum():
    g, mu = gradients(), 0.9 * (1 - 0.5 * 0.96 ** (0.3 * np.arange(1, 32)))
    v = averages(g**2, 0.999) / (1 - 0.999 ** np.arange(1, 31))[:, None]
    x = np.zeros(2)
    for t in range(30):
        m = sum((1 - mu[i]) * np.prod(mu[i + 1 : t + 1]) * g[i] for i in range(t + 1))
        m_hat = mu[t + 1] * m / (1 - np.prod(mu[: t + 2])) + (1 - mu[t]) * g[t] / (1 - np.prod(mu[: t + 1]))
        x = x - 0.1 * m_hat / (np.sqrt(v[t]) + 1e-2)
    np.testing.assert_allclose(last(NAdam(0.1, psi=0.3, convention="paper", **EPS)), x)
    assert np.abs(last(NAdam(0.1, psi=0.3, convention="torch", **EPS)) - x).max() > 1e-2


def test_paper_adamw_decays_by_the_schedule_and_not_by_the_size_of_the_rate():
    def left(rate, **alpha):
        return AdamW(rate, weight_decay=0.1, convention="paper", **alpha).step([1.0], [0.0])

    np.testing.assert_allclose([left(0.5), left(0.001)], [[0.9], [0.9]])
    np.testing.assert_allclose(left(Constant(0.25), alpha=0.5), [0.95])
    with pytest.raises(ValueError, match="alpha must be the positive rate .* got None: pass the schedule's peak"):
        AdamW(Cosine(0.1, 0.0, 10), convention="paper")


def test_lion_in_the_paper_and_in_keras_share_the_formula():
    assert furthest(*(trajectory(Lion(0.01, convention=c), network) for c in ("paper", "keras"))) == 0


@pytest.mark.parametrize("schedule", [Constant(0.03), Cosine(0.0, 0.05, 50)])
@pytest.mark.parametrize("problem", PROBLEMS)
def test_schedule_free_equals_the_papers_recursion(problem, schedule):
    """x is written as the weighted mean of all z, which equations 3 to 5 build up step by step."""
    start, grads = problem()
    beta, rates = 0.9, schedule.table(STEPS)
    zs, x, y, path = [start], start, start, [start]
    for t in range(STEPS):
        g = grads(y)
        zs.append({name: zs[-1][name] - rates[t] * g[name] for name in g})
        w = rates[: t + 1] ** 2
        if w.sum() > 0:
            x = {name: np.tensordot(w / w.sum(), np.array([z[name] for z in zs[1:]]), axes=1) for name in g}
        y = {name: (1 - beta) * zs[-1][name] + beta * x[name] for name in g}
        path.append(y)
    optimizer = ScheduleFreeSGD(schedule, beta=beta)
    ours = trajectory(optimizer, problem)
    assert furthest(ours, path) < 1e-10
    assert furthest([optimizer.average(ours[-1])], [x]) < 1e-10


# ---- Muon


def matrices():
    """Minima too far away to be reached: near one, the small singular values of the gradient are rounding errors."""
    rng = np.random.default_rng(4)
    left, w, u = rng.normal(size=(5, 3)), 30 * rng.normal(size=(3, 4)), 30 * rng.normal(size=(6, 2))
    start = {"w": rng.normal(size=(3, 4)), "u": rng.normal(size=(6, 2))}
    return start, lambda p: {"w": left.T @ left @ (p["w"] - w), "u": p["u"] - u}


@pytest.mark.parametrize("nesterov", [True, False])
def test_muon_equals_torch_without_the_rounding_to_bfloat16(nesterov, monkeypatch):
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.clone)
    reference = torch_trajectory(with_defaults(torch.optim.Muon, nesterov=nesterov), SCHEDULES[2], matrices)
    assert furthest(trajectory(Muon(SCHEDULES[2], nesterov=nesterov), matrices), reference) < 1e-10


def test_muon_equals_keras():
    make = with_defaults(keras.optimizers.Muon)
    reference = keras_trajectory(make, SCHEDULES[2], matrices)
    assert furthest(trajectory(Muon(SCHEDULES[2], convention="keras"), matrices), reference) < 1e-6


@pytest.mark.parametrize("shape", [(4, 4), (3, 8), (8, 3), (1, 5)])
def test_orthogonalize_keeps_singular_vectors_and_levels_singular_values(shape):
    u, s, vt = np.linalg.svd(np.random.default_rng(5).normal(size=shape), full_matrices=False)
    s = np.geomspace(1.0, 0.1, len(s))
    core = u.T @ orthogonalize(u * s @ vt) @ vt.T
    np.testing.assert_allclose(core, np.diag(np.diag(core)), atol=1e-10)
    assert np.all((np.diag(core) > 0.6) & (np.diag(core) < 1.3))


def test_orthogonalize_of_zeros_is_zeros():
    assert not orthogonalize(np.zeros((2, 3))).any()


# ---- what all share

ALL: list[type[Optimizer]] = [SGD, Adagrad, RMSprop, Adadelta, Adam, AdamW, AMSGrad, NAdam, Lion, ScheduleFreeSGD, Muon]
EVERY = [(cls, convention) for cls in ALL for convention in cls.conventions]


def frozen(array):
    array.flags.writeable = False
    return array


@pytest.mark.parametrize("cls, convention", EVERY)
def test_the_callers_arrays_are_neither_changed_nor_kept(cls, convention):
    def run(scribble):
        optimizer = cls(lr=0.1, convention=convention)
        x, g = np.ones((2, 2)), np.full((2, 2), 0.5)
        for _ in range(3):
            new = optimizer.step(frozen(x), frozen(g))
            x_next, g_next = new.copy(), g.copy()
            for array in (x, g, new) if scribble else ():
                array.flags.writeable = True
                array[:] = 99
            x, g = x_next, g_next
        return x

    np.testing.assert_array_equal(run(scribble=True), run(scribble=False))


@pytest.mark.parametrize("cls, convention", EVERY)
def test_an_array_is_a_dict_of_one_and_each_parameter_is_on_its_own(cls, convention):
    rng = np.random.default_rng(6)
    a, b = rng.normal(size=(2, 3, 3))
    grads = rng.normal(size=(5, 2, 3, 3))
    alone, both = cls(lr=0.1, convention=convention), cls(lr=0.1, convention=convention)
    params = {"a": a, "b": b}
    for g in grads:
        a, params = alone.step(a, g[0]), both.step(params, {"a": g[0], "b": g[1]})
    np.testing.assert_array_equal(params["a"], a)


@pytest.mark.parametrize("cls, convention", EVERY)
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))])
def test_a_copy_goes_on_from_where_the_optimizer_was(cls, convention, duplicate):
    optimizer = cls(lr=Constant(0.1), convention=convention, **({"alpha": 0.1} if cls is AdamW else {}))
    x = np.arange(4.0).reshape(2, 2)
    for _ in range(3):
        x = optimizer.step(x, np.cos(x))
    twin = duplicate(optimizer)
    np.testing.assert_array_equal(twin.step(x, np.cos(x)), optimizer.step(x, np.cos(x)))


def test_the_rate_is_the_schedules_value_at_the_step_counted_from_0():
    optimizer, x = SGD(MultiStep(1.0, [2], 0.5)), np.zeros(1)
    xs = [float((x := optimizer.step(x, [1.0]))[0]) for _ in range(4)]
    assert xs == [-1.0, -2.0, -2.5, -3.0]


def test_settings_may_be_edited_between_steps():
    optimizer = SGD(lr=1.0)
    optimizer.lr = 0.1
    np.testing.assert_array_equal(optimizer.step([0.0], [1.0]), [-0.1])


def test_numbers_are_parameters_too():
    assert SGD(lr=0.5).step(3, 2) == 2.0


@pytest.mark.parametrize("make, message", [
    (lambda: SGD(lr=-0.1), "lr must be zero or positive, got -0.1: .*absolute value"),
    (lambda: SGD(momentum=1.0), "momentum must be at least 0 and below 1, got 1.0: "),
    (lambda: Adam(beta1=float("nan")), "beta1 must be a finite number, got nan: "),
    (lambda: Adam(eps=-1e-8), "eps must be zero or positive, got -1e-08: use for example 1e-8"),
    (lambda: untyped.Adam(eps="small"), "eps must be a finite number, got 'small': "),
    (lambda: SGD(weight_decay=float("inf")), "weight_decay must be a finite number, got inf: "),
    (lambda: SGD(convention="jax"), "convention must be one that SGD knows, got 'jax': .*'torch', 'keras', 'paper'"),
    (lambda: Lion(convention="torch"), "convention must be one that Lion knows, got 'torch': .*'keras', 'paper'"),
    (lambda: SGD().step(np.zeros(2), np.zeros(3)), r"the shapes of grads must be .*\(2,\).*, got .*\(3,\).*: "),
    (lambda: SGD().step({"w": np.zeros(2)}, {"v": np.zeros(2)}), "the shapes of grads must be .*'w'.*, got .*'v'.*: "),
    (lambda: untyped.SGD().step({"w": np.zeros(2)}, np.zeros(2)), "grads must be a dict, as params is one, got .*: "),
    (lambda: SGD().step(["a"], [1.0]), "params must be numbers, got .*: pass arrays of floats"),
    (lambda: Muon().step(np.zeros(2), np.zeros(2)), r"params must be matrices .*, got \(2,\): use SGD or AdamW"),
    (lambda: orthogonalize(np.zeros(2)), r"matrix must be of shape \(rows, columns\), got \(2,\): "),
    (lambda: orthogonalize(np.eye(2), steps=-1), "steps must be a whole number, at least 0, got -1: "),
])  # fmt: skip
def test_bad_input_names_the_argument_the_value_and_the_fix(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_refused_step_changes_nothing():
    optimizer, twin = Adam(lr=0.1), Adam(lr=0.1)
    with pytest.raises(ValueError):
        optimizer.step([1.0, 2.0], [1.0])
    np.testing.assert_array_equal(optimizer.step([1.0, 2.0], [1.0, -1.0]), twin.step([1.0, 2.0], [1.0, -1.0]))
    with pytest.raises(ValueError, match="the shapes of params must be .*: make a new optimizer for new parameters"):
        optimizer.step([1.0], [1.0])


def test_a_subclass_without_a_formula_is_told_so():
    class Nothing(Optimizer):
        conventions = {"torch": {"lr": 0.1}}

    with pytest.raises(TypeError, match="Nothing defines no update"):
        Nothing().step([1.0], [1.0])


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), -0.1, "0.1"])
def test_an_update_for_which_a_schedule_gives_no_rate_is_refused(value):
    schedule = Lambda(lambda t: 0.1 if t < 2 else value)
    for make in (SGD, Adam, lambda lr: ScheduleFreeSGD(lr=lr)):
        optimizer, x = make(schedule), np.ones(2)
        for _ in range(2):
            x = optimizer.step(x, np.ones(2))
        with pytest.raises(ValueError, match=r"Lambda\(.* at step 2 must be .*number.*, got "):
            optimizer.step(x, np.ones(2))
        assert optimizer.t == 2
    with pytest.raises(ValueError, match=r"Lambda\(.* at step 2 must be .*number.*, got "):
        descend(Bowl(), SGD(schedule), (1.0, 1.0), 3)
    assert descend(Bowl(), SGD(schedule), (1.0, 1.0), 2).shape == (3, 2)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.1])
def test_a_schedule_that_is_called_otherwise_is_held_to_rates_too(value):
    class Overriding(Schedule):
        def __call__(self, t):
            return 0.1 if t < 2 else value

    optimizer, params = SGD(lr=Overriding()), np.array([1.0])
    for _ in range(2):
        params = optimizer.step(params, params)
    with pytest.raises(ValueError, match=r"Overriding\(\) at step 2 must be a finite number, zero or more, got"):
        optimizer.step(params, params)
    assert optimizer.t == 2
