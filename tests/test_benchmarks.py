"""What `make bench` prints and when it fails; the times themselves are not tested."""

import runpy
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest

from lrcourse.course.experiments import sweep_speed

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SWEEP = BENCHMARKS / "sweep.py"
DIGITS, LOOP, JAX = "digits 64-128-10, 64 settings, compiled", "2-3-2, 1 settings, auto", "2-3-2, 1 settings, jax"
WIDE, VMAP = "2-64-64-2, 64 settings, compiled", "2-64-64-2, 64 settings, vmap"


@pytest.mark.parametrize(
    ("measured", "says"),
    [
        ({DIGITS: [(9.0, 1), (3.0, 1), (4.0, 1)]}, "goals met"),  # the median counts
        ({DIGITS: [(3.0, 1), (4.5, 1), (4.1, 1)]}, f"goals missed: {DIGITS}: at most 4.0 runs"),
        ({WIDE: [(5.0, 1), (9.0, 1), (6.0, 1)], VMAP: [(6.0, 1)] * 3}, "goals met"),
        ({WIDE: [(6.1, 1)] * 3, VMAP: [(6.0, 1), (9.0, 1), (5.0, 1)]}, f"goals missed: {WIDE}: no more than vmap"),
        ({WIDE: [(9.0, 1)] * 3}, "goals met"),  # vmap is not among the chosen rows
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


@pytest.mark.parametrize(
    ("cold", "warm", "says"),
    [
        (90, 60, "goals met"),
        (91, 60, "goals missed: the map from nothing in 90 s"),
        (90, 61, "goals missed: the map in 60 s"),
    ],
)
def test_the_map_is_timed_from_nothing_in_a_new_process_and_again_when_its_program_is_built(
    monkeypatch, capsys, cold, warm, says
):
    def spend(what, seconds):
        done.append(what)
        clock.append(clock[-1] + seconds)

    def started(command, env, check):
        assert list(Path(env["TORCHINDUCTOR_CACHE_DIR"]).iterdir()) == [] and check
        spend("from nothing", cold)

    done, clock = [], [0.0]
    case = SimpleNamespace(build=lambda *_: spend("built", 1000), sweep=lambda *_: spend("warm", warm))
    monkeypatch.setattr("sys.argv", [str(SWEEP), "--map"])
    monkeypatch.setattr(sweep_speed, "plan", lambda size: [])
    monkeypatch.setattr(sweep_speed, "more", lambda: [])
    monkeypatch.setattr(sweep_speed, "cases", lambda: {"2-3-2": case})
    monkeypatch.setattr(subprocess, "run", started)
    monkeypatch.setattr(time, "perf_counter", lambda: clock[-1])
    assert runpy.run_path(str(SWEEP))["main"]() == says.startswith("goals missed")
    assert capsys.readouterr().out.splitlines()[-1] == says
    assert done == ["from nothing", "built", "warm"]


@pytest.mark.parametrize(
    ("at", "measured", "missed"),
    [(0, 50.0, 0), (0, 49.0, 1), (1, 0.99, 1), (4, 0.99, 1), (19, 0.99, 1), (20, 99.0, 0), (21, 1.2, 0), (23, 1.21, 1)],
)
def test_the_benchmark_of_schedules_asks_for_torchs_speed_and_that_factors_cost_nothing_unused(at, measured, missed):
    ratios = [60.0, 1.0, 1.0, 1.0, 1.0] * 4 + [9.0, 1.0] * 2  # a table and four steps per schedule, then the unused
    ratios[at] = measured
    main = runpy.run_path(str(BENCHMARKS / "schedules.py"))["main"]
    main.__globals__["ratio"] = lambda slow, fast: ratios.pop(0)
    assert main() == missed and not ratios


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({}, "goals met"),
        ({"shift": [0.0, 0.11, 0.0]}, "goals met"),  # the median counts
        ({"shift": [0.0, 0.11, 0.12]}, "goals missed: shift up to 0.1: index.html"),
        ({"of its weight": [1.1] * 3}, "goals missed: of its weight up to 1: index.html"),
    ],
)
def test_the_benchmark_of_pages_judges_the_median_of_each(monkeypatch, capsys, tmp_path, values, says):
    page = runpy.run_path(str(BENCHMARKS / "pages.py"))
    rounds = iter([0, *range(3)])  # the first warms the browser

    def opened(browser, path):
        now = next(rounds)
        return {goal: values.get(goal, [0.0] * 3)[now] for goal in page["GOALS"]} | {"kB": 100.0}

    here = page["main"].__globals__
    (tmp_path / "index.html").touch()
    monkeypatch.setattr("sys.argv", ["pages.py"])
    for name, value in {"opened": opened, "HTML": tmp_path, "pages_in_toc": lambda root: [Path("index.md")],
                        "sync_playwright": MagicMock()}.items():  # fmt: skip
        monkeypatch.setitem(here, name, value)
    assert page["main"]() == says.startswith("goals missed")
    assert capsys.readouterr().out.strip().endswith(f"1 pages; {says}")
