"""Ask a network for class probabilities."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike

from radiosynth._io import check
from radiosynth.networks.layers import keras_defaults

PIXELS = 2**21
"""Pixels that a network is given at a time, which bounds the memory."""


@keras_defaults()
def predict(model: keras.Model, images: ArrayLike) -> Any:
    """Return the class probabilities of images.

    Parameters
    ----------
    model : keras.Model
        A trained classifier.
    images : array_like of float32, shape (n, size, size)
        Images in [-1, 1], prepared as the training images were.

    Returns
    -------
    ndarray of float32, shape (n, classes), or list of ndarray
        Probabilities; each row sums to 1. A list of all outputs, if the network has several.

    Raises
    ------
    ValueError
        If the images are not of the size that the model takes.
    """
    pixels = np.asarray(images, np.float32)
    size = model.input_shape[1]
    needed = f"(n, {size}, {size}): prepare them with radiosynth.preprocess(sample, size={size})"
    fits = pixels.ndim == 3 and pixels.shape[1:] == (size, size)
    check(fits, f"images have the shape {pixels.shape}; this model takes {needed}")
    step = max(1, PIXELS // size**2)
    # Compiled, but without the queues and callbacks of Keras' own predict, which take as long as the network.
    batches = (pixels[i : i + step, ..., None] for i in range(0, len(pixels), step))
    parts = [keras.tree.flatten(model.predict_on_batch(batch)) for batch in batches]
    empty = [np.empty((0, *output.shape[1:]), np.float32) for output in model.outputs]
    outputs = [np.concatenate(each) for each in zip(empty, *parts, strict=True)]
    return outputs if len(outputs) > 1 else outputs[0]
