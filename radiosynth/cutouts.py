"""Image cutouts: fetched from a survey into a folder, read from files into a `Sample`, and written again."""

from __future__ import annotations

import functools
import hashlib
import io
import logging
import os
import re
import sys
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table, vstack
from astropy.utils.exceptions import AstropyWarning
from astropy.wcs import WCS
from astropy.wcs.utils import pixel_to_pixel, proj_plane_pixel_scales
from numpy.typing import NDArray

from .sample import Sample, write_atomically
from .taxonomy import CLASS_NAMES, UNLABELLED, class_code

__all__ = [
    "MANIFEST",
    "CutoutError",
    "First",
    "Refusal",
    "SkyView",
    "Survey",
    "download_cutouts",
    "read_cutouts",
    "write_cutouts",
]

MANIFEST = "manifest.ecsv"
"""File in a folder of cutouts that lists them, one row each."""

# What the manifest says of a source.
OK, NAN_EDGE, OUTSIDE, NOT_TRIED = "ok", "nan edge", "outside survey", "not tried"
NO_ANSWER, SERVER_ERROR, HTML_PAGE = "no answer", "server error", "html page"
NOT_FITS, TRUNCATED, WRONG_SIZE, WRONG_FIELD = "not fits", "truncated", "wrong size", "wrong field"

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

    The kind of a file is told from its first bytes, not its name. Of a FITS file (also gzipped) the first
    HDU with an image is read, axes of length one are dropped, and flux densities per beam become Jy/beam.
    A ``.npy`` file holds one image or a stack (n, size, size), row 0 south as in FITS. PNG and JPEG
    become grey; their first row is the top of the picture, so they are flipped.

    Where the FITS header has celestial coordinates they are used: an image that is turned by a multiple of
    90° or mirrored is set upright pixel by pixel; at any other angle, or another pixel scale than asked
    for, it is interpolated linearly, which keeps flux densities per beam but for some per cent at peaks.
    Pixels much smaller than those asked for should be smoothed first.

    Parameters
    ----------
    paths : path-like or iterable of path-like
        Files to read, or a folder that `download_cutouts` or `write_cutouts` has filled.
    size : int, optional
        Edge length in pixels of the central square to keep. Without it the images have to be square, free of
        NaN and of one size.
    positions : `~astropy.coordinates.SkyCoord`, one per file, optional
        Centres of the images, to the nearest pixel. Default: the middle of the file.
    pixel_scale : float, optional
        Width of a pixel in arcsec that all images shall have. Default: that of each file.
    on_error : {"raise", "skip"}
        What to do at a file that gives no usable image: raise, or go on and list it in
        ``table.meta["skipped"]`` as a pair (file, reason).
    nan : {"refuse", "keep"}
        What to do with an image that has pixels without a finite value: take it for unusable, or keep
        it with NaN there, to be looked at. An image without any finite pixel is never usable.

    Returns
    -------
    Sample
        The images. Labels are -1 (not known) but for a folder with a manifest. The table has ``name``,
        ``path``, ``unit`` ("" if not known), ``ra`` and ``dec`` of the centre (deg) and ``pixel_scale``
        (arcsec), nan where the file has no coordinates. For a folder it has the columns of the manifest,
        whose positions are those asked for; rows whose status is not "ok" are left out.

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
    files, manifest = _listed(paths)
    if not files:
        msg = "no files to read; give at least one"
        raise ValueError(msg)
    if size is not None and size < 1:
        msg = f"size is {size}; give the edge length of the central square in pixels, 1 or more"
        raise ValueError(msg)
    if pixel_scale is not None and pixel_scale <= 0:
        msg = f"pixel_scale is {pixel_scale}; give the width of a pixel in arcsec"
        raise ValueError(msg)
    if positions is not None and positions.shape != (len(files),):
        msg = f"positions have the shape {positions.shape}; {len(files)} files need one each"
        raise ValueError(msg)
    if on_error not in ("raise", "skip"):
        msg = f'on_error is {on_error!r}; give "raise" or "skip"'
        raise ValueError(msg)
    if nan not in ("refuse", "keep"):
        msg = f'nan is {nan!r}; give "refuse" or "keep"'
        raise ValueError(msg)
    images: list[NDArray[np.float32]] = []
    rows: list[dict[str, Any]] = []
    skipped: list[tuple[str, str]] = []
    for number, path in enumerate(files):
        try:
            pixels, about = _read(path)
            wcs = about.pop("wcs")
            place = {"ra": np.nan, "dec": np.nan, "pixel_scale": np.nan}
            if wcs is not None:
                centre = positions[number] if positions is not None else None
                pixels, place = _upright(pixels, wcs, size, centre, pixel_scale)
            elif positions is not None or pixel_scale is not None:
                msg = "has no celestial coordinates; read it without positions and pixel_scale"
                raise CutoutError(msg)
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
        rows += [{"name": name, "path": str(path), **about, **place, "file": number} for name in names]
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
        listed.remove_columns(_OUTCOME)
        for name in table.colnames:
            if name not in listed.colnames or name in ("path", "unit", "pixel_scale"):
                listed[name] = table[name]
        table = listed
    table.meta["history"] = [*table.meta.get("history", []), step]
    table.meta["skipped"] = skipped
    return Sample(np.stack(images), labels, table)


