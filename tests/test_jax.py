"""A schedule in JAX and optax, and in Keras on JAX, in processes that have them: no extra of the package brings JAX."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lrcourse.determinism import ENVIRONMENT

ROOT = Path(__file__).parents[1]
PACKAGES = ("jax", "jaxlib", "optax")  # all else that they need is here for other reasons


@pytest.fixture(scope="module")
def with_jax(tmp_path_factory):
    """Runs Python where JAX and optax are beside the other packages, in the versions of constraints.txt."""
    folder = tmp_path_factory.mktemp("jax")
    pins = re.findall(rf"(?m)^(?:{'|'.join(PACKAGES)})==.*$", (ROOT / "constraints.txt").read_text())
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile"]
    subprocess.run([*pip, "--target", folder, *pins], check=True)
    assert len(pins) == len(PACKAGES)

    def run(script, **variables):
        kept = {key: value for key, value in os.environ.items() if key not in ENVIRONMENT}  # of which NumPy warns
        paths = {"PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)]), "JAX_PLATFORMS": "cpu"}
        command = [sys.executable, "-W", "error", "-c", script]
        ran = subprocess.run(command, env={**kept, **paths, **variables}, capture_output=True, text=True, timeout=300)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    return run


EXAMPLE = """
import doctest
from lrcourse import jax

jax.jax_schedule.__doc__ = jax.jax_schedule.__doc__.replace("# doctest: +SKIP", "")
print(doctest.testmod(jax))
"""
EVERY = """
import jax, jax.numpy as jnp, numpy as np
from lrcourse import Constant
from lrcourse.jax import jax_schedule
from tests.every_schedule import every_schedule

n = 30
for dtype in (np.float32, np.float64):
    jax.config.update("jax_enable_x64", dtype is np.float64)
    for name, schedule in every_schedule(n).items():
        rate, table = jax_schedule(schedule, n), schedule.table(n).astype(dtype)
        for given in (jax.jit(rate)(np.arange(n)), jax.vmap(rate)(jnp.arange(n))):
            assert given.dtype == dtype and given.tolist() == table.tolist(), name
        at = jax.jit(rate)(7)
        assert at.shape == () and at == table[7] and rate(10**6) == rate(n - 1) == table[-1], name
jax.config.update("jax_enable_x64", False)
for given in [(0.1, 5), (Constant(0.1), 0), (Constant(1e39), 5)]:
    try:
        jax_schedule(*given)
    except ValueError as error:
        print(error)
"""


@pytest.mark.slow
def test_every_schedule_has_the_rates_of_its_table_while_jax_traces_and_bad_input_is_named_with_the_fix(with_jax):
    schedule, steps, high = with_jax(EVERY).splitlines()
    assert schedule.startswith("schedule must be a schedule, got 0.1: write Constant")
    assert re.match("steps must be .*, got 0: ", steps)
    assert re.match(r"Constant.* at step 0 must be finite as float32, got 1e\+39: lower it", high)


IN_OPTAX = """
import pickle
import jax, jax.numpy as jnp, numpy as np, optax
from lrcourse import Constant, Cosine, Linear, warmup
from lrcourse.jax import jax_schedule

steps = 24
schedule = warmup(Cosine(0.1, 0.0, steps - 4), steps=4)
data = np.random.default_rng(0).standard_normal((steps, 4)).astype(np.float32)

def trained(optimizer, state, begin, end):
    @jax.jit
    def update(carry, x):
        weights, state = carry
        gradients = jax.grad(lambda w: ((x @ w - 1.0) ** 2).sum())(weights)
        updates, state = optimizer.update(gradients, state, weights)
        return (optax.apply_updates(weights, updates), state), updates
    return jax.lax.scan(update, state, data[begin:end])

# The rate of each update: of a gradient of 1, plain descent makes the rate.
plain = optax.sgd(jax_schedule(schedule, steps))
state, rates, update = plain.init(jnp.zeros(())), [], jax.jit(plain.update)
for _ in range(steps):
    change, state = update(jnp.ones(()), state)
    rates.append(-float(change))
assert rates == schedule.table(steps).astype(np.float32).tolist()

# With accumulation a step is an update.
slow = optax.MultiSteps(plain, 3)
state, rates, update = slow.init(jnp.zeros(())), [], jax.jit(slow.update)
for _ in range(3 * steps):
    change, state = update(jnp.ones(()), state)
    rates.append(-float(change))
assert rates[2::3] == schedule.table(steps).astype(np.float32).tolist() and not any(rates[::3])

# Rate and momentum, both read from the state.
both = optax.inject_hyperparams(optax.sgd)(
    learning_rate=jax_schedule(schedule, steps), momentum=jax_schedule(Linear(0.95, 0.85, steps), steps)
)
state, update = both.init(jnp.zeros(())), jax.jit(both.update)
for step in range(steps):
    _, state = update(jnp.ones(()), state)
    assert state.hyperparams["learning_rate"] == np.float32(schedule(step))
    assert state.hyperparams["momentum"] == np.float32(Linear(0.95, 0.85, steps)(step))

# A run that goes on from a saved state, with the code of the page.
names = {"schedule": schedule, "steps": steps}
exec(CODE, names)
optimizer = names["optimizer"]
start = jnp.zeros(4), optimizer.init(jnp.zeros(4))
(final, _), _ = trained(optimizer, start, 0, steps)
for at in (1, 4, 11):
    saved = pickle.dumps(trained(optimizer, start, 0, at)[0])
    (reached, _), _ = trained(optimizer, pickle.loads(saved), at, steps)
    assert reached.tolist() == final.tolist() != start[0].tolist()
