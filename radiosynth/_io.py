"""Files: written whole or not at all, read or refused by name; text in any common encoding; cached data."""

from __future__ import annotations

import errno
import io
import json
import logging
import math
import os
import re
import shutil
import threading
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io.fits.verify import VerifyWarning
from astropy.table import Column, Table, vstack
from numpy.typing import NDArray

log = logging.getLogger("radiosynth")
"""The log of all modules."""

TABLES = {
    ".ecsv": ("ascii.ecsv", rb"# %ECSV[^\n]*(\n#(?! - {)[^\n]*)*\n# - {name: %s,[^\n]*\n# - {name: %t,"),
    ".csv": ("ascii.csv", rb"%s,%t\b"),
    ".fits": ("fits", rb"(?s)SIMPLE  =.*TTYPE1  = '%s .*TTYPE2  = '%t "),
    ".vot": (
        "votable",
        rb'<\?xml[^<]*(<(?!F)[^<]*)*<FIELD[^>]* name="%s"[^<]*(<(?!F)[^<]*)*<FIELD[^>]* name="%t"',
    ),
    ".parquet": ("parquet", rb"(?s)PAR1.*schema.{,12}?\W%s\W.{,24}?\W%t\W"),
}
"""Formats of tables by suffix, and how a file of our own looks, with the names of its first two columns."""

PathLike = str | os.PathLike
"""What names a file or a folder."""

