"""Cutouts of sources in one large image, brought to the beam and the pixels of FIRST."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Table

from radiosynth._io import check, to_write
from radiosynth.catalogues.positions import labelled, read_positions
from radiosynth.cutouts.beams import as_seen, beams_of
from radiosynth.cutouts.download import placed
from radiosynth.cutouts.files import DAMAGED, NO_SKY, CutoutError, blamed, need, open_image
from radiosynth.cutouts.orientation import PIXEL_SCALES, TILT, axes_of, upright
from radiosynth.cutouts.pixels import in_range, usable
from radiosynth.sample import Sample, check_choice, check_count
from radiosynth.surveys import FIRST
from radiosynth.taxonomy import UNLABELLED, class_code

__all__ = ["cutouts_from_mosaic"]

log = logging.getLogger("radiosynth")


def cutouts_from_mosaic(
    mosaic: str | os.PathLike[str],
    positions: Table | SkyCoord | str | os.PathLike[str],
    *,
    size: int = 150,
    pixel_scale: float = FIRST.pixel_scale,
    beam: float | Sequence[float] | None = None,
    nan: Literal["refuse", "keep"] = "refuse",
) -> Sample:
    """Cut sources out of a large FITS image, as FIRST would show them: north up, its beam, its pixels.

    Of the file only the pixels around each source are read. Where the beam is sharper than FIRST's, 5.4
    arcsec, these are convolved with the Gaussian that makes the difference, and flux densities per beam
    become those of the new beam. Axes of the beam between 5.4 and 6.4 arcsec, which FIRST itself has in the
    south, stay as they are, and a coarser beam is refused: what it has blurred cannot be restored. Then the
    cutout is set upright and resampled as by `radiosynth.read_cutouts`. The history says what was done.

    Parameters
    ----------
    mosaic : path-like
        FITS image with celestial coordinates, of any size and orientation; not gzipped if it is large.
    positions : `~astropy.table.Table`, `~astropy.coordinates.SkyCoord` or path-like
        The sources: a table of `radiosynth.read_positions`, or a file for it, or places.
    size : int
        Edge length of the cutouts in pixels.
    pixel_scale : float
        Width of these pixels in arcsec. The default is that of FIRST, which the networks know.
    beam : float or (major, minor, position angle), optional
        Beam of the mosaic: full width at half maximum in arcsec, and degrees from north through east.
        Default: BMAJ, BMIN and BPA of the header.
    nan : {"refuse", "keep"}
        What to do with a cutout that has blank pixels, as at an edge: take it for unusable, or keep it with
        NaN there. One whose source is itself off the image or in a blank area is never usable.

    Returns
    -------
    Sample
        The cutouts, labelled where the list has classes. The table has the columns of the list, and ``path``,
        ``unit`` and ``pixel_scale``. ``table.meta["skipped"]`` lists sources without a usable image as pairs
        (name, reason).

    Raises
    ------
    CutoutError
        If the mosaic cannot be used, as its beam is coarser than FIRST's or not known, or if none of the
        sources has a usable image.
    ValueError
        If an argument is out of range, or the list cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> from astropy.io import fits
    >>> header = fits.Header({"CTYPE1": "RA---SIN", "CTYPE2": "DEC--SIN", "CRVAL1": 150.0, "CRVAL2": 2.0})
    >>> header.update({"CRPIX1": 200.5, "CRPIX2": 200.5, "CDELT1": -1 / 3600, "CDELT2": 1 / 3600})
    >>> header.update({"BMAJ": 2.5 / 3600, "BMIN": 2.5 / 3600})
    >>> noise = np.random.default_rng(0).normal(size=(400, 400))
    >>> places = SkyCoord([150.0, 152.0], [2.0, 2.0], unit="deg")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     fits.writeto(f"{folder}/mosaic.fits", noise, header)
    ...     sample = cutouts_from_mosaic(f"{folder}/mosaic.fits", places)
    >>> sample.images.shape, sample.table.meta["skipped"]
    ((1, 150, 150), [('J100800.0+020000', 'the position lies outside of the image')])
    >>> for step in sample.history:
    ...     print(step)
    cut out of mosaic.fits: 150×150 pixels
    convolved from a beam of 2.5×2.5 to 5.4×5.4 arcsec
    resampled from pixels of 1 to 1.8 arcsec
    """
    check_count(size, "size", 1)
    check_choice(nan, "value of nan", ("refuse", "keep"))
    low, high = PIXEL_SCALES
    check(low <= pixel_scale <= high, f"pixel_scale is {pixel_scale}; give arcsec, {low} to {high}")
    table, path = _listed(positions), Path(mosaic)
    places = SkyCoord(table["ra"], table["dec"], unit="deg")
    names = table["name"].tolist()
    kept: list[int] = []
    facts: list[dict[str, Any]] = []
    with warnings.catch_warnings(action="ignore"), ExitStack() as stack:
        # What readers only warn of is checked here; but half a file is none.
        warnings.filterwarnings("error", "File may have been truncated")
        try:
            with blamed(DAMAGED):
                opened = open_image(path, stack)
            wcs = opened.wcs
            need(wcs, "has no celestial coordinates; give a FITS image with them")
            assert wcs is not None
            beams = beams_of(opened, beam)
            with blamed(NO_SKY):
                x, y = wcs.world_to_pixel(places)
        except CutoutError as error:
            msg = f"{path}: {error}"
            raise CutoutError(msg) from error.__cause__
        height, width = opened.shape
        inside = (x > -0.5) & (x < width - 0.5) & (y > -0.5) & (y < height - 0.5)  # not so of NaN
        outside = np.flatnonzero(~inside)
        skipped = [(names[i], "the position lies outside of the image") for i in outside]
        images = to_write(None, (int(inside.sum()), size, size), "give fewer positions at a time")
        for i in np.flatnonzero(inside):
            try:
                with blamed(NO_SKY):
                    _, per_pixel, scale = axes_of(wcs, x[i], y[i], "the position")
                    seen = as_seen(opened, per_pixel, beams)
                    pixels, _, tilt = upright(seen, wcs, size, places[i], pixel_scale)
                filled = np.isfinite(pixels[size // 2, size // 2])
                need(filled, "the position lies in a blank area of the image")
                image, unit = in_range(pixels, opened.unit)
                images[len(kept)] = usable(image, nan == "keep", opened.missing)
            except CutoutError as error:
                skipped.append((names[i], str(error)))
                continue
            kept.append(int(i))
            facts.append({"path": str(path), "unit": unit, "pixel_scale": pixel_scale, "scale": scale})
            if tilt > TILT:
                reason = "rotated, it would lack corners"
                log.warning("%s, %s: kept %.1f degrees from north; %s", path, names[i], tilt, reason)
    reasons = "\n".join(f"  {name}: {reason}" for name, reason in skipped[:10])
    need(kept, f"{path}: none of the {len(table)} positions gives a usable image:\n{reasons}")
    rows, found = table[kept], Table(rows=facts, units={"pixel_scale": "arcsec"})
    for column in ("path", "unit", "pixel_scale"):
        rows[column] = found[column]
    labels = [class_code(name) if name else UNLABELLED for name in rows["class"].tolist()]
    steps = [f"cut out of {path.name}: {size}×{size} pixels"]
    if (beams[0] != beams[1]).any():
        axes = ["×".join(f"{n:.3g}" for n in np.sqrt(np.linalg.eigvalsh(each))[::-1]) for each in beams]
        steps.append(f"convolved from a beam of {axes[0]} to {axes[1]} arcsec")
    scale = float(np.median(found["scale"]))
    if abs(scale / pixel_scale - 1) * size >= 0.5:
        steps.append(f"resampled from pixels of {scale:.3g} to {pixel_scale:.3g} arcsec")
    rows.meta |= {"history": steps, "skipped": skipped}
    return Sample(images[: len(kept)], labels, rows)


def _listed(positions: Any) -> Table:
    """Return the sources of a list or of places with name, ra, dec and class."""
    if isinstance(positions, str | os.PathLike):
        return read_positions(positions)
    if isinstance(positions, SkyCoord):
        places = positions.icrs.ravel()
        none = np.full(len(places), "")
        known = {"name": None, "ra": places.ra.deg, "dec": places.dec.deg}
        return labelled(known | {"class": none, "catalogue_class": none}, "")
    table = placed(positions)
    if "class" not in table.colnames:
        table["class"] = ""
    return table
