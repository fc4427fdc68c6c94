"""What the networks of runs see: sources that train, validate and test, and synthetic images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import radiosynth
from radiosynth import augmentation, datasets, preprocessing, splitting, surveys
from radiosynth.preprocessing import frame
from radiosynth.reproduction.configs import BendingConfig, ClassifierConfig, FoldConfig, SplitConfig
from radiosynth.reproduction.runs import make_ready, run_folder
from radiosynth.sample import Sample, concatenate
from radiosynth.taxonomy import CLASS_NAMES

__all__ = ["prepare", "prepare_bending", "prepare_fold", "split_sample"]


def split_sample(config: SplitConfig) -> tuple[Sample, Sample, Sample]:
    """Return the prepared training, validation and test sources of a configuration, before augmentation.

    In the report's split, the validation sources are the test sources too.
    """
    ready = preprocessing.preprocess(datasets.load_report_sample(), config.size, n_sigma=config.n_sigma)
    if not config.keep_groups:
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
        # The first sources of each class in an order that does not depend on how many are asked for.
        order = np.random.default_rng([config.split_seed, config.fold]).permutation(len(train))
        rows = [order[train.labels[order] == code] for code in range(len(CLASS_NAMES))]
        few = [each[: max(1, round(config.fraction * len(each)))] for each in rows]
        train = train[np.sort(np.concatenate(few))]
    return train, validation, test


def prepare(
    config: ClassifierConfig, generators: Sequence[Path] | None = None
) -> tuple[Sample, Sample, Sample]:
    """Return the training, validation and test images of a configuration (report, table 3).

    Parameters
    ----------
    config : ClassifierConfig
        What to prepare.
    generators : sequence of Path, optional
        Folders of the trained generators; those in `runs_root` if not given.

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
    if config.training_set != "real":
        train = concatenate([train, _synthetic(config, sources, generators)])
    return train, validation, test


def _synthetic(config: ClassifierConfig, sources: Sample, folders: Sequence[Path] | None) -> Sample:
    """Return the synthetic images of a training set, which know its training sources only."""
    number = config.per_class if config.synthetic_per_class < 0 else config.synthetic_per_class
    rng = np.random.default_rng(config.seed)
    if config.training_set == "real+geometric":
        return radiosynth.simulation.simulate(number, config.size, rng=rng)
    if config.training_set == "real+fitted":
        fitting, drawing = rng.spawn(2)
        simulated = min(1000, 2 * config.per_class)  # a small training need not wait for the fit
        population = radiosynth.simulation.fit_population(sources, per_class=simulated, rng=fitting)
        return radiosynth.simulation.simulate(number, config.size, population=population, rng=drawing)
    from radiosynth.generators import sample_generators

    trained = [run_folder(each) for each in config.generators] if folders is None else folders
    fake = sample_generators(trained, number, rng=rng)
    if not config.mistaken:
        return fake
    images, fr1, fr2 = fake.images.copy(), fake.labels == 0, fake.labels == 1
    images[fr2] = images[fr1]
    return fake.derived(images, "images of FR I in the place of those of FR II")


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
    validates, tests = fold == config.fold, fold == -1
    train, validation, test = ready[~validates & ~tests], ready[validates], ready[tests]
    if config.synthetic:
        # In the pixels of FIRST, unless the whole image is smaller than the field of a simulation.
        field = min(surveys.FIRST.pixels(surveys.FIRST.field), config.size)
        number = {name: round(config.synthetic * count) for name, count in train.counts().items()}
        fake = radiosynth.simulation.simulate(number, field, rng=np.random.default_rng(config.seed))
        train = concatenate([train, frame(fake, config.size)])
    return train, validation, test


def prepare_bending(config: BendingConfig) -> tuple[Sample, Sample]:
    """Return the training images, augmented and simulated, and the real test sources of a configuration."""
    from radiosynth.bending import matched_population

    sources = datasets.load_bending_sample()
    test = preprocessing.preprocess(sources, config.size, crop=config.crop, n_sigma=config.n_sigma)
    train = []
    if config.folds:
        rows, held_out = _folds_of_angles(test, config)[config.fold]
        # Augmented as one class.
        alike = Sample(test.images[rows], np.zeros(len(rows), int), test.table[rows])
        train, test = [augmentation.augment(alike, config.images)], test[held_out]
    if config.training_set in ("synthetic", "synthetic+real"):
        names, population = ["FRI", "FRII", "bent"], None
        if config.population == "matched":
            names, population = names[:2], matched_population(sources.table["bending_angle"])
        rng = np.random.default_rng(config.seed)
        number = (min(config.synthetic, config.images) if train else config.synthetic) // len(names)
        train.append(
            radiosynth.simulation.simulate(number, config.size, classes=names, population=population, rng=rng)
        )
    joined = concatenate(train)
    return (_stretched(joined), _stretched(test)) if config.stretch else (joined, test)


def _folds_of_angles(sample: Sample, config: BendingConfig) -> list[tuple[NDArray[np.intp], ...]]:
    """Return folds alike in angle: the quarter that it lies in takes the place of the class."""
    angles = np.asarray(sample.table["bending_angle"])
    quarters = np.searchsorted(np.quantile(angles, [0.25, 0.5, 0.75]), angles)
    stratified = Sample(sample.images, quarters, sample.table)
    rng = np.random.default_rng(config.split_seed)
    return list(splitting.stratified_folds(stratified, config.folds, rng=rng))


def _stretched(sample: Sample) -> Sample:
    """Return images in [-1, 1] that show the square root of the brightness."""
    images = 2 * np.sqrt(np.clip(sample.images + 1, 0, 2) / 2) - 1
    return sample.derived(images, "square root of the brightness")