Paths = PathLike | Iterable[PathLike]
"""One of these or several."""

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file beside `path`, which takes its name only when it is whole.

    The temporary name is that of the thread, as others may write the same file. Of a symbolic link the target
    is replaced, which keeps its mode.
    """
    target = Path(os.path.realpath(path))
    there = target.exists()
    check(target.is_file() or not there, f"{path} is a folder or a device; give the name of a file to write")
    partial = target.with_name(f".{target.stem}.{os.getpid()}-{threading.get_ident()}.part{target.suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write(partial)
        if there:
            shutil.copymode(target, partial)
        partial.replace(target)
    except OSError as error:
        if error.errno is None:
            raise
        advice = ": free some space, or write to another disk" if error.errno in _FULL else ""
        raise OSError(error.errno, f"{error.strerror}{advice}", str(path)) from error
    finally:
        with suppress(OSError):  # it has its name by now, or there is no folder
            partial.unlink()


def write_text(path: Path, text: str) -> None:
    """Write a text atomically, in UTF-8 whatever the locale; what it cannot hold is escaped."""
    write_atomically(path, lambda partial: partial.write_bytes(text.encode("utf-8", "backslashreplace")))


def write_json(path: Path, content: Mapping[str, Any], indent: int | None = 1) -> None:
    """Write a JSON object atomically; in one line, which is faster, without an indent."""
    write_text(path, json.dumps(content, indent=indent) + "\n")


def write_table(path: Path, tables: Table | Iterable[Table], kind: str | None = None) -> None:
    """Write a table, or the rows of several, atomically, as astropy's format `kind` or as the suffix says.

    Of several tables text and Parquet need one at a time, the other formats all at once.
    """
    kind = kind or table_format(path)[0]
    write = {"parquet": _write_parquet, "fits": _write_whole, "votable": _write_whole}.get(kind, _write_text)
    rows = _alike([tables] if isinstance(tables, Table) else tables)
    try:
        write_atomically(path, lambda partial: write(partial, rows, kind))
    except UnicodeEncodeError as error:
        msg = f"{path}: a table in FITS holds ASCII only, not {str(error.object)!r}; write CSV"
        raise ValueError(msg) from error


def _alike(tables: Iterable[Table]) -> Iterator[Table]:
    """Yield tables, and refuse one whose columns are not those of the first."""
    columns: list[str] = []
    for number, table in enumerate(tables):
        columns = columns or table.colnames
        fault = f"table {number} has the columns {table.colnames}, the first one {columns}; make it again"
        check(table.colnames == columns, fault)
        yield table


def _write_text(partial: Path, tables: Iterable[Table], kind: str) -> None:
    """Write tables as text, under the head of the first."""
    options = {"serialize_method": "data_mask"} if kind == "ascii.ecsv" else {}
    end = " " if kind == "ascii.ecsv" else ","
    with partial.open("w", encoding="utf-8", errors="backslashreplace", newline="") as stream:
        for number, table in enumerate(tables):
            text = io.StringIO()
            table.write(text, format=kind, **options)
            head, rows = re.fullmatch(r"(?s)((?:#[^\n]*\n)*[^\n]*\n)(.*)", text.getvalue()).groups()  # type: ignore[union-attr]
            # Unless they are quoted, readers take a row that begins with # for a comment, and drop the spaces
            # of Unicode at both ends of a row.
            rows = re.sub(rf"(?m)^(?:#|[^\S \n])[^{end}\n]*|[^{end}\n]*[^\S \n]$", r'"\g<0>"', rows)
            stream.write(rows if number else head + rows)


def _write_whole(partial: Path, tables: Iterable[Table], kind: str) -> None:
    """Write tables as one, in FITS or as a VOTable, with the comments of the first."""
    table = vstack(list(tables)).copy(copy_data=False)
    comments = [str(line) for line in table.meta.get("comments", [])]
    if kind == "votable":  # which has a place for one text
        table = _in_unicode(table)
        table.meta["description"] = "; ".join(comments)
    else:
        table.meta["comments"] = [line.encode("unicode_escape").decode() for line in comments]
    with warnings.catch_warnings(action="ignore", category=VerifyWarning):  # of long keywords in FITS
        table.write(partial, format=kind, overwrite=True)


def _in_unicode(table: Table) -> Table:
    """Return a table whose texts can be encoded: bytes of a file name that are no text are escaped."""
    return recoded(table, lambda text: text.encode("utf-8", "backslashreplace").decode())


def recoded(table: Table, recode: Callable[[str], str]) -> Table:
    """Return a table with each cell of its columns of text recoded."""
    result = type(table)(table, copy=False, copy_indices=False)  # an index would write to the table itself
    for name, column in table.columns.items():
        if isinstance(column, Column) and column.dtype.kind == "U":
            cells = np.array([recode(cell) for cell in np.ma.getdata(column).tolist()], dtype=str)
            masked = hasattr(column, "mask")
            result[name] = column.copy(data=np.ma.array(cells, mask=column.mask) if masked else cells)
    return result


def _write_parquet(partial: Path, tables: Iterable[Table], kind: str) -> None:
    """Write tables as groups of rows of a Parquet file, with units and comments where astropy has them."""
    import pyarrow
    from astropy.table.meta import get_yaml_from_table
    from pyarrow import parquet

    with ExitStack() as stack:
        writer = None
        for table in map(_in_unicode, tables):
            columns = [pyarrow.array(np.asarray(c), mask=np.ma.getmaskarray(c)) for c in table.itercols()]
            group = pyarrow.table(columns, names=table.colnames)
            if writer is None:
                about = "\n".join(get_yaml_from_table(table))
                schema = group.schema.with_metadata({"table_meta_yaml": about})
                writer = stack.enter_context(parquet.ParquetWriter(partial, schema))
            writer.write_table(group.cast(schema))


def write_arrays(path: Path, **arrays: Any) -> None:
    """Write arrays atomically to a compressed file in the npz format, whatever its suffix."""

    def write(partial: Path) -> None:
        with partial.open("wb") as stream:
            np.savez_compressed(stream, **arrays)

    write_atomically(path, write)


AGAIN = "remove its folder and run it again, or fetch the folder again"


@contextmanager
def readable(
    path: Path, advice: str = AGAIN, fault: str = "is damaged, or another kind of file"
) -> Iterator[None]:
    """Turn whatever goes wrong while a file is read into one message.

    Parameters
    ----------
    path : Path
        The file.
    advice : str
        What to do then.
    fault : str
        What is said of the file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, or is something else.
    """
    try:
        yield
    except FileNotFoundError as error:
        msg = f"{path} is missing: {advice}"
        raise FileNotFoundError(msg) from error
    except Exception as error:  # readers of damaged files raise what they like
        msg = f"{path} {fault} ({error!r}): {advice}"
        raise ValueError(msg) from error


def read_json(path: Path, keys: Iterable[str] = (), **said: str) -> dict[str, Any]:
    """Return the JSON object in a file, which has to have these keys; `said` as in `readable`."""
    with readable(path, **said):
        found = json.loads(path.read_text("utf-8"))
        check(isinstance(found, dict), f"a JSON object is needed, not {type(found).__name__}")
        lacking = [key for key in keys if key not in found]
        check(not lacking, f"it lacks {', '.join(lacking)}")
        return found


def read_arrays(
    path: Path, kinds: Mapping[str, str] | None = None, others: bool = True, /, **said: str
) -> dict[str, NDArray[Any]]:
    """Return the arrays in an npz file; `said` as in `readable`.

    Parameters
    ----------
    path : Path
        The file.
    kinds : dict of str to str, optional
        By name, the arrays that there have to be, of one length if they have any: NumPy's letter of the kind
        and the number of dimensions, such as "i1". Numbers of kind "f" have to be finite, of kind "F" not.
    others : bool
        Whether to read the other arrays, too.
    """
    kinds = kinds or {}
    with readable(path, **said), path.open("rb") as file:
        check(zipfile.is_zipfile(file), "not a complete npz file")
        stored = np.load(file, allow_pickle=False)
        found = {name: stored[name] for name in stored.files if others or name in kinds}
        for name, kind in kinds.items():
            check(name in found, f"it lacks {name}")
            have = f"{found[name].dtype.kind}{found[name].ndim}"
            check(have == kind.lower() or have == kind, f"{name} is {have}, not {kind}")
            check(kind[0] != "f" or bool(np.isfinite(found[name]).all()), f"{name} is not finite")
        lengths = {name: len(found[name]) for name in kinds if found[name].ndim}
        check(len(set(lengths.values())) < 2, f"lengths {lengths}")
        return found


def read_table(path: Path, rows: int | None = None, *, text: Iterable[str] = ()) -> Table:
    """Return the table in a CSV file of a run, which has to have so many rows.

    All cells hold finite numbers, but for the columns `text`.
    """
    with readable(path):
        content = path.read_text("utf-8")
        found = Table.read(content.splitlines(), format="ascii.csv")
        asked = len(found) if rows is None else rows
        check(content.endswith("\n") and len(found) == asked, f"cut: {len(found)} of {asked} rows")
        for name in found.colnames:
            column = np.ma.asarray(found[name])
            check(not np.ma.is_masked(column), f"empty cells in {name}")
            numbers = column.dtype.kind in "if" and bool(np.isfinite(column).all())
            check(numbers or name in text, f"{name} holds values that are not numbers")
        return found


def told(error: BaseException) -> str:
    """Return kind and words of an error in one line of at most 200 characters."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


