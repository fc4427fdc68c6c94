"""Columns of angles, as numbers in any unit or as sexagesimal text."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import Angle
from astropy.table import Column
from numpy.typing import NDArray

from radiosynth._io import check

_UNITS = {
    "deg": u.deg, "degree": u.deg, "degrees": u.deg, "d": u.deg, "arcmin": u.arcmin, "arcsec": u.arcsec,
    "rad": u.rad, "radian": u.rad, "radians": u.rad,
    "hourangle": u.hourangle, "hour": u.hourangle, "hours": u.hourangle, "hr": u.hourangle, "h": u.hourangle,
}  # fmt: skip


def degrees(axis: str, values: Any) -> NDArray[np.float64]:
    """Return angles in degrees, from numbers or from sexagesimal text; of text, each for itself."""
    column = values if isinstance(values, Column) else Column(values)
    unit, sexagesimal = unit_of(column)
    factor = (unit or u.deg).to(u.deg)
    low, high, usual = (0, 360, u.hourangle) if axis == "ra" else (-90, 90, u.deg)
    if column.dtype.kind in "fiu":
        numbers: NDArray = np.ma.filled(np.ma.asarray(column, dtype=float), np.nan)
        angles = numbers * factor
    else:
        angles = np.full(len(column), np.nan)
        for row, text in enumerate(text_of(column)):
            if is_number(text):
                angles[row] = float(text) * factor
            elif sexagesimal or unit in (None, usual) or re.search("[a-z°]", text):
                # What cannot be read, or is 12:30:49 where the unit is degrees, stays nan and is named below.
                with suppress(ValueError), warnings.catch_warnings(action="ignore"):  # of 60 seconds
                    angles[row] = Angle(text, unit if sexagesimal else usual).deg
    bad = np.flatnonzero(~((angles >= low) & (angles <= high)))
    if len(bad):
        told = f" {unit}" if unit else ""
        msg = (
            f"row {bad[0] + 1} has {axis} = {column[bad[0]]!s}{told}: give {low} to {high} degrees, or text "
            f"such as {'12:30:49.4' if axis == 'ra' else '+12:23:28'} ({len(bad)} such rows)"
        )
        raise ValueError(msg)
    return angles


def unit_of(column: Column) -> tuple[u.UnitBase | None, bool]:
    """Return the unit of angles that a column states, and whether it says that they are sexagesimal.

    It is stated as such, at the end of the description, or at that of the name.
    """
    told = str(column.unit or "")
    for text in (column.description or "", column.name or ""):
        told = told or "".join(re.findall(r"[(\[]([^()\[\]]*)[)\]]\s*$", text))
    letters = re.sub(r"[^a-z0-9]|j2000|icrs|fk5", "", told.lower())
    if not letters:
        return (u.deg if (column.name or "").lower().endswith("deg") else None), False
    if re.fullmatch("h+m+s+|d+m+s+", letters):
        texts = column.dtype.kind not in "fiu"
        check(texts, f"the column {column.name!r} holds numbers, and says {told!r}: write such as 12:30:49.4")
        return (u.hourangle if letters.startswith("h") else u.deg), True
    check(letters in _UNITS, f"the column {column.name!r} is in {told!r}: give deg, hourangle, rad or h:m:s")
    return _UNITS[letters], False


def is_number(text: str) -> bool:
    """Return whether a text is a decimal number: Python's float takes nan and 1_000, too."""
    return re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?", text, re.IGNORECASE) is not None


def text_of(column: Iterable) -> NDArray[np.str_]:
    """Return a column as text without blanks at its ends; what is masked is empty."""
    values = np.ma.asarray(column).astype(str)
    return np.char.strip(np.ma.filled(values, ""))
