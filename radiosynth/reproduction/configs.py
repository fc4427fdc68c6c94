"""The frozen configurations of all runs, and what each scale sets in them.

A configuration holds everything that the numbers of a run depend on; its hash names the run.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar

from radiosynth.reproduction.scales import _check_scale
from radiosynth.sample import check_count
from radiosynth.taxonomy import CLASS_NAMES

if TYPE_CHECKING:
    from radiosynth.classification import ClassifierSettings

TRAINING_SETS = ("real", "real+geometric", "real+gan")
"""The training sets (a), (b) and (c) of the report."""


BENDING_SETS = ("synthetic", "real", "synthetic+real", "synthetic-then-real")
"""What a network for bending angles is trained on, in the last case one after the other."""


ALL_TRAINING_SETS = (*TRAINING_SETS, "real+vae", "real+fitted")
"""And set (d), with the images of a variational autoencoder, and simulations of fitted populations."""


@dataclass(frozen=True)
class Config:
    """What all configurations share: a scale, a kind, a hash and a name.

    Parameters
    ----------
    scale : str
        Name of the scale, for the record.
    """

    kind: ClassVar[str]
    scale: str = "report"

    def __post_init__(self) -> None:
        _check_scale(self.scale)
        for name in {"seed", "split_seed"} & {field.name for field in fields(self)}:
            check_count(getattr(self, name), name)

    @property
    def label(self) -> str:
        """What tells runs of one kind apart, for the name of the folder."""
        raise NotImplementedError

    @property
    def hash(self) -> str:
        """First 12 hexadecimal digits of the sha256 of all that is not as in the report.

        Fields at their defaults do not count, so that a field added later, whose default is what was
        done before, leaves the recorded runs valid.
        """
        text = json.dumps({"kind": self.kind, **self._changes()}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def _changes(self) -> dict[str, Any]:
        values = {field.name: (getattr(self, field.name), field.default) for field in fields(self)}
        changed = {name: value for name, (value, default) in values.items() if value != default}
        return {
            name: [part._changes() for part in value] if isinstance(value, tuple) else value
            for name, value in changed.items()
        }

    @property
    def name(self) -> str:
        """Name of the run's folder."""
        return f"{self.scale}-{self.kind}-{self.label}-{self.hash}"

    def to_json(self) -> str:
        """Return the configuration as it is recorded."""
        return json.dumps({"kind": self.kind, **asdict(self)}, indent=1, sort_keys=True) + "\n"


SPLIT = ("split_seed", "size", "n_sigma", "test_per_class", "folds", "fold", "fraction", "keep_groups")
"""What says which sources a network may learn from, and how they are prepared."""


def _check_split(config: GeneratorConfig | ClassifierConfig) -> None:
    """Raise an error if there is no such part of the sources, or nothing to learn from."""
    if config.folds in (1, 2) or config.folds < 0 or not 0 <= config.fold < max(1, config.folds):
        msg = (
            f"folds={config.folds}, fold={config.fold}: give 0 folds for the report's split, or at least 3, "
            "one each to test and validate, and a fold from 0 to folds - 1"
        )
        raise ValueError(msg)
    if not 0 < config.fraction <= 1:
        msg = f"fraction={config.fraction}: give a share of the training sources above 0, at most 1"
        raise ValueError(msg)
    if config.epochs < 1 or config.per_class < 1:
        msg = f"epochs={config.epochs}, per_class={config.per_class}: give at least 1 of each"
        raise ValueError(msg)


@dataclass(frozen=True)
class GeneratorConfig(Config):
    """What the configurations of generators of all kinds have in common; see `GANConfig`."""

    morphology: str = "FRI"
    size: int = 56
    n_sigma: float = 3.0
    test_per_class: int = 40
    per_class: int = 60_000
    split_seed: int = 0
    epochs: int = 500
    batch_size: int = 256
    learning_rate: float = 1e-4
    width: float = 1.0
    latent: int = 100
    stretch: bool = False
    rescale: bool = False
    seed: int = 0
    folds: int = 0
    fold: int = 0
    fraction: float = 1.0
    leak: bool = False
    keep_groups: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_split(self)
        if self.morphology not in (*CLASS_NAMES, "all"):
            msg = f"unknown class {self.morphology!r}: give one of {', '.join(CLASS_NAMES)}, or all"
            raise ValueError(msg)

    @property
    def label(self) -> str:
        """The class that it learns."""
        return self.morphology


