"""The GAN: gradients, resuming, frames, generators as files, and what happens when it goes wrong."""

from __future__ import annotations

import dataclasses
import itertools
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from radiosynth import generators, training
from radiosynth.generators import base
from radiosynth.generators.dcgan import DCGAN, GANSettings
from radiosynth.generators.settings import with_labels

TINY = GANSettings(size=16, latent_dim=8, width_multiplier=0.05, epochs=4, batch_size=16, seed=3)


def blobs(n: int, seed: int = 0, size: int = 16, width: float = 2) -> tuple[np.ndarray, np.ndarray]:
    """Spots left of the centre (class 0) or right of it (class 1), each of another height."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    x, y = np.meshgrid(np.arange(size), np.arange(size))
    centre = np.where(labels == 0, 0.3, 0.7) * size
    row = rng.uniform(0.2, 0.8, n) * size
    squares = (x - centre[:, None, None]) ** 2 + (y - row[:, None, None]) ** 2
    return (2 * np.exp(-squares / width**2) - 1).astype(np.float32), labels


def arrays_equal(a: list[np.ndarray], b: list[np.ndarray]) -> bool:
    return all(np.array_equal(p, q) for p, q in zip(a, b, strict=True))


def gradients(loss, variables):
    """Return the gradients on whatever backend runs the tests."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            value = loss()
        found = tape.gradient(value, [v.value for v in variables])
        return [
            np.zeros(v.shape) if g is None else np.asarray(tf.convert_to_tensor(g))
            for v, g in zip(variables, found, strict=True)
        ]
    import jax

    def pure(values):
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
            return loss()

    return [np.asarray(g) for g in jax.grad(pure)([v.value for v in variables])]


@pytest.mark.parametrize("minibatch_stddev", [False, True])
@pytest.mark.parametrize("conditional", [0, 2])
def test_one_loss_has_the_gradients_of_the_two_separate_steps(minibatch_stddev, conditional):
    model = DCGAN(dataclasses.replace(TINY, minibatch_stddev=minibatch_stddev, conditional=conditional))
    for layer in model.discriminator.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0  # each call draws another mask, which no textbook step could repeat
    images, labels = blobs(8)
    real = keras.ops.convert_to_tensor(images)
    label = keras.ops.convert_to_tensor(labels, "int32") if conditional else None
    generator, discriminator = model.generator, model.discriminator
    start = keras.ops.convert_to_numpy(model.seeds.state)

    def together():
        model.seeds.state.assign(start)
        return model.compute_loss(real, label)

    def draw():
        model.seeds.state.assign(start)
        noise = keras.random.normal((8, TINY.latent_dim), seed=model.seeds)
        return generator(with_labels(noise, label), training=True)

    def judge(pictures):
        return discriminator(with_labels(pictures, label), training=True)

    entropy = keras.losses.BinaryCrossentropy(from_logits=True)
    ones, zeros = np.ones((8, 1)), np.zeros((8, 1))

    def discriminator_alone():
        on_real, fake = judge(real[..., None]), judge(draw())
        return entropy(ones, on_real) + entropy(zeros, fake)

    def generator_alone():
        return entropy(ones, judge(draw()))

    for network, alone in ((generator, generator_alone), (discriminator, discriminator_alone)):
        ours = gradients(together, network.trainable_variables)
        textbook = gradients(alone, network.trainable_variables)
        for variable, a, b in zip(network.trainable_variables, ours, textbook, strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-4, atol=1e-6, err_msg=variable.path)
        assert max(np.abs(b).max() for b in textbook) > 1e-3


def test_a_stretched_gan_gives_back_the_brightness():
    model = DCGAN(dataclasses.replace(TINY, stretch=True))
    noise = np.random.default_rng(0).normal(size=(4, TINY.latent_dim)).astype(np.float32)
    root, image = (
        keras.ops.convert_to_numpy(network(noise) + 1) / 2 for network in (model.generator, model.kept)
    )
    np.testing.assert_allclose(image, root**2, atol=1e-6)
    seen = []
    model.discriminator.call = lambda images, **_: seen.append(images) or images[:, 0, 0]
    real = blobs(8)[0]
    model.compute_loss(keras.ops.convert_to_tensor(real))
    np.testing.assert_allclose((seen[0][..., 0] + 1) / 2, np.sqrt((real + 1) / 2), atol=1e-6)


