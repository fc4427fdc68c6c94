"""What generators of all kinds share: settings, training, saving, drawing."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from astropy.table import Table
from keras import ops
from numpy.typing import ArrayLike, NDArray

from radiosynth import training
from radiosynth._io import (
    check,
    read_arrays,
    read_json,
    readable,
    refuse_beyond_memory,
    write_arrays,
    write_text,
)
from radiosynth.networks.classifiers import keras_defaults
from radiosynth.networks.generators import build_generator
from radiosynth.sample import Sample
from radiosynth.taxonomy import CLASS_NAMES, class_code

__all__ = ["GANRun", "diversity", "frame_epochs", "generate", "load_generator", "sample_generators"]

log = logging.getLogger("radiosynth")


FRAME_SAMPLES = 16
"""Noise vectors (per class) whose images are kept during training: the report's 2 rows of 8."""


FEWEST_DIFFERENCES = 0.25
"""Diversity, relative to real images, below which a generator has collapsed."""


@dataclass(frozen=True)
class GeneratorSettings:
    """What generators of all kinds have in common; see `GANSettings` for the meaning of each."""

    size: int = 56
    latent: int = 100
    width: float = 1.0
    epochs: int = 500
    batch_size: int = 256
    learning_rate: float = 1e-4
    stretch: bool = False
    rescale: bool = False
    conditional: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("size", "latent", "width", "epochs", "batch_size", "learning_rate"):
            if getattr(self, name) <= 0:
                msg = f"{name}={getattr(self, name)!r} is not possible: give a number above 0"
                raise ValueError(msg)
        if self.conditional < 0 or self.conditional == 1:
            msg = f"conditional={self.conditional}: give 0 for one class, or the number of classes, 2 or more"
            raise ValueError(msg)

    def build(self) -> keras.Model:
        """Return the untrained generator of these settings, which draws images in [-1, 1]."""
        return _unstretched(self._build_network(), self)

    def _build_network(self) -> keras.Model:
        return build_generator(self.size, self.latent, self.width, classes=self.conditional, seed=self.seed)


def _stretched(images: Any) -> Any:
    """Return the square root of the brightness, on the same range from -1 to 1."""
    return 2 * ops.sqrt((images + 1) / 2) - 1


def _unstretched(network: keras.Model, settings: GeneratorSettings) -> keras.Model:
    """Return the generator itself, or one with the same weights whose images are squared and rescaled."""
    if not settings.stretch and not settings.rescale:
        return network
    light = (network.output + 1) / 2
    if settings.stretch:
        light = ops.square(light)
    if settings.rescale:
        light = light / ops.maximum(ops.max(light, axis=(1, 2, 3), keepdims=True), 1e-3)
    return keras.Model(_inputs(*network.inputs), 2 * light - 1, name=network.name)


def _inputs(values: Any, labels: Any = None) -> Any:
    return values if labels is None else [values, labels]


@dataclass(frozen=True)
class GANRun:
    """A trained GAN, or a generator of another kind.

    Parameters
    ----------
    folder : Path
        Holds ``generator.npz`` and ``generator.json`` (see `load_generator`), the weights of the network
        that it was trained with (``discriminator.npz``), ``frames.npz`` and the checkpoint.
    generator : keras.Model
        The trained generator.
    history : dict of str to list of float
        Per epoch: the losses, seconds and, of a GAN, the share of real and of generated images that the
        discriminator judges right.
    frames : ndarray of uint8, shape (n_frames, n, size, size)
        Images of the same noise during training: 16, or 16 of each class, class by class.
    epochs : ndarray of int, shape (n_frames,)
        Epochs trained when each frame was drawn, from 0.
    diversity : tuple of float
        Diversity of the last frame relative to real images, for each class.
    collapsed : bool
        Whether a class shows so little variety that its images should not be used.
    """

    folder: Path
    generator: keras.Model
    history: training.History
    frames: NDArray[np.uint8]
    epochs: NDArray[np.int64]
    diversity: tuple[float, ...]
    collapsed: bool


