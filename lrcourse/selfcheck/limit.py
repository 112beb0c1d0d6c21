"""A limit on the time that a student's code takes: what goes on for longer is stopped, and the check goes on."""

import _thread
import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

SECONDS = float(os.environ.get("LRCOURSE_PART_SECONDS", 30))  # for one check of a part, as at grading
AGAIN = 1.0  # seconds between two attempts to stop code that catches everything


class TooLong(BaseException):
    """Raised in code that is stopped. Not an `Exception`, so that the code does not take it for a fault of its own."""


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise `TooLong` in the body after `seconds`; infinity for no limit.

    A timer's signal does it, or, where there is none (Windows), a thread that interrupts the main one: that ends a
    loop in Python, and what waits in compiled code only when it returns. Code in another thread is not limited.

    >>> try:
    ...     with limited(0.01):
    ...         while True:
    ...             pass
    ... except TooLong:
    ...     print("stopped")
    stopped
    """
    if seconds == float("inf") or threading.current_thread() is not threading.main_thread():
        yield
    else:
        with _by_signal(seconds) if hasattr(signal, "SIGALRM") else _by_thread(seconds):
            yield


@contextlib.contextmanager
def _by_signal(seconds: float) -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise TooLong

    handler = signal.signal(signal.SIGALRM, stop)
    timer = signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, *timer)
        signal.signal(signal.SIGALRM, handler)


@contextlib.contextmanager
def _by_thread(seconds: float) -> Iterator[None]:
    late, over = threading.Event(), threading.Event()

    def stop() -> None:
        wait = seconds
        while not over.wait(wait):
            late.set()
            _thread.interrupt_main()
            wait = AGAIN

    threading.Thread(target=stop, daemon=True).start()
    try:
        yield
    except KeyboardInterrupt:
        if late.is_set():
            raise TooLong from None
        raise
    finally:
        over.set()
