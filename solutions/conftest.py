"""pytest tries each lab with its answers: solutions/NN-name.toml is a test file, so
`pytest solutions/01-decay.toml`.

Answers are scored by nbgrader's own rule on cells that a real kernel executed, hidden
tests included.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode
from nbgrader import preprocessors
from nbgrader.utils import determine_grade, is_grade

from lrcourse.course import kernels, labs
from lrcourse.selfcheck import UNSOLVED

HERE = Path(__file__).parent


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> "Lab | None":
    answers = file_path.suffix == ".toml" and file_path.name != "ruff.toml"
    mine = file_path.parent == HERE and answers
    return Lab.from_parent(parent, path=file_path) if mine else None


class Lab(pytest.File):
    """A lab and the notebooks that try it, which run when the first test asks."""

    def collect(self) -> Iterator["Trial"]:
        notebook = self.path.with_suffix("") / f"{self.path.stem}.ipynb"
        self.answers = labs.answers(notebook)
        self.source = nbformat.read(notebook, as_version=4)
        checks = _checks(self.source)
        self.full = {cell.id: cell.metadata.nbgrader.points for cell in checks}
        tests: dict[str, Callable[[], None]] = {
            "at least five wrong answers are named": self.names_wrong_answers,
            "the solution gets every point": self.solution_scores,
            "a blank lab runs and gets no point": self.blank_runs_and_scores_nothing,
            "right answers written differently get every point": self.other_scores,
        }
        kinds = {"right": self.answers.right, "wrong": self.answers.wrong}
        for kind, answers in kinds.items():
            for answer in answers:
                tests[f"{kind}: {answer.name}"] = partial(self.keeps, answer)
        for name, test in tests.items():
            yield Trial.from_parent(self, name=name, test=test)

    @cached_property
    def notebooks(self) -> dict[str, NotebookNode]:
        clear = preprocessors.ClearSolutions()
        blank, _ = clear.preprocess(labs.answered(self.source, {}), {})
        tried = {
            "solution": labs.answered(self.source, {}),
            "blank": blank,
            "otherwise": labs.answered(self.source, self.answers.otherwise),
        }
        for hand in self.answers.dealt():
            sources = {answer.cell: answer.source for answer in hand}
            notebook = labs.answered(self.source, sources)
            tried |= {answer.name: notebook for answer in hand}
        _execute(tried)
        return tried

    def scores(self, name: str) -> dict[str, float]:
        notebook = self.notebooks[name]
        assert _errors(notebook) == []
        return {cell.id: determine_grade(cell)[0] for cell in _checks(notebook)}

    def names_wrong_answers(self) -> None:
        assert len(self.answers.wrong) >= 5

    def solution_scores(self) -> None:
        assert self.scores("solution") == self.full

    def blank_runs_and_scores_nothing(self) -> None:
        assert self.scores("blank") == dict.fromkeys(self.full, 0)
        blank = self.notebooks["blank"]
        assert all(cell.execution_count for cell in _code(blank))
        outputs = [output for cell in _checks(blank) for output in cell.outputs[:1]]
        said = [output.get("text", "") for output in outputs]
        assert len(said) == len(self.full) and all(UNSOLVED in text for text in said)

    def other_scores(self) -> None:
        assert self.scores("otherwise") == self.full

    def keeps(self, answer: labs.Answer) -> None:
        hand = next(hand for hand in self.answers.dealt() if answer in hand)
        others = {other.check for other in hand if other != answer}
        expected = self.full | {answer.check: answer.keeps}
        scores = self.scores(answer.name)
        assert {check: scores[check] for check in expected.keys() - others} == {
            check: expected[check] for check in expected.keys() - others
        }


class Trial(pytest.Item):
    def __init__(self, *, test: Callable[[], None], **of_pytest: Any) -> None:
        super().__init__(**of_pytest)
        self.test = test
        self.add_marker("notebooks")

    def runtest(self) -> None:
        self.test()


def _execute(notebooks: Mapping[str, NotebookNode]) -> None:
    """Run all of them one after another in one kernel, each with empty names.

    So frameworks are loaded once.
    """
    long = nbformat.v4.new_notebook()
    different = {id(notebook): notebook for notebook in notebooks.values()}
    for notebook in different.values():
        long.cells += [nbformat.v4.new_code_cell("%reset -f"), *_code(notebook)]
    kernels.client(long, Path.cwd(), allow_errors=True, timeout=300).execute()


def _checks(notebook: NotebookNode) -> list[NotebookNode]:
    """The cells that are graded by tests; a written answer is graded by hand."""
    return [cell for cell in _code(notebook) if is_grade(cell)]


def _code(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _errors(notebook: NotebookNode) -> list[str]:
    return [
        f"{cell.id}: {output.evalue}"
        for cell in _code(notebook)
        for output in cell.outputs
        if output.output_type == "error"
    ]
