"""A newcomer follows the page of answers on tasks that no chapter uses; 200 random runs show what there was to find.

The newcomer executes the code of `book/answers.toml` in the runs that its answer asks for, and keeps the one with the
lowest loss on data that are held out. The random search has AdamW, rates from 1e-5 to 1, decays from 0.001 to 10, and a
constant rate, a line or a cosine, with a warm-up; of text, half of its runs have a second rate, four times the first.
It keeps its best by the same rule. Both report the loss on other data. A run is a task; its seeds draw the split, the
first weights and the order of the batches.
"""

import hashlib
import json
import math
import tomllib
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...data import Dataset
from ...data.text import ALPHABET, paragraphs
from ...records import PACKAGE
from ...schedules import Constant, Cosine, Linear, Schedule, warmup
from ...space import Choice, LogUniform, Space
from ...study import compare_scores
from ...sweep import Setting, sweep
from ...torch import GPT, MLP, train
from .language_models import Inside

Results = dict[str, Any]
Row = dict[str, Any]
Split = tuple[Dataset, Dataset]  # to choose by, and to report on
Tried = tuple[float, float]  # the losses on either
ANSWERS = PACKAGE.parent / "book" / "answers.toml"
CONTEXT, WIDTH = 16, 16  # of the GPT
GRAPHS = "3a60da12f31fe2b8a5a9189fdc84794b72bb11d1b1189d407dd25773cac01213"  # the hash of all that NetworkX 3.6.1 says


@dataclass(frozen=True)
class Task:
    """`answer`: its name in the file. `split`: from a seed. `follow`: all runs that the answer asks for.

    `margin`: of the loss, what nobody would search on for. `searches`: the options of a sweep each; the runs of the
    random search are shared out among them.
    """

    answer: str
    model: Callable[[], torch.nn.Module]
    split: Callable[[int], Split]
    follow: Callable[["Newcomer"], list[Tried]]
    steps: int
    batch: int
    margin: float
    seeds: int
    searches: Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Size:
    """`runs`: of the random search. `seeds`: at most. `shorter`: by which factor runs are shortened.

    `compiled`: whether compiling pays.
    """

    runs: int
    seeds: int
    shorter: int = 1
    compiled: bool = True


SIZES = {"live": Size(8, 5, shorter=20, compiled=False), "small": Size(200, 100)}


def plan(size: str) -> list[tuple[str, int]]:
    """One run a task."""
    return [(name, 0) for name in TASKS]


