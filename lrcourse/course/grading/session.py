"""A student's notebook at work in a sandbox: run a cell, call a function, get plain data back."""

import time
from dataclasses import dataclass
from math import inf
from typing import Any

from .codec import NotPlain, decode, encode, frame_limit, identifier, pack, unpack
from .limits import Limits
from .sandbox import Ended, Sandbox
from .texts import sanitized


class Lost(BaseException):
    """The sandbox is gone, and with it what the cells had defined.

    `timed_out`: we ended it. `over`: and there is no time left for anything else. Not an `Exception`, so that no check
    of the instructor's takes it for an answer.
    """

    def __init__(self, reason: str, timed_out: bool = False, over: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.timed_out, self.over = reason, timed_out, over


class StudentError(Exception):
    """What a student's function raised: a subclass with the name of the exception's type, and its text."""

    of_student = True


@dataclass(frozen=True)
class Ran:
    """What a cell printed, and the exception that ended it, as "Type: text"."""

    text: str
    error: str = ""


class Session:
    """One process in a sandbox, with `seconds` for all that it is asked. Once it is gone, asking raises `Lost`."""

    def __init__(self, sandbox: Sandbox, setup: str, limits: Limits, seconds: float) -> None:
        self.limits, self.requests = limits, 0
        self.process = sandbox.start(setup, limits)
        self.deadline = time.monotonic() + seconds  # from here: starting is not the student's time

    @property
    def left(self) -> float:
        """The seconds that are left."""
        return self.deadline - time.monotonic()

    def run(self, source: str) -> Ran:
        """Run a cell."""
        answer = self._ask(self.limits.cell_seconds, inf, do="run", source=source)
        text, error = answer.get("text"), answer.get("error")
        return Ran(
            sanitized(text, self.limits.text) if isinstance(text, str) else "",
            "{}: {}".format(*_error(error)) if error else "",
        )

    def call(
        self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], seconds: float = 0, until: float = inf
    ) -> Any:
        """What the student's function `name` returns, as plain data.

        It may take `seconds`, by default as long as a call may, and not longer than until the moment `until`.

        Raises: `NotImplementedError` or a `StudentError` if the function raises, `NameError` if there is none,
        `NotPlain` if an argument is not plain data.
        """
        request = {
            "args": encode(args, self.limits, opaque=False),
            "kwargs": encode(kwargs, self.limits, opaque=False),
        }
        answer = self._ask(seconds or self.limits.call_seconds, until, do="call", name=name, **request)
        if answer.get("missing"):
            raise NameError(f"there is no {name}")
        if error := answer.get("error"):
            kind, text = _error(error)
            raise NotImplementedError(text) if kind == "NotImplementedError" else type(kind, (StudentError,), {})(text)
        try:
            return decode(answer.get("value"))
        except NotPlain as fault:
            raise type("ValueError", (StudentError,), {})(f"the result is not plain data: {fault}") from None

    def close(self) -> None:
        """End the process and everything that it started."""
        self.process.end()

    def _ask(self, seconds: float, until: float, **request: Any) -> dict[str, Any]:
        self.requests += 1
        deadline = min(time.monotonic() + seconds, until, self.deadline)
        try:
            self.process.send(pack(request | {"id": self.requests}), deadline)
            answer = unpack(self.process.receive(frame_limit(self.limits), deadline), self.limits)
        except TimeoutError:
            self.process.end()
            in_all = deadline == self.deadline
            raise Lost(
                f"the time in all of {self.limits.total_seconds:g} s was over"
                if in_all else f"no answer within {seconds:g} s", timed_out=True, over=in_all,
            ) from None  # fmt: skip
        except Ended:
            raise Lost(self.process.end(grace=1.0) or "it closed its channel") from None
        except NotPlain as fault:
            self.process.end()
            raise Lost(f"its answer could not be read: {fault}") from None
        if answer.get("id") != self.requests:
            self.process.end()
            raise Lost("it answered what was not asked")
        return answer


def _error(error: Any) -> tuple[str, str]:
    kind, text = error if isinstance(error, list) and len(error) == 2 else (None, "")
    return identifier(kind), sanitized(text, 500) if isinstance(text, str) else ""
