"""Lists of sources in the formats that people have, read into tables without change."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

from astropy.io import fits
from astropy.io.ascii import convert_numpy
from astropy.table import Table

from radiosynth._io import check, decoded
from radiosynth.catalogues.angles import is_number
from radiosynth.catalogues.designations import DESIGNATION

# What letters and digits of a column's name say, in lower case.
_MEANING = {
    "ra": {"ra", "radeg", "raj2000", "ra2000", "raicrs", "rightascension", "alphaj2000"}
    | {"alphawinj2000", "radegcont", "rahmscont"},  # of SExtractor and Selavy
    "dec": {"dec", "decdeg", "decj2000", "dec2000", "decicrs", "declination", "decl", "deltaj2000"}
    | {"de", "dedeg", "dej2000", "de2000", "deicrs", "deltawinj2000", "decdegcont", "decdmscont"},
    "name": {"name", "id", "source", "sourcename", "designation", "object", "objectname", "iauname"},
    "class": {"class", "label", "morphology", "morph", "type"},
}


def read_list(data: bytes, suffix: str) -> Table:
    """Read a table in the format that its content tells."""
    if data.startswith(b"SIMPLE") or suffix in (".fits", ".fit"):
        with fits.open(io.BytesIO(data)) as hdus:
            tables = sum(isinstance(hdu, fits.BinTableHDU | fits.TableHDU) for hdu in hdus)
        check(tables < 2, f"it holds {tables} tables: save the one with the positions by itself")
        return Table.read(io.BytesIO(data), format="fits")
    if re.match(rb"(\xef\xbb\xbf)?\s*<(\?xml|VOTABLE)", data):
        linked = re.search(rb"(?i)<STREAM[^>]*\bhref", data)
        check(not linked, "its rows are in another place, which is not opened: save the table with its rows")
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
    names, rows = _with_header(body, comments)
    headed = bool(names)
    if not headed and body:
        names, rows = _without_header(_cells(body, _delimiter(body[0])), " ".join(comments).lower())
    check(names, "it has neither a header nor columns that are positions")
    twice = sorted({name for name in names if names.count(name) > 1})
    check(not meanings_of(twice), f"the column {twice[:1]} occurs more than once: rename what is not wanted")
    names = [f"{name}_{names[:i].count(name)}" if name in names[:i] else name for i, name in enumerate(names)]

    # Lines may end with delimiters, and so with empty cells.
    while not names[-1]:
        names.pop()
    rows = [row[: len(names)] + [cell for cell in row[len(names) :] if cell] for row in rows]
    for row in rows:
        check(len(row) == len(names), f"{row} has not the {len(names)} columns {', '.join(names)}")

    # A header may have a second line, of units.
    axes = [names.index(found[0]) for axis, found in meanings_of(names).items() if axis in ("ra", "dec")]
    units = None
    if headed and axes and rows and not any(re.search(r"\d|^$", rows[0][i]) for i in axes):
        units = rows.pop(0)
    table = Table(rows=rows or None, names=names, dtype=[str] * len(names))
    for i in axes if units else []:
        table[names[i]].description = f"[{units[i]}]"  # type: ignore[index]
    return table


def _with_header(body: list[str], comments: list[str]) -> tuple[list[str], list[list[str]]]:
    """Return names and cells by the line that names the columns; nothing where there is none."""
    names = _header(body[0]) if body else []
    if meanings_of(names).keys() & {"ra", "name"}:
        return names, _cells(body[1:], _delimiter(body[0]) or ("\t" if len(names) == 1 else None))
    # A header may be commented out, as numpy writes it. Then it names all columns; other comments go.
    for comment in comments:
        names = _header(comment)
        found = meanings_of(names).keys()
        if found >= {"ra", "dec"} or (len(names) == 1 and "name" in found):
            for mark in (_delimiter(comment), _delimiter("".join(body[:1]))):
                rows = _cells(body, mark)
                if not mark and names[-1].lower() == "comment":  # Selavy's: no word, or several
                    rows = [[*row[: len(names) - 1], " ".join(row[len(names) - 1 :])] for row in rows]
                if not rows or len(rows[0]) == len(names):
                    return names, rows
    return [], []


def _without_header(rows: list[list[str]], comments: str) -> tuple[list[str], list[list[str]]]:
    """Return names and cells by the number of columns: [name] ra dec, [name] h m s d m s, or name."""
    if all(DESIGNATION.search(row[-1]) and not any(map(is_number, row)) for row in rows if row):
        return ["name"], [[" ".join(row)] for row in rows]
    rows = [row[:-1] if row[-1] == "" else row for row in rows]
    width = len(rows[0])
    if width > 1 and not any(re.match(r"[+-]?\.?\d", cell) for cell in rows[0]):
        return rows[0], rows[1:]  # a header, of other columns
    ra = re.search(r"(?<![a-z])(ra(?![a-z])|raj|right.?asc|alpha)", comments)
    dec = re.search(r"(?<![a-z])(dec(?![a-z])|dej|decl|delta)", comments)
    swapped = ra and dec and dec.start() < ra.start()
    check(not swapped, "its comments name the declination first: write a header, such as name,ra,dec")
    numbers = [row[0] for row in rows if is_number(row[0])] if width in (3, 7) else []
    told = f"without a header the first of {width} columns is the name, and {numbers[:1]} a number"
    check(not numbers, f"{told}: write a header, such as ra,dec,flux")
    if width in (6, 7):
        rows = [[*row[:-6], " ".join(row[-6:-3]), " ".join(row[-3:])] for row in rows]
    names = ["name"] if width in (1, 3, 7) else []
    return names + (["ra", "dec"] if width in (2, 3, 6, 7) else []), rows


def _header(line: str) -> list[str]:
    """Return the names of columns in a line; a unit in brackets belongs to the name before it."""
    if not _delimiter(line):
        line = re.sub(r"\s*([(\[])([^)\]]*)([)\]])", lambda m: m[1] + "_".join(m[2].split()) + m[3], line)
    return _cells([line], _delimiter(line))[0]


def _delimiter(line: str) -> str | None:
    """Return what separates the columns of a line; blanks if nothing else does."""
    return next((mark for mark in "\t|;," if mark in line), None)


def _cells(lines: list[str], mark: str | None) -> list[list[str]]:
    """Return the cells of lines, which a mark separates, or else blanks."""
    # Line by line, so that a stray quotation mark swallows none; in CSV a cell may hold line breaks.
    blanks = (next(csv.reader([" ".join(line.split())], delimiter=" "), []) for line in lines)
    rows = csv.reader(lines, delimiter=mark) if mark else blanks
    return [[cell.strip() for cell in row] for row in rows]


def meanings_of(columns: Sequence[str]) -> dict[str, list[str]]:
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
