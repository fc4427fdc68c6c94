"""Which network? Grow one until it over-fits, search the settings of several families, and judge the search.

This is the plan that the report left to do, with Optuna in the place of hyperas (Akiba et al. 2019,
arXiv:1907.10902). What a search finds on the sources that guide it flatters it. So the sources are divided
as in `radiosynth.reproduction.studies`: in each turn one part tests, the next one guides the search and
the others train. The search never sees the part that tests.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import platform
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock
from scipy.stats import norm

from radiosynth import augmentation
from radiosynth._io import readable
from radiosynth.reproduction import recipes, scales, studies
from radiosynth.reproduction.configs import ClassifierConfig
from radiosynth.reproduction.presets import classifier_config
from radiosynth.reproduction.studies import StudyResult
from radiosynth.sample import Sample
from radiosynth.stopping import TrainingStopped

if TYPE_CHECKING:
    import optuna

__all__ = [
    "FAMILIES",
    "SCALES",
    "Family",
    "chosen",
    "evaluate",
    "finished",
    "grow",
    "grown_arms",
    "inner_sets",
    "optimism",
    "trial_config",
    "tune",
]

log = logging.getLogger("radiosynth")


@dataclass(frozen=True)
class Family:
    """Networks of one kind.

    Parameters
    ----------
    architecture : str
        Name of their builder, as in `radiosynth.networks.build_network`.
    fixed : dict
        Arguments of the builder that set the family apart.
    first : dict
        Settings of the first trial, by which the families are compared before the best two are tuned.
    """

    architecture: str
    fixed: dict[str, Any]
    first: dict[str, Any]


_FIRST = {"learning_rate": 1e-3, "dropout": 0.5, "kernel": 3, "stride": 1, "channels": 8, "blocks": 3}


FAMILIES = {
    "report": Family("stacked", {}, {**_FIRST, "dense": 48}),
    "paired": Family("stacked", {"convolutions": 2}, {**_FIRST, "dense": 48}),
    "all-convolutional": Family("stacked", {"convolutions": 2, "pooling": False, "dense": 0}, _FIRST),
    "residual": Family("residual", {}, {**_FIRST, "dropout": 0.3, "stride": 2}),
}
"""Families by name: convolution and pooling in turn, as in the report; two convolutions before each pooling;
strides in the place of pooling, and a mean in that of the dense layer; and residual blocks."""


STACKS = ((1, 8), (2, 8), (3, 8), (4, 8), (5, 8), (5, 16))
"""Blocks, and channels of the first of them, of the networks that are grown."""


SCALES: dict[str, dict[str, dict[str, Any]]] = {
    "smoke": {
        "plan": {
            "folds": 3,
            "turns": 1,
            "trials": 2,
            "grown": 1,
            "stacks": STACKS[::4],
            "families": ("report", "all-convolutional"),
        },
        "budget": {"size": 32, "per_class": 150, "validation_per_class": 150, "epochs": 2},
    },
    "laptop": {
        "plan": {"folds": 5, "turns": 3, "trials": 8, "grown": 2},
        "budget": {
            "size": 32,
            "per_class": 300,
            "validation_per_class": 100,
            "epochs": 12,
            "width": 0.25,
            "precision": "mixed_bfloat16",
        },
    },
    "report": {
        "plan": {"folds": 5, "turns": 5, "trials": 100, "grown": 5},
        "budget": {"per_class": 3000, "epochs": 50},
    },
}
"""For each scale, the plan: into how many parts the sources are divided, how many of them test the search
and the grown networks, the trials of a search, and perhaps fewer networks and families; and the budget of
each network: what differs from the classifiers of that scale."""


def _scale(scale: str | None) -> str:
    scale = scale or scales.current_scale()
    classifier_config("real", scale)  # refuses an unknown one
    return scale


def _families(scale: str) -> Sequence[str]:
    return SCALES[scale]["plan"].get("families", tuple(FAMILIES))


def _budget(scale: str, fold: int, **changes: Any) -> ClassifierConfig:
    """Return the configuration of the report's network under the budget of all."""
    settings = {"folds": SCALES[scale]["plan"]["folds"], "fold": fold, "seed": fold, "schedule": "cosine"}
    return classifier_config("real", scale, **{**SCALES[scale]["budget"], **settings, **changes})


