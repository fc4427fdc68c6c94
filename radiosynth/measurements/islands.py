"""What lies on a cutout: the noise of its sky, bright islands, and the source that they make."""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray
from scipy import ndimage

from radiosynth.measurements.sources import largest_extent
from radiosynth.preprocessing import missing_pixels, sky_and_peak

BLANK: dict[str, float] = dict.fromkeys(
    ("level", "noise", "peak_snr", "extent", "at_rim", "offset", "islands", "imbalance", "specks", "depth"),
    np.nan,
) | {"at_rim": False, "islands": 0, "specks": 0, "missing": 1.0}
"""What `measure_islands` gives for an image without data."""


_AROUND = np.ones((3, 3))


def measure_islands(
    image: NDArray, *, pixel_scale: float, beam: float, n_sigma: float, join: float, component: float
) -> dict[str, float]:
    """Measure the bright islands of one cutout.

    Parameters
    ----------
    image : ndarray, shape (size, size)
        Image in any unit.
    pixel_scale, beam, n_sigma, join, component
        As in `radiosynth.selection.Cuts`.

    Returns
    -------
    dict of str to float
        From ``level`` to ``missing``, the columns of `radiosynth.automatic_cuts`.
    """
    # 1. The sky. Where it was set to a threshold, the pixels above it are higher than they are shown.
    stack = np.asarray(image, np.float32)[None]
    (missing,) = missing_pixels(stack)
    found = BLANK | {"missing": missing.mean()}
    if missing.all():
        return found
    (level,), (noise,), _ = sky_and_peak(stack, missing[None])
    flux = np.where(missing, 0, image - level).astype(float)
    half_a_beam = 0.5 * np.pi / (4 * np.log(2)) * (beam / pixel_scale) ** 2
    if noise == 0 and (flux > 0).any():
        noise = _noise_left(flux, half_a_beam)
        flux[flux > 0] += 3 * noise
    peak, depth = flux.max(), -flux.min()
    found |= {"level": level, "noise": noise or np.nan, "peak_snr": peak / (noise or np.nan)}
    found["depth"] = depth / peak if depth > 2 * n_sigma * noise else 0
    # 2. Islands of bright pixels: specks are smaller than half a beam, and faint ones do not count.
    islands, n = ndimage.label(flux > n_sigma * noise, _AROUND)
    if n == 0:
        return found
    numbers = np.arange(1, n + 1)
    areas, fluxes = (ndimage.sum_labels(values, islands, numbers) for values in (islands > 0, flux))
    counts = (areas >= half_a_beam) & (fluxes > component * fluxes.max())
    found |= {"specks": (areas < half_a_beam).sum(), "islands": counts.sum()}
    if not counts.any():
        return found
    # 3. The source: islands that lie close together, those of most flux.
    bright = np.isin(islands, numbers[counts])
    distance = ndimage.distance_transform_edt(~bright) * pixel_scale
    groups, n_groups = ndimage.label(distance <= join / 2, _AROUND)
    joint = ndimage.sum_labels(flux * bright, groups, np.arange(1, n_groups + 1))
    source = bright & (groups == joint.argmax() + 1)
    for name, mask in (("offset", source), ("imbalance", bright)):
        off = np.array(ndimage.center_of_mass(flux * mask)) - (np.array(image.shape) - 1) / 2
        found[name] = float(np.hypot(*off)) * pixel_scale
    where = np.argwhere(source)
    at_rim = where.min() == 0 or where.max() == len(image) - 1
    return found | {"extent": largest_extent(where) / len(image), "at_rim": at_rim}


def _noise_left(flux: NDArray, area: float) -> float:
    """Return the noise of a thresholded image, by the islands smaller than an area that it left.

    Gaussian noise above three sigma is 0.283 sigma above it on average; and as many pixels are left as it
    has above three sigma and one grey level, which is better where grey levels are coarse.
    """
    islands, n = ndimage.label(flux > 0, _AROUND)
    small = np.bincount(islands.ravel(), minlength=n + 1) < area
    left = flux[small[islands] & (islands > 0)]
    level = flux[flux > 0].min()
    height = scipy.stats.norm.isf(max(left.size, 1) / flux.size) - 3
    by_number = level / height if height > 0 else np.inf
    return float(min(by_number, left.mean() / 0.283)) if left.size else float(by_number)
