"""Training and test sets whose sources do not share a patch of sky."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from radiosynth._io import check
from radiosynth.sample import Sample, check_labelled, check_rng, numbers_by_code
from radiosynth.taxonomy import CLASS_NAMES

SPLIT_ATTEMPTS = 100
"""Random orders tried before a split is declared impossible."""


def split(
    sample: Sample, test_per_class: int | Mapping[str, int] = 40, *, rng: np.random.Generator
) -> tuple[Sample, Sample]:
    """Divide a sample at random into a training and a test set, as in the report's Table 3.

    Sources that share a patch of sky, that is a value of ``table["sky_group"]`` of 0 or more, stay on one
    side: the neighbour of a training source shows up in its image. -1 marks an isolated source; without
    the column all sources are isolated.

    Parameters
    ----------
    sample : Sample
        Labelled sources.
    test_per_class : int or mapping of str to int
        Number of test images of each class, by name where it differs; an int asks for all four classes.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    train, test : Sample
        Both shuffled; `test` has exactly the number of images asked for, `train` all others.

    Raises
    ------
    ValueError
        If a class has too few sources to leave at least one for training, if a source has no label or
        a class no number, or if the shared patches of sky allow no such split.

    Examples
    --------
    >>> sample = Sample(np.zeros((40, 8, 8)), np.arange(40) % 4)
    >>> train, test = split(sample, test_per_class=3, rng=np.random.default_rng(1))
    >>> test.counts(), len(train)
    ({'FRI': 3, 'FRII': 3, 'bent': 3, 'compact': 3}, 28)
    """
    check_rng(rng)
    if not isinstance(test_per_class, Mapping):
        test_per_class = dict.fromkeys(CLASS_NAMES, test_per_class)
    wanted = _numbers_per_class(sample.labels, test_per_class)
    counts = np.bincount(sample.labels, minlength=len(CLASS_NAMES))
    for code, number in wanted.items():
        fault = f"cannot set {number} {CLASS_NAMES[code]} images aside as test: the sample has {counts[code]}"
        advice = "and one must stay for training: lower test_per_class, or give it for each class in use"
        check(number < max(counts[code], 1), f"{fault}, {advice}")

    # What each patch of sky holds, by class, and what the test set is to hold.
    target = np.array([wanted.get(code, 0) for code in range(len(CLASS_NAMES))])
    groups = _sky_groups(sample)
    composition = np.zeros((groups.max() + 1, len(CLASS_NAMES)), int)
    np.add.at(composition, (groups, sample.labels), 1)
    for _ in range(SPLIT_ATTEMPTS):
        missing, chosen = target.copy(), []
        # Groups join the test set in random order as long as they fit. Only where many sources share their
        # sky can the last places stay open; another order may fill them.
        for group in rng.permutation(len(composition)):
            if (composition[group] <= missing).all():
                missing -= composition[group]
                chosen.append(group)
        if not missing.any():
            break
    fault = f"found no split with {dict(test_per_class)} test images, as too many sources share a sky_group"
    check(not missing.any(), f"{fault}; ask for other numbers")
    order = rng.permutation(len(sample))
    in_test = np.isin(groups[order], chosen)
    return sample[order[~in_test]], sample[order[in_test]]


def stratified_folds(
    sample: Sample, n_folds: int = 5, *, rng: np.random.Generator
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Divide a sample into folds of like composition, each of which is the test set once.

    Sources that share a patch of sky stay in one fold, as in `split`.

    Parameters
    ----------
    sample : Sample
        Labelled sources.
    n_folds : int
        Number of folds, from 2 to the number of sources in the smallest class.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    iterator of (train, test)
        Positions of the training and of the test images, `n_folds` times.

    Raises
    ------
    ValueError
        If a source has no label or a class has fewer sources than there are folds.

    Examples
    --------
    >>> sample = Sample(np.zeros((40, 8, 8)), np.arange(40) % 4)
    >>> folds = stratified_folds(sample, rng=np.random.default_rng(1))
    >>> [np.bincount(sample.labels[test]).tolist() for train, test in folds]
    [[2, 2, 2, 2], [2, 2, 2, 2], [2, 2, 2, 2], [2, 2, 2, 2], [2, 2, 2, 2]]
    """
    from sklearn.model_selection import StratifiedGroupKFold

    check_labelled(sample.labels)
    groups = _sky_groups(sample)
    most = min(int(np.unique(sample.labels, return_counts=True)[1].min()), int(groups.max()) + 1)
    least = "the smallest class has sources and the sample separate patches of sky"
    check(2 <= n_folds <= most, f"cannot make {n_folds} folds: there can be 2 to {most}, as many as {least}")
    folds = StratifiedGroupKFold(n_folds, shuffle=True, random_state=int(rng.integers(2**32)))
    return folds.split(sample.labels, sample.labels, groups)


def _sky_groups(sample: Sample) -> NDArray[np.int64]:
    """Return a number for each source, shared by those that must stay together, without gaps."""
    if "sky_group" not in sample.table.colnames:
        return np.arange(len(sample))
    groups = np.ma.filled(np.ma.asarray(sample.table["sky_group"]), -1).astype(np.int64)
    isolated = groups < 0
    groups[isolated] = groups.max() + 1 + np.arange(isolated.sum())
    return np.unique(groups, return_inverse=True)[1]


def _numbers_per_class(labels: NDArray[np.int64], per_class: int | Mapping[str, int]) -> dict[int, int]:
    """Return a number of images for each class code, after checking that every source has a class."""
    check_labelled(labels)
    present = np.unique(labels).tolist()
    if not isinstance(per_class, Mapping):
        per_class = {CLASS_NAMES[code]: per_class for code in present}
    numbers = numbers_by_code(per_class)
    left_out = ", ".join(CLASS_NAMES[code] for code in present if code not in numbers)
    fault = f"no number is given for the class {left_out}: give one, or leave its images out of the sample"
    check(not left_out, fault)
    return numbers
