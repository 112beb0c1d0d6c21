"""A small language model: which schedule, Muon or AdamW, and the curves by which a schedule's loss can be predicted.

The model is a GPT, the text is `lrcourse.data.language`, whose lowest possible loss is known, or English. No text comes
twice. AdamW has betas of 0.9 and 0.95, gradients are clipped to a length of 1, the weight decay of 0.1 spares norms. A
seed draws the texts, the first weights and their order.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ...data import Dataset, Language, text
from ...data.text import ALPHABET
from ...schedules import WSD, Constant, Cosine, Linear, Schedule, warmup
from ...space import octaves
from ...study import Arm, Study, Task
from ...sweep import sweep
from ...torch import GPT
from ...torch.rules import AdamW, Muon, Rule, Tensors

Array = NDArray[np.float64]
Results = dict[str, Any]

LANGUAGE = Language(vocabulary=32, topics=2, classes=2)
CONTEXT, BATCH, DECAY = 32, 8, 0.1
WINDOW = 10  # updates whose mean loss is a point of a curve
PEAK = 2**-6  # of the curves: what the schedules chose
SPREAD = (2, 6, 0, 7, 4, 1, 8, 3, 5)  # of nine rates for the matrices, which of nine for all else
MARGIN = 0.02  # nats; less is not worth another schedule or a second optimizer
ADAMW = AdamW(beta2=0.95)  # no rule is built while a step is compiled
SHARED: Results = {"clip": 1.0, "batch_size": BATCH}


@dataclass(frozen=True)
class Size:
    """The seeds that choose, that report and that give curves; widths with their lengths in updates."""

    select: range
    report: range
    curves: range
    models: tuple[tuple[int, int], ...]
    engine: str = "vmap-compiled"


SIZES = {
    "live": Size(range(5), range(100, 105), range(2), ((8, 40),), "vmap"),
    "small": Size(range(5), range(100, 125), range(200, 212), ((32, 200),)),
    "full": Size(range(5), range(100, 125), range(200, 212), tuple(product((32, 128, 512), (200, 800, 3200)))),
}


def plan(size: str) -> list[tuple[str, int]]:
    """Each question once for each width and length: its seeds are in its results."""
    return [(named(question, *model), 0) for model in SIZES[size].models for question in QUESTIONS]


def named(question: str, width: int, steps: int) -> str:
    """The name of a run.

    >>> named("schedules", 32, 200)
    'schedules, width 32, 200 updates'
    """
    return f"{question}, width {width}, {steps} updates"


def run(name: str, seed: int, size: str, device: str) -> Results:
    """What a question found: of a study each verdict in words, and all of it as JSON."""
    width, steps = next(each for each in SIZES[size].models if name.endswith(named("", *each)))
    return QUESTIONS[name.removesuffix(named("", width, steps))](SIZES[size], width, steps, device)


def after(rest: Callable[[int], Schedule], steps: int) -> Schedule:
    """`rest`, made for the steps that are left, after a warm-up of a tenth whose first update is not wasted."""
    warm = steps // 10
    plan = rest(steps - warm)
    return warmup(plan, warm, start=plan(0) / warm)


def wsd(peak: float, steps: int) -> Schedule:
    warm, fall = steps // 10, steps // 5
    return WSD(peak, warm, steps - warm - fall, fall, shape="1-sqrt", start=peak / warm)


SCHEDULES: dict[str, Callable[[float, int], Schedule]] = {
    "line": lambda peak, steps: after(lambda left: Linear(peak, 0.0, left), steps),
    "cosine": lambda peak, steps: after(lambda left: Cosine(peak, 0.0, left), steps),
    "cosine to a tenth": lambda peak, steps: after(lambda left: Cosine(peak, peak / 10, left), steps),
    "WSD": wsd,
    "constant": lambda peak, steps: after(lambda left: Constant(peak), steps),
}


@dataclass(frozen=True, kw_only=True)
class Inside(Rule):
    """One rule for the matrices inside the blocks of a GPT, AdamW for all else, and no weight decay for vectors.

    `ratio`: the rate of all else, measured in the rate of the matrices.
    """

    inside: Rule = field(default_factory=lambda: ADAMW)
    ratio: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "momentum", self.inside.momentum)

    @staticmethod
    def parts(tensors: Tensors, like: Tensors) -> list[Tensors]:
        """The matrices of blocks, other matrices, vectors; sorted by the shapes of `like`."""
        kinds = {name: 2 if x.dim() < 2 else 0 if name.startswith("blocks.") else 1 for name, x in like.items()}
        return [{name: tensors[name] for name, kind in kinds.items() if kind == i} for i in range(3)]

    def rules(self) -> list[tuple[Rule, float, float]]:
        """Of each part the rule, and by what its rate and its weight decay are multiplied."""
        return [(self.inside, 1.0, 1.0), (ADAMW, self.ratio, 1.0), (ADAMW, self.ratio, 0.0)]

    def init(self, params: Tensors) -> Any:
        return [rule.init(part) for (rule, _, _), part in zip(self.rules(), self.parts(params, params))]

    def update(
        self, grads: Tensors, state: Any, params: Tensors, lr: Any, momentum: Any, weight_decay: Any
    ) -> tuple[Tensors, Any]:
        new: Tensors = {}
        states = []
        of_parts = zip(self.rules(), self.parts(grads, params), state, self.parts(params, params))
        for i, ((rule, ratio, decays), g, s, x) in enumerate(of_parts):
            beta = momentum if i == 0 else torch.as_tensor(0.9, dtype=torch.float64)
            moved, after_it = rule.update(g, s, x, ratio * lr, beta, decays * weight_decay)
            new |= moved
            states.append(after_it)
        return {name: new[name] for name in params}, states


def schedules(size: Size, width: int, steps: int, device: str, english: bool = False) -> Results:
    """Which schedule ends lowest, each with its own best peak among five, an octave apart?"""
    data = partial(some_english, steps) if english else partial(some_language, steps)
    tokens = len(ALPHABET) if english else LANGUAGE.vocabulary
    options = {**SHARED, "optimizer": Inside(), "engine": size.engine}
    task = Task(partial(gpt, tokens, width, device), data, steps, options=options)
    arms = {name: partial(scheduled, SCHEDULES[name], steps) for name in SCHEDULES if name != "constant"}
    pairs = [("cosine", "line"), ("cosine to a tenth", "line"), ("WSD", "line"), ("cosine to a tenth", "cosine")]
    study = Study(task, arms, rates=octaves(2**-8, 2**-4), margin=MARGIN, select=size.select, report=size.report,
                  compare=pairs)  # fmt: skip
    return study.run(progress=False, jobs=1).named()


def scheduled(make: Callable[[float, int], Schedule], steps: int, lr: float) -> Results:
    return {"schedule": make(lr, steps), "weight_decay": DECAY}


def muon(size: Size, width: int, steps: int, device: str) -> Results:
    """Is Muon worth a second optimizer? Both arms have a rate for the matrices inside and one for all else.

    They try nine pairs of rates, spread so that each of the two takes nine values.
    """
    options = {**SHARED, "engine": "vmap"}  # each ratio of the rates would be a program of its own
    task = Task(partial(gpt, LANGUAGE.vocabulary, width, device), partial(some_language, steps), steps, options=options)
    rules: dict[str, tuple[Rule, float]] = {"Muon": (Muon(), 2**-6), "AdamW": (ADAMW, 2**-8)}
    arms = {
        name: Arm(partial(two_rates, rule, steps),
                  [{"lr": low * 2 ** (i / 2), "others_lr": 2 ** (0.75 * j - 9)} for i, j in enumerate(SPREAD)])
        for name, (rule, low) in rules.items()
    }  # fmt: skip
    study = Study(task, arms, margin=MARGIN, select=size.select, report=size.report)
    return study.run(progress=False, jobs=1).named()


def two_rates(rule: Rule, steps: int, lr: float, others_lr: float) -> Results:
    return scheduled(SCHEDULES["line"], steps, lr) | {"optimizer": Inside(inside=rule, ratio=others_lr / lr)}


def curves(size: Size, width: int, steps: int, device: str) -> Results:
    """Of each schedule, and of a line of twice the length, the excess: loss minus that of the best possible model.

    Both are taken on the same words. Batches are new to the model, so their loss is that of a test. `NAME: curves` has
    one seed after the other, each as means over ten updates; `NAME: ends` is the excess on the test texts at the end.
    All have the same peak.
    """
    found: Results = {}
    for name, updates in [*((each, steps) for each in SCHEDULES), ("line, twice as long", 2 * steps)]:
        made = scheduled(SCHEDULES[name.partition(",")[0]], updates, PEAK)
        data = partial(some_language, updates)
        settings = [made | {"seed": seed} for seed in size.curves]
        trained = sweep(
            partial(gpt, LANGUAGE.vocabulary, width, device), data, settings=settings, steps=updates,
            optimizer=Inside(), engine=size.engine, jobs=1, progress=False, **SHARED,
        )  # fmt: skip
        excess = trained.curves - [floors_of_batches(data(seed), seed) for seed in size.curves]
        floors = np.array([lowest(data(seed).x_test, data(seed).y_test).mean() for seed in size.curves])
        found[f"{name}: curves"] = excess.reshape(-1, WINDOW).mean(1).round(5).tolist()
        found[f"{name}: ends"] = (trained.test_loss - floors).tolist()
    return found


QUESTIONS: dict[str, Callable[[Size, int, int, str], Results]] = {
    "schedules": schedules,
    "curves": curves,
    "schedules on English": partial(schedules, english=True),
    "Muon": muon,
}


def floors_of_batches(data: Dataset, seed: int) -> Array:
    """What the best possible model loses on each batch, in the order in which a sweep takes them."""
    order = np.random.default_rng(seed).permutation(len(data.x_train))
    means: Array = lowest(data.x_train, data.y_train)[order].reshape(-1, BATCH).mean(1)
    return means


def lowest(words: NDArray[Any], following: NDArray[Any]) -> Array:
    """The mean loss of each text under the probabilities from which it was drawn, shape `(texts,)`."""
    state = np.zeros(len(words), dtype=np.int64)
    losses = np.empty(words.shape)
    for place in range(words.shape[1]):
        state = LANGUAGE.following[state, words[:, place]]
        losses[:, place] = -np.log(LANGUAGE.probabilities[state, following[:, place]])
    means: Array = losses.mean(1)
    return means


@cache
def some_language(steps: int, seed: int) -> Dataset:
    """As many texts as the batches need, and 200 for the test."""
    (x, y), (x_test, y_test) = (
        LANGUAGE.sample(n, CONTEXT, seed=each) for n, each in ((BATCH * steps, 2 * seed), (200, 2 * seed + 1))
    )
    return Dataset("language", "generated", x, y, x_test, y_test)


@cache
def some_english(steps: int, seed: int) -> Dataset:
    """Windows that a seed draws, none of them twice while there are enough; the test is the same for all."""
    data, rng = text(CONTEXT), np.random.default_rng([seed, 1])
    n = BATCH * steps
    drawn = np.concatenate([rng.permutation(len(data.x_train)) for _ in range(-(-n // len(data.x_train)))])[:n]
    few = slice(None, None, 7)
    return Dataset(
        data.name, data.license, data.x_train[drawn], data.y_train[drawn], data.x_test[few], data.y_test[few]
    )


def gpt(tokens: int, width: int, device: str) -> nn.Module:
    return GPT(tokens, context=CONTEXT, width=width).to(device)
