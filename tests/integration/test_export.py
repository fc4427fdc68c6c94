"""Classifiers as files for other tools, and the model card beside them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from radiosynth import build_foveated_classifier, classification, load_classifier, metrics, simulate
from radiosynth.classification.exporting import model_card
from radiosynth.networks.classifiers import build_ensemble

NETWORK = {"architecture": "foveated", "width_multiplier": 0.125}


@pytest.fixture(scope="module")
def classifier() -> classification.Classifier:
    """An ensemble of two small networks, and what it says of 20 simulated sources of two catalogues."""
    networks = [build_foveated_classifier(64, width_multiplier=0.125, seed=seed) for seed in (0, 1)]
    card = {"name": "two", "networks": [NETWORK] * 2, "n_rotations": 8, "temperature": 0.5}
    card |= {"pixel_scale": 1.8, "training_images": {"FRI": 7}, "data": "10.5281/zenodo.7689127"}
    model = build_ensemble(networks, 0.5)
    made = classification.Classifier(model, card)
    sources = simulate(5, 64, rng=np.random.default_rng(0))
    said = {"labels": sources.labels, "probabilities": made.predict(sources.images)}
    return classification.Classifier(model, card, {**said, "catalogues": np.array(["A"] * 15 + ["B"] * 5)})


def test_keras_opens_the_file_without_this_package(
    classifier: classification.Classifier, tmp_path: Path
) -> None:
    images = simulate(1, 64, rng=np.random.default_rng(1)).images
    classifier.export(tmp_path / "m.keras")
    np.save(tmp_path / "images.npy", images[..., None])
    code = """
import sys, keras, numpy
model = keras.saving.load_model("m.keras", safe_mode=True)
numpy.save("said.npy", model.predict(numpy.load("images.npy"), verbose=0))
assert "radiosynth" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, timeout=300)
    np.testing.assert_allclose(np.load(tmp_path / "said.npy"), classifier.predict(images), atol=1e-5)


def test_onnx_gives_the_same_probabilities(classifier: classification.Classifier, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    images = simulate(1, 64, rng=np.random.default_rng(1)).images
    card = classifier.export(tmp_path / "m.onnx", "onnx")
    assert card == tmp_path / "m.md"
    session = runtime.InferenceSession(tmp_path / "m.onnx")
    (taken,) = session.get_inputs()
    for some in (images, images[:1]):  # of any number
        (said,) = session.run(None, {taken.name: some[..., None]})
        np.testing.assert_allclose(said, classifier.predict(some), atol=1e-5)
    classifier.export(tmp_path / "m.onnx", "onnx")  # its own files are replaced
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.md", "m.onnx"]


def test_half_precision_is_written_as_float32(tmp_path: Path) -> None:
    settings = classification.OnTheFlySettings(precision="mixed_bfloat16", width_multiplier=0.125)
    model = build_foveated_classifier(64, width_multiplier=0.125, seed=0, precision="mixed_bfloat16")
    classification.Classifier.trained(model, settings).export(tmp_path / "m.keras")
    import keras

    again = keras.saving.load_model(tmp_path / "m.keras")
    assert {layer.compute_dtype for layer in again.layers} == {"float32"}


def test_without_the_packages_of_onnx_it_says_which(
    classifier: classification.Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    monkeypatch.setattr("keras.src.utils.module_utils.tf2onnx.module", None)
    with pytest.raises(ImportError, match=r"pip install 'radiosynth\[export\]'"):
        classifier.export(tmp_path / "m.onnx", "onnx")
    assert not list(tmp_path.iterdir())


def test_nothing_else_is_replaced(classifier: classification.Classifier, tmp_path: Path) -> None:
    for other in ("m.keras", "m.md"):
        (tmp_path / other).write_text("notes of mine")
        with pytest.raises(ValueError, match=f"{other} exists, and is not what would be written"):
            classifier.export(tmp_path / "m.keras")
        (tmp_path / other).unlink()
    with pytest.raises(ValueError, match=r"end its name in \.keras"):
        classifier.export(tmp_path / "m.h5")
    with pytest.raises(ValueError, match="unknown format 'pt': choose from keras, onnx"):
        classifier.export(tmp_path / "m.pt", "pt")  # type: ignore[arg-type]
    bare = classification.Classifier(classifier.model, {})
    with pytest.raises(ValueError, match="no networks"):
        bare.export(tmp_path / "m.keras")


def test_the_model_card_is_computed(classifier: classification.Classifier, tmp_path: Path) -> None:
    text = classifier.export(tmp_path / "m.keras").read_text("utf-8")
    labels, probabilities = classifier.predictions["labels"], classifier.predictions["probabilities"]
    correct = probabilities.argmax(axis=1) == labels
    value, low, high = metrics.proportion(correct, confidence=0.95)
    assert "of 20 images, which it was not trained on" in text
    assert f"correctly: {value:.3f} ({low:.3f} to {high:.3f})" in text
    for code, name in enumerate(classifier.card["classes"]):
        assert f"| {name} | 5 | {correct[labels == code].mean():.3f} (" in text
    assert f"| A | 15 | {correct[:15].mean():.3f} (" in text
    wrong = [(int(t), int(g)) for t, g in zip(labels, probabilities.argmax(axis=1), strict=True) if t != g]
    true, given = max(wrong, key=wrong.count)
    names = classifier.card["classes"]
    assert f"- {names[true]} taken for {names[given]}: {wrong.count((true, given))} of 5" in text
    for said in ("FRI 7", "doi:10.5281/zenodo.7689127", "@article{griese2023", "becker1995", "pixels of 1.8"):
        assert said in text
    assert "central 64×64" in text
    assert "Not measured" not in text


def test_predictions_are_saved_with_a_classifier(
    classifier: classification.Classifier, tmp_path: Path
) -> None:
    classifier.save(tmp_path / "saved")
    again = load_classifier(tmp_path / "saved")
    for name, values in classifier.predictions.items():
        np.testing.assert_array_equal(again.predictions[name], values)
    (tmp_path / "saved" / "predictions.npz").unlink()  # as earlier versions wrote it
    text = load_classifier(tmp_path / "saved").export(tmp_path / "m.keras").read_text("utf-8")
    assert text.count("Not measured") == 2


def test_the_packaged_classifier_has_the_card_of_its_run() -> None:
    best = load_classifier("ensemble")
    text = model_card(best.card, best.predictions)
    assert f"correctly: {best.card['accuracy']:.3f} (" in text
    assert "networks (5) and over rotations and mirror images of each image (8), at temperature 0.805" in text
    assert json.dumps(best.card["training_images"])[1:-1].replace('"', "").replace(":", "") in text
