"""Choose sources: automatic cuts, the page on which a person decides, and what is made of the decisions."""

from __future__ import annotations

import base64
import csv
import hashlib
import html
import io
import json
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table, join
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage, stats

from ._io import decoded, refuse_to_replace, write_text
from .cutouts import read_cutouts
from .preprocessing import measure_noise, missing_pixels
from .sample import Sample
from .taxonomy import CLASS_NAMES, CLASSES, class_code

__all__ = [
    "CUTS",
    "Agreement",
    "Cuts",
    "agreement",
    "apply_decisions",
    "automatic_cuts",
    "largest_extent",
    "measure_cutouts",
    "read_decisions",
    "read_folder",
    "review_page",
]


@dataclass(frozen=True)
class Cuts:
    """Thresholds of the automatic cuts, and what is needed to measure for them.

    Parameters
    ----------
    pixel_scale : float
        Arcseconds per pixel.
    beam : float
        Full width at half maximum of the beam in arcseconds (FIRST: 5.4, in the south 6.4 by 5.4); what is
        smaller than half its area is no source.
    n_sigma : float
        Pixels this many times the noise above the sky are bright.
    join : float
        Bright islands less than this many arcseconds apart are taken for parts of one source.
    duplicate : float
        Distance in arcseconds within which an earlier source of the sample is the same one.
    large : float
        Largest extent of the source as a share of the width of the image. A source that reaches the rim is
        larger than the image in any case.
    off_centre : float
        Distance in arcseconds of the source's centre of brightness from the middle of the image.
    several : float
        Distance in arcseconds of the centre of all brightness from the middle, if there is more than one
        island: the lobes of one source balance about it, a neighbour does not.
    component : float
        Least flux of an island that counts, as a share of the brightest island's.
    specks : float
        Number of bright islands smaller than half a beam.
    depth : float
        Depth of the darkest pixel below the sky as a share of the peak, where it is also deeper than
        twice ``n_sigma`` times the noise.
    faint : float
        Least peak in units of the noise.
    outside : float
        Share of the pixels without data, see `radiosynth.preprocessing.missing_pixels`.

    Raises
    ------
    ValueError
        If the pixel scale or the beam is not positive.
    """

    pixel_scale: float = 1.8
    beam: float = 5.4
    n_sigma: float = 5
    join: float = 75
    duplicate: float = 20
    large: float = 2 / 3
    off_centre: float = 45
    several: float = 20
    component: float = 0.1
    specks: float = 15
    depth: float = 0.05
    faint: float = 10
    outside: float = 0.005

    def __post_init__(self) -> None:
        if not (self.pixel_scale > 0 and self.beam > 0):
            msg = f"pixel_scale {self.pixel_scale} and beam {self.beam}: give positive arcseconds"
            raise ValueError(msg)


CUTS: dict[str, tuple[str, Callable[[Table, Cuts], ArrayLike]]] = {
    "duplicate": ("same source twice", lambda m, cuts: m["duplicate_of"] != ""),
    "large": ("larger than cutout", lambda m, cuts: (m["extent"] > cuts.large) | m["at_rim"]),
    "off_centre": ("off centre", lambda m, cuts: m["offset"] > cuts.off_centre),
    "several": ("several sources", lambda m, cuts: (m["islands"] > 1) & (m["imbalance"] > cuts.several)),
    "artefact": ("artefact", lambda m, cuts: (m["specks"] > cuts.specks) | (m["depth"] > cuts.depth)),
    "faint": ("too faint", lambda m, cuts: ~(m["peak_snr"] >= cuts.faint)),
    "outside": ("partly outside the survey", lambda m, cuts: m["missing"] > cuts.outside),
}
"""The cuts: what each is called, and the function of the measurements that tells which images it meets."""

REASONS = {name: text for name, (text, _) in CUTS.items()} | {
    "uncertain": "class uncertain",
    "other": "another kind of source",
}
"""Reasons of a drop that the review page offers."""

_BLANK: dict[str, float] = dict.fromkeys(("level", "noise", "peak_snr", "extent", "offset"), np.nan)
_BLANK |= {"at_rim": False, "islands": 0, "imbalance": np.nan, "specks": 0, "depth": np.nan, "missing": 1.0}

DECISIONS = ("keep", "drop", "relabel")
COLUMNS = ("name", "decision", "reason", "class", "reader", "time")
_BEND, _STEPS, _ZERO = 12, 24, 40  # of the 8-bit scale of the page: linear to 12 sigma, logarithmic beyond


