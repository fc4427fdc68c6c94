"""`Sample`: images, labels and one table row per image, the type every stage takes and returns."""

from __future__ import annotations

import base64
import html
import io
import json
import numbers
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import Column, Table, vstack
from numpy.typing import ArrayLike, NDArray

from radiosynth._io import PathLike, check, read_arrays, readable, recoded, refuse_to_replace, write_arrays
from radiosynth.taxonomy import CLASS_NAMES, CLASSES, UNLABELLED, class_code

SAMPLE = rb"(?s)PK\x03\x04.{26}images\.npy"
"""How a file of `Sample.save` begins."""


class UnusableError(ValueError):
    """Images of which none can be used, with pairs (name, reason) of unread files and of images left out."""

    def __init__(self, fault: str, skipped: Any = (), left_out: Any = ()) -> None:
        super().__init__(fault)
        self.skipped, self.left_out = list(skipped), list(left_out)


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
        pixels = _pixels(images)
        codes = np.where(np.ma.getmaskarray(np.ma.asarray(labels)), np.int64(UNLABELLED), np.asarray(labels))
        fault = f"images have the shape {pixels.shape}; a Sample takes (n, size, size), square and without"
        advice = "channels: crop them with radiosynth.center_crop, or drop the channel axis"
        check(pixels.ndim == 3 and pixels.shape[1] == pixels.shape[2], f"{fault} {advice}")
        n = len(pixels)
        check(codes.shape == (n,), f"labels have the shape {codes.shape}; {n} images need ({n},)")
        known = np.isin(codes, [UNLABELLED, *range(len(CLASSES))])
        allowed = ", ".join(f"{m.code} {m.name}" for m in CLASSES)
        unknown = codes[~known].tolist()[:1]
        check(not unknown, f"unknown label {unknown}: labels are {allowed}, or {UNLABELLED} if not known")
        names = [f"image_{i}" for i in range(n)]
        rows = Table({"name": names}) if table is None else table
        check(len(rows) == n, f"the table has {len(rows)} rows; {n} images need one row each")
        if "name" not in rows.colnames:
            rows = rows.copy()
            rows.add_column(names, name="name", index=0)
        vars(self).update(images=pixels, labels=codes.astype(np.int64), table=rows)  # as it is frozen

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        counts = ", ".join(f"{name} {n}" for name, n in self.counts().items())
        return f"Sample({len(self)} images of {self.size}×{self.size}: {counts})"

    def _repr_html_(self) -> str:
        """Return the first images with names and classes, as notebooks show a sample; north is up."""
        cells = ""
        for image, code, name in zip(self.images[:SHOWN], self.labels, self.table["name"], strict=False):
            data = base64.b64encode(_thumbnail(image)).decode()
            label = "" if code == UNLABELLED else CLASSES[code].label
            cells += _CELL.format(data=data, name=html.escape(str(name)), label=label)
        return f"<div>{html.escape(repr(self))}</div><div style='{_GRID}'>{cells}</div>"

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

    def save(self, path: PathLike) -> None:
        """Write the sample to one compressed ``.npz`` file that holds no pickled objects.

        The file appears under its name only when it is whole.

        Parameters
        ----------
        path : path-like
            File to write. An earlier sample is replaced, any other file is not.

        Raises
        ------
        ValueError
            If there is another kind of file.
        """
        refuse_to_replace(Path(path), SAMPLE)
        table = np.array(_to_text(self.table))
        write_arrays(Path(path), images=self.images, labels=self.labels, table=table)

    @classmethod
    def load(cls, path: PathLike) -> Sample:
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
        path, kinds = Path(path), {"images": "F3", "labels": "i1", "table": "U0"}
        said = {"advice": "write it again", "fault": "is not a sample written by Sample.save"}
        stored = read_arrays(path, kinds, **said)
        with readable(path, **said):
            return cls(stored["images"], stored["labels"], _from_text(str(stored["table"])))


def _pixels(images: ArrayLike) -> NDArray[np.float32]:
    """Return images in float32, NaN where they are masked."""
    given = np.ma.asarray(images) if isinstance(images, np.ma.MaskedArray) else np.asarray(images)
    check(given.dtype.kind in "biuf", f"images are of the type {given.dtype}; give real numbers")
    try:
        with np.errstate(over="raise"):
            pixels = given.astype(np.float32, copy=False)
    except FloatingPointError:
        msg = "images hold numbers above 3.4e38, the limit of float32; give them in another unit"
        raise ValueError(msg) from None
    return np.ma.filled(pixels, np.nan)


SHOWN, THUMBNAIL = 24, 96
"""How many images of a sample a notebook shows, and their largest width in pixels."""

_GRID = "display:flex;flex-wrap:wrap;gap:6px;max-height:420px;overflow:auto"
_CELL = (
    "<div style='width:96px;font-size:11px;line-height:1.25;overflow-wrap:anywhere'>"
    "<img width='96' height='96' alt='' src='data:image/png;base64,{data}'><br>{name}<br><b>{label}</b></div>"
)


