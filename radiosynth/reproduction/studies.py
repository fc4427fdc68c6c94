"""Questions that one run cannot answer: grids of runs over splits, and paired comparisons of them.

The report's claim rests on one split and one seed. A study repeats each of its arms over ten divisions of
the sources into parts that train, validate and test, so that every source is tested once by every arm,
by a network (and a generator) that never saw it. Its record is one folder of tables: the predictions for
every source, and every history.
"""

from __future__ import annotations

import itertools
import json
import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

import joblib
import numpy as np
from astropy.table import Table, vstack
from numpy.typing import NDArray
from scipy.stats import binomtest, bootstrap, sem, t

from radiosynth import metrics
from radiosynth._io import check, read_json, read_table, readable, write_table, write_text
from radiosynth.reproduction import recipes, scales
from radiosynth.reproduction.configs import ClassifierConfig, GANConfig
from radiosynth.reproduction.presets import classifier_config, gan_config
from radiosynth.reproduction.runs import Run, provenance, runs_root
from radiosynth.stopping import TrainingStopped

__all__ = [
    "STUDIES",
    "Comparison",
    "StudyResult",
    "accuracy_by_fold",
    "another_part",
    "best_study",
    "compare",
    "epochs_gain",
    "finding",
    "numbers",
    "run_study",
    "study_arms",
    "summary",
]

log = logging.getLogger("radiosynth")


T = TypeVar("T")


Arms = dict[str, list[ClassifierConfig]]


Layout = tuple[Arms, dict[str, str]]
"""The arms of a study, and for each arm that is compared the name of the one that it is compared with."""


SCALES: dict[str, dict[str, Any]] = {
    "smoke": {
        "folds": 3,
        "repeats": 2,
        "few": 1,
        "per_class": 150,
        "validation_per_class": 150,
        "epochs": 2,
    },
    "laptop": {
        "folds": 10,
        "repeats": 10,
        "few": 10,
        "per_class": 1000,
        "validation_per_class": 100,
        "epochs": 15,
        "precision": "mixed_bfloat16",
    },
    "report": {"folds": 10, "repeats": 10, "few": 10, "short": 30},
}
"""For each scale: into how many parts the sources are divided, how many of them test in the main study and in
most others, if so the number of epochs in these, and what differs from the classifiers of that scale. The
notebook of the report has 30 epochs."""


def _protocol(make: Callable[..., list[ClassifierConfig]], epochs: int, few: int) -> Layout:
    arms = {
        "real": make("real", epochs=2 * epochs),
        "real+geometric": make("real+geometric"),
        "real+gan": make("real+gan"),
    }
    return arms, {"real+geometric": "real", "real+gan": "real"}


def _published_code(make: Callable[..., list[ClassifierConfig]], epochs: int, few: int) -> Layout:
    first = make("real+gan")[0]
    seeing = (gan_config("all", first.scale, leak=True, size=first.size),)
    every = {
        "set (c) done right": make("real+gan"),
        "FR I generator for FR II": make("real+gan", mistaken=True),
        "generators saw the test sources": make("real+gan", generators=seeing),
        "real": make("real", epochs=2 * epochs),
        "shared sky on both sides": make("real", epochs=2 * epochs, keep_groups=False),
    }
    arms = {arm: configs[:few] for arm, configs in every.items()}
    right, *wrong, real, shared = arms
    return arms, {**dict.fromkeys(wrong, right), shared: real}


def _data_size(
    make: Callable[..., list[ClassifierConfig]],
    epochs: int,
    few: int,
    fractions: tuple[float, ...] = (1.0, 0.25, 0.05),
) -> Layout:
    arms, references = {}, {}
    for fraction in fractions:
        for name, passes in (("real", 2 * epochs), ("real+geometric", epochs)):
            arms[f"{name}, {fraction:.0%}"] = make(name, epochs=passes, fraction=fraction)[:few]
        references[f"real+geometric, {fraction:.0%}"] = f"real, {fraction:.0%}"
    return arms, references


