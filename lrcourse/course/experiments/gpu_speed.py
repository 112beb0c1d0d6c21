"""What each choice of the fast loop is worth: images per second, against the device's own matrix product.

The clock is wall time on a GPU, which waits for nobody, and processor time on a CPU, which others may share.
"""

import time
from dataclasses import dataclass, replace
from functools import cache

import torch
from torch.nn import functional as F

from ...data import Dataset, glyphs
from ...schedules import OneCycle
from ...torch import VGG
from ...torch.fast import Choices, train_fast
from ...torch.vgg import VGG16, Stages

SEEDS = range(5)
PLAIN = Choices(resident=False, curves_stay=False, channels_last=False, bf16=False, compiled=False)
ADDED = {
    "images on the device": "resident", "curves stay there": "curves_stay", "channels last": "channels_last",
    "bf16": "bf16", "compiled": "compiled",
}  # fmt: skip


def arms() -> dict[str, Choices]:
    """The plain loop, then one choice after the other on top of those before.

    >>> list(arms())[:2], arms()["+ compiled"] == Choices()
    (['plain', '+ images on the device'], True)
    """
    found = {"plain": PLAIN}
    for name, choice in ADDED.items():
        found[f"+ {name}"] = replace([*found.values()][-1], **{choice: True})
    return found


@dataclass(frozen=True)
class Size:
    """What is trained. The clock starts after `warm` updates. `product`: edge of the matrices that are multiplied."""

    images: int
    pixels: int
    stages: Stages
    hidden: tuple[int, ...]
    batch: int
    steps: int
    warm: int
    product: int


SIZES = {
    "live": Size(100, 12, ((4,), (8,)), (), batch=50, steps=4, warm=2, product=64),
    "small": Size(1000, 16, ((8, 8), (16, 16)), (32,), batch=50, steps=60, warm=10, product=1024),
    "full": Size(20_000, 32, VGG16, (512, 512), batch=500, steps=3 * 40, warm=20, product=8192),
}


@cache
def data(size: str) -> Dataset:
    """The images."""
    return glyphs(SIZES[size].images, SIZES[size].pixels, n_test=1000)


def network(size: str, seed: int) -> VGG:
    """The network, its weights drawn from `seed`."""
    torch.manual_seed(seed)
    return VGG(SIZES[size].stages, SIZES[size].hidden, size=SIZES[size].pixels, batch_norm=True)


def plan(size: str) -> list[tuple[str, int]]:
    """Every arm with every seed, in rounds, so that a machine that slows down slows all."""
    return [(name, seed) for seed in SEEDS for name in arms()]


def run(name: str, seed: int, size: str, device: str = "cpu") -> dict[str, float]:
    """The speed of a run, what it reached, and its share of the product's rate."""
    settings, clock = SIZES[size], Clock(device)
    product = product_rate(settings.product, clock)
    model = network(size, seed).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    times: dict[int, float] = {}

    def read_clock(step: int) -> None:
        if step in (settings.warm, settings.steps):
            times[step] = clock()

    done = train_fast(
        model, optimizer, data(size), steps=settings.steps, batch_size=settings.batch, seed=seed,
        schedule=OneCycle(0.05, settings.steps), choices=arms()[name], after_update=read_clock,
    ).evaluations  # fmt: skip
    seconds = times[settings.steps] - times[settings.warm]
    speed = (settings.steps - settings.warm) * settings.batch / seconds
    rate = speed * operations(size)
    return {
        "images_per_second": speed, "tflops": rate / 1e12, "product_tflops": product / 1e12, "share": rate / product,
        "test_accuracy": float(done.test_accuracy[-1]), "test_loss": float(done.test_loss[-1]),
    }  # fmt: skip


class Clock:
    """Seconds: of wall time on a GPU, once all its work is done; of this process's processors on a CPU."""

    def __init__(self, device: str) -> None:
        self.device = device

    def __call__(self) -> float:
        if self.device == "cpu":
            return time.process_time()
        torch.cuda.synchronize()
        return time.perf_counter()


@cache
def operations(size: str) -> float:
    """Floating-point operations to train on one image: forward and backward, convolutions and products alone.

    >>> operations("live")
    87264.0
    """
    from torch.utils.flop_counter import FlopCounterMode

    model, images = network(size, 0), torch.zeros(2, SIZES[size].pixels, SIZES[size].pixels)
    with FlopCounterMode(display=False) as counter:
        F.cross_entropy(model(images), torch.tensor([0, 1])).backward()
    return counter.get_total_flops() / 2


def product_rate(n: int, clock: Clock) -> float:
    """Operations per second of an n × n matrix product: bfloat16 on a GPU, float32 on a CPU; the best of nine."""
    dtype = torch.float32 if clock.device == "cpu" else torch.bfloat16
    a, b = torch.randn(2, n, n, device=clock.device, dtype=dtype)
    times = []
    for _ in range(12):
        started = clock()
        a @ b
        times.append(clock() - started)
    return 2 * n**3 / min(times[3:])
