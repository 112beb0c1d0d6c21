"""All members as one program, of any module: `torch.func` makes a function of a model, `torch.vmap` runs it for all.

What one member does is written once, as for one model, and `torch.vmap` adds the axis of the members. For networks of
linear layers stacking by hand is faster (`stacked.py`); for everything else, attention and convolutions among it,
this is the way to have several members in one program.
"""

import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.func import functional_call, grad_and_value
from torch.utils._pytree import tree_leaves, tree_map

from ..fingerprint import described, structure
from ..torch.compiling import many_programs
from ..torch.rules import Rule, Tensors
from ..torch.training import as_tensor, loss_function
from .graphs import Recorder
from .members import Members, filled_up, hooked, keep_freed_memory, replayed, taken, trained
from .outcome import Outcome
from .plan import Plan, seeded
from .traces import Columns, Judge, look, together
from .watch import Watch

Tensor = torch.Tensor
EPS = 1e-6  # what PyTorch adds to a norm before it divides by it
PACKED = "all"  # the name of the vector that holds all parameters
PROBE = 2  # points on which it is tried whether a model can be trained so


@dataclass(frozen=True)
class Program:
    """A training step, decided by everything but the numbers. `key`: the same for two programs that do the same."""

    model: nn.Module
    loss_of: Callable[[Tensor, Tensor], Tensor]
    rule: Rule
    clip: float | None
    gradient_norms: bool
    packing: "Packing"
    key: str

    def step(self, kept: Any, constants: Tensors, shared: Any, row: Tensor, batches: Any) -> Tensor:
        """Update what is `kept` in place: weights, the rule's state and averages of the weights. The losses before it,
        shape `(members,)`, or `(2, members)` with the norms of the gradients.

        `constants`: what the models have beside weights; `row`: the rate, the momentum, the decay and what each average
        keeps, shape `(numbers, members)`. `shared`: the axis of the members in `constants` and in `batches`, None where
        all have the same.
        """
        of_constants, of_batches = shared
        members = torch.vmap(self.member, (0, of_constants, 1, of_batches), (0, -1))
        new, losses = members(kept, constants, row, batches)
        torch._foreach_copy_(tree_leaves(kept), tree_leaves(new))
        return losses

    def member(self, kept: Any, constants: Tensors, row: Tensor, batches: Any) -> tuple[Any, Tensor]:
        """The same for one member, nothing in place."""
        params, state, averages = kept
        lr, momentum, decay, *keeps = row.unbind(0)

        def objective(params: Tensors, x: Tensor, y: Tensor) -> Tensor:
            return self.loss_of(functional_call(self.model, (self.packing.unpack(params), constants), (x,)), y)

        parts = [grad_and_value(objective)(params, x, y) for x, y in batches]
        loss = sum(value for _, value in parts) / len(parts)
        grads = {name: sum(each[name] for each, _ in parts) / len(parts) for name in params}
        if self.clip is not None or self.gradient_norms:
            norm = torch.stack([each.square().sum() for each in grads.values()]).sum().sqrt()
        if self.clip is not None:
            scale = (self.clip / (norm + EPS)).clamp(max=1.0)
            grads = {name: scale * each for name, each in grads.items()}
        params, state = self.rule.update(grads, state, params, lr, momentum, decay)
        averages = [
            {name: torch.lerp(each, params[name], (1 - keep).to(each.dtype)) for name, each in average.items()}
            for keep, average in zip(keeps, averages)
        ]
        return [params, state, averages], torch.stack([loss, norm]) if self.gradient_norms else loss


@dataclass(frozen=True)
class Packing:
    """All parameters of a member as one long vector, where the rule does not tell them apart: its update, the clipping
    and the averages are then a few long loops, for the compiler and without it."""

    shapes: dict[str, torch.Size]
    packed: bool

    def pack(self, params: Tensors) -> Tensors:
        return {PACKED: torch.cat([each.flatten() for each in params.values()])} if self.packed else params

    def unpack(self, params: Tensors) -> Tensors:
        if not self.packed:
            return params
        parts = params[PACKED].split([shape.numel() for shape in self.shapes.values()])
        return {name: part.view(shape) for (name, shape), part in zip(self.shapes.items(), parts)}


def unsupported(plan: Plan) -> str | None:
    """Why the members of `plan` cannot be trained so, None if they can: it is tried, on two points."""
    setting = plan.settings[0]
    few = {name: getattr(plan.dataset, name)[:PROBE] for name in ("x_train", "y_train")}
    probe = replace(plan, dataset=replace(plan.dataset, **few), draw=None, settings=[setting] * 2, steps=1,
                    batch_size=None, accumulate=1)  # fmt: skip
    with seeded(setting.seed):
        model = plan.model_fn().train()
        if why_not := _impure(plan, model, probe):
            return why_not
    try:
        Training(probe, compiled=False).train(1)
    except Exception as error:  # whatever a module's author did not expect
        return f"torch.vmap cannot train it ({type(error).__name__}: {str(error).strip().partition(chr(10))[0]})"
    return None


