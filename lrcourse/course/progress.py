"""What is going on and how long it will take: a bar on a terminal, plain lines in a log."""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from tqdm import tqdm

EVERY = 10.0  # seconds, at least, between two lines of a log; later on a tenth of the time since the start


@contextlib.contextmanager
def bar(what: str, total: int, unit: str, alike: bool = True) -> Iterator[tqdm]:
    """A bar that is gone when the work is done; its `set_postfix_str` says what is going on.

    `alike`: whether the parts of the work take about as long, so that what is left can be estimated.

    Where standard error is no terminal, and in CI, it is a line every few seconds, without control characters.
    """
    left = "{n_fmt} of {total_fmt} " + unit + ", {elapsed}" + ", {remaining} left" * alike + "{postfix}"
    if sys.stderr.isatty() and not os.environ.get("CI"):
        style: dict[str, Any] = {"bar_format": f"{what} {{bar:20}} {left}", "leave": False, "dynamic_ncols": True}
        shown = tqdm(total=total, file=_Unheard(sys.stderr), smoothing=0, **style)
    else:
        shown = _Lines(total=total, file=_Unheard(sys.stderr), bar_format=f"{what}: {left}", smoothing=0)
    done = threading.Event()
    clock = threading.Thread(target=_tick, args=(shown, done), daemon=True)
    clock.start()
    try:
        yield shown
    finally:
        done.set()
        clock.join()
        shown.close()


def _tick(shown: tqdm, done: threading.Event) -> None:
    while not done.wait(1.0):
        shown.refresh()


class _Unheard:
    """A stream that nobody need read: work goes on when a pipe or a terminal is closed.

    (An error while tqdm writes would leave its lock taken, and the next one who wants it waiting for ever.)
    """

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            self.stream.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self.stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


class _Lines(tqdm):  # type: ignore[misc]  # tqdm has no types
    def __init__(self, **options: Any) -> None:
        self.started = self.last = time.monotonic()
        super().__init__(**options)

    def display(self, msg: str | None = None, pos: int | None = None) -> None:
        now = time.monotonic()
        if now - self.last >= max(EVERY, (now - self.started) / 10):
            self.last = now
            print(self, file=self.fp, flush=True)

    def clear(self, *given: Any, **options: Any) -> None:
        """What `write` would do to a bar that is in its way."""

    def close(self) -> None:
        self.disable = True
