"""From cutouts to training images: noise threshold, crop, resize and scale.

The steps are those of the report (section on pre-processing and augmentation); images keep their order and
are float32 throughout.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from radiosynth._io import check, log
from radiosynth.sample import FRAME, Sample, UnusableError, _pixels, check_choice

GREY_LEVELS = 255
"""Steps between background and peak of the published images."""


MISSING_LIMIT = 0.3
"""Largest proportion of the central field without data in an image that can be used."""


MANY = 100
"""Images from which on clipping is compiled: worth the time to load it where many follow, as in chunks."""


_CONSTANT = "one value in all pixels (no source above the noise)"


_GONE = "missing data (NaN or zeros) that touch the source"
_SPOILT = f"{_GONE} or are over {MISSING_LIMIT:.0%} of the part used"


_AROUND, _SOLID = np.ones((3, 3)), np.ones((8, 8))


def missing_pixels(images: ArrayLike) -> NDArray[np.bool_]:
    """Return which pixels hold no data: those that are not finite, and one value over part of a frame.

    Servers and mosaics fill what lies outside a survey with NaN or with zeros. The sky of a thresholded image
    is also exactly zero, but nothing in such an image is negative, and zeros are most of it. So zeros that
    fill a block of at least 3×3 pixels, with those beside it, are missing data where the image has
    noise around zero, that is negative pixels, or where they are less than half of the image and the rest is
    noise about a level of at least five times its rms.

    Zeros that were scaled, or from which a background was subtracted, have another value. Where it fills a
    block of at least 8×8 pixels, but less than half of the image, and lies in or below the noise of the
    others, the same holds for it, unless these have no more values than a picture of 8 bits, whose sky is
    flat in places. Zeros to which a lossy compression has added noise are not found.

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
        for value in _filling(image):
            filled = image == value
            n = np.count_nonzero(filled)
            few = 0 < 2 * n < filled.size
            if not n or (value and not (few and ndimage.binary_opening(filled, _SOLID).any())):
                continue
            data = image[~gone] if gone.any() else image.ravel()
            others = np.sort(data[data != value])
            below = others.size and others[0] < value
            noisy = below and not value
            if few and others.size and not noisy:
                level, noise = _clipped(others)
                within = below and level - value > -3 * noise and value < others[-1]
                noisy = noise > 0 and (level - value > 5 * noise or within)
                noisy &= not value or np.count_nonzero(np.diff(others)) > GREY_LEVELS
            if noisy:
                gone |= ndimage.binary_propagation(ndimage.binary_opening(filled, _AROUND), mask=filled)
    return missing


def _filling(image: NDArray[np.float32]) -> list[float]:
    """Return the values that may stand for missing data: zero, and the one that most blocks are filled with.

    A block of 8×8 pixels holds four of those, at least, that are looked at.
    """
    few = image[::4, ::4]
    alike = (few[1:, 1:] == few[:-1, :-1]) & (few[1:, :-1] == few[:-1, 1:]) & (few[1:, 1:] == few[1:, :-1])
    if not alike.any():
        return [0.0]
    values, numbers = np.unique(few[1:, 1:][alike], return_counts=True)
    # An image that was enlarged is all blocks, of many values.
    return sorted({0.0, float(values[numbers.argmax()])} if 2 * numbers.max() > numbers.sum() else {0.0})


