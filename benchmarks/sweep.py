"""What a sweep costs: how many plain PyTorch runs take as long as the whole sweep, and how often faster that is.

Ratios within one run: the two sides alternate, so a busy machine slows both. Run by `make bench`. Exits with
status 1 if a goal is missed. `--map` measures the 256 × 256 map of 1,000 steps as well, in a new process that has to
compile first, and again with its program built: some three minutes.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable

import torch
from tqdm import tqdm

from lrcourse.course.experiments import sweep_speed
from lrcourse.sweep.products import by_rows

DIGITS = "digits 64-128-10, 64 settings, compiled"
GOALS = {  # cost in plain runs
    "2-3-2, 64 settings, compiled": 1.0,
    DIGITS: 4.0,
    "GPT of width 32, 64 settings, vmap-compiled": 21.0,
}
NO_MORE_THAN = {"2-64-64-2, 64 settings, compiled": "2-64-64-2, 64 settings, vmap"}  # both in one run
MAP = 256 * 256
FROM_NOTHING, WARM = 90, 60  # seconds of the map
MEASURED = ("cost", "faster", "against the loop")
NOT_SLOWER = 1.1  # times the loop, for what is the loop itself: the noise of two cores


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--map", action="store_true", help="measure the map of 256 x 256 settings as well")
    parser.add_argument("--only", default="", help="rows that contain this, for example '64 settings, compiled'")
    options = parser.parse_args()
    missed, measured, typical = [], defaultdict(list), {}
    rows = sweep_speed.plan("small") + sweep_speed.more()
    chosen = [(name, seed) for name, seed in rows if options.only in name]
    for name, seed in tqdm(chosen, unit="row"):  # in rounds: a busy minute falls into one time of each row
        measured[name].append(sweep_speed.run(name, seed, "small", "cpu"))
    for name, costs in measured.items():
        cost, faster, loop = (statistics.median(each[key] for each in costs) for key in MEASURED)
        typical[name] = cost
        print(f"{name:<44} {cost:8.2f} plain runs, {faster:6.1f} times faster")
        if cost > GOALS.get(name, float("inf")):
            missed.append(f"{name}: at most {GOALS[name]} runs")
        if name.endswith("auto") and loop < 1 / NOT_SLOWER:
            missed.append(f"{name}: not slower than the loop")
    if DIGITS in typical:
        print(f"{'the products of these alone':<44} {products():8.2f} plain runs")
    for name, other in NO_MORE_THAN.items():
        if name in typical and typical[name] > typical.get(other, float("inf")):
            missed.append(f"{name}: no more than vmap")
    if options.map:
        cold, warm = seconds(map_from_nothing), warm_map()
        print(f"a map of 256 x 256 settings, 1,000 steps of 2-3-2: {warm:.0f} s, from nothing {cold:.0f} s")
        missed += [f"the map in {WARM} s"] * (warm > WARM)
        missed += [f"the map from nothing in {FROM_NOTHING} s"] * (cold > FROM_NOTHING)
    print("goals missed: " + "; ".join(missed) if missed else "goals met")
    return int(bool(missed))


def products(members: int = 64, rounds: int = 5) -> float:
    """What no program can leave out of the digits, in plain runs: the products of matrices, once for every step."""
    case = sweep_speed.cases()["digits 64-128-10"]
    inputs, hidden, outputs, batch = 64, 128, 10, case.batch_size or 1
    first, x = torch.rand(members * hidden, inputs), torch.rand(batch, inputs)
    slopes = torch.rand(members * hidden, batch)
    second, errors = torch.rand(members, outputs, hidden), torch.rand(members, outputs, batch)
    units = slopes.view(members, hidden, batch)

    def multiply() -> None:
        for _ in range(case.steps):
            by_rows(first, x), second @ units  # forward
            errors @ units.mT, second.mT @ errors, by_rows(slopes, x)  # backward

    case.plain()
    multiply()
    return statistics.median(seconds(multiply) / seconds(case.plain) for _ in range(rounds))


def draw_map() -> None:
    sweep_speed.cases()["2-3-2"].sweep(MAP, "auto")


def warm_map() -> float:
    sweep_speed.cases()["2-3-2"].build(MAP, "auto")
    return seconds(draw_map)


def map_from_nothing() -> None:
    """In a process that has to import PyTorch, and with an empty folder for what Inductor builds."""
    with tempfile.TemporaryDirectory() as empty:
        environment = os.environ | {"TORCHINDUCTOR_CACHE_DIR": empty}
        script = "import runpy, sys; runpy.run_path(sys.argv[1])['draw_map']()"
        subprocess.run([sys.executable, "-c", script, __file__], env=environment, check=True)


def seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


if __name__ == "__main__":
    raise SystemExit(main())