def measure_cutouts(sample: Sample, cuts: Cuts | None = None) -> Table:
    """Measure what the automatic cuts are about.

    Parameters
    ----------
    sample : Sample
        Images with north up, in any unit. Where the sky was set to a threshold of three sigma, as in the
        published images, the noise is estimated from the noise peaks that are left: within a factor of two
        for peaks below 100 sigma; brighter ones have too low a ``peak_snr``, up to about 300, since grey
        levels are coarser than the noise. Positions are read from the columns ``ra`` and ``dec`` (deg).
    cuts : Cuts, optional
        Pixel scale, beam and what counts as bright. The default is for FIRST, but for the pixel scale if
        the table has a column ``pixel_scale`` (arcsec).

    Returns
    -------
    ~astropy.table.Table
        One row per image: ``name``; ``duplicate_of`` (name of an earlier source at the same place or with
        the same pixels, or empty); ``level`` and ``noise`` of the sky in the unit of the image; ``peak_snr``;
        ``extent`` (share of the image width) and ``at_rim`` of the source, that is the brightest island
        with all that lies within ``cuts.join`` of it; its ``offset`` from the middle (arcsec); ``islands``,
        the number of bright ones; ``imbalance``, the offset of all brightness (arcsec); ``specks``;
        ``depth``; ``missing`` (share of the pixels). NaN for what a blank image has not.
    """
    cuts = cuts or _default_cuts(sample)
    table = Table({"name": sample.table["name"], "duplicate_of": _duplicates(sample, cuts.duplicate)})
    rows = [_measure(image, cuts) for image in sample.images]
    for name, usual in _BLANK.items():
        table[name] = np.array([row[name] for row in rows], type(usual))
    table["offset"].unit = table["imbalance"].unit = "arcsec"
    return table


def automatic_cuts(sample: Sample, cuts: Cuts | None = None) -> Table:
    """Flag the images that a person should look at twice.

    Parameters
    ----------
    sample : Sample
        As for `measure_cutouts`.
    cuts : Cuts, optional
        Thresholds; the default as for `measure_cutouts`.

    Returns
    -------
    ~astropy.table.Table
        The columns of `measure_cutouts` and a boolean one for each of `CUTS`: ``duplicate``, ``large``,
        ``off_centre``, ``several``, ``artefact``, ``faint`` and ``outside``.

    Examples
    --------
    >>> y, x = np.mgrid[:50, :50] - 24.5
    >>> noise = np.random.default_rng(0).normal(0, 1, (2, 50, 50))
    >>> blob = 300 * np.exp(-(x**2 + y**2) / 8)
    >>> sample = Sample(noise + [blob, np.roll(blob, 17, axis=1)], [3, 3])
    >>> flags = automatic_cuts(sample, Cuts(off_centre=30))
    >>> flags["off_centre"].tolist(), flags["several"].tolist()
    ([False, True], [False, False])
    """
    cuts = cuts or _default_cuts(sample)
    table = measure_cutouts(sample, cuts)
    for name, (_, met) in CUTS.items():
        table[name] = np.asarray(met(table, cuts), bool)
    return table


def _default_cuts(sample: Sample) -> Cuts:
    """Return the thresholds with the pixel scale that the files told, or else that of FIRST."""
    known = sample.table["pixel_scale"] if "pixel_scale" in sample.table.colnames else np.array([])
    known = np.ma.filled(np.ma.asarray(known, float), np.nan)
    return Cuts(pixel_scale=float(np.nanmedian(known))) if np.isfinite(known).any() else Cuts()


def _duplicates(sample: Sample, radius: float) -> list[str]:
    """Return for each source the name of the first earlier one that it repeats, or an empty text."""
    names = [str(name) for name in sample.table["name"]]
    first: dict[bytes, int] = {}
    earlier = [first.setdefault(image.tobytes(), i) for i, image in enumerate(sample.images)]
    if {"ra", "dec"} <= set(sample.table.colnames):
        sky = SkyCoord(
            *(np.ma.filled(np.ma.asarray(sample.table[c], float), np.nan) for c in ("ra", "dec")), unit="deg"
        )
        known = np.flatnonzero(np.isfinite(sky.ra.deg) & np.isfinite(sky.dec.deg))
        if len(known) > 1:
            one, other, _, _ = sky[known].search_around_sky(sky[known], radius * u.arcsec)
            for i, j in zip(known[one], known[other], strict=True):
                earlier[i] = min(earlier[i], int(j))
    return [names[j] if j < i else "" for i, j in enumerate(earlier)]


