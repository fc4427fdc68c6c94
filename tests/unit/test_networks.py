"""Architectures: the report's numbers of parameters, shapes, seeds, and what is refused."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import keras
import numpy as np
import pytest

from radiosynth import simulate
from radiosynth.classification import ClassifierSettings, train_classifier
from radiosynth.generators import GANSettings, train_generator
from radiosynth.networks.classifiers import (
    build_classifier,
    build_ensemble,
    build_foveated_classifier,
    build_regressor,
    build_residual_classifier,
    without_normalisation,
)
from radiosynth.networks.generators import build_discriminator, build_encoder, build_generator
from radiosynth.networks.layers import convolve_in_float32
from radiosynth.training import compile_model

BUILDERS = {
    "classifier": build_classifier,
    "generator": build_generator,
    "discriminator": build_discriminator,
}


def trainable(model: keras.Model) -> int:
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


@pytest.mark.parametrize(
    ("name", "parameters"), [("classifier", 1_975_892), ("generator", 6_862_272), ("discriminator", 231_681)]
)
def test_parameters_of_the_report(name, parameters):
    assert trainable(BUILDERS[name]()) == parameters


def test_layers_of_table_a1():
    model = build_generator()
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2DTranspose)]
    assert [(layer.filters, layer.strides[0], layer.kernel_size[0]) for layer in convolutions] == [
        (256, 1, 5),
        (128, 2, 5),
        (64, 2, 5),
        (1, 2, 5),
    ]
    sizes = [layer.count_params() for layer in model.layers if hasattr(layer, "kernel")]
    assert sizes == [2_508_800, 3_276_800, 819_200, 204_800, 1_600]
    assert [type(layer).__name__ for layer in model.layers].count("BatchNormalization") == 4
    assert model.output_shape == (None, 56, 56, 1)


def test_layers_of_table_a2():
    model = build_discriminator()
    sizes = [layer.count_params() for layer in model.layers if hasattr(layer, "kernel")]
    assert sizes == [1_664, 204_928, 25_089]
    assert [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)] == [0.3, 0.3]
    assert not [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]


@pytest.mark.parametrize("size", [8, 56, 64])
@pytest.mark.parametrize("classes", [0, 4])
def test_generator_and_discriminator_fit_each_other(size, classes):
    noise = keras.ops.convert_to_tensor(np.random.default_rng(0).normal(size=(3, 7)), "float32")
    label = [keras.ops.convert_to_tensor([0, 1, 3], "int32")] if classes else []
    generator = build_generator(size, 7, 0.05, classes=classes, seed=1)
    images = generator([noise, *label] if classes else noise)
    assert images.shape == (3, size, size, 1)
    assert np.abs(keras.ops.convert_to_numpy(images)).max() <= 1
    discriminator = build_discriminator(size, 0.05, classes=classes, seed=1)
    assert discriminator([images, *label] if classes else images).shape == (3, 1)


def test_the_generator_tells_classes_apart_from_the_start():
    generator = build_generator(16, 7, 0.1, classes=2, seed=1)
    noise = np.zeros((1, 7), np.float32)
    first, second = (generator([noise, np.array([code])]) for code in (0, 1))
    assert not np.allclose(first, second)


def test_a_discriminator_with_minibatch_stddev_sees_that_all_images_are_the_same():
    model = build_discriminator(16, 0.1, minibatch_stddev=True, seed=1)
    images = np.random.default_rng(0).uniform(-1, 1, (6, 16, 16, 1)).astype(np.float32)
    assert not any(isinstance(layer, keras.layers.Dropout) for layer in model.layers)
    varied, same = model(images)[0], model(np.repeat(images[:1], 6, axis=0))[0]
    assert abs(float(varied[0]) - float(same[0])) > 1e-3
    report = build_discriminator(16, 0.1, seed=1)
    np.testing.assert_allclose(report(images)[:1], report(np.repeat(images[:1], 6, axis=0))[:1], atol=1e-6)


def test_the_projection_starts_at_zero_and_adds_the_class_vector():
    model = build_discriminator(8, 0.05, classes=2, seed=1)
    images = np.random.default_rng(0).uniform(-1, 1, (2, 8, 8, 1)).astype(np.float32)
    codes = [np.zeros(2, np.int32), np.ones(2, np.int32)]
    before = [keras.ops.convert_to_numpy(model([images, code])) for code in codes]
    np.testing.assert_array_equal(*before)
    np.testing.assert_allclose(
        before[0], build_discriminator(8, 0.05, seed=1)(images), rtol=1e-5
    )  # that of the network without classes
    vectors = model.get_layer("class").embeddings
    vectors.assign(np.stack([np.zeros(vectors.shape[1]), np.ones(vectors.shape[1])]))
    features = keras.Model(model.inputs[0], model.get_layer("flatten").output)(images)
    after = [keras.ops.convert_to_numpy(model([images, code])) for code in codes]
    np.testing.assert_array_equal(after[0], before[0])
    expected = before[1] + keras.ops.convert_to_numpy(features).sum(1, keepdims=True)
    np.testing.assert_allclose(after[1], expected, rtol=1e-4)


@pytest.mark.parametrize("name", BUILDERS)
def test_weights_depend_on_the_seed_alone(name):
    build = BUILDERS[name]
    first = build(width_multiplier=0.05, seed=4).get_weights()
    keras.utils.set_random_seed(1)
    again, other = (
        build(width_multiplier=0.05, seed=4).get_weights(),
        build(width_multiplier=0.05, seed=5).get_weights(),
    )
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


@pytest.fixture
def strange_keras():
    """Let Keras have other global settings, as in an old ~/.keras/keras.json."""
    names = ("image_data_format", "floatx", "epsilon", "dtype_policy")
    before = [getattr(keras.config, name)() for name in names]
    strange = ["channels_first", "float64", 1e-2, "mixed_bfloat16"]
    for name, value in zip(names, strange, strict=True):
        getattr(keras.config, f"set_{name}")(value)
    yield
    assert [getattr(keras.config, name)() for name in names[:3]] == strange[:3]  # as the user has them
    for name, value in zip(names, before, strict=True):
        getattr(keras.config, f"set_{name}")(value)


SMALL = {
    "classifier": lambda: build_classifier(16, width_multiplier=0.1, seed=1),
    "residual": lambda: build_residual_classifier(16, width_multiplier=0.1, seed=1),
    "foveated": lambda: build_foveated_classifier(64, width_multiplier=0.1, seed=1),
    "regressor": lambda: build_regressor(16, 0.1, output="jets", seed=1),
    "generator": lambda: build_generator(16, 8, 0.1, seed=1),
    "discriminator": lambda: build_discriminator(16, 0.1, minibatch_stddev=True, seed=1),
    "encoder": lambda: build_encoder(16, 8, 0.1, seed=1),
    "ensemble": lambda: build_ensemble([build_residual_classifier(16, width_multiplier=0.1, seed=1)]),
}


def said(build):
    """Return what a network makes of fixed inputs."""
    model = build()
    inputs = np.random.default_rng(0).uniform(-1, 1, (3, *model.input_shape[1:])).astype("f4")
    return keras.ops.convert_to_numpy(model(inputs, training=False))


@pytest.mark.parametrize("name", SMALL)
def test_networks_do_not_depend_on_the_global_settings_of_keras(name, request):
    usual = said(SMALL[name])
    request.getfixturevalue("strange_keras")
    found = said(SMALL[name])
    assert found.dtype == usual.dtype == np.float32
    np.testing.assert_array_equal(found, usual)


def test_training_does_not_depend_on_the_global_settings_of_keras(tmp_path, request):
    sample = simulate(8, 16, rng=np.random.default_rng(0))
    settings = ClassifierSettings(epochs=1, batch_size=16, width_multiplier=0.05)

    def trained(folder):
        _, history = train_classifier(sample, sample, settings, folder=folder)
        return {name: values for name, values in history.items() if name != "seconds"}

    def drawn(folder):
        few = GANSettings(size=16, latent_dim=4, width_multiplier=0.05, epochs=1, batch_size=16)
        return train_generator(sample.images, few, folder).frames

    usual, frames = trained(tmp_path / "usual"), drawn(tmp_path / "usual_gan")
    request.getfixturevalue("strange_keras")
    assert trained(tmp_path / "strange") == usual
    np.testing.assert_array_equal(drawn(tmp_path / "strange_gan"), frames)


@pytest.mark.parametrize("name", BUILDERS)
def test_width_scales_the_channels(name):
    narrow, wide = (BUILDERS[name](width_multiplier=width).count_params() for width in (0.25, 0.5))
    assert 1.8 < wide / narrow < 4.1


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("classifier", {"size": 7}, "size=7: give at least 8"),
        ("classifier", {"classes": 1}, "at least 2"),
        ("classifier", {"width_multiplier": 0}, "width_multiplier=0"),
        ("generator", {"size": 60}, "multiple of 8"),
        ("generator", {"size": 0}, "multiple of 8"),
        ("generator", {"width_multiplier": -1}, "width_multiplier=-1"),
        ("generator", {"latent_dim": 0}, "latent_dim=0"),
        ("generator", {"classes": -1}, "classes=-1"),
        ("discriminator", {"size": 58}, "multiple of 4"),
        ("discriminator", {"classes": -1}, "classes=-1"),
        ("classifier", {"size": 100_000}, "too much memory"),
        ("classifier", {"width_multiplier": 1e5}, "too much memory"),
        ("generator", {"size": 80_000}, "too much memory"),
        ("discriminator", {"size": 80_000}, "too much memory"),
    ],
)
def test_impossible_networks(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        BUILDERS[name](**arguments)


def test_blocks_of_the_residual_network_begin_as_the_identity():
    model = build_residual_classifier(size=20, width_multiplier=0.2, seed=0)
    scales = [layer.gamma for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert sum(not np.any(keras.ops.convert_to_numpy(scale)) for scale in scales) == 4
    images = np.random.default_rng(0).normal(size=(3, 20, 20, 1)).astype(np.float32)
    probabilities = keras.ops.convert_to_numpy(model(images))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("wrong", [{"size": 8}, {"classes": 1}, {"width_multiplier": 0}])
def test_residual_network_refuses(wrong):
    with pytest.raises(ValueError, match="give"):
        build_residual_classifier(**wrong)


def weights_after_a_step(precision: str, by_float32: bool) -> np.ndarray:
    rng = np.random.default_rng(0)
    images, labels = rng.random((8, 32, 32, 1), "f4"), np.arange(8) % 4
    model = build_classifier(32, width_multiplier=0.125, seed=0, precision=precision, dropout=0)
    if by_float32:
        convolve_in_float32(model)
    compile_model(model, keras.optimizers.SGD(0.1))
    model.train_on_batch(images, labels)
    return np.concatenate([each.ravel() for each in model.get_weights()])


def test_bfloat16_by_float32_is_that_of_a_processor_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    ways = [("mixed_bfloat16", False), ("mixed_bfloat16", True), ("float32", False)]
    # TensorFlow's own kernels, which any processor has; read when it is loaded, hence another process.
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as fresh:
        native, imitated, exact = fresh.map(weights_after_a_step, *zip(*ways, strict=True))
    assert np.abs(imitated - native).mean() < 0.4 * np.abs(exact - native).mean()  # single roundings


@pytest.mark.parametrize("build", [build_residual_classifier, build_foveated_classifier])
def test_without_normalisation_a_network_gives_the_same(build):
    model = build(64, width_multiplier=0.25, seed=0)
    rng = np.random.default_rng(0)
    # Scales that are zero at first would hide half of the network.
    weights = [weight * rng.uniform(0.5, 1.5, weight.shape) for weight in model.get_weights()]
    model.set_weights([weight + 0.1 * (weight.ndim == 1) for weight in weights])
    images = simulate(per_class=3, size=64, rng=rng).images[..., None]
    fast = without_normalisation(model)
    kinds = {type(layer) for layer in fast.layers}
    assert keras.layers.BatchNormalization not in kinds
    expected = np.asarray(model(images, training=False))
    assert np.ptp(expected[:, 0]) > 1e-3
    np.testing.assert_allclose(np.asarray(fast(images, training=False)), expected, atol=2e-6)
    assert fast.get_layer("mean").output.shape == model.get_layer("mean").output.shape


def test_networks_without_normalisation_stay_as_they_are():
    model = build_classifier(32, width_multiplier=0.1)
    assert without_normalisation(model) is model
