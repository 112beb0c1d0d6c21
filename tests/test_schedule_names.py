"""Schedules by name: what practitioners type is understood, what is not is refused with what is near."""

import inspect
import json
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lrcourse import (
    REX,
    SGDR,
    WSD,
    Constant,
    Cosine,
    Cyclic,
    Geometric,
    InverseSqrt,
    InverseTime,
    Linear,
    MultiStep,
    OneCycle,
    Polynomial,
    Schedule,
    Step,
    get_schedule,
    warmup,
)
from lrcourse.schedules.by_name import MAKERS, NAMES

RUN: dict[str, Any] = {"peak": 0.1, "steps": 1000}
BUILT: dict[str, tuple[dict[str, Any], Callable[[int], Schedule]]] = {
    "constant": ({}, lambda n: Constant(0.1)),
    "linear": ({"end": 0.01}, lambda n: Linear(0.1, 0.01, n)),
    "cosine": ({}, lambda n: Cosine(0.1, 0.0, n)),
    "polynomial": ({"power": 2}, lambda n: Polynomial(0.1, 0.0, n, 2)),
    "rex": ({"bend": 0.9}, lambda n: REX(0.1, 0.0, n, 0.9)),
    "exponential": ({"end": 0.001}, lambda n: Geometric(0.1, 0.001, n)),
    "inverse sqrt": ({"timescale": 50}, lambda n: InverseSqrt(0.1, 50)),
    "inverse time": ({"timescale": 50, "power": 0.75}, lambda n: InverseTime(0.1, 50, 0.75)),
    "step": ({}, lambda n: Step(0.1, math.ceil(n / 3), 0.1)),
    "multistep": ({}, lambda n: MultiStep(0.1, [n // 2, 3 * n // 4], 0.1)),
    "wsd": ({"shape": "cosine"}, lambda n: WSD(0.1, 0, n - 200, 200, shape="cosine")),
    "sgdr": ({"cycles": 3, "t_mult": 2}, lambda n: SGDR.over(n, 3, 0.1, t_mult=2)),
    "cyclic": ({"cycles": 2.5}, lambda n: Cyclic(0.025, 0.1, n / 5)),
    "triangular2": ({"cycles": 3, "base_lr": 0.01}, lambda n: Cyclic(0.01, 0.1, n / 6, mode="triangular2")),
    "exp range": ({"cycles": 3, "gamma": 0.9}, lambda n: Cyclic(0.025, 0.1, n / 6, mode="exp_range", gamma=0.9)),
    "one cycle": ({"pct_start": 0.4}, lambda n: OneCycle(0.1, n, 0.4)),
}


def test_no_name_is_left_out_of_these():
    assert BUILT.keys() == MAKERS.keys()


@pytest.mark.parametrize("name", BUILT)
def test_a_name_builds_its_schedule(name):
    options, build = BUILT[name]
    schedule = get_schedule(name, **RUN, **options)
    assert schedule == build(1000)
    assert Schedule.from_dict(json.loads(json.dumps(schedule.to_dict()))) == schedule


@pytest.mark.parametrize("name", BUILT.keys() - {"one cycle"})
def test_a_warm_up_is_part_of_the_run(name):
    options, build = BUILT[name]
    schedule = get_schedule(name, **RUN, warmup=100, start=0.01, **options)
    assert schedule == warmup(build(900), 100, 0.01)


def test_a_transformers_schedule_needs_no_timescale_beside_a_warm_up():
    noam = get_schedule("noam", peak=0.1, steps=4000, warmup=400)
    t = np.arange(1, 4000)
    np.testing.assert_allclose(noam(t), 0.1 * np.minimum(t / 400, np.sqrt(400 / t)), rtol=1e-12)


@pytest.mark.parametrize(("typed", "name"), [
    ("Cosine", "cosine"), ("CosineAnnealingLR", "cosine"), ("cosine_decay", "cosine"), ("CosineDecay", "cosine"),
    ("onecycle", "one cycle"), ("one-cycle", "one cycle"), ("OneCycleLR", "one cycle"), ("1cycle", "one cycle"),
    ("WSD", "wsd"), ("warmup_stable_decay", "wsd"), ("trapezoidal", "wsd"), ("SGDR", "sgdr"),
    ("cosine with restarts", "sgdr"), ("cosine_with_restarts", "sgdr"), ("CosineAnnealingWarmRestarts", "sgdr"),
    ("CosineDecayRestarts", "sgdr"), ("inverse_sqrt", "inverse sqrt"), ("inverse-square-root", "inverse sqrt"),
    ("InverseSqrt", "inverse sqrt"), ("InverseTimeDecay", "inverse time"), ("PolynomialDecay", "polynomial"),
    ("poly", "polynomial"), ("LinearLR", "linear"), ("constant_with_warmup", "constant"), ("StepLR", "step"),
    ("MultiStepLR", "multistep"), ("multi_step", "multistep"), ("exp", "exponential"), ("ExponentialLR", "exponential"),
    ("CyclicLR", "cyclic"), ("triangular", "cyclic"), ("exp_range", "exp range"), ("REX", "rex"),
    ("  LINEAR ", "linear"), ("polynomial_decay_schedule", "polynomial"),
])  # fmt: skip
def test_what_other_libraries_call_a_schedule_is_known(typed, name):
    options, build = BUILT[name]
    assert get_schedule(typed, **RUN, **options) == build(1000)


def test_every_class_that_needs_no_more_than_a_peak_and_a_run_has_its_name():
    composed = {"Sum", "Difference", "Product", "Maximum", "Minimum", "Then", "Clip", "Shift", "Stretch", "Lambda",
                "BatchSchedule", "Piecewise"}  # fmt: skip
    kinds = {name for name, cls in Schedule.kinds.items() if cls.__module__.startswith("lrcourse.schedules")}
    assert {name for name in kinds - composed if name.lower() not in NAMES} == set()


@pytest.mark.parametrize(("typed", "meant"), [
    ("cosin", "cosine"), ("one cylce", "one cycle"), ("lineer", "linear"), ("inverse sqr", "inverse sqrt"),
    ("cosine restart", "sgdr"), ("warm restart", "sgdr"),
])  # fmt: skip
def test_a_slip_is_answered_with_what_was_meant_and_all_there_are(typed, meant):
    with pytest.raises(ValueError, match=f"^name must be .*, got '{typed}': did you mean '{meant}'") as caught:
        get_schedule(typed, **RUN)
    assert [name for name in MAKERS if repr(name) not in str(caught.value)] == []


WRONG = [
    (("adam",), {}, "name must be the name of a schedule, got 'adam': There are 'constant', 'linear'"),
    ((None,), {}, "name must be the name of a schedule, got None: choose one of"),
    (("",), {}, "name must be the name of a schedule, got ''"),
    (("ReduceLROnPlateau",), {}, "name must be that of a pure function .*: a plateau has a memory: use lrcourse.Pl"),
    (("cosine",), {"warmup": 1000}, "warmup must be shorter than the run of 1000 steps"),
    (("cosine",), {"warmup": -1}, "warmup must be a whole number of steps, at least 0"),
    (("one cycle",), {"warmup": 10}, "warmup must be 0 for one cycle, .* pct_start"),
    (("cosine",), {"cycles": 3}, "option must be an option of 'cosine', got 'cycles': choose one of \\['end'\\]"),
    (("sgdr",), {"cycle": 3}, "got 'cycle': did you mean 'cycles'"),
    (("constant",), {"end": 3}, "option must be an option of 'constant', got 'end': leave it out"),
    (("sgdr",), {}, "cycles must be given for 'sgdr', got None: write for example cycles=3"),
    (("exponential",), {}, "end must be given for 'exponential', .* write for example end=1e-05"),
    (("exponential",), {"end": 0}, "end must be positive, got 0: .* zero is never reached"),
    (("inverse sqrt",), {}, "timescale must be given where there is no warm-up"),
    (("wsd",), {"decay": 1001}, "decay must be no longer than the 1000 steps"),
    (("wsd",), {"n": 5}, "option must be an option of 'wsd', got 'n'"),
    (("wsd",), {"shape": "cubic"}, "shape must be 'linear' or 'cosine'"),
]


@pytest.mark.parametrize(("args", "options", "said"), WRONG)
def test_what_does_not_fit_is_refused(args, options, said):
    with pytest.raises(ValueError, match=said):
        get_schedule(*args, **{**RUN, **options})


def test_the_docstring_tells_every_option():
    rows = re.findall(r"^\| (`.*?) \| (.*?) ?\|$", inspect.getdoc(get_schedule) or "", re.MULTILINE)
    told = {name: set(re.findall(r"`(\w+)", options)) - {"OneCycle"}
            for names, options in rows for name in re.findall(r"`([\w ]+)`", names)}  # fmt: skip
    assert told.keys() == MAKERS.keys()
    for name, make in MAKERS.items():
        takes = set(inspect.signature(make).parameters) - {"peak", "n", "warmup"}
        assert told[name] == takes, name
