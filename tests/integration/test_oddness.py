"""The flag for sources of another kind, and networks that are taught by an ensemble on degraded images."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

import radiosynth
from radiosynth import classification, datasets, simulation
from radiosynth.classification import Oddness, OnTheFlySettings, predict
from radiosynth.cli import main
from radiosynth.networks import build_foveated_classifier
from radiosynth.preprocessing import noise_threshold, scale
from radiosynth.reproduction import configs, presets, recipes, runs
from radiosynth.sample import Sample
from radiosynth.simulation.observe import beam_noise


@pytest.fixture(scope="module")
def default() -> classification.Classifier:
    return radiosynth.load_classifier()


def noise(number: int) -> np.ndarray:
    return beam_noise((number, 192, 192), 1.27, np.random.default_rng(0))


def test_noise_is_flagged_and_sources_are_not(default: classification.Classifier) -> None:
    clean = scale(noise_threshold(noise(20))[0])
    _, odd = predict(default.complete, clean)
    assert (odd > 1).mean() > 0.8
    published = default.prepare(radiosynth.load_first_dataset(size=192)[:60])
    _, usual = predict(default.complete, published.images)
    assert (usual > 1).mean() < 0.1


def test_the_table_has_the_oddness_and_says_what_it_means(default: classification.Classifier) -> None:
    images = np.concatenate([radiosynth.load_first_dataset(size=192).images[:1], noise(1)])
    table = default.classify(Sample(images, [-1, -1], Table({"name": ["a source", "noise"]})))
    assert table.colnames == ["name", "class", *default.card["classes"], "oddness"]
    assert table["oddness"][0] < 1 < table["oddness"][1]
    ((name, doubt),) = table.meta["notes"]
    assert name == "noise"
    assert "fits none of the classes" in doubt


def test_the_command_line_flags(tmp_path: Path) -> None:
    np.save(tmp_path / "noise.npy", noise(1)[0])
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        assert main(["classify", str(tmp_path / "noise.npy"), "--crop", "192"]) == 0
    assert "oddness" in out.getvalue()
    assert "fits none of the classes" in err.getvalue()


def test_a_classifier_keeps_its_oddness(tmp_path: Path) -> None:
    model = build_foveated_classifier(64, width_multiplier=0.125, seed=0)
    train = simulation.simulate(30, 64, rng=np.random.default_rng(0))
    usual = simulation.simulate(25, 64, rng=np.random.default_rng(1)).images
    oddness = Oddness.fitted(model, train.images, train.labels, usual, false_alarms=0.1)
    made = classification.Classifier.trained(model, OnTheFlySettings(width_multiplier=0.125))
    made = classification.Classifier(model, made.card, oddness=oddness)
    probabilities, odd = predict(made.complete, usual)
    assert (odd > 1).mean() == pytest.approx(0.1)
    np.testing.assert_allclose(probabilities, made.predict(usual), atol=1e-6)
    made.save(tmp_path)
    again = classification.load_classifier(tmp_path)
    np.testing.assert_allclose(predict(again.complete, usual)[1], odd, rtol=1e-4)


def test_the_oddness_is_a_mahalanobis_distance(default: classification.Classifier) -> None:
    oddness = default.oddness
    assert oddness is not None
    import keras

    features = keras.Model(default.model.input, default.model.get_layer("mean").output)
    images = radiosynth.simulate(2, 192, rng=np.random.default_rng(2)).images
    white = predict_features(features, images) @ oddness.whitening
    nearest = np.linalg.norm(white[:, :, None] - oddness.means, axis=1).min(axis=1) / oddness.limit
    for n in (1, 4, 8):  # one, as many as classes, more
        np.testing.assert_allclose(predict(default.complete, images[:n])[1], nearest[:n], rtol=2e-3)


def predict_features(model: object, images: np.ndarray) -> np.ndarray:
    return np.asarray(model.predict(images[..., None], verbose=0), float)  # type: ignore[attr-defined]


def test_onnx_has_both_outputs(default: classification.Classifier, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    card = default.export(tmp_path / "m.onnx", "onnx")
    images = radiosynth.simulate(1, 192, rng=np.random.default_rng(3)).images
    session = runtime.InferenceSession(tmp_path / "m.onnx")
    said = session.run(["probabilities", "oddness"], {session.get_inputs()[0].name: images[..., None]})
    for by_onnx, ours in zip(said, predict(default.complete, images), strict=True):
        np.testing.assert_allclose(by_onnx, ours, atol=1e-3)
    assert "Second output: oddness" in card.read_text("utf-8")


# Degraded images and students -------------------------------------------------------------------------


def test_degraded_images_keep_their_range_and_depend_on_the_seed() -> None:
    images = simulation.simulate(10, 64, rng=np.random.default_rng(0)).images
    drawn = [simulation.degrade_randomly(images, np.random.default_rng(s)) for s in (1, 1, 2)]
    assert np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])
    assert np.allclose(drawn[0].max(axis=(1, 2)), 1)
    assert drawn[0].min() >= -1
    same = simulation.degrade_randomly(images, np.random.default_rng(1), probability=0.0)
    np.testing.assert_allclose(same, images, atol=1e-6)


def survey(*, size: int = 300) -> Sample:
    sample = simulation.simulate(36, size, rng=np.random.default_rng(1))
    sample.table["fold"] = np.arange(len(sample)) % 6 - 1
    sample.table["name"] = [f"source {row}" for row in range(len(sample))]
    sample.table["catalogue"] = np.where(np.arange(len(sample)) % 4, "A", "B")
    return sample


def test_a_student_learns_from_an_ensemble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "load_first_dataset", survey)
    monkeypatch.setenv("RADIOSYNTH_RUNS", str(tmp_path))
    tiny = {"size": 64, "width": 0.125, "epochs": 2, "batch_size": 12}
    members = tuple(configs.FoldConfig.of(scale="smoke", fold=fold, seed=fold, **tiny) for fold in range(5))
    teacher = recipes.run(configs.EnsembleConfig(scale="smoke", members=members))
    lesson = {"teacher": teacher.folder.name, "degrade": 0.1, "balance_catalogues": True, **tiny}
    config = configs.FoldConfig.of(scale="smoke", fold=-1, **lesson)
    student = recipes.run(config)
    assert student.provenance["training_images"] == {"FRI": 30, "FRII": 30, "bent": 30, "compact": 30}
    assert set(student.predictions["catalogues"]) == {"A", "B"}
    classifier = radiosynth.load_classifier(student.folder)
    assert classifier.oddness is not None
    assert config.changed(teacher="").hash != config.hash
    other = configs.FoldConfig.of(scale="smoke", fold=-1, **{**lesson, "teacher": "nobody"})
    with pytest.raises(FileNotFoundError, match="nobody"):
        recipes.run(other)


def test_the_default_is_the_student_of_full_scale() -> None:
    assert presets.student_config().name == radiosynth.load_classifier().card["name"]
    assert isinstance(runs.find_run(presets.student_config().name).config, configs.FoldConfig)
