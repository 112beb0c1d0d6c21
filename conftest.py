"""What holds for every test run: the deterministic environment, and which tests this machine cannot run."""

import os
import shutil

from lrcourse.determinism import ENVIRONMENT

os.environ.update(ENVIRONMENT)  # before any test imports torch or starts a kernel

collect_ignore = ["book/_ext", "nbgrader_config.py"]
WITHOUT_BROWSER = [] if shutil.which("chromium") or os.environ.get("CI") else ["tests/test_pages.py"]
collect_ignore += WITHOUT_BROWSER


def pytest_report_header():
    return [f"not run: {path} needs chromium (scripts/system-packages installs it)" for path in WITHOUT_BROWSER]
