"""A frozen configuration in, a run record out.

A run is a folder named by the hash of its configuration. It holds the configuration, where its numbers
come from, what was measured per epoch, the predictions and the weights, in JSON, CSV and npz without
pickled objects. Asking for a run that is recorded replays it; a folder that does not match its
configuration is refused.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import logging
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import numpy as np
from astropy.table import Table, vstack
from filelock import FileLock
from numpy.typing import NDArray

from . import datasets, geometric, populations, preprocessing
from .sample import Sample, concatenate, write_atomically
from .taxonomy import CLASS_NAMES

if TYPE_CHECKING:
    import keras

    from .classifier import ClassifierSettings

__all__ = [
    "ALL_TRAINING_SETS",
    "BENDING_SETS",
    "SCALES",
    "TRAINING_SETS",
    "BendingConfig",
    "ClassifierConfig",
    "EnsembleConfig",
    "FoldConfig",
    "GANConfig",
    "Run",
    "VAEConfig",
    "bending_arms",
    "best_ensemble",
    "classifier_config",
    "cross_validate",
    "current_scale",
    "default_classifier",
    "ensemble_config",
    "find_run",
    "make_ready",
    "prepare",
    "prepare_bending",
    "prepare_fold",
    "published",
    "run",
    "runs_root",
    "split_sample",
]

log = logging.getLogger("radiosynth")

TRAINING_SETS = ("real", "real+geometric", "real+gan")
"""The training sets (a), (b) and (c) of the report."""

BENDING_SETS = ("synthetic", "real", "synthetic+real", "synthetic-then-real")
"""What a network for bending angles is trained on, in the last case one after the other."""

ALL_TRAINING_SETS = (*TRAINING_SETS, "real+vae", "real+fitted")
"""And set (d), with the images of a variational autoencoder, and simulations of fitted populations."""

# With the report's choices a narrow GAN draws one and the same blob for the first thousands of steps. What
# makes the difference, by measurement, is a discriminator that sees the batch, and Adam without momentum.
QUICK = {
    "width": 0.25,
    "batch_size": 32,
    "learning_rate": 8e-4,
    "beta_1": 0.0,
    "average": 0.99,
    "stretch": True,
    "batch_aware": True,
}

SCALES: dict[str, dict[str, dict[str, Any]]] = {
    # Seconds: everything runs, nothing is learned well.
    "smoke": {
        "classifier": {"per_class": 400, "validation_per_class": 80, "epochs": 8, "width": 0.25},
        "gan": {**QUICK, "per_class": 400, "epochs": 2, "width": 0.125},
        "fold": {"epochs": 1, "width": 0.125, "size": 64},
        "bending": {"images": 200, "synthetic": 300, "epochs": 2, "size": 24, "width": 0.1, "folds": 2},
        "vae": {"per_class": 400, "epochs": 2, "width": 0.125, "batch_size": 32},
    },
    # Minutes on two CPU cores: half the channels and fewer turned copies, but more steps per image.
    "laptop": {
        "classifier": {
            "per_class": 2000,
            "validation_per_class": 400,
            "epochs": 14,
            "batch_size": 32,
            "width": 0.5,
        },
        "gan": {**QUICK, "per_class": 1500, "epochs": 12},
        "fold": {"epochs": 12, "width": 0.5},
        "bending": {
            "images": 1200,
            "synthetic": 12_000,
            "epochs": 5,
            "batch_size": 32,
            "size": 40,
            "width": 0.25,
            "precision": "mixed_bfloat16",
        },
        "vae": {
            "per_class": 1500,
            "epochs": 8,
            "width": 0.125,
            "batch_size": 32,
            "learning_rate": 3e-3,
        },
    },
    # The numbers of the report; its GANs are good after a fifth of their 500 epochs.
    "report": {"classifier": {}, "gan": {"epochs": 100}, "fold": {"rounds": 2}, "bending": {}, "vae": {}},
}
"""What each scale changes in the report's configuration."""

GENERATORS: dict[str, tuple[str, ...]] = {"smoke": ("all",), "laptop": ("all",), "report": CLASS_NAMES}
"""The GANs of each scale: one per class, as in the report, or one conditional network for all."""


