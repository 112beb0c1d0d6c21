"""A rate that was right here, over there: for another batch, length, width or depth, with an interval.

The exponents are those that the experiment `carrying_over` measured; they are read from its record.
"""

import math
import warnings
from functools import cache

from . import records
from .intervals import Interval
from .validation import bad, choice, optional, positive

Pair = tuple[float, float]

ADAM, SGD, MUP = "Adam", "SGD", "muP"
OPTIMIZERS = {"adam": ADAM, "adamw": ADAM, "sgd": SGD}

ELSEWHERE = 0.25  # by how much at least an exponent from one network may be off in another


def measured_exponents() -> dict[str, Interval]:
    r"""The exponents $p$ of $\eta \propto k^p$ for a size that grows by the factor $k$, each with its 95 % interval.

    By what grows, the optimizer and the network, as in `"batch, SGD, MLP"`; the last one is of AdamW's decay instead of
    the rate. They come from small networks and short runs, a few seeds each: see `carry_rate` for what that means.

    >>> list(measured_exponents())[:2]
    ['batch, SGD, MLP', 'batch, Adam, MLP']
    """
    return {name: exponent for name, (exponent, _) in _measured().items()}


def carry_rate(
    lr: float,
    optimizer: str = "adamw",
    *,
    batch: Pair | None = None,
    length: Pair | None = None,
    width: Pair | None = None,
    depth: Pair | None = None,
    mup: bool = False,
    noise_scale: float | None = None,
) -> Interval:
    r"""The rate to begin with where the sizes are others: `lr` times $k^p$ for each size that grows by the factor $k$.

    `lr`: the best rate at the old sizes, or the peak of a schedule with warm-up and decay. `optimizer`: `"adamw"`,
    `"adam"` or `"sgd"` (with momentum; without it, less than linear in the batch). Each size is a pair, the old one
    and the new one. `batch`: examples per update. `length`: examples or tokens in the whole run, *not* updates; a
    larger batch leaves it as it is. `width`: units or channels. `depth`: blocks of a residual network. `mup`: whether
    widths follow muP. `noise_scale`: of the gradient, in examples; then a batch counts by

    $$k = \frac{1 + B_\mathrm{noise} / B_\mathrm{old}}{1 + B_\mathrm{noise} / B_\mathrm{new}},$$

    which stops growing where batches leave the noise behind; it was derived for plain descent, and is taken to Adam's
    power as well. Without it, all batches are taken as smaller than the noise scale.

    The mean is the rate, `low` and `high` the ends of an interval. Where two networks were measured, it reaches from
    the lower end of the one to the upper end of the other. Where it was one, its exponent may be off by 0.25 or more,
    about as far as two chapters of this course lie apart for SGD's batch. Errors of several sizes add as independent
    ones do. An error of the noise scale is not in the interval, and your network may lie outside: try the ends as well.

    Raises: `ValueError` for a rate or a size that is not positive, an unknown optimizer, and what was not measured.
    Warns: if a size changes by a larger factor than any that was measured.
    Source: exponents from this course; the formula with the noise scale from McCandlish et al., 2018, section 2.2.

    >>> found = carry_rate(0.01, "sgd", batch=(32, 128))
    >>> 0.02 < found.low < 0.04 < found.mean < found.high < 0.07
    True
    >>> carry_rate(0.01, "sgd", batch=(32, 128), noise_scale=40.0).mean < found.mean
    True
    """
    lr = positive("use for example 0.001, the rate that was best")("lr", lr)
    rule = OPTIMIZERS[choice(*OPTIMIZERS)("optimizer", optimizer)]
    if choice(True, False)("mup", mup) and rule == SGD:
        raise bad("mup", mup, "False with SGD, for which it was not measured", "leave it out")
    noise = optional(positive("leave it out if you do not know it, or use for example 500"))("noise_scale", noise_scale)
    center, below, above, seeds = 0.0, 0.0, 0.0, []
    for name, pair in {"batch": batch, "length": length, "width": width, "depth": depth}.items():
        if pair is None:
            continue
        old, new = _pair(name, pair, (32, 256))
        times = math.log(new / old)
        exponent, largest = _exponent(name, MUP if mup and name == "width" else rule)
        if abs(times) > math.log(largest) + 1e-9:
            warnings.warn(f"{name} changes by a factor of {math.exp(abs(times)):,.4g}, measured were {largest:.4g} and "
                          "less: the interval is too narrow", stacklevel=2)  # fmt: skip
        if name == "batch" and noise is not None:
            times = math.log((1 + noise / old) / (1 + noise / new))
        center += exponent.mean * times
        ends = sorted([(exponent.low - exponent.mean) * times, (exponent.high - exponent.mean) * times])
        below, above = math.hypot(below, ends[0]), math.hypot(above, ends[1])
        seeds.append(exponent.n)
    if not seeds:
        raise bad("batch", None, "given, or length, width or depth", "write for example batch=(32, 256)")
    mean = lr * math.exp(center)
    return Interval(mean, mean * math.exp(-below), mean * math.exp(above), n=min(seeds))


