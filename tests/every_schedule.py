"""A schedule of every kind that the package has, with lengths and periods that fit a run."""

from lrcourse import (
    REX,
    SGDR,
    WSD,
    Constant,
    Cosine,
    Cyclic,
    Exponential,
    Geometric,
    InverseSqrt,
    InverseTime,
    Lambda,
    Linear,
    MultiStep,
    OneCycle,
    Piecewise,
    Polynomial,
    Schedule,
    Step,
    batch_schedule,
    maximum,
    minimum,
    warmup,
)


def halve(cycle):
    return 0.5**cycle


def every_fourth(t):
    return 0.1 if t % 4 == 0 else 0.01


def every_schedule(n: int) -> dict[str, Schedule]:
    """What has an end comes to it after `n` updates, but for one cycle in three phases; `n` is a multiple of 15."""
    short, stair, late = n // 5, 4 * n // 15, 11 * n // 15
    return {
        "constant": Constant(0.1),
        "cosine": Cosine(0.1, 0.001, n),
        "cyclic": Cyclic(0.01, 0.1, short, stair),
        "cyclic, triangular2": Cyclic(0.01, 0.1, short, mode="triangular2"),
        "cyclic, exp_range": Cyclic(0.01, 0.1, short, mode="exp_range", gamma=0.9),
        "cyclic, own scale": Cyclic(0.01, 0.1, short, scale_fn=halve),
        "exponential": Exponential(0.1, 0.9),
        "exponential, stairs": Exponential(0.1, 0.9, stair, staircase=True),
        "geometric": Geometric(0.1, 0.001, n),
        "inverse square root": InverseSqrt(0.1, 5),
        "inverse time": InverseTime(0.1, 5),
        "lambda": Lambda(lambda t: 0.1 / (1 + t)),
        "function of one step": Lambda(every_fourth),
        "linear": Linear(0.1, 0.0, n),
        "milestones": MultiStep(0.1, [short, short, late], 0.5),
        "one-cycle": OneCycle(0.1, n),
        "one-cycle, three phases": OneCycle(0.1, n + 4, phases=3, anneal="linear"),
        "piecewise": Piecewise([2 * n // 15, 9 * n // 15], [0.1, 0.05, 0.01]),
        "polynomial": Polynomial(0.1, 0.0, n, 2),
        "warm restarts": SGDR(0.1, 0.001, short, 2, 0.8),
        "REX": REX(0.1, 0.0, n),
        "restarts by number": SGDR.over(n, 2, 0.1, t_mult=2),
        "step": Step(0.1, stair, 0.5),
        "WSD": WSD(0.1, short, n // 3, 7 * n // 15, shape="1-sqrt"),
        "growing batch": batch_schedule(Step(0.1, stair, 0.5), 32, 128),
        "sum": Cosine(0.1, 0.001, n) + Cyclic(0.0, 0.01, 2),
        "difference": Cosine(0.1, 0.01, n) - Cyclic(0.0, 0.01, 2),
        "product": Cosine(0.1, 0.001, n) * Linear(0.1, 1.0, n // 3),
        "clip": Exponential(0.1, 0.8).clip(0.01, 0.09),
        "maximum": maximum(Exponential(0.1, 0.8), 0.02),
        "minimum": minimum(Cosine(0.1, 0.001, n), InverseSqrt(0.1, 5)),
        "shift": Cosine(0.1, 0.001, 9 * n // 15).shift(stair),
        "stretch": Step(0.1, stair, 0.5).stretch(1.5),
        "then": Linear(0.0, 0.1, stair).then(Cosine(0.1, 0.0, n // 3), at=stair).then(Step(0.05, 3, 0.5), at=late),
        "warm-up": warmup(SGDR(0.1, 0.0, short, 2), stair),
    }  # fmt: skip