def frame_epochs(epochs: int, count: int = 48) -> list[int]:
    """Return the epochs whose samples are kept, thinned as the square root of the epoch.

    Much changes early and little late, so the k-th epoch is ``epochs * (k / count)**2``. A fifth and
    three fifths of the training, which the report's figure 9 shows (100 and 300 of 500), are added.

    Examples
    --------
    >>> frame_epochs(500, count=10)
    [0, 5, 20, 45, 80, 100, 125, 180, 245, 300, 320, 405, 500]
    """
    fractions = [*((k / count) ** 2 for k in range(count + 1)), 1 / 5, 3 / 5]
    return sorted({round(epochs * fraction) for fraction in fractions})


def diversity(images: ArrayLike) -> float:
    """Return the mean Euclidean distance between pairs of images (n, size, size)."""
    flat = np.asarray(images, np.float64).reshape(len(np.asarray(images)), -1)
    squares = (flat**2).sum(1)
    distances = np.sqrt(np.maximum(squares[:, None] + squares - 2 * flat @ flat.T, 0))
    n = len(flat)
    return float(distances[~np.eye(n, dtype=bool)].mean()) if n > 1 else 0.0


def read_frames(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the frames in a file of `train_gan`, and their epochs."""
    kinds = {"frames": "u4", "epochs": "i1"}
    stored = read_arrays(path, kinds, advice="remove its folder and train again")
    return stored["frames"], stored["epochs"]


class _Watch(keras.callbacks.Callback):
    """Keep the images of fixed noise while training."""

    def __init__(self, gan: keras.Model, folder: Path) -> None:
        super().__init__()
        settings = gan.settings
        self.gan, self.path = gan, folder / "frames.npz"
        self.wanted = frame_epochs(settings.epochs)
        self.labels = np.repeat(np.arange(max(settings.conditional, 1)), FRAME_SAMPLES)
        self.frames: dict[int, NDArray[np.uint8]] = {}

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if self.frames:
            return
        if epoch:
            self.recall(epoch)
        else:
            self.keep(0)

    def recall(self, last_epoch: int) -> None:
        """Take up the frames of an interrupted training; later ones are drawn again, with the same result."""
        frames = zip(*read_frames(self.path), strict=True)
        self.frames = {int(epoch): frame for frame, epoch in frames if epoch <= last_epoch}

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if epoch + 1 in self.wanted:
            self.keep(epoch + 1)

    def keep(self, epoch: int) -> None:
        settings = self.gan.settings
        rng = np.random.default_rng([settings.seed, 9])  # the same noise at every call
        images = generate(
            self.gan.kept, len(self.labels), labels=self.labels if settings.conditional else None, rng=rng
        )
        self.frames[epoch] = np.round((images + 1) * 127.5).astype(np.uint8)
        epochs, frames = np.array(list(self.frames)), np.array(list(self.frames.values()))
        write_arrays(self.path, epochs=epochs, frames=frames)


def fit_generator(
    model: keras.Model,
    images: NDArray[np.float32],
    folder: str | Path,
    *,
    optimizer: keras.optimizers.Optimizer,
    partner: str,
    labels: NDArray[np.int64] | None,
    class_names: Sequence[str],
    fingerprint: str,
    time_limit: float | None,
) -> GANRun:
    """Train a generator together with the network that teaches it, and keep both.

    Parameters
    ----------
    model : keras.Model
        Computes its own loss; has ``settings``, the ``kept`` generator, and the other network.
    images, folder, labels, class_names, fingerprint, time_limit
        As in `train_gan`, which says what is raised, too.
    optimizer : keras.optimizers.Optimizer
        For all weights.
    partner : str
        Name of the attribute, and of the file, of the other network.

    Returns
    -------
    GANRun
        Generator, history and frames.
    """
    settings, folder = model.settings, Path(folder)
    kind = model.name.upper()
    names = list(class_names) or [f"class_{code}" for code in range(max(settings.conditional, 1))]
    _check_training_set(images, labels, settings, names)
    model.compile(
        optimizer,
        # On TensorFlow XLA makes a step slower on a CPU; JAX always compiles.
        jit_compile=keras.backend.backend() != "tensorflow",
    )
    arrays = (images,) if labels is None else (images, labels.astype(np.int32))
    batches = training.Batches(arrays, settings.batch_size, seed=settings.seed, drop_last=True)
    watch = _Watch(model, folder)
    history = training.fit(
        model,
        batches,
        epochs=settings.epochs,
        folder=folder,
        fingerprint=json.dumps([dataclasses.asdict(settings), fingerprint or batches.digest()]),
        callbacks=[watch],
        time_limit=time_limit,
        title=f"{kind} of {', '.join(names)}",
    )
    if not watch.frames:  # the training had ended before
        watch.recall(settings.epochs)
    frames, epochs = np.array(list(watch.frames.values())), np.array(list(watch.frames))
    varieties = _relative_diversity(frames[-1], images, labels)
    collapsed = min(varieties) < FEWEST_DIFFERENCES
    if collapsed:
        log.warning(
            "the %s of %s has collapsed: the variety of its images is %s of that of real ones",
            kind,
            ", ".join(names),
            ", ".join(f"{value:.2f}" for value in varieties),
        )
    description = {
        "settings": dataclasses.asdict(settings),
        "class_names": names,
        "diversity": varieties,
        "collapsed": collapsed,
    }
    training.save_weights(model.kept, folder / "generator.npz", dtype="float16")
    training.save_weights(getattr(model, partner), folder / f"{partner}.npz", dtype="float16")
    text = json.dumps(description, indent=2)
    write_text(folder / "generator.json", text)
    return GANRun(folder, model.kept, history, frames, epochs, tuple(varieties), collapsed)


def _check_training_set(
    images: NDArray[Any], labels: NDArray[Any] | None, settings: GeneratorSettings, names: Sequence[str]
) -> None:
    expected = (settings.size, settings.size)
    if images.ndim != 3 or images.shape[1:] != expected or len(images) == 0:
        msg = f"images have the shape {images.shape}; these settings need (n, {expected[0]}, {expected[1]})"
        raise ValueError(msg)
    training.check_images(images)
    if len(names) != max(settings.conditional, 1):
        msg = f"{len(names)} class names were given; these settings have {max(settings.conditional, 1)}"
        raise ValueError(msg)
    if (labels is not None) != bool(settings.conditional):
        msg = "labels are needed if conditional is above 0, and only then"
        raise ValueError(msg)
    if labels is not None and (
        labels.shape != images.shape[:1] or set(np.unique(labels)) != set(range(settings.conditional))
    ):
        msg = (
            f"labels of the shape {labels.shape} with the values {np.unique(labels).tolist()} were given: "
            f"{len(images)} images need one each, and all codes from 0 to {settings.conditional - 1}"
        )
        raise ValueError(msg)


def _relative_diversity(
    frame: NDArray[np.uint8], images: NDArray[np.float32], labels: NDArray[np.int64] | None
) -> list[float]:
    """Return, for each class, the diversity of its last samples divided by that of real images."""
    codes = np.zeros(len(images), int) if labels is None else labels
    rng = np.random.default_rng(0)
    ratios = []
    for code, drawn in enumerate(frame.reshape(-1, FRAME_SAMPLES, *frame.shape[1:])):
        rows = np.flatnonzero(codes == code)
        real = images[np.sort(rng.choice(rows, min(256, len(rows)), replace=False))]
        ratios.append(diversity(drawn / 127.5 - 1) / max(diversity(real), 1e-6))
    return ratios


@keras_defaults()
def load_generator(folder: str | Path) -> keras.Model:
    """Load a generator saved by `train_gan` or `radiosynth.train_vae`.

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
    return _read_generator(Path(folder))[0]


def _read_generator(folder: Path) -> tuple[keras.Model, list[str]]:
    path = folder / "generator.json"
    if not path.exists():
        msg = f"{folder} holds no generator: `radiosynth gan train` makes one, `radiosynth runs` lists them"
        raise FileNotFoundError(msg)
    said = {"advice": "train it anew with radiosynth.train_gan", "fault": "does not describe a generator"}
    stored = read_json(path, ["settings", "class_names", "collapsed"], **said)
    with readable(path, **said):
        given = {"rescale": False, **stored["settings"]}  # which older files do not say
        settings = GeneratorSettings(
            **{field.name: given[field.name] for field in dataclasses.fields(GeneratorSettings)}
        )
        names = [str(name) for name in stored["class_names"]]
        check(len(names) == max(settings.conditional, 1), f"names of {len(names)} classes")
    if stored["collapsed"]:
        log.warning("the generator in %s had collapsed when its training ended", folder.name)
    generator = settings.build()
    training.load_weights(generator, folder / "generator.npz")
    return generator, names


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
        Generator of `load_generator` or `train_gan`.
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
    noise_input = generator.inputs[0]
    if len(generator.inputs) == 2:
        # A network of the user's own does not say how many classes it knows.
        known = [layer.input_dim for layer in generator.layers if layer.name == "scale_of_class_0"]
        classes = known[0] if known else len(CLASS_NAMES)
        codes = np.full(n, -1) if labels is None else np.asarray(labels)
        if codes.shape != (n,) or not np.isin(codes, range(classes)).all():
            msg = f"this generator draws {classes} classes: give {n} labels from 0 to {classes - 1}"
            raise ValueError(msg)
    elif labels is not None:
        msg = "this generator knows no classes: leave labels out"
        raise ValueError(msg)
    shape = (n, *generator.output_shape[1:3])
    if out is None:
        refuse_beyond_memory(shape, "ask for fewer images")
    result = np.empty(shape, np.float32) if out is None else out
    for start in range(0, n, batch_size):
        stop = min(start + batch_size, n)
        noise = rng.standard_normal((stop - start, noise_input.shape[1]), np.float32)
        label = None if labels is None else codes[start:stop].astype(np.int32)
        images = generator(_inputs(noise, label), training=False)
        result[start:stop] = ops.convert_to_numpy(images)[..., 0]
    return result


def sample_generators(
    folders: Sequence[str | Path], per_class: int, *, rng: np.random.Generator, batch_size: int = 256
) -> Sample:
    """Draw a labelled sample from trained generators: one per class, or one conditional network.

    Parameters
    ----------
    folders : sequence of path-like
        Folders of `train_gan`, whose class names are names of `radiosynth.CLASSES`.
    per_class : int
        Images per class.
    rng : numpy.random.Generator
        Source of the noise.
    batch_size : int
        Images drawn at a time.

    Returns
    -------
    Sample
        The images, folder by folder and class by class.
    """
    parts, codes = [], []
    for folder in folders:
        generator, names = _read_generator(Path(folder))
        refuse_beyond_memory((len(names) * per_class, *generator.output_shape[1:3]), "ask for fewer images")
        labels = np.repeat(np.arange(len(names)), per_class)
        parts.append(
            generate(
                generator,
                len(labels),
                labels=labels if len(names) > 1 else None,
                rng=rng,
                batch_size=batch_size,
            )
        )
        codes.append(np.repeat([class_code(name) for name in names], per_class))
    images, labels = np.concatenate(parts), np.concatenate(codes)
    table = Table({"name": [f"gan_{i}" for i in range(len(images))]})
    table.meta["history"] = [f"drawn from generators: {per_class} images per class"]
    return Sample(images, labels, table)
