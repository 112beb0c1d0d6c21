"""What a value does, as plain data to be compared: two runs are one if all that decides them is described alike."""

import functools
import hashlib
import inspect
import pickle
import sys
import sysconfig
import types
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from .extras import extra
from .schedules import Schedule
from .validation import bad

Known = dict[int, tuple[int, Any]]  # what has been described already: its number, and itself, so that it stays alive

# Code that a new version changes, but nobody's experiment: that of Python, of what is installed, and of this package
LIBRARIES = [Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
LIBRARIES.append(Path(__file__).parent)


def described(value: Any, known: Known | None = None) -> Any:
    """A value as plain data. A function counts by its code, and by the values that it encloses, has as defaults or
    reads from its module; so one that was edited, or meets another number, is another one, though its name is the same.
    A class counts by its methods, an object by its class and what it holds; those of libraries by their names.

    Raises: `ValueError` for a value of which nothing can be told but its type, such as a lock.

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
    if isinstance(value, np.ndarray) and value.dtype != object:
        return [str(value.dtype), value.shape, hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()]
    torch = sys.modules.get("torch")  # without it nothing is a tensor
    if torch and isinstance(value, torch.Tensor):
        content = value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy()  # NumPy lacks bfloat16
        return [str(value.dtype), tuple(value.shape), hashlib.sha256(content.tobytes()).hexdigest()]
    if isinstance(value, functools.partial):
        return ["partial", inside(value.func), inside(value.args), inside(value.keywords)]
    if isinstance(value, types.MethodType):
        return [inside(value.__func__), inside(value.__self__)]
    if isinstance(value, types.ModuleType | types.BuiltinFunctionType | np.ufunc):
        return name
    if id(value) in known:
        return ["again", known[id(value)][0]]
    known[id(value)] = len(known), value
    if hasattr(value, "__wrapped__"):  # by a decorator, such as one that caches
        return [name, inside(value.__wrapped__)]
    if isinstance(value, types.FunctionType):
        cells = value.__closure__ or ()
        enclosed = [cell.cell_contents for cell in cells if cell != types.CellType()]  # one may be empty
        parts = [value.__defaults__, value.__kwdefaults__, enclosed, _read(value)]
        return [name, _code(value.__code__), *map(inside, parts)]
    if torch and isinstance(value, torch.nn.Module):
        return _model(value, known)
    if isinstance(value, type):
        return [name, *map(inside, value.__bases__), inside(_methods(value))] if _is_own(value) else name
    if _is_own(type(value)):
        return [inside(type(value)), inside(_held(value))]
    try:
        with extra("study"):
            import joblib

        return [name, joblib.hash(value)]
    except (pickle.PicklingError, TypeError, AttributeError, NotImplementedError) as error:
        if not hasattr(value, "__dict__"):
            raise bad("value", value, "such that it can be told from another one", str(error)) from None
        return [name, inside(vars(value))]


def structure(model: Any, known: Known | None = None) -> Any:
    """Its layers, and their code where it is not PyTorch's own, without the numbers."""
    known = {} if known is None else known
    parts = []
    for module in model.modules():
        own = {name: each for name, each in vars(module).items() if not name.startswith("_") and name != "training"}
        code = None if type(module).__module__.startswith("torch.") else type(module).forward
        parts.append([type(module).__qualname__, described(own, known), described(code, known)])
    return [repr(model), parts]


def _model(model: Any, known: Known) -> Any:
    return [structure(model, known), [described(each) for each in (*model.parameters(), *model.buffers())]]


def _is_own(value: Any) -> bool:
    """Whether a function, class or module belongs to whoever experiments, and not to a library."""
    module = value if isinstance(value, types.ModuleType) else sys.modules.get(getattr(value, "__module__", ""))
    file = getattr(module, "__file__", None)
    if module is None or file is None:  # built in, or typed at a prompt
        return getattr(module, "__name__", "") == "__main__"
    return not any(Path(file).is_relative_to(each) for each in LIBRARIES)


def _methods(kind: type) -> dict[str, Any]:
    """What instances of a class do and share. Of a dataclass, the fields' defaults are in the code of `__init__`."""
    hidden = ("__dict__", "__weakref__", "__module__", "__doc__", "__annotations__", "__slots__", "__match_args__")
    found: dict[str, Any] = {}
    for name, each in vars(kind).items():
        if name in hidden or name.startswith(("__dataclass", "_abc_")) or inspect.ismemberdescriptor(each):
            continue
        if isinstance(each, property):
            each = [each.fget, each.fset]
        found[name] = getattr(each, "__func__", each)
    return found


def _held(value: Any) -> dict[str, Any]:
    """What an object holds, in slots as well."""
    slots = [name for kind in type(value).__mro__ for name in np.atleast_1d(vars(kind).get("__slots__", [])).tolist()]
    held = {name: getattr(value, name) for name in slots if name != "__dict__" and hasattr(value, name)}
    return held | getattr(value, "__dict__", {})


def _code(code: types.CodeType) -> Any:
    constants = [_code(each) if isinstance(each, types.CodeType) else described(each) for each in code.co_consts]
    return [code.co_code.hex(), constants, code.co_names]


def _read(function: types.FunctionType) -> dict[str, Any]:
    """What a function reads from its module, but for what belongs to libraries; of a module of one's own, what it reads
    from there."""
    codes, names = [function.__code__], set[str]()
    for code in codes:  # grows
        codes += [each for each in code.co_consts if isinstance(each, types.CodeType)]
        names |= set(code.co_names)
    found = {name: function.__globals__[name] for name in sorted(names) if name in function.__globals__}
    for module in [each for each in found.values() if isinstance(each, types.ModuleType) and _is_own(each)]:
        found |= {f"{module.__name__}.{name}": vars(module)[name] for name in sorted(names) if name in vars(module)}
    named = types.ModuleType | types.FunctionType | type
    return {
        name: value
        for name, value in found.items()
        if not isinstance(value, named) or _is_own(value) or getattr(value, "__module__", "") == function.__module__
    }
