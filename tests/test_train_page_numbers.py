"""The network that trains in the page: its losses and weights are those of the NumPy package, update by update, and so
is what a range test suggests."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from lrcourse import Constant, Cosine, Geometric, warmup
from lrcourse.data import digits
from lrcourse.optimizers import SGD, Adam, AdamW, Lion, RMSprop
from lrcourse.range_test import RangeTest, range_test

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "book" / "_ext"))
import train_data  # noqa: E402
import train_network  # noqa: E402
import train_page  # noqa: E402

TASKS = train_data.tasks()
METHODS: dict[str, Any] = {
    "SGD": SGD, "momentum": lambda lr: SGD(lr=lr, momentum=0.9), "RMSprop": RMSprop, "Adam": Adam, "AdamW": AdamW,
    "Lion": Lion,
}  # fmt: skip
RATES = {"SGD": 0.2, "momentum": 0.05, "RMSprop": 0.003, "Adam": 0.01, "AdamW": 0.01, "Lion": 0.001}
TRAINED = """({ begin, steps }) => {
    const run = lrcourse.training(lrcourse.examples(begin.task), begin);
    return Array.from({ length: steps }, () => [run.update()[0], [...run.w]]);
}"""


@pytest.fixture(scope="module")
def scripts(chromium):
    """A page with the scripts that train, and nothing else."""
    page = chromium.new_page()
    page.add_script_tag(content="window.lrcourse = {};" + train_page.trainer(ROOT / "book" / "_static"))
    page.add_script_tag(path=ROOT / "book" / "_static" / "train" / "range-test.js")
    yield page
    page.close()


def examples(task, part="train"):
    return train_data.read(task[part]["x"], task["sizes"][0]), np.array(task[part]["y"])


def in_python(task, optimizer, activation, size, steps):
    x, y = examples(task)
    return train_network.train(task, x, y, optimizer, activation, size, steps)


@pytest.mark.parametrize("activation", ["tanh", "ReLU"])
@pytest.mark.parametrize("data", TASKS)
@pytest.mark.parametrize("method", METHODS)
def test_losses_and_weights_equal_the_package_step_by_step(scripts, method, data, activation):
    task, steps, size, peak = TASKS[data], 60, 24, RATES[method]
    schedule = warmup(Cosine(peak, peak / 100, 40), 10, peak / 25)
    begin = {"task": task, "method": method, "plain": schedule.to_dict(), "activation": activation, "batch": size}
    found = scripts.evaluate(TRAINED, {"begin": begin, "steps": steps})
    wanted = in_python(task, METHODS[method](lr=schedule), activation, size, steps)
    for t, ((loss, flat), (expected, weights)) in enumerate(zip(found, wanted, strict=True)):
        assert loss == pytest.approx(expected, rel=1e-9, abs=1e-12), t
        np.testing.assert_allclose(flat, train_network.packed(weights), rtol=1e-9, atol=1e-9, err_msg=f"update {t}")
    assert found[-1][0] < 0.9 * found[0][0]


@pytest.mark.parametrize("activation", ["tanh", "ReLU"])
def test_the_gradient_is_that_of_torch(activation):
    task = TASKS["digits"]
    (x, y), weights = examples(task), train_network.unpacked(task["start"], task["sizes"])
    loss, grads = train_network.gradient(weights, x, y, activation)
    tensors = {name: torch.tensor(each, requires_grad=True) for name, each in weights.items()}
    act = torch.tanh if activation == "tanh" else torch.relu
    hidden = act(functional.linear(torch.tensor(x), tensors["W0"], tensors["b0"]))
    theirs = functional.cross_entropy(functional.linear(hidden, tensors["W1"], tensors["b1"]), torch.tensor(y))
    theirs.backward()
    assert loss == pytest.approx(theirs.item(), rel=1e-12)
    for name, each in tensors.items():
        assert each.grad is not None
        np.testing.assert_allclose(grads[name], each.grad.numpy(), rtol=1e-9, atol=1e-14)


def test_a_schedule_that_changes_on_the_way_is_followed_from_the_next_update_on(scripts):
    rates = scripts.evaluate("""(task) => {
        const answer = lrcourse.trainer({ moons: task });
        const plain = (lr) => ({ kind: "Constant", lr });
        const run = { method: "SGD", plain: plain(0.1) };
        answer({ begin: { data: "moons", runs: [run, run], steps: 9, activation: "tanh", batch: 8 } });
        const first = answer({ n: 4, most: 1e4 });
        const then = answer({ plains: [plain(0.2), plain(0.3)], n: 99, most: 1e4 });
        return [first.t, then.t, ...first.runs, ...then.runs].map((each) => each.rates ?? each);
    }""", TASKS["moons"])  # fmt: skip
    assert rates == [4, 9, [0.1] * 4, [0.1] * 4, [0.2] * 5, [0.3] * 5]


def test_a_message_trains_no_longer_than_it_may(scripts):
    assert scripts.evaluate("""(task) => {
        const answer = lrcourse.trainer({ digits: task });
        const runs = [{ method: "SGD", plain: { kind: "Constant", lr: 0.1 } }];
        answer({ begin: { data: "digits", runs, steps: 1e6, activation: "tanh", batch: 32 } });
        return answer({ n: 1e6, most: 5 }).t < 1e5 && answer({ n: 1e6, most: 0 }).runs[0].losses.length === 0;
    }""", TASKS["digits"])  # fmt: skip


@pytest.mark.parametrize("data", TASKS)
def test_what_the_page_says_of_unseen_examples_is_right(scripts, data):
    task = TASKS[data]
    said = scripts.evaluate("""({ task, data }) => {
        const answer = lrcourse.trainer({ [data]: task });
        const runs = [{ method: "Adam", plain: { kind: "Constant", lr: 0.01 } }];
        answer({ begin: { data, runs, steps: 50, activation: "tanh", batch: 24 } });
        const { runs: [{ judged, picture }] } = answer({ n: 50, most: 1e4 });
        return { ...judged, picture: [...picture] };
    }""", {"task": task, "data": data})  # fmt: skip
    *_, (_, weights) = in_python(task, Adam(lr=Constant(0.01)), "tanh", 24, 50)
    x, y = examples(task, "test")
    chances = train_network.probabilities(weights, x, "tanh")
    assert said["accuracy"] == np.mean(chances.argmax(axis=1) == y)
    assert said["loss"] == pytest.approx(-np.log(chances[np.arange(len(y)), y]).mean(), rel=1e-9)
    if data == "digits":
        np.testing.assert_allclose(said["picture"], weights["W0"].ravel(), rtol=1e-6)
        return
    grid = scripts.evaluate("lrcourse.grid")
    across, up = (low + (high - low) * (np.arange(n) + 0.5) / n
                  for (low, high), n in ((grid["x"], grid["columns"]), (grid["y"], grid["rows"])))  # fmt: skip
    plane = np.array([[u, v] for v in up for u in across])
    np.testing.assert_allclose(said["picture"], train_network.probabilities(weights, plane, "tanh")[:, 1], atol=1e-6)


def suggested(result):
    """What a range test suggests, without the rules that give no answer."""
    rates = {method: result.suggest(method) for method in ("steepest", "valley", "minimum")}
    return {method: rate for method, rate in rates.items() if rate is not None}


@pytest.mark.parametrize(("data", "method", "start", "end", "steps"), [
    ("moons", "SGD", 1e-4, 10, 200), ("digits", "SGD", 1e-4, 10, 200), ("digits", "Adam", 1e-5, 1, 150),
    ("digits", "momentum", 0.05, 0.2, 100), ("moons", "Adam", 1e-4, 100, 60), ("digits", "SGD", 1e-8, 1e-6, 50),
    ("moons", "SGD", 1e-3, 1, 8),
])  # fmt: skip
def test_a_range_test_equals_the_package(scripts, data, method, start, end, steps):
    task, optimizer = TASKS[data], METHODS[method](lr=1.0)
    x, y = examples(task)
    held = {"weights": train_network.unpacked(task["start"], task["sizes"])}

    def step_fn(lr):
        chosen = train_network.batch(task["orders"], optimizer.t, 32)
        optimizer.lr = lr
        loss, grads = train_network.gradient(held["weights"], x[chosen], y[chosen], "tanh")
        held["weights"] = optimizer.step(held["weights"], grads)
        return loss

    result = range_test(step_fn, lambda: None, lambda state: None, start, end, steps)
    plain = Geometric(start, end, steps - 1).to_dict()
    begin = {"task": task, "method": method, "plain": plain, "activation": "tanh", "batch": 32}
    found = scripts.evaluate("""({ begin, steps, limits }) => {
        const run = lrcourse.training(lrcourse.examples(begin.task), begin);
        const all = Array.from({ length: steps }, () => run.update());
        const { count, stopped } = lrcourse.climbed(all.map(([loss]) => loss), limits);
        const [losses, rates] = [0, 1].map((i) => all.slice(0, count).map((each) => each[i]));
        return { losses, rates, stopped: stopped ?? null, suggested: lrcourse.suggested(rates, losses, limits) ?? {} };
    }""", {"begin": begin, "steps": steps, "limits": train_page.limits()})  # fmt: skip
    np.testing.assert_allclose(found["rates"], result.lrs, rtol=1e-9)
    calm = np.array(found["rates"]) < 1  # far above, a rounding error grows like everything else
    np.testing.assert_allclose(np.array(found["losses"])[calm], result.losses[calm], rtol=1e-9)
    assert found["stopped"] == result.stopped
    assert found["suggested"] == pytest.approx(suggested(result), rel=1e-6)


def test_suggestions_equal_the_package_on_curves_of_every_kind(scripts):
    rng, kinds = np.random.default_rng(0), set()
    for _ in range(60):
        n = int(rng.integers(5, 120))
        rates = np.geomspace(10 ** rng.uniform(-7, -3), 10 ** rng.uniform(-2, 1), n)
        middle, height, noise = 10 ** rng.uniform(-5, 0), rng.uniform(0, 2), 10 ** rng.uniform(-3, -0.5)
        losses = 3 - height / (1 + (middle / rates) ** 2) + (rates / (30 * middle)) ** 2 + noise * rng.normal(size=n)
        result = RangeTest(rates, losses, losses)
        given = [rates.tolist(), losses.tolist(), train_page.limits()]
        found = scripts.evaluate("(given) => lrcourse.suggested(...given) ?? {}", given)
        kinds.add(bool(found))
        assert found == pytest.approx(suggested(result), rel=1e-9)
    assert kinds == {True, False}


def test_the_page_and_python_read_the_same_examples(scripts):
    for task in TASKS.values():
        for part in ("train", "test"):
            x, y = examples(task, part)
            found = scripts.evaluate("""([task, part]) => {
                const { x, y } = lrcourse.examples(task)[part];
                return [[...x], [...y]];
            }""", [task, part])  # fmt: skip
            assert found == [x.ravel().tolist(), y.tolist()]
    data = digits(seed=0)
    assert (examples(TASKS["digits"])[0] == data.x_train[: train_data.TRAINED]).all()
