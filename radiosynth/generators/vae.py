"""A generator by another principle: the variational autoencoder (Kingma & Welling 2014, arXiv:1312.6114).

An encoder says which latent values may belong to an image; the decoder, which is the network that the GAN has
for a generator, draws the image from them. After training the decoder alone draws from random values.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from radiosynth import training
from radiosynth._io import check
from radiosynth.generators.base import GeneratorModel, GeneratorSettings
from radiosynth.generators.drawing import load_generator, read_description, with_labels
from radiosynth.networks.generators import build_encoder
from radiosynth.networks.layers import keras_defaults


@dataclass(frozen=True)
class VAESettings(GeneratorSettings):
    """How a variational autoencoder is built and trained.

    Parameters
    ----------
    size, latent_dim, width_multiplier, epochs, batch_size, learning_rate, stretch, rescale, conditional, seed
        As in `radiosynth.generators.GeneratorSettings`; the latent values take the place of the noise, and
        the learning rate falls to zero along a cosine.
    beta : float
        Weight of the divergence of the latent values against the mean squared difference of the pixels. If
        lower, encoded images come back sharper; if higher, random values are more like encoded ones.
    """

    kind: ClassVar[str] = "vae"
    latent_dim: int = 16
    epochs: int = 50
    learning_rate: float = 1e-3
    stretch: bool = True
    rescale: bool = True
    beta: float = 1.5e-4

    def __post_init__(self) -> None:
        super().__post_init__()
        training.check_positive(self, "beta")

    def model(self) -> GeneratorModel:
        """Return encoder and decoder, untrained."""
        return VAE(self)

    def encoder(self) -> keras.Model:
        """Return the untrained encoder."""
        options = {"classes": self.conditional, "seed": self.seed + 1}
        return build_encoder(self.size, self.latent_dim, self.width_multiplier, **options)


class VAE(GeneratorModel):
    """Encoder and decoder as one model, which plain ``fit`` trains on any backend.

    Parameters
    ----------
    settings : VAESettings
        Architecture, loss and seed.
    """

    logs = ("reconstruction", "divergence")
    partner = "encoder"

    def __init__(self, settings: VAESettings) -> None:
        super().__init__(settings)
        self.encoder = settings.encoder()

    def solver(self, steps: int) -> keras.optimizers.Optimizer:
        """Return Adam with a falling learning rate."""
        # Small last steps let the weights come to rest, as the mean of weights does in the GAN.
        rate = keras.optimizers.schedules.CosineDecay(self.settings.learning_rate, steps)
        return keras.optimizers.Adam(rate)

    def terms(self, images: Any, labels: Any, training: bool) -> tuple[Any, tuple[Any, ...]]:
        """Return the mean squared difference of the pixels plus beta times the divergence."""
        mean, log_variance = ops.split(
            self.encoder(with_labels(images, labels), training=training), 2, axis=1
        )
        noise = keras.random.normal(ops.shape(mean), seed=self.seeds)
        latent = mean + ops.exp(log_variance / 2) * noise
        drawn = self.generator(with_labels(latent, labels), training=training)
        reconstruction = ops.mean(ops.square(drawn - images))
        # From the normal distribution of one image to the standard one, in nats.
        divergence = ops.mean(
            ops.sum(ops.square(mean) + ops.exp(log_variance) - log_variance - 1, axis=1) / 2
        )
        return reconstruction + self.settings.beta * divergence, (reconstruction, divergence)


@keras_defaults()
def reconstruct(
    folder: str | Path, images: NDArray[np.float32], labels: NDArray[np.int64] | None = None
) -> NDArray[np.float32]:
    """Encode images and draw them again, each from the most likely of its latent values.

    Parameters
    ----------
    folder : path-like
        Folder of a variational autoencoder that `radiosynth.train_generator` trained.
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
    settings, _ = read_description(path)
    fault = f"{path} holds no variational autoencoder: train one with radiosynth.VAESettings"
    check(settings.kind == VAESettings.kind, fault)
    settings.check(images, labels)
    encoder, decoder = settings.encoder(), load_generator(path)
    training.load_weights(encoder, path / "encoder.npz")
    label = None if labels is None else ops.convert_to_tensor(labels, "int32")
    values = encoder(with_labels(settings.seen(ops.convert_to_tensor(images)), label), training=False)
    drawn = decoder(with_labels(values[:, : settings.latent_dim], label), training=False)
    return ops.convert_to_numpy(drawn)[..., 0]
