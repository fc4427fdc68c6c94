"""Questions that one run cannot answer: grids of runs over splits, and paired comparisons of them.

The report's claim rests on one split and one seed. A study repeats each of its conditions over ten folds,
which train, validate and test by turns, so that every source is tested once in every condition, by a network
(and a generator) that never saw it. What is saved of it is one folder of tables: the predictions for every
source, and every history.
"""

from __future__ import annotations

import itertools
import logging
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

import joblib
import numpy as np
from astropy.table import Table, vstack

from radiosynth._io import check, read_json, read_table, readable, write_json, write_table
from radiosynth.reproduction import recipes, scales
from radiosynth.reproduction.comparisons import (
    Comparison,
    StudyResult,
    accuracies,
    accuracy_by_fold,
    compare,
    epochs_gain,
    finding,
    formatted,
    numbers,
    summary,
)
from radiosynth.reproduction.configs import ClassifierConfig, Config
from radiosynth.reproduction.layouts import STUDIES, Arms, layout, study_arms
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


R = TypeVar("R")


def run_study(
    name: str,
    scale: str | None = None,
    *,
    jobs: int = 1,
    time_limit: float | None = None,
    extend: bool = False,
) -> StudyResult:
    """Return a study, loaded if it is saved; otherwise its missing runs are made first.

    Runs that were finished or begun before are taken up, so that a study can be made in slices, or by
    several processes or machines that share the folder of runs; those that another study of the same scale
    has saved are taken from there. When the time is over, those folds are saved that all conditions have
    tested, if there are two or more.

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
        Make the folds that a saved study lacks, instead of loading those that it has.

    Returns
    -------
    StudyResult
        The study.

    Raises
    ------
    ValueError
        If there is no such study or scale.
    radiosynth.training.TrainingStopped
        If the time was over before all runs were done; calling again, with `extend`, resumes.
    """
    scale = scales.asked_scale(scale)
    return run_arms(name, scale, *layout(name, scale), jobs=jobs, time_limit=time_limit, extend=extend)


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
    """Return the study of any conditions, loaded if it is saved; see `run_study`.

    Parameters
    ----------
    name, scale : str
        What the folder of the study is called.
    arms : dict of str to list of ClassifierConfig
        By name of the condition, one configuration for each fold.
    references : dict of str to str
        For each condition that is compared, the name of the one that it is compared with.
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
        If the time was over before all runs were done; calling again, with `extend`, resumes.
    """
    deadline = None if time_limit is None else time.time() + time_limit
    folder = study_folder(name, scale)
    saved, asked = _saved_arms(folder), _names(arms)
    if any(set(names) - set(asked.get(arm, ())) for arm, names in saved.items()):
        msg = f"{folder} holds a study of other runs: remove its study.json and run it again"
        raise ValueError(msg)
    lacking = set().union(*asked.values()) - set().union(*saved.values())
    if saved and not (extend and lacking):
        more = f", which lacks {len(lacking)} runs: --extend makes them" if lacking else ""
        log.info("loading the saved %s%s", folder.name, more)
        return _load(folder, arms, references, saved, replayed=True)
    known = _where_saved(folder)
    # Fold by fold, so that whole ones are done when the time is over.
    by_fold = [[config for config in row if config] for row in itertools.zip_longest(*arms.values())]
    needed = [config for config in itertools.chain(*by_fold) if config.name not in known]
    generators = [each for config in needed if not _finished(config) for each in config.requires]
    try:
        _run_all(generators, jobs, deadline)
        _run_all(needed, jobs, deadline)
    except TrainingStopped as stop:
        whole = [all(c.name in known or _finished(c) for c in row) for row in by_fold]
        tested = {arm: list(itertools.compress(configs, whole)) for arm, configs in arms.items()}
        # After an interrupt the same command is to resume, where a saved study would be loaded.
        if not stop.interrupted and sum(whole) > max([1, *map(len, saved.values())]):
            _save(name, folder, tested, references)
        raise
    return _save(name, folder, arms, references)


