"""Schedules: what holds for every one of them, what each one promises, and what they refuse."""

import dataclasses
import json
import math
import pickle
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

import lrcourse
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
    Plateau,
    Polynomial,
    Schedule,
    Step,
    batch_schedule,
    epochs,
    maximum,
    minimum,
    plan_cycles,
    steps_per_epoch,
    warmup,
)

untyped: Any = lrcourse  # takes what a type checker refuses

settings.register_profile("schedules", deadline=None, max_examples=60)
settings.load_profile("schedules")

NAMES = {name: getattr(lrcourse, name) for name in lrcourse.__all__}

rate = st.floats(1e-6, 10.0)
ends = st.one_of(st.just(0.0), rate)
count = st.integers(1, 500)
gamma = st.floats(0.01, 1.0)
length = st.one_of(count, st.floats(0.5, 500.0))


def over(rates: st.SearchStrategy[float], n: int) -> st.SearchStrategy[list[float]]:
    return st.lists(rates, min_size=n, max_size=n).map(sorted)


def cyclic(scale: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[Schedule]:
    return st.builds(
        lambda bounds, up, down, scale: Cyclic(bounds[0], bounds[1], up, down, **scale),
        over(rate, 2), length, st.one_of(st.none(), length), scale,
    )  # fmt: skip


triangular = cyclic(st.just({}))
scaled = cyclic(
    st.one_of(st.just({"mode": "triangular2"}), st.builds(lambda g: dict(mode="exp_range", gamma=g), gamma))
)
sgdr = st.builds(
    lambda bounds, first, growth, decay, cycles: SGDR(bounds[1], bounds[0], first, growth, decay, cycles),
    over(ends, 2), length, st.one_of(st.just(1.0), st.floats(1.01, 3.0)), gamma,
    st.one_of(st.none(), st.integers(1, 5)),
)  # fmt: skip
one_cycle = st.builds(
    OneCycle, rate, st.integers(20, 500), st.floats(0.1, 0.45), st.one_of(st.none(), ends), st.one_of(st.none(), ends),
    st.sampled_from([2, 3]), st.sampled_from(["cos", "linear"]),
)  # fmt: skip
piecewise = st.integers(0, 4).flatmap(
    lambda n: st.builds(Piecewise, st.lists(count, min_size=n, max_size=n).map(sorted), over(ends, n + 1))
)
wsd = st.builds(
    WSD, rate, st.integers(0, 50), st.integers(0, 50), count, rate,
    st.sampled_from(["linear", "cosine", "1-sqrt", "exp"]), ends,
)  # fmt: skip
simple = st.one_of(
    st.builds(Constant, ends),
    st.builds(Linear, ends, ends, count),
    st.builds(Polynomial, ends, ends, count, st.floats(0.2, 5.0)),
    st.builds(Cosine, ends, ends, count),
    st.builds(Exponential, ends, gamma, length, st.booleans()),
    st.builds(Step, ends, count, gamma),
    st.builds(MultiStep, ends, st.lists(st.integers(0, 500), max_size=5).map(sorted), gamma),
    st.builds(InverseSqrt, ends, length),
    st.builds(InverseTime, ends, length, st.floats(0.1, 3.0), st.one_of(st.none(), length)),
    st.builds(REX, ends, ends, count, st.floats(0.0, 0.99)),
    st.builds(Geometric, rate, rate, count),
    triangular, scaled, sgdr, one_cycle, piecewise, wsd,
)  # fmt: skip
schedules = st.recursive(
    simple,
    lambda s: st.one_of(
        st.builds(lambda a, b: a + b, s, s),
        st.builds(lambda a, b: a * b, s, s),
        st.builds(lambda k, a: k * a, ends, s),
        st.builds(lambda a, b, n: a.then(b, at=n), s, s, st.integers(0, 300)),
        st.builds(lambda a, bounds: a.clip(*bounds), s, over(ends, 2)),
        st.builds(minimum, s, st.one_of(s, ends)),
        st.builds(maximum, s, st.one_of(s, ends)),
        st.builds(lambda a, by: a.shift(by), s, st.integers(-300, 300)),
        st.builds(lambda a, factor: a.stretch(factor), s, st.floats(0.1, 10.0)),
        st.builds(warmup, s, st.integers(0, 500), ends),
        st.builds(lambda peak, s, b, more: batch_schedule(Step(peak, 7, 0.5), b, b + more), rate, s, count, count),
    ),
    max_leaves=4,
)
steps = st.integers(0, 2000)
decays = st.one_of(
    st.builds(lambda r, n: Linear(r[1], r[0], n), over(ends, 2), count),
    st.builds(lambda r, n, p: Polynomial(r[1], r[0], n, p), over(ends, 2), count, st.floats(0.2, 5.0)),
    st.builds(lambda r, n: Cosine(r[1], r[0], n), over(ends, 2), count),
    st.builds(Exponential, ends, gamma, length, st.booleans()),
    st.builds(Step, ends, count, gamma),
    st.builds(MultiStep, ends, st.lists(count, max_size=5).map(sorted), gamma),
    st.builds(InverseSqrt, ends, length),
    st.builds(InverseTime, ends, length, st.floats(0.1, 3.0), st.one_of(st.none(), length)),
    st.builds(lambda r, n, bend: REX(r[1], r[0], n, bend), over(ends, 2), count, st.floats(0.0, 0.99)),
    st.builds(lambda r, n: Geometric(r[1], r[0], n), over(rate, 2), count),
    st.builds(lambda r, n, d, shape: WSD(r[1], 0, n, d, r[0], shape), over(rate, 2), count, count,
              st.sampled_from(["linear", "cosine", "1-sqrt", "exp"])),
)  # fmt: skip


# What holds for every schedule


@given(schedules, steps)
def test_a_number_gives_a_float(s: Schedule, t: int) -> None:
    assert type(s(t)) is float
    assert type(s(np.int64(t))) is float
    assert s(float(t)) == s(t) == s(np.array(t))


@given(schedules, arrays(np.int64, array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4), elements=steps))
def test_an_array_gives_float64_of_its_shape_point_by_point(s: Schedule, t: np.ndarray) -> None:
    rates = s(t)
    assert rates.dtype == np.float64 and rates.shape == t.shape
    assert rates.flags.writeable
    assert rates.ravel().tolist() == [s(int(at)) for at in t.ravel()]


@given(schedules, st.integers(1, 300))
def test_the_table_is_the_schedule_at_each_step(s: Schedule, n: int) -> None:
    assert s.table(n).tolist() == [s(t) for t in range(n)]


@given(schedules)
def test_rates_are_finite_and_not_negative_however_large_the_step(s: Schedule) -> None:
    rates = s([0, 1, 10**6, 10**12, 10**18])
    assert np.isfinite(rates).all() and (rates >= 0).all()


@given(schedules)
def test_frozen_equal_hashable_and_written_down(s: Schedule) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(s, dataclasses.fields(s)[0].name, 1)
    copy = eval(repr(s), {**NAMES})
    assert copy == s and hash(copy) == hash(s) and copy is not s
    assert pickle.loads(pickle.dumps(s)) == s
    assert Schedule.from_dict(json.loads(json.dumps(s.to_dict()))) == s


