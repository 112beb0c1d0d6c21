"""Lab 1 in JupyterLab, as a student works on it: run all, answer one task, see its check turn right, press Validate."""

import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import expect

ROOT = Path(__file__).parents[1]
LAB = ROOT / "labs" / "01-decay" / "01-decay.ipynb"
WAIT = 60_000  # milliseconds, for a machine that is busy with other tests
TASK = "1. Decay by hand"
ANSWER = """def lr_by_hand(n, lr0=0.01, gamma=0.99, every=50):
    return [lr0 * gamma ** -(-t // every) for t in range(n)]
"""


@pytest.fixture
def server(tmp_path):
    """The address of a JupyterLab, with its token, that was started where the configuration and a copy of lab 1 lie."""
    shutil.copy(ROOT / "nbgrader_config.py", tmp_path)
    shutil.copy(LAB, tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    own = {
        name: str(tmp_path / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}",
               "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}", "--LabApp.news_url=",
               "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]  # fmt: skip
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    log = (tmp_path / "server.log").open("w")
    process = subprocess.Popen(command, cwd=tmp_path, env=os.environ | own | {"PATH": path}, stdout=log, stderr=log)
    try:
        yield f"http://127.0.0.1:{port}", token, _wait(process, f"http://127.0.0.1:{port}/api?token={token}", log.name)
    finally:
        process.terminate()
        process.wait(30)
        log.close()


def _wait(process: subprocess.Popen, address: str, log: str) -> None:
    for _ in range(240):
        try:
            urllib.request.urlopen(address)
            return
        except (urllib.error.URLError, ConnectionError):
            assert process.poll() is None, Path(log).read_text()
            time.sleep(0.5)
    pytest.fail(Path(log).read_text())


@pytest.fixture
def page(tmp_path, chromium):
    expect.set_options(timeout=WAIT)
    page = chromium.new_page(viewport={"width": 1280, "height": 1000})
    page.set_default_timeout(WAIT)
    yield page
    page.screenshot(path=tmp_path / "last.png")  # what a failed run saw
    page.close()


def run_all(page):
    """By the menu. JupyterLab that is still connecting asks for a kernel, runs nothing, and is told again."""
    expect(page.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name=re.compile("^Run All Cells")).click()
    offered = page.locator(".jp-Dialog button.jp-mod-accept")
    started = page.locator(".jp-InputPrompt", has_text=re.compile(r"\[(\*|\d+)\]")).first
    expect(started.or_(offered).first).to_be_visible()
    if offered.is_visible():
        offered.click()
        run_all(page)


def test_a_student_solves_a_task_of_lab_1_and_validates(server, page):
    address, token, _ = server
    page.goto(f"{address}/lab/tree/{LAB.name}?token={token}&reset")
    run_all(page)
    expect(page.get_by_text(f"{TASK}: not solved yet")).to_be_visible()

    answer = page.locator(".jp-CodeCell .cm-content", has_text="def lr_by_hand(n")
    answer.click()
    answer.fill(ANSWER)
    expect(answer).not_to_contain_text("YOUR CODE HERE")
    page.keyboard.press("Shift+Enter")  # runs the answer and goes to its check
    page.keyboard.press("Shift+Enter")
    check = page.locator(".jp-CodeCell", has=page.get_by_text(f"{TASK}: 2 of 2 parts right"))
    expect(check).to_be_visible()
    expect(check.locator(".jp-OutputArea-executeResult")).to_contain_text("2 of 2 points")

    page.get_by_text("Validate", exact=True).first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text('Task("7. A rate per group"')  # not solved, so Validate names its check
    assert "The following cell failed" in dialog.inner_text() and TASK not in dialog.inner_text()
