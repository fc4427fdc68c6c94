"""Cutouts of sources in one large image, brought to the beam and the pixels of FIRST."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table
from astropy.wcs.utils import proj_plane_pixel_area

from radiosynth._io import PathLike
from radiosynth.catalogues.angles import designation
from radiosynth.cutouts.beams import beams_of
from radiosynth.cutouts.download import placed
from radiosynth.cutouts.files import NO_SKY, CutoutError, blamed, need, open_image
from radiosynth.cutouts.orientation import check_pixel_scale, upright
from radiosynth.cutouts.pixels import usable
from radiosynth.sample import FRAME, Sample, check_count
from radiosynth.surveys import FIRST
from radiosynth.taxonomy import UNLABELLED, class_code


def cutouts_from_mosaic(
    mosaic: PathLike,
    positions: Table | SkyCoord,
    *,
    size: int = 150,
    pixel_scale: float = FIRST.pixel_scale,
    beam: float | Sequence[float] | None = None,
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
    positions : `~astropy.table.Table` or `~astropy.coordinates.SkyCoord`
        The sources: a table of `radiosynth.read_positions`, or places.
    size : int
        Edge length of the cutouts in pixels.
    pixel_scale : float
        Width of these pixels in arcsec. The default is that of FIRST, which the networks know.
    beam : float or (major, minor, position angle), optional
        Beam of the mosaic: full width at half maximum in arcsec, and degrees from north through east.
        Default: BMAJ, BMIN and BPA of the header.

    Returns
    -------
    Sample
        The cutouts, NaN where the image is blank or ends, and labelled where the list has classes. The table
        has the columns of the list, and ``path``, ``unit``, ``pixel_scale``, ``beam`` and where
        each frame lies, as in `radiosynth.read_cutouts`. ``table.meta["skipped"]``
        lists sources without a usable image, such as those off the image or in a blank area, as pairs (name,
        reason).

    Raises
    ------
    CutoutError
        If the mosaic cannot be used, as its beam is coarser than FIRST's or not known, or if none of the
        sources has a usable image.
    ValueError
        If an argument is out of range, or the table has no positions.

    Examples
    --------
    >>> import tempfile
    >>> from astropy.io import fits
    >>> header = fits.Header({"CTYPE1": "RA---SIN", "CTYPE2": "DEC--SIN", "CRVAL1": 150.0, "CRVAL2": 2.0})
    >>> header.update({"CRPIX1": 200.5, "CRPIX2": 200.5, "CDELT1": -1 / 3600, "CDELT2": 1 / 3600})
    >>> header.update({"BMAJ": 2.5 / 3600, "BMIN": 2.5 / 3600, "BUNIT": "Jy/beam"})
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
    check_pixel_scale(pixel_scale)
    if isinstance(positions, SkyCoord):
        named = positions.icrs.ravel()
        positions = Table({"name": designation(named), "ra": named.ra.deg, "dec": named.dec.deg})
    table, path = placed(positions), Path(mosaic)
    if "class" not in table.colnames:
        table["class"] = ""
    places = SkyCoord(table["ra"], table["dec"], unit="deg")
    found, skipped = [], []
    try:
        with open_image(path) as opened:
            need(opened.wcs, "has no celestial coordinates; give a FITS image with them")
            beams = beams_of(opened, beam)
            with blamed(NO_SKY):
                x, y = opened.wcs.world_to_pixel(places)
            height, width = opened.shape
            inside = (x > -0.5) & (x < width - 0.5) & (y > -0.5) & (y < height - 0.5)  # not so of NaN
            for i, name in enumerate(table["name"].tolist()):
                try:
                    need(inside[i], "the position lies outside of the image")
                    source = opened._replace(name=f"{path}, {name}")
                    pixels, place = upright(source, size, pixel_scale, places[i], beams)
                    filled = np.isfinite(pixels[size // 2, size // 2])
                    need(filled, "the position lies in a blank area of the image")
                    found.append((i, place, *usable(pixels, opened.unit, keep_nan=True)))
                except CutoutError as error:
                    skipped.append((name, str(error)))
        reasons = "\n".join(f"  {name}: {reason}" for name, reason in skipped[:10])
        need(found, f"none of the {len(table)} positions gives a usable image:\n{reasons}")
    except CutoutError as error:
        msg = f"{path}: {error}"
        raise CutoutError(msg) from error.__cause__
    rows = table[[i for i, *_ in found]]
    rows["path"], rows["unit"] = str(path), [unit for *_, unit in found]
    for name in FRAME:
        rows[name] = [place[name] for _, place, *_ in found] * u.deg
    rows["pixel_scale"] = pixel_scale * u.arcsec
    rows["beam"] = np.sqrt(np.linalg.eigvalsh(beams[1])[1]) * u.arcsec
    labels = [class_code(name) if name else UNLABELLED for name in rows["class"].tolist()]
    steps = [f"cut out of {path.name}: {size}×{size} pixels"]
    if (beams[0] != beams[1]).any():
        axes = ["×".join(f"{n:.3g}" for n in np.sqrt(np.linalg.eigvalsh(each))[::-1]) for each in beams]
        steps.append(f"convolved from a beam of {axes[0]} to {axes[1]} arcsec")
        if opened.unit != "Jy/beam":
            steps.append(f"flux densities in {opened.unit or 'an unknown unit'} not rescaled to the new beam")
    scale = 3600 * float(np.sqrt(proj_plane_pixel_area(opened.wcs)))
    if abs(scale / pixel_scale - 1) * size >= 0.5:
        steps.append(f"resampled from pixels of {scale:.3g} to {pixel_scale:.3g} arcsec")
    rows.meta |= {"history": steps, "skipped": skipped}
    return Sample(np.stack([image for *_, image, _ in found]), labels, rows)
