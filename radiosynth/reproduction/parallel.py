"""Runs side by side, by joblib: on one machine, or on many under ``joblib.parallel_config``."""

from __future__ import annotations

import logging
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, TypeVar

import joblib

from radiosynth.stopping import TrainingStopped

log = logging.getLogger("radiosynth")

T = TypeVar("T")


@cache
def _end_with(parent: int) -> None:
    """Watch from now on whether the parent lives: loky's workers would stay for ever."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def run_in_time(run: Callable[..., object], tasks: Sequence[Any], jobs: int, deadline: float | None) -> None:
    """Run all tasks for which there is time, each with the time that is left, and say which are done.

    Parameters
    ----------
    run : callable
        Takes a task and ``time_limit``, in seconds; None from it says that another process is at the task.
    tasks : sequence
        What is to be run, each with a ``name``.
    jobs : int
        How many at a time.
    deadline : float or None
        When to end, as `time.time` has it.

    Raises
    ------
    TrainingStopped
        If a signal stopped the work.
    """
    if jobs != 1:  # TensorFlow reads the number of threads when it starts
        threads = max(1, joblib.cpu_count() // joblib.effective_n_jobs(jobs))
        os.environ["TF_NUM_INTRAOP_THREADS"] = str(threads)
    work = joblib.Parallel(jobs, return_as="generator_unordered", pre_dispatch="n_jobs", batch_size=1)
    for name in work(joblib.delayed(_run_one)(os.getpid(), run, task, deadline) for task in tasks):
        if name:
            log.info("%s", name)


def run_missing(
    run: Callable[..., object],
    tasks: Iterable[T],
    done: Callable[[T], bool],
    what: str,
    jobs: int,
    deadline: float | None,
) -> None:
    """Run the tasks that are not done, as `run_in_time`; what the tasks are is said where some are left."""
    missing = [task for task in dict.fromkeys(tasks) if not done(task)]
    run_in_time(run, missing, jobs, deadline)
    if left := sum(not done(task) for task in missing):
        msg = f"{left} of {len(missing)} {what} are left; run the same command again to resume"
        raise TrainingStopped(msg)


def _run_one(parent: int, run: Callable[..., object], task: Any, deadline: float | None) -> str:
    """Run a task and return its name, or nothing if there was no time or another process is at it."""
    if multiprocessing.current_process().name.startswith("Loky"):  # no thread, nor another machine
        _end_with(parent)
    import keras

    left = None if deadline is None else deadline - time.time()
    if left is not None and left <= 0:
        return ""
    try:
        return task.name if run(task, time_limit=left) else ""
    except TrainingStopped as stop:
        if stop.interrupted:
            raise
        return ""
    finally:
        keras.utils.clear_session()  # else every network that was built stays in memory
