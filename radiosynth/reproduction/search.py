"""Which network? Grow one until it over-fits, and search the settings of several families.

This is the plan that the report left to do, with Optuna in the place of hyperas (Akiba et al. 2019,
arXiv:1907.10902). The sources are divided as in `radiosynth.reproduction.studies`: one fold tests, the next
one guides the search and the others train. The search never sees the fold that tests.
"""

from __future__ import annotations

import json
import tempfile
import time
from functools import partial
from typing import Any

import optuna
from filelock import FileLock
from optuna.storages import JournalStorage, journal
from optuna.trial import TrialState

from radiosynth import classification
from radiosynth._io import check, readable
from radiosynth.reproduction import samples, scales, studies
from radiosynth.reproduction.comparisons import StudyResult
from radiosynth.reproduction.configs import ClassifierConfig
from radiosynth.reproduction.presets import classifier_config
from radiosynth.sample import Sample, check_choice, check_count
from radiosynth.stopping import TrainingStopped

FAMILIES: dict[str, dict[str, Any]] = scales.WRITTEN["families"]
"""Networks of one kind by name: ``architecture``, their builder (`radiosynth.networks.build_network`);
``fixed``, its arguments that set the family apart; ``first``, settings of the first trial."""


ENDED = (TrialState.COMPLETE, TrialState.PRUNED)


def plan(scale: str | None = None) -> dict[str, Any]:
    """Return the plan of a search as ``scales.toml`` has it.

    Parameters
    ----------
    scale : str, optional
        One of `radiosynth.reproduction.scales.SCALES`; that of the environment if not given.

    Returns
    -------
    dict
        The number of ``folds``, how many of them test the search (``tested``) and the networks that are grown
        (``grown``), the ``trials`` of a search, the ``stacks`` to grow and the ``families``.
    """
    return scales.SCALES[scales.current_scale(scale)]["search"]["plan"]


def _budget(scale: str, fold: int) -> ClassifierConfig:
    """Return the configuration of the report's network under the budget of all."""
    settings = {"folds": plan(scale)["folds"], "fold": fold, "seed": fold, "schedule": "cosine"}
    return classifier_config("real", scale, **scales.SCALES[scale]["search"]["budget"], **settings)


def grow(scale: str | None = None) -> StudyResult:
    """Train networks of more and more blocks, then of more and more channels, without dropout.

    Parameters
    ----------
    scale : str, optional
        One of `radiosynth.reproduction.scales.SCALES`; that of the environment if not given.

    Returns
    -------
    StudyResult
        The study of them, loaded if it is saved. Its conditions are named by blocks and channels, such as
        ``"3 × 8"``: three blocks of convolution and pooling, the first of 8 channels, each next one of twice
        as many, and the mean over the image. They are trained twice as long as those of a search.

    Raises
    ------
    ValueError
        If there is no such scale.
    """
    scale = scales.current_scale(scale)
    short = [_budget(scale, fold) for fold in range(plan(scale)["grown"])]
    changes = {"architecture": "stacked", "width_multiplier": 1.0, "schedule": "constant"}
    changes |= {"learning_rate": 2e-3, "epochs": 2 * short[0].settings.epochs}
    conditions = {}
    for blocks, channels in plan(scale)["stacks"]:
        layers = {"channels": [channels * 2**i for i in range(blocks)], "dense": 0, "dropout": 0}
        changes["network"] = json.dumps(layers)
        conditions[f"{blocks} × {channels}"] = [config.changed(**changes) for config in short]
    return studies.run_conditions("growth", scale, conditions, {})


