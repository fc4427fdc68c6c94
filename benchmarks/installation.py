"""What it takes to install the package: time, with an empty and a filled cache, and space, and what for."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import Any

import timing

ROOT = Path(__file__).parents[1]
WHY = {
    "tensorflow-cpu": "trains and runs all networks, as the backend of Keras; JAX can take its place",
    "tensorflow": "trains and runs all networks, as the backend of Keras; JAX can take its place",
    "llvmlite": "the compiler of numba, which compiles the simulation",
    "scipy": "distributions of populations, labelled islands, interpolation and statistics",
    "opencv-python-headless": "rotates images, several times faster than what else does",
    "astropy": "FITS files, coordinates, units and tables",
    "scikit-learn": "confusion matrices, stratified folds and distances of sets of images",
    "numpy": "arrays",
    "keras": "networks and their training, whatever the backend",
    "matplotlib": "figures",
    "scikit-image": "antialiased resizing, and outlines of sources",
    "numba": "compiles the simulation",
    "sqlalchemy": "the memory of Optuna, which searches for networks",
    "libclang": "comes with TensorFlow",
}
"""Why large packages are there."""


def installed(folder: Path, cache: Path, *what: str) -> float:
    """Make an empty environment, install into it, and return the seconds of the installation."""
    venv.create(folder)
    pip = [sys.executable, "-m", "pip", "--python", str(folder), "install", "--quiet"]
    command = [*pip, "--cache-dir", str(cache), *what]
    begun = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, text=True)
    return time.perf_counter() - begun


def sizes(folder: Path) -> dict[str, int]:
    """Return the bytes of each package of an environment."""
    (packages,) = folder.glob("[Ll]ib/**/site-packages")
    found = {}
    for package in importlib.metadata.distributions(path=[str(packages)]):
        files = (Path(str(package.locate_file(name))) for name in package.files or ())
        found[package.name.lower().replace("_", "-")] = sum(
            path.stat().st_size for path in files if path.is_file()
        )
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def measure(quick: bool) -> dict[str, Any]:
    """Return the part of the record; in haste the package alone, without what it needs."""
    found: dict[str, Any] = {"setting": timing.setting(quick), "missing": {}, "comparisons": []}
    with tempfile.TemporaryDirectory() as place:
        folder, cache = Path(place), Path(place) / "cache"
        try:
            command = [
                sys.executable,
                "-m",
                "pip",
                "wheel",
                "--quiet",
                "--no-deps",
                "--wheel-dir",
                place,
                str(ROOT),
            ]
            subprocess.run(command, check=True, capture_output=True, text=True)
            (wheel,) = folder.glob("*.whl")
            what = (str(wheel), *(["--no-deps"] if quick else []))
            taken = {name: installed(folder / name, cache, *what) for name in ("empty cache", "filled cache")}
        except subprocess.CalledProcessError as error:
            last = error.stderr.strip().splitlines()[-1:]
            return found | {"missing": {"installation": f"pip failed: {' '.join(last)}"}}
        packages = sizes(folder / "filled cache")
    about = {
        "seconds": {name: timing.rounded(value) for name, value in taken.items()},
        "bytes": sum(packages.values()),
        "packages": len(packages),
        "largest": [
            {"name": name, "bytes": packages[name], "why": WHY.get(name, "")} for name in list(packages)[:5]
        ],
    }
    print(json.dumps(about), flush=True)
    return found | {"installation": about}
