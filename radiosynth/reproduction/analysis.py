"""What the comparison of training sets says: differences with intervals, adjusted p values, one statement.

Everything that states an answer (README, site, paper) reads it from `verdict`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray
from sklearn.metrics import log_loss

from radiosynth._io import check, read_arrays
from radiosynth.metrics import mean_over_classes, two_axes
from radiosynth.reproduction.comparisons import formatted, over_folds
from radiosynth.reproduction.protocol import Trial, networks_folder, protocol, trials as trials_of
from radiosynth.taxonomy import CLASS_NAMES

Test = Literal["test", "external"]

REPLICATES = 4000
"""Bootstrap samples behind each interval."""

ANEW = "remove that file and train its network again"
"""What to do about a damaged record, whose folder holds all others."""


@dataclass(frozen=True)
class Networks:
    """What the networks of one condition say of the sources of one test.

    Parameters
    ----------
    condition : str
        Name of the condition.
    labels : list of ndarray of int, one for each fold, shape (n_sources,)
        Classes of the test sources.
    probabilities : list of ndarray, one for each fold, shape (n_seeds, n_sources, 4)
        Class probabilities by each network.
    shared : bool
        Whether all folds are tested on the same sources.
    """

    condition: str
    labels: list[NDArray[np.int64]]
    probabilities: list[NDArray[np.float64]]
    shared: bool

    def correct(self) -> list[NDArray[np.float64]]:
        """Return for each fold which sources each network gets right, shape (n_seeds, n_sources)."""
        pairs = zip(self.probabilities, self.labels, strict=True)
        return [(p.argmax(axis=2) == labels).astype(float) for p, labels in pairs]

    def hits(self) -> list[NDArray[np.float64]]:
        """Return for each fold which proportion of the networks gets each source right."""
        return [each.mean(axis=0) for each in self.correct()]


def read(trials: Sequence[Trial], test: Test, folder: Path | None = None) -> Networks:
    """Read the records of one condition.

    Parameters
    ----------
    trials : sequence of Trial
        The runs of the condition, which have to be saved.
    test : {"test", "external"}
        Which sources: those of the held-out fold, or the external ones.
    folder : Path, optional
        Folder of the records, if it is not the usual one.

    Returns
    -------
    Networks
        What the networks say.
    """
    folder = networks_folder() if folder is None else folder
    labels, probabilities = [], []
    kinds = {f"{test}_labels": "i1", f"{test}_probabilities": "f2"}
    for part in sorted({(trial.left_out, trial.fold) for trial in trials}):  # a catalogue counts as a fold
        paths = [folder / f"{t.name}.npz" for t in trials if (t.left_out, t.fold) == part]
        stored = [read_arrays(path, kinds, advice=ANEW) for path in paths]
        same = all(np.array_equal(each[f"{test}_labels"], stored[0][f"{test}_labels"]) for each in stored)
        check(same, f"{paths[0].name} and the other seeds of this fold test other sources")
        labels.append(stored[0][f"{test}_labels"].astype(int))
        probabilities.append(np.stack([each[f"{test}_probabilities"].astype(float) for each in stored]))
    return Networks(trials[0].condition, labels, probabilities, shared=test == "external")


def validation_curves(trials: Sequence[Trial]) -> NDArray[np.float64]:
    """Return the balanced accuracy on the validation sources after each epoch, shape (n_trials, n_epochs)."""
    name = "history_val_balanced_accuracy"
    stored = [read_arrays(trial.file, {name: "f1"}, advice=ANEW) for trial in trials]
    return np.stack([each[name].astype(float) for each in stored])


def seconds(trial: Trial) -> float:
    """Return how long a network took on one processor, without its generator."""
    return float(json.loads(str(read_arrays(trial.file, advice=ANEW)["provenance"]))["seconds"])


def balanced_accuracy(networks: Networks) -> float:
    """Return the mean recall of the classes that are tested, over all sources and networks."""
    return mean_over_classes(np.concatenate(networks.labels), np.concatenate(networks.hits()))


def difference(condition: Networks, reference: Networks, *, rng: np.random.Generator) -> dict[str, float]:
    """Compare two conditions on the sources of all folds.

    Parameters
    ----------
    condition, reference : Networks
        Networks tested on the same sources.
    rng : numpy.random.Generator
        Source of randomness for the bootstrap.

    Returns
    -------
    dict of str to float
        Balanced accuracy of the condition minus that of the reference:

        ``value``, ``low``, ``high``: the difference and the ends of its 95 % interval, from the bootstrap.
        ``p``: two-sided p value of no difference, not adjusted.
        ``detectable``: the difference that would have been found with a power of 80 % at the level of 5 %.
        ``corrected_value``, ``corrected_low``, ``corrected_high``, ``corrected_p``: the mean over folds, its
        interval and p value from the corrected resampled t test (Nadeau & Bengio 2003), which for sources
        that all folds share leaves out the scatter of sources.

    Raises
    ------
    ValueError
        If they were tested on other sources, or differ in their numbers of networks, or in fewer than two
        folds.

    Notes
    -----
    The bootstrap draws folds, networks within folds, and sources, each with replacement and alike for both
    conditions. The scatter between folds already contains part of that between networks and sources, so that
    the interval is too wide rather than too narrow.
    """
    pair, n = (condition, reference), len(condition.labels)
    same = len(reference.labels) == n and all(map(np.array_equal, condition.labels, reference.labels))
    shapes = [[each.shape for each in networks.probabilities] for networks in pair]
    names = f"{condition.condition} and {reference.condition}"
    check(same and shapes[0] == shapes[1], f"{names} differ in test sources or numbers of networks")
    check(n >= 2, f"{condition.condition} was tested in {n} folds: give two at least")
    sample = _replicates(condition, reference, rng)
    value = balanced_accuracy(condition) - balanced_accuracy(reference)
    low, high = np.quantile(sample, [0.025, 0.975]).tolist()
    p = min(1.0, 2 * (1 + min((sample <= 0).sum(), (sample >= 0).sum())) / (len(sample) + 1))
    by_fold = [list(map(mean_over_classes, networks.labels, networks.hits())) for networks in pair]
    found = {"value": value, "low": low, "high": high, "p": p, "detectable": 2.8 * float(sample.std())}
    corrected = over_folds(np.subtract(*np.array(by_fold)), protocol()["sources"]["folds"])
    keys = (f"corrected_{key}" for key in ("value", "low", "high", "p"))
    return found | dict(zip(keys, corrected, strict=True))


def _replicates(condition: Networks, reference: Networks, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the difference in each bootstrap sample of folds, sources and networks, the same for both."""
    n_folds, n_classes = len(condition.labels), len(CLASS_NAMES)
    fold_weights = rng.multinomial(n_folds, np.full(n_folds, 1 / n_folds), REPLICATES)
    source_rng, network_rng = map(np.random.default_rng, rng.integers(2**63, size=2))
    more, total = np.zeros((2, REPLICATES, n_classes))
    sources: NDArray[Any] | None = None
    gains = list(map(np.subtract, condition.correct(), reference.correct()))
    for weights, labels, gain in zip(fold_weights.T, condition.labels, gains, strict=True):
        n_seeds, n_sources = gain.shape
        if sources is None or not condition.shared:
            sources = source_rng.multinomial(n_sources, np.full(n_sources, 1 / n_sources), REPLICATES)
            sources = sources.astype(float)
        chosen = network_rng.multinomial(n_seeds, np.full(n_seeds, 1 / n_seeds), REPLICATES) / n_seeds
        of_class = np.eye(n_classes)[labels]
        by_network = np.tensordot(sources, gain.T[:, :, None] * of_class[:, None], axes=1)
        more += weights[:, None] * np.einsum("rs,rsc->rc", chosen, by_network)
        total += weights[:, None] * (sources @ of_class)
    # A catalogue that is left out may lack a class.
    return np.nanmean(np.divide(more, total, out=np.full_like(total, np.nan), where=total > 0), axis=1)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p values for their number (Holm 1979).

    Parameters
    ----------
    p_values : sequence of float
        Unadjusted.

    Returns
    -------
    list of float
        Adjusted, in the same order.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values)
    steps = np.asarray(p_values, float)[order] * np.arange(len(p_values), 0, -1)
    return np.minimum(np.maximum.accumulate(steps), 1)[np.argsort(order)].tolist()


