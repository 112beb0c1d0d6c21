"""A whole grading, from what was handed in to grades, records, feedback and nbgrader's own tools, in the real sandbox.

The lab is a small one with a task that a person grades; test_grading_adversaries sends attacks through lab 1.
"""

import csv
import os
import random
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

import nbformat
import nbgrader.api
import pytest
from distributed import LocalCluster
from nbformat.v4 import new_markdown_cell

from lrcourse.course import cli
from lrcourse.course.grading import gradebook, run
from lrcourse.course.grading.bubblewrap import Bubblewrap
from lrcourse.course.grading.container import Container
from lrcourse.course.grading.preflight import BrokenLab
from tests.small_lab import DOUBLE, SECRET, filled, grade, hand_in, hashes, lab, stored, table

pytestmark = pytest.mark.sandbox
ROOT = Path(__file__).parents[1]
PAYLOAD = """<script>document.title = "run"</script><img src=https://evil.example/b onerror="document.title = 'run'">
<iframe srcdoc="<script>top.document.title = 'run'</script>"></iframe><svg onload="document.title = 'run'"></svg>
[x](javascript:document.title='run') ![x](https://evil.example/f) <a href="javascript:document.title='run'">x</a>
$\\href{javascript:document.title='run'}{x}$"""
SPY = (
    DOUBLE
    + """
import glob, os
found = [p for p in PATHS for p in [p, *glob.glob(p + "/**", recursive=True)] if os.path.isfile(p)]
print("readable:", found)
"""
)


@pytest.fixture(scope="session")
def handed_in(course, tmp_path_factory):
    """A class of one of each kind."""
    folder = tmp_path_factory.mktemp("in")
    ours = [ROOT / name for name in ("solutions", "labs", "tests", ".git", "lrcourse/course/grading")]
    spy = SPY.replace("PATHS", repr([str(path) for path in (course.parent, *ours, "/etc/passwd")]))
    hostile = filled(course, DOUBLE + f"\nprint('''{PAYLOAD}''')", words=PAYLOAD)
    hostile.cells += [new_markdown_cell(PAYLOAD), nbformat.v4.new_raw_cell(PAYLOAD)]
    hostile.cells[2].outputs = [
        nbformat.v4.new_output("display_data", {"text/html": PAYLOAD, "image/svg+xml": PAYLOAD})
    ]
    hostile.cells[0].attachments = {"x.svg": {"image/svg+xml": PAYLOAD}}
    hostile.metadata["title"] = PAYLOAD
    hand_in(
        folder, right=filled(course), blank=lab(course), wrong=filled(course, "def double(x):\n    return 2"),
        dies=filled(course, "import os\ndef double(x):\n    os._exit(0)"), spy=filled(course, spy), hostile=hostile,
        hangs=filled(course, "def double(x):\n    while True: pass"),
        twin_a=filled(course, DOUBLE + "  # same"), twin_b=filled(course, DOUBLE + "  # same"),
        stranger=filled(course, DOUBLE + " + 0"),
    )  # fmt: skip
    (folder / "empty.ipynb").write_bytes(b"")
    (folder / "link.ipynb").symlink_to("/etc/passwd")
    with zipfile.ZipFile(folder / "01-small-packed.zip", "w") as archive:
        archive.writestr("01-small.ipynb", nbformat.writes(filled(course, DOUBLE + "  # packed")))
    roster = tmp_path_factory.mktemp("roster") / "roster.csv"
    names = [path.stem for path in folder.iterdir() if path.stem not in ("stranger", "01-small-packed")]
    roster.write_text("\n".join(["student", *names, "packed", "absent"]))
    return folder, roster


@pytest.fixture(scope="session")
def graded(course, handed_in, tmp_path_factory):
    output = tmp_path_factory.mktemp("out")
    return output, grade(course, handed_in[0], output, roster=handed_in[1], jobs=2)


