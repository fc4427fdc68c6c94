"""The manifest of a folder of cutouts: one row for each source, and how it went with it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table, vstack

from radiosynth._io import check, readable, table_format, write_table

__all__ = ["MANIFEST"]

MANIFEST = "manifest.ecsv"
"""File in a folder of cutouts that lists them, one row each."""


OK, NAN_EDGE, OUTSIDE, NOT_TRIED = "ok", "nan edge", "outside survey", "not tried"


FINAL = (OK, NAN_EDGE, OUTSIDE)
"""Statuses that another request would not change."""


OUTCOME: dict[str, Any] = {
    "file": "",
    "status": NOT_TRIED,
    "message": "",
    "attempts": 0,
    "survey": "",
    "sha256": "",
}
"""What the manifest says of each source besides what the catalogue says, before it is tried."""


def write_manifest(folder: Path, table: Table, results: list[dict[str, Any]]) -> Table:
    """Write the table with the columns of `OUTCOME`, and return it."""
    manifest = table.copy()
    for name in OUTCOME:
        manifest[name] = [result[name] for result in results]
    write_table(folder / MANIFEST, manifest)
    return manifest


def read_manifest(folder: Path, needed: Iterable[str]) -> Table:
    """Return the manifest of a folder, which has to have some columns; text that is masked is empty."""
    with readable(folder / MANIFEST, "delete it and fetch the cutouts again", "cannot be read"):
        manifest = Table.read(folder / MANIFEST, format="ascii.ecsv")
    lacking = ", ".join(name for name in needed if name not in manifest.colnames)
    check(not lacking, f"{folder / MANIFEST} has no column {lacking}; write it anew, or give another folder")
    for name in manifest.colnames:
        if manifest[name].dtype.kind in "US":
            manifest[name] = np.ma.filled(manifest[name], "")
    return manifest


def files_of_list(path: Path) -> list[str]:
    """Return the files that a table names, by its column ``path`` or ``file``, relative to the table."""
    kind = table_format(path)[0]
    with readable(path, "give a table with a column path"):
        if kind == "parquet":  # for which astropy needs pandas
            from pyarrow import parquet

            table = parquet.read_table(path).to_pydict()
        else:
            table = Table.read(path, format=kind)
    name = next((name for name in ("path", "file") if name in table.keys()), None)  # noqa: SIM118 (a Table)
    check(name, f"{path} has no column path or file; it has {', '.join(table.keys())}")
    named = [str(file) for file in table[name] if file is not None and file is not np.ma.masked]
    files = [str(path.parent / file) for file in named if file]
    check(files, f"{path} names no files; give another table")
    return files


def resumed(
    table: Table, folder: Path, width: float, surveys: Collection[str]
) -> tuple[Table, list[dict[str, Any]]]:
    """Return the rows of the manifest and what is known of each: those of earlier calls come first."""
    rows = table.copy()
    rows.remove_columns([name for name in OUTCOME if name in rows.colnames])
    for name in ("class", "catalogue", "catalogue_class"):
        if name not in rows.colnames:
            rows[name] = ""
    known: dict[tuple[object, ...], dict[str, Any]] = {}
    if (folder / MANIFEST).exists():
        before = read_manifest(folder, ("name", "ra", "dec", "class", "catalogue", *OUTCOME))
        had = before.meta.get("width")
        fault = f"{folder} holds cutouts of {had} arcmin, {width} are asked for; give another folder"
        check(had == width, fault)
        others = ", ".join(sorted(set(before["survey"].tolist()) - {"", *surveys}))
        check(not others, f"{folder} holds cutouts of {others}; ask for these, too, or give another folder")
        results = [{name: row[name] for name in OUTCOME} for row in before]
        if not set(surveys) <= set(before.meta.get("surveys", surveys)):
            # What the surveys of an earlier call do not cover, another one may.
            results = [OUTCOME if each["status"] == OUTSIDE else each for each in results]
        before.remove_columns(list(OUTCOME))
        known = dict(zip(_keys(before), results, strict=True))
        asked = set(_keys(rows))
        earlier = before[[key not in asked for key in known]]
        rows = vstack([earlier, rows], metadata_conflicts="silent") if len(earlier) else rows
    rows.meta |= {"width": width, "surveys": list(surveys)}
    return rows, [dict(known.get(key, OUTCOME)) for key in _keys(rows)]


def _keys(rows: Table) -> list[tuple[object, ...]]:
    """Return what tells the rows apart; of rows alike, also which one it is."""
    seen: Counter[tuple[object, ...]] = Counter()
    keys = []
    for row in rows:
        place = f"{row['ra']:.5f}", f"{row['dec']:.5f}"
        key = (*(str(row[name]) for name in ("name", "class", "catalogue")), *place)
        seen[key] += 1
        keys.append((*key, seen[key]))
    return keys


def file_name(name: str, used: set[str], free: Callable[[str], bool] = lambda _: True) -> str:
    """Return the name of the file of a source: its own, or with a number, if it is used or not free."""
    stem = re.sub(r"[^\w.+-]+", "_", str(name)).strip("._") or "source"
    file, number = f"{stem}.fits", 1
    while file.lower() in used or not free(file):  # no two alike even where capitals do not count
        number += 1
        file = f"{stem}_{number}.fits"
    used.add(file.lower())
    return file


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
