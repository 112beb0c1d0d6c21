"""Questions about momentum, optimizers, weight decay and fine-tuning, asked by the rules of `lrcourse.study`.

Each row is a function whose docstring says what a reader wants to know, which claim it asks again, and the margin. A
seed draws the data, the first weights and the order of the batches, unless a row says which of them is fixed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ... import records
from ...data import Dataset, digits, glyphs, moons
from ...intervals import Interval
from ...schedules import Cosine, OneCycle
from ...space import octaves
from ...study import Arm, EdgeError, Study, Task, compare_scores
from ...study.verdict import share
from ...sweep import grid, sweep
from ...torch import MLP, ScheduleLR, range_test, sharpness
from ...torch.rules import Adam, AdamW, ByShape, Muon, Rule
from ...validation import choice
from . import comparison

Array = NDArray[np.float64]
Results = dict[str, Any]


@dataclass(frozen=True)
class Size:
    """The seeds that choose and those that report; `whole`: whether all networks, lengths and ranges are asked."""

    select: range
    report: range
    whole: bool = True


SIZES = {
    "live": Size(range(5), range(100, 105), whole=False),
    "small": Size(range(10), range(100, 130)),
}


def plan(size: str) -> list[tuple[str, int]]:
    """Every row once: its seeds are in its studies."""
    return [(name, 0) for name in ROWS]


def run(name: str, seed: int, size: str, device: str = "cpu") -> Results:
    """The answers of a row: each verdict as a word and as a sentence, intervals, chosen settings, failures.

    `NAME: answer` holds a study as JSON, which `lrcourse.study.Answer.from_dict` reads, for tables and pictures.
    """
    choice("cpu")("device", device)  # networks so small gain nothing elsewhere
    return ROWS[choice(*ROWS)("name", name)](SIZES[size])


def cycled_momentum(size: Size) -> Results:
    """Should my momentum fall while the rate rises?

    Asks again: cycled momentum "allows a larger rate". At the edge, a peak of 0.3, it meets the fixed momentum at the
    same peak, and at the same *effective* peak: a momentum of 0.85 at 0.3 makes steps as long as 0.9 at 0.2. Then each
    with its own best peak. Margin: 2 points of accuracy, a third of what the seeds alone make of one setting.
    """
    steps, peak = 200, 0.3
    task = Task(partial(MLP, (144, 24, 10)), characters, steps, "test_accuracy", options={"batch_size": 40})

    def cycled(lr: float) -> Results:
        cycle = OneCycle(lr, steps)
        return {"schedule": cycle, "momentum": cycle.momentum()}

    def fixed(lr: float) -> Results:
        return {"schedule": OneCycle(lr, steps), "momentum": 0.9}

    edge = {
        "cycled": Arm(cycled, [{"lr": peak}]),
        "fixed": Arm(fixed, [{"lr": peak}]),
        "fixed, same effective peak": Arm(fixed, [{"lr": peak * (1 - 0.9) / (1 - 0.85)}]),
    }
    compare = [("cycled", "fixed"), ("cycled", "fixed, same effective peak")]
    return {
        **asked("edge", Study(task, edge, margin=0.02, report=size.report, compare=compare)),
        **asked("tuned", Study(task, {"cycled": cycled, "fixed": fixed}, rates=octaves(1 / 64, 1 / 2), margin=0.02,
                               select=size.select, report=size.report)),
    }  # fmt: skip


def blind_trial(size: Size) -> Results:
    """I can afford one trial: is Adam the safer method to draw a rate for?

    Asks again: "with one blind trial Adam is ahead of momentum", where both drew from one range. A score is the mean
    accuracy over a range of rates, half a decade apart: what a rate drawn from it can expect, failures included, which
    are counted beside it. The shared ranges are the chapter's, one a decade lower and one a decade higher; a range of
    its own has the method's best rate on the selection seeds in its middle. Margin: 2 points of accuracy.
    """
    rates = 10.0 ** np.arange(-5, 2, 0.5)
    methods: dict[str, Results] = {"Adam": {"optimizer": "adam"}, "momentum": {"momentum": 0.9}}
    task = Task(partial(MLP, (64, 20, 10)), splits, 160, "test_accuracy", options={"batch_size": 64})
    seeds = [*size.select, *size.report]
    reached = {
        name: scores(task, [{"lr": float(lr), **options} for lr in rates], seeds) for name, options in methods.items()
    }
    chose = len(size.select)
    best = {name: int(table[:chose].mean(0).argmax()) for name, table in reached.items()}
    ranges = {("shared", name): range(2, 12) for name in methods}
    ranges |= {("shared, a decade lower", name): range(0, 10) for name in methods}
    ranges |= {("shared, a decade higher", name): range(4, 14) for name in methods}
    ranges |= {
        (f"own, {width} decades", name): range(best[name] - width, best[name] + width + 1)
        for width in (1, 2, 4) for name in methods
    }  # fmt: skip
    if outside := [key for key, each in ranges.items() if each.start < 0 or each.stop > len(rates)]:
        raise ValueError(f"a range of rates must lie within those that were trained, got {outside}: train more rates")
    failed = {name: np.array([table[i] <= task.guesses(seed) for i, seed in enumerate(seeds)])
              for name, table in reached.items()}  # fmt: skip

    expected = {f"{name}, {kind}": reached[name][chose:, list(each)].mean(1) for (kind, name), each in ranges.items()}
    pairs = [(f"Adam, {kind}", f"momentum, {kind}") for kind, name in ranges if name == "Adam"]
    return {
        **compare_scores(expected, seeds=size.report, metric="expected accuracy", better="higher", margin=0.02,
                         compare=pairs).named("blind: "),
        **{f"best rate, {name}": float(rates[i]) for name, i in best.items()},
        **{f"failed, {name}, {kind}": counted(failed[name][chose:, list(each)]) for (kind, name), each in
           ranges.items()},
    }  # fmt: skip


def main_effects(size: Size) -> Results:
    """Do the effects of schedule, momentum and rate found in a small network hold in a deep one?

    Asks again: "the main effects hold in both networks". All contrasts of the chapter, and Adam against its neighbors,
    from the records of the small network and of VGG-16: five seeds, on which nothing was chosen. A run that ends below
    0.55, in a test with two classes, has failed. Margin: 2 points of accuracy.
    """
    cell = comparison.cell
    contrasts = {
        "schedule": (cell("SGDR", 0.01, 0.0), cell("constant", 0.01, 0.0)),
        "schedule, rate 0.1": (cell("SGDR", 0.1, 0.0), cell("constant", 0.1, 0.0)),
        "schedule, momentum": (cell("SGDR", 0.01, 0.9), cell("constant", 0.01, 0.9)),
        "momentum": (cell("SGDR", 0.01, 0.9), cell("SGDR", 0.01, 0.0)),
        "momentum, constant": (cell("constant", 0.01, 0.9), cell("constant", 0.01, 0.0)),
        "rate": (cell("SGDR", 0.1, 0.0), cell("SGDR", 0.01, 0.0)),
        "rate, constant": (cell("constant", 0.1, 0.0), cell("constant", 0.01, 0.0)),
        "rate or momentum": (cell("SGDR", 0.1, 0.0), cell("SGDR", 0.01, 0.9)),
        "one-cycle": (cell("one-cycle", 0.1, 0.0), cell("constant", 0.1, 0.0)),
        "one-cycle at the edge": (cell("one-cycle", 0.1, 0.9), cell("constant", 0.1, 0.9)),
        "Adam": ("Adam", cell("constant", 0.01, 0.9)),
    }
    found: Results = {}
    words: dict[str, list[str]] = {}
    for network in ("small", "full"):
        record = records.read("comparison", network)
        reached = {name: record.values(name, "test_accuracy") for pair in contrasts.values() for name in pair}
        answer = compare_scores(reached, seeds=record.seeds, metric="test accuracy", better="higher", margin=0.02,
                                guess=0.55, compare=list(contrasts.values()))  # fmt: skip
        words[network] = [answer.verdict(*pair).word for pair in contrasts.values()]
        found |= answer.named(f"{network}: ")
    return {
        **found, "contrasts": "; ".join(contrasts), "words, small network": "; ".join(words["small"]),
        "words, VGG-16": "; ".join(words["full"]), "alike": sum(map(str.__eq__, *words.values())),
    }  # fmt: skip


def muon(size: Size) -> Results:
    """Is Muon worth two optimizers?

    Asks again: Muon is "the one clear gain" over Adam with a cosine. In the chapter's network, for four times as long,
    and with wider layers, each method with a cosine and its own best of five rates, half a decade apart. `ByShape`
    gives Muon all matrices, the last one too, and Adam the biases. Margin: 1 point of accuracy, below which nobody
    would keep two optimizers.
    """
    middle = {"Muon": -1.5, "AdamW": -2.0, "SGD": -1.0}  # log10 of the rate
    options: dict[str, Results] = {
        "Muon": {"optimizer": ByShape(matrices=Muon(), others=Adam())}, "AdamW": {"optimizer": "adamw"},
        "SGD": {"momentum": 0.9},
    }  # fmt: skip
    found: Results = {}
    for width, steps in ((20, 160), (20, 640), (128, 160)) if size.whole else ((20, 160),):
        fall = Cosine(1.0, 0.0, steps)
        arms = {
            name: Arm(partial(with_rate, {"schedule": fall, **each}),
                      [{"lr": float(lr)} for lr in 10.0 ** (middle[name] + np.arange(-1, 1.5, 0.5))])
            for name, each in options.items()
        }  # fmt: skip
        task = Task(partial(MLP, (64, width, width, 10)), splits, steps, "test_accuracy", options={"batch_size": 64})
        study = Study(task, arms, margin=0.01, select=size.select[:5], report=size.report[:20],
                      compare=[("Muon", "AdamW"), ("Muon", "SGD")])  # fmt: skip
        found |= asked(f"{width} units, {steps} steps", study)
    return found


def rate_and_decay(size: Size) -> Results:
    """I raise the rate: should I lower the weight decay?

    Asks again: "a larger rate regularizes, and then a smaller decay is best". At two rates, fourfold apart and both in
    use for this task, and for so long that the decay acts: at the lower rate, weights without a gradient shrink to 0.9
    of themselves at the smallest decay above zero, to nothing at the largest. Each rate has its own best decay. Then
    the higher rate meets the decay that was best for the lower one, and a quarter of it, which shrinks the weights as
    fast. Margin: 0.02 of the loss, 5 % of it, which the chapter calls as good as the best.
    """
    rates, decays = [0.02, 0.08], [0.0, *octaves(4**-6, 4**-1)[::2]]
    task = Task(partial(MLP, (64, 16, 10)), noisy_labels, 2000, options={"batch_size": 30})

    def arm(lr: float, choices: Sequence[float]) -> Arm:
        return Arm(lambda weight_decay: {"lr": lr, "momentum": 0.9, "weight_decay": weight_decay},
                   [{"weight_decay": each} for each in choices], ends={"weight_decay": [0.0]})  # fmt: skip

    each_rate = Study(task, {f"rate {lr:g}": arm(lr, decays) for lr in rates}, margin=0.02, select=size.select,
                      report=size.report).run(progress=False, jobs=1)  # fmt: skip
    best = [each_rate.chosen(f"rate {lr:g}")["weight_decay"] for lr in rates]
    kept = {"same decay": arm(rates[-1], best[:1]), "a quarter": arm(rates[-1], [best[0] / 4])}
    study = Study(task, kept, margin=0.02, report=size.report, compare=[("a quarter", "same decay")])
    return {**each_rate.named("rates: "), **asked("higher rate", study), "rates": rates, "best decays": best}


def beyond_the_edge(size: Size) -> Results:
    r"""Must my rate stay below 2 over the sharpness?

    Asks again: "below $2/\lambda$; beyond it the loss grows". Full-batch gradient descent of a tanh network on moons
    at a rate of 2; $\lambda$ is measured every 20 updates. The arms are the losses at the first check above the edge
    and at the end: if the end is ahead, the loss fell. And of the checks from that one on: how many lie above the
    edge, and after how many of these is the loss lower at the next? Margin: 0.05 of the loss; guessing has 0.69.
    """
    lr, steps, every = 2.0, 400, 20
    network, seeds, checks = partial(double, (2, 32, 32, 2)), [*size.report], [*range(0, steps + 1, every)]
    result = sweep(network, moons_of, settings=grid(lr=[lr], seed=seeds), steps=steps, evaluate_every=every,
                   keep_weights=checks, progress=False, jobs=1)  # fmt: skip
    losses = result.trace.train_loss
    curvature = np.array([
        [sharpness(network(), moons_of(seed), parameters={name: column[i] for name, column in weights.items()},
                   tolerance=1e-3)
         for weights in result.weights.values()]
        for i, seed in enumerate(seeds)
    ])  # fmt: skip
    above = curvature > 2 / lr
    crossed = above.any(1)
    first = above.argmax(1)
    after = [above[i, first[i] :] for i in np.flatnonzero(crossed)]
    falls = [losses[i, 1:][above[i, :-1]] < losses[i, :-1][above[i, :-1]] for i in np.flatnonzero(crossed)]
    at = {"end": losses[crossed, -1], "first above the edge": losses[crossed, first[crossed]]}
    answer = compare_scores(at, seeds=np.array(seeds)[crossed].tolist(), metric="training loss", margin=0.05)
    return {
        **answer.named("loss: "), "rate": lr, "edge": 2 / lr,
        "seeds that cross": proportion(crossed),
        "share of checks above, mean and range over seeds": spread([each.mean() for each in after]),
        "share of these before a lower loss, mean and range over seeds": spread([each.mean() for each in falls]),
        "mean loss": losses.mean(0).tolist(), "mean sharpness": curvature.mean(0).tolist(),
        "updates": list(map(float, checks)),
    }  # fmt: skip


def groups_apart(size: Size) -> Results:
    """Body and head have rates of their own: what if a schedule gives both the head's?

    Asks again: one schedule on all parameter groups ruins fine-tuning. A network that knows the digits gets a new head
    and 30 images, once the digits it knows and once moved by a pixel. The body's rate is a hundredth of the head's, or
    the same: at the head's best rate of the former, as happens who flattens them unaware, and each at its own best.
    Whether `ScheduleLR` lets it happen is tried. Margin: 2 points of accuracy.
    """
    arms: dict[str, Results] = {
        "apart": {"optimizer": TwoRates(rule=AdamW(), body=0.01)},
        "flat": {"optimizer": "adamw"},
    }
    rates = octaves(4**-6, 4**-1)[::2]
    bodies = pretrained((*size.select, *size.report))
    found: Results = {"ScheduleLR refuses": float(schedule_refuses())}
    for name, moved in (("near", 0.0), ("far", 1.0)) if size.whole else (("near", 0.0),):
        task = Task(partial(with_body, bodies, new_head=True), partial(few_digits, n=30, moved=moved), 100,
                    "test_accuracy", options={"batch_size": 10})  # fmt: skip
        tuned = Study(task, {name: partial(with_rate, each) for name, each in arms.items()}, rates=rates, margin=0.02,
                      select=size.select, report=size.report).run(progress=False, jobs=1)  # fmt: skip
        same = {each: Arm(partial(with_rate, options), [tuned.chosen("apart")]) for each, options in arms.items()}
        found |= tuned.named(f"{name}, each at its best: ")
        found |= asked(f"{name}, at the same rate", Study(task, same, margin=0.02, report=size.report))
    return found


def fine_tuning_rate(size: Size) -> Results:
    """May a range test choose the rate of fine-tuning?

    Asks again: "between the steepest fall and the minimum", and the guide's other start, a hundredth of the rate for
    training from scratch. A network that knows the digits gets 50 that are moved by a third of a pixel, or by a whole
    one. Both rules against the best of eight rates, and against leaving the network alone; the rule reads its test,
    of 100 updates, for each seed anew and takes the geometric mean of the two. Margin: 1 point of accuracy, half of
    what tuning gains where the network knows the task already.
    """
    bodies, found = pretrained((*size.select, *size.report)), Results()
    for name, moved in (("near", 0.3), ("far", 1.0)) if size.whole else (("near", 0.3),):
        data = partial(few_digits, n=50, moved=moved)

        def task(network: Callable[[], MLP], data: Callable[[int], Dataset] = data) -> Task:
            return Task(network, data, 100, "test_accuracy", options={"batch_size": 10, "optimizer": "adamw"})

        trained = task(partial(with_body, bodies))
        best, scratch = (best_rate(each, size.select) for each in (trained, task(partial(MLP, SIZES_OF_BODY))))
        brackets = np.array([bracket(with_body(bodies, seed=seed), data(seed), seed) for seed in size.report])
        rules = {
            "range test": np.sqrt(brackets.prod(1)), "best": np.full(len(brackets), best),
            "a hundredth": np.full(len(brackets), scratch / 100), "untouched": np.zeros(len(brackets)),
        }  # fmt: skip
        runs = [({"lr": float(lr)}, seed) for rates in rules.values() for lr, seed in zip(rates, size.report)]
        column = [score for _, score in sorted(trained.scores(runs, jobs=1))]
        reached = dict(zip(rules, np.reshape(column, (len(rules), -1))))
        compare = [("range test", "best"), ("range test", "untouched"), ("a hundredth", "best")]
        found |= compare_scores(reached, seeds=size.report, metric="test accuracy", better="higher", margin=0.01,
                                compare=compare).named(f"{name}: ")  # fmt: skip
        found |= {f"{name}: best rate": best, f"{name}: best rate from scratch": scratch,
                  f"{name}: brackets": brackets.tolist()}  # fmt: skip
    return found


def best_rate(task: Task, seeds: Sequence[int]) -> float:
    """The rate with the best mean score on the selection seeds, which must lie within those that were tried."""
    arm = Arm(partial(with_rate, {}), [{"lr": lr} for lr in octaves(4**-8, 4**-1)[::2]])
    best = arm.trials[int(scores(task, [arm.make(**each) for each in arm.trials], seeds).mean(0).argmax())]
    if edges := arm.edges(best):
        raise EdgeError(f"the best rate must lie within those that were tried, got {edges}: try more")
    return float(best["lr"])


ROWS: dict[str, Callable[[Size], Results]] = {
    "cycled momentum": cycled_momentum,
    "blind trial": blind_trial,
    "main effects": main_effects,
    "Muon": muon,
    "rate and decay": rate_and_decay,
    "beyond the edge": beyond_the_edge,
    "groups apart": groups_apart,
    "fine-tuning rate": fine_tuning_rate,
}


# What the rows train.


@lru_cache(maxsize=64)
def splits(seed: int) -> Dataset:
    """The digits, split by the seed."""
    return digits(seed=seed)


@lru_cache(maxsize=64)
def characters(seed: int) -> Dataset:
    """The ten characters of the chapter on one cycle, drawn by the seed, a row of pixels from -1 to 1 per image."""
    images = glyphs(n=1000, size=12, seed=seed, n_test=1000)
    x, x_test = (2.0 * each.reshape(len(each), -1).astype(float) - 1 for each in (images.x_train, images.x_test))
    return replace(images, x_train=x, x_test=x_test)


@lru_cache(maxsize=64)
def noisy_labels(seed: int) -> Dataset:
    """300 digits to learn from, 30 of them with a label drawn at random, and 540 clean ones."""
    clean, noise = splits(seed), np.random.default_rng(seed)
    labels = clean.y_train[:300].copy()
    labels[noise.choice(300, 30, replace=False)] = noise.integers(0, 10, 30)
    return replace(clean, x_train=clean.x_train[:300], y_train=labels)


@lru_cache(maxsize=64)
def moons_of(seed: int) -> Dataset:
    """Two moons of 100 points, drawn by the seed."""
    return moons(100, seed=seed)


def few_digits(seed: int, n: int, moved: float) -> Dataset:
    """`n` digits to learn from, all of them moved to the right by a part of a pixel."""
    known = splits(seed)
    x, x_test = (
        (1 - moved) * each + moved * np.roll(each.reshape(-1, 8, 8), 1, axis=2).reshape(each.shape)
        for each in (known.x_train, known.x_test)
    )
    return replace(known, x_train=x[:n], y_train=known.y_train[:n], x_test=x_test)


def double(sizes: Sequence[int]) -> MLP:
    """A network of tanh units in float64: a sharpness of small losses needs the digits."""
    return MLP(sizes, "tanh").double()


SIZES_OF_BODY = (64, 32, 32, 10)
HEAD = "4."  # its parameters' names begin so
Bodies = Mapping[int, Mapping[str, torch.Tensor]]


@lru_cache(maxsize=2)
def pretrained(seeds: tuple[int, ...]) -> Bodies:
    """The weights of a network per seed that has learned the digits of its split."""
    done = sweep(partial(MLP, SIZES_OF_BODY), splits, settings=grid(lr=[0.01], seed=seeds), steps=200,
                 optimizer="adam", batch_size=50, keep_weights=True, progress=False, jobs=1)  # fmt: skip
    return {seed: {name: each[i] for name, each in done.weights[200].items()} for i, seed in enumerate(seeds)}


def with_body(bodies: Bodies, new_head: bool = False, seed: int | None = None) -> MLP:
    """A network with trained weights: those of `seed`, or of the seed from which PyTorch's random numbers started."""
    model = MLP(SIZES_OF_BODY)
    known = bodies[torch.initial_seed() if seed is None else seed]
    kept = {name: each for name, each in known.items() if not (new_head and name.startswith(HEAD))}
    model.load_state_dict({**model.state_dict(), **kept})
    return model


