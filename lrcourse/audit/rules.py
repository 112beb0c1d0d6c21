"""The rules: each looks at the rows of a run for one family of faults, and returns what it found.

They know nothing of any framework, so the rows may come from an optimizer, from a log file or from a page.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain, groupby, pairwise

from .finding import Finding, Kind
from .placement import Placement, Series, placed, shifted
from .rows import Formula, Meant, Rows, column, leading

Rule = Callable[[Rows, Meant], list[Finding]]

PLACES = (
    "stepped per epoch", "several steps per update", "stretched", "schedule never applied", "resumed at the wrong step",
)  # fmt: skip
ENDS = ("ends high", "schedule ended early")
ENOUGH = 20  # updates below which a loss says nothing
HIGH = 0.3  # of the peak: a run that ends above it has not been annealed


def findings(rows: Rows, meant: Meant) -> list[Finding]:
    """What all rules find, faults first, each name once."""
    if not len(rows):
        return []
    found: dict[str, Finding] = {}
    for rule in RULES:
        for each in rule(rows, meant):
            if each.name not in found or (found[each.name].kind, each.kind) == ("note", "fault"):
                found[each.name] = each
    if any(each.kind == "fault" and each.name in PLACES for each in found.values()):
        found = {name: each for name, each in found.items() if name not in ENDS}  # what follows from it
    return sorted(found.values(), key=lambda each: each.kind)


def schedule_followed(rows: Rows, meant: Meant) -> list[Finding]:
    """Whether each update used its own step of the schedule; if not, which one it used."""
    for series in _series(rows, meant):
        place = placed(series)
        if not meant.counts and series.t[0] > 0 and place.oddness:
            from_one = replace(series, t=[step - 1 for step in series.t], begin=1)
            if (other := placed(from_one)).oddness < place.oddness:
                series, place = from_one, other
        if found := _told_of(place, series, rows, meant):
            return found
    return []


def scheduler_counts(rows: Rows, meant: Meant) -> list[Finding]:
    """Whether the scheduler's own step is the number of the update, if the schedule itself is not known."""
    if meant.rate is not None or None in rows.position:
        return []
    positions = [float(each) for each in rows.position if each is not None]
    series = Series(rows.step, positions, lambda steps: [float(each) for each in steps], None, 1e-9)
    found = placed(series)
    if found.kind in ("scaled", "stretched", "unknown"):
        return []  # a scheduler may count epochs on purpose
    if found.kind != "held":
        return _told_of(found, series, rows, meant)
    if any(a == b and x != y for (a, b), (x, y) in zip(pairwise(positions), pairwise(rows.rate))):
        return []  # it counts epochs by their parts, as warm restarts may
    counts_updates = 0.9 < (rows.step[-1] + 1) / (meant.total or meant.steps or math.inf) < 1.1  # as many as were made
    return _told_of(found, series, rows, meant, None if meant.finished and counts_updates else "note")


def _series(rows: Rows, meant: Meant) -> list[Series]:
    if meant.rate is None:
        return []
    if len(meant.rate) > 1:
        groups = range(min(len(meant.rate), max(map(len, rows.rate))))
        return [_of(column(rows, i), formula, rows, meant) for i, formula in zip(groups, meant.rate)]
    each = _of_groups(meant.rate[0], rows, meant)
    first = next(each)
    return [next((one for one in chain([first], each) if False not in one.agree(shifted(0))), first)]


def _of_groups(formula: Formula, rows: Rows, meant: Meant) -> Iterator[Series]:
    """The groups that may have the one schedule, or their share of it: the fastest first, and no frozen one."""
    groups, factors = range(min(map(len, rows.rate))), _shares(meant)
    if factors is None:
        yield _of(leading(rows), formula, rows, meant)
        yield from (_of(column(rows, i), formula, rows, meant) for i in groups)
    else:
        most, *others = sorted(groups, key=lambda i: -factors[i])
        for i in [most, *(i for i in others if factors[i])]:
            yield _of(column(rows, i), _times(factors[i], formula), rows, meant)


def _shares(meant: Meant) -> tuple[float, ...] | None:
    """The factors, where there is one schedule for them to be shares of."""
    return meant.factors if meant.rate is not None and len(meant.rate) == 1 else None


def _times(factor: float, formula: Formula) -> Formula:
    return lambda steps: [factor * rate for rate in formula(steps)]


