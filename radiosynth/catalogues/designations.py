"""Names that tell positions, such as J012947.0+004633."""

from __future__ import annotations

import numpy as np
from astropy import units as u
from astropy.coordinates import Angle, SkyCoord, jparser

__all__ = ["designation"]


def from_designation(name: str) -> tuple[float, float]:
    """Return the position in degrees that a designation such as J012947.0+004633 tells."""
    try:
        place = jparser.to_skycoord(name)
    except ValueError:
        msg = f"the name {str(name)!r} gives no position; give such as J012947.0+004633, or add ra and dec"
        raise ValueError(msg) from None
    return place.ra.deg, place.dec.deg


def designation(positions: SkyCoord) -> list[str]:
    """Return names made of positions, digits cut off and not rounded, as the IAU recommends.

    Parameters
    ----------
    positions : `~astropy.coordinates.SkyCoord`
        Positions.

    Returns
    -------
    list of str
        Such as J012947.0+004633.

    Examples
    --------
    >>> designation(SkyCoord([22.44599], [-0.77589], unit="deg"))
    ['J012947.0-004633']
    """
    places = positions.icrs.ravel()
    # A millionth of the last digit keeps 46.999999… from becoming 46.
    hours = np.floor(places.ra.hour * 36000 + 1e-6) / 36000
    degrees = np.copysign(np.floor(abs(places.dec.deg) * 3600 + 1e-6) / 3600, places.dec.deg)
    ra = Angle(hours, u.hourangle).to_string(sep="", precision=1, pad=True)
    dec = Angle(degrees, u.deg).to_string(sep="", precision=0, pad=True, alwayssign=True)
    return [f"J{east}{north}" for east, north in zip(ra, dec, strict=True)]
