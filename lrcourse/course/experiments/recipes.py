"""The recipes of the page of answers against what the decision guide said before: each as it stands, on its own seeds.

The guide took a rate between the steepest fall and the minimum of a range test, for every parameter the same, and a
cosine after a short warm-up. For what is trained already it then said: a hundredth of the rate from scratch. A run is
a recipe. Its seeds draw data or labels, the first weights and the order of the batches; 0 to 9 were used to write it.
"""

import contextlib
import copy
import importlib.util
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

import torch

from ...intervals import mean_interval
from ...range_test import RangeTest
from ...records import PACKAGE
from ...schedules import Cosine, Schedule, warmup
from ...study import compare_scores
from ...torch import range_test

Results = dict[str, Any]
FOLDER = PACKAGE.parent / "book" / "recipes"
SCRIPTS = [
    FOLDER / f"{name}.py" for name in ("images_fine_tuned", "images_from_scratch", "language_model", "table")
]  # fmt: skip
ADAM = 1e-3  # what PyTorch takes where a range test says nothing


@dataclass(frozen=True)
class Size:
    """`seeds`: at most. `shorter`: by which factor runs are shortened."""

    seeds: int
    shorter: int = 1

    def report(self, wanted: int) -> range:
        return range(100, 100 + min(wanted, self.seeds))


SIZES = {"live": Size(5, shorter=20), "small": Size(200)}


def plan(size: str) -> list[tuple[str, int]]:
    """One run a recipe."""
    return [(name, 0) for name in RECIPES]


def run(name: str, seed: int, size: str, device: str) -> Results:
    """What came out of a recipe, and of the old advice."""
    with contextlib.redirect_stdout(None):
        return RECIPES[name](SIZES[size])