def test_different_parameters_are_different_schedules() -> None:
    assert Step(0.1, 30, 0.1) != Step(0.1, 31, 0.1)
    assert Linear(1.0, 0.0, 10) != Cosine(1.0, 0.0, 10)


@pytest.mark.parametrize(
    ("schedule", "last", "value"),
    [
        (Linear(1.0, 0.25, 10), 10, 0.25),
        (Polynomial(1.0, 0.25, 10, power=3), 10, 0.25),
        (Cosine(1.0, 0.25, 10), 10, 0.25),
        (OneCycle(1.0, 10, final_lr=0.25), 9, 0.25),
        (OneCycle(1.0, 20, final_lr=0.25, phases=3), 19, 0.25),
        (WSD(1.0, 2, 3, 5, end=0.25), 10, 0.25),
        (WSD(1.0, 2, 3, 5, end=0.25, shape="exp"), 10, 0.25),
        (WSD(1.0, 2, 3, 5, end=0.25, shape="1-sqrt"), 10, 0.25),
        (WSD(1.0, 2, 3, 5, end=0.25, shape="cosine"), 10, 0.25),
        (REX(1.0, 0.25, 10), 10, 0.25),
        (Geometric(1.0, 0.25, 10), 10, 0.25),
        (SGDR(1.0, 0.25, 5, cycles=2), 10, 0.25),
        (SGDR.over(10, cycles=3, peak=1.0, end=0.25, t_mult=1.5), 10, 0.25),
        (Linear(1.0, 0.25, 7).shift(3), 10, 0.25),
        (Linear(1.0, 0.25, 14).shift(-4), 10, 0.25),
        (Linear(1.0, 0.25, 4).stretch(2.5), 10, 0.25),
        (MultiStep(1.0, [3, 10], 0.5), 10, 0.25),
        (Piecewise([3, 10], [1.0, 0.5, 0.25]), 10, 0.25),
        (warmup(Linear(1.0, 0.25, 7), 3), 10, 0.25),
    ],
)
def test_past_the_end_the_last_value_holds(schedule: Schedule, last: int, value: float) -> None:
    assert schedule(last - 1) != value
    assert schedule([last, last + 1, 2 * last, 10**6, 10**18]).tolist() == [value] * 5


def test_a_million_steps_are_one_evaluation() -> None:
    calls: list[int] = []

    def fn(t: Any) -> Any:
        calls.append(np.size(t))
        return 1 / (1 + t)

    def evaluated() -> tuple[int, int]:
        """How many calls take all steps, and how many another number; these are few, and of a step or two."""
        long = calls.count(10**6)
        assert max(size for size in calls if size != 10**6) <= 2
        short = len(calls) - long
        calls.clear()
        return long, short

    million = np.arange(10**6)
    Lambda(fn)(million)
    assert evaluated() == (1, 3)
    (2 * Lambda(fn) + Constant(1.0)).then(Step(0.1, 30, 0.1), at=500).clip(0.0, 1.0).table(10**6)
    assert evaluated() == (1, 3)
    Cyclic(0.1, 1.0, 100, scale_fn=fn)(million)
    Cyclic(0.1, 1.0, 100, scale_fn=fn, scale_mode="iterations")(million)
    assert evaluated() == (2, 6)


# The algebra


@given(schedules, schedules, ends, steps)
def test_sum_and_product_are_exact_point_by_point(a: Schedule, b: Schedule, k: float, t: int) -> None:
    assert (a + b)(t) == a(t) + b(t)
    assert (a * b)(t) == a(t) * b(t)
    assert (k * a)(t) == (a * k)(t) == (np.float64(k) * a)(t) == k * a(t)
    assert (k + a)(t) == (a + k)(t) == k + a(t)


@given(schedules, schedules, rate, steps)
def test_difference_and_quotient_are_exact_point_by_point_or_refused(
    a: Schedule, b: Schedule, k: float, t: int
) -> None:
    cases: list[Any] = [(a, b, a(t) - b(t)), (a, k, a(t) - k), (k, a, k - a(t))]
    for minuend, subtrahend, of_t in cases:
        difference = minuend - subtrahend
        assert difference.clip(0.0, 1e9)(t) == max(of_t, 0.0)
        if of_t >= 0:
            assert difference(t) == of_t
        else:
            with pytest.raises(ValueError, match=f"at step {t} must be a finite number, zero or more, got -"):
                difference(t)
    assert (a / k)(t) == a(t) * (1 / k) == pytest.approx(a(t) / k)
    assert Schedule.from_dict((a - b / k).to_dict()) == a - b / k == eval(repr(a - b / k), {**NAMES})


@given(schedules, schedules, st.integers(0, 300))
def test_then_switches_at_the_boundary_and_the_child_starts_at_0(a: Schedule, b: Schedule, n: int) -> None:
    table = a.then(b, at=n).table(n + 50)
    assert table[:n].tolist() == [a(t) for t in range(n)]
    assert table[n:].tolist() == b.table(50).tolist()


@pytest.mark.parametrize(("at", "expected"), [(0, [5, 4, 3, 2]), (1, [1, 5, 4, 3]), (3, [1, 2, 3, 5])])
def test_then_by_hand(at: int, expected: list[float]) -> None:
    assert Linear(1, 4, 3).then(Linear(5, 0, 5), at=at).table(4).tolist() == expected


@given(schedules, over(ends, 2), steps)
def test_clip(s: Schedule, bounds: list[float], t: int) -> None:
    assert s.clip(*bounds)(t) == min(max(s(t), bounds[0]), bounds[1])


@given(schedules, count, ends)
def test_warmup_is_a_line_and_then_the_schedule(s: Schedule, n: int, start: float) -> None:
    table = warmup(s, n, start).table(n + 20)
    np.testing.assert_allclose(table[: n + 1], np.linspace(start, s(0), n + 1), rtol=1e-12)
    assert table[0] == start
    assert table[n:].tolist() == s.table(20).tolist()


@given(schedules, schedules, ends, steps)
def test_minimum_and_maximum_are_exact_point_by_point(a: Schedule, b: Schedule, k: float, t: int) -> None:
    assert minimum(a, b)(t) == min(a(t), b(t)) and maximum(a, b)(t) == max(a(t), b(t))
    assert minimum(a, k)(t) == minimum(k, a)(t) == min(a(t), k)
    assert maximum(a, k)(t) == maximum(k, a)(t) == max(a(t), k)


@given(schedules, st.integers(0, 300), steps)
def test_a_shift_comes_later_or_sooner(s: Schedule, by: int, t: int) -> None:
    later, sooner = s.shift(by), s.shift(-by)
    assert later(t) == s(max(t - by, 0)) and sooner(t) == s(t + by)
    assert later.shift(-by)(t) == s.shift(0)(t) == s(t)


