"""The classifier learns, is judged on both kinds of validation images, and refuses what it cannot take."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from radiosynth import (
    augment,
    build_classifier,
    build_residual_classifier,
    classification,
    predict,
    simulate,
    split,
)
from radiosynth.classification import ClassifierSettings, train_classifier
from radiosynth.sample import Sample, concatenate
from radiosynth.training import save_weights


def test_it_learns_to_tell_simulated_classes_apart(tmp_path: Path) -> None:
    sources = simulate(150, 32, rng=np.random.default_rng(0))
    train, held_out = split(sources, 30, rng=np.random.default_rng(1))
    validation = augment(held_out, 60)
    settings = ClassifierSettings(epochs=10, width=0.25, batch_size=32, seed=3)
    model, history = train_classifier(train, validation, settings, folder=tmp_path)
    assert history["plain_accuracy"][-1] > 0.6, "chance is 0.25"
    assert history["loss"][-1] < history["loss"][0]
    probabilities = predict(model, validation.images)
    right = probabilities.argmax(1) == validation.labels
    assert history["val_accuracy"][-1] == pytest.approx(right.mean())
    plain = classification.originals(validation)
    assert plain.sum() == 120
    assert history["plain_accuracy"][-1] == pytest.approx(right[plain].mean())
    chosen = probabilities[np.arange(len(right)), validation.labels]
    assert history["val_loss"][-1] == pytest.approx(-np.log(chosen).mean(), rel=1e-4)


def test_batch_normalisation_is_that_of_the_final_weights(tmp_path: Path) -> None:
    train = simulate(16, 16, rng=np.random.default_rng(0))
    settings = ClassifierSettings(
        epochs=2, width=0.1, batch_size=32, learning_rate=0.01, architecture="residual"
    )
    model, _ = train_classifier(train, train, settings, folder=tmp_path)
    first = next(layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization))
    seen = keras.ops.convert_to_numpy(keras.Model(model.inputs[0], first.input)(train.images[..., None]))
    np.testing.assert_allclose(first.moving_mean, seen.mean((0, 1, 2)), atol=0.03)
    # Four steps from where it begins, at 1, the running variance would still be above 0.8.
    np.testing.assert_allclose(first.moving_variance, seen.var((0, 1, 2)), rtol=0.3)


def test_settling_for_a_measure_leaves_no_trace_and_gives_the_mean_over_the_batches() -> None:
    rng = np.random.default_rng(1)
    images = rng.normal(2, 1, (40, 16, 16)).astype(np.float32)
    settings = ClassifierSettings(batch_size=8, seed=3)
    model = build_residual_classifier(16, width=0.1, seed=0)
    first = next(layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization))
    inside = keras.Model(model.input, first.input)
    before = [keras.ops.convert_to_numpy(variable).copy() for variable in model.variables]
    with classification._settled(model, images, settings, batches=5):
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


def test_predictions_do_not_depend_on_the_batch() -> None:
    images = np.random.default_rng(0).uniform(-1, 1, (7, 16, 16))
    model = build_classifier(16, width=0.1, seed=0)
    one, other = predict(model, images, batch_size=3), predict(model, images)
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
        (sample(0), sample(), "train sample has 0 images"),
        (sample(), sample(label=-1), "validation sample has 4 images, some without a class"),
        (sample(), sample(size=24), "resize one"),
        (pixels(np.nan), sample(), r"train images range from nan .* use radiosynth.preprocess"),
        (sample(), pixels(np.inf), "validation images range from .* to inf"),
        (pixels(3.0), sample(), r"training needs \[-1, 1\]"),
        (pixels(0.02), sample(), r"less than 0.02; training needs \[-1, 1\]"),  # in Jy, never scaled
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
    train_classifier(train, pixels(1.0), ClassifierSettings(epochs=1, width=0.05), folder=tmp_path)


def test_a_folder_is_for_one_training_set(tmp_path: Path) -> None:
    settings = ClassifierSettings(epochs=1, batch_size=4, width=0.05)
    train_classifier(sample(), sample(), settings, folder=tmp_path)
    train_classifier(sample(), sample(), settings, folder=tmp_path)  # the same again
    with pytest.raises(ValueError, match="checkpoint of another training"):
        train_classifier(sample(8), sample(), settings, folder=tmp_path)
    other = Sample(np.full((4, 16, 16), -1.0), np.ones(4, int))
    for validation in (other, sample(label=1)):  # else the numbers of the first ones would come back
        with pytest.raises(ValueError, match="checkpoint of another training"):
            train_classifier(sample(), validation, settings, folder=tmp_path)
    # Who names a training says what it learns from: images that are drawn anew are equal to rounding only.
    train_classifier(sample(), sample(), settings, folder=tmp_path / "named", fingerprint="a")
    train_classifier(sample(8), sample(), settings, folder=tmp_path / "named", fingerprint="a")


def test_variations_of_another_start_are_another_training(tmp_path: Path) -> None:
    train = simulate(4, 64, rng=np.random.default_rng(0))
    settings = classification.VariationSettings(epochs=1, batch_size=8, width=0.05)
    model, _ = classification.train_on_variations(train, settings, folder=tmp_path)
    save_weights(model, tmp_path / "start.npz")
    with pytest.raises(ValueError, match="checkpoint of another training"):
        classification.train_on_variations(train, settings, start=tmp_path / "start.npz", folder=tmp_path)
    with pytest.raises(ValueError, match="use radiosynth"):
        classification.train_on_variations(
            train.derived(train.images * 2, "twice"), settings, folder=tmp_path
        )


def test_settings_and_images_out_of_range() -> None:
    with pytest.raises(ValueError, match="epochs=0 is not possible"):
        ClassifierSettings(epochs=0)
    with pytest.raises(ValueError, match=r"takes \(n, 16, 16\)"):
        predict(build_classifier(16, width=0.1), np.zeros((2, 20, 20)))
