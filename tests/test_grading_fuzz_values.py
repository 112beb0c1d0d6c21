"""What a check says of an answer is the same in a notebook and across the grader's wire; no frame breaks the reader.

The suite tries a few hundred random examples of each kind, the same each time. More, and others each time:
`LRCOURSE_FUZZ=20000 pytest tests/test_grading_fuzz_values.py`.
"""

import array
import base64
import collections
import copy
import ctypes
import enum
import itertools
import math
import os
import types
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from lrcourse.course.grading.codec import HEADER, Items, NotPlain, Opaque, decode, encode, pack, unpack
from lrcourse.course.grading.lab import Lab, marked
from lrcourse.course.grading.limits import Limits
from lrcourse.course.grading.notebook_file import Cell
from lrcourse.course.grading.rebuild import Rebuilt, rebuild
from lrcourse.selfcheck import Task, numbers, plain
from lrcourse.selfcheck.plain import ENTRIES

LIMITS = Limits()
REFUSED = "not plain data"
EXAMPLES = int(os.environ.get("LRCOURSE_FUZZ", 0))
many = settings(max_examples=EXAMPLES or 300, derandomize=not EXAMPLES, deadline=None,
                suppress_health_check=list(HealthCheck))  # fmt: skip


def across(value: Any) -> Any:
    """What arrives at the judge."""
    frame = pack({"value": encode(value, LIMITS)})
    return decode(unpack(frame[HEADER.size :], LIMITS)["value"])


def fault(got: Callable[[], Any], want: Any) -> str:
    task = Task("a task", points=1)
    task.check("a part", got, want)
    return task.faults["a part"]


def in_both(make: Callable[[], Any], want: Any) -> tuple[str, str]:
    """What the check says in the notebook and at the judge; `make` makes the answer."""
    try:
        arrived = across(make())
    except NotPlain:
        return fault(make, want), REFUSED
    return fault(make, want), fault(lambda: arrived, want)


# ---- the same numbers ----


class Level(enum.IntEnum):
    one, two = 1, 2


