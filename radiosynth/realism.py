"""How alike two sets of images are.

Distances are measured in the features of our own classifier, not of the Inception network: numbers compare
with each other only as long as the classifier is the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import scipy
from astropy.table import Table
from numpy.typing import ArrayLike, NDArray

from radiosynth._io import check
from radiosynth.measurements import measure
from radiosynth.metrics import SIGMA, resampled
from radiosynth.sample import Sample
from radiosynth.surveys import FIRST

if TYPE_CHECKING:
    import keras

PROPERTIES = ("concentration", "angular_size", "axis_ratio", "components", "bending_angle")
"""Columns of `radiosynth.measurements.measure` whose distributions are compared."""


Statistic = Callable[[NDArray, NDArray], float]


def features(model: keras.Model, images: ArrayLike) -> NDArray[np.float32]:
    """Return what the classifier's dense layer answers to images: their radio features.

    Parameters
    ----------
    model : keras.Model
        A classifier of `radiosynth.build_classifier`, trained.
    images : array_like of float32, shape (n, size, size)
        Images in [-1, 1].

    Returns
    -------
    ndarray of float32, shape (n, features)
        Activations, 0 or more; 194 of them in the report's network.
    """
    import keras

    from radiosynth.classification import predict

    return predict(keras.Model(model.inputs[0], model.get_layer("dense").output), images)


def kernel_distance(a: ArrayLike, b: ArrayLike) -> float:
    """Return the squared maximum mean discrepancy of two samples with a cubic kernel, unbiased.

    With features of the Inception network it is the KID (Bińkowski et al. 2018). Its mean is zero for two
    sets of one kind, however few; it can then be negative.

    Parameters
    ----------
    a, b : array_like, shape (n, features)
        At least two rows each, with as many features.

    Returns
    -------
    float
        The discrepancy.
    """
    from sklearn.metrics.pairwise import polynomial_kernel

    # Unbiased: no image is compared with itself.
    a, b = _two_sets(a, b)
    within = 0.0
    for x in (a, b):
        kernel = polynomial_kernel(x, degree=3)
        within += (kernel.sum() - np.trace(kernel)) / (len(x) * (len(x) - 1))
    return float(within - 2 * polynomial_kernel(a, b, degree=3).mean())


def two_sample_accuracy(a: ArrayLike, b: ArrayLike, *, rng: np.random.Generator) -> float:
    """Return how often a fresh classifier tells two samples apart (Lopez-Paz & Oquab 2017).

    A logistic regression is trained on four fifths of the rows and asked about the last, five times.

    Parameters
    ----------
    a, b : array_like, shape (n, features)
        At least five rows each, none of them twice: a copy in another fifth would be told apart by heart.
    rng : numpy.random.Generator
        For the division into fifths.

    Returns
    -------
    float
        Mean of the two recalls: 0.5 for sets that cannot be told apart, 1 for sets that always can.
    """
    from sklearn import config_context
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.model_selection import StratifiedKFold

    # A weak judge, strongly regularised: there are more features than images.
    a, b = _two_sets(a, b, at_least=5)
    judge = LogisticRegression(C=0.1, solver="liblinear")
    folds = StratifiedKFold(5, shuffle=True, random_state=int(rng.integers(2**32)))
    both, origin = np.concatenate([a, b]), np.repeat([0, 1], [len(a), len(b)])
    judged = np.empty_like(origin)
    # Without checks, which take longer than so small a fit.
    with config_context(skip_parameter_validation=True, assume_finite=True):
        for taught, asked in folds.split(both, origin):
            spread = both[taught].std(axis=0)
            scaled = (both - both[taught].mean(axis=0)) / np.where(spread > 0, spread, 1)
            judged[asked] = judge.fit(scaled[taught], origin[taught]).predict(scaled[asked])
    return float(balanced_accuracy_score(origin, judged))


def nearest_neighbour(images: ArrayLike, training: ArrayLike) -> NDArray[np.float64]:
    """Return how far each image is from the training image that is most like it, rotated and flipped.

    Copies of training images are at distance 0. Whether others are close is seen beside the distances of real
    images that nobody trained on.

    Parameters
    ----------
    images : array_like, shape (n, size, size)
        Images to look for, each in its eight rotations by right angles and flips.
    training : array_like, shape (m, size, size)
        Where to look.

    Returns
    -------
    ndarray of float64, shape (n,)
        Root mean square difference of the pixels.
    """
    from sklearn.metrics.pairwise import euclidean_distances

    sought, there = np.asarray(images, np.float64), np.asarray(training, np.float64)
    square = sought.ndim == 3 and sought.shape[1] == sought.shape[2]
    fault = f"images {sought.shape} and {there.shape}: give some of shape (n, size, size), of one size"
    check(square and sought.shape[1:] == there.shape[1:] and len(sought) and len(there), fault)
    best = np.full(len(sought), np.inf)
    for rotated in (np.rot90(sought, k, axes=(1, 2))[:, ::flip] for k in range(4) for flip in (1, -1)):
        distance = euclidean_distances(rotated.reshape(len(sought), -1), there.reshape(len(there), -1))
        best = np.minimum(best, distance.min(axis=1))
    return best / sought.shape[1]


def realism(
    real: Sample,
    fake: Sample,
    model: keras.Model,
    *,
    training: Sample,
    draws: int = 20,
    rng: np.random.Generator,
) -> Table:
    """Measure, class by class, how far synthetic images are from real ones.

    Parameters
    ----------
    real : Sample
        Real sources that neither the generator nor `model` was trained on, before augmentation: rotated
        images are no further sources.
    fake : Sample
        Synthetic images, best as many of each class.
    model : keras.Model
        Classifier whose features are compared.
    training : Sample
        Real sources that the generator was trained on, before augmentation.
    draws : int
        Random halves of the real images to measure with; see the notes.
    rng : numpy.random.Generator
        Source of the draws.

    Returns
    -------
    ~astropy.table.Table
        One row per class and measurement: ``class``, ``measure``, ``value``, ``low``, ``high`` (one standard
        deviation) and ``reference``, the same between real images. Measured are `kernel_distance` and
        `two_sample_accuracy` of `features`, the median of `nearest_neighbour` among the training images (its
        reference is that of `real`), and the largest difference of the cumulative distributions (Kolmogorov
        and Smirnov's) of each of ``PROPERTIES``.

    Raises
    ------
    ValueError
        If a class of the synthetic sample has fewer than ten real, five synthetic or no training images.

    Notes
    -----
    In each draw one half of the real images is compared with as many synthetic ones and, for the reference,
    with the other half; value and reference are medians. Halves drawn without replacement spread as the
    estimate from all images does, and hold no image twice, as a bootstrap would. Nearest neighbours are
    looked for among all training images, and bootstrapped.

    A generator that copies its training images draws real images: it reaches the reference in all
    but the nearest neighbour, which alone shows it. The kernel distance is unbiased for any number of images,
    and its reference is zero but for chance. The distance of Fréchet would need more sources
    of a class than there are features. The others depend on the number of images: for sets that are
    alike, the difference of distributions is larger where they are small, and two samples are told apart
    less well. Compare such values only with others of as many images.
    """
    scale = FIRST.scale(real.size)
    distances: dict[str, Statistic] = {"kernel distance": kernel_distance}
    distances["two-sample accuracy"] = lambda a, b: two_sample_accuracy(a, b, rng=rng)
    rows = []
    for name in (name for name, n in fake.counts().items() if n):
        true, made, taught = (sample.of_class(name) for sample in (real, fake, training))
        fault = f"{len(true)} real, {len(made)} synthetic and {len(taught)} training images of {name}"
        enough = len(true) >= 10 and len(made) >= 5 and len(taught) >= 1
        check(enough, f"{fault}: give 10, 5 and 1 at least")
        seen = features(model, true.images), features(model, made.images)
        rows += [(name, label, *_compare(f, *seen, draws=draws, rng=rng)) for label, f in distances.items()]
        near = nearest_neighbour(made.images, taught.images)
        ends = resampled((near,), np.median, rng=rng, confidence_level=SIGMA)
        reference = np.median(nearest_neighbour(true.images, taught.images))
        rows.append((name, "nearest neighbour", np.median(near), *ends, reference))
        measured = [measure(sample.images, pixel_scale=scale) for sample in (true, made)]
        for column in PROPERTIES:
            known = [table[column].value[np.isfinite(table[column])] for table in measured]
            few = min(len(known[0]) // 2, len(known[1])) < 5
            result = (np.nan,) * 4 if few else _compare(_largest_gap, *known, draws=draws, rng=rng)
            rows.append((name, column.replace("_", " "), *result))
    return Table(rows=rows, names=("class", "measure", "value", "low", "high", "reference"))


def _compare(
    statistic: Statistic, real: NDArray, fake: NDArray, *, draws: int, rng: np.random.Generator
) -> tuple[float, float, float, float]:
    """Return value, low, high and reference of a statistic from random halves, as `realism` explains."""
    n = min(len(real) // 2, len(fake))
    results = []
    for _ in range(draws):
        first, second = np.split(real[rng.permutation(len(real))[: 2 * n]], 2)
        drawn = fake[rng.permutation(len(fake))[:n]]
        results.append((statistic(first, drawn), statistic(first, second)))
    values, references = np.transpose(results)
    low, value, high = np.quantile(values, [(1 - SIGMA) / 2, 0.5, (1 + SIGMA) / 2])
    return float(value), float(low), float(high), float(np.median(references))


def _two_sets(a: ArrayLike, b: ArrayLike, at_least: int = 2) -> tuple[NDArray, NDArray]:
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    fault = f"features {first.shape} and {second.shape}: give shapes (n, features), from one network"
    check(first.ndim == 2 and second.ndim == 2 and first.shape[1] == second.shape[1], fault)
    fault = f"{len(first)} and {len(second)} images are too few: give {at_least} of each at least"
    check(min(len(first), len(second)) >= at_least, fault)
    return first, second


def _largest_gap(a: NDArray, b: NDArray) -> float:
    return float(scipy.stats.ks_2samp(a, b, method="asymp").statistic)
