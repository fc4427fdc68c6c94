"""Self-contained pages of sources, and the one to review them on."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import zlib
from collections import Counter
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Table
from numpy.typing import NDArray

from radiosynth._io import PathLike, check, refuse_to_replace, write_text
from radiosynth.cutouts.read import read_cutouts
from radiosynth.preprocessing import missing_pixels
from radiosynth.sample import Sample, floats
from radiosynth.selection.cuts import CUTS, REASONS, Cuts, automatic_cuts, default_cuts
from radiosynth.selection.decisions import COLUMNS, unique_names
from radiosynth.taxonomy import CLASSES

NOTES = ("catalogue", "catalogue_class", "catalogue_note", "survey", "message")
"""Columns that the page shows below the position."""


_BEND, _STEPS, _ZERO = 12, 24, 40  # of the 8-bit scale of the page: linear to 12 sigma, logarithmic beyond


def read_folder(folder: PathLike, *, size: int | None = None) -> Sample:
    """Read a folder of cutouts, with its ``manifest.ecsv`` if there is one.

    Parameters
    ----------
    folder : path-like
        Holds the cutouts, and perhaps a manifest with the columns ``name`` and ``file``, and any of ``ra``,
        ``dec``, ``class``, ``catalogue``, ``catalogue_class``, ``status`` and ``message``. Files of the
        status "ok" and "nan edge" are read. Or one file of `Sample.save`.
    size : int, optional
        Edge length in pixels of the central square to keep; a saved sample stays as it is.

    Returns
    -------
    Sample
        The images, with NaN where they have no data, and the manifest's columns and labels. Where two sources
        have one name, the names of their files are added. What could not be used is listed in
        ``table.meta["skipped"]`` as pairs (name, reason).

    Raises
    ------
    ValueError
        If there is no usable image, or the manifest lacks a column or knows another class.
    """
    root = Path(folder)
    check(root.exists(), f"{root} is no folder; give the one that holds the cutouts")
    saved = root.is_file()
    sample = Sample.load(root) if saved else read_cutouts(root, size=size, on_error="skip", nan="keep")
    if "path" in sample.table.colnames:
        # Decisions go by name. Sources of one name are told apart by their files.
        names = sample.table["name"].astype(str).tolist()
        paths = [Path(str(path)) for path in sample.table["path"]]
        number, pairs = Counter(names), zip(names, paths, strict=True)
        sample.table["name"] = [f"{name} ({path.name})" if number[name] > 1 else name for name, path in pairs]
    return sample


def review_page(
    sample: Sample, path: PathLike, *, cuts: Cuts | None = None, title: str = "Review of sources"
) -> Path:
    """Write one HTML page on which a person decides about each source: keep, drop or another class.

    The page holds the images with 8 bits, asks no other host for anything, keeps the decisions in the
    browser under the sample's hash, and exports them as a file for `read_decisions`.

    Parameters
    ----------
    sample : Sample
        Images with north up and east left, and names that differ.
    path : path-like
        File to write.
    cuts : Cuts, optional
        Thresholds of the automatic flags that it shows; also gives the pixel scale.
    title : str
        Heading of the page.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    ValueError
        If the sample is empty, two sources have one name, or another kind of file would be replaced.
    """
    refuse_to_replace(Path(path), b"<!doctype html")
    names = unique_names(sample)
    sources, pixels, content = page_content(sample, cuts)
    digest = hashlib.sha256(b"\0".join([*(name.encode() for name in names), *pixels])).hexdigest()
    content |= {"hash": digest[:16], "reasons": REASONS, "columns": COLUMNS, "sources": sources}
    return write_page(Path(path), "review.html", title, pixels, content)


def page_content(
    sample: Sample, cuts: Cuts | None = None
) -> tuple[list[dict[str, Any]], list[bytes], dict[str, Any]]:
    """Return what pages of sources say of each, its packed image, and what they say of the sample."""
    cuts = cuts or default_cuts(sample)
    flags = automatic_cuts(sample, cuts)
    measured = zip(sample.images, flags["level"], flags["noise"], strict=True)
    pixels = [zlib.compress(_eight_bits(*each).tobytes()) for each in measured]
    content = {
        "size": sample.size,
        "scale": cuts.pixel_scale,
        "bend": _BEND,
        "steps": _STEPS,
        "zero": _ZERO,
        "classes": [{"name": m.name, "label": m.label, "colour": m.colour} for m in CLASSES],
        "cuts": {name: text for name, (text, _) in CUTS.items()},
        "skipped": [list(pair) for pair in sample.table.meta.get("skipped", [])],
    }
    return _described(sample, flags), pixels, content


def write_page(
    path: Path, template: str, title: str, pixels: Sequence[bytes], content: dict[str, Any]
) -> Path:
    """Write a page of sources, with the styles and functions that all have, and return its file."""
    data = files("radiosynth").joinpath("data")
    page = data.joinpath(template).read_text("utf-8")
    for shared in ("page.css", "page.js"):
        page = page.replace(f"{{{{{shared}}}}}", data.joinpath(shared).read_text("utf-8"))
    page = page.replace("{{title}}", html.escape(title))
    page = page.replace("{{pixels}}", "\n".join(base64.b64encode(packed).decode() for packed in pixels))
    # A "<" in a name must not end the script element that holds the text.
    text = json.dumps({"title": title, **content}, ensure_ascii=False)
    write_text(path, page.replace("{{content}}", text.replace("<", "\\u003c")))
    return path


def _eight_bits(image: NDArray, level: float, noise: float) -> NDArray[np.uint8]:
    """Return an image of whole numbers: 0 no data, `_ZERO` the sky, steps of half the noise, then of 4 %."""
    missing = missing_pixels(image[None])[0]
    flux = np.where(missing, 0, image - level)
    unit = np.nanmax([noise, flux.max() / 1e4, np.finfo(np.float32).tiny])
    codes = _ZERO + np.round(_STEPS * np.arcsinh(flux / unit / _BEND))
    return np.where(missing, 0, np.clip(codes, 1, 255)).astype(np.uint8)


def _described(sample: Sample, flags: Table) -> list[dict[str, Any]]:
    """Return what the page says about each source."""
    table = sample.table
    shown = [column for column in NOTES if column in table.colnames]
    notes = [[str(row[column]) for column in shown if row[column] is not np.ma.masked] for row in table]
    ra, dec = floats(table, "ra", "deg"), floats(table, "dec", "deg")
    sky, known = np.full(len(sample), "", object), np.isfinite(ra + dec)
    sky[known] = SkyCoord(ra[known], dec[known], unit="deg").to_string("hmsdms", precision=1)
    return [
        {
            "name": str(found["name"]),
            "class": int(label),
            "sky": place,
            "note": " · ".join(filter(None, note)),
            "flags": [name for name in CUTS if found[name]],
            "of": str(found["duplicate_of"]),
            "snr": _rounded(found["peak_snr"]),
            "extent": _rounded(found["extent"] * 100),
            "offset": _rounded(found["offset"]),
            "islands": int(found["islands"]),
        }
        for found, label, place, note in zip(flags, sample.labels, sky, notes, strict=True)
    ]


def _rounded(value: float) -> int | None:
    return round(float(value)) if np.isfinite(value) else None
