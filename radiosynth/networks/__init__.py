"""Builders of networks, untrained."""

from radiosynth.networks.classifiers import (
    CLASSIFIERS,
    build_classifier,
    build_ensemble,
    build_foveated_classifier,
    build_network,
    build_regressor,
    build_residual_classifier,
)
from radiosynth.networks.generators import build_discriminator, build_encoder, build_generator

__all__ = [
    "CLASSIFIERS",
    "build_classifier",
    "build_discriminator",
    "build_encoder",
    "build_ensemble",
    "build_foveated_classifier",
    "build_generator",
    "build_network",
    "build_regressor",
    "build_residual_classifier",
]
