"""The same work for many students, several at a time, each in a process of its own (see `child`)."""

import pickle
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from . import child

Work = Iterable[tuple[str, tuple[Any, ...]]]


def results(
    function: Callable[..., Any], work: Work, seconds: float, jobs: int = -1, cluster: str | None = None
) -> Iterator[tuple[str, Any]]:
    """`function(*args)` for every name and `args` of `work`, with its name, as they finish.

    What comes to no end within `seconds`, raises or dies is a `child.Failed` in the place of a result, and the others
    go on. `work` is taken up when its turn comes, so that thousands do not fill the memory.

    Raises: `NoSandbox` if a sandbox cannot be started, `ValueError` for a cluster that does not answer.
    """
    import joblib

    with nullcontext("threading") if cluster is None else _connected(cluster) as backend:
        calls = (joblib.delayed(_one)(name, pickle.dumps((function, args)), seconds) for name, args in work)
        yield from joblib.Parallel(n_jobs=jobs, backend=backend, batch_size=1, return_as="generator_unordered")(calls)


def _one(name: str, work: bytes, seconds: float) -> tuple[str, Any]:
    try:
        return name, child.call_packed(work, seconds)
    except child.Failed as failed:
        return name, failed


def _connected(cluster: str) -> AbstractContextManager[Any]:
    from ...sweep.cluster import connected  # which brings PyTorch with it

    return connected(cluster)
