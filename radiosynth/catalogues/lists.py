"""Lists of sources in the formats that people have, read into tables without change."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Sequence

from astropy.io import fits
from astropy.io.ascii import convert_numpy
from astropy.table import Table

from radiosynth._io import check, decoded, log

# What letters and digits of a column's name say, in lower case.
_MEANING = {
    "ra": {"ra", "radeg", "raj2000", "ra2000", "raicrs", "rightascension"}
    | {"alphaj2000", "alphawinj2000", "radegcont"},  # of SExtractor and Selavy
    "dec": {"dec", "decdeg", "decj2000", "dec2000", "decicrs", "declination", "decl"}
    | {"de", "dedeg", "dej2000", "de2000", "deicrs", "deltaj2000", "deltawinj2000", "decdegcont"},
    "name": {"name", "id", "source", "sourcename", "designation", "object", "objectname", "iauname"},
    "class": {"class", "label", "morphology", "morph", "type"},
}


def read_list(data: bytes) -> Table:
    """Read a table in the format that its content tells."""
    if data.startswith(b"SIMPLE"):
        with fits.open(io.BytesIO(data)) as hdus:
            tables = sum(isinstance(hdu, fits.BinTableHDU | fits.TableHDU) for hdu in hdus)
        check(tables < 2, f"it holds {tables} tables: save the one with the positions by itself")
        table = Table.read(io.BytesIO(data), format="fits")
        for number, column in enumerate(table.itercols(), 1):
            column.info.description = column.info.description or table.meta.get(f"TCOMM{number}")
        return table
    if re.match(rb"(\xef\xbb\xbf)?\s*<(\?xml|!--|!DOCTYPE|(\w+:)?VOTABLE)", data):
        linked = re.search(rb"(?i)<STREAM[^>]*\bhref", data)
        check(not linked, "its rows are in another place, which is not opened: save the table with its rows")
        _heed_server(data.decode("utf-8", "replace"))
        return Table.read(io.BytesIO(data), format="votable", use_names_over_ids=True)
    # As lines: astropy takes a text of one line for a file or an address, and opens it.
    lines = [line for line in decoded(data).split("\n") if line.strip(" \t,;")]
    first = lines[0] if lines else ""
    if first.startswith("# %ECSV"):
        header = next((line for line in lines if not line.startswith("#")), "")
        _tell_left_out(lines, _delimiter(header), len(_names(header)))
        return Table.read(lines, format="ascii.ecsv")
    if first.startswith(("|", "\\")):
        return Table.read(lines, format="ascii.ipac")
    if re.match(r"#\s*1\s+[A-Za-z]\w*(\s|$)", first):  # as SExtractor numbers its columns
        return Table.read(lines, format="ascii.sextractor", converters={"*": [convert_numpy(str)]})
    return _read_text(lines)


def _heed_server(text: str) -> None:
    """Raise where a server says that a query failed, and warn where it says that it cut the table off."""
    status = r"""(?is)<INFO\b(?=[^>]*\bname=["'](?:QUERY_STATUS|Error)["'])[^>]*\bvalue=(["'])(.*?)\1[^>]*>"""
    for _, value, literal, words in re.findall(status + r"\s*(?:<!\[CDATA\[(.*?)\]\]>|([^<]*))", text):
        fault = f"the server says {f'{value} {literal}{html.unescape(words)}'.strip()!r}: correct the query"
        check(value.upper() in ("", "OK", "OVERFLOW"), fault)
        if value.upper() == "OVERFLOW":
            log.warning("the server has cut this table off (OVERFLOW): raise its limit of rows (MAXREC)")


def _read_text(lines: list[str]) -> Table:
    """Read delimited text, every value as text; the header may be commented out, or lack above ra and dec."""
    rows = [line for line in lines if not line.startswith("#")]
    comments = [line.lstrip("# ") for line in lines if line.startswith("#")]
    if rows and meanings_of(_names(rows[0])).keys() & {"ra", "name"}:
        header = rows.pop(0)
    elif rows and not comments and re.fullmatch(r"[+\-−.\d]\S*[\s,;|]+[+\-−.\d]\S*", rows[0].strip()):
        header = f"ra{_delimiter(rows[0]) or ' '}dec"
    else:
        headers = [line for line in comments if meanings_of(_names(line)).keys() >= {"ra", "dec"}]
        check(headers, "it has no header with ra and dec, or with name: write one, such as name,ra,dec")
        header = headers[0]
    names = _names(header)
    units = [name for name in names if name.startswith(("[", "("))]
    check(not units, f"the header has {units} as names of columns: write such as RA(h), without a blank")
    # A single column may hold blanks.
    mark = _delimiter(header) or ("\t" if len(names) == 1 else None)
    cells = [_cells(row, mark) for row in rows]
    if not mark and names[-1].lower() == "comment":  # Selavy's: no word, or several
        cells = [[*row[: len(names) - 1], " ".join(row[len(names) - 1 :])] for row in cells]
    for row in cells:
        check(len(row) == len(names), f"{row} has not the {len(names)} columns {', '.join(names)}")
    _tell_left_out(lines, mark, len(names))
    return Table(rows=cells or None, names=names, dtype=[str] * len(names))


def _tell_left_out(lines: list[str], mark: str | None, width: int) -> None:
    """Warn of comments that may be sources: they have as many cells as the header, and two numbers."""
    rows = [_cells(line.lstrip("# "), mark) for line in lines if line.startswith("#")]
    rows = [row for row in rows if len(row) == width and sum(c.lstrip("+-−.")[:1].isdigit() for c in row) > 1]
    if rows:
        advice = "if they are sources, put their names in quotation marks"
        log.warning("%d lines that begin with # are left out, such as %s: %s", len(rows), rows[0], advice)


def _names(header: str) -> list[str]:
    return _cells(header, _delimiter(header))


def _delimiter(line: str) -> str | None:
    """Return what separates the columns of a line; blanks if nothing else does."""
    return next((mark for mark in "\t|;," if mark in line), None)


def _cells(line: str, mark: str | None) -> list[str]:
    """Return the cells of a line, which a mark separates, or else blanks."""
    # Line by line, so that a stray quotation mark swallows none.
    line = line if mark else " ".join(line.split())
    rows = csv.reader([line], delimiter=mark or " ", skipinitialspace=True)
    return [cell.strip() for cell in next(rows, [])]


def meanings_of(columns: Sequence[str]) -> dict[str, list[str]]:
    """Return which columns hold what, as far as the names tell; one that is called so comes first."""
    found: dict[str, list[str]] = {}
    for column in columns:
        letters = re.sub(r"[(\[].*|[^a-z0-9]", "", column.lower())
        for meaning, names in _MEANING.items():
            if letters in names:
                found.setdefault(meaning, []).append(column)
    return {meaning: sorted(named, key=lambda n: n.lower() != meaning) for meaning, named in found.items()}
