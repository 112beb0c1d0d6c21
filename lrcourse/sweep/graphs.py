"""A step that is recorded once and replayed, for a GPU: starting a small step's kernels takes longer than they run.

Written for CUDA graphs, and tested on a processor with a recording that calls.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils._pytree import tree_leaves, tree_map

Tensor = torch.Tensor
Recorder = Callable[[Callable[[], Tensor]], Callable[[], Tensor]]
WARM_UP = 3  # calls before a recording: they compile, choose algorithms and allocate, which cannot be replayed


def cuda_graph(call: Callable[[], Tensor]) -> Callable[[], Tensor]:
    """Record the kernels of `call` as a CUDA graph; what replays them returns the same tensor each time."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARM_UP):
            call()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = call()

    def replay() -> Tensor:
        graph.replay()
        return result

    return replay


class Replayed:
    """`step(kept, *inputs)`, which updates `kept` in place, as a recording whose inputs are copied into its own."""

    def __init__(self, step: Callable[..., Tensor], record: Recorder) -> None:
        self.step = step
        self.record = record
        self.replay: Callable[[], Tensor] | None = None
        self.buffers: list[Tensor] = []

    def __call__(self, kept: Sequence[Any], *inputs: Any) -> Tensor:
        if self.replay is None:
            self._record(kept, inputs)
        torch._foreach_copy_(self.buffers, tree_leaves(inputs))
        return self.replay().clone()  # type: ignore[misc]

    def _record(self, kept: Sequence[Any], inputs: Any) -> None:
        own = tree_map(torch.clone, inputs)
        self.buffers = tree_leaves(own)
        state = tree_leaves(kept)
        before = [each.clone() for each in state]
        self.replay = self.record(lambda: self.step(kept, *own))
        torch._foreach_copy_(state, before)  # recording has trained
