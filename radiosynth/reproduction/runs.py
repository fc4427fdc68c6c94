"""Saved runs: found, opened, and where their numbers come from."""

from __future__ import annotations

import contextlib
import importlib.metadata
import logging
import math
import os
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from radiosynth import datasets, preprocessing
from radiosynth._io import cache_folder, check, read_arrays, read_json, read_table, readable
from radiosynth.reproduction.configs import (
    GENERATED,
    KINDS,
    TRAINING_SETS,
    BendingConfig,
    ClassifierConfig,
    Config,
    EnsembleConfig,
    FoldConfig,
    GANConfig,
    GeneratorConfig,
)
from radiosynth.reproduction.presets import ensemble_config
from radiosynth.reproduction.scales import SCALES
from radiosynth.sample import Sample

if TYPE_CHECKING:
    import keras

__all__ = ["Run", "default_classifier", "find_run", "make_ready", "runs_root"]

log = logging.getLogger("radiosynth")


def runs_root() -> Path:
    """Return the folder that runs are written to.

    That is ``RADIOSYNTH_RUNS`` if set, else ``paper/runs`` of the source tree, else a folder beside the
    cached data.
    """
    if chosen := os.environ.get("RADIOSYNTH_RUNS"):
        return Path(chosen).expanduser()
    tree = Path(__file__).resolve().parents[2] / "paper" / "runs"
    return tree if tree.is_dir() else cache_folder() / "runs"


PACKAGED_RUNS = Path(__file__).parents[1] / "runs"
"""The run that comes with the package, for those who have recorded none."""


C = TypeVar("C", bound=Config)


_PROVENANCE = ("versions", "seed", "data", "finished")


_FURTHER = {
    "ensemble": ("temperature",),
    "gan": ("diversity", "collapsed"),
    "vae": ("diversity", "collapsed"),
}


_CLASSES = {"names": "U1", "labels": "i1", "plain": "b1", "probabilities": "f2"}


_ANGLES = {"name": "U1", "truth": "f1", "bending_angle": "f1", "guess": "f1", "spread": "F1"}
"""What the provenance of a run has to say, of all kinds and of some, and what its predictions consist of."""


