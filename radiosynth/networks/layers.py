"""What the builders share."""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np
from keras import layers

AXES = ((), (1,), (2,), (1, 2))
"""Axes along which images are mirrored; with the transposed ones these are all symmetries of a square."""


LARGEST = 1024
"""Largest size of an image times width of a network: a dense layer behind it has gigabytes of weights."""


LEAK = 0.3
"""Negative slope of LeakyReLU, the Keras default when the report was written."""


def _initializers(seed: int | None) -> Iterator[keras.initializers.Initializer]:
    """Yield Glorot-uniform initializers with independent seeds drawn from `seed`."""
    sequence = np.random.default_rng(seed)
    while True:
        yield keras.initializers.GlorotUniform(seed=int(sequence.integers(2**31)))


def _at_least(least: int, **given: int) -> None:
    """Raise ValueError unless arguments of a builder are so large."""
    if small := [f"{name}={value}" for name, value in given.items() if value < least]:
        msg = f"{', '.join(small)}: give at least {least}"
        raise ValueError(msg)


def _check(size: int, divisor: int, width: float, classes: int = 2, dropout: float = 0.0) -> None:
    _at_least(2, classes=classes)
    if not 0 <= dropout < 1:
        msg = f"dropout={dropout}: give a fraction from 0 to below 1"
        raise ValueError(msg)
    if size * max(width, 1) > LARGEST:
        msg = (
            f"size={size}, width={width} would take too much memory: give at most {LARGEST} as their product"
        )
        raise ValueError(msg)
    if size < divisor or size % divisor:
        msg = f"size={size} cannot be built: give a positive multiple of {divisor}"
        raise ValueError(msg)
    if width <= 0:
        msg = f"width={width} cannot be built: give a positive multiple of the report's channel numbers"
        raise ValueError(msg)


def _channels(width: float, *report: int) -> tuple[int, ...]:
    return tuple(max(1, round(width * channels)) for channels in report)


def _normalise(
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