@dataclass(frozen=True, kw_only=True)
class TwoRates(Rule):
    """A rule whose rate is the head's; `body`: what the body's rate is, measured in it."""

    rule: Rule
    body: float

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "momentum", self.rule.momentum)

    def init(self, params: dict[str, torch.Tensor]) -> Any:
        return [self.rule.init(part) for part in self.parts(params)]

    def update(self, grads: Any, state: Any, params: Any, lr: Any, momentum: Any, weight_decay: Any) -> Any:
        new: dict[str, torch.Tensor] = {}
        states = []
        for g, s, part, factor in zip(self.parts(grads), state, self.parts(params), (self.body, 1.0)):
            moved, s = self.rule.update(g, s, part, factor * lr, momentum, weight_decay)
            new |= moved
            states.append(s)
        return {name: new[name] for name in params}, states

    @staticmethod
    def parts(params: Mapping[str, torch.Tensor]) -> list[dict[str, torch.Tensor]]:
        return [{name: x for name, x in params.items() if name.startswith(HEAD) is head} for head in (False, True)]


def schedule_refuses() -> bool:
    """Whether `ScheduleLR` refuses one schedule for two groups with different rates."""
    body, head = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    groups = [{"params": body.parameters(), "lr": 1e-5}, {"params": head.parameters(), "lr": 1e-3}]
    try:
        ScheduleLR(torch.optim.SGD(groups), Cosine(1e-3, 0.0, 10))
    except ValueError:
        return True
    return False


