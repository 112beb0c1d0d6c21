"""The notebook that is graded: our lab, hidden tests and all, with the student's answers in it.

A student's notebook is only a place where answers are found. Our cells come from our source, whatever became of
theirs: deleted, edited, marked otherwise, without marks, doubled, split or in another order.
"""

import ast
import copy
import difflib
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from nbformat import NotebookNode

from .lab import Lab, marked
from .notebook_file import Cell

ALIKE, COPY = 0.5, 0.85  # how much of a text must be found again: in an answer, and in a copy of our own cell
LINES = 400  # of a cell that are compared
MARKS = ("grade", "solution", "locked", "task", "points")
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
STUB = re.compile(r"YOUR (CODE|ANSWER) HERE|raise NotImplementedError")


@dataclass
class Rebuilt:
    """`notebook`: what is graded. `notes`: oddities that were set right; `doubts`: those that a person must judge.

    `answers`: the student's text for every cell to fill in, by its grade_id; "" where it is as it was handed out.
    """

    notebook: NotebookNode
    answers: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    @property
    def blank(self) -> bool:
        return not any(self.answers.values())

    @property
    def fingerprint(self) -> str:
        """A hash of all answers together, blind to spaces; "" if there is none."""
        text = "\0".join("".join(answer.split()) for answer in self.answers.values())
        return "" if self.blank else hashlib.sha256(text.encode()).hexdigest()


def rebuild(cells: Sequence[Cell], lab: Lab) -> Rebuilt:
    """Put a student's `cells` where they belong in `lab`: by grade_id, then by cell id, then by what they say."""
    return _Rebuilder(cells, lab).rebuilt()


