"""The notebook that is graded: our lab, hidden tests and all, with the student's answers in it.

A student's notebook is only a place where answers are found. Our cells come from our source, whatever became of
theirs: deleted, edited, marked otherwise, without marks, doubled, split or in another order.
"""

import ast
import copy
import difflib
import hashlib
import re
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from nbformat import NotebookNode

from .cell_names import defined
from .lab import Lab, marked
from .missing import Missing, program
from .notebook_file import Cell
from .python import body, plain, tree

ALIKE, COPY = 0.5, 0.85  # how much of a text must be found again: in an answer, and in a copy of our own cell
LINES = 400  # of a cell that are compared
MARKS = ("grade", "solution", "locked", "task", "points")
SETTINGS = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Try)
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
DEFINED = re.compile(r"^(?:(?:async\s+)?(?:def|class)\s+(\w+)|(\w+)[ \t]*=[ \t]*lambda\b)", re.MULTILINE)
STUB = re.compile(r"YOUR (CODE|ANSWER) HERE|raise NotImplementedError(\(\))?")


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
        """A hash of all answers together, blind to spaces; "" if there are fewer than two."""
        text = "\0".join("".join(answer.split()) for answer in self.answers.values())
        few = sum(map(bool, self.answers.values())) < 2  # a line that solves one task is written by many
        return "" if few else hashlib.sha256(text.encode()).hexdigest()


def rebuild(cells: Sequence[Cell], lab: Lab) -> Rebuilt:
    """Put a student's `cells` where they belong in `lab`: by grade_id, then by cell id, then by what they say."""
    return _Rebuilder(cells, lab).rebuilt()


