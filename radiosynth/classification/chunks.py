"""Classify more images than memory holds: chunk after chunk, each kept in a file until all are done."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from astropy.table import Table

from radiosynth._io import check, read_json, readable, write_json, write_table
from radiosynth.classification.classifier import Classifier, load_classifier
from radiosynth.cutouts.files import stack_length
from radiosynth.cutouts.manifest import MANIFEST, alone, files_of_list
from radiosynth.cutouts.read import listed, part_of
from radiosynth.parallel import each
from radiosynth.sample import UnusableError

log = logging.getLogger("radiosynth")

CHUNK = 512
"""Images that are read at a time, half a gigabyte with all that is made of them."""

ABOUT = "about.json"
"""File in a folder of parts that says what they are of."""

_LISTS = (".csv", ".ecsv", ".vot")
_LARGE = 2**24
_USUAL = 2**18


def in_chunks(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]], size: int = CHUNK
) -> list[list[str]]:
    """List files in chunks that are read, and classified, at a time.

    Parameters
    ----------
    paths : path-like or iterable of path-like
        Files; folders, as for `radiosynth.read_cutouts`; and tables with a column ``path`` or ``file``
        (CSV, ECSV or VOTable), whose paths are relative to the table.
    size : int
        Images in a chunk. Files of more than 256 kB count for several; stacks of more than 16 MB are split.

    Returns
    -------
    list of list of str
        Paths; of split stacks such as ``stack.npy[0:512]``.

    Raises
    ------
    ValueError
        If there is no file, or a table has no such column.

    Examples
    --------
    >>> in_chunks(["a.fits", "b.fits", "c.fits"], size=2)
    [['a.fits', 'b.fits'], ['c.fits']]
    """
    chunks: list[list[str]] = []
    room = 0
    for path in _files(paths):
        found, planes = part_of(path)
        weight = found.stat().st_size if found.is_file() else 0
        length = stack_length(found) if weight > _LARGE else 0
        first, end, _ = planes.indices(length)
        parts = [f"{found}[{i}:{min(i + size, end)}]" for i in range(first, end, size)] or [path]
        takes = size if length else max(1, min(size, weight // _USUAL))
        for part in parts:
            if takes > room:
                chunks.append([])
                room = size
            chunks[-1].append(part)
            room -= takes
    check(chunks, "no files to read; give at least one, or a manifest that lists one")
    return chunks


def _files(paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> Iterator[str]:
    """Yield the files of folders, of tables and by themselves."""
    for path in [paths] if isinstance(paths, str | os.PathLike) else paths:
        if Path(path).suffix.lower() in _LISTS:
            yield from files_of_list(Path(path))
        else:
            files, _, absent = listed(path, True)
            if absent:
                log.warning("%d sources of %s have no image, such as %s: %s", len(absent), path, *absent[0])
            yield from files


def without_image(paths: Iterable[str | os.PathLike[str]]) -> list[tuple[str, str]]:
    """Return the sources that manifests of folders list without an image, as pairs (name, reason)."""
    folders = [path for path in paths if Path(path, MANIFEST).is_file()]
    return [source for folder in folders for source in listed(folder, True)[2]]


def count_images(chunks: Sequence[Sequence[str]]) -> int:
    """Return how many images chunks hold; where files are many, each that is not split counts as one."""
    files = [part_of(file) for chunk in chunks for file in chunk]
    few = len(files) <= CHUNK  # to open a million would take long
    numbers = (
        len(range(*part.indices(part.stop or (few and stack_length(path)) or 1))) for path, part in files
    )
    return sum(numbers)


def classify_in_chunks(
    classifier: Classifier,
    chunks: Sequence[Sequence[str]],
    folder: str | os.PathLike[str],
    *,
    crop: int | None = None,
    pixel_scale: float | None = None,
    on_error: Literal["raise", "skip"] = "skip",
    jobs: int = 1,
) -> Iterator[Table]:
    """Classify chunk after chunk, and yield the classes of each as it is done.

    Each chunk becomes a file of a folder, written whole or not at all. After an interruption of any kind the
    same call first yields what is there, and then resumes: nothing is classified twice.

    Parameters
    ----------
    classifier : Classifier
        What classifies. It is saved in the folder, from which each process loads it once.
    chunks : list of list of str
        Files, by `in_chunks`. On a cluster the paths have to be absolute, and seen by all machines.
    folder : path-like
        Folder for the parts, new or empty or of an earlier call; `join_chunks` makes one table of them.
    crop, pixel_scale, on_error
        As for `Classifier.classify`.
    jobs : int
        Processes, or of a cluster (`radiosynth.parallel.on_cluster`) tasks at a time.

    Yields
    ------
    ~astropy.table.Table
        As of `Classifier.classify`, in no particular order; without rows if a chunk holds nothing usable.

    Raises
    ------
    ValueError
        If the folder has anything else, or parts of other files, of files that changed since, of another
        classifier or of other options (but ``on_error="skip"`` may come later); with ``on_error="raise"``
        also at a file that cannot be read.
    OSError
        If another process is writing to the folder.
    """
    folder = Path(folder).absolute()
    digest = hashlib.sha256(repr(classifier.card).encode())
    known = vars(classifier.oddness).values() if classifier.oddness else ()
    for values in [*classifier.model.get_weights(), *known]:
        digest.update(np.asarray(values).tobytes())
    model = digest.hexdigest()
    numbers = [value if value is None else float(value) for value in (crop, pixel_scale)]
    asked: dict[str, Any] = {"model": model, "files": _fingerprint(chunks), "options": [*numbers, on_error]}
    asked["chunks"] = len(chunks)
    with alone(folder):
        about = folder / ABOUT
        hidden = all(path.name[0] == "." for path in folder.iterdir())  # the lock, and what is half written
        ours = hidden or about.exists()
        check(ours, f"{folder} is not empty, and has no {ABOUT}: remove it, or give another folder")
        begun = any(folder.glob("[0-9]*.ecsv"))
        if about.exists():
            before = read_json(about, asked, advice="remove its folder to begin anew")
            if on_error == "skip":  # which may come later
                before["options"][2:] = [on_error]
            other = " and ".join(name for name in list(asked)[:3] if asked[name] != before[name])
            had = f"{folder} holds parts of a classification that was begun with other {other}"
            fault = f"{had}: repeat that command, or remove the folder to begin anew"
            check(not (begun and other), fault)
        write_json(about, asked)
        if not begun:
            shutil.rmtree(folder / "model", ignore_errors=True)
            classifier.save(folder / "model")
        tasks = []
        for number, files in enumerate(chunks):
            part = _part(folder, number)
            if part.exists():
                yield _read_part(part)
            else:
                tasks.append((part, files))
        options = {"crop": crop, "pixel_scale": pixel_scale, "on_error": on_error}
        yield from each(partial(_classify_chunk, folder / "model", model, options), tasks, jobs, ahead=2)


def join_chunks(
    folder: str | os.PathLike[str],
    out: str | os.PathLike[str],
    kind: str | None = None,
    comments: Sequence[str] = (),
) -> None:
    """Write the parts of `classify_in_chunks` as one table, in the order of the files, and remove them.

    Parameters
    ----------
    folder : path-like
        Folder of the parts.
    out : path-like
        Table to write, by its suffix: CSV, ECSV or Parquet part by part; FITS and VOTable hold all in memory.
    kind : str, optional
        Format of astropy, whatever the suffix.
    comments : sequence of str
        Lines to be kept with the table, where the format has a place for them.

    Raises
    ------
    FileNotFoundError
        If the folder is none of `classify_in_chunks`.
    ValueError
        If chunks are missing, or differ in their columns, or the table would lie in the folder.
    """
    folder, out = Path(folder), Path(out)
    about = folder / ABOUT
    number = read_json(about, ["chunks"], advice="give the folder of classify_in_chunks")["chunks"]
    parts = [_part(folder, i) for i in range(number)]
    lacking = sum(not part.exists() for part in parts)
    check(not lacking, f"{folder} lacks {lacking} of {number} chunks: classify these first")
    outside = folder.resolve() not in out.resolve().parents
    check(outside, f"{out} would be in the folder of the parts, which is removed: give another place")

    def tables() -> Iterator[Table]:
        for i, part in enumerate(parts):
            table = _read_part(part)
            table.meta = {} if i else {"comments": list(comments)}
            table.rename_column("name", "file")
            yield table

    write_table(out, tables(), kind)
    for path in [*parts, *folder.glob(".*.part*"), folder / ".lock"]:
        path.unlink(missing_ok=True)
    shutil.rmtree(folder / "model", ignore_errors=True)  # needed as long as there are parts
    about.unlink()  # the last, as it tells what the others are
    with suppress(OSError):  # what else is there is not ours
        folder.rmdir()


def _part(folder: Path, number: int) -> Path:
    return folder / f"{number:07d}.ecsv"


def _fingerprint(chunks: Iterable[Iterable[str]]) -> str:
    """Return what changes with the files of chunks, their sizes and dates."""
    digest = hashlib.sha256()
    for chunk in chunks:
        for file in chunk:
            path = part_of(name := os.path.abspath(file))[0]  # noqa: PTH100 (which keeps links)
            found = path.stat() if path.exists() else None
            digest.update(f"{name} {found and (found.st_size, found.st_mtime_ns)}\n".encode())
        digest.update(b"\n")
    return digest.hexdigest()


def _read_part(path: Path) -> Table:
    with readable(path, "remove it, and repeat the command"):
        return Table.read(path, format="ascii.ecsv")


@cache
def _loaded(folder: Path, model: str) -> Classifier:
    """Return the saved classifier, loaded once in a process; `model` tells it from others that were there."""
    return load_classifier(folder)


def _classify_chunk(
    folder: Path, model: str, options: dict[str, Any], task: tuple[Path, Sequence[str]]
) -> Table:
    """Classify the files of a chunk, keep the classes in a file and return them."""
    part, files = task
    table = _classes(_loaded(folder, model), files, options)
    write_table(part, table)
    return table


def _classes(classifier: Classifier, files: Sequence[str], options: dict[str, Any]) -> Table:
    """Return the classes of files; no rows where none can be used, which one table of all would refuse."""
    try:
        return classifier.classify(files, **options)
    except UnusableError as error:
        if not error.skipped and not error.left_out:
            raise
        names = ["name", "class", *classifier.card["classes"], *["oddness"] * bool(classifier.oddness)]
        table = Table(names=names, dtype=["U1", "U1", *["f4"] * (len(names) - 2)])
        table.meta = {"model": classifier.card["name"], **vars(error), "notes": []}
        return table
