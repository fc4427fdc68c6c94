"""The frozen configurations of all runs.

A configuration holds everything that the numbers of a run depend on; its hash names the run. It nests the
settings of what it configures, and is saved and hashed flat: one object of all values, by names that do not
change.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import radiosynth
from radiosynth._io import check
from radiosynth.classification.settings import ClassifierSettings, OnTheFlySettings, RegressorSettings
from radiosynth.generators.settings import GANSettings, GeneratorSettings, VAESettings
from radiosynth.records import EARLIER_NAMES, renamed
from radiosynth.reproduction.scales import SCALES
from radiosynth.sample import check_choice, check_count
from radiosynth.taxonomy import CLASS_NAMES

if TYPE_CHECKING:
    import keras

TRAINING_SETS = ("real", "real+geometric", "real+gan")
"""The training sets (a), (b) and (c) of the report."""


ALL_TRAINING_SETS = (*TRAINING_SETS, "real+vae")
"""And set (d), with the images of a variational autoencoder."""


BENDING_SETS = ("synthetic", "real", "synthetic+real", "synthetic-then-real")
"""What a network for bending angles is trained on, in the last case one after the other."""


SAVED_NAMES = {name: saved for saved, name in EARLIER_NAMES.items()}
"""Names of values in saved configurations, and so in hashes, where they are not the names in the code."""


@dataclass(frozen=True)
class Sources:
    """Which of the report's sources a network may learn from, and how they are prepared.

    Parameters
    ----------
    size : int
        Edge of the prepared images in pixels.
    n_sigma : float
        Noise threshold in standard deviations.
    test_per_class : int
        Sources of each class that are kept for validation.
    split_seed : int
        Seed of the split into training and validation sources.
    folds, fold : int
        With `folds` above 0, the sources are divided into so many folds instead of the report's two parts:
        `fold` tests, the next one validates and the others train.
    fraction : float
        Proportion of the training sources of each class that is used; smaller ones are parts of larger ones.
    keep_groups : bool
        Keep sources that share a patch of sky on one side of the split. The report did not.
    """

    size: int = 56
    n_sigma: float = 3.0
    test_per_class: int = 40
    split_seed: int = 0
    folds: int = 0
    fold: int = 0
    fraction: float = 1.0
    keep_groups: bool = True

    def __post_init__(self) -> None:
        check_count(self.split_seed, "split_seed")
        possible = self.folds not in (1, 2) and 0 <= self.fold < max(1, self.folds)
        fault = f"folds={self.folds}, fold={self.fold}: give 0 for the report's split, or at least 3"
        check(possible, f"{fault}, and a fold from 0 to folds - 1")
        fault = f"fraction={self.fraction}: give a proportion of the training sources above 0, at most 1"
        check(0 < self.fraction <= 1, fault)


@dataclass(frozen=True, kw_only=True)
class Config:
    """What all configurations share: a scale, a kind, a hash and a name.

    Parameters
    ----------
    scale : str
        Name of the scale, for the record.
    """

    kind: ClassVar[str]
    predicted: ClassVar[dict[str, str]] = {
        "names": "U1",
        "labels": "i1",
        "plain": "b1",
        "probabilities": "f2",
    }
    """What the predictions of a run consist of: arrays and their kinds."""
    derived: ClassVar[tuple[str, ...]] = ()
    """Values of nested settings that follow from the others."""
    scale: str = "report"

    def __post_init__(self) -> None:
        check_choice(self.scale, "scale", SCALES)
        least = {"seed": 0, "epochs": 1, "per_class": 1, "rounds": 1}
        for name, value in self.flat().items():
            if name in least:
                check_count(value, name, least[name])

    @classmethod
    def of(cls, **values: Any) -> Self:
        """Return the configuration of values that are given flat; the others are at their defaults."""
        return cls().changed(**values)

    def changed(self, **changes: Any) -> Self:
        """Return the configuration with some values changed, by their names in the code or as saved."""
        changes = renamed(changes)
        for name, part in self._nested().items():
            inside = {key: changes.pop(key) for key in vars(part) if key in changes}
            changes[name] = replace(part, **inside)
        return replace(self, **changes)

    def flat(self) -> dict[str, Any]:
        """Return all values by name, those of nested settings beside the others."""
        found = dict(vars(self))
        for name in self._nested():
            found |= vars(found.pop(name))
        return {name: value for name, value in found.items() if name not in self.derived}

    def _nested(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if is_dataclass(value)}

    @property
    def label(self) -> str:
        """What tells runs of one kind apart, for the name of the folder."""
        raise NotImplementedError

    @property
    def requires(self) -> tuple[Config, ...]:
        """The runs that have to be there first, in the order in which they are made: those it names."""
        return tuple(each for value in vars(self).values() if isinstance(value, tuple) for each in value)

    def load(self, folder: Path) -> keras.Model:
        """Return the trained network of a run."""
        return radiosynth.load_classifier(folder).model

    @property
    def hash(self) -> str:
        """First 12 hexadecimal digits of the sha256 of all that is not as in the report.

        Values at their defaults do not count, so that one added later, whose default is what was done
        before, leaves the saved runs valid.
        """
        text = json.dumps({"kind": self.kind, **self._saved(changes_only=True)}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def name(self) -> str:
        """Name of the run's folder."""
        return f"{self.scale}-{self.kind}-{self.label}-{self.hash}"

    def to_json(self) -> str:
        """Return the configuration as it is saved."""
        return json.dumps({"kind": self.kind, **self._saved()}, indent=1, sort_keys=True) + "\n"

    def _saved(self, *, changes_only: bool = False) -> dict[str, Any]:
        """Return all values, or only those that are not at their defaults, by their saved names."""
        usual, found = type(self)().flat(), {}
        for name, value in self.flat().items():
            saved_name = SAVED_NAMES.get(name, name)
            if value and isinstance(value, tuple):  # of configurations, which count at their defaults, too
                found[saved_name] = [each._saved(changes_only=changes_only) for each in value]
            elif not changes_only or value != usual[name]:
                found[saved_name] = value
        return found