GRIDS: dict[str, dict[str, Any]] = {
    "smoke": {"few": 1, "sizes": (28, 56), "copies": (150, 300), "settings": {}},
    # Fewer and larger parts that test, and a narrower network, to be done in minutes.
    "laptop": {
        "few": 2,
        "sizes": (28, 42, 56, 75, 112, 150),
        "copies": (250, 1000, 3000),
        "settings": {"folds": 4, "width": 0.25, "per_class": 500, "epochs": 16},
        "passes": 6000,
    },
    "report": {
        "few": 10,
        "sizes": (28, 42, 56, 75, 112, 150),
        "copies": (400, 1500, 6000, 15_000),
        "settings": {},
    },
}
"""For each scale: image sizes in pixels, numbers of augmented images per class, how many parts of the sources
test them, and what differs from the other studies."""


FRACTIONS = (1.0, 0.25, 0.1, 0.05)
"""Shares of the real training sources in the learning curve; all but one are those of "data-size" too."""


def _image_size(make: Callable[..., list[ClassifierConfig]], epochs: int, few: int) -> Layout:
    grid = GRIDS[make("real")[0].scale]
    # At a constant rate, what the last epoch leaves of a large residual network is luck.
    schedules = {"report": "constant", "residual": "cosine"}
    arms = {
        f"{architecture}, {size} px": make(
            "real", **grid["settings"], size=size, architecture=architecture, schedule=schedule
        )[: grid["few"]]
        for architecture, schedule in schedules.items()
        for size in grid["sizes"]
    }
    reference = "report, 56 px"
    return arms, {arm: reference for arm in arms if arm != reference}


