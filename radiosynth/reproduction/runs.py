"""Saved runs: found, opened, and where their numbers come from."""

from __future__ import annotations

import contextlib
import importlib.metadata
import itertools
import logging
import math
import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from radiosynth import datasets
from radiosynth._io import check, read_arrays, read_json, read_table, readable
from radiosynth.preprocessing import preprocess, preprocess_unresized
from radiosynth.records import PACKAGED_RUNS, runs_root, saved_runs
from radiosynth.reproduction.configs import (
    TRAINING_SETS,
    ClassifierConfig,
    Config,
    EnsembleConfig,
    FoldConfig,
    GeneratorConfig,
    read_config,
)
from radiosynth.reproduction.presets import ensemble_config
from radiosynth.reproduction.scales import SCALES
from radiosynth.sample import Sample

if TYPE_CHECKING:
    import keras

__all__ = ["Run", "default_classifier", "find_run", "make_ready", "runs_root"]

log = logging.getLogger("radiosynth")


C = TypeVar("C", bound=Config)


def run_folder(config: Config, root: Path | None = None) -> Path:
    """Return where a run is saved, or to be: in `root` if given, else in `runs_root` or in the package."""
    folder, packaged = (root or runs_root()) / config.name, PACKAGED_RUNS / config.name
    use_packaged = root is None and not folder.exists() and (packaged / "provenance.json").exists()
    return packaged if use_packaged else folder


_PROVENANCE = ("versions", "seed", "data", "finished")
"""What the provenance of every run says."""


@dataclass(frozen=True)
class Run(Generic[C]):
    """A finished run, read from its folder.

    Parameters
    ----------
    folder : Path
        Where it is saved.
    config : Config
        What was asked for.
    replayed : bool
        Whether it was saved before it was asked for.
    """

    folder: Path
    config: C
    replayed: bool

    @property
    def provenance(self) -> dict[str, Any]:
        """Versions, commit, device, seconds and the data's sha256."""
        path = self.folder / "provenance.json"
        found = read_json(path, _PROVENANCE + self.config.noted)
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
        return read_arrays(self.folder / "predictions.npz", self.config.predicted)

    @property
    def frames(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Of a GAN: images of the same noise during training, and the epochs when they were drawn."""
        from radiosynth.generators.animation import read_frames

        return read_frames(self.folder / "frames.npz")

    def checked(self) -> Run[C]:
        """Return the run itself, or raise an error now, and not when it is asked for, if it is damaged."""
        self.provenance  # noqa: B018
        return self

    def model(self) -> keras.Model:
        """Return the trained network; its saved weights have half precision.

        Raises
        ------
        FileNotFoundError
            If the run is saved without its weights, as one is of which only the predictions are wanted.
        """
        from radiosynth import generators
        from radiosynth.training import load_weights

        if isinstance(self.config, GeneratorConfig):
            return generators.load_generator(self.folder)
        if not (self.folder / "model.npz").exists():
            msg = (
                f"{self.folder.name} is saved without its weights: choose another run, see "
                "`radiosynth runs`, or train it anew in another folder, named by RADIOSYNTH_RUNS"
            )
            raise FileNotFoundError(msg)
        model = self.config.build(float(self.provenance.get("temperature", 1.0)))
        load_weights(model, self.folder / "model.npz")
        return model


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
    as_asked = preprocess if isinstance(config, ClassifierConfig) else preprocess_unresized
    return as_asked(sample, config.size, n_sigma=config.n_sigma)


def read_configuration(folder: Path) -> Config:
    """Return the configuration in the folder of a run, begun or finished."""
    path, fault = folder / "config.json", "holds no readable configuration"
    stored = read_json(path, ["kind"], fault=fault)
    with readable(path, fault=fault):
        return read_config(stored)


def find_run(folder: str | os.PathLike[str]) -> Run[Any]:
    """Open a saved run by its folder, or by its name under `runs_root`.

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
    path = Path(folder).resolve() if Path(folder).is_dir() else saved_runs().get(str(folder), Path(folder))
    if not (path / "provenance.json").exists():
        msg = f"{folder} is not a finished run; those there are: {', '.join(recorded_runs()) or 'none'}"
        raise FileNotFoundError(msg)
    config = read_configuration(path)
    if path.name != config.name:
        msg = f"{path} holds the run {config.name}: it was renamed or edited; remove it and run it again"
        raise ValueError(msg)
    return Run(path, config, replayed=True).checked()


def recorded_runs() -> list[str]:
    """Return the names of the finished runs, those of `runs_root` and those of the package, sorted."""
    return sorted(saved_runs())


def default_run() -> Run[Any]:
    """Return the saved classifier of the largest scale, trained on real images alone if there is one.

    Those saved without their weights are passed over.

    Raises
    ------
    FileNotFoundError
        If no classifier is saved with its weights.
    """
    saved = {name: path for name, path in saved_runs().items() if (path / "model.npz").exists()}
    for scale, training_set in itertools.product(reversed(SCALES), TRAINING_SETS):
        kind = f"{scale}-classifier-{training_set.replace('+', '-')}"
        for name, path in saved.items():  # that of the package first
            if name.rpartition("-")[0] == kind:
                return find_run(path)
    msg = f"no classifier is saved in {runs_root()}: train one with `radiosynth run`, in a few minutes"
    raise FileNotFoundError(msg)


def default_classifier() -> Run[Any]:
    """Return the ensemble of the largest scale that is saved, or if there is none `default_run`."""
    saved = saved_runs()
    for scale, synthetic in itertools.product(("report", "laptop"), (0.0, 1.0)):
        if (name := ensemble_config(scale, synthetic=synthetic).name) in saved:
            return find_run(name)
    return default_run()


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
    command = [git, "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    said = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    return said.stdout.strip() or None
