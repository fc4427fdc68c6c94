"""The comparison of training sets: its design, its runs and its statistics."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from samples import ROOT
from sklearn.metrics import balanced_accuracy_score, log_loss, recall_score

import radiosynth
from radiosynth import simulation
from radiosynth.cli import main
from radiosynth.reproduction import analysis, protocol, verdict
from radiosynth.reproduction.analysis import Networks
from radiosynth.stopping import TrainingStopped
from radiosynth.taxonomy import CLASS_NAMES

TINY = protocol.Trial("real", exposure=256, epochs=2, width=0.05, precision="float32", synthetic_per_class=8)


def test_the_main_part_has_three_networks_for_each_fold_and_condition() -> None:
    trials = protocol.trials("main")
    assert len({trial.name for trial in trials}) == len(trials) == 120
    assert set(Counter(trial.condition for trial in trials).values()) == {30}
    assert {trial.fold for trial in trials[:12]} == {0}  # whole folds are done first


def test_names_of_records_are_pinned() -> None:
    trials = protocol.trials("main")
    assert [trials[0].name, trials[-1].name] == PINNED


PINNED = ["real-fold0-seed0-44136fa355b3", "observed-fold9-seed2-8a5cbcee6370"]


def test_a_part_that_waits_for_a_choice_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(protocol.protocol(), "chosen")
    with pytest.raises(ValueError, match="run the main part first"):
        protocol.trials("few-labels")


def test_each_source_is_tested_once_and_never_trained_on() -> None:
    tested: list[str] = []
    for fold in range(10):
        parts = verdict.sources_of(replace(TINY, fold=fold))
        names = [set(part.table["name"]) for part in parts]
        assert not (names[0] & names[1])
        assert not (names[0] & names[2])
        assert not (names[1] & names[2])
        groups = [set(part.table["sky_group"][part.table["sky_group"] >= 0]) for part in parts]
        assert not groups[0] & groups[2]
        tested += parts[2].table["name"].tolist()
    assert len(tested) == len(set(tested)) == 1012


def test_generators_are_those_of_the_protocol() -> None:
    gan, vae = (verdict.generator_config(replace(TINY, synthetic=kind, fold=3)) for kind in ("gan", "vae"))
    assert (gan.kind, vae.kind) == ("gan", "vae")
    assert (vae.settings.width_multiplier, vae.sources.fold, vae.sources.folds) == (0.125, 3, 10)
    with pytest.raises(ValueError, match="unknown kind of synthetic images 'flow'"):
        verdict.generator_config(replace(TINY, synthetic="flow"))


def test_external_sources_lie_far_from_those_of_the_report() -> None:
    outside, used = verdict.external_sources(), radiosynth.load_report_sample()
    places = [SkyCoord(sample.table["ra"], sample.table["dec"], unit="deg") for sample in (outside, used)]
    assert len(outside) == 1132
    assert places[0].match_to_catalog_sky(places[1])[1].arcsec.min() > 270


def test_views_are_balanced_mixed_as_asked_and_the_same_again() -> None:
    real = radiosynth.Sample(np.full((10, 8, 8), 0.5), [0] * 5 + [1, 1, 2, 2, 3])
    fake = radiosynth.Sample(np.full((8, 8, 8), -0.5), [0, 1, 2, 3] * 2)
    trial = replace(TINY, exposure=8192, epochs=1)
    batches = verdict._Views([real, fake], 3.0, trial, trial.exposure)
    assert batches.steps == 4 * 8192 / 32
    images, labels = (np.concatenate(part) for part in zip(*batches.epoch(0), strict=True))
    np.testing.assert_allclose(np.bincount(labels) / len(labels), 0.25, atol=0.02)
    np.testing.assert_allclose((images[:, 4, 4, 0] > 0).mean(), 0.25, atol=0.02)
    again = next(batches.epoch(0))
    np.testing.assert_array_equal(again[0], images[:32])


@pytest.mark.parametrize(
    "trial",
    [
        TINY,
        replace(TINY, condition="geometric", synthetic="geometric", ratio=1.0),
        replace(TINY, condition="observed", synthetic="observed", ratio=1.0),
        replace(TINY, condition="pretrained", synthetic="geometric", pretrain=True),
    ],
    ids=lambda trial: trial.condition,
)
def test_a_run_is_recorded_once_with_what_it_says_of_every_source(
    trial: protocol.Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = partial(simulation.fit_population, per_class=20, rounds=1)
    monkeypatch.setattr(simulation, "fit_population", quick)
    path = verdict.run(trial)
    assert path is not None
    with np.load(path, allow_pickle=False) as stored:
        assert protocol.Trial(**json.loads(str(stored["trial"]))) == trial
        assert stored["external_probabilities"].shape == (1132, 4)
        np.testing.assert_allclose(stored["test_probabilities"].astype(float).sum(axis=1), 1, atol=2e-3)
        assert len(stored["history_val_balanced_accuracy"]) == (4 if trial.pretrain else 2)
    made = path.stat().st_mtime_ns
    assert verdict.run(trial) == path
    assert path.stat().st_mtime_ns == made
    assert not list(path.parent.glob(f".{trial.name}*"))


def test_a_run_that_is_stopped_resumes_with_the_same_numbers() -> None:
    whole, slices = (replace(TINY, epochs=3, condition=name) for name in ("whole", "slices"))
    for _ in range(3):
        try:
            path = verdict.run(slices, time_limit=1e-3)
            break
        except TrainingStopped:
            pass
    other = verdict.run(whole)
    assert path is not None
    assert other is not None
    with np.load(path) as a, np.load(other) as b:
        np.testing.assert_array_equal(a["test_probabilities"], b["test_probabilities"])


# Statistics -------------------------------------------------------------------------------------------


def simulated(effect: float, rng: np.random.Generator, shared: bool = False) -> tuple[Networks, Networks]:
    """Return networks of two conditions that differ by `effect`, with scatter by fold, seed and source."""
    folds, seeds, n = 10, 3, 100
    difficulty = rng.normal(0, 1, (1 if shared else folds, n))
    labels = [rng.integers(4, size=n)] * folds if shared else [rng.integers(4, size=n) for _ in range(folds)]
    found = []
    for shift in (0.0, effect):
        probabilities = []
        for fold in range(folds):
            scatter = rng.normal(0, 0.15, (seeds, 1)) + rng.normal(0, 0.1)
            right = difficulty[0 if shared else fold] + scatter + rng.normal(0, 0.3, (seeds, n)) > -1 - shift
            given = np.where(right, labels[fold], (labels[fold] + 1) % 4)
            probabilities.append(np.eye(4)[given])
        found.append(Networks("x", labels, probabilities, shared))
    return found[1], found[0]


@pytest.mark.parametrize("shared", [False, True])
def test_a_difference_is_found_where_there_is_one_and_seldom_where_there_is_none(
    shared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(analysis, "REPLICATES", 1000)
    rng = np.random.default_rng(1)
    strong = SimpleNamespace(**analysis.difference(*simulated(0.6, rng, shared), rng=rng))
    assert strong.p < 0.01
    assert strong.low > 0
    assert strong.corrected_low > 0
    covered = []
    for _ in range(40):
        none = SimpleNamespace(**analysis.difference(*simulated(0.0, rng, shared), rng=rng))
        covered.append(none.low <= 0 <= none.high)
        assert (none.p < 0.05) == (not covered[-1]) or abs(none.p - 0.05) < 0.01
    assert np.mean(covered) >= 0.95  # the scatter between folds contains some of the others


def save_records(folder: Path, part: str, made: dict[str, Networks]) -> None:
    """Save a record for each network compared, of both tests, by condition; the rest are like ``real``."""
    for trial in analysis.compared(part):
        networks = made.get(trial.condition, made["real"])
        labels, probabilities = networks.labels[trial.fold], networks.probabilities[trial.fold][trial.seed]
        arrays = {f"{test}_labels": labels for test in ("test", "external")}
        arrays |= {f"{test}_probabilities": probabilities for test in ("test", "external")}
        np.savez(folder / f"{trial.name}.npz", **arrays)


def test_a_part_is_compared_when_all_of_its_networks_are_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(analysis, "REPLICATES", 1000)
    rng = np.random.default_rng(2)
    better, reference = simulated(0.6, rng)
    made = {"real": reference, "geometric": better}
    save_records(tmp_path, "main", made)
    for part in ("main", "controls"):
        lost = tmp_path / f"{protocol.trials(part)[-1].name}.npz"
        kept = lost.read_bytes()
        lost.unlink()
        fault = "149 of 150 networks of the part 'main' are saved, and no test is .*--train main controls"
        with pytest.raises(ValueError, match=fault):
            analysis.comparison("test", folder=tmp_path)
        lost.write_bytes(kept)
    table = analysis.comparison("test", folder=tmp_path)
    assert table["condition"].tolist()[:4] == ["real", "geometric", "gan", "observed"]
    assert table["condition"].tolist()[4:] == ["real, twice", "vae", "pretrained"]
    assert set(table["folds"]) == {10}
    assert table["found"].tolist()[1:] == ["gain", *["no effect detected"] * 5]
    np.testing.assert_allclose(
        table["balanced_accuracy"][1] - analysis.balanced_accuracy(reference), table["value"][1]
    )
    assert table["adjusted_p"][1] == pytest.approx(6 * table["p"][1])
    with pytest.raises(ValueError, match="compare the part 'main'"):
        analysis.comparison("test", "controls", tmp_path)


def test_the_controls_are_compared_with_as_many_networks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(analysis, "REPLICATES", 1000)
    better, reference = simulated(0.6, np.random.default_rng(2))
    save_records(tmp_path, "main", {"real": reference, "geometric": better, "vae": better})
    table = analysis.comparison("test", folder=tmp_path)
    assert table["condition", "seeds", "found"].as_array().tolist()[1:] == [
        ("geometric", 3, "gain"),
        ("gan", 3, "no effect detected"),
        ("observed", 3, "no effect detected"),
        ("real, twice", 1, "no effect detected"),
        ("vae", 1, "gain"),
        ("pretrained", 1, "no effect detected"),
    ]


def test_networks_that_were_tested_on_other_sources_are_not_compared() -> None:
    rng = np.random.default_rng(6)
    one, two = simulated(0.6, rng)
    other = replace(two, labels=two.labels[::-1])
    fewer = replace(two, probabilities=[each[:1] for each in two.probabilities])
    for different in (other, fewer):
        with pytest.raises(ValueError, match="differ in test sources or numbers of networks"):
            analysis.difference(one, different, rng=rng)


def test_scores_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(5)
    labels = [rng.integers(4, size=50) for _ in range(2)]
    said = [rng.dirichlet(np.ones(4), (3, 50)) for _ in range(2)]
    found = analysis.scores(Networks("x", labels, said, False))
    truth, given = np.concatenate([np.tile(each, 3) for each in labels]), np.concatenate(said).reshape(-1, 4)
    chosen = given.argmax(axis=1)
    assert found["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(truth, chosen))
    recalls = recall_score(truth, chosen, average=None)
    assert [found[f"recall {name}"] for name in CLASS_NAMES] == pytest.approx(recalls.tolist())
    assert found["log_loss"] == pytest.approx(log_loss(truth, given))
    bins = np.digitize(given.max(axis=1), np.linspace(0, 1, 11)) - 1
    hit = chosen == truth
    gaps = [abs((hit - given.max(axis=1))[bins == i].sum()) for i in range(10)]
    assert found["calibration_error"] == pytest.approx(sum(gaps) / len(truth))


def test_parts_are_compared_with_real_images_of_the_same_proportion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(protocol.protocol(), "chosen", {"best": "geometric", "second": "gan"})
    monkeypatch.setattr(analysis, "REPLICATES", 500)
    rng = np.random.default_rng(3)
    better, reference = simulated(0.6, rng)
    for part in ("few-labels", "left-out-catalogue", "ratio"):
        folds: dict[object, int] = {}
        for trial in protocol.trials(part):
            fold = folds.setdefault(trial.left_out or trial.fold, len(folds))
            networks = better if trial.condition == "geometric" else reference
            known = networks.labels[fold] < 3 if trial.left_out else slice(None)  # no compact source there
            arrays = {
                "test_labels": networks.labels[fold][known],
                "test_probabilities": networks.probabilities[fold][trial.seed][known],
                "external_labels": networks.labels[0],
                "external_probabilities": reference.probabilities[0][trial.seed],
            }
            np.savez(tmp_path / f"{trial.name}.npz", **arrays)
    few = analysis.comparison("test", "few-labels", tmp_path)
    gains = few["condition", "fraction"][few["found"] == "gain"].as_array().tolist()
    assert gains == [("geometric", 0.05), ("geometric", 0.25)]
    assert len(few) == 8
    said = analysis._found_in("few-labels", tmp_path)
    where = (
        r"of the training sources, on held-out sources of the report's sample, the balanced accuracy rises"
    )
    change = rf"{where} when geometric simulations \(\+[^()]+\) are used; "
    assert re.fullmatch(rf" With 5.% {change}with 25.% {change}no other change is detected [a-z ]+\.", said)
    (tmp_path / f"{protocol.trials('few-labels')[0].name}.npz").unlink()
    assert not analysis._found_in("few-labels", tmp_path)
    ratios = analysis.comparison("test", "ratio", tmp_path)
    assert ratios["condition", "ratio", "found"].as_array().tolist()[1:] == [
        ("geometric", ratio, "gain") for ratio in (0.5, 1, 2, 4)
    ]
    said = analysis._found_in("ratio", tmp_path)
    assert said.startswith(" With 0.5 synthetic views for each real one, on held-out sources")
    assert said.count("the balanced accuracy rises when geometric simulations") == 4
    left_out = analysis.comparison("test", "left-out-catalogue", tmp_path)
    assert left_out["condition", "folds", "seeds"].as_array().tolist() == [
        ("real", 6, 3),
        ("geometric", 6, 3),
    ]
    assert left_out["found"][1] == "gain"
    assert np.isfinite(left_out["corrected_p"][1])


def test_nothing_is_said_of_a_test_before_every_network_is_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(analysis, "REPLICATES", 1000)
    # The same seed: the same sources.
    (better, reference), (worse, _) = (simulated(x, np.random.default_rng(4)) for x in (0.6, -0.6))
    save_records(tmp_path, "main", {"real": reference, "geometric": better, "observed": worse})
    last = tmp_path / f"{protocol.trials('main')[-1].name}.npz"
    kept = last.read_bytes()
    last.unlink()
    said = analysis.verdict(tmp_path)
    assert "not complete: 149 of 150" in said
    assert "points" not in said
    last.write_bytes(kept)
    said = analysis.verdict(tmp_path)
    brief = analysis.verdict(tmp_path, brief=True)
    assert said.startswith(f"{brief} Real images alone, all of them, reach ")
    assert "10 folds with 3 networks each (one for as many further views of the real images," in said
    assert "adjusted for 6 comparisons" in said
    change = r"\([+−]\d+\.\d, [+−]\d+\.\d to [+−]\d+\.\d; adjusted p = [\de.-]+\)"
    for part in brief.split("; on ")[1:]:
        assert re.search(rf"the balanced accuracy rises when geometric simulations {change} are used", part)
        assert re.search(rf"falls when fitted simulations as FIRST would see them {change} are used", part)
    assert brief.startswith(
        "With all training sources, no change in balanced accuracy is detected when GAN images, VAE images "
    )
    assert brief.count("the balanced accuracy rises when geometric simulations (+") == 2
    assert brief.count("further views") == 0  # which are no synthetic images


def test_a_statement_is_brief_where_nothing_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analysis, "REPLICATES", 200)
    _, reference = simulated(0.0, np.random.default_rng(7))
    save_records(tmp_path, "main", {"real": reference})
    said = analysis.verdict(tmp_path, brief=True)
    tables = [analysis.comparison(test, folder=tmp_path)[1:] for test in analysis.TESTS]
    number = r"([+−]\d+\.\d)"
    found = re.fullmatch(
        "With all training sources, no change in balanced accuracy is detected when geometric simulations, "
        "GAN images, fitted simulations as FIRST would see them, VAE images or fitted simulations in "
        rf"pre-training only are used \(95.% intervals between {number} and {number} points on held-out "
        rf"sources of the report's sample and between {number} and {number} points on sources outside this "
        r"sample\)\.",
        said,
    )
    assert found
    values = [limit(table[end]) for table in tables for end, limit in (("low", np.min), ("high", np.max))]
    given = [float(text.replace("−", "-")) for text in found.groups()]
    np.testing.assert_allclose(given, 100 * np.array(values), atol=0.051)


def test_the_command_says_what_was_found_and_trains_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RADIOSYNTH_RUNS", str(tmp_path))
    assert main(["verdict"]) == 0
    assert "0 of 150 networks are saved, and no test has been looked at" in capsys.readouterr().out
    assert main(["verdict", "--time-limit", "0"]) == 1
    assert "--time-limit has no effect without --train" in capsys.readouterr().err
    assert main(["verdict", "--train", "main", "--time-limit", "0"]) == 75
    assert "120 of 120 networks are left" in capsys.readouterr().err
    shutil.rmtree(tmp_path / "verdict", ignore_errors=True)
    (tmp_path / "verdict").symlink_to(ROOT / "paper" / "runs" / "verdict")
    monkeypatch.setattr(analysis, "REPLICATES", 50)
    assert main(["verdict"]) == 0
    said = capsys.readouterr().out
    assert [said.count(f"\n{test}:\n") for test in analysis.TESTS.values()] == [3, 3]
    assert re.search(r"(?m)^ *observed +0\.25 ", said)


def test_a_damaged_record_is_named_and_parts_without_a_test_are_refused(tmp_path: Path) -> None:
    _, reference = simulated(0.0, np.random.default_rng(7))
    save_records(tmp_path, "left-out-catalogue", {"real": reference})
    with pytest.raises(ValueError, match="has no sources outside the sample: compare on the test 'test'"):
        analysis.comparison("external", "left-out-catalogue", tmp_path)
    trials = protocol.trials("left-out-catalogue")
    (tmp_path / f"{trials[0].name}.npz").write_bytes(b"damaged")
    with pytest.raises(ValueError, match="remove that file and train its network again"):
        analysis.read(trials[:1], "test", tmp_path)
