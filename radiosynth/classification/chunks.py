"""Classify more images than memory holds: chunk after chunk, each kept in a file until all are done."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal

import joblib
import numpy as np
from astropy.table import Table, vstack

from radiosynth._io import PathLike, Paths, check, log, read_json, readable, write_json, write_table
from radiosynth.classification.classifier import Classifier, load_classifier
from radiosynth.cutouts.files import stack_length
from radiosynth.cutouts.manifest import alone, files_of_list
from radiosynth.cutouts.read import listed, part_of
from radiosynth.networks.classifiers import without_normalisation
from radiosynth.parallel import each
from radiosynth.sample import UnusableError

CHUNK = 128
"""Images that are read at a time, an eighth of a gigabyte with all that is made of them."""

AT_ONCE = 4
"""Chunks that a command reads together, where they are all; more are classified one by one."""

ABOUT = "about.json"
"""File in a folder of parts that says what they are of."""

_LISTS = (".csv", ".ecsv", ".vot")
_LARGE = 2**24
_USUAL = 2**18


def in_chunks(paths: Paths, size: int = CHUNK) -> list[list[str]]:
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
        Paths; of split stacks such as ``stack.npy[0:128]``.

    Raises
    ------
    ValueError
        If there is no file, or a table has no such column.

    Examples
    --------
    >>> in_chunks(["a.fits", "b.fits", "c.fits"], size=2)
    [['a.fits', 'b.fits'], ['c.fits']]
    """
    files, absent = _listed(paths)
    if absent:
        log.warning("%d sources have no image, such as %s: %s", len(absent), *absent[0])
    check(files, "no files to read; give at least one, or a manifest that lists one")
    chunks: list[list[str]] = []
    room = 0
    for file in files:
        path, planes = part_of(file)
        weight = path.stat().st_size if path.is_file() else 0
        length = stack_length(path) if weight > _LARGE else 0
        first, end, _ = planes.indices(length)
        parts = [f"{path}[{i}:{min(i + size, end)}]" for i in range(first, end, size)] or [file]
        takes = size if length else max(1, min(size, weight // _USUAL))
        for part in parts:
            if takes > room:
                chunks.append([])
                room = size
            chunks[-1].append(part)
            room -= takes
    return chunks


def _listed(paths: Paths) -> tuple[list[str], list[tuple[str, str]]]:
    """Return the files of folders, of tables and by themselves, and the sources that have none."""
    files: list[str] = []
    absent: list[tuple[str, str]] = []
    for path in [paths] if isinstance(paths, PathLike) else paths:
        if Path(path).suffix.lower() in _LISTS:
            found, missing = files_of_list(Path(path))
        else:
            found, _, missing = listed(path, True)
        files += found
        absent += missing
    return files, absent


def without_image(paths: Iterable[PathLike]) -> list[tuple[str, str]]:
    """Return the sources that manifests of folders list without an image, as pairs (name, reason)."""
    return _listed(paths)[1]


def count_images(chunks: Sequence[Sequence[str]]) -> int:
    """Return how many images chunks hold, if each file that is not split is one."""
    parts = [part_of(file)[1] for chunk in chunks for file in chunk]
    return sum(part.stop - part.start if part.stop else 1 for part in parts)


def classify_in_chunks(
    classifier: Classifier,
    chunks: Sequence[Sequence[str]],
    folder: PathLike,
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
        classifier or of other options; with ``on_error="raise"`` also at a file that cannot be read, unless
        an earlier call with ``"skip"`` has listed it as skipped.
    OSError
        If another process is writing to the folder.
    """
    folder = Path(folder).absolute()
    about = folder / ABOUT
    states = [[_state(file) for file in chunk] for chunk in chunks]
    model = classifier.card, classifier.model.get_weights(), classifier.oddness
    fingerprint = joblib.hash((model, states, f"{crop} {pixel_scale} JSON"))
    with alone(folder):
        others = [path for path in folder.iterdir() if path.name[0] != "."]  # not the lock, or half written
        ours = about.exists() or not others
        check(ours, f"{folder} is not empty, and has no {ABOUT}: remove it, or give another folder")
        if any(folder.glob("[0-9]*")):
            before = read_json(about, ["fingerprint"], advice="remove its folder to start again")
            had = f"{folder} holds parts of a classification begun with another model, files or options"
            same = before["fingerprint"] == fingerprint
            check(same, f"{had}, or by another version: repeat that command, or remove the folder")
        else:
            write_json(about, {"chunks": len(chunks), "fingerprint": fingerprint})
            classifier.save(folder / "model")
        parts = [_part(folder, number) for number in range(len(chunks))]
        tasks = [(part, files) for part, files in zip(parts, chunks, strict=True) if not part.exists()]
        yield from (_read_part(part) for part in parts if part.exists())
        options = {"crop": crop, "pixel_scale": pixel_scale, "on_error": on_error}
        classify = partial(_classify_chunk, folder / "model", fingerprint, options)
        yield from each(classify, tasks, jobs, ahead=2)


def join_chunks(folder: PathLike, out: PathLike, comments: Sequence[str] = ()) -> None:
    """Write the parts of `classify_in_chunks` as one table, in the order of the files, and remove them.

    Parameters
    ----------
    folder : path-like
        Folder of the parts.
    out : path-like
        Table to write, by its suffix: CSV, ECSV or Parquet part by part; FITS and VOTable hold all in memory.
    comments : sequence of str
        Lines to be kept with the table, where the format has a place for them.

    Raises
    ------
    FileNotFoundError
        If the folder is none of `classify_in_chunks`.
    ValueError
        If chunks are missing, or differ in their columns, or the table would lie in the folder.
    """
    folder = Path(folder)
    outside = folder.resolve() not in Path(out).resolve().parents
    check(outside, f"{out} would be in the folder of the parts, which is removed: give another place")
    about = folder / ABOUT
    number = read_json(about, ["chunks"], advice="give the folder of classify_in_chunks")["chunks"]
    parts = [_part(folder, i) for i in range(number)]
    lacking = sum(not part.exists() for part in parts)
    check(not lacking, f"{folder} lacks {lacking} of {number} chunks: classify these first")

    def tables() -> Iterator[Table]:
        for i in range(0, number, 32):  # some thousand rows are a good group in Parquet
            group = [_read_part(part) for part in parts[i : i + 32]]
            table = vstack(group, join_type="exact", metadata_conflicts="silent")
            table.meta = {} if i else {"comments": list(comments)}
            table.rename_column("name", "file")
            yield table

    write_table(Path(out), tables())
    for path in [*parts, *folder.glob(".*.part*"), folder / ".lock"]:
        path.unlink(missing_ok=True)
    shutil.rmtree(folder / "model", ignore_errors=True)  # needed as long as there are parts
    about.unlink()  # the last, as it tells what the others are
    with suppress(OSError):  # what else is there is not ours
        folder.rmdir()


def _part(folder: Path, number: int) -> Path:
    return folder / f"{number:07d}.json"


def _state(file: str) -> tuple[str, tuple[int, int] | None]:
    """Return what changes with a file: its path, size and date."""
    path = part_of(file)[0]
    found = path.stat() if path.exists() else None
    return str(Path(file).absolute()), found and (found.st_size, found.st_mtime_ns)


def _read_part(path: Path) -> Table:
    said = {"advice": "remove it, and repeat the command"}
    found = read_json(path, ["columns", "kinds", "meta"], **said)
    with readable(path, **said):
        columns = {name: np.array(found["columns"][name], kind) for name, kind in found["kinds"].items()}
        pairs = ("skipped", "left_out", "notes")
        meta = found["meta"] | {name: [tuple(pair) for pair in found["meta"][name]] for name in pairs}
        return Table(columns, meta=meta)


@cache
def _loaded(folder: Path, fingerprint: str) -> Classifier:
    """Return the saved classifier, loaded once in a process; the fingerprint tells it from earlier ones."""
    classifier = load_classifier(folder)
    return replace(classifier, model=without_normalisation(classifier.model))


def _classify_chunk(
    folder: Path, fingerprint: str, options: dict[str, Any], task: tuple[Path, Sequence[str]]
) -> Table:
    """Classify the files of a chunk, keep the classes in a file and return them."""
    part, files = task
    table = _classes(_loaded(folder, fingerprint), files, options)
    # In JSON: ECSV keeps the meta as YAML, which for a chunk with many doubtful images takes longer to write
    # and to read than they take to classify.
    kinds = {name: table[name].dtype.str for name in table.colnames}
    columns = {name: table[name].tolist() for name in table.colnames}
    write_json(part, {"columns": columns, "kinds": kinds, "meta": table.meta}, indent=None)
    return table


def _classes(classifier: Classifier, files: Sequence[str], options: dict[str, Any]) -> Table:
    """Return the classes of files; no rows where none can be used, which one table of all would refuse."""
    try:
        return classifier.classify(files, **options)
    except UnusableError as error:
        if not error.skipped and not error.left_out:
            raise
        names = ["name", "class", *classifier.card["classes"], *["oddness"] * bool(classifier.oddness)]
        meta = {"model": classifier.card["name"], **vars(error), "notes": []}
        return Table(names=names, dtype=["U1", "U1", *["f4"] * (len(names) - 2)], meta=meta)
