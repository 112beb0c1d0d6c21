"""Which layer of a model each parameter belongs to, from the input to the output."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from torch import nn

from ..validation import bad
from .named_parameters import Named, examples, pattern_of

Layers = Sequence[nn.Module | str]


def depths(named: Sequence[Named], layers: Layers | nn.ModuleList) -> dict[nn.Parameter, int]:
    """How far below the top each parameter is: 1 in the last of the `layers`, one more in each before it.

    What no layer holds is the top, and 0. If there is no such parameter, the last layer is the top.

    A layer is a module or a regular expression, which is searched for in the names of the parameters. One with a group,
    such as `r"blocks\\.(\\d+)\\."`, stands for as many layers as there are numbers.

    Raises: `ValueError` for a layer without parameters, and for a parameter in two layers.
    """
    found = [layer for i, each in enumerate(_listed(layers)) for layer in _layers(f"layers[{i}]", each, named)]
    below: dict[nn.Parameter, int] = {}
    for i, layer in enumerate(found):
        for each in layer:
            if each.parameter in below:
                raise bad("layers", each.name, "apart from each other, with no parameter in two of them",
                          "list modules that do not hold each other, or write narrower patterns")  # fmt: skip
            below[each.parameter] = len(found) - i
    top = 0 if len(below) < len(named) else 1
    return {each.parameter: below.get(each.parameter, top) - top for each in named}


def _listed(layers: Any) -> list[Any]:
    listed = [] if isinstance(layers, str) or not isinstance(layers, Iterable) else list(layers)
    if not listed:
        raise bad("layers", layers, "a list of modules or regular expressions, the input's first",
                  r'write for example ["embed", r"blocks\.(\d+)\."]')  # fmt: skip
    return listed


def _layers(argument: str, layer: Any, named: Sequence[Named]) -> list[list[Named]]:
    if isinstance(layer, nn.Module):
        held = set(layer.parameters())
        return [_held(argument, layer, [each for each in named if each.parameter in held], named)]
    pattern = re.compile(pattern_of(argument, layer))
    found = [(each, match) for each in named if (match := _first(pattern, each)) is not None]
    if pattern.groups == 0:
        return [_held(argument, layer, [each for each, _ in found], named)]
    numbered: dict[int, list[Named]] = {}
    for each, match in found:
        numbered.setdefault(_number(argument, layer, match), []).append(each)
    return [_held(argument, layer, numbered[i], named) for i in sorted(numbered)] or [_held(argument, layer, [], named)]


def _first(pattern: re.Pattern[str], each: Named) -> re.Match[str] | None:
    return next((match for name in each.names if (match := pattern.search(name))), None)


def _number(argument: str, layer: str, match: re.Match[str]) -> int:
    group = match.group(1)
    if group is None or not group.isdecimal():
        raise bad(argument, layer, f"one whose group is the layer's number, not {group!r}",
                  r"write for example blocks\.(\d+)\. or (?:a|b)")  # fmt: skip
    return int(group)


def _held(argument: str, layer: Any, held: list[Named], named: Sequence[Named]) -> list[Named]:
    if not held:
        shown = layer if isinstance(layer, str) else type(layer).__name__
        raise bad(argument, shown, "one that holds parameters of the model", f"choose among {examples(named)}")
    return held
