"""Labelled positions of sources: the catalogues of the report from VizieR, and anybody's own lists.

Every reader returns one `~astropy.table.Table` with the columns ``name``, ``ra`` and ``dec`` (deg, ICRS),
``class`` (a name of `radiosynth.taxonomy.CLASS_NAMES`, or empty where it is not known), ``catalogue`` and
``catalogue_class`` (what the catalogue says, as text), and with its provenance in ``meta``.
"""

from __future__ import annotations

import csv
import datetime
import hashlib
import io
import logging
import os
import re
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import Angle, SkyCoord, search_around_sky
from astropy.io import fits
from astropy.io.ascii import convert_numpy
from astropy.table import Column, Table, vstack
from numpy.typing import NDArray

from ._io import cache_folder, decoded, write_table
from .sample import DataUnavailableError
from .taxonomy import CLASS_NAMES, class_code

__all__ = [
    "CATALOGUES",
    "REPORT_CATALOGUES",
    "Catalogue",
    "add_decisions",
    "cross_match",
    "designation",
    "find_duplicates",
    "load_catalogue",
    "load_report_sources",
    "read_positions",
    "sky_groups",
]

COLUMNS = ("name", "ra", "dec", "class", "catalogue", "catalogue_class")
MIRRORS = ("vizier.cds.unistra.fr", "vizier.cfa.harvard.edu")
ATTEMPTS = 3
BACKOFF = 2.0
"""Seconds to wait after the first failure; twice as long after each further one."""

log = logging.getLogger("radiosynth")


@dataclass(frozen=True)
class Catalogue:
    """A catalogue of VizieR and how its rows become labelled positions.

    Parameters
    ----------
    name : str
        Short name, as in the table of the report's decisions.
    vizier : str
        Identifier in VizieR.
    rows : int
        Number of rows of the edition used here; a reply with another number is refused.
    columns : tuple of str
        Columns that tell the catalogue's table from others under the same identifier.
    label : callable
        Takes the table and returns the columns ``name``, ``ra`` and ``dec`` (deg, or sexagesimal text),
        ``class``, ``catalogue_class`` and any others.
    sha256 : str
        Checksum of the rows of this edition (`radiosynth.catalogues.checksum`); empty if not pinned.
    """

    name: str
    vizier: str
    rows: int
    columns: tuple[str, ...]
    label: Callable[[Table], dict[str, Any]]
    sha256: str = ""


def _config(table: Table) -> dict[str, Any]:
    kind, note, sure = (_text(table[name]) for name in ("mt", "n_mt", "u_mt"))
    names = {"I": "FRI", "II": "FRII"}
    # Only rows flagged as confirmed have a shape; the compact ones carry no such flag.
    classes = [
        "compact" if k in ("C", "C*", "S*") else names.get(k, "") if s == "c" else ""
        for k, s in zip(kind, sure, strict=True)
    ]
    return {
        "name": [f"CoNFIG-{s} {n}" for s, n in zip(_text(table["S"]), _text(table["CoNFIG"]), strict=True)],
        "ra": table["RAJ2000"],
        "dec": table["DEJ2000"],
        "class": classes,
        "catalogue_class": [" ".join(filter(None, row)) for row in zip(kind, note, sure, strict=True)],
    }


def _capetti(morphology: str) -> Callable[[Table], dict[str, Any]]:
    def label(table: Table) -> dict[str, Any]:
        names = _text(table["SDSS"])
        ra, dec = zip(*(_from_designation(name) for name in names), strict=True)
        return {"name": names, "ra": ra, "dec": dec, "class": morphology, "catalogue_class": morphology}

    return label


def _proctor(table: Table) -> dict[str, Any]:
    return {
        "name": _text(table["FCG"]),
        "ra": table["RAJ2000"],
        "dec": table["DEJ2000"],
        # Table 1 of the paper holds the wide-angle and the narrow-angle tails.
        "class": np.where(_text(table["Tno"]) == "1", "bent", ""),
        "catalogue_class": _text(table["Com"]),
    }


def _garon(table: Table) -> dict[str, Any]:
    return {
        "name": _text(table["Name"]),
        "ra": table["RAJ2000"],
        "dec": table["DEJ2000"],
        "class": "",
        "catalogue_class": _text(table["Morph"]),
        "bending_angle": u.Quantity(np.ma.filled(np.ma.asarray(table["BA"], float), np.nan), u.deg),
    }