def scores(networks: Networks) -> dict[str, float]:
    """Return the scores of the networks of one condition, over all their sources.

    Parameters
    ----------
    networks : Networks
        What they say.

    Returns
    -------
    dict of str to float
        ``balanced_accuracy``, ``accuracy``, the ``recall`` of each class (NaN for one without sources),
        ``FR I or II`` and ``bent or not`` (`radiosynth.metrics.two_axes`), ``log_loss``, and
        ``calibration_error``: the mean absolute difference between confidence and accuracy in ten bins of
        confidence, weighted by sources.
    """
    pairs = zip(networks.probabilities, networks.labels, strict=True)
    labels = np.concatenate([np.tile(each, len(said)) for said, each in pairs])
    said = np.concatenate([each.reshape(-1, len(CLASS_NAMES)) for each in networks.probabilities])
    said = np.maximum(said, 2.0**-25)  # smaller ones are stored as zero
    said /= said.sum(axis=1, keepdims=True)
    hit, confidence, codes = said.argmax(axis=1) == labels, said.max(axis=1), range(len(CLASS_NAMES))
    recalls = [hit[labels == code].mean() if (labels == code).any() else np.nan for code in codes]
    found = {"balanced_accuracy": balanced_accuracy(networks), "accuracy": float(hit.mean())}
    found |= {f"recall {name}": float(recall) for name, recall in zip(CLASS_NAMES, recalls, strict=True)}
    found |= {question: score[0] for question, score in two_axes(labels, said).items()}
    gaps = np.bincount(np.minimum((10 * confidence).astype(int), 9), hit - confidence)
    error = float(np.abs(gaps).sum() / len(labels))
    return found | {"log_loss": float(log_loss(labels, said, labels=codes)), "calibration_error": error}


