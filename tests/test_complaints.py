"""Each argument in its own words: a complaint names it, and the fix fits it and is right."""

import collections.abc
import contextlib
import importlib
import inspect
import math
import re
import sys
import types
import typing
from pathlib import Path

import keras
import numpy as np
import optuna
import pytest
import torch
from torch.nn import functional as F

import lrcourse.audit
import lrcourse.carrying
import lrcourse.data
import lrcourse.jax
import lrcourse.keras
import lrcourse.range_test
import lrcourse.space
import lrcourse.study
import lrcourse.sweep
import lrcourse.torch
from lrcourse import Constant, Schedule, intervals, optimizers, surfaces
from lrcourse.data import moons
from lrcourse.determinism import seed_everything
from lrcourse.space import LogUniform, Space
from lrcourse.sweep import Setting, sweep
from lrcourse.sweep.tuner import tune
from lrcourse.torch import LogicNet, rules

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "book" / "_ext"))
from api import public  # noqa: E402

DATA = moons(n=50)
SPACE = Space({"lr": LogUniform(0.01, 1.0)})


def of_torch(call, **given):
    def called(**others):
        model = LogicNet()
        return call(model, torch.optim.SGD(model.parameters(), lr=0.1), **{**given, **others})

    return called


def range_test_of_keras(**given):
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1), loss="mse")
    return lrcourse.keras.range_test(model, np.ones((4, 2)), np.ones((4, 1)), **{"steps": 10, **given})


def schedule_of_jax(**given):
    with contextlib.suppress(ModuleNotFoundError):  # its arguments are read first; test_jax.py has a JAX
        lrcourse.jax.jax_schedule(Constant(0.1), **given)


def swept(**given):
    return sweep(LogicNet, DATA, settings=[Setting(lr=0.1)], progress=False, **{"steps": 2, **given})


def tuned(**given):
    def suggest(trial):
        return {"lr": trial.suggest_float("lr", 0.1, 1.0)}

    given = {"trials": 2, "steps": 1, "progress": False, **given}
    return tune(optuna.create_study(), suggest, LogicNet, DATA, **given)


