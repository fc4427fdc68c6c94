"""Where numbers come from: versions, commit, device and data."""

from __future__ import annotations

import contextlib
import importlib.metadata
import platform
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from radiosynth import datasets
from radiosynth.networks.kinds import has_bfloat16


def provenance() -> dict[str, Any]:
    """Return where numbers computed now come from: versions, commit, device and data."""
    import keras

    return {
        "versions": versions(),
        "backend": keras.backend.backend(),
        "device": ", ".join(keras.distribution.list_devices()),
        "machine": platform.machine(),
        "bfloat16": has_bfloat16(),  # networks emulate it where there is none
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
    git, tree = shutil.which("git"), Path(__file__).resolve().parents[2]
    if git is None or not (tree / ".git").exists():
        return None
    command = [git, "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    said = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    return said.stdout.strip() or None