def _of(used: list[float], formula: Formula, rows: Rows, meant: Meant) -> Series:
    there = [i for i, rate in enumerate(used) if not math.isnan(rate)]
    return Series([rows.step[i] for i in there], [used[i] for i in there], formula, meant.steps, meant.tolerance)


def _told_of(place: Placement, series: Series, rows: Rows, meant: Meant, kind: Kind | None = None) -> list[Finding]:
    """A placement in words."""
    row, number = place.row, place.number
    step, used = series.t[row] + series.begin, series.used[row]
    of = "the schedule has" if meant.rate is not None else "the scheduler's step should be"
    of = "its share of the schedule is" if _shares(meant) else of
    at = "rate" if meant.rate is not None else "the scheduler's step"
    instead = f"update {step} used {at} {used:.6g} where {of} {series.formula([series.t[row]])[0]:.6g}"
    about = "" if series.t[-1] - series.t[0] < len(series.t) and number == round(number) else "about "
    rate = used if meant.rate is not None else leading(rows)[row]

    def finding(name: str, seen: str, kind: Kind = kind or "fault") -> list[Finding]:
        return [Finding(name, kind, f"{seen}; {instead}", step, rate)]

    match place.kind:
        case "as meant":
            return []
        case "never":
            return finding("schedule never applied", f"all {len(series.t)} updates used {used:.6g}")
        case "ahead" if not meant.counts:
            return finding("scheduler before the optimizer" if number > 0 else "one update late",
                           "every rate is shifted by one step, unless the log counts from 1", "note")  # fmt: skip
        case "ahead" if number > 0:
            return finding("scheduler before the optimizer", "update t used step t + 1 of the schedule, from the first")
        case "ahead":
            return finding("one update late", "update t used step t - 1 of the schedule")
        case "held":
            return finding("stepped per epoch", f"the schedule moved on once in {about}{round(number, 1):g} updates")
        case "fast":
            seen = f"the schedule moved on by {about}{round(number, 2):g} steps with every update"
            return finding("several steps per update", f"{seen}, or was built for a run that much shorter")
        case "stretched":
            return finding("stretched", f"the schedule took {number:.0f} updates for each of its steps")
        case "scaled":
            that = "its share of the schedule" if _shares(meant) else "that of the schedule"
            return finding("rate scaled", f"every rate is {number:.6g} times {that}")
        case "moved":
            seen = f"update t used step t {'+' if number > 0 else '-'} {abs(number):.0f} of the schedule"
            seen += "" if place.scale == 1 else f", times {place.scale:.6g}"
            return finding("resumed at the wrong step", seen)
        case "jumps":
            return _jumped(place, series, rows, finding)
        case _ if _stands_still(series, row):
            return finding("schedule ended early", f"the schedule rests from step {step - 1} on, the rates do not")
        case _ if row > 0 and max(series.used[:row]) - min(series.used[:row]) > 1e-3 * max(series.used):
            return finding("two schedulers", f"the first {row} updates followed the schedule, later ones do not")
        case _:
            return finding(
                "another schedule", "no shift, scale or speed of the schedule gives the rates that were used"
            )


def _stands_still(series: Series, row: int) -> bool:
    """Whether the schedule has come to its end right before this row."""
    told = series.formula(series.t[max(row - 3, 0) :])
    return row >= 3 and told[0] != told[2] and len(set(told[2:])) == 1


def _jumped(
    place: Placement, series: Series, rows: Rows, finding: Callable[[str, str], list[Finding]]
) -> list[Finding]:
    distances = [0, *(distance for _, distance in place.jumps)]
    rising = all(0 < b - a <= 2 for a, b in pairwise(distances))
    skipped = sum(rows.skipped)
    if rising and skipped:
        return finding("skipped update", f"{skipped} updates were skipped, and the schedule is {distances[-1]} ahead")
    if rising:
        return finding("skipped update", f"{len(place.jumps)} times the schedule moved on without an update")
    at = series.t[place.row]
    how = "back to its beginning" if distances[1] == -at else f"by {distances[1]} steps"
    return finding("resumed at the wrong step", f"at update {at + series.begin} the schedule jumped {how}")


