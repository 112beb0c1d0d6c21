"""Lab 7: the schedule pays. The model table passes whatever is drawn, no constant rate does, and all train alike.

LRCOURSE_DRAWS says how many gradings are drawn, as in test_labs_fresh_inputs.py.
"""

import os
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest

from lrcourse.course.grading.bubblewrap import Bubblewrap
from lrcourse.course.grading.judge import judge

LAB = Path(__file__).parents[1] / "solutions" / "07-language-model" / "07-language-model.ipynb"
DRAWS = int(os.environ.get("LRCOURSE_DRAWS", "1"))
MARKS = {400: (0.015, 0.013), 800: (0.009, 0.0055)}
CONSTANT = tuple(2.0**k for k in (-10, -9, -8, -7))
PATCHES = """
Referee.read = lambda self, rates: np.full(self.steps, 0.01)
Referee.judge = lambda self: 0.0
def plan(steps):
    return [0.01]
"""


@cache
def cells() -> dict[str, str]:
    return {cell.id: cell.source for cell in nbformat.read(LAB, as_version=4).cells}


@cache
def lab() -> dict[str, Any]:
    """The names of the setup cell and of the model answers to the first and the sixth task."""
    names: dict[str, Any] = {"__name__": "lab"}
    with plt.rc_context():
        exec(compile("\n\n".join(cells()[name] for name in ("setup", "floor", "run")), "lab", "exec"), names)
    return names


def referee(seed: int, steps: int, gpts: int = 8) -> Any:
    return lab()["Referee"](seed, steps, lab()["SMALL"], gpts=gpts)


def drawn(steps: int) -> list[int]:
    return np.random.default_rng([706, steps]).integers(2**31, size=DRAWS).tolist()


def test_the_check_and_the_text_name_these_marks():
    marks = "MARKS = {" + ", ".join(f"{steps}: {each}" for steps, each in MARKS.items()) + "}"
    assert marks in cells()["check-run"]
    for steps, (first, second) in MARKS.items():
        assert f"| {steps} | {first} nats | {second} nats |" in cells()["task-run"]


@pytest.mark.slow
@pytest.mark.parametrize("steps", MARKS)
def test_the_model_table_passes_every_grading(steps):
    ends = [referee(seed, steps).run(lab()["plan"](steps)).above for seed in drawn(steps)]
    print(f"{steps} updates: {np.round(ends, 4)}")
    assert max(ends) <= min(MARKS[steps])


@pytest.mark.slow
@pytest.mark.parametrize("rate", CONSTANT)
def test_a_constant_rate_misses_the_marks(rate):
    """Not one of the four on nearly all draws; and never all of a grading's."""
    ends = [[referee(seed, steps).run(np.full(steps, rate)).above for seed in drawn(steps)] for steps in MARKS]
    missed = np.array(ends) > [[max(marks)] for marks in MARKS.values()]
    print(f"a constant rate of {rate:.4f}: {np.round(ends, 4)}")
    assert missed.any(axis=0).all() and missed.mean() >= 0.9


def test_gpts_side_by_side_train_as_each_does_alone():
    names, rates = lab(), [0.002, 0.02, 0.02, 0.01]
    crowd = referee(7, 4, gpts=2).run(rates)
    alone, ends = [], []
    for seed in (7, 8):
        model = names["network"](seed, names["SMALL"])
        alone.append(names["train"](model, names["batches"](seed, names["SMALL"]), rates, names["adamw_of"](model)))
        ends.append({name: each.detach().cpu().numpy() for name, each in model.named_parameters()})
    assert crowd.losses == pytest.approx(np.mean(alone, axis=0), rel=1e-4)
    for name, weights in crowd.weights.items():
        assert weights.detach().cpu().numpy() == pytest.approx(np.array([each[name] for each in ends]), abs=1e-4)


def test_the_best_possible_loss_is_that_of_task_1_and_near_the_floor():
    names = lab()
    language = names["spoken"](3, names["SMALL"])
    x, y = language.sample(2000, 16, seed=5)
    best = names["best_possible"](language, x, y)
    assert best == pytest.approx(names["best_loss"](language.probabilities, language.following, x, y))
    assert best == pytest.approx(names["floor"](language.probabilities, language.following, 16)[0], abs=0.03)
    assert names["floor"](language.probabilities, language.following, 16)[0] == pytest.approx(language.floor(16).mean())


@pytest.mark.parametrize("rates", [
    [0.1] * 3, [0.1] * 5, [[0.1]] * 4, 0.1, None, "abcd", [0.1, 0.1, 0.1, float("nan")], [0.1, 0.1, 0.1, -0.1],
    [0.1, 0.1, 0.1, float("inf")],
])  # fmt: skip
def test_a_table_that_is_none_is_refused_before_any_update(rates):
    judge_of = referee(1, 4, gpts=1)
    with pytest.raises(ValueError):
        judge_of.run(rates)
    assert judge_of.losses == []


@pytest.mark.parametrize("result", [
    lambda theta, m, v: (theta, m), lambda theta, m, v: theta, lambda theta, m, v: (theta[:1], m[:1], v[:1]),
    lambda theta, m, v: None,
])  # fmt: skip
def test_an_optimizer_that_returns_something_else_is_named(result):
    torch = lab()["torch"]
    weight = torch.nn.Parameter(torch.ones(2, 3))
    weight.grad = torch.ones(2, 3)
    own = lab()["Own"]([weight], lambda theta, g, m, v, *_: result(theta, m, v))
    with pytest.raises(ValueError, match="must"):
        own.step()


@pytest.mark.sandbox
@pytest.mark.slow
def test_at_grading_the_referee_is_out_of_reach():
    notebook = nbformat.read(LAB, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if cell.id in ("setup", "run", "check-run")]
    notebook.cells[1].source = PATCHES
    [task] = judge(notebook, Bubblewrap(), seed="a secret").tasks
    assert task.points == 0