# What takes a number of its users, and what each needs to be called at all (with a function that calls it)
CALLS = {
    lrcourse.BatchSchedule: {"schedule": Constant(0.1), "first_batch": 8, "max_batch": 2000},
    lrcourse.Clip: {"schedule": Constant(0.1), "lo": 0.0, "hi": 10.0},
    lrcourse.Constant: {"lr": 0.1},
    lrcourse.Cosine: {"peak": 0.1, "end": 0.0, "steps": 5},
    lrcourse.Cyclic: {"base_lr": 0.0, "max_lr": 3.0, "step_size_up": 5},
    lrcourse.Cyclic.momentum: ({"base": 0.0, "max": 0.99}, lrcourse.Cyclic(0.0, 3.0, 5).momentum),
    lrcourse.Cyclic.over: ({"steps": 100, "cycles": 3, "base_lr": 0.0, "max_lr": 3.0}, lrcourse.Cyclic.over),
    lrcourse.Exponential: {"lr": 0.1, "gamma": 0.9},
    lrcourse.Geometric: {"start": 0.1, "end": 0.2, "steps": 5},
    lrcourse.InverseSqrt: {"peak": 0.1, "timescale": 5},
    lrcourse.InverseTime: {"peak": 0.1, "timescale": 5},
    lrcourse.Linear: {"start": 0.1, "end": 0.0, "steps": 5},
    lrcourse.MultiStep: {"lr": 0.1, "milestones": [5], "gamma": 0.1},
    lrcourse.OneCycle: {"max_lr": 0.1, "steps": 100},
    lrcourse.OneCycle.momentum: ({"base": 0.0, "max": 0.99}, lrcourse.OneCycle(0.1, 100).momentum),
    lrcourse.Piecewise: {"boundaries": [5], "values": [0.1, 0.2]},
    lrcourse.Plateau: {"lr": 0.1},
    lrcourse.Polynomial: {"start": 0.1, "end": 0.0, "steps": 5},
    lrcourse.REX: {"peak": 0.1, "end": 0.0, "steps": 5},
    lrcourse.SGDR: {"peak": 3.0, "end": 0.0, "first": 5},
    lrcourse.SGDR.over: ({"steps": 100, "cycles": 3, "peak": 3.0}, lrcourse.SGDR.over),
    lrcourse.Shift: {"schedule": Constant(0.1), "by": 5},
    lrcourse.Stretch: {"schedule": Constant(0.1), "factor": 2},
    lrcourse.Step: {"lr": 0.1, "every": 5, "gamma": 0.1},
    lrcourse.Then: {"first": Constant(0.1), "second": Constant(0.2), "at": 5},
    lrcourse.WSD: {"peak": 0.1, "warmup": 5, "stable": 5, "decay": 5},
    lrcourse.carrying.carry_decay: {"weight_decay": 0.1, "lr": (0.1, 0.2), "updates": (10, 20)},
    lrcourse.carrying.carry_rate: {"lr": 0.1, "batch": (32, 64)},
    Schedule.table: ({}, Constant(0.1).table),
    Schedule.then: ({"other": Constant(0.2)}, Constant(0.1).then),
    Schedule.clip: ({"lo": 0.0, "hi": 10.0}, Constant(0.1).clip),
    Schedule.shift: ({}, Constant(0.1).shift),
    Schedule.stretch: ({}, Constant(0.1).stretch),
    Schedule.__add__: ({}, Constant(0.1).__add__),
    Schedule.__rmul__: ({}, Constant(0.1).__rmul__),
    lrcourse.batch_schedule: {"schedule": Constant(0.1), "batch": 8, "max_batch": 2000},
    lrcourse.epochs: {"n": 1, "steps_per_epoch": 10},
    lrcourse.get_schedule: {"name": "cosine", "peak": 0.1, "steps": 1000},
    lrcourse.maximum: {"a": Constant(0.1), "b": 0.2},
    lrcourse.minimum: {"a": Constant(0.1), "b": 0.2},
    lrcourse.plan_cycles: {"epochs": 8, "step_size_epochs": 4, "steps_per_epoch": 10},
    lrcourse.steps_per_epoch: {"samples": 100, "batch_size": 10},
    lrcourse.warmup: {"schedule": Constant(0.1), "steps": 5},
    **{getattr(optimizers, name): {} for name in public(optimizers) if name not in ("Optimizer", "orthogonalize")},
    optimizers.orthogonalize: {"matrix": np.eye(2)},
    surfaces.Bowl: {}, surfaces.Bumpy: {}, surfaces.Ravine: {}, surfaces.Rosenbrock: {},
    surfaces.descend: {"surface": surfaces.Bowl(), "optimizer": optimizers.SGD(0.1), "start": (1.0, 1.0)},
    lrcourse.study.FunctionTask: {"train": lambda made, seed: 1.0},
    lrcourse.study.Study: {"task": lrcourse.study.FunctionTask(lambda made, seed: 1.0), "rates": [0.1, 0.2],
                           "arms": {"a": lambda lr: lr, "b": lambda lr: -lr}, "margin": 0.1},
    lrcourse.study.compare_scores: {"scores": {"a": [1.0, 1.1, 0.9, 1.0, 1.2], "b": [2.0] * 5}, "margin": 0.1},
    lrcourse.study.Task: {"model_fn": LogicNet, "data": DATA, "steps": 2},
    lrcourse.space.octaves: {"lo": 0.1, "hi": 4.0},
    lrcourse.space.Uniform: {"lo": -2.0, "hi": 4.0},
    LogUniform: {"lo": 0.1, "hi": 4.0},
    Space.grid: ({}, SPACE.grid),
    Space.random: ({"n": 2, "seed": 0}, SPACE.random),
    Space.quasi_random: ({"n": 2, "seed": 0}, SPACE.quasi_random),
    lrcourse.data.cats_vs_dogs: {"folder": "nowhere"},
    **{each: {} for each in (lrcourse.data.digits, lrcourse.data.glyphs, lrcourse.data.linear_regression, moons)},
    lrcourse.data.Language: {},
    lrcourse.data.Language.sample: ({"n": 2, "context": 3}, lrcourse.data.Language().sample),
    lrcourse.data.Language.floor: ({}, lrcourse.data.Language().floor),
    lrcourse.data.language: {"n": 100},
    lrcourse.data.handwriting: {},
    lrcourse.data.health: {},
    lrcourse.data.text: {},
    lrcourse.audit.Audit: {},
    lrcourse.audit.Audit.record: ({"rate": 0.1}, lambda **given: lrcourse.audit.Audit().record(**given)),
    intervals.mean_interval: {"values": [1.0, 2.0]},
    intervals.paired_difference: {"a": [1.0, 2.0], "b": [2.0, 2.5]},
    seed_everything: {},
    lrcourse.range_test.range_test: {"step_fn": lambda lr: 1.0, "snapshot": dict, "restore": lambda state: None},
    LogicNet: {},
    lrcourse.torch.EMA: {"model": LogicNet()},
    lrcourse.torch.average_state_dicts: {"states": [{"w": torch.ones(1)}]},
    lrcourse.torch.GPT: {"vocabulary": 20},
    lrcourse.torch.GPT.groups: ({"lr": 0.1}, lrcourse.torch.GPT(20).groups),
    **{getattr(rules, name): {} for name in public(rules) if name not in ("ByShape", "RuleOptimizer", "orthogonalize")},
    rules.ByShape: {"matrices": rules.Muon(), "others": rules.AdamW()},
    rules.orthogonalize: {"matrix": torch.eye(2)},
    rules.RuleOptimizer: {"named": [("w", torch.nn.Parameter(torch.ones(1)))], "rule": rules.SGD(), "lr": 0.1},
    lrcourse.torch.LoRA: {"linear": torch.nn.Linear(8, 8)},
    lrcourse.torch.MLP: {"sizes": [2, 2]},
    lrcourse.torch.PlateauLR: {"optimizer": torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1),
                               "plateau": lrcourse.Plateau(0.1)},
    lrcourse.torch.ResNet: {},
    lrcourse.torch.add_lora: ({}, lambda **given: lrcourse.torch.add_lora(lrcourse.torch.GPT(20), **given)),
    lrcourse.torch.VGG: {},
    lrcourse.torch.train: ({}, of_torch(lrcourse.torch.train, dataset=DATA, steps=2)),
    lrcourse.torch.range_test: ({}, of_torch(lrcourse.torch.range_test, loss_fn=F.cross_entropy,
                                             batches=[(torch.ones(4, 2), torch.ones(4).long())])),
    lrcourse.torch.muon_groups: {"model": lrcourse.torch.GPT(20), "lr": 0.1, "others_lr": 0.1, "outside": None},
    lrcourse.torch.parameter_groups: {"model": lrcourse.torch.GPT(20), "lr": 0.1, "layers": ["blocks"],
                                      "layer_decay": 0.5},
    lrcourse.torch.sharpness: {"model": LogicNet(), "data": DATA},
    lrcourse.torch.top_curvatures: {"model": LogicNet(), "data": DATA, "n": 1},
    lrcourse.torch.noise_scale: {"model": LogicNet(), "data": DATA},
    lrcourse.torch.two_batch_noise_scale: {"small": 1, "big": 64, "small_square": 2.0, "big_square": 1.0},
    lrcourse.torch.coordinate_check: {"model_fn": lambda width: lrcourse.torch.MLP([2, width, 2]), "widths": [1, 2],
                                      "optimizer_fn": lambda model: torch.optim.SGD(model.parameters(), lr=0.1),
                                      "data": DATA, "steps": 1},
    lrcourse.jax.jax_schedule: ({"steps": 5}, schedule_of_jax),
    lrcourse.keras.KerasSchedule: {"schedule": Constant(0.1), "steps": 5},
    lrcourse.keras.CyclicLR: {"max_lr": 3.0},
    lrcourse.keras.PlateauCallback: {"plateau": lrcourse.Plateau(0.1)},
    lrcourse.keras.range_test: ({}, range_test_of_keras),
    lrcourse.keras.Batches: {"x": np.ones((4, 1)), "y": np.ones(4), "size": 2},
    Setting: {},
    sweep: ({}, swept),
    lrcourse.sweep.Result.verify: ({}, lambda **given: swept().verify(**given)),
    tune: ({}, tuned),
}  # fmt: skip
RESULTS = {
    lrcourse.CyclePlan, intervals.Interval, lrcourse.data.Dataset, lrcourse.torch.NoiseScale, lrcourse.study.Answer,
    lrcourse.study.Verdict, lrcourse.audit.Finding,
}  # fmt: skip
IN_STEPS = {
    "Audit.record.step", "Audit.steps",
    "Cosine.steps", "Cyclic.over.steps", "Cyclic.step_size_up", "Cyclic.step_size_down", "CyclicLR.step_size",
    "Exponential.every", "Geometric.steps", "InverseSqrt.timescale", "InverseTime.every", "InverseTime.timescale",
    "KerasSchedule.steps", "Linear.steps", "MultiStep.milestones", "OneCycle.steps",
    "Piecewise.boundaries", "PlateauCallback.warmup", "PlateauLR.warmup",
    "Polynomial.steps", "REX.steps", "SGDR.first", "SGDR.over.steps", "Schedule.shift.by", "Schedule.table.n",
    "Schedule.then.at", "Shift.by", "Step.every", "Then.at", "get_schedule.steps", "get_schedule.warmup",
    "WSD.decay", "WSD.stable", "WSD.warmup", "coordinate_check.steps", "Task.steps", "jax_schedule.steps",
    "sweep.evaluate_every", "sweep.steps", "train.evaluate_every", "train.steps", "warmup.steps",
}  # fmt: skip
RATES = {
    "AdamW.alpha", "Audit.record.rate", "Clip.hi", "Clip.lo",
    "Constant.lr", "Cosine.end", "Cosine.peak", "Cyclic.base_lr", "Cyclic.max_lr",
    "Cyclic.over.base_lr", "Cyclic.over.max_lr", "CyclicLR.base_lr", "CyclicLR.max_lr", "Exponential.lr",
    "GPT.groups.lr", "InverseSqrt.peak", "InverseTime.peak", "Linear.end", "REX.end", "REX.peak", "SGDR.over.end",
    "SGDR.over.peak", "get_schedule.peak", "get_schedule.start",
    "Linear.start", "MultiStep.lr", "OneCycle.final_lr", "OneCycle.initial_lr", "OneCycle.max_lr", "Piecewise.values",
    "Plateau.lr", "Plateau.min_lr", "PlateauCallback.start", "PlateauLR.start", "Polynomial.end",
    "Polynomial.start", "RuleOptimizer.lr",
    "SGDR.end", "SGDR.peak", "Schedule.clip.hi",
    "Schedule.clip.lo", "Setting.lr", "Step.lr", "Study.rates", "WSD.end", "WSD.peak", "WSD.start", "warmup.start",
    "muon_groups.lr", "muon_groups.others_lr", "parameter_groups.lr",
    *(f"{name}.lr" for name in public(optimizers)),
}  # fmt: skip
# What a fix that gives no number stands for
MEANT = {
    "epochs(n, steps_per_epoch)": lrcourse.epochs(2, 50), "steps_per_epoch(samples, batch_size)": 10, "len(x)": 100,
    "use its absolute value": 1.0, "use the optimizer's gradient_accumulation_steps": 1, "use Uniform": 0.5,
}  # fmt: skip
# The fix of a number that is right by itself, but not beside the others
BESIDE = {
    "swap the two", "swap the two, or use Choice for a single value", "give the inputs first and the outputs last",
    "give one rate before, between and after the boundaries", "give a narrow and a wide one",
    "measure batches of two sizes",
}  # fmt: skip
# each is right by itself
ANY = {"Uniform.lo", "Uniform.hi", "LogUniform.hi", "octaves.hi", "FunctionTask.guess", "compare_scores.guess"}
WRONG = [-1, -0.5, 0, 1, 2.5, True, "3", math.nan, math.inf, -math.inf]


