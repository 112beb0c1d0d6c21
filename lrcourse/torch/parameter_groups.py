"""Parameter groups for an optimizer: rates and decays by name, by layer and by what a parameter is."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from ..validation import Check, bad, choice, fraction, not_negative, positive, rate
from .groups import Group
from .layers import Layers, depths
from .named_parameters import Named, examples, named_parameters, pattern_of

NO_DECAY = "no decay"


def parameter_groups(
    model: nn.Module,
    lr: float,
    weight_decay: float = 0.0,
    *,
    factors: Mapping[str, float] | None = None,
    decays: Mapping[str, float] | None = None,
    decay_embeddings: bool = True,
    layer_decay: float | None = None,
    layers: Layers | None = None,
) -> list[Group]:
    r"""The parameters of `model` that train, each in exactly one group, with the group's `lr` and `weight_decay`.

    The rate of a parameter $d$ layers below the top, for which the pattern $p$ decides, is

    $$\mathrm{lr} \cdot \mathrm{factors}[p] \cdot \mathrm{layer\_decay}^{\,d}$$

    `lr`: the rate where no factor says otherwise. `weight_decay`: that of all but norms, biases and what else has
    fewer than two dimensions. `decay_embeddings=False` spares the embeddings as well.

    `factors`, `decays`: from a regular expression to a factor of the rate, or to a weight decay that holds whatever
    the parameter is. A pattern is searched for in the names that `model.named_parameters()` gives; tied weights have
    several. The first that is found decides, so write the narrower one first. What is frozen is in no group.

    `layer_decay`: for fine-tuning, the lower a layer, the lower its rate. `layers` are those of the model, the input's
    first: modules, or regular expressions of which one group, as in `r"blocks\.(\d+)\."`, counts the layers. What
    none of them holds, such as a new head, is the top, where $d = 0$, and the last layer has $d = 1$; so list the
    embeddings, too. If the layers hold everything, the last of them is the top.

    A group's `name` says what is in it, for loggers, and its `factor` is its rate as a multiple of `lr`. Pass the
    groups to an optimizer, and then

        ScheduleLR(optimizer, schedule, relative=True)                                           # or
        ScheduleLR(optimizer, [group["factor"] * schedule for group in optimizer.param_groups])

    In the first, the schedule is the rate of the fastest group; in the second, that of a factor of 1.

    Raises: `ValueError` for a pattern that decides for no parameter that trains, a layer without parameters, a
    parameter in two layers, a factor that is not positive, `layer_decay` outside (0, 1), a weight decay where nothing
    decays.
    Sources: Clark et al., "ELECTRA", 2020, and Bao et al., "BEiT", 2021, for the layers.

    >>> from lrcourse.torch import GPT
    >>> groups = parameter_groups(
    ...     GPT(vocabulary=50, layers=2, tied=False), lr=1e-3, weight_decay=0.1, factors={"head": 10.0},
    ...     layer_decay=0.5, layers=["tokens|positions", r"blocks\.(\d+)\."],
    ... )
    >>> for group in groups:
    ...     print(f"{group['name']:18} {group['lr']:<8} {group['weight_decay']}")
    layer 1            0.000125 0.1
    layer 2, no decay  0.00025  0.0
    layer 2            0.00025  0.1
    layer 3, no decay  0.0005   0.0
    layer 3            0.0005   0.1
    top, no decay      0.001    0.0
    top, head          0.01     0.1
    """
    lr, decay = rate("lr", lr), not_negative("use for example 0.1")("weight_decay", weight_decay)
    choice(True, False)("decay_embeddings", decay_embeddings)
    named = named_parameters(model)
    training = [each for each in named if each.trains]
    own_factor = _decided("factors", factors, training, positive("use for example 0.1, or freeze what is not to train"))
    own_decay = _decided("decays", decays, training, not_negative("use 0 for none"))
    below = _below(named, layer_decay, layers)
    lowest = max(below.values(), default=0)

    found: dict[tuple[str, float, float], list[nn.Parameter]] = {}
    for each in training:
        pattern, factor = own_factor.get(each.parameter, (None, 1.0))
        depth = below.get(each.parameter, 0)
        if layer_decay is not None:
            factor *= layer_decay**depth
        spared = each.is_vector or (each.is_embedding and not decay_embeddings)
        by_name, own = own_decay.get(each.parameter, (None, 0.0 if spared else decay))
        layer = None if not below else f"layer {lowest - depth + 1}" if depth else "top"
        decayed = NO_DECAY if own == 0 < decay else f"decay {own:g}" if by_name is not None else None
        name = ", ".join(filter(None, [layer, pattern or (None if layer else "all"), decayed]))
        found.setdefault((name, factor, own), []).append(each.parameter)
    if decay > 0 and all(own == 0 for _, _, own in found):
        raise bad("weight_decay", weight_decay, "0, as all parameters are norms, biases or spared",
                  "build the groups before the model is flattened, or name in decays what is to decay")  # fmt: skip
    return [
        {"params": parameters, "lr": lr * factor, "weight_decay": own, "factor": factor, "name": name}
        for (name, factor, own), parameters in found.items()
    ]


def _decided(
    argument: str, patterns: Mapping[str, float] | None, training: Sequence[Named], check: Check
) -> dict[nn.Parameter, tuple[str, float]]:
    """For each parameter that a pattern is found for, the first such pattern and its number."""
    if patterns is None:
        return {}
    if not isinstance(patterns, Mapping):
        raise bad(argument, patterns, "a dictionary from a regular expression to a number", 'write {"head": 10.0}')
    numbers = {pattern_of(argument, each): check(f"{argument}[{each!r}]", value) for each, value in patterns.items()}
    decided: dict[nn.Parameter, tuple[str, float]] = {}
    for pattern, number in numbers.items():
        matched = [each for each in training if each.is_found(pattern)]
        left = [each for each in matched if each.parameter not in decided]
        if not left:
            must = "found in the name of a parameter that trains"
            if matched:
                raise bad(argument, pattern, f"{must} and that no pattern before it decides for", "write it first")
            raise bad(argument, pattern, must, f"choose among {examples(training)}")
        decided |= {each.parameter: (pattern, number) for each in left}
    return decided


def _below(named: Sequence[Named], layer_decay: Any, layers: Layers | None) -> dict[nn.Parameter, int]:
    if layer_decay is None and layers is None:
        return {}
    if layers is None:
        raise bad("layers", layers, "given with layer_decay", r'write for example ["embed", r"blocks\.(\d+)\."]')
    fraction("use for example 0.75, with layers")("layer_decay", layer_decay)
    return depths(named, layers)