@dataclass(frozen=True)
class GANConfig(GeneratorConfig):
    """Everything that the numbers of one GAN depend on; the defaults are the report's.

    Parameters
    ----------
    scale : str
        Name of the scale, for the record.
    morphology : str
        Name of the class that it learns, or ``"all"`` for one class-conditional network.
    size, n_sigma, test_per_class, split_seed, folds, fold, fraction, keep_groups
        As in `ClassifierConfig`: the GAN sees the training sources of the same split only.
    leak : bool
        Let it see all sources, those held out too, as the report's code did.
    per_class : int
        Real training images of each class after augmentation.
    epochs, batch_size, learning_rate, width, latent, beta_1, average, stretch, rescale, batch_aware, seed
        As in `radiosynth.generators.GANSettings`.
    """

    kind: ClassVar[str] = "gan"
    beta_1: float = 0.9
    average: float = 0.0
    batch_aware: bool = False


@dataclass(frozen=True)
class VAEConfig(GeneratorConfig):
    """Everything that the numbers of one variational autoencoder depend on.

    Parameters
    ----------
    scale, morphology, size, n_sigma, test_per_class, split_seed, folds, fold, fraction, keep_groups
        As in `GANConfig`.
    per_class, leak
        As in `GANConfig`.
    epochs, batch_size, learning_rate, width, latent, stretch, rescale, beta, seed
        As in `radiosynth.generators.VAESettings`.
    """

    kind: ClassVar[str] = "vae"
    morphology: str = "all"
    epochs: int = 50
    learning_rate: float = 1e-3
    latent: int = 16
    stretch: bool = True
    rescale: bool = True
    beta: float = 1.5e-4


GENERATED: dict[str, type[GeneratorConfig]] = {"real+gan": GANConfig, "real+vae": VAEConfig}
"""The training sets that need generators, and the configurations of these."""


