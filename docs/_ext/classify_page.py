"""What the page that classifies is made of: the exported classifier, its card, and examples to try.

The ONNX file of `Classifier.export` is written as a list of its operators and the numbers they take.
TensorFlow.js, which the generator's page uses already, runs them on the processor in 0.3 s. That is one file
of 6 MB that works from disk too; ONNX Runtime for browsers alone has 14 MB.

No FITS reader from npm is used: one is no longer looked after (fitsjs), one has neither sources nor tests
(fits-reader-js), and one is licensed under the GPL (jsfitsio). ``fits.js`` reads plain images.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import onnx
from astropy.io import fits
from numpy.typing import NDArray

from radiosynth import Classifier, load_classifier, plotting, preprocessing, records, simulation
from radiosynth.classification import classifier as classification
from radiosynth.cutouts import files, orientation
from radiosynth.surveys import COARSEST_BEAM, FIRST
from radiosynth.taxonomy import CLASSES

FOLDER = records.PACKAGED_RUNS / classification.DEFAULT
"""What is saved of the default classifier."""

EXAMPLES = {
    "FR I": ("FRI", 0.03, 4),
    "FR II": ("FRII", 0.03, 126),
    "Bent-tailed": ("bent", 0.03, 61),
    "Compact": ("compact", 0.03, 93),
    "Faint FR II": ("FRII", 0.08, 35),
    "At the edge of the survey": ("bent", 0.03, 123),
}
"""Names of the examples; their class, their noise as a fraction of the peak, and a seed.

The seeds were chosen so that the default classifier gives the class, and does not call the image odd.
"""


def shown_classifier() -> Classifier:
    """Return the classifier of the page: the default one, of which an ensemble lends its first network."""
    whole = load_classifier()
    if (n := len(whole.card["networks"])) == 1:
        return whole
    # An ensemble of five networks and eight rotations would take forty times as long in a browser.
    part = {"networks": whole.card["networks"][:1], "n_rotations": 1, "temperature": 1.0}
    part["name"] = f"one of the {n} networks of {whole.card['name']}, without rotations and calibration"
    return Classifier(whole.model.get_layer("member_0"), whole.card | part)


def card(shown: Classifier) -> dict[str, Any]:
    """Return what the page needs to know to prepare images and to say the same as Python of them."""
    needed = {"pixel_scale": FIRST.pixel_scale, "fill": "threshold"}
    for name, value in needed.items():
        if shown.card[name] != value:
            msg = f"the page prepares images only for networks with {name} {value}, not {shown.card[name]}"
            raise ValueError(msg)
    labels = {kind.name: kind.label for kind in CLASSES}
    return {
        **{name: shown.card[name] for name in ("name", "size", "crop", "n_sigma", "pixel_scale")},
        "classes": [{"name": name, "label": labels.get(name, name)} for name in shown.card["classes"]],
        "scale_tolerance": classification.SCALE_TOLERANCE,
        "beams": [0.9 * FIRST.beam, FIRST.beam, 1.005 * COARSEST_BEAM],
        "grey_levels": preprocessing.GREY_LEVELS,
        "missing_limit": preprocessing.MISSING_LIMIT,
        "pixel_scales": orientation.PIXEL_SCALES,
        "tilt": orientation.TILT,
        "largest": files.LARGEST,
        "saturated": files.SATURATED,
        "examples": list(EXAMPLES),
        "says": {
            "constant": preprocessing._CONSTANT,
            "spoilt": preprocessing._SPOILT,
            "coarser": classification._COARSER,
            "odd": classification._ODD,
            "linear": files.LINEAR,
            "damaged": files.DAMAGED.replace(" ({})", ""),
        },
    }


def keep(blob: bytearray, values: NDArray[Any]) -> dict[str, Any]:
    """Add numbers to the others, in half precision where that loses nothing, and return where they are."""
    single = np.asarray(values, np.float32)
    half = single.astype(np.float16)
    exact = np.array_equal(half.astype(np.float32), single)
    blob.extend(b"\0" * (-len(blob) % 4))
    place = {"at": len(blob), "shape": list(single.shape), "bits": 16 if exact else 32}
    blob.extend((half if exact else single).tobytes())
    return place


def graph(
    model: onnx.ModelProto, known: set[str], store: Callable[[NDArray[Any]], dict[str, Any]]
) -> dict[str, Any]:
    """Return the operators of an ONNX model, whose numbers are stored by a function.

    Kernels of convolutions get the order of axes that TensorFlow.js knows. Integers are axes, shapes and
    places, and stand in the list itself.
    """
    whole = model.graph
    unknown = {node.op_type for node in whole.node} - known
    if unknown:
        msg = f"docs/_scripts/network.js lacks the ONNX operators {', '.join(sorted(unknown))}: add them"
        raise ValueError(msg)
    arrays = {each.name: onnx.numpy_helper.to_array(each) for each in whole.initializer}
    for name in {node.input[1] for node in whole.node if node.op_type == "Conv"}:
        arrays[name] = arrays[name].transpose(2, 3, 1, 0)
    return {
        "input": whole.input[0].name,
        "outputs": roles([each.name for each in whole.output]),
        "constants": {
            name: values.tolist() if values.dtype.kind == "i" else store(values)
            for name, values in arrays.items()
        },
        "nodes": [
            {
                "op": node.op_type,
                "at": {each.name: _plain(onnx.helper.get_attribute_value(each)) for each in node.attribute},
                "from": list(node.input),
                "to": node.output[0],
            }
            for node in whole.node
        ],
    }


def roles(names: list[str]) -> dict[str, str]:
    """Return which output holds probabilities, and which, if any, flags odd sources: by name or order."""
    known = ("probabilities", "oddness")
    return {
        role: next((name for name in names if role in name), first)
        for role, first in zip(known, names, strict=False)
    }


def _plain(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def examples() -> NDArray[np.float32]:
    """Return the six images that a visitor can try, each of the report's 150 pixels, in Jy/beam."""
    images = [example(*chosen) for chosen in EXAMPLES.values()]
    images[-1][:, :20] = np.nan
    return np.array(images)