@given(schedules, st.integers(1, 20), steps)
def test_a_stretch_by_a_whole_number_meets_the_schedule_at_its_steps(s: Schedule, factor: int, t: int) -> None:
    assert s.stretch(factor)(factor * t) == s(t)
    assert s.stretch(1)(t) == s(t)


@given(st.integers(1, 200), st.integers(1, 200), st.integers(1, 50))
def test_stretched_stairs_come_at_their_own_step(a: int, b: int, k: int) -> None:
    stairs = Step(1.0, every=b * k, gamma=0.5).stretch(a / b)  # the first is at a * k, which a / b may not say exactly
    assert stairs([a * k - 1, a * k]).tolist() == [1.0, 0.5]


def test_a_recipe_for_a_thousand_steps_is_one_for_three_thousand() -> None:
    recipe = warmup(Cosine(0.1, 0.0, 900), 100)
    longer = warmup(Cosine(0.1, 0.0, 2700), 300)
    np.testing.assert_allclose(recipe.stretch(3000 / 1000).table(3100), longer.table(3100), atol=1e-15)


@given(schedules, ends)
def test_a_warm_up_of_no_steps_is_the_schedule(s: Schedule, start: float) -> None:
    assert warmup(s, 0, start) is s


# Each schedule by itself


@given(decays)
def test_decays_never_rise(s: Schedule) -> None:
    table = s.table(1200)
    assert (np.diff(table) <= 4 * np.finfo(float).eps * table[0]).all()


@given(ends, ends, count, st.floats(0.2, 5.0))
def test_end_points_are_exact(a: float, b: float, n: int, power: float) -> None:
    whole: list[Schedule] = [Linear(a, b, n), Polynomial(a, b, n, power), Cosine(a, b, n), REX(a, b, n, power / 6)]
    for s in whole + ([Geometric(a, b, n)] if a and b else []):
        assert (s(0), s(n)) == (a, b)
        assert min(a, b) <= s.table(n + 1).min() and s.table(n + 1).max() <= max(a, b)


@given(one_cycle)
def test_one_cycle_corners(s: OneCycle) -> None:
    initial = s.max_lr / 25 if s.initial_lr is None else s.initial_lr
    final = initial / 10_000 if s.final_lr is None else s.final_lr
    top = s.pct_start * s.steps - 1
    assert (s(0), s(s.steps - 1)) == (initial, final)
    assert s(top) == pytest.approx(s.max_lr, rel=1e-9)
    if s.phases == 3:
        assert s(2 * top) == pytest.approx(initial, rel=1e-9)


@pytest.mark.parametrize("phases", [2, 3])
def test_momentum_mirrors_the_rate(phases: int) -> None:
    cycle = OneCycle(1.0, 100, initial_lr=0.0, final_lr=0.0, phases=phases)
    np.testing.assert_allclose(cycle.momentum(0.85, 0.95).table(120), 0.95 - 0.1 * cycle.table(120), atol=1e-15)


@given(triangular, st.integers(0, 10))
def test_cyclic_repeats_between_its_bounds(s: Cyclic, cycle: int) -> None:
    up = s.step_size_up
    down = up if s.step_size_down is None else s.step_size_down
    start = cycle * (up + down)
    assert s(start) == pytest.approx(s.base_lr, rel=1e-9)
    assert s(start + up) == pytest.approx(s.max_lr, rel=1e-9)
    t = np.linspace(0, up + down, 50)
    np.testing.assert_allclose(s(start + t), s(t), atol=1e-9 * s.max_lr)
    assert (s(t) >= s.base_lr).all() and (s(t) <= s.max_lr * (1 + 1e-15)).all()
    np.testing.assert_allclose(s([up / 2, up + down / 2]), (s.base_lr + s.max_lr) / 2)


@given(st.one_of(triangular, scaled), over(st.floats(0.0, 0.99), 2), steps)
def test_the_momentum_of_cycles_mirrors_their_rate(s: Cyclic, bounds: list[float], t: int) -> None:
    base, top = bounds
    height = Cyclic(0.0, 1.0, s.step_size_up, s.step_size_down, s.mode, s.gamma)(t)
    momentum = s.momentum(base, top)
    assert momentum(t) == pytest.approx(top - (top - base) * height, abs=1e-12)
    assert Schedule.from_dict(json.loads(json.dumps(momentum.to_dict()))) == momentum


@given(over(rate, 2), count, st.integers(1, 9))
def test_cycles_that_fill_a_run(bounds: list[float], n: int, cycles: int) -> None:
    base, top = bounds
    s = Cyclic.over(n, cycles, base, top, mode="triangular2")
    assert s == Cyclic(base, top, n / cycles / 2, mode="triangular2")
    assert s(n) == pytest.approx(base)
    assert Cyclic.over(n, cycles + 0.5, base, top)(n) == pytest.approx(top, rel=1e-6)


@given(over(rate, 2), count, steps)
def test_cyclic_is_the_papers_formula(bounds: list[float], n: int, t: int) -> None:
    base, top = bounds
    cycle = math.floor(1 + t / (2 * n))
    height = max(0.0, 1 - abs(t / n - 2 * cycle + 1))
    expected = {"triangular": 1.0, "triangular2": 1 / 2 ** (cycle - 1), "exp_range": 0.99**t}
    for mode, scale in expected.items():
        s = Cyclic(base, top, n, mode=mode, gamma=0.99)
        assert s(t) == pytest.approx(base + (top - base) * height * scale, rel=1e-9)
    by_cycle = Cyclic(base, top, n, scale_fn=lambda c: 0.5 * (1 + math.sin(c * math.pi / 2)))
    assert by_cycle(t) == pytest.approx(
        base + (top - base) * height * 0.5 * (1 + math.sin(cycle * math.pi / 2)), rel=1e-9
    )
    by_step = Cyclic(base, top, n, scale_fn=lambda i: 1 / 5 ** (i * 0.0001), scale_mode="iterations")
    assert by_step(t) == pytest.approx(base + (top - base) * height / 5 ** (t * 0.0001), rel=1e-9)


@given(over(ends, 2), st.integers(1, 50), st.integers(1, 3), gamma)
def test_sgdr_restarts_where_its_cycles_end(bounds: list[float], first: int, growth: int, decay: float) -> None:
    end, peak = bounds
    s = SGDR(peak, end, first, growth, decay)
    start = 0
    for i in range(7):  # 3 ** 5 is where a rounded logarithm falls short
        last = first * growth**i
        top = max(end, peak * decay**i)
        assert s(start) == pytest.approx(top, rel=1e-12)
        np.testing.assert_allclose(
            s(start + np.arange(last)), Cosine(top, end, last).table(last), rtol=1e-9, atol=1e-12 * peak
        )
        start += last


