"""What generators of all kinds share: they are trained, saved, opened, and asked for images.

A kind of generator is two classes: a `GeneratorSettings` that names the kind and builds the networks, and a
`GeneratorModel` that computes the loss. `radiosynth.generators.GENERATORS` lists the kinds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np
from astropy.table import Table
from keras import ops
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import pdist

from radiosynth import training
from radiosynth._io import check, log, read_json, readable, refuse_beyond_memory, write_arrays, write_json
from radiosynth.generators.animation import read_frames
from radiosynth.generators.settings import GENERATORS, GeneratorSettings, with_labels
from radiosynth.networks.layers import keras_defaults
from radiosynth.records import renamed
from radiosynth.sample import Sample, check_choice, concatenate
from radiosynth.taxonomy import CLASS_NAMES, class_code

FRAME_SAMPLES = 16
"""Noise vectors (per class) whose images are kept during training: the report's 2 rows of 8."""

BATCH = 256
"""Images drawn at a time, which bounds the memory."""

FEWEST_DIFFERENCES = 0.25
"""Diversity, relative to real images, below which a generator has collapsed."""


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


class GeneratorModel(keras.Model):
    """A generator and whatever teaches it as one model, which plain ``fit`` trains on any backend.

    ``fit`` takes images (n, size, size) in [-1, 1], and their labels if the settings are conditional. A
    subclass names what it logs and computes it in `terms`.

    Parameters
    ----------
    settings : GeneratorSettings
        Architecture, loss and seed.
    """

    logs: ClassVar[tuple[str, ...]] = ()
    """Names of the quantities that are logged beside the loss."""
    partner: ClassVar[str] = ""
    """Attribute and file of another network that is kept beside the generator."""

    def __init__(self, settings: GeneratorSettings) -> None:
        super().__init__(name=settings.kind)
        self.settings: Any = settings
        self.generator = settings.network()
        self.seeds = keras.random.SeedGenerator(settings.seed)
        self.logged = [keras.metrics.Mean(name=name) for name in self.logs]
        self.built = True

    @property
    def kept(self) -> keras.Model:
        """The generator to look at and to save, which draws images in [-1, 1]."""
        return self.settings.kept(self.generator)

    def terms(self, images: Any, labels: Any, training: bool) -> tuple[Any, Sequence[Any]]:
        """Return the loss of a step, and the values of `logs`.

        Parameters
        ----------
        images : tensor, shape (n, size, size, 1)
            Training images, stretched if so set.
        labels : tensor of int, shape (n,), or None
            Their class codes.
        training : bool
            Whether to train, or only to evaluate.
        """
        raise NotImplementedError

    def solver(self, steps: int) -> keras.optimizers.Optimizer:
        """Return the optimiser of all weights, for a training of so many steps."""
        return keras.optimizers.Adam(self.settings.learning_rate)

    def call(self, images: Any) -> Any:
        """Return the images: all that happens in a step happens in `compute_loss`."""
        return images

    def compute_loss(self, x: Any = None, y: Any = None, *_: Any, training: bool = True, **more: Any) -> Any:
        """Return the loss of images `x` with labels `y`, as Keras asks for it."""
        loss, values = self.terms(self.settings.seen(x), y, training)
        for metric, value in zip(self.logged, values, strict=True):
            metric.update_state(value)
        return loss


