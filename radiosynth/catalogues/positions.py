"""Labelled positions, from lists in the formats that people have."""

from __future__ import annotations

import gzip
import hashlib
import re
import warnings
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table
from numpy.typing import NDArray

from radiosynth._io import PathLike, check, log, readable
from radiosynth.catalogues.angles import degrees, designation, from_designation, is_number, text_of, unit_of
from radiosynth.catalogues.lists import meanings_of, read_list
from radiosynth.taxonomy import CLASS_NAMES, class_code

COLUMNS = ("name", "ra", "dec", "class", "catalogue", "catalogue_class")


def checksum(table: Table) -> str:
    """Return the SHA-256 of the rows of a catalogue: their texts, and their numbers to five decimals.

    Neither the order of the rows nor the format that they came in matters.
    """
    columns = [[f"{v:.5f}" for v in c] if c.dtype.kind == "f" else text_of(c) for c in table.itercols()]
    lines = sorted("|".join(row) for row in zip(*columns, strict=True))
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def read_positions(path: PathLike, *, classes: Mapping[str, str] | None = None) -> Table:
    r"""Read a list of positions: plain text, CSV, ECSV, IPAC, SExtractor, FITS or VOTable.

    Lists of PyBDSF, Aegean, Selavy and SExtractor are read as they are, if they have positions on the sky.
    The columns are recognised by name, in any capitalisation: right ascension and declination (``ra``,
    ``RAJ2000``, ``RA (deg)``, ``dec``, ``DEJ2000``, …), and if there are any ``name`` (or ``id``,
    ``source``, …) and ``class`` (or ``label``, ``morphology``, …). Positions are ICRS. Numbers are degrees
    unless the column has another unit (hours, rad); text such as ``12:30:49.4`` or ``12 30 49.4`` is
    sexagesimal, right ascension in hours. Where there is no right ascension, a name such as
    J012947.0+004633 gives the position. Plain text needs a header, which may be commented out, unless
    it holds nothing but two columns, right ascension and declination.

    Parameters
    ----------
    path : path-like
        File to read, which may be gzipped. Its content tells the format; text is UTF-8, UTF-16 or Latin-1.
    classes : mapping of str to str, optional
        What the labels of the file mean: one of our class names for each, or "" to leave it without.

    Returns
    -------
    `~astropy.table.Table`
        One row per source with the columns of this module, and the other columns of the file. If this has no
        column ``catalogue``, its name stands there.

    Raises
    ------
    ValueError
        If there are no positions in the file or it is not clear which columns hold them, one is missing or
        out of range, or a unit or label is unknown.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "mine.csv"
    ...     _ = path.write_text("id,RA,Dec,type\nA,12:30:49.4,+12:23:28,FRI\nB,10.5,-1.25,ring\n")
    ...     table = read_positions(path, classes={"ring": ""})
    >>> table.round({"ra": 6, "dec": 6})
    >>> table["name", "ra", "dec", "class"].pprint()
    name     ra        dec    class
            deg        deg
    ---- ---------- --------- -----
       A 187.705833 12.391111   FRI
       B       10.5     -1.25
    """
    path = Path(path)
    with (
        readable(path, "give CSV with a header", "cannot be read as a table"),
        warnings.catch_warnings(action="ignore", category=u.UnitsWarning),  # units are checked below
    ):
        data = path.read_bytes()
        data = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
        raw = read_list(data)
    try:
        _refuse_other_frames(data.replace(b"\0", b"").decode("latin-1"), raw)
        return _recognised(raw, classes or {}, Path(path.name.removesuffix(".gz")).stem)
    except ValueError as error:
        msg = f"{path} with the columns {', '.join(raw.colnames)}: {error}"
        raise ValueError(msg) from error


# Columns and keywords that tell a frame, and what follows them.
_KEY = r"equinox|(?:ref_?|coord\w*)?frame|rade\w*sys|coord\w*sys\w*"
_SAID = re.compile(rf"""(?i)\b({_KEY}|epoch|system)['"]?\s*[=:][\s'"]*([\w.+-]+)""")

# Frames other than ICRS or FK5 of J2000. An epoch may be that of the observation.
_OTHER = re.compile(
    r"(?i)\bB ?1(950|900|875|855)|FK4|(?<![a-z])(super)?galactic|(?<![a-z])ecl(iptic|_\w*)|geo_app|az_?el"
    r"|equinox = [JB]?(1[89]\d\d|2(?!000|e3|\.0+e)\d)[\w.]*|system = xy"
    r"|(epoch = |column[^;]*?\b)1(950(?!\.[1-9]|-)|\.950*e)|rade\w*sys = (?!ICR|FK5|na|no|nu|un)\w\w+"
)