print("right")
"""


@pytest.mark.slow
def test_optax_uses_the_rates_counts_updates_and_goes_on_exactly(with_jax):
    page = (ROOT / "book" / "trainers.md").read_text(encoding="utf-8")
    code = re.findall(r"(?ms)^## JAX and optax.*?^```python\n(.*?)^```", page)[0]
    assert with_jax(f"CODE = {code!r}\n{IN_OPTAX}").endswith("right\n")


PEERS = """
import jax, jax.numpy as jnp, numpy as np, optax
from lrcourse import (
    SGDR, Constant, Cosine, Exponential, Linear, OneCycle, Piecewise, Polynomial, maximum, warmup
)
from lrcourse.jax import jax_schedule

n = 40
cosines = [{"init_value": 0.0, "peak_value": 0.1, "warmup_steps": 0, "decay_steps": steps} for steps in (10, 20, 40)]
same = {
    "constant": (optax.constant_schedule(0.1), Constant(0.1)),
    "linear": (optax.linear_schedule(0.1, 0.01, n), Linear(0.1, 0.01, n)),
    "cosine": (optax.cosine_decay_schedule(0.1, n, alpha=0.1), Cosine(0.1, 0.01, n)),
    "polynomial": (optax.polynomial_schedule(0.1, 0.01, 2, 20, 10), Polynomial(0.1, 0.01, 20, 2).shift(10)),
    "exponential": (optax.exponential_decay(0.1, 8, 0.5, end_value=0.02), maximum(Exponential(0.1, 0.5, 8), 0.02)),
    "stairs": (optax.exponential_decay(0.1, 8, 0.5, staircase=True), Exponential(0.1, 0.5, 8, staircase=True)),
    "piecewise": (optax.piecewise_constant_schedule(0.1, {10: 0.5, 20: 0.1}), Piecewise([10, 20], [0.1, 0.05, 0.005])),
    "lines": (optax.piecewise_interpolate_schedule("linear", 0.1, {10: 0.5, 20: 0.1}),
              Linear(0.1, 0.05, 10).then(Linear(0.05, 0.005, 10), at=10)),
    "restarts": (optax.sgdr_schedule(cosines), SGDR(0.1, 0.0, 10, 2)),
    "warm-up, constant": (optax.warmup_constant_schedule(0.0, 0.1, 5), warmup(Constant(0.1), 5)),
    "warm-up, cosine": (optax.warmup_cosine_decay_schedule(0.0, 0.1, 5, n), warmup(Cosine(0.1, 0.0, n - 5), 5)),
    "warm-up, exponential": (optax.warmup_exponential_decay_schedule(0.0, 0.1, 5, 8, 0.5),
                             warmup(Exponential(0.1, 0.5, 8), 5)),
    "joined": (optax.join_schedules([optax.linear_schedule(0.0, 0.1, 5), optax.cosine_decay_schedule(0.1, 20)], [5]),
               Linear(0.0, 0.1, 5).then(Cosine(0.1, 0.0, 20), at=5)),
    "one cycle": (optax.cosine_onecycle_schedule(n, 0.1),
                  Cosine(0.004, 0.1, 12).then(Cosine(0.1, 0.1 / 25e4, 28), at=12)),
}

def rates(theirs, ours):
    return jax.vmap(theirs)(jnp.arange(n + 5)), jax_schedule(ours, n + 5)(np.arange(n + 5))

for name, pair in same.items():
    np.testing.assert_allclose(*rates(*pair), rtol=2e-5, atol=1e-8, err_msg=name)

# As the conventions say: there the rise of one cycle ends at a whole step.
there, here = rates(optax.cosine_onecycle_schedule(n, 0.1), OneCycle(0.1, n + 1))
assert there.argmax() == 12 and there[12] == np.float32(0.1) and not np.allclose(there, here, rtol=0.01)
print(len(same))
"""


@pytest.mark.slow
def test_where_optax_means_the_same_its_rates_are_the_same(with_jax):
    assert int(with_jax(PEERS)) == 14


KERAS = """
import keras, numpy as np
from lrcourse import Linear, warmup
from lrcourse.keras import KerasSchedule, ScheduleCallback

schedule, steps = warmup(Linear(0.1, 0.0, 8), steps=4), 12
assert keras.backend.backend() == "jax"

model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")])
model.compile(keras.optimizers.SGD(KerasSchedule(schedule, steps)), loss=lambda y, p: keras.ops.mean(p))
model.fit(np.ones((8, 1)), np.ones((8, 1)), batch_size=2, epochs=3, verbose=0)
weight = float(model.weights[0].value[0, 0])
# Each update lowers the weight by its rate.
np.testing.assert_allclose(weight, 1 - schedule.table(steps).sum(), rtol=1e-6)
model.compile(keras.optimizers.SGD(0.1), loss="mse")
try:
    model.fit(np.ones((8, 1)), np.ones((8, 1)), verbose=0, callbacks=[ScheduleCallback(schedule)])
except ValueError as error:
    print(error)
"""


@pytest.mark.slow
def test_keras_on_jax_takes_a_schedule_in_the_optimizer(with_jax):
    said = with_jax(KERAS, KERAS_BACKEND="jax")
    assert "KERAS_BACKEND must be tensorflow or torch" in said and "KerasSchedule(schedule, steps)" in said


def test_the_example_of_the_reference_runs(with_jax):
    assert with_jax(EXAMPLE) == "TestResults(failed=0, attempted=4)\n"
