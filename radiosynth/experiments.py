"""A frozen configuration in, a run record out.

A run is a folder named by the hash of its configuration. It holds the configuration, where its numbers
come from, what was measured per epoch, the predictions and the weights, in JSON, CSV and npz without
pickled objects. Asking for a run that is recorded replays it; a folder that does not match its
configuration is refused.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import logging
import os
import platform
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from astropy.table import Table, vstack
from filelock import FileLock
from numpy.typing import NDArray

from . import datasets, geometric, populations, preprocessing
from ._io import write_arrays, write_table, write_text
from .configurations import (
    ALL_TRAINING_SETS,
    BENDING_SETS,
    GENERATED,
    GENERATORS,
    KINDS,
    QUICK,
    SCALES,
    TRAINING_SETS,
    BendingConfig,
    ClassifierConfig,
    Config,
    EnsembleConfig,
    FoldConfig,
    GANConfig,
    GeneratorConfig,
    VAEConfig,
    bending_arms,
    classifier_config,
    current_scale,
    ensemble_config,
    gan_config,
    vae_config,
)
from .records import read_arrays, read_json, read_table, readable
from .sample import Sample, concatenate
from .taxonomy import CLASS_NAMES

if TYPE_CHECKING:
    import keras

__all__ = [
    "ALL_TRAINING_SETS",
    "BENDING_SETS",
    "GENERATORS",
    "QUICK",
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
    "gan_config",
    "make_ready",
    "prepare",
    "prepare_bending",
    "prepare_fold",
    "published",
    "run",
    "runs_root",
    "split_sample",
    "vae_config",
]

log = logging.getLogger("radiosynth")


@lru_cache
def published(parse_float: Callable[[str], Any] = float) -> dict[str, Any]:
    """Return the numbers that the report states, as nested dictionaries.

    Parameters
    ----------
    parse_float : callable
        Makes a number of the text of one with decimals; ``decimal.Decimal`` keeps how many there are.
    """
    text = files("radiosynth").joinpath("data/published.json").read_text()
    return json.loads(text, parse_float=parse_float)


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


_PROVENANCE = ("versions", "seed", "data", "finished")
_FURTHER = {
    "ensemble": ("temperature",),
    "gan": ("diversity", "collapsed"),
    "vae": ("diversity", "collapsed"),
}
_CLASSES = ("names", "labels", "plain", "probabilities")
_PREDICTIONS = {"bending": ("name", "truth", "bending_angle", "guess", "spread")}
"""What the provenance of a run has to say, of all kinds and of some, and what its predictions consist of."""


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
        return read_json(self.folder / "provenance.json", _PROVENANCE + _FURTHER.get(self.config.kind, ()))

    @property
    def history(self) -> Table:
        """One row per epoch."""
        return read_table(self.folder / "history.csv", self.config.epochs)  # type: ignore[attr-defined]

    @property
    def predictions(self) -> dict[str, NDArray[Any]]:
        """Per test image: ``names``, ``labels``, ``plain``, ``probabilities``; or as in `cross_validate`.

        Of an ensemble also ``members``, the probabilities of each of its networks, and ``unseen`` with
        ``unseen_labels``: those of the images of the folds, each by the network that did not see it.
        """
        return read_arrays(self.folder / "predictions.npz", _PREDICTIONS.get(self.config.kind, _CLASSES))

    @property
    def frames(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Of a GAN: images of the same noise during training, and the epochs when they were drawn."""
        from .gan import read_frames

        return read_frames(self.folder / "frames.npz")

    def model(self) -> keras.Model:
        """Return the trained network; its recorded weights have half precision.

        Raises
        ------
        FileNotFoundError
            If the run is recorded without its weights, as one is of which only the predictions are wanted.
        """
        from . import gan
        from .training import load_weights

        config = self.config
        if isinstance(config, GeneratorConfig):
            return gan.load_generator(self.folder)
        if not (self.folder / "model.npz").exists():
            msg = (
                f"{self.folder.name} is recorded without its weights: choose another run, see "
                "`radiosynth runs`, or train it anew in another folder, named by RADIOSYNTH_RUNS"
            )
            raise FileNotFoundError(msg)
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


