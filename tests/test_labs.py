"""The labs: generated from one source, nothing given away, and every answer scored as it deserves.

Answers are scored by nbgrader's own rule on cells that a real kernel executed, hidden tests included.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbgrader import preprocessors
from nbgrader.utils import determine_grade, is_grade, is_solution

from lrcourse import labs
from lrcourse.selfcheck import UNSOLVED, Task

ROOT = Path(__file__).parent.parent
SOURCES = labs.sources(ROOT)
Answers = Mapping[str, str]  # the source of solution cells, by grade_id


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def answered(source: NotebookNode, answers: Answers) -> NotebookNode:
    """The notebook that is graded, hidden tests and all, with `answers` in place of some solutions."""
    notebook = nbformat.from_dict(source)
    cells = {cell.metadata.nbgrader.grade_id: cell for cell in notebook.cells if is_solution(cell)}
    for grade_id, code in answers.items():
        cells[grade_id].source = code
    return notebook


def scores(notebooks: Mapping[str, NotebookNode]) -> dict[str, dict[str, float]]:
    """The points of every graded cell of each notebook, all run one after another in one kernel with empty names."""
    long = nbformat.v4.new_notebook()
    for notebook in notebooks.values():
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        long.cells += [nbformat.v4.new_code_cell("%reset -f"), *code]
    NotebookClient(long, allow_errors=True, timeout=300).execute()
    return {
        name: {cell.metadata.nbgrader.grade_id: determine_grade(cell)[0] for cell in notebook.cells if is_grade(cell)}
        for name, notebook in notebooks.items()
    }


def errors(notebook: NotebookNode) -> list[str]:
    return [
        f"{cell.id}: {output.evalue}"
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "error"
    ]


def blank(source: NotebookNode) -> NotebookNode:
    return preprocessors.ClearSolutions().preprocess(nbformat.from_dict(source), {})[0]


# ---- generated ----


def test_student_versions_are_what_the_sources_generate():
    assert SOURCES
    assert labs.check(ROOT) == []


def test_check_names_what_is_missing_changed_or_without_source(tmp_path):
    shutil.copytree(ROOT / "solutions", tmp_path / "solutions")
    assert labs.check(tmp_path) == ["labs/01-decay/01-decay.ipynb: missing"]
    (student,) = labs.build(tmp_path)
    assert labs.check(tmp_path) == []
    student.write_text(student.read_text() + "\n")
    shutil.copytree(student.parent, tmp_path / "labs" / "99-old")
    assert labs.check(tmp_path) == [
        "labs/01-decay/01-decay.ipynb: differs from its source",
        "labs/99-old/01-decay.ipynb: has no source",
    ]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
class TestEveryLab:
    def test_folder_and_notebook_share_a_name(self, path):
        assert path.stem == path.parent.name and re.fullmatch(r"\d\d-[a-z-]+", path.stem)

    def test_points_shown_are_the_points_given(self, path):
        source = read(path)
        given = {cell.id: cell.metadata.nbgrader.points for cell in source.cells if is_grade(cell)}
        texts = [cell.source for cell in source.cells if cell.cell_type == "markdown"]
        headings = re.findall(r"^## (\d\. .+?) \((\d+) points\)$", "\n".join(texts), re.MULTILINE)
        table = re.findall(r"^\| (\d\. .+?) \| (\d+) \|$", texts[0], re.MULTILINE)
        in_code = re.findall(r'Task\("(.+?)", points=(\d+)\)', "\n".join(cell.source for cell in source.cells))
        assert headings == table == in_code
        assert [int(points) for _, points in headings] == list(given.values())
        assert f"**{sum(given.values())}**" in texts[0]
        assert 5 <= len(given) <= 8

    def test_student_version_gives_nothing_away(self, path):
        source = read(path)
        assert labs.leaks(source, labs.generate(source)) == []

    def test_every_kind_of_leak_is_caught(self, path):
        source = read(path)
        for cell in source.cells:
            if is_solution(cell) or is_grade(cell):
                student = labs.generate(source)
                target = next(each for each in student.cells if each.id == cell.id)
                target.source = cell.source
                assert labs.leaks(source, student), cell.id

    def test_a_single_line_is_caught_wherever_it_hides(self, path):
        source = read(path)
        secret = next(
            line.strip() for cell in source.cells if is_solution(cell) for line, inside in labs._marked(cell) if inside
        )
        for hide in (
            lambda student: student.cells[0].update(source=student.cells[0].source + f"\n# {secret}"),
            lambda student: student.cells[1].metadata.update(note=secret),
            lambda student: student.metadata.update(authors=[{"name": secret}]),
        ):
            student = labs.generate(source)
            hide(student)
            assert labs.leaks(source, student) == [f"secret line: {secret}"]

    def test_outputs_and_counts_are_caught(self, path):
        source = read(path)
        student = labs.generate(source)
        code = [cell for cell in student.cells if cell.cell_type == "code"]
        code[0].execution_count = 1
        code[1].outputs = [nbformat.v4.new_output("stream", text="0.1")]
        assert labs.leaks(source, student) == [f"output in cell {code[0].id}", f"output in cell {code[1].id}"]

    def test_build_refuses_a_misspelled_marker_and_writes_nothing(self, path, tmp_path):
        source = read(path)
        cell = next(cell for cell in source.cells if is_grade(cell))
        cell.source = cell.source.replace("BEGIN HIDDEN TESTS", "BEGIN HIDDEN TEST")
        target = tmp_path / "solutions" / path.stem / path.name
        target.parent.mkdir(parents=True)
        nbformat.write(source, target)
        with pytest.raises(ValueError, match="would give away: marker: BEGIN HIDDEN"):
            labs.build(tmp_path)
        assert not (tmp_path / "labs").exists()


def test_a_solution_cell_without_markers_is_secret_as_a_whole():
    marks = dict(solution=True, grade=False, locked=False, task=False, grade_id="all", schema_version=3)
    cell = nbformat.v4.new_code_cell("answer = 6 * 7", id="all", metadata={"nbgrader": marks})
    source = nbformat.v4.new_notebook(cells=[cell])
    student = labs.generate(source)
    assert "answer" not in student.cells[0].source and labs.leaks(source, student) == []
    assert labs.leaks(source, source) == ["secret line: answer = 6 * 7"]


# ---- nbgrader itself ----


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course directory after `nbgrader generate_assignment` and `autograde` of a blank and a perfect submission."""
    folder = tmp_path_factory.mktemp("course")
    shutil.copytree(ROOT / "solutions", folder / "solutions")
    shutil.copy(ROOT / "nbgrader_config.py", folder)
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}

    def nbgrader(*arguments: str) -> None:
        command = [sys.executable, "-m", "nbgrader", *arguments]
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True)

    nbgrader("generate_assignment", "01-decay")
    source, release = (folder / top / "01-decay" / "01-decay.ipynb" for top in ("solutions", "labs"))
    perfect = read(release)
    for own, theirs in zip(read(source).cells, perfect.cells, strict=True):
        if is_solution(own):
            theirs.source = own.source
    for student, notebook in {"blank": read(release), "perfect": perfect}.items():
        target = folder / "submitted" / student / "01-decay" / release.name
        target.parent.mkdir(parents=True)
        nbformat.write(notebook, target)
    nbgrader("autograde", "01-decay")
    return folder