def _listed(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
) -> tuple[list[Path], Table | None]:
    """Return the files to read, and of a folder the rows of its manifest."""
    if not isinstance(paths, str | os.PathLike):
        return [Path(path) for path in paths], None
    folder = Path(paths)
    if not (folder / MANIFEST).is_file():
        return [folder], None
    manifest = _read_manifest(folder)
    manifest = manifest[manifest["status"] == OK]
    return [folder / name for name in manifest["file"]], manifest


def _read(path: Path) -> tuple[NDArray, dict[str, Any]]:
    """Return the pixels of a file, of two or three dimensions, their unit and their coordinates."""
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
    about: dict[str, Any] = {"unit": "", "wcs": None}
    try:
        if head.startswith((b"SIMPLE", b"\x1f\x8b")):
            with path.open("rb") as stream:
                pixels, about = _decoded(_image_hdu(stream))
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
    except (OSError, EOFError, ValueError, TypeError, LookupError, AttributeError, SyntaxError) as error:
        msg = f"cannot be read ({error}): truncated, damaged or holding Python objects; fetch it again"
        raise CutoutError(msg) from error
    if pixels.dtype.kind not in "biuf":
        msg = f"holds values of type {pixels.dtype}, which are no brightnesses; store real numbers"
        raise CutoutError(msg)
    if pixels.ndim not in (2, 3) or not pixels.size:
        msg = f"holds an array of shape {pixels.shape}; an image has two axes, a stack of images three"
        raise CutoutError(msg)
    return pixels, about


def _decoded(hdu: Any) -> tuple[NDArray, dict[str, Any]]:
    """Return the pixels of an image, its unit and its celestial coordinates."""
    pixels = hdu.data.squeeze()
    if pixels.ndim != 2:
        msg = f"holds a FITS image with axes {hdu.data.shape}; cut out one plane of two axes"
        raise CutoutError(msg)
    with warnings.catch_warnings(action="ignore", category=AstropyWarning):
        wcs = WCS(hdu.header)
    about = {"unit": "", "wcs": wcs.celestial if wcs.has_celestial else None}
    bunit = about["unit"] = str(hdu.header.get("BUNIT", "")).strip()
    unit = u.Unit(re.sub("jy", "Jy", bunit.lower()), parse_strict="silent")
    if not unit.is_equivalent(u.Jy / u.beam):
        return pixels, about
    return pixels * unit.to(u.Jy / u.beam), about | {"unit": "Jy/beam"}


def _image_hdu(source: IO[bytes]) -> Any:
    """Return the first HDU with an image, read into memory."""
    # Cutouts of FIRST carry tabs in their comments, which is no fault of the image.
    ignored = warnings.catch_warnings(action="ignore", category=AstropyWarning)
    with ignored, fits.open(source, memmap=False) as hdus:
        for hdu in hdus:
            if hdu.is_image and hdu.data is not None:
                return hdu
    msg = "is a FITS file without an image; give one with a two-dimensional image"
    raise CutoutError(msg)


