"""Angles between the jets of a source."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import center_of_mass


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

    Examples
    --------
    >>> image = np.zeros((1, 33, 33))
    >>> image[0, [16, 6], [6, 16]] = 1
    >>> measure_angles(image)
    array([90.])
    """
    from skimage.feature import peak_local_max

    angles = []
    for image in np.asarray(images, float):
        flux = image - image.min()
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
