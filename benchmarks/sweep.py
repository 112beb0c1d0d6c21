"""What a sweep costs: how many plain PyTorch runs take as long as the whole sweep, and how often faster that is.

Ratios within one run: the two sides alternate, so a busy machine slows both. Run by `make bench`. Exits with
status 1 if a goal is missed. `--map` measures the 256 × 256 map of 1,000 steps as well, about a minute and a half.
"""

import argparse
import statistics
import time
from collections import defaultdict

from tqdm import tqdm

from lrcourse.course.experiments import sweep_speed

GOALS = {  # cost in plain runs
    "2-3-2, 64 settings, compiled": 1.0,
    "digits 64-128-10, 64 settings, compiled": 5.0,
    "GPT of width 32, 64 settings, vmap-compiled": 21.0,
}
MEASURED = ("cost", "faster", "against the loop")
NOT_SLOWER = 1.1  # times the loop, for what is the loop itself: the noise of two cores


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--map", action="store_true", help="measure the map of 256 x 256 settings as well")
    parser.add_argument("--only", default="", help="rows that contain this, for example '64 settings, compiled'")
    options = parser.parse_args()
    missed, measured = [], defaultdict(list)
    rows = sweep_speed.plan("small") + sweep_speed.more()
    chosen = [(name, seed) for name, seed in rows if options.only in name]
    for name, seed in tqdm(chosen, unit="row"):  # in rounds: a busy minute falls into one time of each row
        measured[name].append(sweep_speed.run(name, seed, "small", "cpu"))
    for name, costs in measured.items():
        cost, faster, loop = (statistics.median(each[key] for each in costs) for key in MEASURED)
        print(f"{name:<44} {cost:8.2f} plain runs, {faster:6.1f} times faster")
        if cost > GOALS.get(name, float("inf")):
            missed.append(f"{name}: at most {GOALS[name]} runs")
        if name.endswith("auto") and loop < 1 / NOT_SLOWER:
            missed.append(f"{name}: not slower than the loop")
    if options.map:
        started = time.perf_counter()
        sweep_speed.cases()["2-3-2"].sweep(256 * 256, "auto")
        took = time.perf_counter() - started
        print(f"a map of 256 x 256 settings, 1,000 steps of 2-3-2: {took:.0f} s")
        missed += ["the map in 90 s"] * (took > 90)
    print("goals missed: " + "; ".join(missed) if missed else "goals met")
    return int(bool(missed))


if __name__ == "__main__":
    raise SystemExit(main())
