"""Generators of synthetic images: train, save, draw. Which kinds there are is listed here."""

from radiosynth.generators.animation import write_animation as write_animation
from radiosynth.generators.base import (
    GeneratorModel as GeneratorModel,
    GeneratorRun as GeneratorRun,
    GeneratorSettings as GeneratorSettings,
    diversity as diversity,
    frame_epochs as frame_epochs,
    train_generator as train_generator,
)
from radiosynth.generators.dcgan import DCGAN as DCGAN, GANSettings as GANSettings
from radiosynth.generators.drawing import (
    generate as generate,
    load_generator as load_generator,
    sample_generators as sample_generators,
)
from radiosynth.generators.vae import VAE as VAE, VAESettings as VAESettings, reconstruct as reconstruct

GENERATORS: dict[str, type[GeneratorSettings]] = {
    "gan": GANSettings,
    "vae": VAESettings,
}
"""Settings of each kind of generator, by its name, which its images are named by, too."""