def numeric(annotation):
    """Whether a type is that of a number, perhaps among others: 1; of a list of them: 2; of lists of those: 3."""
    if typing.get_origin(annotation) is collections.abc.Sequence:
        inside = numeric(typing.get_args(annotation)[0])
        return inside and inside + 1
    if typing.get_origin(annotation) in (typing.Annotated, typing.Union, types.UnionType):
        return max(numeric(each) for each in typing.get_args(annotation))
    return 1 if annotation in (int, float) else 0


def numbers_of(call):
    """The arguments of `call` that are numbers, or lists of them."""
    parameters = inspect.signature(call).parameters.values()
    return {each.name: depth for each in parameters if (depth := numeric(each.annotation))}


def refusal(call, name, value):
    """What is wrong with the argument `name`, if that is what `call` complains about."""
    entry: typing.Any = CALLS[call]
    given, called = entry if isinstance(entry, tuple) else (entry, call)
    for _ in range(numbers_of(call)[name] - 1):
        value = [value]
    try:
        called(**{**given, name: value})
    except ValueError as error:
        return re.fullmatch(rf"{name}(?:\[.*?\])? must be (?P<must>.*?), got (?P<value>.*?): (?P<fix>.*)", str(error))
    return None


def offered(fix):
    """The values that a fix names, or stands for."""
    found = re.findall(r"\b(?:use|or|or for example|use for example|one of \[) ?(-?\d[\d.]*(?:e-?\d+)?)", fix)
    return [value for words, value in MEANT.items() if words in fix] + [
        float(each) if "." in each or "e" in each else int(each) for each in found
    ]


