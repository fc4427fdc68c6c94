"""From cutouts to training images: noise threshold, crop, resize, scale, split, rotate and flip.

The first half works on arrays of images, the second on a `radiosynth.Sample`. The steps are those of the
report (section on pre-processing and augmentation); images keep their order and are float32 throughout.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from ._io import refuse_beyond_memory
from .sample import Sample, check_count, check_rng
from .taxonomy import CLASS_NAMES, UNLABELLED, class_code

__all__ = [
    "augment",
    "augmentation_plan",
    "augmented_batches",
    "center_crop",
    "measure_noise",
    "missing_pixels",
    "noise_threshold",
    "preprocess",
    "resize",
    "rotate_flip",
    "scale",
    "split",
    "stratified_folds",
    "vary",
]

log = logging.getLogger("radiosynth")

CHUNK_PIXELS = 2**22
"""Pixels worked on at a time, so that temporary arrays stay near 30 MB whatever the number of images."""

GREY_LEVELS = 255
"""Steps between background and peak of the published images."""

MISSING_LIMIT = 0.3
"""Largest share of the central field without data in an image that can be used."""

_CONSTANT = "one value in all pixels (no source above the noise)"
_SPOILT = (
    f"missing data (NaN or zeros) that touch the source or are over {MISSING_LIMIT:.0%} of the part used"
)
_AROUND = np.ones((3, 3))

SPLIT_ATTEMPTS = 100
"""Random orders tried before a split is declared impossible."""


def missing_pixels(images: ArrayLike) -> NDArray[np.bool_]:
    """Return which pixels hold no data: those that are not finite, and exact zeros over part of a frame.

    Servers and mosaics fill what lies outside a survey with NaN or with zeros. The sky of a thresholded image
    is also exactly zero, but nothing in such an image is negative, and zeros are most of it. So zeros that
    fill a block of at least 3×3 pixels, with those beside it, are missing data where the image has
    noise around zero, that is negative pixels, or where they are less than half of the image and the rest is
    noise about a level of at least five times its rms.

    Parameters
    ----------
    images : array_like, shape (n, height, width)
        Images in any unit.

    Returns
    -------
    ndarray of bool, shape (n, height, width)
        Where there are no data.
    """
    stack = _stack(images)
    missing = ~np.isfinite(stack)
    for image, gone in zip(stack, missing, strict=True):
        zero = image == 0
        if not zero.any() or not _noisy_beside(image[~(zero | gone)], zero.mean()):
            continue
        gone |= ndimage.binary_propagation(ndimage.binary_opening(zero, _AROUND), mask=zero)
    return missing


def _noisy_beside(rest: NDArray[np.float32], zeros: float) -> bool:
    """Return whether pixels beside a share of zeros are those of a frame with noise."""
    if not rest.size or rest.min() < 0:
        return bool(rest.size)
    level, noise = _clipped(rest) if zeros < 0.5 else (0.0, 0.0)
    return 0 < 5 * noise < level


def measure_noise(
    images: ArrayLike, missing: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the level of the sky and the noise of each image.

    They are the median and the standard deviation after sigma clipping (3 sigma, iterated until nothing more
    is clipped), so that the source itself does not count as noise. Missing pixels are left out.

    Parameters
    ----------
    images : array_like, shape (n, height, width)
        Images in any unit.
    missing : ndarray of bool, shape (n, height, width), optional
        Which pixels hold no data; those of `missing_pixels` by default.

    Returns
    -------
    level, noise : ndarray of float, shape (n,)
        In the unit of the images. The noise is 0 where the sky was set to one value; both are NaN where no
        pixel holds data.
    """
    stack = _stack(images)
    if missing is None:
        missing = missing_pixels(stack)
    pairs = [_clipped(image[~gone]) for image, gone in zip(stack, missing, strict=True)]
    level, noise = np.array(pairs).reshape(-1, 2).T
    return level, noise


