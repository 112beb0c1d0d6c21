"""Update rules as pure functions: parameters, gradients and a state go in, new parameters and a new state come out.

    state = rule.init(params)                                                    params: a dict of tensors
    params, state = rule.update(grads, state, params, lr, momentum, weight_decay)

Nothing is changed in place and nothing is remembered elsewhere, so one rule serves a loop, `torch.vmap` over many
members of a sweep, and the compiler. The formulas are those of `lrcourse.optimizers`, in the version of PyTorch where
it has one, otherwise of the paper; see there for their meaning and source. `sweep(optimizer=rule)` races them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch

from ..validation import bad, below_one, check_fields, not_negative, optional, rate

__all__ = [
    "SGD", "AMSGrad", "Adadelta", "Adagrad", "Adam", "AdamW", "ByShape", "Lion", "Muon", "NAdam", "RMSprop", "Rule",
    "RuleOptimizer", "ScheduleFreeSGD", "orthogonalize",
]  # fmt: skip

Tensor = torch.Tensor
Tensors = dict[str, Tensor]

Decay = Annotated[float, below_one("it is the part of the past that a step keeps; use for example 0.9")]
OptionalDecay = Annotated[float | None, optional(below_one("use for example 0.9, or None for a rule without one"))]
Epsilon = Annotated[float, not_negative("use for example 1e-8")]


@dataclass(frozen=True, kw_only=True)
class Rule:
    r"""What turns gradients into new parameters.

    A subclass defines `start` and `formula` for one parameter, as most rules need no more; or `init` and `update`,
    which have all parameters at once, each by its name.

    `momentum`: the value where none is given, None for a rule that has no momentum. `lr`, `momentum` and
    `weight_decay` come as tensors without axes, since they differ between the members of a sweep: compute with them,
    and choose by `torch.where` instead of `if`. `decoupled`: weight decay shrinks the parameters, $\theta -
    \eta\lambda\theta$, instead of being added to the gradient, $g + \lambda\theta$. `elementwise`: no number of a
    parameter depends on another one, so that a sweep may hand over all of them as one long vector.

    Raises: `ValueError` for a setting out of range.

    >>> class Signs(Rule):
    ...     '''Move every parameter by the rate.'''
    ...     def formula(self, x, g, s, lr, momentum, t):
    ...         return x - lr * g.sign(), s
    >>> rule, params = Signs(), {"w": torch.tensor([1.0, 2.0])}
    >>> params, _ = rule.update({"w": torch.tensor([9.0, -0.1])}, rule.init(params), params, 0.5, 0.0, 0.0)
    >>> params
    {'w': tensor([0.5000, 2.5000])}
    """

    momentum: OptionalDecay = None

    decoupled: ClassVar[bool] = False
    elementwise: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_fields(self)

    def init(self, params: Tensors) -> Any:
        """The state before the first update: tensors in dicts, lists or tuples."""
        first = next(iter(params.values()), torch.empty(0))
        updates = torch.zeros((), dtype=torch.float64, device=first.device)
        return {"updates": updates, "of": {name: self.start(x) for name, x in params.items()}}

    def update(
        self, grads: Tensors, state: Any, params: Tensors, lr: Any, momentum: Any, weight_decay: Any
    ) -> tuple[Tensors, Any]:
        """The parameters and the state after one update; the arguments stay as they are."""
        t = state["updates"] + 1
        new, remembered = {}, {}
        for name, x in params.items():
            old, g = state["of"][name], grads[name]
            decayed, g = (x - lr * weight_decay * x, g) if self.decoupled else (x, g + weight_decay * x)
            moved, s = self.formula(decayed, g, old, lr, momentum, t)
            new[name] = moved.to(x.dtype)  # a parameter without axes would take the type of the rate
            remembered[name] = {key: each.to(old[key].dtype) for key, each in s.items()}
        return new, {"updates": t, "of": remembered}

    def start(self, x: Tensor) -> Tensors:
        """What is remembered of the parameter `x` before the first update."""
        return {}

    def formula(self, x: Tensor, g: Tensor, s: Tensors, lr: Any, momentum: Any, t: Tensor) -> tuple[Tensor, Tensors]:
        """The new value of one parameter `x` with gradient `g`, and what is remembered then instead of `s`.

        `t` counts the updates from 1, this one included.
        """
        raise TypeError(f"{type(self).__name__} defines no formula(x, g, s, lr, momentum, t): return x and s, both new")

    def evaluated(self, params: Tensors, state: Any) -> Tensors:
        """The parameters to judge the model by, where these are not those at which gradients are taken."""
        return params


@dataclass(frozen=True, kw_only=True)
class SGD(Rule):
    """Gradient descent, with momentum. `nesterov`: whether it looks one step ahead."""

    momentum: OptionalDecay = 0.0
    nesterov: bool = False

    elementwise: ClassVar[bool] = True

    def start(self, x: Tensor) -> Tensors:
        return {"v": torch.zeros_like(x)}

    def formula(self, x: Tensor, g: Tensor, s: Tensors, lr: Any, momentum: Any, t: Tensor) -> tuple[Tensor, Tensors]:
        v = momentum * s["v"] + g
        kept = torch.where(torch.as_tensor(momentum) != 0, v, s["v"])  # PyTorch's sum rests while the momentum is 0
        return x - lr * (g + momentum * v if self.nesterov else v), {"v": kept}


@dataclass(frozen=True, kw_only=True)
class Adagrad(Rule):
    """A rate of its own for every parameter, from all its gradients so far."""

    eps: Epsilon = 1e-10
    initial: Annotated[float, not_negative("use 0, or for example Keras's 0.1")] = 0.0

    elementwise: ClassVar[bool] = True

    def start(self, x: Tensor) -> Tensors:
        return {"total": torch.full_like(x, self.initial)}

    def formula(self, x: Tensor, g: Tensor, s: Tensors, lr: Any, momentum: Any, t: Tensor) -> tuple[Tensor, Tensors]:
        total = s["total"] + g * g
        return x - lr * g / (total.sqrt() + self.eps), {"total": total}


@dataclass(frozen=True, kw_only=True)
class RMSprop(Rule):
    """Each parameter's rate divided by the size of its recent gradients."""

    rho: Decay = 0.99
    eps: Epsilon = 1e-8

    elementwise: ClassVar[bool] = True

    def start(self, x: Tensor) -> Tensors:
        return {"v": torch.zeros_like(x)}

    def formula(self, x: Tensor, g: Tensor, s: Tensors, lr: Any, momentum: Any, t: Tensor) -> tuple[Tensor, Tensors]:
        v = self.rho * s["v"] + (1 - self.rho) * g * g
        return x - lr * g / (v.sqrt() + self.eps), {"v": v}