def _measure(image: NDArray, cuts: Cuts) -> dict[str, float]:
    """Return the numbers of `measure_cutouts` for one image; NaN for what a blank one has not."""
    missing = missing_pixels(image[None])[0]
    row = _BLANK | {"missing": missing.mean()}
    if missing.all():
        return row
    ((level,), (noise,)) = measure_noise(image[None], missing[None])
    flux = np.where(missing, 0, image - level).astype(float)
    around = np.ones((3, 3))
    half_a_beam = 0.5 * np.pi / (4 * np.log(2)) * (cuts.beam / cuts.pixel_scale) ** 2
    if noise == 0 and (flux > 0).any():
        noise = _noise_left(flux, half_a_beam)
        flux[flux > 0] += 3 * noise
    peak, depth = flux.max(), -flux.min()
    row |= {"level": level, "noise": noise or np.nan, "peak_snr": peak / (noise or np.nan)}
    row["depth"] = depth / peak if depth > 2 * cuts.n_sigma * noise else 0
    bright = flux > cuts.n_sigma * noise
    if not bright.any():
        return row
    islands, n = ndimage.label(bright, around)
    numbers = np.arange(1, n + 1)
    areas, fluxes = (ndimage.sum_labels(values, islands, numbers) for values in (bright, flux))
    real = areas >= half_a_beam
    counts = real & (fluxes > cuts.component * fluxes.max())
    row |= {"specks": (~real).sum(), "islands": counts.sum()}
    if not counts.any():
        return row
    bright = np.isin(islands, numbers[counts])
    distance = ndimage.distance_transform_edt(~bright) * cuts.pixel_scale
    groups, n_groups = ndimage.label(distance <= cuts.join / 2, around)
    joint = ndimage.sum_labels(flux * bright, groups, np.arange(1, n_groups + 1))
    source = bright & (groups == joint.argmax() + 1)
    where = np.argwhere(source)
    middle = (np.array(image.shape) - 1) / 2
    for name, mask in (("offset", source), ("imbalance", bright)):
        centre = np.array(ndimage.center_of_mass(flux * mask))
        row[name] = float(np.hypot(*(centre - middle))) * cuts.pixel_scale
    row["extent"] = largest_extent(where) / len(image)
    row["at_rim"] = where.min() == 0 or where.max() == len(image) - 1
    return row


def _noise_left(flux: NDArray, area: float) -> float:
    """Return the noise of a thresholded image, by the islands smaller than an area that it left.

    Gaussian noise above three sigma is 0.283 sigma above it on average; and as many pixels are left as it
    has above three sigma and one grey level, which is better where grey levels are coarse.
    """
    islands, n = ndimage.label(flux > 0, np.ones((3, 3)))
    small = np.bincount(islands.ravel(), minlength=n + 1) < area
    left = flux[small[islands] & (islands > 0)]
    level = flux[flux > 0].min()
    height = stats.norm.isf(max(left.size, 1) / flux.size) - 3
    by_number = level / height if height > 0 else np.inf
    return float(min(by_number, left.mean() / 0.283)) if left.size else float(by_number)


def largest_extent(where: ArrayLike) -> float:
    """Return the largest extent in pixels of those given by row and column, shape (n, 2)."""
    angles = np.radians(np.arange(0, 180, 5))
    # A pixel is one pixel wide: its centre alone would have no extent.
    return float(np.ptp(np.asarray(where) @ [np.cos(angles), np.sin(angles)], axis=0).max() + 1)


# The page ---------------------------------------------------------------------------------------------


def read_folder(folder: str | os.PathLike[str], *, size: int | None = None) -> Sample:
    """Read a folder of cutouts, with its ``manifest.ecsv`` if there is one.

    Parameters
    ----------
    folder : path-like
        Holds the cutouts, and perhaps a manifest with the columns ``name`` and ``file``, and any of ``ra``,
        ``dec``, ``class``, ``catalogue``, ``catalogue_class``, ``status`` and ``message``. Files of the
        status "ok" and "nan edge" are read. Or one file of `Sample.save`.
    size : int, optional
        Edge length in pixels of the central square to keep; a saved sample stays as it is.

    Returns
    -------
    Sample
        The images, with NaN where they have no data, and the manifest's columns and labels. Where two sources
        have one name, the names of their files are added. What could not be used is listed in
        ``table.meta["skipped"]`` as pairs (name, reason).

    Raises
    ------
    ValueError
        If there is no usable image, or the manifest lacks a column or knows another class.
    """
    root = Path(folder)
    if not root.exists():
        msg = f"{root} is no folder; give the one that holds the cutouts"
        raise ValueError(msg)
    if root.is_file():
        sample = Sample.load(root)
    else:
        sample = read_cutouts(root, size=size, on_error="skip", nan="keep")
    # Decisions go by name. Sources of one name are told apart by their files, else by their order.
    for told in (sample.table["path"] if "path" in sample.table.colnames else [], range(len(sample))):
        names = sample.table["name"].astype(str).tolist()
        if len(told) and len(set(names)) < len(names):
            sample.table["name"] = [
                f"{name} ({Path(str(label)).name})" if names.count(name) > 1 else name
                for name, label in zip(names, told, strict=True)
            ]
    return sample


