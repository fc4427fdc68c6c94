"""A self-contained page of classified sources."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
from astropy.table import Table

from radiosynth._io import PathLike, check, refuse_to_replace
from radiosynth.sample import Sample
from radiosynth.selection.cuts import CUTS
from radiosynth.selection.review import page_content, write_page
from radiosynth.taxonomy import CLASS_NAMES

PAGE = rb"(?s)<!doctype html>\s*<!-- by radiosynth classify -->"
"""How a page of ours begins."""


def class_page(sample: Sample, table: Table, path: PathLike) -> Path:
    """Write one HTML page of sources with image, class, probabilities and flags.

    It can be sorted by confidence and filtered by class, and asks no other host for anything.

    Parameters
    ----------
    sample : Sample
        What was classified, with north up and east left.
    table : ~astropy.table.Table
        What `Classifier.classify` says of it. Sources that it has left out are listed below the title, and
        further columns are shown as text.
    path : path-like
        File to write.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    ValueError
        If there are no sources, two of them have the same name, the table is of another sample or has other
        classes, or another kind of file would be replaced.
    """
    refuse_to_replace(Path(path), PAGE)
    names, times = np.unique(sample.table["name"], return_counts=True)
    check(times.max(initial=0) < 2, f"two sources are named {names[times.argmax()]}: give each its own name")
    left_out = table.meta["left_out"]
    shown = sample[~np.isin(sample.table["name"], [name for name, _ in left_out])]
    same = len(table) and np.array_equal(shown.table["name"], table["name"])
    check(same, f"a table of {len(table)} and a sample of {len(shown)} sources: give those of one `classify`")
    known = {*table["class"]} <= {*CLASS_NAMES} <= {*table.colnames}
    check(known, f"the page shows the classes {', '.join(CLASS_NAMES)}, the table others: write it alone")
    sources, pixels, content = page_content(shown)
    doubts = defaultdict(list)
    for name, doubt in table.meta["notes"]:
        doubts[name].append(doubt)
    further = [name for name in table.colnames if name not in ("name", "class", *CLASS_NAMES)]
    for source, row in zip(sources, table, strict=True):
        source["class"] = CLASS_NAMES.index(row["class"])
        source["p"] = [round(float(row[name]), 4) for name in CLASS_NAMES]
        source["flags"] = [CUTS[name][0] for name in source["flags"]] + doubts[source["name"]]
        texts = [source["note"], *(f"{name} {row[name]}" for name in further)]
        source["note"] = " · ".join(filter(None, texts))
    skipped = [list(pair) for pair in [*table.meta["skipped"], *left_out]]
    content |= {"sources": sources, "skipped": skipped, "model": table.meta["model"]}
    return write_page(Path(path), "classes.html", "Classes of sources", pixels, content)
