"""Saved runs: found and opened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from radiosynth._io import PathLike, check, read_arrays, read_json, read_table, readable
from radiosynth.generators.animation import read_frames
from radiosynth.records import PACKAGED_RUNS, find_folder, runs_root, saved_runs
from radiosynth.reproduction.configs import Config, read_config

if TYPE_CHECKING:
    import keras

__all__ = ["Run", "find_run", "runs_root", "saved_runs"]

C = TypeVar("C", bound=Config)


def run_folder(config: Config, root: Path | None = None) -> Path:
    """Return where a run is saved, or to be: in `root` if given, else in `runs_root` or in the package."""
    folder, packaged = (root or runs_root()) / config.name, PACKAGED_RUNS / config.name
    use_packaged = root is None and not folder.exists() and (packaged / "provenance.json").exists()
    return packaged if use_packaged else folder


@dataclass(frozen=True)
class Run(Generic[C]):
    """A finished run, read from its folder.

    Parameters
    ----------
    folder : Path
        Where it is saved.
    config : Config
        What was asked for.
    loaded : bool
        Whether it was saved before it was asked for.
    """

    folder: Path
    config: C
    loaded: bool

    @property
    def provenance(self) -> dict[str, Any]:
        """Versions, commit, device, seconds and the data's sha256."""
        return read_json(self.folder / "provenance.json", ("versions", "seed", "data", "finished"))

    @property
    def history(self) -> Table:
        """One row per epoch."""
        path, epochs = self.folder / "history.csv", self.config.settings.epochs  # type: ignore[attr-defined]
        found = read_table(path, epochs)
        with readable(path):
            check(found["epoch"].tolist() == [*range(1, epochs + 1)], "not one row for each epoch")
        return found

    @property
    def predictions(self) -> dict[str, NDArray[Any]]:
        """Per test image: ``names``, ``labels``, ``plain`` (unaugmented), ``probabilities``.

        Of an ensemble also ``members``, the probabilities of each of its networks, and ``unseen`` with
        ``unseen_labels``: those of the images of the folds, each by the network that did not see it. Of a
        network for bending angles as in `radiosynth.reproduction.recipes.cross_validate`.
        """
        return read_arrays(self.folder / "predictions.npz", self.config.predicted)

    @property
    def frames(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Of a GAN: images of the same noise during training, and the epochs when they were drawn."""
        return read_frames(self.folder / "frames.npz")

    def model(self) -> keras.Model:
        """Return the trained network; its saved weights have half precision.

        Raises
        ------
        FileNotFoundError
            If the run is saved without its weights, as one is of which only the predictions are wanted.
        """
        return self.config.load(self.folder)


def read_configuration(folder: Path) -> Config:
    """Return the configuration in the folder of a run, begun or finished."""
    path, fault = folder / "config.json", "holds no readable configuration"
    stored = read_json(path, ["kind"], fault=fault)
    with readable(path, fault=fault):
        return read_config(stored)


def find_run(folder: PathLike) -> Run[Any]:
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
        If there is no such finished run; the message lists those there are, or names what is missing.
    ValueError
        If the folder does not match its configuration.
    """
    path = find_folder(folder)
    config = read_configuration(path)
    fault = f"{path} holds the run {config.name}: it was renamed or edited; remove it and run it again"
    check(path.name == config.name, fault)
    return Run(path, config, loaded=True)