ARGUMENTS = [pytest.param(call, name, id=f"{call.__qualname__}.{name}") for call in CALLS for name in numbers_of(call)]


@pytest.mark.parametrize("call, name", ARGUMENTS)
def test_every_fix_fits_its_argument_and_what_it_offers_is_right(call, name):
    argument = f"{call.__qualname__}.{name}"
    refused = [said for value in WRONG if (said := refusal(call, name, value))]
    assert any(said["value"].strip("[]") == "'3'" for said in refused), "a text is no number"
    fixes = {said["fix"] for said in refused if "finite" not in said["must"]} - BESIDE
    assert fixes or argument in ANY, "every number is taken"
    for fix in fixes:
        assert ("epochs(" in fix) == (argument in IN_STEPS), fix
        assert ("learning rate" in fix) == (argument in RATES), fix
        assert offered(fix), fix
        for value in offered(fix):
            said = refusal(call, name, value)
            assert said is None or said["fix"] in BESIDE, fix


def test_every_public_argument_is_asked():
    pages = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "book").glob("api*.md"))
    named = set(re.findall(r"\{api\} ([\w.]+)", pages)) - {"lrcourse.plots"}
    modules = [importlib.import_module(name) for name in named]
    calls = {getattr(module, name) for module in modules for name in public(module)} - {lrcourse.study.EdgeError}
    assert {call for call in calls if numbers_of(call)} - RESULTS - {optimizers.Optimizer} <= set(CALLS)
    assert {f"{call.__qualname__}.{name}" for call in CALLS for name in numbers_of(call)} >= IN_STEPS
