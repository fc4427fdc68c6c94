"""What a run needs, and how it is made."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import Table, vstack
from filelock import FileLock, Timeout
from numpy.typing import NDArray

import radiosynth
from radiosynth import augmentation, classification, generators, metrics, networks
from radiosynth._io import check, log, write_arrays, write_json, write_table, write_text
from radiosynth.reproduction import configs
from radiosynth.reproduction.presets import ensemble_config
from radiosynth.reproduction.provenance import provenance
from radiosynth.reproduction.runs import C, Run, find_run, read_configuration, run_folder
from radiosynth.reproduction.samples import prepare, prepare_bending, prepare_fold, split_sample
from radiosynth.reproduction.scales import SCALES
from radiosynth.sample import Sample, concatenate
from radiosynth.simulation import degrade_randomly
from radiosynth.taxonomy import CLASS_NAMES

if TYPE_CHECKING:
    import keras


def best_ensemble(synthetic: float = 0.0) -> Run[configs.EnsembleConfig]:
    """Return the ensemble of the largest scale that is saved; without one, that of the current scale.

    Parameters
    ----------
    synthetic : float
        As in `ensemble_config`.

    Returns
    -------
    Run
        The run, made now if none is saved.
    """
    return largest(partial(ensemble_config, synthetic=synthetic))


def largest(preset: Callable[[str | None], C]) -> Run[C]:
    """Return the run of the largest scale that is saved; without one, that of the current scale.

    Parameters
    ----------
    preset : callable
        Returns the configuration at a scale, as those of `radiosynth.reproduction.presets` do.

    Returns
    -------
    Run
        The run, made now if none is saved.
    """
    return run(next(filter(is_finished, map(preset, reversed(SCALES))), preset(None)))


def cross_validate(folds: Sequence[configs.BendingConfig]) -> tuple[list[Run[configs.BendingConfig]], Table]:
    """Run the folds of one condition and join what each says of the sources that it was not trained on.

    Simulations of a matched population know the distribution of the angles of all sources.

    Parameters
    ----------
    folds : sequence of BendingConfig
        The folds, as in `bending_conditions`.

    Returns
    -------
    runs : list of Run
        The finished runs.
    table : ~astropy.table.Table
        One row per source, by name: ``truth``, ``bending_angle`` (predicted), ``baseline`` (median of
        the training images) and ``spread`` (nan where the network has none), all in degrees.
    """
    runs = run_each(folds)
    table = vstack([Table(each.predictions) for each in runs])
    table.rename_column("guess", "baseline")
    table.sort("name")
    return runs, table


def run(config: C, *, root: Path | None = None, time_limit: float | None = None) -> Run[C]:
    """Return the run of a configuration, loaded if it is saved, made and saved if not.

    What it needs (generators, an earlier round, members, training on simulations) is made first. Saved runs
    are those in the folder of runs, and the few of the package. Two processes that ask for one run
    wait for each other. A run that was interrupted resumes.

    Parameters
    ----------
    config : Config
        What to run.
    root : Path, optional
        Folder of runs, in which those of the package are trained again; `runs_root` if not given.
    time_limit : float, optional
        Seconds after which no further epoch is begun, in this run and in those that it needs.

    Returns
    -------
    Run
        The finished run.

    Raises
    ------
    ValueError
        If the folder of the run holds another configuration.
    radiosynth.training.TrainingStopped
        If the training was stopped; calling again resumes.
    """
    return _run(config, root, None if time_limit is None else time.monotonic() + time_limit)


def run_each(configurations: Sequence[C]) -> list[Run[C]]:
    """Return several runs as `run` does; processes that ask for the same ones share the work.

    Parameters
    ----------
    configurations : sequence of Config
        What to run. What another process is making is waited for at the end.

    Returns
    -------
    list of Run
        The finished runs, in the order of the configurations.
    """
    asked = list(configurations)
    made = _make(asked, None, None)
    return [made[config.name] for config in asked]


def is_finished(config: configs.Config, root: Path | None = None) -> bool:
    """Return whether a run is saved, in whole."""
    return (run_folder(config, root) / "provenance.json").exists()


def _saved(config: C, root: Path | None) -> Run[C] | None:
    """Return a run if it is saved and finished; refuse a folder that holds another one, begun or finished."""
    folder, finished = run_folder(config, root), is_finished(config, root)
    if not finished and not (folder / "config.json").exists():
        return None
    fault = f"{folder} holds another configuration than its name says: remove that folder"
    check(read_configuration(folder) == config, f"{fault}, or give another with RADIOSYNTH_RUNS")
    if not finished:
        return None
    log.info("loading the saved run %s", folder.name)
    return Run(folder, config, loaded=True)


def _run(config: C, root: Path | None, deadline: float | None) -> Run[C]:
    """Return a run if it is saved; if not, make what it needs, and then the run itself."""
    if found := _saved(config, root):
        return found
    _make([each for each in config.requires if not _saved(each, root)], root, deadline)
    folder = run_folder(config, root)
    with _lock(config, root):
        if found := _saved(config, root):  # made by another process in the meantime
            return found
        log.info("running %s", folder.name)
        folder.mkdir(exist_ok=True)
        write_text(folder / "config.json", config.to_json())
        begun = time.monotonic()
        needed = [run_folder(each, root) for each in config.requires]
        left = None if deadline is None else max(0.0, deadline - begun)
        limits = {"folder": folder, "fingerprint": config.hash, "time_limit": left}
        made = _RECIPES[config.kind](config, needed, limits)
        _save(folder, config, made, time.monotonic() - begun)
    return Run(folder, config, loaded=False)


def _make(configurations: Sequence[C], root: Path | None, deadline: float | None) -> dict[str, Run[C]]:
    """Return several runs by name; those that another process is making come last."""
    made, left = dict[str, Run[C]](), {config.name: config for config in configurations}
    while left:
        free = (name for name, config in left.items() if not _is_busy(config, root))
        name = next(free, next(iter(left)))
        made[name] = _run(left.pop(name), root, deadline)
    return made


def _is_busy(config: configs.Config, root: Path | None) -> bool:
    """Return whether another process is making a run, or something that it needs."""
    if is_finished(config, root):
        return False
    try:
        with _lock(config, root).acquire(timeout=0):
            return any(_is_busy(each, root) for each in config.requires)
    except Timeout:
        return True


def _lock(config: configs.Config, root: Path | None) -> FileLock:
    folder = run_folder(config, root)
    folder.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(folder.parent / f".{config.name}.lock")


Limits = dict[str, Any]
"""What all functions that train take: the folder of checkpoints, a fingerprint and a time limit."""


@dataclass(frozen=True)
class _Made:
    """What came of a run: history, what its provenance is to say, and perhaps a network with what it says."""

    history: dict[str, Any]
    record: dict[str, Any]
    model: keras.Model | None = None
    predictions: dict[str, Any] = field(default_factory=dict)
    oddness: classification.Oddness | None = None


def _save(folder: Path, config: Any, made: _Made, seconds: float) -> None:
    """Write what came of a run and, last of all, its provenance: a folder that has one is whole."""
    if made.model is not None:
        radiosynth.training.save_weights(made.model, folder / "model.npz", dtype="float16")
        write_arrays(folder / "predictions.npz", **made.predictions)
    if made.oddness is not None:
        made.oddness.save(folder)
    epochs = np.arange(1, config.settings.epochs + 1)
    write_table(folder / "history.csv", Table({"epoch": epochs, **made.history}))
    whole = provenance() | {"seed": config.settings.seed} | made.record
    whole |= {"seconds_training": round(sum(made.history["seconds"]), 1), "seconds_here": round(seconds, 1)}
    write_json(folder / "provenance.json", whole)
    (folder / "checkpoint.npz").unlink(missing_ok=True)


def _said(model: keras.Model, *parts: Sample) -> dict[str, NDArray[Any]]:
    """Return what a network says of held-out images, as runs keep it."""
    return {
        "names": np.concatenate([np.asarray(part.table["name"], str) for part in parts]),
        "labels": np.concatenate([part.labels for part in parts]),
        "plain": np.concatenate([classification.unaugmented(part) for part in parts]),
        "probabilities": np.concatenate([classification.predict(model, part.images) for part in parts]),
    }


def _train_classifier(config: configs.ClassifierConfig, needed: list[Path], limits: Limits) -> _Made:
    train, validation, test = prepare(config, needed)
    model, found = classification.train_classifier(train, validation, config.settings, **limits)
    # Saved runs call the unaugmented validation images plain.
    history = {name.replace("unaugmented", "plain"): values for name, values in found.items()}
    record = {"training_images": train.counts(), "validation_images": validation.counts()}
    return _Made(history, record | {"preparation": train.history}, model, _said(model, test))


def _train_generator(config: configs.GeneratorConfig, needed: list[Path], limits: Limits) -> _Made:
    sources, *held_out = split_sample(config.sources)
    if config.leak:
        sources = concatenate([sources, *(held_out if config.sources.folds else held_out[:1])])
    one_class = config.morphology != "all"
    if one_class:
        sources = sources.of_class(config.morphology)
    train = augmentation.augment(sources, config.per_class, "ordered")
    names, labels = ([config.morphology], None) if one_class else (CLASS_NAMES, train.labels)
    how: dict[str, Any] = {"class_names": names, "labels": labels, **limits}
    trained = generators.train_generator(train.images, config.settings, **how)
    record: dict[str, Any] = {"sources": sources.counts(), "training_images": train.counts()}
    record |= {"preparation": train.history, "diversity": trained.diversity, "collapsed": trained.collapsed}
    return _Made(trained.history, record)


def _train_fold(config: configs.FoldConfig, needed: list[Path], limits: Limits) -> _Made:
    train, validation, test = prepare_fold(config)
    seed = config.settings.seed + 1000 * (config.rounds - 1)  # views that were not seen in the rounds before
    settings = replace(config.settings, seed=seed)
    start: Path | keras.Model | None = needed[0] / "model.npz" if needed else None
    targets = None
    if config.teacher:
        targets = train.table["targets"]
        start = find_run(config.teacher).model().get_layer(f"member_{max(config.fold, 0)}")
    model, history = classification.train_on_the_fly(train, settings, targets=targets, start=start, **limits)
    used, oddness = networks.build_ensemble([model]), None
    if config.teacher:
        # A student is used in one pass, in single precision, with the weights that are saved in half.
        used = networks.build_network(size=config.size, **{**settings.arguments(), "precision": "float32"})
        used.set_weights([weights.astype(np.float16) for weights in model.get_weights()])
        # What other observations show of the training images is not odd. The limit is set by other images.
        seen = degrade_randomly(train.images, np.random.default_rng(settings.seed))
        both, labels = np.concatenate([train.images, seen]), np.tile(train.labels, 2)
        usual = validation if len(validation) else test
        oddness = classification.Oddness.fitted(used, both, labels, usual.images)
    predictions = _said(used, validation, test)
    for key, column in (("fold", "fold"), ("catalogues", "catalogue")):
        predictions[key] = np.concatenate([np.asarray(part.table[column]) for part in (validation, test)])
    record = {"training_images": train.counts(), "preparation": train.history}
    return _Made(history, record, model, predictions, oddness)


def _join_members(config: configs.EnsembleConfig, needed: list[Path], limits: Limits) -> _Made:
    """Put the weights of the members together and calibrate them on the folds that they did not see."""
    runs = [find_run(folder) for folder in needed]
    stored = [each.predictions for each in runs]

    def of(fold_tests: bool, key: str) -> list[NDArray[Any]]:
        return [each[key][(each["fold"] == -1) == fold_tests] for each in stored]

    unseen_labels, unseen = np.concatenate(of(False, "labels")), np.concatenate(of(False, "probabilities"))
    temperature = metrics.temperature(unseen_labels, unseen)
    members = np.stack(of(True, "probabilities"))
    predictions = {key: of(True, key)[0] for key in ("names", "labels", "plain")}
    predictions["probabilities"] = metrics.scale_temperature(members, temperature).mean(axis=0)
    predictions |= {"members": members, "unseen_labels": unseen_labels, "unseen": unseen}
    history: dict[str, Any] = {}
    for number, each in enumerate(runs):
        history |= {f"{column} {number}": list(each.history[column]) for column in ("loss", "accuracy")}
    history["seconds"] = list(np.sum([each.history["seconds"] for each in runs], axis=0))
    record = {key: runs[0].provenance[key] for key in ("training_images", "preparation")}
    record |= {"members": [each.folder.name for each in runs], "temperature": temperature}
    model = networks.build_ensemble([each.model() for each in runs], temperature)
    return _Made(history, record, model, predictions)


def _train_bending(config: configs.BendingConfig, needed: list[Path], limits: Limits) -> _Made:
    settings, start = config.settings, None
    if needed:
        start = find_run(needed[0]).model()
        settings = replace(settings, learning_rate=settings.learning_rate / 3)
    train, test = prepare_bending(config)
    model, history = radiosynth.bending.train_regressor(train, test, settings, start=start, **limits)
    predicted = radiosynth.bending.predict_angles(model, test.images, n_rotations=config.n_rotations)
    truth, angles = (np.asarray(each["bending_angle"]) for each in (test.table, predicted))
    predictions = {"name": np.asarray(test.table["name"], str), "truth": truth, "bending_angle": angles}
    predictions["guess"] = np.full(len(test), np.median(train.table["bending_angle"]))
    has_spread = "spread" in predicted.colnames
    predictions["spread"] = np.asarray(predicted["spread"]) if has_spread else np.full(len(test), np.nan)
    record = {"training_images": len(train), "test_sources": len(test), "preparation": train.history}
    return _Made(history, record, model, predictions)


_RECIPES: dict[str, Callable[[Any, list[Path], Limits], _Made]] = {
    "bending": _train_bending,
    "classifier": _train_classifier,
    "gan": _train_generator,
    "vae": _train_generator,
    "fold": _train_fold,
    "ensemble": _join_members,
}
"""How the runs of each kind are made, from the folders of those that they need."""
