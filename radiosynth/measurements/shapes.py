"""Four hundred numbers about the shape of a source.

None of them depends on where the source lies near the middle, on orientation or on mirroring; lengths are in
pixels of the image.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from astropy.table import Table
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull

from radiosynth.measurements.sources import finite_images

LEVELS = (0.0, 0.05, 0.15, 0.4)
"""Fractions of the peak above which a source is outlined."""


RINGS = (0, 6, 12, 24, 48)
"""Radii in pixels that bound the rings in which angular modes are measured."""


PATCH = 99
"""Edge in pixels of the upright image that is compared with its mirror images."""


def measure_shapes(images: ArrayLike) -> Table:
    """Measure shapes of sources: sizes, symmetries, bends and where the light is.

    The light is divided by its peak in the middle half of an image. It is measured twice: of the *source*,
    the islands of light that come near the middle, and of the *field*, all within two fifths of the edge
    from there. Outlines are taken at several ``LEVELS``, weighted by the square root of the light, so that
    faint plumes count, and at the lowest level by the light itself, too. *Along* and *across* are the axes of
    the second moments. The ideas are old: where the brightest spots lie between middle and end (Fanaroff &
    Riley 1974), moments (Hu 1962), symmetry under a half turn (Conselice 2003).

    Parameters
    ----------
    images : array_like, shape (n, size, size)
        Images of any units with a source in the middle; the faintest pixel of each counts as empty sky.

    Returns
    -------
    ~astropy.table.Table
        One row per image. Columns are named by family, feature, weight, level and part;
        ``meta["families"]`` has the family of each. NaN where fewer than three pixels are above a level.

    Raises
    ------
    ValueError
        If the images have another shape, are not finite, or none shows a source.

    Examples
    --------
    >>> y, x = np.mgrid[:96, :96] - 47.5
    >>> ellipse = np.where((x / 20) ** 2 + (y / 10) ** 2 < 1, 1.0, 0.0)
    >>> table = measure_shapes([ellipse, ellipse.T])
    >>> table["roundness: axis ratio, by root, above 0.05, source"].round(2).tolist()
    [0.5, 0.5]
    """
    pixels = finite_images(images)
    rows = [_measure(image - image.min()) for image in pixels]
    features = list(dict.fromkeys(feature for row in rows for feature in row))
    if not features:
        msg = f"{len(pixels)} images without a source: give some in which three pixels are above the faintest"
        raise ValueError(msg)
    columns = {": ".join(each): [row.get(each, np.nan) for row in rows] for each in features}
    return Table(columns, meta={"families": [family for family, _ in features]})


Features = dict[tuple[str, str], float]
"""What was measured on an image, by family and feature."""


def _measure(flux: NDArray[np.float64]) -> Features:
    """Return the features of one image of flux above the sky."""
    # Brighter neighbours near the rim do not set the scale.
    size = len(flux)
    middle = slice(size // 4, size - size // 4)
    light = np.minimum(flux / (flux[middle, middle].max() or 1.0), 1.0)
    y, x = np.indices(flux.shape) - (size - 1) / 2
    radius = np.hypot(y, x)
    # Two lobes without a bridge are one source if a beam of FIRST on either side closes the gap.
    islands, _ = ndimage.label(ndimage.binary_dilation(light > 0, iterations=3))
    near = np.setdiff1d(islands[(radius < size / 6) & (light > LEVELS[1])], 0)
    measured: Features = {}
    for part, region in (("source", np.isin(islands, near)), ("field", radius < 0.4 * size)):
        seen = light * region
        if np.count_nonzero(seen) < 3:
            continue
        found = _symmetry(seen) | _growth(seen)
        for level in LEVELS:
            found |= _marked(_outline(seen, level), f"above {level}")
        measured |= _marked(found, part)
    return measured


def _marked(found: Features, mark: str) -> Features:
    """Return features with a mark, such as a level, added to their names."""
    return {(family, f"{name}, {mark}"): float(value) for (family, name), value in found.items()}


def _axes(where: NDArray, weights: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Return places about their mean, and the widths of, and the unit vectors, across and along a source."""
    places = where - weights @ where
    # A pixel is one pixel wide: its centre alone would have no moments.
    moments, vectors = np.linalg.eigh((places * weights[:, None]).T @ places + np.eye(2) / 12)
    return places, np.sqrt(moments), vectors


def _outline(light: NDArray, level: float) -> Features:
    """Return the features of what is above a level."""
    where, seen = np.argwhere(light > level), light[light > level]
    if len(seen) < 3:
        return {}
    # The hull of the corners of the pixels: that of scikit-image counts pixels, and steps as a source turns.
    corners = [where + shift for shift in ((0.5, 0.5), (0.5, -0.5), (-0.5, 0.5), (-0.5, -0.5))]
    pieces = np.sort(np.bincount(ndimage.label(light > level, np.ones((3, 3)))[0].ravel())[1:])[::-1]
    measured = {
        ("size", "area"): len(seen),
        ("roundness", "solidity"): len(seen) / ConvexHull(np.concatenate(corners)).volume,
        ("pieces", "number"): len(pieces),
        ("pieces", "second of first"): pieces[1] / pieces[0] if len(pieces) > 1 else 0.0,
    }
    for power, kind in ((0.5, "root"), (1.0, "flux")):
        if kind == "root" or level == 0:
            measured |= _marked(_along_and_across(where, seen**power), f"by {kind}")
    return measured


