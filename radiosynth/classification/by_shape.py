"""Classify sources by measured shapes, without any network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiosynth.sample import Sample, floats
from radiosynth.taxonomy import CLASS_NAMES, UNLABELLED

EXCHANGES = 10
"""How often the features of a family are exchanged among the images of a fold."""


@dataclass(frozen=True)
class FoldAnswers:
    """What classifiers that were trained on all folds but one each make of the images they did not see.

    Parameters
    ----------
    test : ndarray of float64, shape (folds, n, classes)
        Probabilities of the test images, by each classifier.
    unseen : ndarray of float64, shape (m, classes)
        Probabilities of the images of the folds, fold after fold, by the one that did not see them.
    unseen_labels : ndarray of int, shape (m,)
        Their class codes.
    lost : dict of str to float
        Proportion of the images of the folds that is no longer classified correctly when the features of a
        family are exchanged among them (permutation importance: Breiman 2001).
    """

    test: NDArray[np.float64]
    unseen: NDArray[np.float64]
    unseen_labels: NDArray[np.int64]
    lost: dict[str, float]


def classify_by_shape(sample: Sample, *, trees: int = 250, seed: int = 0) -> FoldAnswers:
    """Train boosted decision trees (Friedman 2002) on the shapes of labelled sources, fold by fold.

    Each class weighs as much, however few its sources.

    Parameters
    ----------
    sample : Sample
        Labelled images with a column ``fold`` in the table: numbers from 0, and -1 for test images.
    trees : int
        Boosting steps, each of one tree per class.
    seed : int
        Seed of the trees and of the exchange of features.

    Returns
    -------
    FoldAnswers
        Probabilities of the images that each classifier did not see, and what the features are worth.

    Raises
    ------
    ValueError
        If the sample has no folds, fewer than two, or images without a class.
    """
    from sklearn.ensemble import GradientBoostingClassifier
    from sklearn.utils.class_weight import compute_sample_weight

    from radiosynth.measurements import measure_shapes

    fold, labels = floats(sample.table, "fold"), sample.labels
    folds = np.unique(fold[fold >= 0])
    if len(folds) < 2 or (labels == UNLABELLED).any():
        msg = f"a sample with {len(folds)} folds: give labelled images and a column 'fold' of two at least"
        raise ValueError(msg)
    measured = measure_shapes(sample.images)
    features = np.nan_to_num(np.stack(list(measured.itercols()), axis=1), nan=-1.0)
    families = np.array(measured.meta["families"])
    rng = np.random.default_rng(seed)
    test, unseen, rows = [], [], []
    correct: dict[str, list[NDArray[np.bool_]]] = {family: [] for family in dict.fromkeys(families)}
    for number in folds:
        train, own = (fold >= 0) & (fold != number), np.flatnonzero(fold == number)
        # Small steps, a part of the images and few features for each tree, so that trees differ.
        model = GradientBoostingClassifier(
            n_estimators=trees,
            learning_rate=0.06,
            max_depth=4,
            min_samples_leaf=5,
            max_features=min(24, features.shape[1]),
            subsample=0.6,
            random_state=seed + int(number),
        )
        model.fit(features[train], labels[train], compute_sample_weight("balanced", labels[train]))
        test.append(_probabilities(model, features[fold == -1]))
        unseen.append(_probabilities(model, features[own]))
        rows.append(own)
        # What a family is worth: how much is lost when each image has that of another.
        for family, found in correct.items():
            columns = np.flatnonzero(families == family)
            for _ in range(EXCHANGES):
                exchanged = features[own]
                exchanged[:, columns] = features[np.ix_(rng.permutation(own), columns)]
                found.append(model.predict(exchanged) == labels[own])
    answers, truth = np.concatenate(unseen), labels[np.concatenate(rows)]
    accuracy = np.mean(answers.argmax(axis=1) == truth)
    lost = {family: float(accuracy - np.concatenate(found).mean()) for family, found in correct.items()}
    return FoldAnswers(np.stack(test), answers, truth, lost)


def _probabilities(model: Any, features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return class probabilities, 0 for classes that the model has not met."""
    found = np.zeros((len(features), len(CLASS_NAMES)))
    if len(features):
        found[:, model.classes_] = model.predict_proba(features)
    return found