MEMBERS = {"smoke": 1, "laptop": 2, "report": 5}
"""How many of the five folds an ensemble of each scale has a network for."""


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

    def __post_init__(self) -> None:
        super().__post_init__()
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
    size, n_sigma, test_per_class, split_seed, folds, fold, fraction
        As in `ClassifierConfig`: the GAN sees the training sources of the same split only.
    leak : bool
        Let it see all sources, those held out too, as the report's code did.
    per_class : int
        Real training images of each class after augmentation.
    epochs, batch_size, learning_rate, width, latent, beta_1, average, stretch, rescale, batch_aware, seed
        As in `radiosynth.gan.GANSettings`.
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
    scale, morphology, size, n_sigma, test_per_class, per_class, split_seed, folds, fold, fraction, leak
        As in `GANConfig`.
    epochs, batch_size, learning_rate, width, latent, stretch, rescale, beta, seed
        As in `radiosynth.vae.VAESettings`.
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
        As in `radiosynth.classifier.ClassifierSettings`.
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
        As in `radiosynth.classifier.ClassifierSettings`.
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
                "radiosynth.experiments.classifier_config sets them"
            )
            raise ValueError(msg)
        if self.training_set not in ALL_TRAINING_SETS:
            msg = f"unknown training set {self.training_set!r}: the sets are {', '.join(ALL_TRAINING_SETS)}"
            raise ValueError(msg)

    @property
    def label(self) -> str:
        """The training set."""
        return self.training_set.replace("+", "-")

    def settings(self) -> ClassifierSettings:
        """Return how the network is built and trained."""
        from .classifier import ClassifierSettings

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
        As in `radiosynth.classifier.VariationSettings`.
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


def _check_scale(scale: str) -> str:
    if scale not in SCALES:
        msg = f"unknown scale {scale!r}: the scales are {', '.join(SCALES)}"
        raise ValueError(msg)
    return scale


def current_scale() -> str:
    """Return the scale named by the environment variable ``RADIOSYNTH_SCALE``, or ``"laptop"``.

    Raises
    ------
    ValueError
        If it names no scale.
    """
    return _check_scale(os.environ.get("RADIOSYNTH_SCALE") or "laptop")


def gan_config(morphology: str = "FRI", scale: str | None = None, **changes: Any) -> GANConfig:
    """Return the configuration of the GAN of one class, or of ``"all"``, at a scale.

    Parameters
    ----------
    morphology : str
        Name of a class, or ``"all"`` for one class-conditional network.
    scale : str, optional
        One of `SCALES`; `current_scale` if not given.
    **changes
        Fields of `GANConfig` to set otherwise than the scale does.

    Returns
    -------
    GANConfig
        The frozen configuration.
    """
    scale = _check_scale(scale or current_scale())
    return GANConfig(scale, morphology, **{**SCALES[scale]["gan"], **changes})


def vae_config(scale: str | None = None, **changes: Any) -> VAEConfig:
    """Return the configuration of the variational autoencoder of all classes at a scale.

    Parameters
    ----------
    scale : str, optional
        One of `SCALES`; `current_scale` if not given.
    **changes
        Fields of `VAEConfig` to set otherwise than the scale does.

    Returns
    -------
    VAEConfig
        The frozen configuration.
    """
    scale = _check_scale(scale or current_scale())
    return VAEConfig(scale, **{**SCALES[scale]["vae"], **changes})


