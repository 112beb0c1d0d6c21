"""A student's notebook at work in a sandbox: run a cell, call a function, get plain data back."""

from dataclasses import dataclass
from typing import Any

from .clock import Budget, Clock
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
    """One process in a sandbox, with `total` for all that it is asked. Once it is gone, asking raises `Lost`."""

    def __init__(self, sandbox: Sandbox, setup: str, limits: Limits, total: Budget) -> None:
        self.limits, self.total, self.requests = limits, total, 0
        self.process = sandbox.start(setup, limits)  # which is not the student's time
        self.clock = Clock(self.process.usage)

    def run(self, source: str) -> Ran:
        """Run a cell."""
        answer = self._ask(Budget(self.limits.cell_seconds), do="run", source=source)
        text, error = answer.get("text"), answer.get("error")
        return Ran(
            sanitized(text, self.limits.text) if isinstance(text, str) else "",
            "{}: {}".format(*_error(error)) if error else "",
        )

    def call(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], budget: Budget | None = None) -> Any:
        """What the student's function `name` returns, as plain data.

        It may take what is left of the `budget`, by default as long as a call may.

        Raises: `NotImplementedError` or a `StudentError` if the function raises, `NameError` if there is none,
        `NotPlain` if an argument is not plain data.
        """
        request = {
            "args": encode(args, self.limits, opaque=False),
            "kwargs": encode(kwargs, self.limits, opaque=False),
        }
        answer = self._ask(budget or Budget(self.limits.call_seconds), do="call", name=name, **request)
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

    def _ask(self, budget: Budget, **request: Any) -> dict[str, Any]:
        self.requests += 1
        waiting = self.clock.wait(budget, self.total)
        try:
            self.process.send(pack(request | {"id": self.requests}), waiting)
            answer = unpack(self.process.receive(frame_limit(self.limits), waiting), self.limits)
            waiting.over()
        except TimeoutError:
            self.process.end()
            in_all = self.total.left <= 0
            raise Lost(
                f"the time in all of {self.limits.total_seconds:g} s was over"
                if in_all else f"no answer within {budget.seconds:g} s of processor time", timed_out=True, over=in_all,
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
