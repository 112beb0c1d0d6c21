"""The browser that prints the book, and in which tests and benchmarks open its pages."""

import json
import shutil

# Without windows first: a page costs it two thirds of the processor's time.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--no-first-run"]  # fmt: skip


def find() -> str | None:
    """The path of this machine's Chromium, None if it has none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def longest_task(trace: bytes) -> float:
    """How long the page's own thread was kept busy at one go, in milliseconds of the processor.

    `trace`: what Chromium recorded of the category "toplevel". While such a task lasts, the page answers nobody.
    """
    events = json.loads(trace)["traceEvents"]
    main = {each["tid"] for each in events
            if each["name"] == "thread_name" and each["args"]["name"] == "CrRendererMain"}  # fmt: skip
    tasks = (each.get("tdur", 0) for each in events if each["tid"] in main and "RunTask" in each["name"])
    return max(tasks, default=0) / 1000
