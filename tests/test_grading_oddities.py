"""Honest notebooks written in unusual ways: grading gives the points that `lrcourse labs check` shows, or asks a person.

Each student has solved lab 1 (all but the training, which takes long), and does several odd things at once. All are
checked as students do it, in a kernel, and graded in one run.
"""

# ruff: noqa: E501  (whole programs in strings)

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_raw_cell

from lrcourse.course.grading import run
from lrcourse.course.grading.bubblewrap import Bubblewrap
from lrcourse.course.grading.clock import Budget
from lrcourse.course.grading.limits import Limits
from lrcourse.course.grading.session import Session
from lrcourse.course.labs.check import check

pytestmark = [pytest.mark.sandbox, pytest.mark.notebooks]
ROOT = Path(__file__).parents[1]
LIMITS = Limits(cell_seconds=60, call_seconds=30, total_seconds=300)
RELEASED = nbformat.read(ROOT / "labs" / "01-decay" / "01-decay.ipynb", as_version=4)
SOLUTION = nbformat.read(ROOT / "solutions" / "01-decay" / "01-decay.ipynb", as_version=4)
ANSWERS = {cell.id: cell.source for cell in SOLUTION.cells if cell.metadata.get("nbgrader", {}).get("solution")}
NAME = "01-decay.ipynb"
ALL = 16
Cells = list[NotebookNode]


@dataclass
class Oddity:
    """What a student does: `answers` in place of ours, `cells` put in front of one of ours, `change` of the whole.

    `points`: those of labs check. `more`: those that grading gives besides, because it knows our cells. `flag`: a text
    that a flag must hold; with none, there must be no flag. `checked`: whether labs check is asked: it
    takes no file without marks.
    """

    answers: dict[str, str] = field(default_factory=dict)
    cells: dict[str, list[str]] = field(default_factory=dict)
    change: Callable[[NotebookNode], Any] = lambda notebook: None
    write: Callable[[NotebookNode], bytes] = lambda notebook: nbformat.writes(notebook).encode()
    points: float = ALL
    more: float = 0
    flag: str = ""
    checked: bool = True


def before(name: str, source: str) -> str:
    return f"{source}\n{ANSWERS[name]}"


def wrapped(name: str, function: str, result: str) -> str:
    """Our answer, which returns what `result` makes of it."""
    return f"{ANSWERS[name]}\n\n_{function} = {function}\ndef {function}(*a, **k):\n    return {result.format(f'_{function}(*a, **k)')}"


def at(notebook: NotebookNode, name: str) -> int:
    return next(i for i, cell in enumerate(notebook.cells) if cell.id == name)


def get(notebook: NotebookNode, name: str) -> NotebookNode:
    return notebook.cells[at(notebook, name)]


def split(notebook: NotebookNode) -> None:
    here = at(notebook, "off-by-one")
    first, second = get(notebook, "off-by-one").source.split("\n\n\n")
    notebook.cells[here].source = first
    notebook.cells.insert(here + 1, new_code_cell(second))


def doubled(notebook: NotebookNode) -> None:
    notebook.cells.insert(at(notebook, "by-hand"), nbformat.from_dict(get(notebook, "by-hand")))


def without_ids(notebook: NotebookNode) -> bytes:
    """As older editors write it."""
    plain = json.loads(nbformat.writes(notebook))
    plain["nbformat_minor"] = 2
    for cell in plain["cells"]:
        cell.pop("id", None)
    return json.dumps(plain, ensure_ascii=False).encode()


def of_colab(notebook: NotebookNode) -> bytes:
    plain = json.loads(nbformat.writes(notebook))
    plain["nbformat_minor"] = 0
    plain["metadata"] |= {"colab": {"provenance": [], "gpuType": "T4"}, "accelerator": "GPU"}
    for i, cell in enumerate(plain["cells"]):
        cell["metadata"] |= {"id": f"q{i}_zZ", "colab": {"base_uri": "https://localhost:8080/"}, "cellView": "form"}
        cell.pop("id", None)
    return json.dumps(plain).encode()


def stripped(notebook: NotebookNode) -> None:
    for i, cell in enumerate(notebook.cells):
        cell.metadata, cell.id = nbformat.from_dict({}), f"cell{i}"


