"""What every optimizer is: settings, a count of the updates done, and what it remembers of each parameter."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import SimpleNamespace
from typing import Annotated, Any, ClassVar, overload

import numpy as np
from numpy.typing import ArrayLike

from ..schedules import Schedule
from ..schedules.base import Array, as_schedule
from ..schedules.values import rates
from ..validation import bad, below_one, check_fields, not_negative

PER_CONVENTION: Any = None  # the default of a field whose default depends on the convention

Decay = Annotated[float, below_one("it is the part of the past that a step keeps; use for example 0.9")]
WeightDecay = Annotated[float, not_negative("use 0 for none, or for example 0.0001")]
Epsilon = Annotated[float, not_negative("use for example 1e-8")]

State = SimpleNamespace


@dataclass
class Optimizer:
    r"""A rule that turns parameters and gradients into new parameters: `params = optimizer.step(params, grads)`.

    `lr`: the rate, a number or a schedule; update $t$, counted from 0, uses $s(t)$.
    `weight_decay`: $\lambda$. Torch and the papers add it to the gradient, $g + \lambda\theta$ (an L2 penalty); Keras,
    and everywhere AdamW, Lion and Muon, shrink the parameters instead, $\theta - \eta\lambda\theta$ ("decoupled").
    `convention`: whose version of the formula and whose defaults, one of the keys of the class's `conventions`.

    Subclasses are dataclasses that define `start`, what is remembered of a parameter at first, and `update`, the
    formula for one parameter; inside it, `self.t` counts the updates from 1, this one included, as papers do.
    Settings may be edited between steps (`optimizer.lr = 0.01`).

    Raises: `ValueError` for an unknown convention, a setting out of range, gradients that do not fit the
    parameters, and parameters other than those of the first step.

    >>> from lrcourse.optimizers import SGD
    >>> SGD(lr=0.1).step({"w": [1.0, 2.0], "b": 0.5}, {"w": [10.0, 0.0], "b": 1.0})
    {'w': array([0., 2.]), 'b': array(0.4)}
    """

    lr: Schedule | float = PER_CONVENTION
    weight_decay: WeightDecay = field(default=PER_CONVENTION, kw_only=True)
    convention: str = field(default="torch", kw_only=True)

    conventions: ClassVar[dict[str, dict[str, float]]] = {}
    decoupled: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.convention not in self.conventions:
            known = list(self.conventions)
            raise bad("convention", self.convention, f"one that {type(self).__name__} knows", f"choose one of {known}")
        defaults = {"weight_decay": 0.0, **self.conventions[self.convention]}
        for setting in fields(self):
            if getattr(self, setting.name) is None:
                setattr(self, setting.name, defaults.get(setting.name))
        check_fields(self)
        as_schedule("lr", self.lr)
        self.t = 0
        self.state: dict[str, State] = {}
        self._shapes: dict[str, tuple[int, ...]] = {}

    def start(self, x: Array) -> State:
        """What is remembered of the parameter `x` before the first update."""
        return State()

    def update(self, x: Array, g: Array, s: State, lr: float) -> Array:
        """The new value of one parameter `x` with gradient `g`; what it remembers, `s`, is changed in place."""
        raise TypeError(
            f"{type(self).__name__} defines no update(x, g, s, lr): subclass Optimizer and return the new x"
        )

    def shrinkage(self, lr: float) -> float:
        """The part of each parameter that decoupled weight decay takes away in one update."""
        return lr * self.weight_decay

    @overload
    def step(self, params: Mapping[str, ArrayLike], grads: Mapping[str, ArrayLike]) -> dict[str, Array]: ...
    @overload
    def step(self, params: ArrayLike, grads: ArrayLike) -> Array: ...
    def step(self, params: Any, grads: Any) -> Any:
        """One update: new float64 parameters, shaped as `params` (an array, or a dict of them); both arguments stay."""
        if not isinstance(params, Mapping):
            return self.step({"params": params}, {"params": grads})["params"]
        xs, gs = _arrays("params", params), _arrays("grads", grads)
        _same_shapes("grads", gs, _shapes(xs), "pass one gradient per parameter, of the parameter's shape")
        _same_shapes("params", xs, self._shapes or _shapes(xs), "make a new optimizer for new parameters")
        if not self.state:
            self.state, self._shapes = {name: self.start(x) for name, x in xs.items()}, _shapes(xs)
        schedule = as_schedule("lr", self.lr)
        lr = float(rates(schedule, schedule(self.t), np.asarray(self.t)))
        self.t += 1
        return {name: np.asarray(self._decayed_update(x, gs[name], self.state[name], lr)) for name, x in xs.items()}

    def _decayed_update(self, x: Array, g: Array, s: State, lr: float) -> Array:
        if self.decoupled or self.convention == "keras":
            return self.update(x - self.shrinkage(lr) * x, g, s, lr)
        return self.update(x, g + self.weight_decay * x, s, lr)


def _arrays(name: str, values: Any) -> dict[str, Array]:
    if not isinstance(values, Mapping):
        raise bad(name, values, "a dict, as params is one", "pass {name: gradient} with the names of params")
    try:
        return {key: np.array(value, dtype=np.float64) for key, value in values.items()}
    except (TypeError, ValueError) as error:
        raise bad(name, values, "numbers", f"pass arrays of floats ({error})") from None


def _shapes(arrays: dict[str, Array]) -> dict[str, tuple[int, ...]]:
    return {name: array.shape for name, array in arrays.items()}


def _same_shapes(name: str, arrays: dict[str, Array], shapes: dict[str, tuple[int, ...]], fix: str) -> None:
    if _shapes(arrays) != shapes:
        raise bad(f"the shapes of {name}", _shapes(arrays), str(shapes), fix)