def review_page(
    sample: Sample,
    path: str | os.PathLike[str],
    *,
    cuts: Cuts | None = None,
    title: str = "Review of sources",
) -> Path:
    """Write one HTML page on which a person decides about each source: keep, drop or another class.

    The page holds the images with 8 bits, asks no other host for anything, keeps the decisions in the
    browser under the sample's hash, and exports them as a file for `read_decisions`.

    Parameters
    ----------
    sample : Sample
        Images with north up and east left, and names that differ.
    path : path-like
        File to write.
    cuts : Cuts, optional
        Thresholds of the automatic flags that it shows; also gives the pixel scale.
    title : str
        Heading of the page.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    ValueError
        If the sample is empty, two sources have one name, or another kind of file would be replaced.
    """
    cuts = cuts or _default_cuts(sample)
    names = _unique_names(sample)
    flags = automatic_cuts(sample, cuts)
    pixels = [
        zlib.compress(_eight_bits(*each).tobytes())
        for each in zip(sample.images, flags["level"], flags["noise"], strict=True)
    ]
    digest = hashlib.sha256(b"\0".join([*(name.encode() for name in names), *pixels])).hexdigest()
    content = {
        "title": title,
        "hash": digest[:16],
        "size": sample.size,
        "scale": cuts.pixel_scale,
        "bend": _BEND,
        "steps": _STEPS,
        "zero": _ZERO,
        "classes": [{"name": m.name, "label": m.label, "colour": m.colour} for m in CLASSES],
        "cuts": {name: text for name, (text, _) in CUTS.items()},
        "reasons": REASONS,
        "columns": COLUMNS,
        "sources": [_described(sample, flags, i) for i in range(len(sample))],
        "skipped": [list(pair) for pair in sample.table.meta.get("skipped", [])],
    }
    page = files(__package__).joinpath("data", "review.html").read_text("utf-8")
    page = page.replace("{{title}}", html.escape(title))
    page = page.replace("{{pixels}}", "\n".join(base64.b64encode(packed).decode() for packed in pixels))
    # A "<" in a name must not end the script element that holds the text.
    page = page.replace("{{content}}", json.dumps(content, ensure_ascii=False).replace("<", "\\u003c"))
    target = Path(path)
    refuse_to_replace(target, b"<!doctype html")
    write_text(target, page)
    return target


def _unique_names(sample: Sample) -> list[str]:
    names = [str(name) for name in sample.table["name"]]
    if not names:
        msg = "the sample is empty; give one with images"
        raise ValueError(msg)
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        msg = f"{len(twice)} names are not unique ({', '.join(twice[:3])}); make them differ"
        raise ValueError(msg)
    return names


def _eight_bits(image: NDArray, level: float, noise: float) -> NDArray[np.uint8]:
    """Return an image of whole numbers: 0 no data, `_ZERO` the sky, steps of half the noise, then of 4 %."""
    missing = missing_pixels(image[None])[0]
    flux = np.where(missing, 0, image - level)
    unit = np.nanmax([noise, flux.max() / 1e4, np.finfo(np.float32).tiny])
    codes = _ZERO + np.round(_STEPS * np.arcsinh(flux / unit / _BEND))
    return np.where(missing, 0, np.clip(codes, 1, 255)).astype(np.uint8)


