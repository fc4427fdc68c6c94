"""Train any Keras model so that it can be stopped at any moment and ends with the same numbers.

`fit` runs Keras' own ``fit`` over epochs whose order of images depends on the seed and the epoch alone,
and keeps one checkpoint file with everything that the next epoch depends on: weights, optimiser, the
states of all random generators, and the history so far.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import signal
import sys
import time
import zlib
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ._io import write_arrays
from .sample import DAMAGED, write_atomically

__all__ = ["Batches", "History", "TrainingStopped", "fit", "load_weights", "save_weights"]

log = logging.getLogger("radiosynth")

History = dict[str, list[float]]
"""One list of values per measured quantity, one value per epoch."""

Stream = Generator[tuple[NDArray[Any], ...], None, None]
"""Batches without end."""


CHECKPOINT_SHARE = 0.1
"""Largest share of the time that is spent on writing checkpoints."""


class TrainingStopped(RuntimeError):
    """Training ended before its last epoch; a new call goes on from the checkpoint.

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


class Batches:
    """Shuffled batches whose order depends on the seed and the epoch alone.

    A plain generator feeds Keras, because the threads that read a `keras.utils.PyDataset` may see the
    order of the next epoch before this one has ended.

    Parameters
    ----------
    arrays : sequence of ndarray
        Arrays of one length, such as images and labels; a batch is a tuple of their parts. They may be
        memory maps.
    batch_size : int
        Images in a batch.
    seed : int
        Seed of the order.
    drop_last : bool
        Leave out a last batch that is not full.

    Examples
    --------
    >>> batches = Batches([np.arange(5)], 2, seed=0)
    >>> [rows.tolist() for (rows,), _ in zip(batches.stream(first_epoch=3), range(3))]
    [[0, 3], [1, 2], [4]]
    """

    def __init__(
        self, arrays: Sequence[NDArray[Any]], batch_size: int, *, seed: int, drop_last: bool = False
    ) -> None:
        count = len(arrays[0])
        if count == 0 or batch_size < 1:
            msg = f"{count} images in batches of {batch_size}: give at least one image, and one to a batch"
            raise ValueError(msg)
        self.arrays, self.batch_size, self.seed = tuple(arrays), min(batch_size, count), seed
        self.steps = count // self.batch_size if drop_last else -(-count // self.batch_size)

    def digest(self) -> str:
        """Return a checksum of the arrays, to tell trainings apart that nothing else tells apart.

        Images that a generator draws anew are equal to rounding only, so it is no use for them.
        """
        sums = (zlib.crc32(np.ascontiguousarray(array).view(np.uint8).data) for array in self.arrays)
        return "-".join(f"{each:08x}" for each in sums)

    def stream(self, first_epoch: int) -> Stream:
        """Yield batches without end, from the first of an epoch on."""
        for epoch in itertools.count(first_epoch):
            order = np.random.default_rng([self.seed, epoch]).permutation(len(self.arrays[0]))
            for step in range(self.steps):
                # Sorted rows are read faster, from memory maps above all; inside a batch order is no matter.
                rows = np.sort(order[step * self.batch_size : (step + 1) * self.batch_size])
                yield tuple(array[rows] for array in self.arrays)


def _state(model: keras.Model) -> list[Any]:
    """Return every variable that the next epoch depends on; metrics start anew with each epoch."""
    metrics = {id(variable) for variable in model.metrics_variables}
    kept = [variable for variable in model.variables if id(variable) not in metrics]
    if model.optimizer is not None:
        model.optimizer.build(model.trainable_variables)
        kept += model.optimizer.variables
    return kept


def _save_checkpoint(path: Path, model: keras.Model, history: History, fingerprint: str) -> None:
    if hasattr(model, "jax_state_sync"):  # the JAX trainer keeps the state outside the variables
        model.jax_state_sync()
    arrays = {f"v{i}": keras.ops.convert_to_numpy(v) for i, v in enumerate(_state(model))}
    meta = np.array(json.dumps({"history": history, "fingerprint": fingerprint}))
    write_atomically(path, lambda partial: np.savez(partial, meta=meta, **arrays))


def _load_checkpoint(path: Path, model: keras.Model, fingerprint: str) -> History:
    variables = _state(model)
    with np.load(path, allow_pickle=False) as stored:
        meta = json.loads(str(stored["meta"]))
        if meta["fingerprint"] != fingerprint or len(stored.files) != len(variables) + 1:
            msg = (
                f"{path} is a checkpoint of another training ({meta['fingerprint']}, not {fingerprint}): "
                "give another folder, or remove that file"
            )
            raise ValueError(msg)
        for i, variable in enumerate(variables):
            variable.assign(stored[f"v{i}"])
    return {key: list(values) for key, values in meta["history"].items()}


class _Conductor(keras.callbacks.Callback):
    """Keep history and checkpoint, show progress, and stop at a time limit or a signal."""

    def __init__(
        self,
        save: Callable[[History], None],
        history: History,
        *,
        images: int,
        time_limit: float | None,
        bar: tqdm,
    ) -> None:
        super().__init__()
        self.save, self.history, self.images = save, history, images
        self.time_limit, self.bar, self.cost = time_limit, bar, 0.0
        self.begun = self.saved_at = time.monotonic()
        self.reason, self.interrupted = "", False
        self.saved = len(history.get("seconds", []))

    def on_train_begin(self, logs: Any = None) -> None:
        if self.reason:  # a signal came before Keras began, and Keras has forgotten it
            self.model.stop_training = True

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch_begun = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if self.reason:  # the epoch was cut short by a signal: it is done again when training goes on
            self.model.stop_training = True
            return
        now = time.monotonic()
        seconds = now - self.epoch_begun
        for key, value in {**(logs or {}), "seconds": seconds}.items():
            self.history.setdefault(key, []).append(float(value))
        shown = {key: f"{value:.3g}" for key, value in (logs or {}).items()}
        self.bar.set_postfix({"images/s": f"{self.images / seconds:.0f}", **shown}, refresh=False)
        self.bar.update()
        if self.time_limit is not None and now - self.begun + seconds > self.time_limit:
            self.reason = "the time limit"
        last = epoch + 1 == self.params["epochs"]
        if last:
            self.reason = ""
        if last or self.reason or CHECKPOINT_SHARE * (now - self.saved_at) > self.cost:
            self.save(self.history)
            self.saved, self.saved_at = epoch + 1, time.monotonic()
            self.cost = self.saved_at - now
        if self.reason:
            self.model.stop_training = True