@dataclass(frozen=True)
class ClassifierConfig(Config):
    """Everything that the numbers of one classifier depend on; the defaults are the report's.

    Parameters
    ----------
    scale : str
        Name of the scale, for the record.
    training_set : str
        One of `ALL_TRAINING_SETS`.
    size : int
        Edge of the prepared images in pixels.
    n_sigma : float
        Noise threshold in standard deviations.
    test_per_class : int
        Sources of each class that are kept for validation.
    per_class : int
        Real training images of each class after augmentation.
    validation_per_class : int
        Validation images of each class after augmentation.
    synthetic_per_class : int
        Synthetic images of each class in the sets that have them; as many as real ones if negative.
    epochs, batch_size, learning_rate, width
        As in `radiosynth.classification.ClassifierSettings`.
    split_seed : int
        Seed of the split into training and validation sources.
    seed : int
        Seed of everything else: simulation, weights, dropout, order.
    generators : tuple of GANConfig, or of VAEConfig
        The GANs whose images are in the set ``"real+gan"``: one per class, or one of all classes. Or the
        autoencoders of the set ``"real+vae"``.
    folds, fold : int
        With `folds` above 0, the sources are divided into so many parts instead of the report's two: part
        `fold` tests, the next one validates and the others train.
    fraction : float
        Share of the training sources of each class that is used; smaller shares are parts of larger ones.
    keep_groups : bool
        Keep sources that share a patch of sky on one side of the split. The report did not.
    mistaken : bool
        Label images of the FRI generator as FR II too, as the report's notebook did.
    precision : {"float32", "mixed_bfloat16"}
        Number format of the arithmetic in training.
    architecture, network, schedule
        As in `radiosynth.classification.ClassifierSettings`.
    """

    kind: ClassVar[str] = "classifier"
    training_set: str = "real"
    size: int = 56
    n_sigma: float = 3.0
    test_per_class: int = 40
    per_class: int = 6000
    validation_per_class: int = 1500
    synthetic_per_class: int = -1
    epochs: int = 100
    batch_size: int = 128
    learning_rate: float = 1e-3
    width: float = 1.0
    split_seed: int = 0
    seed: int = 0
    generators: tuple[GeneratorConfig, ...] = ()
    folds: int = 0
    fold: int = 0
    fraction: float = 1.0
    keep_groups: bool = True
    mistaken: bool = False
    precision: str = "float32"
    architecture: str = "report"
    network: str = ""
    schedule: str = "constant"

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.training_set in GENERATED) != bool(self.generators):
            msg = (
                f"training set {self.training_set!r} with {len(self.generators)} generators: "
                f"{' and '.join(GENERATED)} need some and the others have none; "
                "radiosynth.reproduction.presets.classifier_config sets them"
            )
            raise ValueError(msg)
        if self.training_set not in ALL_TRAINING_SETS:
            msg = f"unknown training set {self.training_set!r}: the sets are {', '.join(ALL_TRAINING_SETS)}"
            raise ValueError(msg)
        _check_split(self)
        for generator in self.generators:
            other = [name for name in SPLIT if getattr(generator, name) != getattr(self, name)]
            if other and not generator.leak:
                msg = (
                    f"the generator {generator.name} differs in {', '.join(other)}, so it could learn from "
                    "test sources: let presets.classifier_config set it, or say leak=True"
                )
                raise ValueError(msg)

    @property
    def label(self) -> str:
        """The training set."""
        return self.training_set.replace("+", "-")

    def settings(self) -> ClassifierSettings:
        """Return how the network is built and trained."""
        from radiosynth.classification import ClassifierSettings

        return ClassifierSettings(
            **{part.name: getattr(self, part.name) for part in fields(ClassifierSettings)}
        )


@dataclass(frozen=True)
class BendingConfig(Config):
    """Everything that the numbers of one network for bending angles depend on.

    The defaults are those of the report's author as far as they are known (repository, part A).

    Parameters
    ----------
    scale : str
        Name of the scale, for the record.
    training_set : str
        One of `BENDING_SETS`.
    population : {"report", "matched"}
        What simulations are drawn from: FR I, FR II and bent sources of the report in equal numbers, or
        `radiosynth.bending.matched_population`, FR I and FR II, fitted to all packaged angles.
    size : int
        Edge of the prepared images in pixels.
    crop : int
        Edge of the centre of the cutouts that is used, in pixels of 1.8 arcsec.
    n_sigma : float
        Noise threshold in standard deviations.
    images, synthetic : int
        Real training images after augmentation, and simulated ones; beside real ones no more than those.
    epochs, batch_size, learning_rate, width, seed, precision, architecture, output
        As in `radiosynth.bending.RegressorSettings`. What comes after simulations goes on at a third of the
        learning rate.
    split_seed : int
        Seed of the division into folds.
    folds, fold : int
        Parts that the real sources are divided into, and the one that is held out. No folds, and all
        real sources held out, for simulations alone.
    turns : int
        Rotations that a prediction is averaged over.
    stretch : bool
        Take the square root of the brightness, which shows faint lobes beside bright ones.
    """

    kind: ClassVar[str] = "bending"
    training_set: str = "real"
    population: str = "report"
    size: int = 56
    crop: int = 70
    n_sigma: float = 2.0
    images: int = 20_000
    synthetic: int = 20_000
    epochs: int = 50
    batch_size: int = 128
    learning_rate: float = 1e-3
    width: float = 1.0
    output: str = "linear"
    split_seed: int = 0
    seed: int = 0
    folds: int = 5
    fold: int = 0
    turns: int = 1
    stretch: bool = False
    precision: str = "float32"
    architecture: str = "report"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.training_set not in BENDING_SETS or self.population not in ("report", "matched"):
            msg = (
                f"unknown training set {self.training_set!r} or population {self.population!r}: the sets are "
                f"{', '.join(BENDING_SETS)}, the populations report and matched"
            )
            raise ValueError(msg)
        if (self.training_set == "synthetic") != (self.folds == 0) or not 0 <= self.fold <= max(
            0, self.folds - 1
        ):
            msg = (
                f"fold {self.fold} of {self.folds} for {self.training_set}: simulations alone have folds=0, "
                "as all real sources test; else fold counts from 0 to folds - 1"
            )
            raise ValueError(msg)

    @property
    def label(self) -> str:
        """The training set, the population, the output and the fold."""
        parts = [self.training_set.replace("+", "-"), self.output]
        parts += [self.population] if self.training_set != "real" else []
        return "-".join([*parts, f"{self.fold}"])

    def pretraining(self) -> BendingConfig:
        """Return the configuration on simulations alone that all folds share."""
        return replace(self, training_set="synthetic", folds=0, fold=0)


