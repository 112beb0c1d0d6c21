"""The leaderboard of a lab: every answer raced on the same seeds, which are drawn when nobody can change an answer.

The student's code runs in the sandbox and says what to do; the network is trained, and its updates are counted, in a
process of the grader's (`judge.measured`). For each seed the sandbox is a new one.
"""

import csv
import io
import json
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from .files import write
from .html_page import page_of
from .places import LEVEL, places
from .race import Race
from .table import plain

Outcome = tuple[int | None, str]  # the updates until the target was reached, or None and, where there is one, a reason
PAGE = page_of(
    title="{{ lab }}: leaderboard",
    style="""\
table { border-collapse: collapse; width: 100%; }
th, td { padding: 0.25rem 0.5rem; border-bottom: 1px solid; text-align: right; }
th:nth-child(2), td:nth-child(2) { text-align: left; overflow-wrap: anywhere; }""",
    body="""\
<h1>{{ lab }}: leaderboard</h1>
<p>{{ race.goal }} Every answer is tried on the same {{ race.seeds }} seeds, drawn at grading. A network that has not
reached the target counts {{ race.budget }} updates; who reaches it on fewer than three quarters of them has no
place.</p>
{% if rows %}
<table>
<thead><tr><th scope="col">Place</th><th scope="col">Name</th><th scope="col">Updates (mean)</th>
<th scope="col">Target reached</th></tr></thead>
<tbody>
{% for row in rows %}
<tr><td>{{ row.place or "–" }}</td><td>{{ row.student }}</td><td>{{ row.mean }}</td>
<td>{{ row.reached }} of {{ race.seeds }}</td></tr>
{% endfor %}
</tbody>
</table>
{% else %}
<p>Nobody takes part yet: all points of the task are asked for.</p>
{% endif %}
<p>Your place is one more than the number of answers that were faster than yours. Faster means: fewer updates over the
same seeds, by so much that chance would do it less than once in {{ once }} times (exact permutation test for pairs,
one-sided). So answers that cannot be told apart share a place, whatever their means.</p>
""",
)


@dataclass(frozen=True)
class Row:
    """What the leaderboard says of one student. `remarks`: what went wrong.

    No `place` for who has reached the target on fewer than three quarters of the networks, or where a race never began.
    """

    student: str
    place: int | None
    mean: str
    reached: int
    remarks: str


@dataclass
class Leaderboard:
    """One leaderboard, kept in the file `path` race by race, so that it goes on after whatever ended it.

    `key`: a hash of all that it depends on but the secret: of the lab, the versions and all answers. Whoever joins or
    hands in anew, everyone gets other seeds: nobody may know those of a race that is still to come.
    """

    path: Path
    race: Race
    key: str
    seed: str
    outcomes: dict[str, dict[int, Outcome]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    @classmethod
    def opened(cls, path: Path, race: Race, key: str, given: str | None = None) -> "Leaderboard":
        """What the file holds if it is of the same answers, and else a new one. `given`: the secret to draw from."""
        kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        if kept.get("key") == key and given in (None, kept["seed"]):
            outcomes = {name: {int(i): (n, why) for i, (n, why) in each.items()}
                        for name, each in kept["outcomes"].items()}  # fmt: skip
            return cls(path, race, key, kept["seed"], outcomes)
        new = cls(path, race, key, given or secrets.token_hex(16))
        new.save()
        return new

    def save(self) -> None:
        kept = {"key": self.key, "seed": self.seed, "outcomes": self.outcomes}
        write(self.path, json.dumps(kept, indent=1, sort_keys=True, ensure_ascii=False) + "\n")

    def waiting(self, students: Iterable[str]) -> Iterator[tuple[str, int, int]]:
        """The races still to be run: the student, the number of the seed, and the seed."""
        numbers = list(enumerate(self.race.numbers(self.seed)))
        for student in students:
            done = self.outcomes.get(student, {})
            yield from ((student, i, seed) for i, seed in numbers if i not in done)

    def ran(self, student: str, number: int, outcome: Outcome) -> None:
        """A race came to its end."""
        self.outcomes.setdefault(student, {})[number] = outcome
        self.save()

    def rows(self, students: Iterable[str]) -> list[Row]:
        """Everyone who takes part, the best first."""
        everyone = {name: dict(sorted(self.outcomes.get(name, {}).items())) for name in students}
        updates = {name: [self.race.budget if n is None else n for n, _ in each.values()]
                   for name, each in everyone.items()}  # fmt: skip
        ranked = places({name: each for name, each in updates.items() if self._ranks(everyone[name])})
        last = len(everyone) + 1
        order = sorted(
            everyone, key=lambda name: (ranked.get(name, last), -len(updates[name]), sum(updates[name]), name)
        )
        return [self._row(name, ranked.get(name), everyone[name], updates[name]) for name in order]

    def _ranks(self, outcomes: Mapping[int, Outcome]) -> bool:
        """Whether all races are over, and three quarters of the networks got there.

        A bold guess has no place, nor shares one by the doubt that its misses bring into every comparison.
        """
        reached = sum(n is not None for n, _ in outcomes.values())
        return len(outcomes) == self.race.seeds and 4 * reached >= 3 * len(outcomes)

    def _row(self, name: str, place: int | None, outcomes: Mapping[int, Outcome], updates: list[int]) -> Row:
        mean = f"{fmean(updates):.1f}" if len(updates) == self.race.seeds else ""
        reasons = [why for _, why in outcomes.values() if why] + [self.failed.get(name, "")]
        return Row(
            name,
            place,
            mean,
            sum(n is not None for n, _ in outcomes.values()),
            "; ".join(dict.fromkeys(filter(None, reasons))),
        )


def table(race: Race, rows: Iterable[Row]) -> str:
    """leaderboard.csv: a row for everyone who takes part."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["place", "student", "mean_updates", "reached", "seeds", "remarks"])
    for row in rows:
        writer.writerow([row.place or "", plain(row.student), row.mean, row.reached, race.seeds, plain(row.remarks)])
    return text.getvalue()


def page(lab: str, race: Race, rows: Iterable[Row]) -> str:
    """leaderboard.html: who stands where, and by which rule. It holds neither a secret nor a remark."""
    return PAGE.render(lab=lab, race=race, rows=list(rows), once=round(1 / LEVEL))


def lines(rows: Iterable[Row], most: int = 10) -> Iterator[str]:
    """The best of them, for a terminal."""
    for row in [*rows][:most]:
        yield f"{row.place or '–':>3}  {row.student}: {row.mean or 'not measured'}" + " updates" * bool(row.mean)


def summary(path: Path) -> list[str]:
    """What `lines` says of a leaderboard.csv."""
    with path.open(encoding="utf-8", newline="") as file:
        read: list[dict[str, Any]] = list(csv.DictReader(file))
    return [*lines(Row(each["student"], int(each["place"] or 0) or None, each["mean_updates"], 0, "") for each in read)]