def _described(sample: Sample, flags: Table, i: int) -> dict[str, Any]:
    """Return what the page says about a source."""
    row, found = sample.table[i], flags[i]
    text = {c: str(row[c]) for c in sample.table.colnames if row[c] is not np.ma.masked}
    notes = [text.get(c, "") for c in ("catalogue", "catalogue_class", "catalogue_note", "survey", "message")]
    sky = ""
    if np.all(np.isfinite([float(text.get(c, "nan") or "nan") for c in ("ra", "dec")])):
        sky = SkyCoord(float(text["ra"]), float(text["dec"]), unit="deg").to_string("hmsdms", precision=1)
    return {
        "name": text["name"],
        "class": int(sample.labels[i]),
        "sky": sky,
        "note": " · ".join(filter(None, notes)),
        "flags": [name for name in CUTS if found[name]],
        "of": str(found["duplicate_of"]),
        "snr": _rounded(found["peak_snr"]),
        "extent": _rounded(found["extent"] * 100),
        "offset": _rounded(found["offset"]),
        "islands": int(found["islands"]),
    }


def _rounded(value: float) -> int | None:
    return round(float(value)) if np.isfinite(value) else None


# The decisions ------------------------------------------------------------------------------------------


def read_decisions(path: str | os.PathLike[str]) -> Table:
    """Read a file of decisions: CSV as the page exports it, ECSV or JSON (a list of objects).

    Parameters
    ----------
    path : path-like
        File with the columns ``name`` and ``decision`` (keep, drop or relabel), and any of ``reason``,
        ``class`` (for a relabel the new one), ``reader`` and ``time``.

    Returns
    -------
    ~astropy.table.Table
        The six columns as text; empty where the file has none.

    Raises
    ------
    ValueError
        If the file is no such table, a decision or class is unknown, a relabel has no class, or a source has
        two rows that contradict each other.
    """
    file = Path(path)
    try:
        text = decoded(file.read_bytes())
        if file.suffix.lower() == ".ecsv":
            table = Table.read(text.splitlines(), format="ascii.ecsv")
        else:
            rows = json.loads(text) if file.suffix.lower() == ".json" else csv.DictReader(io.StringIO(text))
            records = list(rows)
            found = [column for column in COLUMNS if any(column in record for record in records)]
            cells = ([record.get(column) for record in records] for column in found)
            table = Table(
                [["" if cell is None else cell for cell in column] for column in cells], names=found
            )
    except FileNotFoundError:
        raise
    except Exception as error:  # whatever a reader stumbles over
        msg = f"{file} is no table of decisions ({error}); export it again from the review page"
        raise ValueError(msg) from error
    try:
        return _checked(table)
    except ValueError as error:
        msg = f"{file}: {error}"
        raise ValueError(msg) from None


def _checked(decisions: Table) -> Table:
    """Return the decisions with all columns, or say which row cannot be."""
    if lacking := {"name", "decision"} - set(decisions.colnames):
        msg = f"no column {', '.join(sorted(lacking))}; needed are name and decision"
        raise ValueError(msg)
    rows: dict[str, tuple[str, ...]] = {}
    for row in decisions:
        values = [row[column] if column in decisions.colnames else "" for column in COLUMNS]
        # Positions are known by COLUMNS: name, decision, reason, class, reader, time.
        texts = ["" if value is np.ma.masked or value is None else str(value) for value in values]
        name, decision, _, morphology = texts[:4]
        if decision not in DECISIONS:
            msg = f"{name!r} has the decision {decision!r}; allowed are {', '.join(DECISIONS)}"
            raise ValueError(msg)
        if morphology:
            texts[3] = CLASS_NAMES[class_code(morphology)]
        elif decision == "relabel":
            msg = f"{name!r} is to be relabelled without a class; give one of {', '.join(CLASS_NAMES)}"
            raise ValueError(msg)
        if rows.setdefault(name, tuple(texts))[1:4] != tuple(texts[1:4]):
            told = " and ".join(" ".join(filter(None, each[1:4])) for each in (rows[name], texts))
            msg = f"{name!r} has contradictory rows: {told}; keep one of them"
            raise ValueError(msg)
    return (
        Table(rows=list(rows.values()), names=COLUMNS, dtype=["U"] * 6)
        if rows
        else Table(names=COLUMNS, dtype=["U1"] * 6)
    )