@dataclass(frozen=True)
class GeneratorRun:
    """A trained generator of any kind.

    Parameters
    ----------
    folder : Path
        Holds ``generator.npz`` and ``generator.json`` (see `load_generator`), the weights of the network
        that it was trained with (such as ``discriminator.npz``), ``frames.npz`` and the checkpoint.
    generator : keras.Model
        The trained generator.
    history : dict of str to list of float
        Per epoch: the losses, seconds and, of a GAN, the proportion of real and of generated images that the
        discriminator judges correctly.
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
    return float(pdist(flat).mean()) if len(flat) > 1 else 0.0


class _Watch(keras.callbacks.Callback):
    """Keep the images of fixed noise while training, in a file that holds all so far."""

    def __init__(self, model: GeneratorModel, folder: Path) -> None:
        super().__init__()
        self.generator, self.path = model, folder / "frames.npz"
        self.wanted = frame_epochs(model.settings.epochs)
        self.frames: dict[int, NDArray[np.uint8]] = {}

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if epoch == 0:
            self.keep(0)
        elif not self.frames:
            self.recall(epoch)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if epoch + 1 in self.wanted:
            self.keep(epoch + 1)

    def recall(self, last: int) -> None:
        """Take up the frames of an interrupted training; later ones are drawn again, with the same result."""
        frames = zip(*read_frames(self.path), strict=True)
        self.frames = {int(epoch): frame for frame, epoch in frames if epoch <= last}

    def keep(self, epoch: int) -> None:
        settings = self.generator.settings
        rng = np.random.default_rng([settings.seed, 9])  # the same noise at every call
        images = _draw(self.generator.kept, settings, FRAME_SAMPLES, rng)
        self.frames[epoch] = np.round((images + 1) * 127.5).astype(np.uint8)
        write_arrays(self.path, epochs=list(self.frames), frames=list(self.frames.values()))


@keras_defaults()
def train_generator(
    images: NDArray[np.float32],
    settings: GeneratorSettings,
    folder: str | Path,
    *,
    labels: NDArray[np.int64] | None = None,
    class_names: Sequence[str] = (),
    fingerprint: str = "",
    time_limit: float | None = None,
) -> GeneratorRun:
    """Train a generator together with the network that teaches it, and keep both.

    Interrupted training resumes from its checkpoint and ends with the same numbers.

    Parameters
    ----------
    images : ndarray of float32, shape (n, size, size)
        Real images in [-1, 1], augmented; may be a memory map. The report trains on 60,000 of one class.
    settings : GeneratorSettings
        What to train: `radiosynth.GANSettings`, `radiosynth.VAESettings`, or those of another kind.
    folder : path-like
        Where everything is kept.
    labels : ndarray of int, shape (n,), optional
        Class codes from 0, needed if and only if the settings are conditional.
    class_names : sequence of str
        Names of the classes, by code; kept with the generator.
    fingerprint : str
        Identity of this training beside its settings, such as the hash of a configuration; a checksum of
        the images if not given.
    time_limit : float, optional
        Seconds after which no further epoch is begun.

    Returns
    -------
    GeneratorRun
        Generator, history and frames. Look at its `collapsed` before you use the generator.

    Raises
    ------
    ValueError
        If images, labels and settings do not fit, or the folder holds another training.
    radiosynth.stopping.TrainingDiverged
        If the loss or a weight is not finite any more.
    radiosynth.stopping.TrainingStopped
        If the time limit or a signal ended the training; calling again resumes.
    """
    folder, n_classes = Path(folder), max(settings.conditional, 1)
    names = list(class_names) or [f"class_{code}" for code in range(n_classes)]
    check_images(settings, images, labels)
    fault = f"{len(names)} class names were given; give {n_classes}, and labels of all codes below that"
    check(len(names) == n_classes and (labels is None or len(np.unique(labels)) == n_classes), fault)
    model = settings.model()
    arrays = (images,) if labels is None else (images, labels.astype(np.int32))
    batches = training.Batches(arrays, settings.batch_size, seed=settings.seed, drop_last=True)
    training.compile_model(model, model.solver(settings.epochs * batches.steps), None, ())
    watch = _Watch(model, folder)
    title = f"{settings.kind.upper()} of {', '.join(names)}"
    fit = partial(training.fit, model, batches, epochs=settings.epochs, folder=folder, time_limit=time_limit)
    identity = training.fingerprint(fingerprint, settings, *arrays)
    history = fit(fingerprint=identity, callbacks=[watch], title=title)
    if not watch.frames:  # the training had ended before
        watch.recall(settings.epochs)
    frames, epochs = np.array(list(watch.frames.values())), np.array(list(watch.frames))
    varieties = _relative_diversity(frames[-1], images, labels)
    collapsed = min(varieties) < FEWEST_DIFFERENCES
    if collapsed:
        shown = ", ".join(f"{value:.2f}" for value in varieties)
        log.warning("the %s has collapsed: its diversity is %s of that of real images", title, shown)
    training.save_weights(model.kept, folder / "generator.npz", dtype="float16")
    if model.partner:
        training.save_weights(getattr(model, model.partner), folder / f"{model.partner}.npz", dtype="float16")
    about = {"kind": settings.kind, "settings": asdict(settings), "class_names": names}
    write_json(folder / "generator.json", about | {"diversity": varieties, "collapsed": collapsed})
    return GeneratorRun(folder, model.kept, history, frames, epochs, tuple(varieties), collapsed)


def _relative_diversity(frame: NDArray, images: NDArray, labels: NDArray | None) -> list[float]:
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
    """Load a generator saved by `radiosynth.train_generator`.

    The network is built again from its settings and filled with plain arrays; no code is loaded.

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
    path = folder / "generator.json"
    fault = f"{folder} holds no generator: `radiosynth gan` makes one, `radiosynth runs` lists them"
    check(path.exists(), fault, FileNotFoundError)
    advice, fault = "train it again with radiosynth.train_generator", "does not describe a generator"
    stored = read_json(path, ["settings", "class_names", "collapsed"], advice=advice, fault=fault)
    with readable(path, advice, fault):
        # What files of earlier versions do not say: the kind, and whether images are rescaled.
        given = {"rescale": False, **renamed(stored["settings"])}
        kind = stored.get("kind", "vae" if "beta" in given else "gan")
        check_choice(kind, "kind of generator", GENERATORS)
        settings = GENERATORS[kind](**given)
        names = [str(name) for name in stored["class_names"]]
        check(len(names) == max(settings.conditional, 1), f"names of {len(names)} classes")
    return settings, names, bool(stored["collapsed"])


@keras_defaults()
def generate(
    generator: keras.Model, n: int, *, rng: np.random.Generator, labels: NDArray[np.int64] | None = None
) -> NDArray[np.float32]:
    """Draw images from a generator.

    The images depend on the state of `rng` alone; to float rounding they are the first n of a larger number.

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
    shape = (n, *generator.output_shape[1:3])
    refuse_beyond_memory(shape, "ask for fewer images")
    result = np.empty(shape, np.float32)
    for start in range(0, n, BATCH):
        batch = result[start : start + BATCH]
        noise = rng.standard_normal((len(batch), generator.inputs[0].shape[1]), np.float32)
        label = None if labels is None else np.asarray(labels[start : start + BATCH], np.int32)
        batch[:] = ops.convert_to_numpy(generator(with_labels(noise, label), training=False))[..., 0]
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
        images = _draw(load_generator(folder), settings, per_class, rng)
        first = sum(map(len, parts))
        table = Table({"name": [f"{settings.kind}_{first + i}" for i in range(len(images))]})
        table.meta["history"] = [f"drawn from generators: {per_class} images per class"]
        parts.append(Sample(images, np.repeat([class_code(name) for name in names], per_class), table))
    return concatenate(parts)


def _draw(generator: keras.Model, settings: Any, number: int, rng: np.random.Generator) -> NDArray:
    """Draw so many images of each class that a generator of these settings knows, class by class."""
    codes = np.repeat(np.arange(max(settings.conditional, 1)), number)
    return generate(generator, len(codes), labels=codes if settings.conditional else None, rng=rng)
