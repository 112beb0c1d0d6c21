"""lrcourse labs: what students type, and the edition they get, which gives nothing away."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest

from lrcourse.course import labs
from lrcourse.course.cli import main
from lrcourse.course.labs.release import MARKER, secrets
from lrcourse.course.labs.submit import code

ROOT = Path(__file__).parents[1]
SOURCE = labs.sources(ROOT)[0]


@pytest.fixture
def student(tmp_path, monkeypatch):
    """A folder that holds the labs and nothing of the instructor's; the tests run in it."""
    shutil.copytree(ROOT / "labs", tmp_path / "labs")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def answer(path: Path, **answers: str) -> None:
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell.source = answers.get(cell.id.replace("-", "_"), cell.source)
    nbformat.write(notebook, path)


RIGHT = "def step_decay(t, lr0, gamma, every):\n    return lr0 * gamma ** (t // every)"
WRONG = "def lr_by_hand(n, lr0=0.01, gamma=0.99, every=50):\n    return [0.01] * n"


def test_start_copies_a_lab_once_and_keeps_what_was_begun(student, capsys):
    assert main(["labs", "start", "1", "--no-open"]) == 0
    mine = student / "my-labs" / "01-decay.ipynb"
    assert mine.read_bytes() == (student / "labs" / "01-decay" / "01-decay.ipynb").read_bytes()
    mine.write_text("begun")
    assert main(["labs", "start", "01-decay", "--no-open"]) == 0
    assert mine.read_text() == "begun" and "as you left it" in capsys.readouterr().out
    assert main(["labs", "start", "99", "--no-open"]) == 1
    assert "name one of 01-decay" in capsys.readouterr().err


@pytest.mark.notebooks
def test_check_reports_every_task_and_submit_packs_what_it_saw(student, capsys):
    main(["labs", "start", "1", "--no-open"])
    mine = student / "my-labs" / "01-decay.ipynb"
    answer(mine, formula=RIGHT, by_hand=WRONG, check_by_hand="2")
    assert main(["labs", "submit", "1", "--student", "ada"]) == 0
    said = capsys.readouterr().out
    assert "WRONG  a small case: entry 0 is 0.01, which is too low" in said
    assert "4. Decay as a formula: 3 of 3 parts right" in said and "3 of 20 points by the visible checks" in said
    assert "the cell check-by-hand was changed" in said and "7. A rate per group: not solved yet" in said
    with zipfile.ZipFile(mine.with_name("01-decay-ada.zip")) as packed:
        assert packed.namelist() == ["01-decay.ipynb", "receipt.json"]
        assert packed.read("01-decay.ipynb") == mine.read_bytes()
        text = packed.read("receipt.json")
    receipt = json.loads(text)
    assert (receipt["lab"], receipt["student"]) == ("01-decay", "ada")
    assert receipt["sha256"] == hashlib.sha256(mine.read_bytes()).hexdigest()
    assert receipt["visible points"]["check-formula"] == 3 and sum(receipt["visible points"].values()) == 3
    assert code(text) in said


@pytest.mark.notebooks
def test_check_succeeds_once_everything_is_solved(student, capsys):
    main(["labs", "start", "1", "--no-open"])
    answers = {cell.id.replace("-", "_"): cell.source for cell in nbformat.read(SOURCE, as_version=4).cells
               if cell.metadata.get("nbgrader", {}).get("solution")}  # fmt: skip
    answer(student / "my-labs" / "01-decay.ipynb", **answers)
    assert main(["labs", "check", "1"]) == 0
    assert "20 of 20 points" in capsys.readouterr().out


