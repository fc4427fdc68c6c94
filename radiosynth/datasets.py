"""Pinned public data: the FIRST images of Griese et al. (2023) and the report's decisions on its sources.

The images come from one archive, checked against one SHA-256 whichever way it came, and are converted
once into a small file of the cache folder. That folder is ``pooch.os_cache("radiosynth")`` unless the
environment variable ``RADIOSYNTH_DATA`` names another.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Mapping
from importlib.resources import files
from pathlib import Path

import numpy as np
from astropy.table import Table
from filelock import FileLock
from numpy.typing import NDArray

from radiosynth._io import cache_folder, check, log, read_arrays, told, write_arrays
from radiosynth.sample import DataUnavailableError, Sample
from radiosynth.surveys import FIRST
from radiosynth.taxonomy import CLASS_NAMES, class_code

DOI = "10.5281/zenodo.7689127"


ARCHIVE = "galaxy_data_h5.zip"


ARCHIVE_SHA256 = "1f9656a9fe2519857a5b7c7498f60087a6af73d8015b85559418ce30cc212c52"


PACKAGE, PACKAGE_VERSION = "firstgalaxydata", "0.2.1"


_FULL, _CENTRE = 300, 150


_CONVERTED = "first_galaxies.npz"


_KINDS = {"archive_sha256": "U0", "key": "U1", "label": "i1", "ra": "f1", "dec": "f1", "source": "U1"}
_KINDS |= {"split": "U1"}


# The archive numbers its classes FRI, FRII, compact, bent.
_CODES = np.array([class_code(name) for name in ("FRI", "FRII", "compact", "bent")])


def load_first_dataset(*, size: int = _FULL) -> Sample:
    """Return the 2158 labelled FIRST images of Griese et al. (2023).

    The images are 1.4 GHz cutouts at 1.8 arcsec a pixel, set to the threshold below three times the rms and
    scaled from there to the peak of the 300×300 pixels, to 0–255, rounded down. ``data_1910`` is blank. On
    first use the archive is taken from the cache folder, the installed package ``firstgalaxydata``, its DOI
    or, by pip if there is one, the package index, whichever first has it.

    Parameters
    ----------
    size : int
        Edge length in pixels of the central crop, from 1 to 300.

    Returns
    -------
    Sample
        Images of float32 holding the 8-bit values. The table has the columns ``name`` and ``griese_key``
        (group name in the archive), ``ra`` and ``dec`` (deg), ``catalogue`` (the label's source),
        ``griese_class``, ``griese_split`` (published main split: train, valid or test) and ``fold``
        (published five-fold scheme: 0 to 4, or -1 for its 400 test images). The two schemes overlap:
        use one or the other.

    Raises
    ------
    DataUnavailableError
        If there is no copy on this machine and none can be fetched, or the cache cannot be written.
    ValueError
        If `size` is out of range.

    References
    ----------
    Griese et al. 2023, Data in Brief 47, 108974; data doi:10.5281/zenodo.7689127. The folds are those of
    Rustige et al. 2023, arXiv:2212.08504.
    """
    images, columns = _first_images(size)
    fold_of = dict(_packaged_table("griese_folds.csv").iterrows("griese_key", "fold"))
    labels = _CODES[columns["label"]]
    stored = {"name": "key", "ra": "ra", "dec": "dec", "catalogue": "source", "griese_key": "key"}
    table = Table({name: columns[key] for name, key in stored.items()}, meta=_provenance(size))
    table["ra"].unit = table["dec"].unit = "deg"
    table["griese_class"] = np.array(CLASS_NAMES)[labels]
    table["griese_split"] = columns["split"]
    table["fold"] = [fold_of[key] for key in columns["key"]]
    return Sample(images, labels, table)


def load_report_candidates() -> Table:
    """Return the 1478 catalogue sources considered for the report, with the decision on each (table 2).

    Returns
    -------
    `~astropy.table.Table`
        One row per source: ``name`` (catalogue designation), ``catalogue``, ``ra`` and ``dec`` (deg, of the
        cutout centre), ``class`` (the report's), ``decision`` (keep or drop), ``reason`` of a drop, ``cut``
        (image or morphology: where table 2 counts it), ``griese_key`` of the nearest image of
        `load_first_dataset` with its distance ``griese_sep`` (arcsec, nan if there is none), ``griese_match``
        (close: within 20 arcsec; wide: to 60), ``griese_class`` and ``griese_split``, and ``sky_group``:
        sources within 60 arcsec of each other share a number from 0, isolated ones have -1. Text that
        does not apply is empty.

    Examples
    --------
    >>> candidates = load_report_candidates()
    >>> len(candidates), int((candidates["decision"] == "keep").sum())
    (1478, 1094)
    """
    return _packaged_table("report_candidates.csv", {"ra": "deg", "dec": "deg", "griese_sep": "arcsec"})


def load_report_sample(*, size: int = _CENTRE) -> Sample:
    """Return the report's sources that have a published image: FRI 209, FRII 384, bent 178, compact 242.

    These are the kept rows of `load_report_candidates` with an image of `load_first_dataset` within
    20 arcsec, 1013 of 1094, with the class the report gives them. Three pairs of rows share one
    image (equal ``griese_key`` and ``sky_group``) and one bent source, ``data_1910``, has a blank image.

    Parameters
    ----------
    size : int
        Edge length in pixels of the central crop, from 1 to 300. The report uses 150 (4.5 arcmin).

    Returns
    -------
    Sample
        Images as from `load_first_dataset`, with the columns of `load_report_candidates` except ``class``,
        ``cut`` and ``griese_match``. Keep sources of one ``sky_group`` from 0 on one side of any split.

    Raises
    ------
    DataUnavailableError
        If there is no copy on this machine and none can be fetched, or the cache cannot be written.
    ValueError
        If `size` is out of range.
    """
    table = load_report_candidates()
    table = table[(table["decision"] == "keep") & (table["griese_match"] == "close")]
    images, _ = _first_images(size, table["griese_key"])
    labels = [class_code(name) for name in table["class"]]
    table.remove_columns(["class", "cut", "griese_match"])
    table.meta.update(_provenance(size))
    return Sample(images, labels, table)


def load_bending_sample(*, size: int = _CENTRE) -> Sample:
    """Return the 195 sources of Garon et al. (2019) that have a published image, with their bending angles.

    These are the rows of Garon et al. with an image of `load_first_dataset` within 30 arcsec. Half of the
    sources are bent by less than 7 degrees, one in nine by 30 or more. No two lie within 60 arcsec.

    The angle is that at the position of the host galaxy in the infrared, which many a radio image does not
    show. So the images are moved, bilinearly, until that position is at their centre: half of them by less
    than a pixel, two by more than ten.

    Parameters
    ----------
    size : int
        Edge length in pixels of the central crop, from 1 to 300.

    Returns
    -------
    Sample
        Images as from `load_first_dataset`, with its classes. The table has ``name`` (Radio Galaxy Zoo),
        ``griese_key``, ``ra``, ``dec`` and, in degrees, 0 being straight, ``bending_angle`` (as measured),
        ``corrected_angle`` (for the dependence on size) and ``excess_angle`` (the catalogue's: the
        difference of squares from 7.3 degrees, so that it may be negative).

    Raises
    ------
    DataUnavailableError
        If there is no copy on this machine and none can be fetched, or the cache cannot be written.
    ValueError
        If `size` is out of range.

    References
    ----------
    Garon et al. 2019, AJ 157, 126.
    """
    from scipy import ndimage

    table = _packaged_table("bending_angles.csv")
    images, columns = _first_images(size if size > _CENTRE or size < 1 else _CENTRE, table["griese_key"])
    for name in table.colnames[2:]:
        table[name].unit = "deg"
    north = (columns["dec"] - table["dec"]) * 3600 / FIRST.pixel_scale
    east = (columns["ra"] - table["ra"]) * np.cos(np.radians(table["dec"])) * 3600 / FIRST.pixel_scale
    # Rows count northwards and columns westwards.
    moves = zip(images.astype(np.float32), north, east, strict=True)
    centred = np.stack([ndimage.shift(image, (up, -left), order=1) for image, up, left in moves])
    centred = _central(centred, size)  # after moving, so that no edge is moved in
    table.meta.update(_provenance(size))
    table.meta["history"].append("moved, bilinearly, to the position of the host")
    return Sample(centred, _CODES[columns["label"]], table)


def _provenance(size: int) -> dict[str, object]:
    steps = ["FIRST images of Griese et al. 2023: clipped at 3 rms, scaled to 0–255 over 300×300 pixels"]
    if size < _FULL:
        steps.append(f"central {size}×{size} pixels")
    return {"doi": DOI, "archive_sha256": ARCHIVE_SHA256, "history": steps}


def _packaged_table(name: str, units: Mapping[str, str] | None = None) -> Table:
    """Read a table of the package, in which empty text is no missing value."""
    text = files(__package__).joinpath("data", name).read_text("utf-8")
    return Table.read(text, format="ascii.csv", fill_values=[], units=units)


def _first_images(size: int, keys: Iterable[str] | None = None) -> tuple[NDArray, dict[str, NDArray]]:
    """Return the centres of the published images, all or those asked for, and their columns."""
    check(1 <= size <= _FULL, f"size is {size}; the images have {_FULL}×{_FULL} pixels: give 1 to {_FULL}")
    stored = _cached("centre" if size <= _CENTRE else "images")
    if keys is not None:
        row_of = {key: row for row, key in enumerate(stored["key"])}
        rows = [row_of[key] for key in keys]
        stored = {name: values[rows] for name, values in stored.items()}
    return _central(stored.pop("pixels"), size), stored


def _central(images: NDArray, size: int) -> NDArray:
    """Return the central pixels of images, of the type that they have."""
    start = (images.shape[1] - size) // 2
    return images[:, start : start + size, start : start + size]


def _cached(pixels: str) -> dict[str, NDArray]:
    """Return the converted archive, made first if the cache does not hold it in good order."""
    converted = cache_folder() / _CONVERTED
    damaged = converted.exists()
    if damaged:
        try:
            return _read(converted, pixels)
        except ValueError as error:
            log.warning("%s", error)
    try:
        converted.parent.mkdir(parents=True, exist_ok=True)
        # Of several processes one fetches and converts; the others wait here and find its file.
        with FileLock(converted.with_name(f".{_CONVERTED}.lock")):
            if damaged or not converted.exists():
                _convert(_find_archive(converted.parent), converted)
    except DataUnavailableError:
        raise
    except OSError as error:
        advice = "free 30 MB there, or set RADIOSYNTH_DATA to a folder that can be written"
        msg = f"cannot write the image cache in {converted.parent} ({error}): {advice}"
        raise DataUnavailableError(msg) from error
    return _read(converted, pixels)


def _read(path: Path, pixels: str) -> dict[str, NDArray]:
    """Read the converted archive; a ValueError says that the file is no good."""
    said = {"advice": "it is made again", "fault": "cannot be used"}
    stored = read_arrays(path, _KINDS | {pixels: "u3"}, False, **said)
    ours = str(stored.pop("archive_sha256")) == ARCHIVE_SHA256
    check(ours, f"{path} was made from another archive: it is made again")
    return {"pixels": stored.pop(pixels)} | stored


def _convert(archive: bytes, target: Path) -> None:
    """Write the archive as one small file, which appears under its name only when whole."""
    import h5py

    content = zipfile.Path(io.BytesIO(archive), ARCHIVE.replace("_h5.zip", "_h5.h5")).read_bytes()
    with h5py.File(io.BytesIO(content)) as stored:
        keys = sorted(stored, key=lambda key: int(key.removeprefix("data_")))
        sources = [stored[key] for key in keys]
        images = np.stack([each["Img"][()] for each in sources])
        columns = {"key": keys, "split": [each["Split_literature"].asstr()[()] for each in sources]}
        columns["label"] = [int(each["Label_literature"][()]) for each in sources]
        for name, kind in {"RA": float, "DEC": float, "Source": str}.items():
            columns[name.lower()] = [kind(each["Img"].attrs[name]) for each in sources]
    pixels = {"images": images, "centre": _central(images, _CENTRE)}
    write_arrays(target, archive_sha256=ARCHIVE_SHA256, **pixels, **columns)
    log.info("%d images written to %s", len(keys), target)


def _find_archive(folder: Path) -> bytes:
    """Return the archive by the first way that has it with the right checksum."""
    ways: dict[str, Callable[[], bytes]] = {
        f"the folder {folder}": lambda: _from_folder(folder),
        f"the installed package {PACKAGE}": _from_installed,
        f"https://doi.org/{DOI}": _from_doi,
        f"the package index ({PACKAGE} {PACKAGE_VERSION})": _from_index,
    }
    tried = ""
    for way, fetch in ways.items():
        try:
            content = fetch()
            digest = hashlib.sha256(content).hexdigest()
            check(digest == ARCHIVE_SHA256, f"the sha256 is {digest} instead of {ARCHIVE_SHA256}: damaged")
            log.info("%s read from %s", ARCHIVE, way)
            return content
        # Whatever goes wrong on one way must not keep the next from being tried.
        except Exception as error:
            tried += f"\n  {way}: {told(error)}"
    msg = f"""{ARCHIVE} (2.5 MB, the FIRST images of Griese et al. 2023) is not available:{tried}
Get {ARCHIVE} from https://doi.org/{DOI}, or the wheel that holds it with
  python -m pip download --no-deps {PACKAGE}=={PACKAGE_VERSION}
on a machine with a network, and set RADIOSYNTH_DATA to the folder that holds either."""
    raise DataUnavailableError(msg)


def _from_folder(folder: Path) -> bytes:
    if (folder / ARCHIVE).is_file():
        return (folder / ARCHIVE).read_bytes()
    for wheel in sorted(folder.glob(f"{PACKAGE}-*.whl")):
        return zipfile.Path(wheel, f"{PACKAGE}/{ARCHIVE}").read_bytes()
    msg = f"holds neither {ARCHIVE} nor a {PACKAGE} wheel"
    raise FileNotFoundError(msg)


def _from_installed() -> bytes:
    # The package is found, never imported: that would need torch.
    distribution = importlib.metadata.distribution(PACKAGE)
    return Path(str(distribution.locate_file(f"{PACKAGE}/{ARCHIVE}"))).read_bytes()


def _from_doi() -> bytes:
    import pooch

    content = io.BytesIO()
    log.info("fetching %s from https://doi.org/%s", ARCHIVE, DOI)
    # Seconds to connect and to wait for an answer: short, as there is another way to try.
    downloader = pooch.DOIDownloader(progressbar=sys.stderr.isatty(), timeout=(4, 20))
    downloader(f"doi:{DOI}/{ARCHIVE}", content, None)
    return content.getvalue()


def _from_index() -> bytes:
    log.info("fetching %s %s (14 MB) from the package index", PACKAGE, PACKAGE_VERSION)
    with tempfile.TemporaryDirectory() as folder:
        # By pip, where it is installed: it knows the index that this machine uses.
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        command += ["--retries", "1", "--timeout", "10", "--no-input", "--disable-pip-version-check"]
        command += ["--dest", folder, f"{PACKAGE}=={PACKAGE_VERSION}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        fault = f"pip download failed: {done.stderr.strip().splitlines()[-1:] or done.returncode}"
        check(not done.returncode, fault, OSError)
        return _from_folder(Path(folder))
