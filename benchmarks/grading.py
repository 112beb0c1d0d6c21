"""What grading costs: submissions of lab 4 per second on two processes, and the sandbox's share of the time.

The sandbox's share is a ratio within one run: judgings with and without it alternate, so a busy machine slows both.
Run by `make bench`. Exits with status 1 if a goal is missed.
"""

import argparse
import resource
import statistics
import time
from pathlib import Path

import joblib
import nbformat

from lrcourse.grading.bubblewrap import Bubblewrap, Unsafe
from lrcourse.grading.judge import judge

LAB = Path(__file__).parents[1] / "solutions" / "04-adaptive" / "04-adaptive.ipynb"
PER_SECOND, SANDBOX_SHARE = 1.0, 0.05


def seconds(sandbox: Bubblewrap | Unsafe, notebook: nbformat.NotebookNode) -> float:
    """One judging's time."""
    started = time.perf_counter()
    judge(notebook, sandbox)
    return time.perf_counter() - started


def judged(notebook: nbformat.NotebookNode) -> tuple[float, int]:
    """One judging's points, and this process's memory after it in MB."""
    points = judge(notebook, Bubblewrap()).points
    return points, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--submissions", type=int, default=100)
    parser.add_argument("--pairs", type=int, default=15, help="judgings with and without the sandbox")
    options = parser.parse_args()
    notebook = nbformat.read(LAB, as_version=4)
    missed = []

    for sandbox in (Bubblewrap(), Unsafe()):
        seconds(sandbox, notebook)  # the imports
    pairs = [(seconds(Bubblewrap(), notebook), seconds(Unsafe(), notebook)) for _ in range(options.pairs)]
    share = statistics.median(inside / outside for inside, outside in pairs) - 1
    print(f"the sandbox adds {share:.1%} to {statistics.median(outside for _, outside in pairs):.2f} s", flush=True)
    missed += [f"the sandbox: at most {SANDBOX_SHARE:.0%}"] * (share > SANDBOX_SHARE)

    with joblib.Parallel(n_jobs=2) as parallel:
        parallel(joblib.delayed(judged)(notebook) for _ in range(4))  # the imports
        started = time.perf_counter()
        results = parallel(joblib.delayed(judged)(notebook) for _ in range(options.submissions))
    rate = options.submissions / (time.perf_counter() - started)
    memory = [size for _, size in results]
    print(f"{rate:.2f} submissions per second on two processes; {memory[0]} MB each at first, {memory[-1]} MB at last")
    missed += [f"{PER_SECOND:g} submission per second"] * (rate < PER_SECOND)
    missed += ["flat memory"] * (max(memory) > 1.05 * max(memory[:4]))
    print("goals missed: " + "; ".join(missed) if missed else "goals met")
    return int(bool(missed))


if __name__ == "__main__":
    raise SystemExit(main())