def bracket(model: MLP, data: Dataset, seed: int) -> tuple[float, float]:
    """The rates of the steepest fall and of the minimum of a range test; the start of the test where it finds none."""
    start = 1e-5
    x, y = torch.tensor(data.x_train, dtype=torch.float32), torch.tensor(data.y_train)
    order = np.random.default_rng(seed)
    batches = [(x[i], y[i]) for _ in range(100 // 5) for i in torch.tensor(order.permutation(len(y))).split(10)]
    test = range_test(model, torch.optim.AdamW(model.parameters()), torch.nn.functional.cross_entropy, batches,
                      start=start, end=1.0, steps=100, smooth=0.9)  # fmt: skip
    return test.suggest("steepest") or start, test.suggest("minimum") or start


# How they are asked, and how they answer.


def scores(task: Task, made: Sequence[Any], seeds: Sequence[int]) -> Array:
    """What each of `made` scores on each seed: shape `(seeds, made)`."""
    found = task.scores([(each, seed) for seed in seeds for each in made], jobs=1)
    return np.reshape([score for _, score in sorted(found)], (len(seeds), len(made)))


def with_rate(options: Mapping[str, Any], lr: float) -> Results:
    """What an arm makes: a rate and the options of the arm."""
    return {**options, "lr": lr}


def asked(name: str, study: Study) -> Results:
    """The results of a study, which is run."""
    return study.run(progress=False, jobs=1).named(f"{name}: ")


def interval(found: Interval) -> list[float]:
    """The mean and both ends."""
    return [found.mean, found.low, found.high]


def spread(values: Sequence[float]) -> list[float]:
    """The mean, the lowest and the highest."""
    return [float(np.mean(values)), float(np.min(values)), float(np.max(values))]


def counted(happened: Any) -> list[int]:
    """How many of how many."""
    return [int(np.sum(happened)), int(np.size(happened))]


def proportion(happened: Any) -> list[float]:
    """A share and Wilson's interval."""
    return interval(share(int(np.sum(happened)), int(np.size(happened))))