@dataclass(frozen=True, kw_only=True)
class Adadelta(Rule):
    """RMSprop whose step is measured in the parameter's own unit."""

    rho: Decay = 0.9
    eps: Epsilon = 1e-6

    elementwise: ClassVar[bool] = True

    def start(self, x: Tensor) -> Tensors:
        return {"v": torch.zeros_like(x), "u": torch.zeros_like(x)}

    def formula(self, x: Tensor, g: Tensor, s: Tensors, lr: Any, momentum: Any, t: Tensor) -> tuple[Tensor, Tensors]:
        v = self.rho * s["v"] + (1 - self.rho) * g * g
        delta = (s["u"] + self.eps).sqrt() / (v + self.eps).sqrt() * g
        return x - lr * delta, {"v": v, "u": self.rho * s["u"] + (1 - self.rho) * delta * delta}


@dataclass(frozen=True, kw_only=True)
class Adam(Rule):
    r"""Momentum for the direction, RMSprop for the size. `momentum` is $\beta_1$."""

    momentum: OptionalDecay = 0.9
    beta2: Decay = 0.999
    eps: Epsilon = 1e-8

    elementwise: ClassVar[bool] = True

    def start(self, x: Tensor) -> Tensors:
        return {"m": torch.zeros_like(x), "v": torch.zeros_like(x)}

    def formula(self, x: Tensor, g: Tensor, s: Tensors, lr: Any, momentum: Any, t: Tensor) -> tuple[Tensor, Tensors]:
        m, v = self.averages(g, s, momentum)
        return x - lr * self.direction(m, v, momentum, t), {"m": m, "v": v}

    def averages(self, g: Tensor, s: Tensors, momentum: Any) -> tuple[Tensor, Tensor]:
        return momentum * s["m"] + (1 - momentum) * g, self.beta2 * s["v"] + (1 - self.beta2) * g * g

    def direction(self, m: Tensor, v: Tensor, momentum: Any, t: Tensor) -> Tensor:
        """The step at rate 1, from the two averages before their correction."""
        step: Tensor = m / (1 - momentum**t) / (v.sqrt() / (1 - self.beta2**t).sqrt() + self.eps)
        return step


@dataclass(frozen=True, kw_only=True)
class AdamW(Adam):
    """Adam with weight decay beside the step instead of inside it."""

    decoupled: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class AMSGrad(Adam):
    """Adam that never forgets a large gradient."""

    def start(self, x: Tensor) -> Tensors:
        return {**super().start(x), "v_max": torch.zeros_like(x)}

    def formula(self, x: Tensor, g: Tensor, s: Tensors, lr: Any, momentum: Any, t: Tensor) -> tuple[Tensor, Tensors]:
        m, v = self.averages(g, s, momentum)
        v_max = torch.maximum(s["v_max"], v)
        return x - lr * self.direction(m, v_max, momentum, t), {"m": m, "v": v, "v_max": v_max}


