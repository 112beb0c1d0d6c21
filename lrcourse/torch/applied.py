"""The rates that an optimizer is about to use, by name, for a logger."""

from collections import Counter

import torch

from ..validation import bad
from . import groups


def applied_rates(optimizer: torch.optim.Optimizer, prefix: str = "lr") -> dict[str, float]:
    """The rate of each parameter group as the optimizer has it now: that of its next update, whatever has set it.

    A group is called `prefix/name`, with the `name` that it has, as those of `parameter_groups` do, or its number. A
    single group without a name is called `prefix`. Call it before `scheduler.step()`, which sets the rate of the next
    update:

        optimizer.step()
        wandb.log(applied_rates(optimizer), step)  # or writer.add_scalar for each of them, or bar.set_postfix
        scheduler.step()

    Raises: `ValueError` for what has no parameter groups.

    >>> weights = torch.nn.Linear(2, 1)
    >>> applied_rates(torch.optim.SGD(weights.parameters(), lr=0.5))
    {'lr': 0.5}
    >>> from lrcourse.torch import parameter_groups
    >>> applied_rates(torch.optim.SGD(parameter_groups(weights, lr=0.5, factors={"bias": 2.0})))
    {'lr/all': 0.5, 'lr/bias': 1.0}
    """
    held = getattr(optimizer, "param_groups", None)
    if not held:
        raise bad("optimizer", type(optimizer).__name__, "one with parameter groups", "pass the optimizer itself")
    if len(held) == 1 and "name" not in held[0]:
        return {prefix: groups.rate(held[0])}
    names = [str(group.get("name", i)) for i, group in enumerate(held)]
    counts = Counter(names)
    unique = [name if counts[name] == 1 else f"{name} ({i})" for i, name in enumerate(names)]
    return {f"{prefix}/{name}": groups.rate(group) for name, group in zip(unique, held)}
