"""The studies: the question that each asks, and the conditions that it compares.

All conditions make the same number of optimiser steps: where synthetic images double the training set, the
set of real images alone gets twice the epochs.
"""

from __future__ import annotations

import itertools
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


class Plan:
    """What the studies of a scale are made of.

    Parameters
    ----------
    scale : str
        Name of the scale.
    short : bool
        Whether the training may be shorter than that of the report.
    """

    def __init__(self, scale: str, *, short: bool) -> None:
        self.scale, self.grid = scale, SCALES[scale]["grid"]
        self.settings = dict(SCALES[scale]["study"])
        self.folds, self.repeats, self.few = (self.settings.pop(key) for key in ("folds", "repeats", "few"))
        epochs = self.settings.pop("short", None)
        if epochs and short:
            self.settings["epochs"] = epochs
        self.epochs = self.settings.get("epochs", classifier_config("real", scale).settings.epochs)

    def make(self, training_set: str, **changes: Any) -> list[ClassifierConfig]:
        """Return the configurations of a training set, one for each fold that tests."""
        settings = {**self.settings, "folds": self.folds, **changes}
        return [
            classifier_config(training_set, self.scale, **{"seed": fold, "fold": fold, **settings})
            for fold in range(min(self.repeats, settings["folds"]))
        ]


def _protocol(plan: Plan) -> Layout:
    conditions = {
        "real": plan.make("real", epochs=2 * plan.epochs),
        "real+geometric": plan.make("real+geometric"),
        "real+gan": plan.make("real+gan"),
    }
    return conditions, {"real+geometric": "real", "real+gan": "real"}


def _published_code(plan: Plan) -> Layout:
    right, real = "set (c) done right", plan.make("real", epochs=2 * plan.epochs)
    seeing = (gan_config("all", plan.scale, leak=True, size=real[0].sources.size),)
    every = {
        right: plan.make("real+gan"),
        "FR I generator for FR II": plan.make("real+gan", mislabelled=True),
        "generators saw the test sources": plan.make("real+gan", generators=seeing),
        "real": real,
        "shared sky on both sides": plan.make("real", epochs=2 * plan.epochs, keep_groups=False),
    }
    conditions = {name: configs[: plan.few] for name, configs in every.items()}
    _, *wrong, _, shared = conditions
    return conditions, {**dict.fromkeys(wrong, right), shared: "real"}


def _paired(plan: Plan, variants: dict[str, tuple[dict[str, Any], int]], others: tuple[str, ...]) -> Layout:
    """Return, for each variant (by the end of its name), real images alone and together with others."""
    conditions: Conditions = {}
    references: dict[str, str] = {}
    for end, (changes, number) in variants.items():
        epochs = int(changes.get("epochs") or plan.epochs)
        for name, passes in (("real", 2 * epochs), *((other, epochs) for other in others)):
            conditions[name + end] = plan.make(name, **{**changes, "epochs": passes})[:number]
        references |= {other + end: f"real{end}" for other in others}
    return conditions, references


def _data_size(plan: Plan, fractions: tuple[float, ...] = (1.0, 0.25, 0.05)) -> Layout:
    variants = {f", {fraction:.0%}": ({"fraction": fraction}, plan.few) for fraction in fractions}
    return _paired(plan, variants, ("real+geometric",))


def _learning_curve(plan: Plan) -> Layout:
    return _data_size(plan, (1.0, 0.25, 0.1, 0.05))


def _augmentations(plan: Plan) -> Layout:
    # As many images of each class are shown in all, whatever the number of different ones.
    passes = plan.grid.get("passes") or plan.epochs * plan.make("real")[0].per_class
    variants = {}
    for copies in plan.grid["copies"]:
        changes = {**plan.grid["settings"], "per_class": copies, "epochs": passes // copies}
        variants[f", {copies}"] = (changes, plan.grid["few"])
    return _paired(plan, variants, ("real+geometric",))


def _populations(plan: Plan) -> Layout:
    variants: dict[str, tuple[dict[str, Any], int]] = {"": ({}, plan.few)}
    if settings := plan.grid["settings"]:  # a bad set does more harm to a short training
        variants[", short"] = ({**settings, "epochs": settings["epochs"] // 2}, plan.grid["few"])
    return _paired(plan, variants, ("real+geometric", "real+fitted"))


def _image_size(plan: Plan) -> Layout:
    # At a constant rate, what the last epoch leaves of a large residual network is luck.
    schedules = {"report": "constant", "residual": "cosine"}
    conditions = {}
    for (architecture, schedule), size in itertools.product(schedules.items(), plan.grid["sizes"]):
        changes = {**plan.grid["settings"], "size": size, "architecture": architecture, "schedule": schedule}
        conditions[f"{architecture}, {size} px"] = plan.make("real", **changes)[: plan.grid["few"]]
    reference = "report, 56 px"
    return conditions, {name: reference for name in conditions if name != reference}


STUDIES: dict[str, tuple[str, Callable[[Plan], Layout]]] = {
    "protocol": ("Do synthetic images help?", _protocol),
    "published-code": ("What did the errors of the published code do?", _published_code),
    "data-size": ("How does the gain depend on the number of real sources?", _data_size),
    "image-size": ("How large need the images be?", _image_size),
    "augmentations": ("How many augmented images are enough?", _augmentations),
    "populations": ("Is a population fitted to real images the better teacher?", _populations),
    "learning-curve": ("What would more real sources bring?", _learning_curve),
}
"""The question of each study, and what lays out its conditions."""


def layout(name: str, scale: str | None) -> Layout:
    """Return the conditions of a study, and what each is compared with; see `study_conditions`."""
    check_choice(name, "study", STUDIES)
    scale = asked_scale(scale)
    # The main study, and the one that shares its runs, train as long as the report.
    return STUDIES[name][1](Plan(scale, short=name not in ("protocol", "populations")))


def study_conditions(name: str, scale: str | None = None) -> Conditions:
    """Return the configurations of a study: for each condition, one for each fold that tests.

    Parameters
    ----------
    name : str
        One of `STUDIES`.
    scale : str, optional
        One of `radiosynth.reproduction.scales.SCALES`; that of the environment if not given.

    Returns
    -------
    dict of str to list of ClassifierConfig
        By name of the condition. Conditions of different studies share runs that are alike.

    Raises
    ------
    ValueError
        If there is no such study or scale.

    Examples
    --------
    >>> {name: len(configs) for name, configs in study_conditions("protocol", "report").items()}
    {'real': 10, 'real+geometric': 10, 'real+gan': 10}
    """
    return layout(name, scale)[0]