def _thumbnail(image: NDArray[np.float32]) -> bytes:
    """Return an image as a small PNG: square root from the median to the brightest pixel, bright on dark."""
    from PIL import Image

    sky = np.nanmedian(image) if np.isfinite(image).any() else 0.0
    flux = np.nan_to_num(image - sky, nan=0.0, posinf=0.0, neginf=0.0).clip(0)
    grey = (255 * np.sqrt(flux / max(flux.max(initial=0), np.finfo(np.float32).tiny))).astype(np.uint8)
    picture = Image.fromarray(grey[::-1])
    picture.thumbnail((THUMBNAIL, THUMBNAIL))
    stream = io.BytesIO()
    picture.save(stream, "png")
    return stream.getvalue()


def _to_text(table: Table) -> str:
    """Return a table as ECSV, its texts as JSON: ECSV drops line breaks, and blanks at the ends of texts."""
    table = type(table)(table, copy=False, copy_indices=False)  # an index would write to the table itself
    for name, column in table.columns.items():
        fault = f"the column {name!r} is blank or has a line break: rename it"
        check(name.strip() and "\n" not in name, fault)
        column.info.format = None  # it would round the numbers that are written
    plain = table[[name for name, column in table.columns.items() if isinstance(column, Column)]]
    plain.convert_bytestring_to_unicode()
    for column in recoded(plain, json.dumps).itercols():
        table[column.name] = column
    table.meta = {"json": json.dumps(table.meta, default=_plain)}
    text = io.StringIO()
    table.write(text, format="ascii.ecsv", serialize_method="data_mask")
    return text.getvalue()


def _plain(value: Any) -> Any:
    """Return an array or a number of NumPy as Python's own; JSON knows nothing else."""
    fault = f"the meta holds {value!r}: give texts, numbers, lists and dictionaries, or remove it"
    check(type(value).__module__ == "numpy", fault)
    return value.tolist()


def _from_text(text: str) -> Table:
    """Return the table of `_to_text`."""
    # As lines: astropy takes a text of one line for a file or an address, and opens it.
    table = recoded(Table.read(text.split("\n"), format="ascii.ecsv", fill_values=None), json.loads)
    table.meta = json.loads(table.meta["json"])
    return table


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
    check(len(samples) > 0, "no samples to concatenate; give at least one")
    sizes = sorted({sample.size for sample in samples})
    check(len(sizes) == 1, f"samples have image sizes {sizes}; resize them with radiosynth.preprocess first")
    table = vstack([sample.table for sample in samples], metadata_conflicts="silent")
    table.meta = dict(samples[0].table.meta)
    images = np.concatenate([sample.images for sample in samples])
    labels = np.concatenate([sample.labels for sample in samples])
    return Sample(images, labels, table)


FRAME = "frame_ra", "frame_dec", "frame_angle"
"""Columns of where the middle of an image lies, and the position angle of its upward axis (deg)."""


def floats(table: Table, name: str, unit: str = "") -> NDArray[np.float64]:
    """Return a column as numbers in a unit, NaN where it is masked, or everywhere if there is none."""
    if name not in table.colnames:
        return np.full(len(table), np.nan)
    factor = 1.0
    if unit and str(table[name].unit or ""):
        given = u.Unit(table[name].unit)
        given = given * u.pix if given.is_equivalent(f"{unit} / pix") else given
        check(given.is_equivalent(unit), f"the column {name} is in {given}: give it in {unit}")
        factor = given.to(unit)
    return np.ma.filled(np.ma.asarray(table[name]).astype(float), np.nan) * factor


def check_labelled(labels: NDArray[np.int64], of: str = "") -> None:
    """Raise `ValueError` unless there are images of a set, and all of them have a class."""
    unknown = int((labels == UNLABELLED).sum())
    fault = f"{unknown} of {len(labels)} {of}images have no class (label {UNLABELLED})"
    advice = f"give at least one image with a class: sample[sample.labels != {UNLABELLED}]"
    check(len(labels) and not unknown, f"{fault}; {advice}")


def check_choice(given: object, of: str, known: Collection[str]) -> None:
    """Raise `ValueError` unless what is given, the name of something, is one of those that are known."""
    check(given in known, f"unknown {of} {given!r}: choose from {', '.join(known)}")


def check_rng(rng: object) -> None:
    """Raise `TypeError` unless `rng` is a generator of random numbers."""
    fault = f"rng is {rng!r}; give a generator of random numbers, such as numpy.random.default_rng(1)"
    check(isinstance(rng, np.random.Generator), fault, TypeError)


def check_positive(settings: object, *names: str) -> None:
    """Raise ValueError unless these settings are numbers above 0."""
    wrong = [f"{name}={getattr(settings, name)!r}" for name in names if not getattr(settings, name) > 0]
    check(not wrong, f"{', '.join(wrong)} is not possible: give a number above 0")


def check_count(number: object, of: str, least: int = 0) -> None:
    """Raise `ValueError` unless `number` is a whole number, neither too small nor absurd."""
    whole = isinstance(number, numbers.Integral) and not isinstance(number, bool)
    fine = whole and least <= int(number) < 2**32  # type: ignore[call-overload]
    check(fine, f"{of} is {number!r}; give a whole number from {least} to {2**32 - 1}")


def numbers_by_code(per_class: Mapping[str, int]) -> dict[int, int]:
    """Return numbers of images by class code, checked: whole numbers, and one for each class."""
    for name, number in per_class.items():
        check_count(number, f"the number of {name} images")
    codes = [class_code(name) for name in per_class]
    fault = f"{', '.join(per_class)}: a class has two numbers; give one for each"
    check(len(set(codes)) == len(codes), fault)
    return dict(sorted(zip(codes, per_class.values(), strict=True)))
