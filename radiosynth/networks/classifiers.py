"""Builders of classifiers and of the network for bending angles."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial, reduce
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from radiosynth.networks.kinds import CLASSIFIERS, OUTPUTS, has_bfloat16
from radiosynth.networks.layers import check_sizes, convolve_in_float32, initializers, keras_defaults, scaled
from radiosynth.sample import check_choice


@keras_defaults()
def build_classifier(
    size: int = 56,
    classes: int = 4,
    width_multiplier: float = 1.0,
    *,
    channels: Sequence[int] = (32, 64, 194),
    convolutions: int = 1,
    kernel: int = 3,
    stride: int = 1,
    pooling: bool = True,
    dense: int = 194,
    dropout: float = 0.5,
    seed: int | None = None,
    precision: str = "float32",
) -> keras.Model:
    """Build the report's convolutional classifier (report, table B1), or a stack of convolutions like it.

    Each block has one or more convolutions and halves the image: by 2×2 max-pooling, or by a stride of
    its last convolution, as in an all-convolutional network (Springenberg et al. 2015, arXiv:1412.6806).
    Pairs of convolutions before each pooling are those of Simonyan & Zisserman (2015, arXiv:1409.1556).

    Parameters
    ----------
    size : int
        Edge of the input images in pixels, at least one pixel for the last block to halve to.
    classes : int
        Number of class probabilities, at least 2.
    width_multiplier : float
        Multiple of `channels` and `dense`, above 0.
    channels : sequence of int
        Channels of the convolutions of each block; its length is the number of blocks.
    convolutions : int
        Convolutions in a block.
    kernel : int
        Edge of their kernels in pixels.
    stride : int
        Stride of the very first convolution.
    pooling : bool
        Halve by max-pooling, not by strides.
    dense : int
        Units of the hidden layer; with 0 there is none, and the mean over the image takes its place.
    dropout : float
        Fraction of the last features that is dropped in training.
    seed : int, optional
        Seed of the initial weights and of the dropout.
    precision : str
        Name of a Keras dtype policy for all layers but the last.

    Returns
    -------
    keras.Model
        From images (n, size, size, 1) in [-1, 1] to probabilities (n, classes). At the default
        arguments it has the report's 1,975,892 parameters.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Examples
    --------
    >>> build_classifier().count_params()
    1975892
    >>> build_classifier(32, channels=(16, 32), convolutions=2, pooling=False, dense=0).count_params()
    16500
    """
    smallest = stride * 2 ** len(channels)  # of which a pixel is left after all halvings
    check_sizes(size, 1, width_multiplier, size=(size, smallest), classes=(classes, 2), dense=(dense, 0))
    blocks = {"channels": (min(channels, default=0), 1), "convolutions": (convolutions, 1)}
    check_sizes(size, 1, width_multiplier, **blocks)
    draw = initializers(seed)
    convolution = partial(layers.Conv2D, padding="same", activation="relu", dtype=precision)
    stack = [keras.Input((size, size, 1), name="image")]
    number = 0
    # Blocks that halve the image: by pooling, or by the stride of their last convolution.
    for block, filters in enumerate(scaled(width_multiplier, *channels), 1):
        for left in range(convolutions - 1, -1, -1):
            step = (1 if number else stride) * (1 if left or pooling else 2)
            number += 1
            name = f"convolution_{number}"
            stack.append(convolution(filters, kernel, step, kernel_initializer=next(draw), name=name))
        if pooling:
            stack.append(layers.MaxPooling2D(2, dtype=precision, name=f"pooling_{block}"))
    # The features: of a hidden layer, or means over the image.
    if dense:
        (units,) = scaled(width_multiplier, dense)
        stack.append(layers.Flatten(dtype=precision, name="flatten"))
        hidden = {"activation": "relu", "dtype": precision, "name": "dense"}
        stack.append(layers.Dense(units, kernel_initializer=next(draw), **hidden))
    else:
        stack.append(layers.GlobalAveragePooling2D(dtype=precision, name="mean"))
    dropped = layers.Dropout(dropout, seed=seed, dtype=precision, name="dropout")
    return keras.Sequential([*stack, dropped, _probabilities(classes, next(draw))], name="classifier")


def _probabilities(classes: int, start: keras.initializers.Initializer) -> keras.layers.Layer:
    """Return the last layer of a classifier, in full precision."""
    return layers.Dense(classes, "softmax", kernel_initializer=start, dtype="float32", name="probabilities")


@keras_defaults()
def build_residual_classifier(
    size: int = 64,
    classes: int = 4,
    width_multiplier: float = 1.0,
    *,
    kernel: int = 3,
    stride: int = 2,
    dropout: float = 0.3,
    view: Callable[[keras.KerasTensor], keras.KerasTensor] | None = None,
    seed: int | None = None,
    precision: str = "float32",
) -> keras.Model:
    """Build a small residual network (after He et al. 2016, arXiv:1512.03385).

    A 5×5 convolution of stride 2, four residual blocks of two 3×3 convolutions with 32, 64, 128 and 192
    channels, all but the first of stride 2, the mean over the image, dropout 0.3, and a softmax.

    Parameters
    ----------
    size : int
        Edge of the input images in pixels, at least 16.
    classes : int
        Number of class probabilities, at least 2.
    width_multiplier : float
        Multiple of these numbers of channels, above 0.
    kernel : int
        Edge of the kernels in the blocks.
    stride : int
        Stride of the first convolution.
    dropout : float
        Fraction of the last features that is dropped in training.
    view : callable, optional
        What the first convolution sees of the images, such as parts of them as channels.
    seed : int, optional
        Seed of the initial weights and of the dropout.
    precision : str
        Name of a Keras dtype policy for all layers but the last.

    Returns
    -------
    keras.Model
        From images (n, size, size, 1) in [-1, 1] to probabilities (n, classes).

    Raises
    ------
    ValueError
        If an argument is out of range.

    Examples
    --------
    >>> build_residual_classifier().count_params()
    889252
    """
    check_sizes(size, 1, width_multiplier, size=(size, 16), classes=(classes, 2))
    draw = initializers(seed)
    convolve = partial(layers.Conv2D, padding="same", use_bias=False, dtype=precision)
    normalise = partial(layers.BatchNormalization, momentum=0.95, dtype=precision)
    rectify = partial(layers.ReLU, dtype=precision)
    image = keras.Input((size, size, 1), name="image")
    stem, *stages = scaled(width_multiplier, 32, 32, 64, 128, 192)
    x = convolve(stem, 5, stride, kernel_initializer=next(draw))(view(image) if view else image)
    x = rectify()(normalise()(x))
    for number, filters in enumerate(stages):
        shortcut = x
        x = convolve(filters, kernel, 2 if number else 1, kernel_initializer=next(draw))(x)
        x = convolve(filters, kernel, 1, kernel_initializer=next(draw))(rectify()(normalise()(x)))
        # A block begins as the identity: what it adds is scaled by zero at first.
        x = normalise(gamma_initializer="zeros")(x)
        if number:
            shortcut = layers.AveragePooling2D(2, padding="same", dtype=precision)(shortcut)
            shortcut = normalise()(convolve(filters, 1, 1, kernel_initializer=next(draw))(shortcut))
        x = rectify()(layers.Add(dtype=precision)([x, shortcut]))
    x = layers.GlobalAveragePooling2D(dtype=precision, name="mean")(x)
    x = layers.Dropout(dropout, seed=seed, dtype=precision)(x)
    return keras.Model(image, _probabilities(classes, next(draw))(x), name="residual_classifier")


@keras_defaults()
def without_normalisation(model: keras.Model) -> keras.Model:
    """Return a network that gives the same, up to rounding, a seventh faster.

    What batch normalisation does once a network of `build_residual_classifier` is trained, a factor and an
    offset for each channel, goes into the kernels and biases of the convolutions before it. For networks in
    float32; those without normalisation come back as they are.
    """
    if not any(isinstance(layer, layers.BatchNormalization) for layer in model.layers):
        return model

    def clone(layer: keras.Layer) -> keras.Layer:
        if isinstance(layer, layers.BatchNormalization):
            return layers.Lambda(lambda x: x, name=layer.name)
        bias = {"use_bias": True} if isinstance(layer, layers.Conv2D) else {}
        return type(layer).from_config(layer.get_config() | bias)

    result = keras.models.clone_model(model, clone_function=clone)
    weights = {layer.name: layer.get_weights() for layer in model.layers}
    before = {id(layer.output): layer.name for layer in model.layers}
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            gamma, beta, mean, variance = weights.pop(layer.name)
            factor = gamma / np.sqrt(variance + layer.epsilon)
            convolution = before[id(layer.input)]
            (kernel,) = weights[convolution]
            weights[convolution] = [kernel * factor, beta - mean * factor]
    for name, values in weights.items():
        result.get_layer(name).set_weights(values)
    return result


def build_foveated_classifier(
    size: int = 192,
    classes: int = 4,
    width_multiplier: float = 1.0,
    *,
    seed: int | None = None,
    precision: str = "float32",
) -> keras.Model:
    """Build a residual network that sees the middle of an image sharply and all of it coarsely.

    Two views, each a quarter of the image wide in pixels, become the two channels that
    `build_residual_classifier` sees: the middle half averaged over 2×2 pixels, 1.5 to a beam of
    FIRST, and the whole averaged over 4×4, where large sources find room. Each is divided by its peak in that
    middle half and stretched by a square root, so that faint plumes count beside bright cores.

    Parameters
    ----------
    size : int
        Edge of the input images in pixels, a multiple of 8, at least 64.
    classes, width_multiplier, seed, precision
        As for `build_residual_classifier`.

    Returns
    -------
    keras.Model
        From images (n, size, size, 1) in [-1, 1] to probabilities (n, classes).

    Raises
    ------
    ValueError
        If an argument is out of range.

    Examples
    --------
    >>> build_foveated_classifier(64, width_multiplier=0.25).output_shape
    (None, 4)
    """
    check_sizes(size, 8, width_multiplier, size=(size, 64))
    build = partial(build_residual_classifier, view=_near_and_wide)
    return build(size, classes, width_multiplier, seed=seed, precision=precision)


def _near_and_wide(image: keras.KerasTensor) -> keras.KerasTensor:
    """Return the middle half and the whole of an image in [-1, 1], a quarter as wide, as two channels."""
    size = image.shape[1]
    light = layers.Rescaling(0.5, 0.5, dtype="float32", name="light")(image)
    quarter, middle = slice(size // 4, 3 * size // 4), slice(size // 16, 3 * size // 16)
    near = layers.AveragePooling2D(2, dtype="float32", name="near")(light[:, quarter, quarter])
    wide = layers.AveragePooling2D(4, dtype="float32", name="wide")(light)
    views = []
    for view, inside in ((near, near), (wide, wide[:, middle, middle])):
        peak = ops.maximum(ops.max(inside, axis=(1, 2), keepdims=True), 1e-3)
        views.append(ops.sqrt(ops.minimum(view / peak, 1.0)))
    return layers.Concatenate(dtype="float32", name="views")(views)


@keras_defaults()
def build_ensemble(members: Sequence[keras.Model], temperature: float = 1.0) -> keras.Model:
    """Build the mean of classifiers over themselves and over the eight rotations and flips of a square.

    Parameters
    ----------
    members : sequence of keras.Model
        Classifiers of one input shape.
    temperature : float, default 1
        Each member's probabilities are raised to the power of one over it, and normalised (temperature
        scaling: Guo et al. 2017, arXiv:1706.04599).

    Returns
    -------
    keras.Model
        From images to probabilities, of the weights of all members.
    """
    image = keras.Input(members[0].input_shape[1:], name="image")
    both = [image, ops.transpose(image, (0, 2, 1, 3))]
    # One axis after the other, as older releases of Keras flip no more at once.
    views = [reduce(ops.flip, axes, view) for view in both for axes in ((), (1,), (2,), (1, 2))]
    stacked = ops.concatenate(views)  # so that a member is called once, not for each view
    parts = []
    for number, network in enumerate(members):
        member = keras.Model(network.input, network.output, name=f"member_{number}")
        each = ops.reshape(member(stacked), (len(views), -1, network.output_shape[-1]))
        mean = ops.mean(each, axis=0)
        parts.append(ops.softmax(ops.log(ops.maximum(mean, 1e-7)) / temperature))
    probabilities = layers.Average()(parts) if len(parts) > 1 else parts[0]
    return keras.Model(image, probabilities, name="ensemble")


def build_network(architecture: str, size: int, network: str = "", **options: Any) -> keras.Model:
    """Build the classifier that a configuration describes.

    Parameters
    ----------
    architecture : str
        Name of a builder in ``CLASSIFIERS``.
    size : int
        Edge of the input images in pixels.
    network : str
        Further arguments of the builder, as a JSON object.
    **options
        ``width_multiplier``, ``seed`` and ``precision``, as for the builders.

    Returns
    -------
    keras.Model
        From images (n, size, size, 1) in [-1, 1] to probabilities of the four classes.

    Raises
    ------
    ValueError
        If there is no such architecture, or an argument is out of range.
    TypeError
        If the builder has no such argument.

    Examples
    --------
    >>> build_network("stacked", 32, network='{"channels": [8, 16], "kernel": 5}').count_params()
    203054
    """
    check_choice(architecture, "architecture", CLASSIFIERS)
    build: Callable[..., keras.Model] = globals()[CLASSIFIERS[architecture]]
    model = build(size, **options, **json.loads(network or "{}"))
    if not has_bfloat16() and all("cpu" in device for device in keras.distribution.list_devices()):
        convolve_in_float32(model)
    return model


@keras_defaults()
def build_regressor(
    size: int = 56,
    width_multiplier: float = 1.0,
    *,
    output: str = "linear",
    architecture: str = "report",
    network: str = "",
    seed: int | None = None,
    precision: str = "float32",
) -> keras.Model:
    """Build a network for bending angles: a classifier's, with another last layer.

    Parameters
    ----------
    size, width_multiplier, architecture, network, seed, precision
        As for `build_network`.
    output : {"linear", "bounded", "spread", "jets"}
        ``"linear"``: one number, the angle in degrees. ``"bounded"``: the same, by a sigmoid confined to
        0 to 180. ``"spread"``: that angle and its expected absolute error, both in degrees. ``"jets"``: the
        directions of both jets as two vectors of any length, (cos, sin, cos, sin) of the position angles.

    Returns
    -------
    keras.Model
        From images (n, size, size, 1) in [-1, 1] to (n, 1), (n, 2) or (n, 4).

    Raises
    ------
    ValueError
        If an argument is out of range.

    Examples
    --------
    >>> build_regressor(output="spread").output_shape
    (None, 2)
    """
    check_choice(output, "output", OUTPUTS)
    options = {"width_multiplier": width_multiplier, "seed": seed, "precision": precision}
    body = build_network(architecture, size, network, **options)
    confined = output in ("bounded", "spread")
    start = keras.initializers.GlorotUniform(seed=None if seed is None else seed + 1)
    # A sigmoid of -3 is 9 degrees: most sources are bent by that little.
    bias = keras.initializers.Constant(-3.0) if confined else "zeros"
    head = {"kernel_initializer": start, "bias_initializer": bias, "dtype": "float32", "name": "head"}
    x = layers.Dense(OUTPUTS[output], **head)(body.layers[-2].output)
    if confined:
        # At least half a degree of spread: otherwise the likelihood of a single image can grow without limit.
        angle, spread = 180 * ops.sigmoid(x[:, :1]), 0.5 + 180 * ops.sigmoid(x[:, 1:])
        x = angle if output == "bounded" else ops.concatenate([angle, spread], axis=1)
    return keras.Model(body.inputs[0], x, name="regressor")