@pytest.mark.parametrize(("student", "status", "score", "flags"), [
    ("right", "graded", "6", ""), ("packed", "graded", "6", ""), ("blank", "graded", "0", ""),
    ("wrong", "graded", "4", ""), ("dies", "graded", "4", "check-twice: crashed"),
    ("hangs", "graded", "4", "timed out: no answer"), ("spy", "graded", "6", ""), ("hostile", "graded", "6", ""),
    ("twin_a", "needs review", "6", "the same answers as twin_b"),
    ("twin_b", "needs review", "6", "the same answers as twin_a"),
    ("stranger", "needs review", "6", "not on the roster"),
    ("empty", "unreadable", "", "the file is empty"), ("link", "unreadable", "", "link"), ("absent", "missing", "", ""),
])  # fmt: skip
def test_everyone_has_one_status_and_the_right_score(graded, student, status, score, flags):
    row = table(graded[0])[student]
    assert (row["status"], row["score"]) == (status, score)
    assert flags in row["flags"] if flags else not row["flags"]
    assert row["waiting_for_a_person"] == ("words" if score not in ("", "0") else "")


def test_nothing_of_the_course_can_be_read_from_inside(graded):
    assert graded[1]["spy"].judgement.texts["double"] == "readable: []"


def test_an_original_is_kept_and_gives_the_same_whoever_else_is_graded(course, graded, tmp_path):
    output, records = graded
    students = ["wrong", "twin_a", "hostile", "empty"]
    for student in students:
        shutil.copytree(output / records[student].original, tmp_path / "in", dirs_exist_ok=True)
    grade(course, tmp_path / "in", tmp_path / "again")
    for student in students:
        again, first = (folder / "01-small" / "records" / f"{student}.json" for folder in (tmp_path / "again", output))
        assert again.read_bytes() == first.read_bytes()


def test_two_gradings_are_the_same_bytes(course, handed_in, graded, tmp_path):
    grade(course, handed_in[0], tmp_path, roster=handed_in[1])
    assert hashes(tmp_path) == hashes(graded[0])


def test_graded_again_nothing_runs_and_nothing_changes(course, handed_in, graded, monkeypatch):
    before = hashes(graded[0])
    monkeypatch.setattr(run._Grading, "_judge", None)
    grade(course, handed_in[0], graded[0], roster=handed_in[1], jobs=1)
    assert hashes(graded[0]) == before


def by_a_person(output, student, points):
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{output / 'gradebook.db'}", "lrcourse") as book:
        given = book.find_grade("words", "01-small", "01-small", student)
        given.manual_score, given.needs_manual_grade = points, False
        book.find_comment("words", "01-small", "01-small", student).manual_comment = "Say <why>."
        book.db.commit()


def test_a_manual_grade_stays_and_waits_again_for_new_answers(course, tmp_path):
    hand_in(tmp_path / "in", ada=filled(course))
    grade(course, tmp_path / "in", tmp_path)
    by_a_person(tmp_path, "ada", 2.5)
    grade(course, tmp_path / "in", tmp_path)
    row = table(tmp_path)["ada"]
    assert (row["score"], row["words"], row["waiting_for_a_person"]) == ("8.5", "2.5", "")
    page = (tmp_path / "feedback" / "ada" / "01-small" / "01-small.html").read_text()
    assert "2.5 of 3 points, given by your instructor" in page and "Say &lt;why&gt;." in page
    hand_in(tmp_path / "in", ada=filled(course, words="Because it must be."))
    grade(course, tmp_path / "in", tmp_path)
    row = table(tmp_path)["ada"]
    assert (row["score"], row["words"], row["waiting_for_a_person"]) == ("8.5", "2.5", "words")


GRADE = """
import os, signal, sys, time
from pathlib import Path
import nbgrader.api, nbgrader.preprocessors, joblib
from lrcourse.course.grading import run
from lrcourse.course.grading.bubblewrap import Bubblewrap
from lrcourse.course.grading.limits import Limits
course, submissions = map(Path, sys.argv[1:3])
for line in sys.stdin:
    seconds, output = line.split()
    child = os.fork()
    if not child:
        os.setsid()
        run.grade(course, "1", submissions, Path(output), jobs=1, sandbox=Bubblewrap(),
                  limits=Limits(cell_seconds=20, call_seconds=5, total_seconds=60), seed="a secret of the tests")
        os._exit(0)
    started = time.monotonic()
    ended = status = 0
    while not ended and time.monotonic() - started < float(seconds):
        ended, status = os.waitpid(child, os.WNOHANG)
        time.sleep(0.005)
    if not ended:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    print(("failed" if status else "finished") if ended else "killed", flush=True)
"""


