"""Radio surveys: pixel scale, beam and field, and who serves their cutouts."""

from __future__ import annotations

import functools
import threading
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord

__all__ = ["First", "Refusal", "SkyView", "Survey"]

PIXEL_SCALE = 1.8
"""Width of a pixel of FIRST in arcseconds."""


FIELD = 270.0
"""Edge of the report's cutouts in arcseconds: 150 pixels of 1.8 arcsec."""


# What the manifest says of a source.
OK, NAN_EDGE, OUTSIDE, NOT_TRIED = "ok", "nan edge", "outside survey", "not tried"


NO_ANSWER, SERVER_ERROR, HTML_PAGE = "no answer", "server error", "html page"


NOT_FITS, TRUNCATED, WRONG_SIZE, WRONG_FIELD = "not fits", "truncated", "wrong size", "wrong field"


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
        if not 0 < timeout < np.inf:
            msg = f"timeout is {timeout}; give seconds"
            raise ValueError(msg)
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
    pixel_scale = PIXEL_SCALE

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
    pixel_scale = PIXEL_SCALE

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
