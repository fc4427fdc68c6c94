"""How work ends before its end: by a signal, by a time limit, or because its numbers are lost."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType


class TrainingStopped(RuntimeError):
    """Training ended before its last epoch; a new call resumes from the checkpoint.

    Parameters
    ----------
    message : str
        What was stopped, and by what.
    interrupted : bool
        Whether a signal stopped it, and not a time limit: what else was to be trained is not wanted either.
    """

    def __init__(self, message: str = "", *, interrupted: bool = False) -> None:
        super().__init__(message)
        self.interrupted = interrupted


class TrainingDiverged(RuntimeError):
    """The loss or a weight is not a finite number any more; nothing was saved since."""


@contextlib.contextmanager
def on_signals(stop: Callable[[str], object]) -> Iterator[None]:
    """Call `stop` with the name of the signal at Ctrl-C, SIGTERM or SIGUSR1 (what schedulers send)."""
    numbers = [number for number in signal.Signals if number.name in ("SIGINT", "SIGTERM", "SIGUSR1")]

    def handle(number: int, frame: FrameType | None) -> None:
        stop(f"the signal {signal.Signals(number).name}")

    try:
        before = {number: signal.signal(number, handle) for number in numbers}
    except ValueError:  # not in the main thread: signals are somebody else's business
        before = {}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


def interrupt(reason: str) -> None:
    """Raise KeyboardInterrupt: nothing on the way takes it for an error that it can deal with."""
    raise KeyboardInterrupt(reason)