def grown_arms(scale: str | None = None) -> studies.Arms:
    """Return networks of more and more blocks, then of more and more channels, without dropout.

    Parameters
    ----------
    scale : str, optional
        One of `radiosynth.reproduction.scales.SCALES`; that of the environment if not given.

    Returns
    -------
    dict of str to list of ClassifierConfig
        By blocks and channels, such as ``"3 × 8"``: three blocks of convolution and pooling, the first of 8
        channels, each next one of twice as many, and the mean over the image. They are trained twice as long
        as those of a search.

    Raises
    ------
    ValueError
        If there is no such scale.
    """
    scale = _scale(scale)
    arms = {}
    for blocks, channels in SCALES[scale]["plan"].get("stacks", STACKS):
        network = {"channels": [channels * 2**i for i in range(blocks)], "dense": 0, "dropout": 0}
        arms[f"{blocks} × {channels}"] = [
            _budget(
                scale,
                fold,
                architecture="stacked",
                network=json.dumps(network),
                width=1.0,
                schedule="constant",
                learning_rate=2e-3,
                epochs=2 * _budget(scale, fold).epochs,
            )
            for fold in range(SCALES[scale]["plan"]["grown"])
        ]
    return arms


def grow(scale: str | None = None, *, jobs: int = 1, time_limit: float | None = None) -> StudyResult:
    """Train the networks of `grown_arms`.

    Parameters
    ----------
    scale : str, optional
        One of `radiosynth.reproduction.scales.SCALES`; that of the environment if not given.
    jobs, time_limit
        As in `radiosynth.reproduction.studies.run_study`.

    Returns
    -------
    StudyResult
        The study of them.

    Raises
    ------
    ValueError
        If there is no such scale.
    radiosynth.training.TrainingStopped
        If the time was over; calling again goes on.
    """
    scale = _scale(scale)
    return studies.run_arms("growth", scale, grown_arms(scale), {}, jobs=jobs, time_limit=time_limit)


@lru_cache(maxsize=5)
def inner_sets(config: ClassifierConfig) -> tuple[Sample, Sample]:
    """Return all that a search may see: images that train, and images that its objective is measured on.

    Parameters
    ----------
    config : ClassifierConfig
        A configuration with `folds`.

    Returns
    -------
    train, validation : Sample
        Augmented images of the parts that do not test.
    """
    train, validation, _ = recipes.split_sample(config)
    return (
        augmentation.augment(train, config.per_class, "ordered"),
        augmentation.augment(validation, config.validation_per_class, "ordered"),
    )


def _suggest(trial: optuna.trial.BaseTrial, family: str, config: ClassifierConfig) -> ClassifierConfig:
    """Return the configuration that a trial asks for: the search space, in one place."""
    rate = trial.suggest_float("learning_rate", 3e-4, 1e-2, log=True)
    network = FAMILIES[family].fixed | {
        "dropout": trial.suggest_float("dropout", 0, 0.6),
        "kernel": trial.suggest_int("kernel", 3, 7, step=2),
        "stride": trial.suggest_int("stride", 1, 2),
    }
    channels, width = trial.suggest_int("channels", 4, 32, log=True), 1.0
    if family == "residual":
        width = channels / 32
    else:
        network["channels"] = [channels * 2**i for i in range(trial.suggest_int("blocks", 2, 4))]
        if "dense" not in network:
            network["dense"] = trial.suggest_int("dense", 16, 256, log=True)
    return replace(
        config,
        architecture=FAMILIES[family].architecture,
        network=json.dumps(network, sort_keys=True),
        learning_rate=rate,
        width=width,
    )


def trial_config(search: optuna.Study, trial: optuna.trial.FrozenTrial | None = None) -> ClassifierConfig:
    """Return the configuration of a trial.

    Parameters
    ----------
    search : optuna.Study
        A search, from `tune`.
    trial : optuna.trial.FrozenTrial, optional
        One of its trials; the best one if not given.

    Returns
    -------
    ClassifierConfig
        What `radiosynth.run` trains and tests on the part that the search did not see.
    """
    from optuna.trial import FixedTrial

    attributes = search.user_attrs
    config = _budget(attributes["scale"], attributes["fold"])
    return _suggest(FixedTrial((trial or search.best_trial).params), attributes["family"], config)


