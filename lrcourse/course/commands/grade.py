"""`lrcourse grade`: grade what students handed in."""

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

from ..repository import repository


def add(commands: Any) -> None:
    grade = commands.add_parser("grade", help="grade what students handed in, in a sandbox")
    grade.add_argument("submissions", type=Path, help="folder with a folder, zip or notebook per student")
    grade.add_argument("--lab", required=True, metavar="NN", help="the lab's number or name")
    grade.add_argument("--roster", type=Path, help="CSV file with a student per row: who hands in nothing is named")
    grade.add_argument("--jobs", type=int, default=-1, help="students at a time (default: one per core)")
    grade.add_argument("--cluster", metavar="ADDRESS", help="judge on the Dask cluster at tcp://host:port")
    grade.add_argument(
        "--output", type=Path, default=Path("grading"), help="default: grading/; go on there if it exists"
    )
    grade.add_argument("--db", metavar="URL", help="gradebook (default: sqlite, gradebook.db in the output folder)")
    grade.add_argument(
        "--seed", metavar="SECRET", help="draw the hidden inputs of an earlier grading: the `seed` of its records"
    )
    grade.add_argument(
        "--leaderboard", action="store_true",
        help="also count the updates that each answer needs to reach the lab's target, and give places (lab 6)",
    )  # fmt: skip
    grade.add_argument("--dry-run", action="store_true", help="say what would be done and stop")
    grade.add_argument("--unsafe-no-sandbox", action="store_true", help="let submissions do whatever you can do here")
    grade.set_defaults(run=run, extra="labs")


def run(options: argparse.Namespace) -> int:
    root = repository()
    from ..grading import run
    from ..grading.machine import find_sandbox

    if options.dry_run:
        for each in run.plan(root, options.lab, options.submissions, options.roster, options.output):
            print(f"{each.student}: {each.outlook}")
        return 0
    records = run.grade(
        root, options.lab, options.submissions, options.output, options.jobs, options.cluster, options.db,
        options.roster, find_sandbox(options.unsafe_no_sandbox), seed=options.seed,
        leaderboard=options.leaderboard,
    )  # fmt: skip
    for each in records:
        if each.flags or not each.readable:
            print(f"{each.student}: {each.status}" + "".join(f"; {flag}" for flag in each.flags))
    count = Counter(each.status for each in records)
    print(", ".join(f"{count[status]} {status}" for status in count) or "there is nothing to grade")
    print(f"{options.output / records[0].lab / 'grades.csv'}" if records else "")
    if records:
        _tell_places(options.output / records[0].lab / "leaderboard.csv", options.leaderboard)
    return int(any(each.failed for each in records))


def _tell_places(board: Path, raced: bool) -> None:
    from ..grading.leaderboard import summary

    if raced:
        print(*summary(board), board.with_suffix(".html"), sep="\n")
    elif board.exists():
        print(f"{board.with_suffix('.html')} is of an earlier grading: --leaderboard makes it anew")
