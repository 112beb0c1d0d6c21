"""What a sandbox must offer."""

import socket
import struct
import time
from collections.abc import Callable
from typing import Protocol

from .codec import HEADER, NotPlain
from .limits import Limits


class NoSandbox(RuntimeError):
    """There is no sandbox to grade in; the message says what to install."""


class Ended(Exception):
    """The process at the other end is gone, or what it sends breaks the protocol."""


class Process:
    """A process in a sandbox, and the channel to it.

    `end(grace)` kills everything in the sandbox and returns how the process ended, if it had ended by itself within
    `grace` seconds, else "".
    """

    def __init__(self, channel: socket.socket, end: Callable[[float], str]) -> None:
        self._channel, self._end, self._ended = channel, end, False

    def send(self, frame: bytes, deadline: float) -> None:
        """Send a frame. Raises: `TimeoutError` at the `deadline` (of `time.monotonic`), `Ended`."""
        self._channel.settimeout(max(deadline - time.monotonic(), 0.001))
        try:
            self._channel.sendall(frame)
        except TimeoutError:
            raise
        except OSError:
            raise Ended from None

    def receive(self, limit: int, deadline: float) -> bytes:
        """The text of the next frame.

        Raises: `TimeoutError` at the `deadline`, `Ended`, `NotPlain` if it says to be longer than `limit`.
        """
        try:
            (length,) = HEADER.unpack(self._exactly(HEADER.size, deadline))
        except struct.error:
            raise Ended from None
        if length > limit:
            raise NotPlain(f"an answer of {length >> 20} MB")
        return self._exactly(length, deadline)

    def _exactly(self, length: int, deadline: float) -> bytes:
        pieces = bytearray()
        while len(pieces) < length:
            if (left := deadline - time.monotonic()) <= 0:
                raise TimeoutError
            self._channel.settimeout(left)
            try:
                piece = self._channel.recv(min(length - len(pieces), 1 << 20))
            except TimeoutError:
                raise
            except OSError:
                raise Ended from None
            if not piece:
                raise Ended
            pieces += piece
        return bytes(pieces)

    def end(self, grace: float = 0.0) -> str:
        """Kill everything in the sandbox."""
        if self._ended:
            return ""
        self._ended = True
        self._channel.close()
        return self._end(grace)


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
