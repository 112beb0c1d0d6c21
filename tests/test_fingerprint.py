"""What differs in what it does is described differently, and what does not is described alike, in any process."""

import functools
import subprocess
import sys
import threading
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from lrcourse.fingerprint import described


@dataclass(frozen=True)
class Held:
    number: float

    def doubled(self):
        return 2 * self.number


@dataclass(slots=True)
class InSlots:
    number: float


def local(shift):
    if shift:

        class Net:
            def run(self, x):
                return x + 1

    else:

        class Net:  # type: ignore[no-redef]
            def run(self, x):
                return x * 2

    return Net


@functools.cache
def cached(x):
    return x + 1


@pytest.mark.parametrize("one, another", [
    (Held(1.0), Held(2.0)), (InSlots(1.0), InSlots(2.0)), (Fraction(1, 2), Fraction(1, 3)), (Path("a"), Path("b")),
    (torch.float32, torch.bfloat16), (pd.Series([1.0]), pd.Series([2.0])),
    (pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [2]})), (local(True), local(False)), (np.add, np.multiply),
    (torch.ones(2), torch.zeros(2)), (np.array([1, "a"], dtype=object), np.array([2, "a"], dtype=object)),
    (lambda x: cached(x), lambda x: x), (torch.relu, torch.tanh), (Held, InSlots),
])  # fmt: skip
def test_what_differs_is_described_differently(one, another):
    assert described(one) != described(another)
    assert described(one) == described(one)


MODULE = """
import torch
scale = torch.tensor({scale})
net = torch.nn.Linear(1, 1)
torch.nn.init.constant_(net.weight, {weight}), torch.nn.init.zeros_(net.bias)

class Net:
    def run(self, x):
        return x * {factor}

def helper(x):
    return x + {shift}
"""
MAIN = """
import functools, sys
sys.path.insert(0, sys.argv[1])
import mylib
from mylib import Net, helper, net, scale
from lrcourse.fingerprint import described

@functools.cache
def remembered(x):
    return x + 1

def train(made, seed):
    import math, numpy
    return Net().run(made) * scale * net(made) + helper(made) + mylib.helper(seed) + remembered(seed) + math.pi

print(described(train))
"""


VALUES: list[dict[str, float]] = [{}, {}, {"scale": 2.0}, {"weight": 2.0}, {"factor": 2}, {"shift": 2}]


def told(folder, **values):
    folder.mkdir()
    (folder / "mylib.py").write_text(MODULE.format(**{"scale": 1.0, "weight": 1.0, "factor": 1, "shift": 1, **values}))
    (folder / "main.py").write_text(MAIN)
    command = [sys.executable, str(folder / "main.py"), str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
def test_a_function_counts_by_all_of_its_author_s_code_and_numbers(tmp_path):
    same, again, *others = (told(tmp_path / str(i), **values) for i, values in enumerate(VALUES))
    assert same == again
    assert len({same, *others}) == 1 + len(others)


def test_a_function_that_has_a_module_of_its_own_is_described():
    def made():
        import torch as inside

        return lambda x: inside.relu(x)

    assert described(made())


def test_what_cannot_be_told_from_another_one_is_refused():
    with pytest.raises(ValueError, match="value must be such that it can be told"):
        described(threading.Lock())