@dataclass(frozen=True)
class Run(Generic[C]):
    """A finished run, read from its folder.

    Parameters
    ----------
    folder : Path
        Where it is recorded.
    config : Config
        What was asked for.
    replayed : bool
        Whether it was recorded before it was asked for.
    """

    folder: Path
    config: C
    replayed: bool

    @property
    def provenance(self) -> dict[str, Any]:
        """Versions, commit, device, seconds and the data's sha256."""
        path = self.folder / "provenance.json"
        found = read_json(path, _PROVENANCE + _FURTHER.get(self.config.kind, ()))
        with readable(path):
            numbers = [found.get("temperature", 1.0), *found.get("diversity", [])]
            check(all(isinstance(n, float) and math.isfinite(n) for n in numbers), f"numbers {numbers}")
        return found

    @property
    def history(self) -> Table:
        """One row per epoch."""
        path, epochs = self.folder / "history.csv", self.config.epochs  # type: ignore[attr-defined]
        found = read_table(path, epochs)
        with readable(path):
            check(found["epoch"].tolist() == [*range(1, epochs + 1)], "not one row for each epoch")
        return found

    @property
    def predictions(self) -> dict[str, NDArray[Any]]:
        """Per test image: ``names``, ``labels``, ``plain``, ``probabilities``; or as in `cross_validate`.

        Of an ensemble also ``members``, the probabilities of each of its networks, and ``unseen`` with
        ``unseen_labels``: those of the images of the folds, each by the network that did not see it.
        """
        return read_arrays(
            self.folder / "predictions.npz", _ANGLES if self.config.kind == "bending" else _CLASSES
        )

    @property
    def frames(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Of a GAN: images of the same noise during training, and the epochs when they were drawn."""
        from radiosynth.generators.base import read_frames

        return read_frames(self.folder / "frames.npz")

    def model(self) -> keras.Model:
        """Return the trained network; its recorded weights have half precision.

        Raises
        ------
        FileNotFoundError
            If the run is recorded without its weights, as one is of which only the predictions are wanted.
        """
        from radiosynth import generators
        from radiosynth.training import load_weights

        config = self.config
        if isinstance(config, GeneratorConfig):
            return generators.load_generator(self.folder)
        if not (self.folder / "model.npz").exists():
            msg = (
                f"{self.folder.name} is recorded without its weights: choose another run, see "
                "`radiosynth runs`, or train it anew in another folder, named by RADIOSYNTH_RUNS"
            )
            raise FileNotFoundError(msg)
        model = _build(config, float(self.provenance.get("temperature", 1.0)))
        load_weights(model, self.folder / "model.npz")
        return model


def _build(config: Config, temperature: float) -> keras.Model:
    """Return the untrained network of a configuration, for arithmetic in full precision."""
    from radiosynth import networks

    if isinstance(config, EnsembleConfig):
        return networks.build_ensemble([_build(member, 1.0) for member in config.members], temperature)
    if isinstance(config, FoldConfig):
        return networks.build_foveated_classifier(config.size, width=config.width)
    if isinstance(config, BendingConfig):
        return networks.build_regressor(
            config.size, config.width, output=config.output, architecture=config.architecture
        )
    assert isinstance(config, ClassifierConfig)
    return networks.build_network(config.architecture, config.size, config.width, config.network)


def make_ready(sample: Sample, config: ClassifierConfig | FoldConfig | EnsembleConfig) -> Sample:
    """Make of cutouts what the classifier of a configuration takes.

    Parameters
    ----------
    sample : Sample
        Cutouts with pixels of FIRST: the central 150×150 for the classifiers of the report. Networks of the
        five-fold scheme take up to their `size`; where a cutout ends earlier, they see no emission.
    config : ClassifierConfig, FoldConfig or EnsembleConfig
        Configuration of the classifier.

    Returns
    -------
    Sample
        Images in [-1, 1].
    """
    if isinstance(config, ClassifierConfig):
        return preprocessing.preprocess(sample, config.size, n_sigma=config.n_sigma)
    edge = min(sample.size, config.size)
    crop = edge if edge < sample.size else None
    ready = preprocessing.preprocess(sample, edge, crop=crop, n_sigma=config.n_sigma)
    return _framed(ready, config.size) if edge < config.size else ready


def _framed(sample: Sample, size: int) -> Sample:
    """Return images with as much background around them as makes them `size` pixels wide."""
    before = (size - sample.size) // 2
    rim = (before, size - sample.size - before)
    images = np.pad(sample.images, ((0, 0), rim, rim), constant_values=-1.0)
    return sample.derived(images, f"background around the {sample.size} px, to {size} px")


def _read_config(folder: Path) -> Config:
    path, fault = folder / "config.json", "holds no readable configuration"
    stored = read_json(path, ["kind"], fault=fault)
    with readable(path, fault=fault):
        generator = GENERATED.get(stored.get("training_set", ""), GANConfig)
        for key, part in (("generators", generator), ("members", FoldConfig)):
            if key in stored:
                stored[key] = tuple(part(**settings) for settings in stored[key])
        return KINDS[stored.pop("kind")](**stored)


def find_run(folder: str | os.PathLike[str]) -> Run[Any]:
    """Open a recorded run by its folder, or by its name under `runs_root`.

    Parameters
    ----------
    folder : path-like
        Folder, or name, of a finished run.

    Returns
    -------
    Run
        The run.

    Raises
    ------
    FileNotFoundError
        If there is no such finished run; the message lists those there are.
    ValueError
        If the folder does not match its configuration.
    """
    path = Path(folder).resolve() if Path(folder).is_dir() else _recorded().get(str(folder), Path(folder))
    if not (path / "provenance.json").exists():
        msg = f"{folder} is not a finished run; those there are: {', '.join(recorded_runs()) or 'none'}"
        raise FileNotFoundError(msg)
    config = _read_config(path)
    if path.name != config.name:
        msg = f"{path} holds the run {config.name}: it was renamed or edited; remove it and run it again"
        raise ValueError(msg)
    return _opened(path, config)


def _opened(folder: Path, config: C) -> Run[C]:
    found = Run(folder, config, replayed=True)
    found.provenance  # noqa: B018 - a damaged one is refused now, and not when it is asked for
    return found


def _recorded() -> dict[str, Path]:
    """Return the folders of the finished runs by name."""
    finished = (path for root in (PACKAGED_RUNS, runs_root()) for path in root.glob("*/provenance.json"))
    return {path.parent.name: path.parent for path in finished}


def recorded_runs() -> list[str]:
    """Return the names of the finished runs, those of `runs_root` and the one of the package, sorted."""
    return sorted(_recorded())


def default_run() -> Run[Any]:
    """Return the recorded classifier of the largest scale, trained on real images alone if there is one.

    Those recorded without their weights are passed over.

    Raises
    ------
    FileNotFoundError
        If no classifier is recorded with its weights.
    """
    for scale in reversed(SCALES):
        for training_set in TRAINING_SETS:
            kind = re.compile(f"{scale}-classifier-{re.escape(training_set.replace('+', '-'))}-[0-9a-f]+")
            for name, folder in _recorded().items():  # that of the package first
                if kind.fullmatch(name) and (folder / "model.npz").exists():
                    return find_run(folder)
    msg = f"no classifier is recorded in {runs_root()}: train one with `radiosynth run`, in a few minutes"
    raise FileNotFoundError(msg)


def default_classifier() -> Run[Any]:
    """Return what ``radiosynth classify`` uses: the largest recorded ensemble, else `default_run`."""
    ensembles = [ensemble_config(scale, synthetic=share).name for scale in SCALES for share in (1.0, 0.0)]
    recorded = [name for name in ensembles if name in _recorded() and not name.startswith("smoke")]
    return find_run(recorded[-1]) if recorded else default_run()


def provenance() -> dict[str, Any]:
    """Return where numbers computed now come from: versions, commit, device and data."""
    import keras

    backend = keras.backend.backend()
    return {
        "versions": versions(),
        "backend": backend,
        "device": ", ".join(keras.distribution.list_devices()),
        "machine": platform.machine(),
        "commit": commit(),
        "data": {"doi": datasets.DOI, "sha256": datasets.ARCHIVE_SHA256},
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that numbers depend on, where installed."""
    found = {"python": platform.python_version()}
    for name in ("radiosynth", "keras", "tensorflow", "tensorflow-cpu", "jax", "numpy", "scipy", "astropy"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def commit() -> str | None:
    """Return the commit of the source tree, with a mark if files differ from it."""
    git = shutil.which("git")
    tree = Path(__file__).resolve().parents[2]
    if git is None or not (tree / ".git").exists():
        return os.environ.get("RADIOSYNTH_COMMIT")
    said = subprocess.run(
        [git, "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
        cwd=tree,
        capture_output=True,
        text=True,
        check=False,
    )
    return said.stdout.strip() or None
