"""Positions in tables: columns of angles in any unit, or as text, and names such as J012947.0+004633."""

from __future__ import annotations

import re
import warnings
from contextlib import suppress
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import Angle, SkyCoord
from astropy.table import Column, MaskedColumn
from numpy.typing import ArrayLike, NDArray

from radiosynth._io import check

_UNITS = dict.fromkeys(("deg", "degree", "degrees", "d", "dms"), u.deg) | {"rad": u.rad}
_UNITS |= dict.fromkeys(("h", "hr", "hour", "hours", "hourangle", "hms"), u.hourangle)

# Least and largest value in degrees, unit of text, and an example of it.
_AXES = {"ra": (0, 360, u.hourangle, "12:30:49.4"), "dec": (-90, 90, u.deg, "+12:23:28")}


DESIGNATION = re.compile(
    r"J([01]\d|2[0-3])([0-5]\d)([0-5]\d(?:\.\d+)?)([+\-−])(\d\d)([0-5]\d)([0-5]\d(?:\.\d+)?)?(?!\.?\d)"
)


def degrees(axis: str, values: Any) -> NDArray[np.float64]:
    """Return angles in degrees, from numbers or from sexagesimal text; of text, each for itself."""
    column = MaskedColumn(values)
    unit = unit_of(column)
    low, high, usual, example = _AXES[axis]
    if column.dtype.kind in "fiu":
        angles = column.astype(float).filled(np.nan).data * (unit or u.deg).to(u.deg)
    else:
        angles = np.array([_angle(text, unit, usual) for text in text_of(column)])
    bad = np.flatnonzero(~((angles >= low) & (angles <= high)))
    if len(bad):
        given = f"{column[bad[0]]!s} {unit or ''}".rstrip()
        wanted = f"give {low} to {high} degrees, or text such as {example} ({len(bad)} such rows)"
        msg = f"row {bad[0] + 1} has {axis} = {given}: {wanted}"
        raise ValueError(msg)
    return angles


def _angle(text: str, unit: u.UnitBase | None, usual: u.UnitBase) -> float:
    """Return the angle in degrees that a text gives; nan if none, or 12:30:49 where the unit is degrees."""
    if is_number(text):
        return float(text) * (unit or u.deg).to(u.deg)
    if unit in (None, usual) or re.search("[a-z°]", text):
        with suppress(ValueError), warnings.catch_warnings(action="ignore"):  # of 60 seconds
            return Angle(text, usual).deg
    return np.nan


def unit_of(column: Column) -> u.UnitBase | None:
    """Return the unit of a column of angles: its own, or that in brackets after its description or name."""
    name, stated = column.name or "", str(column.unit or "")
    for text in (column.description or "", name):
        stated = stated or "".join(re.findall(r"[(\[]([^()\[\]]*)[)\]]\s*$", text))
    letters = re.sub(r"[^a-z0-9]|j2000|icrs|fk5", "", stated.lower())
    if not letters:
        return u.deg if name.lower().endswith("deg") else None
    check(letters in _UNITS, f"the column {name!r} is in {stated!r}: give deg, rad, hours or h:m:s")
    return _UNITS[letters]


def is_number(text: str) -> bool:
    """Return whether a text is a decimal number: Python's float takes nan and 1_000, too."""
    return re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?", text, re.IGNORECASE) is not None


def text_of(column: ArrayLike) -> NDArray[np.str_]:
    """Return a column as text without blanks at its ends; what is masked is empty."""
    return np.char.strip(np.ma.filled(np.ma.asarray(column).astype(str), ""))


def from_designation(name: str) -> tuple[float, float]:
    """Return the position in degrees that a designation such as J012947.0+004633 gives."""
    # astropy's jparser takes hour 25 for hour 1, and arcseconds of one digit for degrees.
    parts = DESIGNATION.search(name)
    if not parts:
        msg = f"the name {str(name)!r} gives no position; give such as J012947.0+004633, or add ra and dec"
        raise ValueError(msg)
    hours, minutes, seconds, sign, degrees, arcmin, arcsec = parts.groups()
    dec = int(degrees) + int(arcmin) / 60 + float(arcsec or 0) / 3600
    return 15 * (int(hours) + int(minutes) / 60 + float(seconds) / 3600), dec if sign == "+" else -dec


def designation(positions: SkyCoord) -> list[str]:
    """Return names made of positions, truncated and not rounded, as the IAU recommends.

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
    northwards = np.copysign(np.floor(abs(places.dec.deg) * 3600 + 1e-6) / 3600, places.dec.deg)
    # With a digit more, a zero that is cut off: astropy 7 rounds a last digit of 9 before a minute up.
    ra = Angle(hours, u.hourangle).to_string(sep="", precision=2, pad=True)
    dec = Angle(northwards, u.deg).to_string(sep="", precision=1, pad=True, alwayssign=True)
    return [f"J{east[:-1]}{north[:-2]}" for east, north in zip(ra, dec, strict=True)]
