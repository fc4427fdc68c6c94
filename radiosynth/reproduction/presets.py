"""Configurations by scale."""

from __future__ import annotations

from typing import Any

from radiosynth.reproduction import configs
from radiosynth.reproduction.scales import SCALES, WRITTEN, current_scale, scaled


def gan_config(morphology: str = "FRI", scale: str | None = None, **changes: Any) -> configs.GANConfig:
    """Return the configuration of the GAN of one class, or of ``"all"``, at a scale.

    Parameters
    ----------
    morphology : str
        Name of a class, or ``"all"`` for one class-conditional network.
    scale : str, optional
        One of ``SCALES``; ``current_scale`` if not given.
    **changes
        Values of `GANConfig`, its sources and settings to set otherwise than the scale does.

    Returns
    -------
    GANConfig
        The frozen configuration.
    """
    scale, values = scaled(scale, "gan", {})
    if morphology == "all":
        values |= scaled(scale, "conditional", {})[1]
    return configs.GANConfig.of(scale=scale, morphology=morphology, **{**values, **changes})


def vae_config(scale: str | None = None, **changes: Any) -> configs.VAEConfig:
    """Return the configuration of the variational autoencoder of all classes at a scale.

    Parameters
    ----------
    scale : str, optional
        One of ``SCALES``; ``current_scale`` if not given.
    **changes
        Values of `VAEConfig`, its sources and settings to set otherwise than the scale does.

    Returns
    -------
    VAEConfig
        The frozen configuration.
    """
    scale, values = scaled(scale, "vae", changes)
    return configs.VAEConfig.of(scale=scale, **values)


def classifier_config(
    training_set: str = "real", scale: str | None = None, **changes: Any
) -> configs.ClassifierConfig:
    """Return the configuration of a classifier at a scale.

    Parameters
    ----------
    training_set : str
        One of `ALL_TRAINING_SETS`.
    scale : str, optional
        One of ``SCALES``; ``current_scale`` if not given.
    **changes
        Values of `ClassifierConfig`, its sources and settings to set otherwise than the scale does.

    Returns
    -------
    ClassifierConfig
        The frozen configuration.

    Examples
    --------
    >>> classifier_config("real", "report").settings.epochs
    100
    """
    scale, values = scaled(scale, "classifier", changes)
    if training_set in configs.GENERATED and "generators" not in values:  # from the sources of the classifier
        shared = {name: values[name] for name in vars(configs.Sources()) if name in values}
        if training_set == "real+vae":
            values["generators"] = (vae_config(scale, **shared),)
        else:
            names = ["all"] if shared.get("folds") else SCALES[scale]["generators"]
            values["generators"] = tuple(gan_config(name, scale, **shared) for name in names)
    return configs.ClassifierConfig.of(scale=scale, training_set=training_set, **values)


def ensemble_config(
    scale: str | None = None, *, synthetic: float = 0.0, **changes: Any
) -> configs.EnsembleConfig:
    """Return the configuration of an ensemble of networks of the five-fold scheme at a scale.

    Parameters
    ----------
    scale : str, optional
        One of ``SCALES``; ``current_scale`` if not given.
    synthetic : float
        Geometric simulations for each real training image. The epochs are fewer by as much, so that the
        number of steps is the same.
    **changes
        Values of `FoldConfig` and its settings to set otherwise than the scale does, but for `fold`, which
        counts the networks; to `seed` the number of the fold is added.

    Returns
    -------
    EnsembleConfig
        The frozen configuration.

    Examples
    --------
    >>> [member.settings.epochs for member in ensemble_config("report", synthetic=1.0).members]
    [50, 50, 50, 50, 50]
    """
    scale, values = scaled(scale, "fold", changes)
    first = configs.FoldConfig.of(scale=scale, synthetic=synthetic, **values)
    epochs, seed = max(1, round(first.settings.epochs / (1 + synthetic))), first.settings.seed
    folds = range(SCALES[scale]["members"])
    members = (first.changed(fold=fold, seed=seed + fold, epochs=epochs) for fold in folds)
    return configs.EnsembleConfig(scale=scale, members=tuple(members))


def student_config(fold: int = -1) -> configs.FoldConfig:
    """Return the configuration of a network that is taught by the ensemble of full scale.

    Parameters
    ----------
    fold : int
        The fold that validates; -1 for the default classifier of the package, which is trained on all five.

    Returns
    -------
    FoldConfig
        The frozen configuration.
    """
    return configs.FoldConfig.of(scale="report", fold=fold, seed=fold + 10, **WRITTEN["student"])


def bending_conditions(scale: str | None = None, **changes: Any) -> dict[str, list[configs.BendingConfig]]:
    """Return the networks for bending angles that are compared, one per fold, by what they are trained on.

    Parameters
    ----------
    scale : str, optional
        One of ``SCALES``; ``current_scale`` if not given. The smallest has two conditions only.
    **changes
        Values of `BendingConfig` and its settings to set otherwise than scale and condition do.

    Returns
    -------
    dict of str to list of BendingConfig
        The author's three; then those on simulations matched to the real sources, predictions being averaged
        over eight rotations: alone, followed by real images, and so with the other outputs.
    """
    scale, conditions = current_scale(scale), {}
    for name in ("real", "with spread") if scale == "smoke" else WRITTEN["bending"]:
        _, values = scaled(scale, "bending", {**WRITTEN["bending"][name], **changes})
        if values.get("training_set") == "synthetic":
            values["folds"] = 0
        first = configs.BendingConfig.of(scale=scale, **values)
        conditions[name] = [first.changed(fold=fold) for fold in range(max(1, first.folds))]
    return conditions