FAULTY = {
    "by_hand": "def lr_by_hand(n:\n    return n",
    "scheduler": "def lr_trace_steplr(n, lr0=0.01, gamma=0.99, every=50):\n    print('n is', n)\n    return lr0[n]",
    "off_by_one": "def decays_ahead(hand, stairs, gamma):\n    while True: pass\n"
    "def lr_by_hand_fixed(n, lr0=0.01, gamma=0.99, every=50):\n    return lr0 * gamma ** (np.arange(n) // every)",
    "formula": "import nothing_there",
    "warmup": "def warmup_cosine(n, warm, start, peak, end): return [0.1, [0.2, 0.3]]",
    "train": "import time\ntime.sleep(99)",
}
SAYS = """\
  WRONG  a small case: task 1 has a SyntaxError, so lr_by_hand does not exist ('(' was never closed, line 1: `def lr_by_hand(n:`)
  WRONG  a small case: it raises TypeError: 'float' object is not subscriptable (line 3 of task 2: `return lr0[n]`)
         it printed: n is 6
3. The off-by-one: 1 of 2 parts right
  WRONG  decays ahead: it was stopped after 1.5 seconds. Is there a loop that does not end?
  WRONG  single steps: there is no step_decay: its cell was not run, or it ended with an error before that line
  WRONG  the rise: the result must be numbers in rows of one length: entry 0 is one number, entry 1 has 2
note: task 1 raises SyntaxError: '(' was never closed (line 1 of task 1: `def lr_by_hand(n:`)
note: task 4 raises ModuleNotFoundError: No module named 'nothing_there' (line 1 of task 4: `import nothing_there`)
note: task 6 was stopped: it took more than 30 seconds
"""  # noqa: E501


@pytest.mark.notebooks
def test_check_names_the_cell_the_line_and_the_cause(student, capsys):
    main(["labs", "start", "1", "--no-open"])
    answer(student / "my-labs" / "01-decay.ipynb", **FAULTY)
    assert main(["labs", "check", "1", "--seconds", "30"]) == 1
    said, progress = capsys.readouterr()
    assert re.search(r"(?m)^checking 01-decay.ipynb: \d+ of \d+ cells, .* left, task \d$", progress), progress
    assert [line for line in SAYS.splitlines() if line not in said] == [], said
    assert "2 of 20 points" in said


@pytest.mark.notebooks
def test_a_cell_that_cannot_be_stopped_ends_the_check_and_is_handed_in_all_the_same(student, capsys, monkeypatch):
    monkeypatch.setattr(sys.modules["lrcourse.course.labs.check"], "GRACE", 1)
    main(["labs", "start", "1", "--no-open"])
    mine = student / "my-labs" / "01-decay.ipynb"
    notebook = nbformat.read(mine, as_version=4)
    loop = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass"
    notebook.cells.insert(0, nbformat.v4.new_code_cell(loop, id="mine"))
    nbformat.write(notebook, mine)
    assert main(["labs", "check", "1", "--seconds", "5"]) == 1
    assert "the cell mine does not end, and ignores that it is interrupted" in capsys.readouterr().err
    assert main(["labs", "submit", "1", "--student", "ada", "--seconds", "5"]) == 0
    assert "does not run to its end; it is packed as it is" in capsys.readouterr().out
    assert main(["labs", "check", "1", "--seconds", "0"]) == 1
    assert "seconds must be at least 1, got 0" in capsys.readouterr().err


def test_a_second_submit_keeps_the_first_and_its_receipt(student, capsys, monkeypatch):
    monkeypatch.setattr(sys.modules["lrcourse.course.labs.submit"], "check", lambda lab, seconds: None)
    labs.start("1")
    codes = []
    for text in ("first = 1", "second = 2", "third = 3"):
        answer(student / "my-labs" / "01-decay.ipynb", formula=text)
        assert main(["labs", "submit", "1", "--student", "ada"]) == 0
        codes += re.findall("receipt, to keep:  (.*)", said := capsys.readouterr().out)
        assert ("is kept" in said) == (len(codes) > 1)
    kept = {path.name: path for path in (student / "my-labs").rglob("*.zip")}
    assert kept.keys() == {"01-decay-ada.zip", *(f"01-decay-ada-{code}.zip" for code in codes[:2])}
    with zipfile.ZipFile(kept[f"01-decay-ada-{codes[0]}.zip"]) as file:
        assert code(file.read("receipt.json")) == codes[0] and b"first = 1" in file.read("01-decay.ipynb")
    (student / "my-labs" / "01-decay-ada.zip").write_bytes(b"no zip")
    assert main(["labs", "submit", "1", "--student", "ada"]) == 0
    assert b"no zip" in [path.read_bytes() for path in (student / "my-labs" / "earlier").iterdir()]


@pytest.mark.parametrize("text", ["", '{"cells":', '{"nbformat": 4}', "\udcff"])
def test_a_broken_notebook_is_refused(student, capsys, text):
    mine = student / "01-decay.ipynb"
    mine.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert main(["labs", "submit", str(mine), "--student", "ada"]) == 1
    assert "cannot be read as a notebook" in capsys.readouterr().err and not list(student.glob("*.zip"))