def _upright(
    pixels: NDArray, wcs: WCS, size: int | None, centre: SkyCoord | None, pixel_scale: float | None
) -> tuple[NDArray, dict[str, float]]:
    """Return the image with north up and east left, and the position and the width of its pixels."""
    height, width = pixels.shape
    native = float(np.sqrt(np.prod(proj_plane_pixel_scales(wcs)))) * 3600
    scale = pixel_scale or native
    if centre is None:
        centre = wcs.pixel_to_world((width - 1) / 2, (height - 1) / 2)
    centre = centre.icrs
    shape = (size, size) if size else tuple(int(n * native / scale + 1e-6) for n in (height, width))
    target = WCS(naxis=2)
    target.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    target.wcs.crval = [centre.ra.deg, centre.dec.deg]
    target.wcs.crpix = [(shape[1] + 1) / 2, (shape[0] + 1) / 2]
    target.wcs.cdelt = [-scale / 3600, scale / 3600]
    place = {"ra": float(centre.ra.deg), "dec": float(centre.dec.deg), "pixel_scale": scale}
    # Where the corner and one step along each axis of the target fall in the file.
    far = max(shape)
    x, y = pixel_to_pixel(target, wcs, np.array([0, far, 0]), np.array([0, 0, far]))
    steps = np.array([[x[1] - x[0], x[2] - x[0]], [y[1] - y[0], y[2] - y[0]]]) / far
    whole = np.rint(steps)
    aligned = abs(np.linalg.det(whole)) == 1 and (abs(steps - whole) * far).max() < 0.5
    column, row = np.meshgrid(np.arange(shape[1]), np.arange(shape[0]))
    if aligned:
        # Halves go down, as in the central crop of an image without coordinates.
        start = np.ceil(np.array([x[0], y[0]]) - 0.5 - 1e-6)
        x, y = (start[:, None, None] + np.tensordot(whole, [column, row], 1)).astype(int)
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        upright = np.full(shape, np.nan, np.promote_types(pixels.dtype, np.float32))
        upright[inside] = pixels[y[inside], x[inside]]
        return upright, place
    from scipy.ndimage import map_coordinates

    x, y = pixel_to_pixel(target, wcs, column, row)
    return map_coordinates(pixels.astype(float), [y, x], order=1, cval=np.nan), place


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
        msg = f"{bad[square].sum()} of {edge * edge} pixels are NaN or infinite; {advice}"
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


# Writing ----------------------------------------------------------------------------------------------

