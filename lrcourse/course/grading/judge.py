"""The judge: the instructor's checks run here, the student's code in a sandbox, and only plain data passes between.

A check cell is run one statement after the other, in a namespace in which every name that the instructor's cells do
not define is a call into the sandbox. Points and faults are read from the `Task` objects themselves.

A notebook is run twice. `shown` makes visible checks alone: all that a student may read comes from there. `judged`
makes the hidden ones, too, and gives the points. What has seen a hidden input can leave traces on the machine, so a
class is first shown, all of it, and then judged: nothing is ever shown of a run that came after a judged one. What a
hidden test would find is shown by an example, which the shown run draws from a seed that everybody may know.
"""

import ast
import builtins
import contextlib
import hashlib
import io
import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import inf
from types import CodeType
from typing import Any

import numpy as np
from nbformat import NotebookNode
from numpy.typing import ArrayLike

from ...selfcheck import UNSOLVED, Task
from .cell_names import defined, hidden_lines, needed, stored, surely_defined, visible
from .clock import Budget
from .example import SEED, Example
from .limits import Limits
from .outcome import Judgement, Part, Shown, TaskScore, TaskStatus
from .sandbox import Sandbox
from .session import Lost, Ran, Session
from .texts import bounded, sanitized

HIDDEN = "the hidden tests, which repeat this check with other inputs, find a fault"
EXAMPLE = "For example, with inputs that you may know, {}"
VISIBLE = "the check finds a fault"
LOST = {
    TaskStatus.CRASHED: "the answer ended the process that ran it, or sent back what no check can read",
    TaskStatus.TIMED_OUT: "the answer took too long",
}
UNDONE = ("NotImplementedError", "SystemExit", "SyntaxError", "IndentationError", "TabError")  # as in the notebook
CELLS = 10  # whose whole text is kept
LESS = 8  # part of the time that the parts of a task have, once one of them was stopped
STOPPED = "it was stopped: {}. Is there a loop that does not end?"
BEFORE = "it took too long when visible checks alone were made"
MOODY = "the function does not give the same answers each time"


def judge(notebook: NotebookNode, sandbox: Sandbox, limits: Limits | None = None, seed: str = "") -> Judgement:
    """Show and judge one notebook: the instructor's cells with hidden tests, and the student's answers.

    Two judgings of one notebook are equal, as far as the student's code is deterministic and keeps off the limits.

    Raises: `NoSandbox` if a sandbox cannot be started.
    """
    limits = limits or Limits()
    return judged(notebook, shown(notebook, sandbox, limits), seed, sandbox, limits)


def shown(notebook: NotebookNode, sandbox: Sandbox, limits: Limits) -> Shown:
    """What visible checks alone find: all that a student may read.

    It may use half of `limits.total_seconds`, so that at least as much is left for `judged`.

    Raises: `NoSandbox` if a sandbox cannot be started.
    """
    run = _Run(notebook, sandbox, limits, Budget.in_all(limits.total_seconds / 2)).finish()
    return Shown(
        dict(_texts(run.ran, CELLS * limits.text)),
        {name: each.faults for name, each in run.verdicts.items()},
        {name: each.points for name, each in run.verdicts.items()},
        {name: each.examples for name, each in run.verdicts.items() if each.examples},
        [list(each) for each in sorted(run.stopped)],
        bounded([*dict.fromkeys(run.events)]),
        limits.call_seconds,
        run.total.used,
        bounded(run.broken),
    )


def judged(notebook: NotebookNode, shown: Shown, seed: str, sandbox: Sandbox, limits: Limits) -> Judgement:
    """The points, by visible and hidden checks. `seed`: a secret, from which hidden inputs are drawn.

    What took too long when it was `shown` is not tried again. But where there is more time now, everything is, and the
    events of before say nothing of it.

    Raises: `NoSandbox` if a sandbox cannot be started.
    """
    again = shown.call_seconds < limits.call_seconds
    skipped = set() if again else {(name, part) for name, part in shown.stopped}
    total = Budget.in_all(limits.total_seconds - shown.seconds)
    run = _Run(notebook, sandbox, limits, total, seed, True, skipped).finish()
    moods = [event for verdict in run.verdicts.values() for event in _moods(verdict, shown)]
    tasks = [_scored(verdict, shown) for verdict in run.verdicts.values()]
    events = dict.fromkeys([*([] if again else shown.events), *run.events, *moods])
    return Judgement(tasks, shown.texts, bounded([*events]))