@cache
def script(name: str) -> ModuleType:
    """A recipe as a module, from the file that readers copy."""
    spec = importlib.util.spec_from_file_location(f"recipe_{name}", FOLDER / f"{name}.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError(f"there is no recipe {name} in {FOLDER}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def old_rate(test: RangeTest) -> float:
    """Between the steepest fall and the minimum."""
    steepest, minimum = test.suggest("steepest"), test.suggest("minimum")
    return ADAM if steepest is None or minimum is None else math.sqrt(steepest * minimum)


def old_schedule(lr: float, steps: int) -> Schedule:
    warm = steps // 20
    return warmup(Cosine(lr, 0.0, steps - warm), warm)


def images_fine_tuned(size: Size) -> Results:
    """Three pre-trained networks, four draws of the labels for each. Margin: one picture of a hundred."""
    recipe, steps = script("images_fine_tuned"), 120 // size.shorter
    pretrained = cache(lambda seed: recipe.pretrained(seed, 800 // size.shorter))
    scores: dict[str, list[float]] = {"recipe": [], "old guide": [], "a hundredth": [], "one rate": []}
    rates: dict[str, list[float]] = {"recipe": [], "old guide": []}
    for seed in size.report(12):
        x, y, x_test, y_test = recipe.tensors(seed)
        model = pretrained(100 + seed % 3)
        rates["recipe"].append(recipe.searched(model, x, y, steps, seed))
        tuned = {"recipe": recipe.tuned(model, x, y, rates["recipe"][-1], steps, seed)}
        tuned["one rate"] = recipe.tuned(model, x, y, recipe.FROM_SCRATCH, steps, seed)

        body, head = recipe.FROM_SCRATCH / 100, recipe.FROM_SCRATCH / 10
        low = recipe.with_new_head(copy.deepcopy(model), seed)
        recipe.fit(low, recipe.optimizer_of(low, body, head), recipe.schedule_of(head, steps), x, y, steps, seed)
        tuned["a hundredth"] = low

        old = recipe.with_new_head(copy.deepcopy(model), seed)
        batches = [(x[chosen], y[chosen]) for chosen in torch.randperm(len(x)).split(recipe.BATCH)]
        test = range_test(old, torch.optim.AdamW(old.parameters()), cross_entropy, batches, start=1e-5, end=1.0)
        rates["old guide"].append(old_rate(test))
        optimizer = torch.optim.AdamW(old.parameters(), lr=rates["old guide"][-1])
        recipe.fit(old, optimizer, old_schedule(rates["old guide"][-1], steps), x, y, steps, seed)
        tuned["old guide"] = old
        for name, each in tuned.items():
            scores[name].append(recipe.tested(each, x_test, y_test)[1])
    pairs = [("recipe", "old guide"), ("recipe", "a hundredth"), ("recipe", "one rate")]
    return compared(scores, 0.01, "test accuracy", "higher", pairs) | told(rates)


def images_from_scratch(size: Size) -> Results:
    """Margin: one picture of two hundred."""
    recipe = script("images_from_scratch")
    scores, rates = raced(recipe, size.report(26), 200 // size.shorter, cross_entropy, 100, recipe.accuracy)
    return compared(scores, 0.005, "test accuracy", "higher") | told(rates)


def table(size: Size) -> Results:
    """Margin: a third of a percent of the loss, which nobody would change a recipe for."""
    recipe, loss = script("table"), torch.nn.functional.mse_loss
    scores, rates = raced(recipe, size.report(30), 600 // size.shorter, loss, 200, recipe.test_loss)
    return compared(scores, 0.002, "test loss", "lower") | told(rates)


def raced(
    recipe: ModuleType, seeds: range, steps: int, loss: Any, tested: int, score: Callable[..., float]
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """The scores and the rates of a recipe and of the old guide, whose range tests have `tested` updates."""
    scores: dict[str, list[float]] = {"recipe": [], "old guide": []}
    rates: dict[str, list[float]] = {"recipe": [], "old guide": []}
    for seed in seeds:
        x, y, x_test, y_test = recipe.tensors(seed)
        for name, lr, optimizer, schedule, model in both(recipe, x, y, seed, steps, loss, tested):
            recipe.fit(model, optimizer, schedule, recipe.batches(x, y, seed), steps)
            scores[name].append(score(model, x_test, y_test))
            rates[name].append(lr)
    return scores, rates


def both(recipe: ModuleType, x: Any, y: Any, seed: int, steps: int, loss: Any, tested: int) -> Any:
    """For the recipe and for the old guide: the name, the rate, the optimizer, the schedule and a new network."""
    new, old = recipe.network(seed), recipe.network(seed)
    source = recipe.batches(x, y, seed + 1)
    lr = recipe.tested_rate(new, recipe.optimizer_of(new), source)
    yield "recipe", lr, recipe.optimizer_of(new), recipe.schedule_of(lr, steps), new
    source = recipe.batches(x, y, seed + 1)
    test = range_test(old, torch.optim.AdamW(old.parameters()), loss, source, start=1e-5, end=1.0, steps=tested)
    lr = old_rate(test)
    yield "old guide", lr, torch.optim.AdamW(old.parameters(), lr=lr), old_schedule(lr, steps), old


def language_model(size: Size) -> Results:
    """The old guide did not clip, and left Adam's memory at 1000 updates. Margin: 0.02 on a test loss of 2.6."""
    recipe, steps = script("language_model"), 300 // size.shorter
    scores: dict[str, list[float]] = {"recipe": [], "old guide": []}
    rates: dict[str, list[float]] = {"recipe": [], "old guide": []}
    for seed in size.report(12):
        x, y, x_test, y_test = recipe.tensors("scikit-learn", seed)
        _, lr, loss = recipe.from_scratch(seed, steps)
        torch.manual_seed(seed)
        old = recipe.GPT(len(recipe.ALPHABET))
        optimizer = torch.optim.AdamW(old.parameters())
        source = recipe.batches(x, y, seed + 1)
        lr_old = old_rate(range_test(old, optimizer, recipe.loss_of, source, start=1e-5, end=1.0))
        optimizer = torch.optim.AdamW(old.parameters(), lr=lr_old)
        schedule, source = old_schedule(lr_old, steps), recipe.batches(x, y, seed)
        recipe.fit(old, optimizer, schedule, source, steps, clip=math.inf)
        for name, score, rate in (("recipe", loss, lr), ("old guide", recipe.test_loss(old, x_test, y_test), lr_old)):
            scores[name].append(score)
            rates[name].append(rate)
    return compared(scores, 0.02, "test loss", "lower") | told(rates)


def lora(size: Size) -> Results:
    """LoRA at its rate, at a hundredth of the rate from scratch, and at the rate that suits all weights.

    Three models, four draws of the windows for each. Margin: 0.01; what there is to gain is a few times that.
    """
    recipe, steps = script("language_model"), 100 // size.shorter
    made = cache(lambda seed: recipe.from_scratch(seed, 600 // size.shorter)[0])
    rates = {"recipe": recipe.LORA, "a hundredth": recipe.UNTESTED / 100, "rate of all weights": recipe.ALL_WEIGHTS}
    scores: dict[str, list[float]] = {name: [] for name in rates}
    for seed in size.report(12):
        data = recipe.tensors("scipy", seed, n=1000)
        for name, lr in rates.items():
            scores[name].append(recipe.lora(copy.deepcopy(made(100 + seed % 3)), data, seed, steps, lr))
    pairs = [("recipe", "a hundredth"), ("recipe", "rate of all weights")]
    return compared(scores, 0.01, "test loss", "lower", pairs)


def compared(
    scores: dict[str, list[float]], margin: float, metric: str, better: str, pairs: list[tuple[str, str]] | None = None
) -> Results:
    return compare_scores(scores, margin=margin, metric=metric, better=better, compare=pairs).named()


def told(rates: dict[str, list[float]]) -> Results:
    """The rates that were taken: all of them, and their geometric mean."""
    found: Results = {f"rates, {name}": each for name, each in rates.items()}
    for name, each in rates.items():
        middle = mean_interval([math.log(rate) for rate in each]).mean
        found[f"rate, {name}"] = f"{math.exp(middle):.2g}"
    return found


cross_entropy = torch.nn.functional.cross_entropy
RECIPES: dict[str, Callable[[Size], Results]] = {
    "images_fine_tuned": images_fine_tuned, "images_from_scratch": images_from_scratch, "table": table,
    "language_model": language_model, "lora": lora,
}  # fmt: skip
