"""Train the networks that the protocol asks for, and keep what each says of every test source.

The design is ``protocol.toml`` beside this file. A run is one network: a condition, a fold and a seed. It is
saved as a single file, named by what the numbers depend on, so that runs may be made in any order, by several
processes and in slices.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Table
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score

from radiosynth import augmentation, classification, datasets, generators, preprocessing, simulation, training
from radiosynth._io import check, write_arrays, write_table
from radiosynth.networks import build_network
from radiosynth.reproduction import configs, provenance, recipes, runs
from radiosynth.reproduction.parallel import run_missing
from radiosynth.reproduction.protocol import Trial, networks_folder, protocol, trials
from radiosynth.reproduction.samples import split_sample
from radiosynth.sample import Sample, check_choice
from radiosynth.simulation import fit
from radiosynth.splitting import stratified_folds
from radiosynth.taxonomy import CLASS_NAMES

GENERATORS: dict[str, type[configs.GeneratorConfig]] = {"gan": configs.GANConfig, "vae": configs.VAEConfig}
"""Kinds of synthetic images that trained generators draw."""

CHUNK = 64
"""Batches whose views are made at a time."""


# The sources ------------------------------------------------------------------------------------------


def sources_of(trial: Trial) -> tuple[Sample, Sample, Sample]:
    """Return the training, the validation and the test sources of a run, not augmented."""
    if not trial.left_out:
        return _split(trial.fold, trial.fraction)
    check(trial.fraction == 1, f"{trial.name}: all sources of the other catalogues train, not a fraction")
    return _without(trial.left_out)


@lru_cache(maxsize=2)
def _split(fold: int, fraction: float) -> tuple[Sample, Sample, Sample]:
    names = ("folds", "split_seed", "size", "n_sigma")
    shared = {name: protocol()["sources"][name] for name in names}
    return split_sample(configs.Sources(fold=fold, fraction=fraction, **shared))


@cache
def external_sources() -> Sample:
    """Return the prepared published images that lie far from any source of the report."""
    published = datasets.load_first_dataset(size=150)
    return _prepared(published[far_from(published, datasets.load_report_sample())])


@lru_cache(maxsize=2)
def _without(catalogue: str) -> tuple[Sample, Sample, Sample]:
    published = datasets.load_first_dataset(size=150)
    own = np.asarray(published.table["catalogue"]) == catalogue
    check(own.any(), f"no published image is of the catalogue {catalogue!r}")
    test, others = published[own], _prepared(published[far_from(published, published[own])])
    settings = protocol()["sources"]
    rng = np.random.default_rng(settings["split_seed"])
    trains, validates = next(iter(stratified_folds(others, settings["folds"], rng=rng)))
    return others[trains], others[validates], _prepared(test)


def far_from(sample: Sample, others: Sample) -> NDArray[np.bool_]:
    """Return which sources are farther from any of some others than neighbours in one image may be."""
    places = [SkyCoord(each.table["ra"], each.table["dec"], unit="deg") for each in (sample, others)]
    separation = places[0].match_to_catalog_sky(places[1])[1]
    return separation.arcsec > protocol()["sources"]["external_separation"]


def _prepared(sample: Sample) -> Sample:
    settings = protocol()["sources"]
    return preprocessing.preprocess(sample, settings["size"], n_sigma=settings["n_sigma"])


# Synthetic images -------------------------------------------------------------------------------------


def synthetic_images(trial: Trial, train: Sample) -> Sample:
    """Draw the synthetic images of a run, which know its training sources only."""
    number, rng = trial.synthetic_per_class, np.random.default_rng([trial.seed, trial.fold])
    if trial.synthetic == "geometric":
        return simulation.simulate(number, train.size, rng=rng)
    if trial.synthetic == "observed":
        parameters = _observed_parameters(trial, train)
        of_class = [np.flatnonzero(parameters["class"] == name) for name in CLASS_NAMES]
        drawn = parameters[np.concatenate([rows[trial.seed * number :][:number] for rows in of_class])]
        images = fit.observed_images(drawn, train.size, simulation.Observation(), rng=rng)
        return Sample(images, np.repeat(np.arange(len(CLASS_NAMES)), number), drawn)
    return generators.sample_generators([runs.run_folder(generator_config(trial))], number, rng=rng)


def _observed_parameters(trial: Trial, train: Sample) -> Table:
    """Return the parameters that all seeds of a fold draw from, fitted to its training sources once."""
    part = f"{trial.left_out or f'fold{trial.fold}'}-{trial.fraction:g}-{trial.synthetic_per_class}"
    path = networks_folder() / f".observed-{part}.ecsv"
    if not path.exists():
        fitting, drawing = np.random.default_rng([trial.fold]).spawn(2)
        population = simulation.fit_population(train, observation=simulation.Observation(), rng=fitting)
        number = max(part["seeds"] for part in protocol()["parts"].values()) * trial.synthetic_per_class
        write_table(path, simulation.draw_parameters(number, population=population, rng=drawing))
    return Table.read(path, format="ascii.ecsv")


def generator_config(trial: Trial) -> configs.GeneratorConfig:
    """Return the configuration of the generator of a run: one for each fold."""
    check_choice(trial.synthetic, "kind of synthetic images", GENERATORS)
    check(not trial.left_out, f"{trial.name}: generators learn from folds, not from all catalogues but one")
    settings = protocol()["generators"][trial.synthetic]["settings"]
    fold = {"folds": protocol()["sources"]["folds"], "fold": trial.fold, "fraction": trial.fraction}
    return GENERATORS[trial.synthetic].of(scale="laptop", morphology="all", **fold, **settings)


# Training ---------------------------------------------------------------------------------------------


class _Views(training.Batches):
    """Batches of ever new views: each class as often as another, synthetic images in the ratio asked for."""

    def __init__(self, pools: Sequence[Sample], ratio: float, trial: Trial, exposure: int) -> None:
        self.pools, self.seed, self.batch_size = pools, trial.seed, trial.batch_size
        self.synthetic = ratio / (1 + ratio)
        self.steps = round(exposure * (1 + ratio) / trial.epochs / trial.batch_size)
        codes = range(len(CLASS_NAMES))
        self.members = [[np.flatnonzero(pool.labels == code) for code in codes] for pool in pools]

    def epoch(self, number: int) -> training.Stream:
        rng = np.random.default_rng([self.seed, number])
        for start in range(0, self.steps, CHUNK):
            images, labels = self._draw(min(CHUNK, self.steps - start) * self.batch_size, rng)
            for i in range(0, len(labels), self.batch_size):
                yield images[i : i + self.batch_size, :, :, None], labels[i : i + self.batch_size]

    def _draw(self, n: int, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        labels = rng.integers(len(CLASS_NAMES), size=n).astype(np.int32)
        chosen = (rng.random(n) < self.synthetic).astype(int)
        images = np.empty((n, self.pools[0].size, self.pools[0].size), np.float32)
        for number, pool in enumerate(self.pools):
            for code, members in enumerate(self.members[number]):
                rows = np.flatnonzero((chosen == number) & (labels == code))
                images[rows] = pool.images[rng.choice(members, len(rows))]
        return augmentation.rotate_flip(images, rng.uniform(0, 360, n), rng.random(n) < 0.5), labels


def _statistics(trial: Trial) -> classification.ClassifierSettings:
    """Return how the statistics of batch normalisation are measured again, where a network has it."""
    return classification.ClassifierSettings(batch_size=trial.batch_size, seed=trial.seed)


def _scores(model: keras.Model, sources: Sample, train: Sample, trial: Trial) -> dict[str, float]:
    """Return the scores on the validation sources, for the log of each epoch; they choose nothing."""
    with classification.recalibrated(model, train.images, _statistics(trial)):
        probabilities = classification.predict(model, sources.images)
    labels, given = sources.labels, probabilities.argmax(axis=1)
    loss = -np.log(np.maximum(probabilities[np.arange(len(labels)), labels], 1e-7)).mean()
    accuracy, balanced = (given == labels).mean(), balanced_accuracy_score(labels, given)
    found = {"val_loss": loss, "val_accuracy": accuracy, "val_balanced_accuracy": balanced}
    return {name: float(value) for name, value in found.items()}


def train(trial: Trial, folder: Path, *, deadline: float = math.inf) -> tuple[keras.Model, training.History]:
    """Train the network of a run, resuming from the checkpoints in a folder.

    Parameters
    ----------
    trial : Trial
        What to train.
    folder : Path
        Where checkpoints are kept.
    deadline : float
        The time, by `time.monotonic`, after which no further epoch is begun.

    Returns
    -------
    model : keras.Model
        The trained network.
    history : dict of str to list of float
        Scores of each epoch on the views and on the validation sources; in pre-training, too.

    Raises
    ------
    radiosynth.training.TrainingStopped
        If a time limit or a signal ended the training; calling again resumes.
    """
    sources, validation, _ = sources_of(trial)
    pools = [sources, synthetic_images(trial, sources)] if trial.synthetic else [sources]
    exposure = trial.exposure * trial.times
    shown = [[pool] for pool in reversed(pools)] if trial.pretrain else [pools]
    stages = [_Views(each, trial.ratio if len(each) == 2 else 0.0, trial, exposure) for each in shown]
    options = {"width_multiplier": trial.width, "seed": trial.seed, "precision": trial.precision}
    model = build_network(trial.architecture, sources.size, "", **options)
    scores = partial(_scores, sources=validation, train=sources, trial=trial)
    fit_stage = partial(training.fit, epochs=trial.epochs, scores=scores, title=trial.name)
    history: training.History = {}
    for number, batches in enumerate(stages):
        rate = keras.optimizers.schedules.CosineDecay(trial.learning_rate, trial.epochs * batches.steps)
        training.compile_model(model, keras.optimizers.Adam(rate))
        place, identity = folder / f"stage{number}", f"{trial.hash}-{number}"
        left = deadline - time.monotonic()
        found = fit_stage(model, batches, folder=place, fingerprint=identity, time_limit=left)
        history = {key: [*history.get(key, []), *values] for key, values in found.items()}
    classification.recalibrate(model, sources.images, _statistics(trial))
    return model, history


# Saved networks ---------------------------------------------------------------------------------------------


def run(trial: Trial, *, time_limit: float | None = None) -> Path | None:
    """Train a run and test it, unless it is saved or another process is at it.

    Parameters
    ----------
    trial : Trial
        What to run.
    time_limit : float, optional
        Seconds after which no further epoch is begun.

    Returns
    -------
    Path or None
        The record: ``trial`` and ``provenance`` (JSON), one array for each column of the history, and for
        the ``test`` and the ``external`` sources their ``_names`` and the ``_probabilities`` of the classes.
        None if another process is at it.

    Raises
    ------
    radiosynth.training.TrainingStopped
        If a time limit or a signal ended the training; calling again resumes.
    """
    record = trial.file
    if record.exists():
        return record
    deadline = time.monotonic() + (math.inf if time_limit is None else time_limit)
    if trial.synthetic in GENERATORS:
        recipes.run(generator_config(trial), time_limit=time_limit)
    work = networks_folder() / f".{trial.name}"
    work.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(work / "lock", timeout=0):
            if not record.exists():
                begun = time.monotonic()
                model, history = train(trial, work, deadline=deadline)
                _save(record, trial, model, history, time.monotonic() - begun)
    except Timeout:
        return None
    shutil.rmtree(work, ignore_errors=True)
    return record


def _save(record: Path, trial: Trial, model: keras.Model, history: training.History, seconds: float) -> None:
    """Write what the network of a run says of every source, and where its numbers come from."""
    spent = {"seconds": round(seconds, 1), "seconds_training": round(sum(history["seconds"]), 1)}
    about = json.dumps(provenance.provenance() | spent)
    arrays: dict[str, Any] = {"trial": json.dumps(asdict(trial)), "provenance": about}
    tests = {"test": sources_of(trial)[2]} | ({} if trial.left_out else {"external": external_sources()})
    for name, sample in tests.items():
        arrays[f"{name}_names"] = np.asarray(sample.table["griese_key"], "S")
        arrays[f"{name}_labels"] = sample.labels.astype(np.int8)
        arrays[f"{name}_probabilities"] = classification.predict(model, sample.images).astype(np.float16)
    arrays |= {f"history_{key}": np.asarray(values, np.float32) for key, values in history.items()}
    write_arrays(record, **arrays)


def run_all(parts: Sequence[str], *, jobs: int = 1, time_limit: float | None = None) -> int:
    """Run what is missing of some parts of the protocol; several calls may share the work.

    Parameters
    ----------
    parts : sequence of str
        Names of parts.
    jobs : int
        Networks at a time, one processor each.
    time_limit : float, optional
        Seconds after which no further epoch is begun.

    Returns
    -------
    int
        Number of networks asked for, all of which are saved now.

    Raises
    ------
    radiosynth.stopping.TrainingStopped
        If some are left; calling again resumes.
    """
    asked = [trial for part in parts for trial in trials(part)]
    run_missing(run, asked, lambda trial: trial.file.exists(), "networks", jobs, time_limit)
    return len(asked)
