"""Train any Keras model so that it can be stopped at any moment and ends with the same numbers.

`fit` calls Keras' own ``fit`` for each epoch, whose order of images depends on the seed and the epoch alone,
and keeps one checkpoint file with everything that the next epoch depends on: weights, optimiser, the
states of all random generators, and the history so far.
"""

# Why not Keras' own tools: BackupAndRestore and ModelCheckpoint leave out the states of the random generators
# (noise, dropout) and the history, so that a resumed training ends with other numbers; they cannot tell that
# a checkpoint belongs to another training, and do not replace their files atomically. TerminateOnNaN ends a
# training as if all were well. The threads that read a PyDataset may see the order of the next epoch before
# this one has ended.

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from radiosynth._io import check, log, read_arrays, readable, write_arrays, write_atomically
from radiosynth.sample import Sample
from radiosynth.stopping import TrainingDiverged, TrainingStopped, on_signals

History = dict[str, list[float]]
"""One list of values per measured quantity, one value per epoch."""


Stream = Generator[tuple[NDArray[Any], ...], None, None]
"""The batches of an epoch."""


class Batches:
    """Shuffled batches whose order depends on the seed and the epoch alone.

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
    >>> [rows.tolist() for (rows,) in batches.epoch(3)]
    [[0, 3], [1, 2], [4]]
    """

    def __init__(
        self, arrays: Sequence[NDArray[Any]], batch_size: int, *, seed: int, drop_last: bool = False
    ) -> None:
        count = len(arrays[0])
        fault = f"{count} images in batches of {batch_size}: give at least one image, and one to a batch"
        check(count and batch_size >= 1, fault)
        self.arrays, self.batch_size, self.seed = tuple(arrays), min(batch_size, count), seed
        self.steps = count // self.batch_size if drop_last else -(-count // self.batch_size)

    def epoch(self, number: int) -> Stream:
        """Yield the batches of an epoch."""
        order = np.random.default_rng([self.seed, number]).permutation(len(self.arrays[0]))
        for step in range(self.steps):
            # Sorted rows are read faster, above all from memory maps; order within a batch does not matter.
            rows = np.sort(order[step * self.batch_size : (step + 1) * self.batch_size])
            yield tuple(array[rows] for array in self.arrays)


def fingerprint(name: str, settings: object, *arrays: NDArray[Any]) -> str:
    """Return the identity of a training: its settings and its name, or a checksum of all that it reads.

    Images that a generator draws again are equal to rounding only: a training on such ones needs a name.
    """
    sums = (zlib.crc32(np.ascontiguousarray(array).view(np.uint8).data) for array in arrays)
    return f"{name or '-'.join(f'{each:08x}' for each in sums)} {settings}"


def check_images(images: NDArray[Any], name: str = "training") -> None:
    """Refuse images that no network of ours can learn from, or be measured on.

    Parameters
    ----------
    images : ndarray, shape (n, size, size)
        Images, each scaled to [-1, 1] as `radiosynth.preprocess` does.
    name : str
        What they are called in the message.

    Raises
    ------
    ValueError
        If a pixel is not finite or outside of [-1, 1], or nine in ten images use less than a quarter of that
        range, as flux densities in Jy do. Some may: generators draw faint images before they have learned.
    """
    low, high = images.min(axis=(1, 2)), images.max(axis=(1, 2))
    span = np.quantile(high - low, 0.9, method="lower")
    within = low.min() >= -1.0001 and high.max() <= 1.0001  # not so of NaN; rotation rounds in the last digit
    given = f"{name} images range from {low.min():.4g} to {high.max():.4g}, most over {span:.4g} or less"
    advice = "training needs [-1, 1], each image scaled to it: use radiosynth.preprocess"
    check(within and not 0 < span < 0.5, f"{given}; {advice}")


def check_pair(train: Sample, validation: Sample) -> None:
    """Raise ValueError unless the images of both samples are in [-1, 1], and of one size."""
    for name, sample in (("train", train), ("validation", validation)):
        check_images(sample.images, name)
    fault = f"training images are {train.size} px wide, validation images {validation.size} px: resize one"
    check(train.size == validation.size, fault)


def compile_model(
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    loss: Any = "sparse_categorical_crossentropy",
    metrics: Sequence[Any] = ("accuracy",),
) -> None:
    """Compile a model for `fit`; by XLA, which on a CPU makes a step slower, only where JAX needs it."""
    jit = keras.backend.backend() == "jax"
    model.compile(optimizer=optimizer, loss=loss, metrics=list(metrics), jit_compile=jit)


def _state(model: keras.Model) -> list[Any]:
    """Return every variable that the next epoch depends on; metrics start afresh with each epoch."""
    metrics = {id(variable) for variable in model.metrics_variables}
    kept = [variable for variable in model.variables if id(variable) not in metrics]
    model.optimizer.build(model.trainable_variables)
    return [*kept, *model.optimizer.variables]


def _save_checkpoint(path: Path, model: keras.Model, history: History, fingerprint: str) -> None:
    arrays = {f"v{i}": keras.ops.convert_to_numpy(v) for i, v in enumerate(_state(model))}
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise _diverged(model, "weights", len(history["seconds"]))
    meta = np.array(json.dumps({"history": history, "fingerprint": fingerprint}))
    write_atomically(path, lambda partial: np.savez(partial, meta=meta, **arrays))