def _impure(plan: Plan, model: nn.Module, probe: Plan) -> str | None:
    """What the model does in training beside giving outputs, which a pure function could not do."""
    for module in model.modules():
        if hooked(module):
            return f"the layer {type(module).__name__} has hooks"
    like = next(model.parameters())
    x, y = (as_tensor(each, like) for each in (probe.dataset.x_train, probe.dataset.y_train))
    buffers = {name: each.clone() for name, each in model.named_buffers()}
    random = _random_state(like)
    outputs = model(x)
    for name, each in model.named_buffers():
        if not torch.equal(each, buffers[name]):
            owner = type(model.get_submodule(name.rpartition(".")[0])).__name__
            return f"{owner} changes its buffer {name} in training"
    if not torch.equal(random, _random_state(like)):
        return "the model draws random numbers in training"
    loss_function(plan.loss)(outputs, y).backward()
    for name, each in model.named_parameters():
        if each.requires_grad and each.grad is None:
            return f"the parameter {name} takes no part in the loss"
    if plan.loss == "cross_entropy" and not all(0 <= label < outputs.shape[-1] for label in plan.labels()):
        return "a label has no output of its own (PyTorch leaves out those that are -100)"
    return None


def _random_state(like: Tensor) -> Tensor:
    return torch.cuda.get_rng_state(like.device) if like.is_cuda else torch.get_rng_state()


def run(plan: Plan, compiled: bool, size: int = 1, watch: Watch | None = None) -> Outcome:
    """Train the members of `plan` together. See `unsupported` and, for `size`, `filled_up`."""
    return trained(plan, Training(plan, compiled, size=size), watch or Watch())


class Training(Members):
    """The members as `torch.vmap` has them. `record` replays the step instead of calling it, as is done on a GPU."""

    def __init__(self, plan: Plan, compiled: bool, record: Recorder | None = None, size: int = 1) -> None:
        self.settings = plan.settings
        self.plan = plan = filled_up(plan, size) if compiled else plan
        keep_freed_memory()
        self.models = {seed: plan.model(seed).train() for seed in {each.seed for each in plan.settings}}
        members = [_split(self.models[each.seed]) for each in plan.settings]
        self.program = programmed(plan, self.models[plan.settings[0].seed])
        packed = [self.program.packing.pack(own) for own, _ in members]
        weights = {name: torch.stack([own[name] for own in packed]) for name in packed[0]}
        self.constants, self.axes = _together([constants for _, constants in members])
        averages = [{name: each.clone() for name, each in weights.items()} for _ in plan.traces.ema]
        state = tree_map(torch.clone, torch.vmap(self.program.rule.init)(weights))  # each member its own memory
        self.kept = [weights, state, averages]
        self.like = next(iter(weights.values()))
        self.rows = _rows(plan, self.like)
        self.shared, batches = _batches(plan, self.like)
        self.batches = _in_groups(batches, plan.accumulate)
        points = len(plan.dataset.x_train)
        self.size = min(plan.batch_size or points, points)
        call = compiled_step(self.program) if compiled else self.program.step
        self.call = replayed(self._bound(call), self.like, record)
        self.call_of_a_smaller_batch = self._bound(self.program.step)
        self.judges: dict[int, Judge] = {}

    @torch.no_grad()
    def train(self, steps: int) -> list[Tensor]:
        """The members' losses before each of the next steps."""
        losses = []
        with many_programs(), one_thread():
            for row, batches in zip(itertools.islice(self.rows, steps), self.batches):
                # A smaller last batch would be a program of its own.
                whole = self.shared is None or all(y.shape[1] == self.size for _, y in batches)
                losses.append((self.call if whole else self.call_of_a_smaller_batch)(self.kept, row, batches))
        return losses

    def _bound(self, step: Callable[..., Tensor]) -> Callable[..., Tensor]:
        """`step` with what never changes."""
        return lambda kept, row, batches: step(kept, self.constants, (self.axes, self.shared), row, batches)

    @torch.no_grad()
    def look(self, step: int) -> Columns:
        """What is recorded of the members before an update, each looked at like a model of its own."""
        weights, state, averages = self.kept
        judged = torch.vmap(self.program.rule.evaluated)(weights, state)
        rows = []
        for i, setting in enumerate(self.settings):
            constants = {name: each if self.axes[name] is None else each[i] for name, each in self.constants.items()}
            packed = [{name: each[i] for name, each in group.items()} for group in (judged, *averages)]
            own, *means = map(self.program.packing.unpack, packed)
            means = [mean | constants for mean in means]
            rows.append(look(self.plan, self._judge(setting.seed), step, own, means, own | constants))
        return together(rows)

    def _judge(self, seed: int) -> Judge:
        if seed not in self.judges:
            self.judges[seed] = Judge(self.plan, self.models[seed], seed)
        return self.judges[seed]


