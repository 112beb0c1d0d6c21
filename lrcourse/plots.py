"""The book's look: one style, and the marks that its figures share.

Every series has a color and a dash pattern, so that no figure depends on color alone. Matplotlib is loaded when
something is drawn, not before: a lab that is graded draws nothing.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .extras import extra
from .intervals import mean_interval
from .schedules import Schedule
from .validation import choice, whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette, told apart with every common color blindness; yellow left out, black first.
COLORS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000"]
LINES: list[Any] = ["-", (0, (5, 2)), (0, (1, 1.2)), (0, (6, 2, 1, 2)), (0, (3, 1)), (0, (8, 3)), (0, (1, 3))]
WIDTH = 7.2  # inches: the text column of a page


THEMES: dict[str, Any] = {
    "light": {},
    "dark": {
        **dict.fromkeys(["figure.facecolor", "axes.facecolor"], "#161616"), "axes.edgecolor": "#AAAAAA",
        "grid.color": "#3A3A3A",
        **dict.fromkeys(["text.color", "axes.labelcolor", "axes.titlecolor", "xtick.color", "ytick.color"], "#E6E6E6"),
    },
    "transparent": {"figure.facecolor": "none", "axes.facecolor": "none"},
}  # fmt: skip


def use_style() -> None:
    """Set matplotlib to the book's look. Called once at the top of each chapter.

    The environment variable `LRCOURSE_THEME` chooses one of `THEMES`; `lrcourse figures --theme` sets it.
    """
    with extra("plots"):
        import matplotlib.pyplot as plt
        from matplotlib.rcsetup import cycler

    plt.rcParams.update({
        "figure.dpi": 130, "savefig.dpi": 130, "figure.constrained_layout.use": True, "figure.facecolor": "white",
        "font.size": 10, "axes.titlesize": 10.5, "axes.titlelocation": "left", "axes.labelsize": 10,
        "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": "#555555", "axes.axisbelow": True,
        "axes.grid": True, "grid.color": "#E4E4E4", "grid.linewidth": 0.8, "lines.linewidth": 1.8,
        "axes.prop_cycle": cycler(color=COLORS, linestyle=LINES), "legend.frameon": False, "legend.fontsize": 9,
        "image.cmap": "cividis", "svg.hashsalt": "lrcourse", "mathtext.fontset": "dejavusans",
        **THEMES[choice(*THEMES)("LRCOURSE_THEME", os.environ.get("LRCOURSE_THEME", "light"))],
    })  # fmt: skip


def figure(rows: int = 1, cols: int = 1, height: float = 3.2, **subplots: Any) -> "tuple[Figure, Any]":
    """A figure as wide as the text with `rows` × `cols` axes, each row `height` inches high."""
    with extra("plots"):
        import matplotlib.pyplot as plt

    return plt.subplots(rows, cols, figsize=(WIDTH, height * rows), **subplots)


def _look(i: int) -> dict[str, Any]:
    return {"color": COLORS[i % len(COLORS)], "linestyle": LINES[i % len(LINES)]}


def schedule(ax: "Axes", schedules: Mapping[str, Schedule], steps: int) -> None:
    """The rates of updates 0 to `steps - 1` of each named schedule."""
    for name, each in schedules.items():
        ax.plot(each.table(steps), label=name)
    ax.set(xlabel="step", ylabel="learning rate")
    if len(schedules) > 1:
        ax.legend()


Rates = NDArray[np.float64]
BLOCKS = " ▁▂▃▄▅▆▇█"


def text(schedules: Mapping[str, Schedule], steps: int, width: int = 72, height: int = 10, log: bool = False) -> str:
    """The rates of updates 0 to `steps - 1` of each named schedule, drawn with characters, all on one scale.

    This is what `lrcourse plot` prints; `schedule` draws a picture.

    A column is full up to the lowest rate of its updates and shaded up to the highest. `width`, `height`: characters.
    `log`: a logarithmic axis, over six decades at most.

    Raises: `ValueError` if `width` or `height` is not a whole number ≥ 2.

    >>> from lrcourse import Linear
    >>> print(text({"down": Linear(1.0, 0.0, steps=8)}, steps=8, width=8, height=2))
    down
    1 ┤█▆▄▂
    0 ┤█████▆▄▂
      └┬──────┬
       0      7
    update 0: 1, highest: 1 at update 0, update 7: 0.125, mean: 0.562
    """
    width, height = (whole(2, "use for example 40")(*each) for each in (("width", width), ("height", height)))
    tables = {name: each.table(steps) for name, each in schedules.items()}
    top = max(float(table.max()) for table in tables.values()) or 1.0
    positive = [float(table[table > 0].min()) for table in tables.values() if table.any()]
    floor = max(min(positive, default=top), top / 1e6) if log else 0.0
    labels = [f"{top:.3g}", *[""] * (height - 2), f"{floor:.3g}"]
    margin = max(map(len, labels))
    axis = [f"{'':{margin}} └┬{'─' * (width - 2)}┬", f"{'':{margin}}  0{steps - 1:>{width - 1}}"]
    lines = []
    for name, table in tables.items():
        rows = [
            f"{label:>{margin}} ┤{row}".rstrip() for label, row in zip(labels, _rows(table, width, height, floor, top))
        ]
        lines += [name, *rows, *axis, _told(table)]
    return "\n".join(lines)


def _rows(rates: Rates, width: int, height: int, floor: float, top: float) -> list[str]:
    """The lines of a chart, the highest first."""
    columns = np.arange(width) * len(rates) // width  # the first update of each; two share one if there are too few
    low, high = (_eighths(each.reduceat(rates, columns), height, floor, top) for each in (np.minimum, np.maximum))
    return ["".join(map(_cell, low - 8 * row, high - 8 * row)) for row in reversed(range(height))]


def _cell(full: int, reached: int) -> str:
    return "░" if full <= 0 and reached >= 4 else BLOCKS[min(max(full, 0), 8)]


def _eighths(rates: Rates, height: int, floor: float, top: float) -> NDArray[np.int64]:
    """How high a column is, in eighths of a character: one at least, unless the rate is zero. `floor`: 0 if not log."""
    if floor > 0:
        decades = max(np.log(top / floor), 1e-9)  # one rate alone spans none
        shares = 1 + np.log(np.maximum(rates, floor) / top) / decades
        exact = (1 + (8 * height - 1) * shares) * (rates > 0)
    else:
        exact = 8 * height * rates / top
    up: NDArray[np.int64] = np.ceil(exact - 1e-9).astype(np.int64)
    return up


def _told(table: Rates) -> str:
    return (
        f"update 0: {table[0]:.3g}, highest: {table.max():.3g} at update {table.argmax()}, "
        f"update {len(table) - 1}: {table[-1]:.3g}, mean: {table.mean():.3g}"
    )


def band(ax: "Axes", x: ArrayLike, runs: ArrayLike, label: str, i: int = 0) -> None:
    """The mean over seeds as a line and its 95 % interval as a band. `runs`: shape `(seeds, len(x))`."""
    intervals = [mean_interval(column) for column in np.asarray(runs, dtype=float).T]
    ax.plot(x, [each.mean for each in intervals], label=label, **_look(i))
    low, high = [each.low for each in intervals], [each.high for each in intervals]
    ax.fill_between(x, low, high, color=COLORS[i % len(COLORS)], alpha=0.18, linewidth=0)


def contours(ax: "Axes", surface: Callable[[Any, Any], Any], xlim: tuple[float, float], ylim: tuple[float, float],
             levels: int | Sequence[float] = 14) -> None:  # fmt: skip
    """Level lines of `surface(x, y)` over a rectangle, evenly spaced in the logarithm of its height."""
    x, y = np.meshgrid(np.linspace(*xlim, 200), np.linspace(*ylim, 200))
    z = surface(x, y)
    if isinstance(levels, int):
        span = z.max() - z.min()
        levels = list(z.min() + span * np.geomspace(1e-3, 1, levels))
    ax.contour(x, y, z, levels=levels, colors="#9A9A9A", linewidths=0.8)
    ax.grid(False)


def path(ax: "Axes", points: ArrayLike, label: str, i: int = 0) -> None:
    """The way of an optimizer over a surface: `points` of shape `(steps + 1, 2)`, one dot per step, a ring at first."""
    points = np.asarray(points)
    ax.plot(*points.T, marker=".", markersize=4, linewidth=1.2, label=label, **_look(i))
    ax.plot(*points[0], marker="o", markersize=8, markerfacecolor="none", linestyle="none", color="#333333")


def heatmap(ax: "Axes", values: ArrayLike, x: Sequence[Any], y: Sequence[Any], xlabel: str, ylabel: str,
            label: str) -> None:  # fmt: skip
    """A table as colors: `values` of shape `(len(y), len(x))`; missing or diverged entries (NaN) are hatched."""
    values = np.asarray(values, dtype=float)
    ax.patch.set(hatch="xx", edgecolor="#BBBBBB")
    image = ax.imshow(values, origin="lower", aspect="auto")
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.set_xticks(range(len(x)), [f"{v:g}" if np.isreal(v) else str(v) for v in x])
    ax.set_yticks(range(len(y)), [f"{v:g}" if np.isreal(v) else str(v) for v in y])
    ax.grid(False)
    ax.figure.colorbar(image, ax=ax, label=label)


def dots(ax: "Axes", groups: Mapping[str, ArrayLike]) -> None:
    """One dot per seed and the mean with its 95 % interval, a column per named group."""
    for i, (_, values) in enumerate(groups.items()):
        values = np.asarray(values, dtype=float)
        spread = np.linspace(-0.12, 0.12, len(values))
        ax.plot(i - 0.15 + spread, values, ".", color=COLORS[i % len(COLORS)], alpha=0.55, markersize=5)
        mean = mean_interval(values)
        ax.errorbar(i + 0.15, mean.mean, [[mean.mean - mean.low], [mean.high - mean.mean]], fmt="D", markersize=4.5,
                    capsize=4, color=COLORS[i % len(COLORS)], linestyle="none")  # fmt: skip
    ax.set_xticks(range(len(groups)), list(groups))
    ax.set_xlim(-0.5, len(groups) - 0.5)
    ax.grid(axis="x", visible=False)
