"""What a study found, as plain data: verdicts, tables and pictures are computed from it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..extras import extra
from ..glue import glue
from ..intervals import Interval, mean_interval
from ..validation import bad
from .tuning import Tuned, choice_variance
from .verdict import Pair, Verdict, digits_of, judge, share

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Answer:
    """The scores of a study's arms, and what follows from them.

    `tuned`: of each arm, its trials, the scores of the selection runs and which trial was chosen. `scores`: of each
    arm at its chosen trial, one per seed of `report`; `failed`: which of these runs failed. `compare`: the pairs that
    were asked about, all of whose verdicts are corrected together.
    """

    metric: str
    better: str
    margin: float
    select: list[int]
    report: list[int]
    compare: list[tuple[str, str]]
    tuned: Mapping[str, Tuned]
    scores: Mapping[str, Array]
    failed: Mapping[str, NDArray[np.bool_]]

    def __repr__(self) -> str:
        """Each verdict in a sentence."""
        return "\n".join(map(str, self.verdicts))

    @cached_property
    def verdicts(self) -> list[Verdict]:
        """The verdict on every pair that was asked about."""
        return judge([self._pair(a, b) for a, b in self.compare], self.margin, self.better)

    def verdict(self, a: str, b: str) -> Verdict:
        """The verdict on `a` against `b`.

        Raises: `ValueError` for a pair that was not declared in this order: the family would be another one.
        """
        if (a, b) not in self.compare:
            raise bad("compare", (a, b), f"one of the declared pairs {self.compare}", "declare it in Study(compare=…)")
        return self.verdicts[self.compare.index((a, b))]

    def chosen(self, arm: str) -> dict[str, Any]:
        """The trial that was chosen for an arm."""
        return dict(self._of(arm).trials[self.tuned[arm].best])

    def mean(self, arm: str) -> Interval | None:
        """The mean score of an arm's report runs that survived, with its 95 % interval; None for fewer than two."""
        self._of(arm)
        survived = self.scores[arm][~self.failed[arm]]
        return mean_interval(survived) if len(survived) > 1 else None

    def table(self) -> "pd.DataFrame":
        """A row per pair: the difference with its interval, the verdict, failures, and what could have been seen."""
        digits = f".{digits_of(self.margin)}f"
        failures = any(any(each.failures) for each in self.verdicts)
        rows = [
            {
                "": f"{each.a} against {each.b}",
                f"difference in {self.metric}": "none survived" if each.difference is None
                else format(each.difference, digits),
                "verdict": each.word + (f" ({each.note})" if each.note else ""),
                **({"failed": f"{each.failures[0]} and {each.failures[1]} of {each.runs}"} if failures else {}),
                "could have seen": format(each.detectable, digits),
            }
            for each in self.verdicts
        ]  # fmt: skip
        return _frame(rows)

    def arms(self) -> "pd.DataFrame":
        """A row per arm: the trial that was chosen, the mean score of its report runs, and the share that failed."""
        digits = f".{digits_of(self.margin)}f"
        rows = []
        for arm, tuned in self.tuned.items():
            mean = self.mean(arm)
            rows.append({
                "": arm,
                "chosen": ", ".join(f"{name} {_short(value)}" for name, value in self.chosen(arm).items()),
                "of trials": len(tuned.trials),
                self.metric: "none survived" if mean is None else format(mean, digits),
                "failed": format(share(int(self.failed[arm].sum()), len(self.report)), ".2f"),
            })  # fmt: skip
        return _frame(rows)

    def values(self) -> Iterator[tuple[str, str]]:
        """Every result by name, as text: `cosine-constant` is a verdict's word, `…-difference` its interval, and so on.

        `cosine-constant-says` is it as a sentence. `cosine` is an arm's mean, `cosine-lr` a value that was chosen for
        it, `cosine-failed` how many runs failed.
        """
        digits = f".{digits_of(self.margin)}f"
        if both := {f"{a}-{b}" for a, b in self.compare} & set(self.tuned):
            raise bad("arms", sorted(both), "of other names than two others joined by a hyphen", "rename the arm")
        for arm in self.tuned:
            mean = self.mean(arm)
            yield arm, "none survived" if mean is None else format(mean, digits)
            yield f"{arm}-failed", str(int(self.failed[arm].sum()))
            yield from ((f"{arm}-{name}", _short(value)) for name, value in self.chosen(arm).items())
        for each in self.verdicts:
            pair = f"{each.a}-{each.b}"
            yield pair, each.word
            yield f"{pair}-says", str(each)
            if each.difference is not None:
                yield f"{pair}-difference", format(each.difference, digits)
            yield f"{pair}-detectable", format(each.detectable, digits)
        yield from (("margin", _short(self.margin)), ("runs", str(len(self.report))))
        yield "verdicts", str(len(self.verdicts))

    def glue(self, prefix: str) -> None:
        """Store each of `values` for the text of a chapter, as `PREFIX-name`."""
        for name, value in self.values():
            glue(f"{prefix}-{name}".replace(" ", "-"), value, display=False)

    def plot(self, ax: Any = None, x: str | None = None) -> Any:
        """The mean score of the selection runs against `x`, a number that varies, and each arm's report as a diamond.

        `x`: None for the first name of the trials. Where other values vary as well, the best of each `x` is drawn.
        Returns the axes.
        """
        from ..plots import COLORS, LINES, figure

        ax = figure()[1] if ax is None else ax
        name = x or next(iter(next(iter(self.tuned.values())).trials[0]))
        if without := [arm for arm, tuned in self.tuned.items() if name not in tuned.trials[0]]:
            raise bad("x", name, f"a name in the trials of {without} as well", "name it alike in every arm")
        for i, (arm, tuned) in enumerate(self.tuned.items()):
            look: dict[str, Any] = {"color": COLORS[i % len(COLORS)]}
            ax.plot(*tuned.curve(name, self.better), ".", linestyle=LINES[i % len(LINES)], label=arm, **look)
            if (mean := self.mean(arm)) is not None:
                error = [[mean.mean - mean.low], [mean.high - mean.mean]]
                ax.errorbar(self.chosen(arm)[name], mean.mean, error, fmt="D", capsize=4, **look)
        ax.set(xlabel=_label(name), ylabel=self.metric)
        if name == "lr" or name.endswith("rate"):
            ax.set_xscale("log", base=2)
        ax.legend()
        return ax

    def plot_differences(self, ax: Any = None) -> Any:
        """Each pair's difference with its interval, and the margin as a band: within it nobody would care.

        Returns the axes.
        """
        from ..plots import COLORS, figure

        ax = figure(height=0.6 + 0.35 * len(self.verdicts))[1] if ax is None else ax
        ax.axvspan(-self.margin, self.margin, color="#999999", alpha=0.2, linewidth=0)
        ax.axvline(0, color="#777777", linewidth=1)
        for i, each in enumerate(self.verdicts):
            if (found := each.difference) is not None:
                error = [[found.mean - found.low], [found.high - found.mean]]
                ax.errorbar(found.mean, i, xerr=error, fmt="D", capsize=4, color=COLORS[0])
        names = [f"{each.a} against {each.b}\n{each.word}" for each in self.verdicts]
        ax.set_yticks(range(len(names)), names)
        ax.set(xlabel=f"difference in {self.metric} ({self.better} is better)", ylim=(len(names) - 0.5, -0.5))
        ax.grid(axis="y", visible=False)
        return ax

    def named(self, prefix: str = "") -> dict[str, Any]:
        """What a record keeps: each of `values` as `PREFIXname`, and as `PREFIXanswer` all of it, for `from_dict`."""
        # `compare_scores` has a trial called arm, which says nothing.
        named = {name: text for name, text in self.values() if not name.endswith("-arm")}
        return {f"{prefix}{name}": value for name, value in (named | {"answer": json.dumps(self.to_dict())}).items()}

    def to_dict(self) -> dict[str, Any]:
        """All of it as numbers, text and lists, for a record; `from_dict` reads it."""
        table = {field: getattr(self, field) for field in ("metric", "better", "margin", "select", "report")}
        return table | {
            "compare": [list(pair) for pair in self.compare],
            "tuned": {arm: tuned.to_dict() for arm, tuned in self.tuned.items()},
            "scores": {arm: values.tolist() for arm, values in self.scores.items()},
            "failed": {arm: values.tolist() for arm, values in self.failed.items()},
        }

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> "Answer":
        """The answer that `to_dict` wrote."""
        return cls(**{
            **table,
            "compare": [(a, b) for a, b in table["compare"]],
            "tuned": {arm: Tuned.from_dict(each) for arm, each in table["tuned"].items()},
            "scores": {arm: np.array(values, dtype=float) for arm, values in table["scores"].items()},
            "failed": {arm: np.array(values, dtype=bool) for arm, values in table["failed"].items()},
        })  # fmt: skip

    def _of(self, arm: str) -> Tuned:
        if arm not in self.tuned:
            raise bad("arm", arm, f"one of {list(self.tuned)}", "check the spelling")
        return self.tuned[arm]

    def _pair(self, a: str, b: str) -> Pair:
        variance = choice_variance(self.tuned[a], self.tuned[b], self.better)
        return Pair(a, b, self.scores[a], self.scores[b], self.failed[a], self.failed[b], variance, len(self.select))


def _frame(rows: list[dict[str, Any]]) -> "pd.DataFrame":
    with extra("study"):
        import pandas as pd

    return pd.DataFrame(rows).set_index("")


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _label(name: str) -> str:
    return {"lr": "learning rate", "weight_decay": "weight decay"}.get(name, name)
