"""The studies: the question that each asks, and the conditions that it compares.

All conditions make the same number of optimiser steps: where synthetic images double the training set, the
set of real images alone gets twice the epochs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
        self.scale = scale
        self.settings: dict[str, Any] = dict(SCALES[scale]["study"])
        self.repeats, self.few = (self.settings.pop(key) for key in ("repeats", "few"))
        epochs = self.settings.pop("short", None)
        if epochs and short:
            self.settings["epochs"] = epochs
        self.epochs: int = self.settings.get("epochs", classifier_config("real", scale).settings.epochs)

    def make(self, training_set: str, **changes: Any) -> list[ClassifierConfig]:
        """Return the configurations of a training set, one for each fold that tests."""
        return [
            classifier_config(training_set, self.scale, seed=fold, fold=fold, **{**self.settings, **changes})
            for fold in range(self.repeats)
        ]


Variants = dict[str, dict[str, Any]]
"""What variants of training sets differ in, by the end of the names of their conditions."""


def _paired(plan: Plan, others: Sequence[str], number: int, variants: Variants) -> Layout:
    """Return, for each variant, real images alone and together with others, on a number of folds."""
    conditions: Conditions = {}
    references: dict[str, str] = {}
    for end, changes in variants.items():
        conditions[f"real{end}"] = plan.make("real", epochs=2 * plan.epochs, **changes)[:number]
        for other in others:
            conditions[other + end] = plan.make(other, epochs=plan.epochs, **changes)[:number]
            references[other + end] = f"real{end}"
    return conditions, references


def _protocol(plan: Plan) -> Layout:
    """Ask whether synthetic images help."""
    return _paired(plan, ("real+geometric", "real+gan"), plan.repeats, {"": {}})


def _published_code(plan: Plan) -> Layout:
    """Ask what the errors of the published code did."""
    correct, real = "set (c) done right", plan.make("real", epochs=2 * plan.epochs)
    seeing = (gan_config("all", plan.scale, leak=True, size=real[0].sources.size),)
    every = {
        correct: plan.make("real+gan"),
        "FR I generator for FR II": plan.make("real+gan", mislabelled=True),
        "generators saw the test sources": plan.make("real+gan", generators=seeing),
        "real": real,
        "shared sky on both sides": plan.make("real", epochs=2 * plan.epochs, keep_groups=False),
    }
    conditions = {name: configs[: plan.few] for name, configs in every.items()}
    _, *wrong, _, shared = conditions
    return conditions, {**dict.fromkeys(wrong, correct), shared: "real"}


def _data_size(plan: Plan) -> Layout:
    """Ask how accuracy and gain depend on the number of real sources."""
    variants: Variants = {f", {part:.0%}": {"fraction": part} for part in (1.0, 0.25, 0.1, 0.05)}
    return _paired(plan, ["real+geometric"], plan.few, variants)


def _populations(plan: Plan) -> Layout:
    """Ask whether a population that is fitted to real images teaches better."""
    return _paired(plan, ("real+geometric", "real+fitted"), plan.few, {"": {}})


STUDIES: dict[str, Callable[[Plan], Layout]] = {
    "protocol": _protocol,
    "published-code": _published_code,
    "data-size": _data_size,
    "populations": _populations,
}
"""What lays out the conditions of each study; the question that it asks is the documentation of it."""


def layout(name: str, scale: str | None) -> Layout:
    """Return the conditions of a study, and what each is compared with; see `study_conditions`."""
    check_choice(name, "study", STUDIES)
    scale = asked_scale(scale)
    # The main study, and the one that shares its runs, train as long as the report.
    return STUDIES[name](Plan(scale, short=name not in ("protocol", "populations")))


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
