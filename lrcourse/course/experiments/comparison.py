"""Seven recipes for one network, and the factorial of schedule, rate and momentum that explains their order."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product

import torch

from ...data import Dataset, glyphs
from ...data.glyphs import CHARACTERS
from ...schedules import SGDR, Constant, Cosine, Exponential, Lambda, Linear, Schedule
from ...torch import VGG, train
from ...torch.fast import train_fast
from ...torch.vgg import VGG16, Stages

SEEDS = range(5)


@dataclass(frozen=True)
class Arm:
    """One way to train: `schedule` reaches `lr` at its highest."""

    lr: float
    momentum: float = 0.0
    schedule: str = "constant"
    optimizer: str = "SGD"
    nesterov: bool = False


SCHEDULES, RATES, MOMENTA = ("constant", "SGDR", "one-cycle"), (0.01, 0.1), (0.0, 0.9)


def cell(schedule: str, lr: float, momentum: float) -> str:
    """The name of a cell of the factorial."""
    return f"{schedule} {lr:g}, momentum {momentum:g}"


ARMS = {
    **{cell(s, lr, m): Arm(lr, m, s) for s, lr, m in product(SCHEDULES, RATES, MOMENTA)},
    "Nesterov, decay": Arm(0.01, 0.9, "decay", nesterov=True),
    "Nesterov, decay, small rate": Arm(0.0001, 0.9, "decay", nesterov=True),
    "RMSprop": Arm(0.001, optimizer="RMSprop"),
    "Adam": Arm(0.001, optimizer="Adam"),
}
ARTICLE = {
    "SGD": cell("constant", 0.01, 0.0),
    "Nesterov, decay": "Nesterov, decay",
    "Nesterov, decay, small rate": "Nesterov, decay, small rate",
    "RMSprop": "RMSprop",
    "Adam": "Adam",
    "SGDR": cell("SGDR", 0.01, 0.0),
    "one-cycle": cell("one-cycle", 0.1, 0.0),
}


@dataclass(frozen=True)
class Size:
    """How much is trained: the images, the network and the number of updates."""

    images: int
    pixels: int
    stages: Stages
    hidden: Sequence[int]
    batch: int
    steps: int
    dtype: torch.dtype = torch.float32
    pair: str | None = None  # two characters instead of letter against digit
    fast: bool = False


SIZES = {
    "live": Size(300, 16, ((6,), (12,)), (32,), batch=8, steps=125, dtype=torch.float64, pair="E3"),
    "small": Size(2000, 16, ((8, 8), (16, 16)), (32,), batch=32, steps=10 * 63),
    "full": Size(2560, 32, VGG16, (512, 512), batch=128, steps=40 * 20, fast=True),
}


def schedule(arm: Arm, steps: int) -> Schedule:
    """The arm's rate over a run of `steps` updates.

    SGDR restarts three times, one-cycle rises on a line and falls on a cosine for 45 % of the run each and ends on an
    exponential; both as the article had them in 40 epochs, but per step.

    >>> schedule(ARMS["one-cycle 0.1, momentum 0"], steps=40)([0, 18, 36, 39]).round(4)
    array([0.01  , 0.1   , 0.01  , 0.0003])
    """
    if arm.schedule == "decay":
        return Lambda(lambda t: arm.lr / (1 + 1e-6 * t))
    if arm.schedule == "SGDR":
        return SGDR(arm.lr, 0.0, first=-(-steps // 4))
    if arm.schedule == "one-cycle":
        way, low = round(0.45 * steps), arm.lr / 10
        end = Exponential(low, gamma=0.01, every=steps - 2 * way)
        return Linear(low, arm.lr, way).then(Cosine(arm.lr, low, way), at=way).then(end, at=2 * way)
    return Constant(arm.lr)


@lru_cache(maxsize=len(SEEDS))
def data(size: str, seed: int) -> Dataset:
    """The images of `seed`: letter against digit, or the two characters of the size's pair.

    >>> data("live", seed=0).x_train.shape
    (300, 16, 16)
    """
    settings = SIZES[size]
    if settings.pair is None:
        return glyphs(settings.images, settings.pixels, classes=2, seed=seed, n_test=2000)
    ten = glyphs(5 * settings.images, settings.pixels, seed=seed, n_test=2500)
    first = CHARACTERS.index(settings.pair)
    kept, kept_test = ten.y_train // 2 == first // 2, ten.y_test // 2 == first // 2
    return replace(ten, x_train=ten.x_train[kept], y_train=ten.y_train[kept] % 2,
                   x_test=ten.x_test[kept_test], y_test=ten.y_test[kept_test] % 2)  # fmt: skip


def network(size: str, seed: int) -> VGG:
    """The network of a size, its weights drawn from `seed`.

    >>> sum(weight.numel() for weight in network("live", seed=0).parameters())
    6962
    """
    settings = SIZES[size]
    torch.manual_seed(seed)
    return VGG(settings.stages, settings.hidden, classes=2, size=settings.pixels).to(settings.dtype)


def plan(size: str) -> list[tuple[str, int]]:
    """Every arm with every seed; the live size leaves out the largest steps, a rate of 0.1 with momentum 0.9."""
    arms = [name for name, arm in ARMS.items() if size != "live" or arm.lr * arm.momentum < 0.05]
    return [(name, seed) for seed in SEEDS for name in arms]


def run(name: str, seed: int, size: str, device: str = "cpu") -> dict[str, float]:
    arm, settings = ARMS[name], SIZES[size]
    model = network(size, seed).to(device)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # in place; faster everywhere
    options = {"momentum": arm.momentum, "nesterov": arm.nesterov} if arm.optimizer == "SGD" else {}
    if arm.optimizer == "RMSprop":
        options = {"alpha": 0.9, "eps": 1e-7}  # as in Keras, which the article used
    optimizer = getattr(torch.optim, arm.optimizer)(model.parameters(), lr=arm.lr, **options)
    plan_of_rates = schedule(arm, settings.steps)
    done = (train_fast if settings.fast else train)(
        model, optimizer, data(size, seed), steps=settings.steps, schedule=plan_of_rates,
        batch_size=settings.batch, seed=seed,
    ).evaluations  # fmt: skip
    return {
        "test_accuracy": float(done.test_accuracy[-1]),
        "test_loss": float(done.test_loss[-1]),
        "train_loss": float(done.train_loss[-1]),
    }
