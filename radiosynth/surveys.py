"""Radio surveys: their pixel scale, beam and field, and who serves their cutouts."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord

from radiosynth._io import check


@dataclass(frozen=True)
class Survey:
    """A survey: what its images are like, and how to get one.

    Parameters
    ----------
    name : str
        Name for the manifest and the headers.
    pixel_scale : float
        Width of a pixel in arcsec.
    beam : float
        Full width at half maximum of the restoring beam in arcsec.
    field : float
        Usual width of a cutout in arcmin.
    fetch : callable
        Takes a position (`~astropy.coordinates.SkyCoord`) and a width in arcmin, and returns what the server
        replies: the FITS file of the square around it, or a page that says why there is none. It is called
        from several threads at a time. The reply is checked by the caller, and whatever is raised counts as
        a failed attempt.
    """

    name: str
    pixel_scale: float
    beam: float
    field: float
    fetch: Callable[[SkyCoord, float], bytes]

    def __post_init__(self) -> None:
        sizes = {"pixel_scale": self.pixel_scale, "beam": self.beam, "field": self.field}
        for name, value in sizes.items():
            check(0 < value < np.inf, f"{name} of {self.name} is {value}; give a positive number")

    def pixels(self, width: float) -> int:
        """Return how many pixels wide a cutout of `width` arcmin is."""
        return int(width * 60 / self.pixel_scale + 1e-6)

    def scale(self, size: int) -> float:
        """Return the width in arcsec of one of `size` pixels across the field."""
        return self.field * 60 / size


class First(Survey):
    """FIRST (Becker, White & Helfand 1995) from its own server, by `astroquery.image_cutouts`.

    South of declination +4°33' the beam is 6.4 by 5.4 arcsec.

    Parameters
    ----------
    timeout : float
        Seconds to wait for an answer.
    url : str
        Address of a server that answers like FIRST's; that of FIRST if not given.
    """

    def __init__(self, timeout: float = 60, *, url: str = "") -> None:
        waits = _waits(timeout)

        def fetch(position: SkyCoord, width: float) -> bytes:
            from astroquery.image_cutouts.first import FirstClass

            server = FirstClass()
            server.URL, server.TIMEOUT = url or server.URL, waits
            server.maximsize = 2048  # in pixels: the most that the server gives
            response = server.get_images_async(position, image_size=width * u.arcmin)
            response.raise_for_status()
            return response.content

        super().__init__("FIRST", pixel_scale=1.8, beam=5.4, field=4.5, fetch=fetch)


class SkyView(Survey):
    """FIRST from NASA's SkyView, by `astroquery.skyview`: resampled, for when its own server is down.

    Parameters
    ----------
    timeout : float
        Seconds to wait for the image.
    """

    def __init__(self, timeout: float = 60) -> None:
        waits = _waits(timeout)

        def fetch(position: SkyCoord, width: float) -> bytes:
            from astroquery.skyview import SkyViewClass

            server = SkyViewClass()
            server._request = partial(server._request, timeout=waits)  # astroquery would wait for ever
            edge, pixels = width * u.arcmin, str(self.pixels(width))
            links = server.get_image_list(position, [self.name], width=edge, height=edge, pixels=pixels)
            return get(links[0], timeout=timeout) if links else b"<p>SkyView has no image here</p>"

        super().__init__("VLA FIRST (1.4 GHz)", FIRST.pixel_scale, FIRST.beam, FIRST.field, fetch)


HIPS: dict[str, dict[str, Any]] = tomllib.loads(Path(__file__).with_name("surveys.toml").read_text("utf-8"))
"""Surveys that `Hips` knows by name: identifier, pixel scale and beam in arcsec, and reference."""


class Hips(Survey):
    """A survey from the HiPS of CDS, by `astroquery.hips2fits`, which resamples it to any pixels.

    These are known by name: NVSS (beam of 45 arcsec, Condon et al. 1998), VLASS (2.5, Lacy et al. 2020),
    LoTSS (6, data release 2, Shimwell et al. 2022), RACS-low (25, Hale et al. 2021), RACS-mid (11.2 by 9.3 in
    the median, Duchesne et al. 2024) and TGSS (25, Intema et al. 2017). A beam coarser than FIRST's is no
    hindrance to fetch, but `radiosynth.Classifier.classify` notes that the class is no evidence.

    Parameters
    ----------
    name : str
        A survey of ``HIPS``, or any name.
    hips : str, optional
        Identifier of the HiPS. Needed, as are pixel scale and beam, of a survey that is not in ``HIPS``.
    pixel_scale, beam : float, optional
        Width of a pixel and of the beam in arcsec.
    timeout : float
        Seconds to wait for the image.
    """

    def __init__(
        self,
        name: str,
        hips: str | None = None,
        *,
        pixel_scale: float | None = None,
        beam: float | None = None,
        timeout: float = 60,
    ) -> None:
        _waits(timeout)  # refuses what is no time
        given = {"hips": hips, "pixel_scale": pixel_scale, "beam": beam}
        facts = HIPS.get(name, {}) | {key: value for key, value in given.items() if value is not None}
        complete = given.keys() <= facts.keys()
        check(complete, f"{name!r} is none of {', '.join(HIPS)}; give one, or hips, pixel_scale and beam")

        def fetch(position: SkyCoord, width: float) -> bytes:
            from astroquery.hips2fits import hips2fits as service

            pixels, place = self.pixels(width), position.icrs
            field = pixels * self.pixel_scale * u.arcsec
            where = "TAN", place.ra, place.dec, field
            asked = service.query(facts["hips"], pixels, pixels, *where, get_query_payload=True)
            return get(service.server, asked, timeout=timeout)

        super().__init__(name, facts["pixel_scale"], facts["beam"], FIRST.field, fetch)


def get(url: str, parameters: Mapping[str, Any] | None = None, *, timeout: float = 60) -> bytes:
    """Return what a server answers to a GET request, for the `fetch` of another survey.

    Parameters
    ----------
    url : str
        Address.
    parameters : mapping, optional
        What follows the question mark.
    timeout : float
        Seconds to wait for an answer.

    Returns
    -------
    bytes
        The body. An error status is raised.
    """
    import requests

    response = requests.get(url, params=parameters, timeout=_waits(timeout))
    response.raise_for_status()
    return response.content


def _waits(timeout: float) -> tuple[float, float]:
    """Return the seconds to connect and to wait for an answer."""
    check(0 < timeout < np.inf, f"timeout is {timeout}; give seconds")
    return min(timeout, 10), timeout


FIRST = First()
"""The survey of the report: its scale, beam and field are the defaults everywhere."""

COARSEST_BEAM = 6.4
"""Major axis in arcsec of the largest beam of FIRST, and so of the images that the networks know."""
