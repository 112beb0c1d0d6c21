"""The search of the served site: the best page first, sections with the words around, and a way without a server."""

import functools
import http.server
import re
import shutil
import sys
import threading
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

sys.path.insert(0, str(Path(__file__).parents[1] / "book" / "_ext"))
from section_search import whole  # noqa: E402

QUERIES = {
    "lr finder": "range-test",
    "learning rate finder": "range-test",
    "onecycle": "one-cycle",
    "warmup steps": "warmup",
    "nan loss": "decide",
    "how to choose a learning rate": "decide",
    "学习率": "decide",
    "cosine": "decay",
    "ReduceLROnPlateau": "keras-callbacks",
    "adam vs sgd": "comparison",
    "batch size": "batch-size",
    "linear scaling rule": "batch-size",
    "fine-tuning": "fine-tuning",
    "warm restarts": "warm-restarts",
    "cyclical learning rate": "cyclical",
    "grid search or random search": "search",
    "mup": "scale",
    "schedule-free": "after-adam",
    "saddle point": "why-training-stalls",
    "余弦退火": "decay",
    "adamw weight decay": "adaptive",
    "stochastic gradient descent": "gradient-descent",
}
MAY_MISS = 2  # of the first twenty: a page that is only nearly the best


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def served(book):
    """The address of the built site behind a server, as readers meet it."""
    handler = functools.partial(Quiet, directory=str(book))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def search(served, chromium):
    """The search page's results for a query."""
    contexts = []

    def asked(query):
        contexts.append(chromium.new_context())
        page = contexts[-1].new_page()
        page.goto(f"{served}/search.html?q={quote(query)}")
        expect(page.locator("#search-results [role=status]")).to_contain_text("found")
        return page

    yield asked
    for context in contexts:
        context.close()


def test_the_best_page_comes_first(search):
    first = {query: search(query).locator("#search-results li > a").first.get_attribute("href") for query in QUERIES}
    missed = {query: link for query, link in first.items() if not link.endswith(f"/book/{QUERIES[query]}.html")}
    assert len(missed) <= MAY_MISS, missed


@pytest.mark.parametrize("name", ["pagefind-entry.json", "fragment/*", "wasm.en.pagefind"])
@pytest.mark.parametrize("kept", [0, -5])
def test_an_index_that_was_cut_off_is_seen(book, tmp_path, name, kept):
    index = tmp_path / "pagefind"
    assert not whole(index)
    shutil.copytree(book / "pagefind", index)
    assert whole(index)
    path = next(index.glob(name))
    path.write_bytes(path.read_bytes()[:kept])
    assert not whole(index)


def test_a_result_shows_sections_with_the_words_around_and_leads_there(search):
    page = search("steepest fall")
    section = page.locator("#search-results li li").first
    expect(section.locator("mark").first).to_have_text(re.compile("steepest|fall"))
    section.locator("a").click()
    page.wait_for_url("**/book/*.html#*")
    target = page.evaluate("document.getElementById(decodeURIComponent(location.hash.slice(1)))?.tagName")
    assert target in ("SECTION", "DT"), page.url


def test_words_that_no_page_has_are_said_to_be_on_none(served, chromium):
    page = chromium.new_page()
    page.goto(f"{served}/search.html?q={quote('ŋŋŋ')}")
    expect(page.locator("#search-results [role=status]")).to_contain_text("No page has these words")
    page.close()


def test_from_the_disk_the_themes_own_search_answers(open_page):
    page = open_page("search.html")
    page.goto(f"{page.url}?q=momentum")
    page.wait_for_selector("#search-results li a")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_results_are_accessible_and_fit(served, chromium, violations, scheme, width):
    context = chromium.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})
    page = context.new_page()
    page.goto(f"{served}/search.html?q=warm%20restarts")
    expect(page.locator("#search-results [role=status]")).to_contain_text("found")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    context.close()