@dataclass(frozen=True, kw_only=True)
class GeneratorConfig(Config):
    """What the configurations of generators of all kinds have in common.

    Parameters
    ----------
    morphology : str
        Name of the class that it learns, or ``"all"`` for one class-conditional network.
    per_class : int
        Training images of each class after augmentation.
    leak : bool
        Let it see all sources, those held out too, as the report's code did.
    sources : Sources
        The sources that it learns from.
    settings : GeneratorSettings
        How it is trained. Size and number of classes follow from the sources and the morphology.
    """

    derived: ClassVar[tuple[str, ...]] = ("conditional",)
    morphology: str = "FRI"
    per_class: int = 60_000
    leak: bool = False
    sources: Sources = field(default_factory=Sources)
    settings: GeneratorSettings = field(default_factory=GeneratorSettings)

    def __post_init__(self) -> None:
        check_choice(self.morphology, "class", (*CLASS_NAMES, "all"))
        classes = len(CLASS_NAMES) if self.morphology == "all" else 0
        complete = replace(self.settings, size=self.sources.size, conditional=classes)
        object.__setattr__(self, "settings", complete)
        super().__post_init__()

    @property
    def label(self) -> str:
        """The class that it learns."""
        return self.morphology

    def load(self, folder: Path) -> keras.Model:
        """Return the trained generator."""
        return radiosynth.load_generator(folder)


@dataclass(frozen=True, kw_only=True)
class GANConfig(GeneratorConfig):
    """Everything that the numbers of one GAN depend on; the defaults are the report's."""

    kind: ClassVar[str] = "gan"
    settings: GeneratorSettings = field(default_factory=GANSettings)


@dataclass(frozen=True, kw_only=True)
class VAEConfig(GeneratorConfig):
    """Everything that the numbers of one variational autoencoder depend on, as in `GeneratorConfig`."""

    kind: ClassVar[str] = "vae"
    morphology: str = "all"
    settings: GeneratorSettings = field(default_factory=VAESettings)


GENERATED: dict[str, type[GeneratorConfig]] = {"real+gan": GANConfig, "real+vae": VAEConfig}
"""The training sets that need generators, and the configurations of these."""


