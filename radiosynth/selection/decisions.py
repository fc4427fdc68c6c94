"""Decisions of a person: read, compared, applied."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from astropy.table import Table, join

from radiosynth._io import PathLike, check, decoded, readable
from radiosynth.catalogues.angles import text_of
from radiosynth.sample import Sample, check_choice
from radiosynth.taxonomy import CLASS_NAMES, UNLABELLED, class_code

DECISIONS = ("keep", "drop", "relabel")


COLUMNS = ("name", "decision", "reason", "class", "reader", "time")


def unique_names(sample: Sample) -> list[str]:
    """Return the names of the sources, or raise if there is none, or two have one name."""
    names = [str(name) for name in sample.table["name"]]
    twice = _repeated(names)
    fault = f"{len(names)} sources, names that are not unique ({', '.join(twice[:3])}); make them differ"
    check(not twice and names, fault)
    return names


def read_decisions(path: PathLike) -> Table:
    """Read a file of decisions: CSV, as the page exports it.

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
        table = Table(rows=list(csv.DictReader(io.StringIO(text), restval="")))
    try:
        return checked(table)
    except ValueError as error:
        msg = f"{file}: {error}"
        raise ValueError(msg) from None


def checked(decisions: Table) -> Table:
    """Return decisions as text, one row a source and with all columns, or say which row cannot be."""
    lacking = ", ".join(sorted({"name", "decision"} - set(decisions.colnames)))
    check(not lacking, f"no column {lacking}; needed are name and decision")
    blank = np.full(len(decisions), "")
    given = {name: text_of(decisions[name]) for name in decisions.colnames if name in COLUMNS}
    table = Table({name: given.get(name, blank) for name in COLUMNS})
    for name, decision, new in table["name", "decision", "class"].iterrows():
        fault = f"{str(name)!r} has the decision {str(decision)!r}; allowed are {', '.join(DECISIONS)}"
        check(decision in DECISIONS, fault)
        fault = f"{str(name)!r} is to be relabelled without a class; give one of {', '.join(CLASS_NAMES)}"
        check(new or decision != "relabel", fault)
    table["class"] = [name and CLASS_NAMES[class_code(name)] for name in table["class"].tolist()]
    # A row that stands twice counts once, whoever wrote it and when.
    _, first = np.unique(table["name", "decision", "reason", "class"].as_array(), return_index=True)
    table = table[np.sort(first)]
    twice = _repeated(table["name"])
    check(not twice, f"{', '.join(twice[:3])}: rows contradict each other; keep one of them")
    return table


def _repeated(names: Iterable[object]) -> list[str]:
    """Return the names that occur more than once."""
    return [name for name, number in Counter(map(str, names)).items() if number > 1]


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
    unknown = [name for name in decided if name not in place]
    fault = f"{len(unknown)} decisions are about other sources, such as {', '.join(unknown[:3])}"
    check(not unknown, f"{fault}: give the sample that was reviewed")
    # Where in the sample each decision belongs, and the class that it gives.
    rows = np.array([place[name] for name in decided], int)
    left = np.delete(names, rows).tolist()
    fault = f"{len(left)} of {len(names)} sources have no decision, such as {', '.join(left[:3])}"
    advice = 'decide them, or give undecided="keep" or "drop" (--undecided keep)'
    check(not left or undecided != "raise", f"{fault}: {advice}")
    given = np.array([class_code(name) if name else UNLABELLED for name in table["class"]], int)
    own = sample.labels[rows]
    other = (table["decision"] == "keep") & (given != UNLABELLED) & (given != own)
    wrong = ", ".join(table["name"][other][:3])
    check(not wrong, f"{wrong}: kept with another class than in the sample; relabel it")
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
        ``name``, and ``first`` and ``second``: keep, drop or the new class.
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
    for reader in ("first", "second"):
        relabelled = both[f"decision_{reader}"] == "relabel"
        both[reader] = np.where(relabelled, both[f"class_{reader}"], both[f"decision_{reader}"])
    one, other = np.asarray(both["first"]), np.asarray(both["second"])
    kappa, low, high = np.nan, np.nan, np.nan
    if len(set(one) | set(other)) > 1:
        kappa = cohen_kappa_score(one, other)
        # Draws that hold one decision alone have no kappa: `scipy.stats.bootstrap` cannot leave them out.
        draws = np.random.default_rng(0).integers(len(both), size=(1000, len(both)))
        drawn = [cohen_kappa_score(one[i], other[i]) for i in draws if len(set(one[i]) | set(other[i])) > 1]
        low, high = np.quantile(drawn, [0.025, 0.975])
    differ = both["name", "first", "second"][one != other]
    return Agreement(float(kappa), float(low), float(high), np.mean(one == other), len(both), differ)
