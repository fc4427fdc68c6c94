"""How a telescope sees a source: restoring beam, correlated noise, and what other observations show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.stats import gaussian_fwhm_to_sigma
from astropy.table import Table
from numpy.typing import ArrayLike, NDArray
from scipy import fft, ndimage

from radiosynth._io import check
from radiosynth.sample import check_rng
from radiosynth.simulation.population import Distribution, draw_values
from radiosynth.surveys import FIRST


@dataclass(frozen=True)
class Observation:
    """How a telescope sees the sources, and how its images are prepared. FIRST by default.

    Images are smoothed by the beam and given noise. Those that are scaled are then thresholded as real ones,
    by `radiosynth.noise_threshold`.

    Parameters
    ----------
    beam_fwhm : float, default 5.4
        Full width at half maximum of the round restoring beam, in arcseconds (FIRST: 5.4 north of
        declination +4°33'; south of it the beam is 6.4 by 5.4).
    rms : float or distribution, default 0
        Noise of each image in units of its peak, correlated as the beam correlates it; finite, not negative.
        A distribution is as in `Population`: ``scipy.stats.loguniform(1e-3, 0.05)`` spans bright and faint
        sources of FIRST.
    pixel_scale : float, optional
        Arcseconds per pixel of the rendered image. Without it, images span the report's 4.5 arcmin.

    Raises
    ------
    ValueError
        If the beam or the pixel scale is not positive and finite, or the rms is not such a number.
    """

    beam_fwhm: float = FIRST.beam
    rms: Distribution | float = 0.0
    pixel_scale: float | None = None

    def __post_init__(self) -> None:
        rms = 0 if hasattr(self.rms, "rvs") else self.rms
        scale = 1.0 if self.pixel_scale is None else self.pixel_scale
        possible = 0 < self.beam_fwhm < np.inf and 0 <= rms < np.inf and 0 < scale < np.inf
        fault = f"{self}: beam_fwhm and pixel_scale must be positive, rms not negative, and all finite"
        check(possible, fault)

    def __str__(self) -> str:
        drawn = getattr(self.rms, "dist", None)  # of a frozen distribution of scipy.stats
        rms = self.rms if drawn is None else f"{drawn.name}{self.rms.args}"  # type: ignore[union-attr]
        return f"beam {self.beam_fwhm} arcsec, rms {rms}, pixels {self.pixel_scale}"

    @property
    def edge(self) -> int:
        """Edge in pixels of an image of the report's 4.5 arcmin, in pixels of FIRST if none are given."""
        return round(FIRST.field * 60 / (self.pixel_scale or FIRST.pixel_scale))

    def beam_sigma(self, size: int) -> float:
        """Return the standard deviation of the beam in pixels of an image of `size` pixels."""
        return self.beam_fwhm * gaussian_fwhm_to_sigma / (self.pixel_scale or FIRST.scale(size))

    def noise_of(
        self, parameters: Table | Mapping[str, Any], rng: np.random.Generator | None
    ) -> NDArray[np.float64]:
        """Return the noise of each image in units of its peak: the column ``rms``, drawn if it is absent."""
        if "rms" in parameters.keys():  # noqa: SIM118
            rms = np.asarray(parameters["rms"], float)
        else:
            rms = draw_values(self.rms, len(parameters["fr_type"]), rng)
        held = f"rms holds {rms.min(initial=0):g} to {rms.max(initial=0):g}"
        check(((rms >= 0) & (rms <= 1e6)).all(), f"{held}; give fractions of the peak, from 0 to a million")
        return rms


def beam_noise(shape: tuple[int, ...], sigma: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return Gaussian noise of rms 1 as correlated by a beam of `sigma` pixels, periodic at the edges."""
    # White noise behind a Gaussian beam has the autocorrelation exp(-r²/4σ²), a product over the axes.
    lag = fft.fftfreq(shape[-1], 1 / shape[-1])
    power = np.maximum(fft.fft(np.exp(-((lag / sigma) ** 2) / 4)).real, 0)
    transfer = np.sqrt(np.outer(power, power[: shape[-1] // 2 + 1])).astype(np.float32)
    white = rng.standard_normal(shape, dtype=np.float32)
    return fft.irfft2(fft.rfft2(white) * transfer, s=shape[1:])


def degrade_randomly(
    images: ArrayLike, rng: np.random.Generator, *, probability: float = 0.3
) -> NDArray[np.float32]:
    """Show each image as another observation might: with neighbours, noise, another beam, parts missing.

    Five changes are made to an image, each with the given probability. Another of the images appears 0.3 to
    0.6 of the frame away, 0.2 to 2 times as bright. The beam grows to at most 1.3 times that of FIRST. Noise
    of 0.3 to 8 % of the peak, correlated by the beam, is added, and the image thresholded again at 2.5 to 4.5
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
