"""What holds for every test run: the deterministic environment, what this machine cannot run, a line of progress."""

import os
import shutil
from contextlib import ExitStack

import pytest

from lrcourse.course import progress
from lrcourse.determinism import ENVIRONMENT

os.environ.update(ENVIRONMENT)  # before any test imports torch or starts a kernel

collect_ignore = ["book/_ext", "nbgrader_config.py"]
WITHOUT_BROWSER = (
    []
    if shutil.which("chromium") or os.environ.get("CI")
    else [
        f"tests/test_{part}.py"
        for part in ("explorers", "grading_feedback", "grading_run", "jupyterlab", "pages", "site")
    ]
)
WITHOUT_SANDBOX = (
    [] if shutil.which("bwrap") or os.environ.get("CI")
    else [f"tests/test_grading_{part}.py" for part in ("sandbox", "judge", "adversaries", "run")]
)  # fmt: skip
collect_ignore += WITHOUT_BROWSER + WITHOUT_SANDBOX


def pytest_terminal_summary(terminalreporter):
    needs = dict.fromkeys(WITHOUT_BROWSER, "chromium") | dict.fromkeys(WITHOUT_SANDBOX, "bubblewrap")
    for path, program in needs.items():
        terminalreporter.write_line(f"not run: {path} needs {program} (scripts/system-packages installs it)")


def pytest_configure(config):
    # Where processes of pytest-xdist run the tests, this one has nothing to do but to tell.
    if config.getoption("dist", "no") != "no" and config.get_verbosity() < 0:
        config.pluginmanager.register(Progress())


class Progress:
    """A line that says what runs and how long it will take, in the place of a dot for each test."""

    def __init__(self):
        self.ends = ExitStack()
        self.bar = None
        self.dots = True

    def pytest_xdist_node_collection_finished(self, ids):
        if self.bar is None:
            self.bar = self.ends.enter_context(progress.bar("testing", len(ids), "tests"))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_logreport(self, report):
        self.dots = False
        yield
        self.dots = True
        self.bar.set_postfix_str(report.nodeid.partition("::")[0], refresh=False)
        if report.failed:
            self.bar.write(f"FAILED {report.nodeid}")
        if report.when == "teardown":
            self.bar.update()

    @pytest.hookimpl(wrapper=True)
    def pytest_report_teststatus(self):
        category, letter, word = yield
        return (category, letter, word) if self.dots else (category, "", "")

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self):
        self.ends.close()