def run(name: str, seed: int, size: str, device: str) -> Results:
    """The gap between the newcomer and the best of the random search."""
    task, of_size = TASKS[name], SIZES[size]
    seeds, steps = range(200, 200 + min(task.seeds, of_size.seeds)), max(4, task.steps // of_size.shorter)
    told = tomllib.loads(ANSWERS.read_text(encoding="utf-8"))
    row = next(each for each in told["answer"] if each["id"] == task.answer)
    code = [row["lrcourse"], row.get("lrcourse_then", ""), told["schedule"]["known"]["lrcourse"]]
    followed = [task.follow(Newcomer(task, row, code, seed, steps)) for seed in seeds]
    searched = random_search(task, seeds, steps, of_size)
    scores = {"newcomer": [best(tried) for tried in followed], "random search": [best(tried) for tried in searched]}
    answer = compare_scores(scores, margin=task.margin, metric="test loss", better="lower")
    counts = {"runs of the newcomer": len(followed[0]), "runs of the search": len(searched[0])}
    return answer.named() | counts | {"code": json.dumps(code)}


@dataclass(frozen=True)
class Newcomer:
    """Somebody who executes an answer's `code`: the optimizer, a second rate (or nothing), the schedule."""

    task: Task
    row: Row
    code: Sequence[str]
    seed: int
    steps: int

    def tried(self, lr: float, decay: float | None = None, times: int | None = None, shorter: int = 1) -> Tried:
        """The losses of a run. `decay`: another weight decay. `times`: of a second rate. `shorter`: a part of it."""
        steps = max(2, self.steps // shorter)
        first, then, schedule = self.code
        torch.manual_seed(self.seed)
        names: dict[str, Any] = {"torch": torch, "model": self.task.model(), "lr": lr, "steps": steps}
        exec(first, names)
        if times is not None:
            exec(then.replace("times = 4", f"times = {times}"), names)
        exec(schedule, names)
        model, optimizer = names["model"], names["optimizer"]
        for group in optimizer.param_groups:
            if group["weight_decay"] and decay is not None:
                group["weight_decay"] = decay
        if self.row["clip"] == "to a norm of 1":
            optimizer.register_step_pre_hook(
                lambda *_: torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0) and None
            )
        to_choose, to_report = self.task.split(self.seed)
        arguments = {"steps": steps, "batch_size": self.task.batch, "seed": self.seed, "schedule": names["scheduler"]}
        run = train(model, optimizer, to_choose, **arguments)
        return run.evaluations.test_loss[-1], tested(model, to_report)


def best(tried: Sequence[Tried]) -> float:
    """What the run that was best on the data held out loses on the data to report on."""
    return min(tried, key=lambda each: each[0] if math.isfinite(each[0]) else math.inf)[1]


def follow_table(newcomer: Newcomer) -> list[Tried]:
    """The start, then rates and decays together, quasi-randomly."""
    rate, decay, runs = newcomer.row["rate"], newcomer.row["decay"], newcomer.row["search"]["runs"]
    space = Space({"lr": LogUniform(rate["low"], rate["high"]), "decay": LogUniform(decay["low"], decay["high"])})
    first = {"lr": rate["start"], "decay": decay["value"]}
    return [newcomer.tried(**trial) for trial in (first, *space.quasi_random(runs, newcomer.seed))]


def follow_text(newcomer: Newcomer) -> list[Tried]:
    """Rates by factors of two in short runs; the two best at full length; a second rate for the better of them."""
    rate = newcomer.row["rate"]
    rates = [each for each in (rate["start"] * 2.0**i for i in range(-9, 10)) if rate["low"] <= each <= rate["high"]]
    short = {lr: newcomer.tried(lr, shorter=10) for lr in rates}
    full = {lr: newcomer.tried(lr) for lr in sorted(rates, key=lambda lr: short[lr][0])[:2]}
    better = min(full, key=lambda lr: full[lr][0])
    return [*short.values(), *full.values(), *(newcomer.tried(better, times=times) for times in (2, 4, 8))]


def random_search(task: Task, seeds: Sequence[int], steps: int, size: Size) -> list[list[Tried]]:
    """For each seed the losses of all runs. Only of the one that is best on the data held out is the other known."""
    warm = max(1, steps // 20)
    left = steps - warm
    shapes: dict[str, Schedule] = {
        "constant": Constant(1.0), "line": Linear(1.0, 0.0, left), "cosine": Cosine(1.0, 0.0, left)
    }  # fmt: skip
    space = Space({"lr": LogUniform(1e-5, 1.0), "decay": LogUniform(1e-3, 10.0), "shape": Choice(list(shapes))})
    share = size.runs // len(task.searches)
    found: list[list[Tried]] = [[] for _ in seeds]
    for i, options in enumerate(task.searches):
        engine = options["engine"] if size.compiled else options["engine"].removesuffix("-compiled")
        settings = [
            Setting(lr=each["lr"], weight_decay=each["decay"], seed=seed,
                    schedule=warmup(shapes[each["shape"]], warm, start=1 / warm))
            for seed in seeds for each in space.random(share, seed + 1000 * i)
        ]  # fmt: skip
        result = sweep(
            task.model, lambda seed: task.split(seed)[0], settings=settings, steps=steps, batch_size=task.batch,
            keep_weights=True, jobs=1, progress=False, **options | {"engine": engine},
        )  # fmt: skip
        held_out = np.nan_to_num(result.test_loss, nan=np.inf)
        for row, seed in enumerate(seeds):
            of_seed = range(row * share, (row + 1) * share)
            winner = min(of_seed, key=lambda member: held_out[member])
            model = task.model()
            for name, parameter in model.named_parameters():
                parameter.data = result.weights[steps][name][winner]
            reported = tested(model, task.split(seed)[1])
            found[row] += [(held_out[member], reported if member == winner else math.nan) for member in of_seed]
    return found


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


@cache
def about_graphs(seed: int) -> Split:
    """What NetworkX says of its functions, by characters; a seed draws which of its files are held out."""
    files = np.random.default_rng(seed).permutation(np.array(documents(), dtype=object))
    train, held, test = np.split(files, [len(files) * 7 // 10, len(files) * 8 // 10])
    (x, y), (x_held, y_held), (x_test, y_test) = (
        windows("".join(part), n) for part, n in ((train, 4000), (held, 300), (test, 1000))
    )
    to_choose = Dataset("docstrings of NetworkX", "BSD-3-Clause (NetworkX)", x, y, x_held, y_held)
    return to_choose, replace(to_choose, x_test=x_test, y_test=y_test)


def windows(characters: str, n: int) -> tuple[np.ndarray, np.ndarray]:
    """`n` windows, evenly chosen from those that follow each other, and the character after each of theirs."""
    numbers = np.array([ALPHABET.index(character) for character in characters])
    all_of_them = (len(numbers) - 1) // CONTEXT
    starts = CONTEXT * np.linspace(0, all_of_them - 1, n).astype(int)
    cut = numbers[starts[:, None] + np.arange(CONTEXT + 1)]
    return cut[:, :-1], cut[:, 1:]


@cache
def documents() -> tuple[str, ...]:
    """Of each file of NetworkX the sentences that no file before it has.

    Raises: `RuntimeError` for a version with other docstrings.
    """
    root = Path(str(metadata.distribution("networkx").locate_file("networkx")))
    files = [path for path in root.rglob("*.py") if "tests" not in path.relative_to(root).parts]
    seen: dict[str, int] = {}  # which file has it
    for i, path in enumerate(sorted(files, key=lambda path: path.relative_to(root).as_posix())):
        for paragraph in paragraphs(path):
            seen.setdefault(paragraph, i)
    found = ["".join(f"{each}\n" for each, i in seen.items() if i == file) for file in sorted(set(seen.values()))]
    if hashlib.sha256("".join(found).encode()).hexdigest() != GRAPHS:
        fix = 'pip install "networkx==3.6.1"'
        raise RuntimeError(f"the docstrings of NetworkX are not those of 3.6.1, on which results rest: {fix}")
    return tuple(found)


TASKS = {
    "table": Task(
        "table", lambda: MLP([8, 32, 32, 2]), affairs, follow_table, steps=240, batch=64, margin=0.005, seeds=10,
        searches=[{"optimizer": "adamw", "engine": "stacked"}],
    ),
    "text": Task(
        "text-from-scratch", lambda: GPT(len(ALPHABET), CONTEXT, WIDTH), about_graphs, follow_text, steps=120, batch=8,
        margin=0.02, seeds=6,
        searches=[{"optimizer": Inside(ratio=ratio), "clip": 1.0, "engine": "vmap-compiled"} for ratio in (1, 4)],
    ),
}  # fmt: skip