def apply_decisions(
    sample: Sample, decisions: Table, *, undecided: Literal["raise", "keep", "drop"] = "raise"
) -> Sample:
    """Return the sources that were kept, with the classes that were given.

    Parameters
    ----------
    sample : Sample
        The sources that were looked at, known by ``table["name"]``.
    decisions : ~astropy.table.Table
        From `read_decisions`, or any table with those columns, such as `radiosynth.load_report_candidates`.
    undecided : {"raise", "keep", "drop"}
        What becomes of sources without a decision.

    Returns
    -------
    Sample
        The kept sources in their order, with a step in the history.

    Raises
    ------
    ValueError
        If decisions name unknown sources, contradict each other or the sample (a kept source has
        another class), or sources lack one and `undecided` is "raise".
    """
    if undecided not in ("raise", "keep", "drop"):
        msg = f'undecided is {undecided!r}; give "raise", "keep" or "drop"'
        raise ValueError(msg)
    names = _unique_names(sample)
    checked = {str(row["name"]): row for row in _checked(decisions)}
    if unknown := [name for name in checked if name not in set(names)]:
        msg = (
            f"{len(unknown)} decisions are about sources that the sample has not, such as {unknown[0]!r}: "
            "give the sample that was reviewed"
        )
        raise ValueError(msg)
    open_ones = [name for name in names if name not in checked]
    if open_ones and undecided == "raise":
        msg = (
            f"{len(open_ones)} of {len(names)} sources have no decision, such as {open_ones[0]!r}: decide "
            'them, or give undecided="keep" or "drop" (--undecided keep)'
        )
        raise ValueError(msg)
    labels, kept = sample.labels.copy(), np.full(len(sample), undecided == "keep")
    relabelled = 0
    for i, name in enumerate(names):
        if name not in checked:
            continue
        decision, morphology = str(checked[name]["decision"]), str(checked[name]["class"])
        kept[i] = decision != "drop"
        if decision == "relabel":
            labels[i] = class_code(morphology)
            relabelled += 1
        elif decision == "keep" and morphology and class_code(morphology) != labels[i]:
            own = CLASS_NAMES[labels[i]] if labels[i] >= 0 else "no class"
            msg = f"{name!r} is kept as {morphology}, but has {own} in the sample: relabel it"
            raise ValueError(msg)
    chosen = Sample(sample.images, labels, sample.table)[kept]
    told = f"selected by hand: {kept.sum()} of {len(sample)} kept, {relabelled} relabelled"
    return chosen.derived(chosen.images, told)


@dataclass(frozen=True)
class Agreement:
    """How far two readers agree.

    Parameters
    ----------
    kappa, low, high : float
        Cohen's kappa and the ends of its interval: 1 is agreement, 0 what chance would give. NaN if all
        decisions of both readers are one and the same.
    share : float
        Share of the sources that both decided alike.
    number : int
        Sources that both decided.
    disagreements : ~astropy.table.Table
        ``name``, and ``first`` and ``second``: keep, drop with its reason, or the new class.
    """

    kappa: float
    low: float
    high: float
    share: float
    number: int
    disagreements: Table


def agreement(
    first: Table, second: Table, *, confidence: float = 0.95, rng: np.random.Generator | None = None
) -> Agreement:
    """Compare two readers by Cohen's kappa (Cohen 1960), with a bootstrap interval over the sources.

    Readers agree if both keep a source, both drop it, for any reason, or both give it the same new class.

    Parameters
    ----------
    first, second : ~astropy.table.Table
        Decisions, as from `read_decisions`. Sources that only one has decided are left out.
    confidence : float
        Coverage of the interval, between 0 and 1.
    rng : numpy.random.Generator, optional
        For the thousand resamplings; a fixed seed if not given.

    Returns
    -------
    Agreement
        Kappa, its interval, and the sources on which the readers differ.

    Raises
    ------
    ValueError
        If no source was decided by both.
    """
    from sklearn.metrics import cohen_kappa_score

    both = join(_checked(first), _checked(second), "name", table_names=["first", "second"])
    if not len(both):
        msg = "no source was decided by both readers; give two files about one sample"
        raise ValueError(msg)
    one, other = (
        np.where(both[f"decision_{r}"] == "relabel", both[f"class_{r}"], both[f"decision_{r}"])
        for r in ("first", "second")
    )
    kappa, low, high = np.nan, np.nan, np.nan
    if len(set(one) | set(other)) > 1:
        kappa = cohen_kappa_score(one, other)
        draws = (rng or np.random.default_rng(0)).integers(len(both), size=(1000, len(both)))
        drawn = [cohen_kappa_score(one[i], other[i]) for i in draws if len(set(one[i]) | set(other[i])) > 1]
        low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    differ = one != other
    shown = Table({"name": both["name"][differ]})
    for column, values in (("first", one), ("second", other)):
        reasons = both[f"reason_{column}"][differ]
        pairs = zip(values[differ], reasons, strict=True)
        shown[column] = np.array([f"{value}: {why}" if why else str(value) for value, why in pairs], str)
    return Agreement(float(kappa), float(low), float(high), float(1 - differ.mean()), len(both), shown)
