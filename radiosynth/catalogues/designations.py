"""Names that tell positions, such as J012947.0+004633."""

from __future__ import annotations

import re

import numpy as np
from astropy.coordinates import SkyCoord

__all__ = ["designation"]

DESIGNATION = re.compile(
    r"J([01]\d|2[0-3])([0-5]\d)([0-5]\d(?:\.\d+)?)([+\-−])(\d\d)([0-5]\d)([0-5]\d(?:\.\d+)?)?(?!\.?\d)"
)


def from_designation(name: str) -> tuple[float, float]:
    """Return the position in degrees that a designation such as J012947.0+004633 tells."""
    parts = DESIGNATION.search(name)
    if not parts:
        msg = f"the name {str(name)!r} gives no position; give such as J012947.0+004633, or add ra and dec"
        raise ValueError(msg)
    hours, minutes, seconds, sign, degrees, arcmin, arcsec = parts.groups()
    dec = int(degrees) + int(arcmin) / 60 + float(arcsec or 0) / 3600
    return 15 * (int(hours) + int(minutes) / 60 + float(seconds) / 3600), dec if sign == "+" else -dec


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
    names = []
    for place in np.atleast_1d(positions.icrs):
        # A millionth of the last digit keeps 46.999999… from becoming 46.
        tenths = int(place.ra.hour * 36000 + 1e-6)
        arcsec = int(abs(place.dec.deg) * 3600 + 1e-6)
        ra = f"{tenths // 36000:02d}{tenths // 600 % 60:02d}{tenths // 10 % 60:02d}.{tenths % 10}"
        sign = "-" if place.dec.deg < 0 else "+"
        names.append(f"J{ra}{sign}{arcsec // 3600:02d}{arcsec // 60 % 60:02d}{arcsec % 60:02d}")
    return names
