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
from numpy.typing import NDArray

from radiosynth._io import check, to_write
from radiosynth.catalogues.positions import labelled, read_positions
from radiosynth.cutouts.download import placed
from radiosynth.cutouts.files import (
    DAMAGED,
    LARGEST,
    NO_SKY,
    CutoutError,
    Opened,
    blamed,
    need,
    open_image,
)
from radiosynth.cutouts.orientation import PIXEL_SCALES, TILT, axes_of, upright
from radiosynth.cutouts.pixels import blanked, in_range, usable
from radiosynth.preprocessing import missing_pixels
from radiosynth.sample import Sample, check_choice, check_count
from radiosynth.surveys import COARSEST_BEAM, FIRST
from radiosynth.taxonomy import UNLABELLED, class_code

__all__ = ["cutouts_from_mosaic"]

log = logging.getLogger("radiosynth")

_FWHM = np.sqrt(8 * np.log(2))
"""Full width at half maximum of a Gaussian of unit standard deviation."""


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
    images = to_write(None, (len(table), size, size), "give fewer positions at a time")
    skipped: list[tuple[str, str]] = []
    kept: list[int] = []
    told: list[dict[str, Any]] = []
    with warnings.catch_warnings(action="ignore"), ExitStack() as stack:
        # What readers only warn of is checked here; but half a file is none.
        warnings.filterwarnings("error", "File may have been truncated")
        try:
            with blamed(DAMAGED):
                opened = open_image(path, stack)
            need(opened.wcs, "has no celestial coordinates; give a FITS image with them")
            own, wanted = _beams(opened, beam)
        except CutoutError as error:
            msg = f"{path}: {error}"
            raise CutoutError(msg) from error.__cause__
        for i, name in enumerate(table["name"].tolist()):
            try:
                with blamed(NO_SKY):
                    image, said = _cutout(opened, places[i], size, pixel_scale, own, wanted)
                images[len(kept)] = usable(image, nan == "keep", opened.missing)
            except CutoutError as error:
                skipped.append((name, str(error)))
                continue
            kept.append(i)
            told.append({"path": str(path), **said, "pixel_scale": pixel_scale})
            if said["tilt"] > TILT:
                reason = "rotated, it would lack corners"
                log.warning("%s, %s: kept %.1f degrees from north; %s", path, name, said["tilt"], reason)
    reasons = "\n".join(f"  {name}: {reason}" for name, reason in skipped[:10])
    need(kept, f"{path}: none of the {len(table)} positions gives a usable image:\n{reasons}")
    rows, facts = table[kept], Table(rows=told, units={"pixel_scale": "arcsec"})
    for column in ("path", "unit", "pixel_scale"):
        rows[column] = facts[column]
    labels = [class_code(name) if name else UNLABELLED for name in rows["class"].tolist()]
    steps = [f"cut out of {path.name}: {size}×{size} pixels"]
    if (wanted != own).any():
        axes = ["×".join(f"{n:.3g}" for n in np.sqrt(np.linalg.eigvalsh(m))[::-1]) for m in (own, wanted)]
        steps.append(f"convolved from a beam of {axes[0]} to {axes[1]} arcsec")
    scale = float(np.median(facts["scale"]))
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


