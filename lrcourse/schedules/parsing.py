"""A schedule from a line of text, as in a configuration file or a command: the text is read, never run."""

import ast
import difflib
import inspect
import operator
from collections.abc import Callable
from typing import Any

from ..validation import bad, is_number
from .base import Schedule
from .by_name import get_schedule
from .extremes import maximum, minimum
from .piecewise import Lambda
from .planning import batch_schedule, epochs, steps_per_epoch
from .values import OWN
from .warmup import warmup

FUNCTIONS: tuple[Callable[..., Any], ...] = (
    batch_schedule, epochs, get_schedule, maximum, minimum, steps_per_epoch, warmup
)  # fmt: skip
METHODS = ("then", "clip", "shift", "stretch", "momentum")
MAKERS = ("over",)  # methods of a class
OPERATIONS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv
}  # fmt: skip
LONGEST, MOST = 2000, 600  # characters; parts, since each may lie within another


class Unreadable(Exception):
    """What is wrong with a part of the text."""

    def __init__(self, part: ast.AST, problem: str) -> None:
        super().__init__(problem)
        self.part = part


def parse_schedule(spec: str) -> Schedule:
    """The schedule that a line of text stands for, written as in Python but only read, never run.

    It may hold the schedules of this package but `Lambda`, the functions `warmup`, `minimum`, `maximum`,
    `batch_schedule`, `get_schedule`, `epochs` and `steps_per_epoch`, the methods `then`, `clip`, `shift`, `stretch`,
    `momentum` and `over`, numbers, texts, lists, and `+`, `-`, `*`, `/`. Nothing else has a meaning, so a text from a
    stranger can do no harm. `lrcourse plot TEXT` draws it in the terminal.

    Raises: `ValueError` for anything else, and as the schedules do, with the place in the text.

    >>> parse_schedule("warmup(Cosine(0.1, end=0, steps=900), 100)")(100)
    0.1
    >>> parse_schedule("Step(0.1, 30, 0.1) * Cosin(1, 0, 90)")
    Traceback (most recent call last):
    ValueError: spec must be a schedule, got 'Step(0.1, 30, 0.1) * Cosin(1, 0, 90)': character 22, 'Cosin', is no
    name that is known here; did you mean 'Cosine'?
    """
    if not isinstance(spec, str):
        raise bad("spec", spec, "a text", "write for example 'Cosine(0.1, 0, 900)'")
    line = " ".join(spec.split())
    shown = line if len(line) <= 200 else f"{line[:197]}..."
    if not line or len(line) > LONGEST:
        must = f"a text of 1 to {LONGEST} characters"
        raise bad("spec", shown, must, "write for example 'Cosine(0.1, 0, 900)'")
    try:
        tree = ast.parse(line, mode="eval").body
        if len(list(ast.walk(tree))) > MOST:
            raise Unreadable(tree, f"has more than {MOST} parts; write less in one text")
        found = _value(tree)
        if not isinstance(found, Schedule):
            raise Unreadable(tree, "is no schedule: write Constant(rate) for a fixed rate")
    except SyntaxError as error:  # its own message speaks of Python
        raise bad("spec", shown, "a schedule", f"it cannot be read from character {error.offset or 1} on") from None
    except (RecursionError, MemoryError, ValueError):  # of the reader: those of schedules come as Unreadable
        raise bad("spec", shown, "a schedule", "it cannot be read; write less in one text") from None
    except Unreadable as error:
        raise bad("spec", shown, "a schedule", f"{_place(line, error.part)}, {error}") from None
    return found


def _place(line: str, part: Any) -> str:
    """Where a part stands; Python counts bytes from 0, readers count characters from 1."""
    before = line.encode()[: part.col_offset].decode()
    text = ast.get_source_segment(line, part) or ""
    return f"character {len(before) + 1}, {text if len(text) <= 40 else f'{text[:37]}...'!r}"