def _suggest(trial: optuna.trial.BaseTrial, family: str, config: ClassifierConfig) -> ClassifierConfig:
    """Return the configuration that a trial asks for: the search space, in one place."""
    rate = trial.suggest_float("learning_rate", 3e-4, 1e-2, log=True)
    network = FAMILIES[family]["fixed"] | {
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
    built = {"architecture": FAMILIES[family]["architecture"], "network": json.dumps(network, sort_keys=True)}
    return config.changed(**built, learning_rate=rate, width_multiplier=width)


def _budget_of(search: optuna.Study) -> ClassifierConfig:
    return _budget(search.user_attrs["scale"], search.user_attrs["fold"])


def trial_config(search: optuna.Study) -> ClassifierConfig:
    """Return the configuration of the best trial.

    Parameters
    ----------
    search : optuna.Study
        A search, from `tune`.

    Returns
    -------
    ClassifierConfig
        What `radiosynth.run` trains and tests on the fold that the search did not see.
    """
    fixed = optuna.trial.FixedTrial(search.best_trial.params)
    return _suggest(fixed, search.user_attrs["family"], _budget_of(search))


def finished(search: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Return the trials of a search that were completed or pruned, in their order."""
    return search.get_trials(deepcopy=False, states=ENDED)


def _open(scale: str, family: str, fold: int) -> optuna.Study:
    """Open a search in the journal of its scale, or begin it."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # a trial that is stopped is no news
    config, name = _budget(scale, fold), f"{family}-{fold}"
    folder = studies.study_folder("tuning", scale)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "journal.jsonl"
    with FileLock(folder.parent / f".{folder.name}.lock"), readable(path):
        lock = journal.JournalFileOpenLock(str(path))
        storage = JournalStorage(journal.JournalFileBackend(str(path), lock))
        # What is there is only read: a saved search stays as it is, to the byte.
        if name not in optuna.get_all_study_names(storage):
            search = optuna.create_study(storage=storage, study_name=name, direction="maximize")
            for key, value in {"scale": scale, "family": family, "fold": fold, "budget": config.hash}.items():
                search.set_user_attr(key, value)
        pruner = optuna.pruners.MedianPruner(n_startup_trials=3, n_warmup_steps=config.settings.epochs // 4)
        search = optuna.load_study(storage=storage, study_name=name, pruner=pruner)
    fault = f"{path} holds searches under another budget: remove that folder, or set RADIOSYNTH_RUNS"
    check(search.user_attrs["budget"] == config.hash, fault)
    return search


def _objective(trial: optuna.Trial, images: tuple[Sample, Sample], deadline: float | None) -> float:
    """Return the accuracy on the validation images after the last epoch, unless the trial is pruned."""
    import keras

    config = _budget_of(trial.study)

    def report(epoch: int, logs: dict[str, float]) -> None:
        trial.report(logs["val_accuracy"], epoch)
        if epoch + 1 < config.settings.epochs and trial.should_prune():
            raise optuna.TrialPruned

    # What is drawn for a trial does not depend on which process draws it.
    seed = 1000 * config.sources.fold + trial.number
    trial.study.sampler = optuna.samplers.TPESampler(n_startup_trials=4, seed=seed)
    asked = _suggest(trial, trial.study.user_attrs["family"], config)
    left = None if deadline is None else deadline - time.time()
    how: dict[str, Any] = {"callbacks": [keras.callbacks.LambdaCallback(on_epoch_end=report)]}
    try:
        with tempfile.TemporaryDirectory() as folder:
            how |= {"folder": folder, "time_limit": left}
            _, history = classification.train_classifier(*images, asked.settings, **how)
    except TrainingStopped:
        trial.study.enqueue_trial(trial.params)  # the same settings come first when the search resumes
        raise
    finally:
        keras.utils.clear_session()  # else every network that was built stays in memory
    return history["val_accuracy"][-1]


def tune(
    family: str,
    scale: str | None = None,
    *,
    fold: int = 0,
    trials: int | None = None,
    time_limit: float | None = None,
) -> optuna.Study:
    """Search the settings of a family: learning rate, dropout, kernels, strides, channels, blocks.

    A trial trains a network on the sources that neither guide nor test, and is worth its accuracy on those
    that guide. One whose best epoch so far is below the median of the earlier trials is pruned. All trials
    are kept in a journal in the folder of runs: a search that was stopped resumes, and several processes can
    work on one.

    Parameters
    ----------
    family : str
        One of `FAMILIES`.
    scale : str, optional
        One of `radiosynth.reproduction.scales.SCALES`; that of the environment if not given.
    fold : int
        The fold that tests, which the search does not see.
    trials : int, optional
        Trials in all, those that are saved included; as the scale has it if not given.
    time_limit : float, optional
        Seconds after which nothing new is begun.

    Returns
    -------
    optuna.Study
        The search, for `trial_config` and the plots of Optuna.

    Raises
    ------
    ValueError
        If there is no such family, scale or fold, or no trial is asked for.
    radiosynth.training.TrainingStopped
        If the time was over before all trials were made; calling again resumes.
    """
    check_choice(family, "family", FAMILIES)
    scale = scales.current_scale(scale)
    trials = plan(scale)["trials"] if trials is None else trials
    check_count(trials, "trials", 1)
    search = _open(scale, family, fold)
    if len(finished(search)) < trials:
        search.enqueue_trial(FAMILIES[family]["first"], skip_if_exists=True)
        train, validation, _ = samples.prepare(_budget_of(search))  # the fold that tests stays unseen
        deadline = None if time_limit is None else time.time() + time_limit
        objective = partial(_objective, images=(train, validation), deadline=deadline)
        enough = optuna.study.MaxTrialsCallback(trials, states=ENDED)
        search.optimize(objective, timeout=time_limit, callbacks=[enough])
    if (left := trials - len(finished(search))) > 0:
        msg = f"{left} of {trials} trials are left; run the same command again to resume"
        raise TrainingStopped(msg)
    return search
