"""Decisions of a person: read, compared, applied."""

from __future__ import annotations

import csv
import io
import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from astropy.table import Table, join

from radiosynth._io import check, decoded, readable
from radiosynth.sample import Sample, check_choice
from radiosynth.taxonomy import CLASS_NAMES, UNLABELLED, class_code

DECISIONS = ("keep", "drop", "relabel")


COLUMNS = ("name", "decision", "reason", "class", "reader", "time")


def unique_names(sample: Sample) -> list[str]:
    """Return the names of the sources, or raise if there is none, or two have one name."""
    names = [str(name) for name in sample.table["name"]]
    twice = sorted(name for name, number in Counter(names).items() if number > 1)
    fault = f"{len(names)} sources, names that are not unique ({', '.join(twice[:3])}); make them differ"
    check(not twice and names, fault)
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
            table = Table(rows=list(rows))
    try:
        return checked(table)
    except ValueError as error:
        msg = f"{file}: {error}"
        raise ValueError(msg) from None


def checked(decisions: Table) -> Table:
    """Return decisions as text, one row a source and with all columns, or say which row cannot be."""
    lacking = ", ".join(sorted({"name", "decision"} - set(decisions.colnames)))
    check(not lacking, f"no column {lacking}; needed are name and decision")
    table = Table({column: np.full(len(decisions), "") for column in COLUMNS})
    for column in set(COLUMNS) & set(decisions.colnames):
        table[column] = ["" if cell in (None, np.ma.masked) else str(cell) for cell in decisions[column]]
    for name, decision in table["name", "decision"].iterrows():
        fault = f"{str(name)!r} has the decision {str(decision)!r}; allowed are {', '.join(DECISIONS)}"
        check(decision in DECISIONS, fault)
    table["class"] = [name and CLASS_NAMES[class_code(name)] for name in table["class"].tolist()]
    if lacking := table["name"][(table["decision"] == "relabel") & (table["class"] == "")].tolist():
        msg = f"{lacking[0]!r} is to be relabelled without a class; give one of {', '.join(CLASS_NAMES)}"
        raise ValueError(msg)
    # A row that stands twice counts once, whoever wrote it and when.
    _, first = np.unique(table["name", "decision", "reason", "class"].as_array(), return_index=True)
    table = table[np.sort(first)]
    for name, number in Counter(table["name"].tolist()).items():
        if number > 1:
            rows = table["decision", "reason", "class"][table["name"] == name].as_array().tolist()
            ways = " and ".join(" ".join(filter(None, row)) for row in rows)
            msg = f"{name!r} has contradictory rows: {ways}; keep one of them"
            raise ValueError(msg)
    return table


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
    names, table = unique_names(sample), checked(decisions)
    place, decided = {name: i for i, name in enumerate(names)}, table["name"].tolist()
    if unknown := [name for name in decided if name not in place]:
        told = f"{len(unknown)} decisions are about sources that the sample has not"
        msg = f"{told}, such as {unknown[0]!r}: give the sample that was reviewed"
        raise ValueError(msg)
    left = [name for name in names if name not in set(decided)]
    if left and undecided == "raise":
        told = f"{len(left)} of {len(names)} sources have no decision, such as {left[0]!r}"
        msg = f'{told}: decide them, or give undecided="keep" or "drop" (--undecided keep)'
        raise ValueError(msg)
    # Where in the sample each decision belongs, and the class that it gives.
    rows = np.array([place[name] for name in decided], int)
    given = np.array([class_code(name) if name else UNLABELLED for name in table["class"]], int)
    for i in np.flatnonzero((table["decision"] == "keep") & (given >= 0) & (given != sample.labels[rows])):
        own = CLASS_NAMES[sample.labels[rows[i]]] if sample.labels[rows[i]] >= 0 else "no class"
        msg = f"{names[rows[i]]!r} is kept as {table['class'][i]}, but has {own} in the sample: relabel it"
        raise ValueError(msg)
    labels, kept = sample.labels.copy(), np.full(len(sample), undecided == "keep")
    kept[rows] = table["decision"] != "drop"
    new = np.asarray(table["decision"] == "relabel")
    labels[rows[new]] = given[new]
    chosen = Sample(sample.images, labels, sample.table)[kept]
    step = f"selected by hand: {kept.sum()} of {len(sample)} kept, {new.sum()} relabelled"
    return chosen.derived(chosen.images, step)


@dataclass(frozen=True)
class Agreement:
    """How far two readers agree.

    Parameters
    ----------
    kappa, low, high : float
        Cohen's kappa and the ends of its interval: 1 is agreement, 0 what chance would give. NaN if all
        decisions of both readers are one and the same.
    proportion : float
        Proportion of the sources that both decided alike.
    number : int
        Sources that both decided.
    disagreements : ~astropy.table.Table
        ``name``, and ``first`` and ``second``: keep, drop with its reason, or the new class.
    """

    kappa: float
    low: float
    high: float
    proportion: float
    number: int
    disagreements: Table


def agreement(first: Table, second: Table) -> Agreement:
    """Compare two readers by Cohen's kappa (Cohen 1960), with a bootstrap interval over the sources.

    Readers agree if both keep a source, both drop it, for any reason, or both give it the same new class.

    Parameters
    ----------
    first, second : ~astropy.table.Table
        Decisions, as from `read_decisions`. Sources that only one has decided are left out.

    Returns
    -------
    Agreement
        Kappa, its 95 % interval, and the sources on which the readers differ.

    Raises
    ------
    ValueError
        If no source was decided by both.
    """
    from sklearn.metrics import cohen_kappa_score

    both = join(checked(first), checked(second), "name", table_names=["first", "second"])
    check(len(both), "no source was decided by both readers; give two files about one sample")
    for r in ("first", "second"):
        both[r] = np.where(both[f"decision_{r}"] == "relabel", both[f"class_{r}"], both[f"decision_{r}"])
    one, other = np.asarray(both["first"]), np.asarray(both["second"])
    kappa, low, high = np.nan, np.nan, np.nan
    if len(set(one) | set(other)) > 1:
        kappa = cohen_kappa_score(one, other)
        # Draws that hold one decision alone have no kappa: `scipy.stats.bootstrap` cannot leave them out.
        draws = np.random.default_rng(0).integers(len(both), size=(1000, len(both)))
        drawn = [cohen_kappa_score(one[i], other[i]) for i in draws if len(set(one[i]) | set(other[i])) > 1]
        low, high = np.quantile(drawn, [0.025, 0.975])
    differ = both[one != other]
    for r in ("first", "second"):
        pairs = zip(differ[r], differ[f"reason_{r}"], strict=True)
        differ[r] = np.array([": ".join(filter(None, pair)) for pair in pairs], str)
    alike, differences = 1 - len(differ) / len(both), differ["name", "first", "second"]
    return Agreement(float(kappa), float(low), float(high), alike, len(both), differences)
