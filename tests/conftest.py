"""The built pages in a browser, for the tests that look at them, a course with a small lab to grade, and
a busy machine to grade it on."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlparse

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from lrcourse.course.book import BUILT, OUTPUT
from lrcourse.course.chromium import FLAGS, find
from tests import small_lab

ROOT = Path(__file__).parents[1]
HTML = ROOT / OUTPUT / "html"
FIX = "the book is not built as it stands: run `lrcourse book` (or `make book`) first"
# Everything that WCAG 2.2 AA asks for, and one rule that axe calls experimental: speech control needs it.
AXE = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]},
    "rules": {"label-content-name-mismatch": {"enabled": True}},
    "resultTypes": ["violations"],
    "preload": False,  # axe would fetch the style sheets, which file:// forbids
}


@pytest.fixture(scope="session")
def sources():
    """The files that make the pages; what Python, JupyterLab and ruff leave beside them does not count."""
    files = [path.relative_to(ROOT) for path in (ROOT / "book").rglob("*") if path.is_file()]
    kept = [ROOT / path for path in files if not any(part[0] == "." or part == "__pycache__" for part in path.parts)]
    return [ROOT / "_config.yml", ROOT / "_toc.yml", *kept]


@pytest.fixture(scope="session")
def book(sources):
    """The folder of the built pages, which must be newer than their sources."""
    assert (HTML / "index.html").exists() and (ROOT / BUILT).exists(), FIX
    built = (ROOT / BUILT).stat().st_mtime
    newer = [path.name for path in sources if path.stat().st_mtime > built]
    assert not newer, f"{FIX}; changed since: {newer}"
    return HTML


@pytest.fixture(scope="session")
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find(), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(book, chromium):
    """Opens a page and, when the test is over, fails it for script errors and for requests that leave the machine."""
    problems, contexts = [], []

    def opened(name, width=1280, scheme="light", scripts=True, **options):
        size = {"width": width, "height": 900}
        options |= {"viewport": size, "color_scheme": scheme, "java_script_enabled": scripts}
        contexts.append(chromium.new_context(**options))

        loaded = set()

        def local_only(route):
            loaded.add(route.request.url.partition("?")[0])
            if urlparse(route.request.url).scheme in ("file", "data", "blob"):
                return route.continue_()
            problems.append(f"{name} asks for {route.request.url}")
            route.abort()

        def failed(request):
            if request.failure != "net::ERR_ABORTED":  # that is a page left before all of it was there
                problems.append(f"{name} cannot load {request.url}: {request.failure}")

        contexts[-1].route("**/*", local_only)
        page = contexts[-1].new_page()
        page.on(
            "console", lambda message: problems.append(f"{name}: {message.text}") if message.type == "error" else None
        )
        page.on("pageerror", lambda error: problems.append(f"{name}: {error}"))
        if scripts:
            page.on("requestfailed", failed)
        page.goto((book / name).as_uri())
        page.loaded = loaded
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not problems, problems


@pytest.fixture
def violations():
    """What axe finds wrong with a page, or by one of its rules: a function of the page."""

    def found(page, rule=None):
        # Thousands of code tokens share a dozen looks: one token of each look is enough to judge its contrast. A look
        # is a name within blocks of the same names, light or dark. (To ask for a style between two changes would have
        # the browser work out all styles again.)
        page.evaluate("""() => {
            const looks = new Set();
            for (const token of document.querySelectorAll("pre span[class]")) {
                const names = [token.className];
                for (let block = token.closest("pre"); block; block = block.parentElement)
                    names.push(block.className);
                const look = names.join("/");
                if (looks.has(look)) token.replaceWith(...token.childNodes);
                looks.add(look);
            }
        }""")
        only = {"runOnly": {"type": "rule", "values": [rule]}} if rule else {}
        nodes = Axe().run(page, options=AXE | only).response["violations"]
        return [f"{each['id']}: {node['html'][:160]}" for each in nodes for node in each["nodes"]]

    return found


@pytest.fixture(scope="session")
def course(tmp_path_factory):
    """A repository with one small lab."""
    root = tmp_path_factory.mktemp("course")
    small_lab.make(root)
    return root


@pytest.fixture
def neighbors():
    """Busy loops, more than this machine has processors for: eight where there are two."""
    busy = [subprocess.Popen([sys.executable, "-c", "while 1: pass"]) for _ in range(4 * (os.cpu_count() or 1))]
    yield
    for process in busy:
        process.kill()
        process.wait()
