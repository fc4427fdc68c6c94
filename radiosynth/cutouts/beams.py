"""Beams of images: those of a header, and images convolved to FIRST's."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiosynth._io import check
from radiosynth.cutouts.files import Opened, blamed, need
from radiosynth.cutouts.pixels import blanked
from radiosynth.preprocessing import missing_pixels
from radiosynth.surveys import COARSEST_BEAM, FIRST

_FWHM = np.sqrt(8 * np.log(2))
"""Full width at half maximum of a Gaussian of unit standard deviation."""


def beams_of(opened: Opened, beam: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the beam of a mosaic and the one its cutouts shall have, as matrices in arcsec² west and north.

    Such a matrix is that of a Gaussian's covariance, but with full widths at half maximum for standard
    deviations; a convolution adds them.
    """
    if beam is None:
        unknown = "its header does not tell the beam: BMAJ, BMIN or BPA is missing or no number ({})"
        with blamed(f"{unknown}; give beam (--beam) in arcsec"):
            major, minor = (3600 * float(axis) for axis in opened.beam[:2])
            angle = float(opened.beam[2] or 0)
        # Not of galactic coordinates, where it is counted from another north.
        turned = opened.beam[2] is not None and opened.wcs.wcs.lngtyp == "RA"
        fault = "the position angle of its beam from the north of RA and DEC is not known; give beam (--beam)"
        need(turned or major == minor, fault)
    else:
        given = np.ravel(np.asarray(beam, float)).tolist()
        told = f"beam is {beam}; give arcsec, or major and minor axis and position angle"
        check(len(given) in (1, 3), told)
        major, minor, angle = given if len(given) == 3 else (given[0], given[0], 0.0)
    said = f"its beam of {major:.3g}×{minor:.3g} arcsec"
    usual = 0 < minor <= major < np.inf and np.isfinite(angle)
    need(usual, f"{said} at {angle:.3g}° makes no sense; give beam (--beam) in arcsec")
    coarser = f"{said} is coarser than FIRST's, {FIRST.beam} to {COARSEST_BEAM} arcsec"
    advice = "networks trained on FIRST cannot classify what it blurs: give a sharper image"
    need(major <= COARSEST_BEAM * 1.005, f"{coarser}; {advice}")
    sine, cosine = np.sin(np.radians(angle)), np.cos(np.radians(angle))
    axes = np.array([[-sine, cosine], [cosine, sine]])  # rows: the major and the minor axis
    widths = np.array([major, minor])
    widened = np.where(widths < 0.98 * FIRST.beam, FIRST.beam, widths)
    return axes.T * widths**2 @ axes, axes.T * widened**2 @ axes


def as_seen(opened: Opened, per_pixel: NDArray, beams: tuple[NDArray, NDArray]) -> Opened:
    """Return a mosaic whose parts, when cut, are blank where data are missing, and have the wanted beam."""
    own, wanted = beams
    # The kernel makes the difference, on the sky; and as a covariance in the pixels of the file, x and y.
    inverse = np.linalg.inv(per_pixel) / _FWHM
    kernel = inverse @ (wanted - own) @ inverse.T
    margins = np.ceil(5 * np.sqrt(np.diag(kernel).clip(0))).astype(int)[::-1]
    gain = np.sqrt(np.linalg.det(wanted) / np.linalg.det(own)) if opened.unit == "Jy/beam" else 1.0

    def cut(*parts: slice) -> NDArray[np.float64]:
        # Beyond the end of the file nothing is cut.
        wide = [slice(max(0, part.start - n), part.stop + n) for part, n in zip(parts, margins, strict=True)]
        pixels = blanked(opened.cut(*wide)).astype(float)
        # Also zeros, which a convolution would make look like data.
        pixels[missing_pixels(pixels[None])[0]] = np.nan
        if margins.any():
            pixels = gain * _convolved(pixels, kernel, margins)
        pairs = zip(parts, wide, strict=True)
        return pixels[tuple(slice(part.start - w.start, part.stop - w.start) for part, w in pairs)]

    return opened._replace(cut=cut)


def _convolved(pixels: NDArray, kernel: NDArray, margins: NDArray) -> NDArray[np.float64]:
    """Return an image convolved with a Gaussian of a covariance matrix in pixels², blank where it was.

    The transform of a Gaussian is known, of any width and angle. A sampled kernel, as astropy takes, is too
    coarse for those of less than a pixel, and there is none where only one axis is to be widened.
    """
    from scipy import fft

    finite, shape = np.isfinite(pixels), pixels.shape
    padded = [fft.next_fast_len(int(n + margin), real=True) for n, margin in zip(shape, margins, strict=True)]
    y, x = np.meshgrid(fft.fftfreq(padded[0]), fft.rfftfreq(padded[1]), indexing="ij")
    exponent = kernel[0, 0] * x**2 + 2 * kernel[0, 1] * x * y + kernel[1, 1] * y**2
    transfer = np.exp(-2 * np.pi**2 * exponent)
    # Divided by the convolved weights: what lies beside a blank area is the mean of what there is.
    values = np.stack([np.where(finite, pixels, 0), finite])
    image, weight = fft.irfft2(fft.rfft2(values, padded) * transfer, padded)[:, : shape[0], : shape[1]]
    return np.divide(image, weight, out=np.full(shape, np.nan), where=finite)