@dataclass(frozen=True, kw_only=True)
class ClassifierConfig(Config):
    """Everything that the numbers of one classifier depend on; the defaults are the report's.

    Parameters
    ----------
    training_set : str
        One of `ALL_TRAINING_SETS`.
    per_class, validation_per_class : int
        Real training images, and validation images, of each class after augmentation.
    synthetic_per_class : int
        Synthetic images of each class in the sets that have them; as many as real ones if negative.
    generators : tuple of GeneratorConfig
        The generators whose images are in the set: one per class, or one of all classes.
    mislabelled : bool
        Label images of the FRI generator as FR II too, as the report's notebook did.
    sources : Sources
        The sources that it learns from.
    settings : ClassifierSettings
        How it is trained.
    """

    kind: ClassVar[str] = "classifier"
    training_set: str = "real"
    per_class: int = 6000
    validation_per_class: int = 1500
    synthetic_per_class: int = -1
    generators: tuple[GeneratorConfig, ...] = ()
    mislabelled: bool = False
    sources: Sources = field(default_factory=Sources)
    settings: ClassifierSettings = field(default_factory=ClassifierSettings)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice(self.training_set, "training set", ALL_TRAINING_SETS)
        advice = "let presets.classifier_config set them"
        given = f"training set {self.training_set!r} with {len(self.generators)} generators"
        fault = f"{given}: {' and '.join(GENERATED)} need some and the others have none; {advice}"
        check((self.training_set in GENERATED) == bool(self.generators), fault)
        for generator in self.generators:
            theirs = vars(generator.sources)
            other = [name for name, value in vars(self.sources).items() if theirs[name] != value]
            fault = f"the generator {generator.name} differs in {', '.join(other)}"
            why = f"so it could learn from test sources: {advice}, or say leak=True"
            check(generator.leak or not other, f"{fault}, {why}")

    @property
    def label(self) -> str:
        """The training set."""
        return self.training_set.replace("+", "-")


@dataclass(frozen=True, kw_only=True)
class BendingConfig(Config):
    """Everything that the numbers of one network for bending angles depend on.

    The defaults are those of the report's author as far as they are known (repository, part A).

    Parameters
    ----------
    training_set : str
        One of `BENDING_SETS`.
    population : {"report", "matched"}
        What simulations are drawn from: FR I, FR II and bent sources of the report in equal numbers, or
        `radiosynth.bending.matched_population`, FR I and FR II, fitted to all packaged angles.
    crop : int
        Edge of the centre of the cutouts that is used, in pixels of 1.8 arcsec.
    size : int
        Edge of the prepared images in pixels.
    n_sigma : float
        Noise threshold in standard deviations.
    images, synthetic : int
        Real training images after augmentation, and simulated ones; beside real ones no more than those.
    split_seed : int
        Seed of the division into folds.
    folds, fold : int
        Folds that the real sources are divided into, and the one that is held out. No folds, and all
        real sources held out, for simulations alone.
    n_rotations : int
        Rotations that a prediction is averaged over.
    stretch : bool
        Take the square root of the brightness, which shows faint lobes beside bright ones.
    settings : RegressorSettings
        How it is trained; after simulations, with a third of the learning rate.
    """

    kind: ClassVar[str] = "bending"
    predicted: ClassVar[dict[str, str]] = {
        "name": "U1",
        "truth": "f1",
        "bending_angle": "f1",
        "guess": "f1",
        "spread": "F1",
    }
    training_set: str = "real"
    population: str = "report"
    crop: int = 70
    size: int = 56
    n_sigma: float = 2.0
    images: int = 20_000
    synthetic: int = 20_000
    split_seed: int = 0
    folds: int = 5
    fold: int = 0
    n_rotations: int = 1
    stretch: bool = False
    settings: RegressorSettings = field(default_factory=RegressorSettings)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice(self.training_set, "training set", BENDING_SETS)
        check_choice(self.population, "population", ("report", "matched"))
        folds_or_none = (self.training_set == "synthetic") == (self.folds == 0)
        given = f"fold {self.fold} of {self.folds} for {self.training_set}"
        fault = f"{given}: simulations alone have folds=0; else fold counts from 0 to folds - 1"
        check(folds_or_none and 0 <= self.fold < max(1, self.folds), fault)

    @property
    def label(self) -> str:
        """The training set, the population, the output and the fold."""
        population = "" if self.training_set == "real" else f"-{self.population}"
        return f"{self.training_set.replace('+', '-')}-{self.settings.output}{population}-{self.fold}"

    @property
    def requires(self) -> tuple[Config, ...]:
        """Training on simulations alone, which all folds share, if real images follow."""
        first = replace(self, training_set="synthetic", folds=0, fold=0)
        return (first,) if self.training_set == "synthetic-then-real" else ()

    def load(self, folder: Path) -> keras.Model:
        """Return the trained network."""
        of_network = {**self.settings.arguments(), "precision": "float32"}
        model = radiosynth.build_regressor(self.size, output=self.settings.output, **of_network)
        radiosynth.training.load_weights(model, folder / "model.npz")
        return model