@dataclass(frozen=True)
class FoldConfig(Config):
    """Everything that the numbers of one network of the published five-fold scheme depend on.

    The folds are those of Rustige et al. (2023): `fold` validates, the other four train, and the 400 test
    images are the same for all.

    Parameters
    ----------
    scale : str
        Name of the scale, for the record.
    fold : int
        The fold that validates, 0 to 4.
    size : int
        Edge of the images in pixels of FIRST, 1.8 arcsec.
    n_sigma : float
        Noise threshold in standard deviations.
    synthetic : float
        Geometric simulations for each real training image of their class.
    rounds : int
        How often the whole training is done; each round goes on from the recorded weights of the last, with
        a step size that rises and falls again (warm restarts: Loshchilov & Hutter 2017, arXiv:1608.03983).
    epochs, batch_size, learning_rate, weight_decay, label_smoothing, width, zoom, shift, seed, precision
        As in `radiosynth.classification.VariationSettings`.
    """

    kind: ClassVar[str] = "fold"
    fold: int = 0
    size: int = 192
    n_sigma: float = 3.0
    synthetic: float = 0.0
    rounds: int = 1
    epochs: int = 100
    batch_size: int = 48
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    label_smoothing: float = 0.1
    width: float = 1.0
    zoom: float = 0.12
    shift: float = 3.0
    seed: int = 0
    precision: str = "mixed_bfloat16"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.fold not in range(5):
            msg = f"fold={self.fold}: the published scheme has the folds 0 to 4"
            raise ValueError(msg)
        if self.rounds < 1:
            msg = f"rounds={self.rounds}: give 1 or more"
            raise ValueError(msg)

    @property
    def label(self) -> str:
        """The training set and the fold."""
        return f"{'real-geometric' if self.synthetic else 'real'}-{self.fold}"


@dataclass(frozen=True)
class EnsembleConfig(Config):
    """Networks of the five-fold scheme that classify together.

    Parameters
    ----------
    scale : str
        Name of the scale, for the record.
    members : tuple of FoldConfig
        The networks, all for images of one size.
    """

    kind: ClassVar[str] = "ensemble"
    members: tuple[FoldConfig, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if len({(member.size, member.n_sigma) for member in self.members}) != 1:
            msg = f"an ensemble of {len(self.members)}: give members that take the same images, one at least"
            raise ValueError(msg)

    size = property(lambda self: self.members[0].size)
    n_sigma = property(lambda self: self.members[0].n_sigma)
    epochs = property(lambda self: self.members[0].epochs)
    seed = property(lambda self: self.members[0].seed)

    @property
    def label(self) -> str:
        """The number of members."""
        return f"of-{len(self.members)}"


KINDS: dict[str, type[Config]] = {
    "classifier": ClassifierConfig,
    "gan": GANConfig,
    "vae": VAEConfig,
    "fold": FoldConfig,
    "ensemble": EnsembleConfig,
    "bending": BendingConfig,
}
"""Configurations by the kind that their record names."""