@pytest.fixture
def graded_for(course, tmp_path):
    """Grades what lies in tmp_path/in, and kills the grader after some seconds; returns whether it was killed."""
    command = [sys.executable, "-c", GRADE, course, tmp_path / "in"]
    with subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as grader:  # fmt: skip
        assert grader.stdin and grader.stdout
        ask, answers = grader.stdin, grader.stdout

        def killed(seconds, output):
            ask.write(f"{seconds} {output}\n")
            ask.flush()
            return {"killed\n": True, "finished\n": False}[answers.readline()]

        yield killed
        ask.close()


def test_killed_at_twenty_moments_it_comes_to_the_same(course, tmp_path, graded_for):
    """Ten times before anything is there, and ten times after a person gave points and some records were lost."""
    whole, out = tmp_path / "whole", tmp_path / "out"
    answers = [DOUBLE + f"  # {i}" if i % 2 else "def double(x):\n    return x" for i in range(4)]
    hand_in(tmp_path / "in", **{f"student{i}": filled(course, answer) for i, answer in enumerate(answers)})
    started = time.monotonic()
    assert not graded_for(120, whole)
    seconds = time.monotonic() - started
    by_a_person(whole, "student1", 1.5)
    chance = random.Random(7)
    kills = 0
    while kills < 10:
        if graded_for(chance.uniform(0, seconds), out):
            kills += 1
        else:
            shutil.rmtree(out)
    grade(course, tmp_path / "in", out)
    by_a_person(out, "student1", 1.5)
    while kills < 20:
        records = sorted((out / "01-small" / "records").glob("*.json"))
        for path in chance.sample(records, k=min(3, len(records))):
            path.unlink()
        kills += graded_for(chance.uniform(0, seconds), out)
    for output in (out, whole):
        grade(course, tmp_path / "in", output)
    assert table(out)["student1"]["words"] == "1.5" and stored(out)["student1", "words"] == (None, 1.5, False)
    assert stored(out) == stored(whole)
    left = {name: digest for name, digest in hashes(out).items() if not name.endswith(".part")}
    assert left == hashes(whole)


def test_on_a_cluster_it_comes_to_the_same(course, handed_in, graded, tmp_path):
    with LocalCluster(n_workers=0, processes=False, protocol="tcp", dashboard_address=None) as scheduler:
        address = scheduler.scheduler_address
        command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--no-nanny", "--nthreads", "2"]
        worker = subprocess.Popen([*command, "--no-dashboard"], stderr=subprocess.DEVNULL)
        try:
            grade(course, handed_in[0], tmp_path, roster=handed_in[1], cluster=address)
        finally:
            worker.kill()
            worker.wait()
    assert hashes(tmp_path) == hashes(graded[0])


