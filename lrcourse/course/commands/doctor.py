"""`lrcourse doctor`: say what this machine has and lacks."""

import argparse
from typing import Any


def add(commands: Any) -> None:
    doctor = commands.add_parser("doctor", help="say what this machine has and lacks")
    doctor.add_argument("--gpu", action="store_true", help="what experiments and labs need on a GPU")
    doctor.set_defaults(run=run, extra="all")


def run(options: argparse.Namespace) -> int:
    from .. import doctor

    findings = doctor.examine(gpu=options.gpu)
    print(doctor.report(findings))
    return int(any(each.needed and not each.ok for each in findings))
