r"""All members as one program: every weight has the member as its first axis, and the losses are summed.

The sum of the members' losses has, for each member's weights, the gradient of that member's loss alone, so one
backward pass serves all of them. (A mean over the members would divide every gradient by their number.)
"""

import functools
import itertools
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from ..torch.compiling import many_programs
from ..torch.training import as_tensor
from .graphs import Recorder
from .members import Members, filled_up, hooked, keep_freed_memory, replayed, taken, trained
from .outcome import Outcome
from .plan import BETA2, EPS, Plan
from .products import by_rows
from .traces import MEASURED, Columns, of_weights, together
from .watch import Watch

Tensor = torch.Tensor
Tensors = Sequence[Tensor]
ACTIVATIONS: dict[type, Callable[[Tensor], Tensor]] = {
    nn.Tanh: torch.tanh, nn.ReLU: torch.relu, nn.Sigmoid: torch.sigmoid,
}  # fmt: skip
TINY = 128  # weights: up to here every unit is a tensor of its own
CACHED = 2**20  # activations of a layer: as many members are evaluated together as stay in the cache
NARROW = 4  # inputs or outputs: so thin a product is a sum that the compiler puts into the loops around it

# Inductor splits a program whose expressions grow long; a tiny network is one long expression, and one loop.
ONE_LOOP = {
    "max_fusion_size": 100_000, "realize_reads_threshold": 100_000, "realize_opcount_threshold": 100_000,
    "realize_acc_reads_threshold": 100_000, "cpp.max_horizontal_fusion_size": 1_000,
}  # fmt: skip


