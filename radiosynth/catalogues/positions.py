"""Lists of positions and labels in the formats that people have."""

from __future__ import annotations

import csv
import hashlib
import io
import logging
import os
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import Angle, SkyCoord
from astropy.io import fits
from astropy.io.ascii import convert_numpy
from astropy.table import Column, Table
from numpy.typing import NDArray

from radiosynth._io import decoded
from radiosynth.catalogues.designations import DESIGNATION, designation, from_designation
from radiosynth.taxonomy import CLASS_NAMES, class_code

__all__ = ["read_positions"]

log = logging.getLogger("radiosynth")

COLUMNS = ("name", "ra", "dec", "class", "catalogue", "catalogue_class")


def checksum(table: Table) -> str:
    """Return the SHA-256 of the rows of a catalogue: their texts, and their numbers to five decimals.

    Neither the order of the rows nor the format that they came in matters.
    """
    columns = [
        [f"{value:.5f}" for value in table[name]] if table[name].dtype.kind == "f" else _text(table[name])
        for name in table.colnames
    ]
    lines = sorted("|".join(row) for row in zip(*columns, strict=True))
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


# What letters and digits of a column's name say, in lower case.
_MEANING = {
    "ra": {"ra", "radeg", "raj2000", "ra2000", "raicrs", "rightascension", "alphaj2000"}
    | {"alphawinj2000", "radegcont", "rahmscont"},  # of SExtractor and Selavy
    "dec": {"dec", "decdeg", "decj2000", "dec2000", "decicrs", "declination", "decl", "deltaj2000"}
    | {"de", "dedeg", "dej2000", "de2000", "deicrs", "deltawinj2000", "decdegcont", "decdmscont"},
    "name": {"name", "id", "source", "sourcename", "designation", "object", "objectname", "iauname"},
    "class": {"class", "label", "morphology", "morph", "type"},
}


_UNITS = {
    "deg": u.deg, "degree": u.deg, "degrees": u.deg, "d": u.deg, "arcmin": u.arcmin, "arcsec": u.arcsec,
    "rad": u.rad, "radian": u.rad, "radians": u.rad,
    "hourangle": u.hourangle, "hour": u.hourangle, "hours": u.hourangle, "hr": u.hourangle, "h": u.hourangle,
}  # fmt: skip