def through_text(notebook: NotebookNode) -> bytes:
    """As a script with `# %%` keeps it: no ids, no outputs, and blank lines at the ends of cells are lost."""
    plain = json.loads(without_ids(notebook))
    for cell in plain["cells"]:
        cell["source"] = "".join(cell["source"]).strip()
        cell["metadata"] = {}
    return json.dumps(plain).encode()


ODDITIES = {
    "as it should be": Oddity(checked=False),
    "habits of Colab": Oddity(
        {
            "by-hand": before("by-hand", "#@title Task 1 { run: \"auto\" }\n!pip --version"),
            "scheduler": before("scheduler", "%pip --version"),
            "off-by-one": before("off-by-one", "!nvidia-smi\nfiles = !ls\nprint(len(files))"),
            "formula": before("formula", "get_ipython().system('ls')\nlist_ = get_ipython().getoutput('ls')"),
            "groups": before("groups", "!cd .. && \\\n  ls\nif True:\n    !echo {np.pi} $HOME"),
        },
        {"by-hand": ["%%bash\nls", "%%sh\necho", "%%script bash\necho", "!ls", "%cd .\n%ls", "%%capture\n!ls\nx = 1",
                     "from google.colab import drive\ndrive.mount('/content/drive')", "%tensorflow_version 2.x"]},
        write=of_colab,
    ),
    "magics": Oddity(
        {
            "by-hand": "%%time\n" + ANSWERS["by-hand"],
            "scheduler": "%%capture printed\n" + before("scheduler", "print(1)"),
            "off-by-one": before("off-by-one", "%matplotlib inline\n%config InlineBackend.figure_format = 'retina'"),
            "formula": before("formula", "np.take?\n?np.take\n%time seconds = 1\n%timeit -n1 -r1 1 + 1"),
            "warmup": before("warmup", "from IPython import get_ipython\nget_ipython().run_line_magic('matplotlib', 'inline')\n%load_ext autoreload\n%autoreload 2\n%precision 3\n%env A=1"),
            "groups": before("groups", "%who\n%whos\ntimes = %time 1 + 1\nassert times == 2"),
        },
    ),
    "files": Oddity(
        {
            "by-hand": "import helper\nfrom helper import *\nlr_by_hand = helper.lr_by_hand",
            "formula": before("formula", "text = open('notes.txt').read()\nassert text == 'half'"),
            "warmup": "%run -i warm.py",
        },
        {"by-hand": ["%%writefile helper.py\n" + ANSWERS["by-hand"]],
         "formula": ["with open('notes.txt', 'w') as file:\n    file.write('half')"],
         "warmup": ["%%file warm.py\n" + ANSWERS["warmup"]]},
    ),
    "ways to write a function": Oddity(
        {
            "by-hand": "from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\nclass Loop:\n"
                       "    offset: int = 0\n    def __call__(self, n: int, lr0: float = 0.01, gamma: float = 0.99, every=50) -> list[float]:\n"
                       "        return [lr0 * gamma ** -(-t // every) for t in range(n)]\nlr_by_hand = Loop()",
            "scheduler": before("scheduler", "import functools\n@functools.cache"),
            "off-by-one": "from math import *\nfrom numpy import *\nimport numpy as np\n" + ANSWERS["off-by-one"],
            "formula": "step_decay = lambda t, lr0, gamma, every: lr0 * gamma ** (np.asarray(t) // every)",
            "warmup": "def warmup_cosine(n, warm, start, peak, end): return 1\n" + ANSWERS["warmup"],
            "groups": "学习率 = 'lr'\n" + ANSWERS["groups"].replace('"lr"', "学习率"),
        },
        {"by-hand": ["import asyncio\nasync def later():\n    return 1\nawait asyncio.sleep(0)\nprint(await later())"]},
    ),
    "ways to lay it out": Oddity(
        {
            "by-hand": "\n".join(f"  {line}" for line in ANSWERS["by-hand"].split("\n")),
            "scheduler": ANSWERS["scheduler"].replace("    ", "\t"),
            "off-by-one": ANSWERS["off-by-one"].replace("\n", "\r\n"),
            "formula": "\n".join(f">>> {line}" for line in ["# prompts", "def step_decay(t, lr0, gamma, every): return of_step(t, lr0, gamma, every)"]),
            "warmup": ANSWERS["warmup"] + "\n\n\n\\\n\n#" + 300 * " long",
            "groups": ANSWERS["groups"] + ";",
        },
        {"formula": ["def of_step(t, lr0, gamma, every):\n    return lr0 * gamma ** (np.asarray(t) // every)"],
         "groups": ["# my notes", "'''a text'''", "", "...", "pass"]},
    ),
    "values": Oddity(
        {
            "by-hand": "from fractions import Fraction\n" + wrapped("by-hand", "lr_by_hand", "[Fraction(x) for x in {}]"),
            "scheduler": "from decimal import Decimal\n" + wrapped("scheduler", "lr_trace_steplr", "[Decimal(x) for x in {}]"),
            "off-by-one": "from collections import deque\n" + wrapped("off-by-one", "decays_ahead", "deque({})")
                          + "\n\n" + "_fixed = lr_by_hand_fixed\ndef lr_by_hand_fixed(*a, **k): return memoryview(np.array(_fixed(*a, **k)))",
            "formula": wrapped("formula", "step_decay", "np.asarray({}, dtype=np.longdouble)"),
            "warmup": "import array\n" + wrapped("warmup", "warmup_cosine", "array.array('d', {})"),
            "groups": wrapped("groups", "group_rates", "({{row[0]: row}}[row[0]] for row in {})"),
        },
    ),
    "tensors": Oddity(
        {
            "off-by-one": wrapped("off-by-one", "decays_ahead", "torch.tensor({}, dtype=torch.bfloat16, requires_grad=True)")
                          + "\n\n_fixed = lr_by_hand_fixed\ndef lr_by_hand_fixed(*a, **k):\n"
                          "    return [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in _fixed(*a, **k)]",
            "formula": wrapped("formula", "step_decay", "torch.tensor(np.asarray({}), requires_grad=True)"),
            "warmup": wrapped("warmup", "warmup_cosine", "torch.nn.Parameter(torch.tensor({}))"),
            "groups": "import pandas as pd\n" + wrapped("groups", "group_rates", "[pd.Series(row) for row in {}]"),
        },
    ),
    "noise": Oddity(
        {
            "by-hand": before("by-hand", "import warnings, sys, logging\nwarnings.warn('slow')\nlogging.warning('x')\nprint('x' * 10**6)"),
            "scheduler": wrapped("scheduler", "lr_trace_steplr", "(print('at work' * 10**5), {})[1]"),
            "off-by-one": before("off-by-one", "np.random.seed(1)\ntorch.manual_seed(1)\nimport random\nrandom.seed(1)"),
            "formula": before("formula", "plt.plot([1, 2])\nplt.show()\nfrom IPython.display import display, HTML\ndisplay(HTML('<b>x</b>'))"),
            "warmup": before("warmup", "sys.setrecursionlimit(5000)\nnp.seterr(all='raise')"),
            "groups": before("groups", "from tqdm import tqdm\nfor _ in tqdm(range(3)): pass\n_ = help(len)"),
        },
        {"by-hand": ["1 / 0", "not Python at all", "input('Your name?')", "raise SystemExit", "print(undefined)"]},
    ),
    "cells moved about": Oddity(
        {"by-hand": ANSWERS["by-hand"] + "\n\nprint(lr_by_hand(3))"},
        {"scheduler": ["def twice(x):\n    return 2 * x", "print(twice(lr_by_hand(3)[0]))"]},
        change=lambda notebook: (split(notebook), doubled(notebook),
                                 notebook.cells.insert(3, new_raw_cell("raw")), notebook.cells.append(new_markdown_cell("Done!"))),
        checked=False,
    ),
    "without ids": Oddity(write=without_ids),
    "with line ends of Windows": Oddity(write=lambda notebook: nbformat.writes(notebook).replace("\n", "\r\n").encode("utf-8-sig"), checked=False),
    "through a script": Oddity(write=through_text, checked=False),
    "without marks": Oddity(change=stripped, checked=False),
    "a check deleted": Oddity(change=lambda notebook: notebook.cells.pop(at(notebook, "check-by-hand")), points=ALL - 2, more=2),
    "all checks deleted": Oddity(
        change=lambda notebook: notebook.update(cells=[cell for cell in notebook.cells if not cell.metadata.get("nbgrader", {}).get("grade")]),
        points=0, more=ALL, checked=False,
    ),
    "solved in the check": Oddity(
        {"by-hand": RELEASED.cells[at(RELEASED, "by-hand")].source},
        change=lambda notebook: get(notebook, "check-by-hand").update(
            source=ANSWERS["by-hand"] + "\n\n" + get(notebook, "check-by-hand").source),
        points=ALL - 2, more=2, flag="an answer was written into the check cell 'check-by-hand'",
    ),
    "an import in the set-up": Oddity(
        {"formula": ANSWERS["formula"].replace("t) // every", "t) // int(math.floor(every))")},
        change=lambda notebook: get(notebook, "setup").update(source="!pip --version\nimport math\n" + get(notebook, "setup").source),
        points=ALL - 3, more=3,
    ),
    "a helper beside the notebook": Oddity(
        {"by-hand": "from mine_alone import lr_by_hand"}, points=ALL - 2,
        flag="it imports mine_alone, which cannot be imported at grading",
    ),
    "a package of Colab": Oddity(
        {"by-hand": before("by-hand", "from google.colab import files")}, points=ALL - 2,
        flag="it imports google.colab, which cannot be imported at grading",
    ),
    "a magic of a package": Oddity(
        {"by-hand": "%%memit\n" + ANSWERS["by-hand"]}, points=ALL - 2, flag="is in a %%memit cell"),
    "complex": Oddity(
        {"by-hand": wrapped("by-hand", "lr_by_hand", "np.asarray({}) + 0j"), "warmup": wrapped("warmup", "warmup_cosine", "{} + 0j")},
        points=ALL - 5,
    ),
    "names of our checks": Oddity(
        {
            "scheduler": before("scheduler", "print(by_hand.solved, by_hand.points)\nby_hand.report()"),
            "formula": before("formula", "print(off_by_one.faults, off_by_one.name)"),
            "groups": before("groups", "print(len(data.x_train), settings['epochs'], settings)"),
        },
        {"groups": ["epochs = settings['epochs']"], "further": ["print(settings['frozen'], groups.solved)"]},
    ),
    "names of our pictures": Oddity(
        {
            "off-by-one": before("off-by-one", "print(fig, ax)\nax.set(title='mine')\nfor name_, trace_ in [(name, trace)]: pass"),
            "formula": before("formula", "stairs_ = np.asarray(stairs)"),
            "groups": before("groups", "first = rates[0]\nfig.suptitle('mine')"),
        },
        {"groups": ["steps = t[:3]\nplt.plot(steps, rates[:3])"]},
    ),
    "names of our checks in functions": Oddity(
        {"groups": ANSWERS["groups"].replace("rows = []", "rows = []\n    assert len(data.x_train) > 9 and settings and by_hand.solved")},
    ),
}  # fmt: skip


