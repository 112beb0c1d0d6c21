"""How long the page of one's own run holds a reader up: 100,000 rows are read, diagnosed, drawn and pointed at.

What counts is the processor time of the longest task of the page's own thread, times four, as on a machine so much
slower. Run by `make bench`, after `make book`. Exits with status 1 if the goal is missed.
"""

import random
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from lrcourse import parse_schedule
from lrcourse.course import chromium
from lrcourse.course.book import OUTPUT

PAGE = Path(__file__).parents[1] / OUTPUT / "html" / "book" / "own-run.html"
ROWS, SLOWER, GOAL = 100_000, 4, 500  # milliseconds
SPEC = f"warmup(Cosine(0.1, 0, {ROWS * 9 // 10}), {ROWS // 10})"
TABLE = parse_schedule(SPEC).table(ROWS).tolist()
NOISE = random.Random(0)
RATES = {
    "as meant": TABLE,
    "stepped per epoch": [TABLE[t // 1000] for t in range(ROWS)],
    "never the schedule's": [rate * (1 + 0.01 * NOISE.random()) for rate in TABLE],
    "half from the middle on": [rate * (1 if t < ROWS // 2 else 0.5) for t, rate in enumerate(TABLE)],
}


def longest(browser: Browser, log: Path, spec: str) -> float:
    """The processor time of the longest task, in milliseconds."""
    page = browser.new_page()
    page.goto(PAGE.as_uri())
    page.locator("#own-schedule").fill(spec)
    page.wait_for_timeout(500)
    browser.start_tracing(page=page, categories=["toplevel"])
    page.locator("#own-file").set_input_files(log)
    page.locator(".own-run .result").wait_for()
    page.locator(".own-run .handle").press("ArrowLeft")
    trace = browser.stop_tracing()
    page.close()
    return chromium.longest_task(trace)


def main() -> int:
    if not PAGE.exists():
        print("the book is not built: run make book first")
        return 1
    found = []
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=chromium.FLAGS)
        for name, rates in RATES.items():
            log = Path(folder, "log.csv")
            rows = (f"{t},{rate:.6g},{2 / (1 + t / 1000):.5g}\n" for t, rate in enumerate(rates))
            log.write_text("step,lr,loss\n" + "".join(rows), encoding="utf-8")
            for spec in ("", SPEC):
                found.append(SLOWER * longest(browser, log, spec))
                print(f"{name:<24} {'with' if spec else 'without'} its schedule: {found[-1]:>5.0f} ms")
        browser.close()
    missed = max(found) > GOAL
    print(f"goals missed: no task above {GOAL} ms" if missed else "goals met")
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main())
