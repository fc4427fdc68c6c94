"""A generator that learns by the energy distance of drawn and real images."""

from dataclasses import dataclass
from typing import ClassVar

import keras
from keras import layers, ops

from radiosynth.generators import GeneratorModel, GeneratorSettings


@dataclass(frozen=True)
class EnergySettings(GeneratorSettings):
    """The settings that all generators have, and none of its own."""

    kind: ClassVar[str] = "energy"

    def network(self):
        """Return the untrained network, from noise to images in [-1, 1]."""
        noise = keras.Input((self.latent_dim,))
        start = keras.initializers.GlorotUniform(self.seed)
        pixels = layers.Dense(self.size**2, "tanh", kernel_initializer=start)(noise)
        return keras.Model(noise, layers.Reshape((self.size, self.size, 1))(pixels))

    def model(self):
        """Return what is trained."""
        return Energy(self)


class Energy(GeneratorModel):
    """The network, and what it minimises."""

    logs = ("apart", "variety")

    def terms(self, images, labels, training):
        """Return the energy distance, less the part of the real images alone."""
        shape = (ops.shape(images)[0], self.settings.latent_dim)
        noise = keras.random.normal(shape, seed=self.seeds)
        drawn = self.generator(noise, training=training)
        apart = distance(images, drawn)
        variety = distance(drawn, ops.roll(drawn, 1, axis=0))  # from its neighbour
        return 2 * apart - variety, (apart, variety)


def distance(some, others):
    """Return the mean distance between images of the same place in two batches."""
    return ops.mean(ops.sqrt(ops.sum(ops.square(some - others), axis=(1, 2, 3)) + 1e-9))
