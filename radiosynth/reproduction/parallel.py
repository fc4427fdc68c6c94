"""Trainings side by side, as long as there is time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from radiosynth._io import log
from radiosynth.parallel import each
from radiosynth.stopping import TrainingStopped


def run_missing(
    run: Callable[..., object],
    tasks: Iterable[Any],
    done: Callable[[Any], bool],
    what: str,
    jobs: int,
    time_limit: float | None,
) -> None:
    """Run the tasks that are not done and for which there is time, and say which are done.

    Parameters
    ----------
    run : callable
        Takes a task and ``time_limit``, in seconds; None from it says that another process is at the task.
    tasks : iterable
        What is to be run, each with a ``name``.
    done : callable
        Tells whether a task is done.
    what : str
        What the tasks are called where some are left.
    jobs : int
        How many at a time.
    time_limit : float or None
        Seconds after which nothing new is begun.

    Raises
    ------
    TrainingStopped
        If some are left, or if a signal stopped the work.
    """
    deadline = None if time_limit is None else time.time() + time_limit
    missing = [task for task in dict.fromkeys(tasks) if not done(task)]
    for name in filter(None, each(partial(_run_one, run, deadline=deadline), missing, jobs)):
        log.info("%s", name)
    if left := sum(not done(task) for task in missing):
        msg = f"{left} of {len(missing)} {what} are left; run the same command again to resume"
        raise TrainingStopped(msg)


def _run_one(run: Callable[..., object], task: Any, deadline: float | None) -> str:
    """Run a task and return its name, or nothing if there was no time or another process is at it."""
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
