"""What servers reply: a cutout of the place that was asked for, or one of many faults."""

from __future__ import annotations

import io
import re
import time
from typing import Any

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits

from radiosynth._io import told
from radiosynth.cutouts.files import fits_image, image_hdu, need
from radiosynth.cutouts.manifest import NAN_EDGE, OK, OUTSIDE, as_ascii
from radiosynth.surveys import FIRST, Survey

# A page with these words says that there is no image, any other that something went wrong.
_OUTSIDE = re.compile(r"outside|not (been )?(covered|observed|in)\b|no (image|data|coverage|field)", re.I)


_OFFSET = 5
"""Largest distance in pixels between the middle of an image and the position asked for."""


def checked(content: bytes, place: SkyCoord, width: float, survey: Survey) -> tuple[Any, str, str]:
    """Return the image of a reply as an HDU, or None where it is no such cutout, with status and message."""
    start = content[:20_000].decode("utf-8", "replace").lstrip()
    if not start.startswith("SIMPLE"):
        words = " ".join(as_ascii(re.sub(r"<[^>]*>", " ", start)).split())[:200]  # not the foot of a page
        status = "html page" if start.startswith("<") else "not fits"
        return None, OUTSIDE if _OUTSIDE.search(words) else status, words
    try:
        with fits.open(io.BytesIO(content), memmap=False) as hdus:
            image = image_hdu(hdus)
            opened = fits_image(image)
            need(opened.wcs, "the image has no celestial coordinates")
            data, pixels = image.data, opened.cut(slice(None), slice(None))
            # Headers of FIRST hold tabs, which FITS forbids and other readers complain of.
            header = fits.Header.fromstring(re.sub(r"[^ -~]", " ", image.header.tostring()))
            x, y = ((n - 1) / 2 for n in pixels.shape[::-1])
            middle = opened.wcs.pixel_to_world(x, y)
    except Exception as error:  # of what cannot be used, and whatever astropy says of half a file
        return None, "not fits", f"{len(content)} bytes: {told(error)}"
    edge = survey.pixels(width)
    # Servers round up or down, or add the pixel in the middle.
    if not all(edge <= n <= edge + 2 for n in pixels.shape):
        return None, "wrong size", f"{pixels.shape[1]}×{pixels.shape[0]} pixels instead of {edge}×{edge}"
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


def sign(header: fits.Header, name: str, survey: Survey) -> None:
    """Say in the header where the image comes from."""
    from importlib.metadata import version

    header["SRCNAME"] = (as_ascii(name), "name of the source asked for")
    header["SRVNAME"] = (as_ascii(survey.name), "survey asked")
    if "BMAJ" not in header and survey.beam != FIRST.beam:  # which depends on the declination
        header["BMAJ"] = header["BMIN"] = survey.beam / 3600
    header.add_history(f"fetched by radiosynth {version('radiosynth')}, {time.strftime('%Y-%m-%d')}")
