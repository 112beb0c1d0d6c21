"""A Dask cluster, whose workers train the pieces of a sweep in the place of processes on this machine."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

from ..extras import extra
from ..validation import bad

WAIT = 5.0  # seconds for the scheduler to answer, and for a first worker


@contextlib.contextmanager
def connected(address: str) -> Iterator[Any]:
    """The cluster whose scheduler is at `address`, as a backend of joblib.

    Raises: `ValueError` if no scheduler answers there, or no worker is connected to it.
    """
    with extra("cluster"):
        from distributed import Client
        from distributed.comm.addressing import get_address_host_port
        from joblib._dask import DaskDistributedBackend

    class Backend(DaskDistributedBackend):  # type: ignore[misc]
        def effective_n_jobs(self, n_jobs: int) -> int:
            return max(2, int(super().effective_n_jobs(n_jobs)))  # told of one job, joblib would run it here

        # What fails outside the function (a model that a worker cannot load, a part that kills every worker) would
        # never be reported, and joblib would wait forever.
        def submit(self, func: Any, callback: Any = None) -> Future[Any]:
            job: Future[Any] = super().submit(func, callback)
            job.add_done_callback(lambda done: callback(done) if done.exception() else None)
            return job

        def retrieve_result_callback(self, out: Any) -> Any:
            return super().retrieve_result_callback(out.result() if isinstance(out, Future) else out)

    try:
        get_address_host_port(address)  # a client of an impossible address would wait for its own end
        client = Client(address, timeout=WAIT, set_as_default=False)
    except (OSError, ValueError, MemoryError) as error:  # another server's greeting is read as an enormous length
        start = f"start one with `dask scheduler` ({error})"
        raise bad("cluster", address, "the address of a Dask scheduler", start) from None
    with client:
        try:
            client.wait_for_workers(1, timeout=WAIT)
        except TimeoutError:
            start = f"start some with `dask worker {address} --nworkers auto --nthreads 1`"
            raise bad("cluster", address, "a cluster with workers", start) from None
        yield Backend(client=client)
