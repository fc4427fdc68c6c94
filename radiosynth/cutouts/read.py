"""Read image cutouts of any survey into a `radiosynth.Sample`."""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Table
from astropy.wcs import WCS
from numpy.typing import NDArray

from radiosynth.cutouts.files import DAMAGED, LARGEST, NO_SKY, CutoutError, Opened, blamed, open_image
from radiosynth.cutouts.manifest import MANIFEST, NAN_EDGE, OK, read_manifest
from radiosynth.sample import Sample
from radiosynth.taxonomy import UNLABELLED, class_code

__all__ = ["read_cutouts"]

log = logging.getLogger("radiosynth")


def read_cutouts(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    size: int | None = None,
    positions: SkyCoord | None = None,
    pixel_scale: float | None = None,
    on_error: Literal["raise", "skip"] = "raise",
    nan: Literal["refuse", "keep"] = "refuse",
) -> Sample:
    """Read image cutouts of any survey, north up and east left.

    The kind of a file is told from its first bytes, not its name. Of a FITS file (also gzipped, or compressed
    by fpack) the first HDU with an image is read, axes of length one are dropped, and flux densities become
    Jy/beam, Jy or Jy/sr. Of large files only the part that is wanted is read. A ``.npy`` file holds one image
    or a stack (n, size, size), row 0 south as in FITS. PNG and JPEG become grey, their transparent pixels
    NaN; their first row is the top of the picture, so they are flipped. They have to be linear in flux and
    bright on dark: a warning names those that do not look so.

    Where the FITS header has celestial coordinates they are used: an image that is rotated by a multiple of
    90° or mirrored, up to 2° more or less, is set upright pixel by pixel; at another angle, or another pixel
    scale than asked for, it is interpolated linearly, which keeps flux densities per beam but for some per
    cent at peaks. Where a rotated image would lack corners it is kept as it is, and a warning says so.
    Pixels much smaller than those asked for should be smoothed first. Coordinates that could be misread are
    refused by the name of the FITS keyword.

    Parameters
    ----------
    paths : path-like or iterable of path-like
        Files to read, or a folder: of `download_cutouts` or `write_cutouts`, or any with such files.
    size : int, optional
        Edge length in pixels of the central square to keep. Without it the images have to be square, free of
        NaN and of one size.
    positions : `~astropy.coordinates.SkyCoord`, one per file, optional
        Centres of the images, to the nearest pixel. Default: the middle of the file.
    pixel_scale : float, optional
        Width of a pixel in arcsec that all images shall have. Default: that of each file.
    on_error : {"raise", "skip"}
        What to do at a file that gives no usable image: raise, or go on and list it in
        ``table.meta["skipped"]`` as a pair (file, reason), or (name, reason) where there is a manifest.
    nan : {"refuse", "keep"}
        What to do with an image that has pixels without a finite value: take it for unusable, or keep
        it with NaN there, to be looked at. An image without any finite pixel is never usable.

    Returns
    -------
    Sample
        The images. Labels are -1 (not known) but for a folder with a manifest. The table has ``name``,
        ``path``, ``unit`` ("" if not known), ``ra`` and ``dec`` of the centre (deg) and ``pixel_scale``
        (arcsec), nan where the file has no coordinates. For a folder it has the columns of the manifest,
        whose positions are those asked for; rows whose status is not "ok", nor "nan edge" if NaN are kept,
        are listed as skipped. Values that single precision cannot hold are divided by a power of ten, which
        stands in the unit.

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
    files, manifest, skipped = _listed(paths, nan)
    low, high = PIXEL_SCALES
    for fine, message in (
        (len(files), "no files to read; give at least one"),
        (
            size is None or (isinstance(size, int | np.integer) and size >= 1),
            f"size is {size}; give the edge length of the central square in pixels",
        ),
        (
            pixel_scale is None or low <= pixel_scale <= high,
            f"pixel_scale is {pixel_scale}; give the width of a pixel in arcsec, {low} to {high}",
        ),
        (
            positions is None or getattr(positions, "shape", None) == (len(files),),
            f"positions have the shape {getattr(positions, 'shape', None)}; {len(files)} files need one each",
        ),
        (on_error in ("raise", "skip"), f'on_error is {on_error!r}; give "raise" or "skip"'),
        (nan in ("refuse", "keep"), f'nan is {nan!r}; give "refuse" or "keep"'),
    ):
        if not fine:
            raise ValueError(message)
    images: list[NDArray[np.float32]] = []
    rows: list[dict[str, Any]] = []
    for number, path in enumerate(files):
        position = None if positions is None else positions[number]
        try:
            found, described = _read(path, size, position, pixel_scale, nan == "keep")
        except CutoutError as error:
            if on_error == "raise":
                msg = f"{path}: {error}"
                raise CutoutError(msg) from error.__cause__
            skipped.append((str(path if manifest is None else manifest["name"][number]), str(error)))
            continue
        images += found
        rows += [row | {"path": str(path), "file": number} for row in described]
    if not images:
        reasons = "\n".join(f"  {path}: {reason}" for path, reason in skipped[:10])
        msg = f"none of the {len(files)} files gives a usable image:\n{reasons}"
        raise CutoutError(msg)
    sizes = {image.shape[0]: row["path"] for image, row in zip(images, rows, strict=True)}
    if len(sizes) > 1:
        examples = ", ".join(f"{n}×{n} ({path})" for n, path in sorted(sizes.items())[:4])
        msg = (
            f"the images differ in size: {examples}; give size={min(sizes)} or less to crop them to one size"
        )
        raise ValueError(msg)
    step = "read from files" if size is None else f"read from files, central {size}×{size} pixels"
    table = Table(rows=rows, units={"ra": "deg", "dec": "deg", "pixel_scale": "arcsec"})
    read_from = table["file"]
    table.remove_column("file")
    labels = np.full(len(images), UNLABELLED)
    if manifest is not None:
        listed = manifest[read_from]
        labels = np.array([class_code(name) if name else UNLABELLED for name in listed["class"]])
        listed.remove_columns([name for name in ("file", "attempts", "sha256") if name in listed.colnames])
        for name in table.colnames:
            if name not in listed.colnames or name in ("path", "unit", "pixel_scale"):
                listed[name] = table[name]
        table = listed
    table.meta["history"] = [*table.meta.get("history", []), step]
    table.meta["skipped"] = skipped
    return Sample(np.stack(images), labels, table)


def _listed(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]], nan: str
) -> tuple[list[Path], Table | None, list[tuple[str, str]]]:
    """Return the files to read, of a folder the rows of its manifest, and the sources that have no image."""
    if not isinstance(paths, str | os.PathLike):
        return [Path(path) for path in paths], None, []
    folder = Path(paths)
    if not folder.is_dir():
        return [folder], None, []
    if not (folder / MANIFEST).is_file():
        # Hidden files are half written, or a file system's own.
        found = sorted(path for path in folder.iterdir() if _IMAGE_FILE.fullmatch(path.name))
        if not found:
            msg = f"{folder} holds neither a {MANIFEST} nor FITS, npy, PNG or JPEG files; give another folder"
            raise ValueError(msg)
        return found, None, []
    manifest = read_manifest(folder, ("name", "file"))
    for column, usual in (("status", OK), ("message", ""), ("class", "")):
        if column not in manifest.colnames:
            manifest[column] = usual
    good = np.isin(manifest["status"], [OK, NAN_EDGE] if nan == "keep" else [OK]) & (manifest["file"] != "")
    failed = [
        (str(row["name"]), f"{row['status']}: {row['message']}".removesuffix(": ")) for row in manifest[~good]
    ]
    return [folder / str(name) for name in manifest["file"][good]], manifest[good], failed


PIXEL_SCALES = 0.001, 600
"""Least and largest width of a pixel, in arcsec: no radio image has others."""


TILT = 2
"""Largest angle in degrees between north and an axis of an image that is taken as it is."""


_IMAGE_FILE = re.compile(r"[^.].*\.((fits?|fts)(\.gz|\.fz)?|npy|png|jpe?g)", re.I)


def _read(
    path: Path, size: int | None, position: SkyCoord | None, pixel_scale: float | None, keep_nan: bool
) -> tuple[list[NDArray[np.float32]], list[dict[str, Any]]]:
    """Return the images of a file and what the table says of each."""
    place = {"ra": np.nan, "dec": np.nan, "pixel_scale": np.nan}
    images, rows = [], []
    with warnings.catch_warnings(action="ignore"), ExitStack() as stack:
        # What readers only warn of is checked here; but half a file is none.
        warnings.filterwarnings("error", "File may have been truncated")
        with blamed(DAMAGED):
            opened = open_image(path, stack)
        if opened.wcs is not None:
            with blamed(NO_SKY):
                pixels, place, tilt = _upright(opened, opened.wcs, size, position, pixel_scale)
            if tilt > TILT:
                advice = "rotated, it would lack corners"
                log.warning("%s: kept as it is, %.1f degrees from north; %s", path, tilt, advice)
        elif position is None and pixel_scale is None:
            frame = _frame(opened.shape, size)
            starts = [(whole - part) // 2 for whole, part in zip(opened.shape[-2:], frame, strict=True)]
            with blamed(DAMAGED):
                pixels = opened.cut(*(slice(i, i + n) for i, n in zip(starts, frame, strict=True)))
        else:
            msg = "has no celestial coordinates; read it without positions and pixel_scale"
            raise CutoutError(msg)
        for i, each in enumerate([pixels] if pixels.ndim == 2 else pixels):
            image, unit = _in_range(_blanked(each), opened.unit)
            images.append(_usable(image, keep_nan, opened.missing))
            name = path.name if pixels.ndim == 2 else f"{path.name}[{i}]"
            rows.append({"name": name, "unit": unit, **place})
    return images, rows


def _blanked(image: NDArray) -> NDArray[np.float64]:
    """Return an image with NaN for values that stand for missing data, such as -9999 or numpy's 1e20.

    They are in less than half of the pixels, and lie below all others by more than the range of these, or
    above by a thousand times that range. Zeros are left to `missing_pixels`.
    """
    pixels = np.array(image, float)
    values = pixels[np.isfinite(pixels)]
    for blank, far in ((values.min(initial=0), 1), (values.max(initial=0), 1000)):
        rest = values[values != blank]
        if blank and 2 * rest.size > values.size and abs(rest - blank).min() > far * np.ptp(rest) > 0:
            pixels[pixels == blank] = np.nan
    return pixels


def _in_range(image: NDArray, unit: str) -> tuple[NDArray, str]:
    """Return an image that single precision can hold, and square: a power of ten goes into the unit."""
    peak = np.abs(image[np.isfinite(image)]).max(initial=0)
    if peak == 0 or 1e-15 < peak < 1e15:
        return image, unit
    power = int(np.clip(np.floor(np.log10(peak)), -300, 300))
    return image * 10.0**-power, f"1e{power} {unit}".strip()


def _frame(shape: Sequence[int], size: int | None) -> tuple[int, int]:
    """Return the height and the width of the part of an image that is wanted."""
    height, width = shape[-2:]
    if size is not None and size > min(height, width):
        msg = f"the image has {height}×{width} pixels, less than size={size}; give a smaller size (--crop)"
        raise CutoutError(msg)
    if max(frame := (size, size) if size else (height, width)) > LARGEST:
        msg = f"{frame[0]}×{frame[1]} pixels are too many; give size (--crop) of {LARGEST} or less"
        raise CutoutError(msg)
    return frame


def _upright(
    opened: Opened, wcs: WCS, size: int | None, position: SkyCoord | None, pixel_scale: float | None
) -> tuple[NDArray, dict[str, float], float]:
    """Return the image with north up and east left, its place, and by how many degrees it is not upright.

    An image whose axes are within `TILT` of north and west is taken as it is, pixel by pixel. Cutouts have
    the reference point of their survey's field, and are rotated against north, those of FIRST by up to 0.8
    degrees: no pixel is more than four hundredths of its distance from the centre off, while interpolation
    would smooth the noise and lose the corners. Beyond, the image is rotated by interpolation where it is
    large enough to fill the frame, and else kept as it is: the classes do not depend on the orientation,
    but would on invented corners.
    """
    from scipy.ndimage import map_coordinates

    height, width = opened.shape
    x, y = ((width - 1) / 2, (height - 1) / 2) if position is None else wcs.world_to_pixel(position)
    sky = wcs.pixel_to_world(x + np.array([0, 1, -1, 0, 0]), y + np.array([0, 0, 0, 1, -1])).icrs
    if not np.isfinite(sky.cartesian.xyz).all():
        what = "its middle" if position is None else "the position"
        msg = f"CRVAL and CRPIX in its header put {what} off the sky; correct them or leave it out"
        raise CutoutError(msg)
    (ra, *_), (dec, *_) = sky.ra.rad, sky.dec.rad
    west = [np.sin(ra), -np.cos(ra), 0]
    north = [-np.sin(dec) * np.cos(ra), -np.sin(dec) * np.sin(ra), np.cos(dec)]
    ahead = np.degrees([west, north] @ sky.cartesian.xyz.value) * 3600
    per_pixel = (ahead[:, [1, 3]] - ahead[:, [2, 4]]) / 2
    large, small = np.linalg.svd(per_pixel, compute_uv=False)
    if not (PIXEL_SCALES[0] <= small and large <= min(PIXEL_SCALES[1], 2 * small)):
        msg = (
            f"has pixels of {large:.3g} by {small:.3g} arcsec, which no radio image has; correct CDELT, "
            "CD or PC in its header"
        )
        raise CutoutError(msg)
    scale = pixel_scale or float(np.sqrt(large * small))
    # What one pixel of the upright image is in the file: a turn, then a stretch along the file's axes.
    left, stretches, right = np.linalg.svd(scale * np.linalg.inv(per_pixel))
    turn = left @ right
    along = abs(turn[0]).argmax()
    straight = np.where(np.eye(2)[[along, 1 - along]], np.sign(turn), 0)
    tilt = float(np.degrees(np.arccos(min(1, abs(turn[0, along])))))
    exact = abs(stretches - 1).max() * (size or max(opened.shape)) < 0.5
    stretch = np.eye(2) if exact else (left * stretches) @ left.T
    full = int(height / stretch[1, 1] + 1e-6), int(width / stretch[0, 0] + 1e-6)
    frame = _frame(full if along == 0 else full[::-1], size)
    for turned in (True, False) if tilt > TILT else (False,):
        steps = stretch @ (turn if turned else straight)
        start = [x, y] - steps @ (np.array(frame[::-1]) - 1) / 2
        if exact and not turned:  # halves go down, as in the central crop of an image without coordinates
            start = np.ceil(start - 0.5 - 1e-6)
        places = (start[:, None, None] + np.tensordot(steps, np.indices(frame)[::-1], 1))[::-1]
        # Less than a pixel from the middle of the outermost pixels.
        inside = np.all([(i > -1) & (i < n) for i, n in zip(places, opened.shape, strict=True)], axis=0)
        if inside.all():
            break
    if not inside.any():
        msg = "the position lies outside of the image; leave it out"
        raise CutoutError(msg)
    area = [slice(max(0, int(i.min())), int(i.max()) + 2) for i in places]
    places -= np.array([part.start for part in area])[:, None, None]
    order = 0 if exact and not turned else 1
    pixels = map_coordinates(_blanked(opened.cut(*area)), places, order=order, mode="nearest")
    centre = sky[0] if position is None else position.icrs
    place = {"ra": float(centre.ra.deg), "dec": float(centre.dec.deg), "pixel_scale": scale}
    return np.where(inside, pixels, np.nan), place, 0 if turned else tilt


def _usable(image: NDArray, keep_nan: bool, missing: str) -> NDArray[np.float32]:
    """Return the image in single precision, or say why it cannot be used."""
    height, width = image.shape
    bad = ~np.isfinite(image)
    if bad.all():
        msg = f"all pixels are {missing}: outside of the survey, or a failed cutout; leave it out"
        raise CutoutError(msg)
    if height != width:
        msg = f"the image is not square ({height}×{width}); give size={min(height, width)} or less to crop it"
        raise CutoutError(msg)
    if bad.any() and not keep_nan:
        # Twice the distance from the centre to the nearest such pixel, along the farther axis.
        rows, columns = np.nonzero(bad)
        nearest = np.maximum(abs(2 * rows - height + 1), abs(2 * columns - width + 1)).min()
        advice = (
            f"give size={nearest - 1} or less" if nearest > 1 else "its centre is among them, so leave it out"
        )
        msg = f"{bad.sum()} of {bad.size} pixels are {missing}; {advice}"
        raise CutoutError(msg)
    pixels = np.where(bad, np.nan, image)
    low, high = np.nanmin(pixels), np.nanmax(pixels)
    if low == high:
        msg = f"all pixels have the value {low:g}: there is no source in it; leave it out"
        raise CutoutError(msg)
    if high - low < max(abs(low), abs(high)) * 1e-5:
        msg = (
            f"pixels from {low:.9g} to {high:.9g} lose their detail in the 32-bit numbers used here: "
            "store them in another unit, or less a constant"
        )
        raise CutoutError(msg)
    return pixels.astype(np.float32)
