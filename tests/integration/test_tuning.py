"""The search: what it may see, that it stops and resumes, prunes bad trials, and is shared by processes."""

from __future__ import annotations

import json
import multiprocessing
import os
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from samples import simulated_survey

from radiosynth import classification as classifier, cli, datasets
from radiosynth.reproduction import samples, scales, search as tuning
from radiosynth.stopping import TrainingStopped

TINY: dict[str, dict[str, Any]] = {
    "plan": {
        "folds": 3,
        "tested": 1,
        "trials": 2,
        "grown": 1,
        "stacks": [(1, 2), (2, 2)],
        "families": ("report", "all-convolutional"),
    },
    "budget": {"size": 32, "per_class": 24, "validation_per_class": 12, "epochs": 2, "width": 0.05},
}


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(datasets, "load_report_sample", simulated_survey)
    monkeypatch.setitem(scales.SCALES["smoke"], "search", TINY)
    monkeypatch.setenv("RADIOSYNTH_RUNS", str(tmp_path))
    monkeypatch.setenv("RADIOSYNTH_SCALE", "smoke")
    return tmp_path


@pytest.fixture
def painted(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Replace training by a formula: the accuracy rises with the epoch, and with less dropout."""
    asked: list[dict[str, Any]] = []

    def train(
        train: Any, validation: Any, settings: Any, *, callbacks: Any, time_limit: Any, **_: Any
    ) -> Any:
        asked.append({"train": train, "validation": validation, "settings": settings})
        if time_limit is not None and time_limit < 100:
            raise TrainingStopped
        dropout = json.loads(settings.network)["dropout"]
        values = [(1 - dropout) * (epoch + 1) / settings.epochs for epoch in range(settings.epochs)]
        for epoch, value in enumerate(values):
            for callback in callbacks:
                callback.on_epoch_end(epoch, {"val_accuracy": value})
        return None, {"val_accuracy": values}

    monkeypatch.setattr(classifier, "train_classifier", train)
    return asked


def test_the_sources_that_test_never_enter_the_objective(painted: list[dict[str, Any]]) -> None:
    for fold in range(3):
        painted.clear()
        search = tuning.tune("residual", fold=fold, trials=2)
        *inner, test = samples.split_sample(tuning.trial_config(search).sources)
        seen = {
            name for call in painted for part in ("train", "validation") for name in call[part].table["name"]
        }
        assert len(painted) == 2
        assert not seen & set(test.table["name"])
        assert seen == {name for part in inner for name in part.table["name"]}


def test_a_search_stops_and_resumes_with_its_trials(painted: list[dict[str, Any]], tiny: Path) -> None:
    first = tuning.tune("report", trials=2)
    before = [trial.params for trial in tuning.finished(first)]
    assert before[0] == tuning.FAMILIES["report"]["first"]
    with pytest.raises(TrainingStopped):
        tuning.tune("report", trials=3, time_limit=50)
    stopped = painted[-1]["settings"]
    again = tuning.tune("report", trials=4)
    assert painted[-2]["settings"] == stopped  # it is made again, from its beginning
    assert [trial.params for trial in tuning.finished(again)][:2] == before
    assert len(tuning.finished(again)) == 4
    assert len({str(trial.params) for trial in tuning.finished(again)}) == 4
    journal = tiny / "smoke-study-tuning" / "journal.jsonl"
    kept, calls = journal.read_bytes(), len(painted)
    assert len(tuning.finished(tuning.tune("report", trials=3))) == 4
    assert journal.read_bytes() == kept  # what is saved is only read
    assert len(painted) == calls


def test_an_interrupt_ends_the_search_and_not_one_trial_only(
    painted: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    paint = classifier.train_classifier

    def train(*samples: Any, **options: Any) -> Any:
        if len(painted) == 1:
            raise TrainingStopped("stopped by Ctrl-C", interrupted=True)
        return paint(*samples, **options)

    monkeypatch.setattr(classifier, "train_classifier", train)
    with pytest.raises(TrainingStopped, match="Ctrl-C"):
        tuning.tune("report", trials=3)
    assert len(painted) == 1
    monkeypatch.setattr(classifier, "train_classifier", paint)
    assert len(tuning.finished(tuning.tune("report", trials=3))) == 3


@pytest.mark.parametrize("content", [b"[1, 2]\n", b"null\n", b"{}\n", b"<html>\n", bytes(range(256))])
def test_a_damaged_journal_is_named(tiny: Path, content: bytes) -> None:
    folder = tiny / "smoke-study-tuning"
    folder.mkdir()
    (folder / "journal.jsonl").write_bytes(content)
    with pytest.raises(ValueError, match=r"journal\.jsonl is damaged.*run it again"):
        tuning._open("smoke", "report", 0)


@pytest.mark.usefixtures("painted")
def test_a_bad_trial_is_pruned_and_a_good_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    longer = {**TINY, "budget": {**TINY["budget"], "epochs": 8}}
    monkeypatch.setitem(scales.SCALES["smoke"], "search", longer)
    tuning.tune("report", trials=1)
    search = tuning._open("smoke", "report", 0)
    for dropout in (0.4, 0.3, 0.6, 0.0):
        search.enqueue_trial({**tuning.FAMILIES["report"]["first"], "dropout": dropout})
    trials = tuning.finished(tuning.tune("report", trials=5))
    assert [trial.state.name for trial in trials] == [*["COMPLETE"] * 3, "PRUNED", "COMPLETE"]
    assert len(trials[3].intermediate_values) == 3  # the first quarter of the epochs is never pruned
    assert search.best_trial.number == trials[4].number


def _make_trials(root: Path) -> None:
    os.environ |= {"RADIOSYNTH_RUNS": str(root), "RADIOSYNTH_SCALE": "smoke"}
    datasets.load_report_sample = simulated_survey
    scales.SCALES["smoke"]["search"] = TINY
    tuning.tune("report", trials=4)


def test_two_processes_share_a_search(tmp_path: Path, tiny: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.map(_make_trials, [tmp_path, tmp_path])
    trials = tuning.finished(tuning.tune("report", trials=4))
    assert 4 <= len(trials) <= 5  # both may have been in their last trial
    assert [trial.number for trial in trials] == list(range(len(trials)))


def test_two_processes_that_begin_at_once_draw_different_trials(
    painted: list[dict[str, Any]], tiny: Path
) -> None:
    searches = [tuning._open("smoke", "report", 0) for _ in range(2)]
    trials = [search.ask() for search in searches]  # both running before either draws
    for trial in trials:
        tuning._objective(trial, (None, None), None)
    assert trials[0].params != trials[1].params


@pytest.mark.usefixtures("tiny")
def test_networks_are_grown() -> None:
    result = tuning.grow()
    assert result.conditions == ["1 × 2", "2 × 2"]
    assert len(result.histories) == 2 * 4


@pytest.mark.usefixtures("painted")
def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["tune", "--family", "report", "--trials", "2"]) == 0
    assert "best of 2 trials" in capsys.readouterr().out
    assert cli.main(["tune", "--family", "report", "--trials", "9", "--time-limit", "0"]) == 75
    assert "7 of 9 trials are left" in capsys.readouterr().err


@pytest.mark.usefixtures("painted")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"family": "vision"}, "unknown family 'vision': choose from report"),
        ({"family": "report", "trials": 0}, "trials is 0; give a whole number from 1"),
        ({"family": "report", "fold": 3}, "fold=3: give 0 .* from 0 to folds - 1"),
        ({"family": "report", "scale": "huge"}, "unknown scale"),
    ],
)
def test_what_cannot_be_searched(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tuning.tune(**arguments)


def test_a_falling_learning_rate(tmp_path: Path) -> None:
    sample = simulated_survey()
    settings = classifier.ClassifierSettings(2, 32, 1e-2, 0.05, schedule="cosine")
    model, _ = classifier.train_classifier(sample, sample, settings, folder=tmp_path)
    assert float(model.optimizer.learning_rate) == pytest.approx(0, abs=1e-6)
    with pytest.raises(ValueError, match="unknown schedule 'stairs'"):
        classifier.ClassifierSettings(schedule="stairs")


def test_trials_draw_from_the_whole_space(tiny: Path) -> None:
    config = tuning._budget("smoke", 0)
    for family in tuning.FAMILIES:
        drawn = []
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
        for _ in range(6):
            drawn.append(tuning._suggest(study.ask(), family, config))
            assert drawn[-1].settings.architecture in ("stacked", "residual")
        assert len({each.hash for each in drawn}) == 6
        assert np.ptp([np.log(each.settings.learning_rate) for each in drawn]) > 1
