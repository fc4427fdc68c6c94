"""Questions that one run cannot answer: grids of runs over splits, and paired comparisons of them.

The report's claim rests on one split and one seed. A study repeats each of its conditions over ten folds,
each of which tests once while the next one validates and the others train, so that every source is tested
once in every condition, by a network (and a generator) that never saw it. What is saved of it is one folder
of tables: the predictions for every source, and every history.
"""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table, vstack

from radiosynth._io import check, log, read_json, read_table, readable, write_json, write_table
from radiosynth.reproduction import recipes, scales
from radiosynth.reproduction.comparisons import StudyResult, formatted
from radiosynth.reproduction.configs import ClassifierConfig, Sources
from radiosynth.reproduction.parallel import run_missing
from radiosynth.reproduction.presets import classifier_config, gan_config
from radiosynth.reproduction.provenance import provenance
from radiosynth.reproduction.runs import Run, runs_root
from radiosynth.sample import check_choice

Conditions = dict[str, list[ClassifierConfig]]
"""The conditions of a study by name: for each one configuration for every fold that tests."""


def layout(name: str, scale: str | None = None) -> tuple[Conditions, dict[str, str]]:
    """Return the conditions of a study, and what each is compared with.

    Parameters
    ----------
    name : str
        One of the studies of ``scales.toml``.
    scale : str, optional
        One of `radiosynth.reproduction.scales.SCALES`; that of the environment if not given.

    Returns
    -------
    conditions : dict of str to list of ClassifierConfig
        By name of the condition, one configuration for each fold that tests. Conditions of different studies
        share runs that are alike.
    references : dict of str to str
        For each condition that is compared, the name of the one that it is compared with.

    Raises
    ------
    ValueError
        If there is no such study or scale.

    Examples
    --------
    >>> conditions, references = layout("published-code", "report")
    >>> len(conditions["real"]), references["shared sky on both sides"]
    (10, 'real')
    """
    check_choice(name, "study", scales.WRITTEN["studies"])
    scale = scales.current_scale(scale)
    conditions: Conditions = {}
    references: dict[str, str] = {}
    for condition, written in scales.WRITTEN["studies"][name].items():
        changes = {**scales.SCALES[scale]["study"], **written}
        if "compared_with" in changes:
            references[condition] = changes.pop("compared_with")
        if changes["training_set"] == "real":
            changes["epochs"] *= 2
        if changes.pop("leak", False):
            size = changes.get("size", Sources.size)
            changes["generators"] = (gan_config("all", scale, leak=True, size=size),)
        folds = range(changes.pop("tested"))
        conditions[condition] = [
            classifier_config(scale=scale, **changes, seed=fold, fold=fold) for fold in folds
        ]
    return conditions, references


def run_study(
    name: str, scale: str | None = None, *, jobs: int = 1, time_limit: float | None = None
) -> StudyResult:
    """Return a study, loaded if it is saved; otherwise its missing runs are made first.

    Runs that were finished or begun before are taken up, so that a study can be made in slices, or by
    several processes or machines that share the folder of runs. It is saved once all of its runs are done.

    Parameters
    ----------
    name : str
        Name of a study, as in `layout`.
    scale : str, optional
        One of `radiosynth.reproduction.scales.SCALES`; that of the environment if not given.
    jobs : int, default 1
        Runs at a time, which divide the processors among them.
    time_limit : float, optional
        Seconds after which nothing new is begun.

    Returns
    -------
    StudyResult
        The study.

    Raises
    ------
    ValueError
        If there is no such study or scale.
    radiosynth.training.TrainingStopped
        If the time was over before all runs were done; calling again resumes.
    """
    scale = scales.current_scale(scale)
    return run_conditions(name, scale, *layout(name, scale), jobs=jobs, time_limit=time_limit)


