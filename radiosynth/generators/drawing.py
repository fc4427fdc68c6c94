"""Saved generators of any kind: opened, and asked for images."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from astropy.table import Table
from keras import ops
from numpy.typing import NDArray

from radiosynth import training
from radiosynth._io import check, read_json, readable, refuse_beyond_memory, to_write
from radiosynth.networks.layers import keras_defaults
from radiosynth.records import renamed
from radiosynth.sample import Sample, concatenate
from radiosynth.taxonomy import CLASS_NAMES, class_code

log = logging.getLogger("radiosynth")


def check_labels(labels: NDArray[Any] | None, n: int, classes: int) -> None:
    """Raise ValueError unless each image has a label from 0 on, or none where the network knows no class."""
    if not classes:
        check(labels is None, "this generator knows no classes (conditional=0): leave labels out")
    elif labels is None or np.shape(labels) != (n,) or not np.isin(labels, range(classes)).all():
        given = "none" if labels is None else f"{np.unique(labels).tolist()} of shape {np.shape(labels)}"
        msg = f"this generator draws {classes} classes: give {n} labels from 0 to {classes - 1}, not {given}"
        raise ValueError(msg)


def check_images(settings: Any, images: NDArray[Any], labels: NDArray[Any] | None) -> None:
    """Raise ValueError unless networks of some settings take images (n, size, size) and labels (n,)."""
    fault = f"images have the shape {images.shape}; these settings need (n, {settings.size}, {settings.size})"
    check(images.ndim == 3 and images.shape[1:] == (settings.size, settings.size) and len(images), fault)
    training.check_images(images)
    check_labels(labels, len(images), settings.conditional)


def with_labels(values: Any, labels: Any = None) -> Any:
    """Return what a network takes: values, and the class codes if it knows any."""
    return values if labels is None else [values, labels]


@keras_defaults()
def load_generator(folder: str | Path) -> keras.Model:
    """Load a generator saved by `radiosynth.train_generator`.

    The network is built anew from its settings and filled with plain arrays; no code is loaded.

    Parameters
    ----------
    folder : path-like
        Folder with ``generator.json`` and ``generator.npz``.

    Returns
    -------
    keras.Model
        The network, for `generate`.

    Raises
    ------
    FileNotFoundError
        If the folder holds no generator.
    ValueError
        If the files do not describe a generator, or do not fit each other.
    """
    path = Path(folder)
    settings, _, collapsed = read_description(path)
    if collapsed:
        log.warning("the generator in %s had collapsed when its training ended", path.name)
    generator = settings.build()
    training.load_weights(generator, path / "generator.npz")
    return generator


def read_description(folder: Path) -> tuple[Any, list[str], bool]:
    """Return the settings of a saved generator, the names of its classes, and whether it had collapsed."""
    from radiosynth.generators import GENERATORS

    path = folder / "generator.json"
    if not path.exists():
        msg = f"{folder} holds no generator: `radiosynth gan` makes one, `radiosynth runs` lists them"
        raise FileNotFoundError(msg)
    advice, fault = "train it anew with radiosynth.train_generator", "does not describe a generator"
    stored = read_json(path, ["settings", "class_names", "collapsed"], advice=advice, fault=fault)
    with readable(path, advice, fault):
        # What files of earlier versions do not say: the kind, and whether images are rescaled.
        given = {"rescale": False, **renamed(stored["settings"])}
        kind = stored.get("kind", "vae" if "beta" in given else "gan")
        settings = GENERATORS[kind](**given)
        names = [str(name) for name in stored["class_names"]]
        check(len(names) == max(settings.conditional, 1), f"names of {len(names)} classes")
    return settings, names, bool(stored["collapsed"])


@keras_defaults()
def generate(
    generator: keras.Model,
    n: int,
    *,
    rng: np.random.Generator,
    labels: NDArray[np.int64] | None = None,
    batch_size: int = 256,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Draw images from a generator.

    The images depend on the state of `rng` alone: to float rounding they are the same for any batch
    size, and the first n of a larger number.

    Parameters
    ----------
    generator : keras.Model
        Generator of `load_generator` or `radiosynth.train_generator`, or any network from noise, and
        perhaps class codes, to images.
    n : int
        Number of images.
    rng : numpy.random.Generator
        Source of the noise.
    labels : ndarray of int, shape (n,), optional
        Class code of each image, for a conditional generator only.
    batch_size : int
        Images drawn at a time; bounds the memory.
    out : ndarray of float32, shape (n, size, size), optional
        Where to put the images, such as a memory map.

    Returns
    -------
    ndarray of float32, shape (n, size, size)
        Images in [-1, 1].

    Raises
    ------
    ValueError
        If labels are missing, superfluous or unknown to the generator.
    """
    # A network of the user's own does not say how many classes it knows.
    known = getattr(generator, "classes", len(CLASS_NAMES))
    check_labels(labels, n, known if len(generator.inputs) == 2 else 0)
    result = to_write(out, (n, *generator.output_shape[1:3]), "ask for fewer images")
    for start in range(0, n, batch_size):
        stop = min(start + batch_size, n)
        noise = rng.standard_normal((stop - start, generator.inputs[0].shape[1]), np.float32)
        label = None if labels is None else np.asarray(labels[start:stop], np.int32)
        images = generator(with_labels(noise, label), training=False)
        result[start:stop] = ops.convert_to_numpy(images)[..., 0]
    return result


def sample_generators(folders: Sequence[str | Path], per_class: int, *, rng: np.random.Generator) -> Sample:
    """Draw a labelled sample from trained generators: one per class, or one conditional network.

    Parameters
    ----------
    folders : sequence of path-like
        Folders of `radiosynth.train_generator`, whose class names are names of `radiosynth.CLASSES`.
    per_class : int
        Images per class.
    rng : numpy.random.Generator
        Source of the noise.

    Returns
    -------
    Sample
        The images, folder by folder and class by class, named by the kind of their generator and a number.
    """
    parts: list[Sample] = []
    for folder in folders:
        settings, names, _ = read_description(Path(folder))
        refuse_beyond_memory((len(names) * per_class, settings.size, settings.size), "ask for fewer images")
        codes = np.repeat(np.arange(len(names)), per_class)
        labels = codes if settings.conditional else None
        images = generate(load_generator(folder), len(codes), labels=labels, rng=rng)
        first = sum(map(len, parts))
        table = Table({"name": [f"{settings.kind}_{first + i}" for i in range(len(codes))]})
        table.meta["history"] = [f"drawn from generators: {per_class} images per class"]
        parts.append(Sample(images, np.array([class_code(name) for name in names])[codes], table))
    return concatenate(parts)