def example(kind: str, noise: float, seed: int) -> NDArray[np.float32]:
    """Return a simulated source as FIRST would see it."""
    rng = np.random.default_rng(seed)
    parameters = simulation.draw_parameters({kind: 1}, rng=rng)
    seen = simulation.Observation(rms=noise, pixel_scale=FIRST.pixel_scale)
    [image] = simulation.render(parameters, 150, observation=seen, scale=False, rng=rng)
    return 0.05 * image / image.max()


def fits_file(image: NDArray[np.float32]) -> bytes:
    """Return a FITS file of an image, in integers of two bytes, with coordinates of a place in the sky."""
    step = np.nanmax(np.abs(image)) / 32000
    numbers = np.where(np.isfinite(image), np.rint(image / step), -32768).astype(np.int16)
    hdu = fits.PrimaryHDU(numbers)
    hdu.header.update({"BSCALE": float(step), "BZERO": 0.0, "BLANK": -32768, "BUNIT": "Jy/beam"})
    for axis, (kind, value, sign) in enumerate((("RA---SIN", 180.0, -1), ("DEC--SIN", 30.0, 1)), 1):
        hdu.header[f"CTYPE{axis}"], hdu.header[f"CRVAL{axis}"] = kind, value
        hdu.header[f"CRPIX{axis}"] = (image.shape[0] + 1) / 2
        hdu.header[f"CDELT{axis}"] = sign * FIRST.pixel_scale / 3600
    file = io.BytesIO()
    hdu.writeto(file)
    return file.getvalue()


def write(work: Path, static: Path) -> dict[str, Any]:
    """Write network and examples into a folder, and pictures of these to `static`; return the card."""
    shown = shown_classifier()
    described = card(shown)
    shown.export(work / "classifier.onnx", "onnx")
    known = set(re.findall(r"^  ([A-Z]\w+):", (work / "network.js").read_text("utf-8"), re.M))
    blob = bytearray()
    made = graph(onnx.load(work / "classifier.onnx"), known, partial(keep, blob))
    (work / "graph.json").write_text(json.dumps(made | {"size": shown.card["size"]}))
    (work / "graph.bin").write_bytes(blob)
    images = examples()
    (work / "examples.bin").write_bytes(b"".join(map(fits_file, images)))
    for i, image in enumerate(images):
        filled = np.nan_to_num(image, nan=np.nanmin(image))
        picture = preprocessing.scale(filled[None])[0, ::-1]
        colours = plotting.COLOUR_MAP
        plt.imsave(static / f"example{i}.png", np.sqrt((picture + 1) / 2), cmap=colours, vmin=0, vmax=1)
    return described