def run_conditions(
    name: str,
    scale: str,
    conditions: Conditions,
    references: dict[str, str],
    *,
    jobs: int = 1,
    time_limit: float | None = None,
) -> StudyResult:
    """Return the study of any conditions, loaded if it is saved; see `run_study`.

    Parameters
    ----------
    name, scale : str
        What the folder of the study is called.
    conditions : dict of str to list of ClassifierConfig
        By name, one configuration for each fold.
    references : dict of str to str
        For each condition that is compared, the name of the one that it is compared with.
    jobs, time_limit
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
        If the time was over before all runs were done; calling again resumes.
    """
    folder = study_folder(name, scale)
    record, asked = folder / "study.json", _names(conditions)
    if record.exists():
        fault = f"{folder} holds a study of other runs: remove its study.json and run it again"
        check(read_json(record, ["arms"])["arms"] == asked, fault)
        log.info("loading the saved %s", folder.name)
        return _load(folder, conditions, references, loaded=True)
    needed = list(itertools.chain(*conditions.values()))
    # First what several of them wait for.
    generators = [each for config in needed if not recipes.is_finished(config) for each in config.requires]
    deadline = None if time_limit is None else time.monotonic() + time_limit
    for configs in (generators, needed):
        left = None if deadline is None else deadline - time.monotonic()
        run_missing(recipes.run, configs, recipes.is_finished, "runs", jobs, left)
    return _save(name, folder, conditions, references)


def best_study(name: str) -> StudyResult:
    """Return the study of the largest scale that is saved; without one, make it at the current scale.

    Parameters
    ----------
    name : str
        Name of a study, as in `layout`.

    Returns
    -------
    StudyResult
        The study; its configuration tells the scale.

    Raises
    ------
    ValueError
        If there is no such study.
    """
    return run_study(name, saved_scale(name))


def saved_scale(name: str) -> str | None:
    """Return the largest scale at which a study is saved; None if it is not."""
    saved = [scale for scale in scales.SCALES if (study_folder(name, scale) / "study.json").exists()]
    return saved[-1] if saved else None


def study_folder(name: str, scale: str) -> Path:
    """Return where a study is saved."""
    return runs_root() / f"{scale}-study-{name}"


# Making the runs --------------------------------------------------------------------------------------


def _names(conditions: Conditions) -> dict[str, list[str]]:
    return {condition: [config.name for config in configs] for condition, configs in conditions.items()}


# Saved studies ----------------------------------------------------------------------------------------


def _load(folder: Path, conditions: Conditions, references: dict[str, str], *, loaded: bool) -> StudyResult:
    """Return a saved study, whose tables have to have rows of all of its runs."""
    tables, number = {}, sum(map(len, conditions.values()))
    for kind in ("sources", "histories"):
        path = folder / f"{kind}.csv"
        table = read_table(path, text=("arm", "name"))
        with readable(path):
            table.rename_column("arm", "condition")
            held = set(zip(table["condition"].tolist(), table["fold"].tolist(), strict=True))
            check(len(held) == number, f"{len(held)} of {number} runs")
        tables[kind] = table
    first = next(iter(conditions.values()))[0]
    return StudyResult(folder, first, references, **tables, loaded=loaded)


def _save(name: str, folder: Path, conditions: Conditions, references: dict[str, str]) -> StudyResult:
    """Gather the predictions and the histories of the runs of a study."""
    found: dict[str, list[Table]] = {"sources": [], "histories": []}
    made: list[dict[str, Any]] = []
    for condition, configs in conditions.items():
        for config in configs:
            run = recipes.run(config)
            made.append(run.provenance)
            for kind, table in (("sources", _unaugmented(run)), ("histories", run.history)):
                table.add_columns([condition, config.sources.fold], indexes=[0, 0], names=["arm", "fold"])
                found[kind].append(table)
    for kind, tables in found.items():
        write_table(folder / f"{kind}.csv", formatted(vstack(tables)))
    result = _load(folder, conditions, references, loaded=False)
    write_json(folder / "summary.json", {"name": name, "numbers": result.numbers()})
    last = max(made, key=lambda each: each["finished"])
    content = {key: last[key] for key in provenance()}  # where the runs were done, not this
    seconds = round(float(np.sum(result.histories["seconds"])))
    content |= {"study": name, "arms": _names(conditions), "seconds_training": seconds}
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