def test_nbgrader_releases_the_tracked_notebook_byte_for_byte(course):
    released = course / "labs" / "01-decay" / "01-decay.ipynb"
    assert released.read_bytes() == (ROOT / "labs" / "01-decay" / "01-decay.ipynb").read_bytes()


def test_nbgrader_gives_everything_to_the_solution_and_nothing_to_the_blank_lab(course):
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        given = {each.student.id: (each.score, each.max_score) for each in gradebook.assignment_submissions("01-decay")}
    assert given == {"blank": (0, 20), "perfect": (20, 20)}


def test_a_blank_lab_runs_from_top_to_bottom(course):
    submitted = read(course / "autograded" / "blank" / "01-decay" / "01-decay.ipynb")
    assert errors(submitted) == []
    assert all(cell.execution_count for cell in submitted.cells if cell.cell_type == "code")
    said = [output.text for cell in submitted.cells if is_grade(cell) for output in cell.outputs if "text" in output]
    assert len(said) == 7 and all(UNSOLVED in text for text in said)


# ---- lab 1 ----

TRACE_AFTER = """
def lr_trace_steplr(n, lr0=0.01, gamma=0.99, every=50):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr0)
    stairs = torch.optim.lr_scheduler.StepLR(optimizer, every, gamma)
    trace = []
    for _ in range(n):
        optimizer.step()
        stairs.step()
        trace.append(optimizer.param_groups[0]["lr"])
    return trace
"""
LOOP = """
def fit_and_predict(x, y, x_new, epochs, batch_size, lr0, gamma, every_epochs):
    torch.manual_seed(1)
    model = LogicNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=lr0)
    stairs = torch.optim.lr_scheduler.StepLR(optimizer, STEP_SIZE, gamma)
    x, y, trace = torch.tensor(x, dtype=torch.float32), torch.tensor(y), []
    for epoch in range(epochs):
        for batch in torch.randperm(len(x)).split(batch_size):
            loss = torch.nn.functional.cross_entropy(model(x[batch]), y[batch])
            optimizer.zero_grad()
            loss.backward()
            trace.append(stairs.get_last_lr()[0])
            optimizer.step()
            PER_UPDATE
        PER_EPOCH
    return trace, [int(a < b) for a, b in model(torch.tensor(x_new, dtype=torch.float32)).tolist()]
"""