def notebook_of(name: str) -> bytes:
    oddity, notebook = ODDITIES[name], nbformat.from_dict(RELEASED)
    answers = ANSWERS | oddity.answers
    for cell in notebook.cells:
        if cell.id in answers and cell.id != "train":
            cell.source = answers[cell.id]
            if cell.id == "groups":
                cell.source += f"\n# {name}"
    for place, sources in oddity.cells.items():
        here = at(notebook, place)
        notebook.cells[here:here] = [new_code_cell(source) for source in sources]
    oddity.change(notebook)
    return oddity.write(notebook)


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory):
    folder = tmp_path_factory.mktemp("class")
    for name in ODDITIES:
        (folder / name).mkdir()
        (folder / name / NAME).write_bytes(notebook_of(name))
    return folder


@pytest.fixture(scope="module")
def graded(handed_in, tmp_path_factory):
    output = tmp_path_factory.mktemp("graded")
    records = run.grade(ROOT, "1", handed_in, output, jobs=2, sandbox=Bubblewrap(), limits=LIMITS)
    return {record.student: record for record in records}


@pytest.mark.parametrize("name", ODDITIES)
def test_grading_gives_what_the_check_shows_or_asks_a_person(name, graded):
    oddity, record = ODDITIES[name], graded[name]
    assert record.judgement is not None
    tasks = {task.grade_id: (task.points, [part.detail for part in task.parts if part.detail])
             for task in record.judgement.tasks if task.points < task.max_points}  # fmt: skip
    assert record.points == oddity.points + oddity.more, (tasks, record.judgement.texts, record.notes)
    assert oddity.flag in "; ".join(record.flags) if oddity.flag else not record.flags, record.flags


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in ODDITIES if ODDITIES[name].checked])
def test_the_check_shows_what_is_said_of_it(name, handed_in, monkeypatch):
    """What the points above are compared with is what students see."""
    monkeypatch.chdir(ROOT)
    report = check(str(handed_in / name / NAME))
    assert report.points == ODDITIES[name].points, report


