"""Members that train together, between two steps: what all ways of stacking them have in common."""

import ctypes
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import torch
from torch.utils._pytree import tree_leaves

from .graphs import Recorder, Replayed, cuda_graph
from .outcome import Outcome
from .plan import Plan
from .traces import Columns, Looks
from .watch import SHORT, Watch

Tensor = torch.Tensor
MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1  # glibc's numbers for them
LARGE, KEPT = 2**25, 2**26  # bytes: the most that glibc takes for the first, and twice as much, as it chooses itself


class Members(ABC):
    """What a way of stacking sets: `kept`, all tensors that a step changes; `like`, one of them; `rows`, the numbers of
    every update; `batches`, the data of every update."""

    kept: Any
    like: Tensor
    rows: Iterator[Tensor]
    batches: Iterator[Any]

    @abstractmethod
    def train(self, steps: int) -> list[Tensor]:
        """The members' losses before each of the next steps."""

    @abstractmethod
    def look(self, step: int) -> Columns:
        """What is recorded of the members before an update."""

    def state(self, losses: Sequence[Tensor]) -> dict[str, Any]:
        """All that training goes on from after these losses."""
        return {"kept": tree_leaves(self.kept), "losses": torch.stack(list(losses))}

    def resume(self, state: dict[str, Any] | None) -> list[Tensor]:
        """Go on from a `state` of the same members; the losses up to it."""
        if state is None:
            return []
        for tensor, kept in zip(tree_leaves(self.kept), state["kept"], strict=True):
            tensor.copy_(kept)
        losses = state["losses"].to(self.like.device)
        for _ in losses:
            next(self.rows), next(self.batches)
        return list(losses)


def trained(plan: Plan, members: Members, watch: Watch) -> Outcome:
    """The outcome of the members of `plan`; there may be more, that fill up a program."""
    count, piece = len(plan.settings), 1
    state = watch.state()
    losses, looks = members.resume(state), Looks(plan, state)

    def so_far() -> dict[str, Any]:
        return members.state(losses) | looks.state()

    while len(losses) < plan.steps:
        looks.take(len(losses), members.look)
        started = time.perf_counter()
        new = members.train(min(piece, looks.next(len(losses)) - len(losses)))
        losses += new
        piece *= 2 if time.perf_counter() - started < SHORT else 1
        watch.done(count * len(new), so_far)
    looks.take(plan.steps, members.look)
    return looks.outcome(torch.stack(list(losses), -1).double().cpu().numpy(), count)


def taken(x: Tensor, at: Tensor) -> Tensor:
    """`x[at]`, points of data, each copied as a piece of memory instead of number by number, in a fifth of the time.
    The batches of members that each have an order of their own took a quarter of a step.

    >>> taken(torch.tensor([[1, 2], [3, 4]]), torch.tensor([[1, 0], [1, 1]])).tolist()
    [[[3, 4], [1, 2]], [[3, 4], [3, 4]]]
    """
    return x.index_select(0, at.flatten()).unflatten(0, at.shape)  # type: ignore[no-any-return]


def filled_up(plan: Plan, size: int) -> Plan:
    """The plan with so many members as a program fits, which is one of a few numbers: that of `size` members, if there
    are fewer, for the last part of a sweep has no program of its own."""
    extra = padded(max(size, len(plan.settings))) - len(plan.settings)
    return replace(plan, settings=[*plan.settings, *[plan.settings[-1]] * extra])


def padded(members: int) -> int:
    """`members` rounded up to 1, 2, 3, 4, 6, 8, 12, 16, …: at most a third is wasted, and few programs are built.

    >>> [padded(members) for members in (1, 5, 9, 64, 65)]
    [1, 6, 12, 64, 96]
    """
    power = 1 << (members - 1).bit_length()
    return power * 3 // 4 if members <= power * 3 // 4 else power


def replayed(call: Callable[..., Any], like: Tensor, record: Recorder | None) -> Callable[..., Any]:
    """`call`, or what replays it: on a GPU, or where a `record` is given."""
    if record is None and like.is_cuda:
        record = cuda_graph
    return call if record is None else Replayed(call, record)


def keep_freed_memory() -> None:
    """Have the C library keep memory that is freed, as a step needs as much as the last one.

    Otherwise glibc may return it to the system after every step, and new pages are cleared for the next: without a
    compiler, a third on top of a step of 64 settings of 2-64-64-2. By itself glibc learns better when a large block is
    freed, but no more once anyone has called `mallopt`, as TensorFlow does when it reads from a generator.
    """
    if sys.platform == "linux":
        with suppress(AttributeError):  # another C library
            mallopt = ctypes.CDLL(None).mallopt
            mallopt(MMAP_THRESHOLD, LARGE)
            mallopt(TRIM_THRESHOLD, KEPT)


def hooked(module: torch.nn.Module) -> bool:
    """Whether something runs beside the layer, which a program would leave out."""
    hooks = [module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks]
    for parameter in module.parameters(recurse=False):
        hooks += [parameter._backward_hooks or {}, parameter._post_accumulate_grad_hooks or {}]
    return any(hooks)
