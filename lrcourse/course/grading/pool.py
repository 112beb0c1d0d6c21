"""Many notebooks judged at a time, in processes of this machine or on a cluster."""

import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from nbformat import NotebookNode

from .judge import judge
from .limits import Limits
from .outcome import Judgement
from .sandbox import NoSandbox, Sandbox

_ALONE = threading.Lock()


def judged(
    names: Sequence[str], notebook: Callable[[str], NotebookNode | None], sandbox: Sandbox, limits: Limits,
    jobs: int = -1, cluster: str | None = None,
) -> Iterator[tuple[str, Judgement | str]]:  # fmt: skip
    """Judge `notebook(name)` for every name, as they finish; where there is none, it is left out.

    A notebook that breaks the judge, or kills the process that judges it, yields the reason instead, and the others
    go on. Notebooks are made when their turn comes, so that thousands do not fill the memory.

    Raises: `NoSandbox` if a sandbox cannot be started, `ValueError` for a cluster that does not answer.
    """
    import joblib
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    waiting = dict.fromkeys(names)

    def calls(some: Sequence[str]) -> Iterator[Any]:
        for name in some:
            if (made := notebook(name)) is None:
                waiting.pop(name)
            else:
                yield joblib.delayed(judge_one)(name, made, sandbox, limits)

    with nullcontext() if cluster is None else _connected(cluster) as backend:
        pool = joblib.Parallel(n_jobs=jobs, backend=backend, batch_size=1, return_as="generator_unordered")
        try:
            for name, result in pool(calls(list(waiting))):
                del waiting[name]
                yield name, result
        except TerminatedWorkerError:  # one of those at work did it: find out which
            pass
    for name in list(waiting):
        alone = joblib.Parallel(n_jobs=2, batch_size=1, return_as="generator_unordered")  # with 1, it would run here
        try:
            yield from alone(calls([name]))
        except TerminatedWorkerError:
            yield name, "the process that judged it died"


def _connected(cluster: str) -> AbstractContextManager[Any]:
    from ...sweep.cluster import connected  # which brings PyTorch with it

    return connected(cluster)


def judge_one(name: str, notebook: NotebookNode, sandbox: Sandbox, limits: Limits) -> tuple[str, Judgement | str]:
    try:
        with _ALONE:  # the judge redirects the process's output, and a worker of a cluster may have many threads
            return name, judge(notebook, sandbox, limits)
    except NoSandbox:
        raise
    except Exception:  # a fault of ours, which must not stop the others
        return name, traceback.format_exc(limit=-3)