def prepare(
    config: ClassifierConfig, trained: Callable[[GeneratorConfig], Run[GeneratorConfig]] | None = None
) -> tuple[Sample, Sample, Sample]:
    """Return the training, validation and test images of a configuration (report, table 3).

    Parameters
    ----------
    config : ClassifierConfig
        What to prepare.
    trained : callable, optional
        Returns the run of a generator; `run` if not given.

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

        folders = [(trained or run)(generator).folder for generator in config.generators]
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
    path, fault = folder / "config.json", "holds no readable configuration"
    stored = read_json(path, ["kind"], fault=fault)
    with readable(path, fault=fault):
        generator = GENERATED.get(stored.get("training_set", ""), GANConfig)
        for key, part in (("generators", generator), ("members", FoldConfig)):
            if key in stored:
                stored[key] = tuple(part(**settings) for settings in stored[key])
        return KINDS[stored.pop("kind")](**stored)


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
    path = Path(folder).resolve() if Path(folder).is_dir() else _recorded().get(str(folder), Path(folder))
    if not (path / "provenance.json").exists():
        msg = f"{folder} is not a finished run; those there are: {', '.join(recorded_runs()) or 'none'}"
        raise FileNotFoundError(msg)
    config = _read_config(path)
    if path.name != config.name:
        msg = f"{path} holds the run {config.name}: it was renamed or edited; remove it and run it again"
        raise ValueError(msg)
    return _opened(path, config)


def _opened(folder: Path, config: C) -> Run[C]:
    found = Run(folder, config, replayed=True)
    found.provenance  # noqa: B018 - a damaged one is refused now, and not when it is asked for
    return found


def _recorded() -> dict[str, Path]:
    """Return the folders of the finished runs by name."""
    finished = (path for root in (PACKAGED_RUNS, runs_root()) for path in root.glob("*/provenance.json"))
    return {path.parent.name: path.parent for path in finished}


def recorded_runs() -> list[str]:
    """Return the names of the finished runs, those of `runs_root` and the one of the package, sorted."""
    return sorted(_recorded())


def default_run() -> Run[Any]:
    """Return the recorded classifier of the largest scale, trained on real images alone if there is one.

    Those recorded without their weights are passed over.

    Raises
    ------
    FileNotFoundError
        If no classifier is recorded with its weights.
    """
    for scale in reversed(SCALES):
        for training_set in TRAINING_SETS:
            kind = re.compile(f"{scale}-classifier-{re.escape(training_set.replace('+', '-'))}-[0-9a-f]+")
            for name, folder in _recorded().items():  # that of the package first
                if kind.fullmatch(name) and (folder / "model.npz").exists():
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

    Recorded are those in the folder of runs, and the few that come with the package. Two processes that ask
    for one run wait for each other. A run that was interrupted goes on.

    Parameters
    ----------
    config : ClassifierConfig, GANConfig or VAEConfig
        What to run.
    root : Path, optional
        Folder of runs, in which those of the package are trained anew; `runs_root` if not given.
    time_limit : float, optional
        Seconds after which no further epoch is begun, in this run and in those that it needs.

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
    deadline = None if time_limit is None else time.monotonic() + time_limit
    if root is None and not folder.exists() and (PACKAGED_RUNS / config.name / "provenance.json").exists():
        folder = PACKAGED_RUNS / config.name
    # A saved run is only read, also where nothing can be written, not even a lock.
    if found := _replayed(folder, config):
        return found
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.parent / f".{config.name}.lock"):
        if found := _replayed(folder, config):  # another process has made it in the meantime
            return found
        log.info("running %s", folder.name)
        folder.mkdir(exist_ok=True)
        write_text(folder / "config.json", config.to_json())
        begun = time.monotonic()
        record = _COMPUTE[config.kind](config, _Bench(folder, deadline))
        _finish(folder, config, record, time.monotonic() - begun)
    return Run(folder, config, replayed=False)


def _replayed(folder: Path, config: C) -> Run[C] | None:
    """Return a run if it is saved and finished; refuse a folder that holds another one, begun or finished."""
    finished = (folder / "provenance.json").exists()
    if not finished and not (folder / "config.json").exists():
        return None
    if _read_config(folder) != config:
        msg = (
            f"{folder} holds another configuration than its name says: remove that folder, or give "
            "another with RADIOSYNTH_RUNS"
        )
        raise ValueError(msg)
    if not finished:
        return None
    log.info("replaying %s", folder.name)
    return _opened(folder, config)


def cross_validate(configs: Sequence[BendingConfig]) -> tuple[list[Run[BendingConfig]], Table]:
    """Run the folds of one arm and join what each says of the sources that it was not trained on.

    Simulations of a matched population know the distribution of the angles of all sources.

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


