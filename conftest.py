"""What holds for every test run: the deterministic environment, marks, what this machine lacks, a line of progress."""

import os
import shutil
import sys
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from lrcourse.course import chromium, progress
from lrcourse.determinism import ENVIRONMENT

os.environ.update(ENVIRONMENT)  # before any test imports torch or starts a kernel

collect_ignore = ["book/_ext", "nbgrader_config.py"]
USES = {"chromium": "browser", "book": "built", "IPyNbCell": "notebooks"}  # fixtures, and nbval's kind of test
STARTS = {"playwright": "browser", "bwrap": "sandbox", "ipykernel_launcher": "notebooks",
          "postgres": "postgresql"}  # fmt: skip
PACKAGES = {"browser": "chromium-headless-shell", "sandbox": "bubblewrap", "postgresql": "postgresql"}
FOUND = {"browser": chromium.find(), "sandbox": shutil.which("bwrap"), "postgresql": shutil.which("pg_ctlcluster")}
LONG = ("notebooks", "sandbox", "slow", "browser")
# In CI nothing is left out: there a missing program is an error.
MISSING = [mark for mark, program in FOUND.items() if not (program or os.environ.get("CI"))]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        for name in USES.keys() & {*getattr(item, "fixturenames", ()), type(item).__name__}:
            item.add_marker(USES[name])
    lacking = [item for item in items if any(map(item.get_closest_marker, MISSING))]
    config.hook.pytest_deselected(items=lacking)
    items[:] = [item for item in items if item not in lacking]
    # Files of long tests come first: one that began last would keep a single process busy at the end.
    long = {item.path for item in items if any(map(item.get_closest_marker, LONG))}
    items.sort(key=lambda item: item.path not in long)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for mark in MISSING:
        fix = "scripts/system-packages installs it"
        terminalreporter.write_line(f"not run: the tests marked {mark} need {PACKAGES[mark]} ({fix})")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Starts())
    # Where processes of pytest-xdist run the tests, this one has nothing to do but to tell.
    if config.getoption("dist", "no") != "no" and config.get_verbosity() < 0:
        config.pluginmanager.register(Progress())


class Starts:
    """Fails a test that starts a browser, a sandbox or a kernel unless a mark says so, by which `-m` leaves it out."""

    def __init__(self) -> None:
        self.marks: set[str] | None = None
        sys.addaudithook(self.audit)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.marks = {mark.name for mark in item.iter_markers()}
        try:
            return (yield)
        finally:
            self.marks = None

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "subprocess.Popen" and self.marks is not None:
            program, words, *_ = arguments
            parts = {part for word in (program, *words) for part in Path(os.fsdecode(word)).parts}
            for name in parts & STARTS.keys():
                if STARTS[name] not in self.marks:
                    raise RuntimeError(f"this test starts {name}: mark it {STARTS[name]}")


class Progress:
    """A line that says what runs and how long it will take, in the place of a dot for each test."""

    def __init__(self) -> None:
        self.ends = ExitStack()
        self.bar: Any = None
        self.dots = True

    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        if self.bar is None:
            self.bar = self.ends.enter_context(progress.bar("testing", len(ids), "tests", alike=False))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Iterator[None]:
        self.dots = False
        yield
        self.dots = True
        self.bar.set_postfix_str(report.nodeid.partition("::")[0], refresh=False)
        if report.failed:
            self.bar.write(f"FAILED {report.nodeid}")
        if report.when == "teardown":
            self.bar.update()

    @pytest.hookimpl(wrapper=True)
    def pytest_report_teststatus(self) -> Generator[None, tuple[str, str, str], tuple[str, str, str]]:
        category, letter, word = yield
        return (category, letter, word) if self.dots else (category, "", "")

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        self.ends.close()