def measure_noise(images: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the level of the sky and the noise of each image.

    They are the median and the standard deviation after sigma clipping (3 sigma, iterated until nothing more
    is clipped), so that the source itself does not count as noise. `missing_pixels` are left out. Where all
    that is below some level of the sky was set to it, as in pictures, they are the median and what 84 % lie
    below, less the median.

    Parameters
    ----------
    images : array_like, shape (n, height, width)
        Images in any unit.

    Returns
    -------
    level, noise : ndarray of float, shape (n,)
        In the unit of the images. The noise is 0 where the sky was set to one value; both are NaN where no
        pixel holds data.
    """
    stack = _stack(images)
    level, noise, _ = sky_and_peak(stack, missing_pixels(stack))
    return level, noise


def sky_and_peak(stack: NDArray[np.float32], missing: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return level and noise of `measure_noise` and the peak of each image, (3, n); NaN without data."""
    found = np.full((3, len(stack)), np.nan)
    clipped = _compiled() if len(stack) >= MANY else _clipped
    for i, (image, gone) in enumerate(zip(stack, missing, strict=True)):
        # Sorted once: what is clipped, the median, the extremes and how many share them are then looked up.
        pixels = np.sort(image[~gone] if gone.any() else image.ravel())
        if not pixels.size:
            continue
        level, noise = clipped(pixels)
        at_least = pixels.searchsorted(pixels[0], "right") / image.size
        if 0.05 < at_least < 0.84:
            # A sky of noise falls to pieces where it is cut; one that was thresholded, or has no noise, is
            # whole.
            above = (image > pixels[0]) & ~gone
            if ndimage.label(above)[1] + ndimage.label(~above)[1] > max(20, image.size / 1000):
                level, one_sigma_up = np.percentile(pixels, [50, 84.13])
                noise = one_sigma_up - level
        found[:, i] = level, noise, pixels[-1]
    return found


@cache
def _compiled() -> Callable[..., Any]:
    """Return `_clipped` compiled, which gives the same numbers but for rounding."""
    from radiosynth._kernels import jit

    return jit(fastmath={"reassoc", "contract"})(_clipped)


def _clipped(pixels: NDArray[np.float32]) -> tuple[float, float]:
    """Return median and deviation of sorted pixels as `astropy.stats.sigma_clipped_stats` does."""
    # From the middle, so that no unit, and no offset, is too small or too large for the squares.
    middle = np.float64(pixels[len(pixels) // 2])
    values = pixels.astype(np.float64) - middle
    low, high, start, stop = 0, len(values), -1, -1
    median, std = 0.0, 0.0
    while low < high and (low, high) != (start, stop):  # nothing is left where rounding hides the deviation
        start, stop, left = low, high, high - low
        median = (values[low + (left - 1) // 2] + values[low + left // 2]) / 2
        std = values[low:high].std()
        low = max(low, np.searchsorted(values, median - 3 * std))
        high = min(high, np.searchsorted(values, median + 3 * std, side="right"))
    return middle + median, std


def noise_threshold(
    images: ArrayLike, n_sigma: float = 3.0, *, fill: Literal["threshold", "zero"] = "threshold"
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Set the pixels of each image that do not stand out of its noise to the threshold.

    This is how the published images were made, and so what any image needs that a network trained on them
    is to see. A published pixel is (S - 3 sigma) / (peak - 3 sigma), in 255 grey levels and rounded down:
    what is less than one grey level above three sigma is background too.

    Missing pixels are set to the background level. An image whose background is constant, as it was
    thresholded before, has no noise left and comes back unchanged.

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
    40 with zeros. Absolute deviations instead of clipping, or the noise of the file instead of that of its
    centre, change one case; 2.5 and 3.5 sigma give 42.

    Examples
    --------
    >>> images = np.random.default_rng(0).normal(0, 0.15, (2, 64, 64))
    >>> images[:, 32, 32] = 5
    >>> clean, thresholds = noise_threshold(images)
    >>> sky = clean == thresholds[:, None, None]
    >>> clean[:, 32, 32].tolist(), bool(sky.mean() > 0.99), bool(thresholds[0] > 0.4)
    ([5.0, 5.0], True, True)
    """
    stack = _stack(images)
    missing = missing_pixels(stack)
    _refuse(missing.all(axis=(1, 2)), None, "no pixel with data", "leave them out")
    return _thresholded(stack, missing, n_sigma, fill)[:2]


def _thresholded(
    stack: NDArray[np.float32], missing: NDArray[np.bool_], n_sigma: float, fill: str
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float64]]:
    """Return thresholded images, the threshold and the noise of each; all 0 where there are no data."""
    check_choice(fill, "value of fill", ("threshold", "zero"))
    level, noise, peak = np.nan_to_num(sky_and_peak(stack, missing))
    limit = level + n_sigma * noise
    if fill == "threshold":
        limit += np.where(noise > 0, np.maximum(peak - limit, 0) / GREY_LEVELS, 0)
    limits = limit.astype(np.float32)
    least = limits[:, None, None]
    blank = least if fill == "threshold" else np.minimum(least, np.float32(0))
    thresholded = np.where(stack >= least, stack, blank)
    np.copyto(thresholded, blank, where=missing)
    return thresholded, limits, noise


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
    fault = f"cannot crop {height}×{width} images to {size}: the size can be 1 to {min(height, width)}"
    check(1 <= size <= min(height, width), fault)
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
        What `skimage.transform.resize` makes of each image; a view where they have that size already.

    Raises
    ------
    ValueError
        If the images are not square or `size` is not positive.

    Examples
    --------
    >>> resize(np.ones((5, 150, 150)), 56).shape
    (5, 56, 56)
    """
    stack = _stack(images)
    height, width = stack.shape[1:]
    fault = f"cannot resize {height}×{width} images to {size}: give square ones, and a size of 1 or more"
    check(height == width and size >= 1, f"{fault}; radiosynth.center_crop makes them square")
    if size == width:
        return stack
    if not len(stack):
        return np.empty((0, size, size), np.float32)
    from scipy import sparse
    from skimage.transform import resize as by_skimage

    # Smoothing and interpolation are linear, first along columns and then along rows. So what skimage makes
    # of columns with a single 1 is a matrix, nearly empty, that does the same in a fifth of the time.
    alone = np.eye(width, dtype=np.float32)
    along = sparse.csr_array(by_skimage(alone, (size, width), order=1, anti_aliasing=True))
    # From the faintest pixel up, so that a background of that value keeps it, without rounding.
    lowest = np.fmin.reduce(stack, axis=(1, 2))
    lowest[~np.isfinite(lowest)] = 0
    pairs = zip(stack, lowest, strict=True)
    return np.stack([along @ (along @ (image - low).T).T + low for image, low in pairs])


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
    check(low < high, f"cannot scale to [{low:g}, {high:g}]: the lower limit must be below the upper")
    stack = _stack(images)
    faintest, brightest = stack.min(axis=(1, 2), keepdims=True), stack.max(axis=(1, 2), keepdims=True)
    bad = ~np.isfinite(faintest) | ~np.isfinite(brightest)
    _refuse(bad, None, "pixels that are not finite", "radiosynth.noise_threshold fills them")
    _refuse(faintest == brightest, None, _CONSTANT, "leave them out")
    scaled = stack - faintest
    # Divided first: a fraction of 1 is then exact, and the brightest pixel becomes `high` itself.
    scaled /= brightest - faintest
    scaled *= high - low
    scaled += low
    return np.clip(scaled, low, high, out=scaled)


def preprocess(
    sample: Sample,
    size: int = 56,
    *,
    crop: int | None = None,
    n_sigma: float = 3.0,
    fill: Literal["threshold", "zero"] = "threshold",
    value_range: tuple[float, float] = (-1.0, 1.0),
) -> Sample:
    """Make training images of cutouts: threshold the noise, crop, resize and scale.

    The steps and their order are the report's. Each is written to the history of the sample. Neither the
    unit of the images nor a constant added to them makes a difference, but where zeros stand for missing data
    and the sky lies above zero by less than five times its noise (`missing_pixels`).

    Images that have no pixel above the noise, of which the report's sample has one, are left out, and so are
    those where `missing_pixels` touch the source or are more than ``MISSING_LIMIT`` of the centre. Log and
    history name them. Images whose peak is less than 5 sigma above the sky are kept, with a warning.

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

    Returns
    -------
    Sample
        The same sources in the same order, size × size pixels, each from the lower to the upper limit.
        ``table.meta["left_out"]`` lists the others, as pairs (name, reason).

    Raises
    ------
    ValueError
        If the sample is empty, or none of its images can be used; the message names the sources. Also where
        a step refuses its parameters.

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
    check(len(sample), "the sample has no images to preprocess; give at least one")
    names = np.asarray(sample.table["name"], str)
    missing = missing_pixels(sample.images)
    images, limit, noise = _thresholded(sample.images, missing, n_sigma, fill)
    unchanged = sum(map(np.array_equal, images, sample.images))
    effects = []
    if unchanged:
        effects.append(f"no pixel changed in {unchanged} of {len(sample)} images, already clipped")
    if unchanged < len(sample):
        effects.append(f"{n_sigma:g} sigma, pixels below set to {fill}")
    if lacking := np.count_nonzero(missing.any(axis=(1, 2))):
        effects.append(f"pixels without data in {lacking} images, set alike")
    ready = sample.derived(images, f"noise threshold: {'; '.join(effects)}")
    del images  # samples may be large, and each step makes another
    if crop is not None:
        step = f"crop: centre of {crop} px"
        ready = _placed(ready.derived(center_crop(ready.images, crop), step), ready.size - crop)
        missing = center_crop(missing, crop) > 0

    # What cannot be used. Before resizing, whose rounding errors would make a constant image look like a
    # structure.
    spoilt = _spoilt(ready.images, missing, limit, noise)
    faintest, brightest = ready.images.min(axis=(1, 2)), ready.images.max(axis=(1, 2))
    constant = (faintest == brightest) & ~spoilt
    bad, reasons = constant | spoilt, np.where(spoilt, _SPOILT, _CONSTANT)
    faint = ~bad & (noise > 0) & (brightest - limit < (5 - n_sigma) * noise)
    if faint.any():
        such = ", ".join(names[faint][:10])
        log.warning("no source 5 sigma above the noise in %d images, such as %s", faint.sum(), such)
    left_out = list(zip(names[bad].tolist(), reasons[bad].tolist(), strict=True))
    if bad.all():
        faults = ", or ".join(sorted(set(reasons[bad]), reverse=True))
        _refuse(bad, names, faults, "leave them out", sample.table.meta.get("skipped", []), left_out)
    for word, found in (("blank", constant), ("missing data", spoilt)):
        if found.any():
            step = f"left out, {word}: {', '.join(names[found])}"
            log.warning("%s", step)
            ready = ready.derived(ready.images, step)
    ready = ready[~bad] if bad.any() else ready
    ready.table.meta["left_out"] = left_out

    width = ready.size / size
    ready = ready.derived(resize(ready.images, size), f"resize: {ready.size} to {size} px, antialiased")
    if "pixel_scale" in ready.table.colnames:
        ready.table["pixel_scale"] = width * ready.table["pixel_scale"]
    low, high = value_range
    return ready.derived(scale(ready.images, low, high), f"scale: each image to [{low:g}, {high:g}]")


def _placed(sample: Sample, cut: int) -> Sample:
    """Forget where frames lie, in place, if an odd number of pixels was cut off: their middle has moved."""
    for name in FRAME if cut % 2 and "pixel_scale" in sample.table.colnames else ():
        sample.table[name] = np.nan
    return sample


def preprocess_unresized(sample: Sample, size: int, **options: Any) -> Sample:
    """Do as `preprocess` but for resizing: images are cropped to `size` pixels, or framed by background."""
    edge = min(sample.size, size)
    return frame(preprocess(sample, edge, crop=edge if edge < sample.size else None, **options), size)


def frame(sample: Sample, size: int) -> Sample:
    """Return prepared images with as much background around them as makes them `size` pixels wide."""
    if size == sample.size:
        return sample
    before = (size - sample.size) // 2
    rim = (before, size - sample.size - before)
    images = np.pad(sample.images, ((0, 0), rim, rim), constant_values=sample.images.min(initial=np.inf))
    step = f"background around the {sample.size} px, to {size} px"
    return _placed(sample.derived(images, step), size - sample.size)


def _stack(images: ArrayLike) -> NDArray[np.float32]:
    """Return images in float32, one axis for the images and two for the pixels; NaN where they are masked."""
    stack = _pixels(images)
    fault = f"images have the shape {stack.shape}; it must be (n, height, width), for one image [None]"
    check(stack.ndim == 3, fault)
    return stack


def _spoilt(images: NDArray, missing: NDArray, limit: NDArray, noise: NDArray) -> NDArray[np.bool_]:
    """Return in which thresholded images missing pixels touch a source or are too many.

    A source is an island above the threshold whose peak is two more sigma higher and has 10 % of the
    brightest pixel, both above the threshold.
    """
    spoilt = np.zeros(len(images), bool)
    for i in np.flatnonzero(missing.any(axis=(1, 2))):
        height = images[i].astype(float) - limit[i]
        islands, n = ndimage.label(height > 0, _AROUND)
        peaks = ndimage.maximum(height, islands, np.arange(1, n + 1))
        sources = np.flatnonzero(peaks >= max(2 * noise[i], 0.1 * height.max())) + 1
        touched = islands[ndimage.binary_dilation(missing[i], _AROUND)]
        spoilt[i] = missing[i].mean() > MISSING_LIMIT or np.isin(touched, sources).any()
    return spoilt


def _refuse(
    bad: ArrayLike, names: NDArray[np.str_] | None, fault: str, advice: str, *reasons: list[tuple[str, str]]
) -> None:
    """Raise an error that lists the bad images, by name where names are known."""
    positions = np.flatnonzero(bad)
    if not len(positions):
        return
    listed = [f"number {i}" if names is None else f"{names[i]} (number {i})" for i in positions[:10]]
    more = f" and {len(positions) - 10} more" if len(positions) > 10 else ""
    msg = f"{fault} in {len(positions)} of {np.size(bad)} images: {', '.join(listed)}{more}; {advice}"
    raise UnusableError(msg, *reasons)