def measured(
    notebook: NotebookNode, program: str, given: dict[str, Any], sandbox: Sandbox, limits: Limits
) -> tuple[Any, str]:
    """What the instructor's `program` comes to with a student's answers, and if it comes to nothing, why.

    It runs here, like a check cell, in the namespace of the setup and of `given`, and its last line is its value. The
    calls that it makes into the sandbox have `limits.call_seconds` for all of them together.

    Raises: `NoSandbox` if a sandbox cannot be started.
    """
    return _Run(notebook, sandbox, limits, Budget.in_all(limits.total_seconds)).measured(program, given)


@dataclass
class _Verdict:
    """What a check cell came to."""

    grade_id: str
    max_points: float
    task: "_JudgedTask | None" = None
    points: float = 0
    status: TaskStatus = TaskStatus.JUDGED
    lost: str = ""

    @property
    def faults(self) -> dict[str, str]:
        """What was found wrong in each part, "" where nothing was; no part where the task was lost as a whole."""
        if not self.task or self.lost:
            return {}
        return {part: sanitized(fault, 2000) for part, fault in self.task.faults.items()}

    @property
    def examples(self) -> dict[str, str]:
        """Of each part the smallest example of what hidden tests find, drawn for everybody to see."""
        return dict(self.task.examples) if self.task else {}


@dataclass
class _Checking:
    """What the tasks of one run know of the check cell that is at work.

    `seed`: the secret that hidden inputs are drawn from. `skipped`: parts, each with its task's name, that were stopped
    before. `patient`: whether other parts are tried after one was stopped. `hidden`: whether the statement is a hidden
    test, `public`: one whose inputs are drawn for an example. `tasks`: those that the cell has made. `budget`: for the
    student's code in one check of a part, of `seconds`. `example`: the one that it is for, where it is public.
    """

    seed: str
    skipped: set[tuple[str, str]]
    patient: bool
    seconds: float = inf
    budget: Budget | None = None
    hidden: bool = False
    public: bool = False
    example: Example | None = None
    tasks: "list[_JudgedTask]" = field(default_factory=list)

    def begin(self, seconds: float) -> None:
        """Another check cell, of whose parts each may take `seconds`."""
        self.seconds, self.tasks = seconds, []

    def task(self, name: str, points: float) -> "_JudgedTask":
        """What a check cell has in the place of `Task`."""
        self.tasks.append(_JudgedTask(name, points, self))
        return self.tasks[-1]


