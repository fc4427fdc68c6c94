"""What a study found: accuracies of its conditions, and paired comparisons of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from astropy.table import Row, Table
from numpy.typing import ArrayLike, NDArray

from radiosynth import metrics
from radiosynth._io import check
from radiosynth.reproduction.configs import ClassifierConfig
from radiosynth.sample import check_choice


@dataclass(frozen=True)
class StudyResult:
    """What a study found.

    Parameters
    ----------
    folder : Path
        Where it is saved.
    config : ClassifierConfig
        Configuration of its first run.
    references : dict of str to str
        For each condition that is compared, the name of the one that it is compared with.
    sources : `~astropy.table.Table`
        One row per condition and tested source: ``condition``, ``fold``, ``name``, ``label`` and the
        probabilities ``p0`` … ``p3`` for the unaugmented image.
    histories : `~astropy.table.Table`
        One row per condition, fold and epoch, as in the histories of the runs.
    loaded : bool
        Whether it was saved before it was asked for.
    """

    folder: Path
    config: ClassifierConfig
    references: dict[str, str]
    sources: Table
    histories: Table
    loaded: bool

    @property
    def conditions(self) -> list[str]:
        """Names of the conditions, in their order."""
        return list(dict.fromkeys(self.sources["condition"].tolist()))

    def tested(self, condition: str) -> Table:
        """Return ``name``, ``fold``, ``label`` and ``correct`` (or not) of the sources of a condition."""
        check_choice(condition, f"condition of {self.folder.name}", self.conditions)
        rows = self.sources[self.sources["condition"] == condition]
        chosen = np.stack([rows[f"p{code}"] for code in range(4)], axis=1).argmax(axis=1)
        table = rows["name", "fold", "label"]
        table["correct"] = chosen == rows["label"]
        return table

    def at_end(self, condition: str, column: str) -> NDArray[np.float64]:
        """Return what the histories of a condition hold after the last epoch, fold by fold."""
        history = self.histories[self.histories["condition"] == condition]
        return np.asarray(history[column][history["epoch"] == max(history["epoch"])], float)

    def compare(self, first: str, second: str) -> dict[str, Any]:
        """Compare two conditions on the sources that both tested.

        Parameters
        ----------
        first, second : str
            Names of two conditions.

        Returns
        -------
        dict
            The second against the first, in the folds of the first:

            ``difference``, ``low``, ``high``, ``p_value``: accuracy of the second minus that of the first,
            the ends of its 95 % interval and the p value of no difference, by `over_folds`.
            ``balanced``, ``balanced_low``, ``balanced_high``: the same difference of the balanced accuracy,
            the mean recall of the classes.
            ``gained``, ``lost``: sources that only the second, or only the first, classifies correctly.
            ``finding``: what both intervals establish, as `finding` says it.

        Raises
        ------
        ValueError
            If a condition is not in the study, or both have no source in common.
        """
        a, b = self.tested(first), self.tested(second)
        _, rows_a, rows_b = np.intersect1d(a["name"], b["name"], return_indices=True)
        check(len(rows_a), f"{first!r} and {second!r} tested no source in common: compare others")
        a, b = a[rows_a], b[rows_b]
        change = np.asarray(b["correct"], int) - np.asarray(a["correct"], int)
        folds, labels = np.asarray(a["fold"]), np.asarray(a["label"])
        parts = [(labels[folds == fold], change[folds == fold]) for fold in np.unique(folds)]
        accuracy = over_folds([part.mean() for _, part in parts], self.config.sources.folds)
        recalls = [metrics.mean_over_classes(*part) for part in parts]
        balanced = over_folds(recalls, self.config.sources.folds)[:3]
        found: dict[str, Any] = dict(zip(("difference", "low", "high", "p_value"), accuracy, strict=True))
        found |= dict(zip(("balanced", "balanced_low", "balanced_high"), balanced, strict=True))
        found |= {"gained": int((change > 0).sum()), "lost": int((change < 0).sum())}
        return found | {"finding": finding(accuracy[1:3], balanced[1:])}

    def summary(self) -> Table:
        """Return the accuracy of each condition and its comparison with its reference.

        Returns
        -------
        `~astropy.table.Table`
            One row per condition: ``condition``, ``runs``, ``sources`` tested, ``accuracy`` and
            ``balanced_accuracy`` (the mean recall), each with the ends of its 95 % interval, such as
            ``accuracy_low`` and ``accuracy_high``, ``compared_with`` (itself, for a reference), and the
            keys of `compare`.
        """
        rows = []
        for condition in self.conditions:
            table = self.tested(condition)
            row = {"condition": condition, "runs": len(np.unique(table["fold"])), "sources": len(table)}
            scores = {"accuracy": metrics.proportion(table["correct"], confidence=0.95)}
            scores["balanced_accuracy"] = metrics.class_mean(table["label"], table["correct"])
            for name, found in scores.items():
                row |= dict(zip((name, f"{name}_low", f"{name}_high"), found, strict=True))
            reference = self.references.get(condition, condition)
            rows.append(row | {"compared_with": reference} | self.compare(reference, condition))
        return formatted(Table(rows))

    def numbers(self) -> dict[str, dict[str, Any]]:
        """Return what the study found, number by number, as the paper reads it.

        Returns
        -------
        dict
            By name: ``value`` and the ends of its 95 % interval, ``low`` and ``high``; a change of accuracy
            also has its ``p_value`` and its `finding`.
        """
        found: dict[str, dict[str, Any]] = {}
        for row in self.summary():
            condition = str(row["condition"])
            found[f"accuracy: {condition}"] = _number(row, "accuracy", "accuracy_")
            found[f"balanced accuracy: {condition}"] = _number(row, "balanced_accuracy", "balanced_accuracy_")
            if condition in self.references:
                tested = {"p_value": float(row["p_value"]), "finding": str(row["finding"])}
                found[f"change: {condition}"] = _number(row, "difference", "") | tested
                found[f"balanced change: {condition}"] = _number(row, "balanced", "balanced_")
        wrong = "FR I generator for FR II"
        if wrong in self.conditions:
            first, second = (self.at_end(name, "accuracy") for name in (self.references[wrong], wrong))
            changed = over_folds(second - first, self.config.sources.folds)[:3]
            found[f"change in training: {wrong}"] = dict(zip(("value", "low", "high"), changed, strict=True))
        return found


def finding(*intervals: tuple[float, float]) -> str:
    """Say what a change establishes: ``"gain"``, ``"loss"`` or ``"not established"``.

    Parameters
    ----------
    *intervals : tuple of float
        Ends of 95 % intervals of the change, such as those of accuracy and of balanced accuracy.

    Returns
    -------
    str
        A gain or a loss only if all intervals lie on one side of zero.

    Examples
    --------
    >>> finding((0.002, 0.052), (-0.001, 0.05))
    'not established'
    """
    if all(low > 0 for low, _ in intervals):
        return "gain"
    return "loss" if all(high < 0 for _, high in intervals) else "not established"


def over_folds(changes: ArrayLike, folds: int) -> tuple[float, float, float, float]:
    """Return a mean over folds, the ends of its 95 % interval, and the p value of no change.

    The corrected resampled t test of Nadeau & Bengio (2003). The training sets of two folds share most of
    their sources, so the variance of the mean is larger than that of independent trainings. It includes the
    scatter of test sources and of trainings.

    Parameters
    ----------
    changes : array_like, shape (n,)
        The change in each fold; of a single one, interval and p value are NaN.
    folds : int
        Number of folds, of which one tests and one validates.

    Returns
    -------
    value, low, high, p_value : float
        Mean, interval and two-sided p value.

    Examples
    --------
    >>> [round(number, 3) for number in over_folds([0.01, 0.03, 0.02, 0.04], folds=10)]
    [0.025, -0.0, 0.05, 0.051]
    """
    each, t = np.asarray(changes, float), scipy.stats.t
    mean, n = float(each.mean()), len(each)
    if n < 2:
        return mean, np.nan, np.nan, np.nan
    error = each.std(ddof=1) * np.sqrt(1 / n + 1 / max(folds - 2, 1))
    half = t.ppf(0.975, n - 1) * error
    p_value = 2 * t.sf(abs(mean) / error, n - 1) if error else mean == 0
    return mean, float(mean - half), float(mean + half), float(p_value)


def formatted(table: Table) -> Table:
    """Return a table whose numbers are printed with as many decimals as mean something."""
    for column in table.itercols():
        if column.dtype.kind == "f":
            short = re.search("(^|_)p(_|$)|^fraction$|^ratio$", column.name)
            column.info.format = ".2g" if short else ".4f"
    return table


def _number(row: Row, column: str, of: str) -> dict[str, Any]:
    """Return the value in a column and the ends of its interval, whose columns begin with `of`."""
    return {"value": float(row[column]), "low": float(row[f"{of}low"]), "high": float(row[f"{of}high"])}
