"""Train classifiers, on images that were augmented before or on the fly."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import keras
import numpy as np
from numpy.typing import ArrayLike, NDArray

from radiosynth import training
from radiosynth._io import check
from radiosynth.augmentation import augment_randomly
from radiosynth.classification.predicting import predict
from radiosynth.classification.settings import ClassifierSettings, OnTheFlySettings
from radiosynth.networks.classifiers import build_network
from radiosynth.networks.layers import keras_defaults
from radiosynth.sample import Sample, check_labelled
from radiosynth.simulation import degrade_randomly
from radiosynth.taxonomy import CLASS_NAMES


def unaugmented(sample: Sample) -> NDArray[np.bool_]:
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
        validation images, ``unaugmented_*`` on those neither rotated nor flipped, and ``seconds``. Batch
        normalisation is recalibrated for the validation images, and put back as it was.

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
    labels, original = validation.labels, unaugmented(validation)
    model = build_network(size=train.size, **settings.arguments())
    arrays = (train.images[..., None], train.labels.astype(np.int32))
    batches = training.Batches(arrays, settings.batch_size, seed=settings.seed)

    def scores(model: keras.Model) -> dict[str, float]:
        with recalibrated(model, train.images, settings):
            probabilities = predict(model, validation.images)
        loss = -np.log(np.maximum(probabilities[np.arange(len(labels)), labels], keras.config.epsilon()))
        correct = probabilities.argmax(axis=1) == labels
        found = {"val_loss": loss, "val_accuracy": correct}
        found |= {"unaugmented_loss": loss[original], "unaugmented_accuracy": correct[original]}
        return {name: float(values.mean()) for name, values in found.items()}

    training.compile_model(model, keras.optimizers.Adam(settings.rate(batches.steps)))
    fit = partial(training.fit, model, batches, epochs=settings.epochs, folder=folder, time_limit=time_limit)
    identity = training.fingerprint(fingerprint, settings, *arrays, validation.images, labels, original)
    history = fit(fingerprint=identity, scores=scores, callbacks=callbacks, title="classifier")
    recalibrate(model, train.images, settings)
    return model, history


class _OnTheFly(training.Batches):
    """Batches with as many images of each class on average, each augmented at random."""

    def __init__(self, sample: Sample, settings: OnTheFlySettings, targets: NDArray[np.float32]) -> None:
        super().__init__((sample.images, targets), settings.batch_size, seed=settings.seed)
        self.settings = settings
        self.weights = np.ones(len(sample))
        if settings.balance_catalogues:
            known = "catalogue" in sample.table.colnames
            check(known, "balance_catalogues needs to know them: add the column 'catalogue', or leave it out")
            labelled = zip(sample.labels, sample.table["catalogue"], strict=True)
            catalogues = [f"{code} {name}" for code, name in labelled]
            _, of, counts = np.unique(catalogues, return_inverse=True, return_counts=True)
            self.weights /= np.sqrt(counts[of])
        self.weights /= np.bincount(sample.labels, self.weights)[sample.labels]
        self.weights /= self.weights.sum()

    def epoch(self, number: int) -> training.Stream:
        images, targets = self.arrays
        rng = np.random.default_rng([self.seed, number])
        for _ in range(self.steps):
            rows = rng.choice(len(images), self.batch_size, p=self.weights)
            views = augment_randomly(images[rows], rng, zoom=self.settings.zoom, shift=self.settings.shift)
            if self.settings.degrade:
                views = degrade_randomly(views, rng, probability=self.settings.degrade)
            yield views[..., None], targets[rows]


@keras_defaults()
def train_on_the_fly(
    train: Sample,
    settings: OnTheFlySettings | None = None,
    *,
    targets: ArrayLike | None = None,
    start: Path | keras.Model | None = None,
    folder: str | Path,
    fingerprint: str = "",
    time_limit: float | None = None,
) -> tuple[keras.Model, training.History]:
    """Train a network, by default the foveated one, with on-the-fly augmentation.

    Parameters
    ----------
    train : Sample
        Labelled images in [-1, 1], of an edge that the architecture takes.
    settings : OnTheFlySettings, optional
        The defaults if not given.
    targets : array_like, shape (n, classes), optional
        Class probabilities to learn in the place of the labels, such as those of a teacher (knowledge
        distillation: Hinton et al. 2015, arXiv:1503.02531). The classes are drawn by the labels all the same.
    start : Path or keras.Model, optional
        Network to start from, or the file of its weights (`radiosynth.training.save_weights`).
    folder, fingerprint, time_limit
        As for `train_classifier`.

    Returns
    -------
    model : keras.Model
        The trained network.
    history : dict of str to list of float
        Per epoch: ``loss`` and ``accuracy`` on the augmented images, and ``seconds``.

    Raises
    ------
    ValueError
        If the sample is empty, not labelled or not scaled to [-1, 1].
    radiosynth.training.TrainingStopped
        If a time limit or a signal ended the training; calling again resumes.
    radiosynth.training.TrainingDiverged
        If the loss or a weight is not finite any more.
    """
    settings = settings or OnTheFlySettings()
    check_labelled(train.labels, "training ")
    training.check_images(train.images, "train")
    model = build_network(size=train.size, **settings.arguments())
    if isinstance(start, Path):
        training.load_weights(model, start)
    elif start is not None:
        model.set_weights(start.get_weights())
    learned = np.eye(len(CLASS_NAMES))[train.labels] if targets is None else np.asarray(targets)
    batches = _OnTheFly(train, settings, learned.astype(np.float32))
    rate = settings.rate(batches.steps)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=settings.weight_decay, clipnorm=1.0)
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=settings.label_smoothing)
    training.compile_model(model, optimizer, loss)
    fit = partial(training.fit, model, batches, epochs=settings.epochs, folder=folder, time_limit=time_limit)
    identity = training.fingerprint(fingerprint, settings, *batches.arrays, *model.get_weights())
    return model, fit(fingerprint=identity, title="classifier")


def recalibrate(
    model: keras.Model, images: NDArray[np.float32], settings: ClassifierSettings, batches: int = 100
) -> None:
    """Measure again what batch normalisation normalises by, with the weights as they are.

    The running statistics lag behind weights that still change, and so much that a trained network can
    do no better than chance (Wu & Johnson 2021, arXiv:2105.07576).
    """
    normalisations = [each for each in model.layers if isinstance(each, keras.layers.BatchNormalization)]
    momenta = [layer.momentum for layer in normalisations]
    rng = np.random.default_rng(settings.seed)
    for batch in range(batches if normalisations else 0):
        for layer in normalisations:
            layer.momentum = batch / (batch + 1)  # the running statistics become a mean over the batches
        model(images[rng.integers(len(images), size=settings.batch_size), :, :, None], training=True)
    for layer, momentum in zip(normalisations, momenta, strict=True):
        layer.momentum = momentum


@contextlib.contextmanager
def recalibrated(
    model: keras.Model, images: NDArray[np.float32], settings: ClassifierSettings, batches: int = 10
) -> Iterator[None]:
    """Recalibrate batch normalisation, and put its running statistics and the state of the dropout back."""
    before = [keras.ops.convert_to_numpy(variable).copy() for variable in model.non_trainable_variables]
    recalibrate(model, images, settings, batches)
    try:
        yield
    finally:
        for variable, value in zip(model.non_trainable_variables, before, strict=True):
            variable.assign(value)
