"""How generators are built and trained, and which kinds there are; Keras is loaded when one is built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from radiosynth import networks
from radiosynth._io import check
from radiosynth.sample import check_positive

if TYPE_CHECKING:
    import keras

    from radiosynth.generators.base import GeneratorModel


def with_labels(values: Any, labels: Any = None) -> Any:
    """Return what a network takes: values, and the class codes if it knows any."""
    return values if labels is None else [values, labels]


@dataclass(frozen=True)
class GeneratorSettings:
    """How a generator is built and trained; what all kinds have in common.

    Another kind is a subclass with a name, ``kind``, and a method `model`; the networks that draw its images
    are those of the report unless it has a method `network` too.

    Parameters
    ----------
    size : int
        Edge of the images in pixels, a multiple of 8.
    latent_dim : int
        Length of the noise vector.
    width_multiplier : float
        Multiple of the report's number of channels.
    epochs : int
        Passes over the training images.
    batch_size : int
        Images per step.
    learning_rate : float
        Learning rate of Adam.
    stretch : bool
        Let the networks work on the square root of the brightness, in which faint parts count for more.
        The generator that is kept squares its images again.
    rescale : bool
        Let the generator that is kept divide each image by its peak, as the pre-processing does.
    conditional : int
        Number of classes that one network learns from labelled images; 0 for a network of one class.
    seed : int
        Seed of the initial weights, the noise, the dropout and the order of the images.
    """

    kind: ClassVar[str]
    size: int = 56
    latent_dim: int = 100
    width_multiplier: float = 1.0
    epochs: int = 500
    batch_size: int = 256
    learning_rate: float = 1e-4
    stretch: bool = False
    rescale: bool = False
    conditional: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        sizes = ("size", "latent_dim", "width_multiplier", "epochs", "batch_size", "learning_rate")
        check_positive(self, *sizes)
        fault = f"conditional={self.conditional}: give 0 for one class, or the number of classes, 2 or more"
        check(self.conditional == 0 or self.conditional >= 2, fault)

    def model(self) -> GeneratorModel:
        """Return the untrained generator together with whatever teaches it."""
        raise NotImplementedError

    def network(self) -> keras.Model:
        """Return the untrained network that draws images, stretched if the settings say so.

        It takes noise (n, latent_dim) and, if there are classes, their codes (n,).
        """
        options = {"classes": self.conditional, "seed": self.seed}
        return networks.build_generator(self.size, self.latent_dim, self.width_multiplier, **options)

    def build(self) -> keras.Model:
        """Return the untrained generator of these settings, which draws images in [-1, 1]."""
        return self.kept(self.network())

    def kept(self, network: keras.Model) -> keras.Model:
        """Return a network as it is kept: one of the same weights whose images are squared and rescaled."""
        import keras
        from keras import ops

        if self.stretch or self.rescale:
            light = (network.output + 1) / 2
            if self.stretch:
                light = ops.square(light)
            if self.rescale:
                light = light / ops.maximum(ops.max(light, axis=(1, 2, 3), keepdims=True), 1e-3)
            network = keras.Model(with_labels(*network.inputs), 2 * light - 1, name=network.name)
        network.classes = self.conditional  # for `generate`
        return network

    def seen(self, images: Any) -> Any:
        """Return images (n, size, size) as the networks see them: stretched if so set, with a channel."""
        from keras import ops

        image = ops.expand_dims(images, -1)
        return 2 * ops.sqrt((image + 1) / 2) - 1 if self.stretch else image


@dataclass(frozen=True)
class GANSettings(GeneratorSettings):
    """How a GAN is built and trained; the defaults are the report's.

    Adam and binary cross-entropy for both networks (report, section on generative adversarial networks, and
    tables A1 and A2).

    Parameters
    ----------
    size, latent_dim, width_multiplier, epochs, batch_size, learning_rate, stretch, rescale, conditional, seed
        As in `radiosynth.generators.GeneratorSettings`; width and learning rate are those of both networks.
    beta_1 : float
        Decay of Adam's mean gradient; 0.5 is usual for GANs, the report has Keras' 0.9.
    ema_decay : float
        If above 0, the generator that is kept is the running mean of the trained one's weights, with
        this decay per step.
    minibatch_stddev : bool
        Let the discriminator see how much the images of a batch differ (see `build_discriminator`).
    """

    kind: ClassVar[str] = "gan"
    beta_1: float = 0.9
    ema_decay: float = 0.0
    minibatch_stddev: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("beta_1", "ema_decay"):
            fault = f"{name}={getattr(self, name)!r} is not possible: give a number from 0 to below 1"
            check(0 <= getattr(self, name) < 1, fault)

    def model(self) -> GeneratorModel:
        """Return generator and discriminator, untrained."""
        from radiosynth.generators.dcgan import DCGAN

        return DCGAN(self)


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
        check_positive(self, "beta")

    def model(self) -> GeneratorModel:
        """Return encoder and decoder, untrained."""
        from radiosynth.generators.vae import VAE

        return VAE(self)

    def encoder(self) -> keras.Model:
        """Return the untrained encoder."""
        options = {"classes": self.conditional, "seed": self.seed + 1}
        return networks.build_encoder(self.size, self.latent_dim, self.width_multiplier, **options)


GENERATORS: dict[str, type[GeneratorSettings]] = {
    "gan": GANSettings,
    "vae": VAESettings,
}
"""Settings of each kind of generator, by its name, which its images are named by, too."""
