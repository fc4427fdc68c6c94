"""`Sample`: images, labels and one table row per image, the type every stage takes and returns."""

from __future__ import annotations

import io
import math
import os
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from astropy.table import Table, vstack
from numpy.typing import ArrayLike, NDArray

from .taxonomy import CLASS_NAMES, CLASSES, UNLABELLED, class_code

__all__ = ["DataUnavailableError", "Sample", "cache_folder", "concatenate", "write_atomically"]

DAMAGED = (OSError, EOFError, KeyError, TypeError, AttributeError, ValueError, BadZipFile, zlib.error)
"""What reading an npz file raises where it is cut, another kind of file, or has arrays of other names."""


class DataUnavailableError(OSError):
    """Published data is neither on this machine nor to be had from where it is published."""


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Sample:
    """Square images of radio sources with a label and a table row for each.

    Row 0 of an image is its southern edge, as in FITS.

    Parameters
    ----------
    images : array_like of float32, shape (n, size, size)
        Images. Converted to float32.
    labels : array_like of int, shape (n,)
        Class codes of `radiosynth.taxonomy.CLASSES`, or -1 where the class is not known.
    table : `~astropy.table.Table`, n rows, optional
        One row per image. ``table["name"]`` names each image; it is made if absent. Processing
        steps are recorded, oldest first, in the list ``table.meta["history"]``.

    Raises
    ------
    ValueError
        If the images are not square, the lengths differ or a label is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> sample = Sample(np.zeros((3, 8, 8)), [0, 1, 1])
    >>> sample
    Sample(3 images of 8×8: FRI 1, FRII 2, bent 0, compact 0)
    >>> sample[sample.labels == 1].table["name"].tolist()
    ['image_1', 'image_2']
    """

    images: NDArray[np.float32]
    labels: NDArray[np.int64]
    table: Table

    def __init__(self, images: ArrayLike, labels: ArrayLike, table: Table | None = None) -> None:
        pixels = np.asarray(images, dtype=np.float32)
        codes = np.asarray(labels)
        if pixels.ndim != 3 or pixels.shape[1] != pixels.shape[2]:
            msg = (
                f"images have the shape {pixels.shape}; a Sample takes (n, size, size), square and without "
                "channels: crop them with radiosynth.center_crop, or drop the channel axis"
            )
            raise ValueError(msg)
        if codes.shape != (len(pixels),):
            msg = f"labels have the shape {codes.shape}; {len(pixels)} images need ({len(pixels)},)"
            raise ValueError(msg)
        known = np.isin(codes, [UNLABELLED, *range(len(CLASSES))])
        if not known.all():
            allowed = ", ".join(f"{m.code} {m.name}" for m in CLASSES)
            msg = f"unknown label {codes[~known][0]!r}: labels are {allowed}, or {UNLABELLED} if not known"
            raise ValueError(msg)
        rows = Table({"name": [f"image_{i}" for i in range(len(pixels))]}) if table is None else table
        if len(rows) != len(pixels):
            msg = f"the table has {len(rows)} rows; {len(pixels)} images need one row each"
            raise ValueError(msg)
        if "name" not in rows.colnames:
            rows = rows.copy()
            rows.add_column([f"image_{i}" for i in range(len(rows))], name="name", index=0)
        object.__setattr__(self, "images", pixels)
        object.__setattr__(self, "labels", codes.astype(np.int64))
        object.__setattr__(self, "table", rows)

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        counts = ", ".join(f"{name} {n}" for name, n in self.counts().items())
        return f"Sample({len(self)} images of {self.size}×{self.size}: {counts})"

    def __getitem__(self, index: Any) -> Sample:
        """Return the images chosen by a slice, a mask or an array of positions."""
        if not isinstance(index, slice):
            index = np.atleast_1d(index)
            index = index if index.size else index.astype(int)  # an empty list is one of no type
        return Sample(self.images[index], self.labels[index], self.table[index])

    @property
    def size(self) -> int:
        """Edge length of the images in pixels."""
        return self.images.shape[1]

    @property
    def history(self) -> list[str]:
        """Processing steps so far, oldest first."""
        return list(self.table.meta.get("history", []))

    def counts(self) -> dict[str, int]:
        """Return the number of images of each class, by name."""
        return {name: int((self.labels == code).sum()) for code, name in enumerate(CLASS_NAMES)}

    def of_class(self, name: str) -> Sample:
        """Return the images of one class, given by name."""
        return self[self.labels == class_code(name)]

    def derived(self, images: ArrayLike, step: str) -> Sample:
        """Return a sample with new images of the same sources and `step` added to the history."""
        table = self.table.copy()
        table.meta["history"] = [*self.history, step]
        return Sample(images, self.labels, table)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the sample to one compressed ``.npz`` file that holds no pickled objects.

        The file appears under its name only when it is whole.

        Parameters
        ----------
        path : path-like
            File to write.
        """
        text = io.StringIO()
        self.table.write(text, format="ascii.ecsv", serialize_method="data_mask")
        table = np.array(text.getvalue())

        def write(partial: Path) -> None:
            with partial.open("wb") as stream:
                np.savez_compressed(stream, images=self.images, labels=self.labels, table=table)

        write_atomically(Path(path), write)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Sample:
        """Read a sample written by `Sample.save`.

        Parameters
        ----------
        path : path-like
            File to read.

        Returns
        -------
        Sample
            The sample as it was saved.

        Raises
        ------
        ValueError
            If the file is not such a sample.
        """
        try:
            with Path(path).open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
                table = Table.read(str(stored["table"]), format="ascii.ecsv", fill_values=None)
                return cls(stored["images"], stored["labels"], table)
        except FileNotFoundError:
            raise
        except DAMAGED as error:
            msg = f"{path} is not a sample written by Sample.save ({error}); write it anew"
            raise ValueError(msg) from error


def concatenate(samples: Sequence[Sample]) -> Sample:
    """Join samples of one image size; columns that a table lacks are masked there.

    Parameters
    ----------
    samples : sequence of Sample
        At least one sample; all of the same image size.

    Returns
    -------
    Sample
        The images in the order given, with the history of the first sample.

    Raises
    ------
    ValueError
        If there is none, or the sizes differ.
    """
    if not samples:
        msg = "no samples to concatenate; give at least one"
        raise ValueError(msg)
    sizes = sorted({sample.size for sample in samples})
    if len(sizes) > 1:
        msg = f"samples have image sizes {sizes}; resize them to one size with radiosynth.preprocess first"
        raise ValueError(msg)
    table = vstack([sample.table for sample in samples], metadata_conflicts="silent")
    table.meta = dict(samples[0].table.meta)
    return Sample(
        np.concatenate([sample.images for sample in samples]),
        np.concatenate([sample.labels for sample in samples]),
        table,
    )


_tidied: set[Path] = set()


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file beside `path`, which takes its name only when it is whole.

    The temporary name is that of the thread, as others may write the same file. What killed processes left
    in the folder an hour ago and longer is removed, when a process first writes there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.parent not in _tidied:
        _tidied.add(path.parent)
        for left in path.parent.glob(".*.part*"):
            with suppress(OSError):  # another process removed it, or still has it open
                if time.time() - left.stat().st_mtime > 3600:
                    left.unlink()
    partial = path.with_name(f".{path.stem}.{os.getpid()}-{threading.get_ident()}.part{path.suffix}")
    try:
        write(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


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
    if asked > memory:
        text = "×".join(map(str, shape))
        sizes = f"{asked / 1e9:.1f} GB, and this machine has {memory / 1e9:.1f} GB"
        msg = f"an array of {text} takes {sizes}: {advice}"
        raise ValueError(msg)


def cache_folder() -> Path:
    """Return the folder of cached data: ``RADIOSYNTH_DATA`` if set, else one of the user's cache."""
    import pooch

    return Path(os.environ.get("RADIOSYNTH_DATA") or pooch.os_cache("radiosynth")).expanduser()