# What the manifest says of each source besides what the catalogue says.
_NEW = {"file": "", "status": NOT_TRIED, "message": "", "attempts": 0, "survey": "", "sha256": ""}
_OUTCOME = tuple(_NEW)


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
        If the folder already holds a manifest.
    """
    folder = Path(folder)
    if (folder / MANIFEST).exists():
        msg = f"{folder} already holds cutouts; give another folder"
        raise ValueError(msg)
    table = sample.table.copy()
    if pixel_scale is not None:
        table["pixel_scale"] = np.full(len(sample), pixel_scale) * u.arcsec
    table["class"] = [CLASS_NAMES[code] if code != UNLABELLED else "" for code in sample.labels]
    results = []
    located = {"ra", "dec", "pixel_scale"} <= set(table.colnames)
    for image, row, stem in zip(sample.images, table, _stems(table["name"]), strict=True):
        header = fits.Header({"OBJECT": re.sub(r"[^ -~]", "?", str(row["name"]))})  # FITS knows ASCII alone
        if "unit" in table.colnames and row["unit"]:
            header["BUNIT"] = row["unit"]
        if located and np.isfinite(row["ra"]):
            middle = (sample.size + 1) / 2
            header.update({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": middle, "CRPIX2": middle})
            header.update({"CRVAL1": float(row["ra"]), "CRVAL2": float(row["dec"]), "RADESYS": "ICRS"})
            step = float(row["pixel_scale"]) / 3600
            header.update({"CDELT1": -step, "CDELT2": step, "CUNIT1": "deg", "CUNIT2": "deg"})
        digest = _write_fits(folder / f"{stem}.fits", fits.PrimaryHDU(image, header))
        status = OK if np.isfinite(image).all() else NAN_EDGE
        results.append(_NEW | {"file": f"{stem}.fits", "status": status, "sha256": digest})
    _write_manifest(folder, table, results)


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
    write_atomically(
        folder / MANIFEST,
        lambda part: manifest.write(part, format="ascii.ecsv", serialize_method="data_mask", overwrite=True),
    )
    return manifest


def _read_manifest(folder: Path) -> Table:
    try:
        return Table.read(folder / MANIFEST, format="ascii.ecsv", fill_values=None)
    except Exception as error:  # whatever a damaged file makes the reader say
        msg = f"{folder / MANIFEST} cannot be read ({error}); delete it and fetch the cutouts again"
        raise ValueError(msg) from error


# Surveys ----------------------------------------------------------------------------------------------


class Refusal(OSError):
    """What keeps a reply from being a cutout.

    Parameters
    ----------
    reason : str
        A word or two for the manifest, such as "server error".
    message : str
        The details.
    wait : float
        Seconds that the server asks to be left alone.
    """

    def __init__(self, reason: str, message: str, wait: float = 0) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason, self.message, self.wait = reason, " ".join(message.split())[:200], wait


class Survey:
    """A source of cutouts. Another survey is a subclass with a name, a pixel scale and one method, `fetch`.

    Parameters
    ----------
    url : str, optional
        Address of the service, if it is not the usual one.
    timeout : float
        Seconds to wait for an answer.
    """

    name: str
    """Name for the manifest and the headers."""
    pixel_scale: float
    """Width of a pixel in arcsec."""

    def __init__(self, url: str | None = None, timeout: float = 60) -> None:
        self.url = url
        # Seconds to connect and to wait for an answer.
        self.timeout = (min(timeout, 10), timeout)
        self._own = threading.local()

    def fetch(self, position: SkyCoord, width: float) -> bytes:
        """Return the FITS file of a square around a position.

        It is called from several threads at a time. What it returns is checked by the caller, and whatever
        it raises counts as a failed attempt.

        Parameters
        ----------
        position : `~astropy.coordinates.SkyCoord`
            Centre.
        width : float
            Width in arcmin.

        Returns
        -------
        bytes
            The reply of the server.
        """
        raise NotImplementedError

    def pixels(self, width: float) -> int:
        """Return how many pixels wide a cutout of `width` arcmin is."""
        return int(width * 60 / self.pixel_scale + 1e-6)

    def get(self, url: str, parameters: dict[str, Any] | None = None) -> bytes:
        """Return what a server answers to a GET request; an error status is raised as `Refusal`."""
        import requests

        return _content(requests.get(url, params=parameters, timeout=self.timeout))


def _content(response: Any) -> bytes:
    """Return the body of a reply, or raise what its status says."""
    if response.status_code == 200:
        return response.content
    after = response.headers.get("Retry-After", "")
    wait = min(float(after), 300) if after.isdigit() else 0
    raise Refusal(SERVER_ERROR, f"HTTP status {response.status_code} {response.reason}", wait)


class First(Survey):
    """The cutout server of the FIRST survey (Becker, White & Helfand 1995), by `astroquery.image_cutouts`."""

    name = "FIRST"
    pixel_scale = 1.8

    def fetch(self, position: SkyCoord, width: float) -> bytes:
        """Return the FITS file of a square of `width` arcmin around a position."""
        from astroquery.image_cutouts.first import FirstClass

        # One client a thread: its connection is kept open.
        if not hasattr(self._own, "client"):
            self._own.client = FirstClass()
        client = self._own.client
        client.URL, client.TIMEOUT = self.url or client.URL, self.timeout
        client.maximsize = self.pixels(width) + 2
        return _content(client.get_images_async(position, image_size=width * u.arcmin))


class SkyView(Survey):
    """FIRST images from NASA's SkyView, by `astroquery.skyview`: resampled, for when the other is down.

    Parameters
    ----------
    url : str, optional
        Address of the form, if it is not the usual one.
    timeout : float
        Seconds to wait for the image.
    """

    name = "VLA FIRST (1.4 GHz)"
    pixel_scale = 1.8

    def fetch(self, position: SkyCoord, width: float) -> bytes:
        """Return the FITS file of a square of `width` arcmin around a position."""
        from astroquery.skyview import SkyViewClass

        if not hasattr(self._own, "client"):
            self._own.client = SkyViewClass()
            # astroquery would wait for ever.
            self._own.client._request = functools.partial(self._own.client._request, timeout=self.timeout)
        client = self._own.client
        client.URL = self.url or client.URL
        edge = width * u.arcmin
        links = client.get_image_list(
            position, [self.name], width=edge, height=edge, pixels=str(self.pixels(width)), cache=False
        )
        if not links:
            raise Refusal(OUTSIDE, "SkyView has no image here")
        return self.get(links[0])


# Fetching ---------------------------------------------------------------------------------------------

# What another request would not change.
_FINAL = (OUTSIDE, NAN_EDGE)
# A page with these words says that there is no image, any other that something went wrong.
_OUTSIDE = re.compile(r"outside|not (been )?(covered|observed|in)\b|no (image|data|coverage|field)", re.I)
_QUIET = threading.Lock()
"""Held while warnings are silenced, which Python does for all threads at once."""
_OFFSET = 5
"""Largest distance in pixels between the middle of an image and the position asked for."""


def download_cutouts(
    table: Table,
    folder: str | os.PathLike[str],
    *,
    survey: Survey | Sequence[Survey] | None = None,
    width: float = 4.5,
    concurrency: int = 4,
    rate: float = 4,
    retries: int = 3,
    backoff: float = 2,
    give_up: int = 20,
) -> Table:
    """Fetch a cutout for each position into a folder: FITS files and a manifest that says how each went.

    The batch may be stopped at any moment, also by killing it, and is taken up where it was by the same
    call: what the folder holds is not fetched again. A failure concerns one source only. Each reply is
    checked to be a FITS file of the right size and field with finite pixels.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Positions, as from `radiosynth.read_positions`; ``name``, ``ra`` and ``dec`` at least.
    folder : path-like
        Where to write. Another call with other positions adds to the folder.
    survey : Survey or sequence of Survey, optional
        Whom to ask, in this order. Default: `First`, then `SkyView`.
    width : float
        Width of the cutouts in arcmin. The report's are 4.5.
    concurrency : int
        Largest number of requests under way at once.
    rate : float
        Largest number of requests a second.
    retries : int
        How often a request is repeated after a failure that may pass.
    backoff : float
        Seconds to wait before the first repetition; twice as long before each further one.
    give_up : int
        Number of sources that fail in a row for reasons of the server or the network after which the rest is
        left for another call.

    Returns
    -------
    `~astropy.table.Table`
        The manifest, as in ``manifest.ecsv``: the table with the columns ``file`` (empty if there is none),
        ``status``, ``message``, ``attempts``, ``survey`` and ``sha256``. The status is "ok", or "nan edge"
        (fetched, but partly outside of the survey), "outside survey", "server error", "html page", "no
        answer", "truncated", "not fits", "wrong size", "wrong field" or "not tried". All but the first three
        are tried anew by the next call.

    Raises
    ------
    ValueError
        If a column is missing, an argument is out of range, or the folder holds cutouts of another width.
    OSError
        If the folder cannot be written, or another process is filling it.
    """
    surveys = [First(), SkyView()] if survey is None else [survey] if isinstance(survey, Survey) else survey
    limits = {"width": width, "concurrency": concurrency, "rate": rate, "give_up": give_up}
    wrong = [f"{name} is {value}" for name, value in limits.items() if value <= 0]
    if wrong or retries < 0 or backoff < 0 or not surveys:
        msg = f"{', '.join(wrong) or 'retries, backoff or survey is out of range'}; give positive numbers"
        raise ValueError(msg)
    folder = Path(folder)
    with _alone(folder):
        rows, results, stems = _plan(table, folder, width)
        places = SkyCoord(np.asarray(rows["ra"], float), np.asarray(rows["dec"], float), unit="deg")
        for i, stem in enumerate(stems):
            _look_on_disk(folder / f"{stem}.fits", results[i], places[i], width, surveys)
        _write_manifest(folder, rows, results)
        todo = [i for i, result in enumerate(results) if result["status"] not in (OK, *_FINAL)]
        log.info(
            "%d cutouts, %d to fetch: %.0f minutes or more at %g a second",
            *(len(rows), len(todo), len(todo) / rate / 60, rate),
        )
        pace = _Pace(rate)

        def fetch(i: int) -> dict[str, Any]:
            path = folder / f"{stems[i]}.fits"
            return _fetch(path, rows["name"][i], places[i], width, surveys, pace, retries, backoff)

        def keep() -> Table:
            with _QUIET:
                return _write_manifest(folder, rows, results)

        try:
            _fetch_all(todo, fetch, results, keep, pace=pace, concurrency=concurrency, give_up=give_up)
        finally:
            manifest = keep()
    counts = Counter(manifest["status"].tolist())
    log.info("%s: %s", folder, ", ".join(f"{n} {status}" for status, n in counts.most_common()))
    return manifest


def _fetch_all(
    todo: list[int],
    fetch: Callable[[int], dict[str, Any]],
    results: list[dict[str, Any]],
    keep: Callable[[], object],
    *,
    pace: _Pace,
    concurrency: int,
    give_up: int,
) -> None:
    """Fetch what is to be fetched, several at a time, and keep the manifest as it grows."""
    from astroquery import cache_conf
    from tqdm import tqdm

    in_a_row, counting = 0, threading.Lock()

    def watched(i: int) -> dict[str, Any]:
        nonlocal in_a_row
        outcome = fetch(i)
        # Counted by the thread that asked: so the others stop at once, however busy this machine is.
        with counting:
            in_a_row = 0 if outcome["status"] in (OK, *_FINAL) else in_a_row + 1
            if in_a_row >= give_up and not pace.stop.is_set():
                pace.stop.set()
                log.warning(
                    "%d sources in a row failed, the last with %s (%s): the rest is left for later",
                    *(in_a_row, outcome["status"], outcome["message"]),
                )
        return outcome

    def settle(future: Future[dict[str, Any]]) -> None:
        result, outcome = results[under_way.pop(future)], future.result()
        result.update(outcome, attempts=result["attempts"] + outcome["attempts"])

    kept = time.monotonic()
    # astroquery would keep an error page for a week. This holds for all threads.
    with cache_conf.set_temp("cache_active", False), ThreadPoolExecutor(concurrency) as pool:
        under_way = {pool.submit(watched, i): i for i in todo}
        shown = tqdm(total=len(todo), unit="cutout", disable=not sys.stderr.isatty())
        try:
            for future in as_completed(list(under_way)):
                settle(future)
                shown.update()
                if pace.stop.is_set():
                    break
                if time.monotonic() - kept > 1:
                    keep()
                    kept = time.monotonic()
        finally:
            # Also after Ctrl-C: what is under way is finished, nothing else begun.
            shown.close()
            pace.stop.set()
            pool.shutdown(cancel_futures=True)
            for future in list(under_way):
                if not future.cancelled() and future.exception() is None:
                    settle(future)


class _Pace:
    """Lets requests begin at a steady rate, all threads together, until it is stopped."""

    def __init__(self, rate: float) -> None:
        self.interval, self.free, self.lock = 1 / rate, time.monotonic(), threading.Lock()
        self.stop = threading.Event()

    def wait(self, hold: float = 0) -> bool:
        """Wait for one's turn, and `hold` back all requests for so many seconds; return False if stopped."""
        with self.lock:
            begin = max(time.monotonic(), self.free) + hold
            self.free = begin + self.interval
        return not self.stop.wait(max(0, begin - time.monotonic()))