def another_part(arms: Arms) -> tuple[Table, list[Run[ClassifierConfig]]]:
    """Try conditions of a study on the fold after those that the study tests, with another seed.

    What the study says should hold there too.

    Parameters
    ----------
    arms : dict of str to list of ClassifierConfig
        Conditions of a study that leaves folds untested, all or some of them, as from `study_arms`.

    Returns
    -------
    table : `~astropy.table.Table`
        One row per condition: ``arm`` (its name), ``sources`` tested, ``accuracy`` and ``balanced_accuracy``
        with the ends of their 95 % intervals, as in `summary`.
    runs : list of Run
        The run of each condition, trained now if it is not saved.

    Raises
    ------
    ValueError
        If a study tests all folds already.
    """
    rows, runs = [], []
    for arm, configs in arms.items():
        done, first = len(configs), configs[0]
        if done >= first.folds:
            msg = (
                f"{arm} tests all of its {max(1, first.folds)} folds: give conditions that leave one untested"
            )
            raise ValueError(msg)
        generators = tuple(replace(each, fold=done) if each.folds else each for each in first.generators)
        run = recipes.run(replace(first, fold=done, seed=done, generators=generators))
        stored = run.predictions
        plain = stored["plain"]
        right = (stored["probabilities"].argmax(axis=1) == stored["labels"])[plain]
        rows.append({"arm": arm, "sources": len(right), **accuracies(stored["labels"][plain], right)})
        runs.append(run)
    return formatted(Table(rows)), runs


def best_study(name: str) -> StudyResult:
    """Return the study of the largest scale that is saved; without one, make it at the current scale.

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
    """Return the largest scale at which a study is saved; None if it is not."""
    saved = [scale for scale in scales.SCALES if (study_folder(name, scale) / "study.json").exists()]
    return saved[-1] if saved else None


def study_folder(name: str, scale: str) -> Path:
    """Return where a study is saved."""
    return runs_root() / f"{scale}-study-{name}"


# Making the runs --------------------------------------------------------------------------------------


def _names(arms: Arms) -> dict[str, list[str]]:
    return {arm: [config.name for config in configs] for arm, configs in arms.items()}


def _finished(config: Config) -> bool:
    return (runs_root() / config.name / "provenance.json").exists()


def _run_all(configs: Iterable[Config], jobs: int, deadline: float | None) -> None:
    missing = [config for config in dict.fromkeys(configs) if not _finished(config)]
    left = len(missing)
    for finished in each(partial(_run_one, deadline=deadline), missing, jobs):
        if finished:
            left -= 1
            log.info("%s, %d left", finished, left)
    if left:
        msg = f"{left} of {len(missing)} runs are left and the time is over; run the same command again"
        raise TrainingStopped(msg)


def each(do: Callable[[T], R], tasks: Sequence[T], jobs: int) -> Iterator[R]:
    """Yield what `do` returns for each task as it is done, by `jobs` processes at a time."""
    if jobs != 1:  # TensorFlow reads the number of threads when it starts
        threads = max(1, joblib.cpu_count() // joblib.effective_n_jobs(jobs))
        os.environ["TF_NUM_INTRAOP_THREADS"] = str(threads)
    work = joblib.Parallel(jobs, return_as="generator_unordered", pre_dispatch="n_jobs", batch_size=1)
    yield from work(joblib.delayed(_under)(os.getpid(), do, task) for task in tasks)


def _under(parent: int, do: Callable[[T], R], task: T) -> R:
    """Do a task in a worker that ends with its parent, also where that is killed."""
    if multiprocessing.current_process().name.startswith("Loky"):  # no thread, nor another machine
        _end_with(parent)
    return do(task)


@cache
def _end_with(parent: int) -> None:
    """Watch from now on whether the parent lives: loky's workers would stay for ever."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _run_one(config: Config, deadline: float | None) -> str:
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


