"""Train a network on images that are augmented anew at every step."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import keras
import numpy as np

from radiosynth import training
from radiosynth.augmentation import vary
from radiosynth.networks.classifiers import build_foveated_classifier, keras_defaults
from radiosynth.sample import Sample, check_labelled
from radiosynth.taxonomy import CLASS_NAMES


@dataclass(frozen=True)
class VariationSettings:
    """How a network is trained with on-the-fly augmentation.

    Parameters
    ----------
    epochs : int
        As many augmented images of each image are seen, on average.
    batch_size : int
        Images per step.
    learning_rate : float
        Largest learning rate of Adam with decoupled weight decay; it rises over the first twentieth of the
        steps and falls along a cosine to zero.
    weight_decay : float
        Fraction of the weights, times the learning rate, that is taken off at each step.
    label_smoothing : float
        Probability that is spread over all classes; not all labels are correct.
    width : float
        As in `radiosynth.build_foveated_classifier`.
    zoom, shift : float
        As in `radiosynth.vary`.
    seed : int
        Seed of everything.
    precision : {"float32", "mixed_bfloat16"}
        Number format of the arithmetic.
    """

    architecture: ClassVar[str] = "foveated"
    network: ClassVar[str] = ""
    epochs: int = 100
    batch_size: int = 48
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    label_smoothing: float = 0.1
    width: float = 1.0
    zoom: float = 0.12
    shift: float = 3.0
    seed: int = 0
    precision: str = "float32"

    def __post_init__(self) -> None:
        training.check_positive(self, "epochs", "batch_size", "learning_rate", "width")


class _Variations(training.Batches):
    """Batches with as many images of each class on average, each augmented anew."""

    def __init__(self, sample: Sample, settings: VariationSettings) -> None:
        super().__init__((sample.images, sample.labels), settings.batch_size, seed=settings.seed)
        self.settings = settings
        self.weights = 1.0 / np.bincount(sample.labels)[sample.labels]
        self.weights /= self.weights.sum()

    def stream(self, first_epoch: int) -> training.Stream:
        images, labels = self.arrays
        asked = self.settings
        targets = np.eye(len(CLASS_NAMES), dtype=np.float32)
        for epoch in itertools.count(first_epoch):
            rng = np.random.default_rng([self.seed, epoch])
            for _ in range(self.steps):
                rows = rng.choice(len(labels), self.batch_size, p=self.weights)
                varied = vary(images[rows], rng, zoom=asked.zoom, shift=asked.shift)
                yield varied[..., None], targets[labels[rows]]


@keras_defaults()
def train_on_variations(
    train: Sample,
    settings: VariationSettings | None = None,
    *,
    start: Path | None = None,
    folder: str | Path,
    fingerprint: str = "",
    time_limit: float | None = None,
) -> tuple[keras.Model, training.History]:
    """Train the foveated residual network with on-the-fly augmentation.

    Parameters
    ----------
    train : Sample
        Labelled images in [-1, 1], of an edge that `radiosynth.build_foveated_classifier` takes.
    settings : VariationSettings, optional
        The defaults if not given.
    start : Path, optional
        File of weights to start from (`radiosynth.training.save_weights`).
    folder : path-like
        Where the checkpoint is kept.
    fingerprint : str
        Identity of this training beside its settings, such as the hash of a configuration; a checksum of
        the images if not given.
    time_limit : float, optional
        Seconds after which no further epoch is begun.

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
    settings = settings or VariationSettings()
    check_labelled(train.labels, "training ")
    training.check_images(train.images, "train")
    batches = _Variations(train, settings)
    steps = settings.epochs * batches.steps
    rise = max(1, steps // 20)
    rate = keras.optimizers.schedules.CosineDecay(
        settings.learning_rate / 20,
        steps - rise,
        warmup_target=settings.learning_rate,
        warmup_steps=rise,
    )
    model = build_foveated_classifier(
        train.size, width=settings.width, seed=settings.seed, precision=settings.precision
    )
    begun = ""
    if start is not None:
        training.load_weights(model, start)
        begun = training.digest(*model.get_weights())
    optimizer = keras.optimizers.AdamW(rate, weight_decay=settings.weight_decay, clipnorm=1.0)
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=settings.label_smoothing)
    training.compile_model(model, optimizer, loss)
    history = training.fit(
        model,
        batches,
        epochs=settings.epochs,
        folder=Path(folder),
        fingerprint=f"{fingerprint or f'{batches.digest()} {begun}'} {settings}",
        time_limit=time_limit,
        title="classifier",
    )
    return model, history
