"""Read image cutouts of any survey into a `radiosynth.Sample`."""

from __future__ import annotations

import functools
import os
import re
from pathlib import Path
from typing import Any, Literal

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from radiosynth._io import PathLike, Paths, check, log
from radiosynth.cutouts.files import DAMAGED, CutoutError, blamed, need, open_image
from radiosynth.cutouts.manifest import MANIFEST, NAN_EDGE, OK, read_manifest
from radiosynth.cutouts.orientation import check_pixel_scale, frame_of, upright
from radiosynth.cutouts.pixels import blanked, usable
from radiosynth.sample import FRAME, Sample, check_choice, check_count
from radiosynth.taxonomy import UNLABELLED, class_code

UNITS = dict.fromkeys(("ra", "dec", *FRAME), "deg") | {"pixel_scale": "arcsec", "beam": "arcsec"}
"""Columns with a unit that the table of a sample has."""

_IMAGE_FILE = re.compile(r"[^.].*\.((fits?|fts)(\.gz|\.fz)?|npy|png|jpe?g)", re.I)


def read_cutouts(
    paths: Paths,
    *,
    size: int | None = None,
    pixel_scale: float | None = None,
    on_error: Literal["raise", "skip"] = "raise",
    nan: Literal["refuse", "keep"] = "refuse",
) -> Sample:
    """Read image cutouts of any survey, north up and east left.

    The kind of a file is told from its first bytes, not its name. Of a FITS file (also gzipped, or compressed
    by fpack) the first HDU with an image is read, axes of length one are dropped, and flux densities become
    Jy/beam, Jy or Jy/sr; a cube without coordinates is a stack. Of large files only the part that is wanted
    is read. A ``.npy`` file holds one image or a stack (n, size, size), row 0 south as in FITS. PNG and JPEG
    become grey, their transparent pixels NaN; their first row is the top of the picture, so they are flipped.
    They have to be linear in flux and bright on dark: a warning names those that do not look so.

    Where the FITS header has celestial coordinates they are used: an image that is rotated by a multiple of
    90° or mirrored, up to 2° more or less, is set upright pixel by pixel; at another angle, or another pixel
    scale than asked for, it is interpolated linearly, which keeps flux densities per beam but for some per
    cent at peaks. Where a rotated image would lack corners it is kept as it is, and a warning says so.
    Pixels much smaller than those asked for should be smoothed first. Coordinates that could be misread are
    refused by the name of the FITS keyword.

    Parameters
    ----------
    paths : path-like or iterable of path-like
        Files to read, or a folder: of `download_cutouts` or `write_cutouts`, or any with such files. Of a
        stack, ``stack.npy[100:200]`` are 100 images; the first is number 0.
    size : int, optional
        Edge length in pixels of the central square to keep. Without it the images have to be square, free of
        NaN and of one size.
    pixel_scale : float, optional
        Width of a pixel in arcsec that all images shall have. Default: that of each file.
    on_error : {"raise", "skip"}
        What to do at a file, or an image of a stack, that cannot be used: raise, or leave it out and list it
        in ``table.meta["skipped"]`` as a pair (file, reason), or (name, reason) where there is a manifest.
    nan : {"refuse", "keep"}
        What to do with an image that has pixels without a finite value: take it for unusable, or keep
        it with NaN there, to be looked at. An image without any finite pixel is never usable.

    Returns
    -------
    Sample
        The images. Labels are -1 (not known) but for a folder with a manifest. The table has ``name``,
        ``path``, ``unit`` ("" if not known), ``ra`` and ``dec`` of the centre (deg), ``pixel_scale``
        (arcsec), and where the frame lies: ``frame_ra`` and ``frame_dec``, the same centre, and
        ``frame_angle``, the position angle of its upward axis (deg); nan where the file has no coordinates.
        And ``beam``, its major axis in arcsec, nan where the header does not tell it. For a folder it has the
        columns of the manifest, whose ``ra`` and ``dec`` are those asked for; rows whose status is not "ok",
        nor "nan edge" if NaN are kept, are listed as skipped.
        Values that single precision cannot hold are divided by a power of ten, which stands in the unit.

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
    check_choice(on_error, "value of on_error", ("raise", "skip"))
    check_choice(nan, "value of nan", ("refuse", "keep"))
    if size is not None:
        check_count(size, "size", 1)
    if pixel_scale is not None:
        check_pixel_scale(pixel_scale)
    files, manifest, skipped = listed(paths, nan == "keep")

    images: list[NDArray[np.float32]] = []
    rows: list[dict[str, Any]] = []
    for number, file in enumerate(files):
        path, planes = part_of(file)
        try:
            found, described, faults = _read(path, planes, size, pixel_scale, nan == "keep")
        except CutoutError as fault:
            found, described, faults = [], [], [("", fault)]
        images += found
        rows += [row | {"file": number} for row in described]
        for plane, error in faults:
            if on_error == "raise":
                msg = f"{path}{plane}: {error}"
                raise CutoutError(msg) from error.__cause__
            skipped.append((f"{path if manifest is None else manifest['name'][number]}{plane}", str(error)))

    reasons = "\n".join(f"  {path}: {reason}" for path, reason in skipped[:10])
    need(images, f"none of the {len(files)} files gives a usable image:\n{reasons}", skipped)
    sizes = sorted({len(image) for image in images})
    check(len(sizes) == 1, f"the images have widths of {sizes} pixels; give size={sizes[0]} or less")

    labels, table = _described(rows, manifest)
    step = "read from files" if size is None else f"read from files, central {size}×{size} pixels"
    table.meta["history"] = [*table.meta.get("history", []), step]
    table.meta["skipped"] = skipped
    return Sample(np.stack(images), labels, table)


def part_of(file: str) -> tuple[Path, slice]:
    """Return the path of a file, and which of its images are meant, as in ``stack.npy[100:200]``."""
    part = re.fullmatch(r"(.+)\[(\d+):(\d+)\]", file)
    if part and not Path(file).exists():
        return Path(part[1]), slice(int(part[2]), int(part[3]))
    return Path(file), slice(None)


def listed(paths: Paths, keep_nan: bool) -> tuple[list[str], Table | None, list[tuple[str, str]]]:
    """Return the files to read, of a folder the rows of its manifest, and the sources that have no image."""
    files = [os.fspath(path) for path in ([paths] if isinstance(paths, PathLike) else paths)]
    check(files, "no files to read; give at least one")
    folder = Path(files[0])
    if not isinstance(paths, PathLike) or not folder.is_dir():
        return files, None, []
    # Hidden files are half written, or a file system's own.
    there = sorted(path.name for path in folder.iterdir() if path.name[0] != ".")
    found = [name for name in there if _IMAGE_FILE.fullmatch(name)]
    if not (folder / MANIFEST).is_file():
        check(found, f"{folder} holds neither a {MANIFEST} nor FITS, npy, PNG or JPEG files; give another")
        _say_unread(folder, [name for name in there if not _IMAGE_FILE.fullmatch(name)])
        return [str(folder / name) for name in found], None, []
    manifest = read_manifest(folder, ("name", "file"))
    for column, usual in (("status", OK), ("message", ""), ("class", "")):
        if column not in manifest.colnames:
            manifest[column] = usual
    good = np.isin(manifest["status"], [OK, NAN_EDGE] if keep_nan else [OK]) & (manifest["file"] != "")
    bad = manifest[~good]
    failed = [(str(row["name"]), f"{row['status']}: {row['message']}".removesuffix(": ")) for row in bad]
    check(len(manifest), f"{folder / MANIFEST} lists no files; give another folder")
    known = {*manifest["file"].tolist()}
    _say_unread(folder, [name for name in found if name not in known])
    return [str(folder / str(name)) for name in manifest["file"][good]], manifest[good], failed


def _say_unread(folder: Path, names: list[str]) -> None:
    """Say which files and folders in a folder are not read."""
    if names:
        rest = f" and {len(names) - 3} more" if len(names) > 3 else ""
        _warn_once(f"not read in {folder}: {', '.join(names[:3])}{rest}")


@functools.lru_cache(100)
def _warn_once(said: str) -> None:
    log.warning("%s", said)


def _described(rows: list[dict[str, Any]], manifest: Table | None) -> tuple[NDArray[np.int64], Table]:
    """Return labels and table of images: what is known of their files, joined to the rows of a manifest."""
    table = Table(rows=rows, units=UNITS)
    read_from = table.columns.pop("file")
    if manifest is None:
        return np.full(len(table), UNLABELLED), table
    listed = manifest[read_from]
    labels = np.array([class_code(name) if name else UNLABELLED for name in listed["class"]])
    listed.remove_column("file")
    for name in table.colnames:
        if name not in listed.colnames or name not in ("name", "ra", "dec"):
            listed[name] = table[name]
    return labels, listed


def _read(
    path: Path, planes: slice, size: int | None, pixel_scale: float | None, keep_nan: bool
) -> tuple[list[NDArray[np.float32]], list[dict[str, Any]], list[tuple[str, CutoutError]]]:
    """Return the images of a file, what the table says of each, and the numbers and faults of the others."""
    place: dict[str, Any] = dict.fromkeys(("ra", "dec", "pixel_scale", *FRAME), np.nan)
    images, rows, faults = [], [], []
    with open_image(path) as opened:
        if opened.wcs is not None:
            pixels, place = upright(opened, size, pixel_scale)
        else:
            need(pixel_scale is None, "has no celestial coordinates; read it without pixel_scale")
            frame = frame_of(opened.shape, size)
            starts = [(whole - part) // 2 for whole, part in zip(opened.shape[-2:], frame, strict=True)]
            with blamed(DAMAGED):
                pixels = opened.cut(*(slice(i, i + n) for i, n in zip(starts, frame, strict=True)), planes)
        beam = opened.beam[0]
        about = place | {"beam": 3600.0 * beam if type(beam) in (int, float) and beam > 0 else np.nan}
        about["path"] = str(path)
        need(planes == slice(None) or pixels.ndim == 3, "holds one image; give its name without a range")
        need(len(pixels), f"has no images in this range; it holds {opened.shape[0]}")
        for i, each in enumerate([pixels] if pixels.ndim == 2 else pixels, planes.start or 0):
            plane = "" if pixels.ndim == 2 else f"[{i}]"
            try:
                image, unit = usable(each if opened.wcs else blanked(each), opened.unit, keep_nan)
            except CutoutError as error:
                faults.append((plane, error))
            else:
                images.append(image)
                rows.append({"name": f"{path.name}{plane}", "unit": unit} | about)
    return images, rows, faults