# Saved studies ----------------------------------------------------------------------------------------


def _saved_arms(folder: Path) -> dict[str, list[str]]:
    """Return the names of the runs of each condition of a saved study; nothing if it is not saved."""
    path = folder / "study.json"
    if not path.exists():
        return {}
    with readable(path):
        return {str(arm): list(runs) for arm, runs in _about(folder)["arms"].items()}


def _about(folder: Path) -> dict[str, Any]:
    return read_json(folder / "study.json", ["arms", "finished"])


def _tables(folder: Path, arms: dict[str, list[str]]) -> tuple[Table, Table]:
    """Return sources and histories of a saved study, which have to have rows of all of its runs."""

    def read(path: Path) -> Table:
        table, number = read_table(path, text=("arm", "name")), sum(map(len, arms.values()))
        with readable(path):
            held = set(zip(table["arm"].tolist(), table["fold"].tolist(), strict=True))
            check(len(held) == number, f"{len(held)} of {number} runs")
        return table

    return read(folder / "sources.csv"), read(folder / "histories.csv")


def _load(
    folder: Path, arms: Arms, references: dict[str, str], names: dict[str, list[str]], *, replayed: bool
) -> StudyResult:
    first = next(iter(arms.values()))[0]
    return StudyResult(folder, first, references, *_tables(folder, names), replayed=replayed)


def _where_saved(folder: Path) -> dict[str, tuple[Path, str]]:
    """Return which study of the same scale holds a run, and as which condition; this one before others."""
    scale = folder.name.partition("-study-")[0]
    folders = [*sorted(folder.parent.glob(f"{scale}-study-*")), folder]
    return {
        run: (study, arm) for study in folders for arm, runs in _saved_arms(study).items() for run in runs
    }


def _save(name: str, folder: Path, arms: Arms, references: dict[str, str]) -> StudyResult:
    """Gather the predictions and the histories of the runs of a study, from runs and from saved studies."""
    known = _where_saved(folder)
    studies = {study: _tables(study, _saved_arms(study)) for study in {study for study, _ in known.values()}}
    found: list[tuple[Table, Table]] = []
    made: list[dict[str, Any]] = []
    for arm, configs in arms.items():
        for config in configs:
            if config.name in known:
                study, name_there = known[config.name]
                parts = [t[(t["arm"] == name_there) & (t["fold"] == config.fold)] for t in studies[study]]
                made.append(_about(study))
            else:
                run = recipes.run(config)
                parts = [_unaugmented(run), run.history]
                made.append(run.provenance)
            for part in parts:
                part["arm"], part["fold"] = [arm] * len(part), config.fold
            found.append((parts[0], parts[1]))
    folder.mkdir(parents=True, exist_ok=True)
    for file, tables in zip(("sources", "histories"), zip(*found, strict=True), strict=True):
        whole = formatted(vstack(list(tables)))
        front = ["arm", "fold"]
        write_table(folder / f"{file}.csv", whole[front + [n for n in whole.colnames if n not in front]])
    plan = _names(arms)
    result = _load(folder, arms, references, plan, replayed=False)
    write_json(folder / "summary.json", {"name": name, "numbers": numbers(result)})
    last = max(made, key=lambda each: each["finished"])
    content = {key: last[key] for key in provenance()}  # where the runs were done, not this
    seconds = round(float(np.sum(result.histories["seconds"])))
    content |= {"study": name, "arms": plan, "seconds_training": seconds}
    write_json(folder / "study.json", content)
    return result


def _unaugmented(run: Run[ClassifierConfig]) -> Table:
    """Return what the network of a run says of the unaugmented images of its test sources."""
    stored = run.predictions
    plain = stored["plain"]
    table = Table({"name": stored["names"][plain], "label": stored["labels"][plain]})
    for code in range(4):
        table[f"p{code}"] = stored["probabilities"][plain, code].astype(float).round(4)
    return table