CATALOGUES: dict[str, Catalogue] = {
    catalogue.name: catalogue
    for catalogue in (
        Catalogue(
            "CoNFIG",
            "J/MNRAS/404/1719",
            858,
            ("CoNFIG", "S", "mt", "n_mt", "u_mt"),
            _config,
            "c99a3211bacd427908c84063578a063df0526755efab82ebb73bf280507b54e6",
        ),
        Catalogue(
            "FRICAT",
            "J/A+A/598/A49",
            219,
            ("SDSS",),
            _capetti("FRI"),
            "fbbdf739ef2e07451d86537529dbcd5962cd06184d2d62e5e8a0e6f01f721e6a",
        ),
        Catalogue(
            "FRIICAT",
            "J/A+A/601/A81",
            123,
            ("SDSS",),
            _capetti("FRII"),
            "727e0ffee7b1b30fa55a8fd51e92d42cbfb7f92320c6dfdc627c0e43ada55655",
        ),
        Catalogue(
            "Proctor2011",
            "J/ApJS/194/31",
            1932,
            ("FCG", "Com", "Tno"),
            _proctor,
            "db770531211039bd58304409584eb57473d761d424e17e3f0edd72760dcef78c",
        ),
        Catalogue(
            "Garon2019",
            "J/AJ/157/126",
            4304,
            ("Name", "Morph", "BA"),
            _garon,
            "f73b9f085c73eb6321ad244da47b11a87a32ba0543666364147b6f6beff288f8",
        ),
    )
}
"""The catalogues known here, by name."""

REPORT_CATALOGUES = ("FRICAT", "FRIICAT", "CoNFIG", "Proctor2011")
"""Those whose labels the report used; the fifth has bending angles."""


def load_catalogue(catalogue: str | Catalogue, *, refresh: bool = False) -> Table:
    """Return all rows of a catalogue, from the cache or from VizieR.

    Parameters
    ----------
    catalogue : str or Catalogue
        A name of `CATALOGUES`, in any capitalisation, or the description of another catalogue.
    refresh : bool
        Ask VizieR even if the cache has the table.

    Returns
    -------
    `~astropy.table.Table`
        One row per source, with the columns of this module. The class is empty where the catalogue gives
        none of the four or is not sure. ``Garon2019`` has no classes but ``bending_angle`` (deg).

    Raises
    ------
    DataUnavailableError
        If the cache does not hold the table and VizieR does not give it.
    ValueError
        If the name is unknown.
    """
    if isinstance(catalogue, str):
        known = {name.lower(): entry for name, entry in CATALOGUES.items()}
        if catalogue.lower() not in known:
            msg = f"unknown catalogue {catalogue!r}: choose from {', '.join(CATALOGUES)}"
            raise ValueError(msg)
        catalogue = known[catalogue.lower()]
    path = cache_folder() / "catalogues" / f"{catalogue.name}.ecsv"
    if path.is_file() and not refresh:
        try:
            table = Table.read(path, format="ascii.ecsv", fill_values=None)
            stored = table.meta.get("sha256")
        except Exception as error:  # whatever a damaged file makes the reader say
            log.debug("%s: %s", path, error)
            stored = None
        if stored and stored == checksum(table) and table.meta.get("vizier") == catalogue.vizier:
            return table
        log.warning("the cached %s is damaged, or another catalogue; it is fetched again", path)
    raw, server = _from_vizier(catalogue)
    table = _labelled(catalogue.label(raw), catalogue.name)
    digest = checksum(table)
    if catalogue.sha256 not in ("", digest):
        log.warning(
            "%s in VizieR differs from the edition used here (sha256 %s instead of %s); counts may differ",
            *(catalogue.name, digest, catalogue.sha256),
        )
    table.meta = {
        "catalogue": catalogue.name,
        "vizier": catalogue.vizier,
        "server": server,
        "retrieved": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "sha256": digest,
    }
    write_table(path, table)
    return table


def load_report_sources(*, refresh: bool = False) -> Table:
    """Return the 1478 labelled sources that the report started from, straight from their catalogues.

    These are the rows of FRICAT, FRIICAT, CoNFIG and Proctor (2011) to which the catalogue gives one of the
    four classes: FR I 269, FR II 513, bent 412, compact 284.

    Parameters
    ----------
    refresh : bool
        Ask VizieR even if the cache has the tables.

    Returns
    -------
    `~astropy.table.Table`
        As from `load_catalogue`, with ``meta["catalogues"]`` holding the provenance of each.

    Raises
    ------
    DataUnavailableError
        If a table is neither in the cache nor to be had from VizieR.
    """
    tables = [load_catalogue(name, refresh=refresh) for name in REPORT_CATALOGUES]
    provenance = [dict(table.meta) for table in tables]
    sources = vstack([table[table["class"] != ""] for table in tables], metadata_conflicts="silent")
    sources.meta = {"catalogues": provenance}
    return sources


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