@given(over(ends, 2), st.integers(20, 2000), st.integers(1, 9), st.sampled_from([1.0, 1.5, 2.0, 3.0]), gamma)
def test_restarts_by_the_number_of_cycles_fill_the_run(
    bounds: list[float], n: int, cycles: int, growth: float, decay: float
) -> None:
    end, peak = bounds
    if n < sum(growth**i for i in range(cycles)):
        with pytest.raises(ValueError, match="cycles must be few enough"):
            SGDR.over(n, cycles, peak, end, growth, decay)
        return
    s = SGDR.over(n, cycles, peak, end, growth, decay)
    starts = s.first * np.cumsum([0, *(growth ** np.arange(cycles))])
    assert starts[-1] == pytest.approx(n)
    assert s([n, n + 1, 10 * n]).tolist() == [end] * 3
    for i, start in enumerate(starts[:-1]):  # the first update of each cycle has its peak, but for the part of a step
        t = math.ceil(start - 1e-9)
        into = (t - start) / (s.first * growth**i)
        expected = Cosine(max(end, peak * decay**i), end, 1)(max(into, 0.0))
        assert s(t) == pytest.approx(expected, rel=1e-6, abs=1e-9 * peak)
    assert SGDR(peak, end, s.first, growth, decay).table(n).tolist() == s.table(n).tolist()


@given(st.integers(3, 50), st.integers(1, 30))
def test_a_restart_comes_at_its_own_step(first: int, cycles: int) -> None:
    s = SGDR.over(first * cycles * 7, 7 * cycles, 1.0)  # cycles of `first` steps, as a quotient
    assert s.table(first * cycles * 7)[::first].tolist() == [1.0] * (7 * cycles)
    odd = SGDR.over(first * cycles, 3 * cycles, 1.0)  # every third restart is at a whole step
    assert odd.table(first * cycles)[::first].tolist() == [1.0] * cycles


@given(sgdr, arrays(np.int64, 20, elements=st.integers(0, 10**6)))
def test_sgdr_stays_in_its_bounds(s: SGDR, t: np.ndarray) -> None:
    assert (s(t) >= s.end * (1 - 1e-15)).all() and (s(t) <= s.peak * (1 + 1e-15)).all()


def test_stairs_change_at_the_step_itself() -> None:
    assert Step(1.0, 3, 0.5).table(7).tolist() == [1, 1, 1, 0.5, 0.5, 0.5, 0.25]
    assert MultiStep(1.0, [0, 2, 2], 0.5).table(4).tolist() == [0.5, 0.5, 0.125, 0.125]
    assert Piecewise([0, 2], [9.0, 1.0, 2.0]).table(4).tolist() == [1, 1, 2, 2]
    assert Exponential(1.0, 0.5, every=3, staircase=True).table(7).tolist() == Step(1.0, 3, 0.5).table(7).tolist()


def test_growth_beyond_float64_is_never_nan() -> None:
    with np.errstate(all="raise", over="ignore", under="ignore"):
        assert Exponential(0.0, 2.0)(10**18) == 0.0
        assert Cyclic(0.5, 1.0, 3, mode="exp_range", gamma=2.0)(6 * 10**6) == 0.5


@given(wsd)
def test_the_warm_up_of_wsd_is_that_of_warmup(s: WSD) -> None:
    if s.warmup:
        rest = WSD(s.peak, 0, s.stable, s.decay, s.end, s.shape)
        np.testing.assert_array_equal(s.table(200), warmup(rest, s.warmup, s.start).table(200))


def test_inverse_time_is_what_it_says_it_is_like() -> None:
    t = np.arange(3000)
    np.testing.assert_allclose(InverseTime(0.3, 70, power=0.5)(t), InverseSqrt(0.3, 70)(t), rtol=1e-14)
    np.testing.assert_allclose(InverseTime(0.3, 1, power=0.25)(t), 0.3 / np.arange(1, 3001) ** 0.25, rtol=1e-14)
    assert InverseTime(0.3, 70, every=10).table(3000).tolist() == np.repeat(InverseTime(0.3, 70)(t[::10]), 10).tolist()


def test_rex_is_the_papers_and_its_authors_formula() -> None:
    z = 1 - np.arange(401) / 400
    np.testing.assert_allclose(REX(0.3, 0.0, 400).table(401), 0.3 * z / (0.5 + 0.5 * z), rtol=1e-13)
    # REX_LR of IvanVassi, and the same in trainers of LoRA
    np.testing.assert_allclose(REX(0.3, 0.1, 400, 0.9).table(401), 0.1 + 0.2 * z / (1 - 0.9 + 0.9 * z), rtol=1e-13)
    assert REX(0.3, 0.0, 400, bend=0.0).table(401) == pytest.approx(Linear(0.3, 0.0, 400).table(401), rel=1e-13)


def test_geometric_is_numpys_and_an_exponential_with_a_known_end() -> None:
    np.testing.assert_allclose(Geometric(1e-5, 0.3, 400).table(401), np.geomspace(1e-5, 0.3, 401), rtol=1e-12)
    falling = Exponential(0.3, gamma=0.01, every=400)
    np.testing.assert_allclose(Geometric(0.3, 0.003, 400).table(401), falling.table(401), rtol=1e-12)


def test_restarts_by_number_are_those_of_timm() -> None:
    def theirs(t: int) -> float:
        """timm's CosineLRScheduler with t_initial=100, cycle_mul=2, cycle_decay=0.5, cycle_limit=3, from its source."""
        i = math.floor(math.log2(1 + t / 100) + 1e-9)
        into, length, top = t - (2**i - 1) * 100, 100 * 2**i, 0.3 * 0.5**i
        return 0.01 + 0.5 * (top - 0.01) * (1 + math.cos(math.pi * into / length)) if i < 3 else 0.01

    s = SGDR(0.3, 0.01, 100, t_mult=2, peak_mult=0.5, cycles=3)
    np.testing.assert_allclose(s.table(1000), [theirs(t) for t in range(1000)], rtol=1e-12)


def test_transformer_schedule() -> None:
    s = warmup(InverseSqrt(0.1, 400), 400)
    t = np.arange(1, 5000)
    np.testing.assert_allclose(s(t), 0.1 * np.minimum(t / 400, np.sqrt(400 / t)), rtol=1e-12)


def test_a_function_may_take_numbers_or_arrays_or_be_constant() -> None:
    assert Lambda(lambda t: 1.0 if t < 2 else 0.5).table(4).tolist() == [1, 1, 0.5, 0.5]
    assert Lambda(lambda t: 0.3).table(3).tolist() == [0.3] * 3
    assert pickle.loads(pickle.dumps(Lambda(math.sqrt)))(4) == 2.0
    assert hash(Lambda(math.sqrt)) == hash(Lambda(math.sqrt))
    for holds_a_function in (Lambda(math.sqrt), Cyclic(0.1, 1.0, 3, scale_fn=math.sqrt), 2 * Lambda(math.sqrt)):
        with pytest.raises(ValueError, match="fn must be plain data"):
            holds_a_function.to_dict()