@contextmanager
def one_thread() -> Iterator[None]:
    """Members share the cores by processes: a step of a few small models is too short for threads to help.

    A program is built for a number of threads, so the one that is tried is the one that every process then finds.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def programmed(plan: Plan, model: nn.Module) -> Program:
    own = [plan.loss, plan.rule, plan.clip, plan.traces.gradient_norms]
    shapes = [(name, each.shape, each.dtype) for name, each in (*model.named_parameters(), *model.named_buffers())]
    key = hashlib.sha256(repr([structure(model), shapes, described(own)]).encode()).hexdigest()
    loss_of = cross_entropy if plan.loss == "cross_entropy" else loss_function(plan.loss)
    trained, _ = _split(model)
    one_type = len({each.dtype for each in trained.values()}) == 1
    packing = Packing({name: each.shape for name, each in trained.items()}, plan.rule.elementwise and one_type)
    return Program(model, loss_of, plan.rule, plan.clip, plan.traces.gradient_norms, packing, key)


PROGRAMS: dict[str, Callable[..., Tensor]] = {}


def compiled_step(program: Program) -> Callable[..., Tensor]:
    """The program, compiled; one that does the same is built once in a process."""
    if program.key not in PROGRAMS:
        PROGRAMS[program.key] = torch.compile(program.step, fullgraph=True, dynamic=False)
    return PROGRAMS[program.key]


def cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """The same as PyTorch's for scores along the last axis; a gather is what `torch.vmap` has a rule for."""
    return -outputs.log_softmax(-1).gather(-1, targets.unsqueeze(-1)).mean()


def _split(model: nn.Module) -> tuple[Tensors, Tensors]:
    """What is trained, and what a model has beside that."""
    named = {name: each.detach() for name, each in model.named_parameters() if each.requires_grad}
    frozen = {name: each.detach() for name, each in model.named_parameters() if not each.requires_grad}
    return named, frozen | dict(model.named_buffers())


def _together(constants: Sequence[Tensors]) -> tuple[Tensors, dict[str, int | None]]:
    """The members' constants, with the axis of the members, None where all have the same."""
    joined: Tensors = {}
    axes: dict[str, int | None] = {}
    for name, first in constants[0].items():
        different = any(not torch.equal(first, each[name]) for each in constants)
        # A copy, as a program that finds the model's own would be built again for those of another model.
        joined[name] = torch.stack([each[name] for each in constants]) if different else first.clone()
        axes[name] = 0 if different else None
    return joined, axes


def _rows(plan: Plan, like: Tensor) -> Iterator[Tensor]:
    """The numbers of every update, shape `(numbers, members)`; in float64, so that a correction can be computed."""
    lr, momentum = plan.tables()
    decay = np.broadcast_to([each.weight_decay for each in plan.settings], lr.shape)
    keeps = [np.where(np.arange(plan.steps)[:, None] > 0, np.full(lr.shape, each), 0.0) for each in plan.traces.ema]
    return iter(torch.as_tensor(np.stack([lr, momentum, decay, *keeps], 1), device=like.device).unbind(0))


def _batches(plan: Plan, like: Tensor) -> tuple[int | None, Iterator[tuple[Tensor, Tensor]]]:
    """The axis of the members in their batches, and these, inputs and targets."""
    seeds, where = np.unique([each.seed for each in plan.settings], return_inverse=True)
    drawn = [plan.data(int(seed)) for seed in seeds] if plan.draw else [plan.dataset]
    x, y = (torch.stack([as_tensor(getattr(data, name), like) for data in drawn]) for name in ("x_train", "y_train"))
    if plan.batch_size is None:
        whole = (x[where], y[where]) if plan.draw else (x[0], y[0])
        return 0 if plan.draw else None, itertools.repeat(whole)
    of_data = torch.as_tensor(where if plan.draw else np.zeros_like(where))[:, None]
    return 0, _mini_batches(x, y, plan.batch_size, [int(seed) for seed in seeds], where, of_data)


def _in_groups(batches: Iterator[tuple[Tensor, Tensor]], size: int) -> Iterator[list[tuple[Tensor, Tensor]]]:
    while True:
        yield list(itertools.islice(batches, size))


def _mini_batches(
    x: Tensor, y: Tensor, size: int, seeds: Sequence[int], where: np.ndarray, of_data: Tensor
) -> Iterator[tuple[Tensor, Tensor]]:
    """Each member's mini-batches, in the order of its seed as in `lrcourse.torch.train`."""
    generators = [np.random.default_rng(seed) for seed in seeds]
    rows_x, rows_y, first = x.flatten(0, 1), y.flatten(0, 1), of_data.to(x.device) * x.shape[1]
    while True:
        order = np.stack([generator.permutation(x.shape[1]) for generator in generators])[where]
        for chosen in torch.as_tensor(order, device=x.device).split(size, 1):
            yield taken(rows_x, first + chosen), taken(rows_y, first + chosen)