def _from_vizier(catalogue: Catalogue) -> tuple[Table, str]:
    """Return all rows of the catalogue and the mirror that served them."""
    from astroquery import cache_conf
    from astroquery.vizier import VizierClass

    failures = []
    for server in MIRRORS:
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(BACKOFF * 2 ** (attempt - 1))
            log.info("asking %s for %s", server, catalogue.vizier)
            # Seconds to connect and to wait for an answer.
            vizier = VizierClass(columns=["**"], row_limit=-1, vizier_server=server, timeout=(5, 60))
            try:
                # astroquery would keep an error page for a week.
                with warnings.catch_warnings(action="ignore"), cache_conf.set_temp("cache_active", False):
                    reply = vizier.get_catalogs(catalogue.vizier)
                return _right_table(catalogue, reply), server
            # A damaged reply makes the parser say all kinds of things.
            except Exception as error:
                failure = " ".join(str(error).split()) or type(error).__name__
                if re.search("NewConnection|NameResolution|ConnectTimeout|ProxyError", failure):
                    break  # there is no way to it
        failures.append(f"  {server}: {failure[:200]}")
    msg = (
        f"{catalogue.name} ({catalogue.vizier}) is not in the cache, and VizieR does not give it:\n"
        + "\n".join(failures)
        + "\nTry again later; radiosynth.load_report_candidates() has the report's sources without a network."
    )
    raise DataUnavailableError(msg)


def _right_table(catalogue: Catalogue, reply: list[Table] | None) -> Table:
    """Return the table of the catalogue among those of a reply; a catalogue may be in several parts."""
    if not reply:
        msg = "the reply holds no table (an error page?)"
        raise ValueError(msg)
    parts = [table for table in reply if set(catalogue.columns) <= set(table.colnames)]
    if len(parts) > 1:
        parts.append(vstack(parts, join_type="inner", metadata_conflicts="silent"))
    for table in parts:
        if len(table) == catalogue.rows:
            return table
    found = [len(table) for table in parts]
    msg = (
        f"the reply has {found or 'no'} rows with the columns {', '.join(catalogue.columns)}; "
        f"all {catalogue.rows} are needed"
    )
    raise ValueError(msg)


# Lists of positions -----------------------------------------------------------------------------------

