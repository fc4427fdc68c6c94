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


def usable(pixels: NDArray, keep_nan: bool) -> NDArray[np.float32]:
    """Return an image in single precision, or say why it cannot be used."""
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
    # Squares of what is beyond are beyond single precision.
    peak, held = max(abs(low), abs(high)), f"pixels from {low:.9g} to {high:.9g} lose their detail in the "
    need(1e-15 < peak < 1e15, f"{held}32-bit numbers used here: store them in a larger or smaller unit")
    need(high - low >= peak * 1e-5, f"{held}32-bit numbers used here: store them less a constant")
    return image.astype(np.float32)
