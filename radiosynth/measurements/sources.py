"""Sizes, components and bends of a source."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from astropy.table import Table
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import center_of_mass
from scipy.spatial.distance import pdist, squareform

from radiosynth._io import check

THRESHOLD = 0.05
"""Pixels fainter than this fraction of the peak do not count as part of the source."""


SEPARATION = 10.8
"""Least distance of two components in arcseconds: two beams of FIRST."""


COLUMNS = {
    "concentration": None,
    "angular_size": "arcsec",
    "axis_ratio": None,
    "components": None,
    "bending_angle": "deg",
    "area": "arcsec2",
    "offset": "arcsec",
    "asymmetry": None,
    "edge_brightening": None,
}
"""Columns of `measure` and their units."""


def measure(images: ArrayLike, *, pixel_scale: float) -> Table:
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

        ``concentration``: proportion of the flux that is brighter than half the peak.
        ``angular_size``: largest extent in arcseconds.
        ``axis_ratio``: short over long axis, from the second moments of the flux.
        ``components``: number of peaks at least 10.8 arcsec (two beams) from any brighter one; 0 if blank.
        ``bending_angle``: by how many degrees the way from one end over the middle to the other turns;
        0 is straight, and beyond 120 it comes out far too small. NaN with fewer than two components,
        or nothing between them.
        ``area``: flux over peak, in square arcseconds.
        ``offset``: distance of the mean of the flux from the middle of the image, in arcseconds.
        ``asymmetry``: distance of the peak from that mean, over the angular size.
        ``edge_brightening``: root mean square distance of the flux from its mean, over the angular size.

    Raises
    ------
    ValueError
        If the images have another shape, are not finite, or the pixel scale is not positive.

    Examples
    --------
    >>> y, x = np.mgrid[:41, :41] - 20
    >>> table = measure([np.exp(-((x - 3) ** 2 / 32 + y**2 / 8))], pixel_scale=1)
    >>> round(float(table["axis_ratio"][0]), 2), round(float(table["offset"][0]), 2)
    (0.5, 3.0)
    """
    check(pixel_scale > 0, f"pixel_scale is {pixel_scale}; give a positive number of arcsec")
    found = [_measure_source(flux, pixel_scale) for flux in _above_sky(images)]
    columns = {name: np.array([row.get(name, np.nan) for row in found], float) for name in COLUMNS}
    columns["components"] = columns["components"].astype(int)
    return Table(columns, units=COLUMNS)


def _above_sky(images: ArrayLike) -> Iterator[NDArray[np.float64]]:
    """Return images less their faintest pixel, or raise `ValueError` unless all are square and finite."""
    pixels = np.ma.filled(np.ma.asarray(images, np.float64), np.nan)
    square = pixels.ndim == 3 and pixels.shape[1] == pixels.shape[2]
    fault = f"images {pixels.shape}: give finite images of shape (n, size, size)"
    check(square and np.isfinite(pixels).all(), fault)
    return (image - image.min() for image in pixels)


def _measure_source(flux: NDArray[np.float64], pixel_scale: float) -> dict[str, float]:
    """Return what `measure` finds on one image of flux above the sky."""
    from skimage.feature import peak_local_max

    # The outline: pixels above a twentieth of the peak.
    peak = flux.max()
    if peak == 0:
        return {"components": 0}
    where, weights = np.argwhere(flux > THRESHOLD * peak), flux[flux > THRESHOLD * peak]
    # A pixel is one pixel wide: its centre alone would have no moments. Those of scikit-image's regions are
    # about the same, but saved fits depend on the last digit.
    moments = np.linalg.eigvalsh(np.cov(where.T, aweights=weights, ddof=0) + np.eye(2) / 12)
    # The components: peaks two beams apart.
    apart = max(1, round(SEPARATION / pixel_scale))
    peaks = peak_local_max(flux, min_distance=apart, threshold_rel=THRESHOLD, exclude_border=False)
    mean = np.average(where, axis=0, weights=weights)
    far = np.linalg.norm(where - mean, axis=1)
    extent = largest_extent(where) * pixel_scale
    return {
        "concentration": weights[weights > peak / 2].sum() / weights.sum(),
        "angular_size": extent,
        "axis_ratio": np.sqrt(moments[0] / moments[1]),
        "components": len(peaks),
        "bending_angle": _bending(peaks, flux[tuple(peaks.T)], where, weights),
        "area": weights.sum() / peak * pixel_scale * pixel_scale,
        "offset": float(np.linalg.norm(mean - (len(flux) - 1) / 2)) * pixel_scale,
        "asymmetry": far[weights.argmax()] * pixel_scale / extent,
        "edge_brightening": np.sqrt(np.average(far**2, weights=weights)) * pixel_scale / extent,
    }


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


def largest_extent(where: ArrayLike) -> float:
    """Return the largest extent in pixels of those given by row and column, shape (n, 2)."""
    angles = np.radians(np.arange(0, 180, 5))
    # A pixel is one pixel wide: its centre alone would have no extent.
    return float(np.ptp(np.asarray(where) @ [np.cos(angles), np.sin(angles)], axis=0).max() + 1)


def bending_angle(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """Return the bending angle between jets of two position angles.

    Parameters
    ----------
    first, second : array_like of float
        Position angles in degrees; from any range.

    Returns
    -------
    ndarray of float64
        180 degrees minus the angle between the jets, from 0 to 180.

    Examples
    --------
    >>> bending_angle([0, 350, 20], [180, 10, 290])
    array([  0., 160.,  90.])
    """
    apart = np.subtract(second, first, dtype=float)
    return np.abs((apart + 360) % 360 - 180)


def measure_angles(images: ArrayLike, *, apart: int = 4) -> NDArray[np.float64]:
    """Measure bending angles without a network: between the two brightest peaks, as seen from the centre.

    Parameters
    ----------
    images : array_like of float, shape (n, size, size)
        Images with the sky at the lowest value, the host galaxy at the centre.
    apart : int
        Least distance in pixels between peaks, and of a peak from the centre.

    Returns
    -------
    ndarray of float64, shape (n,)
        Angles in degrees; NaN where there are no two peaks above a tenth of the brightest pixel.

    Raises
    ------
    ValueError
        If the images have another shape, or are not finite.

    Examples
    --------
    >>> image = np.zeros((1, 33, 33))
    >>> image[0, [16, 6], [6, 16]] = 1
    >>> measure_angles(image)
    array([90.])
    """
    from skimage.feature import peak_local_max

    angles = []
    for flux in _above_sky(images):
        # The peaks, brightest first.
        peaks = peak_local_max(flux, min_distance=apart, threshold_rel=0.1, exclude_border=2)
        # To a fraction of a pixel: the centre of light of the 25 pixels around each.
        windows = [np.ix_(*(np.arange(k - 2, k + 3) for k in peak)) for peak in peaks]
        centre = (len(flux) - 1) / 2
        light = [center_of_mass(flux[window]) for window in windows]
        y, x = (peaks - 2 + np.reshape(light, (-1, 2)) - centre).T
        away = np.flatnonzero(np.hypot(x, y) >= apart)[:2]
        position = np.degrees(np.arctan2(-x[away], y[away]))
        angles.append(float(bending_angle(*position)) if len(away) == 2 else np.nan)
    return np.array(angles)
