"""The frozen configurations of all runs.

A configuration holds everything that the numbers of a run depend on; its hash names the run. What the library
calls settings is repeated here as fields, not nested: their modules load Keras, which takes longer than all
the rest of reading a saved study.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from radiosynth.records import renamed
from radiosynth.reproduction.scales import check_scale
from radiosynth.sample import check_choice, check_count
from radiosynth.taxonomy import CLASS_NAMES

if TYPE_CHECKING:
    import keras
    from _typeshed import DataclassInstance

    S = TypeVar("S", bound=DataclassInstance)

TRAINING_SETS = ("real", "real+geometric", "real+gan")
"""The training sets (a), (b) and (c) of the report."""


ALL_TRAINING_SETS = (*TRAINING_SETS, "real+vae", "real+fitted")
"""And set (d), with the images of a variational autoencoder, and simulations of fitted populations."""


BENDING_SETS = ("synthetic", "real", "synthetic+real", "synthetic-then-real")
"""What a network for bending angles is trained on, in the last case one after the other."""


@dataclass(frozen=True)
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
    """What the predictions of a run consist of."""
    noted: ClassVar[tuple[str, ...]] = ()
    """What its provenance says beside what that of all runs says."""
    scale: str = "report"

    def __post_init__(self) -> None:
        check_scale(self.scale)
        least = {"seed": 0, "split_seed": 0, "epochs": 1, "per_class": 1, "rounds": 1}
        for name in least.keys() & {field.name for field in fields(self)}:
            check_count(getattr(self, name), name, least[name])

    @property
    def label(self) -> str:
        """What tells runs of one kind apart, for the name of the folder."""
        raise NotImplementedError

    @property
    def requires(self) -> tuple[Config, ...]:
        """The runs that have to be there first, in the order in which they are made."""
        return ()

    def build(self, temperature: float = 1.0) -> keras.Model:
        """Return the untrained network, for arithmetic in full precision."""
        raise NotImplementedError

    def settings(self, kind: type[S], **changes: Any) -> S:
        """Return settings of the library, of that kind, with what the configuration says of them."""
        own = renamed({field.name: getattr(self, field.name) for field in fields(self)})
        return kind(**{field.name: own[field.name] for field in fields(kind) if field.name in own} | changes)

    @property
    def hash(self) -> str:
        """First 12 hexadecimal digits of the sha256 of all that is not as in the report.

        Fields at their defaults do not count, so that a field added later, whose default is what was
        done before, leaves the saved runs valid.
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
        """Return the configuration as it is saved."""
        return json.dumps({"kind": self.kind, **asdict(self)}, indent=1, sort_keys=True) + "\n"


@dataclass(frozen=True, kw_only=True)
class NetworkConfig(Config):
    """What the configurations of single networks share.

    Parameters
    ----------
    size : int
        Edge of the prepared images in pixels.
    n_sigma : float
        Noise threshold in standard deviations.
    epochs, batch_size, learning_rate, width
        As in the settings of the library for networks of that kind.
    seed : int
        Seed of everything but the split: simulation, weights, dropout, order.
    """

    size: int = 56
    n_sigma: float = 3.0
    epochs: int = 100
    batch_size: int = 128
    learning_rate: float = 1e-3
    width: float = 1.0
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class SplitConfig(NetworkConfig):
    """What the configurations of all that learns from the report's sources share.

    Parameters
    ----------
    test_per_class : int
        Sources of each class that are kept for validation.
    per_class : int
        Real training images of each class after augmentation.
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

    test_per_class: int = 40
    per_class: int = 6000
    split_seed: int = 0
    folds: int = 0
    fold: int = 0
    fraction: float = 1.0
    keep_groups: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.folds in (1, 2) or not 0 <= self.fold < max(1, self.folds):
            given = f"folds={self.folds}, fold={self.fold}"
            msg = f"{given}: give 0 for the report's split, or at least 3, and a fold from 0 to folds - 1"
            raise ValueError(msg)
        if not 0 < self.fraction <= 1:
            msg = f"fraction={self.fraction}: give a proportion of the training sources above 0, at most 1"
            raise ValueError(msg)


SPLIT = ("split_seed", "size", "n_sigma", "test_per_class", "folds", "fold", "fraction", "keep_groups")
"""What says which sources a network may learn from, and how they are prepared."""


@dataclass(frozen=True, kw_only=True)
class GeneratorConfig(SplitConfig):
    """What the configurations of generators of all kinds have in common.

    Parameters
    ----------
    morphology : str
        Name of the class that it learns, or ``"all"`` for one class-conditional network.
    leak : bool
        Let it see all sources, those held out too, as the report's code did.
    latent, stretch, rescale
        As in the settings of the generator.
    """

    noted: ClassVar[tuple[str, ...]] = ("diversity", "collapsed")
    morphology: str = "FRI"
    per_class: int = 60_000
    epochs: int = 500
    batch_size: int = 256
    learning_rate: float = 1e-4
    latent: int = 100
    stretch: bool = False
    rescale: bool = False
    leak: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice(self.morphology, "class", (*CLASS_NAMES, "all"))

    @property
    def label(self) -> str:
        """The class that it learns."""
        return self.morphology


@dataclass(frozen=True, kw_only=True)
class GANConfig(GeneratorConfig):
    """Everything that the numbers of one GAN depend on; the defaults are the report's.

    Parameters
    ----------
    beta_1, average, batch_aware
        ``beta_1``, ``ema_decay`` and ``minibatch_stddev`` of `radiosynth.generators.GANSettings`; the others
        as in `SplitConfig` and `GeneratorConfig`.
    """

    kind: ClassVar[str] = "gan"
    beta_1: float = 0.9
    average: float = 0.0
    batch_aware: bool = False


@dataclass(frozen=True, kw_only=True)
class VAEConfig(GeneratorConfig):
    """Everything that the numbers of one variational autoencoder depend on.

    Parameters
    ----------
    beta
        As in `radiosynth.generators.VAESettings`; the others as in `SplitConfig` and `GeneratorConfig`.
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