def loop(step_size: str, update: str = "pass", epoch: str = "pass") -> str:
    return LOOP.replace("STEP_SIZE", step_size).replace("PER_UPDATE", update).replace("PER_EPOCH", epoch)


def swap(grade_id: str, old: str, new: str) -> dict[str, str]:
    """The solution of one cell with `old` replaced."""
    cell = next(cell for cell in read(SOURCES[0]).cells if cell.id == grade_id)
    assert old in cell.source, f"{grade_id} no longer holds {old!r}"
    return {grade_id: cell.source.replace(old, new)}


PER_EPOCH = "per_epoch = steps_per_epoch(len(x), batch_size)"
# name: (the answer, the points it keeps in the one task it is wrong in)
WRONG: dict[str, tuple[Answers, dict[str, float]]] = {
    "decays before the update, so already at step 0":
        (swap("by-hand", "applied.append(lr)\n        if i % every == 0:\n            lr = lr * gamma",
              "if i % every == 0:\n            lr = lr * gamma\n        applied.append(lr)"), {"check-by-hand": 0}),
    "ignores the arguments":
        (swap("by-hand", "lr, applied = lr0, []", "lr, applied, gamma, every = 0.01, [], 0.99, 50"),
         {"check-by-hand": 1}),
    "knows the visible example by heart":
        ({"by-hand": "def lr_by_hand(n, lr0=0.01, gamma=0.99, every=50):\n"
                     "    return [1, 0.5, 0.5, 0.25, 0.25, 0.125] if n == 6 else [0.01] + [0.0099] * (n - 1)"},
         {"check-by-hand": 0}),
    "reads the rate after the scheduler's step": ({"scheduler": TRACE_AFTER}, {"check-scheduler": 0}),
    "repairs step 0 only":
        (swap("off-by-one", "(i + 1) % every == 0", "i > 0 and i % every == 0"), {"check-off-by-one": 2}),
    "counts the decays with the wrong sign":
        (swap("off-by-one", "np.asarray(hand) / np.asarray(stairs)", "np.asarray(stairs) / np.asarray(hand)"),
         {"check-off-by-one": 2}),
    "decays within a stair": (swap("formula", "// every", "/ every"), {"check-formula": 0}),
    "uses the step as the exponent":
        (swap("formula", "(np.asarray(t) // every)", "np.asarray(t)"), {"check-formula": 0}),
    "decay that compounds over the calls":
        ({"formula": "rate = 1.0\ndef step_decay(t, lr0, gamma, every):\n    global rate\n"
                     "    rate = rate * gamma ** (np.asarray(t) // every)\n    return lr0 * rate"},
         {"check-formula": 0}),
    "works for single steps only":
        ({"formula": "def step_decay(t, lr0, gamma, every):\n    return lr0 * gamma ** int(t // every)"},
         {"check-formula": 1}),
    "warm-up one update too short":
        (swap("warmup", "steps=warm, start", "steps=warm - 1, start"), {"check-warmup": 1}),
    "cosine as if warm-up took no time":
        (swap("warmup", "n - 1 - warm", "n - 1"), {"check-warmup": 1}),
    "ends on the update after the last": (swap("warmup", "n - 1 - warm", "n - warm"), {"check-warmup": 1}),
    "epochs taken for updates":
        (swap("train", "every=every_epochs * per_epoch", "every=every_epochs"), {"check-train": 2}),
    "scheduler stepped per epoch":
        ({"train": loop("every_epochs * -(-len(x) // batch_size)", epoch="stairs.step()")}, {"check-train": 2}),
    "last mini-batch forgotten": (swap("train", PER_EPOCH, "per_epoch = len(x) // batch_size"), {"check-train": 2}),
    "labels that ignore the network":
        (swap("train", "scores.argmax", "torch.zeros_like(scores).argmax"), {"check-train": 2}),
    "body's stairs counted from update 0":
        (swap("groups", "Constant(0.0).then(Step(body_lr, every, gamma), at=frozen)",
              "__import__('lrcourse').Lambda(lambda t: np.where(t < frozen, 0, Step(body_lr, every, gamma)(t)))"),
         {"check-groups": 1}),
    "head frozen too":
        (swap("groups", "of_head = Step(head_lr, every, gamma)",
              "of_head = Constant(0.0).then(Step(head_lr, every, gamma), at=frozen)"),
         {"check-groups": 1}),
    "forgets to return": (swap("groups", "return rows", "rows"), {"check-groups": 0}),
    "crashes": (swap("warmup", "n - 1 - warm", "n / 0"), {"check-warmup": 0}),
}  # fmt: skip
OTHERWISE: Answers = {
    "by-hand": """
def lr_by_hand(n, lr0=0.01, gamma=0.99, every=50):
    print("a message"); import warnings; warnings.warn("a warning")
    return [lr0 * gamma ** ((t + every - 1) // every) for t in range(n)]
""",
    "scheduler": """
def lr_trace_steplr(n, lr0=0.01, gamma=0.99, every=50):
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.ones(3, 2))], lr=lr0)
    stairs = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: gamma ** (t // every))
    def one():
        lr = optimizer.param_groups[0]["lr"]; optimizer.step(); stairs.step(); return lr
    return np.array([one() for _ in range(n)])
""",
    "off-by-one": """
import math
def decays_ahead(hand, stairs, gamma):
    return tuple(round(math.log(a / b, gamma)) for a, b in zip(hand, stairs))
def lr_by_hand_fixed(n, lr0=0.01, gamma=0.99, every=50):
    rates = []
    while len(rates) < n:
        rates += [lr0] * every
        lr0 *= gamma
    return rates[:n]
""",
    "formula": """
def step_decay(t, lr0, gamma, every):
    return lr0 * np.exp(np.log(gamma) * np.floor_divide(t, every))
""",
    "warmup": """
def warmup_cosine(n, warm, start, peak, end):
    phase = np.pi * np.arange(n - warm) / (n - warm - 1)
    return [*np.linspace(start, peak, warm, endpoint=False), *(end + (peak - end) * np.cos(phase / 2) ** 2)]
""",
    "train": loop("every_epochs * len(torch.arange(len(x)).split(batch_size))", update="stairs.step()"),
    "groups": """
def group_rates(n, body_lr, head_lr, gamma, every, frozen):
    t = torch.arange(n)
    body = torch.where(t < frozen, 0.0, body_lr * torch.tensor(gamma).double() ** ((t - frozen) // every))
    return torch.stack([body, head_lr * torch.tensor(gamma).double() ** (t // every)], dim=1)
""",
}


