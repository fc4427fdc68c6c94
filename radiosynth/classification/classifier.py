"""What a user holds: a network together with the card that says how to use it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
from astropy.table import Table
from numpy.typing import ArrayLike, NDArray

from radiosynth import records, training
from radiosynth._io import PathLike, Paths, check, read_arrays, read_json, readable, write_arrays, write_json
from radiosynth.classification.oddness import Oddness
from radiosynth.classification.predicting import predict
from radiosynth.classification.settings import ClassifierSettings
from radiosynth.cutouts import read_cutouts
from radiosynth.networks.classifiers import build_ensemble, build_network
from radiosynth.networks.layers import keras_defaults
from radiosynth.preprocessing import preprocess, preprocess_unresized
from radiosynth.sample import Sample, check_choice, floats
from radiosynth.surveys import COARSEST_BEAM, FIRST
from radiosynth.taxonomy import CLASS_NAMES

DEFAULT = "report-fold-real-student-all-8b5e6d32ddef"
"""The packaged classifier that is loaded where none is named: one network, taught by the ensemble."""

ENSEMBLE = "report-ensemble-of-5-f053175c0610"
"""The packaged classifier called ``ensemble``: five networks, each asked about eight views of an image."""

CARD: dict[str, Any] = {
    "name": "",
    "classes": list(CLASS_NAMES),
    "size": 56,
    "crop": 150,
    "pixel_scale": None,
    "n_sigma": 3.0,
    "fill": "threshold",
    "n_rotations": 1,
    "temperature": 1.0,
    "networks": [],
    "training_images": {},
    "data": "",
    "accuracy": None,
    "licence": "",
}
"""Entries of a card, and what they are where nobody says otherwise; see `Classifier`."""

LICENCE = "MIT; trained on images of FIRST, which are for scholarly and non-commercial use (radiosynth cite)"

_ODD = "it fits none of the classes (noise, an artefact, several sources), and its class is no evidence"

_SHARPER = "sharper than FIRST's; cut it out by radiosynth.cutouts_from_mosaic (--mosaic)"

_COARSER = "coarser than FIRST's: it hides the structure, and the class is no evidence"

TINY, LARGE = 1e-6, 1e6
"""Limits of positive numbers in a card."""

SCALE_TOLERANCE = 0.05
"""Difference of the pixel scale, as a fraction, that the networks do not notice."""


@dataclass(frozen=True)
class Classifier:
    """A trained network, and its card: how images are prepared for it, and what is known of it.

    Parameters
    ----------
    model : keras.Model
        From images (n, size, size, 1) in [-1, 1] to class probabilities.
    card : dict
        ``name``; ``classes``, their names by code; ``size``, edge of the prepared images in pixels; ``crop``,
        pixels of a file that are used; ``pixel_scale`` in arcsec, or None for a network that takes the
        report's 4.5 arcmin in pixels of any size; ``n_sigma`` and ``fill``, as in `radiosynth.preprocess`;
        ``n_rotations``, 8 for the mean over all rotations by 90 degrees and mirror images, and
        ``temperature`` (`radiosynth.networks.build_ensemble`); ``networks``, what `save` builds them by
        again; ``training_images`` by class, ``data`` (DOI), ``accuracy`` on images that it was not trained
        on, or None, and ``licence``. Entries that are not given are as in the report.
    predictions : dict of str to ndarray
        What the model card is computed from: ``labels`` (n,) and ``probabilities`` (n, classes) of
        independent images that it was not trained on, and ``catalogues`` (n,), where that is known. Empty if
        there are none.
    oddness : Oddness, optional
        How far an image may be from the training images before it is called odd.
    """

    model: keras.Model
    card: dict[str, Any]
    predictions: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    oddness: Oddness | None = None

    def __post_init__(self) -> None:
        unknown = sorted(self.card.keys() - CARD.keys())
        check(not unknown, f"unknown entries of a card, {', '.join(unknown)}: there are {', '.join(CARD)}")
        size, classes = self.model.input_shape[1], self.model.output_shape[-1]
        object.__setattr__(self, "card", {**CARD, "size": size, **self.card})
        _check_entries(self.card)
        asked = self.card["size"], len(self.card["classes"])
        taken = f"the network takes {size} px and knows {classes}: give the card of this network"
        check(asked == (size, classes), f"the card says size and classes {asked}, {taken}")

    @cached_property
    def complete(self) -> keras.Model:
        """The network, with the oddness as a second output where that is known."""
        return self.model if self.oddness is None else self.oddness.added(self.model)

    @classmethod
    def trained(cls, model: keras.Model, settings: ClassifierSettings, **card: Any) -> Classifier:
        """Return the classifier of a network that was just trained.

        Parameters
        ----------
        model : keras.Model
            Network of `radiosynth.train_classifier` or `train_on_the_fly`.
        settings : ClassifierSettings or OnTheFlySettings
            What it was trained with.
        **card
            Entries of the card that are not as in the report, such as ``training_images``.

        Returns
        -------
        Classifier
            To be used, and saved.
        """
        network = {name: getattr(settings, name) for name in ("architecture", "width_multiplier", "network")}
        scale = FIRST.pixel_scale if settings.architecture == "foveated" else None
        return cls(model, {"networks": [network], "pixel_scale": scale, **card})

    def prepare(self, sample: Sample) -> Sample:
        """Return what the network takes: thresholded, cropped or framed, resized and scaled.

        Parameters
        ----------
        sample : Sample
            Cutouts. Where the card has a pixel scale, they are in such pixels, and what is missing of `size`
            of them is taken for background; otherwise they span the report's 4.5 arcmin.

        Returns
        -------
        Sample
            Images in [-1, 1]. ``table.meta["left_out"]`` lists those that show nothing, as pairs (name,
            reason).
        """
        card, as_asked = self.card, preprocess if self.card["pixel_scale"] is None else preprocess_unresized
        return as_asked(sample, card["size"], n_sigma=card["n_sigma"], fill=card["fill"])

    def predict(self, images: ArrayLike) -> NDArray[np.float32]:
        """Return the class probabilities of prepared images (n, size, size)."""
        return predict(self.model, images)

    def classify(
        self,
        what: Sample | Paths,
        *,
        crop: int | None = None,
        pixel_scale: float | None = None,
        on_error: Literal["raise", "skip"] = "skip",
    ) -> Table:
        """Return the classes of sources.

        Parameters
        ----------
        what : Sample or path-like or iterable of path-like
            Cutouts, or files or a folder to read them from by `radiosynth.read_cutouts`.
        crop : int, optional
            Central pixels of each file to use; those of the card by default.
        pixel_scale : float, optional
            Resample files to pixels of this width in arcsec.
        on_error : {"skip", "raise"}
            What to do at a file that cannot be read.

        Returns
        -------
        ~astropy.table.Table
            One row an image: ``name`` (the path of a file), ``class``, and one column of probabilities a
            class; and, where the classifier can tell, ``oddness``: how far the image is from those that it
            was trained on, above 1 for one that fits none of the classes. Its meta has ``skipped`` and
            ``left_out``, pairs (name, reason) of files that cannot be read and of images that show nothing;
            ``notes``, pairs (name, doubt); and ``model``.
        """
        sample = what if isinstance(what, Sample) else self.read(what, crop, pixel_scale, on_error)
        ready = self.prepare(sample)
        said, names = predict(self.complete, ready.images), np.array(self.card["classes"])
        probabilities, oddness = (said, None) if self.oddness is None else said
        table = Table({"name": ready.table["name"], "class": names[probabilities.argmax(axis=1)]})
        table.add_columns(list(probabilities.T), names=self.card["classes"])
        doubts = self._doubts(sample)
        if oddness is not None:
            table["oddness"] = oddness
            odd = table[oddness > 1]["name", "oddness"]
            doubts += [(name, f"an oddness of {value:.1f}: {_ODD}") for name, value in odd]
        table.meta = {"model": self.card["name"], "skipped": sample.table.meta.get("skipped", [])}
        table.meta |= {"left_out": ready.table.meta["left_out"], "notes": doubts}
        return table

    def read(
        self,
        paths: Paths,
        crop: int | None = None,
        pixel_scale: float | None = None,
        on_error: Literal["raise", "skip"] = "skip",
    ) -> Sample:
        """Return cutouts as `classify` reads them: named by their files unless a folder was given."""
        size = crop or self.card["crop"]
        sample = read_cutouts(paths, size=size, pixel_scale=pixel_scale, on_error=on_error, nan="keep")
        if not (isinstance(paths, PathLike) and Path(paths).is_dir()):
            named = zip(sample.table["path"].tolist(), sample.table["name"].tolist(), strict=True)
            sample.table["name"] = [str(Path(path).with_name(name)) for path, name in named]
        return sample

    def _doubts(self, sample: Sample) -> list[tuple[str, str]]:
        """Return the images whose pixels or beam are known to be of another width than the network's."""
        asked = self.card["pixel_scale"] or FIRST.scale(sample.size)
        told = f"the network knows sizes in pixels of {asked:.3g} arcsec: resample to pixel scale {asked:.3g}"
        doubts = []
        widths = [floats(sample.table, name, "arcsec") for name in ("beam", "pixel_scale")]
        # No width that is not known, NaN, is doubted.
        for name, beam, scale in zip(sample.table["name"], *widths, strict=True):
            if beam < 0.9 * FIRST.beam:
                doubts.append((name, f"a beam of {beam:.3g} arcsec, {_SHARPER}"))
            if beam > 1.005 * COARSEST_BEAM:
                doubts.append((name, f"a beam of {beam:.3g} arcsec, {_COARSER}"))
            if abs(scale / asked - 1) > SCALE_TOLERANCE:
                doubts.append((name, f"pixels of {scale:.2f} arcsec; {told}"))
        return doubts

    def save(self, folder: PathLike) -> None:
        """Write card and weights to a folder, for `radiosynth.load_classifier`.

        Parameters
        ----------
        folder : path-like
            Gets ``card.json`` and ``model.npz``, and ``predictions.npz`` where there are any.

        Raises
        ------
        ValueError
            If the card does not say how to build the network again.
        """
        _check_networks(self.card)
        training.save_weights(self.model, Path(folder) / "model.npz")
        for name in ("predictions.npz", "oddness.npz"):  # those of another classifier
            (Path(folder) / name).unlink(missing_ok=True)
        if self.predictions:
            plain = np.ones(len(self.predictions["labels"]), bool)
            write_arrays(Path(folder) / "predictions.npz", plain=plain, **self.predictions)
        if self.oddness is not None:
            self.oddness.save(Path(folder))
        write_json(Path(folder) / "card.json", self.card)

    @keras_defaults()
    def export(self, path: PathLike, format: Literal["keras", "onnx"] = "keras") -> Path:  # noqa: A002
        """Write the classifier to one file for other tools, and a model card beside it.

        From prepared images, float32 of the shape (n, size, size, 1) in [-1, 1], to class probabilities, as
        `predict` gives them: the mean over networks and rotations and the temperature are in the file.
        Preparing images is not; the model card says how.

        Parameters
        ----------
        path : path-like
            File to write. The card takes its name, with the suffix ``.md``.
        format : {"keras", "onnx"}
            For ``keras.saving.load_model``, which needs nothing of this package, or for ONNX runtimes.

        Returns
        -------
        pathlib.Path
            The model card.

        Raises
        ------
        ValueError
            If the format is unknown, the suffix is not that of the format, the card of the classifier does
            not say how to build the network again, or another text would be replaced by the model card.
        ImportError
            If packages are missing: ``pip install radiosynth[export]``.
        """
        from radiosynth.classification.exporting import FORMATS, model_card, write_model

        check_choice(format, "format", FORMATS)
        _check_networks(self.card)
        model = _built(self.card)  # in float32, whatever it was trained in
        model.set_weights(self.model.get_weights())
        complete = replace(self, model=model).complete
        card = model_card(self.card, self.predictions, odd=self.oddness is not None)
        return write_model(complete, Path(path), format, card)


