"""Pixels of an image that hold no data, and images of no use."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radiosynth.cutouts.files import need


def blanked(image: NDArray) -> NDArray[np.float64]:
    """Return an image with NaN for values that stand for missing data, such as -9999 or numpy's 1e20.

    They are in less than half of the pixels, and lie below all others by more than the range of these, or
    above by a thousand times that range. Zeros are left to `missing_pixels`.
    """
    pixels = np.array(image, float)
    values = pixels[np.isfinite(pixels)]
    for blank, far in ((values.min(initial=0), 1), (values.max(initial=0), 1000)):
        rest = values[values != blank]
        if blank and 2 * rest.size > values.size and abs(rest - blank).min() > far * np.ptp(rest) > 0:
            pixels[pixels == blank] = np.nan
    return pixels


def _in_range(image: NDArray, unit: str) -> tuple[NDArray, str]:
    """Return an image that single precision can hold, and square: a power of ten goes into the unit."""
    peak = np.abs(image[np.isfinite(image)]).max(initial=0)
    if peak == 0 or 1e-15 < peak < 1e15:
        return image, unit
    power = int(np.clip(np.floor(np.log10(peak)), -300, 300))
    return image * 10.0**-power, f"1e{power} {unit}".strip()


def usable(pixels: NDArray, unit: str, keep_nan: bool) -> tuple[NDArray[np.float32], str]:
    """Return an image in single precision and its unit, or say why it cannot be used."""
    pixels, unit = _in_range(pixels, unit)
    height, width = pixels.shape
    bad = ~np.isfinite(pixels)
    missing = "NaN, infinite or transparent"
    need(not bad.all(), f"all pixels are {missing}: outside of the survey, or a failed cutout; leave it out")
    need(height == width, f"is not square ({height}×{width}); give size={min(height, width)} or less")
    advice = "give a smaller size (--crop), or leave it out"
    need(keep_nan or not bad.any(), f"{bad.sum()} of {bad.size} pixels are {missing}; {advice}")
    image = np.where(bad, np.nan, pixels)
    low, high = np.nanmin(image), np.nanmax(image)
    need(low < high, f"all pixels have the value {low:g}: there is no source in it; leave it out")
    told = f"pixels from {low:.9g} to {high:.9g} lose their detail in the 32-bit numbers used here"
    need(high - low >= max(abs(low), abs(high)) * 1e-5, f"{told}: store them less a constant")
    return image.astype(np.float32), unit
