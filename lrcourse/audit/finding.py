"""What an audit says: each finding has a name, what was seen and where, why it is so, and the fix."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from .faults import FAULTS

Kind = Literal["fault", "note"]


@dataclass(frozen=True)
class Finding:
    """What a rule found in a run.

    `name`: one of `FAULTS`. `kind`: "fault", or "note" for what may well be meant. `seen`: the numbers. `step` and
    `rate`: where it shows first, and the rate used there; None where no single update shows it.

    >>> finding = Finding("first update at rate 0", "note", "update 0 used the rate 0", step=0, rate=0.0)
    >>> finding.fix
    'start above 0, for example warmup(schedule, steps, start=peak / steps)'
    """

    name: str
    kind: Kind
    seen: str
    step: int | None = None
    rate: float | None = None

    @property
    def why(self) -> str:
        """What does this most often."""
        return FAULTS[self.name].why

    @property
    def fix(self) -> str:
        """What to change."""
        return FAULTS[self.name].fix

    def __str__(self) -> str:
        place = "" if self.step is None else f", step {self.step}"
        lines = [f"{self.kind.upper()}: {self.name}{place}", f"seen: {self.seen}", f"why:  {self.why}"]
        return "\n      ".join([*lines, f"fix:  {self.fix}"])


@dataclass(frozen=True)
class Report:
    """The findings of an audit, faults first; it is printed as text, and a loop goes through them.

    `about`: the run in one line.

    >>> print(Report("3 updates, rates 0.1 to 0.1", ()))
    3 updates, rates 0.1 to 0.1: no fault found
    """

    about: str
    findings: tuple[Finding, ...]

    @property
    def faults(self) -> tuple[Finding, ...]:
        """The findings that are no mere notes."""
        return tuple(each for each in self.findings if each.kind == "fault")

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def __str__(self) -> str:
        faults, notes = len(self.faults), len(self.findings) - len(self.faults)
        counts = [f"{n} {word}{'s' * (n > 1)}" for n, word in ((faults, "fault"), (notes, "note")) if n]
        if not faults:
            counts.insert(0, "no fault found")
        return "\n\n".join([f"{self.about}: {', '.join(counts)}", *map(str, self.findings)])
