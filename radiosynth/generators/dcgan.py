"""The report's generative adversarial network, a DCGAN (Radford et al. 2015, arXiv:1511.06434)."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from radiosynth.generators.base import GeneratorModel
from radiosynth.generators.settings import GANSettings, with_labels
from radiosynth.networks.generators import build_discriminator


class DCGAN(GeneratorModel):
    """Generator and discriminator as one model, which plain ``fit`` trains on any backend.

    Parameters
    ----------
    settings : GANSettings
        Architecture, loss and seed.
    """

    logs = ("discriminator_loss", "generator_loss", "accuracy_on_real", "accuracy_on_fake")
    partner = "discriminator"

    def __init__(self, settings: GANSettings) -> None:
        super().__init__(settings)
        options: dict[str, Any] = {"classes": settings.conditional, "seed": settings.seed + 1}
        options["minibatch_stddev"] = settings.minibatch_stddev
        self.discriminator = build_discriminator(settings.size, settings.width_multiplier, **options)
        self.averaged = settings.network() if settings.ema_decay else None
        if self.averaged:
            self.averaged.trainable = False

    @property
    def kept(self) -> keras.Model:
        """The generator to look at and to save: the running mean, if there is one."""
        return self.settings.kept(self.averaged or self.generator)

    def solver(self, steps: int) -> keras.optimizers.Optimizer:
        """Return Adam, with the settings' decay of the mean gradient."""
        return keras.optimizers.Adam(self.settings.learning_rate, beta_1=self.settings.beta_1)

    def terms(self, images: Any, labels: Any, training: bool) -> tuple[Any, tuple[Any, ...]]:
        """Return one loss whose gradient is, for each network, the gradient of its own loss.

        The discriminator judges the generated images behind a ``stop_gradient``. The generator's term
        goes through a copy of the discriminator whose weights are constants. Nothing else is shared, so
        the sum has the gradients of the two separate steps, and Adam works on each weight by itself.
        """
        noise = keras.random.normal((ops.shape(images)[0], self.settings.latent_dim), seed=self.seeds)
        fake = self.generator(with_labels(noise, labels), training=training)
        # The discriminator learns from real images, and from generated ones that send no gradient back.
        on_real = self.discriminator(with_labels(images, labels), training=training)
        on_fake = self.discriminator(with_labels(ops.stop_gradient(fake), labels), training=training)
        # The generator learns from a discriminator that does not learn meanwhile.
        frozen = self.discriminator
        fixed = [ops.stop_gradient(ops.convert_to_tensor(v)) for v in frozen.trainable_variables]
        states = [ops.convert_to_tensor(v) for v in frozen.non_trainable_variables]
        on_fake_again, _ = frozen.stateless_call(fixed, states, with_labels(fake, labels), training=training)
        # Softplus is the binary cross-entropy of a logit.
        discriminator = ops.mean(ops.softplus(-on_real)) + ops.mean(ops.softplus(on_fake))
        generator = ops.mean(ops.softplus(-on_fake_again))
        # Keras' own running mean (`use_ema`) leaves the statistics of batch normalisation out.
        if training and self.averaged:
            for mean, value in zip(self.averaged.weights, self.generator.weights, strict=True):
                mean.assign(mean + (1 - self.settings.ema_decay) * (value - mean))
        return discriminator + generator, (discriminator, generator, on_real > 0, on_fake < 0)