def _diverged(model: keras.Model, what: str, epoch: int) -> TrainingDiverged:
    fault = f"the {what} became infinite or not a number in epoch {epoch}; nothing of it was saved"
    advice = f"a lower learning rate than {float(model.optimizer.learning_rate):.3g}"
    return TrainingDiverged(f"{fault}. Start again in another folder with {advice}")


def _load_checkpoint(path: Path, model: keras.Model, fingerprint: str) -> History:
    said = {"advice": "remove that file, and the training starts again"}
    stored, variables = read_arrays(path, {"meta": "U0"}, **said), _state(model)
    with readable(path, **said):
        meta = json.loads(str(stored.pop("meta")))
        history, found = meta["history"], meta["fingerprint"]
        check(all(np.isfinite(array).all() for array in stored.values()), "some weights are not finite")
    fault = f"{path} is a checkpoint of another training ({found}, not {fingerprint})"
    same = found == fingerprint and len(stored) == len(variables)
    check(same, f"{fault}: give another folder, or remove that file")
    with readable(path, **said):
        for i, variable in enumerate(variables):
            variable.assign(stored[f"v{i}"])
    return history


def fit(
    model: keras.Model,
    batches: Batches,
    *,
    epochs: int,
    folder: str | Path,
    fingerprint: str,
    scores: Callable[[keras.Model], dict[str, float]] | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    time_limit: float | None = None,
    title: str = "training",
) -> History:
    """Train to `epochs` epochs, resuming from the checkpoint in `folder` if there is one.

    Parameters
    ----------
    model : keras.Model
        Compiled and built model.
    batches : Batches
        What to train on.
    epochs : int
        Number of epochs in all.
    folder : path-like
        Folder of ``checkpoint.npz``; made if absent. It is written after each epoch; after a crash what came
        later is done again, with the same numbers.
    fingerprint : str
        Identity of this training, such as the hash of its configuration.
    scores : callable, optional
        From the model to further scores by name, to be logged after each epoch.
    callbacks : sequence of keras.callbacks.Callback
        Called by Keras when the scores are logged and the checkpoint is not yet written. Each epoch is a
        training of its own for them: what they gather from its beginning on, such as patience, starts again.
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
        If a time limit or a signal ended the training; calling again resumes.
    TrainingDiverged
        If the loss or a weight is not finite any more. The checkpoint is that of an earlier epoch, if any.
    """
    path = Path(folder) / "checkpoint.npz"
    history: History = _load_checkpoint(path, model, fingerprint) if path.exists() else {}
    done = len(history.get("seconds", []))
    if done >= epochs:
        return history
    if done:
        log.info("%s resumes after epoch %d of %d", title, done, epochs)
    started, signals = time.monotonic(), []

    def measure(epoch: int, logs: dict[str, float]) -> None:
        if not np.isfinite(logs["loss"]):
            raise _diverged(model, "loss", epoch + 1)
        if scores:
            logs.update(scores(first.model))  # reading it updates the weights, which JAX keeps apart

    def stop(reason: str) -> None:
        signals.append(reason)
        model.stop_training = True  # Keras looks at this after every step

    first = keras.callbacks.LambdaCallback(on_epoch_end=measure)  # before others keep anything of the epoch
    bar = tqdm(total=epochs, initial=done, desc=title, unit="epoch", disable=None)
    with bar, on_signals(stop):
        while done < epochs and not signals:
            begun = time.monotonic()
            found = model.fit(
                batches.epoch(done),
                steps_per_epoch=batches.steps,
                initial_epoch=done,
                epochs=done + 1,
                shuffle=False,  # they are shuffled already
                verbose=0,
                callbacks=[first, *callbacks],
            )
            if signals:  # the epoch may have been cut short: it is done again when training resumes
                break
            if model.stop_training:
                signals.append("a callback")
            now = time.monotonic()
            seconds = now - begun
            logs = {key: float(value) for key, (value,) in found.history.items()}
            for key, value in {**logs, "seconds": seconds}.items():
                history.setdefault(key, []).append(value)
            _save_checkpoint(path, model, history, fingerprint)
            done += 1
            speed = batches.steps * batches.batch_size / seconds
            shown = {key: f"{value:.3g}" for key, value in logs.items()}
            bar.set_postfix({"images/s": f"{speed:.0f}", **shown}, refresh=False)
            bar.update()
            if time_limit is not None and now + seconds > started + time_limit:
                break
    if done < epochs:
        by = signals[0] if signals else "the time limit"
        stopped = f"{title} was stopped by {by} after {done} of {epochs} epochs"
        msg = f"{stopped}; run the same command again to resume"
        raise TrainingStopped(msg, interrupted=bool(signals))
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
    said = {"advice": "fetch or train them again", "fault": "holds no weights, or damaged ones"}
    stored = read_arrays(path, None, **said)
    with readable(path, **said):
        arrays = [stored[f"w{i}"] for i in range(len(stored))]
        finite = all(array.dtype.kind == "f" and np.isfinite(array).all() for array in arrays)
        check(finite, "not all are finite")
    shapes, expected = [a.shape for a in arrays], [tuple(w.shape) for w in model.weights]
    fault = f"{path} does not hold the weights of this {model.name}: shapes {shapes}, expected {expected}"
    check(shapes == expected, fault)
    model.set_weights(arrays)
