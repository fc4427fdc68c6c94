"""The variational autoencoder: what it learns, that it is kept as a GAN is, and what it refuses."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest

from radiosynth import generators, stopping
from radiosynth.generators.vae import VAE, VAESettings
from radiosynth.networks.generators import build_encoder

SETTINGS = VAESettings(
    size=16,
    latent_dim=4,
    width_multiplier=0.1,
    epochs=20,
    batch_size=16,
    learning_rate=3e-3,
    conditional=2,
    beta=1e-3,
    seed=3,
)


def blobs(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Spots left of the centre (class 0) or right of it (class 1), each of another height."""
    rng = np.random.default_rng(0)
    labels = np.arange(n) % 2
    x, y = np.meshgrid(np.arange(16), np.arange(16))
    row = rng.uniform(3, 12, n)[:, None, None]
    squares = (x - np.where(labels == 0, 5, 11)[:, None, None]) ** 2 + (y - row) ** 2
    return (2 * np.exp(-squares / 9) - 1).astype(np.float32), labels


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    images, labels = blobs(512)
    folder = tmp_path_factory.mktemp("vae")
    return generators.train_generator(images, SETTINGS, folder, labels=labels, class_names=["FRI", "compact"])


def test_images_come_back_better_than_the_mean_image_of_their_class(trained):
    images, labels = blobs(64)
    again = generators.reconstruct(trained.folder, images, labels)
    mean = np.array([images[labels == code].mean(axis=0) for code in (0, 1)])[labels]
    assert ((again - images) ** 2).mean() < 0.3 * ((mean - images) ** 2).mean()
    assert trained.history["reconstruction"][-1] < 0.3 * trained.history["reconstruction"][0]
    assert trained.history["divergence"][-1] > 0.5  # the latent values say something


def test_it_draws_each_class_in_its_place_and_with_variety(trained):
    sample = generators.sample_generators([trained.folder], 64, rng=np.random.default_rng(0))
    assert sample.counts() == {"FRI": 64, "FRII": 0, "bent": 0, "compact": 64}
    assert np.abs(sample.images).max() <= 1
    light = sample.images + 1
    columns = (light.sum(1) * np.arange(16)).sum(1) / light.sum((1, 2))
    assert np.median(columns[sample.labels == 0]) == pytest.approx(5, abs=1)
    assert np.median(columns[sample.labels == 3]) == pytest.approx(11, abs=1)
    assert sample.table["name"][0] == "vae_0"
    assert min(trained.diversity) > 0.5
    assert not trained.collapsed


def test_it_is_kept_as_a_gan_is(trained):
    loaded = generators.load_generator(trained.folder)
    drawn = [
        generators.generate(network, 6, rng=np.random.default_rng(1), labels=np.arange(6) % 2)
        for network in (loaded, trained.generator)
    ]
    np.testing.assert_allclose(*drawn, atol=1 / 255)  # half precision
    assert trained.frames.shape[1:] == (32, 16, 16)
    assert (trained.folder / "encoder.npz").exists()


@pytest.mark.parametrize("stretch", [False, True])
def test_the_loss_is_that_of_the_equations(stretch):
    """One latent value, its mean 3 and its variance exp(-20): the divergence is (9 + 20 - 1) / 2."""
    model = VAE(dataclasses.replace(SETTINGS, latent_dim=1, conditional=0, stretch=stretch, beta=0.5))
    model.encoder = lambda image, training: np.tile([[3.0, -20.0]], (len(image), 1)).astype(np.float32)
    seen = []
    model.generator = lambda latent, training: seen.append(latent) or np.zeros((8, 16, 16, 1), np.float32)
    images = blobs(8)[0]
    loss = float(model.compute_loss(keras.ops.convert_to_tensor(images)))
    target = 2 * np.sqrt((images + 1) / 2) - 1 if stretch else images
    assert loss == pytest.approx((target**2).mean() + 0.5 * 14, rel=1e-5)
    np.testing.assert_allclose(seen[0], 3, atol=1e-3)


def test_it_learns_one_class_too_and_resumes_where_it_was_stopped(tmp_path):
    from radiosynth.stopping import TrainingStopped

    images = blobs(48)[0]
    settings = dataclasses.replace(SETTINGS, conditional=0, epochs=2)
    whole = generators.train_generator(images, settings, tmp_path / "whole")
    with pytest.raises(TrainingStopped):
        generators.train_generator(images, settings, tmp_path / "parts", time_limit=1e-6)
    parts = generators.train_generator(images, settings, tmp_path / "parts")
    np.testing.assert_array_equal(whole.frames, parts.frames)
    assert whole.history["reconstruction"] == parts.history["reconstruction"]
    assert generators.reconstruct(tmp_path / "whole", images).shape == images.shape


def test_faults(trained, tmp_path):
    images, labels = blobs(4)
    with pytest.raises(ValueError, match="beta=0 is not possible"):
        VAESettings(beta=0)
    with pytest.raises(ValueError, match=r"need \(n, 24, 24\)"):
        generators.train_generator(images, dataclasses.replace(SETTINGS, size=24), tmp_path, labels=labels)
    with pytest.raises(ValueError, match=r"need \(n, 16, 16\)"):
        generators.reconstruct(trained.folder, np.zeros((2, 8, 8), np.float32), labels[:2])
    with pytest.raises(ValueError, match="give 4 labels"):
        generators.reconstruct(trained.folder, images)
    with pytest.raises(ValueError, match="multiple of 8"):
        build_encoder(20)
    with pytest.raises(ValueError, match="latent_dim=0: give at least 1"):
        build_encoder(16, 0)
    with pytest.raises(stopping.TrainingDiverged, match="lower learning rate"):
        generators.train_generator(
            *blobs(96)[:1], dataclasses.replace(SETTINGS, learning_rate=1e30), tmp_path, labels=blobs(96)[1]
        )
    one = generators.train_generator(
        images,
        generators.GANSettings(size=16, latent_dim=4, width_multiplier=0.05, epochs=1),
        tmp_path / "gan",
    )
    with pytest.raises(ValueError, match="no variational autoencoder"):
        generators.reconstruct(one.folder, images)
