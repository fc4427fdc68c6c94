"""Open files of images of any kind: FITS, numpy arrays and pictures."""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.wcs import WCS, Wcsprm
from numpy.typing import NDArray

from radiosynth._io import log, told
from radiosynth.sample import UnusableError


class CutoutError(UnusableError):
    """A file that does not give a usable image; the message names it, the fault and what to do."""


def need(met: object, fault: str, skipped: Sequence[tuple[str, str]] = ()) -> None:
    """Raise `CutoutError` unless a condition is met, as `radiosynth._io.check` does `ValueError`."""
    if not met:
        raise CutoutError(fault, skipped)


LARGEST = 4096
"""Largest edge in pixels of an image that is read whole."""


SMALL = 2**22
"""Bytes of a FITS file up to which it is read at once."""


DAMAGED = "cannot be read ({}): it is truncated or damaged; fetch it again"


LINEAR = "Pictures have to be linear in flux, bright on dark; better give FITS files."


NO_SKY = "has coordinates that make no sense ({}); correct CTYPE, CRVAL, CDELT, CD or PC in its header"


class Opened(NamedTuple):
    """An image or a stack of images, of which parts can be read: rows and columns, and planes of a stack."""

    cut: Callable[..., Any]
    shape: tuple[int, ...]
    unit: str = ""
    wcs: Any = None  # a WCS, if there are celestial coordinates
    beam: tuple[Any, ...] = (None, None, None)  # BMAJ, BMIN and BPA as they stand in the header
    name: str = ""  # for messages in the log


@contextmanager
def blamed(words: str) -> Iterator[None]:
    """Make a `CutoutError` of whatever a reader raises: what it says of one file must not end a batch."""
    try:
        yield
    except CutoutError:
        raise
    except Exception as error:
        said = told(error)
        if isinstance(error, MemoryError) or "Bomb" in said:
            words = "is too large to be read ({}); cut out the source and its surroundings"
        elif "Python objects" in said:
            words = "cannot be read: it holds Python objects; save an array of numbers"
        elif isinstance(error, OSError) and error.errno:
            words = f"cannot be read ({error.strerror}); check the path, your rights and the disk"
        raise CutoutError(words.format(said)) from error


@contextmanager
def open_image(path: Path) -> Iterator[Opened]:
    """Open a file as an image, or a stack of images."""
    with warnings.catch_warnings(action="ignore"), ExitStack() as stack:
        # What readers only warn of is checked here; but half a file is none.
        warnings.filterwarnings("error", "File may have been truncated")
        with blamed(DAMAGED):
            opened = _open(path, stack)._replace(name=str(path))
        yield opened


def _open(path: Path, stack: ExitStack) -> Opened:
    """Open a file until `stack` is closed."""
    need(path.is_file() or not path.exists(), "is a folder, pipe or device; give a file")
    stream = stack.enter_context(path.open("rb"))
    head = stream.peek(512)[:512]
    need(head, "the file is empty (0 bytes); fetch it again")
    page = head.lstrip().startswith(b"<") and b"html" in head.lower()
    need(not page, "holds a web page (HTML), perhaps a server's error; read it, then fetch the file again")
    if head.startswith((b"SIMPLE", b"\x1f\x8b")):
        whole = _only_image(stream.read()) if path.stat().st_size <= SMALL else None
        stream.seek(0)
        return fits_image(whole or image_hdu(stack.enter_context(fits.open(stream, memmap=False))))
    if head.startswith(b"\x93NUMPY"):
        pixels: Any = np.load(path, mmap_mode="r", allow_pickle=False)
        if pixels.ndim in (3, 4) and pixels.shape[-1] == 1:  # the channel of networks
            pixels = pixels[..., 0]
    elif head.startswith((b"\x89PNG", b"\xff\xd8\xff")):
        pixels = _picture(path, head)
    else:
        msg = "is not a FITS, npy, PNG or JPEG file; convert it to one of these"
        raise CutoutError(msg)
    need(pixels.dtype.kind in "iuf", f"holds values of type {pixels.dtype}; store real numbers")
    planes = pixels.ndim in (2, 3) and pixels.size
    need(planes, f"holds an array of shape {pixels.shape}; an image has two axes, a stack of images three")

    def cut(rows: slice, columns: slice, planes: slice = slice(None)) -> Any:
        return pixels[rows, columns] if pixels.ndim == 2 else pixels[planes, rows, columns]

    return Opened(cut, pixels.shape)