# What letters and digits of a column's name say, in lower case.
_MEANING = {
    "ra": {"ra", "radeg", "raj2000", "ra2000", "raicrs", "rightascension", "alphaj2000"},
    "dec": {"dec", "decdeg", "decj2000", "dec2000", "decicrs", "declination", "deltaj2000"}
    | {"de", "dedeg", "dej2000", "de2000", "deicrs"},
    "name": {"name", "id", "source", "sourcename", "designation", "object", "objectname", "iauname"},
    "class": {"class", "label", "morphology", "morph", "type"},
}
_UNITS = {
    "deg": u.deg, "degree": u.deg, "degrees": u.deg, "d": u.deg, "arcmin": u.arcmin, "arcsec": u.arcsec,
    "rad": u.rad, "radian": u.rad, "radians": u.rad,
    "hourangle": u.hourangle, "hour": u.hourangle, "hours": u.hourangle, "hr": u.hourangle, "h": u.hourangle,
}  # fmt: skip
_DESIGNATION = re.compile(r"J(\d\d)(\d\d)(\d\d(?:\.\d+)?)([+\-−])(\d\d)(\d\d)(\d\d(?:\.\d+)?)?")


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
    try:
        with warnings.catch_warnings(action="ignore", category=u.UnitsWarning):  # units are checked below
            raw = _read_list(path)
    except FileNotFoundError:
        raise
    except Exception as error:  # the readers raise all kinds of errors at a damaged file
        msg = (
            f"{path} cannot be read as a table ({' '.join(str(error).split())[:300]}); give CSV with a header"
        )
        raise ValueError(msg) from error
    all_found = _meanings(raw.colnames)
    found = {meaning: columns[0] for meaning, columns in all_found.items()}
    if not {"ra", "dec"} <= found.keys() and "name" not in found:
        msg = (
            f"{path} has the columns {', '.join(raw.colnames)}; it needs ra and dec (degrees, or sexagesimal "
            "text), or a name such as J012947.0+004633: rename them in the first line"
        )
        raise ValueError(msg)
    if not len(raw):
        msg = f"{path} has a header and no rows; give at least one position"
        raise ValueError(msg)
    names = _text(raw[found["name"]]) if "name" in found else None
    ra: Any
    dec: Any
    positions = [*all_found.get("ra", []), *all_found.get("dec", [])]
    try:
        if {"ra", "dec"} <= found.keys():
            ra, dec = (_one_of(raw, axis, all_found[axis]) for axis in ("ra", "dec"))
        else:
            ra, dec = zip(*map(_from_designation, names), strict=True)  # type: ignore[arg-type]
    except ValueError as error:
        msg = f"{path}: {error}"
        raise ValueError(msg) from error
    labels = _text(raw[found["class"]]) if "class" in found else np.full(len(raw), "")
    taken = {*found.values(), *positions, *COLUMNS}
    others = {name: raw[name] for name in raw.colnames if name not in taken}
    columns = {
        "name": names,
        "ra": ra,
        "dec": dec,
        "class": _classes(labels, classes or {}, path),
        "catalogue_class": labels,
        **others,
    }
    try:
        table = _labelled(columns, catalogue or path.stem)
    except ValueError as error:
        msg = f"{path}: {error}"
        raise ValueError(msg) from error
    called = str(table["catalogue"][0])  # older astropy cannot write a numpy text into a header
    table.meta = {"catalogue": called, "file": path.name, "sha256": checksum(table[COLUMNS])}
    return table


def _read_list(path: Path) -> Table:
    """Read a table in the format that its content tells."""
    data = path.read_bytes()
    if data.startswith(b"SIMPLE") or path.suffix.lower() in (".fits", ".fit"):
        with fits.open(io.BytesIO(data)) as hdus:
            tables = [hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU | fits.TableHDU)]
        if len(tables) > 1:
            msg = f"it holds {len(tables)} tables: save the one with the positions by itself"
            raise ValueError(msg)
        return Table.read(io.BytesIO(data), format="fits")
    if re.match(rb"(\xef\xbb\xbf)?\s*<(\?xml|VOTABLE)", data):
        if re.search(rb"<STREAM[^>]*\bhref", data, re.IGNORECASE):
            msg = "its rows are in another place, which is not opened: save the table with its rows inside"
            raise ValueError(msg)
        return Table.read(io.BytesIO(data), format="votable")
    # As lines: astropy takes a text of one line for a file or an address, and opens it.
    lines = [line for line in decoded(data).split("\n") if line.strip()]
    first = lines[0] if lines else ""
    if first.startswith("# %ECSV"):
        return Table.read(lines, format="ascii.ecsv")
    if first.startswith(("|", "\\")):
        return Table.read(lines, format="ascii.ipac")
    if re.match(r"#\s*1\s+[A-Za-z]\w*(\s|$)", first):  # as SExtractor numbers its columns
        return Table.read(lines, format="ascii.sextractor", converters={"*": [convert_numpy(str)]})
    return _read_text(lines)


def _read_text(lines: list[str]) -> Table:
    """Read delimited text, every value as text."""
    body = [line for line in lines if not line.startswith("#")]
    comments = [line.lstrip("# ") for line in lines if line.startswith("#")]
    rows, names = _cells(body), []
    if rows and _meanings(_header(body[0])).keys() & {"ra", "name"}:
        names, rows = _header(body[0]), _cells(body[1:], _delimiter(body[0]))
    else:
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
    rows = [row for row in rows if not re.fullmatch("[-+]+", "".join(row))]  # a rule, as VizieR draws it
    wrong = next((row for row in rows if len(row) != len(names)), None)
    if wrong is not None:
        msg = f"{wrong} has not the {len(names)} columns {', '.join(names)}"
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
    rows = csv.reader(lines, delimiter=mark) if mark else (line.split() for line in lines)
    return [[cell.strip() for cell in row] for row in rows]


