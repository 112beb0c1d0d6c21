"""Is the lab fit to grade with? Its solution, the blank lab and its named wrong answers go through the real judge."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from nbformat import NotebookNode

from ..labs import answered, answers
from .files import write
from .lab import Lab, marked
from .outcome import Judgement, TaskStatus

Judge = Callable[[Mapping[str, NotebookNode]], Iterable[tuple[str, Judgement | str]]]


class BrokenLab(RuntimeError):
    """A lab that does not score as it should; the message says in what."""


def check(lab: Lab, judge: Judge, key: str, cache: Path) -> None:
    """Try the lab, unless `cache` says that it was found right under the same `key`.

    `judge` takes notebooks by name and yields a judgement for each.

    Raises: `BrokenLab`; `ValueError` if solutions/NN-name.toml does not fit the lab.
    """
    if cache.exists() and json.loads(cache.read_text(encoding="utf-8")).get("key") == key:
        return
    trials = dict(_trials(lab))
    judgements = dict(judge({name: notebook for name, (notebook, _) in trials.items()}))
    faults = [fault for name, (_, want) in trials.items() for fault in _faults(name, judgements[name], want)]
    if faults:
        raise BrokenLab(f"{lab.name} does not score as it should, so nothing is graded:\n" + "\n".join(faults))
    write(cache, json.dumps({"key": key, "tried": sorted(trials)}, indent=1, ensure_ascii=False) + "\n")


def _trials(lab: Lab) -> Iterator[tuple[str, tuple[NotebookNode, dict[str, float]]]]:
    """What is tried: a notebook, and the points that each of its tasks must get."""
    given = answers(lab.path)
    stubs = {cell.metadata.nbgrader.grade_id: cell.source for cell in lab.released.cells if marked(cell, "solution")}
    yield "the solution", (lab.source, lab.points)
    yield "the blank lab", (answered(lab.source, stubs), dict.fromkeys(lab.points, 0.0))
    yield "the other right answers", (answered(lab.source, given.otherwise), lab.points)
    for hand in given.dealt():
        notebook = answered(lab.source, {answer.cell: answer.source for answer in hand})
        kept = {answer.check: answer.keeps for answer in hand}
        yield "; ".join(answer.name for answer in hand), (notebook, lab.points | kept)


def _faults(name: str, judgement: Judgement | str, want: dict[str, float]) -> Iterator[str]:
    if isinstance(judgement, str):
        yield f"{name}: {judgement}"
        return
    for task in judgement.tasks:
        if task.status is not TaskStatus.MANUAL and task.points != want[task.grade_id]:
            said = task.reason or "; ".join(f"{part.name}: {part.detail}" for part in task.parts if not part.right)
            yield f"{name}: {task.grade_id} gets {task.points:g}, it should get {want[task.grade_id]:g} ({said})"
    if missing := want.keys() - {task.grade_id for task in judgement.tasks}:
        yield f"{name}: no score for {', '.join(sorted(missing))}"
