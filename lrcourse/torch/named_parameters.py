"""What a model's parameters are called, and what each of them is."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from torch import nn
from torch.nn.parameter import UninitializedParameter

from ..validation import bad
from .unwrapping import unwrapped

NORMS = (
    nn.LayerNorm, nn.RMSNorm, nn.GroupNorm,
    nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm,
    nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d,
)  # fmt: skip
SHOWN = 20


@dataclass(frozen=True, eq=False)
class Named:
    """A parameter with its names, of which it has several where weights are tied, and the modules that hold it."""

    parameter: nn.Parameter
    names: tuple[str, ...]
    holders: tuple[nn.Module, ...]

    @property
    def name(self) -> str:
        """The name that `model.named_parameters()` gives it."""
        return self.names[0]

    @property
    def trains(self) -> bool:
        return self.parameter.requires_grad

    @property
    def is_vector(self) -> bool:
        """Whether it is a norm's, a bias, or of fewer than two dimensions: what is usually spared the decay."""
        is_norms = any(isinstance(holder, NORMS) for holder in self.holders)
        return self.parameter.ndim < 2 or is_norms or any(name.endswith("bias") for name in self.names)

    @property
    def is_embedding(self) -> bool:
        return any(isinstance(holder, nn.Embedding | nn.EmbeddingBag) for holder in self.holders)

    def is_found(self, pattern: str) -> bool:
        return any(re.search(pattern, name) for name in self.names)


def named_parameters(model: nn.Module) -> list[Named]:
    """Every parameter of a model once, in the order of `model.named_parameters()`.

    Raises: `ValueError` if the model has none that trains, or one whose shape is not known yet.
    """
    if not isinstance(model, nn.Module):
        raise bad("model", type(model).__name__, "a torch.nn.Module", "pass the model itself")
    model = unwrapped(model)
    names: dict[nn.Parameter, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        names.setdefault(parameter, []).append(name)
    for parameter, (name, *_) in names.items():
        if isinstance(parameter, UninitializedParameter):
            raise bad("model", name, "without lazy layers", "call the model on a batch before")
    if not any(parameter.requires_grad for parameter in names):
        raise bad("model", type(model).__name__, "one with a parameter that trains", "call requires_grad_(True) on it")
    return [Named(each, tuple(own), _holders(model, own)) for each, own in names.items()]


def _holders(model: nn.Module, names: Sequence[str]) -> tuple[nn.Module, ...]:
    return tuple(model.get_submodule(name.rpartition(".")[0]) for name in names)


def pattern_of(argument: str, pattern: object) -> str:
    """Make sure of a regular expression."""
    if not isinstance(pattern, str):
        raise bad(argument, pattern, "a regular expression", 'write for example "head"')
    try:
        re.compile(pattern)
    except re.error as error:
        raise bad(argument, pattern, f"a regular expression ({error})", "see Python's module re") from None
    return pattern


def examples(named: Iterable[Named]) -> str:
    """The names to choose among, for a complaint: those of layers that are alike are one, with N for the number."""
    names = list(dict.fromkeys(re.sub(r"(?<![^.])\d+(?=\.)", "N", each.name) for each in named))
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
