"""A generator by another principle: the variational autoencoder of Kingma & Welling (2014).

An encoder says which latent values may belong to an image; the decoder, which is the network that the GAN has
for a generator, draws the image from them. After training the decoder alone draws from random values. Its
folder is that of a GAN: `radiosynth.load_generator`, `radiosynth.generate` and
`radiosynth.sample_generators` take it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from radiosynth import training
from radiosynth._io import read_json, readable
from radiosynth.generators.base import (
    GANRun,
    GeneratorSettings,
    _inputs,
    _stretched,
    _unstretched,
    fit_generator,
    load_generator,
)
from radiosynth.networks.classifiers import keras_defaults
from radiosynth.networks.generators import build_encoder

__all__ = ["VAE", "VAESettings", "reconstruct", "train_vae"]


@dataclass(frozen=True)
class VAESettings(GeneratorSettings):
    """How a variational autoencoder is built and trained.

    Parameters
    ----------
    size, latent, width, epochs, batch_size, learning_rate, stretch, rescale, conditional, seed
        As in `radiosynth.GANSettings`; the latent values take the place of the noise, and the step falls
        to zero along a cosine.
    beta : float
        Weight of the divergence of the latent values against the mean squared difference of the pixels. If
        lower, encoded images come back sharper; if higher, random values are more like encoded ones.
    """

    latent: int = 16
    epochs: int = 50
    learning_rate: float = 1e-3
    stretch: bool = True
    rescale: bool = True
    beta: float = 1.5e-4

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.beta <= 0:
            msg = f"beta={self.beta!r} is not possible: give a number above 0"
            raise ValueError(msg)


class VAE(keras.Model):
    """Encoder and decoder as one model, which plain ``fit`` trains on any backend.

    ``fit`` takes images (n, size, size) in [-1, 1], and their labels if the settings are conditional.

    Parameters
    ----------
    settings : VAESettings
        Architecture, loss and seed.
    """

    def __init__(self, settings: VAESettings) -> None:
        super().__init__(name="vae")
        self.settings = settings
        self.generator = settings._build_network()
        self.encoder = _build_encoder(settings)
        self.seeds = keras.random.SeedGenerator(settings.seed)
        self.logged = [keras.metrics.Mean(name=name) for name in ("reconstruction", "divergence")]
        self.built = True

    @property
    def kept(self) -> keras.Model:
        """The decoder, which draws images."""
        return _unstretched(self.generator, self.settings)

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
        """Return the mean squared difference of the pixels plus beta times the divergence."""
        image = ops.expand_dims(x, -1)
        if self.settings.stretch:
            image = _stretched(image)
        mean, log_variance = ops.split(self.encoder(_inputs(image, y), training=training), 2, axis=1)
        noise = keras.random.normal(ops.shape(mean), seed=self.seeds)
        latent = mean + ops.exp(log_variance / 2) * noise
        drawn = self.generator(_inputs(latent, y), training=training)
        reconstruction = ops.mean(ops.square(drawn - image))
        # From the normal distribution of one image to the standard one, in nats.
        divergence = ops.mean(
            ops.sum(ops.square(mean) + ops.exp(log_variance) - log_variance - 1, axis=1) / 2
        )
        for metric, value in zip(self.logged, (reconstruction, divergence), strict=True):
            metric.update_state(value)
        return reconstruction + self.settings.beta * divergence


def _build_encoder(settings: GeneratorSettings) -> keras.Model:
    return build_encoder(
        settings.size, settings.latent, settings.width, classes=settings.conditional, seed=settings.seed + 1
    )


@keras_defaults()
def train_vae(
    images: NDArray[np.float32],
    settings: VAESettings | None = None,
    folder: str | Path = "vae",
    *,
    labels: NDArray[np.int64] | None = None,
    class_names: Sequence[str] = (),
    fingerprint: str = "",
    time_limit: float | None = None,
) -> GANRun:
    """Train a variational autoencoder (Kingma & Welling 2014, arXiv:1312.6114), and keep it as GANs are kept.

    Parameters
    ----------
    images : ndarray of float32, shape (n, size, size)
        Real images in [-1, 1], augmented; may be a memory map.
    settings : VAESettings, optional
        Architecture and training.
    folder, labels, class_names, fingerprint, time_limit
        As in `radiosynth.train_gan`.

    Returns
    -------
    GANRun
        Generator, frames and history: ``reconstruction`` and ``divergence`` are the parts of the loss. The
        folder holds ``encoder.npz`` in the place of the discriminator.

    Raises
    ------
    ValueError
        If images, labels and settings do not fit, or the folder holds another training.
    radiosynth.training.TrainingDiverged
        If the loss or a weight is not finite any more.
    radiosynth.training.TrainingStopped
        If the time limit or a signal ended the training; calling again goes on.
    """
    settings = settings or VAESettings()
    steps = settings.epochs * max(1, len(images) // settings.batch_size)
    return fit_generator(
        VAE(settings),
        images,
        folder,
        # Small last steps let the weights come to rest, as the mean of weights does in the GAN.
        optimizer=keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(settings.learning_rate, steps)
        ),
        partner="encoder",
        labels=labels,
        class_names=class_names,
        fingerprint=fingerprint,
        time_limit=time_limit,
    )


@keras_defaults()
def reconstruct(
    folder: str | Path, images: NDArray[np.float32], labels: NDArray[np.int64] | None = None
) -> NDArray[np.float32]:
    """Encode images and draw them again, each from the most likely of its latent values.

    Parameters
    ----------
    folder : path-like
        Folder of `train_vae`.
    images : ndarray of float32, shape (n, size, size)
        Images in [-1, 1].
    labels : ndarray of int, shape (n,), optional
        Their class codes, for a conditional network only.

    Returns
    -------
    ndarray of float32, shape (n, size, size)
        What comes back.

    Raises
    ------
    ValueError
        If the folder holds another generator, or images or labels do not fit it.
    """
    path = Path(folder)
    decoder = load_generator(path)
    stored = read_json(path / "generator.json")["settings"]
    if "beta" not in stored:
        msg = f"{path} holds no variational autoencoder: train one with radiosynth.train_vae"
        raise ValueError(msg)
    with readable(path / "generator.json"):
        settings = VAESettings(**stored)
    if images.shape[1:] != (settings.size, settings.size):
        msg = (
            f"images have the shape {images.shape}; this network takes (n, {settings.size}, {settings.size})"
        )
        raise ValueError(msg)
    if (labels is None) == bool(settings.conditional):
        msg = "labels are needed if the network knows classes, and only then"
        raise ValueError(msg)
    if not (np.abs(images) <= 1).all():
        msg = f"images run from {np.min(images):.3g} to {np.max(images):.3g}: give images in [-1, 1]"
        raise ValueError(msg)
    codes = np.arange(settings.conditional)
    if labels is not None and (len(labels) != len(images) or not np.isin(labels, codes).all()):
        msg = f"{len(labels)} labels for {len(images)} images: give each a class code below {len(codes)}"
        raise ValueError(msg)
    encoder = _build_encoder(settings)
    training.load_weights(encoder, path / "encoder.npz")
    label = None if labels is None else ops.convert_to_tensor(labels, "int32")
    seen = ops.convert_to_tensor(images[..., None])
    mean = encoder(_inputs(_stretched(seen) if settings.stretch else seen, label), training=False)
    drawn = decoder(_inputs(mean[:, : settings.latent], label), training=False)
    return ops.convert_to_numpy(drawn)[..., 0]