def check(met: object, fault: str, kind: type[Exception] = ValueError) -> None:
    """Raise an error unless a condition is met: the fault says what was given and what to do."""
    if not met:
        raise kind(fault)


def table_format(path: Path, columns: tuple[bytes, bytes] = (b"name", b"ra")) -> tuple[str, bytes]:
    """Return the format of a table by the suffix of its file, and how one with these first columns looks."""
    suffix = path.suffix.lower()
    check(suffix in TABLES, f"{path} has no suffix of a table: use {', '.join(TABLES)}")
    fault = f"{path}: Parquet needs pyarrow: pip install 'radiosynth[export]', or use another suffix"
    check(suffix != ".parquet" or find_spec("pyarrow"), fault)
    kind, like = TABLES[suffix]
    return kind, like.replace(b"%s", columns[0]).replace(b"%t", columns[1])


def refuse_to_replace(path: Path, like: bytes, inputs: Iterable[Path] = ()) -> None:
    """Raise `ValueError` where an output would replace an input, a folder or a file of another kind.

    An existing file is of the same kind if its beginning matches the pattern `like`, or if it is empty.
    """
    if not path.exists():
        return
    check(path.is_file(), f"{path} is a folder or a device; give the name of a file to write")
    read = any(path.samefile(each) for each in inputs if each.exists())
    check(not read, f"{path} is one of the files to be read, and would be replaced; give another file")
    with path.open("rb") as stream:
        start = stream.read(2**24)  # of FITS the headers of a table, of VOTable a description
        if start.startswith(b"PAR1") and len(start) > 8:  # whose schema begins its last part
            stream.seek(-8, os.SEEK_END)
            length = int.from_bytes(stream.read(4), "little")
            stream.seek(max(0, path.stat().st_size - 8 - length))
            start = b"PAR1" + stream.read(1000)
    same = not start or re.match(like, start, re.IGNORECASE)
    check(same, f"{path} exists, and is not what would be written there; give another name, or remove it")


def decoded(data: bytes) -> str:
    """Return a text in UTF-8, UTF-16 or Latin-1 (as Windows extends it), with the line ends of Unix.

    Raises
    ------
    ValueError
        If the bytes are no text.
    """
    encodings = ["utf-16"] if data.startswith((b"\xff\xfe", b"\xfe\xff")) else ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        with suppress(UnicodeDecodeError):
            text = data.decode(encoding)
            if not re.search(r"[\x00-\x08\x0e-\x1f]", text):
                return text.replace("\r\n", "\n").replace("\r", "\n")
    msg = "it is no text, or in an encoding other than UTF-8, UTF-16 and Latin-1"
    raise ValueError(msg)


def refuse_beyond_memory(shape: Sequence[int], advice: str) -> None:
    """Refuse float32 arrays that this machine has no memory for, before anything is taken.

    Systems hand out more memory than there is, and end the process once it is used.

    Raises
    ------
    ValueError
        If an array of this shape takes more than the memory of the machine.
    """
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows hands out no more than there is
        return
    asked = 4 * math.prod(map(int, shape))
    sizes = f"{asked / 1e9:.1f} GB, and this machine has {memory / 1e9:.1f} GB"
    check(asked <= memory, f"an array of {'×'.join(map(str, shape))} takes {sizes}: {advice}")


def cache_folder() -> Path:
    """Return the folder of cached data: ``RADIOSYNTH_DATA`` if set, else one of the user's cache."""
    import pooch

    return Path(os.environ.get("RADIOSYNTH_DATA") or pooch.os_cache("radiosynth")).expanduser()
