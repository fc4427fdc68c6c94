"""Runs: saved, loaded, refused, resumed. The sources are simulated, so that no network is needed."""

from __future__ import annotations

import json
import multiprocessing
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from samples import TINY, simulated_survey

from radiosynth import datasets, records, simulation
from radiosynth.networks.kinds import fastest_precision
from radiosynth.reproduction import configs, presets, published, recipes, runs, samples, scales
from radiosynth.stopping import TrainingStopped


@pytest.fixture
def survey(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "load_report_sample", simulated_survey)


@pytest.mark.usefixtures("survey")
def test_a_run_is_saved_and_then_loaded(tmp_path: Path) -> None:
    config = presets.classifier_config("real+geometric", "smoke", **TINY)
    first = recipes.run(config, root=tmp_path)
    files = {path.name for path in first.folder.iterdir()}
    assert not first.loaded
    assert files == {"config.json", "provenance.json", "history.csv", "predictions.npz", "model.npz"}
    before = (first.folder / "provenance.json").read_bytes()
    second = recipes.run(config, root=tmp_path)
    assert second.loaded
    assert (second.folder / "provenance.json").read_bytes() == before
    assert second.config == config
    assert first.provenance["training_images"] == dict.fromkeys(("FRI", "FRII", "bent", "compact"), 96)
    assert set(first.provenance) >= {"versions", "commit", "device", "seed", "data", "seconds_training"}
    stored = first.predictions
    assert len(stored["labels"]) == 48
    assert stored["plain"].sum() == 24
    np.testing.assert_allclose(stored["probabilities"].sum(1), 1, rtol=1e-5)
    assert len(first.history) == 2
    accuracy = (stored["probabilities"].argmax(1) == stored["labels"]).mean()
    assert first.history["val_accuracy"][-1] == pytest.approx(accuracy, abs=1e-6)


@pytest.mark.usefixtures("survey")
def test_saved_weights_give_the_saved_predictions(tmp_path: Path) -> None:
    from radiosynth import predict

    run = recipes.run(presets.classifier_config("real", "smoke", **TINY), root=tmp_path)
    _, validation, _ = samples.prepare(run.config)
    again = predict(run.model(), validation.images)
    np.testing.assert_allclose(again, run.predictions["probabilities"], atol=5e-3)  # half precision


@pytest.mark.usefixtures("survey")
def test_same_configuration_gives_the_same_numbers(tmp_path: Path) -> None:
    config = presets.classifier_config("real", "smoke", **TINY)
    one, two = (recipes.run(config, root=tmp_path / name) for name in ("one", "two"))
    np.testing.assert_array_equal(one.predictions["probabilities"], two.predictions["probabilities"])
    other = recipes.run(presets.classifier_config("real", "smoke", **TINY, seed=1), root=tmp_path)
    assert not np.array_equal(one.predictions["probabilities"], other.predictions["probabilities"])


@pytest.mark.usefixtures("survey")
def test_a_gan_is_trained_for_the_training_set_that_needs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RADIOSYNTH_RUNS", str(tmp_path))
    gan = presets.gan_config("all", "smoke", per_class=64, epochs=2, width=0.05, size=24, test_per_class=6)
    config = presets.classifier_config("real+gan", "smoke", **TINY, generators=(gan,))
    run = recipes.run(config)
    assert run.provenance["training_images"]["bent"] == 96
    trained = recipes.run(gan)
    assert trained.loaded
    frames, epochs = trained.frames
    assert frames.shape[1:] == (64, 24, 24)
    assert epochs.tolist() == [0, 1, 2]
    assert runs.find_run(run.folder.name).config == config
    assert {path.name for path in trained.folder.iterdir()} >= {
        "generator.npz",
        "generator.json",
        "frames.npz",
    }