@dataclass(frozen=True)
class _Bench:
    """Where a run is computed, and until when."""

    folder: Path
    deadline: float | None

    def left(self) -> float | None:
        """Return the seconds that are left."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    def first(self, config: C) -> Run[C]:
        """Return a run that this one needs, beside it and in its time."""
        return run(config, root=self.folder.parent, time_limit=self.left())


def _train_classifier(config: ClassifierConfig, bench: _Bench) -> dict[str, Any]:
    from . import classifier, training

    folder = bench.folder
    train, validation, test = prepare(config, bench.first)
    model, history = classifier.train_classifier(
        train,
        validation,
        config.settings(),
        folder=folder,
        fingerprint=config.hash,
        time_limit=bench.left(),
    )
    training.save_weights(model, folder / "model.npz", dtype="float16")
    write_arrays(
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


def _train_generator(config: GeneratorConfig, bench: _Bench) -> dict[str, Any]:
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
        bench.folder,
        labels=train.labels if conditional else None,
        class_names=CLASS_NAMES if conditional else [config.morphology],
        fingerprint=config.hash,
        time_limit=bench.left(),
    )
    return {
        "history": trained.history,
        "sources": sources.counts(),
        "training_images": train.counts(),
        "preparation": train.history,
        "diversity": trained.diversity,
        "collapsed": trained.collapsed,
    }


def _train_fold(config: FoldConfig, bench: _Bench) -> dict[str, Any]:
    from . import classifier, networks, training

    folder = bench.folder
    train, *held_out = prepare_fold(config)
    settings = {field.name: getattr(config, field.name) for field in fields(classifier.VariationSettings)}
    start = None
    if config.rounds > 1:
        before = replace(config, rounds=config.rounds - 1)
        start = bench.first(before).folder / "model.npz"
        settings["seed"] += 1000 * (config.rounds - 1)  # variations that were not seen before
    model, history = classifier.train_on_variations(
        train,
        classifier.VariationSettings(**settings),
        start=start,
        folder=folder,
        fingerprint=config.hash,
        time_limit=bench.left(),
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
    write_arrays(
        folder / "predictions.npz",
        names=np.concatenate([np.asarray(sample.table["name"], str) for sample, _ in parts]),
        labels=np.concatenate([sample.labels for sample, _ in parts]),
        plain=np.ones(sum(len(sample) for sample, _ in parts), bool),
        fold=np.concatenate([np.asarray(sample.table["fold"]) for sample, _ in parts]),
        probabilities=np.concatenate([probabilities for _, probabilities in parts]),
    )


def _gather(config: EnsembleConfig, bench: _Bench) -> dict[str, Any]:
    """Train the members, put their weights together and calibrate them on the folds that they did not see."""
    from . import metrics, networks, training

    folder = bench.folder
    runs = [bench.first(member) for member in config.members]
    stored = [r.predictions for r in runs]
    unseen, test = [p["fold"] >= 0 for p in stored], [p["fold"] == -1 for p in stored]

    def of(part: list[NDArray[np.bool_]], key: str) -> list[NDArray[Any]]:
        return [p[key][rows] for p, rows in zip(stored, part, strict=True)]

    unseen_labels, judged = np.concatenate(of(unseen, "labels")), np.concatenate(of(unseen, "probabilities"))
    temperature = metrics.temperature(unseen_labels, judged)
    model = networks.build_ensemble([r.model() for r in runs], temperature)
    training.save_weights(model, folder / "model.npz", dtype="float16")
    members = np.stack(of(test, "probabilities"))
    write_arrays(
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


def _train_bending(config: BendingConfig, bench: _Bench) -> dict[str, Any]:
    from . import bending, training

    folder, start = bench.folder, None
    shared = {field.name for field in fields(bending.RegressorSettings)} & {f.name for f in fields(config)}
    settings = bending.RegressorSettings(**{name: getattr(config, name) for name in shared})
    if config.training_set == "synthetic-then-real":
        start = bench.first(config.pretraining()).model()
        settings = replace(settings, learning_rate=config.learning_rate / 3)
    train, test = prepare_bending(config)
    model, history = bending.train_regressor(
        train, test, settings, folder=folder, start=start, fingerprint=config.hash, time_limit=bench.left()
    )
    training.save_weights(model, folder / "model.npz", dtype="float16")
    predicted = bending.predict_angles(model, test.images, turns=config.turns)
    unknown = np.full(len(test), np.nan)
    write_arrays(
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


_COMPUTE: dict[str, Callable[[Any, _Bench], dict[str, Any]]] = {
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
    write_table(folder / "history.csv", Table(epochs))
    whole = {
        **provenance(),
        "seed": config.seed,
        **record,
        "seconds_training": round(sum(history["seconds"]), 1),
        "seconds_here": round(seconds, 1),
    }
    text = json.dumps(whole, indent=1) + "\n"
    write_text(folder / "provenance.json", text)
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