def compared(part: str) -> list[Trial]:
    """Return the networks of a part of the protocol, with the controls in the main one."""
    return trials_of(part) + (trials_of("controls") if part == "main" else [])


def saved(part: str, folder: Path | None = None) -> tuple[int, int]:
    """Return how many networks of a comparison are saved, and of how many."""
    asked = compared(part)
    return sum(((folder or networks_folder()) / f"{trial.name}.npz").exists() for trial in asked), len(asked)


def check_complete(part: str, folder: Path | None = None) -> None:
    """Raise `ValueError` if a network of a part is missing: no test is looked at before all are saved."""
    number, asked = saved(part, folder)
    fault = f"{number} of {asked} networks of the part {part!r} are saved, and no test is looked at before"
    command = f"radiosynth verdict --train {part}{' controls' * (part == 'main')}"
    check(number == asked, f"{fault} all are: `{command}`")


def comparison(test: Test = "test", part: str = "main", folder: Path | None = None) -> Table:
    """Compare every condition of a part of the protocol with the real images alone.

    Parameters
    ----------
    test : {"test", "external"}
        Which sources the networks are tested on.
    part : str
        Part of the protocol; the main one includes the controls.
    folder : Path, optional
        Folder of the records, if it is not the usual one.

    Returns
    -------
    `~astropy.table.Table`
        One row for each condition, proportion of the labels and ratio: ``condition``, ``fraction``,
        ``ratio``, ``folds``, ``seeds``, the columns of `scores` and, against as many networks of ``real``
        with the same proportion, those of `difference`, ``adjusted_p`` (Holm, over all of them) and
        ``found`` (gain, loss or no effect detected).

    Raises
    ------
    ValueError
        If a network is missing: no test is looked at before all are saved.
    """
    return _comparison(test, part, networks_folder() if folder is None else folder).copy()