@pytest.mark.usefixtures("survey")
def test_training_set_d_has_an_autoencoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RADIOSYNTH_RUNS", str(tmp_path))
    drawing = presets.vae_config("smoke", per_class=64, epochs=2, width=0.05, size=24, test_per_class=6)
    config = presets.classifier_config("real+vae", "smoke", **TINY, generators=(drawing,))
    run = recipes.run(config)
    assert run.provenance["training_images"]["bent"] == 96
    assert runs.find_run(run.folder).config == config  # of the same kinds, too
    assert recipes.run(drawing).model().output_shape == (None, 24, 24, 1)
    # It shares the split of the classifier that it draws for.
    made = presets.classifier_config("real+vae", "laptop", folds=10, fold=3)
    assert made.generators == (presets.vae_config("laptop", folds=10, fold=3),)
    for wrong in ({"training_set": "real+vae"}, {"generators": (drawing,)}):
        with pytest.raises(ValueError, match=r"real\+gan and real\+vae need some"):
            configs.ClassifierConfig.of(**wrong)


def test_the_held_out_sources_never_reach_the_training_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "load_report_sample", simulated_survey)
    config = presets.classifier_config("real", "smoke", **TINY)
    train, validation, _ = samples.prepare(config)
    assert not set(train.table["name"]) & set(validation.table["name"])
    grouped = {"train": set(train.table["name"]), "validation": set(validation.table["name"])}
    first_four = set(simulated_survey().table["name"][:4])
    assert any(first_four <= names for names in grouped.values())


def test_a_folder_that_does_not_match_its_configuration_is_refused(tmp_path: Path) -> None:
    config = presets.classifier_config("real", "smoke", **TINY)
    folder = tmp_path / config.name
    folder.mkdir()
    other = presets.classifier_config("real", "smoke", **{**TINY, "epochs": 3})
    (folder / "config.json").write_text(other.to_json())
    with pytest.raises(ValueError, match="another configuration than its name says"):
        recipes.run(config, root=tmp_path)
    (folder / "config.json").write_text("{")
    with pytest.raises(ValueError, match="no readable configuration"):
        recipes.run(config, root=tmp_path)


@pytest.mark.usefixtures("survey")
def test_a_renamed_run_is_refused_and_a_missing_one_lists_those_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RADIOSYNTH_RUNS", str(tmp_path))
    for module in (records, runs):
        monkeypatch.setattr(module, "PACKAGED_RUNS", tmp_path / "none")
    with pytest.raises(FileNotFoundError, match="those there are: none"):
        runs.find_run("absent")
    run = recipes.run(presets.classifier_config("real", "smoke", **TINY))
    assert list(runs.saved_runs()) == [run.folder.name]
    with pytest.raises(FileNotFoundError, match=run.folder.name):
        runs.find_run("absent")
    moved = run.folder.rename(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="renamed or edited"):
        runs.find_run(moved)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"folds": 10, "fold": 10}, "fold=10: .*from 0 to folds - 1"),
        ({"folds": 2}, "folds=2, .*at least 3"),
        ({"fraction": 0}, "fraction=0: give a proportion"),
        ({"fraction": 1.5}, "above 0, at most 1"),
        ({"epochs": 0}, "epochs=0 is not possible: give a number above 0"),
        ({"per_class": 0}, "per_class is 0; give a whole number from 1"),
    ],
    ids=str,
)
def test_impossible_configurations(changes: dict[str, Any], message: str) -> None:
    for make in (presets.classifier_config, presets.vae_config):
        with pytest.raises(ValueError, match=message):
            make(scale="smoke", **changes)


def test_networks_of_an_ensemble_have_seeds_of_their_own() -> None:
    members = presets.ensemble_config("report", seed=7).members
    assert [member.settings.seed for member in members] == [7, 8, 9, 10, 11]


@pytest.mark.usefixtures("survey")
def test_a_run_that_needs_others_makes_them_beside_it_and_in_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RADIOSYNTH_RUNS", str(tmp_path / "elsewhere"))
    gan_settings = {"per_class": 32, "epochs": 3, "width": 0.05, "size": 24, "test_per_class": 6}
    generators = (presets.gan_config("all", "smoke", **gan_settings),)
    config = presets.classifier_config("real+gan", "smoke", generators=generators, **TINY)
    with pytest.raises(TrainingStopped):
        recipes.run(config, root=tmp_path / "here", time_limit=0)
    assert (tmp_path / "here" / generators[0].name / "checkpoint.npz").exists()  # one epoch, then no time
    assert not (tmp_path / "here" / config.name / "checkpoint.npz").exists()
    assert not list((tmp_path / "elsewhere").glob("*gan*"))