# ---- what a shell or a package would do ----

GONE = "not available at grading: "


@pytest.fixture(scope="module")
def session():
    session = Session(Bubblewrap(), "import numpy", LIMITS, Budget(120))
    yield session
    session.close()


@pytest.mark.parametrize(("source", "prints"), [
    ("!pip install x\nprint(_exit_code)", f"{GONE}!pip install x\n127\n"),
    ("%pip install x\nprint(1)", f"{GONE}%pip install x\n1\n"),
    ("%conda install x\nprint(1)", f"{GONE}%conda install x\n1\n"),
    ("get_ipython().system_raw('tensorboard &')\nprint(1)", f"{GONE}!tensorboard &\n1\n"),
    ("files = !ls\nprint(files, files.n)", f"{GONE}!ls\n[] \n"),
    ("print(repr(get_ipython().getoutput('ls', split=False)))", f"{GONE}!ls\n''\n"),
    ("%%bash\nexit 1", f"{GONE}%%bash\n"),
    ("%%script --bg perl\nexit 1", f"{GONE}%%script --bg perl\n"),
    ("%load_ext tensorboard\nprint(1)", f"{GONE}%load_ext tensorboard\n1\n"),
    ("%matplotlib widget\nprint(1)", f"{GONE}%matplotlib widget\n1\n"),
    ("%tensorflow_version 2.x\nprint(1)", f"Line magic function `%tensorflow_version` not found.\n{GONE}%tensorflow_version 2.x\n1\n"),
    ("%%memit\nprint(1)", f"Cell magic `%%memit` not found.\n{GONE}%%memit\n"),
    ("numpy.take?\nprint(1)", "1\n"),
    ("from IPython import get_ipython\nget_ipython().run_line_magic('matplotlib', 'inline')\nprint(1)", "1\n"),
    ("%%capture seen\n!ls\nprint(2)", ""),
    ("print(seen.stdout)", f"{GONE}!ls\n2\n\n"),
    ("def f(hidden):\n    %time print(hidden)\n    return get_ipython().run_line_magic('timeit', '-q -n1 -r1 hidden')\nf(3)", "3\n"),
    ("%%writefile one.py\nfrom two import x", "Writing one.py\n"),
    ("%%writefile two.py\nx = 5", "Writing two.py\n"),
    ("import one\nprint(one.x)", "5\n"),
    ("_ = open('x.txt', 'w').write('6')", ""),
    ("print(open('x.txt').read())", "6\n"),
    ("%%writefile numpy.py\nraise SystemExit", "Writing numpy.py\n"),
    ("import sys, warnings\nwarnings.simplefilter('ignore')\ndel sys.modules['numpy']\nimport numpy\nprint(numpy.pi > 3)", "True\n"),
])  # fmt: skip
def test_a_line_for_a_shell_does_nothing_and_the_cell_goes_on(session, source, prints):
    ran = session.run(source)
    assert not ran.error and (ran.text.startswith(prints) if prints else not ran.text), ran


def test_an_error_of_the_students_own_still_ends_its_cell(session):
    for source, error in (("%run nothing_there.py\nprint('on')", "Exception"), ("%%time\n1 / 0", "ZeroDivisionError"),
                          ("import not_there\nprint('on')", "ModuleNotFoundError"), ("%time not_there\nprint('on')", "NameError")):  # fmt: skip
        ran = session.run(source)
        assert ran.error.partition(":")[0] == error and "on" not in ran.text, ran


# ---- what is written beside its cell ----


def test_a_written_answer_beside_its_cell_needs_review(tmp_path):
    notebook = nbformat.read(ROOT / "labs" / "06-capstone" / "06-capstone.ipynb", as_version=4)
    notebook.cells.insert(at(notebook, "recipe") + 1, new_markdown_cell("I would test the range first."))
    (tmp_path / "ada.ipynb").write_text(nbformat.writes(notebook))
    [record] = run.plan(ROOT, "6", tmp_path)
    assert record.answers["recipe"] == "I would test the range first." and record.status == "needs review"
