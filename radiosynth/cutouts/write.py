"""Write a sample as FITS files with a manifest."""

from __future__ import annotations

import io
import re
import warnings
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning

from radiosynth._io import PathLike, check, write_atomically
from radiosynth.cutouts.manifest import NAN_EDGE, OK, OUTCOME, as_ascii, file_name, write_manifest
from radiosynth.sample import FRAME, Sample, floats
from radiosynth.taxonomy import CLASS_NAMES, UNLABELLED


def write_cutouts(sample: Sample, folder: PathLike) -> None:
    """Write one FITS file for each source of a sample, and a manifest: `read_cutouts` reads the folder.

    Images, labels and table are read back equal, but that flux comes back in Jy/beam and that images with
    missing pixels have the status ``nan edge``, whose files `read_cutouts` leaves out of a folder. The files
    carry celestial coordinates where the table has ``pixel_scale`` and, as `read_cutouts` gives them,
    ``frame_ra``, ``frame_dec`` and ``frame_angle``; or else ``ra`` and ``dec`` of the centre of images with
    north up. Augmented images carry none.

    Parameters
    ----------
    sample : Sample
        What to write. Its table may have ``unit``, which becomes ``BUNIT``, and ``pixel_scale`` (arcsec).
    folder : path-like
        Folder, empty or not there yet.

    Raises
    ------
    ValueError
        If the folder holds files, or a position or a pixel scale makes no sense.
    """
    folder = Path(folder)
    empty = not folder.exists() or not any(folder.iterdir())
    check(empty, f"{folder} already holds files; give another folder")
    table = sample.table.copy()
    table["class"] = [CLASS_NAMES[code] if code != UNLABELLED else "" for code in sample.labels]
    results = []
    known = FRAME if {*FRAME} <= {*table.colnames} else ("ra", "dec")
    angles = [floats(table, name, "deg") for name in known] + [np.zeros(len(table))]
    places = np.stack([*angles[:3], floats(table, "pixel_scale", "arcsec")], axis=1)
    if {"source", "rotation", "flipped"} <= {*table.colnames}:  # by augmentation
        places[:] = np.nan
    wrong = (abs(places[:, 1]) > 90).any() or (places[:, 3] <= 0).any()
    check(not wrong, "a dec is beyond 90°, or a pixel_scale is not a positive number: correct the table")
    used: set[str] = set()
    for image, row, place in zip(sample.images, table, places, strict=True):
        header = fits.Header({"OBJECT": as_ascii(row["name"])})
        if "unit" in table.colnames and row["unit"]:
            header["BUNIT"] = as_ascii(re.sub("[µμ]", "u", str(row["unit"])))
        if np.isfinite(place).all():
            middle = (sample.size + 1) / 2
            header.update({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": middle, "CRPIX2": middle})
            header.update({"CRVAL1": place[0], "CRVAL2": place[1], "RADESYS": "ICRS"})
            step, sine, cosine = place[3] / 3600, np.sin(np.radians(place[2])), np.cos(np.radians(place[2]))
            header.update({"CDELT1": -step, "CDELT2": step, "CUNIT1": "deg", "CUNIT2": "deg"})
            header.update({"PC1_1": cosine, "PC1_2": -sine, "PC2_1": sine, "PC2_2": cosine})
        name = file_name(folder, row["name"], used)
        write_fits(folder / name, fits.PrimaryHDU(image, header))
        results.append(OUTCOME | {"file": name, "status": OK if np.isfinite(image).all() else NAN_EDGE})
    write_manifest(folder, table, results)


def write_fits(path: Path, hdu: fits.PrimaryHDU) -> None:
    """Write a file, which appears under its name only when it is whole."""
    content = io.BytesIO()
    with warnings.catch_warnings(action="ignore", category=AstropyWarning):
        hdu.writeto(content, output_verify="silentfix+ignore")
    write_atomically(path, lambda partial: partial.write_bytes(content.getbuffer()))
