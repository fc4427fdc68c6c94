"""Ask a network for class probabilities."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike

from radiosynth._io import check
from radiosynth.networks.layers import keras_defaults

EAGER = 4
"""Batches up to which a network is called layer by layer: to compile it takes longer than they do."""


@keras_defaults()
def predict(model: keras.Model, images: ArrayLike, *, batch_size: int = 0) -> Any:
    """Return the class probabilities of images.

    Parameters
    ----------
    model : keras.Model
        A trained classifier.
    images : array_like of float32, shape (n, size, size)
        Images in [-1, 1], prepared as the training images were.
    batch_size : int
        Images per step; it bounds the memory and changes the result by rounding only. By default a million
        pixels.

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
    outputs = [np.empty((0, *output.shape[1:]), np.float32) for output in model.outputs]
    batch_size = batch_size or max(1, 2**20 // size**2)
    # Layer by layer, an accelerator would wait for each; compiled, many batches take half of the time.
    if len(pixels) and (keras.backend.backend() == "jax" or len(pixels) > EAGER * batch_size):
        return model.predict(pixels[..., None], batch_size=batch_size, verbose=0)
    for i in range(0, len(pixels), batch_size):
        found = keras.tree.flatten(model(pixels[i : i + batch_size, ..., None], training=False))
        parts = map(keras.ops.convert_to_numpy, found)
        outputs = [np.concatenate(pair) for pair in zip(outputs, parts, strict=True)]
    return outputs if len(outputs) > 1 else outputs[0]