class Rates:
    """A sequence of a student's own."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, i: int) -> float:
        return [1.0, 2.0][i]


class Loss:
    def __init__(self, value: float) -> None:
        self.value = value

    def __float__(self) -> float:
        return self.value


class Own(np.ndarray):
    pass


Pair = collections.namedtuple("Pair", "a b")
ONE_TWO: dict[str, Callable[[], Any]] = {
    "ints": lambda: [1, 2],
    "fractions": lambda: [Fraction(1), Fraction(2)],
    "decimals": lambda: (Decimal(1), Decimal("2.0")),
    "array of fractions": lambda: np.array([Fraction(1), Fraction(2)]),
    "array of objects": lambda: np.array([1, np.float32(2)], dtype=object),
    "bools": lambda: [True, 2],
    "enumeration": lambda: [Level.one, Level.two],
    "whole numbers without end": lambda: np.array([1, 2**70 - 2**70 + 2], dtype=object),
    "longdouble": lambda: np.array([1, 2], np.longdouble),
    "longdouble scalars": lambda: [np.longdouble(1), np.longdouble(2)],
    "float16": lambda: np.array([1, 2], np.float16),
    "big-endian": lambda: np.array([1, 2], ">f4"),
    "0-d arrays": lambda: [np.array(1), np.array(2.0)],
    "0-d array of objects": lambda: [np.array(Fraction(1)), 2],
    "NumPy scalars": lambda: [np.int8(1), np.float64(2)],
    "a class of arrays": lambda: np.array([1, 2]).view(Own),
    "masked": lambda: np.ma.array([1, 2]),
    "bfloat16 of NumPy": lambda: np.array([1, 2], ml_dtypes.bfloat16),
    "strided": lambda: np.arange(5)[1:3][::-1][::-1],
    "range": lambda: range(1, 3),
    "deque": lambda: collections.deque([1, 2]),
    "named tuple": lambda: Pair(1, 2),
    "user list": lambda: collections.UserList([1, 2]),
    "array.array": lambda: array.array("d", [1, 2]),
    "memoryview": lambda: memoryview(array.array("d", [1, 2])),
    "bytearray": lambda: bytearray([1, 2]),
    "ctypes": lambda: (ctypes.c_double * 2)(1, 2),
    "a sequence of one's own": Rates,
    "numbers of one's own": lambda: [Loss(1.0), Loss(2.0)],
    "tensor": lambda: torch.tensor([1, 2]),
    "tensor with gradient": lambda: torch.tensor([1.0, 2.0], requires_grad=True),
    "parameter": lambda: torch.nn.Parameter(torch.tensor([1.0, 2.0])),
    "list of losses": lambda: [torch.tensor(1.0, requires_grad=True), torch.tensor(2.0)],
    "bfloat16": lambda: torch.tensor([1, 2], dtype=torch.bfloat16, requires_grad=True),
    "conjugated": lambda: torch.tensor([1 - 1j, 2 - 1j]).conj().real,
    "torch.Size": lambda: torch.Size([1, 2]),
    "series": lambda: pd.Series([1, 2], index=[5, 6]),
    "series of a nullable type": lambda: pd.Series([1, 2], dtype="Int64"),
    "index": lambda: pd.Index([1, 2]),
    "weights": lambda: [[[1.0]], [2.0]],
    "weights as arrays": lambda: [np.array([[1.0]]), np.array([2.0])],
}  # fmt: skip


@pytest.mark.parametrize("name", ONE_TWO)
def test_numbers_are_numbers_in_the_notebook_and_at_the_judge(name):
    assert in_both(ONE_TWO[name], [1, 2]) == ("", "")


@pytest.mark.parametrize("make", [
    lambda: torch.ones(2, 3, dtype=torch.bfloat16), lambda: torch.ones(2, 3, requires_grad=True),
    lambda: np.array([[Fraction(1)] * 3] * 2), lambda: pd.DataFrame([[1, 1, 1], [1.0, 1, 1]]),
    lambda: np.ones((2, 3), np.longdouble), lambda: torch.ones(3, 2).T, lambda: np.ones((2, 3), ml_dtypes.bfloat16),
    lambda: np.ones((2, 3)).data,
])  # fmt: skip
def test_a_table_arrives_as_one(make):
    """A check may take a column of it."""
    assert in_both(make, np.ones((2, 3))) == ("", "")
    assert across(make())[:, 1].tolist() == [1, 1]


@pytest.mark.slow
def test_numbers_of_tensorflow_and_keras_are_numbers():
    import keras
    import tensorflow as tf

    for make in (
        lambda: tf.constant([1, 2]), lambda: tf.Variable([1.0, 2.0]), lambda: tf.constant([1, 2], tf.bfloat16),
        lambda: [tf.constant(1.0), tf.Variable(2.0)], lambda: keras.Variable([1.0, 2.0]),
        lambda: [keras.ops.ones(()), keras.Variable(2.0)], lambda: tf.constant([1, 2], tf.half),
    ):  # fmt: skip
        assert in_both(make, [1, 2]) == ("", "")


# ---- the same refusals ----

RAGGED = np.empty(2, dtype=object)
RAGGED[:] = [np.ones(2), np.ones(3)]
ITSELF: list[Any] = []
ITSELF.append(ITSELF)
WITHIN = np.empty(1, dtype=object)
WITHIN[0] = WITHIN
NEITHER: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "Ellipsis": lambda: ...,
    "Ellipsis inside": lambda: [..., 2],
    "None inside": lambda: [1, None],
    "text": lambda: "1, 2",
    "text of NumPy": lambda: np.str_("1"),
    "array of text": lambda: np.array(["1", "2"]),
    "text among objects": lambda: np.array([1, "2"], dtype=object),
    "NumPy's text among objects": lambda: np.array([1, np.str_("2")], dtype=object),
    "None among objects": lambda: np.array([1, None], dtype=object),
    "bytes": lambda: b"\1\2",
    "bytes of NumPy": lambda: np.array([b"1", b"2"]),
    "set": lambda: {1, 2},
    "frozenset": lambda: frozenset([1, 2]),
    "dictionary": lambda: {"a": 1, "b": 2},
    "mapping": lambda: types.MappingProxyType({"a": 1}),
    "values": lambda: {"a": 1, "b": 2}.values(),
    "keys": lambda: {1: 1, 2: 2}.keys(),
    "generator": lambda: (x for x in [1, 2]),
    "map": lambda: map(float, [1, 2]),
    "zip": lambda: zip([1], [2], strict=True),
    "iterator": lambda: iter([1, 2]),
    "rows of a zip": lambda: [zip([1], [2], strict=True)],
    "function": lambda: len,
    "class": lambda: np.ndarray,
    "coroutine": lambda: types.SimpleNamespace(),
    "dates": lambda: np.array(["2020-01-01", "2020-01-02"], dtype="M8[D]"),
    "duration": lambda: np.timedelta64(1, "D"),
    "missing": lambda: pd.Series([1, None], dtype="Int64"),
    "no number": lambda: [Decimal("sNaN"), 2],
    "too large": lambda: [10**400, 2],
    "too large a fraction": lambda: [Fraction(10**400), 2],
    "too large among objects": lambda: np.array([10**400, 2], dtype=object),
    "ragged": lambda: [[1, 2], [3]],
    "ragged objects": lambda: RAGGED,
    "in itself": lambda: ITSELF,
    "an array in itself": lambda: WITHIN,
    "deep": lambda: [[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]],
    "structured": lambda: np.array([("1", 2.0)], dtype=[("a", "U1"), ("b", float)]),
    "void": lambda: np.void(b"abc"),
    "sparse": lambda: torch.eye(2).to_sparse(),
    "module": lambda: torch.nn.Linear(1, 1),
    "wrong numbers": lambda: [1, 3],
    "not a number": lambda: [1, math.nan],
    "too many": lambda: [1, 2, 3],
    "empty": lambda: [],
    "empty array": lambda: np.empty((2, 0)),
    "empty lists": lambda: [[], []],
}  # fmt: skip


@pytest.mark.parametrize("name", NEITHER)
def test_what_is_no_number_is_refused_in_the_same_words(name):
    notebook, judge = in_both(NEITHER[name], [1, 2])
    assert notebook and judge in (notebook, REFUSED)


def test_what_is_no_float_is_too_large():
    for value, said in (([1, 10**305], "entry 1"), (-(10**305), "the result")):
        assert fault(partial(copy.copy, value), [1, 2]) == f"{said} is too large a whole number"
        with pytest.raises(NotPlain, match="too large a whole number"):
            encode(value, LIMITS)


@pytest.mark.parametrize("make", [
    lambda: 1 + 0j, lambda: [1, 2 + 0j], lambda: np.array([1, 2 + 0j]), lambda: np.complex64(1), lambda: [[1], 1j],
    lambda: np.array([1, 2 + 0j], dtype=object), lambda: torch.tensor([1, 2 + 0j]),
    lambda: np.array([1], np.clongdouble),
])  # fmt: skip
def test_complex_answers_are_refused(make):
    """By the wire as a whole: a check that takes the smallest or a share of them would find real numbers."""
    notebook, judge = in_both(make, [1, 2])
    assert "must be real numbers" in notebook and "complex" in notebook and judge == REFUSED
    with pytest.raises(NotPlain, match="it holds complex numbers, and must be real"):
        encode(make(), LIMITS)
    for name, width in (("<c8", 8), ("<c16", 16)):
        with pytest.raises(NotPlain, match="malformed array"):
            decode({"array": [name, [1], base64.b64encode(bytes(width)).decode()]})


def test_a_check_may_loop_over_what_is_no_sequence():
    """As it may in the notebook, such as `[len(group) for group in ranking()]` where groups are sets."""
    groups, rows = across([{1, 2}, {3}]), across(zip([1, 2], [3, 4], strict=True))
    assert [len(group) for group in groups] == [2, 1] and sorted(groups[0]) == [1, 2]
    assert [row[0] for row in rows] == [1, 2] and np.asarray(rows).shape == ()
    assert isinstance(rows, Items) and type(rows).__name__ == "zip"
    with pytest.raises(NotPlain, match="too many values"):
        encode(itertools.count(), LIMITS)

    class Rows:
        def __iter__(self):
            return iter([[1, 2], [3, 4]])

    assert [row[1] for row in across(Rows())] == [2, 4] and type(across(Rows())).__name__ == "Rows"


# ---- bounds ----

HUGE: dict[str, Callable[[], Any]] = {
    "no bytes": lambda: np.empty((10**15, 0)),
    "no bytes in rows": lambda: [np.empty((10**6, 0))] * 3,
    "no bytes of a tensor": lambda: torch.empty(10**12, 0),
    "no bytes of a loss": lambda: torch.empty(10**12, 0, requires_grad=True),
    "many dimensions": lambda: np.empty((1,) * 9),
    "spread": lambda: np.broadcast_to(1.0, (10**9, 10**9)),
    "a long range": lambda: range(10**12),
    "empty lists": lambda: [[[]] * 1000] * 11,
    "twos of twos": lambda: twos(20),
}  # fmt: skip


def twos(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value, value]
    return value


@pytest.mark.parametrize("name", HUGE)
def test_what_is_too_large_is_refused_soon(name, monkeypatch):
    monkeypatch.setattr(plain, "ENTRIES", 10_000)
    monkeypatch.setattr(f"{__name__}.LIMITS", Limits(items=10_000))
    notebook, judge = in_both(HUGE[name], [1, 2])
    assert "too large an array" in notebook or "too many values" in notebook
    assert judge == REFUSED


@pytest.mark.parametrize("data", [
    {"array": ["<f8", [10**15, 0], ""]}, {"array": ["<f8", [0, 10**15], ""]}, {"array": ["<f8", [0] * 9, ""]},
    [{"array": ["<f8", [10**6, 0], ""]}] * 3, {"tuple": [{"array": ["<f8", [10**6, 0], ""]}] * 3},
    {"items": ["set", [{"array": ["<f8", [10**6, 0], ""]}] * 3]}, {"items": ["set", 3]}, {"items": [3]}, {"items": []},
    {"opaque": ["ellipsis"], "b": 1}, {"array": [["<f8"], [1], ""]}, {"array": ["<f8", "1", ""]},
    {"array": ["<f8", [True], ""]}, {"dict": [["a", 1], ["a", 2]]},
])  # fmt: skip
def test_a_forged_answer_is_bounded(data):
    with pytest.raises(NotPlain):
        decode(data)


# ---- at random ----

REAL = ["?", "i1", "u2", "<i4", ">i8", "f2", "<f4", ">f8", "f8", "g"]
ARRAYS = npst.arrays(st.sampled_from(REAL), npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3))
ODD_ARRAYS = npst.arrays(npst.array_dtypes() | npst.scalar_dtypes(), npst.array_shapes(min_dims=0, max_side=3))
REALS = (
    st.booleans() | st.integers() | st.integers(-(10**320), 10**320) | st.floats() | st.fractions()
    | st.decimals(allow_nan=None) | ARRAYS
)  # fmt: skip
OTHERS = (
    st.none() | st.just(...) | st.complex_numbers() | st.text(max_size=3) | st.binary(max_size=3) | ODD_ARRAYS
    | st.sets(st.integers(), max_size=3) | st.dates() | st.sampled_from([len, int, np.float64, object()])
)  # fmt: skip
TENSORS = ARRAYS.filter(lambda a: a.dtype.isnative and a.dtype.char not in "gH").map(
    lambda a: torch.as_tensor(a.copy())
)


def nested(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(leaves, containers, max_leaves=12)


def containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    lists = st.lists(inner, max_size=3)
    dictionaries = st.dictionaries(st.text(max_size=2) | st.integers(), inner, max_size=2)
    return lists | lists.map(tuple) | lists.map(collections.deque) | lists.map(of_objects) | dictionaries


def of_objects(values: list[Any]) -> np.ndarray:
    made = np.empty(len(values), dtype=object)
    for i, value in enumerate(values):
        made[i] = value
    return made


def wanted(value: Any) -> Any:
    """What the check asks for: just this, if it is numbers."""
    try:
        return numbers(value)
    except ValueError:
        return [1.0, 2.0]


@many
@given(nested(REALS | TENSORS) | nested(REALS | TENSORS | OTHERS))
def test_any_value_is_judged_as_in_the_notebook(value):
    notebook, judge = in_both(lambda: value, wanted(value))
    assert judge == notebook or (notebook and judge == REFUSED)


@many
@given(st.lists(REALS | TENSORS, min_size=1, max_size=6) | ARRAYS, st.data())
def test_right_is_right_in_both(value, data):
    want = wanted(value)
    notebook, judge = in_both(lambda: value, want)
    assert notebook == judge or judge == REFUSED
    if np.isfinite(want).all() and judge != REFUSED and not isinstance(want, list):
        assert judge == ""


KINDS = ["tuple", "dict", "array", "opaque", "items", "x"]
SHAPES = st.lists(st.integers(-1, 3) | st.integers(0, 10**18), max_size=10)
FORGED_ARRAYS = st.tuples(
    st.sampled_from(["<f8", "|b1", "<f4", "|O", "<c16", "f8,O", "|V8", "<U1", ""]), SHAPES,
    st.binary(max_size=24).map(lambda raw: base64.b64encode(raw).decode()) | st.text(max_size=5),
).map(lambda parts: {"array": list(parts)})  # fmt: skip
FRAMES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | FORGED_ARRAYS
    | st.sampled_from([10**400, -(10**400), math.inf, "ellipsis"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KINDS), inner, max_size=2)
    | st.tuples(st.text(max_size=9), st.lists(inner, max_size=3)).map(lambda pair: {"items": list(pair)})
    | st.lists(st.tuples(st.text(max_size=2), inner).map(list), max_size=3).map(lambda pairs: {"dict": pairs})
    | st.lists(inner, max_size=3).map(lambda each: {"tuple": each}), max_leaves=20,
)  # fmt: skip


def entries(value: Any) -> int:
    """How much a check can loop over, and a check that it is nothing but plain data."""
    if isinstance(value, Items):
        return 1 + sum(map(entries, value))
    if isinstance(value, Opaque):
        assert type(value).__name__.isidentifier() and not vars(value)
        return 1
    if isinstance(value, np.ndarray):
        assert value.dtype.kind in "biuf" and value.ndim <= 8
        return math.prod(max(n, 1) for n in value.shape)
    if isinstance(value, list | tuple):
        return 1 + sum(map(entries, value))
    if isinstance(value, dict):
        assert all(type(key) in (str, int) for key in value)
        return 1 + sum(map(entries, value.values()))
    assert value is None or value is ... or isinstance(value, bool | int | float | str | np.generic)
    return 1


@many
@given(FRAMES)
def test_a_forged_value_is_read_or_refused(frame):
    try:
        value = decode(frame)
    except NotPlain:
        return
    assert entries(value) <= 2 * ENTRIES
    fault(lambda: value, [1, 2])  # whatever it says, it says something


@many
@given(st.binary(max_size=60) | FRAMES.map(lambda value: pack({"value": value})[HEADER.size :]), st.data())
def test_forged_bytes_are_read_or_refused(text, data):
    if text and data.draw(st.booleans()):  # damaged
        at = data.draw(st.integers(0, len(text) - 1))
        text = text[:at] + data.draw(st.binary(max_size=3)) + text[at + data.draw(st.integers(0, 3)) :]
    try:
        message = unpack(text, LIMITS)
        assert isinstance(message, dict)
        decode(message.get("value"))
    except NotPlain:
        pass


# ---- notebooks ----

LABS = [Lab(path) for path in sorted((Path(__file__).parents[1] / "solutions").glob("*/0[156]-*.ipynb"))]
WORDS = st.sampled_from([
    "", "x = 1", "!pip install x", "%%bash\nls", "%%time\ny = 2", "files = !ls", "np.take?", "def lr_by_hand(n:", "\0",
    "    return 1", "# a comment", "Because it is so.", "Weil es so ist 学习率", "'''", "\\", "%", "!", "?", "%%",
    "%%writefile a.py", "\ud7ff",
]) | st.text(max_size=30)  # fmt: skip


def handed_out(lab: Lab) -> list[Cell]:
    return [Cell(cell.cell_type, cell.source, cell.id, dict(cell.metadata.get("nbgrader", {})))
            for cell in lab.released.cells]  # fmt: skip


def solved(lab: Lab) -> list[Cell]:
    sources = {cell.id: cell.source for cell in lab.source.cells if marked(cell, "solution")}
    return [replace(cell, source=sources.get(cell.id, cell.source)) for cell in handed_out(lab)]


CHANGES = ["delete", "double", "split", "retype", "strip", "insert", "append", "replace", "swap", "remark", "dedent"]


@st.composite
def notebooks(draw: st.DrawFn) -> tuple[Lab, list[Cell]]:
    lab = draw(st.sampled_from(LABS))
    cells = solved(lab) if draw(st.booleans()) else handed_out(lab)
    for change in draw(st.lists(st.sampled_from(CHANGES), max_size=8)):
        if not cells:
            break
        at, to = (draw(st.integers(0, len(cells) - 1)) for _ in range(2))
        cell, word, kind = cells[at], draw(WORDS), draw(st.sampled_from(["code", "markdown", "raw"]))
        if change == "delete":
            del cells[at]
        elif change == "double":
            cells.insert(to, cell)
        elif change == "split":
            lines = cell.source.split("\n")
            middle = draw(st.integers(0, len(lines)))
            cells[at : at + 1] = [replace(cell, source="\n".join(lines[:middle])),
                                  Cell(cell.kind, "\n".join(lines[middle:]), f"new{at}")]  # fmt: skip
        elif change == "retype":
            cells[at] = replace(cell, kind=kind)
        elif change == "strip":
            cells[at] = replace(cell, id="", marks={})
        elif change == "insert":
            cells.insert(at, Cell(kind, word))
        elif change == "append":
            cells[at] = replace(cell, source=f"{cell.source}\n{word}")
        elif change == "replace":
            cells[at] = replace(cell, source=word)
        elif change == "swap":
            cells[at], cells[to] = cells[to], cells[at]
        elif change == "remark":
            cells[at] = replace(cell, marks=cells[to].marks)
        else:
            cells[at] = replace(cell, source="  " + cell.source.replace("\n", "\n  "))
    return lab, cells


@settings(many, max_examples=EXAMPLES or 150)
@given(notebooks())
def test_any_notebook_is_rebuilt(made):
    lab, cells = made
    rebuilt = rebuild(cells, lab)
    ours_is_ours(rebuilt, lab)
    assert set(rebuilt.answers) == lab.answer_ids
    assert len(rebuilt.notebook.cells) <= len(lab.source.cells) + 2 * len(cells)
    given_text = sum(len(cell.source) + 2 for cell in cells)
    assert sum(map(len, rebuilt.answers.values())) <= given_text
    assert len("".join(rebuilt.notes + rebuilt.doubts)) < 50_000


def ours_is_ours(rebuilt: Rebuilt, lab: Lab) -> None:
    kept = [(cell.id, cell.source) for cell in rebuilt.notebook.cells
            if not marked(cell, "solution") and not cell.id.startswith("own-")]  # fmt: skip
    assert kept == [(cell.id, cell.source) for cell in lab.source.cells if not marked(cell, "solution")]
