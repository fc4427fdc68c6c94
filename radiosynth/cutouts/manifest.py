"""The manifest of a folder of cutouts: one row for each source, and how it went with it."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io.ascii import convert_numpy
from astropy.table import Table, vstack

from radiosynth._io import check, decoded, readable, table_format, write_table

MANIFEST = "manifest.ecsv"
"""File in a folder of cutouts that lists them, one row each."""


OK, NAN_EDGE, OUTSIDE, NOT_TRIED = "ok", "nan edge", "outside survey", "not tried"


FINAL = (OK, NAN_EDGE, OUTSIDE)
"""Statuses that another request would not change."""


Results = list[dict[str, Any]]
"""What the manifest says of each source besides what the catalogue says."""


OUTCOME: dict[str, Any] = {"file": "", "status": NOT_TRIED, "message": "", "survey": ""}
"""What the manifest says of each source besides what the catalogue says, before it is tried."""


def write_manifest(folder: Path, table: Table, results: Results) -> Table:
    """Write the table with the columns of `OUTCOME`, and return it."""
    manifest, done = table.copy(), list(results)  # threads change the list meanwhile
    for name in OUTCOME:
        manifest[name] = [result[name] for result in done]
    write_table(folder / MANIFEST, manifest)
    return manifest


def read_manifest(folder: Path, needed: Iterable[str]) -> Table:
    """Return the manifest of a folder, which has to have some columns; text that is masked is empty."""
    with readable(folder / MANIFEST, "fetch the cutouts into another folder", "cannot be read"):
        manifest = Table.read(folder / MANIFEST, format="ascii.ecsv")
    lacking = ", ".join(name for name in needed if name not in manifest.colnames)
    check(not lacking, f"{folder / MANIFEST} has no column {lacking}; write it again, or give another folder")
    for name in manifest.colnames:
        if manifest[name].dtype.kind in "US":
            manifest[name] = np.ma.filled(manifest[name], "")
    return manifest


def files_of_list(path: Path) -> tuple[list[str], list[tuple[str, str]]]:
    """Return the files in the column ``path`` or ``file`` of a table, relative to it, and rows with none.

    In a manifest ``path`` is where the cutouts came from.
    """
    with readable(path, "give a table with a column path"):
        kind = table_format(path)[0]
        if kind == "ascii.csv":  # where 001 is no number
            lines = decoded(path.read_bytes()).split("\n")
            table = Table.read(lines, format=kind, converters={"*": [convert_numpy(str)]})
        else:
            table = Table.read(path, format=kind)
    columns = ("file", "path") if path.name == MANIFEST else ("path", "file")
    name = next((name for name in columns if name in table.colnames), None)
    check(name, f"{path} has no column path or file; it has {', '.join(table.colnames)}")
    named = np.ma.filled(np.ma.asarray(table[name]).astype(str), "")
    about = ("name", "status", "message") if path.name == MANIFEST else ("name",)
    if path.name == MANIFEST and "status" in table.colnames:
        named[~np.isin(table["status"], [OK, NAN_EDGE])] = ""
    files = [str(path.parent / file) for file in named if file]
    check(files, f"{path} names no files; give another table")
    missing = []
    for number in np.flatnonzero(named == "").tolist():
        known = {name: str(table[name][number]) for name in about if name in table.colnames}
        reason = f"{known.get('status', 'no file')}: {known.get('message', 'the list names none')}"
        missing.append((known.get("name", f"row {number + 1} of {path}"), reason.removesuffix(": ")))
    return files, missing


def resumed(table: Table, folder: Path, width: float, surveys: Sequence[str]) -> tuple[Table, Results]:
    """Return the rows of the manifest and what is known of each: those of earlier calls come first."""
    rows = table.copy()
    asked = f"{width:g} arcmin wide from {', then '.join(surveys)}"
    known: dict[tuple[str, ...], dict[str, Any]] = {}
    if (folder / MANIFEST).exists():
        before = read_manifest(folder, ("name", "ra", "dec", *OUTCOME))
        held = before.meta.get("cutouts", "of another origin")
        check(held == asked, f"{folder} holds cutouts {held}, not {asked}: give another folder")
        keys = _keys(before)
        for key, row in zip(keys, before, strict=True):
            gone = row["file"] and not (folder / row["file"]).is_file()
            known[key] = OUTCOME if gone else {name: row[name] for name in OUTCOME}
        before.remove_columns(list(OUTCOME))
        new = set(_keys(rows))
        earlier = before[[key not in new for key in keys]]
        rows = vstack([earlier, rows], metadata_conflicts="silent") if len(earlier) else rows
    rows.meta["cutouts"] = asked
    return rows, [known.get(key, OUTCOME) for key in _keys(rows)]


def _keys(rows: Table) -> list[tuple[str, ...]]:
    """Return what tells rows apart: name, class, catalogue, position, and of rows alike which one it is."""
    labels = [name for name in ("name", "class", "catalogue") if name in rows.colnames]
    seen: Counter[tuple[str, ...]] = Counter()
    keys = []
    for row in rows:
        key = (*(str(row[name]) for name in labels), f"{row['ra']:.5f}", f"{row['dec']:.5f}")
        seen[key] += 1
        keys.append((*key, str(seen[key])))
    return keys


def file_name(folder: Path, name: str, used: set[str]) -> str:
    """Return the name of the file of a source: its own, or with a number, if there is such a file."""
    # A file system takes names of 255 bytes, some of 143, and a file has a longer one while it is written.
    letters = re.sub(r"[^\w.+-]+", "_", str(name)).strip("._").encode()[:100]
    stem = letters.decode(errors="ignore") or "source"
    file, number = f"{stem}.fits", 1
    # No two alike even where capitals do not count.
    while file.lower() in used or os.path.lexists(folder / file):
        number += 1
        file = f"{stem}_{number}.fits"
    used.add(file.lower())
    return file


def as_ascii(text: object) -> str:
    """Return text as FITS can hold it."""
    return re.sub(r"[^ -~]", "?", str(text))


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other processes from filling the folder at the same time; a killed process lets go of it."""
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".lock", timeout=0):
            yield
    except Timeout as error:
        msg = f"another process is writing to {folder}; wait for it or give another folder"
        raise OSError(msg) from error