def _fetch(
    path: Path,
    name: str,
    position: SkyCoord,
    width: float,
    surveys: Sequence[Survey],
    pace: _Pace,
    retries: int,
    backoff: float,
) -> dict[str, Any]:
    """Ask one survey after the other for a cutout, write it, and return what the manifest shall say."""
    result, attempts, hold = dict(_NEW), 0, 0.0
    for survey in surveys:
        for attempt in range(retries + 1):
            if (attempt and pace.stop.wait(backoff * 2 ** (attempt - 1))) or not pace.wait(hold):
                return result | {"attempts": attempts}
            attempts, hold = attempts + 1, 0
            try:
                content = survey.fetch(position, width)
                with _QUIET:
                    hdu, status, message = _checked(content, position, width, survey)
            except Refusal as refusal:
                status, message, hold = refusal.reason, refusal.message, refusal.wait
            # Whatever goes wrong with one source must not end the batch.
            except Exception as error:
                answered = getattr(error, "response", None) is not None
                cut = "IncompleteRead" in str(error)
                status = TRUNCATED if cut else SERVER_ERROR if answered else NO_ANSWER
                message = f"{type(error).__name__}: {error}"[:200]
            else:
                with _QUIET:
                    _sign(hdu.header, name, position, survey)
                    digest = _write_fits(path, hdu)
                done = {"file": path.name, "sha256": digest, "survey": survey.name}
                return result | done | {"status": status, "message": message, "attempts": attempts}
            # That the first survey has no image there is worth more than that the second is down.
            if result["status"] not in _FINAL:
                result |= {"status": status, "message": " ".join(message.split()), "survey": survey.name}
            if status in _FINAL:
                break
    return result | {"attempts": attempts}