@dataclass(frozen=True, kw_only=True)
class NAdam(Adam):
    r"""Adam that looks ahead. `psi`: $\psi \ge 0$, how fast its momentum warms up."""

    psi: Annotated[float, not_negative("use 0 for a momentum that is not warmed up")] = 0.004

    def start(self, x: Tensor) -> Tensors:
        return {**super().start(x), "product": torch.ones((), dtype=torch.float64, device=x.device)}

    def formula(self, x: Tensor, g: Tensor, s: Tensors, lr: Any, momentum: Any, t: Tensor) -> tuple[Tensor, Tensors]:
        m, v = self.averages(g, s, momentum)
        mu, ahead = (momentum * (1 - 0.5 * 0.96 ** (self.psi * each)) for each in (t, t + 1))
        product = s["product"] * mu
        mean = ahead / (1 - product * ahead) * m + (1 - mu) / (1 - product) * g
        root = v.sqrt() / (1 - self.beta2**t).sqrt()
        return x - lr * mean / (root + self.eps), {"m": m, "v": v, "product": product}


@dataclass(frozen=True, kw_only=True)
class Lion(Rule):
    r"""Only the sign of the averaged gradient counts. `momentum` is $\beta_1$, its weight in the step."""

    momentum: OptionalDecay = 0.9
    beta2: Decay = 0.99

    decoupled: ClassVar[bool] = True
    elementwise: ClassVar[bool] = True

    def start(self, x: Tensor) -> Tensors:
        return {"m": torch.zeros_like(x)}

    def formula(self, x: Tensor, g: Tensor, s: Tensors, lr: Any, momentum: Any, t: Tensor) -> tuple[Tensor, Tensors]:
        m = self.beta2 * s["m"] + (1 - self.beta2) * g
        return x - lr * (momentum * s["m"] + (1 - momentum) * g).sign(), {"m": m}


@dataclass(frozen=True, kw_only=True)
class Muon(Rule):
    """Momentum for matrices, with all directions made equally long.

    Raises: `ValueError` for a setting out of range, and for a parameter that is not a matrix: see `ByShape`.
    """

    momentum: OptionalDecay = 0.95
    nesterov: bool = True

    decoupled: ClassVar[bool] = True

    def start(self, x: Tensor) -> Tensors:
        if x.dim() != 2:
            fix = "use ByShape(matrices=Muon(), others=AdamW()) for a model that has others"
            raise bad("params", tuple(x.shape), "matrices of shape (rows, columns)", fix)
        return {"m": torch.zeros_like(x)}

    def formula(self, x: Tensor, g: Tensor, s: Tensors, lr: Any, momentum: Any, t: Tensor) -> tuple[Tensor, Tensors]:
        m = momentum * s["m"] + (1 - momentum) * g
        mixed = (1 - momentum) * g + momentum * m if self.nesterov else m
        rows, columns = x.shape
        return x - lr * max(1.0, rows / columns) ** 0.5 * orthogonalize(mixed), {"m": m}


def orthogonalize(matrix: Tensor) -> Tensor:
    """All singular values of a matrix brought near 1, in five steps: `lrcourse.optimizers.orthogonalize` for tensors.

    >>> singular_values = torch.linalg.svdvals(orthogonalize(torch.tensor([[3.0, 1.0], [0.0, 0.5]])))
    >>> bool(((singular_values > 0.6) & (singular_values < 1.3)).all())
    True
    """
    if matrix.shape[0] > matrix.shape[1]:  # the products are cheaper on the short side
        return orthogonalize(matrix.T).T
    x = matrix / matrix.square().sum().sqrt().clamp(min=1e-7)
    for _ in range(5):
        gram = x @ x.T
        x = 3.4445 * x + (-4.775 * gram + 2.0315 * gram @ gram) @ x
    return x


@dataclass(frozen=True, kw_only=True)
class ScheduleFreeSGD(Rule):
    r"""The path is averaged instead of lowering the rate. `momentum` is $\beta$; the model is judged by the average."""

    momentum: OptionalDecay = 0.9

    elementwise: ClassVar[bool] = True

    def start(self, x: Tensor) -> Tensors:
        return {"x": x.clone(), "z": x.clone(), "total": torch.zeros((), dtype=torch.float64, device=x.device)}

    def formula(self, x: Tensor, g: Tensor, s: Tensors, lr: Any, momentum: Any, t: Tensor) -> tuple[Tensor, Tensors]:
        z, total = s["z"] - lr * g, s["total"] + lr**2
        c = torch.where(total > 0, lr**2 / total, 0.0)  # while every rate was zero, x and z are the same point
        average = (1 - c) * s["x"] + c * z
        return (1 - momentum) * z + momentum * average, {"x": average, "z": z, "total": total}

    def evaluated(self, params: Tensors, state: Any) -> Tensors:
        return {name: state["of"][name]["x"] for name in params}


