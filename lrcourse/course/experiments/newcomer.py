"""A newcomer follows the page of answers on a task that no chapter uses; 200 random runs show what there was to find.

The newcomer executes the code of `book/answers.toml` with the rate that it starts from and with those of its search,
drawn quasi-randomly, and keeps the run with the lowest loss on data that are held out. The random search has AdamW,
rates from 1e-5 to 1, decays from 0.001 to 10, and a constant rate, a line or a cosine, with a warm-up. It keeps its
best by the same rule. Both report the loss on other data. A run is a task; its seeds draw the split or the data, first
weights and batches.
"""

import json
import math
import tomllib
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import torch

from ...data import Dataset
from ...records import PACKAGE
from ...schedules import Constant, Cosine, Linear, Schedule, warmup
from ...space import Choice, LogUniform, Space
from ...study import compare_scores
from ...sweep import Setting, sweep
from ...torch import MLP, train

Results = dict[str, Any]
Split = tuple[Dataset, Dataset]  # to choose by, and to report on
ANSWERS = PACKAGE.parent / "book" / "answers.toml"


@dataclass(frozen=True)
class Task:
    """`answer`: its name in the file. `split`: from a seed. `margin`: of the loss, what nobody would search on for."""

    answer: str
    model: Callable[[], torch.nn.Module]
    split: Callable[[int], Split]
    steps: int
    batch: int
    margin: float
    seeds: int


@dataclass(frozen=True)
class Size:
    """`runs`: of the random search. `seeds`: at most. `shorter`: by which factor runs are shortened."""

    runs: int
    seeds: int
    shorter: int = 1


SIZES = {"live": Size(5, 5, shorter=20), "small": Size(200, 100)}


def plan(size: str) -> list[tuple[str, int]]:
    """One run a task."""
    return [(name, 0) for name in TASKS]


def run(name: str, seed: int, size: str, device: str) -> Results:
    """The gap between the newcomer and the best of the random search."""
    task, of_size = TASKS[name], SIZES[size]
    seeds, steps = range(200, 200 + min(task.seeds, of_size.seeds)), max(4, task.steps // of_size.shorter)
    told = tomllib.loads(ANSWERS.read_text(encoding="utf-8"))
    row = next(each for each in told["answer"] if each["id"] == task.answer)
    code = [row["lrcourse"], told["schedule"]["known"]["lrcourse"]]
    followed = [newcomer(task, row, code, seed, steps) for seed in seeds]
    searched = random_search(task, seeds, steps, of_size.runs)
    scores = {"newcomer": [score for score, _ in followed], "random search": searched}
    answer = compare_scores(scores, margin=task.margin, metric="test loss", better="lower")
    runs = 1 + row["search"]["runs"]
    return answer.named() | {"runs of the newcomer": runs, "runs of the search": of_size.runs, "code": json.dumps(code)}


def newcomer(task: Task, row: dict[str, Any], code: Sequence[str], seed: int, steps: int) -> tuple[float, float]:
    """The loss on the data to report on, and the rate, of the run that was best on the data held out."""
    space = Space({
        "lr": LogUniform(row["rate"]["low"], row["rate"]["high"]),
        "decay": LogUniform(row["decay"]["low"], row["decay"]["high"]),
    })  # fmt: skip
    first = {"lr": row["rate"]["start"], "decay": row["decay"]["value"]}
    to_choose, to_report = task.split(seed)
    tried = []
    for trial in (first, *space.quasi_random(row["search"]["runs"], seed)):
        torch.manual_seed(seed)
        names: dict[str, Any] = {"torch": torch, "model": task.model(), "lr": trial["lr"], "steps": steps}
        for part in code:
            exec(part, names)
        for group in names["optimizer"].param_groups:
            if group["weight_decay"]:
                group["weight_decay"] = trial["decay"]
        arguments = {"steps": steps, "batch_size": task.batch, "seed": seed, "schedule": names["scheduler"]}
        run = train(names["model"], names["optimizer"], to_choose, **arguments)
        tried.append((run.evaluations.test_loss[-1], tested(names["model"], to_report), trial["lr"]))
    _, score, lr = min(tried, key=lambda each: each[0] if math.isfinite(each[0]) else math.inf)
    return score, lr


def random_search(task: Task, seeds: Sequence[int], steps: int, runs: int) -> list[float]:
    """For each seed the loss on the data to report on, of the run that was best on the data held out."""
    warm = max(1, steps // 20)
    left = steps - warm
    shapes: dict[str, Schedule] = {
        "constant": Constant(1.0), "line": Linear(1.0, 0.0, left), "cosine": Cosine(1.0, 0.0, left)
    }  # fmt: skip
    space = Space({"lr": LogUniform(1e-5, 1.0), "decay": LogUniform(1e-3, 10.0), "shape": Choice(list(shapes))})
    settings = [
        Setting(lr=each["lr"], weight_decay=each["decay"], seed=seed,
                schedule=warmup(shapes[each["shape"]], warm, start=1 / warm))
        for seed in seeds for each in space.random(runs, seed)
    ]  # fmt: skip
    result = sweep(
        task.model, lambda seed: task.split(seed)[0], settings=settings, steps=steps, optimizer="adamw",
        batch_size=task.batch, jobs=1, progress=False,
    )  # fmt: skip
    held_out = np.nan_to_num(result.trace.test_loss[:, -1], nan=np.inf).reshape(len(seeds), runs)
    scores = []
    for row, seed in enumerate(seeds):
        best = settings[row * runs + int(held_out[row].argmin())]
        torch.manual_seed(seed)
        model = task.model()
        optimizer = torch.optim.AdamW(model.parameters(), lr=best.lr, weight_decay=best.weight_decay)
        schedule = best.lr * best.schedule  # type: ignore[operator]
        train(
            model, optimizer, task.split(seed)[0], steps=steps, batch_size=task.batch, seed=seed,
            schedule=schedule,  # type: ignore[arg-type]
        )  # fmt: skip
        scores.append(tested(model, task.split(seed)[1]))
    return scores


@torch.no_grad()
def tested(model: torch.nn.Module, data: Dataset) -> float:
    like = next(model.parameters())
    x = torch.as_tensor(data.x_test)
    scores = model(x.to(like.dtype) if x.is_floating_point() else x)
    return torch.nn.functional.cross_entropy(scores.movedim(-1, 1), torch.as_tensor(data.y_test)).item()


@cache
def affairs(seed: int) -> Split:
    """Whether somebody has an affair, from eight features of a marriage: 6,366 rows of statsmodels' `fair`."""
    from statsmodels.datasets import fair

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # what statsmodels asks of pandas will change
        rows = fair.load_pandas().data
    x, y = rows.drop(columns="affairs").to_numpy(dtype=float), (rows["affairs"].to_numpy() > 0).astype(np.int64)
    train, held, test = np.split(np.random.default_rng(seed).permutation(len(x)), [3800, 5100])
    x = (x - x[train].mean(0)) / x[train].std(0)
    to_choose = Dataset("affairs", "public domain (Fair, through statsmodels)", x[train], y[train], x[held], y[held])
    return to_choose, replace(to_choose, x_test=x[test], y_test=y[test])


TASKS = {
    "table": Task("table", lambda: MLP([8, 32, 32, 2]), affairs, steps=240, batch=64, margin=0.005, seeds=10),
}