@lru_cache
def _comparison(test: Test, part: str, folder: Path) -> Table:
    check_complete(part, folder)
    check(part != "controls", "the controls have no real images alone: compare the part 'main'")
    absent = test == "external" and "catalogues" in protocol()["parts"][part]
    check(not absent, f"the part {part!r} has no sources outside the sample: compare on the test 'test'")
    rng, rows = np.random.default_rng(0), []
    groups: dict[tuple[str, float, float], list[Trial]] = {}
    for trial in compared(part):
        groups.setdefault((trial.condition, trial.fraction, trial.ratio), []).append(trial)
    networks = {key: read(trials, test, folder) for key, trials in groups.items()}
    for (name, fraction, ratio), found in networks.items():
        seeds = len(found.probabilities[0])
        row: dict[str, Any] = {"condition": name, "fraction": fraction, "ratio": ratio}
        row |= {"folds": len(found.labels), "seeds": seeds} | scores(found)
        if name != "real":
            real = networks["real", fraction, 0.0]
            fewer = replace(real, probabilities=[each[:seeds] for each in real.probabilities])
            row |= difference(found, fewer, rng=rng)
        rows.append(row)
    tested = [row for row in rows if "p" in row]
    for row, p in zip(tested, holm([row["p"] for row in tested]), strict=True):
        row["adjusted_p"] = p
        row["found"] = "no effect detected" if p >= 0.05 else "gain" if row["value"] > 0 else "loss"
    return formatted(Table(rows=rows))


TESTS: dict[Test, str] = {
    "test": "held-out sources of the report's sample",
    "external": "sources outside this sample",
}
"""The two tests, in words."""


ADDED = {
    "geometric": "geometric simulations",
    "observed": "fitted simulations as FIRST would see them",
    "gan": "GAN images",
    "vae": "VAE images",
    "pretrained": "fitted simulations in pre-training only",
    "real, twice": "as many further views of the real images",
}
"""What each condition adds to the real images, in words."""


FOUND = {
    "gain": "the balanced accuracy rises",
    "loss": "the balanced accuracy falls",
    "no effect detected": "no change in balanced accuracy is detected",
}
"""What may be found, in words."""


OF_PARTS = {
    "ratio": (
        "ratio",
        "with {:g} synthetic views for each real one, ",
        "with half to four views of geometric simulations for each view of a real image",
    ),
    "few-labels": ("fraction", "with {:.0%} of the training sources, ", "with so few sources"),
}
"""What varies in the other parts that the verdict tells of, in words, for each value and for all."""


def verdict(folder: Path | None = None, *, brief: bool = False) -> str:
    """Say what the comparison found, in one paragraph: the only source of that statement.

    Parameters
    ----------
    folder : Path, optional
        Folder of the records, if it is not the usual one.
    brief : bool
        Leave out how the changes were measured.

    Returns
    -------
    str
        Which synthetic images change the balanced accuracy on which test, with intervals and adjusted p
        values, and how the changes were measured; or that the comparison is not complete.
    """
    number, asked = saved("main", folder)
    if number < asked:
        missing = f"{number} of {asked} networks are saved, and no test has been looked at"
        return f"The comparison of training sets is not complete: {missing}."
    tables = [comparison(test, folder=folder) for test in TESTS]
    found = _found(tables) + "".join(_found_in(part, folder) for part in OF_PARTS)
    if brief:
        return found
    alone = [f"{100 * table['balanced_accuracy'][0]:.1f}\N{NARROW NO-BREAK SPACE}%" for table in tables]
    power = [f"{min(each):.1f} to {max(each):.1f}" for each in (100 * t["detectable"][1:] for t in tables)]
    folds, seeds = (max(tables[0][name]) for name in ("folds", "seeds"))
    ratios = len(protocol()["parts"]["ratio"]["ratios"])
    single = _listed([ADDED[row["condition"]] for row in tables[0] if row["seeds"] < seeds], "and")
    return (
        f"{found} Real images alone, all of them, reach {alone[0]} on held-out sources and {alone[1]} "
        f"outside the sample. Changes are in percentage points, over {folds} folds with {seeds} networks "
        f"each (one for {single}, for ratios and for fewer training sources); a change is called detected "
        f"if its p value, adjusted for {len(tables[0]) - 1} comparisons on the same test ({ratios} of "
        "ratios), is below 0.05. With all training sources and as many synthetic as real views, changes of "
        f"{power[0]} points on held-out sources and {power[1]} outside the sample would have been found "
        "without adjustment with a probability of 80\N{NARROW NO-BREAK SPACE}%."
    )