def carry_decay(weight_decay: float, *, lr: Pair, updates: Pair) -> float:
    r"""AdamW's weight decay $\lambda$ over there, which forgets as much of the past within a run as the old one.

    AdamW's weights are a moving average of its steps over the last $1 / (\eta \lambda)$ updates. Measured in runs,
    that is $1 / (\eta \lambda T)$, which stays.

    `lr`: the old and the new rate. `updates`: in the old and in the new run. (Counted in epochs instead of runs, as in
    the source, it is the same rule as long as the number of epochs stays.)

    Raises: `ValueError` for a number that is not positive.
    Source: Wang & Aitchison, "How to set AdamW's weight decay as you scale model and dataset size", 2025.

    >>> carry_decay(0.1, lr=(1e-3, 5e-4), updates=(10_000, 40_000))
    0.05
    """
    decay = positive("use for example 0.1, the decay that was right")("weight_decay", weight_decay)
    (old_lr, new_lr), (old, new) = _pair("lr", lr, (0.001, 0.0005)), _pair("updates", updates, (10_000, 40_000))
    return decay * old_lr * old / (new_lr * new)


def _pair(name: str, pair: Pair, example: Pair) -> Pair:
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise bad(name, pair, "the old and the new one", f"write for example {name}={example}")
    check = positive(f"use for example {example[0]}")
    return check(f"{name}[0]", pair[0]), check(f"{name}[1]", pair[1])


def _exponent(what: str, rule: str) -> tuple[Interval, float]:
    """The exponent over all networks that were measured, at least as unsure as `ELSEWHERE`, and the largest factor."""
    found = [each for name, each in _measured().items() if name.startswith(f"{what}, {rule}, ")]
    if not found:
        raise bad("optimizer", rule.lower(), f"'adam' or 'adamw' where the {what} changes, as no other was measured",
                  "search at the new size")  # fmt: skip
    exponents = [each for each, _ in found]
    mean = sum(each.mean for each in exponents) / len(exponents)
    low, high = min(each.low for each in exponents), max(each.high for each in exponents)
    if len(found) == 1:
        low, high = min(low, mean - ELSEWHERE), max(high, mean + ELSEWHERE)
    return Interval(mean, low, high, min(each.n for each in exponents)), max(largest for _, largest in found)


@cache
def _measured() -> dict[str, tuple[Interval, float]]:
    found = {}
    for run in records.read("carrying_over", "small").runs:
        kept = run["results"]
        sizes, seeds = kept["sizes"][: int(kept["fitted"])], len(kept["log loss"][0])
        found[run["name"]] = Interval(kept["exponent"], kept["low"], kept["high"], seeds), sizes[-1] / sizes[0]
    return found