class _Rebuilder:
    def __init__(self, cells: Sequence[Cell], lab: Lab) -> None:
        self.cells, self.lab, self.slots = cells, lab, lab.released.cells
        self.ids = {cell.id: k for k, cell in enumerate(self.slots)}
        self.grade_ids = {_grade_id(cell): k for k, cell in enumerate(self.slots) if _grade_id(cell)}
        self.texts = {_bare(cell.source): k for k, cell in enumerate(self.slots)}
        self.wording = {line for cell in self.slots if cell.cell_type != "code" for line in _lines(cell.source)}
        self.notes: list[str] = []
        self.doubts: list[str] = []

    def rebuilt(self) -> Rebuilt:
        places = [self.place(cell) for cell in self.cells]
        self.continuations(places)
        found, moved = self.written_elsewhere(places)
        if not any(place is not None for place in places):
            self.doubts.append("no cell of this lab is in it")
        self.name_anomalies(places)
        self.name_what_is_missing(places)
        notebook = copy.deepcopy(self.lab.source)
        answers: dict[str, str] = {}
        extras: dict[int, list[Cell]] = {}  # by the cell of ours that they follow; -1 for the front
        for k, slot in enumerate(self.slots):
            mine = [self.cells[j] for j, place in enumerate(places) if place == k]
            if marked(slot, "solution"):
                first, *more = [found[k]] if k in found else self.answer(slot, mine)
                notebook.cells[k].source = first
                extras[k] = [Cell("code", text) for text in more]
                given = "\n\n".join([first, *more])
                answers[_grade_id(slot)] = "" if _bare(given) == _bare(slot.source) else given
            elif slot.cell_type == "code" and mine:
                extras.setdefault(k - marked(slot, "grade"), []).extend(self.additions(slot, mine))
        front = next(k for k, slot in enumerate(self.slots) if marked(slot, "solution")) - 1  # behind our set-up
        self.name_what_came_early(places, front)
        after = front
        for j, (cell, place) in enumerate(zip(self.cells, places, strict=True)):
            if place is not None:
                after = max(front, place)
            elif cell.source.strip() and j not in moved:
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
        names = _functions(slot.source)
        found = len(names & _functions(cell.source)) / len(names) if names else 0.0
        return max(found, _kept(STUB.sub("", slot.source), cell.source) if not names else 0.0)

    def continuations(self, places: list[int | None]) -> None:
        """A cell that starts indented is the rest of the answer before it."""
        for j, (before, here) in enumerate(zip(places, places[1:]), start=1):
            indented = self.cells[j].kind == "code" and self.cells[j].source[:1].isspace()
            if indented and here is None and before is not None and self.fillable(before):
                places[j] = before

    def written_elsewhere(self, places: Sequence[int | None]) -> tuple[dict[int, str], set[int]]:
        """Texts for written answers whose cells have none, by our cell, and the student's cells that they stood in.

        The text of the student's own that stands nearest is taken, and a person sees whether it is the answer.
        """
        found: dict[int, str] = {}
        moved: set[int] = set()
        texts = {j: text for j, place in enumerate(places) if (text := self.prose(self.cells[j], place))}
        for k, slot in enumerate(self.slots):
            if not self.fillable(k) or slot.cell_type == "code" or not texts:
                continue
            mine = [j for j, place in enumerate(places) if place == k]
            if any(self.own(self.cells[j].source) for j in mine):
                continue
            before = max((j for j, place in enumerate(places) if place is not None and place < k), default=-1)
            at = mine[0] if mine else before + 1
            nearest = min(texts, key=lambda j: (abs(j - at), -j))
            together = _run_around(nearest, texts)
            found[k] = "\n\n".join(texts.pop(j) for j in together)
            moved.update(j for j in together if places[j] is None)
            self.doubts.append(f"the written answer {slot.id!r} was found beside its cell: see whether it is one")
        return found, moved

    def prose(self, cell: Cell, place: int | None) -> str:
        """What `cell` says in words of the student's own and is no answer: a note, or what was added to our text."""
        if place is None:
            return self.own(cell.source) if cell.kind != "code" or _in_words(cell.source) else ""
        slot = self.slots[place]
        if self.fillable(place):
            return ""
        ours = set(_lines(slot.source))
        added = [line for line in cell.source.splitlines() if line.strip() not in ours]
        if slot.cell_type == "code":
            added = [line for line in added if line.lstrip().startswith("#")]
        return self.own("\n".join(added))

    def own(self, text: str) -> str:
        """The lines of `text` that are not our wording; "" if nothing is left."""
        lines = [line for line in text.splitlines() if line.strip() not in self.wording]
        rest = "\n".join(lines).strip()
        return rest if re.search(r"\w", STUB.sub("", rest)) else ""

    # ---- what the student wrote in it ----

    def answer(self, slot: NotebookNode, mine: Sequence[Cell]) -> list[str]:
        """The student's text for a cell to fill in; more than one if it goes on in cells of its own."""
        texts = list(dict.fromkeys(cell.source.rstrip("\n") for cell in mine))
        written = [text for text in texts if _bare(text) not in (_bare(slot.source), "")]
        if slot.cell_type != "code":
            written = [text for text in written if self.own(text)]
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
            defined = [_functions(text) for text in written]
            if any(a & b for i, a in enumerate(defined) for b in defined[:i]):
                self.doubts.append(f"{len(written)} different answers in cells {slot.id!r}: the last one counts")
        return written

    def additions(self, slot: NotebookNode, mine: Sequence[Cell]) -> Iterator[Cell]:
        """What a student added to a cell of ours, as a cell of its own: an import, a definition, a setting."""
        ours = _statements(slot.source)
        kinds = DEFINITIONS if marked(slot, "grade") else (*DEFINITIONS, *SETTINGS)
        for cell in mine:
            theirs = _statements(cell.source)
            added = [text for text, node in theirs.items() if text not in ours and isinstance(node, kinds)]
            if added:
                self.doubts += [f"an answer was written into the check cell {slot.id!r}"] * marked(slot, "grade")
                self.notes.append(f"what was added to {slot.id!r} runs as a cell of its own")
                yield Cell("code", "\n".join(added))

    # ---- what was done to the notebook ----

    def name_what_came_early(self, places: Sequence[int | None], front: int) -> None:
        """Cells before our set-up run behind it, where they may undo what it does."""
        placed = enumerate(places)
        setup = next((j for j, k in placed if k is not None and k <= front and self.slots[k].cell_type == "code"), 0)
        before = zip(self.cells[:setup], places, strict=False)
        own = [_without_imports(cell.source) for cell, k in before if cell.kind == "code" and k is None]
        ours = {name for slot in self.slots[: front + 1] if slot.cell_type == "code" for name in defined(slot.source)}
        if any("%reset" in text or ours & defined(text) for text in own):
            self.doubts.append("a cell before our set-up runs after it: see whether it changes what the set-up defines")

    def name_what_is_missing(self, places: Sequence[int | None]) -> None:
        missing = Missing(self.cells)
        lost: set[str] = set()
        idle: set[str] = set()
        for cell, place in zip(self.cells, places, strict=True):
            if place is not None and not self.fillable(place):
                continue
            if modules := missing.modules(cell):
                (lost if missing.matters(cell) else idle).update(modules)
            if place is not None and cell.kind == "code" and (name := program(cell.source)):
                self.doubts.append(f"the answer {self.slots[place].id!r} is in a %%{name[:20]} cell: it is no Python")
        for remarks, names in ((self.doubts, lost), (self.notes, idle - lost)):
            if names:
                remarks.append(f"it imports {', '.join(sorted(names))[:200]}, which cannot be imported at grading")

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
def _functions(text: str) -> frozenset[str]:
    """The functions and classes that a cell defines, even if it does not compile."""
    return frozenset(found[1] or found[2] for found in DEFINED.finditer(body(text)))


def _statements(text: str) -> dict[str, ast.stmt]:
    code = tree(plain(text))
    try:
        return {ast.unparse(node): node for node in code.body} if code else {}
    except RecursionError:
        return {}


def _compiles(text: str) -> bool:
    return not text[:1].isspace() and tree(plain(text)) is not None


def _in_words(text: str) -> bool:
    """Whether a code cell holds no code: comments, a text in quotes, or what is no Python and defines nothing."""
    code = tree(plain(text))
    if code is None:
        return not _functions(text)
    return bool(body(text)) and all(
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for node in code.body
    )


def _without_imports(text: str) -> str:
    if "%reset" in text:
        return text
    kept = [each for each, node in _statements(text).items() if not isinstance(node, ast.Import | ast.ImportFrom)]
    return "\n".join(kept)


def _run_around(at: int, found: Container[int]) -> list[int]:
    """`at`, and its neighbors without a gap, as far as they are in `found`."""
    first = last = at
    while first - 1 in found:
        first -= 1
    while last + 1 in found:
        last += 1
    return list(range(first, last + 1))