def _augmentations(make: Callable[..., list[ClassifierConfig]], epochs: int, few: int) -> Layout:
    first = make("real")[0]
    grid = GRIDS[first.scale]
    passes = grid.get("passes", epochs * first.per_class)  # images of each class that are shown in all
    arms, references = {}, {}
    for copies in grid["copies"]:
        for name, times in (("real", 2), ("real+geometric", 1)):
            changes = {**grid["settings"], "per_class": copies, "epochs": times * passes // copies}
            arms[f"{name}, {copies}"] = make(name, **changes)[: grid["few"]]
        references[f"real+geometric, {copies}"] = f"real, {copies}"
    return arms, references


def _populations(make: Callable[..., list[ClassifierConfig]], epochs: int, few: int) -> Layout:
    grid = GRIDS[make("real")[0].scale]
    variants = {"": ({"epochs": epochs}, few)}
    if grid["settings"]:  # a bad set does more harm to a short training
        variants[", short"] = ({**grid["settings"], "epochs": grid["settings"]["epochs"] // 2}, grid["few"])
    arms, references = {}, {}
    for end, (changes, number) in variants.items():
        arms[f"real{end}"] = make("real", **{**changes, "epochs": 2 * changes["epochs"]})[:number]
        for name in ("real+geometric", "real+fitted"):
            arms[name + end] = make(name, **changes)[:number]
            references[name + end] = f"real{end}"
    return arms, references


def _learning_curve(make: Callable[..., list[ClassifierConfig]], epochs: int, few: int) -> Layout:
    return _data_size(make, epochs, few, FRACTIONS)


STUDIES: dict[str, tuple[str, Callable[..., Layout]]] = {
    "protocol": ("Do synthetic images help?", _protocol),
    "published-code": ("What did the slips of the published code do?", _published_code),
    "data-size": ("How does the gain depend on the number of real sources?", _data_size),
    "image-size": ("How large need the images be?", _image_size),
    "augmentations": ("How many turned copies of each image are enough?", _augmentations),
    "populations": ("Is a population fitted to real images the better teacher?", _populations),
    "learning-curve": ("What would more real sources bring?", _learning_curve),
}
"""The question of each study, and what lays out its arms."""


def study_arms(name: str, scale: str | None = None) -> Arms:
    """Return the configurations of a study: for each arm, one for each division of the sources.

    All arms make the same number of steps: where synthetic images double the training set, the set of real
    images alone gets twice the epochs.

    Parameters
    ----------
    name : str
        One of `STUDIES`.
    scale : str, optional
        One of `radiosynth.reproduction.scales.SCALES`; that of the environment if not given.

    Returns
    -------
    dict of str to list of ClassifierConfig
        By name of the arm. Arms of different studies share runs that are alike.

    Raises
    ------
    ValueError
        If there is no such study or scale.

    Examples
    --------
    >>> {arm: len(configs) for arm, configs in study_arms("protocol", "report").items()}
    {'real': 10, 'real+geometric': 10, 'real+gan': 10}
    """
    return _layout(name, scale)[0]


def _layout(name: str, scale: str | None) -> Layout:
    if name not in STUDIES:
        msg = f"unknown study {name!r}: the studies are {', '.join(STUDIES)}"
        raise ValueError(msg)
    scale = scale or scales.current_scale()
    whole = classifier_config("real", scale)  # refuses an unknown scale
    settings = dict(SCALES[scale])
    folds, repeats, few = (settings.pop(key) for key in ("folds", "repeats", "few"))
    short = settings.pop("short", None)
    if short and name not in ("protocol", "populations"):  # which share their runs
        settings["epochs"] = short
    epochs = settings.get("epochs", whole.epochs)

    def make(training_set: str, **changes: Any) -> list[ClassifierConfig]:
        return [
            classifier_config(
                training_set, scale, **{**settings, "folds": folds, "fold": fold, "seed": fold, **changes}
            )
            for fold in range(min(repeats, changes.get("folds", folds)))
        ]

    return STUDIES[name][1](make, epochs, few)


@dataclass(frozen=True)
class StudyResult:
    """What a study found.

    Parameters
    ----------
    folder : Path
        Where it is recorded.
    config : ClassifierConfig
        Configuration of its first run.
    references : dict of str to str
        For each arm that is compared, the name of the arm that it is compared with.
    sources : `~astropy.table.Table`
        One row per arm and tested source: ``arm``, ``fold``, ``name``, ``label`` and the probabilities
        ``p0`` … ``p3`` for the untouched image.
    histories : `~astropy.table.Table`
        One row per arm, fold and epoch, as in the histories of the runs.
    replayed : bool
        Whether it was recorded before it was asked for.
    """

    folder: Path
    config: ClassifierConfig
    references: dict[str, str]
    sources: Table
    histories: Table
    replayed: bool

    @property
    def arms(self) -> list[str]:
        """Names of the arms, in their order."""
        return list(dict.fromkeys(self.sources["arm"].tolist()))

    def right(self, arm: str) -> Table:
        """Return ``name``, ``fold``, ``label`` and ``right`` (or wrong) of the sources of an arm."""
        rows = self.sources[self.sources["arm"] == arm]
        chosen = np.stack([rows[f"p{code}"] for code in range(4)], axis=1).argmax(axis=1)
        table = rows["name", "fold", "label"]
        table["right"] = chosen == rows["label"]
        return table


@dataclass(frozen=True)
class Comparison:
    """Two arms on the same sources.

    Parameters
    ----------
    difference, low, high : float
        Accuracy of the second minus that of the first, and its 95 % interval from resampling sources.
    p_value : float
        Of McNemar's exact test that both err equally often.
    gained, lost : int
        Sources that only the second, or only the first, classifies rightly.
    fold_mean, fold_sd : float
        Mean and standard deviation of the difference over the divisions of the sources.
    effect : float
        Cohen's d: that mean in units of that standard deviation.
    balanced, balanced_low, balanced_high : float
        The same difference of the balanced accuracy, the mean recall of the classes.
    finding : str
        What the p-value and the intervals of both differences and of the mean over divisions (Student's t)
        establish, as `finding` says it.
    """

    difference: float
    low: float
    high: float
    p_value: float
    gained: int
    lost: int
    fold_mean: float
    fold_sd: float
    effect: float
    balanced: float
    balanced_low: float
    balanced_high: float
    finding: str


def finding(p_value: float, *intervals: tuple[float, float]) -> str:
    """Say what a change of accuracy establishes: ``"gain"``, ``"loss"`` or ``"not established"``.

    All pages and the paper ask this function, so that no two of them say different things.

    Parameters
    ----------
    p_value : float
        Of the test that there is no change.
    *intervals : tuple of float
        Ends of 95 % intervals of the change, such as those of accuracy and of balanced accuracy over sources,
        and of the mean over divisions, which alone holds the scatter of trainings.

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


def compare(result: StudyResult, first: str, second: str) -> Comparison:
    """Compare two arms of a study source by source.

    Parameters
    ----------
    result : StudyResult
        A study.
    first, second : str
        Names of two of its arms.

    Returns
    -------
    Comparison
        The second against the first, over the sources that both tested.

    Raises
    ------
    ValueError
        If an arm is not in the study, or both have no source in common.
    """
    for arm in (first, second):
        if arm not in result.arms:
            msg = f"no arm {arm!r} in {result.folder.name}: it has {', '.join(result.arms)}"
            raise ValueError(msg)
    a, b = result.right(first), result.right(second)
    _, rows_a, rows_b = np.intersect1d(a["name"], b["name"], return_indices=True)
    if len(rows_a) < 2:
        msg = (
            f"{first!r} and {second!r} tested {len(rows_a)} sources in common: an interval needs two at least"
        )
        raise ValueError(msg)
    folds = np.asarray(a["fold"][rows_a])
    change = np.asarray(b["right"][rows_b], int) - np.asarray(a["right"][rows_a], int)
    gained, lost = int((change > 0).sum()), int((change < 0).sum())
    interval = bootstrap(
        (change,), np.mean, n_resamples=5000, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    by_fold = np.array([change[folds == fold].mean() for fold in np.unique(folds)])
    mean, sd = float(by_fold.mean()), float(by_fold.std(ddof=1)) if len(by_fold) > 1 else np.nan
    low, high = float(interval.low), float(interval.high)
    p_value = float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0
    balanced = metrics.class_mean(a["label"][rows_a], change)
    return Comparison(
        float(change.mean()),
        low,
        high,
        p_value,
        gained,
        lost,
        mean,
        sd,
        mean / sd if sd > 0 else np.nan,
        *balanced,
        finding(p_value, (low, high), balanced[1:], _interval(by_fold)[1:]),
    )


def summary(result: StudyResult) -> Table:
    """Return the accuracy of each arm and its comparison with its reference.

    Parameters
    ----------
    result : StudyResult
        A study.

    Returns
    -------
    `~astropy.table.Table`
        One row per arm: ``arm``, ``runs``, ``sources`` tested, ``accuracy`` and ``balanced_accuracy`` (the
        mean recall), each with the ends of its 95 % interval, such as ``accuracy_low`` and ``accuracy_high``,
        ``compared_with`` (itself, for a reference), and the fields of `Comparison`.
    """
    rows = []
    for arm in result.arms:
        table = result.right(arm)
        row = {"arm": arm, "runs": len(np.unique(table["fold"])), "sources": len(table)}
        row |= _accuracies(table["label"], table["right"])
        reference = result.references.get(arm, arm)
        rows.append(row | {"compared_with": reference} | asdict(compare(result, reference, arm)))
    found = Table(rows)
    for column in found.itercols():
        if column.dtype.kind == "f":
            column.info.format = ".2g" if column.name == "p_value" else ".4f"
    return found


def _accuracies(labels: NDArray[np.int64], right: NDArray[np.bool_]) -> dict[str, float]:
    """Return accuracy and balanced accuracy with the ends of their 95 % intervals."""
    both = {"accuracy": metrics.share(right, confidence=0.95)}
    both["balanced_accuracy"] = metrics.class_mean(labels, right)
    ends = ("", "_low", "_high")
    return {
        name + end: number for name, found in both.items() for end, number in zip(ends, found, strict=True)
    }


def run_study(
    name: str,
    scale: str | None = None,
    *,
    jobs: int = 1,
    time_limit: float | None = None,
    extend: bool = False,
) -> StudyResult:
    """Return a study, replayed if it is recorded; otherwise its missing runs are computed first.

    Runs that were finished or begun before are taken up, so that a study can be computed in slices, or by
    several processes or machines that share the folder of runs; those that another study of the same scale
    has recorded are taken from there. When the time is over, those divisions of the sources are recorded that
    all arms have tested, if there are two or more.

    Parameters
    ----------
    name : str
        One of `STUDIES`.
    scale : str, optional
        One of `radiosynth.reproduction.scales.SCALES`; that of the environment if not given.
    jobs : int, default 1
        Runs at a time, each on its share of the processors.
    time_limit : float, optional
        Seconds after which nothing new is begun.
    extend : bool, default False
        Compute the divisions that a record lacks, instead of replaying those that it has.

    Returns
    -------
    StudyResult
        The study.

    Raises
    ------
    ValueError
        If there is no such study or scale.
    radiosynth.training.TrainingStopped
        If the time was over before all runs were done; calling again, with `extend`, goes on.
    """
    scale = scale or scales.current_scale()
    arms, references = _layout(name, scale)
    return run_arms(name, scale, arms, references, jobs=jobs, time_limit=time_limit, extend=extend)


def run_arms(
    name: str,
    scale: str,
    arms: Arms,
    references: dict[str, str],
    *,
    jobs: int = 1,
    time_limit: float | None = None,
    extend: bool = False,
) -> StudyResult:
    """Return the study of any arms, replayed if it is recorded; see `run_study`.

    Parameters
    ----------
    name, scale : str
        What the folder of its record is called.
    arms : dict of str to list of ClassifierConfig
        By name, one configuration for each division of the sources.
    references : dict of str to str
        For each arm that is compared, the name of the arm that it is compared with.
    jobs, time_limit, extend
        As in `run_study`.

    Returns
    -------
    StudyResult
        The study.

    Raises
    ------
    ValueError
        If the folder holds a study of other runs.
    radiosynth.training.TrainingStopped
        If the time was over before all runs were done; calling again, with `extend`, goes on.
    """
    folder = study_folder(name, scale)
    recorded = _recorded(folder)
    plan = {arm: [config.name for config in configs] for arm, configs in arms.items()}
    if recorded and not all(set(names) <= set(plan.get(arm, ())) for arm, names in recorded.items()):
        msg = f"{folder} holds a study of other runs: remove its study.json and run it again"
        raise ValueError(msg)
    known = _where_recorded(folder)
    # Division by division, so that whole ones are done when the time is over.
    of_division = list(itertools.zip_longest(*arms.values()))
    planned = dict.fromkeys(config for row in of_division for config in row if config is not None)
    classifiers = [config for config in planned if config.name not in known]
    lacking = set().union(*plan.values()) - set().union(*recorded.values())
    if recorded and not (extend and lacking):
        more = f", which lacks {len(lacking)} runs: --extend computes them" if lacking else ""
        log.info("replaying %s%s", folder.name, more)
        return _read(folder, arms, references, replayed=True)
    missing = [config for config in classifiers if not _finished(config)]
    generators = list(dict.fromkeys(gan for config in missing for gan in config.generators))
    deadline = None if time_limit is None else time.time() + time_limit
    try:
        for configs in (generators, classifiers):
            _run_all(configs, jobs, deadline)
    except TrainingStopped as stop:
        if stop.interrupted:  # the same command goes on, which a record would be replayed by
            raise
        whole = [all(c is None or c.name in known or _finished(c) for c in row) for row in of_division]
        tested = {arm: list(itertools.compress(configs, whole)) for arm, configs in arms.items()}
        if sum(whole) > max([1, *map(len, recorded.values())]):
            _record(name, folder, tested, references)
        raise
    return _record(name, folder, arms, references)


def another_part(arms: Arms) -> tuple[Table, list[Run[ClassifierConfig]]]:
    """Try arms of a study on the part of the sources after those that the study tests, with another seed.

    What a record says should hold there too.

    Parameters
    ----------
    arms : dict of str to list of ClassifierConfig
        Arms of a study that leaves parts untested, all or some of them, as from `study_arms`.

    Returns
    -------
    table : `~astropy.table.Table`
        One row per arm: ``arm``, ``sources`` tested, ``accuracy`` and ``balanced_accuracy`` with the ends of
        their 95 % intervals, as in `summary`.
    runs : list of Run
        The run of each arm, trained now if it is not recorded.

    Raises
    ------
    ValueError
        If a study tests all parts already.
    """
    rows, runs = [], []
    for arm, configs in arms.items():
        done, first = len(configs), configs[0]
        if done >= first.folds:
            msg = f"{arm} tests all of its {max(1, first.folds)} parts: give arms that leave one untested"
            raise ValueError(msg)
        generators = tuple(replace(each, fold=done) if each.folds else each for each in first.generators)
        run = recipes.run(replace(first, fold=done, seed=done, generators=generators))
        stored = run.predictions
        plain = stored["plain"]
        right = (stored["probabilities"].argmax(axis=1) == stored["labels"])[plain]
        rows.append({"arm": arm, "sources": len(right), **_accuracies(stored["labels"][plain], right)})
        runs.append(run)
    table = Table(rows)
    for name in table.colnames[2:]:
        table[name].info.format = ".4f"
    return table, runs


def best_study(name: str) -> StudyResult:
    """Return the study of the largest scale that is recorded; without one, compute it at the current scale.

    Parameters
    ----------
    name : str
        One of `STUDIES`.

    Returns
    -------
    StudyResult
        The study; its configuration tells the scale.

    Raises
    ------
    ValueError
        If there is no such study.
    """
    return run_study(name, recorded_scale(name))


def recorded_scale(name: str) -> str | None:
    """Return the largest scale at which a study is recorded; None if it is not."""
    recorded = [scale for scale in SCALES if (study_folder(name, scale) / "study.json").exists()]
    return recorded[-1] if recorded else None


def study_folder(name: str, scale: str) -> Path:
    """Return where the record of a study is kept."""
    return runs_root() / f"{scale}-study-{name}"


def _finished(config: ClassifierConfig | GANConfig) -> bool:
    return (runs_root() / config.name / "provenance.json").exists()


def _recorded(folder: Path) -> dict[str, list[str]]:
    """Return the runs of each arm of a recorded study; nothing if there is no record."""
    path = folder / "study.json"
    if not path.exists():
        return {}
    with readable(path):
        return {str(arm): list(runs) for arm, runs in _record_of(folder)["arms"].items()}


def _record_of(folder: Path) -> dict[str, Any]:
    return read_json(folder / "study.json", ["arms", "finished"])


def _where_recorded(folder: Path) -> dict[str, tuple[Path, str]]:
    """Return which study of the same scale holds a run, and as which arm; this one comes before others."""
    scale = folder.name.partition("-study-")[0]
    folders = [*sorted(folder.parent.glob(f"{scale}-study-*")), folder]
    return {run: (study, arm) for study in folders for arm, runs in _recorded(study).items() for run in runs}


def _run_all(configs: list[Any], jobs: int, deadline: float | None) -> None:
    missing = [config for config in configs if not _finished(config)]
    if not missing:
        return
    left = len(missing)
    for finished in each(partial(_run_one, deadline=deadline), missing, jobs):
        if finished:
            left -= 1
            log.info("%s, %d left", finished, left)
    if left:
        msg = f"{left} of {len(missing)} runs are left and the time is over; run the same command again"
        raise TrainingStopped(msg)


def each(do: Callable[[T], str], tasks: Sequence[T], jobs: int) -> Iterator[str]:
    """Yield what `do` says of each task as it is done, by `jobs` processes at a time.

    What ends this process ends all of them; what is done until then is kept.
    """
    if jobs < 1:
        msg = f"jobs={jobs}: give at least one process at a time"
        raise ValueError(msg)
    if jobs == 1:
        yield from map(do, tasks)
        return
    # TensorFlow reads the number of threads when it starts.
    os.environ["TF_NUM_INTRAOP_THREADS"] = str(max(1, (os.cpu_count() or 1) // jobs))
    work = joblib.Parallel(
        jobs, return_as="generator_unordered", pre_dispatch="n_jobs", batch_size=1, idle_worker_timeout=10
    )
    yield from work(joblib.delayed(_under)(os.getpid(), do, task) for task in tasks)


def _under(parent: int, do: Callable[[T], str], task: T) -> str:
    """Do a task in a process that ends with its parent, whatever ends that, and by its hand alone."""
    if multiprocessing.current_process().name.startswith("Loky"):  # and not a thread, or another machine
        for name in ("SIGINT", "SIGTERM", "SIGUSR1"):
            signal.signal(getattr(signal, name, signal.SIGINT), signal.SIG_IGN)
        _end_with(parent)
    return do(task)


@cache
def _end_with(parent: int) -> None:
    """Watch whether the parent lives, from now on."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _run_one(config: ClassifierConfig | GANConfig, deadline: float | None) -> str:
    """Do one run and return its name, or nothing if there was no time."""
    import keras

    left = None if deadline is None else deadline - time.time()
    if left is not None and left <= 0:
        return ""
    try:
        recipes.run(config, time_limit=left)
    except TrainingStopped as stop:
        if stop.interrupted:
            raise
        return ""
    keras.utils.clear_session()  # else every network that was built stays in memory
    return config.name


def _record(name: str, folder: Path, arms: Arms, references: dict[str, str]) -> StudyResult:
    """Gather the predictions and the histories of the runs of a study, from runs and from earlier records."""
    known = _where_recorded(folder)
    read = cache(partial(_read, arms=arms, references=references, replayed=False))
    sources: list[Table] = []
    histories: list[Table] = []
    made: dict[str, dict[str, Any]] = {}
    taken: dict[Path, dict[str, Any]] = {}
    for arm, configs in arms.items():
        for config in configs:
            if config.name in known:
                study, name_there = known[config.name]
                taken[study] = _record_of(study)
                before = read(study)
                for table, parts in ((before.sources, sources), (before.histories, histories)):
                    part = table[(table["arm"] == name_there) & (table["fold"] == config.fold)]
                    part["arm"] = [arm] * len(part)  # a scalar would be cut to the old width
                    parts.append(part)
                continue
            run = recipes.run(config)
            made[config.name] = run.provenance
            stored = run.predictions
            plain = stored["plain"]
            found = Table({"name": stored["names"][plain], "label": stored["labels"][plain]})
            for code in range(4):
                found[f"p{code}"] = stored["probabilities"][plain, code].astype(float).round(4)
            history = run.history
            for table, parts in ((found, sources), (history, histories)):
                table.add_columns([[arm] * len(table), [config.fold] * len(table)], [0, 0], ["arm", "fold"])
                parts.append(table)
    folder.mkdir(parents=True, exist_ok=True)
    for file, parts in (("sources", sources), ("histories", histories)):
        whole = vstack(parts)
        for column in whole.itercols():
            if column.dtype.kind == "f":
                column.info.format = ".4f"
        write_table(folder / f"{file}.csv", whole)
    plan = {arm: [config.name for config in configs] for arm, configs in arms.items()}
    result = _read(folder, arms, references, replayed=False, plan=plan)
    _write_json(folder / "summary.json", {"name": name, "numbers": numbers(result)})
    last = max([*made.values(), *taken.values()], key=lambda provenance: provenance["finished"])
    content = {key: last[key] for key in provenance()}  # where the runs were done, not this
    content |= {"study": name, "arms": plan}
    seconds = {"seconds_training": round(float(np.sum(result.histories["seconds"])))}
    _write_json(folder / "study.json", content | seconds)
    return result


def _write_json(path: Path, content: dict[str, Any]) -> None:
    write_text(path, json.dumps(content, indent=1) + "\n")


def _read(
    folder: Path,
    arms: Arms,
    references: dict[str, str],
    *,
    replayed: bool,
    plan: dict[str, list[str]] | None = None,
) -> StudyResult:
    first = next(iter(arms.values()))[0]
    number = sum(map(len, (plan or _recorded(folder)).values()))
    sources, histories = (_read_part(folder / f"{file}.csv", number) for file in ("sources", "histories"))
    return StudyResult(folder, first, references, sources, histories, replayed)


def _read_part(path: Path, number: int) -> Table:
    """Return a table of a study, which has to have rows of so many runs."""
    table = read_table(path, text=("arm", "name"))
    with readable(path):
        held = set(zip(table["arm"].tolist(), table["fold"].tolist(), strict=True))
        check(len(held) == number, f"{len(held)} of {number} runs")
    return table


def numbers(result: StudyResult) -> dict[str, dict[str, Any]]:
    """Return what a study found, number by number, as the paper reads it.

    Parameters
    ----------
    result : StudyResult
        A study.

    Returns
    -------
    dict
        By name: ``value`` and the ends of its 95 % interval, ``low`` and ``high``; a change of accuracy also
        has its ``p_value`` and its `finding`. The gain by adversarial images has the name of the report's own
        number, ``training.gain of real+gan``.
    """
    tested = len(np.unique(result.sources["fold"]))
    found: dict[str, dict[str, Any]] = {"divisions": dict.fromkeys(_ENDS, tested)}
    for row in summary(result):
        arm = str(row["arm"])
        key = f"training.gain of {arm}" if arm == "real+gan" else f"change: {arm}"
        columns = {f"accuracy: {arm}": "accuracy", f"balanced accuracy: {arm}": "balanced_accuracy"}
        if arm in result.references:
            columns |= {key: "difference", f"balanced change: {arm}": "balanced"}
        for name, column in columns.items():
            ends = "" if column == "difference" else f"{column}_"
            found[name] = {"value": row[column], "low": row[f"{ends}low"], "high": row[f"{ends}high"]}
            found[name] = {part: float(number) for part, number in found[name].items()}
        if arm in result.references:
            found[key] |= {"p_value": float(row["p_value"]), "finding": str(row["finding"])}
    if "real+gan" in result.arms:
        for arm in ("real", "real+gan"):
            gain = dict(zip(_ENDS, epochs_gain(result, arm), strict=True))
            found[f"change: all epochs, not three tenths of them ({arm})"] = gain
    wrong = "FR I generator for FR II"
    if wrong in result.arms:
        first, second = (_last(result, arm, "accuracy") for arm in (result.references[wrong], wrong))
        found[f"change in training: {wrong}"] = dict(zip(_ENDS, _interval(second - first), strict=True))
    return found


_ENDS = ("value", "low", "high")


def epochs_gain(result: StudyResult, arm: str, *, share: float = 0.3) -> tuple[float, float, float]:
    """Return what the epochs after the first `share` of them add to the validation accuracy of an arm.

    Parameters
    ----------
    result : StudyResult
        A study.
    arm : str
        Name of one of its arms.
    share : float, default 0.3
        Part of the epochs after which the notebook of the report stops: 30 of 100.

    Returns
    -------
    value, low, high : float
        Mean over the divisions of the sources, and the ends of its 95 % interval (Student's t).
    """
    early, late = (_last(result, arm, "plain_accuracy", share=part) for part in (share, 1.0))
    return _interval(late - early)


def _last(result: StudyResult, arm: str, column: str, *, share: float = 1.0) -> NDArray[np.float64]:
    """Return what the histories of an arm hold after a share of the epochs, division by division."""
    history = result.histories[result.histories["arm"] == arm]
    epoch = max(1, round(share * max(history["epoch"])))
    return np.asarray(history[column][history["epoch"] == epoch], float)


def _interval(values: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return the mean of values and the ends of its 95 % interval (Student's t)."""
    half = t.ppf(0.975, len(values) - 1) * sem(values) if len(values) > 1 else np.nan
    return float(values.mean()), float(values.mean() - half), float(values.mean() + half)


def accuracy_by_fold(result: StudyResult, arm: str) -> NDArray[np.float64]:
    """Return the accuracy of an arm in each division of the sources."""
    table = result.right(arm)
    return np.array([table["right"][table["fold"] == fold].mean() for fold in np.unique(table["fold"])])
