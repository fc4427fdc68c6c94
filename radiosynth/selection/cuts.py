"""Automatic cuts: what a person should look at first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table
from numpy.typing import ArrayLike

from radiosynth.measurements.islands import BLANK, measure_islands
from radiosynth.sample import Sample, check_positive, floats
from radiosynth.surveys import FIRST


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
        check_positive(self, "pixel_scale", "beam")


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


def automatic_cuts(sample: Sample, cuts: Cuts | None = None) -> Table:
    """Flag the images that a person should look at twice, by what is measured on them.

    Parameters
    ----------
    sample : Sample
        Images with north up, in any unit. Where the sky was set to a threshold of three sigma, as in the
        published images, the noise is estimated from the noise peaks that are left: within a factor of two
        for peaks below 100 sigma; brighter ones have too low a ``peak_snr``, up to about 300, since grey
        levels are coarser than the noise. Positions are read from the columns ``ra`` and ``dec`` (deg).
    cuts : Cuts, optional
        Thresholds, pixel scale and beam. The default is for FIRST, but for the pixel scale if the table has a
        column ``pixel_scale`` (arcsec).

    Returns
    -------
    ~astropy.table.Table
        One row per image: ``name``; ``duplicate_of`` (name of an earlier source at the same place or with
        the same pixels, or empty); ``level`` and ``noise`` of the sky in the unit of the image; ``peak_snr``;
        ``extent`` (fraction of the image width) and ``at_rim`` of the source, that is the brightest island
        with all that lies within ``cuts.join`` of it; its ``offset`` from the middle (arcsec); ``islands``,
        the number of bright ones; ``imbalance``, the offset of all brightness (arcsec); ``specks``;
        ``depth``; ``missing`` (proportion of the pixels). NaN for what a blank image has not. Then a boolean
        column for each of `CUTS`: ``duplicate``, ``large``, ``off_centre``, ``several``, ``artefact``,
        ``faint`` and ``outside``.

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
    cuts = cuts or default_cuts(sample)
    table = Table({"name": sample.table["name"], "duplicate_of": _duplicates(sample, cuts.duplicate)})
    names = ("pixel_scale", "beam", "n_sigma", "join", "component")
    settings = {name: getattr(cuts, name) for name in names}
    rows = [measure_islands(image, **settings) for image in sample.images]
    for name, usual in BLANK.items():
        table[name] = np.array([row[name] for row in rows], type(usual))
    table["offset"].unit = table["imbalance"].unit = "arcsec"
    for name, (_, met) in CUTS.items():
        table[name] = np.asarray(met(table, cuts), bool)
    return table


def default_cuts(sample: Sample) -> Cuts:
    """Return the thresholds with the pixel scale of the files, or else that of FIRST."""
    known = floats(sample.table, "pixel_scale", "arcsec")
    return Cuts(pixel_scale=float(np.nanmedian(known))) if np.isfinite(known).any() else Cuts()


def _duplicates(sample: Sample, radius: float) -> list[str]:
    """Return for each source the name of the first earlier one that it repeats, or an empty text."""
    names = [str(name) for name in sample.table["name"]]
    first: dict[bytes, int] = {}
    earlier = [first.setdefault(image.tobytes(), i) for i, image in enumerate(sample.images)]
    ra, dec = floats(sample.table, "ra", "deg"), floats(sample.table, "dec", "deg")
    known = np.flatnonzero(np.isfinite(ra + dec))
    if len(known) > 1:
        sky = SkyCoord(ra[known], dec[known], unit="deg")
        one, other, _, _ = sky.search_around_sky(sky, radius * u.arcsec)
        for i, j in zip(known[one], known[other], strict=True):
            earlier[i] = min(earlier[i], int(j))
    return [names[j] if j < i else "" for i, j in enumerate(earlier)]
