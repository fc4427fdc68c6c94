"""Measure classifiers, and how real synthetic images look, with intervals.

Classifiers: confusion matrices, recall, precision and accuracy. Synthetic images: distances in the features
of our own classifier (not of the Inception network, so numbers compare with each other only as long as
the classifier is the same), memorisation, and what an astronomer would measure of a source.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from astropy.stats import binom_conf_interval
from astropy.table import Table
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar
from scipy.spatial.distance import pdist, squareform
from scipy.special import softmax
from scipy.stats import bootstrap, ks_2samp

from .geometric import FIELD
from .sample import Sample
from .selection import largest_extent
from .taxonomy import CLASS_NAMES

if TYPE_CHECKING:
    import keras

__all__ = [
    "accuracy",
    "angle_scores",
    "class_mean",
    "class_scores",
    "confusion_matrix",
    "features",
    "frechet_distance",
    "kernel_distance",
    "nearest_neighbour",
    "realism",
    "source_properties",
    "temper",
    "temperature",
    "two_sample_accuracy",
]

Measure = Callable[[NDArray, NDArray], float]

SIGMA = 0.6827
"""Share of a normal distribution within one standard deviation."""

THRESHOLD = 0.05
"""Pixels fainter than this share of the peak do not count as part of the source."""

SEPARATION = 10.8
"""Least distance of two components in arcseconds: two beams of FIRST."""


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
        If there are no images, the shapes do not match, or there is one source only.
    """
    truth, shares = _checked(labels, probabilities)
    right = shares.argmax(axis=1) == truth
    if sources is None:
        return share(right, confidence=confidence)
    each, group = np.unique(np.asarray(sources), return_inverse=True)
    if len(each) < 2:
        msg = "images of one source: an interval over sources needs two at least; leave out `sources`"
        raise ValueError(msg)
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


