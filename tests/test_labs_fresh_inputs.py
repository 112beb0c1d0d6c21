"""Hidden tests hold for whatever a grading draws: right answers keep every point, wrong answers lose theirs.

The checks run here as plain Python, without the judge. LRCOURSE_DRAWS says how many draws are tried of each lab.
"""

import ast
import contextlib
import io
import os
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import partial, wraps
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from nbformat import NotebookNode

from lrcourse.course import labs
from lrcourse.selfcheck import Task

ROOT = Path(__file__).parents[1]
SOURCES = labs.sources(ROOT)
SLOW = {"02-callbacks", "05-shoot-out", "06-capstone"}  # they load TensorFlow or train networks
LABS = [pytest.param(path, marks=[pytest.mark.slow] * (path.stem in SLOW), id=path.stem) for path in SOURCES]
DRAWS = range(int(os.environ.get("LRCOURSE_DRAWS", "1")))
GENERATORS = {"default_rng", "RandomState", "Generator", "SeedSequence", "PCG64"}
SEED_AT = {"linear_regression": 1, "moons": 2, "glyphs": 3}  # the place of the seed among the arguments


def code(path: Path) -> list[NotebookNode]:
    """The cells that answer or check: no pictures, which need the checks' results."""
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    return [cell for cell in cells if not cell.id.startswith(("picture", "experiment"))]


def checks(path: Path) -> list[NotebookNode]:
    return [cell for cell in code(path) if cell.metadata.nbgrader.grade]


def statements(source: str, hidden: bool) -> list[ast.stmt]:
    """The statements of a check cell that are hidden tests, or those that are not."""
    lines = source.split("\n")
    inside = range(lines.index("### BEGIN HIDDEN TESTS") + 2, lines.index("### END HIDDEN TESTS") + 1)
    return [each for each in ast.parse(source).body if (each.lineno in inside) == hidden]


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(), plt.rc_context():
        warnings.simplefilter("ignore")
        yield


class Trial:
    """A lab with answers in the place of its solutions, in names of its own."""

    def __init__(self, path: Path, answers: Mapping[str, str]) -> None:
        self.path, self.names = path, dict[str, Any](__name__="__main__")
        with quietly():
            for cell in code(path):
                marks = cell.metadata.nbgrader
                if not marks.grade:
                    source = answers.get(marks.grade_id, cell.source) if marks.solution else cell.source
                    exec(compile(source, marks.grade_id, "exec"), self.names)
        self.visible = self.faults(hidden=False)

    def points(self) -> dict[str, float]:
        """What the visible and the hidden tests together leave."""
        hidden = self.faults(hidden=True)
        left = {}
        for cell in checks(self.path):
            name = cell.id
            assert hidden[name].keys() == self.visible[name].keys(), "a part of a task has no hidden test"
            right = [not (fault or hidden[name][part]) for part, fault in self.visible[name].items()]
            left[name] = cell.metadata.nbgrader.points * sum(right) / len(right)
        return left

    def faults(self, hidden: bool) -> dict[str, dict[str, str]]:
        """What either kind of tests finds in each part, by check cell."""
        found = {}
        for cell in checks(self.path):
            kept = statements(cell.source, hidden=False)
            if hidden:  # of the visible part the names alone
                names = [each for each in kept if not isinstance(each, ast.Expr | ast.For)]
                kept = names + statements(cell.source, hidden=True)
            with quietly():
                exec(compile(ast.Module(kept, []), cell.id, "exec"), self.names)
            found[cell.id] = dict(self.names[task_of(cell.source)].faults)
        return found


def task_of(source: str) -> str:
    """The name of a check cell's task."""
    (name,) = {
        each.targets[0].id for each in ast.parse(source).body
        if isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name)
        and ast.unparse(each.value).startswith("Task(")
    }  # fmt: skip
    return name


