"""The classifier learns, is judged on both kinds of validation images, and refuses what it cannot take."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from radiosynth import (
    CLASS_NAMES,
    augment,
    build_classifier,
    build_residual_classifier,
    classification,
    load_classifier,
    predict,
    preprocess,
    simulate,
    split,
)
from radiosynth.classification import ClassifierSettings, predicting, train_classifier
from radiosynth.reproduction import runs
from radiosynth.sample import Sample, concatenate
from radiosynth.training import save_weights


def test_it_learns_to_tell_simulated_classes_apart(tmp_path: Path) -> None:
    sources = simulate(150, 32, rng=np.random.default_rng(0))
    train, held_out = split(sources, 30, rng=np.random.default_rng(1))
    validation = augment(held_out, 60)
    settings = ClassifierSettings(epochs=10, width_multiplier=0.25, batch_size=32, seed=3)
    model, history = train_classifier(train, validation, settings, folder=tmp_path)
    assert history["unaugmented_accuracy"][-1] > 0.6, "chance is 0.25"
    assert history["loss"][-1] < history["loss"][0]
    probabilities = predict(model, validation.images)
    correct = probabilities.argmax(1) == validation.labels
    assert history["val_accuracy"][-1] == pytest.approx(correct.mean())
    original = classification.unaugmented(validation)
    assert original.sum() == 120
    assert history["unaugmented_accuracy"][-1] == pytest.approx(correct[original].mean())
    chosen = probabilities[np.arange(len(correct)), validation.labels]
    assert history["val_loss"][-1] == pytest.approx(-np.log(chosen).mean(), rel=1e-4)


def test_batch_normalisation_is_that_of_the_final_weights(tmp_path: Path) -> None:
    train = simulate(16, 16, rng=np.random.default_rng(0))
    settings = ClassifierSettings(
        epochs=2, width_multiplier=0.1, batch_size=32, learning_rate=0.01, architecture="residual"
    )
    model, _ = train_classifier(train, train, settings, folder=tmp_path)
    first = next(layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization))
    seen = keras.ops.convert_to_numpy(keras.Model(model.inputs[0], first.input)(train.images[..., None]))
    np.testing.assert_allclose(first.moving_mean, seen.mean((0, 1, 2)), atol=0.03)
    # Four steps from where it begins, at 1, the running variance would still be above 0.8.
    np.testing.assert_allclose(first.moving_variance, seen.var((0, 1, 2)), rtol=0.3)


def test_recalibration_for_a_measurement_leaves_no_trace_and_gives_the_mean_over_the_batches() -> None:
    rng = np.random.default_rng(1)
    images = rng.normal(2, 1, (40, 16, 16)).astype(np.float32)
    settings = ClassifierSettings(batch_size=8, seed=3)
    model = build_residual_classifier(16, width_multiplier=0.1, seed=0)
    first = next(layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization))
    inside = keras.Model(model.input, first.input)
    before = [keras.ops.convert_to_numpy(variable).copy() for variable in model.variables]
    with classification.recalibrated(model, images, settings, batches=5):
        mean, variance = (
            keras.ops.convert_to_numpy(value).copy() for value in (first.moving_mean, first.moving_variance)
        )
    for variable, value in zip(model.variables, before, strict=True):
        assert np.array_equal(keras.ops.convert_to_numpy(variable), value), variable.path
    assert first.momentum == 0.95
    drawn = np.random.default_rng(3)
    batches = [
        keras.ops.convert_to_numpy(inside(images[drawn.integers(40, size=8), :, :, None])) for _ in range(5)
    ]
    np.testing.assert_allclose(mean, np.mean([b.mean((0, 1, 2)) for b in batches], axis=0), rtol=1e-4)
    np.testing.assert_allclose(variance, np.mean([b.var((0, 1, 2)) for b in batches], axis=0), rtol=1e-3)


def test_predictions_do_not_depend_on_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.random.default_rng(0).uniform(-1, 1, (7, 16, 16))
    model = build_classifier(16, width_multiplier=0.1, seed=0)
    one = predict(model, images)
    monkeypatch.setattr(predicting, "PIXELS", 3 * 16**2)
    other = predict(model, images)
    np.testing.assert_allclose(one, other, atol=1e-6)
    np.testing.assert_allclose(one.sum(1), 1, rtol=1e-5)
    assert predict(model, images[:0]).shape == (0, 4)


def sample(n: int = 4, size: int = 16, label: int = 0) -> Sample:
    return Sample(np.zeros((n, size, size)), np.full(n, label))


def pixels(value: float) -> Sample:
    images = np.zeros((4, 16, 16))
    images[:, 8, 8] = value
    return Sample(images, np.zeros(4, int))


@pytest.mark.parametrize(
    ("train", "validation", "message"),
    [
        (sample(0), sample(), "0 of 0 training images .* give at least one image"),
        (sample(), sample(label=-1), "4 of 4 validation images have no class"),
        (sample(), sample(size=24), "resize one"),
        (pixels(np.nan), sample(), r"train images range from nan .* use radiosynth.preprocess"),
        (sample(), pixels(np.inf), "validation images range from .* to inf"),
        (pixels(3.0), sample(), r"training needs \[-1, 1\]"),
        (pixels(0.02), sample(), r"most over 0.02 or less; training needs \[-1, 1\]"),  # in Jy, never scaled
    ],
)
def test_samples_that_cannot_be_trained_on(
    tmp_path: Path, train: Sample, validation: Sample, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        train_classifier(train, validation, folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_images_of_a_generator_that_has_learnt_little_are_trained_on(tmp_path: Path) -> None:
    train = concatenate([pixels(1.0), *[pixels(0.01)] * 3])
    train_classifier(train, pixels(1.0), ClassifierSettings(epochs=1, width_multiplier=0.05), folder=tmp_path)


def test_a_folder_is_for_one_training_set(tmp_path: Path) -> None:
    settings = ClassifierSettings(epochs=1, batch_size=4, width_multiplier=0.05)
    train_classifier(sample(), sample(), settings, folder=tmp_path)
    train_classifier(sample(), sample(), settings, folder=tmp_path)  # the same again
    with pytest.raises(ValueError, match="checkpoint of another training"):
        train_classifier(sample(8), sample(), settings, folder=tmp_path)
    other = Sample(np.full((4, 16, 16), -1.0), np.ones(4, int))
    for validation in (other, sample(label=1)):  # else the numbers of the first ones would come back
        with pytest.raises(ValueError, match="checkpoint of another training"):
            train_classifier(sample(), validation, settings, folder=tmp_path)
    # Who names a training says what it learns from: images that are drawn again are equal to rounding only.
    train_classifier(sample(), sample(), settings, folder=tmp_path / "named", fingerprint="a")
    train_classifier(sample(8), sample(), settings, folder=tmp_path / "named", fingerprint="a")


def test_a_training_from_another_start_is_another_one(tmp_path: Path) -> None:
    train = simulate(4, 64, rng=np.random.default_rng(0))
    settings = classification.OnTheFlySettings(epochs=1, batch_size=8, width_multiplier=0.05)
    model, _ = classification.train_on_the_fly(train, settings, folder=tmp_path)
    save_weights(model, tmp_path / "start.npz")
    with pytest.raises(ValueError, match="checkpoint of another training"):
        classification.train_on_the_fly(train, settings, start=tmp_path / "start.npz", folder=tmp_path)
    with pytest.raises(ValueError, match="use radiosynth"):
        classification.train_on_the_fly(train.derived(train.images * 2, "twice"), settings, folder=tmp_path)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> tuple[classification.Classifier, Path]:
    """A classifier that a user trained, and the folder that it was saved to."""
    train = simulate(4, 24, rng=np.random.default_rng(0))
    settings = ClassifierSettings(epochs=1, batch_size=8, width_multiplier=0.1, architecture="residual")
    folder = tmp_path_factory.mktemp("own")
    model, _ = train_classifier(train, train, settings, folder=folder)
    classifier = classification.Classifier.trained(model, settings, name="mine", n_sigma=2.0, crop=60)
    classifier.save(folder / "saved")
    return classifier, folder / "saved"


def cutouts() -> Sample:
    """Four sources with noise, and one image of nothing."""
    sources = simulate(1, 60, rng=np.random.default_rng(3))
    images = sources.images + np.random.default_rng(4).normal(0, 0.01, sources.images.shape)
    empty = np.zeros((1, 60, 60))
    return Sample(np.concatenate([images, empty]), np.full(5, -1))


def test_a_classifier_of_ones_own_comes_back_with_its_card(
    own: tuple[classification.Classifier, Path],
) -> None:
    classifier, folder = own
    again = load_classifier(folder)
    assert again.card == classifier.card
    assert (again.card["size"], again.card["n_sigma"], again.card["name"]) == (24, 2.0, "mine")
    ready = again.prepare(cutouts())
    expected = preprocess(cutouts(), 24, n_sigma=2.0)
    np.testing.assert_array_equal(ready.images, expected.images)
    np.testing.assert_allclose(again.predict(ready.images), classifier.predict(ready.images), atol=1e-6)
    card = folder / "card.json"  # as earlier versions wrote it
    card.write_text(card.read_text().replace('"width_multiplier"', '"width"'))
    np.testing.assert_array_equal(load_classifier(folder).predict(ready.images), again.predict(ready.images))


def test_it_classifies_samples_files_and_folders(
    own: tuple[classification.Classifier, Path], tmp_path: Path
) -> None:
    classifier = load_classifier(own[1])
    table = classifier.classify(cutouts())
    assert table.colnames == ["name", "class", *CLASS_NAMES]
    assert table["name"].tolist() == [f"image_{i}" for i in range(4)]
    probabilities = np.stack([table[name] for name in CLASS_NAMES], axis=1)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert table["class"].tolist() == [CLASS_NAMES[code] for code in probabilities.argmax(axis=1)]
    assert [name for name, _ in table.meta["left_out"]] == ["image_4"]
    assert table.meta["model"] == "mine"
    np.save(tmp_path / "stack.npy", cutouts().images[:4])
    (tmp_path / "page.fits").write_text("<!DOCTYPE html>")
    for source in (tmp_path / "stack.npy", [tmp_path / "stack.npy", tmp_path / "page.fits"], tmp_path):
        found = classifier.classify(source)
        np.testing.assert_array_equal(found["FRI"], table["FRI"])
        named = "stack.npy" if source == tmp_path else tmp_path / "stack.npy"
        assert found["name"].tolist() == [f"{named}[{i}]" for i in range(4)]
        assert len(found.meta["skipped"]) == (source != tmp_path / "stack.npy")
    with pytest.raises(ValueError, match=r"page\.fits"):
        classifier.classify(tmp_path, on_error="raise")


def test_pixels_that_the_network_does_not_know_are_noted(
    own: tuple[classification.Classifier, Path],
) -> None:
    sample = cutouts()
    sample.table["pixel_scale"] = [4.5, 4.4, np.nan, 1.8, 4.5]  # 60 px of 4.5" span the field
    notes = own[0].classify(sample).meta["notes"]
    assert [name for name, _ in notes] == ["image_3"]
    assert "knows sizes in pixels of 4.5 arcsec" in notes[0][1]


def test_a_saved_run_is_a_classifier_too() -> None:
    run = runs.find_run("laptop-classifier-real-41035f4105d0")
    classifier = load_classifier(run.folder.name)
    sample = simulate(2, 150, rng=np.random.default_rng(1))
    ready = classifier.prepare(sample)
    wanted = preprocess(sample, run.config.sources.size, n_sigma=run.config.sources.n_sigma)
    np.testing.assert_array_equal(ready.images, wanted.images)
    np.testing.assert_array_equal(classifier.predict(ready.images), predict(run.model(), ready.images))
    assert classifier.card["training_images"] == dict.fromkeys(CLASS_NAMES, 6000)
    assert 0.8 < classifier.card["accuracy"] < 1


@pytest.mark.parametrize(
    ("card", "message"),
    [
        ({"sise": 24}, "unknown entries of a card, sise"),
        ({"size": 30}, "the network takes 16 px"),
        ({"pixel_scale": -1.8}, "pixel_scale of the card is -1.8: give a number from 1e-06"),
        ({"n_sigma": "3"}, "n_sigma of the card is '3'"),
        ({"n_sigma": None}, "n_sigma of the card is None"),
        ({"temperature": 0}, "temperature of the card is 0"),
        ({"n_rotations": 4}, "n_rotations of the card is 4: give 1 or 8"),
        ({"classes": ["FRI"] * 4}, "name each once"),
        ({"classes": None}, "name each once"),
        ({"crop": 100.5}, "crop of the card is 100.5: give a whole number"),
        ({"n_rotations": True}, "n_rotations of the card is True"),
        ({"fill": "nonsense"}, "choose from threshold, zero"),
    ],
)
def test_a_card_of_another_network_is_refused(card: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        classification.Classifier(build_classifier(16, width_multiplier=0.1), card)


def test_what_is_no_classifier_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="neither a folder nor a saved run"):
        load_classifier("nonsense")
    with pytest.raises(ValueError, match="gan-all-c4b2896cf0c0 classifies nothing"):
        load_classifier("laptop-gan-all-c4b2896cf0c0")
    with pytest.raises(FileNotFoundError, match=r"config\.json is missing"):
        load_classifier(tmp_path)
    with pytest.raises(ValueError, match="no networks to build"):
        classification.Classifier(build_classifier(16, width_multiplier=0.1), {}).save(tmp_path)


def test_settings_and_images_out_of_range() -> None:
    with pytest.raises(ValueError, match="epochs=0 is not possible"):
        ClassifierSettings(epochs=0)
    with pytest.raises(ValueError, match=r"takes \(n, 16, 16\)"):
        predict(build_classifier(16, width_multiplier=0.1), np.zeros((2, 20, 20)))