# Functions, and formulas of one's own, that make one number of many steps, or couple them; and those that do not
def noam(t: Any) -> Any:
    return 512**-0.5 * np.min([(t + 1) ** -0.5, (t + 1) * 40**-1.5])


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "noam": noam,
    "sum": lambda t: 0.1 * 0.1 ** np.sum(t >= np.array([2, 5])),
    "any": lambda t: 0.01 if np.any(t >= 3) else 0.1,
    "all": lambda t: 0.1 if np.all(t < 3) else 0.01,
    "argmax": lambda t: [0.1, 0.2, 0.3][int(np.argmax([t < 2, t < 9, True]))],
    "max": lambda t: 1 / np.max([1, np.max(t)]),
    "coupled": lambda t: 0.9 ** (t - np.min(t)) * np.ones_like(t),
    "coupled in the middle": lambda t: np.minimum(np.median(t), t),
    "summed up": lambda t: 0.9 ** np.cumsum(t).reshape(np.shape(t)),
    "reversed": lambda t: 1.0 / (1 + np.ravel(t)[::-1].reshape(np.shape(t))),
    "constant": lambda t: 0.1,
    "power": lambda t: 0.1 * 0.9**t,
    "vectorized": lambda t: 0.05 * (1 + np.cos(np.pi * np.minimum(t, 100) / 100)),
    "a branch": lambda t: 0.1 * 0.9**t if t < 7 else 0.01,
    "math": lambda t: 0.1 * math.exp(-0.01 * t),
    "float32": lambda t: np.float32(0.1) * np.float32(0.9) ** np.float32(t),
    "a column": lambda t: np.interp(t, [0, 50, 100], [0.0, 0.1, 0.0]),
    "np.vectorize": np.vectorize(lambda t: 0.1 if t < 4 else 0.3**t),
}


class Formula(Schedule):
    """A formula of one's own, which is given arrays only."""

    def __init__(self, fn: Callable[[Any], Any]) -> None:
        object.__setattr__(self, "fn", fn)

    def rates(self, t: Any) -> Any:
        return self.fn(t)  # type: ignore[attr-defined]


AROUND: dict[str, Callable[[Callable[[Any], Any]], Schedule]] = {
    "Lambda": Lambda,
    "in the algebra": lambda fn: (2 * Lambda(fn) + Constant(0.1)).clip(0.0, 9.0),
    "second": lambda fn: Constant(0.1).then(Lambda(fn), at=3),
    "growing batch": lambda fn: batch_schedule(Constant(1.0) + Lambda(fn), 8, 64),
    "scale_fn of cycles": lambda fn: Cyclic(0.1, 1.0, 3, scale_fn=fn),
    "scale_fn of steps": lambda fn: Cyclic(0.1, 1.0, 3, scale_fn=fn, scale_mode="iterations"),
    "formula": Formula,
    "formula in the algebra": lambda fn: 2 * Formula(fn) + Constant(0.1),
}
OF_NUMBERS = ("a branch", "math", "argmax", "sum", "float32")  # they take no array, as a formula has to


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_step_has_one_rate_whichever_steps_are_asked_for_with_it(name: str, around: str) -> None:
    if "formula" in around and name in OF_NUMBERS:
        return
    s = AROUND[around](FUNCTIONS[name])
    alone = [s(t) for t in range(211)]
    for n in (1, 2, 3, 10, 211):
        assert s.table(n).tolist() == alone[:n]
    assert s([[7, 3], [0, 210]]).tolist() == [[alone[7], alone[3]], [alone[0], alone[210]]]
    assert s([5, 5, 5]).tolist() == [alone[5]] * 3
    assert s([]).tolist() == []


def test_the_rate_of_a_step_is_what_the_function_gives_for_that_number() -> None:
    for fn in FUNCTIONS.values():
        np.testing.assert_allclose(Lambda(fn).table(50), [fn(float(t)) for t in range(50)], rtol=1e-6)


# Only rates are given out


def until(n: int, value: Any) -> Callable[[float], Any]:
    return lambda t: 0.1 if t < n else value


NO_NUMBERS: list[Any] = [None, True, np.bool_(True), "0.1", 1j, [0.1, 0.2], {}, np.array([0.1, 0.2]), 10**400]
NO_RATES: list[Any] = [*NO_NUMBERS, math.nan, math.inf, -math.inf, -0.1]


@pytest.mark.parametrize("value", NO_RATES, ids=lambda value: repr(value)[:20])
@pytest.mark.parametrize("around", [
    lambda s: s, lambda s: 2 * s, lambda s: s + s, 
    lambda s: s.then(Constant(1.0), at=20), lambda s: Constant(0.1).then(s, at=0), lambda s: s * Linear(1.0, 0.5, 9),
])  # fmt: skip
def test_what_a_function_gives_is_refused_unless_it_is_a_rate(around: Callable[..., Schedule], value: Any) -> None:
    schedule = around(Lambda(until(3, value)))
    assert schedule.table(3).min() > 0
    for ask in (lambda: schedule(3), lambda: schedule([0, 1, 3, 2]), lambda: schedule.table(9)):
        with pytest.raises(ValueError, match=r"Lambda\(fn=<function until.*must be .*number.*, got .*: ") as caught:
            ask()
        assert "at step 3 must" in str(caught.value)


def test_the_value_that_is_no_rate_is_named() -> None:
    for value in (None, "0.1", -0.5, math.nan, {}):
        with pytest.raises(ValueError, match=rf"at step 7 must be .*, got {value!r}: "):
            Lambda(until(7, value)).table(20)
    with pytest.raises(ValueError, match=r"scale_fn of Cyclic\(.*at cycle 3 must be a number, got None: "):
        Cyclic(0.1, 1.0, 5, scale_fn=until(3, None)).table(40)
    with pytest.raises(ValueError, match=r"scale_fn of Cyclic\(.*at step 4 must be a number, got None: "):
        Cyclic(0.1, 1.0, 5, scale_fn=until(4, None), scale_mode="iterations").table(40)
    with pytest.raises(ValueError, match=r"Cyclic\(.*at step 11 must be a finite number, zero or more, got -0.26"):
        Cyclic(0.1, 1.0, 5, scale_fn=until(2, -2.0)).table(40)


def test_a_function_that_fails_says_where() -> None:
    with pytest.raises(IndexError) as caught:
        Lambda(lambda t: [0.1, 0.2, 0.3][int(t)]).table(5)
    assert re.search(r"raised by fn of Lambda\(fn=<function .*at step 3\.", caught.value.__notes__[0])


@pytest.mark.parametrize("rates", [[0.1, 0.2], (0.1, 0.2), np.array([0.1, 0.2]), range(2)])
def test_a_step_as_an_index_is_told_that_it_is_a_float(rates: Any) -> None:
    with pytest.raises((TypeError, IndexError)) as caught:
        Lambda(lambda t: rates[t]).table(2)
    assert "at step 0. Steps come as floats: for an index write int(t)." in caught.value.__notes__[0]
    with pytest.raises(IndexError) as caught:
        Lambda(lambda t: rates[int(t)]).table(3)
    assert caught.value.__notes__[0].endswith("at step 2.")


