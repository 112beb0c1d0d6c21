"""What the tests of PyTorch, Transformers, timm, optax and Keras expect of a schedule, asked of ours.

A target is one test of theirs (one set of parameters, where it has several) that names rates or momenta for steps, or
demands that an argument be refused; what their tests say of objects, files and warnings is not among them. The
numbers are theirs; the code is ours. `restated` names the row of the page of conventions by which their numbers were
translated first, `differs` the row that says what they expect and is not so here.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from lrcourse import (
    SGDR,
    WSD,
    Constant,
    Cosine,
    Cyclic,
    Exponential,
    InverseSqrt,
    InverseTime,
    Lambda,
    Linear,
    MultiStep,
    OneCycle,
    Piecewise,
    Plateau,
    Polynomial,
    Schedule,
    Step,
    get_schedule,
    maximum,
    minimum,
    warmup,
)
from lrcourse.optimizers import Adam
from lrcourse.torch import ScheduleLR

PAGE = (Path(__file__).parents[1] / "book" / "conventions.md").read_text(encoding="utf-8")
REFUSED = "refused"

# How their numbers become ours, and what they expect in vain: rows of the page of conventions
BOUNDARY, FRACTION = "when a boundary acts", "the end of a cosine"
PATIENCE, MOMENTUM = "patience of a plateau", "a momentum of 1 or more"
TIMESCALE, RISE = "inverse time", "the rise of one cycle"
RISES_AGAIN = "PyTorch: a cosine rises again after its end"
FACTORS = "PyTorch: `LinearLR` refuses to begin at 0, or above the rate"
NEGATIVE = "optax: a rate may be negative"
NO_STEPS = "optax: over no steps, or at a decay by 0, the rate is constant (a cosine's is an error)"


class Target(NamedTuple):
    """`pairs`: what of ours (a schedule, values, or a call that makes one) and what they expect of it: a list of values
    from step 0 on, values by step, or `REFUSED`. `near`: how far off a value may be, as a share or at all."""

    pairs: tuple[tuple[Any, Any], ...]
    restated: str = ""
    differs: str = ""
    near: tuple[float, float] = (1e-6, 1e-9)

    def agrees(self) -> bool:
        return all(self._has(ours, theirs) for ours, theirs in self.pairs)

    def _has(self, ours: Any, theirs: Any) -> bool:
        try:
            made = ours() if callable(ours) and not isinstance(ours, Schedule) else ours
            if theirs is REFUSED:
                return False
            steps = list(theirs) if isinstance(theirs, dict) else range(len(theirs))
            values = list(theirs.values()) if isinstance(theirs, dict) else theirs
            found = made(np.array(steps)) if isinstance(made, Schedule) else made
        except (TypeError, ValueError):
            return theirs is REFUSED
        share, at_all = self.near
        return len(found) == len(values) and np.allclose(found, values, rtol=share, atol=at_all)


def same(ours: Any, theirs: Any, **more: Any) -> Target:
    return Target(((ours, theirs),), **more)


def both(*pairs: tuple[Any, Any], **more: Any) -> Target:
    return Target(pairs, **more)


def refused(*calls: Callable[[], Any], **more: Any) -> Target:
    return Target(tuple((call, REFUSED) for call in calls), **more)


def of(function: Callable[[Any], float], steps: Iterable[Any]) -> dict[Any, float]:
    return {t: function(t) for t in steps}


def wave(share: float) -> float:
    """From 1 at 0 to 0 at 1, as a cosine falls."""
    return (1 + math.cos(math.pi * share)) / 2


# PyTorch: test/optim/test_lrscheduler.py. Its second group has ten times the rate of the first, where not said
# otherwise, and the same targets times ten.

TINY = 1e-10  # the eta_min of its cosines
FALL = [TINY + (0.05 - TINY) * wave(x / 10) for x in range(10)]
STAIRS = [0.05] * 3 + [0.005] * 3 + [0.0005] * 3 + [0.00005]
MILES = [1.0] * 2 + [0.1] * 3 + [0.01] * 4 + [0.001]
milestones = partial(MultiStep, milestones=[2, 5, 9], gamma=0.1)
stairs = partial(Step, every=3, gamma=0.1)
POLYNOMIAL = [(1 - x / 5) ** 0.9 for x in range(5)] + [0.0] * 5
IN_TURN = Constant(0.005).then(Exponential(0.05, 0.8), at=3).then(Step(0.05, 2, 0.1), at=6)
TURNS = [0.005] * 3 + [0.05, 0.04, 0.032] + [0.05, 0.05, 0.005, 0.005, 0.0005, 0.0005]


def times(*lists: list[float]) -> list[float]:
    return [math.prod(each) for each in zip(*lists, strict=True)]


def line(a: float, b: float, n: int, steps: int = 10) -> list[float]:
    return [a + min(x / n, 1) * (b - a) for x in range(steps)]


def powers(base: float, steps: int = 10) -> list[float]:
    return [base**x for x in range(steps)]


def plateau(metrics: list[float], patience: int, **settings: Any) -> list[float]:
    """Its patience is ours less one."""
    watching = Plateau(0.5, patience=patience + 1, **settings)
    return [watching.update(metric) for metric in metrics]


SLOW_RISE = [1.5 * 1.005**i for i in range(20)]
relative = partial(plateau, threshold=0.1, patience=5, cooldown=5)
CUTS = [0.5] * 6 + [0.05] * 11 + [0.005] * 3


def cycles(values: list[float], down: int | None = None, up: int = 4, then: float = 0.0, **shape: Any) -> Target:
    """Rates from 1 to 5, momenta from 5 to 1, in cycles, which for another group lie `then` higher; no momentum is
    above 1 here, so these are a hundredth of theirs."""
    pairs: list[tuple[Any, Any]] = []
    for more in {0.0, then}:
        ours = Cyclic(1 + more, 5 + more, up, down, **shape)
        pairs += [(ours, [more + each for each in values])]
        pairs += [(ours.momentum((1 + more) / 100, (5 + more) / 100), [(more + 6 - each) / 100 for each in values])]
    return Target(tuple(pairs), restated=MOMENTUM)


def height(values: list[float], gamma: float = 0.9) -> list[float]:
    return [1 + 4 * x * gamma**i for i, x in enumerate(values)]


TRIANGLE = [1.0, 2, 3, 4, 5, 4, 3, 2, 1, 2, 3]
HALVED = [1, 2, 3, 4, 5, 4, 3, 2, 1, 1.5, 2, 2.5, 3, 2.5, 2, 1.5, 1, 1.25, 1.5, 1.75, 2, 1.75]
UP_DOWN = [1, 2, 3, 4, 5, 13 / 3, 11 / 3, 3, 7 / 3, 5 / 3, 1]
HALVED_UP_DOWN = [1, 3, 5, 13 / 3, 11 / 3, 3, 7 / 3, 5 / 3, 1, 2, 3, 8 / 3, 7 / 3, 2, 5 / 3, 4 / 3, 1, 1.5, 2, 11 / 6,
                  10 / 6, 1.5, 8 / 6, 7 / 6]  # fmt: skip
SAW = [0, 0.25, 0.5, 0.75, 1, 0.75, 0.5, 0.25, 0, 0.25, 0.5, 0.75, 1]
SAW_UP_DOWN = [0, 0.5, 1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6, 0, 0.5, 1, 5 / 6, 4 / 6]
LOW, HIGH = Cyclic(1, 5, 4, mode="exp_range", gamma=0.9), Cyclic(5, 12, 4, mode="exp_range", gamma=0.9)


def one_cycle(cycle: OneCycle, rates: list[float], momenta: list[float]) -> Target:
    return both((cycle, rates), (cycle.momentum(0.01, 0.22), [each / 100 for each in momenta]), restated=MOMENTUM)


def two_phases(anneal: str) -> OneCycle:
    return OneCycle(25, 10, initial_lr=1, final_lr=0.5, anneal=anneal)


def restarts(peak: float, growth: int, times: Iterable[float]) -> dict[float, float]:
    """A cosine from `peak` in cycles of 10, `growth` times 10, …"""

    def at(t: float) -> float:
        length = 10.0
        while t >= length:
            t, length = t - length, length * growth
        return TINY + (peak - TINY) * wave(t / length)

    return of(at, times)


def warm_restarts(growth: int, steps: list[float]) -> tuple[tuple[Any, Any], ...]:
    return tuple((SGDR(peak, TINY, 10, growth), restarts(peak, growth, steps)) for peak in (0.05, 0.5))


def averaged(shape: Callable[..., Schedule], lr: float, swa: float, n: int, share: Callable[[float], float]) -> Any:
    """Six epochs at 0.9 of the rate before, then within `n` epochs to the rate at which weights are averaged."""
    last = lr * 0.9**5
    way = [share(min((t + 1) / n, 1)) for t in range(9)]
    fall = [last * each + swa * (1 - each) for each in way]
    ours = Exponential(lr, 0.9).then(shape(last, swa, n).shift(-1), at=6)
    return ours, [lr * each for each in powers(0.9, 6)] + fall


def momentumless() -> Any:
    cycle = Cyclic(1, 5, 2000)
    return ScheduleLR(torch.optim.Rprop([torch.nn.Parameter(torch.zeros(1))]), cycle, momentum=cycle.momentum())


TORCH = {
    "step_lr": same(stairs(0.05), STAIRS),
    "get_last_lr_step_lr": same(stairs(0.1), [2 * each for each in STAIRS]),
    "multi_step_lr": same(milestones(0.05), [0.05 * each for each in MILES]),
    "get_last_lr_multi_step_lr": same(milestones(0.05), [0.05 * each for each in MILES]),
    "multi_step_lr_with_epoch": same(milestones(0.05), {t: 0.05 * each for t, each in enumerate(MILES)}),
    "constantlr": same(Piecewise([5], [0.025, 0.05]), [0.025] * 5 + [0.05] * 5),
    "get_last_lr_constantlr": same(Piecewise([5], [0.025, 0.05]), [0.025] * 5 + [0.05] * 5),
    "constantlr_with_epoch": same(Piecewise([5], [0.025, 0.05]), {0: 0.025, 4: 0.025, 5: 0.05, 9: 0.05}),
    "linearlr": same(Linear(0.025, 0.05, 4), [0.025, 0.03125, 0.0375, 0.04375] + [0.05] * 6),
    "linearlr_with_epoch": same(Linear(0.025, 0.05, 4), {1: 0.03125, 2: 0.0375, 3: 0.04375, 9: 0.05}),
    "get_last_lr_linearlr": same(Linear(0.0125, 0.03, 4), line(0.0125, 0.03, 4)),
    "exp_lr": same(Exponential(0.05, 0.9), [0.05 * each for each in powers(0.9)]),
    "poly_lr": same(Polynomial(0.05, 0.0, 5, 0.9), [0.05 * each for each in POLYNOMIAL]),
    "cos_anneal_lr": same(Cosine(0.05, TINY, 10), FALL),
    # The rate is a function of the step, whatever came before
    "step_lr_is_constant_for_constant_epoch": same(Step(0.05, 2, 0.1)([2] * 10), [0.005] * 10),
    "exponential_lr_is_constant_for_constant_epoch": same(Exponential(0.05, 0.9)([2] * 10), [0.0405] * 10),
    "constantlr_is_constant_for_constant_epoch": same(Piecewise([5], [0.05 / 3, 0.05])([2] * 10), [0.05 / 3] * 10),
    "linear_linearlr_is_constant_for_constant_epoch": same(Linear(0.05 / 3, 0.05, 5)([2] * 10), [0.03] * 10),
    "polynomial_lr_is_constant_for_constant_epoch": same(
        Polynomial(0.05, 0.0, 5, 0.9)([2] * 10), [0.05 * 0.6**0.9] * 10),
    "closed_form_step_lr": same(stairs(0.05), [0.05 * 0.1 ** (t // 3) for t in range(20)]),
    "closed_form_linearlr": same(Linear(0.05 / 3, 0.035, 4), line(0.05 / 3, 0.035, 4, 20)),
    "closed_form_constantlr": same(Piecewise([4], [0.05 / 3, 0.05]), [0.05 / 3] * 4 + [0.05] * 16),
    "closed_form_multi_step_lr": same(milestones(0.05), [0.05 * each for each in MILES] + [0.00005] * 10),
    "closed_form_exp_lr": same(Exponential(0.05, 0.9), [0.05 * each for each in powers(0.9, 20)]),
    "closed_form_poly_lr": same(Polynomial(0.05, 0.0, 5, 0.9), [0.05 * each for each in POLYNOMIAL] + [0.0] * 10),
    "closed_form_cos_anneal_lr": same(
        Cosine(0.05, TINY, 5), of(lambda t: TINY + (0.05 - TINY) * wave(t / 5), range(20)), differs=RISES_AGAIN),
    "reduce_lr_on_plateau1": same(
        lambda: plateau([10 - i * 0.0167 for i in range(10)], 5, threshold_mode="absolute", threshold=0.01, cooldown=5),
        [0.5] * 10, restated=PATIENCE),
    "reduce_lr_on_plateau2": same(
        lambda: plateau([10 - i * 0.0165 for i in range(22)], 5, threshold_mode="absolute", threshold=0.1),
        [0.5] * 6 + [0.05] * 7 + [0.005] * 7 + [0.0005] * 2, restated=PATIENCE),
    "reduce_lr_on_plateau3": same(
        lambda: plateau([-0.8] * 2 + [-0.234] * 20, 5, mode="max", threshold_mode="absolute", cooldown=5),
        [0.5] * 8 + [0.05] * 11 + [0.005] * 3, restated=PATIENCE),
    "reduce_lr_on_plateau4": same(
        lambda: plateau([1.5 * 1.025**i for i in range(20)], 3, mode="max", threshold=0.1), [0.5] * 20,
        restated=PATIENCE),
    "reduce_lr_on_plateau5": same(lambda: relative(SLOW_RISE, mode="max"), CUTS, restated=PATIENCE),
    "reduce_lr_on_plateau6": same(
        lambda: plateau([1.5 * 0.85**i for i in range(20)], 10, threshold=0.1), [0.5] * 20, restated=PATIENCE),
    "reduce_lr_on_plateau7": same(lambda: relative([1.0] * 7 + [0.6] + [0.5] * 12), CUTS, restated=PATIENCE),
    "reduce_lr_on_plateau8": both(
        *((partial(relative, SLOW_RISE, mode="max", min_lr=low), [0.5] * 6 + [low] * 14) for low in (0.4, 0.3)),
        restated=PATIENCE),
    "reduce_lr_on_plateau_get_last_lr_before_step": same([Plateau(0.5).lr], [0.5]),
    "sequentiallr1": same(
        Exponential(0.05, 0.8).then(Step(0.05, 4, 0.1), at=3),
        [0.05, 0.04, 0.032] + [0.05] * 4 + [0.005] * 4 + [0.0005] * 4 + [0.00005] * 4),
    "sequentiallr2": same(
        Constant(0.005).then(Exponential(0.05, 0.9), at=3), [0.005] * 3 + [0.05 * each for each in powers(0.9)]),
    "sequentiallr3": same(IN_TURN, TURNS),
    "get_last_lr_sequentiallr": same(IN_TURN, TURNS),
    "sequentiallr4": same(Constant(0.1).then(Constant(0.01), at=10), [0.1]),
    "sequentiallr5": same(
        (Linear(0.005, 0.05, 5) * Constant(0.1)).then(Constant(0.025), at=5),
        [0.0005, 0.0014, 0.0023, 0.0032, 0.0041] + [0.025] * 5),
    "sequentiallr_does_not_alias_lr_and_initial_lr": same(
        Linear(0.2, 1.6, 4).then(Linear(1.6, 0.2, 4), at=4), [0.2, 0.55, 0.9, 1.25, 1.6, 1.25, 0.9, 0.55]),
    "chained_lr1": same(stairs(0.05), STAIRS),
    "chained_lr2": same(Linear(0.02, 0.05, 3), [0.02, 0.03, 0.04] + [0.05] * 7),
    "chained_lr3": same(
        Linear(0.4, 1.0, 3) * MultiStep(0.05, [4, 8, 10], 0.1), [0.02, 0.03, 0.04, 0.05] + [0.005] * 4 + [0.0005] * 2),
    "chained_lr4": same(
        Exponential(0.05, 0.9) * Piecewise([4], [0.2, 1.0]) * stairs(1.0),
        [0.05 * 0.9**x * (0.2 if x < 4 else 1) * 0.1 ** (x // 3) for x in range(9)]),
    "chained_lr5": both(*(
        (Polynomial(lr, 0.0, 5, 0.9) * 0.1, [lr * 0.1 * each for each in POLYNOMIAL]) for lr in (0.05, 0.5))),
    "compound_step_and_multistep_lr": same(
        stairs(0.05) * milestones(1.0), [0.05] * 2 + [0.005] + [5e-4] * 2 + [5e-5] + [5e-6] * 3 + [5e-8]),
    "compound_step_and_exp_lr": same(stairs(0.05) * Exponential(1.0, 0.9), times(STAIRS, powers(0.9))),
    "compound_exp_and_multistep_lr": same(
        milestones(1.0) * Exponential(0.05, 0.9), [0.05 * each for each in times(MILES, powers(0.9))]),
    "compound_exp_and_linearlr": same(
        Linear(0.4, 0.9, 4) * Exponential(0.05, 0.9), [0.05 * each for each in times(line(0.4, 0.9, 4), powers(0.9))]),
    "compound_step_and_constantlr": same(
        stairs(0.05) * Piecewise([4], [0.4, 1.0]),
        [0.02] * 3 + [0.002] + [0.005] * 2 + [0.0005] * 3 + [0.00005]),
    "compound_linearlr_and_multistep_lr": same(
        milestones(0.05) * Linear(0.4, 1.0, 4), [0.05 * each for each in times(MILES, line(0.4, 1.0, 4))]),
    "compound_cosanneal_and_step_lr": same(
        Cosine(0.05, TINY, 10) * stairs(1.0), [x * 0.1 ** (i // 3) for i, x in enumerate(FALL)]),
    "compound_cosanneal_and_multistep_lr": same(Cosine(0.05, TINY, 10) * milestones(1.0), times(FALL, MILES)),
    "compound_cosanneal_and_linearlr": same(
        Linear(0.4, 1.0, 4) * Cosine(0.05, TINY, 10), times(FALL, line(0.4, 1.0, 4))),
    "compound_cosanneal_and_exp_lr": same(
        Cosine(0.05, TINY, 10) * Exponential(1.0, 0.1), times(FALL, powers(0.1))),
    "cycle_lr_invalid_mode": refused(lambda: Cyclic(0, 0, 2000, mode="CATS")),
    "cycle_lr_triangular_mode_one_lr": cycles(TRIANGLE),
    "cycle_lr_triangular_mode_one_lr_no_momentum": same(Cyclic(1, 5, 4), TRIANGLE),
    "cycle_lr_with_momentumless_optimizer": same(Cyclic(1, 5, 4), TRIANGLE),
    "cycle_lr_triangular2_mode_one_lr": cycles(HALVED, mode="triangular2"),
    "cycle_lr_exp_range_mode_one_lr": cycles(height(SAW), mode="exp_range", gamma=0.9),
    "cycle_lr_triangular_mode": cycles(TRIANGLE, then=1),
    "cycle_lr_triangular2_mode": cycles(HALVED, then=2, mode="triangular2"),
    "cycle_lr_exp_range_mode": both(
        (LOW, height(SAW)), (HIGH, [5 + 7 * x * 0.9**i for i, x in enumerate(SAW)]),
        (LOW.momentum(0.01, 0.05), [0.05 - 0.04 * x * 0.9**i for i, x in enumerate(SAW)]),
        (HIGH.momentum(0.05, 0.12), [0.12 - 0.07 * x * 0.9**i for i, x in enumerate(SAW)]), restated=MOMENTUM),
    "cycle_lr_triangular_mode_step_size_up_down": cycles(UP_DOWN, 6),
    "cycle_lr_triangular2_mode_step_size_up_down": cycles(HALVED_UP_DOWN, 6, 2, then=2, mode="triangular2"),
    "cycle_lr_exp_range_mode_step_size_up_down": cycles(height(SAW_UP_DOWN), 6, 2, mode="exp_range", gamma=0.9),
    "cycle_lr_cycle_momentum_fail_with_momentumless_optimizer": refused(momentumless),
    "onecycle_lr_invalid_anneal_strategy": refused(lambda: OneCycle(1e-3, 10, anneal="CATS")),
    "onecycle_lr_invalid_pct_start": refused(lambda: OneCycle(1e-3, 10, pct_start=1.1)),
    "onecycle_lr_cannot_calculate_total_steps": refused(partial(OneCycle, 1e-3)),
    "onecycle_lr_linear_annealing": one_cycle(
        two_phases("linear"), [1, 13, 25, 21.5, 18, 14.5, 11, 7.5, 4, 0.5], [22, 11.5, 1, 4, 7, 10, 13, 16, 19, 22]),
    "onecycle_lr_linear_annealing_three_phases": one_cycle(
        OneCycle(25, 10, 0.4, 1, 0.25, 3, "linear"), [1, 9, 17, 25, 17, 9, 1, 0.75, 0.5, 0.25],
        [22, 15, 8, 1, 8, 15, 22, 22, 22, 22]),
    "onecycle_lr_cosine_annealing": one_cycle(
        two_phases("cos"), [1, 13] + [0.5 + 24.5 * wave(x / 7) for x in range(8)],
        [22, 11.5] + [22 - 21 * wave(x / 7) for x in range(8)]),
    "cycle_lr_with_adam": one_cycle(
        two_phases("linear"), [1, 13, 25, 21.5, 18, 14.5, 11, 7.5, 4, 0.5], [22, 11.5, 1, 4, 7, 10, 13, 16, 19, 22]),
    "lambda_lr": both(
        (Lambda(lambda t: 0.05 * 0.9**t), [0.05 * each for each in powers(0.9)]),
        (Lambda(lambda t: 0.4 * 0.8**t), [0.4 * each for each in powers(0.8)])),
    "multiplicative_lr": both(
        (Exponential(0.05, 0.9), [0.05 * each for each in powers(0.9)]),
        (Exponential(0.4, 0.8), [0.4 * each for each in powers(0.8)])),
    "multiplicative_lr_with_lr_lambda": refused(lambda: Lambda(0.95)),  # type: ignore[arg-type]
    **{f"CosineAnnealingWarmRestarts_lr1, T_mult={k}": both(*warm_restarts(k, list(range(100)))) for k in (1, 2, 4)},
    "CosineAnnealingWarmRestarts_lr2": both(
        *(pair for k in (1, 2, 4) for pair in warm_restarts(k, [round(0.1 * i, 1) for i in range(300)]))),
    "CosineAnnealingWarmRestarts_lr3": both(
        *warm_restarts(1, [0, 1, 2, 3, 4, 5, 12, 27, 3, 4, 5, 6, 13]),
        *warm_restarts(2, [0, 1, 2, 3, 4, 5, 25, 32, 33, 34, 80, 81, 3]),
        *warm_restarts(3, [0, 0.1, 0.2, 0.3, 1.3, 2.3, 17.5, 18.5, 19.5, 29.5, 30.5, 31.5, 50])),
    "swalr_no_anneal": same(Piecewise([6], [0.05, 0.01]), [0.05] * 6 + [0.01] * 4),
    "swalr_cosine_anneal_after_multiplicative": both(*(averaged(Cosine, lr, 0.01, 5, wave) for lr in (0.05, 0.5))),
    "swalr_linear_anneal_after_multiplicative": both(
        *(averaged(Linear, lr, swa, 4, lambda share: 1 - share) for lr, swa in ((0.05, 0.01), (0.5, 0.02)))),
    "swalr_hypers": refused(
        lambda: get_schedule("exponential annealing", 1.0, 5), lambda: Cosine(0.5, 1.0, -1),
        lambda: Cosine(0.5, 1.0, 1.7)),  # type: ignore[arg-type]
    "linearlr_start_factor_limits1": refused(lambda: Linear(0.0, 0.05, 4), differs=FACTORS),
    "linearlr_start_factor_limits2": refused(lambda: Linear(0.055, 0.05, 4), differs=FACTORS),
}  # fmt: skip

# Transformers: tests/optimization/test_optimization.py, with a tolerance of 0.01 at a rate of 10

hf = partial(get_schedule, peak=10.0, steps=10)
TRANSFORMERS = {
    "constant": same(hf("constant"), [10.0] * 10),
    "constant_with_warmup": same(hf("constant", warmup=4), [0, 2.5, 5, 7.5] + [10.0] * 6),
    "linear": same(hf("linear", warmup=2), [0, 5, 10, 8.75, 7.5, 6.25, 5, 3.75, 2.5, 1.25]),
    "cosine": same(hf("cosine", warmup=2), [0, 5, 10, 9.61, 8.53, 6.91, 5, 3.08, 1.46, 0.38], near=(0, 1e-2)),
    "cosine_with_hard_restarts": same(
        hf("cosine_with_restarts", warmup=2, cycles=2), [0, 5, 10, 8.53, 5, 1.46, 10, 8.53, 5, 1.46], near=(0, 1e-2)),
    "polynomial": same(
        hf("polynomial", warmup=2, power=2.0, end=1e-7), [0, 5, 10, 7.656, 5.625, 3.906, 2.5, 1.406, 0.625, 0.156],
        near=(0, 1e-2)),
    "inverse_sqrt": same(
        hf("inverse_sqrt", warmup=2), [0, 5, 10, 8.165, 7.071, 6.325, 5.774, 5.345, 5.0, 4.714], near=(0, 1e-2)),
}  # fmt: skip

# timm: tests/test_scheduler.py

TANH = Lambda(lambda t: 0.05 * (1 - np.tanh(-7 + 10 * np.minimum(t, 100) / 100)))
TIMM_WARM = {
    "cosine": Cosine(0.1, 0.0, 100), "step": Step(0.1, 10, 0.5), "multistep": MultiStep(0.1, [10, 20, 30], 0.5),
    "poly": Polynomial(0.1, 0.0, 100, 0.5), "tanh": TANH,
}  # fmt: skip
SQUARE = Linear(0.0, 1.0, 20) * Linear(0.0, 1.0, 20)
COOLDOWNS: dict[str, tuple[Schedule, float]] = {
    "linear": (Linear(0.1, 0.0, 20), 0.5),
    "1-sqrt": (WSD(0.1, 0, 0, 20, shape="1-sqrt"), 1 - math.sqrt(0.5)),
    "cosine": (Cosine(0.1, 0.0, 20), 0.5),
    "power": (0.1 - 0.1 * SQUARE, 0.75),
    "exp": ((0.1 * Exponential(1.0, 0.1, 20) - 0.01).clip(0.0, 0.1) * (1 / 0.9), (0.1**0.5 - 0.1) / 0.9),
    "callable": (Lambda(lambda t: 0.1 * (1 - np.minimum(t / 20, 1) ** 3)), 0.875),
}


def stable(timescale: float, power: float) -> Target:
    """An inverse power of the time after the warm-up, times a line down to 0 in the last 20 of 100 steps."""
    ours = InverseTime(0.1, timescale, power) * Linear(1.0, 0.0, 20).shift(80)
    theirs = of(lambda t: 0.1 * (1 + (t - 5) / timescale) ** -power, range(5, 85))
    return same(warmup(ours, 5), theirs | {95: 0.05 * (1 + 90 / timescale) ** -power, 105: 0.0})


TIMM = {
    **{f"warmup_lr_increases, {name}": same(warmup(s, 5, 0.001), [0.001]) for name, s in TIMM_WARM.items()},
    "warmup_lr_increases, wsd": same(WSD(0.1, 5, 80, 20, shape="1-sqrt", start=0.001), [0.001]),
    **{f"warmup_prefix_reaches_target_lr, {name}": same(warmup(s, 5, 0.001), {5: 0.1}, near=(1e-5, 0))
       for name, s in TIMM_WARM.items()},
    "cosine_decay": same(Cosine(0.1, 0.001, 100), {0: 0.1, 50: 0.0505, 100: 0.001}),
    "cosine_cycles": same(SGDR(0.1, 0.001, 50, cycles=2), of(lambda t: 0.001, range(100, 110))),
    "step_decay": same(Step(0.1, 10, 0.5), {9: 0.1, 10: 0.05, 20: 0.025}),
    "multistep_decay": same(MultiStep(0.1, [10, 20, 30], 0.5), {8: 0.1, 11: 0.05, 21: 0.025, 31: 0.0125}),
    "poly_decay": same(Polynomial(0.1, 0.001, 100), {0: 0.1, 100: 0.001}),
    "wsd, phases": same(
        WSD(0.1, 5, 80, 20, 0.01, "1-sqrt"), of(lambda t: 0.1 if t <= 85 else 0.01, [*range(5, 86), *range(105, 115)])),
    **{f"wsd, decay_fns, {name}": same(Constant(0.1).then(s, at=80), {80: 0.1, 90: 0.1 * half, 100: 0.0})
       for name, (s, half) in COOLDOWNS.items()},
    **{f"wsd, stable_fns, {timescale}, {power}": stable(timescale, power)
       for timescale, power in ((2, 0.5), (50, 0.5), (10, 1.0))},
    "wsd, rsqrt_matches_big_vision": same(
        warmup(InverseSqrt(0.1, 10), 10), of(lambda t: 0.1 * math.sqrt(10 / max(t, 10)), range(10, 109))),
    "wsd, lr_min_floor": same(maximum(InverseTime(0.1, 1, 2.0), 0.05), {899: 0.05, 999: 0.05}),
    "wsd, invalid_args": refused(
        lambda: WSD(0.1, 0, 100, 0), lambda: WSD(0.1, 0, -1, 101), lambda: WSD(0.1, 0, 90, 10, shape="sqrt"),
        lambda: get_schedule("inverse sqrt", 0.1, 100), lambda: Polynomial(0.1, 0.0, 10, 0.0),
        lambda: InverseTime(0.1, 10, -1.0)),
    **{f"wsd, factory_rsqrt_timescale, {scale}": both(
        (lambda scale=scale: get_schedule("inverse sqrt", 0.1, 100 * scale), REFUSED),
        (get_schedule("inverse sqrt", 0.1, 100 * scale, timescale=4 * scale), {12 * scale: 0.05}))
       for scale in (1, 10)},
    **{f"wsd, factory, {scale}, {run}": same(
        get_schedule("wsd", 0.1, run * scale, 5 * scale, decay=20 * scale, shape="1-sqrt"), {run * scale: 0.0})
       for scale in (1, 10) for run in (100, 105)},
    "wsd, factory_rsqrt": refused(lambda: get_schedule("wsd", 0.1, 10, 5, decay=10)),
}  # fmt: skip

# optax: optax/schedules/_schedule_test.py, _join_test.py and schedules_warmup_cosine_test.py


def waited(begin: int, stair: bool, rate: float = 2.0, steps: int = 15) -> list[float]:
    return [1.0] * begin + [rate ** (t // 2 if stair else t / 2) for t in range(steps)]


def bounded(rate: float, end: float, stair: bool) -> Target:
    bound, one = (maximum, max) if rate < 1 else (minimum, min)
    ours = bound(Exponential(1.0, rate, 2, stair), end).shift(3)
    return same(ours, [one(each, end) for each in waited(3, stair, rate, 11)])


def warm(start: float, peak: float, end: float, front: int, run: int) -> Schedule:
    """Its `decay_steps` is the whole run."""
    return warmup(Cosine(peak, end, run - front), front, start)


def sgdr(*peaks: float) -> Target:
    first, second, third = (warm(0.0, peak, 0.0, 500, n) for peak, n in zip(peaks, (2000, 3000, 5000), strict=True))
    ours = first.then(second, at=2000).then(third, at=5000)
    return same(ours, dict(zip((500, 2500, 5500), peaks, strict=True)))


FLAT = of(lambda t: 1.0, range(15))
OPTAX = {
    "constant": same(Constant(10), [10.0] * 15),
    "linear": same(Polynomial(10, 20, 10), [*range(10, 20), *[20] * 5]),
    "zero_steps_schedule": both(
        *((partial(Polynomial, 10, 20, n), of(lambda t: 10.0, range(15))) for n in (-1, 0)), differs=NO_STEPS),
    "nonlinear": same(Polynomial(25, 10, 10, 2), [10 + 15 * (1 - min(n / 10, 1)) ** 2 for n in range(15)]),
    "with_decay_begin": same(
        Polynomial(30, 10, 10, 2).shift(4), [30.0] * 4 + [10 + 20 * (1 - min(n / 10, 1)) ** 2 for n in range(16)]),
    "piecewise, positive": same(Piecewise([3, 6], [0.1, 0.2, 0.1]), [0.1] * 3 + [0.2] * 3 + [0.1] * 4),
    "piecewise, negative": same(
        partial(Piecewise, [3, 6], [-0.1, -0.2, -0.1]), [-0.1] * 3 + [-0.2] * 3 + [-0.1] * 4, differs=NEGATIVE),
    **{f"exponential, constant, {stair}": same(Exponential(1.0, 1.0, 15, stair), FLAT) for stair in (False, True)},
    **{f"nonvalid_transition_steps, {stair}": both(
        *((partial(Exponential, 1.0, 1.0, n, stair), FLAT) for n in (-1, 0)), differs=NO_STEPS)
       for stair in (False, True)},
    **{f"nonvalid_decay_rate, {stair}": same(partial(Exponential, 1.0, 0.0, 2, stair), FLAT, differs=NO_STEPS)
       for stair in (False, True)},
    **{f"exponential, {stair}, {begin}": same(Exponential(1.0, 2.0, 2, stair).shift(begin), waited(begin, stair))
       for stair in (False, True) for begin in (0, 5)},
    **{f"end_value_with_staircase, {rate}, {stair}": bounded(rate, end, stair)
       for rate, end in ((0.2, 0.1), (1.0, 0.1), (2.0, 3.0)) for stair in (False, True)},
    "immutable_count": same(Exponential(32.0, 0.5), [32, 16, 8, 4, 2]),
    "decay_count_smaller_count": same(Cosine(0.1, 0.0, 10), [0.1 * wave(n / 10) for n in range(10)]),
    "decay_count_greater_count": same(Cosine(0.1, 0.0, 5), [0.1 * wave(min(n / 5, 1)) for n in range(12)]),
    "decay_count_greater_count_with_alpha": same(
        Cosine(0.1, 0.01, 5), [0.1 * (0.9 * wave(min(n / 5, 1)) + 0.1) for n in range(12)], restated=FRACTION),
    "cosine, with_exponent": same(
        Cosine(0.1, 0.0, 100) * Cosine(1.0, 0.0, 100),
        {0: 0.1, 10: 0.09516553580760956, 50: 0.025, 75: 0.0021446612663567066, 100: 0.0}),
    "with_giant_int_steps": same(Cosine(1000.0, 0.0, 10**10), {10**9: 975.52826}),
    "limits, with end value": same(warm(10, 0.5, 1e-4, 100, 1000), {0: 10, 100: 0.5, 1000: 1e-4}),
    "limits, without end value": same(warm(5, 3, 0.0, 100, 1000), {0: 5, 100: 3, 1000: 0.0}),
    "warm-up, with_exponent": same(
        Linear(0.2, 1.21, 50).then(4.21 * Cosine(1.0, 0.0, 50) * Cosine(1.0, 0.0, 50) - 3.0, at=50),
        {0: 0.2, 10: 0.402, 50: 1.21, 75: -1.9475, 100: -3.0}, differs=NEGATIVE),
    "zero_peak_value": same(warm(0.2, 0.0, 0.0, 50, 100), {0: 0.2, 10: 0.16, 50: 0.0, 75: 0.0, 100: 0.0}),
    "sgdr, with step decay": sgdr(1.6, 0.8, 0.4),
    "sgdr, without step decay": sgdr(1.6, 1.6, 1.6),
    "linear_piecewise": same(
        Linear(200, 300, 5).then(Linear(300, 75, 5), at=5),
        [200, 220, 240, 260, 280, 300, 255, 210, 165, 120, 75, 75, 75]),
    "cos_piecewise": same(
        Cosine(400, 240, 3).then(Cosine(240, 288, 2), at=3), [400, 360, 280, 240, 264, 288, 288, 288, 288]),
    "empty_dict": same(Piecewise([], [13.0]), [13.0] * 5),
    "no_dict": same(Constant(17.0), [17.0] * 3),
    "invalid_type": refused(
        lambda: get_schedule("linar", 13.0, 5), lambda: get_schedule("", 13.0, 5),
        lambda: get_schedule(None, 13.0, 5)),  # type: ignore[arg-type]
    "invalid_scale": refused(lambda: Linear(13.0, -39.0, 5)),
    "zero_interval_size": same(Linear(26.0, 78.0, 5), {0: 26.0, 5: 78.0}),
    "onecycle, linear": same(
        Linear(100, 1000, 3).then(Linear(1000, 100, 4), at=3).then(Linear(100, 1, 3), at=7),
        [100, 400, 700, 1000, 775, 550, 325, 100, 67, 34, 1, 1], restated=RISE),
    "onecycle, cosine": same(
        Cosine(100, 1000, 2).then(Cosine(1000, 1, 3), at=2), [100, 550, 1000, 750.25, 250.75, 1, 1], restated=RISE),
    "nonpositive_transition_steps": refused(lambda: OneCycle(5.0, 0), lambda: OneCycle(5.0, 0, anneal="linear")),
    "join_schedules": same(
        Constant(1.0).then(Constant(2.0), at=3).then(Constant(1.0), at=6), [1, 1, 1, 2, 2, 2, 1]),
    "warmup_increases_and_reaches_peak": same(warm(0.0, 1.0, 0.1, 5, 25), {5: 1.0}),
    "decay_nonincreasing_and_hits_end_value": same(warm(0.0, 2.0, 0.5, 4, 20), {20: 0.5}),
    "raises_when_decay_equals_warmup": refused(lambda: warm(0.2, 1.2, 0.0, 10, 10)),
}  # fmt: skip

# Keras: keras/src/optimizers/schedules/learning_rate_schedule_test.py

ALL = range(0, 1500, 250)


def fitted() -> list[float]:
    """The losses of three epochs of four batches, with Adam at 0.05, a tenth less after each update."""
    data = np.arange(32.0).reshape(16, 2)
    weights = {"kernel": np.ones((2, 2)), "bias": np.ones(2)}
    optimizer = Adam(lr=Exponential(0.05, 0.9), convention="keras")
    losses: list[float] = []
    for x in [*np.split(data, 4)] * 3:
        error = x @ weights["kernel"] + weights["bias"] - x
        losses.append(float((error**2).mean()))
        slope = 2 * error / error.size
        weights = optimizer.step(weights, {"kernel": x.T @ slope, "bias": slope.sum(axis=0)})
    return np.reshape(losses, (3, 4)).mean(axis=1).tolist()


def restarted(t: float, growth: float = 2.0, lower: float = 1.0, end: float = 0.0) -> float:
    length, peak = 1000.0, 1.0
    while t >= length:
        t, length, peak = t - length, length * growth, peak * lower
    return (1 - end) * peak * wave(t / length) + end


def again(power: float) -> Schedule:
    """A fall that begins anew at its end, and twice as long: `cycle=True`."""
    return Polynomial(0.05, 0.001, 10, power).then(Polynomial(0.05, 0.001, 20, power).shift(-10), at=10)


KERAS = {
    "fit_lr_correctness": same(fitted, [230.79457092285156, 128.30319213867188, 79.33648681640625], near=(5e-5, 0)),
    "exponential, continuous": same(Exponential(0.05, 0.96, 10), {5: 0.05 * 0.96**0.5}),
    "exponential, staircase": same(Exponential(0.1, 0.96, 3, True), {1: 0.1, 2: 0.1, 100: 0.1 * 0.96**33}),
    "exponential, variables": same(Step(0.1, 3, 0.96), {1: 0.1, 2: 0.1, 100: 0.1 * 0.96**33}),
    "piecewise_values": same(
        Piecewise([101, 111, 121], [1.0, 0.1, 0.01, 0.001]),
        {0: 1.0, 100: 1.0, 105: 0.1, 110: 0.1, 120: 0.01, 999: 0.001}, restated=BOUNDARY),
    "boundary_values": same(Piecewise([2, 3, 4], [0.4, 0.5, 0.6, 0.7]), [0.4, 0.4, 0.5, 0.6, 0.7], restated=BOUNDARY),
    "linear, halfway": same(Polynomial(0.05, 0.0, 10), {5: 0.025}),
    "linear, end": same(Polynomial(0.05, 0.001, 10), {10: 0.001}),
    "linear, halfway_with_end": same(Polynomial(0.05, 0.001, 10), {5: 0.0255}),
    "linear, beyond_end": same(Polynomial(0.05, 0.001, 10), {15: 0.001}),
    "linear, beyond_end_with_cycle": same(again(1.0), {15: 0.049 * 0.25 + 0.001}),
    "sqrt, halfway": same(Polynomial(0.05, 0.0, 10, 0.5), {5: 0.05 * 0.5**0.5}),
    "sqrt, end": same(Polynomial(0.05, 0.001, 10, 0.5), {10: 0.001}),
    "sqrt, halfway_with_end": same(Polynomial(0.05, 0.001, 10, 0.5), {5: 0.049 * 0.5**0.5 + 0.001}),
    "sqrt, beyond_end": same(Polynomial(0.05, 0.001, 10, 0.5), {15: 0.001}),
    "sqrt, beyond_end_with_cycle": same(again(0.5), {15: 0.049 * 0.5 + 0.001}),
    "sqrt, begin_with_cycle": same(Polynomial(0.001, 0.0001, 10), [0.001]),
    "inverse time, decay": same(
        InverseTime(0.1, 10 / 0.96), [0.1 / (1 + i / 10 * 0.96) for i in range(11)], restated=TIMESCALE),
    "inverse time, staircase": same(
        InverseTime(0.1, 10 / 0.96, every=10), [0.1 / (1 + 0.96 * (i // 10)) for i in range(11)], restated=TIMESCALE),
    "cosine, decay": same(Cosine(1.0, 0.0, 1000), of(lambda t: wave(min(t / 1000, 1)), ALL)),
    "cosine, warmup": same(warmup(Cosine(10.0, 0.0, 10), 1500), of(lambda t: t / 150, ALL)),
    "cosine, alpha": same(
        Cosine(1.0, 0.1, 1000), of(lambda t: 0.9 * wave(min(t / 1000, 1)) + 0.1, ALL), restated=FRACTION),
    "cosine, float64": same(Cosine(np.float64(1.0), 0.0, 1000), of(lambda t: wave(min(t / 1000, 1)), ALL)),
    "cosine, warmup_decay": same(
        warmup(Cosine(10.0, 0.0, 1000), 2000),
        of(lambda t: t / 200 if t <= 2000 else 10 * wave((t - 2000) / 1000), range(0, 3000, 250))),
    "restarts, decay": same(SGDR(1.0, 0.0, 1000, 2), of(restarted, ALL)),
    "restarts, float64": same(SGDR(np.float64(1.0), 0.0, 1000, 2), of(restarted, ALL)),
    "restarts, alpha": same(SGDR(1.0, 0.1, 1000, 2), of(partial(restarted, end=0.1), ALL), restated=FRACTION),
    "restarts, mmul": same(SGDR(1.0, 0.0, 1000, 2, 0.9), of(partial(restarted, lower=0.9), ALL)),
    "restarts, tmul": same(SGDR(1.0, 0.0, 1000, 1), of(partial(restarted, growth=1.0), ALL)),
}  # fmt: skip

PEERS = {"PyTorch": TORCH, "Transformers": TRANSFORMERS, "timm": TIMM, "optax": OPTAX, "Keras": KERAS}
TARGETS = {f"{peer}: {name}": target for peer, targets in PEERS.items() for name, target in targets.items()}


def rows(heading: str = "") -> dict[str, list[str]]:
    """The rows of the tables of the page, or of those below a heading, by their first cell."""
    text = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0] if heading else PAGE
    cells = [[cell.strip() for cell in row.split("|")] for row in re.findall(r"(?m)^\| (.*) \|$", text)]
    return {first: rest for first, *rest in cells}


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_of_theirs_holds_here_or_is_said_not_to(name: str) -> None:
    target = TARGETS[name]
    assert target.agrees() != bool(target.differs)
    assert not target.restated or target.restated in rows()


def test_what_differs_stands_on_the_page_with_its_reason_and_nothing_else_does() -> None:
    listed = rows("What others expect, and is not so here")
    differing = {target.differs for target in TARGETS.values() if target.differs}
    assert differing == listed.keys() - {"What their tests expect"}
    assert all(len(reason) > 20 for *_, reason in (listed[each] for each in differing))


def test_at_least_95_percent_agree_and_the_page_says_how_many() -> None:
    agree = Counter(bool(target.restated) for target in TARGETS.values() if target.agrees())
    assert agree.total() >= 0.95 * len(TARGETS)
    said = re.search(r"Of the (\d+) targets .*?, (\d+) hold here, (\d+) of them in ", " ".join(PAGE.split()))
    assert said and [int(each) for each in said.groups()] == [len(TARGETS), agree.total(), agree[True]]
