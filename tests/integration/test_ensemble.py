"""Networks of the published five folds, and what they say together. The sources are simulated."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from scipy.special import log_softmax

from radiosynth import augment_randomly, build_foveated_classifier, datasets, metrics, predict, simulation
from radiosynth.classification import OnTheFlySettings, train_on_the_fly
from radiosynth.networks.classifiers import build_ensemble
from radiosynth.reproduction import configs, recipes, runs, samples
from radiosynth.sample import Sample

TINY = {"size": 64, "width": 0.125, "epochs": 8, "batch_size": 12, "zoom": 0.05, "shift": 1.0}


def simulated_dataset(*, size: int = 300) -> Sample:
    sample = simulation.simulate(60, size, rng=np.random.default_rng(1))
    sample.table["fold"] = np.arange(len(sample)) % 6 - 1
    sample.table["name"] = [f"source {row}" for row in range(len(sample))]
    sample.table["catalogue"] = "simulated"
    return sample


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory: pytest.TempPathFactory) -> runs.Run[configs.EnsembleConfig]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets, "load_first_dataset", simulated_dataset)
        members = (configs.FoldConfig.of(scale="smoke", fold=fold, seed=fold, **TINY) for fold in (0, 1))
        config = configs.EnsembleConfig(scale="smoke", members=tuple(members))
        return recipes.run(config, root=tmp_path_factory.mktemp("ensemble"))


def test_an_ensemble_learns_and_keeps_what_its_members_said(
    ensemble: runs.Run[configs.EnsembleConfig],
) -> None:
    stored = ensemble.predictions
    assert stored["members"].shape == (2, 40, 4)
    correct = stored["probabilities"].argmax(axis=1) == stored["labels"]
    assert correct.mean() > 0.5  # 0.25 by chance
    assert len(stored["unseen"]) == len(stored["unseen_labels"]) == 80
    assert not set(stored["names"]) & set(ensemble.provenance["members"])


def test_recorded_weights_give_the_recorded_probabilities(
    ensemble: runs.Run[configs.EnsembleConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets, "load_first_dataset", simulated_dataset)
    _, _, test = samples.prepare_fold(ensemble.config.members[0])
    again = predict(ensemble.model(), test.images)
    np.testing.assert_allclose(again, ensemble.predictions["probabilities"], atol=0.02)  # half precision


def test_a_saved_ensemble_is_loaded(ensemble: runs.Run[configs.EnsembleConfig]) -> None:
    again = recipes.run(ensemble.config, root=ensemble.folder.parent)
    assert again.loaded
    assert again.config == ensemble.config


def test_all_views_of_a_square_are_alike_to_an_ensemble() -> None:
    model = build_ensemble(
        [build_foveated_classifier(64, width_multiplier=0.125, seed=seed) for seed in (0, 1)]
    )
    images = simulation.simulate(2, 64, rng=np.random.default_rng(0)).images
    expected = predict(model, images)
    for view in (images[:, ::-1], images[:, :, ::-1], images.transpose(0, 2, 1), np.rot90(images, 1, (1, 2))):
        np.testing.assert_allclose(predict(model, view), expected, atol=1e-5)


def test_views_of_the_fovea() -> None:
    model = build_foveated_classifier(64, width_multiplier=0.125, seed=0)
    views = keras.Model(model.input, model.get_layer("views").output)
    image = np.full((1, 64, 64, 1), -1.0, np.float32)
    image[0, 24:26, 40:42] = 0.0  # in the middle half
    image[0, 60:64, 0:4] = 1.0  # in the corner, twice as bright
    near, wide = np.moveaxis(keras.ops.convert_to_numpy(views(image))[0], -1, 0)
    assert near.shape == wide.shape == (16, 16)
    assert np.argwhere(near).tolist() == [[4, 12]]
    assert near[4, 12] == 1
    assert wide[6, 10] == 1
    assert wide[15, 0] == 1  # brighter than the middle, cut there
    assert np.count_nonzero(wide) == 2


def test_simulations_are_added_in_the_pixels_of_the_survey(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "load_first_dataset", simulated_dataset)
    config = configs.FoldConfig.of(scale="smoke", size=160, synthetic=0.5)
    train, validation, test = samples.prepare_fold(config)
    assert train.counts() == dict.fromkeys(train.counts(), 60)  # 40 real ones and half as many
    assert len(validation) == len(test) == 40
    added = train.images[-1]
    assert (added[:5] == -1).all()
    assert (added[:, -5:] == -1).all()
    assert added[5:-5, 5:-5].max() == pytest.approx(1, abs=1e-5)


def test_temperature_against_a_grid() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(500, 4)) * 2
    labels = np.array([rng.choice(4, p=p) for p in metrics.scale_temperature(np.exp(logits), 2.5)])
    found = metrics.temperature(labels, metrics.scale_temperature(np.exp(logits), 1.0))
    grid = np.linspace(1, 5, 401)
    loss = [-log_softmax(logits / t, axis=1)[np.arange(500), labels].mean() for t in grid]
    assert found == pytest.approx(grid[np.argmin(loss)], abs=0.02)
    assert found == pytest.approx(2.5, abs=0.5)


def test_augmented_images_keep_a_source_in_the_image_and_repeat_with_the_seed() -> None:
    images = simulation.simulate(3, 64, rng=np.random.default_rng(0)).images
    first, second = (augment_randomly(images, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    still = augment_randomly(images, np.random.default_rng(7), zoom=0, shift=0)
    flux = (images + 1).sum(axis=(1, 2))
    np.testing.assert_allclose((still + 1).sum(axis=(1, 2)), flux, rtol=0.05)
    larger = augment_randomly(images * 0 + 1, np.random.default_rng(7), zoom=0, shift=0)[:, 32, 32]
    np.testing.assert_allclose(larger, 1)
    with pytest.raises(ValueError, match=r"shape \(12, 64, 40\); give square ones"):
        augment_randomly(images[:, :, :40], np.random.default_rng(7))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"fold": 5}, "0 to 4"), ({"size": 60}, "at least 64"), ({"width": 0}, "above|positive")],
)
def test_faults(wrong: dict[str, float], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "load_first_dataset", simulated_dataset)
    with pytest.raises(ValueError, match=said):
        recipes.run(configs.FoldConfig.of(scale="smoke", **{**TINY, **wrong}), root=tmp_path)


def test_an_empty_ensemble_and_an_unknown_scale_are_refused() -> None:
    with pytest.raises(ValueError, match="one at least"):
        configs.EnsembleConfig(scale="smoke", members=())
    with pytest.raises(ValueError, match="unknown scale 'large': choose from smoke, laptop, report"):
        configs.FoldConfig(scale="large")


def test_a_training_of_one_step_and_one_without_catalogues() -> None:
    settings = OnTheFlySettings(epochs=1)
    assert float(settings.rate(1)(0)) == pytest.approx(settings.learning_rate / 20)
    images = simulation.simulate(1, 64, rng=np.random.default_rng(0))
    balanced = OnTheFlySettings(epochs=1, balance_catalogues=True)
    with pytest.raises(ValueError, match="add the column 'catalogue', or leave it out"):
        train_on_the_fly(images, balanced, folder="unused")
