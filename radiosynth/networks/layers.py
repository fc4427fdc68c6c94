"""What the builders share."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import layers

from radiosynth._io import check

LARGEST = 1024
"""Largest size of an image times width of a network: a dense layer behind it has gigabytes of weights."""


LEAK = 0.3
"""Negative slope of LeakyReLU, the Keras default when the report was written."""


@contextlib.contextmanager
def keras_defaults() -> Iterator[None]:
    """Build and train as Keras does where nobody has set anything, in ``~/.keras/keras.json`` or in code.

    Number format, data format and epsilon of all layers, losses and optimisers that are made inside are the
    defaults, so that they are no part of what a result depends on. They are put back afterwards.
    """
    config = keras.config
    setters = config.set_image_data_format, config.set_floatx, config.set_epsilon, config.set_dtype_policy
    before = config.image_data_format(), config.floatx(), config.epsilon(), config.dtype_policy()
    try:
        for put, value in zip(setters, ("channels_last", "float32", 1e-7, "float32"), strict=True):
            put(value)
        yield
    finally:
        for put, value in zip(setters, before, strict=True):
            put(value)


def convolve_in_float32(model: keras.Model) -> None:
    """Let the convolutions of a network in bfloat16 compute in float32, and round what they return.

    A processor without bfloat16 emulates it, eight times as slowly. Products are summed in float32 in either
    case, so the result is the same but for the order of the sums.
    """
    for layer in model.layers:
        if isinstance(layer, layers.Conv2D) and layer.compute_dtype == "bfloat16":
            layer.convolution_op = partial(_in_float32, layer.convolution_op)


def _in_float32(convolve: Any, images: Any, kernel: Any) -> Any:
    wide = convolve(*(keras.ops.cast(each, "float32") for each in (images, kernel)))
    return keras.ops.cast(wide, "bfloat16")


def check_sizes(size: int, multiple: int, width_multiplier: float, /, **others: tuple[float, float]) -> None:
    """Raise ValueError unless a network can be built: `others` are arguments and the least each can be."""
    for name, (given, least) in others.items():
        check(given >= least, f"{name}={given}: give at least {least}")
    check(size > 0 and size % multiple == 0, f"size={size}: give a positive multiple of {multiple}")
    check(width_multiplier > 0, f"width_multiplier={width_multiplier}: give a number above 0")
    both = f"size={size}, width_multiplier={width_multiplier}"
    fault = f"{both} would take too much memory: give at most {LARGEST} as their product"
    check(size * max(width_multiplier, 1) <= LARGEST, fault)


def initializers(seed: int | None) -> Iterator[keras.initializers.Initializer]:
    """Yield Glorot-uniform initializers with independent seeds drawn from `seed`."""
    sequence = np.random.default_rng(seed)
    while True:
        yield keras.initializers.GlorotUniform(seed=int(sequence.integers(2**31)))


def scaled(width_multiplier: float, *report: int) -> tuple[int, ...]:
    """Return the report's numbers of channels times the multiplier, each at least 1."""
    return tuple(max(1, round(width_multiplier * channels)) for channels in report)


def normalise(
    x: keras.KerasTensor, number: int, label: keras.KerasTensor | None, classes: int, seed: int | None
) -> keras.KerasTensor:
    """Return batch normalisation, with scale and offset of the class if there is a label, and LeakyReLU.

    The class comes in behind the normalisation. Appended to the noise, its vector would make up the
    variance between images that the normalisation asks for, and the network learns to ignore the noise.
    """
    x = layers.BatchNormalization(center=label is None, scale=label is None, name=f"normalise_{number}")(x)
    if label is not None:
        shape = (*(1 for _ in x.shape[2:]), x.shape[-1])
        spread = keras.initializers.RandomNormal(stddev=0.1, seed=None if seed is None else seed + number + 1)
        for name, start, join in (("scale", "ones", layers.Multiply), ("offset", spread, layers.Add)):
            name = f"{name}_of_class_{number}"
            values = layers.Embedding(classes, shape[-1], embeddings_initializer=start, name=name)(label)
            x = join(name=f"apply_{name}")([x, layers.Reshape(shape, name=f"spread_{name}")(values)])
    return layers.LeakyReLU(negative_slope=LEAK, name=f"leaky_{number}")(x)
