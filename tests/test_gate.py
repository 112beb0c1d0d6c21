"""What a change has to pass: `make check` in minutes, `.ci/run` in full, and the marks that tell the two apart."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
WORKFLOWS = {path.stem: yaml.safe_load(path.read_text()) for path in (ROOT / ".github" / "workflows").glob("*.yml")}
PYTEST = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
MARKS = {line.partition(":")[0] for line in PYTEST["markers"]}
STARTS = {"bwrap": "sandbox", "playwright": "browser", "ipykernel_launcher": "notebooks"}
STARTING = """
@pytest.fixture(scope="module")
def {program}(): subprocess.run(["{folder}/{program}"], check=True)
def test_unmarked_{program}(): subprocess.run(["{folder}/{program}"], check=True)
@pytest.mark.{mark}
def test_marked_{program}(): subprocess.run(["{folder}/{program}"], check=True)
def test_fixture_{program}({program}): pass
"""
USING = """
import pytest
@pytest.fixture
def chromium(): pass
@pytest.fixture
def book(): pass
def test_neither(): pass
def test_browser(chromium): pass
def test_book(book): pass
@pytest.mark.sandbox
def test_sandbox(): pass
"""


def ran(folder, tests, *options, **variables):
    """What a run of `tests` says, with the course's own conftest.py and nothing on the PATH."""
    (folder / "test_it.py").write_text(tests)
    command = [sys.executable, "-m", "pytest", "-p", "conftest", "-p", "no:cacheprovider", *options]
    environment = {name: value for name, value in os.environ.items() if name != "CI"} | {"PATH": ""} | variables
    return subprocess.run(
        [*command, "-c", ROOT / "pyproject.toml", folder], cwd=ROOT, env=environment, capture_output=True, text=True
    ).stdout


def test_a_test_that_starts_something_without_its_mark_fails(tmp_path):
    tests = "import pytest, subprocess\n"
    for program, mark in STARTS.items():
        (tmp_path / program).write_text("#!/bin/sh\n")
        (tmp_path / program).chmod(0o755)
        tests += STARTING.format(folder=tmp_path, program=program, mark=mark)
    said = ran(tmp_path, tests, CI="true")
    for program, mark in STARTS.items():
        fault = f" - RuntimeError: this test starts {program}: mark it {mark}\n"
        assert f"FAILED test_it.py::test_unmarked_{program}{fault}" in said
        assert f"ERROR test_it.py::test_fixture_{program}{fault}" in said
    assert "3 failed, 3 passed, 3 errors" in said


def test_what_this_machine_cannot_run_is_left_out_and_named(tmp_path):
    said = ran(tmp_path, USING)
    assert "2 passed, 2 deselected" in said
    for mark, package in {"browser": "chromium-headless-shell", "sandbox": "bubblewrap"}.items():
        assert f"not run: the tests marked {mark} need {package} (scripts/system-packages installs it)" in said


def test_in_ci_nothing_is_left_out_but_what_one_asks_for(tmp_path):
    said = ran(tmp_path, USING, "-m", "not built", CI="true")
    assert "3 passed, 1 deselected" in said and "not run" not in said


def test_make_check_leaves_out_every_mark_and_needs_no_book():
    planned = subprocess.run(["make", "-n", "check"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"not (\w+)", planned)) == MARKS
    assert "--strict-markers" in PYTEST["addopts"]
    assert "mypy" in planned and "ruff check" in planned and "lrcourse book" not in planned


def test_every_python_file_is_checked_for_types():
    files = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]["files"]
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    checked = [name for name in listed.split() if any(Path(name).is_relative_to(part) for part in files)]
    assert sorted({*listed.split()} - {*checked}) == ["nbgrader_config.py"]  # nbgrader gives it names


def test_the_workflow_checks_then_runs_what_every_machine_runs():
    test = WORKFLOWS["test"]
    assert test["jobs"]["check"]["steps"][-1] == {"run": "make check"}
    assert test["jobs"]["test"]["needs"] == "check" and test["jobs"]["test"]["steps"][-1] == {"run": ".ci/run"}
    assert test["permissions"] == {"contents": "read"} and test["concurrency"]["cancel-in-progress"]


def test_what_needs_numpy_alone_is_run_on_each_python_that_it_is_for():
    job = WORKFLOWS["test"]["jobs"]["numpy"]
    assert job["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]
    assert job["steps"][-1] == {"run": ".ci/numpy python3"}
    named = re.findall(r"(?:lrcourse|tests)/[\w./]+", (ROOT / ".ci" / "numpy").read_text())
    assert len(named) == 10 and all((ROOT / path).exists() for path in named)
    needs = r"(?m)^(?:import|from) (?!lrcourse|numpy|pytest|hypothesis|tests\.test_schedules)(\w+)"
    texts = [(ROOT / path).read_text() for path in named if path.startswith("tests/")]
    assert {module for text in texts for module in re.findall(needs, text)} <= sys.stdlib_module_names


@pytest.mark.parametrize("name", WORKFLOWS)
def test_no_job_of_a_workflow_runs_for_hours(name):
    assert all(0 < job["timeout-minutes"] <= 90 for job in WORKFLOWS[name]["jobs"].values())