def test_a_broken_lab_stops_the_grading(course, tmp_path):
    shutil.copytree(course, tmp_path / "course")
    path = tmp_path / "course" / "solutions" / "01-small" / "01-small.ipynb"
    path.write_text(path.read_text().replace("double(41), 82", "double(41), 83"))
    hand_in(tmp_path / "in", ada=filled(course))
    with pytest.raises(BrokenLab, match="the solution: check-twice gets 0, it should get 2"):
        grade(tmp_path / "course", tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out" / "01-small" / "records").exists()


def test_without_a_sandbox_nothing_is_graded(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(Bubblewrap, "available", lambda self: "bwrap is not installed")
    monkeypatch.setattr(Container, "available", lambda self: "there is no image")
    (tmp_path / "in").mkdir()
    assert cli.main(["grade", str(tmp_path / "in"), "--lab", "1", "--output", str(tmp_path / "out")]) == 1
    assert "bubblewrap: bwrap is not installed" in (said := capsys.readouterr().err)
    assert "apt-get install bubblewrap" in said and not (tmp_path / "out").exists()


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(course, handed_in, tmp_path, monkeypatch, capsys):
    (course / "_toc.yml").touch()
    monkeypatch.chdir(course)
    arguments = ["--lab", "1", "--roster", str(handed_in[1]), "--output", str(tmp_path / "out"), "--dry-run"]
    assert cli.main(["grade", str(handed_in[0]), *arguments]) == 0
    said = capsys.readouterr().out
    assert "right: grade right.ipynb, 3 of 3 cells answered" in said
    assert "empty: unreadable; empty.ipynb: the file is empty" in said and "absent: missing" in said
    assert not (tmp_path / "out").exists()


# ---- nbgrader's own tools on what was written ----


@pytest.fixture(scope="session")
def environment(tmp_path_factory):
    own = {name: str(tmp_path_factory.mktemp("jupyter") / name.lower())
           for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")}  # fmt: skip
    return os.environ | own | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def test_nbgrader_exports_the_scores(graded, environment):
    command = [sys.executable, "-m", "nbgrader", "export"]
    subprocess.run(command, cwd=graded[0], env=environment, check=True, capture_output=True)
    rows = {row["student_id"]: row for row in csv.DictReader((graded[0] / "grades.csv").open())}
    (graded[0] / "grades.csv").unlink()
    assert {name: float(rows[name]["score"]) for name in ("right", "wrong", "dies")} == {
        "right": 6,
        "wrong": 4,
        "dies": 4,
    }


@pytest.fixture
def formgrader(graded, environment):
    """The address of a Jupyter server with formgrader, in the folder that was graded into."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}",
               "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}", "--LabApp.news_url="]  # fmt: skip
    process = subprocess.Popen(command, cwd=graded[0], env=environment, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api?token={token}")
                break
            except (urllib.error.URLError, ConnectionError):
                assert process.poll() is None
                time.sleep(0.25)
        yield f"http://127.0.0.1:{port}", token
    finally:
        process.terminate()
        process.wait(30)


def quiet(tab, act):
    """What a page asks for of other hosts while `act` opens it, CDNs of nbgrader's own pages left out."""
    asked = []
    tab.on("request", lambda request: asked.append(request.url))
    act()
    tab.wait_for_timeout(1000)
    return [url for url in asked if "evil" in url]


def test_formgrader_and_nbgraders_feedback_run_nothing_and_hide_the_hidden(graded, formgrader, environment, chromium):
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{graded[0] / 'gradebook.db'}", "lrcourse") as book:
        submission = book.find_submission_notebook("01-small", "01-small", "hostile").id
    address, token = formgrader
    tab = chromium.new_page()
    tab.goto(f"{address}/api?token={token}")
    opened = f"{address}/formgrader/submissions/{submission}/"
    assert quiet(tab, lambda: tab.goto(opened, wait_until="load")) == []
    assert tab.locator("input.score").count() == 3
    assert tab.title() != "run" and "evil.example" in tab.content()
    assert SECRET not in tab.content() and "41" not in tab.locator("#notebook").first.inner_text()
    assert (
        tab.locator("#notebook").first.locator("script, iframe, [onload], [onerror], a[href^='javascript']").count()
        == 0
    )
    tab.close()
    command = [sys.executable, "-m", "nbgrader", "generate_feedback", "01-small", "--force", "--student=hostile",
               "--CourseDirectory.feedback_directory=theirs"]  # fmt: skip
    subprocess.run(command, cwd=graded[0], env=environment, check=True, capture_output=True)
    page = graded[0] / "theirs" / "hostile" / "01-small" / "01-small.html"
    tab = chromium.new_page()
    assert quiet(tab, lambda: tab.goto(page.as_uri())) == []
    assert tab.title() != "run" and SECRET not in page.read_text()
    tab.close()
    shutil.rmtree(graded[0] / "theirs")


def test_a_grader_killed_while_it_makes_the_gradebook_leaves_none(tmp_path, monkeypatch):
    whole: Any = nbgrader.api.Gradebook

    class Killed(whole):
        def __init__(self, *given):
            super().__init__(*given)
            raise KeyboardInterrupt

    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")  # there is alembic
    with monkeypatch.context() as killing:
        killing.setattr(nbgrader.api, "Gradebook", Killed)
        with pytest.raises(KeyboardInterrupt):
            gradebook.create(str(tmp_path / "gradebook.db"))
    assert not (tmp_path / "gradebook.db").exists()
    gradebook.create(str(tmp_path / "gradebook.db"))
    with whole(f"sqlite:///{tmp_path / 'gradebook.db'}", "lrcourse") as book:
        assert book.students == []
