"""Where saved runs are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from radiosynth._io import PathLike, cache_folder, check

PACKAGED_RUNS = Path(__file__).parent / "runs"
"""Those that come with the package, for who has saved none."""


EARLIER_NAMES = {
    "average": "ema_decay",
    "batch_aware": "minibatch_stddev",
    "latent": "latent_dim",
    "mistaken": "mislabelled",
    "turns": "n_rotations",
    "width": "width_multiplier",
}
"""Settings by their names in saved configurations and files of earlier versions, and in the library."""


def renamed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings of a saved file under the names that they have in the library."""
    return {EARLIER_NAMES.get(name, name): value for name, value in settings.items()}


def runs_root() -> Path:
    """Return the folder that runs are written to.

    That is ``RADIOSYNTH_RUNS`` if set, else ``paper/runs`` of the source tree, else a folder beside the
    cached data.
    """
    if chosen := os.environ.get("RADIOSYNTH_RUNS"):
        return Path(chosen).expanduser()
    tree = Path(__file__).resolve().parents[1] / "paper" / "runs"
    return tree if tree.is_dir() else cache_folder() / "runs"


def saved_runs() -> dict[str, Path]:
    """Return the folders of the finished runs, the packaged ones and those of `runs_root`, by name."""
    finished = (path for root in (PACKAGED_RUNS, runs_root()) for path in root.glob("*/provenance.json"))
    return {path.parent.name: path.parent for path in finished}


def find_folder(source: PathLike) -> Path:
    """Return the folder that is meant by a path, or by the name of a saved run."""
    if Path(source).is_dir():
        return Path(source).resolve()
    saved, name = saved_runs(), os.fspath(source)
    fault = f"{source} is neither a folder nor a saved run; those there are: "
    check(name in saved, fault + (", ".join(sorted(saved)) or "none"), FileNotFoundError)
    return saved[name]
