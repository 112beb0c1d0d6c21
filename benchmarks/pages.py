"""How soon a page of the built book shows something, and what it weighs: each page opened cold, from the disk.

Cold: a new browser context without a cache. Pages are opened in turn, a round after the other, so that a moment in
which the machine is busy does not hit all openings of one page. Run by `make bench`, after `make book`. Exits with
status 1 if a goal is missed.
"""

import argparse
import statistics
from collections import defaultdict
from pathlib import Path
from urllib.parse import unquote, urlparse

from playwright.sync_api import Browser, sync_playwright

from lrcourse.course import chromium
from lrcourse.course.book import OUTPUT, pages_in_toc

ROOT = Path(__file__).parents[1]
HTML = ROOT / OUTPUT / "html"
PAINT, WEIGHT = 1000.0, 1.5e6  # milliseconds to the first text or picture; bytes of all files that the browser asks for
FIRST_PAINT = """() => new Promise((told) => new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (entry.name === "first-contentful-paint") told(entry.startTime);
}).observe({ type: "paint", buffered: true }))"""
READY = "() => performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"


def opened(browser: Browser, page: Path) -> tuple[float, float, int]:
    """The times of the first paint and of the last script, formulas included, in milliseconds, and the bytes."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    try:
        tab = context.new_page()
        context.new_cdp_session(tab).send("Network.setCacheDisabled", {"cacheDisabled": True})
        files = set()
        tab.on("request", lambda request: files.add(unquote(urlparse(request.url).path)))
        tab.goto(page.as_uri())
        paint, ready = tab.evaluate(FIRST_PAINT), tab.evaluate(READY)
        return paint, ready, sum(Path(file).stat().st_size for file in files if Path(file).is_file())
    finally:
        context.close()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--all", action="store_true", help="print every page, not the five slowest")
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
    middles = {name: [statistics.median(each) for each in zip(*times, strict=True)] for name, times in found.items()}
    slowest = sorted(middles.items(), key=lambda item: -item[1][0])
    print(f"{'page':<34} first paint  formulas set  weight")
    for name, (paint, ready, size) in slowest[: None if options.all else 5]:
        print(f"{name:<34} {paint:>8.0f} ms {ready:>10.0f} ms {size / 1e6:>5.2f} MB")
    worst, heaviest = slowest[0][1][0], max(size for _, _, size in middles.values())
    middle = statistics.median(paint for paint, _, _ in middles.values())
    print(f"{len(pages)} pages: first paint {middle:.0f} ms, at worst {worst:.0f} ms; up to {heaviest / 1e6:.2f} MB")
    missed = [f"first paint within {PAINT:.0f} ms"] * (worst > PAINT) + ["1.5 MB a page"] * (heaviest > WEIGHT)
    print("goals missed: " + "; ".join(missed) if missed else "goals met")
    return int(bool(missed))


if __name__ == "__main__":
    raise SystemExit(main())
