"""Work side by side, by joblib: on one machine, or on many by Dask."""

from __future__ import annotations

import logging
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from importlib.util import find_spec
from typing import Any, TypeVar

import joblib

from radiosynth._io import check

T = TypeVar("T")
R = TypeVar("R")

THREADS = "TF_NUM_INTRAOP_THREADS"
"""What TensorFlow reads the number of its threads from at its first operation."""


def each(do: Callable[[T], R], tasks: Iterable[T], jobs: int, ahead: int = 1) -> Iterator[R]:
    """Yield what `do` returns for each task as it is done, by `jobs` processes, each sent `ahead` tasks."""
    most = max(jobs, joblib.effective_n_jobs(jobs))  # of a cluster not all may be there yet
    threads = max(1, joblib.cpu_count() // most)
    work = joblib.Parallel(jobs, return_as="generator_unordered", pre_dispatch=ahead * most, batch_size=1)
    return work(joblib.delayed(_in_worker)(os.getpid(), threads, do, task) for task in tasks)


def _in_worker(parent: int, threads: int, do: Callable[[T], R], task: T) -> R:
    """Do a task in a worker of so many threads, which ends with its parent, also where that is killed."""
    if multiprocessing.current_process().name.startswith("Loky"):  # not here, nor on another machine
        os.environ[THREADS] = str(threads)
        _end_with(parent)
    return do(task)


@cache
def _end_with(parent: int) -> None:
    """End this worker when its parent ends; it would otherwise finish the tasks it was sent."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _dask(client: Any) -> Any:
    """Return joblib's way to Dask, which would do the work here while the cluster has one worker."""
    from joblib._dask import DaskDistributedBackend

    class Dask(DaskDistributedBackend):
        def effective_n_jobs(self, n_jobs: int) -> int:
            return max(2, super().effective_n_jobs(n_jobs))

    return Dask(client=client)


@contextmanager
def on_cluster(where: str | None, jobs: int) -> Iterator[int]:
    """Let `each` work on a cluster, and yield the number of jobs there.

    Parameters
    ----------
    where : str or None
        Address of a Dask scheduler; or "slurm", for as many jobs as asked for of the cluster on which this is
        called, each as the configuration of dask-jobqueue says (one core and 4 GB by default); or None, for
        this machine.
    jobs : int
        Jobs of Slurm, or tasks at a time if there are more than threads on the workers of a scheduler.

    Yields
    ------
    int
        Tasks at a time.

    Raises
    ------
    ValueError
        If packages are missing: ``pip install radiosynth[cluster]``.
    OSError
        If no scheduler answers.
    """
    if where is None:
        yield jobs
        return
    needed = "dask_jobqueue" if where == "slurm" else "distributed"
    check(find_spec(needed), f"a cluster needs {needed}: pip install 'radiosynth[cluster]'")
    from distributed import Client

    logging.getLogger("distributed").setLevel(logging.WARNING)  # else every connection is reported
    with ExitStack() as stack:
        cluster: Any = where
        if where == "slurm":
            import dask
            from dask_jobqueue import SLURMCluster

            usual = {"cores": 1, "memory": "4GB"}
            set_by_user = dask.config.get("jobqueue.slurm", {})
            cluster = SLURMCluster(**{name: set_by_user.get(name) or usual[name] for name in usual})
            # Jobs that end are submitted again.
            stack.enter_context(cluster).adapt(minimum_jobs=jobs, maximum_jobs=jobs)
        client = stack.enter_context(Client(cluster))
        client.wait_for_workers(1)
        stack.enter_context(joblib.parallel_config(_dask(client)))
        yield max(jobs, sum(client.nthreads().values()))
