"""The studies: the conditions that each compares, as ``scales.toml`` has them."""

from __future__ import annotations

from typing import Any

from radiosynth.reproduction import scales
from radiosynth.reproduction.configs import ClassifierConfig, Sources
from radiosynth.reproduction.presets import classifier_config, gan_config
from radiosynth.sample import check_choice

STUDIES: dict[str, dict[str, Any]] = scales.WRITTEN["studies"]
"""The conditions of each study, by name: how they differ, and what each is compared with."""


Conditions = dict[str, list[ClassifierConfig]]
"""The conditions of a study by name: for each one configuration for every fold that tests."""


def layout(name: str, scale: str | None = None) -> tuple[Conditions, dict[str, str]]:
    """Return the conditions of a study, and what each is compared with.

    Parameters
    ----------
    name : str
        One of `STUDIES`.
    scale : str, optional
        One of `radiosynth.reproduction.scales.SCALES`; that of the environment if not given.

    Returns
    -------
    conditions : dict of str to list of ClassifierConfig
        By name of the condition, one configuration for each fold that tests. Conditions of different studies
        share runs that are alike.
    references : dict of str to str
        For each condition that is compared, the name of the one that it is compared with.

    Raises
    ------
    ValueError
        If there is no such study or scale.

    Examples
    --------
    >>> conditions, references = layout("data-size", "report")
    >>> {name: len(configs) for name, configs in conditions.items() if "25" in name}
    {'real, 25%': 10, 'real+geometric, 25%': 10}
    """
    check_choice(name, "study", STUDIES)
    scale = scales.current_scale(scale)
    conditions: Conditions = {}
    references: dict[str, str] = {}
    for condition, written in STUDIES[name].items():
        changes = {**scales.SCALES[scale]["study"], **written}
        if "compared_with" in changes:
            references[condition] = changes.pop("compared_with")
        if changes["training_set"] == "real":
            changes["epochs"] *= 2
        if changes.pop("leak", False):
            size = changes.get("size", Sources.size)
            changes["generators"] = (gan_config("all", scale, leak=True, size=size),)
        folds = range(changes.pop("tested"))
        conditions[condition] = [
            classifier_config(scale=scale, **changes, seed=fold, fold=fold) for fold in folds
        ]
    return conditions, references