@pytest.fixture
def draw(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Choose what every task's generator is drawn from, as each grading does."""

    def choose(seed: int) -> None:
        monkeypatch.setattr(Task, "rng", lambda self, number: np.random.default_rng([number, seed]))

    return choose


@pytest.mark.parametrize("path", LABS)
def test_answers_keep_their_points_whatever_is_drawn(path: Path, draw: Callable[[int], None]) -> None:
    given = labs.answers(path)
    full = {cell.id: float(cell.metadata.nbgrader.points) for cell in checks(path)}
    tried: list[tuple[str, Mapping[str, str], Mapping[str, float]]] = [
        ("the solution", {}, {}), ("the other right answers", given.otherwise, {}),
        *(("; ".join(each.name for each in hand), {each.cell: each.source for each in hand},
           {each.check: each.keeps for each in hand}) for hand in given.dealt()),
    ]  # fmt: skip
    for name, answers, keeps in tried:
        trial = Trial(path, answers)
        for seed in DRAWS:
            draw(seed)
            assert trial.points() == pytest.approx({**full, **keeps}), f"{name}, draw {seed}"


@pytest.mark.parametrize("path", LABS)
def test_every_part_is_asked_something_else_by_another_draw(
    path: Path, draw: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[tuple[str, str], list[str]] = defaultdict(list)
    part = [("", "")]
    check = Task.check

    def noted(self: Task, name: str, got: Any, want: Any, *args: Any, **options: Any) -> None:
        part[0] = self.name, name
        asked[part[0]].append(repr(want))
        check(self, name, got, want, *args, **options)

    def overheard(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def call(*args: Any, **options: Any) -> Any:
            asked[part[0]].append(repr((args, options)))
            return function(*args, **options)

        return call

    trial = Trial(path, {})
    theirs = {
        each.name for cell in code(path) if cell.metadata.nbgrader.solution
        for each in ast.parse(cell.source).body if isinstance(each, ast.FunctionDef)
    }  # fmt: skip
    trial.names.update({name: overheard(trial.names[name]) for name in theirs})
    monkeypatch.setattr(Task, "check", noted)
    questions = []
    for seed in range(2):
        draw(seed)
        asked.clear()
        trial.faults(hidden=True)
        questions.append(dict(asked))
    first, second = questions
    assert first.keys() == second.keys()
    assert [each for each in first if first[each] == second[each]] == []


# ---- nothing in a hidden test is the same at each grading ----


def fixed(hidden: list[ast.stmt], seed_at: Mapping[str, int]) -> list[str]:
    """Generators of its own, and seeds that are written down, in hidden tests."""
    calls = [node for each in hidden for node in ast.walk(each) if isinstance(node, ast.Call)]
    found = []
    for call in calls:
        name = ast.unparse(call.func).rpartition(".")[2]
        place = seed_at.get(name, len(call.args))
        seeds = [*call.args[place : place + 1], *(word.value for word in call.keywords if word.arg == "seed")]
        if name in GENERATORS or any(isinstance(seed, ast.Constant) for seed in seeds):
            found.append(ast.unparse(call))
    return found


def seed_places(path: Path) -> dict[str, int]:
    """At which place the functions of a lab, and those of the package that make data, have their seed."""
    defined = [node for cell in code(path) for node in ast.walk(ast.parse(cell.source))
               if isinstance(node, ast.FunctionDef)]  # fmt: skip
    arguments = {node.name: [each.arg for each in node.args.args] for node in defined}
    return SEED_AT | {name: names.index("seed") for name, names in arguments.items() if "seed" in names}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_hidden_tests_hold_no_seed(path: Path) -> None:
    for cell in checks(path):
        assert fixed(statements(cell.source, hidden=True), seed_places(path)) == [], cell.id


def test_every_task_has_a_generator_of_its_own() -> None:
    numbers = []
    for path in SOURCES:
        for cell in checks(path):
            hidden = ast.unparse(ast.Module(statements(cell.source, hidden=True), []))
            (number,) = [line.partition(" = ")[2] for line in hidden.split("\n") if line.startswith("rng = ")]
            assert number.startswith(f"{task_of(cell.source)}.rng({path.stem[1]}")
            numbers.append(number.partition("(")[2])
    assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize("hidden", [
    "rng = np.random.default_rng(7)", "data = glyphs(600, 16, seed=61)", "data = linear_regression(20, 5)",
    "for seed in range(3):\n    capstone.check('a', lambda: spend(65, budget=600), [1])",
])  # fmt: skip
def test_a_seed_that_is_written_down_is_found(hidden: str) -> None:
    assert len(fixed(ast.parse(hidden).body, SEED_AT | {"spend": 0})) == 1
    assert fixed(ast.parse("glyphs(600, seed=int(rng.integers(9))); range(3)").body, SEED_AT) == []


def test_a_task_draws_the_same_in_every_notebook() -> None:
    draws = partial(Task("1. A task", points=1).rng, 101)
    assert draws().random(3).tolist() == draws().random(3).tolist() == np.random.default_rng(101).random(3).tolist()


def calls(statements: list[ast.stmt]) -> Iterator[ast.Call]:
    yield from (node for each in statements for node in ast.walk(each) if isinstance(node, ast.Call))


@pytest.mark.parametrize("path", SOURCES, ids=[path.stem for path in SOURCES])
def test_hidden_tests_call_answers_as_visible_checks_do(path):
    """With the same names of arguments: an answer that takes them by name alone passes both or neither."""
    sources = [cell.source for cell in code(path) if not cell.metadata.nbgrader.grade]
    answers = {node.name: [each.arg for each in node.args.args] for source in sources
               for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}  # fmt: skip
    for cell in checks(path):
        if cell.metadata.nbgrader.solution:
            continue
        named: dict[str, set[str | None]] = defaultdict(set)
        for call in calls(statements(cell.source, hidden=False)):
            if isinstance(call.func, ast.Name):
                named[call.func.id] |= {keyword.arg for keyword in call.keywords}
        for call in calls(statements(cell.source, hidden=True)):
            if isinstance(call.func, ast.Name) and (arguments := answers.get(call.func.id)):
                assert not named[call.func.id] & {*arguments[: len(call.args)]}, f"{cell.id}: {ast.unparse(call)}"
