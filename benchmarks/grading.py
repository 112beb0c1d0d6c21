"""What grading costs: a class of lab 4 on two processes, from the files that were handed in to the table of grades.

Of the class every tenth hand-in hangs. Four goals: honest submissions per second, the set-up and the lab's preflight
included; all of them done before the last that hangs; memory that does not grow with the class; the sandbox's share of
the time. That share is a ratio within one run: each of some students is graded alone,
with and without the sandbox in turn, so what else the machine does slows both. Run by `make bench`. Exits with
status 1 if a goal is missed.
"""

import argparse
import itertools
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
import psutil

from lrcourse.course.grading import lab, run
from lrcourse.course.grading.bubblewrap import Bubblewrap, Unsafe
from lrcourse.course.labs import answered, answers

ROOT = Path(__file__).parents[1]
PER_SECOND, GROWTH, SANDBOX_SHARE = 1.0, 0.03, 0.05


def hand_in(folder: Path, students: int, hanging: int = 0) -> list[Path]:
    """A class's notebooks: the solution, the other right answers and every named wrong one in turn, no two alike.

    `hanging`: after so many one that comes to no end; 0 for none.
    """
    the_lab, _ = lab.find(ROOT, "4")
    given = answers(the_lab.path)
    solution = {cell.metadata.nbgrader.grade_id: cell.source for cell in the_lab.source.cells
                if lab.marked(cell, "solution")}  # fmt: skip
    hands = [solution, given.otherwise, *({wrong.cell: wrong.source} for wrong in given.wrong)]
    folder.mkdir(parents=True)
    paths = []
    for i, hand in zip(range(students), itertools.cycle(hands)):
        hangs = hanging and i % hanging == hanging - 1
        own = {cell: f"{source}\n# student {i}" for cell, source in {**solution, **hand}.items()}
        if hangs:
            first = next(iter(own))
            own[first] = re.sub(r"(def \w+\([^)]*\):)", r"\1\n    while True:\n        pass", own[first])
        paths.append(folder / f"{'hangs' if hangs else 'student'}{i:04}.ipynb")
        nbformat.write(answered(the_lab.released, own), paths[-1])
    return paths


def seconds(submissions: Path, output: Path, sandbox: Bubblewrap | Unsafe, jobs: int = 2) -> float:
    """One grading's time."""
    started = time.perf_counter()
    run.grade(ROOT, "4", submissions, output, jobs=jobs, sandbox=sandbox)
    return time.perf_counter() - started


class Memory(threading.Thread):
    """Looks every half second at how many students are done, and at the size of each of our processes in MB."""

    def __init__(self, records: Path, students: int) -> None:
        super().__init__(daemon=True)
        self.records, self.students, self.over = records, students, threading.Event()
        self.looks: list[tuple[int, dict[int, int]]] = []

    def run(self) -> None:
        while not self.over.wait(0.5):
            self.looks.append((len(list(self.records.glob("*.json"))), dict(self.sizes())))

    @staticmethod
    def sizes() -> Iterator[tuple[int, int]]:
        me = psutil.Process()
        for process in (me, *me.children(recursive=True)):
            try:
                yield process.pid, process.memory_info().rss >> 20
            except psutil.Error:  # gone
                continue

    def first_and_last(self) -> tuple[int, int]:
        """The most that the processes which last held together, over the first and the last quarter of the class."""
        quarter = self.students / 4
        first = [sizes for done, sizes in self.looks if 0 < done <= quarter]
        last = [sizes for done, sizes in self.looks if done > 3 * quarter]
        lasting = set.intersection(*(set(sizes) for sizes in first + last))  # not the sandboxes: they come and go

        def most(looks: list[dict[int, int]]) -> int:
            return max(sum(sizes[pid] for pid in lasting) for sizes in looks)

        return most(first), most(last)


def rate_and_growth(place: Path, students: int) -> Iterator[str]:
    """Grades a class until all honest ones are done, and leaves those that hang."""
    names = [path.stem for path in hand_in(place / "class", students, hanging=10)]
    records = place / "graded" / "04-adaptive" / "records"
    honest, hanging = ([name for name in names if name.startswith(kind)] for kind in ("student", "hangs"))
    memory = Memory(records, len(honest))
    memory.start()
    program = f"from benchmarks.grading import *; seconds(Path({str(place / 'class')!r}), " \
              f"Path({str(place / 'graded')!r}), Bubblewrap())"  # fmt: skip
    started = time.perf_counter()
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT) as grader:
        while not all((records / f"{name}.json").exists() for name in honest):
            if grader.poll() is not None:
                raise RuntimeError("the grading ended before all were graded")
            time.sleep(0.1)
        rate = len(honest) / (time.perf_counter() - started)
        hang = [name for name in hanging if not (records / f"{name}.json").exists()]
        memory.over.set()
        memory.join()
        grader.kill()
    first, last = memory.first_and_last()
    print(f"{rate:.2f} honest submissions per second, all included; {len(hang)} of {len(hanging)} still hang")
    print(f"{first} MB in the first quarter, {last} MB in the last")
    if rate < PER_SECOND:
        yield f"{PER_SECOND:g} honest submission per second"
    if not hang:
        yield "honest ones that are done before the last one that hangs"
    if last > (1 + GROWTH) * first:
        yield f"memory that grows by at most {GROWTH:.0%}"


def sandbox_share(place: Path, pairs: int) -> Iterator[str]:
    kinds: dict[str, Bubblewrap | Unsafe] = {"with": Bubblewrap(), "without": Unsafe()}
    ratios, without = [], []
    for i, path in enumerate(hand_in(place / "students", pairs + 1)):
        alone = place / path.stem
        alone.mkdir()
        path.rename(alone / path.name)
        order = sorted(kinds, reverse=bool(i % 2))
        took = {kind: seconds(alone, place / kind, kinds[kind], jobs=1) for kind in order}
        if i:  # the first time there is the preflight
            ratios.append(took["with"] / took["without"])
            without.append(took["without"])
    low, share, high = (each - 1 for each in statistics.quantiles(ratios, n=4))
    usual = statistics.median(without)
    print(f"the sandbox adds {share:.1%} to {usual:.2f} s; half of {pairs} pairs lie from {low:.1%} to {high:.1%}")
    if share > SANDBOX_SHARE:
        yield f"a sandbox that adds at most {SANDBOX_SHARE:.0%}"


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--submissions", type=int, default=300, help="0: the sandbox's share only")
    parser.add_argument("--pairs", type=int, default=60, help="gradings with and without the sandbox")
    options = parser.parse_args()
    missed: list[str] = []
    with tempfile.TemporaryDirectory() as place:
        if options.submissions:
            missed += rate_and_growth(Path(place), options.submissions)
        if options.pairs:
            missed += sandbox_share(Path(place), options.pairs)
    print("goals missed: " + "; ".join(missed) if missed else "goals met")
    return int(bool(missed))


if __name__ == "__main__":
    raise SystemExit(main())
