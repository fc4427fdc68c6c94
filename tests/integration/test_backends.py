"""JAX gives the numbers of TensorFlow, and several devices those of one, to the tolerances on the site."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import radiosynth

pytest.importorskip("jax", reason="pip install 'radiosynth[jax]', or tox -e jax")

TRAINING = """
import sys, tempfile
import keras, numpy, radiosynth
if int(sys.argv[2]) > 1:
    keras.distribution.set_distribution(keras.distribution.DataParallel())
sample = radiosynth.simulate(per_class=32, size=24, rng=numpy.random.default_rng(0))
settings = radiosynth.classification.ClassifierSettings(epochs=2, batch_size=32, width_multiplier=0.1, seed=1)
model, _ = radiosynth.train_classifier(sample, sample, settings, folder=tempfile.mkdtemp())
numpy.savez(sys.argv[1], *model.get_weights())
"""

PREDICTING = """
import sys
import numpy, radiosynth
images = numpy.load(sys.argv[1])
numpy.save(sys.argv[1], radiosynth.load_classifier().predict(images))
"""


def with_jax(script: str, *arguments: object, devices: int = 1) -> None:
    flags = {"XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}", "KERAS_BACKEND": "jax"}
    command = [sys.executable, "-c", script, *map(str, arguments)]
    subprocess.run(command, check=True, env={**os.environ, **flags}, timeout=600)


def test_data_parallel_training_gives_the_weights_of_one_device(tmp_path: Path) -> None:
    found = []
    for devices in (1, 4):
        path = tmp_path / f"{devices}.npz"
        with_jax(TRAINING, path, devices, devices=devices)
        with np.load(path) as stored:
            found.append([stored[name] for name in stored.files])
    for one, four in zip(*found, strict=True):
        np.testing.assert_allclose(four, one, atol=1e-6)


def test_a_saved_classifier_gives_the_same_probabilities(tmp_path: Path) -> None:
    classifier = radiosynth.load_classifier()
    sample = radiosynth.simulate(per_class=2, size=192, rng=np.random.default_rng(1))
    path = tmp_path / "images.npy"
    np.save(path, sample.images)
    with_jax(PREDICTING, path)
    np.testing.assert_allclose(np.load(path), classifier.predict(sample.images), atol=1e-5)
