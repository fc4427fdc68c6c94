"""Read image cutouts from FITS, npy, PNG and JPEG files into a `Sample`."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.table import Table
from astropy.utils.exceptions import AstropyWarning
from numpy.typing import NDArray

from .sample import Sample
from .taxonomy import UNLABELLED

__all__ = ["CutoutError", "read_cutouts"]


class CutoutError(ValueError):
    """A file that does not give a usable image; the message names it, the fault and what to do."""


def read_cutouts(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    size: int | None = None,
    on_error: Literal["raise", "skip"] = "raise",
    nan: Literal["refuse", "keep"] = "refuse",
) -> Sample:
    """Read image cutouts of any survey.

    The kind of a file is told from its first bytes, not its name. Of a FITS file (also gzipped) the first
    HDU with an image is read, axes of length one are dropped, and flux densities per beam become Jy/beam.
    A ``.npy`` file holds one image or a stack (n, size, size), row 0 south as in FITS. PNG and JPEG
    become grey; their first row is the top of the picture, so they are flipped.

    Parameters
    ----------
    paths : path-like or iterable of path-like
        Files to read.
    size : int, optional
        Edge length in pixels of the central square to keep. Without it the images have to be square, free of
        NaN and of one size.
    on_error : {"raise", "skip"}
        What to do at a file that gives no usable image: raise, or go on and list it in
        ``table.meta["skipped"]`` as a pair (file, reason).
    nan : {"refuse", "keep"}
        What to do with an image that has pixels without a finite value: take it for unusable, or keep
        it with NaN there, to be looked at. An image without any finite pixel is never usable.

    Returns
    -------
    Sample
        The images without label (-1). The table has ``name``, ``path`` and ``unit`` ("" if not known).

    Raises
    ------
    CutoutError
        If a file gives no usable image and `on_error` is "raise", or if none of the files does.
    ValueError
        If there are no paths, an argument is out of range, or the images differ in size and `size` is
        not given.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/stack.npy", np.random.default_rng(0).random((2, 20, 20)))
    ...     sample = read_cutouts(f"{folder}/stack.npy", size=16)
    >>> sample.images.shape, sample.table["name"].tolist()
    ((2, 16, 16), ['stack.npy[0]', 'stack.npy[1]'])
    """
    files = [Path(p) for p in ([paths] if isinstance(paths, str | os.PathLike) else paths)]
    if not files:
        msg = "no files to read; give at least one"
        raise ValueError(msg)
    if size is not None and size < 1:
        msg = f"size is {size}; give the edge length of the central square in pixels, 1 or more"
        raise ValueError(msg)
    if on_error not in ("raise", "skip"):
        msg = f'on_error is {on_error!r}; give "raise" or "skip"'
        raise ValueError(msg)
    if nan not in ("refuse", "keep"):
        msg = f'nan is {nan!r}; give "refuse" or "keep"'
        raise ValueError(msg)
    images: list[NDArray[np.float32]] = []
    rows: list[tuple[str, str, str]] = []
    skipped: list[tuple[str, str]] = []
    for path in files:
        try:
            pixels, unit = _read(path)
            stack = pixels if pixels.ndim == 3 else pixels[np.newaxis]
            names = [path.name if pixels.ndim == 2 else f"{path.name}[{i}]" for i in range(len(stack))]
            found = [_usable(image, size, nan == "keep") for image in stack]
        except CutoutError as error:
            if on_error == "raise":
                msg = f"{path}: {error}"
                raise CutoutError(msg) from error.__cause__
            skipped.append((str(path), str(error)))
            continue
        images += found
        rows += [(name, str(path), unit) for name in names]
    if not images:
        reasons = "\n".join(f"  {path}: {reason}" for path, reason in skipped[:10])
        msg = f"none of the {len(files)} files gives a usable image:\n{reasons}"
        raise CutoutError(msg)
    sizes = {image.shape[0]: row[1] for image, row in zip(images, rows, strict=True)}
    if len(sizes) > 1:
        examples = ", ".join(f"{n}×{n} ({path})" for n, path in sorted(sizes.items())[:4])
        msg = (
            f"the images differ in size: {examples}; give size={min(sizes)} or less to crop them to one size"
        )
        raise ValueError(msg)
    step = "read from files" if size is None else f"read from files, central {size}×{size} pixels"
    meta = {"history": [step], "skipped": skipped}
    table = Table(rows=rows, names=["name", "path", "unit"], meta=meta)
    return Sample(np.stack(images), np.full(len(images), UNLABELLED), table)


def _read(path: Path) -> tuple[NDArray, str]:
    """Return the pixels of a file, of two or three dimensions, and their unit."""
    try:
        with path.open("rb") as stream:
            head = stream.read(512)
    except OSError as error:
        msg = f"cannot be opened ({error.strerror}); check the path"
        raise CutoutError(msg) from error
    if not head:
        msg = "the file is empty (0 bytes); fetch it again"
        raise CutoutError(msg)
    if head.lstrip().startswith(b"<") and b"html" in head.lower():
        msg = "holds a web page (HTML), perhaps a server's error message; read it, then fetch the file again"
        raise CutoutError(msg)
    unit = ""
    try:
        if head.startswith((b"SIMPLE", b"\x1f\x8b")):
            pixels, unit = _read_fits(path)
        elif head.startswith(b"\x93NUMPY"):
            pixels = np.load(path, allow_pickle=False)
        elif head.startswith((b"\x89PNG", b"\xff\xd8\xff")):
            from skimage.io import imread

            pixels = imread(path, as_gray=True)[::-1]
        else:
            msg = "is not a FITS, npy, PNG or JPEG file; convert it to one of these"
            raise CutoutError(msg)
    except CutoutError:
        raise
    # The readers raise these, and SyntaxError for a broken PNG, at damaged content.
    except (OSError, EOFError, ValueError, TypeError, SyntaxError) as error:
        msg = f"cannot be read ({error}): truncated, damaged or holding Python objects; fetch it again"
        raise CutoutError(msg) from error
    if pixels.dtype.kind not in "biuf":
        msg = f"holds values of type {pixels.dtype}, which are no brightnesses; store real numbers"
        raise CutoutError(msg)
    if pixels.ndim not in (2, 3) or not pixels.size:
        msg = f"holds an array of shape {pixels.shape}; an image has two axes, a stack of images three"
        raise CutoutError(msg)
    return pixels, unit


def _read_fits(path: Path) -> tuple[NDArray, str]:
    # Cutouts of FIRST carry tabs in their comments, which is no fault of the image.
    ignored = warnings.catch_warnings(action="ignore", category=AstropyWarning)
    with ignored, fits.open(path, memmap=False) as hdus:
        for hdu in hdus:
            if not hdu.is_image or hdu.data is None:
                continue
            pixels = hdu.data[tuple(0 if n == 1 else slice(None) for n in hdu.data.shape)]
            if pixels.ndim != 2:
                msg = f"holds a FITS image with axes {hdu.data.shape}; cut out one plane of two axes"
                raise CutoutError(msg)
            bunit = str(hdu.header.get("BUNIT", "")).strip()
            unit = u.Unit(re.sub("jy", "Jy", bunit.lower()), parse_strict="silent")
            if not unit.is_equivalent(u.Jy / u.beam):
                return pixels, bunit
            return pixels * unit.to(u.Jy / u.beam), "Jy/beam"
    msg = "is a FITS file without an image; give one with a two-dimensional image"
    raise CutoutError(msg)


def _usable(image: NDArray, size: int | None, keep_nan: bool) -> NDArray[np.float32]:
    """Return the image, cropped if `size` is given, or say why it cannot be used."""
    height, width = image.shape
    bad = ~np.isfinite(image)
    if bad.all():
        msg = "all pixels are NaN: the position lies outside the survey or the cutout failed; leave it out"
        raise CutoutError(msg)
    if size is None and height != width:
        msg = f"the image is not square ({height}×{width}); give size={min(height, width)} or less to crop it"
        raise CutoutError(msg)
    edge = size or height
    if edge > min(height, width):
        msg = f"the image has {height}×{width} pixels, less than size={edge}; give a smaller size"
        raise CutoutError(msg)
    row, column = (height - edge) // 2, (width - edge) // 2
    square = np.s_[row : row + edge, column : column + edge]
    if bad[square].any() and not (keep_nan and not bad[square].all()):
        # Twice the distance from the centre to the nearest such pixel, along the farther axis.
        rows, columns = np.nonzero(bad)
        nearest = np.maximum(abs(2 * rows - height + 1), abs(2 * columns - width + 1)).min()
        advice = (
            f"give size={nearest - 1} or less" if nearest > 1 else "its centre is among them, so leave it out"
        )
        msg = f"{bad[square].sum()} of {edge * edge} pixels are NaN or infinite; {advice}"
        raise CutoutError(msg)
    pixels = np.where(bad, np.nan, image)[square].astype(np.float32)
    if np.nanmin(pixels) == np.nanmax(pixels):
        msg = f"all pixels have the value {np.nanmin(pixels):g}: there is no source in it; leave it out"
        raise CutoutError(msg)
    return pixels
