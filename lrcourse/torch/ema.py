"""A moving average of the weights, which is often better than the last of them."""

import math
from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from ..validation import bad, below_one, choice
from .unwrapping import unwrapped

# The weight of the newest in the average of `n` (itself included)
STARTS: dict[str, Callable[[float, int], float]] = {
    "corrected": lambda decay, n: math.expm1(math.log(decay)) / math.expm1(n * math.log(decay)) if decay else 1.0,
    "rising": lambda decay, n: 1.0 if n == 1 else 1 - min(decay, (1 + n) / (10 + n)),
    "first": lambda decay, n: 1.0 if n == 1 else 1 - decay,
}


class EMA(AveragedModel):
    r"""An exponential moving average of the weights of `model`, itself a model to call, to evaluate and to save.

    $$\bar\theta_n = d_n \bar\theta_{n-1} + (1 - d_n) \theta_n$$

    `decay`: $d$, per call of `update_parameters(model)`. Call that after each `optimizer.step()`; about the last
    $1 / (1 - d)$ of them count. Called every $k$ steps, it takes $d^k$.

    `start`: what the first updates do.

    - `"corrected"`: $d_n = (d - d^n) / (1 - d^n)$, as Adam corrects its means. Each weight counts by its age alone,
      $\bar\theta_n \propto \sum_i d^{n-i} \theta_i$.
    - `"rising"`: $d_n = \min(d, (1 + n) / (10 + n))$ from the second update on, as in TensorFlow.
    - `"first"`: $d_n = d$ from the second update on, as PyTorch's `get_ema_multi_avg_fn` has it. The first weights then
      count for $1 / (1 - d)$ updates and more.

    `buffers`: `"copy"` takes those of the model, such as the statistics of batch norm, as they are, and
    `torch.optim.swa_utils.update_bn(loader, ema)` computes these anew at the end; `"average"` averages them like
    weights, but for whole numbers, which are copied.

    It is an `AveragedModel` of PyTorch with the same `state_dict`, in which `n_averaged` is $n$: with that, a run that
    goes on has exactly the averages it would have had. Unlike that class, it averages weights of 16 bits in 32 bits,
    in which small steps are not rounded away, stands in evaluation mode, needs no gradients, and refuses another model.
    `averaged_weights(model, ema)` lends the averages to the model itself.

    Raises: `ValueError` for a decay outside [0, 1), an unknown word, a model that is not shaped like the first.
    Source: Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992, for the idea.

    >>> model = nn.Linear(1, 1, bias=False)
    >>> ema = EMA(model, decay=0.5)
    >>> for weight in [1.0, 4.0]:
    ...     _ = nn.init.constant_(model.weight, weight)
    ...     ema.update_parameters(model)
    >>> ema(torch.ones(1))  # 4 counts twice as much as 1
    tensor([3.])
    """

    def __init__(
        self, model: nn.Module, decay: float = 0.999, *, start: str = "corrected", buffers: str = "copy"
    ) -> None:
        if not isinstance(model, nn.Module):
            raise bad("model", type(model).__name__, "a torch.nn.Module", "pass the model itself")
        self.decay = below_one("use for example 0.999")("decay", decay)
        self.start = choice(*STARTS)("start", start)
        self.buffers_are = choice("copy", "average")("buffers", buffers)
        super().__init__(unwrapped(model))
        _widen(self.module)
        self.requires_grad_(False)
        self.eval()
        self._weights = {name for name, _ in self.module.named_parameters()}

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        """Take the weights of `model` into the average.

        Raises: `ValueError` if they are not named and shaped like those that are averaged.
        """
        # Not super's: it rounds whole numbers, fails where the types differ and pairs whatever comes in the same order.
        own, others = _named(self.module), _named(unwrapped(model))
        check_shapes("model", own, others)
        self.n_averaged += 1
        newest = STARTS[self.start](self.decay, int(self.n_averaged))
        averaged = [] if newest == 1 else [name for name in own if self._is_averaged(name, own[name])]
        for name in own.keys() - set(averaged):
            own[name].copy_(others[name])
        if averaged:
            news = [others[name].to(own[name].device, own[name].dtype) for name in averaged]
            torch._foreach_lerp_([own[name] for name in averaged], news, newest)

    def _is_averaged(self, name: str, each: Tensor) -> bool:
        is_kind = self.buffers_are == "average" or name in self._weights
        return is_kind and (each.is_floating_point() or each.is_complex())


def _named(model: nn.Module) -> dict[str, Tensor]:
    return {name: each.detach() for name, each in chain(model.named_parameters(), model.named_buffers())}


def _widen(model: nn.Module) -> None:
    for each in chain(model.parameters(), model.buffers()):
        if each.dtype in (torch.float16, torch.bfloat16):
            each.data = each.data.float()


def check_shapes(argument: str, own: Mapping[str, Any], others: Mapping[str, Any]) -> None:
    """Refuse `others` that are not named and shaped like our `own`."""
    if own.keys() == others.keys() and all(_shape(each) == _shape(others[name]) for name, each in own.items()):
        return
    for name in sorted(own.keys() | others.keys()):
        ours, theirs = ("missing" if name not in each else _shape(each[name]) for each in (own, others))
        if ours != theirs:
            raise bad(argument, {name: theirs}, f"like the one that is averaged, with {name!r} {ours}",
                      "average one model, and build the average after its layers have changed")  # fmt: skip


def _shape(value: Any) -> Any:
    return tuple(value.shape) if isinstance(value, Tensor) else None
