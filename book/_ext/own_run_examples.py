"""Logs to try where a reader has none at hand: one healthy run, and three that are wrong in ways that are often met."""

import csv
import io
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from lrcourse import Cosine, Schedule, warmup

STEPS, EPOCH = 600, 60
MEANT = warmup(Cosine(0.1, 0.0, STEPS - 60), 60, start=0.002)
SPEC = f"warmup(Cosine(0.1, 0, {STEPS - 60}), 60, start=0.002)"
T = np.arange(STEPS)


def example(name: str, rates: Iterable[float], losses: Iterable[float], spec: str = SPEC) -> dict[str, Any]:
    text = io.StringIO()
    rows = [(t, f"{rate:.6g}", f"{loss:.4g}") for t, (rate, loss) in enumerate(zip(rates, losses))]
    csv.writer(text, lineterminator="\n").writerows([("step", "lr", "loss"), *rows])
    return {"name": name, "text": text.getvalue(), "schedule": spec, "steps": STEPS if spec else None}


def falling(rates: np.ndarray[Any, Any], seed: int) -> Any:
    """A loss that falls with the sum of the rates, and trembles with the rate."""
    noise = np.random.default_rng(seed).normal(size=len(rates))
    return 0.3 + 2 * np.exp(-np.cumsum(rates) / 6) + (0.02 + 0.6 * rates) * np.abs(noise)


def run(schedule: Schedule, places: np.ndarray[Any, Any], seed: int) -> tuple[Any, Any]:
    rates = schedule(places)
    return rates, falling(rates, seed)


def diverging() -> tuple[Any, Any]:
    rates = np.full(200, 0.8)
    return rates, 0.5 + 1.5 / (1 + np.arange(200) / 5) + 0.001 * np.exp(np.arange(200) / 20)


EXAMPLES: tuple[Callable[[], dict[str, Any]], ...] = (
    lambda: example("a healthy run", *run(MEANT, T, 0)),
    lambda: example("stepped per epoch", *run(MEANT, T // EPOCH, 1)),
    lambda: example("resumed without its scheduler", *run(MEANT, np.where(T < 300, T, T - 300), 2)),
    lambda: example("a loss that grows", *diverging(), spec=""),
)
