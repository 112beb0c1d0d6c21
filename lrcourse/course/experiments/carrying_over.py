"""With which power of the batch, the length, the width and the depth does the best rate change?

A run is a question, its seeds its own: one thing becomes larger, all else stays, and each size is trained at rates an
octave apart, with warm-up and a line to zero. Score: the logarithm of the test loss, which counts no more than that of
a guess. The best rate is the lowest point of the parabola through the best mean score and its two neighbors; the
exponent is the slope of its logarithm over that of the size. Its interval: the deviation of exponents from seeds drawn
anew, times Student's quantile and $\\sqrt{n / (n - 1)}$, as so few seeds differ less among themselves than they should.

What a run keeps: the sizes, the `fitted` first ones, the lowest rates as powers of two, the scores of each size, seed
and rate, the best rates as powers of two, the exponent with its interval, and at how many sizes the best of the rates
is the lowest or the highest.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import t as student

from ...data import Dataset, glyphs, language
from ...schedules import Linear, Schedule, warmup
from ...sweep import grid, sweep
from ...torch import GPT, MLP
from ...torch.rules import Adam, Rule

Array = NDArray[np.float64]
Losses = Callable[[int, list[float]], Array]

DRAWS, PIXELS, CLASSES, WORDS = 2000, 144, 10, 64
BATCH, RATES = 32, 7


@dataclass(frozen=True)
class Size:
    """`shorter`: by which factor runs are shortened. `base`: the narrowest GPT, where muP changes nothing."""

    mlp_seeds: int
    gpt_seeds: int
    sizes: int  # of each question, at most
    shorter: int = 1
    base: int = 8
    widths: tuple[int, ...] = (8, 24, 64)
    depths: tuple[int, ...] = (1, 2, 4)
    steps: int = 120
    context: int = 16
    texts: int = 16  # in a batch


SIZES = {
    "live": Size(2, 2, sizes=2, shorter=10),
    "small": Size(5, 4, sizes=4),
    "full": Size(20, 10, sizes=9, base=64, widths=(64, 128, 256, 512, 1024), depths=(2, 4, 8, 16), steps=2000,
                 context=64, texts=64),
}  # fmt: skip


@dataclass(frozen=True)
class Question:
    """`lowest`: of the rates of each size, as a power of two. `beyond`: how many of the last sizes are not fitted."""

    sizes: Sequence[int]
    lowest: Sequence[int]
    losses: Losses
    guess: float
    seeds: int
    beyond: int = 0


def plan(size: str) -> list[tuple[str, int]]:
    """Each question once."""
    return [(name, 0) for name in questions(SIZES[size], "cpu")]


def run(name: str, seed: int, size: str, device: str) -> dict[str, Any]:
    """What a question gave: see above."""
    asked = questions(SIZES[size], device)[name]
    sizes = list(asked.sizes[: SIZES[size].sizes])
    fitted = min(len(sizes), len(asked.sizes) - asked.beyond)
    lowest = list(asked.lowest[: len(sizes)])
    found = [asked.losses(each, [2.0 ** (low + i) for i in range(RATES)]) for each, low in zip(sizes, lowest)]
    scores = np.log(np.minimum(np.nan_to_num(np.array(found), nan=np.inf), asked.guess))  # (sizes, seeds, rates)
    exponent, half = with_interval(sizes[:fitted], lowest[:fitted], scores[:fitted])
    places = scores.mean(1).argmin(-1)
    return {
        "sizes": sizes, "fitted": fitted, "log2 lowest": lowest, "log loss": scores.tolist(),
        "log2 best": best(lowest, scores).tolist(), "exponent": exponent, "low": exponent - half,
        "high": exponent + half, "at the edge": int(np.isin(places, [0, RATES - 1]).sum()),
    }  # fmt: skip


def best(lowest: Sequence[int], scores: Array) -> Array:
    """The best rate of each size, as a power of two."""
    found = []
    for low, mean in zip(lowest, scores.mean(1)):
        i = int(np.clip(mean.argmin(), 1, len(mean) - 2))
        before, here, after = mean[i - 1 : i + 2]
        bend = before - 2 * here + after
        found.append(low + i + (float(np.clip((before - after) / (2 * bend), -1, 1)) if bend > 0 else 0.0))
    return np.array(found)


def slope(sizes: Sequence[int], lowest: Sequence[int], scores: Array) -> float:
    return float(np.polyfit(np.log2(sizes), best(lowest, scores), 1)[0])


def with_interval(sizes: Sequence[int], lowest: Sequence[int], scores: Array) -> tuple[float, float]:
    """The exponent, and half of the width of its 95 % interval."""
    n, rng = scores.shape[1], np.random.default_rng(0)
    drawn = [slope(sizes, lowest, scores[:, rng.integers(n, size=n)]) for _ in range(DRAWS)]
    half = student.ppf(0.975, n - 1) * np.std(drawn) * math.sqrt(n / (n - 1))
    return slope(sizes, lowest, scores), float(half)


def questions(size: Size, device: str) -> dict[str, Question]:
    """By the names of the runs: what grows, with which optimizer, in which network."""
    steps, seeds = 250 // size.shorter, size.mlp_seeds
    images, batches, lengths = 8_000 // size.shorter, (8, 32, 128, 512), (125, 250, 500)
    pictures = partial(Question, guess=math.log(CLASSES), seeds=seeds)
    texts = partial(Question, guess=math.log(WORDS), seeds=size.gpt_seeds)

    def of_batch(optimizer: str) -> Losses:
        return lambda batch, rates: mlp(32, images // batch, batch, rates, optimizer, seeds, device)

    def of_length(optimizer: str) -> Losses:
        return lambda length, rates: mlp(32, length // size.shorter, BATCH, rates, optimizer, seeds, device)

    def of_width(width: int, rates: list[float]) -> Array:
        return mlp(width, steps, BATCH, rates, "adam", seeds, device)

    def of_gpt(what: str, mup: bool = False) -> Losses:
        return lambda value, rates: gpt(size, rates, device, mup=mup, **{what: value})

    return {
        "batch, SGD, MLP": pictures(batches, (-8, -6, -4, -3), of_batch("sgd"), beyond=1),
        "batch, Adam, MLP": pictures(batches, (-10, -9, -8, -8), of_batch("adam"), beyond=1),
        "length, SGD, MLP": pictures(lengths, (-5, -6, -6), of_length("sgd")),
        "length, Adam, MLP": pictures(lengths, (-9, -9, -9), of_length("adam")),
        "width, Adam, MLP": pictures((8, 32, 128), (-9, -9, -10), of_width),
        "width, Adam, GPT": texts(size.widths, [lowest_at(each) for each in size.widths], of_gpt("width")),
        "width, muP, GPT": texts(size.widths, [lowest_at(size.base)] * len(size.widths), of_gpt("width", mup=True)),
        "depth, Adam, GPT": texts(size.depths, [lowest_at(2 * size.base)] * len(size.depths), of_gpt("depth")),
        "decay over examples, AdamW, MLP": pictures(
            (500, 1000, 2000), (-5, -5, -6),
            lambda n, decays: decayed(n, 12 // min(size.shorter, 4), decays, seeds, device),
        ),
    }  # fmt: skip


def lowest_at(width: int) -> int:
    """Of the rates of a GPT, as a power of two."""
    return -9 - int(np.floor(np.log2(width / 16) / 2))


def peaked(steps: int) -> Schedule:
    """A tenth of the run up to 1, then down to 0."""
    warm = max(1, steps // 10)
    return warmup(Linear(1.0, 0.0, steps - warm), warm)


@cache
def drawn(seed: int, n: int) -> Dataset:
    data = glyphs(n=n, size=12, seed=seed, n_test=1000)
    x, x_test = (part.reshape(len(part), -1).astype(np.float64) - 0.5 for part in (data.x_train, data.x_test))
    return Dataset("glyphs", data.license, x, data.y_train, x_test, data.y_test)


def network(width: int, device: str) -> MLP:
    return MLP([PIXELS, width, width, CLASSES]).double().to(device)


def mlp(width: int, steps: int, batch: int, rates: list[float], optimizer: str, seeds: int, device: str) -> Array:
    """Test losses, `(seeds, rates)`: each picture comes once. SGD has a momentum of 0.9."""
    found = sweep(
        partial(network, width, device), lambda seed: drawn(seed, steps * batch), steps=steps, batch_size=batch,
        settings=grid(seed=range(seeds), lr=rates, momentum=[0.9], schedule=[peaked(steps)]), optimizer=optimizer,
        engine="stacked", jobs=1, progress=False,
    )  # fmt: skip
    return found.test_loss.reshape(seeds, -1)


def decayed(n: int, epochs: int, decays: list[float], seeds: int, device: str) -> Array:
    """Test losses, `(seeds, decays)`, of AdamW at one rate, with so many epochs of `n` pictures."""
    steps = epochs * -(-n // BATCH)
    found = sweep(
        partial(network, 32, device), lambda seed: drawn(seed, n), steps=steps, batch_size=BATCH, optimizer="adamw",
        settings=grid(seed=range(seeds), weight_decay=decays, lr=[2.0**-7], schedule=[peaked(steps)]),
        engine="stacked", jobs=1, progress=False,
    )  # fmt: skip
    return found.test_loss.reshape(seeds, -1)


@cache
def spoken(seed: int, n: int, context: int) -> Dataset:
    return language(n=n, context=context, seed=seed, n_test=300)


def gpt(
    size: Size, rates: list[float], device: str, *, width: int | None = None, depth: int = 1, mup: bool = False
) -> Array:  # fmt: skip
    """Test losses, `(seeds, rates)`, of a GPT of two heads that reads each text once."""
    steps, width = size.steps // size.shorter, width or 2 * size.base
    rule: Rule = Slower(beta2=0.95, times=width / size.base) if mup else Adam(beta2=0.95)
    found = sweep(
        lambda: GPT(WORDS, size.context, width, layers=depth, base_width=size.base if mup else None).to(device),
        lambda seed: spoken(seed, steps * size.texts, size.context), steps=steps, batch_size=size.texts,
        settings=grid(seed=range(size.gpt_seeds), lr=rates, schedule=[peaked(steps)]), optimizer=rule, engine="vmap",
        jobs=1, progress=False,
    )  # fmt: skip
    return found.test_loss.reshape(size.gpt_seeds, -1)


@dataclass(frozen=True, kw_only=True)
class Slower(Adam):
    """Adam whose rate for the matrices inside the blocks of a GPT is divided by `times`, as `GPT.groups` has it."""

    times: float

    elementwise: ClassVar[bool] = False

    def update(
        self, grads: dict[str, torch.Tensor], state: Any, params: dict[str, torch.Tensor], lr: Any, momentum: Any,
        weight_decay: Any,
    ) -> tuple[dict[str, torch.Tensor], Any]:  # fmt: skip
        new, state = super().update(grads, state, params, lr, momentum, weight_decay)
        inside = {name for name, each in params.items() if name.startswith("blocks.") and each.dim() == 2}
        return {
            name: params[name] + (each - params[name]) / self.times if name in inside else each
            for name, each in new.items()
        }, state