def test_another_labs_notebook_and_a_name_that_is_none_are_refused(student, capsys):
    shutil.copy(student / "labs" / "02-callbacks" / "02-callbacks.ipynb", student / "01-decay.ipynb")
    assert main(["labs", "submit", "01-decay.ipynb", "--student", "ada"]) == 1
    assert "holds lab 02-callbacks, not 01-decay" in capsys.readouterr().err
    assert main(["labs", "submit", "01-decay.ipynb", "--student", "../ada"]) == 1
    assert "student must be a name" in capsys.readouterr().err
    assert main(["labs", "check", "2"]) == 1
    assert "run lrcourse labs start 02" in capsys.readouterr().err


# ---- the student edition ----


@pytest.fixture
def repository(tmp_path):
    """A copy of what the edition is made of, with lab 1 alone."""
    root = tmp_path / "repository"
    shutil.copytree(ROOT / "lrcourse", root / "lrcourse", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(SOURCE.parent, root / "solutions" / SOURCE.stem)
    (root / "labs").mkdir()
    for name in ("labs/README.md", "LICENSE", "constraints.txt", "pyproject.toml", "environment.yml"):
        shutil.copy(ROOT / name, root / name)
    return root


def test_the_edition_gives_nothing_away_is_the_same_each_time_and_works_alone(repository, tmp_path):
    names = labs.bundle(repository, tmp_path / "a.zip")
    labs.bundle(repository, tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    assert {name.split("/")[0] for name in names} == {
        "LICENSE", "README.md", "constraints.txt", "environment.yml", "labs", "lrcourse", "pyproject.toml"
    }  # fmt: skip
    assert not [name for name in names if "grading" in name or "solution" in name]
    shutil.unpack_archive(tmp_path / "a.zip", tmp_path / "unpacked")
    edition = tmp_path / "unpacked" / "lrcourse-labs"
    texts = {path: path.read_text(encoding="utf-8") for path in edition.rglob("*") if path.is_file()}
    hidden = [block for cell in nbformat.read(SOURCE, as_version=4).cells for block in secrets(cell)]
    notebook = "\n".join(cell.source for cell in nbformat.read(edition / "labs" / SOURCE.stem / SOURCE.name, 4).cells)
    assert hidden and not any(block in text for block in hidden for text in [*texts.values(), notebook])
    assert not any(MARKER.search(text) for path, text in texts.items() if path.suffix != ".py")
    assert ".[student]" in (edition / "environment.yml").read_text()

    run = "import sys; from lrcourse.course.cli import main; sys.exit(main(sys.argv[1:]))"

    def lrcourse(*arguments):
        return subprocess.run([sys.executable, "-c", run, *arguments], cwd=edition, text=True, capture_output=True,
                              env=os.environ | {"PYTHONPATH": str(edition)})  # fmt: skip

    started = lrcourse("labs", "start", "1", "--no-open")
    assert started.returncode == 0 and (edition / "my-labs" / SOURCE.name).exists(), started.stderr
    assert "jupyterlab" in (said := lrcourse("doctor").stdout) and not set(said.split()) & {"jupyter-book", "bwrap"}
    (edition / "log.csv").write_text("step,lr\n0,0.1\n1,0.1\n2,0.1\n")
    assert "FAULT: schedule never applied" in lrcourse("audit", "log.csv", "--schedule", "Cosine(0.1, 0, 3)").stdout
    for action in ("build", "bundle"):  # there is nothing to build from
        assert f"invalid choice: '{action}'" in lrcourse("labs", action).stderr
    assert "invalid choice: 'grade'" in lrcourse("grade", "submissions", "--lab", "1").stderr


@pytest.mark.parametrize("place", ["labs/README.md", "lrcourse/plots.py"])
@pytest.mark.parametrize("cell", ["by-hand", "check-by-hand"])
def test_a_solution_or_a_hidden_test_in_any_file_stops_the_edition(repository, tmp_path, place, cell):
    cells = {each.id: each for each in nbformat.read(SOURCE, as_version=4).cells}
    file = repository / place
    file.write_text(file.read_text() + "\n" + secrets(cells[cell])[0])
    name = place.removeprefix("labs/")
    with pytest.raises(ValueError, match=f"would give away: {name}: a secret of lab 01-decay"):
        labs.bundle(repository, tmp_path / "edition.zip")
    assert not (tmp_path / "edition.zip").exists()