def finished(search: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Return the trials of a search that were completed or pruned, in their order."""
    from optuna.trial import TrialState

    return search.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))


def _has_first(trial: optuna.trial.FrozenTrial, search: optuna.Study) -> bool:
    """Return whether a trial has, or is to get, the first settings of the family of its search."""
    first = FAMILIES[search.user_attrs["family"]].first
    settings = trial.params or trial.system_attrs.get("fixed_params", {})
    return bool(settings) and all(first.get(name) == value for name, value in settings.items())


def _first(search: optuna.Study) -> optuna.trial.FrozenTrial | None:
    """Return the trial of a search that had the first settings of its family, if it is finished."""
    return next((trial for trial in finished(search) if _has_first(trial, search)), None)


def _coming(search: optuna.Study) -> bool:
    """Return whether the first settings wait, or another process began to try them in the last hour."""
    from optuna.trial import TrialState

    asked = search.get_trials(deepcopy=False, states=(TrialState.WAITING, TrialState.RUNNING))
    since = [trial.datetime_start for trial in asked if _has_first(trial, search)]
    return any(begun is None or datetime.now() - begun < timedelta(hours=1) for begun in since)


def _take_up(search: optuna.Study) -> None:
    """Let the settings of trials that a killed process of this machine has left come first again."""
    from optuna.trial import TrialState

    for trial in search.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        host, process = trial.user_attrs.get("process", ("", 0))
        if host == platform.node() and not _lives(process):
            with contextlib.suppress(ValueError):  # somebody else has been faster
                search.tell(trial.number, state=TrialState.FAIL)
                search.enqueue_trial(trial.params)


def _lives(process: int) -> bool:
    """Return whether there is a process of this number, if the system can be asked."""
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except OSError as error:
        return isinstance(error, PermissionError)
    return True


def _left(search: optuna.Study, trials: int) -> int:
    """Return how many trials a search lacks, of which the first settings of the family have to be one."""
    return max(trials - len(finished(search)), int(_first(search) is None))


def _sampler(fold: int, number: int) -> optuna.samplers.BaseSampler:
    """Return what draws the settings of a trial: they do not depend on which process draws them."""
    import optuna

    return optuna.samplers.TPESampler(n_startup_trials=4, seed=1000 * fold + number)


def _open(scale: str, family: str, fold: int) -> optuna.Study:
    """Open a search in the journal of its scale, or begin it."""
    import optuna
    from optuna.storages import journal

    optuna.logging.set_verbosity(optuna.logging.ERROR)  # a trial that is stopped is no news
    config, name = _budget(scale, fold), f"{family}-{fold}"
    folder = studies.study_folder("tuning", scale)
    folder.mkdir(parents=True, exist_ok=True)
    path = str(folder / "journal.jsonl")
    options: dict[str, Any] = {
        "study_name": name,
        "sampler": _sampler(fold, 0),
        "pruner": optuna.pruners.MedianPruner(n_startup_trials=3, n_warmup_steps=config.epochs // 4),
    }
    with FileLock(folder.parent / f".{folder.name}.lock"), readable(folder / "journal.jsonl"):
        options["storage"] = optuna.storages.JournalStorage(
            journal.JournalFileBackend(path, journal.JournalFileOpenLock(path))
        )
        # What is there is only read: a record stays as it is, to the byte.
        if name not in optuna.get_all_study_names(options["storage"]):
            search = optuna.create_study(direction="maximize", **options)
            for key, value in {"scale": scale, "family": family, "fold": fold, "budget": config.hash}.items():
                search.set_user_attr(key, value)
        search = optuna.load_study(**options)
    if search.user_attrs["budget"] != config.hash:
        msg = f"{path} holds searches under another budget: remove that folder, or set RADIOSYNTH_RUNS"
        raise ValueError(msg)
    return search


def _objective(
    trial: optuna.Trial,
    family: str,
    config: ClassifierConfig,
    sets: tuple[Sample, Sample],
    deadline: float | None,
) -> float:
    """Return the accuracy on the validation images after the last epoch, unless the trial is cut."""
    import keras
    import optuna

    from radiosynth.classification import train_classifier

    def report(epoch: int, logs: dict[str, float]) -> None:
        trial.report(logs["val_accuracy"], epoch)
        if epoch + 1 < config.epochs and trial.should_prune():
            raise optuna.TrialPruned

    trial.set_user_attr("process", (platform.node(), os.getpid()))
    trial.study.sampler = _sampler(config.fold, trial.number)  # which no other process has
    settings = _suggest(trial, family, config).settings()
    try:
        with tempfile.TemporaryDirectory() as folder:
            _, history = train_classifier(
                *sets,
                settings,
                folder=folder,
                time_limit=None if deadline is None else deadline - time.time(),
                callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=report)],
            )
    except TrainingStopped:
        trial.study.enqueue_trial(trial.params)  # the same settings come first when the search goes on
        raise
    finally:
        keras.utils.clear_session()  # else every network that was built stays in memory
    return history["val_accuracy"][-1]


Task = tuple[str, str, int]
"""Scale, family and part that tests."""


def _one_trial(task: Task, trials: int, deadline: float | None) -> str:
    """Make one trial more, if there is time and another process has not made it; say what came of it."""
    scale, family, fold = task
    search = _open(scale, family, fold)
    if not _left(search, trials) or (deadline is not None and time.time() >= deadline):
        return ""
    config = _budget(scale, fold)
    objective = partial(_objective, family=family, config=config, sets=inner_sets(config), deadline=deadline)
    done: list[optuna.trial.FrozenTrial] = []
    try:
        search.optimize(objective, n_trials=1, callbacks=[lambda _, trial: done.append(trial)])
    except TrainingStopped as stop:
        if stop.interrupted:
            raise
        return ""
    (trial,) = done
    return f"{family}, part {fold}, trial {trial.number}: {trial.state.name.lower()} at {trial.value:.3f}"


def _search(
    searches: Sequence[tuple[str, int]], scale: str, trials: int, jobs: int, deadline: float | None
) -> list[optuna.Study]:
    """Return searches by family and part that have the trials asked for, making those that are missing."""
    do = partial(_one_trial, trials=trials, deadline=deadline)
    made = 1
    while made:  # what waited comes before the first settings, which have to be among the trials
        tasks = []
        for each in searches:
            search = _open(scale, *each)
            _take_up(search)
            if _first(search) is None and not _coming(search):
                search.enqueue_trial(FAMILIES[each[0]].first)
            tasks += [(number, (scale, *each)) for number in range(-_left(search, trials), 0)]
        tasks.sort(key=lambda task: task[0])  # the searches go on side by side
        made = 0
        for said in studies.each(do, [task for _, task in tasks], jobs):
            if said:
                made += 1
                log.info("%s", said)
    results = [_open(scale, *each) for each in searches]
    left = sum(_left(search, trials) for search in results)
    if left:
        msg = f"{left} of {trials * len(searches)} trials are left; run the same command again to go on"
        raise TrainingStopped(msg)
    return results


def tune(
    family: str,
    scale: str | None = None,
    *,
    fold: int = 0,
    trials: int | None = None,
    jobs: int = 1,
    time_limit: float | None = None,
) -> optuna.Study:
    """Search the settings of a family: learning rate, dropout, kernels, strides, channels, blocks.

    A trial trains a network on the sources that neither guide nor test, and is worth its accuracy on those
    that guide. One whose best epoch so far is below the median of the earlier trials is cut. All trials are
    kept in a journal in the folder of runs: a search that was stopped goes on, and several processes can
    work on one.

    Parameters
    ----------
    family : str
        One of `FAMILIES`.
    scale : str, optional
        One of `radiosynth.reproduction.scales.SCALES`; that of the environment if not given.
    fold : int
        The part of the sources that tests, which the search does not see.
    trials : int, optional
        Trials in all, those that are recorded included; as the scale has it if not given.
    jobs : int, default 1
        Trials at a time, each in a process of its own.
    time_limit : float, optional
        Seconds after which nothing new is begun.

    Returns
    -------
    optuna.Study
        The search, for `trial_config` and the plots of Optuna.

    Raises
    ------
    ValueError
        If there is no such family, scale or part, or no trial is asked for.
    radiosynth.training.TrainingStopped
        If the time was over before all trials were made; calling again goes on.
    """
    scale = _scale(scale)
    folds = SCALES[scale]["plan"]["folds"]
    if family not in FAMILIES:
        msg = f"unknown family {family!r}: the families are {', '.join(FAMILIES)}"
        raise ValueError(msg)
    if not 0 <= fold < folds:
        msg = f"fold={fold}: give one of the {folds} parts, from 0 to {folds - 1}"
        raise ValueError(msg)
    deadline = None if time_limit is None else time.time() + time_limit
    return _search([(family, fold)], scale, _trials(scale, trials), jobs, deadline)[0]


def _trials(scale: str, trials: int | None) -> int:
    trials = SCALES[scale]["plan"]["trials"] if trials is None else trials
    if trials < 1:
        msg = f"trials={trials}: a search needs at least 1"
        raise ValueError(msg)
    return trials


def evaluate(
    scale: str | None = None,
    *,
    trials: int | None = None,
    jobs: int = 1,
    time_limit: float | None = None,
) -> StudyResult:
    """Carry out the whole plan once for each part that tests, and test what it chose.

    In each turn the families are compared by their first trials, the best two are tuned, and the best trial
    of both is chosen. Chosen network, first trial of the best family and report's network are trained alike
    and tested on the part of the sources that took no part in the choice (nested cross-validation; Varma &
    Simon 2006, doi:10.1186/1471-2105-7-91).

    Parameters
    ----------
    scale, trials, jobs, time_limit
        As in `tune`; trials are those of each search.

    Returns
    -------
    StudyResult
        With the arms ``"report"``, ``"best family"`` and ``"tuned"``.

    Raises
    ------
    ValueError
        If there is no such scale, or no trial is asked for.
    radiosynth.training.TrainingStopped
        If the time was over; calling again goes on.
    """
    scale = _scale(scale)
    trials, turns = _trials(scale, trials), range(SCALES[scale]["plan"]["turns"])
    deadline = None if time_limit is None else time.time() + time_limit
    _search([(family, fold) for fold in turns for family in _families(scale)], scale, 1, jobs, deadline)
    best = {fold: ranking(scale, fold)[:2] for fold in turns}
    _search([(family, fold) for fold in turns for family in best[fold]], scale, trials, jobs, deadline)
    arms: dict[str, list[ClassifierConfig]] = {"report": [], "best family": [], "tuned": []}
    for fold in turns:
        family = best[fold][0]
        arms["report"].append(_budget(scale, fold))
        arms["best family"].append(trial_config(*_family(scale, family, fold)))
        arms["tuned"].append(trial_config(chosen(scale, fold)))
    left = None if deadline is None else max(0.0, deadline - time.time())
    references = {"best family": "report", "tuned": "report"}
    return studies.run_arms("tuning", scale, arms, references, jobs=jobs, time_limit=left)


def ranking(scale: str, fold: int) -> list[str]:
    """Return the families in the order of their first trials, the best one first."""
    first = {family: _family(scale, family, fold)[1].value or 0.0 for family in _families(scale)}
    return sorted(first, key=lambda family: -first[family])


def _family(scale: str, family: str, fold: int) -> tuple[optuna.Study, optuna.trial.FrozenTrial]:
    """Return the search of a family and its first settings' trial."""
    search = _open(scale, family, fold)
    trial = _first(search)
    if trial is None:
        msg = f"the first settings of {family} are not tried in part {fold}: `radiosynth tune` goes on"
        raise ValueError(msg)
    return search, trial


def optimism(trials: int) -> float:
    """Return by how many standard errors the best of equally good trials seems better than it is.

    Parameters
    ----------
    trials : int
        Trials whose accuracies have independent normal errors.

    Returns
    -------
    float
        The expected maximum of as many standard normal deviates.

    Examples
    --------
    >>> round(optimism(8), 2)
    1.42
    """
    x = np.linspace(-10, 10, 20_001)
    return float(np.trapezoid(x * trials * norm.pdf(x) * norm.cdf(x) ** (trials - 1), x))


def chosen(scale: str, fold: int) -> optuna.Study:
    """Return the search whose best trial is the choice of a turn: the better one of the best two families."""
    return max(
        (_open(scale, family, fold) for family in ranking(scale, fold)[:2]), key=lambda s: s.best_value
    )