class _Rebuilder:
    def __init__(self, cells: Sequence[Cell], lab: Lab) -> None:
        self.cells, self.lab, self.slots = cells, lab, lab.released.cells
        self.ids = {cell.id: k for k, cell in enumerate(self.slots)}
        self.grade_ids = {_grade_id(cell): k for k, cell in enumerate(self.slots) if _grade_id(cell)}
        self.texts = {_bare(cell.source): k for k, cell in enumerate(self.slots)}
        self.notes: list[str] = []
        self.doubts: list[str] = []

    def rebuilt(self) -> Rebuilt:
        places = [self.place(cell) for cell in self.cells]
        self.continuations(places)
        self.written_by_position(places)
        if not any(place is not None for place in places):
            self.doubts.append("no cell of this lab is in it")
        self.name_anomalies(places)
        notebook = copy.deepcopy(self.lab.source)
        answers: dict[str, str] = {}
        extras: dict[int, list[Cell]] = {}  # by the cell of ours that they follow; -1 for the front
        for k, slot in enumerate(self.slots):
            mine = [self.cells[j] for j, place in enumerate(places) if place == k]
            if marked(slot, "solution"):
                first, *more = self.answer(slot, mine)
                notebook.cells[k].source = first
                extras[k] = [Cell("code", text) for text in more]
                given = "\n\n".join([first, *more])
                answers[_grade_id(slot)] = "" if _bare(given) == _bare(slot.source) else given
            elif slot.cell_type == "code" and mine:
                extras.setdefault(k - marked(slot, "grade"), []).extend(self.additions(slot, mine))
        front = next(k for k, slot in enumerate(self.slots) if marked(slot, "solution")) - 1  # behind our set-up
        after = front
        for cell, place in zip(self.cells, places, strict=True):
            if place is not None:
                after = max(front, place)
            elif cell.source.strip():
                extras.setdefault(after, []).append(cell)
        notebook.cells = list(_assembled(notebook.cells, extras))
        return Rebuilt(notebook, answers, self.notes, self.doubts)

    # ---- which of our cells a student's cell is ----

    def place(self, cell: Cell) -> int | None:
        """The index of our cell that `cell` is, or None if it is one of the student's own."""
        if not cell.source.strip():
            return self.claim(cell)
        if (k := self.texts.get(_bare(cell.source))) is not None:
            return k
        fits = {k: self.fit(cell, k) for k in range(len(self.slots))}
        claim = self.claim(cell)
        best = max(fits, key=lambda k: (fits[k], k == claim))
        if claim is not None and (fits[claim] >= ALIKE or fits[best] < ALIKE):
            return claim
        if fits[best] < ALIKE:
            return None
        close = [k for k in fits if k != best and fits[k] > fits[best] - 0.1 and self.fillable(k)]
        if close and self.fillable(best):
            names = ", ".join(self.slots[k].id for k in sorted([best, *close]))
            self.doubts.append(f"a cell could be the answer of any of {names}: {_shown(cell.source)}")
        return best

    def fillable(self, k: int) -> bool:
        return marked(self.slots[k], "solution")

    def claim(self, cell: Cell) -> int | None:
        return self.grade_ids.get(cell.grade_id, self.ids.get(cell.id))

    def fit(self, cell: Cell, k: int) -> float:
        """How much `cell` is our cell `k`, from 0 to 1: an answer by what it defines, others by their text."""
        slot = self.slots[k]
        if not marked(slot, "solution"):
            likeness = _kept(slot.source, cell.source) if cell.kind == slot.cell_type else 0.0
            own = _kept(cell.source, slot.source)  # an answer that quotes our text is more than our text
            return likeness if likeness >= ALIKE and (own >= ALIKE or self.claim(cell) == k) else 0.0
        if slot.cell_type != "code" or cell.kind != "code":
            return 0.0
        names = _defined(slot.source)
        found = len(names & _defined(cell.source)) / len(names) if names else 0.0
        return max(found, _kept(STUB.sub("", slot.source), cell.source) if not names else 0.0)

    def continuations(self, places: list[int | None]) -> None:
        """A cell that starts indented is the rest of the answer before it."""
        for j, (before, here) in enumerate(zip(places, places[1:]), start=1):
            indented = self.cells[j].kind == "code" and self.cells[j].source[:1].isspace()
            if indented and here is None and before is not None and self.fillable(before):
                places[j] = before

    def written_by_position(self, places: list[int | None]) -> None:
        """A written answer without marks is the one text that stands where it should."""
        for k, slot in enumerate(self.slots):
            if not marked(slot, "solution") or slot.cell_type == "code" or k in places:
                continue
            before = max((j for j, place in enumerate(places) if place is not None and place < k), default=-1)
            own = [j for j in range(before + 1, len(places)) if self.cells[j].kind != "code"]
            between = []
            for j in range(before + 1, len(places)):
                if places[j] is not None:
                    break
                if j in own:
                    between.append(j)
            if len(between) == 1:
                places[between[0]] = k
            if between:
                self.doubts.append(f"the written answer {slot.id!r} was found by its place only: see whether it is one")

    # ---- what the student wrote in it ----

    def answer(self, slot: NotebookNode, mine: Sequence[Cell]) -> list[str]:
        """The student's text for a cell to fill in; more than one if it goes on in cells of its own."""
        texts = list(dict.fromkeys(cell.source.rstrip("\n") for cell in mine))
        written = [text for text in texts if _bare(text) not in (_bare(slot.source), "")]
        if len(mine) > 1:
            self.notes.append(f"there are {len(mine)} cells {slot.id!r}")
        if not written:
            return [slot.source]
        if slot.cell_type != "code":
            return ["\n\n".join(written)]
        if len(written) > 1:
            whole = "\n".join(written)
            if not all(map(_compiles, written)) and _compiles(whole):
                return [whole]
            defined = [_defined(text) for text in written]
            if any(a & b for i, a in enumerate(defined) for b in defined[:i]):
                self.doubts.append(f"{len(written)} different answers in cells {slot.id!r}: the last one counts")
        return written

    def additions(self, slot: NotebookNode, mine: Sequence[Cell]) -> Iterator[Cell]:
        """What a student added to a cell of ours, as a cell of its own: an import, a definition, a setting."""
        ours = _statements(slot.source)
        kinds = DEFINITIONS if marked(slot, "grade") else (*DEFINITIONS, ast.Assign)
        for cell in mine:
            theirs = _statements(cell.source)
            added = [text for text, node in theirs.items() if text not in ours and isinstance(node, kinds)]
            if added:
                self.doubts += [f"an answer was written into the check cell {slot.id!r}"] * marked(slot, "grade")
                self.notes.append(f"what was added to {slot.id!r} runs as a cell of its own")
                yield Cell("code", "\n".join(added))

    # ---- what was done to the notebook ----

    def name_anomalies(self, places: Sequence[int | None]) -> None:
        found = [place for place in places if place is not None]
        for k, slot in enumerate(self.slots):
            mine = [cell for cell, place in zip(self.cells, places, strict=True) if place == k]
            name = slot.id
            if not _grade_id(slot):
                continue
            if not mine:
                self.notes.append(f"the cell {name!r} was deleted")
            if len(mine) > 1 and not marked(slot, "solution"):
                self.notes.append(f"there are {len(mine)} cells {name!r}")
            if marked(slot, "locked") and any(_bare(cell.source) != _bare(slot.source) for cell in mine):
                self.notes.append(f"the cell {name!r} was edited: ours counts")
            for cell in mine:
                self.notes += _changed_marks(cell, slot)
        if found != sorted(found):
            self.notes.append("the cells are in another order")
        unknown = [cell for cell, place in zip(self.cells, places, strict=True) if place is None and cell.marks]
        if unknown:
            self.notes.append(f"{len(unknown)} cells of the student's own bear marks, which do not count")


