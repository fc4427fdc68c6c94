"""Read image cutouts of any survey into a `radiosynth.Sample`."""

from __future__ import annotations

import functools
import logging
import os
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from numpy.typing import NDArray

from radiosynth.cutouts.write import MANIFEST, _read_manifest
from radiosynth.sample import Sample
from radiosynth.surveys import NAN_EDGE, OK
from radiosynth.taxonomy import UNLABELLED, class_code

__all__ = ["CutoutError", "read_cutouts"]

log = logging.getLogger("radiosynth")


class CutoutError(ValueError):
    """A file that does not give a usable image; the message names it, the fault and what to do."""


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

    Where the FITS header has celestial coordinates they are used: an image that is turned by a multiple of
    90° or mirrored, up to 2° more or less, is set upright pixel by pixel; at another angle, or another pixel
    scale than asked for, it is interpolated linearly, which keeps flux densities per beam but for some per
    cent at peaks. Where a turned image would lack corners it is kept as it is, and a warning says so.
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
    manifest = _read_manifest(folder, ("name", "file"))
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


LARGEST = 4096
"""Largest edge in pixels of an image that is read whole."""


_IMAGE_FILE = re.compile(r"[^.].*\.((fits?|fts)(\.gz|\.fz)?|npy|png|jpe?g)", re.I)


DAMAGED = "cannot be read ({}): it is truncated or damaged; fetch it again"


NO_SKY = "has coordinates that make no sense ({}); correct CTYPE, CRVAL, CDELT, CD or PC in its header"


class _Opened(NamedTuple):
    """An image or a stack of images, of which parts can be read."""

    cut: Callable[[slice, slice], Any]
    shape: tuple[int, ...]
    unit: str = ""
    wcs: WCS | None = None
    missing: str = "NaN or infinite"


@contextmanager
def _blamed(words: str) -> Iterator[None]:
    """Make a `CutoutError` of whatever a reader raises: what it says of one file must not end a batch."""
    try:
        yield
    except CutoutError:
        raise
    except Exception as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        if isinstance(error, MemoryError) or "Bomb" in said:
            words = "is too large to be read ({}); cut out the source and its surroundings"
        elif "Python objects" in said:
            words = "cannot be read: it holds Python objects; save an array of numbers"
        elif isinstance(error, OSError) and error.errno:
            words = f"cannot be read ({error.strerror}); check the path, your rights and the disk"
        raise CutoutError(words.format(said)) from error


