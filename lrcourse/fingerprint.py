"""What a value does, as plain data to be compared: two runs are one if all that decides them is described alike."""

import functools
import hashlib
import sys
import types
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .schedules import Schedule

if TYPE_CHECKING:
    import torch

Known = dict[int, tuple[int, Any]]  # what has been described already: its number, and itself, so that it stays alive


def described(value: Any, known: Known | None = None) -> Any:
    """A value as plain data. A function counts by its code, and by the values that it encloses, has as defaults or
    reads from its module; so one that was edited, or meets another number, is another one, though its name is the same.

    >>> described(lambda t: 0.1 * t) == described(lambda t: 0.2 * t)
    False
    """
    known = {} if known is None else known
    inside = functools.partial(described, known=known)
    name = f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', type(value).__qualname__)}"
    if value is None or isinstance(value, bool | int | float | complex | str | bytes | range | np.generic):
        return repr(value)
    if isinstance(value, set | frozenset):
        return sorted(map(repr, value))  # it has no fixed order
    if isinstance(value, list | tuple):
        return [inside(each) for each in value]
    if isinstance(value, dict):
        return [(repr(key), inside(each)) for key, each in value.items()]
    if isinstance(value, Schedule):
        return [name, [inside(getattr(value, field.name)) for field in fields(value)]]
    if isinstance(value, np.ndarray):
        return [str(value.dtype), value.shape, hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()]
    torch = sys.modules.get("torch")  # without it nothing is a tensor
    if torch and isinstance(value, torch.Tensor):
        content = value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy()  # NumPy lacks bfloat16
        return [str(value.dtype), tuple(value.shape), hashlib.sha256(content.tobytes()).hexdigest()]
    if isinstance(value, functools.partial):
        return ["partial", inside(value.func), inside(value.args), inside(value.keywords)]
    if isinstance(value, types.MethodType):
        return [inside(value.__func__), inside(value.__self__)]
    if id(value) in known:
        return ["again", known[id(value)][0]]
    known[id(value)] = len(known), value
    if isinstance(value, types.FunctionType):
        cells = value.__closure__ or ()
        enclosed = [cell.cell_contents for cell in cells if cell != types.CellType()]  # one may be empty
        parts = [value.__defaults__, value.__kwdefaults__, enclosed, _read(value)]
        return [name, _code(value.__code__), *map(inside, parts)]
    if torch and isinstance(value, torch.nn.Module):
        return _model(value, known)
    if isinstance(value, type) or not hasattr(value, "__dict__"):
        return name
    if is_dataclass(value):  # such as an update rule: its methods are what it does
        code = {key: getattr(type(value), key) for key in dir(type(value)) if not key.startswith("_")}
        return [name, inside(vars(value)), inside(code)]
    return [name, inside(vars(value)), inside(vars(type(value)).get("__call__"))]


def _model(model: "torch.nn.Module", known: Known) -> Any:
    return [structure(model, known), [described(each) for each in (*model.parameters(), *model.buffers())]]


def structure(model: "torch.nn.Module", known: Known | None = None) -> Any:
    """Its layers, and their code where it is not PyTorch's own, without the numbers."""
    known = {} if known is None else known
    parts = []
    for module in model.modules():
        own = {name: each for name, each in vars(module).items() if not name.startswith("_") and name != "training"}
        code = None if type(module).__module__.startswith("torch.") else type(module).forward
        parts.append([type(module).__qualname__, described(own, known), described(code, known)])
    return [repr(model), parts]


def _code(code: types.CodeType) -> Any:
    constants = [_code(each) if isinstance(each, types.CodeType) else described(each) for each in code.co_consts]
    return [code.co_code.hex(), constants, code.co_names]


def _read(function: types.FunctionType) -> dict[str, Any]:
    """What a function reads from its module: numbers and the like, and functions of that same module."""
    codes, found = [function.__code__], dict[str, Any]()
    for code in codes:  # grows
        codes += [each for each in code.co_consts if isinstance(each, types.CodeType)]
        found |= {name: function.__globals__.get(name) for name in code.co_names}
    plain: Any = bool | int | float | complex | str | tuple | list | dict | set | range | np.ndarray | Schedule
    return {
        name: value
        for name, value in found.items()
        if isinstance(value, plain | functools.partial)
        or (isinstance(value, types.FunctionType) and value.__module__ == function.__module__)
    }
