"""Scores of classifiers and of predicted angles, with intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy  # whose parts are loaded when they are used
from astropy.stats import binom_conf_interval
from astropy.table import Table
from numpy.typing import ArrayLike, NDArray

from radiosynth._io import check
from radiosynth.sample import check_choice
from radiosynth.taxonomy import CLASS_NAMES, UNLABELLED

SIGMA = 0.6827
"""Proportion of a normal distribution within one standard deviation."""


WITHIN = 10.0
"""Error in degrees up to which a predicted angle counts as good."""


def confusion_matrix(
    labels: ArrayLike, probabilities: ArrayLike, *, kind: str = "class", normalise: bool = True
) -> NDArray[np.float64]:
    """Count how the images of each true class are classified.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        True class codes.
    probabilities : array_like of float, shape (n, classes)
        Class probabilities.
    kind : {"class", "probability"}
        ``"class"`` gives each image to its most probable class; ``"probability"`` divides it by the
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
        If the shapes do not match, a label is out of range, a probability not finite or `kind` unknown.

    Examples
    --------
    >>> confusion_matrix([0, 0, 1], [[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]])
    array([[0.5, 0.5],
           [0. , 1. ]])
    >>> confusion_matrix([0, 0, 1], [[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]], kind="probability")
    array([[0.65, 0.35],
           [0.2 , 0.8 ]])
    """
    check_choice(kind, "kind of confusion matrix", ("class", "probability"))
    truth, given = _checked(labels, probabilities)
    if kind == "class":
        given = np.eye(given.shape[1])[given.argmax(axis=1)]
    matrix = np.zeros((given.shape[1], given.shape[1]))
    np.add.at(matrix, truth, given)
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
        Class probabilities. The images should be independent: leave out augmented ones.
    confidence : float
        Coverage of the intervals, between 0 and 1.

    Returns
    -------
    ~astropy.table.Table
        One row per class: ``class``, ``images``, ``recall``, ``recall_low``, ``recall_high``,
        ``precision``, ``precision_low``, ``precision_high``. NaN where there is nothing to divide by.
    """
    counts = confusion_matrix(labels, probabilities, normalise=False)
    correct, true, predicted = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    names = CLASS_NAMES if len(counts) == len(CLASS_NAMES) else [str(i) for i in range(len(counts))]
    table = Table({"class": list(names), "images": true.astype(int)})
    for score, total in (("recall", true), ("precision", predicted)):
        known = total > 0
        columns = np.full((3, len(counts)), np.nan)
        columns[0, known] = correct[known] / total[known]
        columns[1:, known] = binom_conf_interval(correct[known], total[known], confidence, interval="wilson")
        table[score], table[f"{score}_low"], table[f"{score}_high"] = columns
    return table


def accuracy(
    labels: ArrayLike,
    probabilities: ArrayLike,
    *,
    sources: ArrayLike | None = None,
    confidence: float = SIGMA,
) -> tuple[float, float, float]:
    """Return the proportion of images classified correctly, and its interval.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        True class codes.
    probabilities : array_like of float, shape (n, classes)
        Class probabilities.
    sources : array_like, shape (n,), optional
        What source each image shows. Augmented images of one source err together, so the interval then
        comes from resampling sources (2000 times), not images.
    confidence : float
        Coverage of the interval, between 0 and 1.

    Returns
    -------
    value, low, high : float
        Accuracy and the ends of its interval.

    Raises
    ------
    ValueError
        If there are no images, the shapes do not match, or there is one source only.
    """
    truth, given = _checked(labels, probabilities)
    correct = given.argmax(axis=1) == truth
    if sources is None:
        return proportion(correct, confidence=confidence)
    each, group = np.unique(np.asarray(sources), return_inverse=True)
    check(len(each) >= 2, "images of one source: an interval over sources needs two; leave out `sources`")
    counts = np.bincount(group, weights=correct), np.bincount(group)

    def ratio(hits: NDArray, sizes: NDArray, axis: int) -> NDArray:
        return hits.sum(axis) / sizes.sum(axis)

    ends = resampled(counts, ratio, confidence_level=confidence, n_resamples=2000, paired=True)
    return float(correct.mean()), *ends