@dataclass(frozen=True, kw_only=True)
class ClassifierConfig(SplitConfig):
    """Everything that the numbers of one classifier depend on; the defaults are the report's.

    Parameters
    ----------
    training_set : str
        One of `ALL_TRAINING_SETS`.
    validation_per_class : int
        Validation images of each class after augmentation.
    synthetic_per_class : int
        Synthetic images of each class in the sets that have them; as many as real ones if negative.
    generators : tuple of GeneratorConfig
        The generators whose images are in the set: one per class, or one of all classes.
    mistaken : bool
        Label images of the FRI generator as FR II too, as the report's notebook did.
    precision, architecture, network, schedule
        As in `radiosynth.classification.ClassifierSettings`; the others as in `SplitConfig`.
    """

    kind: ClassVar[str] = "classifier"
    training_set: str = "real"
    validation_per_class: int = 1500
    synthetic_per_class: int = -1
    generators: tuple[GeneratorConfig, ...] = ()
    mistaken: bool = False
    precision: str = "float32"
    architecture: str = "report"
    network: str = ""
    schedule: str = "constant"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice(self.training_set, "training set", ALL_TRAINING_SETS)
        advice = "let presets.classifier_config set them"
        if (self.training_set in GENERATED) != bool(self.generators):
            given = f"training set {self.training_set!r} with {len(self.generators)} generators"
            msg = f"{given}: {' and '.join(GENERATED)} need some and the others have none; {advice}"
            raise ValueError(msg)
        for generator in self.generators:
            other = [name for name in SPLIT if getattr(generator, name) != getattr(self, name)]
            if other and not generator.leak:
                fault = f"differs in {', '.join(other)}, so it could learn from test sources"
                msg = f"the generator {generator.name} {fault}: {advice}, or say leak=True"
                raise ValueError(msg)

    @property
    def label(self) -> str:
        """The training set."""
        return self.training_set.replace("+", "-")

    @property
    def requires(self) -> tuple[Config, ...]:
        """The generators."""
        return self.generators

    def build(self, temperature: float = 1.0) -> keras.Model:
        """Return the untrained network."""
        from radiosynth import networks

        return networks.build_network(self.architecture, self.size, self.width, self.network)