@dataclass(frozen=True, kw_only=True)
class ByShape(Rule):
    """One rule for the matrices of a model, another for everything else: `ByShape(matrices=Muon(), others=AdamW())`.

    `rate`: what the others' rate is, measured in the matrices' rate. A momentum that a setting gives is that of the
    matrices; the others keep their own.

    >>> rule, params = ByShape(matrices=Muon(), others=SGD(), rate=0.1), {"w": torch.eye(2), "b": torch.ones(2)}
    >>> params, _ = rule.update({"w": torch.eye(2), "b": torch.ones(2)}, rule.init(params), params, 0.5, 0.95, 0.0)
    >>> params["b"]
    tensor([0.9500, 0.9500])
    """

    matrices: Rule
    others: Rule
    rate: Annotated[float, not_negative("use 1 for the same rate")] = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("matrices", "others"):
            if not isinstance(getattr(self, name), Rule):
                raise bad(name, getattr(self, name), "a Rule", "use for example AdamW()")
        object.__setattr__(self, "momentum", self.matrices.momentum)

    def init(self, params: Tensors) -> Any:
        matrices, others = _by_shape(params)
        return {"matrices": self.matrices.init(matrices), "others": self.others.init(others)}

    def update(
        self, grads: Tensors, state: Any, params: Tensors, lr: Any, momentum: Any, weight_decay: Any
    ) -> tuple[Tensors, Any]:
        matrices, others = _by_shape(params)
        first, kept = self.matrices.update(grads, state["matrices"], matrices, lr, momentum, weight_decay)
        own = torch.as_tensor(self.others.momentum or 0.0, dtype=torch.float64)
        second, other = self.others.update(grads, state["others"], others, self.rate * lr, own, weight_decay)
        new = first | second
        return {name: new[name] for name in params}, {"matrices": kept, "others": other}

    def evaluated(self, params: Tensors, state: Any) -> Tensors:
        matrices, others = _by_shape(params)
        found = self.matrices.evaluated(matrices, state["matrices"]) | self.others.evaluated(others, state["others"])
        return {name: found[name] for name in params}


def _by_shape(params: Tensors) -> tuple[Tensors, Tensors]:
    matrices = {name: each for name, each in params.items() if each.dim() == 2}
    return matrices, {name: each for name, each in params.items() if name not in matrices}


class RuleOptimizer(torch.optim.Optimizer):
    """A rule as an optimizer of PyTorch, for a loop and for `ScheduleLR`.

    `named`: names and parameters, as `model.named_parameters()` gives them. A parameter without a gradient has the
    gradient zero. `momentum`: None for the rule's own.

    Raises: `ValueError` for a number out of range.

    >>> weight = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    >>> optimizer = RuleOptimizer([("weight", weight)], Lion(), lr=0.5)
    >>> weight.square().sum().backward()
    >>> optimizer.step()
    >>> weight.data
    tensor([0.5000, 1.5000])
    """

    def __init__(
        self,
        named: Iterable[tuple[str, Tensor]],
        rule: Rule,
        lr: float,
        momentum: float | None = None,
        weight_decay: float = 0.0,
    ) -> None:
        momentum = rule.momentum if momentum is None else below_one("use for example 0.9")("momentum", momentum)
        numbers = {"lr": rate("lr", lr), "weight_decay": not_negative("use 0 for none")("weight_decay", weight_decay)}
        kept = {name: each for name, each in named if each.requires_grad}
        super().__init__(list(kept.items()), numbers | ({} if momentum is None else {"momentum": momentum}))
        self.rule, self.named = rule, kept
        self.remembered = rule.init({name: each.detach() for name, each in kept.items()})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Make one update."""
        group = self.param_groups[0]
        params = {name: each.detach() for name, each in self.named.items()}
        grads = {name: torch.zeros_like(each) if each.grad is None else each.grad for name, each in self.named.items()}
        numbers = (torch.tensor(float(group.get(key, 0.0)), dtype=torch.float64)
                   for key in ("lr", "momentum", "weight_decay"))  # fmt: skip
        new, self.remembered = self.rule.update(grads, self.remembered, params, *numbers)
        for name, each in params.items():
            each.copy_(new[name])

    def evaluated(self) -> Tensors:
        """The parameters to judge the model by."""
        return self.rule.evaluated({name: each.detach() for name, each in self.named.items()}, self.remembered)
