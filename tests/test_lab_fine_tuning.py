"""Lab 8: search pays. The model recipe passes whatever is drawn, no fixed rate does, and the referee cannot be evaded.

LRCOURSE_DRAWS says how many gradings are drawn, as in test_labs_fresh_inputs.py; solutions/README.md quotes 20.
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

LAB = Path(__file__).parents[1] / "solutions" / "08-fine-tuning" / "08-fine-tuning.ipynb"
DRAWS = int(os.environ.get("LRCOURSE_DRAWS", "1"))
STRATA = ((-1.5, -1.2), (-0.1, 0.1), (1.2, 1.5))  # where the check draws the shifts of its three networks
NEW, OLD, RUNS = 0.5, 0.65, 8
PRETRAINING = 0.2  # its rate
FRAMES = """
def tune(runs, left, before):
    import sys
    frame = sys._getframe(1)
    while not isinstance(frame.f_locals.get("self"), Referee):
        frame = frame.f_back
    size = float(frame.f_locals["self"].state["conv1.weight"].square().mean())
    return "final", 0.03 * size / 0.1
"""
PATCHES = """
Referee.play = lambda self, tune: self
Referee.read = staticmethod(lambda request, left: ("final", 0.03))
fine_tune = lambda model, *_: model
def tune(runs, left, before):
    return ["trial", 0.03, 10]
"""
LABELS = """
def tune(runs, left, before):
    return ["final", np.zeros(500)]
"""
FIXED = (0.001, 0.006, 0.03, PRETRAINING, 1.0)
Network = tuple[int, float, int]  # the seed of the new task, the shift, the seed of the old task


@cache
def lab() -> dict[str, Any]:
    """The names of the setup cell and of the model recipe."""
    cells = {cell.id: cell.source for cell in nbformat.read(LAB, as_version=4).cells}
    names: dict[str, Any] = {"__name__": "lab"}
    with plt.rc_context():
        exec(compile(cells["setup"] + "\n\n" + cells["tune"], "lab", "exec"), names)
    return names


def networks(draw: int) -> list[Network]:
    """What one grading draws."""
    rng = np.random.default_rng([806, draw])
    seeds, old = rng.integers(2**62, size=3).tolist(), int(rng.integers(2**62))
    return [(seed, rng.uniform(*ends), old) for seed, ends in zip(seeds, STRATA)]


def referee(network: Network, budget: int = RUNS) -> Any:
    seed, shift, old = network
    return lab()["Referee"](seed, shift, budget, lab()["pretrained"](old))


def marks(done: Any) -> tuple[bool, bool]:
    """Whether the new task is learned, and whether the old one is kept."""
    new, old = np.mean(done.labels == done.y_new), np.mean(done.old_labels == done.old.judged[1])
    return bool(new >= NEW), bool(old >= OLD)


def passes(tune: Any, network: Network) -> bool:
    done = referee(network).play(tune)
    assert len(done.runs) <= RUNS
    return all(marks(done))


def failures(passed: Any) -> int:
    return sum(not all(passed(network) for network in networks(draw)) for draw in range(DRAWS))


def test_the_check_draws_from_these_ranges():
    check = next(cell.source for cell in nbformat.read(LAB, as_version=4).cells if cell.id == "check-tune")
    assert all(str(ends) in check for ends in STRATA)
    assert check.count(f"share={NEW}") == check.count(f"share={OLD}") == 2 and check.count(f"budget={RUNS}") == 4


@pytest.mark.slow
def test_the_recipe_passes_every_grading():
    drawn = [network for draw in range(DRAWS) for network in networks(draw)]
    assert [network for network in drawn if not passes(lab()["tune"], network)] == []


@pytest.mark.slow
@pytest.mark.parametrize("rate", FIXED)
def test_a_fixed_rate_fails_at_least_three_of_four_gradings(rate):
    failed = failures(lambda network: passes(lambda *_: ("final", rate), network))
    print(f"a fixed rate of {rate} fails {failed} of {DRAWS} gradings")
    assert failed >= 0.75 * DRAWS


@pytest.mark.slow
def test_training_from_scratch_at_its_best_rate_fails_the_new_task():
    """The body is drawn anew and trains with its norms, at whichever of six rates is best on the judge's own images."""

    def learned(network: Network) -> bool:
        asked = referee(network)
        x, y = lab()["tensors"](asked.x, asked.y)
        right = []
        for rate in np.geomspace(0.01, 3, 6):
            fresh = lab()["network"](16, asked.seed)
            done = lab()["fine_tune"](fresh, x, y, rate, asked.size.steps, asked.seed, norms=True)
            right.append(np.mean(lab()["labels_of"](done, asked.x_new) == asked.y_new))
        return max(right) >= NEW

    failed = failures(lambda network: not network[1] or learned(network))
    print(f"training from scratch fails {failed} of {DRAWS} gradings")
    assert failed >= 0.75 * DRAWS


