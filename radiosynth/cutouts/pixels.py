"""Pixels of an image that hold no data, and images of no use."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radiosynth.cutouts.files import need


def blanked(image: NDArray) -> NDArray[np.floating]:
    """Return an image with NaN for values that stand for missing data, such as -9999 or numpy's 1e20.

    They are in less than half of the pixels, and lie below all others by more than the range of these, or
    above by a thousand times that range. Zeros are left to `missing_pixels`.
    """
    pixels = np.array(image, np.float32 if np.can_cast(image.dtype, np.float32) else float)
    finite = np.isfinite(pixels)
    values = pixels.ravel() if finite.all() else pixels[finite]
    for extreme, opposite, far in ((np.max, np.min, 1000), (np.min, np.max, 1)):
        blank, other = (float(extreme(values)), float(opposite(values))) if values.size else (0.0, 0.0)
        # A gap of so many times the range of the others is this part of the range of all.
        edge = blank + (other - blank) * (far / (1 + far))
        beyond = np.count_nonzero(values >= edge if far > 1 else values <= edge)
        stands_out = (blank > 0) == (far > 1) and 2 * beyond < values.size and blank != 0
        if stands_out and beyond == np.count_nonzero(values == blank):
            rest = values[values != blank]
            if np.ptp(rest) > 0:
                pixels[pixels == blank], values = np.nan, rest
    return pixels


def usable(pixels: NDArray, unit: str, keep_nan: bool) -> tuple[NDArray[np.float32], str]:
    """Return an image in single precision and its unit, or say why it cannot be used."""
    height, width = pixels.shape
    bad = ~np.isfinite(pixels)
    missing = "NaN, infinite or transparent"
    need(not bad.all(), f"all pixels are {missing}: outside of the survey, or a failed cutout; leave it out")
    need(height == width, f"is not square ({height}×{width}); give size={min(height, width)} or less")
    advice = "give a smaller size (--crop), or leave it out"
    need(keep_nan or not bad.any(), f"{bad.sum()} of {bad.size} pixels are {missing}; {advice}")
    image = np.where(bad, np.nan, pixels) if bad.any() else pixels
    low, high = float(np.nanmin(image)), float(np.nanmax(image))
    peak = max(abs(low), abs(high))
    if peak and not 1e-15 < peak < 1e15:  # beyond single precision: a power of ten goes into the unit
        power = int(np.clip(np.floor(np.log10(peak)), -300, 300))
        image, unit = image.astype(float) * 10.0**-power, f"1e{power} {unit}".strip()
        low, high, peak = (value * 10.0**-power for value in (low, high, peak))
    need(low < high, f"all pixels have the value {low:g}: there is no source in it; leave it out")
    told = f"pixels from {low:.9g} to {high:.9g} lose their detail in the 32-bit numbers used here"
    need(high - low >= peak * 1e-5, f"{told}: store them less a constant")
    return image.astype(np.float32), unit
