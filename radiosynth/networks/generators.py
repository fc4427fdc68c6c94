"""Builders of generators, discriminators and encoders."""

from __future__ import annotations

from functools import partial

import keras
from keras import layers

from radiosynth.networks.layers import LEAK, check_sizes, initializers, keras_defaults, normalise, scaled


@keras_defaults()
def build_generator(
    size: int = 56,
    latent_dim: int = 100,
    width_multiplier: float = 1.0,
    *,
    classes: int = 0,
    seed: int | None = None,
) -> keras.Model:
    """Build the report's generator (report, table A1; after Radford et al. 2015, arXiv:1511.06434).

    Parameters
    ----------
    size : int
        Edge of the images that it draws, a multiple of 8.
    latent_dim : int
        Length of the noise vector.
    width_multiplier : float
        Multiple of the report's number of channels, above 0.
    classes : int
        Number of classes that it can be asked for; 0 for the report's network, which knows none. With
        classes, scale and offset of every batch normalisation depend on the class (Dumoulin et al. 2017,
        arXiv:1610.07629); the rest stays the same.
    seed : int, optional
        Seed of the initial weights.

    Returns
    -------
    keras.Model
        From noise (n, latent_dim), or the pair of noise and class codes (n,), to images (n, size, size, 1)
        in [-1, 1]. At the default arguments it has the report's 6,862,272 trainable parameters.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Examples
    --------
    >>> build_generator(size=16, width_multiplier=0.1, classes=4).output_shape
    (None, 16, 16, 1)
    """
    check_sizes(size, 8, width_multiplier, latent_dim=(latent_dim, 1), classes=(classes, 0))
    draw = initializers(seed)
    seed_channels, *channels = scaled(width_multiplier, 512, 256, 128, 64)
    edge = size // 8
    noise = keras.Input((latent_dim,), name="noise")
    label = keras.Input((), dtype="int32", name="label") if classes else None
    deconvolution = partial(layers.Conv2DTranspose, padding="same", use_bias=False)
    dense = edge * edge * seed_channels
    x = layers.Dense(dense, use_bias=False, kernel_initializer=next(draw), name="dense")(noise)
    x = normalise(x, 0, label, classes, seed)
    x = layers.Reshape((edge, edge, seed_channels), name="reshape")(x)
    for number, (filters, stride) in enumerate(zip(channels, (1, 2, 2), strict=True), 1):
        name = f"deconvolution_{number}"
        x = deconvolution(filters, 5, stride, kernel_initializer=next(draw), name=name)(x)
        x = normalise(x, number, label, classes, seed)
    image = deconvolution(1, 5, 2, activation="tanh", kernel_initializer=next(draw), name="image")
    return keras.Model([noise, label] if classes else noise, image(x), name="generator")