def set_by_another(rows: Rows, meant: Meant) -> list[Finding]:
    """Whether the optimizer has the rates that its scheduler believes to have set."""
    for i, told in enumerate(rows.told):
        for ours, theirs in zip(rows.rate[i], told or ()):
            if abs(ours - theirs) > meant.tolerance * max(abs(ours), abs(theirs)):
                seen = f"update {rows.step[i]} used rate {ours:.6g}, though the scheduler had set {theirs:.6g}"
                name = "schedule never applied" if len(set(rows.rate)) == 1 else "two schedulers"
                return [Finding(name, "fault", seen, rows.step[i], ours)]
    return []


def first_at_zero(rows: Rows, meant: Meant) -> list[Finding]:
    """Whether the first updates of the run change nothing."""
    used = [max(rate) for rate in rows.rate]
    zeros = next((i for i, rate in enumerate(used) if rate > 0), len(used))
    if not zeros or rows.step[0] > 1 or zeros == len(used):
        return []
    seen = f"update {rows.step[0]} used the rate 0" if zeros == 1 else f"the first {zeros} updates used the rate 0"
    return [Finding("first update at rate 0", "note", seen, rows.step[0], 0.0)]


def run_and_schedule_end_together(rows: Rows, meant: Meant) -> list[Finding]:
    """Whether the run ends where the schedule does."""
    used, made, last = leading(rows), rows.step[-1] + 1, rows.step[-1]
    if not meant.finished or any(False in series.agree(shifted(0)) for series in _series(rows, meant)):
        return []
    if meant.steps is not None and made > 1.05 * meant.steps and made - meant.steps > 2:
        rest = [rate for step, rate in zip(rows.step, used) if step >= meant.steps]
        seen = f"{made} updates were made, {meant.steps} are scheduled; the rest used rates down to {min(rest):.6g}"
        return [Finding("schedule ended early", "fault", seen, meant.steps, used[-1])]
    if meant.counts and meant.length is not None and made < meant.length:  # a log may be of a run that still goes on
        return _stopped_early(rows, meant, used, made, meant.length)
    if meant.steps is not None:
        return _stopped_early(rows, meant, used, made, meant.steps)
    position = rows.position[-1]
    if meant.rate is None and meant.total is not None and position is not None:
        if position < meant.total:
            return _stopped_early(rows, meant, used, int(position) + 1, meant.total)
        at = next(i for i, each in enumerate(rows.position) if each is not None and each >= meant.total)
        if used[-1] > used[at]:
            seen = f"the rate rose from {used[at]:.6g} after the {meant.total} steps that the scheduler is built for"
            return [Finding("schedule ended early", "note", seen, rows.step[at], used[at])]
    zeros = next((i for i, rate in enumerate(reversed(used)) if rate > 0), len(used))
    if zeros >= max(10, 0.05 * len(used)) and zeros < len(used):
        seen = f"the last {zeros} updates used the rate 0"
        kind: Kind = "note" if meant.rate is not None else "fault"
        return [Finding("schedule ended early", kind, seen, rows.step[-zeros], 0.0)]
    peak, tail = max(used), used[-max(2, len(used) // 10) :]
    falls = tail[0] > tail[-1] and all(a >= b for a, b in pairwise(used[used.index(peak) :]))
    if meant.rate is None and falls and len(used) >= ENOUGH and used[-1] > HIGH * peak:
        seen = f"the rate was still falling at the end, at {used[-1] / peak:.0%} of its peak {peak:.6g}"
        return [Finding("ends high", "note", seen, last, used[-1])]
    return []


def _stopped_early(rows: Rows, meant: Meant, used: list[float], made: int, steps: int) -> list[Finding]:
    """Whether a run made fewer steps of its schedule than there are, and was at a high rate then."""
    peak = max(used)
    end = meant.rate[0]([steps - 1])[0] if meant.rate is not None else math.nan
    end *= max(_shares(meant) or (1.0,))
    low = max(2 * end, 0.05 * peak) if math.isfinite(end) else HIGH * peak
    if made > 0.95 * steps or used[-1] <= low:
        return []
    times = round(steps / made)
    # As many updates as a k-th of the batches make; where k is as large as their number, any run would.
    whole = 2 <= times <= made == rows.step[-1] + 1 and abs(steps - times * made) < times
    seen = f"{made} of {steps} steps were made, and the last used {used[-1]:.6g}"
    if math.isfinite(end):
        seen += f" where the schedule ends at {end:.6g}"
    if whole:
        seen += f"; the schedule is {times} times as long as the run"
    return [Finding("ends high", "fault" if whole else "note", seen, rows.step[-1], used[-1])]


def moves_in_stairs(rows: Rows, meant: Meant) -> list[Finding]:
    """Without a schedule: whether a rate that falls or rises smoothly does so at every k-th update only."""
    used = leading(rows)
    if meant.rate is not None or None not in rows.position:
        return []
    changes = [rows.step[i] for i in range(1, len(used)) if used[i] != used[i - 1]]
    gaps = {b - a for a, b in pairwise([rows.step[0], *changes])}
    spacing = min((b - a for a, b in pairwise(rows.step)), default=1)
    smooth = len({round(b / a, 3) for a, b in pairwise(dict.fromkeys(used)) if a}) > 1  # not one factor, as for stairs
    if len(changes) < 4 or max(gaps) - min(gaps) > 1 or min(gaps) < max(5, 3 * spacing) or not smooth:
        return []
    seen = f"the rate changed {len(changes)} times, once in {changes[0] - rows.step[0]} updates, by a little each time"
    return [Finding("stepped per epoch", "note", seen, changes[0], used[rows.step.index(changes[0])])]


def groups_as_meant(rows: Rows, meant: Meant) -> list[Finding]:
    """Whether the parameter groups keep the shares that were meant, or those that they came with."""
    if max(map(len, rows.rate)) == 1 or (meant.rate is not None and len(meant.rate) > 1):
        return []
    came = meant.factors or meant.came_with
    if came and len(set(came)) > 1:
        for i, rates in enumerate(rows.rate):
            shares = [share / max(came) * max(rates) for share in came]
            wrong = [g for g, (a, b) in enumerate(zip(rates, shares)) if abs(a - b) > 1e-3 * max(rates)]
            if wrong:
                g = wrong[0]
                flat = len(set(rates)) == 1
                seen = (
                    f"update {rows.step[i]} used {rates[g]:.6g} for group {g} where its share would be {shares[g]:.6g}"
                )
                seen += ", the same rate for all groups" if flat else ""
                kind: Kind = "fault" if meant.factors or flat else "note"
                return [Finding("groups differ", kind, seen, rows.step[i], rates[g])]
        return []
    return _drifted(rows, meant)


def _drifted(rows: Rows, meant: Meant) -> list[Finding]:
    """Groups that were equal and are no longer, such as one that was added later."""
    begin = next((i for i, rates in enumerate(rows.rate) if max(rates) > 0), 0)  # at the rate 0 all groups are equal
    for i, rates in enumerate(rows.rate[begin:], begin):
        wrong = next((g for g, rate in enumerate(rates) if abs(rate - rates[0]) > 1e-3 * max(rates)), None)
        if wrong is None:
            continue
        joined = wrong >= len(rows.rate[begin])
        if not joined and i == begin and not meant.factors:
            return []  # each has its own rate from the first update on
        seen = f"update {rows.step[i]} used {rates[wrong]:.6g} for group {wrong} and {rates[0]:.6g} for group 0"
        kind: Kind = "fault" if meant.factors or (meant.rate is not None and not joined) else "note"
        if joined and (follows := _follows(rows, wrong)) is not None:
            if follows:
                return []
            seen, kind = f"{seen}; it was added later, and its rate does not change with the others", "fault"
        return [Finding("groups differ", kind, seen, rows.step[i], rates[wrong])]
    return []


def _follows(rows: Rows, group: int) -> bool | None:
    """Whether a group that was added later keeps its share (True), stands still while group 0 does not, or neither."""
    pairs = [(rates[0], rates[group]) for rates in rows.rate if group < len(rates)]
    share = pairs[0][1] / pairs[0][0] if pairs[0][0] else math.nan
    if all(abs(rate - share * first) <= 1e-3 * max(rate, share * first) for first, rate in pairs):
        return True
    return False if len({rate for _, rate in pairs}) == 1 and len({first for first, _ in pairs}) > 2 else None


def momentum_as_meant(rows: Rows, meant: Meant) -> list[Finding]:
    """Whether the momentum is what was meant, or stays as it was."""
    there = [(step, each[0]) for step, each in zip(rows.step, rows.momentum) if each and not math.isnan(each[0])]
    if not there:
        return []
    used = [each for _, each in there]
    if meant.momentum is None:
        if max(used) - min(used) <= 1e-6:
            return []
        seen = f"the momentum went from {used[0]:.4g} between {min(used):.4g} and {max(used):.4g}"
        changed = next(i for i, each in enumerate(used) if each != used[0])
        return [Finding("momentum changed", "note", seen, there[changed][0], rows.rate[changed][0])]
    told = meant.momentum([step for step, _ in there])
    for i, (ours, theirs) in enumerate(zip(used, told)):
        inside = meant.steps is None or there[i][0] < meant.steps
        if inside and not abs(ours - theirs) <= 1e-5:
            seen = f"update {there[i][0]} used the momentum {ours:.6g} where {theirs:.6g} was meant"
            return [Finding("momentum changed", "fault", seen, there[i][0], rows.rate[i][0])]
    return []


def skipped_updates(rows: Rows, meant: Meant) -> list[Finding]:
    """Skipped updates that nothing else has named: they cost nothing, if the scheduler waited."""
    total = sum(rows.skipped)
    if total < max(10, 0.1 * len(rows)):
        return []
    first = next(i for i, each in enumerate(rows.skipped) if each)
    seen = f"{total} updates were skipped beside {len(rows)} that were made"
    return [Finding("skipped update", "note", seen, rows.step[first], leading(rows)[first])]


def loss_diverges(rows: Rows, meant: Meant) -> list[Finding]:
    """Whether the loss is no number any more, or ends far above where it began."""
    there = [(i, loss) for i, loss in enumerate(rows.loss) if loss is not None]
    used = leading(rows)
    finite = [math.isfinite(loss) for _, loss in there]
    holes = [len([*group]) for is_finite, group in groupby(finite) if not is_finite]
    if there and not finite[-1] and max(holes[:-1], default=0) < holes[-1]:
        # No weight recovers from it: where a finite loss comes after, the update was skipped, or nothing was logged.
        i, loss = there[-holes[-1]]
        seen = f"the loss of update {rows.step[i]} is {loss}, at the rate {used[i]:.6g}"
        return [Finding("loss diverges", "fault", seen, rows.step[i], used[i])]
    there = [each for each, is_finite in zip(there, finite) if is_finite]
    if len(there) < ENOUGH:
        return []
    losses = [loss for _, loss in there]
    _, last, noise = _ends(losses)
    first = sorted(losses[:3])[1]  # before the rate can have done harm: it may take two updates
    if last <= first + max(0.5 * abs(first), 4 * noise):
        return []
    high = next((i for i, loss in there if loss > (first + last) / 2), there[-1][0])
    seen = f"the loss went from {first:.4g} up to {last:.4g}"
    kind: Kind = "fault" if last > first + 2 * abs(first) else "note"  # that of a generator may rise a little
    return [Finding("loss diverges", kind, seen, rows.step[high], used[high])]


def loss_stands_still(rows: Rows, meant: Meant) -> list[Finding]:
    """Whether the loss is at the end what it was at the beginning."""
    losses = [loss for loss in rows.loss if loss is not None and math.isfinite(loss)]
    if len(losses) < 2 * ENOUGH:
        return []
    first, last, _ = _ends(losses)
    if not abs(first) > 1e-6 or abs(last - first) > 0.02 * abs(first):
        return []
    used = leading(rows)
    seen = f"the loss went from {first:.4g} to {last:.4g} in {len(losses)} updates, at rates up to {max(used):.4g}"
    return [Finding("rate too low", "note", seen)]


def _ends(losses: list[float]) -> tuple[float, float, float]:
    """The mean loss of the first and of the last tenth, at least five, and the size of the noise in such a mean."""
    n = max(5, len(losses) // 10)
    steps = sorted(abs(b - a) for a, b in pairwise(losses))
    return sum(losses[:n]) / n, sum(losses[-n:]) / n, steps[len(steps) // 2] / math.sqrt(n)


RULES: list[Rule] = [
    schedule_followed, scheduler_counts, set_by_another, first_at_zero, run_and_schedule_end_together, moves_in_stairs,
    groups_as_meant, momentum_as_meant, skipped_updates, loss_diverges, loss_stands_still,
]  # fmt: skip
