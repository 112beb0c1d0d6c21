"""The race that a lab may declare for its leaderboard, in solutions/NN-name.toml, and the seeds that it is run on."""

import ast
import hashlib
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from ...validation import bad, is_number

FEWEST, MOST = 10, 16  # seeds: nine coins show nine heads once in 512 times; the test goes through all 2**n signs


@dataclass(frozen=True)
class Race:
    """How many updates an answer needs until a network has reached a target.

    `task`: the check cell all of whose points an answer must have to take part. `goal`: what is counted, for the page.
    `program`: what the instructor's process runs for one seed. It finds `seed`, `target`, `budget` and `every` and the
    names of the lab's setup; every other name is a call into the student's sandbox. The value of its last line is the
    number of updates after which the target was reached, None if it was not. `budget`: the most updates that there
    are. `every`: so many lie between two looks. `seeds`: how many networks are trained with each answer.
    """

    task: str
    goal: str
    program: str
    target: float
    budget: int
    every: int
    seeds: int

    def __post_init__(self) -> None:
        for name in ("task", "goal", "program"):
            if not isinstance(getattr(self, name), str) or not getattr(self, name).strip():
                raise bad(name, getattr(self, name), "a text", "say it between quotes")
        if not _ends_with_a_value(self.program):
            raise bad("program", self.program, "Python whose last line is a value", "end with the number of updates")
        if not is_number(self.target):
            raise bad("target", self.target, "a number", "such as 0.65")
        for name in ("budget", "every", "seeds"):
            if type(getattr(self, name)) is not int or getattr(self, name) < 1:
                raise bad(name, getattr(self, name), "a whole number, 1 or more", "such as 12")
        if not FEWEST <= self.seeds <= MOST:
            raise bad("seeds", self.seeds, f"from {FEWEST} to {MOST}", "with fewer no place could ever change")

    def numbers(self, secret: str) -> list[int]:
        """The seeds that a secret stands for: the same for every answer.

        >>> race = Race("check", "updates", "1", 0.5, 100, 10, seeds=10)
        >>> race.numbers("a") == race.numbers("a"), race.numbers("a") == race.numbers("b")
        (True, False)
        """
        root = hashlib.sha256(f"leaderboard {secret}".encode()).digest()[:16]
        return np.random.default_rng(int.from_bytes(root)).integers(2**63, size=self.seeds).tolist()

    def given(self, seed: int) -> dict[str, Any]:
        """The names that `program` finds."""
        return {"seed": seed, "target": self.target, "budget": self.budget, "every": self.every}

    def counted(self, value: Any) -> int | None:
        """What the program came to. Raises: `ValueError` if that is no number of updates."""
        if value is None:
            return None
        if not is_number(value) or not 1 <= value <= self.budget or value != int(value):
            raise bad("the value of the program", value, f"None, or from 1 to {self.budget}", "mend [leaderboard]")
        return int(value)


def _ends_with_a_value(program: str) -> bool:
    try:
        return isinstance(ast.parse(program).body[-1], ast.Expr)
    except SyntaxError:
        return False


def declared(lab: Path) -> Race | None:
    """The race of the lab whose source is `lab`, None if it has none.

    Raises: `ValueError` for a table [leaderboard] that lacks something, or has too much.
    """
    file = lab.parent.with_suffix(".toml")
    table = tomllib.loads(file.read_text(encoding="utf-8")).get("leaderboard") if file.exists() else None
    if table is None:
        return None
    names = {each.name for each in fields(Race)}
    if table.keys() != names:
        raise ValueError(f"{file}: [leaderboard] must have {sorted(names)}, has {sorted(table)}")
    try:
        return Race(**table)
    except ValueError as error:
        raise ValueError(f"{file}: [leaderboard]: {error}") from None