def _clipped(pixels: NDArray[np.float32]) -> tuple[float, float]:
    """Return what `astropy.stats.sigma_clipped_stats` does, five times as fast, as pixels are sorted once."""
    if not pixels.size:
        return np.nan, np.nan
    values = np.sort(pixels, axis=None).astype(float)
    middle = values[len(values) // 2]
    values -= middle  # so that no unit, and no offset, is too small or too large for the squares
    sums, squares = (np.concatenate([[0], np.cumsum(values**power)]) for power in (1, 2))
    low, high, before = 0, len(values), None
    while before != (low, high):
        before, n = (low, high), high - low
        median = values[[low + (n - 1) // 2, low + n // 2]].mean()
        mean = (sums[high] - sums[low]) / n
        std = np.sqrt(max((squares[high] - squares[low]) / n - mean**2, 0))
        low = max(low, int(np.searchsorted(values, median - 3 * std, "left")))
        high = min(high, int(np.searchsorted(values, median + 3 * std, "right")))
    return middle + median, std


def noise_threshold(
    images: ArrayLike, n_sigma: float = 3.0, *, fill: Literal["threshold", "zero"] = "threshold"
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Set the pixels of each image that do not stand out of its noise to the threshold.

    This is how the published images were made, and so what any image needs that a network trained on them
    is to see. A published pixel is (S - 3 sigma) / (peak - 3 sigma), in 255 grey levels and rounded down:
    what is less than one grey level above three sigma is background too.

    Missing pixels become background. An image whose background is constant, as it was thresholded before,
    has no noise left and comes back unchanged.

    Parameters
    ----------
    images : array_like, shape (n, height, width)
        Images in any unit.
    n_sigma : float
        Height of the threshold above the level of the sky in units of the noise (`measure_noise`).
    fill : {"threshold", "zero"}
        What replaces the pixels below the threshold: the threshold, or zero, as the report's text says,
        which leaves a step of `n_sigma` around the source. A threshold below zero always replaces
        them, as zero would outshine the source. With zero, no grey level is added to the threshold.

    Returns
    -------
    thresholded : ndarray of float32, shape (n, height, width)
        A copy of the images, thresholded.
    thresholds : ndarray of float32, shape (n,)
        Level + `n_sigma` × noise of each image, and a 255th of what its peak is above that, in the unit of
        the images.

    Raises
    ------
    ValueError
        If an image holds no data at all, or `fill` is unknown.

    Notes
    -----
    Chosen by 45 raw FIRST files whose published images are in `load_first_dataset`
    (``benchmarks/raw_agreement.py``). Their numbers of pixels above the background say what was done: for
    peaks below 100 sigma the threshold was 2.97 sigma (median). The default classifier gives file and
    image one class in 44 of 45 cases (0.98; 95 % interval 0.88 to 1.00), in 43 without the grey level, and in
    37 with zeros. Absolute deviations instead of clipping, or the noise of the file instead of that of its
    centre, change nothing; 2.5 and 3.5 sigma give 42 to 44.

    Examples
    --------
    >>> images = np.random.default_rng(0).normal(0, 0.15, (2, 64, 64))
    >>> images[:, 32, 32] = 5
    >>> clean, thresholds = noise_threshold(images)
    >>> sky = clean == thresholds[:, None, None]
    >>> clean[:, 32, 32].tolist(), bool(sky.mean() > 0.99), bool(thresholds[0] > 0.4)
    ([5.0, 5.0], True, True)
    """
    if fill not in ("zero", "threshold"):
        msg = f'fill is {fill!r}; it can be "threshold" (as published images) or "zero" (the report\'s text)'
        raise ValueError(msg)
    stack = _stack(images)
    missing = missing_pixels(stack)
    _refuse(missing.all(axis=(1, 2)), None, "no pixel with data", "leave them out")
    return _thresholded(stack, missing, n_sigma, fill)[:2]


def _thresholded(
    stack: NDArray[np.float32], missing: NDArray[np.bool_], n_sigma: float, fill: str
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float64]]:
    """Return thresholded images, the threshold and the noise of each; all 0 where there are no data."""
    level, noise = np.nan_to_num(measure_noise(stack, missing))
    limit = level + n_sigma * noise
    if fill == "threshold":
        peak = stack.max(axis=(1, 2), initial=-np.inf, where=~missing)
        limit += np.where(noise > 0, np.maximum(peak - limit, 0) / GREY_LEVELS, 0)
    limits = limit.astype(np.float32)[:, None, None]
    blank = limits if fill == "threshold" else np.minimum(limits, 0)
    return np.where(~missing & (stack >= limits), stack, blank), limits[:, 0, 0], noise


def center_crop(images: ArrayLike, size: int) -> NDArray[np.float32]:
    """Cut the central square out of each image.

    Where the margin is odd, the square lies half a pixel towards row and column 0.

    Parameters
    ----------
    images : array_like, shape (n, height, width)
        Images, square or not.
    size : int
        Edge length to keep, in pixels; at most that of the images.

    Returns
    -------
    ndarray of float32, shape (n, size, size)
        The centres; a view where the images are float32 already.

    Raises
    ------
    ValueError
        If `size` is larger than the images or not positive.

    Examples
    --------
    >>> center_crop(np.arange(16).reshape(1, 4, 4), 2).tolist()
    [[[5.0, 6.0], [9.0, 10.0]]]
    """
    stack = _stack(images)
    height, width = stack.shape[1:]
    if not 1 <= size <= min(height, width):
        msg = f"cannot crop {height}×{width} images to {size}: the size can be 1 to {min(height, width)}"
        raise ValueError(msg)
    row, column = (height - size) // 2, (width - size) // 2
    return stack[:, row : row + size, column : column + size]


def resize(images: ArrayLike, size: int) -> NDArray[np.float32]:
    """Resample images to another size, bilinearly and with antialiasing when they shrink.

    Parameters
    ----------
    images : array_like, shape (n, old, old)
        Square images.
    size : int
        New edge length in pixels, smaller or larger.

    Returns
    -------
    ndarray of float32, shape (n, size, size)
        What `skimage.transform.resize` makes of each image.

    Raises
    ------
    ValueError
        If the images are not square or `size` is not positive.

    Examples
    --------
    >>> resize(np.ones((5, 150, 150)), 56).shape
    (5, 56, 56)
    """
    from skimage.transform import resize as resize_volume

    stack = _stack(images)
    if stack.shape[1] != stack.shape[2] or size < 1:
        msg = (
            f"cannot resize {stack.shape[1]}×{stack.shape[2]} images to {size}: the images must be square "
            "(crop them with radiosynth.center_crop) and the size positive"
        )
        raise ValueError(msg)
    result = np.empty((len(stack), size, size), np.float32)
    for part in _chunks(stack):
        # The first axis keeps its length, so that the images do not mix.
        shape = result[part].shape
        result[part] = resize_volume(stack[part], shape, order=1, anti_aliasing=True, preserve_range=True)
    return result


def scale(images: ArrayLike, low: float = -1.0, high: float = 1.0) -> NDArray[np.float32]:
    """Scale each image linearly so that its faintest pixel is `low` and its brightest `high`.

    Parameters
    ----------
    images : array_like, shape (n, height, width)
        Images in any unit.
    low, high : float
        Limits of the new range.

    Returns
    -------
    ndarray of float32, shape (n, height, width)
        The scaled images.

    Raises
    ------
    ValueError
        If an image is constant or holds a pixel that is not finite, or `low` is not below `high`.

    Examples
    --------
    >>> scale([[[0, 5], [10, 20]]]).tolist()
    [[[-1.0, -0.5], [0.0, 1.0]]]
    """
    if not low < high:
        msg = f"cannot scale to [{low:g}, {high:g}]: the lower limit must be below the upper"
        raise ValueError(msg)
    stack = _stack(images)
    bad = ~np.isfinite(stack).all(axis=(1, 2))
    _refuse(bad, None, "pixels that are not finite", "radiosynth.noise_threshold fills them")
    _refuse(_constant(stack), None, _CONSTANT, "leave them out")
    faintest = stack.min(axis=(1, 2), keepdims=True)
    result = stack - faintest
    # Divided first: a fraction of 1 is then exact, and the brightest pixel becomes `high` itself.
    result /= result.max(axis=(1, 2), keepdims=True)
    result *= high - low
    result += low
    return np.clip(result, low, high, out=result)


def preprocess(
    sample: Sample,
    size: int = 56,
    *,
    crop: int | None = None,
    n_sigma: float = 3.0,
    fill: Literal["threshold", "zero"] = "threshold",
    value_range: tuple[float, float] = (-1.0, 1.0),
    blank: Literal["leave out", "raise"] = "leave out",
) -> Sample:
    """Make training images of cutouts: threshold the noise, crop, resize and scale.

    The steps and their order are the report's. Each is written to the history of the sample. Neither the
    unit of the images nor a constant added to them makes a difference.

    Parameters
    ----------
    sample : Sample
        Cutouts of at least one source, of any size.
    size : int
        Edge length of the result in pixels.
    crop : int, optional
        Edge length of the centre to keep before resizing, in pixels of the cutouts. All by default.
    n_sigma, fill
        Passed on to `noise_threshold`.
    value_range : pair of float
        Limits of the pixel values of each image.
    blank : {"leave out", "raise"}
        What to do with images that have no pixel above the noise, of which the report's sample has one, or
        where `missing_pixels` touch the source or are more than `MISSING_LIMIT` of the centre: leave them
        out, with a warning in the log and in the history that names them, or refuse them all.

    Returns
    -------
    Sample
        The same sources in the same order, size × size pixels, each from the lower to the upper limit.
        ``table.meta["left_out"]`` lists the others, as pairs (name, reason).

    Raises
    ------
    ValueError
        If the sample is empty, or all or (with ``"raise"``) any images cannot be used; the message names
        the sources. Also where a step refuses its parameters.

    Examples
    --------
    >>> cutouts = np.random.default_rng(0).normal(size=(2, 150, 150))
    >>> cutouts[:, 70:80, 70:80] += 50
    >>> ready = preprocess(Sample(cutouts, [0, 1]), size=56)
    >>> ready.images.shape, float(ready.images.min()), float(ready.images.max())
    ((2, 56, 56), -1.0, 1.0)
    >>> for step in ready.history:
    ...     print(step)
    noise threshold: 3 sigma, pixels below set to threshold
    resize: 150 to 56 px, antialiased
    scale: each image to [-1, 1]
    """
    if not len(sample):
        msg = "the sample has no images to preprocess; give at least one"
        raise ValueError(msg)
    if blank not in ("leave out", "raise"):
        msg = f'blank={blank!r} is unknown: use "leave out" or "raise"'
        raise ValueError(msg)
    names = [str(name) for name in sample.table["name"]]
    missing = missing_pixels(sample.images)
    images, limit, noise = _thresholded(sample.images, missing, n_sigma, fill)
    unchanged = int((images == sample.images).all(axis=(1, 2)).sum())
    effects = []
    if unchanged:
        effects.append(f"no pixel changed in {unchanged} of {len(sample)} images, already clipped")
    if unchanged < len(sample):
        effects.append(f"{n_sigma:g} sigma, pixels below set to {fill}")
    if missing.any():
        effects.append(f"pixels without data in {missing.any(axis=(1, 2)).sum()} images, set alike")
    ready = sample.derived(images, f"noise threshold: {'; '.join(effects)}")

    del images  # samples may be large, and each step makes another
    if crop is not None:
        ready = ready.derived(center_crop(ready.images, crop), f"crop: centre of {crop} px")
        missing = center_crop(missing, crop) > 0
    spoilt = _spoilt(ready.images, missing, limit, noise)
    # Before resizing, whose rounding errors would make a constant image look like a structure.
    constant = _constant(ready.images) & ~spoilt
    bad = constant | spoilt
    ready.table.meta["left_out"] = []
    kinds = [("blank", _CONSTANT, constant), ("missing data", _SPOILT, spoilt)]
    kinds = [kind for kind in kinds if kind[2].any()]
    if blank == "raise" or bad.all():
        _refuse(bad, names, ", or ".join(reason for _, reason, _ in kinds), "leave them out")
    for word, reason, found in kinds:
        named = [names[i] for i in np.flatnonzero(found)]
        step = f"left out, {word}: {', '.join(named)}"
        log.warning("%s", step)
        ready = ready.derived(ready.images, step)
        ready.table.meta["left_out"] += [(name, reason) for name in named]
    if bad.any():
        ready = ready[~bad]

    ready = ready.derived(resize(ready.images, size), f"resize: {ready.size} to {size} px, antialiased")
    low, high = value_range
    return ready.derived(scale(ready.images, low, high), f"scale: each image to [{low:g}, {high:g}]")


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
        if not 0 <= number < max(counts[code], 1):
            msg = (
                f"cannot set {number} {CLASS_NAMES[code]} images aside for the test: the sample has "
                f"{counts[code]}, of which at least one must be left for training; lower test_per_class, or "
                "give it as a mapping of the classes in use"
            )
            raise ValueError(msg)

    target = np.array([wanted.get(code, 0) for code in range(len(CLASS_NAMES))])
    groups = _sky_groups(sample)
    composition = np.zeros((groups.max() + 1, len(CLASS_NAMES)), int)
    np.add.at(composition, (groups, sample.labels), 1)
    for _ in range(SPLIT_ATTEMPTS):
        missing = target.copy()
        chosen = []
        # Groups join the test set in random order as long as they fit. Only where many sources share their
        # sky can the last places stay open; another order may fill them.
        for group in rng.permutation(len(composition)):
            if (composition[group] <= missing).all():
                missing -= composition[group]
                chosen.append(group)
        if not missing.any():
            break
    else:
        msg = (
            f"found no split with {dict(test_per_class)} test images in {SPLIT_ATTEMPTS} attempts, because "
            "too many sources share a sky_group; ask for other numbers"
        )
        raise ValueError(msg)
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

    _refuse_unlabelled(sample.labels)
    groups = _sky_groups(sample)
    most = min(int(np.unique(sample.labels, return_counts=True)[1].min()), int(groups.max()) + 1)
    if not 2 <= n_folds <= most:
        msg = (
            f"cannot make {n_folds} folds: there can be 2 to {most}, as many as the smallest class has "
            "sources and the sample separate patches of sky"
        )
        raise ValueError(msg)
    folds = StratifiedGroupKFold(n_folds, shuffle=True, random_state=int(rng.integers(2**32)))
    return folds.split(sample.labels, sample.labels, groups)


def rotate_flip(
    images: ArrayLike,
    angles: ArrayLike,
    flips: ArrayLike,
    *,
    fill: float | None = None,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Flip images left–right where asked, then rotate them about their centres, bilinearly.

    Angles count counter-clockwise in an image shown with row 0 at the bottom. On the sky that is from north
    through east, so that the position angles of the source grow by the angle.

    Parameters
    ----------
    images : array_like, shape (n, size, size)
        Square images.
    angles : array_like, shape (n,)
        Rotation of each image in degrees.
    flips : array_like of bool, shape (n,)
        Whether each image is flipped before it is rotated.
    fill : float, optional
        Value beyond the edges, seen in the corners; the lowest value of each image if not given.
    out : ndarray of float32, shape (n, size, size), C-contiguous, optional
        Array to write to; it must not overlap the images.

    Returns
    -------
    ndarray of float32, shape (n, size, size)
        The images made; `out` itself where it is given.

    Raises
    ------
    ValueError
        If the images are not square, or the shapes do not agree.

    Examples
    --------
    >>> image = np.array([[[1, 2], [3, 4]]])
    >>> rotate_flip(image, [90], [False]).round(3).tolist()
    [[[3.0, 1.0], [4.0, 2.0]]]
    >>> rotate_flip(image, [0], [True]).round(3).tolist()
    [[[2.0, 1.0], [4.0, 3.0]]]
    """
    stack = _stack(images)
    shape = (len(stack),)
    if stack.shape[1] != stack.shape[2] or np.shape(angles) != shape or np.shape(flips) != shape:
        msg = (
            f"images, angles and flips have the shapes {stack.shape}, {np.shape(angles)} and "
            f"{np.shape(flips)}; they must be (n, size, size), (n,) and (n,)"
        )
        raise ValueError(msg)
    if out is None:
        out = np.empty_like(stack, order="C")
    elif out.shape != stack.shape or out.dtype != np.float32 or not out.flags.c_contiguous:
        msg = f"out is {out.dtype} of shape {out.shape}; it must be contiguous float32 of shape {stack.shape}"
        raise ValueError(msg)
    _warp(stack, np.arange(len(stack)), np.asarray(angles), np.asarray(flips), fill, out)
    return out


def vary(
    images: ArrayLike,
    rng: np.random.Generator,
    *,
    zoom: float = 0.12,
    shift: float = 3.0,
    fill: float | None = None,
) -> NDArray[np.float32]:
    """Draw a variation of each image: mirrored, turned by any angle, zoomed and shifted at random.

    Parameters
    ----------
    images : array_like, shape (n, size, size)
        Square images.
    rng : numpy.random.Generator
        Source of randomness.
    zoom : float
        Standard deviation of the logarithm of the magnification.
    shift : float
        Standard deviation of the shift along each axis in pixels.
    fill : float, optional
        Value beyond the edges of the images; the lowest value of each image if not given.

    Returns
    -------
    ndarray of float32, shape (n, size, size)
        The images drawn.

    Examples
    --------
    >>> bar = np.full((2, 30, 30), -1.0)
    >>> bar[:, 8:22, 14:16] = 1
    >>> drawn = vary(bar, np.random.default_rng(0))
    >>> drawn.shape, bool(np.array_equal(drawn[0], drawn[1]))
    ((2, 30, 30), False)
    """
    check_rng(rng)
    stack = _stack(images)
    n = len(stack)
    angles, flips = rng.uniform(0, 360, n), rng.random(n) < 0.5
    zooms, shifts = np.exp(rng.normal(0, zoom, n)), rng.normal(0, shift, (n, 2))
    out = np.empty_like(stack, order="C")
    _warp(stack, np.arange(n), angles, flips, fill, out, zooms, shifts)
    return out


def augmentation_plan(
    labels: ArrayLike,
    per_class: int | Mapping[str, int],
    method: Literal["ordered", "random"] = "ordered",
    *,
    rng: np.random.Generator | None = None,
) -> NDArray[np.void]:
    """Decide which image is flipped and rotated by which angle to fill each class.

    "ordered" is the report's way: the k copies of an image are turned by 1/(k+1), 2/(k+1), … of a full
    circle, so that no two are alike, and every other copy is flipped. Where the number asked for does not
    divide evenly, the first images get one copy more. "random" draws image, angle and flip of each copy.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        Class codes.
    per_class : int or mapping of str to int
        Number of images of each class after augmentation, by name where it differs.
    method : {"ordered", "random"}
        How copies are chosen.
    rng : numpy.random.Generator, optional
        Source of randomness, needed by "random" alone.

    Returns
    -------
    structured ndarray, shape (m,)
        One element per image to make, with the fields ``source`` (position of the original), ``rotation``
        (degrees, as in `rotate_flip`) and ``flipped``. Classes follow each other in the order of their
        codes; within a class the originals come first. It can be shuffled or cut like any array.

    Raises
    ------
    ValueError
        If there is no image, one has no label, a class has more originals than images asked for, a mapping
        and the classes do not agree, the method is unknown or needs `rng`.

    Examples
    --------
    >>> plan = augmentation_plan([0, 0, 2], 4)
    >>> plan["source"].tolist(), plan["rotation"].tolist()
    ([0, 1, 0, 1, 2, 2, 2, 2], [0.0, 0.0, 180.0, 180.0, 0.0, 90.0, 180.0, 270.0])
    """
    if method not in ("ordered", "random"):
        msg = f'unknown augmentation method {method!r}: use "ordered" or "random"'
        raise ValueError(msg)
    codes = np.asarray(labels)
    parts = []
    for code, number in _numbers_per_class(codes, per_class).items():
        members = np.flatnonzero(codes == code)
        extra = number - len(members)
        if not len(members) or extra < 0:
            msg = (
                f"cannot augment {len(members)} {CLASS_NAMES[code]} images to {number}: all originals are "
                "kept, so there must be one and per_class no less than their number; raise it, or take fewer"
            )
            raise ValueError(msg)
        refuse_beyond_memory((number, 4), "ask for fewer images of each class")
        part = np.zeros(number, [("source", np.int64), ("rotation", np.float64), ("flipped", np.bool_)])
        part["source"][: len(members)] = members
        copies = part[len(members) :]
        if method == "random":
            if rng is None:
                msg = 'the method "random" needs rng, for instance rng=numpy.random.default_rng(1)'
                raise ValueError(msg)
            check_rng(rng)
            copies["source"] = rng.choice(members, extra)
            copies["rotation"] = rng.uniform(0, 360, extra)
            copies["flipped"] = rng.random(extra) < 0.5
        else:
            each = np.full(len(members), extra // len(members))
            each[: extra % len(members)] += 1
            copies["source"] = np.repeat(members, each)
            turn = np.arange(extra) - np.repeat(np.cumsum(each) - each, each) + 1
            copies["rotation"] = 360.0 * turn / (np.repeat(each, each) + 1)
            copies["flipped"] = np.arange(extra) % 2 == 0
        parts.append(part)
    return np.concatenate(parts)


def augment(
    sample: Sample,
    per_class: int | Mapping[str, int],
    method: Literal["ordered", "random"] = "ordered",
    *,
    rng: np.random.Generator | None = None,
    fill: float | None = None,
) -> Sample:
    """Fill each class of a sample up with rotated and flipped copies of its images.

    Only the classes present are filled. Use `augmented_batches` for sets larger than memory.

    Parameters
    ----------
    sample : Sample
        Images to start from; all are kept unchanged.
    per_class, method, rng
        Passed on to `augmentation_plan`.
    fill : float, optional
        Value of the corners that a rotation lays bare; the lowest value of each image if not given.

    Returns
    -------
    Sample
        The images in the order of the plan. The table repeats the row of the original and adds ``source``
        (position of the original), ``rotation`` (degrees, as in `rotate_flip`) and ``flipped``.

    Raises
    ------
    ValueError
        As `augmentation_plan`.

    Examples
    --------
    >>> sample = Sample(np.random.default_rng(0).uniform(-1, 1, (3, 8, 8)), [0, 1, 1])
    >>> augment(sample, per_class=100)
    Sample(200 images of 8×8: FRI 100, FRII 100, bent 0, compact 0)
    """
    plan = augmentation_plan(sample.labels, per_class, method, rng=rng)
    return _augmented(sample, plan, fill, f"augment: {method} rotation and flip to {len(plan)} images")


def augmented_batches(
    sample: Sample, plan: NDArray[np.void], batch_size: int, *, fill: float | None = None
) -> Iterator[Sample]:
    """Make the images of an augmentation plan batch by batch, for sets larger than memory.

    Parameters
    ----------
    sample : Sample
        Images to start from.
    plan : structured ndarray
        Result of `augmentation_plan` for the labels of the sample, shuffled or not.
    batch_size : int
        Images per batch; the last batch may have fewer.
    fill : float, optional
        Value of the corners that a rotation lays bare; the lowest value of each image if not given.

    Yields
    ------
    Sample
        Images and table rows as `augment` makes them, in the order of the plan.

    Raises
    ------
    ValueError
        If `batch_size` is not positive.

    Examples
    --------
    >>> sample = Sample(np.random.default_rng(0).uniform(-1, 1, (3, 8, 8)), [0, 1, 1])
    >>> plan = augmentation_plan(sample.labels, 50)
    >>> [len(batch) for batch in augmented_batches(sample, plan, batch_size=64)]
    [64, 36]
    """
    if batch_size < 1:
        msg = f"batch_size is {batch_size}; it must be positive"
        raise ValueError(msg)
    for start in range(0, len(plan), batch_size):
        part = plan[start : start + batch_size]
        yield _augmented(sample, part, fill, f"augment: images {start} on of {len(plan)} in the plan")


def _augmented(sample: Sample, plan: NDArray[np.void], fill: float | None, step: str) -> Sample:
    """Return the images and table rows of a plan."""
    source = plan["source"]
    refuse_beyond_memory((len(plan), sample.size, sample.size), "make fewer, or use augmented_batches")
    images = np.empty((len(plan), sample.size, sample.size), np.float32)
    _warp(sample.images, source, plan["rotation"], plan["flipped"], fill, images)
    table = sample.table[source]
    for column in ("source", "rotation", "flipped"):
        table[column] = plan[column]
    table.meta["history"] = [*sample.history, step]
    return Sample(images, sample.labels[source], table)


def _warp(
    images: NDArray[np.float32],
    source: NDArray[np.int64],
    angles: NDArray[np.float64],
    flips: NDArray[np.bool_],
    fill: float | None,
    out: NDArray[np.float32],
    zooms: NDArray[np.float64] | None = None,
    shifts: NDArray[np.float64] | None = None,
) -> None:
    """Write ``images[source]``, flipped, rotated, zoomed and shifted, to `out`, not gathering them first."""
    import cv2

    # Prepared images have their background at the lower limit of their range, whatever that is.
    edges = {i: images[i].min() if fill is None else fill for i in np.unique(source).tolist()}
    # One matrix per image takes a pixel (x, y, 1) of the result to its place in the original: turned back
    # about the centre first, then flipped.
    center = (images.shape[1] - 1) / 2
    cos, sin = np.cos(np.radians(angles)), np.sin(np.radians(angles))
    mirror = np.where(flips, -1.0, 1.0)
    matrices = np.empty((len(source), 2, 3))
    matrices[:, 0, 0], matrices[:, 0, 1] = mirror * cos, mirror * sin
    matrices[:, 1, 0], matrices[:, 1, 1] = -sin, cos
    if zooms is not None:
        matrices[:, :, :2] /= zooms[:, None, None]
    matrices[:, :, 2] = center - center * matrices[:, :, :2].sum(axis=2)
    if shifts is not None:
        matrices[:, :, 2] -= np.einsum("nij,nj->ni", matrices[:, :, :2], shifts)

    size = (images.shape[2], images.shape[1])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    # Exact weights; releases of OpenCV before 5 know no hint and round positions to 1/32 of a pixel.
    hint = cv2.ALGO_HINT_ACCURATE

    def work(part: slice) -> None:
        for i, matrix, target in zip(source[part], matrices[part], out[part], strict=True):
            image, edge = np.ascontiguousarray(images[i]), float(edges[int(i)])
            cv2.warpAffine(image, matrix, size, target, flags, cv2.BORDER_CONSTANT, edge, hint)

    # OpenCV lets go of the interpreter lock, so images are worked on side by side. Its own threads, which
    # divide the single image, would only get in the way.
    workers = os.cpu_count() or 1
    own_threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with ThreadPoolExecutor(workers) as pool:
            step = max(1, len(source) // (4 * workers))
            list(pool.map(work, [slice(i, i + step) for i in range(0, len(source), step)]))
    finally:
        cv2.setNumThreads(own_threads)


def _stack(images: ArrayLike) -> NDArray[np.float32]:
    """Return images as a float32 array with one axis for the images and two for the pixels."""
    stack = np.asarray(images, dtype=np.float32)
    if stack.ndim != 3:
        msg = f"images have the shape {stack.shape}; it must be (n, height, width), for one image [None]"
        raise ValueError(msg)
    return stack


def _chunks(images: NDArray[np.float32]) -> Iterator[slice]:
    """Yield slices of consecutive images that hold about `CHUNK_PIXELS` pixels each."""
    step = max(1, CHUNK_PIXELS // (images.shape[1] * images.shape[2]))
    for start in range(0, len(images), step):
        yield slice(start, start + step)


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
    _refuse_unlabelled(labels)
    present = np.unique(labels).tolist()
    if not isinstance(per_class, Mapping):
        per_class = {CLASS_NAMES[code]: per_class for code in present}
    for name, number in per_class.items():
        check_count(number, f"the number of {name} images")
    numbers = {class_code(name): number for name, number in per_class.items()}
    left_out = [CLASS_NAMES[code] for code in present if code not in numbers]
    if left_out:
        msg = (
            f"no number is given for the class {', '.join(left_out)}, of which there are images: give one, "
            "or leave the class out of the sample"
        )
        raise ValueError(msg)
    return dict(sorted(numbers.items()))


def _refuse_unlabelled(labels: NDArray[np.int64]) -> None:
    unknown = int((labels == UNLABELLED).sum())
    if unknown or not len(labels):
        msg = (
            f"{unknown} of {len(labels)} images have no class (label {UNLABELLED}); give at least one image, "
            f"and only images with a class: sample[sample.labels != {UNLABELLED}]"
        )
        raise ValueError(msg)


def _constant(images: NDArray[np.float32]) -> NDArray[np.bool_]:
    return np.asarray(images.min(axis=(1, 2)) == images.max(axis=(1, 2)))


def _spoilt(
    images: NDArray[np.float32],
    missing: NDArray[np.bool_],
    limit: NDArray[np.float32],
    noise: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Return in which thresholded images missing pixels touch a source or are too many.

    A source is an island above the threshold whose peak is two more sigma higher and has 10 % of the
    brightest pixel, both above the threshold.
    """
    spoilt = missing.mean(axis=(1, 2)) > MISSING_LIMIT
    for i in np.flatnonzero(missing.any(axis=(1, 2)) & ~spoilt):
        height = images[i].astype(float) - limit[i]
        islands, n = ndimage.label(height > 0, _AROUND)
        peaks = ndimage.maximum(height, islands, np.arange(1, n + 1))
        sources = np.flatnonzero(peaks >= max(2 * noise[i], 0.1 * height.max())) + 1
        spoilt[i] = np.isin(islands[ndimage.binary_dilation(missing[i], _AROUND)], sources).any()
    return spoilt


def _refuse(bad: ArrayLike, names: Sequence[str] | None, fault: str, advice: str) -> None:
    """Raise an error that lists the bad images, by name where names are known."""
    positions = np.flatnonzero(bad)
    if not len(positions):
        return
    listed = [f"number {i}" if names is None else f"{names[i]} (number {i})" for i in positions[:10]]
    more = f" and {len(positions) - 10} more" if len(positions) > 10 else ""
    msg = f"{fault} in {len(positions)} of {np.size(bad)} images: {', '.join(listed)}{more}; {advice}"
    raise ValueError(msg)
