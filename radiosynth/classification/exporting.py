"""Write classifiers to files of other tools, with a model card beside them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from radiosynth._io import check, refuse_to_replace, write_atomically, write_text
from radiosynth.citing import citations
from radiosynth.metrics import accuracy, class_scores, confusion_matrix, proportion
from radiosynth.preprocessing import GREY_LEVELS
from radiosynth.surveys import FIRST

FORMATS = {"keras": rb"(?s)PK\x03\x04.{26}metadata\.json", "onnx": rb"(?s)\x08.\x12"}
"""Formats, which are also the suffixes of the files, and how such files begin."""


def write_model(model: keras.Model, path: Path, format: str, card: str) -> Path:  # noqa: A002
    """Write a network to a file and its model card beside it, and return the file of the card."""
    check(path.suffix == f".{format}", f"{path} is to be in the format {format}: end its name in .{format}")
    beside = path.with_suffix(".md")
    refuse_to_replace(path, FORMATS[format])
    refuse_to_replace(beside, b"# Model card")
    if format == "keras":
        write_atomically(path, model.save)
    else:
        model(np.zeros((1, *model.input_shape[1:]), np.float32))  # Keras 3.10 exports only what was called
        try:
            write_atomically(path, lambda part: model.export(str(part), format="onnx", verbose=False))
        except ImportError as error:
            msg = f"ONNX needs more packages ({error}): pip install 'radiosynth[export]'"
            raise ImportError(msg) from error
    write_text(beside, card)
    return beside


def model_card(card: Mapping[str, Any], predictions: Mapping[str, NDArray[Any]]) -> str:
    """Return the model card in Markdown: what the card and the saved predictions of a classifier say."""
    scale = card["pixel_scale"]
    template = files("radiosynth").joinpath("data", "model_card.md").read_text("utf-8")
    measured = _measured(card["classes"], predictions) if predictions else {}
    known = bool(card["data"]) and card["data"] in citations("griese2023")
    return template.format_map(
        {
            **card,
            "name": card["name"] or "without a name",
            "classes": ", ".join(card["classes"]),
            "number": len(card["classes"]),
            "networks": len(card["networks"]),
            "pixels": f"pixels of {scale:g} arcsec" if scale else f"{FIRST.field:g} arcmin wide",
            "beam": f"{FIRST.beam:g}",
            "grey": GREY_LEVELS,
            "filled": "that threshold" if card["fill"] == "threshold" else "zero",
            "geometry": _GEOMETRY[scale is None].format_map(card),
            "training": ", ".join(f"{name} {n}" for name, n in card["training_images"].items())
            or "not stated",
            "data": f"doi:{card['data']}" if card["data"] else "not stated",
            "licence": card["licence"] or "not stated",
            "cite": citations("griese2023", "first").strip()
            if known
            else "What the owner of the data asks for.",
            "accuracy": card["accuracy"] or "Not measured.",
            "confusions": "Not measured.",
            **measured,
        }
    )


_GEOMETRY = (
    "Keep the central {size}×{size} pixels. Around a smaller image put pixels of −1, after step 5.",
    "Resize to {size}×{size} pixels: bilinear, antialiased.",
)


def _measured(classes: list[str], predictions: Mapping[str, NDArray[Any]]) -> dict[str, str]:
    """Return what predictions of independent images say of a classifier, as text."""
    labels, probabilities = predictions["labels"], predictions["probabilities"]
    correct = probabilities.argmax(axis=1) == labels
    value, low, high = accuracy(labels, probabilities, confidence=0.95)
    lines = [
        f"Of {len(labels)} images that it was not trained on, {value:.1%} are classified correctly "
        f"(95 % interval {low:.1%} to {high:.1%}); the mean probability of the class it gives is "
        f"{probabilities.max(axis=1).mean():.3f}.",
        "",
        "| class | images | correct of these (95 % interval) | correct where it is given (95 % interval) |",
        "|---|---|---|---|",
    ]
    for row in class_scores(labels, probabilities, confidence=0.95):
        ends = [[row[score + end] for end in ("", "_low", "_high")] for score in ("recall", "precision")]
        cells = ["{:.3f} ({:.3f} to {:.3f})".format(*each) for each in ends]
        lines.append(f"| {row['class']} | {row['images']} | {cells[0]} | {cells[1]} |")
    if "catalogues" in predictions:
        lines += ["", "| catalogue | images | correct (95 % interval) |", "|---|---|---|"]
        for catalogue in np.unique(predictions["catalogues"]):
            own = correct[predictions["catalogues"] == catalogue]
            share = "{:.3f} ({:.3f} to {:.3f})".format(*proportion(own, confidence=0.95))
            lines.append(f"| {catalogue} | {len(own)} | {share} |")
    else:
        lines += ["", "The saved predictions do not say from which catalogue an image is."]
    counts = confusion_matrix(labels, probabilities, normalise=False).astype(int)
    totals = counts.sum(axis=1)
    np.fill_diagonal(counts, 0)
    worst = [np.unravel_index(each, counts.shape) for each in np.argsort(-counts, axis=None)[:4]]
    wrong = [
        f"- {classes[true]} taken for {classes[given]}: {counts[true, given]} of {totals[true]}"
        for true, given in worst
        if counts[true, given]
    ]
    return {"accuracy": "\n".join(lines), "confusions": "\n".join(wrong) or "None of the test images."}
