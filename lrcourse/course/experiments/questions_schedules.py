"""Questions about schedules and the range test, answered by `lrcourse.study`: a run is a question, its seeds its own.

What a run keeps are the verdicts in words, differences with intervals, failures, the settings that were chosen, what
could have been seen, and the margins. A seed draws the data or their split, the first weights and the order of the
mini-batches. A run has failed that ends no better than guessing; the limit of a rate is where training fails.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from ...data import Dataset, digits, moons
from ...intervals import mean_interval
from ...range_test import RangeTest
from ...schedules import Constant, Cosine, Cyclic, Exponential, Lambda, Linear, Schedule, warmup
from ...space import octaves
from ...study import Arm, Study, Task, compare_scores
from ...study.tuning import Tuned
from ...study.verdict import share
from ...sweep import sweep
from ...torch import MLP, LogicNet

Array = NDArray[np.float64]
Results = dict[str, Any]


@dataclass(frozen=True)
class Size:
    """`seeds`: on which results are reported, at most. `shorter`: by which factor runs are shortened. `per_octave`: the
    rates of a fine ladder."""

    seeds: int
    shorter: int = 1
    per_octave: int = 2

    def select(self, wanted: int = 10) -> range:
        return range(100, 100 + min(wanted, self.seeds))

    def report(self, wanted: int) -> range:
        return range(2000, 2000 + min(wanted, self.seeds))


SIZES = {"live": Size(5, shorter=4, per_octave=1), "small": Size(200)}
EPOCH = 34  # updates: 539 digits, 16 at a time
BATCH: dict[str, Any] = {"batch_size": 16}


def plan(size: str) -> list[tuple[str, int]]:
    """One run a question."""
    return [(name, 0) for name in QUESTIONS]


def run(name: str, seed: int, size: str, device: str) -> Results:
    """What is known about a question."""
    return QUESTIONS[name](SIZES[size], device)


def batch_norm(size: Size, device: str) -> Results:
    """Does batch norm let me train at a larger rate?

    Asked again: "batch norm lowered the limit", which had been read off the `minimum` of range tests. Three layers of
    32, six epochs of digits at a constant rate. A limit is the lowest rate of the ladder from which on all runs of a
    seed fail. Margin: half an octave, the step of the ladder; nobody chooses a rate more finely before a search.
    """
    steps, seeds, rates = 6 * EPOCH // size.shorter, size.report(12), octaves(0.25, 8.0, size.per_octave)
    scores, failed = {}, Results(rates=rates)
    for name, norm in {"batch norm": True, "none": False}.items():
        task = Task(partial(deep, 3, norm, device), some_digits, steps=steps, options=BATCH | {"engine": "vmap"})
        trains = np.isfinite(trained(task, [{"lr": rate} for rate in rates], seeds))
        failed[f"failed at each rate, {name}"] = (~trains).sum(0).tolist()
        scores[f"limit, {name}"] = np.array([first_of_the_failing(each, rates) for each in trains])
        tests = range_tests(task, seeds, 1e-2, 10.0)
        scores[f"minimum, {name}"] = np.log2(minima(tests))
    pairs = [(f"{what}, batch norm", f"{what}, none") for what in ("limit", "minimum")]
    answer = compare_scores(scores, compare=pairs, metric="rate in octaves", better="higher", margin=0.5)
    return answer.named() | failed


def first_of_the_failing(trains: NDArray[np.bool_], rates: Sequence[float]) -> float:
    """The rate from which on every run fails, in octaves; NaN where the ladder does not show it."""
    above = len(trains) - int(trains[::-1].argmax()) if trains.any() else 0
    return float(np.log2(rates[above])) if 0 < above < len(rates) else np.nan


def silent_test(size: Size, device: str) -> Results:
    """The range test says `None`. Is there no good rate for this network, or was the test too short?

    Asked again: "this network, with this optimizer, has no good region to find". Five layers of 32. A test of six
    epochs, as in the chapter, against one of thirty; then thirty epochs of training at half of the `minimum`. A test
    that says `None` counts as a failure. Margin: a tenth of the loss (its logarithm is compared).
    """
    seeds, steps = size.report(20), 30 * EPOCH // size.shorter
    task = Task(partial(deep, 5, False, device), some_digits, steps=steps, options=BATCH)
    tests = {name: range_tests(task, seeds, 1e-2, 10.0, steps=n) for name, n in {
        "six epochs": 6 * EPOCH // size.shorter, "thirty epochs": steps}.items()}  # fmt: skip
    found = {name: minima(each) for name, each in tests.items()}
    scores = {name: np.log(trained_at(task, each / 2, seeds)) for name, each in found.items()}
    pairs = [("thirty epochs", "six epochs")]
    answer = compare_scores(scores, compare=pairs, metric="log of the test loss", better="lower", margin=np.log(1.1))
    at_a_tenth = trained_at(task, np.full(len(seeds), 0.1), seeds)
    silent = np.isnan(found["six epochs"])
    return answer.named() | {
        "silent, six epochs": f"{share(int(silent.sum()), len(seeds)):.2f}",
        "silent, thirty epochs": f"{share(int(np.isnan(found['thirty epochs']).sum()), len(seeds)):.2f}",
        "train at 0.1 where six epochs were silent":
            f"{share(int(np.isfinite(at_a_tenth[silent]).sum()), max(1, int(silent.sum()))):.2f}",
        "loss at 0.1": f"{mean_interval(at_a_tenth[np.isfinite(at_a_tenth)]):.2f}",
    }  # fmt: skip


def bracket(size: Size, device: str) -> Results:
    """A range test gives me a bracket: how wide is it, does it hold a good rate, and which rate in it do I take?

    Asked again: "out of three powers of ten it leaves less than one", of the bracket widened by one rung. A network of
    32 units, six epochs, SGD and Adam. The best rate is that of a ladder on other seeds. The rules take no tuning: half
    of the `minimum` against it, and against the best rate. Margin: a tenth of the loss (its logarithm is compared).
    """
    steps, seeds = 6 * EPOCH // size.shorter, size.report(80)
    scores, told_of = {}, Results()
    for name, low, high in (("sgd", 0.01, 10.0), ("adam", 0.0005, 0.5)):
        task = Task(partial(mlp, device), some_digits, steps=steps, options=BATCH | {"optimizer": name})
        tests = range_tests(task, seeds, low, high)
        best = best_rate(task, octaves(2 * low, high), size.select())
        bottom, top = np.array([each.suggest("steepest") or np.nan for each in tests]), minima(tests)
        for rule, rates in {"minimum": top, "half": top / 2, "best": np.full(len(seeds), best)}.items():
            scores[f"{name} {rule}"] = np.log(trained_at(task, rates, seeds))
        told_of |= {f"{name}: best rate of the ladder": best, f"{name}: minima": top.tolist()}
        for widened, factor in {"bracket": 1.0, "widened by an octave": 2.0}.items():
            inside = (bottom / factor <= best) & (best <= top * factor)
            width = mean_interval(np.log10(top / bottom * factor**2)[np.isfinite(top)])
            told_of[f"{name}: {widened}, powers of ten"] = f"{width:.2f}"
            told_of[f"{name}: {widened}, holds the best rate"] = f"{share(int(inside.sum()), len(seeds)):.2f}"
    pairs = [(f"{name} half", f"{name} {other}") for name in ("sgd", "adam") for other in ("minimum", "best")]
    answer = compare_scores(scores, compare=pairs, metric="log of the test loss", better="lower", margin=np.log(1.1))
    return answer.named() | told_of


def good_rates(size: Size, device: str) -> Results:
    """Does a cycle, or a decay, forgive a wider range of rates than a fixed rate does?

    Asked again: "the range of good choices is not wider", read off four rates on eight seeds. Fixed at r, a line from r
    to r / 10, two triangles between r / 10 and r; eight epochs, half an octave between rates. A rate is good whose test
    loss is at most 1.5 (strictly: 1.25) times the best mean of any arm and rate on the selection seeds. The score is
    how many octaves of good rates a seed has. Margin: half an octave, the step of the ladder.
    """
    steps, rates = 8 * EPOCH // size.shorter, octaves(2**-4, 8.0, size.per_octave)
    task = Task(partial(mlp, device), some_digits, steps=steps, options=BATCH)
    arms: dict[str, Callable[[float], Schedule]] = {
        "fixed": Constant,
        "line": lambda r: Linear(r, r / 10, steps),
        "triangles": lambda r: Cyclic(r / 10, r, steps // 4),
    }
    made = [make(rate) for make in arms.values() for rate in rates]
    best = np.nanmin(trained(task, made, size.select(5)).mean(0))  # a mean without its failed runs would flatter
    loss = trained(task, made, size.report(40)).reshape(-1, len(arms), len(rates))
    scores = {
        f"{name} within {factor:g}": (loss[:, i] <= factor * best).sum(1) / size.per_octave
        for factor in (1.5, 1.25) for i, name in enumerate(arms)
    }  # fmt: skip
    pairs = [(f"{a} within {factor:g}", f"{b} within {factor:g}") for factor in (1.5, 1.25) for a, b in
             (("triangles", "fixed"), ("line", "fixed"), ("triangles", "line"))]  # fmt: skip
    answer = compare_scores(scores, compare=pairs, metric="octaves of good rates", better="higher", margin=0.5)
    at_the_ends = np.isfinite(loss[..., [0, -1]]) & (loss[..., [0, -1]] <= 1.5 * best)
    return answer.named() | {"level": 1.5 * best, "good at an end of the ladder": int(at_the_ends.sum())}


def constant_or_cosine(size: Size, device: str) -> Results:
    """Each with its own best rate: does a cosine end lower than a constant rate, on mini-batches of four?

    Asked again: "a well chosen constant rate ended lower still", where the constant was tuned and the cosine was not.
    200 noisy moons, 1000 updates. Margin: 0.02 on a test loss of about 0.3; nobody changes a schedule for less.
    """
    steps = 1000 // size.shorter
    task = Task(lambda: LogicNet(hidden=8).double().to(device), some_moons, steps=steps, options={"batch_size": 4})
    arms = {"cosine": lambda r: Cosine(r, 0.0, steps), "constant": Constant}
    study = Study(
        task, arms, rates=octaves(2**-6, 16.0), margin=0.02, select=size.select(40), report=size.report(150)
    )  # fmt: skip
    return study.run(progress=False, jobs=1).named()


def warm_up(size: Size, device: str) -> Results:
    """Does warm-up help Adam: at a rate that is too large, at twice that, and once each has its own best rate?

    Asked again: warm-up helps "at no rate". A regression without a point that comes twice, 300 updates, a line to zero,
    with thirty updates of warm-up or without. Margin: 0.05 on test losses from 0.3 up to 1.7, the loss of guessing.
    """
    steps = 300 // size.shorter
    task = Task(
        lambda: MLP([4, 32, 32, 32, 1]).double().to(device), some_regression, steps=steps,
        options=BATCH | {"optimizer": "adam", "loss": "mse"},
    )  # fmt: skip
    warm = steps // 10
    ways: dict[str, Callable[[float], Schedule]] = {
        "with": lambda lr: warmup(Linear(lr, 0.0, steps - warm), warm, start=lr / warm),
        "without": lambda lr: Linear(lr, 0.0, steps),
    }
    tuned = Study(
        task, ways, rates=octaves(2**-9, 2**-2), margin=0.05, select=size.select(), report=size.report(60)
    ).run(progress=False, jobs=1)  # fmt: skip
    fixed = {f"{way} at {lr:g}": Arm(make, [{"lr": lr}]) for lr in (0.12, 0.24) for way, make in ways.items()}
    pairs = [(f"with at {lr:g}", f"without at {lr:g}") for lr in (0.12, 0.24)]
    large = Study(task, fixed, margin=0.05, compare=pairs, report=size.report(140)).run(progress=False, jobs=1)
    return tuned.named("tuned: ") | large.named()


def place_of_the_stop(size: Size, device: str) -> Results:
    """Early stopping ends a cyclical run: at which rate, and does "one patience after the end of a cycle" say it?

    Asked again: "the place can be predicted: one patience after the end of a cycle". Triangles between 0.05 and 0.5,
    three step sizes with three patiences each. The rate at the stop against the one that the formula says; "ahead" is a
    lower one. Margin: a tenth of the cycle's height. Beside it, how many runs stop at that very check.
    """
    scores, at, seeds = {}, Results(), size.report(30)
    base, top = 0.05, 0.5
    for half, epochs in {2: 48, 4: 64, 8: 96}.items():
        cycle = Cyclic(base, top, half * EPOCH)
        losses = sweep(
            partial(mlp, device), digits_to_watch, steps=epochs // size.shorter * EPOCH, evaluate_every=EPOCH, jobs=1,
            settings=[{"schedule": cycle, "seed": seed} for seed in seeds], progress=False, **BATCH,
        ).trace.test_loss[:, 1:]  # fmt: skip
        for patience in (half // 2, half, 2 * half):
            name = f"step size {half}, patience {patience}"
            stops = np.array([early_stop(each, patience) for each in losses])
            scores[name] = cycle(stops * EPOCH - 1)  # the rate of an epoch's last update
            scores[f"formula, {name}"] = np.full(len(seeds), cycle(patience * EPOCH - 1))
            at_the_place = (stops - patience) % (2 * half) == 0
            at[f"stops at the place, {name}"] = f"{share(int(at_the_place.sum()), len(seeds)):.2f}"
    pairs = [(name, f"formula, {name}") for name in scores if not name.startswith("formula")]
    answer = compare_scores(scores, compare=pairs, metric="rate at the stop", better="lower", margin=(top - base) / 10)
    return answer.named() | at


def early_stop(losses: Array, patience: int) -> int:
    """The epoch, from 1, that ends the run: `patience` checks after the best so far."""
    best = 0
    for now, loss in enumerate(losses):
        if loss < losses[best]:
            best = now
        elif now - best >= patience:
            return now + 1
    return len(losses)


def exponential_or_line(size: Size, device: str) -> Results:
    """Ten epochs: does an exponential decay end behind a line, whatever its factor?

    Asked again: the exponential is *behind* the line, with the factor 0.8 an epoch and one first rate for both. At that
    first rate, 0.01, by accuracy with the factors 0.8 and 0.9; then by test loss with the best rate for each and the
    best factor for the exponential. Margin: two points of accuracy, 0.02 of the loss; a seed moves both by more.
    """
    epochs, each = 10, 10
    options = {"batch_size": 20}

    def task(metric: str) -> Task:
        return Task(
            lambda: LogicNet(hidden=8).double().to(device), some_moons, steps=epochs * each, metric=metric,
            options=options,
        )  # fmt: skip

    def line(lr: float) -> Schedule:
        return Lambda(lambda t: lr * (1 - np.floor(t / each) / epochs))

    def exponential(lr: float, factor: float) -> Schedule:
        return Lambda(lambda t: lr * factor ** np.floor(t / each))

    fixed = {
        "line": Arm(line, [{"lr": 0.01}]),
        "factor 0.8": Arm(lambda lr: exponential(lr, 0.8), [{"lr": 0.01}]),
        "factor 0.9": Arm(lambda lr: exponential(lr, 0.9), [{"lr": 0.01}]),
    }
    early = Study(
        task("test_accuracy"), fixed, margin=0.02, compare=[("factor 0.8", "line"), ("factor 0.9", "line")],
        report=size.report(200),
    ).run(progress=False, jobs=1)  # fmt: skip
    rates, factors = octaves(2**-2, 32.0), [0.6, 0.7, 0.8, 0.9, 1.0]
    both = [{"lr": lr, "factor": factor} for lr in rates for factor in factors]
    tuned = Study(
        task("test_loss"),
        {
            "exponential": Arm(exponential, both, ends={"factor": [1.0]}),  # a constant rate
            "line": Arm(line, [{"lr": lr} for lr in np.geomspace(rates[0], rates[-1], len(both)).tolist()]),
        },
        margin=0.02, select=size.select(20), report=size.report(80),
    ).run(progress=False, jobs=1)  # fmt: skip
    return early.named("first rate 0.01: ") | tuned.named("tuned: ")


QUESTIONS: dict[str, Callable[[Size, str], Results]] = {
    "batch norm's limit": batch_norm,
    "a range test without an answer": silent_test,
    "the bracket of a range test": bracket,
    "the range of good rates": good_rates,
    "constant or cosine": constant_or_cosine,
    "warm-up": warm_up,
    "the place of the stop": place_of_the_stop,
    "exponential or line": exponential_or_line,
}


def trained(task: Task, made: Sequence[Any], seeds: Sequence[int]) -> Array:
    """The scores of what was made, of shape `(seeds, made)`, NaN where a run failed."""
    return of_runs(task, [(each, seed) for seed in seeds for each in made]).reshape(len(seeds), len(made))


def trained_at(task: Task, rates: Array, seeds: Sequence[int]) -> Array:
    """The score of each seed at its own constant rate, NaN where there is no rate or the run failed."""
    scores, there = np.full(len(seeds), np.nan), np.isfinite(rates)
    runs = [({"lr": float(rate)}, seed) for rate, seed, known in zip(rates, seeds, there) if known]
    scores[there] = of_runs(task, runs)
    return scores


def of_runs(task: Task, runs: Sequence[tuple[Any, int]]) -> Array:
    scores = dict(task.scores(runs, jobs=1)) if runs else {}
    guesses = {seed: task.guesses(seed) for seed in {seed for _, seed in runs}}
    found = np.array([scores[i] for i in range(len(runs))])
    return np.where(found < [guesses[seed] for _, seed in runs], found, np.nan)


def best_rate(task: Task, rates: Sequence[float], seeds: Sequence[int]) -> float:
    """The rate with the best mean score, a failed run counting as a guess."""
    trials = [{"lr": rate} for rate in rates]
    guesses = np.array([[task.guesses(seed)] for seed in seeds], dtype=float)
    scores = trained(task, trials, seeds)
    best = trials[Tuned.of(trials, np.where(np.isnan(scores), guesses, scores), task.better).best]
    if at := Arm(Constant, trials).edges(best):
        raise RuntimeError(f"the best rate must lie within the ladder, got {at}: extend it")
    return best["lr"]


def range_tests(task: Task, seeds: Sequence[int], low: float, high: float, steps: int | None = None) -> list[RangeTest]:
    """A range test of each seed's network, of as many updates as the task's runs if `steps` is left out."""
    n = steps or task.steps
    climb = Exponential(low, gamma=(high / low) ** (1 / (n - 1)))
    curves = sweep(
        task.model_fn, task.data, settings=[{"schedule": climb, "seed": seed} for seed in seeds], steps=n, jobs=1,
        progress=False, **task.options,
    ).curves  # fmt: skip
    ends = [int(np.argmin(np.isfinite([*each, np.nan]))) for each in curves]
    return [RangeTest(climb.table(n)[:end], each[:end], each[:end]) for end, each in zip(ends, curves)]


def minima(tests: Sequence[RangeTest]) -> Array:
    """The `minimum` of each test, NaN where it says nothing."""
    return np.array([test.suggest("minimum") or np.nan for test in tests])


@cache  # several sweeps of a question read the same
def some_digits(seed: int) -> Dataset:
    """A draw of 539 digits to train on, 1,258 to test on."""
    return digits(seed=seed, test_size=0.7)


def digits_to_watch(seed: int) -> Dataset:
    """The same with 419 of the others to be watched by early stopping, in the place of the test."""
    data = some_digits(seed)
    watched = len(data.y_test) // 3
    return Dataset(data.name, data.license, data.x_train, data.y_train, data.x_test[:watched], data.y_test[:watched])


def some_moons(seed: int) -> Dataset:
    return moons(200, noise=0.3, seed=seed)


def some_regression(seed: int, n: int = 4800) -> Dataset:
    """A curved target of four inputs, tested without noise; none of the points comes twice in 300 batches of 16."""
    rng = np.random.default_rng(seed)
    x, x_test = rng.normal(size=(n, 4)), np.random.default_rng(1_000_000).normal(size=(500, 4))
    noise = 0.3 * rng.normal(size=(n, 1))
    return Dataset("regression", "generated", x, curved(x) + noise, x_test, curved(x_test))


def curved(x: NDArray[Any]) -> Array:
    a, b, c, d = x.T
    column: Array = (np.sin(2 * a) * b + np.abs(c) - a * d)[:, np.newaxis]
    return column


def mlp(device: str) -> nn.Module:
    return MLP([64, 32, 10]).double().to(device)


def deep(layers: int, norm: bool, device: str) -> nn.Module:
    """So many hidden layers of 32 ReLU units, with batch norm by the batch at hand or without it."""
    parts: list[nn.Module] = []
    for a, b in pairwise((64, *[32] * layers)):
        parts += [nn.Linear(a, b), *([nn.BatchNorm1d(b, track_running_stats=False)] * norm), nn.ReLU()]
    return nn.Sequential(*parts, nn.Linear(32, 10)).double().to(device)
