"""Generators of synthetic images: train, save, draw."""

from radiosynth.generators.animation import write_gif, write_mp4
from radiosynth.generators.base import (
    GANRun,
    GeneratorSettings,
    diversity,
    frame_epochs,
    generate,
    load_generator,
    sample_generators,
)
from radiosynth.generators.dcgan import DCGAN, GANSettings, train_gan
from radiosynth.generators.vae import VAE, VAESettings, reconstruct, train_vae

__all__ = [
    "DCGAN",
    "VAE",
    "GANRun",
    "GANSettings",
    "GeneratorSettings",
    "VAESettings",
    "diversity",
    "frame_epochs",
    "generate",
    "load_generator",
    "reconstruct",
    "sample_generators",
    "train_gan",
    "train_vae",
    "write_gif",
    "write_mp4",
]
