"""How soon a page of the built book shows something, what it weighs, whether it stands still and how busy it is.

Each page is opened cold, in a new browser context without a cache, and left alone until it has settled: nobody has
scrolled. Pages are opened in turn, a round after the other, so that a moment in which the machine is busy does not hit
all openings of one page. Run by `make bench`, after `make book`. Exits with status 1 if a goal is missed.
"""

import argparse
import gzip
import statistics
from collections import defaultdict
from pathlib import Path
from urllib.parse import unquote, urlparse

from playwright.sync_api import Browser, sync_playwright

from lrcourse.course import chromium
from lrcourse.course.book import OUTPUT, pages_in_toc

ROOT = Path(__file__).parents[1]
HTML = ROOT / OUTPUT / "html"
SLOWER = 4  # tasks are told as on a machine so much slower
SETTLED = 1500.0  # milliseconds
FORMULAS, NO_FORMULAS = 350, 200  # kilobytes that a page may weigh
GOALS = {"first paint (ms)": 1000.0, "longest task (ms)": 500.0, "shift": 0.1, "of its weight": 1.0}
PACKED = {".png", ".jpg", ".woff2"}  # which a server does not compress again
FIRST_PAINT = """() => new Promise((told) => new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (entry.name === "first-contentful-paint") told(entry.startTime);
}).observe({ type: "paint", buffered: true }))"""
SHIFT = """() => new Promise((told) => {
    let shift = 0;
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) if (!entry.hadRecentInput) shift += entry.value;
    }).observe({ type: "layout-shift", buffered: true });
    setTimeout(() => told(shift), 50);
})"""


def opened(browser: Browser, page: Path) -> dict[str, float]:
    """What a reader's browser has to do for a page: a value for each goal, and the kilobytes."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    try:
        tab = context.new_page()
        context.new_cdp_session(tab).send("Network.setCacheDisabled", {"cacheDisabled": True})
        files: set[Path] = set()
        tab.on("request", lambda request: files.add(Path(unquote(urlparse(request.url).path))))
        browser.start_tracing(page=tab, categories=["toplevel"])
        tab.goto(page.as_uri())
        paint = tab.evaluate(FIRST_PAINT)
        tab.wait_for_timeout(SETTLED)
        shift, longest = tab.evaluate(SHIFT), chromium.longest_task(browser.stop_tracing())
    finally:
        context.close()
    kilobytes = sum(map(_weight, filter(Path.is_file, files))) / 1000
    allowed = FORMULAS if "math notranslate" in page.read_text(encoding="utf-8") else NO_FORMULAS
    values = (paint, SLOWER * longest, shift, kilobytes / allowed)
    return dict(zip(GOALS, values, strict=True)) | {"kB": kilobytes}


def _weight(file: Path) -> int:
    """The bytes of a file as a server sends it."""
    return file.stat().st_size if file.suffix in PACKED else len(gzip.compress(file.read_bytes()))


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--all", action="store_true", help="print every page, not those that come nearest to a goal")
    options = parser.parse_args()
    pages = [HTML / page.with_suffix(".html") for page in pages_in_toc(ROOT)]
    if not all(page.exists() for page in pages):
        print("the book is not built: run make book first")
        return 1
    found = defaultdict(list)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=chromium.FLAGS)
        opened(browser, pages[0])  # the browser itself is warm
        for _ in range(options.rounds):
            for page in pages:
                found[page.name].append(opened(browser, page))
        browser.close()
    rows = {name: {each: statistics.median(one[each] for one in times) for each in times[0]}
            for name, times in found.items()}  # fmt: skip
    nearest = {max(rows, key=lambda name: rows[name][goal]) for goal in GOALS}
    print(f"{'page':<30}{''.join(f'{each:>20}' for each in (*GOALS, 'kB'))}")
    for name, row in rows.items():
        if options.all or name in nearest:
            print(f"{name:<30}{''.join(f'{row[each]:>20.{2 if row[each] < 2 else 0}f}' for each in (*GOALS, 'kB'))}")
    missed = [f"{goal} up to {most:g}: {name}" for goal, most in GOALS.items()
              for name, row in rows.items() if row[goal] > most]  # fmt: skip
    print(f"{len(pages)} pages; " + ("goals missed: " + "; ".join(missed) if missed else "goals met"))
    return int(bool(missed))


if __name__ == "__main__":
    raise SystemExit(main())
