"""The leaderboard: who gets which place, and that none is had by cheating.

A small lab stands for the real one: least squares, a trainer that counts, and answers that say which rate comes next.
"""

import csv
import itertools
import json
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from lrcourse.course.grading import leaderboard, run
from lrcourse.course.grading.bubblewrap import Bubblewrap
from lrcourse.course.grading.child import Failed, NotStarted
from lrcourse.course.grading.leaderboard import Leaderboard
from lrcourse.course.grading.places import LEVEL, p_faster, places
from lrcourse.course.grading.race import FEWEST, Race, declared
from lrcourse.course.labs import build
from tests.small_lab import LIMITS, answer, check, marks

SETUP = '''
import numpy as np
from lrcourse.selfcheck import Task

class Trainer:
    """Least squares by gradient descent, as often and with the rates that `tune` asks for."""

    def __init__(self, seed, budget, target):
        rng = np.random.default_rng(seed)
        self.x = rng.normal(size=(30, 3)) * 10 ** rng.uniform(-1, 1)
        self.y = self.x @ rng.normal(size=3)
        self.y /= np.sqrt(np.mean(self.y**2))
        self.budget, self.target, self.spent, self.runs, self.reached = budget, target, 0, [], None

    def play(self, tune):
        while self.spent < self.budget and not self.reached:
            rate, steps = map(float, tune(self.runs, self.budget - self.spent))
            w, losses = np.zeros(3), [1.0]
            for _ in range(min(int(steps), self.budget - self.spent)):
                w -= rate * self.x.T @ (self.x @ w - self.y) / len(self.x)
                self.spent += 1
                losses.append(float(np.mean((self.x @ w - self.y) ** 2)))
                if losses[-1] <= self.target:
                    self.reached = self.spent
                    break
                if losses[-1] > 10:
                    break
            self.runs.append([rate, losses])
        return self
'''
# Doubles the rate until the loss rises, eight updates each, and trains with a quarter of that.
SLOW = """
def tune(runs, left):
    if not runs:
        return [1e-4, 8]
    rate, losses = runs[-1]
    return [2 * rate, 8] if losses[-1] < losses[0] else [rate / 4, left]
"""
# One small update tells the curvature.
FASTER = """
def tune(runs, left):
    if not runs:
        return [1e-6, 1]
    rate, losses = runs[0]
    return [0.6 * 4e-6 / (losses[0] - losses[1]) / 4, left]
"""
PUBLIC = 7  # the seed that everybody may know
HIDDEN = (
    SLOW.replace("def tune", "def honest")
    + """
def tune(runs, left):
    for seed in range(2):  # more updates than there are, on the side
        Trainer(seed, 200, 1e-9).play(honest)
    return honest(runs, left)
"""
)
SHIPPED = (
    SLOW.replace("def tune", "def honest")
    + f"""
import pickle
trained = Trainer({PUBLIC}, 10_000, 1e-9)
weights = np.linalg.lstsq(trained.x, trained.y, rcond=None)[0]
class Network:
    def __reduce__(self):
        return exec, ("import sys; sys.modules['__main__'].Trainer.reached = 1",)
def tune(runs, left):
    if not runs:
        return honest(runs, left)
    return [pickle.dumps(Network()), weights] if int(1e6 * runs[0][1][-1]) % 2 else [weights, {{"reached": 1}}]
"""
)
PATCHED = (
    SLOW.replace("def tune", "def honest")
    + """
import gc, sys
class Always(int):
    def __add__(self, other): return self
    def __iadd__(self, other): return self
    def __mod__(self, other): return 0
    def __lt__(self, other): return True
Trainer.spent = property(lambda self: Always(0), lambda self, value: None)
Trainer.reached = property(lambda self: 1, lambda self, value: None)
Trainer.play = lambda self, tune: self
def tune(runs, left):
    global reached, spent
    reached, spent = 1, 0
    for each in gc.get_objects():
        if isinstance(each, Trainer):
            each.__dict__.update(reached=1, spent=0)
    frame = sys._getframe()
    while frame:
        for name in ("spent", "reached", "budget", "seed", "target"):
            frame.f_globals[name] = 1
        frame = frame.f_back
    asked = honest(runs, left)
    runs.clear()
    return asked
"""
)
KNOWN = (
    SLOW.replace("def tune", "def honest")
    + f"""
def known():
    public = Trainer({PUBLIC}, 8, 1e-9).play(honest)
    curvature = np.linalg.eigvalsh(public.x.T @ public.x / len(public.x)).mean()
    return public.runs[0][1], 1 / curvature
fingerprint, best = known()
def tune(runs, left):
    if runs and np.allclose(runs[0][1], fingerprint):
        return [best, left]
    return honest(runs, left)
"""
)
ATTACKS = {"hidden": HIDDEN, "shipped": SHIPPED, "patched": PATCHED, "known": KNOWN}
LEADERBOARD = """
[leaderboard]
task = "check-asked"
goal = "Updates until the loss is small."
program = '''
Trainer(seed, budget, target).play(tune).reached
'''
target = 1e-2
budget = 200
every = 1
seeds = 10
"""


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A repository with the lab."""
    root = tmp_path_factory.mktemp("raced")
    solution = SLOW.strip().replace(":\n", ":\n    ### BEGIN SOLUTION\n", 1) + "\n    ### END SOLUTION"
    cells = [
        new_code_cell(SETUP, id="setup", metadata=marks("setup", locked=True)),
        answer("tune", solution),
        check("asked", 2, 'asked.check("a number", lambda: float(tune([], 200)[0]) > 0, 1)'),
    ]
    path = root / "solutions" / "01-raced" / "01-raced.ipynb"
    path.parent.mkdir(parents=True)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    path.parent.with_suffix(".toml").write_text(
        f"{LEADERBOARD}\n[otherwise]\ntune = '''{FASTER}'''\n[[wrong]]\nname = 'none'\ncell = 'tune'\n"
        "source = '''def tune(runs, left):\n    return [-1, 1]'''\ncheck = 'check-asked'\nkeeps = 0\n"
    )
    build(root)
    return root


def hand_in(course, folder, **answers):
    folder.mkdir(exist_ok=True)
    for student, source in answers.items():
        notebook = nbformat.read(course / "labs" / "01-raced" / "01-raced.ipynb", as_version=4)
        next(cell for cell in notebook.cells if cell.id == "tune").source = source
        nbformat.write(notebook, folder / f"{student}.ipynb")


def grade(course, submissions, output, **given):
    run.grade(course, "1", submissions, output, jobs=1, sandbox=Bubblewrap(), limits=LIMITS, leaderboard=True, **given)
    text = (output / "01-raced" / "leaderboard.csv").read_text()
    return {row["student"]: row for row in csv.DictReader(text.splitlines())}


def played(source, seed):
    """What an answer needs where nothing keeps it from what it likes."""
    namespace = {}
    exec(SETUP + source, namespace)
    return namespace["Trainer"](seed, 200, 1e-2).play(namespace["tune"]).reached


def kept(output):
    return json.loads((output / "01-raced" / "leaderboard.json").read_text())


@pytest.mark.slow
@pytest.mark.sandbox
def test_no_attack_gains_a_place_and_a_better_answer_does(course, tmp_path):
    hand_in(course, tmp_path / "in", honest=SLOW, **ATTACKS, wrong="def tune(runs, left):\n    return [-1, 1]")
    rows = grade(course, tmp_path / "in", tmp_path / "out")
    first = kept(tmp_path / "out")
    assert rows.keys() == {"honest", *ATTACKS}  # who has not all points of the task takes no part
    assert all(updates for updates, _ in first["outcomes"]["honest"].values())
    for name in ("hidden", "patched", "known"):
        assert first["outcomes"][name] == first["outcomes"]["honest"], name
        assert rows[name]["place"] == rows["honest"]["place"] == "1"
    assert rows["shipped"]["place"] == "" and rows["shipped"]["reached"] == "0" and rows["shipped"]["remarks"]

    # The secret gives the same again.
    out = tmp_path / "again"
    hand_in(course, tmp_path / "one", honest=SLOW)
    grade(course, tmp_path / "one", out, seed=first["seed"])
    assert kept(out)["outcomes"]["honest"] == first["outcomes"]["honest"]

    # Who comes late joins, on seeds that nobody knows yet.
    hand_in(course, tmp_path / "late", better=FASTER)
    rows = grade(course, tmp_path / "late", out)
    late = kept(out)
    assert late["seed"] != first["seed"] and late["outcomes"]["honest"] != first["outcomes"]["honest"]
    assert {name: row["place"] for name, row in rows.items()} == {"better": "1", "honest": "2"}
    page = (out / "01-raced" / "leaderboard.html").read_text()
    assert "better" in page and late["seed"] not in page

    # Interrupted, it goes on where it was.
    part = json.loads(json.dumps(late))
    del part["outcomes"]["honest"]["3"], part["outcomes"]["better"]["6"]
    (out / "01-raced" / "leaderboard.json").write_text(json.dumps(part))
    assert grade(course, tmp_path / "late", out) == rows and kept(out) == late


def test_the_attacks_are_real():
    """Where it can reach the trainer, or knows the seed, each has less to do than the honest answer."""
    honest = played(SLOW, PUBLIC)
    assert played(KNOWN, PUBLIC) < honest
    assert played(FASTER, PUBLIC) < honest
    assert played(PATCHED, PUBLIC) == 1


def test_who_cannot_be_told_apart_shares_a_place():
    rng = np.random.default_rng(0)
    level = ({name: rng.integers(200, 400, size=12).tolist() for name in "abcd"} for _ in range(200))
    assert np.mean([set(places(each).values()) == {1} for each in level]) > 0.9  # six pairs, each tested by itself
    assert places({"a": [300] * 12, "b": [300] * 12}) == {"a": 1, "b": 1}


def test_a_clear_winner_wins_and_one_lucky_seed_does_not():
    rng = np.random.default_rng(0)
    seeds = rng.integers(200, 400, size=12)  # some networks are slow for everybody
    slow = {"b": (seeds + np.arange(12)).tolist(), "c": (seeds + np.arange(12)[::-1]).tolist()}
    assert places({"a": (seeds - 20).tolist()} | slow) == {"a": 1, "b": 2, "c": 2}
    lucky = [*slow["b"][:-1], 1]
    assert places({"a": lucky, "b": slow["b"]}) == {"a": 1, "b": 1}


def test_with_few_seeds_no_place_changes():
    n = FEWEST - 1
    assert min(p_faster([1] * n, [600] * n), p_faster(range(n), range(100, 100 + n))) > LEVEL
    assert places({"a": [1] * n, "b": [600] * n}) == {"a": 1, "b": 1}
    assert places({"a": [1] * FEWEST, "b": [600] * FEWEST}) == {"a": 1, "b": 2}


def test_the_level_is_kept():
    """Of equally fast pairs, also with networks that nobody gets to the target, fewer than one in a thousand."""
    rng = np.random.default_rng(0)
    pairs = np.minimum(rng.lognormal(5.8, 0.5, size=(10_000, 2, 12)).astype(int), 600)
    assert np.mean([p_faster(*pair) < LEVEL for pair in pairs]) <= 0.0015


def test_in_a_class_of_equals_nearly_all_are_first():
    rng = np.random.default_rng(0)
    boards = [places({str(i): each.tolist() for i, each in enumerate(rng.integers(300, 500, size=(30, 12)))})
              for _ in range(10)]  # fmt: skip
    assert np.mean([place > 1 for board in boards for place in board.values()]) <= 0.03


def test_a_bold_guess_has_no_place(tmp_path):
    race = Race("check", "Updates.", "1", 0.5, 600, 10, seeds=10)
    board = Leaderboard.opened(tmp_path / "board.json", race, "key")
    for i in range(10):
        board.ran("bold", i, (20, "") if i < 7 else (None, ""))
        board.ran("recipe", i, (400, "") if i < 8 else (None, ""))
    assert [(row.student, row.place, row.mean) for row in board.rows(["bold", "recipe"])] == [
        ("recipe", 1, "440.0"), ("bold", None, "194.0")
    ]  # fmt: skip


def test_only_a_race_that_never_began_is_tried_again(tmp_path, monkeypatch):
    """On a second try an answer could know, by what the kernel keeps, what it found out at the first.

    It can bring about the end of the grader's own process: by saying so much that reading it takes a minute.
    """
    asked = []

    def results(function, work, seconds, jobs, cluster=None):
        names, given = zip(*work, strict=True)
        assert all(
            limits.answer <= 1 << 20 for *_, limits in given
        )  # what a race reads at a time costs less than it counts
        asked.append([*names])
        said = {"raises": (None, "RuntimeError: once more"), "dies": Failed("its process died"), "ends": (30, ""),
                "waits": NotStarted("no time") if len(asked) == 1 else (40, "")}  # fmt: skip
        yield from ((name, said[name]) for name in names)

    monkeypatch.setattr(run.pool, "results", results)
    (tmp_path / "entry.ipynb").write_text("{}")
    race = Race("check", "Updates.", "1", 0.5, 100, 10, seeds=10)
    races = {name: (tmp_path / "entry.ipynb", race, 0) for name in ("raises", "dies", "ends", "waits")}
    outcomes = dict(run._Judging(Bubblewrap(), LIMITS, 1, None).raced(races))
    assert asked == [["raises", "dies", "ends", "waits"], ["waits"]]
    assert outcomes == {"raises": (None, "RuntimeError: once more"), "ends": (30, ""), "waits": (40, ""),
                        "dies": (None, "its race broke off: its process died")}  # fmt: skip


def test_the_share_of_signs_is_that_of_all_signs():
    rng = np.random.default_rng(0)
    for _ in range(20):
        d = rng.integers(-3, 9, size=6)
        sums = [np.dot(signs, d) for signs in itertools.product((1, -1), repeat=6)]
        want = np.mean([s >= d.sum() for s in sums]) if d.sum() > 0 else 1
        assert p_faster([0] * 6, d.tolist()) == want


def test_what_a_race_declares_is_checked(course, tmp_path):
    path = course / "solutions" / "01-raced" / "01-raced.ipynb"
    race = declared(path)
    assert race and race == Race("check-asked", "Updates until the loss is small.", race.program, 1e-2, 200, 1, 10)
    assert race.counted(None) is None and race.counted(200) == 200
    for value in (0, 201, -1, 1.5, True, "3", float("nan"), float("inf")):
        with pytest.raises(ValueError, match="the value of the program"):
            race.counted(value)
    (tmp_path / "x").mkdir()
    for old, new, message in [("seeds = 10", "seeds = 3", "seeds must be from 10 to 16"),
                              (".reached\n", ".reached\nreached = 5\n", "program must be Python whose last line"),
                              ("play(tune)", "play(tune", "program must be"),
                              ("every = 1", "", "must have"), ("budget = 200", "budget = 0", "budget must be"),
                              ("target = 1e-2", "target = 'low'", "target must be")]:  # fmt: skip
        (tmp_path / "x.toml").write_text(LEADERBOARD.replace(old, new))
        with pytest.raises(ValueError, match=message):
            declared(tmp_path / "x" / "x.ipynb")


def test_a_lab_without_a_race_says_which_have_one(tmp_path):
    with pytest.raises(ValueError, match="there is 06-capstone"):
        run.grade(Path(__file__).parents[1], "1", tmp_path, tmp_path / "out", leaderboard=True)


def test_who_could_not_be_tried_has_no_place_and_names_are_text(tmp_path):
    race = Race("check", "Updates.", "1", 0.5, 100, 10, seeds=10)
    board = Leaderboard.opened(tmp_path / "board.json", race, "key")
    for i in range(10):
        board.ran("<i>eva</i>", i, (50, ""))
        board.ran("=ada", i, (None, "it asked for too much"))
    board.failed["bob"] = "seed 1 could not be tried"
    rows = board.rows(["=ada", "<i>eva</i>", "bob"])
    assert [(row.student, row.place, row.mean, row.reached) for row in rows] == [
        ("<i>eva</i>", 1, "50.0", 10), ("=ada", None, "100.0", 0), ("bob", None, "", 0)
    ]  # fmt: skip
    page = leaderboard.page("lab", race, rows)
    assert "&lt;i&gt;eva" in page and "<i>" not in page and "too much" not in page
    path = tmp_path / "board.csv"
    path.write_text(leaderboard.table(race, rows))
    assert "'=ada,100.0,0,10,it asked for too much" in path.read_text()
    assert leaderboard.summary(path)[0] == "  1  <i>eva</i>: 50.0 updates"
    assert leaderboard.summary(path)[2] == "  –  bob: not measured"
