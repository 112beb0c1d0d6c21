"""The two networks the course trains: small enough to train twenty times while you read."""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from ..validation import bad, choice, whole

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh}

units = whole(1, "use for example 3 units")


class MLP(nn.Sequential):
    """Linear layers with an activation between them: `sizes` counts the units of every layer, inputs first.

    The last layer returns scores (logits) or predictions as they are. Call `torch.manual_seed` before you build
    it for weights you can reproduce, `.double()` after for float64.

    Shapes: `(batch, sizes[0])` gives `(batch, sizes[-1])`.

    Raises: `ValueError` for fewer than two sizes, a size below 1 or an unknown activation.

    >>> MLP([64, 32, 10])
    MLP(
      (0): Linear(in_features=64, out_features=32, bias=True)
      (1): ReLU()
      (2): Linear(in_features=32, out_features=10, bias=True)
    )
    """

    def __init__(self, sizes: Sequence[int], activation: str = "relu") -> None:
        sizes = [units(f"sizes[{i}]", size) for i, size in enumerate(sizes)]
        if len(sizes) < 2:
            raise bad("sizes", sizes, "two or more layer sizes", "give the inputs first and the outputs last")
        activation = choice(*ACTIVATIONS)("activation", activation)
        layers: list[nn.Module] = [nn.Linear(sizes[0], sizes[1])]
        for inputs, outputs in pairwise(sizes[1:]):
            layers += [ACTIVATIONS[activation](), nn.Linear(inputs, outputs)]
        super().__init__(*layers)


class LogicNet(MLP):
    """One hidden layer of a few tanh units: 17 weights with the defaults, enough to bend a line around two moons.

    Shapes: `(batch, inputs)` gives the scores of the classes, `(batch, outputs)`.

    Raises: `ValueError` for a size below 1.

    >>> sum(weight.numel() for weight in LogicNet().parameters())
    17
    """

    def __init__(self, inputs: int = 2, hidden: int = 3, outputs: int = 2) -> None:
        sizes = [units("inputs", inputs), units("hidden", hidden), units("outputs", outputs)]
        super().__init__(sizes, activation="tanh")
