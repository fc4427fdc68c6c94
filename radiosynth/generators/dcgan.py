"""TODO."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from radiosynth.generators.base import (
    GANRun,
    GeneratorSettings,
    _inputs,
    _stretched,
    _unstretched,
    fit_generator,
)
from radiosynth.networks.classifiers import keras_defaults
from radiosynth.networks.generators import build_discriminator

__all__ = ["DCGAN", "GANSettings", "train_gan"]


@dataclass(frozen=True)
class GANSettings(GeneratorSettings):
    """How a GAN is built and trained; the defaults are the report's.

    Parameters
    ----------
    size : int
        Edge of the images in pixels, a multiple of 8.
    latent : int
        Length of the noise vector.
    width : float
        Multiple of the report's number of channels, in both networks.
    epochs : int
        Passes over the training images.
    batch_size : int
        Images per step, real ones and generated ones.
    learning_rate : float
        Step size of Adam, for both networks.
    stretch : bool
        Let both networks work on the square root of the brightness, in which faint parts count for more.
        The generator that is kept squares its images again.
    rescale : bool
        Let the generator that is kept divide each image by its peak, as the pre-processing does.
    conditional : int
        Number of classes that one network learns from labelled images; 0 for a network of one class.
    seed : int
        Seed of the initial weights, the noise, the dropout and the order of the images.
    beta_1 : float
        Decay of Adam's mean gradient; 0.5 is usual for GANs, the report has Keras' 0.9.
    average : float
        If above 0, the generator that is kept is the running mean of the trained one's weights, with
        this decay per step.
    batch_aware : bool
        Let the discriminator see how much the images of a batch differ (see `build_discriminator`).
    """

    beta_1: float = 0.9
    average: float = 0.0
    batch_aware: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("beta_1", "average"):
            if not 0 <= getattr(self, name) < 1:
                msg = f"{name}={getattr(self, name)!r} is not possible: give a number from 0 to below 1"
                raise ValueError(msg)


class DCGAN(keras.Model):
    """Generator and discriminator as one model, which plain ``fit`` trains on any backend.

    ``fit`` takes images (n, size, size) in [-1, 1], and their labels if the settings are conditional.

    Parameters
    ----------
    settings : GANSettings
        Architecture, loss and seed.
    """

    def __init__(self, settings: GANSettings) -> None:
        super().__init__(name="gan")
        self.settings = settings
        self.generator = settings._build_network()
        self.discriminator = build_discriminator(
            settings.size,
            settings.width,
            classes=settings.conditional,
            batch_aware=settings.batch_aware,
            seed=settings.seed + 1,
        )
        self.seeds = keras.random.SeedGenerator(settings.seed)
        self.averaged = None
        if settings.average:
            self.averaged = settings._build_network()
            self.averaged.trainable = False
        self.logged = [
            keras.metrics.Mean(name=name)
            for name in ("discriminator_loss", "generator_loss", "accuracy_on_real", "accuracy_on_fake")
        ]
        self.built = True

    @property
    def kept(self) -> keras.Model:
        """The generator to look at and to save."""
        return _unstretched(self.averaged or self.generator, self.settings)

    def call(self, images: Any) -> Any:
        """Return the images: all that happens in a step happens in `compute_loss`."""
        return images

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Return one loss whose gradient is, for each network, the gradient of its own loss.

        The discriminator judges the generated images behind a ``stop_gradient``. The generator's term
        goes through a copy of the discriminator whose weights are constants. Nothing else is shared, so
        the sum has the gradients of the two separate steps, and Adam works on each weight by itself.
        """
        real = ops.expand_dims(x, -1)
        if self.settings.stretch:
            real = _stretched(real)
        number = ops.shape(real)[0]
        noise = keras.random.normal((number, self.settings.latent), seed=self.seeds)
        fake = self.generator(_inputs(noise, y), training=training)
        on_real = self.discriminator(_inputs(real, y), training=training)
        on_fake = self.discriminator(_inputs(ops.stop_gradient(fake), y), training=training)
        frozen = self.discriminator
        on_fake_again, _ = frozen.stateless_call(
            [ops.stop_gradient(ops.convert_to_tensor(v)) for v in frozen.trainable_variables],
            [ops.convert_to_tensor(v) for v in frozen.non_trainable_variables],
            _inputs(fake, y),
            training=training,
        )
        # Softplus is the binary cross-entropy of a logit.
        discriminator = ops.mean(ops.softplus(-on_real)) + ops.mean(ops.softplus(on_fake))
        generator = ops.mean(ops.softplus(-on_fake_again))
        if self.averaged is not None:
            for mean, value in zip(self.averaged.weights, self.generator.weights, strict=True):
                mean.assign(mean + (1 - self.settings.average) * (value - mean))
        for metric, value in zip(
            self.logged, (discriminator, generator, on_real > 0, on_fake < 0), strict=True
        ):
            metric.update_state(value)
        return discriminator + generator


@keras_defaults()
def train_gan(
    images: NDArray[np.float32],
    settings: GANSettings | None = None,
    folder: str | Path = "gan",
    *,
    labels: NDArray[np.int64] | None = None,
    class_names: Sequence[str] = (),
    fingerprint: str = "",
    time_limit: float | None = None,
) -> GANRun:
    """Train a DCGAN (report, section on generative adversarial networks, and tables A1 and A2).

    Adam and binary cross-entropy for both networks. Interrupted training goes on from its checkpoint
    and ends with the same numbers.

    Parameters
    ----------
    images : ndarray of float32, shape (n, size, size)
        Real images in [-1, 1], augmented; may be a memory map. The report trains on 60,000 of one class.
    settings : GANSettings, optional
        The report's if not given.
    folder : path-like
        Where everything is kept.
    labels : ndarray of int, shape (n,), optional
        Class codes from 0, needed if and only if the settings are conditional.
    class_names : sequence of str
        Names of the classes, by code; kept with the generator.
    fingerprint : str
        Identity of this training beside its settings, such as the hash of a configuration; a checksum of
        the images if not given.
    time_limit : float, optional
        Seconds after which no further epoch is begun.

    Returns
    -------
    GANRun
        Generator, history and frames. Look at its `collapsed` before you use the generator.

    Raises
    ------
    ValueError
        If images, labels and settings do not fit, or the folder holds another training.
    radiosynth.training.TrainingDiverged
        If the loss or a weight is not finite any more.
    radiosynth.training.TrainingStopped
        If the time limit or a signal ended the training; calling again goes on.
    """
    settings = settings or GANSettings()
    return fit_generator(
        DCGAN(settings),
        images,
        folder,
        optimizer=keras.optimizers.Adam(settings.learning_rate, beta_1=settings.beta_1),
        partner="discriminator",
        labels=labels,
        class_names=class_names,
        fingerprint=fingerprint,
        time_limit=time_limit,
    )
