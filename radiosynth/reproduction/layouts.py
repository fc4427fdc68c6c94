"""The studies: the question that each asks, and the conditions that it compares.

All conditions make the same number of optimiser steps: where synthetic images double the training set, the
set of real images alone gets twice the epochs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from radiosynth.reproduction.configs import ClassifierConfig
from radiosynth.reproduction.presets import classifier_config, gan_config
from radiosynth.reproduction.scales import SCALES, asked_scale
from radiosynth.sample import check_choice

Conditions = dict[str, list[ClassifierConfig]]
"""The conditions of a study by name: for each one configuration for every fold that tests."""


Layout = tuple[Conditions, dict[str, str]]
"""The conditions, and for each that is compared the name of the one that it is compared with."""


def _condition(training_set: str, scale: str, **changes: Any) -> list[ClassifierConfig]:
    """Return the configurations of a training set, one for each fold that tests."""
    settings = {**SCALES[scale]["study"], **changes}
    folds = range(settings.pop("tested"))
    return [classifier_config(training_set, scale, seed=fold, fold=fold, **settings) for fold in folds]


def _published_code(scale: str) -> Layout:
    """Ask what the errors of the published code did."""
    correct, epochs = "set (c) done right", 2 * SCALES[scale]["study"]["epochs"]
    real = _condition("real", scale, epochs=epochs)
    seeing = (gan_config("all", scale, leak=True, size=real[0].sources.size),)
    conditions = {
        correct: _condition("real+gan", scale),
        "FR I generator for FR II": _condition("real+gan", scale, mislabelled=True),
        "generators saw the test sources": _condition("real+gan", scale, generators=seeing),
        "real": real,
        "shared sky on both sides": _condition("real", scale, epochs=epochs, keep_groups=False),
    }
    _, *wrong, _, shared = conditions
    return conditions, {**dict.fromkeys(wrong, correct), shared: "real"}


def _data_size(scale: str) -> Layout:
    """Ask how accuracy and gain depend on the number of real sources."""
    conditions: Conditions = {}
    references: dict[str, str] = {}
    for part in (1.0, 0.25, 0.1, 0.05):
        real, both = (f"{name}, {part:.0%}" for name in ("real", "real+geometric"))
        epochs = 2 * SCALES[scale]["study"]["epochs"]
        conditions[real] = _condition("real", scale, epochs=epochs, fraction=part)
        conditions[both] = _condition("real+geometric", scale, fraction=part)
        references[both] = real
    return conditions, references


STUDIES: dict[str, Callable[[str], Layout]] = {"published-code": _published_code, "data-size": _data_size}
"""What lays out the conditions of each study; the question that it asks is the documentation of it."""


def layout(name: str, scale: str | None = None) -> Layout:
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
    return STUDIES[name](asked_scale(scale))
