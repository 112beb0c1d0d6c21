"""One cycle in a few epochs against a constant rate in many, with batch normalization and without."""

from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import torch

from ...data import Dataset, cifar10, glyphs
from ...schedules import Constant, Cosine, OneCycle, Schedule
from ...torch import VGG, train
from ...torch.fast import train_fast
from ...torch.vgg import Stages

SEEDS = range(5)
RATES = (0.01, 0.03, 0.1)  # of the constant runs
PEAKS = (0.1, 0.3)  # of the falling ones
NORMS = ("batch norm", "no norm")
MOMENTUM = 0.9
WIDE: Stages = ((32,), (64, 64), (128, 128), (256, 256))


@dataclass(frozen=True)
class Size:
    """How much is trained. `many`: the epochs at a constant rate; a cycle has `few`, or half of `many`."""

    images: int
    pixels: int
    stages: Stages
    hidden: tuple[int, ...]
    batch: int
    few: int
    many: int
    data: str = "glyphs"
    fast: bool = False

    def steps(self, length: str) -> int:
        """The updates of a run of "few", "half" or "many" epochs."""
        epochs = {"few": self.few, "half": self.many // 2, "many": self.many}[length]
        return epochs * -(-self.images // self.batch)


@dataclass(frozen=True)
class Arm:
    """One way to train: a schedule whose highest rate is `rate`, with or without batch normalization."""

    kind: str
    rate: float
    norm: str
    length: str

    def __str__(self) -> str:
        return f"{self.kind} {self.rate:g}, {self.norm}, {self.length}"

    def schedule(self, steps: int) -> Schedule:
        """The rates of a run of `steps` updates."""
        if self.kind == "constant":
            return Constant(self.rate)
        return OneCycle(self.rate, steps) if self.kind == "one-cycle" else Cosine(self.rate, 0.0, steps)


FALLING = product(("one-cycle", "cosine"), PEAKS, NORMS, ("few", "half"))
ARMS = {str(arm): arm for arm in (Arm(*each) for each in [*FALLING, *product(("constant",), RATES, NORMS, ("many",))])}


SIZES = {
    "live": Size(200, 12, ((4,), (8,)), (), batch=50, few=1, many=2),
    "small": Size(1500, 16, ((6,), (12,)), (32,), batch=50, few=4, many=16),
    "full": Size(50_000, 32, WIDE, (256,), batch=500, few=2, many=8, fast=True),
    "cifar10": Size(50_000, 32, WIDE, (256,), batch=500, few=2, many=8, data="cifar10", fast=True),
}


@lru_cache(maxsize=len(SEEDS))
def data(size: str, seed: int) -> Dataset:
    """The images of `seed`; of CIFAR-10, which needs its archive, the same for all.

    >>> data("live", seed=0).x_train.shape
    (200, 12, 12)
    """
    settings = SIZES[size]
    if settings.data == "cifar10":
        return cifar10()
    return glyphs(settings.images, settings.pixels, seed=seed, n_test=2000)


def plan(size: str) -> list[tuple[str, int]]:
    """Every arm with every seed."""
    return [(name, seed) for seed in SEEDS for name in ARMS]


def run(name: str, seed: int, size: str, device: str = "cpu") -> dict[str, float]:
    """The test accuracy at the end of the run and, of a constant rate, also after the few epochs of the cycles."""
    arm, settings, images = ARMS[name], SIZES[size], data(size, seed)
    torch.manual_seed(seed)
    color = images.x_train.shape[3] if images.x_train.ndim == 4 else 1
    model = VGG(settings.stages, settings.hidden, size=settings.pixels, channels=color,
                batch_norm=arm.norm == "batch norm").to(device)  # fmt: skip
    optimizer = torch.optim.SGD(model.parameters(), lr=arm.rate, momentum=MOMENTUM)
    steps, few = settings.steps(arm.length), settings.steps("few")
    done = (train_fast if settings.fast else train)(
        model, optimizer, images, steps=steps, schedule=arm.schedule(steps), batch_size=settings.batch,
        seed=seed, evaluate_every=few,
    ).evaluations  # fmt: skip
    return {
        "accuracy_after_few": float(done.test_accuracy[list(done.step).index(few)]),
        "test_accuracy": float(done.test_accuracy[-1]),
        "test_loss": float(done.test_loss[-1]),
        "train_loss": float(done.train_loss[-1]),
        "updates": steps,
    }
