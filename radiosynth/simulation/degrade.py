"""What other observations would have shown of sources that were observed well."""

from __future__ import annotations

import numpy as np
from astropy.stats import gaussian_fwhm_to_sigma
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from radiosynth.sample import check_rng
from radiosynth.simulation.observe import beam_noise
from radiosynth.surveys import FIRST


def degrade_randomly(
    images: ArrayLike, rng: np.random.Generator, *, probability: float = 0.3
) -> NDArray[np.float32]:
    """Show each image as another observation might: with neighbours, noise, another beam, parts missing.

    Five changes are made to an image, each with the given probability. Another of the images appears 0.3 to
    0.6 of the frame away, 0.2 to 2 times as bright. The beam grows to at most 1.3 times that of FIRST. Noise
    of 0.3 to 8 % of the peak, correlated by the beam, is added, and the image thresholded anew at 2.5 to 4.5
    times that (in half of the cases without the noise). Data are missing beyond a line 0.15 to 0.5 of the
    frame from the centre, or around the central 0.6 to 1 of the frame.

    Parameters
    ----------
    images : array_like, shape (n, size, size)
        Prepared images, in [-1, 1] with the background at -1, in pixels of 1.8 arcsec.
    rng : numpy.random.Generator
        Source of randomness.
    probability : float
        Probability of each change.

    Returns
    -------
    ndarray of float32, shape (n, size, size)
        The images, again in [-1, 1].

    Examples
    --------
    >>> source = np.full((4, 64, 64), -1.0)
    >>> source[:, 30:34, 30:34] = 1
    >>> seen = degrade_randomly(source, np.random.default_rng(1), probability=1)
    >>> bool((seen != source).any()), float(seen.min()), float(seen.max())
    (True, -1.0, 1.0)
    """
    check_rng(rng)
    seen = np.asarray(images, np.float32)
    light = (seen + 1) / 2
    n, size = light.shape[:2]
    row, column = np.indices((size, size)) - (size - 1) / 2

    def chosen() -> NDArray[np.intp]:
        return np.flatnonzero(rng.random(n) < probability)

    rows, others = chosen(), light[rng.permutation(n)]  # a neighbour
    away, angle = rng.uniform(0.3, 0.6, len(rows)) * size, rng.uniform(0, 2 * np.pi, len(rows))
    brightness = np.exp(rng.uniform(np.log(0.2), np.log(2), len(rows)))
    for i, x, y, factor in zip(rows, away * np.cos(angle), away * np.sin(angle), brightness, strict=True):
        light[i] += factor * ndimage.shift(others[i], (y, x), order=1)

    # A larger beam.
    beam = FIRST.beam * gaussian_fwhm_to_sigma / FIRST.pixel_scale
    for i in chosen():
        light[i] = ndimage.gaussian_filter(light[i], rng.uniform(0, 0.83) * beam)

    # Noise, and the threshold that follows from it.
    rows = chosen()
    rms = np.exp(rng.uniform(np.log(0.003), np.log(0.08), (len(rows), 1, 1))).astype(np.float32)
    noise = beam_noise((len(rows), size, size), beam, rng) * rms * (rng.random((len(rows), 1, 1)) < 0.5)
    limits = rng.uniform(2.5, 4.5, (len(rows), 1, 1)).astype(np.float32) * rms
    light[rows] = np.maximum(light[rows] + noise - limits, 0)

    # Missing data.
    for i in chosen():
        direction = rng.uniform(0, 2 * np.pi)
        light[i][row * np.cos(direction) + column * np.sin(direction) > rng.uniform(0.15, 0.5) * size] = 0
    for i in chosen():
        light[i][np.maximum(abs(row), abs(column)) > rng.uniform(0.3, 0.5) * size] = 0

    peaks = light.max(axis=(1, 2), keepdims=True)
    lost = peaks[:, 0, 0] == 0  # nothing of a faint source may be left
    light[lost], peaks[lost] = (seen[lost] + 1) / 2, 1
    return 2 * light / peaks - 1