def class_mean(
    labels: ArrayLike, values: ArrayLike, *, confidence: float = 0.95
) -> tuple[float, float, float]:
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
    confidence : float, default 0.95
        Coverage of the interval, between 0 and 1.

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
    codes, numbers = np.asarray(labels), np.asarray(values, float)
    classes = [numbers[codes == code] for code in np.unique(codes)]

    def mean(*parts: NDArray, axis: int = -1) -> NDArray:
        return np.mean([part.mean(axis=axis) for part in parts], axis=0)

    if min(map(len, classes)) < 2:
        return float(mean(*classes)), np.nan, np.nan
    interval = bootstrap(
        classes,
        mean,
        n_resamples=5000,
        confidence_level=confidence,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return float(mean(*classes)), float(interval.low), float(interval.high)


def temper(probabilities: ArrayLike, temperature: float) -> NDArray[np.float64]:
    """Return probabilities raised to the power of one over a temperature, and normalised."""
    return softmax(np.log(np.maximum(probabilities, 1e-7)) / temperature, axis=-1)


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
    Nine to one was said and three to two is right: the temperature is ln 9 / ln 1.5.

    >>> round(temperature([0] * 6 + [1] * 4, [[0.9, 0.1]] * 10), 2)
    5.42
    """
    rows, codes = np.arange(len(np.asarray(labels))), np.asarray(labels)

    def loss(logarithm: float) -> float:
        return -np.log(temper(probabilities, np.exp(logarithm))[rows, codes]).mean()

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))


def share(right: ArrayLike, *, confidence: float = SIGMA) -> tuple[float, float, float]:
    """Return the share of truths among independent values, and the ends of its interval (Wilson's)."""
    truths = np.asarray(right, bool)
    low, high = binom_conf_interval(truths.sum(), truths.size, confidence, interval="wilson")
    return float(truths.mean()), float(low), float(high)


def angle_scores(
    truth: ArrayLike, predicted: ArrayLike, guess: ArrayLike | None = None, *, within: float = 10.0
) -> dict[str, float]:
    """Return the errors of predicted angles with 95 % intervals.

    Parameters
    ----------
    truth, predicted : array_like of float, shape (n,)
        Angles of independent sources in degrees.
    guess : array_like of float, shape (n,), optional
        What to compare with, such as a constant; on the same sources.
    within : float
        Error in degrees up to which a prediction counts as good.

    Returns
    -------
    dict of str to float
        ``mae``, ``rmse``, ``within`` (a share) and, with a guess, ``gain`` (by how much its mean absolute
        error is larger), each with ``_low`` and ``_high``: by resampling sources, Wilson's for the share.

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
    others = [np.asarray(each, float) for each in (predicted, guess) if each is not None]
    if values.ndim != 1 or values.size < 2 or any(each.shape != values.shape for each in others):
        shapes = [each.shape for each in others]
        msg = f"{values.shape} true angles for {shapes}: give one of each for two sources or more"
        raise ValueError(msg)
    error, *reference = (np.abs(each - values) for each in others)
    quantities: dict[str, tuple[NDArray, Callable[..., NDArray]]] = {
        "mae": (error, np.mean),
        "rmse": (error**2, lambda squares, axis: np.sqrt(np.mean(squares, axis=axis))),
    }
    if reference:
        quantities["gain"] = (reference[0] - error, np.mean)
    scores: dict[str, float] = {}
    for name, (sources, statistic) in quantities.items():
        low, high = bootstrap(
            (sources,), statistic, n_resamples=2000, method="percentile", rng=np.random.default_rng(0)
        ).confidence_interval
        scores |= {
            name: float(statistic(sources, axis=0)),
            f"{name}_low": float(low),
            f"{name}_high": float(high),
        }
    scores["within"], scores["within_low"], scores["within_high"] = share(error <= within, confidence=0.95)
    return scores


def _checked(labels: ArrayLike, probabilities: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    truth, shares = np.asarray(labels, np.int64), np.asarray(probabilities, np.float64)
    if truth.ndim != 1 or shares.ndim != 2 or len(truth) != len(shares) or len(truth) == 0:
        msg = f"labels {truth.shape} and probabilities {shares.shape}: give shapes (n,) and (n, classes)"
        raise ValueError(msg)
    if truth.min() < 0 or truth.max() >= shares.shape[1]:
        msg = f"labels run from {truth.min()} to {truth.max()}: allowed are 0 to {shares.shape[1] - 1}"
        raise ValueError(msg)
    return truth, shares


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

    from .classifier import predict

    return predict(keras.Model(model.inputs[0], model.get_layer("dense").output), images)


def frechet_distance(a: ArrayLike, b: ArrayLike) -> float:
    """Return the squared Fréchet distance of two samples, each taken for a Gaussian.

    With features of the Inception network it is the FID (Heusel et al. 2017). It is zero for identical
    sets and, because few images do not determine a covariance, far above zero for two sets of one kind (about
    100 for 200 images each of 194 normal features, 10 for 2000): use it with many more images than features,
    and `kernel_distance` otherwise.

    Parameters
    ----------
    a, b : array_like, shape (n, features)
        At least two rows each, with as many features.

    Returns
    -------
    float
        Distance of the means squared, plus that of the covariances.

    Examples
    --------
    >>> round(frechet_distance([[0.0], [1.0]], [[3.0], [4.0]]), 6)
    9.0
    """
    a, b = _two_sets(a, b)
    # With roots of the covariances, A'A and B'B, the trace of (A'A B'B)^(1/2) is the sum of the singular
    # values of AB': no root of a singular matrix, which the covariance of few images always is.
    roots = [np.linalg.qr(x - x.mean(axis=0), mode="r") / np.sqrt(len(x) - 1) for x in (a, b)]
    overlap = np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum()
    shift = ((a.mean(axis=0) - b.mean(axis=0)) ** 2).sum()
    return float(max(0.0, shift + (roots[0] ** 2).sum() + (roots[1] ** 2).sum() - 2 * overlap))


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
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    a, b = _two_sets(a, b, at_least=5)
    judge = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, solver="liblinear"))
    folds = StratifiedKFold(5, shuffle=True, random_state=int(rng.integers(2**32)))
    origin = np.repeat([0, 1], [len(a), len(b)])
    right = cross_val_predict(judge, np.concatenate([a, b]), origin, cv=folds) == origin
    return float(right[origin == 0].mean() + right[origin == 1].mean()) / 2


def nearest_neighbour(images: ArrayLike, training: ArrayLike | None = None) -> NDArray[np.float64]:
    """Return how far each image is from the training image that is most like it, turned and flipped.

    Copies of training images are at distance 0. Whether others are close is seen beside the distances
    of training images from each other.

    Parameters
    ----------
    images : array_like, shape (n, size, size)
        Images to look for, each in its eight right-angled turns and flips.
    training : array_like, shape (m, size, size), optional
        Where to look; without it, among the other `images`.

    Returns
    -------
    ndarray of float64, shape (n,)
        Root mean square difference of the pixels.
    """
    from sklearn.metrics.pairwise import euclidean_distances

    alone = training is None
    sought = np.asarray(images, np.float64)
    there = sought if training is None else np.asarray(training, np.float64)
    if sought.ndim != 3 or sought.shape[1] != sought.shape[2] or sought.shape[1:] != there.shape[1:]:
        msg = f"images {sought.shape} and {there.shape}: give two sets of shape (n, size, size), of one size"
        raise ValueError(msg)
    if len(sought) == 0 or len(there) < 1 + alone:
        msg = (
            f"{len(sought)} images and {len(there)} to compare with: give one, or two without a training set"
        )
        raise ValueError(msg)
    best = np.full(len(sought), np.inf)
    for turned in (np.rot90(sought, k, axes=(1, 2))[:, ::flip] for k in range(4) for flip in (1, -1)):
        distance = euclidean_distances(turned.reshape(len(sought), -1), there.reshape(len(there), -1))
        if alone:  # an image that is like itself when turned has not been copied
            np.fill_diagonal(distance, np.inf)
        best = np.minimum(best, distance.min(axis=1))
    return best / sought.shape[1]


def source_properties(images: ArrayLike, *, pixel_scale: float) -> Table:
    """Measure sources as an astronomer would, on the pixels above 5 % of the peak of each image.

    Parameters
    ----------
    images : array_like, shape (n, size, size)
        Images in any units; the faintest pixel of each counts as empty sky.
    pixel_scale : float
        Arcseconds per pixel.

    Returns
    -------
    ~astropy.table.Table
        One row per image, NaN where the image is blank:

        ``concentration``: share of the flux that is brighter than half the peak.
        ``angular_size``: largest extent in arcseconds.
        ``axis_ratio``: short over long axis, from the second moments of the flux.
        ``components``: number of peaks at least 10.8 arcsec (two beams) from any brighter one; 0 if blank.
        ``bending_angle``: by how many degrees the way from one end over the middle to the other turns;
        0 is straight, and beyond 120 it comes out far too small. NaN with fewer than two components,
        or nothing between them.

    Raises
    ------
    ValueError
        If the images have another shape, are not finite, or the pixel scale is not positive.

    Examples
    --------
    >>> y, x = np.mgrid[:41, :41] - 20
    >>> table = source_properties([np.exp(-(x**2 / 32 + y**2 / 8))], pixel_scale=1)
    >>> round(float(table["axis_ratio"][0]), 2)
    0.5
    """
    pixels = np.asarray(images, np.float64)
    if pixels.ndim != 3 or not pixel_scale > 0 or not np.isfinite(pixels).all():
        msg = (
            f"images {pixels.shape} at {pixel_scale} arcsec per pixel: give finite images of shape "
            "(n, size, size) and a positive pixel scale"
        )
        raise ValueError(msg)
    names = ("concentration", "angular_size", "axis_ratio", "components", "bending_angle")
    rows = [_measure_source(image - image.min(), pixel_scale) for image in pixels]
    table = Table(np.reshape(rows, (-1, len(names))), names=names)
    table["components"] = table["components"].astype(int)
    table["angular_size"].unit, table["bending_angle"].unit = "arcsec", "deg"
    return table


def realism(
    real: Sample,
    fake: Sample,
    model: keras.Model,
    *,
    training: Sample,
    pixel_scale: float | None = None,
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
    pixel_scale : float, optional
        Arcseconds per pixel; without it, images span the report's 4.5 arcmin.
    draws : int
        Random halves of the real images to measure with; see the notes.
    rng : numpy.random.Generator
        Source of the draws.

    Returns
    -------
    ~astropy.table.Table
        One row per class and measure: ``class``, ``measure``, ``value``, ``low``, ``high`` (one standard
        deviation) and ``reference``, the same measure between real images. Measures are
        `kernel_distance` and `two_sample_accuracy` of `features`, the median of `nearest_neighbour` among
        the training images (its reference is that of `real`), and the largest difference of the cumulative
        distributions (Kolmogorov and Smirnov's) of each of `source_properties`.

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

    A generator that copies its training images draws real images: it reaches the reference in all measures
    but the nearest neighbour, which alone shows it. The kernel distance is unbiased for any number of images,
    and its reference is zero but for chance. `frechet_distance` is not measured here, as there are fewer
    sources of a class than features. The other measures depend on the number of images: for sets that are
    alike, the difference of distributions is larger where they are small, and two samples are told apart
    less well. Compare such values only with others of as many images.
    """
    scale = FIELD / real.size if pixel_scale is None else pixel_scale
    measures: dict[str, Measure] = {
        "kernel distance": kernel_distance,
        "two-sample accuracy": lambda a, b: two_sample_accuracy(a, b, rng=rng),
    }
    rows: list[tuple[str, str, float, float, float, float]] = []
    for name in (name for name, n in fake.counts().items() if n):
        true, made, taught = (sample.of_class(name) for sample in (real, fake, training))
        if len(true) < 10 or len(made) < 5 or len(taught) < 1:
            msg = (
                f"{len(true)} real, {len(made)} synthetic and {len(taught)} training images of {name}: "
                "give 10, 5 and 1 at least"
            )
            raise ValueError(msg)
        seen = features(model, true.images), features(model, made.images)
        rows += [(name, label, *_compare(f, *seen, draws=draws, rng=rng)) for label, f in measures.items()]
        near = nearest_neighbour(made.images, taught.images)
        spread = bootstrap((near,), np.median, confidence_level=SIGMA, method="percentile", rng=rng)
        low, high = spread.confidence_interval
        reference = float(np.median(nearest_neighbour(true.images, taught.images)))
        rows.append((name, "nearest neighbour", float(np.median(near)), float(low), float(high), reference))
        physics = [source_properties(sample.images, pixel_scale=scale) for sample in (true, made)]
        for column in physics[0].colnames:
            known = [np.asarray(table[column])[np.isfinite(table[column])] for table in physics]
            few = min(len(known[0]) // 2, len(known[1])) < 5
            result = (np.nan,) * 4 if few else _compare(_largest_gap, *known, draws=draws, rng=rng)
            rows.append((name, column.replace("_", " "), *result))
    return Table(rows=rows, names=("class", "measure", "value", "low", "high", "reference"))


def _compare(
    measure: Measure, real: NDArray, fake: NDArray, *, draws: int, rng: np.random.Generator
) -> tuple[float, float, float, float]:
    """Return value, low, high and reference of a measure from random halves, as told in `realism`."""
    n = min(len(real) // 2, len(fake))
    results = []
    for _ in range(draws):
        first, second = np.split(real[rng.permutation(len(real))[: 2 * n]], 2)
        drawn = fake[rng.permutation(len(fake))[:n]]
        results.append((measure(first, drawn), measure(first, second)))
    values, references = np.transpose(results)
    low, value, high = np.quantile(values, [(1 - SIGMA) / 2, 0.5, (1 + SIGMA) / 2])
    return float(value), float(low), float(high), float(np.median(references))


def _two_sets(
    a: ArrayLike, b: ArrayLike, at_least: int = 2
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        msg = f"features {first.shape} and {second.shape}: give shapes (n, features), from one network"
        raise ValueError(msg)
    if min(len(first), len(second)) < at_least:
        msg = f"{len(first)} and {len(second)} images are too few: give {at_least} of each at least"
        raise ValueError(msg)
    return first, second


def _largest_gap(a: NDArray, b: NDArray) -> float:
    return float(ks_2samp(a, b, method="asymp").statistic)


def _measure_source(flux: NDArray[np.float64], pixel_scale: float) -> tuple[float, ...]:
    """Return the columns of `source_properties` for one image of flux above the sky."""
    from skimage.feature import peak_local_max

    peak = flux.max()
    if peak == 0:
        return np.nan, np.nan, np.nan, 0, np.nan
    where, weights = np.argwhere(flux > THRESHOLD * peak), flux[flux > THRESHOLD * peak]
    # A pixel is one pixel wide: its centre alone would have no moments.
    moments = np.linalg.eigvalsh(np.cov(where.T, aweights=weights, ddof=0) + np.eye(2) / 12)
    apart = max(1, round(SEPARATION / pixel_scale))
    peaks = peak_local_max(flux, min_distance=apart, threshold_rel=THRESHOLD, exclude_border=False)
    return (
        weights[weights > peak / 2].sum() / weights.sum(),
        largest_extent(where) * pixel_scale,
        np.sqrt(moments[0] / moments[1]),
        len(peaks),
        _bending(peaks, flux[tuple(peaks.T)], where, weights),
    )


def _bending(peaks: NDArray, heights: NDArray, where: NDArray, weights: NDArray) -> float:
    """Return the bending angle of a source in degrees; NaN if it has no two ends and a middle."""
    if len(peaks) < 2:
        return np.nan
    # The ends are two peaks far apart and bright, the fainter of them counting, so that a bright core is no
    # end unless the source is bent by more than 120 degrees. The middle is the middle fifth of the way.
    pair = np.minimum.outer(heights, heights) * squareform(pdist(peaks)) ** 2
    one, other = peaks[list(np.unravel_index(pair.argmax(), pair.shape))].astype(float)
    way = other - one
    middle = np.abs((where - one) @ way / (way @ way) - 0.5) < 0.1
    if not middle.any():
        return np.nan
    # Squared flux, as the bend lies at the core, not in the faint glow between the arms.
    bend = np.average(where[middle], axis=0, weights=weights[middle] ** 2)
    ahead, turned = bend - one, other - bend
    return float(np.degrees(abs(np.arctan2(ahead[0] * turned[1] - ahead[1] * turned[0], ahead @ turned))))