def _value(part: ast.expr) -> Any:
    match part:
        case ast.Constant(value=bool() | int() | float() | str() | None):
            return part.value
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            return [_value(each) for each in elements]
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=inside):
            number = _operand(inside, numbers_only=True)
            return -number if isinstance(part.op, ast.USub) else number
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATIONS:
            return _called(part, OPERATIONS[type(op)], [_operand(left), _operand(right)], {})
        case ast.Call(func=func, args=args, keywords=keywords):
            function = _function(func)
            named = {}
            for each in keywords:
                if each.arg is None or each.arg in named:
                    raise Unreadable(each, "is not read here: give each argument once, by its name")
                named[each.arg] = _value(each.value)
            return _called(part, function, [_value(each) for each in args], named)
        case ast.Name(id=name) if name in _names():
            raise Unreadable(part, f"has to be called: write {_signature(_names()[name], name)}")
        case ast.Name():
            raise _unknown(part, part.id, [*_names()])
    raise Unreadable(part, "is not read here: write schedules, numbers, texts, lists, and + - * / between them")


def _operand(part: ast.expr, numbers_only: bool = False) -> Any:
    value = _value(part)
    if not is_number(value) and (numbers_only or not isinstance(value, Schedule)):
        raise Unreadable(part, "is no number" if numbers_only else "is neither a schedule nor a number")
    return value


def _called(part: ast.AST, function: Callable[..., Any], args: list[Any], named: dict[str, Any]) -> Any:
    if function not in OPERATIONS.values():
        try:
            inspect.signature(function).bind(*args, **named)
        except TypeError as error:
            name = getattr(function, "__name__", "")
            raise Unreadable(part, f"does not fit {_signature(function, name)}: {error}") from None
    try:
        return function(*args, **named)
    except (ValueError, TypeError, ArithmeticError) as error:
        raise Unreadable(part, f"is refused: {error}") from None


def _function(part: ast.expr) -> Callable[..., Any]:
    """What stands before the parentheses."""
    names = _names()
    match part:
        case ast.Name(id=name):
            if name not in names:
                raise _unknown(part, name, [*names])
            return names[name]
        case ast.Attribute(value=ast.Name(id=owner), attr=name) if owner in names:
            if name not in MAKERS or not hasattr(names[owner], name):
                raise Unreadable(part, f"is not known here; {owner} is called as {_signature(names[owner], owner)}")
            return getattr(names[owner], name)  # type: ignore[no-any-return]
        case ast.Attribute(value=inside, attr=name):
            if name not in METHODS:
                raise _unknown(part, name, METHODS)
            value = _value(inside)
            if not isinstance(value, Schedule) or not hasattr(type(value), name):
                raise Unreadable(part, f"does not exist: {type(value).__name__} has no {name}")
            return getattr(value, name)  # type: ignore[no-any-return]
    raise Unreadable(part, "cannot be called: write the name of a schedule or a function")


def _names() -> dict[str, Callable[..., Any]]:
    """The schedules of this package, but what holds code; and the functions."""
    classes = {name: cls for name, cls in Schedule.kinds.items()
               if cls.__module__.startswith(f"{OWN}.schedules.") and cls is not Lambda}  # fmt: skip
    return {**classes, **{each.__name__: each for each in FUNCTIONS}}


def _signature(function: Callable[..., Any], name: str) -> str:
    return f"{name}({', '.join(inspect.signature(function).parameters)})"


def _unknown(part: ast.AST, name: str, known: Any) -> Unreadable:
    if name == Lambda.__name__:
        return Unreadable(part, "holds code, which no text does: build it in Python")
    folded = {each.casefold(): each for each in known}
    near = difflib.get_close_matches(name.casefold(), folded, 1)
    meant = f"did you mean {folded[near[0]]!r}?" if near else f"choose one of {', '.join(sorted(known))}"
    return Unreadable(part, f"is no name that is known here; {meant}")