class _JudgedTask(Task):
    """A `Task` that notes which faults hidden tests found, which parts were stopped, and all hints of a part."""

    seconds = inf  # the student's code runs elsewhere, and is stopped there

    def __init__(self, name: str, points: float, checking: _Checking) -> None:
        super().__init__(name, points)
        self.checking = checking
        self.hidden: set[str] = set()
        self.stopped: dict[str, str] = {}
        self.hints: dict[str, str] = {}
        self.examples: dict[str, str] = {}
        self.sizes: dict[str, int] = {}

    def check(
        self, part: str, got: Callable[[], Any], want: ArrayLike, hint: str = "", *args: Any, **options: Any
    ) -> None:
        if self.checking.public:
            self._exemplify(Example(part, got, want, *args, **options))
            return
        before = self.faults.get(part)
        if hint and hint not in self.hints.get(part, ""):
            self.hints[part] = f"{self.hints.get(part, '')} {hint}".strip()
        if (self.name, part) in self.checking.skipped:
            self._stop(part, BEFORE)
            return
        self.checking.budget = Budget(self.checking.seconds)  # for all calls together
        try:
            super().check(part, got, want, hint, *args, **options)
        except Lost as lost:
            if lost.over or not lost.timed_out or not self.checking.patient:
                raise
            self._stop(part, lost.reason)
        finally:
            self.checking.budget = None
        if self.faults[part] and not before and self.checking.hidden:
            self.hidden.add(part)

    def rng(self, number: int) -> np.random.Generator:
        """Seeded with the secret, too: nobody outside of this process can draw the same. For an example with none."""
        seed = SEED if self.checking.public else self.checking.seed
        if not seed:
            return super().rng(number)
        secret = hashlib.sha256(seed.encode()).digest()[:16]
        return np.random.default_rng([number, int.from_bytes(secret)])

    def _exemplify(self, example: Example) -> None:
        """Keep the example if it finds a fault where visible checks find none, and is the smallest."""
        if self.faults.get(example.part) or (self.name, example.part) in self.checking.skipped:
            return
        self.checking.example = example
        self.checking.budget = Budget(self.checking.seconds)
        try:
            text = example.text()
        finally:
            self.checking.budget = self.checking.example = None
        if text and example.size < self.sizes.get(example.part, inf):
            self.examples[example.part], self.sizes[example.part] = text, example.size

    def _stop(self, part: str, reason: str) -> None:
        self.stopped[part] = reason
        self.faults[part] = STOPPED.format(reason)