def test_a_formula_of_ones_own_is_held_to_rates_too() -> None:
    @dataclasses.dataclass(frozen=True)
    class Short(Schedule):
        def rates(self, t: Any) -> Any:
            return t[:2] if t.size > 4 else None

    for t in (3, [3, 4]):
        with pytest.raises(ValueError, match=r"Short\(\) at step 3 must be a number, got None: "):
            Short()(t)
    with pytest.raises(ValueError, match=r"Short\(\) must be an array with one number per step, \(9,\), got .*\(2,\)"):
        Short().table(9)


def test_growth_to_infinity_is_refused_where_it_is_asked_for() -> None:
    growing = Exponential(10.0, 2.0)
    assert growing(1000) < math.inf
    with pytest.raises(ValueError, match=r"at step 100000 must be a finite number, zero or more, got inf"):
        growing(10**5)


def test_numbers_of_any_kind_are_rates() -> None:
    ones: list[Any] = [1, np.float32(1), np.int8(1), np.array(1.0), Fraction(1), np.array([1.0])]
    for one in ones:
        assert Lambda(until(0, one))(0) == 1.0
        if np.ndim(one) == 0:
            assert Lambda(until(0, one)).table(3).tolist() == [1.0, 1.0, 1.0]


def test_a_function_cannot_edit_the_steps_of_its_neighbors() -> None:
    def edits(t: Any) -> Any:
        t *= 0
        return t + 1.0

    assert (Lambda(edits) * Linear(1.0, 0.0, 2)).table(3).tolist() == [1.0, 0.5, 0.0]
    own = np.ones(3)
    Lambda(lambda t: own if np.ndim(t) else 1.0).table(3)[:] = 7
    assert own.tolist() == [1.0] * 3


# Plateau


def run(plateau: Plateau, metrics: list[float]) -> list[float]:
    return [plateau.update(metric) for metric in metrics]


def test_plateau_cuts_at_the_patience_th_bad_update() -> None:
    assert run(Plateau(1.0, 0.5, patience=2), [3, 3, 3, 3, 3]) == [1, 1, 0.5, 0.5, 0.25]
    assert run(Plateau(1.0, 0.5, patience=1), [3, 2, 1, 1, 0]) == [1, 1, 1, 0.5, 0.5]


def test_plateau_counts_a_relative_gain_on_the_size_of_the_best() -> None:
    patient = Plateau(1.0, 0.5, patience=1, threshold=0.1)
    assert run(patient, [-1.0, -1.05, -1.2]) == [1, 0.5, 0.5]  # 5 % better is not enough, 20 % is
    assert patient.best == -1.2
    assert run(Plateau(1.0, 0.5, patience=1, threshold=0.1), [-1.0, -0.95]) == [1, 0.5]  # worse is worse
    assert run(Plateau(1.0, 0.5, patience=1, threshold=0.1), [1.0, 0.95, 0.85]) == [1, 0.5, 0.5]


def test_plateau_upwards() -> None:
    assert run(Plateau(1.0, 0.5, patience=1, mode="max"), [0.5, 0.6, 0.6, 0.7]) == [1, 1, 0.5, 0.5]
    assert run(Plateau(1.0, 0.5, patience=1, mode="max"), [-2.0, -1.0, -1.5]) == [1, 1, 0.5]


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_plateau_never_takes_nan_or_infinity_for_the_best(broken: float) -> None:
    plateau = Plateau(1.0, 0.5, patience=2)
    assert run(plateau, [broken, 3.0, 2.0, broken, broken]) == [1, 1, 1, 1, 0.5]
    assert plateau.best == 2.0


def test_plateau_cools_down_without_counting() -> None:
    assert run(Plateau(1.0, 0.5, patience=1, cooldown=2), [1.0] * 7) == [1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25]


def test_plateau_stops_at_its_lowest_rate() -> None:
    assert run(Plateau(1.0, 0.1, patience=1, min_lr=0.05), [1.0] * 5) == [1, 0.1, 0.05, 0.05, 0.05]
    assert run(Plateau(0.01, 0.1, patience=1, min_lr=0.05), [1.0] * 3) == [0.01] * 3  # never raised


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=30), st.integers(0, 30), st.sampled_from(["min", "max"]))
def test_plateau_resumes_from_its_state(metrics: list[float], at: int, mode: str) -> None:
    fresh: dict[str, Any] = dict(lr=1.0, factor=0.5, patience=2, cooldown=1, mode=mode)
    whole, first, second = Plateau(**fresh), Plateau(**fresh), Plateau(lr=7.0)
    expected = run(whole, metrics)
    begun = run(first, metrics[:at])
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert begun + run(second, metrics[at:]) == expected
    assert second == whole


@pytest.mark.parametrize(("name", "value"), [
    ("lr", math.nan), ("lr", -1.0), ("lr", math.inf), ("factor", math.nan), ("factor", -0.5), ("factor", 2.0),
    ("min_lr", math.nan), ("min_lr", -1.0), ("patience", 0), ("bad_updates", -3), ("bad_updates", math.nan),
    ("cooling", "x"), ("cooling", -1), ("best", math.nan), ("best", "x"),
])  # fmt: skip
def test_plateau_gives_only_rates_whatever_is_set_or_loaded(name: str, value: Any) -> None:
    plateau = Plateau(1.0, 0.5, patience=2)
    run(plateau, [3.0, 3.0])
    before = plateau.state_dict()
    with pytest.raises(ValueError, match=f"{name} must be "):
        plateau.load_state_dict({**before, name: value})
    assert plateau.state_dict() == before
    setattr(plateau, name, value)
    with pytest.raises(ValueError, match=f"{name} must be "):
        plateau.update(3.0)


def test_plateau_refuses_a_foreign_state() -> None:
    with pytest.raises(ValueError, match="state must be the fields"):
        Plateau(1.0).load_state_dict({"lr": 1.0})
    plateau = Plateau(1.0)
    with pytest.raises(ValueError, match="lr must be a finite number, got nan"):
        plateau.load_state_dict({**plateau.state_dict(), "lr": math.nan})
    assert plateau == Plateau(1.0)


# Planning


def test_epochs_to_steps() -> None:
    assert [steps_per_epoch(1000, b) for b in (1, 64, 1000, 2000)] == [1000, 16, 1, 1]
    assert epochs(2.5, 100) == 250 and type(epochs(2, 100)) is int


@given(count, st.integers(1, 20), count)
def test_planned_cycles(run_epochs: int, half: int, per_epoch: int) -> None:
    plan = plan_cycles(run_epochs, half, per_epoch)
    assert plan.cycles == run_epochs / (2 * half)
    assert (plan.steps, plan.step_size) == (run_epochs * per_epoch, half * per_epoch)
    ends_low = Cyclic(0.0, 1.0, plan.step_size)(plan.steps) == 0.0
    assert plan.ends_at_minimum == ends_low
    below, above = plan.nearest
    assert 0 < below <= max(run_epochs, 2 * half) and above - below in (0, 2 * half) and above >= run_epochs
    for better in plan.nearest:
        assert plan_cycles(better, half, per_epoch).ends_at_minimum


