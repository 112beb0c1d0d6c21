"""What a sandbox must offer."""

import socket
import time
from collections.abc import Callable
from typing import Protocol

from .clock import POLL, Usage
from .codec import HEADER, NotPlain
from .limits import Limits


class NoSandbox(RuntimeError):
    """There is no sandbox to grade in; the message says what to install."""


class Ended(Exception):
    """The process at the other end is gone, or what it sends breaks the protocol."""


class Process:
    """A process in a sandbox, and the channel to it.

    `end(grace)` kills everything in the sandbox and returns how the process ended, if it had ended by itself within
    `grace` seconds, else "". `usage()` says what the sandbox has used so far, None if nobody knows.

    Where it takes long to send or to receive, `waiting` is called every `POLL` seconds, and may raise `TimeoutError`.
    """

    def __init__(
        self,
        channel: socket.socket,
        end: Callable[[float], str],
        usage: Callable[[], Usage | None] = lambda: None,
    ) -> None:
        self._channel, self._end, self._ended, self.usage = channel, end, False, usage
        channel.settimeout(POLL)
        self._look = 0.0

    def send(self, frame: bytes, waiting: Callable[[], None]) -> None:
        """Send a frame. Raises: `TimeoutError`, `Ended`."""
        self._look, rest = time.monotonic() + POLL, memoryview(frame)
        while rest:
            self._patiently(waiting)
            try:
                rest = rest[self._channel.send(rest) :]
            except TimeoutError:
                continue
            except OSError:
                raise Ended from None

    def receive(self, limit: int, waiting: Callable[[], None]) -> bytes:
        """The text of the next frame.

        Raises: `TimeoutError`, `Ended`, `NotPlain` if it says to be longer than `limit`.
        """
        self._look = time.monotonic() + POLL
        (length,) = HEADER.unpack(self._exactly(HEADER.size, waiting))
        if length > limit:
            raise NotPlain(f"an answer of {length >> 20} MB")
        return self._exactly(length, waiting)

    def _exactly(self, length: int, waiting: Callable[[], None]) -> bytes:
        pieces = bytearray()
        while len(pieces) < length:
            self._patiently(waiting)
            try:
                piece = self._channel.recv(min(length - len(pieces), 1 << 20))
            except TimeoutError:
                continue
            except OSError:
                raise Ended from None
            if not piece:
                raise Ended
            pieces += piece
        return bytes(pieces)

    def _patiently(self, waiting: Callable[[], None]) -> None:
        """By the time that has passed, and not by silence: an answer may come drop by drop."""
        if time.monotonic() >= self._look:
            waiting()
            self._look = time.monotonic() + POLL

    def end(self, grace: float = 0.0) -> str:
        """Kill everything in the sandbox."""
        if self._ended:
            return ""
        self._ended = True
        self._channel.close()
        return self._end(grace)


def until(moment: float) -> Callable[[], None]:
    """What waits until a moment of `time.monotonic`."""

    def waiting() -> None:
        if time.monotonic() > moment:
            raise TimeoutError

    return waiting


class Sandbox(Protocol):
    """Where a student's code runs. Two starts share nothing."""

    @property
    def name(self) -> str:
        """What it is, for the record."""
        ...

    def available(self) -> str | None:
        """Why it cannot be used here; None if it can."""
        ...

    def start(self, setup: str, limits: Limits) -> Process:
        """A new process that has run the cell `setup` and serves as `driver.serve` does.

        Raises: `NoSandbox` if it cannot be started.
        """
        ...