def _checked(content: bytes, position: SkyCoord, width: float, survey: Survey) -> tuple[Any, str, str]:
    """Return the image of a reply as an HDU, with status and message, or raise why it is none."""
    start = content[:2000].lstrip()
    if start.startswith(b"<"):
        page = re.sub(r"<[^>]*>", " ", content.decode("utf-8", "replace"))
        raise Refusal(OUTSIDE if _OUTSIDE.search(page) else HTML_PAGE, " ".join(page.split()))
    if not start.startswith(b"SIMPLE"):
        found = f"{len(content)} bytes that begin with {content[:30]!r}"
        raise Refusal(OUTSIDE if _OUTSIDE.search(str(start)) else NOT_FITS, found)
    try:
        image = _image_hdu(io.BytesIO(content))
        pixels, about = _decoded(image)
    except (OSError, EOFError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise Refusal(TRUNCATED, f"{len(content)} bytes: {error}") from error
    edge = survey.pixels(width)
    # Servers round up or down, or add the pixel in the middle.
    if not all(edge <= n <= edge + 2 for n in pixels.shape):
        raise Refusal(WRONG_SIZE, f"{pixels.shape[1]}×{pixels.shape[0]} pixels instead of {edge}×{edge}")
    wcs, (height, width_px) = about["wcs"], pixels.shape
    if wcs is None:
        raise Refusal(WRONG_FIELD, "the image has no celestial coordinates")
    offset = wcs.pixel_to_world((width_px - 1) / 2, (height - 1) / 2).separation(position).arcsec
    if not offset <= _OFFSET * survey.pixel_scale:
        raise Refusal(WRONG_FIELD, f"the image is centred {offset:.0f} arcsec away")
    finite = np.isfinite(pixels)
    if not finite.any() or np.ptp(pixels[finite]) == 0:
        raise Refusal(OUTSIDE, "the image is blank")
    # Headers of FIRST hold tabs, which FITS forbids and other readers complain of.
    header = fits.Header.fromstring(re.sub(r"[^ -~]", " ", image.header.tostring()))
    hdu = fits.PrimaryHDU(image.data, header)
    if not finite.all():
        return hdu, NAN_EDGE, f"{(~finite).sum()} of {finite.size} pixels are not finite"
    return hdu, OK, ""


def _sign(header: fits.Header, name: str, position: SkyCoord, survey: Survey) -> None:
    """Say in the header where the image comes from."""
    from importlib.metadata import version

    header["SRCNAME"] = (str(name).encode("ascii", "replace").decode(), "name of the source asked for")
    header["RA_REQ"] = (position.ra.deg, "[deg] right ascension asked for, ICRS")
    header["DEC_REQ"] = (position.dec.deg, "[deg] declination asked for, ICRS")
    header["SRVNAME"] = (survey.name, "survey asked")
    header["RETRIEVD"] = (time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "when")
    header.add_history(f"fetched and checked by radiosynth {version('radiosynth')}")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes from filling the folder at the same time; a killed process lets go of it."""
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".lock", timeout=0):
            yield
    except Timeout as error:
        msg = f"another process is fetching cutouts into {folder}; wait for it or give another folder"
        raise OSError(msg) from error


def _plan(table: Table, folder: Path, width: float) -> tuple[Table, list[dict[str, Any]], list[str]]:
    """Return the rows of the manifest, what is known of each, and the names of their files."""
    rows = table.copy()
    missing = [name for name in ("name", "ra", "dec") if name not in rows.colnames]
    if missing or not len(rows):
        msg = (
            f"the table has {len(rows)} rows and the columns {', '.join(rows.colnames)}; name, ra and dec "
            "(degrees) are needed: read your list with radiosynth.read_positions"
        )
        raise ValueError(msg)
    rows.remove_columns([name for name in _OUTCOME if name in rows.colnames])
    for name in ("class", "catalogue", "catalogue_class"):
        if name not in rows.colnames:
            rows[name] = ""
    rows.meta["width"] = width
    known: dict[tuple, dict[str, Any]] = {}
    if (folder / MANIFEST).exists():
        before = _read_manifest(folder)
        if before.meta.get("width") != width:
            msg = (
                f"{folder} holds cutouts of {before.meta.get('width')} arcmin, {width} are asked for; "
                "give another folder"
            )
            raise ValueError(msg)
        results = [{name: row[name] for name in _OUTCOME} for row in before]
        before.remove_columns(_OUTCOME)
        known = dict(zip(_keys(before), results, strict=True))
        asked = set(_keys(rows))
        others = before[[key not in asked for key in known]]
        if len(others):
            rows = vstack([others, rows], metadata_conflicts="silent")
            rows.meta["width"] = width
    results = [dict(known.get(key, _NEW)) for key in _keys(rows)]
    kept = [Path(str(result["file"])).stem for result in results if result["file"]]
    fresh = _stems(
        [name for name, result in zip(rows["name"], results, strict=True) if not result["file"]], kept
    )
    stems = [Path(str(result["file"])).stem if result["file"] else next(fresh) for result in results]
    return rows, results, stems


def _keys(rows: Table) -> list[tuple]:
    """Return what tells the rows apart; of rows alike, also which one it is."""
    seen: Counter[tuple] = Counter()
    keys = []
    for row in rows:
        key = (
            str(row["name"]),
            f"{row['ra']:.5f}",
            f"{row['dec']:.5f}",
            str(row["class"]),
            str(row["catalogue"]),
        )
        seen[key] += 1
        keys.append((*key, seen[key]))
    return keys


def _look_on_disk(
    path: Path, result: dict[str, Any], position: SkyCoord, width: float, surveys: Sequence[Survey]
) -> None:
    """Correct what the manifest says of a file that is there, damaged or gone."""
    if not path.is_file():
        if result["file"]:
            result.update(_NEW, attempts=result["attempts"])
        return
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest == result["sha256"]:
        return
    result.update(_NEW, attempts=result["attempts"])
    # Killed between writing the file and the manifest, if it is good.
    for survey in surveys:
        with suppress(Refusal):
            hdu, status, message = _checked(content, position, width, survey)
            if hdu.header.get("SRVNAME") == survey.name:
                about = {"status": status, "message": message, "survey": survey.name, "sha256": digest}
                result.update(about, file=path.name)