@keras_defaults()
def build_discriminator(
    size: int = 56,
    width_multiplier: float = 1.0,
    *,
    classes: int = 0,
    minibatch_stddev: bool = False,
    seed: int | None = None,
) -> keras.Model:
    """Build the report's discriminator (report, table A2).

    Parameters
    ----------
    size : int
        Edge of the input images, a multiple of 4.
    width_multiplier : float
        Multiple of the report's number of channels, above 0.
    classes : int
        Number of classes; 0 for the report's network. With classes, the product of the last features
        with a learned vector of the class is added to the logit (projection: Miyato & Koyama 2018,
        arXiv:1802.05637).
    minibatch_stddev : bool
        Let the network see how much the images of a batch differ: the mean standard deviation of the
        features over the batch becomes another feature (Karras et al. 2018, arXiv:1710.10196), a third
        convolution follows, and the dropout goes. A generator that draws the same image again and
        again is found out at once.
    seed : int, optional
        Seed of the initial weights and of the dropout.

    Returns
    -------
    keras.Model
        From images (n, size, size, 1) in [-1, 1], or the pair of images and class codes (n,), to logits
        (n, 1), positive for real. At the default arguments it has the report's 231,681 parameters.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Examples
    --------
    >>> build_discriminator().count_params()
    231681
    """
    check_sizes(size, 4, width_multiplier, classes=(classes, 0))
    draw = initializers(seed)

    def convolution(x: keras.KerasTensor, number: int, filters: int, kernel: int) -> keras.KerasTensor:
        name = f"convolution_{number}"
        x = layers.Conv2D(filters, kernel, 2, padding="same", kernel_initializer=next(draw), name=name)(x)
        return layers.LeakyReLU(negative_slope=LEAK, name=f"leaky_{number}")(x)

    inputs = image = x = keras.Input((size, size, 1), name="image")
    *channels, last = scaled(width_multiplier, 64, 128, 128)
    for number, filters in enumerate(channels, 1):
        x = convolution(x, number, filters, kernel=5)
        if not minibatch_stddev:
            x = layers.Dropout(0.3, seed=None if seed is None else seed + number, name=f"dropout_{number}")(x)
    if minibatch_stddev:
        differences = keras.ops.mean(keras.ops.sqrt(keras.ops.var(x, axis=0) + 1e-6))
        x = layers.Concatenate(name="batch")([x, keras.ops.zeros_like(x[..., :1]) + differences])
        x = convolution(x, 3, last, kernel=3)
    x = layers.Flatten(name="flatten")(x)
    logit = layers.Dense(1, kernel_initializer=next(draw), name="logit")(x)
    if classes:
        label = keras.Input((), dtype="int32", name="label")
        # From zero on: the discriminator begins as the report's and learns what sets the classes apart.
        vector = layers.Embedding(classes, x.shape[-1], embeddings_initializer="zeros", name="class")(label)
        logit = layers.Add(name="logit_of_class")([logit, layers.Dot(1, name="projection")([x, vector])])
        inputs = [image, label]
    return keras.Model(inputs, logit, name="discriminator")


@keras_defaults()
def build_encoder(
    size: int = 56,
    latent_dim: int = 16,
    width_multiplier: float = 1.0,
    *,
    classes: int = 0,
    seed: int | None = None,
) -> keras.Model:
    """Build the encoder of a variational autoencoder, the mirror of `build_generator`.

    Three 5×5 convolutions of stride 2 with 64, 128 and 256 channels, and a dense layer.

    Parameters
    ----------
    size : int
        Edge of the input images, a multiple of 8.
    latent_dim : int
        Length of the latent vector.
    width_multiplier : float
        Multiple of these numbers of channels, above 0.
    classes : int
        Number of classes; 0 for a network that knows none. They come in as in `build_generator`.
    seed : int, optional
        Seed of the initial weights.

    Returns
    -------
    keras.Model
        From images (n, size, size, 1) in [-1, 1], or the pair of images and class codes (n,), to (n, 2 *
        latent_dim): means of the latent values, then logarithms of their variances.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Examples
    --------
    >>> build_encoder(size=16, latent_dim=5, width_multiplier=0.1, classes=4).output_shape
    (None, 10)
    """
    check_sizes(size, 8, width_multiplier, latent_dim=(latent_dim, 1), classes=(classes, 0))
    draw = initializers(seed)
    image = x = keras.Input((size, size, 1), name="image")
    label = keras.Input((), dtype="int32", name="label") if classes else None
    convolution = partial(layers.Conv2D, padding="same", use_bias=False)
    for number, filters in enumerate(scaled(width_multiplier, 64, 128, 256), 1):
        x = convolution(filters, 5, 2, kernel_initializer=next(draw), name=f"convolution_{number}")(x)
        x = normalise(x, number, label, classes, seed)
    x = layers.Flatten(name="flatten")(x)
    values = layers.Dense(2 * latent_dim, kernel_initializer=next(draw), name="mean_and_log_variance")(x)
    return keras.Model([image, label] if classes else image, values, name="encoder")
