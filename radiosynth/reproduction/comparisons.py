"""What a study found: accuracies of its conditions, and paired comparisons of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from astropy.table import Table
from numpy.typing import NDArray

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

    def accuracy_by_fold(self, condition: str) -> NDArray[np.float64]:
        """Return the accuracy of a condition in each fold."""
        table = self.tested(condition)
        return _by_fold(table["fold"], table["correct"])

    def at_epoch(self, condition: str, column: str, proportion: float = 1.0) -> NDArray[np.float64]:
        """Return what the histories of a condition hold after a proportion of the epochs, fold by fold."""
        history = self.histories[self.histories["condition"] == condition]
        epoch = max(1, round(proportion * max(history["epoch"])))
        return np.asarray(history[column][history["epoch"] == epoch], float)

    def epochs_gain(self, condition: str, *, proportion: float = 0.3) -> tuple[float, float, float]:
        """Return what the last epochs add to the validation accuracy of a condition.

        Parameters
        ----------
        condition : str
            Name of a condition.
        proportion : float, default 0.3
            Proportion of the epochs that come before: the notebook of the report stops after 30 of 100.

        Returns
        -------
        value, low, high : float
            Mean over the folds, and the ends of its 95 % interval (Student's t).
        """
        early, late = (self.at_epoch(condition, "plain_accuracy", end) for end in (proportion, 1.0))
        return _interval(late - early)

    def compare(self, first: str, second: str) -> dict[str, Any]:
        """Compare two conditions source by source.

        Parameters
        ----------
        first, second : str
            Names of two conditions.

        Returns
        -------
        dict
            The second against the first, over the sources that both tested:

            ``difference``, ``low``, ``high``: accuracy of the second minus that of the first, and its 95 %
            interval from resampling sources.
            ``p_value``: of McNemar's exact test that both err equally often.
            ``gained``, ``lost``: sources that only the second, or only the first, classifies correctly.
            ``fold_mean``, ``fold_sd``: mean and standard deviation of the difference over the folds.
            ``effect``: Cohen's d, that mean in units of that standard deviation.
            ``balanced``, ``balanced_low``, ``balanced_high``: the same difference of the balanced accuracy,
            the mean recall of the classes.
            ``finding``: what the p-value and the intervals of both differences and of the mean over folds
            (Student's t) establish, as `finding` says it.

        Raises
        ------
        ValueError
            If a condition is not in the study, or both have fewer than two sources in common.
        """
        a, b = self.tested(first), self.tested(second)
        _, rows_a, rows_b = np.intersect1d(a["name"], b["name"], return_indices=True)
        tested = f"{first!r} and {second!r} tested {len(rows_a)} sources in common"
        check(len(rows_a) >= 2, f"{tested}: an interval needs two at least")
        a, b = a[rows_a], b[rows_b]
        change = np.asarray(b["correct"], int) - np.asarray(a["correct"], int)
        low, high = metrics.resampled((change,), np.mean, n_resamples=5000)
        gained, lost = int((change > 0).sum()), int((change < 0).sum())
        p_value = float(scipy.stats.binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0
        by_fold = _by_fold(a["fold"], change)
        mean, sd = float(by_fold.mean()), float(by_fold.std(ddof=1)) if len(by_fold) > 1 else np.nan
        balanced = metrics.class_mean(a["label"], change)
        found = {"difference": float(change.mean()), "low": low, "high": high, "p_value": p_value}
        found |= {"gained": gained, "lost": lost, "fold_mean": mean, "fold_sd": sd}
        found |= {"effect": mean / sd if sd > 0 else np.nan}
        found |= dict(zip(("balanced", "balanced_low", "balanced_high"), balanced, strict=True))
        return found | {"finding": finding(p_value, (low, high), balanced[1:], _interval(by_fold)[1:])}

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
            row |= accuracies(table["label"], table["correct"])
            reference = self.references.get(condition, condition)
            rows.append(row | {"compared_with": reference} | self.compare(reference, condition))
        return formatted(Table(rows))

    def numbers(self) -> dict[str, dict[str, Any]]:
        """Return what the study found, number by number, as the paper reads it.

        Returns
        -------
        dict
            By name: ``value`` and the ends of its 95 % interval, ``low`` and ``high``; a change of accuracy
            also has its ``p_value`` and its `finding`. The gain by adversarial images has the name of the
            report's own number, ``training.gain of real+gan``.
        """
        tested = len(np.unique(self.sources["fold"]))
        found: dict[str, dict[str, Any]] = {"divisions": dict.fromkeys(("value", "low", "high"), tested)}
        for row in self.summary():
            condition = str(row["condition"])
            wanted = {"accuracy": "accuracy{}", "balanced accuracy": "balanced_accuracy{}"}
            change = f"change: {condition}" if condition != "real+gan" else "training.gain of real+gan"
            if condition in self.references:
                wanted |= {"balanced change": "balanced{}"}
                found[change] = _number(row["difference"], row["low"], row["high"])
                found[change] |= {"p_value": float(row["p_value"]), "finding": str(row["finding"])}
            for name, column in wanted.items():
                values = (row[column.format(end)] for end in ("", "_low", "_high"))
                found[f"{name}: {condition}"] = _number(*values)
        if "real+gan" in self.conditions:
            for condition in ("real", "real+gan"):
                gain = _number(*self.epochs_gain(condition))
                found[f"change: all epochs, not three tenths of them ({condition})"] = gain
        wrong = "FR I generator for FR II"
        if wrong in self.conditions:
            first, second = (self.at_epoch(name, "accuracy") for name in (self.references[wrong], wrong))
            found[f"change in training: {wrong}"] = _number(*_interval(second - first))
        return found


def finding(p_value: float, *intervals: tuple[float, float]) -> str:
    """Say what a change of accuracy establishes: ``"gain"``, ``"loss"`` or ``"not established"``.

    All pages and the paper ask this function, so that no two of them say different things.

    Parameters
    ----------
    p_value : float
        Of the test that there is no change.
    *intervals : tuple of float
        Ends of 95 % intervals of the change, such as those of accuracy and of balanced accuracy over sources,
        and of the mean over folds, which alone holds the scatter of trainings.

    Returns
    -------
    str
        A gain or a loss only if the p-value is 0.05 or less and all intervals lie on one side of zero.

    Examples
    --------
    >>> finding(0.01, (0.002, 0.052), (-0.001, 0.05))
    'not established'
    """
    if p_value <= 0.05 and all(low > 0 for low, _ in intervals):
        return "gain"
    return "loss" if p_value <= 0.05 and all(high < 0 for _, high in intervals) else "not established"


def accuracies(labels: NDArray[np.int64], correct: NDArray[np.bool_]) -> dict[str, float]:
    """Return accuracy and balanced accuracy with the ends of their 95 % intervals."""
    names = [f"{name}{end}" for name in ("accuracy", "balanced_accuracy") for end in ("", "_low", "_high")]
    found = *metrics.proportion(correct, confidence=0.95), *metrics.class_mean(labels, correct)
    return dict(zip(names, found, strict=True))


def formatted(table: Table) -> Table:
    """Return a table whose numbers are printed with as many decimals as mean something."""
    for column in table.itercols():
        if column.dtype.kind == "f":
            column.info.format = ".2g" if column.name == "p_value" else ".4f"
    return table


def _by_fold(folds: NDArray[np.int64], values: NDArray[Any]) -> NDArray[np.float64]:
    """Return the mean of values in each fold."""
    return np.array([np.asarray(values)[folds == fold].mean() for fold in np.unique(folds)])


def _interval(values: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return a mean and the ends of its 95 % interval (Student's t); there is none of one value."""
    n, stats = len(values), scipy.stats
    half = float(stats.t.ppf(0.975, n - 1) * stats.sem(values)) if n > 1 else np.nan
    return float(values.mean()), float(values.mean() - half), float(values.mean() + half)


def _number(value: float, low: float, high: float) -> dict[str, Any]:
    return {"value": float(value), "low": float(low), "high": float(high)}
