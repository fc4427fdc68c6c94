"""Class probabilities of the default classifier: `Classifier.predict` against ONNX Runtime."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from timing import Case, comparison, difference, flop

import radiosynth


@comparison(
    "prediction",
    "ONNX Runtime",
    """The same network, written by Classifier.export, which also gives the oddness of an image. Ours was
    compiled before, which takes as long as 80 images.""",
)
def onnx(quick: bool) -> Iterator[Case]:
    import onnx  # noqa: F401 (needed to write the file)
    import onnxruntime
    import tf2onnx  # noqa: F401

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    classifier = radiosynth.load_classifier()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    with tempfile.TemporaryDirectory() as folder:
        classifier.export(Path(folder) / "classifier.onnx", format="onnx")
        session = onnxruntime.InferenceSession(Path(folder) / "classifier.onnx", options)
    (source,) = session.get_inputs()
    size, work = classifier.card["size"], flop(classifier.model)

    def peer(images: np.ndarray) -> np.ndarray:
        return session.run(["probabilities"], {source.name: images[..., None]})[0]

    for number in (2,) if quick else (1, 16, 256):
        images = radiosynth.simulate(
            per_class=-(-number // 4), size=size, rng=np.random.default_rng(0)
        ).images
        ours, theirs = partial(classifier.predict, images[:number]), partial(peer, images[:number])
        memory = "alone" if number == 256 else ""
        check = partial(lambda o, t: difference(o(), t()), ours, theirs)
        yield Case(ours, theirs, number, size, check, tolerance=1e-4, flop=number * work, memory=memory)