def test_noise_and_dropout_change_from_step_to_step():
    model = DCGAN(TINY)
    images = keras.ops.convert_to_tensor(blobs(8)[0])
    assert float(model.compute_loss(images)) != float(model.compute_loss(images))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A conditional GAN trained without interruption, with averaged weights."""
    images, labels = blobs(64)
    settings = dataclasses.replace(TINY, conditional=2, ema_decay=0.9, beta_1=0.5)
    folder = tmp_path_factory.mktemp("whole")
    return generators.train_generator(images, settings, folder, labels=labels, class_names=["FRI", "compact"])


def test_the_folder_holds_all_that_was_trained(whole):
    assert len(whole.history["generator_loss"]) == len(whole.history["seconds"]) == TINY.epochs
    assert whole.epochs.tolist() == [0, 1, 2, 3, 4]
    assert whole.frames.shape == (5, 32, 16, 16)
    with np.load(whole.folder / "frames.npz") as stored:
        np.testing.assert_array_equal(stored["frames"], whole.frames)
    described = json.loads((whole.folder / "generator.json").read_text())
    assert described["settings"]["conditional"] == 2
    assert described["class_names"] == ["FRI", "compact"]
    training.load_weights(
        DCGAN(GANSettings(**described["settings"])).discriminator, whole.folder / "discriminator.npz"
    )


def test_the_first_frame_is_the_untrained_generator(whole):
    untrained = dataclasses.replace(TINY, conditional=2).build()
    labels = np.repeat([0, 1], 16)
    images = generators.generate(untrained, 32, rng=np.random.default_rng([TINY.seed, 9]), labels=labels)
    np.testing.assert_allclose(whole.frames[0], np.round((images + 1) * 127.5), atol=1)
    assert not np.array_equal(whole.frames[0], whole.frames[-1])


def test_the_average_follows_the_trained_weights(tmp_path):
    images, _ = blobs(32)
    settings = dataclasses.replace(TINY, epochs=1, batch_size=32)  # one step
    plain = generators.train_generator(
        images, dataclasses.replace(settings, ema_decay=0.0), tmp_path / "plain"
    )
    # The mean is taken before the step: after one step it is still where it began, but for the batch
    # statistics, which the step has moved.
    averaged = generators.train_generator(
        images, dataclasses.replace(settings, ema_decay=0.5), tmp_path / "averaged"
    )
    for variable, trained, mean, first in zip(
        plain.generator.weights,
        plain.generator.get_weights(),
        averaged.generator.get_weights(),
        settings.build().get_weights(),
        strict=True,
    ):
        if "moving" in variable.path:
            np.testing.assert_allclose(mean, (first + trained) / 2, rtol=1e-4, atol=1e-6)
        else:
            np.testing.assert_array_equal(mean, first)


def test_training_again_returns_the_same(whole):
    images, labels = blobs(64)
    settings = GANSettings(**json.loads((whole.folder / "generator.json").read_text())["settings"])
    again = generators.train_generator(
        images, settings, whole.folder, labels=labels, class_names=["FRI", "compact"]
    )
    assert again.history == whole.history
    np.testing.assert_array_equal(again.frames, whole.frames)
    assert arrays_equal(again.generator.get_weights(), whole.generator.get_weights())


# --- interrupted ------------------------------------------------------------------------------------

CHILD = """
import sys
sys.path.insert(0, sys.argv[2])
import dataclasses, keras, numpy as np
from radiosynth import generators, training
from test_gan import TINY, blobs

keep = training._save_checkpoint
def slowly(*arguments):
    keep(*arguments)
    import time
    print("saved", flush=True)
    time.sleep(0.3)
