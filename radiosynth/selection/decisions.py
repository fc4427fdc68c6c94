"""Decisions of a person: read, compared, applied."""

from __future__ import annotations

import csv
import io
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from astropy.table import Table, join

from radiosynth._io import decoded, readable
from radiosynth.sample import Sample, check_choice
from radiosynth.taxonomy import CLASS_NAMES, class_code

__all__ = ["Agreement", "agreement", "apply_decisions", "read_decisions"]

DECISIONS = ("keep", "drop", "relabel")


COLUMNS = ("name", "decision", "reason", "class", "reader", "time")


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
    with readable(file, "export it again from the review page", "is no table of decisions"):
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
    return Table(np.array(list(rows.values()), str).reshape(-1, len(COLUMNS)), names=COLUMNS)


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
    check_choice(undecided, "value of undecided", ("raise", "keep", "drop"))
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
        Proportion of the sources that both decided alike.
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
