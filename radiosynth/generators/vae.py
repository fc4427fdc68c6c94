"""A generator by another principle: the variational autoencoder (Kingma & Welling 2014, arXiv:1312.6114).

An encoder says which latent values may belong to an image; the decoder, which is the network that the GAN has
for a generator, draws the image from them. After training the decoder alone draws from random values.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from radiosynth import training
from radiosynth._io import check
from radiosynth.generators.base import GeneratorModel, check_images, load_generator, read_description
from radiosynth.generators.settings import VAESettings, with_labels
from radiosynth.networks.layers import keras_defaults


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
        encoded = self.encoder(with_labels(images, labels), training=training)
        mean, log_variance = ops.split(encoded, 2, axis=1)
        noise = keras.random.normal(ops.shape(mean), seed=self.seeds)
        latent = mean + ops.exp(log_variance / 2) * noise
        drawn = self.generator(with_labels(latent, labels), training=training)
        reconstruction = ops.mean(ops.square(drawn - images))
        # From the normal distribution of one image to the standard one, in nats.
        of_each = ops.sum(ops.square(mean) + ops.exp(log_variance) - log_variance - 1, axis=1) / 2
        divergence = ops.mean(of_each)
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
    settings, *_ = read_description(path)
    fault = f"{path} holds no variational autoencoder: train one with radiosynth.VAESettings"
    check(settings.kind == VAESettings.kind, fault)
    check_images(settings, images, labels)
    encoder, decoder = settings.encoder(), load_generator(path)
    training.load_weights(encoder, path / "encoder.npz")
    label = None if labels is None else ops.convert_to_tensor(labels, "int32")
    values = encoder(with_labels(settings.seen(ops.convert_to_tensor(images)), label), training=False)
    drawn = decoder(with_labels(values[:, : settings.latent_dim], label), training=False)
    return ops.convert_to_numpy(drawn)[..., 0]