def stack_length(path: Path) -> int:
    """Return the number of images of a stack; 0 if a file holds one, or cannot be read."""
    with suppress(Exception), open_image(path) as opened:
        return opened.shape[0] if len(opened.shape) == 3 else 0
    return 0


def _only_image(data: bytes) -> fits.PrimaryHDU | None:
    """Return the image of a FITS file that is all there is in it, read without its comments.

    Of these a file of a survey has a hundred and more, and astropy takes longer over them than over the rest.
    """
    header = re.match(rb"(?s)(?:.{80})*?END {77}", data)
    if not header or b"GROUPS" in header[0]:
        return None
    pixels = -(-header.end() // _BLOCK) * _BLOCK
    every = re.findall(rb"(?s).{80}", header[0])
    cards = b"".join(c for c in every if not c.startswith(_COMMENTS) or b" BMAJ=" in c)
    hdu = fits.PrimaryHDU.fromstring(cards + b" " * (-len(cards) % _BLOCK) + data[pixels:])
    return hdu if hdu.shape and pixels + -(-hdu.size // _BLOCK) * _BLOCK == len(data) else None


_BLOCK = 2880
"""Bytes of which a FITS file holds a multiple."""


_COMMENTS = b"COMMENT ", b"HISTORY ", b" " * 8


def image_hdu(hdus: fits.HDUList) -> Any:
    """Return the first HDU with an image, and say where there are more."""
    images = []
    for hdu in hdus:
        # With a negative length astropy would look for the next header for ever.
        lengths = [hdu.header.get(f"NAXIS{i}", 0) for i in range(1, hdu.header.get("NAXIS", 0) + 1)]
        need(min(lengths, default=0) >= 0, f"has axes of the lengths {lengths}; fetch it again")
        images += [hdu] if hdu.is_image and hdu.shape else []
    need(images, "is a FITS file without an image; give one with a two-dimensional image")
    wide = [hdu for hdu in images if sum(n > 1 for n in hdu.shape) > 1] or images
    if len(wide) > 1:
        names = ", ".join(f"{hdu.name or 'unnamed'} {hdu.shape}" for hdu in wide)
        log.warning("%s holds %d images, the first is read: %s", hdus.filename(), len(wide), names)
    header = wide[0].header
    if header.get("INHERIT") is True:  # coordinates are inherited as a whole
        cards = [c for c in hdus[0].header.cards if "CTYPE1" not in header or not c.keyword[-1:].isdigit()]
        header.extend(cards, unique=True)
    return wide[0]


def fits_image(hdu: Any) -> Opened:
    """Return the image of an HDU without its axes of length one, or its images if they are nowhere."""
    shape = hdu.shape
    axes = [i for i, n in enumerate(shape) if n > 1]
    stack = len(axes) == 3 and axes[1] == len(shape) - 2 and "CTYPE1" not in hdu.header
    need((len(axes) == 2 or stack) and 0 not in shape, f"holds an image with axes {shape}; cut out one plane")
    unit, factor = _unit(str(hdu.header.get("BUNIT", "")).strip())

    def cut(rows: slice, columns: slice, planes: slice = slice(None)) -> NDArray:
        part: list[Any] = [0] * len(shape)
        part[axes[-2]], part[axes[-1]] = rows, columns
        if stack:
            part[axes[0]] = planes
        with blamed(DAMAGED):
            whole = max(shape) <= LARGEST and not stack
            return (hdu.data if whole else hdu.section)[tuple(part)] * factor

    with blamed(NO_SKY):
        wcs = _celestial(hdu.header, *(len(shape) - axis for axis in axes[:-3:-1]))
    beam = tuple(hdu.header.get(name) for name in ("BMAJ", "BMIN", "BPA"))
    if beam[0] is None:  # AIPS writes the beam of each CLEAN into the history; the last one holds
        cleaned = re.findall(_CLEANED, str(hdu.header.get("HISTORY", "")))
        beam = tuple(map(float, cleaned[-1])) if cleaned and float(cleaned[-1][0]) > 0 else beam
    return Opened(cut, tuple(shape[i] for i in axes), unit, wcs, beam=beam)


_CLEANED = r"CLEAN +BMAJ= *([\d.E+-]+) +BMIN= *([\d.E+-]+) +BPA= *([\d.E+-]+)"


@functools.cache
def _unit(text: str) -> tuple[str, float]:
    """Return the unit that values of another become, and the factor; what is not known stays as it is."""
    ways = [(text, unit) for unit in ("Jy/beam", "Jy", "Jy/sr", "K")]
    tidy = text.lower()  # JY/BEAM, as AIPS and so FIRST write it
    for spelling, word in (("jansky?s?|jy", "Jy"), (r"\bbm\b", "beam"), ("micro", "u"), ("milli", "m")):
        tidy = re.sub(spelling, word, tidy)
    ways.append((tidy, "Jy/beam"))
    for spelling, unit in ways:
        with suppress(Exception):  # whatever astropy makes of a text
            return unit, float(u.Unit(spelling).to(unit))
    return text, 1.0


@functools.cache
def _angle(text: str) -> str:
    """Return a unit of angles as FITS writes it, or nothing if it is another."""
    unit = u.Unit(text.lower().replace("degrees", "deg"), parse_strict="silent")
    return str(unit.to_string("fits")) if unit.is_equivalent("deg") else ""


def _picture(path: Path, head: bytes) -> NDArray:
    """Return a picture as brightness, row 0 south and NaN where it is transparent."""
    from PIL import Image

    with Image.open(path) as picture:
        frames = getattr(picture, "n_frames", 1)
        need(frames == 1, f"holds {frames} pictures, an animation; save one of them")
        need(max(picture.size) <= LARGEST, f"has {picture.size} pixels; cut out the source")
        grey = picture.mode[0] in "1LIF" and not picture.has_transparency_data
        # Which the reader would shorten to 8 bits.
        deep = not grey and picture.format == "PNG" and head[24] == 16
        need(not deep, "has 16 bits and colours or transparency; save it as grey, or as FITS")
        pixels = np.asarray(picture if grey else picture.convert("RGBA"), float)[::-1]
    if not grey:
        if np.ptp(pixels[..., :3], axis=2).max() > 20:
            log.warning("%s is a picture in colours; is it linear? %s", path, LINEAR)
        # Luminance as in television; grey stays as it is.
        pixels = np.where(pixels[..., 3] < 255, np.nan, pixels[..., :3] @ [0.2125, 0.7154, 0.0721])
    faint, middle, upper, bright = np.nanpercentile(pixels, [0, 50, 75, 100])
    typical = np.median(pixels[pixels > faint]) if bright > faint else faint
    # In 45 images of FIRST the sky lies at 0.01 to 0.19 of the range, in their logarithms at 0.3 to 0.8;
    # cut off at zero, its upper quartile lies less than 0.04 above it, and 0.1 to 0.5 in the logarithms. In
    # the published images, cut off at three sigma, half of what is left lies below 0.25 of the range (99 %
    # of them), in their logarithms above 0.37.
    if max(typical - faint, 5 * (upper - middle)) > 0.25 * (bright - faint):
        log.warning("%s is a picture whose sky is bright: inverted, or stretched? %s", path, LINEAR)
    elif np.count_nonzero(pixels == bright) > SATURATED:
        log.warning("%s is a picture with many pixels of the largest value: saturated? %s", path, LINEAR)
    return pixels


SATURATED = 8
"""Pixels of the largest value that a picture may have; of the published images 99.9 % have fewer."""


_WORD = re.compile("(CTYPE|CUNIT)[12]|RADE(SYS|CSYS)|EQUINOX|EPOCH")


_NUMBER = re.compile(
    r"(CRVAL|CRPIX|CDELT|CROTA)[12]|(PC|CD)[12]_[12]|PV[12]_\d+|LONPOLE|LATPOLE|[AB]P?_(ORDER|\d_\d)"
)


_UNREAD = re.compile(r"(PC|CD)\d{5,}|(PC|CD)[12]_[3-9]|(CPDIS|CQDIS|D2IMDIS)[12]")


_NUMBERED = re.compile(r"(CTYPE|CUNIT|CRVAL|CRPIX|CDELT|CROTA|PV|PC|CD)0*(\d)(?:_0*(\d+))?")


@functools.lru_cache(2**12)
def _needed(name: str, first: int, second: int) -> str:
    """Return a keyword of coordinates with two axes of an image as axes 1 and 2; nothing if it is another."""
    if numbered := _NUMBERED.fullmatch(name):
        word, *numbers = numbered.groups()
        order = [first, second, *sorted({*range(10)} - {0, first, second})]
        axes = [str(order.index(int(n)) + 1) if n and 0 < int(n) < 10 else n for n in numbers]
        name = word + "_".join(filter(None, [axes[0], numbers[1] if word == "PV" else axes[1]]))
    return name if any(kind.fullmatch(name) for kind in (_WORD, _NUMBER, _UNREAD)) else ""


_SKY = ("RA", "DEC"), ("DEC", "RA"), ("GLON", "GLAT"), ("GLAT", "GLON")


def _celestial(cards: fits.Header, first: int = 1, second: int = 2) -> WCS | None:
    """Return the coordinates of two axes of a FITS image, if they are on the sky.

    wcslib passes over what it does not understand, and misreads the header. So what it gets is made here of
    the keywords that matter, and what is not clear is refused by the keyword's name.
    """

    def check(fine: object, keyword: str, wanted: str) -> None:
        said = repr(header[keyword]) if keyword in header else "missing"
        own = next((name for name, needed in names.items() if needed == keyword), keyword)
        need(fine, f"the FITS keyword {own} is {said}; {wanted}: correct the header")

    # Once, as each look into a header of astropy takes long, and may fail at what is not needed.
    names = {name: _needed(name, first, second) for name in dict.fromkeys(cards)}
    header = {needed: cards[name] for name, needed in names.items() if needed}
    kept: dict[str, Any] = {"WCSAXES": 2}
    for name, value in header.items():
        none = type(value) in (int, float) and abs(value) < 1e-6
        check(none or not _UNREAD.fullmatch(name), name, "this convention is not read")
        if _NUMBER.fullmatch(name):
            check(type(value) in (int, float) and np.isfinite(value), name, "a finite number is needed")
            kept[name] = value
    types = [str(header.get(name, "")).strip().upper() for name in ("CTYPE1", "CTYPE2")]
    kept["CTYPE1"], kept["CTYPE2"] = types
    kinds = tuple(name.split("-")[0] for name in types)
    if not any(re.match("(RA|DEC|.?LON|.?LAT|..LN|..LT)(?![A-Z])", kind) for kind in kinds):
        check(any(types) or not (kept.get("CRVAL1") and kept.get("CRVAL2")), "CTYPE1", "CRVAL needs it")
        return None
    wrong = "CTYPE2" if any(kinds[0] in pair for pair in _SKY) else "CTYPE1"
    check(kinds in _SKY, wrong, "RA and DEC, or GLON and GLAT, are needed")
    for i in "12":
        for name in (f"CRVAL{i}", f"CRPIX{i}"):
            check(name in kept, name, "coordinates need it")
        unit = kept[f"CUNIT{i}"] = _angle(str(header.get(f"CUNIT{i}", "")).strip() or "deg")
        check(unit, f"CUNIT{i}", "an angle is needed, such as deg")
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
    if types[0].endswith("-SIP") or any(re.match("[AB]_ORDER|PV", name) for name in kept):
        wcs = WCS(fits.Header(kept))  # which knows SIP, and the TAN with PV of SCAMP
    else:  # the same, in a tenth of the time
        wcs = WCS(naxis=2)
        text = [f"{name:<8}= {value!r:>20}".upper().ljust(80) for name, value in kept.items()]
        wcs.wcs = Wcsprm("".join(text).encode())
        wcs.fix()
    wcs.wcs.set()
    check(wcs.has_celestial and "-" in types[0], "CTYPE1", "a projection is needed, as in RA---SIN")
    for i, least, most in ((wcs.wcs.lng, -180, 360), (wcs.wcs.lat, -90, 90)):
        check(least <= wcs.wcs.crval[i] <= most, f"CRVAL{i + 1}", f"{least} to {most} degrees are possible")
    return wcs