def _beams(opened: Opened, beam: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the beam of a mosaic and the one its cutouts shall have, as matrices in arcsec² west and north.

    Such a matrix is that of a Gaussian's covariance, but with full widths at half maximum for standard
    deviations; a convolution adds them.
    """
    if beam is None:
        known = opened.beam[0] is not None and opened.beam[1] is not None
        need(known, "its header does not tell the beam (BMAJ, BMIN); give beam (--beam) in arcsec")
        with blamed("BMAJ, BMIN or BPA in its header is no number ({}); give beam (--beam) in arcsec"):
            major, minor = (3600 * float(axis) for axis in opened.beam[:2])
            angle = float(opened.beam[2] or 0)
        turned = major == minor or opened.beam[2] is not None
        need(turned, "its beam has no position angle (BPA) in the header; give beam (--beam)")
    else:
        given = np.ravel(np.asarray(beam, float)).tolist()
        check(
            len(given) in (1, 3), f"beam is {beam}; give arcsec, or major and minor axis and position angle"
        )
        major, minor, angle = given if len(given) == 3 else (given[0], given[0], 0.0)
    usual = 0 < minor <= major < np.inf and np.isfinite(angle)
    need(
        usual,
        f"a beam of {major:.3g}×{minor:.3g} arcsec at {angle:.3g}° is none; give beam (--beam) in arcsec",
    )
    coarser = f"its beam of {major:.3g}×{minor:.3g} arcsec is coarser than FIRST's, {FIRST.beam}"
    advice = "what it blurs cannot be classified by networks trained on FIRST: give a sharper image"
    need(major <= COARSEST_BEAM * 1.005, f"{coarser} to {COARSEST_BEAM} arcsec: {advice}")
    sine, cosine = np.sin(np.radians(angle)), np.cos(np.radians(angle))
    axes = np.array([[-sine, cosine], [cosine, sine]])  # rows: the major and the minor axis
    widths = np.array([major, minor])
    widened = np.where(widths < 0.98 * FIRST.beam, FIRST.beam, widths)
    return axes.T * widths**2 @ axes, axes.T * widened**2 @ axes


def _cutout(
    opened: Opened,
    place: SkyCoord,
    size: int,
    pixel_scale: float,
    own: NDArray[np.float64],
    wanted: NDArray[np.float64],
) -> tuple[NDArray[np.float64], dict[str, Any]]:
    """Return the image of a source, its unit, its tilt against north and the mosaic's own pixel scale."""
    assert opened.wcs is not None
    (height, width), (x, y) = opened.shape, opened.wcs.world_to_pixel(place)
    inside = -0.5 < x < width - 0.5 and -0.5 < y < height - 0.5  # not so of NaN, a place behind the sky
    need(inside, "the position lies outside of the image")
    _, per_pixel, scale = axes_of(opened.wcs, float(x), float(y), "the position")
    seen = _as_seen(opened, per_pixel, own, wanted)
    pixels, _, tilt = upright(seen, opened.wcs, size, place, pixel_scale)
    need(np.isfinite(pixels[size // 2, size // 2]), "the position lies in a blank area of the image")
    image, unit = in_range(pixels, opened.unit)
    return image, {"unit": unit, "tilt": tilt, "scale": scale}


def _as_seen(
    opened: Opened, per_pixel: NDArray[np.float64], own: NDArray[np.float64], wanted: NDArray[np.float64]
) -> Opened:
    """Return a mosaic whose parts, when cut, are blank where data are missing, and have the wanted beam."""
    # The kernel makes the difference, on the sky; and as a covariance in the pixels of the file, x and y.
    inverse = np.linalg.inv(per_pixel) / _FWHM
    kernel = inverse @ (wanted - own) @ inverse.T
    margins = np.ceil(5 * np.sqrt(np.diag(kernel).clip(0))).astype(int)[::-1]
    gain = np.sqrt(np.linalg.det(wanted) / np.linalg.det(own)) if opened.unit == "Jy/beam" else 1.0

    def cut(*parts: slice) -> NDArray[np.float64]:
        wide = [
            slice(max(0, part.start - margin), min(n, part.stop + margin))
            for part, margin, n in zip(parts, margins, opened.shape, strict=True)
        ]
        small = max(part.stop - part.start for part in wide) <= LARGEST
        need(
            small,
            f"the cutout is more than {LARGEST} pixels of the mosaic wide; give a smaller size (--crop)",
        )
        pixels = blanked(opened.cut(*wide))
        # Also zeros, which a convolution would make look like data.
        pixels[missing_pixels(pixels[None])[0]] = np.nan
        if margins.any():
            pixels = gain * _convolved(pixels, kernel, margins)
        return pixels[
            tuple(slice(p.start - w.start, p.stop - w.start) for p, w in zip(parts, wide, strict=True))
        ]

    return opened._replace(cut=cut)


def _convolved(
    pixels: NDArray[np.float64], kernel: NDArray[np.float64], margins: NDArray[np.int64]
) -> NDArray[np.float64]:
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
    image, weight = (
        fft.irfft2(fft.rfft2(values, padded) * transfer, padded)[: shape[0], : shape[1]]
        for values in (np.where(finite, pixels, 0), finite.astype(float))
    )
    return np.divide(image, weight, out=np.full(shape, np.nan), where=finite)
