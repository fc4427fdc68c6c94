"""Train the classifier of the report and ask it for class probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import training
from .networks import CLASSIFIERS
from .sample import Sample
from .taxonomy import UNLABELLED

__all__ = ["ClassifierSettings", "predict", "train_classifier"]


@dataclass(frozen=True)
class ClassifierSettings:
    """How the classifier is trained; the defaults are the report's.

    Parameters
    ----------
    epochs : int
        Passes over the training images. The report states 100, its notebook ran 30.
    batch_size : int
        Images per step.
    learning_rate : float
        Step size of Adam.
    width : float
        Multiple of the report's number of channels.
    seed : int
        Seed of the initial weights, the dropout and the order of the images.
    precision : {"float32", "mixed_bfloat16"}
        Arithmetic; the second is faster on processors that know it. Weights and probabilities are float32.
    architecture : {"report", "residual"}
        The report's network (`radiosynth.build_classifier`) or a residual one
        (`radiosynth.build_residual_classifier`).
    """

    epochs: int = 100
    batch_size: int = 128
    learning_rate: float = 1e-3
    width: float = 1.0
    seed: int = 0
    precision: str = "float32"
    architecture: str = "report"

    def __post_init__(self) -> None:
        if self.architecture not in CLASSIFIERS:
            msg = f"unknown architecture {self.architecture!r}: there are {', '.join(CLASSIFIERS)}"
            raise ValueError(msg)
        for name in ("epochs", "batch_size", "learning_rate", "width"):
            if getattr(self, name) <= 0:
                msg = f"{name}={getattr(self, name)!r} is not possible: give a number above 0"
                raise ValueError(msg)


class _Validation(keras.callbacks.Callback):
    """Add the loss and the accuracy on the validation images to the log of each epoch.

    One pass over the augmented validation images measures both: ``val_*`` is over all copies,
    ``plain_*`` over the untouched images among them.
    """

    def __init__(self, sample: Sample) -> None:
        super().__init__()
        self.sample = sample
        self.sets = {"val": np.ones(len(sample), bool), "plain": originals(sample)}

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        probabilities = predict(self.model, self.sample.images)
        labels = self.sample.labels
        loss = -np.log(np.maximum(probabilities[np.arange(len(labels)), labels], keras.config.epsilon()))
        correct = probabilities.argmax(1) == labels
        for name, chosen in self.sets.items():
            assert logs is not None
            logs[f"{name}_loss"] = float(loss[chosen].mean())
            logs[f"{name}_accuracy"] = float(correct[chosen].mean())


def originals(sample: Sample) -> NDArray[np.bool_]:
    """Return which images are the source as observed, neither turned nor flipped by `augment`."""
    if "rotation" not in sample.table.colnames:
        return np.ones(len(sample), bool)
    return np.asarray((sample.table["rotation"] == 0) & ~sample.table["flipped"], bool)


def train_classifier(
    train: Sample,
    validation: Sample,
    settings: ClassifierSettings | None = None,
    *,
    folder: str | Path,
    fingerprint: str = "",
    time_limit: float | None = None,
) -> tuple[keras.Model, training.History]:
    """Train the report's classifier (report, section on the classification network, and table B1).

    Adam and sparse categorical cross-entropy. Interrupted training goes on from its checkpoint and ends
    with the same numbers.

    Parameters
    ----------
    train, validation : Sample
        Labelled images in [-1, 1], of one size. The validation images choose nothing: they are only
        measured after each epoch.
    settings : ClassifierSettings, optional
        The report's if not given.
    folder : path-like
        Where the checkpoint is kept.
    fingerprint : str
        Identity of this training beside its settings, such as the hash of a configuration.
    time_limit : float, optional
        Seconds after which no further epoch is begun.

    Returns
    -------
    model : keras.Model
        The trained network.
    history : dict of str to list of float
        Per epoch: ``loss`` and ``accuracy`` in training (running means, with dropout), ``val_*`` on all
        validation images, ``plain_*`` on those neither turned nor flipped, and ``seconds``.

    Raises
    ------
    ValueError
        If a sample is empty or not labelled, or the sizes differ.
    radiosynth.training.TrainingStopped
        If a time limit or a signal ended the training; calling again goes on.
    """
    settings = settings or ClassifierSettings()
    for name, sample in (("train", train), ("validation", validation)):
        if len(sample) == 0 or (sample.labels == UNLABELLED).any():
            msg = f"the {name} sample has {len(sample)} images, some without a class: give labelled images"
            raise ValueError(msg)
    if train.size != validation.size:
        msg = f"training images are {train.size} px wide, validation images {validation.size} px: resize one"
        raise ValueError(msg)
    model = CLASSIFIERS[settings.architecture](
        train.size, width=settings.width, seed=settings.seed, precision=settings.precision
    )
    model.compile(
        optimizer=keras.optimizers.Adam(settings.learning_rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        # Compiling by XLA makes a step on a CPU three times slower; JAX always compiles.
        jit_compile=keras.backend.backend() == "jax",
    )
    history = training.fit(
        model,
        training.Batches((train.images[..., None], train.labels), settings.batch_size, seed=settings.seed),
        epochs=settings.epochs,
        folder=Path(folder),
        fingerprint=f"{fingerprint} {settings}",
        callbacks=[_Validation(validation)],
        time_limit=time_limit,
        title="classifier",
    )
    return model, history


def predict(model: keras.Model, images: ArrayLike, *, batch_size: int = 256) -> NDArray[np.float32]:
    """Return the class probabilities of images.

    Parameters
    ----------
    model : keras.Model
        A trained classifier.
    images : array_like of float32, shape (n, size, size)
        Images in [-1, 1], prepared as the training images were.
    batch_size : int
        Images per step; it bounds the memory and does not change the result.

    Returns
    -------
    ndarray of float32, shape (n, classes)
        Probabilities; each row sums to 1.

    Raises
    ------
    ValueError
        If the images are not of the size that the model takes.
    """
    pixels = np.asarray(images, np.float32)
    size = model.input_shape[1]
    if pixels.ndim != 3 or pixels.shape[1:] != (size, size):
        msg = (
            f"images have the shape {pixels.shape}; this model takes (n, {size}, {size}): "
            f"prepare them with radiosynth.preprocess(sample, size={size})"
        )
        raise ValueError(msg)
    if len(pixels) == 0:
        return np.empty((0, model.output_shape[-1]), np.float32)
    parts = [
        keras.ops.convert_to_numpy(model(pixels[i : i + batch_size, ..., None], training=False))
        for i in range(0, len(pixels), batch_size)
    ]
    return np.concatenate(parts)
