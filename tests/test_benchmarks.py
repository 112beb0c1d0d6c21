"""What `make bench` prints and when it fails; the times themselves are not tested."""

import runpy
from pathlib import Path

import pytest

from lrcourse.course.experiments import sweep_speed

SWEEP = Path(__file__).parents[1] / "benchmarks" / "sweep.py"
DIGITS, LOOP, JAX = "digits 64-128-10, 64 settings, compiled", "2-3-2, 1 settings, auto", "2-3-2, 1 settings, jax"


@pytest.mark.parametrize(
    ("measured", "says"),
    [
        ({DIGITS: [(9.0, 1), (4.0, 1), (4.5, 1)]}, "goals met"),  # the median counts
        ({DIGITS: [(4.0, 1), (5.5, 1), (5.1, 1)]}, f"goals missed: {DIGITS}: at most 5.0 runs"),
        ({LOOP: [(1.0, 0.92)] * 3}, "goals met"),
        ({LOOP: [(1.0, 0.9)] * 3}, f"goals missed: {LOOP}: not slower than the loop"),
        ({JAX: [(1.0, 0.5)] * 3}, "goals met"),  # the loop is no measure for JAX
    ],
)
def test_the_benchmark_of_sweeps_judges_the_median_of_a_row(monkeypatch, capsys, measured, says):
    def run(name, seed, size, device):
        cost, loop = measured[name][seed]
        version = {"version": "1.0"} if name.endswith("jax") else {}
        return {"cost": cost, "faster": 64 / cost, "against the loop": loop} | version

    monkeypatch.setattr("sys.argv", [str(SWEEP)])
    monkeypatch.setattr(sweep_speed, "plan", lambda size: [(name, seed) for seed in range(3) for name in measured])
    monkeypatch.setattr(sweep_speed, "more", lambda: [])
    monkeypatch.setattr(sweep_speed, "run", run)
    assert runpy.run_path(str(SWEEP))["main"]() == says.startswith("goals missed")
    assert capsys.readouterr().out.splitlines()[-1] == says