def test_a_run_that_comes_with_the_package_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RADIOSYNTH_RUNS", str(tmp_path))
    run = recipes.run(presets.ensemble_config("report"), time_limit=0)
    assert run.loaded
    assert run.folder.parent == records.PACKAGED_RUNS
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("survey")
def test_a_run_killed_before_its_configuration_was_written_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = presets.classifier_config("real", "smoke", **TINY)
    (tmp_path / config.name).mkdir()
    run = recipes.run(config, root=tmp_path)
    monkeypatch.chdir(run.folder)
    assert runs.find_run(".").config == config


def test_hash_counts_what_is_not_as_in_the_report() -> None:
    report = presets.classifier_config("real", "report")
    assert report.hash == configs.ClassifierConfig().hash
    assert report.hash != presets.classifier_config("real", "report", seed=1).hash
    assert json.loads(report.to_json())["epochs"] == 100
    names = {
        config.name
        for scale in scales.SCALES
        for config in (
            *(presets.classifier_config(name, scale) for name in configs.TRAINING_SETS),
            *(presets.gan_config(name, scale) for name in ("FRI", "all")),
        )
    }
    assert len(names) == 3 * 5


@pytest.mark.parametrize(
    "config",
    [
        presets.classifier_config("real+gan", "report", folds=5, fold=2, mislabelled=True, batch_size=7),
        presets.vae_config("laptop", size=64, beta=1e-3),
        presets.ensemble_config("smoke", zoom=0.2),
        presets.bending_conditions("laptop")["both jets"][3],
    ],
    ids=lambda config: config.kind,
)
def test_configurations_nest_settings_and_are_saved_flat(config: configs.Config) -> None:
    stored = json.loads(config.to_json())
    values = [stored, *stored.get("generators", []), *stored.get("members", [])]
    assert not any(isinstance(value, dict) for part in values for value in part.values())
    assert configs.read_config(stored) == config
    other = config.changed(scale="report" if config.scale != "report" else "laptop")
    assert other.name != config.name
    with pytest.raises(TypeError, match="unexpected keyword argument 'unheard_of'"):
        config.changed(unheard_of=1)


def test_values_go_where_they_belong() -> None:
    config = presets.classifier_config("real", "report", seed=3, fold=2, folds=5, per_class=9, mistaken=True)
    assert (config.settings.seed, config.sources.fold, config.per_class) == (3, 2, 9)
    assert config.mislabelled  # its name in saved configurations
    assert json.loads(config.to_json())["mistaken"] is True
    gan = presets.gan_config("all", "report", size=32)
    assert (gan.sources.size, gan.settings.size, gan.settings.conditional) == (32, 32, 4)
    assert presets.gan_config("FRI", "report").settings.conditional == 0


def test_what_is_asked_for_counts_more_than_what_the_scale_sets() -> None:
    for name in ("width", "width_multiplier"):  # its name in saved configurations, and in the library
        assert presets.classifier_config("real", "laptop", **{name: 0.1}).settings.width_multiplier == 0.1
        assert presets.ensemble_config("laptop", **{name: 0.1}).members[0].settings.width_multiplier == 0.1
    assert presets.gan_config("all", "laptop", ema_decay=0.5).settings.ema_decay == 0.5
    exact = presets.classifier_config("real", "laptop", precision="float32")
    assert exact.settings.precision == "float32"


@pytest.mark.parametrize(
    ("flags", "precision"),
    [
        ("flags : avx2 avx512f avx512_bf16 amx_bf16 amx_tile", "mixed_bfloat16"),
        ("vendor_id : GenuineIntel\nflags : avx2 avx512f avx512_bf16", "float32"),
        ("vendor_id : AuthenticAMD\nflags : avx2 avx512f avx512_bf16", "mixed_bfloat16"),
        ("vendor_id : AuthenticAMD\nflags : avx2 avx512f", "float32"),
        ("Features : fp asimd i8mm bf16", "mixed_bfloat16"),
        ("flags : avx2 avx512f", "float32"),
    ],
)
def test_laptop_trains_in_bfloat16_where_that_is_faster(
    flags: str, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "read_text", lambda *_: flags)
    monkeypatch.setattr(scales, "fastest_precision", fastest_precision.__wrapped__)
    assert scales.scaled("laptop", "classifier", {})[1]["precision"] == precision