@pytest.mark.slow
def test_a_body_that_never_moves_forgets_nothing_and_learns_too_little():
    done = [referee(networks(draw)[1]).play(lambda *_: ("final", 0.0)) for draw in range(DRAWS)]
    assert [marks(each) for each in done] == [(False, True)] * DRAWS


@pytest.mark.slow
def test_the_size_of_the_weights_changes_nothing_that_the_network_computes_and_moves_the_rate_by_its_square():
    seed, _, old = networks(0)[1]
    done = [referee((seed, shift, old), 2).play(lambda *_: ("final", 0.03 * 10**shift)) for shift in (0.0, 1.2)]  # noqa: B023
    assert done[0].before == pytest.approx(done[1].before, abs=0.005)
    assert done[0].runs[0]["new"] == pytest.approx(done[1].runs[0]["new"], rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("request_", [
    ["final"], ["fine", 0.1], [], "final", None, 7, ["final", float("nan")], ["final", -0.1], ["final", "a"],
    ["trial", float("inf")], ["trial", 0.1, 50], ["final", [1.0, 2.0]], [["final"], 0.1], {"final": 0.1, "trial": 0.2},
])  # fmt: skip
def test_what_cannot_be_granted_is_refused_and_costs_nothing(request_):
    asked = referee((3, 0.0, 0))
    with pytest.raises((ValueError, TypeError)):
        asked.play(lambda *_: request_)
    assert (asked.runs, asked.labels) == ([], None)


@pytest.mark.slow
def test_every_run_is_counted_and_the_last_one_is_final():
    told = []

    def tune(runs, left, before):
        told.append((left, [run["request"] for run in runs]))
        return ["trial", 0.01]

    asked = referee((3, 0.0, 0), budget=2)
    with pytest.raises(lab()["Refused"], match="one run is left"):
        asked.play(tune)
    assert told == [(2, []), (1, [["trial", 0.01]])] and asked.labels is None


@pytest.mark.slow
def test_a_trial_sees_neither_the_quarter_that_it_is_measured_on_nor_the_judged_images():
    asked = referee((3, 0.0, 0))
    asked.y[: asked.held] = (asked.y[: asked.held] + 1) % 10  # wrong labels: whoever trained on them would do better
    asked.grant(["trial", 0.03])
    other = referee((3, 0.0, 0))
    other.grant(["trial", 0.03])
    assert asked.runs[0]["old"] == other.runs[0]["old"] and asked.runs[0]["new"] > other.runs[0]["new"] + 0.5
    assert not np.array_equal(asked.old.trial[0], asked.old.judged[0])


@pytest.mark.slow
@pytest.mark.sandbox
@pytest.mark.parametrize("answer", [FRAMES, PATCHES, LABELS], ids=["frames", "patches", "labels"])
def test_at_grading_the_referee_is_out_of_reach(answer):
    notebook = nbformat.read(LAB, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if cell.id in ("setup", "tune", "check-tune")]
    notebook.cells[1].source = answer
    [task] = judge(notebook, Bubblewrap(), seed="a secret").tasks
    assert task.points == 0
