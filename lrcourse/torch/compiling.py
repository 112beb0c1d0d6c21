"""PyTorch's compiler in a process that trains many models."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def many_programs() -> Iterator[None]:
    """Every structure and shape is a program; by default PyTorch silently gives up after eight of a kind."""
    with torch._dynamo.config.patch(recompile_limit=1_000):
        yield