@keras_defaults()
def load_classifier(source: PathLike | None = None) -> Classifier:
    """Load a trained classifier.

    Parameters
    ----------
    source : path-like, optional
        Folder of `Classifier.save` or of a saved run, the name of a saved run, or ``"ensemble"``, the five
        networks of the package. If not given, the one network that these have taught, which is forty times
        faster.

    Returns
    -------
    Classifier
        With its card.

    Raises
    ------
    FileNotFoundError
        If there is no such folder or run, or it is saved without its weights.
    ValueError
        If it classifies nothing, or a file is damaged.

    Examples
    --------
    >>> classifier = load_classifier()
    >>> classifier.card["size"], classifier.card["pixel_scale"], len(classifier.card["networks"])
    (192, 1.8, 1)
    """
    packaged = records.PACKAGED_RUNS / (ENSEMBLE if source else DEFAULT)
    folder = packaged if source is None or source == "ensemble" else records.find_folder(source)
    said = {"advice": "save it again", "fault": "is no card of a classifier"}
    path = folder / "card.json"
    card = read_json(path, CARD, **said) if path.exists() else _card_of_run(folder)
    with readable(path, **said):
        model = _built(card)
    training.load_weights(model, folder / "model.npz")
    stored = folder / "predictions.npz"
    predictions = _independent(stored) if stored.exists() else {}
    return Classifier(model, card, predictions, Oddness.read(folder))