def _changed_marks(cell: Cell, slot: NotebookNode) -> Iterator[str]:
    ours = slot.metadata.nbgrader
    if not cell.marks:
        yield f"the cell {slot.id!r} has lost its marks"
        return
    if cell.grade_id != ours.grade_id:
        yield f"the cell {slot.id!r} is marked as {cell.grade_id[:60]!r}"
    changed = [mark for mark in MARKS if cell.marks.get(mark, ours.get(mark)) != ours.get(mark)]
    if changed:
        values = ", ".join(f"{mark} {str(cell.marks[mark])[:20]}" for mark in changed)
        yield f"the cell {slot.id!r} is marked with {values}"
    if cell.kind != slot.cell_type:
        yield f"the cell {slot.id!r} was made a {cell.kind} cell"


def _assembled(cells: Sequence[NotebookNode], extras: dict[int, list[Cell]]) -> Iterator[NotebookNode]:
    """Our cells without outputs, the student's own between them, all with ids of their own."""
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_raw_cell

    new = {"code": new_code_cell, "markdown": new_markdown_cell, "raw": new_raw_cell}
    count = 0
    for k in range(-1, len(cells)):
        if k >= 0:
            if cells[k].cell_type == "code":
                cells[k].outputs, cells[k].execution_count = [], None
            yield cells[k]
        for cell in extras.get(k, []):
            count += 1
            yield new[cell.kind](cell.source, id=f"own-{count}")


def _grade_id(cell: NotebookNode) -> str:
    return str(cell.metadata.get("nbgrader", {}).get("grade_id", ""))


def _bare(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def _shown(text: str) -> str:
    return repr(text.strip().splitlines()[0][:60])


@lru_cache(maxsize=4096)
def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines()[:LINES] if line.strip())


def _kept(ours: str, theirs: str) -> float:
    """The part of the lines of `ours` that `theirs` has, in the same order."""
    a, b = _lines(ours), _lines(theirs)
    matcher = difflib.SequenceMatcher(None, a, b, autojunk=False)
    return sum(block.size for block in matcher.get_matching_blocks()) / len(a) if a else 0.0


@lru_cache(maxsize=4096)
def _defined(text: str) -> frozenset[str]:
    """The functions and classes that a cell defines, even if it does not compile."""
    return frozenset(re.findall(r"^(?:async\s+)?(?:def|class)\s+(\w+)", text, re.MULTILINE))


def _statements(text: str) -> dict[str, ast.stmt]:
    try:
        return {ast.unparse(node): node for node in ast.parse(text).body}
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}


def _compiles(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
