"""The browser that prints the book, and in which tests and benchmarks open its pages."""

import shutil

# Without windows first: a page costs it two thirds of the processor's time.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu"]


def find() -> str | None:
    """The path of this machine's Chromium, None if it has none."""
    return next(filter(None, map(shutil.which, NAMES)), None)
