"""Configurations by scale."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from radiosynth.reproduction.configs import (
    GENERATED,
    SPLIT,
    BendingConfig,
    ClassifierConfig,
    EnsembleConfig,
    FoldConfig,
    GANConfig,
    VAEConfig,
)
from radiosynth.reproduction.scales import GENERATORS, SCALES, WRITTEN, asked_scale, scaled


def gan_config(morphology: str = "FRI", scale: str | None = None, **changes: Any) -> GANConfig:
    """Return the configuration of the GAN of one class, or of ``"all"``, at a scale.

    Parameters
    ----------
    morphology : str
        Name of a class, or ``"all"`` for one class-conditional network.
    scale : str, optional
        One of ``SCALES``; ``current_scale`` if not given.
    **changes
        Fields of `GANConfig` to set otherwise than the scale does.

    Returns
    -------
    GANConfig
        The frozen configuration.
    """
    scale, settings = scaled(scale, "gan", {})
    if morphology == "all":
        settings |= scaled(scale, "conditional", {})[1]
    return GANConfig(scale, morphology=morphology, **{**settings, **changes})


def vae_config(scale: str | None = None, **changes: Any) -> VAEConfig:
    """Return the configuration of the variational autoencoder of all classes at a scale.

    Parameters
    ----------
    scale : str, optional
        One of ``SCALES``; ``current_scale`` if not given.
    **changes
        Fields of `VAEConfig` to set otherwise than the scale does.

    Returns
    -------
    VAEConfig
        The frozen configuration.
    """
    scale, settings = scaled(scale, "vae", changes)
    return VAEConfig(scale, **settings)


def classifier_config(
    training_set: str = "real", scale: str | None = None, **changes: Any
) -> ClassifierConfig:
    """Return the configuration of a classifier at a scale.

    Parameters
    ----------
    training_set : str
        One of `ALL_TRAINING_SETS`.
    scale : str, optional
        One of ``SCALES``; ``current_scale`` if not given.
    **changes
        Fields of `ClassifierConfig` to set otherwise than the scale does.

    Returns
    -------
    ClassifierConfig
        The frozen configuration.

    Examples
    --------
    >>> classifier_config("real", "report").epochs
    100
    """
    scale, settings = scaled(scale, "classifier", changes)
    if training_set in GENERATED and "generators" not in settings:
        shared = {key: settings[key] for key in SPLIT if key in settings}
        names = ("all",) if shared.get("folds") else GENERATORS[scale]
        vae = training_set == "real+vae"
        settings["generators"] = (
            (vae_config(scale, **shared),)
            if vae
            else tuple(gan_config(name, scale, **shared) for name in names)
        )
    return ClassifierConfig(scale, training_set=training_set, **settings)


def ensemble_config(scale: str | None = None, *, synthetic: float = 0.0, **changes: Any) -> EnsembleConfig:
    """Return the configuration of an ensemble of networks of the five-fold scheme at a scale.

    Parameters
    ----------
    scale : str, optional
        One of ``SCALES``; ``current_scale`` if not given.
    synthetic : float
        Geometric simulations for each real training image. The epochs are fewer by as much, so that the
        number of steps is the same.
    **changes
        Fields of `FoldConfig` to set otherwise than the scale does, but for `fold`, which counts the
        networks; to `seed` the number of the fold is added.

    Returns
    -------
    EnsembleConfig
        The frozen configuration.

    Examples
    --------
    >>> [member.epochs for member in ensemble_config("report", synthetic=1.0).members]
    [50, 50, 50, 50, 50]
    """
    scale, settings = scaled(scale, "fold", changes)
    epochs = max(1, round(settings.pop("epochs", FoldConfig.epochs) / (1 + synthetic)))
    seed = settings.pop("seed", 0)
    members = (
        FoldConfig(scale, fold=fold, seed=seed + fold, epochs=epochs, synthetic=synthetic, **settings)
        for fold in range(SCALES[scale]["members"])
    )
    return EnsembleConfig(scale, tuple(members))


def bending_arms(scale: str | None = None, **changes: Any) -> dict[str, list[BendingConfig]]:
    """Return the networks for bending angles that are compared, one per fold, by what they are trained on.

    Parameters
    ----------
    scale : str, optional
        One of ``SCALES``; ``current_scale`` if not given. The smallest has two conditions only.
    **changes
        Fields of `BendingConfig` to set otherwise than scale and condition do.

    Returns
    -------
    dict of str to list of BendingConfig
        The author's three; then those on simulations matched to the real sources, predictions being averaged
        over eight rotations: alone, followed by real images, and so with the other outputs.
    """
    arms = {}
    few = {"real", "with spread"} if asked_scale(scale) == "smoke" else WRITTEN["bending"]
    for name in (name for name in WRITTEN["bending"] if name in few):
        used, settings = scaled(scale, "bending", {**WRITTEN["bending"][name], **changes})
        if settings.get("training_set") == "synthetic":
            settings["folds"] = 0
        first = BendingConfig(used, **settings)
        arms[name] = [replace(first, fold=fold) for fold in range(max(1, first.folds))]
    return arms
