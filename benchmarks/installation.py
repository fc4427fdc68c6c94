"""What it takes to install the package: time and size, of the download and installed, and what for."""

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
NETWORKS = "trains and runs all networks, as the backend of Keras; JAX can take its place"
WHY = {
    "tensorflow": NETWORKS,
    "tensorflow-cpu": NETWORKS,
    "llvmlite": "the compiler of numba, which compiles simulation, rotation and sorting",
    "scipy": "distributions of populations, labelled islands, interpolation and statistics",
    "numpy": "arrays",
    "libclang": "comes with TensorFlow",
    "astropy": "FITS files, coordinates, units and tables",
    "scikit-learn": "confusion matrices, stratified folds and distances of sets of images",
    "matplotlib": "figures",
    "scikit-image": "antialiased resizing, and outlines of sources",
    "numba": "compiles simulation, rotation and sorting",
}
"""Why large packages are there."""


def pip(*arguments: str) -> float:
    """Run pip and return the seconds it takes."""
    begun = time.perf_counter()
    command = [sys.executable, "-m", "pip", *arguments, "--quiet"]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return time.perf_counter() - begun


def sizes(folder: Path) -> dict[str, int]:
    """Return the bytes of each package of an environment, largest first."""
    (packages,) = folder.glob("[Ll]ib/**/site-packages")
    found = {}
    for package in importlib.metadata.distributions(path=[str(packages)]):
        files = (Path(str(package.locate_file(name))) for name in package.files or ())
        name = package.name.lower().replace("_", "-")
        found[name] = sum(path.stat().st_size for path in files if path.is_file())
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def measure(quick: bool) -> dict[str, Any]:
    """Return the part of the record; if quick, of the package alone, without what it needs."""
    part: dict[str, Any] = {"setting": timing.setting(quick), "missing": {}, "comparisons": []}
    alone = ["--no-deps"] if quick else []
    with tempfile.TemporaryDirectory() as place:
        wheels, folder = Path(place) / "wheels", Path(place) / "environment"
        try:
            pip("wheel", "--no-deps", "--wheel-dir", place, str(ROOT))
            (wheel,) = map(str, Path(place).glob("*.whl"))
            fetching = pip("wheel", "--no-cache-dir", "--wheel-dir", str(wheels), wheel, *alone)
            venv.create(folder)
            source = ["--no-index", "--find-links", str(wheels)]
            installing = pip("--python", str(folder), "install", *source, wheel, *alone)
        except subprocess.CalledProcessError as error:
            last = error.stderr.strip().splitlines()[-1:]
            return part | {"missing": {"installation": f"pip failed: {' '.join(last)}"}}
        fetched, packages = sum(path.stat().st_size for path in wheels.iterdir()), sizes(folder)
    largest = list(packages.items())[:5]
    found = {
        "seconds": {"download": timing.rounded(fetching), "installation": timing.rounded(installing)},
        "bytes": {"download": fetched, "installed": sum(packages.values())},
        "packages": len(packages),
        "largest": [{"name": name, "bytes": size, "why": WHY.get(name, "")} for name, size in largest],
    }
    print(json.dumps(found), flush=True)
    return part | {"installation": found}
