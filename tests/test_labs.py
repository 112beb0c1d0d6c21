"""The labs: generated from one source, nothing given away. What answers score is tried by solutions/conftest.py."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbgrader.utils import is_grade, is_solution

from lrcourse.course import labs
from lrcourse.course.labs.release import marked_lines

ROOT = Path(__file__).parent.parent
SOURCES = labs.sources(ROOT)
SITE = "https://lrcourse.github.io/lrcourse"
LAB = SOURCES[0]  # the quickest, for what takes nbgrader's own commands


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


# ---- generated ----


def test_student_versions_are_what_the_sources_generate():
    assert SOURCES
    assert labs.differences(ROOT) == []


def test_differences_name_what_is_missing_changed_or_without_source(tmp_path):
    shutil.copytree(LAB.parent, tmp_path / "solutions" / LAB.stem)
    assert labs.differences(tmp_path) == [f"labs/{LAB.stem}/{LAB.name}: missing"]
    (student,) = labs.build(tmp_path)
    assert labs.differences(tmp_path) == []
    student.write_text(student.read_text() + "\n")
    shutil.copytree(student.parent, tmp_path / "labs" / "99-old")
    assert labs.differences(tmp_path) == [
        f"labs/{LAB.stem}/{LAB.name}: differs from its source",
        f"labs/99-old/{LAB.name}: has no source",
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
        written = [cell.id for cell in source.cells if is_grade(cell) and is_solution(cell)]  # graded by hand
        assert headings == table
        assert in_code == [heading for heading, task in zip(headings, given, strict=True) if task not in written]
        assert [int(points) for _, points in headings] == list(given.values())
        assert sum(given.values()) == 20 and "**20**" in texts[0]
        assert 5 <= len(given) <= 8

    def test_every_cell_has_its_id_as_its_grade_id_and_graders_put_back_all_but_answers(self, path):
        for cell in read(path).cells:
            if cell.cell_type == "code" or "nbgrader" in cell.metadata:
                assert cell.metadata.nbgrader.grade_id == cell.id
                assert cell.metadata.nbgrader.locked != is_solution(cell)

    def test_code_fits_the_window(self, path):
        lines = [line for cell in read(path).cells if cell.cell_type == "code" for line in cell.source.split("\n")]
        assert max(map(len, lines)) <= 120

    def test_a_picture_that_waits_for_a_task_says_so(self, path):
        pictures = [cell for cell in read(path).cells if cell.id.startswith(("picture", "experiment"))]
        assert pictures and all(re.search(r"^if ready\(", cell.source, re.MULTILINE) for cell in pictures)

    def test_checks_and_pictures_are_folded_and_answers_are_not(self, path):
        for cell in read(path).cells:
            if cell.cell_type == "code":
                folded = cell.metadata.get("jupyter", {}).get("source_hidden", False)
                assert folded == (not is_solution(cell) and cell.id.startswith(("check", "picture", "experiment")))

    def test_it_says_its_time_what_to_read_before_and_asks_for_a_prediction(self, path):
        texts = [cell.source for cell in read(path).cells if cell.cell_type == "markdown"]
        page = (ROOT / "book" / f"lab-{int(path.stem[:2])}-{path.stem[3:]}.md").read_text(encoding="utf-8")
        said = re.search(r"\*\*Time\.\*\* For a beginner (\d+ to \d+ \w+)", texts[0])
        assert said and f"| Time | {said[1]}" in page
        read_before = re.search(r"^\*\*Before it\*\*, read .*$", texts[0], re.MULTILINE)
        assert read_before and f"{SITE}/book/" in read_before[0]
        assert sum("**Predict first**" in text for text in texts) >= 2

    def test_it_goes_on_after_the_tasks(self, path):
        assert [cell.source.split("\n")[0] for cell in read(path).cells if cell.source.startswith("## ")][-2:] == [
            "## Further",
            "## Hand in",
        ]

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
            line.strip() for cell in source.cells if is_solution(cell) for line, inside in marked_lines(cell) if inside
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


# ---- the answers that a lab is tried with ----

RIGHT = '[[right]]\nname = "a"\ncell = "formula"\n'
WRONG = '[[wrong]]\nname = "a"\ncell = "formula"\ncheck = "check-formula"\n'


@pytest.fixture
def tried(tmp_path):
    """Reads lab 1's answers with other entries in the place of its own."""
    shutil.copytree(LAB.parent, tmp_path / LAB.stem)
    given = LAB.parent.with_suffix(".toml").read_text()
    otherwise = given[: given.index("[[right]]")]

    def read_with(entries: str):
        (tmp_path / f"{LAB.stem}.toml").write_text(otherwise + entries)
        return labs.answers(tmp_path / LAB.stem / LAB.name)

    return read_with


def test_a_right_answer_keeps_all_points_of_the_check_after_its_cell(tried):
    answers = tried(RIGHT + 'source = "pass"')
    assert answers.right == [labs.Answer("a", "formula", "pass", "check-formula", 3)]
    assert answers.dealt() == [list(answers.right)]


@pytest.mark.parametrize(("entries", "fault"), [
    (RIGHT, "right answer 'a' must have"),
    (RIGHT + 'source = "pass"\nkeeps = 3', "right answer 'a' must have"),
    (RIGHT.replace("formula", "form") + 'source = "pass"', "there is no solution cell 'form'"),
    (RIGHT + 'old = "not there"\nnew = ""', "'not there' does not occur"),
    (WRONG + 'keeps = 3\nsource = "pass"', "keeps 3 points of 3: it must lose some"),
    (WRONG.replace("check-", "chick-") + 'keeps = 0\nsource = "pass"', "there is no check cell 'chick-formula'"),
    (RIGHT + 'source = "pass"\n' + WRONG + 'keeps = 0\nsource = "pass"', "two answers share a name"),
])  # fmt: skip
def test_answers_that_do_not_fit_the_lab_are_refused(tried, entries, fault):
    with pytest.raises(ValueError, match=re.escape(fault)):
        tried(entries)


# ---- nbgrader itself ----


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course directory after `nbgrader generate_assignment` and `autograde` of a blank and a perfect submission."""
    folder = tmp_path_factory.mktemp("course")
    shutil.copytree(LAB.parent, folder / "solutions" / LAB.stem)
    shutil.copy(ROOT / "nbgrader_config.py", folder)
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}

    def nbgrader(*arguments: str) -> None:
        command = [sys.executable, "-m", "nbgrader", *arguments]
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True)

    nbgrader("generate_assignment", LAB.stem)
    release = folder / "labs" / LAB.stem / LAB.name
    perfect = read(release)
    for own, theirs in zip(read(LAB).cells, perfect.cells, strict=True):
        if is_solution(own):
            theirs.source = own.source
    for student, notebook in {"blank": read(release), "perfect": perfect}.items():
        target = folder / "submitted" / student / LAB.stem / LAB.name
        target.parent.mkdir(parents=True)
        nbformat.write(notebook, target)
    nbgrader("autograde", LAB.stem)
    return folder


@pytest.mark.notebooks
def test_nbgrader_releases_the_tracked_notebook_byte_for_byte(course):
    released = course / "labs" / LAB.stem / LAB.name
    assert released.read_bytes() == (ROOT / "labs" / LAB.stem / LAB.name).read_bytes()


@pytest.mark.notebooks
def test_nbgrader_gives_everything_to_the_solution_and_nothing_to_the_blank_lab(course):
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        given = {each.student.id: (each.score, each.max_score) for each in gradebook.assignment_submissions(LAB.stem)}
    assert given == {"blank": (0, 20), "perfect": (20, 20)}