def classes() -> list[list[str]]:
    """The wrong answers dealt out to few notebooks, at most one per task in each: wrong in one task, not in others."""
    dealt: list[list[str]] = []
    for name, (answers, _) in WRONG.items():
        free = (names for names in dealt if not any(answers.keys() & WRONG[other][0].keys() for other in names))
        names = next(free, None)
        if names is None:
            dealt.append(names := [])
        names.append(name)
    return dealt


@pytest.fixture(scope="module")
def scored():
    """The scores of the solution, the blank lab, a different right answer and the classes of wrong ones."""
    source = read(SOURCES[0])
    notebooks = {"solution": answered(source, {}), "blank": blank(source), "otherwise": answered(source, OTHERWISE)}
    for i, names in enumerate(classes()):
        answers = {task: code for name in names for task, code in WRONG[name][0].items()}
        notebooks[f"wrong {i}"] = answered(source, answers)
    given = scores(notebooks)
    assert {name: errors(notebook) for name, notebook in notebooks.items() if errors(notebook)} == {}
    return given


FULL = {cell.id: cell.metadata.nbgrader.points for cell in read(SOURCES[0]).cells if is_grade(cell)}


def test_the_solution_gets_every_point(scored):
    assert scored["solution"] == FULL


def test_a_blank_lab_gets_no_point_with_the_hidden_tests(scored):
    assert scored["blank"] == dict.fromkeys(FULL, 0)


