"""Averaging the path instead of lowering the rate."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np

from ..schedules.base import Array
from ..validation import below_one
from .base import Optimizer, State


@dataclass(kw_only=True)
class ScheduleFreeSGD(Optimizer):
    r"""Gradient descent whose running average, not its last point, is the result: no decay has to be planned.

    Three sequences start at the same point. $z$ descends, $x$ averages it, and gradients are taken between, at $y$:

    $$z \leftarrow z - \eta \nabla f(y), \qquad x \leftarrow (1 - c) x + c z, \qquad
      y \leftarrow (1 - \beta) z + \beta x, \qquad c = \eta_t^2 \Big/ \sum_{i \le t} \eta_i^2$$

    At a constant rate $c = 1/t$ at update $t = 1, 2, \dots$: $x$ is the plain mean of $z$. A warm-up may be passed as
    the rate; its small rates then weigh little. `step` takes and returns $y$; **evaluate the model at
    `average(params)`**.

    `beta`: $\beta$ in $[0, 1)$; 0 is plain descent with averaging (Polyak and Ruppert). Weight decay is added to the
    gradient at $y$. The default rate is 1.0, as in the authors' code. Torch has no counterpart; Keras has one
    for Adam only.

    Source: Defazio et al., "The road less scheduled", 2024, equations 3 to 5 and algorithm 1.

    >>> optimizer, y = ScheduleFreeSGD(lr=0.3), np.array([1.0])
    >>> for _ in range(200):
    ...     y = optimizer.step(y, np.sign(y))  # f(y) = |y|: plain descent would jump to and fro for ever
    >>> bool(abs(optimizer.average(y)[0]) < 0.03)
    True
    """

    beta: Annotated[float, below_one("use 0 for plain descent, or for example 0.9")] = 0.9
    convention: str = "paper"

    conventions: ClassVar = {"paper": {"lr": 1.0}}

    def start(self, x: Array) -> State:
        return State(x=x.copy(), z=x.copy(), total=0.0)

    def update(self, x: Array, g: Array, s: State, lr: float) -> Array:
        s.z = s.z - lr * g
        s.total += lr**2
        c = lr**2 / s.total if s.total else 0.0  # while every rate was zero, x and z are the same point
        s.x = (1 - c) * s.x + c * s.z
        return (1 - self.beta) * s.z + self.beta * s.x

    def average(self, params: Any) -> Any:
        """The averaged parameters $x$, as an array or a dict as `params` is; before the first step `params` itself."""
        if not isinstance(params, Mapping):
            return self.average({"params": params})["params"]
        return {name: np.array(self.state[name].x if self.state else x) for name, x in params.items()}