def two_axes(
    labels: ArrayLike, probabilities: ArrayLike, *, confidence: float = SIGMA
) -> dict[str, tuple[float, float, float]]:
    """Return how often the FR class and the bending are correct, each question by itself.

    The four classes mix the two: a wide-angle tail is an FR I source that is bent.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        True class codes.
    probabilities : array_like of float, shape (n, classes)
        Class probabilities.
    confidence : float
        Of the intervals (Wilson's).

    Returns
    -------
    dict of str to tuple of float
        Proportion and the ends of its interval, NaN if there are no such sources. ``"FR I or II"``: of the
        sources of these two classes, how many have the larger of the two probabilities for their own.
        ``"bent or not"``: of the FR I, FR II and bent sources, for how many bent is the most probable of the
        three if, and only if, they are.

    Examples
    --------
    >>> scores = two_axes([0, 1, 2], [[0.3, 0.1, 0.6, 0], [0.6, 0.3, 0.1, 0], [0.2, 0.1, 0.7, 0]])
    >>> {name: round(score[0], 3) for name, score in scores.items()}
    {'FR I or II': 0.5, 'bent or not': 0.667}
    """
    truth, given = _checked(labels, probabilities)
    straight, extended = truth < 2, truth < 3
    fr = given[straight, :2].argmax(axis=1) == truth[straight]
    bent = (given[extended, :3].argmax(axis=1) == 2) == (truth[extended] == 2)
    pairs = {"FR I or II": fr, "bent or not": bent}
    none = np.nan, np.nan, np.nan
    return {
        name: proportion(correct, confidence=confidence) if correct.size else none
        for name, correct in pairs.items()
    }


def class_mean(labels: ArrayLike, values: ArrayLike) -> tuple[float, float, float]:
    """Return the mean over classes of the mean of values in each, and the ends of its interval.

    Of sources that are classified correctly (1) or not (0) this is the balanced accuracy, the mean recall; of
    paired differences of those, its change. Where test classes differ in size, accuracy favours a network
    that prefers the large ones; here all count alike, as they do in a balanced training set.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        Class of each independent source.
    values : array_like of float, shape (n,)
        What to average.

    Returns
    -------
    value, low, high : float
        The mean, and an interval from resampling the sources of each class (5000 times); its ends are NaN
        if a class has one source only.

    Examples
    --------
    >>> class_mean([0, 0, 0, 1, 1], [1, 1, 1, 0, 0])[0]
    0.5
    """
    check(not np.ma.is_masked(labels), "labels are masked: leave these sources out")
    codes = np.asarray(labels)
    numbers: NDArray[Any] = np.ma.filled(np.ma.asarray(values, float), np.nan)
    classes = [numbers[codes == code] for code in np.unique(codes)]

    def mean(*parts: NDArray, axis: int = -1) -> NDArray:
        return np.mean([part.mean(axis=axis) for part in parts], axis=0)

    if min(map(len, classes)) < 2:
        return float(mean(*classes)), np.nan, np.nan
    return float(mean(*classes)), *resampled(classes, mean, confidence_level=0.95, n_resamples=5000)


def mean_over_classes(labels: NDArray[np.int64], values: NDArray) -> float:
    """Return the mean over classes of the mean of values in each."""
    return float(np.mean([values[labels == code].mean() for code in np.unique(labels)]))


def resampled(
    samples: Sequence[NDArray], statistic: Callable[..., NDArray], **options: Any
) -> tuple[float, float]:
    """Return the ends of an interval from resampling (percentiles), by `scipy.stats.bootstrap`."""
    options["rng"] = options.get("rng") or np.random.default_rng(0)
    ends = scipy.stats.bootstrap(samples, statistic, method="percentile", **options).confidence_interval
    return float(ends.low), float(ends.high)


def scale_temperature(probabilities: ArrayLike, temperature: float) -> NDArray[np.float64]:
    """Return probabilities raised to the power of one over a temperature, and normalised."""
    return scipy.special.softmax(np.log(np.maximum(probabilities, 1e-7)) / temperature, axis=-1)


