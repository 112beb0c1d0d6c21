"""Where in its schedule each update was: the simplest explanation of the rates that were used, if there is one.

An explanation is a function from the number of an update to a step of the schedule. They are tried from the plainest to
the oddest, so that whatever is as meant is never called a fault.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

from .rows import Formula

Place = Callable[[int], float]  # the step of the schedule for an update

MOST = 64  # steps per update, and times as long, that are looked for
SAMPLE = 400  # updates by which an explanation is judged before all are asked
LONGEST = 2_000_000  # steps of a schedule that are looked through; a log may count samples or words
AHEAD = 8  # updates that have to agree after a jump


@dataclass(frozen=True)
class Series:
    """The numbers `used` by the updates `t`, and the formula they should come from, which holds before step `end`.

    What lies beyond the end is not compared: a scheduler may hold its last rate there, or rise again. `begin`: what the
    run calls its first update; a log may call it 1.
    """

    t: list[int]
    used: list[float]
    formula: Formula
    end: int | None
    tolerance: float
    begin: int = 0

    def agree(self, place: Place, scale: float = 1.0, rows: range | None = None) -> list[bool | None]:
        """For each update whether it used the number at its `place`; None beyond the end of the schedule."""
        chosen = range(len(self.t)) if rows is None else rows
        places = [place(self.t[i]) for i in chosen]
        inside = [p >= 0 and (self.end is None or p < self.end) for p in places]
        told = self.formula([p if ok else 0 for p, ok in zip(places, inside)])
        return [self.close(self.used[i], scale * s) if ok else None for i, s, ok in zip(chosen, told, inside)]

    def close(self, a: float, b: float) -> bool:
        return abs(a - b) <= self.rounding

    @cached_property
    def rounding(self) -> float:
        return self.tolerance * (max(map(abs, self.used)) or 1.0)

    @cached_property
    def table(self) -> list[float]:
        """The schedule as far as the run or, if that is later, its own end."""
        return self.formula(list(range(min(max(self.end or 0, self.t[-1] + 1), LONGEST))))

    def is_explained(self, place: Place, scale: float = 1.0) -> bool:
        """Whether an explanation holds for every update that it speaks of, and these say something."""
        count = len(self.t)
        some = range(0, count, max(1, count // SAMPLE))
        for rows in (some, range(count)):
            agreed = self.agree(place, scale, rows)
            spoken = [i for i, each in zip(rows, agreed) if each is not None]
            if False in agreed or len(spoken) < min(3, count):
                return False
            if rows is not some and len({self.used[i] for i in spoken}) < 2:
                return False
        return True


@dataclass(frozen=True)
class Placement:
    """The explanation: its `kind`, its number, the first row that shows it; `jumps`: rows, and steps ahead there.

    `scale`: what the rates of the schedule are multiplied by, too.
    """

    kind: str
    number: float = 0.0
    row: int = 0
    jumps: list[tuple[int, int]] = field(default_factory=list)
    scale: float = 1.0

    @property
    def oddness(self) -> float:
        """How much it takes: a plain explanation nothing, each jump and another scale one, no explanation the most."""
        return math.inf if self.kind == "unknown" else len(self.jumps) + (self.scale != 1)


def placed(series: Series) -> Placement:
    """The plainest explanation of the rates that were used."""
    t, used = series.t, series.used
    as_meant = series.agree(shifted(0))
    if as_meant[0] is None and series.is_explained(shifted(-t[0])):
        return Placement("moved", -t[0])  # all of it lies beyond the end
    if False not in as_meant:
        return Placement("as meant")
    row = as_meant.index(False)
    if len(t) >= 3 and all(series.close(each, used[0]) for each in used):
        return Placement("never", row=row)
    for kind, number, place in _whole(series):
        if series.is_explained(place):
            return Placement(kind, number, row)
    if (scale := _scale(series, row)) is not None:
        return Placement("scaled", scale, row)
    jumps, unexplained = _jumps(series, row)
    if jumps and unexplained is None:
        return Placement("jumps", jumps[-1][1], jumps[0][0], jumps)
    if (scale := _scale(series, 0, -t[0])) is not None:
        return Placement("moved", -t[0], row, scale=scale)
    return _paced(series, row) or Placement("unknown", row=row)


def _whole(series: Series) -> Iterator[tuple[str, float, Place]]:
    """Explanations that hold for the whole run."""
    first = series.t[0]
    yield "ahead", 1, shifted(1)
    yield "ahead", -1, shifted(-1)
    if stairs := [k for k in _stairs(series) if series.is_explained(held(k))]:
        middle = stairs[len(stairs) // 2]  # a log of some updates leaves several
        yield "held", middle, held(middle)
    for k in range(2, MOST + 1):
        # as often per update, also once before the first one, or for all batches of an update before it
        for more in (0, 1, k - 1, k):
            yield "fast", k, times(k, more)
        yield "stretched", k, times(1 / k)
    if first > 0:
        yield "moved", -first, shifted(-first)
    for d in _moves(series, series.used[0], first):
        yield "moved", d, shifted(d)


def shifted(by: int) -> Place:
    return lambda step: max(step + by, 0)


def times(k: float, more: int = 0) -> Place:
    return lambda step: step * k + more


def held(k: int) -> Place:
    return lambda step: step // k


def _stairs(series: Series) -> list[int]:
    """How many updates one step of the schedule may have lasted: by the first changes, their gaps, and the last one."""
    t, used = series.t, series.used
    changes = [t[i] for i in range(1, len(t)) if used[i] != used[i - 1]]
    if not changes:
        return []
    told = series.table
    own = next((i for i, each in enumerate(told) if each != told[0]), None)
    gaps = sorted(b - a for a, b in zip(changes, changes[1:]))
    found = {changes[0] // own, -(-changes[0] // own)} if own else set()
    found |= {gaps[len(gaps) // 2]} if gaps else set()
    for step in _moves(series, used[-1], 0)[:9]:
        found |= {*range(t[-1] // (step + 1) + 1, t[-1] // step + 1)[:300]} if step > 0 else set()
    return sorted(k for k in found if k > 1)


def _moves(series: Series, value: float, at: int) -> list[int]:
    """How far ahead the schedule has `value`, seen from step `at`; the nearest first."""
    rounding = series.rounding
    places = [i for i, each in enumerate(series.table) if abs(value - each) <= rounding]
    return sorted((i - at for i in places), key=abs)[:50]


def _scale(series: Series, row: int, by: int = 0) -> float | None:
    """What the rates of the schedule, moved by some steps, are multiplied by."""
    told = series.formula([series.t[row] + by])[0]
    scale = series.used[row] / told if told else math.nan
    return scale if math.isfinite(scale) and scale and series.is_explained(shifted(by), scale) else None


def _paced(series: Series, row: int) -> Placement | None:
    """Whether the updates used ever later steps, though not at one pace: uneven epochs, or a shorter last update."""
    t, rounding = series.t, series.rounding
    if t[0] or t[-1] + 1 != len(t):
        return None
    table = series.table if series.end else series.formula(list(range(4 * len(t))))
    places, clear = [0], 0
    for value in series.used:
        near = range(places[-1], min(places[-1] + MOST, len(table)))
        place = min(near, key=lambda step: abs(table[step] - value))
        if abs(table[place] - value) > rounding:
            if near.stop < len(table):
                return None
            break  # beyond the end nothing is known
        clear += place + 1 < len(table) and abs(table[place + 1] - table[place]) > 4 * rounding
        places.append(place)
    ahead = [b - a for a, b in pairwise(places[1:])]
    if len(ahead) < 4 or places[-1] < 2 or clear < len(ahead) / 2:  # neighbors that rounding cannot tell apart
        return None
    pace = (places[-1] - places[1]) / len(ahead)
    if max(ahead) == 1 and pace <= 0.5:
        return Placement("held", 1 / pace, row)
    return Placement("fast", pace, row) if min(ahead) >= 1 and pace >= 1.5 else None


def _jumps(series: Series, row: int) -> tuple[list[tuple[int, int]], int | None]:
    """Where the distance between schedule and update changes, as (row, distance); the row nothing explains, if any."""
    jumps: list[tuple[int, int]] = []
    distance, count = 0, len(series.t)
    while row < count:
        at = series.t[row]
        after = range(row, min(row + AHEAD, count))
        options = [distance + 1, distance - 1, distance + 2, -at, *_moves(series, series.used[row], at)]
        reach = {d: _first_wrong(series, d, after) for d in dict.fromkeys(options) if d != distance}
        distance = max(reach, key=lambda d: reach[d])
        if reach[distance] < min(row + 2, count) or len(jumps) >= MOST or row == 0:
            return jumps, row
        jumps.append((row, distance))
        row = _first_wrong(series, distance, range(row, count))
    return jumps, None


def _first_wrong(series: Series, distance: int, rows: range) -> int:
    """The first of `rows` that is not so far ahead in the schedule, or the row after them."""
    for start in range(rows.start, rows.stop, SAMPLE):
        some = range(start, min(start + SAMPLE, rows.stop))
        agreed = series.agree(shifted(distance), rows=some)
        if False in agreed:
            return some.start + agreed.index(False)
    return rows.stop