def read_positions(
    path: str | os.PathLike[str],
    *,
    catalogue: str | None = None,
    classes: Mapping[str, str] | None = None,
) -> Table:
    r"""Read a list of positions: plain text, CSV, ECSV, IPAC, SExtractor, FITS or VOTable.

    The columns are recognised by name, in any capitalisation: right ascension and declination (``ra``,
    ``RAJ2000``, ``RA (deg)``, ``dec``, ``DEJ2000``, …), and if there are any ``name`` (or ``id``,
    ``source``, …) and ``class`` (or ``label``, ``morphology``, …). Positions are ICRS. Numbers are degrees
    unless the column has another unit (hours, rad); text such as ``12:30:49.4`` or ``12 30 49.4`` is
    sexagesimal, right ascension in hours. Where there is no right ascension, a name such as
    J012947.0+004633 gives the position. The header may be commented out. Plain text without a header holds
    two columns, or six (h m s d m s), or one more with the name first, or one of such names.

    Parameters
    ----------
    path : path-like
        File to read. Its content tells the format; text is UTF-8, UTF-16 or Latin-1.
    catalogue : str, optional
        Name of the list. Default: that of the file.
    classes : mapping of str to str, optional
        What the labels of the file mean: one of our class names for each, or "" to leave it without.

    Returns
    -------
    `~astropy.table.Table`
        One row per source with the columns of this module, and the other columns of the file.

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
    data = path.read_bytes()
    try:
        with warnings.catch_warnings(action="ignore", category=u.UnitsWarning):  # units are checked below
            raw = _read_list(data, path.suffix.lower())
    except Exception as error:  # the readers raise all kinds of errors at a damaged file
        msg = (
            f"{path} cannot be read as a table ({' '.join(str(error).split())[:300]}); give CSV with a header"
        )
        raise ValueError(msg) from error
    try:
        _refuse_other_frames(data, raw.colnames)
        table = _recognised(raw, classes or {}, catalogue or path.stem)
    except ValueError as error:
        msg = f"{path} with the columns {', '.join(raw.colnames)}: {error}"
        raise ValueError(msg) from error
    called = str(table["catalogue"][0])  # older astropy cannot write a numpy text into a header
    table.meta = {"catalogue": called, "file": path.name, "sha256": checksum(table[COLUMNS])}
    return table


def _refuse_other_frames(data: bytes, columns: Sequence[str]) -> None:
    """Raise where comments, or the keywords of FITS and VOTable, tell of a frame that is not ICRS."""
    text = data.replace(b"\0", b"").decode("latin-1")
    told = " ".join(re.findall(r"(?m)^[#\\].*|<COOSYS[^>]*>|(?:EQUINOX|EPOCH|RADE\w*SYS) *=[^/]{,30}", text))
    found = re.search(r"(?i)B1950|FK4|(equinox|epoch)\W*1950|galactic coord|system=.galactic", told)
    if found and not re.search(r"(?i)J2000|ICRS|FK5|RA\W?2000", " ".join([told, *columns])):
        msg = f"it says {found[0]!r}, and positions are needed in ICRS or J2000: convert them"
        raise ValueError(msg)


def _recognised(raw: Table, classes: Mapping[str, str], catalogue: str) -> Table:
    """Return the table of this module made of one as it was read."""
    all_found = _meanings(raw.colnames)
    found = {meaning: columns[0] for meaning, columns in all_found.items()}
    if not {"ra", "dec"} <= found.keys() and "name" not in found:
        msg = (
            "it needs ra and dec (degrees, or sexagesimal text), or a name such as J012947.0+004633: "
            "rename them in the first line"
        )
        raise ValueError(msg)
    if not len(raw):
        msg = "there is a header and no rows; give at least one position"
        raise ValueError(msg)
    names: Any = _text(raw[found["name"]]) if "name" in found else None
    if {"ra", "dec"} <= found.keys():
        ra, dec = (_one_of(raw, axis, all_found[axis]) for axis in ("ra", "dec"))
    else:
        ra, dec = np.transpose([from_designation(name) for name in names])
    labels = _text(raw[found["class"]]) if "class" in found else np.full(len(raw), "")
    taken = {*found.values(), *all_found.get("ra", []), *all_found.get("dec", []), *COLUMNS}
    known = {"name": names, "ra": ra, "dec": dec}
    known |= {"class": _classes(labels, classes), "catalogue_class": labels}
    return _labelled(known | {name: raw[name] for name in raw.colnames if name not in taken}, catalogue)


def _read_list(data: bytes, suffix: str) -> Table:
    """Read a table in the format that its content tells."""
    if data.startswith(b"SIMPLE") or suffix in (".fits", ".fit"):
        with fits.open(io.BytesIO(data)) as hdus:
            tables = sum(isinstance(hdu, fits.BinTableHDU | fits.TableHDU) for hdu in hdus)
        if tables > 1:
            msg = f"it holds {tables} tables: save the one with the positions by itself"
            raise ValueError(msg)
        return Table.read(io.BytesIO(data), format="fits")
    if re.match(rb"(\xef\xbb\xbf)?\s*<(\?xml|VOTABLE)", data):
        if re.search(rb"<STREAM[^>]*\bhref", data, re.IGNORECASE):
            msg = "its rows are in another place, which is not opened: save the table with its rows inside"
            raise ValueError(msg)
        return Table.read(io.BytesIO(data), format="votable", use_names_over_ids=True)
    # As lines: astropy takes a text of one line for a file or an address, and opens it. Those that are
    # empty, or rules as VizieR and TOPCAT draw them, go.
    lines = [line for line in decoded(data).split("\n") if not re.fullmatch(r"[-+=|:;,\s]*", line)]
    first = lines[0] if lines else ""
    if first.startswith("# %ECSV"):
        return Table.read(lines, format="ascii.ecsv")
    if first.startswith("|") and all(line.startswith("|") for line in lines):
        return _read_text([re.sub(r"^\||\|\s*$", "", line) for line in lines])
    if first.startswith(("|", "\\")):
        return Table.read(lines, format="ascii.ipac")
    if re.match(r"#\s*1\s+[A-Za-z]\w*(\s|$)", first):  # as SExtractor numbers its columns
        return Table.read(lines, format="ascii.sextractor", converters={"*": [convert_numpy(str)]})
    return _read_text(lines)


def _read_text(lines: list[str]) -> Table:
    """Read delimited text, every value as text."""
    body = [line for line in lines if not line.startswith("#")]
    comments = [line.lstrip("# ") for line in lines if line.startswith("#")]
    rows, names = _cells(body), _header(body[0]) if body else []
    if _meanings(names).keys() & {"ra", "name"}:
        rows = _cells(body[1:], _delimiter(body[0]) or ("\t" if len(names) == 1 else None))
    else:
        names = []
        # A header may be commented out, as numpy writes it. Then it names all columns; other comments go.
        for comment in comments:
            header = _header(comment)
            found = _meanings(header).keys()
            split = [rows, _cells(body, _delimiter(comment))]
            fits = [cells for cells in split if not cells or len(cells[0]) == len(header)]
            if fits and (found >= {"ra", "dec"} or (len(header) == 1 and "name" in found)):
                names, rows = header, fits[-1]
                break
    headed = bool(names)
    if not names and rows:
        names, rows = _without_header(rows, " ".join(comments).lower())
    if not names:
        msg = "it has neither a header nor columns that are positions"
        raise ValueError(msg)
    twice = sorted({name for name in names if names.count(name) > 1})
    if _meanings(twice):
        msg = f"the column {twice[0]!r} occurs more than once: rename those that are not wanted"
        raise ValueError(msg)
    names = [f"{name}_{names[:i].count(name)}" if name in names[:i] else name for i, name in enumerate(names)]
    while not names[-1]:
        names.pop()
    rows = [row[: len(names)] + [cell for cell in row[len(names) :] if cell] for row in rows]
    for row in rows:
        if len(row) != len(names):
            msg = f"{row} has not the {len(names)} columns {', '.join(names)}"
            raise ValueError(msg)
    axes = [names.index(_meanings(names)[axis][0]) for axis in ("ra", "dec") if axis in _meanings(names)]
    units = None
    if headed and axes and rows and not any(re.search(r"\d|^$", rows[0][i]) for i in axes):
        units = rows.pop(0)  # a second line of a header
    table = Table(rows=rows or None, names=names, dtype=[str] * len(names))
    for i in axes if units else []:
        table[names[i]].description = f"[{units[i]}]"  # type: ignore[index]
    return table


def _without_header(rows: list[list[str]], comments: str) -> tuple[list[str], list[list[str]]]:
    """Return names and cells by the number of columns: [name] ra dec, [name] h m s d m s, or name."""
    if all(DESIGNATION.search(row[-1]) and not any(map(_is_number, row)) for row in rows if row):
        return ["name"], [[" ".join(row)] for row in rows]
    rows = [row[:-1] if row[-1] == "" else row for row in rows]
    width = len(rows[0])
    if width > 1 and not any(re.match(r"[+-]?\.?\d", cell) for cell in rows[0]):
        return rows[0], rows[1:]  # a header, of other columns
    ra = re.search(r"(?<![a-z])(ra(?![a-z])|raj|right.?asc|alpha)", comments)
    dec = re.search(r"(?<![a-z])(dec(?![a-z])|dej|decl|delta)", comments)
    if ra and dec and dec.start() < ra.start():
        msg = "its comments name the declination first, but are no header; write one, such as name,ra,dec"
        raise ValueError(msg)
    if width in (3, 7) and (numbers := [row[0] for row in rows if _is_number(row[0])]):
        msg = (
            f"without a header the first of {width} columns is the name, and {numbers[0]} is a number: "
            "write a header that names the columns, such as ra,dec,flux"
        )
        raise ValueError(msg)
    if width in (6, 7):
        rows = [[*row[:-6], " ".join(row[-6:-3]), " ".join(row[-3:])] for row in rows]
    names = ["name"] if width in (1, 3, 7) else []
    return names + (["ra", "dec"] if width in (2, 3, 6, 7) else []), rows


def _header(line: str) -> list[str]:
    """Return the names of columns in a line; a unit in brackets belongs to the name before it."""
    if not _delimiter(line):
        line = re.sub(r"\s*([(\[])([^)\]]*)([)\]])", lambda m: m[1] + "_".join(m[2].split()) + m[3], line)
    return _cells([line])[0]


def _delimiter(line: str) -> str | None:
    """Return what separates the columns of a line; blanks if nothing else does."""
    return next((mark for mark in "\t|;," if mark in line), None)


def _cells(lines: list[str], delimiter: str | None = "") -> list[list[str]]:
    """Return the cells of lines; what separates them is seen in the first line if not given."""
    mark = _delimiter("".join(lines[:1])) if delimiter == "" else delimiter
    blanks = (next(csv.reader([" ".join(line.split())], delimiter=" "), []) for line in lines)
    rows = csv.reader(lines, delimiter=mark) if mark else blanks
    return [[cell.strip() for cell in row] for row in rows]


def _meanings(columns: Sequence[str]) -> dict[str, list[str]]:
    """Return which columns hold what, as far as the names tell."""
    found: dict[str, list[str]] = {}
    ends: dict[str, str] = {}
    for column in columns:
        letters = re.sub(r"[(\[].*|[^a-z0-9]", "", column.lower())
        ends[column] = re.sub("^(right|ra|declination|decl?|de|alpha|delta)(ascension)?", "", letters)
        for meaning, names in _MEANING.items():
            if letters in names:
                found.setdefault(meaning, []).append(column)
    # RAJ2000 goes with DEJ2000, and not with a DEc, the declination of a core.
    ra, dec = ({ends[column] for column in found.get(axis, [])} for axis in ("ra", "dec"))
    for axis in ("ra", "dec") if ra & dec else ():
        found[axis] = [column for column in found[axis] if ends[column] in ra & dec]
    greek = {column.lower(): column for column in columns}
    if not found.keys() & {"ra", "dec"} and {"alpha", "delta"} <= greek.keys():  # alone it is an index
        found |= {"ra": [greek["alpha"]], "dec": [greek["delta"]]}
    return found


def _one_of(table: Table, axis: str, columns: list[str]) -> NDArray[np.float64]:
    """Return the angles of the first of the columns in degrees; all have to agree to an arcminute."""
    # The readers add a number to a name that comes twice, and SExtractor's to those of a vector.
    again = [
        name for name in table.colnames if any(re.fullmatch(rf"{re.escape(c)}_?\d", name) for c in columns)
    ]
    angles = [degrees(axis, table[name]) for name in columns]
    if again or any(np.abs((each - angles[0] + 180) % 360 - 180).max() > 1 / 60 for each in angles):
        msg = f"the columns {', '.join(columns + again)} hold different {axis}: rename what is not wanted"
        raise ValueError(msg)
    first = table[columns[0]]
    doubtful = axis == "ra" and len(table) > 2 and angles[0].max() <= 24 and _unit(first)[0] is None
    if doubtful and all(map(_is_number, _text(first))):
        log.warning("all ra are below 24 and taken for degrees; if they are hours, call them 'ra (h)'")
    return angles[0]


def _classes(labels: NDArray, meaning: Mapping[str, str]) -> list[str]:
    """Return our class of each label."""
    known = {"": ""}
    for label in dict.fromkeys(labels.tolist()):
        try:
            wanted = meaning.get(label, label)
            known[label] = CLASS_NAMES[class_code(wanted)] if wanted else ""
        except ValueError as error:
            meant = f'classes={{{label!r}: "FRI", …}} (--classes {label}=FRI …), "" for none'
            msg = f"{error}; say what the labels mean with {meant}"
            raise ValueError(msg) from error
    return [known[label] for label in labels]


def _labelled(columns: Mapping[str, Any], catalogue: str) -> Table:
    """Return the table of this module from its columns, positions in degrees and checked."""
    ra, dec = degrees("ra", columns["ra"]), degrees("dec", columns["dec"])
    made = designation(SkyCoord(ra, dec, unit="deg"))
    names = made if columns["name"] is None else np.where(columns["name"], columns["name"], made)
    table = Table({"name": names, "ra": ra, "dec": dec})
    table["ra"].unit = table["dec"].unit = "deg"
    table["class"] = np.broadcast_to(columns["class"], len(table)).astype(str)
    table["catalogue"] = catalogue
    table["catalogue_class"] = np.broadcast_to(columns["catalogue_class"], len(table)).astype(str)
    for name in columns:
        if name not in COLUMNS:
            table[name] = columns[name]
    return table


def degrees(axis: str, values: Any) -> NDArray[np.float64]:
    """Return angles in degrees, from numbers or from sexagesimal text; of text, each for itself."""
    column = values if isinstance(values, Column) else Column(values)
    unit, sexagesimal = _unit(column)
    factor = (unit or u.deg).to(u.deg)
    low, high, usual = (0, 360, u.hourangle) if axis == "ra" else (-90, 90, u.deg)
    if column.dtype.kind in "fiu":
        numbers: NDArray = np.ma.filled(np.ma.asarray(column, dtype=float), np.nan)
        angles = numbers * factor
    else:
        angles = np.full(len(column), np.nan)
        for row, text in enumerate(_text(column)):
            if _is_number(text):
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


def _unit(column: Column) -> tuple[u.UnitBase | None, bool]:
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
        if column.dtype.kind in "fiu":
            msg = (
                f"the column {column.name!r} holds numbers, and says {told!r}: write text such as 12:30:49.4"
            )
            raise ValueError(msg)
        return (u.hourangle if letters.startswith("h") else u.deg), True
    if letters not in _UNITS:
        msg = f"the column {column.name!r} is in {told!r}: the units are deg, hourangle, rad and h:m:s"
        raise ValueError(msg)
    return _UNITS[letters], False


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?", text, re.IGNORECASE) is not None


def _text(column: Iterable) -> NDArray[np.str_]:
    """Return a column as text without blanks at its ends; what is masked is empty."""
    values = np.ma.asarray(column).astype(str)
    return np.char.strip(np.ma.filled(values, ""))
