"""What servers reply: a cutout of the place that was asked for, or one of many faults."""

from __future__ import annotations

import io
import re
import time
from contextlib import suppress
from typing import Any

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits

from radiosynth._io import told
from radiosynth.cutouts.files import CutoutError, fits_image, image_hdu
from radiosynth.cutouts.manifest import NAN_EDGE, OK, OUTSIDE
from radiosynth.cutouts.write import as_ascii
from radiosynth.surveys import FIRST, Survey

# A page with these words says that there is no image, any other that something went wrong.
_OUTSIDE = re.compile(r"outside|not (been )?(covered|observed|in)\b|no (image|data|coverage|field)", re.I)


_OFFSET = 5
"""Largest distance in pixels between the middle of an image and the position asked for."""


def checked(content: bytes, place: SkyCoord, width: float, survey: Survey) -> tuple[Any, str, str]:
    """Return the image of a reply as an HDU, or None where it is no such cutout, with status and message."""
    start = content[:2000].lstrip()
    if start.startswith(b"<"):
        page = " ".join(re.sub(r"<[^>]*>", " ", content.decode("utf-8", "replace")).split())[:200]
        return None, OUTSIDE if _OUTSIDE.search(page) else "html page", page
    if not start.startswith(b"SIMPLE"):
        found = f"{len(content)} bytes that begin with {content[:30]!r}"
        return None, OUTSIDE if _OUTSIDE.search(str(start)) else "not fits", found
    try:
        with fits.open(io.BytesIO(content), memmap=False) as hdus:
            image = image_hdu(hdus)
            opened = fits_image(image)
            data, pixels = image.data, opened.cut(slice(None), slice(None))
            # Headers of FIRST hold tabs, which FITS forbids and other readers complain of.
            header = fits.Header.fromstring(re.sub(r"[^ -~]", " ", image.header.tostring()))
            x, y = ((n - 1) / 2 for n in pixels.shape[::-1])
            middle = None if opened.wcs is None else opened.wcs.pixel_to_world(x, y)
    except CutoutError as error:
        return None, "not fits", str(error)
    except Exception as error:  # whatever astropy says of half a file
        return None, "truncated", f"{len(content)} bytes: {error}"
    edge = survey.pixels(width)
    # Servers round up or down, or add the pixel in the middle.
    if not all(edge <= n <= edge + 2 for n in pixels.shape):
        return None, "wrong size", f"{pixels.shape[1]}×{pixels.shape[0]} pixels instead of {edge}×{edge}"
    if middle is None:
        return None, "wrong field", "the image has no celestial coordinates"
    offset = middle.separation(place).arcsec
    if not offset <= _OFFSET * survey.pixel_scale:
        return None, "wrong field", f"the image is centred {offset:.0f} arcsec away"
    finite = np.isfinite(pixels)
    if not finite.any() or np.ptp(pixels[finite]) == 0:
        return None, OUTSIDE, "the image is blank"
    hdu = fits.PrimaryHDU(data, header)
    if finite.all():
        return hdu, OK, ""
    return hdu, NAN_EDGE, f"{(~finite).sum()} of {finite.size} pixels are not finite"


def fault_of(error: Exception) -> tuple[str, str, float]:
    """Return status and message where there is no reply, and the seconds to leave the server alone."""
    from urllib3.exceptions import InvalidHeader
    from urllib3.util import Retry

    response, hold = getattr(error, "response", None), 0.0
    status = "no answer" if response is None else "server error"
    if "IncompleteRead" in str(error):
        status = "truncated"
    if response is not None and "Retry-After" in response.headers:
        with suppress(InvalidHeader):
            hold = min(Retry().parse_retry_after(response.headers["Retry-After"]), 300)
    return status, told(error), hold


def sign(header: fits.Header, name: str, place: SkyCoord, survey: Survey) -> None:
    """Say in the header where the image comes from."""
    from importlib.metadata import version

    header["SRCNAME"] = (as_ascii(name), "name of the source asked for")
    header["RA_REQ"] = (place.ra.deg, "[deg] right ascension asked for, ICRS")
    header["DEC_REQ"] = (place.dec.deg, "[deg] declination asked for, ICRS")
    header["SRVNAME"] = (as_ascii(survey.name), "survey asked")
    if "BMAJ" not in header and survey.beam != FIRST.beam:  # which depends on the declination
        beam = survey.beam / 3600
        header["BMAJ"], header["BMIN"] = (beam, "[deg] of the survey"), (beam, "[deg] of the survey")
    header["RETRIEVD"] = (time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "when")
    header.add_history(f"fetched and checked by radiosynth {version('radiosynth')}")
