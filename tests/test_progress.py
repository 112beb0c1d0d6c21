"""Progress: a bar on a terminal, plain lines in a log."""

import io
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lrcourse.course import progress

ROOT = Path(__file__).parents[1]


class Screen(io.StringIO):
    def __init__(self, terminal):
        super().__init__()
        self.terminal = terminal

    def isatty(self):
        return self.terminal


@pytest.fixture
def shown(monkeypatch):
    """What two steps of work show on a terminal or elsewhere, in CI or not."""

    def work(terminal, ci):
        screen = Screen(terminal)
        monkeypatch.setattr(sys, "stderr", screen)
        monkeypatch.setattr(progress, "EVERY", 0.1)
        monkeypatch.setenv("CI", ci)
        with progress.bar("baking", 2, "cakes") as bar:
            for cake in ("apple", "lemon"):
                bar.set_postfix_str(cake)
                time.sleep(0.11)  # the shortest time between two pictures of a bar
                bar.update()
        return screen.getvalue()

    return work


def test_a_terminal_shows_one_bar_which_goes_at_the_end(shown):
    pictures = shown(terminal=True, ci="").split("\r")
    assert any(picture.startswith("baking #") and "1 of 2 cakes" in picture for picture in pictures)
    assert any(picture.rstrip().endswith("left, lemon") for picture in pictures)
    assert "\n" not in "".join(pictures) and not pictures[-1].strip()


def test_what_is_left_is_not_guessed_where_parts_differ(monkeypatch):
    screen = Screen(terminal=False)
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(progress, "EVERY", 0.1)
    with progress.bar("testing", 2, "tests", alike=False) as bar:
        time.sleep(0.11)
        bar.set_postfix_str("one")
        bar.update()
    assert re.search(r"^testing: 0 of 2 tests, 00:00, one$", screen.getvalue(), re.MULTILINE), screen.getvalue()


@pytest.mark.parametrize("terminal, ci", [(False, ""), (False, "true"), (True, "true")])
def test_a_log_gets_plain_lines(shown, terminal, ci):
    lines = shown(terminal, ci).splitlines(keepends=True)
    assert all(line.startswith("baking: ") and line.endswith("\n") and line[:-1].isprintable() for line in lines)
    assert "baking: 1 of 2 cakes, 00:00, 00:00 left, apple\n" in lines


def test_a_log_gets_no_line_for_what_is_done_soon(shown, monkeypatch):
    with pytest.MonkeyPatch.context() as patch:
        screen = Screen(terminal=False)
        patch.setattr(sys, "stderr", screen)
        with progress.bar("baking", 2, "cakes") as bar:
            bar.update(2)
    assert screen.getvalue() == ""


TESTS = """
import pytest
@pytest.mark.parametrize("i", range(99))
def test_right(i): assert i < 99
def test_wrong(): assert 1 == 2
"""


def test_a_run_of_all_tests_is_quiet_names_what_fails_and_ends_with_the_summary(tmp_path):
    (tmp_path / "test_it.py").write_text(TESTS)
    options = ["-n", "2", "-p", "conftest", "-p", "no:cacheprovider", "-c", ROOT / "pyproject.toml"]
    command = [sys.executable, "-m", "pytest", *options, tmp_path]
    ran = subprocess.run(command, cwd=ROOT, env=os.environ | {"CI": "true"}, capture_output=True, text=True)
    start = r"(bringing up nodes\.\.\.\n)+\nFAILED test_it\.py::test_wrong\n\n?=+ FAILURES =+\n"
    assert re.match(start, ran.stdout), ran.stdout
    assert "assert 1 == 2" in ran.stdout and ran.stdout.count("FAILED test_it.py::test_wrong") == 2
    assert re.fullmatch(r"1 failed, 99 passed in [\d.]+s( \(.*\))?", ran.stdout.splitlines()[-1])
    assert all(line.startswith("testing: ") for line in ran.stderr.splitlines())


def test_the_summary_of_the_tests_is_the_last_that_make_test_prints():
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == "make test"
    # Within `make test`, make would pass its own flags on and add a line of its own at the end.
    outside = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    asked = subprocess.run(["make", "-n", "test"], cwd=ROOT, env=outside, capture_output=True, text=True, check=True)
    planned = asked.stdout
    assert planned.splitlines()[-1].startswith(".venv/bin/pytest ")


@pytest.mark.parametrize("terminal", [True, False])
def test_work_goes_on_when_nobody_listens_any_more(terminal):
    """Whoever reads standard error may end first: `lrcourse grade 2>&1 | head`, a window that was closed."""
    program = (
        "import sys, time; from lrcourse.course import progress; progress.EVERY = 0.1; "
        f"sys.stderr.isatty = lambda: {terminal}\n"
        "with progress.bar('baking', 30, 'cakes') as bar:\n"
        "    for cake in range(30):\n        time.sleep(0.1)\n        bar.update()\n"
        "print('baked')"
    )
    ours, theirs = os.pipe()
    os.close(ours)
    baked = subprocess.run(
        [sys.executable, "-c", program], stderr=theirs, stdout=subprocess.PIPE, text=True, timeout=30
    )
    os.close(theirs)
    assert baked.stdout == "baked\n"
