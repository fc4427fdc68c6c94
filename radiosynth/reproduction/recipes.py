"""What a run needs, and how it is computed."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table, vstack
from filelock import FileLock
from numpy.typing import NDArray

from radiosynth import augmentation, datasets, preprocessing, simulation, splitting, surveys
from radiosynth._io import write_arrays, write_table, write_text
from radiosynth.preprocessing import frame
from radiosynth.records import PACKAGED_RUNS, runs_root
from radiosynth.reproduction.configs import (
    BendingConfig,
    ClassifierConfig,
    EnsembleConfig,
    FoldConfig,
    GeneratorConfig,
)
from radiosynth.reproduction.presets import ensemble_config
from radiosynth.reproduction.runs import (
    C,
    Run,
    _opened,
    _read_config,
    _recorded,
    find_run,
    make_ready,
    provenance,
)
from radiosynth.reproduction.scales import SCALES
from radiosynth.sample import Sample, concatenate
from radiosynth.taxonomy import CLASS_NAMES

__all__ = [
    "best_ensemble",
    "cross_validate",
    "prepare",
    "prepare_bending",
    "prepare_fold",
    "run",
    "split_sample",
]

log = logging.getLogger("radiosynth")


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
        field = min(round(surveys.FIELD / surveys.PIXEL_SCALE), config.size)
        number = {name: round(config.synthetic * count) for name, count in train.counts().items()}
        fake = simulation.simulate(number, field, rng=np.random.default_rng(config.seed))
        train = concatenate([train, frame(fake, config.size)])
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
        parts = [test for _, test in splitting.stratified_folds(ready, config.folds, rng=rng)]
        chosen = parts[config.fold], parts[(config.fold + 1) % config.folds]
        test, validation = (ready[part] for part in chosen)
        train = ready[np.setdiff1d(np.arange(len(ready)), np.concatenate(chosen))]
    else:
        train, validation = splitting.split(ready, config.test_per_class, rng=rng)
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
    train = augmentation.augment(sources, config.per_class, "ordered")
    validation, test = (
        augmentation.augment(part, config.validation_per_class, "ordered") for part in held_out
    )
    number = config.per_class if config.synthetic_per_class < 0 else config.synthetic_per_class
    if config.training_set == "real+geometric":
        fake = simulation.simulate(number, config.size, rng=np.random.default_rng(config.seed))
        train = concatenate([train, fake])
    if config.training_set == "real+fitted":
        fitting, drawing = np.random.default_rng(config.seed).spawn(2)
        simulated = min(1000, 2 * config.per_class)  # a small training need not wait for the fit
        population = simulation.fit_population(sources, per_class=simulated, rng=fitting)
        fake = simulation.simulate(number, config.size, population=population, rng=drawing)
        train = concatenate([train, fake])
    if config.generators:
        from radiosynth.generators import sample_generators

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
    from radiosynth.bending import matched_population

    sources = datasets.load_bending_sample()
    test = preprocessing.preprocess(sources, config.size, crop=config.crop, n_sigma=config.n_sigma)
    train = []
    if config.folds:
        # Folds alike in angle: what takes the place of the class is the quarter that the angle lies in.
        angles = np.asarray(test.table["bending_angle"])
        quarters = np.searchsorted(np.quantile(angles, [0.25, 0.5, 0.75]), angles)
        parts = list(
            splitting.stratified_folds(
                Sample(test.images, quarters, test.table),
                config.folds,
                rng=np.random.default_rng(config.split_seed),
            )
        )
        rows, held_out = parts[config.fold]
        alike = Sample(
            test.images[rows], np.zeros(len(rows), int), test.table[rows]
        )  # augmented as one class
        train, test = [augmentation.augment(alike, config.images)], test[held_out]
    if config.training_set in ("synthetic", "synthetic+real"):
        names, population = ["FRI", "FRII", "bent"], None
        if config.population == "matched":
            names, population = names[:2], matched_population(sources.table["bending_angle"])
        rng = np.random.default_rng(config.seed)
        number = config.synthetic if not train else min(config.synthetic, config.images)
        number //= len(names)
        train.append(simulation.simulate(number, config.size, classes=names, population=population, rng=rng))
    joined = concatenate(train)
    return (_stretched(joined), _stretched(test)) if config.stretch else (joined, test)


def _stretched(sample: Sample) -> Sample:
    """Return images in [-1, 1] that show the square root of the brightness."""
    images = 2 * np.sqrt(np.clip(sample.images + 1, 0, 2) / 2) - 1
    return sample.derived(images, "square root of the brightness")


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
    from radiosynth import classification, training

    folder = bench.folder
    train, validation, test = prepare(config, bench.first)
    model, history = classification.train_classifier(
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
        plain=classification.originals(test),
        probabilities=classification.predict(model, test.images),
    )
    return {
        "history": history,
        "training_images": train.counts(),
        "validation_images": validation.counts(),
        "preparation": train.history,
    }


def _train_generator(config: GeneratorConfig, bench: _Bench) -> dict[str, Any]:
    from radiosynth import generators

    sources, *held_out = split_sample(config)
    if config.leak:
        sources = concatenate([sources, *(held_out if config.folds else held_out[:1])])
    conditional = config.morphology == "all"
    if not conditional:
        sources = sources.of_class(config.morphology)
    train = augmentation.augment(sources, config.per_class, "ordered")
    kind = generators.GENERATORS[config.kind]
    names = {field.name for field in fields(kind)} - {"conditional"}
    trained = generators.train_generator(
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
    from radiosynth import classification, networks, training

    folder = bench.folder
    train, *held_out = prepare_fold(config)
    settings = {field.name: getattr(config, field.name) for field in fields(classification.VariationSettings)}
    start = None
    if config.rounds > 1:
        before = replace(config, rounds=config.rounds - 1)
        start = bench.first(before).folder / "model.npz"
        settings["seed"] += 1000 * (config.rounds - 1)  # variations that were not seen before
    model, history = classification.train_on_variations(
        train,
        classification.VariationSettings(**settings),
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
            (part, classification.predict(mirrored, part.images)) for part in held_out
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
    from radiosynth import metrics, networks, training

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
    from radiosynth import bending, training

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
