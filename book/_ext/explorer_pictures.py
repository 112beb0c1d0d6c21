"""What stands in the place of each explorer in print and without scripts: a picture of its first state."""

import base64
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import train_data
import train_network
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from lrcourse import Cosine, Cyclic, OneCycle, Step, plots
from lrcourse.course.experiments.trainability import DIVERGED
from lrcourse.optimizers import SGD, Adam
from lrcourse.surfaces import Ravine, descend


def schedules() -> Figure:
    figure, ax = plots.figure(height=3)
    plots.schedule(ax, {
        "Cosine": Cosine(0.1, 0.0, 1000), "Step": Step(0.1, 300, 0.3), "Cyclic": Cyclic(0.01, 0.1, 125),
        "OneCycle": OneCycle(0.1, 1000),
    }, 1000)  # fmt: skip
    return figure


def descent() -> Figure:
    figure, (left, right) = plots.figure(cols=2, height=2.9)
    ravine, start = Ravine(), (-5.0, 0.6)
    plots.contours(left, ravine, (-6, 2), (-1, 1))
    for i, momentum in enumerate((0.0, 0.9)):
        path = descend(ravine, SGD(lr=0.08, momentum=momentum), start, 60)
        plots.path(left, path, f"momentum {momentum}", i)
        right.plot(ravine(*path.T))
    left.set(xlabel="x", ylabel="y")
    left.legend(loc="lower left")
    right.set(xlabel="step", ylabel="loss", yscale="log")
    return figure


def range_tests(record: dict[str, Any]) -> Figure:
    figure, axes = plots.figure(cols=2, height=2.9)
    for ax, name in zip(axes, ("SGD", "starts too late"), strict=True):
        result = next(run["results"] for run in record["runs"] if run["name"] == name and run["seed"] == 0)
        ax.plot(10 ** np.array(result["log10 lr"]), result["loss"], ".", color="#8A8A8A", markersize=4)
        for i, rule in enumerate(("steepest", "valley", "minimum")):
            if result[rule]:
                ax.axvline(result[rule], label=rule, color=plots.COLORS[i], linestyle=plots.LINES[i])
        ax.set(xscale="log", xlabel="learning rate", title=name, ylim=(0, 4.5))
    axes[0].set_ylabel("loss")
    axes[0].legend()
    return figure


def trainability(record: dict[str, Any]) -> Figure:
    figure, axes = plots.figure(cols=2, height=3.2)
    whole, inner = (run["results"] for run in record["runs"][:2])
    for ax, tile in zip(axes, (whole, inner), strict=True):
        n = tile["pixels"]
        codes = np.frombuffer(zlib.decompress(base64.b64decode(tile["codes"])), "<u2").reshape(n, n).astype(float)
        loss = np.where(codes < DIVERGED, codes / 1000 - 12, np.nan)
        ax.patch.set(hatch="xx", edgecolor="#BBBBBB")
        trained = np.where(10**loss < tile["first loss"], loss, np.nan)
        ax.imshow(trained, origin="lower", aspect="auto", extent=extent(tile))
        ax.set(xlabel="log10 learning rate")
        ax.grid(False)
    left, right, down, up = extent(inner)
    look: dict[str, Any] = {"fill": False, "edgecolor": plots.COLORS[1], "linewidth": 2}
    axes[0].add_patch(Rectangle((left, down), right - left, up - down, **look))
    axes[0].set_ylabel("momentum")
    return figure


def train() -> Figure:
    """A race; every other example, and of the losses the mean of 20 batches."""
    figure, axes = plots.figure(cols=3, height=2.0)
    task = train_data.tasks()["moons"]
    x, y = train_data.read(task["train"]["x"], 2), np.array(task["train"]["y"])
    across, up = np.meshgrid(np.linspace(-1.75, 2.75, 66), np.linspace(-1.25, 1.72, 44))
    plane = np.column_stack([across.ravel(), up.ravel()])
    for i, optimizer in enumerate((SGD(lr=Cosine(0.3, 0.0, 400)), Adam(lr=Cosine(0.01, 0.0, 400)))):
        steps = list(train_network.train(task, x, y, optimizer, "tanh", 32, 400))
        chances = train_network.probabilities(steps[-1][1], plane, "tanh")[:, 1].reshape(across.shape)
        axes[i].contourf(across, up, chances, levels=[0, 0.5, 1], colors=plots.COLORS[:2], alpha=0.25)
        for label, marker in enumerate("so"):
            axes[i].plot(*x[y == label][::2].T, marker, color=plots.COLORS[label], markersize=2.5)
        axes[i].set(title=type(optimizer).__name__, xlabel="x")
        axes[2].plot(
            np.convolve([loss for loss, _ in steps], np.ones(20) / 20, "valid"), label=type(optimizer).__name__
        )
    axes[0].set_ylabel("y")
    axes[2].set(title="loss", xlabel="update", ylim=(0, None))
    axes[2].legend()
    return figure


def extent(tile: dict[str, Any]) -> tuple[float, float, float, float]:
    return np.log10(tile["lr from"]), np.log10(tile["lr to"]), tile["momentum from"], tile["momentum to"]


def styled(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    def drawn(*record: dict[str, Any]) -> Figure:
        plots.use_style()
        return draw(*record)

    return drawn


PICTURES = {
    "schedule": styled(schedules),
    "descent": styled(descent),
    "range-test": styled(range_tests),
    "trainability": styled(trainability),
    "train": styled(train),
}