training._save_checkpoint = slowly
generators.train_generator(blobs(64)[0], dataclasses.replace(TINY, epochs=12), sys.argv[1])
print("finished", flush=True)
"""


def child(folder, *, stop=None, after=3):
    """Train in a process of its own; send it the signal `stop` after some checkpoints."""
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder), str(Path(__file__).parent)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    if stop is not None:
        for _ in range(after):
            assert process.stdout.readline() == "saved\n"
        time.sleep(0.1)
        process.send_signal(stop)
    output, errors = process.communicate(timeout=120)
    return process.returncode, output, errors


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")
def test_killed_and_terminated_training_ends_with_the_same_numbers(tmp_path):
    settings = dataclasses.replace(TINY, epochs=12)
    code, output, errors = child(tmp_path / "killed", stop=signal.SIGKILL)
    assert code == -signal.SIGKILL, errors
    assert "finished" not in output
    assert not (tmp_path / "killed/generator.npz").exists()

    code, output, errors = child(tmp_path / "killed", stop=signal.SIGTERM)
    assert code == 1
    assert "finished" not in output
    assert "stopped by the signal SIGTERM" in errors

    code, output, errors = child(tmp_path / "killed")
    assert code == 0, errors
    assert output.endswith("finished\n")

    images = blobs(64)[0]
    resumed = generators.train_generator(images, settings, tmp_path / "killed")
    whole = generators.train_generator(images, settings, tmp_path / "whole")
    assert arrays_equal(resumed.generator.get_weights(), whole.generator.get_weights())
    np.testing.assert_array_equal(resumed.frames, whole.frames)
    np.testing.assert_array_equal(resumed.epochs, whole.epochs)
    for name in set(whole.history) - {"seconds"}:
        assert resumed.history[name] == whole.history[name]


# --- does it learn ----------------------------------------------------------------------------------


def test_learns_mean_and_variety_of_each_class(tmp_path):
    images, labels = blobs(1024, width=4)
    settings = GANSettings(
        size=16,
        latent_dim=8,
        width_multiplier=0.1,
        epochs=12,
        batch_size=16,
        learning_rate=1e-3,
        beta_1=0.0,
        ema_decay=0.99,
        minibatch_stddev=True,
        conditional=2,
    )
    run = generators.train_generator(images, settings, tmp_path, labels=labels)

    def errors(generator):
        codes = np.repeat([0, 1], 64)
        drawn = generators.generate(generator, 128, rng=np.random.default_rng(1), labels=codes)
        return np.array(
            [
                np.abs(moment(drawn[codes == code], 0) - moment(images[labels == code], 0)).mean()
                for code in (0, 1)
                for moment in (np.mean, np.std)
            ]
        )

    assert (errors(run.generator) < 0.5 * errors(settings.build())).all()
    assert not run.collapsed
    # Class 0 is left of the centre, class 1 right of it.
    profiles = run.frames[-1].reshape(2, 16, 16, 16).mean(axis=(1, 2))
    left, right = (profiles * np.arange(16)).sum(1) / profiles.sum(1)
    assert left + 3 < right


# --- generators as files ----------------------------------------------------------------------------


def test_generate_depends_on_the_seed_alone(whole, monkeypatch):
    labels = np.arange(20) % 2
    loaded = generators.load_generator(whole.folder)

    def draw(seed):
        return generators.generate(loaded, 20, rng=np.random.default_rng(seed), labels=labels)

    first = draw(5)
    assert first.shape == (20, 16, 16)
    assert first.dtype == np.float32
    assert np.abs(first).max() <= 1
    np.testing.assert_array_equal(first, draw(5))
    assert not np.allclose(first, draw(6), atol=1e-3)
    monkeypatch.setattr(base, "BATCH", 7)
    np.testing.assert_allclose(first, draw(5), atol=1e-5)
    shorter = generators.generate(loaded, 6, rng=np.random.default_rng(5), labels=labels[:6])
    np.testing.assert_allclose(first[:6], shorter, atol=1e-5)
    # Half precision costs less than one of the 256 levels of a frame.
    exact = generators.generate(whole.generator, 20, rng=np.random.default_rng(5), labels=labels)
    np.testing.assert_allclose(first, exact, atol=1 / 255)


def test_the_class_matters(whole):
    ones = [
        generators.generate(whole.generator, 4, rng=np.random.default_rng(1), labels=np.full(4, code))
        for code in (0, 1)
    ]
    assert not np.allclose(*ones, atol=1e-3)


def test_sample_of_several_generators(whole, tmp_path):
    one = generators.train_generator(blobs(32)[0], TINY, tmp_path, class_names=["bent"])
    sample = generators.sample_generators([whole.folder, one.folder], 5, rng=np.random.default_rng(0))
    assert sample.counts() == {"FRI": 5, "FRII": 0, "bent": 5, "compact": 5}
    again = generators.sample_generators([whole.folder, one.folder], 5, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(sample.images, again.images)
    assert "5 images per class" in sample.history[0]


@pytest.mark.parametrize(
    ("labels", "message"), [(None, "give 3 labels"), ([0, 1], "give 3 labels"), ([0, 1, 2], "from 0 to 1")]
)
def test_generate_refuses_labels_that_do_not_fit(whole, labels, message):
    with pytest.raises(ValueError, match=message):
        generators.generate(whole.generator, 3, rng=np.random.default_rng(0), labels=labels)


def test_a_network_of_another_make_draws_too():
    noise, label = keras.Input((5,)), keras.Input((), dtype="int32")
    joined = keras.layers.Concatenate()([noise, keras.layers.Embedding(4, 3)(label)])
    image = keras.layers.Reshape((8, 8, 1))(keras.layers.Dense(64, "tanh")(joined))
    images = generators.generate(
        keras.Model([noise, label], image), 8, labels=np.arange(8) % 4, rng=np.random.default_rng(0)
    )
    assert images.shape == (8, 8, 8)
    assert not np.allclose(images[0], images[1])


def test_generate_refuses_labels_for_one_class():
    with pytest.raises(ValueError, match="knows no classes"):
        generators.generate(TINY.build(), 3, rng=np.random.default_rng(0), labels=np.zeros(3, int))


def test_broken_generator_files(whole, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(whole.folder, folder)
    described = json.loads((folder / "generator.json").read_text())
    described["settings"]["width_multiplier"] = 0.1
    (folder / "generator.json").write_text(json.dumps(described))
    with pytest.raises(ValueError, match="does not hold the weights"):
        generators.load_generator(folder)
    for text in ("{}", "nonsense", '{"settings": {"code": 1}, "class_names": [], "collapsed": false}'):
        (folder / "generator.json").write_text(text)
        with pytest.raises(ValueError, match="does not describe a generator"):
            generators.load_generator(folder)


# --- going wrong ------------------------------------------------------------------------------------


def test_collapse_is_reported(tmp_path, caplog):
    settings = dataclasses.replace(TINY, epochs=1)
    run = generators.train_generator(blobs(32)[0], settings, tmp_path, class_names=["bent"])
    assert run.collapsed
    assert run.diversity[0] < base.FEWEST_DIFFERENCES
    assert "has collapsed" in caplog.text
    assert json.loads((tmp_path / "generator.json").read_text())["collapsed"] is True
    caplog.clear()
    generators.load_generator(tmp_path)
    assert "had collapsed" in caplog.text
    caplog.clear()
    generators.sample_generators([tmp_path], 2, rng=np.random.default_rng(0))
    assert caplog.text.count("had collapsed") == 1


def test_diversity():
    rng = np.random.default_rng(0)
    images = rng.normal(size=(10, 5, 5))
    pairs = [np.linalg.norm(images[i] - images[j]) for i in range(10) for j in range(i)]
    assert generators.diversity(images) == pytest.approx(np.mean(pairs))
    assert generators.diversity(np.ones((4, 3, 3))) == 0
    assert generators.diversity(np.ones((1, 3, 3))) == 0


GOOD, CODES = blobs(8)


@pytest.mark.parametrize(
    ("images", "labels", "names", "conditional", "message"),
    [
        (GOOD[:, :8], None, [], 0, r"need \(n, 16, 16\)"),
        (GOOD[:0], None, [], 0, r"need \(n, 16, 16\)"),
        (GOOD * 3, None, [], 0, r"needs \[-1, 1\]"),
        (np.full_like(GOOD, np.nan), None, [], 0, r"needs \[-1, 1\]"),
        (GOOD, CODES, [], 0, "knows no classes"),
        (GOOD, None, [], 2, "give 8 labels from 0 to 1, not none"),
        (GOOD, CODES[:3], [], 2, "give 8 labels"),
        (GOOD, CODES, [], 3, "labels of all codes"),
        (GOOD, CODES, ["FRI"], 2, "1 class names were given"),
    ],
)
def test_unfit_training_sets_are_refused(tmp_path, images, labels, names, conditional, message):
    with pytest.raises(ValueError, match=message):
        generators.train_generator(
            images,
            dataclasses.replace(TINY, conditional=conditional),
            tmp_path / "new",
            labels=labels,
            class_names=names,
        )
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "change",
    [{"epochs": 0}, {"ema_decay": 1.0}, {"beta_1": -1}, {"conditional": 1}, {"width_multiplier": 0}],
)
def test_impossible_settings(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        GANSettings(**change)


def test_size_must_be_a_multiple_of_8():
    with pytest.raises(ValueError, match="multiple of 8"):
        GANSettings(size=20).build()


# --- frames and films -------------------------------------------------------------------------------


def test_frame_epochs_are_thinned_as_the_square_root():
    epochs = generators.frame_epochs(500)
    assert epochs[:4] == [0, 1, 2, 3]
    assert {100, 300, 500} <= set(epochs)
    assert len(epochs) == len(set(epochs)) <= 51
    roots = np.sqrt(epochs[20:])
    assert np.diff(roots).max() < 1.1 * np.sqrt(500) / 48
    assert generators.frame_epochs(3) == [0, 1, 2, 3]


def test_gif(tmp_path):
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (5, 16, 56, 56)).astype(np.uint8)
    frames[:, 0] = 0
    frames[:, 0, 0, 0] = 255  # the south-eastern corner of the first image
    path = tmp_path / "training.gif"
    generators.write_animation(frames, [0, 1, 4, 9, 500], path)
    with Image.open(path) as film:
        assert film.n_frames == 5
        assert film.info["loop"] == 0
        assert film.width == 8 * 57 * 2
        strips, durations = [], []
        for number in range(5):
            film.seek(number)
            durations.append(film.info["duration"])
            picture = np.asarray(film.convert("L"))
            strips.append(picture[2 * 2 * 56 :])
            assert picture[55 * 2, 0] > 240  # south is below
            assert picture[0, 0] < 10
    assert durations == [200] * 4 + [2000]
    assert all(strip.min() < 50 for strip in strips)
    assert not any(np.array_equal(a, b) for a, b in itertools.pairwise(strips))


def test_an_animation_is_a_gif_with_frames(tmp_path):
    frames = np.zeros((3, 16, 16, 16), np.uint8)
    with pytest.raises(ValueError, match=r"film\.mp4: give the file a name that ends in \.gif"):
        generators.write_animation(frames, [0, 1, 2], tmp_path / "film.mp4")
    with pytest.raises(ValueError, match="no frames"):
        generators.write_animation(frames[:0], [], tmp_path / "film.gif")


def test_asking_for_the_loss_leaves_the_average_as_it_is() -> None:
    settings = dataclasses.replace(TINY, ema_decay=0.5)
    model = generators.DCGAN(settings)
    model.generator.set_weights([weights + 1 for weights in model.generator.get_weights()])
    before = model.averaged.get_weights()
    model.terms(settings.seen(blobs(4)[0]), None, False)
    for mean, first in zip(model.averaged.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mean, first)