def _check_entries(card: dict[str, Any]) -> None:
    """Raise `ValueError` if an entry of a card would prepare images in another way than it says."""
    least = {"size": 1, "crop": 1, "n_rotations": 1, "n_sigma": 0, "temperature": TINY}
    least |= {"pixel_scale": TINY} if card["pixel_scale"] is not None else {}
    for name, limit in least.items():
        value, whole = card[name], limit == 1
        fits = isinstance(value, Integral if whole else Real) and limit <= float(value) < LARGE
        wanted = f"a {'whole ' * whole}number from {limit:g} to {LARGE:g}"
        check(fits and not isinstance(value, bool), f"{name} of the card is {value!r}: give {wanted}")
    check(card["n_rotations"] in (1, 8), f"n_rotations of the card is {card['n_rotations']}: give 1 or 8")
    check_choice(card["fill"], "fill of the card", ("threshold", "zero"))
    classes = card["classes"]
    listed = isinstance(classes, list | tuple) and all(isinstance(each, str) for each in classes)
    check(listed and len({*classes}) == len(classes), f"classes of the card are {classes!r}: name each once")


def _check_networks(card: dict[str, Any]) -> None:
    fault = "the card has no networks to build this one by again: make it with Classifier.trained"
    check(card["networks"], fault)