def _found(tables: Sequence[Table]) -> str:
    """Say in one sentence which changes by synthetic images are detected, and the limits of the others."""
    kinds = protocol()["conditions"]
    synthetic = np.array(["synthetic" in kinds[name] for name in tables[0]["condition"]])
    quiet = synthetic & np.all([table["found"] == "no effect detected" for table in tables], axis=0)
    parts = []
    if quiet.any():
        limits = [
            f"between {_points(min(rows['low']))} and {_points(max(rows['high']))} points on {name}"
            for rows, name in zip([table[quiet] for table in tables], TESTS.values(), strict=True)
        ]
        listed = _listed([ADDED[name] for name in tables[0][quiet]["condition"]], "or")
        within = f"95\N{NARROW NO-BREAK SPACE}% intervals {_listed(limits, 'and')}"
        parts.append(f"{FOUND['no effect detected']} when {listed} are used ({within})")
    parts += _detected([table[synthetic] for table in tables])
    return f"With all training sources, {'; '.join(parts)}."


def _found_in(part: str, folder: Path | None) -> str:
    """Say what a part detects for each value of a column, and that it is all; nothing before it is whole."""
    number, asked = saved(part, folder)
    if number < asked:
        return ""
    (column, words, such), parts = OF_PARTS[part], list[str]()
    tables = [comparison(test, part, folder) for test in TESTS]
    for value in protocol()["parts"][part][f"{column}s"]:
        where = words.format(value).replace("%", "\N{NARROW NO-BREAK SPACE}%")
        parts += _detected([table[table[column] == value] for table in tables], where)
    parts.append(f"no {'other ' * bool(parts)}change is detected {such}")
    said = "; ".join(parts)
    return f" {said[:1].upper()}{said[1:]}."


def _detected(tables: Sequence[Table], where: str = "") -> list[str]:
    """Say for each test what is detected on it."""
    compared = [table[table["condition"] != "real"] for table in tables]
    detected = [table[table["found"] != "no effect detected"] for table in compared]
    named = zip(detected, TESTS.values(), strict=True)
    return [f"{where}on {name}, {_said(rows)}" for rows, name in named if len(rows)]


def _said(rows: Table) -> str:
    """Say which changes were detected on one test."""
    parts = []
    for found in np.unique(rows["found"]):
        changes = []
        for row in rows[rows["found"] == found]:
            value, low, high = (_points(row[key]) for key in ("value", "low", "high"))
            said = f"{value}, {low} to {high}; adjusted p = {row['adjusted_p']:.2g}"
            changes.append(f"{ADDED[row['condition']]} ({said})")
        parts.append(f"{FOUND[found]} when {_listed(changes, 'or')} are used")
    return "; ".join(parts)


def _listed(parts: Sequence[str], word: str) -> str:
    """Return a list as a sentence has it."""
    *others, last = parts
    return f" {word} ".join([", ".join(others), last] if others else [last])


def _points(change: float) -> str:
    """Typeset a change in percentage points."""
    return f"{100 * change:+.1f}".replace("-", "−")
