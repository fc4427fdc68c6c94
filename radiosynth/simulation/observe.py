"""How a telescope sees a source: restoring beam and correlated noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.stats import gaussian_fwhm_to_sigma
from astropy.table import Table
from numpy.typing import NDArray
from scipy import fft

from radiosynth._io import check
from radiosynth.simulation.population import Distribution, draw_values
from radiosynth.surveys import FIRST


@dataclass(frozen=True)
class Observation:
    """How a telescope sees the sources, and how its images are prepared. FIRST by default.

    Images are smoothed by the beam and given noise; then, as real ones, the pixels below `n_sigma` times
    the noise are set to that threshold, by `radiosynth.noise_threshold`.

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
    n_sigma : float or None, default 3
        Threshold of images that have noise and are scaled. None leaves the noise.

    Raises
    ------
    ValueError
        If the beam or the pixel scale is not positive and finite, or the rms is not such a number.
    """

    beam_fwhm: float = FIRST.beam
    rms: Distribution | float = 0.0
    pixel_scale: float | None = None
    n_sigma: float | None = 3.0

    def __post_init__(self) -> None:
        rms = 0 if hasattr(self.rms, "rvs") else self.rms
        scale = 1.0 if self.pixel_scale is None else self.pixel_scale
        possible = 0 < self.beam_fwhm < np.inf and 0 <= rms < np.inf and 0 < scale < np.inf
        fault = f"{self}: beam_fwhm and pixel_scale must be positive, rms not negative, and all finite"
        check(possible, fault)

    def __str__(self) -> str:
        drawn = getattr(self.rms, "dist", None)  # of a frozen distribution of scipy.stats
        rms = self.rms if drawn is None else f"{drawn.name}{self.rms.args}"  # type: ignore[union-attr]
        return f"beam {self.beam_fwhm} arcsec, rms {rms}, pixels {self.pixel_scale}, n_sigma {self.n_sigma}"

    @property
    def edge(self) -> int:
        """Edge in pixels of an image of the report's 4.5 arcmin, in pixels of FIRST if none are given."""
        return round(FIRST.field * 60 / (self.pixel_scale or FIRST.pixel_scale))

    def beam_sigma(self, size: int) -> float:
        """Return the standard deviation of the beam in pixels of an image of `size` pixels."""
        scale = FIRST.scale(size) if self.pixel_scale is None else self.pixel_scale
        return self.beam_fwhm * gaussian_fwhm_to_sigma / scale

    def noise_of(
        self, parameters: Table | Mapping[str, Any], n: int, rng: np.random.Generator | None
    ) -> NDArray[np.float64] | None:
        """Return the noise of each image in units of its peak, by ``rms`` of the parameters; None if none."""
        if "rms" in parameters.keys():  # noqa: SIM118
            rms = np.asarray(parameters["rms"], float)
        else:
            rms = draw_values(self.rms, n, rng)
        if not rms.any():
            return None
        fault = f"rms holds {rms.min():g} to {rms.max():g}; give finite fractions of the peak, 0 or more"
        check((np.isfinite(rms) & (rms >= 0)).all(), fault)
        return rms


def beam_noise(shape: tuple[int, ...], sigma: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return Gaussian noise of rms 1 as correlated by a beam of `sigma` pixels, periodic at the edges."""
    # White noise behind a Gaussian beam has the autocorrelation exp(-r²/4σ²), a product over the axes.
    lag = fft.fftfreq(shape[-1], 1 / shape[-1])
    power = np.maximum(fft.fft(np.exp(-((lag / sigma) ** 2) / 4)).real, 0)
    transfer = np.sqrt(np.outer(power, power[: shape[-1] // 2 + 1])).astype(np.float32)
    white = rng.standard_normal(shape, dtype=np.float32)
    return fft.irfft2(fft.rfft2(white) * transfer, s=shape[1:])