def _read(
    path: Path, size: int | None, position: SkyCoord | None, pixel_scale: float | None, keep_nan: bool
) -> tuple[list[NDArray[np.float32]], list[dict[str, Any]]]:
    """Return the images of a file and what the table says of each."""
    place = {"ra": np.nan, "dec": np.nan, "pixel_scale": np.nan}
    images, rows = [], []
    with warnings.catch_warnings(action="ignore"), ExitStack() as stack:
        # What readers only warn of is checked here; but half a file is none.
        warnings.filterwarnings("error", "File may have been truncated")
        with _blamed(DAMAGED):
            opened = _open(path, stack)
        if opened.wcs is not None:
            with _blamed(NO_SKY):
                pixels, place, tilt = _upright(opened, opened.wcs, size, position, pixel_scale)
            if tilt > TILT:
                advice = "turned, it would lack corners"
                log.warning("%s: kept as it is, %.1f degrees from north; %s", path, tilt, advice)
        elif position is None and pixel_scale is None:
            frame = _frame(opened.shape, size)
            starts = [(whole - part) // 2 for whole, part in zip(opened.shape[-2:], frame, strict=True)]
            with _blamed(DAMAGED):
                pixels = opened.cut(*(slice(i, i + n) for i, n in zip(starts, frame, strict=True)))
        else:
            msg = "has no celestial coordinates; read it without positions and pixel_scale"
            raise CutoutError(msg)
        for i, each in enumerate([pixels] if pixels.ndim == 2 else pixels):
            image, unit = _in_range(_blanked(each), opened.unit)
            images.append(_usable(image, size, keep_nan, opened.missing))
            name = path.name if pixels.ndim == 2 else f"{path.name}[{i}]"
            rows.append({"name": name, "unit": unit, **place})
    return images, rows


def _open(path: Path, stack: ExitStack) -> _Opened:
    """Open a file until `stack` is closed."""
    if path.exists() and not path.is_file():
        msg = "is a folder, pipe or device; give a file"
        raise CutoutError(msg)
    stream = stack.enter_context(path.open("rb"))
    head = stream.read(512)
    stream.seek(0)
    if not head:
        msg = "the file is empty (0 bytes); fetch it again"
        raise CutoutError(msg)
    if head.lstrip().startswith(b"<") and b"html" in head.lower():
        msg = "holds a web page (HTML), perhaps a server's error message; read it, then fetch the file again"
        raise CutoutError(msg)
    if head.startswith((b"SIMPLE", b"\x1f\x8b")):
        opened = _fits(_image_hdu(stack.enter_context(fits.open(stream, memmap=False))))
        if head[:1] == b"\x1f" and max(opened.shape) > LARGEST:
            msg = "is a large image in a gzip file, of which no part can be read; unpack it with gunzip"
            raise CutoutError(msg)
        return opened
    missing = "NaN or infinite"
    if head.startswith(b"\x93NUMPY"):
        pixels: Any = np.load(path, mmap_mode="r", allow_pickle=False)
        if pixels.ndim in (3, 4) and pixels.shape[-1] == 1:  # the channel of networks
            pixels = pixels[..., 0]
    elif head.startswith((b"\x89PNG", b"\xff\xd8\xff")):
        pixels, missing = _picture(path, head)
    else:
        msg = "is not a FITS, npy, PNG or JPEG file; convert it to one of these"
        raise CutoutError(msg)
    if pixels.dtype.kind not in "biuf":
        msg = f"holds values of type {pixels.dtype}, which are no brightnesses; store real numbers"
        raise CutoutError(msg)
    if pixels.ndim not in (2, 3) or not pixels.size:
        msg = f"holds an array of shape {pixels.shape}; an image has two axes, a stack of images three"
        raise CutoutError(msg)
    return _Opened(lambda rows, columns: pixels[..., rows, columns], pixels.shape, missing=missing)


def _image_hdu(hdus: fits.HDUList) -> Any:
    """Return the first HDU with an image, and say where there are more."""
    images = [hdu for hdu in hdus if hdu.is_image and hdu.shape]
    if not images:
        msg = "is a FITS file without an image; give one with a two-dimensional image"
        raise CutoutError(msg)
    wide = [hdu for hdu in images if sum(n > 1 for n in hdu.shape) > 1] or images
    if len(wide) > 1:
        names = ", ".join(f"{hdu.name or 'unnamed'} {hdu.shape}" for hdu in wide)
        log.warning("%s holds %d images, the first is read: %s", hdus.filename(), len(wide), names)
    return wide[0]


def _fits(hdu: Any) -> _Opened:
    """Return the image of an HDU without its axes of length one."""
    shape = hdu.shape
    axes = [i for i, n in enumerate(shape) if n > 1]
    if len(axes) != 2 or 0 in shape:
        msg = f"holds a FITS image with axes {shape}; cut out one plane of two axes"
        raise CutoutError(msg)
    unit, factor = _unit(str(hdu.header.get("BUNIT", "")).strip())

    def cut(rows: slice, columns: slice) -> NDArray:
        part: list[Any] = [0] * len(shape)
        part[axes[0]], part[axes[1]] = rows, columns
        with _blamed(DAMAGED):
            return (hdu.data if max(shape) <= LARGEST else hdu.section)[tuple(part)] * factor

    with _blamed(NO_SKY):
        # Coordinates are those of the first axes of FITS, the last ones here.
        wcs = _celestial(hdu.header) if axes[0] == len(shape) - 2 else None
    return _Opened(cut, tuple(shape[i] for i in axes), unit, wcs)


@functools.cache
def _unit(text: str) -> tuple[str, float]:
    """Return the unit that values of another become, and the factor; what is not known stays as it is."""
    per_beam = re.sub("jy", "Jy", text.lower())  # JY/BEAM, as AIPS and so FIRST write it
    for spelling, unit in (
        *((text, unit) for unit in ("Jy/beam", "Jy", "Jy/sr", "K")),
        (per_beam, "Jy/beam"),
    ):
        with suppress(Exception):  # whatever astropy makes of a text
            return unit, float(u.Unit(spelling).to(unit))
    return text, 1.0


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


def _picture(path: Path, head: bytes) -> tuple[NDArray, str]:
    """Return a picture as brightness, row 0 south and NaN where it is transparent, and what its NaN are."""
    from PIL import Image

    with Image.open(path) as picture:
        frames, see_through = getattr(picture, "n_frames", 1), picture.has_transparency_data
        grey = picture.mode[0] in "1LIF" and not see_through
        for fault, message in (
            (frames > 1, f"holds {frames} pictures, an animation; save one of them"),
            (max(picture.size) > LARGEST, f"has {picture.size} pixels; cut out the source"),
            # Which the reader would shorten to 8.
            (
                not grey and head[24:26] in (b"\x10\x02", b"\x10\x04", b"\x10\x06"),
                "has 16 bits and colours or transparency; save it as grey, or as FITS",
            ),
        ):
            if fault:
                raise CutoutError(message)
        pixels = np.asarray(picture if grey else picture.convert("RGBA"), float)[::-1]
    if not grey:
        if np.ptp(pixels[..., :3], axis=2).max() > 20:
            log.warning("%s is a picture in colours; is it linear? %s", path, _LINEAR)
        # Luminance as in television; grey stays as it is.
        pixels = np.where(pixels[..., 3] < 255, np.nan, pixels[..., :3] @ [0.2125, 0.7154, 0.0721])
    faint, middle, upper, bright = np.nanpercentile(pixels, [0, 50, 75, 100])
    # In 45 images of FIRST the sky lies at 0.01 to 0.19 of the range, in their logarithms at 0.3 to 0.8;
    # cut off at zero, its upper quartile lies less than 0.04 above it, and 0.1 to 0.5 in the logarithms.
    if max(middle - faint, 5 * (upper - middle)) > 0.25 * (bright - faint):
        log.warning("%s is a picture whose sky is bright: inverted, or stretched? %s", path, _LINEAR)
    return pixels, "transparent" if see_through else "NaN or infinite"


_LINEAR = "Pictures have to be linear in flux, bright on dark; better give FITS files."


_TEXT = re.compile("(CTYPE|CUNIT)[12]")


_NUMBER = re.compile(
    r"(CRVAL|CRPIX|CDELT|CROTA)[12]|(PC|CD)[12]_[12]|PV[12]_\d+|LONPOLE|LATPOLE|[AB]P?_(ORDER|\d_\d)"
)


_UNREAD = re.compile(r"PC00\d{4}|(CPDIS|CQDIS|D2IMDIS)[12]")


_SKY = ("RA", "DEC"), ("DEC", "RA"), ("GLON", "GLAT"), ("GLAT", "GLON")


def _celestial(header: fits.Header) -> WCS | None:
    """Return the coordinates of the first two axes of a FITS image, if they are on the sky.

    wcslib passes over what it does not understand, and misreads the header. So what it gets is made here of
    the keywords that matter, and what is not clear is refused by the keyword's name.
    """

    def check(fine: object, keyword: str, wanted: str) -> None:
        if not fine:
            said = repr(header[keyword]) if keyword in header else "missing"
            msg = f"the FITS keyword {keyword} is {said}; {wanted}: correct the header"
            raise CutoutError(msg)

    kept: dict[str, Any] = {"WCSAXES": 2}
    for name in dict.fromkeys(header):
        check(not _UNREAD.fullmatch(name), name, "this convention is not read")
        if _TEXT.fullmatch(name):
            kept[name] = str(header[name]).strip().upper()
        elif _NUMBER.fullmatch(name):
            number = type(header[name]) in (int, float) and np.isfinite(header[name])
            check(number, name, "a finite number is needed")
            kept[name] = header[name]
    types = kept.get("CTYPE1", ""), kept.get("CTYPE2", "")
    kinds = tuple(name.split("-")[0] for name in types)
    if not any(re.fullmatch("RA|DEC|.?LON|.?LAT|..LN|..LT", kind) for kind in kinds):
        check(any(types) or not (kept.get("CRVAL1") and kept.get("CRVAL2")), "CTYPE1", "CRVAL needs it")
        return None
    wrong = "CTYPE2" if any(kinds[0] in pair for pair in _SKY) else "CTYPE1"
    check(kinds in _SKY, wrong, "RA and DEC, or GLON and GLAT, are needed")
    for i in "12":
        check(f"CRVAL{i}" in kept, f"CRVAL{i}", "coordinates need it")
        check(f"CRPIX{i}" in kept, f"CRPIX{i}", "coordinates need it")
        text = kept.get(f"CUNIT{i}") or "deg"
        unit = u.Unit(text.lower().replace("degrees", "deg"), parse_strict="silent")
        check(unit.is_equivalent("deg"), f"CUNIT{i}", "an angle is needed, such as deg")
        kept[f"CUNIT{i}"] = unit.to_string("fits")
    matrices = {name[:2]: name for name in kept if re.match("(PC|CD)[12]", name)}
    check(len(matrices) < 2, matrices.get("PC", ""), "there is a CD matrix, too")
    check("PC" not in matrices or not kept.get("CROTA2"), "CROTA2", "there is a PC matrix, too")
    check(kept.get("CROTA1", 0) in (0, kept.get("CROTA2", 0)), "CROTA1", "it has to be that of CROTA2")
    name = "RADESYS" if "RADESYS" in header else "RADECSYS"
    frame = kept["RADESYS"] = str(header.get(name, "")).strip().upper()
    check(frame in ("", "ICRS", "FK5", "FK4", "FK4-NO-E"), name, "ICRS, FK5 or FK4 is needed")
    name = "EQUINOX" if "EQUINOX" in header else "EPOCH"
    if name in header:
        year = re.fullmatch(r"[JB]?(\d{4}(\.\d*)?)", str(header[name]).strip().upper())
        check(year and 1850 <= float(year[1]) <= 2100, name, "a year such as 2000.0 is needed")
        kept["EQUINOX"] = float(year[1]) if year else np.nan
        check(frame != "ICRS" or kept["EQUINOX"] == 2000, name, "ICRS has that of 2000")
    wcs = WCS(fits.Header(kept))
    wcs.wcs.set()
    check(wcs.has_celestial and "-" in types[0], "CTYPE1", "a projection is needed, as in RA---SIN")
    for i, least, most in ((wcs.wcs.lng, -180, 360), (wcs.wcs.lat, -90, 90)):
        check(least <= wcs.wcs.crval[i] <= most, f"CRVAL{i + 1}", f"{least} to {most} degrees are possible")
    return wcs


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
    opened: _Opened, wcs: WCS, size: int | None, position: SkyCoord | None, pixel_scale: float | None
) -> tuple[NDArray, dict[str, float], float]:
    """Return the image with north up and east left, its place, and by how many degrees it is not upright.

    An image whose axes are within `TILT` of north and west is taken as it is, pixel by pixel. Cutouts have
    the reference point of their survey's field, and are turned against north, those of FIRST by up to 0.8
    degrees: no pixel is more than four hundredths of its distance from the centre off, while interpolation
    would smooth the noise and lose the corners. Beyond, the image is turned by interpolation where it is
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


def _usable(
    image: NDArray, size: int | None, keep_nan: bool, missing: str = "NaN or infinite"
) -> NDArray[np.float32]:
    """Return the image, cropped if `size` is given, or say why it cannot be used."""
    height, width = image.shape
    bad = ~np.isfinite(image)
    if bad.all():
        msg = f"all pixels are {missing}: outside of the survey, or a failed cutout; leave it out"
        raise CutoutError(msg)
    if size is None and height != width:
        msg = f"the image is not square ({height}×{width}); give size={min(height, width)} or less to crop it"
        raise CutoutError(msg)
    edge = size or height
    if edge > min(height, width):
        msg = f"the image has {height}×{width} pixels, less than size={edge}; give a smaller size (--crop)"
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
        msg = f"{bad[square].sum()} of {edge * edge} pixels are {missing}; {advice}"
        raise CutoutError(msg)
    pixels = np.where(bad, np.nan, image)[square]
    low, high = np.nanmin(pixels), np.nanmax(pixels)
    if low == high:
        msg = f"all pixels have the value {low:g}: there is no source in it; leave it out"
        raise CutoutError(msg)
    limits = np.finfo(np.float32)
    if max(abs(low), abs(high)) > limits.max / 10 or high - low < max(
        limits.tiny / limits.eps, abs(high) * 1e-5
    ):
        msg = (
            f"pixels from {low:.9g} to {high:.9g} lose their detail in the 32-bit numbers used here: "
            "store them in another unit, or less a constant"
        )
        raise CutoutError(msg)
    return pixels.astype(np.float32)