@dataclass(frozen=True, kw_only=True)
class FoldConfig(Config):
    """Everything that the numbers of one network of the published five-fold scheme depend on.

    The folds are those of Rustige et al. (2023): `fold` validates, the other four train, and the 400 test
    images are the same for all.

    Parameters
    ----------
    fold : int
        The fold that validates, 0 to 4; -1 if all five train.
    size : int
        Edge of the prepared images in pixels.
    n_sigma : float
        Noise threshold in standard deviations.
    synthetic : float
        Geometric simulations for each real training image of their class.
    rounds : int
        How often the whole training is done; each round begins with the saved weights of the last, with a
        learning rate that rises and falls again (warm restarts: Loshchilov & Hutter 2017, arXiv:1608.03983).
    teacher : str
        Name of a saved ensemble. The network begins as the ensemble's of the same fold, or the first, and
        learns the mean of the labels and of what the ensemble says of each image by the network that was not
        trained on it. None if empty.
    settings : OnTheFlySettings
        How it is trained.
    """

    kind: ClassVar[str] = "fold"
    fold: int = 0
    size: int = 192
    n_sigma: float = 3.0
    synthetic: float = 0.0
    rounds: int = 1
    teacher: str = ""
    settings: OnTheFlySettings = field(default_factory=lambda: OnTheFlySettings(precision="mixed_bfloat16"))

    def __post_init__(self) -> None:
        super().__post_init__()
        fault = f"fold={self.fold}: the published scheme has the folds 0 to 4; -1 trains on all"
        check(self.fold in range(-1, 5), fault)

    @property
    def label(self) -> str:
        """The training set, whether it has a teacher, and the fold."""
        learned = f"{'real-geometric' if self.synthetic else 'real'}{'-student' if self.teacher else ''}"
        return f"{learned}-{'all' if self.fold < 0 else self.fold}"

    @property
    def requires(self) -> tuple[Config, ...]:
        """The round before."""
        return (replace(self, rounds=self.rounds - 1),) if self.rounds > 1 else ()


@dataclass(frozen=True, kw_only=True)
class EnsembleConfig(Config):
    """Networks of the five-fold scheme that classify together.

    Parameters
    ----------
    members : tuple of FoldConfig
        The networks, all for images of one size.
    """

    kind: ClassVar[str] = "ensemble"
    members: tuple[FoldConfig, ...] = (FoldConfig(),)

    def __post_init__(self) -> None:
        super().__post_init__()
        fault = f"an ensemble of {len(self.members)}: give members that take the same images, one at least"
        check(len({(member.size, member.n_sigma) for member in self.members}) == 1, fault)

    @property
    def settings(self) -> OnTheFlySettings:
        """How the first of the members is trained."""
        return self.members[0].settings

    @property
    def label(self) -> str:
        """The number of members."""
        return f"of-{len(self.members)}"


_ALL = (ClassifierConfig, GANConfig, VAEConfig, FoldConfig, EnsembleConfig, BendingConfig)
KINDS: dict[str, type[Config]] = {each.kind: each for each in _ALL}
"""Configurations by the kind that their record names."""


def read_config(stored: Mapping[str, Any]) -> Config:
    """Return the configuration of which `Config.to_json` wrote these values."""
    values = dict(stored)
    kind = KINDS[values.pop("kind")]
    of_generators = GENERATED.get(stored.get("training_set", ""), GANConfig)
    for key, part in (("generators", of_generators), ("members", FoldConfig)):
        if key in values:
            values[key] = tuple(read_config({"kind": part.kind, **each}) for each in values[key])
    return kind.of(**values)
