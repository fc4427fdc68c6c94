"""Automatic cuts: what a person should look at first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage, stats

from radiosynth.measurements import largest_extent
from radiosynth.preprocessing import measure_noise, missing_pixels
from radiosynth.sample import Sample, floats
from radiosynth.surveys import FIRST

__all__ = ["CUTS", "Cuts", "automatic_cuts", "measure_cutouts"]


@dataclass(frozen=True)
class Cuts:
    """Thresholds of the automatic cuts, and what is needed to measure for them.

    Parameters
    ----------
    pixel_scale : float
        Arcseconds per pixel.
    beam : float
        Full width at half maximum of the beam in arcseconds (FIRST: 5.4, in the south 6.4 by 5.4); what is
        smaller than half its area is no source.
    n_sigma : float
        Pixels this many times the noise above the sky are bright.
    join : float
        Bright islands less than this many arcseconds apart are taken for parts of one source.
    duplicate : float
        Distance in arcseconds within which an earlier source of the sample is the same one.
    large : float
        Largest extent of the source as a fraction of the width of the image. A source that reaches the rim is
        larger than the image in any case.
    off_centre : float
        Distance in arcseconds of the source's centre of brightness from the middle of the image.
    several : float
        Distance in arcseconds of the centre of all brightness from the middle, if there is more than one
        island: the lobes of one source balance about it, a neighbour does not.
    component : float
        Least flux of an island that counts, as a fraction of the brightest island's.
    specks : float
        Number of bright islands smaller than half a beam.
    depth : float
        Depth of the darkest pixel below the sky as a fraction of the peak, where it is also deeper than
        twice ``n_sigma`` times the noise.
    faint : float
        Least peak in units of the noise.
    outside : float
        Proportion of the pixels without data, see `radiosynth.preprocessing.missing_pixels`.

    Raises
    ------
    ValueError
        If the pixel scale or the beam is not positive.
    """

    pixel_scale: float = FIRST.pixel_scale
    beam: float = FIRST.beam
    n_sigma: float = 5
    join: float = 75
    duplicate: float = 20
    large: float = 2 / 3
    off_centre: float = 45
    several: float = 20
    component: float = 0.1
    specks: float = 15
    depth: float = 0.05
    faint: float = 10
    outside: float = 0.005

    def __post_init__(self) -> None:
        if not (self.pixel_scale > 0 and self.beam > 0):
            msg = f"pixel_scale {self.pixel_scale} and beam {self.beam}: give positive arcseconds"
            raise ValueError(msg)


CUTS: dict[str, tuple[str, Callable[[Table, Cuts], ArrayLike]]] = {
    "duplicate": ("same source twice", lambda m, cuts: m["duplicate_of"] != ""),
    "large": ("larger than cutout", lambda m, cuts: (m["extent"] > cuts.large) | m["at_rim"]),
    "off_centre": ("off centre", lambda m, cuts: m["offset"] > cuts.off_centre),
    "several": ("several sources", lambda m, cuts: (m["islands"] > 1) & (m["imbalance"] > cuts.several)),
    "artefact": ("artefact", lambda m, cuts: (m["specks"] > cuts.specks) | (m["depth"] > cuts.depth)),
    "faint": ("too faint", lambda m, cuts: ~(m["peak_snr"] >= cuts.faint)),
    "outside": ("partly outside the survey", lambda m, cuts: m["missing"] > cuts.outside),
}
"""The cuts: what each is called, and the function of the measurements that tells which images it meets."""


REASONS = {name: text for name, (text, _) in CUTS.items()} | {
    "uncertain": "class uncertain",
    "other": "another kind of source",
}
"""Reasons of a drop that the review page offers."""


_BLANK: dict[str, float] = dict.fromkeys(("level", "noise", "peak_snr", "extent", "offset"), np.nan)


_BLANK |= {"at_rim": False, "islands": 0, "imbalance": np.nan, "specks": 0, "depth": np.nan, "missing": 1.0}


_BEND, _STEPS, _ZERO = 12, 24, 40  # of the 8-bit scale of the page: linear to 12 sigma, logarithmic beyond


def measure_cutouts(sample: Sample, cuts: Cuts | None = None) -> Table:
    """Measure what the automatic cuts are about.

    Parameters
    ----------
    sample : Sample
        Images with north up, in any unit. Where the sky was set to a threshold of three sigma, as in the
        published images, the noise is estimated from the noise peaks that are left: within a factor of two
        for peaks below 100 sigma; brighter ones have too low a ``peak_snr``, up to about 300, since grey
        levels are coarser than the noise. Positions are read from the columns ``ra`` and ``dec`` (deg).
    cuts : Cuts, optional
        Pixel scale, beam and what counts as bright. The default is for FIRST, but for the pixel scale if
        the table has a column ``pixel_scale`` (arcsec).

    Returns
    -------
    ~astropy.table.Table
        One row per image: ``name``; ``duplicate_of`` (name of an earlier source at the same place or with
        the same pixels, or empty); ``level`` and ``noise`` of the sky in the unit of the image; ``peak_snr``;
        ``extent`` (fraction of the image width) and ``at_rim`` of the source, that is the brightest island
        with all that lies within ``cuts.join`` of it; its ``offset`` from the middle (arcsec); ``islands``,
        the number of bright ones; ``imbalance``, the offset of all brightness (arcsec); ``specks``;
        ``depth``; ``missing`` (proportion of the pixels). NaN for what a blank image has not.
    """
    cuts = cuts or _default_cuts(sample)
    table = Table({"name": sample.table["name"], "duplicate_of": _duplicates(sample, cuts.duplicate)})
    rows = [_measure(image, cuts) for image in sample.images]
    for name, usual in _BLANK.items():
        table[name] = np.array([row[name] for row in rows], type(usual))
    table["offset"].unit = table["imbalance"].unit = "arcsec"
    return table


def automatic_cuts(sample: Sample, cuts: Cuts | None = None) -> Table:
    """Flag the images that a person should look at twice.

    Parameters
    ----------
    sample : Sample
        As for `measure_cutouts`.
    cuts : Cuts, optional
        Thresholds; the default as for `measure_cutouts`.

    Returns
    -------
    ~astropy.table.Table
        The columns of `measure_cutouts` and a boolean one for each of `CUTS`: ``duplicate``, ``large``,
        ``off_centre``, ``several``, ``artefact``, ``faint`` and ``outside``.

    Examples
    --------
    >>> y, x = np.mgrid[:50, :50] - 24.5
    >>> noise = np.random.default_rng(0).normal(0, 1, (2, 50, 50))
    >>> blob = 300 * np.exp(-(x**2 + y**2) / 8)
    >>> sample = Sample(noise + [blob, np.roll(blob, 17, axis=1)], [3, 3])
    >>> flags = automatic_cuts(sample, Cuts(off_centre=30))
    >>> flags["off_centre"].tolist(), flags["several"].tolist()
    ([False, True], [False, False])
    """
    cuts = cuts or _default_cuts(sample)
    table = measure_cutouts(sample, cuts)
    for name, (_, met) in CUTS.items():
        table[name] = np.asarray(met(table, cuts), bool)
    return table


def _default_cuts(sample: Sample) -> Cuts:
    """Return the thresholds with the pixel scale that the files told, or else that of FIRST."""
    known = floats(sample.table, "pixel_scale")
    return Cuts(pixel_scale=float(np.nanmedian(known))) if np.isfinite(known).any() else Cuts()


def _duplicates(sample: Sample, radius: float) -> list[str]:
    """Return for each source the name of the first earlier one that it repeats, or an empty text."""
    names = [str(name) for name in sample.table["name"]]
    first: dict[bytes, int] = {}
    earlier = [first.setdefault(image.tobytes(), i) for i, image in enumerate(sample.images)]
    ra, dec = floats(sample.table, "ra"), floats(sample.table, "dec")
    known = np.flatnonzero(np.isfinite(ra + dec))
    if len(known) > 1:
        sky = SkyCoord(ra[known], dec[known], unit="deg")
        one, other, _, _ = sky.search_around_sky(sky, radius * u.arcsec)
        for i, j in zip(known[one], known[other], strict=True):
            earlier[i] = min(earlier[i], int(j))
    return [names[j] if j < i else "" for i, j in enumerate(earlier)]


def _measure(image: NDArray, cuts: Cuts) -> dict[str, float]:
    """Return the numbers of `measure_cutouts` for one image; NaN for what a blank one has not."""
    missing = missing_pixels(image[None])[0]
    row = _BLANK | {"missing": missing.mean()}
    if missing.all():
        return row
    ((level,), (noise,)) = measure_noise(image[None], missing[None])
    flux = np.where(missing, 0, image - level).astype(float)
    around = np.ones((3, 3))
    half_a_beam = 0.5 * np.pi / (4 * np.log(2)) * (cuts.beam / cuts.pixel_scale) ** 2
    if noise == 0 and (flux > 0).any():
        noise = _noise_left(flux, half_a_beam)
        flux[flux > 0] += 3 * noise
    peak, depth = flux.max(), -flux.min()
    row |= {"level": level, "noise": noise or np.nan, "peak_snr": peak / (noise or np.nan)}
    row["depth"] = depth / peak if depth > 2 * cuts.n_sigma * noise else 0
    bright = flux > cuts.n_sigma * noise
    if not bright.any():
        return row
    islands, n = ndimage.label(bright, around)
    numbers = np.arange(1, n + 1)
    areas, fluxes = (ndimage.sum_labels(values, islands, numbers) for values in (bright, flux))
    real = areas >= half_a_beam
    counts = real & (fluxes > cuts.component * fluxes.max())
    row |= {"specks": (~real).sum(), "islands": counts.sum()}
    if not counts.any():
        return row
    bright = np.isin(islands, numbers[counts])
    distance = ndimage.distance_transform_edt(~bright) * cuts.pixel_scale
    groups, n_groups = ndimage.label(distance <= cuts.join / 2, around)
    joint = ndimage.sum_labels(flux * bright, groups, np.arange(1, n_groups + 1))
    source = bright & (groups == joint.argmax() + 1)
    where = np.argwhere(source)
    middle = (np.array(image.shape) - 1) / 2
    for name, mask in (("offset", source), ("imbalance", bright)):
        centre = np.array(ndimage.center_of_mass(flux * mask))
        row[name] = float(np.hypot(*(centre - middle))) * cuts.pixel_scale
    row["extent"] = largest_extent(where) / len(image)
    row["at_rim"] = where.min() == 0 or where.max() == len(image) - 1
    return row


def _noise_left(flux: NDArray, area: float) -> float:
    """Return the noise of a thresholded image, by the islands smaller than an area that it left.

    Gaussian noise above three sigma is 0.283 sigma above it on average; and as many pixels are left as it
    has above three sigma and one grey level, which is better where grey levels are coarse.
    """
    islands, n = ndimage.label(flux > 0, np.ones((3, 3)))
    small = np.bincount(islands.ravel(), minlength=n + 1) < area
    left = flux[small[islands] & (islands > 0)]
    level = flux[flux > 0].min()
    height = stats.norm.isf(max(left.size, 1) / flux.size) - 3
    by_number = level / height if height > 0 else np.inf
    return float(min(by_number, left.mean() / 0.283)) if left.size else float(by_number)
