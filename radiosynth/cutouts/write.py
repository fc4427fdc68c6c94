"""Write a sample as FITS files with a manifest."""

from __future__ import annotations

import hashlib
import io
import os
import re
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.table import Table
from astropy.utils.exceptions import AstropyWarning

from radiosynth._io import readable, write_atomically, write_table
from radiosynth.sample import Sample, floats
from radiosynth.surveys import NAN_EDGE, NOT_TRIED, OK
from radiosynth.taxonomy import CLASS_NAMES, UNLABELLED

__all__ = ["MANIFEST", "write_cutouts"]

MANIFEST = "manifest.ecsv"
"""File in a folder of cutouts that lists them, one row each."""


# What the manifest says of each source besides what the catalogue says.
_NEW = {"file": "", "status": NOT_TRIED, "message": "", "attempts": 0, "survey": "", "sha256": ""}


_OUTCOME = tuple(_NEW)


_PLACE = ("ra", "dec", "pixel_scale")


def write_cutouts(
    sample: Sample, folder: str | os.PathLike[str], *, pixel_scale: float | None = None
) -> None:
    """Write one FITS file for each source of a sample, and a manifest: `read_cutouts` reads the folder.

    Images, labels and table are read back equal, but that flux comes back in Jy/beam and that images with
    missing pixels have the status ``nan edge``, whose files `read_cutouts` leaves out of a folder. Where the
    table has ``ra`` and ``dec``, the files carry celestial coordinates, north up.

    Parameters
    ----------
    sample : Sample
        What to write. Its table may have ``unit``, which becomes ``BUNIT``, and ``pixel_scale`` (arcsec).
    folder : path-like
        Folder, empty or not there yet.
    pixel_scale : float, optional
        Width of a pixel in arcsec. Needed for coordinates if the table does not have it.

    Raises
    ------
    ValueError
        If the folder holds files, or a position or a pixel scale makes no sense.
    """
    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()):
        msg = f"{folder} already holds files; give another folder"
        raise ValueError(msg)
    table = sample.table.copy()
    if pixel_scale is not None:
        table["pixel_scale"] = np.full(len(sample), pixel_scale) * u.arcsec
    table["class"] = [CLASS_NAMES[code] if code != UNLABELLED else "" for code in sample.labels]
    results = []
    places = np.stack([floats(table, name) for name in _PLACE], axis=1)
    given = 1.0 if pixel_scale is None else pixel_scale
    if not 0 < given < np.inf or (abs(places[:, 1]) > 90).any() or (places[:, 2] <= 0).any():
        msg = "a dec is beyond 90°, or a pixel_scale is not a positive number of arcsec; correct the table"
        raise ValueError(msg)
    for image, row, stem, place in zip(sample.images, table, _stems(table["name"]), places, strict=True):
        header = fits.Header({"OBJECT": _ascii(row["name"])})
        if "unit" in table.colnames and row["unit"]:
            header["BUNIT"] = _ascii(row["unit"])
        if np.isfinite(place).all():
            middle = (sample.size + 1) / 2
            header.update({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": middle, "CRPIX2": middle})
            header.update({"CRVAL1": place[0], "CRVAL2": place[1], "RADESYS": "ICRS"})
            step = place[2] / 3600
            header.update({"CDELT1": -step, "CDELT2": step, "CUNIT1": "deg", "CUNIT2": "deg"})
        digest = _write_fits(folder / f"{stem}.fits", fits.PrimaryHDU(image, header))
        status = OK if np.isfinite(image).all() else NAN_EDGE
        results.append(_NEW | {"file": f"{stem}.fits", "status": status, "sha256": digest})
    _write_manifest(folder, table, results)


def _ascii(text: object) -> str:
    """Return text as FITS can hold it."""
    return re.sub(r"[^ -~]", "?", str(text))


def _write_fits(path: Path, hdu: fits.PrimaryHDU) -> str:
    """Write a file, which appears under its name only when it is whole, and return its SHA-256."""
    content = io.BytesIO()
    with warnings.catch_warnings(action="ignore", category=AstropyWarning):
        hdu.writeto(content, output_verify="silentfix+ignore")
    write_atomically(path, lambda partial: partial.write_bytes(content.getbuffer()))
    return hashlib.sha256(content.getbuffer()).hexdigest()


def _stems(names: Iterable[str], taken: Iterable[str] = ()) -> Iterator[str]:
    """Yield a file name without suffix for each source, no two alike even where capitals do not count."""
    used = {name.lower() for name in taken}
    for name in names:
        stem = first = re.sub(r"[^\w.+-]+", "_", str(name)).strip("._") or "source"
        number = 1
        while stem.lower() in used:
            number += 1
            stem = f"{first}_{number}"
        used.add(stem.lower())
        yield stem


def _write_manifest(folder: Path, table: Table, results: list[dict[str, Any]]) -> Table:
    manifest = table.copy()
    for name in _OUTCOME:
        manifest[name] = [result[name] for result in results]
    write_table(folder / MANIFEST, manifest)
    return manifest


def _read_manifest(folder: Path, needed: Iterable[str]) -> Table:
    """Return the manifest of a folder, which has to have some columns; text that is masked is empty."""
    with readable(folder / MANIFEST, "delete it and fetch the cutouts again", "cannot be read"):
        manifest = Table.read(folder / MANIFEST, format="ascii.ecsv")
    if lacking := [name for name in needed if name not in manifest.colnames]:
        msg = f"{folder / MANIFEST} has no column {', '.join(lacking)}; write it anew, or give another folder"
        raise ValueError(msg)
    for name in manifest.colnames:
        if manifest[name].dtype.kind in "US":
            manifest[name] = np.ma.filled(manifest[name], "")
    return manifest