@contextlib.contextmanager
def _signals(stop: Callable[[str], None]) -> Iterator[None]:
    """Turn SIGTERM and SIGUSR1 (what schedulers send) and Ctrl-C into a request to stop."""
    names = [name for name in ("SIGINT", "SIGTERM", "SIGUSR1") if hasattr(signal, name)]

    def handle(number: int, frame: FrameType | None) -> None:
        stop(f"the signal {signal.Signals(number).name}")

    before = {}
    try:
        for name in names:
            number = getattr(signal, name)
            before[number] = signal.signal(number, handle)
    except ValueError:  # not in the main thread: signals are somebody else's business
        pass
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


@contextlib.contextmanager
def _released(stream: Stream) -> Iterator[Stream]:
    """Let go of the images of a stream in the end: TensorFlow keeps every generator it ever read from."""
    try:
        yield stream
    finally:
        for _ in range(100):
            try:
                stream.close()
                break
            except ValueError:  # a thread is still drawing the batch after the last
                time.sleep(0.01)


def fit(
    model: keras.Model,
    batches: Batches,
    *,
    epochs: int,
    folder: Path,
    fingerprint: str,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    time_limit: float | None = None,
    title: str = "training",
) -> History:
    """Train to `epochs` epochs, going on from the checkpoint in `folder` if there is one.

    Parameters
    ----------
    model : keras.Model
        Compiled and built model.
    batches : Batches
        What to train on.
    epochs : int
        Number of epochs in all.
    folder : Path
        Folder of ``checkpoint.npz``; made if absent. It is written after each epoch, or as often as takes a
        tenth of the time; after a crash what came later is done again, with the same numbers.
    fingerprint : str
        Identity of this training, such as the hash of its configuration.
    callbacks : sequence of keras.callbacks.Callback
        Called by Keras as usual, before the checkpoint of the epoch is written.
    time_limit : float, optional
        Seconds in which to end: no further epoch is begun that would take longer.
    title : str
        Shown before the progress bar.

    Returns
    -------
    dict of str to list of float
        What Keras logged, and the seconds taken, one value per epoch.

    Raises
    ------
    ValueError
        If the folder holds the checkpoint of another training.
    TrainingStopped
        If a time limit or a signal ended the training; calling again goes on.
    """
    path = folder / "checkpoint.npz"
    history: History = _load_checkpoint(path, model, fingerprint) if path.exists() else {}
    done = len(history.get("seconds", []))
    if done >= epochs:
        return history
    if done:
        log.info("%s goes on after epoch %d of %d", title, done, epochs)
    bar = tqdm(total=epochs, initial=done, desc=title, unit="epoch", disable=not sys.stderr.isatty())
    conductor = _Conductor(
        lambda so_far: _save_checkpoint(path, model, so_far, fingerprint),
        history,
        images=batches.steps * batches.batch_size,
        time_limit=time_limit,
        bar=bar,
    )

    def stop(reason: str) -> None:
        conductor.reason, conductor.interrupted = reason, True
        model.stop_training = True  # Keras looks at this after every step

    with bar, _signals(stop), _released(batches.stream(done)) as stream:
        model.fit(
            stream,
            steps_per_epoch=batches.steps,
            epochs=epochs,
            initial_epoch=done,
            shuffle=False,  # the stream is shuffled already
            verbose=0,
            callbacks=[*callbacks, conductor],
        )
    if len(history.get("seconds", [])) < epochs:
        msg = (
            f"{title} was stopped by {conductor.reason} after {conductor.saved} of {epochs} epochs; "
            "run the same command again to go on"
        )
        raise TrainingStopped(msg, interrupted=conductor.interrupted)
    return history


def save_weights(model: keras.Model, path: Path, *, dtype: str = "float32") -> None:
    """Write the weights of a model as plain arrays, at half the size with ``dtype="float16"``."""
    arrays = {f"w{i}": np.asarray(weight, dtype) for i, weight in enumerate(model.get_weights())}
    write_arrays(path, **arrays)


def load_weights(model: keras.Model, path: Path) -> None:
    """Read weights written by `save_weights` into a model of the same architecture.

    Raises
    ------
    ValueError
        If the file holds weights of other shapes, or something else.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = [stored[f"w{i}"].astype(np.float32) for i in range(len(stored.files))]
    except FileNotFoundError:
        raise
    except DAMAGED as error:
        msg = f"{path} holds no weights, or damaged ones ({error!r}): fetch or train them anew"
        raise ValueError(msg) from error
    shapes, expected = [a.shape for a in arrays], [tuple(w.shape) for w in model.weights]
    if shapes != expected:
        msg = f"{path} does not hold the weights of this {model.name}: shapes {shapes}, expected {expected}"
        raise ValueError(msg)
    model.set_weights(arrays)
