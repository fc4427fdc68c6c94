"""Studies: what they hold apart, how they are taken up, and that the comparison is the textbook's."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from astropy.table import Table
from samples import ROOT, simulated_survey
from scipy import stats
from sklearn.metrics import balanced_accuracy_score

from radiosynth import datasets
from radiosynth.reproduction import configs, presets, recipes, samples, scales, studies
from radiosynth.reproduction.comparisons import StudyResult, finding, over_folds
from radiosynth.stopping import TrainingStopped

TINY = {
    "folds": 3,
    "tested": 2,
    "per_class": 24,
    "validation_per_class": 12,
    "epochs": 1,
    "width": 0.05,
    "size": 24,
}
SHARES = {
    "real, 100%": {"training_set": "real"},
    "real+geometric, 100%": {"training_set": "real+geometric", "compared_with": "real, 100%"},
    "real, 25%": {"training_set": "real", "fraction": 0.25},
    "real+geometric, 25%": {"training_set": "real+geometric", "compared_with": "real, 25%", "fraction": 0.25},
}
"""A study whose networks need no generator."""


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(datasets, "load_report_sample", simulated_survey)
    monkeypatch.setitem(scales.SCALES["smoke"], "study", dict(TINY))
    gan = {**scales.SCALES["smoke"]["gan"], "per_class": 64, "epochs": 1, "width": 0.05}
    monkeypatch.setitem(scales.SCALES["smoke"], "gan", gan)
    monkeypatch.setitem(scales.WRITTEN["studies"], "shares", SHARES)
    monkeypatch.setenv("RADIOSYNTH_RUNS", str(tmp_path))
    return tmp_path


@pytest.mark.usefixtures("tiny")
def test_train_validation_and_test_sources_are_disjoint_and_every_source_tests_once() -> None:
    configs = [presets.classifier_config("real", "smoke", folds=5, fold=fold, size=24) for fold in range(5)]
    tested: list[str] = []
    for config in configs:
        train, validation, test = (set(part.table["name"]) for part in samples.split_sample(config.sources))
        assert not train & validation
        assert not train & test
        assert not validation & test
        assert len(train | validation | test) == len(simulated_survey())
        tested += test
    assert sorted(tested) == sorted(simulated_survey().table["name"])


@pytest.mark.parametrize(
    "changes", [{"keep_groups": False}, {"n_sigma": 5.0}, {"folds": 3, "fold": 1}], ids=str
)
@pytest.mark.parametrize("training_set", ["real+gan", "real+vae"])
def test_generators_learn_from_the_training_sources_of_their_classifier(
    tiny: Path, training_set: str, changes: dict[str, Any]
) -> None:
    config = presets.classifier_config(training_set, "smoke", test_per_class=6, size=24, **changes)
    train, _, test = samples.split_sample(config.sources)
    for generator in config.generators:
        learned, *_ = samples.split_sample(generator.sources)
        np.testing.assert_array_equal(learned.images, train.images)
        assert not set(learned.table["name"]) & set(test.table["name"])
    other = config.generators[0].changed(split_seed=1)
    with pytest.raises(ValueError, match="differs in split_seed, so it could learn from test sources"):
        config.changed(generators=(other,))


@pytest.mark.usefixtures("tiny")
def test_smaller_shares_of_the_sources_are_parts_of_larger_ones() -> None:
    def names(fraction: float) -> set[str]:
        config = presets.classifier_config("real", "smoke", folds=3, size=24, fraction=fraction)
        train = samples.split_sample(config.sources)[0]
        assert min(train.counts().values()) == max(1, round(fraction * 10))
        return set(train.table["name"])

    assert names(0.01) < names(0.3) < names(0.6)


@pytest.mark.usefixtures("tiny")
def test_a_leaking_gan_sees_the_held_out_sources_and_a_mislabelled_set_repeats_fr_i() -> None:
    seen = []
    for leak in (False, True):
        gan = presets.gan_config("all", "smoke", leak=leak, size=24, test_per_class=6, per_class=64)
        seen.append(recipes.run(gan).provenance["sources"])
        config = presets.classifier_config(
            "real+gan", "smoke", size=24, per_class=24, test_per_class=6, generators=(gan,), mislabelled=True
        )
        train = samples.prepare(config)[0]
        fake = train[len(train) // 2 :]
        np.testing.assert_array_equal(fake.images[fake.labels == 0], fake.images[fake.labels == 1])
        assert not np.array_equal(fake.images[fake.labels == 0], fake.images[fake.labels == 2])
    assert [set(counts.values()) for counts in seen] == [{24}, {30}]


def test_a_study_is_computed_in_slices_saved_and_loaded(tiny: Path) -> None:
    with pytest.raises(TrainingStopped, match="8 of 8 runs are left"):
        studies.run_study("shares", "smoke", time_limit=0)
    result = studies.run_study("shares", "smoke")
    assert not result.loaded
    parts = ("100%", "25%")
    assert result.conditions == [f"{name}, {part}" for part in parts for name in ("real", "real+geometric")]
    assert len(result.sources) == 4 * 80  # two of three parts of 120 sources were tested, in each condition
    assert set(result.histories["fold"]) == {0, 1}
    first = studies.layout("shares", "smoke")[0]["real, 100%"][0]
    plain = recipes.run(first).predictions
    right = (plain["probabilities"].argmax(1) == plain["labels"])[plain["plain"]].mean()
    tested = result.tested("real, 100%")
    assert tested["correct"][tested["fold"] == 0].mean() == pytest.approx(right)
    again = studies.run_study("shares", "smoke")
    assert again.loaded
    table = result.summary()
    numbers = json.loads((result.folder / "summary.json").read_text())["numbers"]
    assert numbers["change: real+geometric, 25%"]["value"] == pytest.approx(table["difference"][3])
    assert numbers["accuracy: real, 25%"]["low"] < numbers["accuracy: real, 25%"]["high"]
    assert table["compared_with"].tolist() == [f"real, {part}" for part in parts for _ in range(2)]
    assert again.sources.as_array().tolist() == result.sources.as_array().tolist()
    record = tiny / "smoke-study-shares" / "study.json"
    record.write_text(record.read_text().replace("smoke-classifier", "other-classifier"))
    with pytest.raises(ValueError, match="study of other runs"):
        studies.run_study("shares", "smoke")


@pytest.mark.usefixtures("tiny")
def test_an_interrupt_ends_the_study_and_not_one_run_only(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = []

    def stopped(config: configs.ClassifierConfig, **_: object) -> None:
        begun.append(config.name)
        raise TrainingStopped("stopped by Ctrl-C", interrupted=True)

    monkeypatch.setattr(recipes, "run", stopped)
    with pytest.raises(TrainingStopped, match="Ctrl-C"):
        studies.run_study("shares", "smoke")
    assert len(begun) == 1


@pytest.mark.parametrize("scale", ["smoke", "laptop", "report"])
def test_conditions_that_are_compared_make_equal_steps(scale: str) -> None:
    def steps(configs: list[configs.ClassifierConfig]) -> set[int]:
        return {c.per_class * c.settings.epochs * (1 if c.training_set == "real" else 2) for c in configs}

    for name in scales.WRITTEN["studies"]:
        conditions, references = studies.layout(name, scale)
        assert references
        for condition, reference in references.items():
            assert steps(conditions[condition]) == steps(conditions[reference])


def hand_made(right: dict[str, list[int]], folds: list[int]) -> StudyResult:
    rows = [
        {
            "condition": condition,
            "fold": fold,
            "name": f"s{i}",
            "label": 1,
            "p0": 1 - r,
            "p1": r,
            "p2": 0.0,
            "p3": 0.0,
        }
        for condition, values in right.items()
        for i, (r, fold) in enumerate(zip(values, folds, strict=True))
    ]
    config = presets.classifier_config("real", "smoke")
    return StudyResult(Path("by-hand"), config, {"b": "a"}, Table(rows), Table(), loaded=True)


def test_the_comparison_is_paired_and_its_interval_is_over_folds() -> None:
    # In the first fold 2 gained and 1 lost of 4, in the second 1 gained; smoke has no folds: one trains.
    result = hand_made({"a": [1, 1, 0, 0, 0, 1, 1, 0], "b": [1, 0, 1, 1, 1, 1, 1, 1]}, [0] * 4 + [1] * 4)
    c = SimpleNamespace(**result.compare("a", "b"))
    assert (c.gained, c.lost) == (4, 1)
    assert c.difference == pytest.approx((0.25 + 0.5) / 2)
    error = np.std([0.25, 0.5], ddof=1) * np.sqrt(1 / 2 + 1)
    assert c.high - c.difference == pytest.approx(stats.t.ppf(0.975, 1) * error)
    assert c.p_value == pytest.approx(2 * stats.t.sf(0.375 / error, 1))
    assert c.finding == "not established"
    swapped = SimpleNamespace(**result.compare("b", "a"))
    assert swapped.difference == -c.difference
    assert (swapped.gained, swapped.lost) == (1, 4)
    alone = hand_made({"a": [1, 0, 1], "b": [1, 1, 0]}, [0] * 3).compare("a", "b")
    assert np.isnan([alone["low"], alone["high"], alone["p_value"]]).all()
    assert alone["finding"] == "not established"


def test_a_preference_for_the_large_class_is_no_gain() -> None:
    # A tenth of the sources is of class 0. The second calls all of them class 1, the first errs in both.
    rows = []
    for condition in ("a", "b"):
        for i in range(200):
            label = int(i % 10 > 0)
            wrong = label == 0 if condition == "b" else i % 20 < 8
            chosen = 1 - label if wrong else label
            p = {f"p{code}": float(code == chosen) for code in range(4)}
            rows.append({"condition": condition, "fold": i // 100, "name": f"s{i}", "label": label, **p})
    config = presets.classifier_config("real", "smoke")
    result = StudyResult(Path("by-hand"), config, {"b": "a"}, Table(rows), Table(), loaded=True)
    c = SimpleNamespace(**result.compare("a", "b"))
    labels = np.asarray(result.tested("a")["label"])
    first, second = (np.asarray(result.tested(condition)["correct"]) for condition in ("a", "b"))
    recalls = [[hit[labels == code].mean() for code in (0, 1)] for hit in (first, second)]
    assert c.difference > 0
    assert c.balanced == pytest.approx(np.mean(recalls[1]) - np.mean(recalls[0]))
    assert c.balanced < c.difference
    assert c.finding == "not established"
    half = [0] * 200 + [1] * 200
    steady = hand_made({"a": [0, 1] * 200, "b": [1, 1] * 200}, half).compare("a", "b")
    assert steady["finding"] == "gain"
    assert steady["p_value"] == 0
    table = result.summary()
    assert table["balanced_accuracy"][1] == pytest.approx(0.5)
    found = result.numbers()
    assert found["balanced accuracy: b"]["value"] == pytest.approx(0.5)
    assert found["change: b"]["finding"] == "not established"
    assert found["balanced change: b"]["value"] == pytest.approx(c.balanced)


def test_the_interval_over_folds_is_that_of_nadeau_and_bengio() -> None:
    # Ten folds: nine parts in ten of two training sets are the same, so n_test / n_train is an eighth.
    each = np.random.default_rng(0).normal(0.02, 0.03, 10)
    value, low, high, p_value = over_folds(each, 10)
    half = stats.t.ppf(0.975, 9) * each.std(ddof=1) * np.sqrt(1 / 10 + 1 / 8)
    assert (value, low, high) == pytest.approx((each.mean(), each.mean() - half, each.mean() + half))
    assert (p_value < 0.05) == (low > 0)
    assert over_folds([0.1, 0.1], 10) == pytest.approx((0.1, 0.1, 0.1, 0))
    assert over_folds([0.0, 0.0], 10) == (0, 0, 0, 1)


def test_a_change_is_established_only_by_all_of_its_numbers() -> None:
    assert finding((0.01, 0.05), (0.002, 0.06)) == "gain"
    assert finding((-0.05, -0.01), (-0.06, -0.002)) == "loss"
    assert finding((0.01, 0.05), (-0.002, 0.06)) == "not established"
    assert finding((0.01, 0.05), (np.nan, np.nan)) == "not established"


def test_saved_studies_hold_balanced_accuracies() -> None:
    for path in sorted((ROOT / "paper" / "runs").glob("*-study-*/summary.json")):
        numbers = json.loads(path.read_text())["numbers"]
        sources = Table.read(path.parent / "sources.csv")
        for condition in dict.fromkeys(sources["arm"].tolist()):
            rows = sources[sources["arm"] == condition]
            chosen = np.stack([rows[f"p{code}"] for code in range(4)]).argmax(axis=0)
            truth = balanced_accuracy_score(rows["label"], chosen)
            assert numbers[f"balanced accuracy: {condition}"]["value"] == pytest.approx(truth), (
                path,
                condition,
            )
        for key, number in numbers.items():
            if "p_value" in number:
                condition = key.removeprefix("change: ")
                balanced = numbers[f"balanced change: {condition}"]
                intervals = ((each["low"], each["high"]) for each in (number, balanced))
                assert number["finding"] == finding(*intervals)


def test_what_is_not_in_a_study_is_named() -> None:
    result = hand_made({"a": [1, 0], "b": [1, 1]}, [0, 1])
    with pytest.raises(ValueError, match="unknown condition of by-hand 'c': choose from a, b"):
        result.compare("a", "c")
    with pytest.raises(ValueError, match="unknown study 'x': choose from published-code"):
        studies.layout("x")
    with pytest.raises(ValueError, match="unknown scale"):
        studies.layout("published-code", "huge")


def test_a_run_has_one_result_in_all_studies() -> None:
    recorded: dict[str, tuple[str, np.ndarray]] = {}
    for path in sorted((ROOT / "paper" / "runs").glob("*-study-*/study.json")):
        sources = Table.read(path.parent / "sources.csv")
        for condition, names in json.loads(path.read_text())["arms"].items():
            rows = sources[sources["arm"] == condition]
            folds = dict.fromkeys(rows["fold"].tolist())
            for name, fold in zip(names, folds, strict=True):
                part = rows[rows["fold"] == fold]
                found = np.stack([part[f"p{code}"] for code in range(4)])
                study, before = recorded.setdefault(name, (path.parent.name, found))
                assert np.array_equal(found, before), f"{name} differs in {study} and {path.parent.name}"
    assert recorded