def _refuse_other_frames(text: str, raw: Table) -> None:
    """Raise where columns, comments, or the keywords of FITS and VOTable tell of a frame that is not ICRS."""
    found = meanings_of(raw.colnames)
    places = [raw[name] for axis in ("ra", "dec") for name in found.get(axis, [])]
    named = " ".join(f"{column.name} {column.description or ''}" for column in places)
    if re.search("(?i)2000|ICRS", named):
        return
    marks = r"(?m)^.{,3}[#\\].*|(?:EQUINOX|EPOCH|RADE\w*SYS) *=[^/]{,30}"
    systems = re.findall(r"<COOSYS\b[^>]*>", text)
    ours = [each for each in systems if re.search("(?i)eq_FK5|ICRS", each)]
    if any(not re.search(r"equinox=.J?(?!2000)\d", each) for each in ours):
        systems = []  # others are of other columns
    remarks = "; ".join([*re.findall(marks, text), *systems, str(raw.meta)])
    said = _SAID.findall(remarks)
    for parameter in re.findall(r"<PARAM\b[^>]*>", text):
        given = dict(re.findall(r"""(\w+)\s*=\s*["']([^"']*)""", parameter))
        said += _SAID.findall(f"{given.get('name')} = {given.get('value')}")
    keys = [name for name in raw.colnames if re.fullmatch(f"(?i){_KEY}|epoch", name)]
    said += [(key, value) for key in keys for value in set(text_of(raw[key]))]
    other = _OTHER.search("; ".join([f"column {named}", *(f"{key} = {value}" for key, value in said)]))
    if not re.search("(?i)J2000|ICRS|FK5", f"{remarks} {named}"):
        other = other or re.search(r"(?i)B1950|FK4|(equinox|epoch)\W*1950|(galactic|ecliptic) coord", remarks)
    advice = "convert them, or call their columns RAJ2000 and DEJ2000 if they are"
    check(not other, f"it says {other and other[0]!r}, and positions are needed in ICRS or J2000: {advice}")


def _recognised(raw: Table, classes: Mapping[str, str], catalogue: str) -> Table:
    """Return the table of this module made of one as it was read."""
    found = meanings_of(raw.colnames)
    located = {"ra", "dec"} <= found.keys()
    advice = "rename the columns in the first line"
    check(located or "name" in found, f"it needs ra and dec, or a name such as J012947.0+004633: {advice}")
    check(len(raw), "there is a header and no rows; give at least one position")
    blank = np.full(len(raw), "")
    vectors = [name for names in found.values() for name in names if raw[name].ndim > 1]
    check(not vectors, f"the columns {', '.join(vectors)} hold several values in each row: give one")
    if located and found.get("name") == ["source"] and "island" in raw.colnames:
        del found["name"]  # Aegean restarts its numbers in each island
    names = text_of(raw[found["name"][0]]) if "name" in found else blank
    twice = [name for name, number in Counter(names.tolist()).items() if name and number > 1]
    if twice:
        log.warning("names are not unique (%s); make them differ", ", ".join(twice[:3]))
    labels = text_of(raw[found["class"][0]]) if "class" in found else blank
    known: dict[str, Any] = {"name": names, "class": _classes(labels, classes)}
    known |= {"catalogue": np.full(len(raw), catalogue), "catalogue_class": labels}
    # A list that we have written says itself where a source comes from.
    known |= {name: text_of(raw[name]) for name in ("catalogue", "catalogue_class") if name in raw.colnames}
    if located:
        known |= {axis: _one_of(raw, axis, found[axis]) for axis in ("ra", "dec")}
    # Further columns of these kinds, such as a second name, are kept.
    taken = {columns[0] for columns in found.values()}.union(found.get("ra", []), found.get("dec", []))
    return labelled(known | {name: raw[name] for name in raw.colnames if name not in taken | known.keys()})


def _one_of(table: Table, axis: str, columns: list[str]) -> NDArray[np.float64]:
    """Return the angles of the first of the columns in degrees; all have to agree to an arcminute."""
    # The readers add a number to a name that comes twice, and SExtractor's to those of a vector.
    again = {n for n in table.colnames if any(re.fullmatch(rf"{re.escape(c)}_?\d", n) for c in columns)}
    angles = [degrees(axis, table[name]) for name in columns]
    differ = any(np.abs((each - angles[0] + 180) % 360 - 180).max() > 1 / 60 for each in angles)
    fault = f"the columns {', '.join([*columns, *sorted(again)])} hold different {axis}"
    check(not again and not differ, f"{fault}: rename what is not wanted")
    first = table[columns[0]]
    doubtful = axis == "ra" and len(table) > 2 and angles[0].max() <= 24 and unit_of(first) is None
    if doubtful and all(map(is_number, text_of(first))):
        log.warning("all ra are below 24 and taken for degrees; if they are hours, call them 'ra (h)'")
    return angles[0]


def _classes(labels: NDArray, meaning: Mapping[str, str]) -> list[str]:
    """Return our class of each label."""
    wanted = [meaning.get(label, label) for label in labels.tolist()]
    try:
        return [CLASS_NAMES[class_code(name)] if name else "" for name in wanted]
    except ValueError as error:
        meant = 'classes={"your label": "FRI", …} (--classes LABEL=FRI …), "" for none'
        msg = f"{error}; say what the labels mean with {meant}"
        raise ValueError(msg) from error


def labelled(columns: Mapping[str, Any]) -> Table:
    """Return the table of this module from its columns, positions checked; if there are none, from names."""
    if "ra" in columns:
        ra, dec = degrees("ra", columns["ra"]), degrees("dec", columns["dec"])
    else:
        ra, dec = np.transpose([from_designation(name) for name in columns["name"]])
    names = np.where(columns["name"], columns["name"], designation(SkyCoord(ra, dec, unit="deg")))
    table = Table({"name": names, "ra": ra * u.deg, "dec": dec * u.deg})
    for name in dict.fromkeys([*COLUMNS, *columns]):
        if name not in table.colnames:
            table[name] = columns[name]
    return table