def _along_and_across(where: NDArray, light: NDArray) -> Features:
    """Return the features of light at some places, along and across the axes of its second moments."""
    weights = light / light.sum()
    places, (width, length), vectors = _axes(where, weights)
    across, along = (places @ vectors).T

    # Without a unit: of a Gaussian they are the same, however wide it is.
    def moment(p: int, q: int) -> float:
        return float(weights @ (along**p * across**q) / (length**p * width**q))

    # Sizes, and a parabola through the light in units of the extent: a bent source follows it.
    middle, extent, breadth = (along.min() + along.max()) / 2, np.ptp(along) + 1, np.ptp(across) + 1
    powers, root = np.vander(along / extent, 3), np.sqrt(weights)
    ridge, *_ = np.linalg.lstsq(root[:, None] * powers, root * across / extent, rcond=None)
    measured = {
        ("size", "length"): length,
        ("size", "width"): width,
        ("roundness", "axis ratio"): width / length,
        ("symmetry", "skewness along"): abs(moment(3, 0)),
        ("symmetry", "skewness across"): abs(moment(0, 3)),
        ("light along", "kurtosis"): moment(4, 0),
        ("light across", "kurtosis"): moment(0, 4),
        ("light across", "far along"): moment(2, 2),
        ("bends", "bend"): abs(moment(2, 1)),
        ("bends", "bend of length"): abs(moment(2, 1)) * width / length,
        ("light across", "flare"): abs(moment(1, 2)),
        ("size", "extent"): extent,
        ("size", "breadth"): breadth,
        ("roundness", "breadth of extent"): breadth / extent,
        ("roundness", "filling"): len(light) / (extent * breadth),
        ("bends", "curvature"): abs(ridge[0]),
        ("bends", "thickness"): np.sqrt(weights @ (powers @ ridge - across / extent) ** 2),
    }
    # Two halves, about the mean of the light and about the middle of the outline.
    for name, centre in (("mean", 0.0), ("middle", middle)):
        # A pixel is one pixel wide: one on the dividing line is divided, so that rounding decides nothing.
        beyond = np.clip(along - centre + 0.5, 0, 1)
        halves = [(half > 0.49, half * weights) for half in (1 - beyond, beyond)]
        if min(inside.sum() for inside, _ in halves) <= 1:
            continue
        out = abs(along - centre)
        flux = [light.sum() for _, light in halves]
        turn = [np.arctan2(light @ across, light @ out) for _, light in halves]
        # The criterion of Fanaroff and Riley: near the middle in their class I, near the end in class II.
        brightest = [inside & (weights > 0.999 * weights[inside].max()) for inside, _ in halves]
        spot = [out[where].max() / (extent / 2) for where in brightest]
        if name == "middle":  # about the mean both turns are alike
            measured[("bends", f"one way from {name}")] = abs(turn[0] + turn[1])
        measured |= {
            ("bends", f"both ways from {name}"): abs(turn[0] - turn[1]),
            ("symmetry", f"balance about {name}"): min(flux) / max(flux),
            ("hot spots", f"nearer from {name}"): min(spot),
            ("hot spots", f"farther from {name}"): max(spot),
        }
    # How the light is spread from the middle to the ends.
    fifths, _ = np.histogram(abs(along - middle) / (extent / 2), 5, (0, 1), weights=weights)
    return measured | {("light along", f"fifth {i}"): fifth for i, fifth in enumerate(fifths, start=1)}


def _symmetry(light: NDArray) -> Features:
    """Return how alike a source is to its mirror images, and to itself after half a turn."""
    where, root = np.argwhere(light > 0), np.sqrt(light[light > 0])
    mean = np.average(where, axis=0, weights=root)
    _, _, vectors = _axes(where, root / root.sum())
    # Rotated so that it lies along the rows, with its mean in the middle.
    turn = vectors[:, ::-1]
    upright = ndimage.affine_transform(
        np.sqrt(light), turn, mean - turn @ np.full(2, (PATCH - 1) / 2), output_shape=(PATCH, PATCH), order=1
    )
    total = (upright**2).sum() or 1.0
    images = {"mirrored along": upright[:, ::-1], "mirrored across": upright[::-1]}
    images["half turn"] = upright[::-1, ::-1]
    return {("symmetry", name): (upright * image).sum() / total for name, image in images.items()}


def _growth(light: NDArray) -> Features:
    """Return how the light grows with the distance from its mean, and how it is spread around it."""
    where, flux = np.argwhere(light > 0), light[light > 0]
    root = np.sqrt(flux)
    y, x = (where - np.average(where, axis=0, weights=root)).T
    radius, angle, order = np.hypot(y, x), np.arctan2(y, x), np.argsort(np.hypot(y, x))
    # Radii that hold a part of the flux, and their ratios to the whole source.
    within = np.cumsum(flux[order]) / flux.sum()
    percent = (20, 50, 80, 90, 98)
    grown = [radius[order][min(np.searchsorted(within, p / 100), len(flux) - 1)] for p in percent]
    measured = {("size", f"radius of {p} %"): r for p, r in zip(percent, grown, strict=True)}
    for p, r in zip(percent[:-1], grown, strict=False):
        measured[("light along", f"radius of {p} % in that of 98 %")] = r / (grown[-1] + 1)
    # In rings: the proportion of the light, and its angular modes (1: one side, 2: two jets, and so on).
    for inner, outer in pairwise(RINGS):
        ring = (radius >= inner) & (radius < outer)
        measured[("light along", f"ring {inner}")] = root[ring].sum() / root.sum()
        for mode in (1, 2, 3, 4):
            turning = abs(root[ring] @ np.exp(1j * mode * angle[ring]))
            measured[("angular modes", f"{mode} in ring {inner}")] = turning / (root[ring].sum() or 1.0)
    return measured