def classifier_config(
    training_set: str = "real", scale: str | None = None, **changes: Any
) -> ClassifierConfig:
    """Return the configuration of a classifier at a scale.

    Parameters
    ----------
    training_set : str
        One of `ALL_TRAINING_SETS`.
    scale : str, optional
        One of `SCALES`; `current_scale` if not given.
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
    scale = _check_scale(scale or current_scale())
    settings = {**SCALES[scale]["classifier"], **changes}
    if training_set in GENERATED and "generators" not in settings:
        same = ("split_seed", "size", "test_per_class", "folds", "fold", "fraction")
        shared = {key: settings[key] for key in same if key in settings}
        settings["generators"] = (
            (vae_config(scale, **shared),)
            if training_set == "real+vae"
            else tuple(gan_config(name, scale, **shared) for name in GENERATORS[scale])
        )
    return ClassifierConfig(scale, training_set, **settings)


def ensemble_config(scale: str | None = None, *, synthetic: float = 0.0, **changes: Any) -> EnsembleConfig:
    """Return the configuration of an ensemble of networks of the five-fold scheme at a scale.

    Parameters
    ----------
    scale : str, optional
        One of `SCALES`; `current_scale` if not given.
    synthetic : float
        Geometric simulations for each real training image. The epochs are fewer by as much, so that the
        number of steps is the same.
    **changes
        Fields of `FoldConfig` to set otherwise than the scale does.

    Returns
    -------
    EnsembleConfig
        The frozen configuration.

    Examples
    --------
    >>> [member.epochs for member in ensemble_config("report", synthetic=1.0).members]
    [50, 50, 50, 50, 50]
    """
    scale = _check_scale(scale or current_scale())
    settings = {**SCALES[scale]["fold"], **changes}
    epochs = max(1, round(settings.pop("epochs", FoldConfig.epochs) / (1 + synthetic)))
    members = (
        FoldConfig(scale, fold, seed=fold, epochs=epochs, synthetic=synthetic, **settings)
        for fold in range(MEMBERS[scale])
    )
    return EnsembleConfig(scale, tuple(members))


_TUNED = {"training_set": "synthetic-then-real", "population": "matched", "turns": 8, "stretch": True}
_ARMS: dict[str, dict[str, Any]] = {
    "synthetic": {"training_set": "synthetic"},
    "real": {},
    "synthetic + real": {"training_set": "synthetic+real"},
    "matched": {**_TUNED, "training_set": "synthetic"},
    "matched, then real": _TUNED,
    "confined": {**_TUNED, "output": "bounded"},
    "with spread": {**_TUNED, "output": "spread"},
    "both jets, matched": {**_TUNED, "training_set": "synthetic", "output": "jets"},
    "both jets": {**_TUNED, "output": "jets"},
}


def bending_arms(scale: str | None = None, **changes: Any) -> dict[str, list[BendingConfig]]:
    """Return the networks for bending angles that are compared, one per fold, by what they are trained on.

    Parameters
    ----------
    scale : str, optional
        One of `SCALES`; `current_scale` if not given. The smallest has two arms only.
    **changes
        Fields of `BendingConfig` to set otherwise than scale and arm do.

    Returns
    -------
    dict of str to list of BendingConfig
        The author's three; then those on simulations matched to the real sources, predictions being averaged
        over eight turns: alone, followed by real images, and so with the other outputs.
    """
    scale = _check_scale(scale or current_scale())
    arms = {}
    for name in ("real", "with spread") if scale == "smoke" else _ARMS:
        settings = {**SCALES[scale]["bending"], **_ARMS[name], **changes}
        if settings.get("training_set") == "synthetic":
            settings["folds"] = 0
        first = BendingConfig(scale, **settings)
        arms[name] = [replace(first, fold=fold) for fold in range(max(1, first.folds))]
    return arms


def cross_validate(configs: Sequence[BendingConfig]) -> tuple[list[Run[BendingConfig]], Table]:
    """Run the folds of one arm and join what each says of the sources that it never saw.

    Parameters
    ----------
    configs : sequence of BendingConfig
        The folds, as in `bending_arms`.

    Returns
    -------
    runs : list of Run
        The finished runs.
    table : ~astropy.table.Table
        One row per source, by name: ``truth``, ``bending_angle`` (predicted), ``guess`` (median of the
        training images) and ``spread`` (nan where the network has none), all in degrees.
    """
    runs = [run(config) for config in configs]
    table = vstack([Table(each.predictions) for each in runs])
    table.sort("name")
    return runs, table


@lru_cache
def published() -> dict[str, Any]:
    """Return the numbers that the report states, as nested dictionaries."""
    return json.loads(files("radiosynth").joinpath("data/published.json").read_text())


def runs_root() -> Path:
    """Return the folder that runs are written to.

    That is ``RADIOSYNTH_RUNS`` if set, else ``paper/runs`` of the source tree, else a folder beside the
    cached data.
    """
    if chosen := os.environ.get("RADIOSYNTH_RUNS"):
        return Path(chosen).expanduser()
    tree = Path(__file__).resolve().parents[1] / "paper" / "runs"
    return tree if tree.is_dir() else datasets.cache_folder() / "runs"


PACKAGED_RUNS = Path(__file__).parent / "runs"
"""The run that comes with the package, for those who have recorded none."""

C = TypeVar("C", bound=Config)


@dataclass(frozen=True)
class Run(Generic[C]):
    """A finished run, read from its folder.

    Parameters
    ----------
    folder : Path
        Where it is recorded.
    config : Config
        What was asked for.
    replayed : bool
        Whether it was recorded before it was asked for.
    """

    folder: Path
    config: C
    replayed: bool

    @property
    def provenance(self) -> dict[str, Any]:
        """Versions, commit, device, seconds and the data's sha256."""
        return json.loads((self.folder / "provenance.json").read_text())

    @property
    def history(self) -> Table:
        """One row per epoch."""
        return Table.read(self.folder / "history.csv", format="ascii.csv")

    @property
    def predictions(self) -> dict[str, NDArray[Any]]:
        """Per test image: ``names``, ``labels``, ``plain``, ``probabilities``; or as in `cross_validate`.

        Of an ensemble also ``members``, the probabilities of each of its networks, and ``unseen`` with
        ``unseen_labels``: those of the images of the folds, each by the network that did not see it.
        """
        with np.load(self.folder / "predictions.npz", allow_pickle=False) as stored:
            return {key: stored[key] for key in stored.files}

    @property
    def frames(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Of a GAN: images of the same noise during training, and the epochs when they were drawn."""
        with np.load(self.folder / "frames.npz", allow_pickle=False) as stored:
            return stored["frames"], stored["epochs"]

    def model(self) -> keras.Model:
        """Return the trained network; its recorded weights have half precision."""
        from . import gan
        from .training import load_weights

        config = self.config
        if isinstance(config, GeneratorConfig):
            return gan.load_generator(self.folder)
        model = _build(config, float(self.provenance.get("temperature", 1.0)))
        load_weights(model, self.folder / "model.npz")
        return model


def _build(config: Config, temperature: float) -> keras.Model:
    """Return the untrained network of a configuration, for arithmetic in full precision."""
    from . import networks

    if isinstance(config, EnsembleConfig):
        return networks.build_ensemble([_build(member, 1.0) for member in config.members], temperature)
    if isinstance(config, FoldConfig):
        return networks.build_foveated_classifier(config.size, width=config.width)
    if isinstance(config, BendingConfig):
        return networks.build_regressor(
            config.size, config.width, output=config.output, architecture=config.architecture
        )
    assert isinstance(config, ClassifierConfig)
    return networks.build_network(config.architecture, config.size, config.width, config.network)


def make_ready(sample: Sample, config: ClassifierConfig | FoldConfig | EnsembleConfig) -> Sample:
    """Make of cutouts what the classifier of a configuration takes.

    Parameters
    ----------
    sample : Sample
        Cutouts with pixels of FIRST: the central 150×150 for the classifiers of the report. Networks of the
        five-fold scheme take up to their `size`; where a cutout ends earlier, they see no emission.
    config : ClassifierConfig, FoldConfig or EnsembleConfig
        Configuration of the classifier.

    Returns
    -------
    Sample
        Images in [-1, 1].
    """
    if isinstance(config, ClassifierConfig):
        return preprocessing.preprocess(sample, config.size, n_sigma=config.n_sigma)
    edge = min(sample.size, config.size)
    crop = edge if edge < sample.size else None
    ready = preprocessing.preprocess(sample, edge, crop=crop, n_sigma=config.n_sigma)
    return _framed(ready, config.size) if edge < config.size else ready


def _framed(sample: Sample, size: int) -> Sample:
    """Return images with as much background around them as makes them `size` pixels wide."""
    before = (size - sample.size) // 2
    rim = (before, size - sample.size - before)
    images = np.pad(sample.images, ((0, 0), rim, rim), constant_values=-1.0)
    return sample.derived(images, f"background around the {sample.size} px, to {size} px")


def prepare_fold(config: FoldConfig) -> tuple[Sample, Sample, Sample]:
    """Return the training, validation and test images of a network of the five-fold scheme.

    Parameters
    ----------
    config : FoldConfig
        What to prepare.

    Returns
    -------
    train, validation, test : Sample
        Images in [-1, 1]; synthetic ones, if any, follow the real ones that train.
    """
    ready = make_ready(datasets.load_first_dataset(size=config.size), config)
    fold = np.asarray(ready.table["fold"])
    train, validation, test = (
        ready[np.flatnonzero(part)]
        for part in ((fold >= 0) & (fold != config.fold), fold == config.fold, fold == -1)
    )
    if config.synthetic:
        # In the pixels of FIRST, unless the whole image is smaller than the field of a simulation.
        field = min(round(geometric.FIELD / datasets.PIXEL_SCALE), config.size)
        number = {name: round(config.synthetic * count) for name, count in train.counts().items()}
        fake = geometric.simulate(number, field, rng=np.random.default_rng(config.seed))
        train = concatenate([train, _framed(fake, config.size)])
    return train, validation, test


def split_sample(config: ClassifierConfig | GeneratorConfig) -> tuple[Sample, Sample, Sample]:
    """Return the prepared training, validation and test sources of a configuration, before augmentation.

    In the report's split, the validation sources are the test sources too.
    """
    ready = preprocessing.preprocess(datasets.load_report_sample(), config.size, n_sigma=config.n_sigma)
    if not getattr(config, "keep_groups", True):
        ready.table.remove_column("sky_group")
    rng = np.random.default_rng(config.split_seed)
    if config.folds:
        parts = [test for _, test in preprocessing.stratified_folds(ready, config.folds, rng=rng)]
        chosen = parts[config.fold], parts[(config.fold + 1) % config.folds]
        test, validation = (ready[part] for part in chosen)
        train = ready[np.setdiff1d(np.arange(len(ready)), np.concatenate(chosen))]
    else:
        train, validation = preprocessing.split(ready, config.test_per_class, rng=rng)
        test = validation
    if config.fraction < 1:
        order = np.random.default_rng([config.split_seed, config.fold]).permutation(len(train))
        train = train[
            np.sort(np.concatenate([_share(train, order, code, config.fraction) for code in range(4)]))
        ]
    return train, validation, test


def _share(sample: Sample, order: NDArray[np.intp], code: int, fraction: float) -> NDArray[np.intp]:
    """Return the first rows of a class in an order, one at least."""
    rows = order[sample.labels[order] == code]
    return rows[: max(1, round(fraction * len(rows)))]


def prepare(config: ClassifierConfig) -> tuple[Sample, Sample, Sample]:
    """Return the training, validation and test images of a configuration (report, table 3).

    Parameters
    ----------
    config : ClassifierConfig
        What to prepare.

    Returns
    -------
    train, validation, test : Sample
        Augmented images; synthetic ones, if any, follow the real ones.
    """
    sources, *held_out = split_sample(config)
    train = preprocessing.augment(sources, config.per_class, "ordered")
    validation, test = (
        preprocessing.augment(part, config.validation_per_class, "ordered") for part in held_out
    )
    number = config.per_class if config.synthetic_per_class < 0 else config.synthetic_per_class
    if config.training_set == "real+geometric":
        fake = geometric.simulate(number, config.size, rng=np.random.default_rng(config.seed))
        train = concatenate([train, fake])
    if config.training_set == "real+fitted":
        fitting, drawing = np.random.default_rng(config.seed).spawn(2)
        simulated = min(1000, 2 * config.per_class)  # a small training need not wait for the fit
        population = populations.fit_population(sources, per_class=simulated, rng=fitting)
        fake = geometric.simulate(number, config.size, population=population, rng=drawing)
        train = concatenate([train, fake])
    if config.generators:
        from .gan import sample_generators

        folders = [run(generator).folder for generator in config.generators]
        fake = sample_generators(folders, number, rng=np.random.default_rng(config.seed))
        if config.mistaken:
            images, fr1, fr2 = fake.images.copy(), fake.labels == 0, fake.labels == 1
            images[fr2] = images[fr1]
            fake = fake.derived(images, "images of FR I in the place of those of FR II")
        train = concatenate([train, fake])
    return train, validation, test


def prepare_bending(config: BendingConfig) -> tuple[Sample, Sample]:
    """Return the training images, augmented and simulated, and the real test sources of a configuration."""
    from .bending import matched_population

    sources = datasets.load_bending_sample()
    test = preprocessing.preprocess(sources, config.size, crop=config.crop, n_sigma=config.n_sigma)
    train = []
    if config.folds:
        # Folds alike in angle: what takes the place of the class is the quarter that the angle lies in.
        angles = np.asarray(test.table["bending_angle"])
        quarters = np.searchsorted(np.quantile(angles, [0.25, 0.5, 0.75]), angles)
        parts = list(
            preprocessing.stratified_folds(
                Sample(test.images, quarters, test.table),
                config.folds,
                rng=np.random.default_rng(config.split_seed),
            )
        )
        rows, held_out = parts[config.fold]
        alike = Sample(
            test.images[rows], np.zeros(len(rows), int), test.table[rows]
        )  # augmented as one class
        train, test = [preprocessing.augment(alike, config.images)], test[held_out]
    if config.training_set in ("synthetic", "synthetic+real"):
        names, population = ["FRI", "FRII", "bent"], None
        if config.population == "matched":
            names, population = names[:2], matched_population(sources.table["bending_angle"])
        rng = np.random.default_rng(config.seed)
        number = config.synthetic if not train else min(config.synthetic, config.images)
        number //= len(names)
        train.append(geometric.simulate(number, config.size, classes=names, population=population, rng=rng))
    joined = concatenate(train)
    return (_stretched(joined), _stretched(test)) if config.stretch else (joined, test)


def _stretched(sample: Sample) -> Sample:
    """Return images in [-1, 1] that show the square root of the brightness."""
    images = 2 * np.sqrt(np.clip(sample.images + 1, 0, 2) / 2) - 1
    return sample.derived(images, "square root of the brightness")


def _read_config(folder: Path) -> Config:
    try:
        stored = json.loads((folder / "config.json").read_text())
        generator = GENERATED.get(stored.get("training_set", ""), GANConfig)
        for key, part in (("generators", generator), ("members", FoldConfig)):
            if key in stored:
                stored[key] = tuple(part(**settings) for settings in stored[key])
        return KINDS[stored.pop("kind")](**stored)
    except (OSError, KeyError, ValueError, TypeError) as error:
        msg = f"{folder} holds no readable configuration ({error!r}): remove that folder and run it again"
        raise ValueError(msg) from error


def find_run(folder: str | os.PathLike[str]) -> Run[Any]:
    """Open a recorded run by its folder, or by its name under `runs_root`.

    Parameters
    ----------
    folder : path-like
        Folder, or name, of a finished run.

    Returns
    -------
    Run
        The run.

    Raises
    ------
    FileNotFoundError
        If there is no such finished run; the message lists those there are.
    ValueError
        If the folder does not match its configuration.
    """
    path = Path(folder) if Path(folder).is_dir() else _recorded().get(str(folder), Path(folder))
    if not (path / "provenance.json").exists():
        msg = f"{folder} is not a finished run; those there are: {', '.join(recorded_runs()) or 'none'}"
        raise FileNotFoundError(msg)
    config = _read_config(path)
    if path.name != config.name:
        msg = f"{path} holds the run {config.name}: it was renamed or edited; remove it and run it again"
        raise ValueError(msg)
    return Run(path, config, replayed=True)


def _recorded() -> dict[str, Path]:
    """Return the folders of the finished runs by name."""
    finished = (path for root in (PACKAGED_RUNS, runs_root()) for path in root.glob("*/provenance.json"))
    return {path.parent.name: path.parent for path in finished}


def recorded_runs() -> list[str]:
    """Return the names of the finished runs, those of `runs_root` and the one of the package, sorted."""
    return sorted(_recorded())


def default_run() -> Run[Any]:
    """Return the recorded classifier of the largest scale, trained on real images alone if there is one.

    Raises
    ------
    FileNotFoundError
        If no classifier is recorded.
    """
    for scale in reversed(SCALES):
        for training_set in TRAINING_SETS:
            start = f"{scale}-classifier-{training_set.replace('+', '-')}-"
            for name, folder in _recorded().items():  # that of the package first
                if name.startswith(start):
                    return find_run(folder)
    msg = f"no classifier is recorded in {runs_root()}: train one with `radiosynth run`, in a few minutes"
    raise FileNotFoundError(msg)


def default_classifier() -> Run[Any]:
    """Return what ``radiosynth classify`` uses: the largest recorded ensemble, else `default_run`."""
    ensembles = [ensemble_config(scale, synthetic=share).name for scale in SCALES for share in (1.0, 0.0)]
    recorded = [name for name in ensembles if name in _recorded() and not name.startswith("smoke")]
    return find_run(recorded[-1]) if recorded else default_run()


def best_ensemble(synthetic: float = 0.0) -> Run[EnsembleConfig]:
    """Return the ensemble of the largest scale that is recorded; without one, that of the current scale.

    Parameters
    ----------
    synthetic : float
        As in `ensemble_config`.

    Returns
    -------
    Run
        The run, computed if none is recorded.
    """
    for scale in reversed(SCALES):
        config = ensemble_config(scale, synthetic=synthetic)
        if config.name in _recorded():
            return find_run(config.name)
    return run(ensemble_config(synthetic=synthetic))


def run(config: C, *, root: Path | None = None, time_limit: float | None = None) -> Run[C]:
    """Return the run of a configuration, replayed if it is recorded, computed and recorded if not.

    Two processes that ask for one run wait for each other. A run that was interrupted goes on.

    Parameters
    ----------
    config : ClassifierConfig, GANConfig or VAEConfig
        What to run.
    root : Path, optional
        Folder of runs; `runs_root` if not given.
    time_limit : float, optional
        Seconds of training after which no further epoch is begun.

    Returns
    -------
    Run
        The finished run.

    Raises
    ------
    ValueError
        If the folder of the run holds another configuration.
    radiosynth.training.TrainingStopped
        If the training was stopped; calling again goes on.
    """
    folder = (root or runs_root()) / config.name
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.parent / f".{config.name}.lock"):
        recorded = (folder / "provenance.json").exists()
        if folder.exists() and _read_config(folder) != config:
            msg = (
                f"{folder} holds another configuration than its name says: remove that folder, or give "
                "another with RADIOSYNTH_RUNS"
            )
            raise ValueError(msg)
        if recorded:
            log.info("replaying %s", folder.name)
        else:
            log.info("running %s", folder.name)
            folder.mkdir(exist_ok=True)
            (folder / "config.json").write_text(config.to_json())
            begun = time.monotonic()
            record = _COMPUTE[config.kind](config, folder, time_limit)
            _finish(folder, config, record, time.monotonic() - begun)
    return Run(folder, config, replayed=recorded)


def _train_classifier(config: ClassifierConfig, folder: Path, time_limit: float | None) -> dict[str, Any]:
    from . import classifier, training

    train, validation, test = prepare(config)
    model, history = classifier.train_classifier(
        train,
        validation,
        config.settings(),
        folder=folder,
        fingerprint=config.hash,
        time_limit=time_limit,
    )
    training.save_weights(model, folder / "model.npz", dtype="float16")
    np.savez_compressed(
        folder / "predictions.npz",
        names=np.asarray(test.table["name"], str),
        labels=test.labels,
        plain=classifier.originals(test),
        probabilities=classifier.predict(model, test.images),
    )
    return {
        "history": history,
        "training_images": train.counts(),
        "validation_images": validation.counts(),
        "preparation": train.history,
    }


def _train_generator(config: GeneratorConfig, folder: Path, time_limit: float | None) -> dict[str, Any]:
    from . import gan, vae

    sources, *held_out = split_sample(config)
    if config.leak:
        sources = concatenate([sources, *(held_out if config.folds else held_out[:1])])
    conditional = config.morphology == "all"
    if not conditional:
        sources = sources.of_class(config.morphology)
    train = preprocessing.augment(sources, config.per_class, "ordered")
    train_it: Any
    train_it, kind = (
        (vae.train_vae, vae.VAESettings)
        if isinstance(config, VAEConfig)
        else (gan.train_gan, gan.GANSettings)
    )
    names = {field.name for field in fields(kind)} - {"conditional"}
    trained = train_it(
        train.images,
        kind(
            conditional=len(CLASS_NAMES) if conditional else 0,
            **{name: getattr(config, name) for name in names},
        ),
        folder,
        labels=train.labels if conditional else None,
        class_names=CLASS_NAMES if conditional else [config.morphology],
        fingerprint=config.hash,
        time_limit=time_limit,
    )
    return {
        "history": trained.history,
        "sources": sources.counts(),
        "training_images": train.counts(),
        "preparation": train.history,
        "diversity": trained.diversity,
        "collapsed": trained.collapsed,
    }


def _train_fold(config: FoldConfig, folder: Path, time_limit: float | None) -> dict[str, Any]:
    from . import classifier, networks, training

    train, *held_out = prepare_fold(config)
    settings = {field.name: getattr(config, field.name) for field in fields(classifier.VariationSettings)}
    start = None
    if config.rounds > 1:
        before = replace(config, rounds=config.rounds - 1)
        start = run(before, root=folder.parent, time_limit=time_limit).folder / "model.npz"
        settings["seed"] += 1000 * (config.rounds - 1)  # variations that were not seen before
    model, history = classifier.train_on_variations(
        train,
        classifier.VariationSettings(**settings),
        start=start,
        folder=folder,
        fingerprint=config.hash,
        time_limit=time_limit,
    )
    training.save_weights(model, folder / "model.npz", dtype="float16")
    mirrored = networks.build_ensemble([model])
    _save_predictions(
        folder,
        *(  # of the validation and of the test images
            (part, classifier.predict(mirrored, part.images)) for part in held_out
        ),
    )
    return {"history": history, "training_images": train.counts(), "preparation": train.history}


def _save_predictions(folder: Path, *parts: tuple[Sample, NDArray[np.float32]]) -> None:
    np.savez_compressed(
        folder / "predictions.npz",
        names=np.concatenate([np.asarray(sample.table["name"], str) for sample, _ in parts]),
        labels=np.concatenate([sample.labels for sample, _ in parts]),
        plain=np.ones(sum(len(sample) for sample, _ in parts), bool),
        fold=np.concatenate([np.asarray(sample.table["fold"]) for sample, _ in parts]),
        probabilities=np.concatenate([probabilities for _, probabilities in parts]),
    )


def _gather(config: EnsembleConfig, folder: Path, time_limit: float | None) -> dict[str, Any]:
    """Train the members, put their weights together and calibrate them on the folds that they did not see."""
    from . import metrics, networks, training

    deadline = None if time_limit is None else time.monotonic() + time_limit
    runs = [
        run(member, root=folder.parent, time_limit=deadline and max(0.0, deadline - time.monotonic()))
        for member in config.members
    ]
    stored = [r.predictions for r in runs]
    unseen, test = [p["fold"] >= 0 for p in stored], [p["fold"] == -1 for p in stored]

    def of(part: list[NDArray[np.bool_]], key: str) -> list[NDArray[Any]]:
        return [p[key][rows] for p, rows in zip(stored, part, strict=True)]

    unseen_labels, judged = np.concatenate(of(unseen, "labels")), np.concatenate(of(unseen, "probabilities"))
    temperature = metrics.temperature(unseen_labels, judged)
    model = networks.build_ensemble([r.model() for r in runs], temperature)
    training.save_weights(model, folder / "model.npz", dtype="float16")
    members = np.stack(of(test, "probabilities"))
    np.savez_compressed(
        folder / "predictions.npz",
        names=of(test, "names")[0],
        labels=of(test, "labels")[0],
        plain=of(test, "plain")[0],
        probabilities=metrics.temper(members, temperature).mean(axis=0),
        members=members,
        unseen_labels=unseen_labels,
        unseen=judged,
    )
    history = {
        f"{column} {number}": list(r.history[column])
        for number, r in enumerate(runs)
        for column in ("loss", "accuracy")
    }
    history["seconds"] = list(np.sum([r.history["seconds"] for r in runs], axis=0))
    return {
        "history": history,
        "members": [r.folder.name for r in runs],
        "training_images": runs[0].provenance["training_images"],
        "preparation": runs[0].provenance["preparation"],
        "temperature": temperature,
    }


def _train_bending(config: BendingConfig, folder: Path, time_limit: float | None) -> dict[str, Any]:
    from . import bending, training

    start = None
    shared = {field.name for field in fields(bending.RegressorSettings)} & {f.name for f in fields(config)}
    settings = bending.RegressorSettings(**{name: getattr(config, name) for name in shared})
    if config.training_set == "synthetic-then-real":
        start = run(config.pretraining(), root=folder.parent, time_limit=time_limit).model()
        settings = replace(settings, learning_rate=config.learning_rate / 3)
    train, test = prepare_bending(config)
    model, history = bending.train_regressor(
        train, test, settings, folder=folder, start=start, fingerprint=config.hash, time_limit=time_limit
    )
    training.save_weights(model, folder / "model.npz", dtype="float16")
    predicted = bending.predict_angles(model, test.images, turns=config.turns)
    unknown = np.full(len(test), np.nan)
    np.savez_compressed(
        folder / "predictions.npz",
        name=np.asarray(test.table["name"], str),
        truth=np.asarray(test.table["bending_angle"]),
        bending_angle=np.asarray(predicted["bending_angle"]),
        guess=np.full(len(test), np.median(train.table["bending_angle"])),
        spread=np.asarray(predicted["spread"]) if "spread" in predicted.colnames else unknown,
    )
    return {
        "history": history,
        "training_images": len(train),
        "test_sources": len(test),
        "preparation": train.history,
    }


_COMPUTE: dict[str, Callable[[Any, Path, float | None], dict[str, Any]]] = {
    "bending": _train_bending,
    "classifier": _train_classifier,
    "gan": _train_generator,
    "vae": _train_generator,
    "fold": _train_fold,
    "ensemble": _gather,
}


def _finish(folder: Path, config: Any, record: dict[str, Any], seconds: float) -> None:
    """Write the history and, last of all, the provenance: a folder that has one is whole."""
    history = record.pop("history")
    epochs = {"epoch": np.arange(1, config.epochs + 1), **history}
    Table(epochs).write(folder / "history.csv", format="ascii.csv", overwrite=True)
    whole = {
        **provenance(),
        "seed": config.seed,
        **record,
        "seconds_training": round(sum(history["seconds"]), 1),
        "seconds_here": round(seconds, 1),
    }
    text = json.dumps(whole, indent=1) + "\n"
    write_atomically(folder / "provenance.json", lambda path: path.write_text(text))
    (folder / "checkpoint.npz").unlink(missing_ok=True)


def provenance() -> dict[str, Any]:
    """Return where numbers computed now come from: versions, commit, device and data."""
    import keras

    backend = keras.backend.backend()
    return {
        "versions": versions(),
        "backend": backend,
        "device": ", ".join(keras.distribution.list_devices()),
        "machine": platform.machine(),
        "commit": commit(),
        "data": {"doi": datasets.DOI, "sha256": datasets.ARCHIVE_SHA256},
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that numbers depend on, where installed."""
    found = {"python": platform.python_version()}
    for name in ("radiosynth", "keras", "tensorflow", "tensorflow-cpu", "jax", "numpy", "scipy", "astropy"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def commit() -> str | None:
    """Return the commit of the source tree, with a mark if files differ from it."""
    git = shutil.which("git")
    tree = Path(__file__).resolve().parents[1]
    if git is None or not (tree / ".git").exists():
        return os.environ.get("RADIOSYNTH_COMMIT")
    said = subprocess.run(
        [git, "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
        cwd=tree,
        capture_output=True,
        text=True,
        check=False,
    )
    return said.stdout.strip() or None