def temperature(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Return the temperature that makes probabilities fit labels best (Guo et al. 2017, arXiv:1706.04599).

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        Class codes of images that did not train the classifier.
    probabilities : array_like, shape (n, classes)
        What it says of them.

    Returns
    -------
    float
        Above 1 if the classifier is too sure of itself, below 1 if not sure enough.

    Examples
    --------
    Nine to one was said and three to two is correct: the temperature is ln 9 / ln 1.5.

    >>> round(temperature([0] * 6 + [1] * 4, [[0.9, 0.1]] * 10), 2)
    5.42
    """
    codes, _ = _checked(labels, probabilities)
    rows = np.arange(len(codes))

    # The cross-entropy; in the logarithm, so that twice and half a temperature are as far from one.
    def loss(logarithm: float) -> float:
        return -np.log(scale_temperature(probabilities, np.exp(logarithm))[rows, codes]).mean()

    return float(np.exp(scipy.optimize.minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))


def proportion(correct: ArrayLike, *, confidence: float = SIGMA) -> tuple[float, float, float]:
    """Return the proportion of truths among independent values, and the ends of its interval (Wilson's)."""
    truths = np.asarray(correct, bool)
    low, high = binom_conf_interval(truths.sum(), truths.size, confidence, interval="wilson")
    return float(truths.mean()), float(low), float(high)


def angle_scores(
    truth: ArrayLike, predicted: ArrayLike, baseline: ArrayLike | None = None
) -> dict[str, float]:
    """Return the errors of predicted angles with 95 % intervals.

    Parameters
    ----------
    truth, predicted : array_like of float, shape (n,)
        Angles of independent sources in degrees.
    baseline : array_like of float, shape (n,), optional
        What to compare with, such as a constant; on the same sources.

    Returns
    -------
    dict of str to float
        ``mae``, ``rmse``, ``within`` (the proportion with errors up to 10 degrees) and, with a baseline,
        ``gain`` (by how much its mean absolute error is larger), each with ``_low`` and ``_high``: by
        resampling sources, Wilson's for the proportion.

    Raises
    ------
    ValueError
        If the shapes differ or there are fewer than two sources.

    Examples
    --------
    >>> scores = angle_scores([0, 10, 60], [5, 10, 40])
    >>> round(scores["mae"], 2), round(scores["within"], 2)
    (8.33, 0.67)
    """
    values = np.asarray(truth, float)
    others = [np.asarray(each, float) for each in (predicted, baseline) if each is not None]
    shapes = [each.shape for each in others]
    fault = f"{values.shape} true angles for {shapes}: give one of each for two sources or more"
    check(values.ndim == 1 and values.size >= 2 and {values.shape} == set(shapes), fault)
    error, *reference = (np.abs(each - values) for each in others)
    quantities: dict[str, tuple[NDArray, Callable[..., NDArray]]] = {"mae": (error, np.mean)}
    quantities["rmse"] = (error**2, lambda squares, axis: np.sqrt(np.mean(squares, axis=axis)))
    if reference:
        quantities["gain"] = (reference[0] - error, np.mean)
    scores: dict[str, float] = {}
    for name, (sources, statistic) in quantities.items():
        low, high = resampled((sources,), statistic, n_resamples=2000)
        value = float(statistic(sources, axis=0))
        scores |= {name: value, f"{name}_low": low, f"{name}_high": high}
    near = proportion(error <= WITHIN, confidence=0.95)
    scores["within"], scores["within_low"], scores["within_high"] = near
    return scores


def _checked(labels: ArrayLike, probabilities: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    truth = np.ma.filled(np.ma.asarray(labels, np.int64), UNLABELLED)
    given = np.ma.filled(np.ma.asarray(probabilities, np.float64), np.nan)
    fault = f"labels {truth.shape} and probabilities {given.shape}: give shapes (n,) and (n, classes)"
    check(truth.ndim == 1 and given.ndim == 2 and len(truth) == len(given) and len(truth), fault)
    unknown = int((~np.isfinite(given)).any(axis=1).sum())
    check(not unknown, f"probabilities of {unknown} images are not finite: leave these images out")
    low, high, last = truth.min(), truth.max(), given.shape[1] - 1
    check(low >= 0 and high <= last, f"labels run from {low} to {high}: allowed are 0 to {last}")
    return truth, given
