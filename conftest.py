"""What holds for every test run: the deterministic environment, and which tests this machine cannot run."""

import os
import shutil

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


def pytest_report_header():
    needs = dict.fromkeys(WITHOUT_BROWSER, "chromium") | dict.fromkeys(WITHOUT_SANDBOX, "bubblewrap")
    return [f"not run: {path} needs {program} (scripts/system-packages installs it)" for path, program in needs.items()]
