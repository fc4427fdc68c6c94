"""Ask a network for class probabilities."""

from __future__ import annotations

import keras
import numpy as np
from numpy.typing import ArrayLike, NDArray

from radiosynth.networks.layers import keras_defaults


@keras_defaults()
def predict(model: keras.Model, images: ArrayLike, *, batch_size: int = 0) -> NDArray[np.float32]:
    """Return the class probabilities of images.

    Parameters
    ----------
    model : keras.Model
        A trained classifier.
    images : array_like of float32, shape (n, size, size)
        Images in [-1, 1], prepared as the training images were.
    batch_size : int
        Images per step; it bounds the memory and does not change the result. By default a million pixels.

    Returns
    -------
    ndarray of float32, shape (n, classes)
        Probabilities; each row sums to 1.

    Raises
    ------
    ValueError
        If the images are not of the size that the model takes.
    """
    pixels = np.asarray(images, np.float32)
    size = model.input_shape[1]
    if pixels.ndim != 3 or pixels.shape[1:] != (size, size):
        msg = (
            f"images have the shape {pixels.shape}; this model takes (n, {size}, {size}): "
            f"prepare them with radiosynth.preprocess(sample, size={size})"
        )
        raise ValueError(msg)
    if len(pixels) == 0:
        return np.empty((0, model.output_shape[-1]), np.float32)
    batch_size = batch_size or max(1, 2**20 // size**2)
    # Layer by layer, an accelerator would wait for each; compiled, many batches take half of the time.
    if keras.backend.backend() == "jax" or len(pixels) >= 8 * batch_size:
        return model.predict(pixels[..., None], batch_size=batch_size, verbose=0)
    parts = [
        keras.ops.convert_to_numpy(model(pixels[i : i + batch_size, ..., None], training=False))
        for i in range(0, len(pixels), batch_size)
    ]
    return np.concatenate(parts)
