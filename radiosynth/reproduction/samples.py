"""What the networks of runs see: sources that train, validate and test, and synthetic images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from radiosynth import augmentation, datasets, metrics, preprocessing, simulation, splitting, surveys
from radiosynth._io import check
from radiosynth.reproduction.configs import BendingConfig, ClassifierConfig, FoldConfig, Sources
from radiosynth.reproduction.runs import find_run, run_folder
from radiosynth.sample import Sample, concatenate
from radiosynth.taxonomy import CLASS_NAMES
from radiosynth.training_sets import Generated, Geometric, Part, Real, TrainingSet


def split_sample(asked: Sources) -> tuple[Sample, Sample, Sample]:
    """Return the prepared training, validation and test sources of a configuration, before augmentation.

    In the report's split, the validation sources are the test sources too.
    """
    ready = preprocessing.preprocess(datasets.load_report_sample(), asked.size, n_sigma=asked.n_sigma)
    if not asked.keep_groups:
        ready.table.remove_column("sky_group")
    rng = np.random.default_rng(asked.split_seed)
    if asked.folds:
        parts = [test for _, test in splitting.stratified_folds(ready, asked.folds, rng=rng)]
        chosen = parts[asked.fold], parts[(asked.fold + 1) % asked.folds]
        test, validation = (ready[part] for part in chosen)
        train = ready[np.setdiff1d(np.arange(len(ready)), np.concatenate(chosen))]
    else:
        train, validation = splitting.split(ready, asked.test_per_class, rng=rng)
        test = validation
    if asked.fraction < 1:
        # The first sources of each class in an order that does not depend on how many are asked for.
        order = np.random.default_rng([asked.split_seed, asked.fold]).permutation(len(train))
        rows = [order[train.labels[order] == code] for code in range(len(CLASS_NAMES))]
        few = [each[: max(1, round(asked.fraction * len(each)))] for each in rows]
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
    folders = [run_folder(each) for each in config.generators] if generators is None else generators
    sources, *held_out = split_sample(config.sources)
    number = config.per_class if config.synthetic_per_class < 0 else config.synthetic_per_class
    parts: list[Part] = [Real(config.per_class)]
    if config.training_set == "real+geometric":
        parts.append(Geometric(number))
    elif config.generators:
        parts.append(Generated(number, folders))
    train = TrainingSet(parts).draw(sources, rng=np.random.default_rng(config.settings.seed))
    if config.mislabelled:
        # Generated images of FR I in the place of those of FR II, as the report's notebook had it.
        images = train.images.copy()
        fr1, fr2 = (np.flatnonzero(train.labels == code)[config.per_class :] for code in (0, 1))
        images[fr2] = images[fr1]
        train = train.derived(images, "images of FR I in the place of those of FR II")
    wanted = config.validation_per_class
    validation, test = (augmentation.augment(part, wanted, "ordered") for part in held_out)
    return train, validation, test


def prepare_fold(config: FoldConfig) -> tuple[Sample, Sample, Sample]:
    """Return the training, validation and test images of a network of the five-fold scheme.

    Parameters
    ----------
    config : FoldConfig
        What to prepare.

    Returns
    -------
    train, validation, test : Sample
        Images in [-1, 1]; synthetic ones, if any, follow the real ones that train. With a teacher, the column
        ``targets`` has what the network is to learn.
    """
    published = datasets.load_first_dataset(size=config.size)
    ready = preprocessing.preprocess_unresized(published, config.size, n_sigma=config.n_sigma)
    fold = np.asarray(ready.table["fold"])
    if config.teacher:
        ready.table["targets"] = _taught(ready, config.teacher)
    tests = fold == -1
    validates = (fold == config.fold) & ~tests
    train, validation, test = ready[~validates & ~tests], ready[validates], ready[tests]
    if config.synthetic:
        # In the pixels of FIRST, unless the whole image is smaller than the field of a simulation.
        field = min(surveys.FIRST.pixels(surveys.FIRST.field), config.size)
        number = {name: round(config.synthetic * count) for name, count in train.counts().items()}
        fake = simulation.simulate(number, field, rng=np.random.default_rng(config.settings.seed))
        train = concatenate([train, preprocessing.frame(fake, config.size)])
    return train, validation, test


def _taught(ready: Sample, teacher: str) -> NDArray[np.float64]:
    """Return the mean of the labels and of what an ensemble says of the images of the folds, (n, classes).

    Each image of the folds is judged by the network of the ensemble that was not trained on it; the test
    images keep their labels.
    """
    run = find_run(teacher)
    unseen = metrics.scale_temperature(run.predictions["unseen"], run.provenance["temperature"])
    # An ensemble keeps one fold after the other, each in the order of the published images.
    rows = np.concatenate([np.flatnonzero(ready.table["fold"] == fold) for fold in range(5)])
    same = np.array_equal(ready.labels[rows], run.predictions["unseen_labels"])
    check(same, f"{teacher} was not trained on these images in five folds: name an ensemble that was")
    targets = np.eye(len(CLASS_NAMES))[ready.labels]
    targets[rows] = (targets[rows] + unseen) / 2
    return targets


def prepare_bending(config: BendingConfig) -> tuple[Sample, Sample]:
    """Return the training images, augmented and simulated, and the real test sources of a configuration."""
    from radiosynth.bending import matched_population

    sources = datasets.load_bending_sample()
    test = preprocessing.preprocess(sources, config.size, crop=config.crop, n_sigma=config.n_sigma)
    train = []
    if config.folds:
        # Folds alike in angle: the quarter that it lies in takes the place of the class.
        angles = np.asarray(test.table["bending_angle"])
        quarters = np.searchsorted(np.quantile(angles, [0.25, 0.5, 0.75]), angles)
        stratified, rng = Sample(test.images, quarters, test.table), np.random.default_rng(config.split_seed)
        rows, held_out = list(splitting.stratified_folds(stratified, config.folds, rng=rng))[config.fold]
        # Augmented as one class.
        alike = Sample(test.images[rows], np.zeros(len(rows), int), test.table[rows])
        train, test = [augmentation.augment(alike, config.images)], test[held_out]
    if config.training_set in ("synthetic", "synthetic+real"):
        names, population = ["FRI", "FRII", "bent"], None
        if config.population == "matched":
            names, population = names[:2], matched_population(sources.table["bending_angle"])
        rng = np.random.default_rng(config.settings.seed)
        number = (min(config.synthetic, config.images) if train else config.synthetic) // len(names)
        numbers = dict.fromkeys(names, number)
        train.append(simulation.simulate(numbers, config.size, population=population, rng=rng))
    joined = concatenate(train)
    return (_stretched(joined), _stretched(test)) if config.stretch else (joined, test)


def _stretched(sample: Sample) -> Sample:
    """Return images in [-1, 1] that show the square root of the brightness."""
    images = 2 * np.sqrt(np.clip(sample.images + 1, 0, 2) / 2) - 1
    return sample.derived(images, "square root of the brightness")