def test_a_right_answer_written_differently_gets_every_point(scored):
    assert scored["otherwise"] == FULL


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_answer_loses_exactly_its_points(scored, name):
    i, names = next((i, names) for i, names in enumerate(classes()) if name in names)
    kept = WRONG[name][1]
    others = {task for other in names if other != name for task in WRONG[other][1]}
    ours = {task: points for task, points in FULL.items() if task not in others}
    assert {task: scored[f"wrong {i}"][task] for task in ours} == ours | kept != ours


# ---- the self-checks ----


class AlwaysEqual:
    def __eq__(self, other: object) -> bool:
        return True


def raising(error: Exception):
    def call():
        raise error

    return call


@pytest.mark.parametrize(
    ("got", "message"),
    [
        (raising(NotImplementedError()), UNSOLVED),
        (raising(KeyError("lr")), "raises KeyError: 'lr'"),
        (lambda: None, "Does the function end with `return`?"),
        (lambda: ..., "Does the function end with `return`?"),
        (lambda: "a rate", "must be numbers, in a list or an array, and is a str"),
        (lambda: AlwaysEqual(), "must be numbers, in a list or an array, and is a AlwaysEqual"),
        (lambda: [AlwaysEqual(), AlwaysEqual()], "must be numbers"),
        (lambda: [1, [2, 3]], "must be numbers"),
        (lambda: [1, 2, 3], "has the shape (3,), it must be (2,)"),
        (lambda: [1, 3], "entry 1 is 3, which is too high. A hint."),
        (lambda: [1, 1.99], "entry 1 is 1.99, which is too low. A hint."),
        (lambda: [float("nan"), 2], "entry 0 is nan, which is not a number. A hint."),
    ],
)
def test_a_fault_is_named_without_the_answer(capsys, got, message):
    task = Task("a task", points=3)
    task.check("a part", got, [1.0, 2.0], hint="A hint.")
    assert task.report() == 0 and not task.solved
    assert message in capsys.readouterr().out


def test_predictions_need_not_all_be_right(capsys):
    task = Task("a task", points=2)
    task.check("enough", lambda: [0, 1, 1, 1], [1, 1, 1, 1], share=0.75)
    task.check("too few", lambda: [0, 0, 1, 1], [1, 1, 1, 1], share=0.75, hint="Train longer.")
    assert task.report() == 1
    assert "too few: 50% are right, at least 75% must be. Train longer." in capsys.readouterr().out


def test_agreement_can_be_asked_for_to_more_than_five_digits():
    task = Task("a task", points=4)
    for part, given in {"as float32": 3.0000001, "as float64": 3.00000000001}.items():
        task.check(part, lambda given=given: given, 3.0)
        task.check(f"{part}, strict", lambda given=given: given, 3.0, rtol=1e-10)
    task.check("near zero", lambda: [5e-10, 3.0], [0.0, 3.0])
    task.check("near zero, strict", lambda: [5e-10, 3.0], [0.0, 3.0], rtol=1e-10)
    assert [part for part, fault in task.faults.items() if fault] == ["as float32, strict", "near zero, strict"]


def test_a_part_counts_only_if_all_of_its_checks_pass():
    task = Task("a task", points=2)
    for value in (1, 2, 1):
        task.check("a part", lambda value=value: value, 1)
    task.check("another", lambda: 1, 1)
    assert task.report() == 1


def test_a_task_without_checks_earns_nothing():
    task = Task("a task", points=2)
    assert task.report() == 0 and not task.solved


def test_points_must_be_positive():
    with pytest.raises(ValueError, match="points must be positive, got 0"):
        Task("a task", points=0)