@dataclass
class _Run:
    """One pass over a notebook's cells.

    `total`: for all of it. `seed`, `skipped`: see `_Checking`; a run without `hidden_too` needs neither.
    `stopped`: the parts that took too long, each with its task's name; of a cell, its name and "".

    `first`: the number of the first cell that is not the instructor's setup. `past`: the cells so far that left the
    session alive. `lent`: the check cells that define what the student's cells read. `gone`: names that were to be
    defined by cells that did not. `ended`: the type of the exception that ended the last of the student's cells.
    `broken`: those cells that an exception ended. `given_up`: the first stop ended an impatient run.
    """

    notebook: NotebookNode
    sandbox: Sandbox
    limits: Limits
    total: Budget
    seed: str = ""
    hidden_too: bool = False
    skipped: set[tuple[str, str]] = field(default_factory=set)
    verdicts: dict[str, _Verdict] = field(default_factory=dict)
    ran: dict[str, Ran] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    stopped: set[tuple[str, str]] = field(default_factory=set)
    cells: list[NotebookNode] = field(init=False)
    first: int = field(init=False)
    lent: set[str] = field(init=False)
    setup: str = field(init=False)
    checking: _Checking = field(init=False)
    given_up: bool = field(default=False, init=False)
    session: Session | None = field(default=None, init=False)
    past: list[str] = field(default_factory=list, init=False)
    gone: dict[str, Lost] = field(default_factory=dict, init=False)
    ended: str = field(default="", init=False)
    namespace: dict[str, Any] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.cells = [cell for cell in self.notebook.cells if cell.cell_type == "code"]
        answers = [i for i, cell in enumerate(self.cells) if _graded(cell) or not _ours(cell)]
        self.first = min(answers, default=len(self.cells))
        self.setup = "\n".join(cell.source for cell in self.cells[: self.first])
        self.lent = _lent(self.cells[self.first :])
        self.checking = _Checking(self.seed, self.skipped, self.limits.patient)

    def finish(self) -> "_Run":
        with _quiet():
            self.namespace = self._instructors_namespace()
            try:
                for cell in self.cells[self.first :]:
                    if _graded(cell):
                        self._check(cell)
                        self._lend(cell)
                    elif not self.given_up:
                        self._answer(cell)
            finally:
                self._close()
        for cell in self.notebook.cells:
            if cell.cell_type != "code" and _graded(cell):
                self._verdict(cell).status = TaskStatus.MANUAL
        return self

    def measured(self, program: str, given: dict[str, Any]) -> tuple[Any, str]:
        value = None
        with _quiet():
            self.namespace = self._instructors_namespace() | given
            try:
                for cell in self.cells[self.first :]:
                    if _graded(cell) and _ours(cell):
                        self._lend(cell)
                    else:
                        self._answer(cell)
                self.checking.begin(self.limits.call_seconds)
                self.checking.budget = Budget(self.limits.call_seconds)
                for code, _ in self._statements(program):
                    value = eval(code, self.namespace)
            except Lost as lost:
                return None, _because(lost)
            except MemoryError:  # of this process: no fault of the answer
                raise
            except Exception as error:  # such as a request that was refused
                return None, sanitized(f"{type(error).__name__}: {error}", 200)
            finally:
                self._close()
        return value, ""

    def _instructors_namespace(self) -> dict[str, Any]:
        random.seed(0)
        np.random.seed(0)
        namespace: dict[str, Any] = {"__name__": "__main__"}
        exec(compile(self.setup, "setup", "exec"), namespace)
        return {name: self.checking.task if value is Task else value for name, value in namespace.items()}

    # The student's cells

    def _answer(self, cell: NotebookNode) -> None:
        if not cell.source.strip():
            return
        ours = _ours(cell)  # such as a picture, which needs the checks' results: not here
        try:
            if (_name(cell), "") in self.skipped:
                raise Lost(BEFORE, timed_out=True)
            ran = self._session().run(cell.source)
        except Lost as lost:
            self.gone |= dict.fromkeys(defined(cell.source), lost)
            ran = Ran("", _because(lost))
            if lost.reason != BEFORE:
                self._close()
                self.events.append(f"cell {_name(cell)}: {_because(lost)}")
                self.given_up = not self.limits.patient
            if lost.timed_out and not lost.over:
                self.stopped.add((_name(cell), ""))
        else:
            self.past.append(cell.source)
            for name in defined(cell.source):
                self.gone.pop(name, None)
        if not ours:
            self.ended = ran.error.partition(":")[0]
            if self.ended and self.ended not in UNDONE and not ran.error.startswith(("crashed: ", "timed out: ")):
                self.broken.append(f"the cell {_name(cell)} ended with {ran.error}")
            self.ran[cell.get("id") or _name(cell)] = ran

    def _session(self) -> Session:
        """The session, with every cell so far run in it."""
        if not self.session:
            self.session = Session(self.sandbox, self.setup, self.limits, self.total)
            for source in self.past:
                self.session.run(source)
        return self.session

    def _close(self) -> None:
        if self.session:
            self.session.close()
            self.session = None

    def _lend(self, cell: NotebookNode) -> None:
        """Run a check cell, as students have it, where the student's later cells read what it defines.

        Not if a part of it was stopped: it would take as long again.
        """
        verdict = self._verdict(cell)
        if verdict.grade_id not in self.lent or verdict.lost or (verdict.task and verdict.task.stopped):
            return
        source = visible(cell.source)
        try:
            self._session().run(source)
            self.past.append(source)
        except Lost as lost:
            self._close()
            self.events.append(f"cell {_name(cell)}: {_because(lost)}")
            self.given_up = not self.limits.patient

    # The instructor's checks

    def _verdict(self, cell: NotebookNode) -> _Verdict:
        grading = cell.metadata.nbgrader
        return self.verdicts.setdefault(grading.grade_id, _Verdict(grading.grade_id, float(grading.points)))

    def _check(self, cell: NotebookNode) -> None:
        verdict = self._verdict(cell)
        if cell.metadata.nbgrader.solution:  # an answer in code that a person grades
            verdict.status = TaskStatus.MANUAL
            return None if self.given_up else self._answer(cell)
        if self.given_up:
            verdict.status, verdict.lost = TaskStatus.TIMED_OUT, "it was not tried"
            return None
        self.checking.begin(self.limits.call_seconds)
        value, draws = None, ".rng(" in cell.source  # what a hidden test has not drawn is a secret
        try:
            for code, hidden in self._statements(cell.source):
                if hidden and not self.hidden_too:
                    draws = draws and self._example(code)
                    continue
                self.checking.hidden = hidden
                value = eval(code, self.namespace)
        except Lost as lost:
            self._close()
            self.given_up = not self.limits.patient
            verdict.status = TaskStatus.TIMED_OUT if lost.timed_out else TaskStatus.CRASHED
            verdict.lost = _because(lost)
            self.events.append(f"{verdict.grade_id}: {_because(lost)}")
        except Exception as error:  # a check cell that such an answer breaks is not the student's success
            verdict.status = TaskStatus.CRASHED
            verdict.lost = f"the check could not go on: {type(error).__name__}"
            self.events.append(f"{verdict.grade_id}: {verdict.lost}: {sanitized(str(error), 200)}")
        verdict.task = task = self.checking.tasks[-1] if self.checking.tasks else None
        if not verdict.lost and isinstance(value, int | float):
            verdict.points = min(max(float(value), 0.0), verdict.max_points)
        if not task:
            return
        for part, reason in task.stopped.items():
            self.stopped.add((task.name, part))
            if reason == BEFORE:
                continue
            self.events.append(f"{verdict.grade_id}: {part}: timed out: {reason}")
        if task.stopped and not verdict.lost:
            verdict.status = TaskStatus.TIMED_OUT
        if set(task.faults.values()) == {UNSOLVED}:
            verdict.status = TaskStatus.NOT_SOLVED

    def _example(self, code: CodeType) -> bool:
        """Run a statement of the hidden tests with inputs that everybody may know; whether to go on with the next one.

        It may take time, but not from what is shown, and whatever goes wrong in it costs nothing.
        """
        task = self.checking.tasks[-1] if self.checking.tasks else None
        if not task or all(task.faults.values()) or task.stopped or self.total.used > self.total.seconds / 2:
            return False
        self.checking.public = True
        try:
            eval(code, self.namespace)
        except Lost:
            self._close()
            return False
        except Exception:  # an answer that such a test does not foresee
            return False
        finally:
            self.checking.public = False
        return True

    def _statements(self, source: str) -> Iterator[tuple[CodeType, bool]]:
        """The statements of a check cell, each with whether it is a hidden test; the names of the student are calls."""
        check = _parsed(source)
        theirs = check.names - check.stored - set(self.namespace) - set(vars(builtins))
        self.namespace |= {name: self._remote(name) for name in theirs}
        yield from check.statements
        for name in theirs:  # the next check cell may see another one
            del self.namespace[name]

    def _remote(self, name: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if self.checking.example:
                self.checking.example.called(name, args, kwargs)
            if lost := self.gone.get(name):
                raise Lost(lost.reason, lost.timed_out, lost.over)
            try:
                return self._session().call(name, args, kwargs, self.checking.budget or Budget(self.checking.seconds))
            except Lost:
                self._close()
                self.checking.seconds = self.limits.call_seconds / LESS
                raise
            except NameError:
                if self.ended == "NotImplementedError":
                    raise NotImplementedError from None
                why = f": its cell ended with {self.ended}" if self.ended else ""
                raise NameError(f"there is no {name}{why}") from None

        call.__name__ = name
        return call


def _lent(cells: Sequence[NotebookNode]) -> set[str]:
    """The check cells that define what later cells in the sandbox read: the student's, and ours that those read."""
    lent, wanted = set(), set[str]()
    for cell in reversed(cells):
        source = visible(cell.source)
        if _ours(cell) and not defined(source) & wanted:
            continue
        if _ours(cell) and _graded(cell):
            lent.add(_name(cell))
        wanted = wanted - surely_defined(source) | needed(source)
    return lent


@dataclass(frozen=True)
class _Check:
    """A check cell's statements, each with whether it is a hidden test, and the names that it has and binds."""

    statements: tuple[tuple[CodeType, bool], ...]
    names: frozenset[str]
    stored: frozenset[str]


@lru_cache(maxsize=256)  # every student has the same ones
def _parsed(source: str) -> _Check:
    tree = ast.parse(source)
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    hidden = hidden_lines(source)
    statements = tuple((_code(statement), statement.lineno in hidden) for statement in tree.body)
    return _Check(statements, frozenset(names), frozenset(stored(tree)))


def _code(statement: ast.stmt) -> CodeType:
    if isinstance(statement, ast.Expr):
        return compile(ast.Expression(statement.value), "check", "eval")
    return compile(ast.Module([statement], []), "check", "exec")


def _scored(verdict: _Verdict, shown: Shown) -> TaskScore:
    task, seen = verdict.task, _seen(verdict, shown)
    examples = shown.examples.get(verdict.grade_id, {})
    parts = [
        _part(name, task, detail, seen.get(name), examples.get(name, "")) for name, detail in verdict.faults.items()
    ] if task else []  # fmt: skip
    return TaskScore(
        verdict.grade_id, task.name if task else verdict.grade_id, verdict.points, verdict.max_points, parts,
        verdict.status, LOST.get(verdict.status, ""),
    )  # fmt: skip


def _part(name: str, task: _JudgedTask, detail: str, seen: str | None, example: str) -> Part:
    """`detail`: the fault that the judged run found; `seen`: that of the shown one, None if it did not find out.

    `example`: what hidden tests find with inputs that are no secret.
    """
    if not detail:
        return Part(name, right=True)
    if detail == UNSOLVED:
        return Part(name, False, UNSOLVED, UNSOLVED)
    if name in task.hidden:
        fault = f"{HIDDEN}. {EXAMPLE.format(example)}" if example else HIDDEN
        return Part(name, False, _sentences(fault, task.hints.get(name, "")), detail)
    if seen is None:
        return Part(name, False, _sentences(VISIBLE, task.hints.get(name, "")), detail)
    return Part(name, False, seen or MOODY, detail)


def _moods(verdict: _Verdict, shown: Shown) -> Iterator[str]:
    """Parts of which visible checks do not find the same each time: a person must look."""
    seen = _seen(verdict, shown)
    for part, fault in verdict.faults.items():
        visible = verdict.task and part not in verdict.task.hidden
        if part in seen and bool(seen[part]) != bool(fault and visible):
            yield f"{verdict.grade_id}: {part}: {MOODY}"


def _seen(verdict: _Verdict, shown: Shown) -> dict[str, str]:
    """The faults of the shown run; of parts that were stopped there only if they were stopped again."""
    faults, task = dict(shown.faults.get(verdict.grade_id, {})), verdict.task
    for name, part in shown.stopped:
        if task and name == task.name and part not in task.stopped:
            faults.pop(part, None)
    return faults


def _sentences(fault: str, hint: str) -> str:
    return f"{fault}. {hint}".removesuffix(". ")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Nothing that an instructor's cell prints, warns or plots shows up; one judge at a time in a process."""
    nowhere = io.StringIO()
    with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _graded(cell: NotebookNode) -> bool:
    return bool(cell.metadata.get("nbgrader", {}).get("grade"))


def _ours(cell: NotebookNode) -> bool:
    grading = cell.metadata.get("nbgrader", {})
    return bool(grading.get("locked")) and not grading.get("solution")


def _name(cell: NotebookNode) -> str:
    return str(cell.metadata.get("nbgrader", {}).get("grade_id") or cell.get("id") or "")


def _texts(ran: dict[str, Ran], most: int) -> Iterator[tuple[str, str]]:
    """What the cells printed, by cell id: of many talkative ones the first, `most` characters in all."""
    for cell, each in ran.items():
        if text := _text(each):
            yield cell, text if len(text) <= most else f"{text[:most]}…"
            most = max(most - len(text), 0)


def _text(ran: Ran) -> str:
    return "\n".join(part for part in (ran.text.rstrip("\n"), ran.error) if part)


def _because(lost: Lost) -> str:
    return f"{'timed out' if lost.timed_out else 'crashed'}: {lost.reason}"
