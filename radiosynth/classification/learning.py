"""Train the classifier of the report."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from radiosynth import training
from radiosynth.classification.predicting import predict
from radiosynth.networks.classifiers import CLASSIFIERS, build_network, keras_defaults
from radiosynth.sample import Sample, check_choice, check_labelled

SCHEDULES = ("constant", "cosine")
"""What the learning rate may do in the course of the training."""


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
        Learning rate of Adam.
    width : float
        Multiple of the report's number of channels.
    seed : int
        Seed of the initial weights, the dropout and the order of the images.
    precision : {"float32", "mixed_bfloat16"}
        Arithmetic; the second is faster on processors that know it. Weights and probabilities are float32.
    architecture : {"report", "residual", "stacked"}
        The report's network (`radiosynth.build_classifier`), a residual one
        (`radiosynth.build_residual_classifier`) or another stack (`radiosynth.build_stacked_classifier`).
    network : str
        Further arguments of that builder, as a JSON object.
    schedule : {"constant", "cosine"}
        Keep the learning rate, or let it fall to zero along half a cosine.
    """

    epochs: int = 100
    batch_size: int = 128
    learning_rate: float = 1e-3
    width: float = 1.0
    seed: int = 0
    precision: str = "float32"
    architecture: str = "report"
    network: str = ""
    schedule: str = "constant"

    def __post_init__(self) -> None:
        check_choice(self.schedule, "schedule", SCHEDULES)
        check_choice(self.architecture, "architecture", CLASSIFIERS)
        training.check_positive(self, "epochs", "batch_size", "learning_rate", "width")


class _Validation(keras.callbacks.Callback):
    """Add the loss and the accuracy on the validation images to the log of each epoch.

    One pass over the augmented validation images measures both: ``val_*`` is over all,
    ``plain_*`` over the unaugmented ones among them. Batch normalisation is recalibrated for it, and put back
    as it was.
    """

    def __init__(self, sample: Sample, train: NDArray[np.float32], settings: ClassifierSettings) -> None:
        super().__init__()
        self.sample, self.train, self.settings = sample, train, settings
        self.sets = {"val": np.ones(len(sample), bool), "plain": originals(sample)}

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        with recalibrated(self.model, self.train, self.settings):
            probabilities = predict(self.model, self.sample.images)
        labels = self.sample.labels
        loss = -np.log(np.maximum(probabilities[np.arange(len(labels)), labels], keras.config.epsilon()))
        correct = probabilities.argmax(1) == labels
        for name, chosen in self.sets.items():
            assert logs is not None
            logs[f"{name}_loss"] = float(loss[chosen].mean())
            logs[f"{name}_accuracy"] = float(correct[chosen].mean())


def originals(sample: Sample) -> NDArray[np.bool_]:
    """Return which images are the source as observed, neither rotated nor flipped by `augment`."""
    if "rotation" not in sample.table.colnames:
        return np.ones(len(sample), bool)
    return np.asarray((sample.table["rotation"] == 0) & ~sample.table["flipped"], bool)


@keras_defaults()
def train_classifier(
    train: Sample,
    validation: Sample,
    settings: ClassifierSettings | None = None,
    *,
    folder: str | Path,
    fingerprint: str = "",
    time_limit: float | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> tuple[keras.Model, training.History]:
    """Train the report's classifier (report, section on the classification network, and table B1).

    Adam and sparse categorical cross-entropy. Interrupted training resumes from its checkpoint and ends
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
        Identity of this training beside its settings, such as the hash of a configuration; a checksum of
        the images if not given.
    time_limit : float, optional
        Seconds after which no further epoch is begun.
    callbacks : sequence of keras.callbacks.Callback
        Called by Keras after the measurements of an epoch have been added to its log.

    Returns
    -------
    model : keras.Model
        The trained network.
    history : dict of str to list of float
        Per epoch: ``loss`` and ``accuracy`` in training (running means, with dropout), ``val_*`` on all
        validation images, ``plain_*`` on those neither rotated nor flipped, and ``seconds``.

    Raises
    ------
    ValueError
        If a sample is empty, not labelled or not scaled to [-1, 1], or the sizes differ.
    radiosynth.training.TrainingStopped
        If a time limit or a signal ended the training; calling again resumes.
    radiosynth.training.TrainingDiverged
        If the loss or a weight is not finite any more.
    """
    settings = settings or ClassifierSettings()
    check_labelled(train.labels, "training ")
    check_labelled(validation.labels, "validation ")
    training.check_pair(train, validation)
    model = build_network(
        settings.architecture,
        train.size,
        settings.width,
        settings.network,
        seed=settings.seed,
        precision=settings.precision,
    )
    batches = training.Batches(
        (train.images[..., None], train.labels.astype(np.int32)), settings.batch_size, seed=settings.seed
    )
    watched = training.digest(validation.images, validation.labels, originals(validation))
    rate = settings.learning_rate
    if settings.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, settings.epochs * batches.steps)
    training.compile_model(model, keras.optimizers.Adam(rate))
    history = training.fit(
        model,
        batches,
        epochs=settings.epochs,
        folder=Path(folder),
        fingerprint=f"{fingerprint or f'{batches.digest()} {watched}'} {settings}",
        callbacks=[_Validation(validation, train.images, settings), *callbacks],
        time_limit=time_limit,
        title="classifier",
    )
    recalibrate(model, train.images, settings)
    return model, history


def _normalisations(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    return [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]


def recalibrate(
    model: keras.Model, images: NDArray[np.float32], settings: ClassifierSettings, batches: int = 100
) -> None:
    """Measure what batch normalisation normalises by anew, with the weights as they are.

    The running statistics lag behind weights that still change, and so much that a trained network can
    do no better than chance (Wu & Johnson 2021, arXiv:2105.07576).
    """
    normalisations = _normalisations(model)
    rng = np.random.default_rng(settings.seed)
    for batch in range(batches if normalisations else 0):
        for layer in normalisations:
            layer.momentum = batch / (batch + 1)  # the running statistics become a mean over the batches
        model(images[rng.integers(len(images), size=settings.batch_size), :, :, None], training=True)


@contextlib.contextmanager
def recalibrated(
    model: keras.Model, images: NDArray[np.float32], settings: ClassifierSettings, batches: int = 10
) -> Iterator[None]:
    """Recalibrate batch normalisation, and put its running statistics and the state of the dropout back."""
    normalisations = _normalisations(model)
    momenta = [layer.momentum for layer in normalisations]
    before = [keras.ops.convert_to_numpy(variable).copy() for variable in model.non_trainable_variables]
    try:
        recalibrate(model, images, settings, batches)
        yield
    finally:
        for layer, momentum in zip(normalisations, momenta, strict=True):
            layer.momentum = momentum
        for variable, value in zip(model.non_trainable_variables, before, strict=True):
            variable.assign(value)