@given(decays, count, st.integers(0, 5000), st.integers(0, 600))
def test_a_growing_batch_keeps_the_noise_of_an_update(s: Schedule, batch: int, more: int, t: int) -> None:
    if s(0) == 0:
        return
    plan = batch_schedule(s, batch, batch + more)
    size = plan.batch(t)
    assert type(size) is int and batch <= size <= batch + more
    assert plan(t) / size == pytest.approx(s(t) / batch, rel=1e-12)
    assert np.asarray(plan.batch([t, t])).tolist() == [size, size]
    sizes = np.asarray(plan.batch(np.arange(600)))
    assert sizes[0] == batch and (np.diff(sizes) >= 0).all()


# What is refused, and how

BAD: list[tuple[Callable[[], Any], str, str, str]] = [
    (lambda: Cyclic(base_lr=0.1, max_lr=0.01, step_size_up=5), "max_lr", "0.01", "swap"),
    (lambda: Cyclic(0.1, 1.0, 0), "step_size_up", "0", "steps"),
    (lambda: Cyclic(0.1, 1.0, 5, -1), "step_size_down", "-1", "steps"),
    (lambda: Cyclic(0.1, 1.0, 5, mode="square"), "mode", "'square'", "triangular2"),
    (lambda: Cyclic(0.1, 1.0, 5, scale_mode="epoch"), "scale_mode", "'epoch'", "iterations"),
    (lambda: Cyclic(0.1, 1.0, 5, gamma=0), "gamma", "0", "use 1 to keep the height, or for example 0.9999"),
    (lambda: Constant(-0.1), "lr", "-0.1", "absolute value"),
    (lambda: Constant(math.nan), "lr", "nan", "plain int or float"),
    (lambda: Constant(math.inf), "lr", "inf", "plain int or float"),
    (lambda: Constant(True), "lr", "True", "plain int or float"),
    (lambda: untyped.Constant("0.1"), "lr", "'0.1'", "plain int or float"),
    (lambda: untyped.Constant(None), "lr", "None", "plain int or float"),
    (lambda: Linear(1.0, 0.0, 0), "steps", "0", "epochs("),
    (lambda: untyped.Linear(1.0, 0.0, 2.5), "steps", "2.5", "epochs("),
    (lambda: Linear(1.0, 0.0, True), "steps", "True", "plain int or float"),
    (lambda: Linear(-1.0, 0.0, 5), "start", "-1.0", "absolute value"),
    (lambda: Cosine(1.0, -0.5, 5), "end", "-0.5", "absolute value"),
    (lambda: Cosine(1.0, 0.5, -5), "steps", "-5", "epochs("),
    (lambda: Polynomial(1.0, 0.0, 5, power=0), "power", "0", "use 1 for a line"),
    (lambda: Exponential(1.0, -0.5), "gamma", "-0.5", "use for example 0.9 to lose a tenth"),
    (lambda: Exponential(1.0, 0.5, every=0), "every", "0", "steps"),
    (lambda: untyped.Exponential(1.0, 0.5, staircase="no"), "staircase", "'no'", "choose"),
    (lambda: Step(1.0, 0, 0.1), "every", "0", "epochs("),
    (lambda: MultiStep(1.0, [-1, 3], 0.1), "milestones", "-1", "epochs("),
    (lambda: MultiStep(1.0, [5, 3], 0.1), "milestones", "[5, 3]", "sort"),
    (lambda: untyped.MultiStep(1.0, 5, 0.1), "milestones", "5", "[...]"),
    (lambda: untyped.MultiStep(1.0, "35", 0.1), "milestones", "'35'", "[...]"),
    (lambda: Piecewise([2], [1.0]), "values", "1.0", "before, between and after"),
    (lambda: Piecewise([2, 1], [1.0, 0.5, 0.1]), "boundaries", "[2, 1]", "sort"),
    (lambda: Piecewise([2], [1.0, math.nan]), "values", "nan", "plain int or float"),
    (lambda: InverseSqrt(1.0, 0), "timescale", "0", "steps"),
    (lambda: SGDR(0.01, 0.1, 5), "end", "0.1", "swap"),
    (lambda: SGDR(0.1, 0.0, 0), "first", "0", "epochs("),
    (lambda: SGDR(0.1, 0.0, 5, t_mult=0.5), "t_mult", "0.5", "use 1"),
    (lambda: SGDR(0.1, 0.0, 5, peak_mult=0), "peak_mult", "0", "use 1 for equal peaks"),
    (lambda: OneCycle(1.0, 1), "pct_start", "0.3", "more steps"),
    (lambda: OneCycle(1.0, 100, pct_start=0.6, phases=3), "pct_start", "0.6", "near 0.3"),
    (lambda: OneCycle(1.0, 100, pct_start=1.0), "pct_start", "1.0", "0.3"),
    (lambda: OneCycle(1.0, 100, phases=4), "phases", "4", "[2, 3]"),
    (lambda: OneCycle(1.0, 100, anneal="exp"), "anneal", "'exp'", "linear"),
    (lambda: OneCycle(1.0, 100).momentum(0.95, 0.85), "base, max", "(0.95, 0.85)", "0.85 and 0.95"),
    (lambda: untyped.OneCycle(1.0, 100).momentum("a", 0.9), "base", "'a'", "plain int or float"),
    (lambda: WSD(1.0, 2, 5, 5, start=-1.0), "start", "-1.0", "absolute value"),
    (lambda: WSD(1.0, 0, 5, 0), "decay", "0", "epochs("),
    (lambda: WSD(1.0, 0, 5, 5, shape="exp"), "end", "0.0", "never reaches 0"),
    (lambda: WSD(1.0, 0, 5, 5, shape="cos"), "shape", "'cos'", "1-sqrt"),
    (lambda: REX(1.0, 0.0, 5, bend=1.0), "bend", "1.0", "0 for a line"),
    (lambda: Geometric(1.0, 0.0, 5), "end", "0.0", "never reached"),
    (lambda: InverseTime(1.0, 5, power=0), "power", "0", "use 1"),
    (lambda: InverseTime(1.0, 5, every=0), "every", "0", "epochs("),
    (lambda: SGDR(0.1, 0.0, 5, cycles=0), "cycles", "0", "for example 3"),
    (lambda: SGDR.over(0, 3, 0.1), "steps", "0", "epochs("),
    (lambda: untyped.SGDR.over(9, 2.5, 0.1), "cycles", "2.5", "for example 3"),
    (lambda: SGDR.over(9, 10**6, 0.1, t_mult=2), "cycles", "1000000", "fewer"),
    (lambda: Cyclic.over(9, 0, 0.1, 1.0), "cycles", "0", "for example 3"),
    (lambda: untyped.Cyclic(0.1, 1.0, 5, scale_fn=3), "scale_fn", "3", "lambda c"),
    (lambda: Cyclic(0.1, 1.0, 5).momentum(0.95, 0.85), "base, max", "(0.95, 0.85)", "0.85 and 0.95"),
    (lambda: Cyclic(0.1, 1.0, 5).momentum(0.8, 1.0), "max", "1.0", "0.85 to 0.95"),
    (lambda: untyped.Constant(1.0).shift(2.5), "by", "2.5", "epochs("),
    (lambda: untyped.Constant(1.0).shift("2"), "by", "'2'", "plain int or float"),
    (lambda: Constant(1.0).stretch(0), "factor", "0", "twice as long"),
    (lambda: Constant(1.0).stretch(math.inf), "factor", "inf", "plain int or float"),
    (lambda: untyped.minimum(Constant(1.0), "a"), "b", "'a'", "plain int or float"),
    (lambda: maximum(-1, Constant(1.0)), "a", "-1", "for example 0.5"),
    (lambda: warmup(Constant(1.0), -1), "steps", "-1", "epochs("),
    (lambda: warmup(Constant(1.0), 0, -1.0), "start", "-1.0", "absolute value"),
    (lambda: warmup(Constant(1.0), 5, -1.0), "start", "-1.0", "absolute value"),
    (lambda: untyped.warmup(0.1, 5), "schedule", "0.1", "Constant(rate)"),
    (lambda: untyped.Constant(1.0).then(0.5, at=3), "other", "0.5", "Constant(rate)"),
    (lambda: untyped.Then("a", Constant(1.0), 3), "first", "'a'", "Constant(rate)"),
    (lambda: Constant(1.0).then(Constant(0.5), at=-1), "at", "-1", "epochs("),
    (lambda: Constant(1.0).clip(0.5, 0.1), "lo", "0.5", "swap"),
    (lambda: untyped.Constant(1.0) + "a", "other", "'a'", "plain int or float"),
    (lambda: -1 * Constant(1.0), "other", "-1", "use for example 0.5"),
    (lambda: untyped.Constant(1.0) - "a", "other", "'a'", "plain int or float"),
    (lambda: -1 - Constant(1.0), "other", "-1", "use for example 0.5"),
    (lambda: Constant(1.0) / 0, "the divisor", "0", "for example 10"),
    (lambda: Constant(1.0) / -2, "the divisor", "-2", "for example 10"),
    (lambda: untyped.Constant(1.0) / Constant(2.0), "the divisor", "Constant(lr=2.0)", "plain int or float"),
    (lambda: untyped.Lambda(0.1), "fn", "0.1", "lambda t"),
    (lambda: Constant(1.0)(-1), "t", "-1", "from 0"),
    (lambda: Constant(1.0)(math.nan), "t", "nan", "from 0"),
    (lambda: Constant(1.0)([0, math.inf]), "t", "inf", "from 0"),
    (lambda: Constant(1.0)("soon"), "t", "'soon'", "float"),
    (lambda: untyped.Constant(1.0)(1j), "t", "1j", "complex"),
    (lambda: Constant(1.0)("3"), "t", "'3'", "number"),
    (lambda: Constant(1.0)(["3", "4"]), "t", "'3'", "number"),
    (lambda: Constant(1.0)(True), "t", "True", "number"),
    (lambda: Constant(1.0)([True, False]), "t", "True", "number"),
    (lambda: Constant(1.0)(10**400), "t", "10000", "too large"),
    (lambda: Constant(10**400), "lr", "10000", "plain int or float"),
    (lambda: Step(0.1, 10**400, 0.1), "every", "10000", "plain int or float"),
    (lambda: MultiStep(0.1, [10**400], 0.1), "milestones", "10000", "plain int or float"),
    (lambda: Cyclic(0.1, 0.2, 10**400), "step_size_up", "10000", "plain int or float"),
    (lambda: 10**400 * Constant(1.0), "other", "10000", "plain int or float"),
    (lambda: epochs(1e200, 10**200), "n", "1e+200", "fewer"),
    (lambda: Constant(1.0).table(0), "n", "0", "at least 1"),
    (lambda: Schedule.from_dict({"kind": "Stairs"}), "kind", "'Stairs'", "'Step'"),
    (lambda: Schedule.from_dict({}), "kind", "None", "'Step'"),
    (lambda: Schedule.from_dict({"kind": ["Step"]}), "kind", "['Step']", "import the module"),
    (lambda: untyped.Schedule.from_dict("cosine"), "plain", "'cosine'", "to_dict"),
    (lambda: untyped.Schedule.from_dict(None), "plain", "None", "to_dict"),
    (lambda: Schedule.from_dict({"kind": "Then", "first": "Step"}), "plain", "'Then'", "second"),
    (lambda: Schedule.from_dict({"kind": "Step", "lr": 1.0}), "plain", "'Step'", "gamma"),
    (lambda: Schedule.from_dict({"kind": "Constant", "rate": 1.0}), "plain", "'rate'", "['lr']"),
    (lambda: Plateau(-1.0), "lr", "-1.0", "absolute value"),
    (lambda: Plateau(1.0, factor=1.0), "factor", "1.0", "use for example 0.1 to divide the rate by ten"),
    (lambda: Plateau(1.0, patience=0), "patience", "0", "at least 1"),
    (lambda: Plateau(1.0, cooldown=-1), "cooldown", "-1", "use 0 for none"),
    (lambda: Plateau(1.0, threshold=-1), "threshold", "-1", "zero or positive"),
    (lambda: Plateau(1.0, mode="auto"), "mode", "'auto'", "max"),
    (lambda: steps_per_epoch(0, 5), "samples", "0", "at least 1"),
    (lambda: steps_per_epoch(5, 0), "batch_size", "0", "at least 1"),
    (lambda: epochs(0, 5), "n", "0", "use for example 0.5 for half an epoch"),
    (lambda: epochs(0.1, 3), "n", "0.1", "the steps themselves"),
    (lambda: untyped.epochs(2, 2.5), "steps_per_epoch", "2.5", "whole number"),
    (lambda: plan_cycles(5, 0, 5), "step_size_epochs", "0", "at least 1"),
    (lambda: batch_schedule(Constant(1.0), 0, 5), "batch", "0", "at least 1"),
    (lambda: batch_schedule(Constant(1.0), 8, 4), "max_batch", "4", "use 8 or more"),
    (lambda: batch_schedule(warmup(Constant(1.0), 5), 4, 8), "schedule", "Then", "warm-up in front"),
    (lambda: untyped.batch_schedule(0.1, 4, 8), "schedule", "0.1", "Constant(rate)"),
]


@pytest.mark.parametrize(("make", "name", "value", "fix"), BAD)
def test_bad_input_is_refused_with_name_value_and_fix(make: Callable[[], Any], name: str, value: str, fix: str) -> None:
    with pytest.raises(ValueError) as caught:
        make()
    message = str(caught.value)
    assert f"{name} must be" in message
    got, _, rest = message.partition("got ")[2].partition(": ") if "{" not in message else (message, "", message)
    assert value in got and fix in message and rest


def test_a_schedule_without_a_formula_says_so() -> None:
    with pytest.raises(TypeError, match="rates"):
        Schedule()(0)