def _meanings(columns: Sequence[str]) -> dict[str, list[str]]:
    """Return which columns hold what, as far as the names tell."""
    found: dict[str, list[str]] = {}
    ends: dict[str, str] = {}
    for column in columns:
        letters = re.sub(r"[(\[].*|[^a-z0-9]", "", column.lower())
        ends[column] = re.sub("^(right|ra|declination|dec|de|alpha|delta)(ascension)?", "", letters)
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
    angles = [_degrees(axis, table[name]) for name in columns]
    if again or any(np.abs((each - angles[0] + 180) % 360 - 180).max() > 1 / 60 for each in angles):
        msg = f"the columns {', '.join(columns + again)} hold different {axis}: rename what is not wanted"
        raise ValueError(msg)
    return angles[0]


def _classes(labels: NDArray, meaning: Mapping[str, str], path: Path) -> list[str]:
    """Return our class of each label."""
    known = {"": ""}
    for label in dict.fromkeys(labels.tolist()):
        try:
            wanted = meaning.get(label, label)
            known[label] = CLASS_NAMES[class_code(wanted)] if wanted else ""
        except ValueError as error:
            meant = f'classes={{{label!r}: "FRI", …}} (--classes {label}=FRI …), "" for none'
            msg = f"{path}: {error}; say what the labels mean with {meant}"
            raise ValueError(msg) from error
    return [known[label] for label in labels]


def _labelled(columns: Mapping[str, Any], catalogue: str) -> Table:
    """Return the table of this module from its columns, positions in degrees and checked."""
    ra, dec = _degrees("ra", columns["ra"]), _degrees("dec", columns["dec"])
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


def _degrees(axis: str, values: Any) -> NDArray[np.float64]:
    """Return angles in degrees, from numbers or from sexagesimal text; of text, each for itself."""
    column = values if isinstance(values, Column) else Column(values)
    unit, sexagesimal = _unit(column)
    factor = (unit or u.deg).to(u.deg)
    low, high, usual = (0, 360, u.hourangle) if axis == "ra" else (-90, 90, u.deg)
    if column.dtype.kind in "fiu":
        numbers: NDArray = np.ma.filled(np.ma.asarray(column, dtype=float), np.nan)
        degrees = numbers * factor
    else:
        degrees = np.full(len(column), np.nan)
        for row, text in enumerate(_text(column)):
            if _is_number(text):
                degrees[row] = float(text) * factor
            elif sexagesimal or unit in (None, usual) or re.search("[a-z°]", text):
                # What cannot be read, or is 12:30:49 where the unit is degrees, stays nan and is named below.
                with suppress(ValueError), warnings.catch_warnings(action="ignore"):  # of 60 seconds
                    degrees[row] = Angle(text, unit if sexagesimal else usual).deg
    bad = np.flatnonzero(~((degrees >= low) & (degrees <= high)))
    if len(bad):
        told = f" {unit}" if unit else ""
        msg = (
            f"row {bad[0] + 1} has {axis} = {column[bad[0]]!s}{told}: give {low} to {high} degrees, or text "
            f"such as {'12:30:49.4' if axis == 'ra' else '+12:23:28'} ({len(bad)} such rows)"
        )
        raise ValueError(msg)
    return degrees


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


def _from_designation(name: str) -> tuple[float, float]:
    """Return the position in degrees that a designation such as J012947.0+004633 tells."""
    parts = _DESIGNATION.search(name)
    if not parts:
        msg = f"the name {str(name)!r} gives no position; give such as J012947.0+004633, or add ra and dec"
        raise ValueError(msg)
    hours, minutes, seconds, sign, degrees, arcmin, arcsec = parts.groups()
    if int(hours) > 23 or max(int(minutes), float(seconds), int(arcmin), float(arcsec or 0)) >= 60:
        msg = f"the name {str(name)!r} gives no position: minutes and seconds go up to 60, hours to 24"
        raise ValueError(msg)
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


# Matches ----------------------------------------------------------------------------------------------


def _places(table: Table) -> SkyCoord:
    return SkyCoord(np.asarray(table["ra"], float), np.asarray(table["dec"], float), unit="deg")


