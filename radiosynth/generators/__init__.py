"""Generators of synthetic images: train, save, draw. Which kinds there are is listed here."""

from radiosynth.generators.animation import write_animation
from radiosynth.generators.base import (
    GeneratorModel,
    GeneratorRun,
    GeneratorSettings,
    diversity,
    frame_epochs,
    train_generator,
)
from radiosynth.generators.dcgan import DCGAN, GANSettings
from radiosynth.generators.drawing import generate, load_generator, sample_generators
from radiosynth.generators.vae import VAE, VAESettings, reconstruct

__all__ = [
    "DCGAN",
    "GENERATORS",
    "VAE",
    "GANSettings",
    "GeneratorModel",
    "GeneratorRun",
    "GeneratorSettings",
    "VAESettings",
    "diversity",
    "frame_epochs",
    "generate",
    "load_generator",
    "reconstruct",
    "sample_generators",
    "train_generator",
    "write_animation",
]

GENERATORS: dict[str, type[GeneratorSettings]] = {
    "gan": GANSettings,
    "vae": VAESettings,
}
"""Settings of each kind of generator, by its name, which its images are named by, too."""