@dataclass(frozen=True)
class Program:
    """What is compiled: a training step, decided by everything but the numbers. `layers`: (inputs, outputs, bias)
    of a linear layer, or an activation. `has_decay`, `has_momentum`: whether any member has it at all."""

    layers: tuple[Any, ...]
    loss: str
    optimizer: str
    nesterov: bool
    has_decay: bool
    has_momentum: bool
    tiny: bool

    def step(self, kept: Sequence[Any], row: Tensor, x: Any, y: Tensor, share: Tensor) -> Tensor:
        """Update what is `kept`, the weights and the optimizer's state, in place; the losses before the update."""
        weights, *state = (each.unbind(0) if self.tiny else each for each in kept)
        losses: Tensor
        gradients, losses = self.gradients(weights, x, y, share)
        update = _sgd if self.optimizer == "sgd" else _adam
        updated = zip(*(update(self, row, *each) for each in zip(weights, gradients, *state)))
        for old, new in zip(kept, updated):
            if self.tiny:
                old.copy_(torch.stack(list(new)))
            else:
                torch._foreach_copy_(old, list(new))
        return losses

    def gradients(self, weights: Tensors, x: Any, y: Tensor, share: Tensor) -> tuple[Tensors, Tensor]:
        """Of the members' losses, with these."""
        gradient = torch.func.grad(self.objective, has_aux=True)
        begun, rest = (weights, x) if self.tiny else _begun(self.layers, weights, x)
        if rest is not None:
            return gradient(weights, x, y, share)  # type: ignore[no-any-return]
        (slopes, *others), losses = gradient(begun, None, y, share)
        return [by_rows(slopes.flatten(0, 1), x).view_as(weights[0]), *others], losses

    def objective(self, weights: Tensors, x: Any, y: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
        if self.tiny and self.loss == "cross_entropy" and not callable(self.layers[-1]) and self.layers[-1][1] == 2:
            losses = (_two_classes(self.layers, weights, x, y) * share).sum(1)
            return losses.sum(), losses
        forward: Any = _forward_units if self.tiny else _forward
        points = (_UNIT_LOSSES if self.tiny else _LOSSES)[self.loss](forward(self.layers, weights, x), y)
        losses = (points * share).sum(1)
        return losses.sum(), losses


def unsupported(plan: Plan) -> str | None:
    """Why the members of `plan` cannot be stacked, None if they can."""
    model = plan.model(plan.settings[0].seed)
    if own := _own(plan):
        return own
    if not isinstance(plan.loss, str):
        return "the loss is a function, and only 'cross_entropy' and 'mse' are stacked"
    y, x = plan.dataset.y_train, plan.dataset.x_train
    if x.ndim != 2 or (plan.loss == "cross_entropy" and (y.ndim != 1 or y.dtype.kind not in "iu")):
        return "only rows of features, with whole class numbers for cross-entropy, are stacked"
    for module in model.modules():
        if hooked(module):
            return f"the layer {type(module).__name__} has hooks"
    for layer in _flat(model):
        if type(layer) is not nn.Linear and type(layer) not in ACTIVATIONS:
            known = ", ".join(each.__name__ for each in (nn.Linear, *ACTIVATIONS))
            return f"{type(layer).__name__} is not stacked, only {known} in a Sequential are"
    outputs = [layer.out_features for layer in _flat(model) if isinstance(layer, nn.Linear)][-1:]
    if plan.loss == "mse" and [y.size // len(y)] != outputs:
        return "the model does not have one output per target"
    labels = plan.labels() if plan.loss == "cross_entropy" else np.zeros(0, int)
    if not all(0 <= label < outputs[0] for label in labels if outputs):
        return "a label has no output of its own (PyTorch leaves out those that are -100)"
    parameters = list(model.parameters())
    if not parameters or not all(each.requires_grad for each in parameters):
        return "a frozen parameter is not stacked"
    if len(parameters) != sum(len(list(layer.parameters())) for layer in _flat(model)):
        return "layers that share their weights are not stacked"
    if len({(each.dtype, each.device) for each in parameters}) > 1:
        return "parameters of several types or devices are not stacked"
    return None


def _own(plan: Plan) -> str | None:
    """What `plan` asks for that this engine does not know."""
    asked = {
        "a rule of update": not isinstance(plan.optimizer, str), "clipping": plan.clip is not None,
        "accumulated batches": plan.accumulate > 1, "averages of weights": bool(plan.traces.ema),
        "the norm of a gradient": plan.traces.gradient_norms,
    }  # fmt: skip
    return next((f"{what}: not by the hand-stacked engine" for what, wanted in asked.items() if wanted), None)


def is_tiny(plan: Plan) -> bool:
    """Whether the model is so small that each of its weights may be a variable of its own."""
    return sum(each.numel() for each in plan.model(plan.settings[0].seed).parameters()) <= TINY


def run(plan: Plan, compiled: bool, size: int = 1, watch: Watch | None = None) -> Outcome:
    """Train the members of `plan` together. See `unsupported` and, for `size`, `filled_up`."""
    return trained(plan, Training(plan, compiled, size=size), watch or Watch())


class Training(Members):
    """The stacked members. `record` replays the step instead of calling it, as is done on a GPU."""

    def __init__(self, plan: Plan, compiled: bool, record: Recorder | None = None, size: int = 1) -> None:
        self.plan = plan = filled_up(plan, size) if compiled else plan
        keep_freed_memory()
        models = {seed: plan.model(seed) for seed in {each.seed for each in plan.settings}}
        parameters = {seed: [each.detach() for each in model.parameters()] for seed, model in models.items()}
        weights = [torch.stack(each) for each in zip(*(parameters[each.seed] for each in plan.settings))]
        first = models[plan.settings[0].seed]
        self.like, self.names = weights[0], [name for name, _ in first.named_parameters()]
        lr, momentum = plan.tables()
        self.program = Program(
            layers=tuple(_described(layer) for layer in _flat(first)), loss=plan.loss, optimizer=str(plan.optimizer),
            nesterov=plan.nesterov, has_decay=any(each.weight_decay for each in plan.settings),
            has_momentum=bool((momentum != 0).any()), tiny=compiled and is_tiny(plan),
        )  # fmt: skip
        self.shapes = [each.shape[1:] for each in weights]
        buffers = (1 if self.program.has_momentum else 0) if plan.optimizer == "sgd" else 2
        if self.program.tiny:
            weights = [torch.cat([each.flatten(1) for each in weights], 1).T.contiguous()]
        state = [[torch.zeros_like(each) for each in weights] for _ in range(buffers)]
        self.kept: Any = [each[0] if self.program.tiny else each for each in (weights, *state)]
        self.rows = _rows(plan, lr, momentum, self.like)
        self.points = {part: _points(plan, part, self.like) for part in ("train", "test")}
        self.batches = _batches(plan, *self.points["train"], self.program.tiny)
        call = compiled_step(self.program) if compiled else self.program.step
        self.call = replayed(call, self.like, record)

    @torch.no_grad()
    def train(self, steps: int) -> list[Tensor]:
        """The members' losses before each of the next steps."""
        losses = []
        with many_programs():
            for row, batch in zip(itertools.islice(self.rows, steps), self.batches):
                losses.append(self.call(self.kept, row, *batch))
        return losses

    @torch.no_grad()
    def look(self, step: int) -> Columns:
        """What is recorded of the members before an update."""
        weights, columns = self._weights(), Columns()
        if step in self.plan.traces.evaluated(self.plan.steps):
            train_loss, _ = self._evaluate(weights, "train")
            columns = dict(zip(MEASURED, map(_numpy, (train_loss, *self._evaluate(weights, "test")))))
        members = [dict(zip(self.names, each)) for each in zip(*weights)] if self.plan.traces.of_weights else []
        return columns | together([of_weights(self.plan, step, each) for each in members])

    def _weights(self) -> Any:
        """The weights as a model has them, with the axis of the members before them."""
        weights = self.kept[0]
        if self.program.tiny:
            sizes = [shape.numel() for shape in self.shapes]
            weights = [part.T.reshape(-1, *shape) for part, shape in zip(weights.split(sizes), self.shapes)]
        return weights

    def _evaluate(self, weights: Tensors, part: str) -> tuple[Tensor, Tensor]:
        x, y = self.points[part]
        losses, accuracies = [], []
        together = max(1, CACHED // (x.shape[-2] * max(weight.shape[1] for weight in weights)))
        points: Any = zip(x.split(together), y.split(together)) if x.dim() == 3 else itertools.repeat((x, y))
        for each, (inputs, targets) in zip(zip(*(weight.split(together) for weight in weights)), points):
            outputs = _forward(self.program.layers, *_begun(self.program.layers, each, _features_first(inputs)))
            losses.append(_LOSSES[self.program.loss](outputs, targets).mean(1))
            # max finds the same class as argmax, several times faster along this axis.
            right = (outputs.max(1).indices == targets).double().mean(1) if self.plan.loss == "cross_entropy" else None
            accuracies.append(torch.full_like(losses[-1], float("nan")) if right is None else right)
        return torch.cat(losses), torch.cat(accuracies)


def _flat(model: nn.Module) -> Iterator[nn.Module]:
    if type(model).forward is nn.Sequential.forward:
        for child in model:  # type: ignore[attr-defined]
            yield from _flat(child)
    else:
        yield model


def _described(layer: nn.Module) -> Any:
    if isinstance(layer, nn.Linear):
        return layer.in_features, layer.out_features, layer.bias is not None
    return ACTIVATIONS[type(layer)]


@functools.cache
def compiled_step(program: Program) -> Callable[..., Any]:
    options: Any = ONE_LOOP if program.tiny else None
    return torch.compile(program.step, fullgraph=True, dynamic=False, options=options)


# Each member's weights (K, out, in) meet its inputs (K, in, B), or the inputs (in, B) that all members share: these
# need one product instead of K small ones. With the batch last the bias is added along a row.
def _forward(layers: Sequence[Any], weights: Tensors, x: Any) -> Tensor:
    """The outputs (K, out, B). Without `x`, the first weights stand for their product with the inputs."""
    remaining = iter(weights)
    for layer in layers:
        if callable(layer):
            x = layer(x)
        else:
            x = _product(next(remaining), x)
            x = x + next(remaining)[:, :, None] if layer[2] else x
    return x  # type: ignore[no-any-return]


def _product(weight: Tensor, x: Tensor | None) -> Tensor:
    """The thin products of 64 settings of 2-64-64-2 took as long as the wide ones: written as sums in a program, which
    never stores the terms, they make a step cost 0.89 of what it did."""
    if x is None:
        return weight
    if _summed(weight):
        return (weight[..., None] * x[..., None, :, :]).sum(2)
    return torch.bmm(weight, x) if x.dim() == 3 else (weight.flatten(0, 1) @ x).unflatten(0, weight.shape[:2])


def _summed(weight: Tensor) -> bool:
    return torch.compiler.is_compiling() and min(weight.shape[1:]) <= NARROW


def _begun(layers: Sequence[Any], weights: Tensors, x: Tensor) -> tuple[Tensors, Tensor | None]:
    """The weights and inputs of `_forward`; where all members share the inputs, the first product by rows in place of
    both. Its gradient is another such product, which the chain rule of `torch.func` does not make."""
    if x.dim() == 3 or callable(layers[0]) or _summed(weights[0]):
        return weights, x
    first, *others = weights
    return [by_rows(first.flatten(0, 1), x.T).unflatten(0, first.shape[:2]), *others], None


def _cross_entropy(outputs: Tensor, y: Tensor) -> Tensor:
    members, _, batch = outputs.shape
    return F.cross_entropy(outputs, y.expand(members, batch), reduction="none")


def _mse(outputs: Tensor, y: Tensor) -> Tensor:
    return (outputs - y.transpose(-1, -2)).square().mean(1)


_LOSSES: dict[str, Callable[[Any, Tensor], Tensor]] = {"cross_entropy": _cross_entropy, "mse": _mse}


# The same with every unit a tensor (K, B) and every weight a tensor (K).
def _forward_units(layers: Sequence[Any], weights: Tensors, units: Tensors) -> Tensors:
    remaining = iter(weights)
    for layer in layers:
        if callable(layer):
            units = [_quick_tanh(unit) if layer is torch.tanh else layer(unit) for unit in units]
            continue
        inputs, outputs, bias = layer
        rows = [[next(remaining)[:, None] for _ in range(inputs)] for _ in range(outputs)]
        sums = [_total(weight * unit for weight, unit in zip(row, units)) for row in rows]
        units = [total + next(remaining)[:, None] if bias else total for total in sums]
    return units


def _total(terms: Iterable[Tensor]) -> Tensor:
    """Their sum, without the 0 that Python's own begins with and no compiler may leave out."""
    return functools.reduce(operator.add, terms)


def _quick_tanh(x: Tensor) -> Tensor:
    """The vector code for tanh is several times slower than for the sigmoid, to which it is equal but for rounding."""
    return 2 * torch.sigmoid(2 * x) - 1


def _unit_cross_entropy(outputs: Tensors, y: Tensor) -> Tensor:
    highest = functools.reduce(torch.maximum, [each.detach() for each in outputs])
    total = sum(torch.exp(each - highest) for each in outputs)
    right = outputs[0]
    for label, each in enumerate(outputs[1:], start=1):
        right = torch.where(y == label, each, right)
    return highest + torch.log(total) - right  # type: ignore[arg-type]


def _two_classes(layers: Sequence[Any], weights: Tensors, units: Tensors, y: Tensor) -> Tensor:
    """The cross-entropy of two outputs depends on their difference alone, log(1 + exp(wrong - right)): one output whose
    weights are the differences of theirs makes a step of 4,096 settings of 2-3-2 cost 0.92 of what it did."""
    inputs, _, bias = layers[-1]
    start = len(weights) - 2 * (inputs + bias)
    before, first, second = weights[:start], weights[start : start + inputs], weights[start + inputs :]
    ahead = [b - a for a, b in zip(first, second)] + ([weights[-1] - weights[-2]] if bias else [])
    (lead,) = _forward_units([*layers[:-1], (inputs, 1, bias)], [*before, *ahead], units)
    loss = F.softplus(torch.where(y == 1, -lead, lead), threshold=40)  # above it, equal to its argument in float64
    return loss + 0 * lead  # an infinite output has the loss NaN in PyTorch, right or wrong


def _unit_mse(outputs: Tensors, y: Tensor) -> Tensor:
    return sum((each - target).square() for each, target in zip(outputs, y.unbind(-1), strict=True)) / len(outputs)  # type: ignore[return-value]


_UNIT_LOSSES: dict[str, Callable[[Any, Tensor], Tensor]] = {"cross_entropy": _unit_cross_entropy, "mse": _unit_mse}


# The updates, in the order of PyTorch's own; a row of the tables holds one number per member.
def _rows(plan: Plan, lr: np.ndarray, momentum: np.ndarray, like: Tensor) -> Iterator[Tensor]:
    decay = np.broadcast_to([each.weight_decay for each in plan.settings], lr.shape)
    if plan.optimizer == "sgd":
        columns = [lr, decay, momentum]
    else:
        t = np.arange(1, plan.steps + 1)[:, None]
        shrink = 1 - lr * decay if plan.optimizer == "adamw" else decay
        columns = [lr / (1 - momentum**t), shrink, 1 - momentum, np.broadcast_to(np.sqrt(1 - BETA2**t), lr.shape)]
    return iter(torch.as_tensor(np.stack(columns, 1)).to(like).unbind(0))


def _sgd(program: Program, row: Tensor, weight: Tensor, gradient: Tensor, *state: Tensor) -> Tensors:
    lr, decay, momentum = (each.view(-1, *[1] * (weight.dim() - 1)) for each in row.unbind(0))
    if program.has_decay:
        gradient = torch.where(decay != 0, gradient + decay * weight, gradient)
    if not program.has_momentum:
        return [weight - lr * gradient]
    kept = torch.where(momentum != 0, momentum * state[0] + gradient, state[0])
    moved = gradient + momentum * kept if program.nesterov else kept
    return [weight - lr * torch.where(momentum != 0, moved, gradient), kept]


def _adam(program: Program, row: Tensor, weight: Tensor, gradient: Tensor, *state: Tensor) -> Tensors:
    rate, decay, fresh, root = (each.view(-1, *[1] * (weight.dim() - 1)) for each in row.unbind(0))
    if program.has_decay and program.optimizer == "adamw":
        weight = weight * decay
    elif program.has_decay:
        gradient = torch.where(decay != 0, gradient + decay * weight, gradient)
    mean = torch.lerp(state[0], gradient, fresh)
    square = BETA2 * state[1] + (1 - BETA2) * gradient * gradient
    return [weight - rate * mean / (square.sqrt() / root + EPS), mean, square]


def _batches(plan: Plan, x: Tensor, y: Tensor, tiny: bool) -> Iterator[tuple[Any, Tensor, Tensor]]:
    """The members' batches: inputs, targets and the share of each point in the loss.

    A last batch that is smaller is filled up with its own first point at share 0, so that one program fits all.
    Members with one seed in common see one batch, without the axis of the members.
    """
    points = x.shape[-2]
    rows_x, rows_y = (x.flatten(0, 1), y.flatten(0, 1)) if x.dim() == 3 else (x, y)

    def shaped(x: Tensor, y: Tensor) -> tuple[Any, Tensor]:
        if tiny:
            return [each.contiguous() for each in x.unbind(-1)], y.to(x.dtype)  # classes as floats: one vector type
        return _features_first(x), y

    if plan.batch_size is None:
        yield from itertools.repeat((*shaped(x, y), x.new_full((points,), 1 / points)))
    size = min(plan.batch_size or 0, points)
    first = torch.arange(len(plan.settings), device=x.device)[:, None] * points if x.dim() == 3 else 0
    equal = x.new_full((size,), 1 / size)
    seeds, where = np.unique([each.seed for each in plan.settings], return_inverse=True)
    generators = [np.random.default_rng(int(seed)) for seed in seeds]
    while True:
        order = np.stack([generator.permutation(points) for generator in generators])
        for chosen in torch.as_tensor(order[where] if len(seeds) > 1 else order[0]).to(x.device).split(size, -1):
            count = chosen.shape[-1]
            share = equal
            if count < size:
                chosen = torch.cat([chosen, chosen[..., :1].expand(*chosen.shape[:-1], size - count)], -1)
                share = torch.cat([x.new_full((count,), 1 / count), x.new_zeros(size - count)])
            yield *shaped(taken(rows_x, first + chosen), taken(rows_y, first + chosen)), share


def _features_first(x: Tensor) -> Tensor:
    """The inputs (B, in) as (in, B), with the axis of the members before it if there is one."""
    return x.transpose(-1, -2)


def _points(plan: Plan, part: str, like: Tensor) -> tuple[Tensor, Tensor]:
    """The inputs and the targets of "train" or "test", with the axis of the members if these have data of their own."""
    seeds = {each.seed for each in plan.settings} if plan.draw else {plan.settings[0].seed}
    drawn = {seed: plan.data(seed) for seed in seeds}
    x = {seed: as_tensor(getattr(data, f"x_{part}"), like) for seed, data in drawn.items()}
    y = {seed: _targets(plan, getattr(data, f"y_{part}"), like) for seed, data in drawn.items()}
    if len(seeds) == 1:
        return x.popitem()[1], y.popitem()[1]
    return tuple(torch.stack([each[setting.seed] for setting in plan.settings]) for each in (x, y))  # type: ignore[return-value]


def _targets(plan: Plan, y: np.ndarray, like: Tensor) -> Tensor:
    targets = as_tensor(y, like)
    return targets.view(len(targets), -1).to(like.dtype) if plan.loss == "mse" else targets


def _numpy(tensor: Tensor) -> np.ndarray:
    return tensor.double().cpu().numpy()