def cross_match(left: Table, right: Table, radius: float = 20) -> Table:
    """Return all pairs of sources of two tables within a radius, by `astropy.coordinates.search_around_sky`.

    Parameters
    ----------
    left, right : `~astropy.table.Table`
        Tables with ``ra`` and ``dec`` in degrees.
    radius : float
        Largest separation in arcsec.

    Returns
    -------
    `~astropy.table.Table`
        Columns ``left`` and ``right`` (row numbers) and ``separation`` (arcsec), the closest pair first.

    Examples
    --------
    >>> here, there = Table({"ra": [1.0, 5.0], "dec": [0.0, 0.0]}), Table({"ra": [5.001], "dec": [0.0]})
    >>> cross_match(here, there)["left", "right"].as_array().tolist()
    [(1, 0)]
    """
    if radius <= 0:
        msg = f"radius is {radius}; give a positive number of arcsec"
        raise ValueError(msg)
    first, second, angles, _ = search_around_sky(_places(left), _places(right), radius * u.arcsec)
    pairs = Table({"left": first, "right": second, "separation": np.atleast_1d(angles.to(u.arcsec))})
    pairs.sort("separation")
    return pairs


def find_duplicates(table: Table, radius: float = 60) -> Table:
    """Return the pairs of sources of one table that lie within a radius of each other.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Table with ``ra`` and ``dec`` in degrees.
    radius : float
        Largest separation in arcsec.

    Returns
    -------
    `~astropy.table.Table`
        One row per pair, the closest first: ``first`` and ``second`` (row numbers), ``separation`` (arcsec),
        and, of the columns ``name``, ``class`` and ``catalogue`` that the table has, both values.

    Examples
    --------
    The report kept eleven such pairs, six of them with two different classes.

    >>> from radiosynth.datasets import load_report_candidates
    >>> candidates = load_report_candidates()
    >>> pairs = find_duplicates(candidates[candidates["decision"] == "keep"])
    >>> len(pairs), int((pairs["class_1"] != pairs["class_2"]).sum())
    (11, 6)
    """
    pairs = cross_match(table, table, radius)
    pairs = pairs[pairs["left"] < pairs["right"]]
    pairs.rename_columns(["left", "right"], ["first", "second"])
    for name in ("name", "class", "catalogue"):
        if name in table.colnames:
            pairs[f"{name}_1"], pairs[f"{name}_2"] = table[name][pairs["first"]], table[name][pairs["second"]]
    return pairs


def add_decisions(sources: Table, decisions: Table, radius: float = 2) -> Table:
    """Return the sources with the columns ``decision``, ``reason`` and ``cut`` of a table of decisions.

    Parameters
    ----------
    sources : `~astropy.table.Table`
        Labelled positions, such as from `load_report_sources`.
    decisions : `~astropy.table.Table`
        Decisions, such as `radiosynth.load_report_candidates`: one for a source of equal name, catalogue and
        class within the radius.
    radius : float
        Largest separation in arcsec.

    Returns
    -------
    `~astropy.table.Table`
        The sources in their order; the texts are empty where nothing was decided.
    """
    pairs = cross_match(sources, decisions, radius)
    same = [sources[name][pairs["left"]] == decisions[name][pairs["right"]] for name in _IDENTITY]
    pairs = pairs[np.logical_and.reduce(same)]
    # The closest pair comes first, and np.unique keeps the first.
    rows, first = np.unique(pairs["left"], return_index=True)
    decided = sources.copy()
    for name in ("decision", "reason", "cut"):
        texts = np.full(len(sources), "", dtype=decisions[name].dtype)
        texts[rows] = decisions[name][pairs["right"][first]]
        decided[name] = texts
    return decided


_IDENTITY = ("name", "catalogue", "class")


def sky_groups(table: Table, radius: float = 60) -> NDArray[np.int64]:
    """Return the number of the group of neighbours that each source belongs to, for ``sky_group``.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Table with ``ra`` and ``dec`` in degrees.
    radius : float
        Largest separation in arcsec of two neighbours; neighbours of neighbours share a group.

    Returns
    -------
    ndarray of int, shape (n,)
        From 0, in the order of the rows; -1 for a source that has no neighbour.

    Examples
    --------
    >>> sky_groups(Table({"ra": [9.0, 5.0, 5.001], "dec": [0.0, 0.0, 0.0]})).tolist()
    [-1, 0, 0]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs = find_duplicates(table[["ra", "dec"]], radius)
    shape = (len(table), len(table))
    linked = coo_array((np.ones(len(pairs)), (pairs["first"], pairs["second"])), shape=shape)
    labels = connected_components(linked, directed=False)[1]
    groups = np.full(len(table), -1)
    shared = np.isin(labels, np.flatnonzero(np.bincount(labels, minlength=1) > 1))
    groups[shared] = np.unique(labels[shared], return_inverse=True)[1]
    return groups
