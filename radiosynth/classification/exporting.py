"""Write classifiers to files of other tools, with a model card beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from radiosynth._io import check, refuse_to_replace, write_atomically, write_text
from radiosynth.citing import citations
from radiosynth.metrics import proportion, two_axes
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
            write_atomically(path, lambda part: _write_onnx(model, part))
        except ImportError as error:
            msg = f"ONNX needs more packages ({error}): pip install 'radiosynth[export]'"
            raise ImportError(msg) from error
    write_text(beside, card)
    return beside


def _write_onnx(model: keras.Model, path: Path) -> None:
    """Write a network with outputs that are called by what they are."""
    import onnx

    model.export(str(path), format="onnx", verbose=False)
    written = onnx.load(path)
    outputs = zip(written.graph.output, ("probabilities", "oddness"), strict=False)
    renamed = {output.name: name for output, name in outputs}
    for node in written.graph.node:
        node.output[:] = [renamed.get(name, name) for name in node.output]
    for output in written.graph.output:
        output.name = renamed[output.name]
    onnx.save(written, path)


def model_card(card: Mapping[str, Any], predictions: Mapping[str, NDArray[Any]], odd: bool = False) -> str:
    """Return the model card in Markdown: what the card and the saved predictions of a classifier say."""
    scale, images = card["pixel_scale"], card["training_images"]
    known = bool(card["data"]) and card["data"] in citations("griese2023")
    told = {
        **card,
        "name": card["name"] or "without a name",
        "classes": ", ".join(card["classes"]),
        "networks": len(card["networks"]),
        "pixels": f"pixels of {scale:g} arcsec" if scale else f"{FIRST.field:g} arcmin wide",
        "beam": FIRST.beam,
        "grey": GREY_LEVELS,
        "filled": "that threshold" if card["fill"] == "threshold" else "zero",
        "geometry": (_CROPPED if scale else _RESIZED).format_map(card),
        "training": ", ".join(f"{name} {n}" for name, n in images.items()) or "not stated",
        "data": f"doi:{card['data']}" if card["data"] else "not stated",
        "licence": card["licence"] or "not stated",
        "cite": citations("griese2023", "first").strip() if known else "what the owner of the data asks for",
        "accuracy": card["accuracy"] or "Not measured.",
        "errors": "Not measured.",
        "odd": _ODDNESS if odd else "",
    }
    if predictions:
        told |= _measured(np.array(card["classes"]), predictions)
    return files("radiosynth").joinpath("data", "model_card.md").read_text("utf-8").format_map(told)


_CROPPED = "Keep the central {size}×{size} pixels. Around a smaller image put pixels of −1, after step 5."
_RESIZED = "Resize to {size}×{size} pixels: bilinear, antialiased."
_ODDNESS = """
Second output: oddness, float32 of the shape (n,). It is the Mahalanobis distance of an image to the nearest
class, in the features of the network, and above 1 for one in a hundred images of independent sources."""


def _measured(classes: NDArray[np.str_], predictions: Mapping[str, NDArray[Any]]) -> dict[str, str]:
    """Return scores, with 95 % intervals, and the most frequent errors on independent images."""
    labels, probabilities = predictions["labels"], predictions["probabilities"]
    true, given = classes[labels], classes[probabilities.argmax(axis=1)]
    correct = true == given
    whole = _with_interval(proportion(correct, confidence=0.95))
    asked = f"Proportion of {len(labels)} images, which it was not trained on, that are classified correctly"
    sure = f"The mean probability of the classes it gives is {probabilities.max(axis=1).mean():.3f}."
    parts = [f"{asked}: {whole}, with a 95 % interval. {sure}", _table("class", true, correct)]
    for name, score in two_axes(labels, probabilities, confidence=0.95).items():
        parts.append(f"Correct in the question {name}: {_with_interval(score)}.")
    if "catalogues" in predictions:
        parts.append(_table("catalogue", predictions["catalogues"], correct))
    else:
        parts.append("The saved predictions do not say from which catalogue an image is.")
    frequent = Counter(zip(true[~correct], given[~correct], strict=True)).most_common(4)
    errors = [f"- {name} taken for {other}: {n} of {(true == name).sum()}" for (name, other), n in frequent]
    return {"accuracy": "\n\n".join(parts), "errors": "\n".join(errors) or "None."}


def _with_interval(score: tuple[float, float, float]) -> str:
    return "{:.3f} ({:.3f} to {:.3f})".format(*score)


def _table(title: str, groups: NDArray[np.str_], correct: NDArray[np.bool_]) -> str:
    """Return a table of the proportion that is correct in each group."""
    lines = [f"| {title} | images | of these, correct |", "|---|---|---|"]
    for name in np.unique(groups):
        own = correct[groups == name]
        lines.append(f"| {name} | {len(own)} | {_with_interval(proportion(own, confidence=0.95))} |")
    return "\n".join(lines)