@pytest.mark.parametrize(
    ("training_set", "scale", "message"),
    [
        ("real+flow", "smoke", "choose from real, real"),
        ("real", "huge", "choose from smoke, laptop, report"),
    ],
)
def test_unknown_names(training_set: str, scale: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        presets.classifier_config(training_set, scale)


def test_scale_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RADIOSYNTH_SCALE", "tiny")
    with pytest.raises(ValueError, match="unknown scale 'tiny'"):
        scales.current_scale()
    monkeypatch.delenv("RADIOSYNTH_SCALE")
    assert scales.current_scale() == "laptop"


def _run_in_process(root: Path) -> bool:
    datasets.load_report_sample = simulated_survey
    return recipes.run(presets.classifier_config("real", "smoke", **TINY), root=root).loaded


def test_two_processes_that_ask_for_one_run_compute_it_once(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        loaded = pool.map(_run_in_process, [tmp_path, tmp_path])
    assert sorted(loaded) == [False, True]


def test_what_another_process_is_making_comes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RADIOSYNTH_RUNS", str(tmp_path))
    asked = [presets.classifier_config(name, "smoke") for name in ("real+gan", "real", "real+geometric")]
    (gan,) = asked[0].generators
    order: list[str] = []

    def make(config: configs.Config, *_: object) -> str:
        order.append(config.training_set)
        return f"run of {config.training_set}"

    monkeypatch.setattr(recipes, "_run", make)
    with FileLock(tmp_path / f".{gan.name}.lock"), FileLock(tmp_path / f".{asked[1].name}.lock"):
        made = recipes.run_each(asked)
    assert order == ["real+geometric", "real+gan", "real"]
    assert made == ["run of real+gan", "run of real", "run of real+geometric"]


def test_published_numbers_agree_with_each_other() -> None:
    stated = published.published()
    for name, (initial, image, morphology, final) in stated["selection"].items():
        assert initial - image - morphology == final == stated["split"][name][0]
    for matrix in stated["confusion"].values():
        np.testing.assert_allclose(np.sum(matrix, axis=1), 1, atol=2.1e-3)


def test_the_packaged_run_knows_a_compact_source_from_a_double(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from radiosynth import load_classifier

    monkeypatch.setenv("RADIOSYNTH_RUNS", str(tmp_path))
    classifier = load_classifier("laptop-classifier-real-41035f4105d0")
    assert classifier.card["accuracy"] > 0.8
    # A point as wide as the beam at this size, and a wide double.
    middle = {"core_x": 28, "core_y": 28}
    population = simulation.report_population().replace("compact", core_sigma=0.6, **middle)
    population = population.replace("FRII", lobe_distance=14, **middle)
    fake = simulation.simulate(
        {"FRII": 50, "compact": 50},
        classifier.card["size"],
        population=population,
        rng=np.random.default_rng(0),
    )
    is_compact = classifier.predict(fake.images).argmax(1) == 3
    assert is_compact[fake.labels == 3].mean() > 0.8
    assert is_compact[fake.labels == 1].mean() < 0.1


def test_a_run_without_weights_says_so(tmp_path: Path) -> None:
    saved = records.PACKAGED_RUNS / "laptop-classifier-real-41035f4105d0"
    classifier = tmp_path / saved.name
    shutil.copytree(saved, classifier, ignore=shutil.ignore_patterns("model.npz"))
    config = configs.BendingConfig(scale="smoke")
    (tmp_path / config.name).mkdir()
    for run in (runs.find_run(classifier), runs.Run(tmp_path / config.name, config, loaded=True)):
        with pytest.raises(FileNotFoundError, match=f"{run.folder.name}.model.npz is missing"):
            run.model()