@dataclass(frozen=True, kw_only=True)
class BendingConfig(NetworkConfig):
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
    images, synthetic : int
        Real training images after augmentation, and simulated ones; beside real ones no more than those.
    split_seed : int
        Seed of the division into folds.
    folds, fold : int
        Folds that the real sources are divided into, and the one that is held out. No folds, and all
        real sources held out, for simulations alone.
    turns : int
        Rotations that a prediction is averaged over.
    stretch : bool
        Take the square root of the brightness, which shows faint lobes beside bright ones.
    output, precision, architecture
        As in `radiosynth.bending.RegressorSettings`; the others as in `NetworkConfig`. Training that follows
        simulations has a third of the learning rate.
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
    n_sigma: float = 2.0
    images: int = 20_000
    synthetic: int = 20_000
    epochs: int = 50
    output: str = "linear"
    split_seed: int = 0
    folds: int = 5
    fold: int = 0
    turns: int = 1
    stretch: bool = False
    precision: str = "float32"
    architecture: str = "report"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice(self.training_set, "training set", BENDING_SETS)
        check_choice(self.population, "population", ("report", "matched"))
        known = 0 <= self.fold < max(1, self.folds)
        if (self.training_set == "synthetic") != (self.folds == 0) or not known:
            given = f"fold {self.fold} of {self.folds} for {self.training_set}"
            msg = f"{given}: simulations alone have folds=0; else fold counts from 0 to folds - 1"
            raise ValueError(msg)

    @property
    def label(self) -> str:
        """The training set, the population, the output and the fold."""
        population = [self.population] if self.training_set != "real" else []
        return "-".join([self.training_set.replace("+", "-"), self.output, *population, f"{self.fold}"])

    @property
    def requires(self) -> tuple[Config, ...]:
        """Training on simulations alone, which all folds share, if real images follow."""
        first = replace(self, training_set="synthetic", folds=0, fold=0)
        return (first,) if self.training_set == "synthetic-then-real" else ()

    def build(self, temperature: float = 1.0) -> keras.Model:
        """Return the untrained network."""
        from radiosynth import networks

        return networks.build_regressor(
            self.size, self.width, output=self.output, architecture=self.architecture
        )


@dataclass(frozen=True, kw_only=True)
class FoldConfig(NetworkConfig):
    """Everything that the numbers of one network of the published five-fold scheme depend on.

    The folds are those of Rustige et al. (2023): `fold` validates, the other four train, and the 400 test
    images are the same for all.

    Parameters
    ----------
    fold : int
        The fold that validates, 0 to 4.
    synthetic : float
        Geometric simulations for each real training image of their class.
    rounds : int
        How often the whole training is done; each round begins with the saved weights of the last, with a
        learning rate that rises and falls again (warm restarts: Loshchilov & Hutter 2017, arXiv:1608.03983).
    weight_decay, label_smoothing, zoom, shift, precision
        As in `radiosynth.classification.OnTheFlySettings`; the others as in `NetworkConfig`.
    """

    kind: ClassVar[str] = "fold"
    fold: int = 0
    size: int = 192
    synthetic: float = 0.0
    rounds: int = 1
    batch_size: int = 48
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    label_smoothing: float = 0.1
    zoom: float = 0.12
    shift: float = 3.0
    precision: str = "mixed_bfloat16"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.fold not in range(5):
            msg = f"fold={self.fold}: the published scheme has the folds 0 to 4"
            raise ValueError(msg)

    @property
    def label(self) -> str:
        """The training set and the fold."""
        return f"{'real-geometric' if self.synthetic else 'real'}-{self.fold}"

    @property
    def requires(self) -> tuple[Config, ...]:
        """The round before."""
        return (replace(self, rounds=self.rounds - 1),) if self.rounds > 1 else ()

    def build(self, temperature: float = 1.0) -> keras.Model:
        """Return the untrained network."""
        from radiosynth import networks

        return networks.build_foveated_classifier(self.size, width_multiplier=self.width)


@dataclass(frozen=True)
class EnsembleConfig(Config):
    """Networks of the five-fold scheme that classify together.

    Parameters
    ----------
    members : tuple of FoldConfig
        The networks, all for images of one size.
    """

    kind: ClassVar[str] = "ensemble"
    noted: ClassVar[tuple[str, ...]] = ("temperature",)
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

    @property
    def requires(self) -> tuple[Config, ...]:
        """The members."""
        return self.members

    def build(self, temperature: float = 1.0) -> keras.Model:
        """Return the untrained networks as one."""
        from radiosynth import networks

        return networks.build_ensemble([member.build() for member in self.members], temperature)


KINDS: dict[str, type[Config]] = {
    each.kind: each
    for each in (ClassifierConfig, GANConfig, VAEConfig, FoldConfig, EnsembleConfig, BendingConfig)
}
"""Configurations by the kind that their record names."""


def read_config(stored: dict[str, Any]) -> Config:
    """Return the configuration of which `Config.to_json` wrote these values."""
    kind, values = KINDS[stored["kind"]], {key: value for key, value in stored.items() if key != "kind"}
    parts = {"generators": GENERATED.get(stored.get("training_set", ""), GANConfig), "members": FoldConfig}
    for key in parts.keys() & values.keys():
        values[key] = tuple(parts[key](**each) for each in values[key])
    return kind(**values)
