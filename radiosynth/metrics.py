"""Measure classifiers: confusion matrices, recall, precision and accuracy, all with intervals."""

from __future__ import annotations

import numpy as np
from astropy.stats import binom_conf_interval
from astropy.table import Table
from numpy.typing import ArrayLike, NDArray
from scipy.stats import bootstrap

from .taxonomy import CLASS_NAMES

__all__ = ["accuracy", "class_scores", "confusion_matrix"]

SIGMA = 0.6827
"""Share of a normal distribution within one standard deviation."""


def confusion_matrix(
    labels: ArrayLike, probabilities: ArrayLike, *, kind: str = "class", normalise: bool = True
) -> NDArray[np.float64]:
    """Count, or share out, the images of each true class among the predicted ones.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        True class codes.
    probabilities : array_like of float, shape (n, classes)
        Class probabilities.
    kind : {"class", "probability"}
        ``"class"`` gives each image to its most probable class; ``"probability"`` shares it out by the
        class probabilities, the second kind of matrix in the report's code.
    normalise : bool
        Divide each row by its sum.

    Returns
    -------
    ndarray of float64, shape (classes, classes)
        Rows are true classes, columns predicted ones. The row of a class without images is NaN when
        normalised.

    Raises
    ------
    ValueError
        If the shapes do not match, a label is out of range or `kind` is unknown.

    Examples
    --------
    >>> confusion_matrix([0, 0, 1], [[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]])
    array([[0.5, 0.5],
           [0. , 1. ]])
    >>> confusion_matrix([0, 0, 1], [[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]], kind="probability")
    array([[0.65, 0.35],
           [0.2 , 0.8 ]])
    """
    truth, shares = _checked(labels, probabilities)
    if kind == "class":
        shares = np.eye(shares.shape[1])[shares.argmax(axis=1)]
    elif kind != "probability":
        msg = f"unknown kind {kind!r} of confusion matrix: give 'class' or 'probability'"
        raise ValueError(msg)
    matrix = np.zeros((shares.shape[1], shares.shape[1]))
    np.add.at(matrix, truth, shares)
    if normalise:
        rows = matrix.sum(axis=1, keepdims=True)
        matrix = np.divide(matrix, rows, out=np.full_like(matrix, np.nan), where=rows > 0)
    return matrix


def class_scores(labels: ArrayLike, probabilities: ArrayLike, *, confidence: float = SIGMA) -> Table:
    """Return recall and precision of each class with binomial intervals (Wilson's, by astropy).

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        True class codes.
    probabilities : array_like of float, shape (n, classes)
        Class probabilities. The images should be independent: leave out turned copies.
    confidence : float
        Coverage of the intervals, between 0 and 1.

    Returns
    -------
    ~astropy.table.Table
        One row per class: ``class``, ``images``, ``recall``, ``recall_low``, ``recall_high``,
        ``precision``, ``precision_low``, ``precision_high``. NaN where there is nothing to divide by.
    """
    counts = confusion_matrix(labels, probabilities, normalise=False)
    right, true, predicted = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    names = CLASS_NAMES if len(counts) == len(CLASS_NAMES) else [str(i) for i in range(len(counts))]
    table = Table({"class": list(names), "images": true.astype(int)})
    for score, total in (("recall", true), ("precision", predicted)):
        known = total > 0
        columns = np.full((3, len(counts)), np.nan)
        columns[0, known] = right[known] / total[known]
        columns[1:, known] = binom_conf_interval(right[known], total[known], confidence, interval="wilson")
        table[score], table[f"{score}_low"], table[f"{score}_high"] = columns
    return table


def accuracy(
    labels: ArrayLike,
    probabilities: ArrayLike,
    *,
    sources: ArrayLike | None = None,
    confidence: float = SIGMA,
    rng: np.random.Generator | None = None,
) -> tuple[float, float, float]:
    """Return the share of images classified rightly, and its interval.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        True class codes.
    probabilities : array_like of float, shape (n, classes)
        Class probabilities.
    sources : array_like, shape (n,), optional
        What source each image shows. Turned copies of one source err together, so the interval then
        comes from resampling sources (2000 times), not images.
    confidence : float
        Coverage of the interval, between 0 and 1.
    rng : numpy.random.Generator, optional
        For the resampling; a fixed seed if not given.

    Returns
    -------
    value, low, high : float
        Accuracy and the ends of its interval.

    Raises
    ------
    ValueError
        If there are no images, or the shapes do not match.
    """
    truth, shares = _checked(labels, probabilities)
    right = shares.argmax(axis=1) == truth
    if sources is None:
        low, high = binom_conf_interval(right.sum(), right.size, confidence, interval="wilson")
        return float(right.mean()), float(low), float(high)
    _, group = np.unique(np.asarray(sources), return_inverse=True)
    interval = bootstrap(
        (np.bincount(group, weights=right), np.bincount(group)),
        lambda hits, sizes, axis: hits.sum(axis) / sizes.sum(axis),
        paired=True,
        n_resamples=2000,
        confidence_level=confidence,
        method="percentile",
        rng=rng or np.random.default_rng(0),
    ).confidence_interval
    return float(right.mean()), float(interval.low), float(interval.high)


def _checked(labels: ArrayLike, probabilities: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    truth, shares = np.asarray(labels, np.int64), np.asarray(probabilities, np.float64)
    if truth.ndim != 1 or shares.ndim != 2 or len(truth) != len(shares) or len(truth) == 0:
        msg = f"labels {truth.shape} and probabilities {shares.shape}: give shapes (n,) and (n, classes)"
        raise ValueError(msg)
    if truth.min() < 0 or truth.max() >= shares.shape[1]:
        msg = f"labels run from {truth.min()} to {truth.max()}: allowed are 0 to {shares.shape[1] - 1}"
        raise ValueError(msg)
    return truth, shares
