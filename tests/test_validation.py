"""Types that check themselves: they hold however a class is written, and so do the names of classes in plain data."""

import importlib.util
import json
import sys
import typing
from dataclasses import dataclass

import pytest

import lrcourse
from lrcourse import Cosine, Schedule
from lrcourse.optimizers import Optimizer
from lrcourse.validation import Rate, checks_of

HEAD = """
from __future__ import annotations
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any
from lrcourse import Schedule, Step
from lrcourse.optimizers import Optimizer
from lrcourse.optimizers.base import Decay
from lrcourse.validation import Rate, Steps, bad
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module of the user's with the given code."""

    def write(code, name="users_own"):
        path = tmp_path / f"{name}.py"
        path.write_text(HEAD + code)
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec and spec.loader
        made = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, made)
        spec.loader.exec_module(made)
        return made

    before = dict(Schedule.kinds)
    yield write
    Schedule.kinds.clear()
    Schedule.kinds.update(before)


OWN = """
@dataclass(frozen=True)
class Halving(Schedule):
    lr: Rate
    every: Steps
    note: Annotated[str, "for the reader"] = ""

    def rates(self, t: Any) -> Any:
        return self.lr * 0.5 ** (t // self.every)
"""


@pytest.mark.parametrize("arguments, name", [((-1.0, 5), "lr"), ((0.1, 2.5), "every"), (("0.1", 5), "lr")])
@pytest.mark.parametrize("code, kind", [
    (OWN, "Halving"),
    (OWN + "class Child(Halving):\n    pass", "Child"),
    (OWN + "@dataclass(frozen=True)\nclass Child(Halving):\n    extra: Rate = 0.1", "Child"),
    ("@dataclass(frozen=True)\nclass Child(Step):\n    gamma: Rate = 0.1", "Child"),
])  # fmt: skip
def test_checks_hold_where_types_are_strings(module, code, kind, arguments, name):
    make = getattr(module(code), kind)
    assert make(0.1, 2).table(3)[0] == 0.1
    with pytest.raises(ValueError, match=f"^{name} must be"):
        make(*arguments)


def test_checks_of_an_optimizer_hold_where_types_are_strings(module):
    own = module("@dataclass\nclass Own(Optimizer):\n    beta: Decay = 0.9\n    conventions = {'torch': {'lr': 0.1}}")
    with pytest.raises(ValueError, match="beta must be at least 0 and below 1, got 1.5"):
        own.Own(beta=1.5)


def test_a_check_that_cannot_be_read_is_never_dropped(module):
    own = module(
        "if TYPE_CHECKING:\n    from there import Odd\n@dataclass(frozen=True)\nclass Own(Schedule):\n    a: Odd"
    )
    with pytest.raises(
        TypeError, match="types of the fields of Own cannot be read.*import Odd at the top of users_own"
    ):
        own.Own(-1.0)


def test_types_are_read_once_for_each_class(module, monkeypatch):
    reads = []
    read = typing.get_type_hints
    monkeypatch.setattr("lrcourse.validation.get_type_hints", lambda *a, **k: reads.append(a) or read(*a, **k))
    own = module(OWN)
    for _ in range(5):
        own.Halving(0.1, 2)
    assert len(reads) == 1


@pytest.mark.parametrize(
    "cls", [*dict.fromkeys(Schedule.kinds.values()), *Optimizer.__subclasses__()], ids=lambda c: c.__name__
)
def test_every_check_of_the_package_is_found(cls):
    found = {name for name, _ in checks_of(cls)}
    declared = {
        name for each in cls.__mro__ for name, of in vars(each).get("__annotations__", {}).items()
        if hasattr(of, "__metadata__")
    }  # fmt: skip
    assert found == declared


# Names in plain data


def test_a_class_of_ones_own_cannot_take_the_name_of_the_packages(module):
    own = module(OWN.replace("Halving", "Cosine")).Cosine(0.1, 2)
    ours = Cosine(0.1, 0.0, 10)
    assert type(Schedule.from_dict(ours.to_dict())) is Cosine and ours.to_dict()["kind"] == "Cosine"
    assert own.to_dict() == {"kind": "users_own.Cosine", "lr": 0.1, "every": 2, "note": ""}
    assert Schedule.from_dict(json.loads(json.dumps((2 * own).to_dict()))) == 2 * own


def test_two_classes_of_one_name_are_two(module):
    a, b = module(OWN, "first").Halving(0.1, 2), module(OWN, "second").Halving(0.1, 2)
    assert (a.to_dict()["kind"], b.to_dict()["kind"]) == ("first.Halving", "second.Halving")
    assert type(Schedule.from_dict(a.to_dict())) is type(a) is not type(b) is type(Schedule.from_dict(b.to_dict()))


def test_a_class_that_is_run_again_as_in_a_notebook_is_the_newer_one(module):
    module(OWN)
    newer = module(OWN)
    assert type(Schedule.from_dict({"kind": "users_own.Halving", "lr": 0.1, "every": 3})) is newer.Halving


def test_a_class_inside_a_function_has_a_name_of_its_own():
    @dataclass(frozen=True)
    class Cosine(Schedule):
        lr: Rate

        def rates(self, t):
            return 0 * t + self.lr

    assert Schedule.from_dict(Cosine(0.1).to_dict()) == Cosine(0.1)
    assert Schedule.kinds["Cosine"] is lrcourse.Cosine


def test_a_class_of_a_module_that_is_not_there_is_named_with_the_fix():
    with pytest.raises(ValueError, match="kind must be .*, got 'mine.Halving': .*import the module that defines it"):
        Schedule.from_dict({"kind": "mine.Halving", "lr": 0.1, "every": 3})