def _built(card: dict[str, Any]) -> keras.Model:
    """Return the untrained network of a card."""
    networks = [build_network(size=card["size"], **records.renamed(network)) for network in card["networks"]]
    if card["n_rotations"] > 1:
        return build_ensemble(networks, card["temperature"])
    return networks[0]


def _independent(path: Path) -> dict[str, NDArray[Any]]:
    """Return the saved predictions of test images, but for the rotated and flipped ones."""
    stored = read_arrays(path, {"labels": "i1", "plain": "b1", "probabilities": "f2"})
    names = [name for name in ("labels", "probabilities", "catalogues") if name in stored]
    return {name: stored[name][stored["plain"]] for name in names}


def _card_of_run(folder: Path) -> dict[str, Any]:
    """Return the card of a saved run, by the few fields of its configuration and results that it needs."""
    config = read_json(folder / "config.json", ["kind"])
    kind = config["kind"]
    fault = f"{folder.name} classifies nothing: `radiosynth runs` lists the runs, among them classifiers"
    check(kind in ("classifier", "fold", "ensemble"), fault)
    parts = config.get("members", [config])
    known = read_json(folder / "provenance.json", ["training_images", "data"])
    stored = _independent(folder / "predictions.npz")
    correct = stored["probabilities"].argmax(axis=1) == stored["labels"]
    foveated = kind != "classifier"
    asked = {"architecture": "foveated" if foveated else "report", "width": 1.0, "network": ""}
    return CARD | {
        "name": folder.name,
        "size": parts[0]["size"],
        "n_sigma": parts[0]["n_sigma"],
        "pixel_scale": FIRST.pixel_scale if foveated else None,
        "n_rotations": 8 if kind == "ensemble" else 1,
        "temperature": known.get("temperature", 1.0),
        "networks": [records.renamed({name: (asked | part)[name] for name in asked}) for part in parts],
        "training_images": known["training_images"],
        "data": known["data"]["doi"],
        "accuracy": round(float(correct.mean()), 4),
        "licence": LICENCE,
    }
